#include "common/cache/stale_switch.h"

#include <string.h>

#include "common/cache/entry.h"

/* Of the record: octets of one zone's state before its name. */
#define STATE_SIZE 1u

struct slice stale_switch_key(void)
{
    return slice_make((const uint8_t *)STALE_SWITCH_KEY, sizeof(STALE_SWITCH_KEY) - 1);
}

int stale_switch_encode(struct arena *arena, const struct stale_switch *set, struct slice *ret_value)
{
    uint8_t bytes[STALE_SWITCH_MAX * (STATE_SIZE + NAME_MAX)];
    size_t size = 0;

    for (unsigned i = 0; i < set->count; i++) {
        bytes[size++] = set->zones[i].on;
        size += name_copy(set->zones[i].zone, bytes + size);
    }
    return cache_blob_encode(arena, stale_switch_key(), slice_make(bytes, size), ret_value);
}

void stale_switch_read(const struct cache_view *view, struct stale_switch *ret_set)
{
    struct slice value, blob;
    size_t at = 0;

    ret_set->count = 0;
    if (view->get(view->ctx, CACHE_META, stale_switch_key(), &value) != 0 ||
        cache_blob_decode(stale_switch_key(), value, &blob) != 0)
        return;
    while (at + STATE_SIZE < blob.size && ret_set->count < STALE_SWITCH_MAX) {
        bool on = blob.data[at] != 0;
        at += STATE_SIZE;
        /* A name says itself where it ends; name_from_bytes() wants to know before. */
        size_t end = at;
        while (end < blob.size && blob.data[end] != 0)
            end += 1u + blob.data[end];
        if (end >= blob.size ||
            name_from_bytes(blob.data + at, end + 1 - at, ret_set->zones[ret_set->count].zone) != 0)
            return;
        ret_set->zones[ret_set->count++].on = on;
        at = end + 1;
    }
}

static unsigned find(const struct stale_switch *set, const uint8_t *zone)
{
    unsigned i = 0;

    while (i < set->count && !name_equal(set->zones[i].zone, zone))
        i++;
    return i;
}

int stale_switch_set(struct stale_switch *set, const uint8_t *zone, bool on)
{
    unsigned at = find(set, zone);

    if (at == STALE_SWITCH_MAX)
        return 1;
    if (at == set->count) {
        name_copy(zone, set->zones[at].zone);
        set->count++;
    }
    set->zones[at].on = on;
    return 0;
}

int stale_switch_clear(struct stale_switch *set, const uint8_t *zone)
{
    unsigned at = find(set, zone);

    if (at == set->count)
        return 1;
    set->zones[at] = set->zones[--set->count];
    return 0;
}

bool stale_switch_allows(const struct cache_view *view, const struct stale_rule *rule, const uint8_t *name)
{
    struct stale_switch set;
    bool allowed = rule->enabled;
    unsigned closest = 0; /* labels of the deciding zone and one more; 0: the configuration as a whole */

    for (size_t i = 0; i < rule->disabled_zone_count; i++) {
        unsigned rank = name_labels(rule->disabled_zones[i]) + 1;
        if (rank > closest && name_is_under(name, rule->disabled_zones[i])) {
            closest = rank;
            allowed = false;
        }
    }
    stale_switch_read(view, &set);
    for (unsigned i = 0; i < set.count; i++) {
        unsigned rank = name_labels(set.zones[i].zone) + 1;
        if (rank >= closest && name_is_under(name, set.zones[i].zone)) {
            closest = rank;
            allowed = set.zones[i].on;
        }
    }
    return allowed;
}
