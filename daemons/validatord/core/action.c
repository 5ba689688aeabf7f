/* The queue of actions. An action holds the job whose arena its bytes are in until the shell asks for the
 * next. */

#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/core/internal.h"

struct action *val_action_new(struct val_core *core, enum val_action_kind kind, struct job *job)
{
    struct action *action = calloc(1, sizeof(*action));
    if (!action)
        return NULL;
    action->action.kind = kind;
    action->job = job;
    if (job)
        val_job_hold(job);
    list_append(&core->actions, &action->node);
    return action;
}

static void action_free(struct val_core *core, struct action *action)
{
    if (action->job)
        val_job_release(core, action->job);
    free(action->event);
    free(action);
}

void val_event(struct val_core *core, enum val_event_kind kind, const uint8_t *zone,
               const struct failure *why, bool degraded, wall_s since)
{
    struct val_event *event = calloc(1, sizeof(*event));
    struct action *action = event ? val_action_new(core, VAL_ACTION_EVENT, NULL) : NULL;
    if (!action) {
        free(event);
        return;
    }
    event->kind = kind;
    name_copy(zone, event->zone);
    event->degraded = degraded;
    event->since = since;
    event->ede = EDE_NONE;
    if (why) {
        event->ede = why->ede;
        memcpy(event->text, why->text, why->text_size);
    }
    action->action.event = action->event = event;
}

void val_action_drop_given(struct val_core *core)
{
    if (core->given)
        action_free(core, TAKE(core->given));
}

bool val_core_next_action(struct val_core *core, struct val_action *ret_action)
{
    val_action_drop_given(core);
    if (list_empty(&core->actions))
        return false;
    struct action *action = CONTAINER_OF(core->actions.next, struct action, node);
    list_remove(&action->node);
    core->given = action;
    *ret_action = action->action;
    return true;
}
