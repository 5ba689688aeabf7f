#pragma once
/* The edge to recursord: Fetch and Cancel out, Evidence and Done in (proto/validatord_recursord.proto).
 * validatord connects, and connects again by itself. Fetches asked for while recursord is away wait, so that
 * a restart of it costs their questions the restart's time and nothing else. Nothing recursord says is
 * believed here or further in: a frame that cannot be closes the connection, the rest is the core's to vet.
 */

#include "daemons/validatord/core/validator.h"

#define VR_PROTOCOL_VERSION 2u
#define VR_WAITING_MAX      4096u /* fetches that wait for recursord to come back */

struct validatord;
struct edge_recursord;

struct edge_recursord_stats {
    bool connected;
    uint64_t connects, fetches, evidence;
    size_t waiting;
};

int edge_recursord_new(struct validatord *v, struct edge_recursord **ret_edge);
void edge_recursord_free(struct edge_recursord *edge);
/* 0; 1: too many are waiting, or memory is short: the fetch will not happen. */
int edge_recursord_fetch(struct edge_recursord *edge, const struct val_action *action, mono_ns now);
void edge_recursord_cancel(struct edge_recursord *edge, uint64_t fetch);
/* Sends what is queued, in one batch. */
void edge_recursord_flush(struct edge_recursord *edge);
bool edge_recursord_met(const struct edge_recursord *edge);
struct edge_recursord_stats edge_recursord_stats(const struct edge_recursord *edge);
