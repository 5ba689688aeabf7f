#include "tests/unit/recursord/net.h"

#include <stdio.h>

#define ROOT "192.0.2.1"
#define COM  "192.0.2.2"

static struct net *begin(const struct rule *rules)
{
    struct rec_config config = net_config();
    return net_new(rules, &config);
}

/* THREATS: tsuNAME */
static void zones_whose_name_servers_need_each_other_end_as_a_loop(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. A " COM},
        {COM, "a.com.", 0, PLAIN, 0, NULL, "a.com. NS ns.b.com.", NULL},
        {COM, "b.com.", 0, PLAIN, 0, NULL, "b.com. NS ns.a.com.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.a.com.", TYPE_A), REC_DONE_LOOP);
    assert_in_range(net->asked_count, 1, 16);
    unsigned asked = net->asked_count;
    /* the failed look-ups are remembered: asking again at once costs one referral */
    net_fetch_from(net, 2, "www.a.com.", TYPE_A, "com.", COM, NULL);
    net_run(net, 1000);
    assert_true(net->done[2]);
    assert_in_range(net->asked_count - asked, 1, 3);
    net_free(net);
}

static void a_glueless_name_server_inside_its_own_zone_is_a_loop(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", NULL},
        {0},
    };
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.com.", TYPE_A), REC_DONE_LOOP);
    /* the referral, and whether who gave it knows an A or AAAA */
    assert_int_equal(net->asked_count, 3);
    net_free(net);
}

/* THREATS: NXNSAttack, with names inside the zone */
static void a_referral_with_many_glueless_names_inside_its_zone_costs_at_most_five_questions(void **state)
{
    static char authority[2000];
    static const struct rule rules[] = {
        {ROOT, "attack.", 0, PLAIN, 0, NULL, authority, NULL},
        {0},
    };
    size_t at = 0;
    for (unsigned i = 0; i < 40; i++)
        at += (size_t)snprintf(authority + at, sizeof(authority) - at, "%sattack. NS n%u.attack.",
                               i ? ";" : "", i);
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.attack.", TYPE_A), REC_DONE_LOOP);
    assert_int_equal(net->asked_count, 1 + 5);
    net_free(net);
}

/* THREATS: NXNSAttack */
static void a_referral_with_many_glueless_names_starts_at_most_five_look_ups(void **state)
{
    static char authority[2000];
    static const struct rule rules[] = {
        {ROOT, "victim.", 0, PLAIN, RCODE_NXDOMAIN, NULL, ". SOA a.root.", NULL},
        {ROOT, "attack.", 0, PLAIN, 0, NULL, authority, NULL},
        {0},
    };
    size_t at = 0;
    for (unsigned i = 0; i < 40; i++)
        at += (size_t)snprintf(authority + at, sizeof(authority) - at, "%sattack. NS n%u.victim.",
                               i ? ";" : "", i);
    struct net *net = begin(rules);
    assert_int_equal(net_resolve(net, "www.attack.", TYPE_A), REC_DONE_UNREACHABLE);
    struct rec_stats stats;
    rec_core_stats(net->core, &stats);
    assert_int_equal(stats.sub_fetches, 5);
    assert_in_range(net->asked_count, 6, 1 + 5 * 2);
    net_free(net);
}

/* THREATS: NRDelegation */
static void a_huge_set_of_silent_servers_is_given_up_early(void **state)
{
    static char authority[4000], additional[4000];
    static struct rule rules[32] = {{ROOT, "big.", 0, PLAIN, 0, NULL, authority, additional}};
    size_t a = 0, b = 0;
    for (unsigned i = 0; i < 26; i++) {
        a += (size_t)snprintf(authority + a, sizeof(authority) - a, "%sbig. NS n%u.big.", i ? ";" : "", i);
        b += (size_t)snprintf(additional + b, sizeof(additional) - b, "%sn%u.big. A 192.0.3.%u", i ? ";" : "",
                              i, i + 1);
    }
    struct net *net = begin(rules);
    net_fetch(net, 1, "www.big.", TYPE_A);
    net_run(net, 11000);
    assert_int_equal(net->result[1].outcome, REC_DONE_UNREACHABLE);
    assert_in_range(net->asked_count, 10, 17);
    net_free(net);
}

/* THREATS: CAMP: one budget for the fetch and all that it starts. */
static void sub_fetches_spend_the_budget_of_the_question(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS n1.net.; com. NS n2.net.; com. NS n3.net.", NULL},
        {ROOT, "net.", 0, PLAIN, 0, NULL, "net. NS n.net.", "n.net. A " COM},
        {COM, "net.", 0, PLAIN, RCODE_SERVFAIL, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    struct budget budget = budget_fresh((mono_ns){.ns = net->now_ns});
    budget.upstream_queries = 3;
    net_fetch_from(net, 1, "www.com.", TYPE_A, NULL, NULL, &budget);
    net_run(net, 10000);
    assert_int_equal(net->result[1].outcome, REC_DONE_BUDGET);
    assert_int_equal(net->asked_count, 3);
    assert_int_equal(net->result[1].upstream_used, 3);
    assert_int_equal(net->open, 0);
    net_free(net);
}

static void bytes_are_budgeted(void **state)
{
    static const struct rule rules[] = {{ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL}, {0}};
    struct net *net = begin(rules);
    struct budget budget = budget_fresh((mono_ns){.ns = net->now_ns});
    budget.bytes = 20;
    net_fetch_from(net, 1, "com.", TYPE_A, NULL, NULL, &budget);
    net_run(net, 10000);
    assert_int_equal(net->result[1].outcome, REC_DONE_BUDGET);
    assert_null(net_answer(net));
    net_free(net);
}

static void wall_time_ends_a_fetch_and_its_sub_fetches(void **state)
{
    static const struct rule rules[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS n1.net.; com. NS n2.net.", NULL},
        {ROOT, "net.", 0, SILENT, 0, NULL, NULL, NULL},
        {0},
    };
    struct net *net = begin(rules);
    struct budget budget = budget_fresh((mono_ns){.ns = net->now_ns});
    budget.deadline = mono_add_ms((mono_ns){.ns = net->now_ns}, 900);
    net_fetch_from(net, 1, "www.com.", TYPE_A, NULL, NULL, &budget);
    net_run(net, 899);
    assert_false(net->done[1]);
    net_run(net, 2);
    assert_true(net->done[1]);
    assert_int_equal(net->result[1].outcome, REC_DONE_UNREACHABLE);
    unsigned asked = net->asked_count;
    net_run(net, 10000);
    assert_int_equal(net->asked_count, asked);
    assert_int_equal(net->open, 0);
    net_free(net);
}

static const struct rule four_servers[] = {
    {"192.0.2.61", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {"192.0.2.62", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {"192.0.2.63", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {"192.0.2.64", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS a.com.; com. NS b.com.; com. NS c.com.; com. NS d.com.",
     "a.com. A 192.0.2.61; b.com. A 192.0.2.62; c.com. A 192.0.2.63; d.com. A 192.0.2.64"},
    {0},
};
static const struct rule four_silent_servers[] = {
    {"192.0.2.61", ".", 0, SILENT, 0, NULL, NULL, NULL},
    {"192.0.2.62", ".", 0, SILENT, 0, NULL, NULL, NULL},
    {"192.0.2.63", ".", 0, SILENT, 0, NULL, NULL, NULL},
    {"192.0.2.64", ".", 0, SILENT, 0, NULL, NULL, NULL},
    {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS a.com.; com. NS b.com.; com. NS c.com.; com. NS d.com.",
     "a.com. A 192.0.2.61; b.com. A 192.0.2.62; c.com. A 192.0.2.63; d.com. A 192.0.2.64"},
    {0},
};

/* In how many milliseconds does a fetch of www.com. end, which is not answered? */
static uint64_t unanswered_ms(struct net *net, uint64_t id)
{
    uint64_t begun_ns = net->now_ns;
    net_fetch(net, id, "www.com.", TYPE_A);
    while (!net->done[id] && net->now_ns - begun_ns < 20 * NS_PER_S)
        net_run(net, 10);
    assert_true(net->done[id]);
    assert_int_equal(net->result[id].outcome, REC_DONE_UNREACHABLE);
    return (net->now_ns - begun_ns) / 1000000;
}

/* Forty names, so that every server was measured. */
static struct net *begin_measured(void)
{
    struct net *net = begin(four_servers);
    for (uint64_t id = 2; id < 42; id++) {
        net_fetch(net, id, "mail.com.", TYPE_A);
        net_run(net, 5000);
        assert_int_equal(net->result[id].outcome, REC_DONE_ANSWERED);
        net->proof_count = 0;
    }
    net->asked_count = 0;
    return net;
}

static void servers_that_were_quick_are_not_waited_for_longer_than_a_client_waits(void **state)
{
    struct net *net = begin_measured();
    net->rules = four_silent_servers;
    assert_in_range(unanswered_ms(net, 1), 800, 1700); /* at least once each, 200 ms */
    for (unsigned i = 1; i < 5; i++) {
        char server[16];
        snprintf(server, sizeof(server), "192.0.2.6%u", i);
        assert_true(net_count(net, server, "", 0) > 0);
    }
    /* and when all of them are known to be down */
    assert_in_range(unanswered_ms(net, 43), 200, 1700);
    net_free(net);
}

static void servers_of_which_nothing_is_known_are_waited_for(void **state)
{
    struct net *net = begin(four_silent_servers);
    assert_in_range(unanswered_ms(net, 1), 4000, 6000);
    net_free(net);
}

static void a_server_of_which_nothing_is_known_is_asked_when_the_others_are_silent(void **state)
{
    struct net *net = begin_measured();
    static const struct rule rules[] = {
        {"192.0.2.61", ".", 0, SILENT, 0, NULL, NULL, NULL},
        {"192.0.2.65", "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS a.com.; com. NS e.com.",
         "a.com. A 192.0.2.61; e.com. A 192.0.2.65"},
        {0},
    };
    net->rules = rules;
    net_fetch(net, 1, "www.com.", TYPE_A);
    net_run(net, 10000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    net_free(net);
}

static void a_chain_of_glueless_zones_ends_at_the_depth_limit(void **state)
{
    static char authority[20][64], at[20][16];
    static struct rule rules[32];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(at[i], sizeof(at[i]), "z%u.", i);
        snprintf(authority[i], sizeof(authority[i]), "z%u. NS n.z%u.", i, i + 1);
        rules[i] = (struct rule){ROOT, at[i], 0, PLAIN, 0, NULL, authority[i], NULL};
    }
    struct net *net = begin(rules);
    assert_int_not_equal(net_resolve(net, "www.z0.", TYPE_A), REC_DONE_ANSWERED);
    struct rec_stats stats;
    rec_core_stats(net->core, &stats);
    assert_in_range(stats.sub_fetches, 3, 24);
    net_free(net);
}

static void cancel_closes_every_exchange_and_says_done_once(void **state)
{
    static const struct rule rules[] = {{ROOT, ".", 0, SILENT, 0, NULL, NULL, NULL}, {0}};
    struct net *net = begin(rules);
    net_fetch(net, 1, "www.com.", TYPE_A);
    assert_int_equal(net->open, 1);
    struct env env = net_env(net);
    rec_core_cancel(net->core, &env, 1);
    rec_core_cancel(net->core, &env, 1);
    net_drain(net);
    assert_int_equal(net->open, 0);
    assert_int_equal(net->result[1].outcome, REC_DONE_CANCELLED);
    net_free(net);
}

static void an_id_in_use_is_refused(void **state)
{
    static const struct rule rules[] = {{ROOT, ".", 0, SILENT, 0, NULL, NULL, NULL}, {0}};
    struct net *net = begin(rules);
    net_fetch(net, 1, "www.com.", TYPE_A);
    struct env env = net_env(net);
    struct rec_fetch again = {
        .id = 1, .qname = (const uint8_t *)"\1a", .qtype = TYPE_A, .budget = budget_fresh(env.mono)};
    assert_true(rec_core_fetch(net->core, &env, &again) < 0);
    net_free(net);
}

static void thousands_of_fetches_at_once_are_capped_and_all_end(void **state)
{
    static const struct rule rules[] = {{0}};
    struct net *net = begin(rules);
    unsigned refused = 0, done = 0;
    struct rec_action action;
    for (uint64_t id = 1; id <= 5000; id++) {
        struct env env = net_env(net);
        struct rec_fetch fetch = {
            .id = id, .qname = (const uint8_t *)"\1a\1b", .qtype = TYPE_A, .budget = budget_fresh(env.mono)};
        assert_int_equal(rec_core_fetch(net->core, &env, &fetch), 0);
        while (rec_core_next_action(net->core, &action))
            refused += action.kind == REC_ACTION_DONE;
    }
    assert_int_equal(refused, 5000 - 4096);
    while (rec_core_deadline(net->core).ns != UINT64_MAX) {
        net->now_ns = MAX(net->now_ns, rec_core_deadline(net->core).ns);
        struct env env = net_env(net);
        rec_core_tick(net->core, &env);
        while (rec_core_next_action(net->core, &action))
            done += action.kind == REC_ACTION_DONE;
    }
    assert_int_equal(done, 4096);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_whose_name_servers_need_each_other_end_as_a_loop),
        cmocka_unit_test(a_glueless_name_server_inside_its_own_zone_is_a_loop),
        cmocka_unit_test(a_referral_with_many_glueless_names_inside_its_zone_costs_at_most_five_questions),
        cmocka_unit_test(a_referral_with_many_glueless_names_starts_at_most_five_look_ups),
        cmocka_unit_test(a_huge_set_of_silent_servers_is_given_up_early),
        cmocka_unit_test(sub_fetches_spend_the_budget_of_the_question),
        cmocka_unit_test(bytes_are_budgeted),
        cmocka_unit_test(wall_time_ends_a_fetch_and_its_sub_fetches),
        cmocka_unit_test(servers_that_were_quick_are_not_waited_for_longer_than_a_client_waits),
        cmocka_unit_test(servers_of_which_nothing_is_known_are_waited_for),
        cmocka_unit_test(a_server_of_which_nothing_is_known_is_asked_when_the_others_are_silent),
        cmocka_unit_test(a_chain_of_glueless_zones_ends_at_the_depth_limit),
        cmocka_unit_test(cancel_closes_every_exchange_and_says_done_once),
        cmocka_unit_test(an_id_in_use_is_refused),
        cmocka_unit_test(thousands_of_fetches_at_once_are_capped_and_all_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
