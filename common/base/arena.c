#include "common/base/arena.h"

#include <stdalign.h>

#include <stdlib.h>
#include <string.h>

/* Blocks grow, each four times the one before: what a question itself needs fits into the first, what one or
 * two messages leave of theirs into the second. Rooms that nothing uses are pages that every burst has to
 * fetch. */
#define ARENA_FIRST_BYTES 1024u
#define ARENA_BLOCK_BYTES 8192u

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(max_align_t) uint8_t bytes[];
};

struct arena {
    struct block *first, *last;
    size_t limit, taken, used;
};

static struct block *block_new(struct arena *arena, size_t size)
{
    if (size > arena->limit - arena->taken)
        return NULL;
    struct block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    *block = (struct block){.size = size};
    arena->taken += size;
    return block;
}

struct arena *arena_new(size_t limit_bytes)
{
    struct arena *arena = calloc(1, sizeof(*arena));
    if (!arena)
        return NULL;
    arena->limit = limit_bytes;
    return arena;
}

static void blocks_free(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    blocks_free(arena->first);
    free(arena);
}

/* size bytes as they come. */
static void *take(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - alignof(max_align_t))
        return NULL;
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct block *block = arena->last;
    if (!block || block->size - block->used < rounded) {
        size_t room = arena->limit - arena->taken;
        size_t step = block ? MIN(block->size * 4, (size_t)ARENA_BLOCK_BYTES) : ARENA_FIRST_BYTES;
        size_t want = MAX(rounded, MIN(room, step));
        struct block *fresh = block_new(arena, want);
        if (!fresh)
            return NULL;
        if (block)
            block->next = fresh;
        else
            arena->first = fresh;
        arena->last = block = fresh;
    }
    void *at = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *at = take(arena, size);
    if (at)
        memset(at, 0, size);
    return at;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *at = take(arena, size ? size : 1);
    if (at && size)
        memcpy(at, data, size);
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(arena, total ? total : 1);
}

void arena_reset(struct arena *arena)
{
    struct block *keep = arena->first;

    /* The largest of the ordinary ones, so that an arena used over and over settles at one block. */
    for (struct block *block = keep; block; block = block->next)
        if (block->size > keep->size && block->size <= ARENA_BLOCK_BYTES)
            keep = block;
    for (struct block *block = arena->first, *next; block; block = next) {
        next = block->next;
        if (block != keep)
            free(block);
    }
    arena->first = arena->last = keep;
    arena->used = arena->taken = 0;
    if (!keep)
        return;
    keep->next = NULL;
    keep->used = 0;
    arena->taken = keep->size;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
