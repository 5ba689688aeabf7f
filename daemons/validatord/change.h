#pragma once
/* A change to what the cache says, as one operation of the writer's thread: the change and the raised epoch
 * in one transaction, synced; then, on the loop, it takes effect and is answered (DESIGN 4, epoch). */

#include "common/cache/outdated.h"
#include "daemons/validatord/control.h"

#define CHANGE_ARENA_BYTES 65536u

enum change_kind {
    CHANGE_FLUSH,
    CHANGE_PICKED,
    CHANGE_INCIDENT_END,
    CHANGE_NTA_ADD,
    CHANGE_NTA_REMOVE,
    CHANGE_NTA_EXPIRE,
    CHANGE_NTA_VALID, /* a probe found that its zone validates */
};

struct change {
    struct writer_op op;
    struct validatord *v;
    struct control_request *to; /* NULL: nobody asked */
    enum change_kind kind;
    unsigned pick; /* enum outdated_pick */
    uint8_t name[NAME_MAX];
    bool tree;
    /* NTA */
    struct arena *arena;
    struct cache_key key;
    struct slice value;
    struct cache_nta nta;
    struct answer_ede why; /* of what failed when it came */
    /* results */
    uint64_t epoch;
    int64_t removed;
};

/* NULL: memory is short, and `to` was told. */
struct change *change_new(struct validatord *v, struct control_request *to, enum change_kind kind,
                          const uint8_t *name);
void change_free(struct change *change);
/* Hands it over, behind what is queued: a removal by kind would miss that. */
void change_submit(struct change *change);
static inline bool change_is_nta(const struct change *change)
{
    return change->kind >= CHANGE_NTA_ADD;
}
/* control_nta.c: an NTA's change was persisted; takes effect and is answered. */
void nta_changed(struct change *change);
