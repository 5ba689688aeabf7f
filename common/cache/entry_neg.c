#include <string.h>

#include "common/cache/entry_codec.h"

#define NEG_AUTHENTIC 0x01u
#define NEG_CONTINUED 0x02u
#define NEG_SIGNED    0x04u /* signature_expires follows */
#define NEG_FLAGS     0x07u

int cache_neg_encode(struct arena *arena, struct slice key, const struct cache_neg *neg,
                     struct slice *ret_value)
{
    struct entry_out out;
    entry_begin(&out, ENTRY_NEG, neg->expires);
    entry_put_uint(&out, neg->kind, 1);
    entry_put_uint(&out, neg->security, 1);
    entry_put_uint(&out,
                   (neg->authentic ? NEG_AUTHENTIC : 0) | (neg->continued ? NEG_CONTINUED : 0) |
                       (neg->signature_expires.s ? NEG_SIGNED : 0),
                   1);
    entry_put_time(&out, neg->stored);
    entry_put_time(&out, neg->expires);
    if (neg->signature_expires.s)
        entry_put_time(&out, neg->signature_expires);
    entry_put_uint(&out, neg->failures, 2);
    unsigned count = MIN(neg->ede_count, ANSWER_MAX_EDE);
    entry_put_uint(&out, count, 1);
    for (unsigned i = 0; i < count; i++) {
        unsigned size = MIN(neg->ede[i].text_size, ANSWER_EDE_TEXT);
        entry_put_uint(&out, neg->ede[i].code, 2);
        entry_put_uint(&out, size, 1);
        entry_put(&out, neg->ede[i].text, size);
    }
    entry_put_list(&out, &neg->proof);
    return entry_seal(&out, arena, key, ret_value);
}

static void get_ede(struct entry_in *in, struct answer_ede *ret_ede)
{
    ret_ede->code = (uint16_t)entry_get_uint(in, 2);
    size_t size = (size_t)entry_get_uint(in, 1);
    const uint8_t *text = entry_get(in, size);
    if (!text || size > ANSWER_EDE_TEXT) {
        in->failed = true;
        return;
    }
    memcpy(ret_ede->text, text, size);
    ret_ede->text_size = (uint16_t)size;
}

int cache_neg_decode(struct arena *arena, struct slice key, struct slice value, struct cache_neg *ret_neg)
{
    struct entry_in in;
    struct cache_neg neg = {0};
    if (entry_open(arena, key, value, ENTRY_NEG, &in))
        return CACHE_MISS;
    unsigned kind = (unsigned)entry_get_uint(&in, 1), security = (unsigned)entry_get_uint(&in, 1);
    unsigned flags = (unsigned)entry_get_uint(&in, 1);
    neg.stored = entry_get_time(&in);
    neg.expires = entry_get_time(&in);
    if (flags & NEG_SIGNED)
        neg.signature_expires = entry_get_time(&in);
    neg.failures = (uint16_t)entry_get_uint(&in, 2);
    unsigned count = (unsigned)entry_get_uint(&in, 1);
    if (in.failed || kind < CACHE_NEG_NODATA || kind > CACHE_NEG_FAILURE || security > SECURITY_SECURE ||
        (flags & ~NEG_FLAGS) || count > ANSWER_MAX_EDE)
        return CACHE_MISS;
    neg.kind = (enum cache_neg_kind)kind;
    neg.security = (enum security)security;
    neg.authentic = flags & NEG_AUTHENTIC;
    neg.continued = flags & NEG_CONTINUED;
    neg.ede_count = (uint8_t)count;
    for (unsigned i = 0; i < count && !in.failed; i++)
        get_ede(&in, &neg.ede[i]);
    entry_get_list(&in, &neg.proof);
    int r = entry_end(&in);
    if (r)
        return r;
    *ret_neg = neg;
    return 0;
}
