#pragma once
/* Answers from the cache alone: netd's L2 and the first step of every job in validatord. Pure.
 *
 * cache_answer() chases CNAMEs and synthesises from DNAME, an NXDOMAIN above (RFC 8020), validated NSEC and
 * NSEC3 (RFC 8198), as DESIGN 3.3 words the conditions. */

#include "common/base/budget.h"
#include "common/cache/entry.h"

/* NSEC3 hashing is a digest, and digests come from the shell: OpenSSL does not link into a pure part.
 * One call hashes with all iterations, RFC 5155 5: ret gets 20 bytes. 0, or 1: unsupported algorithm. */
typedef int (*nsec3_hash_fn)(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                             struct slice salt, uint8_t ret_hash[20]);

struct lookup {
    const struct cache_view *view;
    struct arena *arena;
    wall_s now;
    bool checking_disabled;    /* CD=1: entries of any security; else never SECURITY_INDETERMINATE ones */
    bool aggressive_denial;
    int64_t stale_max_s;       /* < 0: no stale data; else entries up to that far past expiry are used */
    uint16_t nsec3_iterations_max;
    uint32_t max_steps;        /* CNAME and DNAME steps */
    nsec3_hash_fn nsec3_hash;
    void *nsec3_ctx;
    uint32_t *nsec3_budget;    /* hashes left */
    uint32_t *damaged;         /* counter of entries that did not check out; may be NULL */
};

enum lookup_outcome {
    LOOKUP_HIT = 0,      /* ret_answer is whole */
    LOOKUP_MISS = 1,     /* nothing, or a chain that breaks off: ret_answer holds the links found, *ret_next the
                            name (in the arena) whose type is missing */
    LOOKUP_FAILURE = 2,  /* a remembered, unexpired failure: rcode SERVFAIL with its EDEs */
    LOOKUP_LOOP = 3,     /* CNAME loop or max_steps passed: SERVFAIL */
    LOOKUP_YXDOMAIN = 4, /* DNAME substitution too long: rcode YXDOMAIN, with the DNAME (RFC 6672 2.2) */
};

/* Looks (qname, qtype) up. TTLs in ret_answer are those left, the stale ones 0 with ret_answer->stale set (the
 * caller puts answer_ttl). -errno, or enum lookup_outcome. */
int cache_answer(const struct lookup *lookup, const uint8_t *qname, uint16_t qtype, struct answer *ret_answer,
                 const uint8_t **ret_next);

/* The deepest zone cut at or above name with an unexpired (or, with stale_max_s, usable) delegation.
 * 0 and the zone's name as pointer into `name`; CACHE_MISS: not even the root. */
int cache_closest_cut(const struct lookup *lookup, const uint8_t *name, struct cache_zone *ret_zone,
                      const uint8_t **ret_cut);
/* One zone's record. 0 or CACHE_MISS. */
int cache_zone_get(const struct lookup *lookup, const uint8_t *zone, struct cache_zone *ret_zone);
