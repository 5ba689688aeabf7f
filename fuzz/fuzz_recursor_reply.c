/* recursord's core against hostile servers: a script of events. Each octet picks an event, what follows are
 * its arguments. Replies get the id and question of what was sent, so that they are looked at; also wholly
 * raw ones come.
 *
 * What must hold: evidence is a message that parses, from a cut at or above the name asked; every fetch ends,
 * within its budget, once; and after ten seconds of its time nothing runs any more. */

#include "common/wire/build.h"
#include "daemons/recursord/core/recursor.h"
#include "fuzz/fuzz.h"

#define MAX_OPEN    64u
#define MAX_FETCHES 8u
#define MAX_EVENTS  400u

struct open_exchange {
    uint64_t id;
    bool tcp;
    size_t size;
    uint8_t wire[600];
};

struct open_fetch {
    uint64_t id;
    bool running;
    uint8_t qname[NAME_MAX];
};

struct harness {
    struct rec_core *core;
    mono_ns now;
    struct random_pool pool;
    uint64_t random_state;
    struct open_exchange open[MAX_OPEN];
    size_t open_count;
    struct open_fetch fetches[MAX_FETCHES];
    size_t fetch_count;
};

static struct env harness_env(struct harness *h)
{
    for (size_t i = 0; i < RANDOM_POOL_BYTES; i++) {
        h->random_state = h->random_state * 6364136223846793005u + 1442695040888963407u;
        h->pool.bytes[i] = (uint8_t)(h->random_state >> 40);
    }
    h->pool.left = RANDOM_POOL_BYTES;
    return (struct env){
        .mono = h->now, .wall = {.s = 1800000000 + (int64_t)(h->now.ns / NS_PER_S)}, .random = &h->pool};
}

static struct open_fetch *find_fetch(struct harness *h, uint64_t id)
{
    for (size_t i = 0; i < h->fetch_count; i++)
        if (h->fetches[i].id == id)
            return &h->fetches[i];
    return NULL;
}

static void close_exchange(struct harness *h, uint64_t id)
{
    for (size_t i = 0; i < h->open_count; i++)
        if (h->open[i].id == id)
            h->open[i--] = h->open[--h->open_count];
}

static void check_wire(struct slice wire)
{
    struct arena *arena = arena_new(16u << 20);
    struct message m;
    CHECK(arena && message_parse(arena, wire.data, wire.size, &m) == MESSAGE_OK);
    arena_free(arena);
}

static void take_action(struct harness *h, const struct rec_action *action)
{
    struct open_fetch *fetch;
    switch (action->kind) {
    case REC_ACTION_SEND:
        check_wire(action->wire);
        CHECK(action->wire.size <= sizeof(h->open[0].wire));
        CHECK(action->server.family == 4 || action->server.family == 6);
        close_exchange(h, action->exchange);
        if (h->open_count < MAX_OPEN) {
            struct open_exchange *e = &h->open[h->open_count++];
            *e = (struct open_exchange){
                .id = action->exchange, .size = action->wire.size, .tcp = action->transport == REC_TCP};
            memcpy(e->wire, action->wire.data, action->wire.size);
        }
        break;
    case REC_ACTION_CANCEL:
        close_exchange(h, action->exchange);
        break;
    case REC_ACTION_EVIDENCE:
        check_wire(action->wire);
        fetch = find_fetch(h, action->fetch);
        CHECK(fetch && fetch->running);
        CHECK(name_is_under(fetch->qname, action->cut));
        break;
    case REC_ACTION_DONE:
        fetch = find_fetch(h, action->fetch);
        CHECK(fetch && fetch->running);
        CHECK(action->upstream_used <= BUDGET_UPSTREAM_QUERIES);
        fetch->running = false;
        break;
    case REC_ACTION_PRIMED:
        check_wire(action->wire);
        break;
    }
}

static void drain(struct harness *h)
{
    struct rec_action action;
    while (rec_core_next_action(h->core, &action))
        take_action(h, &action);
}

static void advance(struct harness *h, uint64_t ms)
{
    mono_ns until = mono_add_ms(h->now, ms);
    for (;;) {
        mono_ns due = rec_core_deadline(h->core);
        if (!mono_reached(until, due) || due.ns == MONO_NEVER.ns)
            break;
        if (mono_reached(due, h->now))
            h->now = due;
        struct env env = harness_env(h);
        CHECK(rec_core_tick(h->core, &env) == 0);
        drain(h);
        /* A deadline that the tick has not moved would hold the clock still. */
        if (rec_core_deadline(h->core).ns == due.ns)
            h->now.ns++;
    }
    if (h->now.ns < until.ns)
        h->now = until;
}

static void event_fetch(struct harness *h, struct fuzz_input *in)
{
    static const char names[][28] = {"www.example.com.", "a.b.c.d.e.example.net.", "example.com.", ".",
                                     "ns1.example.net.", "x.ns1.example.net."};
    struct env env = harness_env(h);
    if (h->fetch_count == MAX_FETCHES)
        return;
    struct open_fetch *open = &h->fetches[h->fetch_count];
    struct rec_fetch fetch = {.id = 100 + h->fetch_count, .budget = budget_fresh(h->now)};
    CHECK(name_from_text(names[fuzz_u8(in) % ARRAY_SIZE(names)], open->qname) == 0);
    fetch.qname = open->qname;
    fetch.qtype = fuzz_u8(in);
    uint8_t how = fuzz_u8(in);
    if (how & 1) { /* a cut, and a delegation out of the input */
        fetch.cut = name_suffix(open->qname, how / 2u % (name_labels(open->qname) + 1));
        fetch.delegation = fuzz_bytes(in, fuzz_u8(in));
    }
    if (!fetch.qtype)
        fetch.qtype = TYPE_A;
    open->id = fetch.id;
    open->running = true;
    h->fetch_count++;
    CHECK(rec_core_fetch(h->core, &env, &fetch) == 0);
}

/* Flags, three counts, and the records: behind the question that was asked. */
static void event_reply(struct harness *h, struct fuzz_input *in, bool raw)
{
    static uint8_t wire[70000];
    if (!h->open_count)
        return;
    const struct open_exchange *e = &h->open[fuzz_u8(in) % h->open_count];
    size_t size = 0;
    if (!raw) {
        struct arena *arena = arena_new(1u << 20);
        struct message sent;
        CHECK(arena && message_parse(arena, e->wire, e->size, &sent) == MESSAGE_OK);
        size = sent.question_end;
        arena_free(arena);
        memcpy(wire, e->wire, size);
        uint16_t flags = fuzz_u16(in) | FLAG_QR;
        memset(wire + 6, 0, 6);
        wire[2] = (uint8_t)(flags >> 8);
        wire[3] = (uint8_t)flags;
        for (unsigned i = 0; i < 3; i++)
            wire[7 + 2 * i] = fuzz_u8(in);
    }
    struct slice records = fuzz_bytes(in, fuzz_u16(in));
    if (records.size)
        memcpy(wire + size, records.data, records.size);
    struct env env = harness_env(h);
    CHECK(rec_core_reply(h->core, &env, e->id, slice_make(wire, size + records.size)) == 0);
}

static void event_failure(struct harness *h, struct fuzz_input *in)
{
    if (!h->open_count)
        return;
    uint64_t id = h->open[fuzz_u8(in) % h->open_count].id;
    struct env env = harness_env(h);
    close_exchange(h, id);
    CHECK(rec_core_failed(h->core, &env, id, REC_FAIL_REFUSED + fuzz_u8(in) % 4) == 0);
}

static void event_cancel(struct harness *h, struct fuzz_input *in)
{
    struct env env = harness_env(h);
    if (h->fetch_count)
        rec_core_cancel(h->core, &env, h->fetches[fuzz_u8(in) % h->fetch_count].id);
}

static void step(struct harness *h, struct fuzz_input *in)
{
    switch (fuzz_u8(in) % 16) {
    case 0:
        event_fetch(h, in);
        break;
    case 1:
        event_reply(h, in, true);
        break;
    case 2:
        event_failure(h, in);
        break;
    case 3:
        advance(h, fuzz_u16(in) % 4000);
        break;
    case 4:
        event_cancel(h, in);
        break;
    case 5:
        rec_core_forget_servers(h->core, NULL);
        break;
    default:
        event_reply(h, in, false);
        break;
    }
    drain(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct harness *h = calloc(1, sizeof(*h));
    struct address roots[2] = {{.family = 4, .port = 53, .bytes = {192, 0, 2, 1}},
                               {.family = 6, .port = 53, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 1}}};
    struct rec_hint hint = {.name = "\1a\4root", .addresses = roots, .count = 2};
    uint8_t how = fuzz_u8(&in);
    struct rec_config config = {.hints = &hint,
                                .hint_count = 1,
                                .priming = how & 1,
                                .minimisation = how / 2 % 3,
                                .case_randomisation = how & 8,
                                .ipv4 = true,
                                .ipv6 = !(how & 16),
                                .edns_size = 1232,
                                .server_timeout_ms = 400};
    struct siphash_key key = {1, 2};
    CHECK(h);
    h->now.ns = NS_PER_S;
    h->core = rec_core_new(&config, &key);
    CHECK(h->core);
    event_fetch(h, &in);
    drain(h);
    for (unsigned events = 0; in.left && events < MAX_EVENTS; events++)
        step(h, &in);
    for (unsigned s = 0; s <= BUDGET_WALL_MS / 1000; s++)
        advance(h, 1000);
    for (size_t i = 0; i < h->fetch_count; i++)
        CHECK(!h->fetches[i].running);
    rec_core_free(h->core);
    free(h);
    return 0;
}
