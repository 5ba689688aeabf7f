/* Messages: what the builder writes the parser reads, and what no honest server sends is refused. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/build.h"
#include "common/wire/rdata.h"

static struct arena *arena;

static int setup(void **state)
{
    arena = arena_new(4u << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    arena_free(arena);
    return 0;
}

static const uint8_t *name(const char *text)
{
    uint8_t wire[NAME_MAX];
    assert_int_equal(name_from_text(text, wire), 0);
    return arena_copy(arena, wire, name_size(wire));
}

static void a_message_survives_building_and_parsing(void **state)
{
    uint8_t wire[512];
    struct builder b;
    const uint8_t *owner = name("www.example.com.");
    const uint8_t *target = name("mail.example.com.");
    struct rdata addresses[2] = {{(const uint8_t *)"\300\0\2\1", 4}, {(const uint8_t *)"\300\0\2\2", 4}};
    struct rrset set = {.owner = owner, .type = TYPE_A, .class = CLASS_IN, .count = 2, .rdata = addresses};
    struct edns_reply opt = {.payload_size = 1232, .flags = EDNS_FLAG_DO, .keepalive_ds = -1, .rcode = 16};

    build_begin(&b, wire, sizeof(wire), 0x1234, FLAG_QR | FLAG_RD);
    build_question(&b, owner, TYPE_A, CLASS_IN);
    assert_int_equal(build_rrset(&b, SECTION_ANSWER, &set, 300, true, 1), 0);
    assert_int_equal(build_rr(&b, SECTION_AUTHORITY, name("example.com."), TYPE_NS, CLASS_IN, 60, target,
                              (uint16_t)name_size(target)),
                     0);
    build_opt(&b, &opt);
    size_t size = build_end(&b);
    /* header, question, two As under a pointer, NS with pointers for owner and for the tail of its target,
     * OPT */
    assert_int_equal(size, 12 + 21 + 2 * 16 + 2 + 10 + 7 + 11);

    struct message m;
    assert_int_equal(message_parse(arena, wire, size, &m), MESSAGE_OK);
    assert_int_equal(m.id, 0x1234);
    assert_int_equal(m.rcode, 16);
    assert_true(name_equal(m.qname, owner));
    assert_int_equal(m.count[SECTION_ANSWER], 2);
    assert_int_equal(m.rr[SECTION_ANSWER][0].rdata.data[3], 2);
    assert_int_equal(m.rr[SECTION_ANSWER][1].rdata.data[3], 1);
    assert_int_equal(m.rr[SECTION_AUTHORITY][0].rdata.size, name_size(target));
    assert_memory_equal(m.rr[SECTION_AUTHORITY][0].rdata.data, target, name_size(target));
    assert_int_equal(m.count[SECTION_ADDITIONAL], 0);
    assert_true(m.edns.present);
    assert_int_equal(m.edns.payload_size, 1232);

    struct rrset_list list;
    assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 10, &list), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].count, 2);
    assert_int_equal(list.items[0].ttl, 300);
}

/* --- messages no honest server sends, byte by byte --- */

struct raw {
    uint8_t bytes[70000];
    size_t size;
};

static void add(struct raw *raw, const void *bytes, size_t size)
{
    assert_true(raw->size + size <= sizeof(raw->bytes));
    memcpy(raw->bytes + raw->size, bytes, size);
    raw->size += size;
}

static void add_u16(struct raw *raw, unsigned value)
{
    add(raw, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void raw_begin(struct raw *raw, unsigned questions, unsigned answers, unsigned authorities,
                      unsigned additionals)
{
    raw->size = 0;
    add_u16(raw, 0x4242);
    add_u16(raw, FLAG_QR);
    add_u16(raw, questions);
    add_u16(raw, answers);
    add_u16(raw, authorities);
    add_u16(raw, additionals);
}

static void raw_question(struct raw *raw)
{
    add(raw, "\1x", 3);
    add_u16(raw, TYPE_A);
    add_u16(raw, CLASS_IN);
}

static void raw_rr(struct raw *raw, const void *owner, size_t owner_size, unsigned type, unsigned class,
                   uint32_t ttl, const void *rdata, size_t size)
{
    add(raw, owner, owner_size);
    add_u16(raw, type);
    add_u16(raw, class);
    add_u16(raw, ttl >> 16);
    add_u16(raw, ttl & 0xffff);
    add_u16(raw, (unsigned)size);
    add(raw, rdata, size);
}

static struct raw raw;
static struct message m;

static int parse(void)
{
    return message_parse(arena, raw.bytes, raw.size, &m);
}

static void less_than_a_header_is_too_short(void **state)
{
    raw_begin(&raw, 0, 0, 0, 0);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_null(m.qname);
    raw.size = 11;
    assert_int_equal(parse(), MESSAGE_TOO_SHORT);
}

static void the_question_keeps_the_case_it_came_in(void **state)
{
    raw_begin(&raw, 1, 0, 0, 0);
    add(&raw, "\3wWw\2Ab", 8);
    add_u16(&raw, TYPE_AAAA);
    add_u16(&raw, CLASS_CH);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_memory_equal(m.qname, "\3www\2ab", 8);
    assert_memory_equal(m.qname_raw, "\3wWw\2Ab", 8);
    assert_int_equal(m.qtype, TYPE_AAAA);
    assert_int_equal(m.qclass, CLASS_CH);
    assert_int_equal(m.question_end, raw.size);
}

static void several_questions_are_skipped_and_counted(void **state)
{
    raw_begin(&raw, 2, 0, 0, 0);
    raw_question(&raw);
    raw_question(&raw);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_int_equal(m.qdcount, 2);
    assert_null(m.qname);
}

static void bytes_behind_the_last_record_are_malformed_and_the_question_stays(void **state)
{
    raw_begin(&raw, 1, 0, 0, 0);
    raw_question(&raw);
    add(&raw, "", 1);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
    assert_int_equal(m.id, 0x4242);
    assert_non_null(m.qname);
}

static void every_cut_of_a_message_is_malformed(void **state)
{
    raw_begin(&raw, 1, 1, 0, 1);
    raw_question(&raw);
    raw_rr(&raw, "\300\14", 2, TYPE_NS, CLASS_IN, 1, "\1a\300\14", 4);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "\0\12\0\10abcdefgh", 12);
    assert_int_equal(parse(), MESSAGE_OK);
    size_t whole = raw.size;
    for (raw.size = MESSAGE_HEADER_SIZE; raw.size < whole; raw.size++)
        assert_int_equal(parse(), MESSAGE_MALFORMED);
}

static void counts_beyond_the_bytes_allocate_nothing(void **state)
{
    raw_begin(&raw, 1, 65535, 65535, 65535);
    raw_question(&raw);
    size_t before = arena_used(arena);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
    assert_true(arena_used(arena) - before < 1024);
}

static void two_opts_an_opt_below_a_name_and_an_opt_outside_additional_are_malformed(void **state)
{
    raw_begin(&raw, 0, 0, 0, 2);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "", 0);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
    raw_begin(&raw, 0, 0, 0, 1);
    raw_rr(&raw, "\1x", 3, TYPE_OPT, 1232, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
    raw_begin(&raw, 0, 0, 1, 0);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
}

static void options_up_to_the_cap_are_read_and_one_more_is_malformed(void **state)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        uint8_t options[4 * (EDNS_MAX_OPTIONS + 1)] = {0};
        for (size_t i = 0; i < sizeof(options); i += 4)
            options[i + 1] = 99;
        raw_begin(&raw, 0, 0, 0, 1);
        raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, options, 4 * (EDNS_MAX_OPTIONS + extra));
        assert_int_equal(parse(), extra ? MESSAGE_MALFORMED : MESSAGE_OK);
    }
}

static int parse_options(const void *options, size_t size)
{
    raw_begin(&raw, 0, 0, 0, 1);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0x01008000, options, size);
    return parse();
}

static void options_are_decoded(void **state)
{
    static const char options[] = "\0\17\0\7\0\6bogus"
                                  "\0\13\0\2\0\144"
                                  "\0\12\0\10abcdefgh"
                                  "\0\16\0\2\117\146"
                                  "\0\22\0\3\1a\0"
                                  "\0\14\0\0";
    assert_int_equal(parse_options(options, sizeof(options) - 1), MESSAGE_OK);
    assert_int_equal(m.edns.flags, EDNS_FLAG_DO);
    assert_int_equal(m.rcode, 16);
    assert_int_equal(m.edns.ede_count, 1);
    assert_int_equal(m.edns.ede[0].code, EDE_DNSSEC_BOGUS);
    assert_int_equal(m.edns.ede[0].text_size, 5);
    assert_memory_equal(m.edns.ede[0].text, "bogus", 5);
    assert_true(m.edns.has_keepalive);
    assert_true(m.edns.has_padding);
    assert_int_equal(m.edns.cookie.size, 8);
    assert_int_equal(m.edns.key_tag.size, 2);
    assert_int_equal(m.edns.report_channel.size, 3);
}

static void options_of_the_wrong_size_are_malformed(void **state)
{
    assert_int_equal(parse_options("\0\12\0\7abcdefg", 11), MESSAGE_MALFORMED);    /* cookie of 7 */
    assert_int_equal(parse_options("\0\12\0\11abcdefghi", 13), MESSAGE_MALFORMED); /* cookie of 9 */
    assert_int_equal(parse_options("\0\13\0\1a", 5), MESSAGE_MALFORMED);           /* keepalive of 1 */
    assert_int_equal(parse_options("\0\16\0\1a", 5), MESSAGE_MALFORMED);           /* half a key tag */
    assert_int_equal(parse_options("\0\17\0\1a", 5), MESSAGE_MALFORMED);           /* half an error code */
    assert_int_equal(parse_options("\0\143\0\2a", 5), MESSAGE_MALFORMED);          /* beyond the OPT */
    assert_int_equal(parse_options("\0\143\0", 3), MESSAGE_MALFORMED);             /* half an option */
}

static void options_of_an_unknown_version_are_not_looked_at(void **state)
{
    raw_begin(&raw, 0, 0, 0, 1);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0x00010000, "\0\143\0", 3);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_int_equal(m.edns.version, 1);
}

static void more_errors_than_the_cap_are_dropped(void **state)
{
    uint8_t options[6 * (EDNS_MAX_EDE + 4)];
    for (size_t i = 0; i < sizeof(options); i += 6)
        memcpy(options + i, "\0\17\0\2\0\3", 6);
    assert_int_equal(parse_options(options, sizeof(options)), MESSAGE_OK);
    assert_int_equal(m.edns.ede_count, EDNS_MAX_EDE);
}

static void tsig_must_be_the_last_record(void **state)
{
    raw_begin(&raw, 0, 0, 0, 2);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "", 0);
    raw_rr(&raw, "\1k", 3, TYPE_TSIG, CLASS_ANY, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_int_equal(m.count[SECTION_ADDITIONAL], 0);
    raw_begin(&raw, 0, 0, 0, 2);
    raw_rr(&raw, "\1k", 3, TYPE_TSIG, CLASS_ANY, 0, "", 0);
    raw_rr(&raw, "", 1, TYPE_OPT, 1232, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
    raw_begin(&raw, 0, 1, 0, 0);
    raw_rr(&raw, "\1k", 3, TYPE_TSIG, CLASS_ANY, 0, "", 0);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
}

static void a_ttl_with_the_top_bit_is_large_not_zero(void **state)
{
    raw_begin(&raw, 0, 2, 0, 0);
    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_IN, 0x80000000u, "\1\2\3\4", 4);
    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_IN, 0x7fffffffu, "\1\2\3\5", 4);
    assert_int_equal(parse(), MESSAGE_OK);
    assert_int_equal(m.rr[0][0].ttl, 0x7fffffff);
    assert_int_equal(m.rr[0][1].ttl, 0x7fffffff);
}

static void rdata_that_holdfast_reads_must_have_its_shape(void **state)
{
    static const struct {
        uint16_t type;
        uint8_t size;
        char rdata[32];
    } bad[] = {
        {TYPE_A, 3, "abc"},
        {TYPE_A, 5, "abcde"},
        {TYPE_AAAA, 15, "abcdefghijklmno"},
        {TYPE_NS, 0, ""},
        {TYPE_NS, 4, "\1a\0z"},
        {TYPE_SOA, 21,
         "\0\0"
         "1234567890123456789"},
        {TYPE_DS, 3, "abc"},
        {TYPE_DNSKEY, 3, "abc"},
        {TYPE_RRSIG, 18, "123456789012345678"},
        {TYPE_NSEC, 4, "\0\0\0a"},
        {TYPE_NSEC, 7, "\0\1\1a\0\1a"},
        {TYPE_NSEC3, 6, "\1\0\0\0\0\0"},
        {TYPE_NSEC3, 9, "\1\0\0\0\5abcd"},
        {TYPE_MX, 2, "\0\1"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        raw_begin(&raw, 0, 1, 0, 0);
        raw_rr(&raw, "\1x", 3, bad[i].type, CLASS_IN, 1, bad[i].rdata, bad[i].size);
        assert_int_equal(parse(), MESSAGE_MALFORMED);
    }
}

static void rdata_nobody_reads_may_be_anything(void **state)
{
    raw_begin(&raw, 0, 3, 0, 0);
    raw_rr(&raw, "\1x", 3, TYPE_TXT, CLASS_IN, 1, "\377", 1);
    raw_rr(&raw, "\1x", 3, TYPE_LOC, CLASS_IN, 1, "", 0);
    raw_rr(&raw, "\1x", 3, 65280, CLASS_IN, 1, "abc", 3);
    assert_int_equal(parse(), MESSAGE_OK);
}

static void rdata_names_are_decompressed_where_rfc_3597_allows_it(void **state)
{
    static const struct {
        uint16_t type;
        uint8_t size, expected_size;
        char rdata[32], expected[32];
    } cases[] = {
        {TYPE_NS, 4, 5, "\1a\300\14", "\1a\1x"},
        {TYPE_MX, 4, 5, "\0\12\300\14", "\0\12\1x"},
        {TYPE_SRV, 8, 9, "123456\300\14", "123456\1x"},
        {TYPE_RP, 4, 6, "\300\14\300\14", "\1x\0\1x"},
        {TYPE_DNAME, 2, 3, "\300\14", "\1x"},
        {TYPE_RRSIG, 21, 22, "123456789012345678\300\14s", "123456789012345678\1x\0s"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        raw_begin(&raw, 1, 1, 0, 0);
        raw_question(&raw);
        raw_rr(&raw, "\300\14", 2, cases[i].type, CLASS_IN, 1, cases[i].rdata, cases[i].size);
        assert_int_equal(parse(), MESSAGE_OK);
        assert_int_equal(m.rr[0][0].rdata.size, cases[i].expected_size);
        assert_memory_equal(m.rr[0][0].rdata.data, cases[i].expected, cases[i].expected_size);
    }
    raw_begin(&raw, 1, 1, 0, 0);
    raw_question(&raw);
    raw_rr(&raw, "\300\14", 2, TYPE_NSEC, CLASS_IN, 1, "\300\14\0\1\100", 5);
    assert_int_equal(parse(), MESSAGE_MALFORMED);
}

static void a_full_arena_is_our_failure_and_not_the_message_s(void **state)
{
    struct arena *small = arena_new(40);
    raw_begin(&raw, 1, 1, 0, 0);
    raw_question(&raw);
    raw_rr(&raw, "\300\14", 2, TYPE_A, CLASS_IN, 1, "abcd", 4);
    assert_int_equal(message_parse(small, raw.bytes, raw.size, &m), -ENOMEM);
    arena_free(small);
}

/* --- RRsets --- */

static void raw_rrsig(unsigned covered, uint32_t ttl, char mark)
{
    uint8_t rdata[] = {0, (uint8_t)covered, 13, 1, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 7, 1, 'X',
                       0, (uint8_t)mark};
    raw_rr(&raw, "\1x", 3, TYPE_RRSIG, CLASS_IN, ttl, rdata, sizeof(rdata));
}

static void rrsets_gather_records_with_their_signatures_without_duplicates(void **state)
{
    raw_begin(&raw, 0, 10, 0, 0);
    raw_rrsig(TYPE_A, 70, 1);
    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_IN, 300, "\1\1\1\2", 4);
    raw_rr(&raw, "\1y", 3, TYPE_A, CLASS_IN, 300, "\1\1\1\1", 4);
    raw_rr(&raw, "\1X", 3, TYPE_A, CLASS_IN, 100, "\1\1\1\1", 4);
    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_IN, 50, "\1\1\1\2", 4); /* again */
    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_CH, 5, "\1\1\1\2", 4);
    raw_rrsig(TYPE_A, 60, 2);
    raw_rrsig(TYPE_A, 60, 2);
    raw_rrsig(TYPE_NS, 60, 3);
    raw_rr(&raw, "\1y", 3, TYPE_NS, CLASS_IN, 1, "\1A", 3);
    assert_int_equal(parse(), MESSAGE_OK);
    struct rrset_list list;
    assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 5, &list), 0);
    assert_int_equal(list.count, 5);
    const struct rrset *x = rrset_list_find(&list, (const uint8_t *)"\1x", TYPE_A);
    assert_ptr_equal(x, &list.items[0]);
    assert_int_equal(x->count, 2);
    assert_int_equal(x->rdata[0].data[3], 2);
    assert_int_equal(x->rdata[1].data[3], 1);
    assert_int_equal(x->ttl, 100);
    assert_int_equal(x->sig_count, 2);
    assert_int_equal(x->sig_ttl, 60);
    assert_int_equal(list.items[1].owner[1], 'y');
    assert_int_equal(list.items[2].class, CLASS_CH);
    const struct rrset *orphan = rrset_list_find(&list, (const uint8_t *)"\1x", TYPE_NS);
    assert_int_equal(orphan->count, 0);
    assert_int_equal(orphan->sig_count, 1);
    assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 4, &list), 1);
}

/* A handful of records is gathered another way than many: each shuffle of them, alone and behind as many
 * others as make them many, comes to the same sets. */
static void few_records_are_gathered_as_many_are(void **state)
{
    for (unsigned shuffle = 0; shuffle < 64; shuffle++) {
        unsigned first[3] = {0};

        for (unsigned others = 0; others <= 20; others += 20) {
            unsigned chosen = shuffle, sets = 0, records = 0, signatures = 0;
            struct rrset_list list;

            raw_begin(&raw, 0, (uint16_t)(8 + others), 0, 0);
            for (unsigned i = 0; i < others; i++)
                raw_rr(&raw, "\1z", 3, TYPE_A, CLASS_IN, 9, (uint8_t[]){9, 9, 9, (uint8_t)i}, 4);
            for (unsigned i = 0; i < 8; i++, chosen = chosen * 1103515245u + 12345u) {
                switch ((chosen >> 16) % 7) {
                case 0:
                    raw_rrsig(TYPE_A, 60, 1);
                    break;
                case 1:
                    raw_rrsig(TYPE_NS, 60, 1);
                    break;
                case 2:
                    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_IN, 50 + i, "\1\1\1\1", 4);
                    break;
                case 3:
                    raw_rr(&raw, "\1X", 3, TYPE_A, CLASS_IN, 50 + i, "\1\1\1\2", 4);
                    break;
                case 4:
                    raw_rr(&raw, "\1x", 3, TYPE_NS, CLASS_IN, 50 + i, i % 2 ? "\1A" : "\1a", 3);
                    break;
                case 5:
                    raw_rr(&raw, "\1x", 3, TYPE_A, CLASS_CH, 50 + i, "\1\1\1\1", 4);
                    break;
                default:
                    raw_rr(&raw, "\1y", 3, TYPE_A, CLASS_IN, 50 + i, "\1\1\1\1", 4);
                    break;
                }
            }
            assert_int_equal(parse(), MESSAGE_OK);
            assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 20, &list), 0);
            for (uint32_t i = others ? 1 : 0; i < list.count; i++) {
                const struct rrset *set = &list.items[i];

                sets = sets * 31 + set->owner[1] + set->type + set->class;
                records = records * 31 + set->count + set->ttl;
                signatures = signatures * 31 + set->sig_count;
            }
            if (!others) {
                first[0] = sets;
                first[1] = records;
                first[2] = signatures;
            }
            assert_int_equal(sets, first[0]);
            assert_int_equal(records, first[1]);
            assert_int_equal(signatures, first[2]);
            arena_reset(arena);
        }
    }
}

static void names_in_rdata_that_differ_in_case_are_one_record(void **state)
{
    raw_begin(&raw, 0, 4, 0, 0);
    raw_rr(&raw, "\1x", 3, TYPE_NS, CLASS_IN, 1, "\1A", 3);
    raw_rr(&raw, "\1x", 3, TYPE_NS, CLASS_IN, 1, "\1a", 3);
    raw_rr(&raw, "\1x", 3, TYPE_TXT, CLASS_IN, 1, "\1A", 2);
    raw_rr(&raw, "\1x", 3, TYPE_TXT, CLASS_IN, 1, "\1a", 2);
    assert_int_equal(parse(), MESSAGE_OK);
    struct rrset_list list;
    assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 5, &list), 0);
    assert_int_equal(list.items[0].count, 1);
    assert_int_equal(list.items[0].rdata[0].data[1], 'A');
    assert_int_equal(list.items[1].count, 2);
}

/* 4000 records in as many sets, then in one set, then all alike. A quadratic gathering would need 16 million
 * comparisons each; this is a check that the results hold, and the test's time limit that it is quick. */
static void thousands_of_records_are_gathered(void **state)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        raw_begin(&raw, 0, 3500, 0, 0);
        for (unsigned i = 0; i < 3500; i++) {
            uint8_t owner[] = {2, (uint8_t)(kind ? 0 : i >> 8), (uint8_t)(kind ? 'x' : i & 0xdf), 0};
            uint8_t address[4] = {0, 0, (uint8_t)(kind == 1 ? i >> 8 : 0), (uint8_t)(kind == 1 ? i : 0)};
            raw_rr(&raw, owner, 4, TYPE_A, CLASS_IN, 1, address, 4);
        }
        assert_int_equal(parse(), MESSAGE_OK);
        struct rrset_list list;
        assert_int_equal(message_rrsets(arena, &m, SECTION_ANSWER, 3500, &list), 0);
        uint32_t records = 0;
        for (uint32_t i = 0; i < list.count; i++)
            records += list.items[i].count;
        if (kind) {
            assert_int_equal(list.count, 1);
            assert_int_equal(records, kind == 1 ? 3500 : 1);
        } else {
            /* Pairs of octets that lose bit 5 meet; and so do letters, whose case does not count. */
            assert_true(list.count > 1500 && list.count < 3500);
            assert_int_equal(records, list.count);
        }
        arena_reset(arena);
    }
}

static void sets_are_the_same_in_any_order(void **state)
{
    struct rdata a[3] = {{(const uint8_t *)"aa", 2}, {(const uint8_t *)"b", 1}, {(const uint8_t *)"", 0}};
    struct rdata b[3] = {a[2], a[0], a[1]}, c[3] = {a[0], a[1], {(const uint8_t *)"ab", 2}};
    struct rrset x = {.count = 3, .rdata = a}, y = {.count = 3, .rdata = b}, z = {.count = 3, .rdata = c};
    assert_true(rrset_same_rdata(&x, &y));
    assert_false(rrset_same_rdata(&x, &z));
    y.count = 2;
    assert_false(rrset_same_rdata(&x, &y));
}

static void a_copy_shares_no_bytes_with_the_original(void **state)
{
    uint8_t owner[] = "\1x", data[] = "abcd", sig[] = "s";
    struct rdata rdata = {data, 4}, rrsig = {sig, 1};
    struct rrset set = {
        .owner = owner, .type = TYPE_A, .count = 1, .sig_count = 1, .rdata = &rdata, .sig = &rrsig};
    struct rrset copy;
    assert_int_equal(rrset_copy(arena, &set, &copy), 0);
    memset(owner, 1, 2);
    memset(data, 0, 4);
    memset(sig, 0, 1);
    assert_memory_equal(copy.owner, "\1x", 3);
    assert_memory_equal(copy.rdata[0].data, "abcd", 4);
    assert_memory_equal(copy.sig[0].data, "s", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_survives_building_and_parsing, setup, teardown),
        cmocka_unit_test_setup_teardown(less_than_a_header_is_too_short, setup, teardown),
        cmocka_unit_test_setup_teardown(the_question_keeps_the_case_it_came_in, setup, teardown),
        cmocka_unit_test_setup_teardown(several_questions_are_skipped_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_behind_the_last_record_are_malformed_and_the_question_stays,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_of_a_message_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_beyond_the_bytes_allocate_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
            two_opts_an_opt_below_a_name_and_an_opt_outside_additional_are_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(options_up_to_the_cap_are_read_and_one_more_is_malformed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(options_are_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(options_of_the_wrong_size_are_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(options_of_an_unknown_version_are_not_looked_at, setup, teardown),
        cmocka_unit_test_setup_teardown(more_errors_than_the_cap_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(tsig_must_be_the_last_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ttl_with_the_top_bit_is_large_not_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(rdata_that_holdfast_reads_must_have_its_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(rdata_nobody_reads_may_be_anything, setup, teardown),
        cmocka_unit_test_setup_teardown(rdata_names_are_decompressed_where_rfc_3597_allows_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_our_failure_and_not_the_message_s, setup, teardown),
        cmocka_unit_test_setup_teardown(rrsets_gather_records_with_their_signatures_without_duplicates, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(few_records_are_gathered_as_many_are, setup, teardown),
        cmocka_unit_test_setup_teardown(names_in_rdata_that_differ_in_case_are_one_record, setup, teardown),
        cmocka_unit_test_setup_teardown(thousands_of_records_are_gathered, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_are_the_same_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_shares_no_bytes_with_the_original, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
