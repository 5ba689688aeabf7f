#pragma once
/* Answers from the cache alone: netd's L2 and the first step of every job in validatord. Pure.
 *
 * cache_answer() chases CNAMEs and synthesises from DNAME, an NXDOMAIN above (RFC 8020), validated NSEC and
 * NSEC3 (RFC 8198), as DESIGN 3.3 words the conditions. At each link of a chain what is unexpired is tried
 * from all sources before anything stale, and a remembered failure only after both. */

#include "common/base/budget.h"
#include "common/cache/entry.h"
#include "common/cache/stale_switch.h"

/* A part of an answer is due for a refresh in the last tenth of its life, if that is long enough to be worth
 * one. */
#define LOOKUP_REFRESH_MIN_LIFE_S 10
#define LOOKUP_REFRESH_PART       10

/* NSEC3 hashing is a digest, and digests come from the shell: OpenSSL does not link into a pure part.
 * One call hashes with all iterations, RFC 5155 5: ret gets 20 bytes. 0, or 1: unsupported algorithm. */
typedef int (*nsec3_hash_fn)(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                             struct slice salt, uint8_t ret_hash[20]);

struct lookup {
    const struct cache_view *view;
    struct arena *arena;
    wall_s now;
    bool checking_disabled; /* CD=1: entries of any security; else never SECURITY_INDETERMINATE ones */
    bool aggressive_denial;
    uint32_t answer_ttl; /* what rests on a kept link is given out for so many seconds at most; 0: no limit */
    int64_t stale_max_s; /* < 0: no stale data; else entries up to that far past expiry are used */
    const struct stale_rule *stale_rule; /* where names of which stale data may be used; NULL: everywhere */
    int64_t kept_max_s; /* > 0: DS, DNSKEY and proofs of no DS that validation keeps answer questions for them
                           so far past expiry, whatever the stale rule (DESIGN 5 "DO") */
    bool refresh;       /* what is due for a refresh counts as missing */
    uint16_t nsec3_iterations_max;
    uint32_t max_steps; /* CNAME and DNAME steps */
    nsec3_hash_fn nsec3_hash;
    void *nsec3_ctx;
    uint32_t *nsec3_budget; /* hashes left */
    /* Is this the apex of a zone with servers of its own by configuration (forward, stub)? It need not be
     * delegated, so what is cached of zones above says nothing of it but its DS. NULL: there is none. */
    bool (*is_apart)(const void *ctx, const uint8_t *zone);
    const void *apart_ctx;
    uint32_t *damaged; /* counter of entries that did not check out; may be NULL */
};

enum lookup_outcome {
    LOOKUP_HIT = 0,  /* ret_answer is whole */
    LOOKUP_MISS = 1, /* nothing, or a chain that breaks off: ret_answer holds the links found, *ret_next the
                        name (in the arena) whose type is missing */
    LOOKUP_FAILURE = 2,  /* a remembered, unexpired failure: rcode SERVFAIL with its EDEs */
    LOOKUP_LOOP = 3,     /* CNAME loop or max_steps passed: SERVFAIL */
    LOOKUP_YXDOMAIN = 4, /* DNAME substitution too long: rcode YXDOMAIN, with the DNAME (RFC 6672 2.2) */
};

/* Looks (qname, qtype) up. qname must outlive ret_answer. Data of a rank below RANK_AUTHORITY (glue, a
 * referral's NS) is no answer unless it is secure. AD rules: ret_answer->authentic also holds for stale parts
 * within their signatures' validity; a part past its signature is stale at once. TTLs in ret_answer are those
 * left; stale parts have the one they were stored with, and ret_answer->stale is set, its ttl 0 (the caller
 * gives none for longer than answer_ttl). -errno, or enum
 * lookup_outcome. */
int cache_answer(const struct lookup *lookup, const uint8_t *qname, uint16_t qtype, struct answer *ret_answer,
                 const uint8_t **ret_next);

/* The usable RRset of (owner, type) in the rr database itself: no chasing, nothing synthesised, any rank.
 * *ret_ttl is the time left, 0 when it is stale (only with stale_max_s >= 0). 0, CACHE_MISS or -ENOMEM. */
int cache_rr_get(const struct lookup *lookup, const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr,
                 uint32_t *ret_ttl);
/* The remembered failure of (qname, qtype), unexpired. 0, CACHE_MISS or -ENOMEM. */
int cache_failure_get(const struct lookup *lookup, const uint8_t *qname, uint16_t qtype,
                      struct cache_neg *ret_neg);

/* The deepest zone cut at or above name with an unexpired (or, with stale_max_s, usable) delegation.
 * 0 and the zone's name as pointer into `name`; CACHE_MISS: not even the root; -ENOMEM. */
int cache_closest_cut(const struct lookup *lookup, const uint8_t *name, struct cache_zone *ret_zone,
                      const uint8_t **ret_cut);
/* One zone's record, whatever its age. 0, CACHE_MISS or -ENOMEM. */
int cache_zone_get(const struct lookup *lookup, const uint8_t *zone, struct cache_zone *ret_zone);
/* The validated NSEC3 records of zone, of one parameter set, that match or cover name and its ancestors up to
 * the first that has one: up to max_age_s past their TTL, as long as they are signed (DESIGN 5 rule 1). 0,
 * CACHE_MISS when no ancestor has one, or -ENOMEM. */
int cache_nsec3_spans(const struct lookup *lookup, const uint8_t *zone, const uint8_t *name,
                      int64_t max_age_s, struct rrset_list *ret_list);
/* The validated NSEC or NSEC3 record of zone, stored after `since`, however old, by which there is no
 * delegation at name (whose parent zone is): the name is absent, or exists without NS. An opt-out span shows
 * nothing of the kind. Few records of before that lie in its span are passed over. 0, CACHE_MISS or -ENOMEM.
 */
int cache_cut_denied(const struct lookup *lookup, const uint8_t *zone, const uint8_t *name, wall_s since,
                     struct cache_rr *ret_rr);
