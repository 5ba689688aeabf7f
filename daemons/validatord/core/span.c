/* How much of a zone the kept opt-out spans cover (DESIGN 5, "Child never seen before"). */

#include <errno.h>
#include <string.h>

#include "daemons/validatord/core/internal.h"

#define SPAN_ARENA_BYTES 65536u
#define SPANS_MAX        100000u /* counted in some 100 ms; the whole of a TLD of millions is never kept */

/* The first 8 octets of a hash: as fine as a share of the whole needs. */
static uint64_t head(const uint8_t *hash)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | hash[i];
    return value;
}

/* The span's share of 2^64, when it is one of opt-out that still counts. */
static uint64_t span(const struct cache_rr *rr, struct slice key, size_t prefix, wall_s now)
{
    const struct rdata *rdata = &rr->rrset.rdata[0];

    if (rr->rrset.count != 1 || rr->rrset.security != SECURITY_SECURE || rr->signature_expires.s <= now.s ||
        rdata->size < 6u || !(rdata->data[1] & NSEC3_FLAG_OPTOUT))
        return 0;
    size_t at = 5u + rdata->data[4]; /* behind the salt: the length of the next hash */
    if (rdata->size < at + 21u || rdata->data[at] != 20 || key.size < prefix + 8u + 20u)
        return 0;
    return head(rdata->data + at + 1) - head(key.data + prefix + 8u);
}

int val_core_span_permille(struct val_core *core, const struct cache_view *view, const uint8_t *zone,
                           wall_s now)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(SPAN_ARENA_BYTES);
    struct cache_key at;
    struct slice key, value;
    uint64_t sum = 0;
    unsigned count = 0;

    if (!arena || cache_key_subtree(zone, &at))
        return 0;
    while (view->seek_ge(view->ctx, CACHE_NSEC3, cache_key_slice(&at), &key, &value) == 0) {
        uint8_t owner_zone[NAME_MAX];
        struct cache_rr rr;
        size_t prefix;
        if (cache_key_to_zone(key, owner_zone, &prefix) || !name_equal(owner_zone, zone))
            break;
        if (++count > SPANS_MAX)
            return -1;
        arena_reset(arena);
        if (cache_rr_decode(arena, key, value, zone, TYPE_NSEC3, &rr) == 0)
            sum += span(&rr, key, prefix, now) /
                   1000; /* scaled first: the sum stays below 2^64 / 1000 and some */
        if (cache_key_after(key, &at))
            break;
    }
    return (int)MIN(sum / (UINT64_MAX / 1000 / 1000), 1000u);
}
