/* Steps 2 and 3a: from what the cache knows, and from what validatord said. */

#include "common/wire/sentinel.h"
#include "daemons/netd/core/netd_internal.h"

static bool is_apart(const void *ctx, const uint8_t *zone)
{
    const struct netd_config *config = ctx;
    for (size_t i = 0; i < config->exempt_count; i++)
        if (name_equal(config->exempt[i], zone))
            return true;
    return false;
}

struct lookup netd_lookup(const struct netd_config *config, struct arena *arena, const struct env *env,
                          const struct cache_view *view, const struct netd_question *question,
                          uint32_t *hashes)
{
    *hashes = config->nsec3_hash ? BUDGET_NSEC3_HASHES : 0;
    return (struct lookup){.view = view,
                           .arena = arena,
                           .now = env->wall,
                           .checking_disabled = (question->flags & FLAG_CD) != 0,
                           .aggressive_denial = config->aggressive_denial,
                           .stale_max_s = -1,
                           .answer_ttl = config->stale_answer_ttl_s,
                           .nsec3_iterations_max = config->nsec3_iterations,
                           .max_steps = BUDGET_CNAME_STEPS,
                           .nsec3_hash = config->nsec3_hash,
                           .nsec3_ctx = config->nsec3_ctx,
                           .nsec3_budget = hashes,
                           .is_apart = config->exempt_count ? is_apart : NULL,
                           .apart_ctx = config};
}

/* RFC 8509: what such a question gets depends on validatord's trust anchors. Its verdicts may be kept in L1:
 * a change of the anchors raises the epoch. */
static bool is_sentinel(const struct netd_config *config, const struct netd_question *question)
{
    bool is_ta;
    uint16_t tag;
    return config->signalling && (question->flags & (FLAG_RD | FLAG_CD)) == FLAG_RD &&
           sentinel_parse(question->qname, question->ask_type, &is_ta, &tag);
}

/* RD=0 and the cache has no answer: the closest delegation it knows, as BIND and Unbound do. */
static void referral_answer(const struct lookup *lookup, const struct netd_question *question,
                            struct answer *answer)
{
    struct cache_zone zone;
    const uint8_t *cut;
    answer->rcode = RCODE_NOERROR;
    answer->security = SECURITY_INSECURE;
    answer->authentic = false;
    if (answer->answer.count == 0 && cache_closest_cut(lookup, question->qname, &zone, &cut) == 0 &&
        zone.has_delegation)
        (void)rrset_list_add(lookup->arena, &answer->authority,
                             &zone.ns); /* out of memory: a reply without */
}

static uint32_t keep_s(const struct netd_config *config, const struct answer *answer)
{
    if (answer->stale || answer_is_continued(answer))
        return NETD_KEEP_STALE_S;
    return MIN(MIN(answer->ttl, config->max_ttl_s), NETD_KEEP_MAX_S);
}

bool answer_is_continued(const struct answer *answer)
{
    if (answer->stale || answer->rcode == RCODE_SERVFAIL)
        return false;
    if (answer->continued)
        return true;
    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->ede[i].code == EDE_STALE_ANSWER)
            return true;
    return false;
}

void told_make(const struct answer *answer, struct netd_told *ret_told)
{
    struct netd_told told = {.kind = NETD_FRESH, .ede = EDE_NONE};
    if (answer->rcode == RCODE_SERVFAIL) {
        told.kind = NETD_FAILED;
        told.ede = answer->ede_count ? answer->ede[0].code : EDE_NONE;
    } else if (answer->stale) {
        told.kind = NETD_STALE;
    } else if (answer_is_continued(answer)) {
        told.kind = NETD_CONTINUED;
    }
    if (ret_told)
        *ret_told = told;
}

bool stale_answer(const struct netd_config *config, struct arena *arena, const struct env *env,
                  const struct cache_view *view, const struct netd_question *question,
                  struct answer *ret_answer)
{
    if (!view || (question->flags & FLAG_RD) == 0 || is_sentinel(config, question))
        return false;
    uint32_t hashes;
    struct lookup lookup = netd_lookup(config, arena, env, view, question, &hashes);
    lookup.stale_max_s = config->stale_max_age_s;
    lookup.stale_rule = &config->stale;
    lookup.kept_max_s = config->kept_max_age_s;
    const uint8_t *next;
    struct answer answer = {0};
    if (cache_answer(&lookup, question->qname, question->ask_type, &answer, &next) != LOOKUP_HIT)
        return false;
    any_answer(config, arena, env, view, question, &answer);
    *ret_answer = answer;
    return true;
}

/* A failure is remembered: the last good data at once (RFC 8767 5, RFC 9520), with the reason beside it. */
static void answer_failure(const struct netd_config *config, struct arena *arena, const struct env *env,
                           const struct cache_view *view, const struct netd_question *question,
                           struct answer *failure)
{
    struct answer good;
    if (!stale_answer(config, arena, env, view, question, &good))
        return;
    for (unsigned i = 0; i < failure->ede_count; i++)
        answer_add_ede(&good, failure->ede[i].code, failure->ede[i].text, failure->ede[i].text_size);
    *failure = good;
}

enum netd_outcome netd_core_cache(const struct netd_config *config, struct arena *arena,
                                  const struct env *env, const struct cache_view *view,
                                  const struct netd_question *question, uint8_t *reply, size_t room,
                                  size_t *ret_size, bool *ret_refresh, uint32_t *ret_keep_s,
                                  struct netd_told *ret_told)
{
    uint32_t hashes;
    struct lookup lookup = netd_lookup(config, arena, env, view, question, &hashes);
    struct answer answer = {0};
    const uint8_t *next = NULL;
    bool refresh = false, keep = true;
    if (is_sentinel(config, question))
        return NETD_RESOLVE;
    int outcome = cache_answer(&lookup, question->qname, question->ask_type, &answer, &next);
    switch (outcome) {
    case LOOKUP_HIT:
        refresh = config->prefetch && answer.due && (question->flags & FLAG_RD) != 0;
        any_answer(config, arena, env, view, question, &answer);
        break;
    case LOOKUP_FAILURE:
        answer_failure(config, arena, env, view, question, &answer);
        answer.ttl = NETD_KEEP_STALE_S;
        break;
    case LOOKUP_LOOP:
        answer.rcode = RCODE_SERVFAIL;
        answer.authentic = false;
        answer.ttl = MIN(answer.ttl, NETD_KEEP_STALE_S);
        break;
    case LOOKUP_YXDOMAIN:
        answer.rcode = RCODE_YXDOMAIN;
        break;
    default: /* a miss; and when our own memory is short, validatord's answer is still to be had */
        if ((question->flags & FLAG_RD) != 0)
            return NETD_RESOLVE;
        referral_answer(&lookup, question, &answer);
        keep = false;
    }
    reply_from_answer(config, env, question, &answer, &(struct reply_extra){.ede = EDE_NONE}, reply, room,
                      ret_size);
    told_make(&answer, ret_told);
    *ret_refresh = refresh;
    *ret_keep_s = keep ? keep_s(config, &answer) : 0;
    return NETD_REPLY;
}

/* A Verdict frame carries the message; what kind of answer it is shows in it. */
static bool is_negative(const struct netd_question *question, const struct answer *answer)
{
    if (answer->rcode == RCODE_NXDOMAIN)
        return true;
    if (answer->rcode != RCODE_NOERROR)
        return false;
    for (uint32_t i = 0; i < answer->answer.count; i++) {
        if (answer->answer.items[i].type == question->ask_type)
            return false;
    }
    return true;
}

enum netd_outcome netd_core_verdict(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, const struct netd_question *question,
                                    const struct answer *answer, uint8_t *reply, size_t room,
                                    size_t *ret_size, uint32_t *ret_keep_s, struct netd_told *ret_told)
{
    struct answer said = *answer;
    if (said.security == SECURITY_BOGUS && (question->flags & FLAG_CD) == 0) {
        /* validatord already says SERVFAIL here; if it ever did not, the data still must not pass. */
        said.rcode = RCODE_SERVFAIL;
        said.answer.count = said.authority.count = 0;
        said.authentic = said.negative = false;
    }
    said.negative = is_negative(question, &said);
    any_answer(config, arena, env, NULL, question, &said);
    reply_from_answer(config, env, question, &said, &(struct reply_extra){.ede = EDE_NONE}, reply, room,
                      ret_size);
    told_make(&said, ret_told);
    *ret_keep_s = said.ttl == 0                  ? 0
                  : said.rcode == RCODE_SERVFAIL ? NETD_KEEP_STALE_S
                                                 : keep_s(config, &said);
    return NETD_REPLY;
}
