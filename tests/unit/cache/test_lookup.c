/* cache_answer(): exact answers, chains, failures, stale data, zone records. One clause a test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/cache/fixture.h"

static void a_fresh_secure_rrset_is_a_hit_with_the_time_left(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    fx_put_rr(f, &a, 100, 600);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(f->answer.ttl, 500);
    assert_int_equal(f->answer.answer.items[0].ttl, 500);
    assert_int_equal(f->answer.answer.items[0].sig_count, 1);
    assert_int_equal(f->answer.security, SECURITY_SECURE);
    assert_true(f->answer.authentic);
    assert_false(f->answer.stale);
    assert_false(f->answer.negative);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_AAAA), LOOKUP_MISS);
    assert_true(name_equal(f->next, fx_name(f, "www.example.")));
}

static void an_expired_rrset_is_used_only_as_stale(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    fx_put_rr(f, &a, 700, 600);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    f->lookup.stale_max_s = 99;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    f->lookup.stale_max_s = 100;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
    assert_int_equal(f->answer.ttl, 0);
    assert_true(f->answer.authentic); /* its signature is still valid: DESIGN 5, AD */
}

static void an_entry_from_the_future_is_expired_now(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    fx_put_rr(f, &a, -50, 600);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    f->lookup.stale_max_s = 0;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
    assert_false(f->answer.authentic);
}

static void past_its_signature_an_entry_is_stale_and_not_authentic(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    struct cache_rr rr = fx_rr_entry(&a, 100, 600);
    struct cache_key key;
    rr.signature_expires.s = NOW.s - 1;
    assert_int_equal(cache_key_rr(a.owner, TYPE_A, &key), 0);
    fx_put_rr_entry(f, CACHE_RR, &key, &rr);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    f->lookup.stale_max_s = 10;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
    assert_false(f->answer.authentic);
    assert_int_equal(f->answer.security, SECURITY_SECURE);
}

static void unchecked_data_answers_cd_alone_and_bogus_data_nobody(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example."), bogus = fx_a(f, "bad.example.", "example.");
    a.security = SECURITY_INDETERMINATE;
    bogus.security = SECURITY_BOGUS;
    fx_put_rr(f, &a, 0, 600);
    fx_put_rr(f, &bogus, 0, 600);
    f->lookup.stale_max_s = 1000;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    f->lookup.checking_disabled = true;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_false(f->answer.authentic);
    assert_int_equal(fx_ask(f, "bad.example.", TYPE_A), LOOKUP_MISS);
}

static void glue_and_referral_data_is_no_answer_unless_secure(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "ns.example.", "example."), secure = fx_a(f, "ns2.example.", "example.");
    struct cache_rr rr;
    uint32_t ttl;
    a.rank = RANK_ADDITIONAL;
    a.security = SECURITY_INSECURE;
    secure.rank = RANK_ADDITIONAL;
    fx_put_rr(f, &a, 0, 600);
    fx_put_rr(f, &secure, 0, 600);
    assert_int_equal(fx_ask(f, "ns.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "ns2.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(cache_rr_get(&f->lookup, a.owner, TYPE_A, &rr, &ttl), 0);
    assert_int_equal(ttl, 600);
}

static void a_chain_is_as_good_as_its_worst_link(void **state)
{
    struct fixture *f = *state;
    struct rrset cname = fx_alias(f, "a.example.", TYPE_CNAME, "b.test.", "example.");
    struct rrset a = fx_a(f, "b.test.", "test.");
    a.security = SECURITY_INSECURE;
    fx_put_rr(f, &cname, 0, 600);
    fx_put_rr(f, &a, 0, 50);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 2);
    assert_int_equal(f->answer.answer.items[0].type, TYPE_CNAME);
    assert_int_equal(f->answer.ttl, 50);
    assert_int_equal(f->answer.security, SECURITY_INSECURE);
    assert_false(f->answer.authentic);
}

static void a_chain_that_breaks_off_says_where(void **state)
{
    struct fixture *f = *state;
    struct rrset cname = fx_alias(f, "a.example.", TYPE_CNAME, "b.test.", "example.");
    fx_put_rr(f, &cname, 0, 600);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->answer.answer.count, 1);
    assert_true(name_equal(f->next, fx_name(f, "b.test.")));
}

static void a_cname_answers_every_type_but_its_own_and_its_companions(void **state)
{
    struct fixture *f = *state;
    struct rrset cname = fx_alias(f, "a.example.", TYPE_CNAME, "b.test.", "example.");
    fx_put_rr(f, &cname, 0, 600);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_CNAME), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 1);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_ANY), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 1);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_DS), LOOKUP_MISS);
    assert_int_equal(f->answer.answer.count, 1); /* followed */
    assert_int_equal(fx_ask(f, "a.example.", TYPE_NSEC), LOOKUP_MISS);
    assert_int_equal(f->answer.answer.count, 0);
}

static void cname_loops_and_endless_chains_end(void **state)
{
    struct fixture *f = *state;
    struct rrset one = fx_alias(f, "a.example.", TYPE_CNAME, "b.example.", "example.");
    struct rrset two = fx_alias(f, "b.example.", TYPE_CNAME, "a.example.", "example.");
    fx_put_rr(f, &one, 0, 600);
    fx_put_rr(f, &two, 0, 600);
    assert_int_equal(fx_ask(f, "a.example.", TYPE_A), LOOKUP_LOOP);
    assert_int_equal(f->answer.rcode, RCODE_SERVFAIL);
    assert_int_equal(f->answer.ede_count, 1);
    assert_int_equal(f->answer.ede[0].code, EDE_OTHER);
    char from[] = "c00.example.", to[] = "c00.example.";
    for (unsigned i = 0; i < 20; i++) {
        from[1] = (char)('a' + i);
        to[1] = (char)('a' + i + 1);
        struct rrset link = fx_alias(f, from, TYPE_CNAME, to, "example.");
        fx_put_rr(f, &link, 0, 600);
    }
    assert_int_equal(fx_ask(f, "ca0.example.", TYPE_A), LOOKUP_LOOP);
    assert_int_equal(fx_ask(f, "cm0.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->answer.answer.count, 8);
}

static void a_dname_is_synthesised_anew_with_its_own_ttl(void **state)
{
    struct fixture *f = *state;
    struct rrset dname = fx_alias(f, "old.example.", TYPE_DNAME, "new.test.", "example.");
    struct rrset a = fx_a(f, "x.y.new.test.", "test.");
    fx_put_rr(f, &dname, 0, 300);
    fx_put_rr(f, &a, 0, 3000);
    assert_int_equal(fx_ask(f, "x.y.old.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 3);
    assert_int_equal(f->answer.answer.items[0].type, TYPE_DNAME);
    assert_int_equal(f->answer.answer.items[1].type, TYPE_CNAME);
    assert_int_equal(f->answer.answer.items[1].ttl, 300);
    assert_int_equal(f->answer.answer.items[1].sig_count, 0);
    assert_true(name_equal(f->answer.answer.items[1].rdata[0].data, fx_name(f, "x.y.new.test.")));
    assert_int_equal(f->answer.ttl, 300);
    assert_true(f->answer.authentic);
    /* not at the owner itself; and the CNAME it makes answers a question for it */
    assert_int_equal(fx_ask(f, "old.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->answer.answer.count, 0);
    assert_int_equal(fx_ask(f, "x.old.example.", TYPE_CNAME), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 2);
}

static void a_dname_substitution_that_is_too_long_is_yxdomain(void **state)
{
    struct fixture *f = *state;
    char target[260], *p = target;
    for (unsigned i = 0; i < 3; i++) {
        memset(p, 'a', 63);
        p += 63;
        *p++ = '.';
    }
    memset(p, 'b', 50);
    memcpy(p + 50, ".", 2);
    struct rrset dname = fx_alias(f, "old.example.", TYPE_DNAME, target, "example.");
    fx_put_rr(f, &dname, 0, 300);
    assert_int_equal(fx_ask(f, "a-long-label-that-does-not-fit.old.example.", TYPE_A), LOOKUP_YXDOMAIN);
    assert_int_equal(f->answer.rcode, RCODE_YXDOMAIN);
    assert_false(f->answer.authentic);
    assert_true(fx_has(f, &f->answer.answer, "old.example.", TYPE_DNAME));
    assert_int_equal(f->answer.answer.count, 1);
}

static void any_is_answered_with_one_rrset(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example."), below = fx_a(f, "x.none.example.", "example.");
    fx_put_rr(f, &a, 700, 600); /* expired: passed over */
    a.type = TYPE_TXT;
    a.rdata[0] = (struct rdata){.data = (const uint8_t *)"\1x", .size = 2};
    fx_put_rr(f, &a, 0, 600);
    fx_put_rr(f, &below, 0, 600);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_ANY), LOOKUP_HIT);
    assert_int_equal(f->answer.answer.count, 1);
    assert_int_equal(f->answer.answer.items[0].type, TYPE_TXT);
    assert_int_equal(fx_ask(f, "none.example.", TYPE_ANY), LOOKUP_MISS);
}

static void a_wildcard_answer_carries_its_proof(void **state)
{
    struct fixture *f = *state;
    static const uint16_t types[] = {TYPE_A, TYPE_RRSIG, TYPE_NSEC, 0};
    struct rrset a = fx_a(f, "w.example.", "example.");
    struct rrset nsec = fx_nsec(f, "example.", "a.example.", "z.example.", types);
    struct cache_rr rr;
    struct cache_key key;
    a.wildcard_labels = 2;
    rr = fx_rr_entry(&a, 0, 600);
    assert_int_equal(rrset_list_add(f->arena, &rr.proof, &nsec), 0);
    assert_int_equal(cache_key_rr(a.owner, TYPE_A, &key), 0);
    fx_put_rr_entry(f, CACHE_RR, &key, &rr);
    assert_int_equal(fx_ask(f, "w.example.", TYPE_A), LOOKUP_HIT);
    assert_true(fx_has(f, &f->answer.authority, "a.example.", TYPE_NSEC));
    assert_int_equal(f->answer.answer.items[0].wildcard_labels, 2);
    assert_true(f->answer.authentic);
    /* by an opt-out proof: secure, yet without AD */
    rr.authentic = false;
    fx_put_rr_entry(f, CACHE_RR, &key, &rr);
    assert_int_equal(fx_ask(f, "w.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.security, SECURITY_SECURE);
    assert_false(f->answer.authentic);
}

static void a_nodata_answers_its_type_alone(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NODATA, "example.", SECURITY_INSECURE, 10, 300);
    fx_put_neg(f, "www.example.", TYPE_AAAA, &neg);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_AAAA), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_true(f->answer.negative);
    assert_int_equal(f->answer.ttl, 290);
    assert_true(fx_has(f, &f->answer.authority, "example.", TYPE_SOA));
    assert_int_equal(f->answer.security, SECURITY_INSECURE);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "x.www.example.", TYPE_AAAA), LOOKUP_MISS);
}

static void an_nxdomain_answers_every_type_of_its_name(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_INSECURE, 10, 300);
    fx_put_neg(f, "no.example.", 0, &neg);
    fx_put_neg(f, "no2.example.", TYPE_A, &neg);
    assert_int_equal(fx_ask(f, "no.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_int_equal(fx_ask(f, "no2.example.", TYPE_MX), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
}

static int ask_below(struct fixture *f, const struct cache_neg *neg)
{
    fx_put_neg(f, "cut.example.", 0, neg);
    return fx_ask(f, "a.b.cut.example.", TYPE_A);
}

static void a_secure_nxdomain_cuts_off_everything_below(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_SECURE, 10, 300);
    assert_int_equal(ask_below(f, &neg), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NXDOMAIN);
    assert_true(f->answer.authentic);
    assert_int_equal(f->answer.ttl, 290);
    /* data below that is still fresh is not hidden */
    struct rrset a = fx_a(f, "x.cut.example.", "example.");
    fx_put_rr(f, &a, 0, 600);
    assert_int_equal(fx_ask(f, "x.cut.example.", TYPE_A), LOOKUP_HIT);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
}

static void an_insecure_nxdomain_cuts_nothing_off(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_INSECURE, 10, 300);
    assert_int_equal(ask_below(f, &neg), LOOKUP_MISS);
}

static void an_optout_nxdomain_cuts_nothing_off(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_SECURE, 10, 300);
    neg.authentic = false;
    assert_int_equal(ask_below(f, &neg), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "cut.example.", TYPE_A), LOOKUP_HIT);
    assert_false(f->answer.authentic);
}

static void an_expired_nxdomain_cuts_nothing_off_even_as_stale(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_SECURE, 400, 300);
    f->lookup.stale_max_s = 1000;
    assert_int_equal(ask_below(f, &neg), LOOKUP_MISS);
    assert_int_equal(fx_ask(f, "cut.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
}

static void a_stale_denial_is_authentic_while_its_signatures_are_valid(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_SECURE, 400, 300);
    f->lookup.stale_max_s = 2 * SIG_LATER;
    fx_put_neg(f, "no.example.", 0, &neg);
    assert_int_equal(fx_ask(f, "no.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale && f->answer.authentic);
    f->lookup.now.s += SIG_LATER;
    assert_int_equal(fx_ask(f, "no.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale && !f->answer.authentic);
    /* a fresh one was validated by a good signature, whatever others lie beside it */
    f->lookup.now = NOW;
    neg.expires.s = NOW.s + 10;
    fx_sign(f, &neg.proof.items[0], "example.", -1, -1);
    fx_put_neg(f, "no.example.", 0, &neg);
    assert_int_equal(fx_ask(f, "no.example.", TYPE_A), LOOKUP_HIT);
    assert_true(!f->answer.stale && f->answer.authentic);
}

static void a_nodata_above_cuts_nothing_off(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NODATA, "example.", SECURITY_SECURE, 10, 300);
    assert_int_equal(ask_below(f, &neg), LOOKUP_MISS);
}

static void a_remembered_failure_is_told_with_its_reasons(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = {.kind = CACHE_NEG_FAILURE,
                            .security = SECURITY_BOGUS,
                            .stored = NOW,
                            .expires = {.s = NOW.s + 5},
                            .ede_count = 1,
                            .ede = {{.code = EDE_SIGNATURE_EXPIRED, .text_size = 2, .text = "de"}}};
    fx_put_failure(f, "www.example.", TYPE_A, &neg);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_FAILURE);
    assert_int_equal(f->answer.rcode, RCODE_SERVFAIL);
    assert_int_equal(f->answer.ttl, 5);
    assert_int_equal(f->answer.ede_count, 1);
    assert_int_equal(f->answer.ede[0].code, EDE_SIGNATURE_EXPIRED);
    assert_false(f->answer.authentic);
    /* what failed validation is not held against CD=1; what could not be reached is */
    f->lookup.checking_disabled = true;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    neg.security = SECURITY_INDETERMINATE;
    fx_put_failure(f, "www.example.", TYPE_A, &neg);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_FAILURE);
    f->lookup.now.s += 5;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
}

static void stale_data_comes_before_a_remembered_failure(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    struct cache_neg neg = {.kind = CACHE_NEG_FAILURE, .stored = NOW, .expires = {.s = NOW.s + 5}};
    fx_put_rr(f, &a, 700, 600);
    fx_put_failure(f, "www.example.", TYPE_A, &neg);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_FAILURE);
    f->lookup.stale_max_s = 1000;
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.stale);
}

static void a_failure_does_not_displace_a_negative_answer(void **state)
{
    struct fixture *f = *state;
    struct cache_neg failure = {.kind = CACHE_NEG_FAILURE, .stored = NOW, .expires = {.s = NOW.s + 5}};
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NODATA, "example.", SECURITY_INSECURE, 10, 300);
    fx_put_neg(f, "www.example.", TYPE_A, &neg);
    fx_put_failure(f, "www.example.", TYPE_A, &failure);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_HIT);
    assert_true(f->answer.negative);
}

static struct cache_zone signed_zone(struct fixture *f)
{
    struct cache_zone zone = {.has_delegation = true,
                              .has_dnskey = true,
                              .ds_state = DS_SECURE,
                              .ns_stored = NOW,
                              .ns_expires = {.s = NOW.s + 100},
                              .ds_validated = NOW,
                              .ds_expires = {.s = NOW.s + 300},
                              .ds_signature_expires = {.s = NOW.s + SIG_LATER},
                              .dnskey_validated = NOW,
                              .dnskey_expires = {.s = NOW.s + 200},
                              .dnskey_signature_expires = {.s = NOW.s + SIG_LATER}};
    zone.ns = fx_rrset(f, "example.", TYPE_NS);
    fx_rdata(f, &zone.ns, "\2ns\7example\0", 12);
    zone.ns.security = SECURITY_INSECURE;
    zone.ds = fx_rrset(f, "example.", TYPE_DS);
    fx_rdata(f, &zone.ds,
             "\x12\x67\x0d\x02"
             "0123456789abcdef0123456789abcdef",
             36);
    fx_sign(f, &zone.ds, ".", -1, SIG_LATER);
    zone.dnskey = fx_rrset(f, "example.", TYPE_DNSKEY);
    fx_rdata(f, &zone.dnskey,
             "\x01\x01\x03\x0d"
             "0123456789abcdef",
             20);
    fx_sign(f, &zone.dnskey, "example.", -1, SIG_LATER);
    return zone;
}

static void ds_and_dnskey_are_answered_from_the_zone_and_ns_is_not(void **state)
{
    struct fixture *f = *state;
    struct cache_zone zone = signed_zone(f);
    fx_put_zone(f, "example.", &zone);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_HIT);
    assert_int_equal(f->answer.ttl, 300);
    assert_int_equal(f->answer.answer.items[0].sig_count, 1);
    assert_true(f->answer.authentic);
    assert_int_equal(fx_ask(f, "example.", TYPE_DNSKEY), LOOKUP_HIT);
    assert_int_equal(f->answer.ttl, 200);
    assert_int_equal(fx_ask(f, "example.", TYPE_NS), LOOKUP_MISS);
    f->lookup.now.s += 250;
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_HIT);
    assert_int_equal(fx_ask(f, "example.", TYPE_DNSKEY), LOOKUP_MISS);
}

static void the_proof_of_no_ds_answers_for_it_when_it_has_the_soa(void **state)
{
    struct fixture *f = *state;
    static const uint16_t types[] = {TYPE_NS, TYPE_RRSIG, TYPE_NSEC, 0};
    struct cache_zone zone = {.ds_state = DS_NONE,
                              .ds_validated = NOW,
                              .ds_expires = {.s = NOW.s + 300},
                              .ds_signature_expires = {.s = NOW.s + SIG_LATER}};
    struct rrset soa = fx_soa(f, ".", 600, 600), nsec = fx_nsec(f, ".", "example.", "f.", types);
    assert_int_equal(rrset_list_add(f->arena, &zone.ds_proof, &nsec), 0);
    fx_put_zone(f, "example.", &zone);
    f->lookup.aggressive_denial = false;
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_MISS);
    zone.ds_proof.count = 0;
    assert_int_equal(rrset_list_add(f->arena, &zone.ds_proof, &soa), 0);
    assert_int_equal(rrset_list_add(f->arena, &zone.ds_proof, &nsec), 0);
    fx_put_zone(f, "example.", &zone);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_HIT);
    assert_true(f->answer.negative);
    assert_int_equal(f->answer.rcode, RCODE_NOERROR);
    assert_int_equal(f->answer.ttl, 300);
    assert_true(f->answer.authentic);
    zone.ds_optout = true;
    fx_put_zone(f, "example.", &zone);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_HIT);
    assert_false(f->answer.authentic);
    /* a name that is no cut may be a CNAME: its proof does not say NODATA */
    zone.ds_state = DS_NOT_A_CUT;
    fx_put_zone(f, "example.", &zone);
    assert_int_equal(fx_ask(f, "example.", TYPE_DS), LOOKUP_MISS);
}

static void the_closest_cut_is_the_deepest_usable_delegation(void **state)
{
    struct fixture *f = *state;
    struct cache_zone zone = signed_zone(f), root = signed_zone(f), not_a_cut = {.ds_state = DS_NOT_A_CUT},
                      got;
    const uint8_t *cut, *name = fx_name(f, "www.sub.example.");
    assert_int_equal(cache_closest_cut(&f->lookup, name, &got, &cut), CACHE_MISS);
    root.ns_expires.s = NOW.s + 1000;
    root.ns.owner = root.ds.owner = root.dnskey.owner = name_root;
    fx_put_zone(f, ".", &root);
    fx_put_zone(f, "example.", &zone);
    fx_put_zone(f, "sub.example.", &not_a_cut);
    assert_int_equal(cache_closest_cut(&f->lookup, name, &got, &cut), 0);
    assert_true(name_equal(cut, fx_name(f, "example.")));
    assert_true(cut > name && cut < name + name_size(name));
    assert_int_equal(got.ns.count, 1);
    f->lookup.now.s += 150;
    assert_int_equal(cache_closest_cut(&f->lookup, name, &got, &cut), 0);
    assert_true(name_is_root(cut));
    f->lookup.stale_max_s = 100;
    assert_int_equal(cache_closest_cut(&f->lookup, name, &got, &cut), 0);
    assert_true(name_equal(cut, fx_name(f, "example.")));
    assert_int_equal(cache_zone_get(&f->lookup, fx_name(f, "sub.example."), &got), 0);
    assert_int_equal(got.ds_state, DS_NOT_A_CUT);
    assert_int_equal(cache_zone_get(&f->lookup, fx_name(f, "nope.example."), &got), CACHE_MISS);
}

static void a_damaged_value_is_a_miss_and_is_counted(void **state)
{
    struct fixture *f = *state;
    struct rrset a = fx_a(f, "www.example.", "example.");
    struct cache_key key;
    fx_put_rr(f, &a, 0, 600);
    assert_int_equal(cache_key_rr(a.owner, TYPE_A, &key), 0);
    struct cache_write write = {
        .db = CACHE_RR, .key = cache_key_slice(&key), .value = slice_make("damaged", 7)};
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
    assert_int_equal(fx_ask(f, "www.example.", TYPE_A), LOOKUP_MISS);
    assert_int_equal(f->damaged, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_secure_rrset_is_a_hit_with_the_time_left),
        TEST(an_expired_rrset_is_used_only_as_stale),
        TEST(an_entry_from_the_future_is_expired_now),
        TEST(past_its_signature_an_entry_is_stale_and_not_authentic),
        TEST(unchecked_data_answers_cd_alone_and_bogus_data_nobody),
        TEST(glue_and_referral_data_is_no_answer_unless_secure),
        TEST(a_chain_is_as_good_as_its_worst_link),
        TEST(a_chain_that_breaks_off_says_where),
        TEST(a_cname_answers_every_type_but_its_own_and_its_companions),
        TEST(cname_loops_and_endless_chains_end),
        TEST(a_dname_is_synthesised_anew_with_its_own_ttl),
        TEST(a_dname_substitution_that_is_too_long_is_yxdomain),
        TEST(any_is_answered_with_one_rrset),
        TEST(a_wildcard_answer_carries_its_proof),
        TEST(a_nodata_answers_its_type_alone),
        TEST(an_nxdomain_answers_every_type_of_its_name),
        TEST(a_secure_nxdomain_cuts_off_everything_below),
        TEST(an_insecure_nxdomain_cuts_nothing_off),
        TEST(an_optout_nxdomain_cuts_nothing_off),
        TEST(an_expired_nxdomain_cuts_nothing_off_even_as_stale),
        TEST(a_stale_denial_is_authentic_while_its_signatures_are_valid),
        TEST(a_nodata_above_cuts_nothing_off),
        TEST(a_remembered_failure_is_told_with_its_reasons),
        TEST(stale_data_comes_before_a_remembered_failure),
        TEST(a_failure_does_not_displace_a_negative_answer),
        TEST(ds_and_dnskey_are_answered_from_the_zone_and_ns_is_not),
        TEST(the_proof_of_no_ds_answers_for_it_when_it_has_the_soa),
        TEST(the_closest_cut_is_the_deepest_usable_delegation),
        TEST(a_damaged_value_is_a_miss_and_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
