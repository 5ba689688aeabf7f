/* The limit: a server that does nothing but receive a datagram and send it back with QR set. `echo batch`
 * takes and gives 64 with one system call each, `echo plain` one. */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 4096, BUFFER = 4 << 20 };

struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_storage peers[BATCH];
    uint8_t bytes[BATCH][SIZE];
};

static void serve_batches(int fd, struct batch *b)
{
    for (unsigned i = 0; i < BATCH; i++) {
        b->headers[i].msg_hdr =
            (struct msghdr){.msg_iov = &b->parts[i], .msg_iovlen = 1, .msg_name = &b->peers[i]};
        b->parts[i].iov_base = b->bytes[i];
    }
    int used = BATCH;
    for (;;) {
        for (int i = 0; i < used; i++) {
            b->parts[i].iov_len = SIZE;
            b->headers[i].msg_hdr.msg_namelen = sizeof(b->peers[i]);
        }
        used = recvmmsg(fd, b->headers, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < used; i++) {
            b->bytes[i][2] |= 0x80;
            b->parts[i].iov_len = b->headers[i].msg_len;
        }
        if (used > 0)
            (void)sendmmsg(fd, b->headers, (unsigned)used, 0);
    }
}

static void serve_plain(int fd, struct batch *b)
{
    for (;;) {
        socklen_t size = sizeof(b->peers[0]);
        ssize_t got = recvfrom(fd, b->bytes[0], SIZE, 0, (struct sockaddr *)&b->peers[0], &size);
        b->bytes[0][2] |= 0x80;
        if (got > 0)
            (void)sendto(fd, b->bytes[0], (size_t)got, 0, (struct sockaddr *)&b->peers[0], size);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int buffer = BUFFER;
    struct batch *b = calloc(1, sizeof(*b));
    if (!b || argc != 4 || inet_pton(AF_INET, argv[2], &at.sin_addr) != 1) {
        fprintf(stderr, "usage: echo batch|plain ADDRESS PORT\n");
        return 2;
    }
    at.sin_port = htons((uint16_t)atoi(argv[3]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        perror("bind");
        return 1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    if (strcmp(argv[1], "batch") == 0)
        serve_batches(fd, b);
    else
        serve_plain(fd, b);
}
