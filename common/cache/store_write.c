/* The writer's transactions, and the lease that keeps what readers may still look at.
 *
 * A reader's snapshot is safe while some read transaction of the writer's is as old or older: LMDB reuses no
 * page that one of those can reach. Each commit supersedes a snapshot; a lease on it, or on one before it, is
 * kept for STORE_READER_LEASE_MS beyond that. One lease may stand for all commits of STORE_LEASE_STEP_MS, so
 * that their number is bounded however quick the commits. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cache/store_lmdb.h"

static void release_leases(struct store *store, mono_ns now)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < store->lease_count; i++) {
        struct store_lease lease = store->leases[i];
        if (mono_reached(now, lease.until))
            mdb_txn_abort(lease.txn);
        else
            store->leases[kept++] = lease;
    }
    store->lease_count = kept;
}

int store_lease_advance(struct store *store, bool at_once)
{
    mono_ns now = store_clock();
    struct store_lease *last = &store->leases[store->lease_count - 1];
    assert(store->lease_count > 0);
    if (store->lease_count == STORE_LEASES ||
        (!at_once && !mono_reached(now, mono_add_ms(last->opened, STORE_LEASE_STEP_MS))))
        return 0;
    struct store_lease next = {.opened = now, .until = MONO_NEVER};
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &next.txn);
    if (rc)
        return store_error(rc); /* the last one goes on standing for the newest */
    last->until = mono_add_ms(now, STORE_READER_LEASE_MS);
    store->leases[store->lease_count++] = next;
    return 0;
}

static void sleep_until(mono_ns end)
{
    /* By what is left: an absolute time would be converted by libfaketime, and there would be no sleep. */
    for (mono_ns now = store_clock(); !mono_reached(now, end); now = store_clock()) {
        uint64_t left = end.ns - now.ns;
        struct timespec ts = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
        nanosleep(&ts, NULL);
    }
}

int store_write_begin(struct store *store, MDB_txn **ret_txn)
{
    if (!store->committed) {
        sleep_until(mono_add_ms(store->opened, STORE_READER_LEASE_MS));
        store->committed = true;
    }
    release_leases(store, store_clock());
    return store_error(mdb_txn_begin(store->env, NULL, 0, ret_txn));
}

static int put_meta(struct store *store, MDB_txn *txn, const char *name, const void *data, size_t size)
{
    MDB_val key = {.mv_data = (void *)name, .mv_size = strlen(name)},
            value = {.mv_data = (void *)data, .mv_size = size};
    return mdb_put(txn, store->dbi[CACHE_META], &key, &value, 0);
}

/* This run's marks: format, boot id, and that the close before it is over. */
static int note_run(struct store *store, MDB_txn *txn)
{
    uint32_t format = CACHE_FORMAT_VERSION;
    int64_t open = 0;
    char boot[40];
    store_boot_id(boot);
    int rc = put_meta(store, txn, "format", &format, sizeof(format));
    if (rc == 0)
        rc = put_meta(store, txn, "boot", boot, strlen(boot));
    if (rc == 0)
        rc = put_meta(store, txn, "closed", &open, sizeof(open));
    return rc;
}

int store_write_commit(struct store *store, MDB_txn *txn)
{
    if (!store->noted) {
        int rc = note_run(store, txn);
        if (rc) {
            mdb_txn_abort(txn);
            return store_error(rc);
        }
    }
    int r = store_error(mdb_txn_commit(txn));
    if (r)
        return r;
    store->noted = true;
    store->counters.commits++;
    return store_lease_advance(store, false);
}

static int compare_writes(const void *a, const void *b)
{
    const struct cache_write *x = *(const struct cache_write *const *)a,
                             *y = *(const struct cache_write *const *)b;
    if (x->db != y->db)
        return x->db < y->db ? -1 : 1;
    int order = cache_key_compare(x->key, y->key);
    /* one array: of equal keys the later queued comes later */
    return order ? order : x < y ? -1 : x > y;
}

static bool is_too_old(const struct cache_write *write, uint64_t epoch)
{
    return write->db != CACHE_NTA && write->db != CACHE_ANCHOR && write->db != CACHE_META &&
           write->epoch < epoch;
}

/* Leaves in order[] what is to be done: of several writes for one key the last, none that is too old. */
static size_t choose(const struct cache_write **order, size_t count, uint64_t epoch,
                     struct store_stats *counters)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cache_write *write = order[i];
        if (i + 1 < count && order[i + 1]->db == write->db &&
            cache_key_compare(order[i + 1]->key, write->key) == 0 && !is_too_old(order[i + 1], epoch))
            continue;
        if (is_too_old(write, epoch))
            counters->dropped_old_epoch++;
        else if (write->key.size && write->key.size <= CACHE_KEY_MAX)
            order[chosen++] = write;
    }
    return chosen;
}

static int put_batch(struct store *store, MDB_txn *txn, const struct cache_write *const *order, size_t count,
                     struct store_stats *counters)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count;) {
        MDB_dbi dbi = store->dbi[order[i]->db];
        size_t end = i;
        for (; end < count && order[end]->db == order[i]->db && !order[end]->remove; end++)
            ;
        if (end > i) {
            rc = store_put_sorted(txn, dbi, order + i, end - i);
            counters->puts += end - i;
            i = end;
        } else {
            MDB_val key = store_val(order[i++]->key);
            rc = mdb_del(txn, dbi, &key, NULL);
            if (rc == MDB_NOTFOUND)
                rc = 0;
            counters->removes++;
        }
    }
    return rc;
}

static int commit_once(struct store *store, const struct cache_write *const *order, size_t count,
                       uint64_t epoch, struct store_stats counters)
{
    MDB_txn *txn;
    int r = store_write_begin(store, &txn);
    if (r)
        return r;
    int rc = put_batch(store, txn, order, count, &counters);
    if (rc == 0 && epoch != store->epoch)
        rc = put_meta(store, txn, "epoch", &epoch, sizeof(epoch));
    if (rc) {
        mdb_txn_abort(txn);
        return store_error(rc);
    }
    r = store_write_commit(store, txn);
    if (r)
        return r;
    counters.commits = store->counters.commits;
    store->counters = counters;
    store->epoch = epoch;
    return 0;
}

/* Waits until what is free, but under lease, may be used. */
static void wait_for_leases(struct store *store)
{
    store_lease_advance(store, true);
    sleep_until(mono_add_ms(store_clock(), STORE_READER_LEASE_MS));
    release_leases(store, store_clock());
}

/* Batches that touch many pages, on a slow disk, fill a map with pages under lease (seen: a third of it in
 * use, and half of the entries swept for nothing). Those come back by themselves. Where entries hold more of
 * it, what came back is better used to remove some: a map that they fill to the brim has no page left for
 * that. */
static bool is_half_empty(struct store *store)
{
    uint64_t percent;
    return store_used_percent(store, &percent) == 0 && percent < 50;
}

/* The map is full, though no lease holds anything back: removals need pages themselves, and what they free is
 * free once no lease reaches it. */
static int make_room(struct store *store)
{
    int r = store_sweep_hard(store, (wall_s){.s = (int64_t)time(NULL)});
    wait_for_leases(store);
    return r;
}

int store_commit(struct store *store, const struct cache_write *writes, size_t count, uint64_t epoch,
                 mono_ns now)
{
    assert(store->writable);
    epoch = MAX(epoch, store->epoch);
    if (!count && epoch == store->epoch)
        return 0;
    const struct cache_write **order = malloc((count ? count : 1) * sizeof(*order));
    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = &writes[i];
    qsort(order, count, sizeof(*order), compare_writes);
    struct store_stats counters = store->counters;
    count = choose(order, count, epoch, &counters);
    int r = commit_once(store, order, count, epoch, counters);
    if (r == -EFBIG) {
        store->crowded = true;
        wait_for_leases(store);
        if (is_half_empty(store))
            r = commit_once(store, order, count, epoch, counters);
        if (r == -EFBIG && make_room(store) == 0) {
            counters.swept = store->counters.swept;
            r = commit_once(store, order, count, epoch, counters);
        }
    }
    free(order);
    return r;
}

uint64_t store_epoch(const struct store *store)
{
    return store->epoch;
}

int store_sync(struct store *store)
{
    return store_error(mdb_env_sync(store->env, 1));
}
