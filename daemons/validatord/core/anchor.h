#pragma once
/* Trust points at run time: their records (RFC 5011), the refresh of each, and RFC 8145's signal. Inside of
 * the core.
 *
 * core->config.anchors is what is in force, made anew from the records and the configuration at every change:
 * configured anchors as they are written, but those that were revoked, and the DS records of those that came
 * by RFC 5011 or an operator. Before val_core_load_anchors() it is the configuration alone. */

#include "common/base/list.h"
#include "daemons/validatord/core/anchor_state.h"

struct val_core;
struct val_anchor;
struct job;
struct purse;

#define ANCHOR_POINTS_MAX  512u     /* twice what a configuration may name */
#define ANCHOR_START_MS    10000u   /* after a start: what clients wait for comes first */
#define ANCHOR_LOOK_MAX_MS 3600000u /* between looks at the clock, so that a step or a sleep is noticed */
#define ANCHOR_BUSY_MS     60000u   /* until the next look at a trust point whose change is being written */
#define ANCHOR_SIGNAL_S    86400    /* RFC 8145 5.2 ties it to the DNSKEY question; daily, as others do */

struct trust_point {
    struct list node;
    uint8_t zone[NAME_MAX];
    struct cache_anchor rec, next; /* next: while it is being written */
    bool writing, refreshing;
    mono_ns due;
    mono_ns not_before; /* of the next refresh, whatever the wall clock says */
};

struct anchors {
    struct list points;
    unsigned count;
    bool loaded;
    mono_ns due; /* the earliest of the points' */
    const struct val_anchor *configured;
    size_t configured_count;
    struct arena *arena; /* of what is in force */
};

void val_anchors_init(struct val_core *core);
void val_anchors_fini(struct val_core *core);
/* The configuration changed (core->config.anchors is the configured list). 0 or -ENOMEM. */
int val_anchors_configured(struct val_core *core);
void val_anchors_tick(struct val_core *core);

int val_anchors_load(struct val_core *core);
void val_anchor_written(struct val_core *core, const uint8_t *zone, bool kept);
/* Outcomes of val_core_anchor_add and val_core_anchor_remove. */
int val_anchors_add(struct val_core *core, const uint8_t *zone, uint16_t type, const struct rdata *rdata);
int val_anchors_remove(struct val_core *core, const uint8_t *zone, int tag, bool force);

struct trust_point *val_anchor_point(const struct val_core *core, const uint8_t *zone);
struct anchor_rules val_anchor_rules(const struct val_core *core);
/* A changed record to the shell: effective ones take effect when they are persisted, others at once. `job`
 * carries the bytes. 0 or -ENOMEM. */
int val_anchor_keep(struct val_core *core, struct trust_point *point, struct job *job,
                    const struct cache_anchor *next, bool effective, bool asked,
                    const struct anchor_events *events);

/* anchor_refresh.c: the job. */
int val_anchor_refresh(struct val_core *core, struct trust_point *point);
int val_anchor_job_run(struct val_core *core, struct job *job);
void val_anchor_job_fail(struct val_core *core, struct job *job);

/* anchor_signal.c: one Key Tag query. */
void val_anchor_signal(struct val_core *core, const uint8_t *zone, struct purse *purse);
/* RFC 8509 2.2: is the secure answer to this question to be SERVFAIL? Fills in the tag. */
bool val_anchor_sentinel_denies(const struct val_core *core, const uint8_t *qname, uint16_t qtype,
                                uint16_t *ret_tag, bool *ret_trusted);
