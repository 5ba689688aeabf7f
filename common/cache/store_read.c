/* The read-only view: one transaction that is renewed for each batch, one cursor a database that is renewed
 * with it. */
#include <errno.h>
#include <string.h>

#include "common/cache/store_lmdb.h"

/* A damaged page costs what lies on it (DESIGN 4): for the writer's process it is a miss, and the file is on
 * its way out. After the first such error LMDB refuses the transaction (MDB_BAD_TXN) until it is renewed. A
 * reader without locks may have met a page that was used again, and passes the error on. */
static int read_error(struct store *store, int rc)
{
    int r = rc == MDB_BAD_TXN ? -EUCLEAN : store_error(rc);
    if (r != -EUCLEAN || !store->writable)
        return r;
    atomic_store(&store->damaged, true);
    return CACHE_MISS;
}

bool store_damaged(const struct store *store)
{
    return atomic_load(&store->damaged);
}

static int view_get(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value)
{
    struct store *store = ctx;
    if (!key.size || key.size > CACHE_KEY_MAX)
        return CACHE_MISS;
    MDB_val k = store_val(key), v;
    int rc = mdb_get(store->read_txn, store->dbi[db], &k, &v);
    if (rc)
        return read_error(store, rc);
    *ret_value = store_slice(&v);
    return 0;
}

static int cursor_for(struct store *store, enum cache_db db, MDB_cursor **ret_cursor)
{
    int rc = 0;
    if (!store->cursors[db])
        rc = mdb_cursor_open(store->read_txn, store->dbi[db], &store->cursors[db]);
    else if (store->cursor_stale[db])
        rc = mdb_cursor_renew(store->read_txn, store->cursors[db]);
    if (rc)
        return read_error(store, rc);
    store->cursor_stale[db] = false;
    *ret_cursor = store->cursors[db];
    return 0;
}

/* LMDB takes no empty key: below it there is nothing, from it on everything. */
static int view_seek(struct store *store, enum cache_db db, struct slice key, bool up, struct slice *ret_key,
                     struct slice *ret_value)
{
    MDB_cursor *cursor = NULL;
    if (!key.size && !up)
        return CACHE_MISS;
    key.size = MIN(key.size, CACHE_KEY_MAX);
    int r = cursor_for(store, db, &cursor);
    if (r)
        return r;
    MDB_val k = store_val(key), v;
    int rc = mdb_cursor_get(cursor, &k, &v, key.size ? MDB_SET_RANGE : MDB_FIRST);
    if (!up) {
        if (rc == MDB_NOTFOUND)
            rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
        else if (rc == 0 && cache_key_compare(store_slice(&k), key) != 0)
            rc = mdb_cursor_get(cursor, &k, &v, MDB_PREV);
    }
    if (rc)
        return read_error(store, rc);
    *ret_key = store_slice(&k);
    *ret_value = store_slice(&v);
    return 0;
}

static int view_seek_le(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                        struct slice *ret_value)
{
    return view_seek(ctx, db, key, false, ret_key, ret_value);
}

static int view_seek_ge(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                        struct slice *ret_value)
{
    return view_seek(ctx, db, key, true, ret_key, ret_value);
}

int store_read_begin(struct store *store, mono_ns now, struct cache_view *ret_view)
{
    assert(!store->reading);
    for (unsigned attempt = 0;; attempt++) {
        int rc = store->read_txn ? mdb_txn_renew(store->read_txn)
                                 : mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->read_txn);
        if (rc == 0)
            break;
        /* the writer was started anew with a larger map */
        if (rc != MDB_MAP_RESIZED || attempt)
            return store_error(rc);
        rc = mdb_env_set_mapsize(store->env, 0);
        if (rc)
            return store_error(rc);
    }
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++)
        store->cursor_stale[db] = true;
    store->reading = true;
    store->read_began = now;
    *ret_view =
        (struct cache_view){.ctx = store, .get = view_get, .seek_le = view_seek_le, .seek_ge = view_seek_ge};
    return 0;
}

void store_read_end(struct store *store)
{
    assert(store->reading);
    mdb_txn_reset(store->read_txn);
    store->reading = false;
}

bool store_read_expired(const struct store *store, mono_ns now)
{
    return mono_reached(now, mono_add_ms(store->read_began, STORE_READER_LEASE_MS / 2));
}

int store_walk(struct store *store, enum cache_db db, struct slice from, unsigned max,
               int (*fn)(void *ctx, enum cache_db db, struct slice key, struct slice value), void *ctx)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_error(rc);
    unsigned seen = 0;
    uint8_t before[CACHE_KEY_MAX];
    size_t before_size = MIN(from.size, sizeof(before));
    memcpy(before, from.data ? from.data : before, before_size);
    rc = mdb_cursor_open(txn, store->dbi[db], &cursor);
    if (rc == 0) {
        MDB_val k = store_val(from), v;
        k.mv_size = MIN(k.mv_size, CACHE_KEY_MAX);
        for (MDB_cursor_op op = k.mv_size ? MDB_SET_RANGE : MDB_FIRST; seen < max; op = MDB_NEXT) {
            rc = mdb_cursor_get(cursor, &k, &v, op);
            int order =
                rc || !before_size ? 1 : cache_key_compare(store_slice(&k), slice_make(before, before_size));
            if (rc == 0 && (order < 0 || (order == 0 && seen > 0) || k.mv_size > sizeof(before)))
                rc = MDB_CORRUPTED;
            if (rc)
                break;
            memcpy(before, k.mv_data, k.mv_size);
            before_size = k.mv_size;
            seen++;
            if (fn(ctx, db, store_slice(&k), store_slice(&v)))
                break;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (rc && store_error(rc) == -EUCLEAN)
        atomic_store(&store->damaged, true);
    return rc && rc != MDB_NOTFOUND ? store_error(rc) : (int)seen;
}

int store_used(struct store *store, MDB_txn *txn, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    MDB_stat stat;
    /* 0 and 1 are LMDB's own: the free list and the list of databases */
    for (unsigned i = 0; i < CACHE_DB_COUNT + 2; i++) {
        int rc = mdb_stat(txn, i < 2 ? i : store->dbi[i - 2], &stat);
        if (rc)
            return store_error(rc);
        bytes += (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * stat.ms_psize;
    }
    *ret_bytes = bytes;
    return 0;
}

int store_stats(struct store *store, struct store_stats *ret_stats)
{
    struct store_stats stats = store->counters;
    MDB_txn *txn;
    MDB_envinfo info;
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0)
        rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return store_error(rc);
    stats.map_bytes = info.me_mapsize;
    int r = store_used(store, txn, &stats.used_bytes);
    for (unsigned db = 0; db < CACHE_DB_COUNT && r == 0; db++) {
        MDB_stat stat;
        r = store_error(mdb_stat(txn, store->dbi[db], &stat));
        stats.entries[db] = stat.ms_entries;
    }
    mdb_txn_abort(txn);
    if (r)
        return r;
    *ret_stats = stats;
    return 0;
}
