/* Negative trust anchors (RFC 7646): kept in the cache, told to the core, ended when their lifetime is over.
 */

#include <errno.h>
#include <string.h>

#include "daemons/validatord/change.h"

#define TEXT_MAX         200u /* reason and author, octets: common/cache/entry.h */
#define LOOK_EVERY_MAX_S 60   /* between looks for ended ones, so that a clock step is noticed */

static json_t *nta_json(const uint8_t *name, const struct cache_nta *nta, wall_s now)
{
    return json_pack("{s:o, s:I, s:s, s:s%, s:s%, s:I, s:I, s:b}", "name", json_name(name), "lifetime_left_s",
                     (json_int_t)(nta->expires.s - now.s), "source",
                     nta->source == NTA_CONFIG ? "configuration" : "operator", "author",
                     nta->author.size ? (const char *)nta->author.data : "", nta->author.size, "reason",
                     nta->reason.size ? (const char *)nta->reason.data : "", nta->reason.size, "added",
                     (json_int_t)nta->added.s, "expires", (json_int_t)nta->expires.s, "forced", nta->forced);
}

/* The timer looks anew, since the new one may be the next to end. */
static void look_soon(struct validatord *v)
{
    event_timer_set_us(v->nta_timer, 0);
}

static void tell_failures(struct validatord *v, const uint8_t *name, const struct cache_nta *nta,
                          uint16_t ede, struct slice text)
{
    struct val_probe_target targets[CACHE_NTA_TARGETS];

    for (unsigned i = 0; i < nta->target_count; i++) {
        name_copy(nta->targets[i].name, targets[i].name);
        targets[i].type = nta->targets[i].type;
    }
    val_core_nta_failures(v->core, name, targets, nta->target_count, ede, text);
}

static void answer_nta_add(struct change *change)
{
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    struct env env = daemon_env(&v->daemon);

    if (val_core_nta_add(v->core, &env, change->name, change->nta.expires, change->nta.forced) < 0) {
        control_refuse(change->to, ENOMEM,
                       "it is kept, but memory is too short for it to take effect: restart");
        return;
    }
    tell_failures(v, change->name, &change->nta, change->why.code,
                  slice_make(change->why.text, change->why.text_size));
    log_notice("NTA for %s added by %.*s, lifetime %lld s: %.*s", name_to_text(change->name, text),
               (int)change->nta.author.size, change->nta.author.data,
               (long long)(change->nta.expires.s - change->nta.added.s), (int)change->nta.reason.size,
               change->nta.reason.data);
    control_answer(change->to, nta_json(change->name, &change->nta, daemon_wall(&v->daemon)));
}

void nta_changed(struct change *change)
{
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    if (change->kind != CHANGE_NTA_ADD)
        (void)val_core_nta_remove(v->core, change->name);
    control_raise_epoch(v, change->epoch);
    if (change->kind == CHANGE_NTA_ADD) {
        answer_nta_add(change);
        look_soon(v);
        return;
    }
    log_notice("NTA for %s %s; %lld cached entries went with it", name_to_text(change->name, text),
               change->kind == CHANGE_NTA_EXPIRE  ? "ended with its lifetime"
               : change->kind == CHANGE_NTA_VALID ? "removed: a probe found that the zone validates"
                                                  : "removed",
               (long long)change->removed);
    control_answer(change->to, json_pack("{s:o, s:I}", "name", json_name(change->name), "removed_entries",
                                         (json_int_t)change->removed));
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
    change->arena = arena_new(CHANGE_ARENA_BYTES);
    change->key = key;
    change->tree = true;
    change->why.code = EDE_NONE;
    change->pick = PICK_FAILURES; /* it takes effect at once, whatever failure is remembered */
    if (change->arena) {
        change->nta = (struct cache_nta){.source = NTA_OPERATOR,
                                         .forced = message->force,
                                         .added = now,
                                         .expires = {.s = now.s + lifetime_s},
                                         .reason = cut_text(change->arena, message->reason),
                                         .author = cut_text(change->arena, message->author)};
    }
    if (change->arena) {
        (void)loop_enter(v);
        nta_note_failures(&v->view, change->name, &change->nta, &change->why);
        loop_settle(v);
    }
    if (!change->arena || !change->nta.reason.data || !change->nta.author.data ||
        cache_nta_encode(change->arena, cache_key_slice(&change->key), &change->nta, &change->value)) {
        control_refuse(to, ENOMEM, "the NTA could not be encoded");
        change_free(change);
        return;
    }
    change_submit(change);
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
    change->pick = PICK_FAILURES | PICK_NTA; /* what was accepted under it goes with it */
    change_submit(change);
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

    if (nta->expires.s <= now.s)
        return;
    json_t *json = nta_json(name, nta, now);
    struct env env = daemon_env(&v->daemon);
    int64_t next_s;
    const struct val_probe_report *report = val_core_nta_report(v->core, &env, name, &next_s);
    if (json && report)
        json_object_set_new(json, "probe", control_probe_json(report));
    if (json && next_s >= 0)
        json_object_set_new(json, "next_probe_s", json_integer((json_int_t)next_s));
    json_array_append_new(ctx, json);
}

json_t *control_ntas(struct validatord *v)
{
    struct arena *arena = arena_new(CHANGE_ARENA_BYTES);
    json_t *list = json_array();

    loop_enter(v);
    if (arena)
        each_nta(v, arena, list_one, list);
    loop_settle(v);
    arena_free(arena);
    return list;
}

void control_nta_list(struct validatord *v, const control_message *message, struct control_request *to)
{
    control_answer(to, json_pack("{s:o}", "ntas", control_ntas(v)));
}

struct look_ctx {
    int result;
    int64_t next_s; /* until one ends */
    bool load;
};

static void end_nta(struct validatord *v, const uint8_t *name, const struct cache_nta *nta)
{
    struct change *change = change_new(v, NULL, CHANGE_NTA_EXPIRE, name);

    if (!change)
        return;
    change->arena = arena_new(CHANGE_ARENA_BYTES);
    change->nta.expires = nta->expires;
    change->tree = true;
    change->pick = PICK_FAILURES | PICK_NTA;
    if (!change->arena || cache_key_name(name, &change->key)) {
        change_free(change);
        return;
    }
    change_submit(change);
}

static void look_at_one(struct validatord *v, const uint8_t *name, const struct cache_nta *nta, void *ctx)
{
    struct look_ctx *look = ctx;
    int64_t left_s = nta->expires.s - daemon_wall(&v->daemon).s;
    char text[NAME_TEXT_MAX];

    if (left_s <= 0) {
        end_nta(v, name, nta);
        return;
    }
    look->next_s = MIN(look->next_s, left_s);
    if (!look->load)
        return;
    struct env env = daemon_env(&v->daemon);
    if (val_core_nta_add(v->core, &env, name, nta->expires, nta->forced) < 0)
        look->result = -ENOMEM;
    tell_failures(v, name, nta, EDE_NONE, (struct slice){0});
    log_notice("NTA for %s is in force for %lld s more: %.*s", name_to_text(name, text), (long long)left_s,
               (int)nta->reason.size, nta->reason.data);
}

/* Ends what is over, and comes back when the next one is. */
static int look_at_all(struct validatord *v, bool load)
{
    struct arena *arena = arena_new(CHANGE_ARENA_BYTES);
    struct look_ctx look = {.next_s = LOOK_EVERY_MAX_S, .load = load};

    if (!arena)
        return -ENOMEM;
    loop_enter(v);
    each_nta(v, arena, look_at_one, &look);
    loop_settle(v);
    arena_free(arena);
    event_timer_set_us(v->nta_timer, (uint64_t)look.next_s * 1000000);
    return look.result;
}

static int on_nta_timer(void *userdata)
{
    (void)look_at_all(userdata, false);
    return 0;
}

int control_load_ntas(struct validatord *v)
{
    int r = event_timer_new(v->daemon.event, on_nta_timer, v, &v->nta_timer);

    if (r >= 0)
        r = look_at_all(v, true);
    if (r < 0)
        return r;
    struct env env = loop_enter(v);
    r = val_core_load_incidents(v->core, &env, &v->view);
    loop_settle(v);
    return r;
}
