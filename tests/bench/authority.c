#include "tests/bench/authority.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, QUERY = 1500, BUFFER = 8 << 20, HELD_MAX = 4096 };

/* A reply that is under way: as if the server were that far from who asks. All are under way equally long, so
 * the oldest is always the first to arrive. */
struct held {
    uint64_t due_ns;
    int fd;
    struct sockaddr_in peer;
    size_t size;
    uint8_t reply[AUTHORITY_REPLY_MAX];
};

struct server {
    uint64_t delay_ns; /* 0: replies go at once */
    struct held *held; /* a ring of HELD_MAX, with a delay */
    size_t held_first, held_count;
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in peers[BATCH];
    uint8_t queries[BATCH][QUERY], replies[BATCH][2 * AUTHORITY_REPLY_MAX];
};

static int socket_open(const uint8_t address[4])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    int buffer = BUFFER;
    memcpy(&at.sin_addr, address, 4);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        perror("bind");
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    return fd;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The replies of a batch, later. What does not fit is lost, as on a full link. */
static void hold(struct server *s, int fd, unsigned count)
{
    uint64_t due_ns = now_ns() + s->delay_ns;
    for (unsigned i = 0; i < count && s->held_count < HELD_MAX; i++) {
        struct held *held = &s->held[(s->held_first + s->held_count++) % HELD_MAX];
        const struct sockaddr_in *peer = s->headers[i].msg_hdr.msg_name;
        held->due_ns = due_ns;
        held->fd = fd;
        held->peer = *peer;
        held->size = s->parts[i].iov_len;
        memcpy(held->reply, s->parts[i].iov_base, held->size);
    }
}

static void send_due(struct server *s)
{
    while (s->held_count && s->held[s->held_first].due_ns <= now_ns()) {
        struct held *held = &s->held[s->held_first];
        (void)sendto(held->fd, held->reply, held->size, 0, (struct sockaddr *)&held->peer,
                     sizeof(held->peer));
        s->held_first = (s->held_first + 1) % HELD_MAX;
        s->held_count--;
    }
}

/* Until the next held reply is due, or for ever (NULL). */
static struct timespec *patience(const struct server *s, struct timespec *buffer)
{
    if (!s->held_count)
        return NULL;
    uint64_t now = now_ns(), due = s->held[s->held_first].due_ns, left = due > now ? due - now : 0;
    *buffer =
        (struct timespec){.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
    return buffer;
}

static void serve_batch(struct server *s, struct authority *authority, enum authority_role role, int fd,
                        _Atomic uint64_t *asked)
{
    for (unsigned i = 0; i < BATCH; i++) {
        s->parts[i] = (struct iovec){s->queries[i], QUERY};
        s->headers[i].msg_hdr = (struct msghdr){.msg_iov = &s->parts[i],
                                                .msg_iovlen = 1,
                                                .msg_name = &s->peers[i],
                                                .msg_namelen = sizeof(s->peers[i])};
    }
    int got = recvmmsg(fd, s->headers, BATCH, MSG_DONTWAIT, NULL);
    unsigned out = 0;
    for (int i = 0; i < got; i++) {
        size_t size = authority_answer(authority, role, s->queries[i], s->headers[i].msg_len,
                                       (uint32_t)time(NULL), s->replies[out]);
        if (size == 0)
            continue;
        s->headers[out].msg_hdr.msg_namelen = sizeof(s->peers[i]);
        s->headers[out].msg_hdr.msg_name = &s->peers[i];
        s->parts[out] = (struct iovec){s->replies[out], size};
        out++;
    }
    atomic_fetch_add(&asked[role], (uint64_t)(got > 0 ? got : 0));
    if (out && s->delay_ns)
        hold(s, fd, out);
    else if (out)
        (void)sendmmsg(fd, s->headers, out, 0);
}

static int write_file(const char *directory, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        perror(path);
        return -1;
    }
    return 0;
}

/* Questions that were answered, a counter a role, for whoever maps the file. */
static _Atomic uint64_t *counters(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/asked", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, ROLES * sizeof(uint64_t)) < 0)
        return NULL;
    void *map = mmap(NULL, ROLES * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return map == MAP_FAILED ? NULL : map;
}

int main(int argc, char **argv)
{
    uint8_t addresses[ROLES][4];
    struct pollfd polls[ROLES];
    char text[512];
    struct timespec buffer;
    if (argc != 2 + ROLES && argc != 3 + ROLES) {
        fprintf(stderr, "usage: authority DIRECTORY ROOT-ADDRESS TLD-ADDRESS CHILD-ADDRESS [DELAY-MS]\n"
                        "writes root.hints, root.anchor and asked into the directory and serves port 53;\n"
                        "with a delay each reply leaves that long after its question came\n");
        return 2;
    }
    for (unsigned i = 0; i < ROLES; i++) {
        if (inet_pton(AF_INET, argv[2 + i], addresses[i]) != 1)
            return 2;
    }
    struct authority *authority = authority_new(addresses);
    struct server *server = calloc(1, sizeof(*server));
    _Atomic uint64_t *asked = counters(argv[1]);
    if (!authority || !server || !asked)
        return 1;
    server->delay_ns = argc == 3 + ROLES ? strtoull(argv[2 + ROLES], NULL, 10) * 1000000u : 0;
    server->held = server->delay_ns ? calloc(HELD_MAX, sizeof(*server->held)) : NULL;
    if (server->delay_ns && !server->held)
        return 1;
    authority_anchor(authority, text, sizeof(text));
    if (write_file(argv[1], "root.anchor", text) != 0)
        return 1;
    snprintf(text, sizeof(text), ". 3600000 IN NS ns-root.bench.\nns-root.bench. 3600000 IN A %s\n", argv[2]);
    if (write_file(argv[1], "root.hints", text) != 0)
        return 1;
    for (unsigned i = 0; i < ROLES; i++) {
        polls[i] = (struct pollfd){.fd = socket_open(addresses[i]), .events = POLLIN};
        if (polls[i].fd < 0)
            return 1;
    }
    while (ppoll(polls, ROLES, patience(server, &buffer), NULL) >= 0) {
        send_due(server);
        for (unsigned i = 0; i < ROLES; i++) {
            if (polls[i].revents)
                serve_batch(server, authority, (enum authority_role)i, polls[i].fd, asked);
        }
    }
    return 1;
}
