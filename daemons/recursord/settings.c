/* The compiled configuration as the core's: protobuf fields into an arena of base types. */

#include <errno.h>
#include <string.h>

#include "daemons/recursord/shell.h"

#define SETTINGS_MAX_BYTES 33554432u /* twice what a snapshot may be */
#define DNS_PORT           53u

static int read_address(const ProtobufCBinaryData *from, uint16_t port, struct address *ret_address)
{
    if (from->len != 4 && from->len != 16)
        return 1;
    *ret_address = (struct address){.family = from->len == 4 ? 4 : 6, .port = port};
    memcpy(ret_address->bytes, from->data, from->len);
    return 0;
}

static int read_hints(struct settings *s, const Holdfast__Config__Snapshot *snapshot)
{
    struct rec_hint *hints = arena_array(s->arena, snapshot->n_root_hints, sizeof(*hints));
    if (!hints)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->n_root_hints; i++) {
        const Holdfast__Config__HintServer *from = snapshot->root_hints[i];
        if (name_from_bytes(from->name.data, from->name.len, hints[i].name))
            return 1;
        hints[i].count = from->n_addresses;
        hints[i].addresses = arena_array(s->arena, from->n_addresses, sizeof(struct address));
        if (!hints[i].addresses)
            return -ENOMEM;
        for (size_t k = 0; k < from->n_addresses; k++)
            if (read_address(&from->addresses[k], DNS_PORT, &hints[i].addresses[k]))
                return 1;
    }
    s->config.hints = hints;
    s->config.hint_count = snapshot->n_root_hints;
    return 0;
}

static int read_zone(struct settings *s, const Holdfast__Config__ZoneServers *from, bool forward,
                     struct rec_zone_servers *zone)
{
    *zone = (struct rec_zone_servers){.forward = forward, .first = from->first, .count = from->n_to};
    if (name_from_bytes(from->zone.data, from->zone.len, zone->zone))
        return 1;
    zone->to = arena_array(s->arena, from->n_to, sizeof(*zone->to));
    if (!zone->to)
        return -ENOMEM;
    for (size_t i = 0; i < from->n_to; i++)
        if (snapshot_endpoint(from->to[i], &zone->to[i]))
            return 1;
    return 0;
}

static int read_zones(struct settings *s, const Holdfast__Config__Snapshot *snapshot)
{
    size_t count = snapshot->n_forward + snapshot->n_stub;
    struct rec_zone_servers *zones = arena_array(s->arena, count, sizeof(*zones));
    if (!zones)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bool forward = i < snapshot->n_forward;
        int r = read_zone(s, forward ? snapshot->forward[i] : snapshot->stub[i - snapshot->n_forward],
                          forward, &zones[i]);
        if (r)
            return r;
    }
    s->config.zones = zones;
    s->config.zone_count = count;
    return 0;
}

static int read_prefixes_and_sources(struct settings *s, const Holdfast__Config__Snapshot *snapshot)
{
    struct prefix *never = arena_array(s->arena, snapshot->n_never_query, sizeof(*never));
    s->source = arena_array(s->arena, snapshot->n_source_addresses, sizeof(*s->source));
    if (!never || !s->source)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->n_never_query; i++)
        if (snapshot_prefix(snapshot->never_query[i], &never[i]))
            return 1;
    for (size_t i = 0; i < snapshot->n_source_addresses; i++)
        if (read_address(&snapshot->source_addresses[i], 0, &s->source[i]))
            return 1;
    s->source_count = snapshot->n_source_addresses;
    s->config.never_query = never;
    s->config.never_query_count = snapshot->n_never_query;
    return 0;
}

static enum rec_minimisation minimisation(Holdfast__Config__Minimisation from)
{
    switch (from) {
    case HOLDFAST__CONFIG__MINIMISATION__OFF:
        return REC_MINIMISE_OFF;
    case HOLDFAST__CONFIG__MINIMISATION__STRICT:
        return REC_MINIMISE_STRICT;
    default:
        return REC_MINIMISE_RELAXED;
    }
}

int settings_read(const Holdfast__Config__Snapshot *snapshot, struct settings *ret_settings)
{
    struct settings s = {.arena = arena_new(SETTINGS_MAX_BYTES)};
    if (!s.arena)
        return -ENOMEM;
    int r = read_hints(&s, snapshot);
    if (r == 0)
        r = read_zones(&s, snapshot);
    if (r == 0)
        r = read_prefixes_and_sources(&s, snapshot);
    if (r) {
        arena_free(s.arena);
        return r;
    }
    s.config.generation = snapshot->generation;
    s.config.priming = snapshot->priming;
    s.config.minimisation = minimisation(snapshot->qname_minimisation);
    s.config.case_randomisation = snapshot->case_randomisation;
    s.config.ipv4 = snapshot->ipv4;
    s.config.ipv6 = snapshot->ipv6;
    /* RFC 6891 6.2.3: at least 512; what a UDP reply can carry at most is 65535 */
    s.config.edns_size = (uint16_t)MIN(MAX(snapshot->edns_size, 512u), 65535u);
    s.config.server_timeout_ms = (uint32_t)MIN(MAX(snapshot->server_timeout_ms, 10u), 10000u);
    *ret_settings = s;
    return 0;
}

void settings_fini(struct settings *settings)
{
    arena_free(settings->arena);
    *settings = (struct settings){0};
}
