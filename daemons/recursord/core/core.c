/* The core's frame: events, the queue of actions, the list of tasks that can go on. */

#include "daemons/recursord/core/recursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

#define SERVER_TABLE  8192u /* addresses; about 300 bytes each */
#define NS_TABLE      4096u /* NS names; about 800 bytes each */
#define CUT_TABLE     512u  /* delegations on the way to NS names; about 5 kB each */
#define TIMERS_A_TICK 64u   /* what one tick handles before the shell may read again */

static int core_init(struct rec_core *core)
{
    core->scratch = arena_new(REC_SCRATCH);
    core->action_arena = arena_new(REC_ACTION_BYTES);
    core->action_last = &core->action_first;
    core->priming_timer.kind = TIMER_PRIMING;
    list_init(&core->ready);
    if (!core->scratch || !core->action_arena || table_init(&core->fetches, 12, REC_MAX_FETCHES) ||
        table_init(&core->address_tasks, 12, REC_MAX_TASKS) ||
        table_init(&core->exchanges, 12, REC_MAX_TASKS) || table_init(&core->servers, 13, SERVER_TABLE) ||
        table_init(&core->ns_names, 12, NS_TABLE) || table_init(&core->cuts, 9, CUT_TABLE))
        return -ENOMEM;
    /* priming is due at once: the first tick begins it */
    return timer_arm(&core->timers, &core->priming_timer, (mono_ns){0});
}

struct rec_core *rec_core_new(const struct rec_config *config, const struct siphash_key *hash_key)
{
    struct rec_core *core = calloc(1, sizeof(*core));
    if (!core)
        return NULL;
    core->key = *hash_key;
    core->config = config_copy(config);
    if (!core->config || core_init(core)) {
        rec_core_free(core);
        return NULL;
    }
    return core;
}

static void drop_all(struct rec_core *core, struct table *table)
{
    struct table_node *node;
    while (table->buckets && (node = table_oldest(table)))
        task_drop(core, CONTAINER_OF(node, struct task, node));
}

void rec_core_free(struct rec_core *core)
{
    if (!core)
        return;
    drop_all(core, &core->fetches);
    drop_all(core, &core->address_tasks);
    if (core->priming_task)
        task_drop(core, core->priming_task);
    if (core->cuts.buckets)
        memory_free(core);
    rec_core_forget_servers(core, NULL);
    struct table *tables[] = {&core->fetches, &core->address_tasks, &core->exchanges,
                              &core->servers, &core->ns_names,      &core->cuts};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        table_fini(tables[i]);
    timers_fini(&core->timers);
    free(core->servers_all);
    free(core->root);
    config_unref(core->config);
    arena_free(core->scratch);
    arena_free(core->action_arena);
    free(core);
}

int rec_core_configure(struct rec_core *core, const struct rec_config *config)
{
    struct config *fresh = config_copy(config);
    if (!fresh)
        return -ENOMEM;
    config_unref(core->config);
    core->config = fresh;
    /* hints may have changed: prime anew, and until then begin at them */
    free(core->root);
    core->root = NULL;
    core->priming_failures = 0;
    return timer_arm(&core->timers, &core->priming_timer, (mono_ns){0});
}

struct rec_action *core_action(struct rec_core *core, enum rec_action_kind kind)
{
    struct action_node *node = ARENA_NEW(core->action_arena, struct action_node);
    if (!node)
        return NULL;
    node->action.kind = kind;
    node->action.ede_code = EDE_NONE;
    *core->action_last = node;
    core->action_last = &node->next;
    return &node->action;
}

bool rec_core_next_action(struct rec_core *core, struct rec_action *ret_action)
{
    struct action_node *node = core->action_first;
    if (!node)
        return false;
    core->action_first = node->next;
    if (!node->next)
        core->action_last = &core->action_first;
    *ret_action = node->action;
    return true;
}

void core_ready(struct rec_core *core, struct task *task)
{
    if (!list_linked(&task->ready))
        list_append(&core->ready, &task->ready);
}

/* An event begins: bytes of actions that were drained may go. */
static void begin(struct rec_core *core)
{
    if (!core->action_first)
        arena_reset(core->action_arena);
}

/* ... and ends: whatever can go on does, as long as the random pool lasts; the rest waits for a tick, due at
 * once. */
static void run(struct rec_core *core, const struct env *env)
{
    while (!list_empty(&core->ready) && env->random->left >= REC_EVENT_RANDOM) {
        struct task *task = CONTAINER_OF(core->ready.next, struct task, ready);
        list_remove(&task->ready);
        rec_fetch_step(core, env, task);
    }
}

static void refuse(struct rec_core *core, const struct rec_fetch *fetch)
{
    struct rec_action *action = core_action(core, REC_ACTION_DONE);
    if (!action)
        return;
    action->fetch = fetch->id;
    action->outcome = REC_DONE_BUDGET;
    action->ede_code = EDE_OTHER;
    static const char text[] = "too many fetches are running";
    memcpy(action->ede_text, text, sizeof(text));
}

static int fetch_fill(struct rec_core *core, struct task *task, const struct rec_fetch *fetch)
{
    task->fetch_id = fetch->id;
    task->budget = fetch->budget;
    task->granted_queries = fetch->budget.upstream_queries;
    task->granted_bytes = fetch->budget.bytes;
    task->to_referral = fetch->to_referral;
    if (fetch->avoid_count) {
        task->avoid = arena_copy(task->arena, fetch->avoid, fetch->avoid_count * sizeof(*fetch->avoid));
        if (!task->avoid)
            return -ENOMEM;
        task->avoid_count = fetch->avoid_count;
    }
    if (fetch->only) {
        task->only = *fetch->only;
        task->only.port = task->only.port ? task->only.port : 53;
        task->only_transport = fetch->only_transport;
        if (fetch->cut && !(task->given = cut_new(task->arena, fetch->cut)))
            return -ENOMEM;
    } else if (fetch->cut && name_is_under(task->qname, fetch->cut)) {
        task->given = cut_from_delegation(core, task, fetch->cut, fetch->delegation);
    }
    return timer_arm(&core->timers, &task->deadline, task->budget.deadline);
}

int rec_core_fetch(struct rec_core *core, const struct env *env, const struct rec_fetch *fetch)
{
    begin(core);
    if (task_find_fetch(core, fetch->id))
        return -EEXIST;
    struct task *task = NULL;
    if (!table_full(&core->fetches))
        task = task_new(core, TASK_FETCH, fetch->qname, fetch->qtype);
    if (!task) {
        refuse(core, fetch);
        return 0;
    }
    table_insert(&core->fetches, &task->node, siphash24(&core->key, &fetch->id, sizeof(fetch->id)));
    core->stats.fetches++;
    if (fetch_fill(core, task, fetch)) {
        rec_task_finish(core, env, task, REC_DONE_BUDGET);
        return -ENOMEM;
    }
    core_ready(core, task);
    run(core, env);
    return 0;
}

void rec_core_cancel(struct rec_core *core, const struct env *env, uint64_t fetch_id)
{
    begin(core);
    struct task *task = task_find_fetch(core, fetch_id);
    if (task)
        rec_task_finish(core, env, task, REC_DONE_CANCELLED);
    run(core, env);
}

void rec_core_cancel_all(struct rec_core *core, const struct env *env)
{
    struct table_node *node;
    begin(core);
    while ((node = table_oldest(&core->fetches)))
        rec_task_finish(core, env, CONTAINER_OF(node, struct task, node), REC_DONE_CANCELLED);
    run(core, env);
}

int rec_core_reply(struct rec_core *core, const struct env *env, uint64_t exchange, struct slice wire)
{
    begin(core);
    struct exchange *x = exchange_find(core, exchange);
    if (x)
        fetch_reply(core, env, x, wire);
    run(core, env);
    return 0;
}

int rec_core_failed(struct rec_core *core, const struct env *env, uint64_t exchange, enum rec_failure why)
{
    begin(core);
    struct exchange *x = exchange_find(core, exchange);
    if (x)
        fetch_failed(core, env, x, why);
    run(core, env);
    return 0;
}

static void timer_fired(struct rec_core *core, const struct env *env, struct timer *timer)
{
    struct task *task;
    switch (timer->kind) {
    case TIMER_EXCHANGE:
        fetch_timeout(core, env, CONTAINER_OF(timer, struct exchange, timer));
        break;
    case TIMER_TASK:
        fetch_expired(core, env, CONTAINER_OF(timer, struct task, deadline));
        break;
    case TIMER_HEDGE:
        task = CONTAINER_OF(timer, struct task, hedge);
        task->hedge_due = true;
        core_ready(core, task);
        break;
    case TIMER_PRIMING:
        priming_start(core, env);
        break;
    }
}

int rec_core_tick(struct rec_core *core, const struct env *env)
{
    begin(core);
    for (unsigned i = 0; i < TIMERS_A_TICK; i++) {
        struct timer *timer = timers_first(&core->timers);
        if (!timer || !mono_reached(env->mono, timer->at))
            break;
        timer_stop(&core->timers, timer);
        timer_fired(core, env, timer);
    }
    run(core, env);
    return 0;
}

mono_ns rec_core_deadline(const struct rec_core *core)
{
    if (!list_empty(&core->ready))
        return (mono_ns){0};
    const struct timer *timer = timers_first(&core->timers);
    return timer ? timer->at : MONO_NEVER;
}

bool rec_core_server_info(const struct rec_core *core, size_t index, struct rec_server_info *ret_info)
{
    if (index >= core->servers.count)
        return false;
    const struct server *s = core->servers_all[index];
    *ret_info = (struct rec_server_info){.address = s->address,
                                         .srtt_us = s->measured ? s->srtt_us : 0,
                                         .timeouts = s->timeouts,
                                         .queries = s->queries,
                                         .edns_broken = s->plain_until.ns != 0,
                                         .tcp_only = s->tcp_until.ns != 0,
                                         .has_cookie = s->has_cookie,
                                         .down_until = s->down_until};
    return true;
}

void rec_core_stats(const struct rec_core *core, struct rec_stats *ret_stats)
{
    *ret_stats = core->stats;
    ret_stats->running = core->fetches.count;
}

void rec_core_forget_servers(struct rec_core *core, const struct address *address)
{
    if (address) {
        struct server *server = servers_find(core, address);
        if (server)
            servers_remove(core, server);
        return;
    }
    while (core->servers.count)
        servers_remove(core, core->servers_all[0]);
}
