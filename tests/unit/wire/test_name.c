/* Names: order, escapes, limits, and compression pointers that do not lead back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/reader.h"

static const uint8_t *wire_of(const char *text, uint8_t buf[NAME_MAX])
{
    assert_int_equal(name_from_text(text, buf), 0);
    return buf;
}

static void canonical_order_is_that_of_rfc_4034_6_1(void **state)
{
    /* The RFC's own list, in its order. */
    static const char ordered[][24] = {"example.",         "a.example.",      "yljkjljk.a.example.",
                                       "Z.a.example.",     "zABC.a.EXAMPLE.", "z.example.",
                                       "\\001.z.example.", "*.z.example.",    "\\200.z.example."};
    for (unsigned i = 0; i < ARRAY_SIZE(ordered); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(ordered); j++) {
            uint8_t a[NAME_MAX], b[NAME_MAX];
            int order = name_compare(wire_of(ordered[i], a), wire_of(ordered[j], b));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(name_equal(a, b), i == j);
        }
    }
}

static void order_does_not_depend_on_case(void **state)
{
    static const uint8_t upper[] = "\3WWW\2Zz", lower[] = "\3www\2zz";
    assert_int_equal(name_compare(upper, lower), 0);
    assert_true(name_equal(upper, lower));
}

static void under_and_below_respect_label_borders(void **state)
{
    uint8_t name[NAME_MAX], zone[NAME_MAX], other[NAME_MAX];
    wire_of("www.example.com.", name);
    wire_of("example.com.", zone);
    wire_of("badexample.com.", other);
    assert_true(name_is_under(name, zone));
    assert_true(name_is_below(name, zone));
    assert_true(name_is_under(zone, zone));
    assert_false(name_is_below(zone, zone));
    assert_false(name_is_under(other, zone));
    assert_false(name_is_under(zone, name));
    assert_true(name_is_below(zone, name_root));
    assert_int_equal(name_common_labels(name, other), 1);
    assert_int_equal(name_common_labels(name, zone), 2);
    assert_true(name_equal(name_suffix(name, 2), zone));
    assert_true(name_is_root(name_suffix(name, 0)));
    assert_true(name_equal(name_parent(name), zone));
    assert_true(name_is_root(name_parent(name_root)));
}

static void label_bytes_that_look_like_lengths_do_not_confuse_suffixes(void **state)
{
    /* "\003com" inside one label is not the label com. */
    static const uint8_t tricky[] = "\5a\3com", zone[] = "\3com";
    assert_false(name_is_under(tricky, zone));
}

static void text_round_trips_through_every_octet(void **state)
{
    for (unsigned octet = 0; octet < 256; octet++) {
        uint8_t name[] = {2, (uint8_t)octet, 'x', 1, 'y', 0}, back[NAME_MAX], lower[NAME_MAX];
        char text[NAME_TEXT_MAX];
        assert_int_equal(name_from_text(name_to_text(name, text), back), 0);
        name_copy(name, lower);
        assert_memory_equal(back, lower, sizeof(name));
    }
}

static void text_is_escaped_where_a_zone_file_would_misread_it(void **state)
{
    static const uint8_t name[] = "\6a.b \\\"\3\0\x7f\xff";
    char text[NAME_TEXT_MAX];
    assert_string_equal(name_to_text(name, text), "a\\.b\\032\\\\\\\".\\000\\127\\255.");
    assert_string_equal(name_to_text(name_root, text), ".");
}

static void the_longest_name_fits_and_one_octet_more_does_not(void **state)
{
    char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX];
    /* 3 labels of 63 and one of 61: 3 * 64 + 62 + 1 = 255 octets. */
    memset(text, 'a', 255);
    text[63] = text[127] = text[191] = '.';
    text[253] = '\0';
    assert_int_equal(name_from_text(text, name), 0);
    assert_int_equal(name_size(name), 255);
    text[253] = '.';
    text[254] = '\0';
    assert_int_equal(name_from_text(text, name), 0);
    assert_int_equal(name_size(name), 255);
    text[253] = 'a';
    assert_int_equal(name_from_text(text, name), 1);
}

static void escaped_octets_make_the_longest_text(void **state)
{
    uint8_t name[NAME_MAX];
    char text[NAME_TEXT_MAX];
    memset(name, 0xff, sizeof(name));
    name[0] = name[64] = name[128] = 63;
    name[192] = 61;
    name[254] = 0;
    name_to_text(name, text);
    assert_int_equal(strlen(text), 250 * 4 + 4);
    uint8_t back[NAME_MAX];
    assert_int_equal(name_from_text(text, back), 0);
    assert_memory_equal(back, name, NAME_MAX);
}

static void text_that_is_no_name_is_refused(void **state)
{
    static const char bad[][80] = {
        "",       "..",     ".a",
        "a..b",   "a\\",    "a\\25",
        "a\\256", "a\\2x5", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b"};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t name[NAME_MAX];
        assert_int_equal(name_from_text(bad[i], name), 1);
    }
}

static void bytes_must_be_exactly_one_uncompressed_name(void **state)
{
    uint8_t name[NAME_MAX];
    assert_int_equal(name_from_bytes("\1A\0", 3, name), 0);
    assert_memory_equal(name, "\1a\0", 3);
    assert_int_equal(name_from_bytes("", 1, name), 0);
    assert_int_equal(name_from_bytes("\1A\0", 2, name), 1);
    assert_int_equal(name_from_bytes("\1A\0\0", 4, name), 1);
    assert_int_equal(name_from_bytes("\5abc", 5, name), 1);
    assert_int_equal(name_from_bytes("\300\0", 2, name), 1);
    assert_int_equal(name_from_bytes("\100a", 3, name), 1);
    assert_int_equal(name_from_bytes("", 0, name), 1);
    uint8_t long_name[256] = {0};
    for (unsigned i = 0; i < 254; i += 2)
        long_name[i] = 1;
    assert_int_equal(name_from_bytes(long_name, 255, name), 0);
    long_name[254] = 1;
    assert_int_equal(name_from_bytes(long_name, 256, name), 1);
}

static void wildcard_and_join_stop_at_255_octets(void **state)
{
    uint8_t name[NAME_MAX], out[NAME_MAX];
    wire_of("example.", name);
    assert_int_equal(name_make_wildcard(name, out), 0);
    assert_true(name_is_wildcard(out));
    assert_true(name_equal(name_parent(out), name));
    memset(name, 'a', sizeof(name));
    name[0] = name[64] = name[128] = 63;
    name[192] = 60; /* 192 + 61 + 1 = 254 octets: "*." needs two */
    name[253] = 0;
    assert_int_equal(name_make_wildcard(name, out), 1);
    name[192] = 59;
    name[252] = 0;
    assert_int_equal(name_make_wildcard(name, out), 0);
    assert_int_equal(name_size(out), 255);
}

static void dname_substitution_replaces_the_suffix(void **state)
{
    /* Lines of the table in RFC 6672 2.2. */
    static const struct {
        char name[24], owner[16], target[16], result[24];
    } cases[] = {
        {"a.example.com.", "example.com.", "example.net.", "a.example.net."},
        {"a.b.example.com.", "example.com.", "example.net.", "a.b.example.net."},
        {"a.x.", "x.", ".", "a."},
        {"www.example.com.", "example.com.", "x.example.com.", "www.x.example.com."},
        {"shortloop.x.", "x.", ".", "shortloop."},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t name[NAME_MAX], owner[NAME_MAX], target[NAME_MAX], expected[NAME_MAX], result[NAME_MAX];
        assert_int_equal(name_substitute(wire_of(cases[i].name, name), wire_of(cases[i].owner, owner),
                                         wire_of(cases[i].target, target), result),
                         0);
        assert_true(name_equal(result, wire_of(cases[i].result, expected)));
    }
}

static void dname_substitution_reports_a_name_that_grew_too_long(void **state)
{
    uint8_t name[NAME_MAX], owner[NAME_MAX], target[NAME_MAX], result[NAME_MAX];
    char text[256];
    memset(text, 'a', sizeof(text));
    text[63] = text[127] = '.';
    strcpy(text + 191, ".x.");
    wire_of(text, name); /* 3 * 64 + 3 = 195 octets, 192 of them before x */
    wire_of("x.", owner);
    memset(text, 'b', 61);
    strcpy(text + 61, ".");
    assert_int_equal(name_substitute(name, owner, wire_of(text, target), result), 0);
    assert_int_equal(name_size(result), 255);
    strcpy(text + 61, "b.");
    assert_int_equal(name_substitute(name, owner, wire_of(text, target), result), 1);
}

/* A reader over a message of 12 zero octets and then `tail`. */
static struct reader after_header(uint8_t buf[600], const char *tail, size_t size, size_t at)
{
    memset(buf, 0, 12);
    memcpy(buf + 12, tail, size);
    struct reader r = reader_make(buf, 12 + size);
    r.at = 12 + at;
    return r;
}

static void a_pointer_back_is_followed_and_the_reader_goes_on_behind_it(void **state)
{
    uint8_t buf[600], name[NAME_MAX];
    bool compressed = false;
    struct reader r = after_header(buf, "\3CoM\0\1a\300\14zz", 11, 5);
    assert_int_equal(reader_name(&r, true, name, &compressed), 7);
    assert_memory_equal(name, "\1a\3CoM\0", 7);
    assert_true(compressed);
    assert_int_equal(r.at, 12 + 9);
}

static void pointers_to_themselves_forward_or_in_a_circle_are_refused(void **state)
{
    static const struct {
        char tail[12];
        uint8_t size, at;
    } cases[] = {
        {"\300\14", 2, 0},              /* itself */
        {"\300\16\1a", 5, 0},           /* forward */
        {"\1a\300\14", 4, 0},           /* its own first label */
        {"\300\16\300\14", 4, 2},       /* two that point at each other */
        {"\1a\300\20\1b\300\14", 8, 4}, /* the same with labels */
        {"\300\0", 2, 0},               /* into the header */
        {"\300", 1, 0},                 /* half a pointer */
        {"\100a", 3, 0},                /* label type 01 */
        {"\200a", 3, 0},                /* label type 10 */
        {"\5abc", 4, 0},                /* label beyond the end */
        {"\1a", 2, 0},                  /* no end */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t buf[600], name[NAME_MAX];
        struct reader r = after_header(buf, cases[i].tail, cases[i].size, cases[i].at);
        assert_int_equal(reader_name(&r, true, name, NULL), 0);
        assert_true(r.failed);
        assert_int_equal(reader_left(&r), 0);
    }
}

static void a_name_without_permission_to_compress_has_no_pointer(void **state)
{
    uint8_t buf[600], name[NAME_MAX];
    struct reader r = after_header(buf, "\0\1a\300\14", 5, 1);
    assert_int_equal(reader_name(&r, false, name, NULL), 0);
    assert_true(r.failed);
}

static void a_chain_of_pointers_ends_at_its_limit(void **state)
{
    for (unsigned chain = READER_MAX_POINTERS; chain <= READER_MAX_POINTERS + 1; chain++) {
        uint8_t buf[600] = {0}, name[NAME_MAX];
        size_t at = 13; /* the root is at 12 */
        for (unsigned i = 0, target = 12; i < chain; i++, target = (unsigned)at, at += 2) {
            buf[at] = (uint8_t)(0xc0 | target >> 8);
            buf[at + 1] = (uint8_t)target;
        }
        struct reader r = reader_make(buf, at);
        r.at = at - 2;
        assert_int_equal(reader_name(&r, true, name, NULL), chain <= READER_MAX_POINTERS ? 1 : 0);
    }
}

static void decompression_stops_at_255_octets(void **state)
{
    uint8_t buf[600] = {0}, name[NAME_MAX];
    /* 127 labels of one octet make 255; one more in front through a pointer makes 257. */
    for (unsigned i = 0; i < 127; i++)
        buf[12 + 2 * i] = 1;
    size_t at = 12 + 255;
    memcpy(buf + at, "\1x\300\14", 4);
    struct reader r = reader_make(buf, at + 4);
    r.at = 12;
    assert_int_equal(reader_name(&r, true, name, NULL), 255);
    assert_int_equal(reader_name(&r, true, name, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_order_is_that_of_rfc_4034_6_1),
        cmocka_unit_test(order_does_not_depend_on_case),
        cmocka_unit_test(under_and_below_respect_label_borders),
        cmocka_unit_test(label_bytes_that_look_like_lengths_do_not_confuse_suffixes),
        cmocka_unit_test(text_round_trips_through_every_octet),
        cmocka_unit_test(text_is_escaped_where_a_zone_file_would_misread_it),
        cmocka_unit_test(the_longest_name_fits_and_one_octet_more_does_not),
        cmocka_unit_test(escaped_octets_make_the_longest_text),
        cmocka_unit_test(text_that_is_no_name_is_refused),
        cmocka_unit_test(bytes_must_be_exactly_one_uncompressed_name),
        cmocka_unit_test(wildcard_and_join_stop_at_255_octets),
        cmocka_unit_test(dname_substitution_replaces_the_suffix),
        cmocka_unit_test(dname_substitution_reports_a_name_that_grew_too_long),
        cmocka_unit_test(a_pointer_back_is_followed_and_the_reader_goes_on_behind_it),
        cmocka_unit_test(pointers_to_themselves_forward_or_in_a_circle_are_refused),
        cmocka_unit_test(a_name_without_permission_to_compress_has_no_pointer),
        cmocka_unit_test(a_chain_of_pointers_ends_at_its_limit),
        cmocka_unit_test(decompression_stops_at_255_octets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
