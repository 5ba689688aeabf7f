/* UDP to servers: every exchange has a socket of its own, connected, on a port drawn at random, so that an
 * off-path attacker has to guess port and id for each question, and the kernel drops what comes from
 * elsewhere. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/recursord/core/table.h"
#include "daemons/recursord/shell.h"

#define MAX_EXCHANGES 8192u
#define PORT_FIRST    1024u /* below: privileged, and amplifiers' favourites */
#define PORT_TRIES    16u
#define WAKE_BATCH    64 /* replies taken before what came of them is sent on */

struct udp_exchange {
    struct table_node node;
    uint64_t id;
    int fd;
};

/* The sockets are watched by an epoll of their own, which is one source of the loop: an exchange then costs
 * one epoll_ctl (closing its socket ends the watch), and all replies of a wake-up go on to validatord
 * together. */
struct upstream_udp {
    struct recursord *r;
    int epoll_fd;
    sd_event_source *io;
    struct table exchanges;
    struct random_pool random;
    uint8_t buffer[MESSAGE_MAX + 1];
};

static struct udp_exchange *find(struct upstream_udp *udp, uint64_t id)
{
    LIST_FOREACH (pos, table_bucket(&udp->exchanges, id)) {
        struct udp_exchange *x = CONTAINER_OF(table_node_of(pos), struct udp_exchange, node);
        if (x->id == id)
            return x;
    }
    return NULL;
}

static void end(struct upstream_udp *udp, struct udp_exchange *x)
{
    table_remove(&udp->exchanges, &x->node);
    close(x->fd);
    free(x);
}

/* One datagram: the core may end this exchange with it. */
static void receive(struct upstream_udp *udp, const struct udp_exchange *x)
{
    uint64_t id = x->id;
    ssize_t size = recv(x->fd, udp->buffer, sizeof(udp->buffer), 0);
    if (size >= 0)
        recursord_reply(udp->r, id, udp->buffer, (size_t)size);
    else if (errno != EAGAIN && errno != EINTR)
        /* An ICMP error, which anybody may forge: never more than a lost try, whatever it says. */
        recursord_failed(udp->r, id, REC_FAIL_REFUSED);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct upstream_udp *udp = userdata;
    struct epoll_event ready[WAKE_BATCH];
    int count = epoll_wait(udp->epoll_fd, ready, WAKE_BATCH, 0);
    for (int i = 0; i < count; i++) {
        /* By its id: the core may have ended it with a reply to another. */
        struct udp_exchange *x = find(udp, ready[i].data.u64);
        if (x)
            receive(udp, x);
    }
    edge_flush(udp->r->edge);
    return 0;
}

static int open_socket(struct upstream_udp *udp, const struct address *server)
{
    int fd = -EADDRINUSE;
    if (udp->random.left < 128)
        random_pool_fill(&udp->random);
    uint32_t pick = random_u16(&udp->random);
    for (unsigned i = 0; i < PORT_TRIES && fd == -EADDRINUSE; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + random_below(&udp->random, 65536u - PORT_FIRST));
        fd = upstream_socket(&udp->r->settings, server, SOCK_DGRAM, pick, port);
        if (fd == -EACCES) /* a port some policy of this host reserves */
            fd = -EADDRINUSE;
    }
    return fd;
}

int upstream_udp_send(struct upstream_udp *udp, uint64_t exchange, const struct address *server,
                      struct slice wire)
{
    if (table_full(&udp->exchanges))
        return REC_FAIL_LOCAL;
    int fd = open_socket(udp, server);
    if (fd < 0)
        return upstream_failure(-fd);
    int r = upstream_connect(fd, server);
    if (r == 0 && send(fd, wire.data, wire.size, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS)
        r = -errno;
    if (r < 0) {
        close(fd);
        return upstream_failure(-r);
    }
    struct udp_exchange *x = calloc(1, sizeof(*x));
    if (!x) {
        close(fd);
        return REC_FAIL_LOCAL;
    }
    *x = (struct udp_exchange){.id = exchange, .fd = fd};
    struct epoll_event watch = {.events = EPOLLIN, .data.u64 = exchange};
    if (epoll_ctl(udp->epoll_fd, EPOLL_CTL_ADD, fd, &watch) < 0) {
        close(fd);
        free(x);
        return REC_FAIL_LOCAL;
    }
    table_insert(&udp->exchanges, &x->node, exchange);
    return 0;
}

void upstream_udp_cancel(struct upstream_udp *udp, uint64_t exchange)
{
    struct udp_exchange *x = find(udp, exchange);
    if (x)
        end(udp, x);
}

int upstream_udp_new(struct recursord *r, struct upstream_udp **ret_udp)
{
    struct upstream_udp *udp = calloc(1, sizeof(*udp));
    if (!udp)
        return -ENOMEM;
    udp->r = r;
    int result = table_init(&udp->exchanges, 12, MAX_EXCHANGES);
    udp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (result >= 0 && udp->epoll_fd < 0)
        result = -errno;
    if (result >= 0)
        result = sd_event_add_io(r->daemon.event, &udp->io, udp->epoll_fd, EPOLLIN, on_readable, udp);
    if (result < 0) {
        upstream_udp_free(udp);
        return result;
    }
    *ret_udp = udp;
    return 0;
}

void upstream_udp_free(struct upstream_udp *udp)
{
    struct table_node *node;
    if (!udp)
        return;
    while ((node = table_oldest(&udp->exchanges)))
        end(udp, CONTAINER_OF(node, struct udp_exchange, node));
    table_fini(&udp->exchanges);
    sd_event_source_disable_unref(udp->io);
    if (udp->epoll_fd >= 0)
        close(udp->epoll_fd);
    free(udp);
}
