#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "common/event/event_timer.h"

struct fixture {
    sd_event *event;
    struct event_timer *timer;
    unsigned fired;
    uint64_t again_us; /* 0: once */
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int due(void *ctx)
{
    struct fixture *f = ctx;
    f->fired++;
    if (f->again_us)
        event_timer_set_us(f->timer, f->again_us);
    return 0;
}

static void start(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_int_equal(sd_event_new(&f->event), 0);
    assert_int_equal(event_timer_new(f->event, due, f, &f->timer), 0);
}

static void stop(struct fixture *f)
{
    event_timer_free(f->timer);
    sd_event_unref(f->event);
}

/* Turns the loop until then. */
static void turn_for(struct fixture *f, uint64_t us)
{
    for (uint64_t now = now_us(), end = now + us; now < end; now = now_us())
        assert_true(sd_event_run(f->event, end - now) >= 0);
}

static void a_timer_fires_once_and_not_early(void **state)
{
    struct fixture f;
    start(&f);
    uint64_t begin = now_us();
    event_timer_set_us(f.timer, 20000);
    while (!f.fired)
        assert_true(sd_event_run(f.event, UINT64_MAX) >= 0);
    assert_true(now_us() - begin >= 20000);
    turn_for(&f, 50000);
    assert_int_equal(f.fired, 1);
    stop(&f);
}

static void a_later_date_replaces_an_earlier_one(void **state)
{
    struct fixture f;
    start(&f);
    uint64_t begin = now_us();
    event_timer_set_us(f.timer, 5000);
    event_timer_set_us(f.timer, 60000);
    while (!f.fired)
        assert_true(sd_event_run(f.event, UINT64_MAX) >= 0);
    assert_true(now_us() - begin >= 60000);
    stop(&f);
}

static void an_earlier_date_replaces_a_later_one(void **state)
{
    struct fixture f;
    start(&f);
    event_timer_set_us(f.timer, 3600000000u);
    event_timer_set_us(f.timer, 1000);
    while (!f.fired)
        assert_true(sd_event_run(f.event, UINT64_MAX) >= 0);
    stop(&f);
}

static void a_timer_that_is_switched_off_stays_silent(void **state)
{
    struct fixture f;
    start(&f);
    event_timer_set_us(f.timer, 1000);
    event_timer_set(f.timer, MONO_NEVER);
    turn_for(&f, 30000);
    assert_int_equal(f.fired, 0);
    stop(&f);
}

static void a_timer_may_set_itself_again(void **state)
{
    struct fixture f;
    start(&f);
    f.again_us = 1000;
    event_timer_set(f.timer, (mono_ns){.ns = 1}); /* long past: at once */
    while (f.fired < 5)
        assert_true(sd_event_run(f.event, UINT64_MAX) >= 0);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_not_early),
        cmocka_unit_test(a_later_date_replaces_an_earlier_one),
        cmocka_unit_test(an_earlier_date_replaces_a_later_one),
        cmocka_unit_test(a_timer_that_is_switched_off_stays_silent),
        cmocka_unit_test(a_timer_may_set_itself_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
