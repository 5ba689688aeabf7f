#include "common/cache/entry_codec.h"

#define RR_AUTHENTIC 0x01u
#define RR_CONTINUED 0x02u /* the text follows */
#define RR_EDE       0x04u /* it follows */
#define RR_PROOF     0x08u /* it follows */
#define RR_FLAGS     0x0fu

/* What the TTL of the set most often is. */
static uint32_t life_s(wall_s stored, wall_s expires)
{
    return expires.s <= stored.s ? 0 : (uint32_t)MIN(expires.s - stored.s, (int64_t)UINT32_MAX);
}

int cache_rr_encode(struct arena *arena, struct slice key, const struct cache_rr *rr, struct slice *ret_value)
{
    struct entry_out out;
    wall_s needed = rr->expires;
    /* A span is evidence as long as it is signed, whatever its TTL (DESIGN 5 rule 1): the sweep leaves it. */
    if (rr->rrset.type == TYPE_NSEC3 && rr->signature_expires.s > needed.s)
        needed = rr->signature_expires;
    entry_begin(&out, ENTRY_RR, needed);
    entry_put_uint(&out,
                   (rr->authentic ? RR_AUTHENTIC : 0) | (rr->continued ? RR_CONTINUED : 0) |
                       (rr->ede ? RR_EDE : 0) | (rr->proof.count ? RR_PROOF : 0),
                   1);
    entry_put_time(&out, rr->expires);
    entry_put_time(&out, rr->stored);
    entry_put_time(&out, rr->signature_expires);
    if (rr->ede)
        entry_put_number(&out, rr->ede);
    if (rr->continued) {
        size_t size = MIN(rr->why.size, (size_t)ANSWER_EDE_TEXT);
        entry_put_uint(&out, size, 1);
        entry_put(&out, rr->why.data, size);
    }
    out.ttl = life_s(rr->stored, rr->expires);
    entry_put_rrset(&out, &rr->rrset);
    entry_put_near(&out, rr->original_ttl, rr->rrset.ttl);
    if (rr->proof.count)
        entry_put_list(&out, &rr->proof);
    return entry_seal(&out, arena, key, ret_value);
}

int cache_rr_decode(struct arena *arena, struct slice key, struct slice value, const uint8_t *owner,
                    uint16_t type, struct cache_rr *ret_rr)
{
    struct entry_in in;
    struct cache_rr rr = {0};
    if (entry_open(arena, key, value, ENTRY_RR, &in))
        return CACHE_MISS;
    unsigned flags = (unsigned)entry_get_uint(&in, 1);
    rr.authentic = flags & RR_AUTHENTIC;
    rr.continued = flags & RR_CONTINUED;
    rr.expires = entry_get_time(&in);
    rr.stored = entry_get_time(&in);
    rr.signature_expires = entry_get_time(&in);
    if (flags & RR_EDE) {
        uint64_t ede = entry_get_number(&in);
        rr.ede = (uint16_t)ede;
        if (ede > UINT16_MAX)
            in.failed = true;
    }
    if (rr.continued) {
        size_t size = (size_t)entry_get_uint(&in, 1);
        rr.why = slice_make(entry_get(&in, size), size);
        if (size > ANSWER_EDE_TEXT)
            in.failed = true;
    }
    in.ttl = life_s(rr.stored, rr.expires);
    entry_get_rrset(&in, owner, &rr.rrset);
    rr.original_ttl = entry_get_near(&in, rr.rrset.ttl);
    if (flags & RR_PROOF)
        entry_get_list(&in, &rr.proof);
    int r = entry_end(&in);
    if (r)
        return r;
    if (rr.rrset.type != type || (flags & ~RR_FLAGS))
        return CACHE_MISS;
    *ret_rr = rr;
    return 0;
}
