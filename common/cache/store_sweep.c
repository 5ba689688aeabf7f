/* The eviction sweep: slices in key order, so that what goes lies together and whole pages come free. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/store_lmdb.h"

/* Above this use there is no time for a whole pass that only looks for what is past every limit. */
#define HURRY_PCT 90u
/* NSEC and NSEC3 answer for many names, which the sketch counts under their own keys: they are no name's
 * first loss. */
#define DENIAL_THRESHOLD 1u
/* Percent that a map in which pages under lease take more than a fifth is kept emptier by. */
#define CROWDED_PCT 15u
/* Counts of the sketch end at 255. */
#define THRESHOLD_MAX 255u
#define HARD_SLICE    2000u
#define HARD_SLICES   500u

static unsigned phase_databases(enum sweep_phase phase, enum cache_db ret_dbs[CACHE_DB_COUNT])
{
    unsigned count = 0;
    if (phase != SWEEP_ZONES) {
        ret_dbs[count++] = CACHE_RR;
        ret_dbs[count++] = CACHE_NEG;
        ret_dbs[count++] = CACHE_NSEC;
        ret_dbs[count++] = CACHE_NSEC3;
    } else {
        ret_dbs[count++] = CACHE_INFRA;
    }
    if (phase != SWEEP_POPULARITY)
        ret_dbs[count++] = CACHE_ZONE;
    return count;
}

static uint64_t used_percent(const struct store *store, uint64_t bytes)
{
    return bytes * 100 / store->size_bytes;
}

struct sweep_rule {
    wall_s now;
    int64_t stale_max_s, kept_max_s;
    unsigned (*popularity)(void *ctx, uint64_t hash);
    void *ctx;
};

static bool is_past_limit(const struct sweep_rule *rule, enum cache_db db, struct slice value)
{
    int64_t keep = MAX(rule->stale_max_s, 0);
    if (db == CACHE_ZONE || db == CACHE_NSEC || db == CACHE_NSEC3)
        keep = MAX(keep, rule->kept_max_s);
    return cache_value_expires(value).s + keep < rule->now.s;
}

static bool goes(const struct store *store, const struct sweep_rule *rule, enum cache_db db, struct slice key,
                 struct slice value)
{
    const struct store_sweep *sweep = &store->sweep;
    if (sweep->phase == SWEEP_ZONES || is_past_limit(rule, db, value))
        return true;
    if (sweep->phase == SWEEP_EXPIRED)
        return false;
    if ((db == CACHE_NSEC || db == CACHE_NSEC3) && sweep->threshold < DENIAL_THRESHOLD)
        return false;
    unsigned seen = rule->popularity ? rule->popularity(rule->ctx, cache_key_hash(key)) : 0;
    return seen <= sweep->threshold;
}

/* Keys of what goes, one after the other: size of two octets, then the key. */
struct victims {
    uint8_t *bytes;
    size_t size, room;
    unsigned count;
};

static int add_victim(struct victims *victims, struct slice key)
{
    size_t need = victims->size + 2 + key.size;
    if (need > victims->room) {
        size_t room = MAX(2 * victims->room, need + 4096);
        uint8_t *bytes = realloc(victims->bytes, room);
        if (!bytes)
            return -ENOMEM;
        victims->bytes = bytes;
        victims->room = room;
    }
    victims->bytes[victims->size] = (uint8_t)(key.size >> 8);
    victims->bytes[victims->size + 1] = (uint8_t)key.size;
    memcpy(victims->bytes + victims->size + 2, key.data, key.size);
    victims->size = need;
    victims->count++;
    return 0;
}

/* Looks at up to `slice` entries from sweep->from on and leaves there where to go on. *ret_ended: the
 * database is through. */
static int find_victims(struct store *store, MDB_txn *txn, enum cache_db db, const struct sweep_rule *rule,
                        unsigned slice, struct victims *victims, bool *ret_ended)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, store->dbi[db], &cursor);
    if (rc)
        return store_error(rc);
    MDB_val k = store_val(cache_key_slice(&store->sweep.from)), v;
    int r = 0;
    rc = mdb_cursor_get(cursor, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    for (unsigned looked = 0; rc == 0 && looked < slice && r == 0; looked++) {
        if (goes(store, rule, db, store_slice(&k), store_slice(&v)))
            r = add_victim(victims, store_slice(&k));
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    if (rc == 0 && r == 0) {
        memcpy(store->sweep.from.bytes, k.mv_data, k.mv_size);
        store->sweep.from.size = (uint16_t)k.mv_size;
    }
    *ret_ended = rc == MDB_NOTFOUND;
    mdb_cursor_close(cursor);
    return r ? r : rc == MDB_NOTFOUND ? 0 : store_error(rc);
}

static int remove_victims(struct store *store, MDB_txn *txn, enum cache_db db, const struct victims *victims)
{
    for (size_t at = 0; at < victims->size;) {
        size_t size = (size_t)victims->bytes[at] << 8 | victims->bytes[at + 1];
        MDB_val k = {.mv_data = victims->bytes + at + 2, .mv_size = size};
        int rc = mdb_del(txn, store->dbi[db], &k, NULL);
        if (rc && rc != MDB_NOTFOUND)
            return store_error(rc);
        at += 2 + size;
    }
    return 0;
}

/* The next database, then the next phase. After the last nothing may go, and the sweep ends. */
static void next_database(struct store_sweep *sweep)
{
    enum cache_db dbs[CACHE_DB_COUNT];
    sweep->from.size = 0;
    if (++sweep->db_index < phase_databases(sweep->phase, dbs))
        return;
    sweep->db_index = 0;
    if (sweep->phase == SWEEP_POPULARITY && sweep->threshold < THRESHOLD_MAX)
        sweep->threshold = 2 * sweep->threshold + 1;
    else if (sweep->phase == SWEEP_ZONES)
        sweep->active = false;
    else
        sweep->phase = sweep->phase == SWEEP_EXPIRED ? SWEEP_POPULARITY : SWEEP_ZONES;
}

static void start(struct store_sweep *sweep, uint64_t percent)
{
    *sweep = (struct store_sweep){.active = true,
                                  .phase = percent >= HURRY_PCT ? SWEEP_POPULARITY : SWEEP_EXPIRED};
}

static int sweep_slice(struct store *store, const struct sweep_rule *rule, unsigned slice, MDB_txn *txn)
{
    enum cache_db dbs[CACHE_DB_COUNT];
    struct victims victims = {0};
    bool ended = false;
    phase_databases(store->sweep.phase, dbs);
    enum cache_db db = dbs[store->sweep.db_index];
    int r = find_victims(store, txn, db, rule, slice, &victims, &ended);
    if (r == 0)
        r = remove_victims(store, txn, db, &victims);
    free(victims.bytes);
    if (r)
        return r;
    if (ended)
        next_database(&store->sweep);
    return (int)victims.count;
}

int store_used_percent(struct store *store, uint64_t *ret_percent)
{
    MDB_txn *txn;
    uint64_t bytes;
    int r = store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    if (r)
        return r;
    r = store_used(store, txn, &bytes);
    mdb_txn_abort(txn);
    if (r == 0)
        *ret_percent = used_percent(store, bytes);
    return r;
}

static uint64_t spare_percent(const struct store *store)
{
    return store->crowded ? CROWDED_PCT : 0;
}

static int begin_when_due(struct store *store)
{
    uint64_t percent;
    int r = store_used_percent(store, &percent);
    if (r == 0 && percent + spare_percent(store) >= STORE_SWEEP_START_PCT)
        start(&store->sweep, percent);
    return r;
}

/* By what is committed: only the commit writes down which pages came free, which takes pages itself. */
static void end_when_enough(struct store *store)
{
    uint64_t percent;
    if (store_used_percent(store, &percent) == 0 && percent + spare_percent(store) < STORE_SWEEP_STOP_PCT)
        store->sweep.active = false;
}

/* Nothing was removed. A full map has room again one lease later. */
static int give_up_slice(struct store *store, const struct store_sweep *before, int r)
{
    if (r < 0)
        store->sweep = *before;
    return r == -EFBIG ? store_lease_advance(store, true) : r;
}

int store_sweep(struct store *store, wall_s now, int64_t stale_max_s, unsigned slice,
                unsigned (*popularity)(void *ctx, uint64_t hash), void *ctx)
{
    struct sweep_rule rule = {.now = now,
                              .stale_max_s = stale_max_s,
                              .kept_max_s = store->kept_max_s,
                              .popularity = popularity,
                              .ctx = ctx};
    MDB_txn *txn;
    int r = store->sweep.active ? 0 : begin_when_due(store);
    if (r || !store->sweep.active)
        return r;
    r = store_write_begin(store, &txn);
    if (r)
        return r;
    struct store_sweep before = store->sweep;
    r = sweep_slice(store, &rule, slice, txn);
    if (r <= 0) {
        mdb_txn_abort(txn);
        if (r == 0)
            end_when_enough(store); /* by what was removed otherwise */
        return give_up_slice(store, &before, r);
    }
    int committed = store_write_commit(store, txn);
    if (committed)
        return give_up_slice(store, &before, committed);
    store->counters.swept += (uint64_t)r;
    end_when_enough(store);
    return r;
}

bool store_sweep_active(const struct store *store)
{
    return store->sweep.active;
}

/* A full map: limbo and fragmentation took what the thresholds left. Half of what may go goes. */
int store_sweep_hard(struct store *store, wall_s now)
{
    MDB_txn *txn;
    uint64_t bytes, target;
    int r = store_write_begin(store, &txn);
    if (r)
        return r;
    r = store_used(store, txn, &bytes);
    mdb_txn_abort(txn);
    target = bytes / 2;
    struct sweep_rule rule = {.now = now, .kept_max_s = store->kept_max_s};
    start(&store->sweep, 100);
    for (unsigned i = 0; r == 0 && i < HARD_SLICES && bytes > target && store->sweep.active; i++) {
        r = store_write_begin(store, &txn);
        if (r)
            break;
        int removed = sweep_slice(store, &rule, HARD_SLICE, txn);
        if (removed < 0 || store_used(store, txn, &bytes)) {
            mdb_txn_abort(txn);
            r = removed < 0 ? removed : -EUCLEAN;
            break;
        }
        r = store_write_commit(store, txn);
        if (r == 0)
            store->counters.swept += (uint64_t)removed;
    }
    store->sweep.active = false;
    return r;
}
