/* What is known of each server address. Only a matched reply makes a server look better or marks an ability;
 * a forged packet changes nothing here (THREATS: server-state spoof). */

#include <stdlib.h>
#include <string.h>

#include "daemons/recursord/core/internal.h"

#define TIMEOUT_MIN_MS                                                                                       \
    200u /* a loaded server, or we, need that; below it retries cost more than they save                     \
          */
#define TIMEOUT_MAX_MS     3000u /* three tries must fit into the 10 s of a question */
#define TIMEOUT_TCP_MIN_MS 1000u /* a handshake and the question */
#define DOWN_AFTER         3u    /* timeouts in a row */
#define DOWN_FIRST_MS      5000u
#define DOWN_MAX_MS        900000u /* RFC 9520 3.2 asks for backing off; 15 min as other resolvers do */
#define PLAIN_AFTER        2u      /* timeouts: the last try of a question */
#define PLAIN_ONE_IN       4u      /* of the probes of a server that stays silent */
#define FAMILY_AFTER       4u      /* unreachable in a row, without one reply between */
#define FAMILY_DOWN_MS     60000u

static uint64_t hash_address(const struct rec_core *core, const struct address *address)
{
    uint8_t key[19] = {address->family, (uint8_t)(address->port >> 8), (uint8_t)address->port};
    memcpy(key + 3, address->bytes, 16);
    return siphash24(&core->key, key, sizeof(key));
}

struct server *servers_find(struct rec_core *core, const struct address *address)
{
    uint64_t hash = hash_address(core, address);
    struct list *bucket = table_bucket(&core->servers, hash);
    LIST_FOREACH (pos, bucket) {
        struct server *server = CONTAINER_OF(table_node_of(pos), struct server, node);
        if (server->node.hash == hash && address_equal(&server->address, address))
            return server;
    }
    return NULL;
}

static int make_room(struct rec_core *core)
{
    if (table_full(&core->servers))
        servers_remove(core, CONTAINER_OF(table_oldest(&core->servers), struct server, node));
    if (core->servers.count < core->servers_room)
        return 0;
    size_t room = core->servers_room ? core->servers_room * 2 : 64;
    struct server **all = realloc(core->servers_all, room * sizeof(*all));
    if (!all)
        return 1;
    core->servers_all = all;
    core->servers_room = room;
    return 0;
}

struct server *servers_get(struct rec_core *core, const struct address *address)
{
    struct server *server = servers_find(core, address);
    if (server) {
        table_touch(&core->servers, &server->node);
        return server;
    }
    if (make_room(core))
        return NULL;
    server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->address = *address;
    server->index = core->servers.count;
    core->servers_all[server->index] = server;
    table_insert(&core->servers, &server->node, hash_address(core, address));
    return server;
}

void servers_remove(struct rec_core *core, struct server *server)
{
    struct server *last = core->servers_all[core->servers.count - 1];
    core->servers_all[server->index] = last;
    last->index = server->index;
    table_remove(&core->servers, &server->node);
    free(server);
}

void server_replied(struct rec_core *core, struct server *server, uint64_t rtt_us, bool measure)
{
    server->timeouts = 0;
    server->tried_plain = false;
    server->down_until = (mono_ns){0};
    core->family_failures[server->address.family == 6] = 0;
    core->family_down_until[server->address.family == 6] = (mono_ns){0};
    if (!measure)
        return;
    uint32_t rtt = (uint32_t)MIN(rtt_us, (uint64_t)30000000);
    if (!server->measured) { /* RFC 6298 2.2 */
        server->srtt_us = rtt;
        server->rttvar_us = rtt / 2;
        server->measured = true;
        return;
    }
    uint32_t off = rtt > server->srtt_us ? rtt - server->srtt_us : server->srtt_us - rtt;
    server->rttvar_us = (uint32_t)(((uint64_t)server->rttvar_us * 3 + off) / 4);
    server->srtt_us = (uint32_t)(((uint64_t)server->srtt_us * 7 + rtt) / 8);
}

void server_silent(struct server *server, const struct env *env)
{
    if (server->timeouts < 1000)
        server->timeouts++;
    if (server->timeouts < DOWN_AFTER)
        return;
    unsigned doublings = MIN(server->timeouts - DOWN_AFTER, 8u);
    server->down_until = mono_add_ms(env->mono, MIN(DOWN_FIRST_MS << doublings, DOWN_MAX_MS));
}

bool server_needs_plain(const struct server *server)
{
    return !server->knows_edns && server->timeouts >= PLAIN_AFTER &&
           (!server->tried_plain || server->timeouts % PLAIN_ONE_IN == 0);
}

bool server_is_gone(const struct server *server)
{
    return server && server->measured && server->timeouts > 0 && (server->knows_edns || server->tried_plain);
}

static uint64_t hash_zone(const struct rec_core *core, const uint8_t *zone)
{
    return siphash24(&core->key, zone, name_size(zone));
}

void server_set_lame(struct rec_core *core, struct server *server, const uint8_t *zone, mono_ns until)
{
    uint64_t hash = hash_zone(core, zone);
    for (unsigned i = 0; i < LAME_ZONES; i++)
        if (server->lame[i].zone == hash) {
            server->lame[i].until = until;
            return;
        }
    server->lame[server->lame_next] = (struct lame){.zone = hash, .until = until};
    server->lame_next = (uint8_t)((server->lame_next + 1) % LAME_ZONES);
}

bool server_is_lame(struct rec_core *core, const struct server *server, const uint8_t *zone, mono_ns now)
{
    uint64_t hash = hash_zone(core, zone);
    for (unsigned i = 0; i < LAME_ZONES; i++)
        if (server->lame[i].zone == hash && !mono_reached(now, server->lame[i].until))
            return true;
    return false;
}

uint32_t server_timeout_ms(const struct server *server, const struct config *config, unsigned tries,
                           enum rec_transport transport)
{
    uint32_t base = config->c.server_timeout_ms;
    if (server && server->measured)
        base = MAX((server->srtt_us + 4 * server->rttvar_us) / 1000, TIMEOUT_MIN_MS);
    unsigned doublings = MIN(MAX(tries, server ? MIN(server->timeouts, 2u) : 0u), 4u);
    base = MIN(MIN(base, TIMEOUT_MAX_MS) << doublings, TIMEOUT_MAX_MS);
    return transport == REC_TCP ? MAX(base * 2, TIMEOUT_TCP_MIN_MS) : base;
}

void servers_family_result(struct rec_core *core, const struct env *env, unsigned family, bool works)
{
    unsigned f = family == 6;
    if (works) {
        core->family_failures[f] = 0;
        core->family_down_until[f] = (mono_ns){0};
    } else if (++core->family_failures[f] >= FAMILY_AFTER) {
        core->family_down_until[f] = mono_add_ms(env->mono, FAMILY_DOWN_MS);
    }
}
