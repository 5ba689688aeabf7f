#pragma once
/* recursord's shell: it owns the sockets and timers and does what the core asks.
 *
 *     edge_validatord ──fetch, cancel──► core ──send, cancel──► upstream_udp, upstream_tcp ──reply, failed──►
 * core ▲                            │ └───evidence, done, primed───┘
 *
 * After every event for the core the shell calls recursord_work(), which does the actions and arms the timer.
 */

#include "common/event/event_timer.h"
#include "common/daemon/daemon.h"
#include "daemons/recursord/core/recursor.h"

struct edge;
struct upstream_udp;
struct upstream_tcp;
struct control;

/* A snapshot's part for the core, and what the shell itself needs of it. */
struct settings {
    struct arena *arena;
    struct rec_config config;
    struct address *source; /* local addresses to send from; port 0 */
    size_t source_count;
};

struct recursord {
    struct daemon daemon;
    struct settings settings;
    struct rec_core *core;
    struct event_timer *timer;
    struct edge *edge;
    struct upstream_udp *udp;
    struct upstream_tcp *tcp;
    struct control *control;
    struct rec_stats reset; /* what "reset-statistics" subtracts */
    mono_ns started;
    bool working; /* inside recursord_work() */
};

/* main.c */
void recursord_work(struct recursord *r);
/* Events from the upstream sockets: into the core, then recursord_work(). */
void recursord_reply(struct recursord *r, uint64_t exchange, const void *wire, size_t size);
void recursord_failed(struct recursord *r, uint64_t exchange, enum rec_failure why);

/* settings.c: 0; 1: the snapshot does not make sense; -ENOMEM. */
int settings_read(const Holdfast__Config__Snapshot *snapshot, struct settings *ret_settings);
void settings_fini(struct settings *settings);

/* upstream_socket.c: what UDP and TCP sockets share */
union socket_address;
/* A non-blocking socket of that type, bound to a configured source address when there is one (pick: a random
 * number to choose among them) and to `port` (0: the kernel's choice), not yet connected. >= 0 or -errno. */
int upstream_socket(const struct settings *settings, const struct address *server, int type, uint32_t pick,
                    uint16_t port);
/* 0 or -errno (-EINPROGRESS for TCP). */
int upstream_connect(int fd, const struct address *server);
/* An errno of socket, bind, connect or send as the core's kind of failure. */
enum rec_failure upstream_failure(int error);

/* upstream_udp.c: a fresh socket with a random port for each exchange */
int upstream_udp_new(struct recursord *r, struct upstream_udp **ret_udp);
void upstream_udp_free(struct upstream_udp *udp);
/* 0, or enum rec_failure. */
int upstream_udp_send(struct upstream_udp *udp, uint64_t exchange, const struct address *server,
                      struct slice wire);
void upstream_udp_cancel(struct upstream_udp *udp, uint64_t exchange);

/* upstream_tcp.c: connections kept and shared, RFC 7766 */
int upstream_tcp_new(struct recursord *r, struct upstream_tcp **ret_tcp);
void upstream_tcp_free(struct upstream_tcp *tcp);
int upstream_tcp_send(struct upstream_tcp *tcp, uint64_t exchange, const struct address *server,
                      struct slice wire);
void upstream_tcp_cancel(struct upstream_tcp *tcp, uint64_t exchange);
size_t upstream_tcp_connections(const struct upstream_tcp *tcp);

/* edge_validatord.c */
int edge_new(struct recursord *r, int listen_fd, struct edge **ret_edge);
void edge_free(struct edge *edge);
bool edge_connected(const struct edge *edge);
/* Dropped when nobody is connected. Evidence may be held until the next call, since the end of its fetch is
 * usually next and then goes in the same frame. */
void edge_send(struct edge *edge, const struct rec_action *action);
/* Before the core is entered again: what is held is the core's memory. */
void edge_send_held(struct edge *edge);
/* Sends what is queued now, all in one batch, rather than at the end of the loop's turn. */
void edge_flush(struct edge *edge);

/* control.c */
int control_new(struct recursord *r, int listen_fd, struct control **ret_control);
void control_free(struct control *control);
