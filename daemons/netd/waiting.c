#include "daemons/netd/waiting.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/budget.h"
#include "daemons/netd/edge_validatord.h"
#include "daemons/netd/worker.h"

#define RETRANSMIT_SCAN 32u /* waiters of a pending compared with a newcomer */
/* After its budget's wall time validatord has answered; a second more for what is on its way. */
#define PENDING_LIFE_MS (BUDGET_WALL_MS + 1000u)

struct waiter {
    struct list in_pending, in_timer, in_conn;
    struct pending *pending;
    mono_ns started;
    int limit_slot;
    bool answered_once; /* past the first timer */
    struct client client;
    struct netd_question question;
};

void waiting_init(struct waiting *waiting, struct siphash_key key)
{
    waiting->key = key;
    for (unsigned i = 0; i < WAITING_BUCKETS; i++)
        list_init(&waiting->buckets[i]);
    list_init(&waiting->order);
    list_init(&waiting->first_timer);
    list_init(&waiting->second_udp);
    list_init(&waiting->second_tcp);
    for (uint32_t i = 0; i < NETD_MAX_PENDING; i++)
        waiting->free_slots[i] = NETD_MAX_PENDING - 1 - i;
    waiting->free_count = NETD_MAX_PENDING;
}

static struct list *bucket_of(struct waiting *waiting, const uint8_t *qname, uint16_t qtype, bool cd)
{
    uint8_t key[NAME_MAX + 3];
    size_t size = name_size(qname);
    key[0] = (uint8_t)(qtype >> 8);
    key[1] = (uint8_t)qtype;
    key[2] = cd;
    memcpy(key + 3, qname, size);
    return &waiting->buckets[siphash24(&waiting->key, key, size + 3) % WAITING_BUCKETS];
}

static bool asks_cd(const struct netd_question *question)
{
    return (question->flags & FLAG_CD) != 0;
}

static void show(struct waiting *waiting)
{
    atomic_store_explicit(&waiting->waiters_shown, waiting->waiters, memory_order_relaxed);
    atomic_store_explicit(&waiting->pendings_shown, NETD_MAX_PENDING - waiting->free_count,
                          memory_order_relaxed);
}

static struct pending *pending_get(struct waiting *waiting, const struct netd_question *question)
{
    struct list *bucket = bucket_of(waiting, question->qname, question->ask_type, asks_cd(question));
    LIST_FOREACH (at, bucket) {
        struct pending *pending = CONTAINER_OF(at, struct pending, in_bucket);
        if (pending->qtype == question->ask_type && pending->checking_disabled == asks_cd(question) &&
            name_equal(pending->qname, question->qname))
            return pending;
    }
    return NULL;
}

static struct pending *pending_new(struct worker *worker, const struct netd_question *question, bool refresh)
{
    struct waiting *waiting = &worker->waiting;
    if (waiting->free_count == 0)
        return NULL;
    struct pending *pending = calloc(1, sizeof(*pending));
    if (!pending)
        return NULL;
    pending->slot = waiting->free_slots[--waiting->free_count];
    waiting->slots[pending->slot] = pending;
    /* worker 8 bits, generation 32, slot 24: the edge finds the worker, the worker the slot. */
    pending->id = (uint64_t)worker->index << 56 | (uint64_t)++waiting->generation << 24 | pending->slot;
    pending->started = worker->env.mono;
    pending->qtype = question->ask_type;
    pending->checking_disabled = asks_cd(question);
    pending->refresh = refresh;
    name_copy(question->qname, pending->qname);
    list_init(&pending->waiters);
    list_append(bucket_of(waiting, pending->qname, pending->qtype, pending->checking_disabled),
                &pending->in_bucket);
    list_append(&waiting->order, &pending->in_order);
    show(waiting);
    return pending;
}

static void pending_free(struct waiting *waiting, struct pending *pending)
{
    list_remove(&pending->in_bucket);
    list_remove(&pending->in_order);
    waiting->slots[pending->slot] = NULL;
    waiting->free_slots[waiting->free_count++] = pending->slot;
    free(pending);
    show(waiting);
}

static void ask(struct worker *worker, struct pending *pending)
{
    uint64_t spent_ms = (worker->env.mono.ns - pending->started.ns) / NS_PER_MS;
    struct edge_request request = {.id = pending->id,
                                   .qtype = pending->qtype,
                                   .checking_disabled = pending->checking_disabled,
                                   .refresh = pending->refresh,
                                   .generation = worker->config.generation,
                                   .wall_ms = (uint32_t)(BUDGET_WALL_MS - MIN(spent_ms, BUDGET_WALL_MS - 1))};
    request.qname_size = (uint8_t)name_copy(pending->qname, request.qname);
    pending->serial = edge_serial(worker->netd->edge);
    edge_submit(worker->netd->edge, &request);
    worker->edge_kicked = true;
    stats_add(&worker->stats, STAT_RESOLVES, 1);
}

static void waiter_free(struct worker *worker, struct waiter *waiter)
{
    list_remove(&waiter->in_pending);
    list_remove(&waiter->in_timer);
    if (waiter->client.tcp) {
        list_remove(&waiter->in_conn);
        tcp_conn_waiting(waiter->client.tcp, -1);
    }
    limits_release(worker->netd->waiting_limits, waiter->limit_slot);
    worker->waiting.waiters--;
    free(waiter);
    show(&worker->waiting);
}

static bool retransmitted(const struct pending *pending, const struct netd_question *question,
                          const struct client *client)
{
    unsigned n = 0;
    LIST_FOREACH (at, &pending->waiters) {
        const struct waiter *waiter = CONTAINER_OF(at, struct waiter, in_pending);
        if (waiter->client.tcp == client->tcp && waiter->question.id == question->id &&
            address_equal(&waiter->client.address, &client->address))
            return client->tcp == NULL;
        if (++n == RETRANSMIT_SCAN)
            break;
    }
    return false;
}

static struct waiter *waiter_new(struct worker *worker, const struct netd_question *question,
                                 const struct client *client)
{
    struct waiting *waiting = &worker->waiting;
    if (waiting->waiters >= NETD_MAX_WAITING)
        return NULL;
    int slot = limits_take(worker->netd->waiting_limits, &client->address, NETD_CLIENT_WAITING);
    if (slot < 0)
        return NULL;
    struct waiter *waiter = malloc(sizeof(*waiter));
    if (!waiter) {
        limits_release(worker->netd->waiting_limits, slot);
        return NULL;
    }
    memset(waiter, 0, offsetof(struct waiter, client));
    waiter->client = *client;
    waiter->question = *question;
    waiter->limit_slot = slot;
    waiter->started = worker->env.mono;
    list_init(&waiter->in_conn);
    return waiter;
}

enum waiting_outcome waiting_add(struct worker *worker, const struct netd_question *question,
                                 const struct client *client)
{
    struct waiting *waiting = &worker->waiting;
    struct pending *pending = pending_get(waiting, question);
    if (pending && retransmitted(pending, question, client))
        return WAITING_AGAIN;
    struct waiter *waiter = waiter_new(worker, question, client);
    if (!waiter)
        return WAITING_FULL;
    bool fresh = !pending;
    if (fresh)
        pending = pending_new(worker, question, false);
    if (!pending) {
        limits_release(worker->netd->waiting_limits, waiter->limit_slot);
        free(waiter);
        return WAITING_FULL;
    }
    waiter->pending = pending;
    list_prepend(&pending->waiters, &waiter->in_pending);
    list_append(&waiting->first_timer, &waiter->in_timer);
    if (client->tcp) {
        list_append(tcp_conn_waiters(client->tcp), &waiter->in_conn);
        tcp_conn_waiting(client->tcp, 1);
    }
    waiting->waiters++;
    show(waiting);
    if (fresh) {
        ask(worker, pending);
    } else if (pending->refresh) {
        /* A refresh may take its time; somebody waits now. validatord joins the two. */
        pending->refresh = false;
        ask(worker, pending);
    }
    return WAITING_OK;
}

void waiting_refresh(struct worker *worker, const struct netd_question *question)
{
    if (pending_get(&worker->waiting, question))
        return;
    struct pending *pending = pending_new(worker, question, true);
    if (!pending)
        return;
    stats_add(&worker->stats, STAT_REFRESHES, 1);
    ask(worker, pending);
}

struct pending *waiting_find(struct waiting *waiting, uint64_t id)
{
    uint32_t slot = (uint32_t)(id & 0xffffffu);
    if (slot >= NETD_MAX_PENDING)
        return NULL;
    struct pending *pending = waiting->slots[slot];
    return pending && pending->id == id ? pending : NULL;
}

void waiting_finish(struct worker *worker, struct pending *pending,
                    void (*fn)(struct worker *worker, const struct netd_question *question,
                               const struct client *client, const void *ctx),
                    const void *ctx)
{
    while (!list_empty(&pending->waiters)) {
        /* The longest waiting is last in the list. */
        struct waiter *waiter = CONTAINER_OF(pending->waiters.prev, struct waiter, in_pending);
        struct client client = waiter->client;
        struct netd_question question = waiter->question;
        waiter_free(worker, waiter);
        fn(worker, &question, &client, ctx);
    }
    pending_free(&worker->waiting, pending);
}

void waiting_resend(struct worker *worker)
{
    uint64_t serial = edge_serial(worker->netd->edge);
    LIST_FOREACH (at, &worker->waiting.order) {
        struct pending *pending = CONTAINER_OF(at, struct pending, in_order);
        if (pending->serial != serial)
            ask(worker, pending);
    }
}

/* Runs one queue, whose waiters all wait equally long. */
static mono_ns expire_queue(struct worker *worker, struct list *queue, uint32_t after_ms)
{
    while (!list_empty(queue)) {
        struct waiter *waiter = CONTAINER_OF(queue->next, struct waiter, in_timer);
        mono_ns due = mono_add_ms(waiter->started, after_ms);
        if (!mono_reached(worker->env.mono, due))
            return due;
        bool final = waiter->answered_once || edge_down_ms(worker->netd->edge, worker->env.mono) > 0;
        bool waits = !final && after_ms == 0 && netd_core_waits(&waiter->question);
        if (!waits && serve_timeout(worker, &waiter->question, &waiter->client, final)) {
            waiter_free(worker, waiter);
            continue;
        }
        waiter->answered_once = true;
        list_remove(&waiter->in_timer);
        list_append(waiter->client.tcp ? &worker->waiting.second_tcp : &worker->waiting.second_udp,
                    &waiter->in_timer);
    }
    return MONO_NEVER;
}

mono_ns waiting_expire(struct worker *worker)
{
    struct waiting *waiting = &worker->waiting;
    mono_ns next = expire_queue(worker, &waiting->first_timer, worker->config.stale_client_timeout_ms);
    next = mono_earlier(next, expire_queue(worker, &waiting->second_udp, NETD_UDP_USEFUL_MS));
    next = mono_earlier(next, expire_queue(worker, &waiting->second_tcp, NETD_TCP_USEFUL_MS));
    while (!list_empty(&waiting->order)) {
        struct pending *pending = CONTAINER_OF(waiting->order.next, struct pending, in_order);
        mono_ns due = mono_add_ms(pending->started, PENDING_LIFE_MS);
        if (!mono_reached(worker->env.mono, due))
            return mono_earlier(next, due);
        if (list_empty(&pending->waiters)) {
            pending_free(waiting, pending);
            continue;
        }
        /* Late joiners: a budget of their own, for the question as it is asked now. */
        list_remove(&pending->in_order);
        list_append(&waiting->order, &pending->in_order);
        pending->started = worker->env.mono;
        ask(worker, pending);
    }
    return next;
}

void waiting_forget(struct worker *worker, struct list *conn_waiters)
{
    while (!list_empty(conn_waiters))
        waiter_free(worker, CONTAINER_OF(conn_waiters->next, struct waiter, in_conn));
}

void waiting_fini(struct worker *worker)
{
    struct waiting *waiting = &worker->waiting;
    while (!list_empty(&waiting->order)) {
        struct pending *pending = CONTAINER_OF(waiting->order.next, struct pending, in_order);
        while (!list_empty(&pending->waiters))
            waiter_free(worker, CONTAINER_OF(pending->waiters.next, struct waiter, in_pending));
        pending_free(waiting, pending);
    }
}
