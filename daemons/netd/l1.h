#pragma once
/* L1: ready replies in wire form, shared by the workers. A set-associative table whose readers RCU protects:
 * a hit takes no lock and no memory.
 *
 * Key: name, type, and the bits of the question that change a reply's bytes (DO, CD, AD, RD, EDNS). The
 * transport and the client's room do not: only whole replies are kept, and one that is too big for a client
 * is a miss. Filling takes a mutex, and evicts by CLOCK: an entry that was never hit again goes first, so
 * that a flood of names asked once cannot push out what is asked often. DESIGN 3.2, 4. */

#include "daemons/netd/core/netd_core.h"

struct l1;

struct l1_stats {
    uint64_t entries, bytes, cap_bytes, inserted, evicted, refused_older;
};

/* Of what the bytes were made from: the epoch, and the commit (or verdict) that they belong to; and what the
 * reply is, for the counters. */
struct l1_tag {
    uint64_t epoch, sequence;
    struct netd_told told;
};

struct l1_hit {
    uint64_t popularity; /* cache_key_hash of the entry's rr key */
    struct netd_told told;
    bool refresh; /* in the last tenth of its life, told to one caller only */
};

struct l1 *l1_new(size_t cap_bytes, struct siphash_key key);
/* Has the kernel give the table its next pages, a piece at a time (*at: 0 at first, then left alone), so that
 * questions do not fault them in one by one. Any thread, beside readers and fillers. false: that was all, or
 * the kernel does not know how. */
bool l1_settle(struct l1 *l1, size_t *at);
/* All readers must be gone. */
void l1_free(struct l1 *l1);
/* The hash of the question's key, for the next three. A batch is taken through them one after the other, all
 * questions through each, so that memory is read for all of them at once. */
uint64_t l1_hash(const struct l1 *l1, const struct netd_question *question);
void l1_prefetch_set(const struct l1 *l1, uint64_t hash);
/* Inside an RCU read section, as is the next. */
void l1_prefetch_entry(const struct l1 *l1, uint64_t hash);
/* true: the question's reply is in reply. `turn` picks the rotation. */
bool l1_get(struct l1 *l1, const struct netd_question *question, uint64_t hash, uint64_t epoch, wall_s now,
            uint32_t turn, uint8_t *reply, size_t room, size_t *ret_size, struct l1_hit *ret_hit);
/* Keeps a reply for keep_s seconds unless it cannot be indexed, is too big, or what is there is newer. The
 * thread is registered with RCU. */
void l1_put(struct l1 *l1, const struct netd_question *question, const uint8_t *reply, size_t size,
            struct l1_tag tag, wall_s now, uint32_t keep_s, uint64_t popularity);
void l1_stats(struct l1 *l1, struct l1_stats *ret_stats);
