/* The edge to validatord: recursord listens, validatord connects, one connection at a time. A new one
 * replaces the old, whose fetches end: their asker is gone, and what they learn would be nobody's. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc/conn.h"
#include "daemons/recursord/edge_frame.h"
#include "daemons/recursord/shell.h"
#include "proto/validatord_recursord.pb-c.h"

struct edge {
    struct recursord *r;
    struct ipc_listener *listener;
    struct ipc_conn *conn;  /* NULL: validatord is away */
    bool greeted;           /* its Hello came */
    struct rec_action held; /* evidence that waits for what the core says next; its bytes are the core's */
    bool holds;
    uint8_t *primed; /* the last priming response, for a validatord that comes later */
    size_t primed_size;
};

static int send_body(struct edge *edge, Holdfast__Vr__VrFrame *frame)
{
    int r = ipc_conn_send(edge->conn, &frame->base);
    return r > 0 ? -ENOBUFS : r;
}

static int send_hello(struct edge *edge)
{
    Holdfast__Vr__Hello hello = HOLDFAST__VR__HELLO__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    hello.protocol_version = VR_PROTOCOL_VERSION;
    hello.generation = edge->r->settings.config.generation;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_HELLO;
    frame.hello = &hello;
    return send_body(edge, &frame);
}

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)data, .len = size};
}

static Holdfast__Vr__Done done_of(const struct rec_action *action)
{
    Holdfast__Vr__Done done = HOLDFAST__VR__DONE__INIT;
    done.fetch_id = action->fetch;
    done.outcome = action->outcome;
    done.upstream_queries_used = action->upstream_used;
    done.bytes_used = action->bytes_used;
    done.ede_code = action->ede_code;
    done.ede_text = binary(action->ede_text, strnlen(action->ede_text, sizeof(action->ede_text)));
    done.servers_asked = action->servers_asked;
    return done;
}

/* last: the Done of that fetch, or NULL. */
static int send_evidence(struct edge *edge, const struct rec_action *action, const struct rec_action *last)
{
    Holdfast__Vr__Evidence evidence = HOLDFAST__VR__EVIDENCE__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    Holdfast__Vr__Done done;
    evidence.fetch_id = action->fetch;
    evidence.kind = action->evidence;
    evidence.cut = binary(action->cut, name_size(action->cut));
    evidence.server = binary(action->server.bytes, address_size(&action->server));
    evidence.transport = action->transport == REC_TCP ? HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__TCP
                                                      : HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP;
    evidence.rtt_us = action->rtt_us;
    evidence.message = binary(action->wire.data, action->wire.size);
    evidence.forwarded = action->forwarded;
    if (last) {
        done = done_of(last);
        evidence.done = &done;
    }
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE;
    frame.evidence = &evidence;
    return send_body(edge, &frame);
}

static int send_done(struct edge *edge, const struct rec_action *action)
{
    Holdfast__Vr__Done done = done_of(action);
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_DONE;
    frame.done = &done;
    return send_body(edge, &frame);
}

static int send_primed(struct edge *edge)
{
    Holdfast__Vr__Priming priming = HOLDFAST__VR__PRIMING__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    priming.message = binary(edge->primed, edge->primed_size);
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_PRIMING;
    frame.priming = &priming;
    return edge->primed ? send_body(edge, &frame) : 0;
}

static void keep_primed(struct edge *edge, const struct rec_action *action)
{
    uint8_t *copy = malloc(action->wire.size);
    if (!copy)
        return;
    memcpy(copy, action->wire.data, action->wire.size);
    free(edge->primed);
    edge->primed = copy;
    edge->primed_size = action->wire.size;
}

/* Nobody listens any more to what was asked. */
static void forget_fetches(struct edge *edge)
{
    struct env env = daemon_env(&edge->r->daemon);
    rec_core_cancel_all(edge->r->core, &env);
    recursord_work(edge->r);
}

static void disconnect(struct edge *edge)
{
    struct ipc_conn *conn = TAKE(edge->conn);
    edge->greeted = edge->holds = false;
    ipc_conn_free(conn);
    forget_fetches(edge);
}

static void sent(struct edge *edge, int r)
{
    if (r >= 0)
        return;
    /* A peer that lost frames would wait for them: it reconnects and asks again. */
    log_warning("validatord does not take frames (%s); closing its connection", strerror(-r));
    disconnect(edge);
}

void edge_send_held(struct edge *edge)
{
    if (!edge->holds)
        return;
    edge->holds = false;
    if (edge->conn)
        sent(edge, send_evidence(edge, &edge->held, NULL));
}

void edge_send(struct edge *edge, const struct rec_action *action)
{
    bool last = action->kind == REC_ACTION_DONE && edge->holds && edge->held.fetch == action->fetch;
    if (action->kind == REC_ACTION_PRIMED)
        keep_primed(edge, action);
    if (!last)
        edge_send_held(edge);
    if (!edge->conn)
        return;
    if (action->kind == REC_ACTION_EVIDENCE) {
        edge->held = *action;
        edge->holds = true;
    } else if (last) {
        edge->holds = false;
        sent(edge, send_evidence(edge, &edge->held, action));
    } else if (action->kind == REC_ACTION_DONE) {
        sent(edge, send_done(edge, action));
    } else if (action->kind == REC_ACTION_PRIMED) {
        sent(edge, send_primed(edge));
    }
}

void edge_flush(struct edge *edge)
{
    if (edge->conn)
        (void)ipc_conn_flush(
            edge->conn); /* an error shows again, and is handled, when the loop comes to it */
}

static int begin_fetch(struct edge *edge, const struct edge_request *request)
{
    struct env env = daemon_env(&edge->r->daemon);
    struct rec_fetch fetch = {
        .id = request->id,
        .qname = request->qname,
        .qtype = request->qtype,
        .cut = request->has_cut ? request->cut : NULL,
        .delegation = request->delegation,
        .budget = budget_fresh(env.mono),
        .avoid = request->avoid,
        .avoid_count = request->avoid_count,
        .only = request->only.family ? &request->only : NULL,
        .only_transport = request->only_tcp ? REC_TCP : REC_UDP,
        .to_referral = request->to_referral,
    };
    fetch.budget.upstream_queries = request->upstream_queries;
    fetch.budget.bytes = request->bytes_left;
    fetch.budget.deadline = mono_add_ms(env.mono, request->wall_ms);
    int r = rec_core_fetch(edge->r->core, &env, &fetch);
    recursord_work(edge->r);
    return r == -EEXIST ? r : 0; /* memory was short: that fetch has its Done */
}

static int on_frame(struct ipc_conn *conn, void *ctx, struct slice frame, int *fds, size_t fd_count)
{
    struct edge *edge = ctx;
    struct edge_request request;
    int r = 0;
    if (conn != edge->conn)
        return 0;
    if (edge_request_read(frame, &request))
        return -EBADMSG;
    if (request.kind == EDGE_HELLO) {
        edge->greeted = request.protocol_version == VR_PROTOCOL_VERSION;
        r = edge->greeted ? 0 : -EPROTONOSUPPORT;
    } else if (!edge->greeted) {
        r = -EPROTO;
    } else if (request.kind == EDGE_FETCH) {
        r = begin_fetch(edge, &request);
    } else {
        struct env env = daemon_env(&edge->r->daemon);
        rec_core_cancel(edge->r->core, &env, request.id);
        recursord_work(edge->r);
    }
    edge_request_free(&request);
    return r;
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    struct edge *edge = ctx;
    if (conn != edge->conn)
        return;
    log_info("validatord is gone: %s", strerror(-error));
    edge->conn = NULL; /* freed by who calls this */
    edge->greeted = edge->holds = false;
    forget_fetches(edge);
}

static void on_accepted(void *ctx, int fd, uid_t uid)
{
    static const struct ipc_handlers handlers = {.frame = on_frame, .closed = on_closed};
    struct edge *edge = ctx;
    if (edge->conn)
        disconnect(edge);
    int r = ipc_conn_new(edge->r->daemon.event, fd, &handlers, edge, &edge->conn);
    if (r >= 0)
        r = send_hello(edge);
    if (r >= 0)
        r = send_primed(edge);
    if (r < 0)
        log_error("cannot speak to validatord: %s", strerror(-r));
}

/* Whose socket it is, is in its file's owner (0600, validatord's): the listener was passed to us open. */
static uid_t edge_owner(int listen_fd)
{
    struct sockaddr_un address = {0};
    socklen_t size = sizeof(address);
    struct stat st;
    if (getsockname(listen_fd, (struct sockaddr *)&address, &size) < 0 || !address.sun_path[0] ||
        stat(address.sun_path, &st) < 0)
        return geteuid();
    return st.st_uid;
}

int edge_new(struct recursord *r, int listen_fd, struct edge **ret_edge)
{
    struct edge *edge = calloc(1, sizeof(*edge));
    if (!edge)
        return -ENOMEM;
    edge->r = r;
    int result = ipc_listener_new(r->daemon.event, listen_fd, edge_owner(listen_fd), on_accepted, edge,
                                  &edge->listener);
    if (result < 0) {
        free(edge);
        return result;
    }
    *ret_edge = edge;
    return 0;
}

void edge_free(struct edge *edge)
{
    if (!edge)
        return;
    ipc_conn_free(edge->conn);
    ipc_listener_free(edge->listener);
    free(edge->primed);
    free(edge);
}

bool edge_connected(const struct edge *edge)
{
    return edge->conn != NULL;
}
