/* Verbs that change what the cache says: flush-caches, nta-add, nta-remove. Each is one operation of the
 * writer's thread: the change and the raised epoch in one transaction, synced; then, on the loop, it takes
 * effect and the operator is answered (DESIGN 4, epoch). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/entry.h"
#include "daemons/validatord/control.h"

#define WALK_CHUNK  1024u
#define TEXT_MAX    200u /* reason and author, octets: common/cache/entry.h */
#define ARENA_LIMIT 65536u

/* What a filtered removal takes away. */
enum pick {
    PICK_FAILURES = 1, /* remembered failures */
    PICK_NEGATIVE = 2, /* NXDOMAIN and NODATA */
    PICK_INSECURE = 4, /* what was accepted without validation */
};

enum change_kind { CHANGE_FLUSH, CHANGE_PICKED, CHANGE_NTA_ADD, CHANGE_NTA_REMOVE };

struct change {
    struct writer_op op;
    struct validatord *v;
    struct control_request *to;
    enum change_kind kind;
    unsigned pick;
    uint8_t name[NAME_MAX];
    bool tree;
    /* NTA */
    struct arena *arena;
    struct cache_key key;
    struct slice value;
    struct cache_nta nta;
    /* results */
    uint64_t epoch;
    int64_t removed;
};

static void change_free(struct change *change)
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
    struct cache_key prefix, last;
    struct arena *arena;
    bool ended;
    unsigned count;
    struct cache_write removals[WALK_CHUNK];
    struct cache_key keys[WALK_CHUNK];
};

static bool picked(struct picking *p, enum cache_db db, struct slice key, struct slice value)
{
    uint8_t name[NAME_MAX];
    struct cache_neg neg;
    struct cache_rr rr;
    uint16_t type;

    if (db == CACHE_NEG) {
        if (cache_neg_decode(p->arena, key, value, &neg))
            return true; /* damaged: nobody misses it */
        if (neg.kind == CACHE_NEG_FAILURE)
            return p->pick & PICK_FAILURES;
        return (p->pick & PICK_NEGATIVE) || ((p->pick & PICK_INSECURE) && neg.security == SECURITY_INSECURE);
    }
    if (!(p->pick & PICK_INSECURE))
        return false;
    if (cache_key_to_name(key, name, &type) || cache_rr_decode(p->arena, key, value, name, type, &rr))
        return true;
    return rr.rrset.security == SECURITY_INSECURE;
}

static int pick_one(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct picking *p = ctx;

    if (!cache_key_has_prefix(key, cache_key_slice(&p->prefix)) || key.size > CACHE_KEY_MAX) {
        p->ended = true;
        return 1;
    }
    memcpy(p->last.bytes, key.data, key.size);
    p->last.size = (uint16_t)key.size;
    arena_reset(p->arena);
    if (picked(p, db, key, value)) {
        p->keys[p->count] = p->last;
        p->removals[p->count] =
            (struct cache_write){.db = db, .remove = true, .key = cache_key_slice(&p->keys[p->count])};
        p->count++;
    }
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
        r = store_walk(store, db, cache_key_slice(&from), WALK_CHUNK, pick_one, p);
        if (r < 0)
            return r;
        if (r < (int)WALK_CHUNK || cache_key_after(cache_key_slice(&p->last), &from))
            p->ended = true;
        for (unsigned i = 0; i < p->count; i++)
            p->removals[i].epoch = epoch;
        if (p->count) {
            r = store_commit(store, p->removals, p->count, epoch, daemon_mono());
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
    static const enum cache_db dbs[] = {CACHE_NEG, CACHE_RR};

    if (p)
        p->arena = arena_new(ARENA_LIMIT);
    if (!p || !p->arena)
        goto out;
    p->pick = change->pick;
    r = change->tree ? cache_key_subtree(change->name, &p->prefix) : cache_key_name(change->name, &p->prefix);
    if (r > 0) {
        r = 0; /* too long to be in the cache */
        goto out;
    }
    for (size_t i = 0; i < ARRAY_SIZE(dbs) && r >= 0; i++) {
        if (dbs[i] == CACHE_RR && !(change->pick & PICK_INSECURE))
            continue;
        r = remove_picked(p, store, dbs[i], change->epoch);
        removed += MAX(r, 0);
    }
out:
    if (p)
        arena_free(p->arena);
    free(p);
    return r < 0 ? r : removed;
}

static int run_change(struct writer_op *op, struct store *store)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    struct cache_write write = {.db = CACHE_NTA,
                                .remove = change->kind == CHANGE_NTA_REMOVE,
                                .key = cache_key_slice(&change->key),
                                .value = change->value};
    bool is_nta = change->kind == CHANGE_NTA_ADD || change->kind == CHANGE_NTA_REMOVE;
    int64_t r;

    if (change->kind == CHANGE_FLUSH) {
        r = store_flush(store, change->name, change->tree);
        change->epoch = store_epoch(store);
    } else {
        change->epoch = write.epoch = store_epoch(store) + 1;
        r = store_commit(store, &write, is_nta, change->epoch, daemon_mono());
        if (r >= 0)
            r = run_picked(change, store);
    }
    if (r < 0)
        return (int)r;
    change->removed = r;
    return store_sync(store);
}

/* ---- on the loop ---- */

static json_t *nta_json(const uint8_t *name, const struct cache_nta *nta, wall_s now)
{
    return json_pack("{s:o, s:I, s:s, s:s%, s:s%, s:I, s:I, s:b}", "name", json_name(name), "lifetime_left_s",
                     (json_int_t)(nta->expires.s - now.s), "source",
                     nta->source == NTA_CONFIG ? "configuration" : "operator", "author",
                     nta->author.size ? (const char *)nta->author.data : "", nta->author.size, "reason",
                     nta->reason.size ? (const char *)nta->reason.data : "", nta->reason.size, "added",
                     (json_int_t)nta->added.s, "expires", (json_int_t)nta->expires.s, "forced", nta->forced);
}

static void answer_nta_add(struct change *change)
{
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    if (val_core_nta_add(v->core, change->name, change->nta.expires) < 0) {
        control_refuse(change->to, ENOMEM,
                       "it is kept, but memory is too short for it to take effect: restart");
        return;
    }
    log_notice("NTA for %s added by %.*s, lifetime %lld s: %.*s", name_to_text(change->name, text),
               (int)change->nta.author.size, change->nta.author.data,
               (long long)(change->nta.expires.s - change->nta.added.s), (int)change->nta.reason.size,
               change->nta.reason.data);
    control_answer(change->to, nta_json(change->name, &change->nta, daemon_wall(&v->daemon)));
}

static void done_change(struct writer_op *op, int result)
{
    struct change *change = CONTAINER_OF(op, struct change, op);
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    if (result < 0) {
        control_refuse(change->to, -result, "the change could not be written to the cache: %s",
                       strerror(-result));
        change_free(change);
        return;
    }
    if (change->kind == CHANGE_NTA_REMOVE)
        (void)val_core_nta_remove(v->core, change->name);
    control_raise_epoch(v, change->epoch);
    switch (change->kind) {
    case CHANGE_NTA_ADD:
        answer_nta_add(change);
        break;
    case CHANGE_NTA_REMOVE:
        log_notice("NTA for %s removed", name_to_text(change->name, text));
        control_answer(change->to, json_pack("{s:o, s:I}", "name", json_name(change->name), "removed_entries",
                                             (json_int_t)change->removed));
        break;
    default:
        log_notice("cache flushed%s%s: %lld entries", change->tree ? " below " : " at ",
                   name_to_text(change->name, text), (long long)change->removed);
        control_answer(change->to, json_pack("{s:I}", "removed_entries", (json_int_t)change->removed));
        break;
    }
    change_free(change);
    loop_settle(v);
}

static struct change *change_new(struct validatord *v, struct control_request *to, enum change_kind kind,
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
    /* What is queued first, or a picking removal would miss it. */
    writer_submit_after_queued(v->writer, &change->op);
}

/* NTAs are named as validators name zones; a too long one cannot be kept. */
static bool nta_key(const uint8_t *name, struct control_request *to, struct cache_key *ret_key)
{
    if (cache_key_name(name, ret_key) == 0)
        return true;
    control_refuse(to, ENAMETOOLONG, "the name is too long to be kept");
    return false;
}

static bool nta_lifetime(struct validatord *v, const control_message *message, struct control_request *to,
                         int64_t *ret_lifetime_s)
{
    uint64_t lifetime_s =
        message->lifetime_ms ? message->lifetime_ms / 1000 : v->settings.config.nta_lifetime_s;
    uint64_t most_s = v->settings.config.nta_max_lifetime_s;

    if (lifetime_s == 0 || lifetime_s > most_s) {
        control_refuse(to, EINVAL,
                       "a lifetime of %llu s is not between 1 s and dnssec.nta.max_lifetime, %llu s",
                       (unsigned long long)lifetime_s, (unsigned long long)most_s);
        return false;
    }
    *ret_lifetime_s = (int64_t)lifetime_s;
    return true;
}

static struct slice cut_text(struct arena *arena, const char *text)
{
    size_t size = strlen(text);

    if (size > TEXT_MAX) {
        size = TEXT_MAX;
        while (size && ((uint8_t)text[size] & 0xc0) == 0x80) /* not within a character */
            size--;
    }
    return slice_make(arena_copy(arena, text, size), size);
}

void control_nta_add(struct validatord *v, const control_message *message, struct control_request *to)
{
    wall_s now = daemon_wall(&v->daemon);
    uint8_t name[NAME_MAX];
    int64_t lifetime_s;
    struct cache_key key;
    struct change *change;
    bool given;

    if (!control_name(message, to, name, &given))
        return;
    if (!given) {
        control_refuse(to, EINVAL, "which name? (an NTA for the root is written \".\")");
        return;
    }
    if (!nta_lifetime(v, message, to, &lifetime_s) || !nta_key(name, to, &key))
        return;
    change = change_new(v, to, CHANGE_NTA_ADD, name);
    if (!change)
        return;
    change->arena = arena_new(ARENA_LIMIT);
    change->key = key;
    change->tree = true;
    change->pick = PICK_FAILURES; /* it takes effect at once, whatever failure is remembered */
    if (change->arena) {
        change->nta = (struct cache_nta){.source = NTA_OPERATOR,
                                         .forced = message->force,
                                         .added = now,
                                         .expires = {.s = now.s + lifetime_s},
                                         .reason = cut_text(change->arena, message->reason),
                                         .author = cut_text(change->arena, message->author)};
    }
    if (!change->arena || !change->nta.reason.data || !change->nta.author.data ||
        cache_nta_encode(change->arena, cache_key_slice(&change->key), &change->nta, &change->value)) {
        control_refuse(to, ENOMEM, "the NTA could not be encoded");
        change_free(change);
        return;
    }
    writer_submit_after_queued(v->writer, &change->op);
}

void control_nta_remove(struct validatord *v, const control_message *message, struct control_request *to)
{
    char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX];
    struct cache_key key;
    struct change *change;
    struct slice value;
    bool given, known;

    if (!control_name(message, to, name, &given) || !nta_key(name, to, &key))
        return;
    loop_enter(v);
    known = v->view.get(v->view.ctx, CACHE_NTA, cache_key_slice(&key), &value) == 0;
    loop_settle(v);
    if (!given || !known) {
        control_refuse(to, ENOENT, "there is no NTA for %s; see nta list", name_to_text(name, text));
        return;
    }
    change = change_new(v, to, CHANGE_NTA_REMOVE, name);
    if (!change)
        return;
    change->key = key;
    change->tree = true;
    change->pick = PICK_FAILURES | PICK_INSECURE; /* what was accepted under it goes with it */
    writer_submit_after_queued(v->writer, &change->op);
}

/* Calls fn for every NTA in the cache. The view is open. */
static void each_nta(struct validatord *v, struct arena *arena,
                     void (*fn)(struct validatord *v, const uint8_t *name, const struct cache_nta *nta,
                                void *ctx),
                     void *ctx)
{
    struct cache_key at = {.size = 1};
    struct slice key, value;

    while (v->view.seek_ge(v->view.ctx, CACHE_NTA, cache_key_slice(&at), &key, &value) == 0) {
        uint8_t name[NAME_MAX];
        struct cache_nta nta;
        uint16_t type;

        arena_reset(arena);
        if (cache_key_to_name(key, name, &type) == 0 && cache_nta_decode(arena, key, value, &nta) == 0)
            fn(v, name, &nta, ctx);
        if (cache_key_after(key, &at))
            break;
    }
}

static void list_one(struct validatord *v, const uint8_t *name, const struct cache_nta *nta, void *ctx)
{
    wall_s now = daemon_wall(&v->daemon);

    if (nta->expires.s > now.s)
        json_array_append_new(ctx, nta_json(name, nta, now));
}

void control_nta_list(struct validatord *v, const control_message *message, struct control_request *to)
{
    struct arena *arena = arena_new(ARENA_LIMIT);
    json_t *list = json_array();

    loop_enter(v);
    if (arena)
        each_nta(v, arena, list_one, list);
    loop_settle(v);
    arena_free(arena);
    control_answer(to, json_pack("{s:o}", "ntas", list));
}

static void load_one(struct validatord *v, const uint8_t *name, const struct cache_nta *nta, void *ctx)
{
    wall_s now = daemon_wall(&v->daemon);
    char text[NAME_TEXT_MAX];
    int *result = ctx;

    if (nta->expires.s <= now.s)
        return;
    if (val_core_nta_add(v->core, name, nta->expires) < 0)
        *result = -ENOMEM;
    log_notice("NTA for %s is in force for %lld s more: %.*s", name_to_text(name, text),
               (long long)(nta->expires.s - now.s), (int)nta->reason.size, nta->reason.data);
}

int control_load_ntas(struct validatord *v)
{
    struct arena *arena = arena_new(ARENA_LIMIT);
    int result = arena ? 0 : -ENOMEM;

    loop_enter(v);
    if (arena)
        each_nta(v, arena, load_one, &result);
    loop_settle(v);
    arena_free(arena);
    return result;
}
