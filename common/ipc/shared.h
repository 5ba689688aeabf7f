#pragma once
/* Memory that validatord shares with netd: two memfds in the SCM_RIGHTS of validatord's Hello, in this order.
 *
 * 0: the page. validatord writes, netd maps it read-only (F_SEAL_FUTURE_WRITE, SHRINK, GROW, SEAL). It says
 * under which epoch cached answers are good, without a system call. An L1 entry of an older epoch is a miss.
 * 1: the popularity sketch. netd's workers increment, validatord's sweep reads and halves (F_SEAL_SHRINK,
 * GROW, SEAL). A hint only: a lying netd makes the cache worse, not wrong, and the seals keep it from
 * truncating it. DESIGN 4. */

#include <stdatomic.h>

#include "common/base/util.h"

#define SHARED_PAGE_BYTES   4096u
#define SHARED_PAGE_MAGIC   0x68667067u /* "hfpg" */
#define SHARED_SKETCH_ROWS  4u
#define SHARED_SKETCH_WIDTH 262144u /* counters a row: a million entries, each row fills to a quarter */
#define SHARED_SKETCH_BYTES (SHARED_SKETCH_ROWS * SHARED_SKETCH_WIDTH)

struct shared_page {
    uint32_t magic;
    uint32_t version;       /* 1 */
    _Atomic uint64_t epoch; /* bumped after the transaction of a flush, NTA or anchor change, never falls */
    _Atomic uint64_t commit_sequence; /* of the last commit; never falls, also over restarts and when the
                                         clock is set back: it is persisted with each commit */
    _Atomic uint64_t file_generation; /* of the cache file; 0: readers go without it */
};

/* What popularity is counted by: cache_key_hash() of the rr key (cache_key_rr) of the question's name and
 * type, which is also what the sweep looks an entry up by. No secret: the worst that collisions can do is to
 * keep the wrong entry.
 */

static inline size_t shared_sketch_slot(uint64_t hash, unsigned row)
{
    uint64_t mixed = (hash + row * 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
    return row * (size_t)SHARED_SKETCH_WIDTH + (size_t)(mixed >> 46);
}

/* Saturating; a lost increment between two workers does not matter. */
static inline void shared_sketch_add(_Atomic uint8_t *sketch, uint64_t hash)
{
    for (unsigned row = 0; row < SHARED_SKETCH_ROWS; row++) {
        _Atomic uint8_t *slot = &sketch[shared_sketch_slot(hash, row)];
        uint8_t seen = atomic_load_explicit(slot, memory_order_relaxed);
        if (seen < UINT8_MAX)
            atomic_store_explicit(slot, (uint8_t)(seen + 1), memory_order_relaxed);
    }
}

static inline void shared_sketch_prefetch(const _Atomic uint8_t *sketch, uint64_t hash)
{
    for (unsigned row = 0; row < SHARED_SKETCH_ROWS; row++)
        __builtin_prefetch((const void *)&sketch[shared_sketch_slot(hash, row)], 1);
}

static inline unsigned shared_sketch_get(const _Atomic uint8_t *sketch, uint64_t hash)
{
    unsigned least = UINT8_MAX;
    for (unsigned row = 0; row < SHARED_SKETCH_ROWS; row++) {
        unsigned seen = atomic_load_explicit(&sketch[shared_sketch_slot(hash, row)], memory_order_relaxed);
        least = seen < least ? seen : least;
    }
    return least;
}
