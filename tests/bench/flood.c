/* Measures how fast a DNS server answers over UDP on this machine.
 * `flood ask ADDRESS PORT SECONDS FILE`: asks the names of FILE (one a line, type A) round and round with a
 * fixed number under way; prints answers, failures, seconds. `flood echo ADDRESS PORT`: sends every datagram
 * back with QR set, in the same batches, until killed: what the kernel alone costs. */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SOCKETS = 8, WINDOW = 64, MAX_QUESTION = 300, MAX_NAMES = 100000, MAX_REPLY = 1500 };

struct question {
    uint16_t size;
    uint8_t wire[MAX_QUESTION];
};

static struct question *questions;
static size_t question_count;

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A question for `text` (type A, RD, EDNS with DO); false when it is no name. */
static bool make_question(const char *text, struct question *q)
{
    static const uint8_t tail[] = {0, 0, 1, 0, 1, 0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0};
    uint8_t *at = q->wire + 12;
    memset(q->wire, 0, 12);
    q->wire[2] = 1;
    q->wire[5] = 1;
    q->wire[11] = 1;
    while (*text && *text != '\n' && *text != '\r') {
        size_t size = strcspn(text, ".\r\n");
        if (size == 0 || size > 63 || (size_t)(at - q->wire) + size + 1 + sizeof tail > sizeof q->wire)
            return false;
        *at++ = (uint8_t)size;
        memcpy(at, text, size);
        at += size;
        text += size + (text[size] == '.');
    }
    memcpy(at, tail, sizeof tail);
    q->size = (uint16_t)((size_t)(at - q->wire) + sizeof tail);
    return at > q->wire + 12;
}

static int read_names(const char *path)
{
    char line[512];
    FILE *f = fopen(path, "re");
    questions = calloc(MAX_NAMES, sizeof *questions);
    if (!f || !questions)
        return -1;
    while (question_count < MAX_NAMES && fgets(line, sizeof line, f))
        if (make_question(line, &questions[question_count]))
            question_count++;
    fclose(f);
    return question_count ? 0 : -1;
}

static int open_socket(const char *address, const char *port, bool server)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in *in4 = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
    socklen_t size = sizeof *in4;
    int buffer = 8 << 20;
    if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons((uint16_t)atoi(port));
    } else if (inet_pton(AF_INET6, address, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)atoi(port));
        size = sizeof *in6;
    } else {
        return -1;
    }
    int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (fd < 0 ||
        (server ? bind(fd, (struct sockaddr *)&to, size) : connect(fd, (struct sockaddr *)&to, size)) < 0)
        return -1;
    return fd;
}

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage peers[BATCH];
    uint8_t bytes[BATCH][MAX_REPLY];
};

static void batch_reset(struct batch *b, bool peers)
{
    for (int i = 0; i < BATCH; i++) {
        b->parts[i] = (struct iovec){b->bytes[i], MAX_REPLY};
        b->headers[i].msg_hdr = (struct msghdr){.msg_iov = &b->parts[i], .msg_iovlen = 1};
        if (peers) {
            b->headers[i].msg_hdr.msg_name = &b->peers[i];
            b->headers[i].msg_hdr.msg_namelen = sizeof b->peers[i];
        }
    }
}

static int echo(const char *address, const char *port)
{
    static struct batch b;
    int fd = open_socket(address, port, true);
    if (fd < 0)
        return 1;
    for (;;) {
        batch_reset(&b, true);
        int got = recvmmsg(fd, b.headers, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < got; i++) {
            b.bytes[i][2] |= 0x80;
            b.parts[i].iov_len = b.headers[i].msg_len;
        }
        if (got > 0)
            (void)sendmmsg(fd, b.headers, (unsigned)got, 0);
    }
}

struct tally {
    uint64_t sent, answered, failed;
};

static size_t next_question;

/* Sends `count` questions, each from its template with an id of its own. */
static int send_some(struct batch *b, int fd, unsigned count, struct tally *t)
{
    for (unsigned i = 0; i < count; i++) {
        const struct question *q = &questions[next_question++ % question_count];
        memcpy(b->bytes[i], q->wire, q->size);
        b->bytes[i][0] = (uint8_t)(next_question >> 8);
        b->bytes[i][1] = (uint8_t)next_question;
        b->parts[i] = (struct iovec){b->bytes[i], q->size};
        b->headers[i].msg_hdr = (struct msghdr){.msg_iov = &b->parts[i], .msg_iovlen = 1};
    }
    int done = sendmmsg(fd, b->headers, count, 0);
    if (done > 0)
        t->sent += (uint64_t)done;
    return done > 0 ? done : 0;
}

static int receive_some(struct batch *b, int fd, struct tally *t)
{
    batch_reset(b, false);
    int got = recvmmsg(fd, b->headers, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
        t->answered++;
        t->failed += (b->bytes[i][3] & 15) != 0;
    }
    return got > 0 ? got : 0;
}

static int ask(const char *address, const char *port, double seconds)
{
    static struct batch b;
    struct pollfd fds[SOCKETS];
    int under_way[SOCKETS] = {0};
    struct tally t = {0};
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = (struct pollfd){.fd = open_socket(address, port, false), .events = POLLIN};
        if (fds[i].fd < 0)
            return 1;
    }
    double start = seconds_now(), last = start;
    while (seconds_now() - start < seconds) {
        for (int i = 0; i < SOCKETS; i++) {
            int free_slots = WINDOW - under_way[i];
            if (free_slots >= WINDOW / 2)
                under_way[i] += send_some(&b, fds[i].fd, (unsigned)free_slots, &t);
            int got = receive_some(&b, fds[i].fd, &t);
            under_way[i] -= got < under_way[i] ? got : under_way[i];
            if (got)
                last = seconds_now();
        }
        if (poll(fds, SOCKETS, 5) == 0 && seconds_now() - last > 0.2) {
            memset(under_way, 0, sizeof under_way); /* lost: start anew */
            last = seconds_now();
        }
    }
    printf("{\"sent\": %llu, \"answered\": %llu, \"failed\": %llu, \"seconds\": %.3f}\n",
           (unsigned long long)t.sent, (unsigned long long)t.answered, (unsigned long long)t.failed,
           seconds_now() - start);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "echo") == 0)
        return echo(argv[2], argv[3]);
    if (argc == 6 && strcmp(argv[1], "ask") == 0 && read_names(argv[5]) == 0)
        return ask(argv[2], argv[3], atof(argv[4]));
    fprintf(stderr, "usage: flood ask ADDRESS PORT SECONDS FILE | flood echo ADDRESS PORT\n");
    return 2;
}
