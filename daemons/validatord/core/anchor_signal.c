/* What tells others which anchors are in force: RFC 8145's Key Tag query to the trust point's zone, and RFC
 * 8509's sentinel to whoever asks. */

#include <stdlib.h>
#include <string.h>

#include "common/base/sort.h"
#include "common/wire/sentinel.h"
#include "daemons/validatord/core/internal.h"

#define SIGNAL_TAGS_MAX 12u /* "_ta-" and twelve tags of four digits, with hyphens, are 63 octets */

static uint16_t tag_of(const struct val_anchor *anchor)
{
    struct ds ds;
    if (anchor->type == TYPE_DNSKEY)
        return dnskey_tag(&anchor->rdata);
    return ds_parse(&anchor->rdata, &ds) ? 0 : ds.tag;
}

/* Tags of the anchors in force at a zone, ascending, each once; the lowest where there are more. */
static unsigned tags_of(const struct val_core *core, const uint8_t *zone, uint16_t tags[SIGNAL_TAGS_MAX])
{
    unsigned count = 0;

    for (size_t i = 0; i < core->config.anchor_count; i++) {
        const struct val_anchor *anchor = &core->config.anchors[i];
        if (!name_equal(anchor->zone, zone))
            continue;
        uint16_t tag = tag_of(anchor);
        unsigned at = 0;
        while (at < count && tags[at] < tag)
            at++;
        if (at == SIGNAL_TAGS_MAX || (at < count && tags[at] == tag))
            continue;
        count = MIN(count + 1, SIGNAL_TAGS_MAX);
        memmove(&tags[at + 1], &tags[at], (count - at - 1) * sizeof(*tags));
        tags[at] = tag;
    }
    return count;
}

void val_anchor_signal(struct val_core *core, const uint8_t *zone, struct purse *purse)
{
    static const char digits[] = "0123456789abcdef";
    uint16_t tags[SIGNAL_TAGS_MAX];
    uint8_t name[NAME_MAX];
    size_t size = 1;
    unsigned count = tags_of(core, zone, tags);

    if (count == 0 || name_size(zone) + 1 + 3 + 5u * count > NAME_MAX)
        return;
    memcpy(name + size, "_ta", 3);
    size += 3;
    for (unsigned i = 0; i < count; i++) {
        name[size++] = '-';
        for (int shift = 12; shift >= 0; shift -= 4)
            name[size++] = (uint8_t)digits[tags[i] >> shift & 15];
    }
    name[0] = (uint8_t)(size - 1);
    name_copy(zone, name + size);
    /* Nobody waits for it, and what comes back is kept as any answer is. */
    (void)val_task_get(core, name, TYPE_NULL, purse);
}

bool val_anchor_sentinel_denies(const struct val_core *core, const uint8_t *qname, uint16_t qtype,
                                uint16_t *ret_tag, bool *ret_trusted)
{
    bool asks_is, trusted = false;

    if (!core->config.signalling || !sentinel_parse(qname, qtype, &asks_is, ret_tag))
        return false;
    for (size_t i = 0; i < core->config.anchor_count && !trusted; i++)
        trusted = name_is_root(core->config.anchors[i].zone) && tag_of(&core->config.anchors[i]) == *ret_tag;
    *ret_trusted = trusted;
    return asks_is != trusted;
}
