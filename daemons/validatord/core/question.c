/* A question: one (name, type, CD), joined by all who ask the same. Looks at the cache, has the link that is
 * missing made by a task, follows it, until the answer is whole. */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

/* The chain from the cache as far as it goes. For a refresh what is due for one is not in the cache, so that
 * each link is fetched when its own time comes, and a refresh that nothing needs costs nothing. */
static int look_up(struct val_core *core, struct question *question, struct answer *ret_part,
                   const uint8_t **ret_next)
{
    struct job *job = &question->job;
    struct lookup lookup = val_core_lookup(core, job->arena, job->purse);
    lookup.checking_disabled = job->checking_disabled;
    lookup.max_steps = job->purse->budget.cname_steps;
    lookup.refresh = question->refresh;
    return cache_answer(&lookup, question->current, job->type, ret_part, ret_next);
}

/* Under an NTA what failed before it does not count (RFC 7646: it takes effect at once). */
static bool failure_counts(const struct val_core *core, const struct question *question, const uint8_t *name)
{
    unsigned labels;

    return !question->job.checking_disabled && policy_governs(core, name, &labels) == GOVERNED_ANCHOR;
}

static bool was_visited(const struct answer *answer, const uint8_t *name)
{
    for (uint32_t i = 0; i < answer->answer.count; i++)
        if (answer->answer.items[i].type == TYPE_CNAME && name_equal(answer->answer.items[i].owner, name))
            return true;
    return false;
}

/* Is a zone cut known between the one that spoke and the name? Then the message is not the one to say. */
static bool deeper_cut_known(struct val_core *core, struct question *question, const uint8_t *cut)
{
    struct lookup lookup = val_core_lookup(core, question->job.arena, question->job.purse);
    struct cache_zone zone;
    const uint8_t *known;

    return cache_closest_cut(&lookup, question->current, &zone, &known) == 0 &&
           name_labels(known) > name_labels(cut);
}

/* from: the task that named it; its message may speak about this name too. */
static int start_task(struct val_core *core, struct question *question, const struct task *from)
{
    struct task *task = val_task_get(core, question->current, question->job.type, question->job.purse);
    if (!task)
        return -ENOMEM;
    struct job *job = &task->job;
    if (from && from->finding.target_here && task->step == TASK_BEGIN && job->purse == question->job.purse &&
        !deeper_cut_known(core, question, from->finding.cut)) {
        /* The message that named the target speaks about it too: judged on its own, fetched only if that
         * fails. */
        struct finding finding;
        struct slice message = from->fetch.message;
        message.data = arena_copy(job->arena, message.data, message.size);
        if (!message.data)
            return -ENOMEM;
        int r = finding_make(job->arena, message, question->current, job->type, from->finding.cut, &finding);
        if (r < 0)
            return r;
        if (finding.kind != FINDING_GARBAGE) {
            task->finding = finding;
            task->preloaded = true;
            task->fetch.message = message;
        }
    }
    question->task = task;
    val_job_hold(job);
    return 0;
}

static int follow(struct val_core *core, struct question *question, const uint8_t *target)
{
    struct failure why;

    question->steps++;
    if (was_visited(&question->answer, target) || !budget_take(&question->job.purse->budget.cname_steps, 1)) {
        val_failure_set(&why, EDE_OTHER, "CNAME chain too long");
        why.budget = true;
        val_question_fail(core, question, &why);
        return 0;
    }
    question->current = arena_copy(question->job.arena, target, name_size(target));
    return question->current ? 0 : -ENOMEM;
}

/* One step from the cache. WAIT_NONE: go on; the question may be finished. */
static int take_cached(struct val_core *core, struct question *question, const struct task *from)
{
    struct answer part = {0};
    struct failure why = {.ede = EDE_NONE};
    const uint8_t *next = question->current;

    int outcome = look_up(core, question, &part, &next);
    if (outcome < 0)
        return outcome;
    if (outcome == LOOKUP_FAILURE && !failure_counts(core, question, next)) {
        next = question->current; /* the links before it come again, from their own tasks */
        part = (struct answer){0};
        outcome = LOOKUP_MISS;
    }
    if (outcome == LOOKUP_LOOP) {
        val_failure_set(&why, EDE_OTHER, "CNAME chain too long");
        why.budget = true;
        val_question_fail(core, question, &why);
        return 0;
    }
    if (outcome == LOOKUP_FAILURE) {
        val_failure_known(core, question->job.arena, next, question->job.type, &why);
        val_question_fail(core, question, &why);
        return 0;
    }
    int r = verdict_merge(question, &part);
    if (r < 0)
        return r;
    if (outcome == LOOKUP_HIT || outcome == LOOKUP_YXDOMAIN) {
        verdict_send(core, question);
        return 0;
    }
    if (next != question->current) {
        from = NULL;
        r = follow(core, question, next);
        if (r < 0 || question->job.finished)
            return r;
    }
    return start_task(core, question, from);
}

/* The finished link goes into the answer; what it points at is next. */
static int take_link(struct val_core *core, struct question *question)
{
    struct task *task = TAKE(question->task);
    const struct finding *f = &task->finding;
    bool raw = !task->good;
    int r = 0;

    if (raw && (!question->job.checking_disabled || f->kind == FINDING_GARBAGE)) {
        val_question_fail(core, question, &task->failure);
    } else {
        r = verdict_append(core, question, task, raw);
        bool alias = f->kind == FINDING_CNAME || f->kind == FINDING_DNAME;
        bool ends = !alias || !f->target || question->job.type == TYPE_CNAME;
        if (r == 0 && ends)
            verdict_send(core, question);
        else if (r == 0)
            r = follow(core, question, f->target);
        if (r == 0 && !ends && !question->job.finished && f->target_here && !raw)
            r = take_cached(core, question, task);
    }
    val_job_release(core, &task->job);
    return r;
}

static int restart(struct val_core *core, struct question *question)
{
    question->restarted = true;
    question->job.epoch = core->epoch;
    question->current = question->job.name;
    question->steps = 0;
    verdict_start(&question->answer);
    if (question->task)
        val_job_release(core, &TAKE(question->task)->job);
    return 0;
}

int val_question_run(struct val_core *core, struct question *question)
{
    int r = 0;

    while (r == 0 && !question->job.finished) {
        if (!question->current)
            verdict_start(&question->answer), question->current = question->job.name;
        if (question->job.epoch != core->epoch && !question->restarted)
            restart(core, question);
        if (question->task && !question->task->job.finished) {
            val_job_wait(&question->job, &question->task->job);
            return 0;
        }
        r = question->task ? take_link(core, question) : take_cached(core, question, NULL);
    }
    return r;
}

static void set_stale_ttl(struct rrset_list *list, uint32_t ttl)
{
    for (uint32_t i = 0; i < list->count; i++)
        list->items[i].ttl = list->items[i].sig_ttl = MIN(list->items[i].ttl, ttl);
}

/* What the cache has of the rest of the chain from `name` on, however old. */
static bool look_up_stale(struct val_core *core, struct question *question, const uint8_t *name,
                          struct answer *ret_stale)
{
    struct job *job = &question->job;
    struct lookup lookup = val_core_lookup(core, job->arena, job->purse);
    const uint8_t *next;

    lookup.stale_max_s = core->config.stale_max_age_s;
    lookup.stale_rule = &core->config.stale;
    lookup.kept_max_s = core->config.delegation_max_age_s;
    lookup.checking_disabled = job->checking_disabled;
    int outcome = cache_answer(&lookup, name, job->type, ret_stale, &next);
    return outcome == LOOKUP_HIT || outcome == LOOKUP_YXDOMAIN;
}

/* RFC 8767: the last good answer, if there is one young enough, with the cause beside it. Links that were
 * found fresh stand before it: a CNAME that moved is not taken back. */
static bool answer_stale(struct val_core *core, struct question *question, const struct failure *why)
{
    struct answer *answer = &question->answer;
    struct answer stale;
    bool rest =
        question->steps > 0 && question->current && look_up_stale(core, question, question->current, &stale);

    if (!rest) {
        if (!look_up_stale(core, question, question->job.name, &stale))
            return false;
        verdict_start(answer);
    }
    if (!stale.stale && !stale.continued && !core->config.stale.enabled && !question->refresh)
        return false; /* put together from what failed answers had: not where the rule is off */
    if (verdict_merge(question, &stale) < 0)
        return false;
    if (!stale.stale)
        return true; /* fresh after all: a refresh failed, and what it was to replace is still good */
    set_stale_ttl(&answer->answer, core->config.stale_answer_ttl_s);
    set_stale_ttl(&answer->authority, core->config.stale_answer_ttl_s);
    answer->ttl = 0;
    answer_add_ede(answer, answer->rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE_ANSWER, NULL, 0);
    verdict_add_failure(answer, why);
    return true;
}

void val_question_fail(struct val_core *core, struct question *question, const struct failure *why)
{
    struct answer *answer = &question->answer;

    if (question->job.finished)
        return;
    core->stats.budget_spent += why->budget;
    if (!answer_stale(core, question, why)) {
        *answer = (struct answer){.rcode = RCODE_SERVFAIL,
                                  .security = why->transport || why->budget ? SECURITY_INDETERMINATE
                                                                            : SECURITY_BOGUS};
        verdict_add_failure(answer, why);
    }
    verdict_send(core, question);
}

void val_question_timeout(struct val_core *core, struct question *question)
{
    struct failure why;

    val_failure_set(&why, EDE_NO_REACHABLE_AUTHORITY, "time ran out");
    why.budget = why.transport = true;
    if (question->task && question->task->failure.ede != EDE_NONE)
        why = question->task->failure; /* what is known so far tells more */
    val_question_fail(core, question, &why);
}
