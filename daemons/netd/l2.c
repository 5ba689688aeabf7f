#include "daemons/netd/l2.h"

#include <string.h>

#include "common/daemon/daemon.h"

#define RETRY_MS 200u /* a missing file is looked for again: validatord makes it when it first starts */

void l2_close(struct l2 *l2)
{
    store_close(TAKE(l2->store));
}

static int try_open(struct l2 *l2, uint64_t generation, mono_ns now)
{
    if (!mono_reached(now, l2->next_try))
        return 1;
    l2->next_try = mono_add_ms(now, RETRY_MS);
    struct store *store = NULL;
    int r = store_open_reader(l2->directory, &store);
    if (r < 0 && r != l2->last_error)
        log_warning("cache in %s cannot be read, answering without it: %s", l2->directory, strerror(-r));
    l2->last_error = r;
    if (r != 0)
        return 1;
    l2->store = store;
    l2->generation = generation;
    return 0;
}

int l2_begin(struct l2 *l2, uint64_t generation, mono_ns now, struct cache_view *ret_view)
{
    if (l2->store && l2->generation == 0 && generation != L2_CLOSED)
        l2->generation = generation; /* opened before validatord named it */
    if (l2->store && l2->generation != generation && generation != 0)
        l2_close(l2);
    if (generation == L2_CLOSED)
        return 1;
    if (!l2->store && try_open(l2, generation, now) != 0)
        return 1;
    int r = store_read_begin(l2->store, now, ret_view);
    if (r == 0)
        return 0;
    if (r < 0) {
        log_warning("cache in %s: reading failed, opening it again: %s", l2->directory, strerror(-r));
        l2_close(l2);
    }
    return 1;
}

void l2_end(struct l2 *l2)
{
    if (l2->store)
        store_read_end(l2->store);
}

bool l2_expired(const struct l2 *l2, mono_ns now)
{
    return !l2->store || store_read_expired(l2->store, now);
}
