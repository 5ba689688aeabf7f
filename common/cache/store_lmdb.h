#pragma once
/* Inside of the store, and the one home of lmdb.h. Private to common/cache/store_*.c. */

#include <lmdb.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "common/cache/key.h"
#include "common/cache/store.h"

/* Read transactions that keep superseded snapshots: one per STORE_LEASE_STEP_MS of a lease, and two for the
 * ends. */
#define STORE_LEASES        16u
#define STORE_LEASE_STEP_MS 50u

struct store_lease {
    MDB_txn *txn;
    mono_ns opened, until; /* MONO_NEVER: its snapshot is the newest, or stands for the newest */
};

/* Where the sweep is. Phases go through the databases of their list in key order. */
enum sweep_phase { SWEEP_EXPIRED, SWEEP_POPULARITY, SWEEP_ZONES };

struct store_sweep {
    bool active;
    enum sweep_phase phase;
    unsigned threshold; /* SWEEP_POPULARITY: at most that popular goes */
    unsigned db_index;
    struct cache_key from;
};

struct store {
    MDB_env *env;
    MDB_dbi dbi[CACHE_DB_COUNT];
    char *directory;
    dev_t device;
    ino_t inode;
    bool writable, fresh; /* fresh: this open made the file */
    uint64_t size_bytes;
    int64_t kept_max_s;
    atomic_bool damaged; /* the core's thread reads, the writer's walks: either may find out */

    /* reader side */
    MDB_txn *read_txn;
    MDB_cursor *cursors[CACHE_DB_COUNT];
    bool reading, cursor_stale[CACHE_DB_COUNT];
    mono_ns read_began;

    /* writer side */
    int state_fd; /* writer.state: locked while open */
    struct store_lease leases[STORE_LEASES];
    unsigned lease_count;
    bool committed; /* the wait before the first commit is over */
    bool noted;     /* boot id written and the clean close taken back */
    mono_ns opened;
    uint64_t epoch;
    bool boot_changed;
    wall_s last_clean_close;
    nsec3_hash_fn nsec3_hash;
    void *nsec3_ctx;
    struct store_sweep sweep;
    bool crowded; /* pages under lease have filled the map once: the sweep leaves more room for them */
    struct store_stats counters;
};

/* LMDB's result as ours: 0, CACHE_MISS (not found), -EFBIG, -EUCLEAN or another -errno. */
int store_error(int lmdb);
mono_ns store_clock(void);
static inline MDB_val store_val(struct slice slice)
{
    return (MDB_val){.mv_data = (void *)slice.data, .mv_size = slice.size};
}
static inline MDB_val store_text(const char *text)
{
    return (MDB_val){.mv_data = (void *)text, .mv_size = __builtin_strlen(text)};
}
static inline struct slice store_slice(const MDB_val *val)
{
    return slice_make(val->mv_data, val->mv_size);
}

/* Write transactions: leases that ended are released before, a new one is taken after. */
int store_write_begin(struct store *store, MDB_txn **ret_txn);
int store_write_commit(struct store *store, MDB_txn *txn);
/* Takes a lease on the newest snapshot, so that the one on those before it can end. */
int store_lease_advance(struct store *store, bool at_once);
/* Octets of the map, by the pages that the databases hold. 0 or -errno. */
int store_used(struct store *store, MDB_txn *txn, uint64_t *ret_bytes);
/* The same as of the last commit, in percent of the map. */
int store_used_percent(struct store *store, uint64_t *ret_percent);
/* Makes room whatever it costs: 0 or -errno. */
int store_sweep_hard(struct store *store, wall_s now);

const char *store_db_name(enum cache_db db);

/* store_pack.c: puts of one database in key order, no key twice. An LMDB result. */
int store_put_sorted(MDB_txn *txn, MDB_dbi dbi, const struct cache_write *const *writes, size_t count);

/* store_file.c */
#define STORE_DAMAGED_PREFIX "data.mdb.damaged-"
/* Runs fn in a child process, for files that may kill who reads them. fn's result is the exit status: that,
 * 128 after a signal or the timeout, or -errno. */
int store_in_child(int (*fn)(void *ctx), void *ctx, unsigned timeout_ms);
char *store_path(const char *directory, const char *file);
/* The size of data.mdb against the last page that either meta page speaks of. 0; 1: too short or no LMDB
 * file; CACHE_MISS + 1: there is no file (or an empty one); -errno. */
#define STORE_NO_FILE 2
int store_check_size(const char *directory);
/* writer.state: locks it and tells whether the file should be read by a child first; notes this start. */
int store_state_open(const char *directory, int *ret_fd, bool *ret_suspicious);
void store_state_clean(int fd);
/* The next start shall look first, whatever else becomes of this run. */
void store_state_suspect(int fd);
/* 36 characters and NUL, or "". */
void store_boot_id(char ret_id[40]);
