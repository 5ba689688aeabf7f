/* RDATA against libldns as an oracle: records of every type from zone text through ldns to wire; our text
 * must be what ldns prints (differences are listed with their reason), our canonical form what ldns makes
 * canonical. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "common/wire/message.h"
#include "common/wire/rdata.h"
#include "tests/unit/wire/rdata_samples.h"

static ldns_rr *parse(const char *text)
{
    ldns_rr *rr = NULL;
    ldns_status status = ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL);
    if (status != LDNS_STATUS_OK)
        print_message("%s: %s\n", text, ldns_get_errorstr_by_id(status));
    return status == LDNS_STATUS_OK ? rr : NULL;
}

/* The RDATA of a record as ldns puts it on the wire. */
static struct rdata rdata_of(const ldns_rr *rr, bool canonical, uint8_t buf[65536])
{
    ldns_rr *copy = ldns_rr_clone(rr);
    if (canonical)
        ldns_rr2canonical(copy);
    uint8_t *wire;
    size_t size, head;
    assert_int_equal(ldns_rr2wire(&wire, copy, LDNS_SECTION_ANSWER, &size), LDNS_STATUS_OK);
    head = ldns_rdf_size(ldns_rr_owner(copy)) + 10;
    assert_true(size >= head);
    memcpy(buf, wire + head, size - head);
    free(wire);
    ldns_rr_free(copy);
    return (struct rdata){.data = buf, .size = (uint16_t)(size - head)};
}

/* What ldns prints behind the type, without its final newline and comments. */
static void oracle_text(const ldns_rr *rr, char *buf, size_t room)
{
    char *line = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
    char *at = line;
    assert_non_null(line);
    for (unsigned tabs = 0; tabs < 4 && *at; at++)
        tabs += *at == '\t';
    size_t size = strcspn(at, "\n");
    while (size && (at[size - 1] == ' '))
        size--;
    assert_true(size < room);
    memcpy(buf, at, size);
    buf[size] = '\0';
    free(line);
}

static void text_is_what_ldns_prints(void **state)
{
    static uint8_t wire[65536];
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        char theirs[4096], ours[4096];
        ldns_rr *rr = parse(samples[i].text);
        assert_non_null(rr);
        struct rdata rdata = rdata_of(rr, false, wire);
        oracle_text(rr, theirs, sizeof(theirs));
        size_t needed = rdata_to_text((uint16_t)ldns_rr_get_type(rr), &rdata, ours, sizeof(ours));
        const char *expected = samples[i].ours ? samples[i].ours : theirs;
        if (strcmp(ours, expected) != 0 || needed != strlen(ours)) {
            print_message("%s\n  ldns     %s\n  expected %s\n  ours     %s\n", samples[i].text, theirs,
                          expected, ours);
            wrong++;
        }
        ldns_rr_free(rr);
    }
    assert_int_equal(wrong, 0);
}

static void canonical_form_is_what_ldns_makes(void **state)
{
    static uint8_t wire[65536], theirs[65536], ours[65536];
    unsigned wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        ldns_rr *rr = parse(samples[i].text);
        assert_non_null(rr);
        uint16_t type = (uint16_t)ldns_rr_get_type(rr);
        struct rdata rdata = rdata_of(rr, false, wire), canonical = rdata_of(rr, true, theirs);
        assert_int_equal(rdata.size, canonical.size);
        assert_int_equal(rdata_check(type, &rdata), 0);
        rdata_canonicalize(type, &rdata, ours);
        if (memcmp(ours, canonical.data, canonical.size) != 0) {
            print_message("%s\n", samples[i].text);
            wrong++;
        }
        ldns_rr_free(rr);
    }
    assert_int_equal(wrong, 0);
}

/* What ldns puts into a message our parser must take apart, and give back uncompressed. */
static void parser_reads_every_type_from_a_message_of_ldns(void **state)
{
    static uint8_t expected[65536];
    struct arena *arena = arena_new(1u << 20);
    ldns_pkt *packet =
        ldns_pkt_query_new(ldns_dname_new_frm_str("x."), LDNS_RR_TYPE_ANY, LDNS_RR_CLASS_IN, LDNS_QR);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, parse(samples[i].text));
    uint8_t *wire;
    size_t size;
    struct message m;
    assert_int_equal(ldns_pkt2wire(&wire, packet, &size), LDNS_STATUS_OK);
    assert_int_equal(message_parse(arena, wire, size, &m), MESSAGE_OK);
    assert_int_equal(m.count[SECTION_ANSWER], ARRAY_SIZE(samples));
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(packet), i);
        struct rdata rdata = rdata_of(rr, false, expected);
        const struct rr *ours = &m.rr[SECTION_ANSWER][i];
        assert_int_equal(ours->type, ldns_rr_get_type(rr));
        assert_int_equal(ours->ttl, 60);
        assert_int_equal(ours->rdata.size, rdata.size);
        assert_memory_equal(ours->rdata.data, rdata.data, rdata.size);
    }
    free(wire);
    ldns_pkt_free(packet);
    arena_free(arena);
}

static void type_names_are_those_of_ldns(void **state)
{
    unsigned known = 0;
    for (unsigned type = 1; type < 65536; type++) {
        char ours[16];
        uint16_t back;
        rrtype_to_text((uint16_t)type, ours);
        assert_int_equal(rrtype_from_text(ours, &back), 0);
        assert_int_equal(back, type);
        if (strncmp(ours, "TYPE", 4) == 0 || type == TYPE_NXNAME) /* NXNAME is younger than ldns 1.8 */
            continue;
        char *theirs = ldns_rr_type2str((ldns_rr_type)type);
        assert_string_equal(ours, theirs);
        free(theirs);
        known++;
    }
    assert_true(known > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_ldns_prints),
        cmocka_unit_test(canonical_form_is_what_ldns_makes),
        cmocka_unit_test(parser_reads_every_type_from_a_message_of_ldns),
        cmocka_unit_test(type_names_are_those_of_ldns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
