/* The root's NS set as recursord's priming found it (RFC 9609): kept as the root's delegation. It decides
 * where questions go, not what is believed; so it is vetted for shape, and what comes from there is judged as
 * ever. */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

#define PRIMING_NS_MAX CACHE_NS_MAX

static int take_addresses(struct arena *arena, const struct rrset_list *additional, const struct rrset *ns,
                          struct rrset_list *ret_glue)
{
    for (uint32_t i = 0; i < additional->count && ret_glue->count < 2 * PRIMING_NS_MAX; i++) {
        const struct rrset *rrset = &additional->items[i];
        bool server = false;
        if ((rrset->type != TYPE_A && rrset->type != TYPE_AAAA) || rrset->count == 0 ||
            rrset->class != CLASS_IN)
            continue;
        for (unsigned j = 0; j < ns->count && !server; j++) {
            uint8_t name[NAME_MAX];
            server = name_from_bytes(ns->rdata[j].data, ns->rdata[j].size, name) == 0 &&
                     name_equal(name, rrset->owner);
        }
        if (!server)
            continue;
        struct rrset copy = *rrset;
        copy.sig_count = 0;
        copy.rank = RANK_ADDITIONAL;
        copy.security = SECURITY_INDETERMINATE;
        int r = rrset_list_add(arena, ret_glue, &copy);
        if (r < 0)
            return r;
    }
    return 0;
}

static int primed(struct val_core *core, struct zone *zone, struct slice wire)
{
    struct arena *arena = zone->job.arena;
    struct message message;
    struct rrset_list answer, additional, glue = {0};

    uint8_t *bytes = arena_copy(arena, wire.data, wire.size);
    if (!bytes)
        return -ENOMEM;
    int r = message_parse(arena, bytes, wire.size, &message);
    if (r != MESSAGE_OK || message.rcode != RCODE_NOERROR)
        return r < 0 ? r : 0;
    r = message_rrsets(arena, &message, SECTION_ANSWER, SECTION_RRSETS, &answer);
    if (r == 0)
        r = message_rrsets(arena, &message, SECTION_ADDITIONAL, SECTION_RRSETS, &additional);
    if (r != 0)
        return r < 0 ? r : 0;
    struct rrset *ns = rrset_list_find(&answer, name_root, TYPE_NS);
    if (!ns || ns->count == 0 || ns->class != CLASS_IN)
        return 0;
    struct rrset kept = *ns;
    kept.count = (uint16_t)MIN(kept.count, PRIMING_NS_MAX);
    kept.sig_count = 0;
    kept.rank = RANK_REFERRAL;
    kept.security = SECURITY_INDETERMINATE;
    r = take_addresses(arena, &additional, &kept, &glue);
    if (r < 0)
        return r;
    if (glue.count == 0)
        return 0; /* servers that cannot be reached are worse than the hints */
    zone->rec.has_delegation = true;
    zone->rec.ns = kept;
    zone->rec.glue = glue;
    zone->rec.ns_stored = core->env->wall;
    zone->rec.ns_expires.s = core->env->wall.s + MIN(kept.ttl, core->config.max_ttl_s);
    zone->changed = true;
    val_zone_store(core, zone);
    return 0;
}

int val_core_primed(struct val_core *core, const struct env *env, const struct cache_view *view,
                    struct slice message)
{
    struct budget budget = budget_fresh(env->mono);
    struct purse *purse = purse_new(&budget);
    int r = -ENOMEM;

    if (!purse)
        return r;
    core->env = env;
    core->view = view;
    struct zone *zone = val_zone_get(core, name_root, purse);
    if (zone)
        r = primed(core, zone, message);
    purse_release(purse);
    val_core_run(core);
    core->env = NULL;
    core->view = NULL;
    return r;
}
