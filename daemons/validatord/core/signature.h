#pragma once
/* RRset signatures: which RRSIG and key may be tried, in which order, and the bytes that were signed.
 *
 * RFC 4035 5.3, 4034 3.1.8.1, 6840 5. Every pair tried is paid for, also when the key turns out unusable
 * (THREATS: KeyTrap, invalid key skipped). */

#include "common/base/env.h"
#include "daemons/validatord/core/keys.h"

#define SIGNATURE_MAX_SIGS 64u /* RRSIGs of one RRset looked at; real ones have one per key that signs */
#define SIGNATURE_MAX_KEYS 64u /* keys of one DNSKEY RRset looked at; roll-overs need a handful */

/* Why an RRset did not validate, the most telling reason of all pairs tried. Ordered: a greater one tells
 * more. */
struct signature_reason {
    uint16_t
        ede; /* EDE_DNSSEC_BOGUS, _SIGNATURE_EXPIRED, _NOT_YET_VALID, _DNSKEY_MISSING, _RRSIGS_MISSING, ... */
    uint16_t key_tag; /* of the RRSIG concerned; 0: none */
};

/* Walks the (RRSIG, key) pairs of one RRset. */
struct signature_try {
    const struct rrset *rrset;
    const uint8_t *zone;        /* the signer that is expected: the containing zone */
    const struct rrset *dnskey; /* that zone's validated keys; or, for a DNSKEY RRset, the set itself */
    const struct algorithm_policy *policy;
    wall_s now;
    bool by_revoked; /* a revoked key counts (RFC 5011 2.1): the caller's to set, after signature_try_init */
    unsigned sig_index, key_index;
    bool key_found; /* a key for this RRSIG was handed out */
    unsigned tried; /* pairs handed out, <= BUDGET_SIGNATURES_STEP */
    struct signature_reason reason;
    uint16_t tags[SIGNATURE_MAX_KEYS];
    /* of the pair handed out last */
    struct rrsig sig;
    struct dnskey key;
};

void signature_try_init(struct signature_try *t, const struct rrset *rrset, const uint8_t *zone,
                        const struct rrset *dnskey, const struct algorithm_policy *policy, wall_s now);
/* The next pair worth a check, as a request whose bytes are in the arena. only_key: NULL, or the DNSKEY RDATA
 * that alone counts (the key a DS names). 0; 1: no pair left (t->reason says why); 2: over the step's limit;
 * -ENOMEM. Checks before any cryptography: signer == zone, labels <= owner's (wildcard: RFC 4035 5.3.4),
 * validity period in serial arithmetic, algorithm, tag, zone key bit, protocol, REVOKE. The caller pays one
 * signature of the question's budget for each request, before the check and whatever comes of it: a malformed
 * key is handed out too. */
int signature_try_next(struct signature_try *t, struct arena *arena, const struct rdata *only_key,
                       struct verify_request *ret_request);
/* Takes the check's outcome in: what is not VERIFY_GOOD becomes a reason. */
void signature_try_result(struct signature_try *t, enum verify_outcome outcome);
/* Only after VERIFY_GOOD: fills in what the RRset earns by the pair handed out last: ttl clamped to received,
 * RRSIG's, original and time to expiry; wildcard_labels; expiry of the signature. security stays the caller's
 * to set. */
void signature_accept(const struct signature_try *t, struct rrset *rrset, wall_s *ret_signature_expires);

/* Signed data: RRSIG RDATA without the signature, then the RRs in canonical form and order. 0 or -ENOMEM. */
int signature_data(struct arena *arena, const struct rrset *rrset, const struct rrsig *sig,
                   const struct rdata *sig_rdata, struct slice *ret_data);
/* RFC 1982 serial arithmetic for validity: 0 within, EDE_SIGNATURE_EXPIRED, EDE_SIGNATURE_NOT_YET_VALID, or
 * EDE_SIGNATURE_EXPIRED_BEFORE_VALID. */
uint16_t signature_validity(const struct rrsig *sig, wall_s now);
/* The wall clock second at which it expires: serial nearest to now. */
wall_s signature_expiry(const struct rrsig *sig, wall_s now);
