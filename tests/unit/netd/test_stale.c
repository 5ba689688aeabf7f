/* When stale and continued data is given, how, and what the counters are told. RFC 8767, DESIGN 5. */

#include "tests/unit/netd/fixture.h"

#define FAR_AHEAD 1800900000u

static const uint8_t address4[] = {192, 0, 2, 80};

static void put_stale(struct fixture *f, uint16_t type)
{
    struct rrset set = set_of(f, "www.example.", type, 300, address4, 4, 1, 1, FAR_AHEAD);
    cache_put(f, &set, 1000, 300);
}

/* The cache's memory of a failure, back_off_s from now; < 0: over for so long. */
static void put_failure(struct fixture *f, uint16_t ede, const char *text, int64_t back_off_s)
{
    struct cache_neg neg = {.kind = CACHE_NEG_FAILURE,
                            .security = SECURITY_BOGUS,
                            .failures = 1,
                            .stored = {.s = f->env.wall.s - 1000},
                            .expires = {.s = f->env.wall.s + back_off_s},
                            .ede_count = 1,
                            .ede = {{.code = ede, .text_size = (uint16_t)strlen(text)}}};
    struct cache_write write = {.db = CACHE_NEG};
    struct cache_key key;
    memcpy(neg.ede[0].text, text, strlen(text));
    assert_int_equal(cache_key_failure(name_of(f, "www.example."), TYPE_A, &key), 0);
    write.key = cache_key_slice(&key);
    assert_int_equal(cache_neg_encode(f->arena, write.key, &neg, &write.value), 0);
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
}

static bool has_text(const struct fixture *f, uint16_t code, const char *text)
{
    for (unsigned i = 0; i < f->message.edns.ede_count; i++)
        if (f->message.edns.ede[i].code == code && f->message.edns.ede[i].text_size == strlen(text) &&
            memcmp(f->message.edns.ede[i].text, text, strlen(text)) == 0)
            return true;
    return false;
}

static enum netd_outcome cached(struct fixture *f, uint32_t *ret_keep_s, struct netd_told *ret_told)
{
    bool refresh;
    enum netd_outcome outcome =
        netd_core_cache(&f->config, f->arena, &f->env, &f->view, &f->question, f->reply, sizeof(f->reply),
                        &f->size, &refresh, ret_keep_s, ret_told);
    if (outcome == NETD_REPLY)
        parse_reply(f);
    return outcome;
}

static enum netd_outcome timed_out(struct fixture *f, bool final, uint16_t ede, struct netd_told *ret_told)
{
    enum netd_outcome outcome =
        netd_core_timeout(&f->config, f->arena, &f->env, &f->view, &f->question, final, ede, "the reason",
                          f->reply, sizeof(f->reply), &f->size, ret_told);
    if (outcome == NETD_REPLY)
        parse_reply(f);
    return outcome;
}

static void a_remembered_failure_is_told_as_it_was_and_stale_data_stands_before_it(void **state)
{
    FIXTURE(f);
    struct netd_told told;
    uint32_t keep_s;
    put_failure(f, EDE_DNSSEC_BOGUS, "www.example. A: no valid signature by key tag 4711", 20);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_int_equal(cached(f, &keep_s, &told), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_SERVFAIL);
    assert_true(has_text(f, EDE_DNSSEC_BOGUS, "www.example. A: no valid signature by key tag 4711"));
    assert_int_equal(told.kind, NETD_FAILED);
    assert_int_equal(told.ede, EDE_DNSSEC_BOGUS);
    assert_int_equal(keep_s, NETD_KEEP_STALE_S);
    put_stale(f, TYPE_A);
    assert_int_equal(cached(f, &keep_s, &told), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_NOERROR);
    assert_true(has_ede(&f->message, EDE_STALE_ANSWER));
    assert_true(has_text(f, EDE_DNSSEC_BOGUS, "www.example. A: no valid signature by key tag 4711"));
    assert_int_equal(told.kind, NETD_STALE);
    assert_int_equal(keep_s, NETD_KEEP_STALE_S);
}

static void without_rd_nothing_stale_is_given(void **state)
{
    FIXTURE(f);
    struct netd_told told;
    uint32_t keep_s;
    put_stale(f, TYPE_A);
    put_failure(f, EDE_DNSSEC_BOGUS, "", 20);
    f->client.bytes[3] = 99;
    ask(f, "www.example.", TYPE_A, 0, 0);
    assert_int_equal(cached(f, &keep_s, &told), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_SERVFAIL);
    assert_int_equal(timed_out(f, true, EDE_NETWORK_ERROR, &told), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_SERVFAIL);
    assert_int_equal(told.kind, NETD_FAILED);
}

static void at_the_client_timer_nothing_has_failed_yet(void **state)
{
    FIXTURE(f);
    struct netd_told told;
    put_stale(f, TYPE_A);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_int_equal(timed_out(f, false, EDE_NONE, &told), NETD_REPLY);
    assert_true(has_text(f, EDE_STALE_ANSWER, "no fresh answer within the client response timer"));
    assert_false(has_ede(&f->message, EDE_NO_REACHABLE_AUTHORITY));
    assert_int_equal(f->message.edns.ede_count, 1);
}

static void a_cause_of_before_tells_more_than_that_time_ran_out(void **state)
{
    FIXTURE(f);
    struct netd_told told;
    put_failure(f, EDE_SIGNATURE_EXPIRED, "example. DNSKEY: signature expired", -299);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_int_equal(timed_out(f, true, EDE_NO_REACHABLE_AUTHORITY, &told), NETD_REPLY);
    assert_true(has_text(f, EDE_SIGNATURE_EXPIRED, "example. DNSKEY: signature expired"));
    assert_false(has_ede(&f->message, EDE_NO_REACHABLE_AUTHORITY));
    assert_int_equal(told.ede, EDE_SIGNATURE_EXPIRED);
    put_failure(f, EDE_SIGNATURE_EXPIRED, "", -301); /* of another time */
    assert_int_equal(timed_out(f, true, EDE_NO_REACHABLE_AUTHORITY, &told), NETD_REPLY);
    assert_false(has_ede(&f->message, EDE_SIGNATURE_EXPIRED));
    assert_true(has_text(f, EDE_NO_REACHABLE_AUTHORITY, "the reason"));
}

static void cd_waits_where_others_get_stale_data_at_once(void **state)
{
    FIXTURE(f);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_false(netd_core_waits(&f->question));
    ask(f, "www.example.", TYPE_A, FLAG_RD | FLAG_CD, 0);
    assert_true(netd_core_waits(&f->question));
}

static void what_rests_on_a_kept_link_is_fresh_for_the_answer_ttl(void **state)
{
    static const char why[] = "example.: DS kept for 3600 s; de. NSEC3: no valid signature";
    FIXTURE(f);
    struct netd_told told;
    uint32_t keep_s;
    struct answer answer = {.rcode = RCODE_NOERROR,
                            .security = SECURITY_SECURE,
                            .authentic = true,
                            .continued = true,
                            .ttl = 300};
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 1, 1, FAR_AHEAD);
    assert_int_equal(rrset_list_add(f->arena, &answer.answer, &set), 0);
    answer_add_ede(&answer, EDE_STALE_ANSWER, why, sizeof(why) - 1);
    ask(f, "www.example.", TYPE_A, FLAG_RD, EDNS_FLAG_DO);
    netd_core_verdict(&f->config, f->arena, &f->env, &f->question, &answer, f->reply, sizeof(f->reply),
                      &f->size, &keep_s, &told);
    parse_reply(f);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 30);
    assert_true(f->message.flags & FLAG_AD);
    assert_true(has_text(f, EDE_STALE_ANSWER, why));
    assert_int_equal(told.kind, NETD_CONTINUED);
    assert_int_equal(keep_s, NETD_KEEP_STALE_S); /* it must not outlive the incident */
}

static void stale_data_is_given_where_the_closest_zone_says_so(void **state)
{
    FIXTURE(f);
    struct netd_told told;
    const uint8_t *const off[] = {name_of(f, "example.")};
    put_stale(f, TYPE_A);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    f->config.stale.disabled_zones = off;
    f->config.stale.disabled_zone_count = 1;
    assert_int_equal(timed_out(f, false, EDE_NONE, &told), NETD_RESOLVE);
    f->config.stale.disabled_zone_count = 0;
    assert_int_equal(timed_out(f, false, EDE_NONE, &told), NETD_REPLY);
}

static void the_text_of_an_ede_goes_before_data_does(void **state)
{
    FIXTURE(f);
    struct answer answer = {
        .rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .authentic = true, .stale = true, .ttl = 0};
    char text[ANSWER_EDE_TEXT];
    uint32_t keep_s;
    memset(text, 'x', sizeof(text));
    struct rrset set = set_of(f, "www.example.", TYPE_A, 0, address4, 4, 27, 0, FAR_AHEAD);
    assert_int_equal(rrset_list_add(f->arena, &answer.answer, &set), 0);
    answer_add_ede(&answer, EDE_DNSSEC_BOGUS, text, sizeof(text));
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    f->question.reply_room = 512; /* header and question 29, 27 addresses 432, OPT with two codes 23 */
    netd_core_verdict(&f->config, f->arena, &f->env, &f->question, &answer, f->reply, sizeof(f->reply),
                      &f->size, &keep_s, NULL);
    parse_reply(f);
    assert_false(f->message.flags & FLAG_TC);
    assert_int_equal(f->message.count[SECTION_ANSWER], 27);
    assert_true(has_ede(&f->message, EDE_STALE_ANSWER));
    assert_true(has_text(f, EDE_DNSSEC_BOGUS, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_remembered_failure_is_told_as_it_was_and_stale_data_stands_before_it),
        cmocka_unit_test(without_rd_nothing_stale_is_given),
        cmocka_unit_test(at_the_client_timer_nothing_has_failed_yet),
        cmocka_unit_test(a_cause_of_before_tells_more_than_that_time_ran_out),
        cmocka_unit_test(cd_waits_where_others_get_stale_data_at_once),
        cmocka_unit_test(what_rests_on_a_kept_link_is_fresh_for_the_answer_ttl),
        cmocka_unit_test(stale_data_is_given_where_the_closest_zone_says_so),
        cmocka_unit_test(the_text_of_an_ede_goes_before_data_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
