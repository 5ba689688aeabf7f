/* Which local rule governs a name: a trust anchor, a negative trust anchor (RFC 7646), a zone that is never
 * validated. The deepest at or above the name does; at one node an NTA wins over an anchor (RFC 7646 2). A DS
 * that is kept below an NTA, within its signature's time, counts as an anchor does. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "daemons/validatord/core/incident_state.h"
#include "daemons/validatord/core/nta_child.h"
#include "daemons/validatord/core/probe.h"

static struct nta *nta_find(const struct val_core *core, const uint8_t *name)
{
    LIST_FOREACH (node, &core->ntas) {
        struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (name_equal(nta->name, name))
            return nta;
    }
    return NULL;
}

/* Some of the interval, so that many NTAs added by one script are not probed in one moment. */
static mono_ns first_probe(const struct val_core *core, const struct env *env)
{
    uint64_t interval_ms = core->config.nta_probe_interval_s * 1000;

    if (interval_ms == 0)
        return MONO_NEVER;
    return mono_add_ms(env->mono, interval_ms - interval_ms * random_below(env->random, 256) / 1024);
}

int val_core_nta_add(struct val_core *core, const struct env *env, const uint8_t *name, wall_s expires,
                     bool forced)
{
    struct nta *nta = nta_find(core, name);
    if (nta) {
        nta->expires = expires;
        nta->forced = forced;
        return 0;
    }
    if (core->nta_count >= VAL_NTA_MAX)
        return -ENOSPC;
    nta = calloc(1, sizeof(*nta));
    if (!nta)
        return -ENOMEM;
    name_copy(name, nta->name);
    nta->expires = expires;
    nta->forced = forced;
    nta->next_probe = first_probe(core, env);
    nta->why.ede = EDE_NONE;
    list_append(&core->ntas, &nta->node);
    core->nta_count++;
    val_incidents_schedule(core);
    return 0;
}

void val_core_nta_failures(struct val_core *core, const uint8_t *name, const struct val_probe_target *targets,
                           unsigned count, uint16_t ede, struct slice text)
{
    struct nta *nta = nta_find(core, name);

    if (!nta)
        return;
    nta->target_count = MIN(count, VAL_PROBE_TARGETS);
    for (unsigned i = 0; i < nta->target_count; i++)
        nta->targets[i] = targets[i];
    if (ede == EDE_NONE)
        return;
    nta->why = (struct failure){.ede = ede, .text_size = (uint16_t)MIN(text.size, sizeof(nta->why.text))};
    memcpy(nta->why.text, text.data, nta->why.text_size);
}

void val_nta_reason(const struct val_core *core, const uint8_t *name, struct failure *ret_why)
{
    const struct nta *deepest = NULL;
    struct val_incident incident;
    char zone[NAME_TEXT_MAX];

    LIST_FOREACH (node, &core->ntas) {
        const struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (nta->expires.s > core->env->wall.s && name_is_under(name, nta->name) &&
            (!deepest || name_labels(nta->name) > name_labels(deepest->name)))
            deepest = nta;
    }
    *ret_why = (struct failure){.ede = EDE_NEGATIVE_TRUST_ANCHOR};
    if (!deepest)
        return;
    struct text text = text_make(ret_why->text, sizeof(ret_why->text));
    text_add(&text, name_to_text(deepest->name, zone));
    struct slice why = slice_make(deepest->why.text, deepest->why.text_size);
    if (val_incident_describe(core, deepest->name, &incident))
        why = incident.text;
    else if (deepest->report.text_size)
        why = slice_make(deepest->report.text, deepest->report.text_size);
    if (why.size) {
        text_add(&text, " for: ");
        text_add_bytes(&text, why.data, why.size);
    }
    ret_why->text_size = (uint16_t)text.size;
}

int val_core_nta_remove(struct val_core *core, const uint8_t *name)
{
    struct nta *nta = nta_find(core, name);
    if (!nta)
        return 1;
    list_remove(&nta->node);
    core->nta_count--;
    free(nta);
    return 0;
}

void val_ntas_tick(struct val_core *core)
{
    LIST_FOREACH (node, &core->ntas) {
        struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (nta->probing || !mono_reached(core->env->mono, nta->next_probe))
            continue;
        nta->probing = val_probe_start(core, nta->name, true, nta->targets, nta->target_count) != NULL;
        nta->next_probe = mono_add_ms(core->env->mono, MAX(core->config.nta_probe_interval_s, 1u) * 1000);
    }
}

mono_ns val_ntas_next(const struct val_core *core)
{
    mono_ns next = MONO_NEVER;

    LIST_FOREACH (node, &core->ntas) {
        const struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (!nta->probing)
            next = mono_earlier(next, nta->next_probe);
    }
    return next;
}

void val_nta_probed(struct val_core *core, const uint8_t *name, const struct val_probe_report *report)
{
    struct nta *nta = nta_find(core, name);
    struct failure why = {.ede = report->ede, .text_size = report->text_size};

    if (!nta)
        return;
    nta->probing = false;
    nta->report = *report;
    memcpy(why.text, report->text, report->text_size);
    val_event(core, VAL_EVENT_NTA_PROBED, name, &why, report->result == VAL_PROBE_SOME, report->at);
    /* RFC 7646 2: it goes when the zone validates, at all servers that answer, unless it was meant to stay.
     */
    if (report->result == VAL_PROBE_ALL && !nta->forced)
        val_event(core, VAL_EVENT_NTA_VALID, name, NULL, false, report->at);
    val_incidents_schedule(core);
}

int val_nta_probe_now(struct val_core *core, const uint8_t *name)
{
    struct nta *nta = nta_find(core, name);

    if (!nta)
        return 1;
    if (!nta->probing)
        nta->next_probe = core->env->mono;
    val_incidents_schedule(core);
    return 0;
}

const struct val_probe_report *val_core_nta_report(const struct val_core *core, const struct env *env,
                                                   const uint8_t *name, int64_t *ret_next_s)
{
    const struct nta *nta = nta_find(core, name);

    *ret_next_s = -1;
    if (!nta)
        return NULL;
    if (nta->probing || mono_reached(env->mono, nta->next_probe))
        *ret_next_s = 0;
    else if (nta->next_probe.ns != MONO_NEVER.ns)
        *ret_next_s = (int64_t)((nta->next_probe.ns - env->mono.ns + NS_PER_S - 1) / NS_PER_S);
    return nta->report.result == VAL_PROBE_NEVER ? NULL : &nta->report;
}

bool policy_has_nta(const struct val_core *core, const uint8_t *zone)
{
    const struct nta *nta = nta_find(core, zone);

    return nta && nta->expires.s > core->env->wall.s;
}

bool policy_is_kept_below_nta(const struct val_core *core, const uint8_t *name)
{
    unsigned anchor = 0, nta = 0;
    bool found = false;

    for (size_t i = 0; i < core->config.anchor_count; i++)
        if (name_is_under(name, core->config.anchors[i].zone))
            anchor = MAX(anchor, name_labels(core->config.anchors[i].zone));
    LIST_FOREACH (node, &core->ntas) {
        const struct nta *one = CONTAINER_OF(node, struct nta, node);
        if (one->expires.s > core->env->wall.s && name_is_under(name, one->name)) {
            found = true;
            nta = MAX(nta, name_labels(one->name));
        }
    }
    return found && nta >= anchor;
}

/* Is a DS kept here whose signature has not expired? What the zone above the NTA's breakage once signed still
 * holds.
 */
static bool is_kept_secure(const struct val_core *core, const uint8_t *zone)
{
    struct job *job = val_job_find((struct val_core *)core, JOB_ZONE, zone, 0, false);
    struct cache_key key;
    struct slice value;
    struct cache_zone rec;

    if (job) {
        rec = job_zone(job)->rec;
    } else {
        arena_reset(core->scratch);
        if (cache_key_name(zone, &key) ||
            core->view->get(core->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value) ||
            cache_zone_decode(core->scratch, cache_key_slice(&key), value, zone, &rec) != 0)
            return false;
    }
    return rec.ds_state == DS_SECURE && rec.ds_signature_expires.s > core->env->wall.s;
}

/* The deepest such zone at or above name, below the NTA's node. 0: none. */
static unsigned kept_below(const struct val_core *core, const uint8_t *name, unsigned nta_labels)
{
    for (unsigned i = name_labels(name); core->view && i > nta_labels; i--)
        if (is_kept_secure(core, name_suffix(name, i)))
            return i;
    return 0;
}

bool policy_has_anchor(const struct val_core *core, const uint8_t *zone)
{
    for (size_t i = 0; i < core->config.anchor_count; i++)
        if (name_equal(core->config.anchors[i].zone, zone))
            return true;
    return false;
}

enum governed policy_governs(const struct val_core *core, const uint8_t *name, unsigned *ret_labels)
{
    enum governed governed = GOVERNED_NONE;
    unsigned deepest = 0;

    *ret_labels = 0;
    if (!core->config.validate)
        return GOVERNED_INSECURE;
    for (size_t i = 0; i < core->config.anchor_count; i++) {
        const uint8_t *zone = core->config.anchors[i].zone;
        if (name_is_under(name, zone) && (governed == GOVERNED_NONE || name_labels(zone) > deepest)) {
            governed = GOVERNED_ANCHOR;
            deepest = name_labels(zone);
        }
    }
    for (size_t i = 0; i < core->config.insecure_zone_count; i++) {
        const uint8_t *zone = core->config.insecure_zones[i];
        if (name_is_under(name, zone) && (governed == GOVERNED_NONE || name_labels(zone) >= deepest)) {
            governed = GOVERNED_INSECURE;
            deepest = name_labels(zone);
        }
    }
    LIST_FOREACH (node, &core->ntas) {
        const struct nta *nta = CONTAINER_OF(node, struct nta, node);
        if (nta->expires.s > core->env->wall.s && name_is_under(name, nta->name) &&
            (governed == GOVERNED_NONE || name_labels(nta->name) >= deepest)) {
            governed = GOVERNED_NTA;
            deepest = name_labels(nta->name);
        }
    }
    if (governed == GOVERNED_NTA) { /* DESIGN 5: a kept DS below it still validates */
        unsigned kept = kept_below(core, name, deepest);
        if (kept) {
            governed = GOVERNED_ANCHOR;
            deepest = kept;
        }
    }
    *ret_labels = deepest;
    return governed;
}
