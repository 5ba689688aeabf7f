/* Messages: what the builder writes the parser reads, and what no honest server sends is refused. */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_survives_building_and_parsing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
