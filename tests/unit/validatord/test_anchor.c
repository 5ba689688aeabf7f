/* Trust anchors in the core: configuration against what is kept, the operator's changes, what is persisted
 * first. */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

#define OTHER_DS                                                                                             \
    "\x12\x34\x0d\x02"                                                                                       \
    "0123456789abcdef0123456789abcdef"

static const struct rdata other = {.data = (const uint8_t *)OTHER_DS, .size = 36};

static int setup(void **state)
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "www.test. 60 IN A 192.0.2.1\n");
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    lab_free(*state);
    return 0;
}

static void start(struct lab *lab)
{
    lab_start(lab);
    assert_int_equal(val_core_load_anchors(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
}

static int count_one(void *ctx, const struct val_trust_point *point)
{
    unsigned *count = ctx;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        *count += point->in_force[i];
    return 0;
}

static unsigned in_force(struct lab *lab)
{
    unsigned count = 0;
    assert_int_equal(val_core_trust_points(lab->core, &lab->env, count_one, &count), 0);
    return count;
}

static int add(struct lab *lab)
{
    int r = val_core_anchor_add(lab->core, &lab->env, &lab->view, name_root, TYPE_DS, &other);
    lab_drive(lab);
    return r;
}

static void what_is_configured_is_in_force_at_once_and_kept(void **state)
{
    struct lab *lab = *state;

    start(lab);
    assert_int_equal(in_force(lab), 1);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_BEGUN], 1);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_CONFIGURED], 1);
    assert_int_equal(lab_ask(lab, "www.test.", TYPE_A)->security, SECURITY_SECURE);
    assert_int_equal(val_core_load_anchors(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_CONFIGURED], 1); /* nothing new the second time */
}

static void a_change_that_cannot_be_persisted_does_not_take_effect(void **state)
{
    struct lab *lab = *state;

    start(lab);
    lab->anchors_unwritable = true;
    assert_int_equal(add(lab), VAL_ANCHOR_OK);
    assert_int_equal(in_force(lab), 1);
    lab->anchors_unwritable = false;
    assert_int_equal(add(lab), VAL_ANCHOR_OK);
    assert_int_equal(in_force(lab), 2);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_ADDED], 2);
}

static void while_a_change_is_written_the_next_one_has_to_wait(void **state)
{
    struct lab *lab = *state;

    start(lab);
    assert_int_equal(val_core_anchor_add(lab->core, &lab->env, &lab->view, name_root, TYPE_DS, &other), 0);
    assert_int_equal(val_core_anchor_add(lab->core, &lab->env, &lab->view, name_root, TYPE_DS, &other),
                     VAL_ANCHOR_BUSY);
    assert_int_equal(val_core_anchor_remove(lab->core, &lab->env, &lab->view, name_root, 0x1234, false),
                     VAL_ANCHOR_BUSY);
    lab_drive(lab);
    assert_int_equal(val_core_anchor_remove(lab->core, &lab->env, &lab->view, name_root, 0x1234, false), 0);
    lab_drive(lab);
    assert_int_equal(in_force(lab), 1);
}

static void configured_and_unknown_keys_are_not_removed(void **state)
{
    struct lab *lab = *state;

    start(lab);
    assert_int_equal(val_core_anchor_remove(lab->core, &lab->env, &lab->view, name_root, -1, false),
                     VAL_ANCHOR_CONFIGURED);
    assert_int_equal(val_core_anchor_remove(lab->core, &lab->env, &lab->view, name_root, 0x1234, true),
                     VAL_ANCHOR_UNKNOWN);
    const uint8_t *zone = zone_text_name(lab->arena, "nowhere.");
    assert_int_equal(val_core_anchor_remove(lab->core, &lab->env, &lab->view, zone, -1, false),
                     VAL_ANCHOR_UNKNOWN);
    assert_int_equal(in_force(lab), 1);
}

/* Configuration changes while it runs: what a reload does. */
static void what_is_configured_no_more_goes_and_an_operators_key_stays(void **state)
{
    struct lab *lab = *state;
    struct val_config config;

    start(lab);
    assert_int_equal(add(lab), VAL_ANCHOR_OK);
    config = lab->config;
    config.anchor_count = 0;
    assert_int_equal(val_core_configure(lab->core, &config), 0);
    assert_int_equal(val_core_load_anchors(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
    assert_int_equal(in_force(lab), 1);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_DROPPED], 1);
    assert_int_equal(val_core_configure(lab->core, &lab->config), 0);
    assert_int_equal(val_core_load_anchors(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
    assert_int_equal(in_force(lab), 2);
}

static void a_damaged_record_is_told_and_the_configuration_applies(void **state)
{
    struct lab *lab = *state;
    struct cache_key key;
    struct cache_write write = {.db = CACHE_ANCHOR, .value = slice_make("damaged", 7)};

    assert_int_equal(cache_key_name(name_root, &key), 0);
    write.key = cache_key_slice(&key);
    lab_start(lab);
    assert_int_equal(memstore_apply(lab->store, &write, false), 0);
    assert_int_equal(val_core_load_anchors(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
    assert_int_equal(lab->anchor_events[ANCHOR_EVENT_DAMAGED], 1);
    assert_int_equal(in_force(lab), 1);
    assert_int_equal(lab_ask(lab, "www.test.", TYPE_A)->security, SECURITY_SECURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_configured_is_in_force_at_once_and_kept),
        TEST(a_change_that_cannot_be_persisted_does_not_take_effect),
        TEST(while_a_change_is_written_the_next_one_has_to_wait),
        TEST(configured_and_unknown_keys_are_not_removed),
        TEST(what_is_configured_no_more_goes_and_an_operators_key_stays),
        TEST(a_damaged_record_is_told_and_the_configuration_applies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
