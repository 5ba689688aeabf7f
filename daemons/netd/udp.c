/* UDP: batches in, batches out. A socket is drained before the worker goes back to epoll, so a busy worker
 * makes two system calls for every UDP_BATCH questions. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemons/netd/worker.h"

#define UDP_BATCH         WORKER_BATCH
#define UDP_ROUNDS        16u     /* batches before other sockets and timers get their turn */
#define UDP_QUESTION_MAX  4096u   /* bytes of a question read; a longer one is malformed */
#define UDP_SOCKET_BUFFER 4194304 /* as far as net.core.rmem_max admits */
#define UDP_CONTROL_SIZE  64u     /* one IP_PKTINFO or IPV6_PKTINFO */
/* Messages of a batch are a page and a line apart: a page exactly, and their heads would all fall into the
 * same few lines of the processor's cache. */
#define UDP_STRIDE 64u
#define UDP_AHEAD  8u

struct udp_socket {
    struct poll poll;
    int family;
    bool wildcard; /* replies must say from where they leave */

    struct mmsghdr in[UDP_BATCH], out[UDP_BATCH];
    struct iovec in_iov[UDP_BATCH], out_iov[UDP_BATCH];
    struct sockaddr_storage in_name[UDP_BATCH], out_name[UDP_BATCH];
    union {
        struct cmsghdr align;
        uint8_t bytes[UDP_CONTROL_SIZE];
    } in_control[UDP_BATCH], out_control[UDP_BATCH];
    unsigned in_used; /* of in: to be set anew before the next batch */
    unsigned out_count;
    struct served served[UDP_BATCH];
    uint8_t in_data[UDP_BATCH][UDP_QUESTION_MAX + UDP_STRIDE];
    uint8_t out_data[UDP_BATCH][NETD_UDP_REPLY_MAX + UDP_STRIDE];
};

static bool is_wildcard(const struct sockaddr_storage *name)
{
    if (name->ss_family == AF_INET)
        return ((const struct sockaddr_in *)name)->sin_addr.s_addr == INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)name)->sin6_addr);
}

static void set_option(int fd, int level, int option, int value, const char *what)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
        log_debug("%s: %s", what, strerror(errno));
}

/* Never makes a buffer smaller: whoever bound the socket may have been allowed a bigger one than we are. */
static void raise_buffer(int fd, int option, const char *what)
{
    int now = 0;
    socklen_t size = sizeof(now);
    if (getsockopt(fd, SOL_SOCKET, option, &now, &size) == 0 && now < UDP_SOCKET_BUFFER)
        set_option(fd, SOL_SOCKET, option, UDP_SOCKET_BUFFER, what);
}

static int set_options(struct udp_socket *udp, int fd)
{
    int one = 1;
    if (udp->wildcard) {
        int r = udp->family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one))
                                       : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
        if (r < 0)
            return -errno;
    }
    raise_buffer(fd, SO_RCVBUF, "SO_RCVBUF");
    raise_buffer(fd, SO_SNDBUF, "SO_SNDBUF");
    /* Path MTU news are not believed: a forged one would make us send fragments (RFC 9715 3.1). */
    if (udp->family == AF_INET)
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, "IP_MTU_DISCOVER");
    else
        set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT, "IPV6_MTU_DISCOVER");
    return 0;
}

static void prepare_batch(struct udp_socket *udp)
{
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        udp->in_iov[i] = (struct iovec){.iov_base = udp->in_data[i], .iov_len = UDP_QUESTION_MAX};
        udp->in[i].msg_hdr.msg_iov = &udp->in_iov[i];
        udp->in[i].msg_hdr.msg_iovlen = 1;
        udp->in[i].msg_hdr.msg_name = &udp->in_name[i];
        udp->out[i].msg_hdr.msg_iov = &udp->out_iov[i];
        udp->out[i].msg_hdr.msg_iovlen = 1;
        udp->out[i].msg_hdr.msg_name = &udp->out_name[i];
        udp->out_iov[i].iov_base = udp->out_data[i];
    }
}

int udp_open(struct worker *worker, int fd, bool shared_socket)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
        return -errno;
    if (name.ss_family != AF_INET && name.ss_family != AF_INET6)
        return -EAFNOSUPPORT;
    struct udp_socket **grown = realloc(worker->udp, (worker->udp_count + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    worker->udp = grown;
    struct udp_socket *udp = calloc(1, sizeof(*udp));
    if (!udp)
        return -ENOMEM;
    udp->poll = (struct poll){.kind = POLL_UDP, .fd = fd};
    udp->family = name.ss_family;
    udp->wildcard = is_wildcard(&name);
    udp->in_used = UDP_BATCH;
    prepare_batch(udp);
    int r = set_options(udp, fd);
    if (r == 0)
        r = worker_poll_add(worker, &udp->poll, EPOLLIN | (shared_socket ? EPOLLEXCLUSIVE : 0u));
    if (r < 0) {
        free(udp);
        return r;
    }
    worker->udp[worker->udp_count++] = udp;
    return 0;
}

void udp_close(struct worker *worker)
{
    for (size_t i = 0; i < worker->udp_count; i++) {
        close(worker->udp[i]->poll.fd);
        free(worker->udp[i]);
    }
    free(worker->udp);
    worker->udp = NULL;
    worker->udp_count = 0;
}

void client_address(const struct sockaddr_storage *name, struct client *ret_client)
{
    struct address *address = &ret_client->address;
    memset(address, 0, sizeof(*address));
    ret_client->scope = 0;
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)name;
        address->family = 4;
        address->port = ntohs(in->sin_port);
        memcpy(address->bytes, &in->sin_addr, 4);
        return;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)name;
    address->port = ntohs(in6->sin6_port);
    ret_client->scope = in6->sin6_scope_id;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        /* A socket for both families: the ACL's IPv4 prefixes must hold here too. */
        address->family = 4;
        memcpy(address->bytes, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        address->family = 6;
        memcpy(address->bytes, &in6->sin6_addr, 16);
    }
}

static socklen_t socket_name(const struct udp_socket *udp, const struct client *client,
                             struct sockaddr_storage *ret_name)
{
    if (udp->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_name;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(client->address.port)};
        memcpy(&in->sin_addr, client->address.bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_name;
    *in6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(client->address.port), .sin6_scope_id = client->scope};
    if (client->address.family == 4) {
        in6->sin6_addr.s6_addr[10] = in6->sin6_addr.s6_addr[11] = 0xff;
        memcpy(in6->sin6_addr.s6_addr + 12, client->address.bytes, 4);
    } else {
        memcpy(&in6->sin6_addr, client->address.bytes, 16);
    }
    return sizeof(*in6);
}

static void read_local(struct msghdr *header, struct client *client)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(client->local, &info.ipi_addr, 4);
            client->local_size = 4;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof(info));
            memcpy(client->local, &info.ipi6_addr, 16);
            client->local_size = 16;
            client->interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
        }
    }
}

static void write_local(struct msghdr *header, void *control, const struct client *client)
{
    header->msg_control = NULL;
    header->msg_controllen = 0;
    if (client->local_size == 0)
        return;
    memset(control, 0, UDP_CONTROL_SIZE);
    header->msg_control = control;
    header->msg_controllen = UDP_CONTROL_SIZE;
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    if (client->local_size == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, client->local, 4);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        header->msg_controllen = CMSG_SPACE(sizeof(info));
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = client->interface};
        memcpy(&info.ipi6_addr, client->local, 16);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof(info));
        header->msg_controllen = CMSG_SPACE(sizeof(info));
    }
}

static void flush_socket(struct worker *worker, struct udp_socket *udp)
{
    unsigned sent = 0;
    while (sent < udp->out_count) {
        int r = sendmmsg(udp->poll.fd, udp->out + sent, udp->out_count - sent, 0);
        if (r > 0) {
            sent += (unsigned)r;
            continue;
        }
        if (r < 0 && errno == EINTR)
            continue;
        /* This one cannot be sent (no route, buffer full): UDP is allowed to lose it, the others still go. */
        stats_add(&worker->stats, STAT_SEND_FAILED, 1);
        sent++;
    }
    udp->out_count = 0;
}

void udp_flush(struct worker *worker)
{
    for (size_t i = 0; i < worker->udp_count; i++) {
        if (worker->udp[i]->out_count)
            flush_socket(worker, worker->udp[i]);
    }
}

/* The out slot at the end of the queue becomes a message of that size to the client. */
static void queue_out(struct worker *worker, struct udp_socket *udp, const struct client *client, size_t size)
{
    unsigned n = udp->out_count++;
    udp->out_iov[n].iov_len = size;
    struct msghdr *header = &udp->out[n].msg_hdr;
    header->msg_namelen = socket_name(udp, client, &udp->out_name[n]);
    write_local(header, udp->out_control[n].bytes, client);
    if (udp->out_count == UDP_BATCH)
        flush_socket(worker, udp);
}

void udp_reply(struct worker *worker, const struct client *client, const uint8_t *reply, size_t size)
{
    struct udp_socket *udp = client->udp;
    if (size == 0 || size > NETD_UDP_REPLY_MAX)
        return;
    memcpy(udp->out_data[udp->out_count], reply, size);
    queue_out(worker, udp, client, size);
}

/* Replies are made where they will be sent from: no copy. */
static uint8_t *out_slot(struct udp_socket *udp)
{
    return udp->out_data[udp->out_count];
}

static void receive_one(struct worker *worker, struct udp_socket *udp, unsigned n)
{
    struct served *served = &udp->served[n];
    struct client *client = &served->client;
    client->udp = udp;
    client->tcp = NULL;
    client->local_size = 0;
    client->interface = 0;
    client_address(&udp->in_name[n], client);
    if (udp->wildcard)
        read_local(&udp->in[n].msg_hdr, client);
    size_t size = serve_receive(worker, slice_make(udp->in_data[n], udp->in[n].msg_len), NETD_UDP, served,
                                out_slot(udp), NETD_UDP_REPLY_MAX);
    if (size)
        queue_out(worker, udp, client, size);
}

static void lookup_one(struct worker *worker, struct udp_socket *udp, unsigned n)
{
    const struct served *served = &udp->served[n];
    size_t size = serve_lookup(worker, served, out_slot(udp), NETD_UDP_REPLY_MAX);
    if (size)
        queue_out(worker, udp, &served->client, size);
}

/* The three steps of serve.c, each UDP_AHEAD questions behind the one before: far enough for memory to come,
 * and not so many look-ups at once that the processor forgets some. */
static void serve_batch(struct worker *worker, struct udp_socket *udp, unsigned count)
{
    for (unsigned i = 0; i < count + 2 * UDP_AHEAD; i++) {
        if (i < count)
            receive_one(worker, udp, i);
        unsigned second = i - UDP_AHEAD, third = second - UDP_AHEAD; /* wrapped around: not yet */
        if (second < count && udp->served[second].wanted)
            serve_prefetch(worker, &udp->served[second]);
        if (third < count && udp->served[third].wanted)
            lookup_one(worker, udp, third);
    }
    flush_socket(worker, udp);
    serve_count_popular(worker);
}

void udp_readable(struct worker *worker, struct udp_socket *udp)
{
    for (unsigned round = 0; round < UDP_ROUNDS; round++) {
        /* Only what the last batch wrote over has to be set again. */
        for (unsigned i = 0; i < udp->in_used; i++) {
            struct msghdr *header = &udp->in[i].msg_hdr;
            header->msg_namelen = sizeof(udp->in_name[i]);
            header->msg_control = udp->wildcard ? udp->in_control[i].bytes : NULL;
            header->msg_controllen = udp->wildcard ? UDP_CONTROL_SIZE : 0;
        }
        int got = recvmmsg(udp->poll.fd, udp->in, UDP_BATCH, MSG_DONTWAIT, NULL);
        udp->in_used = got > 0 ? (unsigned)got : 0;
        if (got <= 0)
            return;
        serve_batch(worker, udp, (unsigned)got);
        if ((unsigned)got < UDP_BATCH)
            return;
    }
}
