/* What a new file takes over from the damaged one that was moved aside: the few records that nobody can learn
 * again from the network. A child reads, since a damaged page kills whoever looks at it; what it had found by
 * then is in shared memory and counts. Only what its tree leads to: an old page may hold an NTA that was
 * removed since. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cache/entry.h"
#include "common/cache/stale_switch.h"
#include "common/cache/store_lmdb.h"

#define CARRY_TIMEOUT_MS 10000u
#define CARRY_MAX        4096u /* records: a thousand NTAs may be in force, and a trust point has one each */
#define CARRY_BYTES      (4u << 20) /* of them */
#define CARRY_ARENA      65536u

struct carried_record {
    uint32_t db, key_size, value_size; /* the bytes follow, in this order */
};

/* Shared with the child. */
struct carry {
    struct store_carried told;
    uint64_t epoch;
    size_t size;
    uint8_t bytes[CARRY_BYTES];
};

struct carry_task {
    struct carry *carry;
    const char *path;
};

static bool take(struct carry *carry, enum cache_db db, const MDB_val *key, const MDB_val *value)
{
    struct carried_record record = {
        .db = db, .key_size = (uint32_t)key->mv_size, .value_size = (uint32_t)value->mv_size};
    size_t size = sizeof(record) + key->mv_size + value->mv_size;
    if (carry->told.records >= CARRY_MAX || size > CARRY_BYTES - carry->size)
        return false;
    uint8_t *at = carry->bytes + carry->size;
    memcpy(at, &record, sizeof(record));
    memcpy(at + sizeof(record), key->mv_data, key->mv_size);
    memcpy(at + sizeof(record) + key->mv_size, value->mv_data, value->mv_size);
    /* last: if this process ends on the way, the record is not there */
    carry->size += size;
    carry->told.records++;
    return true;
}

static bool is_sound(struct arena *arena, enum cache_db db, const MDB_val *key, const MDB_val *value)
{
    struct cache_nta nta;
    struct cache_anchor anchor;
    arena_reset(arena);
    if (!key->mv_size || key->mv_size > CACHE_KEY_MAX || value->mv_size > CACHE_ENTRY_MAX)
        return false;
    return (db == CACHE_NTA ? cache_nta_decode(arena, store_slice(key), store_slice(value), &nta)
                            : cache_anchor_decode(store_slice(key), store_slice(value), &anchor)) == 0;
}

/* false: the table cannot be read to its end. */
static bool take_table(struct carry *carry, MDB_txn *txn, enum cache_db db, struct arena *arena,
                       unsigned *counter)
{
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_stat stat;
    size_t seen = 0;
    int rc;
    if (mdb_dbi_open(txn, store_db_name(db), 0, &dbi) || mdb_stat(txn, dbi, &stat) ||
        mdb_cursor_open(txn, dbi, &cursor))
        return false;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 && seen++ < stat.ms_entries) {
        if (is_sound(arena, db, &key, &value) && take(carry, db, &key, &value))
            (*counter)++;
        else
            carry->told.lost++;
    }
    return rc == MDB_NOTFOUND && seen == stat.ms_entries;
}

/* The epoch and the commit sequence, so that they do not fall, and what an operator switched. */
static void take_meta(struct carry *carry, MDB_txn *txn)
{
    static const char *const names[] = {STORE_SEQUENCE_KEY, STALE_SWITCH_KEY};
    MDB_dbi dbi;
    MDB_val key = store_text("epoch"), value;
    if (mdb_dbi_open(txn, store_db_name(CACHE_META), 0, &dbi))
        return;
    if (mdb_get(txn, dbi, &key, &value) == 0 && value.mv_size == sizeof(carry->epoch))
        memcpy(&carry->epoch, value.mv_data, sizeof(carry->epoch));
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        key = store_text(names[i]);
        if (mdb_get(txn, dbi, &key, &value) == 0 && value.mv_size <= CACHE_ENTRY_MAX)
            (void)take(carry, CACHE_META, &key, &value);
    }
}

static int read_damaged(void *ctx)
{
    const struct carry_task *task = ctx;
    struct carry *carry = task->carry;
    struct arena *arena = arena_new(CARRY_ARENA);
    MDB_env *env;
    MDB_txn *txn;
    if (!arena || mdb_env_create(&env) || mdb_env_set_maxdbs(env, CACHE_DB_COUNT) ||
        mdb_env_open(env, task->path, MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS | MDB_NOSUBDIR, 0) ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
        return 1;
    carry->told.ntas_read = take_table(carry, txn, CACHE_NTA, arena, &carry->told.ntas);
    carry->told.anchors_read = take_table(carry, txn, CACHE_ANCHOR, arena, &carry->told.anchors);
    take_meta(carry, txn);
    return 0;
}

/* Into the new file. The bytes come from a child that may have gone mad over a damaged page. */
static int write_carried(struct store *store, const struct carry *carry)
{
    size_t count = 0, at = 0, size = MIN(carry->size, CARRY_BYTES);
    struct cache_write *writes = calloc(CARRY_MAX, sizeof(*writes));
    if (!writes)
        return -ENOMEM;
    while (count < CARRY_MAX && size - at >= sizeof(struct carried_record)) {
        struct carried_record record;
        memcpy(&record, carry->bytes + at, sizeof(record));
        at += sizeof(record);
        if ((record.db != CACHE_NTA && record.db != CACHE_ANCHOR && record.db != CACHE_META) ||
            record.key_size > CACHE_KEY_MAX || record.value_size > CACHE_ENTRY_MAX ||
            (size_t)record.key_size + record.value_size > size - at)
            break;
        writes[count++] = (struct cache_write){
            .db = (enum cache_db)record.db,
            .key = slice_make(carry->bytes + at, record.key_size),
            .value = slice_make(carry->bytes + at + record.key_size, record.value_size),
        };
        at += (size_t)record.key_size + record.value_size;
    }
    /* a number past the half can only be damage */
    uint64_t epoch = carry->epoch < INT64_MAX ? carry->epoch : 0;
    int r = store_commit(store, writes, count, epoch, store_clock());
    free(writes);
    return r < 0 ? r : store_sync(store);
}

/* The newest; NULL: there is none. */
static char *find_damaged(const char *directory)
{
    char newest[NAME_MAX + 1] = "";
    DIR *dir = opendir(directory);
    if (!dir)
        return NULL;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strncmp(entry->d_name, STORE_DAMAGED_PREFIX, strlen(STORE_DAMAGED_PREFIX)) == 0 &&
            strlen(entry->d_name) < sizeof(newest) && strcmp(entry->d_name, newest) > 0)
            strcpy(newest, entry->d_name);
    closedir(dir);
    return newest[0] ? store_path(directory, newest) : NULL;
}

int store_carry_over(struct store *store, const char *from, struct store_carried *ret_carried)
{
    assert(store->writable);
    *ret_carried = (struct store_carried){0};
    if (!store->fresh)
        return CACHE_MISS;
    char *path = from ? strdup(from) : find_damaged(store->directory);
    if (!path || access(path, F_OK) < 0) {
        free(path);
        return CACHE_MISS;
    }
    struct carry_task task = {.path = path};
    task.carry = mmap(NULL, sizeof(*task.carry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r = task.carry == MAP_FAILED ? -errno : 0;
    if (r == 0) {
        (void)store_in_child(read_damaged, &task, CARRY_TIMEOUT_MS);
        r = write_carried(store, task.carry);
        if (r == 0)
            *ret_carried = task.carry->told;
        munmap(task.carry, sizeof(*task.carry));
    }
    ret_carried->tried = true;
    snprintf(ret_carried->from, sizeof(ret_carried->from), "%s", path);
    free(path);
    return r;
}
