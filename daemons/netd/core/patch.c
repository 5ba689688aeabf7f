/* A ready reply, kept by L1 and handed to the next client who asks the same: where its changing bytes are,
 * and the copy with them changed. The hit path: no allocation, one pass, bounds known from the index. */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

#define OPTION_HEAD 4u

size_t own_options_size(const struct netd_question *question)
{
    return (question->cookie_size ? OPTION_HEAD + question->cookie_size : 0u) +
           (question->keepalive ? OPTION_HEAD + 2u : 0u) + (question->padding ? OPTION_HEAD : 0u);
}

static void option(uint8_t *reply, size_t *size, uint16_t code, const void *data, size_t length)
{
    put16(reply + *size, code);
    put16(reply + *size + 2, (uint16_t)length);
    if (data)
        memcpy(reply + *size + OPTION_HEAD, data, length);
    else
        memset(reply + *size + OPTION_HEAD, 0, length);
    *size += OPTION_HEAD + length;
}

void own_options_append(const struct netd_question *question, uint8_t *reply, size_t limit, size_t opt_rdlen,
                        size_t *size)
{
    size_t before = *size;
    assert(before + own_options_size(question) <= limit);
    if (question->cookie_size)
        option(reply, size, EDNS_COOKIE, question->cookie, question->cookie_size);
    if (question->keepalive) {
        uint8_t timeout[2];
        put16(timeout, NETD_TCP_IDLE_DS);
        option(reply, size, EDNS_TCP_KEEPALIVE, timeout, sizeof(timeout));
    }
    if (question->padding) {
        /* RFC 8467 4.1: the whole message a multiple of 468, or as far as there is room. */
        size_t filled = *size + OPTION_HEAD;
        size_t padded = (filled + NETD_PADDING_BLOCK - 1) / NETD_PADDING_BLOCK * NETD_PADDING_BLOCK;
        option(reply, size, EDNS_PADDING, NULL, MIN(padded, limit) - filled);
    }
    put16(reply + opt_rdlen, (uint16_t)(get16(reply + opt_rdlen) + (*size - before)));
}

struct walk {
    const uint8_t *wire;
    size_t size, at;
    struct netd_index *index;
    uint16_t *ttls;
};

/* Steps over an owner name. Our own message, but checked like any: the index must never point outside. */
static bool step_name(struct walk *w)
{
    while (w->at < w->size) {
        uint8_t label = w->wire[w->at];
        if (label >= 0xc0) {
            w->at += 2;
            return w->at <= w->size;
        }
        w->at += 1u + label;
        if (label == 0)
            return w->at <= w->size;
    }
    return false;
}

/* Address records that follow each other, of one owner and equal size, may be turned on every hit. */
static void note_rotation(struct walk *w, size_t start, uint16_t type, size_t previous,
                          uint16_t previous_type)
{
    struct netd_index *index = w->index;
    size_t stride = w->at - start;
    if ((type != TYPE_A && type != TYPE_AAAA) || type != previous_type || start - previous != stride)
        return;
    size_t owner = stride - 10u - (type == TYPE_A ? 4u : 16u);
    if (memcmp(w->wire + start, w->wire + previous, owner + 8) != 0)
        return;
    if (index->rotate_count == 0 ||
        index->rotate_at + (size_t)index->rotate_stride * index->rotate_count != start) {
        index->rotate_at = (uint16_t)previous;
        index->rotate_stride = (uint16_t)stride;
        index->rotate_count = 1;
    }
    index->rotate_count++;
}

static bool walk_records(struct walk *w, unsigned answers, unsigned count)
{
    size_t previous = 0;
    uint16_t previous_type = 0;
    for (unsigned n = 0; n < count; n++) {
        size_t start = w->at;
        if (!step_name(w) || w->size - w->at < 10)
            return false;
        uint16_t type = get16(w->wire + w->at), length = get16(w->wire + w->at + 8);
        if (type == TYPE_OPT) {
            if (n + 1 != count)
                return false;
            w->index->opt_rdlen = (uint16_t)(w->at + 8);
        } else {
            if (w->index->ttl_count == NETD_INDEX_TTLS)
                return false;
            w->ttls[w->index->ttl_count++] = (uint16_t)(w->at + 4);
        }
        if (w->size - w->at - 10 < length)
            return false;
        w->at += 10u + length;
        if (n < answers) {
            note_rotation(w, start, type, previous, previous_type);
            previous = start;
            previous_type = type;
        }
    }
    return w->at == w->size;
}

int netd_core_index(const struct netd_question *question, const uint8_t *reply, size_t size,
                    struct netd_index *ret_index, uint16_t ret_ttls[NETD_INDEX_TTLS])
{
    if (size < MESSAGE_HEADER_SIZE || size > UINT16_MAX || (get16(reply + 2) & FLAG_TC) != 0)
        return 1;
    struct netd_index index = {0};
    struct walk w = {
        .wire = reply, .size = size, .at = MESSAGE_HEADER_SIZE, .index = &index, .ttls = ret_ttls};
    if (!step_name(&w) || w.size - w.at < 4)
        return 1;
    w.at += 4;
    unsigned answers = get16(reply + 6);
    if (!walk_records(&w, answers, answers + get16(reply + 8) + get16(reply + 10)))
        return 1;
    /* Take this client's own options off: they are the last of the OPT, which is the last record. */
    size_t own = 0;
    if (question->edns) {
        if (question->padding)
            return 1; /* their length cannot be told from here, and encrypted clients are served from L2 */
        own = own_options_size(question);
        if (index.opt_rdlen == 0 || own > get16(reply + index.opt_rdlen))
            return 1;
    }
    index.size = (uint16_t)(size - own);
    *ret_index = index;
    return 0;
}

static void rotate_records(const struct netd_index *index, const uint8_t *kept, uint32_t by, uint8_t *reply)
{
    size_t total = (size_t)index->rotate_stride * index->rotate_count;
    size_t shift = (size_t)index->rotate_stride * (by % index->rotate_count);
    memcpy(reply + index->rotate_at, kept + index->rotate_at + shift, total - shift);
    memcpy(reply + index->rotate_at + total - shift, kept + index->rotate_at, shift);
}

int netd_core_patch(const struct netd_question *question, const uint8_t *kept, const struct netd_index *index,
                    const uint16_t *ttls, uint32_t age_s, uint32_t rotate, uint8_t *reply, size_t room,
                    size_t *ret_size)
{
    size_t limit = MIN(room, question->reply_room), size = index->size;
    if (size + (question->edns ? own_options_size(question) : 0) > limit)
        return 1;
    memcpy(reply, kept, size);
    if (index->rotate_count > 1)
        rotate_records(index, kept, rotate, reply);
    put16(reply, question->id);
    memcpy(reply + MESSAGE_HEADER_SIZE, question->qname_raw, name_size(question->qname));
    if (age_s) {
        for (unsigned i = 0; i < index->ttl_count; i++) {
            uint32_t ttl = get32(reply + ttls[i]);
            put32(reply + ttls[i], ttl > age_s ? ttl - age_s : 0);
        }
    }
    if (question->edns) {
        if (index->opt_rdlen == 0)
            return 1;
        /* The kept OPT counted the first client's options, which are not here. */
        put16(reply + index->opt_rdlen, (uint16_t)(size - index->opt_rdlen - 2u));
        own_options_append(question, reply, limit, index->opt_rdlen, &size);
    }
    *ret_size = size;
    return 0;
}
