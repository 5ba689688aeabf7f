/* Proofs by NSEC records: RFC 4034 4, 4035 5.4, 6840 4; names and gaps in canonical order. */

#include "daemons/validatord/core/denial_parts.h"

struct nsec {
    const struct rrset *rrset;
    const uint8_t *owner;
    uint8_t next[NAME_MAX];
    struct denial_types types;
};

/* An NSEC of this zone fit to prove something: one record, never expanded from a wildcard, next name in the
 * zone, and in order unless it is the last one, which points to the apex (RFC 4034 4.1.1; THREATS: next out
 * of zone). */
static bool nsec_parse(const struct denial *d, const struct rrset *rrset, struct nsec *ret_nsec)
{
    const struct rdata *rdata;
    size_t size = 0;

    if (rrset->type != TYPE_NSEC || rrset->count != 1 || rrset->wildcard_labels ||
        !name_is_under(rrset->owner, d->zone))
        return false;
    rdata = &rrset->rdata[0];
    while (size < rdata->size && rdata->data[size])
        size += 1u + rdata->data[size];
    size++;
    if (size > rdata->size || name_from_bytes(rdata->data, size, ret_nsec->next))
        return false;
    if (!name_is_under(ret_nsec->next, d->zone))
        return false;
    if (name_compare(rrset->owner, ret_nsec->next) >= 0 && !name_equal(ret_nsec->next, d->zone))
        return false;
    ret_nsec->rrset = rrset;
    ret_nsec->owner = rrset->owner;
    ret_nsec->types = (struct denial_types){.bitmap = rdata->data + size, .size = rdata->size - size};
    return true;
}

/* Does the gap behind the owner hold `name`? The last NSEC's gap ends with the zone. A record at a zone cut
 * or DNAME above the name is not asked: what lies there is the child's, or the DNAME's target's (RFC
 * 6840 4.1). */
static bool nsec_covers(const struct denial *d, const struct nsec *nsec, const uint8_t *name)
{
    if (!name_is_below(name, d->zone) || name_compare(nsec->owner, name) >= 0)
        return false;
    if (!name_equal(nsec->next, d->zone) && name_compare(name, nsec->next) >= 0)
        return false;
    return !name_is_below(name, nsec->owner) || denial_speaks_below(&nsec->types);
}

/* Covered, and the next name is below it: an empty non-terminal, which exists (RFC 4592 2.2.2). */
static bool nsec_shows_ent(const struct denial *d, const struct nsec *nsec, const uint8_t *name)
{
    return nsec_covers(d, nsec, name) && name_is_below(nsec->next, name);
}

/* Covered and nothing below either. */
static bool nsec_denies_name(const struct denial *d, const struct nsec *nsec, const uint8_t *name)
{
    return nsec_covers(d, nsec, name) && !name_is_below(nsec->next, name);
}

enum name_state {
    NAME_UNKNOWN,
    NAME_ABSENT,
    NAME_ENT,
    NAME_EXISTS, /* ret_nsec is its record */
};

/* What the records say about one name, itself alone. A record of the name itself goes before any gap: where
 * the two contradict each other the name's existence is the safer belief. */
static enum name_state look(const struct denial *d, const uint8_t *name, struct nsec *ret_nsec)
{
    enum name_state state = NAME_UNKNOWN;

    for (uint32_t i = 0; i < d->list->count; i++) {
        struct nsec nsec;

        if (!nsec_parse(d, &d->list->items[i], &nsec))
            continue;
        if (name_equal(nsec.owner, name)) {
            *ret_nsec = nsec;
            return NAME_EXISTS;
        }
        if (nsec_shows_ent(d, &nsec, name)) {
            state = NAME_ENT;
        } else if (state == NAME_UNKNOWN && nsec_denies_name(d, &nsec, name)) {
            *ret_nsec = nsec;
            state = NAME_ABSENT;
        }
    }
    return state;
}

/* The wildcard at the closest encloser that an NSEC covering `name` shows: the longer of what its two ends
 * have in common with the name (both ends exist, and nothing between them does). 0 or 1. */
static int source_of_synthesis(const struct nsec *nsec, const uint8_t *name, uint8_t ret_wildcard[NAME_MAX])
{
    unsigned by_owner = name_common_labels(name, nsec->owner), by_next = name_common_labels(name, nsec->next);

    return name_make_wildcard(name_suffix(name, MAX(by_owner, by_next)), ret_wildcard);
}

/* The name does not exist, and this is what the records say about the wildcard that would stand in for it. */
static enum name_state look_wildcard(const struct denial *d, const uint8_t *name, struct nsec *ret_nsec,
                                     uint8_t ret_wildcard[NAME_MAX])
{
    struct nsec covering;

    if (look(d, name, &covering) != NAME_ABSENT || source_of_synthesis(&covering, name, ret_wildcard))
        return NAME_UNKNOWN;
    return look(d, ret_wildcard, ret_nsec);
}

int denial_nsec_nxdomain(const struct denial *d, const uint8_t *qname)
{
    uint8_t wildcard[NAME_MAX];
    struct nsec nsec;

    return look_wildcard(d, qname, &nsec, wildcard) == NAME_ABSENT ? DENIAL_PROVEN : DENIAL_NOT_PROVEN;
}

int denial_nsec_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype)
{
    uint8_t wildcard[NAME_MAX];
    struct nsec nsec;

    switch (look(d, qname, &nsec)) {
    case NAME_EXISTS:
        return denial_types_deny(&nsec.types, qname, d->zone, qtype) ? DENIAL_PROVEN : DENIAL_NOT_PROVEN;
    case NAME_ENT:
        return DENIAL_PROVEN;
    case NAME_UNKNOWN:
        return DENIAL_NOT_PROVEN;
    case NAME_ABSENT:
        break;
    }
    /* RFC 4035 5.4: the wildcard that stands in for the name has no such type; it may be an empty
     * non-terminal. */
    switch (look_wildcard(d, qname, &nsec, wildcard)) {
    case NAME_EXISTS:
        return denial_types_deny(&nsec.types, wildcard, d->zone, qtype) ? DENIAL_PROVEN : DENIAL_NOT_PROVEN;
    case NAME_ENT:
        return DENIAL_PROVEN;
    default:
        return DENIAL_NOT_PROVEN;
    }
}

int denial_nsec_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels)
{
    struct nsec nsec;

    /* RFC 4035 5.3.4: no closer match, so not even the next closer name may exist. */
    return look(d, name_suffix(qname, ce_labels + 1), &nsec) == NAME_ABSENT ? DENIAL_PROVEN
                                                                            : DENIAL_NOT_PROVEN;
}

enum no_ds denial_nsec_no_ds(const struct denial *d, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX];
    struct nsec nsec = {0};

    enum name_state state = look(d, name, &nsec);
    if (d->witness)
        *d->witness = nsec.rrset;
    switch (state) {
    case NAME_EXISTS:
        return denial_types_no_ds(&nsec.types);
    case NAME_ENT:
        return NO_DS_NOT_A_CUT;
    case NAME_UNKNOWN:
        return NO_DS_NOT_PROVEN;
    case NAME_ABSENT:
        break;
    }
    /* No cut either way; without the wildcard's denial the name may still be answered for. */
    return look_wildcard(d, name, &nsec, wildcard) == NAME_ABSENT ? NO_DS_NXDOMAIN : NO_DS_NOT_A_CUT;
}
