#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/event/event_timer.h"
#include "common/ipc/conn.h"

/* A peer that is being restarted is back within some 100 ms; a machine that boots takes longer. */
#define CONNECT_RETRY_MIN_US 50000u
#define CONNECT_RETRY_MAX_US 1000000u

struct ipc_listener {
    int fd;
    uid_t allowed;
    void (*accepted)(void *ctx, int fd, uid_t uid);
    void *ctx;
    sd_event_source *io;
};

static int on_accept(sd_event_source *source, int listen_fd, uint32_t events, void *userdata)
{
    struct ipc_listener *listener = userdata;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return 0;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        (peer.uid != 0 && peer.uid != geteuid() && peer.uid != listener->allowed)) {
        close(fd);
        return 0;
    }
    listener->accepted(listener->ctx, fd, peer.uid);
    return 0;
}

int ipc_listener_new(sd_event *event, int fd, uid_t allowed, void (*accepted)(void *ctx, int fd, uid_t uid),
                     void *ctx, struct ipc_listener **ret_listener)
{
    struct ipc_listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return -ENOMEM;
    *listener = (struct ipc_listener){.fd = fd, .allowed = allowed, .accepted = accepted, .ctx = ctx};
    int r = sd_event_add_io(event, &listener->io, fd, EPOLLIN, on_accept, listener);
    if (r < 0) {
        free(listener);
        return r;
    }
    *ret_listener = listener;
    return 0;
}

void ipc_listener_free(struct ipc_listener *listener)
{
    if (!listener)
        return;
    sd_event_source_disable_unref(listener->io);
    close(listener->fd);
    free(listener);
}

struct ipc_connector {
    struct event_timer *timer;
    struct sockaddr_un address;
    void (*connected)(void *ctx, int fd);
    void *ctx;
    uint64_t wait_us;
};

/* A connect to a full backlog gives EAGAIN and cannot be polled: so every failure is tried again on the
 * timer. */
static int on_connect_timer(void *userdata)
{
    struct ipc_connector *connector = userdata;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&connector->address, sizeof(connector->address)) == 0) {
        connector->wait_us = CONNECT_RETRY_MIN_US;
        connector->connected(connector->ctx, fd);
        return 0;
    }
    if (fd >= 0)
        close(fd);
    event_timer_set_us(connector->timer, connector->wait_us);
    connector->wait_us = MIN(connector->wait_us * 2, (uint64_t)CONNECT_RETRY_MAX_US);
    return 0;
}

int ipc_connector_new(sd_event *event, const char *path, void (*connected)(void *ctx, int fd), void *ctx,
                      struct ipc_connector **ret_connector)
{
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return -ENAMETOOLONG;
    struct ipc_connector *connector = calloc(1, sizeof(*connector));
    if (!connector)
        return -ENOMEM;
    *connector = (struct ipc_connector){.connected = connected, .ctx = ctx, .wait_us = CONNECT_RETRY_MIN_US};
    connector->address.sun_family = AF_UNIX;
    strcpy(connector->address.sun_path, path);
    int r = event_timer_new(event, on_connect_timer, connector, &connector->timer);
    if (r < 0) {
        free(connector);
        return r;
    }
    event_timer_set_us(connector->timer, 0);
    *ret_connector = connector;
    return 0;
}

void ipc_connector_start(struct ipc_connector *connector)
{
    event_timer_set_us(connector->timer, connector->wait_us);
}

void ipc_connector_free(struct ipc_connector *connector)
{
    if (!connector)
        return;
    event_timer_free(connector->timer);
    free(connector);
}
