/* Step 3b: the client has waited long enough, or validatord is gone: the stale rule of RFC 8767 5, else the
 * truth. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

/* A failure that is older than any back-off says nothing of now. */
#define CAUSE_MAX_AGE_S 300

static const char late_text[] = "no fresh answer within the client response timer";

bool netd_core_waits(const struct netd_question *question)
{
    return (question->flags & FLAG_CD) != 0;
}

/* What the cache remembers of the last failure of the name, also when it may be asked for again: the question
 * that is on its way is likely to end the same. true: there is one. */
static bool add_cause(struct arena *arena, const struct env *env, const struct cache_view *view,
                      const struct netd_question *question, struct answer *answer)
{
    struct cache_key key;
    struct slice value;
    struct cache_neg neg;
    if (!view || cache_key_failure(question->qname, question->ask_type, &key) != 0 ||
        view->get(view->ctx, CACHE_NEG, cache_key_slice(&key), &value) != 0 ||
        cache_neg_decode(arena, cache_key_slice(&key), value, &neg) != 0 || neg.kind != CACHE_NEG_FAILURE ||
        neg.ede_count == 0 || env->wall.s - neg.expires.s > CAUSE_MAX_AGE_S)
        return false;
    for (unsigned i = 0; i < neg.ede_count; i++)
        answer_add_ede(answer, neg.ede[i].code, neg.ede[i].text, neg.ede[i].text_size);
    return true;
}

enum netd_outcome netd_core_timeout(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, const struct cache_view *view,
                                    const struct netd_question *question, bool final, uint16_t ede,
                                    const char *ede_text, uint8_t *reply, size_t room, size_t *ret_size,
                                    struct netd_told *ret_told)
{
    struct answer answer = {0};
    struct reply_extra extra = {.ede = EDE_NONE};
    if (!stale_answer(config, arena, env, view, question, &answer)) {
        if (!final)
            return NETD_RESOLVE;
        answer = (struct answer){.rcode = RCODE_SERVFAIL, .security = SECURITY_INDETERMINATE};
    }
    bool known = add_cause(arena, env, view, question, &answer);
    if (answer.stale && !known && ede == EDE_NONE) {
        answer_add_ede(&answer, answer.rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER,
                       late_text, sizeof(late_text) - 1);
    } else if (!known) {
        answer_add_ede(&answer, ede, ede_text, ede_text ? strlen(ede_text) : 0);
    }
    told_make(&answer, ret_told);
    reply_from_answer(config, env, question, &answer, &extra, reply, room, ret_size);
    return NETD_REPLY;
}
