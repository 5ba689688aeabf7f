#include "common/wire/build.h"

#include <string.h>

#include "common/wire/rdata_shape.h"

/* A pointer has 14 bits, RFC 1035 4.1.4. */
#define POINTER_MAX 0x3fffu

static void put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_bytes(struct builder *b, const void *bytes, size_t size)
{
    if (b->failed || size > b->room - b->reserved - b->size) {
        b->failed = true;
        return;
    }
    if (size)
        memcpy(b->wire + b->size, bytes, size);
    b->size += size;
}

static void put_number(struct builder *b, uint32_t value, unsigned octets)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    put_bytes(b, bytes + (4 - octets), octets);
}

void build_begin(struct builder *b, void *wire, size_t room, uint16_t id, uint16_t flags)
{
    *b = (struct builder){.wire = wire, .room = MIN(room, (size_t)MESSAGE_MAX)};
    static const uint8_t no_counts[8];
    put_number(b, id, 2);
    put_number(b, flags, 2);
    put_bytes(b, no_counts, sizeof(no_counts));
}

void build_set_flags(struct builder *b, uint16_t flags)
{
    if (b->size >= MESSAGE_HEADER_SIZE)
        put_u16(b->wire + 2, flags);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Is the label that was written at `offset` this one, and does the name go on there at `rest` (0: it ends)?
 */
static bool label_is_at(const struct builder *b, size_t offset, const uint8_t *label, size_t rest, bool exact)
{
    const uint8_t *at = b->wire + offset;
    size_t end = offset + 1 + label[0];
    if (at[0] != label[0] || end >= b->size)
        return false;
    for (unsigned i = 1; i <= label[0]; i++)
        if (exact ? at[i] != label[i] : lower(at[i]) != lower(label[i]))
            return false;
    if (!rest)
        return b->wire[end] == 0;
    if (end == rest)
        return true;
    return b->wire[end] >= 0xc0 && end + 1 < b->size &&
           ((size_t)(b->wire[end] & 0x3f) << 8 | b->wire[end + 1]) == rest;
}

/* A name, with a pointer for the longest suffix that is there already. `exact`: only where the case agrees
 * too: names in RDATA keep theirs, owners are lower-case inside and take the question's.
 *
 * The suffixes are looked up from the root on, each one label longer than the last; a suffix counts only if
 * it goes on where the shorter one was found, so a label is compared once and the work is linear in the name.
 */
static void put_name(struct builder *b, const uint8_t *name, bool exact)
{
    uint8_t offsets[NAME_MAX_LABELS];
    uint8_t slot_of[NAME_MAX_LABELS];
    unsigned labels = 0;
    for (size_t at = 0; name[at]; at += 1u + name[at])
        offsets[labels++] = (uint8_t)at;

    size_t found = 0; /* where the longest suffix seen so far stands in the message */
    unsigned left = labels;
    uint32_t hash = 2166136261u; /* FNV-1a: collisions only cost compression */
    bool searching = true;
    for (unsigned i = labels; i-- > 0;) {
        const uint8_t *label = name + offsets[i];
        for (unsigned k = 0; k <= label[0]; k++)
            hash = (hash ^ lower(label[k])) * 16777619u;
        slot_of[i] = (uint8_t)((hash ^ hash >> 16) % BUILD_COMPRESS_SLOTS);
        size_t offset = b->slots[slot_of[i]];
        if (searching && offset && label_is_at(b, offset, label, found, exact)) {
            found = offset;
            left = i;
        } else {
            searching = false;
        }
    }

    size_t start = b->size, prefix = left < labels ? offsets[left] : name_size(name) - 1;
    put_bytes(b, name, prefix);
    if (found)
        put_number(b, (uint32_t)(0xc000u | found), 2);
    else
        put_number(b, 0, 1);
    for (unsigned i = 0; i < left && !b->failed; i++)
        if (!b->slots[slot_of[i]] && start + offsets[i] <= POINTER_MAX)
            b->slots[slot_of[i]] = (uint16_t)(start + offsets[i]);
}

void build_question(struct builder *b, const uint8_t *qname, uint16_t qtype, uint16_t qclass)
{
    put_name(b, qname, true);
    put_number(b, qtype, 2);
    put_number(b, qclass, 2);
    if (!b->failed)
        b->counts[0]++;
}

void build_reserve(struct builder *b, size_t bytes)
{
    if (bytes > b->room - b->reserved - b->size)
        b->failed = true;
    else
        b->reserved += bytes;
}

static void put_rdata(struct builder *b, uint16_t type, const void *data, uint16_t size)
{
    const struct rdata_shape *shape = rdata_shape_find(type);
    struct rdata rdata = {.data = data, .size = size};
    if (!shape || !(shape->flags & SHAPE_COMPRESS) || rdata_check(type, &rdata) != 0) {
        put_bytes(b, data, size);
        return;
    }
    struct rdata_walk walk = rdata_walk_begin(shape, reader_make(data, size), false);
    struct rdata_field field;
    while (rdata_walk_next(&walk, &field)) {
        if (field.name_size)
            put_name(b, field.name, true);
        else
            put_bytes(b, field.data, field.size);
    }
}

static void put_rr(struct builder *b, const uint8_t *owner, uint16_t type, uint16_t class, uint32_t ttl,
                   const void *rdata, uint16_t size)
{
    put_name(b, owner, false);
    put_number(b, type, 2);
    put_number(b, class, 2);
    put_number(b, ttl, 4);
    size_t length_at = b->size;
    put_number(b, 0, 2);
    put_rdata(b, type, rdata, size);
    if (!b->failed)
        put_u16(b->wire + length_at, (unsigned)(b->size - length_at - 2));
}

/* Takes back what was written since mark, with the compression targets in it. */
static void undo(struct builder *b, size_t mark)
{
    b->size = mark;
    b->failed = false;
    for (unsigned i = 0; i < BUILD_COMPRESS_SLOTS; i++)
        if (b->slots[i] >= mark)
            b->slots[i] = 0;
}

static int finish_rrs(struct builder *b, enum section section, size_t mark, unsigned records)
{
    unsigned number = section + 1u;
    if (b->failed || b->counts[number] + records > UINT16_MAX) {
        undo(b, mark);
        return 1;
    }
    b->counts[number] = (uint16_t)(b->counts[number] + records);
    b->section = (uint8_t)number;
    return 0;
}

int build_rrset(struct builder *b, enum section section, const struct rrset *rrset, uint32_t ttl,
                bool with_sigs, unsigned rotate)
{
    size_t mark = b->size;
    unsigned records = 0;
    assert(section + 1u >= b->section);
    if (b->failed)
        return 1;
    for (unsigned i = 0; i < rrset->count && !b->failed; i++, records++) {
        const struct rdata *rdata = &rrset->rdata[(i + rotate % rrset->count) % rrset->count];
        put_rr(b, rrset->owner, rrset->type, rrset->class, ttl, rdata->data, rdata->size);
    }
    for (unsigned i = 0; with_sigs && i < rrset->sig_count && !b->failed; i++, records++)
        put_rr(b, rrset->owner, TYPE_RRSIG, rrset->class, ttl, rrset->sig[i].data, rrset->sig[i].size);
    return finish_rrs(b, section, mark, records);
}

int build_rr(struct builder *b, enum section section, const uint8_t *owner, uint16_t type, uint16_t class,
             uint32_t ttl, const void *rdata, uint16_t size)
{
    size_t mark = b->size;
    assert(section + 1u >= b->section);
    if (b->failed)
        return 1;
    put_rr(b, owner, type, class, ttl, rdata, size);
    return finish_rrs(b, section, mark, 1);
}

static size_t option_size(size_t payload)
{
    return 4 + payload;
}

static void put_option(struct builder *b, uint16_t code, const void *data, size_t size)
{
    put_number(b, code, 2);
    put_number(b, (uint32_t)size, 2);
    put_bytes(b, data, size);
}

static void put_errors(struct builder *b, const struct edns_reply *opt, size_t count, bool texts)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = texts ? opt->ede[i].text_size : 0;
        put_number(b, EDNS_EDE, 2);
        put_number(b, (uint32_t)(2 + size), 2);
        put_number(b, opt->ede[i].code, 2);
        put_bytes(b, opt->ede[i].text, size);
    }
}

/* How much of the errors fits: with texts, or how many bare codes. */
static size_t fit_errors(const struct edns_reply *opt, size_t room, bool *ret_texts)
{
    size_t count = MIN(opt->ede_count, EDNS_MAX_EDE), full = 0;
    for (size_t i = 0; i < count; i++)
        full += option_size(2u + opt->ede[i].text_size);
    *ret_texts = full <= room;
    return *ret_texts ? count : MIN(count, room / option_size(2));
}

/* RFC 8467 4: the whole message becomes a multiple of the block, as far as there is room. */
static void put_padding(struct builder *b, unsigned block)
{
    static const uint8_t zeros[64];
    size_t room = b->room - b->size;
    if (b->failed || !block || room < option_size(0))
        return;
    size_t unpadded = b->size + option_size(0);
    size_t padding = MIN((block - unpadded % block) % block, room - option_size(0));
    put_number(b, EDNS_PADDING, 2);
    put_number(b, (uint32_t)padding, 2);
    for (size_t part; padding; padding -= part) {
        part = MIN(padding, sizeof(zeros));
        put_bytes(b, zeros, part);
    }
}

void build_opt(struct builder *b, const struct edns_reply *opt)
{
    size_t fixed = 11;
    b->reserved = 0;
    if (opt->cookie.size)
        fixed += option_size(opt->cookie.size);
    if (opt->keepalive_ds >= 0)
        fixed += option_size(2);
    fixed += opt->raw.size;
    if (b->failed || fixed > b->room - b->size) {
        b->failed = true;
        return;
    }
    bool texts;
    size_t errors = fit_errors(opt, b->room - b->size - fixed, &texts);
    put_number(b, 0, 1);
    put_number(b, TYPE_OPT, 2);
    put_number(b, opt->payload_size, 2);
    put_number(b, (uint32_t)(opt->rcode >> 4 & 0xff) << 24 | (uint32_t)opt->version << 16 | opt->flags, 4);
    size_t length_at = b->size;
    put_number(b, 0, 2);
    if (opt->cookie.size)
        put_option(b, EDNS_COOKIE, opt->cookie.data, opt->cookie.size);
    if (opt->keepalive_ds >= 0) {
        uint8_t timeout[2];
        put_u16(timeout, (unsigned)MIN(opt->keepalive_ds, UINT16_MAX));
        put_option(b, EDNS_TCP_KEEPALIVE, timeout, sizeof(timeout));
    }
    put_errors(b, opt, errors, texts);
    put_bytes(b, opt->raw.data, opt->raw.size);
    put_padding(b, opt->padding_block);
    if (b->failed)
        return;
    put_u16(b->wire + length_at, (unsigned)(b->size - length_at - 2));
    b->counts[3]++;
}

size_t build_end(struct builder *b)
{
    if (b->failed)
        return 0;
    for (unsigned i = 0; i < 4; i++)
        put_u16(b->wire + 4 + 2 * i, b->counts[i]);
    return b->size;
}
