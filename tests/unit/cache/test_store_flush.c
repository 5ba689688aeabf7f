/* store_flush(): what goes, what stays, and that nothing denies a flushed name again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/fixture.h"
#include "tests/unit/cache/store_fixture.h"

static const uint16_t apex[] = {TYPE_NS, TYPE_SOA, TYPE_RRSIG, TYPE_NSEC, TYPE_DNSKEY, 0};
static const uint16_t host[] = {TYPE_A, TYPE_RRSIG, TYPE_NSEC, 0};

/* The store under test, and a fixture whose entries are copied into it and whose look-up reads it. */
struct both {
    struct store_fixture *s;
    struct fixture *f;
    struct cache_view view;
};

static int both_setup(void **state)
{
    struct both *both = calloc(1, sizeof(*both));
    void *s, *f;
    store_setup(&s);
    fixture_setup(&f);
    both->s = s;
    both->f = f;
    *state = both;
    return 0;
}

static int both_teardown(void **state)
{
    struct both *both = *state;
    void *s = both->s, *f = both->f;
    store_teardown(&s);
    fixture_teardown(&f);
    free(both);
    return 0;
}

static void open_with_hash(struct both *both, bool with_hash)
{
    struct store_config config = {.directory = both->s->directory,
                                  .size_bytes = STORE_TEST_BYTES,
                                  .nsec3_hash = with_hash ? both->f->lookup.nsec3_hash : NULL};
    char *quarantined;
    assert_int_equal(store_open_writer(&config, &both->s->store, &quarantined), 0);
}

static int copy_one(void *ctx, const struct cache_write *write)
{
    return store_commit(ctx, write, 1, 0, sf_now());
}

static void load(struct both *both)
{
    assert_int_equal(memstore_each(both->f->store, copy_one, both->s->store), 0);
}

static int ask(struct both *both, const char *name, uint16_t type)
{
    assert_int_equal(store_read_begin(both->s->store, sf_now(), &both->view), 0);
    both->f->lookup.view = &both->view;
    both->f->budget = 400;
    int outcome = fx_ask(both->f, name, type);
    store_read_end(both->s->store);
    return outcome;
}

static int64_t flush(struct both *both, const char *name, bool subtree)
{
    return store_flush(both->s->store, fx_name(both->f, name), subtree);
}

static void put_a(struct fixture *f, const char *name)
{
    struct rrset a = fx_a(f, name, "example.");
    fx_put_rr(f, &a, 0, 600);
}

static void put_nsec(struct fixture *f, const char *owner, const char *next, const uint16_t *types)
{
    struct rrset nsec = fx_nsec(f, "example.", owner, next, types);
    fx_put_nsec(f, "example.", &nsec, 600);
}

static void put_soa(struct fixture *f)
{
    struct rrset soa = fx_soa(f, "example.", 900, 200);
    fx_put_rr(f, &soa, 0, 900);
}

static void a_name_goes_with_all_its_types_and_nothing_else(void **state)
{
    struct both *both = *state;
    struct fixture *f = both->f;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NODATA, "example.", SECURITY_INSECURE, 0, 300);
    struct cache_zone zone = {.ds_state = DS_NONE, .ds_expires = {.s = NOW.s + 10}};
    put_a(f, "www.example.");
    put_a(f, "x.www.example.");
    put_a(f, "wwww.example.");
    put_a(f, "example.");
    fx_put_neg(f, "www.example.", TYPE_AAAA, &neg);
    fx_put_failure(f, "www.example.", TYPE_MX, &neg);
    fx_put_zone(f, "www.example.", &zone);
    fx_put_zone(f, "x.www.example.", &zone);
    open_with_hash(both, true);
    load(both);
    assert_int_equal(flush(both, "www.example.", false), 4);
    assert_int_equal(ask(both, "www.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(ask(both, "www.example.", TYPE_AAAA), LOOKUP_MISS);
    assert_int_equal(ask(both, "x.www.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(ask(both, "wwww.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(ask(both, "example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(flush(both, "www.example.", true), 2);
    assert_int_equal(ask(both, "x.www.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(ask(both, "wwww.example.", TYPE_A), LOOKUP_HIT);
}

static void a_flushed_name_is_not_denied_again_by_nsec(void **state)
{
    struct both *both = *state;
    struct fixture *f = both->f;
    put_soa(f);
    put_nsec(f, "example.", "b.example.", apex);
    put_nsec(f, "b.example.", "m.example.", host);
    put_nsec(f, "m.example.", "example.", host);
    put_nsec(f, "q.m.example.", "r.m.example.", host);
    open_with_hash(both, true);
    load(both);
    assert_int_equal(ask(both, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(ask(both, "m.example.", TYPE_MX), LOOKUP_HIT);
    assert_int_equal(flush(both, "c.example.", false), 1);
    assert_int_equal(ask(both, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(ask(both, "m.example.", TYPE_MX), LOOKUP_HIT);
    assert_int_equal(flush(both, "m.example.", true), 3); /* its own, the one below, and the one before it */
    assert_int_equal(ask(both, "m.example.", TYPE_MX), LOOKUP_MISS);
    assert_int_equal(ask(both, "q.m.example.", TYPE_MX), LOOKUP_MISS);
}

static void put_nsec3_zone(struct fixture *f)
{
    put_soa(f);
    fx_nsec3_match(f, "example.", "example.", apex, 5);
    fx_nsec3_cover(f, "example.", "*.example.", false, 5);
    fx_nsec3_cover(f, "example.", "c.example.", false, 5);
    fx_nsec3_cover(f, "example.", "d.example.", false, 5);
}

static void a_flushed_name_is_not_denied_again_by_nsec3(void **state)
{
    struct both *both = *state;
    put_nsec3_zone(both->f);
    open_with_hash(both, true);
    load(both);
    assert_int_equal(ask(both, "x.c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(ask(both, "d.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(flush(both, "x.c.example.", false), 1);
    assert_int_equal(ask(both, "x.c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(ask(both, "d.example.", TYPE_A), LOOKUP_HIT);
}

static void without_a_hash_function_the_zones_nsec3_go(void **state)
{
    struct both *both = *state;
    put_nsec3_zone(both->f);
    open_with_hash(both, false);
    load(both);
    assert_int_equal(flush(both, "x.c.example.", false), 4);
    assert_int_equal(ask(both, "d.example.", TYPE_A), LOOKUP_MISS);
}

static void everything_goes_but_ntas_anchors_and_servers(void **state)
{
    struct both *both = *state;
    struct fixture *f = both->f;
    struct store_stats stats;
    put_a(f, "www.example.");
    put_nsec3_zone(f);
    put_nsec(f, "example.", "b.example.", apex);
    struct cache_zone zone = {.ds_state = DS_NONE, .ds_expires = {.s = NOW.s + 10}};
    fx_put_zone(f, ".", &zone);
    open_with_hash(both, true);
    load(both);
    const struct cache_write kept[] = {
        {.db = CACHE_NTA, .key = slice_make("n", 1), .value = slice_make("v", 1)},
        {.db = CACHE_ANCHOR, .key = slice_make("a", 1), .value = slice_make("v", 1)},
        {.db = CACHE_INFRA, .key = slice_make("i", 1), .value = slice_make("v", 1)},
    };
    assert_int_equal(store_commit(both->s->store, kept, 3, 0, sf_now()), 0);
    uint64_t epoch = store_epoch(both->s->store);
    assert_int_equal(flush(both, ".", true), 8);
    assert_int_equal(store_epoch(both->s->store), epoch + 1);
    assert_int_equal(store_stats(both->s->store, &stats), 0);
    for (unsigned db = 0; db < CACHE_META; db++)
        assert_int_equal(stats.entries[db], db >= CACHE_NTA && db <= CACHE_INFRA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, both_setup, both_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_goes_with_all_its_types_and_nothing_else),
        TEST(a_flushed_name_is_not_denied_again_by_nsec),
        TEST(a_flushed_name_is_not_denied_again_by_nsec3),
        TEST(without_a_hash_function_the_zones_nsec3_go),
        TEST(everything_goes_but_ntas_anchors_and_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
