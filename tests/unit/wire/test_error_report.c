#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/error_report.h"

static const uint8_t *wire(const char *text, uint8_t name[NAME_MAX])
{
    assert_int_equal(name_from_text(text, name), 0);
    return name;
}

static void report_is_named_as_the_rfc_says(void **state)
{
    uint8_t name[NAME_MAX], agent[NAME_MAX], report[NAME_MAX], want[NAME_MAX];
    (void)state;
    assert_int_equal(
        error_report_name(wire("broken.test.", name), 1, 7, wire("a01.agent-domain.example.", agent), report),
        0);
    assert_true(name_equal(report, wire("_er.1.broken.test.7._er.a01.agent-domain.example.", want)));
    assert_int_equal(error_report_name(name_root, 65535, 0, agent, report), 0);
    assert_true(name_equal(report, wire("_er.65535.0._er.a01.agent-domain.example.", want)));
}

static void report_of_255_octets_is_made_and_one_more_is_not(void **state)
{
    uint8_t name[NAME_MAX] = {0}, report[NAME_MAX + 1];
    const uint8_t agent[] = {1, 'a', 0};
    /* _er, 1, 7, _er and the agent are 4 + 2 + 2 + 4 + 3 octets: 240 are left for the name's labels. */
    size_t size = 0;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        name[size] = 59;
        memset(name + size + 1, 'x', 59);
        size += 60;
    }
    name[size] = 0;
    memset(report, 0x55, sizeof(report));
    assert_int_equal(error_report_name(name, 1, 7, agent, report), 0);
    assert_int_equal(name_size(report), NAME_MAX);
    assert_int_equal(report[NAME_MAX], 0x55);
    memset(report, 0x55, sizeof(report));
    assert_int_equal(error_report_name(name, 10, 7, agent, report), 1);
    for (size_t i = 0; i < sizeof(report); i++)
        assert_int_equal(report[i], 0x55);
}

static void agent_is_a_whole_name_other_than_the_root(void **state)
{
    uint8_t agent[NAME_MAX], want[NAME_MAX];
    (void)state;
    assert_int_equal(error_report_agent(slice_make("\002Er\005aGent", 10), agent), 0);
    assert_true(name_equal(agent, wire("er.agent.", want)));
    assert_int_equal(agent[1], 'e');
    assert_int_equal(error_report_agent((struct slice){0}, agent), 1);
    assert_int_equal(error_report_agent(slice_make("", 1), agent), 1);
    assert_int_equal(error_report_agent(slice_make("\002er", 3), agent), 1);
    assert_int_equal(error_report_agent(slice_make("\002er\0\0", 5), agent), 1);
    assert_int_equal(error_report_agent(slice_make("\xc0\x0c", 2), agent), 1);
}

static void names_with_a_label_er_are_reports(void **state)
{
    uint8_t name[NAME_MAX];
    (void)state;
    assert_true(error_report_is_one(wire("_er.1.broken.test.7._er.agent.", name)));
    assert_true(error_report_is_one(wire("x._er.agent.", name)));
    assert_false(error_report_is_one(wire("_err.agent.", name)));
    assert_false(error_report_is_one(wire("_e.r.", name)));
    assert_false(error_report_is_one(wire("er.agent.", name)));
    assert_false(error_report_is_one(name_root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_is_named_as_the_rfc_says),
        cmocka_unit_test(report_of_255_octets_is_made_and_one_more_is_not),
        cmocka_unit_test(agent_is_a_whole_name_other_than_the_root),
        cmocka_unit_test(names_with_a_label_er_are_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
