#pragma once
/* A world in one process: the three cores, a memory store instead of LMDB, a virtual clock, a network that
 * somebody else scripts. No socket, no sleep, no thread; the same input gives the same bytes. The replay
 * player and the fuzzers drive it.
 *
 * A client's question goes in as the bytes of a packet at netd's core and comes out as bytes. What recursord
 * sends upstream becomes a struct exchange that waits until world_reply(), world_fail(), or a core's own
 * timer ends it. */

#include "common/base/list.h"
#include "daemons/netd/core/netd_core.h"
#include "daemons/recursord/core/recursor.h"
#include "daemons/validatord/core/validator.h"

struct world;

struct world_config {
    struct rec_config rec;
    struct val_config val;
    struct netd_config netd;
    wall_s start;
    uint64_t seed;
};

struct exchange {
    struct list link;
    uint64_t id;
    struct address server;
    bool tcp;
    bool seen; /* the network has looked at it */
    uint8_t *wire;
    size_t size;
    mono_ns sent;
};

struct world_client {
    struct list link;
    uint64_t number;      /* in order of asking */
    bool answered, asked; /* asked: validatord was asked, its verdict may still come */
    struct netd_question question;
    mono_ns timer; /* client response timer */
    mono_ns give_up;
    uint8_t *reply;
    size_t reply_size; /* 0 with answered: dropped, no reply is due */
};

struct world_event {
    struct list link;
    struct val_event event;
};

struct world *world_new(const struct world_config *config);
void world_free(struct world *world);

/* A packet from a client. Returns the question's record; it stays until world_free. */
struct world_client *world_ask(struct world *world, struct slice packet, const struct address *client,
                               enum netd_transport transport);
/* The oldest exchange the network has not looked at, or NULL. */
struct exchange *world_next_exchange(struct world *world);
/* Exchanges that wait, oldest first. */
struct list *world_exchanges(struct world *world);
void world_reply(struct world *world, struct exchange *exchange, struct slice wire);
void world_fail(struct world *world, struct exchange *exchange, enum rec_failure why);
/* The next instant at which a core wants to be called. MONO_NEVER: none. */
mono_ns world_deadline(const struct world *world);
/* Moves the clock on by ns and calls whoever is due, in order of time. The caller looks at new exchanges
 * between. */
mono_ns world_now(const struct world *world);
void world_advance_to(struct world *world, mono_ns to);
/* What an operator does to validatord: an NTA comes (lifetime_s > 0) or goes (0), the cache is emptied, both
 * cores start anew over the cache as it is. NTA: 0; 1: none to remove. */
int world_nta(struct world *world, const uint8_t *name, int64_t lifetime_s, bool forced);
/* Probes that NTA's or incident's zone now. 0; 1: there is none. */
int world_probe(struct world *world, const uint8_t *name);
/* What validatord would tell of a zone, each in one word. */
struct world_state {
    const char *incident; /* open, degraded, closed */
    const char *nta;      /* nta, no-nta */
    const char *advised;  /* advised, not-advised */
    const char *probe; /* of the NTA, else of the incident: unprobed, valid, partly-valid, invalid, silent */
};
void world_state(struct world *world, const uint8_t *name, struct world_state *ret_state);
/* struct world_event: what validatord told the operator, in order. */
struct list *world_events(struct world *world);
/* on, off, or reset of what was switched: persisted as validatord's shell does. 0, or 1: nothing to do. */
int world_serve_stale(struct world *world, const uint8_t *zone, const char *word);
void world_flush(struct world *world);
void world_restart(struct world *world);
/* The wall clock jumps, the other goes on. */
void world_step_clock(struct world *world, int64_t seconds);
/* The list of clients in order of asking. */
struct list *world_clients(struct world *world);
