#pragma once
/* An ordered map in memory with the same view as the LMDB store: the overlay of what validatord has queued
 * but not yet committed, and the whole cache of the replay player and the unit tests. Pure. */

#include "common/cache/view.h"

struct memstore;

struct memstore *memstore_new(void);
void memstore_free(struct memstore *store);
/* Applies one write (copies key and value). With keep_tombstones a removal hides an entry of the layer below.
 * 0 or -ENOMEM. */
int memstore_apply(struct memstore *store, const struct cache_write *write, bool keep_tombstones);
/* View on the store alone, or over `below` (may be NULL; must outlive the view). A store lies over one
 * `below` at a time: a second view over another one changes the first. What a view hands out is valid until
 * the next change. */
void memstore_view(struct memstore *store, const struct cache_view *below, struct cache_view *ret_view);
size_t memstore_count(const struct memstore *store);
/* Drops everything. */
void memstore_clear(struct memstore *store);
/* Calls fn for every entry in key order (tombstones: remove true); stops when fn returns non-zero. */
int memstore_each(const struct memstore *store, int (*fn)(void *ctx, const struct cache_write *write),
                  void *ctx);
