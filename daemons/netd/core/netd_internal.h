#pragma once
/* What the files of netd's core share among themselves. */

#include "daemons/netd/core/netd_core.h"
#include "common/wire/build.h"

/* question.c: the bytes of a client's message as a question. */
enum question_outcome {
    QUESTION_OK = 0,
    QUESTION_MALFORMED = 1,   /* ret_question has id and flags, and the rest as far as it was read */
    QUESTION_COOKIE_ONLY = 2, /* QDCOUNT 0 with a COOKIE, RFC 7873 5.4 */
};
struct question_edns {
    uint8_t version;
    uint8_t cookie_size;
    uint8_t cookie[40];
};
/* packet has at least a header. Lengths, names and options are all checked here. */
enum question_outcome question_parse(struct slice packet, enum netd_transport transport, uint16_t edns_size,
                                     struct netd_question *ret_question, struct question_edns *ret_edns);

/* cookie.c: server cookies, RFC 7873 and 9018 (SipHash-2-4). */
void cookie_make(const struct siphash_key *secret, const uint8_t client_cookie[8],
                 const struct address *client, wall_s now, uint8_t ret_cookie[NETD_COOKIE_SIZE]);
bool cookie_valid(const struct siphash_key *secret, const uint8_t *cookie, size_t size,
                  const struct address *client, wall_s now);

/* special.c: answers names of RFC 6761 and 6303 locally. true: *ret_answer is it. */
bool special_answer(const struct netd_config *config, struct arena *arena,
                    const struct netd_question *question, struct answer *ret_answer);

/* reply.c */
struct reply_extra {
    bool authoritative;
    uint16_t ede; /* EDE_NONE: none */
    const char *ede_text;
};
/* The client's reply from an answer. Always makes one: when nothing fits, header and question with TC. */
void reply_from_answer(const struct netd_config *config, const struct env *env,
                       const struct netd_question *question, const struct answer *answer,
                       const struct reply_extra *extra, uint8_t *reply, size_t room, size_t *ret_size);
/* Header (and question, when with_question), OPT, no data. */
void reply_error(const struct netd_config *config, const struct netd_question *question, bool with_question,
                 uint16_t rcode, uint16_t ede, const char *ede_text, uint8_t *reply, size_t room,
                 size_t *ret_size);
/* patch.c: this client's own options, appended to the OPT at the end of the message. */
size_t own_options_size(const struct netd_question *question);
void own_options_append(const struct netd_question *question, uint8_t *reply, size_t limit, size_t opt_rdlen,
                        size_t *size);

/* any.c: the reply's answer to an ANY question, from what validatord or the cache said for its ask_type. */
void any_answer(const struct netd_config *config, struct arena *arena, const struct env *env,
                const struct cache_view *view, const struct netd_question *question, struct answer *answer);

/* cache.c */
struct lookup netd_lookup(const struct netd_config *config, struct arena *arena, const struct env *env,
                          const struct cache_view *view, const struct netd_question *question,
                          uint32_t *hashes);
/* The last good data for question, at most stale_max_age_s past its expiry, where stale data is switched on.
 * Never for RD=0 (RFC 8767 4: such a question wants to know what the cache has). true: *ret_answer. */
bool stale_answer(const struct netd_config *config, struct arena *arena, const struct env *env,
                  const struct cache_view *view, const struct netd_question *question,
                  struct answer *ret_answer);

void told_make(const struct answer *answer, struct netd_told *ret_told);
/* By a kept link of a parent that fails: fresh data with EDE 3. */
bool answer_is_continued(const struct answer *answer);

static inline uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
