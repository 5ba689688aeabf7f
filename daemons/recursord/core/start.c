/* Where a walk begins: a forward or stub zone of the configuration, the cut validatord knows, a cut met on
 * the way (for NS names only), else the root as primed or hinted. */

#include "daemons/recursord/core/internal.h"

/* Is a question answered by servers of `zone`? The DS of a zone is its parent's (RFC 4035 3.1.4.1). */
static bool belongs(const struct task *task, const uint8_t *zone)
{
    if (!name_is_under(task->qname, zone))
        return false;
    return task->qtype != TYPE_DS || name_is_root(zone) || !name_equal(task->qname, zone);
}

static const struct rec_zone_servers *configured_zone(const struct task *task)
{
    const struct rec_zone_servers *best = NULL;
    for (size_t i = 0; i < task->config->c.zone_count; i++) {
        const struct rec_zone_servers *zone = &task->config->c.zones[i];
        if (!belongs(task, zone->zone) || (zone->forward && task->forward_failed))
            continue;
        if (!best || name_labels(zone->zone) > name_labels(best->zone))
            best = zone;
    }
    return best;
}

static bool deeper(const struct cut *cut, const struct cut *than)
{
    return !than || name_labels(cut->zone) > name_labels(than->zone);
}

/* For a sub-fetch: the deepest cut at which those who wait are or were. */
static const struct cut *cut_of_waiters(const struct task *task, const struct cut *best)
{
    const struct task *at = task;
    for (unsigned depth = 0; depth <= REC_MAX_DEPTH && at->kind == TASK_ADDRESS && !list_empty(&at->waiters);
         depth++) {
        at = CONTAINER_OF(at->waiters.next, struct wait, of_sub)->waiter;
        for (const struct cut *cut = at->cut; cut; cut = cut->up)
            if (!cut->forward && cut->server_count && belongs(task, cut->zone) && deeper(cut, best))
                best = cut;
    }
    return best;
}

static struct cut *root_cut(struct rec_core *core, const struct env *env, struct task *task)
{
    struct cut *cut = NULL;
    if (core->root && !mono_reached(env->mono, core->root_until))
        cut = cut_copy(task, core->root);
    if (!cut || !cut->server_count)
        cut = cut_from_hints(task);
    if (cut)
        cut->given = false;
    return cut;
}

struct cut *start_cut(struct rec_core *core, const struct env *env, struct task *task)
{
    if (task->parent_side)
        return task->given;
    const struct rec_zone_servers *zone = configured_zone(task);
    if (task->only.family)
        return cut_from_only(task, task->given ? task->given->zone : name_root, zone);
    struct cut *given = task->restarted ? NULL : task->given;
    if (given && !belongs(task, given->zone))
        given = NULL;
    if (zone && (zone->forward || !given || !name_is_below(given->zone, zone->zone)))
        return cut_from_zone_servers(task, zone);
    if (given) {
        cut_fill(core, env, task, given);
        return given;
    }
    const struct cut *met = NULL;
    if (task->kind == TASK_ADDRESS && !task->restarted) {
        met = memory_cut(core, task->qname, env->mono);
        met = cut_of_waiters(task, met);
    }
    if (met && !name_is_root(met->zone)) {
        struct cut *cut = cut_copy(task, met);
        if (cut && cut->server_count)
            return cut;
    }
    return root_cut(core, env, task);
}
