#pragma once
/* Denial of existence, NSEC (RFC 4035 5.4, 6840 4) and NSEC3 (RFC 5155 8, 9276). Pure proofs over RRsets
 * whose signatures the caller has checked already; each must name as zone the signer that was verified.
 *
 * THREATS: next name inside the zone; parent-side NSEC (NS without SOA) proves nothing about names below or
 * types other than DS; an apex NSEC proves no DS absence; at most DENIAL_MAX_NSEC3 looked at; hashes on the
 * budget. */

#include "daemons/validatord/core/crypto.h"

#define DENIAL_MAX_NSEC3 8u /* THREATS: NSEC3 CPU */

struct denial {
    const uint8_t *zone;           /* signer of the records */
    const struct rrset_list *list; /* validated NSEC and NSEC3 RRsets (others are passed over) */
    const struct crypto_ops *ops;
    uint32_t *hashes; /* budget */
    uint16_t iterations_max;
    wall_s now;
    const struct rrset *
        *witness; /* may be NULL; denial_no_ds: the record at the name, or whose span it lies in */
};

enum denial_outcome {
    DENIAL_PROVEN = 0,
    DENIAL_NOT_PROVEN = 1, /* EDE 12 */
    DENIAL_OPTOUT = 2, /* proven up to an opt-out span: the name may be an unsigned delegation; insecure */
    DENIAL_ITERATIONS = 3, /* NSEC3 over the limit: insecure, EDE 27 */
    DENIAL_BUDGET = 4,     /* hashes ran out */
};

/* All return enum denial_outcome. */
int denial_nxdomain(const struct denial *d, const uint8_t *qname);
/* qtype absent at qname: NODATA, ENT, wildcard NODATA included. */
int denial_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype);
/* The positive answer at qname was expanded from *.closest_encloser (of ce_labels labels): proves the next
 * closer name absent. */
int denial_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels);

enum no_ds {
    NO_DS_INSECURE_DELEGATION = 0, /* NS, no DS, no SOA: an unsigned child */
    NO_DS_NOT_A_CUT = 1, /* the name exists or is an ENT, without NS: go on below in the same zone */
    NO_DS_OPTOUT = 2,    /* covered by an opt-out span: insecure */
    NO_DS_NOT_PROVEN = 3,
    NO_DS_NXDOMAIN = 4,   /* the name does not exist at all */
    NO_DS_ITERATIONS = 5, /* insecure, EDE 27 */
    NO_DS_BUDGET = 6,
    NO_DS_CONTRADICTED = 7, /* a record says there is a DS here */
};
/* What do the records of the parent zone say about a DS at `name` (strictly below zone)? */
enum no_ds denial_no_ds(const struct denial *d, const uint8_t *name);
/* The hash in an NSEC3's owner name: its first label, base32 with the extended hex alphabet (RFC 4648 7, RFC
 * 5155 3). 0, or 1: not the label of a SHA-1 hash. */
int nsec3_owner_hash(const uint8_t *owner, uint8_t ret_hash[20]);
