#pragma once
/* recursord's core: one fetch is the way from the closest zone cut down to the servers that answer one
 * question.
 *
 * Pure: events in (fetch, reply, failure, tick), actions out (send, evidence, done), one deadline. It chases
 * no CNAME out of the zone that said it, judges no signature and writes no cache: everything it learns is
 * handed on as evidence, and validatord believes none of it without proof. NS addresses without glue are
 * sub-fetches of its own on the same budget. RFC 1034 5.3.3, 9156, 9609, 9520; limits from THREATS beside
 * their constants.
 *
 * Call order: rec_core_new, then any events; after each event drain rec_core_next_action until false, then
 * arm a timer for rec_core_deadline and call rec_core_tick when it is reached. */

#include "common/base/address.h"
#include "common/base/arena.h"
#include "common/base/budget.h"
#include "common/base/env.h"
#include "common/base/siphash.h"
#include "common/cache/view.h"
#include "common/wire/message.h"

struct rec_core;

enum rec_minimisation { REC_MINIMISE_OFF = 0, REC_MINIMISE_RELAXED = 1, REC_MINIMISE_STRICT = 2 };

struct rec_zone_servers {
    uint8_t zone[NAME_MAX];
    struct address *to; /* borrowed from the config's owner */
    size_t count;
    bool forward; /* RD=1, CD=1; else a stub: authoritative servers, RD=0 */
    bool first;   /* forward: fall back to iteration on transport failure only */
};

struct rec_hint {
    uint8_t name[NAME_MAX];
    struct address *addresses;
    size_t count;
};

struct rec_config {
    uint64_t generation;
    const struct rec_hint *hints;
    size_t hint_count;
    const struct rec_zone_servers *zones; /* forward and stub; the deepest match wins */
    size_t zone_count;
    const struct prefix *never_query;
    size_t never_query_count;
    bool priming;
    enum rec_minimisation minimisation;
    bool case_randomisation;
    bool ipv4, ipv6;
    uint16_t edns_size;
    uint32_t server_timeout_ms;
};

enum rec_transport { REC_UDP = 0, REC_TCP = 1 };

/* Event: validatord wants (qname, qtype). Everything is copied. */
struct rec_fetch {
    uint64_t id; /* validatord's, unique among the running ones */
    const uint8_t *qname;
    uint16_t qtype;
    const uint8_t *cut;      /* closest cut validatord knows, or NULL: from own knowledge and the hints */
    struct slice delegation; /* DNS message: NS of the cut, addresses; may be empty */
    struct budget budget;
    const struct address *avoid; /* servers whose answers failed validation: asked last */
    size_t avoid_count;
    /* NULL, or the one server that is asked, by this transport, for the whole name: a probe of what that
     * server says. It follows no referral, and what comes is the answer. Its address must be one that may be
     * asked, and its port is that of the configuration where it is a forward or stub zone's. */
    const struct address *only;
    enum rec_transport only_transport;
    bool to_referral; /* a referral to qname itself is the answer */
};

enum rec_evidence_kind { REC_EVIDENCE_REFERRAL = 1, REC_EVIDENCE_ANSWER = 2 };

enum rec_outcome {
    REC_DONE_ANSWERED = 0,
    REC_DONE_UNREACHABLE = 1, /* no server answered: EDE 22 */
    REC_DONE_SERVFAIL = 2,    /* servers answered, but none usably (SERVFAIL, REFUSED, lame): EDE 22 or 23 */
    REC_DONE_BUDGET = 3,      /* a limit of THREATS was reached */
    REC_DONE_CANCELLED = 4,
    REC_DONE_LOOP = 5, /* NS names that need themselves */
};

enum rec_action_kind {
    REC_ACTION_SEND,   /* wire to server over transport; replies come back with the exchange id */
    REC_ACTION_CANCEL, /* the exchange is over: close its socket, drop its queue entry */
    REC_ACTION_EVIDENCE,
    REC_ACTION_DONE,
    REC_ACTION_PRIMED, /* the root's NS set with addresses, for validatord to vet and keep */
};

struct rec_action {
    enum rec_action_kind kind;
    uint64_t exchange; /* SEND, CANCEL */
    uint64_t fetch;    /* EVIDENCE, DONE */
    struct address server;
    enum rec_transport transport;
    /* SEND, EVIDENCE, PRIMED: bytes valid until the next call into the core */
    struct slice wire;
    /* EVIDENCE */
    enum rec_evidence_kind evidence;
    uint8_t cut[NAME_MAX];
    uint32_t rtt_us;
    bool forwarded;
    /* DONE */
    enum rec_outcome outcome;
    uint32_t upstream_used, bytes_used, servers_asked;
    uint16_t ede_code;
    char ede_text[160];
};

/* NULL when memory is short. config is copied deeply. */
struct rec_core *rec_core_new(const struct rec_config *config, const struct siphash_key *hash_key);
void rec_core_free(struct rec_core *core);
/* Swaps the configuration; running fetches keep what they use. 0 or -ENOMEM. */
int rec_core_configure(struct rec_core *core, const struct rec_config *config);

/* All events: 0 or -errno (our own failure; the fetch concerned ends as REC_DONE_BUDGET). */
int rec_core_fetch(struct rec_core *core, const struct env *env, const struct rec_fetch *fetch);
void rec_core_cancel(struct rec_core *core, const struct env *env, uint64_t fetch_id);
/* Every running fetch, as when their asker is gone. */
void rec_core_cancel_all(struct rec_core *core, const struct env *env);
/* A datagram or TCP message on the exchange's own socket, from its server's address and port. Its id,
 * question and 0x20 case are checked here; what does not match keeps the exchange waiting (THREATS: TuDoor),
 * a wrong id moves the question to TCP (THREATS: SAD DNS, near-miss). */
int rec_core_reply(struct rec_core *core, const struct env *env, uint64_t exchange, struct slice wire);
enum rec_failure { REC_FAIL_REFUSED = 1, REC_FAIL_UNREACHABLE = 2, REC_FAIL_CLOSED = 3, REC_FAIL_LOCAL = 4 };
int rec_core_failed(struct rec_core *core, const struct env *env, uint64_t exchange, enum rec_failure why);
int rec_core_tick(struct rec_core *core, const struct env *env);
mono_ns rec_core_deadline(const struct rec_core *core);
/* The next action in order; false when there is none. */
bool rec_core_next_action(struct rec_core *core, struct rec_action *ret_action);

/* For the control tool. */
struct rec_server_info {
    struct address address;
    uint32_t srtt_us, timeouts, queries;
    bool edns_broken, tcp_only, has_cookie;
    mono_ns down_until;
};
/* The server table entry number `index`; false past the end. */
bool rec_core_server_info(const struct rec_core *core, size_t index, struct rec_server_info *ret_info);
struct rec_stats {
    uint64_t fetches, queries_udp, queries_tcp, replies, timeouts, mismatches, referrals, lame, sub_fetches;
    uint64_t running;
};
void rec_core_stats(const struct rec_core *core, struct rec_stats *ret_stats);
/* Forgets one server's state, or all of them (address NULL). */
void rec_core_forget_servers(struct rec_core *core, const struct address *address);
