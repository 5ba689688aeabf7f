/* A cut that its parent denies is none: what is kept of it ends there and then, and is not there to be used
 * when the parent fails later (DESIGN 5: "While P validates and says something else, P wins at once").
 *
 * Who asks for the name itself learns of the denial here. Nobody may have asked: a record that denies another
 * name covers it, or its DS is denied from the cache (RFC 8198). So a kept link is held against the records
 * when it is used.
 */

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

/* Whose word the record's statement about the DS is. NULL: nobody's that is known. */
static const uint8_t *statement_signer(const struct cache_zone *rec, const uint8_t *name)
{
    struct rrset ds = rec->ds;
    struct rrset_list list = {.items = &ds, .count = 1};

    if (rec->ds_state == DS_NONE)
        list = rec->ds_proof;
    else if (rec->ds_state != DS_SECURE && rec->ds_state != DS_UNSUPPORTED)
        return NULL;
    return evidence_signer(&list, name, true, name_root);
}

/* Of two kept statements the later signed wins; on a tie, a DS (DESIGN 5.1). The denial was validated later
 * as well: only so can it be what its zone says since. */
static bool is_later(const struct cache_rr *denial, const struct cache_zone *rec, wall_s now)
{
    struct rrsig sig;

    if (denial->rrset.sig_count == 0 || rrsig_parse(&denial->rrset.sig[0], &sig))
        return false;
    int64_t inception = now.s + (int32_t)(sig.inception - (uint32_t)now.s); /* RFC 4034 3.1.5 */
    return inception > rec->ds_inception.s || (rec->ds_state == DS_NONE && inception == rec->ds_inception.s);
}

static int link_is_denied(struct val_core *core, const struct job *by, const uint8_t *name)
{
    struct lookup lookup = val_core_lookup(core, by->arena, by->purse);
    struct job *job = val_job_find(core, JOB_ZONE, name, 0, false);
    struct cache_zone rec;
    struct cache_rr denial;
    int r = 0;

    if (job)
        rec = job_zone(job)->rec;
    else
        r = cache_zone_get(&lookup, name, &rec);
    const uint8_t *signer = r == 0 ? statement_signer(&rec, name) : NULL;
    if (signer)
        r = cache_cut_denied(&lookup, signer, name, rec.ds_validated, &denial);
    if (r < 0)
        return r;
    return signer && r == 0 && is_later(&denial, &rec, core->env->wall);
}

int val_kept_denied(struct val_core *core, const struct job *by, const uint8_t *name)
{
    for (unsigned labels = 1; labels <= name_labels(name); labels++) {
        int r = link_is_denied(core, by, name_suffix(name, labels));
        if (r != 0)
            return r;
    }
    return 0;
}
