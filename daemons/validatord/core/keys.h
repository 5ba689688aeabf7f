#pragma once
/* DNSKEY and DS: key tags, supported algorithms and digests, which DS matches which key. RFC 4034 2, 5, 4509,
 * 8624/9904, 9905. */

#include "common/wire/rrset.h"
#include "daemons/validatord/core/crypto.h"

struct dnskey {
    uint16_t flags;
    uint8_t protocol, algorithm;
    struct slice public_key;
    uint16_t tag;
    struct rdata rdata;
};

struct ds {
    uint16_t tag;
    uint8_t algorithm, digest_type;
    struct slice digest;
};

struct algorithm_policy {
    bool allow_sha1; /* RFC 9905: RSA/SHA-1 and SHA-1 DS count as unsupported unless set */
};

/* 0, or 1: malformed. */
int dnskey_parse(const struct rdata *rdata, struct dnskey *ret_key);
int ds_parse(const struct rdata *rdata, struct ds *ret_ds);
/* RFC 4034 appendix B. */
uint16_t dnskey_tag(const struct rdata *rdata);
bool algorithm_supported(const struct algorithm_policy *policy, uint8_t algorithm);
bool digest_supported(const struct algorithm_policy *policy, uint8_t digest_type);
/* RSA with a modulus over 4096 bit or a big exponent counts as unsupported (THREATS: RSA shape). */
bool dnskey_usable(const struct algorithm_policy *policy, const struct dnskey *key);
/* The public key field of an RSA DNSKEY, RFC 3110 2, leading zeros stripped. 0, or 1: malformed. */
int rsa_key_split(struct slice key, struct slice *ret_exponent, struct slice *ret_modulus);
/* May this key sign zone data: zone key bit, protocol 3, not revoked. */
bool dnskey_is_zone_key(const struct dnskey *key);
/* Does a DS RRset hold at least one record whose algorithm and digest we support? If not, the zone is
 * insecure (RFC 4035 5.2). SHA-1 digests are ignored where a stronger one is present for the same algorithm
 * (RFC 4509 3). */
bool ds_set_supported(const struct algorithm_policy *policy, const struct rrset *ds);
/* Does this DS (of zone owner) name this key? Compares tag, algorithm, then the digest. SHA-1 preference is
 * the caller's: see ds_set_usable(). 0 yes, 1 no, 2 unsupported digest. */
int ds_matches_key(const struct crypto_ops *ops, const uint8_t *owner, const struct ds *ds,
                   const struct dnskey *key);
/* Is record number index of the set one that may be used: supported, and not a SHA-1 beside a stronger
 * digest? */
bool ds_set_usable(const struct algorithm_policy *policy, const struct rrset *ds, unsigned index);
