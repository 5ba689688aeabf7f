#include "common/base/env.h"

#include <string.h>

void random_take(struct random_pool *pool, void *ret_bytes, size_t size)
{
    assert(size <= pool->left);
    uint8_t *from = pool->bytes + (RANDOM_POOL_BYTES - pool->left);
    memcpy(ret_bytes, from, size);
    memset(from, 0, size);
    pool->left -= size;
}

uint16_t random_u16(struct random_pool *pool)
{
    uint16_t x;
    random_take(pool, &x, sizeof(x));
    return x;
}

uint32_t random_u32(struct random_pool *pool)
{
    uint32_t x;
    random_take(pool, &x, sizeof(x));
    return x;
}

uint32_t random_below(struct random_pool *pool, uint32_t bound)
{
    assert(bound > 0);
    /* Multiply-shift: the bias is below 2^-16 for the bounds used here (ports, server lists). */
    return (uint32_t)(((uint64_t)random_u32(pool) * bound) >> 32);
}
