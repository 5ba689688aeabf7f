/* Priming, RFC 9609: the hints say whom to ask, the root says who serves it. */

#include <stdlib.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

#define RETRY_FIRST_MS 10000u
#define RETRY_MAX_MS   600000u
#define TTL_MIN_S      60u
#define TTL_MAX_S      518400u /* the root zone's own 6 days */

/* A forwarder for everything makes the root servers nobody's business. */
static bool root_is_forwarded(const struct rec_config *c)
{
    for (size_t i = 0; i < c->zone_count; i++)
        if (name_is_root(c->zones[i].zone) && !c->zones[i].first)
            return true;
    return false;
}

void priming_start(struct rec_core *core, const struct env *env)
{
    const struct rec_config *c = &core->config->c;
    if (!c->priming || core->priming_task || root_is_forwarded(c))
        return;
    struct task *task = task_new(core, TASK_PRIMING, name_root, TYPE_NS);
    struct cut *cut = task ? cut_from_hints(task) : NULL;
    if (!cut) {
        if (task)
            task_drop(core, task);
        priming_failed(core, env);
        return;
    }
    task->cut = cut;
    task->budget = budget_fresh(env->mono);
    minimise_enter(task);
    core->priming_task = task;
    (void)timer_arm(&core->timers, &task->deadline, task->budget.deadline);
    core_ready(core, task);
}

void priming_answer(struct rec_core *core, const struct env *env, struct task *task,
                    const struct message *message)
{
    struct cut *cut = cut_from_priming(task, message);
    struct cut *root = cut ? malloc(sizeof(*root)) : NULL;
    if (!root) {
        priming_failed(core, env);
        return;
    }
    *root = *cut;
    free(core->root);
    core->root = root;
    core->priming_failures = 0;
    uint64_t ttl_ms = 1000ULL * MIN(MAX(cut->ttl, TTL_MIN_S), TTL_MAX_S);
    /* the next priming begins while the old set is still good */
    core->root_until = mono_add_ms(env->mono, ttl_ms + RETRY_MAX_MS);
    (void)timer_arm(&core->timers, &core->priming_timer, mono_add_ms(env->mono, ttl_ms));
    struct rec_action *action = core_action(core, REC_ACTION_PRIMED);
    void *bytes = action ? arena_copy(core->action_arena, message->wire, message->size) : NULL;
    if (bytes)
        action->wire = slice_make(bytes, message->size);
    else if (action)
        action->kind = REC_ACTION_CANCEL;
}

void priming_failed(struct rec_core *core, const struct env *env)
{
    unsigned doublings = MIN(core->priming_failures, 6u);
    core->priming_failures++;
    (void)timer_arm(&core->timers, &core->priming_timer,
                    mono_add_ms(env->mono, MIN(RETRY_FIRST_MS << doublings, RETRY_MAX_MS)));
}
