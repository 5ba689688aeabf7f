/* The configuration, copied deeply and counted: running fetches keep the one they began with. */

#include <stdlib.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

#define CONFIG_MAX_BYTES 16777216u /* the snapshot it comes from is no larger */

static int copy_hints(struct config *config, const struct rec_config *from)
{
    struct rec_hint *hints = arena_array(config->arena, from->hint_count, sizeof(*hints));
    if (!hints)
        return 1;
    for (size_t i = 0; i < from->hint_count; i++) {
        hints[i] = from->hints[i];
        hints[i].addresses = arena_copy(config->arena, from->hints[i].addresses,
                                        from->hints[i].count * sizeof(struct address));
        if (!hints[i].addresses)
            return 1;
    }
    config->c.hints = hints;
    return 0;
}

static int copy_zones(struct config *config, const struct rec_config *from)
{
    struct rec_zone_servers *zones = arena_array(config->arena, from->zone_count, sizeof(*zones));
    if (!zones)
        return 1;
    for (size_t i = 0; i < from->zone_count; i++) {
        zones[i] = from->zones[i];
        zones[i].to =
            arena_copy(config->arena, from->zones[i].to, from->zones[i].count * sizeof(struct address));
        if (!zones[i].to)
            return 1;
    }
    config->c.zones = zones;
    return 0;
}

struct config *config_copy(const struct rec_config *from)
{
    struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return NULL;
    config->refs = 1;
    config->c = *from;
    config->arena = arena_new(CONFIG_MAX_BYTES);
    if (!config->arena || copy_hints(config, from) || copy_zones(config, from))
        goto fail;
    config->c.never_query =
        arena_copy(config->arena, from->never_query, from->never_query_count * sizeof(struct prefix));
    if (!config->c.never_query)
        goto fail;
    return config;
fail:
    config_unref(config);
    return NULL;
}

struct config *config_ref(struct config *config)
{
    config->refs++;
    return config;
}

void config_unref(struct config *config)
{
    if (!config || --config->refs)
        return;
    arena_free(config->arena);
    free(config);
}
