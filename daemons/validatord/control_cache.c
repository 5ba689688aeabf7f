/* Verbs that read the cache: show-cache, cache-stats, cache-verify. All of them operations of the writer's
 * thread, in chunks, so that neither the loop nor a commit waits long. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/entry.h"
#include "daemons/validatord/control.h"

#define SHOW_LIMIT     200u   /* entries of a chunk unless the request says less */
#define SHOW_BYTES_MAX 49152u /* JSON of a chunk: half a frame; an entry of 8 KiB still fits behind it */
#define VERIFY_CHUNK   2000u
#define ENTRY_ARENA    262144u

/* The databases in the order they are shown. NTAs have a verb of their own. */
static const enum cache_db walked[] = {CACHE_RR, CACHE_NEG, CACHE_ZONE, CACHE_NSEC, CACHE_NSEC3};

struct look {
    struct writer_op op;
    struct validatord *v;
    struct control_request *to;
    struct arena *arena;
    wall_s now;
    /* where the walk is: an index into walked, a key */
    unsigned db;
    struct cache_key at;
    struct cache_key prefix;
    bool bogus, negative, all;
    /* show */
    json_t *entries;
    unsigned limit;
    size_t bytes;
    bool full, past;
    /* verify */
    uint64_t checked, damaged;
    struct cache_key last;
    /* stats */
    struct store_stats stats;
};

static struct look *look_new(struct validatord *v, struct control_request *to)
{
    struct look *look = calloc(1, sizeof(*look));

    if (look)
        look->arena = arena_new(ENTRY_ARENA);
    if (!look || !look->arena) {
        free(look);
        control_refuse(to, ENOMEM, "out of memory");
        return NULL;
    }
    look->v = v;
    look->to = to;
    look->now = daemon_wall(&v->daemon);
    return look;
}

static void look_free(struct look *look)
{
    arena_free(look->arena);
    json_decref(look->entries);
    free(look);
}

static void refuse(struct look *look, int result)
{
    control_refuse(look->to, -result, "the cache could not be read: %s", strerror(-result));
    look_free(look);
}

static void keep_key(struct cache_key *to, struct slice key)
{
    to->size = (uint16_t)MIN(key.size, (size_t)CACHE_KEY_MAX);
    memcpy(to->bytes, key.data, to->size);
}

/* ---- show-cache ---- */

static bool wanted(const struct look *look, const json_t *entry)
{
    const char *kind = json_string_value(json_object_get(entry, "kind"));

    if (look->bogus)
        return kind && strcmp(kind, "failure") == 0;
    return !look->negative || (kind && strcmp(kind, "failure") != 0);
}

static int show_one(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct look *look = ctx;
    bool damaged;
    json_t *entry;
    size_t size;

    if (!cache_key_has_prefix(key, cache_key_slice(&look->prefix))) {
        look->past = true;
        return 1;
    }
    keep_key(&look->last, key);
    arena_reset(look->arena);
    entry = json_cache_entry(look->arena, db, key, value, look->now, &damaged);
    if (!entry)
        return 0; /* damaged: cache-verify counts those */
    if (!wanted(look, entry)) {
        json_decref(entry);
        return 0;
    }
    size = json_dumpb(entry, NULL, 0, JSON_COMPACT);
    look->bytes += size;
    json_array_append_new(look->entries, entry);
    look->full = json_array_size(look->entries) >= look->limit || look->bytes >= SHOW_BYTES_MAX;
    return look->full;
}

/* Fills one chunk, over as many databases as it takes. */
static int run_show(struct writer_op *op, struct store *store)
{
    struct look *look = CONTAINER_OF(op, struct look, op);

    while (look->db < ARRAY_SIZE(walked) && !look->full) {
        int r;

        look->past = false;
        r = store_walk(store, walked[look->db], cache_key_slice(&look->at), VERIFY_CHUNK, show_one, look);
        if (r < 0)
            return r;
        if (!look->full && (look->past || r < (int)VERIFY_CHUNK || !look->last.size)) {
            look->db++;
            look->at = look->prefix;
        } else if (cache_key_after(cache_key_slice(&look->last), &look->at)) {
            look->db++;
            look->at = look->prefix;
        }
        if (!look->full && r == (int)VERIFY_CHUNK && !look->past)
            break; /* enough for one operation: a sparse filter goes on in the next */
    }
    return 0;
}

/* A cursor: where in `walked`, then the key. */
static void done_show(struct writer_op *op, int result)
{
    struct look *look = CONTAINER_OF(op, struct look, op);
    uint8_t cursor[1 + CACHE_KEY_MAX];
    struct slice next = {0};
    json_t *json;
    char *text;

    if (result < 0) {
        refuse(look, result);
        return;
    }
    if (look->db < ARRAY_SIZE(walked)) {
        cursor[0] = (uint8_t)look->db;
        memcpy(cursor + 1, look->at.bytes, look->at.size);
        next = slice_make(cursor, 1u + look->at.size);
    }
    json = json_pack("{s:O}", "entries", look->entries);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    control_reply(look->to, text ? 0 : ENOMEM, text ? NULL : "out of memory", text, (struct slice){0}, next,
                  true);
    free(text);
    json_decref(json);
    look_free(look);
}

void control_show_cache(struct validatord *v, const control_message *message, struct control_request *to)
{
    struct look *look;
    uint8_t name[NAME_MAX];
    bool given;

    if (!control_name(message, to, name, &given))
        return;
    if (message->cursor.len > 1 + CACHE_KEY_MAX ||
        (message->cursor.len && message->cursor.data[0] >= ARRAY_SIZE(walked))) {
        control_refuse(to, EINVAL, "that cursor is none of ours");
        return;
    }
    look = look_new(v, to);
    if (!look)
        return;
    look->entries = json_array();
    look->limit = message->limit ? MIN(message->limit, SHOW_LIMIT) : SHOW_LIMIT;
    look->bogus = message->bogus;
    look->negative = message->negative;
    if (cache_key_subtree(name, &look->prefix)) {
        control_refuse(to, ENAMETOOLONG, "nothing below so long a name is ever cached");
        look_free(look);
        return;
    }
    look->at = look->prefix;
    if (message->cursor.len) {
        look->db = message->cursor.data[0];
        keep_key(&look->at, slice_make(message->cursor.data + 1, message->cursor.len - 1));
    }
    look->op = (struct writer_op){.run = run_show, .done = done_show};
    if (message->cursor.len)
        writer_submit(v->writer, &look->op);
    else
        writer_submit_after_queued(v->writer, &look->op);
}

/* ---- cache-stats ---- */

static int run_stats(struct writer_op *op, struct store *store)
{
    struct look *look = CONTAINER_OF(op, struct look, op);

    return store_stats(store, &look->stats);
}

static void done_stats(struct writer_op *op, int result)
{
    static const char names[CACHE_DB_COUNT][8] = {"rr",  "nsec",   "nsec3", "zone", "neg",
                                                  "nta", "anchor", "infra", "meta"};
    struct look *look = CONTAINER_OF(op, struct look, op);
    const struct store_stats *s = &look->stats;
    json_t *entries = json_object(), *json;

    if (result < 0) {
        json_decref(entries);
        refuse(look, result);
        return;
    }
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++)
        json_object_set_new(entries, names[db], json_integer((json_int_t)s->entries[db]));
    json = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries", entries, "map_bytes",
                     (json_int_t)s->map_bytes, "used_bytes", (json_int_t)s->used_bytes, "commits",
                     (json_int_t)s->commits, "puts", (json_int_t)s->puts, "removes", (json_int_t)s->removes,
                     "swept", (json_int_t)s->swept, "dropped_old_epoch", (json_int_t)s->dropped_old_epoch,
                     "queued", (json_int_t)writer_queued(look->v->writer), "commits_failed",
                     (json_int_t)look->v->commits_failed);
    control_answer(look->to, json);
    look_free(look);
}

void control_cache_stats(struct validatord *v, const control_message *message, struct control_request *to)
{
    struct look *look = look_new(v, to);

    if (!look)
        return;
    look->op = (struct writer_op){.run = run_stats, .done = done_stats};
    writer_submit_after_queued(v->writer, &look->op);
}

/* ---- cache-verify ---- */

static int verify_one(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct look *look = ctx;
    bool damaged;

    keep_key(&look->last, key);
    arena_reset(look->arena);
    json_decref(json_cache_entry(look->arena, db, key, value, look->now, &damaged));
    look->checked++;
    look->damaged += damaged;
    return 0;
}

static int run_verify(struct writer_op *op, struct store *store)
{
    struct look *look = CONTAINER_OF(op, struct look, op);
    int r = store_walk(store, walked[look->db], cache_key_slice(&look->at), VERIFY_CHUNK, verify_one, look);

    if (r < 0)
        return r;
    if (r < (int)VERIFY_CHUNK || cache_key_after(cache_key_slice(&look->last), &look->at)) {
        look->db++;
        look->at.size = 0;
    }
    return 0;
}

static void done_verify(struct writer_op *op, int result)
{
    struct look *look = CONTAINER_OF(op, struct look, op);

    if (result < 0) {
        refuse(look, result);
        return;
    }
    if (look->db < ARRAY_SIZE(walked)) {
        writer_submit_after_queued(look->v->writer, &look->op); /* commits go in between */
        return;
    }
    control_answer(look->to, json_pack("{s:I, s:I}", "checked", (json_int_t)look->checked, "damaged",
                                       (json_int_t)look->damaged));
    look_free(look);
}

void control_cache_verify(struct validatord *v, const control_message *message, struct control_request *to)
{
    struct look *look = look_new(v, to);

    if (!look)
        return;
    look->op = (struct writer_op){.run = run_verify, .done = done_verify};
    writer_submit_after_queued(v->writer, &look->op);
}
