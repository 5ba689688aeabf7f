/* Flushing: the name's own records, and the denials that would deny it again.
 *
 * Denials are kept by zone, and the zone of a name is not known, so every ancestor with denials is looked at.
 * NSEC lie in name order: the name's own and the one before it, which covers it. NSEC3 are found by hash;
 * without a hash function, or for a subtree inside the zone (whose hashes lie anywhere), all of the zone go.
 */
#include <errno.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/cache/lookup_search.h"
#include "common/cache/store_lmdb.h"

#define HASH_SIZE   20u
#define ARENA_BYTES 65536u

struct flush {
    struct store *store;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of the database at hand */
    int64_t removed;
};

static int open_cursor(struct flush *flush, enum cache_db db)
{
    if (flush->cursor)
        mdb_cursor_close(flush->cursor);
    flush->cursor = NULL;
    return store_error(mdb_cursor_open(flush->txn, flush->store->dbi[db], &flush->cursor));
}

static int remove_current(struct flush *flush)
{
    int rc = mdb_cursor_del(flush->cursor, 0);
    if (rc == 0)
        flush->removed++;
    return store_error(rc);
}

/* Every key that begins with prefix; the cursor seeks anew after each, since a removal may merge pages. */
static int remove_prefix(struct flush *flush, const struct cache_key *prefix)
{
    for (;;) {
        MDB_val k = store_val(cache_key_slice(prefix)), v;
        int rc = mdb_cursor_get(flush->cursor, &k, &v, prefix->size ? MDB_SET_RANGE : MDB_FIRST);
        if (rc == MDB_NOTFOUND ||
            (rc == 0 && !cache_key_has_prefix(store_slice(&k), cache_key_slice(prefix))))
            return 0;
        int r = rc ? store_error(rc) : remove_current(flush);
        if (r)
            return r;
    }
}

/* The entry with the greatest key at or before `key`, when it begins with prefix. 0 or CACHE_MISS or -errno.
 */
static int seek_le(struct flush *flush, const struct cache_key *key, const struct cache_key *prefix,
                   MDB_val *ret_key, MDB_val *ret_value)
{
    *ret_key = store_val(cache_key_slice(key));
    int rc = mdb_cursor_get(flush->cursor, ret_key, ret_value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(flush->cursor, ret_key, ret_value, MDB_LAST);
    else if (rc == 0 && cache_key_compare(store_slice(ret_key), cache_key_slice(key)) != 0)
        rc = mdb_cursor_get(flush->cursor, ret_key, ret_value, MDB_PREV);
    if (rc)
        return store_error(rc);
    return cache_key_has_prefix(store_slice(ret_key), cache_key_slice(prefix)) ? 0 : CACHE_MISS;
}

static int flush_nsec_of_zone(struct flush *flush, const uint8_t *zone, const uint8_t *name, bool subtree)
{
    struct cache_key key, prefix;
    MDB_val k, v;
    if (cache_key_nsec(zone, name, &key) || cache_key_name(zone, &prefix))
        return 0;
    int r = subtree ? remove_prefix(flush, &key) : 0;
    if (r)
        return r;
    r = seek_le(flush, &key, &prefix, &k, &v);
    if (r)
        return r < 0 ? r : 0;
    /* the name's own, or the one before it that may cover it */
    return remove_current(flush);
}

static int flush_nsec(struct flush *flush, const uint8_t *name, bool subtree)
{
    struct cache_key prefix;
    int r = open_cursor(flush, CACHE_NSEC);
    if (r == 0 && subtree && cache_key_subtree(name, &prefix) == 0)
        r = remove_prefix(flush, &prefix); /* of zones at or below the name */
    for (const uint8_t *zone = name; r == 0; zone = name_parent(zone)) {
        r = flush_nsec_of_zone(flush, zone, name, subtree);
        if (name_is_root(zone))
            break;
    }
    return r;
}

/* Does the NSEC3 under this key cover the hash? What cannot be read does, for what this is asked for. */
static bool nsec3_covers(struct arena *arena, const uint8_t *zone, const MDB_val *k, const MDB_val *v,
                         const uint8_t hash[HASH_SIZE])
{
    struct cache_rr rr;
    struct nsec3_parsed parsed;
    if (cache_rr_decode(arena, store_slice(k), store_slice(v), zone, TYPE_NSEC3, &rr) ||
        nsec3_parse(&rr.rrset.rdata[0], &parsed) || parsed.next.size != HASH_SIZE || k->mv_size < HASH_SIZE)
        return true;
    const uint8_t *owner = (const uint8_t *)k->mv_data + k->mv_size - HASH_SIZE;
    bool after = memcmp(owner, hash, HASH_SIZE) < 0, before = memcmp(hash, parsed.next.data, HASH_SIZE) < 0;
    return memcmp(owner, parsed.next.data, HASH_SIZE) < 0 ? after && before : after || before;
}

/* Match or cover of each name from the zone's first down to `name`. */
static int flush_hashes(struct flush *flush, const uint8_t *zone, const uint8_t *name, struct slice key,
                        struct slice value, size_t prefix_size)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct cache_rr rr;
    struct nsec3_parsed parsed;
    struct cache_key prefix, sought, last;
    if (!arena)
        return -ENOMEM;
    int r = cache_rr_decode(arena, key, value, zone, TYPE_NSEC3, &rr);
    if (r)
        return r < 0 ? r : 1;
    if (nsec3_parse(&rr.rrset.rdata[0], &parsed) ||
        cache_key_nsec3(zone, parsed.algorithm, parsed.iterations, parsed.salt, slice_make(NULL, 0),
                        &prefix) ||
        prefix.size != prefix_size + 8)
        return 1;
    /* the pages of rr may change under the removals */
    uint8_t salt_bytes[255];
    if (parsed.salt.size)
        memcpy(salt_bytes, parsed.salt.data, parsed.salt.size);
    struct slice salt = slice_make(salt_bytes, parsed.salt.size);
    for (unsigned labels = name_labels(zone); labels <= name_labels(name); labels++) {
        uint8_t hash[HASH_SIZE], greatest[HASH_SIZE];
        MDB_val k, v;
        memset(greatest, 0xff, sizeof(greatest));
        if (flush->store->nsec3_hash(flush->store->nsec3_ctx, name_suffix(name, labels), parsed.algorithm,
                                     parsed.iterations, salt, hash) ||
            cache_key_nsec3(zone, parsed.algorithm, parsed.iterations, salt, slice_make(hash, HASH_SIZE),
                            &sought) ||
            cache_key_nsec3(zone, parsed.algorithm, parsed.iterations, salt, slice_make(greatest, HASH_SIZE),
                            &last))
            return 1;
        r = seek_le(flush, &sought, &prefix, &k, &v);
        if (r == CACHE_MISS)
            r = seek_le(flush, &last, &prefix, &k, &v); /* the span that wraps around */
        if (r < 0)
            return r;
        if (r)
            continue;
        /* what matches an ancestor says that it exists, and stays */
        bool own = cache_key_compare(store_slice(&k), cache_key_slice(&sought)) == 0;
        arena_reset(arena);
        if (own ? labels == name_labels(name) : nsec3_covers(arena, zone, &k, &v, hash)) {
            r = remove_current(flush);
            if (r)
                return r;
        }
    }
    return 0;
}

static int flush_nsec3_of_zone(struct flush *flush, const uint8_t *zone, const uint8_t *name, bool whole_zone)
{
    struct cache_key prefix, from;
    if (cache_key_name(zone, &prefix))
        return 0;
    from = prefix;
    while (!whole_zone && flush->store->nsec3_hash) {
        MDB_val k = store_val(cache_key_slice(&from)), v;
        int rc = mdb_cursor_get(flush->cursor, &k, &v, MDB_SET_RANGE);
        if (rc == MDB_NOTFOUND ||
            (rc == 0 && !cache_key_has_prefix(store_slice(&k), cache_key_slice(&prefix))))
            return 0;
        if (rc)
            return store_error(rc);
        if (k.mv_size < prefix.size + 8u ||
            cache_key_after_prefix(slice_make(k.mv_data, prefix.size + 8u), &from))
            break;
        int r = flush_hashes(flush, zone, name, store_slice(&k), store_slice(&v), prefix.size);
        if (r < 0)
            return r;
        if (r)
            break;
    }
    if (!whole_zone && flush->store->nsec3_hash && from.size != prefix.size)
        return 0;
    return remove_prefix(flush, &prefix);
}

static int is_zone(struct flush *flush, const uint8_t *name)
{
    struct cache_key key;
    MDB_val v;
    if (cache_key_name(name, &key))
        return 0;
    MDB_val k = store_val(cache_key_slice(&key));
    return mdb_get(flush->txn, flush->store->dbi[CACHE_ZONE], &k, &v) == 0;
}

static int flush_nsec3(struct flush *flush, const uint8_t *name, bool subtree)
{
    struct cache_key prefix;
    bool cut = is_zone(flush, name);
    int r = open_cursor(flush, CACHE_NSEC3);
    if (r == 0 && subtree && cache_key_subtree(name, &prefix) == 0)
        r = remove_prefix(flush, &prefix);
    for (const uint8_t *zone = name; r == 0; zone = name_parent(zone)) {
        /* a subtree that is a zone of its own has no more than its apex in the zone above */
        bool whole = subtree && !cut && zone != name;
        if (whole && cache_key_name(zone, &prefix) == 0) {
            MDB_val k = store_val(cache_key_slice(&prefix)), v;
            if (mdb_cursor_get(flush->cursor, &k, &v, MDB_SET_RANGE) == 0 &&
                cache_key_has_prefix(store_slice(&k), cache_key_slice(&prefix)))
                cut = true; /* this is the zone of the name: those above are asked by hash */
        }
        r = flush_nsec3_of_zone(flush, zone, name, whole);
        if (name_is_root(zone))
            break;
    }
    return r;
}

static int flush_name(struct flush *flush, const uint8_t *name, bool subtree)
{
    static const enum cache_db dbs[] = {CACHE_RR, CACHE_NEG, CACHE_ZONE};
    struct cache_key prefix;
    /* denials first: they ask the zone database what is a cut */
    int r = flush_nsec(flush, name, subtree);
    if (r == 0)
        r = flush_nsec3(flush, name, subtree);
    if (subtree ? cache_key_subtree(name, &prefix) : cache_key_name(name, &prefix))
        return r;
    for (unsigned i = 0; i < ARRAY_SIZE(dbs) && r == 0; i++) {
        r = open_cursor(flush, dbs[i]);
        if (r == 0)
            r = remove_prefix(flush, &prefix);
    }
    return r;
}

static int flush_everything(struct flush *flush)
{
    static const enum cache_db dbs[] = {CACHE_RR, CACHE_NSEC, CACHE_NSEC3, CACHE_ZONE, CACHE_NEG};
    for (unsigned i = 0; i < ARRAY_SIZE(dbs); i++) {
        MDB_stat stat;
        int rc = mdb_stat(flush->txn, flush->store->dbi[dbs[i]], &stat);
        if (rc == 0)
            rc = mdb_drop(flush->txn, flush->store->dbi[dbs[i]], 0);
        if (rc)
            return store_error(rc);
        flush->removed += (int64_t)stat.ms_entries;
    }
    return 0;
}

int64_t store_flush(struct store *store, const uint8_t *name, bool subtree)
{
    struct flush flush = {.store = store};
    uint64_t epoch = store->epoch + 1;
    int r = store_write_begin(store, &flush.txn);
    if (r)
        return r;
    r = subtree && name_is_root(name) ? flush_everything(&flush) : flush_name(&flush, name, subtree);
    if (flush.cursor)
        mdb_cursor_close(flush.cursor);
    MDB_val key = store_text("epoch"), value = {.mv_data = &epoch, .mv_size = sizeof(epoch)};
    if (r == 0)
        r = store_error(mdb_put(flush.txn, store->dbi[CACHE_META], &key, &value, 0));
    if (r) {
        mdb_txn_abort(flush.txn);
        return r < 0 ? r : -EIO;
    }
    r = store_write_commit(store, flush.txn);
    if (r)
        return r;
    store->epoch = epoch;
    store->counters.removes += (uint64_t)flush.removed;
    return flush.removed;
}
