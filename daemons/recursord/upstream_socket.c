/* Sockets towards servers: address conversion, source addresses, options. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/recursord/shell.h"

union socket_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t to_socket(const struct address *from, union socket_address *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (from->family == 4) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(from->port);
        memcpy(&ret->in.sin_addr, from->bytes, 4);
        return sizeof(ret->in);
    }
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(from->port);
    memcpy(&ret->in6.sin6_addr, from->bytes, 16);
    return sizeof(ret->in6);
}

/* The source to bind to: one of the configured ones of that family, else any. */
static struct address source_for(const struct settings *settings, uint8_t family, uint32_t pick)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->source_count; i++)
        count += settings->source[i].family == family;
    if (!count)
        return (struct address){.family = family};
    size_t wanted = pick % count;
    for (size_t i = 0;; i++)
        if (settings->source[i].family == family && wanted-- == 0)
            return settings->source[i];
}

static void set_options(int fd, uint8_t family, int type)
{
    static const int on = 1;
    if (type == SOCK_STREAM) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return;
    }
    /* Take no path MTU from ICMP, and never send a fragment larger than the interface allows: fragments are
     * what cache poisoning forges (THREATS: fragments). Best effort on old kernels. Over IPv4 that is so by
     * itself, and each question has a socket of its own, so the call is saved: with its headers a question
     * has 540 octets at most, and the kernel believes no path MTU below 552 (net.ipv4.route.min_pmtu). */
    if (family == 6) {
        static const int omit = IPV6_PMTUDISC_OMIT;
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit, sizeof(omit));
    }
}

int upstream_socket(const struct settings *settings, const struct address *server, int type, uint32_t pick,
                    uint16_t port)
{
    union socket_address local;
    struct address source = source_for(settings, server->family, pick);
    source.port = port;
    int fd = socket(server->family == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_options(fd, server->family, type);
    bool chosen = port || settings->source_count;
    if (chosen && bind(fd, &local.any, to_socket(&source, &local)) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int upstream_connect(int fd, const struct address *server)
{
    union socket_address remote;
    socklen_t size = to_socket(server, &remote);
    return connect(fd, &remote.any, size) < 0 ? -errno : 0;
}

enum rec_failure upstream_failure(int error)
{
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
        return REC_FAIL_UNREACHABLE;
    case ECONNREFUSED:
        return REC_FAIL_REFUSED;
    default:
        return REC_FAIL_LOCAL;
    }
}
