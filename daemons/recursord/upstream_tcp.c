/* TCP to servers: a few connections each, kept for a while, questions pipelined and matched by id (RFC
 * 7766 6.2).
 *
 * A connection that answers nothing while a question waited out its time is not used again. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/recursord/core/table.h"
#include "daemons/recursord/shell.h"

#define MAX_CONNECTIONS 256u
#define MAX_TO_SERVER   3u     /* to one server at a time */
#define MAX_PIPELINED   64u    /* waiting on one connection */
#define MAX_OUT_BYTES   65536u /* unsent on one connection */
#define IDLE_MS         10000u /* RFC 7766 6.2.3: the order of seconds */

struct tcp_query {
    struct table_node node; /* by exchange, in upstream_tcp */
    struct list link;       /* in the connection */
    struct tcp_conn *conn;
    uint64_t exchange, replies_before;
    uint16_t id;
};

struct tcp_conn {
    struct list link;
    struct upstream_tcp *tcp;
    struct address server;
    int fd;
    sd_event_source *io;
    struct event_timer *idle;
    struct list queries;
    unsigned query_count;
    uint64_t replies;
    bool connected, unusable;
    bool reading; /* its messages are being handed over: not to be closed by what comes of them */
    uint8_t *out;
    size_t out_size, out_room;
    size_t in_size;
    uint8_t in[2 + MESSAGE_MAX];
};

struct upstream_tcp {
    struct recursord *r;
    struct table queries;
    struct list conns;
    size_t conn_count;
    struct random_pool random;
};

static void query_free(struct tcp_query *query)
{
    table_remove(&query->conn->tcp->queries, &query->node);
    list_remove(&query->link);
    query->conn->query_count--;
    free(query);
}

/* Closes; each question that waited is told so, but only once the connection is out of sight: the core may
 * send the next question from inside. */
static void conn_close(struct tcp_conn *conn, enum rec_failure why)
{
    struct upstream_tcp *tcp = conn->tcp;
    uint64_t waiting[MAX_PIPELINED];
    size_t count = 0;
    while (!list_empty(&conn->queries)) {
        struct tcp_query *query = CONTAINER_OF(conn->queries.next, struct tcp_query, link);
        waiting[count++] = query->exchange;
        query_free(query);
    }
    list_remove(&conn->link);
    tcp->conn_count--;
    sd_event_source_disable_unref(conn->io);
    event_timer_free(conn->idle);
    close(conn->fd);
    free(conn->out);
    free(conn);
    for (size_t i = 0; i < count; i++)
        recursord_failed(tcp->r, waiting[i], why);
}

static void watch(struct tcp_conn *conn)
{
    bool writing = !conn->connected || conn->out_size;
    (void)sd_event_source_set_io_events(conn->io, writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* 0, or the failure. */
static int flush(struct tcp_conn *conn)
{
    while (conn->connected && conn->out_size) {
        ssize_t sent = send(conn->fd, conn->out, conn->out_size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            return REC_FAIL_CLOSED;
        conn->out_size -= (size_t)sent;
        memmove(conn->out, conn->out + sent, conn->out_size);
    }
    watch(conn);
    return 0;
}

/* Nothing waits on it any more: kept for a while. */
static void rest(struct tcp_conn *conn)
{
    if (conn->query_count)
        return;
    uint64_t ms = conn->unusable ? 0 : IDLE_MS;
    event_timer_set_us(conn->idle, ms * 1000);
}

static struct tcp_query *find_by_id(struct tcp_conn *conn, uint16_t id)
{
    LIST_FOREACH (pos, &conn->queries) {
        struct tcp_query *query = CONTAINER_OF(pos, struct tcp_query, link);
        if (query->id == id)
            return query;
    }
    return NULL;
}

/* Takes one whole message out of the buffer and hands it over. False: there is none yet. */
static bool take_message(struct tcp_conn *conn)
{
    uint8_t message[MESSAGE_MAX];
    if (conn->in_size < 2)
        return false;
    size_t size = (size_t)conn->in[0] << 8 | conn->in[1];
    if (conn->in_size < 2 + size)
        return false;
    memcpy(message, conn->in + 2, size);
    conn->in_size -= 2 + size;
    memmove(conn->in, conn->in + 2 + size, conn->in_size);
    struct tcp_query *query = size >= 2 ? find_by_id(conn, (uint16_t)(message[0] << 8 | message[1])) : NULL;
    if (!query)
        return true;
    uint64_t exchange = query->exchange;
    conn->replies++;
    query_free(query);
    recursord_reply(conn->tcp->r, exchange, message, size);
    return true;
}

static int receive(struct tcp_conn *conn)
{
    ssize_t size = recv(conn->fd, conn->in + conn->in_size, sizeof(conn->in) - conn->in_size, 0);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : REC_FAIL_CLOSED;
    if (size == 0)
        return REC_FAIL_CLOSED;
    conn->in_size += (size_t)size;
    conn->reading = true;
    while (take_message(conn))
        ;
    conn->reading = false;
    rest(conn);
    return 0;
}

static int finish_connect(struct tcp_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error == 0)
        conn->connected = true;
    return error == ECONNREFUSED ? REC_FAIL_REFUSED : error ? REC_FAIL_CLOSED : 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct tcp_conn *conn = userdata;
    int failure = 0;
    if (!conn->connected)
        failure = finish_connect(conn);
    if (!failure && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        failure = receive(conn);
    if (!failure && (conn->out_size || events & EPOLLOUT))
        failure = flush(conn);
    if (failure)
        conn_close(conn, (enum rec_failure)failure);
    return 0;
}

static int on_idle(void *userdata)
{
    struct tcp_conn *conn = userdata;
    if (!conn->query_count)
        conn_close(conn, REC_FAIL_CLOSED);
    return 0;
}

static int conn_watch(struct tcp_conn *conn)
{
    sd_event *event = conn->tcp->r->daemon.event;
    int r = sd_event_add_io(event, &conn->io, conn->fd, EPOLLIN | EPOLLOUT, on_io, conn);
    if (r >= 0)
        r = event_timer_new(event, on_idle, conn, &conn->idle);
    return r;
}

/* 0 or enum rec_failure. */
static int conn_open(struct upstream_tcp *tcp, const struct address *server, struct tcp_conn **ret_conn)
{
    if (tcp->random.left < 64)
        random_pool_fill(&tcp->random);
    int fd = upstream_socket(&tcp->r->settings, server, SOCK_STREAM, random_u16(&tcp->random), 0);
    if (fd < 0)
        return upstream_failure(-fd);
    int r = upstream_connect(fd, server);
    struct tcp_conn *conn = r < 0 && r != -EINPROGRESS ? NULL : calloc(1, sizeof(*conn));
    if (!conn) {
        close(fd);
        return r < 0 && r != -EINPROGRESS ? upstream_failure(-r) : REC_FAIL_LOCAL;
    }
    conn->tcp = tcp;
    conn->server = *server;
    conn->fd = fd;
    list_init(&conn->queries);
    if (conn_watch(conn) < 0) {
        sd_event_source_disable_unref(conn->io);
        event_timer_free(conn->idle);
        close(fd);
        free(conn);
        return REC_FAIL_LOCAL;
    }
    list_append(&tcp->conns, &conn->link);
    tcp->conn_count++;
    *ret_conn = conn;
    return 0;
}

static bool has_room(struct tcp_conn *conn, uint16_t id, size_t size)
{
    return !conn->unusable && conn->query_count < MAX_PIPELINED && conn->out_size + size <= MAX_OUT_BYTES &&
           !find_by_id(conn, id);
}

/* At the cap an idle connection gives way to a new one. */
static bool drop_idle(struct upstream_tcp *tcp)
{
    LIST_FOREACH (pos, &tcp->conns) {
        struct tcp_conn *conn = CONTAINER_OF(pos, struct tcp_conn, link);
        if (!conn->query_count && !conn->reading) {
            conn_close(conn, REC_FAIL_CLOSED);
            return true;
        }
    }
    return false;
}

static int conn_for(struct upstream_tcp *tcp, const struct address *server, uint16_t id, size_t size,
                    struct tcp_conn **ret_conn)
{
    unsigned to_server = 0;
    LIST_FOREACH (pos, &tcp->conns) {
        struct tcp_conn *conn = CONTAINER_OF(pos, struct tcp_conn, link);
        if (!address_equal(&conn->server, server))
            continue;
        to_server += !conn->unusable;
        if (has_room(conn, id, size)) {
            *ret_conn = conn;
            return 0;
        }
    }
    if (to_server >= MAX_TO_SERVER || (tcp->conn_count >= MAX_CONNECTIONS && !drop_idle(tcp)))
        return REC_FAIL_LOCAL;
    return conn_open(tcp, server, ret_conn);
}

/* Length and message to the end of what is to be sent. 0 or -ENOMEM. */
static int append(struct tcp_conn *conn, struct slice wire)
{
    size_t size = conn->out_size + 2 + wire.size;
    if (size > conn->out_room) {
        uint8_t *out = realloc(conn->out, size + 1024);
        if (!out)
            return -ENOMEM;
        conn->out = out;
        conn->out_room = size + 1024;
    }
    conn->out[conn->out_size] = (uint8_t)(wire.size >> 8);
    conn->out[conn->out_size + 1] = (uint8_t)wire.size;
    memcpy(conn->out + conn->out_size + 2, wire.data, wire.size);
    conn->out_size = size;
    return 0;
}

int upstream_tcp_send(struct upstream_tcp *tcp, uint64_t exchange, const struct address *server,
                      struct slice wire)
{
    uint16_t id = (uint16_t)(wire.data[0] << 8 | wire.data[1]);
    struct tcp_conn *conn = NULL;
    int failure = conn_for(tcp, server, id, wire.size + 2, &conn);
    if (failure)
        return failure;
    struct tcp_query *query = calloc(1, sizeof(*query));
    if (!query || append(conn, wire)) {
        free(query);
        rest(conn);
        return REC_FAIL_LOCAL;
    }
    *query =
        (struct tcp_query){.conn = conn, .exchange = exchange, .id = id, .replies_before = conn->replies};
    list_append(&conn->queries, &query->link);
    table_insert(&tcp->queries, &query->node, exchange);
    conn->query_count++;
    event_timer_set(conn->idle, MONO_NEVER);
    watch(conn); /* sent from the loop: what else this turn asks goes along */
    return 0;
}

void upstream_tcp_cancel(struct upstream_tcp *tcp, uint64_t exchange)
{
    LIST_FOREACH (pos, table_bucket(&tcp->queries, exchange)) {
        struct tcp_query *query = CONTAINER_OF(table_node_of(pos), struct tcp_query, node);
        if (query->exchange != exchange)
            continue;
        struct tcp_conn *conn = query->conn;
        if (conn->replies == query->replies_before)
            conn->unusable = true;
        query_free(query);
        rest(conn);
        return;
    }
}

size_t upstream_tcp_connections(const struct upstream_tcp *tcp)
{
    return tcp->conn_count;
}

int upstream_tcp_new(struct recursord *r, struct upstream_tcp **ret_tcp)
{
    struct upstream_tcp *tcp = calloc(1, sizeof(*tcp));
    if (!tcp)
        return -ENOMEM;
    tcp->r = r;
    list_init(&tcp->conns);
    if (table_init(&tcp->queries, 10, MAX_CONNECTIONS * MAX_PIPELINED)) {
        free(tcp);
        return -ENOMEM;
    }
    *ret_tcp = tcp;
    return 0;
}

void upstream_tcp_free(struct upstream_tcp *tcp)
{
    if (!tcp)
        return;
    while (!list_empty(&tcp->conns)) {
        struct tcp_conn *conn = CONTAINER_OF(tcp->conns.next, struct tcp_conn, link);
        while (!list_empty(&conn->queries))
            query_free(CONTAINER_OF(conn->queries.next, struct tcp_query, link));
        conn_close(conn, REC_FAIL_CLOSED);
    }
    table_fini(&tcp->queries);
    free(tcp);
}
