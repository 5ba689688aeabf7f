/* Life of jobs: table, ready queue, who waits for whom, purses.
 *
 * A job is in the table from job_new until it is unlinked; it is freed when it is unlinked and nothing holds
 * it. Finished tasks and zones linger for a moment, so that those who ask next need not start anew. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/core/probe.h"

static uint64_t job_hash(const struct val_core *core, enum job_kind kind, const uint8_t *name, uint16_t type,
                         bool cd)
{
    uint8_t bytes[NAME_MAX + 4];
    size_t size = name_copy(name, bytes);

    bytes[size++] = (uint8_t)kind;
    bytes[size++] = (uint8_t)(type >> 8);
    bytes[size++] = (uint8_t)type;
    bytes[size++] = cd;
    return siphash24(&core->hash_key, bytes, size);
}

struct job *val_job_find(struct val_core *core, enum job_kind kind, const uint8_t *name, uint16_t type,
                         bool cd)
{
    uint64_t hash = job_hash(core, kind, name, type, cd);
    struct list *bucket = &core->jobs[hash & (TABLE_BUCKETS - 1)];

    LIST_FOREACH (node, bucket) {
        struct job *job = CONTAINER_OF(node, struct job, table_node);
        /* One that began under an older epoch is for those who wait for it already. */
        if (job->hash == hash && job->kind == kind && job->type == type && job->checking_disabled == cd &&
            job->epoch == core->epoch && name_equal(job->name, name))
            return job;
    }
    return NULL;
}

struct purse *purse_new(const struct budget *budget)
{
    struct purse *purse = calloc(1, sizeof(*purse));
    if (!purse)
        return NULL;
    purse->refs = 1;
    purse->budget = *budget;
    return purse;
}

void purse_release(struct purse *purse)
{
    if (purse && --purse->refs == 0)
        free(purse);
}

static struct job *job_alloc(enum job_kind kind, size_t *ret_arena_bytes)
{
    switch (kind) {
    case JOB_QUESTION: {
        struct question *question = calloc(1, sizeof(*question));
        *ret_arena_bytes = QUESTION_ARENA_BYTES;
        return question ? &question->job : NULL;
    }
    case JOB_TASK: {
        struct task *task = calloc(1, sizeof(*task));
        *ret_arena_bytes = TASK_ARENA_BYTES;
        if (task)
            task->failure.ede = task->insecure.ede = task->fetch.failure.ede = task->fetch.kept_why.ede =
                EDE_NONE;
        return task ? &task->job : NULL;
    }
    case JOB_ZONE: {
        struct zone *zone = calloc(1, sizeof(*zone));
        *ret_arena_bytes = ZONE_ARENA_BYTES;
        if (zone)
            zone->failure.ede = zone->insecure.ede = zone->ds_fetch.failure.ede =
                zone->key_fetch.failure.ede = zone->ds_fetch.kept_why.ede = zone->key_fetch.kept_why.ede =
                    EDE_NONE;
        return zone ? &zone->job : NULL;
    }
    case JOB_PROBE: {
        struct probe *probe = calloc(1, sizeof(*probe));
        *ret_arena_bytes = PROBE_ARENA_BYTES;
        return probe ? &probe->job : NULL;
    }
    case JOB_ANCHOR: {
        struct anchor_job *anchor = calloc(1, sizeof(*anchor));
        *ret_arena_bytes = ZONE_ARENA_BYTES;
        if (anchor)
            anchor->fetch.failure.ede = EDE_NONE;
        return anchor ? &anchor->job : NULL;
    }
    }
    return NULL;
}

static void job_dealloc(struct job *job)
{
    switch (job->kind) {
    case JOB_QUESTION:
        free(job_question(job)->clients);
        free(job_question(job));
        break;
    case JOB_TASK:
        free(job_task(job));
        break;
    case JOB_ZONE:
        free(job_zone(job));
        break;
    case JOB_PROBE:
        free(job_probe(job));
        break;
    case JOB_ANCHOR:
        free(job_anchor(job));
        break;
    }
}

struct job *val_job_new(struct val_core *core, enum job_kind kind, const uint8_t *name, uint16_t type,
                        bool cd, struct purse *purse)
{
    size_t arena_bytes;
    if (core->job_count >= VAL_JOBS_MAX || val_timer_reserve(core) < 0)
        return NULL;
    struct job *job = job_alloc(kind, &arena_bytes);
    if (!job)
        return NULL;
    job->arena = arena_new(arena_bytes);
    if (!job->arena) {
        job_dealloc(job);
        return NULL;
    }
    job->kind = kind;
    job->type = type;
    job->checking_disabled = cd;
    job->epoch = core->epoch;
    job->purse = purse;
    purse->refs++;
    name_copy(name, job->name);
    job->hash = job_hash(core, kind, name, type, cd);
    list_append(&core->jobs[job->hash & (TABLE_BUCKETS - 1)], &job->table_node);
    list_init(&job->ready_node);
    list_init(&job->waiters);
    list_init(&job->wait_node);
    core->job_count++;
    core->question_count += kind == JOB_QUESTION;
    core->task_count += kind == JOB_TASK;
    val_timer_set(core, job, purse->budget.deadline);
    val_job_ready(core, job);
    return job;
}

void val_job_hold(struct job *job)
{
    job->refs++;
}

static void stop_waiting(struct val_core *core, struct job *job)
{
    if (!job->waits_for)
        return;
    list_remove(&job->wait_node);
    val_job_release(core, TAKE(job->waits_for));
}

static void job_free(struct val_core *core, struct job *job)
{
    val_timer_clear(core, job);
    list_remove(&job->ready_node);
    core->job_count--;
    core->question_count -= job->kind == JOB_QUESTION;
    core->task_count -= job->kind == JOB_TASK;
    purse_release(job->purse);
    arena_free(job->arena);
    job_dealloc(job);
}

void val_job_release(struct val_core *core, struct job *job)
{
    assert(job->refs > 0);
    job->refs--;
    if (job->refs == 0 && job->unlinked)
        job_free(core, job);
}

void val_job_unlink(struct val_core *core, struct job *job)
{
    if (job->unlinked)
        return;
    /* Held meanwhile: what it lets go of may let go of it. */
    val_job_hold(job);
    job->unlinked = true;
    list_remove(&job->table_node);
    val_timer_clear(core, job);
    stop_waiting(core, job);
    if (job->kind == JOB_TASK) {
        struct task *task = job_task(job);
        val_fetch_cancel(core, &task->fetch);
        if (task->zone)
            val_job_release(core, &TAKE(task->zone)->job);
    } else if (job->kind == JOB_ZONE) {
        struct zone *zone = job_zone(job);
        core->warm_running -= job->type == ZONE_RENEWAL;
        val_fetch_cancel(core, &zone->ds_fetch);
        val_fetch_cancel(core, &zone->key_fetch);
        if (zone->signer)
            val_job_release(core, &TAKE(zone->signer)->job);
    } else if (job->kind == JOB_PROBE) {
        val_probe_drop(core, job_probe(job));
    } else if (job->kind == JOB_ANCHOR) {
        val_fetch_cancel(core, &job_anchor(job)->fetch);
    } else {
        struct question *question = job_question(job);
        core->waiting_count -= question->client_count;
        question->client_count = 0;
        if (question->task)
            val_job_release(core, &TAKE(question->task)->job);
    }
    val_job_release(core, job);
}

void val_job_ready(struct val_core *core, struct job *job)
{
    if (job->queued || job->unlinked)
        return;
    job->queued = true;
    list_append(&core->ready, &job->ready_node);
}

void val_job_wait(struct job *job, struct job *on)
{
    assert(!job->waits_for && job != on);
    job->waits_for = on;
    val_job_hold(on);
    list_append(&on->waiters, &job->wait_node);
}

void val_job_wake_waiters(struct val_core *core, struct job *job)
{
    val_job_hold(job);
    while (!list_empty(&job->waiters)) {
        struct job *waiter = CONTAINER_OF(job->waiters.next, struct job, wait_node);
        stop_waiting(core, waiter);
        val_job_ready(core, waiter);
    }
    val_job_release(core, job);
}

void val_job_linger(struct val_core *core, struct job *job, uint64_t linger_ms)
{
    if (core->job_count > LINGER_JOBS)
        linger_ms = 0;
    val_timer_set(core, job, mono_add_ms(core->env->mono, linger_ms));
}

void val_job_finish(struct val_core *core, struct job *job, uint64_t linger_ms)
{
    job->finished = true;
    val_job_linger(core, job, linger_ms);
    val_job_wake_waiters(core, job);
}

static void job_step(struct val_core *core, struct job *job)
{
    struct failure why = {.ede = EDE_OTHER, .budget = true};
    int r = 0;

    if (job->unlinked)
        return;
    switch (job->kind) {
    case JOB_QUESTION:
        if (!job->finished)
            r = val_question_run(core, job_question(job));
        if (r < 0)
            val_question_fail(core, job_question(job), &why);
        break;
    case JOB_TASK:
        if (!job->finished)
            r = val_task_run(core, job_task(job));
        if (r < 0)
            val_task_fail(core, job_task(job), &why);
        break;
    case JOB_ZONE:
        r = val_zone_run(core, job_zone(job));
        break;
    case JOB_PROBE:
        if (!job->finished)
            r = val_probe_run(core, job_probe(job));
        if (r < 0)
            val_probe_end(core, job_probe(job));
        break;
    case JOB_ANCHOR:
        r = val_anchor_job_run(core, job);
        if (r < 0)
            val_anchor_job_fail(core, job);
        break;
    }
}

void val_core_run(struct val_core *core)
{
    while (!list_empty(&core->ready)) {
        struct job *job = CONTAINER_OF(core->ready.next, struct job, ready_node);
        list_remove(&job->ready_node);
        job->queued = false;
        val_job_hold(job);
        stop_waiting(core, job);
        job_step(core, job);
        val_job_release(core, job);
    }
}

static bool is_apart(const void *ctx, const uint8_t *zone)
{
    const struct val_config *config = ctx;
    for (size_t i = 0; i < config->apart_zone_count; i++)
        if (name_equal(config->apart_zones[i], zone))
            return true;
    return false;
}

struct lookup val_core_lookup(struct val_core *core, struct arena *arena, struct purse *purse)
{
    return (struct lookup){.view = core->view,
                           .arena = arena,
                           .now = core->env->wall,
                           .aggressive_denial = core->config.aggressive_denial,
                           .answer_ttl = core->config.stale_answer_ttl_s,
                           .stale_max_s = -1,
                           .nsec3_iterations_max = core->config.nsec3_iterations,
                           .max_steps = BUDGET_CNAME_STEPS,
                           .nsec3_hash = core->crypto->nsec3_hash,
                           .nsec3_ctx = core->crypto->ctx,
                           .nsec3_budget = &purse->budget.nsec3_hashes,
                           .is_apart = core->config.apart_zone_count ? is_apart : NULL,
                           .apart_ctx = &core->config};
}
