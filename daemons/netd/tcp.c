/* TCP, RFC 7766: pipelined questions, answers in whatever order they come, two-octet lengths (RFC
 * 1035 4.2.2).
 *
 * Caps: connections in all and a client, questions waiting a connection, bytes not yet taken by the client.
 * Who is idle, or does not read, is closed. A client that has all its connections and opens another loses the
 * one that was idle longest (RFC 7766 6.2.3), on whichever worker it is; only when all are at work is the new
 * one refused. THREATS: connection floods. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/netd/worker.h"

#define IN_START        1024u
#define IN_MAX          (2u + 65535u)
#define OUT_MAX         262144u /* bytes a client may leave unread */
#define OUT_TOGETHER    32768u  /* bytes of replies that are gathered before they are sent */
#define MAX_WAITING     128u /* questions of a connection that wait; more stay unread until some are answered */
#define IDLE_MS         (NETD_TCP_IDLE_DS * 100u)
#define IDLE_CROWDED_MS 2000u /* when three quarters of the connections are taken (RFC 7766 6.2.3) */
#define TRICKLE_MS      2000u /* a connection with half a question for that long is idle */
#define ACCEPT_ROUNDS   64u
#define LISTEN_CHECK_MS 20u
#define READ_ROUNDS     8u /* reads of a connection before others get their turn */

struct tcp_conn {
    struct poll poll;
    struct list node;   /* in worker->conns or ->doomed */
    struct list resume; /* in worker->resumed */
    struct list waiters;
    struct client client;
    int limit_slot;
    mono_ns last; /* a question came or bytes left */
    unsigned waiting;
    bool doomed, ended; /* ended: the client sends no more, but may still read */
    bool full;          /* the client's window is: what is in out waits for EPOLLOUT */
    uint32_t events;
    uint8_t *in;
    size_t in_room, in_size;
    uint8_t *out;
    size_t out_room, out_size, out_at;
};

/* holdfastd binds early and listens when all processes have met; until then epoll would only say EPOLLHUP. */
static int listen_check(struct worker *worker, struct tcp_listener *listener)
{
    int listening = 0;
    socklen_t size = sizeof(listening);
    if (getsockopt(listener->poll.fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
        return -errno;
    if (!listening)
        return 0;
    listener->listening = true;
    return worker_poll_add(worker, &listener->poll, EPOLLIN | EPOLLEXCLUSIVE);
}

int tcp_listen(struct worker *worker, int fd)
{
    struct tcp_listener *listener = calloc(1, sizeof(*listener));
    struct tcp_listener **grown = realloc(worker->listeners, (worker->listener_count + 1) * sizeof(*grown));
    if (grown)
        worker->listeners = grown;
    if (!listener || !grown) {
        free(listener);
        return -ENOMEM;
    }
    listener->poll = (struct poll){.kind = POLL_LISTENER, .fd = fd};
    worker->listeners[worker->listener_count++] = listener;
    return listen_check(worker, listener);
}

struct list *tcp_conn_waiters(struct tcp_conn *conn)
{
    return &conn->waiters;
}

static void touch(struct worker *worker, struct tcp_conn *conn)
{
    conn->last = worker->env.mono;
    if (conn->doomed)
        return;
    list_remove(&conn->node);
    list_append(&worker->conns, &conn->node);
}

/* Closed at the end of the batch: callers may still hold pointers to it. */
static void doom(struct worker *worker, struct tcp_conn *conn)
{
    if (conn->doomed)
        return;
    conn->doomed = true;
    list_remove(&conn->node);
    list_append(&worker->doomed, &conn->node);
}

static void set_events(struct worker *worker, struct tcp_conn *conn)
{
    uint32_t events = 0;
    if (!conn->ended && conn->waiting < MAX_WAITING && conn->out_size == conn->out_at)
        events |= EPOLLIN;
    if (conn->out_size > conn->out_at)
        events |= EPOLLOUT;
    if (conn->doomed || events == conn->events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = &conn->poll};
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_MOD, conn->poll.fd, &event) < 0)
        doom(worker, conn);
    conn->events = events;
}

void tcp_conn_waiting(struct tcp_conn *conn, int change)
{
    conn->waiting = (unsigned)((int)conn->waiting + change);
}

static bool is_idle(const struct worker *worker, const struct tcp_conn *conn)
{
    uint8_t octet;
    if (conn->waiting || conn->out_size > conn->out_at)
        return false;
    if (conn->in_size && !mono_reached(worker->env.mono, mono_add_ms(conn->last, TRICKLE_MS)))
        return false;
    /* A question that came and was not read yet would be lost without a word. */
    return recv(conn->poll.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* The one of a client's that was idle longest, here; NULL: none is. */
static struct tcp_conn *find_idle(struct worker *worker, int slot)
{
    LIST_FOREACH_SAFE(pos, &worker->conns)
    {
        struct tcp_conn *conn = CONTAINER_OF(pos, struct tcp_conn, node);
        if (conn->limit_slot == slot && is_idle(worker, conn))
            return conn;
    }
    return NULL;
}

/* A place for one more connection of a client that has all it may have. The slot, or -1. */
static int make_place(struct worker *worker, int slot)
{
    struct netd *netd = worker->netd;
    struct tcp_conn *idle = find_idle(worker, slot);
    if (idle) {
        idle->limit_slot = -1; /* the new one has it */
        doom(worker, idle);
        stats_add(&worker->stats, STAT_TCP_IDLE_CLOSED, 1);
        return slot;
    }
    /* Perhaps another worker has an idle one: they are told, and the client is over its limit till then. Each
     * worker lets in one that way, then it has one itself. */
    uint32_t most = NETD_CLIENT_CONNS + netd->worker_count - 1;
    if (!limits_take_over(netd->conn_limits, slot, most))
        return -1;
    atomic_store(&netd->client_over, slot);
    for (unsigned i = 0; i < netd->worker_count; i++)
        if (&netd->workers[i] != worker)
            worker_wake(&netd->workers[i]);
    return slot;
}

void tcp_make_room(struct worker *worker)
{
    struct netd *netd = worker->netd;
    int slot = atomic_load(&netd->client_over);
    while (slot >= 0 && limits_is_over(netd->conn_limits, slot)) {
        struct tcp_conn *idle = find_idle(worker, slot);
        if (!idle || !limits_end_over(netd->conn_limits, slot, NETD_CLIENT_CONNS))
            return;
        doom(worker, idle);
        stats_add(&worker->stats, STAT_TCP_IDLE_CLOSED, 1);
    }
}

static int accept_one(struct worker *worker, int listen_fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    int fd = accept4(listen_fd, (struct sockaddr *)&name, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EINTR || errno == ECONNABORTED ? 0 : 1;
    struct netd *netd = worker->netd;
    struct client client = {0};
    client_address(&name, &client);
    int slot = -1;
    if (atomic_fetch_add(&netd->connections, 1) < NETD_MAX_CONNECTIONS) {
        slot = limits_take(netd->conn_limits, &client.address, NETD_CLIENT_CONNS);
        if (slot < 0)
            slot = make_place(worker, limits_slot(netd->conn_limits, &client.address));
    }
    struct tcp_conn *conn = slot >= 0 ? calloc(1, sizeof(*conn)) : NULL;
    if (!conn) {
        if (slot >= 0)
            limits_release(netd->conn_limits, slot);
        atomic_fetch_sub(&netd->connections, 1);
        stats_add(&worker->stats, STAT_TCP_REFUSED, 1);
        close(fd);
        return 0;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->poll = (struct poll){.kind = POLL_CONN, .fd = fd};
    conn->limit_slot = slot;
    conn->client = client;
    conn->client.tcp = conn;
    conn->last = worker->env.mono;
    conn->events = EPOLLIN;
    list_init(&conn->waiters);
    list_init(&conn->resume);
    list_append(&worker->conns, &conn->node);
    stats_add(&worker->stats, STAT_TCP_ACCEPTED, 1);
    if (worker_poll_add(worker, &conn->poll, conn->events) < 0)
        doom(worker, conn);
    return 0;
}

void tcp_accept(struct worker *worker, struct tcp_listener *listener)
{
    for (unsigned i = 0; i < ACCEPT_ROUNDS; i++) {
        if (accept_one(worker, listener->poll.fd) != 0)
            return;
    }
}

/* Room for more bytes behind what is there. false: the client is over its cap, or memory is short. */
static bool grow(uint8_t **data, size_t *room, size_t needed, size_t most)
{
    if (needed <= *room)
        return true;
    if (needed > most)
        return false;
    size_t wanted = MIN(MAX(needed, *room * 2), most);
    uint8_t *grown = realloc(*data, wanted);
    if (!grown)
        return false;
    *data = grown;
    *room = wanted;
    return true;
}

static bool whole_question(const struct tcp_conn *conn)
{
    return conn->in_size >= 2 && conn->in_size - 2 >= ((size_t)conn->in[0] << 8 | conn->in[1]);
}

static void flush_conn(struct worker *worker, struct tcp_conn *conn)
{
    while (conn->out_at < conn->out_size) {
        ssize_t r =
            send(conn->poll.fd, conn->out + conn->out_at, conn->out_size - conn->out_at, MSG_NOSIGNAL);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && errno == EAGAIN) {
            conn->full = true;
            return;
        }
        if (r <= 0) {
            doom(worker, conn);
            return;
        }
        conn->out_at += (size_t)r;
        touch(worker, conn);
    }
    conn->full = false;
    conn->out_at = conn->out_size = 0;
}

/* Behind what is to be sent; flush_conn() sends it. What is asked together is answered together: one system
 * call, not one a reply. */
static void append(struct worker *worker, struct tcp_conn *conn, const uint8_t *reply, size_t size)
{
    if (conn->doomed || size == 0)
        return;
    if (conn->out_size - conn->out_at + 2 + size > OUT_TOGETHER && !conn->full)
        flush_conn(worker, conn);
    if (conn->doomed)
        return;
    if (conn->out_at) {
        memmove(conn->out, conn->out + conn->out_at, conn->out_size - conn->out_at);
        conn->out_size -= conn->out_at;
        conn->out_at = 0;
    }
    if (!grow(&conn->out, &conn->out_room, conn->out_size + 2 + size, OUT_MAX)) {
        stats_add(&worker->stats, STAT_TCP_SLOW, 1);
        doom(worker, conn);
        return;
    }
    conn->out[conn->out_size] = (uint8_t)(size >> 8);
    conn->out[conn->out_size + 1] = (uint8_t)size;
    memcpy(conn->out + conn->out_size + 2, reply, size);
    conn->out_size += 2 + size;
}

/* Serves the whole questions in the buffer, until one too many waits or the client does not take its replies.
 */
static void serve_buffer(struct worker *worker, struct tcp_conn *conn)
{
    size_t at = 0;
    while (!conn->doomed && conn->waiting < MAX_WAITING && !conn->full && conn->in_size - at >= 2) {
        size_t size = (size_t)conn->in[at] << 8 | conn->in[at + 1];
        if (conn->in_size - at - 2 < size)
            break;
        struct served served;
        served.client = conn->client; /* the question is hundreds of octets: not zeroed for nothing */
        size_t replied = serve_receive(worker, slice_make(conn->in + at + 2, size), NETD_TCP, &served,
                                       worker->scratch, sizeof(worker->scratch));
        if (served.wanted)
            replied = serve_lookup(worker, &served, worker->scratch, sizeof(worker->scratch));
        at += 2 + size;
        append(worker, conn, worker->scratch, replied);
    }
    if (at == 0)
        return;
    touch(worker, conn);
    memmove(conn->in, conn->in + at, conn->in_size - at);
    conn->in_size -= at;
    if (!conn->doomed && !conn->full)
        flush_conn(worker, conn);
}

static void read_conn(struct worker *worker, struct tcp_conn *conn)
{
    for (unsigned round = 0; round < READ_ROUNDS && !conn->doomed && !conn->ended; round++) {
        size_t wanted = MAX(IN_START, conn->in_size + 1);
        if (conn->in_size >= 2)
            wanted = MAX(wanted, 2u + ((size_t)conn->in[0] << 8 | conn->in[1]));
        if (!grow(&conn->in, &conn->in_room, wanted, IN_MAX)) {
            doom(worker, conn);
            return;
        }
        size_t room = conn->in_room - conn->in_size;
        ssize_t r = recv(conn->poll.fd, conn->in + conn->in_size, room, 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && errno == EAGAIN)
            break;
        if (r < 0) {
            doom(worker, conn);
            return;
        }
        if (r == 0)
            conn->ended = true;
        conn->in_size += (size_t)r;
        serve_buffer(worker, conn);
        if (whole_question(conn))
            break; /* held back by a cap; the buffer is served when there is room again */
        if ((size_t)r < room)
            break; /* all that was there; epoll tells of more, and of the end */
    }
}

void tcp_answer(struct worker *worker, struct tcp_conn *conn, const uint8_t *reply, size_t size)
{
    append(worker, conn, reply, size);
    if (!conn->doomed && !list_linked(&conn->resume))
        list_append(&worker->resumed, &conn->resume);
}

/* What was held back goes on as soon as answers have left. */
static void go_on(struct worker *worker, struct tcp_conn *conn)
{
    if (conn->out_size > conn->out_at && !conn->full)
        flush_conn(worker, conn);
    if (conn->in_size && !conn->doomed)
        serve_buffer(worker, conn);
    if (conn->ended && conn->waiting == 0 && conn->out_size == conn->out_at && !whole_question(conn))
        doom(worker, conn);
    set_events(worker, conn);
}

void tcp_event(struct worker *worker, struct tcp_conn *conn, uint32_t events)
{
    if (conn->doomed)
        return;
    if (events & EPOLLERR) {
        doom(worker, conn);
        return;
    }
    if (events & EPOLLOUT)
        flush_conn(worker, conn);
    if (!conn->doomed && (events & (EPOLLIN | EPOLLHUP)))
        read_conn(worker, conn);
    if (!conn->doomed)
        go_on(worker, conn);
}

void tcp_resume(struct worker *worker)
{
    while (!list_empty(&worker->resumed)) {
        struct tcp_conn *conn = CONTAINER_OF(worker->resumed.next, struct tcp_conn, resume);
        list_remove(&conn->resume);
        if (!conn->doomed)
            go_on(worker, conn);
    }
}

static void conn_free(struct worker *worker, struct tcp_conn *conn)
{
    waiting_forget(worker, &conn->waiters);
    list_remove(&conn->node);
    list_remove(&conn->resume);
    if (conn->limit_slot >= 0)
        limits_release(worker->netd->conn_limits, conn->limit_slot);
    atomic_fetch_sub(&worker->netd->connections, 1);
    close(conn->poll.fd);
    free(conn->in);
    free(conn->out);
    free(conn);
}

static void bury(struct worker *worker)
{
    while (!list_empty(&worker->doomed))
        conn_free(worker, CONTAINER_OF(worker->doomed.next, struct tcp_conn, node));
}

static mono_ns check_listeners(struct worker *worker)
{
    bool all = true;
    for (size_t i = 0; i < worker->listener_count; i++) {
        struct tcp_listener *listener = worker->listeners[i];
        int r = listener->listening ? 0 : listen_check(worker, listener);
        if (r < 0)
            log_error("a TCP listener cannot be used: %s", strerror(-r));
        all = all && (listener->listening || r < 0);
    }
    return all ? MONO_NEVER : mono_add_ms(worker->env.mono, LISTEN_CHECK_MS);
}

mono_ns tcp_expire(struct worker *worker)
{
    bool crowded =
        atomic_load_explicit(&worker->netd->connections, memory_order_relaxed) > NETD_MAX_CONNECTIONS * 3 / 4;
    mono_ns next = MONO_NEVER;
    while (!list_empty(&worker->conns)) {
        struct tcp_conn *conn = CONTAINER_OF(worker->conns.next, struct tcp_conn, node);
        next = mono_add_ms(conn->last, crowded ? IDLE_CROWDED_MS : IDLE_MS);
        if (!mono_reached(worker->env.mono, next))
            break;
        next = MONO_NEVER;
        if (conn->waiting) {
            touch(worker, conn); /* it is we who are slow; the question's own timer ends that */
            continue;
        }
        if (conn->out_size > conn->out_at)
            stats_add(&worker->stats, STAT_TCP_SLOW, 1);
        doom(worker, conn);
    }
    bury(worker);
    return mono_earlier(next, check_listeners(worker));
}

void tcp_close_all(struct worker *worker)
{
    while (!list_empty(&worker->conns))
        doom(worker, CONTAINER_OF(worker->conns.next, struct tcp_conn, node));
    bury(worker);
    for (size_t i = 0; i < worker->listener_count; i++)
        free(worker->listeners[i]);
    free(worker->listeners);
    worker->listeners = NULL;
    worker->listener_count = 0;
}
