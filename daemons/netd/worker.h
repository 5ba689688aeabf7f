#pragma once
/* A worker: one thread with its sockets, its epoll, its reader of the cache and its waiting questions. */

#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/list.h"
#include "daemons/netd/l1.h"
#include "daemons/netd/l2.h"
#include "daemons/netd/netd.h"
#include "daemons/netd/waiting.h"
#include "proto/netd_validatord.pb-c.h"

#define WORKER_REPLY_MAX 65535u
#define WORKER_BATCH     64u /* questions that are taken through each step together */

struct tcp_conn;
struct udp_socket;

/* Where a reply goes, and who it is for. Plain data. */
struct client {
    struct address address;
    struct udp_socket *udp; /* one of the two */
    struct tcp_conn *tcp;
    uint32_t scope;     /* of a link-local address */
    uint32_t interface; /* IP_PKTINFO: replies leave from the address that was asked */
    uint8_t local[16];
    uint8_t local_size; /* 0: the socket is bound to one address */
};

/* What epoll hands back; the first member of everything that is polled. */
enum poll_kind { POLL_UDP, POLL_LISTENER, POLL_CONN, POLL_INBOX };
struct poll {
    enum poll_kind kind;
    int fd;
};

/* listening: false until whoever bound the socket lets clients in; then it is not polled, only looked at now
 * and then. */
struct tcp_listener {
    struct poll poll;
    bool listening;
};

struct inbox_item;

struct worker {
    struct netd *netd;
    unsigned index;
    pthread_t thread;
    bool started;
    int epoll_fd;
    struct poll inbox_poll; /* eventfd */
    pthread_mutex_t inbox_lock;
    struct inbox_item *inbox_first, *inbox_last;

    struct udp_socket **udp;
    size_t udp_count;
    struct tcp_listener **listeners;
    size_t listener_count;
    struct list conns;   /* by last activity, the longest idle first */
    struct list resumed; /* got an answer: questions of theirs that were held back may go on */
    struct list doomed;  /* to be closed at the end of the batch, when nobody holds a pointer to them */

    struct waiting waiting;
    struct l2 l2;
    struct nsec3 *nsec3;
    struct arena *arena;
    struct random_pool random;
    uint32_t turn;    /* rotation of L1 hits */
    bool edge_kicked; /* something was submitted in this batch */
    struct stats stats;

    /* the batch at hand */
    struct env env;
    struct netd_config config; /* the settings' with this thread's nsec3_ctx */
    const struct shared *shared;
    struct l1_tag tag; /* epoch and commit sequence read before L2 */
    bool tag_known;
    bool l2_tried, l2_open;
    struct cache_view view;
    uint64_t popular[WORKER_BATCH]; /* hashes of L1's hits, not yet counted in the sketch */
    unsigned popular_count;
    uint8_t scratch[WORKER_REPLY_MAX];
};

/* A question on its way through the steps of serve.c. Plain data. */
struct served {
    bool wanted;   /* allowed, and to be looked up */
    uint64_t hash; /* l1_hash */
    struct client client;
    struct netd_question question;
};

int worker_init(struct worker *worker, struct netd *netd, unsigned index);
void worker_fini(struct worker *worker);
int worker_start(struct worker *worker);
/* From the main thread, after netd->stopping was set. */
void worker_join(struct worker *worker);

/* From the main thread: takes message (a Verdict; NULL: validatord came back). worker_wake() after a batch,
 * from any thread. */
void worker_post(struct worker *worker, Holdfast__Nv__NvFrame *message);
void worker_wake(struct worker *worker);

int worker_poll_add(struct worker *worker, struct poll *poll, uint32_t events);
/* Opens L2 for this batch, once. The view, or NULL: no cache now. */
const struct cache_view *worker_l2(struct worker *worker);
/* Random bytes for one more core call. */
void worker_top_up(struct worker *worker);

/* serve.c: a question's packet in three steps, of which each is taken for all of a batch before the next:
 * what one reads from memory is under way while the others are at work. served->client is set by the caller.
 * 1: the reply's size if it is in reply now (policy); 0: none, or served->wanted. 2: for those that are
 * wanted. 3: the reply's size; 0: none, or it waits. */
size_t serve_receive(struct worker *worker, struct slice packet, enum netd_transport transport,
                     struct served *served, uint8_t *reply, size_t room);
void serve_prefetch(struct worker *worker, const struct served *served);
size_t serve_lookup(struct worker *worker, const struct served *served, uint8_t *reply, size_t room);
/* After a batch: counts what was hit. */
void serve_count_popular(struct worker *worker);
/* The verdict on what a pending question waits for. */
void serve_verdict(struct worker *worker, const Holdfast__Nv__Verdict *verdict);
/* The timer of a waiter: stale or, when final, the end. true: it was answered. */
bool serve_timeout(struct worker *worker, const struct netd_question *question, const struct client *client,
                   bool final);

/* udp.c */
int udp_open(struct worker *worker, int fd, bool shared_socket);
void udp_close(struct worker *worker);
/* Address, port and scope of a peer; IPv4-mapped addresses as IPv4. */
void client_address(const struct sockaddr_storage *name, struct client *ret_client);
void udp_readable(struct worker *worker, struct udp_socket *udp);
void udp_reply(struct worker *worker, const struct client *client, const uint8_t *reply, size_t size);
void udp_flush(struct worker *worker);

/* tcp.c */
int tcp_listen(struct worker *worker, int fd);
void tcp_accept(struct worker *worker, struct tcp_listener *listener);
void tcp_event(struct worker *worker, struct tcp_conn *conn, uint32_t events);
/* The reply to a question that waited. It leaves, and what was held back is served, in tcp_resume(), at the
 * end of the batch. */
void tcp_answer(struct worker *worker, struct tcp_conn *conn, const uint8_t *reply, size_t size);
void tcp_resume(struct worker *worker);
/* Waiting questions of the connection, for waiting.c to link to and to take off. */
struct list *tcp_conn_waiters(struct tcp_conn *conn);
void tcp_conn_waiting(struct tcp_conn *conn, int change);
/* Another worker let a client in beyond its limit: closes an idle connection of that client, if one is here.
 */
void tcp_make_room(struct worker *worker);
/* Closes what is idle or slow; the time of the next such check. */
mono_ns tcp_expire(struct worker *worker);
void tcp_close_all(struct worker *worker);
