#include "tests/replay/reader.h"
#include "tests/replay/zone.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *reader_calloc(size_t size)
{
    void *p = calloc(1, size);
    if (!p)
        abort();
    return p;
}

int reader_fail(struct reader *r, const char *what)
{
    if (!r->scenario->error[0])
        snprintf(r->scenario->error, sizeof(r->scenario->error), "%.400s:%u: %s", r->scenario->path,
                 r->line_number, what);
    return 1;
}

int reader_unsupported(struct reader *r, const char *what)
{
    if (!r->scenario->unsupported[0])
        snprintf(r->scenario->unsupported, sizeof(r->scenario->unsupported), "%.100s has no counterpart",
                 what);
    return reader_fail(r, "has no counterpart");
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
bool reader_line(struct reader *r)
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

bool reader_begins(const char *line, const char *word)
{
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 && (line[n] == '\0' || isspace((unsigned char)line[n]));
}

static void add_option(struct reader *r, const char *section, unsigned index, const char *key,
                       const char *value)
{
    struct rpl_option *option = reader_calloc(sizeof(*option));
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
    while (reader_line(r)) {
        if (reader_begins(r->line, "CONFIG_END"))
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
                r->scenario->sections = true;
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
    return reader_fail(r, "no CONFIG_END");
}

static int range_address(struct rpl_range *range, const char *text)
{
    if (range->address_count == ARRAY_SIZE(range->address))
        return 1;
    return scenario_address(text, &range->address[range->address_count++]);
}

static int read_range(struct reader *r)
{
    struct rpl_range *range = reader_calloc(sizeof(*range));
    struct rpl_entry **tail = &range->entries;
    int used = 0;
    if (sscanf(r->line, "RANGE_BEGIN %u %u%n", &range->from, &range->to, &used) != 2)
        return reader_fail(r, "RANGE_BEGIN wants two step numbers");
    for (char *save, *w = strtok_r(r->line + used, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
        if (range_address(range, w))
            return reader_fail(r, "not an address");
    while (reader_line(r)) {
        if (reader_begins(r->line, "RANGE_END")) {
            *r->range_tail = range;
            r->range_tail = &range->next;
            return 0;
        }
        if (reader_begins(r->line, "ADDRESS")) {
            char word[64] = "";
            if (sscanf(r->line, "ADDRESS %63s", word) != 1 || range_address(range, word))
                return reader_fail(r, "not an address");
        } else if (reader_begins(r->line, "ENTRY_BEGIN")) {
            if (reader_entry(r, tail))
                return 1;
            tail = &(*tail)->next;
        } else {
            return reader_fail(r, "unknown word in a range");
        }
    }
    return reader_fail(r, "file ends inside a range");
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
    {"ERROR", RPL_STEP_ERROR, false},
    {"ASK", RPL_STEP_ASK, false},
    {"NTA", RPL_STEP_NTA, false},
    {"NTA_REMOVE", RPL_STEP_NTA_REMOVE, false},
    {"SERVE_STALE", RPL_STEP_SERVE_STALE, false},
    {"NTA_PROBE", RPL_STEP_NTA_PROBE, false},
    {"STATE", RPL_STEP_STATE, false},
    {"FLUSH", RPL_STEP_FLUSH, false},
    {"RESTART", RPL_STEP_RESTART, false},
    {"CLOCK", RPL_STEP_CLOCK, false},
    {"SENT", RPL_STEP_SENT, false},
    {"TRAFFIC", RPL_STEP_TRAFFIC, false},
    {"NOTHING", RPL_STEP_NOTHING, false},
};

/* Steps that look into another engine, or are arithmetic on what was found there. */
static const char *const foreign_steps[] = {"ASSIGN",    "CHECK_AUTOTRUST", "CHECK_TEMPFILE",
                                            "INFRA_RTT", "FLUSH_MESSAGE",   "EXPIRE_MESSAGE"};

static int read_step(struct reader *r)
{
    struct rpl_step *step = reader_calloc(sizeof(*step));
    char word[64] = "", rest[1024] = "", address[64];
    unsigned i = 0;
    if (sscanf(r->line, "STEP %u %63s %1023[^\n]", &step->number, word, rest) < 2)
        return reader_fail(r, "STEP wants a number and a kind");
    while (i < ARRAY_SIZE(step_words) && strcmp(step_words[i].word, word) != 0)
        i++;
    for (unsigned k = 0; k < ARRAY_SIZE(foreign_steps); k++)
        if (strcmp(foreign_steps[k], word) == 0)
            return reader_unsupported(r, word);
    if (i == ARRAY_SIZE(step_words))
        return reader_fail(r, "unknown kind of STEP");
    step->kind = step_words[i].kind;
    step->ask = strdup(rest);
    if (step->kind == RPL_STEP_TIME_PASSES && reader_begins(rest, "EVAL"))
        return reader_unsupported(r, "TIME_PASSES EVAL");
    if (sscanf(rest, "ELAPSE %lf", &step->elapse_s) != 1 && step->kind == RPL_STEP_TIME_PASSES)
        return reader_fail(r, "TIME_PASSES wants ELAPSE and seconds");
    if (sscanf(rest, "ADDRESS %63s", address) == 1 && scenario_address(address, &step->address))
        return reader_fail(r, "not an address");
    *r->step_tail = step;
    r->step_tail = &step->next;
    if (!step_words[i].entry)
        return 0;
    if (!reader_line(r))
        return reader_fail(r, "file ends after a STEP");
    if (reader_begins(r->line, "ADDRESS")) {
        if (sscanf(r->line, "ADDRESS %63s", address) != 1 || scenario_address(address, &step->address))
            return reader_fail(r, "not an address");
        if (!reader_line(r))
            return reader_fail(r, "file ends after a STEP");
    }
    if (!reader_begins(r->line, "ENTRY_BEGIN"))
        return reader_fail(r, "this STEP wants an entry");
    return reader_entry(r, &step->entry);
}

static int read_zone(struct reader *r)
{
    char why[512] = "";
    if (zone_begin(r->line, r->zone_tail, why, sizeof(why)))
        return reader_fail(r, why);
    struct play_zone *zone = *r->zone_tail;
    r->zone_tail = &zone->next;
    while (reader_line(r)) {
        if (reader_begins(r->line, "ZONE_END"))
            return 0;
        if (zone_line(zone, r->line, why, sizeof(why)))
            return reader_fail(r, why);
    }
    return reader_fail(r, "file ends inside a zone");
}

static int read_server(struct reader *r)
{
    char why[512] = "";
    if (server_line(r->line, r->server_tail, why, sizeof(why)))
        return reader_fail(r, why);
    r->server_tail = &(*r->server_tail)->next;
    return 0;
}

static int read_include(struct reader *r);

/* One statement behind the options. 0; 1: see the error; 2: SCENARIO_END. */
static int read_statement(struct reader *r)
{
    if (reader_begins(r->line, "SCENARIO_BEGIN")) {
        snprintf(r->scenario->title, sizeof(r->scenario->title), "%.500s",
                 r->line + strlen("SCENARIO_BEGIN"));
        return 0;
    }
    if (reader_begins(r->line, "RANGE_BEGIN"))
        return read_range(r);
    if (reader_begins(r->line, "ZONE_BEGIN"))
        return read_zone(r);
    if (reader_begins(r->line, "MISBEHAVE"))
        return read_server(r);
    if (reader_begins(r->line, "INCLUDE"))
        return read_include(r);
    if (reader_begins(r->line, "STEP"))
        return read_step(r);
    if (reader_begins(r->line, "SCENARIO_END"))
        return 2;
    if (reader_begins(r->line, "RANGE_END")) /* one too many, as some files have it */
        return 0;
    static const char *const foreign[] = {"AUTOTRUST_FILE", "TEMPFILE_NAME", "TEMPFILE_CONTENTS"};
    for (unsigned i = 0; i < ARRAY_SIZE(foreign); i++)
        if (reader_begins(r->line, foreign[i]))
            return reader_unsupported(r, foreign[i]);
    return reader_fail(r, "unknown statement");
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
        return reader_fail(r, "INCLUDE wants a file");
    snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - r->scenario->path + 1) : 0,
             r->scenario->path, name);
    r->file = fopen(path, "r");
    if (!r->file) {
        r->file = outer;
        return reader_fail(r, "the included file cannot be opened");
    }
    r->line_number = 0;
    while (!bad && reader_line(r))
        bad = reader_begins(r->line, "INCLUDE") ? reader_fail(r, "INCLUDE inside an included file")
                                                : read_statement(r);
    fclose(r->file);
    r->file = outer;
    r->line_number = outer_line;
    return bad;
}

int scenario_read(const char *path, struct scenario *ret_scenario)
{
    struct reader *r = reader_calloc(sizeof(*r));
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
        reader_fail(r, "cannot be opened");
        free(r);
        return 1;
    }
    bad = read_options(r);
    bool ended = false;
    while (!bad && !ended && reader_line(r)) {
        bad = read_statement(r);
        ended = bad == 2;
        bad = ended ? 0 : bad;
    }
    if (!bad && !ended)
        bad = reader_fail(r, "no SCENARIO_END");
    fclose(r->file);
    free(r);
    return bad;
}
