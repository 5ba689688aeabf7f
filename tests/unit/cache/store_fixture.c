#include "tests/unit/cache/store_fixture.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cache/entry.h"

int store_setup(void **state)
{
    struct store_fixture *f = calloc(1, sizeof(*f));
    const char *base = getenv("TMPDIR");
    snprintf(f->directory, sizeof(f->directory), "%s/holdfast-store-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(f->directory));
    *state = f;
    return 0;
}

int store_teardown(void **state)
{
    struct store_fixture *f = *state;
    sf_close(f);
    DIR *dir = opendir(f->directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(f->directory);
    free(f);
    return 0;
}

void sf_open_sized(struct store_fixture *f, uint64_t bytes)
{
    struct store_config config = {.directory = f->directory,
                                  .size_bytes = bytes,
                                  .commit_interval_ms = 100,
                                  .kept_max_s = f->kept_max_s};
    char *quarantined;
    assert_int_equal(store_open_writer(&config, &f->store, &quarantined), 0);
    assert_null(quarantined);
}

void sf_open(struct store_fixture *f)
{
    sf_open_sized(f, STORE_TEST_BYTES);
}

void sf_close(struct store_fixture *f)
{
    store_close(TAKE(f->store));
}

mono_ns sf_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (mono_ns){.ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec};
}

void sf_sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

static void make_name(uint32_t number, uint8_t name[NAME_MAX])
{
    char text[64];
    snprintf(text, sizeof(text), "n-%08u.example.", number);
    assert_int_equal(name_from_text(text, name), 0);
}

void sf_key(uint32_t number, struct cache_key *ret_key)
{
    uint8_t name[NAME_MAX];
    make_name(number, name);
    assert_int_equal(cache_key_rr(name, TYPE_A, ret_key), 0);
}

void sf_put(struct store_fixture *f, uint32_t first, uint32_t count, uint32_t generation, int64_t expires,
            uint64_t epoch)
{
    struct cache_write *writes = calloc(count, sizeof(*writes));
    struct cache_key *keys = calloc(count, sizeof(*keys));
    struct arena *arena = arena_new(64u << 20);
    for (uint32_t i = 0; i < count; i++) {
        struct rdata rdata = {.data = (const uint8_t *)&generation, .size = 4};
        struct cache_rr rr = {.rrset = {.type = TYPE_A,
                                        .class = CLASS_IN,
                                        .ttl = first + i,
                                        .count = 1,
                                        .rdata = &rdata,
                                        .rank = RANK_ANSWER,
                                        .security = SECURITY_INSECURE},
                              .expires = {.s = expires}};
        sf_key(first + i, &keys[i]);
        /* in disorder, as a queue is: 7919 is a prime */
        struct cache_write *write = &writes[(i * 7919u) % count];
        write->db = CACHE_RR;
        write->epoch = epoch;
        write->key = cache_key_slice(&keys[i]);
        assert_int_equal(cache_rr_encode(arena, write->key, &rr, &write->value), 0);
    }
    assert_int_equal(store_commit(f->store, writes, count, epoch, sf_now()), 0);
    arena_free(arena);
    free(keys);
    free(writes);
}

int64_t sf_get(const struct cache_view *view, uint32_t number)
{
    struct cache_key key;
    struct slice value;
    uint8_t name[NAME_MAX];
    struct cache_rr rr;
    int64_t generation = -1;
    struct arena *arena = arena_new(65536);
    make_name(number, name);
    sf_key(number, &key);
    if (view->get(view->ctx, CACHE_RR, cache_key_slice(&key), &value) == 0 &&
        cache_rr_decode(arena, cache_key_slice(&key), value, name, TYPE_A, &rr) == 0 &&
        rr.rrset.ttl == number) {
        uint32_t found;
        memcpy(&found, rr.rrset.rdata[0].data, sizeof(found));
        generation = found;
    }
    arena_free(arena);
    return generation;
}

int64_t sf_look(struct store *store, uint32_t number)
{
    struct cache_view view;
    assert_int_equal(store_read_begin(store, sf_now(), &view), 0);
    int64_t generation = sf_get(&view, number);
    store_read_end(store);
    return generation;
}
