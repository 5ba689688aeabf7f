/* One deadline a job, in a binary heap: the earliest is asked for after every event, and jobs come and go by
 * the thousand. */

#include <errno.h>
#include <stdlib.h>

#include "daemons/validatord/core/internal.h"

int val_timer_reserve(struct val_core *core)
{
    if (core->job_count < core->heap_room)
        return 0;
    size_t room = core->heap_room ? core->heap_room * 2 : 64;
    struct job **heap = realloc(core->heap, room * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    core->heap = heap;
    core->heap_room = room;
    return 0;
}

static void place(struct val_core *core, size_t index, struct job *job)
{
    core->heap[index] = job;
    job->timer_index = index;
}

static size_t sift_up(struct val_core *core, size_t index, struct job *job)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (core->heap[parent]->timer.ns <= job->timer.ns)
            break;
        place(core, index, core->heap[parent]);
        index = parent;
    }
    place(core, index, job);
    return index;
}

static void sift_down(struct val_core *core, size_t index, struct job *job)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= core->heap_count)
            break;
        if (child + 1 < core->heap_count && core->heap[child + 1]->timer.ns < core->heap[child]->timer.ns)
            child++;
        if (core->heap[child]->timer.ns >= job->timer.ns)
            break;
        place(core, index, core->heap[child]);
        index = child;
    }
    place(core, index, job);
}

void val_timer_set(struct val_core *core, struct job *job, mono_ns when)
{
    if (!job->timer_set) {
        assert(core->heap_count < core->heap_room);
        job->timer_set = true;
        job->timer_index = core->heap_count++;
    }
    job->timer = when;
    sift_down(core, sift_up(core, job->timer_index, job), job);
}

void val_timer_clear(struct val_core *core, struct job *job)
{
    if (!job->timer_set)
        return;
    job->timer_set = false;
    struct job *last = core->heap[--core->heap_count];
    if (last == job)
        return;
    sift_down(core, sift_up(core, job->timer_index, last), last);
}
