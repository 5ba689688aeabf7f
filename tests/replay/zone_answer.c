#include "tests/replay/zone.h"

#include <stdlib.h>
#include <string.h>

#define UDP_LIMIT 1232u /* a reply over it is truncated, as servers do for a client with that buffer */

void reply_add_set(struct zone_reply *r, ldns_pkt_section section, const struct zone_set *set,
                   const ldns_rdf *owner)
{
    if (!set || zone_fault_of(r->zone, set->owner, set->type, BREAK_GONE))
        return;
    for (int pass = 0; pass < (r->want_dnssec ? 2 : 1); pass++) {
        const ldns_rr_list *list = pass ? set->signatures : set->records;
        for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
            ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(list, i));
            if (owner) {
                ldns_rdf_deep_free(ldns_rr_owner(rr));
                ldns_rr_set_owner(rr, ldns_rdf_clone(owner));
            }
            if (!ldns_pkt_safe_push_rr(r->pkt, section, rr))
                ldns_rr_free(rr);
        }
    }
}

static bool name_exists(const struct play_zone *zone, const ldns_rdf *name)
{
    for (unsigned i = 0; i < zone->set_count; i++)
        if (!zone->sets[i].hash && (ldns_dname_compare(zone->sets[i].owner, name) == 0 ||
                                    ldns_dname_is_subdomain(zone->sets[i].owner, name)))
            return true;
    return false;
}

/* The denial record that matches the name (or, covering, whose gap holds it). */
const struct zone_set *zone_denial_of(const struct play_zone *zone, const ldns_rdf *name, bool match)
{
    ldns_rdf *key = zone->nsec3 ? zone_hash(zone, name) : ldns_rdf_clone(name);
    const struct zone_set *found = NULL, *before = NULL, *last = NULL;
    for (unsigned i = 0; i < zone->set_count; i++) {
        const struct zone_set *set = &zone->sets[i];
        if (set->type != (zone->nsec3 ? LDNS_RR_TYPE_NSEC3 : LDNS_RR_TYPE_NSEC))
            continue;
        int order = ldns_dname_compare(set->owner, key);
        if (order == 0)
            found = set;
        if (order < 0 && (!before || ldns_dname_compare(set->owner, before->owner) > 0))
            before = set;
        if (!last || ldns_dname_compare(set->owner, last->owner) > 0)
            last = set;
    }
    ldns_rdf_deep_free(key);
    return match ? found : found ? NULL : before ? before : last;
}

static ldns_rdf *closest_encloser(const struct play_zone *zone, const ldns_rdf *name,
                                  ldns_rdf **ret_next_closer)
{
    ldns_rdf *at = ldns_rdf_clone(name), *next = ldns_rdf_clone(name);
    while (!name_exists(zone, at)) {
        ldns_rdf_deep_free(next);
        next = at;
        at = ldns_dname_left_chop(at);
    }
    *ret_next_closer = next;
    return at;
}

static ldns_rdf *wildcard_of(const ldns_rdf *name)
{
    ldns_rdf *star = ldns_dname_new_frm_str("*");
    if (ldns_dname_cat(star, name) != LDNS_STATUS_OK)
        abort();
    return star;
}

static void add_soa(struct zone_reply *r)
{
    reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_find(r->zone, r->zone->apex, LDNS_RR_TYPE_SOA), NULL);
}

/* What proves that nothing (more) is at the name. */
static void add_denials(struct zone_reply *r, const ldns_rdf *name, bool exists, bool wildcard)
{
    const struct play_zone *zone = r->zone;
    if (!zone->algorithm || !r->want_dnssec)
        return;
    if (exists && !wildcard) {
        const struct zone_set *match = zone_denial_of(zone, name, true);
        reply_add_set(r, LDNS_SECTION_AUTHORITY, match ? match : zone_denial_of(zone, name, false), NULL);
        if (match || !zone->nsec3)
            return;
    }
    ldns_rdf *next, *ce = closest_encloser(zone, name, &next), *star = wildcard_of(ce);
    if (exists && !wildcard && zone->nsec3) {
        /* an opt-out delegation: closest encloser that has a record, and its next closer */
        while (!zone_denial_of(zone, ce, true)) {
            next = ce;
            ce = ldns_dname_left_chop(ce);
        }
        reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, ce, true), NULL);
        reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, next, false), NULL);
        return;
    }
    if (zone->nsec3)
        reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, ce, true), NULL);
    reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, zone->nsec3 ? next : name, false), NULL);
    reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, star, wildcard && exists), NULL);
}

static void add_glue(struct zone_reply *r, const struct zone_set *ns)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(ns->records); i++) {
        const ldns_rdf *target = ldns_rr_rdf(ldns_rr_list_rr(ns->records, i), 0);
        reply_add_set(r, LDNS_SECTION_ADDITIONAL, zone_find(r->zone, target, LDNS_RR_TYPE_A), NULL);
        reply_add_set(r, LDNS_SECTION_ADDITIONAL, zone_find(r->zone, target, LDNS_RR_TYPE_AAAA), NULL);
    }
}

static bool refer(struct zone_reply *r, const ldns_rdf *name, ldns_rr_type type)
{
    const struct play_zone *zone = r->zone;
    const struct zone_set *cut = NULL;
    for (unsigned i = 0; i < zone->set_count; i++) {
        const struct zone_set *set = &zone->sets[i];
        bool at = ldns_dname_compare(set->owner, name) == 0;
        if (set->type != LDNS_RR_TYPE_NS || ldns_dname_compare(set->owner, zone->apex) == 0)
            continue;
        if ((at && type != LDNS_RR_TYPE_DS) || ldns_dname_is_subdomain(name, set->owner))
            if (!cut || ldns_dname_is_subdomain(cut->owner, set->owner))
                cut = set;
    }
    if (!cut)
        return false;
    ldns_pkt_set_aa(r->pkt, false);
    for (size_t i = 0; i < ldns_rr_list_rr_count(cut->records); i++)
        ldns_pkt_push_rr(r->pkt, LDNS_SECTION_AUTHORITY, ldns_rr_clone(ldns_rr_list_rr(cut->records, i)));
    const struct zone_set *ds = zone_find(zone, cut->owner, LDNS_RR_TYPE_DS);
    if (r->want_dnssec && ds)
        reply_add_set(r, LDNS_SECTION_AUTHORITY, ds, NULL);
    else
        add_denials(r, cut->owner, true, false);
    add_glue(r, cut);
    return true;
}

static const struct zone_set *dname_above(const struct play_zone *zone, const ldns_rdf *name)
{
    for (unsigned i = 0; i < zone->set_count; i++)
        if (zone->sets[i].type == LDNS_RR_TYPE_DNAME && ldns_dname_is_subdomain(name, zone->sets[i].owner))
            return &zone->sets[i];
    return NULL;
}

static ldns_rdf *follow_dname(struct zone_reply *r, const struct zone_set *dname, const ldns_rdf *name)
{
    reply_add_set(r, LDNS_SECTION_ANSWER, dname, NULL);
    uint8_t labels = (uint8_t)(ldns_dname_label_count(name) - ldns_dname_label_count(dname->owner));
    ldns_rdf *made = NULL;
    for (uint8_t i = labels; i-- > 0;) {
        ldns_rdf *label = ldns_dname_label(name, i);
        if (ldns_dname_cat(label, made ? made : ldns_rr_rdf(ldns_rr_list_rr(dname->records, 0), 0)) !=
                LDNS_STATUS_OK ||
            ldns_rdf_size(label) > LDNS_MAX_DOMAINLEN) {
            ldns_pkt_set_rcode(r->pkt, LDNS_RCODE_YXDOMAIN);
            return NULL;
        }
        made = label;
    }
    ldns_rr *cname = ldns_rr_new();
    ldns_rr_set_owner(cname, ldns_rdf_clone(name));
    ldns_rr_set_type(cname, LDNS_RR_TYPE_CNAME);
    ldns_rr_set_class(cname, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(cname, ldns_rr_ttl(ldns_rr_list_rr(dname->records, 0)));
    ldns_rr_push_rdf(cname, ldns_rdf_clone(made));
    ldns_pkt_push_rr(r->pkt, LDNS_SECTION_ANSWER, cname);
    return made;
}

/* Signatures are no set of the zone's own. */
static bool answer_signatures(struct zone_reply *r, const ldns_rdf *name)
{
    bool any = false;
    for (unsigned i = 0; i < r->zone->set_count; i++) {
        const struct zone_set *set = &r->zone->sets[i];
        for (size_t k = 0;
             ldns_dname_compare(set->owner, name) == 0 && k < ldns_rr_list_rr_count(set->signatures); k++)
            any = ldns_pkt_push_rr(r->pkt, LDNS_SECTION_ANSWER,
                                   ldns_rr_clone(ldns_rr_list_rr(set->signatures, k)));
    }
    return any;
}

/* One name of a chain inside the zone: NULL at its end, else the CNAME's target. */
static ldns_rdf *answer_name(struct zone_reply *r, const ldns_rdf *name, ldns_rr_type type)
{
    const struct play_zone *zone = r->zone;
    if (refer(r, name, type))
        return NULL;
    ldns_pkt_set_aa(r->pkt, true);
    if (type == LDNS_RR_TYPE_RRSIG && answer_signatures(r, name))
        return NULL;
    const struct zone_set *dname = dname_above(zone, name);
    if (dname)
        return follow_dname(r, dname, name);
    bool exists = name_exists(zone, name), wild = false;
    ldns_rdf *next = NULL, *ce = NULL, *star = NULL;
    const ldns_rdf *source = name;
    if (!exists) {
        ce = closest_encloser(zone, name, &next);
        star = wildcard_of(ce);
        wild = name_exists(zone, star);
        source = wild ? star : name;
    }
    const struct zone_set *set = zone_find(zone, source, type),
                          *cname = zone_find(zone, source, LDNS_RR_TYPE_CNAME);
    if (type == LDNS_RR_TYPE_ANY)
        for (unsigned i = 0; !set && i < zone->set_count; i++)
            if (ldns_dname_compare(zone->sets[i].owner, source) == 0)
                set = &zone->sets[i];
    set = set ? set : cname;
    if (!set || zone_fault_of(zone, set->owner, set->type, BREAK_GONE)) {
        if (!exists && !wild)
            ldns_pkt_set_rcode(r->pkt, LDNS_RCODE_NXDOMAIN);
        add_soa(r);
        add_denials(r, name, exists || wild, wild);
        return NULL;
    }
    reply_add_set(r, LDNS_SECTION_ANSWER, set, wild ? name : NULL);
    if (set->type == LDNS_RR_TYPE_NS)
        add_glue(r, set);
    if (wild && zone->algorithm && r->want_dnssec)
        reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_denial_of(zone, zone->nsec3 ? next : name, false),
                      NULL);
    if (set->type == LDNS_RR_TYPE_CNAME && type != LDNS_RR_TYPE_CNAME && type != LDNS_RR_TYPE_ANY)
        return ldns_rr_rdf(ldns_rr_list_rr(set->records, 0), 0);
    return NULL;
}

/* step UINT32_MAX: at whatever time. */
bool zone_lives_at(const struct play_zone *zone, const struct address *server, unsigned step)
{
    bool here = false;
    for (unsigned i = 0; i < zone->server_count; i++)
        here |= address_equal(&zone->servers[i], server);
    return here && (step == UINT32_MAX || (step >= zone->from && step <= zone->to));
}

static const struct play_zone *pick_zone(const struct play_zone *zones, const struct address *server,
                                         unsigned step, const ldns_rdf *name, ldns_rr_type type,
                                         bool *ret_lives)
{
    const struct play_zone *best = NULL;
    for (const struct play_zone *zone = zones; zone; zone = zone->next) {
        *ret_lives |= zone_lives_at(zone, server, UINT32_MAX);
        if (!zone_lives_at(zone, server, step))
            continue;
        bool at = ldns_dname_compare(name, zone->apex) == 0;
        if (!at && !ldns_dname_is_subdomain(name, zone->apex))
            continue;
        /* The DS of an apex is the parent's, where both live here. */
        if (best && at && type == LDNS_RR_TYPE_DS)
            continue;
        if (best && !ldns_dname_is_subdomain(zone->apex, best->apex) &&
            !(ldns_dname_compare(name, best->apex) == 0 && type == LDNS_RR_TYPE_DS))
            continue;
        best = zone;
    }
    return best;
}

static size_t finish(struct zone_reply *r, bool tcp, uint8_t *out)
{
    uint8_t *wire = NULL;
    size_t size = 0;
    if (ldns_pkt2wire(&wire, r->pkt, &size) != LDNS_STATUS_OK)
        return 0;
    if (!tcp && size > UDP_LIMIT) {
        ldns_rr_list *empty[] = {ldns_rr_list_new(), ldns_rr_list_new(), ldns_rr_list_new()};
        ldns_pkt_set_answer(r->pkt, empty[0]);
        ldns_pkt_set_authority(r->pkt, empty[1]);
        ldns_pkt_set_additional(r->pkt, empty[2]);
        ldns_pkt_set_ancount(r->pkt, 0);
        ldns_pkt_set_nscount(r->pkt, 0);
        ldns_pkt_set_arcount(r->pkt, 0);
        ldns_pkt_set_tc(r->pkt, true);
        free(wire);
        if (ldns_pkt2wire(&wire, r->pkt, &size) != LDNS_STATUS_OK)
            return 0;
    }
    memcpy(out, wire, size);
    free(wire);
    return size;
}

size_t zone_answer(const struct play_zone *zones, const struct address *server, unsigned step,
                   struct slice query, bool tcp, uint8_t *out)
{
    ldns_pkt *asked = NULL;
    bool lives = false;
    if (ldns_wire2pkt(&asked, query.data, query.size) != LDNS_STATUS_OK ||
        ldns_rr_list_rr_count(ldns_pkt_question(asked)) != 1)
        return 0;
    const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(asked), 0);
    ldns_rdf *name = ldns_rdf_clone(ldns_rr_owner(question));
    ldns_dname2canonical(name);
    ldns_rr_type type = ldns_rr_get_type(question);
    struct zone_reply r = {.zone = pick_zone(zones, server, step, name, type, &lives),
                           .pkt = ldns_pkt_new(),
                           .want_dnssec = ldns_pkt_edns_do(asked)};
    size_t size = 0;
    if (lives) {
        ldns_pkt_set_id(r.pkt, ldns_pkt_id(asked));
        ldns_pkt_set_qr(r.pkt, true);
        ldns_pkt_set_rd(r.pkt, ldns_pkt_rd(asked));
        ldns_pkt_push_rr(r.pkt, LDNS_SECTION_QUESTION, ldns_rr_clone(question));
        if (ldns_pkt_edns(asked)) {
            ldns_pkt_set_edns_udp_size(r.pkt, UDP_LIMIT);
            ldns_pkt_set_edns_do(r.pkt, r.want_dnssec);
            report_add(r.zone, r.pkt);
        }
        const ldns_rdf *at = name;
        if (!r.zone)
            ldns_pkt_set_rcode(r.pkt, LDNS_RCODE_REFUSED);
        if (forgery_answer(zones, server, step, name, type, &r))
            at = NULL;
        for (unsigned steps = 0; r.zone && at && steps < 8; steps++) {
            bool inside =
                ldns_dname_compare(at, r.zone->apex) == 0 || ldns_dname_is_subdomain(at, r.zone->apex);
            at = inside ? answer_name(&r, at, type) : NULL;
        }
        forgery_add(r.zone, name, type, &r);
        size = finish(&r, tcp, out);
    }
    ldns_rdf_deep_free(name);
    ldns_pkt_free(asked);
    ldns_pkt_free(r.pkt);
    return size;
}
