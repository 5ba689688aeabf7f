#pragma once
/* Microbenchmarks: what one look-up, one parse, one check costs, in instructions (micro.py counts them with
 * callgrind). Each case sets up what it needs, then does its work `count` times; micro_measured() is around
 * the second alone. Whatever a case reads is the same in every run: no clock, no random bytes, no keys made
 * on the spot. */

#include <stddef.h>

#define MICRO_NOW_S 1800000000

struct micro_case {
    const char *name;
    unsigned count; /* of the measured run; the work is done as often before, unmeasured */
    void *(*prepare)(void);
    void (*run)(void *ctx, unsigned count);
    void (*finish)(void *ctx); /* NULL: the process ends anyway */
};

extern const struct micro_case micro_parse_question, micro_parse_response, micro_l1, micro_l2, micro_build;
extern const struct micro_case micro_verify_p256, micro_verify_rsa;
extern const struct micro_case micro_ipc;

/* For a case that did not do what it should have: says so, and ends the program. */
void micro_fail(const char *what) __attribute__((noreturn));
