/* Which local rule governs a name: a trust anchor, a negative trust anchor (RFC 7646), a zone that is never
 * validated. The deepest at or above the name does; at one node an NTA wins over an anchor (RFC 7646 2). */

#include <errno.h>
#include <stdlib.h>

#include "daemons/validatord/core/internal.h"

static struct nta *nta_find(const struct val_core *core, const uint8_t *name)
{
    LIST_FOREACH (node, &core->ntas) {
        struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (name_equal(nta->name, name))
            return nta;
    }
    return NULL;
}

int val_core_nta_add(struct val_core *core, const uint8_t *name, wall_s expires)
{
    struct nta *nta = nta_find(core, name);
    if (nta) {
        nta->expires = expires;
        return 0;
    }
    if (core->nta_count >= VAL_NTA_MAX)
        return -ENOSPC;
    nta = calloc(1, sizeof(*nta));
    if (!nta)
        return -ENOMEM;
    name_copy(name, nta->name);
    nta->expires = expires;
    list_append(&core->ntas, &nta->node);
    core->nta_count++;
    return 0;
}

int val_core_nta_remove(struct val_core *core, const uint8_t *name)
{
    struct nta *nta = nta_find(core, name);
    if (!nta)
        return 1;
    list_remove(&nta->node);
    core->nta_count--;
    free(nta);
    return 0;
}

enum governed policy_governs(const struct val_core *core, const uint8_t *name, unsigned *ret_labels)
{
    enum governed governed = GOVERNED_NONE;
    unsigned deepest = 0;

    *ret_labels = 0;
    if (!core->config.validate)
        return GOVERNED_INSECURE;
    for (size_t i = 0; i < core->config.anchor_count; i++) {
        const uint8_t *zone = core->config.anchors[i].zone;
        if (name_is_under(name, zone) && (governed == GOVERNED_NONE || name_labels(zone) > deepest)) {
            governed = GOVERNED_ANCHOR;
            deepest = name_labels(zone);
        }
    }
    for (size_t i = 0; i < core->config.insecure_zone_count; i++) {
        const uint8_t *zone = core->config.insecure_zones[i];
        if (name_is_under(name, zone) && (governed == GOVERNED_NONE || name_labels(zone) >= deepest)) {
            governed = GOVERNED_INSECURE;
            deepest = name_labels(zone);
        }
    }
    LIST_FOREACH (node, &core->ntas) {
        const struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (nta->expires.s > core->env->wall.s && name_is_under(name, nta->name) &&
            (governed == GOVERNED_NONE || name_labels(nta->name) >= deepest)) {
            governed = GOVERNED_NTA;
            deepest = name_labels(nta->name);
        }
    }
    *ret_labels = deepest;
    return governed;
}
