/* Bounded memory of recursord's own, used for nothing but finding servers: addresses of NS names, look-ups
 * that failed (RFC 9520), and delegations passed on the way. Nothing of it is ever an answer. What a parent
 * said lives at most as long as the parent's TTL, so a child cannot keep itself alive (THREATS: Ghost). */

#include <stdlib.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

#define ADDRESS_TTL_MIN_S 5u     /* TTL 0 is for this fetch; a few seconds spare its retries the look-up */
#define ADDRESS_TTL_MAX_S 3600u  /* an operator's flush does not reach this memory, so it is short */
#define REFERRAL_MS       10000u /* its TTLs are not counted down, so only for a moment */
#define FAILURE_FIRST_MS  5000u  /* RFC 9520 3.2: at least 1 s, backing off, at most 5 min */
#define FAILURE_MAX_MS    300000u

struct ns_name {
    struct table_node node;
    uint8_t name[NAME_MAX];
    struct ns_addresses family[2][2]; /* [][enum side] */
};

struct known_cut {
    struct table_node node;
    mono_ns until, learnt;
    struct cut cut;
    /* as it came, when validatord has not seen it; NULL: it has */
    uint8_t *wire;
    size_t wire_size;
    struct address server;
    enum rec_transport transport;
    uint8_t from[NAME_MAX], question[NAME_MAX];
};

static uint64_t hash_name(const struct rec_core *core, const uint8_t *name)
{
    return siphash24(&core->key, name, name_size(name));
}

static struct ns_name *find_name(struct rec_core *core, const uint8_t *name)
{
    uint64_t hash = hash_name(core, name);
    struct list *bucket = table_bucket(&core->ns_names, hash);
    LIST_FOREACH (pos, bucket) {
        struct ns_name *entry = CONTAINER_OF(table_node_of(pos), struct ns_name, node);
        if (entry->node.hash == hash && name_equal(entry->name, name))
            return entry;
    }
    return NULL;
}

static struct ns_name *get_name(struct rec_core *core, const uint8_t *name)
{
    struct ns_name *entry = find_name(core, name);
    if (entry) {
        table_touch(&core->ns_names, &entry->node);
        return entry;
    }
    if (table_full(&core->ns_names)) {
        entry = CONTAINER_OF(table_oldest(&core->ns_names), struct ns_name, node);
        table_remove(&core->ns_names, &entry->node);
        free(entry);
    }
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    name_copy(name, entry->name);
    table_insert(&core->ns_names, &entry->node, hash_name(core, name));
    return entry;
}

const struct ns_addresses *memory_side(struct rec_core *core, const uint8_t *name, unsigned family,
                                       enum side side, mono_ns now)
{
    struct ns_name *entry = find_name(core, name);
    if (!entry || mono_reached(now, entry->family[family][side].until))
        return NULL;
    const struct ns_addresses *known = &entry->family[family][side];
    return known->known || known->failed ? known : NULL;
}

const struct ns_addresses *memory_addresses(struct rec_core *core, const uint8_t *name, unsigned family,
                                            mono_ns now)
{
    /* RFC 2181 5.4.1: what the zone itself said goes before glue */
    const struct ns_addresses *own = memory_side(core, name, family, SIDE_OWN, now);
    if (own && own->count)
        return own;
    const struct ns_addresses *glue = memory_side(core, name, family, SIDE_PARENT, now);
    return glue && glue->count ? glue : own;
}

void memory_put(struct rec_core *core, const uint8_t *name, unsigned family, const struct address *addresses,
                size_t count, uint32_t ttl, mono_ns now, enum side side)
{
    struct ns_name *entry = get_name(core, name);
    if (!entry)
        return;
    struct ns_addresses *known = &entry->family[family][side];
    *known = (struct ns_addresses){.known = true, .count = (uint8_t)MIN(count, (size_t)REC_NS_ADDRESSES)};
    if (known->count)
        memcpy(known->addresses, addresses, known->count * sizeof(*addresses));
    known->until = mono_add_ms(now, 1000ULL * MIN(MAX(ttl, ADDRESS_TTL_MIN_S), ADDRESS_TTL_MAX_S));
}

void memory_put_failure(struct rec_core *core, const uint8_t *name, unsigned family, mono_ns now,
                        enum side side)
{
    struct ns_name *entry = get_name(core, name);
    if (!entry)
        return;
    struct ns_addresses *known = &entry->family[family][side];
    if (known->count && !mono_reached(now, known->until))
        return;
    uint8_t failures = known->failed ? known->failures : 0;
    uint64_t pause = MIN((uint64_t)FAILURE_FIRST_MS << MIN(failures, 6), (uint64_t)FAILURE_MAX_MS);
    *known = (struct ns_addresses){
        .failed = true, .failures = (uint8_t)MIN(failures + 1, 100), .until = mono_add_ms(now, pause)};
}

static struct known_cut *find_cut(struct rec_core *core, const uint8_t *zone)
{
    uint64_t hash = hash_name(core, zone);
    struct list *bucket = table_bucket(&core->cuts, hash);
    LIST_FOREACH (pos, bucket) {
        struct known_cut *entry = CONTAINER_OF(table_node_of(pos), struct known_cut, node);
        if (entry->node.hash == hash && name_equal(entry->cut.zone, zone))
            return entry;
    }
    return NULL;
}

static void cut_free(struct known_cut *entry)
{
    free(entry->wire);
    free(entry);
}

static struct known_cut *get_cut(struct rec_core *core, const uint8_t *zone)
{
    struct known_cut *entry = find_cut(core, zone);
    if (entry) {
        table_touch(&core->cuts, &entry->node);
        return entry;
    }
    if (table_full(&core->cuts)) {
        entry = CONTAINER_OF(table_oldest(&core->cuts), struct known_cut, node);
        table_remove(&core->cuts, &entry->node);
        cut_free(entry);
    }
    entry = calloc(1, sizeof(*entry));
    if (entry)
        table_insert(&core->cuts, &entry->node, hash_name(core, zone));
    return entry;
}

static void keep_referral(struct known_cut *entry, const struct referral *referral)
{
    free(entry->wire);
    entry->wire = referral ? malloc(referral->wire.size) : NULL;
    if (!entry->wire)
        return;
    memcpy(entry->wire, referral->wire.data, referral->wire.size);
    entry->wire_size = referral->wire.size;
    entry->server = referral->server;
    entry->transport = referral->transport;
    name_copy(referral->from, entry->from);
    name_copy(referral->question, entry->question);
}

void memory_put_cut(struct rec_core *core, const struct cut *cut, const struct referral *referral,
                    mono_ns now)
{
    struct known_cut *entry = get_cut(core, cut->zone);
    if (!entry)
        return;
    keep_referral(entry, referral);
    entry->cut = *cut;
    entry->cut.up = NULL;
    entry->learnt = now;
    entry->until = mono_add_ms(now, 1000ULL * MIN(cut->ttl, ADDRESS_TTL_MAX_S));
}

const struct cut *memory_referral(struct rec_core *core, const uint8_t *from, const uint8_t *name,
                                  mono_ns now, struct referral *ret_referral)
{
    unsigned labels = name_labels(name);
    for (unsigned at = name_labels(from) + 1; at <= labels; at++) {
        struct known_cut *entry = find_cut(core, name_suffix(name, at));
        if (!entry || !entry->wire || mono_reached(now, entry->until) ||
            mono_reached(now, mono_add_ms(entry->learnt, REFERRAL_MS)) || !name_equal(entry->from, from) ||
            !name_is_under(name, entry->question))
            continue;
        *ret_referral = (struct referral){.wire = slice_make(entry->wire, entry->wire_size),
                                          .server = entry->server,
                                          .transport = entry->transport,
                                          .from = entry->from,
                                          .question = entry->question};
        return &entry->cut;
    }
    return NULL;
}

const struct cut *memory_cut(struct rec_core *core, const uint8_t *name, mono_ns now)
{
    for (;; name = name_parent(name)) {
        struct known_cut *entry = find_cut(core, name);
        if (entry && entry->cut.server_count && !mono_reached(now, entry->until)) {
            table_touch(&core->cuts, &entry->node);
            return &entry->cut;
        }
        if (name_is_root(name))
            return NULL;
    }
}

void memory_free(struct rec_core *core)
{
    struct table_node *node;
    while ((node = table_oldest(&core->ns_names))) {
        table_remove(&core->ns_names, node);
        free(CONTAINER_OF(node, struct ns_name, node));
    }
    while ((node = table_oldest(&core->cuts))) {
        table_remove(&core->cuts, node);
        cut_free(CONTAINER_OF(node, struct known_cut, node));
    }
}
