#include "daemons/netd/l1.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <urcu/urcu-memb.h>

#include "daemons/netd/tsan_rcu.h"

/* The table is an array of sets, a cache line each: seven entries and an octet of each one's hash, so that a
 * look-up is one line for the set and one for the entry that it wants, and both can be on their way to the
 * processor while other questions of the batch are at work (l1_prefetch_*). A chained table (cds_lfht) cannot
 * say where it is going to look, and grows from a thread that the sandbox does not let it start. Growing is
 * what a cache does not need: there are as many sets as the byte cap can ask for. */
#define L1_WAYS 7u
#define L1_SET_BYTES                                                                                         \
    768u /* of the cap a set: with entries of 170 octets, 4 or 5 to a set of 7 when all is full */
#define L1_MIN_SETS    64u
#define L1_ENTRY_MAX   8192u /* bytes of a reply kept: CACHE_ENTRY_MAX's sibling */
#define L1_KEY_MAX     (NAME_MAX + 3u)
#define L1_MALLOC_COST 16u
#define L1_MAX_SPARED  128u /* entries the hand passes over in one fill, so that a fill has an end */
#define L1_LINE        64u
#define L1_FIRST_LINES 3u      /* of an entry: what most hits read */
#define L1_PIECE       262144u /* bytes of the table settled at once: well below a millisecond */

/* What a hit reads, in the order it does. */
struct entry {
    uint64_t epoch, popularity;
    int64_t stored_s;
    uint32_t life_s,
        refresh_s; /* since stored_s; refresh_s: from when a hit asks for a refresh, never if >= life_s */
    struct netd_told told;
    struct netd_index index;
    uint16_t key_size;
    atomic_bool hit; /* CLOCK's bit */
    atomic_bool refresh_claimed;
    uint64_t sequence;
    struct rcu_head rcu;
    uint16_t ttls[]; /* index.ttl_count; behind them the key, then the reply */
};

struct set {
    _Alignas(
        L1_LINE) _Atomic uint8_t tags[L1_WAYS + 1]; /* the last: the way that goes next when all were hit */
    struct entry *_Atomic ways[L1_WAYS];
};
_Static_assert(sizeof(struct set) == L1_LINE, "a set is a cache line");

struct l1 {
    struct set *sets;
    size_t set_mask;
    struct siphash_key secret;
    size_t cap_bytes;
    pthread_mutex_t fill; /* everything below, and every change of the table */
    size_t hand;          /* of CLOCK: the set it has reached */
    struct l1_stats stats;
};

static const uint8_t *entry_key(const struct entry *entry)
{
    return (const uint8_t *)(entry->ttls + entry->index.ttl_count);
}

static size_t entry_bytes(const struct entry *entry)
{
    return sizeof(*entry) + entry->index.ttl_count * sizeof(*entry->ttls) + entry->key_size +
           entry->index.size + L1_MALLOC_COST;
}

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

uint64_t l1_hash(const struct l1 *l1, const struct netd_question *question)
{
    struct key key;
    key_make(question, &key);
    return siphash24(&l1->secret, key.bytes, key.size);
}

static struct set *set_of(const struct l1 *l1, uint64_t hash)
{
    return &l1->sets[hash & l1->set_mask];
}

static uint8_t tag_of(uint64_t hash)
{
    return (uint8_t)(hash >> 56);
}

/* The entry of one way if its tag is this one. What a filler changes meanwhile (tag first, then the entry)
 * makes this a miss, or an entry with another key, which the caller looks at anyway. */
static struct entry *way_get(struct set *set, unsigned way, uint8_t tag)
{
    if (atomic_load_explicit(&set->tags[way], memory_order_relaxed) != tag)
        return NULL;
    struct entry *entry = atomic_load_explicit(&set->ways[way], memory_order_acquire);
    if (entry)
        RCU_ACQUIRE(entry);
    return entry;
}

void l1_prefetch_set(const struct l1 *l1, uint64_t hash)
{
    __builtin_prefetch(set_of(l1, hash));
}

void l1_prefetch_entry(const struct l1 *l1, uint64_t hash)
{
    struct set *set = set_of(l1, hash);
    for (unsigned way = 0; way < L1_WAYS; way++) {
        const struct entry *entry = way_get(set, way, tag_of(hash));
        if (!entry)
            continue;
        for (unsigned line = 0; line < L1_FIRST_LINES; line++)
            __builtin_prefetch((const uint8_t *)entry + line * L1_LINE);
        RCU_RELEASE(entry);
    }
}

static struct entry *find(struct set *set, uint8_t tag, const struct key *key, unsigned *ret_way)
{
    for (unsigned way = 0; way < L1_WAYS; way++) {
        struct entry *entry = way_get(set, way, tag);
        if (!entry)
            continue;
        if (entry->key_size == key->size && memcmp(entry_key(entry), key->bytes, key->size) == 0) {
            *ret_way = way;
            return entry;
        }
        RCU_RELEASE(entry);
    }
    return NULL;
}

struct l1 *l1_new(size_t cap_bytes, struct siphash_key key)
{
    struct l1 *l1 = calloc(1, sizeof(*l1));
    if (!l1)
        return NULL;
    size_t sets = L1_MIN_SETS;
    while (sets < cap_bytes / L1_SET_BYTES)
        sets *= 2;
    /* Of the kernel, which zeroes each page when it is first touched, or is settled: 8 MiB at a start would
     * be waited for. */
    l1->sets =
        mmap(NULL, sets * sizeof(*l1->sets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (l1->sets == MAP_FAILED) {
        free(l1);
        return NULL;
    }
    l1->set_mask = sets - 1;
    l1->secret = key;
    l1->cap_bytes = cap_bytes;
    pthread_mutex_init(&l1->fill, NULL);
    return l1;
}

bool l1_settle(struct l1 *l1, size_t *at)
{
    size_t bytes = (l1->set_mask + 1) * sizeof(*l1->sets);
    if (*at >= bytes)
        return false;
    size_t piece = MIN(bytes - *at, (size_t)L1_PIECE);
    if (madvise((uint8_t *)l1->sets + *at, piece, MADV_POPULATE_WRITE) < 0)
        return false; /* Linux before 5.14 */
    *at += piece;
    return *at < bytes;
}

static void entry_free(struct rcu_head *head)
{
    struct entry *entry = caa_container_of(head, struct entry, rcu);
    RCU_ACQUIRE(entry);
    free(entry);
}

/* Under fill. */
static void way_clear(struct l1 *l1, struct set *set, unsigned way)
{
    struct entry *entry = atomic_load_explicit(&set->ways[way], memory_order_relaxed);
    atomic_store_explicit(&set->ways[way], NULL, memory_order_release);
    l1->stats.bytes -= entry_bytes(entry);
    l1->stats.entries--;
    RCU_RELEASE(entry);
    urcu_memb_call_rcu(&entry->rcu, entry_free);
}

void l1_free(struct l1 *l1)
{
    if (!l1)
        return;
    for (size_t n = 0; n <= l1->set_mask && l1->stats.entries; n++) {
        for (unsigned way = 0; way < L1_WAYS; way++) {
            if (atomic_load(&l1->sets[n].ways[way]))
                way_clear(l1, &l1->sets[n], way);
        }
    }
    urcu_memb_barrier(); /* every call_rcu above has run */
    pthread_mutex_destroy(&l1->fill);
    munmap(l1->sets, (l1->set_mask + 1) * sizeof(*l1->sets));
    free(l1);
}

static bool entry_live(const struct entry *entry, uint64_t epoch, wall_s now)
{
    /* An entry from the future (the clock was set back) is no hit: its age cannot be told. */
    int64_t age = now.s - entry->stored_s;
    return entry->epoch == epoch && age >= 0 && age < (int64_t)entry->life_s;
}

static bool entry_hit(struct entry *entry, const struct netd_question *question, uint64_t epoch, wall_s now,
                      uint32_t turn, uint8_t *reply, size_t room, size_t *ret_size, struct l1_hit *ret_hit)
{
    if (!entry_live(entry, epoch, now))
        return false;
    uint32_t age = (uint32_t)(now.s - entry->stored_s);
    if (netd_core_patch(question, entry_key(entry) + entry->key_size, &entry->index, entry->ttls, age, turn,
                        reply, room, ret_size) != 0)
        return false;
    if (!atomic_load_explicit(&entry->hit, memory_order_relaxed))
        atomic_store_explicit(&entry->hit, true, memory_order_relaxed);
    ret_hit->popularity = entry->popularity;
    ret_hit->told = entry->told;
    ret_hit->refresh = age >= entry->refresh_s && !atomic_exchange(&entry->refresh_claimed, true);
    return true;
}

bool l1_get(struct l1 *l1, const struct netd_question *question, uint64_t hash, uint64_t epoch, wall_s now,
            uint32_t turn, uint8_t *reply, size_t room, size_t *ret_size, struct l1_hit *ret_hit)
{
    struct key key;
    unsigned way;
    key_make(question, &key);
    struct entry *entry = find(set_of(l1, hash), tag_of(hash), &key, &way);
    if (!entry)
        return false;
    bool hit = entry_hit(entry, question, epoch, now, turn, reply, room, ret_size, ret_hit);
    RCU_RELEASE(entry);
    return hit;
}

/* Frees room for `bytes`. The hand passes over what was hit since it last came by. Under fill. */
static void make_room(struct l1 *l1, size_t bytes, uint64_t epoch, wall_s now)
{
    unsigned spared = 0;
    while (l1->stats.bytes + bytes > l1->cap_bytes && l1->stats.entries) {
        struct set *set = &l1->sets[l1->hand++ & l1->set_mask];
        for (unsigned way = 0; way < L1_WAYS; way++) {
            struct entry *entry = atomic_load_explicit(&set->ways[way], memory_order_relaxed);
            if (!entry || l1->stats.bytes + bytes <= l1->cap_bytes)
                continue;
            if (entry_live(entry, epoch, now) && spared < L1_MAX_SPARED &&
                atomic_exchange_explicit(&entry->hit, false, memory_order_relaxed)) {
                spared++;
                continue;
            }
            way_clear(l1, set, way);
            l1->stats.evicted++;
        }
    }
}

/* A way for another entry: an empty one, else one that is dead or was not hit of late, else the next in turn.
 * Under fill. */
static unsigned way_for_fill(struct l1 *l1, struct set *set, uint64_t epoch, wall_s now)
{
    unsigned victim = L1_WAYS;
    for (unsigned way = 0; way < L1_WAYS; way++) {
        struct entry *entry = atomic_load_explicit(&set->ways[way], memory_order_relaxed);
        if (!entry)
            return way;
        if (!entry_live(entry, epoch, now) || !atomic_load_explicit(&entry->hit, memory_order_relaxed))
            victim = way;
    }
    if (victim == L1_WAYS) {
        uint8_t turn = atomic_load_explicit(&set->tags[L1_WAYS], memory_order_relaxed);
        atomic_store_explicit(&set->tags[L1_WAYS], (uint8_t)((turn + 1u) % L1_WAYS), memory_order_relaxed);
        victim = turn;
    }
    way_clear(l1, set, victim);
    l1->stats.evicted++;
    return victim;
}

static bool newer(const struct entry *a, struct l1_tag b)
{
    return a->epoch != b.epoch ? a->epoch > b.epoch : a->sequence > b.sequence;
}

static struct entry *entry_new(const struct key *key, const struct netd_index *index, const uint16_t *ttls,
                               const uint8_t *reply)
{
    size_t ttl_bytes = index->ttl_count * sizeof(*ttls);
    struct entry *entry = calloc(1, sizeof(*entry) + ttl_bytes + key->size + index->size);
    if (!entry)
        return NULL;
    entry->key_size = (uint16_t)key->size;
    entry->index = *index;
    memcpy(entry->ttls, ttls, ttl_bytes);
    uint8_t *data = (uint8_t *)entry->ttls + ttl_bytes;
    memcpy(data, key->bytes, key->size);
    memcpy(data + key->size, reply, index->size);
    return entry;
}

/* Under fill. */
static void entry_add(struct l1 *l1, uint64_t hash, struct entry *entry, wall_s now)
{
    make_room(l1, entry_bytes(entry), entry->epoch, now);
    struct set *set = set_of(l1, hash);
    unsigned way = way_for_fill(l1, set, entry->epoch, now);
    l1->stats.bytes += entry_bytes(entry);
    l1->stats.entries++;
    l1->stats.inserted++;
    RCU_RELEASE(entry);
    atomic_store_explicit(&set->tags[way], tag_of(hash), memory_order_relaxed);
    atomic_store_explicit(&set->ways[way], entry, memory_order_release);
}

void l1_put(struct l1 *l1, const struct netd_question *question, const uint8_t *reply, size_t size,
            struct l1_tag tag, wall_s now, uint32_t keep_s, uint64_t popularity)
{
    struct netd_index index;
    uint16_t ttls[NETD_INDEX_TTLS];
    if (keep_s == 0 || size > L1_ENTRY_MAX || netd_core_index(question, reply, size, &index, ttls) != 0)
        return;
    struct key key;
    key_make(question, &key);
    struct entry *entry = entry_new(&key, &index, ttls, reply);
    if (!entry)
        return;
    entry->epoch = tag.epoch;
    entry->sequence = tag.sequence;
    entry->told = tag.told;
    entry->popularity = popularity;
    entry->stored_s = now.s;
    entry->life_s = keep_s;
    entry->refresh_s = keep_s >= NETD_REFRESH_MIN_TTL_S ? keep_s - keep_s / 10 : keep_s;

    uint64_t hash = siphash24(&l1->secret, key.bytes, key.size);
    unsigned way;
    pthread_mutex_lock(&l1->fill);
    struct entry *old = find(set_of(l1, hash), tag_of(hash), &key, &way);
    if (old && newer(old, tag)) {
        l1->stats.refused_older++;
        free(entry);
    } else {
        if (old)
            way_clear(l1, set_of(l1, hash), way);
        entry_add(l1, hash, entry, now);
    }
    pthread_mutex_unlock(&l1->fill);
}

void l1_stats(struct l1 *l1, struct l1_stats *ret_stats)
{
    pthread_mutex_lock(&l1->fill);
    *ret_stats = l1->stats;
    ret_stats->cap_bytes = l1->cap_bytes;
    pthread_mutex_unlock(&l1->fill);
}
