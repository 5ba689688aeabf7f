#pragma once
/* A timer of an event loop, on CLOCK_MONOTONIC.
 *
 * Not sd-event's own: that arms its timerfd with an absolute time, and libfaketime (0.9.10,
 * timer_settime_common()) takes every absolute time of a timerfd for one of the faked CLOCK_REALTIME: a timer
 * then never fires, or timerfd_settime(2) gives EINVAL and the loop ends. Here the descriptor is armed with
 * what is left until the date, which nobody converts.
 *
 * One descriptor a timer, so these are for the few timers of a daemon and for connections, which have a cap.
 * Moving a date further away costs no system call: the descriptor fires at the old date and is armed anew. */

#include <systemd/sd-event.h>

#include "common/base/util.h"

struct event_timer;

/* Off at first. due() is called once for each date set; it may set the next one or free the timer; its result
 * is the loop's (negative: the source is switched off). 0 or -errno. */
int event_timer_new(sd_event *event, int (*due)(void *ctx), void *ctx, struct event_timer **ret_timer);
/* The next date; MONO_NEVER: off. Replaces the one before. A date in the past is due in the loop's next turn.
 * A timer not made yet (NULL) is left alone. */
void event_timer_set(struct event_timer *timer, mono_ns date);
/* From now. */
void event_timer_set_us(struct event_timer *timer, uint64_t delay_us);
/* NULL is allowed. */
void event_timer_free(struct event_timer *timer);
