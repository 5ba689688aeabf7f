/* The whole of holdfast against an attacker on every wire (fuzz/forgery.h): netd's, validatord's and
 * recursord's cores with a cache, on a virtual clock, real signatures. Questions are asked one after the
 * other with one cache, so that what the attacker gets stored would show in a later answer.
 *
 * What must hold (DESIGN invariant 1): about a name that signatures guard only the truth is told, or a
 * failure; what is not guarded is never called authentic; no TTL is longer than the true one; and every
 * client gets an answer. switches, then for each question: name, type, flags; for each query it causes: a
 * number of edits, and those */

#include "common/wire/build.h"
#include "common/wire/rdata.h"
#include "fuzz/forgery.h"

#define MAX_QUESTIONS  4u
#define MAX_EXCHANGES  300u
#define ANSWER_RECORDS 48u

struct truth {
    bool known;
    uint16_t rcode, count;
    struct rr rr[ANSWER_RECORDS]; /* without RRSIGs */
};

struct state {
    struct world_config config;
    struct arena *arena; /* for the life of the process */
    struct truth truths[FORGERY_NAMES][FORGERY_TYPES];
};

static struct state *state_get(void)
{
    static struct state *state;
    if (state)
        return state;
    state = calloc(1, sizeof(*state));
    CHECK(state && (state->arena = arena_new(64u << 20)));
    state->config = (struct world_config){.start = {FORGERY_NOW},
                                          .seed = 1,
                                          .rec = {.generation = 1,
                                                  .ipv4 = true,
                                                  .edns_size = 1232,
                                                  .server_timeout_ms = 400,
                                                  .case_randomisation = true},
                                          .val = {.generation = 1,
                                                  .validate = true,
                                                  .aggressive_denial = true,
                                                  .nsec3_iterations = 50,
                                                  .max_ttl_s = 86400,
                                                  .stale_max_age_s = 3 * 86400,
                                                  .stale_answer_ttl_s = 30,
                                                  .delegation_max_age_s = 7 * 86400,
                                                  .nta_lifetime_s = 3600,
                                                  .nta_max_lifetime_s = 7 * 86400},
                                          .netd = {.generation = 1,
                                                   .special_use_names = true,
                                                   .aggressive_denial = true,
                                                   .nsec3_iterations = 50,
                                                   .edns_size = 1232,
                                                   .stale_client_timeout_ms = 1800,
                                                   .stale_answer_ttl_s = 30,
                                                   .stale_max_age_s = 3 * 86400,
                                                   .max_ttl_s = 86400,
                                                   .prefetch = true}};
    forgery_net_init(&state->config);
    return state;
}

/* Lets the network answer until it is quiet. */
static void settle(struct world *world, struct fuzz_input *in)
{
    static uint8_t wire[MESSAGE_MAX];
    struct exchange *exchange;
    for (unsigned count = 0; count < MAX_EXCHANGES && (exchange = world_next_exchange(world)); count++) {
        size_t size = forgery_reply(in, exchange, wire);
        if (size)
            world_reply(world, exchange, slice_make(wire, size));
    }
}

static void run_for(struct world *world, struct fuzz_input *in, uint64_t seconds)
{
    mono_ns until = mono_add_ms(world_now(world), seconds * 1000);
    for (settle(world, in); !mono_reached(world_now(world), until); settle(world, in)) {
        mono_ns next = mono_earlier(world_deadline(world), until);
        /* At least one millisecond: a deadline that lies in the past must not stop the clock. */
        world_advance_to(world,
                         mono_reached(world_now(world), next) ? mono_add_ms(world_now(world), 1) : next);
    }
}

static const struct world_client *ask(struct world *world, struct fuzz_input *in, unsigned name,
                                      unsigned type, uint16_t flags)
{
    uint8_t packet[600], qname[NAME_MAX];
    struct address client = {.family = 4, .port = 999, .bytes = {127, 0, 0, 1}};
    struct edns_reply opt = {.payload_size = 4096, .flags = EDNS_FLAG_DO, .keepalive_ds = -1};
    struct builder b;
    CHECK(name_from_text(forgery_names[name].text, qname) == 0);
    build_begin(&b, packet, sizeof(packet), 77, flags);
    build_question(&b, qname, forgery_types[type], CLASS_IN);
    build_opt(&b, &opt);
    const struct world_client *c = world_ask(world, slice_make(packet, build_end(&b)), &client, NETD_TCP);
    for (unsigned s = 0; s < 14 && !c->answered; s++)
        run_for(world, in, s ? 1 : 0);
    CHECK(c->answered && c->reply_size);
    return c;
}

/* The client's answer without signatures. */
static uint16_t read_answer(struct arena *arena, const struct world_client *c, struct message *m,
                            struct rr *ret_rr)
{
    uint16_t count = 0;
    uint8_t *wire = arena_copy(arena, c->reply, c->reply_size);
    CHECK(wire && message_parse(arena, wire, c->reply_size, m) == MESSAGE_OK);
    for (unsigned i = 0; i < m->count[SECTION_ANSWER]; i++) {
        if (m->rr[SECTION_ANSWER][i].type == TYPE_RRSIG)
            continue;
        CHECK(count < ANSWER_RECORDS);
        ret_rr[count++] = m->rr[SECTION_ANSWER][i];
    }
    return count;
}

/* What a world without an attacker answers. */
static const struct truth *truth_get(struct state *state, unsigned name, unsigned type)
{
    struct truth *truth = &state->truths[name][type];
    if (truth->known)
        return truth;
    struct fuzz_input nothing = {0};
    struct world *world = world_new(&state->config);
    struct message m;
    truth->count = read_answer(state->arena, ask(world, &nothing, name, type, FLAG_RD), &m, truth->rr);
    truth->rcode = m.rcode;
    /* The oracle must itself be sound: a failure as "truth" would let every answer pass. */
    CHECK(m.rcode == RCODE_NOERROR || m.rcode == RCODE_NXDOMAIN);
    CHECK(forgery_names[name].class != FORGERY_PROTECTED || (m.flags & FLAG_AD));
    truth->known = true;
    world_free(world);
    return truth;
}

static bool same_record(const struct rr *a, const struct rr *b)
{
    uint8_t x[4096], y[4096];
    if (a->type != b->type || a->class != b->class || a->rdata.size != b->rdata.size ||
        !name_equal(a->owner, b->owner))
        return false;
    CHECK(a->rdata.size <= sizeof(x));
    rdata_canonicalize(a->type, &a->rdata, x);
    rdata_canonicalize(b->type, &b->rdata, y);
    return memcmp(x, y, a->rdata.size) == 0;
}

static void check_answer(struct state *state, const struct world_client *c, unsigned name, unsigned type)
{
    struct arena *arena = arena_new(1u << 20);
    struct rr rr[ANSWER_RECORDS];
    struct message m;
    CHECK(arena);
    uint16_t count = read_answer(arena, c, &m, rr);
    const struct truth *truth = truth_get(state, name, type);
    if (forgery_names[name].class == FORGERY_OPEN)
        CHECK(!(m.flags & FLAG_AD) || (m.rcode == truth->rcode && count == truth->count));
    if (forgery_names[name].class == FORGERY_PROTECTED && m.rcode != RCODE_SERVFAIL) {
        CHECK(m.rcode == truth->rcode);
        CHECK(count == truth->count);
        for (unsigned i = 0; i < count; i++) {
            unsigned k = 0;
            while (k < truth->count && !same_record(&rr[i], &truth->rr[k]))
                k++;
            CHECK(k < truth->count);
            CHECK(rr[i].ttl <= MAX(truth->rr[k].ttl, 30u));
        }
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state *state = state_get();
    struct fuzz_input in = {data, size};
    struct world_config config = state->config;
    uint8_t how = fuzz_u8(&in);
    config.rec.minimisation = how % 3;
    config.netd.stale.enabled = config.val.stale.enabled = how & 4;
    config.netd.minimal_responses = how & 8;
    config.rec.priming = how & 16;
    config.val.aggressive_denial = config.netd.aggressive_denial = !(how & 32);
    struct world *world = world_new(&config);
    for (unsigned i = 0; i < MAX_QUESTIONS && in.left; i++) {
        unsigned name = fuzz_u8(&in) % FORGERY_NAMES, type = fuzz_u8(&in) % FORGERY_TYPES;
        uint8_t flags = fuzz_u8(&in);
        bool unchecked = flags % 4 == 3;
        const struct world_client *c = ask(world, &in, name, type, unchecked ? FLAG_RD | FLAG_CD : FLAG_RD);
        if (!unchecked)
            check_answer(state, c, name, type);
        if (flags & 4)
            run_for(world, &in, flags & 8 ? 4000 : 120);
    }
    world_free(world);
    return 0;
}
