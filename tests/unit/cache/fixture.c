#include "tests/unit/cache/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/siphash.h"

/* No SHA-1 here: any fixed function of name and parameters will do as a hash of the fixture's zones. */
static int hash_name(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                     struct slice salt, uint8_t ret_hash[20])
{
    if (algorithm != 1)
        return 1;
    for (unsigned i = 0; i < 20; i += 4) {
        struct siphash_key key = {.k0 = i, .k1 = iterations};
        uint64_t sum = siphash24(&key, name, name_size(name));
        memcpy(ret_hash + i, &sum, 4);
    }
    return 0;
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new(16u << 20);
    f->store = memstore_new();
    memstore_view(f->store, NULL, &f->view);
    f->budget = 400;
    f->lookup = (struct lookup){.view = &f->view,
                                .arena = f->arena,
                                .now = NOW,
                                .aggressive_denial = true,
                                .stale_max_s = -1,
                                .nsec3_iterations_max = 50,
                                .max_steps = 11,
                                .nsec3_hash = hash_name,
                                .nsec3_budget = &f->budget,
                                .damaged = &f->damaged};
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    memstore_free(f->store);
    arena_free(f->arena);
    free(f);
    return 0;
}

const uint8_t *fx_name(struct fixture *f, const char *text)
{
    uint8_t name[NAME_MAX];
    assert_int_equal(name_from_text(text, name), 0);
    return arena_copy(f->arena, name, name_size(name));
}

struct rrset fx_rrset(struct fixture *f, const char *owner, uint16_t type)
{
    return (struct rrset){.owner = fx_name(f, owner),
                          .type = type,
                          .class = CLASS_IN,
                          .ttl = 3600,
                          .sig_ttl = 3600,
                          .rank = RANK_ANSWER,
                          .security = SECURITY_SECURE};
}

static struct rdata *grown(struct fixture *f, struct rdata *old, unsigned count, const void *data,
                           size_t size)
{
    struct rdata *rdata = arena_array(f->arena, count + 1, sizeof(*rdata));
    if (count)
        memcpy(rdata, old, count * sizeof(*rdata));
    rdata[count] = (struct rdata){.data = arena_copy(f->arena, data, size), .size = (uint16_t)size};
    return rdata;
}

void fx_rdata(struct fixture *f, struct rrset *rrset, const void *data, size_t size)
{
    rrset->rdata = grown(f, rrset->rdata, rrset->count++, data, size);
}

static uint8_t *put_number(uint8_t *p, uint64_t number, unsigned octets)
{
    while (octets)
        *p++ = (uint8_t)(number >> (8 * --octets));
    return p;
}

void fx_sign(struct fixture *f, struct rrset *rrset, const char *signer, int labels, int64_t expiration)
{
    uint8_t data[512], *p = data;
    const uint8_t *name = fx_name(f, signer);
    p = put_number(p, rrset->type, 2);
    *p++ = ALG_ECDSAP256;
    *p++ = (uint8_t)(labels < 0 ? (int)(name_labels(rrset->owner) - name_is_wildcard(rrset->owner)) : labels);
    p = put_number(p, rrset->ttl, 4);
    p = put_number(p, (uint64_t)(NOW.s + expiration), 4);
    p = put_number(p, (uint64_t)NOW.s - 86400, 4);
    p = put_number(p, 4711, 2);
    memcpy(p, name, name_size(name));
    p += name_size(name);
    memset(p, 0xaa, 64);
    p += 64;
    rrset->sig = grown(f, rrset->sig, rrset->sig_count++, data, (size_t)(p - data));
}

struct rrset fx_a(struct fixture *f, const char *owner, const char *signer)
{
    struct rrset rrset = fx_rrset(f, owner, TYPE_A);
    fx_rdata(f, &rrset, "\xc0\x00\x02\x01", 4);
    fx_sign(f, &rrset, signer, -1, SIG_LATER);
    return rrset;
}

struct rrset fx_soa(struct fixture *f, const char *zone, uint32_t ttl, uint32_t minimum)
{
    struct rrset rrset = fx_rrset(f, zone, TYPE_SOA);
    uint8_t data[64] = {0, 0}, *p = data + 2; /* both names are the root */
    for (unsigned i = 0; i < 4; i++)
        p = put_number(p, 1000 + i, 4);
    p = put_number(p, minimum, 4);
    rrset.ttl = ttl;
    fx_rdata(f, &rrset, data, (size_t)(p - data));
    fx_sign(f, &rrset, zone, -1, SIG_LATER);
    return rrset;
}

struct rrset fx_alias(struct fixture *f, const char *owner, uint16_t type, const char *target,
                      const char *signer)
{
    struct rrset rrset = fx_rrset(f, owner, type);
    const uint8_t *name = fx_name(f, target);
    fx_rdata(f, &rrset, name, name_size(name));
    fx_sign(f, &rrset, signer, -1, SIG_LATER);
    return rrset;
}

/* One window of the bit map: all types of the tests are below 256. */
static size_t put_bitmap(uint8_t *p, const uint16_t *types)
{
    uint8_t map[32] = {0};
    unsigned size = 0;
    for (; *types; types++) {
        assert_true(*types < 256);
        map[*types / 8] |= (uint8_t)(0x80 >> (*types % 8));
        size = MAX(size, *types / 8 + 1u);
    }
    if (!size)
        return 0;
    p[0] = 0;
    p[1] = (uint8_t)size;
    memcpy(p + 2, map, size);
    return 2 + size;
}

struct rrset fx_nsec(struct fixture *f, const char *zone, const char *owner, const char *next,
                     const uint16_t *types)
{
    struct rrset rrset = fx_rrset(f, owner, TYPE_NSEC);
    const uint8_t *name = fx_name(f, next);
    uint8_t data[512];
    memcpy(data, name, name_size(name));
    size_t size = name_size(name) + put_bitmap(data + name_size(name), types);
    fx_rdata(f, &rrset, data, size);
    fx_sign(f, &rrset, zone, -1, SIG_LATER);
    return rrset;
}

struct cache_rr fx_rr_entry(const struct rrset *rrset, int64_t age, uint32_t ttl)
{
    return (struct cache_rr){.rrset = *rrset,
                             .stored = {.s = NOW.s - age},
                             .expires = {.s = NOW.s - age + ttl},
                             .signature_expires = {.s = rrset->sig_count ? NOW.s + SIG_LATER : 0},
                             .original_ttl = rrset->ttl,
                             .authentic = rrset->security == SECURITY_SECURE};
}

static void put(struct fixture *f, enum cache_db db, const struct cache_key *key, struct slice value)
{
    struct cache_write write = {.db = db, .key = cache_key_slice(key), .value = value};
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
}

void fx_put_rr_entry(struct fixture *f, enum cache_db db, const struct cache_key *key,
                     const struct cache_rr *rr)
{
    struct slice value;
    assert_int_equal(cache_rr_encode(f->arena, cache_key_slice(key), rr, &value), 0);
    put(f, db, key, value);
}

void fx_put_rr(struct fixture *f, const struct rrset *rrset, int64_t age, uint32_t ttl)
{
    struct cache_key key;
    struct cache_rr rr = fx_rr_entry(rrset, age, ttl);
    assert_int_equal(cache_key_rr(rrset->owner, rrset->type, &key), 0);
    fx_put_rr_entry(f, CACHE_RR, &key, &rr);
}

void fx_put_nsec(struct fixture *f, const char *zone, const struct rrset *nsec, uint32_t ttl)
{
    struct cache_key key;
    struct cache_rr rr = fx_rr_entry(nsec, 0, ttl);
    assert_int_equal(cache_key_nsec(fx_name(f, zone), nsec->owner, &key), 0);
    fx_put_rr_entry(f, CACHE_NSEC, &key, &rr);
}

void fx_put_nsec3(struct fixture *f, const struct fx_nsec3 *nsec3, uint32_t ttl)
{
    struct cache_key key;
    struct rrset rrset = fx_rrset(f, nsec3->zone, TYPE_NSEC3);
    uint8_t data[128], *p = data;
    *p++ = 1;
    *p++ = nsec3->optout ? NSEC3_FLAG_OPTOUT : 0;
    p = put_number(p, nsec3->iterations, 2);
    *p++ = 2;
    *p++ = 0xbe;
    *p++ = 0xef;
    *p++ = 20;
    memcpy(p, nsec3->next_hash, 20);
    p += 20;
    p += put_bitmap(p, nsec3->types);
    fx_rdata(f, &rrset, data, (size_t)(p - data));
    fx_sign(f, &rrset, nsec3->zone, (int)name_labels(rrset.owner) + 1, SIG_LATER);
    struct cache_rr rr = fx_rr_entry(&rrset, 0, ttl);
    assert_int_equal(cache_key_nsec3(rrset.owner, 1, nsec3->iterations, slice_make("\xbe\xef", 2),
                                     slice_make(nsec3->owner_hash, 20), &key),
                     0);
    fx_put_rr_entry(f, CACHE_NSEC3, &key, &rr);
}

void fx_hash(const char *text, uint16_t iterations, uint8_t ret_hash[20])
{
    uint8_t name[NAME_MAX];
    assert_int_equal(name_from_text(text, name), 0);
    assert_int_equal(hash_name(NULL, name, 1, iterations, slice_make(NULL, 0), ret_hash), 0);
}

static void step_hash(uint8_t hash[20], int by)
{
    for (unsigned i = 20; i-- > 0;) {
        hash[i] = (uint8_t)(hash[i] + by);
        if (hash[i] != (by > 0 ? 0 : 0xff))
            return;
    }
}

void fx_nsec3_match(struct fixture *f, const char *zone, const char *name, const uint16_t *types,
                    uint16_t iterations)
{
    struct fx_nsec3 nsec3 = {.zone = zone, .iterations = iterations, .types = types};
    fx_hash(name, iterations, nsec3.owner_hash);
    memcpy(nsec3.next_hash, nsec3.owner_hash, 20);
    step_hash(nsec3.next_hash, 1);
    fx_put_nsec3(f, &nsec3, 600);
}

void fx_nsec3_cover(struct fixture *f, const char *zone, const char *name, bool optout, uint16_t iterations)
{
    static const uint16_t none[] = {0};
    struct fx_nsec3 nsec3 = {.zone = zone, .iterations = iterations, .optout = optout, .types = none};
    fx_hash(name, iterations, nsec3.owner_hash);
    memcpy(nsec3.next_hash, nsec3.owner_hash, 20);
    step_hash(nsec3.owner_hash, -1);
    step_hash(nsec3.next_hash, 1);
    fx_put_nsec3(f, &nsec3, 600);
}

static void put_neg(struct fixture *f, const struct cache_key *key, const struct cache_neg *neg)
{
    struct slice value;
    assert_int_equal(cache_neg_encode(f->arena, cache_key_slice(key), neg, &value), 0);
    put(f, CACHE_NEG, key, value);
}

void fx_put_neg(struct fixture *f, const char *name, uint16_t type, const struct cache_neg *neg)
{
    struct cache_key key;
    assert_int_equal(cache_key_rr(fx_name(f, name), type, &key), 0);
    put_neg(f, &key, neg);
}

void fx_put_failure(struct fixture *f, const char *name, uint16_t type, const struct cache_neg *neg)
{
    struct cache_key key;
    assert_int_equal(cache_key_failure(fx_name(f, name), type, &key), 0);
    put_neg(f, &key, neg);
}

void fx_put_zone(struct fixture *f, const char *zone, const struct cache_zone *record)
{
    struct cache_key key;
    struct slice value;
    assert_int_equal(cache_key_name(fx_name(f, zone), &key), 0);
    assert_int_equal(cache_zone_encode(f->arena, cache_key_slice(&key), record, &value), 0);
    put(f, CACHE_ZONE, &key, value);
}

struct cache_neg fx_neg(struct fixture *f, enum cache_neg_kind kind, const char *zone, enum security security,
                        int64_t age, uint32_t ttl)
{
    struct cache_neg neg = {.kind = kind,
                            .security = security,
                            .authentic = security == SECURITY_SECURE,
                            .stored = {.s = NOW.s - age},
                            .expires = {.s = NOW.s - age + ttl}};
    struct rrset soa = fx_soa(f, zone, 3600, 3600);
    soa.security = security;
    assert_int_equal(rrset_list_add(f->arena, &neg.proof, &soa), 0);
    return neg;
}

int fx_ask(struct fixture *f, const char *name, uint16_t type)
{
    memset(&f->answer, 0xee, sizeof(f->answer));
    return cache_answer(&f->lookup, fx_name(f, name), type, &f->answer, &f->next);
}

bool fx_has(struct fixture *f, const struct rrset_list *list, const char *owner, uint16_t type)
{
    return rrset_list_find(list, fx_name(f, owner), type) != NULL;
}
