/* The builder: compression, truncation by whole RRsets, the OPT; and the answer that travels as a message. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/answer.h"
#include "common/wire/build.h"
#include "common/wire/rdata.h"

static struct arena *arena;
static uint8_t wire[65535];
static struct builder b;
static struct message m;

static int setup(void **state)
{
    arena = arena_new(16u << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static const uint8_t *name(const char *text)
{
    uint8_t buf[NAME_MAX];
    assert_int_equal(name_from_text(text, buf), 0);
    return arena_copy(arena, buf, name_size(buf));
}

static void begin(size_t room)
{
    build_begin(&b, wire, room, 7, FLAG_QR);
    build_question(&b, name("example.com."), TYPE_A, CLASS_IN);
}

static size_t parsed(void)
{
    size_t size = build_end(&b);
    assert_int_equal(message_parse(arena, wire, size, &m), MESSAGE_OK);
    return size;
}

static int add_name_rr(enum section section, const char *owner, uint16_t type, const void *rdata, size_t size)
{
    return build_rr(&b, section, name(owner), type, CLASS_IN, 60, rdata, (uint16_t)size);
}

static void owners_take_the_case_of_the_question(void **state)
{
    build_begin(&b, wire, 512, 7, FLAG_QR);
    build_question(&b, (const uint8_t *)"\7eXAMPLE\3CoM", TYPE_A, CLASS_IN);
    assert_int_equal(add_name_rr(SECTION_ANSWER, "example.com.", TYPE_A, "abcd", 4), 0);
    assert_int_equal(parsed(), 12 + 17 + 16);
    assert_memory_equal(wire + 12, "\7eXAMPLE\3CoM", 13);
}

static void names_in_rdata_keep_their_own_case(void **state)
{
    begin(512);
    assert_int_equal(add_name_rr(SECTION_ANSWER, "x.example.com.", TYPE_NS, "\2Ns\7Example\3com", 16), 0);
    parsed();
    assert_int_equal(m.rr[0][0].rdata.size, 16);
    assert_memory_equal(m.rr[0][0].rdata.data, "\2Ns\7Example\3com", 16);
}

static void only_types_of_rfc_1035_are_compressed_in_rdata(void **state)
{
    static const uint8_t target[] = "\1a\7example\3com";
    static const struct {
        uint16_t type;
        uint8_t prefix, size;
    } cases[] = {{TYPE_NS, 0, 4},     {TYPE_CNAME, 0, 4}, {TYPE_PTR, 0, 4}, {TYPE_MX, 2, 6},
                 {TYPE_DNAME, 0, 15}, {TYPE_SRV, 6, 21},  {TYPE_RP, 0, 0}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t rdata[64] = {0};
        size_t size = cases[i].prefix + sizeof(target);
        memcpy(rdata + cases[i].prefix, target, sizeof(target));
        if (cases[i].type == TYPE_RP) {
            memcpy(rdata + size, target, sizeof(target));
            size += sizeof(target);
        }
        begin(512);
        size_t before = b.size;
        assert_int_equal(add_name_rr(SECTION_ANSWER, "example.com.", cases[i].type, rdata, size), 0);
        assert_int_equal(b.size - before - 12, cases[i].size ? cases[i].size : size);
        parsed();
        assert_int_equal(m.rr[0][0].rdata.size, size);
        assert_memory_equal(m.rr[0][0].rdata.data, rdata, size);
    }
}

static void the_longest_suffix_is_reused(void **state)
{
    begin(512);
    assert_int_equal(add_name_rr(SECTION_ANSWER, "b.c.example.com.", TYPE_A, "abcd", 4), 0);
    size_t before = b.size;
    assert_int_equal(add_name_rr(SECTION_ANSWER, "a.b.c.example.com.", TYPE_A, "abcd", 4), 0);
    assert_int_equal(b.size - before, 2 + 2 + 14);
    before = b.size;
    assert_int_equal(add_name_rr(SECTION_ANSWER, "x.c.example.com.", TYPE_A, "abcd", 4), 0);
    assert_int_equal(b.size - before, 2 + 2 + 14);
    parsed();
    assert_true(name_equal(m.rr[0][1].owner, name("a.b.c.example.com.")));
    assert_true(name_equal(m.rr[0][2].owner, name("x.c.example.com.")));
}

/* Thousands of names, also beyond the reach of pointers and of the slots, come back as they went in. */
static void any_number_of_names_survives(void **state)
{
    begin(sizeof(wire));
    uint32_t seed = 1;
    unsigned count = 0;
    uint8_t owners[1500][24];
    for (; count < ARRAY_SIZE(owners); count++) {
        uint8_t *at = owners[count];
        for (unsigned labels = 0; labels < 5; labels++) {
            seed = seed * 1664525 + 1013904223;
            *at++ = 2;
            *at++ = (uint8_t)('a' + (seed >> 24) % 6);
            *at++ = (uint8_t)('a' + (seed >> 20) % 2);
        }
        *at = 0;
        if (build_rr(&b, SECTION_ANSWER, owners[count], TYPE_CNAME, CLASS_IN, 1, owners[count], 16) != 0)
            break;
    }
    parsed();
    assert_int_equal(m.count[SECTION_ANSWER], count);
    assert_true(count > 1000);
    for (unsigned i = 0; i < count; i++) {
        assert_memory_equal(m.rr[0][i].owner, owners[i], 16);
        assert_int_equal(m.rr[0][i].rdata.size, 16);
        assert_memory_equal(m.rr[0][i].rdata.data, owners[i], 16);
    }
}

static void an_rrset_that_does_not_fit_leaves_no_trace(void **state)
{
    struct rdata addresses[40];
    struct rrset set = {.owner = name("big.example."), .type = TYPE_A, .class = CLASS_IN, .count = 40};
    set.rdata = addresses;
    for (unsigned i = 0; i < 40; i++)
        addresses[i] = (struct rdata){(const uint8_t *)"abcd", 4};
    begin(512);
    size_t before = b.size;
    assert_int_equal(build_rrset(&b, SECTION_ANSWER, &set, 1, false, 0), 1);
    assert_int_equal(b.size, before);
    assert_int_equal(b.counts[1], 0);
    /* A name that was only in what was taken back must not be pointed at. */
    assert_int_equal(add_name_rr(SECTION_ANSWER, "big.example.", TYPE_A, "abcd", 4), 0);
    build_set_flags(&b, FLAG_QR | FLAG_TC);
    parsed();
    assert_int_equal(m.flags, FLAG_QR | FLAG_TC);
    assert_int_equal(m.count[SECTION_ANSWER], 1);
    assert_true(name_equal(m.rr[0][0].owner, set.owner));
}

static void every_room_gives_whole_rrsets_or_none(void **state)
{
    struct rdata rdata[2] = {{(const uint8_t *)"abcd", 4}, {(const uint8_t *)"efgh", 4}};
    struct rdata sig = {(const uint8_t *)"123456789012345678\0s", 20};
    struct rrset set = {
        .type = TYPE_A, .class = CLASS_IN, .count = 2, .sig_count = 1, .rdata = rdata, .sig = &sig};
    for (size_t room = 12; room < 400; room++) {
        begin(room);
        unsigned fitted = 0;
        for (unsigned i = 0; i < 8; i++) {
            char owner[] = "a.example.net.";
            owner[0] = (char)('a' + i);
            set.owner = name(owner);
            fitted += build_rrset(&b, i < 4 ? SECTION_ANSWER : SECTION_AUTHORITY, &set, 1, true, i) == 0;
        }
        size_t size = build_end(&b);
        assert_true(size <= room);
        if (size) {
            assert_int_equal(message_parse(arena, wire, size, &m), MESSAGE_OK);
            assert_int_equal(m.count[SECTION_ANSWER] + m.count[SECTION_AUTHORITY], 3 * fitted);
        } else {
            assert_true(room < 12 + 17);
            assert_int_equal(fitted, 0);
        }
        arena_reset(arena);
    }
}

static void the_reserve_is_kept_for_the_opt(void **state)
{
    struct edns_reply opt = {.payload_size = 1232, .keepalive_ds = -1};
    begin(29 + 16 + 11);
    build_reserve(&b, 11);
    assert_int_equal(add_name_rr(SECTION_ANSWER, "example.com.", TYPE_A, "abcd", 4), 0);
    assert_int_equal(add_name_rr(SECTION_ANSWER, "example.com.", TYPE_A, "abce", 4), 1);
    build_opt(&b, &opt);
    assert_int_equal(parsed(), 29 + 16 + 11);
    assert_true(m.edns.present);
    assert_int_equal(m.count[SECTION_ANSWER], 1);
}

static void a_question_without_room_fails_for_good(void **state)
{
    build_begin(&b, wire, 20, 7, 0);
    build_question(&b, name("example.com."), TYPE_A, CLASS_IN);
    assert_int_equal(build_rr(&b, SECTION_ANSWER, name_root, TYPE_TXT, CLASS_IN, 1, "", 0), 1);
    assert_int_equal(build_end(&b), 0);
    build_begin(&b, wire, 11, 7, 0);
    assert_int_equal(build_end(&b), 0);
}

static void error_texts_go_first_and_then_codes(void **state)
{
    struct edns_reply opt = {.payload_size = 1232,
                             .keepalive_ds = 100,
                             .ede_count = 2,
                             .ede = {{EDE_DNSSEC_BOGUS, 5, "bogus"}, {EDE_STALE_ANSWER, 5, "stale"}}};
    static const uint8_t cookie[16] = "0123456789abcdef";
    opt.cookie = slice_make(cookie, sizeof(cookie));
    const size_t fixed = 29 + 11 + 6 + 20;
    for (size_t room = fixed - 1; room <= fixed + 22; room++) {
        begin(room);
        build_opt(&b, &opt);
        if (room < fixed) {
            assert_int_equal(build_end(&b), 0);
            continue;
        }
        parsed();
        size_t extra = room - fixed;
        assert_int_equal(m.edns.ede_count, extra >= 12 ? 2 : extra / 6);
        if (m.edns.ede_count)
            assert_int_equal(m.edns.ede[0].text_size, extra >= 22 ? 5 : 0);
        assert_int_equal(m.edns.cookie.size, 16);
        assert_true(m.edns.has_keepalive);
    }
}

static void padding_makes_whole_blocks_as_far_as_there_is_room(void **state)
{
    struct edns_reply opt = {.payload_size = 1232, .keepalive_ds = -1, .padding_block = 128};
    static const struct {
        size_t room, size;
    } cases[] = {{512, 128}, {128, 128}, {100, 100}, {44, 44}, {43, 40}};
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        begin(cases[i].room);
        build_opt(&b, &opt);
        assert_int_equal(parsed(), cases[i].size);
        assert_int_equal(m.edns.has_padding, cases[i].size > 40);
    }
}

static void an_answer_round_trips_as_a_message(void **state)
{
    struct answer answer = {.rcode = RCODE_BADVERS, .security = SECURITY_SECURE, .negative = true}, back;
    struct rdata target = {(const uint8_t *)"\1B\2Cc", 6}, address = {(const uint8_t *)"abcd", 4};
    struct rdata sig = {(const uint8_t *)"\0\1\15\2\0\0\0\11\0\0\0\1\0\0\0\1\0\7\0s", 20};
    struct rrset cname = {
        .owner = name("a.cc."), .type = TYPE_CNAME, .class = CLASS_IN, .ttl = 30, .count = 1};
    struct rrset final = {.owner = name("b.cc."), .type = TYPE_A, .class = CLASS_IN, .ttl = 20, .count = 1};
    cname.rdata = &target;
    final.rdata = &address;
    final.sig = &sig;
    final.sig_count = 1;
    assert_int_equal(rrset_list_add(arena, &answer.answer, &cname), 0);
    assert_int_equal(rrset_list_add(arena, &answer.answer, &final), 0);
    assert_int_equal(rrset_list_add(arena, &answer.authority, &final), 0);
    answer_add_ede(&answer, EDE_STALE_ANSWER, "old", 3);
    answer_add_ede(&answer, EDE_STALE_ANSWER, "again", 5);
    answer_add_ede(&answer, EDE_NETWORK_ERROR, NULL, 0);

    size_t size = answer_to_wire(&answer, name("a.cc."), TYPE_A, wire, sizeof(wire));
    assert_true(size > 0);
    assert_int_equal(answer_from_wire(arena, wire, size, &back), 0);
    assert_int_equal(back.rcode, RCODE_BADVERS);
    assert_int_equal(back.answer.count, 2);
    assert_int_equal(back.answer.items[0].type, TYPE_CNAME);
    assert_memory_equal(back.answer.items[0].rdata[0].data, "\1B\2Cc", 6);
    assert_int_equal(back.answer.items[1].ttl, 20);
    assert_int_equal(back.answer.items[1].sig_count, 1);
    assert_memory_equal(back.answer.items[1].sig[0].data, sig.data, sig.size);
    assert_true(rrset_same_rdata(&back.answer.items[1], &final));
    assert_int_equal(back.authority.count, 1);
    assert_int_equal(back.ede_count, 2);
    assert_int_equal(back.ede[0].code, EDE_STALE_ANSWER);
    assert_int_equal(back.ede[0].text_size, 3);
    assert_memory_equal(back.ede[0].text, "old", 3);
    assert_int_equal(back.security, 0);

    assert_int_equal(answer_to_wire(&answer, name("a.cc."), TYPE_A, wire, size - 30), 0);
    assert_int_equal(answer_from_wire(arena, wire, 5, &back), 1);
}

static void error_texts_are_cut_and_their_number_is_bounded(void **state)
{
    struct answer answer = {0};
    char text[ANSWER_EDE_TEXT + 50];
    memset(text, 'x', sizeof(text));
    for (uint16_t code = 1; code < 20; code++)
        answer_add_ede(&answer, code, text, sizeof(text));
    assert_int_equal(answer.ede_count, ANSWER_MAX_EDE);
    assert_int_equal(answer.ede[0].text_size, ANSWER_EDE_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(owners_take_the_case_of_the_question, setup, teardown),
        cmocka_unit_test_setup_teardown(names_in_rdata_keep_their_own_case, setup, teardown),
        cmocka_unit_test_setup_teardown(only_types_of_rfc_1035_are_compressed_in_rdata, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_suffix_is_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(any_number_of_names_survives, setup, teardown),
        cmocka_unit_test_setup_teardown(an_rrset_that_does_not_fit_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(every_room_gives_whole_rrsets_or_none, setup, teardown),
        cmocka_unit_test_setup_teardown(the_reserve_is_kept_for_the_opt, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_without_room_fails_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(error_texts_go_first_and_then_codes, setup, teardown),
        cmocka_unit_test_setup_teardown(padding_makes_whole_blocks_as_far_as_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_round_trips_as_a_message, setup, teardown),
        cmocka_unit_test_setup_teardown(error_texts_are_cut_and_their_number_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
