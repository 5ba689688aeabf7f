#pragma once
/* Inside of the job engine: the objects and what its files offer to each other. Not for anybody else.
 *
 *   question --waits for--> task --waits for--> zone --waits for--> zone (strictly above)
 *
 * Every object is a job: it is run until it has to wait, and run again when what it waits for has moved. A
 * run looks at the facts anew (level, not edge), so no event can come at a wrong moment. Zones wait only for
 * names strictly above their own, tasks only for zones, questions only for tasks: there is no cycle. */

#include "common/base/list.h"
#include "common/wire/message.h"
#include "daemons/validatord/core/anchor.h"
#include "daemons/validatord/core/denial.h"
#include "daemons/validatord/core/error_report.h"
#include "daemons/validatord/core/signature.h"
#include "daemons/validatord/core/validator.h"

/* Caps on what clients and servers can fill. Over a cap a question is SERVFAIL at once. */
#define VAL_QUESTIONS_MAX 4096u /* running at once: ten times what a busy resolver has open, 10 s each */
#define VAL_JOBS_MAX      32768u
#define VAL_CLIENTS_MAX   4096u  /* that wait for one question; THREATS: DNSBomb */
#define VAL_WAITING_MAX   65536u /* that wait for any */
#define VAL_NTA_MAX       1024u

#define QUESTION_ARENA_BYTES (1024u * 1024u)
#define TASK_ARENA_BYTES     (4096u * 1024u)
#define ZONE_ARENA_BYTES     (4096u * 1024u)
#define PROBE_ARENA_BYTES    (16384u * 1024u) /* PROBE_BYTES of evidence, and what is read out of it */

#define FETCH_TRIES      3u  /* one, and two more at other servers when what came does not validate */
#define FETCH_LINK_TRIES 8u  /* of a DS or DNSKEY: in 2026 a third of .de's signatures were good */
#define FETCH_LOST_TRIES 40u /* after recursord went away; while the question's time lasts */
#define FETCH_LOST_MS    250u
#define SECTION_RRSETS   200u /* of one section that are looked at */
#define PROOF_RRSETS     (DENIAL_MAX_NSEC3 + 4u)
#define RRSET_SIGNATURES 8u /* kept and given out: one per key that signs; THREATS: CacheFlush */
#define WAIT_NONE        0
#define WAIT_MORE        1 /* outcome of a step: it waits for something */

#define NEGATIVE_TTL_MAX_S 3600u /* DESIGN 4 */
#define FAILURE_FIRST_S    5u    /* RFC 9520 3.2 */
#define FAILURE_MAX_S      300u
#define FAILURE_BUDGET_S   30u   /* THREATS: a spent budget is remembered for at most that */
#define LINGER_TASK_MS     100u  /* a finished task is kept for those who ask in the same moment */
#define LINGER_BAD_MS      5000u /* one with bytes that did not validate, for CD=1: DESIGN 5 "CD" */
#define LINGER_ZONE_MS     1000u /* a zone at rest: saves decoding its record for each question */
#define LINGER_LONE_MS     100u /* one that a single question asked for, and whose record says all it knows */
#define LINGER_JOBS        4096u /* with more jobs than this nothing lingers */

/* Continuity, DESIGN 5 rule 1. */
#define KEPT_PATIENCE_MS                                                                                     \
    1200u /* of a parent that is silent; a fresh answer still comes within netd's timer of 1.8 s */
#define KEPT_PATIENCE_LEAST_MS 300u /* of one asked late */
#define UNPROVEN_TTL_MAX_S     900u /* a delegation that nobody proved */

enum job_kind { JOB_QUESTION = 0, JOB_TASK = 1, JOB_ZONE = 2, JOB_PROBE = 3, JOB_ANCHOR = 4 };

/* What a question may spend; shared by everything that works for it. */
struct purse {
    unsigned refs;
    mono_ns since;
    struct budget budget;
};

/* Why something failed: the most telling cause, with its text. */
struct failure {
    uint16_t ede; /* EDE_NONE: nothing failed */
    bool budget;  /* a limit was reached */
    bool transport;
    uint8_t labels; /* of a walk: labels of the name whose DS could not be settled */
    uint16_t text_size;
    char text[ANSWER_EDE_TEXT];
};

struct job {
    enum job_kind kind;
    unsigned refs; /* waiters, fetches, checks and actions that point here */
    bool finished, unlinked, queued, timer_set;
    uint64_t epoch;
    uint64_t hash;
    struct list table_node; /* bucket of the job table */
    struct list ready_node;
    struct list waiters; /* wait_node of those who wait for this one */
    struct list wait_node;
    struct job *waits_for;
    size_t timer_index; /* in the heap */
    mono_ns timer;
    struct purse *purse;
    struct arena *arena;
    uint8_t name[NAME_MAX];
    uint16_t type;
    bool checking_disabled; /* questions only */
};

/* What trust rests on, from the anchor down to a zone. */
struct chain {
    wall_s expires;      /* the least signature expiry that is still ahead; 0: none known */
    wall_s ends;         /* when the first kept link may no longer be used; 0: none is kept */
    bool lapsed;         /* a link is past its signature: no AD */
    bool continued;      /* a kept link is among them */
    bool delegation;     /* of the zone with the kept link a delegation is kept: no other counts */
    uint8_t labels;      /* of that zone */
    struct failure kept; /* EDE 3: which link, how old, and why the parent fails */
};

/* One RRset list checked in order against one zone's keys. */
struct judge {
    const struct rrset_list *list;
    wall_s *expires;    /* signature expiry of each that is good */
    wall_s *inceptions; /* and when it was signed */
    uint32_t index;
    const uint8_t *zone;
    const struct rrset *dnskey;
    bool all_needed; /* the first that fails ends it */
    bool trying;
    struct signature_try try;
    const struct rdata *only_key;
    bool by_revoked; /* a key that says it is revoked counts: for that very statement (RFC 5011 2.1) */
    uint64_t verify; /* running check, 0: none */
    struct list verify_node; /* bucket of the table of running checks */
    struct job *verify_job;  /* held until the check is answered: its bytes are in this arena */
    bool answered;
    enum verify_outcome outcome;
    uint32_t bad;
    struct failure failure;
};

/* A fetch of a job's own. */
struct fetch {
    struct list node; /* bucket of the fetch table, when id != 0 */
    uint64_t id;
    struct job *owner;
    struct purse *purse;
    uint16_t type;
    const uint8_t *name;        /* NULL: the owner's */
    const struct address *only; /* NULL, or the one server of only_zone that is asked: a probe's */
    const uint8_t *only_zone;
    bool only_tcp;
    bool to_referral;  /* with type DS: asks its parent for the referral, which has NS and glue too */
    uint32_t reserved; /* upstream queries taken from the purse meanwhile */
    unsigned tries, lost;
    bool running, again, answered, done, restart;
    bool asked; /* recursord was */
    struct address avoid[FETCH_LINK_TRIES], server;
    unsigned avoid_count;
    struct slice message;
    uint8_t cut[NAME_MAX];
    bool forwarded;
    unsigned outcome;
    struct failure failure;
    uint8_t from_labels;    /* of the cut it was sent from */
    uint8_t reached_labels; /* of the deepest cut that a referral led to */
    uint8_t kept_labels;    /* != 0: starts at the kept delegation of that ancestor */
    struct failure kept_why;
    wall_s kept_expires; /* of that delegation */
    mono_ns kept_at;     /* when a silent parent is given up for what is kept; 0: never */
};

enum finding_kind {
    FINDING_GARBAGE = 0,
    FINDING_POSITIVE = 1,
    FINDING_CNAME = 2,
    FINDING_DNAME = 3,
    FINDING_NODATA = 4,
    FINDING_NXDOMAIN = 5,
};

/* What one message says about one (name, type), scrubbed to the answering zone. */
struct finding {
    enum finding_kind kind;
    uint16_t rcode;
    struct rrset_list main;      /* one RRset: the answer, the CNAME, the DNAME; negative: the SOA, if any */
    struct rrset_list proof;     /* NSEC and NSEC3 RRsets of the authority section */
    const uint8_t *target;       /* of the CNAME or DNAME; NULL: the substitution is too long */
    struct slice report_channel; /* RFC 9567: the option's value, in the message */
    bool target_here;            /* the message speaks about the target too, inside the same cut */
    const uint8_t *cut;
};

/* What a parent says about a DS at a name. */
struct statement {
    bool present;
    const uint8_t *signer;  /* of what is signed in it; NULL: nothing usable is */
    struct rrset_list list; /* the DS; or SOA, NSEC, NSEC3; or a CNAME or DNAME instead */
    enum finding_kind kind; /* POSITIVE: a DS; CNAME, DNAME: no cut; else a denial */
    bool soa_unsigned; /* a denial whose SOA has no RRSIG: signatures are what is missing, not the proof */
    struct address server;
};

enum zone_ds {
    ZONE_DS_UNKNOWN = 0,
    ZONE_DS_SECURE = 1,
    ZONE_DS_INSECURE = 2,
    ZONE_DS_NOT_A_CUT = 3,
    ZONE_DS_FAILED = 4,
};

/* The type in the job table of a zone's renewal; the zone's own job has 0. */
#define ZONE_RENEWAL 1u

enum ds_step { DS_BEGIN = 0, DS_FETCH = 1, DS_WALK = 2, DS_TRUST = 3, DS_VERIFY = 4, DS_KEPT = 5 };
enum kept_step { KEPT_BEGIN = 0, KEPT_PROOF = 1, KEPT_SPANS = 2 };
enum key_step { KEY_BEGIN = 0, KEY_FETCH = 1, KEY_VERIFY = 2 };

/* The delegation that the referral at hand offers, and what it shows of a DS, validated or not. */
struct offer {
    bool present, ds_shown;
    struct rrset ns;
    struct rrset_list glue;
    struct address server;
    const uint8_t *from; /* the zone whose server gave it */
};

/* Trust of one zone, and what is known of its cut. */
struct zone {
    struct job job;        /* name: the zone's */
    struct cache_zone rec; /* in the job's arena */
    bool want_trust, want_ds, changed;
    bool asked_again;                 /* by another question than the one it was made for */
    bool renew_ds, renew_keys;        /* a renewal: what the record has of these counts as missing (warm.c) */
    bool renewed_delegation;          /* by the referral that a renewal had asked for */
    struct failure failure, insecure; /* insecure: why, as EDE; EDE_NONE: an ordinary unsigned delegation */
    enum zone_ds ds;
    bool ds_done;
    enum ds_step ds_step;
    struct statement statement;
    struct fetch ds_fetch;
    struct judge judge;
    struct rrset_list checked; /* what of the statement the signer signed */
    struct zone *signer;       /* held while its keys are used */
    enum security trust;       /* when trust_done; BOGUS: failure says why; INDETERMINATE: not a zone */
    bool trust_done;
    enum key_step key_step;
    struct fetch key_fetch;
    struct rrset_list key_set; /* the DNSKEY RRset as fetched */
    struct rrset key_points;   /* DS records that the keys are held against */
    unsigned key_next;         /* number of the next pair of trust point and key */
    bool key_trying, key_matched;
    struct judge key_judge;
    bool keys_kept;     /* good for what it says of its cuts; failure says why they are all there is */
    struct chain chain; /* up to the DS while trust is not done */
    struct offer offer;
    bool renews_delegation; /* the DS is known; what is judged is the referral */
    enum kept_step kept_step;
    struct rrset_list kept_list; /* the kept proof that is judged */
    struct failure kept_why;
    bool unwritten;           /* the DS in rec rests on the parent's kept keys: it is used, and not written */
    bool unwritten_same;      /* it equals the one in the record */
    struct cache_zone record; /* then: what is written */
};

enum task_step {
    TASK_BEGIN = 0,
    TASK_FETCH = 1,
    TASK_SIGNER = 2,
    TASK_TRUST = 3,
    TASK_WALK = 4,
    TASK_VERIFY = 5,
    TASK_PROOF = 6,
};

/* One link of an answer. */
struct task {
    struct job job;
    enum task_step step;
    struct fetch fetch;
    bool preloaded; /* the finding came with another link's message */
    struct finding finding;
    const uint8_t *signer;
    struct zone *zone; /* the signer's, held while its keys are used */
    struct rrset_list checked;
    bool proof_needed; /* the answer was expanded from a wildcard */
    struct judge judge;
    /* the outcome */
    bool good;
    enum security security;
    bool authentic;
    uint32_t ttl;
    wall_s signature_expires;
    uint32_t original_ttl;
    struct failure failure, insecure;
    struct chain chain;
    struct rrset_list proof; /* NSEC and NSEC3 that go with the answer, validated */
};

/* The refresh of a trust point; type 0: it only carries the bytes of an action. */
enum anchor_step { ANCHOR_FETCH = 0, ANCHOR_CHECK = 1 };

struct anchor_job {
    struct job job; /* name: the zone's */
    enum anchor_step step;
    struct fetch fetch;
    struct rrset_list keys; /* the DNSKEY RRset as fetched */
    struct anchor_set set;
    unsigned next; /* of its keys to be looked at */
    bool trying, self_signed;
    uint32_t numbers, witnesses;
    struct judge judge;
};

struct client {
    uint64_t client, id;
};

struct question {
    struct job job;
    struct client *clients; /* an array that grows */
    unsigned client_count, client_room;
    bool refresh, restarted, cd_bytes;
    struct task *task;             /* the running link, held */
    const uint8_t *current;        /* the name that is asked for now */
    struct answer answer, refusal; /* refusal: for clients beyond the cap */
    unsigned steps;
};

struct action {
    struct list node;
    struct val_action action;
    struct job *job;         /* NULL, or held until the shell asks for the next action */
    struct val_event *event; /* NULL, or the action's own */
};

struct nta {
    struct list node;
    uint8_t name[NAME_MAX];
    wall_s expires;
    bool forced;
    mono_ns next_probe;
    bool probing;
    unsigned target_count;
    struct val_probe_target targets[VAL_PROBE_TARGETS];
    struct failure why; /* for which it was added, as far as that is known */
    struct val_probe_report report;
};

#define TABLE_BUCKETS 4096u /* a power of two */
#define WARM_SLOTS    1024u /* zones in use at once, about: sharing one delays a look by a second */

struct val_core {
    struct val_config config; /* deep copy in config_arena */
    struct arena *config_arena;
    const struct crypto_ops *crypto;
    struct siphash_key hash_key;
    uint64_t epoch, next_id;
    const struct env *env;         /* during an event */
    const struct cache_view *view; /* during an event */
    struct list jobs[TABLE_BUCKETS], fetches[TABLE_BUCKETS], verifies[TABLE_BUCKETS];
    struct list ready, actions, ntas;
    unsigned nta_count;
    struct incidents *incidents; /* incident.c */
    struct arena *scratch;       /* of one look at a record */
    mono_ns next_probe;          /* the earliest of all NTAs and incidents */
    size_t job_count, question_count, task_count, waiting_count;
    struct job **heap;
    size_t heap_count, heap_room;
    struct anchors anchors;
    struct action *given; /* the action whose bytes the shell may be looking at */
    struct val_stats stats;
    mono_ns warm[WARM_SLOTS];       /* when the zones of a slot are looked at next */
    struct nta_child *nta_children; /* nta_child.c; NULL: none yet */
    unsigned warm_running;
    struct agent_slot agents[AGENT_SLOTS];
    struct report_window reports;
};

static inline struct question *job_question(struct job *job)
{
    return CONTAINER_OF(job, struct question, job);
}
static inline struct task *job_task(struct job *job)
{
    return CONTAINER_OF(job, struct task, job);
}
static inline struct zone *job_zone(struct job *job)
{
    return CONTAINER_OF(job, struct zone, job);
}

static inline struct anchor_job *job_anchor(struct job *job)
{
    return CONTAINER_OF(job, struct anchor_job, job);
}

/* job.c: life of jobs. */
struct job *val_job_find(struct val_core *core, enum job_kind kind, const uint8_t *name, uint16_t type,
                         bool cd);
/* A new one, in the table and queued. NULL: no memory, or over a cap. purse is shared. */
struct job *val_job_new(struct val_core *core, enum job_kind kind, const uint8_t *name, uint16_t type,
                        bool cd, struct purse *purse);
void val_job_ready(struct val_core *core, struct job *job);
void val_job_wake_waiters(struct val_core *core, struct job *job);
void val_job_wait(struct job *job, struct job *on);
void val_job_hold(struct job *job);
void val_job_release(struct val_core *core, struct job *job);
/* It goes after linger_ms, or sooner when there are many. */
void val_job_linger(struct val_core *core, struct job *job, uint64_t linger_ms);
/* Finished: wakes who waits, and stays in the table for linger_ms. */
void val_job_finish(struct val_core *core, struct job *job, uint64_t linger_ms);
void val_job_unlink(struct val_core *core, struct job *job);
struct purse *purse_new(const struct budget *budget);
void purse_release(struct purse *purse);
/* Runs whatever is ready until nothing is. */
void val_core_run(struct val_core *core);
struct lookup val_core_lookup(struct val_core *core, struct arena *arena, struct purse *purse);

/* timer.c: one deadline a job, in a heap. 0 or -ENOMEM. */
int val_timer_reserve(struct val_core *core);
void val_timer_set(struct val_core *core, struct job *job, mono_ns when);
void val_timer_clear(struct val_core *core, struct job *job);

/* action.c. job (may be NULL) is held while the action waits. NULL: no memory. */
struct action *val_action_new(struct val_core *core, enum val_action_kind kind, struct job *job);
/* why may be NULL. Without memory nobody is told, and nothing else is lost. */
void val_event(struct val_core *core, enum val_event_kind kind, const uint8_t *zone,
               const struct failure *why, bool degraded, wall_s since);
void val_action_drop_given(struct val_core *core);

/* nta.c: which rule governs a name. */
enum governed { GOVERNED_ANCHOR = 0, GOVERNED_INSECURE = 1, GOVERNED_NONE = 2, GOVERNED_NTA = 3 };
/* *ret_labels: of the zone of the rule; with GOVERNED_ANCHOR it may be one whose DS is kept below an NTA. */
/* What validates at this name does so by a DS that is kept below an NTA: no AD (DESIGN 5, "NTA"). */
bool policy_is_kept_below_nta(const struct val_core *core, const uint8_t *name);
bool policy_has_anchor(const struct val_core *core, const uint8_t *zone);
enum governed policy_governs(const struct val_core *core, const uint8_t *name, unsigned *ret_labels);
/* Starts the probes that are due; and when the next one is. */
void val_ntas_tick(struct val_core *core);
mono_ns val_ntas_next(const struct val_core *core);
void val_nta_probed(struct val_core *core, const uint8_t *name, const struct val_probe_report *report);
/* Why a name is not validated: EDE 33, the NTA's node, and the cause it was added for. */
void val_nta_reason(const struct val_core *core, const uint8_t *name, struct failure *ret_why);
/* 0; 1: there is none. */
int val_nta_probe_now(struct val_core *core, const uint8_t *name);

/* evidence.c */
int finding_make(struct arena *arena, struct slice wire, const uint8_t *qname, uint16_t qtype,
                 const uint8_t *cut, struct finding *ret_finding);
/* The signer of a list's RRsets: the deepest in its RRSIGs that is under cut and above (strict: strictly)
 * name. */
const uint8_t *evidence_signer(const struct rrset_list *list, const uint8_t *name, bool strict,
                               const uint8_t *cut);
/* Keeps the first NSEC and NSEC3 RRsets that zone signed. 0 or -ENOMEM. */
int evidence_signed_by(struct arena *arena, const struct rrset_list *list, const uint8_t *zone,
                       struct rrset_list *ret_list);

/* referral.c */
struct referral {
    const uint8_t *child;
    struct rrset ns;
    struct rrset_list glue;
    struct statement statement;
    struct slice report_channel;
};
/* 0; 1: not a referral for qname from this cut; -ENOMEM. */
int referral_make(struct arena *arena, struct slice wire, const uint8_t *qname, uint16_t qtype,
                  const uint8_t *cut, struct referral *ret_referral);
void statement_from_finding(const struct finding *finding, const uint8_t *name,
                            struct statement *ret_statement);

/* judge.c */
void val_judge_begin(struct judge *judge, const struct rrset_list *list, const uint8_t *zone,
                     const struct rrset *dnskey, bool all_needed);
/* WAIT_NONE: ended (judge->bad counts failures, items' security is set), WAIT_MORE, -ENOMEM. */
int val_judge_run(struct val_core *core, struct job *job, struct judge *judge);
void val_judge_verified(struct val_core *core, uint64_t verify, enum verify_outcome outcome);

/* deny.c: proofs over the RRsets that were judged secure. */
struct denial deny_context(struct val_core *core, struct job *job, const uint8_t *zone,
                           const struct rrset_list *list);
int deny_good_only(struct arena *arena, const struct rrset_list *list, struct rrset_list *ret_list);

/* fetch.c */
/* A parent that is silent for too long while something is kept: goes on from what is kept. */
void val_fetch_hurry(struct val_core *core, struct fetch *fetch);
/* The timer of a job that fetches. */
mono_ns val_fetch_deadline(const struct fetch *fetch);
/* The way through the parents led nowhere: starts anew from a kept delegation below them. False: there is
 * none that was not tried. */
bool val_fetch_detour(struct val_core *core, struct fetch *fetch, struct job *owner);
/* 0; 1: the budget does not allow it; -ENOMEM. */
int val_fetch_start(struct val_core *core, struct fetch *fetch, struct job *owner, uint16_t type);
/* Starts what is not started. WAIT_NONE: answered; WAIT_MORE; FETCH_FAILED: fetch->failure says why; -ENOMEM.
 */
#define FETCH_FAILED 2
int val_fetch_step(struct val_core *core, struct fetch *fetch, struct job *owner, uint16_t type);
/* What came does not do: the next fetch_step asks again, other servers first. False: no tries left. */
bool val_fetch_retry(struct fetch *fetch);
/* The answer of another job's fetch for the same serves this one, if it is not under way yet. 0 or -ENOMEM.
 */
int val_fetch_share(struct fetch *fetch, struct job *owner, const struct fetch *from);
void val_fetch_avoid(struct fetch *fetch, const struct address *server);
void val_fetch_cancel(struct val_core *core, struct fetch *fetch);
struct fetch *val_fetch_find(struct val_core *core, uint64_t id);
void val_fetch_evidence(struct val_core *core, struct fetch *fetch, const struct val_evidence *evidence);
void val_fetch_done(struct val_core *core, struct fetch *fetch, const struct val_done *done);
void val_fetch_lost(struct val_core *core, struct fetch *fetch);
void val_fetch_resume(struct val_core *core, struct fetch *fetch);

/* zone.c, keys of a zone in zone_keys.c, its DS in zone_ds.c, the walk in walk.c */
struct zone *val_zone_get(struct val_core *core, const uint8_t *name, struct purse *purse);
int val_zone_run(struct val_core *core, struct zone *zone);
/* The record as the cache has it, into the job's arena. 0 or -ENOMEM. */
int val_zone_load(struct val_core *core, struct zone *zone);
/* The cached DS state becomes the job's. */
void val_zone_ds_from_record(struct zone *zone);
int val_zone_ds_run(struct val_core *core, struct zone *zone);
/* Does a DS of the set name this key of the zone? */
bool val_ds_names_key(struct val_core *core, const uint8_t *zone, const struct rrset *set,
                      const struct rdata *rdata);
int val_zone_keys_run(struct val_core *core, struct zone *zone);
void val_zone_store(struct val_core *core, struct zone *zone);
void val_zone_fail(struct val_core *core, struct zone *zone, const struct failure *why);
/* A referral to the zone was seen by a fetch. 0 or -ENOMEM. */
int val_zone_referred(struct val_core *core, struct job *by, struct slice wire, struct fetch *fetch,
                      const uint8_t *cut, const struct address *server);

/* Beside a CNAME may stand the proof that its target lies below an unsigned delegation: offered to that zone,
 * as a referral's would be. 0 or -ENOMEM. */
int val_zone_shown(struct val_core *core, struct task *task);

/* Remembers whether a statement, validated or not, shows that the zone has a DS. */
void val_zone_note_ds(struct val_core *core, struct zone *zone, const struct statement *statement);
/* The delegation that was offered is the parent's word (proven), or lies beside what is kept, or goes. */
void val_zone_settle_offer(struct val_core *core, struct zone *zone, bool proven);

enum fit { FIT_YES = 0, FIT_WAIT = 1, FIT_NO = 2 };
/* May signer have signed what owner has? It must be at or below the anchor, with no cut that is known to be
 * secure below it and at or above the ancestor of owner with so many labels. */
enum fit val_signer_fits(struct val_core *core, struct job *job, const uint8_t *owner, unsigned labels,
                         const uint8_t *signer, unsigned anchor_labels);

enum walk_outcome { WALK_SECURE = 0, WALK_WAIT = 1, WALK_INSECURE = 2, WALK_FAILED = 3 };
/* Is name inside a chain of trust? Top-down DS look-ups; known_only: from what is known or under way alone.
 */
enum walk_outcome val_walk(struct val_core *core, struct job *job, const uint8_t *name, bool known_only,
                           struct failure *ret_why, struct chain *ret_chain);

/* warm.c. A task was judged secure by this zone's keys: is a part of its chain due? by: whose arena may be
 * used.
 */
void val_warm_used(struct val_core *core, struct job *by, const uint8_t *zone);
/* The zone's parent is asked for its DS, behind: what comes is judged and kept as ever, and what fails takes
 * nothing away. */
void val_warm_ask(struct val_core *core, const uint8_t *zone);
/* What came for a renewal that asked for the referral to its zone: the offer and the statement are the
 * zone's. 0; 1: it is no such referral; -ENOMEM. */
int val_warm_take_referral(struct val_core *core, struct zone *zone);
/* A renewal is about to write: what others wrote meanwhile of the delegation stays. */
void val_warm_merge(struct val_core *core, struct zone *zone);
/* A renewal has nothing left to do. */
void val_warm_end(struct val_core *core, struct zone *zone);

/* task.c, its judgement in task_judge.c */
struct task *val_task_get(struct val_core *core, const uint8_t *name, uint16_t type, struct purse *purse);
int val_task_run(struct val_core *core, struct task *task);
int val_task_judge(struct val_core *core, struct task *task);
void val_task_finish(struct val_core *core, struct task *task, enum security security);
void val_task_fail(struct val_core *core, struct task *task, const struct failure *why);
int val_task_reject(struct val_core *core, struct task *task, const struct failure *why);

/* entries.c: what is written. Failures to write lose nothing but the entry. */
void val_entries_positive(struct val_core *core, struct task *task);
void val_entries_negative(struct val_core *core, struct task *task);
/* expires: signature expiry of each; chain_expires: the least of the links that the zone's keys rest on, 0:
 * none is known. */
void val_entries_denials(struct val_core *core, struct job *job, const uint8_t *zone,
                         const struct rrset_list *proof, const wall_s *expires, wall_s chain_expires);
void val_entries_put(struct val_core *core, struct job *job, enum cache_db db, const struct cache_key *key,
                     struct slice value);
void val_entries_remove(struct val_core *core, struct job *job, enum cache_db db,
                        const struct cache_key *key);

/* failure.c */
void val_failure_set(struct failure *failure, uint16_t ede, const char *text);
/* "<owner> <TYPE>: <what for the EDE> by key tag N" */
void val_failure_rrset(struct failure *failure, uint16_t ede, const uint8_t *owner, uint16_t type,
                       uint16_t key_tag);
void val_failure_better(struct failure *failure, const struct failure *other);
/* The longest that a failure keeps a question back: the probe interval, 5 min at most (RFC 9520). */
int64_t val_failure_longest_s(const struct val_core *core);
void val_failure_remember(struct val_core *core, struct job *job, uint16_t type, const struct failure *why);
void val_failure_forget(struct val_core *core, struct job *job, const uint8_t *name, uint16_t type);
/* What could not be reached lies below a zone whose DS or keys are remembered as bogus: then that is why. */
void val_failure_above(struct val_core *core, struct job *job, struct failure *failure);
/* Is one remembered, unexpired? */
bool val_failure_known(struct val_core *core, struct arena *arena, const uint8_t *name, uint16_t type,
                       struct failure *ret_failure);

/* question.c, verdict.c */
int val_question_run(struct val_core *core, struct question *question);
void val_question_fail(struct val_core *core, struct question *question, const struct failure *why);
void val_question_timeout(struct val_core *core, struct question *question);
void verdict_start(struct answer *answer);
void verdict_send(struct val_core *core, struct question *question);
/* SERVFAIL at once to a client for whom there is no room. */
void verdict_refuse(struct val_core *core, struct question *question, const struct client *client);
/* The link of a finished task appended to the answer. 0 or -ENOMEM. */
int verdict_append(struct val_core *core, struct question *question, const struct task *task, bool raw);
int verdict_merge(struct question *question, const struct answer *part);
void verdict_add_failure(struct answer *answer, const struct failure *failure);
