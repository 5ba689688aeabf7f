/* Incidents of zones: suspicion, opening, the ration of questions meanwhile, the end. */

#include "daemons/validatord/core/incident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/core/incident_state.h"

static uint64_t name_hash(const struct val_core *core, const uint8_t *name)
{
    return siphash24(&core->hash_key, name, name_size(name));
}

struct incident *incident_find(const struct val_core *core, const uint8_t *zone)
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
    core->incidents->open_count -= incident->open;
    free(incident->names);
    free(incident);
}

/* Room for one more: the oldest that is neither open nor probed goes. */
static bool make_room(struct val_core *core)
{
    if (core->incidents->count < INCIDENT_MAX)
        return true;
    LIST_FOREACH (node, &core->incidents->by_age) {
        struct incident *incident = CONTAINER_OF(node, struct incident, age_node);
        if (incident->open || incident->probing)
            continue;
        drop(core, incident);
        return true;
    }
    return false;
}

struct incident *incident_get(struct val_core *core, const uint8_t *zone)
{
    struct incident *incident = incident_find(core, zone);

    if (incident || !make_room(core))
        return incident;
    incident = calloc(1, sizeof(*incident));
    if (!incident)
        return NULL;
    name_copy(zone, incident->zone);
    incident->hash = name_hash(core, zone);
    incident->serial = ++core->incidents->serial;
    incident->next_probe = MONO_NEVER;
    list_append(&core->incidents->buckets[incident->hash % INCIDENT_BUCKETS], &incident->node);
    list_append(&core->incidents->by_age, &incident->age_node);
    core->incidents->count++;
    return incident;
}

uint64_t incident_back_off_s(const struct val_core *core, const struct incident *incident)
{
    uint64_t seconds = INCIDENT_BACKOFF_S, most = (uint64_t)val_failure_longest_s(core);

    for (unsigned i = 1; i < incident->probes_failed && seconds < most; i++)
        seconds *= 2;
    return MIN(seconds, most);
}

static bool is_within(const struct val_core *core, mono_ns then, uint64_t seconds)
{
    return !mono_reached(core->env->mono, mono_add_ms(then, seconds * 1000));
}

/* Notes the child among those that failed lately, and what failed among what the probe asks for. How many
 * did? */
static unsigned note_child(struct val_core *core, struct incident *incident, const uint8_t *child)
{
    uint64_t hash = name_hash(core, child);
    unsigned kept = 0;

    for (unsigned i = 0; i < incident->child_count; i++) {
        if (incident->children[i].hash == hash ||
            !is_within(core, incident->children[i].failed, INCIDENT_WINDOW_S))
            continue;
        incident->children[kept] = incident->children[i];
        incident->targets[kept++] = incident->targets[i];
    }
    if (kept == INCIDENT_CHILDREN) {
        memmove(incident->children, incident->children + 1,
                sizeof(incident->children) - sizeof(*incident->children));
        memmove(incident->targets, incident->targets + 1,
                sizeof(incident->targets) - sizeof(*incident->targets));
        kept--;
    }
    incident->children[kept] = (struct incident_child){.hash = hash, .failed = core->env->mono};
    name_copy(child, incident->targets[kept].name);
    incident->targets[kept++].type = TYPE_DS;
    incident->child_count = kept;
    return kept;
}

/* Does anything show that there is a cut at the child? */
static bool is_known_cut(struct val_core *core, struct job *by, const uint8_t *child)
{
    struct job *job = val_job_find(core, JOB_ZONE, child, 0, false);
    struct lookup lookup = val_core_lookup(core, by->arena, by->purse);
    struct cache_zone rec;

    if (job && job_zone(job)->offer.present)
        return true;
    if (job)
        rec = job_zone(job)->rec;
    else if (cache_zone_get(&lookup, child, &rec) != 0)
        return false;
    return rec.has_delegation || rec.loose != LOOSE_NONE;
}

void val_incident_failed(struct val_core *core, struct job *by, const uint8_t *zone, const uint8_t *child,
                         const struct failure *why)
{
    unsigned labels;

    if (why->budget || !name_is_below(child, zone) || !is_known_cut(core, by, child) ||
        policy_governs(core, zone, &labels) != GOVERNED_ANCHOR)
        return;
    struct incident *incident = incident_get(core, zone);
    if (!incident)
        return;
    if (incident->open) {
        /* What failed last is what the probe asks for. */
        if (!why->transport)
            note_child(core, incident, child);
        return;
    }
    /* Another cause begins another suspicion. */
    if (incident->child_count && incident->why.transport != why->transport)
        incident->child_count = 0;
    incident->why = *why;
    bool again = incident->was_open && is_within(core, incident->ended, INCIDENT_REOPEN_S);
    if (note_child(core, incident, child) < INCIDENT_CHILDREN && !again)
        return;
    if (why->transport)
        incident_open(core, by, incident); /* nobody forges silence over every path */
    else if (!incident->probing && incident->next_probe.ns == MONO_NEVER.ns)
        incident->next_probe =
            mono_reached(core->env->mono, incident->not_before) ? core->env->mono : incident->not_before;
    val_incidents_schedule(core);
}

/* Under an NTA nothing the zone says is validated, so nothing is held back from it. Its probes go on. */
static bool in_force(const struct val_core *core, const struct incident *incident)
{
    unsigned labels;

    return incident && incident->open && !incident->doubted &&
           policy_governs(core, incident->zone, &labels) == GOVERNED_ANCHOR;
}

bool val_incident_open(struct val_core *core, const uint8_t *zone, struct failure *ret_why)
{
    if (core->incidents->open_count == 0)
        return false;
    const struct incident *incident = incident_find(core, zone);
    if (!in_force(core, incident))
        return false;
    if (ret_why)
        *ret_why = incident->why;
    return true;
}

static struct incident *find_above(const struct val_core *core, const uint8_t *name)
{
    if (core->incidents->open_count == 0)
        return NULL;
    for (const uint8_t *at = name;; at = name_parent(at)) {
        struct incident *incident = incident_find(core, at);
        if (in_force(core, incident))
            return incident;
        if (name_is_root(at))
            return NULL;
    }
}

const uint8_t *val_incident_above(struct val_core *core, const uint8_t *name, struct failure *ret_why)
{
    const struct incident *incident = find_above(core, name);

    if (incident && ret_why)
        *ret_why = incident->why;
    return incident ? incident->zone : NULL;
}

static bool has_verdict(const struct val_probe_report *report, unsigned server,
                        enum val_probe_verdict verdict)
{
    return report->servers[server].verdict[VAL_PROBE_UDP] == verdict ||
           report->servers[server].verdict[VAL_PROBE_TCP] == verdict;
}

unsigned val_incident_bad_servers(const struct val_core *core, const uint8_t *name,
                                  struct address *ret_servers, unsigned room)
{
    const struct incident *incident = find_above(core, name);
    const struct val_probe_report *report = incident ? &incident->report : NULL;
    unsigned bad = 0, good = 0;

    if (!incident || !incident->degraded)
        return 0;
    for (unsigned i = 0; i < report->server_count; i++) {
        if (has_verdict(report, i, VAL_PROBE_INVALID) && bad < room && report->servers[i].address.family)
            ret_servers[bad++] = report->servers[i].address;
        else
            good += has_verdict(report, i, VAL_PROBE_VALID);
    }
    return good ? bad : 0;
}

bool val_incident_may_ask(struct val_core *core, const uint8_t *zone, const uint8_t *child,
                          uint32_t kept_ttl_s)
{
    const struct incident *incident = core->incidents->open_count ? incident_find(core, zone) : NULL;
    uint8_t bytes[NAME_MAX + sizeof(incident->serial)];

    if (!in_force(core, incident))
        return true;
    size_t size = name_copy(child, bytes);
    memcpy(bytes + size, &incident->serial, sizeof(incident->serial));
    uint64_t hash = siphash24(&core->hash_key, bytes, size + sizeof(incident->serial));
    struct ration *set = &core->incidents->rations[hash % (INCIDENT_RATIONS / INCIDENT_WAYS) * INCIDENT_WAYS];
    struct ration *slot = &set[0];
    for (unsigned i = 0; i < INCIDENT_WAYS; i++) {
        if (set[i].hash == hash) {
            if (!mono_reached(core->env->mono, set[i].until))
                return false;
            slot = &set[i];
            break;
        }
        if (set[i].until.ns < slot->until.ns)
            slot = &set[i];
    }
    /* While some of the zone validates, asking once more may well succeed. */
    uint64_t seconds = kept_ttl_s           ? MAX((uint64_t)kept_ttl_s, (uint64_t)val_failure_longest_s(core))
                       : incident->degraded ? INCIDENT_BACKOFF_S
                                            : incident_back_off_s(core, incident);
    *slot = (struct ration){.hash = hash, .until = mono_add_ms(core->env->mono, seconds * 1000)};
    if (!incident->silent)
        return true;
    /* Nobody waits for servers that were silent a moment ago, but that they are back is found out by this
     * too. */
    if (name_is_below(child, zone))
        val_warm_ask(core, child);
    return false;
}

static void probe_soon(struct val_core *core, struct incident *incident)
{
    if (!incident || !incident->open || incident->probing)
        return;
    /* At once, unless the last probe has just been: in a zone that is half broken something validates all the
     * time. */
    mono_ns soon = mono_add_ms(incident->probed, INCIDENT_BACKOFF_S * 1000u);
    if (mono_reached(core->env->mono, soon))
        soon = core->env->mono;
    incident->next_probe = mono_earlier(incident->next_probe, soon);
    val_incidents_schedule(core);
}

void val_incident_validated(struct val_core *core, const uint8_t *zone)
{
    probe_soon(core, core->incidents->open_count ? incident_find(core, zone) : NULL);
}

void val_incident_heard(struct val_core *core, const uint8_t *zone)
{
    struct incident *incident = core->incidents->open_count ? incident_find(core, zone) : NULL;

    if (incident && incident->silent)
        probe_soon(core, incident);
}

/* The name right below the zone, marked in the map of names hit. */
static void mark_name(struct val_core *core, struct incident *incident, const uint8_t *qname)
{
    unsigned labels = name_labels(incident->zone);

    if (name_labels(qname) <= labels)
        return;
    if (!incident->names)
        incident->names = calloc(INCIDENT_NAME_BITS / 8, 1);
    if (!incident->names)
        return;
    uint64_t bit = name_hash(core, name_suffix(qname, labels + 1)) % INCIDENT_NAME_BITS;
    uint8_t mask = (uint8_t)(1u << bit % 8);
    incident->name_count += !(incident->names[bit / 8] & mask);
    incident->names[bit / 8] |= mask;
}

void val_incident_answered(struct val_core *core, const uint8_t *qname, const struct answer *answer)
{
    struct incident *incident = find_above(core, qname);

    if (!incident)
        return;
    incident->questions++;
    incident->failed += answer->rcode == RCODE_SERVFAIL;
    incident->stale += answer->stale;
    incident->continued += answer->continued && !answer->stale;
    mark_name(core, incident, qname);
}

static struct val_incident describe(const struct env *env, const struct incident *from)
{
    bool due = from->probing || mono_reached(env->mono, from->next_probe);
    int64_t left = due ? 0 : (int64_t)((from->next_probe.ns - env->mono.ns + NS_PER_S - 1) / NS_PER_S);

    return (struct val_incident){.zone = from->zone,
                                 .degraded = from->degraded,
                                 .transport = from->why.transport,
                                 .since = from->since,
                                 .next_probe_s = left,
                                 .ede = from->why.ede,
                                 .text = slice_make(from->why.text, from->why.text_size),
                                 .questions = from->questions,
                                 .answered_continued = from->continued,
                                 .answered_stale = from->stale,
                                 .failed = from->failed,
                                 .names = from->name_count,
                                 .advised = from->advised,
                                 .probe = &from->report};
}

int val_core_incidents(struct val_core *core, const struct env *env,
                       int (*fn)(void *ctx, const struct val_incident *incident), void *ctx)
{
    LIST_FOREACH (node, &core->incidents->by_age) {
        const struct incident *from = CONTAINER_OF(node, struct incident, age_node);
        if (!from->open)
            continue;
        struct val_incident incident = describe(env, from);
        int r = fn(ctx, &incident);
        if (r != 0)
            return r;
    }
    return 0;
}

bool val_incident_describe(const struct val_core *core, const uint8_t *zone,
                           struct val_incident *ret_incident)
{
    const struct incident *incident = incident_find(core, zone);

    if (!incident || !incident->open)
        return false;
    *ret_incident = describe(core->env, incident);
    return true;
}

int val_incidents_new(struct val_core *core)
{
    core->incidents = calloc(1, sizeof(*core->incidents));
    if (!core->incidents)
        return -ENOMEM;
    for (unsigned i = 0; i < INCIDENT_BUCKETS; i++)
        list_init(&core->incidents->buckets[i]);
    list_init(&core->incidents->by_age);
    core->next_probe = MONO_NEVER;
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
