#pragma once
/* What the cache's tests share: RRsets from text, entries put into a memory store, a look-up over it. */

#include "common/cache/lookup.h"
#include "common/cache/memstore.h"

#define NOW       ((wall_s){.s = 1700000000})
#define SIG_LATER 864000 /* signatures of the fixture end this many seconds after NOW */

struct fixture {
    struct arena *arena;
    struct memstore *store;
    struct cache_view view;
    struct lookup lookup;
    uint32_t budget, damaged;
    struct answer answer;
    const uint8_t *next;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A name in the arena. */
const uint8_t *fx_name(struct fixture *f, const char *text);
struct rrset fx_rrset(struct fixture *f, const char *owner, uint16_t type);
void fx_rdata(struct fixture *f, struct rrset *rrset, const void *data, size_t size);
/* An RRSIG by signer; labels < 0: those of the owner. expiration relative to NOW. */
void fx_sign(struct fixture *f, struct rrset *rrset, const char *signer, int labels, int64_t expiration);
/* Secure and signed by zone; an A record, an SOA, a CNAME or DNAME, an NSEC. */
struct rrset fx_a(struct fixture *f, const char *owner, const char *signer);
struct rrset fx_soa(struct fixture *f, const char *zone, uint32_t ttl, uint32_t minimum);
struct rrset fx_alias(struct fixture *f, const char *owner, uint16_t type, const char *target,
                      const char *signer);
/* types ends with 0. */
struct rrset fx_nsec(struct fixture *f, const char *zone, const char *owner, const char *next,
                     const uint16_t *types);

/* Entries that are fresh for ttl seconds from `age` seconds before NOW on. */
void fx_put_rr(struct fixture *f, const struct rrset *rrset, int64_t age, uint32_t ttl);
void fx_put_rr_entry(struct fixture *f, enum cache_db db, const struct cache_key *key,
                     const struct cache_rr *rr);
struct cache_rr fx_rr_entry(const struct rrset *rrset, int64_t age, uint32_t ttl);
void fx_put_nsec(struct fixture *f, const char *zone, const struct rrset *nsec, uint32_t ttl);
/* NSEC3 of `zone`: from the hash of `from` (NULL: `from_hash` as given) to the next. */
struct fx_nsec3 {
    const char *zone;
    uint8_t owner_hash[20], next_hash[20];
    uint16_t iterations;
    bool optout;
    const uint16_t *types;
};
void fx_put_nsec3(struct fixture *f, const struct fx_nsec3 *nsec3, uint32_t ttl);
void fx_hash(const char *name, uint16_t iterations, uint8_t ret_hash[20]);
/* The NSEC3 that matches a name, with a span of one hash; that which just covers a name. */
void fx_nsec3_match(struct fixture *f, const char *zone, const char *name, const uint16_t *types,
                    uint16_t iterations);
void fx_nsec3_cover(struct fixture *f, const char *zone, const char *name, bool optout, uint16_t iterations);

void fx_put_neg(struct fixture *f, const char *name, uint16_t type, const struct cache_neg *neg);
void fx_put_failure(struct fixture *f, const char *name, uint16_t type, const struct cache_neg *neg);
void fx_put_zone(struct fixture *f, const char *zone, const struct cache_zone *record);
struct cache_neg fx_neg(struct fixture *f, enum cache_neg_kind kind, const char *zone, enum security security,
                        int64_t age, uint32_t ttl);

/* cache_answer on f->lookup into f->answer. */
int fx_ask(struct fixture *f, const char *name, uint16_t type);
bool fx_has(struct fixture *f, const struct rrset_list *list, const char *owner, uint16_t type);
