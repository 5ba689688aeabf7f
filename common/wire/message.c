#include "common/wire/message.h"

#include <errno.h>
#include <string.h>

#include "common/wire/rdata_shape.h"
#include "common/wire/reader.h"

/* The smallest RR: root owner, type, class, TTL, length. Bounds what the counts of a header may make us
 * allocate. */
#define RR_MIN_SIZE 11u

struct parser {
    struct arena *arena;
    struct message *message;
    struct reader r;
    const uint8_t *last_owner; /* of the RR before: sets repeat one owner, which then is stored once */
    bool no_memory;
    bool tsig_seen;
};

/* The owner in lower case: the question's or the last RR's name again when it is the same. */
static const uint8_t *intern_owner(struct parser *p, uint8_t *name, size_t size)
{
    name_lower(name);
    if (p->last_owner && memcmp(p->last_owner, name, MIN(size, name_size(p->last_owner))) == 0)
        return p->last_owner;
    const uint8_t *qname = p->message->qname;
    if (qname && memcmp(qname, name, MIN(size, name_size(qname))) == 0)
        return p->last_owner = qname;
    p->last_owner = arena_copy(p->arena, name, size);
    if (!p->last_owner)
        p->no_memory = p->r.failed = true;
    return p->last_owner;
}

static void parse_questions(struct parser *p)
{
    struct message *m = p->message;
    uint8_t name[NAME_MAX];
    for (uint16_t i = 0; i < m->qdcount && !p->r.failed; i++) {
        size_t size = reader_name(&p->r, true, name, NULL);
        uint16_t qtype = reader_u16(&p->r), qclass = reader_u16(&p->r);
        if (p->r.failed || m->qdcount != 1)
            continue;
        uint8_t *raw = arena_copy(p->arena, name, size);
        uint8_t *lower = arena_copy(p->arena, name, size);
        if (!raw || !lower) {
            p->no_memory = p->r.failed = true;
            return;
        }
        name_lower(lower);
        m->qname = lower;
        m->qname_raw = raw;
        m->qtype = qtype;
        m->qclass = qclass;
        m->question_end = (uint32_t)p->r.at;
    }
}

static bool cookie_size_is_valid(size_t size)
{
    return size == 8 || (size >= 16 && size <= 40); /* RFC 7873 5.2.2: anything else is FORMERR */
}

static void parse_option(struct edns *edns, uint16_t code, struct reader *r)
{
    size_t size = reader_left(r);
    const uint8_t *data = r->data + r->at;
    switch (code) {
    case EDNS_COOKIE:
        if (!cookie_size_is_valid(size))
            r->failed = true;
        else if (!edns->cookie.size) /* of several the first counts, RFC 7873 5.2 */
            edns->cookie = slice_make(data, size);
        break;
    case EDNS_TCP_KEEPALIVE:
        if (size != 0 && size != 2) /* RFC 7828 3.2.1 */
            r->failed = true;
        edns->has_keepalive = true;
        break;
    case EDNS_PADDING:
        edns->has_padding = true;
        break;
    case EDNS_KEY_TAG:
        if (size % 2) /* RFC 8145 4.1 */
            r->failed = true;
        edns->key_tag = slice_make(data, size);
        break;
    case EDNS_REPORT_CHANNEL:
        edns->report_channel = slice_make(data, size);
        break;
    case EDNS_EDE: {
        uint16_t info = reader_u16(r);
        if (edns->ede_count < EDNS_MAX_EDE)
            edns->ede[edns->ede_count++] = (struct edns_ede){
                .code = info, .text_size = (uint16_t)reader_left(r), .text = (const char *)data + 2};
        break;
    }
    default:
        break;
    }
}

static void parse_opt(struct parser *p, uint16_t class, uint32_t ttl, struct reader rdata)
{
    struct edns *edns = &p->message->edns;
    if (edns->present) { /* RFC 6891 6.1.1: more than one is FORMERR */
        p->r.failed = true;
        return;
    }
    edns->present = true;
    edns->payload_size = class;
    edns->extended_rcode = (uint8_t)(ttl >> 24);
    edns->version = (uint8_t)(ttl >> 16);
    edns->flags = (uint16_t)ttl;
    p->message->rcode = (uint16_t)(p->message->rcode | edns->extended_rcode << 4);
    if (edns->version) /* what options of another version look like is not known; the caller answers BADVERS
                        */
        return;
    for (unsigned options = 0; reader_left(&rdata); options++) {
        uint16_t code = reader_u16(&rdata), size = reader_u16(&rdata);
        struct reader option = reader_sub(&rdata, size);
        if (!option.failed)
            parse_option(edns, code, &option);
        if (option.failed || options >= EDNS_MAX_OPTIONS)
            p->r.failed = rdata.failed = true;
    }
}

/* RFC 8945 5.1: the last record of the message. Its inside is not looked at: holdfast shares no key with
 * anyone. */
static void parse_tsig(struct parser *p, uint16_t class)
{
    p->tsig_seen = true;
    if (class != CLASS_ANY)
        p->r.failed = true;
}

/* RDATA without compression: the bytes of the message themselves where nothing was compressed, else a copy.
 */
static struct rdata parse_rdata(struct parser *p, uint16_t type, struct reader raw)
{
    struct rdata rdata = {.data = raw.data + raw.at, .size = (uint16_t)reader_left(&raw)};
    const struct rdata_shape *shape = rdata_shape_find(type);
    if (!shape || !(shape->flags & (SHAPE_DECOMPRESS | SHAPE_CHECKED)))
        return rdata;
    struct rdata_walk walk = rdata_walk_begin(shape, raw, shape->flags & SHAPE_DECOMPRESS);
    struct rdata_field field;
    size_t size = 0;
    while (rdata_walk_next(&walk, &field))
        size += field.name_size ? field.name_size : field.size;
    if (!rdata_walk_complete(&walk) || size > UINT16_MAX) {
        p->r.failed = true;
        return rdata;
    }
    if (!walk.compressed)
        return rdata;
    uint8_t *data = arena_alloc(p->arena, size);
    if (!data) {
        p->no_memory = p->r.failed = true;
        return rdata;
    }
    rdata = (struct rdata){.data = data, .size = (uint16_t)size};
    walk = rdata_walk_begin(shape, raw, true);
    while (rdata_walk_next(&walk, &field)) {
        size_t part = field.name_size ? field.name_size : field.size;
        memcpy(data, field.name_size ? field.name : field.data, part);
        data += part;
    }
    return rdata;
}

static void parse_rr(struct parser *p, enum section section)
{
    struct message *m = p->message;
    uint8_t name[NAME_MAX];
    size_t size = reader_name(&p->r, true, name, NULL);
    uint16_t type = reader_u16(&p->r), class = reader_u16(&p->r);
    uint32_t ttl = reader_u32(&p->r);
    struct reader raw = reader_sub(&p->r, reader_u16(&p->r));
    if (p->tsig_seen)
        p->r.failed = true;
    if (p->r.failed)
        return;
    if (type == TYPE_OPT || type == TYPE_TSIG) {
        if (section != SECTION_ADDITIONAL || (type == TYPE_OPT && name[0]))
            p->r.failed = true;
        else if (type == TYPE_OPT)
            parse_opt(p, class, ttl, raw);
        else
            parse_tsig(p, class);
        return;
    }
    struct rr rr = {.owner = intern_owner(p, name, size), .type = type, .class = class};
    rr.ttl =
        MIN(ttl, (uint32_t)INT32_MAX); /* top bit set: a large value (RFC 8767 4), not zero (RFC 2181 8) */
    rr.rdata = parse_rdata(p, type, raw);
    if (!p->r.failed)
        m->rr[section][m->count[section]++] = rr;
}

static void parse_section(struct parser *p, enum section section, uint16_t count)
{
    if (p->r.failed || !count)
        return;
    if (count > reader_left(&p->r) / RR_MIN_SIZE) {
        p->r.failed = true;
        return;
    }
    p->message->rr[section] = arena_array(p->arena, count, sizeof(struct rr));
    if (!p->message->rr[section])
        p->no_memory = p->r.failed = true;
    for (uint16_t i = 0; i < count && !p->r.failed; i++)
        parse_rr(p, section);
}

int message_parse(struct arena *arena, const void *wire, size_t size, struct message *ret_message)
{
    if (size < MESSAGE_HEADER_SIZE)
        return MESSAGE_TOO_SHORT;
    struct message message = {.wire = wire, .size = (uint32_t)MIN(size, (size_t)MESSAGE_MAX)};
    struct parser p = {.arena = arena, .message = &message, .r = reader_make(wire, message.size)};
    message.id = reader_u16(&p.r);
    message.flags = reader_u16(&p.r);
    message.opcode = (message.flags >> 11) & 0xf;
    message.rcode = message.flags & 0xf;
    message.qdcount = reader_u16(&p.r);
    uint16_t counts[3];
    for (unsigned i = 0; i < 3; i++)
        counts[i] = reader_u16(&p.r);
    message.question_end = MESSAGE_HEADER_SIZE;
    p.r.failed = size > MESSAGE_MAX;
    parse_questions(&p);
    for (unsigned i = 0; i < 3; i++)
        parse_section(&p, i, counts[i]);
    if (p.no_memory)
        return -ENOMEM;
    bool complete = !p.r.failed && p.r.at == p.r.size;
    if (!complete)
        memset(message.count, 0, sizeof(message.count));
    *ret_message = message;
    return complete ? MESSAGE_OK : MESSAGE_MALFORMED;
}
