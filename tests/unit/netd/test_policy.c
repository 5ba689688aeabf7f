/* netd's core, step 1: what is answered or dropped before any look-up. */
#include "tests/unit/netd/fixture.h"

static void query_that_is_a_response_is_dropped(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("example.", TYPE_A, FLAG_QR | FLAG_RD);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_DROP);
}

static void less_than_a_header_is_dropped(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    for (p.size = 0; p.size < 12; p.size++)
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_DROP);
}

static void source_port_zero_is_dropped(void **state)
{
    FIXTURE(f);
    f->client.port = 0;
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_DROP);
}

static void every_opcode_but_query_is_notimp_with_its_opcode(void **state)
{
    FIXTURE(f);
    for (uint16_t opcode = 1; opcode < 16; opcode++) {
        struct packet p = packet_make("example.", TYPE_SOA, (uint16_t)(opcode << 11));
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
        assert_int_equal(f->message.rcode, RCODE_NOTIMP);
        assert_int_equal(f->message.opcode, opcode);
        assert_false(f->message.flags & FLAG_RA);
        assert_int_equal(f->message.id, 0x1234);
        assert_int_equal(f->size, 12);
    }
}

static void question_counts_other_than_one_are_formerr(void **state)
{
    FIXTURE(f);
    for (unsigned count = 0; count < 4; count += count ? 1 : 2) {
        struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
        p.bytes[5] = (uint8_t)count;
        if (count == 0)
            p.size = 12;
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
        assert_int_equal(f->message.rcode, RCODE_FORMERR);
    }
}

static void packets_cut_anywhere_are_formerr(void **state)
{
    FIXTURE(f);
    struct packet whole = packet_make("www.example.", TYPE_A, FLAG_RD);
    packet_edns(&whole, 1232, 0, 0, "\0\12\0\10abcdefgh", 12);
    struct packet p = whole;
    for (p.size = 12; p.size < whole.size; p.size++) {
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
        assert_int_equal(f->message.rcode, RCODE_FORMERR);
    }
    whole.size++; /* and a byte over */
    assert_int_equal(receive(f, &whole, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_FORMERR);
}

static void compressed_or_reserved_labels_in_the_question_are_formerr(void **state)
{
    FIXTURE(f);
    static const uint8_t octets[] = {0xc0, 0x40, 0x80, 0xff};
    for (unsigned i = 0; i < ARRAY_SIZE(octets); i++) {
        struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
        p.bytes[12] = octets[i];
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
        assert_int_equal(f->message.rcode, RCODE_FORMERR);
    }
}

static void a_name_of_255_octets_is_taken_and_256_is_formerr(void **state)
{
    FIXTURE(f);
    for (unsigned last = 60; last <= 63; last++) {
        struct packet p = {.bytes = {0x12, 0x34, 1, 0, 0, 1}, .size = 12};
        for (unsigned i = 0; i < 4; i++) {
            unsigned label = i == 3 ? last : 63;
            p.bytes[p.size++] = (uint8_t)label;
            memset(p.bytes + p.size, 'a', label);
            p.size += label;
        }
        memcpy(p.bytes + p.size, "\0\0\1\0\1", 5);
        p.size += 5;
        enum netd_outcome outcome = receive(f, &p, NETD_UDP);
        assert_int_equal(outcome, last <= 61 ? NETD_CACHE : NETD_REPLY);
        if (outcome == NETD_REPLY)
            assert_int_equal(f->message.rcode, RCODE_FORMERR);
    }
}

static void classes_other_than_in_are_refused(void **state)
{
    FIXTURE(f);
    static const uint16_t classes[] = {0, 2, CLASS_CH, CLASS_HS, CLASS_NONE, CLASS_ANY};
    static const char names[][20] = {"version.bind.", "hostname.bind.", "id.server.", "example."};
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
        for (unsigned n = 0; n < ARRAY_SIZE(names); n++) {
            struct packet p = packet_make(names[n], TYPE_TXT, FLAG_RD);
            p.bytes[p.size - 1] = (uint8_t)classes[i];
            assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
            assert_int_equal(f->message.rcode, RCODE_REFUSED);
            assert_int_equal(f->message.count[SECTION_ANSWER], 0);
            assert_false(f->message.flags & FLAG_RA);
        }
    }
}

static void transfers_and_meta_types_get_their_rcodes(void **state)
{
    FIXTURE(f);
    static const struct {
        uint16_t type, rcode;
    } cases[] = {{TYPE_AXFR, RCODE_REFUSED}, {TYPE_IXFR, RCODE_REFUSED},   {TYPE_MAILA, RCODE_NOTIMP},
                 {TYPE_MAILB, RCODE_NOTIMP}, {TYPE_OPT, RCODE_FORMERR},    {TYPE_TSIG, RCODE_FORMERR},
                 {TYPE_TKEY, RCODE_FORMERR}, {TYPE_NXNAME, RCODE_FORMERR}, {200, RCODE_FORMERR},
                 {0, RCODE_FORMERR}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct packet p = packet_make("example.", cases[i].type, FLAG_RD);
        packet_edns(&p, 1232, 0, 0, NULL, 0);
        assert_int_equal(receive(f, &p, NETD_TCP), NETD_REPLY);
        assert_int_equal(f->message.rcode, cases[i].rcode);
        assert_int_equal(f->message.qtype, cases[i].type);
        assert_int_equal(has_ede(&f->message, EDE_INVALID_QUERY_TYPE), cases[i].type == TYPE_NXNAME);
    }
    static const uint16_t ordinary[] = {TYPE_A, TYPE_ANY, 127, 256, 65280, TYPE_RRSIG, TYPE_NSEC3, TYPE_DLV};
    for (unsigned i = 0; i < ARRAY_SIZE(ordinary); i++)
        ask(f, "example.", ordinary[i], FLAG_RD, -1);
}

static void clients_outside_the_list_are_refused_with_ede_18_if_they_speak_edns(void **state)
{
    FIXTURE(f);
    f->client.bytes[2] = 3;
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_REFUSED);
    assert_false(f->message.flags & FLAG_RA);
    assert_false(f->message.edns.present);
    packet_edns(&p, 1232, 0, 0, NULL, 0);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
    assert_true(has_ede(&f->message, EDE_PROHIBITED));
    /* the same address as IPv6 is another one */
    f->client = (struct address){.family = 6, .port = 1, .bytes = {[15] = 1}};
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
    f->client.bytes[15] = 2;
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
}

static void questions_without_rd_are_refused_unless_snooping_is_allowed(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("example.", TYPE_A, 0);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_REFUSED);
    f->client.bytes[3] = 99;
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
}

static void unknown_edns_versions_get_badvers(void **state)
{
    FIXTURE(f);
    static const uint8_t versions[] = {1, 100, 255};
    for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
        struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
        /* options that would be malformed in version 0 */
        packet_edns(&p, 1232, EDNS_FLAG_DO, versions[i], "\0\12\0\1x", 5);
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
        assert_int_equal(f->message.rcode, RCODE_BADVERS);
        assert_true(f->message.edns.present);
        assert_int_equal(f->message.edns.version, 0);
    }
}

static void a_second_opt_and_one_with_an_owner_are_formerr(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, 0, 0, NULL, 0);
    struct packet twice = p;
    packet_edns(&twice, 1232, 0, 0, NULL, 0);
    assert_int_equal(receive(f, &twice, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_FORMERR);
    /* owner "example." by a pointer to the question */
    struct packet owned = packet_make("example.", TYPE_A, FLAG_RD);
    owned.bytes[11] = 1;
    memcpy(owned.bytes + owned.size, "\300\14\0\51\4\320\0\0\0\0\0\0", 12);
    owned.size += 12;
    assert_int_equal(receive(f, &owned, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_FORMERR);
}

static void more_than_32_options_are_formerr(void **state)
{
    FIXTURE(f);
    uint8_t options[33 * 4];
    for (unsigned i = 0; i < 33; i++)
        memcpy(options + 4 * i, "\376\0\0\0", 4);
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, 0, 0, options, 32 * 4);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
    p = packet_make("example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, 0, 0, options, 33 * 4);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_FORMERR);
}

static void room_follows_payload_size_and_transport(void **state)
{
    FIXTURE(f);
    static const struct {
        uint16_t payload, room;
    } cases[] = {{0, 512}, {100, 512}, {512, 512}, {1000, 1000}, {1232, 1232}, {4096, 1232}, {65535, 1232}};
    ask(f, "example.", TYPE_A, FLAG_RD, -1);
    assert_int_equal(f->question.reply_room, 512);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
        packet_edns(&p, cases[i].payload, 0, 0, NULL, 0);
        assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
        assert_int_equal(f->question.reply_room, cases[i].room);
        assert_int_equal(receive(f, &p, NETD_TCP), NETD_CACHE);
        assert_int_equal(f->question.reply_room, 65535);
    }
}

static void a_cookie_is_answered_with_a_server_cookie_that_holds_for_an_hour(void **state)
{
    FIXTURE(f);
    struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
    packet_edns(&p, 1232, 0, 0, "\0\12\0\10abcdefgh", 12);
    p.bytes[5] = 0; /* the question taken out: RFC 7873 5.4 */
    memmove(p.bytes + 12, p.bytes + 12 + 13, p.size - 25);
    p.size -= 13;
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_NOERROR);
    assert_int_equal(f->message.edns.cookie.size, 24);
    assert_memory_equal(f->message.edns.cookie.data, "abcdefgh", 8);

    uint8_t option[28] = {0, 10, 0, 24};
    memcpy(option + 4, f->message.edns.cookie.data, 24);
    struct packet again = {.bytes = {0, 1, 1}, .size = 12};
    packet_edns(&again, 1232, 0, 0, option, sizeof(option));
    assert_int_equal(receive(f, &again, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_NOERROR);
    f->env.wall.s += 3601;
    assert_int_equal(receive(f, &again, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_BADCOOKIE);
    f->env.wall.s -= 3601;
    f->client.bytes[3]++; /* another client's */
    assert_int_equal(receive(f, &again, NETD_UDP), NETD_REPLY);
    assert_int_equal(f->message.rcode, RCODE_BADCOOKIE);
}

static void cookies_of_impossible_length_are_formerr(void **state)
{
    FIXTURE(f);
    for (unsigned size = 0; size <= 44; size++) {
        uint8_t option[48] = {0, 10, 0, (uint8_t)size};
        struct packet p = packet_make("example.", TYPE_A, FLAG_RD);
        packet_edns(&p, 1232, 0, 0, option, 4 + size);
        bool good = size == 8 || (size >= 16 && size <= 40);
        assert_int_equal(receive(f, &p, NETD_UDP), good ? NETD_CACHE : NETD_REPLY);
        if (!good)
            assert_int_equal(f->message.rcode, RCODE_FORMERR);
    }
}

static void special(struct fixture *f, const char *name, uint16_t type, uint16_t rcode, unsigned answers)
{
    struct packet p = packet_make(name, type, FLAG_RD | FLAG_AD);
    packet_edns(&p, 1232, EDNS_FLAG_DO, 0, NULL, 0);
    if (receive(f, &p, NETD_UDP) != NETD_REPLY)
        fail_msg("%s was not answered locally", name);
    assert_int_equal(f->message.rcode, rcode);
    assert_int_equal(f->message.count[SECTION_ANSWER], answers);
    assert_int_equal(count_type(&f->message, SECTION_AUTHORITY, TYPE_SOA), answers ? 0 : 1);
    assert_false(f->message.flags & FLAG_AD);
}

static void special_use_zones_are_answered_locally(void **state)
{
    FIXTURE(f);
    static const char zones[][80] = {
        "home.arpa.",
        "resolver.arpa.",
        "service.arpa.",
        "0.in-addr.arpa.",
        "10.in-addr.arpa.",
        "16.172.in-addr.arpa.",
        "24.172.in-addr.arpa.",
        "31.172.in-addr.arpa.",
        "64.100.in-addr.arpa.",
        "99.100.in-addr.arpa.",
        "127.100.in-addr.arpa.",
        "127.in-addr.arpa.",
        "254.169.in-addr.arpa.",
        "168.192.in-addr.arpa.",
        "2.0.192.in-addr.arpa.",
        "100.51.198.in-addr.arpa.",
        "113.0.203.in-addr.arpa.",
        "255.255.255.255.in-addr.arpa.",
        "d.f.ip6.arpa.",
        "8.e.f.ip6.arpa.",
        "9.e.f.ip6.arpa.",
        "a.e.f.ip6.arpa.",
        "b.e.f.ip6.arpa.",
        "8.b.d.0.1.0.0.2.ip6.arpa.",
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."};
    for (unsigned i = 0; i < ARRAY_SIZE(zones); i++) {
        char below[96] = "Host.";
        strcat(below, zones[i]);
        special(f, below, TYPE_PTR, RCODE_NXDOMAIN, 0);
        special(f, zones[i], TYPE_A, RCODE_NOERROR, 0);
        special(f, zones[i], TYPE_SOA, RCODE_NOERROR, 1);
        special(f, zones[i], TYPE_NS, RCODE_NOERROR, 1);
        ask(f, zones[i], TYPE_DS, FLAG_RD, -1); /* the parent's to answer */
    }
    static const char absent[][12] = {"invalid.", "test.", "onion.", "local."};
    for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
        char below[24] = "Host.";
        strcat(below, absent[i]);
        special(f, below, TYPE_A, RCODE_NXDOMAIN, 0);
        special(f, absent[i], TYPE_A, RCODE_NXDOMAIN, 0);
        special(f, absent[i], TYPE_SOA, RCODE_NXDOMAIN, 0);
        special(f, absent[i], TYPE_NS, RCODE_NXDOMAIN, 0);
    }
}

static void localhost_has_the_loopback_addresses_at_every_depth(void **state)
{
    FIXTURE(f);
    static const char names[][32] = {"localhost.", "LocalHost.", "a.b.localhost."};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        special(f, names[i], TYPE_A, RCODE_NOERROR, 1);
        assert_memory_equal(f->message.rr[SECTION_ANSWER][0].rdata.data, "\177\0\0\1", 4);
        special(f, names[i], TYPE_AAAA, RCODE_NOERROR, 1);
        assert_int_equal(f->message.rr[SECTION_ANSWER][0].rdata.data[15], 1);
        special(f, names[i], TYPE_MX, RCODE_NOERROR, 0);
    }
    special(f, "1.0.0.127.in-addr.arpa.", TYPE_PTR, RCODE_NOERROR, 1);
    assert_memory_equal(f->message.rr[SECTION_ANSWER][0].rdata.data, "\11localhost", 11);
    special(f, "0.0.127.in-addr.arpa.", TYPE_PTR, RCODE_NOERROR, 0); /* an empty non-terminal */
    special(f, "2.0.0.127.in-addr.arpa.", TYPE_PTR, RCODE_NXDOMAIN, 0);
    special(f, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.", TYPE_PTR,
            RCODE_NOERROR, 1);
}

static void neighbours_of_special_names_are_looked_up(void **state)
{
    FIXTURE(f);
    static const char names[][40] = {"15.172.in-addr.arpa.",
                                     "32.172.in-addr.arpa.",
                                     "63.100.in-addr.arpa.",
                                     "128.100.in-addr.arpa.",
                                     "172.in-addr.arpa.",
                                     "016.172.in-addr.arpa.",
                                     "11.in-addr.arpa.",
                                     "1.8.in-addr.arpa.",
                                     "arpa.",
                                     "example.com.",
                                     "c.e.f.ip6.arpa.",
                                     "x-onion.",
                                     "notlocalhost.",
                                     "localhost.example.",
                                     "xd.f.ip6.arpa.",
                                     "."};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        ask(f, names[i], TYPE_PTR, FLAG_RD, -1);
    f->config.special_use_names = false;
    ask(f, "localhost.", TYPE_A, FLAG_RD, -1);
}

static void zones_with_servers_of_their_own_are_never_special(void **state)
{
    FIXTURE(f);
    uint8_t exempt[2][NAME_MAX];
    name_from_text("2.10.in-addr.arpa.", exempt[0]);
    name_from_text(".", exempt[1]); /* a forwarder for everything takes nothing away */
    f->config.exempt = (const uint8_t(*)[NAME_MAX])exempt;
    f->config.exempt_count = 2;
    ask(f, "1.2.10.in-addr.arpa.", TYPE_PTR, FLAG_RD, -1);
    ask(f, "2.10.in-addr.arpa.", TYPE_PTR, FLAG_RD, -1);
    special(f, "1.3.10.in-addr.arpa.", TYPE_PTR, RCODE_NXDOMAIN, 0);
    special(f, "x.test.", TYPE_A, RCODE_NXDOMAIN, 0);
}

static void random_packets_are_answered_or_dropped_and_never_more(void **state)
{
    FIXTURE(f);
    uint64_t seed = 7;
    for (unsigned n = 0; n < 100000; n++) {
        struct packet p = packet_make("www.Example.", TYPE_A, FLAG_RD);
        if (n & 1)
            packet_edns(&p, 1232, EDNS_FLAG_DO, 0, "\0\12\0\10abcdefgh\0\13\0\0", 16);
        for (unsigned i = 0; i < 1 + n % 4; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            p.bytes[(seed >> 33) % p.size] = (uint8_t)(seed >> 24);
        }
        arena_reset(f->arena);
        enum netd_outcome outcome = receive(f, &p, n & 2 ? NETD_TCP : NETD_UDP);
        assert_true(outcome == NETD_REPLY || outcome == NETD_DROP || outcome == NETD_CACHE);
        if (outcome == NETD_CACHE)
            assert_true(name_size(f->question.qname) <= NAME_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_that_is_a_response_is_dropped),
        cmocka_unit_test(less_than_a_header_is_dropped),
        cmocka_unit_test(source_port_zero_is_dropped),
        cmocka_unit_test(every_opcode_but_query_is_notimp_with_its_opcode),
        cmocka_unit_test(question_counts_other_than_one_are_formerr),
        cmocka_unit_test(packets_cut_anywhere_are_formerr),
        cmocka_unit_test(compressed_or_reserved_labels_in_the_question_are_formerr),
        cmocka_unit_test(a_name_of_255_octets_is_taken_and_256_is_formerr),
        cmocka_unit_test(classes_other_than_in_are_refused),
        cmocka_unit_test(transfers_and_meta_types_get_their_rcodes),
        cmocka_unit_test(clients_outside_the_list_are_refused_with_ede_18_if_they_speak_edns),
        cmocka_unit_test(questions_without_rd_are_refused_unless_snooping_is_allowed),
        cmocka_unit_test(unknown_edns_versions_get_badvers),
        cmocka_unit_test(a_second_opt_and_one_with_an_owner_are_formerr),
        cmocka_unit_test(more_than_32_options_are_formerr),
        cmocka_unit_test(room_follows_payload_size_and_transport),
        cmocka_unit_test(a_cookie_is_answered_with_a_server_cookie_that_holds_for_an_hour),
        cmocka_unit_test(cookies_of_impossible_length_are_formerr),
        cmocka_unit_test(special_use_zones_are_answered_locally),
        cmocka_unit_test(localhost_has_the_loopback_addresses_at_every_depth),
        cmocka_unit_test(neighbours_of_special_names_are_looked_up),
        cmocka_unit_test(zones_with_servers_of_their_own_are_never_special),
        cmocka_unit_test(random_packets_are_answered_or_dropped_and_never_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
