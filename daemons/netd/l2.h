#pragma once
/* L2: this worker's reader of the shared cache. Opens when there is a file, opens anew when the file's
 * generation changes, and does without when validatord says that there is none to be trusted.
 * DESIGN 1.2, 3.3, 4. */

#include "common/cache/store.h"

struct l2 {
    const char *directory;
    struct store *store;
    uint64_t generation; /* of the file that is open */
    mono_ns next_try;
    int last_error; /* so that a lasting failure is logged once */
};

/* A read transaction on the file of that generation (0: validatord unknown yet, whatever is there; L2_CLOSED:
 * none). 0; 1: no cache now. */
#define L2_CLOSED UINT64_MAX
int l2_begin(struct l2 *l2, uint64_t generation, mono_ns now, struct cache_view *ret_view);
void l2_end(struct l2 *l2);
/* What was read since l2_begin() must be thrown away: the writer's lease may have ended. */
bool l2_expired(const struct l2 *l2, mono_ns now);
void l2_close(struct l2 *l2);
