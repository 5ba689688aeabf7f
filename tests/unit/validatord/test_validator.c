/* The job engine on healthy zones: every kind of answer, secure and insecure, and what it costs upstream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static struct lab *lab_com(enum lab_denial denial)
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "");
    lab_zone(lab, "com.", LAB_OPTOUT, "");
    lab_zone(lab, "example.com.", denial,
             "www.example.com. 300 IN A 192.0.2.80\n"
             "alias.example.com. 300 IN CNAME www.example.com.\n"
             "away.example.com. 300 IN CNAME www.other.com.\n"
             "loop1.example.com. 300 IN CNAME loop2.example.com.\n"
             "loop2.example.com. 300 IN CNAME loop1.example.com.\n"
             "gone.example.com. 300 IN CNAME nothere.example.com.\n"
             "zero.example.com. 0 IN A 192.0.2.81\n"
             "*.wild.example.com. 300 IN A 192.0.2.82\n"
             "*.wild.example.com. 300 IN TXT \"w\"\n"
             "a.b.ent.example.com. 300 IN A 192.0.2.83\n"
             "tree.example.com. 300 IN DNAME example.com.\n"
             "far.example.com. 300 IN DNAME other.com.\n");
    lab_zone(lab, "other.com.", LAB_UNSIGNED,
             "www.other.com. 300 IN A 198.51.100.1\n*.w.other.com. 300 IN A 198.51.100.2\n");
    return lab;
}

static int setup_nsec(void **state)
{
    struct lab *lab = lab_com(LAB_NSEC);
    lab_start(lab);
    *state = lab;
    return 0;
}

static int setup_nsec3(void **state)
{
    struct lab *lab = lab_com(LAB_NSEC3);
    lab_start(lab);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    lab_free(*state);
    return 0;
}

static void assert_secure(const struct answer *answer, uint16_t rcode)
{
    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->rcode != rcode)
            print_message("EDE %u %.*s\n", answer->ede[i].code, answer->ede[i].text_size,
                          answer->ede[i].text);
    assert_int_equal(answer->rcode, rcode);
    assert_int_equal(answer->security, SECURITY_SECURE);
    assert_true(answer->authentic);
}

static void secure_name_resolves_with_six_upstream_queries(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);

    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_int_equal(answer->answer.items[0].type, TYPE_A);
    assert_int_equal(answer->answer.items[0].sig_count, 1);
    assert_int_equal(answer->ttl, 300);
    /* two referrals, the answer, three DNSKEY sets */
    assert_int_equal(lab->upstream, 6);
}

static void second_question_is_answered_from_the_cache(void **state)
{
    struct lab *lab = *state;

    lab_ask(lab, "www.example.com.", TYPE_A);
    unsigned before = lab->upstream;
    lab_pass(lab, 100);
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->ttl, 200);
    assert_int_equal(lab->upstream, before);
}

static void other_name_of_a_known_zone_costs_one_query(void **state)
{
    struct lab *lab = *state;

    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_reset(lab, false);
    assert_secure(lab_ask(lab, "a.b.ent.example.com.", TYPE_A), RCODE_NOERROR);
    assert_int_equal(lab->upstream, 1);
}

static void denials_are_proven_and_kept(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_AAAA);

    assert_secure(answer, RCODE_NOERROR);
    assert_true(answer->negative);
    assert_int_equal(answer->answer.count, 0);
    assert_true(answer->authority.count >= 2);
    assert_int_equal(answer->ttl, 900);
    assert_secure(lab_ask(lab, "nothere.example.com.", TYPE_A), RCODE_NXDOMAIN);
    assert_secure(lab_ask(lab, "x.y.nothere2.example.com.", TYPE_A), RCODE_NXDOMAIN);
    assert_secure(lab_ask(lab, "ent.example.com.", TYPE_A), RCODE_NOERROR);
    assert_secure(lab_ask(lab, "example.com.", TYPE_MX), RCODE_NOERROR);
    unsigned before = lab->upstream;
    assert_secure(lab_ask(lab, "nothere.example.com.", TYPE_A), RCODE_NXDOMAIN);
    assert_secure(lab_ask(lab, "www.example.com.", TYPE_AAAA), RCODE_NOERROR);
    assert_int_equal(lab->upstream, before);
}

static void wildcard_answers_carry_their_proof(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "foo.wild.example.com.", TYPE_A);

    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_true(answer->authority.count >= 1);
    assert_secure(lab_ask(lab, "foo.wild.example.com.", TYPE_MX), RCODE_NOERROR);
    assert_secure(lab_ask(lab, "bar.foo.wild.example.com.", TYPE_TXT), RCODE_NOERROR);
}

static void cname_in_the_zone_takes_its_target_from_the_same_message(void **state)
{
    struct lab *lab = *state;

    lab_ask(lab, "example.com.", TYPE_SOA);
    lab_reset(lab, false);
    const struct answer *answer = lab_ask(lab, "alias.example.com.", TYPE_A);
    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 2);
    assert_int_equal(answer->answer.items[0].type, TYPE_CNAME);
    assert_int_equal(answer->answer.items[1].type, TYPE_A);
    assert_int_equal(lab->upstream, 1);
    answer = lab_ask(lab, "gone.example.com.", TYPE_A);
    assert_secure(answer, RCODE_NXDOMAIN);
    assert_int_equal(answer->answer.count, 1);
    assert_int_equal(lab->upstream, 2);
    answer = lab_ask(lab, "alias.example.com.", TYPE_CNAME);
    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
}

static void cname_into_an_insecure_zone_is_insecure(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "away.example.com.", TYPE_A);

    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_false(answer->authentic);
    assert_int_equal(answer->answer.count, 2);
}

static void cname_loop_ends_in_servfail(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab_ask(lab, "loop1.example.com.", TYPE_A)->rcode, RCODE_SERVFAIL);
    assert_true(lab->upstream < 20);
}

static void dname_is_followed_and_its_cname_made_anew(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "www.tree.example.com.", TYPE_A);

    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 3);
    assert_int_equal(answer->answer.items[0].type, TYPE_DNAME);
    assert_int_equal(answer->answer.items[1].type, TYPE_CNAME);
    assert_int_equal(answer->answer.items[1].sig_count, 0);
    assert_int_equal(answer->answer.items[2].type, TYPE_A);
    answer = lab_ask(lab, "www.far.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_int_equal(answer->answer.count, 3);
}

static void dname_too_long_is_yxdomain(void **state)
{
    struct lab *lab = *state;
    char name[300] = "";

    for (unsigned i = 0; i < 3; i++)
        strcat(name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.");
    strcat(name, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.tree.long.com.");
    (void)lab;
    struct lab *other = lab_com(LAB_NSEC);
    lab_zone(other, "long.com.", LAB_NSEC,
             "tree.long.com. 300 IN DNAME "
             "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.long.com.\n");
    lab_start(other);
    const struct answer *answer = lab_ask(other, name, TYPE_A);
    assert_int_equal(answer->rcode, RCODE_YXDOMAIN);
    assert_int_equal(answer->security, SECURITY_SECURE);
    assert_false(answer->authentic);
    assert_int_equal(answer->answer.count, 1);
    lab_free(other);
}

static void unsigned_zone_is_insecure_without_extra_queries(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "www.other.com.", TYPE_A);

    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_false(answer->authentic);
    /* two referrals, the answer, DNSKEY of the root and com */
    assert_int_equal(lab->upstream, 5);
    answer = lab_ask(lab, "nothere.other.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NXDOMAIN);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_int_equal(lab->upstream, 6);
    answer = lab_ask(lab, "x.w.other.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    answer = lab_ask(lab, "www.other.com.", TYPE_AAAA);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->negative);
}

static void optout_denials_are_secure_without_ad(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "nothere.com.", TYPE_A);

    assert_int_equal(answer->rcode, RCODE_NXDOMAIN);
    assert_false(answer->authentic);
    answer = lab_ask(lab, "other.com.", TYPE_DS);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->negative);
    assert_false(answer->authentic);
}

static void ds_and_dnskey_questions_are_secure(void **state)
{
    struct lab *lab = *state;

    assert_secure(lab_ask(lab, "example.com.", TYPE_DS), RCODE_NOERROR);
    assert_secure(lab_ask(lab, "example.com.", TYPE_DNSKEY), RCODE_NOERROR);
    assert_secure(lab_ask(lab, ".", TYPE_DNSKEY), RCODE_NOERROR);
    const struct answer *answer = lab_ask(lab, ".", TYPE_DS);
    assert_secure(answer, RCODE_NOERROR);
    assert_true(answer->negative);
    answer = lab_ask(lab, "www.example.com.", TYPE_DS);
    assert_secure(answer, RCODE_NOERROR);
    assert_true(answer->negative);
}

static void dnskey_question_fetches_the_keys_once(void **state)
{
    struct lab *lab = *state;

    assert_secure(lab_ask(lab, "example.com.", TYPE_DNSKEY), RCODE_NOERROR);
    /* two referrals, the answer, DNSKEY of the root and com */
    assert_int_equal(lab->upstream, 5);
    lab_reset(lab, false);
    assert_secure(lab_ask(lab, "www.example.com.", TYPE_A), RCODE_NOERROR);
    assert_int_equal(lab->upstream, 1);
}

static void any_is_answered_by_one_set(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_ANY);

    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
}

static void names_denied_by_what_other_denials_left_cost_nothing(void **state)
{
    struct lab *lab = *state;

    assert_secure(lab_ask(lab, "nothere.example.com.", TYPE_A), RCODE_NXDOMAIN);
    unsigned before = lab->upstream;
    /* below what does not exist, and another type of it (RFC 8020) */
    assert_secure(lab_ask(lab, "a.nothere.example.com.", TYPE_A), RCODE_NXDOMAIN);
    assert_secure(lab_ask(lab, "nothere.example.com.", TYPE_MX), RCODE_NXDOMAIN);
    assert_int_equal(lab->upstream, before);
}

static void ttl_zero_is_answered_and_never_stored(void **state)
{
    struct lab *lab = *state;
    const struct answer *answer = lab_ask(lab, "zero.example.com.", TYPE_A);

    assert_secure(answer, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_int_equal(answer->ttl, 0);
    lab_reset(lab, false);
    lab_ask(lab, "zero.example.com.", TYPE_A);
    assert_int_equal(lab->upstream, 1);
}

static void questions_for_the_same_are_joined(void **state)
{
    struct lab *lab = *state;

    lab_question(lab, "www.example.com.", TYPE_A, false, 7, NULL);
    lab_question(lab, "WWW.example.com.", TYPE_A, false, 8, NULL);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 2);
    assert_int_equal(lab->upstream, 6);
    assert_int_equal(lab->verdicts[0].client, 7);
    assert_int_equal(lab->verdicts[1].client, 8);
    assert_secure(&lab->verdicts[1].answer, RCODE_NOERROR);
    struct val_stats stats;
    val_core_stats(lab->core, &stats);
    assert_int_equal(stats.joined, 1);
    assert_int_equal(stats.running_questions, 0);
}

static void zones_on_the_parents_servers_are_found_by_ds_lookups(void **state)
{
    struct lab *lab = lab_com(LAB_NSEC);
    lab_zone(lab, "co.com.", LAB_NSEC, "");
    lab_zone(lab, "secure.co.com.", LAB_NSEC3, "www.secure.co.com. 300 IN A 192.0.2.90\n");
    lab_zone(lab, "plain.co.com.", LAB_UNSIGNED, "www.plain.co.com. 300 IN A 192.0.2.91\n");
    lab_find(lab, "co.com.")->shared = true;
    lab_find(lab, "secure.co.com.")->shared = true;
    lab_find(lab, "plain.co.com.")->shared = true;
    lab_start(lab);
    assert_secure(lab_ask(lab, "www.secure.co.com.", TYPE_A), RCODE_NOERROR);
    const struct answer *answer = lab_ask(lab, "www.plain.co.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    lab_free(lab);
    (void)state;
}

static void island_anchor_makes_its_zone_secure(void **state)
{
    struct lab *lab = lab_new();
    lab_zone(lab, ".", LAB_UNSIGNED, "");
    lab_zone(lab, "com.", LAB_UNSIGNED, "www.com. 300 IN A 192.0.2.1\n");
    lab_zone(lab, "example.com.", LAB_NSEC, "www.example.com. 300 IN A 192.0.2.80\n");
    lab_anchor(lab, "example.com.");
    lab_start(lab);
    assert_secure(lab_ask(lab, "www.example.com.", TYPE_A), RCODE_NOERROR);
    const struct answer *answer = lab_ask(lab, "www.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    lab_free(lab);
    (void)state;
}

#define BOTH(test)                                                                                           \
    cmocka_unit_test_setup_teardown(test, setup_nsec, teardown),                                             \
        cmocka_unit_test_setup_teardown(test, setup_nsec3, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(secure_name_resolves_with_six_upstream_queries),
        BOTH(second_question_is_answered_from_the_cache),
        BOTH(other_name_of_a_known_zone_costs_one_query),
        BOTH(denials_are_proven_and_kept),
        BOTH(wildcard_answers_carry_their_proof),
        BOTH(cname_in_the_zone_takes_its_target_from_the_same_message),
        BOTH(cname_into_an_insecure_zone_is_insecure),
        BOTH(cname_loop_ends_in_servfail),
        BOTH(dname_is_followed_and_its_cname_made_anew),
        BOTH(dname_too_long_is_yxdomain),
        BOTH(unsigned_zone_is_insecure_without_extra_queries),
        BOTH(optout_denials_are_secure_without_ad),
        BOTH(ds_and_dnskey_questions_are_secure),
        BOTH(dnskey_question_fetches_the_keys_once),
        BOTH(any_is_answered_by_one_set),
        BOTH(names_denied_by_what_other_denials_left_cost_nothing),
        BOTH(ttl_zero_is_answered_and_never_stored),
        BOTH(questions_for_the_same_are_joined),
        cmocka_unit_test(zones_on_the_parents_servers_are_found_by_ds_lookups),
        cmocka_unit_test(island_anchor_makes_its_zone_secure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
