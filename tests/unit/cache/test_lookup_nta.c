#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void put_nta_added(struct fixture *f, const char *name, int64_t added, int64_t lifetime_s)
{
    struct cache_nta nta = {.source = NTA_OPERATOR,
                            .added = {.s = added},
                            .expires = {.s = NOW.s + lifetime_s},
                            .reason = {(const uint8_t *)"", 0},
                            .author = {(const uint8_t *)"", 0}};
    struct cache_write write = {.db = CACHE_NTA};
    struct cache_key key;
    assert_int_equal(cache_key_name(fx_name(f, name), &key), 0);
    write.key = cache_key_slice(&key);
    assert_int_equal(cache_nta_encode(f->arena, write.key, &nta, &write.value), 0);
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
}

static void put_nta(struct fixture *f, const char *name, int64_t lifetime_s)
{
    put_nta_added(f, name, NOW.s, lifetime_s);
}

static void put_a(struct fixture *f, const char *owner, enum security security)
{
    struct rrset a = fx_a(f, owner, "example");
    a.security = security;
    fx_put_rr(f, &a, 0, 300);
}

static bool says_nta(const struct fixture *f)
{
    for (unsigned i = 0; i < f->answer.ede_count; i++)
        if (f->answer.ede[i].code == EDE_NEGATIVE_TRUST_ANCHOR)
            return true;
    return false;
}

static void an_insecure_answer_at_or_below_an_nta_says_so(void **state)
{
    struct fixture *f = *state;
    put_a(f, "www.example", SECURITY_INSECURE);
    put_a(f, "www.other", SECURITY_INSECURE);
    assert_int_equal(fx_ask(f, "www.example", TYPE_A), LOOKUP_HIT);
    assert_false(says_nta(f));
    put_nta(f, "example", 60);
    assert_int_equal(fx_ask(f, "www.example", TYPE_A), LOOKUP_HIT);
    assert_true(says_nta(f));
    assert_int_equal(fx_ask(f, "www.other", TYPE_A), LOOKUP_HIT);
    assert_false(says_nta(f));
    put_nta(f, ".", 60);
    assert_int_equal(fx_ask(f, "www.other", TYPE_A), LOOKUP_HIT);
    assert_true(says_nta(f));
}

static void what_validated_before_the_nta_has_no_ad_and_says_so(void **state)
{
    struct fixture *f = *state;
    put_a(f, "www.example", SECURITY_SECURE);
    put_nta(f, "example", 60);
    assert_int_equal(fx_ask(f, "www.example", TYPE_A), LOOKUP_HIT);
    assert_false(f->answer.authentic);
    assert_true(says_nta(f));
}

static void what_validates_below_an_nta_since_then_says_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    put_nta_added(f, "example", NOW.s - 10, 60);
    put_a(f, "www.example", SECURITY_SECURE);
    assert_int_equal(fx_ask(f, "www.example", TYPE_A), LOOKUP_HIT);
    assert_false(says_nta(f));
}

static void an_nta_whose_lifetime_is_over_is_not_spoken_of(void **state)
{
    struct fixture *f = *state;
    put_a(f, "www.example", SECURITY_INSECURE);
    put_nta(f, "example", 0);
    assert_int_equal(fx_ask(f, "www.example", TYPE_A), LOOKUP_HIT);
    assert_false(says_nta(f));
}

static void an_alias_out_of_an_nta_says_so_too(void **state)
{
    struct fixture *f = *state;
    struct rrset cname = fx_alias(f, "here.example", TYPE_CNAME, "www.other", "example");
    cname.security = SECURITY_INSECURE;
    fx_put_rr(f, &cname, 0, 300);
    put_a(f, "www.other", SECURITY_SECURE);
    put_nta(f, "example", 60);
    assert_int_equal(fx_ask(f, "here.example", TYPE_A), LOOKUP_HIT);
    assert_true(says_nta(f));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_insecure_answer_at_or_below_an_nta_says_so),
        TEST(what_validated_before_the_nta_has_no_ad_and_says_so),
        TEST(what_validates_below_an_nta_since_then_says_nothing_of_it),
        TEST(an_nta_whose_lifetime_is_over_is_not_spoken_of),
        TEST(an_alias_out_of_an_nta_says_so_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
