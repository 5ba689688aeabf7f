/* A zone: what is known of its cut and its trust, loaded from the cache, made by referrals, DS and DNSKEY. */

#include <errno.h>
#include <string.h>

#include "daemons/validatord/core/kept.h"

static int copy_list(struct arena *arena, struct rrset_list *list)
{
    struct rrset_list copy = {0};

    for (uint32_t i = 0; i < list->count; i++) {
        struct rrset rrset;
        int r = rrset_copy(arena, &list->items[i], &rrset);
        if (r == 0)
            r = rrset_list_add(arena, &copy, &rrset);
        if (r < 0)
            return r;
    }
    *list = copy;
    return 0;
}

static int copy_set(struct arena *arena, struct rrset *rrset)
{
    struct rrset copy;
    int r = rrset_copy(arena, rrset, &copy);

    if (r == 0)
        *rrset = copy;
    return r;
}

/* The record as the cache has it, its expired parts too: they are kept when the record is written anew. */
int val_zone_load(struct val_core *core, struct zone *zone)
{
    struct cache_key key;
    struct slice value;
    struct cache_zone rec;
    struct arena *arena = zone->job.arena;

    if (cache_key_name(zone->job.name, &key) ||
        core->view->get(core->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value))
        return 0;
    int r = cache_zone_decode(arena, cache_key_slice(&key), value, zone->job.name, &rec);
    if (r != 0)
        return r < 0 ? r : 0;
    if (rec.has_delegation) {
        r = copy_set(arena, &rec.ns);
        if (r == 0)
            r = copy_list(arena, &rec.glue);
    }
    if (r == 0 && (rec.ds_state == DS_SECURE || rec.ds_state == DS_UNSUPPORTED))
        r = copy_set(arena, &rec.ds);
    if (r == 0 && rec.loose) {
        r = copy_set(arena, &rec.loose_ns);
        if (r == 0)
            r = copy_list(arena, &rec.loose_glue);
    }
    if (r == 0)
        r = copy_list(arena, &rec.ds_proof);
    if (r == 0 && rec.has_dnskey)
        r = copy_set(arena, &rec.dnskey);
    if (r == 0)
        zone->rec = rec;
    return r;
}

static bool wants(const struct zone *zone)
{
    return (zone->want_ds && !zone->ds_done) || (zone->want_trust && !zone->trust_done);
}

/* A zone at rest is not looked at again, so it goes before the first of what it rests on ends: else an answer
 * could say nothing of a link that is past its TTL. What has ended already is told as continued. */
static uint64_t rest_ms(const struct val_core *core, const struct zone *zone)
{
    const struct cache_zone *rec = &zone->rec;
    wall_s now = core->env->wall;
    bool ds = zone->ds_done && rec->ds_state != DS_UNKNOWN, keys = zone->trust_done && rec->has_dnskey;
    bool ends = (ds && cache_ttl_left(rec->ds_validated, rec->ds_expires, now) == 1) ||
                (keys && cache_ttl_left(rec->dnskey_validated, rec->dnskey_expires, now) == 1);

    if (ends)
        return 0;
    /* A burst of zones that nobody asks for twice is so many kilobytes each, for as long as they stay. */
    bool all_written = zone->ds_done && zone->trust_done && zone->trust == SECURITY_SECURE &&
                       !zone->unwritten && !zone->keys_kept;
    return all_written && !zone->asked_again ? LINGER_LONE_MS : LINGER_ZONE_MS;
}

struct zone *val_zone_get(struct val_core *core, const uint8_t *name, struct purse *purse)
{
    struct job *job = val_job_find(core, JOB_ZONE, name, 0, false);

    if (job) {
        struct zone *zone = job_zone(job);
        bool again = job->purse != purse, rests = !zone->want_ds && !zone->want_trust;
        if (again && rests) {
            /* Whoever wants something of it now pays for it. */
            purse_release(job->purse);
            job->purse = purse;
            purse->refs++;
        }
        if (again && !zone->asked_again) {
            zone->asked_again = true;
            if (rests)
                val_job_linger(core, job, rest_ms(core, zone));
        }
        return zone;
    }
    job = val_job_new(core, JOB_ZONE, name, 0, false, purse);
    if (!job)
        return NULL;
    struct zone *zone = job_zone(job);
    if (val_zone_load(core, zone) < 0) {
        val_job_unlink(core, job);
        return NULL;
    }
    return zone;
}

/* What rests on the parent's kept keys would outlive them; the child's own keys under the DS that was known
 * are its own. */
static struct cache_zone to_write(const struct zone *zone)
{
    const struct cache_zone *now = &zone->rec;
    struct cache_zone rec = zone->record;

    if (!zone->unwritten)
        return *now;
    if (!zone->unwritten_same || !now->has_dnskey)
        return rec;
    rec.has_dnskey = true;
    rec.ds_held = now->ds_held;
    rec.dnskey = now->dnskey;
    rec.dnskey_validated = now->dnskey_validated;
    rec.dnskey_expires = now->dnskey_expires;
    rec.dnskey_signature_expires = now->dnskey_signature_expires;
    return rec;
}

void val_zone_store(struct val_core *core, struct zone *zone)
{
    struct cache_key key;
    struct slice value;

    if (!zone->changed)
        return;
    zone->changed = false;
    if (zone->job.type == ZONE_RENEWAL)
        val_warm_merge(core, zone);
    struct cache_zone rec = to_write(zone);
    if (cache_key_name(zone->job.name, &key) == 0 &&
        cache_zone_encode(zone->job.arena, cache_key_slice(&key), &rec, &value) == 0)
        val_entries_put(core, &zone->job, CACHE_ZONE, &key, value);
}

int val_zone_run(struct val_core *core, struct zone *zone)
{
    bool ds_before = zone->ds_done, trust_before = zone->trust_done;
    int r = 0;

    if (!zone->ds_done && (zone->want_ds || zone->want_trust))
        r = val_zone_ds_run(core, zone);
    if (r >= 0 && zone->want_trust && !zone->trust_done)
        r = val_zone_keys_run(core, zone);
    if (r < 0) {
        struct failure why = {.ede = EDE_OTHER, .budget = true};
        val_zone_fail(core, zone, &why);
    }
    if (zone->ds_done != ds_before || zone->trust_done != trust_before)
        val_job_wake_waiters(core, &zone->job);
    if (!wants(zone)) {
        zone->want_ds = zone->want_trust = false;
        if (zone->job.type == ZONE_RENEWAL)
            val_warm_end(core, zone);
        else
            val_job_linger(core, &zone->job, rest_ms(core, zone));
    } else if (!zone->ds_fetch.again && !zone->key_fetch.again) {
        mono_ns kept =
            mono_earlier(val_fetch_deadline(&zone->ds_fetch), val_fetch_deadline(&zone->key_fetch));
        val_timer_set(core, &zone->job, mono_earlier(kept, zone->job.purse->budget.deadline));
    }
    return 0;
}

void val_zone_fail(struct val_core *core, struct zone *zone, const struct failure *why)
{
    val_failure_better(&zone->failure, why);
    if (!zone->ds_done) {
        zone->ds_done = true;
        zone->ds = ZONE_DS_FAILED;
    }
    if (!zone->trust_done) {
        zone->trust_done = true;
        zone->trust = SECURITY_BOGUS;
    }
    val_job_wake_waiters(core, &zone->job);
}

static int copy_delegation(struct arena *arena, const struct referral *referral, struct rrset *ret_ns,
                           struct rrset_list *ret_glue)
{
    struct rrset ns = referral->ns;
    struct rrset_list glue = referral->glue;
    int r = copy_set(arena, &ns);

    if (r == 0)
        r = copy_list(arena, &glue);
    if (r < 0)
        return r;
    *ret_ns = ns;
    *ret_glue = glue;
    return 0;
}

/* Learnt under an NTA: what was kept before it stays beside it, and this ends with it. */
static int take_under_nta(struct val_core *core, struct zone *zone, const struct referral *referral)
{
    struct cache_zone *rec = &zone->rec;

    if (rec->loose == LOOSE_NTA && cache_ttl_left(rec->loose_stored, rec->loose_expires, core->env->wall) > 0)
        return 0;
    int r = copy_delegation(zone->job.arena, referral, &rec->loose_ns, &rec->loose_glue);
    if (r < 0)
        return r;
    rec->loose = LOOSE_NTA;
    rec->loose_stored = core->env->wall;
    rec->loose_expires.s = core->env->wall.s + MIN(rec->loose_ns.ttl, core->config.max_ttl_s);
    zone->changed = true;
    return 0;
}

/* THREATS: Ghost. No delegation outlives that of the zone which gave it: when that one ends, the walk begins
 * above, and what was taken away there is gone with all below it. */
static uint32_t parent_left(struct val_core *core, struct zone *zone, const uint8_t *cut)
{
    struct job *job = val_job_find(core, JOB_ZONE, cut, 0, false);
    const struct cache_zone *rec = job ? &job_zone(job)->rec : NULL;
    struct lookup lookup = val_core_lookup(core, zone->job.arena, zone->job.purse);
    struct cache_zone stored;

    if (!rec && cache_zone_get(&lookup, cut, &stored) == 0)
        rec = &stored;
    uint32_t left =
        rec && rec->has_delegation ? cache_ttl_left(rec->ns_stored, rec->ns_expires, core->env->wall) : 0;
    return left ? MIN(left, core->config.max_ttl_s) : core->config.max_ttl_s;
}

void val_zone_settle_offer(struct val_core *core, struct zone *zone, bool proven)
{
    struct cache_zone *rec = &zone->rec;
    struct offer *offer = &zone->offer;

    if (!offer->present)
        return;
    offer->present = false;
    if (proven) {
        rec->has_delegation = true;
        rec->ns = offer->ns;
        rec->glue = offer->glue;
        rec->ns_stored = core->env->wall;
        rec->ns_expires.s = core->env->wall.s + MIN(offer->ns.ttl, parent_left(core, zone, offer->from));
        if (rec->loose == LOOSE_UNPROVEN)
            rec->loose = LOOSE_NONE;
        zone->changed = true;
    } else if (!kept_delegation_known(core, rec)) {
        rec->loose = LOOSE_UNPROVEN;
        rec->loose_ns = offer->ns;
        rec->loose_ns.rank = RANK_ADDITIONAL;
        rec->loose_glue = offer->glue;
        rec->loose_stored = core->env->wall;
        rec->loose_expires.s = core->env->wall.s + MIN(offer->ns.ttl, UNPROVEN_TTL_MAX_S);
        zone->changed = true;
    }
}

/* The delegation of a referral is the zone's once the statement with it holds, unless the one it has is still
 * in force: from the parent either way, and what is in force is not replaced by what another message says. */
static int take_offer(struct val_core *core, struct zone *zone, const struct referral *referral,
                      const uint8_t *cut, const struct address *server)
{
    struct offer *offer = &zone->offer;
    const struct cache_zone *rec = &zone->rec;
    unsigned labels;

    if (policy_governs(core, zone->job.name, &labels) == GOVERNED_NTA)
        return take_under_nta(core, zone, referral);
    if (rec->has_delegation && cache_ttl_left(rec->ns_stored, rec->ns_expires, core->env->wall) > 0)
        return 0;
    offer->from = arena_copy(zone->job.arena, cut, name_size(cut));
    if (!offer->from)
        return -ENOMEM;
    int r = copy_delegation(zone->job.arena, referral, &offer->ns, &offer->glue);
    if (r < 0)
        return r;
    offer->server = *server;
    offer->present = true;
    if (zone->ds_done && zone->ds != ZONE_DS_FAILED && !zone->chain.continued)
        val_zone_settle_offer(core, zone, true);
    return 0;
}

static int take_statement(struct zone *zone, const struct statement *from, const uint8_t *cut,
                          const struct address *server)
{
    struct statement statement = *from;
    int r = copy_list(zone->job.arena, &statement.list);

    if (r < 0)
        return r;
    statement.signer = evidence_signer(&statement.list, zone->job.name, true, cut);
    statement.server = *server;
    zone->statement = statement;
    zone->want_ds = true;
    return 0;
}

/* The shallowest ancestor of the target that the records, if they hold, show to be an unsigned delegation.
 * NULL: none. */
static const uint8_t *shown_delegation(struct val_core *core, struct task *task,
                                       const struct rrset_list *list)
{
    const uint8_t *target = task->finding.target;
    struct denial denial = deny_context(core, &task->job, task->signer, list);

    for (unsigned i = name_labels(task->signer) + 1; i <= name_labels(target); i++) {
        enum no_ds no_ds = denial_no_ds(&denial, name_suffix(target, i));
        if (no_ds == NO_DS_INSECURE_DELEGATION || no_ds == NO_DS_OPTOUT)
            return name_suffix(target, i);
        if (no_ds != NO_DS_NOT_A_CUT && no_ds != NO_DS_NOT_PROVEN)
            return NULL;
    }
    return NULL;
}

int val_zone_shown(struct val_core *core, struct task *task)
{
    const struct finding *f = &task->finding;
    struct statement statement = {.present = true, .kind = FINDING_NODATA};

    if (!f->target || f->target_here || f->proof.count == 0 || !name_is_below(f->target, task->signer))
        return 0;
    int r = evidence_signed_by(task->job.arena, &f->proof, task->signer, &statement.list);
    if (r < 0 || statement.list.count == 0)
        return r;
    const uint8_t *child = shown_delegation(core, task, &statement.list);
    struct zone *zone = child ? val_zone_get(core, child, task->job.purse) : NULL;
    if (!zone)
        return child ? -ENOMEM : 0;
    if (zone->ds_done || zone->statement.present || zone->ds_step != DS_BEGIN)
        return 0;
    r = take_statement(zone, &statement, f->cut, &task->fetch.server);
    val_job_ready(core, &zone->job);
    return r;
}

int val_zone_referred(struct val_core *core, struct job *by, struct slice wire, struct fetch *fetch,
                      const uint8_t *cut, const struct address *server)
{
    struct referral referral;
    int r = referral_make(by->arena, wire, by->name, fetch->type, cut, &referral);
    if (r != 0)
        return r < 0 ? r : 0;
    val_agent_learn(core, fetch, cut, referral.report_channel);
    fetch->reached_labels = (uint8_t)name_labels(referral.child);
    struct zone *zone = val_zone_get(core, referral.child, by->purse);
    if (!zone || &zone->job == by)
        return zone ? 0 : -ENOMEM;
    r = take_offer(core, zone, &referral, cut, server);
    if (r < 0)
        return r;
    val_zone_note_ds(core, zone, &referral.statement);
    if (!zone->ds_done && !zone->statement.present && zone->ds_step == DS_BEGIN) {
        r = take_statement(zone, &referral.statement, cut, server);
        if (r < 0)
            return r;
        /* With a DS the keys will be needed: fetched while the walk goes on. */
        bool asked_anyway = fetch->type == TYPE_DNSKEY && name_equal(by->name, zone->job.name);
        zone->want_trust = zone->want_trust || (zone->statement.kind == FINDING_POSITIVE && !asked_anyway);
    }
    val_job_ready(core, &zone->job);
    return 0;
}
