#pragma once
/* A real holdfast-netd on loopback, started by socket activation, and a validatord of the test's own at its
 * edge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sys/types.h>

#include "common/ipc/shared.h"
#include "common/wire/answer.h"
#include "proto/netd_validatord.pb-c.h"

struct netd_process {
    pid_t pid;
    char directory[64]; /* state and runtime */
    uint16_t port;      /* UDP and TCP on 127.0.0.1 */
    int edge;           /* validatord's connection; -1: none */
    struct shared_page *page;
    int page_fd, sketch_fd;
};

struct netd_process netd_start(unsigned workers);
/* SIGTERM; asserts a clean exit. */
void netd_stop(struct netd_process *p);

/* Connects, says Hello with the shared memory, reads netd's Hello. */
void validatord_connect(struct netd_process *p);
void validatord_leave(struct netd_process *p);
/* The next Resolve within wait_ms, or NULL. Free with resolve_free. */
Holdfast__Nv__NvFrame *validatord_next(struct netd_process *p, int wait_ms);
void resolve_free(Holdfast__Nv__NvFrame *frame);
/* Answers it with `count` A records 192.0.2.1.. */
void validatord_answer(struct netd_process *p, const Holdfast__Nv__Resolve *resolve, unsigned count,
                       uint32_t ttl);
/* Waits for the next Resolve, for that name, and answers it. */
void validatord_serve(struct netd_process *p, const char *qname, unsigned count, uint32_t ttl);
void validatord_send_raw(struct netd_process *p, const void *bytes, size_t size);

int udp_client(const struct netd_process *p, const char *address);
int tcp_client(const struct netd_process *p);
void udp_ask(int fd, uint16_t id, const char *qname);
void tcp_ask(int fd, uint16_t id, const char *qname);
/* A reply within wait_ms. Returns its size, 0: none (TCP: or the end). */
size_t udp_read(int fd, uint8_t reply[65535], int wait_ms);
size_t tcp_read(int fd, uint8_t reply[65535], int wait_ms);

static inline uint16_t reply_id(const uint8_t *reply)
{
    return (uint16_t)(reply[0] << 8 | reply[1]);
}
static inline unsigned reply_rcode(const uint8_t *reply)
{
    return reply[3] & 0xf;
}
static inline unsigned reply_answers(const uint8_t *reply)
{
    return (unsigned)(reply[6] << 8 | reply[7]);
}
bool reply_has_ede(const uint8_t *reply, size_t size, uint16_t code);
