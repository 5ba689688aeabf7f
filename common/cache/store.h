#pragma once
/* The LMDB store: the one file that includes lmdb.h is store_lmdb.c. Not pure: belongs to the shells.
 *
 * One writer (validatord), readers that need no trust: MDB_RDONLY|MDB_NOLOCK, protected by the writer's
 * lease. DESIGN invariant 2 and section 4 (durability, eviction, quarantine, clock step). */

#include "common/cache/view.h"

#define STORE_READER_LEASE_MS 500u /* DESIGN invariant 2 */
#define STORE_SWEEP_START_PCT 80u
#define STORE_SWEEP_STOP_PCT  70u

struct store;

struct store_stats {
    uint64_t entries[CACHE_DB_COUNT];
    uint64_t map_bytes, used_bytes;
    uint64_t commits, puts, removes, swept, dropped_old_epoch;
};

struct store_config {
    const char *directory; /* data.mdb and lock.mdb are made in it */
    uint64_t size_bytes;   /* of the map */
    uint32_t commit_interval_ms;
};

/* Writer: opens or creates, checks size and meta, moves a damaged file aside (data.mdb.damaged-<time>),
 * reports through ret_quarantined (path, caller frees, NULL when sound). 0 or -errno. */
int store_open_writer(const struct store_config *config, struct store **ret_store, char **ret_quarantined);
/* Reader: 0, CACHE_MISS when there is no file yet, or -errno. */
int store_open_reader(const char *directory, struct store **ret_store);
void store_close(struct store *store);

/* Reader side. begin renews the read transaction; the view is valid until end. A caller checks
 * store_read_expired() before it uses what it copied out (more than half a lease passed: discard). */
int store_read_begin(struct store *store, mono_ns now, struct cache_view *ret_view);
void store_read_end(struct store *store);
bool store_read_expired(const struct store *store, mono_ns now);

/* Writer side. All writes of one batch sorted by key in one transaction with MDB_NOMETASYNC. */
int store_commit(struct store *store, const struct cache_write *writes, size_t count, uint64_t epoch,
                 mono_ns now);
/* mdb_env_sync: before an NTA, anchor or flush is acknowledged, and 1 s after the last commit. */
int store_sync(struct store *store);
/* One slice of the eviction sweep, at most `slice` entries looked at; popularity(ctx, key hash) may be NULL.
 * Returns removed entries or -errno. */
int store_sweep(struct store *store, wall_s now, int64_t stale_max_s, unsigned slice,
                unsigned (*popularity)(void *ctx, uint64_t hash), void *ctx);
/* Removes a name (all types), its subtree, or everything but NTAs and anchors. Returns the count or -errno.
 */
int64_t store_flush(struct store *store, const uint8_t *name, bool subtree);
/* Walks entries from *key on in chunks, for show-cache, export and verify: fn per entry, stops at max. */
int store_walk(struct store *store, enum cache_db db, struct slice from, unsigned max,
               int (*fn)(void *ctx, enum cache_db db, struct slice key, struct slice value), void *ctx);
int store_stats(struct store *store, struct store_stats *ret_stats);
