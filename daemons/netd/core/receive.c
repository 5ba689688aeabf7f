/* Step 1: policy. What is not a question we answer is told so with as few bytes as the RFCs allow, and never
 * costs a look-up. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

static bool allowed(const struct prefix *list, size_t count, const struct address *client)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_has(&list[i], client))
            return true;
    }
    return false;
}

/* RCODE_NOERROR: an ordinary type. */
static uint16_t refuse_type(uint16_t qtype, uint16_t *ret_ede)
{
    *ret_ede = EDE_NONE;
    switch (qtype) {
    case TYPE_ANY:
        return RCODE_NOERROR;
    case TYPE_AXFR:
    case TYPE_IXFR:
        return RCODE_REFUSED;
    case TYPE_MAILA:
    case TYPE_MAILB:
        return RCODE_NOTIMP;
    case TYPE_NXNAME:
        *ret_ede = EDE_INVALID_QUERY_TYPE; /* RFC 9824 3.5: a question for it has no answer */
        return RCODE_FORMERR;
    case 0:
    case TYPE_OPT:
        return RCODE_FORMERR;
    default:
        /* RFC 6895 3.1: 128 to 255 are meta types; a resolver cannot fetch one. */
        return qtype >= 128 && qtype <= 255 ? RCODE_FORMERR : RCODE_NOERROR;
    }
}

static void use_cookie(const struct netd_config *config, const struct env *env, const struct address *client,
                       const struct question_edns *edns, struct netd_question *question)
{
    if (edns->cookie_size == 0)
        return;
    cookie_make(&config->cookie_secret, edns->cookie, client, env->wall, question->cookie);
    question->cookie_size = NETD_COOKIE_SIZE;
}

/* RA tells that the server recurses for who asks (RFC 1035 4.1.1): not where the question is turned away for
 * what it is, or for whose it is. */
static enum netd_outcome turn_away(const struct netd_config *config, const struct netd_question *question,
                                   bool with_question, uint16_t rcode, uint16_t ede, uint8_t *reply,
                                   size_t room, size_t *ret_size)
{
    reply_error(config, question, with_question, rcode, ede, NULL, reply, room, ret_size);
    if (*ret_size >= MESSAGE_HEADER_SIZE)
        put16(reply + 2, get16(reply + 2) & (uint16_t)~FLAG_RA);
    return NETD_REPLY;
}

enum netd_outcome netd_core_receive(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, struct slice packet, const struct address *client,
                                    enum netd_transport transport, struct netd_question *ret_question,
                                    uint8_t *reply, size_t room, size_t *ret_size)
{
    struct netd_question *question = ret_question;
    /* Silence: what is no header, what is itself a response (two resolvers must not talk for ever), and what
     * asks to be answered at port 0. */
    if (packet.size < MESSAGE_HEADER_SIZE || (packet.data[2] & 0x80) != 0 || client->port == 0)
        return NETD_DROP;
    struct question_edns edns;
    if (((packet.data[2] >> 3) & 0xf) != OPCODE_QUERY) {
        question->id = get16(packet.data);
        question->flags = get16(packet.data + 2);
        question->edns = question->want_do = false;
        return turn_away(config, question, false, RCODE_NOTIMP, EDE_NONE, reply, room, ret_size);
    }
    enum question_outcome outcome = question_parse(packet, transport, config->edns_size, question, &edns);
    if (outcome == QUESTION_MALFORMED) {
        question->edns = false; /* an OPT that may not be one gets none back */
        return turn_away(config, question, false, RCODE_FORMERR, EDE_NONE, reply, room, ret_size);
    }
    use_cookie(config, env, client, &edns, question);

    uint16_t rcode = RCODE_NOERROR, ede = EDE_NONE;
    if (edns.version > 0) {
        rcode = RCODE_BADVERS;
    } else if (!allowed(config->allow, config->allow_count, client)) {
        rcode = RCODE_REFUSED;
        ede = EDE_PROHIBITED;
    } else if (outcome == QUESTION_COOKIE_ONLY) {
        /* RFC 7873 5.4: a client learns its cookie, or whether it still holds. */
        bool has_server_part = edns.cookie_size > 8;
        rcode = !has_server_part ||
                        cookie_valid(&config->cookie_secret, edns.cookie, edns.cookie_size, client, env->wall)
                    ? RCODE_NOERROR
                    : RCODE_BADCOOKIE;
        reply_error(config, question, false, rcode, EDE_NONE, NULL, reply, room, ret_size);
        return NETD_REPLY;
    } else if (question->qclass != CLASS_IN) {
        rcode = RCODE_REFUSED;
    } else {
        rcode = refuse_type(question->qtype, &ede);
    }
    if (rcode != RCODE_NOERROR)
        return turn_away(config, question, true, rcode, ede, reply, room, ret_size);
    if (question->qtype == TYPE_ANY)
        question->ask_type = TYPE_A;

    struct answer answer;
    if (config->special_use_names && special_answer(config, arena, question, &answer)) {
        reply_from_answer(config, env, question, &answer,
                          &(struct reply_extra){.authoritative = true, .ede = EDE_NONE}, reply, room,
                          ret_size);
        return NETD_REPLY;
    }
    /* RD=0 asks what others have asked: privacy and a help to poisoners; only for those allowed to. */
    if ((question->flags & FLAG_RD) == 0 &&
        !allowed(config->allow_snoop, config->allow_snoop_count, client)) {
        reply_error(config, question, true, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, NULL, reply, room,
                    ret_size);
        return NETD_REPLY;
    }
    return NETD_CACHE;
}
