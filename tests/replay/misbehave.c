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
        {"silent", MISBEHAVE_SILENT, 0},   {"lame", MISBEHAVE_RCODE, LDNS_RCODE_REFUSED},
        {"badid", MISBEHAVE_BAD_ID, 0},    {"malformed", MISBEHAVE_MALFORMED, 0},
        {"formerr", MISBEHAVE_NO_EDNS, 0}, {"truncate", MISBEHAVE_TRUNCATE, 0},
        {"upward", MISBEHAVE_UPWARD, 0},
    };
    char address[64], how[64], steps[64] = "";
    struct play_server *server = calloc(1, sizeof(*server));
    snprintf(why, room, "MISBEHAVE wants an address and how: %s", line);
    if (!server || sscanf(line, "MISBEHAVE %63s %63s %63s", address, how, steps) < 2 ||
        scenario_address(address, &server->address))
        return 1;
    server->to = UINT32_MAX;
    if (steps[0] && sscanf(steps, "steps=%u-%u", &server->from, &server->to) != 2)
        return 1;
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

const struct play_server *server_fault(const struct play_server *servers, const struct address *address,
                                       unsigned step)
{
    for (; servers; servers = servers->next)
        if (address_equal(&servers->address, address) && step >= servers->from && step <= servers->to)
            return servers;
    return NULL;
}

/* Header and question of the query as a reply with that rcode. */
static size_t bare_reply(struct slice query, uint16_t rcode, uint8_t *out)
{
    size_t at = 12;
    while (at < query.size && query.data[at])
        at += 1u + query.data[at];
    size_t size = MIN(at + 5, query.size);
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
    case MISBEHAVE_MALFORMED:
        return tcp ? size : MIN(size, (size_t)17);
    case MISBEHAVE_NO_EDNS: /* an additional record in a query is its OPT */
        return query.size > 12 && query.data[11] ? bare_reply(query, LDNS_RCODE_FORMERR, out) : size;
    case MISBEHAVE_TRUNCATE:
        if (tcp)
            return size;
        size = bare_reply(query, 0, out);
        out[2] |= 0x02;
        return size;
    case MISBEHAVE_UPWARD:
        return upward_reply(query, out);
    }
    return size;
}
