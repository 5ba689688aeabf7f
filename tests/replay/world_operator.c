/* What an operator does, what validatord's shell does about events, and starting anew over the same cache. */

#include "tests/replay/world_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/cache/memstore.h"
#include "common/cache/outdated.h"
#include "daemons/validatord/crypto_openssl.h"

/* As validatord's shell does after each change that an operator made. */
static void raise_epoch(struct world *world)
{
    val_core_set_epoch(world->val, ++world->epoch);
    world_pump(world);
}

struct outdated {
    struct cache_key prefix;
    struct arena *arena;
    unsigned pick;
    wall_s since;
    struct cache_write *writes;
    size_t count;
};

static int note_outdated(void *ctx, const struct cache_write *write)
{
    struct outdated *o = ctx;
    struct slice rest = {0};
    if (!cache_key_has_prefix(write->key, cache_key_slice(&o->prefix)) ||
        !outdated_concerns(o->pick, write->db))
        return 0;
    int outcome = outdated_entry(o->arena, o->pick, o->since, write->db, write->key, write->value, &rest);
    if (outcome != OUTDATED_NO)
        o->writes[o->count++] = (struct cache_write){
            .db = write->db,
            .remove = outcome != OUTDATED_REPLACE,
            .key = slice_make(arena_copy(o->arena, write->key.data, write->key.size), write->key.size),
            .value = rest};
    return 0;
}

/* As the shell's writer does: common/cache/outdated.h. */
static void drop_outdated(struct world *world, const uint8_t *name, unsigned pick, wall_s since)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(64u << 20);
    struct outdated o = {.arena = arena, .pick = pick, .since = since};
    o.writes = arena ? arena_array(arena, memstore_count(world->store) + 1, sizeof(*o.writes)) : NULL;
    if (!o.writes || cache_key_subtree(name, &o.prefix) != 0)
        abort();
    memstore_each(world->store, note_outdated, &o);
    for (size_t i = 0; i < o.count; i++)
        out_of_memory(memstore_apply(world->store, &o.writes[i], false));
}

/* The record that the shell persists, and that who reads the cache sees. */
static void persist_nta(struct world *world, const uint8_t *name, wall_s now, int64_t lifetime_s, bool forced,
                        const struct cache_nta *failures)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct cache_nta nta = {
        .source = NTA_OPERATOR, .forced = forced, .added = now, .expires = {.s = now.s + lifetime_s}};
    struct cache_write write = {.db = CACHE_NTA, .remove = lifetime_s == 0};
    struct cache_key key;
    nta.target_count = failures->target_count;
    memcpy(nta.targets, failures->targets, sizeof(nta.targets));
    if (!arena || cache_key_name(name, &key) != 0)
        abort();
    write.key = cache_key_slice(&key);
    if (!write.remove && cache_nta_encode(arena, write.key, &nta, &write.value) != 0)
        abort();
    out_of_memory(memstore_apply(world->store, &write, false));
}

/* When the NTA came, as its record says; 0: there is none. */
static wall_s nta_added(struct world *world, const uint8_t *name)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct cache_view view;
    struct cache_key key;
    struct cache_nta nta = {0};
    struct slice value;
    memstore_view(world->store, NULL, &view);
    if (!arena || cache_key_name(name, &key) != 0)
        abort();
    if (view.get(view.ctx, CACHE_NTA, cache_key_slice(&key), &value) == 0)
        (void)cache_nta_decode(arena, cache_key_slice(&key), value, &nta);
    return nta.added;
}

static void tell_failures(struct world *world, const uint8_t *name, const struct cache_nta *nta,
                          const struct answer_ede *why)
{
    struct val_probe_target targets[CACHE_NTA_TARGETS];
    for (unsigned i = 0; i < nta->target_count; i++) {
        name_copy(nta->targets[i].name, targets[i].name);
        targets[i].type = nta->targets[i].type;
    }
    val_core_nta_failures(world->val, name, targets, nta->target_count, why->code,
                          slice_make(why->text, why->code == EDE_NONE ? 0 : why->text_size));
}

int world_nta(struct world *world, const uint8_t *name, int64_t lifetime_s, bool forced)
{
    struct env env = world_env(world);
    wall_s expires = {.s = env.wall.s + lifetime_s};
    unsigned pick = PICK_FAILURES | (lifetime_s ? 0u : PICK_NTA);
    struct cache_nta failures = {0};
    struct answer_ede why;
    struct cache_view view;
    memstore_view(world->store, NULL, &view);
    nta_note_failures(&view, name, &failures, &why);
    int r = lifetime_s ? val_core_nta_add(world->val, &env, name, expires, forced)
                       : val_core_nta_remove(world->val, name);
    if (lifetime_s)
        tell_failures(world, name, &failures, &why);
    drop_outdated(world, name, pick, nta_added(world, name));
    if (r == 0)
        persist_nta(world, name, env.wall, lifetime_s, forced, &failures);
    raise_epoch(world);
    return r;
}

int world_probe(struct world *world, const uint8_t *name)
{
    struct cache_view view;
    memstore_view(world->store, NULL, &view);
    struct env env = world_env(world);
    int r = val_core_probe(world->val, &env, &view, name);
    world_pump(world);
    return r;
}

struct find_incident {
    const uint8_t *name;
    struct world_state *state;
    const struct val_probe_report *report;
};

static int take_incident(void *ctx, const struct val_incident *incident)
{
    struct find_incident *find = ctx;
    if (!name_equal(incident->zone, find->name))
        return 0;
    find->state->incident = incident->degraded ? "degraded" : "open";
    find->state->advised = incident->advised ? "advised" : "not-advised";
    find->report = incident->probe;
    return 1;
}

static void take_child(void *ctx, const struct val_nta_child *child)
{
    struct find_incident *find = ctx;
    if (name_equal(child->zone, find->name))
        find->state->advised = "advised";
}

void world_state(struct world *world, const uint8_t *name, struct world_state *ret_state)
{
    static const char *const results[] = {"unprobed", "valid", "partly-valid", "invalid", "silent"};
    struct env env = world_env(world);
    struct find_incident find = {.name = name, .state = ret_state};
    int64_t next_s;
    *ret_state = (struct world_state){"closed", "no-nta", "not-advised", "unprobed"};
    (void)val_core_incidents(world->val, &env, take_incident, &find);
    val_core_nta_children(world->val, &env, take_child, &find);
    const struct val_probe_report *report = val_core_nta_report(world->val, &env, name, &next_s);
    if (nta_added(world, name).s)
        ret_state->nta = "nta";
    report = report ? report : find.report;
    if (report)
        ret_state->probe = results[report->result];
}

void world_act(struct world *world, const struct val_event *event)
{
    if (event->kind == VAL_EVENT_NTA_VALID)
        (void)world_nta(world, event->zone, 0, false);
    if (event->kind == VAL_EVENT_INCIDENT_CLOSED) {
        drop_outdated(world, event->zone, PICK_FAILURES | PICK_CONTINUED, (wall_s){0});
        raise_epoch(world);
    }
}

struct list *world_events(struct world *world)
{
    return &world->happened;
}

int world_serve_stale(struct world *world, const uint8_t *zone, const char *word)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct cache_write write = {.db = CACHE_META, .key = stale_switch_key()};
    struct stale_switch set;
    struct cache_view view;
    memstore_view(world->store, NULL, &view);
    stale_switch_read(&view, &set);
    bool on = strcmp(word, "on") == 0;
    int r = on || strcmp(word, "off") == 0 ? stale_switch_set(&set, zone, on)
            : strcmp(word, "reset") == 0   ? stale_switch_clear(&set, zone)
                                           : 1;
    if (!arena || r != 0 || stale_switch_encode(arena, &set, &write.value) != 0)
        return 1;
    out_of_memory(memstore_apply(world->store, &write, false));
    raise_epoch(world);
    return 0;
}

struct kept {
    struct arena *arena;
    struct cache_write writes[64];
    unsigned count;
};

static int note_kept(void *ctx, const struct cache_write *write)
{
    struct kept *kept = ctx;
    if (write->db != CACHE_ANCHOR || kept->count == ARRAY_SIZE(kept->writes))
        return 0;
    struct cache_write *copy = &kept->writes[kept->count++];
    *copy = *write;
    copy->key.data = arena_copy(kept->arena, write->key.data, write->key.size);
    copy->value.data = arena_copy(kept->arena, write->value.data, write->value.size);
    return 0;
}

/* As store_flush() does: anchors stay. */
void world_flush(struct world *world)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(1u << 20);
    struct kept kept = {.arena = arena};

    memstore_each(world->store, note_kept, &kept);
    memstore_clear(world->store);
    for (unsigned i = 0; i < kept.count; i++)
        out_of_memory(memstore_apply(world->store, &kept.writes[i], false));
    rec_core_forget_servers(world->rec, NULL);
    raise_epoch(world);
}

/* NTAs and incidents, as the shell has them from the cache at its start. */
static void load_kept(struct world *world)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(4u << 20);
    struct cache_view view;
    struct cache_key at = {.size = 1};
    struct slice key, value;
    struct env env = world_env(world);
    memstore_view(world->store, NULL, &view);
    while (view.seek_ge(view.ctx, CACHE_NTA, cache_key_slice(&at), &key, &value) == 0) {
        uint8_t name[NAME_MAX];
        struct cache_nta nta;
        uint16_t type;
        if (cache_key_to_name(key, name, &type) == 0 && cache_nta_decode(arena, key, value, &nta) == 0) {
            out_of_memory(val_core_nta_add(world->val, &env, name, nta.expires, nta.forced));
            tell_failures(world, name, &nta, &(struct answer_ede){.code = EDE_NONE});
        }
        if (cache_key_after(key, &at))
            break;
    }
    out_of_memory(val_core_load_incidents(world->val, &env, &view));
}

void world_restart(struct world *world)
{
    struct siphash_key key = {.k0 = world->config.seed, .k1 = 2};
    rec_core_free(world->rec);
    val_core_free(world->val);
    LIST_FOREACH_SAFE(pos, &world->exchanges)
    world_exchange_drop(CONTAINER_OF(pos, struct exchange, link));
    world->rec = rec_core_new(&world->config.rec, &key);
    world->val = val_core_new(&world->config.val, &world->ops, &key);
    if (!world->rec || !world->val)
        abort();
    val_core_set_epoch(world->val, world->epoch);
    load_kept(world);
    world_load_anchors(world);
}
