#pragma once
/* STEP n ASK: a question and what is expected of its answer, on one line.
 *
 *   name type [DO] [CD] [AD] [noRD] -> RCODE [ad|noad] [aa] [ttl=N] [ede=N|noede] [upstream<=N|upstream=N] [=
 * data | data…]
 *
 * `= data` lists the RDATA of the final RRset in the answer section (records of the asked type, in any
 * order); `= -` wants an answer section without records of that type. Without it the data is not looked at.
 */

#include "tests/replay/scenario.h"

struct expectation {
    size_t packet_size;
    uint16_t type, rcode;
    int ad;   /* 1 set, 0 clear, -1 not looked at */
    int ede;  /* code; -1 not looked at; -2 none may be there */
    long ttl; /* -1 not looked at */
    long upstream_most, upstream_exact;
    bool has_data;
    char data[1024];
};

/* Reads the line; packet (512 bytes at least) gets the question as sent. 0; 1 and why. */
int expect_read(const char *line, struct expectation *ret_expect, uint8_t *packet, char *why, size_t room);
int expect_check(const struct expectation *expect, struct slice answer, unsigned upstream, char *why,
                 size_t room);
