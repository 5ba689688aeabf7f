#include "daemons/validatord/core/anchor_state.h"

#include <errno.h>
#include <string.h>

void anchor_note(struct anchor_events *events, enum anchor_event_kind kind, const struct anchor_key *key)
{
    if (events->count == ANCHOR_EVENTS_MAX)
        return;
    struct anchor_event *event = &events->list[events->count++];
    *event = (struct anchor_event){.kind = kind};
    if (!key)
        return;
    event->tag = key->tag;
    event->algorithm = key->algorithm;
    event->until.s = key->since.s + key->hold_down_s;
}

int anchor_set_from_rrset(struct arena *arena, const struct rrset *rrset, struct anchor_set *ret_set)
{
    ret_set->count = 0;
    for (unsigned i = 0; i < rrset->count && ret_set->count < SIGNATURE_MAX_KEYS; i++) {
        struct anchor_seen seen = {.as = &rrset->rdata[i]};
        struct rdata rdata = rrset->rdata[i];
        if (dnskey_parse(&rdata, &seen.key))
            continue;
        if (seen.key.flags & DNSKEY_FLAG_REVOKE) {
            uint8_t *bytes = arena_copy(arena, rdata.data, rdata.size);
            if (!bytes)
                return -ENOMEM;
            bytes[1] &= (uint8_t)~DNSKEY_FLAG_REVOKE;
            rdata.data = bytes;
            seen.revoked = true;
            (void)dnskey_parse(&rdata, &seen.key);
        }
        ret_set->seen[ret_set->count++] = seen;
    }
    return 0;
}

bool anchor_is(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_key *key,
               const struct dnskey *seen)
{
    struct ds ds = {.tag = key->tag,
                    .algorithm = key->algorithm,
                    .digest_type = key->digest_type,
                    .digest = slice_make(key->digest, key->digest_size)};
    return key->state != ANCHOR_START && ds_matches_key(rules->crypto, zone, &ds, seen) == 0;
}

static int key_from_dnskey(const struct anchor_rules *rules, const uint8_t *zone, const struct dnskey *dnskey,
                           struct anchor_key *ret_key)
{
    const struct slice parts[2] = {slice_make(zone, name_size(zone)),
                                   slice_make(dnskey->rdata.data, dnskey->rdata.size)};
    struct anchor_key key = {
        .tag = dnskey->tag, .algorithm = dnskey->algorithm, .digest_type = DIGEST_SHA256};
    size_t size;
    if (!dnskey_is_zone_key(dnskey) || !dnskey_usable(&rules->algorithms, dnskey) ||
        rules->crypto->digest(rules->crypto->ctx, DIGEST_SHA256, parts, 2, key.digest, &size) != 0)
        return 1;
    key.digest_size = (uint8_t)size;
    *ret_key = key;
    return 0;
}

int anchor_key_from_rdata(const struct anchor_rules *rules, const uint8_t *zone, uint16_t type,
                          const struct rdata *rdata, struct anchor_key *ret_key)
{
    struct dnskey dnskey;
    struct ds ds;
    if (type == TYPE_DNSKEY)
        return dnskey_parse(rdata, &dnskey) ? 1 : key_from_dnskey(rules, zone, &dnskey, ret_key);
    if (type != TYPE_DS || ds_parse(rdata, &ds) || ds.digest.size == 0 ||
        ds.digest.size > CACHE_ANCHOR_DIGEST || !algorithm_supported(&rules->algorithms, ds.algorithm) ||
        !digest_supported(&rules->algorithms, ds.digest_type))
        return 1;
    struct anchor_key key = {.tag = ds.tag,
                             .algorithm = ds.algorithm,
                             .digest_type = ds.digest_type,
                             .digest_size = (uint8_t)ds.digest.size};
    memcpy(key.digest, ds.digest.data, ds.digest.size);
    *ret_key = key;
    return 0;
}

int anchor_find(const struct cache_anchor *anchor, const struct anchor_key *key)
{
    for (int i = 0; i < (int)CACHE_ANCHOR_KEYS; i++) {
        const struct anchor_key *k = &anchor->keys[i];
        if (k->state != ANCHOR_START && k->algorithm == key->algorithm &&
            k->digest_type == key->digest_type && k->digest_size == key->digest_size &&
            memcmp(k->digest, key->digest, key->digest_size) == 0)
            return i;
    }
    return -1;
}

int anchor_room(struct cache_anchor *anchor)
{
    int oldest = -1;
    for (int i = 0; i < (int)CACHE_ANCHOR_KEYS; i++) {
        const struct anchor_key *k = &anchor->keys[i];
        if (k->state == ANCHOR_START)
            return i;
        /* One that is configured would be in force again if it were forgotten. */
        if (k->state == ANCHOR_REMOVED && !(k->sources & ~(unsigned)ANCHOR_LEARNED) &&
            (oldest < 0 || k->since.s < anchor->keys[oldest].since.s))
            oldest = i;
    }
    if (oldest >= 0)
        anchor->keys[oldest] = (struct anchor_key){0};
    return oldest;
}

/* Does somebody stand for this trust point? Keys that came by RFC 5011 only follow from such a one. */
static bool is_founded(const struct cache_anchor *anchor)
{
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        if (anchor->keys[i].sources & ~(unsigned)ANCHOR_LEARNED)
            return true;
    return false;
}

bool anchor_in_force(const struct anchor_rules *rules, const struct cache_anchor *anchor, unsigned number)
{
    const struct anchor_key *k = &anchor->keys[number];
    if (k->state != ANCHOR_VALID && k->state != ANCHOR_MISSING)
        return false;
    return (k->sources & ~(unsigned)ANCHOR_LEARNED) || (rules->updates && is_founded(anchor));
}

unsigned anchor_count_in_force(const struct anchor_rules *rules, const struct cache_anchor *anchor)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        count += anchor_in_force(rules, anchor, i);
    return count;
}

static void forget(struct anchor_key *k, struct anchor_events *events, enum anchor_event_kind kind)
{
    anchor_note(events, kind, k);
    *k = (struct anchor_key){0};
}

/* RFC 5011 2.2: a pending key goes with the last of those that vouched for it. */
static void lose_witness(struct cache_anchor *anchor, unsigned number, struct anchor_events *events)
{
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        struct anchor_key *k = &anchor->keys[i];
        k->witnesses &= ~(UINT32_C(1) << number);
        if (k->state == ANCHOR_ADDPEND && k->witnesses == 0)
            forget(k, events, ANCHOR_EVENT_PENDING_UNWITNESSED);
    }
}

static void revoke(struct cache_anchor *anchor, unsigned number, wall_s now, struct anchor_events *events)
{
    struct anchor_key *k = &anchor->keys[number];
    k->state = ANCHOR_REVOKED;
    k->since = now;
    k->hold_down_s = ANCHOR_HOLD_DOWN_S;
    k->witnesses = 0;
    anchor_note(events, ANCHOR_EVENT_REVOKED, k);
    lose_witness(anchor, number, events);
}

static void take_revocations(const struct anchor_rules *rules, const uint8_t *zone,
                             const struct anchor_set *set, wall_s now, struct cache_anchor *anchor,
                             struct anchor_events *events)
{
    for (unsigned s = 0; s < set->count; s++) {
        const struct anchor_seen *seen = &set->seen[s];
        if (!seen->revoked || !seen->self_signed)
            continue;
        for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
            enum anchor_state state = anchor->keys[i].state;
            if ((state == ANCHOR_VALID || state == ANCHOR_MISSING || state == ANCHOR_ADDPEND) &&
                anchor_is(rules, zone, &anchor->keys[i], &seen->key))
                revoke(anchor, i, now, events);
        }
    }
}

static void see_pending(struct anchor_key *k, bool present, wall_s now, struct anchor_events *events)
{
    if (!present) {
        forget(k, events, ANCHOR_EVENT_PENDING_GONE);
        return;
    }
    if (now.s - k->since.s < k->hold_down_s)
        return;
    k->state = ANCHOR_VALID;
    k->since = now;
    k->hold_down_s = k->witnesses = 0;
    anchor_note(events, ANCHOR_EVENT_VALID, k);
}

static void see_key(struct anchor_key *k, bool present, bool present_revoked, wall_s now,
                    struct anchor_events *events)
{
    switch (k->state) {
    case ANCHOR_ADDPEND:
        see_pending(k, present, now, events);
        break;
    case ANCHOR_VALID:
    case ANCHOR_MISSING:
        if (present == (k->state == ANCHOR_VALID))
            break;
        k->state = present ? ANCHOR_VALID : ANCHOR_MISSING;
        k->since = now;
        anchor_note(events, present ? ANCHOR_EVENT_PRESENT : ANCHOR_EVENT_MISSING, k);
        break;
    case ANCHOR_REVOKED:
        if (present || present_revoked)
            k->since = now;
        if (now.s - k->since.s < k->hold_down_s)
            break;
        k->state = ANCHOR_REMOVED;
        k->since = now;
        k->hold_down_s = 0;
        anchor_note(events, ANCHOR_EVENT_REMOVED, k);
        break;
    case ANCHOR_START:
    case ANCHOR_REMOVED:
        break;
    }
}

/* Known keys in the order of the record, each with whether the set has it. */
static void see_known(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_set *set,
                      wall_s now, struct cache_anchor *anchor, struct anchor_events *events)
{
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        bool present = false, present_revoked = false;
        if (anchor->keys[i].state == ANCHOR_START)
            continue;
        for (unsigned s = 0; s < set->count; s++)
            if (anchor_is(rules, zone, &anchor->keys[i], &set->seen[s].key)) {
                present = present || !set->seen[s].revoked;
                present_revoked = present_revoked || set->seen[s].revoked;
            }
        see_key(&anchor->keys[i], present, present_revoked, now, events);
    }
}

static unsigned count_pending(const struct cache_anchor *anchor)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        count += anchor->keys[i].state == ANCHOR_ADDPEND;
    return count;
}

static void see_new(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_set *set,
                    uint32_t witnesses, wall_s now, struct cache_anchor *anchor, struct anchor_events *events)
{
    bool full = false;
    for (unsigned s = 0; s < set->count; s++) {
        const struct anchor_seen *seen = &set->seen[s];
        struct anchor_key key;
        bool known = false;
        if (seen->revoked || !(seen->key.flags & DNSKEY_FLAG_SEP) ||
            key_from_dnskey(rules, zone, &seen->key, &key))
            continue;
        for (unsigned i = 0; i < CACHE_ANCHOR_KEYS && !known; i++)
            known = anchor_is(rules, zone, &anchor->keys[i], &seen->key);
        if (known)
            continue;
        int at = count_pending(anchor) < ANCHOR_PENDING_MAX ? anchor_room(anchor) : -1;
        if (at < 0) {
            if (!full)
                anchor_note(events, ANCHOR_EVENT_FULL, &key);
            full = true;
            continue;
        }
        key.state = ANCHOR_ADDPEND;
        key.sources = ANCHOR_LEARNED;
        key.since = now;
        key.hold_down_s = MAX(ANCHOR_HOLD_DOWN_S, set->ttl_s);
        key.witnesses = witnesses;
        anchor->keys[at] = key;
        anchor_note(events, ANCHOR_EVENT_PENDING, &key);
    }
}

static void set_times(const struct anchor_set *set, wall_s now, struct cache_anchor *anchor)
{
    anchor->refreshed = now;
    anchor->attempted.s = 0;
    anchor->interval_s =
        MAX(ANCHOR_WAIT_MIN_S, MIN(ANCHOR_INTERVAL_MAX_S, MIN(set->ttl_s / 2, set->life_s / 2)));
    anchor->retry_s = MAX(ANCHOR_WAIT_MIN_S, MIN(ANCHOR_RETRY_MAX_S, MIN(set->ttl_s / 10, set->life_s / 10)));
}

static uint32_t in_force(const struct anchor_rules *rules, const struct cache_anchor *anchor)
{
    uint32_t numbers = 0;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        numbers |= (uint32_t)anchor_in_force(rules, anchor, i) << i;
    return numbers;
}

bool anchor_observe(const struct anchor_rules *rules, const uint8_t *zone, const struct anchor_set *set,
                    uint32_t witnesses, wall_s now, struct cache_anchor *anchor, struct anchor_events *events)
{
    uint32_t before = in_force(rules, anchor);

    take_revocations(rules, zone, set, now, anchor, events);
    witnesses &= in_force(rules, anchor);
    if (witnesses) {
        see_known(rules, zone, set, now, anchor, events);
        see_new(rules, zone, set, witnesses, now, anchor, events);
        set_times(set, now, anchor);
    }
    uint32_t after = in_force(rules, anchor);
    if (before && !after)
        anchor_note(events, ANCHOR_EVENT_DELETED, NULL);
    return before != after;
}

int64_t anchor_refresh_left_s(const struct cache_anchor *anchor, wall_s now)
{
    wall_s at = anchor->attempted.s ? anchor->attempted : anchor->refreshed;
    uint32_t wait = anchor->attempted.s ? anchor->retry_s : anchor->interval_s;

    if (at.s == 0 || at.s > now.s)
        return 0;
    return MAX(at.s + MAX(wait, ANCHOR_WAIT_MIN_S) - now.s, 0);
}
