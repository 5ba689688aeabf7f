/* Changes to what the cache says (change.h), and the verb flush-caches. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/change.h"

#define CHANGE_NOTHING 1 /* outcome of run_change: nothing was changed */
#define WALK_CHUNK     1024u

void change_free(struct change *change)
{
    arena_free(change->arena);
    free(change);
}

void control_raise_epoch(struct validatord *v, uint64_t epoch)
{
    v->epoch = epoch;
    writer_set_epoch(v->writer, epoch);
    atomic_store_explicit(&v->shared.page->epoch, epoch, memory_order_release);
    val_core_set_epoch(v->core, epoch);
}

/* ---- in the writer's thread ---- */

struct picking {
    unsigned pick;
    wall_s since;
    struct cache_key prefix, last;
    struct arena *arena, *values; /* scratch; what replaces entries of this chunk */
    bool ended;
    unsigned count;
    struct cache_write writes[WALK_CHUNK];
    struct cache_key keys[WALK_CHUNK];
};

static int pick_one(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct picking *p = ctx;
    struct slice rest = {0};

    if (!cache_key_has_prefix(key, cache_key_slice(&p->prefix)) || key.size > CACHE_KEY_MAX) {
        p->ended = true;
        return 1;
    }
    memcpy(p->last.bytes, key.data, key.size);
    p->last.size = (uint16_t)key.size;
    arena_reset(p->arena);
    int outcome = outdated_entry(p->arena, p->pick, p->since, db, key, value, &rest);
    if (outcome == OUTDATED_NO)
        return 0;
    struct cache_write *write = &p->writes[p->count];
    p->keys[p->count] = p->last;
    *write = (struct cache_write){
        .db = db, .remove = outcome != OUTDATED_REPLACE, .key = cache_key_slice(&p->keys[p->count])};
    if (!write->remove) {
        write->value = slice_make(arena_copy(p->values, rest.data, rest.size), rest.size);
        write->remove = !write->value.data; /* short of memory: rather nothing than what has ended */
    }
    p->count++;
    return 0;
}

/* Removes what is picked from one database. Removed or -errno. */
static int64_t remove_picked(struct picking *p, struct store *store, enum cache_db db, uint64_t epoch)
{
    struct cache_key from = p->prefix;
    int64_t removed = 0;

    p->ended = false;
    while (!p->ended) {
        int r;

        p->count = 0;
        arena_reset(p->values);
        r = store_walk(store, db, cache_key_slice(&from), WALK_CHUNK, pick_one, p);
        if (r < 0)
            return r;
        if (r < (int)WALK_CHUNK || cache_key_after(cache_key_slice(&p->last), &from))
            p->ended = true;
        for (unsigned i = 0; i < p->count; i++)
            p->writes[i].epoch = epoch;
        if (p->count) {
            r = store_commit(store, p->writes, p->count, epoch, daemon_mono());
            if (r < 0)
                return r;
        }
        removed += p->count;
    }
    return removed;
}

static int64_t run_picked(struct change *change, struct store *store)
{
    struct picking *p = calloc(1, sizeof(*p));
    int64_t removed = 0, r = -ENOMEM;

    if (p) {
        p->arena = arena_new(CHANGE_ARENA_BYTES);
        p->values = arena_new((size_t)WALK_CHUNK * CACHE_ENTRY_MAX * 2);
    }
    if (!p || !p->arena || !p->values)
        goto out;
    p->pick = change->pick;
    p->since = change->nta.added;
    r = change->tree ? cache_key_subtree(change->name, &p->prefix) : cache_key_name(change->name, &p->prefix);
    if (r > 0) {
        r = 0; /* too long to be in the cache */
        goto out;
    }
    for (unsigned db = 0; db < CACHE_DB_COUNT && r >= 0; db++) {
        if (!outdated_concerns(change->pick, (enum cache_db)db))
            continue;
        r = remove_picked(p, store, (enum cache_db)db, change->epoch);
        removed += MAX(r, 0);
    }
out:
    if (p) {
        arena_free(p->arena);
        arena_free(p->values);
    }
    free(p);
    return r < 0 ? r : removed;
}

static int take_nta(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct change *change = ctx;

    if (cache_key_compare(key, cache_key_slice(&change->key)) == 0)
        (void)cache_nta_decode(change->arena, key, value, &change->nta);
    return 1;
}

/* The record as it is now. Was it given more time since the loop saw it expire? Then it stays. */
static bool is_extended(struct change *change, struct store *store)
{
    wall_s seen = change->nta.expires;

    return store_walk(store, CACHE_NTA, cache_key_slice(&change->key), 1, take_nta, change) >= 0 &&
           change->kind == CHANGE_NTA_EXPIRE && change->nta.expires.s > seen.s;
}

static int run_change(struct writer_op *op, struct store *store)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    struct cache_write write = {.db = CACHE_NTA,
                                .remove = change->kind != CHANGE_NTA_ADD,
                                .key = cache_key_slice(&change->key),
                                .value = change->value};
    int64_t r;

    bool goes = change_is_nta(change) && change->kind != CHANGE_NTA_ADD;
    if (goes && is_extended(change, store))
        return CHANGE_NOTHING;
    if (change->kind == CHANGE_FLUSH) {
        r = store_flush(store, change->name, change->tree);
        change->epoch = store_epoch(store);
    } else {
        change->epoch = write.epoch = store_epoch(store) + 1;
        r = store_commit(store, &write, change_is_nta(change), change->epoch, daemon_mono());
        if (r >= 0)
            r = run_picked(change, store);
    }
    if (r < 0)
        return (int)r;
    change->removed = r;
    return store_sync(store);
}

/* ---- on the loop ---- */

static void done_change(struct writer_op *op, int result)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    if (result < 0)
        control_refuse(change->to, -result, "the change could not be written to the cache: %s",
                       strerror(-result));
    if (result == 0 && change_is_nta(change)) {
        nta_changed(change);
    } else if (result == 0 && change->kind == CHANGE_INCIDENT_END) {
        control_raise_epoch(v, change->epoch);
    } else if (result == 0) {
        struct env env = daemon_env(&v->daemon);
        control_raise_epoch(v, change->epoch);
        if (change->kind == CHANGE_FLUSH || (change->pick & PICK_FAILURES))
            val_core_incidents_doubt(v->core, &env, change->name, change->tree);
        log_notice("cache flushed%s%s: %lld entries", change->tree ? " below " : " at ",
                   name_to_text(change->name, text), (long long)change->removed);
        control_answer(change->to, json_pack("{s:I}", "removed_entries", (json_int_t)change->removed));
    }
    change_free(change);
    if (result == 0)
        loop_settle(v);
}

struct change *change_new(struct validatord *v, struct control_request *to, enum change_kind kind,
                          const uint8_t *name)
{
    struct change *change = calloc(1, sizeof(*change));

    if (!change) {
        control_refuse(to, ENOMEM, "out of memory");
        return NULL;
    }
    *change = (struct change){.op = {.run = run_change, .done = done_change}, .v = v, .to = to, .kind = kind};
    name_copy(name, change->name);
    return change;
}

void change_submit(struct change *change)
{
    writer_submit_after_queued(change->v->writer, &change->op);
}

void control_flush(struct validatord *v, const control_message *message, struct control_request *to)
{
    uint8_t name[NAME_MAX];
    struct change *change;
    bool given;

    if (!control_name(message, to, name, &given))
        return;
    change = change_new(v, to, CHANGE_FLUSH, name);
    if (!change)
        return;
    change->tree = message->tree || !given;
    change->pick = (message->bogus ? PICK_FAILURES : 0u) | (message->negative ? PICK_NEGATIVE : 0u);
    if (change->pick)
        change->kind = CHANGE_PICKED;
    change_submit(change);
}
