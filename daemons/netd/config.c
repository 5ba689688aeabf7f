/* From the snapshot to the core's configuration. Text never comes here. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemons/netd/netd.h"

static int copy_prefixes(Holdfast__Config__Prefix *const *from, size_t count, const struct prefix **ret_list)
{
    struct prefix *list = calloc(count ? count : 1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (snapshot_prefix(from[i], &list[i]) != 0) {
            free(list);
            return 1;
        }
    }
    *ret_list = list;
    return 0;
}

/* Zones with servers of the operator's own: never answered as special-use names. */
static int copy_exempt(const Holdfast__Config__Snapshot *snapshot, struct netd_config *config)
{
    size_t count = snapshot->n_forward + snapshot->n_stub;
    uint8_t(*list)[NAME_MAX] = calloc(count ? count : 1, NAME_MAX);
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const Holdfast__Config__ZoneServers *zone =
            i < snapshot->n_forward ? snapshot->forward[i] : snapshot->stub[i - snapshot->n_forward];
        if (name_from_bytes(zone->zone.data, zone->zone.len, list[i]) != 0) {
            free(list);
            return 1;
        }
    }
    config->exempt = list;
    config->exempt_count = count;
    return 0;
}

/* The names, and pointers to them: one block. */
static int copy_stale_zones(const Holdfast__Config__Snapshot *snapshot, struct netd_config *config)
{
    size_t count = snapshot->n_stale_disabled_zones;
    const uint8_t **list = calloc(1, (count + 1) * (sizeof(*list) + NAME_MAX));
    if (!list)
        return -ENOMEM;
    uint8_t(*names)[NAME_MAX] = (uint8_t(*)[NAME_MAX])(list + count + 1);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCBinaryData *zone = &snapshot->stale_disabled_zones[i];
        if (name_from_bytes(zone->data, zone->len, names[i]) != 0) {
            free(list);
            return 1;
        }
        name_lower(names[i]);
        list[i] = names[i];
    }
    config->stale.disabled_zones = list;
    config->stale.disabled_zone_count = count;
    return 0;
}

static uint32_t limit_u32(uint64_t value)
{
    return (uint32_t)MIN(value, (uint64_t)UINT32_MAX);
}

int settings_new(const Holdfast__Config__Snapshot *snapshot, struct settings **ret_settings)
{
    struct settings *settings = calloc(1, sizeof(*settings));
    if (!settings)
        return -ENOMEM;
    struct netd_config *config = &settings->config;
    config->generation = snapshot->generation;
    config->minimal_responses = snapshot->minimal_responses;
    config->special_use_names = snapshot->special_use_names;
    config->prefetch = snapshot->prefetch;
    config->signalling = snapshot->signalling;
    config->aggressive_denial = snapshot->aggressive_denial;
    config->nsec3_iterations = (uint16_t)MIN(snapshot->nsec3_iterations, (uint32_t)UINT16_MAX);
    config->edns_size = (uint16_t)MIN(MAX(snapshot->edns_size, 512u), NETD_UDP_REPLY_MAX);
    config->stale.enabled = snapshot->stale_enabled;
    config->stale_client_timeout_ms = limit_u32(snapshot->stale_client_timeout_ms);
    config->stale_answer_ttl_s = limit_u32(snapshot->stale_answer_ttl_ms / 1000);
    config->stale_max_age_s = (int64_t)(snapshot->stale_max_age_ms / 1000);
    config->kept_max_age_s = (int64_t)(snapshot->stale_delegation_max_age_ms / 1000);
    config->max_ttl_s = limit_u32(snapshot->max_ttl_ms / 1000);
    config->nsec3_hash = nsec3_hash;
    settings->workers = MIN(MAX(snapshot->workers, 1u), NETD_MAX_WORKERS);

    int r = copy_prefixes(snapshot->allow, snapshot->n_allow, &config->allow);
    if (r == 0) {
        config->allow_count = snapshot->n_allow;
        r = copy_prefixes(snapshot->allow_snoop, snapshot->n_allow_snoop, &config->allow_snoop);
    }
    if (r == 0) {
        config->allow_snoop_count = snapshot->n_allow_snoop;
        r = copy_exempt(snapshot, config);
    }
    if (r == 0)
        r = copy_stale_zones(snapshot, config);
    if (r == 0 && getrandom(&config->cookie_secret, sizeof(config->cookie_secret), 0) !=
                      (ssize_t)sizeof(config->cookie_secret))
        r = -EIO;
    if (r != 0) {
        settings_free(settings);
        return r;
    }
    *ret_settings = settings;
    return 0;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    free((void *)settings->config.allow);
    free((void *)settings->config.allow_snoop);
    free((void *)settings->config.exempt);
    free((void *)settings->config.stale.disabled_zones);
    free(settings);
}
