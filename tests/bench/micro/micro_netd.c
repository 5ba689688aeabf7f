/* netd's path: a question parsed, found in L1, found in L2; a reply built from an answer. And an
 * authoritative server's response taken apart, which recursord and validatord do. */
#include "tests/bench/micro/micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "common/cache/store.h"
#include "daemons/netd/l1.h"
#include "daemons/netd/l2.h"
#include "tests/unit/netd/fixture.h"

#define NAMES      4096u
#define MAP_BYTES  (32u << 20)
#define BATCH      64u
#define SIG_UNTIL  (MICRO_NOW_S + 1000000u)
#define QUESTIONS  256u
#define PRIME_STEP 1777u /* coprime to NAMES: names in an order that is not the table's */

struct context {
    struct fixture *f;
    struct packet packets[QUESTIONS];
    struct netd_question *questions; /* NAMES of them */
    struct l1 *l1;
    struct l2 l2;
    char directory[64];
    uint8_t response[4096];
    size_t response_size;
    struct answer answer;
    uint8_t reply[4096];
};

static struct context *context_new(void)
{
    struct context *c = calloc(1, sizeof(*c));
    c->f = fixture_new();
    return c;
}

static void name_text(unsigned n, char text[64])
{
    snprintf(text, 64, "www.site-%u.example.", n);
}

static void *prepare_questions(void)
{
    struct context *c = context_new();
    static const uint8_t cookie[] = {0, EDNS_COOKIE, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    for (unsigned n = 0; n < QUESTIONS; n++) {
        char text[64];
        name_text(n, text);
        text[0] = 'W'; /* some clients mix the case */
        c->packets[n] = packet_make(text, TYPE_A, FLAG_RD | FLAG_AD);
        if (n % 4 != 0)
            packet_edns(&c->packets[n], 1232, n % 2 ? EDNS_FLAG_DO : 0, 0, cookie,
                        n % 4 == 3 ? sizeof(cookie) : 0);
    }
    return c;
}

static void parse_question(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned n = 0; n < count; n++) {
        const struct packet *packet = &c->packets[n % QUESTIONS];
        size_t size;
        arena_reset(c->f->arena);
        if (netd_core_receive(&c->f->config, c->f->arena, &c->f->env, slice_make(packet->bytes, packet->size),
                              &c->f->client, NETD_UDP, &c->f->question, c->reply, sizeof(c->reply),
                              &size) != NETD_CACHE)
            micro_fail("a question was not taken");
    }
}

/* Two addresses, signed, with the NS RRset and its signature: a signed zone's answer. */
static struct answer make_answer(struct fixture *f, const char *name)
{
    static const uint8_t address[4] = {192, 0, 2, 10},
                         host[] = {2, 'n', 's', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
    struct answer answer = {.security = SECURITY_SECURE, .authentic = true, .ttl = 300};
    struct rrset set = set_of(f, name, TYPE_A, 300, address, 4, 2, 1, SIG_UNTIL),
                 ns = set_of(f, "example.", TYPE_NS, 3600, host, sizeof(host), 1, 1, SIG_UNTIL);
    rrset_list_add(f->arena, &answer.answer, &set);
    rrset_list_add(f->arena, &answer.authority, &ns);
    return answer;
}

static void *prepare_response(void)
{
    struct context *c = context_new();
    char text[64];
    name_text(1, text);
    c->answer = make_answer(c->f, text);
    c->response_size =
        answer_to_wire(&c->answer, name_of(c->f, text), TYPE_A, c->response, sizeof(c->response));
    return c;
}

static void parse_response(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned n = 0; n < count; n++) {
        struct rrset_list answer = {0}, authority = {0};
        arena_reset(c->f->parsed);
        if (message_parse(c->f->parsed, c->response, c->response_size, &c->f->message) != MESSAGE_OK ||
            message_rrsets(c->f->parsed, &c->f->message, SECTION_ANSWER, 16, &answer) != 0 ||
            message_rrsets(c->f->parsed, &c->f->message, SECTION_AUTHORITY, 16, &authority) != 0 ||
            answer.count != 1 || authority.count != 1)
            micro_fail("a response could not be read");
    }
}

static void *prepare_build(void)
{
    struct context *c = context_new();
    char text[64];
    name_text(1, text);
    ask(c->f, text, TYPE_A, FLAG_RD, EDNS_FLAG_DO);
    c->answer = make_answer(c->f, text);
    return c;
}

static void build(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned n = 0; n < count; n++) {
        size_t size = 0;
        uint32_t keep_s;
        c->f->random.left = RANDOM_POOL_BYTES;
        netd_core_verdict(&c->f->config, c->f->parsed, &c->f->env, &c->f->question, &c->answer, c->reply,
                          sizeof(c->reply), &size, &keep_s, NULL);
        if (size < 150 || keep_s != 300)
            micro_fail("a reply was not built");
    }
}

static void ask_all(struct context *c)
{
    c->questions = calloc(NAMES, sizeof(*c->questions));
    for (unsigned n = 0; n < NAMES; n++) {
        char text[64];
        name_text(n, text);
        arena_reset(c->f->arena);
        ask(c->f, text, TYPE_A, FLAG_RD, n % 2 ? EDNS_FLAG_DO : 0);
        c->questions[n] = c->f->question;
    }
}

static void *prepare_l1(void)
{
    struct context *c = context_new();
    urcu_memb_register_thread();
    c->l1 = l1_new(8u << 20, (struct siphash_key){1, 2});
    ask_all(c);
    for (unsigned n = 0; n < NAMES; n++) {
        char text[64];
        size_t size = 0;
        uint32_t keep_s;
        name_text(n, text);
        arena_reset(c->f->arena);
        struct answer answer = make_answer(c->f, text);
        netd_core_verdict(&c->f->config, c->f->arena, &c->f->env, &c->questions[n], &answer, c->reply,
                          sizeof(c->reply), &size, &keep_s, NULL);
        l1_put(c->l1, &c->questions[n], c->reply, size, (struct l1_tag){.epoch = 1, .sequence = 1},
               c->f->env.wall, keep_s, n);
    }
    return c;
}

/* As a worker does: all questions of a batch through each step, one read section around it. */
static void l1(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned first = 0; first < count; first += BATCH) {
        uint64_t hashes[BATCH];
        const struct netd_question *questions[BATCH];
        urcu_memb_read_lock();
        for (unsigned n = 0; n < BATCH; n++) {
            questions[n] = &c->questions[(first + n) * PRIME_STEP % NAMES];
            hashes[n] = l1_hash(c->l1, questions[n]);
            l1_prefetch_set(c->l1, hashes[n]);
        }
        for (unsigned n = 0; n < BATCH; n++)
            l1_prefetch_entry(c->l1, hashes[n]);
        for (unsigned n = 0; n < BATCH; n++) {
            struct l1_hit hit;
            size_t size;
            if (!l1_get(c->l1, questions[n], hashes[n], 1, (wall_s){.s = MICRO_NOW_S + 7}, n, c->reply,
                        sizeof(c->reply), &size, &hit))
                micro_fail("a name was not in L1");
        }
        urcu_memb_read_unlock();
    }
}

static void commit(struct store *store, struct fixture *f)
{
    struct cache_write *writes = calloc(NAMES, sizeof(*writes));
    struct cache_key *keys = calloc(NAMES, sizeof(*keys));
    struct arena *arena = arena_new(64u << 20);
    for (unsigned n = 0; n < NAMES; n++) {
        char text[64];
        name_text(n, text);
        arena_reset(f->arena);
        struct answer answer = make_answer(f, text);
        struct cache_rr rr = {.rrset = answer.answer.items[0],
                              .stored = {.s = MICRO_NOW_S - 10},
                              .expires = {.s = MICRO_NOW_S + 290},
                              .signature_expires = {.s = SIG_UNTIL},
                              .original_ttl = 300,
                              .authentic = true};
        if (cache_key_rr(rr.rrset.owner, TYPE_A, &keys[n]) != 0 ||
            cache_rr_encode(arena, cache_key_slice(&keys[n]), &rr, &writes[n].value) != 0)
            micro_fail("an entry could not be made");
        writes[n].db = CACHE_RR;
        writes[n].epoch = 1;
        writes[n].key = cache_key_slice(&keys[n]);
    }
    if (store_commit(store, writes, NAMES, 1, (mono_ns){.ns = NS_PER_S}) != 0)
        micro_fail("the cache could not be written");
    arena_free(arena);
    free(keys);
    free(writes);
}

static void finish_l2(void *ctx)
{
    struct context *c = ctx;
    static const char *const files[] = {"data.mdb", "lock.mdb", "writer.state"};
    l2_close(&c->l2);
    for (unsigned n = 0; n < 3; n++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", c->directory, files[n]);
        unlink(path);
    }
    rmdir(c->directory);
}

static void *prepare_l2(void)
{
    struct context *c = context_new();
    const char *base = getenv("TMPDIR");
    struct store *store;
    char *quarantined;
    snprintf(c->directory, sizeof(c->directory), "%s/holdfast-micro-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(c->directory))
        micro_fail("no directory for the cache could be made");
    struct store_config config = {
        .directory = c->directory, .size_bytes = MAP_BYTES, .commit_interval_ms = 100};
    if (store_open_writer(&config, &store, &quarantined) != 0)
        micro_fail("the cache could not be opened");
    ask_all(c);
    commit(store, c->f);
    store_close(store);
    c->l2.directory = c->directory;
    return c;
}

static void l2(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned first = 0; first < count; first += BATCH) {
        struct cache_view view;
        if (l2_begin(&c->l2, 0, (mono_ns){.ns = NS_PER_S}, &view) != 0)
            micro_fail("the cache could not be read");
        for (unsigned n = 0; n < BATCH; n++) {
            size_t size;
            bool refresh;
            uint32_t keep_s;
            struct netd_told told;
            arena_reset(c->f->arena);
            c->f->random.left = RANDOM_POOL_BYTES;
            if (netd_core_cache(&c->f->config, c->f->arena, &c->f->env, &view,
                                &c->questions[(first + n) * PRIME_STEP % NAMES], c->reply, sizeof(c->reply),
                                &size, &refresh, &keep_s, &told) != NETD_REPLY ||
                told.kind != NETD_FRESH)
                micro_fail("a name was not in L2");
        }
        l2_end(&c->l2);
    }
}

const struct micro_case micro_parse_question = {"parse-question", 4096, prepare_questions, parse_question,
                                                NULL};
const struct micro_case micro_parse_response = {"parse-response", 1024, prepare_response, parse_response,
                                                NULL};
const struct micro_case micro_l1 = {"l1", 4096, prepare_l1, l1, NULL};
const struct micro_case micro_l2 = {"l2", 1024, prepare_l2, l2, finish_l2};
const struct micro_case micro_build = {"build", 1024, prepare_build, build, NULL};
