/* Tasks, who waits for whom, and who pays. */

#include <errno.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

struct task *task_new(struct rec_core *core, enum task_kind kind, const uint8_t *qname, uint16_t qtype)
{
    if (core->tasks >= REC_MAX_TASKS)
        return NULL;
    struct arena *arena = arena_new(REC_TASK_ARENA);
    struct task *task = arena ? ARENA_NEW(arena, struct task) : NULL;
    if (!task) {
        arena_free(arena);
        return NULL;
    }
    task->core = core;
    task->arena = arena;
    task->kind = kind;
    task->config = config_ref(core->config);
    name_copy(qname, task->qname);
    task->qtype = qtype;
    task->labels = name_labels(task->qname);
    task->retry = -1;
    task->deadline.kind = TIMER_TASK;
    task->hedge.kind = TIMER_HEDGE;
    list_init(&task->ready);
    list_init(&task->waiters);
    list_init(&task->waits);
    core->tasks++;
    return task;
}

struct task *task_payer(struct task *task)
{
    while (task->kind == TASK_ADDRESS) {
        assert(!list_empty(&task->waiters));
        task = CONTAINER_OF(task->waiters.next, struct wait, of_sub)->waiter;
    }
    return task;
}

static void wait_remove(struct wait *wait)
{
    list_remove(&wait->of_sub);
    list_remove(&wait->of_waiter);
}

/* Frees one task; sub-fetches that nobody else waits for go to `doomed`. */
static void drop_one(struct rec_core *core, struct task *task, struct list *doomed)
{
    if (task->exchange)
        exchange_end(core, task->exchange);
    timer_stop(&core->timers, &task->deadline);
    timer_stop(&core->timers, &task->hedge);
    if (list_linked(&task->ready))
        list_remove(&task->ready);
    if (task->kind == TASK_FETCH)
        table_remove(&core->fetches, &task->node);
    else if (task->kind == TASK_ADDRESS)
        table_remove(&core->address_tasks, &task->node);
    else
        core->priming_task = NULL;
    while (!list_empty(&task->waits)) {
        struct wait *wait = CONTAINER_OF(task->waits.next, struct wait, of_waiter);
        struct task *sub = wait->sub;
        wait_remove(wait);
        if (!list_empty(&sub->waiters))
            continue;
        if (list_linked(&sub->ready))
            list_remove(&sub->ready);
        list_append(doomed, &sub->ready);
    }
    while (!list_empty(&task->waiters))
        wait_remove(CONTAINER_OF(task->waiters.next, struct wait, of_sub));
    config_unref(task->config);
    core->tasks--;
    arena_free(task->arena);
}

void task_drop(struct rec_core *core, struct task *task)
{
    struct list doomed;
    list_init(&doomed);
    drop_one(core, task, &doomed);
    while (!list_empty(&doomed))
        drop_one(core, CONTAINER_OF(doomed.next, struct task, ready), &doomed);
}

/* The result of an address look-up to one that waits for it. */
static void tell_waiter(struct rec_core *core, const struct env *env, struct wait *wait,
                        enum rec_outcome outcome)
{
    struct task *waiter = wait->waiter;
    struct cut *cut = wait->cut;
    struct cut_ns *ns = &cut->ns[wait->ns];
    const struct ns_addresses *known = wait->sub->parent_side
                                           ? memory_side(core, ns->name, wait->family, SIDE_PARENT, env->mono)
                                           : memory_addresses(core, ns->name, wait->family, env->mono);
    if (ns->state[wait->family] == NS_PENDING)
        ns->state[wait->family] = outcome == REC_DONE_LOOP ? NS_LOOP : NS_FAILED;
    for (unsigned i = 0; known && i < known->count; i++)
        cut_add_address(waiter, cut, wait->ns, &known->addresses[i]);
    core_ready(core, waiter);
    if (wait->sub->parent_side)
        return;
    /* a name that does not exist, or needs itself, has no address of the other family either */
    unsigned other = !wait->family;
    known = memory_addresses(core, ns->name, other, env->mono);
    if (known && !known->count && ns->state[other] == NS_UNKNOWN)
        ns->state[other] = NS_FAILED;
    if (outcome == REC_DONE_LOOP) {
        waiter->saw_loop = true;
        if (ns->state[other] == NS_UNKNOWN)
            ns->state[other] = NS_LOOP;
    }
}

void rec_task_finish(struct rec_core *core, const struct env *env, struct task *task,
                     enum rec_outcome outcome)
{
    switch (task->kind) {
    case TASK_FETCH:
        report_done(core, task, outcome);
        break;
    case TASK_PRIMING:
        if (outcome != REC_DONE_ANSWERED)
            priming_failed(core, env);
        break;
    case TASK_ADDRESS:
        if (outcome != REC_DONE_ANSWERED && outcome != REC_DONE_BUDGET)
            memory_put_failure(core, task_ns_name(task), task->qtype == TYPE_AAAA, env->mono,
                               task->parent_side ? SIDE_PARENT : SIDE_OWN);
        if (outcome == REC_DONE_LOOP)
            memory_put_failure(core, task_ns_name(task), task->qtype != TYPE_AAAA, env->mono, SIDE_OWN);
        LIST_FOREACH (pos, &task->waiters)
            tell_waiter(core, env, CONTAINER_OF(pos, struct wait, of_sub), outcome);
        break;
    }
    task_drop(core, task);
}

static bool has_task(struct task *const *list, unsigned count, const struct task *task)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == task)
            return true;
    return false;
}

/* Is the address of `name` what the task, however indirectly, is looked up for? Either family counts: what
 * needs a name to find that name needs itself. */
static bool needed_for(const uint8_t *name, struct task *task)
{
    /* Up from the task to the look-ups that wait for it, breadth first in a bounded list. What does not fit
     * counts as a loop: nothing honest is that entangled. */
    struct task *open[64] = {task};
    unsigned count = 1;
    for (unsigned at = 0; at < count; at++) {
        if (open[at]->kind == TASK_ADDRESS && name_equal(task_ns_name(open[at]), name))
            return true;
        LIST_FOREACH (pos, &open[at]->waiters) {
            struct task *waiter = CONTAINER_OF(pos, struct wait, of_sub)->waiter;
            if (waiter->kind != TASK_ADDRESS || has_task(open, count, waiter))
                continue;
            if (count == ARRAY_SIZE(open))
                return true;
            open[count++] = waiter;
        }
    }
    return false;
}

static uint64_t address_hash(const struct rec_core *core, const uint8_t *name, unsigned family,
                             enum side side)
{
    return siphash24(&core->key, name, name_size(name)) ^ family ^ (uint64_t)side << 1;
}

static struct task *find_address_task(struct rec_core *core, const uint8_t *name, uint16_t qtype,
                                      enum side side)
{
    uint64_t hash = address_hash(core, name, qtype == TYPE_AAAA, side);
    struct list *bucket = table_bucket(&core->address_tasks, hash);
    LIST_FOREACH (pos, bucket) {
        struct task *task = CONTAINER_OF(table_node_of(pos), struct task, node);
        if (task->node.hash == hash && task->qtype == qtype && task->parent_side == (side == SIDE_PARENT) &&
            name_equal(task_ns_name(task), name))
            return task;
    }
    return NULL;
}

bool task_lookup_running(struct rec_core *core, const uint8_t *name, unsigned family)
{
    return find_address_task(core, name, family ? TYPE_AAAA : TYPE_A, SIDE_OWN) != NULL;
}

static int task_wait(struct task *task, struct task *sub, unsigned ns, unsigned family)
{
    struct wait *wait = ARENA_NEW(task->arena, struct wait);
    if (!wait)
        return -ENOMEM;
    *wait = (struct wait){
        .sub = sub, .waiter = task, .cut = task->cut, .ns = (uint8_t)ns, .family = (uint8_t)family};
    list_append(&sub->waiters, &wait->of_sub);
    list_append(&task->waits, &wait->of_waiter);
    task->cut->ns[ns].state[family] = NS_PENDING;
    task->cut->lookups++;
    return 0;
}

int task_lookup(struct rec_core *core, const struct env *env, struct task *task, unsigned ns, unsigned family,
                enum side side)
{
    struct cut_ns *entry = &task->cut->ns[ns];
    uint16_t qtype = family ? TYPE_AAAA : TYPE_A;
    struct task *payer = task_payer(task);
    entry->state[family] = NS_FAILED;
    /* a parent-side look-up starts no other: it can be part of no loop */
    if (side == SIDE_OWN && needed_for(entry->name, task)) {
        entry->state[0] = entry->state[1] = NS_LOOP;
        task->saw_loop = true;
        return 1;
    }
    struct task *sub = find_address_task(core, entry->name, qtype, side);
    if (sub) {
        sub->depth = MAX(sub->depth, task->depth + 1);
        return task_wait(task, sub, ns, family) ? -ENOMEM : 0;
    }
    if (task->depth >= REC_MAX_DEPTH || payer->subtasks >= REC_MAX_SUBTASKS)
        return 1;
    sub = task_new(core, TASK_ADDRESS, entry->name, qtype);
    if (!sub)
        return -ENOMEM;
    sub->depth = task->depth + 1;
    table_insert(&core->address_tasks, &sub->node, address_hash(core, entry->name, family, side));
    if (side == SIDE_PARENT) {
        sub->parent_side = true;
        sub->given = cut_copy(sub, task->cut->up);
    }
    if (task_wait(task, sub, ns, family)) {
        task_drop(core, sub);
        return -ENOMEM;
    }
    payer->subtasks++;
    core->stats.sub_fetches++;
    core_ready(core, sub);
    return 0;
}

struct task *task_find_fetch(struct rec_core *core, uint64_t fetch_id)
{
    uint64_t hash = siphash24(&core->key, &fetch_id, sizeof(fetch_id));
    struct list *bucket = table_bucket(&core->fetches, hash);
    LIST_FOREACH (pos, bucket) {
        struct task *task = CONTAINER_OF(table_node_of(pos), struct task, node);
        if (task->fetch_id == fetch_id)
            return task;
    }
    return NULL;
}
