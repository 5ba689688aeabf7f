/* Where a fetch starts: the deepest delegation in force, or, when the zones above it fail, a kept one below
 * them. */

#include <errno.h>

#include "daemons/validatord/core/kept.h"

static bool is_left(const struct val_core *core, wall_s stored, wall_s expires)
{
    return cache_ttl_left(stored, expires, core->env->wall) > 0;
}

static void take_main(const struct cache_zone *rec, struct cut *ret_cut)
{
    ret_cut->ns = rec->ns;
    ret_cut->glue = rec->glue;
}

/* A loose delegation counts beside nothing better: of an NTA while it lasts, an unproven one never over a
 * kept one. */
static bool loose_counts(const struct val_core *core, const uint8_t *name, const struct cache_zone *rec)
{
    unsigned labels;

    if (!rec->loose || !is_left(core, rec->loose_stored, rec->loose_expires))
        return false;
    if (rec->loose == LOOSE_NTA)
        return policy_governs(core, name, &labels) == GOVERNED_NTA;
    return !kept_delegation_known(core, rec);
}

static bool record_in_force(const struct val_core *core, const uint8_t *name, const struct cache_zone *rec,
                            struct cut *ret_cut)
{
    if (rec->has_delegation && is_left(core, rec->ns_stored, rec->ns_expires)) {
        take_main(rec, ret_cut);
        return true;
    }
    if (!loose_counts(core, name, rec))
        return false;
    ret_cut->ns = rec->loose_ns;
    ret_cut->glue = rec->loose_glue;
    return true;
}

/* Of a zone at work, which may not be in the view yet. */
static bool zone_in_force(const struct val_core *core, const struct zone *zone, const struct job *owner,
                          struct cut *ret_cut)
{
    bool settled = zone->ds_done && zone->ds != ZONE_DS_FAILED;

    if (!settled && &zone->job != owner)
        return false;
    if (record_in_force(core, zone->job.name, &zone->rec, ret_cut))
        return true;
    if (settled && zone->chain.continued && zone->chain.labels == name_labels(zone->job.name) &&
        kept_delegation_known(core, &zone->rec)) {
        take_main(&zone->rec, ret_cut);
        return true;
    }
    if (zone->ds_done || !zone->offer.present)
        return false;
    ret_cut->ns = zone->offer.ns;
    ret_cut->glue = zone->offer.glue;
    return true;
}

int val_cut_in_force(struct val_core *core, const struct job *owner, const uint8_t *name, struct cut *ret_cut)
{
    struct lookup lookup = val_core_lookup(core, owner->arena, owner->purse);

    for (const uint8_t *at = name;; at = name_parent(at)) {
        struct job *job = val_job_find(core, JOB_ZONE, at, 0, false);
        struct cache_zone rec;
        bool found = job && zone_in_force(core, job_zone(job), owner, ret_cut);
        if (!found) {
            int r = cache_zone_get(&lookup, at, &rec);
            if (r < 0)
                return r;
            found = r == 0 && record_in_force(core, at, &rec, ret_cut);
        }
        ret_cut->name = found ? at : NULL;
        if (found || name_is_root(at))
            return 0;
    }
}

int val_cut_kept(struct val_core *core, const struct job *owner, const uint8_t *name, unsigned above_labels,
                 const struct failure *cause, struct cut *ret_cut, struct failure *ret_why)
{
    struct lookup lookup = val_core_lookup(core, owner->arena, owner->purse);

    for (unsigned labels = above_labels + 1; labels <= name_labels(name); labels++) {
        const uint8_t *at = name_suffix(name, labels);
        struct job *job = val_job_find(core, JOB_ZONE, at, 0, false);
        struct cache_zone rec;
        int r = 0;
        if (job)
            rec = job_zone(job)->rec;
        else
            r = cache_zone_get(&lookup, at, &rec);
        if (r < 0)
            return r;
        /* What is in force needs no keeping: the parent's own word led there, or will. */
        if (r != 0 || !kept_delegation_known(core, &rec) || is_left(core, rec.ns_stored, rec.ns_expires))
            continue;
        r = val_kept_denied(core, owner, at);
        if (r != 0)
            return r;
        take_main(&rec, ret_cut);
        ret_cut->name = at;
        ret_cut->expires = rec.ns_expires;
        kept_text(core, ret_why, "delegation", at, rec.ns_expires, cause);
        return 0;
    }
    return 1;
}
