#pragma once
/* Inside of the incidents: one file keeps them and answers for them, incident_probe.c opens and ends them. */

#include "daemons/validatord/core/incident.h"

#define INCIDENT_BUCKETS 64u

struct incident_child {
    uint64_t hash;
    mono_ns failed;
};

struct incident {
    struct list node, age_node;
    uint64_t hash, serial; /* serial: of this opening; rations of an earlier one do not count */
    uint8_t zone[NAME_MAX];
    bool open, degraded, advised;
    bool silent;   /* no server of it answered the last probe */
    bool doubted;  /* an operator had its failures forgotten: nothing is held back until a probe has looked */
    bool was_open; /* one that ended at `ended` */
    bool probing;
    mono_ns ended, next_probe, begun, probed; /* begun, probed: of the last probe */
    mono_ns not_before; /* of the next probe of a suspicion, after one that did not confirm it */
    wall_s since;
    unsigned probes_failed;
    struct failure why;
    struct incident_child children[INCIDENT_CHILDREN]; /* that failed last */
    struct val_probe_target targets[INCIDENT_CHILDREN];
    unsigned child_count;
    struct val_probe_report report;
    /* since it opened, of what reached validatord */
    uint64_t questions, continued, stale, failed, name_count;
    uint8_t *names; /* bits */
};

/* Until when a child's ration is used up. */
struct ration {
    uint64_t hash;
    mono_ns until;
};

struct incidents {
    struct list buckets[INCIDENT_BUCKETS];
    struct list by_age; /* the oldest first */
    unsigned count, open_count;
    uint64_t serial;
    struct ration rations[INCIDENT_RATIONS];
};

_Static_assert(INCIDENT_CHILDREN <= VAL_PROBE_TARGETS, "a probe asks for all that failed");

struct incident *incident_find(const struct val_core *core, const uint8_t *zone);
/* Found or made. NULL: no memory, or no room. */
struct incident *incident_get(struct val_core *core, const uint8_t *zone);
uint64_t incident_back_off_s(const struct val_core *core, const struct incident *incident);
/* Its cause and what failed are in it. by: whose arena the record for the cache may use. */
void incident_open(struct val_core *core, struct job *by, struct incident *incident);
/* The core's deadline follows what changed. */
void val_incidents_schedule(struct val_core *core);
