/* Judgement of one link: who signed it, is that zone trusted, do the signatures hold, is the denial proven.
 */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

static bool is_negative(const struct task *task)
{
    return task->finding.kind == FINDING_NODATA || task->finding.kind == FINDING_NXDOMAIN;
}

/* The name whose zone has to answer for the link: a DS is the parent's. */
static const uint8_t *judged_name(const struct task *task)
{
    return task->job.type == TYPE_DS ? name_parent(task->job.name) : task->job.name;
}

static const uint8_t *signed_name(const struct task *task)
{
    return !is_negative(task) && task->finding.main.count ? task->finding.main.items[0].owner
                                                          : task->job.name;
}

/* What a zone above the closest anchor says is a success or nothing (RFC 6840 C.2): it makes no name
 * insecure.
 */
static bool is_above_anchor(struct val_core *core, const struct task *task)
{
    unsigned labels;

    return policy_governs(core, judged_name(task), &labels) == GOVERNED_ANCHOR &&
           name_labels(task->signer) < labels;
}

/* The link is outside any chain of trust. By what is kept that holds for what the child says alone, and for
 * its kept servers where there are any: an answer of the parent that fails is never accepted so, nor one of
 * servers that it led to (DESIGN 5). */
static int accept_insecure(struct val_core *core, struct task *task, const struct failure *why,
                           const struct chain *chain)
{
    struct failure bogus;

    if (chain->continued && name_labels(task->finding.cut) < chain->labels) {
        val_failure_rrset(&bogus, EDE_DNSSEC_BOGUS, signed_name(task), task->job.type, 0);
        return val_task_reject(core, task, &bogus);
    }
    if (chain->continued && chain->delegation && !task->preloaded &&
        task->fetch.from_labels < chain->labels && val_fetch_detour(core, &task->fetch, &task->job)) {
        task->step = TASK_FETCH;
        return WAIT_NONE;
    }
    task->insecure = *why;
    task->chain = *chain;
    val_task_finish(core, task, SECURITY_INSECURE);
    return WAIT_NONE;
}

static int step_signer(struct val_core *core, struct task *task)
{
    const struct finding *f = &task->finding;
    bool strict = task->job.type == TYPE_DS;
    struct failure why;
    unsigned anchor_labels;

    enum governed governed = policy_governs(core, judged_name(task), &anchor_labels);
    bool signatures = task->job.type == TYPE_RRSIG && !is_negative(task); /* nothing signs those */
    if (governed != GOVERNED_ANCHOR || signatures) {
        if (governed == GOVERNED_NTA)
            val_nta_reason(core, task->job.name, &task->insecure);
        val_task_finish(core, task, SECURITY_INSECURE);
        return WAIT_NONE;
    }
    task->signer = NULL;
    if (is_negative(task))
        task->signer = evidence_signer(&f->proof, task->job.name, strict, f->cut);
    if (!task->signer) {
        /* A SOA alone denies nothing; but nothing has to be denied of what is known to be a child's. */
        struct chain chain;
        enum walk_outcome known = is_negative(task) && !strict
                                      ? val_walk(core, &task->job, task->job.name, true, &why, &chain)
                                      : WALK_SECURE;
        if (known == WALK_WAIT)
            return WAIT_MORE;
        if (known == WALK_INSECURE)
            return accept_insecure(core, task, &why, &chain);
        task->signer = evidence_signer(&f->main, signed_name(task), strict, f->cut);
    }
    if (!task->signer) {
        task->step = TASK_WALK;
        return WAIT_NONE;
    }
    unsigned labels = name_labels(signed_name(task));
    enum fit fit = val_signer_fits(core, &task->job, signed_name(task),
                                   strict && labels ? labels - 1 : labels, task->signer, anchor_labels);
    if (fit == FIT_WAIT)
        return WAIT_MORE;
    if (fit == FIT_NO) {
        val_failure_rrset(&why, EDE_DNSSEC_BOGUS, signed_name(task), task->job.type, 0);
        return val_task_reject(core, task, &why);
    }
    task->step = TASK_TRUST;
    return WAIT_NONE;
}

/* What of the message is to be checked: the answer; or the SOA, then the denials its zone signed. */
static int choose(struct task *task)
{
    struct rrset_list list = {0};

    if (!is_negative(task)) {
        task->checked = task->finding.main;
        return 0;
    }
    for (uint32_t i = 0; i < task->finding.main.count; i++) {
        int r = rrset_list_add(task->job.arena, &list, &task->finding.main.items[i]);
        if (r < 0)
            return r;
    }
    int r = evidence_signed_by(task->job.arena, &task->finding.proof, task->signer, &list);
    if (r < 0)
        return r;
    task->checked = list;
    return 0;
}

static int step_trust(struct val_core *core, struct task *task)
{
    struct zone *zone = val_zone_get(core, task->signer, task->job.purse);
    if (!zone)
        return -ENOMEM;
    if (!zone->trust_done) {
        zone->want_trust = true;
        if (task->job.type == TYPE_DNSKEY && task->fetch.answered &&
            name_equal(task->job.name, zone->job.name) &&
            val_fetch_share(&zone->key_fetch, &zone->job, &task->fetch) < 0)
            return -ENOMEM;
        val_job_ready(core, &zone->job);
        val_job_wait(&task->job, &zone->job);
        return WAIT_MORE;
    }
    switch (zone->trust) {
    case SECURITY_INSECURE:
        if (is_above_anchor(core, task)) {
            struct failure why;
            val_failure_rrset(&why, EDE_DNSSEC_BOGUS, signed_name(task), task->job.type, 0);
            return val_task_reject(core, task, &why);
        }
        return accept_insecure(core, task, &zone->insecure, &zone->chain);
    case SECURITY_BOGUS:
        val_task_fail(core, task, &zone->failure);
        return WAIT_NONE;
    case SECURITY_INDETERMINATE:
        task->step = TASK_WALK; /* the signer is no zone: as good as unsigned */
        return WAIT_NONE;
    case SECURITY_SECURE:
        break;
    }
    if (zone->keys_kept) { /* never a zone's own data, when its own keys are what fails (DESIGN 5) */
        val_task_fail(core, task, &zone->failure);
        return WAIT_NONE;
    }
    int r = choose(task);
    if (r < 0)
        return r;
    task->zone = zone;
    task->chain = zone->chain;
    val_job_hold(&zone->job);
    val_judge_begin(&task->judge, &task->checked, task->signer, &zone->rec.dnskey, !is_negative(task));
    task->step = TASK_VERIFY;
    return WAIT_NONE;
}

/* Who should have signed what is not signed: a zone without usable keys cannot, and then they are the reason.
 * NULL: not known, or no memory. Its trust may have to be waited for. */
static struct zone *zone_that_signs(struct val_core *core, struct task *task)
{
    unsigned labels;
    const uint8_t *name = judged_name(task), *cut = task->finding.cut;

    policy_governs(core, name, &labels);
    labels = MAX(labels, name_labels(cut));
    struct zone *zone =
        labels <= name_labels(name) ? val_zone_get(core, name_suffix(name, labels), task->job.purse) : NULL;
    if (zone && !zone->trust_done) {
        zone->want_trust = true;
        val_job_ready(core, &zone->job);
        val_job_wait(&task->job, &zone->job);
    }
    return zone;
}

static int step_walk(struct val_core *core, struct task *task)
{
    struct failure why;
    struct chain chain;

    switch (val_walk(core, &task->job, judged_name(task), false, &why, &chain)) {
    case WALK_WAIT:
        return WAIT_MORE;
    case WALK_INSECURE:
        return accept_insecure(core, task, &why, &chain);
    case WALK_FAILED:
        /* The zones above are what is broken: theirs is the reason. Inside the zone that answered, a DS that
         * cannot be settled (no transport, no denial) is a consequence of what this link shows: its
         * signatures are missing. */
        if (why.budget || (!why.transport && why.labels <= name_labels(task->finding.cut))) {
            val_task_fail(core, task, &why);
            return WAIT_NONE;
        }
        break;
    case WALK_SECURE:
        break;
    }
    const struct zone *zone = zone_that_signs(core, task);
    if (zone && !zone->trust_done)
        return WAIT_MORE;
    if (zone && zone->trust == SECURITY_BOGUS && !zone->failure.transport) {
        val_task_fail(core, task, &zone->failure);
        return WAIT_NONE;
    }
    bool unsigned_denial = task->finding.main.count == 0 || task->finding.main.items[0].sig_count == 0;
    uint16_t ede = is_negative(task) && task->finding.proof.count == 0 && !unsigned_denial
                       ? EDE_NSEC_MISSING
                       : EDE_RRSIGS_MISSING;
    uint16_t type =
        is_negative(task) || !task->finding.main.count ? task->job.type : task->finding.main.items[0].type;
    val_failure_rrset(&why, ede, signed_name(task), type, 0);
    return val_task_reject(core, task, &why);
}

static void note_expiry(struct task *task, wall_s expires)
{
    if (task->signature_expires.s == 0 || expires.s < task->signature_expires.s)
        task->signature_expires = expires;
}

static int not_proven(struct val_core *core, struct task *task)
{
    struct failure why = task->judge.failure;

    if (why.ede == EDE_NONE) {
        val_failure_rrset(&why, EDE_NSEC_MISSING, task->job.name, task->job.type, 0);
        /* Denials that hold but deny something else are bogus, not missing; the text stays true. */
        if (is_negative(task) && task->proof.count > 1)
            why.ede = EDE_DNSSEC_BOGUS;
    }
    return val_task_reject(core, task, &why);
}

/* Takes what a proof came to; the outcome is that of denial.h. */
static int proof_outcome(struct val_core *core, struct task *task, int outcome)
{
    struct failure why;

    switch (outcome) {
    case DENIAL_OPTOUT:
        task->authentic = false; /* RFC 5155 9.2 */
        val_task_finish(core, task, SECURITY_SECURE);
        return WAIT_NONE;
    case DENIAL_PROVEN:
        val_task_finish(core, task, SECURITY_SECURE);
        return WAIT_NONE;
    case DENIAL_ITERATIONS:
        if (is_above_anchor(core, task))
            return not_proven(core, task);
        val_failure_set(&task->insecure, EDE_UNSUPPORTED_NSEC3_ITERATIONS, "");
        val_task_finish(core, task, SECURITY_INSECURE);
        return WAIT_NONE;
    case DENIAL_BUDGET:
        val_failure_set(&why, EDE_DNSSEC_INDETERMINATE, "too many NSEC3 hashes");
        why.budget = true;
        val_task_fail(core, task, &why);
        return WAIT_NONE;
    default:
        return not_proven(core, task);
    }
}

/* What was checked and is good becomes the proof that goes with the answer. */
static int keep_proof(struct val_core *core, struct task *task)
{
    task->proof = (struct rrset_list){0};
    int r = deny_good_only(task->job.arena, &task->checked, &task->proof);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < task->checked.count; i++)
        if (task->checked.items[i].security == SECURITY_SECURE)
            note_expiry(task, task->judge.expires[i]);
    /* What is synthesised from a denial says nothing of a kept link, so those that rest on one are not for
     * that. */
    if (!task->chain.continued && !policy_is_kept_below_nta(core, task->signer))
        val_entries_denials(core, &task->job, task->signer, &task->checked, task->judge.expires,
                            task->chain.expires);
    return 0;
}

static int judged_negative(struct val_core *core, struct task *task)
{
    struct finding *f = &task->finding;

    if (task->judge.failure.budget) {
        val_task_fail(core, task, &task->judge.failure);
        return WAIT_NONE;
    }
    if (f->main.count) {
        if (task->checked.items[0].security != SECURITY_SECURE)
            return not_proven(core, task);
        f->main.items[0] = task->checked.items[0];
    }
    int r = keep_proof(core, task);
    if (r < 0)
        return r;
    struct denial denial = deny_context(core, &task->job, task->signer, &task->proof);
    task->authentic = true;
    int outcome = f->kind == FINDING_NXDOMAIN ? denial_nxdomain(&denial, task->job.name)
                                              : denial_nodata(&denial, task->job.name, task->job.type);
    if (outcome == DENIAL_NOT_PROVEN && f->kind == FINDING_NXDOMAIN &&
        denial_nodata(&denial, task->job.name, task->job.type) == DENIAL_PROVEN) {
        /* Some servers say NXDOMAIN of an empty non-terminal, and prove that it is one. What is signed
         * counts. */
        f->kind = FINDING_NODATA;
        outcome = DENIAL_PROVEN;
    }
    return proof_outcome(core, task, outcome);
}

static int judged_positive(struct val_core *core, struct task *task)
{
    struct rrset *main = &task->finding.main.items[0];
    struct rrset_list proof = {0};
    struct failure why;

    if (task->judge.bad)
        return val_task_reject(core, task, &task->judge.failure);
    note_expiry(task, task->judge.expires[0]);
    task->authentic = true;
    if (main->wildcard_labels == 0) {
        int r = val_zone_shown(core, task);
        if (r < 0)
            return r;
        val_task_finish(core, task, SECURITY_SECURE);
        return WAIT_NONE;
    }
    if (task->finding.kind == FINDING_DNAME) { /* RFC 6672 3.3: what a wildcard DNAME means is not defined */
        val_failure_rrset(&why, EDE_DNSSEC_BOGUS, main->owner, TYPE_DNAME, 0);
        return val_task_reject(core, task, &why);
    }
    int r = evidence_signed_by(task->job.arena, &task->finding.proof, task->signer, &proof);
    if (r < 0)
        return r;
    task->checked = proof;
    val_judge_begin(&task->judge, &task->checked, task->signer, &task->zone->rec.dnskey, false);
    task->step = TASK_PROOF;
    return WAIT_NONE;
}

static int step_proof(struct val_core *core, struct task *task)
{
    int r = val_judge_run(core, &task->job, &task->judge);
    if (r != WAIT_NONE)
        return r;
    r = keep_proof(core, task);
    if (r < 0)
        return r;
    struct denial denial = deny_context(core, &task->job, task->signer, &task->proof);
    return proof_outcome(
        core, task,
        denial_wildcard_answer(&denial, task->job.name, task->finding.main.items[0].wildcard_labels - 1u));
}

static int step_verify(struct val_core *core, struct task *task)
{
    int r = val_judge_run(core, &task->job, &task->judge);
    if (r != WAIT_NONE)
        return r;
    return is_negative(task) ? judged_negative(core, task) : judged_positive(core, task);
}

int val_task_judge(struct val_core *core, struct task *task)
{
    switch (task->step) {
    case TASK_SIGNER:
        return step_signer(core, task);
    case TASK_TRUST:
        return step_trust(core, task);
    case TASK_WALK:
        return step_walk(core, task);
    case TASK_VERIFY:
        return step_verify(core, task);
    case TASK_PROOF:
        return step_proof(core, task);
    case TASK_BEGIN:
    case TASK_FETCH:
        break;
    }
    return WAIT_NONE;
}
