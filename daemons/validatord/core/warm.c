/* Kept warm (DESIGN 5): DS, DNSKEY and delegations of zones in use, unsigned ones with the proof that they
 * are, are fetched anew in the last tenth of their life, behind what uses them, so that no question waits for
 * a link of its chain and continuity starts from young links. A delegation and what the parent says of its DS
 * come in one packet, the referral, which is what is asked for; with a proof of no DS come the opt-out spans
 * it is made of.
 *
 * A renewal is a zone job beside the zone's own: it takes what is due for missing, judges what comes as any
 * zone job does, and writes the record only if that holds; when it fails, the record stays as it is. Driven
 * by use, one a zone, on a budget of its own. */

#include "daemons/validatord/core/incident.h"
#include "daemons/validatord/core/internal.h"

/* Upstream questions of one renewal: DS and DNSKEY, each tried at three servers, and what finds the way. */
#define WARM_QUERIES  20u
#define ASK_QUERIES   8u  /* of one that only looks whether a silent zone is back: half of it at once */
#define WARM_RUNNING  32u /* at once: a renewal takes a tenth of a second, so that is hundreds a second */
#define WARM_EVERY_MS 1000u

static bool is_due(const struct val_core *core, wall_s validated, wall_s expires)
{
    int64_t life = expires.s - validated.s;
    uint32_t left = cache_ttl_left(validated, expires, core->env->wall);

    return left > 0 && life >= LOOKUP_REFRESH_MIN_LIFE_S && left <= life / LOOKUP_REFRESH_PART;
}

/* Each zone is looked at once in WARM_EVERY_MS. Two that share a slot keep each other from it at most. */
static bool looked_at(struct val_core *core, const uint8_t *name)
{
    mono_ns *next = &core->warm[siphash24(&core->hash_key, name, name_size(name)) % WARM_SLOTS];

    if (!mono_reached(core->env->mono, *next))
        return true;
    *next = mono_add_ms(core->env->mono, WARM_EVERY_MS);
    return false;
}

/* A failure that is remembered, or an incident of the zone that would be asked: not now. */
static bool may_ask(struct val_core *core, struct job *by, const uint8_t *name, uint16_t type)
{
    struct failure why;

    return !val_failure_known(core, by->arena, name, type, &why) &&
           !val_incident_above(core, type == TYPE_DS ? name_parent(name) : name, NULL);
}

static void renew(struct val_core *core, const uint8_t *name, uint32_t queries, bool ds, bool keys)
{
    struct budget budget = budget_fresh(core->env->mono);

    budget.upstream_queries = queries;
    struct purse *purse = purse_new(&budget);
    struct job *job = purse ? val_job_new(core, JOB_ZONE, name, ZONE_RENEWAL, false, purse) : NULL;
    purse_release(purse);
    if (!job)
        return;
    struct zone *zone = job_zone(job);
    core->warm_running++;
    core->stats.renewals++;
    zone->renew_ds = ds;
    zone->renew_keys = keys;
    zone->want_ds = ds;
    zone->want_trust = keys;
    if (val_zone_load(core, zone) < 0)
        val_job_unlink(core, job);
    else
        zone->ds_fetch.to_referral = zone->rec.has_delegation;
}

void val_warm_ask(struct val_core *core, const uint8_t *zone)
{
    if (core->warm_running < WARM_RUNNING && !val_job_find(core, JOB_ZONE, zone, ZONE_RENEWAL, false))
        renew(core, zone, ASK_QUERIES, true, false);
}

/* above: the delegation of a zone above is being renewed, and one that is given now would end with the old
 * one. */
static void look_at(struct val_core *core, struct job *by, const uint8_t *name, bool above)
{
    struct lookup lookup = val_core_lookup(core, by->arena, by->purse);
    struct cache_zone rec;
    unsigned labels;

    if (core->warm_running >= WARM_RUNNING || looked_at(core, name) ||
        cache_zone_get(&lookup, name, &rec) != 0 || policy_governs(core, name, &labels) != GOVERNED_ANCHOR)
        return;
    bool delegation = rec.has_delegation && is_due(core, rec.ns_stored, rec.ns_expires);
    bool proof = rec.ds_state == DS_SECURE || (rec.has_delegation && rec.ds_state != DS_UNKNOWN);
    bool ds = !name_is_root(name) && !above &&
              (delegation || (proof && is_due(core, rec.ds_validated, rec.ds_expires))) &&
              may_ask(core, by, name, TYPE_DS);
    bool keys = rec.has_dnskey && is_due(core, rec.dnskey_validated, rec.dnskey_expires) &&
                may_ask(core, by, name, TYPE_DNSKEY);
    if ((ds || keys) && !val_job_find(core, JOB_ZONE, name, ZONE_RENEWAL, false))
        renew(core, name, WARM_QUERIES, ds, keys);
}

void val_warm_used(struct val_core *core, struct job *by, const uint8_t *zone)
{
    bool above = false;

    for (unsigned labels = 0; labels <= name_labels(zone); labels++) {
        const uint8_t *at = name_suffix(zone, labels);
        look_at(core, by, at, above);
        struct job *renewal = val_job_find(core, JOB_ZONE, at, ZONE_RENEWAL, false);
        above = above || (renewal && job_zone(renewal)->renew_ds);
    }
}

int val_warm_take_referral(struct val_core *core, struct zone *zone)
{
    const struct fetch *fetch = &zone->ds_fetch;
    struct referral referral;

    int r = referral_make(zone->job.arena, fetch->message, zone->job.name, TYPE_NS, fetch->cut, &referral);
    if (r != 0 || !name_equal(referral.child, zone->job.name))
        return r < 0 ? r : 1;
    val_agent_learn(core, fetch, fetch->cut, referral.report_channel);
    zone->offer = (struct offer){.present = true,
                                 .ns = referral.ns,
                                 .glue = referral.glue,
                                 .server = fetch->server,
                                 .from = fetch->cut};
    zone->statement = referral.statement;
    zone->statement.server = fetch->server;
    zone->renewed_delegation = true;
    return 0;
}

static void merge_delegation(struct cache_zone *rec, const struct cache_zone *now)
{
    rec->has_delegation = now->has_delegation && rec->ds_state != DS_NOT_A_CUT;
    rec->ns = now->ns;
    rec->glue = now->glue;
    rec->ns_stored = now->ns_stored;
    rec->ns_expires = now->ns_expires;
}

void val_warm_merge(struct val_core *core, struct zone *zone)
{
    struct lookup lookup = val_core_lookup(core, zone->job.arena, zone->job.purse);
    struct cache_zone now;

    if (cache_zone_get(&lookup, zone->job.name, &now) != 0)
        return;
    if (!zone->renewed_delegation || now.ns_stored.s > zone->rec.ns_stored.s)
        merge_delegation(&zone->rec, &now);
    /* What the referral brought lies in the main place, and then no unproven one beside it. */
    if (zone->renewed_delegation && now.loose == LOOSE_UNPROVEN)
        now.loose = LOOSE_NONE;
    zone->rec.loose = now.loose;
    zone->rec.loose_ns = now.loose_ns;
    zone->rec.loose_glue = now.loose_glue;
    zone->rec.loose_stored = now.loose_stored;
    zone->rec.loose_expires = now.loose_expires;
}

void val_warm_end(struct val_core *core, struct zone *zone)
{
    struct job *job = val_job_find(core, JOB_ZONE, zone->job.name, 0, false);

    /* The zone's own job has the record as it was: who asks next loads it anew. */
    if (job && !job_zone(job)->want_ds && !job_zone(job)->want_trust)
        val_job_unlink(core, job);
    val_job_unlink(core, &zone->job);
}
