/* An RRSIG in a cache value. Most of what its RDATA says in RFC 4034 3.1 its RRset says already: the type
 * covered, the original TTL, the signer, which is a name above the owner. Left out, those come back octet by
 * octet; a signature of another shape (a signer that is not above, or not in lower case) lies there whole. */
#include <string.h>

#include "common/cache/entry_codec.h"
#include "common/wire/rdata.h"

#define SIG_WHOLE 0xffu /* instead of the signer's number of labels, which are 127 at most */
#define SIG_FIXED 18u   /* octets of RDATA before the signer, RFC 4034 3.1 */

static void put_whole(struct entry_out *out, const struct rdata *sig)
{
    entry_put_uint(out, SIG_WHOLE, 1);
    entry_put_number(out, sig->size);
    entry_put(out, sig->data, sig->size);
}

/* Is the signer, as it is written, an ancestor of the owner? */
static bool is_above(const uint8_t *signer, const uint8_t *owner)
{
    unsigned labels = name_labels(signer);
    if (labels > name_labels(owner))
        return false;
    return memcmp(name_suffix(owner, labels), signer, name_size(signer)) == 0;
}

void entry_put_sig(struct entry_out *out, const struct rrset *rrset, const struct rdata *sig)
{
    struct rrsig s;
    if (rrsig_parse(sig, &s) || s.type_covered != rrset->type || !is_above(s.signer, rrset->owner)) {
        put_whole(out, sig);
        return;
    }
    entry_put_uint(out, name_labels(s.signer), 1);
    entry_put_uint(out, s.algorithm, 1);
    entry_put_uint(out, s.labels, 1);
    entry_put_near(out, s.original_ttl, rrset->ttl);
    entry_put_near(out, s.expiration, (uint32_t)out->expires.s);
    entry_put_near(out, s.expiration, s.inception);
    entry_put_uint(out, s.key_tag, 2);
    entry_put_number(out, s.signature_size);
    entry_put(out, s.signature, s.signature_size);
}

static void get_whole(struct entry_in *in, struct rdata *ret_sig)
{
    uint64_t size = entry_get_number(in);
    if (size > UINT16_MAX) {
        in->failed = true;
        return;
    }
    ret_sig->size = (uint16_t)size;
    ret_sig->data = entry_get(in, (size_t)size);
}

static void store_be(uint8_t *p, uint32_t number, unsigned octets)
{
    while (octets-- > 0) {
        p[octets] = (uint8_t)number;
        number >>= 8;
    }
}

static void get_parts(struct entry_in *in, const struct rrset *rrset, unsigned signer_labels,
                      struct rdata *ret_sig)
{
    uint8_t fixed[SIG_FIXED];
    if (signer_labels > name_labels(rrset->owner)) {
        in->failed = true;
        return;
    }
    const uint8_t *signer = name_suffix(rrset->owner, signer_labels);
    size_t signer_size = name_size(signer);
    store_be(fixed, rrset->type, 2);
    store_be(fixed + 2, (uint32_t)entry_get_uint(in, 1), 1);
    store_be(fixed + 3, (uint32_t)entry_get_uint(in, 1), 1);
    store_be(fixed + 4, entry_get_near(in, rrset->ttl), 4);
    uint32_t expiration = entry_get_near(in, (uint32_t)in->expires.s);
    store_be(fixed + 8, expiration, 4);
    store_be(fixed + 12, expiration - entry_get_near(in, 0), 4);
    store_be(fixed + 16, (uint32_t)entry_get_uint(in, 2), 2);
    uint64_t size = entry_get_number(in);
    const uint8_t *signature = size > UINT16_MAX ? NULL : entry_get(in, (size_t)size);
    if (in->failed || !signature || SIG_FIXED + signer_size + size > UINT16_MAX) {
        in->failed = true;
        return;
    }
    uint8_t *data = arena_alloc(in->arena, SIG_FIXED + signer_size + (size_t)size);
    if (!data) {
        in->starved = in->failed = true;
        return;
    }
    memcpy(data, fixed, SIG_FIXED);
    memcpy(data + SIG_FIXED, signer, signer_size);
    memcpy(data + SIG_FIXED + signer_size, signature, (size_t)size);
    *ret_sig = (struct rdata){.data = data, .size = (uint16_t)(SIG_FIXED + signer_size + size)};
}

void entry_get_sig(struct entry_in *in, const struct rrset *rrset, struct rdata *ret_sig)
{
    unsigned labels = (unsigned)entry_get_uint(in, 1);
    if (labels == SIG_WHOLE)
        get_whole(in, ret_sig);
    else
        get_parts(in, rrset, labels, ret_sig);
    if (!in->failed && rdata_check_received(TYPE_RRSIG, ret_sig))
        in->failed = true;
}
