/* Is a name inside a chain of trust? RFC 4035 5.2 by DS look-ups from the deepest zone known to be secure
 * down to the name, one label a step, because a server that holds parent and child gives no referral to tell
 * of a cut. */

#include <errno.h>

#include "daemons/validatord/core/kept.h"

/* Fresh DS knowledge of the cache counts as done. */
static bool ds_known(struct val_core *core, struct zone *zone)
{
    if (!zone->ds_done && !zone->offer.present && zone->ds_step == DS_BEGIN &&
        zone->rec.ds_state != DS_UNKNOWN &&
        cache_ttl_left(zone->rec.ds_validated, zone->rec.ds_expires, core->env->wall) > 0)
        val_zone_ds_from_record(zone);
    return zone->ds_done;
}

/* Is there a record or a running job for this zone? Makes no job for names of which nothing is known. */
static struct zone *zone_peek(struct val_core *core, const uint8_t *name, struct purse *purse)
{
    struct job *job = val_job_find(core, JOB_ZONE, name, 0, false);
    struct cache_key key;
    struct slice value;

    if (job)
        return job_zone(job);
    if (cache_key_name(name, &key) ||
        core->view->get(core->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value))
        return NULL;
    return val_zone_get(core, name, purse);
}

static enum walk_outcome wait_for(struct val_core *core, struct job *job, struct zone *zone)
{
    zone->want_ds = true;
    val_job_ready(core, &zone->job);
    val_job_wait(job, &zone->job);
    return WALK_WAIT;
}

/* From the name upwards: the deepest zone whose DS is known, or about to be. *ret_labels: of it, else of the
 * anchor. */
static enum walk_outcome start(struct val_core *core, struct job *job, const uint8_t *name, bool known_only,
                               unsigned anchor_labels, unsigned *ret_labels, struct failure *ret_why,
                               struct chain *ret_chain)
{
    unsigned labels = name_labels(name);

    for (unsigned i = labels; i > anchor_labels; i--) {
        const uint8_t *at = name_suffix(name, i);
        struct zone *zone = zone_peek(core, at, job->purse);
        if (!zone || &zone->job == job)
            continue;
        if (!ds_known(core, zone)) {
            /* A statement of the parent is being judged: what comes out of it saves the steps above. */
            if (zone->want_ds && zone->statement.present && zone->statement.signer)
                return wait_for(core, job, zone);
            /* What is kept of it may be all there is: the steps above need not come to anything. */
            if (!known_only && kept_ds_known(core, &zone->rec))
                return wait_for(core, job, zone);
            continue;
        }
        if (zone->ds == ZONE_DS_INSECURE) {
            *ret_why = zone->insecure;
            *ret_chain = zone->chain;
            return WALK_INSECURE;
        }
        if (zone->ds == ZONE_DS_FAILED) {
            *ret_why = zone->failure;
            return WALK_FAILED;
        }
        if (zone->ds == ZONE_DS_SECURE) {
            *ret_labels = i;
            return WALK_SECURE;
        }
    }
    *ret_labels = anchor_labels;
    return WALK_SECURE;
}

enum walk_outcome val_walk(struct val_core *core, struct job *job, const uint8_t *name, bool known_only,
                           struct failure *ret_why, struct chain *ret_chain)
{
    unsigned anchor_labels, labels = name_labels(name), at_labels;
    enum governed governed = policy_governs(core, name, &anchor_labels);

    ret_why->ede = EDE_NONE;
    *ret_chain = (struct chain){0};
    if (governed != GOVERNED_ANCHOR) {
        if (governed == GOVERNED_NTA)
            val_nta_reason(core, name, ret_why);
        return WALK_INSECURE;
    }
    enum walk_outcome outcome =
        start(core, job, name, known_only, anchor_labels, &at_labels, ret_why, ret_chain);
    if (outcome != WALK_SECURE || known_only)
        return outcome;
    for (unsigned i = at_labels + 1; i <= labels; i++) {
        struct zone *zone = val_zone_get(core, name_suffix(name, i), job->purse);
        if (!zone || &zone->job == job) {
            val_failure_set(ret_why, EDE_OTHER, "");
            ret_why->budget = true;
            return WALK_FAILED;
        }
        if (!ds_known(core, zone))
            return wait_for(core, job, zone);
        if (zone->ds == ZONE_DS_INSECURE) {
            *ret_why = zone->insecure;
            *ret_chain = zone->chain;
            return WALK_INSECURE;
        }
        if (zone->ds == ZONE_DS_FAILED) {
            *ret_why = zone->failure;
            ret_why->labels = (uint8_t)i;
            return WALK_FAILED;
        }
    }
    return WALK_SECURE;
}

static bool record_secure(const struct val_core *core, const struct cache_zone *rec)
{
    return rec->ds_state == DS_SECURE &&
           cache_ttl_left(rec->ds_validated, rec->ds_expires, core->env->wall) > 0;
}

/* RFC 6840 C.2, "Accept Any Success": what a zone above the closest anchor has signed counts when another
 * anchor governs that zone, and nothing is exempt on the way. But a zone whose keys the closest anchor
 * validates is a cut, and then what its parents sign below it is no data of theirs; and that its keys are out
 * of reach shows nothing. */
static enum fit fits_above_anchor(struct val_core *core, struct job *job, const uint8_t *anchored,
                                  const uint8_t *signer)
{
    unsigned ignored;

    if (!policy_has_anchor(core, anchored))
        return FIT_NO; /* a DS kept below an NTA */
    for (unsigned i = name_labels(signer); i < name_labels(anchored); i++)
        if (policy_governs(core, name_suffix(anchored, i), &ignored) != GOVERNED_ANCHOR)
            return FIT_NO;
    struct zone *zone = val_zone_get(core, anchored, job->purse);
    if (!zone || &zone->job == job)
        return FIT_NO;
    if (!zone->trust_done) {
        zone->want_trust = true;
        val_job_ready(core, &zone->job);
        val_job_wait(job, &zone->job);
        return FIT_WAIT;
    }
    return zone->trust == SECURITY_BOGUS && !zone->failure.transport && !zone->failure.budget ? FIT_YES
                                                                                              : FIT_NO;
}

enum fit val_signer_fits(struct val_core *core, struct job *job, const uint8_t *owner, unsigned labels,
                         const uint8_t *signer, unsigned anchor_labels)
{
    if (name_labels(signer) < anchor_labels) {
        enum fit fit = fits_above_anchor(core, job, name_suffix(owner, anchor_labels), signer);
        if (fit != FIT_YES)
            return fit;
    }
    for (unsigned i = labels; i > name_labels(signer); i--) {
        if (i == anchor_labels)
            continue; /* settled above */
        const uint8_t *at = name_suffix(owner, i);
        struct job *running = val_job_find(core, JOB_ZONE, at, 0, false);
        struct zone *zone = running ? job_zone(running) : NULL;
        if (!zone) {
            struct lookup lookup = val_core_lookup(core, job->arena, job->purse);
            struct cache_zone rec;
            if (cache_zone_get(&lookup, at, &rec) == 0 && record_secure(core, &rec))
                return FIT_NO;
        } else if (zone->ds_done) {
            if (zone->ds == ZONE_DS_SECURE)
                return FIT_NO;
        } else if (zone->want_ds && zone->statement.present && zone->statement.signer) {
            /* Whether there is a cut between the two is just being judged. */
            val_job_wait(job, running);
            return FIT_WAIT;
        } else if (record_secure(core, &zone->rec)) {
            return FIT_NO;
        }
    }
    return FIT_YES;
}
