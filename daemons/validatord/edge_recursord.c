#include "daemons/validatord/edge_recursord.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/ipc/conn.h"
#include "daemons/validatord/control.h"
#include "daemons/validatord/validatord.h"
#include "proto/validatord_recursord.pb-c.h"

#define AVOID_MAX    32u  /* as many as recursord reads */
#define EDE_TEXT_MAX 160u /* as the protocol says */

/* A packed Fetch frame that waits for recursord. */
struct waiting {
    struct list link;
    uint64_t fetch;
    size_t size;
    uint8_t bytes[];
};

struct edge_recursord {
    struct validatord *v;
    struct ipc_connector *connector;
    struct ipc_conn *conn;
    bool greeted;
    struct list waiting;
    struct edge_recursord_stats stats;
};

static void waiting_drop(struct edge_recursord *edge, struct waiting *waiting)
{
    list_remove(&waiting->link);
    edge->stats.waiting--;
    free(waiting);
}

static int wait_for_recursord(struct edge_recursord *edge, uint64_t fetch, const ProtobufCMessage *frame)
{
    size_t size = protobuf_c_message_get_packed_size(frame);
    struct waiting *waiting;

    if (edge->stats.waiting >= VR_WAITING_MAX || size > IPC_FRAME_MAX)
        return 1;
    waiting = malloc(sizeof(*waiting) + size);
    if (!waiting)
        return 1;
    *waiting = (struct waiting){.fetch = fetch, .size = protobuf_c_message_pack(frame, waiting->bytes)};
    list_append(&edge->waiting, &waiting->link);
    edge->stats.waiting++;
    return 0;
}

static void send_waiting(struct edge_recursord *edge)
{
    LIST_FOREACH_SAFE(pos, &edge->waiting)
    {
        struct waiting *waiting = CONTAINER_OF(pos, struct waiting, link);
        ProtobufCMessage *frame =
            ipc_unpack(&holdfast__vr__vr_frame__descriptor, slice_make(waiting->bytes, waiting->size));
        int r = frame ? ipc_conn_send(edge->conn, frame) : 0;

        ipc_unpack_free(frame);
        if (r > 0) /* the queue is full: the rest goes with a later wake-up */
            return;
        waiting_drop(edge, waiting);
    }
}

static int on_done(struct edge_recursord *edge, const Holdfast__Vr__Done *done)
{
    struct validatord *v = edge->v;
    struct env env = loop_enter(v);

    (void)val_core_done(
        v->core, &env, &v->view,
        &(struct val_done){
            .fetch = done->fetch_id,
            .outcome = done->outcome,
            .upstream_used = done->upstream_queries_used,
            .bytes_used = done->bytes_used,
            .ede_code = (uint16_t)(done->ede_code > UINT16_MAX ? EDE_NONE : done->ede_code),
            .ede_text = slice_make(done->ede_text.data, MIN(done->ede_text.len, (size_t)EDE_TEXT_MAX)),
        });
    loop_drain(v);
    return 0;
}

static int on_evidence(struct edge_recursord *edge, const Holdfast__Vr__Evidence *evidence)
{
    struct validatord *v = edge->v;
    struct address server = {.port = 53};
    uint8_t cut[NAME_MAX];
    struct env env;

    if (name_from_bytes(evidence->cut.data, evidence->cut.len, cut))
        return -EBADMSG;
    if (evidence->server.len != 4 && evidence->server.len != 16)
        return -EBADMSG;
    if (evidence->done && evidence->done->fetch_id != evidence->fetch_id)
        return -EBADMSG;
    server.family = evidence->server.len == 4 ? 4 : 6;
    memcpy(server.bytes, evidence->server.data, evidence->server.len);
    edge->stats.evidence++;
    control_note_evidence(v->control, cut, &server, evidence->transport, evidence->rtt_us);
    env = loop_enter(v);
    (void)val_core_evidence(v->core, &env, &v->view,
                            &(struct val_evidence){
                                .fetch = evidence->fetch_id,
                                .kind = evidence->kind,
                                .cut = cut,
                                .server = server,
                                .transport = evidence->transport,
                                .message = slice_make(evidence->message.data, evidence->message.len),
                                .forwarded = evidence->forwarded,
                            });
    loop_drain(v);
    return evidence->done ? on_done(edge, evidence->done) : 0;
}

static int on_priming(struct edge_recursord *edge, const Holdfast__Vr__Priming *priming)
{
    struct validatord *v = edge->v;
    struct env env = loop_enter(v);

    (void)val_core_primed(v->core, &env, &v->view, slice_make(priming->message.data, priming->message.len));
    loop_drain(v);
    return 0;
}

static int on_hello(struct edge_recursord *edge, const Holdfast__Vr__Hello *hello)
{
    if (hello->protocol_version != VR_PROTOCOL_VERSION)
        return -EPROTO;
    edge->greeted = true;
    send_waiting(edge);
    loop_met(edge->v);
    return 0;
}

static int on_frame(struct ipc_conn *conn, void *ctx, struct slice frame, int *fds, size_t fd_count)
{
    struct edge_recursord *edge = ctx;
    Holdfast__Vr__VrFrame *vr =
        (Holdfast__Vr__VrFrame *)ipc_unpack(&holdfast__vr__vr_frame__descriptor, frame);
    int r = -EPROTO;

    if (!vr)
        return -EBADMSG;
    if (!edge->greeted) {
        if (vr->body_case == HOLDFAST__VR__VR_FRAME__BODY_HELLO)
            r = on_hello(edge, vr->hello);
    } else if (vr->body_case == HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE) {
        r = on_evidence(edge, vr->evidence);
    } else if (vr->body_case == HOLDFAST__VR__VR_FRAME__BODY_DONE) {
        r = on_done(edge, vr->done);
    } else if (vr->body_case == HOLDFAST__VR__VR_FRAME__BODY_PRIMING) {
        r = on_priming(edge, vr->priming);
    }
    ipc_unpack_free(&vr->base);
    return r;
}

static void on_idle(struct ipc_conn *conn, void *ctx)
{
    struct edge_recursord *edge = ctx;

    if (edge->greeted && edge->stats.waiting)
        send_waiting(edge);
    loop_settle(edge->v);
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    struct edge_recursord *edge = ctx;
    struct validatord *v = edge->v;
    struct env env = loop_enter(v);

    log_notice("recursord is gone (%s); connecting again", error ? strerror(-error) : "closed");
    edge->conn = NULL;
    edge->greeted = edge->stats.connected = false;
    (void)val_core_recursord_lost(v->core, &env, &v->view);
    loop_settle(v);
    ipc_connector_start(edge->connector);
}

static void on_connected(void *ctx, int fd)
{
    static const struct ipc_handlers handlers = {.frame = on_frame, .idle = on_idle, .closed = on_closed};
    struct edge_recursord *edge = ctx;
    Holdfast__Vr__Hello hello = HOLDFAST__VR__HELLO__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    int r = ipc_conn_new(edge->v->daemon.event, fd, &handlers, edge, &edge->conn);

    if (r < 0) {
        log_error("cannot use the connection to recursord: %s", strerror(-r));
        ipc_connector_start(edge->connector);
        return;
    }
    edge->stats.connects++;
    edge->stats.connected = true;
    hello.protocol_version = VR_PROTOCOL_VERSION;
    hello.generation = edge->v->settings.config.generation;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_HELLO;
    frame.hello = &hello;
    if (ipc_conn_send(edge->conn, &frame.base))
        log_error("cannot greet recursord");
}

int edge_recursord_new(struct validatord *v, struct edge_recursord **ret_edge)
{
    struct edge_recursord *edge = calloc(1, sizeof(*edge));
    char path[108];
    int r;

    if (!edge)
        return -ENOMEM;
    edge->v = v;
    list_init(&edge->waiting);
    if (snprintf(path, sizeof(path), "%s/recursord.edge", v->daemon.runtime_directory) >= (int)sizeof(path))
        r = -ENAMETOOLONG;
    else
        r = ipc_connector_new(v->daemon.event, path, on_connected, edge, &edge->connector);
    if (r < 0) {
        free(edge);
        return r;
    }
    *ret_edge = edge;
    return 0;
}

void edge_recursord_free(struct edge_recursord *edge)
{
    if (!edge)
        return;
    LIST_FOREACH_SAFE(pos, &edge->waiting)
    waiting_drop(edge, CONTAINER_OF(pos, struct waiting, link));
    ipc_connector_free(edge->connector);
    ipc_conn_free(edge->conn);
    free(edge);
}

int edge_recursord_fetch(struct edge_recursord *edge, const struct val_action *action, mono_ns now)
{
    Holdfast__Vr__Fetch fetch = HOLDFAST__VR__FETCH__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    ProtobufCBinaryData avoid[AVOID_MAX];
    uint64_t left_ns = action->budget.deadline.ns > now.ns ? action->budget.deadline.ns - now.ns : 0;

    fetch.id = action->fetch;
    fetch.qname = (ProtobufCBinaryData){.len = name_size(action->qname), .data = (uint8_t *)action->qname};
    fetch.qtype = action->qtype;
    if (action->cut)
        fetch.cut = (ProtobufCBinaryData){.len = name_size(action->cut), .data = (uint8_t *)action->cut};
    fetch.delegation =
        (ProtobufCBinaryData){.len = action->delegation.size, .data = (uint8_t *)action->delegation.data};
    fetch.upstream_queries = action->budget.upstream_queries;
    fetch.bytes_left = action->budget.bytes;
    fetch.wall_ms = (uint32_t)MIN(left_ns / NS_PER_MS, (uint64_t)BUDGET_WALL_MS);
    fetch.generation = edge->v->settings.config.generation;
    fetch.n_avoid = MIN(action->avoid_count, (size_t)AVOID_MAX);
    for (size_t i = 0; i < fetch.n_avoid; i++)
        avoid[i] = (ProtobufCBinaryData){.len = address_size(&action->avoid[i]),
                                         .data = (uint8_t *)action->avoid[i].bytes};
    fetch.avoid = avoid;
    fetch.avoid_last_server = fetch.n_avoid > 0;
    if (action->only) {
        fetch.only_server =
            (ProtobufCBinaryData){.len = address_size(action->only), .data = (uint8_t *)action->only->bytes};
        fetch.only_tcp = action->only_tcp;
    }
    fetch.to_referral = action->to_referral;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_FETCH;
    frame.fetch = &fetch;
    edge->stats.fetches++;
    if (edge->greeted && ipc_conn_send(edge->conn, &frame.base) == 0)
        return 0;
    return wait_for_recursord(edge, action->fetch, &frame.base);
}

void edge_recursord_cancel(struct edge_recursord *edge, uint64_t fetch)
{
    Holdfast__Vr__Cancel cancel = HOLDFAST__VR__CANCEL__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;

    LIST_FOREACH_SAFE(pos, &edge->waiting)
    {
        struct waiting *waiting = CONTAINER_OF(pos, struct waiting, link);

        if (waiting->fetch == fetch) {
            waiting_drop(edge, waiting);
            return;
        }
    }
    if (!edge->greeted)
        return;
    cancel.id = fetch;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_CANCEL;
    frame.cancel = &cancel;
    (void)ipc_conn_send(edge->conn, &frame.base); /* lost, it costs recursord a fetch nobody waits for */
}

void edge_recursord_flush(struct edge_recursord *edge)
{
    if (edge->conn)
        (void)ipc_conn_flush(
            edge->conn); /* an error shows again, and is handled, when the loop comes to it */
}

bool edge_recursord_met(const struct edge_recursord *edge)
{
    return edge->greeted;
}

struct edge_recursord_stats edge_recursord_stats(const struct edge_recursord *edge)
{
    return edge->stats;
}
