/* The clock, and the histogram of how long things took. */

#include <time.h>

#include "tests/bench/load.h"

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    unsigned high = 63u - (unsigned)__builtin_clzll(ns); /* >= 6 */
    unsigned bucket = (high - 5u) * HISTOGRAM_SUB + (unsigned)(ns >> (high - 6u)) - HISTOGRAM_SUB;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->total++;
    if (ns > histogram->max)
        histogram->max = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * quantile), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > wanted) {
            if (i < HISTOGRAM_SUB)
                return i;
            unsigned high = i / HISTOGRAM_SUB + 5u;
            return (uint64_t)(i % HISTOGRAM_SUB + HISTOGRAM_SUB + 1u) << (high - 6u);
        }
    }
    return histogram->max;
}
