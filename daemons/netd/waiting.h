#pragma once
/* The questions of one worker that wait for validatord.
 *
 * Identical questions join: one Resolve per (name, type, CD) is outstanding, a pending; each client that
 * asked is a waiter on it. Caps: in all and a client (THREATS: DNSBomb). A waiter has two dates, both
 * constant from its start, so two queues in order of arrival are timers enough: first the client response
 * timer (stale data may be given), then the end of its useful life (SERVFAIL; nothing is ever sent later). A
 * pending outlives its waiters: the verdict still fills L1. */

#include "common/base/list.h"
#include "daemons/netd/netd.h"

struct client;
struct worker;

struct pending {
    struct list in_bucket, in_order;
    uint32_t slot;
    uint64_t id;
    uint64_t serial; /* of the connection under which it was asked */
    mono_ns started;
    struct list waiters;
    uint8_t qname[NAME_MAX];
    uint16_t qtype;
    bool checking_disabled, refresh;
};

#define WAITING_BUCKETS 4096u

struct waiting {
    struct siphash_key key;
    struct list buckets[WAITING_BUCKETS];
    struct list order; /* pendings, the oldest first */
    struct list first_timer, second_udp, second_tcp;
    struct pending *slots[NETD_MAX_PENDING];
    uint32_t free_slots[NETD_MAX_PENDING];
    uint32_t free_count;
    uint32_t generation; /* makes ids of a reused slot differ */
    uint32_t waiters;
    _Atomic uint32_t waiters_shown, pendings_shown; /* for the control thread */
};

enum waiting_outcome {
    WAITING_OK = 0,
    WAITING_FULL = 1,  /* a cap: answer at once */
    WAITING_AGAIN = 2, /* the same client's retransmission: nothing to do */
};

void waiting_init(struct waiting *waiting, struct siphash_key key);
void waiting_fini(struct worker *worker);

/* Lets the client wait; asks validatord unless that was done. */
enum waiting_outcome waiting_add(struct worker *worker, const struct netd_question *question,
                                 const struct client *client);
/* Asks for fresh data although the cache has some; no client waits. */
void waiting_refresh(struct worker *worker, const struct netd_question *question);
/* The pending with that id, or NULL: none (any more). */
struct pending *waiting_find(struct waiting *waiting, uint64_t id);
/* Hands each waiter of pending to fn and frees them, then pending itself. */
void waiting_finish(struct worker *worker, struct pending *pending,
                    void (*fn)(struct worker *worker, const struct netd_question *question,
                               const struct client *client, const void *ctx),
                    const void *ctx);
/* validatord came back: everything pending is asked again, within what is left of its budget. */
void waiting_resend(struct worker *worker);
/* Runs due timers; returns the next date. */
mono_ns waiting_expire(struct worker *worker);
/* The connection is gone: so are its waiters. */
void waiting_forget(struct worker *worker, struct list *conn_waiters);
