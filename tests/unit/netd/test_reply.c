/* netd's core, steps 2 and 3: replies from the cache and from verdicts, stale data, ANY, and kept replies
 * patched. */
#include "tests/unit/netd/fixture.h"

#include "common/wire/build.h"

static const uint8_t address4[4] = {192, 0, 2, 1};
#define FAR_AHEAD 1800900000u

/* An answer to the fixture's question: one A set, a wildcard's proof beside it. */
static struct answer positive(struct fixture *f, uint16_t count)
{
    struct answer answer = {
        .rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .authentic = true, .ttl = 300};
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, count, 1, FAR_AHEAD);
    struct rrset proof =
        set_of(f, "w.example.", TYPE_NSEC, 300, "\1x\7example\0\0\1\100", 14, 1, 1, FAR_AHEAD);
    rrset_list_add(f->arena, &answer.answer, &set);
    rrset_list_add(f->arena, &answer.authority, &proof);
    return answer;
}

static struct answer negative(struct fixture *f, uint16_t rcode)
{
    static const uint8_t soa[] = "\2ns\7example\0\4host\7example\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1";
    struct answer answer = {
        .rcode = rcode, .security = SECURITY_SECURE, .authentic = true, .negative = true, .ttl = 300};
    struct rrset set = set_of(f, "example.", TYPE_SOA, 300, soa, sizeof(soa) - 1, 1, 1, FAR_AHEAD);
    struct rrset proof =
        set_of(f, "w.example.", TYPE_NSEC, 300, "\1x\7example\0\0\1\100", 14, 1, 1, FAR_AHEAD);
    rrset_list_add(f->arena, &answer.authority, &set);
    rrset_list_add(f->arena, &answer.authority, &proof);
    return answer;
}

static uint32_t verdict(struct fixture *f, const struct answer *answer)
{
    uint32_t keep_s = 0;
    assert_int_equal(netd_core_verdict(&f->config, f->arena, &f->env, &f->question, answer, f->reply,
                                       sizeof(f->reply), &f->size, &keep_s, NULL),
                     NETD_REPLY);
    parse_reply(f);
    return keep_s;
}

static enum netd_outcome cached(struct fixture *f, bool *ret_refresh, uint32_t *ret_keep_s)
{
    enum netd_outcome outcome =
        netd_core_cache(&f->config, f->arena, &f->env, &f->view, &f->question, f->reply, sizeof(f->reply),
                        &f->size, ret_refresh, ret_keep_s, NULL);
    if (outcome == NETD_REPLY)
        parse_reply(f);
    return outcome;
}

static void ad_needs_ad_or_do_and_an_authentic_answer(void **state)
{
    FIXTURE(f);
    for (unsigned n = 0; n < 32; n++) {
        bool ad = n & 1, cd = n & 2, want_do = n & 4, authentic = n & 8, secure = n & 16;
        ask(f, "www.example.", TYPE_A, (uint16_t)(FLAG_RD | (ad ? FLAG_AD : 0) | (cd ? FLAG_CD : 0)),
            want_do ? EDNS_FLAG_DO : 0);
        struct answer answer = positive(f, 1);
        answer.authentic = authentic;
        answer.security = secure ? SECURITY_SECURE : SECURITY_INSECURE;
        verdict(f, &answer);
        assert_int_equal((f->message.flags & FLAG_AD) != 0, (ad || want_do) && authentic && secure);
        assert_int_equal((f->message.flags & FLAG_CD) != 0, cd);
        assert_true(f->message.flags & FLAG_RA);
        assert_true(f->message.flags & FLAG_RD);
        assert_false(f->message.flags & (FLAG_AA | FLAG_TC));
        assert_int_equal((f->message.edns.flags & EDNS_FLAG_DO) != 0, want_do);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), 1);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_RRSIG), want_do ? 1 : 0);
        assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_NSEC), want_do ? 1 : 0);
    }
}

static void dnssec_types_asked_for_by_name_come_without_do(void **state)
{
    FIXTURE(f);
    static const uint16_t types[] = {TYPE_NSEC, TYPE_DS, TYPE_DNSKEY};
    static const uint8_t data[] = "\1x\7example\0\0\1\100";
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        ask(f, "www.example.", types[i], FLAG_RD, -1);
        struct answer answer = {.rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .ttl = 300};
        struct rrset set = set_of(f, "www.example.", types[i], 300, data, 14, 1, 1, FAR_AHEAD);
        rrset_list_add(f->arena, &answer.answer, &set);
        verdict(f, &answer);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, types[i]), 1);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_RRSIG), 0);
    }
}

static void negative_answers_keep_the_soa_and_the_proof_only_with_do(void **state)
{
    FIXTURE(f);
    for (unsigned want_do = 0; want_do < 2; want_do++) {
        ask(f, "www.example.", TYPE_A, FLAG_RD, want_do ? EDNS_FLAG_DO : 0);
        struct answer answer = negative(f, RCODE_NXDOMAIN);
        verdict(f, &answer);
        assert_int_equal(f->message.rcode, RCODE_NXDOMAIN);
        assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_SOA), 1);
        assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_NSEC), want_do);
        assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_RRSIG), want_do * 2);
    }
}

static void the_case_of_the_question_is_echoed(void **state)
{
    FIXTURE(f);
    ask(f, "wWw.eXAmple.", TYPE_A, FLAG_RD, -1);
    struct answer answer = positive(f, 1);
    verdict(f, &answer);
    assert_memory_equal(f->reply + 12, "\3wWw\7eXAmple", 13);
    assert_int_equal(f->reply[12 + 13 + 4], 0xc0); /* the answer's owner points there */
}

static void no_opt_to_clients_without_edns_and_so_no_ede(void **state)
{
    FIXTURE(f);
    for (int edns = -1; edns < 1; edns++) {
        ask(f, "www.example.", TYPE_A, FLAG_RD, edns);
        struct answer answer = {.rcode = RCODE_SERVFAIL, .security = SECURITY_BOGUS};
        answer_add_ede(&answer, EDE_DNSSEC_BOGUS, "why", 3);
        verdict(f, &answer);
        assert_int_equal(f->message.rcode, RCODE_SERVFAIL);
        assert_int_equal(f->message.edns.present, edns == 0);
        assert_int_equal(has_ede(&f->message, EDE_DNSSEC_BOGUS), edns == 0);
    }
}

static void bogus_data_never_passes_without_cd(void **state)
{
    FIXTURE(f);
    for (unsigned cd = 0; cd < 2; cd++) {
        ask(f, "www.example.", TYPE_A, (uint16_t)(FLAG_RD | (cd ? FLAG_CD : 0)), EDNS_FLAG_DO);
        struct answer answer = positive(f, 1);
        answer.security = SECURITY_BOGUS;
        answer.authentic = false;
        verdict(f, &answer);
        assert_int_equal(f->message.rcode, cd ? RCODE_NOERROR : RCODE_SERVFAIL);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), cd);
        assert_false(f->message.flags & FLAG_AD);
    }
}

static void an_answer_too_big_is_cut_to_whole_rrsets_with_tc(void **state)
{
    FIXTURE(f);
    for (uint16_t count = 1; count < 120; count++) {
        arena_reset(f->arena);
        f->random.left = RANDOM_POOL_BYTES;
        ask(f, "www.example.", TYPE_A, FLAG_RD, count & 1 ? (int)EDNS_FLAG_DO : -1);
        struct answer answer = positive(f, count);
        verdict(f, &answer);
        assert_true(f->size <= f->question.reply_room);
        unsigned got = count_type(&f->message, SECTION_ANSWER, TYPE_A);
        assert_true(got == count || (got == 0 && (f->message.flags & FLAG_TC)));
        if (got == count && !(count & 1))
            assert_false(f->message.flags & FLAG_TC);
    }
    /* and whole over TCP */
    struct packet p = packet_make("www.example.", TYPE_A, FLAG_RD);
    assert_int_equal(receive(f, &p, NETD_TCP), NETD_CACHE);
    struct answer answer = positive(f, 119);
    verdict(f, &answer);
    assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), 119);
    assert_false(f->message.flags & FLAG_TC);
}

static void the_order_of_addresses_changes_from_reply_to_reply(void **state)
{
    FIXTURE(f);
    bool first[4] = {0};
    ask(f, "www.example.", TYPE_A, FLAG_RD, -1);
    for (unsigned n = 0; n < 64; n++) {
        struct answer answer = positive(f, 4);
        verdict(f, &answer);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), 4);
        first[f->message.rr[SECTION_ANSWER][0].rdata.data[3] - 1] = true;
    }
    assert_true(first[0] && first[1] && first[2] && first[3]);
}

static void ttls_are_capped(void **state)
{
    FIXTURE(f);
    f->config.max_ttl_s = 100;
    ask(f, "www.example.", TYPE_A, FLAG_RD, -1);
    struct answer answer = positive(f, 1);
    assert_int_equal(verdict(f, &answer), 100);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 100);
}

static void a_hit_is_answered_with_the_time_left_and_a_miss_is_resolved(void **state)
{
    FIXTURE(f);
    bool refresh = true;
    uint32_t keep_s = 0;
    ask(f, "www.example.", TYPE_A, FLAG_RD, -1);
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_RESOLVE);
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 2, 1, FAR_AHEAD);
    cache_put(f, &set, 100, 300);
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_REPLY);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 200);
    assert_int_equal(keep_s, 200);
    assert_false(refresh);
}

static void a_hit_in_the_last_tenth_of_its_life_asks_for_a_refresh(void **state)
{
    FIXTURE(f);
    bool refresh = false;
    uint32_t keep_s = 0;
    ask(f, "www.example.", TYPE_A, FLAG_RD, -1);
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 2, 1, FAR_AHEAD);
    cache_put(f, &set, 271, 300);
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_REPLY);
    assert_true(refresh);
    f->config.prefetch = false;
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_REPLY);
    assert_false(refresh);
}

static void without_rd_a_miss_is_answered_from_what_there_is(void **state)
{
    FIXTURE(f);
    bool refresh = true;
    uint32_t keep_s = 1;
    f->client.bytes[3] = 99;
    ask(f, "www.example.", TYPE_A, 0, -1);
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_NOERROR);
    assert_int_equal(f->message.count[SECTION_ANSWER], 0);
    assert_false(f->message.flags & (FLAG_RD | FLAG_AD));
    assert_false(refresh);
    assert_int_equal(keep_s, 0);
}

static enum netd_outcome timed_out(struct fixture *f, bool final)
{
    enum netd_outcome outcome = netd_core_timeout(&f->config, f->arena, &f->env, &f->view, &f->question,
                                                  final, EDE_NO_REACHABLE_AUTHORITY, "nobody there", f->reply,
                                                  sizeof(f->reply), &f->size, NULL);
    if (outcome == NETD_REPLY)
        parse_reply(f);
    return outcome;
}

static void stale_data_is_given_with_its_ttl_and_both_reasons(void **state)
{
    FIXTURE(f);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_int_equal(timed_out(f, false), NETD_RESOLVE);
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 1, 1, FAR_AHEAD);
    cache_put(f, &set, 1000, 300);
    assert_int_equal(timed_out(f, false), NETD_REPLY);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 30);
    assert_true(has_ede(&f->message, EDE_STALE_ANSWER));
    assert_true(has_ede(&f->message, EDE_NO_REACHABLE_AUTHORITY));
    cache_put(f, &set, 300 + 259201, 300); /* past every limit */
    assert_int_equal(timed_out(f, false), NETD_RESOLVE);
}

static void a_stale_ttl_never_reaches_past_a_signature_that_still_holds(void **state)
{
    FIXTURE(f);
    ask(f, "www.example.", TYPE_A, FLAG_RD, EDNS_FLAG_DO);
    struct rrset set =
        set_of(f, "www.example.", TYPE_A, 300, address4, 4, 1, 1, (uint32_t)f->env.wall.s + 11);
    cache_put(f, &set, 1000, 300);
    assert_int_equal(timed_out(f, false), NETD_REPLY);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 11);
    set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 1, 1, (uint32_t)f->env.wall.s - 11);
    cache_put(f, &set, 1000, 300);
    assert_int_equal(timed_out(f, false), NETD_REPLY);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 30);
}

static void nothing_stale_ends_in_servfail_with_the_reason(void **state)
{
    FIXTURE(f);
    f->config.stale.enabled = false;
    struct rrset set = set_of(f, "www.example.", TYPE_A, 300, address4, 4, 1, 1, FAR_AHEAD);
    cache_put(f, &set, 1000, 300);
    ask(f, "www.example.", TYPE_A, FLAG_RD, 0);
    assert_int_equal(timed_out(f, false), NETD_RESOLVE);
    assert_int_equal(timed_out(f, true), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_SERVFAIL);
    assert_true(has_ede(&f->message, EDE_NO_REACHABLE_AUTHORITY));
    assert_false(has_ede(&f->message, EDE_STALE_ANSWER));
}

static void any_is_answered_with_one_rrset_or_hinfo(void **state)
{
    FIXTURE(f);
    bool refresh;
    uint32_t keep_s;
    ask(f, "www.example.", TYPE_ANY, FLAG_RD, -1);
    assert_int_equal(f->question.ask_type, TYPE_A);
    assert_int_equal(cached(f, &refresh, &keep_s), NETD_RESOLVE);
    struct answer nodata = negative(f, RCODE_NOERROR);
    verdict(f, &nodata);
    assert_int_equal(f->message.qtype, TYPE_ANY);
    assert_int_equal(f->message.count[SECTION_ANSWER], 1);
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].type, TYPE_HINFO);
    assert_memory_equal(f->message.rr[SECTION_ANSWER][0].rdata.data, "\7RFC8482", 9);
    /* no unsigned record to a client that validates, where the name is signed */
    ask(f, "www.example.", TYPE_ANY, FLAG_RD, EDNS_FLAG_DO);
    nodata = negative(f, RCODE_NOERROR);
    verdict(f, &nodata);
    assert_int_equal(f->message.count[SECTION_ANSWER], 0);
    assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_NSEC), 1);
    nodata = negative(f, RCODE_NXDOMAIN);
    verdict(f, &nodata);
    assert_int_equal(f->message.rcode, RCODE_NXDOMAIN);
    struct answer address = positive(f, 3);
    verdict(f, &address);
    assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), 3);
}

/* What L1 keeps of the reply at hand, patched for the fixture's present question. */
static int kept(struct fixture *f, const struct netd_index *index, const uint16_t *ttls, const uint8_t *bytes,
                uint32_t age, uint32_t turn)
{
    int r =
        netd_core_patch(&f->question, bytes, index, ttls, age, turn, f->reply, sizeof(f->reply), &f->size);
    if (r == 0)
        parse_reply(f);
    return r;
}

static void a_kept_reply_becomes_the_next_clients(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("www.example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, EDNS_FLAG_DO, 0, "\0\12\0\10abcdefgh", 12);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
    struct answer answer = positive(f, 3);
    verdict(f, &answer);
    assert_int_equal(f->message.edns.cookie.size, 24);
    struct netd_index index;
    uint16_t ttls[NETD_INDEX_TTLS];
    assert_int_equal(netd_core_index(&f->question, f->reply, f->size, &index, ttls), 0);
    uint8_t bytes[1232];
    memcpy(bytes, f->reply, index.size);

    struct packet other = packet_make("wwW.exAmple.", TYPE_A, FLAG_RD);
    packet_edns(&other, 1232, EDNS_FLAG_DO, 0, NULL, 0);
    other.bytes[0] = 0x77;
    assert_int_equal(receive(f, &other, NETD_UDP), NETD_CACHE);
    bool seen[3] = {0};
    for (uint32_t turn = 0; turn < 3; turn++) {
        assert_int_equal(kept(f, &index, ttls, bytes, 40, turn), 0);
        assert_int_equal(f->message.id, 0x7734);
        assert_memory_equal(f->reply + 12, "\3wwW\7exAmple", 13);
        assert_int_equal(f->message.edns.cookie.size, 0);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_A), 3);
        assert_int_equal(count_type(&f->message, SECTION_ANSWER, TYPE_RRSIG), 1);
        assert_true(f->message.flags & FLAG_AD);
        for (unsigned i = 0; i < f->message.count[SECTION_ANSWER]; i++)
            assert_int_equal(f->message.rr[SECTION_ANSWER][i].ttl, 260);
        seen[f->message.rr[SECTION_ANSWER][0].rdata.data[3] - 1] = true;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    /* with a cookie and keepalive of its own, over TCP */
    p = packet_make("www.example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, EDNS_FLAG_DO, 0, "\0\12\0\10ABCDEFGH\0\13\0\0", 16);
    assert_int_equal(receive(f, &p, NETD_TCP), NETD_CACHE);
    assert_int_equal(kept(f, &index, ttls, bytes, 0, 0), 0);
    assert_memory_equal(f->message.edns.cookie.data, "ABCDEFGH", 8);
    assert_true(f->message.edns.has_keepalive);
    /* and not at all where it does not fit */
    f->question.reply_room = index.size;
    assert_int_equal(kept(f, &index, ttls, bytes, 0, 0), 1);
}

static void padding_is_for_encrypted_transports_alone(void **state)
{
    FIXTURE(f);
    for (enum netd_transport transport = NETD_UDP; transport <= NETD_HTTPS; transport++) {
        struct packet p = packet_make("www.example.", TYPE_A, FLAG_RD);
        packet_edns(&p, 1232, 0, 0, "\0\14\0\2xx", 6);
        assert_int_equal(receive(f, &p, transport), NETD_CACHE);
        struct answer answer = positive(f, 1);
        verdict(f, &answer);
        bool encrypted = transport >= NETD_TLS;
        assert_int_equal(f->message.edns.has_padding, encrypted);
        assert_int_equal(f->size % 468 == 0, encrypted);
    }
}

static void truncated_replies_are_not_kept(void **state)
{
    FIXTURE(f);
    struct netd_index index;
    uint16_t ttls[NETD_INDEX_TTLS];
    ask(f, "www.example.", TYPE_A, FLAG_RD, -1);
    struct answer answer = positive(f, 119);
    verdict(f, &answer);
    assert_true(f->message.flags & FLAG_TC);
    assert_int_equal(netd_core_index(&f->question, f->reply, f->size, &index, ttls), 1);
    for (size_t size = 0; size < f->size; size++) /* nor what is cut */
        assert_int_equal(netd_core_index(&f->question, f->reply, size, &index, ttls), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ad_needs_ad_or_do_and_an_authentic_answer),
        cmocka_unit_test(dnssec_types_asked_for_by_name_come_without_do),
        cmocka_unit_test(negative_answers_keep_the_soa_and_the_proof_only_with_do),
        cmocka_unit_test(the_case_of_the_question_is_echoed),
        cmocka_unit_test(no_opt_to_clients_without_edns_and_so_no_ede),
        cmocka_unit_test(bogus_data_never_passes_without_cd),
        cmocka_unit_test(an_answer_too_big_is_cut_to_whole_rrsets_with_tc),
        cmocka_unit_test(the_order_of_addresses_changes_from_reply_to_reply),
        cmocka_unit_test(ttls_are_capped),
        cmocka_unit_test(a_hit_is_answered_with_the_time_left_and_a_miss_is_resolved),
        cmocka_unit_test(a_hit_in_the_last_tenth_of_its_life_asks_for_a_refresh),
        cmocka_unit_test(without_rd_a_miss_is_answered_from_what_there_is),
        cmocka_unit_test(stale_data_is_given_with_its_ttl_and_both_reasons),
        cmocka_unit_test(a_stale_ttl_never_reaches_past_a_signature_that_still_holds),
        cmocka_unit_test(nothing_stale_ends_in_servfail_with_the_reason),
        cmocka_unit_test(any_is_answered_with_one_rrset_or_hinfo),
        cmocka_unit_test(a_kept_reply_becomes_the_next_clients),
        cmocka_unit_test(padding_is_for_encrypted_transports_alone),
        cmocka_unit_test(truncated_replies_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
