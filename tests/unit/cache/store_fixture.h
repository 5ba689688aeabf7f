#pragma once
/* A store in a directory of its own below TMPDIR, removed afterwards. */

#include "common/cache/key.h"
#include "common/cache/store.h"

#define STORE_TEST_BYTES (4u << 20)

struct store_fixture {
    char directory[128];
    int64_t kept_max_s; /* of the stores it opens */
    struct store *store;
};

int store_setup(void **state);
int store_teardown(void **state);
void sf_open(struct store_fixture *f);
void sf_open_sized(struct store_fixture *f, uint64_t bytes);
void sf_close(struct store_fixture *f);
mono_ns sf_now(void);
void sf_sleep_ms(unsigned ms);

/* key: rr key of n-<number>.example., type A. */
void sf_key(uint32_t number, struct cache_key *ret_key);
/* Puts count entries from `first` on, each a valid rr value that expires at `expires`, tagged with
 * generation. */
void sf_put(struct store_fixture *f, uint32_t first, uint32_t count, uint32_t generation, int64_t expires,
            uint64_t epoch);
/* The generation of an entry, or -1: it is not there, or not whole. */
int64_t sf_get(const struct cache_view *view, uint32_t number);
/* One look through a read transaction of its own. */
int64_t sf_look(struct store *store, uint32_t number);
