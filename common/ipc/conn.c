#include "common/ipc/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/base/list.h"

/* Frames read with one recvmmsg, and sent with one sendmmsg: a wake-up is then shared by many (a round trip
 * that wakes the peer for each frame costs 17 to 28 us, one in batches of 32 costs 7 to 9). */
#define IPC_BATCH       32u
#define IPC_MAX_FDS     4u
#define IPC_FLUSH_AFTER 64u /* queued frames that are sent without waiting for the end of the loop's turn */

struct out_frame {
    struct list link;
    size_t size;
    size_t fd_count;
    int fds[IPC_MAX_FDS];
    uint8_t bytes[];
};

struct ipc_conn {
    int fd;
    uid_t peer_uid;
    struct ipc_handlers handlers;
    void *ctx;
    sd_event_source *io, *flush;
    struct list out;
    size_t out_count, out_bytes;
    uint8_t *in; /* IPC_BATCH frames of IPC_FRAME_MAX + 1: the byte over tells a frame that is too long */
    bool dispatching, dead;
};

static void out_frame_free(struct out_frame *frame)
{
    for (size_t i = 0; i < frame->fd_count; i++)
        close(frame->fds[i]);
    free(frame);
}

static void conn_destroy(struct ipc_conn *conn)
{
    LIST_FOREACH_SAFE(pos, &conn->out)
    {
        list_remove(pos);
        out_frame_free(CONTAINER_OF(pos, struct out_frame, link));
    }
    sd_event_source_disable_unref(conn->io);
    sd_event_source_disable_unref(conn->flush);
    if (conn->fd >= 0)
        close(conn->fd);
    free(conn->in);
    free(conn);
}

void ipc_conn_free(struct ipc_conn *conn)
{
    if (!conn)
        return;
    if (conn->dispatching) {
        conn->dead = true;
        return;
    }
    conn_destroy(conn);
}

/* The peer is gone: says so once, then frees, unless a handler is on the stack, which then frees at its end.
 */
static void conn_close(struct ipc_conn *conn, int error)
{
    if (conn->dead)
        return;
    conn->dead = true;
    bool outermost = !conn->dispatching;
    conn->dispatching = true;
    if (conn->handlers.closed)
        conn->handlers.closed(conn, conn->ctx, error);
    if (outermost)
        conn_destroy(conn);
}

static void watch_writable(struct ipc_conn *conn, bool wanted)
{
    sd_event_source_set_io_events(conn->io, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int send_batch(struct ipc_conn *conn)
{
    struct mmsghdr headers[IPC_BATCH];
    struct iovec vectors[IPC_BATCH];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)];
    } control;
    unsigned count = 0;

    memset(headers, 0, sizeof(headers));
    LIST_FOREACH (pos, &conn->out) {
        struct out_frame *frame = CONTAINER_OF(pos, struct out_frame, link);
        /* One control buffer: a frame with descriptors ends the batch. They are a few in a connection's life.
         */
        if (count == IPC_BATCH || (frame->fd_count && count))
            break;
        vectors[count] = (struct iovec){.iov_base = frame->bytes, .iov_len = frame->size};
        struct msghdr *header = &headers[count].msg_hdr;
        header->msg_iov = &vectors[count];
        header->msg_iovlen = 1;
        count++;
        if (frame->fd_count) {
            header->msg_control = control.bytes;
            header->msg_controllen = CMSG_SPACE(sizeof(int) * frame->fd_count);
            struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
            cmsg->cmsg_level = SOL_SOCKET;
            cmsg->cmsg_type = SCM_RIGHTS;
            cmsg->cmsg_len = CMSG_LEN(sizeof(int) * frame->fd_count);
            memcpy(CMSG_DATA(cmsg), frame->fds, sizeof(int) * frame->fd_count);
            break;
        }
    }
    int sent = sendmmsg(conn->fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    for (int i = 0; i < sent; i++) {
        struct out_frame *frame = CONTAINER_OF(conn->out.next, struct out_frame, link);
        list_remove(&frame->link);
        conn->out_count--;
        conn->out_bytes -= frame->size;
        out_frame_free(frame);
    }
    return 0;
}

int ipc_conn_flush(struct ipc_conn *conn)
{
    while (!conn->dead && !list_empty(&conn->out)) {
        int r = send_batch(conn);
        if (r == -EAGAIN || r == -ENOBUFS) {
            watch_writable(conn, true);
            return 0;
        }
        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
    }
    if (!conn->dead) {
        watch_writable(conn, false);
        sd_event_source_set_enabled(conn->flush, SD_EVENT_OFF);
    }
    return 0;
}

static int on_flush(sd_event_source *source, void *userdata)
{
    struct ipc_conn *conn = userdata;
    int r = ipc_conn_flush(conn);
    if (r < 0)
        conn_close(conn, r);
    return 0;
}

/* One received message: its frame and descriptors to the handler. < 0: close. */
static int take_message(struct ipc_conn *conn, struct mmsghdr *received, const uint8_t *bytes)
{
    int fds[IPC_MAX_FDS] = {-1, -1, -1, -1};
    size_t fd_count = 0;
    int r;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&received->msg_hdr); c; c = CMSG_NXTHDR(&received->msg_hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        fd_count = MIN(count, (size_t)IPC_MAX_FDS);
        memcpy(fds, CMSG_DATA(c), fd_count * sizeof(int));
    }
    if (received->msg_len == 0)
        r = -ECONNRESET;
    else if (received->msg_len > IPC_FRAME_MAX || (received->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        r = -EMSGSIZE;
    else
        r = conn->handlers.frame(conn, conn->ctx, slice_make(bytes, received->msg_len), fds, fd_count);
    for (size_t i = 0; i < fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return r;
}

static int receive_batch(struct ipc_conn *conn)
{
    struct mmsghdr headers[IPC_BATCH];
    struct iovec vectors[IPC_BATCH];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)];
    } control[IPC_BATCH];

    memset(headers, 0, sizeof(headers));
    for (unsigned i = 0; i < IPC_BATCH; i++) {
        vectors[i] = (struct iovec){.iov_base = conn->in + (size_t)i * (IPC_FRAME_MAX + 1),
                                    .iov_len = IPC_FRAME_MAX + 1};
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_control = control[i].bytes;
        headers[i].msg_hdr.msg_controllen = sizeof(control[i].bytes);
    }
    int count = recvmmsg(conn->fd, headers, IPC_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    int r = 0;
    for (int i = 0; i < count; i++) {
        /* Descriptors that came with frames behind a bad one are closed too. */
        int one = r < 0 || conn->dead ? -ECANCELED : 0;
        if (one < 0)
            headers[i].msg_len = 0;
        int taken = take_message(conn, &headers[i], vectors[i].iov_base);
        if (r == 0 && one == 0)
            r = taken;
    }
    return r < 0 ? r : count;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct ipc_conn *conn = userdata;
    int r = 0;

    conn->dispatching = true;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        r = receive_batch(conn);
        if (r > 0 && !conn->dead && conn->handlers.idle)
            conn->handlers.idle(conn, conn->ctx);
    }
    if (r >= 0 && !conn->dead && (events & EPOLLOUT))
        r = ipc_conn_flush(conn);
    if (r < 0 && !conn->dead)
        conn_close(conn, r);
    conn->dispatching = false;
    if (conn->dead)
        conn_destroy(conn);
    return 0;
}

static uid_t peer_uid(int fd)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return (uid_t)-1;
    return credentials.uid;
}

int ipc_conn_new(sd_event *event, int fd, const struct ipc_handlers *handlers, void *ctx,
                 struct ipc_conn **ret_conn)
{
    struct ipc_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        close(fd);
        return -ENOMEM;
    }
    *conn = (struct ipc_conn){.fd = fd, .handlers = *handlers, .ctx = ctx, .peer_uid = peer_uid(fd)};
    list_init(&conn->out);
    int size = IPC_SOCKET_BUFFER;
    /* FORCE needs a capability that only a root start has; the plain one is cut to wmem_max. Both are best
     * effort: what the socket does not take waits in the out-queue. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    int r = -ENOMEM;
    conn->in = malloc((size_t)IPC_BATCH * (IPC_FRAME_MAX + 1));
    if (conn->in)
        r = sd_event_add_io(event, &conn->io, fd, EPOLLIN, on_io, conn);
    if (r >= 0)
        r = sd_event_add_defer(event, &conn->flush, on_flush, conn);
    if (r >= 0)
        r = sd_event_source_set_enabled(conn->flush, SD_EVENT_OFF);
    if (r < 0) {
        conn_destroy(conn);
        return r;
    }
    *ret_conn = conn;
    return 0;
}

int ipc_conn_send_fds(struct ipc_conn *conn, const ProtobufCMessage *message, const int *fds, size_t fd_count)
{
    assert(fd_count <= IPC_MAX_FDS);
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size == 0 || size > IPC_FRAME_MAX)
        return -EMSGSIZE;
    if (conn->dead || conn->out_bytes + size > IPC_QUEUE_MAX_BYTES)
        return 1;
    struct out_frame *frame = malloc(sizeof(*frame) + size);
    if (!frame)
        return -ENOMEM;
    frame->size = protobuf_c_message_pack(message, frame->bytes);
    frame->fd_count = 0;
    for (size_t i = 0; i < fd_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            int error = -errno;
            out_frame_free(frame);
            return error;
        }
        frame->fds[frame->fd_count++] = copy;
    }
    list_append(&conn->out, &frame->link);
    conn->out_count++;
    conn->out_bytes += frame->size;
    if (conn->out_count >= IPC_FLUSH_AFTER)
        (void)ipc_conn_flush(conn); /* an error shows again, and is handled, when the loop polls the socket */
    if (!list_empty(&conn->out))
        sd_event_source_set_enabled(conn->flush, SD_EVENT_ONESHOT);
    return 0;
}

int ipc_conn_send(struct ipc_conn *conn, const ProtobufCMessage *message)
{
    return ipc_conn_send_fds(conn, message, NULL, 0);
}

uid_t ipc_conn_peer_uid(const struct ipc_conn *conn)
{
    return conn->peer_uid;
}
