#include "daemons/netd/edge_validatord.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "common/base/budget.h"
#include "common/ipc/conn.h"
#include "daemons/netd/tsan_rcu.h"
#include "daemons/netd/worker.h"
#include "proto/netd_validatord.pb-c.h"

#define NV_PROTOCOL_VERSION 1u
#define QUEUE_MAX           16384u /* requests between two wake-ups of the main thread; more is dropped and counted */

struct edge {
    struct netd *netd;
    struct ipc_listener *listener;
    struct ipc_conn *conn;
    sd_event_source *wake_source;
    int wake_fd;
    bool greeted;                   /* this connection's Hello has come */
    bool posted;                    /* verdicts were put into inboxes since the last idle */
    _Atomic uint64_t down_since_ns; /* 0: connected */
    _Atomic uint64_t serial;
    pthread_mutex_t lock; /* the queue below */
    struct edge_request *queue, *draining;
    size_t queued;
    struct edge_stats stats;
};

void edge_submit(struct edge *edge, const struct edge_request *request)
{
    pthread_mutex_lock(&edge->lock);
    if (edge->queued < QUEUE_MAX)
        edge->queue[edge->queued++] = *request;
    else
        edge->stats.dropped_full++;
    pthread_mutex_unlock(&edge->lock);
}

void edge_kick(struct edge *edge)
{
    uint64_t one = 1;
    ssize_t r = write(edge->wake_fd, &one, sizeof(one));
    (void)r; /* EAGAIN: the counter is full, so the main thread is awake */
}

uint64_t edge_down_ms(const struct edge *edge, mono_ns now)
{
    uint64_t since = atomic_load_explicit(&edge->down_since_ns, memory_order_relaxed);
    if (since == 0)
        return 0;
    return now.ns > since ? (now.ns - since) / NS_PER_MS + 1 : 1;
}

uint64_t edge_serial(const struct edge *edge)
{
    return atomic_load(&edge->serial);
}

static int send_request(struct edge *edge, const struct edge_request *request)
{
    Holdfast__Nv__Budget budget = HOLDFAST__NV__BUDGET__INIT;
    budget.upstream_queries = BUDGET_UPSTREAM_QUERIES;
    budget.cname_steps = BUDGET_CNAME_STEPS;
    budget.signatures = BUDGET_SIGNATURES;
    budget.nsec3_hashes = BUDGET_NSEC3_HASHES;
    budget.bytes = BUDGET_BYTES;
    budget.wall_ms = request->wall_ms;
    Holdfast__Nv__Resolve resolve = HOLDFAST__NV__RESOLVE__INIT;
    resolve.id = request->id;
    resolve.qname.data = (uint8_t *)request->qname;
    resolve.qname.len = request->qname_size;
    resolve.qtype = request->qtype;
    resolve.checking_disabled = request->checking_disabled;
    resolve.refresh = request->refresh;
    resolve.budget = &budget;
    resolve.generation = request->generation;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_RESOLVE;
    frame.resolve = &resolve;
    return ipc_conn_send(edge->conn, &frame.base);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct edge *edge = userdata;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return -errno;
    pthread_mutex_lock(&edge->lock);
    size_t queued = edge->queued;
    struct edge_request *requests = edge->queue;
    edge->queue = edge->draining;
    edge->draining = requests;
    edge->queued = 0;
    pthread_mutex_unlock(&edge->lock);
    if (!edge->conn || !edge->greeted)
        return 0;
    for (size_t i = 0; i < queued; i++) {
        /* Queue full: the question's own timers answer it. */
        if (send_request(edge, &requests[i]) != 0)
            edge->stats.dropped_full++;
        else
            edge->stats.frames_out++;
    }
    return 0;
}

/* A memfd that nobody can shrink under us. NULL: it is not. */
static void *map_sealed(int fd, size_t size, int protection)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) != 0 || st.st_size < (off_t)size)
        return NULL;
    void *at = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void shared_free(struct shared *shared)
{
    if (!shared)
        return;
    RCU_ACQUIRE(shared);
    if (shared->page)
        munmap((void *)shared->page, SHARED_PAGE_BYTES);
    if (shared->sketch)
        munmap((void *)shared->sketch, SHARED_SKETCH_BYTES);
    free(shared);
}

static int adopt_shared(struct edge *edge, const Holdfast__Nv__Hello *hello, int *fds, size_t fd_count)
{
    if (fd_count < 2)
        return -EPROTO;
    struct shared *shared = calloc(1, sizeof(*shared));
    if (!shared)
        return -ENOMEM;
    shared->page = map_sealed(fds[0], SHARED_PAGE_BYTES, PROT_READ);
    shared->sketch = map_sealed(fds[1], SHARED_SKETCH_BYTES, PROT_READ | PROT_WRITE);
    shared->hello_file_generation = hello->file_generation;
    if (!shared->page || !shared->sketch || shared->page->magic != SHARED_PAGE_MAGIC ||
        shared->page->version != 1) {
        shared_free(shared);
        return -EPROTO;
    }
    struct shared *old = atomic_exchange(&edge->netd->shared, shared);
    urcu_memb_synchronize_rcu(); /* no worker reads the old pages any more */
    shared_free(old);
    return 0;
}

static int on_hello(struct edge *edge, const Holdfast__Nv__Hello *hello, int *fds, size_t fd_count)
{
    if (edge->greeted || hello->protocol_version != NV_PROTOCOL_VERSION)
        return -EPROTO;
    int r = adopt_shared(edge, hello, fds, fd_count);
    if (r < 0)
        return r;
    edge->greeted = true;
    atomic_fetch_add(&edge->serial, 1);
    pthread_mutex_lock(&edge->lock);
    edge->queued = 0; /* of the connection before: the workers are about to ask all that again */
    pthread_mutex_unlock(&edge->lock);
    atomic_store(&edge->down_since_ns, 0);
    log_info("validatord is there, epoch %llu, cache file %llu", (unsigned long long)hello->epoch,
             (unsigned long long)hello->file_generation);
    for (unsigned i = 0; i < edge->netd->worker_count; i++) {
        worker_post(&edge->netd->workers[i], NULL);
        worker_wake(&edge->netd->workers[i]);
    }
    return 0;
}

static int on_frame(struct ipc_conn *conn, void *ctx, struct slice bytes, int *fds, size_t fd_count)
{
    struct edge *edge = ctx;
    Holdfast__Nv__NvFrame *frame =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, bytes);
    int r = -EPROTO;
    if (frame && frame->body_case == HOLDFAST__NV__NV_FRAME__BODY_HELLO) {
        r = on_hello(edge, frame->hello, fds, fd_count);
    } else if (frame && frame->body_case == HOLDFAST__NV__NV_FRAME__BODY_VERDICT && edge->greeted) {
        unsigned worker = (unsigned)(frame->verdict->id >> 56);
        if (worker < edge->netd->worker_count) {
            edge->stats.frames_in++;
            edge->posted = true;
            worker_post(&edge->netd->workers[worker], frame);
            return 0;
        }
    }
    if (frame)
        ipc_unpack_free(&frame->base);
    if (r < 0) {
        edge->stats.bad_frames++;
        log_warning("validatord sent a frame that cannot be, closing the connection: %s", strerror(-r));
    }
    return r;
}

static void on_idle(struct ipc_conn *conn, void *ctx)
{
    struct edge *edge = ctx;
    if (!edge->posted)
        return;
    edge->posted = false;
    for (unsigned i = 0; i < edge->netd->worker_count; i++)
        worker_wake(&edge->netd->workers[i]);
}

static void went_down(struct edge *edge)
{
    if (edge->greeted)
        atomic_store(&edge->down_since_ns, daemon_mono().ns);
    edge->greeted = false;
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    struct edge *edge = ctx;
    on_idle(conn, ctx);
    log_warning("validatord is gone%s%s; answering from the cache until it is back", error ? ": " : "",
                error ? strerror(-error) : "");
    edge->conn = NULL;
    went_down(edge);
}

static void on_accepted(void *ctx, int fd, uid_t uid)
{
    struct edge *edge = ctx;
    static const struct ipc_handlers handlers = {.frame = on_frame, .idle = on_idle, .closed = on_closed};
    if (edge->conn) {
        /* A restarted validatord may be here before the old one's end was seen: the newest is the real one.
         */
        ipc_conn_free(TAKE(edge->conn));
        went_down(edge);
    }
    edge->stats.connects++;
    int r = ipc_conn_new(edge->netd->daemon.event, fd, &handlers, edge, &edge->conn);
    if (r < 0) {
        log_error("edge to validatord: %s", strerror(-r));
        return;
    }
    Holdfast__Nv__Hello hello = HOLDFAST__NV__HELLO__INIT;
    hello.protocol_version = NV_PROTOCOL_VERSION;
    hello.generation = edge->netd->settings->config.generation;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_HELLO;
    frame.hello = &hello;
    if (ipc_conn_send(edge->conn, &frame.base) != 0)
        log_warning("edge to validatord: Hello could not be sent");
}

int edge_new(struct netd *netd, int listen_fd, uid_t allowed, struct edge **ret_edge)
{
    struct edge *edge = calloc(1, sizeof(*edge));
    if (!edge)
        return -ENOMEM;
    edge->netd = netd;
    edge->wake_fd = -1;
    pthread_mutex_init(&edge->lock, NULL);
    atomic_init(&edge->down_since_ns, daemon_mono().ns);
    edge->queue = calloc(QUEUE_MAX, sizeof(*edge->queue));
    edge->draining = calloc(QUEUE_MAX, sizeof(*edge->draining));
    int r = edge->queue && edge->draining ? 0 : -ENOMEM;
    if (r == 0 && (edge->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        r = -errno;
    if (r == 0)
        r = sd_event_add_io(netd->daemon.event, &edge->wake_source, edge->wake_fd, EPOLLIN, on_wake, edge);
    if (r >= 0)
        r = ipc_listener_new(netd->daemon.event, listen_fd, allowed, on_accepted, edge, &edge->listener);
    if (r < 0) {
        edge_free(edge);
        return r;
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
    sd_event_source_unref(edge->wake_source);
    if (edge->wake_fd >= 0)
        close(edge->wake_fd);
    shared_free(atomic_exchange(&edge->netd->shared, NULL));
    free(edge->queue);
    free(edge->draining);
    pthread_mutex_destroy(&edge->lock);
    free(edge);
}

void edge_get_stats(const struct edge *edge, struct edge_stats *ret_stats)
{
    *ret_stats = edge->stats;
}
