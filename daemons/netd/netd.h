#pragma once
/* netd's shell: the process that faces clients. One main thread (edge to validatord, control socket, signals)
 * and snapshot.workers worker threads, each with its own sockets, epoll and reader of the cache. Workers
 * share L1, the limits and the settings, and nothing else.
 *
 * A question: udp.c or tcp.c reads it, serve.c takes it through receive, L1, L2; what neither knows waits in
 * waiting.c, and edge_validatord.c (on the main thread) carries Resolve out and Verdict back into the
 * worker's inbox. */

#include <pthread.h>
#include <stdatomic.h>

#include "common/daemon/daemon.h"
#include "common/ipc/shared.h"
#include "daemons/netd/core/netd_core.h"
#include "daemons/netd/stats.h"

#define NETD_MAX_WORKERS     64u
#define NETD_L1_BYTES        67108864u /* 64 MiB at most: some hundred thousand answers */
#define NETD_L1_SHARE        4u        /* of cache.size: who gives the cache little means memory too */
#define NETD_MAX_CONNECTIONS 1024u     /* TCP, a process; THREATS: connection floods */
#define NETD_CLIENT_CONNS    64u       /* TCP, a client; a client is an IPv4 address or an IPv6 /64 */
#define NETD_MAX_WAITING     16384u    /* questions waiting for validatord, a worker; about 12 MiB */
#define NETD_CLIENT_WAITING  2048u     /* of them of one client: 500 a second for the time of a restart */
#define NETD_MAX_PENDING     8192u     /* different ones of them */
#define NETD_UDP_USEFUL_MS   6000u     /* an answer later than that finds no client (THREATS: DNSBomb) */
#define NETD_TCP_USEFUL_MS   10000u    /* BUDGET_WALL_MS: validatord has given up by then */
#define NETD_POPULAR         3u        /* questions the sketch has seen of a name that is worth a prefetch */
#define NETD_EDGE_GRACE_MS   1000u     /* validatord away for longer: stale answers at once */

struct edge;
struct l1;
struct worker;

/* The core's configuration and what it points to. Immutable; swapped whole. */
struct settings {
    struct netd_config config;
    unsigned workers;
};

/* Mapped from the descriptors of validatord's Hello. Immutable; swapped whole when validatord comes back. */
struct shared {
    const struct shared_page *page;
    _Atomic uint8_t *sketch;
    uint64_t hello_file_generation;
};

/* Counters per client, in a table of slots under a secret hash: a collision makes two clients share one
 * limit. `over`: so many beyond its limit the client was let have, which whoever finds idle ones of its is to
 * close (tcp.c). */
#define LIMIT_SLOTS 8192u
struct limits {
    struct siphash_key key;
    _Atomic uint32_t slots[LIMIT_SLOTS];
    _Atomic uint32_t over[LIMIT_SLOTS];
};

struct netd {
    struct daemon daemon;
    struct settings *settings;
    struct shared
        *_Atomic shared; /* read by workers inside an RCU read section; NULL: never met validatord */
    struct l1 *l1;
    struct event_timer *settling; /* of L1's table; NULL: done */
    size_t settled_bytes;
    struct edge *edge;
    struct control_server *control;
    struct worker *workers;
    unsigned worker_count;
    struct limits *conn_limits, *waiting_limits;
    _Atomic int client_over; /* slot of conn_limits that was last made over; -1: none yet */
    _Atomic uint32_t connections;
    atomic_bool stopping;
    mono_ns started;
    uint64_t stats_base[STAT_COUNT], ede_base[STAT_EDE_NONE + 1]; /* what reset-statistics takes off */
};

/* limits.c: takes one of `most` for the client. The slot to give back, or -1: has them all. */
struct limits *limits_new(void);
int limits_take(struct limits *limits, const struct address *client, uint32_t most);
/* The client's slot, of which nothing is taken. */
int limits_slot(const struct limits *limits, const struct address *client);
/* Takes one all the same, up to `most` in all, and notes that as over the limit. false: has as many. */
bool limits_take_over(struct limits *limits, int slot, uint32_t most);
bool limits_is_over(const struct limits *limits, int slot);
/* true: the caller gives one back that is over. What of `over` is not true any more is forgotten. */
bool limits_end_over(struct limits *limits, int slot, uint32_t limit);
void limits_release(struct limits *limits, int slot);

/* config.c: 0, 1: unusable (logged), -errno. */
int settings_new(const Holdfast__Config__Snapshot *snapshot, struct settings **ret_settings);
void settings_free(struct settings *settings);

/* nsec3.c: nsec3_hash_fn over OpenSSL. ctx: one per thread, from nsec3_new(). */
struct nsec3;
struct nsec3 *nsec3_new(void);
void nsec3_free(struct nsec3 *nsec3);
int nsec3_hash(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations, struct slice salt,
               uint8_t ret_hash[20]);

/* control.c: 0 or -errno. */
int control_start(struct netd *netd, int listen_fd);
