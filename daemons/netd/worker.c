#include "daemons/netd/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#include "common/ipc/conn.h"
#include "daemons/netd/edge_validatord.h"
#include "daemons/netd/tsan_rcu.h"

#define POLL_EVENTS       64
#define POLL_MAX_SLEEP_MS 1000
#define RANDOM_LOW                                                                                           \
    2048u /* a reply takes four bytes an RRset; reply.c does without when there are none left */

struct inbox_item {
    struct inbox_item *next;
    Holdfast__Nv__NvFrame *frame; /* NULL: validatord came back */
};

int worker_poll_add(struct worker *worker, struct poll *poll, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = poll};
    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, poll->fd, &event) < 0 ? -errno : 0;
}

int worker_init(struct worker *worker, struct netd *netd, unsigned index)
{
    worker->netd = netd;
    worker->index = index;
    worker->inbox_poll = (struct poll){.kind = POLL_INBOX, .fd = -1};
    list_init(&worker->conns);
    list_init(&worker->resumed);
    list_init(&worker->doomed);
    pthread_mutex_init(&worker->inbox_lock, NULL);
    waiting_init(&worker->waiting, daemon_hash_key());
    worker->l2.directory = netd->daemon.state_directory;
    worker->arena = arena_new(NETD_ARENA_BYTES);
    worker->nsec3 = nsec3_new();
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!worker->arena || !worker->nsec3)
        return -ENOMEM;
    if (worker->epoll_fd < 0)
        return -errno;
    worker->inbox_poll.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->inbox_poll.fd < 0)
        return -errno;
    return worker_poll_add(worker, &worker->inbox_poll, EPOLLIN);
}

void worker_fini(struct worker *worker)
{
    tcp_close_all(worker);
    waiting_fini(worker);
    udp_close(worker);
    l2_close(&worker->l2);
    while (worker->inbox_first) {
        struct inbox_item *item = worker->inbox_first;
        worker->inbox_first = item->next;
        if (item->frame)
            ipc_unpack_free(&item->frame->base);
        free(item);
    }
    nsec3_free(worker->nsec3);
    arena_free(worker->arena);
    if (worker->inbox_poll.fd >= 0)
        close(worker->inbox_poll.fd);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    pthread_mutex_destroy(&worker->inbox_lock);
}

void worker_post(struct worker *worker, Holdfast__Nv__NvFrame *frame)
{
    struct inbox_item *item = malloc(sizeof(*item));
    if (!item) {
        /* The question's own timer will answer it. */
        if (frame)
            ipc_unpack_free(&frame->base);
        return;
    }
    *item = (struct inbox_item){.frame = frame};
    pthread_mutex_lock(&worker->inbox_lock);
    if (worker->inbox_last)
        worker->inbox_last->next = item;
    else
        worker->inbox_first = item;
    worker->inbox_last = item;
    pthread_mutex_unlock(&worker->inbox_lock);
}

void worker_wake(struct worker *worker)
{
    uint64_t one = 1;
    ssize_t r = write(worker->inbox_poll.fd, &one, sizeof(one));
    (void)r; /* EAGAIN: it is awake */
}

static void read_inbox(struct worker *worker)
{
    uint64_t count;
    ssize_t r = read(worker->inbox_poll.fd, &count, sizeof(count));
    (void)r; /* EAGAIN: nothing new, and the list says so too */
    pthread_mutex_lock(&worker->inbox_lock);
    struct inbox_item *item = worker->inbox_first;
    worker->inbox_first = worker->inbox_last = NULL;
    pthread_mutex_unlock(&worker->inbox_lock);
    tcp_make_room(worker);
    while (item) {
        struct inbox_item *next = item->next;
        if (item->frame) {
            serve_verdict(worker, item->frame->verdict);
            ipc_unpack_free(&item->frame->base);
        } else {
            waiting_resend(worker);
        }
        free(item);
        item = next;
    }
}

void worker_top_up(struct worker *worker)
{
    if (worker->random.left < RANDOM_LOW)
        random_pool_fill(&worker->random);
}

static uint64_t file_generation(const struct worker *worker)
{
    if (!worker->shared)
        return 0;
    uint64_t generation = atomic_load(&worker->shared->page->file_generation);
    if (generation == 0)
        generation = worker->shared->hello_file_generation;
    return generation ? generation : L2_CLOSED;
}

const struct cache_view *worker_l2(struct worker *worker)
{
    if (worker->l2_tried)
        return worker->l2_open ? &worker->view : NULL;
    worker->l2_tried = true;
    worker->l2_open = l2_begin(&worker->l2, file_generation(worker), daemon_mono(), &worker->view) == 0;
    return worker->l2_open ? &worker->view : NULL;
}

/* Clocks, configuration and epoch as of now; the epoch before any read of L2, as DESIGN 4 has it. */
static void batch_begin(struct worker *worker)
{
    urcu_memb_read_lock();
    worker->env = (struct env){
        .mono = daemon_mono(), .wall = daemon_wall(&worker->netd->daemon), .random = &worker->random};
    worker->shared = atomic_load(&worker->netd->shared);
    worker->tag_known = worker->shared != NULL;
    if (worker->shared) {
        worker->tag.epoch = atomic_load(&worker->shared->page->epoch);
        worker->tag.sequence = atomic_load(&worker->shared->page->commit_sequence);
    }
    worker->l2_tried = worker->l2_open = false;
    worker->edge_kicked = false;
    worker_top_up(worker);
}

static void batch_end(struct worker *worker)
{
    udp_flush(worker);
    serve_count_popular(worker);
    if (worker->l2_open)
        l2_end(&worker->l2);
    worker->l2_open = false;
    if (worker->shared)
        RCU_RELEASE(worker->shared);
    worker->shared = NULL;
    urcu_memb_read_unlock();
    if (worker->edge_kicked)
        edge_kick(worker->netd->edge);
}

static void handle(struct worker *worker, const struct epoll_event *event)
{
    struct poll *poll = event->data.ptr;
    switch (poll->kind) {
    case POLL_UDP:
        udp_readable(worker, (struct udp_socket *)poll);
        break;
    case POLL_LISTENER:
        tcp_accept(worker, (struct tcp_listener *)poll);
        break;
    case POLL_CONN:
        tcp_event(worker, (struct tcp_conn *)poll, event->events);
        break;
    case POLL_INBOX:
        read_inbox(worker);
        break;
    }
}

static int sleep_ms(mono_ns next)
{
    if (next.ns == UINT64_MAX)
        return POLL_MAX_SLEEP_MS;
    mono_ns now = daemon_mono();
    if (mono_reached(now, next))
        return 0;
    return (int)MIN((next.ns - now.ns) / NS_PER_MS + 1, (uint64_t)POLL_MAX_SLEEP_MS);
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    struct epoll_event events[POLL_EVENTS];
    mono_ns next = MONO_NEVER;
    urcu_memb_register_thread();
    while (!atomic_load(&worker->netd->stopping)) {
        int count = epoll_wait(worker->epoll_fd, events, POLL_EVENTS, sleep_ms(next));
        batch_begin(worker);
        for (int i = 0; i < count; i++)
            handle(worker, &events[i]);
        tcp_resume(worker);
        next = waiting_expire(worker);
        /* Once more where a timer answered: what is asked now waits until later than this batch. */
        while (!list_empty(&worker->resumed)) {
            tcp_resume(worker);
            next = waiting_expire(worker);
        }
        next = mono_earlier(next, tcp_expire(worker));
        batch_end(worker);
    }
    urcu_memb_unregister_thread();
    return NULL;
}

int worker_start(struct worker *worker)
{
    worker->config = worker->netd->settings->config;
    worker->config.nsec3_ctx = worker->nsec3;
    int r = pthread_create(&worker->thread, NULL, run, worker);
    worker->started = r == 0;
    return -r;
}

void worker_join(struct worker *worker)
{
    if (!worker->started)
        return;
    worker_wake(worker);
    pthread_join(worker->thread, NULL);
}
