#pragma once
/* What the tests of netd's core share: a configuration, questions in wire form, replies taken apart, a cache
 * in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/cache/memstore.h"
#include "daemons/netd/core/netd_core.h"

struct fixture {
    struct netd_config config;
    struct prefix allow[2], snoop[1];
    struct arena *arena, *parsed; /* parsed: what the last reply was taken apart into */
    struct random_pool random;
    struct env env;
    struct address client;
    struct memstore *store;
    struct cache_view view;
    struct netd_question question;
    uint8_t reply[65535];
    size_t size;
    struct message message;
};

struct fixture *fixture_new(void);
void fixture_free(struct fixture *f);
static inline void fixture_freep(struct fixture **f)
{
    fixture_free(*f);
}
#define FIXTURE(f) _cleanup_(fixture_freep) struct fixture *f = fixture_new()

/* A question's packet, piece by piece. */
struct packet {
    uint8_t bytes[4096];
    size_t size;
};
struct packet packet_make(const char *qname, uint16_t qtype, uint16_t flags);
/* Adds an OPT with these options (already encoded). */
void packet_edns(struct packet *packet, uint16_t payload, uint16_t flags, uint8_t version,
                 const void *options, size_t size);

/* Through netd_core_receive; on NETD_REPLY the reply is parsed into f->message. */
enum netd_outcome receive(struct fixture *f, const struct packet *packet, enum netd_transport transport);
/* Question of that kind that has to come to NETD_CACHE. edns_flags < 0: no OPT. */
void ask(struct fixture *f, const char *qname, uint16_t qtype, uint16_t flags, int edns_flags);
void parse_reply(struct fixture *f);
bool has_ede(const struct message *message, uint16_t code);
unsigned count_type(const struct message *message, enum section section, uint16_t type);

/* Names in wire form that live as long as the fixture's arena. */
const uint8_t *name_of(struct fixture *f, const char *text);
/* An RRset of `count` RDATAs of `size` octets: data, with the last octet counted up; sigs RRSIGs that end at
 * `until`. */
struct rrset set_of(struct fixture *f, const char *owner, uint16_t type, uint32_t ttl, const void *data,
                    uint16_t size, uint16_t count, unsigned sigs, uint32_t until);
/* Puts the set into the cache as secure, stored `age` seconds ago. */
void cache_put(struct fixture *f, const struct rrset *set, uint32_t age, uint32_t life);
