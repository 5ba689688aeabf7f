/* A client's message as a question: the first thing that reads a stranger's bytes, and on the way to every L1
 * hit.
 *
 * One pass, no allocation: header, question, then each further record by its length alone, since nothing but
 * the OPT is of interest in what a client sends. Names of further records may be compressed, backwards only.
 */

#include <string.h>

#include "daemons/netd/core/netd_internal.h"

struct cursor {
    const uint8_t *data;
    size_t size, at;
};

/* The question's name: no compression, there is nothing before it to point at. */
static bool read_qname(struct cursor *c, struct netd_question *question)
{
    size_t at = c->at, out = 0;
    for (;;) {
        if (at >= c->size)
            return false;
        uint8_t label = c->data[at];
        if (label > 63 || out + 1u + label + (label ? 1u : 0u) > NAME_MAX || at + 1u + label > c->size)
            return false;
        memcpy(question->qname_raw + out, c->data + at, 1u + label);
        at += 1u + label;
        out += 1u + label;
        if (label == 0)
            break;
    }
    for (size_t i = 0; i < out; i++) {
        uint8_t octet = question->qname_raw[i];
        question->qname[i] = (uint8_t)(octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet);
    }
    c->at = at;
    return true;
}

/* Steps over a name that may end in a pointer. */
static bool skip_name(struct cursor *c)
{
    size_t octets = 0;
    for (;;) {
        if (c->at >= c->size)
            return false;
        uint8_t label = c->data[c->at];
        if (label >= 0xc0) {
            if (c->size - c->at < 2)
                return false;
            size_t target = get16(c->data + c->at) & 0x3fffu;
            if (target < MESSAGE_HEADER_SIZE || target >= c->at)
                return false;
            c->at += 2;
            return true;
        }
        octets += 1u + label;
        if (label > 63 || octets > NAME_MAX || c->size - c->at < 1u + label)
            return false;
        c->at += 1u + label;
        if (label == 0)
            return true;
    }
}

static bool read_options(const uint8_t *data, size_t size, enum netd_transport transport,
                         struct netd_question *question, struct question_edns *edns)
{
    size_t at = 0;
    for (unsigned n = 0; at < size; n++) {
        if (n == EDNS_MAX_OPTIONS || size - at < 4)
            return false;
        uint16_t code = get16(data + at), length = get16(data + at + 2);
        at += 4;
        if (size - at < length)
            return false;
        if (code == EDNS_COOKIE) {
            /* RFC 7873 5.2.2: a length other than 8 or 16 to 40 is FORMERR. Only the first one counts. */
            if (length < 8 || (length > 8 && length < 16) || length > 40)
                return false;
            if (edns->cookie_size == 0) {
                memcpy(edns->cookie, data + at, length);
                edns->cookie_size = (uint8_t)length;
            }
        } else if (code == EDNS_TCP_KEEPALIVE) {
            /* RFC 7828 3.2.1: has no data in a query; 3.2.2: ignored over UDP. */
            if (length != 0)
                return false;
            question->keepalive = transport == NETD_TCP || transport == NETD_TLS;
        } else if (code == EDNS_PADDING) {
            question->padding = transport == NETD_TLS || transport == NETD_HTTPS;
        }
        at += length;
    }
    return true;
}

static bool read_opt(struct cursor *c, enum netd_transport transport, uint16_t edns_size,
                     struct netd_question *question, struct question_edns *edns)
{
    const uint8_t *fixed = c->data + c->at; /* behind the owner: type, class, ttl, rdlength */
    uint16_t payload = get16(fixed + 2), length = get16(fixed + 8);
    edns->version = fixed[5];
    question->edns = true;
    question->want_do = (get16(fixed + 6) & EDNS_FLAG_DO) != 0;
    if (transport == NETD_UDP)
        question->reply_room =
            (uint16_t)MIN(MAX(payload, 512u), MIN(MAX(edns_size, 512u), NETD_UDP_REPLY_MAX));
    /* Options of a version we do not know are not read: BADVERS says so. */
    return edns->version != 0 || read_options(fixed + 10, length, transport, question, edns);
}

static bool read_records(struct cursor *c, unsigned plain, unsigned additional, enum netd_transport transport,
                         uint16_t edns_size, struct netd_question *question, struct question_edns *edns)
{
    for (unsigned n = 0; n < plain + additional; n++) {
        bool root_owner = c->at < c->size && c->data[c->at] == 0;
        if (!skip_name(c) || c->size - c->at < 10)
            return false;
        uint16_t type = get16(c->data + c->at), length = get16(c->data + c->at + 8);
        if (c->size - c->at - 10 < length)
            return false;
        if (type == TYPE_OPT) {
            /* RFC 6891 6.1.1: in the additional section, once, owned by the root. */
            if (n < plain || question->edns || !root_owner ||
                !read_opt(c, transport, edns_size, question, edns))
                return false;
        }
        c->at += 10u + length;
    }
    return c->at == c->size;
}

enum question_outcome question_parse(struct slice packet, enum netd_transport transport, uint16_t edns_size,
                                     struct netd_question *ret_question, struct question_edns *ret_edns)
{
    struct netd_question *question = ret_question;
    const uint8_t *data = packet.data;
    question->id = get16(data);
    question->flags = get16(data + 2);
    question->qtype = question->qclass = question->ask_type = 0;
    question->qname[0] = question->qname_raw[0] = 0;
    question->transport = transport;
    question->edns = question->want_do = question->keepalive = question->padding = false;
    question->reply_room = transport == NETD_UDP ? 512 : UINT16_MAX;
    question->cookie_size = 0;
    ret_edns->version = ret_edns->cookie_size = 0;

    unsigned questions = get16(data + 4), plain = get16(data + 6) + (unsigned)get16(data + 8);
    unsigned additional = get16(data + 10);
    struct cursor c = {.data = data, .size = packet.size, .at = MESSAGE_HEADER_SIZE};
    if (questions > 1)
        return QUESTION_MALFORMED;
    if (questions == 1) {
        if (!read_qname(&c, question) || c.size - c.at < 4) {
            question->qname[0] = question->qname_raw[0] = 0;
            return QUESTION_MALFORMED;
        }
        question->qtype = question->ask_type = get16(data + c.at);
        question->qclass = get16(data + c.at + 2);
        c.at += 4;
    }
    if (!read_records(&c, plain, additional, transport, edns_size, question, ret_edns))
        return QUESTION_MALFORMED;
    if (questions == 0)
        return ret_edns->cookie_size ? QUESTION_COOKIE_ONLY : QUESTION_MALFORMED;
    return QUESTION_OK;
}
