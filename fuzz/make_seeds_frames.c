/* Seeds of the edges, the cache and the recursor. */

#include "common/cache/entry_codec.h"
#include "fuzz/fuzz.h"
#include "fuzz/make_seeds.h"
#include "proto/config.pb-c.h"
#include "proto/control.pb-c.h"
#include "proto/netd_validatord.pb-c.h"
#include "proto/validatord_recursord.pb-c.h"

static void pack(const char *directory, const char *target, const char *name, int first_octet,
                 const void *message)
{
    uint8_t buf[SEED_MESSAGE_MAX + 512];
    size_t head = first_octet >= 0;
    CHECK(protobuf_c_message_get_packed_size(message) < sizeof(buf));
    buf[0] = (uint8_t)first_octet;
    size_t size = protobuf_c_message_pack(message, buf + head);
    seed_write(directory, target, name, buf, head + size);
}

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)data, .len = size};
}

static void seed_nv(struct arena *arena, const char *directory)
{
    uint8_t wire[SEED_MESSAGE_MAX];
    size_t size = seed_message(arena, SEED_ANSWER, wire);
    Holdfast__Nv__Hello hello = HOLDFAST__NV__HELLO__INIT;
    Holdfast__Nv__Budget budget = HOLDFAST__NV__BUDGET__INIT;
    Holdfast__Nv__Resolve resolve = HOLDFAST__NV__RESOLVE__INIT;
    Holdfast__Nv__Verdict verdict = HOLDFAST__NV__VERDICT__INIT;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    hello.protocol_version = 1;
    hello.generation = 1234567890;
    hello.epoch = 3;
    budget.upstream_queries = 200;
    budget.wall_ms = 10000;
    resolve.id = 7;
    resolve.qname = binary("\3www\7example\3com", 17);
    resolve.qtype = 1;
    resolve.budget = &budget;
    verdict.id = 7;
    verdict.security = 3;
    verdict.authentic = true;
    verdict.ttl = 60;
    verdict.answer = binary(wire, size);
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_HELLO;
    frame.hello = &hello;
    pack(directory, "fuzz_nv_frame", "hello", -1, &frame);
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_RESOLVE;
    frame.resolve = &resolve;
    pack(directory, "fuzz_nv_frame", "resolve", -1, &frame);
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_VERDICT;
    frame.verdict = &verdict;
    pack(directory, "fuzz_nv_frame", "verdict", -1, &frame);
}

static void seed_vr(struct arena *arena, const char *directory)
{
    uint8_t wire[SEED_MESSAGE_MAX];
    size_t size = seed_message(arena, SEED_REFERRAL, wire);
    ProtobufCBinaryData avoid[2] = {binary("\300\0\2\1", 4), binary("0123456789abcdef", 16)};
    Holdfast__Vr__Fetch fetch = HOLDFAST__VR__FETCH__INIT;
    Holdfast__Vr__Cancel cancel = HOLDFAST__VR__CANCEL__INIT;
    Holdfast__Vr__Evidence evidence = HOLDFAST__VR__EVIDENCE__INIT;
    Holdfast__Vr__Done done = HOLDFAST__VR__DONE__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    fetch.id = 9;
    fetch.qname = binary("\3www\7example\3com", 17);
    fetch.qtype = 28;
    fetch.cut = binary("\3com", 5);
    fetch.delegation = binary(wire, size);
    fetch.upstream_queries = 200;
    fetch.bytes_left = 100000;
    fetch.wall_ms = 10000;
    fetch.n_avoid = 2;
    fetch.avoid = avoid;
    fetch.only_server = avoid[1];
    fetch.only_tcp = true;
    fetch.to_referral = true;
    cancel.id = 9;
    evidence.fetch_id = 9;
    evidence.kind = 1;
    evidence.cut = binary("\3com", 5);
    evidence.server = avoid[0];
    evidence.message = binary(wire, size);
    done.fetch_id = 9;
    done.ede_code = 22;
    done.ede_text = binary("no answer", 9);
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_FETCH;
    frame.fetch = &fetch;
    pack(directory, "fuzz_vr_frame", "fetch", -1, &frame);
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_CANCEL;
    frame.cancel = &cancel;
    pack(directory, "fuzz_vr_frame", "cancel", -1, &frame);
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE;
    frame.evidence = &evidence;
    pack(directory, "fuzz_vr_frame", "evidence", -1, &frame);
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_DONE;
    frame.done = &done;
    pack(directory, "fuzz_vr_frame", "done", -1, &frame);
}

static void seed_control(const char *directory)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    Holdfast__Control__Reply reply = HOLDFAST__CONTROL__REPLY__INIT;
    Holdfast__Config__Snapshot snapshot = HOLDFAST__CONFIG__SNAPSHOT__INIT;
    Holdfast__Config__Endpoint endpoint = HOLDFAST__CONFIG__ENDPOINT__INIT, *endpoints[] = {&endpoint};
    Holdfast__Config__Anchor anchor = HOLDFAST__CONFIG__ANCHOR__INIT, *anchors[] = {&anchor};
    request.protocol_version = 1;
    request.verb = (char *)"nta-add";
    request.name = binary("\2de", 4);
    request.reason = (char *)"broken signatures";
    request.lifetime_ms = 3600000;
    reply.json = (char *)"{\"state\":\"ok\"}";
    reply.last = true;
    endpoint.address = binary("\177\0\0\1", 4);
    endpoint.port = 53;
    anchor.zone = binary("", 1);
    anchor.type = 43;
    anchor.rdata = binary("\117\146\10\2abcdefgh", 12);
    snapshot.generation = 1;
    snapshot.n_listen = snapshot.n_trust_anchors = 1;
    snapshot.listen = endpoints;
    snapshot.trust_anchors = anchors;
    snapshot.runtime_directory = (char *)"/run/holdfast";
    pack(directory, "fuzz_control_frame", "request", 0, &request);
    pack(directory, "fuzz_control_frame", "reply", 1, &reply);
    pack(directory, "fuzz_control_frame", "snapshot", 2, &snapshot);
}

static void seed_value(const char *directory, const char *name, uint8_t kind, const struct cache_key *key,
                       struct slice value)
{
    uint8_t seed[CACHE_ENTRY_MAX + 600];
    CHECK(key->size < 256 && value.size > ENTRY_HEADER);
    seed[0] = kind;
    seed[1] = (uint8_t)key->size;
    memcpy(seed + 2, key->bytes, key->size);
    memcpy(seed + 2 + key->size, value.data + ENTRY_HEADER, value.size - ENTRY_HEADER);
    seed_write(directory, "fuzz_cache_value", name, seed, 2u + key->size + value.size - ENTRY_HEADER);
}

static void seed_cache(struct arena *arena, const char *directory)
{
    const wall_s now = {1800000000}, later = {1800003600};
    uint8_t wire[SEED_MESSAGE_MAX];
    struct answer answer, denial;
    struct cache_key key;
    struct slice value;
    CHECK(answer_from_wire(arena, wire, seed_message(arena, SEED_ANSWER, wire), &answer) == 0);
    uint8_t *kept = arena_alloc(arena, SEED_MESSAGE_MAX);
    CHECK(answer_from_wire(arena, kept, seed_message(arena, SEED_NXDOMAIN, kept), &denial) == 0);
    const uint8_t *owner = answer.answer.items[1].owner;
    struct cache_rr rr = {.rrset = answer.answer.items[1],
                          .proof = denial.authority,
                          .stored = now,
                          .expires = later,
                          .signature_expires = later,
                          .original_ttl = 60,
                          .authentic = true};
    rr.rrset.rank = RANK_ANSWER;
    rr.rrset.security = SECURITY_SECURE;
    CHECK(cache_key_rr(owner, TYPE_A, &key) == 0);
    CHECK(cache_rr_encode(arena, cache_key_slice(&key), &rr, &value) == 0);
    seed_value(directory, "rr", ENTRY_RR, &key, value);
    struct cache_neg neg = {.kind = CACHE_NEG_NXDOMAIN,
                            .security = SECURITY_SECURE,
                            .stored = now,
                            .expires = later,
                            .proof = denial.authority};
    CHECK(cache_neg_encode(arena, cache_key_slice(&key), &neg, &value) == 0);
    seed_value(directory, "neg", ENTRY_NEG, &key, value);
    struct cache_neg failure = {.kind = CACHE_NEG_FAILURE,
                                .stored = now,
                                .expires = later,
                                .failures = 2,
                                .ede_count = 1,
                                .ede = {{.code = 22, .text_size = 4, .text = "gone"}}};
    CHECK(cache_neg_encode(arena, cache_key_slice(&key), &failure, &value) == 0);
    seed_value(directory, "failure", ENTRY_NEG, &key, value);
    struct rrset_list lists[3];
    static const char *const ns[] = {"com. 60 IN NS ns1.com.", "com. 60 IN NS ns2.com.", NULL};
    static const char *const ds[] = {
        "com. 60 IN DS 1 13 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D", NULL};
    static const char *const glue[] = {"ns1.com. 60 IN A 192.0.2.1", "ns2.com. 60 IN AAAA 2001:db8::1", NULL};
    seed_rrsets(arena, ns, &lists[0]);
    seed_rrsets(arena, ds, &lists[1]);
    seed_rrsets(arena, glue, &lists[2]);
    struct cache_zone zone = {.has_delegation = true,
                              .ns = lists[0].items[0],
                              .glue = lists[2],
                              .ns_stored = now,
                              .ns_expires = later,
                              .ds_state = DS_SECURE,
                              .ds = lists[1].items[0],
                              .ds_expires = later,
                              .ds_validated = now};
    CHECK(cache_key_name(zone.ns.owner, &key) == 0);
    CHECK(cache_zone_encode(arena, cache_key_slice(&key), &zone, &value) == 0);
    seed_value(directory, "zone", ENTRY_ZONE, &key, value);
    struct cache_nta nta = {.source = NTA_OPERATOR,
                            .added = now,
                            .expires = later,
                            .reason = slice_make("why", 3),
                            .author = slice_make("who", 3)};
    CHECK(cache_nta_encode(arena, cache_key_slice(&key), &nta, &value) == 0);
    seed_value(directory, "nta", ENTRY_NTA, &key, value);
    struct cache_anchor anchor = {.refreshed = now, .signalled = now, .interval_s = 86400, .retry_s = 17280};
    anchor.keys[0] = (struct anchor_key){.state = ANCHOR_VALID,
                                         .sources = ANCHOR_BUILTIN,
                                         .tag = 38696,
                                         .algorithm = ALG_RSASHA256,
                                         .digest_type = 2,
                                         .digest_size = 32,
                                         .since = now};
    anchor.keys[2] = anchor.keys[0];
    anchor.keys[2].state = ANCHOR_ADDPEND;
    anchor.keys[2].hold_down_s = 2592000;
    anchor.keys[2].witnesses = 1;
    CHECK(cache_anchor_encode(arena, cache_key_slice(&key), &anchor, &value) == 0);
    seed_value(directory, "anchor", ENTRY_ANCHOR, &key, value);
}

/* Scripts for fuzz_recursor_reply: the switches, a first fetch, then replies. */
static void seed_recursor(struct arena *arena, const char *directory)
{
    for (enum seed_kind kind = SEED_ANSWER; kind <= SEED_NXDOMAIN; kind++) {
        uint8_t script[2 * SEED_MESSAGE_MAX], wire[SEED_MESSAGE_MAX];
        char name[16];
        size_t size = seed_message(arena, kind, wire), at = 0;
        size_t question_end = MESSAGE_HEADER_SIZE + 21;
        const uint8_t head[] = {0, 0, TYPE_A, 0}; /* no priming, no minimisation; www.example.com A */
        memcpy(script, head, sizeof(head));
        at = sizeof(head);
        for (unsigned times = 0; times < 2; times++) { /* the same from the root and from the next server */
            const uint8_t event[] = {6,
                                     0,
                                     wire[2],
                                     wire[3],
                                     wire[7],
                                     wire[9],
                                     wire[11],
                                     (uint8_t)((size - question_end) >> 8),
                                     (uint8_t)(size - question_end)};
            memcpy(script + at, event, sizeof(event));
            at += sizeof(event);
            memcpy(script + at, wire + question_end, size - question_end);
            at += size - question_end;
        }
        snprintf(name, sizeof(name), "%u", kind);
        seed_write(directory, "fuzz_recursor_reply", name, script, at);
    }
}

static void seed_netd(struct arena *arena, const char *directory)
{
    uint8_t packet[SEED_MESSAGE_MAX + 1];
    size_t size = seed_message(arena, SEED_QUERY, packet + 1);
    packet[0] = 8;
    seed_write(directory, "fuzz_netd_packet", "udp", packet, size + 1);
    packet[0] = 9;
    seed_write(directory, "fuzz_netd_packet", "tcp", packet, size + 1);
    seed_write(directory, "fuzz_netd_packet", "chaos",
               "\10\22\64\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\20\0\3", 31);
    seed_write(directory, "fuzz_netd_packet", "localhost",
               "\10\22\64\1\0\0\1\0\0\0\0\0\0\11LocalHost\0\0\1\0\1", 28);
    /* COOKIE, padding, keepalive, an unknown option */
    seed_write(directory, "fuzz_netd_packet", "options",
               "\11\22\64\1\20\0\1\0\0\0\0\0\1\1x\0\0\1\0\1\0\0\51\4\320\0\0\200\0\0\34"
               "\0\12\0\10abcdefgh\0\14\0\2\0\0\0\13\0\0\0\143\0\2zz",
               59);
}

void seed_frames(struct arena *arena, const char *directory)
{
    seed_nv(arena, directory);
    seed_vr(arena, directory);
    seed_control(directory);
    seed_cache(arena, directory);
    seed_recursor(arena, directory);
    seed_netd(arena, directory);
}
