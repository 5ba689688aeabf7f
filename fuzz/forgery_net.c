#include "fuzz/forgery.h"

#include <ldns/ldns.h>

#include "common/wire/build.h"
#include "common/wire/rdata.h"
#include "tests/replay/zone.h"

#define MAX_RECORDS 96u
#define MAX_HONEST  4096u

/* zone.c and ldns keep what they make for the life of the process; that is no leak of what is tested here. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

// clang-format off
const struct forgery_name forgery_names[FORGERY_NAMES] = {
    {"www.example.com.", FORGERY_PROTECTED}, {"alias.example.com.", FORGERY_PROTECTED},
    {"x.wild.example.com.", FORGERY_PROTECTED}, {"nx.example.com.", FORGERY_PROTECTED},
    {"example.com.", FORGERY_PROTECTED}, {"www.dname.example.com.", FORGERY_PROTECTED},
    {"ent.example.com.", FORGERY_PROTECTED}, {"www.example.org.", FORGERY_PROTECTED},
    {"nx.example.org.", FORGERY_PROTECTED}, {"x.wild.example.org.", FORGERY_PROTECTED},
    {"www.deep.example.org.", FORGERY_PROTECTED}, {"deep.example.org.", FORGERY_PROTECTED},
    {"www.signed.net.", FORGERY_PROTECTED}, {"com.", FORGERY_PROTECTED},
    {"www.plain.net.", FORGERY_OPEN}, {"nothere.net.", FORGERY_OPEN},
    {"www.plain.example.com.", FORGERY_OPEN}, {"www.evil.example.", FORGERY_OWNED},
};
const uint16_t forgery_types[FORGERY_TYPES] = {
    TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_NS, TYPE_DS, TYPE_DNSKEY, TYPE_SOA, TYPE_CNAME, TYPE_DNAME, TYPE_MX};

/* '+' begins a zone. com, example.com: NSEC; org and below: NSEC3; net: NSEC3 with opt-out. */
static const char zone_text[][88] = {
    "+ZONE_BEGIN . sign=ECDSAP256SHA256", "SERVER 198.51.100.1", ". NS a.root.", "a.root. A 198.51.100.1",
    "com. NS ns.com.", "ns.com. A 198.51.100.2", "org. NS ns.org.", "ns.org. A 198.51.100.3",
    "net. NS ns.net.", "ns.net. A 198.51.100.4", "evil.example. NS ns.evil.example.",
    "ns.evil.example. A 198.51.100.66",
    "+ZONE_BEGIN com. sign=ECDSAP256SHA256", "SERVER 198.51.100.2", "@ NS ns", "ns A 198.51.100.2",
    "example NS ns.example", "ns.example A 192.0.2.1",
    "+ZONE_BEGIN example.com. sign=ECDSAP256SHA256 keys=2", "SERVER 192.0.2.1", "@ NS ns", "ns A 192.0.2.1",
    "@ A 192.0.2.80", "www A 192.0.2.81", "www A 192.0.2.82", "www TXT \"the truth\"",
    "alias CNAME www.example.org.", "*.wild A 192.0.2.83", "*.wild TXT \"wild\"", "below.ent A 192.0.2.84",
    "dname DNAME example.org.", "plain NS ns.plain", "ns.plain A 192.0.2.9",
    "+ZONE_BEGIN plain.example.com.", "SERVER 192.0.2.9", "@ NS ns", "ns A 192.0.2.9", "www A 192.0.2.85",
    "+ZONE_BEGIN org. sign=ECDSAP256SHA256 denial=nsec3", "SERVER 198.51.100.3", "@ NS ns", "ns A 198.51.100.3",
    "example NS ns.example", "ns.example A 192.0.2.2",
    "+ZONE_BEGIN example.org. sign=ECDSAP256SHA256 denial=nsec3 iterations=2 salt=ab", "SERVER 192.0.2.2",
    "@ NS ns", "ns A 192.0.2.2", "www A 192.0.2.91", "*.wild A 192.0.2.92", "deep NS ns.deep",
    "ns.deep A 192.0.2.3",
    "+ZONE_BEGIN deep.example.org. sign=ED25519", "SERVER 192.0.2.3", "@ NS ns", "ns A 192.0.2.3",
    "www A 192.0.2.93",
    "+ZONE_BEGIN net. sign=ECDSAP256SHA256 denial=optout", "SERVER 198.51.100.4", "@ NS ns", "ns A 198.51.100.4",
    "signed NS ns.signed", "ns.signed A 192.0.2.4", "plain NS ns.plain", "ns.plain A 192.0.2.5",
    "+ZONE_BEGIN signed.net. sign=ECDSAP256SHA256", "SERVER 192.0.2.4", "@ NS ns", "ns A 192.0.2.4",
    "www A 192.0.2.94",
    "+ZONE_BEGIN plain.net.", "SERVER 192.0.2.5", "@ NS ns", "ns A 192.0.2.5", "www A 192.0.2.95",
    "+ZONE_BEGIN evil.example. sign=ECDSAP256SHA256", "SERVER 198.51.100.66", "@ NS ns", "ns A 198.51.100.66",
    "www A 203.0.113.66",
};
// clang-format on

struct honest {
    struct address server;
    uint8_t qname[NAME_MAX];
    uint16_t qtype;
    bool tcp;
    struct message m;
};

struct net {
    struct play_zone *zones;
    ldns_key *evil;
    struct arena *arena; /* for the life of the process */
    struct honest *honest[MAX_HONEST];
    unsigned honest_count;
    struct address root;
    struct rec_hint hint;
    struct val_anchor anchor;
    struct prefix allow;
};

static struct net *net;

/* A reply while it is being changed. */
struct draft {
    uint16_t flags;
    struct rr rr[3][MAX_RECORDS];
    uint16_t count[3];
};

static void take_anchor(void *ctx, ldns_rr *ds)
{
    uint8_t *wire;
    size_t size;
    CHECK(ldns_rr2wire(&wire, ds, LDNS_SECTION_ANSWER, &size) == LDNS_STATUS_OK);
    net->anchor =
        (struct val_anchor){.type = TYPE_DS, .rdata = {wire + 11, (uint16_t)(size - 11)}}; /* of the root */
}

void forgery_net_init(struct world_config *ret_config)
{
    char why[200] = "";
    if (__lsan_disable)
        __lsan_disable();
    net = calloc(1, sizeof(*net));
    CHECK(net && (net->arena = arena_new(256u << 20)));
    struct play_zone *zone = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(zone_text); i++) {
        if (zone_text[i][0] == '+') {
            CHECK(zone_begin(zone_text[i] + 1, &zone, why, sizeof(why)) == 0);
            zone->next = net->zones;
            net->zones = zone;
        } else {
            CHECK(zone_line(zone, zone_text[i], why, sizeof(why)) == 0);
        }
    }
    CHECK(zones_sign(net->zones, FORGERY_NOW, why, sizeof(why)) == 0);
    net->evil =
        ldns_key_list_key(net->zones->keys, 0); /* the last zone of the text is the first of the list */
    zones_anchors(net->zones, take_anchor, NULL);
    if (__lsan_enable)
        __lsan_enable();
    net->root = (struct address){.family = 4, .port = 53, .bytes = {198, 51, 100, 1}};
    net->hint = (struct rec_hint){.name = "\1a\4root", .addresses = &net->root, .count = 1};
    net->allow = (struct prefix){.family = 4};
    ret_config->rec.hints = &net->hint;
    ret_config->rec.hint_count = 1;
    ret_config->val.anchors = &net->anchor;
    ret_config->val.anchor_count = 1;
    ret_config->netd.allow = &net->allow;
    ret_config->netd.allow_count = 1;
}

/* What the honest server at that address says to the query; kept, since signing and searching are slow. */
static const struct message *honest_answer(const struct address *server, const uint8_t *qname, uint16_t qtype,
                                           bool tcp)
{
    static uint8_t query[600], reply[MESSAGE_MAX];
    for (unsigned i = 0; i < net->honest_count; i++) {
        const struct honest *h = net->honest[i];
        if (h->qtype == qtype && h->tcp == tcp && address_equal(&h->server, server) &&
            name_equal(h->qname, qname))
            return &h->m;
    }
    struct edns_reply opt = {.payload_size = 1232, .flags = EDNS_FLAG_DO, .keepalive_ds = -1};
    struct builder b;
    build_begin(&b, query, sizeof(query), 1, 0);
    build_question(&b, qname, qtype, CLASS_IN);
    build_opt(&b, &opt);
    if (__lsan_disable)
        __lsan_disable();
    size_t size = zone_answer(net->zones, server, 0, slice_make(query, build_end(&b)), tcp, reply);
    if (__lsan_enable)
        __lsan_enable();
    struct honest *h = arena_alloc(net->arena, sizeof(*h));
    if (!size || !h || net->honest_count == MAX_HONEST)
        return NULL;
    const uint8_t *kept = arena_copy(net->arena, reply, size);
    CHECK(kept && message_parse(net->arena, kept, size, &h->m) == MESSAGE_OK);
    h->server = *server;
    name_copy(qname, h->qname);
    h->qtype = qtype;
    h->tcp = tcp;
    net->honest[net->honest_count++] = h;
    return &h->m;
}

static void load(struct draft *draft, const struct message *m)
{
    memset(draft, 0, sizeof(*draft));
    draft->flags = m->flags;
    for (unsigned s = 0; s < 3; s++) {
        draft->count[s] = (uint16_t)MIN(m->count[s], MAX_RECORDS);
        if (draft->count[s])
            memcpy(draft->rr[s], m->rr[s], draft->count[s] * sizeof(struct rr));
    }
}

static struct rr *append(struct draft *draft, unsigned section, const struct rr *rr)
{
    if (draft->count[section] == MAX_RECORDS)
        return NULL;
    draft->rr[section][draft->count[section]] = *rr;
    return &draft->rr[section][draft->count[section]++];
}

static struct rr *pick(struct draft *draft, struct fuzz_input *in, unsigned *ret_section)
{
    unsigned section = fuzz_u8(in) % 3, index = fuzz_u8(in);
    if (!draft->count[section])
        return NULL;
    *ret_section = section;
    return &draft->rr[section][index % draft->count[section]];
}

static const uint8_t *menu_name(struct arena *arena, struct fuzz_input *in)
{
    uint8_t name[NAME_MAX];
    unsigned which = fuzz_u8(in);
    CHECK(name_from_text(forgery_names[which % FORGERY_NAMES].text, name) == 0);
    /* An ancestor now and then: zone cuts, TLDs. */
    unsigned labels = name_labels(name), chop = which / FORGERY_NAMES % 4;
    const uint8_t *at = name_suffix(name, labels - MIN(chop, labels));
    return arena_copy(arena, at, name_size(at));
}

static const struct message *menu_answer(struct arena *arena, struct fuzz_input *in)
{
    const uint8_t *qname = menu_name(arena, in);
    uint16_t qtype = forgery_types[fuzz_u8(in) % FORGERY_TYPES];
    unsigned which = fuzz_u8(in) % 9;
    for (const struct play_zone *zone = net->zones; zone; zone = zone->next)
        if (which-- == 0)
            return honest_answer(&zone->servers[0], qname, qtype, true);
    return NULL;
}

/* Any type that is asked for, and the denials. */
static uint16_t forged_type(struct fuzz_input *in)
{
    unsigned which = fuzz_u8(in) % (FORGERY_TYPES + 2);
    return which < FORGERY_TYPES ? forgery_types[which] : which == FORGERY_TYPES ? TYPE_NSEC : TYPE_NSEC3;
}

/* A record of the attacker's making: a target or address of his, or bytes of the input. */
static void forge(struct arena *arena, struct draft *draft, struct fuzz_input *in)
{
    struct rr rr = {.owner = menu_name(arena, in), .class = CLASS_IN, .ttl = 3600};
    unsigned section = fuzz_u8(in) % 3;
    rr.type = forged_type(in);
    if (rr.type == TYPE_A) {
        rr.rdata = (struct rdata){(const uint8_t *)"\313\0\161\102", 4};
    } else if (rr.type == TYPE_NS || rr.type == TYPE_CNAME || rr.type == TYPE_DNAME) {
        const uint8_t *target = menu_name(arena, in);
        rr.rdata = (struct rdata){target, (uint16_t)name_size(target)};
    } else {
        struct slice bytes = fuzz_bytes(in, fuzz_u8(in) % 80);
        rr.rdata = (struct rdata){arena_copy(arena, bytes.data, bytes.size), (uint16_t)bytes.size};
    }
    if (rdata_check(rr.type, &rr.rdata) == 0)
        append(draft, section, &rr);
}

static void change_rdata(struct arena *arena, struct rr *rr, struct fuzz_input *in)
{
    uint16_t at = fuzz_u16(in);
    uint8_t flip = fuzz_u8(in);
    if (!rr->rdata.size)
        return;
    uint8_t *data = arena_copy(arena, rr->rdata.data, rr->rdata.size);
    data[at % rr->rdata.size] ^= flip ? flip : 1;
    rr->rdata.data = data;
}

static ldns_rr *to_ldns(const struct rr *rr)
{
    uint8_t wire[4096];
    struct builder b;
    ldns_rr *made = NULL;
    size_t at = MESSAGE_HEADER_SIZE;
    build_begin(&b, wire, sizeof(wire), 0, 0);
    if (build_rr(&b, SECTION_ANSWER, rr->owner, rr->type, rr->class, rr->ttl, rr->rdata.data,
                 rr->rdata.size) != 0 ||
        ldns_wire2rr(&made, wire, build_end(&b), &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
        return NULL;
    return made;
}

/* Signs the set of one record with the attacker's key, in the name of whatever zone. */
static void sign(struct arena *arena, struct draft *draft, struct fuzz_input *in)
{
    unsigned section = 0;
    const struct rr *first = pick(draft, in, &section);
    const uint8_t *signer = menu_name(arena, in);
    if (!first || first->type == TYPE_RRSIG)
        return;
    ldns_rr_list *set = ldns_rr_list_new();
    ldns_key_list *keys = ldns_key_list_new();
    for (unsigned i = 0; i < draft->count[section]; i++) {
        const struct rr *rr = &draft->rr[section][i];
        ldns_rr *made = rr->type == first->type && name_equal(rr->owner, first->owner) ? to_ldns(rr) : NULL;
        if (made)
            ldns_rr_list_push_rr(set, made);
    }
    ldns_rdf *owner = ldns_key_pubkey_owner(net->evil);
    ldns_key_set_pubkey_owner(net->evil,
                              ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_size(signer), signer));
    ldns_key_list_push_key(keys, net->evil);
    ldns_rr_list_sort(set);
    ldns_rr_list *signatures = ldns_rr_list_rr_count(set) ? ldns_sign_public(set, keys) : NULL;
    uint8_t *wire = NULL;
    size_t size = 0;
    if (signatures && ldns_rr_list_rr_count(signatures) &&
        ldns_rr2wire(&wire, ldns_rr_list_rr(signatures, 0), LDNS_SECTION_ANSWER, &size) == LDNS_STATUS_OK) {
        size_t head = name_size(wire) + 10;
        struct rr rr = {.owner = first->owner, .type = TYPE_RRSIG, .class = CLASS_IN, .ttl = first->ttl};
        rr.rdata = (struct rdata){arena_copy(arena, wire + head, size - head), (uint16_t)(size - head)};
        append(draft, section, &rr);
    }
    free(wire);
    ldns_rr_list_deep_free(signatures);
    ldns_rr_list_deep_free(set);
    ldns_rdf_deep_free(ldns_key_pubkey_owner(net->evil));
    ldns_key_set_pubkey_owner(net->evil, owner);
    ldns_key_list_set_key_count(keys, 0);
    ldns_key_list_free(keys);
}

static void copy_records(struct draft *draft, const struct message *from, unsigned section, unsigned to)
{
    for (unsigned i = 0; from && i < from->count[section]; i++)
        append(draft, to, &from->rr[section][i]);
}

static void edit(struct arena *arena, struct draft *draft, struct fuzz_input *in)
{
    unsigned section = 0;
    struct rr *rr;
    const struct message *other;
    switch (fuzz_u8(in) % 12) {
    case 0: /* one record is held back */
        if ((rr = pick(draft, in, &section)))
            *rr = draft->rr[section][--draft->count[section]];
        break;
    case 1: /* a whole section */
        draft->count[fuzz_u8(in) % 3] = 0;
        break;
    case 2: /* all signatures */
        for (unsigned s = 0; s < 3; s++)
            for (unsigned i = 0; i < draft->count[s]; i++)
                if (draft->rr[s][i].type == TYPE_RRSIG)
                    draft->rr[s][i--] = draft->rr[s][--draft->count[s]];
        break;
    case 3:
        if ((rr = pick(draft, in, &section)))
            change_rdata(arena, rr, in);
        break;
    case 4: /* under another name */
        if ((rr = pick(draft, in, &section)))
            rr->owner = menu_name(arena, in);
        break;
    case 5: /* as another type */
        if ((rr = pick(draft, in, &section)))
            rr->type = forged_type(in);
        break;
    case 6:
        if ((rr = pick(draft, in, &section)))
            rr->ttl = (uint32_t)fuzz_u16(in) << fuzz_u8(in) % 17;
        break;
    case 7: /* the answer to another question, whole */
        if ((other = menu_answer(arena, in)))
            load(draft, other);
        break;
    case 8: /* records of another answer besides */
        other = menu_answer(arena, in);
        section = fuzz_u8(in);
        copy_records(draft, other, section % 3, section / 3 % 3);
        break;
    case 9:
        forge(arena, draft, in);
        break;
    case 10:
        sign(arena, draft, in);
        break;
    default:
        draft->flags ^= fuzz_u16(in) & (FLAG_AA | FLAG_TC | FLAG_AD | FLAG_RA | 0xf);
        break;
    }
}

/* Nobody of ours lives at an address that the attacker made up: there he plays the server that would know. */
static const struct message *attackers_answer(const uint8_t *qname, uint16_t qtype, bool tcp, unsigned which)
{
    for (const struct play_zone *zone = net->zones; zone; zone = zone->next)
        if (which-- == 0)
            return honest_answer(&zone->servers[0], qname, qtype, tcp);
    return NULL;
}

size_t forgery_reply(struct fuzz_input *in, const struct exchange *exchange, uint8_t wire[MESSAGE_MAX])
{
    struct arena *arena = arena_new(8u << 20);
    struct draft *draft = calloc(1, sizeof(*draft));
    struct message query;
    CHECK(arena && draft && message_parse(arena, exchange->wire, exchange->size, &query) == MESSAGE_OK);
    unsigned edits = fuzz_u8(in) % 5;
    const struct message *honest = honest_answer(&exchange->server, query.qname, query.qtype, exchange->tcp);
    if (!honest && edits)
        honest = attackers_answer(query.qname, query.qtype, exchange->tcp, fuzz_u8(in) % 9);
    size_t size = 0;
    if (honest) {
        struct builder b;
        struct edns_reply opt = {.payload_size = 1232, .flags = EDNS_FLAG_DO, .keepalive_ds = -1};
        load(draft, honest);
        for (; edits; edits--)
            edit(arena, draft, in);
        build_begin(&b, wire, MESSAGE_MAX, query.id, draft->flags);
        build_question(&b, query.qname_raw, query.qtype, query.qclass);
        for (unsigned s = 0; s < 3; s++)
            for (unsigned i = 0; i < draft->count[s]; i++) {
                const struct rr *rr = &draft->rr[s][i];
                CHECK(build_rr(&b, s, rr->owner, rr->type, rr->class, rr->ttl, rr->rdata.data,
                               rr->rdata.size) == 0);
            }
        build_opt(&b, &opt);
        size = build_end(&b);
        CHECK(size);
    }
    free(draft);
    arena_free(arena);
    return size;
}
