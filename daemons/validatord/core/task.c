/* A task: one link of an answer, (name, type) without chasing. Fetched once, judged, written. */

#include <errno.h>

#include "daemons/validatord/core/kept.h"
#include "daemons/validatord/core/nta_child.h"

struct task *val_task_get(struct val_core *core, const uint8_t *name, uint16_t type, struct purse *purse)
{
    struct job *job = val_job_find(core, JOB_TASK, name, type, false);

    if (!job)
        job = val_job_new(core, JOB_TASK, name, type, false, purse);
    return job ? job_task(job) : NULL;
}

static void let_go(struct val_core *core, struct task *task)
{
    if (task->zone)
        val_job_release(core, &TAKE(task->zone)->job);
}

static uint32_t clamp_ttl(const struct val_core *core, uint32_t ttl, uint32_t cap)
{
    ttl = MAX(ttl, core->config.min_ttl_s); /* an operator's minimum is meant for TTL 0 too */
    return MIN(MIN(ttl, core->config.max_ttl_s), cap);
}

/* The TTL rules of DESIGN 4 over everything the link rests on. */
static void set_ttl(struct val_core *core, struct task *task)
{
    const struct finding *f = &task->finding;
    bool negative = f->kind == FINDING_NODATA || f->kind == FINDING_NXDOMAIN;
    uint32_t ttl = UINT32_MAX, cap = UINT32_MAX;

    if (f->main.count == 0) {
        task->ttl = 0; /* a denial without SOA is not kept */
        return;
    }
    for (uint32_t i = 0; i < f->main.count; i++)
        ttl = MIN(ttl, f->main.items[i].ttl);
    for (uint32_t i = 0; i < task->proof.count; i++)
        ttl = MIN(ttl, task->proof.items[i].ttl);
    if (negative) {
        const struct rdata *soa = &f->main.items[0].rdata[0];
        if (soa->size < 20) {
            task->ttl = 0;
            return;
        }
        const uint8_t *m = soa->data + soa->size - 4;
        uint32_t minimum = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
        ttl = MIN(MIN(ttl, minimum), NEGATIVE_TTL_MAX_S);
        cap = NEGATIVE_TTL_MAX_S;
    }
    if (task->security == SECURITY_SECURE) {
        int64_t left = task->signature_expires.s - core->env->wall.s;
        cap = left < 0 ? 0 : left < cap ? (uint32_t)left : cap;
    }
    if (task->chain.continued) {
        /* As long as the child says, and no longer than what it rests on may be used: given out at
         * answer_ttl. */
        int64_t end = task->chain.ends.s ? task->chain.ends.s : INT64_MAX;
        if (task->chain.expires.s)
            end = MIN(end, task->chain.expires.s);
        cap = (uint32_t)MIN((int64_t)cap, MAX(end - core->env->wall.s, INT64_C(0)));
    }
    task->ttl = clamp_ttl(core, ttl, cap);
}

/* What the link rests on ends with the first signature of the chain; past one there is no AD. */
static void rest_on_chain(struct val_core *core, struct task *task)
{
    struct chain *chain = &task->chain;

    if (task->fetch.kept_why.ede != EDE_NONE && task->fetch.kept_labels && !chain->continued) {
        chain->continued = true;
        chain->kept = task->fetch.kept_why;
        kept_end(core, chain, task->fetch.kept_expires);
    }
    if (task->security != SECURITY_SECURE)
        return;
    /* It may have lapsed since the zone was judged. */
    if (chain->lapsed || (chain->expires.s && chain->expires.s <= core->env->wall.s))
        task->authentic = false;
    else if (chain->expires.s && (!task->signature_expires.s || chain->expires.s < task->signature_expires.s))
        task->signature_expires = chain->expires;
}

void val_task_finish(struct val_core *core, struct task *task, enum security security)
{
    struct finding *f = &task->finding;

    task->good = true;
    task->security = security;
    if (security != SECURITY_SECURE) {
        task->authentic = false;
        task->signature_expires.s = 0;
        task->proof = (struct rrset_list){0};
        for (uint32_t i = 0; i < f->main.count; i++) {
            f->main.items[i].security = security;
            f->main.items[i].wildcard_labels = 0;
            f->main.items[i].sig_count = (uint16_t)MIN(f->main.items[i].sig_count, RRSET_SIGNATURES);
        }
    }
    rest_on_chain(core, task);
    if (security == SECURITY_SECURE && policy_is_kept_below_nta(core, task->job.name)) {
        task->authentic = false;
        val_nta_reason(core, task->job.name, &task->insecure);
    }
    set_ttl(core, task);
    val_failure_forget(core, &task->job, task->job.name, task->job.type);
    switch (f->kind) {
    case FINDING_POSITIVE:
    case FINDING_CNAME:
    case FINDING_DNAME:
        val_entries_positive(core, task);
        break;
    case FINDING_NODATA:
    case FINDING_NXDOMAIN:
        val_entries_negative(core, task);
        if (f->kind == FINDING_NXDOMAIN)
            val_cuts_denied(core, task);
        break;
    case FINDING_GARBAGE:
        break;
    }
    if (security != SECURITY_SECURE)
        val_warm_used(core, &task->job, f->cut);
    else if (task->signer)
        val_warm_used(core, &task->job, task->signer);
    let_go(core, task);
    val_job_finish(core, &task->job, LINGER_TASK_MS);
}

void val_task_fail(struct val_core *core, struct task *task, const struct failure *why)
{
    val_failure_better(&task->failure, why);
    val_failure_above(core, &task->job, &task->failure);
    task->good = false;
    val_nta_child_doubted(core, &task->job, &task->failure);
    val_failure_remember(core, &task->job, task->job.type, &task->failure);
    let_go(core, task);
    val_job_finish(core, &task->job, task->finding.kind == FINDING_GARBAGE ? LINGER_TASK_MS : LINGER_BAD_MS);
}

int val_task_reject(struct val_core *core, struct task *task, const struct failure *why)
{
    val_failure_better(&task->failure, why);
    task->checked = (struct rrset_list){0};
    task->proof_needed = false;
    let_go(core, task);
    if (!why->budget && (task->preloaded || val_fetch_retry(&task->fetch))) {
        task->preloaded = false;
        task->step = TASK_FETCH;
        return WAIT_NONE;
    }
    val_task_fail(core, task, why);
    return WAIT_NONE;
}

static int step_fetch(struct val_core *core, struct task *task)
{
    struct fetch *fetch = &task->fetch;
    struct finding finding;
    struct failure why;

    int r = val_fetch_step(core, fetch, &task->job, task->job.type);
    if (r < 0 || r == WAIT_MORE)
        return r;
    if (r == FETCH_FAILED) {
        if (!val_fetch_detour(core, fetch, &task->job))
            val_task_fail(core, task, &fetch->failure);
        return WAIT_NONE;
    }
    r = finding_make(task->job.arena, fetch->message, task->job.name, task->job.type, fetch->cut, &finding);
    if (r < 0)
        return r;
    val_agent_learn(core, fetch, fetch->cut, finding.report_channel);
    if (finding.kind == FINDING_GARBAGE) {
        val_failure_set(&why, EDE_NO_REACHABLE_AUTHORITY, "the answer does not fit the question");
        why.transport = true;
        return val_task_reject(core, task, &why);
    }
    task->finding = finding;
    task->step = TASK_SIGNER;
    return WAIT_NONE;
}

int val_task_run(struct val_core *core, struct task *task)
{
    int r = WAIT_NONE;

    while (r == WAIT_NONE && !task->job.finished) {
        switch (task->step) {
        case TASK_BEGIN:
            task->step = task->preloaded ? TASK_SIGNER : TASK_FETCH;
            break;
        case TASK_FETCH:
            r = step_fetch(core, task);
            break;
        case TASK_SIGNER:
        case TASK_TRUST:
        case TASK_WALK:
        case TASK_VERIFY:
        case TASK_PROOF:
            r = val_task_judge(core, task);
            break;
        }
    }
    return r;
}
