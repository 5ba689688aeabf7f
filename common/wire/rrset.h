#pragma once
/* RRset: what travels between the parts of holdfast, from the parser to the cache to the reply.
 *
 * RDATA is uncompressed wire form in original case; its canonical form is made when a signature is checked
 * (rdata.h). The RRSIGs that cover the set travel with it. All pointers borrow from an arena or a cache page
 * whose life the caller knows. */

#include "common/base/arena.h"
#include "common/wire/dns.h"
#include "common/wire/name.h"

/* Security status, RFC 4035 4.3, in the order in which data may replace data (DESIGN invariant 3). */
enum security {
    SECURITY_BOGUS = 0,         /* failed validation; never stored as usable */
    SECURITY_INDETERMINATE = 1, /* not checked: CD=1, or validation is off */
    SECURITY_INSECURE = 2,      /* proven to be outside any chain of trust, or under an NTA */
    SECURITY_SECURE = 3,
};

/* Trustworthiness of data, RFC 2181 5.4.1, the least first. */
enum rank {
    RANK_ADDITIONAL = 1, /* additional section of an answer, or glue of a referral */
    RANK_REFERRAL = 2,   /* authority section of a referral: the parent's NS */
    RANK_AUTHORITY = 3,  /* authority section of an authoritative answer */
    RANK_ANSWER_NONAUTH = 4,
    RANK_ANSWER = 5, /* answer section of an authoritative answer */
};

struct rdata {
    const uint8_t *data;
    uint16_t size;
};

struct rrset {
    const uint8_t *owner; /* lower case */
    uint16_t type, class;
    uint32_t ttl; /* seconds: the least over the set */
    uint16_t count;
    uint16_t sig_count;
    struct rdata *rdata; /* count of them, duplicates removed, in the order received */
    struct rdata *sig;   /* sig_count RRSIG RDATAs, type covered = type */
    uint32_t sig_ttl;
    enum rank rank;
    enum security security;
    uint8_t
        wildcard_labels; /* 0: not expanded; else 1 + labels of the closest encloser (the RRSIG's labels) */
};

/* A growing array of RRsets in an arena. */
struct rrset_list {
    struct rrset *items;
    uint32_t count, room;
};

/* Appends a copy of the struct (not of what it points to). 0 or -ENOMEM. */
int rrset_list_add(struct arena *arena, struct rrset_list *list, const struct rrset *rrset);
/* First with that owner and type, or NULL. */
struct rrset *rrset_list_find(const struct rrset_list *list, const uint8_t *owner, uint16_t type);
/* Deep copy into the arena. 0 or -ENOMEM. */
int rrset_copy(struct arena *arena, const struct rrset *from, struct rrset *ret_rrset);
/* Same RDATA as a set (order does not matter, byte-wise). */
bool rrset_same_rdata(const struct rrset *a, const struct rrset *b);

/* The fixed part of an RRSIG RDATA, RFC 4034 3.1. Pointers into the RDATA. */
struct rrsig {
    uint16_t type_covered;
    uint8_t algorithm, labels;
    uint32_t original_ttl, expiration, inception;
    uint16_t key_tag;
    const uint8_t *signer; /* original case; not compressed (RFC 4034 3.1.7) */
    const uint8_t *signature;
    uint16_t signature_size;
};
/* 0, or 1: malformed. */
int rrsig_parse(const struct rdata *rdata, struct rrsig *ret_sig);
