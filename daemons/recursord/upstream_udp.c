/* UDP to servers: every exchange has a socket of its own, connected, on a port drawn at random, so that an
 * off-path attacker has to guess port and id for each question, and the kernel drops what comes from
 * elsewhere. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/recursord/core/table.h"
#include "daemons/recursord/shell.h"

#define MAX_EXCHANGES 8192u
#define PORT_FIRST    1024u /* below: privileged, and amplifiers' favourites */
#define PORT_TRIES    16u

struct udp_exchange {
    struct table_node node;
    uint64_t id;
    int fd;
    sd_event_source *io;
    struct upstream_udp *udp;
};

struct upstream_udp {
    struct recursord *r;
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
    sd_event_source_disable_unref(x->io);
    close(x->fd);
    free(x);
}

/* One datagram a wake-up: the core may end this exchange with it. */
static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct udp_exchange *x = userdata;
    struct upstream_udp *udp = x->udp;
    ssize_t size = recv(fd, udp->buffer, sizeof(udp->buffer), 0);
    if (size >= 0)
        recursord_reply(udp->r, x->id, udp->buffer, (size_t)size);
    else if (errno != EAGAIN && errno != EINTR)
        /* An ICMP error, which anybody may forge: never more than a lost try, whatever it says. */
        recursord_failed(udp->r, x->id, REC_FAIL_REFUSED);
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
    *x = (struct udp_exchange){.id = exchange, .fd = fd, .udp = udp};
    if (sd_event_add_io(udp->r->daemon.event, &x->io, fd, EPOLLIN, on_readable, x) < 0) {
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
    if (table_init(&udp->exchanges, 12, MAX_EXCHANGES)) {
        free(udp);
        return -ENOMEM;
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
    free(udp);
}
