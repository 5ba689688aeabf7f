#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum { BATCH = 64, MAX_SOCKETS = 64, BUFFER = 8 << 20, REPLY = 4096 };

struct endpoint {
    int fd;
    struct slots slots;
};

struct udp {
    struct load *load;
    struct endpoint *endpoints;
    struct pollfd polls[MAX_SOCKETS];
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    uint8_t bytes[BATCH][REPLY];
    bool ended; /* no more questions */
};

static int endpoint_open(const struct load *load, struct endpoint *endpoint)
{
    int buffer = BUFFER;
    endpoint->fd = socket(load->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->fd < 0 || connect(endpoint->fd, (const struct sockaddr *)&load->to, load->to_size) < 0) {
        perror("connect");
        return -1;
    }
    if (setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
        (void)setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    slots_init(&endpoint->slots, load->window);
    return 0;
}

/* Sends up to `count` questions, as slots are free; they count as sent at first_ns, first_ns + step_ns, ...
 */
static unsigned send_some(struct udp *udp, struct endpoint *endpoint, unsigned count, uint64_t first_ns,
                          uint64_t step_ns)
{
    struct load *load = udp->load;
    unsigned n = 0;
    while (n < count && n < BATCH && endpoint->slots.free_count) {
        uint32_t index = names_next(&load->names);
        if (index == LOAD_NONE) {
            udp->ended = true;
            break;
        }
        const struct question *question = &load->names.questions[index];
        uint16_t id = slots_take(&endpoint->slots, index, first_ns + n * step_ns);
        memcpy(udp->bytes[n], question->wire, question->size);
        udp->bytes[n][0] = (uint8_t)(id >> 8);
        udp->bytes[n][1] = (uint8_t)id;
        udp->parts[n] = (struct iovec){udp->bytes[n], question->size};
        n++;
    }
    /* What the kernel refuses stays under way and ends as lost. */
    for (unsigned sent = 0; sent < n;) {
        int r = sendmmsg(endpoint->fd, udp->headers + sent, n - sent, 0);
        sent += r > 0 ? (unsigned)r : 1;
    }
    load->sent += n;
    return n;
}

static unsigned receive_some(struct udp *udp, struct endpoint *endpoint)
{
    for (unsigned i = 0; i < BATCH; i++)
        udp->parts[i] = (struct iovec){udp->bytes[i], REPLY};
    int got = recvmmsg(endpoint->fd, udp->headers, BATCH, MSG_DONTWAIT, NULL);
    if (got <= 0)
        return 0;
    uint64_t now = clock_ns();
    for (int i = 0; i < got; i++)
        slots_reply(&endpoint->slots, udp->load, udp->bytes[i], udp->headers[i].msg_len, now);
    return (unsigned)got;
}

static unsigned under_way(const struct udp *udp)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < udp->load->sockets; i++)
        sum += udp->endpoints[i].slots.size - udp->endpoints[i].slots.free_count;
    return sum;
}

static void closed_loop(struct udp *udp, uint64_t end_ns)
{
    struct load *load = udp->load;
    uint64_t look = 0;
    while (clock_ns() < end_ns) {
        unsigned got = 0;
        bool could = false;
        udp->ended = false;
        for (unsigned i = 0; i < load->sockets; i++) {
            struct endpoint *endpoint = &udp->endpoints[i];
            if (endpoint->slots.free_count * 2 >= load->window) {
                send_some(udp, endpoint, BATCH, clock_ns(), 0);
                could = could || (!udp->ended && endpoint->slots.free_count * 2 >= load->window);
            }
            got += receive_some(udp, endpoint);
        }
        if (load->names.order == LOAD_ONCE && udp->ended && under_way(udp) == 0)
            return;
        if (!got && !could)
            (void)poll(udp->polls, load->sockets, 10);
        if (clock_ns() > look) {
            for (unsigned i = 0; i < load->sockets; i++)
                slots_expire(&udp->endpoints[i].slots, load, clock_ns());
            look = clock_ns() + LOAD_TIMEOUT / 20;
        }
    }
}

static void open_loop(struct udp *udp, uint64_t start_ns, uint64_t end_ns)
{
    struct load *load = udp->load;
    uint64_t step = (uint64_t)(1e9 / load->rate), due_ns = start_ns, look = 0;
    unsigned turn = 0;
    for (;;) {
        uint64_t now = clock_ns();
        if (now >= end_ns && (under_way(udp) == 0 || now >= end_ns + LOAD_TIMEOUT))
            return;
        if (load->names.order == LOAD_ONCE && udp->ended && under_way(udp) == 0)
            return;
        if (now >= due_ns && due_ns < end_ns && !udp->ended) {
            uint64_t due = (now - due_ns) / step + 1;
            unsigned sent = send_some(udp, &udp->endpoints[turn++ % load->sockets],
                                      due < BATCH ? (unsigned)due : BATCH, due_ns, step);
            due_ns += sent * step;
        }
        for (unsigned i = 0; i < load->sockets; i++)
            receive_some(udp, &udp->endpoints[i]);
        if (now > look) {
            for (unsigned i = 0; i < load->sockets; i++)
                slots_expire(&udp->endpoints[i].slots, load, now);
            look = now + LOAD_TIMEOUT / 20;
        }
    }
}

int load_udp(struct load *load)
{
    struct udp *udp = calloc(1, sizeof(*udp));
    if (!udp || load->sockets > MAX_SOCKETS)
        return -1;
    udp->load = load;
    udp->endpoints = calloc(load->sockets, sizeof(*udp->endpoints));
    if (!udp->endpoints)
        return -1;
    for (unsigned i = 0; i < BATCH; i++)
        udp->headers[i].msg_hdr = (struct msghdr){.msg_iov = &udp->parts[i], .msg_iovlen = 1};
    for (unsigned i = 0; i < load->sockets; i++) {
        if (endpoint_open(load, &udp->endpoints[i]) != 0)
            return -1;
        udp->polls[i] = (struct pollfd){.fd = udp->endpoints[i].fd, .events = POLLIN};
    }
    uint64_t start = clock_ns(), end = start + (uint64_t)(load->seconds * 1e9);
    load->began_ns = start;
    if (load->rate > 0)
        open_loop(udp, start, end);
    else
        closed_loop(udp, end);
    load->took = (double)(clock_ns() - start) / 1e9;
    for (unsigned i = 0; i < load->sockets; i++)
        close(udp->endpoints[i].fd);
    free(udp->endpoints);
    free(udp);
    return 0;
}
