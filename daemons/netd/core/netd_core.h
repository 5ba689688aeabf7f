#pragma once
/* netd's core: one client question. Policy, cache answer, stale rule, reply. Pure; called by many threads, so
 * it keeps no state but what the caller hands it. DESIGN 3, RFC 1035, 6891, 8906, 8482, 6761, 6303, 8020,
 * 8767.
 *
 * A reply is made in two parts: what every client that asks the same gets (kept in L1), and what is this
 * client's alone: id, case of the question, COOKIE, keepalive, padding. The second part is always the last
 * bytes of the message, so that L1 keeps the first and netd_core_patch() adds the second to a copy. */

#include "common/base/address.h"
#include "common/base/env.h"
#include "common/base/siphash.h"
#include "common/cache/lookup.h"
#include "common/wire/message.h"

#define NETD_UDP_REPLY_MAX     4096u /* bytes; edns_size above it is taken as this */
#define NETD_TCP_IDLE_DS       100u  /* keepalive timeout told to clients, units of 100 ms (RFC 7828): 10 s */
#define NETD_PADDING_BLOCK     468u  /* RFC 8467 4.1 */
#define NETD_COOKIE_SIZE       24u   /* client cookie 8, server cookie 16 (RFC 9018) */
#define NETD_COOKIE_LIFE_S     3600  /* RFC 9018 4.3 */
#define NETD_ARENA_BYTES       524288u /* an answer of 64 KiB, parsed and gathered, fits several times */
#define NETD_REFRESH_MIN_TTL_S LOOKUP_REFRESH_MIN_LIFE_S
#define NETD_KEEP_MAX_S        86400u
#define NETD_KEEP_STALE_S      1u /* a stale answer or failure in L1: sheds load, does not outlive the repair */

struct netd_config {
    uint64_t generation;
    const struct prefix *allow;
    size_t allow_count;
    const struct prefix *allow_snoop;
    size_t allow_snoop_count;
    bool minimal_responses, special_use_names;
    const uint8_t (
        *exempt)[NAME_MAX]; /* zones with servers of their own (forward, stub): never special-use */
    size_t exempt_count;
    bool prefetch;
    bool signalling; /* RFC 8509: validatord answers sentinel questions, never the cache */
    bool aggressive_denial;
    uint16_t nsec3_iterations;
    uint16_t edns_size;
    struct stale_rule stale;
    uint32_t stale_client_timeout_ms, stale_answer_ttl_s;
    int64_t stale_max_age_s, kept_max_age_s;
    uint32_t max_ttl_s;
    nsec3_hash_fn nsec3_hash; /* NULL: no NSEC3 synthesis */
    void *nsec3_ctx;
    struct siphash_key cookie_secret;
};

enum netd_transport { NETD_UDP = 0, NETD_TCP = 1, NETD_TLS = 2, NETD_HTTPS = 3 };

/* What a client asked, and how its reply must look. Plain data: the shell keeps it while the question waits.
 */
struct netd_question {
    uint16_t qtype, qclass, id, flags;
    uint16_t ask_type;   /* what is looked up and asked of validatord: qtype, but A for ANY (RFC 8482) */
    uint16_t reply_room; /* bytes the client can take */
    enum netd_transport transport;
    bool edns, want_do, keepalive;
    bool padding;
    uint8_t cookie_size;              /* 0: none */
    uint8_t cookie[NETD_COOKIE_SIZE]; /* COOKIE option to be returned */
    uint8_t qname[NAME_MAX];          /* lower case */
    uint8_t qname_raw[NAME_MAX];      /* as received */
};

enum netd_outcome {
    NETD_REPLY = 0,   /* *ret_size bytes are to be sent */
    NETD_RESOLVE = 1, /* ask validatord for (qname, ask_type, CD) of ret_question */
    NETD_DROP = 2,    /* not worth an answer */
    NETD_CACHE = 3,   /* well-formed and allowed: look into L1, then netd_core_cache */
};

/* What a reply is, for those who count. */
enum netd_kind {
    NETD_FRESH = 0,
    NETD_CONTINUED = 1, /* fresh, by a kept link of a parent that fails (DESIGN 5.1) */
    NETD_STALE = 2,
    NETD_FAILED = 3, /* SERVFAIL */
};
struct netd_told {
    uint8_t kind;
    uint16_t ede; /* of a failure: the first code; EDE_NONE: no reason known */
};

/* Step 1: bytes to question, or an answer at once (FORMERR, NOTIMP, REFUSED, BADVERS, special-use names,
 * CHAOS). arena is scratch. NETD_REPLY, NETD_DROP or NETD_CACHE. room >= 512. */
enum netd_outcome netd_core_receive(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, struct slice packet, const struct address *client,
                                    enum netd_transport transport, struct netd_question *ret_question,
                                    uint8_t *reply, size_t room, size_t *ret_size);
/* Step 2: from the cache (L2). NETD_REPLY, or NETD_RESOLVE (miss; RD=0 never: that is answered from what
 * there is). ret_refresh: some link of the hit is in the last tenth of its life: ask for a refresh besides.
 * ret_keep_s: seconds the reply may live in L1, 0 not at all. Here and below ret_told may be NULL. */
enum netd_outcome netd_core_cache(const struct netd_config *config, struct arena *arena,
                                  const struct env *env, const struct cache_view *view,
                                  const struct netd_question *question, uint8_t *reply, size_t room,
                                  size_t *ret_size, bool *ret_refresh, uint32_t *ret_keep_s,
                                  struct netd_told *ret_told);
/* Step 3a: the verdict came. Always NETD_REPLY. */
enum netd_outcome netd_core_verdict(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, const struct netd_question *question,
                                    const struct answer *answer, uint8_t *reply, size_t room,
                                    size_t *ret_size, uint32_t *ret_keep_s, struct netd_told *ret_told);
/* Does the question wait for fresh data even where the client response timer is 0? CD=1 does: it gets stale
 * data only if nothing arrives (DESIGN 5 "CD"). */
bool netd_core_waits(const struct netd_question *question);
/* Step 3b: the client response timer ran out (ede is EDE_NONE: nothing has failed yet), or the end of waiting
 * came, or validatord is gone. NETD_REPLY with stale data or, when final, SERVFAIL; NETD_RESOLVE: nothing
 * stale, go on waiting. Beside it goes the last failure that the cache remembers of the name, which tells
 * more, or else ede. view may be NULL (no cache can be read). */
enum netd_outcome netd_core_timeout(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, const struct cache_view *view,
                                    const struct netd_question *question, bool final, uint16_t ede,
                                    const char *ede_text, uint8_t *reply, size_t room, size_t *ret_size,
                                    struct netd_told *ret_told);

/* Where in a ready reply the bytes are that change from client to client and from second to second. */
#define NETD_INDEX_TTLS 56u /* more records than that are not kept in L1 */
struct netd_index {
    uint16_t size;      /* without this client's own options */
    uint16_t opt_rdlen; /* offset of the OPT's RDLENGTH; 0: no OPT */
    uint16_t rotate_at, rotate_stride,
        rotate_count;   /* equal-sized A or AAAA records; count 0: nothing to rotate */
    uint16_t ttl_count; /* offsets of the TTLs, in an array beside this */
};

/* Indexes a reply made for question by the functions above. 0; 1: not to be kept (truncated, too many
 * records). */
int netd_core_index(const struct netd_question *question, const uint8_t *reply, size_t size,
                    struct netd_index *ret_index, uint16_t ret_ttls[NETD_INDEX_TTLS]);
/* A kept reply (its first index->size bytes), age_s old, made into question's reply: id, case, TTLs,
 * rotation, own options. The TTLs in it are at least age_s. 0; 1: does not fit the client or the room. No
 * arena, no allocation. */
int netd_core_patch(const struct netd_question *question, const uint8_t *kept, const struct netd_index *index,
                    const uint16_t *ttls, uint32_t age_s, uint32_t rotate, uint8_t *reply, size_t room,
                    size_t *ret_size);
