/* The refresh of one trust point (RFC 5011 2.3): its DNSKEY RRset, fetched on a budget of its own, held
 * against the anchors in force, and each revoked key of the record against its own signature.
 *
 * It judges by itself and not by the zone's trust: what was accepted under an NTA, or goes on from a kept
 * link, must never make an anchor. */

#include <errno.h>
#include <string.h>

#include "daemons/validatord/core/internal.h"

int val_anchor_refresh(struct val_core *core, struct trust_point *point)
{
    struct budget budget = budget_fresh(core->env->mono);
    struct purse *purse = purse_new(&budget);
    if (!purse)
        return -ENOMEM;
    struct job *job = val_job_new(core, JOB_ANCHOR, point->zone, TYPE_DNSKEY, false, purse);
    purse_release(purse);
    point->refreshing = job != NULL;
    return job ? 0 : -ENOMEM;
}

/* The record takes in what came of it; the job ends. */
static int finish(struct val_core *core, struct anchor_job *refresh, bool seen, bool refused)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    struct job *job = &refresh->job;
    struct trust_point *point = val_anchor_point(core, job->name);
    struct anchor_events events = {0};
    int r = 0;

    if (point && !point->writing) {
        struct cache_anchor next = point->rec;
        bool effective = false;
        if (refused)
            anchor_note(&events, ANCHOR_EVENT_REFUSED_SET, NULL);
        if (seen)
            effective = anchor_observe(&rules, point->zone, &refresh->set, refresh->witnesses,
                                       core->env->wall, &next, &events);
        if (next.refreshed.s != core->env->wall.s || next.attempted.s)
            next.attempted = core->env->wall;
        r = val_anchor_keep(core, point, job, &next, effective, false, &events);
    }
    if (point)
        point->refreshing = false;
    val_job_unlink(core, job);
    return r;
}

void val_anchor_job_fail(struct val_core *core, struct job *job)
{
    if (!job->unlinked && job->type)
        (void)finish(core, job_anchor(job), false, false);
}

/* Other servers may have the set that validates. */
static int reject(struct val_core *core, struct anchor_job *refresh)
{
    if (val_fetch_retry(&refresh->fetch)) {
        refresh->step = ANCHOR_FETCH;
        return WAIT_NONE;
    }
    return finish(core, refresh, false, true);
}

static int step_fetch(struct val_core *core, struct anchor_job *refresh)
{
    struct job *job = &refresh->job;
    struct finding finding;

    int r = val_fetch_step(core, &refresh->fetch, job, TYPE_DNSKEY);
    if (r < 0 || r == WAIT_MORE)
        return r;
    if (r == FETCH_FAILED)
        return finish(core, refresh, false, false);
    r = finding_make(job->arena, refresh->fetch.message, job->name, TYPE_DNSKEY, refresh->fetch.cut,
                     &finding);
    if (r < 0)
        return r;
    if (finding.kind != FINDING_POSITIVE)
        return reject(core, refresh);
    refresh->keys = finding.main;
    r = anchor_set_from_rrset(job->arena, &refresh->keys.items[0], &refresh->set);
    refresh->next = 0;
    refresh->witnesses = 0;
    refresh->trying = false;
    refresh->step = ANCHOR_CHECK;
    return r;
}

/* Numbers, as bits, of the record's keys that this one is, and for which its signature would count. */
static uint32_t numbers_of(struct val_core *core, const struct trust_point *point,
                           const struct anchor_seen *seen)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    uint32_t numbers = 0;

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        bool counts = anchor_in_force(&rules, &point->rec, i) ||
                      (seen->revoked && point->rec.keys[i].state == ANCHOR_ADDPEND);
        if (counts && anchor_is(&rules, point->zone, &point->rec.keys[i], &seen->key))
            numbers |= UINT32_C(1) << i;
    }
    return numbers;
}

static void take_good(struct val_core *core, struct anchor_job *refresh, struct anchor_seen *seen)
{
    const struct judge *judge = &refresh->judge;
    int64_t life = judge->expires[0].s - core->env->wall.s;

    if (seen->revoked)
        seen->self_signed = refresh->self_signed = true;
    else
        refresh->witnesses |= refresh->numbers;
    refresh->set.ttl_s = judge->try.sig.original_ttl;
    refresh->set.life_s = life < 0 ? 0 : (uint32_t)MIN(life, (int64_t)UINT32_MAX);
}

/* Every key that counts, not the first alone: who signed is remembered for the keys that come with the set.
 */
static int step_check(struct val_core *core, struct anchor_job *refresh)
{
    const struct trust_point *point = val_anchor_point(core, refresh->job.name);

    if (!point)
        return finish(core, refresh, false, false);
    for (; refresh->next < refresh->set.count; refresh->next++, refresh->trying = false) {
        struct anchor_seen *seen = &refresh->set.seen[refresh->next];
        if (!refresh->trying) {
            refresh->numbers = numbers_of(core, point, seen);
            if (!refresh->numbers)
                continue;
            refresh->trying = true;
            val_judge_begin(&refresh->judge, &refresh->keys, refresh->job.name, &refresh->keys.items[0],
                            true);
            refresh->judge.only_key = seen->as;
            refresh->judge.by_revoked = seen->revoked;
        }
        int r = val_judge_run(core, &refresh->job, &refresh->judge);
        if (r != WAIT_NONE)
            return r;
        if (refresh->judge.bad == 0)
            take_good(core, refresh, seen);
    }
    if (!refresh->witnesses && !refresh->self_signed)
        return reject(core, refresh);
    return finish(core, refresh, true, false);
}

int val_anchor_job_run(struct val_core *core, struct job *job)
{
    struct anchor_job *refresh = job_anchor(job);
    int r = WAIT_NONE;

    if (job->type == 0)
        return 0; /* it only carries an action's bytes */
    while (r == WAIT_NONE && !job->unlinked)
        r = refresh->step == ANCHOR_FETCH ? step_fetch(core, refresh) : step_check(core, refresh);
    return r;
}
