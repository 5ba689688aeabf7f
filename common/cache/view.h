#pragma once
/* The read-only table through which cores see the cache: LMDB in the daemons, LMDB under an overlay in
 * validatord, a memory store in the replay player. Bytes handed out stay valid until the core returns to its
 * shell (the shell keeps the read transaction that long). DESIGN 2, 4. */

#include "common/base/util.h"

enum cache_db {
    CACHE_RR,     /* name, type        -> entry of a positive RRset */
    CACHE_NSEC,   /* zone, owner       -> validated NSEC with RRSIGs */
    CACHE_NSEC3,  /* zone, parameters, hash -> validated NSEC3 with RRSIGs */
    CACHE_ZONE,   /* zone              -> delegation, DS or proof of none, DNSKEY */
    CACHE_NEG,    /* name, type        -> negative answer, or remembered failure */
    CACHE_NTA,    /* zone              -> negative trust anchor */
    CACHE_ANCHOR, /* zone              -> RFC 5011 state of its trust anchors */
    CACHE_INFRA,  /* address           -> server state */
    CACHE_META,   /* text              -> format version, epoch, boot id, last clean close */
    CACHE_DB_COUNT
};

#define CACHE_MISS 1 /* outcome of get and seek: there is none */

struct cache_view {
    void *ctx;
    int (*get)(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value);
    /* the entry with the greatest key <= key */
    int (*seek_le)(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                   struct slice *ret_value);
    /* the entry with the least key >= key */
    int (*seek_ge)(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                   struct slice *ret_value);
};

/* One change to the cache: a core's action, queued for the one writer. Bytes belong to the arena of whoever
 * made it until the shell has copied them. */
struct cache_write {
    enum cache_db db;
    bool remove;
    struct slice key, value;
    uint64_t epoch; /* the epoch under which it was judged; the writer drops one of an older epoch */
};
