/* A message from the network: what parses is gathered into RRsets, built anew and parsed again, and must be
 * the same. */

#include "common/wire/answer.h"
#include "common/wire/build.h"
#include "common/wire/error_report.h"
#include "common/wire/rdata.h"
#include "fuzz/fuzz.h"

/* Enough for the worst message: 65535 octets of pointers to names of 255 octets. */
#define ARENA_BYTES (64u << 20)

static void check_rrset(const struct rrset *set)
{
    CHECK(set->count || set->sig_count);
    CHECK(set->ttl <= INT32_MAX && set->sig_ttl <= INT32_MAX);
    for (unsigned i = 0; i < set->sig_count; i++) {
        struct rrsig sig;
        CHECK(rrsig_parse(&set->sig[i], &sig) == 0);
        CHECK(sig.type_covered == set->type);
    }
}

static void check_same(const struct rrset_list *a, const struct rrset_list *b)
{
    CHECK(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct rrset *x = &a->items[i], *y = &b->items[i];
        CHECK(x->type == y->type && x->class == y->class && name_equal(x->owner, y->owner));
        CHECK(x->count == y->count && x->sig_count == y->sig_count);
        for (unsigned k = 0; k < x->count; k++)
            CHECK(x->rdata[k].size == y->rdata[k].size &&
                  memcmp(x->rdata[k].data, y->rdata[k].data, x->rdata[k].size) == 0);
    }
}

static void check_edns(const struct edns *edns, const uint8_t *wire, size_t size)
{
    CHECK(edns->ede_count <= EDNS_MAX_EDE);
    for (unsigned i = 0; i < edns->ede_count; i++)
        CHECK((const uint8_t *)edns->ede[i].text >= wire &&
              (const uint8_t *)edns->ede[i].text + edns->ede[i].text_size <= wire + size);
}

/* Everything of the message as far as it fits; whole or not at all. */
static bool rebuild(struct builder *b, uint8_t *wire, size_t room, const struct message *m,
                    const struct rrset_list lists[3])
{
    bool all = true;
    struct edns_reply opt = {.payload_size = m->edns.payload_size,
                             .flags = m->edns.flags,
                             .rcode = m->rcode,
                             .keepalive_ds = m->edns.has_keepalive ? 7 : -1,
                             .cookie = m->edns.cookie,
                             .padding_block = m->edns.has_padding ? 128 : 0,
                             .ede_count = m->edns.ede_count};
    memcpy(opt.ede, m->edns.ede, sizeof(opt.ede));
    build_begin(b, wire, room, m->id, m->flags);
    if (m->qname)
        build_question(b, m->qname_raw, m->qtype, m->qclass);
    if (m->edns.present)
        build_reserve(b, 11);
    for (unsigned s = 0; s < 3; s++)
        for (uint32_t i = 0; i < lists[s].count; i++)
            if (build_rrset(b, s, &lists[s].items[i], lists[s].items[i].ttl, true, 0) != 0)
                all = false;
    if (m->edns.present)
        build_opt(b, &opt);
    return all;
}

static void check_rebuilt(struct arena *arena, const struct message *m, const struct rrset_list lists[3],
                          size_t room)
{
    uint8_t *wire = malloc(room);
    struct builder b;
    struct message again;
    CHECK(wire);
    bool all = rebuild(&b, wire, room, m, lists);
    size_t size = build_end(&b);
    CHECK(size <= room);
    if (size) {
        CHECK(message_parse(arena, wire, size, &again) == MESSAGE_OK);
        CHECK(again.id == m->id && again.flags == m->flags);
        CHECK(!m->qname ||
              (again.qname && memcmp(again.qname_raw, m->qname_raw, name_size(m->qname_raw)) == 0));
        CHECK(again.edns.present == m->edns.present);
        for (unsigned s = 0; all && s < 3; s++) {
            struct rrset_list list;
            CHECK(message_rrsets(arena, &again, s, UINT32_MAX, &list) == 0);
            check_same(&lists[s], &list);
        }
    }
    free(wire);
}

/* RFC 9567: whatever the option holds, the report is a name or is not made. */
static void check_report(const struct message *m)
{
    uint8_t agent[NAME_MAX], name[NAME_MAX], same[NAME_MAX];
    if (!m->qname || error_report_agent(m->edns.report_channel, agent) != 0)
        return;
    CHECK(!name_is_root(agent));
    if (error_report_name(m->qname, m->qtype, UINT16_MAX, agent, name) == 0)
        CHECK(name_from_bytes(name, name_size(name), same) == 0 && name_is_below(name, agent) &&
              error_report_is_one(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct message m;
    struct answer answer;
    CHECK(arena);
    int r = message_parse(arena, data, size, &m);
    CHECK(r >= 0 && (r == MESSAGE_TOO_SHORT) == (size < MESSAGE_HEADER_SIZE));
    if (r == MESSAGE_OK) {
        struct rrset_list lists[3];
        check_edns(&m.edns, data, size);
        check_report(&m);
        for (unsigned s = 0; s < 3; s++) {
            CHECK(message_rrsets(arena, &m, s, UINT32_MAX, &lists[s]) == 0);
            CHECK(lists[s].count <= m.count[s]);
            for (uint32_t i = 0; i < lists[s].count; i++)
                check_rrset(&lists[s].items[i]);
        }
        check_rebuilt(arena, &m, lists, MESSAGE_MAX);
        check_rebuilt(arena, &m, lists, 512);
    }
    r = answer_from_wire(arena, data, size, &answer);
    CHECK(r == 0 || r == 1);
    arena_free(arena);
    return 0;
}
