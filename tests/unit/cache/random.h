#pragma once
/* Reproducible pseudo-random numbers for the cache's tests (splitmix64). */
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static inline uint32_t random_up_to(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(random_next(state) % bound);
}
