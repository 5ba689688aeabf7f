#pragma once
/* Deadlines of the core in a binary heap: the shell arms one timer for the earliest. */

#include "common/base/util.h"

enum timer_kind { TIMER_EXCHANGE, TIMER_TASK, TIMER_HEDGE, TIMER_PRIMING };

struct timer {
    mono_ns at;
    size_t place; /* 1 + index in the heap; 0: not armed */
    enum timer_kind kind;
};

struct timers {
    struct timer **heap;
    size_t count, room;
};

void timers_fini(struct timers *timers);
/* (Re)arms. 0 or -ENOMEM: then it is not armed. */
int timer_arm(struct timers *timers, struct timer *timer, mono_ns at);
void timer_stop(struct timers *timers, struct timer *timer);
/* The earliest, or NULL. */
struct timer *timers_first(const struct timers *timers);
