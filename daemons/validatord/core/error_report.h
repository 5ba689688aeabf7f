#pragma once
/* Error reporting, RFC 9567: what a zone's servers said of whom to tell, and the telling. Bounded:
 * AGENT_SLOTS zones, and so many reports a minute. */

#include "common/base/env.h"
#include "common/wire/name.h"

struct val_core;
struct fetch;
struct job;
struct failure;

/* Whom a zone's servers want to be told of failures. Zones that share a slot displace each other. */
#define AGENT_SLOTS 256u

struct report_window {
    mono_ns ends;
    unsigned sent;
};

struct agent_slot {
    uint8_t zone[NAME_MAX], agent[NAME_MAX];
    mono_ns until; /* 0: none is known */
    struct report_window window;
};

/* A response of the zone's own servers came, with that option or (empty) without it. */
void val_agent_learn(struct val_core *core, const struct fetch *fetch, const uint8_t *zone,
                     struct slice option);
/* A failure of the job's name and type is new: reported where an agent is known and nothing speaks against
 * it. */
void val_report_failure(struct val_core *core, struct job *by, uint16_t type, const struct failure *why);
