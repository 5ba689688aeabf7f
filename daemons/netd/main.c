/* holdfast-netd: sockets, workers, sandbox, loop. What it may: answer on the sockets it was passed, read the
 * cache. */

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "common/event/event_timer.h"
#include "common/ipc/control.h"
#include "common/sandbox/sandbox.h"
#include "daemons/netd/edge_validatord.h"
#include "daemons/netd/l1.h"
#include "daemons/netd/worker.h"

#define VALIDATORD_USER "holdfast-validatord"
/* L1's table gets its pages once the start is over, in pieces between which verdicts pass. */
#define SETTLE_FIRST_US 200000u
#define SETTLE_NEXT_US  5000u

struct passed_socket {
    int fd;
    struct sockaddr_storage name;
    unsigned rank;    /* the how-manieth of its address */
    unsigned fellows; /* sockets of that address */
};

/* Takes all sockets of that name and numbers those of one address. Returns the count or -errno. */
static int take_sockets(struct netd *netd, const char *name, struct passed_socket *sockets, size_t room)
{
    size_t count = 0;
    for (int fd; count < room && (fd = daemon_take_fd(&netd->daemon, name)) >= 0; count++) {
        socklen_t size = sizeof(sockets[count].name);
        sockets[count] = (struct passed_socket){.fd = fd};
        if (getsockname(fd, (struct sockaddr *)&sockets[count].name, &size) < 0)
            return -errno;
        for (size_t i = 0; i < count; i++) {
            if (memcmp(&sockets[i].name, &sockets[count].name, size) == 0)
                sockets[count].rank++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (memcmp(&sockets[i].name, &sockets[j].name, sizeof(sockets[i].name)) == 0)
                sockets[i].fellows++;
        }
    }
    return (int)count;
}

/* One socket an address and worker (SO_REUSEPORT) goes to its worker; fewer are shared by all. */
static int give_udp(struct netd *netd, const struct passed_socket *socket)
{
    bool shared = socket->fellows < netd->worker_count;
    for (unsigned w = 0; w < netd->worker_count; w++) {
        if (!shared && w != socket->rank % netd->worker_count)
            continue;
        int fd = shared ? fcntl(socket->fd, F_DUPFD_CLOEXEC, 0) : socket->fd;
        if (fd < 0)
            return -errno;
        int r = udp_open(&netd->workers[w], fd, shared);
        if (r < 0)
            return r;
    }
    if (shared)
        close(socket->fd);
    return 0;
}

static int give_sockets(struct netd *netd)
{
    struct passed_socket *sockets = calloc(DAEMON_MAX_FDS, sizeof(*sockets));
    if (!sockets)
        return -ENOMEM;
    int total = 0, r = take_sockets(netd, "dns-udp", sockets, DAEMON_MAX_FDS);
    for (int i = 0, count = r; r >= 0 && i < count; i++, total++)
        r = give_udp(netd, &sockets[i]);
    if (r >= 0)
        r = take_sockets(netd, "dns-tcp", sockets, DAEMON_MAX_FDS);
    for (int i = 0, count = r; r >= 0 && i < count; i++, total++) {
        /* Accepting must not block a worker that lost the race for a connection. */
        int flags = fcntl(sockets[i].fd, F_GETFL);
        if (flags < 0 || fcntl(sockets[i].fd, F_SETFL, flags | O_NONBLOCK) < 0)
            r = -errno;
        for (unsigned w = 0; r >= 0 && w < netd->worker_count; w++)
            r = tcp_listen(&netd->workers[w], sockets[i].fd);
    }
    free(sockets);
    if (r >= 0 && total == 0) {
        log_error("no socket named dns-udp or dns-tcp was passed; netd opens none by itself");
        return -ENOTSOCK;
    }
    return r < 0 ? r : 0;
}

static uid_t validatord_uid(const struct netd *netd)
{
    if (!netd->daemon.snapshot->users)
        return geteuid();
    const struct passwd *user = getpwnam(VALIDATORD_USER);
    return user ? user->pw_uid : geteuid();
}

static int start_workers(struct netd *netd)
{
    netd->workers = calloc(netd->settings->workers, sizeof(*netd->workers));
    if (!netd->workers)
        return -ENOMEM;
    netd->worker_count = netd->settings->workers;
    int r = 0;
    for (unsigned i = 0; i < netd->worker_count; i++) {
        int one = worker_init(&netd->workers[i], netd, i);
        r = r < 0 ? r : one;
    }
    return r < 0 ? r : give_sockets(netd);
}

static int on_settle(void *userdata)
{
    struct netd *netd = userdata;
    if (l1_settle(netd->l1, &netd->settled_bytes)) {
        event_timer_set_us(netd->settling, SETTLE_NEXT_US);
        return 0;
    }
    event_timer_free(TAKE(netd->settling));
    return 0;
}

static int set_up(struct netd *netd)
{
    netd->started = daemon_mono();
    int r = settings_new(netd->daemon.snapshot, &netd->settings);
    if (r != 0)
        return r < 0 ? r : -EINVAL;
    netd->conn_limits = limits_new();
    netd->client_over = -1;
    netd->waiting_limits = limits_new();
    uint64_t share = netd->daemon.snapshot->cache_size_bytes / NETD_L1_SHARE;
    netd->l1 = l1_new((size_t)MIN((uint64_t)NETD_L1_BYTES, share), daemon_hash_key());
    if (!netd->conn_limits || !netd->waiting_limits || !netd->l1)
        return -ENOMEM;
    int edge = daemon_take_fd(&netd->daemon, "edge");
    if (edge < 0) {
        log_error("no socket named edge was passed");
        return -ENOTSOCK;
    }
    r = edge_new(netd, edge, validatord_uid(netd), &netd->edge);
    if (r < 0)
        return r;
    int control = daemon_take_fd(&netd->daemon, "control");
    if (control >= 0 && (r = control_start(netd, control)) < 0)
        return r;
    r = start_workers(netd);
    for (unsigned i = 0; r >= 0 && i < netd->worker_count; i++)
        r = worker_start(&netd->workers[i]);
    if (r >= 0)
        r = event_timer_new(netd->daemon.event, on_settle, netd, &netd->settling);
    if (r >= 0) {
        event_timer_set_us(netd->settling, SETTLE_FIRST_US);
        r = netd->daemon.snapshot->sandbox ? sandbox_enter(SANDBOX_NETD) : 0;
    }
    return r;
}

static void tear_down(struct netd *netd)
{
    atomic_store(&netd->stopping, true);
    for (unsigned i = 0; i < netd->worker_count; i++)
        worker_join(&netd->workers[i]);
    control_server_free(netd->control);
    for (unsigned i = 0; i < netd->worker_count; i++)
        worker_fini(&netd->workers[i]);
    edge_free(netd->edge);
    event_timer_free(netd->settling);
    l1_free(netd->l1);
    free(netd->workers);
    free(netd->conn_limits);
    free(netd->waiting_limits);
    settings_free(netd->settings);
    daemon_finish(&netd->daemon);
}

int main(int argc, char **argv)
{
    struct netd *netd = calloc(1, sizeof(*netd));
    if (!netd)
        return EXIT_FAILURE;
    int status = EXIT_FAILURE;
    if (daemon_start(&netd->daemon, "holdfast-netd", argc, argv) == 0) {
        urcu_memb_register_thread();
        (void)urcu_memb_get_default_call_rcu_data(); /* its thread starts before the sandbox */
        int r = set_up(netd);
        if (r < 0)
            log_error("cannot start: %s", strerror(-r));
        else
            status = daemon_run(&netd->daemon);
        tear_down(netd);
        urcu_memb_unregister_thread();
    }
    free(netd);
    return status;
}
