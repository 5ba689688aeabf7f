#include "daemons/validatord/settings.h"

#include <errno.h>
#include <stdlib.h>

#include "common/wire/rdata.h"

static int read_anchors(struct settings *settings, const Holdfast__Config__Snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_trust_anchors; i++) {
        const Holdfast__Config__Anchor *from = snapshot->trust_anchors[i];
        struct val_anchor *anchor = &settings->anchors[i];

        if (name_from_bytes(from->zone.data, from->zone.len, anchor->zone) ||
            (from->type != TYPE_DS && from->type != TYPE_DNSKEY) || from->rdata.len > UINT16_MAX)
            return 1;
        anchor->type = (uint16_t)from->type;
        anchor->builtin = from->builtin;
        anchor->rdata = (struct rdata){.data = from->rdata.data, .size = (uint16_t)from->rdata.len};
        if (rdata_check(anchor->type, &anchor->rdata))
            return 1;
    }
    return 0;
}

static int read_names(struct settings *settings, const Holdfast__Config__Snapshot *snapshot)
{
    size_t at = 0;

    for (size_t i = 0; i < snapshot->n_insecure_zones; i++, at++) {
        if (name_from_bytes(snapshot->insecure_zones[i].data, snapshot->insecure_zones[i].len,
                            settings->names[at]))
            return 1;
        settings->insecure[i] = settings->names[at];
    }
    for (size_t i = 0; i < snapshot->n_forward; i++, at++) {
        if (name_from_bytes(snapshot->forward[i]->zone.data, snapshot->forward[i]->zone.len,
                            settings->names[at]))
            return 1;
        settings->forward[i] = settings->names[at];
    }
    /* stub zones follow in the same list */
    for (size_t i = 0; i < snapshot->n_stub; i++, at++) {
        if (name_from_bytes(snapshot->stub[i]->zone.data, snapshot->stub[i]->zone.len, settings->names[at]))
            return 1;
        settings->forward[snapshot->n_forward + i] = settings->names[at];
    }
    for (size_t i = 0; i < snapshot->n_stale_disabled_zones; i++, at++) {
        if (name_from_bytes(snapshot->stale_disabled_zones[i].data, snapshot->stale_disabled_zones[i].len,
                            settings->names[at]))
            return 1;
        name_lower(settings->names[at]);
        settings->stale_disabled[i] = settings->names[at];
    }
    return 0;
}

int settings_init(struct settings *settings, const Holdfast__Config__Snapshot *snapshot)
{
    size_t names = snapshot->n_insecure_zones + snapshot->n_forward + snapshot->n_stub +
                   snapshot->n_stale_disabled_zones;
    int r;

    /* One more of each, so that none asks for nothing. */
    *settings = (struct settings){
        .anchors = calloc(snapshot->n_trust_anchors + 1, sizeof(*settings->anchors)),
        .names = calloc(names + 1, sizeof(*settings->names)),
        .insecure = calloc(snapshot->n_insecure_zones + 1, sizeof(*settings->insecure)),
        .forward = calloc(snapshot->n_forward + snapshot->n_stub + 1, sizeof(*settings->forward)),
        .stale_disabled = calloc(snapshot->n_stale_disabled_zones + 1, sizeof(*settings->stale_disabled)),
    };
    r = settings->anchors && settings->names && settings->insecure && settings->forward &&
                settings->stale_disabled
            ? 0
            : -ENOMEM;
    if (r == 0)
        r = read_anchors(settings, snapshot);
    if (r == 0)
        r = read_names(settings, snapshot);
    if (r) {
        settings_fini(settings);
        return r;
    }
    settings->config = (struct val_config){
        .generation = snapshot->generation,
        .validate = snapshot->validate,
        .anchors = settings->anchors,
        .anchor_count = snapshot->n_trust_anchors,
        .anchor_updates = snapshot->anchor_updates,
        .signalling = snapshot->signalling,
        .error_reporting = snapshot->error_reporting,
        .insecure_zones = settings->insecure,
        .insecure_zone_count = snapshot->n_insecure_zones,
        .forward_zones = settings->forward,
        .forward_zone_count = snapshot->n_forward,
        .apart_zones = settings->forward,
        .apart_zone_count = snapshot->n_forward + snapshot->n_stub,
        .algorithms = {.allow_sha1 = snapshot->allow_sha1},
        .aggressive_denial = snapshot->aggressive_denial,
        .nsec3_iterations = (uint16_t)MIN(snapshot->nsec3_iterations, (uint32_t)UINT16_MAX),
        .min_ttl_s = (uint32_t)(snapshot->min_ttl_ms / 1000),
        .max_ttl_s = (uint32_t)(snapshot->max_ttl_ms / 1000),
        .stale = {.enabled = snapshot->stale_enabled,
                  .disabled_zones = settings->stale_disabled,
                  .disabled_zone_count = snapshot->n_stale_disabled_zones},
        .stale_max_age_s = (int64_t)(snapshot->stale_max_age_ms / 1000),
        .stale_answer_ttl_s = (uint32_t)(snapshot->stale_answer_ttl_ms / 1000),
        .stale_recheck_s = (uint32_t)(snapshot->stale_recheck_interval_ms / 1000),
        .delegation_max_age_s = (int64_t)(snapshot->stale_delegation_max_age_ms / 1000),
        .nta_lifetime_s = snapshot->nta_lifetime_ms / 1000,
        .nta_max_lifetime_s = snapshot->nta_max_lifetime_ms / 1000,
        .nta_probe_interval_s = snapshot->nta_probe_interval_ms / 1000,
    };
    return 0;
}

void settings_fini(struct settings *settings)
{
    free(settings->anchors);
    free(settings->names);
    free(settings->insecure);
    free(settings->forward);
    free(settings->stale_disabled);
    *settings = (struct settings){0};
}
