#pragma once
/* Threads that check signatures, so that the event loop never waits for cryptography. DESIGN 2, 6.
 *
 * Requests go in by one queue; outcomes come back on the loop, many with one wake-up of an eventfd. The
 * threads are niced below the loop's, so that a flood of signatures slows validation and not the answers from
 * the cache. */

#include <systemd/sd-event.h>

#include "daemons/validatord/core/crypto.h"

#define VERIFY_POOL_MAX_THREADS 16u
#define VERIFY_POOL_NICE                                                                                     \
    5 /* above the loop's own: the scheduler then gives it about a third of the share                        \
       */

struct verify_pool;

struct verify_pool_handlers {
    /* One check is done. On the loop. */
    void (*done)(void *ctx, uint64_t id, enum verify_outcome outcome);
    /* All outcomes of this wake-up were handed over. May be NULL. */
    void (*idle)(void *ctx);
};

/* 0 or -errno. Its threads run when this returns. */
int verify_pool_new(sd_event *event, unsigned threads, const struct verify_pool_handlers *handlers, void *ctx,
                    struct verify_pool **ret_pool);
/* Waits for the checks at hand; those still queued are dropped. */
void verify_pool_free(struct verify_pool *pool);
/* The request's bytes are borrowed until its outcome was handed over. 0 or -ENOMEM. */
int verify_pool_submit(struct verify_pool *pool, uint64_t id, const struct verify_request *request);
/* Wakes the threads for what was submitted since. */
void verify_pool_kick(struct verify_pool *pool);
