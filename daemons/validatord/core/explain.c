/* How the trust of a name was found, zone by zone, from what the cache holds: for `holdfastctl explain`. */

#include <errno.h>
#include <string.h>

#include "daemons/validatord/core/incident.h"

#define EXPLAIN_ARENA_BYTES (4u * 1024u * 1024u)

static bool has_anchor(const struct val_core *core, const uint8_t *zone)
{
    for (size_t i = 0; i < core->config.anchor_count; i++)
        if (name_equal(core->config.anchors[i].zone, zone))
            return true;
    return false;
}

/* The first failure that is remembered of these types. */
static bool find_failure(struct val_core *core, struct arena *arena, const uint8_t *name,
                         const uint16_t *types, size_t count, struct failure *ret_why)
{
    for (size_t i = 0; i < count; i++)
        if (val_failure_known(core, arena, name, types[i], ret_why))
            return true;
    return false;
}

/* What fails at this name: its chain; of the last name, also what people ask for there. */
static void explain_failure(struct val_core *core, struct arena *arena, const uint8_t *zone, bool last,
                            struct val_link *link)
{
    static const uint16_t types[] = {TYPE_DS, TYPE_DNSKEY, TYPE_A,   TYPE_AAAA,  TYPE_HTTPS, TYPE_MX,
                                     TYPE_NS, TYPE_SOA,    TYPE_TXT, TYPE_CNAME, TYPE_PTR,   TYPE_SRV};
    struct failure why;

    if (!find_failure(core, arena, zone, types, last ? ARRAY_SIZE(types) : 2, &why))
        return;
    link->ede_code = why.ede;
    char *text = arena_alloc(arena, why.text_size + 1u);
    if (text) {
        memcpy(text, why.text, why.text_size);
        link->ede_text = text;
    }
    link->security = why.transport ? SECURITY_INDETERMINATE : SECURITY_BOGUS;
}

/* What the record says; security is that of the zone above when it comes in. */
static enum security explain_record(struct val_core *core, struct lookup *lookup, const uint8_t *zone,
                                    enum security above, struct val_link *link, bool *ret_known)
{
    struct cache_zone rec;

    *ret_known = cache_zone_get(lookup, zone, &rec) == 0;
    if (!*ret_known)
        return above;
    link->ds_state = rec.ds_state;
    link->ds = rec.ds;
    link->ds_expires = rec.ds_expires;
    link->dnskey_expires = rec.dnskey_expires;
    link->ds_validated = rec.ds_state == DS_UNKNOWN ? (wall_s){0} : rec.ds_validated;
    link->dnskey_validated = rec.has_dnskey ? rec.dnskey_validated : (wall_s){0};
    if (rec.has_dnskey)
        link->dnskey = rec.dnskey;
    if (link->anchor)
        return SECURITY_SECURE;
    if (rec.ds_state == DS_NONE || rec.ds_state == DS_UNSUPPORTED)
        return SECURITY_INSECURE;
    return above;
}

static int explain(struct val_core *core, struct arena *arena, const uint8_t *name,
                   int (*fn)(void *ctx, const struct val_link *link), void *ctx)
{
    struct purse none = {0};
    struct lookup lookup = val_core_lookup(core, arena, &none);
    enum security security = SECURITY_INSECURE;

    for (unsigned labels = 0; labels <= name_labels(name); labels++) {
        const uint8_t *zone = name_suffix(name, labels);
        struct val_link link = {.zone = zone, .ede_code = EDE_NONE, .anchor = has_anchor(core, zone)};
        bool known;
        unsigned rule;

        if (link.anchor)
            security = SECURITY_SECURE;
        security = explain_record(core, &lookup, zone, security, &link, &known);
        enum governed governed = policy_governs(core, zone, &rule);
        link.nta = governed == GOVERNED_NTA && rule == labels;
        struct val_incident incident;
        if (val_incident_describe(core, zone, &incident))
            link.incident = &incident;
        if (governed != GOVERNED_ANCHOR)
            security = SECURITY_INSECURE;
        link.security = security;
        explain_failure(core, arena, zone, labels == name_labels(name), &link);
        security = link.security;
        if (!known && !link.anchor && !link.nta && !link.incident && link.ede_code == EDE_NONE)
            continue;
        if (link.ds_state == DS_NOT_A_CUT && link.ede_code == EDE_NONE && !link.nta)
            continue;
        int r = fn(ctx, &link);
        if (r != 0)
            return r;
    }
    return 0;
}

int val_core_explain(struct val_core *core, const struct env *env, const struct cache_view *view,
                     const uint8_t *name, int (*fn)(void *ctx, const struct val_link *link), void *ctx)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(EXPLAIN_ARENA_BYTES);
    if (!arena)
        return -ENOMEM;
    core->env = env;
    core->view = view;
    int r = explain(core, arena, name, fn, ctx);
    core->env = NULL;
    core->view = NULL;
    return r;
}
