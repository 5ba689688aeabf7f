/* The client's reply from an answer: what this client may and wants to see of it, whole RRsets or TC. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

#define OPT_SIZE      11u /* without options */
#define EDE_CODE_SIZE 6u  /* option header and code, without text */

static uint16_t reply_flags(const struct netd_question *question, uint16_t rcode)
{
    /* RFC 6895 2.1: the other header bits are zero; RD and CD are copied (RFC 1035 4.1.1, RFC 4035 3.2.2). */
    return (uint16_t)(FLAG_QR | FLAG_RA | (question->flags & (FLAG_RD | FLAG_CD)) | (rcode & 0xfu));
}

static void add_ede(struct edns_reply *opt, uint16_t code, const char *text, size_t size)
{
    if (code == EDE_NONE || opt->ede_count == EDNS_MAX_EDE)
        return;
    for (unsigned i = 0; i < opt->ede_count; i++) {
        if (opt->ede[i].code == code)
            return;
    }
    opt->ede[opt->ede_count++] = (struct edns_ede){
        .code = code, .text_size = (uint16_t)MIN(size, ANSWER_EDE_TEXT), .text = size ? text : ""};
}

static struct edns_reply opt_make(const struct netd_config *config, const struct netd_question *question,
                                  uint16_t rcode)
{
    return (struct edns_reply){.payload_size = MIN(MAX(config->edns_size, 512), NETD_UDP_REPLY_MAX),
                               .flags = question->want_do ? EDNS_FLAG_DO : 0, /* RFC 3225 3: copied */
                               .rcode = rcode,
                               .keepalive_ds = -1};
}

/* OPT and end of the message, then this client's own options. */
static size_t finish(struct builder *b, const struct netd_question *question, const struct edns_reply *opt,
                     uint8_t *reply, size_t limit)
{
    size_t opt_at = b->size;
    if (question->edns)
        build_opt(b, opt);
    size_t size = build_end(b);
    if (size && question->edns)
        own_options_append(question, reply, limit, opt_at + 9, &size);
    return size;
}

void reply_error(const struct netd_config *config, const struct netd_question *question, bool with_question,
                 uint16_t rcode, uint16_t ede, const char *ede_text, uint8_t *reply, size_t room,
                 size_t *ret_size)
{
    struct builder b;
    uint16_t opcode = question->flags & 0x7800u;
    build_begin(&b, reply, room - (question->edns ? own_options_size(question) : 0), question->id,
                (uint16_t)(reply_flags(question, rcode) | opcode));
    if (with_question)
        build_question(&b, question->qname_raw, question->qtype, question->qclass);
    struct edns_reply opt = opt_make(config, question, rcode);
    add_ede(&opt, ede, ede_text, ede_text ? strlen(ede_text) : 0);
    *ret_size = finish(&b, question, &opt, reply, room);
}

/* Unsigned reading of a signature's end against now, RFC 1982 serial numbers (RFC 4034 3.1.5). */
static int32_t signature_left(const struct rdata *sig, wall_s now)
{
    struct rrsig parsed;
    if (rrsig_parse(sig, &parsed) != 0)
        return 0;
    return (int32_t)(parsed.expiration - (uint32_t)now.s);
}

static uint32_t ttl_of(const struct netd_config *config, const struct env *env, const struct answer *answer,
                       const struct rrset *set)
{
    uint32_t ttl = MIN(set->ttl, config->max_ttl_s);
    if (!answer->stale && !answer_is_continued(answer))
        return ttl;
    if (ttl == 0 || ttl > config->stale_answer_ttl_s)
        ttl = config->stale_answer_ttl_s; /* RFC 8767 4: 30 s */
    for (unsigned i = 0; i < set->sig_count; i++) {
        /* Kept signatures that still hold are not stretched: a validator behind us caches them by this TTL.
         */
        int32_t left = signature_left(&set->sig[i], env->wall);
        if (left > 0 && (uint32_t)left < ttl)
            ttl = (uint32_t)left;
    }
    return ttl;
}

static bool denial_type(uint16_t type)
{
    return type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_RRSIG;
}

/* DO=0: no DNSSEC records but those asked for by name (RFC 3225 3, RFC 4035 3.2.1). */
static bool wanted(const struct netd_config *config, const struct netd_question *question,
                   const struct answer *answer, enum section section, const struct rrset *set)
{
    if (section == SECTION_ANSWER)
        return question->want_do || !denial_type(set->type) || set->type == question->qtype;
    if (set->type == TYPE_SOA)
        return answer->negative || !config->minimal_responses;
    if (denial_type(set->type))
        return question->want_do;
    /* DS of a referral to a client that validates; NS only for those who want full answers. */
    if (set->type == TYPE_NS)
        return !config->minimal_responses || answer->answer.count == 0;
    return question->want_do || !config->minimal_responses;
}

static int write_section(const struct netd_config *config, const struct env *env, struct builder *b,
                         const struct netd_question *question, const struct answer *answer,
                         enum section section)
{
    const struct rrset_list *list = section == SECTION_ANSWER ? &answer->answer : &answer->authority;
    bool with_sigs = question->want_do || question->qtype == TYPE_RRSIG;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct rrset *set = &list->items[i];
        if (!wanted(config, question, answer, section, set))
            continue;
        /* Random bytes may run short in a monstrous answer: then its order stays as it is. */
        bool turn = section == SECTION_ANSWER && set->count > 1 && env->random->left >= sizeof(uint32_t);
        unsigned rotate = turn ? random_below(env->random, set->count) : 0;
        if (build_rrset(b, section, set, ttl_of(config, env, answer, set), with_sigs, rotate) != 0)
            return 1;
    }
    return 0;
}

static struct edns_reply opt_for(const struct netd_config *config, const struct netd_question *question,
                                 const struct answer *answer, const struct reply_extra *extra)
{
    struct edns_reply opt = opt_make(config, question, answer->rcode);
    if (answer->stale)
        add_ede(&opt, answer->rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER, NULL, 0);
    for (unsigned i = 0; i < answer->ede_count; i++) {
        /* The one above has no text; let validatord's, which may name the kept link and its age, replace it.
         */
        if (opt.ede_count && opt.ede[0].code == answer->ede[i].code && opt.ede[0].text_size == 0)
            opt.ede_count = 0;
        add_ede(&opt, answer->ede[i].code, answer->ede[i].text, answer->ede[i].text_size);
    }
    add_ede(&opt, extra->ede, extra->ede_text, extra->ede_text ? strlen(extra->ede_text) : 0);
    return opt;
}

/* RFC 6840 5.7, 5.8: AD only to those who can make something of it, and only for what is authentic
 * throughout. */
static bool may_set_ad(const struct netd_question *question, const struct answer *answer)
{
    return answer->authentic && answer->security == SECURITY_SECURE && answer->rcode != RCODE_SERVFAIL &&
           (question->want_do || (question->flags & FLAG_AD) != 0);
}

void reply_from_answer(const struct netd_config *config, const struct env *env,
                       const struct netd_question *question, const struct answer *answer,
                       const struct reply_extra *extra, uint8_t *reply, size_t room, size_t *ret_size)
{
    size_t limit = MIN(room, question->reply_room);
    struct edns_reply opt = opt_for(config, question, answer, extra);
    size_t own = question->edns ? own_options_size(question) : 0;
    uint16_t flags = reply_flags(question, answer->rcode);
    if (may_set_ad(question, answer))
        flags |= FLAG_AD;
    if (extra->authoritative)
        flags |= FLAG_AA;

    struct builder b;
    build_begin(&b, reply, limit - own, question->id, flags);
    build_question(&b, question->qname_raw, question->qtype, question->qclass);
    if (question->edns)
        build_reserve(&b, OPT_SIZE + EDE_CODE_SIZE * opt.ede_count);
    /* A set that does not fit ends the message there: whole RRsets only, and TC (RFC 2181 9). */
    bool cut = write_section(config, env, &b, question, answer, SECTION_ANSWER) != 0 ||
               write_section(config, env, &b, question, answer, SECTION_AUTHORITY) != 0;
    *ret_size = finish(&b, question, &opt, reply, limit);
    if (cut && *ret_size)
        put16(reply + 2, get16(reply + 2) | FLAG_TC);
}
