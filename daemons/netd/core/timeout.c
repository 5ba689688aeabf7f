/* Step 3b: the client has waited long enough, or validatord is gone: the stale rule of RFC 8767 5, else the
 * truth. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

enum netd_outcome netd_core_timeout(const struct netd_config *config, struct arena *arena,
                                    const struct env *env, const struct cache_view *view,
                                    const struct netd_question *question, bool final, uint16_t ede,
                                    const char *ede_text, uint8_t *reply, size_t room, size_t *ret_size)
{
    struct answer answer = {0};
    struct reply_extra extra = {.ede = ede, .ede_text = ede_text};
    if (!stale_answer(config, arena, env, view, question, &answer)) {
        if (!final)
            return NETD_RESOLVE;
        answer = (struct answer){.rcode = RCODE_SERVFAIL, .security = SECURITY_INDETERMINATE};
    }
    reply_from_answer(config, env, question, &answer, &extra, reply, room, ret_size);
    return NETD_REPLY;
}
