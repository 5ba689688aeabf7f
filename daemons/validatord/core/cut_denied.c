/* A cut that its parent denies is none: what is kept of it ends there and then, and is not there to be used
 * when the parent fails later (DESIGN 5: "While P validates and says something else, P wins at once"). */

#include "daemons/validatord/core/kept.h"

static bool is_kept(const struct cache_zone *rec)
{
    return rec->has_delegation || rec->loose != LOOSE_NONE || rec->ds_state == DS_SECURE ||
           rec->ds_state == DS_NONE || rec->ds_state == DS_UNSUPPORTED;
}

/* When the record that denies a cut at the name was signed. False: none of the proof does. */
static bool is_denied(struct val_core *core, struct task *task, const uint8_t *name, wall_s *ret_inception)
{
    struct denial denial = deny_context(core, &task->job, task->signer, &task->proof);
    const struct rrset *witness = NULL;

    denial.witness = &witness;
    enum no_ds no_ds = denial_no_ds(&denial, name);
    if ((no_ds != NO_DS_NXDOMAIN && no_ds != NO_DS_OPTOUT && no_ds != NO_DS_NOT_A_CUT) || !witness)
        return false;
    for (uint32_t i = 0; i < task->checked.count; i++)
        if (task->checked.items[i].security == SECURITY_SECURE &&
            name_equal(task->checked.items[i].owner, witness->owner)) {
            *ret_inception = task->judge.inceptions[i];
            return true;
        }
    return false;
}

void val_cuts_denied(struct val_core *core, struct task *task)
{
    if (task->security != SECURITY_SECURE || task->chain.continued ||
        policy_is_kept_below_nta(core, task->job.name))
        return;
    for (unsigned i = name_labels(task->signer) + 1; i <= name_labels(task->job.name); i++) {
        const uint8_t *at = name_suffix(task->job.name, i);
        struct cache_key key;
        struct slice value;
        wall_s inception;
        if (cache_key_name(at, &key) ||
            core->view->get(core->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value))
            continue;
        struct zone *zone = val_zone_get(core, at, task->job.purse);
        /* One at work asks the parent itself. */
        if (!zone || zone->want_ds || zone->want_trust || !is_kept(&zone->rec) ||
            !is_denied(core, task, at, &inception) || val_kept_outweighs(core, zone, inception))
            continue;
        val_entries_remove(core, &task->job, CACHE_ZONE, &key);
        val_job_unlink(core, &zone->job);
    }
}
