#include "daemons/recursord/core/timers.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct timers *timers, size_t index, struct timer *timer)
{
    timers->heap[index] = timer;
    timer->place = index + 1;
}

static void sift_up(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (timers->heap[parent]->at.ns <= timer->at.ns)
            break;
        place(timers, index, timers->heap[parent]);
        index = parent;
    }
    place(timers, index, timer);
}

static void sift_down(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1]->at.ns < timers->heap[child]->at.ns)
            child++;
        if (timer->at.ns <= timers->heap[child]->at.ns)
            break;
        place(timers, index, timers->heap[child]);
        index = child;
    }
    place(timers, index, timer);
}

void timers_fini(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

int timer_arm(struct timers *timers, struct timer *timer, mono_ns at)
{
    timer_stop(timers, timer);
    if (timers->count == timers->room) {
        size_t room = timers->room ? timers->room * 2 : 64;
        struct timer **heap = realloc(timers->heap, room * sizeof(*heap));
        if (!heap)
            return -ENOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timer->at = at;
    place(timers, timers->count++, timer);
    sift_up(timers, timers->count - 1);
    return 0;
}

void timer_stop(struct timers *timers, struct timer *timer)
{
    if (!timer->place)
        return;
    size_t index = timer->place - 1;
    timer->place = 0;
    struct timer *last = timers->heap[--timers->count];
    if (last == timer)
        return;
    place(timers, index, last);
    sift_up(timers, index);
    sift_down(timers, last->place - 1);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->heap[0] : NULL;
}
