/* When an incident opens, what its probes make of it, when it ends, and what of it outlives a restart. */

#include <string.h>

#include "daemons/validatord/core/incident_state.h"
#include "daemons/validatord/core/probe.h"

#define LOADED_PROBE_MS 500u /* after a start, so that recursord has been met */

static void put(struct val_core *core, struct job *by, const struct cache_key *key, struct slice value,
                bool remove)
{
    uint8_t *bytes = arena_copy(by->arena, key->bytes, key->size);
    struct action *action = bytes ? val_action_new(core, VAL_ACTION_WRITE, by) : NULL;

    if (action)
        action->action.write = (struct cache_write){.db = CACHE_META,
                                                    .remove = remove,
                                                    .key = slice_make(bytes, key->size),
                                                    .value = value,
                                                    .epoch = core->epoch};
}

/* The record of an open incident is written, that of one that is not is removed. */
static void persist(struct val_core *core, struct job *by, const struct incident *incident)
{
    struct incident_record record = {.since = incident->since,
                                     .probes_failed = (uint16_t)MIN(incident->probes_failed, UINT16_MAX),
                                     .transport = incident->why.transport,
                                     .degraded = incident->degraded,
                                     .ede = incident->why.ede,
                                     .text = slice_make(incident->why.text, incident->why.text_size),
                                     .target_count = incident->child_count};
    struct cache_key key;
    struct slice value = {0};

    if (incident_key(incident->zone, &key))
        return;
    memcpy(record.targets, incident->targets, sizeof(incident->targets));
    if (!incident->open)
        put(core, by, &key, value, true);
    else if (incident_encode(by->arena, cache_key_slice(&key), &record, &value) == 0)
        put(core, by, &key, value, false);
}

static void begin(struct val_core *core, struct incident *incident)
{
    incident->open = true;
    incident->degraded = incident->advised = incident->silent = false;
    incident->serial = ++core->incidents->serial;
    incident->questions = incident->continued = incident->stale = incident->failed = incident->name_count = 0;
    if (incident->names)
        memset(incident->names, 0, INCIDENT_NAME_BITS / 8);
    core->incidents->open_count++;
}

void incident_open(struct val_core *core, struct job *by, struct incident *incident)
{
    begin(core, incident);
    incident->since = core->env->wall;
    incident->probes_failed = 1;
    /* Silence is confirmed afterwards: until then who asks waits for it as ever. */
    incident->next_probe = incident->why.transport
                               ? core->env->mono
                               : mono_add_ms(core->env->mono, incident_back_off_s(core, incident) * 900);
    core->stats.incidents_opened++;
    persist(core, by, incident);
    val_event(core, VAL_EVENT_INCIDENT_OPENED, incident->zone, &incident->why, false, incident->since);
}

static void close_incident(struct val_core *core, struct job *by, struct incident *incident)
{
    incident->open = incident->degraded = false;
    incident->was_open = true;
    incident->ended = core->env->mono;
    incident->child_count = 0;
    incident->probes_failed = 0;
    incident->next_probe = MONO_NEVER;
    core->incidents->open_count--;
    core->stats.incidents_closed++;
    persist(core, by, incident);
    val_event(core, VAL_EVENT_INCIDENT_CLOSED, incident->zone, &incident->why, false, incident->since);
}

/* What the probe found as the cause: signatures that fail tell more than what was seen before. */
static void take_cause(struct incident *incident)
{
    const struct val_probe_report *report = &incident->report;
    struct failure why = {.ede = report->ede, .text_size = report->text_size};

    if (report->ede == EDE_NONE || report->result == VAL_PROBE_SILENT)
        return;
    memcpy(why.text, report->text, report->text_size);
    /* without keys nothing that was seen of the rest is the cause */
    if (incident->why.transport || !report->keys_good)
        incident->why = why;
    else
        val_failure_better(&incident->why, &why);
}

/* Is it the zone that is broken, not the statements about some of its children, nor one path to it? */
static bool confirms(const struct val_probe_report *report)
{
    if (report->transports_differ)
        return false;
    return report->result == VAL_PROBE_NONE ||
           (report->result == VAL_PROBE_SOME && report->common_invalid > 0);
}

/* Servers that differ are what a forger on one path makes. A signer that is broken in part leaves the data
 * alone, and most of what it signs fails everywhere. */
static bool is_broken_signer(const struct val_probe_report *report)
{
    return report->keys_good && !report->contents_differ && report->data_same > 0 &&
           report->data_changed == 0 && report->invalid >= report->valid;
}

/* What an operator would need to see before an NTA (DESIGN 5, "NTA advice"): all servers and both transports
 * serve the same, and it does not validate. */
static void advise(struct val_core *core, struct incident *incident)
{
    const struct val_probe_report *report = &incident->report;

    if (incident->advised || incident->why.transport || !confirms(report) ||
        (report->servers_differ && !is_broken_signer(report)))
        return;
    incident->advised = true;
    val_event(core, VAL_EVENT_ADVICE, incident->zone, &incident->why, incident->degraded, incident->since);
}

static void suspicion_probed(struct val_core *core, struct job *by, struct incident *incident)
{
    incident->next_probe = MONO_NEVER;
    if (confirms(&incident->report)) {
        take_cause(incident);
        incident_open(core, by, incident);
        incident->degraded = incident->report.result == VAL_PROBE_SOME;
        advise(core, incident);
        return;
    }
    /* Each failure stays remembered by itself; so many more are needed before it is looked at again. */
    incident->child_count = 0;
    incident->probes_failed++;
    incident->not_before = mono_add_ms(core->env->mono, incident_back_off_s(core, incident) * 1000);
}

static void incident_still_probed(struct val_core *core, struct job *by, struct incident *incident)
{
    bool degraded = incident->report.result == VAL_PROBE_SOME;

    if (incident->report.result == VAL_PROBE_ALL) {
        close_incident(core, by, incident);
        return;
    }
    take_cause(incident);
    incident->silent = incident->report.result == VAL_PROBE_SILENT;
    incident->probes_failed++;
    /* From beginning to beginning, and a little less: what the probe takes is within the interval. */
    incident->next_probe = mono_add_ms(incident->begun, incident_back_off_s(core, incident) * 900);
    if (incident->report.result != VAL_PROBE_SILENT && degraded != incident->degraded) {
        incident->degraded = degraded;
        val_event(core, VAL_EVENT_INCIDENT_CHANGED, incident->zone, &incident->why, degraded,
                  incident->since);
    }
    advise(core, incident);
    persist(core, by, incident);
}

void val_incident_probed(struct val_core *core, struct job *by, const struct val_probe_report *report)
{
    struct incident *incident = incident_find(core, by->name);

    if (!incident)
        return;
    incident->probing = incident->doubted = false;
    incident->probed = core->env->mono;
    incident->report = *report;
    val_event(core, VAL_EVENT_INCIDENT_PROBED, incident->zone, NULL, false, report->at);
    if (incident->open)
        incident_still_probed(core, by, incident);
    else
        suspicion_probed(core, by, incident);
    val_incidents_schedule(core);
}

void val_incidents_tick(struct val_core *core)
{
    LIST_FOREACH (node, &core->incidents->by_age) {
        struct incident *incident = CONTAINER_OF(node, struct incident, age_node);
        if (incident->probing || !mono_reached(core->env->mono, incident->next_probe))
            continue;
        incident->begun = core->env->mono;
        incident->probing =
            val_probe_start(core, incident->zone, false, incident->targets, incident->child_count) != NULL;
        /* without memory, again later */
        incident->next_probe =
            incident->probing ? MONO_NEVER : mono_add_ms(core->env->mono, INCIDENT_BACKOFF_S * 1000);
    }
}

mono_ns val_incidents_next(const struct val_core *core)
{
    mono_ns next = MONO_NEVER;

    LIST_FOREACH (node, &core->incidents->by_age) {
        const struct incident *incident = CONTAINER_OF(node, struct incident, age_node);
        if (!incident->probing)
            next = mono_earlier(next, incident->next_probe);
    }
    return next;
}

void val_incidents_schedule(struct val_core *core)
{
    core->next_probe = mono_earlier(val_incidents_next(core), val_ntas_next(core));
}

int val_incident_probe_now(struct val_core *core, const uint8_t *zone)
{
    struct incident *incident = incident_find(core, zone);

    if (!incident || !incident->open)
        return 1;
    if (!incident->probing)
        incident->next_probe = core->env->mono;
    val_incidents_schedule(core);
    return 0;
}

void val_core_incidents_doubt(struct val_core *core, const struct env *env, const uint8_t *name, bool tree)
{
    core->env = env;
    LIST_FOREACH (node, &core->incidents->by_age) {
        struct incident *incident = CONTAINER_OF(node, struct incident, age_node);
        if (!(tree ? name_is_under(incident->zone, name) : name_equal(incident->zone, name)))
            continue;
        if (incident->open && !incident->probing)
            incident->next_probe = env->mono;
        incident->doubted = incident->open;
        if (!incident->open)
            incident->child_count = 0;
    }
    val_incidents_schedule(core);
    core->env = NULL;
}

static void load_one(struct val_core *core, const uint8_t *zone, const struct incident_record *record)
{
    struct incident *incident = incident_get(core, zone);

    if (!incident || incident->open)
        return;
    begin(core, incident);
    incident->since = record->since.s > core->env->wall.s ? core->env->wall : record->since;
    incident->probes_failed = record->probes_failed;
    incident->degraded = record->degraded;
    incident->silent = record->transport && !record->degraded && record->probes_failed > 1;
    incident->why = (struct failure){.ede = record->ede, .transport = record->transport};
    incident->why.text_size = (uint16_t)record->text.size;
    memcpy(incident->why.text, record->text.data, record->text.size);
    incident->child_count = MIN(record->target_count, INCIDENT_CHILDREN);
    memcpy(incident->targets, record->targets, sizeof(incident->targets));
    incident->next_probe = mono_add_ms(core->env->mono, LOADED_PROBE_MS);
}

int val_core_load_incidents(struct val_core *core, const struct env *env, const struct cache_view *view)
{
    struct cache_key at;
    struct slice key, value;

    core->env = env;
    core->view = view;
    (void)incident_key(NULL, &at);
    while (view->seek_ge(view->ctx, CACHE_META, cache_key_slice(&at), &key, &value) == 0) {
        struct incident_record record;
        uint8_t zone[NAME_MAX];
        if (incident_key_zone(key, zone))
            break;
        if (incident_decode(key, value, &record) == 0)
            load_one(core, zone, &record);
        if (cache_key_after(key, &at))
            break;
    }
    val_incidents_schedule(core);
    core->env = NULL;
    core->view = NULL;
    return 0;
}

int val_core_probe(struct val_core *core, const struct env *env, const struct cache_view *view,
                   const uint8_t *name)
{
    core->env = env;
    core->view = view;
    int r = val_nta_probe_now(core, name);
    if (r == 1)
        r = val_incident_probe_now(core, name);
    core->env = NULL;
    core->view = NULL;
    return r;
}
