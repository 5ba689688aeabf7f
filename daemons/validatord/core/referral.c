/* A referral, vetted: one NS RRset for a name strictly below the zone that gave it and at or above the name
 * asked for, addresses of those servers inside that zone, and what the parent says about the child's DS. NS
 * records anywhere else are never taken (THREATS: promiscuous NS). */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

static const struct rrset *find_ns(const struct rrset_list *authority, const uint8_t *qname, uint16_t qtype,
                                   const uint8_t *cut)
{
    const struct rrset *ns = NULL;

    for (uint32_t i = 0; i < authority->count; i++) {
        const struct rrset *rrset = &authority->items[i];
        if (rrset->type != TYPE_NS || rrset->count == 0 || rrset->class != CLASS_IN)
            continue;
        if (ns || !name_is_below(rrset->owner, cut))
            return NULL; /* two cuts in one referral, or one upwards */
        bool leads =
            qtype == TYPE_DS ? name_is_below(qname, rrset->owner) : name_is_under(qname, rrset->owner);
        if (!leads)
            return NULL;
        ns = rrset;
    }
    return ns;
}

static bool is_server(const struct rrset *ns, const uint8_t *name)
{
    for (unsigned i = 0; i < ns->count; i++) {
        uint8_t server[NAME_MAX];
        if (!name_from_bytes(ns->rdata[i].data, ns->rdata[i].size, server) && name_equal(server, name))
            return true;
    }
    return false;
}

static int take_glue(struct arena *arena, const struct rrset_list *additional, const struct rrset *ns,
                     const uint8_t *cut, struct rrset_list *ret_glue)
{
    for (uint32_t i = 0; i < additional->count && ret_glue->count < 2 * CACHE_NS_MAX; i++) {
        const struct rrset *rrset = &additional->items[i];
        if ((rrset->type != TYPE_A && rrset->type != TYPE_AAAA) || rrset->count == 0 ||
            rrset->class != CLASS_IN || !name_is_under(rrset->owner, cut) || !is_server(ns, rrset->owner))
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

static int take_statement(struct arena *arena, const struct rrset_list *authority, const uint8_t *child,
                          const uint8_t *cut, struct statement *ret_statement)
{
    struct statement s = {.present = true, .kind = FINDING_NODATA};
    const struct rrset *ds = rrset_list_find(authority, child, TYPE_DS);
    int r = 0;

    if (ds && ds->count > 0 && ds->class == CLASS_IN) {
        s.kind = FINDING_POSITIVE;
        r = rrset_list_add(arena, &s.list, ds);
    } else {
        for (uint32_t i = 0; i < authority->count && s.list.count < PROOF_RRSETS && r == 0; i++) {
            const struct rrset *rrset = &authority->items[i];
            if ((rrset->type == TYPE_NSEC || rrset->type == TYPE_NSEC3) && rrset->count > 0 &&
                rrset->class == CLASS_IN && name_is_under(rrset->owner, cut))
                r = rrset_list_add(arena, &s.list, rrset);
        }
    }
    if (r < 0)
        return r;
    s.signer = evidence_signer(&s.list, child, true, cut);
    *ret_statement = s;
    return 0;
}

int referral_make(struct arena *arena, struct slice wire, const uint8_t *qname, uint16_t qtype,
                  const uint8_t *cut, struct referral *ret_referral)
{
    struct message message;
    struct rrset_list authority, additional;
    struct referral referral = {0};

    int r = message_parse(arena, wire.data, wire.size, &message);
    if (r < 0)
        return r;
    if (r != MESSAGE_OK || message.rcode != RCODE_NOERROR)
        return 1;
    r = message_rrsets(arena, &message, SECTION_AUTHORITY, SECTION_RRSETS, &authority);
    if (r == 0)
        r = message_rrsets(arena, &message, SECTION_ADDITIONAL, SECTION_RRSETS, &additional);
    if (r != 0)
        return r < 0 ? r : 1;
    const struct rrset *ns = find_ns(&authority, qname, qtype, cut);
    if (!ns)
        return 1;
    referral.child = ns->owner;
    referral.report_channel = message.edns.report_channel;
    referral.ns = *ns;
    referral.ns.sig_count = 0;
    referral.ns.count = (uint16_t)MIN(ns->count, CACHE_NS_MAX);
    referral.ns.rank = RANK_REFERRAL;
    referral.ns.security = SECURITY_INDETERMINATE;
    r = take_glue(arena, &additional, &referral.ns, cut, &referral.glue);
    if (r == 0)
        r = take_statement(arena, &authority, referral.child, cut, &referral.statement);
    if (r < 0)
        return r;
    *ret_referral = referral;
    return 0;
}

void statement_from_finding(const struct finding *finding, const uint8_t *name,
                            struct statement *ret_statement)
{
    struct statement s = {.present = true, .kind = finding->kind};

    switch (finding->kind) {
    case FINDING_POSITIVE:
    case FINDING_CNAME:
    case FINDING_DNAME:
        s.list = finding->main;
        break;
    case FINDING_NODATA:
    case FINDING_NXDOMAIN:
        s.list = finding->proof;
        s.soa_unsigned = finding->main.count > 0 && finding->main.items[0].sig_count == 0;
        break;
    case FINDING_GARBAGE:
        break;
    }
    s.signer = evidence_signer(&s.list, name, true, finding->cut);
    *ret_statement = s;
}
