/* The core's doors: configuration, events in, the deadline. Every event sets what it brings and runs what
 * that makes ready. */

#include "daemons/validatord/core/validator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/core/incident_state.h"
#include "daemons/validatord/core/probe.h"

#define SCRATCH_ARENA_BYTES (256u * 1024u)
#define CONFIG_ARENA_BYTES  (4u * 1024u * 1024u)

static int copy_names(struct arena *arena, const uint8_t *const *names, size_t count,
                      const uint8_t *const **ret_names)
{
    const uint8_t **copy = arena_array(arena, count + 1, sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        copy[i] = arena_copy(arena, names[i], name_size(names[i]));
        if (!copy[i])
            return -ENOMEM;
    }
    *ret_names = copy;
    return 0;
}

static int copy_config(struct arena *arena, const struct val_config *config, struct val_config *ret_config)
{
    struct val_config copy = *config;
    struct val_anchor *anchors = arena_array(arena, config->anchor_count + 1, sizeof(*anchors));
    if (!anchors)
        return -ENOMEM;
    for (size_t i = 0; i < config->anchor_count; i++) {
        anchors[i] = config->anchors[i];
        name_lower(anchors[i].zone);
        anchors[i].rdata.data =
            arena_copy(arena, config->anchors[i].rdata.data, config->anchors[i].rdata.size);
        if (!anchors[i].rdata.data)
            return -ENOMEM;
    }
    copy.anchors = anchors;
    int r = copy_names(arena, config->insecure_zones, config->insecure_zone_count, &copy.insecure_zones);
    if (r == 0)
        r = copy_names(arena, config->forward_zones, config->forward_zone_count, &copy.forward_zones);
    if (r == 0)
        r = copy_names(arena, config->apart_zones, config->apart_zone_count, &copy.apart_zones);
    if (r == 0)
        r = copy_names(arena, config->stale.disabled_zones, config->stale.disabled_zone_count,
                       &copy.stale.disabled_zones);
    if (r == 0)
        *ret_config = copy;
    return r;
}

int val_core_configure(struct val_core *core, const struct val_config *config)
{
    struct val_config copy;
    struct arena *arena = arena_new(CONFIG_ARENA_BYTES);
    if (!arena)
        return -ENOMEM;
    int r = copy_config(arena, config, &copy);
    if (r < 0) {
        arena_free(arena);
        return r;
    }
    arena_free(core->config_arena);
    core->config_arena = arena;
    core->config = copy;
    return val_anchors_configured(core);
}

struct val_core *val_core_new(const struct val_config *config, const struct crypto_ops *crypto,
                              const struct siphash_key *hash_key)
{
    struct val_core *core = calloc(1, sizeof(*core));
    if (!core)
        return NULL;
    core->crypto = crypto;
    core->hash_key = *hash_key;
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        list_init(&core->jobs[i]);
        list_init(&core->fetches[i]);
        list_init(&core->verifies[i]);
    }
    list_init(&core->ready);
    list_init(&core->actions);
    list_init(&core->ntas);
    val_anchors_init(core);
    core->scratch = arena_new(SCRATCH_ARENA_BYTES);
    if (!core->scratch || val_incidents_new(core) < 0 || val_core_configure(core, config) < 0) {
        val_incidents_free(core);
        free(core->nta_children);
        arena_free(core->scratch);
        free(core);
        return NULL;
    }
    return core;
}

static void drop_actions(struct val_core *core)
{
    struct val_action action;

    while (val_core_next_action(core, &action))
        ;
}

void val_core_free(struct val_core *core)
{
    if (!core)
        return;
    for (size_t i = 0; i < TABLE_BUCKETS; i++)
        while (!list_empty(&core->jobs[i]))
            val_job_unlink(core, CONTAINER_OF(core->jobs[i].next, struct job, table_node));
    drop_actions(core);
    for (size_t i = 0; i < TABLE_BUCKETS; i++)
        while (!list_empty(&core->verifies[i]))
            val_judge_verified(core, CONTAINER_OF(core->verifies[i].next, struct judge, verify_node)->verify,
                               VERIFY_BAD);
    while (!list_empty(&core->ntas))
        val_core_nta_remove(core, CONTAINER_OF(core->ntas.next, struct nta, node)->name);
    assert(core->job_count == 0);
    val_incidents_free(core);
    free(core->nta_children);
    arena_free(core->scratch);
    val_anchors_fini(core);
    arena_free(core->config_arena);
    free(core->heap);
    free(core);
}

static void enter(struct val_core *core, const struct env *env, const struct cache_view *view)
{
    core->env = env;
    core->view = view;
}

static int leave(struct val_core *core, int r)
{
    val_core_run(core);
    core->env = NULL;
    core->view = NULL;
    return r;
}

/* Whoever asks cannot give a question more than THREATS allows. */
static struct budget budget_clamp(const struct budget *asked, mono_ns now)
{
    struct budget most = budget_fresh(now);

    return (struct budget){.upstream_queries = MIN(asked->upstream_queries, most.upstream_queries),
                           .cname_steps = MIN(asked->cname_steps, most.cname_steps),
                           .signatures = MIN(asked->signatures, most.signatures),
                           .nsec3_hashes = MIN(asked->nsec3_hashes, most.nsec3_hashes),
                           .bytes = MIN(asked->bytes, most.bytes),
                           .deadline = mono_earlier(asked->deadline, most.deadline)};
}

/* No room for the question: SERVFAIL at once, from a question that lives for that alone. */
static struct question *question_new(struct val_core *core, const struct val_question *event)
{
    struct budget budget = budget_clamp(&event->budget, core->env->mono);
    struct purse *purse = purse_new(&budget);
    if (!purse)
        return NULL;
    purse->since = core->env->mono;
    struct job *job =
        val_job_new(core, JOB_QUESTION, event->qname, event->qtype, event->checking_disabled, purse);
    purse_release(purse);
    return job ? job_question(job) : NULL;
}

/* 0, or 1: no room. */
static int add_client(struct val_core *core, struct question *question, const struct client *client)
{
    if (question->client_count == VAL_CLIENTS_MAX || core->waiting_count >= VAL_WAITING_MAX)
        return 1;
    if (question->client_count == question->client_room) {
        unsigned room = MAX(question->client_room * 2, 4u);
        struct client *clients = realloc(question->clients, room * sizeof(*clients));
        if (!clients)
            return 1;
        question->clients = clients;
        question->client_room = room;
    }
    question->clients[question->client_count++] = *client;
    core->waiting_count++;
    return 0;
}

static int resolve(struct val_core *core, const struct val_question *event)
{
    struct job *job = val_job_find(core, JOB_QUESTION, event->qname, event->qtype, event->checking_disabled);
    bool joined = job != NULL;
    struct failure why;

    core->stats.questions++;
    core->stats.joined += joined;
    struct question *question = joined ? job_question(job) : question_new(core, event);
    if (!question)
        return -ENOMEM;
    struct client client = {.client = event->client, .id = event->id};
    if (add_client(core, question, &client) != 0)
        verdict_refuse(core, question, &client);
    if (!joined) {
        question->refresh = event->refresh;
        if (core->question_count > VAL_QUESTIONS_MAX) {
            val_failure_set(&why, EDE_OTHER, "too many questions at once");
            why.budget = true;
            val_question_fail(core, question, &why);
        }
    }
    return 0;
}

int val_core_resolve(struct val_core *core, const struct env *env, const struct cache_view *view,
                     const struct val_question *question)
{
    enter(core, env, view);
    return leave(core, resolve(core, question));
}

int val_core_evidence(struct val_core *core, const struct env *env, const struct cache_view *view,
                      const struct val_evidence *evidence)
{
    enter(core, env, view);
    struct fetch *fetch = val_fetch_find(core, evidence->fetch);
    if (fetch)
        val_fetch_evidence(core, fetch, evidence);
    return leave(core, 0);
}

int val_core_done(struct val_core *core, const struct env *env, const struct cache_view *view,
                  const struct val_done *done)
{
    enter(core, env, view);
    struct fetch *fetch = val_fetch_find(core, done->fetch);
    if (fetch)
        val_fetch_done(core, fetch, done);
    return leave(core, 0);
}

int val_core_verified(struct val_core *core, const struct env *env, const struct cache_view *view,
                      uint64_t verify, enum verify_outcome outcome)
{
    enter(core, env, view);
    val_judge_verified(core, verify, outcome);
    return leave(core, 0);
}

int val_core_recursord_lost(struct val_core *core, const struct env *env, const struct cache_view *view)
{
    enter(core, env, view);
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        LIST_FOREACH_SAFE(node, &core->fetches[i])
        {
            val_fetch_lost(core, CONTAINER_OF(node, struct fetch, node));
        }
    }
    return leave(core, 0);
}

int val_core_client_lost(struct val_core *core, const struct env *env, uint64_t client)
{
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        LIST_FOREACH (node, &core->jobs[i]) {
            struct job *job = CONTAINER_OF(node, struct job, table_node);
            if (job->kind != JOB_QUESTION)
                continue;
            struct question *question = job_question(job);
            unsigned kept = 0;
            for (unsigned j = 0; j < question->client_count; j++)
                if (question->clients[j].client != client)
                    question->clients[kept++] = question->clients[j];
            core->waiting_count -= question->client_count - kept;
            question->client_count = kept;
        }
    }
    return 0;
}

static mono_ns job_deadline(const struct job *job)
{
    mono_ns deadline = job->purse->budget.deadline;

    if (job->kind == JOB_TASK)
        return mono_earlier(deadline, val_fetch_deadline(&CONTAINER_OF(job, struct task, job)->fetch));
    if (job->kind != JOB_ZONE)
        return deadline;
    const struct zone *zone = CONTAINER_OF(job, struct zone, job);
    deadline = mono_earlier(deadline, val_fetch_deadline(&zone->ds_fetch));
    return mono_earlier(deadline, val_fetch_deadline(&zone->key_fetch));
}

static void deadline_reached(struct val_core *core, struct job *job)
{
    struct failure why;
    bool spent = mono_reached(core->env->mono, job->purse->budget.deadline);

    if (job->kind == JOB_PROBE) {
        val_probe_timer(core, job_probe(job), spent);
        return;
    }
    if (job->kind == JOB_QUESTION) {
        val_question_timeout(core, job_question(job));
        return;
    }
    val_failure_set(&why, EDE_NO_REACHABLE_AUTHORITY, "time ran out");
    why.budget = why.transport = true;
    if (job->kind == JOB_ANCHOR) {
        if (spent)
            val_anchor_job_fail(core, job);
        else
            val_fetch_resume(core, &job_anchor(job)->fetch);
    } else if (job->kind == JOB_TASK) {
        struct task *task = job_task(job);
        if (job->finished)
            val_job_unlink(core, job);
        else if (spent)
            val_task_fail(core, task, &why);
        else {
            val_fetch_resume(core, &task->fetch);
            val_fetch_hurry(core, &task->fetch);
        }
    } else {
        struct zone *zone = job_zone(job);
        bool rests = !zone->want_ds && !zone->want_trust;
        if (rests || spent) {
            if (!rests)
                val_zone_fail(core, zone, &why);
            val_job_unlink(core, job);
        } else {
            val_fetch_resume(core, &zone->ds_fetch);
            val_fetch_resume(core, &zone->key_fetch);
            val_fetch_hurry(core, &zone->ds_fetch);
            val_fetch_hurry(core, &zone->key_fetch);
        }
    }
    if (!job->unlinked && !job->finished)
        val_timer_set(core, job, job_deadline(job));
}

int val_core_tick(struct val_core *core, const struct env *env, const struct cache_view *view)
{
    enter(core, env, view);
    val_core_run(core);
    while (core->heap_count > 0 && mono_reached(env->mono, core->heap[0]->timer)) {
        struct job *job = core->heap[0];
        val_job_hold(job);
        val_timer_clear(core, job);
        deadline_reached(core, job);
        val_job_release(core, job);
        val_core_run(core);
    }
    if (mono_reached(env->mono, core->next_probe)) {
        val_ntas_tick(core);
        val_incidents_tick(core);
        val_incidents_schedule(core);
    }
    val_anchors_tick(core);
    return leave(core, 0);
}

mono_ns val_core_deadline(const struct val_core *core)
{
    mono_ns next = mono_earlier(core->next_probe, core->anchors.due);
    return mono_earlier(next, core->heap_count ? core->heap[0]->timer : MONO_NEVER);
}

int val_core_load_anchors(struct val_core *core, const struct env *env, const struct cache_view *view)
{
    enter(core, env, view);
    return leave(core, val_anchors_load(core));
}

void val_core_anchor_written(struct val_core *core, const struct env *env, const struct cache_view *view,
                             const uint8_t *zone, bool kept)
{
    enter(core, env, view);
    val_anchor_written(core, zone, kept);
    (void)leave(core, 0);
}

int val_core_anchor_add(struct val_core *core, const struct env *env, const struct cache_view *view,
                        const uint8_t *zone, uint16_t type, const struct rdata *rdata)
{
    enter(core, env, view);
    return leave(core, val_anchors_add(core, zone, type, rdata));
}

int val_core_anchor_remove(struct val_core *core, const struct env *env, const struct cache_view *view,
                           const uint8_t *zone, int tag, bool force)
{
    enter(core, env, view);
    return leave(core, val_anchors_remove(core, zone, tag, force));
}

void val_core_set_epoch(struct val_core *core, uint64_t epoch)
{
    core->epoch = epoch;
}

void val_core_stats(const struct val_core *core, struct val_stats *ret_stats)
{
    *ret_stats = core->stats;
    ret_stats->running_questions = core->question_count;
    ret_stats->running_tasks = core->task_count;
    ret_stats->incidents_open = core->incidents->open_count;
    ret_stats->ntas = core->nta_count;
}
