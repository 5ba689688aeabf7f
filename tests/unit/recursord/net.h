#pragma once
/* A scripted network on a virtual clock: servers that answer from a table, and the core that asks them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/recursord/core/recursor.h"

enum quirk {
    PLAIN = 0,
    SILENT = 1,            /* never replies */
    SILENT_UDP = 2,        /* replies over TCP only */
    TRUNCATE = 4,          /* TC over UDP */
    WRONG_ID = 8,          /* over UDP a reply with another id */
    LOWER_CASE = 16,       /* echoes the question in lower case, over UDP */
    NO_EDNS = 32,          /* FORMERR to a question with OPT */
    BAD_COOKIE = 64,       /* BADCOOKIE with its cookie until that comes back */
    GARBAGE_FIRST = 128,   /* before the reply, a malformed packet and one for another question */
    UNREACHABLE = 256,     /* the shell says: no route */
    BARE_FORMERR = 512,    /* as NO_EDNS, but twelve octets of header only */
    COOKIE = 1024,         /* answers with a server cookie */
    FORGETS_COOKIE = 2048, /* replies over UDP without a cookie */
    NO_AA = 4096,
    RA = 8192,
    CUT_SHORT = 16384, /* TC over UDP, and the packet ends in the middle of a record */
    LOWER_CASE_TCP = 32768,
    FOREIGN_COOKIE = 65536, /* first a reply with another client cookie */
    CLOSES_TCP = 131072,
    DAMAGED = 524288,    /* a record does not end */
    DROPS_EDNS = 262144, /* silent to a question with OPT, over UDP */
};

/* First match wins: the server's address, a question at or below `at`, of that type (0: any). Records are
 * "owner TYPE data; ...", "@" is the question's name. */
struct rule {
    const char *server, *at;
    uint16_t qtype;
    unsigned quirks;
    uint16_t rcode;
    const char *answer, *authority, *additional;
};

struct asked {
    struct address server;
    enum rec_transport transport;
    uint8_t qname[NAME_MAX]; /* as sent */
    uint16_t qtype, flags;
    bool edns, has_server_cookie;
    uint64_t at_ms;
};

struct proof {
    enum rec_evidence_kind kind;
    uint64_t fetch;
    uint8_t cut[NAME_MAX];
    uint16_t rcode, answers;
    bool forwarded;
};

struct pending {
    bool used;
    uint64_t exchange;
    uint64_t at_ns;
    size_t size;
    uint8_t wire[4096];
    enum rec_failure failure; /* instead of wire */
};

#define NET_MAX_ASKED   512u
#define NET_MAX_PENDING 256u

struct net {
    struct rec_core *core;
    const struct rule *rules;
    uint64_t now_ns;
    struct random_pool pool;
    uint32_t seed;
    struct asked asked[NET_MAX_ASKED];
    unsigned asked_count;
    struct proof proofs[64];
    unsigned proof_count;
    struct pending pending[NET_MAX_PENDING];
    bool done[64];
    struct rec_action result[64]; /* by fetch id: its DONE */
    unsigned primed;
    size_t open; /* exchanges that were not cancelled */
};

/* Defaults of a configuration with one root hint, 192.0.2.1, priming off. */
struct rec_config net_config(void);
struct net *net_new(const struct rule *rules, const struct rec_config *config);
void net_free(struct net *net);
struct env net_env(struct net *net);
/* Starts a fetch from the hints. */
void net_fetch(struct net *net, uint64_t id, const char *qname, uint16_t qtype);
/* With a cut: NS "ns.<cut>" at that address. */
void net_fetch_from(struct net *net, uint64_t id, const char *qname, uint16_t qtype, const char *cut,
                    const char *address, const struct budget *budget);
/* Until every fetch is done and nothing is open, or limit_ms passed. */
void net_run(struct net *net, uint64_t limit_ms);
/* fetch 1 from the hints, run to its end. */
enum rec_outcome net_resolve(struct net *net, const char *qname, uint16_t qtype);
struct address net_address(const char *text);
void net_drain(struct net *net);
/* How many questions went there ("" any), for that name ("" any; without regard to case), of that type (0:
 * any). */
unsigned net_count(const struct net *net, const char *server, const char *qname, uint16_t qtype);
unsigned net_count_tcp(const struct net *net);
bool net_has_referral(const struct net *net, const char *cut);
const struct proof *net_answer(const struct net *net);
