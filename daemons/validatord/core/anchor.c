#include "daemons/validatord/core/anchor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/core/internal.h"

#define FORCE_ARENA_BYTES (4u * 1024u * 1024u)

struct anchor_rules val_anchor_rules(const struct val_core *core)
{
    return (struct anchor_rules){.crypto = core->crypto,
                                 .algorithms = core->config.algorithms,
                                 .updates = core->config.anchor_updates};
}

void val_anchors_init(struct val_core *core)
{
    list_init(&core->anchors.points);
    core->anchors.due = MONO_NEVER;
}

static void point_free(struct val_core *core, struct trust_point *point)
{
    list_remove(&point->node);
    core->anchors.count--;
    free(point);
}

void val_anchors_fini(struct val_core *core)
{
    while (!list_empty(&core->anchors.points))
        point_free(core, CONTAINER_OF(core->anchors.points.next, struct trust_point, node));
    arena_free(core->anchors.arena);
}

struct trust_point *val_anchor_point(const struct val_core *core, const uint8_t *zone)
{
    LIST_FOREACH (node, &core->anchors.points) {
        struct trust_point *point = CONTAINER_OF(node, struct trust_point, node);
        if (name_equal(point->zone, zone))
            return point;
    }
    return NULL;
}

static struct trust_point *point_get(struct val_core *core, const uint8_t *zone)
{
    struct trust_point *point = val_anchor_point(core, zone);
    if (point || core->anchors.count == ANCHOR_POINTS_MAX)
        return point;
    point = calloc(1, sizeof(*point));
    if (!point)
        return NULL;
    name_copy(zone, point->zone);
    point->due = MONO_NEVER;
    list_append(&core->anchors.points, &point->node);
    core->anchors.count++;
    return point;
}

/* ---- what is in force ---- */

static bool is_revoked(const struct val_core *core, const struct val_anchor *configured)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    const struct trust_point *point = val_anchor_point(core, configured->zone);
    struct anchor_key key;

    if (!point || anchor_key_from_rdata(&rules, configured->zone, configured->type, &configured->rdata, &key))
        return false;
    int at = anchor_find(&point->rec, &key);
    return at >= 0 &&
           (point->rec.keys[at].state == ANCHOR_REVOKED || point->rec.keys[at].state == ANCHOR_REMOVED);
}

static int add_key(struct arena *arena, const uint8_t *zone, const struct anchor_key *key,
                   struct val_anchor *ret_anchor)
{
    uint8_t *ds = arena_alloc(arena, 4u + key->digest_size);
    if (!ds)
        return -ENOMEM;
    ds[0] = (uint8_t)(key->tag >> 8);
    ds[1] = (uint8_t)key->tag;
    ds[2] = key->algorithm;
    ds[3] = key->digest_type;
    memcpy(ds + 4, key->digest, key->digest_size);
    *ret_anchor = (struct val_anchor){.type = TYPE_DS,
                                      .rdata = {.data = ds, .size = (uint16_t)(4u + key->digest_size)}};
    name_copy(zone, ret_anchor->zone);
    return 0;
}

/* core->config.anchors anew. */
static int put_in_force(struct val_core *core)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    size_t most = core->anchors.configured_count + (size_t)core->anchors.count * CACHE_ANCHOR_KEYS, count = 0;
    struct arena *arena = arena_new(FORCE_ARENA_BYTES);
    struct val_anchor *list = arena ? arena_array(arena, most + 1, sizeof(*list)) : NULL;
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; i < core->anchors.configured_count && r == 0; i++)
        if (!is_revoked(core, &core->anchors.configured[i]))
            list[count++] = core->anchors.configured[i];
    LIST_FOREACH (node, &core->anchors.points) {
        const struct trust_point *point = CONTAINER_OF(node, struct trust_point, node);
        for (unsigned i = 0; i < CACHE_ANCHOR_KEYS && r == 0; i++)
            if (anchor_in_force(&rules, &point->rec, i) &&
                !(point->rec.keys[i].sources & (ANCHOR_BUILTIN | ANCHOR_CONFIGURED)))
                r = add_key(arena, point->zone, &point->rec.keys[i], &list[count++]);
    }
    if (r < 0) {
        arena_free(arena);
        return r;
    }
    arena_free(core->anchors.arena);
    core->anchors.arena = arena;
    core->config.anchors = list;
    core->config.anchor_count = count;
    return 0;
}

/* ---- time ---- */

static int64_t signal_left_s(const struct val_core *core, const struct trust_point *point)
{
    int64_t at = point->rec.signalled.s, now = core->env->wall.s;
    if (!core->config.signalling)
        return INT64_MAX;
    return at == 0 || at > now ? 0 : MAX(at + ANCHOR_SIGNAL_S - now, 0);
}

static int64_t refresh_left_s(const struct val_core *core, const struct trust_point *point)
{
    int64_t left = anchor_refresh_left_s(&point->rec, core->env->wall);
    if (!core->config.anchor_updates)
        return INT64_MAX;
    if (!mono_reached(core->env->mono, point->not_before))
        left = MAX(left, (int64_t)((point->not_before.ns - core->env->mono.ns) / NS_PER_S) + 1);
    return left;
}

static void schedule(struct val_core *core, struct trust_point *point)
{
    int64_t left_s = MIN(refresh_left_s(core, point), signal_left_s(core, point));
    uint64_t ms = ANCHOR_LOOK_MAX_MS;
    if (left_s < (int64_t)(ANCHOR_LOOK_MAX_MS / 1000))
        ms = MAX((uint64_t)left_s * 1000, 1000);
    point->due = mono_add_ms(core->env->mono, ms);
}

static void set_due(struct val_core *core)
{
    core->anchors.due = MONO_NEVER;
    LIST_FOREACH (node, &core->anchors.points)
        core->anchors.due =
            mono_earlier(core->anchors.due, CONTAINER_OF(node, struct trust_point, node)->due);
}

/* ---- records to the shell ---- */

int val_anchor_keep(struct val_core *core, struct trust_point *point, struct job *job,
                    const struct cache_anchor *next, bool effective, bool asked,
                    const struct anchor_events *events)
{
    struct cache_key key;
    struct slice value = {0};
    bool empty = true;

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        empty = empty && next->keys[i].state == ANCHOR_START;
    if (cache_key_name(point->zone, &key) != 0)
        return 1; /* a name of that length is no zone's */
    struct anchor_events *told = arena_copy(job->arena, events, sizeof(*events));
    uint8_t *bytes = arena_copy(job->arena, key.bytes, key.size);
    uint8_t *zone = arena_copy(job->arena, point->zone, name_size(point->zone));
    struct slice at = slice_make(bytes, key.size);
    if (!told || !bytes || !zone || (!empty && cache_anchor_encode(job->arena, at, next, &value) != 0))
        return -ENOMEM;
    struct action *action = val_action_new(core, VAL_ACTION_ANCHOR, job);
    if (!action)
        return -ENOMEM;
    struct val_action *a = &action->action;
    a->zone = zone;
    a->events = told;
    a->effective = effective;
    a->asked = asked;
    a->write = (struct cache_write){
        .db = CACHE_ANCHOR, .remove = empty, .key = at, .value = value, .epoch = core->epoch};
    if (effective) {
        point->writing = true;
        point->next = *next;
    } else {
        point->rec = *next;
    }
    return 0;
}

/* A job that only carries bytes of an action. */
static struct job *carrier_new(struct val_core *core, const uint8_t *zone)
{
    struct budget budget = budget_fresh(core->env->mono);
    struct purse *purse = purse_new(&budget);
    if (!purse)
        return NULL;
    struct job *job = val_job_new(core, JOB_ANCHOR, zone, 0, false, purse);
    purse_release(purse);
    if (job)
        val_job_hold(job);
    return job;
}

static void carrier_done(struct val_core *core, struct job *job)
{
    val_job_unlink(core, job);
    val_job_release(core, job);
}

static int keep(struct val_core *core, struct trust_point *point, const struct cache_anchor *next,
                bool effective, bool asked, const struct anchor_events *events)
{
    struct job *job = carrier_new(core, point->zone);
    if (!job)
        return -ENOMEM;
    int r = val_anchor_keep(core, point, job, next, effective, asked, events);
    carrier_done(core, job);
    return r;
}

/* The zone's keys are held against its anchors anew at the next question: what validated them may be gone. */
static void expire_keys(struct val_core *core, const uint8_t *name)
{
    struct budget budget = budget_fresh(core->env->mono);
    struct purse *purse = purse_new(&budget);
    struct zone *zone = purse ? val_zone_get(core, name, purse) : NULL;

    if (zone && zone->rec.has_dnskey && zone->rec.dnskey_expires.s > core->env->wall.s) {
        zone->rec.dnskey_expires = core->env->wall;
        zone->changed = true;
        val_zone_store(core, zone);
    }
    purse_release(purse);
}

void val_anchor_written(struct val_core *core, const uint8_t *zone, bool kept)
{
    struct trust_point *point = val_anchor_point(core, zone);

    if (!point || !point->writing)
        return;
    point->writing = false;
    if (!kept) { /* looked at anew soon: what was seen will be seen again */
        point->not_before = point->due = mono_add_ms(core->env->mono, ANCHOR_BUSY_MS);
        set_due(core);
        return;
    }
    point->rec = point->next;
    if (put_in_force(core) < 0)
        return; /* memory is short: what was in force stays so until the next change */
    expire_keys(core, point->zone);
    schedule(core, point);
    set_due(core);
}

/* ---- configuration against records ---- */

static bool is_founded(const struct cache_anchor *rec)
{
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        if (rec->keys[i].sources & ~(unsigned)ANCHOR_LEARNED)
            return true;
    return false;
}

static void configure_key(struct cache_anchor *rec, const struct anchor_key *key, unsigned source, wall_s now,
                          struct anchor_events *events)
{
    int at = anchor_find(rec, key);

    if (at < 0) {
        at = anchor_room(rec);
        if (at < 0) {
            anchor_note(events, ANCHOR_EVENT_FULL, key);
            return;
        }
        rec->keys[at] = *key;
        rec->keys[at].state = ANCHOR_VALID;
        rec->keys[at].since = now;
        anchor_note(events, source == ANCHOR_OPERATOR ? ANCHOR_EVENT_ADDED : ANCHOR_EVENT_CONFIGURED, key);
    } else if (rec->keys[at].state == ANCHOR_ADDPEND) {
        struct anchor_key *k = &rec->keys[at];
        k->state = ANCHOR_VALID;
        k->since = now;
        k->hold_down_s = k->witnesses = 0;
        anchor_note(events, ANCHOR_EVENT_VALID, k);
    }
    rec->keys[at].sources |= source;
}

/* Takes out what nobody stands for any more. What was revoked stays, so that it never comes back. */
static void drop_unfounded(struct cache_anchor *rec, struct anchor_events *events)
{
    bool founded = is_founded(rec);

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        struct anchor_key *k = &rec->keys[i];
        if (k->state == ANCHOR_START)
            continue;
        if (k->state == ANCHOR_REVOKED || k->state == ANCHOR_REMOVED) {
            k->sources |= ANCHOR_LEARNED;
        } else if (k->sources == 0 || (k->sources == ANCHOR_LEARNED && !founded)) {
            anchor_note(events, ANCHOR_EVENT_DROPPED, k);
            *k = (struct anchor_key){0};
        }
    }
}

/* What is newly configured is valid at once, what is configured no more goes, what was revoked stays revoked.
 */
static void reconcile(struct val_core *core, const uint8_t *zone, struct cache_anchor *rec,
                      struct anchor_events *events)
{
    const struct anchor_rules rules = val_anchor_rules(core);

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        rec->keys[i].sources &= ~(unsigned)(ANCHOR_BUILTIN | ANCHOR_CONFIGURED);
    for (size_t i = 0; i < core->anchors.configured_count; i++) {
        const struct val_anchor *anchor = &core->anchors.configured[i];
        struct anchor_key key;
        if (name_equal(anchor->zone, zone) &&
            anchor_key_from_rdata(&rules, zone, anchor->type, &anchor->rdata, &key) == 0)
            configure_key(rec, &key, anchor->builtin ? ANCHOR_BUILTIN : ANCHOR_CONFIGURED, core->env->wall,
                          events);
    }
    drop_unfounded(rec, events);
    if (is_founded(rec) && anchor_count_in_force(&rules, rec) == 0)
        anchor_note(events, ANCHOR_EVENT_DELETED, NULL);
}

/* The record as it is kept. 0; 1: there is none, or a damaged one (noted). */
static int load(struct val_core *core, const uint8_t *zone, struct cache_anchor *ret_rec,
                struct anchor_events *events)
{
    struct cache_key key;
    struct slice value;

    if (cache_key_name(zone, &key) != 0 ||
        core->view->get(core->view->ctx, CACHE_ANCHOR, cache_key_slice(&key), &value) != 0) {
        anchor_note(events, ANCHOR_EVENT_BEGUN, NULL);
        return 1;
    }
    if (cache_anchor_decode(cache_key_slice(&key), value, ret_rec) != 0) {
        anchor_note(events, ANCHOR_EVENT_DAMAGED, NULL);
        return 1;
    }
    return 0;
}

static int load_zone(struct val_core *core, const uint8_t *zone)
{
    struct trust_point *point = point_get(core, zone);
    struct cache_anchor rec = {0};
    struct anchor_events events = {0};

    if (!point)
        return core->anchors.count == ANCHOR_POINTS_MAX ? 0 : -ENOMEM;
    if (point->due.ns != MONO_NEVER.ns && core->anchors.loaded)
        rec = point->rec; /* at work already: it is newer than what is kept */
    else if (load(core, zone, &rec, &events) != 0)
        rec = (struct cache_anchor){0};
    struct cache_anchor before = rec;
    reconcile(core, zone, &rec, &events);
    if (point->writing) {
        struct anchor_events again = {0}; /* the same as above */
        reconcile(core, zone, &point->next, &again);
    }
    if (point->due.ns == MONO_NEVER.ns)
        point->due = mono_add_ms(core->env->mono, ANCHOR_START_MS);
    if (memcmp(&before, &rec, sizeof(rec)) != 0 || events.count)
        return keep(core, point, &rec, false, false, &events);
    point->rec = rec;
    return 0;
}

/* Trust points that are kept but in no configuration: an operator's, and those of which revoked keys are
 * remembered. */
static int load_kept(struct val_core *core)
{
    struct cache_key at = {.size = 1};
    struct slice key, value;
    int r = 0;

    while (r == 0 &&
           core->view->seek_ge(core->view->ctx, CACHE_ANCHOR, cache_key_slice(&at), &key, &value) == 0) {
        uint8_t zone[NAME_MAX];
        uint16_t type;
        if (cache_key_to_name(key, zone, &type) == 0 && !val_anchor_point(core, zone))
            r = load_zone(core, zone);
        if (cache_key_after(key, &at))
            break;
    }
    return r;
}

int val_anchors_load(struct val_core *core)
{
    int r = 0;

    for (size_t i = 0; i < core->anchors.configured_count && r == 0; i++)
        if (!val_anchor_point(core, core->anchors.configured[i].zone))
            r = load_zone(core, core->anchors.configured[i].zone);
    if (r == 0 && !core->anchors.loaded)
        r = load_kept(core);
    LIST_FOREACH (node, &core->anchors.points) {
        if (r == 0 && core->anchors.loaded)
            r = load_zone(core, CONTAINER_OF(node, struct trust_point, node)->zone);
    }
    core->anchors.loaded = core->anchors.loaded || r == 0;
    if (r == 0)
        r = put_in_force(core);
    set_due(core);
    return r;
}

int val_anchors_configured(struct val_core *core)
{
    core->anchors.configured = core->config.anchors;
    core->anchors.configured_count = core->config.anchor_count;
    return core->anchors.loaded ? put_in_force(core) : 0;
}

/* ---- timers ---- */

static void signal(struct val_core *core, struct trust_point *point)
{
    struct budget budget = budget_fresh(core->env->mono);
    struct purse *purse = purse_new(&budget);
    struct cache_anchor next = point->rec;
    const struct anchor_events none = {0};

    next.signalled = core->env->wall;
    /* Kept first: who restarts often still signals once a day. */
    if (purse && keep(core, point, &next, false, false, &none) == 0)
        val_anchor_signal(core, point->zone, purse);
    purse_release(purse);
}

static void look_at(struct val_core *core, struct trust_point *point)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    unsigned labels;

    point->due = mono_add_ms(core->env->mono, ANCHOR_BUSY_MS);
    if (point->writing || point->refreshing)
        return;
    /* Under an NTA, a rule or a trust point without keys nothing is asked: what came would not count. */
    if (anchor_count_in_force(&rules, &point->rec) == 0 ||
        policy_governs(core, point->zone, &labels) != GOVERNED_ANCHOR || labels != name_labels(point->zone)) {
        point->due = mono_add_ms(core->env->mono, ANCHOR_LOOK_MAX_MS);
        return;
    }
    if (signal_left_s(core, point) == 0)
        signal(core, point);
    if (refresh_left_s(core, point) == 0) {
        point->not_before = mono_add_ms(core->env->mono, ANCHOR_WAIT_MIN_S * UINT64_C(1000));
        (void)val_anchor_refresh(core, point); /* out of memory: in an hour */
    }
    schedule(core, point);
}

void val_anchors_tick(struct val_core *core)
{
    if (!mono_reached(core->env->mono, core->anchors.due))
        return;
    LIST_FOREACH (node, &core->anchors.points) {
        struct trust_point *point = CONTAINER_OF(node, struct trust_point, node);
        if (mono_reached(core->env->mono, point->due))
            look_at(core, point);
    }
    set_due(core);
}

/* ---- the operator's ---- */

int val_anchors_add(struct val_core *core, const uint8_t *zone, uint16_t type, const struct rdata *rdata)
{
    const struct anchor_rules rules = val_anchor_rules(core);
    struct trust_point *point;
    struct anchor_events events = {0};
    struct anchor_key key;
    struct cache_key at;

    if (cache_key_name(zone, &at) != 0 || anchor_key_from_rdata(&rules, zone, type, rdata, &key))
        return VAL_ANCHOR_UNUSABLE;
    point = point_get(core, zone);
    if (!point)
        return core->anchors.count == ANCHOR_POINTS_MAX ? VAL_ANCHOR_FULL : -ENOMEM;
    if (point->writing)
        return VAL_ANCHOR_BUSY;
    struct cache_anchor next = point->rec;
    int known = anchor_find(&next, &key);
    if (known >= 0 && (next.keys[known].state == ANCHOR_REVOKED || next.keys[known].state == ANCHOR_REMOVED))
        return VAL_ANCHOR_REVOKED;
    configure_key(&next, &key, ANCHOR_OPERATOR, core->env->wall, &events);
    if (anchor_find(&next, &key) < 0)
        return VAL_ANCHOR_FULL;
    return keep(core, point, &next, true, true, &events);
}

/* One key of a removal. Outcomes as val_core_anchor_remove. */
static int remove_key(struct anchor_key *k, bool force, struct anchor_events *events)
{
    if (k->state == ANCHOR_REVOKED || k->state == ANCHOR_REMOVED) {
        if (!force)
            return VAL_ANCHOR_REVOKED;
    } else if (k->sources & (ANCHOR_BUILTIN | ANCHOR_CONFIGURED)) {
        return VAL_ANCHOR_CONFIGURED;
    }
    anchor_note(events, ANCHOR_EVENT_REMOVED_BY_OPERATOR, k);
    *k = (struct anchor_key){0};
    return 0;
}

int val_anchors_remove(struct val_core *core, const uint8_t *zone, int tag, bool force)
{
    struct trust_point *point = val_anchor_point(core, zone);
    struct anchor_events events = {0};
    int refused = VAL_ANCHOR_UNKNOWN;

    if (!point)
        return VAL_ANCHOR_UNKNOWN;
    if (point->writing)
        return VAL_ANCHOR_BUSY;
    struct cache_anchor next = point->rec;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        if (next.keys[i].state == ANCHOR_START || (tag >= 0 && next.keys[i].tag != tag))
            continue;
        int r = remove_key(&next.keys[i], force, &events);
        refused = r ? r : refused;
    }
    if (events.count == 0)
        return refused;
    reconcile(core, zone, &next, &events); /* one that is forgotten may be configured */
    return keep(core, point, &next, true, true, &events);
}

int val_core_trust_points(const struct val_core *core, const struct env *env,
                          int (*fn)(void *ctx, const struct val_trust_point *point), void *ctx)
{
    const struct anchor_rules rules = val_anchor_rules(core);

    LIST_FOREACH (node, &core->anchors.points) {
        const struct trust_point *point = CONTAINER_OF(node, struct trust_point, node);
        struct val_trust_point shown = {.zone = point->zone, .record = &point->rec, .refresh_in_s = -1};
        for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
            shown.in_force[i] = anchor_in_force(&rules, &point->rec, i);
        if (core->config.anchor_updates && anchor_count_in_force(&rules, &point->rec))
            shown.refresh_in_s = anchor_refresh_left_s(&point->rec, env->wall);
        int r = fn(ctx, &shown);
        if (r)
            return r;
    }
    return 0;
}
