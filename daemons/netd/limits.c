#include <stdlib.h>
#include <string.h>

#include "daemons/netd/netd.h"

#define V6_CLIENT_OCTETS 8u /* a /64 is one client: its owner has all of it */

struct limits *limits_new(void)
{
    struct limits *limits = calloc(1, sizeof(*limits));
    if (limits)
        limits->key = daemon_hash_key();
    return limits;
}

int limits_slot(const struct limits *limits, const struct address *client)
{
    size_t size = client->family == 4 ? 4 : V6_CLIENT_OCTETS;
    return (int)(siphash24(&limits->key, client->bytes, size) % LIMIT_SLOTS);
}

int limits_take(struct limits *limits, const struct address *client, uint32_t most)
{
    int slot = limits_slot(limits, client);
    uint32_t had = atomic_fetch_add_explicit(&limits->slots[slot], 1, memory_order_relaxed);
    if (had >= most) {
        atomic_fetch_sub_explicit(&limits->slots[slot], 1, memory_order_relaxed);
        return -1;
    }
    return slot;
}

bool limits_take_over(struct limits *limits, int slot, uint32_t most)
{
    uint32_t had = atomic_fetch_add_explicit(&limits->slots[slot], 1, memory_order_relaxed);
    if (had >= most) {
        atomic_fetch_sub_explicit(&limits->slots[slot], 1, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add(&limits->over[slot], 1);
    return true;
}

bool limits_is_over(const struct limits *limits, int slot)
{
    return atomic_load(&limits->over[slot]) != 0;
}

bool limits_end_over(struct limits *limits, int slot, uint32_t limit)
{
    uint32_t over = atomic_load(&limits->over[slot]);
    for (;;) {
        bool true_still = atomic_load_explicit(&limits->slots[slot], memory_order_relaxed) > limit;
        if (!over)
            return false;
        if (atomic_compare_exchange_weak(&limits->over[slot], &over, true_still ? over - 1 : 0))
            return true_still;
    }
}

void limits_release(struct limits *limits, int slot)
{
    atomic_fetch_sub_explicit(&limits->slots[slot], 1, memory_order_relaxed);
}
