#include "tests/unit/recursord/net.h"

#define ROOT "192.0.2.1"
#define ONE  "192.0.2.2"
#define TWO  "192.0.2.3"

/* A zone "x." of one or two servers under the root: what its first server does is the test's. */
#define REFER_ONE                                                                                            \
    {                                                                                                        \
        ROOT, "x.", 0, PLAIN, 0, NULL, "x. NS n1.x.", "n1.x. A " ONE                                         \
    }
#define REFER_TWO                                                                                            \
    {                                                                                                        \
        ROOT, "x.", 0, PLAIN, 0, NULL, "x. NS n1.x.; x. NS n2.x.", "n1.x. A " ONE "; n2.x. A " TWO           \
    }
#define GOOD(server)                                                                                         \
    {                                                                                                        \
        server, "x.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL                                            \
    }

static struct net *begin(const struct rule *rules)
{
    struct rec_config config = net_config();
    return net_new(rules, &config);
}

/* One server with a quirk answers a name below x. over both transports. Returns the net after the fetch. */
static struct net *with_quirk(unsigned quirks, enum rec_outcome expected)
{
    const struct rule rules[] = {
        REFER_ONE,
        {ONE, "x.", 0, quirks, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "abcdefghijkl.x.", TYPE_A), expected);
    net->rules = NULL;
    return net;
}

static void truncation_moves_the_question_to_tcp(void **state)
{
    struct net *net = with_quirk(TRUNCATE, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    assert_int_equal(net_answer(net)->answers, 1);
    net_free(net);
}

static void truncation_in_the_middle_of_a_record_moves_it_too(void **state)
{
    struct net *net = with_quirk(CUT_SHORT, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void a_wrong_id_moves_the_question_to_tcp(void **state)
{
    struct net *net = with_quirk(WRONG_ID, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    assert_int_equal(net->asked_count, 3);
    struct rec_stats stats;
    rec_core_stats(net->core, &stats);
    assert_int_equal(stats.mismatches, 1);
    net_free(net);
}

static void a_reply_in_another_case_is_asked_again_over_tcp(void **state)
{
    struct net *net = with_quirk(LOWER_CASE, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void a_server_that_changes_case_over_tcp_too_is_asked_in_lower_case_from_then_on(void **state)
{
    static const struct rule rules[] = {
        REFER_ONE,
        {ONE, "x.", 0, LOWER_CASE | LOWER_CASE_TCP, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    net_fetch(net, 1, "abcdefghijklmnop.x.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net_count_tcp(net), 1);
    net_fetch_from(net, 2, "qrstuvwxyzqrstuv.x.", TYPE_A, "x.", ONE, NULL);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void case_is_mixed(void **state)
{
    static const struct rule rules[] = {
        GOOD(ROOT), {ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL}, {0}};
    struct net *net = begin(rules);
    net_fetch(net, 1, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz.", TYPE_A);
    net_run(net, 1000);
    unsigned upper = 0;
    for (unsigned i = 1; i <= 52; i++)
        upper += net->asked[0].qname[i] < 'a';
    assert_in_range(upper, 10, 42);
    net_free(net);
}

static void malformed_and_foreign_packets_do_not_end_the_wait(void **state)
{
    struct net *net = with_quirk(GARBAGE_FIRST, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 2);
    assert_int_equal(net_answer(net)->answers, 1);
    net_free(net);
}

static void a_reply_with_a_foreign_client_cookie_is_not_believed(void **state)
{
    struct net *net = with_quirk(FOREIGN_COOKIE, REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->rcode, RCODE_NOERROR);
    assert_int_equal(net->asked_count, 2);
    net_free(net);
}

static void formerr_to_edns_is_asked_again_without_and_remembered(void **state)
{
    static const struct rule rules[] = {
        REFER_ONE,
        {ONE, "x.", 0, NO_EDNS, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    net_fetch(net, 1, "a.x.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    assert_false(net->asked[2].edns);
    net_fetch_from(net, 2, "b.x.", TYPE_A, "x.", ONE, NULL);
    net_run(net, 5000);
    assert_int_equal(net->asked_count, 4);
    assert_false(net->asked[3].edns);
    struct env env = net_env(net);
    rec_core_cancel_all(net->core, &env);
    net->now_ns += 1000 * NS_PER_S; /* after a quarter of an hour EDNS gets another chance */
    net_fetch_from(net, 3, "c.x.", TYPE_A, "x.", ONE, NULL);
    assert_true(net->asked[4].edns);
    net_run(net, 5000);
    net_free(net);
}

static void a_bare_formerr_header_is_understood(void **state)
{
    struct net *net = with_quirk(BARE_FORMERR, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    assert_false(net->asked[2].edns);
    net_free(net);
}

static void badcookie_is_asked_again_with_the_new_cookie(void **state)
{
    struct net *net = with_quirk(BAD_COOKIE, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    assert_true(net->asked[2].has_server_cookie);
    assert_int_equal(net_count_tcp(net), 0);
    net_free(net);
}

static void a_reply_without_the_cookie_a_server_is_known_to_send_goes_to_tcp(void **state)
{
    static const struct rule rules[] = {
        REFER_ONE,
        {ONE, "x.", 0, FORGETS_COOKIE, 0, "@ A 198.51.100.1", NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    net_fetch(net, 1, "a.x.", TYPE_A);
    net_run(net, 5000);
    assert_int_equal(net_count_tcp(net), 0);
    net_fetch_from(net, 2, "b.x.", TYPE_A, "x.", ONE, NULL);
    net_run(net, 5000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void a_closed_tcp_connection_is_tried_thrice_at_most(void **state)
{
    struct net *net = with_quirk(TRUNCATE | CLOSES_TCP, REC_DONE_UNREACHABLE);
    assert_in_range(net_count_tcp(net), 1, 3);
    net_free(net);
}

static void silence_is_retried_thrice_with_growing_pauses(void **state)
{
    struct net *net = with_quirk(SILENT, REC_DONE_UNREACHABLE);
    assert_int_equal(net_count(net, ONE, "", 0), 3);
    assert_true(net->asked[2].at_ms - net->asked[1].at_ms < net->asked[3].at_ms - net->asked[2].at_ms);
    assert_int_equal(net->result[1].ede_code, EDE_NO_REACHABLE_AUTHORITY);
    assert_string_equal(net->result[1].ede_text, "x.: no reply from its servers, last asked " ONE);
    net_free(net);
}

static void the_next_server_answers_when_one_is_silent(void **state)
{
    static const struct rule rules[] = {
        REFER_TWO,
        {ONE, "x.", 0, SILENT, 0, NULL, NULL, NULL},
        GOOD(TWO),
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.x.", TYPE_A), REC_DONE_ANSWERED);
    assert_in_range(net_count(net, ONE, "", 0), 0, 1);
    /* and is then preferred */
    for (uint64_t id = 2; id < 8; id++) {
        net_fetch(net, id, "b.x.", TYPE_A);
        net_run(net, 5000);
        assert_int_equal(net->result[id].outcome, REC_DONE_ANSWERED);
    }
    assert_true(net_count(net, TWO, "", 0) > net_count(net, ONE, "", 0));
    net_free(net);
}

static void a_server_found_silent_three_times_is_down_and_asked_last(void **state)
{
    static const struct rule rules[] = {
        REFER_TWO,
        {ONE, "x.", 0, SILENT, 0, NULL, NULL, NULL},
        GOOD(TWO),
        {0},
    };
    struct net *net = begin(rules);
    net_fetch_from(net, 1, "a.x.", TYPE_A, "x.", ONE, NULL);
    net_run(net, 3000);
    struct rec_server_info info;
    size_t index = 0;
    struct address one = net_address(ONE);
    while (rec_core_server_info(net->core, index, &info) && !address_equal(&info.address, &one))
        index++;
    assert_true(info.down_until.ns > net->now_ns);
    unsigned before = net_count(net, ONE, "", 0);
    net_fetch(net, 2, "b.x.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, ONE, "", 0), before);
    struct env env = net_env(net);
    rec_core_cancel_all(net->core, &env);
    net_drain(net);
    rec_core_forget_servers(net->core, NULL);
    assert_false(rec_core_server_info(net->core, 0, &info));
    net_free(net);
}

static void a_host_without_route_costs_no_budget_and_says_network_error(void **state)
{
    struct net *net = with_quirk(UNREACHABLE, REC_DONE_UNREACHABLE);
    assert_int_equal(net->result[1].ede_code, EDE_NETWORK_ERROR);
    assert_int_equal(net->result[1].upstream_used, 1);
    net_free(net);
}

static void a_broken_server_gives_way(unsigned quirks, uint16_t rcode, const char *answer,
                                      const char *authority)
{
    const struct rule rules[] = {
        REFER_TWO,
        {ONE, "x.", 0, quirks, rcode, answer, authority, NULL},
        GOOD(TWO),
        {0},
    };
    for (uint32_t seed = 0; seed < 6; seed++) {
        struct net *net = begin(rules);
        net->seed += seed;
        assert_int_equal(net_resolve(net, "a.x.", TYPE_A), REC_DONE_ANSWERED);
        assert_int_equal(net_answer(net)->answers, 1);
        assert_in_range(net_count(net, ONE, "", 0), 0, 1);
        net_free(net);
    }
}

static void refused_servfail_and_notimp_go_to_the_next_server(void **state)
{
    a_broken_server_gives_way(PLAIN, RCODE_REFUSED, NULL, NULL);
    a_broken_server_gives_way(PLAIN, RCODE_SERVFAIL, NULL, NULL);
}

static void an_upward_referral_is_lame(void **state)
{
    a_broken_server_gives_way(PLAIN, 0, NULL, ". NS a.root.");
}

static void a_sideways_referral_is_lame(void **state)
{
    a_broken_server_gives_way(PLAIN, 0, NULL, "y. NS n.y.");
}

static void a_referral_to_the_same_zone_is_lame(void **state)
{
    a_broken_server_gives_way(PLAIN, 0, NULL, "x. NS n1.x.");
}

static void an_empty_reply_out_of_a_cache_is_lame(void **state)
{
    a_broken_server_gives_way(NO_AA | RA, 0, NULL, NULL);
}

static void an_empty_reply_without_soa_is_nodata(void **state)
{
    static const struct rule rules[] = {REFER_ONE, {ONE, "x.", 0, NO_AA, 0, NULL, NULL, NULL}, {0}};
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.x.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->answers, 0);
    net_free(net);
}

static void an_answer_out_of_a_cache_is_lame(void **state)
{
    a_broken_server_gives_way(NO_AA | RA, 0, "@ A 203.0.113.1; @ A 203.0.113.2", NULL);
}

static void nodata_of_a_zone_above_is_lame(void **state)
{
    a_broken_server_gives_way(PLAIN, 0, NULL, ". SOA a.root.");
}

static void an_answer_without_aa_still_counts(void **state)
{
    struct net *net = with_quirk(NO_AA, REC_DONE_ANSWERED);
    assert_int_equal(net_answer(net)->answers, 1);
    net_free(net);
}

static void a_zone_all_of_whose_servers_refuse_says_so(void **state)
{
    static const struct rule rules[] = {
        REFER_ONE,
        {ONE, "x.", 0, PLAIN, RCODE_REFUSED, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "a.x.", TYPE_A), REC_DONE_SERVFAIL);
    assert_int_equal(net->asked_count, 2);
    assert_string_equal(net->result[1].ede_text,
                        "x.: REFUSED from " ONE ", no usable answer from any server");
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncation_moves_the_question_to_tcp),
        cmocka_unit_test(truncation_in_the_middle_of_a_record_moves_it_too),
        cmocka_unit_test(a_wrong_id_moves_the_question_to_tcp),
        cmocka_unit_test(a_reply_in_another_case_is_asked_again_over_tcp),
        cmocka_unit_test(a_server_that_changes_case_over_tcp_too_is_asked_in_lower_case_from_then_on),
        cmocka_unit_test(case_is_mixed),
        cmocka_unit_test(malformed_and_foreign_packets_do_not_end_the_wait),
        cmocka_unit_test(a_reply_with_a_foreign_client_cookie_is_not_believed),
        cmocka_unit_test(formerr_to_edns_is_asked_again_without_and_remembered),
        cmocka_unit_test(a_bare_formerr_header_is_understood),
        cmocka_unit_test(badcookie_is_asked_again_with_the_new_cookie),
        cmocka_unit_test(a_reply_without_the_cookie_a_server_is_known_to_send_goes_to_tcp),
        cmocka_unit_test(a_closed_tcp_connection_is_tried_thrice_at_most),
        cmocka_unit_test(silence_is_retried_thrice_with_growing_pauses),
        cmocka_unit_test(the_next_server_answers_when_one_is_silent),
        cmocka_unit_test(a_server_found_silent_three_times_is_down_and_asked_last),
        cmocka_unit_test(a_host_without_route_costs_no_budget_and_says_network_error),
        cmocka_unit_test(refused_servfail_and_notimp_go_to_the_next_server),
        cmocka_unit_test(an_upward_referral_is_lame),
        cmocka_unit_test(a_sideways_referral_is_lame),
        cmocka_unit_test(a_referral_to_the_same_zone_is_lame),
        cmocka_unit_test(an_empty_reply_out_of_a_cache_is_lame),
        cmocka_unit_test(an_empty_reply_without_soa_is_nodata),
        cmocka_unit_test(an_answer_out_of_a_cache_is_lame),
        cmocka_unit_test(nodata_of_a_zone_above_is_lame),
        cmocka_unit_test(an_answer_without_aa_still_counts),
        cmocka_unit_test(a_zone_all_of_whose_servers_refuse_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
