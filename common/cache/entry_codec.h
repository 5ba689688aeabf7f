#pragma once
/* Inside of the cache values: the header they share, and how fields, RRsets and lists of them are laid out.
 *
 *   0  checksum, 4   the low half of the XXH3-64 of what follows, seeded with that of the key
 *   4  what, 1       CACHE_FORMAT_VERSION << 3 | enum entry_kind
 *   5  expires, 5    the latest expiry of what is inside: all the sweep needs to know
 *  10  the body
 *
 * Little-endian. A million records are a million times the octets that one has too many, so the body says in
 * full only what cannot be told from the rest: numbers of variable length (seven bits an octet, the least
 * first; signed ones zigzag), times as differences to the header's, TTLs to the one before, an RRSIG without
 * what its RRset and its owner say (entry_sig.c). Both directions fail sticky. Private to common/cache. */

#include "common/cache/entry.h"

#define ENTRY_HEADER     10u
#define ENTRY_CHECKSUM   4u /* 2^-32 of what is damaged passes it, and the bounds checks are behind it */
#define ENTRY_WHAT(kind) ((uint8_t)(CACHE_FORMAT_VERSION << 3 | (unsigned)(kind)))
#define ENTRY_LIST_MAX                                                                                       \
    64u /* RRsets in a proof or glue list: 20 NS with A and AAAA are 40, a proof has 7 at most */
#define ENTRY_SIGS_MAX 32u /* RRSIGs kept of an RRset: BUDGET_SIGNATURES, more are never looked at */
/* A time outside is damage: keeps differences of two times far from overflow, and is what five octets hold.
 * 2^40 s is the year 36812. */
#define ENTRY_TIME_MAX ((INT64_C(1) << 40) - 1)

enum entry_kind {
    ENTRY_RR = 1,
    ENTRY_NEG = 2,
    ENTRY_ZONE = 3,
    ENTRY_NTA = 4,
    ENTRY_BLOB = 5,
    ENTRY_ANCHOR = 6,
    ENTRY_KIND_MAX = ENTRY_ANCHOR
};

struct entry_out {
    size_t size;
    bool failed;
    wall_s expires; /* the header's: other times are told as differences to it */
    uint32_t ttl;   /* what the TTL of an RRset is told against; 0 until the kind sets it */
    uint8_t bytes[CACHE_ENTRY_MAX];
};

void entry_begin(struct entry_out *out, enum entry_kind kind, wall_s expires);
void entry_put(struct entry_out *out, const void *bytes, size_t size);
void entry_put_uint(struct entry_out *out, uint64_t number, unsigned octets);
void entry_put_number(struct entry_out *out, uint64_t number);
/* Both modulo 2^32: the difference in as few octets as it needs. */
void entry_put_near(struct entry_out *out, uint32_t number, uint32_t base);
void entry_put_time(struct entry_out *out, wall_s time);
/* Without its owner: that is the key's. */
void entry_put_rrset(struct entry_out *out, const struct rrset *rrset);
/* With owners. */
void entry_put_owned_rrset(struct entry_out *out, const struct rrset *rrset);
void entry_put_list(struct entry_out *out, const struct rrset_list *list);
/* An RRSIG over rrset, of rrset->owner's zone (entry_sig.c). */
void entry_put_sig(struct entry_out *out, const struct rrset *rrset, const struct rdata *sig);
/* Checksum, and a copy in the arena. 0; 1: it did not fit, or cannot be encoded; -ENOMEM. */
int entry_seal(struct entry_out *out, struct arena *arena, struct slice key, struct slice *ret_value);

struct entry_in {
    struct arena *arena;
    const uint8_t *at, *end;
    wall_s expires; /* as in struct entry_out */
    uint32_t ttl;
    bool failed;  /* damaged */
    bool starved; /* the arena is full */
};

/* 0, or CACHE_MISS: not a whole value of this kind under this key. */
int entry_open(struct arena *arena, struct slice key, struct slice value, enum entry_kind kind,
               struct entry_in *ret_in);
const uint8_t *entry_get(struct entry_in *in, size_t size);
uint64_t entry_get_uint(struct entry_in *in, unsigned octets);
uint64_t entry_get_number(struct entry_in *in);
uint32_t entry_get_near(struct entry_in *in, uint32_t base);
wall_s entry_get_time(struct entry_in *in);
void entry_get_rrset(struct entry_in *in, const uint8_t *owner, struct rrset *ret_rrset);
void entry_get_owned_rrset(struct entry_in *in, struct rrset *ret_rrset);
void entry_get_list(struct entry_in *in, struct rrset_list *ret_list);
/* Puts the RDATA together again in the arena, checked. rrset: type, TTL and owner are set. */
void entry_get_sig(struct entry_in *in, const struct rrset *rrset, struct rdata *ret_sig);
/* Everything was read, nothing is left. 0, CACHE_MISS or -ENOMEM. */
int entry_end(struct entry_in *in);

/* Of whole values, header included; what the checksum's own octets hold does not matter. */
uint32_t entry_checksum(struct slice key, struct slice value);
void entry_store_le(uint8_t *p, uint64_t number, unsigned octets);
uint64_t entry_load_le(const uint8_t *p, unsigned octets);
