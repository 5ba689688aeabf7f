/* The record of an open incident: what is written is read again, and damage is a miss. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/validatord/core/incident.h"

static const char cause[] = "de. NSEC3: no valid signature by key tag 33834";

static struct incident_record example(void)
{
    struct incident_record record = {.since = {.s = 1777000000},
                                     .probes_failed = 7,
                                     .degraded = true,
                                     .ede = 6,
                                     .text = slice_make(cause, sizeof(cause) - 1),
                                     .target_count = 2};
    name_from_text("a.de.", record.targets[0].name);
    record.targets[0].type = TYPE_DS;
    name_from_text("b.de.", record.targets[1].name);
    record.targets[1].type = TYPE_DS;
    return record;
}

static void a_record_is_read_as_it_was_written(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct incident_record record = example(), read;
    struct cache_key key;
    struct slice value;
    uint8_t de[NAME_MAX], zone[NAME_MAX];
    name_from_text("de.", de);
    assert_int_equal(incident_key(de, &key), 0);
    assert_int_equal(incident_encode(arena, cache_key_slice(&key), &record, &value), 0);
    assert_int_equal(incident_key_zone(cache_key_slice(&key), zone), 0);
    assert_true(name_equal(zone, de));
    assert_int_equal(incident_decode(cache_key_slice(&key), value, &read), 0);
    assert_int_equal(read.since.s, record.since.s);
    assert_int_equal(read.probes_failed, 7);
    assert_true(read.degraded && !read.transport);
    assert_int_equal(read.ede, 6);
    assert_int_equal(read.text.size, sizeof(cause) - 1);
    assert_memory_equal(read.text.data, cause, sizeof(cause) - 1);
    assert_int_equal(read.target_count, 2);
    assert_true(name_equal(read.targets[1].name, record.targets[1].name));
    assert_int_equal(read.targets[1].type, TYPE_DS);
}

static void the_roots_record_has_a_key_of_its_own(void **state)
{
    struct cache_key key;
    uint8_t zone[NAME_MAX];
    assert_int_equal(incident_key(name_root, &key), 0);
    assert_int_equal(incident_key_zone(cache_key_slice(&key), zone), 0);
    assert_true(name_is_root(zone));
}

static void keys_of_other_things_are_none(void **state)
{
    uint8_t zone[NAME_MAX];
    assert_int_equal(incident_key_zone(slice_make("epoch", 5), zone), 1);
    assert_int_equal(incident_key_zone(slice_make("incident", 9), zone), 1);
    assert_int_equal(incident_key_zone(slice_make("incidents of a kind", 19), zone), 1);
}

/* Whatever the bytes of a whole blob say, the reader stays inside it. */
static void blobs_of_any_content_are_read_or_missed(void **state)
{
    uint8_t de[NAME_MAX], blob[600];
    struct cache_key key;
    uint32_t random = 1;
    name_from_text("de.", de);
    assert_int_equal(incident_key(de, &key), 0);
    for (unsigned round = 0; round < 20000; round++) {
        _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
        struct incident_record read;
        struct slice value;
        size_t size = round % sizeof(blob);
        for (size_t i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            blob[i] = round % 3 ? (uint8_t)(random >> 29) : (uint8_t)(random >> 24);
        }
        uint8_t *exact = arena_copy(arena, blob, size);
        assert_int_equal(cache_blob_encode(arena, cache_key_slice(&key), slice_make(exact, size), &value), 0);
        if (incident_decode(cache_key_slice(&key), value, &read) != 0)
            continue;
        assert_true(read.text.size <= ANSWER_EDE_TEXT && read.target_count <= VAL_PROBE_TARGETS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_as_it_was_written),
        cmocka_unit_test(the_roots_record_has_a_key_of_its_own),
        cmocka_unit_test(keys_of_other_things_are_none),
        cmocka_unit_test(blobs_of_any_content_are_read_or_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
