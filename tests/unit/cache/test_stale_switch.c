#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void store(struct fixture *f, const struct stale_switch *set)
{
    struct cache_write write = {.db = CACHE_META, .key = stale_switch_key()};
    assert_int_equal(stale_switch_encode(f->arena, set, &write.value), 0);
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
}

static void say(struct fixture *f, const char *zone, bool on)
{
    struct stale_switch set;
    stale_switch_read(&f->view, &set);
    assert_int_equal(stale_switch_set(&set, fx_name(f, zone), on), 0);
    store(f, &set);
}

static bool allowed(struct fixture *f, const struct stale_rule *rule, const char *name)
{
    return stale_switch_allows(&f->view, rule, fx_name(f, name));
}

static void the_configuration_decides_where_nothing_is_switched(void **state)
{
    struct fixture *f = *state;
    const uint8_t *const off[] = {fx_name(f, "example"), fx_name(f, "a.other")};
    struct stale_rule rule = {.enabled = true, .disabled_zones = off, .disabled_zone_count = 2};
    assert_true(allowed(f, &rule, "www.other"));
    assert_false(allowed(f, &rule, "example"));
    assert_false(allowed(f, &rule, "www.example"));
    assert_true(allowed(f, &rule, "notexample"));
    assert_false(allowed(f, &rule, "b.a.other"));
    rule.enabled = false;
    assert_false(allowed(f, &rule, "www.other"));
}

static void the_zone_closest_to_the_name_decides_and_the_operator_before_the_configuration(void **state)
{
    struct fixture *f = *state;
    const uint8_t *const off[] = {fx_name(f, "example")};
    struct stale_rule rule = {.enabled = true, .disabled_zones = off, .disabled_zone_count = 1};
    say(f, ".", false);
    assert_false(allowed(f, &rule, "www.other"));
    say(f, "other", true);
    assert_true(allowed(f, &rule, "www.other"));
    say(f, ".", true);
    assert_false(allowed(f, &rule, "www.example")); /* the configuration's zone is closer */
    say(f, "example", true);
    assert_true(allowed(f, &rule, "www.example"));
    say(f, "deep.example", false);
    assert_false(allowed(f, &rule, "www.deep.example"));
}

static void what_is_switched_can_be_taken_back_and_has_a_cap(void **state)
{
    struct fixture *f = *state;
    struct stale_switch set = {.count = 0}, again;
    char name[32];
    for (unsigned i = 0; i < STALE_SWITCH_MAX; i++) {
        snprintf(name, sizeof(name), "zone%u.example", i);
        assert_int_equal(stale_switch_set(&set, fx_name(f, name), i % 2), 0);
    }
    assert_int_equal(stale_switch_set(&set, fx_name(f, "one.more"), true), 1);
    assert_int_equal(stale_switch_set(&set, fx_name(f, "zone3.example"), false), 0);
    assert_int_equal(stale_switch_clear(&set, fx_name(f, "zone5.example")), 0);
    assert_int_equal(stale_switch_clear(&set, fx_name(f, "zone5.example")), 1);
    store(f, &set);
    stale_switch_read(&f->view, &again);
    assert_int_equal(again.count, STALE_SWITCH_MAX - 1);
    for (unsigned i = 0; i < again.count; i++) {
        assert_true(name_equal(again.zones[i].zone, set.zones[i].zone));
        assert_int_equal(again.zones[i].on, set.zones[i].on);
    }
}

static void a_damaged_record_switches_nothing(void **state)
{
    struct fixture *f = *state;
    struct stale_rule rule = {.enabled = true};
    struct cache_write write = {.db = CACHE_META, .key = stale_switch_key()};
    struct stale_switch set;
    say(f, ".", false);
    assert_false(allowed(f, &rule, "www.example"));
    write.value = slice_make((const uint8_t *)"nonsense", 8);
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
    assert_true(allowed(f, &rule, "www.example"));
    /* checksummed, but not what it should be */
    static const uint8_t cut[] = {1, 3, 'c', 'o', 'm', 0, 0, 7, 'e', 'x'};
    assert_int_equal(
        cache_blob_encode(f->arena, stale_switch_key(), slice_make(cut, sizeof(cut)), &write.value), 0);
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
    stale_switch_read(&f->view, &set);
    assert_int_equal(set.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_configuration_decides_where_nothing_is_switched),
        TEST(the_zone_closest_to_the_name_decides_and_the_operator_before_the_configuration),
        TEST(what_is_switched_can_be_taken_back_and_has_a_cap),
        TEST(a_damaged_record_switches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
