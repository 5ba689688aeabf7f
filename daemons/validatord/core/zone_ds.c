/* What the parent says about a zone's DS: from the cache, from a referral that came by, or asked for.
 *
 * A signed statement is held against its signer's keys, whoever sent it. An unsigned one is worth nothing by
 * itself: the zone is insecure only if the zone above is, which the walk from the anchor down has to show
 * (RFC 4035 5.2). */

#include <errno.h>

#include "common/base/text.h"
#include "daemons/validatord/core/incident.h"
#include "daemons/validatord/core/kept.h"

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
    zone->chain = (struct chain){.expires = zone->rec.ds_chain_expires.s ? zone->rec.ds_chain_expires
                                                                         : zone->rec.ds_signature_expires};
    conclude(zone, ds);
}

/* Whose word is missing or does not hold. NULL: not known. */
static const uint8_t *speaker(const struct zone *zone)
{
    if (zone->ds_fetch.tries > 0)
        return name_suffix(zone->job.name, zone->ds_fetch.reached_labels);
    return zone->offer.present ? zone->offer.from : zone->statement.signer;
}

/* The parent fails: what is kept below it, if anything. */
static int go_kept(struct zone *zone, const struct failure *why)
{
    val_failure_better(&zone->failure, why);
    zone->kept_why = *why;
    zone->kept_step = KEPT_BEGIN;
    zone->ds_step = DS_KEPT;
    return WAIT_NONE;
}

/* The DS that is known holds yet, but the referral that would renew the delegation does not: the kept
 * delegation is asked, not what the failing parent leads to. */
static int stay_with_kept(struct val_core *core, struct zone *zone, const struct failure *why)
{
    val_incident_failed(core, &zone->job, zone->offer.from, zone->job.name, why);
    val_zone_ds_from_record(zone);
    zone->chain.continued = zone->chain.delegation = true;
    zone->chain.labels = (uint8_t)name_labels(zone->job.name);
    kept_end(core, &zone->chain, zone->rec.ns_expires);
    kept_text(core, &zone->chain.kept, "delegation", zone->job.name, zone->rec.ns_expires, why);
    zone->offer.present = false;
    return WAIT_NONE;
}

static int fail(struct val_core *core, struct zone *zone, const struct failure *why, bool own)
{
    const uint8_t *parent = speaker(zone);

    if (zone->renews_delegation)
        return stay_with_kept(core, zone, why);
    val_failure_better(&zone->failure, why);
    if (own) {
        val_failure_remember(core, &zone->job, TYPE_DS, &zone->failure);
        if (parent)
            val_incident_failed(core, &zone->job, parent, zone->job.name, &zone->failure);
    }
    return go_kept(zone, &zone->failure);
}

void val_zone_note_ds(struct val_core *core, struct zone *zone, const struct statement *statement)
{
    struct denial denial = deny_context(core, &zone->job, statement->signer, &statement->list);

    if (zone->ds_done)
        return;
    if (statement->kind == FINDING_POSITIVE && statement->list.count > 0)
        zone->offer.ds_shown = true;
    else if (statement->signer && name_is_below(zone->job.name, statement->signer))
        zone->offer.ds_shown |= denial_no_ds(&denial, zone->job.name) == NO_DS_CONTRADICTED;
}

/* The statement does not hold: ask, or ask others, while that is allowed. */
static int reject(struct val_core *core, struct zone *zone, const struct failure *why)
{
    if (zone->renews_delegation)
        return stay_with_kept(core, zone, why);
    val_failure_better(&zone->failure, why);
    bool asked = zone->ds_fetch.tries > 0;
    const uint8_t *parent = speaker(zone);
    /* In an incident it was asked once, and that was its ration. */
    bool rationed = parent && val_incident_open(core, parent, NULL);
    if (why->budget || rationed || (asked && !val_fetch_retry(&zone->ds_fetch)))
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

static int insecure(struct val_core *core, struct zone *zone, const struct failure *why,
                    const struct chain *chain)
{
    zone->insecure = *why;
    zone->chain = *chain;
    conclude(zone, ZONE_DS_INSECURE);
    val_zone_settle_offer(core, zone, true);
    val_zone_store(core, zone); /* the delegation; that it is insecure is what the zone above says */
    return WAIT_NONE;
}

/* How often the parent was asked about the child while all was well: once in that many seconds. */
static uint32_t kept_life(const struct cache_zone *rec)
{
    int64_t life =
        rec->has_delegation ? rec->ns_expires.s - rec->ns_stored.s : rec->ds_expires.s - rec->ds_validated.s;

    return (uint32_t)MIN(MAX(life, INT64_C(1)), (int64_t)UINT32_MAX);
}

static int step_begin(struct val_core *core, struct zone *zone)
{
    struct cache_zone *rec = &zone->rec;
    struct failure why = {.ede = EDE_NONE};
    struct chain chain = {0};
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
            val_nta_reason(core, zone->job.name, &why);
        return insecure(core, zone, &why, &chain);
    }
    if (labels == name_labels(zone->job.name)) {
        if (policy_has_anchor(core, zone->job.name))
            conclude(zone, ZONE_DS_SECURE); /* its own anchor stands for the DS */
        else
            val_zone_ds_from_record(zone); /* kept below an NTA */
        val_zone_settle_offer(core, zone, true);
        val_zone_store(core, zone);
        return WAIT_NONE;
    }
    if (rec->ds_state != DS_UNKNOWN && !zone->renew_ds &&
        cache_ttl_left(rec->ds_validated, rec->ds_expires, core->env->wall) > 0) {
        /* Its NS and glue count once what the parent says with them holds. */
        if (zone->offer.present && kept_delegation_known(core, rec) && rec->ds_state != DS_NOT_A_CUT) {
            zone->renews_delegation = true;
            if (zone->statement.present && zone->statement.signer) {
                zone->ds_step = DS_TRUST;
                return WAIT_NONE;
            }
            val_failure_rrset(&why, EDE_RRSIGS_MISSING, zone->job.name, TYPE_DS, 0);
            return stay_with_kept(core, zone, &why);
        }
        val_zone_ds_from_record(zone);
        val_zone_settle_offer(core, zone, true);
        val_zone_store(core, zone);
        return WAIT_NONE;
    }
    /* A renewal is its ration. */
    const uint8_t *incident =
        zone->renew_ds ? NULL : val_incident_above(core, name_parent(zone->job.name), &why);
    if (incident && !(zone->statement.present && zone->statement.signer) && kept_ds_known(core, rec) &&
        !val_incident_may_ask(core, incident, zone->job.name, kept_life(rec)))
        return go_kept(zone, &why);
    if (val_failure_known(core, zone->job.arena, zone->job.name, TYPE_DS, &why))
        return fail(core, zone, &why, false);
    if (zone->statement.present && zone->statement.signer) {
        zone->ds_step = DS_TRUST;
        return WAIT_NONE;
    }
    switch (val_walk(core, &zone->job, name_parent(zone->job.name), true, &why, &chain)) {
    case WALK_WAIT:
        return WAIT_MORE;
    case WALK_INSECURE:
        return insecure(core, zone, &why, &chain);
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
    if (fetch->to_referral) {
        r = val_warm_take_referral(core, zone);
        if (r == 1) { /* its parent's servers are its own too: then the DS is asked for by itself */
            zone->offer.present = fetch->to_referral = false;
            fetch->restart = true;
            return WAIT_NONE;
        }
        if (r == 0)
            zone->ds_step = zone->statement.signer ? DS_TRUST : DS_WALK;
        return r;
    }
    r = finding_make(zone->job.arena, fetch->message, zone->job.name, TYPE_DS, fetch->cut, &finding);
    if (r < 0)
        return r;
    val_agent_learn(core, fetch, fetch->cut, finding.report_channel);
    statement_from_finding(&finding, zone->job.name, &zone->statement);
    zone->statement.server = fetch->server;
    val_zone_note_ds(core, zone, &zone->statement);
    zone->ds_step = zone->statement.signer ? DS_TRUST : DS_WALK;
    return WAIT_NONE;
}

static int step_walk(struct val_core *core, struct zone *zone)
{
    struct failure why;
    struct chain chain;

    switch (val_walk(core, &zone->job, name_parent(zone->job.name), false, &why, &chain)) {
    case WALK_WAIT:
        return WAIT_MORE;
    case WALK_INSECURE:
        return insecure(core, zone, &why, &chain);
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
    /* Above the closest anchor nobody decides whether what is below it is secure. */
    enum fit fit = name_labels(zone->statement.signer) < anchor_labels
                       ? FIT_NO
                       : val_signer_fits(core, &zone->job, zone->job.name, name_labels(zone->job.name) - 1,
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
        return insecure(core, zone, &signer->insecure, &signer->chain);
    case SECURITY_BOGUS:
        /* Its keys are what fails, unless it is its own parent that does. */
        if (signer->ds != ZONE_DS_FAILED)
            val_incident_failed(core, &zone->job, signer->job.name, zone->job.name, &signer->failure);
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

/* The keys of before are kept only if the new DS points at them; and then they are asked for anew. */
static void keys_under_new_ds(struct val_core *core, struct cache_zone *rec, const uint8_t *zone)
{
    bool named = false;

    for (unsigned i = 0; rec->has_dnskey && !named && i < rec->dnskey.count; i++)
        named = val_ds_names_key(core, zone, &rec->ds, &rec->dnskey.rdata[i]);
    if (!named)
        rec->has_dnskey = false;
    else
        rec->dnskey_expires.s = MIN(rec->dnskey_expires.s, core->env->wall.s);
}

/* The statement holds: into the record, with the least of the times of what it rests on. inception: of what
 * of it settles the matter. A statement that itself rests on kept keys is not written down: it would outlive
 * them.
 */
static void keep(struct val_core *core, struct zone *zone, enum ds_state state,
                 const struct rrset_list *proof, bool optout, wall_s inception)
{
    struct cache_zone *rec = &zone->rec;
    const struct chain *above = &zone->signer->chain;
    uint32_t ttl = core->config.max_ttl_s;
    int64_t signature = INT64_MAX;

    for (uint32_t i = 0; i < zone->checked.count; i++) {
        if (zone->checked.items[i].security != SECURITY_SECURE)
            continue;
        ttl = MIN(ttl, zone->checked.items[i].ttl);
        signature = MIN(signature, zone->judge.expires[i].s);
    }
    int64_t least = above->expires.s ? MIN(signature, above->expires.s) : signature;
    zone->chain = *above;
    zone->chain.expires.s = least;
    ttl = (uint32_t)MIN((int64_t)ttl, MAX(least - core->env->wall.s, INT64_C(0)));
    bool is_ds = state == DS_SECURE || state == DS_UNSUPPORTED;
    bool same = rec->ds_state == DS_SECURE && is_ds && rrset_same_rdata(&rec->ds, &zone->checked.items[0]);
    if (above->continued && !zone->unwritten) {
        zone->record = *rec;
        zone->unwritten = true;
    }
    zone->unwritten_same = same;
    rec->ds_state = state;
    if (is_ds)
        rec->ds = zone->checked.items[0];
    if (!is_ds)
        rec->has_dnskey = false;
    else if (!same)
        keys_under_new_ds(core, rec, zone->job.name);
    rec->ds_held = rec->ds_held && same;
    rec->ds_proof = is_ds ? (struct rrset_list){0} : *proof;
    rec->ds_optout = optout;
    rec->ds_validated = core->env->wall;
    rec->ds_expires.s = core->env->wall.s + ttl;
    rec->ds_signature_expires.s = signature;
    rec->ds_chain_expires.s = least;
    rec->ds_inception = inception;
    if (state == DS_NOT_A_CUT) {
        rec->has_delegation = false; /* whoever referred there was wrong or lied */
        zone->offer.present = false;
    }
    val_zone_settle_offer(core, zone, true);
    zone->changed = true;
    zone->failure.ede = EDE_NONE;
    if (above->continued) {
        zone->changed = false;
        val_incident_heard(core, zone->statement.signer);
        return;
    }
    zone->unwritten = false;
    val_failure_forget(core, &zone->job, zone->job.name, TYPE_DS);
    val_incident_validated(core, zone->statement.signer);
    if (proof->count)
        val_entries_denials(core, &zone->job, zone->statement.signer, &zone->checked, zone->judge.expires,
                            above->expires);
    val_zone_store(core, zone);
}

/* Signed earlier than a kept DS that has held its child, and something else: a replay. */
static int reject_replay(struct val_core *core, struct zone *zone)
{
    struct failure why;
    struct text text;

    val_failure_rrset(&why, EDE_DNSSEC_BOGUS, zone->job.name, TYPE_DS, 0);
    text = text_make(why.text, sizeof(why.text));
    char name[NAME_TEXT_MAX];
    text_add(&text, name_to_text(zone->job.name, name));
    text_add(&text, " DS: signed earlier than the one that is kept");
    why.text_size = (uint16_t)text.size;
    return reject(core, zone, &why);
}

static int judged_ds(struct val_core *core, struct zone *zone)
{
    const struct rrset *ds = &zone->checked.items[0];
    const struct rrset_list none = {0};

    if (zone->judge.bad)
        return reject(core, zone, &zone->judge.failure);
    wall_s inception = zone->judge.inceptions[0];
    if (val_kept_outweighs(core, zone, inception) && !rrset_same_rdata(ds, &zone->rec.ds))
        return reject_replay(core, zone);
    if (ds_set_supported(&core->config.algorithms, ds)) {
        keep(core, zone, DS_SECURE, &none, false, inception);
        return conclude(zone, ZONE_DS_SECURE);
    }
    struct ds first;
    bool digest = ds_parse(&ds->rdata[0], &first) == 0 &&
                  algorithm_supported(&core->config.algorithms, first.algorithm);
    val_failure_set(&zone->insecure, digest ? EDE_UNSUPPORTED_DS_DIGEST : EDE_UNSUPPORTED_DNSKEY_ALGORITHM,
                    "");
    keep(core, zone, DS_UNSUPPORTED, &none, false, inception);
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
    const struct rrset *witness = NULL;
    wall_s inception = {0};
    denial.witness = &witness;
    enum no_ds no_ds = denial_no_ds(&denial, zone->job.name);
    for (uint32_t i = 0; witness && i < zone->checked.count; i++)
        if (zone->checked.items[i].security == SECURITY_SECURE &&
            name_equal(zone->checked.items[i].owner, witness->owner))
            inception = zone->judge.inceptions[i];
    bool denied = no_ds != NO_DS_NOT_PROVEN && no_ds != NO_DS_CONTRADICTED && no_ds != NO_DS_BUDGET;
    if (denied && val_kept_outweighs(core, zone, inception))
        return reject_replay(core, zone);
    switch (no_ds) {
    case NO_DS_ITERATIONS:
        val_failure_set(&zone->insecure, EDE_UNSUPPORTED_NSEC3_ITERATIONS, "");
        keep(core, zone, DS_NONE, &good, true, inception);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_INSECURE_DELEGATION:
        keep(core, zone, DS_NONE, &good, false, inception);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_OPTOUT:
        keep(core, zone, DS_NONE, &good, true, inception);
        return conclude(zone, ZONE_DS_INSECURE);
    case NO_DS_NOT_A_CUT:
    case NO_DS_NXDOMAIN:
        if (zone->ds_fetch.tries == 0 || zone->ds_fetch.to_referral)
            break; /* a referral to what is no cut contradicts itself */
        keep(core, zone, DS_NOT_A_CUT, &good, false, inception);
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
    zone->rec.has_delegation = zone->offer.present = false;
    zone->chain = zone->signer->chain;
    return conclude(zone, ZONE_DS_NOT_A_CUT);
}

static int step_kept(struct val_core *core, struct zone *zone)
{
    bool none;

    int r = val_kept_ds(core, zone, &none);
    if (r != WAIT_NONE)
        return r;
    if (none) {
        zone->offer.present = false;
        return conclude(zone, ZONE_DS_FAILED);
    }
    if (zone->job.type == ZONE_RENEWAL)
        zone->offer.present = false; /* what failed renews nothing */
    val_zone_settle_offer(core, zone, false);
    val_zone_store(core, zone);
    return WAIT_NONE;
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
        case DS_KEPT:
            r = step_kept(core, zone);
            break;
        }
    }
    if (zone->ds_done && zone->signer)
        val_job_release(core, &TAKE(zone->signer)->job);
    return r;
}
