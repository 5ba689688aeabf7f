#pragma once
/* STEP n ASK: a question and what is expected of its answer, on one line; README.md has the words. */

#include "tests/replay/scenario.h"

struct expectation {
    size_t packet_size;
    struct address from; /* family 0: not given */
    bool udp, drop;
    uint16_t type, rcode;
    int ad, aa, tc; /* 1 set, 0 clear, -1 not looked at */
    int ede[4];     /* codes that must be there */
    unsigned ede_count;
    bool no_ede;        /* none may be there */
    char ede_text[128]; /* part of one EDE's text, a blank written as _; empty: not looked at */
    int not_ede;        /* code that may not be there; -1 */
    long ttl;           /* -1 not looked at */
    long upstream_most, upstream_least, upstream_exact;
    double seconds_most;                          /* until the answer; < 0: not looked at */
    char answer_types[256], authority_types[256]; /* empty: not looked at */
    bool has_data;
    char data[1024];
};

/* Reads the line; packet (512 bytes at least) gets the question as sent. 0; 1 and why. */
int expect_read(const char *line, struct expectation *ret_expect, uint8_t *packet, char *why, size_t room);
int expect_check(const struct expectation *expect, struct slice answer, unsigned upstream, double seconds,
                 char *why, size_t room);
