#include "daemons/validatord/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/event/event_timer.h"
#include "common/cache/memstore.h"
#include "common/ipc/shared.h"

#define WRITER_NICE 3 /* below the loop, above the verifiers: what is not committed costs memory */
/* Between the number that a run left and the first of the next: more than verdicts can have carried beyond
 * the last commit, which is one for each batch that failed. */
#define SEQUENCE_STEP (UINT64_C(1) << 32)

/* A layer of the overlay, and the same as an array for the store. */
struct batch {
    struct memstore *entries;
    struct cache_write *writes;
    size_t count;
    uint64_t epoch, sequence;
};

struct writer {
    struct writer_config config;
    struct writer_handlers handlers;
    void *ctx;
    struct store *store; /* the loop reads by it, the thread does the rest */
    sd_event_source *wake;
    struct event_timer *timer;
    int wake_fd;
    pthread_t thread;
    bool thread_runs;

    /* the loop's */
    struct memstore *queued;
    struct batch inflight;
    bool committing, closing, damage_told;
    uint64_t epoch, sequence;
    struct cache_view reader_view, middle_view, top_view;
    struct list ops_waiting;  /* for the commit of what is queued */
    unsigned ops_outstanding; /* no batch starts meanwhile: it could bring back what an operation removed */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    bool stop, batch_ready, batch_done;
    int batch_result;
    struct list ops, ops_done;
};

static mono_ns clock_mono(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns){.ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
}

static wall_s clock_wall(const struct writer *w)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (wall_s){.s = t.tv_sec + w->config.wall_offset_s};
}

/* ---- the thread ---- */

static unsigned popularity(void *ctx, uint64_t hash)
{
    return shared_sketch_get(ctx, hash);
}

/* Waits on w->work until `until` at most. The lock is held. Not pthread_cond_timedwait(3), whose date
 * libfaketime takes for a faked one, of the monotonic clock too: the thread would not wait at all. */
static void wait_until(struct writer *w, mono_ns until)
{
    struct timespec t = {.tv_sec = (time_t)(until.ns / NS_PER_S), .tv_nsec = (long)(until.ns % NS_PER_S)};

    if (until.ns == MONO_NEVER.ns)
        pthread_cond_wait(&w->work, &w->lock);
    else
        pthread_cond_clockwait(&w->work, &w->lock, CLOCK_MONOTONIC, &t);
}

static void wake_loop(struct writer *w)
{
    (void)!write(w->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* The lock is held on entry and exit, not while the store works. */
static void thread_commit(struct writer *w)
{
    int r;

    w->batch_ready = false;
    pthread_mutex_unlock(&w->lock);
    r = store_commit(w->store, w->inflight.writes, w->inflight.count, w->inflight.epoch, clock_mono());
    pthread_mutex_lock(&w->lock);
    w->batch_result = r;
    w->batch_done = true;
    wake_loop(w);
}

static void thread_operate(struct writer *w)
{
    struct writer_op *op = CONTAINER_OF(w->ops.next, struct writer_op, link);

    list_remove(&op->link);
    pthread_mutex_unlock(&w->lock);
    op->result = op->run(op, w->store);
    pthread_mutex_lock(&w->lock);
    list_append(&w->ops_done, &op->link);
    wake_loop(w);
}

/* Is there more to do? */
static bool thread_sweep(struct writer *w)
{
    bool more;
    int r;

    pthread_mutex_unlock(&w->lock);
    r = store_sweep(w->store, clock_wall(w), w->config.stale_max_s, WRITER_SWEEP_SLICE,
                    w->config.sketch ? popularity : NULL, (void *)w->config.sketch);
    more = r >= 0 && store_sweep_active(w->store);
    pthread_mutex_lock(&w->lock);
    return more;
}

static void *run_thread(void *arg)
{
    struct writer *w = arg;
    mono_ns sync_at = MONO_NEVER, sweep_at = mono_add_ms(clock_mono(), WRITER_SWEEP_IDLE_MS);

    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + WRITER_NICE);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        mono_ns now = clock_mono();

        if (w->batch_ready) {
            thread_commit(w);
            sync_at = mono_add_ms(clock_mono(), WRITER_SYNC_AFTER_MS);
        } else if (!list_empty(&w->ops)) {
            thread_operate(w);
            sync_at = mono_add_ms(clock_mono(), WRITER_SYNC_AFTER_MS);
        } else if (w->stop) {
            break;
        } else if (mono_reached(now, sync_at)) {
            sync_at = MONO_NEVER;
            pthread_mutex_unlock(&w->lock);
            (void)store_sync(w->store);
            pthread_mutex_lock(&w->lock);
        } else if (mono_reached(now, sweep_at)) {
            bool more = thread_sweep(w);

            sweep_at = mono_add_ms(clock_mono(), more ? WRITER_SWEEP_PAUSE_MS : WRITER_SWEEP_IDLE_MS);
            if (more)
                sync_at = mono_add_ms(clock_mono(), WRITER_SYNC_AFTER_MS);
        } else {
            wait_until(w, mono_earlier(sync_at, sweep_at));
        }
    }
    pthread_mutex_unlock(&w->lock);
    (void)store_sync(w->store);
    return NULL;
}

/* ---- the loop ---- */

static int add_write(void *ctx, const struct cache_write *write)
{
    struct batch *batch = ctx;

    batch->writes[batch->count++] = *write;
    return 0;
}

static void arm_timer(struct writer *w, uint64_t wait_ms)
{
    event_timer_set_us(w->timer, wait_ms * 1000);
}

/* Hands the queued layer to the thread. -ENOMEM: it stays, and is tried again. */
static int start_commit(struct writer *w)
{
    struct memstore *fresh;
    struct batch *batch = &w->inflight;

    if (w->committing || w->closing || w->ops_outstanding || memstore_count(w->queued) == 0)
        return 0;
    batch->writes = calloc(memstore_count(w->queued) + 1, sizeof(*batch->writes));
    fresh = batch->entries; /* the layer of the batch before, emptied */
    if (!batch->writes)
        return -ENOMEM;
    batch->entries = w->queued;
    w->queued = fresh;
    batch->count = 0;
    batch->epoch = w->epoch;
    batch->sequence = ++w->sequence;
    (void)memstore_each(batch->entries, add_write, batch);
    batch->writes[batch->count++] =
        (struct cache_write){.db = CACHE_META,
                             .key = slice_make(STORE_SEQUENCE_KEY, strlen(STORE_SEQUENCE_KEY)),
                             .value = slice_make(&batch->sequence, sizeof(batch->sequence)),
                             .epoch = batch->epoch};
    w->committing = true;
    pthread_mutex_lock(&w->lock);
    w->batch_ready = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    return 0;
}

static int on_timer(void *userdata)
{
    struct writer *w = userdata;

    if (start_commit(w) < 0)
        arm_timer(w, w->config.store.commit_interval_ms);
    return 0;
}

static void finish_batch(struct writer *w, int result)
{
    memstore_clear(w->inflight.entries);
    free(w->inflight.writes);
    w->inflight.writes = NULL;
    w->committing = false;
    if (w->handlers.committed)
        w->handlers.committed(w->ctx, w->inflight.sequence, result);
}

/* Operations that want to see what is queued go as soon as it is on its way before them. */
static void release_waiting(struct writer *w)
{
    if (w->committing || w->ops_outstanding)
        return;            /* collect() comes back here */
    (void)start_commit(w); /* short of memory: they see what is committed, which is all they lose */
    LIST_FOREACH_SAFE(pos, &w->ops_waiting)
    {
        list_remove(pos);
        writer_submit(w, CONTAINER_OF(pos, struct writer_op, link));
    }
}

static void tell_damage(struct writer *w)
{
    if (w->damage_told || !store_damaged(w->store))
        return;
    w->damage_told = true;
    if (w->handlers.committed)
        w->handlers.committed(w->ctx, w->sequence, -EUCLEAN);
}

/* Takes the results of the thread in. */
static void collect(struct writer *w)
{
    struct list done;
    bool batch_done;
    int result;

    list_init(&done);
    pthread_mutex_lock(&w->lock);
    batch_done = w->batch_done;
    result = w->batch_result;
    w->batch_done = false;
    LIST_FOREACH_SAFE(pos, &w->ops_done)
    {
        list_remove(pos);
        list_append(&done, pos);
    }
    pthread_mutex_unlock(&w->lock);
    if (batch_done)
        finish_batch(w, result);
    LIST_FOREACH_SAFE(pos, &done)
    {
        struct writer_op *op = CONTAINER_OF(pos, struct writer_op, link);

        list_remove(pos);
        w->ops_outstanding--;
        op->done(op, op->result);
    }
    tell_damage(w);
    if (!list_empty(&w->ops_waiting))
        release_waiting(w);
    else if (!w->committing && !w->ops_outstanding && memstore_count(w->queued))
        arm_timer(w, w->config.store.commit_interval_ms);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
    collect(userdata);
    return 0;
}

/* Above all that netd can hold of the runs before, whatever the clock says now. A number past the half can
 * only be damage. */
static uint64_t first_sequence(struct writer *w)
{
    struct cache_view view;
    struct slice value;
    uint64_t left = 0;

    if (store_read_begin(w->store, clock_mono(), &view))
        return w->config.commit_sequence;
    if (view.get(view.ctx, CACHE_META, slice_make(STORE_SEQUENCE_KEY, strlen(STORE_SEQUENCE_KEY)), &value) ==
            0 &&
        value.size == sizeof(left))
        memcpy(&left, value.data, sizeof(left));
    store_read_end(w->store);
    return left && left < INT64_MAX ? MAX(w->config.commit_sequence, left + SEQUENCE_STEP)
                                    : w->config.commit_sequence;
}

static int start_thread(struct writer *w)
{
    sigset_t all, before;
    int r;

    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->thread, NULL, run_thread, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->thread_runs = r == 0;
    return -r;
}

int writer_new(sd_event *event, const struct writer_config *config, const struct writer_handlers *handlers,
               void *ctx, struct writer **ret_writer, char **ret_quarantined)
{
    struct writer *w = calloc(1, sizeof(*w));
    char *quarantined = NULL;
    int r;

    if (!w)
        return -ENOMEM;
    w->config = *config;
    w->handlers = *handlers;
    w->ctx = ctx;
    list_init(&w->ops_waiting);
    list_init(&w->ops);
    list_init(&w->ops_done);
    w->queued = memstore_new();
    w->inflight.entries = memstore_new();
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = !w->queued || !w->inflight.entries ? -ENOMEM : w->wake_fd < 0 ? -errno : 0;
    if (r >= 0)
        r = store_open_writer(&config->store, &w->store, &quarantined);
    /* Before there is a thread: it forks. What does not come over is no reason not to run. */
    if (r >= 0 && config->carried)
        (void)store_carry_over(w->store, config->carry_from, config->carried);
    if (r >= 0)
        w->epoch = store_epoch(w->store);
    if (r >= 0)
        w->sequence = first_sequence(w);
    if (r >= 0)
        r = sd_event_add_io(event, &w->wake, w->wake_fd, EPOLLIN, on_wake, w);
    if (r >= 0)
        r = event_timer_new(event, on_timer, w, &w->timer);
    if (r >= 0)
        r = start_thread(w);
    if (r < 0) {
        writer_free(w);
        free(quarantined);
        return r;
    }
    *ret_writer = w;
    *ret_quarantined = quarantined;
    return 0;
}

static void cancel_waiting(struct writer *w)
{
    LIST_FOREACH_SAFE(pos, &w->ops_waiting)
    {
        struct writer_op *op = CONTAINER_OF(pos, struct writer_op, link);

        list_remove(pos);
        op->done(op, -ECANCELED);
    }
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    if (w->thread_runs) {
        struct list *ops = &w->ops;

        w->closing = true;
        pthread_mutex_lock(&w->lock);
        while (!list_empty(ops)) { /* not begun: told below that nothing came of it */
            struct writer_op *op = CONTAINER_OF(ops->next, struct writer_op, link);

            list_remove(&op->link);
            op->result = -ECANCELED;
            list_append(&w->ops_done, &op->link);
        }
        w->stop = true;
        pthread_cond_signal(&w->work);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        collect(w);
        cancel_waiting(w);
        pthread_cond_destroy(&w->work);
        pthread_mutex_destroy(&w->lock);
        w->thread_runs = false;
        w->batch_ready = false;
        /* What was queued since the last batch: now there is no thread, the loop may. */
        w->inflight.count = 0;
        w->inflight.writes = calloc(memstore_count(w->queued) + 1, sizeof(*w->inflight.writes));
        if (w->inflight.writes && memstore_each(w->queued, add_write, &w->inflight) == 0 &&
            w->inflight.count) {
            (void)store_commit(w->store, w->inflight.writes, w->inflight.count, w->epoch, clock_mono());
            (void)store_sync(w->store);
        }
        free(w->inflight.writes);
    }
    sd_event_source_disable_unref(w->wake);
    event_timer_free(w->timer);
    if (w->store)
        store_close(w->store);
    memstore_free(w->queued);
    memstore_free(w->inflight.entries);
    if (w->wake_fd >= 0)
        close(w->wake_fd);
    free(w);
}

int writer_view(struct writer *w, mono_ns now, struct cache_view *ret_view)
{
    int r = store_read_begin(w->store, now, &w->reader_view);

    if (r)
        return r < 0 ? r : -EIO;
    memstore_view(w->inflight.entries, &w->reader_view, &w->middle_view);
    memstore_view(w->queued, &w->middle_view, &w->top_view);
    *ret_view = w->top_view;
    return 0;
}

void writer_view_end(struct writer *w)
{
    store_read_end(w->store);
    tell_damage(w);
}

int writer_queue(struct writer *w, const struct cache_write *write)
{
    int r;

    if (memstore_count(w->queued) >= WRITER_QUEUE_MAX)
        return 1;
    r = memstore_apply(w->queued, write, true);
    if (r < 0)
        return r;
    if (!w->committing && memstore_count(w->queued) == 1)
        arm_timer(w, w->config.store.commit_interval_ms);
    return 0;
}

struct keep {
    struct memstore *kept;
    int result;
};

static int keep_lasting(void *ctx, const struct cache_write *write)
{
    struct keep *keep = ctx;

    if (write->db == CACHE_NTA || write->db == CACHE_ANCHOR || write->db == CACHE_META ||
        write->db == CACHE_INFRA)
        keep->result = memstore_apply(keep->kept, write, true);
    return keep->result;
}

void writer_set_epoch(struct writer *w, uint64_t epoch)
{
    struct keep keep = {.kept = memstore_new()};

    w->epoch = epoch;
    /* Without memory for a copy all of it stays; the store drops what is too old. */
    if (!keep.kept || memstore_each(w->queued, keep_lasting, &keep)) {
        memstore_free(keep.kept);
        return;
    }
    memstore_free(w->queued);
    w->queued = keep.kept;
}

uint64_t writer_epoch(const struct writer *w)
{
    return w->epoch;
}

uint64_t writer_sequence(const struct writer *w)
{
    return w->sequence + 1;
}

size_t writer_queued(const struct writer *w)
{
    return memstore_count(w->queued) + w->inflight.count * w->committing;
}

void writer_submit(struct writer *w, struct writer_op *op)
{
    if (w->closing) {
        op->done(op, -ECANCELED);
        return;
    }
    w->ops_outstanding++;
    pthread_mutex_lock(&w->lock);
    list_append(&w->ops, &op->link);
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
}

void writer_submit_after_queued(struct writer *w, struct writer_op *op)
{
    if (w->closing) {
        op->done(op, -ECANCELED);
        return;
    }
    list_append(&w->ops_waiting, &op->link);
    release_waiting(w);
}
