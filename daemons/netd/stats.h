#pragma once
/* Counters of a worker: written by it alone, read by the main thread; relaxed atomics, so neither waits. */

#include <stdatomic.h>
#include <stdint.h>

#include "daemons/netd/core/netd_core.h"

// clang-format off
enum netd_stat {
    STAT_QUERIES_UDP, STAT_QUERIES_TCP,
    STAT_DROPPED,           /* QR=1, short, port 0 */
    STAT_REFUSED_EARLY,     /* answered by policy or from a special-use name */
    STAT_L1_HITS, STAT_L2_HITS, STAT_MISSES,
    STAT_RESOLVES,          /* Resolve frames asked for, refreshes too */
    STAT_REFRESHES,
    STAT_VERDICTS, STAT_VERDICTS_LATE,
    STAT_STALE_BY_TIMER,    /* of the stale answers: by the client response timer, or without validatord */
    STAT_TIMEOUTS,          /* SERVFAIL because nothing came */
    STAT_FRESH,             /* and the next three: what answers were, in the order of enum netd_kind */
    STAT_CONTINUED, STAT_STALE, STAT_SERVFAIL,
    STAT_OVER_LIMIT,        /* waiting questions refused by a cap */
    STAT_LEASE_EXPIRED,     /* L2 reads discarded */
    STAT_TRUNCATED,
    STAT_SEND_FAILED,
    STAT_TCP_ACCEPTED, STAT_TCP_REFUSED, STAT_TCP_SLOW,
    STAT_TCP_IDLE_CLOSED,   /* so that the same client gets a new one */
    STAT_COUNT
};
// clang-format on

/* SERVFAILs by their first EDE. Codes beyond share the last place; RFC 8914 and its registry end at 34. */
#define STAT_EDE_CODES 40u
#define STAT_EDE_NONE  STAT_EDE_CODES

struct stats {
    _Atomic uint64_t count[STAT_COUNT];
    _Atomic uint64_t servfail_ede[STAT_EDE_CODES + 1];
};

static inline void stats_add(struct stats *stats, enum netd_stat which, uint64_t n)
{
    uint64_t was = atomic_load_explicit(&stats->count[which], memory_order_relaxed);
    atomic_store_explicit(&stats->count[which], was + n, memory_order_relaxed);
}

static inline void stats_told(struct stats *stats, struct netd_told told)
{
    stats_add(stats, (enum netd_stat)(STAT_FRESH + told.kind), 1);
    if (told.kind != NETD_FAILED)
        return;
    _Atomic uint64_t *count = &stats->servfail_ede[told.ede == EDE_NONE         ? STAT_EDE_NONE
                                                   : told.ede >= STAT_EDE_CODES ? STAT_EDE_CODES - 1
                                                                                : told.ede];
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline uint64_t stats_get(const struct stats *stats, enum netd_stat which)
{
    return atomic_load_explicit(&stats->count[which], memory_order_relaxed);
}
