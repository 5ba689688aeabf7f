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

enum { BATCH = 64, QUERY = 1500, BUFFER = 8 << 20 };

struct server {
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
    if (out)
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
    if (argc != 2 + ROLES) {
        fprintf(stderr, "usage: authority DIRECTORY ROOT-ADDRESS TLD-ADDRESS CHILD-ADDRESS\n"
                        "writes root.hints, root.anchor and asked into the directory and serves port 53\n");
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
    while (poll(polls, ROLES, -1) > 0) {
        for (unsigned i = 0; i < ROLES; i++) {
            if (polls[i].revents)
                serve_batch(server, authority, (enum authority_role)i, polls[i].fd, asked);
        }
    }
    return 1;
}
