#pragma once
/* validatord's core: jobs. A job answers one client question by looking at the cache, having what is missing
 * fetched, and judging it.
 *
 * Three kinds of object, all in here:
 *   question  one (name, type, CD) that netd asked for; joined by all who ask the same; chases CNAMEs over
 * tasks task      one link: (name, type) without chasing; fetched once, validated, its entries written chain
 * trust of one zone: DS and DNSKEY tasks from an anchor down Pure: events in, actions out, one deadline.
 * Nothing a recursord says is believed without proof; nothing is written to the cache that has not been
 * judged. DESIGN 3.5 to 3.7, 5; RFC 4033-4035, 6840. */

#include "common/base/address.h"
#include "common/base/budget.h"
#include "common/base/env.h"
#include "common/base/siphash.h"
#include "common/cache/lookup.h"
#include "daemons/validatord/core/crypto.h"
#include "daemons/validatord/core/keys.h"

struct val_core;

struct val_anchor {
    uint8_t zone[NAME_MAX];
    uint16_t type; /* TYPE_DS or TYPE_DNSKEY */
    struct rdata rdata;
};

struct val_config {
    uint64_t generation;
    bool validate;
    const struct val_anchor *anchors;
    size_t anchor_count;
    const uint8_t *const *insecure_zones; /* local policy */
    size_t insecure_zone_count;
    const uint8_t *const *forward_zones; /* apexes; kept delegations do not apply below them */
    size_t forward_zone_count;
    const uint8_t *const *apart_zones; /* of forward and stub zones: denials from above do not apply */
    size_t apart_zone_count;
    struct algorithm_policy algorithms;
    bool aggressive_denial;
    uint16_t nsec3_iterations;
    uint32_t min_ttl_s, max_ttl_s;
    struct stale_rule stale; /* where stale data may be given at all */
    int64_t stale_max_age_s;
    uint32_t stale_answer_ttl_s, stale_recheck_s;
    int64_t delegation_max_age_s;
    uint64_t nta_lifetime_s, nta_max_lifetime_s;
    /* clock_override is applied by the shell: env->wall already is the overridden time */
};

/* Event: netd's question. Everything is copied. */
struct val_question {
    uint64_t client; /* whom to answer: opaque to the core, returned in the verdict */
    uint64_t id;     /* netd's */
    const uint8_t *qname;
    uint16_t qtype;
    bool checking_disabled, refresh;
    struct budget budget;
};

/* Event: what recursord sent for a fetch of ours. Nothing in it is trusted. */
struct val_evidence {
    uint64_t fetch;
    unsigned kind; /* 1 referral, 2 answer */
    const uint8_t *cut;
    struct address server;
    unsigned transport;
    struct slice message;
    bool forwarded;
};

struct val_done {
    uint64_t fetch;
    unsigned outcome; /* enum rec_outcome of recursord's core */
    uint32_t upstream_used, bytes_used;
    uint16_t ede_code;
    struct slice ede_text;
};

enum val_action_kind {
    VAL_ACTION_FETCH, /* to recursord */
    VAL_ACTION_CANCEL,
    VAL_ACTION_VERIFY,  /* to a worker thread; bytes valid until val_core_verified or val_core_free */
    VAL_ACTION_VERDICT, /* to netd */
    VAL_ACTION_WRITE,   /* to the writer and, at once, into the overlay */
};

struct val_action {
    enum val_action_kind kind;
    /* FETCH, CANCEL */
    uint64_t fetch;
    const uint8_t *qname;
    uint16_t qtype;
    const uint8_t *cut;      /* NULL: recursord's own knowledge */
    struct slice delegation; /* DNS message */
    struct budget budget;
    const struct address *avoid;
    size_t avoid_count;
    const struct address *only; /* NULL, or the one server to ask */
    bool only_tcp;
    /* VERIFY */
    uint64_t verify;
    struct verify_request request;
    /* VERDICT */
    uint64_t client, id;
    const struct answer *answer;
    uint64_t epoch;
    /* WRITE */
    struct cache_write write;
};

struct val_core *val_core_new(const struct val_config *config, const struct crypto_ops *crypto,
                              const struct siphash_key *hash_key);
void val_core_free(struct val_core *core);
int val_core_configure(struct val_core *core, const struct val_config *config);

/* Events. `view` is the cache as it is now, overlay included, valid during the call (and the draining of
 * actions that follows it). 0 or -errno. */
int val_core_resolve(struct val_core *core, const struct env *env, const struct cache_view *view,
                     const struct val_question *question);
int val_core_evidence(struct val_core *core, const struct env *env, const struct cache_view *view,
                      const struct val_evidence *evidence);
int val_core_done(struct val_core *core, const struct env *env, const struct cache_view *view,
                  const struct val_done *done);
int val_core_verified(struct val_core *core, const struct env *env, const struct cache_view *view,
                      uint64_t verify, enum verify_outcome outcome);
/* recursord primed the root: vets and keeps the delegation. */
int val_core_primed(struct val_core *core, const struct env *env, const struct cache_view *view,
                    struct slice message);
/* A peer is gone: fetches end as unreachable (and are asked again when budget allows after reconnect) /
 * questions of that client are forgotten. */
int val_core_recursord_lost(struct val_core *core, const struct env *env, const struct cache_view *view);
int val_core_client_lost(struct val_core *core, const struct env *env, uint64_t client);
int val_core_tick(struct val_core *core, const struct env *env, const struct cache_view *view);
mono_ns val_core_deadline(const struct val_core *core);
bool val_core_next_action(struct val_core *core, struct val_action *ret_action);

/* The epoch: raised by the shell after a flush, NTA or anchor change was persisted. Running questions are
 * judged again. */
void val_core_set_epoch(struct val_core *core, uint64_t epoch);

/* NTAs in force: config's and operator's. The shell persists (CACHE_NTA) and tells the core. name is the
 * node. 0; 1: no such NTA (remove); -ENOMEM; -ENOSPC: a thousand are in force. */
int val_core_nta_add(struct val_core *core, const uint8_t *name, wall_s expires);
int val_core_nta_remove(struct val_core *core, const uint8_t *name);

/* How a zone's trust was found, link by link, for `holdfastctl explain` and EDE texts: calls fn for each zone
 * from the anchor down to the name, from what is in the cache and from the last failure. 0 or what fn
 * returned. */
struct val_link {
    const uint8_t *zone;
    enum security security;
    enum ds_state ds_state;
    struct rrset ds, dnskey; /* count 0: not known */
    wall_s ds_expires, dnskey_expires;
    bool anchor, nta;
    uint16_t ede_code; /* EDE_NONE unless this link fails */
    const char *ede_text;
};
int val_core_explain(struct val_core *core, const struct env *env, const struct cache_view *view,
                     const uint8_t *name, int (*fn)(void *ctx, const struct val_link *link), void *ctx);

struct val_stats {
    uint64_t questions, joined, verdicts, secure, insecure, bogus, unreachable, fetches, verifications,
        verifications_failed, budget_spent, running_questions, running_tasks;
};
void val_core_stats(const struct val_core *core, struct val_stats *ret_stats);
