#include "tests/unit/recursord/net.h"

#define ROOT "192.0.2.1"
#define FWD  "192.0.2.7"
#define STUB "192.0.2.8"
#define COM  "192.0.2.2"

static const struct rule rules[] = {
    {FWD, "corp.", TYPE_A, NO_AA | RA, 0, "@ CNAME b.corp.; b.corp. A 198.51.100.1", NULL, NULL},
    {FWD, "corp.", 0, NO_AA | RA, RCODE_SERVFAIL, NULL, NULL, NULL},
    {STUB, "sub.lab.", 0, PLAIN, 0, NULL, "sub.lab. NS n.sub.lab.", "n.sub.lab. A " COM},
    {STUB, "lab.", TYPE_A, PLAIN, 0, "@ A 198.51.100.2", NULL, NULL},
    {COM, "sub.lab.", 0, PLAIN, 0, "@ A 198.51.100.3", NULL, NULL},
    {ROOT, ".", TYPE_NS, PLAIN, 0, ". NS a.root.; . NS b.root.", NULL, "b.root. A 192.0.2.9"},
    {"192.0.2.9", ".", 0, PLAIN, 0, "@ A 198.51.100.9", NULL, NULL},
    {ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.4", NULL, NULL},
    {0},
};

/* Zone number 0 forwards corp., number 1 is the stub lab. */
static struct rec_config configured(bool first)
{
    static struct address forward, stub;
    static struct rec_zone_servers zones[2];
    forward = net_address(FWD);
    stub = net_address(STUB);
    stub.port = 5353;
    zones[0] = (struct rec_zone_servers){.to = &forward, .count = 1, .forward = true, .first = first};
    zones[1] = (struct rec_zone_servers){.to = &stub, .count = 1};
    name_from_text("corp.", zones[0].zone);
    name_from_text("lab.", zones[1].zone);
    struct rec_config config = net_config();
    config.zones = zones;
    config.zone_count = 2;
    return config;
}

static void a_forward_zone_is_asked_recursively_and_unchecked(void **state)
{
    struct rec_config config = configured(false);
    struct net *net = net_new(rules, &config);
    assert_int_equal(net_resolve(net, "a.b.c.corp.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 1);
    assert_int_equal(net->asked[0].flags & (FLAG_RD | FLAG_CD), FLAG_RD | FLAG_CD);
    assert_true(net->asked[0].edns);
    assert_true(net_answer(net)->forwarded);
    uint8_t zone[NAME_MAX];
    name_from_text("corp.", zone);
    assert_true(name_equal(net_answer(net)->cut, zone));
    net_free(net);
}

static void the_ds_of_a_forward_zone_is_its_parents(void **state)
{
    struct rec_config config = configured(false);
    struct net *net = net_new(rules, &config);
    net_fetch(net, 1, "corp.", TYPE_DS);
    net_run(net, 20000);
    assert_int_equal(net_count(net, FWD, "", 0), 0);
    assert_int_equal(net_count(net, ROOT, "corp.", TYPE_DS), 1);
    net_free(net);
}

static void a_silent_forwarder_ends_the_question_unless_first(void **state)
{
    static const struct rule silent[] = {
        {FWD, ".", 0, SILENT, 0, NULL, NULL, NULL},
        {ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.4", NULL, NULL},
        {0},
    };
    struct rec_config config = configured(false);
    struct net *net = net_new(silent, &config);
    assert_int_equal(net_resolve(net, "a.corp.", TYPE_A), REC_DONE_UNREACHABLE);
    assert_int_equal(net_count(net, ROOT, "", 0), 0);
    net_free(net);
    config = configured(true);
    net = net_new(silent, &config);
    assert_int_equal(net_resolve(net, "a.corp.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, FWD, "", 0), 3);
    assert_false(net_answer(net)->forwarded);
    net_free(net);
}

static void first_does_not_fall_back_on_a_forwarders_servfail(void **state)
{
    struct rec_config config = configured(true);
    struct net *net = net_new(rules, &config);
    assert_int_equal(net_resolve(net, "a.corp.", TYPE_TXT), REC_DONE_SERVFAIL);
    assert_int_equal(net_count(net, ROOT, "", 0), 0);
    net_free(net);
}

static void a_stub_zone_starts_at_its_servers_and_follows_their_referrals(void **state)
{
    struct rec_config config = configured(false);
    struct net *net = net_new(rules, &config);
    assert_int_equal(net_resolve(net, "a.sub.lab.", TYPE_A), REC_DONE_ANSWERED);
    assert_int_equal(net_count(net, ROOT, "", 0), 0);
    assert_int_equal(net->asked[0].server.port, 5353);
    assert_int_equal(net->asked[0].flags & FLAG_RD, 0);
    assert_int_equal(net_count(net, COM, "a.sub.lab.", TYPE_A), 1);
    assert_true(net_has_referral(net, "lab."));
    net_free(net);
}

static void a_cut_below_a_stub_zone_is_used_one_above_is_not(void **state)
{
    struct rec_config config = configured(false);
    struct net *net = net_new(rules, &config);
    net_fetch_from(net, 1, "a.sub.lab.", TYPE_A, "sub.lab.", COM, NULL);
    net_run(net, 2000);
    assert_int_equal(net_count(net, STUB, "", 0), 0);
    net_fetch_from(net, 2, "a.lab.", TYPE_A, ".", ROOT, NULL);
    net_run(net, 2000);
    assert_int_equal(net_count(net, STUB, "a.lab.", 0), 1);
    net_free(net);
}

static void a_forwarder_is_exempt_from_never_query(void **state)
{
    static const struct prefix all = {.family = 4, .length = 0};
    struct rec_config config = configured(false);
    config.never_query = &all;
    config.never_query_count = 1;
    struct net *net = net_new(rules, &config);
    assert_int_equal(net_resolve(net, "a.corp.", TYPE_A), REC_DONE_ANSWERED);
    net_free(net);
}

static void priming_happens_at_once_and_again_at_the_end_of_its_ttl(void **state)
{
    struct rec_config config = net_config();
    config.priming = true;
    struct net *net = net_new(rules, &config);
    net_run(net, 100);
    assert_int_equal(net->primed, 1);
    assert_int_equal(net_count(net, ROOT, ".", TYPE_NS), 1);
    net_run(net, 3500000);
    assert_int_equal(net->primed, 1);
    net_run(net, 200000);
    assert_int_equal(net->primed, 2);
    net_free(net);
}

static void the_primed_servers_are_used_with_the_hints_addresses_where_they_lack(void **state)
{
    struct rec_config config = net_config();
    config.priming = true;
    struct net *net = net_new(rules, &config);
    net_run(net, 100);
    for (uint64_t id = 1; id < 30; id++) {
        net_fetch(net, id, "com.", TYPE_A);
        net_run(net, 200);
        assert_int_equal(net->result[id].outcome, REC_DONE_ANSWERED);
    }
    assert_true(net_count(net, "192.0.2.9", "com.", 0) > 0); /* only the priming response names it */
    assert_true(net_count(net, ROOT, "com.", 0) > 0);        /* only the hints have its address */
    net_free(net);
}

static void priming_that_fails_is_tried_again_and_the_hints_serve(void **state)
{
    static const struct rule silent[] = {
        {ROOT, ".", TYPE_NS, SILENT, 0, NULL, NULL, NULL},
        {ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.4", NULL, NULL},
        {0},
    };
    struct rec_config config = net_config();
    config.priming = true;
    struct net *net = net_new(silent, &config);
    net_run(net, 5000);
    assert_int_equal(net_count(net, ROOT, ".", TYPE_NS), 3);
    net_fetch(net, 1, "com.", TYPE_A);
    net_run(net, 500);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    net_run(net, 20000);
    assert_true(net_count(net, ROOT, ".", TYPE_NS) > 3);
    net_free(net);
}

static void a_new_configuration_leaves_running_fetches_theirs(void **state)
{
    struct rec_config config = configured(false), plain = net_config();
    struct net *net = net_new(rules, &config);
    net_fetch(net, 1, "a.corp.", TYPE_A);
    assert_int_equal(rec_core_configure(net->core, &plain), 0);
    net_run(net, 1000);
    assert_true(net_answer(net)->forwarded);
    net_fetch(net, 2, "a.corp.", TYPE_A);
    net_run(net, 1000);
    assert_int_equal(net->result[2].outcome, REC_DONE_ANSWERED);
    assert_true(net_count(net, ROOT, "", 0) > 0);
    net_free(net);
}

static void a_given_cut_that_is_dead_is_replaced_from_the_top(void **state)
{
    static const struct rule moved[] = {
        {ROOT, "com.", 0, PLAIN, 0, NULL, "com. NS ns.com.", "ns.com. A " COM},
        {COM, "com.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {"192.0.2.77", "com.", 0, PLAIN, RCODE_REFUSED, NULL, NULL, NULL},
        {0},
    };
    struct rec_config config = net_config();
    struct net *net = net_new(moved, &config);
    net_fetch_from(net, 1, "www.com.", TYPE_A, "com.", "192.0.2.77", NULL);
    net_run(net, 5000);
    assert_int_equal(net->result[1].outcome, REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 3);
    net_free(net);
}

static void servers_to_avoid_are_asked_last(void **state)
{
    static const struct rule two[] = {
        {ROOT, ".", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
        {"192.0.2.9", ".", 0, PLAIN, 0, "@ A 198.51.100.2", NULL, NULL},
        {0},
    };
    struct address both[2] = {net_address(ROOT), net_address("192.0.2.9")};
    struct rec_hint hint = {.addresses = both, .count = 2};
    name_from_text("a.root.", hint.name);
    struct rec_config config = net_config();
    config.hints = &hint;
    struct net *net = net_new(two, &config);
    for (uint64_t id = 1; id < 40; id++) {
        struct env env = net_env(net);
        struct rec_fetch fetch = {.id = id,
                                  .qname = (const uint8_t *)"\1a",
                                  .qtype = TYPE_A,
                                  .budget = budget_fresh(env.mono),
                                  .avoid = both,
                                  .avoid_count = 1};
        rec_core_fetch(net->core, &env, &fetch);
        net_drain(net);
        net_run(net, 100);
        assert_true(net->done[id]);
    }
    assert_int_equal(net_count(net, ROOT, "", 0), 0);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forward_zone_is_asked_recursively_and_unchecked),
        cmocka_unit_test(the_ds_of_a_forward_zone_is_its_parents),
        cmocka_unit_test(a_silent_forwarder_ends_the_question_unless_first),
        cmocka_unit_test(first_does_not_fall_back_on_a_forwarders_servfail),
        cmocka_unit_test(a_stub_zone_starts_at_its_servers_and_follows_their_referrals),
        cmocka_unit_test(a_cut_below_a_stub_zone_is_used_one_above_is_not),
        cmocka_unit_test(a_forwarder_is_exempt_from_never_query),
        cmocka_unit_test(priming_happens_at_once_and_again_at_the_end_of_its_ttl),
        cmocka_unit_test(the_primed_servers_are_used_with_the_hints_addresses_where_they_lack),
        cmocka_unit_test(priming_that_fails_is_tried_again_and_the_hints_serve),
        cmocka_unit_test(a_new_configuration_leaves_running_fetches_theirs),
        cmocka_unit_test(a_given_cut_that_is_dead_is_replaced_from_the_top),
        cmocka_unit_test(servers_to_avoid_are_asked_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
