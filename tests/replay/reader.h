#pragma once
/* Reading a scenario file, line by line: what scenario.c and scenario_entry.c share. */

#include <stdio.h>

#include "tests/replay/scenario.h"

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

/* The next line with content, trimmed and without its comment, in r->line. False: the file ends. */
bool reader_line(struct reader *r);
/* Is `word` the line's first word? */
bool reader_begins(const char *line, const char *word);
/* Notes what is wrong and where, once. Always 1. */
int reader_fail(struct reader *r, const char *what);
/* The same for what is known and has no counterpart here: the scenario is skipped by that name. Always 1. */
int reader_unsupported(struct reader *r, const char *what);
void *reader_calloc(size_t size);
/* An entry, from behind its ENTRY_BEGIN. 0 or 1. */
int reader_entry(struct reader *r, struct rpl_entry **ret_entry);
