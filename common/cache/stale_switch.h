#pragma once
/* May stale data (RFC 8767) of a name be given? The configuration says so as a whole and by zone
 * (stale.enabled, stale.disabled_zones), and the operator at run time (`holdfastctl serve-stale`). What the
 * operator said is one record of the cache's meta database: netd and validatord read the same one, no state
 * is kept in either, and it outlives a restart. Pure.
 *
 * The zone closest to the name decides; for one zone the operator's word goes before the configuration's. "."
 * is the switch as a whole. */

#include "common/base/arena.h"
#include "common/cache/view.h"
#include "common/wire/name.h"

#define STALE_SWITCH_MAX 64u /* zones an operator may switch: each is looked at for every stale answer */
#define STALE_SWITCH_KEY "serve-stale" /* in CACHE_META */

/* What the configuration says. Borrowed by whoever looks up. */
struct stale_rule {
    bool enabled;
    const uint8_t *const *disabled_zones;
    size_t disabled_zone_count;
};

struct stale_switch {
    unsigned count;
    struct {
        uint8_t zone[NAME_MAX];
        bool on;
    } zones[STALE_SWITCH_MAX];
};

/* Key of the record. */
struct slice stale_switch_key(void);
/* 0; 1: too many long names for one record; -ENOMEM. *ret_value in the arena. */
int stale_switch_encode(struct arena *arena, const struct stale_switch *set, struct slice *ret_value);
/* The record as it is in the cache; none, or a damaged one, is an empty set. */
void stale_switch_read(const struct cache_view *view, struct stale_switch *ret_set);
/* Puts a zone on or off. 0, or 1: STALE_SWITCH_MAX zones are switched already. */
int stale_switch_set(struct stale_switch *set, const uint8_t *zone, bool on);
/* Forgets what was said of a zone. 0, or 1: nothing was. */
int stale_switch_clear(struct stale_switch *set, const uint8_t *zone);

/* The answer to the question above, name in lower case. */
bool stale_switch_allows(const struct cache_view *view, const struct stale_rule *rule, const uint8_t *name);
