#include "common/ipc/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/list.h"

#define CONTROL_PROTOCOL_VERSION 1u
#define CONTROL_MAX_CONNECTIONS  32u
#define CONTROL_CALL_TIMEOUT_S   60

struct control_server {
    sd_event *event;
    struct ipc_listener *listener;
    control_handler handler;
    void *ctx;
    struct list conns;
    unsigned conn_count;
};

struct control_conn {
    struct list link;
    struct control_server *server;
    struct ipc_conn *ipc;
    struct list requests; /* that still want replies */
};

struct control_request {
    struct list link;
    struct control_conn *conn; /* NULL: the peer is gone */
};

static void conn_forget(struct control_conn *conn)
{
    LIST_FOREACH_SAFE(pos, &conn->requests)
    {
        struct control_request *request = CONTAINER_OF(pos, struct control_request, link);
        list_remove(pos);
        request->conn = NULL;
    }
    list_remove(&conn->link);
    conn->server->conn_count--;
    free(conn);
}

void control_reply(struct control_request *request, int code, const char *error, const char *json,
                   struct slice message, struct slice cursor, bool last)
{
    if (request->conn) {
        Holdfast__Control__Reply reply = HOLDFAST__CONTROL__REPLY__INIT;
        reply.code = (uint32_t)code;
        reply.error = (char *)(error ? error : "");
        reply.json = (char *)(json ? json : "");
        reply.message = (ProtobufCBinaryData){.len = message.size, .data = (uint8_t *)message.data};
        reply.cursor = (ProtobufCBinaryData){.len = cursor.size, .data = (uint8_t *)cursor.data};
        reply.last = last;
        int r = ipc_conn_send(request->conn->ipc, &reply.base);
        if (r != 0) {
            /* Too big for a frame, or a reader that does not read: say so instead of nothing. */
            Holdfast__Control__Reply failed = HOLDFAST__CONTROL__REPLY__INIT;
            failed.code = EMSGSIZE;
            failed.error = (char *)"the reply does not fit into one frame: ask for less (a name, a limit)";
            failed.json = (char *)"";
            failed.last = true;
            (void)ipc_conn_send(request->conn->ipc, &failed.base);
        }
    }
    if (last) {
        if (request->conn)
            list_remove(&request->link);
        free(request);
    }
}

static int on_frame(struct ipc_conn *ipc, void *ctx, struct slice frame, int *fds, size_t fd_count)
{
    struct control_conn *conn = ctx;
    Holdfast__Control__Request *message =
        (Holdfast__Control__Request *)ipc_unpack(&holdfast__control__request__descriptor, frame);
    if (!message)
        return -EBADMSG;
    struct control_request *request = calloc(1, sizeof(*request));
    if (!request) {
        ipc_unpack_free(&message->base);
        return -ENOMEM;
    }
    request->conn = conn;
    list_append(&conn->requests, &request->link);
    if (message->protocol_version != CONTROL_PROTOCOL_VERSION)
        control_reply(request, EPROTONOSUPPORT, "holdfastctl and this daemon are of different versions", NULL,
                      (struct slice){0}, (struct slice){0}, true);
    else
        conn->server->handler(conn->server->ctx, message, request);
    ipc_unpack_free(&message->base);
    return 0;
}

static void on_closed(struct ipc_conn *ipc, void *ctx, int error)
{
    conn_forget(ctx);
}

static void on_accepted(void *ctx, int fd, uid_t uid)
{
    static const struct ipc_handlers handlers = {.frame = on_frame, .closed = on_closed};
    struct control_server *server = ctx;
    struct control_conn *conn = NULL;
    if (server->conn_count < CONTROL_MAX_CONNECTIONS)
        conn = calloc(1, sizeof(*conn));
    if (!conn) {
        close(fd);
        return;
    }
    conn->server = server;
    list_init(&conn->requests);
    if (ipc_conn_new(server->event, fd, &handlers, conn, &conn->ipc) < 0) {
        free(conn);
        return;
    }
    list_append(&server->conns, &conn->link);
    server->conn_count++;
}

int control_server_new(sd_event *event, int listen_fd, control_handler handler, void *ctx,
                       struct control_server **ret_server)
{
    struct control_server *server = calloc(1, sizeof(*server));
    if (!server)
        return -ENOMEM;
    *server = (struct control_server){.event = event, .handler = handler, .ctx = ctx};
    list_init(&server->conns);
    int r = ipc_listener_new(event, listen_fd, geteuid(), on_accepted, server, &server->listener);
    if (r < 0) {
        free(server);
        return r;
    }
    *ret_server = server;
    return 0;
}

void control_server_free(struct control_server *server)
{
    if (!server)
        return;
    LIST_FOREACH_SAFE(pos, &server->conns)
    {
        struct control_conn *conn = CONTAINER_OF(pos, struct control_conn, link);
        (void)ipc_conn_flush(conn->ipc);
        ipc_conn_free(conn->ipc);
        conn_forget(conn);
    }
    ipc_listener_free(server->listener);
    free(server);
}

static int call_connect(const char *socket_path, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, socket_path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct timeval timeout = {.tv_sec = CONTROL_CALL_TIMEOUT_S};
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static void freep(uint8_t **p)
{
    free(*p);
}

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int control_call(const char *socket_path, const Holdfast__Control__Request *request,
                 int (*fn)(void *ctx, const Holdfast__Control__Reply *reply), void *ctx)
{
    _cleanup_(closep) int fd = -1;
    int r = call_connect(socket_path, &fd);
    if (r < 0)
        return r;
    _cleanup_(freep) uint8_t *frame = malloc(IPC_FRAME_MAX);
    if (!frame)
        return -ENOMEM;
    Holdfast__Control__Request sent = *request;
    sent.protocol_version = CONTROL_PROTOCOL_VERSION;
    size_t size = protobuf_c_message_get_packed_size(&sent.base);
    if (size > IPC_FRAME_MAX)
        return -EMSGSIZE;
    protobuf_c_message_pack(&sent.base, frame);
    if (send(fd, frame, size, MSG_NOSIGNAL) < 0)
        return -errno;
    for (bool last = false; !last;) {
        ssize_t got = recv(fd, frame, IPC_FRAME_MAX, 0);
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (got == 0)
            return -ECONNRESET;
        Holdfast__Control__Reply *reply = (Holdfast__Control__Reply *)ipc_unpack(
            &holdfast__control__reply__descriptor, slice_make(frame, (size_t)got));
        if (!reply)
            return -EBADMSG;
        last = reply->last;
        r = fn(ctx, reply);
        ipc_unpack_free(&reply->base);
        if (r != 0)
            return r;
    }
    return 0;
}
