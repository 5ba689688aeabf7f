#include "common/event/event_timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct event_timer {
    int fd;
    sd_event_source *source;
    mono_ns date;  /* MONO_NEVER: off */
    mono_ns armed; /* the descriptor fires then; MONO_NEVER: it does not */
    int (*due)(void *ctx);
    void *ctx;
};

static mono_ns now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns){.ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
}

static void arm(struct event_timer *timer)
{
    mono_ns at = now();
    /* 0 would disarm it. */
    uint64_t left = timer->date.ns > at.ns ? timer->date.ns - at.ns : 1;
    struct itimerspec value = {
        .it_value = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)}};
    int r = timerfd_settime(timer->fd, 0, &value, NULL);
    /* It can only refuse what is no time or no timer. */
    assert(r == 0);
    timer->armed = timer->date;
}

static int fired(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct event_timer *timer = userdata;
    uint64_t count;
    if (read(timer->fd, &count, sizeof(count)) < 0)
        return 0; /* EAGAIN: it was armed anew since it fired */
    timer->armed = MONO_NEVER;
    if (timer->date.ns == MONO_NEVER.ns)
        return 0;
    if (!mono_reached(now(), timer->date)) {
        arm(timer);
        return 0;
    }
    timer->date = MONO_NEVER;
    return timer->due(timer->ctx);
}

int event_timer_new(sd_event *event, int (*due)(void *ctx), void *ctx, struct event_timer **ret_timer)
{
    struct event_timer *timer = calloc(1, sizeof(*timer));
    if (!timer)
        return -ENOMEM;
    *timer = (struct event_timer){.date = MONO_NEVER, .armed = MONO_NEVER, .due = due, .ctx = ctx};
    timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int r = timer->fd < 0 ? -errno : sd_event_add_io(event, &timer->source, timer->fd, EPOLLIN, fired, timer);
    if (r < 0) {
        event_timer_free(timer);
        return r;
    }
    *ret_timer = timer;
    return 0;
}

void event_timer_set(struct event_timer *timer, mono_ns date)
{
    if (!timer)
        return;
    timer->date = date;
    if (date.ns < timer->armed.ns)
        arm(timer);
}

void event_timer_set_us(struct event_timer *timer, uint64_t delay_us)
{
    event_timer_set(timer, (mono_ns){.ns = now().ns + delay_us * 1000});
}

void event_timer_free(struct event_timer *timer)
{
    if (!timer)
        return;
    sd_event_source_disable_unref(timer->source);
    if (timer->fd >= 0)
        close(timer->fd);
    free(timer);
}
