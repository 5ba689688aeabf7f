#pragma once
/* What a core is told with every event: the two clocks and a pool of random bytes.
 *
 * Cores own no clock and no randomness. The shell fills the pool from getrandom(2) before it calls in (the
 * replay player from a seed); a core takes from it. RANDOM_POOL_BYTES is more than one event can use. */

#include "common/base/util.h"

#define RANDOM_POOL_BYTES 4096u

struct random_pool {
    uint8_t bytes[RANDOM_POOL_BYTES];
    size_t left; /* the last `left` bytes are unused */
};

struct env {
    mono_ns mono;
    wall_s wall;
    struct random_pool *random;
};

/* size bytes nobody saw before. The pool never runs dry within one event: asserted. */
void random_take(struct random_pool *pool, void *ret_bytes, size_t size);
uint16_t random_u16(struct random_pool *pool);
uint32_t random_u32(struct random_pool *pool);
/* Uniform in [0, bound); bound > 0. */
uint32_t random_below(struct random_pool *pool, uint32_t bound);
