#include "common/wire/message.h"

#include <errno.h>
#include <string.h>

#include "common/base/siphash.h"
#include "common/base/sort.h"
#include "common/wire/rdata.h"
#include "common/wire/rdata_shape.h"

/* So few records are compared pair by pair, which is cheaper than hashing and sorting them. */
#define FEW_RECORDS 8u

/* One RR on its way into a set. `set_hash` tells the set, `rr_hash` the record: sorting by them brings equal
 * ones together in n log n steps whatever a hostile message holds. The key is fixed, so that the outcome
 * depends on the message alone: the hash only sorts, equality is always decided by the bytes, and a run of
 * equal hashes of unequal things would need 64 bit collisions by the thousand. */
struct item {
    uint64_t set_hash, rr_hash;
    const struct rr *rr;
    const uint8_t *canonical; /* RDATA, names in lower case where their case does not count */
    uint32_t position;
    uint32_t set;     /* number of the set it belongs to */
    uint16_t covered; /* type of the set: an RRSIG's is the type it covers */
    bool duplicate;
};

static const struct siphash_key sort_key = {0x686f6c6466617374u, 0x7272736574736574u};

static bool same_set(const struct item *a, const struct item *b)
{
    return a->covered == b->covered && a->rr->class == b->rr->class &&
           (a->rr->owner == b->rr->owner || name_equal(a->rr->owner, b->rr->owner));
}

static bool same_rr(const struct item *a, const struct item *b)
{
    return a->set == b->set && a->rr->type == b->rr->type && a->rr->rdata.size == b->rr->rdata.size &&
           memcmp(a->canonical, b->canonical, a->rr->rdata.size) == 0;
}

static int by_set_hash(const void *a, const void *b, void *ctx)
{
    const struct item *x = a, *y = b;
    if (x->set_hash != y->set_hash)
        return x->set_hash < y->set_hash ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static int by_rr_hash(const void *a, const void *b, void *ctx)
{
    const struct item *x = a, *y = b;
    if (x->rr_hash != y->rr_hash)
        return x->rr_hash < y->rr_hash ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static int by_position(const void *a, const void *b, void *ctx)
{
    const struct item *x = a, *y = b;
    return x->position < y->position ? -1 : x->position > y->position;
}

static int make_item(struct arena *arena, const struct rr *rr, uint32_t position, struct item *ret_item)
{
    struct item item = {.rr = rr, .position = position, .covered = rr->type, .canonical = rr->rdata.data};
    if (rr->type == TYPE_RRSIG) /* its shape was checked by message_parse() */
        item.covered = (uint16_t)(rr->rdata.data[0] << 8 | rr->rdata.data[1]);
    const struct rdata_shape *shape = rdata_shape_find(rr->type);
    if (shape && shape->flags & SHAPE_LOWER) {
        uint8_t *canonical = arena_alloc(arena, rr->rdata.size);
        if (!canonical)
            return -ENOMEM;
        rdata_canonicalize(rr->type, &rr->rdata, canonical);
        item.canonical = canonical;
    }
    *ret_item = item;
    return 0;
}

static void hash_item(struct item *item)
{
    const struct rr *rr = item->rr;
    uint8_t key[NAME_MAX + 4];
    size_t size = name_copy(rr->owner, key);
    key[size] = (uint8_t)(item->covered >> 8);
    key[size + 1] = (uint8_t)item->covered;
    key[size + 2] = (uint8_t)(rr->class >> 8);
    key[size + 3] = (uint8_t)rr->class;
    item->set_hash = siphash24(&sort_key, key, size + 4);
    item->rr_hash = item->set_hash ^ siphash24(&sort_key, item->canonical, rr->rdata.size) ^ rr->type;
}

/* The number of each item's set: the position of its first member. The items are sorted by set_hash, or few
 * and without hashes: then all are one run. */
static void number_sets(struct item *items, uint32_t count)
{
    for (uint32_t i = 0, run = 0; i < count; i++) {
        if (items[i].set_hash != items[run].set_hash)
            run = i;
        items[i].set = items[i].position;
        for (uint32_t j = run; j < i; j++) {
            if (same_set(&items[j], &items[i])) {
                items[i].set = items[j].set;
                break;
            }
        }
    }
}

/* Of equal records the first stays. The items are sorted by rr_hash, or few. */
static void mark_duplicates(struct item *items, uint32_t count)
{
    for (uint32_t i = 0, run = 0; i < count; i++) {
        if (items[i].rr_hash != items[run].rr_hash)
            run = i;
        for (uint32_t j = run; j < i && !items[i].duplicate; j++)
            items[i].duplicate = !items[j].duplicate && same_rr(&items[j], &items[i]);
    }
}

/* Sets numbered and duplicates marked; the items are, and stay, in the order of the message. */
static void sort_out(struct item *items, uint32_t count)
{
    if (count > FEW_RECORDS) {
        for (uint32_t i = 0; i < count; i++)
            hash_item(&items[i]);
        sort_array(items, count, sizeof(*items), by_set_hash, NULL);
    }
    number_sets(items, count);
    if (count > FEW_RECORDS)
        sort_array(items, count, sizeof(*items), by_rr_hash, NULL);
    mark_duplicates(items, count);
    if (count > FEW_RECORDS)
        sort_array(items, count, sizeof(*items), by_position, NULL);
}

static void add_to_set(struct rrset *set, const struct rr *rr)
{
    if (rr->type == TYPE_RRSIG) {
        set->sig_ttl = set->sig_count ? MIN(set->sig_ttl, rr->ttl) : rr->ttl;
        set->sig[set->sig_count++] = rr->rdata;
    } else {
        set->ttl = set->count ? MIN(set->ttl, rr->ttl) : rr->ttl;
        set->rdata[set->count++] = rr->rdata;
    }
}

/* Array room for each set: how many records and signatures it gets, counted before they are handed out. */
static int allocate_sets(struct arena *arena, const struct item *items, uint32_t count,
                         struct rrset_list *list, uint32_t *set_index)
{
    uint16_t *rooms = arena_array(arena, list->room, 2 * sizeof(*rooms));
    if (!rooms)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        const struct item *item = &items[i];
        if (item->set == item->position) {
            struct rrset set = {.owner = item->rr->owner, .type = item->covered, .class = item->rr->class};
            set_index[i] = list->count;
            list->items[list->count++] = set;
        }
        if (!item->duplicate)
            rooms[2 * set_index[item->set] + (item->rr->type == TYPE_RRSIG)]++;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        list->items[i].rdata = arena_array(arena, rooms[2 * i], sizeof(struct rdata));
        list->items[i].sig = arena_array(arena, rooms[2 * i + 1], sizeof(struct rdata));
        if (!list->items[i].rdata || !list->items[i].sig)
            return -ENOMEM;
    }
    return 0;
}

int message_rrsets(struct arena *arena, const struct message *message, enum section section, uint32_t limit,
                   struct rrset_list *ret_list)
{
    uint32_t count = message->count[section], sets = 0;
    struct rrset_list list = {0};
    if (!count) {
        *ret_list = list;
        return 0;
    }
    struct item *items = arena_array(arena, count, sizeof(*items));
    uint32_t *set_index = arena_array(arena, count, sizeof(*set_index));
    if (!items || !set_index)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        int r = make_item(arena, &message->rr[section][i], i, &items[i]);
        if (r < 0)
            return r;
    }
    sort_out(items, count);
    for (uint32_t i = 0; i < count; i++)
        sets += items[i].set == items[i].position;
    if (sets > limit)
        return 1;
    list.room = sets;
    list.items = arena_array(arena, sets, sizeof(*list.items));
    if (!list.items)
        return -ENOMEM;
    int r = allocate_sets(arena, items, count, &list, set_index);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < count; i++)
        if (!items[i].duplicate)
            add_to_set(&list.items[set_index[items[i].set]], items[i].rr);
    *ret_list = list;
    return 0;
}
