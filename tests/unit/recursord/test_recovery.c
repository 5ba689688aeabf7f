/* Ways out when the straight way to an answer is blocked: missing glue, parents and children that disagree,
 * servers that answer from a cache, or not at all when EDNS is used. */

#include "tests/unit/recursord/net.h"

#define ROOT "192.0.2.1"
#define COM  "192.0.2.2"
#define EX   "192.0.2.3"
#define NET  "192.0.2.4"
#define HOST "192.0.2.5"
#define DEAD "192.0.2.9"

#define REFER_COM                                                                                            \
    {                                                                                                        \
        ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. A " COM                                 \
    }

static struct net *begin(const struct rule *rules)
{
    struct rec_config config = net_config();
    return net_new(rules, &config);
}

static void missing_glue_is_asked_of_the_servers_that_referred(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "ns.example.com.", TYPE_A, NO_AA, 0, "@ A " EX, NULL, NULL},
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.example.com.", NULL},
        {EX, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, COM, "ns.example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, EX, "www.example.com.", TYPE_A), 1);
    assert_int_equal(net->asked_count, 4);
    /* and remembered */
    net_fetch_from(net, 2, "mail.example.com.", TYPE_A, "com.", COM, NULL);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, "", "ns.example.com.", 0), 1);
    net_free(net);
}

static void a_referral_with_glue_for_the_name_is_the_answer_to_that(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "ns.example.com.", TYPE_AAAA, PLAIN, 0, NULL, "example.com. NS ns.example.com.",
         "ns.example.com. AAAA 2001:db8::3"},
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.example.com.", NULL},
        {"2001:db8::3", "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 5);
    net_free(net);
}

static void a_name_server_that_the_parent_calls_an_alias_is_found_once(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "ns.example.com.", TYPE_A, PLAIN, 0, "@ CNAME ns2.example.com.", NULL, NULL},
        {COM, "ns2.example.com.", TYPE_A, PLAIN, 0, "@ A " EX, NULL, NULL},
        {COM, "ns.example.org.", TYPE_A, PLAIN, 0, "@ A " DEAD, NULL, NULL},
        {COM, "ns.turns.com.", 0, PLAIN, 0, "@ CNAME ns.turns.com.", NULL, NULL},
        {COM, "ns.leaves.com.", 0, PLAIN, 0, "@ CNAME ns.example.org.", NULL, NULL},
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.example.com.", NULL},
        {COM, "turns.com.", 0, PLAIN, 0, NULL, "turns.com. NS ns.turns.com.", NULL},
        {COM, "leaves.com.", 0, PLAIN, 0, NULL, "leaves.com. NS ns.leaves.com.", NULL},
        {EX, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    net_fetch(net, 2, "www.turns.com.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_LOOP);
    assert_in_range(net_count(net, COM, "ns.turns.com.", 0), 2, 4);
    net_fetch(net, 3, "www.leaves.com.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net->result[3].outcome, REC_DONE_LOOP);
    assert_int_equal(net_count(net, "", "ns.example.org.", 0), 0);
    net_free(net);
}

static void the_look_up_of_a_name_server_uses_the_parents_word_too(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {ROOT, "net.", 0, PLAIN, 0, NULL, "net. NS ns.net.", "ns.net. A " NET},
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.host.net.", NULL},
        {NET, "ns.host.net.", TYPE_A, PLAIN, 0, "@ A " HOST, NULL, NULL},
        {NET, "host.net.", 0, PLAIN, 0, NULL, "host.net. NS ns.host.net.", NULL},
        {HOST, "ns.host.net.", TYPE_A, PLAIN, 0, "@ A " EX, NULL, NULL},
        {HOST, "host.net.", 0, PLAIN, 0, NULL, "host.net. SOA ns.host.net.", NULL},
        {EX, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, EX, "www.example.com.", TYPE_A), 1);
    net_free(net);
}

static void when_the_childs_addresses_fail_the_parents_are_tried(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {ROOT, "net.", 0, PLAIN, 0, NULL, "net. NS ns.net.", "ns.net. A " NET},
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.host.net.", NULL},
        {NET, "host.net.", 0, PLAIN, 0, NULL, "host.net. NS ns.host.net.", "ns.host.net. A " HOST},
        {HOST, "ns.host.net.", TYPE_A, PLAIN, 0, "@ A " DEAD, NULL, NULL},
        {HOST, "host.net.", 0, PLAIN, 0, NULL, "host.net. SOA ns.host.net.", NULL},
        {HOST, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {DEAD, "com.", 0, PLAIN, RCODE_SERVFAIL, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, DEAD, "www.example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, HOST, "www.example.com.", TYPE_A), 1);
    net_free(net);
}

static void when_the_parents_addresses_fail_the_childs_are_tried(void **state)
{
    static const struct rule rules[] = {
        REFER_COM,
        {COM, "example.com.", 0, PLAIN, 0, NULL, "example.com. NS ns.host.com.", "ns.host.com. A " DEAD},
        {COM, "host.com.", 0, PLAIN, 0, NULL, "host.com. NS n.host.com.", "n.host.com. A " HOST},
        {HOST, "ns.host.com.", TYPE_A, PLAIN, 0, "@ A " EX, NULL, NULL},
        {HOST, "host.com.", 0, PLAIN, 0, NULL, "host.com. SOA n.host.com.", NULL},
        {EX, "example.com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {DEAD, "com.", 0, PLAIN, RCODE_REFUSED, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, DEAD, "www.example.com.", TYPE_A), 1);
    assert_int_equal(net_count(net, EX, "www.example.com.", TYPE_A), 1);
    net_free(net);
}

/* One server for the root and example.com., which answers for what is deepest. */
static const struct rule skips[] = {
    {ROOT, "example.com.", TYPE_DS, PLAIN, 0, NULL, "example.com. SOA ns.example.com.", NULL},
    {ROOT, "alias.com.", TYPE_DS, PLAIN, 0, "@ CNAME elsewhere.", NULL, NULL},
    REFER_COM,
    {ROOT, "flat.", TYPE_DS, PLAIN, 0, NULL, "a.flat. SOA ns.a.flat.", NULL},
    {ROOT, "flat.", 0, PLAIN, 0, NULL, ". SOA a.root.", NULL},
    {COM, "com.", TYPE_DS, PLAIN, 0, NULL, "com. SOA ns.com.", NULL},
    {0},
};

static void a_ds_answered_by_the_child_is_asked_of_the_parent_that_lies_between(void **state)
{
    struct rec_config config = net_config();
    config.minimisation = REC_MINIMISE_OFF;
    static const char *const names[] = {"example.com.", "alias.com."};
    for (unsigned i = 0; i < 2; i++) {
        struct net *net = net_new(skips, &config);
        assert_int_equal(net_resolve(net, names[i], TYPE_DS), REC_DONE_ANSWERED);
        assert_int_equal(net_count(net, ROOT, names[i], TYPE_DS), 1);
        assert_int_equal(net_count(net, ROOT, "com.", TYPE_A), 1);
        assert_int_equal(net_count(net, COM, names[i], TYPE_DS), 1);
        assert_int_equal(net->asked_count, 3);
        assert_int_equal(net_answer(net)->answers, 0);
        net_free(net);
    }
}

static void without_a_parent_between_a_ds_of_the_child_stays_unusable(void **state)
{
    struct rec_config config = net_config();
    config.minimisation = REC_MINIMISE_OFF;
    struct net *net = net_new(skips, &config);
    assert_int_equal(net_resolve(net, "a.flat.", TYPE_DS), REC_DONE_SERVFAIL);
    assert_int_equal(net_count(net, ROOT, "a.flat.", TYPE_DS), 2);
    assert_int_equal(net_count(net, ROOT, "flat.", TYPE_A), 1);
    net_free(net);
}

static void an_answer_from_a_cache_serves_when_there_is_no_other(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS a.com.; com. NS b.com.",
         "a.com. A " EX "; b.com. A " HOST},
        {EX, "com.", 0, NO_AA | RA, 0, "@ A 198.51.100.1", NULL, NULL},
        {HOST, "com.", 0, PLAIN, RCODE_SERVFAIL, NULL, NULL, NULL},
        {0},
    };
    for (uint32_t seed = 0; seed < 6; seed++) {
        struct net *net = begin(rules);
        net->seed += seed;
        assert_int_equal(net_resolve(net, "www.com.", TYPE_A), REC_DONE_ANSWERED);
        assert_int_equal(net_count(net, EX, "www.com.", TYPE_A), 1);
        assert_int_equal(net_count(net, HOST, "www.com.", TYPE_A), 1);
        assert_int_equal(net_answer(net)->answers, 1);
        net_free(net);
    }
}

static void an_answer_from_a_cache_gives_way_to_an_authoritative_one(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS a.com.; com. NS b.com.",
         "a.com. A " EX "; b.com. A " HOST},
        {EX, "com.", 0, NO_AA | RA, 0, "@ A 198.51.100.1; @ A 198.51.100.2", NULL, NULL},
        {HOST, "com.", 0, PLAIN, 0, "@ A 198.51.100.3", NULL, NULL},
        {0},
    };
    for (uint32_t seed = 0; seed < 6; seed++) {
        struct net *net = begin(rules);
        net->seed += seed;
        assert_int_equal(net_resolve(net, "www.com.", TYPE_A), REC_DONE_ANSWERED);
        assert_int_equal(net_answer(net)->answers, 1);
        net_free(net);
    }
}

static void a_server_that_drops_edns_is_asked_without_before_it_is_given_up(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, DROPS_EDNS, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "com.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    assert_true(net->asked[0].edns && net->asked[1].edns && !net->asked[2].edns);
    /* remembered for a while */
    net_fetch(net, 2, "com.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net->asked_count, 4);
    assert_false(net->asked[3].edns);
    net->now_ns += 400 * NS_PER_S;
    net_fetch(net, 3, "com.", TYPE_A);
    net_run(net, 5000);
    assert_true(net->asked[4].edns);
    assert_int_equal(net->result[3].outcome, REC_DONE_ANSWERED);
    net_free(net);
}

static void silence_says_nothing_about_edns_of_a_server_that_has_used_it(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "up.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {ROOT, "down.", 0, SILENT, 0, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "up.", TYPE_A), REC_DONE_ANSWERED);
    net_fetch(net, 2, "down.", TYPE_A);
    net_run(net, 11000);
    assert_int_equal(net->result[2].outcome, REC_DONE_UNREACHABLE);
    assert_true(net->asked_count >= 4);
    for (unsigned i = 0; i < net->asked_count; i++)
        assert_true(net->asked[i].edns);
    net_free(net);
}

static void a_guess_about_edns_does_not_stand_against_a_failed_validation(void **state)
{
    static const struct rule lossy[] = {
        {ROOT, "lost.", 0, DROPS_EDNS, 0, "@ A 198.51.100.1", NULL, NULL},
        {ROOT, "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(lossy);
    assert_int_equal(net_resolve(net, "lost.", TYPE_A), REC_DONE_ANSWERED);
    struct address root = net_address(ROOT);
    struct env env = net_env(net);
    struct rec_fetch fetch = {.id = 2,
                              .qname = (const uint8_t *)"\3com",
                              .qtype = TYPE_A,
                              .budget = budget_fresh(env.mono),
                              .avoid = &root,
                              .avoid_count = 1};
    assert_int_equal(rec_core_fetch(net->core, &env, &fetch), 0);
    net_drain(net);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_true(net->asked[net->asked_count - 1].edns);
    /* it did answer: no guess any more */
    net_fetch(net, 3, "com.", TYPE_A);
    net_run(net, 5000);
    assert_true(net->asked[net->asked_count - 1].edns);
    net_free(net);
}

static void servers_that_drop_minimised_questions_get_the_whole_one(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "www.example.com.", TYPE_MX, PLAIN, 0, "@ MX 1 mail.example.com.", NULL, NULL},
        {ROOT, "com.", 0, SILENT, 0, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.example.com.", TYPE_MX), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, ROOT, "com.", TYPE_A), 3);
    assert_int_equal(net_count(net, ROOT, "www.example.com.", TYPE_MX), 1);
    assert_int_equal(net->asked_count, 4);
    net_free(net);
}

static void yxdomain_without_a_dname_is_no_answer(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, RCODE_YXDOMAIN, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "com.", TYPE_A), REC_DONE_SERVFAIL);
    assert_null(net_answer(net));
    net_free(net);
}

static void a_malformed_reply_is_not_silence(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "bad.", 0, DAMAGED, 0, "@ A 198.51.100.1", NULL, NULL},
        {ROOT, "good.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "bad.", TYPE_A), REC_DONE_SERVFAIL);
    assert_non_null(strstr(net->result[1].ede_text, "malformed reply from 192.0.2.1"));
    assert_int_equal(net->asked_count, 2);
    assert_int_equal(net_count_tcp(net), 1);
    struct rec_server_info info;
    assert_true(rec_core_server_info(net->core, 0, &info));
    assert_int_equal(info.timeouts, 0);
    net_fetch(net, 2, "good.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_glue_is_asked_of_the_servers_that_referred),
        cmocka_unit_test(a_referral_with_glue_for_the_name_is_the_answer_to_that),
        cmocka_unit_test(a_name_server_that_the_parent_calls_an_alias_is_found_once),
        cmocka_unit_test(the_look_up_of_a_name_server_uses_the_parents_word_too),
        cmocka_unit_test(when_the_childs_addresses_fail_the_parents_are_tried),
        cmocka_unit_test(when_the_parents_addresses_fail_the_childs_are_tried),
        cmocka_unit_test(a_ds_answered_by_the_child_is_asked_of_the_parent_that_lies_between),
        cmocka_unit_test(without_a_parent_between_a_ds_of_the_child_stays_unusable),
        cmocka_unit_test(an_answer_from_a_cache_serves_when_there_is_no_other),
        cmocka_unit_test(an_answer_from_a_cache_gives_way_to_an_authoritative_one),
        cmocka_unit_test(a_server_that_drops_edns_is_asked_without_before_it_is_given_up),
        cmocka_unit_test(silence_says_nothing_about_edns_of_a_server_that_has_used_it),
        cmocka_unit_test(a_guess_about_edns_does_not_stand_against_a_failed_validation),
        cmocka_unit_test(servers_that_drop_minimised_questions_get_the_whole_one),
        cmocka_unit_test(yxdomain_without_a_dname_is_no_answer),
        cmocka_unit_test(a_malformed_reply_is_not_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
