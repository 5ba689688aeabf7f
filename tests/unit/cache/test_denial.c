/* Aggressive use of NSEC and NSEC3: what is synthesised, and every clause that must keep it from being. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/fixture.h"

static const uint16_t apex[] = {TYPE_NS, TYPE_SOA, TYPE_RRSIG, TYPE_NSEC, TYPE_DNSKEY, 0};
static const uint16_t host[] = {TYPE_A, TYPE_RRSIG, TYPE_NSEC, 0};
static const uint16_t cut[] = {TYPE_NS, TYPE_RRSIG, TYPE_NSEC, 0};
static const uint16_t alias[] = {TYPE_CNAME, TYPE_RRSIG, TYPE_NSEC, 0};
static const uint16_t moved[] = {TYPE_DNAME, TYPE_RRSIG, TYPE_NSEC, 0};

static void put_soa(struct fixture *f)
{
    struct rrset soa = fx_soa(f, "example.", 900, 200);
    fx_put_rr(f, &soa, 0, 900);
}

static void put_nsec(struct fixture *f, const char *owner, const char *next, const uint16_t *types)
{
    struct rrset nsec = fx_nsec(f, "example.", owner, next, types);
    fx_put_nsec(f, "example.", &nsec, 600);
}

/* example. has an apex and two hosts, b and m, and nothing else. */
static void put_zone(struct fixture *f)
{
    put_soa(f);
    put_nsec(f, "example.", "b.example.", apex);
    put_nsec(f, "b.example.", "m.example.", host);
    put_nsec(f, "m.example.", "example.", host);
}

static void nsec_proves_a_name_and_its_wildcard_absent(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    assert_int_equal(fx_ask(f, "x.c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_true(f->answer.negative && f->answer.authentic && !f->answer.stale);
    assert_int_equal(f->answer.authority.count, 3);
    assert_int_equal(f->answer.authority.items[0].type, TYPE_SOA);
    assert_true(fx_has(f, &f->answer.authority, "b.example.", TYPE_NSEC));
    assert_true(fx_has(f, &f->answer.authority, "example.", TYPE_NSEC)); /* covers *.example. */
    assert_int_equal(f->answer.ttl, 200);                                /* the SOA's minimum */
    /* behind the last name the span wraps around */
    assert_int_equal(fx_ask(f, "z.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    /* covered by the same record as its wildcard: given once */
    assert_int_equal(fx_ask(f, "a.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.authority.count, 2);
}

static void nothing_is_synthesised_when_switched_off(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    f->lookup.aggressive_denial = false;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void without_a_soa_nothing_is_synthesised(void **state)
{
    struct fixture *f = *state;
    put_nsec(f, "example.", "b.example.", apex);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    /* that which came with the record does as well */
    struct rrset nsec = fx_nsec(f, "example.", "b.example.", "m.example.", host);
    struct rrset soa = fx_soa(f, "example.", 100, 500);
    struct cache_rr rr = fx_rr_entry(&nsec, 40, 600);
    struct cache_key key;
    assert_int_equal(rrset_list_add(f->arena, &rr.proof, &soa), 0);
    assert_int_equal(cache_key_nsec(soa.owner, nsec.owner, &key), 0);
    fx_put_rr_entry(f, CACHE_NSEC, &key, &rr);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.ttl, 60);
    f->lookup.now.s += 61;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void without_the_wildcards_denial_nothing_is_synthesised(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void a_wildcard_that_exists_denies_only_types_it_lacks(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "example.", "*.example.", apex);
    put_nsec(f, "*.example.", "b.example.", host);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_MX), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_true(fx_has(f, &f->answer.authority, "*.example.", TYPE_NSEC));
    assert_true(fx_has(f, &f->answer.authority, "b.example.", TYPE_NSEC));
    put_nsec(f, "*.example.", "b.example.", alias);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_MX), LOOKUP_MISS);
}

static void a_cached_wildcard_answers_names_proven_absent(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "*.example.", "example.");
    fx_put_rr(f, &a, 0, 500);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 1);
    assert_true(fx_has(f, &f->answer.answer, "c.example.", TYPE_A));
    assert_int_equal(f->answer.answer.items[0].wildcard_labels, 2);
    assert_true(fx_has(f, &f->answer.authority, "b.example.", TYPE_NSEC));
    assert_int_equal(f->answer.ttl, 500);
    assert_true(f->answer.authentic);
    assert_int_equal(fx_ask(f, "x.m.example.", TYPE_A), LOOKUP_MISS); /* below a name that exists */
    assert_int_equal(fx_ask(f, "c.example.", TYPE_DS), LOOKUP_MISS);
    /* a signature that was not made for the wildcard */
    a.sig_count = 0;
    fx_sign(f, &a, "example.", 2, SIG_LATER);
    fx_put_rr(f, &a, 0, 500);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    a.security = SECURITY_INSECURE;
    a.sig_count = 0;
    fx_sign(f, &a, "example.", 1, SIG_LATER);
    fx_put_rr(f, &a, 0, 500);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void a_cached_wildcard_cname_is_followed(void **state)
{
    struct fixture *f = *state;
    struct rrset cname = fx_alias(f, "*.example.", TYPE_CNAME, "b.example.", "example.");
    struct rrset a = fx_a(f, "b.example.", "example.");
    fx_put_rr(f, &cname, 0, 500);
    fx_put_rr(f, &a, 0, 400);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 2);
    assert_true(fx_has(f, &f->answer.answer, "c.example.", TYPE_CNAME));
    assert_int_equal(f->answer.ttl, 400);
}

static void a_matching_nsec_denies_types_it_lacks(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_AAAA), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_true(f->answer.negative && f->answer.authentic);
    assert_int_equal(f->answer.authority.count, 2);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_ANY), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_RRSIG), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_DS), LOOKUP_HIT);
}

static void a_cname_bit_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "b.example.", "m.example.", alias);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_AAAA), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_CNAME), LOOKUP_MISS);
}

static void a_dname_bit_denies_nothing_below(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "example.", "b.example.", apex);
    put_nsec(f, "b.example.", "m.example.", moved);
    assert_int_equal(fx_ask(f, "x.b.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
}

static void a_parent_side_nsec_proves_only_the_ds_absent(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "example.", "b.example.", apex);
    put_nsec(f, "b.example.", "m.example.", cut);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_DS), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "www.b.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "www.b.example.", TYPE_DS), LOOKUP_MISS);
}

static void an_apex_nsec_never_proves_the_ds_absent(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "example.", TYPE_MX), LOOKUP_HIT);
    /* nor when it lies among the records of the zone above */
    struct rrset soa = fx_soa(f, ".", 900, 200), nsec = fx_nsec(f, ".", "example.", "f.", apex);
    fx_put_rr(f, &soa, 0, 900);
    fx_put_nsec(f, ".", &nsec, 600);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_MISS);
}

static void an_empty_non_terminal_is_nodata(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    put_nsec(f, "example.", "x.ent.example.", apex);
    assert_int_equal(fx_ask(f, "ent.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_true(f->answer.negative);
    /* a wildcard's name that is an empty non-terminal exists: no NXDOMAIN */
    put_nsec(f, "example.", "x.*.example.", apex);
    put_nsec(f, "b.example.", "m.example.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void a_zone_cut_ends_the_search_for_denials(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    struct cache_zone zone = {.ds_state = DS_NONE, .ds_validated = NOW, .ds_expires = {.s = NOW.s + 300}};
    assert_int_equal(fx_ask(f, "www.c.example.", TYPE_A), LOOKUP_HIT);
    fx_put_zone(f, "c.example.", &zone);
    assert_int_equal(fx_ask(f, "www.c.example.", TYPE_A), LOOKUP_MISS);
    zone.ds_state = DS_NOT_A_CUT;
    fx_put_zone(f, "c.example.", &zone);
    assert_int_equal(fx_ask(f, "www.c.example.", TYPE_A), LOOKUP_HIT);
}

static void an_nsec_that_is_not_secure_or_not_fresh_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    struct rrset nsec = fx_nsec(f, "example.", "b.example.", "m.example.", host);
    nsec.security = SECURITY_INSECURE;
    fx_put_nsec(f, "example.", &nsec, 600);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    nsec.security = SECURITY_SECURE;
    fx_put_nsec(f, "example.", &nsec, 0);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    /* as stale data it does while its signature is valid */
    f->lookup.stale_max_s = 100;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
    f->lookup.now.s += SIG_LATER;
    f->lookup.stale_max_s = 2 * SIG_LATER;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void an_nsec_whose_next_name_is_outside_its_zone_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_zone(f);
    put_nsec(f, "b.example.", "m.f.", host);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    put_nsec(f, "m.example.", "b.example.", host); /* wraps, but not to the apex */
    assert_int_equal(fx_ask(f, "z.example.", TYPE_A), LOOKUP_MISS);
}

static void put_nsec3_nxdomain(struct fixture *f, bool optout, uint16_t iterations)
{
    put_soa(f);
    fx_nsec3_match(f, "example.", "example.", apex, iterations);
    fx_nsec3_cover(f, "example.", "c.example.", optout, iterations);
    fx_nsec3_cover(f, "example.", "*.example.", false, iterations);
}

static void nsec3_proves_a_name_and_its_wildcard_absent(void **state)
{
    struct fixture *f = *state;
    put_nsec3_nxdomain(f, false, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(f->answer.authority.count, 4);
    assert_true(f->answer.authentic);
    assert_int_equal(f->answer.ttl, 200);
    assert_int_equal(fx_ask(f, "x.y.c.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(fx_ask(f, "d.example.", TYPE_A), LOOKUP_MISS);
}

static void an_optout_span_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_nsec3_nxdomain(f, true, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_DS), LOOKUP_MISS);
    /* nor when it covers the wildcard alone */
    fx_nsec3_cover(f, "example.", "c.example.", false, 5);
    fx_nsec3_cover(f, "example.", "*.example.", true, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void too_many_iterations_deny_nothing(void **state)
{
    struct fixture *f = *state;
    put_nsec3_nxdomain(f, false, 51);
    uint32_t before = f->budget;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->budget, before);
}

static void nsec3_hashes_are_paid_from_the_budget(void **state)
{
    struct fixture *f = *state;
    put_nsec3_nxdomain(f, false, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    uint32_t used = 400 - f->budget;
    assert_int_equal(used, 3); /* apex, next closer, wildcard */
    f->budget = 2;
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->budget, 0);
}

static void a_matching_nsec3_denies_types_it_lacks(void **state)
{
    struct fixture *f = *state;
    static const uint16_t nothing[] = {0};
    put_soa(f);
    fx_nsec3_match(f, "example.", "b.example.", host, 5);
    fx_nsec3_match(f, "example.", "cut.example.", cut, 5);
    fx_nsec3_match(f, "example.", "alias.example.", alias, 5);
    fx_nsec3_match(f, "example.", "ent.example.", nothing, 5);
    fx_nsec3_match(f, "example.", "example.", apex, 5);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_AAAA), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(fx_ask(f, "b.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "cut.example.", TYPE_DS), LOOKUP_HIT);
    assert_int_equal(fx_ask(f, "cut.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "www.cut.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "alias.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "ent.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_MISS);
}

static void nsec3_below_a_cut_or_a_dname_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    fx_nsec3_match(f, "example.", "example.", apex, 5);
    fx_nsec3_match(f, "example.", "sub.example.", cut, 5);
    fx_nsec3_cover(f, "example.", "www.sub.example.", false, 5);
    fx_nsec3_cover(f, "example.", "*.sub.example.", false, 5);
    assert_int_equal(fx_ask(f, "www.sub.example.", TYPE_A), LOOKUP_MISS);
    fx_nsec3_match(f, "example.", "sub.example.", moved, 5);
    assert_int_equal(fx_ask(f, "www.sub.example.", TYPE_A), LOOKUP_MISS);
    fx_nsec3_match(f, "example.", "sub.example.", host, 5);
    assert_int_equal(fx_ask(f, "www.sub.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
}

static void nsec3_wildcards_answer_and_deny(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "*.example.", "example.");
    put_soa(f);
    fx_nsec3_match(f, "example.", "example.", apex, 5);
    fx_nsec3_cover(f, "example.", "c.example.", false, 5);
    fx_nsec3_match(f, "example.", "*.example.", host, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_MX), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(f->answer.authority.count, 4);
    fx_put_rr(f, &a, 0, 500);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_HIT);
    assert_true(fx_has(f, &f->answer.answer, "c.example.", TYPE_A));
    assert_int_equal(f->answer.authority.count, 1);
}

static void a_wildcard_of_a_zone_below_does_not_go_with_the_parents_denial(void **state)
{
    struct fixture *f = *state;
    struct rrset own = fx_a(f, "*.sub.example.", "example."),
                 childs = fx_a(f, "*.sub.example.", "sub.example.");
    put_soa(f);
    fx_nsec3_match(f, "example.", "example.", apex, 5);
    fx_nsec3_cover(f, "example.", "c.sub.example.", false, 5);
    fx_put_rr(f, &own, 0, 500);
    assert_int_equal(fx_ask(f, "c.sub.example.", TYPE_A), LOOKUP_HIT); /* the wildcard proves its encloser */
    fx_put_rr(f, &childs, 0, 500);
    assert_int_equal(fx_ask(f, "c.sub.example.", TYPE_A), LOOKUP_MISS);
}

static void an_unmatched_encloser_denies_nothing(void **state)
{
    struct fixture *f = *state;
    put_soa(f);
    fx_nsec3_cover(f, "example.", "c.example.", false, 5);
    fx_nsec3_cover(f, "example.", "*.example.", false, 5);
    assert_int_equal(fx_ask(f, "c.example.", TYPE_A), LOOKUP_MISS);
}

static void the_last_nsec3_span_wraps_around(void **state)
{
    struct fixture *f = *state;
    put_nsec3_nxdomain(f, false, 5);
    /* one record from the highest of all hashes to the lowest but one, over c.example. and *.example. alike
     */
    struct fx_nsec3 wide = {.zone = "example.", .iterations = 7, .types = host};
    memset(wide.owner_hash, 0xff, 20);
    fx_hash("example.", 7, wide.next_hash);
    struct fx_nsec3 at_apex = {.zone = "example.", .iterations = 7, .types = apex};
    fx_hash("example.", 7, at_apex.owner_hash);
    memset(at_apex.next_hash, 0xff, 20);
    fx_put_nsec3(f, &wide, 600);
    fx_put_nsec3(f, &at_apex, 600);
    /* the two spans are the whole circle: with either parameter set every name below is denied */
    assert_int_equal(fx_ask(f, "d.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(fx_ask(f, "e.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nsec_proves_a_name_and_its_wildcard_absent),
        TEST(nothing_is_synthesised_when_switched_off),
        TEST(without_a_soa_nothing_is_synthesised),
        TEST(without_the_wildcards_denial_nothing_is_synthesised),
        TEST(a_wildcard_that_exists_denies_only_types_it_lacks),
        TEST(a_cached_wildcard_answers_names_proven_absent),
        TEST(a_cached_wildcard_cname_is_followed),
        TEST(a_matching_nsec_denies_types_it_lacks),
        TEST(a_cname_bit_denies_nothing),
        TEST(a_dname_bit_denies_nothing_below),
        TEST(a_parent_side_nsec_proves_only_the_ds_absent),
        TEST(an_apex_nsec_never_proves_the_ds_absent),
        TEST(an_empty_non_terminal_is_nodata),
        TEST(a_zone_cut_ends_the_search_for_denials),
        TEST(an_nsec_that_is_not_secure_or_not_fresh_denies_nothing),
        TEST(an_nsec_whose_next_name_is_outside_its_zone_denies_nothing),
        TEST(nsec3_proves_a_name_and_its_wildcard_absent),
        TEST(an_optout_span_denies_nothing),
        TEST(too_many_iterations_deny_nothing),
        TEST(nsec3_hashes_are_paid_from_the_budget),
        TEST(a_matching_nsec3_denies_types_it_lacks),
        TEST(nsec3_below_a_cut_or_a_dname_denies_nothing),
        TEST(nsec3_wildcards_answer_and_deny),
        TEST(a_wildcard_of_a_zone_below_does_not_go_with_the_parents_denial),
        TEST(an_unmatched_encloser_denies_nothing),
        TEST(the_last_nsec3_span_wraps_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
