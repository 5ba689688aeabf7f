#include "daemons/validatord/core/nta_child.h"

#include <stdlib.h>

#include "common/base/text.h"
#include "daemons/validatord/core/kept.h"

static struct nta_child *find(struct val_core *core, const uint8_t *zone)
{
    for (unsigned i = 0; core->nta_children && i < NTA_CHILDREN; i++)
        if (core->nta_children[i].used && name_equal(core->nta_children[i].zone, zone))
            return &core->nta_children[i];
    return NULL;
}

/* It fails at each question for it, remembered failures included: so what has not for so long is over, or
 * nobody asks for it. */
static bool is_over(const struct val_core *core, const struct nta_child *child, const struct env *env)
{
    return !child->used || env->mono.ns - child->last.ns > NTA_CHILD_S * NS_PER_S ||
           !policy_is_kept_below_nta(core, child->zone) || policy_has_nta(core, child->zone);
}

static struct nta_child *room(struct val_core *core)
{
    for (unsigned i = 0; core->nta_children && i < NTA_CHILDREN; i++)
        if (is_over(core, &core->nta_children[i], core->env))
            return &core->nta_children[i];
    return NULL;
}

/* The zone whose kept DS governs the name, below an NTA. NULL: none does. */
static const uint8_t *kept_zone(const struct val_core *core, const uint8_t *name)
{
    unsigned labels;

    if (policy_governs(core, name, &labels) != GOVERNED_ANCHOR || !policy_is_kept_below_nta(core, name))
        return NULL;
    const uint8_t *zone = name_suffix(name, labels);
    return policy_has_anchor(core, zone) ? NULL : zone;
}

void val_nta_child_doubted(struct val_core *core, struct job *by, struct failure *why)
{
    const uint8_t *at = why->transport || why->budget ? NULL : kept_zone(core, by->name);
    const struct failure none = {.ede = EDE_NONE};
    struct failure kept;

    if (!at)
        return;
    struct zone *zone = val_zone_get(core, at, by->purse);
    if (!zone)
        return;
    if (!zone->trust_done) {
        zone->want_trust = true;
        val_job_ready(core, &zone->job);
    }
    if (zone->trust_done && zone->trust == SECURITY_BOGUS)
        return; /* then the reason is its keys', and names the DS */
    kept_text(core, &kept, "DS", at, zone->rec.ds_expires, &none);
    struct text text = {.buf = why->text, .room = sizeof(why->text), .size = why->text_size};
    text_add(&text, "; ");
    text_add_bytes(&text, kept.text, kept.text_size);
    why->text_size = (uint16_t)text.size;
}

void val_nta_child_failed(struct val_core *core, const uint8_t *zone, const struct failure *why)
{
    const uint8_t *kept = why->transport || why->budget ? NULL : kept_zone(core, zone);

    if (!kept || !name_equal(kept, zone))
        return;
    struct nta_child *child = find(core, zone);
    if (child && !is_over(core, child, core->env)) {
        child->last = core->env->mono;
        return;
    }
    if (!core->nta_children)
        core->nta_children = calloc(NTA_CHILDREN, sizeof(*core->nta_children));
    child = child ? child : room(core);
    if (!child)
        return;
    *child = (struct nta_child){.used = true, .last = core->env->mono, .since = core->env->wall, .why = *why};
    name_copy(zone, child->zone);
    val_event(core, VAL_EVENT_CHILD_ADVICE, zone, why, false, child->since);
}

void val_nta_child_validated(struct val_core *core, const uint8_t *zone)
{
    struct nta_child *child = find(core, zone);

    if (child)
        child->used = false;
}

void val_core_nta_children(struct val_core *core, const struct env *env,
                           void (*fn)(void *ctx, const struct val_nta_child *child), void *ctx)
{
    core->env = env;
    for (unsigned i = 0; core->nta_children && i < NTA_CHILDREN; i++) {
        const struct nta_child *from = &core->nta_children[i];
        if (is_over(core, from, env))
            continue;
        struct val_nta_child child = {.zone = from->zone,
                                      .since = from->since,
                                      .ede = from->why.ede,
                                      .text = slice_make(from->why.text, from->why.text_size)};
        fn(ctx, &child);
    }
    core->env = NULL;
}
