#pragma once
/* Inside of the world: world.c has the cores, the clock and the network; world_operator.c what an operator
 * and validatord's shell do to them. */

#include <stdlib.h>

#include "tests/replay/world.h"

struct digester;
struct memstore;
struct verifier;

struct world {
    struct world_config config;
    struct rec_core *rec;
    struct val_core *val;
    struct memstore *store;
    struct digester *digester;
    struct crypto_ops ops; /* the core keeps a pointer */
    struct verifier *verifier;
    struct random_pool pool;
    uint64_t random_state;
    mono_ns now;
    struct list exchanges, clients, verifies;
    struct list events, happened; /* struct world_event: to act on, and acted on */
    bool acting;
    uint64_t client_count, epoch;
};

static inline void out_of_memory(int r)
{
    if (r < 0)
        abort();
}

/* The clocks as of now, and a full pool of random bytes. */
struct env world_env(struct world *world);
/* Carries actions between the cores, and acts on events, until nothing is left. */
void world_pump(struct world *world);
/* What validatord's shell does about an event. */
void world_act(struct world *world, const struct val_event *event);
void world_exchange_drop(struct exchange *exchange);
void world_load_anchors(struct world *world);
