#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/daemon/daemon.h"
#include "daemons/holdfastd/holdfastd.h"

#define UDP_BUFFER_BYTES 4194304 /* some thousand questions while netd is being restarted */
#define TCP_BACKLOG      511
#define UNIX_BACKLOG     16

char *runtime_path(const struct holdfastd *h, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", h->runtime_directory, name) < 0 ? NULL : path;
}

static int add_socket(struct child *child, int fd, const char *name)
{
    if (child->socket_count == MAX_SOCKETS) {
        close(fd);
        return -E2BIG;
    }
    struct passed_socket *socket = &child->sockets[child->socket_count++];
    socket->fd = fd;
    snprintf(socket->name, sizeof(socket->name), "%s", name);
    return 0;
}

static void endpoint_text(const Holdfast__Config__Endpoint *endpoint, char buf[96])
{
    char address[INET6_ADDRSTRLEN];
    bool v6 = endpoint->address.len == 16;
    inet_ntop(v6 ? AF_INET6 : AF_INET, endpoint->address.data, address, sizeof(address));
    snprintf(buf, 96, "%s://%s%s%s:%u",
             endpoint->transport == HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP ? "udp" : "tcp", v6 ? "[" : "",
             address, v6 ? "]" : "", endpoint->port);
}

/* One bound socket; shared: SO_REUSEPORT, so that each of netd's workers has one of its own. fd or -errno. */
static int bind_endpoint(const Holdfast__Config__Endpoint *endpoint, bool shared)
{
    const int one = 1, buffer = UDP_BUFFER_BYTES;
    bool udp = endpoint->transport == HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP,
         v6 = endpoint->address.len == 16;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = {0};
    if (v6) {
        address.in6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)endpoint->port)};
        memcpy(&address.in6.sin6_addr, endpoint->address.data, 16);
    } else {
        address.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)endpoint->port)};
        memcpy(&address.in.sin_addr, endpoint->address.data, 4);
    }
    int fd =
            socket(address.any.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
        r = 0;
    if (fd < 0)
        return -errno;
    if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
        r = -errno;
    if (r == 0 && !udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        r = -errno;
    if (r == 0 && shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
        r = -errno;
    /* A smaller buffer than wished is no reason not to start. */
    if (udp && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    if (r == 0 && bind(fd, &address.any, v6 ? sizeof(address.in6) : sizeof(address.in)) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

/* The children of a holdfastd that was killed a moment ago still hold the ports: they die by PDEATHSIG, so a
 * port in use is tried again for a second. */
static int bind_patiently(const Holdfast__Config__Endpoint *endpoint)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000000};
    int fd = bind_endpoint(endpoint, false);
    for (unsigned i = 0; fd == -EADDRINUSE && i < 20; i++) {
        nanosleep(&pause, NULL);
        fd = bind_endpoint(endpoint, false);
    }
    return fd;
}

static int open_endpoint(struct holdfastd *h, const Holdfast__Config__Endpoint *endpoint)
{
    struct child *netd = &h->children[CHILD_NETD];
    bool udp = endpoint->transport == HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP;
    /* Sockets of two processes of one user may share a port with SO_REUSEPORT, and each would get a part of
     * the questions: so the first bind is without, and only then come the shared ones. */
    int fd = bind_patiently(endpoint);
    if (udp && fd >= 0) {
        close(fd);
        fd = 0;
    } else if (fd >= 0) {
        return add_socket(netd, fd, "dns-tcp");
    }
    for (unsigned worker = 0; fd >= 0 && worker < h->snapshot->workers; worker++) {
        fd = bind_endpoint(endpoint, true);
        if (fd >= 0) {
            int r = add_socket(netd, fd, "dns-udp");
            if (r < 0)
                return r;
        }
    }
    if (fd < 0) {
        char text[96];
        endpoint_text(endpoint, text);
        const char *cure = fd == -EADDRINUSE
                               ? "stop what answers there, or listen elsewhere (ss -lnp shows it)"
                           : fd == -EACCES        ? "ports below 1024 need root; listen on another port"
                           : fd == -EADDRNOTAVAIL ? "no interface has this address"
                                                  : "see server.listen";
        log_error("cannot listen on %s: %s; %s", text, strerror(-fd), cure);
    }
    return fd < 0 ? fd : 0;
}

/* A listening SEQPACKET socket in the runtime directory, 0600, of that user. */
static int open_unix(struct holdfastd *h, struct child *child, const char *name, uid_t owner)
{
    char file[40];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(file, sizeof(file), "%s.%s", child->name, name);
    char *path = runtime_path(h, file);
    if (!path)
        return -ENOMEM;
    int fd = -1, r = strlen(path) >= sizeof(address.sun_path) ? -ENAMETOOLONG : 0;
    if (r == 0) {
        strcpy(address.sun_path, path);
        if (unlink(path) < 0 && errno != ENOENT)
            r = -errno;
    }
    if (r == 0) {
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = fd < 0 ? -errno : 0;
    }
    mode_t before = umask(0177);
    if (r == 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        r = -errno;
    umask(before);
    if (r == 0 && owner != geteuid() && chown(path, owner, h->gid) < 0)
        r = -errno;
    if (r == 0 && listen(fd, UNIX_BACKLOG) < 0)
        r = -errno;
    if (r < 0) {
        log_error("cannot make %s: %s%s", path, strerror(-r),
                  r == -ENAMETOOLONG ? "; name a shorter --runtime-dir" : "");
        if (fd >= 0)
            close(fd);
    }
    free(path);
    return r < 0 ? r : add_socket(child, fd, name);
}

int sockets_open(struct holdfastd *h)
{
    int r = 0;
    for (size_t i = 0; i < h->snapshot->n_listen && r == 0; i++)
        r = open_endpoint(h, h->snapshot->listen[i]);
    for (size_t i = 0; i < CHILD_COUNT && r == 0; i++) {
        struct child *child = &h->children[i];
        /* Only validatord may connect to an edge: the file is its own. */
        if (child->id != CHILD_VALIDATORD)
            r = open_unix(h, child, "edge", h->children[CHILD_VALIDATORD].uid);
        if (r == 0)
            r = open_unix(h, child, "control", child->uid);
    }
    return r;
}

int sockets_listen(struct holdfastd *h)
{
    const struct child *netd = &h->children[CHILD_NETD];
    for (size_t i = 0; i < netd->socket_count; i++)
        if (strcmp(netd->sockets[i].name, "dns-tcp") == 0 && listen(netd->sockets[i].fd, TCP_BACKLOG) < 0) {
            log_error("cannot listen over TCP: %s", strerror(errno));
            return -errno;
        }
    return 0;
}

void sockets_describe(const struct holdfastd *h, char *buf, size_t room)
{
    size_t size = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < h->snapshot->n_listen && size < room; i++) {
        char text[96];
        endpoint_text(h->snapshot->listen[i], text);
        size += (size_t)snprintf(buf + size, room - size, "%s%s", i ? " " : "", text);
    }
}

void sockets_remove(struct holdfastd *h)
{
    static const char kinds[2][8] = {"edge", "control"};
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        for (size_t j = 0; j < 2; j++) {
            char file[40];
            snprintf(file, sizeof(file), "%s.%s", h->children[i].name, kinds[j]);
            char *path = runtime_path(h, file);
            if (path)
                unlink(path);
            free(path);
        }
        for (size_t j = 0; j < h->children[i].socket_count; j++)
            close(h->children[i].sockets[j].fd);
        h->children[i].socket_count = 0;
    }
}
