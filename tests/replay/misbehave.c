#include "tests/replay/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int server_line(const char *line, struct play_server **ret_server, char *why, size_t room)
{
    static const struct {
        const char *word;
        enum misbehaviour how;
        uint16_t rcode;
    } words[] = {
        {"silent", MISBEHAVE_SILENT, 0},        {"lame", MISBEHAVE_RCODE, LDNS_RCODE_REFUSED},
        {"badid", MISBEHAVE_BAD_ID, 0},         {"malformed", MISBEHAVE_MALFORMED, 0},
        {"formerr", MISBEHAVE_NO_EDNS, 0},      {"truncate", MISBEHAVE_TRUNCATE, 0},
        {"upward", MISBEHAVE_UPWARD, 0},        {"noudp", MISBEHAVE_NO_UDP, 0},
        {"notcp", MISBEHAVE_NO_TCP, 0},         {"wrongname", MISBEHAVE_WRONG_NAME, 0},
        {"noqr", MISBEHAVE_NO_QR, 0},           {"nodnssec", MISBEHAVE_NO_DNSSEC, 0},
        {"lowercase", MISBEHAVE_LOWER_CASE, 0}, {"forger", MISBEHAVE_FORGER, 0},
        {"resolver", MISBEHAVE_RESOLVER, 0},    {"dropsedns", MISBEHAVE_DROPS_EDNS, 0},
    };
    char address[64], how[64], more[2][64] = {"", ""};
    struct play_server *server = calloc(1, sizeof(*server));
    snprintf(why, room, "MISBEHAVE wants an address and how: %s", line);
    if (!server || sscanf(line, "MISBEHAVE %63s %63s %63s %63s", address, how, more[0], more[1]) < 2 ||
        scenario_address(address, &server->address))
        return 1;
    server->to = UINT32_MAX;
    for (int i = 0; i < 2 && more[i][0]; i++) {
        if (strncmp(more[i], "for=", 4) == 0)
            server->type = (uint16_t)ldns_get_rr_type_by_name(more[i] + 4);
        else if (sscanf(more[i], "steps=%u-%u", &server->from, &server->to) != 2)
            return 1;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i].word, how) == 0) {
            server->how = words[i].how;
            server->rcode = words[i].rcode;
        }
    if (strncmp(how, "rcode=", 6) == 0) {
        const ldns_lookup_table *t = ldns_lookup_by_name(ldns_rcodes, how + 6);
        server->how = t ? MISBEHAVE_RCODE : 0;
        server->rcode = t ? (uint16_t)t->id : 0;
    }
    *ret_server = server;
    return server->how == 0;
}

/* Where the question's type stands. */
static size_t type_at(struct slice query)
{
    size_t at = 12;
    while (at < query.size && query.data[at])
        at += 1u + query.data[at];
    return at + 1;
}

const struct play_server *server_fault(const struct play_server *servers, const struct address *address,
                                       unsigned step, struct slice query)
{
    size_t at = type_at(query);
    uint16_t type = at + 2 <= query.size ? (uint16_t)(query.data[at] << 8 | query.data[at + 1]) : 0;
    for (; servers; servers = servers->next)
        if (address_equal(&servers->address, address) && step >= servers->from && step <= servers->to &&
            (!servers->type || servers->type == type))
            return servers;
    return NULL;
}

void server_forget_do(uint8_t *query, size_t size)
{
    size_t at =
        type_at(slice_make(query, size)) + 4; /* the OPT: root name, type, size, RCODE, version, flags */
    if (at + 8 < size && query[at + 2] == 41)
        query[at + 7] &= 0x7f;
}

/* Header and question of the query as a reply with that rcode. */
static size_t bare_reply(struct slice query, uint16_t rcode, uint8_t *out)
{
    size_t size = MIN(type_at(query) + 4, query.size);
    memcpy(out, query.data, size);
    memset(out + 6, 0, 6);
    out[2] = (uint8_t)((out[2] & 0x79) | 0x80);
    out[3] = (uint8_t)rcode;
    return size;
}

static size_t upward_reply(struct slice query, uint8_t *out)
{
    static const uint8_t root_ns[] = {0, 0, 2, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 1, 'a', 0, 0};
    size_t size = bare_reply(query, 0, out);
    memcpy(out + size, root_ns, sizeof(root_ns));
    out[9] = 1;
    /* RDLENGTH 3: the name a. */
    out[size + 10] = 3;
    return size + 14;
}

size_t server_spoil(const struct play_server *server, struct slice query, bool tcp, uint8_t *out, size_t size)
{
    switch (server->how) {
    case MISBEHAVE_SILENT:
        return 0;
    case MISBEHAVE_RCODE:
        return bare_reply(query, server->rcode, out);
    case MISBEHAVE_BAD_ID:
        if (!tcp)
            out[0] ^= 0x5a;
        return size;
    case MISBEHAVE_FORGER:
        out[0] ^= 0x5a;
        return tcp ? 0 : size;
    case MISBEHAVE_MALFORMED:
        return tcp ? size : MIN(size, (size_t)17);
    case MISBEHAVE_NO_EDNS: /* an additional record in a query is its OPT */
        return query.size > 12 && query.data[11] ? bare_reply(query, LDNS_RCODE_FORMERR, out) : size;
    case MISBEHAVE_DROPS_EDNS:
        return query.size > 12 && query.data[11] ? 0 : size;
    case MISBEHAVE_RESOLVER: /* AA off, RA on */
        out[2] &= 0xfb;
        out[3] |= 0x80;
        return size;
    case MISBEHAVE_TRUNCATE:
        if (tcp)
            return size;
        size = bare_reply(query, 0, out);
        out[2] |= 0x02;
        return size;
    case MISBEHAVE_UPWARD:
        return upward_reply(query, out);
    case MISBEHAVE_NO_UDP:
        return tcp ? size : 0;
    case MISBEHAVE_NO_TCP:
        return tcp ? 0 : size;
    case MISBEHAVE_WRONG_NAME:
        if (!tcp && size > 13)
            out[13] = out[13] == 'x' ? 'y' : 'x';
        return size;
    case MISBEHAVE_NO_QR:
        out[2] &= 0x7f;
        return size;
    case MISBEHAVE_NO_DNSSEC:
        return size;
    case MISBEHAVE_LOWER_CASE:
        for (size_t i = 12; !tcp && i + 4 < type_at(query) + 4 && i < size; i++)
            out[i] = out[i] >= 'A' && out[i] <= 'Z' ? (uint8_t)(out[i] + 32) : out[i];
        return size;
    }
    return size;
}
