/* What the parent says about a zone's DS: from the cache, from a referral that came by, or asked for.
 *
 * A signed statement is held against its signer's keys, whoever sent it. An unsigned one is worth nothing by
 * itself: the zone is insecure only if the zone above is, which the walk from the anchor down has to show
 * (RFC 4035 5.2). */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

static int conclude(struct zone *zone, enum zone_ds ds)
{
    zone->ds_done = true;
    zone->ds = ds;
    return WAIT_NONE;
}

void val_zone_ds_from_record(struct zone *zone)
{
    enum zone_ds ds = ZONE_DS_INSECURE;

    if (zone->rec.ds_state == DS_SECURE)
        ds = ZONE_DS_SECURE;
    else if (zone->rec.ds_state == DS_NOT_A_CUT)
        ds = ZONE_DS_NOT_A_CUT;
    conclude(zone, ds);
}

static int fail(struct val_core *core, struct zone *zone, const struct failure *why, bool own)
{
    val_failure_better(&zone->failure, why);
    if (own)
        val_failure_remember(core, &zone->job, TYPE_DS, &zone->failure);
    return conclude(zone, ZONE_DS_FAILED);
}

/* The statement does not hold: ask, or ask others, while that is allowed. */
static int reject(struct val_core *core, struct zone *zone, const struct failure *why)
{
    val_failure_better(&zone->failure, why);
    bool asked = zone->ds_fetch.tries > 0;
    if (why->budget || (asked && !val_fetch_retry(&zone->ds_fetch)))
        return fail(core, zone, why, true);
    if (!asked)
        val_fetch_avoid(&zone->ds_fetch, &zone->statement.server);
    zone->statement = (struct statement){0};
    zone->checked = (struct rrset_list){0};
    if (zone->signer)
        val_job_release(core, &TAKE(zone->signer)->job);
    zone->ds_step = DS_FETCH;
    return WAIT_NONE;
}

static int insecure(struct val_core *core, struct zone *zone, const struct failure *why)
{
    zone->insecure = *why;
    conclude(zone, ZONE_DS_INSECURE);
    val_zone_store(core, zone); /* the delegation; that it is insecure is what the zone above says */
    return WAIT_NONE;
}

static int step_begin(struct val_core *core, struct zone *zone)
{
    struct cache_zone *rec = &zone->rec;
    struct failure why = {.ede = EDE_NONE};
    unsigned labels;

    if (name_is_root(zone->job.name)) {
        /* No parent: the root is governed by an anchor, or not at all. */
        conclude(zone, policy_governs(core, zone->job.name, &labels) == GOVERNED_ANCHOR ? ZONE_DS_SECURE
                                                                                        : ZONE_DS_INSECURE);
        return WAIT_NONE;
    }
    enum governed governed = policy_governs(core, zone->job.name, &labels);
    if (governed != GOVERNED_ANCHOR) {
        if (governed == GOVERNED_NTA)
            val_failure_set(&why, EDE_NEGATIVE_TRUST_ANCHOR, "");
        return insecure(core, zone, &why);
    }
    if (labels == name_labels(zone->job.name)) {
        conclude(zone, ZONE_DS_SECURE); /* its own anchor stands for the DS */
        val_zone_store(core, zone);
        return WAIT_NONE;
    }
    if (rec->ds_state != DS_UNKNOWN && !zone->renew_ds &&
        cache_ttl_left(rec->ds_validated, rec->ds_expires, core->env->wall) > 0) {
        val_zone_ds_from_record(zone);
        return WAIT_NONE;
    }
    if (val_failure_known(core, zone->job.arena, zone->job.name, TYPE_DS, &why))
        return fail(core, zone, &why, false);
    if (zone->statement.present && zone->statement.signer) {
        zone->ds_step = DS_TRUST;
        return WAIT_NONE;
    }
    switch (val_walk(core, &zone->job, name_parent(zone->job.name), true, &why)) {
    case WALK_WAIT:
        return WAIT_MORE;
    case WALK_INSECURE:
        return insecure(core, zone, &why);
    case WALK_FAILED:
        return fail(core, zone, &why, false);
    case WALK_SECURE:
        break;
    }
    zone->ds_step = DS_FETCH;
    return WAIT_NONE;
}

static int step_fetch(struct val_core *core, struct zone *zone)
{
    struct fetch *fetch = &zone->ds_fetch;
    struct finding finding;

    int r = val_fetch_step(core, fetch, &zone->job, TYPE_DS);
    if (r < 0 || r == WAIT_MORE)
        return r;
    if (r == FETCH_FAILED)
        return fail(core, zone, &fetch->failure, true);
    r = finding_make(zone->job.arena, fetch->message, zone->job.name, TYPE_DS, fetch->cut, &finding);
    if (r < 0)
        return r;
    statement_from_finding(&finding, zone->job.name, &zone->statement);
    zone->statement.server = fetch->server;
    zone->ds_step = zone->statement.signer ? DS_TRUST : DS_WALK;
    return WAIT_NONE;
}

static int step_walk(struct val_core *core, struct zone *zone)
{
    struct failure why;

    switch (val_walk(core, &zone->job, name_parent(zone->job.name), false, &why)) {
    case WALK_WAIT:
        return WAIT_MORE;
    case WALK_INSECURE:
        return insecure(core, zone, &why);
    case WALK_FAILED:
        return fail(core, zone, &why, false);
    case WALK_SECURE:
        break;
    }
    bool denial = zone->statement.kind == FINDING_NODATA || zone->statement.kind == FINDING_NXDOMAIN;
    bool no_proof = denial && zone->statement.list.count == 0 && !zone->statement.soa_unsigned;
    val_failure_rrset(&why, no_proof ? EDE_NSEC_MISSING : EDE_RRSIGS_MISSING, zone->job.name, TYPE_DS, 0);
    return reject(core, zone, &why);
}

static int step_trust(struct val_core *core, struct zone *zone)
{
    struct failure why = {.ede = EDE_NONE};
    unsigned anchor_labels;

    policy_governs(core, zone->job.name, &anchor_labels);
    enum fit fit = val_signer_fits(core, &zone->job, zone->job.name, name_labels(zone->job.name) - 1,
                                   zone->statement.signer, anchor_labels);
    if (fit == FIT_WAIT)
        return WAIT_MORE;
    if (fit == FIT_NO) {
        val_failure_rrset(&why, EDE_DNSSEC_BOGUS, zone->job.name, TYPE_DS, 0);
        return reject(core, zone, &why);
    }
    struct zone *signer = val_zone_get(core, zone->statement.signer, zone->job.purse);
    if (!signer)
        return -ENOMEM;
    if (!signer->trust_done) {
        signer->want_trust = true;
        val_job_ready(core, &signer->job);
        val_job_wait(&zone->job, &signer->job);
        return WAIT_MORE;
    }
    switch (signer->trust) {
    case SECURITY_INSECURE:
        return insecure(core, zone, &signer->insecure);
    case SECURITY_BOGUS:
        return fail(core, zone, &signer->failure, false);
    case SECURITY_INDETERMINATE:
        val_failure_rrset(&why, EDE_DNSSEC_BOGUS, zone->job.name, TYPE_DS, 0);
        return reject(core, zone, &why);
    case SECURITY_SECURE:
        break;
    }
    int r = 0;
    if (zone->statement.kind == FINDING_NODATA || zone->statement.kind == FINDING_NXDOMAIN)
        r = evidence_signed_by(zone->job.arena, &zone->statement.list, zone->statement.signer,
                               &zone->checked);
    else
        zone->checked = zone->statement.list;
    if (r < 0)
        return r;
    zone->signer = signer;
    val_job_hold(&signer->job);
    val_judge_begin(&zone->judge, &zone->checked, zone->statement.signer, &signer->rec.dnskey, false);
    zone->ds_step = DS_VERIFY;
    return WAIT_NONE;
}

/* The statement holds: into the record, with the least of the times of what it rests on. */
static void keep(struct val_core *core, struct zone *zone, enum ds_state state,
                 const struct rrset_list *proof, bool optout)
{
    struct cache_zone *rec = &zone->rec;
    uint32_t ttl = core->config.max_ttl_s;
    int64_t signature = INT64_MAX;

    for (uint32_t i = 0; i < zone->checked.count; i++) {
        if (zone->checked.items[i].security != SECURITY_SECURE)
            continue;
        ttl = MIN(ttl, zone->checked.items[i].ttl);
        signature = MIN(signature, zone->judge.expires[i].s);
    }
    bool is_ds = state == DS_SECURE || state == DS_UNSUPPORTED;
    if (!is_ds || (rec->ds_state == DS_SECURE && !rrset_same_rdata(&rec->ds, &zone->checked.items[0])))
        rec->has_dnskey = false; /* held against another DS */
    rec->ds_state = state;
    if (is_ds)
        rec->ds = zone->checked.items[0];
    rec->ds_proof = is_ds ? (struct rrset_list){0} : *proof;
    rec->ds_optout = optout;
    if (state == DS_NOT_A_CUT)
        rec->has_delegation = false; /* whoever referred there was wrong or lied */
    rec->ds_validated = core->env->wall;
    rec->ds_expires.s = core->env->wall.s + ttl;
    rec->ds_signature_expires.s = signature;
    zone->changed = true;
    zone->failure.ede = EDE_NONE;
    val_failure_forget(core, &zone->job, zone->job.name, TYPE_DS);
    if (proof->count)
        val_entries_denials(core, &zone->job, zone->statement.signer, &zone->checked, zone->judge.expires);
    val_zone_store(core, zone);
}

static int judged_ds(struct val_core *core, struct zone *zone)
{
    const struct rrset *ds = &zone->checked.items[0];
    const struct rrset_list none = {0};

    if (zone->judge.bad)
        return reject(core, zone, &zone->judge.failure);
    if (ds_set_supported(&core->config.algorithms, ds)) {
        keep(core, zone, DS_SECURE, &none, false);
        return conclude(zone, ZONE_DS_SECURE);
    }
    struct ds first;
    bool digest = ds_parse(&ds->rdata[0], &first) == 0 &&
                  algorithm_supported(&core->config.algorithms, first.algorithm);
    val_failure_set(&zone->insecure, digest ? EDE_UNSUPPORTED_DS_DIGEST : EDE_UNSUPPORTED_DNSKEY_ALGORITHM,
                    "");
    keep(core, zone, DS_UNSUPPORTED, &none, false);
    return conclude(zone, ZONE_DS_INSECURE);
}

static int judged_denial(struct val_core *core, struct zone *zone)
{
    struct rrset_list good = {0};
    struct failure why = {.ede = EDE_NONE};

    int r = deny_good_only(zone->job.arena, &zone->checked, &good);
    if (r < 0)
        return r;
    if (zone->judge.failure.budget)
        return fail(core, zone, &zone->judge.failure, true);
    struct denial denial = deny_context(core, &zone->job, zone->statement.signer, &good);
    switch (denial_no_ds(&denial, zone->job.name)) {
    case NO_DS_ITERATIONS:
        val_failure_set(&zone->insecure, EDE_UNSUPPORTED_NSEC3_ITERATIONS, "");
        keep(core, zone, DS_NONE, &good, true);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_INSECURE_DELEGATION:
        keep(core, zone, DS_NONE, &good, false);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_OPTOUT:
        keep(core, zone, DS_NONE, &good, true);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_NOT_A_CUT:
    case NO_DS_NXDOMAIN:
        if (zone->ds_fetch.tries == 0)
            break; /* a referral to what is no cut contradicts itself */
        keep(core, zone, DS_NOT_A_CUT, &good, false);
        return conclude(zone, ZONE_DS_NOT_A_CUT);
    case NO_DS_BUDGET:
        val_failure_set(&why, EDE_DNSSEC_INDETERMINATE, "too many NSEC3 hashes");
        why.budget = true;
        return fail(core, zone, &why, true);
    case NO_DS_NOT_PROVEN:
    case NO_DS_CONTRADICTED:
        break;
    }
    if (zone->judge.failure.ede != EDE_NONE)
        return reject(core, zone, &zone->judge.failure);
    val_failure_rrset(&why, EDE_NSEC_MISSING, zone->job.name, TYPE_DS, 0);
    return reject(core, zone, &why);
}

static int step_verify(struct val_core *core, struct zone *zone)
{
    int r = val_judge_run(core, &zone->job, &zone->judge);
    if (r != WAIT_NONE)
        return r;
    if (zone->statement.kind == FINDING_POSITIVE)
        return judged_ds(core, zone);
    if (zone->statement.kind == FINDING_NODATA || zone->statement.kind == FINDING_NXDOMAIN)
        return judged_denial(core, zone);
    /* A CNAME here, or a DNAME above: neither is beside a zone cut. One expanded from a wildcard shows
     * nothing. */
    if (zone->judge.bad)
        return reject(core, zone, &zone->judge.failure);
    if (zone->checked.items[0].wildcard_labels) {
        struct failure why;
        val_failure_rrset(&why, EDE_NSEC_MISSING, zone->job.name, TYPE_DS, 0);
        return reject(core, zone, &why);
    }
    zone->rec.has_delegation = false;
    return conclude(zone, ZONE_DS_NOT_A_CUT);
}

int val_zone_ds_run(struct val_core *core, struct zone *zone)
{
    int r = WAIT_NONE;

    while (r == WAIT_NONE && !zone->ds_done) {
        switch (zone->ds_step) {
        case DS_BEGIN:
            r = step_begin(core, zone);
            break;
        case DS_FETCH:
            r = step_fetch(core, zone);
            break;
        case DS_WALK:
            r = step_walk(core, zone);
            break;
        case DS_TRUST:
            r = step_trust(core, zone);
            break;
        case DS_VERIFY:
            r = step_verify(core, zone);
            break;
        }
    }
    if (zone->ds_done && zone->signer)
        val_job_release(core, &TAKE(zone->signer)->job);
    return r;
}
