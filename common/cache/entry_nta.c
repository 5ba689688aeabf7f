#include "common/cache/entry_codec.h"

#define NTA_FORCED   0x01u
#define NTA_TARGETS  0x02u /* they follow */
#define NTA_TEXT_MAX 200u  /* bytes of reason and author: a sentence for the status line */

int cache_nta_encode(struct arena *arena, struct slice key, const struct cache_nta *nta,
                     struct slice *ret_value)
{
    struct entry_out out;
    if (nta->reason.size > NTA_TEXT_MAX || nta->author.size > NTA_TEXT_MAX)
        return 1;
    entry_begin(&out, ENTRY_NTA, nta->expires);
    entry_put_uint(&out, nta->source, 1);
    if (nta->target_count > CACHE_NTA_TARGETS)
        return 1;
    entry_put_uint(&out, (nta->forced ? NTA_FORCED : 0) | (nta->target_count ? NTA_TARGETS : 0), 1);
    entry_put_time(&out, nta->added);
    entry_put_time(&out, nta->expires);
    entry_put_uint(&out, nta->reason.size, 1);
    entry_put(&out, nta->reason.data, nta->reason.size);
    entry_put_uint(&out, nta->author.size, 1);
    entry_put(&out, nta->author.data, nta->author.size);
    if (nta->target_count)
        entry_put_uint(&out, nta->target_count, 1);
    for (unsigned i = 0; i < nta->target_count; i++) {
        size_t size = name_size(nta->targets[i].name);
        entry_put_uint(&out, size, 1);
        entry_put(&out, nta->targets[i].name, size);
        entry_put_uint(&out, nta->targets[i].type, 2);
    }
    return entry_seal(&out, arena, key, ret_value);
}

static struct slice get_text(struct entry_in *in)
{
    size_t size = (size_t)entry_get_uint(in, 1);
    const uint8_t *text = entry_get(in, size);
    if (!text || size > NTA_TEXT_MAX) {
        in->failed = true;
        return slice_make(NULL, 0);
    }
    return slice_make(text, size);
}

static void get_targets(struct entry_in *in, struct cache_nta *nta)
{
    size_t count = (size_t)entry_get_uint(in, 1);
    if (count == 0 || count > CACHE_NTA_TARGETS) {
        in->failed = true;
        return;
    }
    for (size_t i = 0; i < count && !in->failed; i++) {
        size_t size = (size_t)entry_get_uint(in, 1);
        const uint8_t *name = entry_get(in, size);
        if (!name || name_from_bytes(name, size, nta->targets[i].name)) {
            in->failed = true;
            return;
        }
        nta->targets[i].type = (uint16_t)entry_get_uint(in, 2);
    }
    nta->target_count = (uint8_t)count;
}

int cache_nta_decode(struct arena *arena, struct slice key, struct slice value, struct cache_nta *ret_nta)
{
    struct entry_in in;
    struct cache_nta nta = {0};
    if (entry_open(arena, key, value, ENTRY_NTA, &in))
        return CACHE_MISS;
    unsigned source = (unsigned)entry_get_uint(&in, 1), flags = (unsigned)entry_get_uint(&in, 1);
    nta.added = entry_get_time(&in);
    nta.expires = entry_get_time(&in);
    nta.reason = get_text(&in);
    nta.author = get_text(&in);
    if (flags & NTA_TARGETS)
        get_targets(&in, &nta);
    int r = entry_end(&in);
    if (r)
        return r;
    if ((source != NTA_OPERATOR && source != NTA_CONFIG) || (flags & ~(NTA_FORCED | NTA_TARGETS)))
        return CACHE_MISS;
    nta.source = (enum nta_source)source;
    nta.forced = flags & NTA_FORCED;
    *ret_nta = nta;
    return 0;
}
