/* A client's packet at netd's core: received, answered from a cache that holds nothing, and timed out. What
 * comes back must be a reply to that packet and nothing else: id, question, QR, within the client's room.
 *     transport and switches, then the packet */

#include "common/cache/memstore.h"
#include "daemons/netd/core/netd_core.h"
#include "fuzz/fuzz.h"

static int no_hash(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations, struct slice salt,
                   uint8_t ret_hash[20])
{
    return 1;
}

static void check_reply(struct slice packet, const uint8_t *reply, size_t size, size_t room)
{
    struct arena *arena = arena_new(4u << 20);
    struct message m;
    CHECK(arena);
    CHECK(size >= MESSAGE_HEADER_SIZE && size <= room);
    CHECK(packet.size >= MESSAGE_HEADER_SIZE && memcmp(reply, packet.data, 2) == 0);
    CHECK(message_parse(arena, reply, size, &m) == MESSAGE_OK);
    CHECK(m.flags & FLAG_QR);
    /* Never an answer to an answer: two servers would talk for ever. */
    CHECK(!(packet.data[2] & 0x80));
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t reply[MESSAGE_MAX];
    struct fuzz_input in = {data, size};
    uint8_t how = fuzz_u8(&in);
    struct random_pool pool = {.left = RANDOM_POOL_BYTES};
    struct env env = {.mono = {NS_PER_S}, .wall = {1800000000}, .random = &pool};
    struct prefix allow = {.family = 4, .length = 8, .bytes = {127}};
    struct netd_config config = {.allow = &allow,
                                 .allow_count = 1,
                                 .minimal_responses = how & 4,
                                 .special_use_names = how & 8,
                                 .aggressive_denial = true,
                                 .nsec3_iterations = 50,
                                 .edns_size = 1232,
                                 .stale = {.enabled = how & 16},
                                 .stale_client_timeout_ms = 1800,
                                 .stale_answer_ttl_s = 30,
                                 .stale_max_age_s = 86400,
                                 .max_ttl_s = 86400,
                                 .nsec3_hash = no_hash};
    if (how & 32) {
        config.allow_snoop = &allow;
        config.allow_snoop_count = 1;
    }
    struct address client = {.family = 4, .port = 4711, .bytes = {how & 64 ? 128 : 127, 0, 0, 1}};
    struct slice packet = slice_make(in.data, in.left);
    struct arena *arena = arena_new(1u << 20);
    struct memstore *store = memstore_new();
    struct cache_view view;
    struct netd_question question;
    CHECK(arena && store);
    memstore_view(store, NULL, &view);
    size_t reply_size = 0;
    enum netd_outcome outcome = netd_core_receive(&config, arena, &env, packet, &client, how & 3, &question,
                                                  reply, sizeof(reply), &reply_size);
    CHECK(outcome != NETD_RESOLVE);
    if (outcome == NETD_REPLY)
        check_reply(packet, reply, reply_size, sizeof(reply));
    if (outcome == NETD_CACHE) {
        bool refresh;
        uint32_t keep_s;
        CHECK(!(how & 64));
        outcome = netd_core_cache(&config, arena, &env, &view, &question, reply, sizeof(reply), &reply_size,
                                  &refresh, &keep_s, NULL);
        if (outcome == NETD_REPLY)
            check_reply(packet, reply, reply_size, question.reply_room);
        outcome = netd_core_timeout(&config, arena, &env, &view, &question, true, 22, "no answer", reply,
                                    sizeof(reply), &reply_size, NULL);
        CHECK(outcome == NETD_REPLY);
        check_reply(packet, reply, reply_size, question.reply_room);
    }
    memstore_free(store);
    arena_free(arena);
    return 0;
}
