#include "daemons/validatord/edge_netd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc/conn.h"
#include "common/wire/answer.h"
#include "daemons/validatord/validatord.h"
#include "proto/netd_validatord.pb-c.h"

struct edge_netd {
    struct validatord *v;
    struct ipc_connector *connector;
    struct ipc_conn *conn;
    uint64_t client; /* this connection, to the core: grows with each */
    bool greeted;
    struct edge_netd_stats stats;
    uint8_t wire[MESSAGE_MAX];
};

/* What netd says is left, but never more than a fresh question has (DESIGN invariant 6). */
static struct budget read_budget(const Holdfast__Nv__Budget *from, mono_ns now)
{
    struct budget budget = budget_fresh(now);

    if (!from)
        return budget;
    budget.upstream_queries = MIN(budget.upstream_queries, from->upstream_queries);
    budget.cname_steps = MIN(budget.cname_steps, from->cname_steps);
    budget.signatures = MIN(budget.signatures, from->signatures);
    budget.nsec3_hashes = MIN(budget.nsec3_hashes, from->nsec3_hashes);
    budget.bytes = MIN(budget.bytes, from->bytes);
    budget.deadline = mono_add_ms(now, MIN(BUDGET_WALL_MS, from->wall_ms));
    return budget;
}

static int on_resolve(struct edge_netd *edge, const Holdfast__Nv__Resolve *resolve)
{
    struct validatord *v = edge->v;
    uint8_t qname[NAME_MAX];
    struct env env;
    int r;

    /* Type 0 is the cache's key for "no such name", and recursord takes a Fetch for it as a broken peer. */
    if (name_from_bytes(resolve->qname.data, resolve->qname.len, qname) || resolve->qtype == 0 ||
        resolve->qtype > UINT16_MAX)
        return -EBADMSG;
    edge->stats.resolves++;
    env = loop_enter(v);
    r = val_core_resolve(v->core, &env, &v->view,
                         &(struct val_question){.client = edge->client,
                                                .id = resolve->id,
                                                .qname = qname,
                                                .qtype = (uint16_t)resolve->qtype,
                                                .checking_disabled = resolve->checking_disabled,
                                                .refresh = resolve->refresh,
                                                .budget = read_budget(resolve->budget, env.mono)});
    if (r < 0) /* short of memory: netd's own timer answers this one */
        log_warning("a question could not be taken: %s", strerror(-r));
    loop_drain(v);
    return 0;
}

static int on_frame(struct ipc_conn *conn, void *ctx, struct slice frame, int *fds, size_t fd_count)
{
    struct edge_netd *edge = ctx;
    Holdfast__Nv__NvFrame *nv =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, frame);
    int r = -EPROTO;

    if (!nv)
        return -EBADMSG;
    if (!edge->greeted && nv->body_case == HOLDFAST__NV__NV_FRAME__BODY_HELLO &&
        nv->hello->protocol_version == NV_PROTOCOL_VERSION) {
        edge->greeted = true;
        loop_met(edge->v);
        r = 0;
    } else if (edge->greeted && nv->body_case == HOLDFAST__NV__NV_FRAME__BODY_RESOLVE) {
        r = on_resolve(edge, nv->resolve);
    }
    ipc_unpack_free(&nv->base);
    return r;
}

static void on_idle(struct ipc_conn *conn, void *ctx)
{
    struct edge_netd *edge = ctx;

    loop_settle(edge->v);
}

static void forget_client(struct edge_netd *edge)
{
    struct validatord *v = edge->v;
    struct env env = loop_enter(v);

    edge->conn = NULL;
    edge->greeted = edge->stats.connected = false;
    (void)val_core_client_lost(v->core, &env, edge->client);
    loop_settle(v);
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    struct edge_netd *edge = ctx;

    log_notice("netd is gone (%s); connecting again", error ? strerror(-error) : "closed");
    forget_client(edge);
    ipc_connector_start(edge->connector);
}

static void send_hello(struct edge_netd *edge)
{
    struct validatord *v = edge->v;
    Holdfast__Nv__Hello hello = HOLDFAST__NV__HELLO__INIT;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    const int fds[2] = {v->shared.page_fd, v->shared.sketch_fd};

    hello.protocol_version = NV_PROTOCOL_VERSION;
    hello.generation = v->settings.config.generation;
    hello.file_generation = v->file_generation;
    hello.epoch = v->epoch;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_HELLO;
    frame.hello = &hello;
    if (ipc_conn_send_fds(edge->conn, &frame.base, fds, ARRAY_SIZE(fds)))
        log_error("cannot greet netd");
}

static void on_connected(void *ctx, int fd)
{
    static const struct ipc_handlers handlers = {.frame = on_frame, .idle = on_idle, .closed = on_closed};
    struct edge_netd *edge = ctx;
    int r = ipc_conn_new(edge->v->daemon.event, fd, &handlers, edge, &edge->conn);

    if (r < 0) {
        log_error("cannot use the connection to netd: %s", strerror(-r));
        ipc_connector_start(edge->connector);
        return;
    }
    edge->client++;
    edge->stats.connects++;
    edge->stats.connected = true;
    send_hello(edge);
}

int edge_netd_new(struct validatord *v, struct edge_netd **ret_edge)
{
    struct edge_netd *edge = calloc(1, sizeof(*edge));
    char path[108];
    int r;

    if (!edge)
        return -ENOMEM;
    edge->v = v;
    if (snprintf(path, sizeof(path), "%s/netd.edge", v->daemon.runtime_directory) >= (int)sizeof(path))
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

void edge_netd_free(struct edge_netd *edge)
{
    if (!edge)
        return;
    ipc_connector_free(edge->connector);
    ipc_conn_free(edge->conn);
    free(edge);
}

/* An answer that does not fit into a message is a failure said as one. */
static size_t failure_to_wire(struct edge_netd *edge, const struct val_action *action)
{
    static const char text[] = "the answer with its proofs does not fit into 65535 octets";
    struct answer failure = {.rcode = RCODE_SERVFAIL};

    answer_add_ede(&failure, EDE_OTHER, text, sizeof(text) - 1);
    return answer_to_wire(&failure, action->qname, action->qtype, edge->wire, sizeof(edge->wire));
}

void edge_netd_verdict(struct edge_netd *edge, const struct val_action *action)
{
    const struct answer *answer = action->answer;
    Holdfast__Nv__Verdict verdict = HOLDFAST__NV__VERDICT__INIT;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    size_t size;

    if (!edge->conn || action->client != edge->client)
        return;
    verdict.id = action->id;
    verdict.epoch = action->epoch;
    verdict.commit_sequence = writer_sequence(edge->v->writer);
    size = answer_to_wire(answer, action->qname, action->qtype, edge->wire, sizeof(edge->wire));
    if (size) {
        verdict.security = (uint32_t)answer->security;
        verdict.authentic = answer->authentic;
        verdict.stale = answer->stale;
        verdict.ttl = answer->ttl;
    } else {
        size = failure_to_wire(edge, action);
    }
    verdict.answer = (ProtobufCBinaryData){.len = size, .data = edge->wire};
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_VERDICT;
    frame.verdict = &verdict;
    /* A netd that reads nothing for so long that the queue is full gets nothing: its own timer answers. */
    if (ipc_conn_send(edge->conn, &frame.base))
        edge->v->verdicts_dropped++;
    else
        edge->stats.verdicts++;
}

void edge_netd_flush(struct edge_netd *edge)
{
    if (edge->conn)
        (void)ipc_conn_flush(
            edge->conn); /* an error shows again, and is handled, when the loop comes to it */
}

bool edge_netd_met(const struct edge_netd *edge)
{
    return edge->greeted;
}

struct edge_netd_stats edge_netd_stats(const struct edge_netd *edge)
{
    return edge->stats;
}
