/* One round trip between two daemons: a Resolve frame there, a Verdict frame back, both ends on one loop. */
#include "tests/bench/micro/micro.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/ipc/conn.h"
#include "proto/netd_validatord.pb-c.h"

#define ANSWER_BYTES 120u

struct context {
    sd_event *event;
    struct ipc_conn *netd, *validatord;
    unsigned verdicts;
};

static void send_frame(struct ipc_conn *conn, Holdfast__Nv__NvFrame *frame)
{
    if (ipc_conn_send(conn, &frame->base) != 0)
        micro_fail("a frame could not be sent");
}

static int on_resolve(struct ipc_conn *conn, void *ctx, struct slice bytes, int *fds, size_t fd_count)
{
    static uint8_t answer[ANSWER_BYTES];
    Holdfast__Nv__NvFrame *frame =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, bytes);
    if (!frame || frame->body_case != HOLDFAST__NV__NV_FRAME__BODY_RESOLVE)
        micro_fail("no Resolve came");
    Holdfast__Nv__Verdict verdict = HOLDFAST__NV__VERDICT__INIT;
    Holdfast__Nv__NvFrame reply = HOLDFAST__NV__NV_FRAME__INIT;
    verdict.id = frame->resolve->id;
    verdict.security = 3;
    verdict.authentic = true;
    verdict.ttl = 300;
    verdict.epoch = 7;
    verdict.commit_sequence = 1000000;
    verdict.answer = (ProtobufCBinaryData){.len = sizeof(answer), .data = answer};
    reply.body_case = HOLDFAST__NV__NV_FRAME__BODY_VERDICT;
    reply.verdict = &verdict;
    send_frame(conn, &reply);
    ipc_unpack_free(&frame->base);
    return 0;
}

static int on_verdict(struct ipc_conn *conn, void *ctx, struct slice bytes, int *fds, size_t fd_count)
{
    struct context *c = ctx;
    Holdfast__Nv__NvFrame *frame =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, bytes);
    if (!frame || frame->body_case != HOLDFAST__NV__NV_FRAME__BODY_VERDICT ||
        frame->verdict->answer.len != ANSWER_BYTES)
        micro_fail("no Verdict came");
    ipc_unpack_free(&frame->base);
    c->verdicts++;
    return 0;
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    micro_fail("a connection ended");
}

static const struct ipc_handlers at_netd = {.frame = on_verdict, .closed = on_closed},
                                 at_validatord = {.frame = on_resolve, .closed = on_closed};

static void *prepare(void)
{
    struct context *c = calloc(1, sizeof(*c));
    int fds[2];
    if (sd_event_new(&c->event) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
        ipc_conn_new(c->event, fds[0], &at_netd, c, &c->netd) != 0 ||
        ipc_conn_new(c->event, fds[1], &at_validatord, c, &c->validatord) != 0)
        micro_fail("no connection could be made");
    return c;
}

static void run(void *ctx, unsigned count)
{
    static uint8_t name[] = {3, 'w', 'w', 'w', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'c', 'o', 'm', 0};
    struct context *c = ctx;
    for (unsigned n = 0; n < count; n++) {
        Holdfast__Nv__Resolve resolve = HOLDFAST__NV__RESOLVE__INIT;
        Holdfast__Nv__Budget budget = HOLDFAST__NV__BUDGET__INIT;
        Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
        budget.wall_ms = 10000;
        resolve.id = (1ull << 56) | 4000u; /* always so many octets on the wire */
        resolve.qname = (ProtobufCBinaryData){.len = sizeof(name), .data = name};
        resolve.qtype = 1;
        resolve.generation = 5;
        resolve.budget = &budget;
        frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_RESOLVE;
        frame.resolve = &resolve;
        send_frame(c->netd, &frame);
        for (unsigned before = c->verdicts; c->verdicts == before;) {
            if (sd_event_run(c->event, UINT64_MAX) < 0)
                micro_fail("the loop failed");
        }
    }
}

const struct micro_case micro_ipc = {"ipc", 512, prepare, run, NULL};
