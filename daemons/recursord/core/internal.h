#pragma once
/* What the files of recursord's core share. A task is one walk: validatord's fetch, the look-up of a name
 * server's address (a sub-fetch), or priming. A task asks one server at a time (an exchange) at one zone cut,
 * and moves down by referrals. Tasks that can go on are in `ready`; every event ends by stepping those, so
 * nothing recurses. */

#include "common/base/list.h"
#include "daemons/recursord/core/recursor.h"
#include "daemons/recursord/core/table.h"
#include "daemons/recursord/core/timers.h"

#define REC_MAX_FETCHES   4096u     /* running ones of validatord's; netd's caps are below it */
#define REC_MAX_TASKS     12288u    /* with their sub-fetches */
#define REC_MAX_NS        13u       /* THREATS: NRDelegation */
#define REC_MAX_SERVERS   32u       /* addresses of one cut that are used */
#define REC_NS_ADDRESSES  4u        /* of one NS name and family */
#define REC_MAX_LOOKUPS   5u        /* THREATS: NXNSAttack, a referral */
#define REC_MAX_SUBTASKS  24u       /* address look-ups of one fetch, whatever the nesting */
#define REC_MAX_DEPTH     6u        /* of sub-fetches for sub-fetches */
#define REC_MAX_ALIASES   3u        /* of one NS name; more than one is seen nowhere */
#define REC_SILENCE_MS    4500u     /* waited for replies that did not come, in one task */
#define REC_OLD_CUT_MS    2000u     /* of it, at a delegation that may be an old one */
#define REC_GONE_MS       1400u     /* of it, when all servers of the cut are known to be quicker than that */
#define REC_MAX_TRIES     3u        /* a server, transport and question */
#define REC_MAX_CUT_TRIES 16u       /* questions at one cut without an answer; THREATS: NRDelegation */
#define REC_TASK_ARENA    393216u   /* a task and its cuts, about 5 kB each */
#define REC_SCRATCH       4194304u  /* one parsed reply: at worst 64 kB of pointers to long names */
#define REC_ACTION_BYTES  67108864u /* queued for the shell, which drains it after each event */
#define REC_EVENT_RANDOM  128u /* random bytes one step may use; a step waits for a fresh pool below it */
#define REC_COOKIE_MAX    40u  /* RFC 7873 4: client 8, server 8 to 32 */

/* The servers of one zone cut. */
enum ns_state { NS_UNKNOWN = 0, NS_PENDING, NS_KNOWN, NS_FAILED, NS_LOOP };
struct cut_ns {
    uint8_t name[NAME_MAX];
    uint8_t state[2]; /* enum ns_state, of A and AAAA */
    bool glued;       /* the parent gave an address with it */
    bool asked[2];    /* the other side was asked for its A, AAAA */
    uint8_t addresses;
};
struct cut_server {
    struct address address;
    uint8_t tries[2]; /* for the present question, by transport */
    bool bad;         /* not again for the present question */
    bool plain;       /* without EDNS */
    bool avoid;
    uint8_t bad_cookies;
};
struct cut {
    struct cut *up; /* the one above on this walk, or NULL */
    uint8_t zone[NAME_MAX];
    bool forward, configured; /* configured: forward or stub, its servers are exempt from never_query */
    bool first;
    bool given;   /* from validatord or from memory: what is above was not asked */
    bool widened; /* all that is remembered of its NS names was added */
    bool located; /* for a DS: the names in between were asked for */
    uint8_t ns_count, server_count, lookups, unanswered;
    uint32_t ttl;
    struct cut_ns ns[REC_MAX_NS];
    struct cut_server servers[REC_MAX_SERVERS];
};

/* The deep copy of a configuration, kept while a task uses it. */
struct config {
    unsigned refs;
    struct arena *arena;
    struct rec_config c;
};

/* Who told a name server's address: the zone it lies in, or the parent in a referral (glue). */
enum side { SIDE_OWN = 0, SIDE_PARENT = 1 };

enum task_kind { TASK_FETCH, TASK_ADDRESS, TASK_PRIMING };

struct exchange;

struct task {
    struct rec_core *core;
    struct arena *arena; /* holds the task itself */
    enum task_kind kind;
    struct config *config;
    struct table_node node; /* by fetch id, or by name and type */
    struct list ready;
    uint64_t fetch_id;
    uint8_t qname[NAME_MAX];
    uint16_t qtype;
    unsigned labels;
    struct cut *cut, *given;
    /* the present question: a suffix of qname with `asked` labels */
    unsigned asked;
    bool minimised, whole; /* whole: no more minimising at this cut */
    bool locate;           /* minimise at this cut whatever the configuration says */
    unsigned minimise_count;
    /* the next send goes to this server and transport */
    int retry;
    enum rec_transport retry_transport;
    struct exchange *exchange;
    struct timer deadline, hedge;
    bool hedge_due;
    struct list waiters; /* struct wait: tasks that need this one's result */
    struct list waits;   /* struct wait: sub-fetches that this one needs */
    unsigned depth;
    /* account: of the fetch, and of the sub-fetches it pays for */
    struct budget budget;
    uint32_t granted_queries, granted_bytes;
    uint32_t queries; /* of this task's own name */
    unsigned subtasks;
    uint32_t servers_asked;
    const struct address *avoid;
    size_t avoid_count;
    struct address only; /* family 0: any server of the cut */
    enum rec_transport only_transport;
    bool to_referral; /* to the name itself: that is the answer */
    bool restarted, forward_failed;
    bool parent_side;        /* a look-up of the address that the parent of the name's zone has */
    const uint8_t *alias_of; /* the NS name asked for first, when it is an alias */
    unsigned aliases;
    uint64_t silent_ms; /* waited in vain */
    unsigned empties;   /* servers that had nothing to say, not even an SOA */
    /* an answer that is believed only when there is no other (out of a resolver's cache, or empty); its cut
     * is NULL: none */
    struct {
        struct cut *cut;
        struct slice wire;
        struct address server;
        enum rec_transport transport;
    } cached;
    /* what was seen, for the outcome and its EDE */
    bool saw_malformed, saw_bad, saw_silence, saw_loop, saw_unreachable;
    uint16_t last_rcode;
    struct address last_server;
};

struct wait {
    struct list of_sub, of_waiter;
    struct task *sub, *waiter;
    struct cut *cut;
    uint8_t ns, family; /* index; 0: A, 1: AAAA */
};

struct exchange {
    struct table_node node; /* by id */
    struct task *task;
    uint64_t id;
    struct address server;
    unsigned server_index; /* in the task's cut */
    enum rec_transport transport;
    struct timer timer;
    mono_ns sent_at;
    uint16_t dns_id, qtype;
    uint8_t qname[NAME_MAX]; /* in the case sent */
    bool mixed, edns;
    bool malformed; /* something with its id and question came, but could not be read */
    bool guess;     /* without EDNS only because the server is silent */
    uint8_t client_cookie[8];
};

#define LAME_ZONES 8u
struct lame {
    uint64_t zone;
    mono_ns until;
};

/* One server address: smoothed round trip time (RFC 6298) and what it can do. */
struct server {
    struct table_node node;
    size_t index; /* in core->servers_all */
    struct address address;
    bool measured, has_cookie;
    bool knows_edns;  /* has answered a question that had it */
    bool tried_plain; /* since its last reply */
    bool guessed;     /* plain_until was concluded from silence */
    uint32_t srtt_us, rttvar_us;
    uint32_t timeouts; /* in a row */
    uint32_t queries, wrong_ids;
    mono_ns down_until, plain_until, tcp_until, same_case_until;
    uint8_t cookie[REC_COOKIE_MAX - 8];
    uint8_t cookie_size;
    struct lame lame[LAME_ZONES];
    uint8_t lame_next;
};

struct action_node {
    struct action_node *next;
    struct rec_action action;
};

struct rec_core {
    struct siphash_key key;
    struct config *config;
    struct arena *scratch, *action_arena;
    struct action_node *action_first, **action_last;
    struct timers timers;
    struct list ready;
    struct table fetches, address_tasks, exchanges, servers, ns_names, cuts;
    struct server **servers_all;
    size_t servers_room;
    uint64_t next_exchange;
    size_t tasks;
    struct rec_stats stats;
    mono_ns family_down_until[2];
    unsigned family_failures[2];
    /* priming */
    struct timer priming_timer;
    struct task *priming_task;
    unsigned priming_failures;
    struct cut *root; /* primed; NULL: the hints */
    mono_ns root_until;
};

/* core.c */
struct rec_action *core_action(struct rec_core *core, enum rec_action_kind kind);
void core_ready(struct rec_core *core, struct task *task);

/* config.c */
struct config *config_copy(const struct rec_config *from);
struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* task.c */
struct task *task_new(struct rec_core *core, enum task_kind kind, const uint8_t *qname, uint16_t qtype);
/* The fetch (or priming) whose budget this task spends. */
struct task *task_payer(struct task *task);
/* Ends the task and frees it; whoever waits for it is told and made ready. */
void rec_task_finish(struct rec_core *core, const struct env *env, struct task *task,
                     enum rec_outcome outcome);
/* Frees without a word, and with it the sub-fetches that only it waited for. */
void task_drop(struct rec_core *core, struct task *task);
/* Starts or joins the look-up of one NS name's address. 0; 1: not possible (loop, depth, budget, failure
 * remembered), the ns state says which; -ENOMEM. SIDE_PARENT: the servers that referred to the task's cut are
 * asked, and nobody else. */
int task_lookup(struct rec_core *core, const struct env *env, struct task *task, unsigned ns, unsigned family,
                enum side side);
/* Is that address being looked up, for whomever? */
bool task_lookup_running(struct rec_core *core, const uint8_t *name, unsigned family);
struct task *task_find_fetch(struct rec_core *core, uint64_t fetch_id);

/* fetch.c */
void rec_fetch_step(struct rec_core *core, const struct env *env, struct task *task);
void fetch_reply(struct rec_core *core, const struct env *env, struct exchange *exchange, struct slice wire);
void fetch_timeout(struct rec_core *core, const struct env *env, struct exchange *exchange);
void fetch_failed(struct rec_core *core, const struct env *env, struct exchange *exchange,
                  enum rec_failure why);
/* How long silence is borne in this task, at the cut where it is. */
uint64_t fetch_bearable_ms(struct rec_core *core, const struct task *task);
/* The fetch's time is over. */
void fetch_expired(struct rec_core *core, const struct env *env, struct task *task);

/* lookup.c: addresses of name servers */
/* Starts the look-up of one more address of the cut's NS names; `all`: also of a family missing beside known
 * ones. True when one was started. */
bool lookup_start(struct rec_core *core, const struct env *env, struct task *task, bool all);
/* All servers of the cut failed: more addresses of its NS names. What the other side of a zone cut said, as
 * far as it is remembered; then from the parent, for names inside the zone that came without glue; then from
 * the names' own zones, for those with glue. True when there are any, or a look-up was started. */
bool lookup_widen(struct rec_core *core, const struct env *env, struct task *task);
/* A parent-side look-up got a referral: its glue for the name goes to the memory. False: there is none. */
bool lookup_glue(struct rec_core *core, const struct env *env, struct task *task,
                 const struct message *message);
/* A look-up got an alias: asks for its target instead, REC_MAX_ALIASES times. False: no. */
bool lookup_alias(struct rec_core *core, struct task *task, const struct message *message);
/* The answer to a look-up goes to the memory. */
void lookup_answer(struct rec_core *core, const struct env *env, struct task *task,
                   const struct message *message);

/* start.c */
/* The cut where the walk begins. NULL: none (no hints), or no memory. */
struct cut *start_cut(struct rec_core *core, const struct env *env, struct task *task);

/* The name whose address a look-up is for. */
static inline const uint8_t *task_ns_name(const struct task *task)
{
    return task->alias_of ? task->alias_of : task->qname;
}

/* minimise.c: RFC 9156 */
void minimise_enter(struct task *task);
void minimise_advance(struct task *task);
void minimise_stop(struct task *task);
/* From the cut's zone down label by label, whatever the configuration says. */
void minimise_locate(struct task *task);
static inline const uint8_t *task_question(const struct task *task)
{
    return name_suffix(task->qname, task->asked);
}

/* exchange.c */
enum match {
    MATCH_WAIT,   /* not the reply: keep waiting */
    MATCH_TCP,    /* same question over TCP */
    MATCH_AGAIN,  /* same question, same server, same transport (cookie, EDNS) */
    MATCH_FAILED, /* this server cannot answer it */
    MATCH_REPLY,
};
/* Sends the task's question to server number index of its cut. 0 or -ENOMEM. */
int exchange_send(struct rec_core *core, const struct env *env, struct task *task, unsigned index,
                  enum rec_transport transport);
enum match exchange_match(struct rec_core *core, const struct env *env, struct exchange *exchange,
                          struct slice wire, struct message *ret_message);
/* CANCEL for the shell, and freed. */
void exchange_end(struct rec_core *core, struct exchange *exchange);
struct exchange *exchange_find(struct rec_core *core, uint64_t id);

/* servers.c */
struct server *servers_find(struct rec_core *core, const struct address *address);
/* Found or made (the least recently used gives way). NULL: no memory. */
struct server *servers_get(struct rec_core *core, const struct address *address);
void servers_remove(struct rec_core *core, struct server *server);
void server_replied(struct rec_core *core, struct server *server, uint64_t rtt_us, bool measure);
void server_silent(struct server *server, const struct env *env);
void server_set_lame(struct rec_core *core, struct server *server, const uint8_t *zone, mono_ns until);
bool server_is_lame(struct rec_core *core, const struct server *server, const uint8_t *zone, mono_ns now);
/* A server that has never answered a question with EDNS, nor any of late: some drop those without a word, so
 * now and then it is asked without. */
bool server_needs_plain(const struct server *server);
/* Has a server whose round trip is known fallen silent since its last reply? */
bool server_is_gone(const struct server *server);
uint32_t server_timeout_ms(const struct server *server, const struct config *config, unsigned tries,
                           enum rec_transport transport);
/* Local routing said no for a whole family, or a reply came over it. */
void servers_family_result(struct rec_core *core, const struct env *env, unsigned family, bool works);

/* select.c */
enum selection { SELECT_FOUND, SELECT_NONE };
/* The best server for the present question. ret_fewest: the least tries among what is left. */
enum selection select_server(struct rec_core *core, const struct env *env, struct task *task,
                             unsigned *ret_index, unsigned *ret_fewest);

/* cut.c */
struct cut *cut_new(struct arena *arena, const uint8_t *zone);
/* Index of the NS name, added when there is room; -1: none. */
int cut_add_ns(struct cut *cut, const uint8_t *name);
/* Adds an address if configuration lets it be asked. */
void cut_add_address(struct task *task, struct cut *cut, int ns, const struct address *address);
struct cut *cut_from_hints(struct task *task);
struct cut *cut_from_zone_servers(struct task *task, const struct rec_zone_servers *zone);
/* One server alone, of that zone or of the configured one it belongs to (NULL: none). */
struct cut *cut_from_only(struct task *task, const uint8_t *zone, const struct rec_zone_servers *configured);
/* validatord's delegation message. NULL: of no use. */
struct cut *cut_from_delegation(struct rec_core *core, struct task *task, const uint8_t *zone,
                                struct slice message);
/* The root as the priming response says, addresses it lacks from the hints. NULL: of no use. */
struct cut *cut_from_priming(struct task *task, const struct message *message);
/* A copy into the task's arena, the servers filtered and their tries forgotten. */
struct cut *cut_copy(struct task *task, const struct cut *from);
/* Addresses that are remembered for NS names without glue. */
void cut_fill(struct rec_core *core, const struct env *env, struct task *task, struct cut *cut);
/* For a new question at the same cut. */
void cut_reset_tries(struct cut *cut);

/* delegation.c */
enum reading {
    READ_ANSWER,   /* positive, CNAME, DNAME, NODATA or NXDOMAIN */
    READ_REFERRAL, /* to a zone further down */
    READ_CACHED,   /* an answer, but out of a resolver's cache */
    READ_EMPTY,    /* NOERROR, and nothing in it about the question: perhaps there is no such data */
    READ_LAME,     /* this server does not serve the zone */
    READ_FAILURE,  /* an RCODE that says nothing about the name */
};
/* What the reply means for the task's present question; for a referral the child zone. */
enum reading delegation_read(struct task *task, const struct message *message, const uint8_t **ret_child);
/* A DS question that seems to be answered from the child's side, by a server that has both sides and skips
 * the zones in between: the child's SOA, or an alias where a zone begins. */
bool delegation_too_low(const struct task *task, const struct message *message);
/* The cut a referral leads to; glue only for its NS names and inside the zone that gave it. NULL: no memory.
 */
struct cut *delegation_cut(struct rec_core *core, const struct env *env, struct task *task,
                           const struct message *message, const uint8_t *child, const struct exchange *x);

/* memory.c: addresses of NS names, failed look-ups, delegations on the way to NS names */
struct ns_addresses {
    uint8_t count;
    struct address addresses[REC_NS_ADDRESSES]; /* port 53 */
    mono_ns until;                              /* of the addresses, or of their absence */
    bool known;                                 /* count 0: known to have none */
    bool failed;                                /* the look-up failed; until: not again before */
    uint8_t failures;
};
/* What one side said. NULL: nothing that is still good. */
const struct ns_addresses *memory_side(struct rec_core *core, const uint8_t *name, unsigned family,
                                       enum side side, mono_ns now);
/* The better of both. NULL: nothing that is still good. */
const struct ns_addresses *memory_addresses(struct rec_core *core, const uint8_t *name, unsigned family,
                                            mono_ns now);
void memory_put(struct rec_core *core, const uint8_t *name, unsigned family, const struct address *addresses,
                size_t count, uint32_t ttl, mono_ns now, enum side side);
void memory_put_failure(struct rec_core *core, const uint8_t *name, unsigned family, mono_ns now,
                        enum side side);
/* The referral as it came, when it is a sub-fetch's: validatord did not see that one. */
struct referral {
    struct slice wire;
    struct address server;
    enum rec_transport transport;
    const uint8_t *from;     /* the zone that referred */
    const uint8_t *question; /* and what it was asked */
};
/* referral: NULL, or copied. */
void memory_put_cut(struct rec_core *core, const struct cut *cut, const struct referral *referral,
                    mono_ns now);
/* A referral from that zone on the way to the name, no older than a few seconds, so that what a sub-fetch was
 * told need not be asked again for validatord. NULL: none. */
const struct cut *memory_referral(struct rec_core *core, const uint8_t *from, const uint8_t *name,
                                  mono_ns now, struct referral *ret_referral);
/* The deepest remembered cut at or above name that has an address. NULL: none. */
const struct cut *memory_cut(struct rec_core *core, const uint8_t *name, mono_ns now);
void memory_free(struct rec_core *core);

/* priming.c: RFC 9609 */
void priming_start(struct rec_core *core, const struct env *env);
void priming_answer(struct rec_core *core, const struct env *env, struct task *task,
                    const struct message *message);
void priming_failed(struct rec_core *core, const struct env *env);

/* report.c */
void report_done(struct rec_core *core, struct task *task, enum rec_outcome outcome);
