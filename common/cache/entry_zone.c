#include "common/cache/entry_codec.h"

#define ZONE_DELEGATION  0x01u
#define ZONE_DS_OPTOUT   0x02u
#define ZONE_DNSKEY      0x04u
#define ZONE_DS_HELD     0x08u
#define ZONE_LOOSE_SHIFT 4     /* two bits: enum loose_delegation */
#define ZONE_CHAIN       0x40u /* ds_chain_expires and ds_inception follow */
#define ZONE_FLAGS       0x7fu

static bool has_ds(enum ds_state state)
{
    return state == DS_SECURE || state == DS_UNSUPPORTED;
}

static wall_s latest(wall_s a, wall_s b)
{
    return a.s > b.s ? a : b;
}

static bool has_chain(const struct cache_zone *zone)
{
    return zone->ds_chain_expires.s || zone->ds_inception.s;
}

/* NS, then of the glue as much as there is room for. */
static void put_delegation(struct entry_out *out, const struct rrset *delegation,
                           const struct rrset_list *glue)
{
    struct rrset ns = *delegation;
    ns.count = (uint16_t)MIN(ns.count, CACHE_NS_MAX);
    entry_put_rrset(out, &ns);
    size_t count_at = out->size;
    uint8_t count = 0;
    entry_put_uint(out, 0, 1);
    for (uint32_t i = 0; i < glue->count && count < ENTRY_LIST_MAX && !out->failed; i++) {
        size_t before = out->size;
        entry_put_owned_rrset(out, &glue->items[i]);
        if (out->failed) {
            out->size = before;
            out->failed = false;
            break;
        }
        count++;
    }
    if (!out->failed)
        out->bytes[count_at] = count;
}

/* Beside the kept delegation there is room for a loose one, or there is not. */
static void put_loose(struct entry_out *out, size_t flags_at, const struct cache_zone *zone)
{
    size_t before = out->size;
    if (out->failed)
        return;
    entry_put_time(out, zone->loose_stored);
    entry_put_time(out, zone->loose_expires);
    put_delegation(out, &zone->loose_ns, &zone->loose_glue);
    if (!out->failed)
        return;
    out->size = before;
    out->failed = false;
    out->bytes[flags_at] &= (uint8_t) ~(3u << ZONE_LOOSE_SHIFT);
}

/* Keys and DS first, since they are what continuity lives on; then NS and glue. */
int cache_zone_encode(struct arena *arena, struct slice key, const struct cache_zone *zone,
                      struct slice *ret_value)
{
    struct entry_out out;
    wall_s expires = {0};
    if (zone->has_delegation)
        expires = latest(expires, zone->ns_expires);
    if (zone->ds_state != DS_UNKNOWN)
        expires = latest(expires, zone->ds_expires);
    if (zone->has_dnskey)
        expires = latest(expires, zone->dnskey_expires);
    if (zone->loose)
        expires = latest(expires, zone->loose_expires);
    entry_begin(&out, ENTRY_ZONE, expires);
    size_t flags_at = out.size;
    entry_put_uint(&out,
                   (zone->has_delegation ? ZONE_DELEGATION : 0) | (zone->ds_optout ? ZONE_DS_OPTOUT : 0) |
                       (zone->has_dnskey ? ZONE_DNSKEY : 0) | (zone->ds_held ? ZONE_DS_HELD : 0) |
                       (unsigned)zone->loose << ZONE_LOOSE_SHIFT | (has_chain(zone) ? ZONE_CHAIN : 0),
                   1);
    entry_put_uint(&out, zone->ds_state, 1);
    entry_put_time(&out, zone->ns_stored);
    entry_put_time(&out, zone->ns_expires);
    entry_put_time(&out, zone->ds_expires);
    entry_put_time(&out, zone->ds_signature_expires);
    entry_put_time(&out, zone->ds_validated);
    entry_put_time(&out, zone->dnskey_expires);
    entry_put_time(&out, zone->dnskey_signature_expires);
    entry_put_time(&out, zone->dnskey_validated);
    if (zone->has_dnskey)
        entry_put_rrset(&out, &zone->dnskey);
    if (has_ds(zone->ds_state))
        entry_put_rrset(&out, &zone->ds);
    entry_put_list(&out, &zone->ds_proof);
    if (has_chain(zone)) {
        entry_put_time(&out, zone->ds_chain_expires);
        entry_put_time(&out, zone->ds_inception);
    }
    if (zone->has_delegation)
        put_delegation(&out, &zone->ns, &zone->glue);
    if (zone->loose)
        put_loose(&out, flags_at, zone);
    return entry_seal(&out, arena, key, ret_value);
}

int cache_zone_decode(struct arena *arena, struct slice key, struct slice value, const uint8_t *name,
                      struct cache_zone *ret_zone)
{
    struct entry_in in;
    struct cache_zone zone = {0};
    if (entry_open(arena, key, value, ENTRY_ZONE, &in))
        return CACHE_MISS;
    unsigned flags = (unsigned)entry_get_uint(&in, 1), state = (unsigned)entry_get_uint(&in, 1);
    if (in.failed || (flags & ~ZONE_FLAGS) || state > DS_NOT_A_CUT)
        return CACHE_MISS;
    zone.has_delegation = flags & ZONE_DELEGATION;
    zone.ds_optout = flags & ZONE_DS_OPTOUT;
    zone.has_dnskey = flags & ZONE_DNSKEY;
    zone.ds_held = flags & ZONE_DS_HELD;
    unsigned loose = flags >> ZONE_LOOSE_SHIFT & 3u;
    if (loose > LOOSE_UNPROVEN)
        return CACHE_MISS;
    zone.loose = (enum loose_delegation)loose;
    zone.ds_state = (enum ds_state)state;
    zone.ns_stored = entry_get_time(&in);
    zone.ns_expires = entry_get_time(&in);
    zone.ds_expires = entry_get_time(&in);
    zone.ds_signature_expires = entry_get_time(&in);
    zone.ds_validated = entry_get_time(&in);
    zone.dnskey_expires = entry_get_time(&in);
    zone.dnskey_signature_expires = entry_get_time(&in);
    zone.dnskey_validated = entry_get_time(&in);
    if (zone.has_dnskey)
        entry_get_rrset(&in, name, &zone.dnskey);
    if (has_ds(zone.ds_state))
        entry_get_rrset(&in, name, &zone.ds);
    entry_get_list(&in, &zone.ds_proof);
    if (flags & ZONE_CHAIN) {
        zone.ds_chain_expires = entry_get_time(&in);
        zone.ds_inception = entry_get_time(&in);
    }
    if (zone.has_delegation) {
        entry_get_rrset(&in, name, &zone.ns);
        entry_get_list(&in, &zone.glue);
    }
    if (zone.loose) {
        zone.loose_stored = entry_get_time(&in);
        zone.loose_expires = entry_get_time(&in);
        entry_get_rrset(&in, name, &zone.loose_ns);
        entry_get_list(&in, &zone.loose_glue);
    }
    int r = entry_end(&in);
    if (r)
        return r;
    if ((zone.has_dnskey && zone.dnskey.type != TYPE_DNSKEY) ||
        (has_ds(zone.ds_state) && zone.ds.type != TYPE_DS) ||
        (zone.has_delegation && zone.ns.type != TYPE_NS) || (zone.loose && zone.loose_ns.type != TYPE_NS))
        return CACHE_MISS;
    *ret_zone = zone;
    return 0;
}
