/* False answers that a scenario has a zone's server give: true records of the zone in the wrong place (DENY,
 * STEAL), and records of nobody (ADD). */

#include "tests/replay/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(char *why, size_t room, const char *line)
{
    snprintf(why, room, "cannot be read: %s", line);
    return 1;
}

static ldns_rdf *read_name(const char *word)
{
    ldns_rdf *name = word ? ldns_dname_new_frm_str(word) : NULL;
    if (name)
        ldns_dname2canonical(name);
    return name;
}

static int read_proofs(struct zone_forgery *f, char **save)
{
    for (char *w = strtok_r(NULL, " \t", save); w; w = strtok_r(NULL, " \t", save)) {
        if (f->proof_count == FORGERY_MAX_PROOFS)
            return 1;
        bool covers = *w == '~';
        ldns_rdf *name = read_name(covers ? w + 1 : w);
        if (!name)
            return 1;
        f->proofs[f->proof_count].name = name;
        f->proofs[f->proof_count++].covers = covers;
    }
    return 0;
}

static int read_added(struct zone_forgery *f, char **save)
{
    const char *section = strtok_r(NULL, " \t", save);
    if (!section || !*save)
        return 1;
    f->section = strcmp(section, "answer") == 0      ? LDNS_SECTION_ANSWER
                 : strcmp(section, "authority") == 0 ? LDNS_SECTION_AUTHORITY
                                                     : LDNS_SECTION_ADDITIONAL;
    return ldns_rr_new_frm_str(&f->record, *save, 3600, NULL, NULL) != LDNS_STATUS_OK;
}

int forgery_line(struct play_zone *zone, const char *line, char *why, size_t room)
{
    char copy[RPL_MAX_LINE], *save;
    snprintf(copy, sizeof(copy), "%s", line);
    struct zone_forgery *f = calloc(1, sizeof(*f));
    char *kind = strtok_r(copy, " \t", &save);
    if (!f)
        abort();
    if (kind && strcmp(kind, "DENY") == 0)
        f->kind = FORGE_DENY;
    else if (kind && strcmp(kind, "REFER") == 0)
        f->kind = FORGE_REFER;
    else if (kind && strcmp(kind, "STEAL") == 0)
        f->kind = FORGE_STEAL;
    else if (kind && strcmp(kind, "ADD") == 0)
        f->kind = FORGE_ADD;
    else {
        free(f);
        return -1;
    }
    f->name = read_name(strtok_r(NULL, " \t", &save));
    const char *type = strtok_r(NULL, " \t", &save);
    if (!f->name || !type)
        return complain(why, room, line);
    f->type = strcmp(type, "*") == 0 ? 0 : ldns_get_rr_type_by_name(type);
    if (f->kind == FORGE_DENY) {
        const char *word = strtok_r(NULL, " \t", &save);
        const ldns_lookup_table *t = word ? ldns_lookup_by_name(ldns_rcodes, word) : NULL;
        if (!t)
            return complain(why, room, line);
        f->rcode = (ldns_pkt_rcode)t->id;
    }
    if (f->kind == FORGE_STEAL && !(f->source = read_name(strtok_r(NULL, " \t", &save))))
        return complain(why, room, line);
    if (f->kind == FORGE_ADD ? read_added(f, &save) : read_proofs(f, &save))
        return complain(why, room, line);
    f->next = zone->forgeries;
    zone->forgeries = f;
    return 0;
}

static bool is_about(const struct zone_forgery *f, const ldns_rdf *name, ldns_rr_type type)
{
    return (!f->type || f->type == type) && ldns_dname_compare(f->name, name) == 0;
}

static void forge(const struct zone_forgery *f, const ldns_rdf *name, ldns_rr_type type, struct zone_reply *r)
{
    const struct play_zone *zone = r->zone;
    ldns_pkt_set_aa(r->pkt, f->kind != FORGE_REFER);
    ldns_pkt_set_rcode(r->pkt, f->kind == FORGE_DENY ? f->rcode : LDNS_RCODE_NOERROR);
    if (f->kind == FORGE_STEAL) {
        const struct zone_set *set = zone_find(zone, f->source, type);
        reply_add_set(r, LDNS_SECTION_ANSWER, set ? set : zone_find(zone, f->source, LDNS_RR_TYPE_CNAME),
                      name);
    } else if (f->kind == FORGE_DENY)
        reply_add_set(r, LDNS_SECTION_AUTHORITY, zone_find(zone, zone->apex, LDNS_RR_TYPE_SOA), NULL);
    for (unsigned i = 0; i < f->proof_count && r->want_dnssec; i++)
        reply_add_set(r, LDNS_SECTION_AUTHORITY,
                      zone_denial_of(zone, f->proofs[i].name, !f->proofs[i].covers), NULL);
}

bool forgery_answer(const struct play_zone *zones, const struct address *server, unsigned step,
                    const ldns_rdf *name, ldns_rr_type type, struct zone_reply *r)
{
    for (const struct play_zone *zone = zones; zone; zone = zone->next)
        for (const struct zone_forgery *f = zone->forgeries; f && zone_lives_at(zone, server, step);
             f = f->next)
            if (f->kind != FORGE_ADD && is_about(f, name, type)) {
                r->zone = zone;
                forge(f, name, type, r);
                return true;
            }
    return false;
}

void forgery_add(const struct play_zone *zone, const ldns_rdf *name, ldns_rr_type type, struct zone_reply *r)
{
    for (const struct zone_forgery *f = zone ? zone->forgeries : NULL; f; f = f->next)
        if (f->kind == FORGE_ADD && is_about(f, name, type))
            ldns_pkt_push_rr(r->pkt, f->section, ldns_rr_clone(f->record));
}
