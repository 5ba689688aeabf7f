#include "tests/unit/netd/fixture.h"

#include <stdlib.h>

#include "common/cache/entry.h"

#define NOW_S 1800000000

struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new(NETD_ARENA_BYTES);
    f->parsed = arena_new(1 << 22);
    f->store = memstore_new();
    memstore_view(f->store, NULL, &f->view);
    for (unsigned i = 0; i < RANDOM_POOL_BYTES; i++)
        f->random.bytes[i] = (uint8_t)(i * 151 + 7);
    f->random.left = RANDOM_POOL_BYTES;
    f->env = (struct env){.mono = {.ns = NS_PER_S}, .wall = {.s = NOW_S}, .random = &f->random};
    f->client = (struct address){.family = 4, .port = 40000, .bytes = {192, 0, 2, 7}};
    f->allow[0] = (struct prefix){.family = 4, .length = 24, .bytes = {192, 0, 2}};
    f->allow[1] = (struct prefix){.family = 6, .length = 128, .bytes = {[15] = 1}};
    f->snoop[0] = (struct prefix){.family = 4, .length = 32, .bytes = {192, 0, 2, 99}};
    f->config = (struct netd_config){.generation = 1,
                                     .allow = f->allow,
                                     .allow_count = 2,
                                     .allow_snoop = f->snoop,
                                     .allow_snoop_count = 1,
                                     .minimal_responses = true,
                                     .special_use_names = true,
                                     .prefetch = true,
                                     .aggressive_denial = true,
                                     .nsec3_iterations = 50,
                                     .edns_size = 1232,
                                     .stale = {.enabled = true},
                                     .stale_client_timeout_ms = 1800,
                                     .stale_answer_ttl_s = 30,
                                     .stale_max_age_s = 259200,
                                     .max_ttl_s = 86400,
                                     .cookie_secret = {1, 2}};
    return f;
}

void fixture_free(struct fixture *f)
{
    memstore_free(f->store);
    arena_free(f->arena);
    arena_free(f->parsed);
    free(f);
}

static void put16(struct packet *p, uint16_t v)
{
    p->bytes[p->size++] = (uint8_t)(v >> 8);
    p->bytes[p->size++] = (uint8_t)v;
}

struct packet packet_make(const char *qname, uint16_t qtype, uint16_t flags)
{
    struct packet p = {.size = 0};
    put16(&p, 0x1234);
    put16(&p, flags);
    put16(&p, 1);
    put16(&p, 0);
    put16(&p, 0);
    put16(&p, 0);
    /* Label by label, so that the case stays as written. */
    while (*qname && *qname != '.') {
        size_t size = strcspn(qname, ".");
        p.bytes[p.size++] = (uint8_t)size;
        memcpy(p.bytes + p.size, qname, size);
        p.size += size;
        qname += size + 1;
    }
    p.bytes[p.size++] = 0;
    put16(&p, qtype);
    put16(&p, CLASS_IN);
    return p;
}

void packet_edns(struct packet *p, uint16_t payload, uint16_t flags, uint8_t version, const void *options,
                 size_t size)
{
    p->bytes[11]++;
    p->bytes[p->size++] = 0;
    put16(p, TYPE_OPT);
    put16(p, payload);
    put16(p, version);
    put16(p, flags);
    put16(p, (uint16_t)size);
    if (size)
        memcpy(p->bytes + p->size, options, size);
    p->size += size;
}

void parse_reply(struct fixture *f)
{
    arena_reset(f->parsed);
    assert_int_equal(message_parse(f->parsed, f->reply, f->size, &f->message), MESSAGE_OK);
    assert_true(f->message.flags & FLAG_QR);
}

enum netd_outcome receive(struct fixture *f, const struct packet *packet, enum netd_transport transport)
{
    f->size = 0;
    enum netd_outcome outcome =
        netd_core_receive(&f->config, f->arena, &f->env, slice_make(packet->bytes, packet->size), &f->client,
                          transport, &f->question, f->reply, sizeof(f->reply), &f->size);
    if (outcome == NETD_REPLY)
        parse_reply(f);
    return outcome;
}

void ask(struct fixture *f, const char *qname, uint16_t qtype, uint16_t flags, int edns_flags)
{
    struct packet p = packet_make(qname, qtype, flags);
    if (edns_flags >= 0)
        packet_edns(&p, 1232, (uint16_t)edns_flags, 0, NULL, 0);
    assert_int_equal(receive(f, &p, NETD_UDP), NETD_CACHE);
}

bool has_ede(const struct message *message, uint16_t code)
{
    for (unsigned i = 0; i < message->edns.ede_count; i++) {
        if (message->edns.ede[i].code == code)
            return true;
    }
    return false;
}

unsigned count_type(const struct message *message, enum section section, uint16_t type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < message->count[section]; i++)
        n += message->rr[section][i].type == type;
    return n;
}

const uint8_t *name_of(struct fixture *f, const char *text)
{
    uint8_t name[NAME_MAX];
    assert_int_equal(name_from_text(text, name), 0);
    return arena_copy(f->arena, name, name_size(name));
}

static struct rdata signature(struct fixture *f, uint16_t type, uint32_t ttl, uint32_t until)
{
    uint8_t sig[18 + 9 + 64] = {0};
    sig[0] = (uint8_t)(type >> 8);
    sig[1] = (uint8_t)type;
    sig[2] = ALG_ECDSAP256;
    sig[3] = 2;
    for (unsigned i = 0; i < 4; i++) {
        sig[4 + i] = (uint8_t)(ttl >> (24 - 8 * i));
        sig[8 + i] = (uint8_t)(until >> (24 - 8 * i));
        sig[12 + i] = (uint8_t)((until - 1000000u) >> (24 - 8 * i));
    }
    memcpy(sig + 18, "\7example", 9);
    return (struct rdata){.data = arena_copy(f->arena, sig, sizeof(sig)), .size = sizeof(sig)};
}

struct rrset set_of(struct fixture *f, const char *owner, uint16_t type, uint32_t ttl, const void *data,
                    uint16_t size, uint16_t count, unsigned sigs, uint32_t until)
{
    struct rrset set = {.owner = name_of(f, owner),
                        .type = type,
                        .class = CLASS_IN,
                        .ttl = ttl,
                        .sig_ttl = ttl,
                        .count = count,
                        .sig_count = (uint16_t)sigs,
                        .rank = RANK_ANSWER,
                        .security = SECURITY_SECURE};
    set.rdata = arena_array(f->arena, count, sizeof(struct rdata));
    set.sig = arena_array(f->arena, sigs, sizeof(struct rdata));
    for (uint16_t i = 0; i < count; i++) {
        uint8_t *copy = arena_copy(f->arena, data, size);
        copy[size - 1] = (uint8_t)(copy[size - 1] + i);
        set.rdata[i] = (struct rdata){.data = copy, .size = size};
    }
    for (unsigned i = 0; i < sigs; i++)
        set.sig[i] = signature(f, type, ttl, until);
    return set;
}

void cache_put(struct fixture *f, const struct rrset *set, uint32_t age, uint32_t life)
{
    struct cache_key key;
    struct slice value;
    struct cache_rr rr = {.rrset = *set,
                          .stored = {.s = NOW_S - age},
                          .expires = {.s = (int64_t)NOW_S - age + life},
                          .original_ttl = life,
                          .authentic = set->security == SECURITY_SECURE};
    rr.rrset.ttl = life;
    if (set->sig_count)
        rr.signature_expires.s = NOW_S + 1000000;
    assert_int_equal(cache_key_rr(set->owner, set->type, &key), 0);
    assert_int_equal(cache_rr_encode(f->arena, cache_key_slice(&key), &rr, &value), 0);
    struct cache_write write = {.db = CACHE_RR, .key = cache_key_slice(&key), .value = value};
    assert_int_equal(memstore_apply(f->store, &write, false), 0);
}
