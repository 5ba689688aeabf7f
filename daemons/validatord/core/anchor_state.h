#pragma once
/* The state machine of RFC 5011 over one trust point's record: what was seen goes in, the record changes,
 * what happened comes out as events. No jobs, no cache: those are anchor.c's.
 *
 *   START -> ADDPEND   a new key with the SEP bit in a set that an anchor in force signed
 *   ADDPEND -> VALID   seen again, so signed, after its hold-down; -> START when a set lacks it, or when all
 *                      keys that vouched for it were revoked (2.2)
 *   VALID <-> MISSING  in the validated set or not: in force either way
 *   any -> REVOKED     the key itself signed a set in which it says so (2.1), for good
 *   REVOKED -> REMOVED not seen for the remove hold-down; remembered, so that it never comes back
 *
 * Time counts only when a signed set is seen, so a clock that is wrong moves nothing by itself: while it is
 * far off no signature is valid. A clock that stepped back lengthens a hold-down, and never shortens one.
 */

#include "common/base/env.h"
#include "common/cache/entry.h"
#include "daemons/validatord/core/signature.h"

#define ANCHOR_HOLD_DOWN_S    (30u * 86400u) /* RFC 5011 2.4.1, 2.4.2 */
#define ANCHOR_INTERVAL_MAX_S (15u * 86400u) /* 2.3 */
#define ANCHOR_RETRY_MAX_S    86400u
#define ANCHOR_WAIT_MIN_S     3600u
#define ANCHOR_PENDING_MAX                                                                                   \
    8u /* at a time: a zone cannot fill the record with keys that are not trusted yet */
#define ANCHOR_EVENTS_MAX (2u * CACHE_ANCHOR_KEYS + 4u)

enum anchor_event_kind {
    ANCHOR_EVENT_BEGUN,      /* no state was kept: what is configured applies */
    ANCHOR_EVENT_DAMAGED,    /* what was kept cannot be read: as above */
    ANCHOR_EVENT_CONFIGURED, /* a key of the configuration is new */
    ANCHOR_EVENT_DROPPED,    /* a key is configured no more, or its trust point is not */
    ANCHOR_EVENT_ADDED,      /* by the operator */
    ANCHOR_EVENT_REMOVED_BY_OPERATOR,
    ANCHOR_EVENT_PENDING,
    ANCHOR_EVENT_PENDING_GONE,
    ANCHOR_EVENT_PENDING_UNWITNESSED,
    ANCHOR_EVENT_VALID,
    ANCHOR_EVENT_MISSING,
    ANCHOR_EVENT_PRESENT,
    ANCHOR_EVENT_REVOKED,
    ANCHOR_EVENT_REMOVED,
    ANCHOR_EVENT_FULL,        /* a new key found no place */
    ANCHOR_EVENT_DELETED,     /* no key is in force any more: the zone is no trust point (RFC 5011 5) */
    ANCHOR_EVENT_REFUSED_SET, /* a refresh brought no set that an anchor in force signed */
};

struct anchor_event {
    enum anchor_event_kind kind;
    uint16_t tag;
    uint8_t algorithm;
    wall_s until; /* PENDING: end of the hold-down */
};

struct anchor_events {
    unsigned count;
    struct anchor_event list[ANCHOR_EVENTS_MAX];
};

/* One key of a DNSKEY RRset. */
struct anchor_seen {
    struct dnskey key;      /* its rdata with the REVOKE bit off, and that one's tag */
    const struct rdata *as; /* as it stands in the RRset */
    bool revoked;           /* it has the REVOKE bit */
    bool self_signed;       /* it signed the RRset */
};

struct anchor_set {
    unsigned count;
    struct anchor_seen seen[SIGNATURE_MAX_KEYS];
    uint32_t ttl_s;  /* original TTL */
    uint32_t life_s; /* left of the signature */
};

struct anchor_rules {
    const struct crypto_ops *crypto;
    struct algorithm_policy algorithms;
    bool updates; /* RFC 5011 is on: keys that came by it count */
};

/* Keys of a DNSKEY RRset, normalised; bytes in the arena where they had to change. 0 or -ENOMEM. */
int anchor_set_from_rrset(struct arena *arena, const struct rrset *rrset, struct anchor_set *ret_set);

/* Is this key the one seen? Digests anew: a tag is no identity. */
bool anchor_is(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_key *key,
               const struct dnskey *seen);
/* A key as the record keeps it, from a DS or DNSKEY. 0; 1: unusable (malformed, an algorithm or digest that
 * is not supported, no zone key, revoked). */
int anchor_key_from_rdata(const struct anchor_rules *rules, const uint8_t *zone, uint16_t type,
                          const struct rdata *rdata, struct anchor_key *ret_key);
/* May it sign the zone's DNSKEY RRset now? */
bool anchor_in_force(const struct anchor_rules *rules, const struct cache_anchor *anchor, unsigned number);
unsigned anchor_count_in_force(const struct anchor_rules *rules, const struct cache_anchor *anchor);
/* The number of a key with this digest, or -1. */
int anchor_find(const struct cache_anchor *anchor, const struct anchor_key *key);
/* Room for one more; a REMOVED key that nobody configures may go for it. The number, or -1. */
int anchor_room(struct cache_anchor *anchor);

/* What was seen at a refresh. `witnesses`: numbers, as bits, of keys in force that signed the set, none of
 * them revoked in it. True: what is in force changed. */
bool anchor_observe(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_set *set,
                    uint32_t witnesses, wall_s now, struct cache_anchor *anchor,
                    struct anchor_events *events);

/* RFC 5011 2.3: seconds until the next refresh is due. */
int64_t anchor_refresh_left_s(const struct cache_anchor *anchor, wall_s now);

void anchor_note(struct anchor_events *events, enum anchor_event_kind kind, const struct anchor_key *key);
