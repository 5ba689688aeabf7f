#include "tests/replay/expect.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int read_question(char *words, struct expectation *e, uint8_t *packet)
{
    char *save, *name = strtok_r(words, " \t", &save), *type = strtok_r(NULL, " \t", &save);
    ldns_rdf *owner = name ? ldns_dname_new_frm_str(name) : NULL;
    if (!owner || !type)
        return 1;
    e->type = (uint16_t)ldns_get_rr_type_by_name(type);
    ldns_pkt *pkt = ldns_pkt_query_new(owner, (ldns_rr_type)e->type, LDNS_RR_CLASS_IN, LDNS_RD);
    ldns_pkt_set_id(pkt, 4711);
    ldns_pkt_set_edns_udp_size(pkt, 1232);
    for (char *w = strtok_r(NULL, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        if (strcmp(w, "DO") == 0)
            ldns_pkt_set_edns_do(pkt, true);
        else if (strcmp(w, "CD") == 0)
            ldns_pkt_set_cd(pkt, true);
        else if (strcmp(w, "AD") == 0)
            ldns_pkt_set_ad(pkt, true);
        else if (strcmp(w, "noRD") == 0)
            ldns_pkt_set_rd(pkt, false);
        else if (strcmp(w, "noEDNS") == 0)
            ldns_pkt_set_edns_udp_size(pkt, 0);
        else if (strcmp(w, "UDP") == 0)
            e->udp = true;
        else if (strncmp(w, "size=", 5) == 0)
            ldns_pkt_set_edns_udp_size(pkt, (uint16_t)atoi(w + 5));
        else if (strncmp(w, "version=", 8) == 0)
            ldns_pkt_set_edns_version(pkt, (uint8_t)atoi(w + 8));
        else if (strncmp(w, "class=", 6) == 0)
            ldns_rr_set_class(ldns_rr_list_rr(ldns_pkt_question(pkt), 0), ldns_get_rr_class_by_name(w + 6));
        else if (strncmp(w, "opcode=", 7) == 0) {
            const ldns_lookup_table *t = ldns_lookup_by_name(ldns_opcodes, w + 7);
            if (!t)
                return 1;
            ldns_pkt_set_opcode(pkt, (ldns_pkt_opcode)t->id);
        } else if (strncmp(w, "from=", 5) == 0) {
            if (scenario_address(w + 5, &e->from))
                return 1;
        } else
            return 1;
    }
    uint8_t *wire = NULL;
    if (ldns_pkt2wire(&wire, pkt, &e->packet_size) != LDNS_STATUS_OK || e->packet_size > 512)
        return 1;
    memcpy(packet, wire, e->packet_size);
    free(wire);
    ldns_pkt_free(pkt);
    return 0;
}

static int read_wanted(char *words, struct expectation *e)
{
    char *save, *w = strtok_r(words, " \t", &save);
    const ldns_lookup_table *t = w ? ldns_lookup_by_name(ldns_rcodes, w) : NULL;
    e->drop = w && strcmp(w, "DROP") == 0;
    if (w && strcmp(w, "BADVERS") == 0)
        e->rcode = 16;
    else if (t)
        e->rcode = (uint16_t)t->id;
    else if (!e->drop)
        return 1;
    while ((w = strtok_r(NULL, " \t", &save))) {
        if (strcmp(w, "ad") == 0)
            e->ad = 1;
        else if (strcmp(w, "noad") == 0)
            e->ad = 0;
        else if (strcmp(w, "aa") == 0)
            e->aa = 1;
        else if (strcmp(w, "noaa") == 0)
            e->aa = 0;
        else if (strcmp(w, "tc") == 0)
            e->tc = 1;
        else if (strcmp(w, "notc") == 0)
            e->tc = 0;
        else if (strncmp(w, "ede!=", 5) == 0)
            e->not_ede = atoi(w + 5);
        else if (strncmp(w, "answer=", 7) == 0)
            snprintf(e->answer_types, sizeof(e->answer_types), "%s", w + 7);
        else if (strncmp(w, "authority=", 10) == 0)
            snprintf(e->authority_types, sizeof(e->authority_types), "%s", w + 10);
        else if (strncmp(w, "upstream>=", 10) == 0)
            e->upstream_least = atol(w + 10);
        else if (strcmp(w, "noede") == 0)
            e->no_ede = true;
        else if (strncmp(w, "ede=", 4) == 0 && e->ede_count < ARRAY_SIZE(e->ede))
            e->ede[e->ede_count++] = atoi(w + 4);
        else if (strncmp(w, "edetext=", 8) == 0)
            snprintf(e->ede_text, sizeof(e->ede_text), "%s", w + 8);
        else if (strncmp(w, "ttl=", 4) == 0)
            e->ttl = atol(w + 4);
        else if (strncmp(w, "upstream<=", 10) == 0)
            e->upstream_most = atol(w + 10);
        else if (strncmp(w, "upstream=", 9) == 0)
            e->upstream_exact = atol(w + 9);
        else if (strncmp(w, "seconds<=", 9) == 0)
            e->seconds_most = atof(w + 9);
        else
            return 1;
    }
    return 0;
}

int expect_read(const char *line, struct expectation *ret_expect, uint8_t *packet, char *why, size_t room)
{
    struct expectation e = {.ad = -1,
                            .aa = -1,
                            .tc = -1,
                            .not_ede = -1,
                            .ttl = -1,
                            .upstream_most = -1,
                            .upstream_least = -1,
                            .upstream_exact = -1,
                            .seconds_most = -1};
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", line);
    snprintf(why, room, "ASK cannot be read: %s", line);
    char *arrow = strstr(copy, "->");
    if (!arrow)
        return 1;
    *arrow = '\0';
    char *wanted = arrow + 2, *data = strstr(wanted, " = ");
    if (data) {
        *data = '\0';
        e.has_data = true;
        snprintf(e.data, sizeof(e.data), "%s", data + 3);
    }
    if (read_question(copy, &e, packet) || read_wanted(wanted, &e))
        return 1;
    *ret_expect = e;
    return 0;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* White space folded, both ends trimmed. */
static char *fold(const char *text)
{
    char *out = calloc(1, strlen(text) + 2), *o = out;
    for (const char *p = text; out && *p; p++) {
        if (!isspace((unsigned char)*p))
            *o++ = (char)tolower((unsigned char)*p);
        else if (o > out && o[-1] != ' ')
            *o++ = ' ';
    }
    if (o > out && o[-1] == ' ')
        o[-1] = '\0';
    return out;
}

/* All records joined by " | " in sorted order. */
static char *joined(char **items, size_t count)
{
    size_t size = 1;
    qsort(items, count, sizeof(*items), compare_text);
    for (size_t i = 0; i < count; i++)
        size += strlen(items[i]) + 3;
    char *out = calloc(1, size);
    for (size_t i = 0; out && i < count; i++) {
        strcat(out, i ? " | " : "");
        strcat(out, items[i]);
    }
    return out;
}

static int check_data(const struct expectation *e, const ldns_pkt *pkt, char *why, size_t room)
{
    char *given[256], *wanted[256], copy[1024], *save;
    size_t given_count = 0, wanted_count = 0;
    const ldns_rr_list *answer = ldns_pkt_answer(pkt);
    for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && given_count < 256; i++) {
        const ldns_rr *rr = ldns_rr_list_rr(answer, i);
        if (ldns_rr_get_type(rr) != (ldns_rr_type)e->type)
            continue;
        ldns_buffer *buffer = ldns_buffer_new(4096);
        for (size_t k = 0; k < ldns_rr_rd_count(rr); k++) {
            ldns_rdf2buffer_str(buffer, ldns_rr_rdf(rr, k));
            ldns_buffer_printf(buffer, " ");
        }
        char *text = ldns_buffer_export2str(buffer);
        given[given_count++] = fold(text);
        free(text);
        ldns_buffer_free(buffer);
    }
    snprintf(copy, sizeof(copy), "%s", e->data);
    for (char *w = strtok_r(copy, "|", &save); w && wanted_count < 256; w = strtok_r(NULL, "|", &save)) {
        char *one = fold(w);
        if (strcmp(one, "-") != 0)
            wanted[wanted_count++] = one;
    }
    char *a = joined(wanted, wanted_count), *b = joined(given, given_count);
    int differs = strcmp(a, b) != 0;
    if (differs)
        snprintf(why, room, "data differs: wanted %s, given %s", a, b);
    return differs;
}

static bool has_ede(const ldns_pkt *pkt, int code)
{
    ldns_rdf *edns = ldns_pkt_edns_data(pkt);
    const uint8_t *p = edns ? ldns_rdf_data(edns) : NULL;
    for (size_t at = 0, size = edns ? ldns_rdf_size(edns) : 0; at + 4 <= size;) {
        unsigned option = (unsigned)p[at] << 8 | p[at + 1], length = (unsigned)p[at + 2] << 8 | p[at + 3];
        if (option == 15 && at + 6 <= size && (code == -2 || ((int)p[at + 4] << 8 | p[at + 5]) == code))
            return true;
        at += 4 + length;
    }
    return false;
}

/* The first code that is wanted and not there, or -1. */
static int missing_ede(const struct expectation *e, const ldns_pkt *pkt)
{
    for (unsigned i = 0; i < e->ede_count; i++)
        if (!has_ede(pkt, e->ede[i]))
            return e->ede[i];
    return -1;
}

static bool has_ede_text(const ldns_pkt *pkt, const char *part)
{
    ldns_rdf *edns = ldns_pkt_edns_data(pkt);
    const uint8_t *p = edns ? ldns_rdf_data(edns) : NULL;
    for (size_t at = 0, size = edns ? ldns_rdf_size(edns) : 0; at + 4 <= size;) {
        unsigned option = (unsigned)p[at] << 8 | p[at + 1], length = (unsigned)p[at + 2] << 8 | p[at + 3];
        char text[512] = "";
        for (unsigned i = 2; option == 15 && i < length && i < sizeof(text) && at + 4 + i < size; i++)
            text[i - 2] = (char)(p[at + 4 + i] == ' ' ? '_' : p[at + 4 + i]);
        if (strstr(text, part))
            return true;
        at += 4 + length;
    }
    return false;
}

static uint32_t least_ttl(const ldns_pkt *pkt)
{
    const ldns_rr_list *list = ldns_pkt_ancount(pkt) ? ldns_pkt_answer(pkt) : ldns_pkt_authority(pkt);
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
        least = MIN(least, ldns_rr_ttl(ldns_rr_list_rr(list, i)));
    return least;
}

/* The types of a section: sorted, each once, joined by commas; "none" where it is empty. */
static void section_types(const ldns_rr_list *list, char *out, size_t room)
{
    char *names[64];
    size_t count = 0, used = 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(list) && count < ARRAY_SIZE(names); i++) {
        char *name = ldns_rr_type2str(ldns_rr_get_type(ldns_rr_list_rr(list, i)));
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known |= strcmp(names[k], name) == 0;
        if (known)
            free(name);
        else
            names[count++] = name;
    }
    qsort(names, count, sizeof(*names), compare_text);
    snprintf(out, room, "%s", count ? "" : "none");
    for (size_t i = 0; i < count && used < room; i++) {
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? "," : "", names[i]);
        free(names[i]);
    }
}

static int check_sections(const struct expectation *e, const ldns_pkt *pkt, char *why, size_t room)
{
    char answer[256], authority[256];
    section_types(ldns_pkt_answer(pkt), answer, sizeof(answer));
    section_types(ldns_pkt_authority(pkt), authority, sizeof(authority));
    if (e->answer_types[0] && strcmp(e->answer_types, answer) != 0) {
        snprintf(why, room, "answer section: wanted %s, given %s", e->answer_types, answer);
        return 1;
    }
    if (e->authority_types[0] && strcmp(e->authority_types, authority) != 0) {
        snprintf(why, room, "authority section: wanted %s, given %s", e->authority_types, authority);
        return 1;
    }
    return 0;
}

/* With the upper eight bits of EDNS. */
static unsigned rcode_of(const ldns_pkt *pkt)
{
    return (unsigned)ldns_pkt_get_rcode(pkt) | (unsigned)ldns_pkt_edns_extended_rcode(pkt) << 4;
}

int expect_check(const struct expectation *e, struct slice answer, unsigned upstream, double seconds,
                 char *why, size_t room)
{
    ldns_pkt *pkt = NULL;
    if (ldns_wire2pkt(&pkt, answer.data, answer.size) != LDNS_STATUS_OK) {
        snprintf(why, room, "the answer does not parse");
        return 1;
    }
    int bad = 1;
    if (rcode_of(pkt) != e->rcode)
        snprintf(why, room, "rcode: wanted %u, given %u", e->rcode, rcode_of(pkt));
    else if (e->aa >= 0 && (ldns_pkt_aa(pkt) != 0) != e->aa)
        snprintf(why, room, "AA: wanted %d, given %d", e->aa, ldns_pkt_aa(pkt) != 0);
    else if (e->tc >= 0 && (ldns_pkt_tc(pkt) != 0) != e->tc)
        snprintf(why, room, "TC: wanted %d, given %d", e->tc, ldns_pkt_tc(pkt) != 0);
    else if (e->not_ede >= 0 && has_ede(pkt, e->not_ede))
        snprintf(why, room, "EDE %d where it is not due", e->not_ede);
    else if (e->ad >= 0 && (ldns_pkt_ad(pkt) != 0) != e->ad)
        snprintf(why, room, "AD: wanted %d, given %d", e->ad, ldns_pkt_ad(pkt) != 0);
    else if (missing_ede(e, pkt) >= 0)
        snprintf(why, room, "EDE %d is missing", missing_ede(e, pkt));
    else if (e->ede_text[0] && !has_ede_text(pkt, e->ede_text))
        snprintf(why, room, "no EDE with the text \"%s\"", e->ede_text);
    else if (e->no_ede && has_ede(pkt, -2))
        snprintf(why, room, "an EDE where none is due");
    else if (e->ttl >= 0 && least_ttl(pkt) != (uint32_t)e->ttl)
        snprintf(why, room, "TTL: wanted %ld, given %u", e->ttl, least_ttl(pkt));
    else if (e->upstream_most >= 0 && upstream > e->upstream_most)
        snprintf(why, room, "questions upstream: at most %ld wanted, %u went out", e->upstream_most,
                 upstream);
    else if (e->upstream_least >= 0 && upstream < e->upstream_least)
        snprintf(why, room, "questions upstream: at least %ld wanted, %u went out", e->upstream_least,
                 upstream);
    else if (e->upstream_exact >= 0 && upstream != e->upstream_exact)
        snprintf(why, room, "questions upstream: %ld wanted, %u went out", e->upstream_exact, upstream);
    else if (e->seconds_most >= 0 && seconds > e->seconds_most)
        snprintf(why, room, "at most %.1f seconds wanted, it took %.1f", e->seconds_most, seconds);
    else
        bad = check_sections(e, pkt, why, room) || (e->has_data && check_data(e, pkt, why, room));
    ldns_pkt_free(pkt);
    return bad;
}
