#include "daemons/netd/l1.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>

#include "common/base/list.h"
#include "daemons/netd/tsan_rcu.h"

#define L1_BUCKETS     4096u /* at the start; the table grows by itself */
#define L1_MAX_BUCKETS 4194304u
#define L1_ENTRY_MAX   8192u /* bytes of a reply kept: CACHE_ENTRY_MAX's sibling */
#define L1_KEY_MAX     (NAME_MAX + 3u)
#define L1_MALLOC_COST 16u
#define L1_MAX_SPARED  128u /* entries the hand passes over in one fill, so that a fill has an end */

struct entry {
    struct cds_lfht_node node;
    struct rcu_head rcu;
    struct list clock;
    struct l1_tag tag;
    uint64_t popularity;
    int64_t stored_s, expires_s, refresh_s; /* refresh_s: from when a hit asks for a refresh */
    uint32_t bytes;
    atomic_bool hit; /* CLOCK's bit */
    atomic_bool refresh_claimed;
    uint16_t key_size;
    struct netd_index index;
    uint8_t data[]; /* key, then the reply */
};

struct l1 {
    struct cds_lfht *table;
    struct siphash_key secret;
    size_t cap_bytes;
    pthread_mutex_t fill; /* everything below, and every change of the table */
    struct list clock;    /* all entries; the hand is at its head */
    struct l1_stats stats;
};

struct key {
    size_t size;
    uint8_t bytes[L1_KEY_MAX];
};

static void key_make(const struct netd_question *question, struct key *ret_key)
{
    size_t size = name_size(question->qname);
    ret_key->bytes[0] = (uint8_t)(question->qtype >> 8);
    ret_key->bytes[1] = (uint8_t)question->qtype;
    ret_key->bytes[2] =
        (uint8_t)((question->want_do ? 1 : 0) | (question->edns ? 2 : 0) |
                  ((question->flags & FLAG_CD) != 0 ? 4 : 0) | ((question->flags & FLAG_AD) != 0 ? 8 : 0) |
                  ((question->flags & FLAG_RD) != 0 ? 16 : 0));
    memcpy(ret_key->bytes + 3, question->qname, size);
    ret_key->size = size + 3;
}

static int match(struct cds_lfht_node *node, const void *key)
{
    const struct entry *entry = caa_container_of(node, struct entry, node);
    const struct key *wanted = key;
    RCU_ACQUIRE(entry);
    bool same = entry->key_size == wanted->size && memcmp(entry->data, wanted->bytes, wanted->size) == 0;
    RCU_RELEASE(entry);
    return same;
}

static struct entry *find(struct l1 *l1, const struct key *key, unsigned long hash)
{
    struct cds_lfht_iter iter;
    cds_lfht_lookup(l1->table, hash, match, key, &iter);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct entry, node) : NULL;
}

struct l1 *l1_new(size_t cap_bytes, struct siphash_key key)
{
    struct l1 *l1 = calloc(1, sizeof(*l1));
    if (!l1)
        return NULL;
    l1->table = cds_lfht_new_flavor(L1_BUCKETS, L1_BUCKETS, L1_MAX_BUCKETS,
                                    CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_memb_flavor, NULL);
    if (!l1->table) {
        free(l1);
        return NULL;
    }
    l1->secret = key;
    l1->cap_bytes = cap_bytes;
    list_init(&l1->clock);
    pthread_mutex_init(&l1->fill, NULL);
    return l1;
}

static void entry_free(struct rcu_head *head)
{
    struct entry *entry = caa_container_of(head, struct entry, rcu);
    RCU_ACQUIRE(entry);
    free(entry);
}

/* Under fill, in a read section. */
static void entry_drop(struct l1 *l1, struct entry *entry)
{
    cds_lfht_del(l1->table, &entry->node);
    list_remove(&entry->clock);
    l1->stats.bytes -= entry->bytes;
    l1->stats.entries--;
    RCU_RELEASE(entry);
    urcu_memb_call_rcu(&entry->rcu, entry_free);
}

void l1_free(struct l1 *l1)
{
    if (!l1)
        return;
    urcu_memb_read_lock();
    LIST_FOREACH_SAFE(at, &l1->clock)
    entry_drop(l1, CONTAINER_OF(at, struct entry, clock));
    urcu_memb_read_unlock();
    urcu_memb_barrier(); /* every call_rcu above has run */
    cds_lfht_destroy(l1->table, NULL);
    pthread_mutex_destroy(&l1->fill);
    free(l1);
}

static bool entry_hit(struct entry *entry, const struct netd_question *question, uint64_t epoch, wall_s now,
                      uint32_t turn, uint8_t *reply, size_t room, size_t *ret_size, struct l1_hit *ret_hit)
{
    if (entry->tag.epoch != epoch)
        return false;
    /* An entry from the future (the clock was set back) is no hit: its age cannot be told. */
    int64_t age = now.s - entry->stored_s;
    if (age < 0 || now.s >= entry->expires_s)
        return false;
    if (netd_core_patch(question, entry->data + entry->key_size, &entry->index, (uint32_t)age, turn, reply,
                        room, ret_size) != 0)
        return false;
    if (!atomic_load_explicit(&entry->hit, memory_order_relaxed))
        atomic_store_explicit(&entry->hit, true, memory_order_relaxed);
    ret_hit->popularity = entry->popularity;
    ret_hit->told = entry->tag.told;
    ret_hit->refresh = now.s >= entry->refresh_s && !atomic_exchange(&entry->refresh_claimed, true);
    return true;
}

bool l1_get(struct l1 *l1, const struct netd_question *question, uint64_t epoch, wall_s now, uint32_t turn,
            uint8_t *reply, size_t room, size_t *ret_size, struct l1_hit *ret_hit)
{
    struct key key;
    key_make(question, &key);
    struct entry *entry = find(l1, &key, (unsigned long)siphash24(&l1->secret, key.bytes, key.size));
    if (!entry)
        return false;
    bool hit = entry_hit(entry, question, epoch, now, turn, reply, room, ret_size, ret_hit);
    RCU_RELEASE(entry);
    return hit;
}

/* Frees room for `bytes`. The hand passes over what was hit since it last came by. Under fill, in a read
 * section. */
static void make_room(struct l1 *l1, size_t bytes, uint64_t epoch, wall_s now)
{
    unsigned spared = 0;
    while (l1->stats.bytes + bytes > l1->cap_bytes && !list_empty(&l1->clock)) {
        struct entry *entry = CONTAINER_OF(l1->clock.next, struct entry, clock);
        bool live = entry->tag.epoch == epoch && now.s < entry->expires_s;
        if (live && spared++ < L1_MAX_SPARED &&
            atomic_exchange_explicit(&entry->hit, false, memory_order_relaxed)) {
            list_remove(&entry->clock);
            list_append(&l1->clock, &entry->clock);
            continue;
        }
        entry_drop(l1, entry);
        l1->stats.evicted++;
    }
}

static bool newer(struct l1_tag a, struct l1_tag b)
{
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.sequence > b.sequence;
}

static struct entry *entry_new(const struct key *key, const struct netd_index *index, const uint8_t *reply)
{
    size_t bytes = sizeof(struct entry) + key->size + index->size;
    struct entry *entry = calloc(1, bytes);
    if (!entry)
        return NULL;
    cds_lfht_node_init(&entry->node);
    list_init(&entry->clock);
    entry->bytes = (uint32_t)(bytes + L1_MALLOC_COST);
    entry->key_size = (uint16_t)key->size;
    entry->index = *index;
    memcpy(entry->data, key->bytes, key->size);
    memcpy(entry->data + key->size, reply, index->size);
    return entry;
}

void l1_put(struct l1 *l1, const struct netd_question *question, const uint8_t *reply, size_t size,
            struct l1_tag tag, wall_s now, uint32_t keep_s, uint64_t popularity)
{
    struct netd_index index;
    if (keep_s == 0 || size > L1_ENTRY_MAX || netd_core_index(question, reply, size, &index) != 0)
        return;
    struct key key;
    key_make(question, &key);
    struct entry *entry = entry_new(&key, &index, reply);
    if (!entry)
        return;
    entry->tag = tag;
    entry->popularity = popularity;
    entry->stored_s = now.s;
    entry->expires_s = now.s + keep_s;
    entry->refresh_s = keep_s >= NETD_REFRESH_MIN_TTL_S ? now.s + keep_s - keep_s / 10 : INT64_MAX;

    unsigned long hash = (unsigned long)siphash24(&l1->secret, key.bytes, key.size);
    pthread_mutex_lock(&l1->fill);
    urcu_memb_read_lock();
    struct entry *old = find(l1, &key, hash);
    if (old && newer(old->tag, tag)) {
        l1->stats.refused_older++;
        free(entry);
    } else {
        if (old)
            entry_drop(l1, old);
        make_room(l1, entry->bytes, tag.epoch, now);
        RCU_RELEASE(entry);
        cds_lfht_add(l1->table, hash, &entry->node);
        list_append(&l1->clock, &entry->clock);
        l1->stats.bytes += entry->bytes;
        l1->stats.entries++;
        l1->stats.inserted++;
    }
    urcu_memb_read_unlock();
    pthread_mutex_unlock(&l1->fill);
}

void l1_stats(struct l1 *l1, struct l1_stats *ret_stats)
{
    pthread_mutex_lock(&l1->fill);
    *ret_stats = l1->stats;
    ret_stats->cap_bytes = l1->cap_bytes;
    pthread_mutex_unlock(&l1->fill);
}
