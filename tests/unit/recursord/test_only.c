/* A fetch addressed to one server and transport: what a probe asks by. */

#include "tests/unit/recursord/net.h"

#define ROOT  "192.0.2.1"
#define GOOD  "192.0.2.2"
#define OTHER "192.0.2.3"
#define DEAD  "192.0.2.4"
#define LONG  "192.0.2.5"
#define STUB  "192.0.2.8"

static const struct rule rules[] = {
    {GOOD, "sub.org.", TYPE_DS, PLAIN, 0, "@ TXT \"a\"", NULL, NULL},
    {GOOD, "sub.org.", 0, PLAIN, 0, NULL, "sub.org. NS ns.sub.org.", "ns.sub.org. A 192.0.2.9"},
    {GOOD, "org.", 0, PLAIN, 0, "@ A 198.51.100.1", NULL, NULL},
    {OTHER, "org.", 0, PLAIN, RCODE_REFUSED, NULL, NULL, NULL},
    {DEAD, "org.", 0, SILENT, 0, NULL, NULL, NULL},
    {LONG, "org.", 0, TRUNCATE, 0, "@ A 198.51.100.2", NULL, NULL},
    {STUB, "lab.", 0, PLAIN, 0, "@ A 198.51.100.3", NULL, NULL},
    {0},
};

static enum rec_outcome ask(struct net *net, const char *server, enum rec_transport transport,
                            const char *qname, uint16_t qtype, const char *zone)
{
    struct env env = net_env(net);
    struct address only = net_address(server);
    uint8_t name[NAME_MAX], cut[NAME_MAX];
    assert_int_equal(name_from_text(qname, name), 0);
    assert_int_equal(name_from_text(zone, cut), 0);
    only.port = 0;
    struct rec_fetch fetch = {.id = 1,
                              .qname = name,
                              .qtype = qtype,
                              .cut = cut,
                              .budget = budget_fresh(env.mono),
                              .only = &only,
                              .only_transport = transport};
    assert_int_equal(rec_core_fetch(net->core, &env, &fetch), 0);
    net_drain(net);
    net_run(net, 30000);
    assert_true(net->done[1]);
    return net->result[1].outcome;
}

static void it_asks_that_server_alone_for_the_whole_name(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, GOOD, REC_UDP, "a.b.c.org.", TYPE_A, "org."), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 1);
    assert_int_equal(net_count(net, GOOD, "a.b.c.org.", TYPE_A), 1);
    assert_int_equal(net_count_tcp(net), 0);
    net_free(net);
}

static void it_asks_over_tcp_when_told(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, GOOD, REC_TCP, "org.", TYPE_A, "org."), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 1);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void a_truncated_reply_over_udp_is_asked_for_over_tcp(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, LONG, REC_UDP, "org.", TYPE_A, "org."), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 2);
    assert_int_equal(net_count_tcp(net), 1);
    net_free(net);
}

static void it_follows_no_referral(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, GOOD, REC_UDP, "www.sub.org.", TYPE_A, "org."), REC_DONE_ANSWERED);
    assert_int_equal(net->asked_count, 1);
    assert_int_equal(net_answer(net)->answers, 0);
    net_free(net);
}

static void a_server_that_refuses_ends_it(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, OTHER, REC_UDP, "a.org.", TYPE_A, "org."), REC_DONE_SERVFAIL);
    assert_int_equal(net->asked_count, 1);
    net_free(net);
}

static void a_silent_server_ends_it_after_three_tries(void **state)
{
    struct rec_config config = net_config();
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, DEAD, REC_UDP, "a.org.", TYPE_A, "org."), REC_DONE_UNREACHABLE);
    assert_true(net->asked_count <= 3);
    assert_int_equal(net_count(net, DEAD, "", 0), net->asked_count);
    net_free(net);
}

static void an_address_that_is_never_asked_is_not_asked_this_way_either(void **state)
{
    struct rec_config config = net_config();
    struct prefix prefix = {.family = 4, .length = 24, .bytes = {192, 0, 2}};
    config.never_query = &prefix;
    config.never_query_count = 1;
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, GOOD, REC_UDP, "a.org.", TYPE_A, "org."), REC_DONE_UNREACHABLE);
    assert_int_equal(net->asked_count, 0);
    net_free(net);
}

static void the_server_of_a_stub_zone_is_asked_at_its_port(void **state)
{
    struct rec_config config = net_config();
    struct address stub = net_address(STUB);
    struct prefix prefix = {.family = 4, .length = 24, .bytes = {192, 0, 2}};
    stub.port = 5353;
    struct rec_zone_servers zone = {.to = &stub, .count = 1};
    name_from_text("lab.", zone.zone);
    config.zones = &zone;
    config.zone_count = 1;
    config.never_query = &prefix;
    config.never_query_count = 1;
    struct net *net = net_new(rules, &config);
    assert_int_equal(ask(net, STUB, REC_UDP, "a.lab.", TYPE_A, "lab."), REC_DONE_ANSWERED);
    assert_int_equal(net->asked[0].server.port, 5353);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_asks_that_server_alone_for_the_whole_name),
        cmocka_unit_test(it_asks_over_tcp_when_told),
        cmocka_unit_test(a_truncated_reply_over_udp_is_asked_for_over_tcp),
        cmocka_unit_test(it_follows_no_referral),
        cmocka_unit_test(a_server_that_refuses_ends_it),
        cmocka_unit_test(a_silent_server_ends_it_after_three_tries),
        cmocka_unit_test(an_address_that_is_never_asked_is_not_asked_this_way_either),
        cmocka_unit_test(the_server_of_a_stub_zone_is_asked_at_its_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
