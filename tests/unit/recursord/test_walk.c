#include "tests/unit/recursord/net.h"

#define ROOT "192.0.2.1"
#define COM  "192.0.2.2"
#define EX   "192.0.2.3"
#define EX2  "192.0.2.4"
#define NET  "192.0.2.5"
#define HOST "192.0.2.6"

#define REFER_COM                                                                                            \
    {                                                                                                        \
        ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. A " COM                                 \
    }
#define REFER_EX                                                                                             \
    {                                                                                                        \
        COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.example.com.", "ns.example.com. A " EX   \
    }

static const struct rule plain[] = {
    REFER_COM,
    REFER_EX,
    {EX, "www.example.com.", TYPE_A, PLAIN, 0, "@ A 198.51.100.1", "example.com. NS evil.example.com.",
     "evil.example.com. A 203.0.113.1"},
    {EX, "alias.example.com.", 0, PLAIN, 0, "@ CNAME www.example.net.", NULL, NULL},
    {EX, "old.example.com.", 0, PLAIN, 0, "old.example.com. DNAME new.example.net.", NULL, NULL},
    {EX, "gone.example.com.", 0, PLAIN, RCODE_NXDOMAIN, NULL, "example.com. SOA ns.example.com.", NULL},
    {EX, "example.com.", 0, PLAIN, 0, NULL, "example.com. SOA ns.example.com.", NULL},
    {COM, "com.", 0, PLAIN, 0, NULL, "com. SOA ns.com.", NULL},
    {ROOT, ".", 0, PLAIN, RCODE_NXDOMAIN, NULL, ". SOA a.root.", NULL},
    {0},
};

static struct net *begin(const struct rule *rules)
{
    struct rec_config config = net_config();
    return net_new(rules, &config);
}

static void three_labels_take_three_questions_each_with_one_label_more(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    assert_int_equal(net_count(net, ROOT, "com.", TYPE_A), 1);
    assert_int_equal(net_count(net, COM, "example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, EX, "www.example.com.", TYPE_A), 1);
    assert_true(net_has_referral(net, "."));
    assert_true(net_has_referral(net, "com."));
    const struct proof *answer = net_answer(net);
    assert_non_null(answer);
    assert_int_equal(answer->answers, 1);
    assert_int_equal(net->result[1].upstream_used, 3);
    assert_true(net->asked[0].edns);
    assert_int_equal(net->asked[0].flags & FLAG_RD, 0);
    net_free(net);
}

static void a_minimised_question_hides_the_type_until_the_zone_is_reached(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_TXT), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "", "", TYPE_TXT), 1);
    assert_int_equal(net_count(net, EX, "www.example.com.", TYPE_TXT), 1);
    net_free(net);
}

static void without_minimisation_every_server_sees_the_whole_name(void **state)
{
    struct rec_config config = net_config();
    config.minimisation = REC_MINIMISE_OFF;
    struct net *net = net_new(plain, &config);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "", "www.example.com.", TYPE_A), 3);
    net_free(net);
}

static void the_cut_of_validatord_saves_the_way_down(void **state)
{
    struct net *net = begin(plain);
    net_fetch_from(net, 1, "www.example.com.", TYPE_A, "example.com.", EX, NULL);
    net_run(net, 10000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 1);
    uint8_t zone[NAME_MAX];
    name_from_text("example.com.", zone);
    assert_true(name_equal(net_answer(net)->cut, zone));
    net_free(net);
}

static void labels_inside_one_zone_are_asked_one_by_one(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        REFER_EX,
        {EX, "a.b.c.example.com.", TYPE_A, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {EX, "example.com.", 0, PLAIN, 0, NULL, "example.com. SOA ns.example.com.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.b.c.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, EX, "c.example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, EX, "b.c.example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, EX, "a.b.c.example.com.", TYPE_A), 1);
    assert_int_equal(net_answer(net)->answers, 1);
    net_free(net);
}

static void a_name_of_many_labels_takes_at_most_ten_minimised_steps(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.ip6.arpa.", TYPE_PTR, PLAIN,
         0, "@ PTR host.example.", NULL, NULL},
        {ROOT, ".", 0, PLAIN, 0, NULL, ". SOA a.root.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, rules[0].at, TYPE_PTR), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->answers, 1);
    assert_in_range(net->asked_count, 5, 11);
    net_free(net);
}

static void relaxed_asks_the_whole_name_where_a_server_denies_the_parent(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "a.ent.", TYPE_TXT, PLAIN, 0, "@ TXT here", NULL, NULL},
        {ROOT, "ent.", 0, PLAIN, RCODE_NXDOMAIN, NULL, ". SOA a.root.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.ent.", TYPE_TXT), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->rcode, RCODE_NOERROR);
    assert_int_equal(net->asked_count, 2);
    net_free(net);
}

static void strict_ends_at_the_denied_ancestor(void **state)
{
    struct rec_config config = net_config();
    config.minimisation = REC_MINIMISE_STRICT;
    struct net *net = net_new(plain, &config);
    assert_int_equal(net_resolve(net, "a.b.nowhere.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->rcode, RCODE_NXDOMAIN);
    assert_int_equal(net->asked_count, 1);
    net_free(net);
}

static void a_server_that_chokes_on_a_minimised_name_gets_the_whole_one(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "a.b.", TYPE_TXT, PLAIN, 0, "@ TXT here", NULL, NULL},
        {ROOT, "b.", TYPE_A, PLAIN, RCODE_REFUSED, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.b.", TYPE_TXT), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 2);
    net_free(net);
}

static void a_cname_is_evidence_and_is_not_followed(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "alias.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->answers, 1);
    assert_int_equal(net_count(net, "", "www.example.net.", 0), 0);
    net_free(net);
}

static void a_dname_above_the_question_is_evidence(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "x.old.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->answers, 1);
    assert_int_equal(net_count(net, EX, "x.old.example.com.", TYPE_A), 1);
    net_free(net);
}

static void nodata_and_nxdomain_are_answers(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "gone.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->rcode, RCODE_NXDOMAIN);
    net_free(net);
    net = begin(plain);
    assert_int_equal(net_resolve(net, "empty.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->rcode, RCODE_NOERROR);
    net_free(net);
}

static void ds_is_asked_at_the_parent(void **state)
{
    struct net *net = begin(plain);
    assert_int_equal(net_resolve(net, "example.com.", TYPE_DS), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, COM, "example.com.", TYPE_DS), 1);
    assert_int_equal(net_count(net, EX, "", 0), 0);
    net_free(net);
}

static void ds_denied_by_the_child_is_lame(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "example.com.", TYPE_DS, PLAIN, 0, NULL, "example.com. SOA ns.example.com.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "example.com.", TYPE_DS), REC_DONE_SERVFAIL);
    net_free(net);
}

static void ns_beside_an_answer_is_never_used(void **state)
{
    struct net *net = begin(plain);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_run(net, 5000);
    net_fetch(net, 2, "www.example.com.", TYPE_TXT);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "203.0.113.1", "", 0), 0);
    net_free(net);
}

static const struct rule glueless[] = {
    REFER_COM,
    {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.host.net.", "ns.host.net. A 203.0.113.66"},
    {ROOT, "net.", 0, PLAIN, 0, NULL, "net. NS ns.net.", "ns.net. A " NET},
    {NET, "host.net.", 0, PLAIN, 0, NULL, "host.net. NS ns1.host.net.", "ns1.host.net. A " HOST},
    {HOST, "ns.host.net.", TYPE_A, PLAIN, 0, "@ A " EX, NULL, NULL},
    {HOST, "host.net.", 0, PLAIN, 0, NULL, "host.net. SOA ns1.host.net.", NULL},
    {EX, "www.example.com.", TYPE_A, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {EX, "mail.example.com.", TYPE_A, PLAIN, 0, "@ A 198.51.100.2", NULL, NULL},
    {0},
};

static void glue_out_of_bailiwick_is_ignored_and_looked_up_instead(void **state)
{
    struct net *net = begin(glueless);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "203.0.113.66", "", 0), 0);
    assert_int_equal(net_count(net, HOST, "ns.host.net.", TYPE_A), 1);
    assert_int_equal(net_count(net, "", "", TYPE_AAAA), 0); /* one address is enough */
    assert_int_equal(net->asked_count, 6);
    net_free(net);
}

static void an_address_once_looked_up_is_remembered(void **state)
{
    struct net *net = begin(glueless);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_run(net, 5000);
    net_fetch_from(net, 2, "mail.example.com.", TYPE_A, "com.", COM, NULL);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "", "ns.host.net.", 0), 1);
    net_free(net);
}

static void the_same_sub_fetch_of_two_fetches_is_one(void **state)
{
    struct net *net = begin(glueless);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_fetch(net, 2, "mail.example.com.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "", "ns.host.net.", 0), 1);
    net_free(net);
}

static void a_shared_sub_fetch_outlives_the_fetch_that_began_it(void **state)
{
    struct net *net = begin(glueless);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_fetch(net, 2, "mail.example.com.", TYPE_A);
    net_run(net, 35); /* both wait for ns.host.net by now */
    struct env env = net_env(net);
    rec_core_cancel(net->core, &env, 1);
    net_drain(net);
    net_run(net, 5000);
    assert_int_equal(net->result[1].outcome, REC_DONE_CANCELLED);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net->open, 0);
    net_free(net);
}

static void fetches_of_one_zone_share_the_look_up_of_one_of_its_servers(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS a.host.com.; example.com. NS b.host.com.",
         NULL},
        {COM, "host.com.", TYPE_A, PLAIN, 0, "@ A " EX, NULL, NULL},
        {EX, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    for (uint32_t seed = 0; seed < 6; seed++) {
        struct net *net = begin(rules);
        net->seed += seed;
        net_fetch(net, 1, "www.example.com.", TYPE_A);
        net_fetch(net, 2, "mail.example.com.", TYPE_A);
        net_fetch(net, 3, "ftp.example.com.", TYPE_A);
        net_run(net, 5000);
        assert_int_equal(net_count(net, COM, "a.host.com.", 0) + net_count(net, COM, "b.host.com.", 0), 1);
        net_free(net);
    }
}

static void a_look_up_starts_at_the_deepest_cut_on_its_way_that_has_an_address(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.a.host.com.", NULL},
        {COM, "other.com.", 0, PLAIN, 0, NULL, "other.com. NS ns.b.host.com.", NULL},
        {COM, "host.com.", 0, PLAIN, 0, NULL, "host.com. NS ns.host.com.", "ns.host.com. A " HOST},
        {HOST, "host.com.", 0, PLAIN, 0, "@ A " EX, NULL, NULL},
        {EX, "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    net_fetch(net, 2, "www.other.com.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    /* com., other.com. and its server's two labels at the host's: nothing at the root or com. again */
    assert_int_equal(net_count(net, COM, "host.com.", 0), 1);
    assert_int_equal(net_count(net, ROOT, "com.", 0), 2);
    assert_int_equal(net_count(net, HOST, "ns.b.host.com.", TYPE_A), 1);
    net_free(net);
}

static void a_referral_that_a_sub_fetch_got_is_evidence_for_the_next_fetch_unasked(void **state)
{
    struct net *net = begin(glueless);
    net_fetch(net, 1, "www.example.com.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net_count(net, ROOT, "net.", 0), 1);
    unsigned proofs = net->proof_count;
    net_fetch(net, 2, "host.net.", TYPE_TXT);
    net_run(net, 1000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, ROOT, "net.", 0), 1);
    assert_int_equal(net_count(net, HOST, "host.net.", TYPE_TXT), 1);
    /* both referrals and the answer */
    assert_int_equal(net->proof_count - proofs, 3);
    assert_int_equal(net->proofs[proofs].kind, REC_EVIDENCE_REFERRAL);
    assert_true(name_is_root(net->proofs[proofs].cut));
    /* but it is not for long, and the DS of a zone is its parent's */
    net_fetch(net, 3, "host.net.", TYPE_DS);
    net_run(net, 500);
    assert_int_equal(net_count(net, NET, "host.net.", TYPE_DS), 1);
    net_run(net, 10000);
    net_fetch(net, 4, "host.net.", TYPE_TXT);
    net_run(net, 1000);
    assert_int_equal(net_count(net, ROOT, "net.", 0), 2);
    net_free(net);
}

static void an_ipv6_only_name_server_is_found(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.other.com.", NULL},
        {COM, "ns.other.com.", TYPE_AAAA, PLAIN, 0, "@ AAAA 2001:db8::3", NULL, NULL},
        {COM, "com.", 0, PLAIN, 0, NULL, "com. SOA ns.com.", NULL},
        {"2001:db8::3", "www.example.com.", TYPE_A, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "2001:db8::3", "www.example.com.", TYPE_A), 1);
    net_free(net);
}

static void with_ipv6_off_no_ipv6_server_is_asked(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. AAAA 2001:db8::2; ns.com. A " COM},
        {COM, "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct rec_config config = net_config();
    config.ipv6 = false;
    struct net *net = net_new(rules, &config);
    assert_int_equal(net_resolve(net, "a.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, COM, "", 0), 1);
    assert_int_equal(net_count(net, "2001:db8::2", "", 0), 0);
    net_free(net);
}

static void never_query_keeps_its_servers_unasked(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. A 10.0.0.1; ns.com. A " COM},
        {COM, "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {"10.0.0.1", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    static const struct prefix ten = {.family = 4, .length = 8, .bytes = {10}};
    struct rec_config config = net_config();
    config.never_query = &ten;
    config.never_query_count = 1;
    for (unsigned i = 0; i < 8; i++) {
        struct net *net = net_new(rules, &config);
        net->seed += i;
        assert_int_equal(net_resolve(net, "a.com.", TYPE_A), REC_DONE_ANSWERED);
        assert_int_equal(net_count(net, "10.0.0.1", "", 0), 0);
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_labels_take_three_questions_each_with_one_label_more),
        cmocka_unit_test(a_minimised_question_hides_the_type_until_the_zone_is_reached),
        cmocka_unit_test(without_minimisation_every_server_sees_the_whole_name),
        cmocka_unit_test(the_cut_of_validatord_saves_the_way_down),
        cmocka_unit_test(labels_inside_one_zone_are_asked_one_by_one),
        cmocka_unit_test(a_name_of_many_labels_takes_at_most_ten_minimised_steps),
        cmocka_unit_test(relaxed_asks_the_whole_name_where_a_server_denies_the_parent),
        cmocka_unit_test(strict_ends_at_the_denied_ancestor),
        cmocka_unit_test(a_server_that_chokes_on_a_minimised_name_gets_the_whole_one),
        cmocka_unit_test(a_cname_is_evidence_and_is_not_followed),
        cmocka_unit_test(a_dname_above_the_question_is_evidence),
        cmocka_unit_test(nodata_and_nxdomain_are_answers),
        cmocka_unit_test(ds_is_asked_at_the_parent),
        cmocka_unit_test(ds_denied_by_the_child_is_lame),
        cmocka_unit_test(ns_beside_an_answer_is_never_used),
        cmocka_unit_test(glue_out_of_bailiwick_is_ignored_and_looked_up_instead),
        cmocka_unit_test(an_address_once_looked_up_is_remembered),
        cmocka_unit_test(the_same_sub_fetch_of_two_fetches_is_one),
        cmocka_unit_test(a_shared_sub_fetch_outlives_the_fetch_that_began_it),
        cmocka_unit_test(fetches_of_one_zone_share_the_look_up_of_one_of_its_servers),
        cmocka_unit_test(a_look_up_starts_at_the_deepest_cut_on_its_way_that_has_an_address),
        cmocka_unit_test(a_referral_that_a_sub_fetch_got_is_evidence_for_the_next_fetch_unasked),
        cmocka_unit_test(an_ipv6_only_name_server_is_found),
        cmocka_unit_test(with_ipv6_off_no_ipv6_server_is_asked),
        cmocka_unit_test(never_query_keeps_its_servers_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
