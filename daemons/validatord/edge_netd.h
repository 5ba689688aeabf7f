#pragma once
/* The edge to netd: Resolve frames in, Verdict frames out (proto/netd_validatord.proto). validatord connects,
 * and connects again by itself. netd is not trusted: budgets are cut to ours, names are checked, whatever
 * else cannot be closes the connection. */

#include "daemons/validatord/core/validator.h"

#define NV_PROTOCOL_VERSION 1u

struct validatord;
struct edge_netd;

struct edge_netd_stats {
    bool connected;
    uint64_t connects, resolves, verdicts;
};

int edge_netd_new(struct validatord *v, struct edge_netd **ret_edge);
void edge_netd_free(struct edge_netd *edge);
/* Sends a verdict to the client (connection) that asked; one that is gone is passed over. */
void edge_netd_verdict(struct edge_netd *edge, const struct val_action *action);
/* Sends what is queued, in one batch. */
void edge_netd_flush(struct edge_netd *edge);
bool edge_netd_met(const struct edge_netd *edge);
struct edge_netd_stats edge_netd_stats(const struct edge_netd *edge);
