#include "tests/replay/zone.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_TTL 3600u /* of a record that gives none, as the other players have it */

struct reader {
    FILE *file;
    struct scenario *scenario;
    unsigned line_number;
    char origin[1024]; /* $ORIGIN in force */
    char line[RPL_MAX_LINE];
    struct rpl_option **option_tail;
    struct rpl_range **range_tail;
    struct rpl_step **step_tail;
    struct play_zone **zone_tail;
    struct play_server **server_tail;
};

static void *must_calloc(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

static int fail(struct reader *r, const char *what)
{
    if (!r->scenario->error[0])
        snprintf(r->scenario->error, sizeof(r->scenario->error), "%.400s:%u: %s", r->scenario->path,
                 r->line_number, what);
    return 1;
}

int scenario_address(const char *text, struct address *ret_address)
{
    char copy[64];
    struct address a = {.port = 53};
    snprintf(copy, sizeof(copy), "%s", text);
    char *at = strchr(copy, '@');
    if (at) {
        *at = '\0';
        a.port = (uint16_t)atoi(at + 1);
    }
    if (inet_pton(AF_INET, copy, a.bytes) == 1)
        a.family = 4;
    else if (inet_pton(AF_INET6, copy, a.bytes) == 1)
        a.family = 6;
    else
        return 1;
    *ret_address = a;
    return 0;
}

/* The next line with content, trimmed; false at the end of the file. Comments are kept out: a `;` outside
 * quotes. */
static bool next_line(struct reader *r)
{
    while (fgets(r->line, sizeof(r->line), r->file)) {
        r->line_number++;
        bool quoted = false;
        char *p = r->line;
        for (; *p; p++) {
            if (*p == '\\' && p[1]) {
                p++;
                continue;
            }
            if (*p == '"')
                quoted = !quoted;
            if (!quoted && *p == ';')
                break;
        }
        *p = '\0';
        while (p > r->line && isspace((unsigned char)p[-1]))
            *--p = '\0';
        char *start = r->line;
        while (isspace((unsigned char)*start))
            start++;
        memmove(r->line, start, strlen(start) + 1);
        if (sscanf(r->line, "$ORIGIN %1023s", r->origin) == 1)
            continue;
        if (r->line[0])
            return true;
    }
    return false;
}

static bool starts_with(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && (line[n] == '\0' || isspace((unsigned char)line[n]));
}

static void add_option(struct reader *r, const char *section, unsigned index, const char *key,
                       const char *value)
{
    struct rpl_option *option = must_calloc(sizeof(*option));
    option->section = section;
    option->section_index = index;
    option->key = strdup(key);
    option->value = strdup(value);
    *r->option_tail = option;
    r->option_tail = &option->next;
}

/* `key: value key: value`, values quoted or not; a key without value on its line opens a section. */
static int read_options(struct reader *r)
{
    const char *section = "server";
    unsigned index = 0;
    while (next_line(r)) {
        if (starts_with(r->line, "CONFIG_END"))
            return 0;
        char *hash = strchr(r->line, '#');
        if (hash && (hash == r->line || isspace((unsigned char)hash[-1])))
            *hash = '\0';
        char *p = r->line;
        while (*p) {
            while (isspace((unsigned char)*p))
                p++;
            char *key = p;
            while (*p && *p != ':' && !isspace((unsigned char)*p))
                p++;
            if (*p != ':')
                break; /* a word that belongs to another player's own configuration */
            *p++ = '\0';
            while (isspace((unsigned char)*p))
                p++;
            if (!*p || strcmp(key, "forward-zone") == 0 || strcmp(key, "stub-zone") == 0 ||
                strcmp(key, "server") == 0) {
                section = strdup(key);
                index++;
                continue;
            }
            char *value = p;
            if (*p == '"') {
                value = ++p;
                while (*p && *p != '"')
                    p++;
            } else {
                /* up to the next `key:` on the line, or its end */
                char *end = p + strlen(p);
                for (char *q = p; *q; q++)
                    if (isspace((unsigned char)*q)) {
                        char *w = q;
                        while (isspace((unsigned char)*w))
                            w++;
                        size_t n = strcspn(w, ": \t");
                        if (n && w[n] == ':' && isspace((unsigned char)w[n + 1]) &&
                            isalpha((unsigned char)*w)) {
                            end = q;
                            break;
                        }
                    }
                p = end;
            }
            bool more = *p != '\0';
            *p = '\0';
            if (more)
                p++;
            add_option(r, section, index, key, value);
        }
    }
    return fail(r, "no CONFIG_END");
}

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
    {"none", 0},
};

static int read_match(struct reader *r, struct rpl_entry *entry, char *words)
{
    for (char *save, *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        unsigned i = 0;
        if (strncmp(w, "ede=", 4) == 0) {
            entry->match |= RPL_EDE;
            entry->ede = strcmp(w + 4, "any") == 0 ? -1 : atoi(w + 4);
            continue;
        }
        while (i < ARRAY_SIZE(match_words) && strcasecmp(match_words[i].word, w) != 0)
            i++;
        if (i == ARRAY_SIZE(match_words))
            return fail(r, "unknown word in MATCH");
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
            return fail(r, "unknown word in REPLY");
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
        entry->raw = must_calloc(65536);
    while (next_line(r)) {
        if (until_end && starts_with(r->line, "HEX_ANSWER_END"))
            return 0;
        if (add_hex(entry, r->line))
            return fail(r, "not hexadecimal");
        if (!until_end)
            return 0;
    }
    return fail(r, "file ends inside hexadecimal");
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

static int read_record(struct reader *r, struct rpl_entry *entry, int section, ldns_rdf **origin,
                       ldns_rdf **previous)
{
    ldns_rr *rr = NULL;
    /* A record may go on over lines inside parentheses. */
    size_t size = strlen(r->line);
    if (strchr(r->line, '(') && !strchr(r->line, ')')) {
        char whole[RPL_MAX_LINE];
        memcpy(whole, r->line, size + 1);
        while (next_line(r) && size + strlen(r->line) + 2 < sizeof(whole)) {
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
            return fail(r, "not a record of the form of RFC 3597");
        ldns_rr_list_push_rr(entry->section[MAX(section, 0)], rr);
        return 0;
    }
    ldns_status status = section < 0 ? ldns_rr_new_question_frm_str(&rr, r->line, *origin, previous)
                                     : ldns_rr_new_frm_str(&rr, r->line, DEFAULT_TTL, *origin, previous);
    if (status == LDNS_STATUS_SYNTAX_MISSING_VALUE_ERR && strstr(r->line, "RRSIG")) {
        /* a signature that was taken away: one octet, which verifies nothing */
        strcat(r->line, " AA==");
        status = ldns_rr_new_frm_str(&rr, r->line, DEFAULT_TTL, *origin, previous);
    }
    if (status != LDNS_STATUS_OK)
        return fail(r, ldns_get_errorstr_by_id(status));
    ldns_rr_list_push_rr(section < 0 ? entry->question : entry->section[section], rr);
    return 0;
}

static int read_entry(struct reader *r, struct rpl_entry **ret_entry)
{
    struct rpl_entry *entry = must_calloc(sizeof(*entry));
    ldns_rdf *origin = ldns_dname_new_frm_str(r->origin), *previous = NULL;
    int section = -1, known = 0;
    entry->question = ldns_rr_list_new();
    for (int i = 0; i < 3; i++)
        entry->section[i] = ldns_rr_list_new();
    while (next_line(r)) {
        int bad = 0;
        if (starts_with(r->line, "ENTRY_END")) {
            *ret_entry = entry;
            return 0;
        } else if (starts_with(r->line, "MATCH")) {
            bad = read_match(r, entry, r->line + 5);
        } else if (starts_with(r->line, "ADJUST")) {
            entry->copy_id |= strstr(r->line, "copy_id") != NULL;
            entry->copy_query |= strstr(r->line, "copy_query") != NULL;
        } else if (starts_with(r->line, "REPLY") || starts_with(r->line, "FLAGS")) {
            bad = read_reply(r, entry, r->line + 5);
        } else if (starts_with(r->line, "MANDATORY")) {
            continue; /* that an entry is used at all is another player's check */
        } else if (starts_with(r->line, "SECTION")) {
            static const char *const names[] = {"QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL"};
            for (known = 0; known < 4 && !strstr(r->line + 7, names[known]); known++)
                ;
            if (known == 4)
                return fail(r, "unknown SECTION");
            section = known - 1;
        } else if (starts_with(r->line, "HEX_ANSWER_BEGIN")) {
            bad = read_hex(r, entry, true);
        } else if (starts_with(r->line, "RAW")) {
            bad = read_hex(r, entry, false);
        } else {
            bad = read_record(r, entry, section, &origin, &previous);
        }
        if (bad)
            return 1;
    }
    return fail(r, "file ends inside an entry");
}

static int read_range(struct reader *r)
{
    struct rpl_range *range = must_calloc(sizeof(*range));
    struct rpl_entry **tail = &range->entries;
    if (sscanf(r->line, "RANGE_BEGIN %u %u", &range->from, &range->to) != 2)
        return fail(r, "RANGE_BEGIN wants two step numbers");
    while (next_line(r)) {
        if (starts_with(r->line, "RANGE_END")) {
            *r->range_tail = range;
            r->range_tail = &range->next;
            return 0;
        }
        if (starts_with(r->line, "ADDRESS")) {
            char word[64];
            if (range->address_count == ARRAY_SIZE(range->address) ||
                sscanf(r->line, "ADDRESS %63s", word) != 1 ||
                scenario_address(word, &range->address[range->address_count++]))
                return fail(r, "not an address");
        } else if (starts_with(r->line, "ENTRY_BEGIN")) {
            if (read_entry(r, tail))
                return 1;
            tail = &(*tail)->next;
        } else {
            return fail(r, "unknown word in a range");
        }
    }
    return fail(r, "file ends inside a range");
}

static const struct {
    const char *word;
    enum rpl_step_kind kind;
    bool entry;
} step_words[] = {
    {"QUERY", RPL_STEP_QUERY, true},
    {"REPLY", RPL_STEP_REPLY, true},
    {"CHECK_ANSWER", RPL_STEP_CHECK_ANSWER, true},
    {"CHECK_OUT_QUERY", RPL_STEP_CHECK_OUT_QUERY, true},
    {"TIME_PASSES", RPL_STEP_TIME_PASSES, false},
    {"TIMEOUT", RPL_STEP_TIMEOUT, false},
    {"ASK", RPL_STEP_ASK, false},
    {"NTA", RPL_STEP_NTA, false},
    {"NTA_REMOVE", RPL_STEP_NTA_REMOVE, false},
    {"FLUSH", RPL_STEP_FLUSH, false},
    {"RESTART", RPL_STEP_RESTART, false},
    {"TRAFFIC", RPL_STEP_TRAFFIC, false},
    {"NOTHING", RPL_STEP_NOTHING, false},
};

static int read_step(struct reader *r)
{
    struct rpl_step *step = must_calloc(sizeof(*step));
    char word[64] = "", rest[1024] = "", address[64];
    unsigned i = 0;
    if (sscanf(r->line, "STEP %u %63s %1023[^\n]", &step->number, word, rest) < 2)
        return fail(r, "STEP wants a number and a kind");
    while (i < ARRAY_SIZE(step_words) && strcmp(step_words[i].word, word) != 0)
        i++;
    if (i == ARRAY_SIZE(step_words))
        return fail(r, "unknown kind of STEP");
    step->kind = step_words[i].kind;
    step->ask = strdup(rest);
    if (sscanf(rest, "ELAPSE %lf", &step->elapse_s) != 1 && step->kind == RPL_STEP_TIME_PASSES)
        return fail(r, "TIME_PASSES wants ELAPSE and seconds");
    if (sscanf(rest, "ADDRESS %63s", address) == 1 && scenario_address(address, &step->address))
        return fail(r, "not an address");
    *r->step_tail = step;
    r->step_tail = &step->next;
    if (!step_words[i].entry)
        return 0;
    if (!next_line(r))
        return fail(r, "file ends after a STEP");
    if (starts_with(r->line, "ADDRESS")) {
        if (sscanf(r->line, "ADDRESS %63s", address) != 1 || scenario_address(address, &step->address))
            return fail(r, "not an address");
        if (!next_line(r))
            return fail(r, "file ends after a STEP");
    }
    if (!starts_with(r->line, "ENTRY_BEGIN"))
        return fail(r, "this STEP wants an entry");
    return read_entry(r, &step->entry);
}

static int read_zone(struct reader *r)
{
    char why[512] = "";
    if (zone_begin(r->line, r->zone_tail, why, sizeof(why)))
        return fail(r, why);
    struct play_zone *zone = *r->zone_tail;
    r->zone_tail = &zone->next;
    while (next_line(r)) {
        if (starts_with(r->line, "ZONE_END"))
            return 0;
        if (zone_line(zone, r->line, why, sizeof(why)))
            return fail(r, why);
    }
    return fail(r, "file ends inside a zone");
}

static int read_server(struct reader *r)
{
    char why[512] = "";
    if (server_line(r->line, r->server_tail, why, sizeof(why)))
        return fail(r, why);
    r->server_tail = &(*r->server_tail)->next;
    return 0;
}

static int read_include(struct reader *r);

/* One statement behind the options. 0; 1: see the error; 2: SCENARIO_END. */
static int read_statement(struct reader *r)
{
    if (starts_with(r->line, "SCENARIO_BEGIN")) {
        snprintf(r->scenario->title, sizeof(r->scenario->title), "%.500s",
                 r->line + strlen("SCENARIO_BEGIN"));
        return 0;
    }
    if (starts_with(r->line, "RANGE_BEGIN"))
        return read_range(r);
    if (starts_with(r->line, "ZONE_BEGIN"))
        return read_zone(r);
    if (starts_with(r->line, "MISBEHAVE"))
        return read_server(r);
    if (starts_with(r->line, "INCLUDE"))
        return read_include(r);
    if (starts_with(r->line, "STEP"))
        return read_step(r);
    if (starts_with(r->line, "SCENARIO_END"))
        return 2;
    return fail(r, "unknown statement");
}

/* INCLUDE file: its statements as if they stood here; the path is relative to the scenario's folder. */
static int read_include(struct reader *r)
{
    char name[256], path[1400];
    const char *slash = strrchr(r->scenario->path, '/');
    FILE *outer = r->file;
    unsigned outer_line = r->line_number;
    int bad = 0;
    if (sscanf(r->line, "INCLUDE %255s", name) != 1)
        return fail(r, "INCLUDE wants a file");
    snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - r->scenario->path + 1) : 0,
             r->scenario->path, name);
    r->file = fopen(path, "r");
    if (!r->file) {
        r->file = outer;
        return fail(r, "the included file cannot be opened");
    }
    r->line_number = 0;
    while (!bad && next_line(r))
        bad =
            starts_with(r->line, "INCLUDE") ? fail(r, "INCLUDE inside an included file") : read_statement(r);
    fclose(r->file);
    r->file = outer;
    r->line_number = outer_line;
    return bad;
}

int scenario_read(const char *path, struct scenario *ret_scenario)
{
    struct reader *r = must_calloc(sizeof(*r));
    int bad = 0;
    memset(ret_scenario, 0, sizeof(*ret_scenario));
    snprintf(ret_scenario->path, sizeof(ret_scenario->path), "%s", path);
    r->scenario = ret_scenario;
    strcpy(r->origin, ".");
    r->option_tail = &ret_scenario->options;
    r->range_tail = &ret_scenario->ranges;
    r->step_tail = &ret_scenario->steps;
    r->zone_tail = &ret_scenario->zones;
    r->server_tail = &ret_scenario->servers;
    r->file = fopen(path, "r");
    if (!r->file) {
        fail(r, "cannot be opened");
        free(r);
        return 1;
    }
    bad = read_options(r);
    bool ended = false;
    while (!bad && !ended && next_line(r)) {
        bad = read_statement(r);
        ended = bad == 2;
        bad = ended ? 0 : bad;
    }
    if (!bad && !ended)
        bad = fail(r, "no SCENARIO_END");
    fclose(r->file);
    free(r);
    return bad;
}
