#include "tests/replay/world_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/cache/memstore.h"
#include "common/cache/outdated.h"
#include "daemons/validatord/crypto_openssl.h"

#define CLIENT_GIVE_UP_MS 12000u  /* as netd's shell has it */
#define CORE_SPIN_MAX     100000u /* calls at one instant: more is a core that never finishes */

struct pending_verify {
    struct list link;
    uint64_t id;
    enum verify_outcome outcome;
};

/* xorshift64*: reproducible, and nothing here needs to be unpredictable. */
static uint64_t next_random(struct world *world)
{
    uint64_t x = world->random_state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    world->random_state = x;
    return x * 0x2545f4914f6cdd1dULL;
}

struct env world_env(struct world *world)
{
    for (size_t at = 0; at < RANDOM_POOL_BYTES - world->pool.left; at++)
        world->pool.bytes[at] = (uint8_t)(next_random(world) >> 32);
    world->pool.left = RANDOM_POOL_BYTES;
    return (struct env){.mono = world->now,
                        .wall = {.s = world->config.start.s + (int64_t)(world->now.ns / NS_PER_S)},
                        .random = &world->pool};
}

struct world *world_new(const struct world_config *config)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world)
        abort();
    world->config = *config;
    world->random_state = config->seed ? config->seed : 1;
    list_init(&world->exchanges);
    list_init(&world->clients);
    list_init(&world->verifies);
    list_init(&world->events);
    list_init(&world->happened);
    world->now.ns = NS_PER_S; /* not 0, so that "never happened" stamps lie in the past */
    struct siphash_key key = {.k0 = config->seed, .k1 = 1};
    if (digester_new(&world->digester) < 0 || verifier_new(&world->verifier) < 0)
        abort();
    world->ops = digester_ops(world->digester);
    world->config.netd.nsec3_hash = digester_nsec3_hash;
    world->config.netd.nsec3_ctx = world->digester;
    world->store = memstore_new();
    world->rec = rec_core_new(&config->rec, &key);
    world->val = val_core_new(&config->val, &world->ops, &key);
    if (!world->store || !world->rec || !world->val)
        abort();
    world_load_anchors(world);
    return world;
}

void world_exchange_drop(struct exchange *exchange)
{
    list_remove(&exchange->link);
    free(exchange->wire);
    free(exchange);
}

void world_free(struct world *world)
{
    LIST_FOREACH_SAFE(pos, &world->exchanges)
    world_exchange_drop(CONTAINER_OF(pos, struct exchange, link));
    LIST_FOREACH_SAFE(pos, &world->clients)
    {
        struct world_client *client = CONTAINER_OF(pos, struct world_client, link);
        free(client->reply);
        free(client);
    }
    LIST_FOREACH_SAFE(pos, &world->verifies)
    free(CONTAINER_OF(pos, struct pending_verify, link));
    LIST_FOREACH_SAFE(pos, &world->events)
    free(CONTAINER_OF(pos, struct world_event, link));
    LIST_FOREACH_SAFE(pos, &world->happened)
    free(CONTAINER_OF(pos, struct world_event, link));
    rec_core_free(world->rec);
    val_core_free(world->val);
    memstore_free(world->store);
    digester_free(world->digester);
    verifier_free(world->verifier);
    free(world);
}

static struct world_client *client_find(struct world *world, uint64_t number)
{
    LIST_FOREACH (pos, &world->clients) {
        struct world_client *client = CONTAINER_OF(pos, struct world_client, link);
        if (client->number == number)
            return client;
    }
    return NULL;
}

static void client_answer(struct world_client *client, const uint8_t *reply, size_t size)
{
    client->answered = true;
    client->timer = client->give_up = MONO_NEVER;
    client->reply = malloc(size ? size : 1);
    if (!client->reply)
        abort();
    if (size)
        memcpy(client->reply, reply, size);
    client->reply_size = size;
}

/* The verdict as netd gets it: through its wire form, and back. */
static void take_verdict(struct world *world, const struct val_action *action)
{
    static uint8_t wire[MESSAGE_MAX], reply[MESSAGE_MAX];
    struct world_client *client = client_find(world, action->id);
    if (!client || client->answered)
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new(4u << 20);
    struct answer answer;
    size_t size =
        answer_to_wire(action->answer, client->question.qname, client->question.ask_type, wire, sizeof(wire));
    if (!arena || size == 0 || answer_from_wire(arena, wire, size, &answer) != 0)
        abort();
    answer.security = action->answer->security;
    answer.authentic = action->answer->authentic;
    answer.stale = action->answer->stale;
    answer.ttl = action->answer->ttl;
    answer.negative = action->answer->negative;
    struct env env = world_env(world);
    uint32_t keep;
    netd_core_verdict(&world->config.netd, arena, &env, &client->question, &answer, reply, sizeof(reply),
                      &size, &keep, NULL);
    client_answer(client, reply, size);
}

/* What the shell would do about it waits until the cores are quiet. */
static void take_event(struct world *world, const struct val_event *event)
{
    struct world_event *kept = calloc(1, sizeof(*kept));
    if (!kept)
        abort();
    kept->event = *event;
    list_append(&world->events, &kept->link);
}

/* As the shell persists it: then the epoch, then it takes effect. */
static void take_anchor(struct world *world, const struct val_action *action)
{
    struct env env = world_env(world);
    struct cache_view view;
    uint8_t zone[NAME_MAX];

    out_of_memory(memstore_apply(world->store, &action->write, false));
    if (!action->effective)
        return;
    name_copy(action->zone, zone);
    memstore_view(world->store, NULL, &view);
    val_core_set_epoch(world->val, ++world->epoch);
    val_core_anchor_written(world->val, &env, &view, zone, true);
}

static void take_val_action(struct world *world, const struct val_action *action)
{
    struct env env = world_env(world);
    switch (action->kind) {
    case VAL_ACTION_FETCH: {
        struct rec_fetch fetch = {.id = action->fetch,
                                  .qname = action->qname,
                                  .qtype = action->qtype,
                                  .cut = action->cut,
                                  .delegation = action->delegation,
                                  .budget = action->budget,
                                  .avoid = action->avoid,
                                  .avoid_count = action->avoid_count,
                                  .only = action->only,
                                  .only_transport = action->only_tcp ? REC_TCP : REC_UDP,
                                  .to_referral = action->to_referral};
        out_of_memory(rec_core_fetch(world->rec, &env, &fetch));
        break;
    }
    case VAL_ACTION_CANCEL:
        rec_core_cancel(world->rec, &env, action->fetch);
        break;
    case VAL_ACTION_VERIFY: {
        struct pending_verify *pending = calloc(1, sizeof(*pending));
        if (!pending)
            abort();
        pending->id = action->verify;
        pending->outcome = verifier_check(world->verifier, &action->request);
        list_append(&world->verifies, &pending->link);
        break;
    }
    case VAL_ACTION_VERDICT:
        take_verdict(world, action);
        break;
    case VAL_ACTION_WRITE:
        out_of_memory(memstore_apply(world->store, &action->write, false));
        break;
    case VAL_ACTION_EVENT:
        take_event(world, action->event);
        break;
    case VAL_ACTION_ANCHOR:
        take_anchor(world, action);
        break;
    }
}

static void take_rec_action(struct world *world, const struct cache_view *view,
                            const struct rec_action *action)
{
    struct env env = world_env(world);
    switch (action->kind) {
    case REC_ACTION_SEND: {
        struct exchange *exchange = calloc(1, sizeof(*exchange));
        if (!exchange || !(exchange->wire = malloc(action->wire.size)))
            abort();
        memcpy(exchange->wire, action->wire.data, action->wire.size);
        exchange->size = action->wire.size;
        exchange->id = action->exchange;
        exchange->server = action->server;
        exchange->tcp = action->transport == REC_TCP;
        exchange->sent = world->now;
        list_append(&world->exchanges, &exchange->link);
        break;
    }
    case REC_ACTION_CANCEL:
        LIST_FOREACH_SAFE(pos, &world->exchanges)
        {
            struct exchange *exchange = CONTAINER_OF(pos, struct exchange, link);
            if (exchange->id == action->exchange)
                world_exchange_drop(exchange);
        }
        break;
    case REC_ACTION_EVIDENCE: {
        struct val_evidence evidence = {.fetch = action->fetch,
                                        .kind = action->evidence,
                                        .cut = action->cut,
                                        .server = action->server,
                                        .transport = action->transport,
                                        .message = action->wire,
                                        .forwarded = action->forwarded};
        out_of_memory(val_core_evidence(world->val, &env, view, &evidence));
        break;
    }
    case REC_ACTION_DONE: {
        struct val_done done = {.fetch = action->fetch,
                                .outcome = action->outcome,
                                .upstream_used = action->upstream_used,
                                .bytes_used = action->bytes_used,
                                .ede_code = action->ede_code,
                                .ede_text = slice_make(action->ede_text, strlen(action->ede_text))};
        out_of_memory(val_core_done(world->val, &env, view, &done));
        break;
    }
    case REC_ACTION_PRIMED:
        out_of_memory(val_core_primed(world->val, &env, view, action->wire));
        break;
    }
}

/* Carries actions between the cores until none has one left. */
static void pump_cores(struct world *world)
{
    struct cache_view view;
    struct rec_action rec_action;
    struct val_action val_action;
    unsigned spins = 0;
    memstore_view(world->store, NULL, &view);
    for (bool busy = true; busy;) {
        busy = false;
        while (rec_core_next_action(world->rec, &rec_action)) {
            take_rec_action(world, &view, &rec_action);
            busy = true;
        }
        while (val_core_next_action(world->val, &val_action)) {
            take_val_action(world, &val_action);
            busy = true;
        }
        while (!list_empty(&world->verifies)) {
            struct pending_verify *pending = CONTAINER_OF(world->verifies.next, struct pending_verify, link);
            list_remove(&pending->link);
            struct env env = world_env(world);
            out_of_memory(val_core_verified(world->val, &env, &view, pending->id, pending->outcome));
            free(pending);
            busy = true;
        }
        if (++spins > CORE_SPIN_MAX)
            abort();
    }
}

void world_pump(struct world *world)
{
    pump_cores(world);
    while (!world->acting && !list_empty(&world->events)) {
        struct world_event *event = CONTAINER_OF(world->events.next, struct world_event, link);
        list_remove(&event->link);
        list_append(&world->happened, &event->link);
        world->acting = true;
        world_act(world, &event->event);
        world->acting = false;
        pump_cores(world);
    }
}

static void resolve(struct world *world, const struct world_client *client, bool refresh)
{
    struct cache_view view;
    memstore_view(world->store, NULL, &view);
    struct env env = world_env(world);
    struct val_question question = {.client = 1,
                                    .id = refresh ? 0 : client->number,
                                    .qname = client->question.qname,
                                    .qtype = client->question.ask_type,
                                    .checking_disabled = client->question.flags & FLAG_CD,
                                    .refresh = refresh,
                                    .budget = budget_fresh(world->now)};
    out_of_memory(val_core_resolve(world->val, &env, &view, &question));
    world_pump(world);
}

static bool try_stale(struct world *world, struct world_client *client, bool final)
{
    static uint8_t reply[MESSAGE_MAX];
    _cleanup_(arena_freep) struct arena *arena = arena_new(4u << 20);
    struct cache_view view;
    size_t size = 0;
    memstore_view(world->store, NULL, &view);
    struct env env = world_env(world);
    if (netd_core_timeout(&world->config.netd, arena, &env, &view, &client->question, final, EDE_NONE, "",
                          reply, sizeof(reply), &size, NULL) != NETD_REPLY)
        return false;
    client_answer(client, reply, size);
    return true;
}

void world_load_anchors(struct world *world)
{
    struct env env = world_env(world);
    struct cache_view view;

    memstore_view(world->store, NULL, &view);
    out_of_memory(val_core_load_anchors(world->val, &env, &view));
    world_pump(world);
}

struct world_client *world_ask(struct world *world, struct slice packet, const struct address *from,
                               enum netd_transport transport)
{
    static uint8_t reply[MESSAGE_MAX];
    _cleanup_(arena_freep) struct arena *arena = arena_new(4u << 20);
    struct world_client *client = calloc(1, sizeof(*client));
    if (!client || !arena)
        abort();
    client->number = ++world->client_count;
    client->timer = client->give_up = MONO_NEVER;
    list_append(&world->clients, &client->link);
    size_t size = 0;
    bool refresh = false;
    uint32_t keep;
    struct env env = world_env(world);
    enum netd_outcome outcome = netd_core_receive(&world->config.netd, arena, &env, packet, from, transport,
                                                  &client->question, reply, sizeof(reply), &size);
    if (outcome == NETD_CACHE) {
        struct cache_view view;
        memstore_view(world->store, NULL, &view);
        env = world_env(world);
        outcome = netd_core_cache(&world->config.netd, arena, &env, &view, &client->question, reply,
                                  sizeof(reply), &size, &refresh, &keep, NULL);
    }
    if (outcome == NETD_DROP)
        client_answer(client, NULL, 0);
    else if (outcome == NETD_REPLY)
        client_answer(client, reply, size);
    if (outcome == NETD_RESOLVE) {
        client->asked = true;
        client->give_up = mono_add_ms(world->now, CLIENT_GIVE_UP_MS);
        bool waits = world->config.netd.stale_client_timeout_ms > 0 || netd_core_waits(&client->question);
        if (world->config.netd.stale_client_timeout_ms > 0)
            client->timer = mono_add_ms(world->now, world->config.netd.stale_client_timeout_ms);
        if (!waits)
            try_stale(world, client, false);
        resolve(world, client, client->answered);
    } else if (refresh) {
        resolve(world, client, true);
    }
    return client;
}

void world_step_clock(struct world *world, int64_t seconds)
{
    world->config.start.s += seconds;
}

struct exchange *world_next_exchange(struct world *world)
{
    LIST_FOREACH (pos, &world->exchanges) {
        struct exchange *exchange = CONTAINER_OF(pos, struct exchange, link);
        if (!exchange->seen) {
            exchange->seen = true;
            return exchange;
        }
    }
    return NULL;
}

struct list *world_exchanges(struct world *world)
{
    return &world->exchanges;
}

struct list *world_clients(struct world *world)
{
    return &world->clients;
}

void world_reply(struct world *world, struct exchange *exchange, struct slice wire)
{
    struct env env = world_env(world);
    out_of_memory(rec_core_reply(world->rec, &env, exchange->id, wire));
    world_pump(world);
}

void world_fail(struct world *world, struct exchange *exchange, enum rec_failure why)
{
    struct env env = world_env(world);
    out_of_memory(rec_core_failed(world->rec, &env, exchange->id, why));
    world_pump(world);
}

mono_ns world_now(const struct world *world)
{
    return world->now;
}

mono_ns world_deadline(const struct world *world)
{
    mono_ns next = mono_earlier(rec_core_deadline(world->rec), val_core_deadline(world->val));
    LIST_FOREACH (pos, &world->clients) {
        const struct world_client *client = CONTAINER_OF(pos, struct world_client, link);
        next = mono_earlier(next, mono_earlier(client->timer, client->give_up));
    }
    return next;
}

static void run_due(struct world *world)
{
    struct cache_view view;
    memstore_view(world->store, NULL, &view);
    LIST_FOREACH (pos, &world->clients) {
        struct world_client *client = CONTAINER_OF(pos, struct world_client, link);
        if (mono_reached(world->now, client->timer)) {
            client->timer = MONO_NEVER;
            try_stale(world, client, false);
        }
        if (mono_reached(world->now, client->give_up)) {
            client->give_up = MONO_NEVER;
            try_stale(world, client, true);
        }
    }
    if (mono_reached(world->now, rec_core_deadline(world->rec))) {
        struct env env = world_env(world);
        out_of_memory(rec_core_tick(world->rec, &env));
        world_pump(world);
    }
    if (mono_reached(world->now, val_core_deadline(world->val))) {
        struct env env = world_env(world);
        out_of_memory(val_core_tick(world->val, &env, &view));
        world_pump(world);
    }
}

void world_advance_to(struct world *world, mono_ns to)
{
    unsigned spins = 0;
    for (mono_ns next = world_deadline(world); next.ns <= to.ns; next = world_deadline(world)) {
        if (next.ns > world->now.ns)
            world->now = next;
        run_due(world);
        if (++spins > CORE_SPIN_MAX)
            abort();
    }
    if (to.ns > world->now.ns)
        world->now = to;
}
