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
#include "daemons/validatord/core/anchor_state.h"
#include "daemons/validatord/core/crypto.h"
#include "daemons/validatord/core/keys.h"

struct val_core;

struct val_anchor {
    uint8_t zone[NAME_MAX];
    uint16_t type; /* TYPE_DS or TYPE_DNSKEY */
    bool builtin;
    struct rdata rdata;
};

struct val_config {
    uint64_t generation;
    bool validate;
    const struct val_anchor *anchors;
    size_t anchor_count;
    bool anchor_updates;                  /* RFC 5011 */
    bool signalling;                      /* RFC 8145, 8509 */
    bool error_reporting;                 /* RFC 9567 */
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
    uint64_t nta_probe_interval_s; /* of NTAs, and the longest back-off of incidents and failures */
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
    VAL_ACTION_EVENT,   /* to the log, and to whoever acts on it */
    VAL_ACTION_ANCHOR,  /* a trust point's record, and what happened to it, for the log. Effective: persisted
                           and synced with a raised epoch, then val_core_anchor_written; else as WRITE */
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
    bool to_referral; /* a referral to qname is the answer */
    /* VERIFY */
    uint64_t verify;
    struct verify_request request;
    /* VERDICT */
    uint64_t client, id;
    const struct answer *answer;
    uint64_t epoch;
    /* WRITE, ANCHOR */
    struct cache_write write;
    /* EVENT */
    const struct val_event *event;
    /* ANCHOR */
    const uint8_t *zone;
    const struct anchor_events *events;
    bool effective, asked; /* asked: by the operator, who waits for the outcome */
};

struct val_event;
struct val_probe_target;

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
 * node; forced: it stays when a probe finds that the zone validates. 0; 1: no such NTA (remove); -ENOMEM;
 * -ENOSPC: a thousand are in force. */
int val_core_nta_add(struct val_core *core, const struct env *env, const uint8_t *name, wall_s expires,
                     bool forced);
/* What had failed when that NTA came, and why (may be NULL): its probe asks for it too. */
void val_core_nta_failures(struct val_core *core, const uint8_t *name, const struct val_probe_target *targets,
                           unsigned count, uint16_t ede, struct slice text);
int val_core_nta_remove(struct val_core *core, const uint8_t *name);

/* Trust anchors that roll (RFC 5011). Once after the start, and after each val_core_configure(): the records
 * of CACHE_ANCHOR are read and set against the configuration: what is newly configured is in force at once,
 * what was revoked stays revoked. Until then the configured anchors are in force as they are. 0 or -errno. */
int val_core_load_anchors(struct val_core *core, const struct env *env, const struct cache_view *view);
/* An effective VAL_ACTION_ANCHOR of this zone was persisted, and the epoch raised; or it could not be. */
void val_core_anchor_written(struct val_core *core, const struct env *env, const struct cache_view *view,
                             const uint8_t *zone, bool kept);
/* The operator's: an effective VAL_ACTION_ANCHOR follows when the outcome is 0. tag < 0: all keys of the
 * zone. force: a revoked key is forgotten. */
enum val_anchor_outcome {
    VAL_ANCHOR_OK = 0,
    VAL_ANCHOR_UNUSABLE = 1,   /* add: malformed, not a zone key, revoked, or nothing we can verify with */
    VAL_ANCHOR_REVOKED = 2,    /* add: the zone revoked it; remove: needs force */
    VAL_ANCHOR_FULL = 3,       /* add: CACHE_ANCHOR_KEYS keys, or ANCHOR_POINTS_MAX zones */
    VAL_ANCHOR_BUSY = 4,       /* a change of this zone's is being written */
    VAL_ANCHOR_UNKNOWN = 5,    /* remove: no such key */
    VAL_ANCHOR_CONFIGURED = 6, /* remove: the configuration or the program has it */
};
int val_core_anchor_add(struct val_core *core, const struct env *env, const struct cache_view *view,
                        const uint8_t *zone, uint16_t type, const struct rdata *rdata);
int val_core_anchor_remove(struct val_core *core, const struct env *env, const struct cache_view *view,
                           const uint8_t *zone, int tag, bool force);
/* Each trust point with its record, and how long until its next refresh (< 0: none is due). 0 or what fn
 * returned. */
struct val_trust_point {
    const uint8_t *zone;
    const struct cache_anchor *record;
    bool in_force[CACHE_ANCHOR_KEYS];
    int64_t refresh_in_s;
};
int val_core_trust_points(const struct val_core *core, const struct env *env,
                          int (*fn)(void *ctx, const struct val_trust_point *point), void *ctx);

struct val_incident;

/* How a zone's trust was found, link by link, for `holdfastctl explain` and EDE texts: calls fn for each zone
 * from the anchor down to the name, from what is in the cache and from the last failure. 0 or what fn
 * returned. */
struct val_link {
    const uint8_t *zone;
    enum security security;
    enum ds_state ds_state;
    struct rrset ds, dnskey; /* count 0: not known */
    wall_s ds_expires, dnskey_expires;
    wall_s ds_validated, dnskey_validated; /* 0: never. Past their expiry they are kept links (DESIGN 5) */
    bool anchor, nta;
    const struct val_incident *incident; /* NULL: none of this zone is open */
    uint16_t ede_code;                   /* EDE_NONE unless this link fails */
    const char *ede_text;
};
int val_core_explain(struct val_core *core, const struct env *env, const struct cache_view *view,
                     const uint8_t *name, int (*fn)(void *ctx, const struct val_link *link), void *ctx);

/* What a probe of a zone's servers found (core/probe.h). */
#define VAL_PROBE_SERVERS 32u /* addresses: two of each of the root's 13, and some */
#define VAL_PROBE_TARGETS 3u  /* RRsets that failed which are asked for again */

enum val_probe_verdict {
    VAL_PROBE_NOT_ASKED = 0,
    VAL_PROBE_VALID = 1,
    VAL_PROBE_INVALID = 2,
    VAL_PROBE_NO_REPLY = 3,
};
enum val_probe_result {
    VAL_PROBE_NEVER = 0,
    VAL_PROBE_ALL = 1,    /* whatever answered is valid */
    VAL_PROBE_SOME = 2,   /* some is */
    VAL_PROBE_NONE = 3,   /* nothing is */
    VAL_PROBE_SILENT = 4, /* nothing answered */
};
enum { VAL_PROBE_UDP = 0, VAL_PROBE_TCP = 1 };

struct val_probe_target {
    uint8_t name[NAME_MAX];
    uint16_t type;
};

struct val_probe_report {
    enum val_probe_result result;
    wall_s at;
    bool keys_good;         /* the DNSKEY set and the DS (or anchor) agree */
    bool transports_differ; /* one server said different things over UDP and TCP */
    bool servers_differ;
    bool contents_differ;    /* not in signatures alone */
    unsigned valid, invalid; /* answers */
    unsigned common_invalid; /* answers about the zone itself, not about what had failed, that are invalid */
    unsigned data_same, data_changed; /* RRsets that fail and are, or are not, what last validated */
    unsigned server_count;
    struct {
        struct address address; /* family 0: whichever recursord found */
        enum val_probe_verdict verdict[2];
    } servers[VAL_PROBE_SERVERS];
    uint16_t ede; /* the most telling reason; EDE_NONE: none */
    uint16_t text_size;
    char text[ANSWER_EDE_TEXT];
};

/* An incident that is open. */
struct val_incident {
    const uint8_t *zone;
    bool degraded;  /* some of it validates */
    bool transport; /* the zone's servers, not its signatures, are what fails */
    wall_s since;
    int64_t next_probe_s; /* seconds until then; 0: now, or under way */
    uint16_t ede;
    struct slice text;
    uint64_t questions, answered_continued, answered_stale, failed, names;
    bool advised;
    const struct val_probe_report *probe; /* the last one */
};
/* Calls fn for each open incident. 0 or what fn returned. */
int val_core_incidents(struct val_core *core, const struct env *env,
                       int (*fn)(void *ctx, const struct val_incident *incident), void *ctx);
/* An operator had remembered failures forgotten, at name or (tree) below it too: until a probe has looked,
 * which it does at once, open incidents there hold nothing back. */
void val_core_incidents_doubt(struct val_core *core, const struct env *env, const uint8_t *name, bool tree);
/* Incidents that were open when the cache was written last: once, at the start. */
int val_core_load_incidents(struct val_core *core, const struct env *env, const struct cache_view *view);
/* How much of the zone's NSEC3 hash space is covered by kept opt-out spans whose signatures hold, in
 * permille: there, names never seen are known to be unsigned delegations or nothing. -1: too many spans to
 * count. */
int val_core_span_permille(struct val_core *core, const struct cache_view *view, const uint8_t *zone,
                           wall_s now);
/* The last probe under an NTA; NULL: there is no such NTA, or no probe yet. *ret_next_s: seconds until the
 * next, -1: none. */
const struct val_probe_report *val_core_nta_report(const struct val_core *core, const struct env *env,
                                                   const uint8_t *name, int64_t *ret_next_s);
/* Children below an NTA that fail their kept DS. */
struct val_nta_child {
    const uint8_t *zone;
    wall_s since;
    uint16_t ede;
    struct slice text;
};
void val_core_nta_children(struct val_core *core, const struct env *env,
                           void (*fn)(void *ctx, const struct val_nta_child *child), void *ctx);
/* Probes the NTA's (or the incident's) zone now. 0; 1: there is neither. */
int val_core_probe(struct val_core *core, const struct env *env, const struct cache_view *view,
                   const uint8_t *name);

/* What the operator should know of: an action, and a line in the log. */
enum val_event_kind {
    VAL_EVENT_INCIDENT_OPENED = 1,
    VAL_EVENT_INCIDENT_CHANGED, /* degraded, or no longer */
    VAL_EVENT_INCIDENT_CLOSED,  /* the shell forgets the failures at and below the zone, and raises the epoch
                                 */
    VAL_EVENT_INCIDENT_PROBED,
    VAL_EVENT_ADVICE,       /* an NTA would help; its use is never automatic (RFC 7646) */
    VAL_EVENT_CHILD_ADVICE, /* below an NTA a child fails its kept DS: it may need an NTA of its own */
    VAL_EVENT_NTA_PROBED,
    VAL_EVENT_NTA_VALID, /* the zone validates, the NTA is not forced: the shell removes it */
};
struct val_event {
    enum val_event_kind kind;
    uint8_t zone[NAME_MAX];
    bool degraded;
    uint16_t ede;
    char text[ANSWER_EDE_TEXT + 1];
    wall_s since;
};

struct val_stats {
    uint64_t probes, incidents_opened, incidents_closed, incidents_open, ntas;
    uint64_t questions, joined, verdicts, secure, insecure, bogus, unreachable, fetches, verifications,
        verifications_failed, budget_spent, renewals, error_reports, running_questions, running_tasks;
};
void val_core_stats(const struct val_core *core, struct val_stats *ret_stats);
