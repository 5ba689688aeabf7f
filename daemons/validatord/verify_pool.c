#include "daemons/validatord/verify_pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemons/validatord/crypto_openssl.h"

/* Checks a thread takes at once: each batch wakes the loop once, which on one processor is two switches of
 * threads. The last of it waits for 15 others, a millisecond, where so many are queued anyway. */
#define TAKE_BATCH 16u

struct check {
    struct check *next;
    uint64_t id;
    struct verify_request request;
    enum verify_outcome outcome;
};

/* A queue as singly linked list with its end. */
struct queue {
    struct check *first, **end;
    size_t count;
};

struct verify_pool {
    struct verify_pool_handlers handlers;
    void *ctx;
    int wake_fd;
    sd_event_source *wake;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    struct queue todo, done;
    unsigned idle; /* threads that wait for work */
    bool stop;
    struct queue submitted; /* since the last kick; the loop's alone, as is what follows */
    unsigned thread_count;
    pthread_t threads[VERIFY_POOL_MAX_THREADS];
    struct verifier *verifiers[VERIFY_POOL_MAX_THREADS];
};

struct thread_start {
    struct verify_pool *pool;
    struct verifier *verifier;
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.end = &queue->first};
}

static void queue_put(struct queue *queue, struct check *check)
{
    check->next = NULL;
    *queue->end = check;
    queue->end = &check->next;
    queue->count++;
}

static struct check *queue_take(struct queue *queue)
{
    struct check *check = queue->first;

    if (!check)
        return NULL;
    queue->first = check->next;
    if (!queue->first)
        queue->end = &queue->first;
    queue->count--;
    return check;
}

/* All of `from` to the end of `queue`. */
static void queue_move(struct queue *queue, struct queue *from)
{
    if (!from->first)
        return;
    *queue->end = from->first;
    queue->end = from->end;
    queue->count += from->count;
    queue_init(from);
}

static struct check *queue_take_all(struct queue *queue)
{
    struct check *first = queue->first;

    queue_init(queue);
    return first;
}

static void *run_thread(void *arg)
{
    struct thread_start start = *(struct thread_start *)arg;
    struct verify_pool *pool = start.pool;
    struct check *taken[TAKE_BATCH];
    size_t count, share;

    free(arg);
    /* Linux: a priority is a thread's, and 0 is the caller. Refused at worst, which costs fairness only. */
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + VERIFY_POOL_NICE);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && !pool->todo.first) {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
        }
        if (pool->stop)
            break;
        /* A fair share of a small burst, so that the other threads have some of it too. */
        share = MIN(pool->todo.count / pool->thread_count + 1, TAKE_BATCH);
        for (count = 0; count < share && pool->todo.first; count++)
            taken[count] = queue_take(&pool->todo);
        pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < count; i++)
            taken[i]->outcome = verifier_check(start.verifier, &taken[i]->request);
        pthread_mutex_lock(&pool->lock);
        bool first = !pool->done.first;
        for (size_t i = 0; i < count; i++)
            queue_put(&pool->done, taken[i]);
        if (first)
            (void)!write(pool->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct verify_pool *pool = userdata;
    struct check *check;
    uint64_t count;

    (void)!read(fd, &count, sizeof(count));
    pthread_mutex_lock(&pool->lock);
    check = queue_take_all(&pool->done);
    pthread_mutex_unlock(&pool->lock);
    while (check) {
        struct check *next = check->next;

        pool->handlers.done(pool->ctx, check->id, check->outcome);
        free(check);
        check = next;
    }
    if (pool->handlers.idle)
        pool->handlers.idle(pool->ctx);
    return 0;
}

static int start_thread(struct verify_pool *pool)
{
    struct thread_start *start = malloc(sizeof(*start));
    struct verifier *verifier;
    sigset_t all, before;
    int r;

    if (!start)
        return -ENOMEM;
    r = verifier_new(&verifier);
    if (r < 0) {
        free(start);
        return r;
    }
    *start = (struct thread_start){.pool = pool, .verifier = verifier};
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&pool->threads[pool->thread_count], NULL, run_thread, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r) {
        verifier_free(verifier);
        free(start);
        return -r;
    }
    pthread_mutex_lock(&pool->lock);
    pool->verifiers[pool->thread_count++] = verifier;
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

int verify_pool_new(sd_event *event, unsigned threads, const struct verify_pool_handlers *handlers, void *ctx,
                    struct verify_pool **ret_pool)
{
    struct verify_pool *pool = calloc(1, sizeof(*pool));
    int r;

    if (!pool)
        return -ENOMEM;
    pool->handlers = *handlers;
    pool->ctx = ctx;
    queue_init(&pool->todo);
    queue_init(&pool->done);
    queue_init(&pool->submitted);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = pool->wake_fd < 0 ? -errno
                          : sd_event_add_io(event, &pool->wake, pool->wake_fd, EPOLLIN, on_wake, pool);
    threads = MAX(1u, MIN(threads, VERIFY_POOL_MAX_THREADS));
    while (r >= 0 && pool->thread_count < threads)
        r = start_thread(pool);
    if (r < 0) {
        verify_pool_free(pool);
        return r;
    }
    *ret_pool = pool;
    return 0;
}

static void free_checks(struct check *check)
{
    while (check) {
        struct check *next = check->next;

        free(check);
        check = next;
    }
}

void verify_pool_free(struct verify_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        pthread_join(pool->threads[i], NULL);
        verifier_free(pool->verifiers[i]);
    }
    free_checks(queue_take_all(&pool->todo));
    free_checks(queue_take_all(&pool->done));
    free_checks(queue_take_all(&pool->submitted));
    sd_event_source_disable_unref(pool->wake);
    if (pool->wake_fd >= 0)
        close(pool->wake_fd);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int verify_pool_submit(struct verify_pool *pool, uint64_t id, const struct verify_request *request)
{
    struct check *check = malloc(sizeof(*check));

    if (!check)
        return -ENOMEM;
    *check = (struct check){.id = id, .request = *request};
    queue_put(&pool->submitted, check);
    return 0;
}

void verify_pool_kick(struct verify_pool *pool)
{
    size_t wake, count = pool->submitted.count;

    if (!count)
        return;
    pthread_mutex_lock(&pool->lock);
    queue_move(&pool->todo, &pool->submitted);
    wake = MIN(count, (size_t)pool->idle);
    pthread_mutex_unlock(&pool->lock);
    /* A thread at work looks for more before it waits: only those that wait are woken, and no more than there
     * are checks. */
    while (wake--)
        pthread_cond_signal(&pool->work);
}
