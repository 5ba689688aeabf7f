#include "daemons/holdfastctl/dns_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/wire/build.h"

#define UDP_TIMEOUT_MS 4000 /* holdfast answers stale after client_timeout, so within 1.8 s by default */
#define TCP_TIMEOUT_MS 8000
#define UDP_TRIES      2u
#define QUESTION_MAX   512u
#define UDP_PAYLOAD    1232u

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static size_t build(const struct dns_question *question, uint16_t id, uint8_t wire[QUESTION_MAX])
{
    struct builder builder;
    /* AD: tell whether the answer is authenticated although no DNSSEC records are wanted (RFC 6840 5.7). */
    uint16_t flags = FLAG_RD | FLAG_AD | (question->checking_disabled ? FLAG_CD : 0);
    const struct edns_reply opt = {.payload_size = UDP_PAYLOAD, .keepalive_ds = -1};
    build_begin(&builder, wire, QUESTION_MAX, id, flags);
    build_question(&builder, question->qname, question->qtype, question->qclass);
    build_opt(&builder, &opt);
    return build_end(&builder);
}

static int open_socket(const struct address *server, int type)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } address = {0};
    bool v6 = server->family == 6;
    if (v6) {
        address.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(server->port)};
        memcpy(&address.in6.sin6_addr, server->bytes, 16);
    } else {
        address.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(server->port)};
        memcpy(&address.in.sin_addr, server->bytes, 4);
    }
    int fd = socket(address.any.sa_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const struct timeval timeout = {.tv_sec = TCP_TIMEOUT_MS / 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, &address.any, v6 ? sizeof(address.in6) : sizeof(address.in)) < 0) {
        int r = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Waits for something to read until the deadline. 0, -ETIMEDOUT, -errno. */
static int wait_readable(int fd, int64_t deadline_us)
{
    for (;;) {
        int64_t left_us = deadline_us - now_us();
        if (left_us <= 0)
            return -ETIMEDOUT;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int r = poll(&wait, 1, (int)(left_us / 1000) + 1);
        if (r > 0)
            return 0;
        if (r < 0 && errno != EINTR)
            return -errno;
    }
}

/* Does the wire answer this question? Others may be late or forged and are waited past. */
static bool is_reply(const uint8_t *wire, size_t size, const struct dns_question *question, uint16_t id,
                     struct arena *arena, struct message *ret_message)
{
    if (message_parse(arena, wire, size, ret_message) != MESSAGE_OK)
        return false;
    const struct message *m = ret_message;
    if (m->id != id || !(m->flags & FLAG_QR))
        return false;
    return m->qdcount == 0 || (m->qname && name_equal(m->qname, question->qname) &&
                               m->qtype == question->qtype && m->qclass == question->qclass);
}

static int ask_udp(const struct address *server, const struct dns_question *question, const uint8_t *wire,
                   size_t size, uint16_t id, struct arena *arena, struct message *ret_message)
{
    int fd = open_socket(server, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    int r = -ETIMEDOUT;
    for (unsigned try = 0; try < UDP_TRIES && r == -ETIMEDOUT; try++) {
        int64_t deadline_us = now_us() + UDP_TIMEOUT_MS * 1000;
        r = send(fd, wire, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
        while (r == 0) {
            r = wait_readable(fd, deadline_us);
            uint8_t *reply = r == 0 ? arena_alloc(arena, 65535) : NULL;
            if (r == 0 && !reply)
                r = -ENOMEM;
            ssize_t got = r == 0 ? recv(fd, reply, 65535, 0) : 0;
            if (got < 0)
                r = -errno;
            else if (r == 0 && is_reply(reply, (size_t)got, question, id, arena, ret_message))
                break;
        }
    }
    close(fd);
    return r;
}

static int read_whole(int fd, uint8_t *data, size_t size, int64_t deadline_us)
{
    while (size > 0) {
        int r = wait_readable(fd, deadline_us);
        if (r < 0)
            return r;
        ssize_t got = recv(fd, data, size, 0);
        if (got < 0)
            return -errno;
        if (got == 0)
            return -ECONNRESET;
        data += got;
        size -= (size_t)got;
    }
    return 0;
}

static int ask_tcp(const struct address *server, const struct dns_question *question, const uint8_t *wire,
                   size_t size, uint16_t id, struct arena *arena, struct message *ret_message)
{
    int64_t deadline_us = now_us() + TCP_TIMEOUT_MS * 1000;
    uint8_t framed[QUESTION_MAX + 2] = {(uint8_t)(size >> 8), (uint8_t)size}, prefix[2];
    memcpy(framed + 2, wire, size);
    int fd = open_socket(server, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int r = send(fd, framed, size + 2, MSG_NOSIGNAL) < 0 ? -errno : read_whole(fd, prefix, 2, deadline_us);
    size_t reply_size = r == 0 ? (size_t)prefix[0] << 8 | prefix[1] : 0;
    uint8_t *reply = r == 0 ? arena_alloc(arena, reply_size + 1) : NULL;
    if (r == 0 && !reply)
        r = -ENOMEM;
    if (r == 0)
        r = read_whole(fd, reply, reply_size, deadline_us);
    if (r == 0 && !is_reply(reply, reply_size, question, id, arena, ret_message))
        r = 1;
    close(fd);
    return r;
}

int dns_ask(const struct address *server, const struct dns_question *question, struct arena *arena,
            struct dns_reply *ret_reply)
{
    uint8_t wire[QUESTION_MAX];
    uint16_t id;
    struct dns_reply reply = {.tcp = question->tcp};
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
        return -errno;
    size_t size = build(question, id, wire);
    if (size == 0)
        return -EMSGSIZE;
    int64_t begin_us = now_us();
    int r = reply.tcp ? 1 : ask_udp(server, question, wire, size, id, arena, &reply.message);
    if (reply.tcp || (r == 0 && (reply.message.flags & FLAG_TC))) {
        reply.tcp = true;
        r = ask_tcp(server, question, wire, size, id, arena, &reply.message);
    }
    reply.elapsed_ms = (double)(now_us() - begin_us) / 1000.0;
    if (r == 0)
        *ret_reply = reply;
    return r;
}
