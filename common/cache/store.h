#pragma once
/* The LMDB store. Not pure: belongs to the shells. Inside, all that includes lmdb.h is store_lmdb.h.
 *
 * One writer (validatord), readers that need no trust: MDB_RDONLY|MDB_NOLOCK, protected by the writer's
 * lease. DESIGN invariant 2 and section 4 (durability, eviction, quarantine, clock step).
 *
 * Threads: of a store opened for writing, store_read_begin() to store_read_expired() belong to one thread
 * (the core's) and everything else to one thread (the writer's); the two may be different and run at once. A
 * reader's store belongs to one thread: netd's workers open one each. Errors: -EUCLEAN is a damaged file
 * (store_close, store_quarantine, open again), -EFBIG a full map, -ENOSPC a full disk, -EBUSY a second writer
 * (store_holder), -ENOTRECOVERABLE a disk that failed while the map's head was written: nothing more can be
 * written until the file is opened anew. */

#include <sys/types.h>

#include "common/cache/lookup.h"
#include "common/cache/view.h"

#define STORE_READER_LEASE_MS 500u /* DESIGN invariant 2 */
/* In CACHE_META: the number of the last batch, which the writer's owner counts. */
#define STORE_SEQUENCE_KEY    "sequence"
#define STORE_SWEEP_START_PCT 80u
#define STORE_SWEEP_STOP_PCT  70u

struct store;

struct store_stats {
    uint64_t entries[CACHE_DB_COUNT];
    uint64_t map_bytes, used_bytes;
    uint64_t commits, puts, removes, swept, dropped_old_epoch;
};

struct store_config {
    const char *directory; /* made when absent; data.mdb, lock.mdb and writer.state are made in it */
    uint64_t size_bytes;   /* of the map */
    uint32_t commit_interval_ms;
    int64_t kept_max_s; /* the sweep spares zone records and denials so long past expiry, where that is longer
                           than its stale_max_s: they are what continuity rests on (DESIGN 5 rule 1) */
    /* For store_flush(): finds a name's NSEC3 records. NULL: all of the name's zone go. */
    nsec3_hash_fn nsec3_hash;
    void *nsec3_ctx;
};

/* Writer: opens or creates, checks size and meta, moves a damaged file aside (data.mdb.damaged-<time>),
 * reports through ret_quarantined (path, caller frees, NULL when sound). After two unclean ends within 10 s,
 * or one before the last boot of the machine, or one that LMDB ended over a page, a child reads the whole
 * file first, since a damaged page kills whoever looks at it. 0 or -errno. */
int store_open_writer(const struct store_config *config, struct store **ret_store, char **ret_quarantined);
/* Pid of the writer that has the directory, as it wrote it down; 0: unknown. */
pid_t store_holder(const char *directory);
/* Reader: 0, CACHE_MISS when there is no file yet, or -errno. */
int store_open_reader(const char *directory, struct store **ret_store);
/* The writer's notes that it ended cleanly. */
void store_close(struct store *store);
static inline void store_closep(struct store **p)
{
    store_close(*p);
}

/* Reads every page of the file in a child process, at most timeout_ms. 0: sound, or no file; 1: damaged;
 * -errno. */
int store_check(const char *directory, unsigned timeout_ms);
/* Moves data.mdb aside and lock.mdb away; an older damaged file is dropped. No store may be open on it in
 * this process. *ret_path: the new path, caller frees. 0; CACHE_MISS: there is no file; -errno. */
int store_quarantine(const char *directory, char **ret_path);
/* What came over from a file before. */
struct store_carried {
    unsigned records, ntas, anchors; /* anchors: trust points with their RFC 5011 state */
    unsigned lost;                   /* of them: were there, and are damaged */
    bool ntas_read, anchors_read; /* the table was read to its end; else nobody knows what else was in it */
    bool tried;                   /* there was a file to take over from: */
    char from[4200];
};
/* For a file that this open began: NTAs, trust anchors, and what an operator switched, of the damaged file
 * that was moved aside last (by this run or the one before; from: of another file than that), where a child
 * can still read them. The epoch of the new file is then that of the old one. Before any thread is started.
 * 0; CACHE_MISS: the file is not new, or there is none to take over from; -errno, *ret_carried tells what was
 * tried. */
int store_carry_over(struct store *store, const char *from, struct store_carried *ret_carried);
/* Has data.mdb been replaced since this store was opened (quarantine)? Then a reader opens anew. */
bool store_replaced(const struct store *store);

/* Reader side. begin renews the read transaction; the view is valid until end. A caller checks
 * store_read_expired() before it uses what it copied out (more than half a lease passed: discard). */
int store_read_begin(struct store *store, mono_ns now, struct cache_view *ret_view);
void store_read_end(struct store *store);
bool store_read_expired(const struct store *store, mono_ns now);
/* Has a read of this store met a page that no writer can have left? Of a store opened for writing, what lies
 * on such a page is a miss; the caller closes it and has it moved aside (store_quarantine). Any thread. */
bool store_damaged(const struct store *store);

/* Writer side. All writes of one batch sorted by key in one transaction with MDB_NOMETASYNC; of several for
 * one key the last counts. Blocks: on the disk, and before the very first commit for what is left of one
 * lease since the open (readers may still be on pages that the previous writer's lease kept); up to three
 * leases when the map is full, of pages under lease (which one lease later are free) or of entries (some go).
 * An epoch above the persisted one is persisted in the same transaction; writes of an older epoch are
 * dropped, but NTAs and anchors never. 0 or -errno: nothing of the batch is in the store. */
int store_commit(struct store *store, const struct cache_write *writes, size_t count, uint64_t epoch,
                 mono_ns now);
/* The epoch as persisted. */
uint64_t store_epoch(const struct store *store);
/* Did the machine boot since the last commit of the run before? And was that run closed cleanly (when, or 0)?
 */
bool store_boot_changed(const struct store *store);
wall_s store_last_clean_close(const struct store *store);
/* mdb_env_sync: before an NTA, anchor or flush is acknowledged, and 1 s after the last commit. */
int store_sync(struct store *store);
/* One slice of the eviction sweep, at most `slice` entries looked at; popularity(ctx, key hash) may be NULL.
 * Returns removed entries or -errno. Does nothing below STORE_SWEEP_START_PCT (15 less for both
 * limits once pages under lease alone have filled the map); a sweep that has begun goes on
 * (store_sweep_active) until STORE_SWEEP_STOP_PCT is reached or nothing may go. 0 while active: nothing in
 * this slice, or the map is so full that the removals must wait for a lease to end; call again later. */
int store_sweep(struct store *store, wall_s now, int64_t stale_max_s, unsigned slice,
                unsigned (*popularity)(void *ctx, uint64_t hash), void *ctx);
bool store_sweep_active(const struct store *store);
/* Removes a name (all types), its subtree, or everything (the root's subtree) but NTAs, anchors and server
 * states; with it the denials that would deny it again. The epoch is raised by one in the same transaction:
 * see store_epoch(). Returns the count or -errno. */
int64_t store_flush(struct store *store, const uint8_t *name, bool subtree);
/* Walks entries from *key on (an empty one: from the first) in chunks, for show-cache, export and verify: fn
 * per entry, stops at max, or after the entry for which fn returned non-zero. Returns the entries seen, or
 * -errno; keys out of order are -EUCLEAN, since a walk from key to key would go round for ever. */
int store_walk(struct store *store, enum cache_db db, struct slice from, unsigned max,
               int (*fn)(void *ctx, enum cache_db db, struct slice key, struct slice value), void *ctx);
int store_stats(struct store *store, struct store_stats *ret_stats);
