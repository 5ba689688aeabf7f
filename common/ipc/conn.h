#pragma once
/* One SOCK_SEQPACKET connection carrying protobuf frames on an sd-event loop.
 *
 * One datagram, one message, at most IPC_FRAME_MAX; out-queue bounded by frames and bytes, with a rule for
 * when it is full (ipc_conn_send says so and the caller decides); big socket buffers (Linux' defaults hold
 * ~167 small frames); SO_PEERCRED checked at accept; unpacking with a budgeted allocator. DESIGN invariant 5.
 */

#include <protobuf-c/protobuf-c.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/base/util.h"

#define IPC_FRAME_MAX       98304u  /* 96 KiB */
#define IPC_UNPACK_MAX      524288u /* bytes an unpacked frame may take */
#define IPC_SOCKET_BUFFER   4194304 /* SO_SNDBUF: room for some thousand small frames */
#define IPC_QUEUE_MAX_BYTES 16777216u

struct ipc_conn;

struct ipc_handlers {
    /* A whole frame; fds of SCM_RIGHTS (at most 4; the handler owns those it sets to -1). Return < 0 to
     * close. */
    int (*frame)(struct ipc_conn *conn, void *ctx, struct slice frame, int *fds, size_t fd_count);
    /* All frames of one wake-up were handed over: flush batched work. May be NULL. */
    void (*idle)(struct ipc_conn *conn, void *ctx);
    /* The peer is gone, or sent something that cannot be. The conn is freed after this returns. */
    void (*closed)(struct ipc_conn *conn, void *ctx, int error);
};

/* Takes fd. 0 or -errno. */
int ipc_conn_new(sd_event *event, int fd, const struct ipc_handlers *handlers, void *ctx,
                 struct ipc_conn **ret_conn);
/* Closes without calling handlers->closed. */
void ipc_conn_free(struct ipc_conn *conn);
/* Packs and queues; sent before the loop sleeps. 0; 1: queue full, nothing queued; -EMSGSIZE, -ENOMEM. */
int ipc_conn_send(struct ipc_conn *conn, const ProtobufCMessage *message);
int ipc_conn_send_fds(struct ipc_conn *conn, const ProtobufCMessage *message, const int *fds,
                      size_t fd_count);
/* Sends what is queued now. */
int ipc_conn_flush(struct ipc_conn *conn);
/* Peer's credentials as of accept/connect. */
uid_t ipc_conn_peer_uid(const struct ipc_conn *conn);

/* Unpacks with a budget of IPC_UNPACK_MAX; NULL: malformed or too big. Free with ipc_unpack_free. */
ProtobufCMessage *ipc_unpack(const ProtobufCMessageDescriptor *descriptor, struct slice frame);
/* The same with another limit: for the configuration snapshot. */
ProtobufCMessage *ipc_unpack_within(const ProtobufCMessageDescriptor *descriptor, struct slice frame,
                                    size_t limit);
void ipc_unpack_free(ProtobufCMessage *message);

/* Listener: accepts on a passed, listening SEQPACKET socket; only uids allowed by `allowed` (uid 0 and own
 * always). accepted() gets the fd. 0 or -errno. */
struct ipc_listener;
int ipc_listener_new(sd_event *event, int fd, uid_t allowed, void (*accepted)(void *ctx, int fd, uid_t uid),
                     void *ctx, struct ipc_listener **ret_listener);
void ipc_listener_free(struct ipc_listener *listener);

/* Connector: connects to path, retrying on a timer (50 ms to 1 s) until it works; connected() gets the fd.
 * Start it again after the connection closed. 0 or -errno. */
struct ipc_connector;
int ipc_connector_new(sd_event *event, const char *path, void (*connected)(void *ctx, int fd), void *ctx,
                      struct ipc_connector **ret_connector);
void ipc_connector_start(struct ipc_connector *connector);
void ipc_connector_free(struct ipc_connector *connector);
