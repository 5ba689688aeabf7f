#include "tests/replay/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/wire/dns.h"

#define EDNS_OPTION_EDE 15u
#define UDP_SIZE        1232u

static ldns_pkt *parse(struct slice wire)
{
    ldns_pkt *pkt = NULL;
    if (ldns_wire2pkt(&pkt, wire.data, wire.size) != LDNS_STATUS_OK)
        return NULL;
    return pkt;
}

static const ldns_rr *question_of(const ldns_rr_list *list)
{
    return ldns_rr_list_rr_count(list) ? ldns_rr_list_rr(list, 0) : NULL;
}

/* The question's name, letter for letter. */
static bool same_case(struct slice query, const ldns_rr *wanted)
{
    const ldns_rdf *name = ldns_rr_owner(wanted);
    size_t size = ldns_rdf_size(name);
    return query.size >= 12 + size && memcmp(query.data + 12, ldns_rdf_data(name), size) == 0;
}

bool entry_matches(const struct rpl_entry *entry, struct slice query, bool tcp)
{
    ldns_pkt *pkt = parse(query);
    if (!pkt)
        return false;
    const ldns_rr *asked = question_of(ldns_pkt_question(pkt)), *wanted = question_of(entry->question);
    unsigned m = entry->match;
    bool good = true;
    if (m & RPL_OPCODE)
        good = good && ldns_pkt_get_opcode(pkt) == entry->opcode;
    if ((m & (RPL_QTYPE | RPL_ALL | RPL_QUESTION)) && good)
        good = asked && wanted && ldns_rr_get_type(asked) == ldns_rr_get_type(wanted);
    if ((m & (RPL_QNAME | RPL_ALL | RPL_QUESTION)) && good)
        good = asked && wanted && ldns_dname_compare(ldns_rr_owner(asked), ldns_rr_owner(wanted)) == 0;
    if ((m & RPL_SUBDOMAIN) && good)
        good = asked && wanted &&
               (ldns_dname_compare(ldns_rr_owner(asked), ldns_rr_owner(wanted)) == 0 ||
                ldns_dname_is_subdomain(ldns_rr_owner(asked), ldns_rr_owner(wanted)));
    if ((m & RPL_QCASE) && good)
        good = asked && wanted && same_case(query, wanted);
    if (m & RPL_DO)
        good = good && ldns_pkt_edns_do(pkt);
    if (m & RPL_NO_DO)
        good = good && !ldns_pkt_edns_do(pkt);
    if (m & RPL_NO_EDNS)
        good = good && !ldns_pkt_edns(pkt);
    if (m & RPL_UDP)
        good = good && !tcp;
    if (m & RPL_TCP)
        good = good && tcp;
    ldns_pkt_free(pkt);
    return good;
}

static size_t raw_reply(const struct rpl_entry *entry, struct slice query, uint8_t *out)
{
    memcpy(out, entry->raw, entry->raw_size);
    if (query.size >= 2 && entry->raw_size >= 2)
        memcpy(out, query.data, 2);
    return entry->raw_size;
}

size_t entry_reply(const struct rpl_entry *entry, struct slice query, uint8_t *out)
{
    if (entry->has_raw)
        return raw_reply(entry, query, out);
    ldns_pkt *asked = query.size ? parse(query) : NULL;
    ldns_pkt *pkt = ldns_pkt_new();
    /* The other players hand a reply to whoever waits for it, whatever its id; a wrong one is MISBEHAVE
     * badid. */
    ldns_pkt_set_id(pkt, asked ? ldns_pkt_id(asked) : 0);
    ldns_pkt_set_opcode(pkt, (ldns_pkt_opcode)entry->opcode);
    ldns_pkt_set_rcode(pkt, entry->rcode & 15);
    ldns_pkt_set_flags(pkt, 0);
    ldns_pkt_set_qr(pkt, (entry->flags & 0x8000) != 0);
    ldns_pkt_set_aa(pkt, (entry->flags & 0x0400) != 0);
    ldns_pkt_set_tc(pkt, (entry->flags & 0x0200) != 0);
    ldns_pkt_set_rd(pkt, (entry->flags & 0x0100) != 0);
    ldns_pkt_set_ra(pkt, (entry->flags & 0x0080) != 0);
    ldns_pkt_set_ad(pkt, (entry->flags & 0x0020) != 0);
    ldns_pkt_set_cd(pkt, (entry->flags & 0x0010) != 0);
    /* The question as asked keeps the case that was sent (0x20), as every server does. */
    const ldns_rr *sent = asked ? question_of(ldns_pkt_question(asked)) : NULL,
                  *own = question_of(entry->question);
    bool same = sent && own && ldns_rr_get_type(sent) == ldns_rr_get_type(own) &&
                ldns_dname_compare(ldns_rr_owner(sent), ldns_rr_owner(own)) == 0;
    const ldns_rr *question = sent && (entry->copy_query || same) ? sent : own;
    if (question)
        ldns_pkt_push_rr(pkt, LDNS_SECTION_QUESTION, ldns_rr_clone(question));
    static const ldns_pkt_section sections[] = {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY,
                                                LDNS_SECTION_ADDITIONAL};
    for (int s = 0; s < 3; s++)
        for (size_t i = 0; i < ldns_rr_list_rr_count(entry->section[s]); i++)
            ldns_pkt_push_rr(pkt, sections[s], ldns_rr_clone(ldns_rr_list_rr(entry->section[s], i)));
    if (entry->want_do || entry->edns) {
        ldns_pkt_set_edns_udp_size(pkt, 4096);
        ldns_pkt_set_edns_do(pkt, entry->want_do);
    }
    uint8_t *wire = NULL;
    size_t size = 0;
    if (ldns_pkt2wire(&wire, pkt, &size) != LDNS_STATUS_OK || size > 65535)
        size = 0;
    if (size)
        memcpy(out, wire, size);
    free(wire);
    ldns_pkt_free(pkt);
    ldns_pkt_free(asked);
    return size;
}

/* As sets, in the records' canonical form; TTLs only when asked for. */
static bool same_records(const ldns_rr_list *a, const ldns_rr_list *b, bool ttl)
{
    size_t count = ldns_rr_list_rr_count(a);
    if (count != ldns_rr_list_rr_count(b))
        return false;
    bool *used = calloc(count + 1, sizeof(*used));
    bool same = used != NULL;
    for (size_t i = 0; same && i < count; i++) {
        bool found = false;
        for (size_t k = 0; !found && k < count; k++) {
            const ldns_rr *x = ldns_rr_list_rr(a, i), *y = ldns_rr_list_rr(b, k);
            if (!used[k] && ldns_rr_compare(x, y) == 0 && (!ttl || ldns_rr_ttl(x) == ldns_rr_ttl(y)))
                found = used[k] = true;
        }
        same = found;
    }
    free(used);
    return same;
}

/* 0: has it; 1: has not. code -1: any. */
static int find_ede(const ldns_pkt *pkt, int code)
{
    ldns_rdf *edns = ldns_pkt_edns_data(pkt);
    if (!edns)
        return 1;
    const uint8_t *p = ldns_rdf_data(edns);
    for (size_t at = 0, size = ldns_rdf_size(edns); at + 4 <= size;) {
        unsigned option = (unsigned)p[at] << 8 | p[at + 1], length = (unsigned)p[at + 2] << 8 | p[at + 3];
        if (at + 4 + length > size)
            return 1;
        if (option == EDNS_OPTION_EDE && length >= 2 &&
            (code < 0 || ((int)p[at + 4] << 8 | p[at + 5]) == code))
            return 0;
        at += 4 + length;
    }
    return 1;
}

static bool is_denial_type(ldns_rr_type type)
{
    return type == LDNS_RR_TYPE_NSEC || type == LDNS_RR_TYPE_NSEC3;
}

/* Denial records of NXDOMAIN and NODATA answers asked with DO: those wanted must be there. */
static bool has_denials(const ldns_rr_list *wanted, const ldns_rr_list *given)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(wanted); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(wanted, i);
        bool found = !is_denial_type(ldns_rr_get_type(rr));
        for (size_t k = 0; !found && k < ldns_rr_list_rr_count(given); k++)
            found = ldns_rr_compare(rr, ldns_rr_list_rr(given, k)) == 0;
        if (!found)
            return false;
    }
    return true;
}

static const char *rcode_name(uint16_t rcode)
{
    const ldns_lookup_table *t = ldns_lookup_by_id(ldns_rcodes, rcode);
    return t ? t->name : "?";
}

/* Questions go in over TCP. What is wanted with TC was asked for over UDP: the answer has to be too long for
 * that. */
static uint16_t flags_over_udp(const struct rpl_entry *entry, struct slice answer)
{
    uint16_t flags = (uint16_t)(answer.data[2] << 8 | answer.data[3]);
    return answer.size > UDP_SIZE ? flags | (entry->flags & FLAG_TC) : flags;
}

static const char *check_parsed(const struct rpl_entry *entry, const ldns_pkt *pkt, uint16_t wire_flags,
                                char *detail, size_t room)
{
    unsigned m = entry->match;
    bool all = m & RPL_ALL, ttl = m & RPL_TTL;
    uint16_t mask = 0x87b0; /* QR AA TC RD RA AD CD */
    detail[0] = '\0';
    if ((all || m & RPL_OPCODE) && ldns_pkt_get_opcode(pkt) != entry->opcode)
        return "opcode differs";
    if ((all || m & RPL_RCODE) && ldns_pkt_get_rcode(pkt) != (entry->rcode & 15)) {
        snprintf(detail, room, ": wanted %s, given %s", rcode_name(entry->rcode),
                 rcode_name(ldns_pkt_get_rcode(pkt)));
        return "rcode differs";
    }
    if ((all || m & RPL_FLAGS) && (wire_flags & mask) != (entry->flags & mask)) {
        snprintf(detail, room, ": wanted %04x, given %04x", entry->flags & mask, wire_flags & mask);
        return "flags differ (QR 8000 AA 0400 TC 0200 RD 0100 RA 0080 AD 0020 CD 0010)";
    }
    if ((all || m & RPL_QUESTION) && ldns_rr_list_compare(ldns_pkt_question(pkt), entry->question) != 0)
        return "question differs";
    if ((all || m & RPL_ANSWER) && !same_records(entry->section[0], ldns_pkt_answer(pkt), ttl))
        return "answer section differs";
    bool negative = ldns_rr_list_rr_count(entry->section[0]) == 0 && (entry->rcode == 0 || entry->rcode == 3);
    if ((all || m & RPL_AUTHORITY) && negative && entry->want_do &&
        !has_denials(entry->section[1], ldns_pkt_authority(pkt)))
        return "a denial proof is missing from the authority section";
    if ((m & RPL_EDE) && find_ede(pkt, entry->ede)) {
        snprintf(detail, room, " %d", entry->ede);
        return "no EDE";
    }
    return NULL;
}

/* Bytes, but for the id; or what MATCH names, where that is no more than the RCODE. */
static int check_raw(const struct rpl_entry *entry, struct slice answer, char *why, size_t room)
{
    const uint8_t *raw = entry->raw;
    bool same = answer.size == entry->raw_size && memcmp(answer.data + 2, raw + 2, answer.size - 2) == 0;
    if (entry->match == RPL_RCODE)
        same = answer.size >= 12 && entry->raw_size >= 12 && (answer.data[3] & 15) == (raw[3] & 15);
    if (!same)
        snprintf(why, room, "%s", entry->match == RPL_RCODE ? "rcode differs" : "bytes differ");
    return !same;
}

int entry_check(const struct rpl_entry *entry, struct slice answer, char *why, size_t room)
{
    if (entry->has_raw)
        return check_raw(entry, answer, why, room);
    ldns_pkt *pkt = parse(answer);
    if (!pkt) {
        snprintf(why, room, "the answer does not parse");
        return 1;
    }
    char detail[128];
    uint16_t flags = flags_over_udp(entry, answer);
    const char *fault = check_parsed(entry, pkt, flags, detail, sizeof(detail));
    if (fault)
        snprintf(why, room, "%s%s", fault, detail);
    ldns_pkt_free(pkt);
    return fault != NULL;
}

char *message_show(struct slice wire)
{
    ldns_pkt *pkt = parse(wire);
    if (!pkt)
        return strdup("(does not parse)\n");
    char *text = ldns_pkt2str(pkt);
    ldns_pkt_free(pkt);
    return text;
}

char *entry_show(const struct rpl_entry *entry)
{
    uint8_t *wire = malloc(65536);
    if (!wire)
        return NULL;
    size_t size = entry_reply(entry, (struct slice){0}, wire);
    char *text = message_show(slice_make(wire, size));
    free(wire);
    return text;
}
