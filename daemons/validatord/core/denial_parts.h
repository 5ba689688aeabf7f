#pragma once
/* Inside of the denial proofs: one file for NSEC, one for NSEC3, denial.c picks between them. */

#include "daemons/validatord/core/denial.h"

/* What a type bit map says, as far as proofs ask. */
struct denial_types {
    const uint8_t *bitmap;
    size_t size;
};

bool denial_has(const struct denial_types *types, uint16_t type);
/* The parent's side of a zone cut: NS without SOA. RFC 6840 4.1. */
bool denial_is_parent_side(const struct denial_types *types);
/* May a record with these types speak about names below its owner? Not at a zone cut, not at a DNAME. RFC
 * 6840 4.1. */
bool denial_speaks_below(const struct denial_types *types);
/* Do the types at an existing name `owner` of zone `zone` deny qtype there? RFC 4035 5.4, 6840 4.1 to 4.3. */
bool denial_types_deny(const struct denial_types *types, const uint8_t *owner, const uint8_t *zone,
                       uint16_t qtype);
/* What an existing name's types say about a DS there: NO_DS_INSECURE_DELEGATION, NOT_A_CUT, NOT_PROVEN,
 * CONTRADICTED. */
enum no_ds denial_types_no_ds(const struct denial_types *types);

/* As the functions of denial.h, from NSEC records alone: DENIAL_PROVEN or DENIAL_NOT_PROVEN. */
int denial_nsec_nxdomain(const struct denial *d, const uint8_t *qname);
int denial_nsec_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype);
int denial_nsec_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels);
enum no_ds denial_nsec_no_ds(const struct denial *d, const uint8_t *name);

/* From NSEC3 records alone. */
int denial_nsec3_nxdomain(const struct denial *d, const uint8_t *qname);
int denial_nsec3_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype);
int denial_nsec3_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels);
enum no_ds denial_nsec3_no_ds(const struct denial *d, const uint8_t *name);
