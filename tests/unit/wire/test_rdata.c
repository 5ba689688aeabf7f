/* RDATA without an oracle: type bit maps, shapes, dates, names of numbers, text that is cut. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/rdata.h"

static struct rdata bytes(const char *data, size_t size)
{
    return (struct rdata){.data = (const uint8_t *)data, .size = (uint16_t)size};
}

static void bit_maps_hold_what_their_bits_say(void **state)
{
    /* A, MX, RRSIG, NSEC, TYPE1234: RFC 4034 4.3 */
    static const uint8_t map[] = {0, 6, 0x40, 1, 0, 0, 0, 3, 4, 27, 0, 0, 0, 0, 0, 0, 0, 0,   0,
                                  0, 0, 0,    0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0x20};
    unsigned held = 0;
    for (unsigned type = 0; type < 65536; type++)
        held += type_bitmap_has(map, sizeof(map), (uint16_t)type);
    assert_int_equal(held, 5);
    assert_true(type_bitmap_has(map, sizeof(map), TYPE_A));
    assert_true(type_bitmap_has(map, sizeof(map), TYPE_MX));
    assert_true(type_bitmap_has(map, sizeof(map), TYPE_RRSIG));
    assert_true(type_bitmap_has(map, sizeof(map), TYPE_NSEC));
    assert_true(type_bitmap_has(map, sizeof(map), 1234));
    assert_false(type_bitmap_has(map, 0, TYPE_A));
}

static void a_malformed_bit_map_holds_nothing(void **state)
{
    static const struct {
        char map[12];
        uint8_t size;
    } bad[] = {
        {"\0\1\100\0\1\100", 6}, /* a window twice */
        {"\1\1\100\0\1\100", 6}, /* windows out of order */
        {"\0\1\100\1\0", 5},     /* an empty window */
        {"\0\1\100\1", 4},       /* half a window */
        {"\0\1\100\1\2\1", 6},   /* beyond the end */
        {"\0\1\100\1\41\1", 6},  /* more than 32 octets */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(type_bitmap_has((const uint8_t *)bad[i].map, bad[i].size, TYPE_A));
}

static void text_that_does_not_fit_is_cut_and_its_length_told(void **state)
{
    struct rdata rdata = bytes("\12one two 33\3abc", 15);
    char buf[64];
    assert_int_equal(rdata_to_text(TYPE_TXT, &rdata, buf, sizeof(buf)), 18);
    assert_string_equal(buf, "\"one two 33\" \"abc\"");
    for (size_t room = 1; room < 18; room++) {
        assert_int_equal(rdata_to_text(TYPE_TXT, &rdata, buf, room), 18);
        assert_int_equal(strlen(buf), room - 1);
    }
    assert_int_equal(rdata_to_text(TYPE_TXT, &rdata, NULL, 0), 18);
}

static void rdata_without_its_shape_prints_as_unknown(void **state)
{
    char buf[64];
    struct rdata rdata = bytes("\300\0\2", 3);
    rdata_to_text(TYPE_A, &rdata, buf, sizeof(buf));
    assert_string_equal(buf, "\\# 3 c00002");
    rdata = bytes("", 0);
    rdata_to_text(TYPE_NS, &rdata, buf, sizeof(buf));
    assert_string_equal(buf, "\\# 0");
}

static void dates_are_right_at_the_borders_of_months_and_centuries(void **state)
{
    static const struct {
        uint32_t time;
        char text[16];
    } cases[] = {
        {0, "19700101000000"},          {951782399, "20000228235959"},  {951782400, "20000229000000"},
        {951868800, "20000301000000"},  {1709164800, "20240229000000"}, {1735689599, "20241231235959"},
        {2147483647, "20380119031407"}, {4107542399, "21000228235959"}, {4107542400, "21000301000000"},
        {4294967295, "21060207062815"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t data[] = "\0\1\10\2\0\0\0\1....\0\0\0\0\0\1\0s";
        struct rdata rdata = {.data = data, .size = 20};
        char buf[80];
        for (unsigned k = 0; k < 4; k++)
            data[8 + k] = (uint8_t)(cases[i].time >> (24 - 8 * k));
        rdata_to_text(TYPE_RRSIG, &rdata, buf, sizeof(buf));
        assert_memory_equal(buf, "A 8 2 1 ", 8);
        assert_memory_equal(buf + 8, cases[i].text, 14);
    }
}

static void the_inside_of_structured_rdata_is_checked(void **state)
{
    static const struct {
        uint16_t type;
        uint8_t size;
        char rdata[32];
    } bad[] = {
        {TYPE_SVCB, 11, "\0\1\0\0\3\0\2\0\1\0\0"},                        /* port, then again a smaller key */
        {TYPE_SVCB, 9, "\0\1\0\0\3\0\3ab"},                               /* value beyond the end */
        {TYPE_SVCB, 8, "\0\1\0\0\3\0\1a"},                                /* port of one octet */
        {TYPE_SVCB, 7, "\0\1\0\0\1\0\0"},                                 /* alpn without a protocol */
        {TYPE_SVCB, 8, "\0\1\0\0\1\0\1\0"},                               /* an empty protocol */
        {TYPE_SVCB, 10, "\0\1\0\0\4\0\3abc"},                             /* three quarters of an address */
        {TYPE_SVCB, 9, "\0\1\0\0\0\0\2\0\0"},                             /* mandatory names itself */
        {TYPE_LOC, 16, "\1\22\26\23\200\0\0\0\200\0\0\0\0\230\226\200"},  /* version 1 */
        {TYPE_LOC, 16, "\0\252\26\23\200\0\0\0\200\0\0\0\0\230\226\200"}, /* ten times ten to the tenth */
        {TYPE_APL, 5, "\0\1\41\1a"},                                      /* 33 bits of IPv4 */
        {TYPE_APL, 5, "\0\3\1\1a"},                                       /* an unknown family */
        {TYPE_IPSECKEY, 4, "\1\4\2a"},                                    /* an unknown gateway */
        {TYPE_HIP, 5, "\0\2\0\1a"},                                       /* no tag */
        {TYPE_CAA, 3, "\0\0x"},                                           /* an empty tag */
        {TYPE_TXT, 0, ""},
        {TYPE_TXT, 2, "\2a"},
        {TYPE_A6, 2, "\201\0"}, /* prefix of 129 */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct rdata rdata = bytes(bad[i].rdata, bad[i].size);
        assert_int_equal(rdata_check(bad[i].type, &rdata), 1);
    }
    struct rdata unknown = bytes("anything", 8);
    assert_int_equal(rdata_check(65280, &unknown), 0);
}

static void alpn_ids_with_commas_are_escaped_twice(void **state)
{
    /* The example of RFC 9460 D.2: alpn="f\\\\oo\\,bar,h2" */
    struct rdata rdata = bytes("\0\1\0\0\1\0\14\10f\\oo,bar\2h2", 19);
    char buf[80];
    rdata_to_text(TYPE_SVCB, &rdata, buf, sizeof(buf));
    assert_string_equal(buf, "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"");
}

static void canonical_form_spares_the_next_name_of_nsec(void **state)
{
    struct rdata nsec = bytes("\1A\0\0\1\100", 6), rrsig = bytes("\0\1\10\2"
                                                                 "123456789012\0\0\1A\0S",
                                                                 22);
    uint8_t out[32];
    rdata_canonicalize(TYPE_NSEC, &nsec, out);
    assert_memory_equal(out, nsec.data, nsec.size);
    rdata_canonicalize(TYPE_RRSIG, &rrsig, out);
    assert_int_equal(out[19], 'a');
    assert_int_equal(out[21], 'S');
}

static void a_signature_is_taken_apart(void **state)
{
    struct rdata rdata = bytes("\0\60\15\2\0\0\16\20\0\0\0\2\0\0\0\1\60\71\1Z\0sig", 24);
    struct rrsig sig;
    assert_int_equal(rrsig_parse(&rdata, &sig), 0);
    assert_int_equal(sig.type_covered, TYPE_DNSKEY);
    assert_int_equal(sig.algorithm, ALG_ECDSAP256);
    assert_int_equal(sig.labels, 2);
    assert_int_equal(sig.original_ttl, 3600);
    assert_int_equal(sig.expiration, 2);
    assert_int_equal(sig.inception, 1);
    assert_int_equal(sig.key_tag, 12345);
    assert_memory_equal(sig.signer, "\1Z", 3);
    assert_int_equal(sig.signature_size, 3);
    assert_memory_equal(sig.signature, "sig", 3);
    for (rdata.size = 0; rdata.size < 21; rdata.size++)
        assert_int_equal(rrsig_parse(&rdata, &sig), 1);
}

static void numbers_have_their_names(void **state)
{
    char buf[24];
    uint16_t type;
    assert_string_equal(rrtype_to_text(TYPE_HTTPS, buf), "HTTPS");
    assert_string_equal(rrtype_to_text(65280, buf), "TYPE65280");
    assert_int_equal(rrtype_from_text("nsec3Param", &type), 0);
    assert_int_equal(type, TYPE_NSEC3PARAM);
    assert_int_equal(rrtype_from_text("type65535", &type), 0);
    assert_int_equal(type, 65535);
    assert_int_equal(rrtype_from_text("TYPE65536", &type), 1);
    assert_int_equal(rrtype_from_text("TYPE", &type), 1);
    assert_int_equal(rrtype_from_text("TYPE1x", &type), 1);
    assert_int_equal(rrtype_from_text("NSE", &type), 1);
    assert_int_equal(rrtype_from_text("", &type), 1);
    assert_string_equal(rcode_to_text(RCODE_NXDOMAIN, buf), "NXDOMAIN");
    assert_string_equal(rcode_to_text(99, buf), "RCODE99");
    assert_string_equal(ede_to_text(EDE_DNSSEC_BOGUS), "DNSSEC Bogus");
    assert_string_equal(ede_to_text(4711), "");
    assert_string_equal(algorithm_to_text(ALG_ECDSAP256, buf), "ECDSAP256SHA256");
    assert_string_equal(algorithm_to_text(99, buf), "ALG99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bit_maps_hold_what_their_bits_say),
        cmocka_unit_test(a_malformed_bit_map_holds_nothing),
        cmocka_unit_test(text_that_does_not_fit_is_cut_and_its_length_told),
        cmocka_unit_test(rdata_without_its_shape_prints_as_unknown),
        cmocka_unit_test(dates_are_right_at_the_borders_of_months_and_centuries),
        cmocka_unit_test(the_inside_of_structured_rdata_is_checked),
        cmocka_unit_test(alpn_ids_with_commas_are_escaped_twice),
        cmocka_unit_test(canonical_form_spares_the_next_name_of_nsec),
        cmocka_unit_test(a_signature_is_taken_apart),
        cmocka_unit_test(numbers_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
