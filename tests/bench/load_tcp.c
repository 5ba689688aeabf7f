/* Persistent TCP connections with `window` questions under way on each (RFC 7766 6.2.1.1): whatever answers
 * have come is read at once, and the questions that they release leave in one write. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/load.h"

enum { MAX_CONNECTIONS = 256, OUT = 65536 };

struct connection {
    int fd;
    struct slots slots;
    uint8_t in[2u + LOAD_REPLY_MAX], out[OUT];
    size_t in_size, out_size;
};

static int connection_open(const struct load *load, struct connection *c)
{
    int one = 1;
    c->fd = socket(load->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&load->to, load->to_size) < 0) {
        perror("connect");
        return -1;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    slots_init(&c->slots, load->window);
    return 0;
}

static void queue_questions(struct load *load, struct connection *c, bool *ended)
{
    uint64_t now = clock_ns();
    while (c->slots.free_count) {
        uint32_t index = names_next(&load->names);
        if (index == LOAD_NONE) {
            *ended = true;
            return;
        }
        const struct question *question = &load->names.questions[index];
        uint8_t *at = c->out + c->out_size;
        uint16_t id = slots_take(&c->slots, index, now);
        at[0] = (uint8_t)(question->size >> 8);
        at[1] = (uint8_t)question->size;
        memcpy(at + 2, question->wire, question->size);
        at[2] = (uint8_t)(id >> 8);
        at[3] = (uint8_t)id;
        c->out_size += 2u + question->size;
        load->sent++;
        if (c->out_size + 600 > sizeof(c->out))
            return;
    }
}

static int flush(struct connection *c)
{
    size_t at = 0;
    while (at < c->out_size) {
        ssize_t r = send(c->fd, c->out + at, c->out_size - at, MSG_NOSIGNAL);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return -1;
        at += (size_t)r;
    }
    c->out_size = 0;
    return 0;
}

static int take_answers(struct load *load, struct connection *c)
{
    ssize_t r = recv(c->fd, c->in + c->in_size, sizeof(c->in) - c->in_size, MSG_DONTWAIT);
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (r <= 0)
        return -1;
    c->in_size += (size_t)r;
    uint64_t now = clock_ns();
    size_t at = 0;
    while (c->in_size - at >= 2) {
        size_t size = (size_t)c->in[at] << 8 | c->in[at + 1];
        if (c->in_size - at - 2 < size)
            break;
        slots_reply(&c->slots, load, c->in + at + 2, size, now);
        at += 2 + size;
    }
    memmove(c->in, c->in + at, c->in_size - at);
    c->in_size -= at;
    return 0;
}

static int run(struct load *load, struct connection *connections, struct pollfd *polls, uint64_t end_ns)
{
    bool ended = false;
    for (unsigned i = 0; i < load->sockets; i++) {
        queue_questions(load, &connections[i], &ended);
        if (flush(&connections[i]) != 0)
            return -1;
    }
    while (clock_ns() < end_ns) {
        int ready = poll(polls, load->sockets, 100);
        unsigned under_way = 0;
        for (unsigned i = 0; i < load->sockets; i++) {
            struct connection *c = &connections[i];
            if (ready > 0 && polls[i].revents && take_answers(load, c) != 0)
                return -1;
            queue_questions(load, c, &ended);
            if (flush(c) != 0)
                return -1;
            if (ready == 0)
                slots_expire(&c->slots, load, clock_ns());
            under_way += c->slots.size - c->slots.free_count;
        }
        if (ended && under_way == 0)
            return 0;
    }
    return 0;
}

int load_tcp(struct load *load)
{
    struct pollfd polls[MAX_CONNECTIONS];
    if (load->sockets > MAX_CONNECTIONS)
        return -1;
    struct connection *connections = calloc(load->sockets, sizeof(*connections));
    if (!connections)
        return -1;
    for (unsigned i = 0; i < load->sockets; i++) {
        if (connection_open(load, &connections[i]) != 0)
            return -1;
        polls[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
    }
    uint64_t start = clock_ns();
    int r = run(load, connections, polls, start + (uint64_t)(load->seconds * 1e9));
    if (r != 0)
        fprintf(stderr, "load: the server closed a connection\n");
    load->took = (double)(clock_ns() - start) / 1e9;
    for (unsigned i = 0; i < load->sockets; i++)
        close(connections[i].fd);
    free(connections);
    return r;
}
