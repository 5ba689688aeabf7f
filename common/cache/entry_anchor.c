#include <string.h>

#include "common/cache/entry_codec.h"

int cache_anchor_encode(struct arena *arena, struct slice key, const struct cache_anchor *anchor,
                        struct slice *ret_value)
{
    struct entry_out out;
    unsigned count = 0;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        count += anchor->keys[i].state != ANCHOR_START;
    entry_begin(&out, ENTRY_ANCHOR, (wall_s){.s = ENTRY_TIME_MAX}); /* nothing of it is ever swept */
    entry_put_time(&out, anchor->refreshed);
    entry_put_time(&out, anchor->attempted);
    entry_put_time(&out, anchor->signalled);
    entry_put_uint(&out, anchor->interval_s, 4);
    entry_put_uint(&out, anchor->retry_s, 4);
    entry_put_uint(&out, count, 1);
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        const struct anchor_key *k = &anchor->keys[i];
        if (k->state == ANCHOR_START)
            continue;
        entry_put_uint(&out, i, 1);
        entry_put_uint(&out, k->state, 1);
        entry_put_uint(&out, k->sources, 1);
        entry_put_uint(&out, k->tag, 2);
        entry_put_uint(&out, k->algorithm, 1);
        entry_put_uint(&out, k->digest_type, 1);
        entry_put_uint(&out, k->digest_size, 1);
        entry_put(&out, k->digest, k->digest_size);
        entry_put_time(&out, k->since);
        entry_put_uint(&out, k->hold_down_s, 4);
        entry_put_uint(&out, k->witnesses, 4);
    }
    return entry_seal(&out, arena, key, ret_value);
}

/* False: damaged. */
static bool get_key(struct entry_in *in, struct cache_anchor *anchor)
{
    unsigned at = (unsigned)entry_get_uint(in, 1), state = (unsigned)entry_get_uint(in, 1);
    if (in->failed || at >= CACHE_ANCHOR_KEYS || anchor->keys[at].state != ANCHOR_START ||
        state == ANCHOR_START || state > ANCHOR_REMOVED)
        return false;
    struct anchor_key *k = &anchor->keys[at];
    k->state = (enum anchor_state)state;
    k->sources = (unsigned)entry_get_uint(in, 1);
    k->tag = (uint16_t)entry_get_uint(in, 2);
    k->algorithm = (uint8_t)entry_get_uint(in, 1);
    k->digest_type = (uint8_t)entry_get_uint(in, 1);
    k->digest_size = (uint8_t)entry_get_uint(in, 1);
    if (k->digest_size == 0 || k->digest_size > CACHE_ANCHOR_DIGEST)
        return false;
    const uint8_t *digest = entry_get(in, k->digest_size);
    if (!digest)
        return false;
    memcpy(k->digest, digest, k->digest_size);
    k->since = entry_get_time(in);
    k->hold_down_s = (uint32_t)entry_get_uint(in, 4);
    k->witnesses = (uint32_t)entry_get_uint(in, 4);
    return !in->failed;
}

int cache_anchor_decode(struct slice key, struct slice value, struct cache_anchor *ret_anchor)
{
    struct cache_anchor anchor;
    struct entry_in in;
    memset(&anchor, 0, sizeof(anchor)); /* padding too, so that two of the same are the same bytes */
    if (entry_open(NULL, key, value, ENTRY_ANCHOR, &in))
        return CACHE_MISS;
    anchor.refreshed = entry_get_time(&in);
    anchor.attempted = entry_get_time(&in);
    anchor.signalled = entry_get_time(&in);
    anchor.interval_s = (uint32_t)entry_get_uint(&in, 4);
    anchor.retry_s = (uint32_t)entry_get_uint(&in, 4);
    unsigned count = (unsigned)entry_get_uint(&in, 1);
    for (unsigned i = 0; i < count; i++)
        if (!get_key(&in, &anchor))
            return CACHE_MISS;
    if (entry_end(&in) != 0)
        return CACHE_MISS;
    memcpy(ret_anchor, &anchor, sizeof(anchor));
    return 0;
}
