#pragma once
/* A replay scenario: the .rpl language of Unbound's testbound, which Deckard shares, read into memory.
 *
 * Grammar (one statement a line, `;` and `#` begin a comment where they stand alone):
 *   options … CONFIG_END
 *   SCENARIO_BEGIN title … SCENARIO_END
 *   RANGE_BEGIN from to / ADDRESS a… / entries / RANGE_END
 *   STEP n QUERY|REPLY|CHECK_ANSWER|CHECK_OUT_QUERY|TIME_PASSES|TIMEOUT|ERROR|TRAFFIC|NOTHING, then one entry
 *   STEP n NTA name [seconds], NTA_REMOVE name, SERVE_STALE name on|off|reset, FLUSH (the whole cache),
 * RESTART (validatord and recursord, over the same cache): the player's own STEP n ASK …, one question with
 * what is expected of its answer on one line: the player's own, see expect.h ZONE_BEGIN … ZONE_END, MISBEHAVE
 * …: the player's own, see zone.h ENTRY_BEGIN / MATCH … / ADJUST … / REPLY … / SECTION … records /
 * HEX_ANSWER_BEGIN … / RAW hex / ENTRY_END
 */

#include <stdbool.h>

#include <ldns/ldns.h>

#include "common/base/address.h"
#include "common/base/arena.h"

#define RPL_MAX_LINE 16384u

enum rpl_match {
    RPL_OPCODE = 1 << 0,
    RPL_QTYPE = 1 << 1,
    RPL_QNAME = 1 << 2,
    RPL_SUBDOMAIN = 1 << 3,
    RPL_RCODE = 1 << 4,
    RPL_QUESTION = 1 << 5,
    RPL_ANSWER = 1 << 6,
    RPL_AUTHORITY = 1 << 7,
    RPL_ADDITIONAL = 1 << 8,
    RPL_ALL = 1 << 9,
    RPL_TTL = 1 << 10,
    RPL_DO = 1 << 11,
    RPL_NO_DO = 1 << 12,
    RPL_UDP = 1 << 13,
    RPL_TCP = 1 << 14,
    RPL_FLAGS = 1 << 15,
    RPL_EDE = 1 << 16,
    RPL_NO_EDNS = 1 << 17,
    RPL_QCASE = 1 << 18,
};

struct rpl_entry {
    struct rpl_entry *next;
    unsigned match;
    int ede;                                /* with RPL_EDE: the code wanted; -1: any */
    bool copy_id, copy_query, edns, silent; /* silent: takes the question and never answers */
    uint16_t flags;                         /* QR AA TC RD RA AD CD of the REPLY line */
    uint8_t opcode;
    uint16_t rcode;
    bool want_do;
    ldns_rr_list *question, *section[3];
    bool has_raw;
    uint8_t *raw;
    size_t raw_size;
};

struct rpl_range {
    struct rpl_range *next;
    unsigned from, to;
    struct address address[32];
    unsigned address_count; /* 0: any */
    struct rpl_entry *entries;
};

enum rpl_step_kind {
    RPL_STEP_QUERY,
    RPL_STEP_REPLY,
    RPL_STEP_CHECK_ANSWER,
    RPL_STEP_CHECK_OUT_QUERY,
    RPL_STEP_TIME_PASSES,
    RPL_STEP_TIMEOUT,
    RPL_STEP_ERROR,
    RPL_STEP_TRAFFIC,
    RPL_STEP_NOTHING,
    RPL_STEP_ASK,
    RPL_STEP_NTA,
    RPL_STEP_NTA_REMOVE,
    RPL_STEP_SERVE_STALE,
    RPL_STEP_NTA_PROBE,
    RPL_STEP_STATE,
    RPL_STEP_FLUSH,
    RPL_STEP_RESTART,
    RPL_STEP_CLOCK,
    RPL_STEP_SENT,
};

struct rpl_step {
    struct rpl_step *next;
    unsigned number;
    enum rpl_step_kind kind;
    struct address address; /* QUERY: the client; REPLY: the server; family 0: not given */
    double elapse_s;
    const char *ask;         /* ASK: the rest of the line, see expect.h */
    struct rpl_entry *entry; /* may be NULL */
};

struct rpl_option {
    struct rpl_option *next;
    const char *section;     /* "server", "stub-zone", "forward-zone", … */
    unsigned section_index;  /* grows with every section header */
    const char *key, *value; /* value without quotes */
};

struct play_zone;
struct play_server;

struct scenario {
    char path[1024], title[512];
    struct rpl_option *options;
    struct play_zone *zones; /* zone.h: the player's own addition to the grammar */
    struct play_server *servers;
    struct rpl_range *ranges;
    struct rpl_step *steps;
    bool sections;         /* its options stand in sections: testbound's dialect, else Deckard's */
    char error[512];       /* where and what, when reading failed */
    char unsupported[512]; /* what it uses that has no counterpart here; empty: nothing */
};

/* Reads the file; everything is allocated for the life of the process (a process plays one scenario). 0, or
 * 1: see ret_scenario->error. */
int scenario_read(const char *path, struct scenario *ret_scenario);

/* "193.0.14.129", "2001:db8::1", "1.2.3.4@5353" (port 53 unless given). 0 or 1. */
int scenario_address(const char *text, struct address *ret_address);
