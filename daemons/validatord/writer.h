#pragma once
/* The one writer of the cache, in a thread of its own, and the view of the cache that the core sees.
 *
 * A write is visible to the core at once, in an overlay over the committed file, and is committed with others
 * every commit_interval, sorted by key. The overlay has two layers, which is the whole trick: `queued` takes
 * what comes in, `inflight` is the batch that the thread commits. When it is committed the layer goes as a
 * whole; an entry queued anew meanwhile is in the upper layer and stays. The loop's thread alone writes the
 * layers, and the writer's thread reads only the one in flight, which nobody then changes.
 *
 * Everything else that needs the file's write side (flush, statistics, walks) is an operation handed to the
 * thread. DESIGN 4 (durability, eviction, epoch), invariant 2 (lease). */

#include <stdatomic.h>
#include <systemd/sd-event.h>

#include "common/base/list.h"
#include "common/cache/store.h"

#define WRITER_SYNC_AFTER_MS                                                                                 \
    1000u                           /* no commit for that long: the last meta page is synced too (DESIGN 4)  \
                                     */
#define WRITER_SWEEP_SLICE    512u  /* entries looked at between two commits */
#define WRITER_SWEEP_PAUSE_MS 20u   /* between slices while there is something to evict */
#define WRITER_SWEEP_IDLE_MS  1000u /* between looks whether there is */
#define WRITER_QUEUE_MAX                                                                                     \
    65536u /* entries queued before the thread is behind too far, and new ones are dropped */

struct writer;
struct writer_op;

/* Work for the writer's thread. `run` is called there, `done` on the loop with what run returned. The caller
 * owns the struct, which lives until done was called, or until writer_free() returned (which calls done with
 * -ECANCELED). */
struct writer_op {
    struct list link;
    int (*run)(struct writer_op *op, struct store *store);
    void (*done)(struct writer_op *op, int result);
    int result;
};

struct writer_config {
    struct store_config store;
    int64_t stale_max_s;   /* for the sweep */
    int64_t wall_offset_s; /* clock_override */
    /* A file that this open began: what came over (store_carry_over), from which file (NULL: the damaged one
     * that was moved aside last). NULL: nothing is to come over. */
    struct store_carried *carried;
    const char *carry_from;
    const _Atomic uint8_t *sketch; /* popularity, common/ipc/shared.h; may be NULL */
    uint64_t commit_sequence; /* of the commit before the first one, unless the run before came further */
};

struct writer_handlers {
    /* A batch was committed, or given up with -errno. -EUCLEAN: the file is damaged, as a commit or a read
     * found out. */
    void (*committed)(void *ctx, uint64_t sequence, int result);
};

/* Opens the store, makes it when there is none. ret_quarantined: as store_open_writer. 0 or -errno. */
int writer_new(sd_event *event, const struct writer_config *config, const struct writer_handlers *handlers,
               void *ctx, struct writer **ret_writer, char **ret_quarantined);
/* Commits what is queued, syncs, closes. */
void writer_free(struct writer *writer);

/* The cache as it is now, overlay included, valid until writer_view_end(). 0 or -errno. */
int writer_view(struct writer *writer, mono_ns now, struct cache_view *ret_view);
void writer_view_end(struct writer *writer);

/* Copies and queues; at once in the view. 0; 1: too much is queued, dropped; -ENOMEM. */
int writer_queue(struct writer *writer, const struct cache_write *write);
/* The epoch rose: what was judged under an older one is dropped from the queue, NTAs and anchors excepted. A
 * batch in flight is the store's to filter (store_commit), and what it holds is gone when its operation is
 * done. */
void writer_set_epoch(struct writer *writer, uint64_t epoch);
/* Number of the commit that will hold what is queued now. */
uint64_t writer_sequence(const struct writer *writer);
/* As last set, at the start as persisted (0: a new file). */
uint64_t writer_epoch(const struct writer *writer);
size_t writer_queued(const struct writer *writer);

/* Hands an operation to the thread; runs after everything that is in flight. */
void writer_submit(struct writer *writer, struct writer_op *op);
/* The same, after everything that is queued now was committed too: for what shows the cache. */
void writer_submit_after_queued(struct writer *writer, struct writer_op *op);
