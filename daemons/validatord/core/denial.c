/* Denial of existence: what type bit maps prove, and the choice between NSEC and NSEC3.
 *
 * A response may carry both (a zone in transition); either alone has to make the whole proof. NSEC goes
 * first: it costs no hash. */

#include "daemons/validatord/core/denial_parts.h"

#include "common/wire/rdata.h"

bool denial_has(const struct denial_types *types, uint16_t type)
{
    return type_bitmap_has(types->bitmap, types->size, type);
}

bool denial_is_parent_side(const struct denial_types *types)
{
    return denial_has(types, TYPE_NS) && !denial_has(types, TYPE_SOA);
}

bool denial_speaks_below(const struct denial_types *types)
{
    return !denial_has(types, TYPE_DNAME) && !denial_is_parent_side(types);
}

bool denial_types_deny(const struct denial_types *types, const uint8_t *owner, const uint8_t *zone,
                       uint16_t qtype)
{
    /* RFC 4035 5.4, 6840 4.3: with a CNAME there the answer would have been the CNAME. */
    if (qtype == TYPE_ANY || denial_has(types, qtype) || denial_has(types, TYPE_CNAME))
        return false;
    if (qtype == TYPE_DS) {
        /* The child's apex knows nothing of its DS, which is the parent's (RFC 6840 4.4); the root has no
         * parent. */
        if (name_is_root(owner))
            return true;
        return !name_equal(owner, zone) && !denial_has(types, TYPE_SOA);
    }
    return !denial_is_parent_side(types);
}

enum no_ds denial_types_no_ds(const struct denial_types *types)
{
    if (denial_has(types, TYPE_DS))
        return NO_DS_CONTRADICTED;
    if (denial_has(types, TYPE_SOA))
        return NO_DS_NOT_PROVEN; /* the child's own record */
    return denial_has(types, TYPE_NS) ? NO_DS_INSECURE_DELEGATION : NO_DS_NOT_A_CUT;
}

int denial_nxdomain(const struct denial *d, const uint8_t *qname)
{
    if (!name_is_below(qname, d->zone))
        return DENIAL_NOT_PROVEN;
    if (denial_nsec_nxdomain(d, qname) == DENIAL_PROVEN)
        return DENIAL_PROVEN;
    return denial_nsec3_nxdomain(d, qname);
}

int denial_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype)
{
    if (!name_is_under(qname, d->zone))
        return DENIAL_NOT_PROVEN;
    if (denial_nsec_nodata(d, qname, qtype) == DENIAL_PROVEN)
        return DENIAL_PROVEN;
    return denial_nsec3_nodata(d, qname, qtype);
}

int denial_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels)
{
    if (!name_is_below(qname, d->zone) || ce_labels < name_labels(d->zone) || ce_labels >= name_labels(qname))
        return DENIAL_NOT_PROVEN;
    if (denial_nsec_wildcard_answer(d, qname, ce_labels) == DENIAL_PROVEN)
        return DENIAL_PROVEN;
    return denial_nsec3_wildcard_answer(d, qname, ce_labels);
}

enum no_ds denial_no_ds(const struct denial *d, const uint8_t *name)
{
    enum no_ds nsec, nsec3;

    if (!name_is_below(name, d->zone))
        return NO_DS_NOT_PROVEN;
    nsec = denial_nsec_no_ds(d, name);
    if (nsec == NO_DS_CONTRADICTED)
        return nsec;
    const struct rrset *witness = d->witness ? *d->witness : NULL;
    nsec3 = denial_nsec3_no_ds(d, name);
    if (nsec3 == NO_DS_CONTRADICTED)
        return nsec3;
    if (nsec == NO_DS_NOT_PROVEN)
        return nsec3;
    if (d->witness)
        *d->witness = witness;
    return nsec;
}
