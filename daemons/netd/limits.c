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

int limits_take(struct limits *limits, const struct address *client, uint32_t most)
{
    size_t size = client->family == 4 ? 4 : V6_CLIENT_OCTETS;
    uint32_t slot = (uint32_t)(siphash24(&limits->key, client->bytes, size) % LIMIT_SLOTS);
    uint32_t had = atomic_fetch_add_explicit(&limits->slots[slot], 1, memory_order_relaxed);
    if (had >= most) {
        atomic_fetch_sub_explicit(&limits->slots[slot], 1, memory_order_relaxed);
        return -1;
    }
    return (int)slot;
}

void limits_release(struct limits *limits, int slot)
{
    atomic_fetch_sub_explicit(&limits->slots[slot], 1, memory_order_relaxed);
}
