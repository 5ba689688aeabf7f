/* Opening and closing the map, for the one writer and for readers. */
#include "common/cache/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A child that has not read the file through by then is stuck in a loop of damaged pages. */
#define CHECK_TIMEOUT_MS 30000u
/* What LMDB makes of it for its 126 readers. */
#define LOCK_FILE_BYTES 8192

int store_error(int lmdb)
{
    switch (lmdb) {
    case 0:
        return 0;
    case MDB_NOTFOUND:
        return CACHE_MISS;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return -EFBIG;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_PAGE_NOTFOUND:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_DBI:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
        return -EUCLEAN;
    case MDB_PANIC:
        return -ENOTRECOVERABLE;
    case MDB_BAD_VALSIZE:
        return -EINVAL;
    case MDB_READERS_FULL:
        return -EAGAIN;
    }
    return lmdb > 0 ? -lmdb : -EIO;
}

mono_ns store_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (mono_ns){.ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec};
}

const char *store_db_name(enum cache_db db)
{
    switch (db) {
    case CACHE_RR:
        return "rr";
    case CACHE_NSEC:
        return "nsec";
    case CACHE_NSEC3:
        return "nsec3";
    case CACHE_ZONE:
        return "zone";
    case CACHE_NEG:
        return "neg";
    case CACHE_NTA:
        return "nta";
    case CACHE_ANCHOR:
        return "anchor";
    case CACHE_INFRA:
        return "infra";
    case CACHE_META:
    case CACHE_DB_COUNT:
        break;
    }
    return "meta";
}

static int open_databases(struct store *store, unsigned flags)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, flags & MDB_CREATE ? 0 : MDB_RDONLY, &txn);
    if (rc)
        return store_error(rc);
    for (unsigned db = 0; db < CACHE_DB_COUNT && rc == 0; db++)
        rc = mdb_dbi_open(txn, store_db_name((enum cache_db)db), flags, &store->dbi[db]);
    if (rc) {
        mdb_txn_abort(txn);
        return store_error(rc);
    }
    return store_error(mdb_txn_commit(txn));
}

static bool larger_than_memory(uint64_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 && bytes > (uint64_t)pages * (uint64_t)size;
}

static int note_file(struct store *store)
{
    struct stat st;
    int fd;
    if (mdb_env_get_fd(store->env, &fd) || fstat(fd, &st) < 0)
        return -EIO;
    store->device = st.st_dev;
    store->inode = st.st_ino;
    return 0;
}

/* LMDB ends the process over a page that cannot be. */
static void on_assert(MDB_env *env, const char *text)
{
    const struct store *store = mdb_env_get_userctx(env);
    if (store->state_fd >= 0)
        store_state_suspect(store->state_fd);
}

static int open_env(struct store *store, unsigned flags)
{
    int rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_userctx(store->env, store);
    if (rc == 0)
        rc = mdb_env_set_assert(store->env, on_assert);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->env, CACHE_DB_COUNT);
    if (rc == 0 && store->size_bytes)
        rc = mdb_env_set_mapsize(store->env, store->size_bytes);
    if (larger_than_memory(store->size_bytes))
        flags |= MDB_NORDAHEAD;
    if (rc == 0)
        rc = mdb_env_open(store->env, store->directory, flags, 0640);
    return rc ? store_error(rc) : note_file(store);
}

static void close_env(struct store *store)
{
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++) {
        if (store->cursors[db])
            mdb_cursor_close(store->cursors[db]);
        store->cursors[db] = NULL;
    }
    if (store->read_txn)
        mdb_txn_abort(store->read_txn);
    store->read_txn = NULL;
    while (store->lease_count)
        mdb_txn_abort(store->leases[--store->lease_count].txn);
    if (store->env)
        mdb_env_close(store->env);
    store->env = NULL;
}

static void store_delete(struct store *store)
{
    if (!store)
        return;
    close_env(store);
    if (store->state_fd >= 0)
        close(store->state_fd);
    free(store->directory);
    free(store);
}

static struct store *store_make(const char *directory)
{
    struct store *store = calloc(1, sizeof(*store));
    if (!store)
        return NULL;
    store->state_fd = -1;
    store->directory = strdup(directory);
    if (!store->directory) {
        free(store);
        return NULL;
    }
    return store;
}

/* What the run before left in meta. A file of another format is treated like a damaged one: moved aside
 * whole. */
static int read_meta(struct store *store, bool *ret_empty)
{
    MDB_txn *txn;
    MDB_val key = store_text("format"), value;
    char boot[40];
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_error(rc);
    MDB_dbi meta = store->dbi[CACHE_META];
    uint32_t format = 0;
    int64_t closed = 0;
    rc = mdb_get(txn, meta, &key, &value);
    if (rc == 0 && value.mv_size == sizeof(format))
        memcpy(&format, value.mv_data, sizeof(format));
    *ret_empty = rc == MDB_NOTFOUND;
    bool other = rc == 0 && format != CACHE_FORMAT_VERSION;
    key = store_text("epoch");
    if (mdb_get(txn, meta, &key, &value) == 0 && value.mv_size == sizeof(store->epoch))
        memcpy(&store->epoch, value.mv_data, sizeof(store->epoch));
    key = store_text("closed");
    if (mdb_get(txn, meta, &key, &value) == 0 && value.mv_size == sizeof(closed))
        memcpy(&closed, value.mv_data, sizeof(closed));
    store->last_clean_close.s = closed;
    store_boot_id(boot);
    key = store_text("boot");
    store->boot_changed = mdb_get(txn, meta, &key, &value) == 0 &&
                          (value.mv_size != strlen(boot) || memcmp(value.mv_data, boot, value.mv_size) != 0);
    mdb_txn_abort(txn);
    if (rc && rc != MDB_NOTFOUND)
        return store_error(rc);
    return other ? -EUCLEAN : 0;
}

/* lock.mdb is the writer's alone: LMDB would give it the mode of data.mdb. */
static int make_lock_file(const char *directory)
{
    char *path = store_path(directory, "lock.mdb");
    if (!path)
        return -ENOMEM;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        return -errno;
    int r = fchmod(fd, 0600) < 0 ? -errno : 0;
    /* LMDB writes it through a mapping: on a full disk a hole in it is a SIGBUS. */
    if (r == 0 && fallocate(fd, 0, 0, LOCK_FILE_BYTES) < 0 && errno == ENOSPC)
        r = -ENOSPC;
    close(fd);
    return r;
}

/* So that a full disk shows now and not as SIGBUS later. A filesystem that cannot is left as it is;
 * fallocate(2), since the C library's emulation would write every page. */
static void allocate(struct store *store)
{
    int fd;
    struct stat st;
    if (mdb_env_get_fd(store->env, &fd) || fstat(fd, &st) < 0)
        return;
    fchmod(fd, 0640);
    if ((uint64_t)st.st_size < store->size_bytes && fallocate(fd, 0, 0, (off_t)store->size_bytes) < 0)
        (void)errno;
}

static int open_map(struct store *store)
{
    int r = store_check_size(store->directory);
    if (r < 0 || r == 1)
        return r < 0 ? r : -EUCLEAN;
    bool fresh = r == STORE_NO_FILE, empty = true;
    r = make_lock_file(store->directory);
    if (r == 0)
        r = open_env(store, MDB_NOTLS | MDB_NOMETASYNC);
    if (r)
        return r;
    int dead;
    mdb_reader_check(store->env, &dead);
    r = fresh ? CACHE_MISS : open_databases(store, 0);
    if (r == CACHE_MISS)
        r = open_databases(store, MDB_CREATE);
    if (r == 0)
        r = read_meta(store, &empty);
    if (r)
        return r;
    /* nobody can have read what did not exist */
    store->committed = store->fresh = empty;
    allocate(store);
    /* the first lease: on what readers see now */
    struct store_lease *lease = &store->leases[0];
    r = store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &lease->txn));
    if (r)
        return r;
    lease->opened = store->opened = store_clock();
    lease->until = MONO_NEVER;
    store->lease_count = 1;
    return 0;
}

int store_open_writer(const struct store_config *config, struct store **ret_store, char **ret_quarantined)
{
    char *quarantined = NULL;
    bool suspicious;
    struct store *store = store_make(config->directory);
    if (!store)
        return -ENOMEM;
    store->writable = true;
    store->size_bytes = config->size_bytes;
    store->kept_max_s = config->kept_max_s;
    store->nsec3_hash = config->nsec3_hash;
    store->nsec3_ctx = config->nsec3_ctx;
    int r = mkdir(config->directory, 0750) < 0 && errno != EEXIST ? -errno : 0;
    if (r == 0)
        r = store_state_open(config->directory, &store->state_fd, &suspicious);
    if (r == 0 && suspicious && store_check(config->directory, CHECK_TIMEOUT_MS) == 1)
        r = store_quarantine(config->directory, &quarantined);
    if (r == 0)
        r = open_map(store);
    if (r == -EUCLEAN || r == -ENOMEM || r == -EINVAL) {
        /* a meta page that lies about sizes fails in mmap, with these */
        close_env(store);
        store->epoch = 0;
        if (!quarantined)
            r = store_quarantine(config->directory, &quarantined);
        if (r == 0)
            r = open_map(store);
    }
    if (r) {
        free(quarantined);
        store_delete(store);
        return r < 0 ? r : -EIO;
    }
    *ret_store = store;
    *ret_quarantined = quarantined;
    return 0;
}

int store_open_reader(const char *directory, struct store **ret_store)
{
    int r = store_check_size(directory);
    if (r)
        return r == STORE_NO_FILE ? CACHE_MISS : r < 0 ? r : -EUCLEAN;
    struct store *store = store_make(directory);
    if (!store)
        return -ENOMEM;
    r = open_env(store, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS);
    if (r == 0)
        r = open_databases(store, 0); /* CACHE_MISS: the writer has not made them yet */
    if (r) {
        store_delete(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

bool store_replaced(const struct store *store)
{
    struct stat st;
    char *path = store_path(store->directory, "data.mdb");
    bool same = path && stat(path, &st) == 0 && st.st_dev == store->device && st.st_ino == store->inode;
    free(path);
    return !same;
}

static void note_clean_close(struct store *store)
{
    MDB_txn *txn;
    int64_t now = (int64_t)time(NULL);
    MDB_val key = store_text("closed"), value = {.mv_data = &now, .mv_size = sizeof(now)};
    if (store_write_begin(store, &txn))
        return;
    if (mdb_put(txn, store->dbi[CACHE_META], &key, &value, 0)) {
        mdb_txn_abort(txn);
        return;
    }
    if (store_write_commit(store, txn) == 0 && mdb_env_sync(store->env, 1) == 0)
        store_state_clean(store->state_fd);
}

void store_close(struct store *store)
{
    if (store && store->writable && store->env && store->lease_count)
        note_clean_close(store);
    store_delete(store);
}

bool store_boot_changed(const struct store *store)
{
    return store->boot_changed;
}

wall_s store_last_clean_close(const struct store *store)
{
    return store->last_clean_close;
}
