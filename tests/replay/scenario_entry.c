/* The entries of a scenario: MATCH, ADJUST, REPLY, and records section by section. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/replay/reader.h"

#define DEFAULT_TTL 3600u /* of a record that gives none, as the other players have it */

static const struct {
    const char *word;
    unsigned bit;
} match_words[] = {
    {"opcode", RPL_OPCODE},
    {"qtype", RPL_QTYPE},
    {"qname", RPL_QNAME},
    {"subdomain", RPL_SUBDOMAIN},
    {"rcode", RPL_RCODE},
    {"question", RPL_QUESTION},
    {"answer", RPL_ANSWER},
    {"authority", RPL_AUTHORITY},
    {"additional", RPL_ADDITIONAL},
    {"all", RPL_ALL},
    {"ttl", RPL_TTL},
    {"DO", RPL_DO},
    {"noDO", RPL_NO_DO},
    {"UDP", RPL_UDP},
    {"TCP", RPL_TCP},
    {"flags", RPL_FLAGS},
    {"noedns", RPL_NO_EDNS},
    {"qcase", RPL_QCASE},
    {"none", 0},
};

/* EDNS options byte for byte, which holdfast's own tests look at elsewhere. */
static const char *const foreign_match[] = {"ednsdata", "server_cookie", "client_cookie"};

static int read_match(struct reader *r, struct rpl_entry *entry, char *words)
{
    for (char *save, *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        unsigned i = 0;
        if (strncmp(w, "ede=", 4) == 0) {
            entry->match |= RPL_EDE;
            entry->ede = strcmp(w + 4, "any") == 0 ? -1 : atoi(w + 4);
            continue;
        }
        for (unsigned k = 0; k < ARRAY_SIZE(foreign_match); k++)
            if (strcasecmp(foreign_match[k], w) == 0)
                return reader_unsupported(r, w);
        while (i < ARRAY_SIZE(match_words) && strcasecmp(match_words[i].word, w) != 0)
            i++;
        if (i == ARRAY_SIZE(match_words))
            return reader_fail(r, "unknown word in MATCH");
        entry->match |= match_words[i].bit;
    }
    return 0;
}

static const struct {
    const char *word;
    uint16_t flag;
} reply_flags[] = {{"QR", 0x8000}, {"AA", 0x0400}, {"TC", 0x0200}, {"RD", 0x0100},
                   {"RA", 0x0080}, {"AD", 0x0020}, {"CD", 0x0010}};

static int read_reply(struct reader *r, struct rpl_entry *entry, char *words)
{
    for (char *save, *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        unsigned i = 0;
        while (i < ARRAY_SIZE(reply_flags) && strcasecmp(reply_flags[i].word, w) != 0)
            i++;
        const ldns_lookup_table *t;
        if (i < ARRAY_SIZE(reply_flags))
            entry->flags |= reply_flags[i].flag;
        else if (strcasecmp(w, "DO") == 0)
            entry->want_do = true;
        else if ((t = ldns_lookup_by_name(ldns_rcodes, w)))
            entry->rcode = (uint16_t)t->id;
        else if ((t = ldns_lookup_by_name(ldns_opcodes, w)))
            entry->opcode = (uint8_t)t->id;
        else
            return reader_fail(r, "unknown word in REPLY");
    }
    return 0;
}

static int add_hex(struct rpl_entry *entry, const char *text)
{
    for (const char *p = text; *p; p++) {
        unsigned value;
        if (isspace((unsigned char)*p))
            continue;
        if (sscanf(p, "%2x", &value) != 1 || !isxdigit((unsigned char)p[1]) || entry->raw_size >= 65535)
            return 1;
        entry->raw[entry->raw_size++] = (uint8_t)value;
        p++;
    }
    return 0;
}

static int read_hex(struct reader *r, struct rpl_entry *entry, bool until_end)
{
    entry->has_raw = true;
    if (!entry->raw)
        entry->raw = reader_calloc(65536);
    while (reader_line(r)) {
        if (until_end && reader_begins(r->line, "HEX_ANSWER_END"))
            return 0;
        if (add_hex(entry, r->line))
            return reader_fail(r, "not hexadecimal");
        if (!until_end)
            return 0;
    }
    return reader_fail(r, "file ends inside hexadecimal");
}

/* `owner [ttl] [IN] type \# size hex`: bytes as they stand, of the size the type wants or not. */
static ldns_rr *raw_record(const char *line, ldns_rdf *origin)
{
    char copy[RPL_MAX_LINE], *save;
    static uint8_t data[65536];
    size_t size = 0;
    snprintf(copy, sizeof(copy), "%s", line);
    char *word = strtok_r(copy, " \t", &save);
    ldns_rdf *owner = word ? ldns_dname_new_frm_str(word) : NULL;
    ldns_rr *rr = owner ? ldns_rr_new() : NULL;
    if (!rr)
        return NULL;
    if (word[strlen(word) - 1] != '.' && origin)
        ldns_dname_cat(owner, origin);
    ldns_rr_set_owner(rr, owner);
    ldns_rr_set_ttl(rr, DEFAULT_TTL);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    while ((word = strtok_r(NULL, " \t", &save)) && strcmp(word, "\\#") != 0) {
        if (isdigit((unsigned char)word[0]))
            ldns_rr_set_ttl(rr, (uint32_t)atol(word));
        else if (strcasecmp(word, "IN") != 0)
            ldns_rr_set_type(rr, ldns_get_rr_type_by_name(word));
    }
    strtok_r(NULL, " \t", &save); /* the size, which the hexadecimal shows */
    while ((word = strtok_r(NULL, " \t", &save)))
        for (unsigned byte; sscanf(word, "%2x", &byte) == 1 && word[1] && size < sizeof(data); word += 2)
            data[size++] = (uint8_t)byte;
    ldns_rr_push_rdf(rr, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_NONE, size, data));
    return rr;
}

/* A signature that was taken away, or is no base64: one octet instead, which verifies nothing. False: the
 * line is no RRSIG. */
static bool spoil_signature(char *line)
{
    char *p = strstr(line, "RRSIG");
    for (unsigned fields = 0; p && *p && fields < 9;
         fields++) { /* RRSIG and the eight before the signature */
        p += strcspn(p, " \t");
        p += strspn(p, " \t");
    }
    if (!p || (size_t)(p - line) + sizeof(" AA==") > RPL_MAX_LINE)
        return false;
    strcpy(p, " AA==");
    return true;
}

/* Base64 with padding that it does not need, which other players' parsers pass over. */
static bool drop_padding(char *line)
{
    size_t size = strlen(line);
    while (size && isspace((unsigned char)line[size - 1]))
        size--;
    if (size < 2 || strncmp(line + size - 2, "==", 2) != 0)
        return false;
    line[size - 2] = '\0';
    return true;
}

static int read_record(struct reader *r, struct rpl_entry *entry, int section, ldns_rdf **origin,
                       ldns_rdf **previous)
{
    ldns_rr *rr = NULL;
    /* A record may go on over lines inside parentheses. */
    size_t size = strlen(r->line);
    if (strchr(r->line, '(') && !strchr(r->line, ')')) {
        char whole[RPL_MAX_LINE];
        memcpy(whole, r->line, size + 1);
        while (reader_line(r) && size + strlen(r->line) + 2 < sizeof(whole)) {
            size += (size_t)snprintf(whole + size, sizeof(whole) - size, " %s", r->line);
            if (strchr(r->line, ')'))
                break;
        }
        memcpy(r->line, whole, size + 1);
        for (char *p = r->line; *p; p++)
            if (*p == '(' || *p == ')')
                *p = ' ';
    }
    if (strstr(r->line, " \\# ") || strstr(r->line, "\t\\# ")) {
        rr = raw_record(r->line, *origin);
        if (!rr)
            return reader_fail(r, "not a record of the form of RFC 3597");
        ldns_rr_list_push_rr(entry->section[MAX(section, 0)], rr);
        return 0;
    }
    ldns_status status = section < 0 ? ldns_rr_new_question_frm_str(&rr, r->line, *origin, previous)
                                     : ldns_rr_new_frm_str(&rr, r->line, DEFAULT_TTL, *origin, previous);
    if (status != LDNS_STATUS_OK && spoil_signature(r->line)) {
        status = ldns_rr_new_frm_str(&rr, r->line, DEFAULT_TTL, *origin, previous);
    }
    if (status != LDNS_STATUS_OK && drop_padding(r->line))
        status = ldns_rr_new_frm_str(&rr, r->line, DEFAULT_TTL, *origin, previous);
    if (status != LDNS_STATUS_OK)
        return reader_fail(r, ldns_get_errorstr_by_id(status));
    ldns_rr_list_push_rr(section < 0 ? entry->question : entry->section[section], rr);
    return 0;
}

int reader_entry(struct reader *r, struct rpl_entry **ret_entry)
{
    struct rpl_entry *entry = reader_calloc(sizeof(*entry));
    ldns_rdf *origin = ldns_dname_new_frm_str(r->origin), *previous = NULL;
    int section = -1, known = 0;
    entry->question = ldns_rr_list_new();
    for (int i = 0; i < 3; i++)
        entry->section[i] = ldns_rr_list_new();
    while (reader_line(r)) {
        int bad = 0;
        if (reader_begins(r->line, "ENTRY_END")) {
            *ret_entry = entry;
            return 0;
        } else if (reader_begins(r->line, "MATCH")) {
            bad = read_match(r, entry, r->line + 5);
        } else if (reader_begins(r->line, "ADJUST")) {
            entry->copy_id |= strstr(r->line, "copy_id") != NULL;
            entry->copy_query |= strstr(r->line, "copy_query") != NULL;
            entry->silent |= strstr(r->line, "do_not_answer") != NULL;
        } else if (reader_begins(r->line, "REPLY") || reader_begins(r->line, "FLAGS")) {
            bad = read_reply(r, entry, r->line + 5);
        } else if (reader_begins(r->line, "MANDATORY")) {
            continue; /* that an entry is used at all is another player's check */
        } else if (reader_begins(r->line, "SECTION")) {
            static const char *const names[] = {"QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL"};
            for (known = 0; known < 4 && !strstr(r->line + 7, names[known]); known++)
                ;
            if (known == 4)
                return reader_fail(r, "unknown SECTION");
            section = known - 1;
        } else if (reader_begins(r->line, "HEX_EDNSDATA_BEGIN")) {
            /* Without data it says no more than that there is EDNS, which the question of a check for EDEs
             * has. */
            if (!reader_line(r) || !reader_begins(r->line, "HEX_EDNSDATA_END"))
                return reader_unsupported(r, "HEX_EDNSDATA");
            entry->edns = true;
        } else if (reader_begins(r->line, "EXTRA_PACKET")) {
            return reader_unsupported(r, strtok(r->line, " \t"));
        } else if (reader_begins(r->line, "HEX_ANSWER_BEGIN")) {
            bad = read_hex(r, entry, true);
        } else if (reader_begins(r->line, "RAW")) {
            bad = read_hex(r, entry, false);
        } else {
            bad = read_record(r, entry, section, &origin, &previous);
        }
        if (bad)
            return 1;
    }
    return reader_fail(r, "file ends inside an entry");
}
