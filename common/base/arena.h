#pragma once
/* Arena: memory of one question (or job, fetch, message) that dies as a whole.
 *
 * Bounded: arena_new() is told how many bytes it may ever take from the heap; beyond it allocations return
 * NULL and the caller gives the question up. That is how the memory of a question is budgeted. */

#include "common/base/util.h"

struct arena;

/* A new arena that will never hold more than limit_bytes. NULL when memory is short. */
struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *arena);
static inline void arena_freep(struct arena **p)
{
    arena_free(*p);
}

/* size bytes, aligned for any object, zeroed. NULL when the limit or memory is reached. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of size bytes (size may be 0: then a valid pointer to nothing). NULL as above. */
void *arena_copy(struct arena *arena, const void *data, size_t size);
/* count objects of size bytes each, zeroed, overflow checked. NULL as above. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Everything allocated so far is given back, the arena stays usable (one block of it is kept). */
void arena_reset(struct arena *arena);
/* Bytes handed out since the arena was made or reset. */
size_t arena_used(const struct arena *arena);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
