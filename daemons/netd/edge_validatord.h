#pragma once
/* The edge to validatord (proto/netd_validatord.proto): lives on the main thread, serves all workers.
 *
 * netd listens, validatord connects. Out: workers submit requests, one wake-up a batch. In: verdicts go to
 * the inbox of the worker named in the id's top octet. Frames are untrusted: what cannot be closes the
 * connection, and the workers go on from the cache until validatord is back. */

#include "daemons/netd/netd.h"

struct edge_request {
    uint64_t id, generation;
    uint8_t qname[NAME_MAX];
    uint8_t qname_size;
    uint16_t qtype;
    bool checking_disabled, refresh;
    uint32_t wall_ms;
};

/* Listens on the passed socket (taken). allowed: validatord's user. 0 or -errno. */
int edge_new(struct netd *netd, int listen_fd, uid_t allowed, struct edge **ret_edge);
void edge_free(struct edge *edge);

/* Any thread. Kept until edge_kick(); dropped while validatord is away, since workers ask again when it is
 * back. */
void edge_submit(struct edge *edge, const struct edge_request *request);
void edge_kick(struct edge *edge);
/* Milliseconds since validatord went away (since the start, when it never came); 0: it is there. Any thread.
 */
uint64_t edge_down_ms(const struct edge *edge, mono_ns now);

/* Number of the present (or last) connection: what was submitted under it needs not be asked again. Any
 * thread. */
uint64_t edge_serial(const struct edge *edge);

struct edge_stats {
    uint64_t connects, frames_in, frames_out, bad_frames, dropped_full;
};
void edge_get_stats(const struct edge *edge, struct edge_stats *ret_stats);
