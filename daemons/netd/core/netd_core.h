#pragma once
/* netd's core: one client question. Policy, cache answer, stale rule, reply. Pure; called by many threads, so it
 * keeps no state but what the caller hands it. DESIGN 3, RFC 1035, 6891, 8906, 8482, 6761, 6303, 8020, 8767. */

#include "common/base/address.h"
#include "common/base/env.h"
#include "common/cache/lookup.h"
#include "common/wire/message.h"

struct netd_config {
    uint64_t generation;
    const struct prefix *allow;
    size_t allow_count;
    const struct prefix *allow_snoop;
    size_t allow_snoop_count;
    bool minimal_responses, special_use_names;
    bool prefetch;
    bool aggressive_denial;
    uint16_t nsec3_iterations;
    uint16_t edns_size;
    bool stale_enabled;
    uint32_t stale_client_timeout_ms, stale_answer_ttl_s;
    int64_t stale_max_age_s;
    uint32_t max_ttl_s;
    nsec3_hash_fn nsec3_hash;
    void *nsec3_ctx;
};

enum netd_transport { NETD_UDP = 0, NETD_TCP = 1, NETD_TLS = 2, NETD_HTTPS = 3 };

/* What a client asked, and how its reply must look. Plain data: the shell keeps it while the question waits. */
struct netd_question {
    uint8_t qname[NAME_MAX];     /* lower case */
    uint8_t qname_raw[NAME_MAX]; /* as received */
    uint16_t qtype, qclass, id, flags;
    enum netd_transport transport;
    bool edns, want_do, keepalive;
    bool padding;
    uint16_t reply_room;         /* bytes the client can take */
    uint8_t cookie[40];          /* client's COOKIE option as received, for a reply that must carry one */
    uint8_t cookie_size;
    bool no_snoop_right;         /* may not ask the cache with RD=0 */
};

enum netd_outcome {
    NETD_REPLY = 0,   /* *ret_size bytes are to be sent */
    NETD_RESOLVE = 1, /* ask validatord for (qname, qtype, CD) of ret_question */
    NETD_DROP = 2,    /* not worth an answer */
    NETD_CACHE = 3,   /* well-formed and allowed: look into L1, then netd_core_cache */
};

/* Step 1: bytes to question, or an answer at once (FORMERR, NOTIMP, REFUSED, BADVERS, special-use names, CHAOS).
 * arena is scratch. NETD_REPLY, NETD_DROP or NETD_CACHE. */
enum netd_outcome netd_core_receive(const struct netd_config *config, struct arena *arena, const struct env *env,
                                    struct slice packet, const struct address *client, enum netd_transport transport,
                                    struct netd_question *ret_question, uint8_t *reply, size_t room,
                                    size_t *ret_size);
/* Step 2: from the cache (L2). NETD_REPLY, or NETD_RESOLVE (miss; RD=0 never: that is answered from what there is).
 * ret_refresh: the hit is in the last tenth of its TTL, or remembered as failing: ask for a refresh besides.
 * ret_keep_s: seconds the reply may live in L1, 0 not at all. */
enum netd_outcome netd_core_cache(const struct netd_config *config, struct arena *arena, const struct env *env,
                                  const struct cache_view *view, const struct netd_question *question,
                                  uint8_t *reply, size_t room, size_t *ret_size, bool *ret_refresh,
                                  uint32_t *ret_keep_s);
/* Step 3a: the verdict came. Always NETD_REPLY. */
enum netd_outcome netd_core_verdict(const struct netd_config *config, struct arena *arena, const struct env *env,
                                    const struct netd_question *question, const struct answer *answer,
                                    uint8_t *reply, size_t room, size_t *ret_size, uint32_t *ret_keep_s);
/* Step 3b: the client response timer ran out, or validatord is gone (ede says which). NETD_REPLY with stale data or,
 * when final, SERVFAIL; NETD_RESOLVE: nothing stale, go on waiting. */
enum netd_outcome netd_core_timeout(const struct netd_config *config, struct arena *arena, const struct env *env,
                                    const struct cache_view *view, const struct netd_question *question, bool final,
                                    uint16_t ede, const char *ede_text, uint8_t *reply, size_t room, size_t *ret_size);
