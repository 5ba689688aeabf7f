/* ANY, RFC 8482: the client gets one RRset that is at hand, or a synthesised HINFO; never a gathering of
 * everything.
 *
 * validatord is asked for A (netd_question.ask_type). If the name has no A, the cache may know another type;
 * if not, a HINFO says that the name exists, unless the client validates and the name is signed: then the
 * signed NODATA is the only thing that can be shown (RFC 8482 4.2 forbids an unsigned HINFO there). */

#include "daemons/netd/core/netd_internal.h"

#define HINFO_TTL_S 3600u /* RFC 8482 4.2: long enough to stop the asking */

static const uint16_t tried_types[] = {TYPE_AAAA, TYPE_MX,  TYPE_TXT, TYPE_NS,   TYPE_SOA,    TYPE_HTTPS,
                                       TYPE_SRV,  TYPE_PTR, TYPE_CAA, TYPE_TLSA, TYPE_DNSKEY, TYPE_DS};
static const uint8_t hinfo_rdata[9] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};

static bool another_type(const struct lookup *lookup, const struct netd_question *question,
                         struct answer *answer)
{
    for (size_t i = 0; i < ARRAY_SIZE(tried_types); i++) {
        struct answer found = {0};
        const uint8_t *next;
        if (cache_answer(lookup, question->qname, tried_types[i], &found, &next) == LOOKUP_HIT &&
            !found.negative && found.rcode == RCODE_NOERROR) {
            *answer = found;
            return true;
        }
    }
    return false;
}

static int hinfo(struct arena *arena, const struct netd_question *question, struct answer *answer)
{
    struct rdata *rdata = ARENA_NEW(arena, struct rdata);
    if (!rdata)
        return 1;
    *rdata = (struct rdata){.data = hinfo_rdata, .size = sizeof(hinfo_rdata)};
    struct rrset set = {.owner = question->qname,
                        .type = TYPE_HINFO,
                        .class = CLASS_IN,
                        .ttl = HINFO_TTL_S,
                        .count = 1,
                        .rdata = rdata,
                        .rank = RANK_ANSWER,
                        .security = SECURITY_INSECURE};
    struct answer made = {
        .rcode = RCODE_NOERROR, .security = SECURITY_INSECURE, .ttl = MIN(answer->ttl, HINFO_TTL_S)};
    if (rrset_list_add(arena, &made.answer, &set) != 0)
        return 1;
    *answer = made;
    return 0;
}

void any_answer(const struct netd_config *config, struct arena *arena, const struct env *env,
                const struct cache_view *view, const struct netd_question *question, struct answer *answer)
{
    if (question->qtype != TYPE_ANY || answer->rcode != RCODE_NOERROR || !answer->negative ||
        answer->answer.count != 0)
        return;
    if (view) {
        uint32_t hashes = 0;
        struct lookup lookup = netd_lookup(config, arena, env, view, question, &hashes);
        lookup.aggressive_denial = false; /* denials are not what is looked for, and cost hashes */
        if (another_type(&lookup, question, answer))
            return;
    }
    if (!question->want_do || answer->security != SECURITY_SECURE)
        hinfo(arena, question, answer);
}
