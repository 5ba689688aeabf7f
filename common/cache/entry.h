#pragma once
/* Cache values: versioned, checksummed (XXH3 over key and value), bounds-checked on every read.
 *
 * A value that does not check out is a miss and a counter, never a crash. entry_codec.h has the layout.
 * Encoders write into an arena; decoders point into the value, but put signatures together in the arena.
 * DESIGN 4. */

#include "common/cache/key.h"
#include "common/wire/answer.h"
#include "common/wire/rrset.h"

#define CACHE_FORMAT_VERSION 2u    /* 31 at most: it shares an octet */
#define CACHE_ENTRY_MAX      8192u /* bytes; THREATS: CacheFlush. Bigger is answered but not kept */
#define CACHE_RDATA_MAX      100u  /* records of an RRset kept; THREATS: CacheFlush */
#define CACHE_NS_MAX         20u   /* of a delegation; THREATS: CacheFlush */

/* rr, nsec, nsec3: one RRset (with proof records when it was expanded from a wildcard: the NSEC or NSEC3
 * RRsets that prove the closer name absent; a DNAME is stored as itself and synthesised anew). A secure set
 * that was expanded from a wildcard may be stored a second time under the wildcard's own name (without
 * proof): from there other names are answered, with the NSEC or NSEC3 that proves them absent (RFC 8198 5.3).
 */
struct cache_rr {
    struct rrset rrset;       /* owner is taken from the key's caller; ttl as stored, see cache_ttl_left */
    struct rrset_list proof;  /* of a wildcard expansion; nsec, nsec3: the SOA of the answer it came with */
    wall_s stored, expires;   /* expires = stored + TTL rule of DESIGN 4 */
    wall_s signature_expires; /* 0: unsigned */
    uint32_t original_ttl;
    bool authentic; /* false: secure, but AD may not be set (opt-out next closer) */
    uint16_t ede;   /* why it is insecure (NTA, iterations, algorithm); 0: no reason to tell */
    /* DESIGN 5 rule 1: it rests on a kept link of its chain. Given out at answer_ttl with EDE 3 and this text
     * (which link, how old, why the parent fails), at most ANSWER_EDE_TEXT bytes. */
    bool continued;
    struct slice why;
};

/* neg: NXDOMAIN or NODATA with SOA and proof, or a remembered failure. An NXDOMAIN says so of every type: it
 * is stored under type 0 (and found under any). A failure has a key of its own, cache_key_failure(). */
enum cache_neg_kind { CACHE_NEG_NODATA = 1, CACHE_NEG_NXDOMAIN = 2, CACHE_NEG_FAILURE = 3 };

struct cache_neg {
    enum cache_neg_kind kind;
    enum security security; /* of a failure: BOGUS when validation failed, which is not held against CD=1 */
    bool authentic; /* false: insecure, or by an opt-out proof: no AD, nothing concluded for names below */
    wall_s stored, expires;
    struct rrset_list proof;  /* SOA first, then NSEC/NSEC3, each with RRSIGs */
    wall_s signature_expires; /* the least of its chain's and its records'; 0: unsigned, or not known */
    bool continued;           /* as in struct cache_rr; the text is that of the EDE 3 in ede[] */
    /* CACHE_NEG_FAILURE; the EDEs of others too */
    uint16_t failures; /* in a row: drives the back-off, RFC 9520 */
    uint8_t ede_count;
    struct answer_ede ede[ANSWER_MAX_EDE];
};

/* zone: one record per zone cut. Parts that are not known are absent. */
enum ds_state {
    DS_UNKNOWN = 0,
    DS_SECURE = 1,      /* a validated DS RRset with an algorithm we support */
    DS_NONE = 2,        /* validated proof that there is none: insecure */
    DS_UNSUPPORTED = 3, /* validated DS, but no supported algorithm and digest: insecure (RFC 4035 5.2) */
    DS_NOT_A_CUT = 4,   /* validated: this name is no zone cut (NODATA without NS, or a CNAME) */
};

/* How a delegation came about that no validated word of the parent stands behind. It lies beside the kept one
 * and never replaces it. */
enum loose_delegation {
    LOOSE_NONE = 0,
    LOOSE_NTA = 1, /* learnt while a negative trust anchor governed the zone: ends with it */
    LOOSE_UNPROVEN =
        2, /* from a referral whose proof did not validate: DESIGN 5, "Child never seen before" */
};

struct cache_zone {
    bool has_delegation;
    struct rrset ns;              /* as the parent's referral, or the root's priming, gave it */
    struct rrset_list glue;       /* A and AAAA of those NS names within the parent's bailiwick */
    wall_s ns_stored, ns_expires; /* ns_stored 0: not known */
    enum ds_state ds_state;
    struct rrset ds;            /* DS_SECURE, DS_UNSUPPORTED: with RRSIGs */
    struct rrset_list ds_proof; /* DS_NONE, DS_NOT_A_CUT: SOA and NSEC/NSEC3 with RRSIGs */
    bool ds_optout;             /* the proof is an opt-out one */
    wall_s ds_expires, ds_signature_expires, ds_validated;
    bool has_dnskey;
    struct rrset dnskey; /* validated against the DS or an anchor, with RRSIGs */
    wall_s dnskey_expires, dnskey_signature_expires, dnskey_validated;
    /* What continuity needs beside (DESIGN 5 rule 1). 0: not known. */
    wall_s ds_chain_expires; /* the least signature expiry from the anchor down to the DS or its proof */
    wall_s ds_inception;     /* of the signature over the DS, or over the record that denies it */
    bool ds_held;            /* the child's keys validated under this very DS */
    enum loose_delegation loose;
    struct rrset loose_ns;
    struct rrset_list loose_glue;
    wall_s loose_stored, loose_expires;
};

/* nta */
#define CACHE_NTA_TARGETS 3u
enum nta_source { NTA_OPERATOR = 1, NTA_CONFIG = 2 };
struct cache_nta {
    enum nta_source source;
    bool forced;
    wall_s added, expires;
    struct slice reason, author; /* UTF-8, at most 200 bytes each */
    /* What had failed at or below the node when it came: a probe asks for it beside the zone's apex. */
    uint8_t target_count;
    struct cache_nta_target {
        uint8_t name[NAME_MAX];
        uint16_t type;
    } targets[CACHE_NTA_TARGETS];
};

/* anchor: one record a trust point with all its keys, since one DNSKEY RRset moves them all at once (RFC
 * 5011), the times of refresh are the trust point's, and a tag does not tell two keys apart (and changes when
 * a key is revoked). A key is kept as a DS record would name it, with its REVOKE bit off: RSA keys of 4096
 * bit would not fit. A key's number is its place, 0 to CACHE_ANCHOR_KEYS - 1. */
#define CACHE_ANCHOR_KEYS                                                                                    \
    32u /* RFC 5011 2.4.3 asks for five; 16 roll-overs, and the entry stays under 3 KiB */
#define CACHE_ANCHOR_DIGEST 48u /* SHA-384 */

enum anchor_state {
    ANCHOR_START = 0, /* no key in this place */
    ANCHOR_ADDPEND = 1,
    ANCHOR_VALID = 2,
    ANCHOR_MISSING = 3,
    ANCHOR_REVOKED = 4,
    ANCHOR_REMOVED = 5,
};

/* Why a key is here: bits, since a key that came by RFC 5011 may be configured later. */
enum anchor_source {
    ANCHOR_BUILTIN = 1,
    ANCHOR_CONFIGURED = 2,
    ANCHOR_LEARNED = 4,
    ANCHOR_OPERATOR = 8,
};

struct anchor_key {
    enum anchor_state state;
    unsigned sources; /* enum anchor_source */
    uint16_t tag;     /* without REVOKE */
    uint8_t algorithm, digest_type, digest_size;
    uint8_t digest[CACHE_ANCHOR_DIGEST];
    wall_s since;         /* of the state; REVOKED: last seen in the zone */
    uint32_t hold_down_s; /* of ADDPEND and REVOKED */
    uint32_t witnesses;   /* of ADDPEND: numbers, as bits, of the keys that signed the set in which it came */
};

struct cache_anchor {
    wall_s refreshed;             /* the last validated DNSKEY RRset; 0: none yet */
    wall_s attempted;             /* the last try that failed; 0: none */
    wall_s signalled;             /* RFC 8145; 0: never */
    uint32_t interval_s, retry_s; /* RFC 5011 2.3, by the last validated set; 0: none yet */
    struct anchor_key keys[CACHE_ANCHOR_KEYS];
};

/* Encoders: *ret_value in the arena. 0; 1: over CACHE_ENTRY_MAX or unencodable, do not cache; -ENOMEM. */
int cache_rr_encode(struct arena *arena, struct slice key, const struct cache_rr *rr,
                    struct slice *ret_value);
int cache_neg_encode(struct arena *arena, struct slice key, const struct cache_neg *neg,
                     struct slice *ret_value);
int cache_zone_encode(struct arena *arena, struct slice key, const struct cache_zone *zone,
                      struct slice *ret_value);
int cache_nta_encode(struct arena *arena, struct slice key, const struct cache_nta *nta,
                     struct slice *ret_value);
int cache_anchor_encode(struct arena *arena, struct slice key, const struct cache_anchor *anchor,
                        struct slice *ret_value);

/* Decoders: 0; CACHE_MISS: damaged (checksum, version, bounds); -ENOMEM. Names and RDATA point into value,
 * arrays and signatures are in the arena. owner and type are those of the key that was asked for. */
int cache_rr_decode(struct arena *arena, struct slice key, struct slice value, const uint8_t *owner,
                    uint16_t type, struct cache_rr *ret_rr);
int cache_neg_decode(struct arena *arena, struct slice key, struct slice value, struct cache_neg *ret_neg);
int cache_zone_decode(struct arena *arena, struct slice key, struct slice value, const uint8_t *zone,
                      struct cache_zone *ret_zone);
int cache_nta_decode(struct arena *arena, struct slice key, struct slice value, struct cache_nta *ret_nta);
int cache_anchor_decode(struct slice key, struct slice value, struct cache_anchor *ret_anchor);

/* Bytes of somebody else's format (infra) under the same header and checksum. As above. */
int cache_blob_encode(struct arena *arena, struct slice key, struct slice blob, struct slice *ret_value);
int cache_blob_decode(struct slice key, struct slice value, struct slice *ret_blob);

/* When the last of what a value holds expires; 0 when the value is too short. For the sweep: checks nothing
 * else. */
wall_s cache_value_expires(struct slice value);

/* Time left at now, in seconds; 0 when expired, or when stored lies in the future (clock-step rule). */
uint32_t cache_ttl_left(wall_s stored, wall_s expires, wall_s now);
