/* Incidents of zones: suspicion, opening, the ration of questions meanwhile, the end. */

#include "daemons/validatord/core/incident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INCIDENT_BUCKETS 64u

struct incident_child {
    uint64_t hash;
    mono_ns failed;
};

struct incident {
    struct list node, age_node;
    uint64_t hash, serial;
    uint8_t zone[NAME_MAX];
    bool open;
    bool was_open; /* one that ended at `ended` */
    mono_ns ended, next_probe;
    wall_s since;
    unsigned probes_failed;
    struct failure why;
    struct incident_child children[INCIDENT_CHILDREN]; /* of a suspicion */
    unsigned child_count;
};

/* Until when a child's ration is used up. */
struct ration {
    uint64_t hash;
    mono_ns until;
};

struct incidents {
    struct list buckets[INCIDENT_BUCKETS];
    struct list by_age; /* the oldest first */
    unsigned count;
    uint64_t serial;
    struct ration rations[INCIDENT_RATIONS];
};

static uint64_t name_hash(const struct val_core *core, const uint8_t *name)
{
    return siphash24(&core->hash_key, name, name_size(name));
}

static struct incident *find(const struct val_core *core, const uint8_t *zone)
{
    uint64_t hash = name_hash(core, zone);

    LIST_FOREACH (node, &core->incidents->buckets[hash % INCIDENT_BUCKETS]) {
        struct incident *incident = CONTAINER_OF(node, struct incident, node);
        if (incident->hash == hash && name_equal(incident->zone, zone))
            return incident;
    }
    return NULL;
}

static void drop(struct val_core *core, struct incident *incident)
{
    list_remove(&incident->node);
    list_remove(&incident->age_node);
    core->incidents->count--;
    free(incident);
}

/* Room for one more: the oldest that is not open goes. */
static bool make_room(struct val_core *core)
{
    if (core->incidents->count < INCIDENT_MAX)
        return true;
    LIST_FOREACH (node, &core->incidents->by_age) {
        struct incident *incident = CONTAINER_OF(node, struct incident, age_node);
        if (incident->open)
            continue;
        drop(core, incident);
        return true;
    }
    return false;
}

static struct incident *get(struct val_core *core, const uint8_t *zone)
{
    struct incident *incident = find(core, zone);

    if (incident || !make_room(core))
        return incident;
    incident = calloc(1, sizeof(*incident));
    if (!incident)
        return NULL;
    name_copy(zone, incident->zone);
    incident->hash = name_hash(core, zone);
    incident->serial = ++core->incidents->serial;
    list_append(&core->incidents->buckets[incident->hash % INCIDENT_BUCKETS], &incident->node);
    list_append(&core->incidents->by_age, &incident->age_node);
    core->incidents->count++;
    return incident;
}

static uint64_t back_off_s(const struct incident *incident)
{
    uint64_t seconds = INCIDENT_BACKOFF_S;

    for (unsigned i = 1; i < incident->probes_failed && seconds < INCIDENT_WINDOW_S; i++)
        seconds *= 2;
    return MIN(seconds, INCIDENT_WINDOW_S);
}

static bool is_within(const struct val_core *core, mono_ns then, uint64_t seconds)
{
    return !mono_reached(core->env->mono, mono_add_ms(then, seconds * 1000));
}

/* Notes the child among those that failed lately. How many did? */
static unsigned note_child(struct val_core *core, struct incident *incident, const uint8_t *child)
{
    uint64_t hash = name_hash(core, child);
    unsigned kept = 0;

    for (unsigned i = 0; i < incident->child_count; i++) {
        const struct incident_child *old = &incident->children[i];
        if (old->hash != hash && is_within(core, old->failed, INCIDENT_WINDOW_S))
            incident->children[kept++] = *old;
    }
    if (kept == INCIDENT_CHILDREN)
        kept--;
    incident->children[kept++] = (struct incident_child){.hash = hash, .failed = core->env->mono};
    incident->child_count = kept;
    return kept;
}

/* Does anything show that there is a cut at the child? */
static bool is_known_cut(struct val_core *core, const uint8_t *child)
{
    struct job *job = val_job_find(core, JOB_ZONE, child, 0, false);
    struct cache_key key;
    struct slice value;

    if (job && job_zone(job)->rec.has_delegation)
        return true;
    return cache_key_name(child, &key) == 0 &&
           core->view->get(core->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value) == 0;
}

static void open_incident(struct val_core *core, struct incident *incident, const struct failure *why)
{
    incident->open = true;
    incident->since = core->env->wall;
    incident->why = *why;
    incident->probes_failed = 1;
    incident->serial = ++core->incidents->serial;
    incident->next_probe = mono_add_ms(core->env->mono, back_off_s(incident) * 1000);
}

void val_incident_failed(struct val_core *core, struct job *by, const uint8_t *zone, const uint8_t *child,
                         const struct failure *why)
{
    if (why->budget || !name_is_below(child, zone) || !is_known_cut(core, child))
        return;
    struct incident *incident = get(core, zone);
    if (!incident || incident->open)
        return;
    /* Another cause begins another suspicion. */
    if (incident->child_count && incident->why.transport != why->transport)
        incident->child_count = 0;
    incident->why = *why;
    bool again = incident->was_open && is_within(core, incident->ended, INCIDENT_REOPEN_S);
    if (note_child(core, incident, child) >= INCIDENT_CHILDREN || again)
        open_incident(core, incident, why);
}

bool val_incident_open(struct val_core *core, const uint8_t *zone, struct failure *ret_why)
{
    const struct incident *incident = find(core, zone);

    if (!incident || !incident->open)
        return false;
    if (ret_why)
        *ret_why = incident->why;
    return true;
}

const uint8_t *val_incident_above(struct val_core *core, const uint8_t *name, struct failure *ret_why)
{
    if (core->incidents->count == 0)
        return NULL;
    for (const uint8_t *at = name;; at = name_parent(at)) {
        const struct incident *incident = find(core, at);
        if (incident && incident->open) {
            if (ret_why)
                *ret_why = incident->why;
            return incident->zone;
        }
        if (name_is_root(at))
            return NULL;
    }
}

bool val_incident_may_ask(struct val_core *core, const uint8_t *zone, const uint8_t *child, bool kept)
{
    const struct incident *incident = find(core, zone);
    uint8_t bytes[NAME_MAX + 8];

    if (!incident || !incident->open)
        return true;
    size_t size = name_copy(child, bytes);
    memcpy(bytes + size, &incident->serial, sizeof(incident->serial));
    uint64_t hash = siphash24(&core->hash_key, bytes, size + sizeof(incident->serial));
    struct ration *set = &core->incidents->rations[hash % (INCIDENT_RATIONS / INCIDENT_WAYS) * INCIDENT_WAYS];
    struct ration *free_one = &set[0];
    for (unsigned i = 0; i < INCIDENT_WAYS; i++) {
        if (set[i].hash == hash && !mono_reached(core->env->mono, set[i].until))
            return false;
        if (set[i].hash == hash || (free_one->hash != hash && set[i].until.ns < free_one->until.ns))
            free_one = &set[i];
    }
    uint64_t seconds = kept ? INCIDENT_WINDOW_S : back_off_s(incident);
    *free_one = (struct ration){.hash = hash, .until = mono_add_ms(core->env->mono, seconds * 1000)};
    return true;
}

void val_incident_validated(struct val_core *core, const uint8_t *zone)
{
    struct incident *incident = find(core, zone);

    if (!incident)
        return;
    incident->child_count = 0;
    if (!incident->open)
        return;
    incident->open = false;
    incident->was_open = true;
    incident->ended = core->env->mono;
}

int val_incidents_new(struct val_core *core)
{
    core->incidents = calloc(1, sizeof(*core->incidents));
    if (!core->incidents)
        return -ENOMEM;
    for (unsigned i = 0; i < INCIDENT_BUCKETS; i++)
        list_init(&core->incidents->buckets[i]);
    list_init(&core->incidents->by_age);
    return 0;
}

void val_incidents_free(struct val_core *core)
{
    if (!core->incidents)
        return;
    while (!list_empty(&core->incidents->by_age))
        drop(core, CONTAINER_OF(core->incidents->by_age.next, struct incident, age_node));
    free(TAKE(core->incidents));
}
