/* Pelts a DNS server with bad input: random octets and mutated questions over UDP, and over TCP with wrong
 * lengths, torn frames and early closes. `pelt ADDRESS PORT udp|tcp COUNT SEED`; prints what was sent and
 * what came back. The same seed sends the same bytes. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, MAX_PACKET = 1500, SOCKETS = 16 };

struct pelt {
    uint64_t state; /* splitmix64: small, and the same on every machine */
    struct sockaddr_storage to;
    socklen_t to_size;
    uint64_t sent, received, closed;
};

static uint64_t next_random(struct pelt *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t below(struct pelt *p, uint32_t limit)
{
    return (uint32_t)(next_random(p) % limit);
}

static void fill_random(struct pelt *p, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)next_random(p);
}

/* A well-formed question of one of a few shapes, as ground for mutation. */
static size_t make_question(struct pelt *p, uint8_t *out)
{
    static const char name[] = "\3www\12p256-nsec3\3net"; /* the terminating octet is the root label */
    static const uint8_t types[] = {1,  2,  5,  6,  12, 15, 16,  28,  33,  39, 43,
                                    46, 47, 48, 50, 64, 65, 255, 252, 251, 41, 128};
    size_t n = 12;
    memset(out, 0, 12);
    fill_random(p, out, 2);
    out[2] = 1; /* RD */
    out[5] = 1; /* QDCOUNT */
    memcpy(out + n, name, sizeof name);
    n += sizeof name;
    out[n++] = 0;
    out[n++] = types[below(p, sizeof types)];
    out[n++] = 0;
    out[n++] = below(p, 8) ? 1 : (uint8_t)next_random(p);
    if (below(p, 3)) { /* an OPT record with some options */
        static const uint8_t opt[] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0};
        out[11] = 1;
        memcpy(out + n, opt, sizeof opt);
        n += sizeof opt;
        size_t size = below(p, 40);
        out[n++] = 0;
        out[n++] = (uint8_t)size;
        fill_random(p, out + n, size);
        if (size >= 4) { /* a likely option code and length, sometimes right */
            out[n] = 0;
            out[n + 1] = (uint8_t)below(p, 20);
            out[n + 2] = 0;
            out[n + 3] = below(p, 2) ? (uint8_t)(size - 4) : (uint8_t)next_random(p);
        }
        n += size;
    }
    return n;
}

static size_t mutate(struct pelt *p, uint8_t *packet, size_t size)
{
    for (uint32_t rounds = 1 + below(p, 4); rounds > 0; rounds--) {
        switch (below(p, 8)) {
        case 0: /* flip a bit */
            packet[below(p, (uint32_t)size)] ^= (uint8_t)(1u << below(p, 8));
            break;
        case 1: /* any octet */
            packet[below(p, (uint32_t)size)] = (uint8_t)next_random(p);
            break;
        case 2: /* counts */
            packet[4 + below(p, 8)] = (uint8_t)next_random(p);
            break;
        case 3: /* cut */
            size = 1 + below(p, (uint32_t)size);
            break;
        case 4: { /* junk behind */
            size_t more = below(p, 64);
            fill_random(p, packet + size, more);
            size += more;
            break;
        }
        case 5: /* compression pointers, also to themselves */
            if (size > 14) {
                uint32_t at = 12 + below(p, (uint32_t)size - 13);
                packet[at] = 0xc0;
                packet[at + 1] = (uint8_t)below(p, (uint32_t)size);
            }
            break;
        case 6: /* header: opcode, flags, rcode */
            if (size > 3)
                packet[2 + below(p, 2)] = (uint8_t)next_random(p);
            break;
        default: /* label lengths */
            if (size > 13)
                packet[12 + below(p, (uint32_t)size - 12)] = (uint8_t)(below(p, 2) ? 63 : 64 + below(p, 192));
        }
        if (size < 12)
            break;
    }
    return size;
}

static size_t make_packet(struct pelt *p, uint8_t *out)
{
    if (below(p, 4) == 0) {
        size_t size = below(p, 8) ? below(p, 100) : below(p, 1400);
        fill_random(p, out, size);
        return size;
    }
    size_t size = make_question(p, out);
    return below(p, 16) ? mutate(p, out, size) : size;
}

static void drain(struct pelt *p, int fd)
{
    uint8_t reply[65536];
    while (recv(fd, reply, sizeof reply, MSG_DONTWAIT) >= 0)
        p->received++;
}

static int pelt_udp(struct pelt *p, uint64_t count)
{
    static uint8_t packets[BATCH][MAX_PACKET];
    int fds[SOCKETS];
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = socket(p->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&p->to, p->to_size) < 0)
            return -errno;
    }
    while (p->sent < count) {
        int fd = fds[below(p, SOCKETS)];
        struct mmsghdr messages[BATCH] = {0};
        struct iovec parts[BATCH];
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){packets[i], make_packet(p, packets[i])};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        }
        int done = sendmmsg(fd, messages, BATCH, 0);
        if (done > 0)
            p->sent += (uint64_t)done;
        else if (errno != ECONNREFUSED && errno != EAGAIN && errno != ENOBUFS)
            return -errno;
        drain(p, fd);
        /* A pause now and then, so that most of it arrives instead of drowning in the socket's queue. */
        if (p->sent % 256 < BATCH)
            usleep(500);
    }
    usleep(200000);
    for (int i = 0; i < SOCKETS; i++) {
        drain(p, fds[i]);
        close(fds[i]);
    }
    return 0;
}

/* One connection with a few frames, some of them lies, then waiting for what comes back or walking away. */
static int one_connection(struct pelt *p)
{
    uint8_t stream[16 * (MAX_PACKET + 2)];
    int fd = socket(p->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&p->to, p->to_size) < 0) {
        int r = errno == ECONNREFUSED || errno == ECONNRESET || errno == EADDRNOTAVAIL ? 0 : -errno;
        usleep(1000);
        close(fd);
        return r;
    }
    size_t used = 0;
    for (uint32_t frames = 1 + below(p, 8); frames > 0; frames--) {
        size_t size = make_packet(p, stream + used + 2);
        size_t said = below(p, 8) ? size : below(p, 65536);
        stream[used] = (uint8_t)(said >> 8);
        stream[used + 1] = (uint8_t)said;
        used += size + 2;
        p->sent++;
    }
    if (below(p, 4) == 0)
        used = below(p, (uint32_t)used + 1); /* torn */
    if (send(fd, stream, used, MSG_NOSIGNAL) >= 0 && below(p, 2)) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        uint8_t reply[65536];
        if (poll(&waiting, 1, 5) > 0) {
            if (recv(fd, reply, sizeof reply, MSG_DONTWAIT) > 0)
                p->received++;
            else
                p->closed++;
        }
    }
    if (below(p, 2)) { /* reset instead of a tidy end */
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(fd);
    return 0;
}

static int pelt_tcp(struct pelt *p, uint64_t count)
{
    while (p->sent < count) {
        int r = one_connection(p);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool parse_address(struct pelt *p, const char *address, const char *port)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)&p->to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&p->to;
    uint16_t number = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = number;
        p->to_size = sizeof *in4;
        return true;
    }
    if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = number;
        p->to_size = sizeof *in6;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct pelt pelt = {0};
    if (argc != 6 || !parse_address(&pelt, argv[1], argv[2])) {
        fprintf(stderr, "usage: pelt ADDRESS PORT udp|tcp COUNT SEED\n");
        return 2;
    }
    uint64_t count = strtoull(argv[4], NULL, 10);
    pelt.state = strtoull(argv[5], NULL, 10);
    int r = strcmp(argv[3], "tcp") == 0 ? pelt_tcp(&pelt, count) : pelt_udp(&pelt, count);
    printf("sent %llu received %llu closed %llu\n", (unsigned long long)pelt.sent,
           (unsigned long long)pelt.received, (unsigned long long)pelt.closed);
    if (r < 0)
        fprintf(stderr, "pelt: %s\n", strerror(-r));
    return r < 0;
}
