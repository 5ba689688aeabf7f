/* Between the judgement and the proofs of denial.h: only RRsets whose signature held take part. */

#include "daemons/validatord/core/internal.h"

struct denial deny_context(struct val_core *core, struct job *job, const uint8_t *zone,
                           const struct rrset_list *list)
{
    return (struct denial){.zone = zone,
                           .list = list,
                           .ops = core->crypto,
                           .hashes = &job->purse->budget.nsec3_hashes,
                           .iterations_max = core->config.nsec3_iterations,
                           .now = core->env->wall};
}

int deny_good_only(struct arena *arena, const struct rrset_list *list, struct rrset_list *ret_list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct rrset *rrset = &list->items[i];
        if (rrset->security != SECURITY_SECURE || (rrset->type != TYPE_NSEC && rrset->type != TYPE_NSEC3))
            continue;
        int r = rrset_list_add(arena, ret_list, rrset);
        if (r < 0)
            return r;
    }
    return 0;
}
