/* The LMDB store in one process: commits, views, epochs, sweep, flush. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/cache/fixture.h"
#include "tests/unit/cache/random.h"
#include "tests/unit/cache/store_fixture.h"

#define FAR_FUTURE (INT64_C(1) << 35)
/* Large, so that what lies under lease is little beside what lives. */
#define FILL_BYTES (8u << 20)
#define FILL_BATCH 1000u

static void what_was_committed_is_there_after_a_reopen(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    sf_put(f, 0, 500, 1, FAR_FUTURE, 0);
    sf_put(f, 250, 500, 2, FAR_FUTURE, 0);
    sf_close(f);
    sf_open(f);
    assert_true(store_last_clean_close(f->store).s > 0);
    assert_false(store_boot_changed(f->store));
    for (uint32_t i = 0; i < 800; i++)
        assert_int_equal(sf_look(f->store, i), i < 250 ? 1 : i < 750 ? 2 : -1);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_RR], 750);
    assert_int_equal(stats.map_bytes, STORE_TEST_BYTES);
    assert_true(stats.used_bytes > 750 * 80 && stats.used_bytes < STORE_TEST_BYTES);
}

static void the_files_have_the_modes_that_keep_readers_out_of_the_lock(void **state)
{
    struct store_fixture *f = *state;
    char path[192];
    struct stat st;
    mode_t before = umask(0077);
    sf_open(f);
    umask(before);
    snprintf(path, sizeof(path), "%s/data.mdb", f->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_true(st.st_size >= STORE_TEST_BYTES);
    snprintf(path, sizeof(path), "%s/lock.mdb", f->directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_second_writer_is_refused(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    struct store_config config = {.directory = f->directory, .size_bytes = STORE_TEST_BYTES};
    struct store *second = NULL;
    char *quarantined = NULL;
    assert_int_equal(store_open_writer(&config, &second, &quarantined), -EBUSY);
    assert_null(second);
}

static void a_reader_without_a_file_is_told_so(void **state)
{
    struct store_fixture *f = *state;
    struct store *reader = NULL;
    assert_int_equal(store_open_reader(f->directory, &reader), CACHE_MISS);
    assert_null(reader);
}

static void of_several_writes_for_a_key_the_last_counts(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    struct cache_write writes[] = {
        {.db = CACHE_ZONE, .key = slice_make("a", 1), .value = slice_make("1", 1)},
        {.db = CACHE_ZONE, .key = slice_make("b", 1), .value = slice_make("1", 1)},
        {.db = CACHE_ZONE, .key = slice_make("a", 1), .value = slice_make("2", 1)},
        {.db = CACHE_ZONE, .remove = true, .key = slice_make("b", 1)},
        {.db = CACHE_ZONE, .remove = true, .key = slice_make("c", 1)},
        {.db = CACHE_ZONE, .key = slice_make("c", 1), .value = slice_make("3", 1)},
        {.db = CACHE_ZONE, .key = slice_make("", 0), .value = slice_make("3", 1)},
    };
    assert_int_equal(store_commit(f->store, writes, ARRAY_SIZE(writes), 0, sf_now()), 0);
    struct cache_view view;
    struct slice value;
    assert_int_equal(store_read_begin(f->store, sf_now(), &view), 0);
    assert_int_equal(view.get(view.ctx, CACHE_ZONE, slice_make("a", 1), &value), 0);
    assert_memory_equal(value.data, "2", 1);
    assert_int_equal(view.get(view.ctx, CACHE_ZONE, slice_make("b", 1), &value), CACHE_MISS);
    assert_int_equal(view.get(view.ctx, CACHE_ZONE, slice_make("c", 1), &value), 0);
    store_read_end(f->store);
}

static void views_seek_as_the_memory_store_does(void **state)
{
    struct store_fixture *f = *state;
    struct cache_view view, expected;
    struct memstore *model = memstore_new();
    sf_open(f);
    struct cache_write writes[200];
    uint8_t keys[200][2];
    for (unsigned i = 0; i < 200; i++) {
        keys[i][0] = (uint8_t)(i * 37 % 251);
        keys[i][1] = (uint8_t)(i * 11 % 7);
        writes[i] = (struct cache_write){.db = i % 3 ? CACHE_NSEC : CACHE_RR,
                                         .key = slice_make(keys[i], 1 + i % 2),
                                         .value = slice_make(keys[i], 2)};
        assert_int_equal(memstore_apply(model, &writes[i], false), 0);
    }
    assert_int_equal(store_commit(f->store, writes, 200, 0, sf_now()), 0);
    memstore_view(model, NULL, &expected);
    for (unsigned round = 0; round < 2; round++) { /* cursors of a renewed transaction as well */
        assert_int_equal(store_read_begin(f->store, sf_now(), &view), 0);
        for (unsigned i = 0; i < 65536; i += 13) {
            uint8_t bytes[2] = {(uint8_t)(i >> 8), (uint8_t)(i & 7)};
            struct slice key = slice_make(bytes, i % 5 ? 2 : i % 2), k[2] = {0}, v[2] = {0};
            enum cache_db db = i % 2 ? CACHE_RR : CACHE_NSEC;
            assert_int_equal(view.seek_le(view.ctx, db, key, &k[0], &v[0]),
                             expected.seek_le(expected.ctx, db, key, &k[1], &v[1]));
            assert_int_equal(cache_key_compare(k[0], k[1]), 0);
            assert_int_equal(view.seek_ge(view.ctx, db, key, &k[0], &v[0]),
                             expected.seek_ge(expected.ctx, db, key, &k[1], &v[1]));
            assert_int_equal(cache_key_compare(k[0], k[1]), 0);
            assert_int_equal(cache_key_compare(v[0], v[1]), 0);
        }
        store_read_end(f->store);
    }
    memstore_free(model);
}

static void writes_of_an_older_epoch_are_dropped_and_the_epoch_is_kept(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    sf_put(f, 0, 10, 1, FAR_FUTURE, 3);
    assert_int_equal(store_epoch(f->store), 3);
    sf_put(f, 5, 10, 2, FAR_FUTURE, 2);
    assert_int_equal(sf_look(f->store, 4), 1);
    assert_int_equal(sf_look(f->store, 5), 1);
    assert_int_equal(sf_look(f->store, 12), -1);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.dropped_old_epoch, 10);
    /* an operator's NTA is never too old */
    struct cache_write nta = {.db = CACHE_NTA, .key = slice_make("z", 1), .value = slice_make("v", 1)};
    assert_int_equal(store_commit(f->store, &nta, 1, 0, sf_now()), 0);
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_NTA], 1);
    assert_int_equal(store_flush(f->store, (const uint8_t *)"\7example", true), 10);
    assert_int_equal(store_epoch(f->store), 4);
    sf_close(f);
    sf_open(f);
    assert_int_equal(store_epoch(f->store), 4);
    assert_int_equal(store_commit(f->store, NULL, 0, 9, sf_now()), 0);
    assert_int_equal(store_epoch(f->store), 9);
}

static int count_entry(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct cache_key *last = ctx;
    assert_int_equal(db, CACHE_RR);
    if (last->size)
        assert_true(cache_key_compare(key, cache_key_slice(last)) > 0);
    memcpy(last->bytes, key.data, key.size);
    last->size = (uint16_t)key.size;
    return 0;
}

static void a_walk_in_chunks_sees_every_entry_once(void **state)
{
    struct store_fixture *f = *state;
    struct cache_key last = {0}, from = {0};
    unsigned seen = 0;
    sf_open(f);
    sf_put(f, 0, 333, 1, FAR_FUTURE, 0);
    for (int n; (n = store_walk(f->store, CACHE_RR, cache_key_slice(&from), 50, count_entry, &last)) > 0;) {
        seen += (unsigned)n;
        assert_int_equal(cache_key_after(cache_key_slice(&last), &from), 0);
    }
    assert_int_equal(seen, 333);
}

/* Fills the map to `percent` with entries of which every second is long past all limits. Once it is getting
 * full the leases are waited for: what lies under them would else fill it, and the writer make room for
 * itself. */
static uint32_t fill(struct store_fixture *f, unsigned percent, int64_t expires_even, int64_t expires_odd)
{
    struct store_stats stats;
    uint32_t number = 0;
    do {
        for (unsigned i = 0; i < 2; i++) {
            sf_put(f, number, FILL_BATCH, 1, i ? expires_odd : expires_even, 0);
            number += FILL_BATCH;
        }
        assert_int_equal(store_stats(f->store, &stats), 0);
        if (stats.used_bytes * 100 / stats.map_bytes > 70)
            sf_sleep_ms(STORE_READER_LEASE_MS + 100);
    } while (stats.used_bytes * 100 / stats.map_bytes < percent);
    assert_int_equal(stats.swept, 0);
    return number;
}

static uint64_t used_percent(struct store_fixture *f)
{
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), 0);
    return stats.used_bytes * 100 / stats.map_bytes;
}

static unsigned sweep_all(struct store_fixture *f, unsigned (*popularity)(void *ctx, uint64_t hash),
                          void *ctx)
{
    unsigned removed = 0, slices = 0;
    do {
        int n = store_sweep(f->store, NOW, 1000, 300, popularity, ctx);
        assert_true(n >= 0);
        removed += (unsigned)n;
        if (n == 0 && store_sweep_active(f->store))
            sf_sleep_ms(20); /* it may wait for a lease */
        assert_true(++slices < 10000);
    } while (store_sweep_active(f->store));
    return removed;
}

static void a_sweep_does_nothing_below_its_threshold(void **state)
{
    struct store_fixture *f = *state;
    sf_open_sized(f, FILL_BYTES);
    fill(f, 50, 1, 1);
    assert_int_equal(sweep_all(f, NULL, NULL), 0);
    assert_false(store_sweep_active(f->store));
}

static void a_sweep_first_takes_what_is_past_every_limit(void **state)
{
    struct store_fixture *f = *state;
    sf_open_sized(f, FILL_BYTES);
    uint32_t count = fill(f, 82, NOW.s - 2000, NOW.s - 500);
    assert_true(sweep_all(f, NULL, NULL) > 0);
    assert_true(used_percent(f) < STORE_SWEEP_STOP_PCT);
    for (uint32_t i = 0; i < count; i++)
        if (i / FILL_BATCH % 2)
            assert_int_equal(sf_look(f->store, i), 1);
}

static unsigned by_set(void *ctx, uint64_t hash)
{
    const uint64_t *popular = ctx;
    for (unsigned i = 0; i < 20; i++)
        if (popular[i] == hash)
            return 200;
    return 0;
}

static void a_sweep_spares_what_is_popular_and_zones(void **state)
{
    struct store_fixture *f = *state;
    uint64_t popular[20];
    sf_open_sized(f, FILL_BYTES);
    struct cache_zone zone = {.ds_state = DS_NONE, .ds_expires = NOW};
    struct arena *arena = arena_new(65536);
    struct cache_key zone_key;
    assert_int_equal(cache_key_name((const uint8_t *)"\7example", &zone_key), 0);
    struct cache_write write = {.db = CACHE_ZONE, .key = cache_key_slice(&zone_key)};
    assert_int_equal(cache_zone_encode(arena, write.key, &zone, &write.value), 0);
    assert_int_equal(store_commit(f->store, &write, 1, 0, sf_now()), 0);
    arena_free(arena);
    uint32_t count = fill(f, 84, NOW.s + 1000, NOW.s + 1000);
    for (uint32_t i = 0; i < 20; i++) {
        struct cache_key key;
        sf_key(i * (count / 20), &key);
        popular[i] = cache_key_hash(cache_key_slice(&key));
    }
    assert_true(sweep_all(f, by_set, popular) > 0);
    assert_true(used_percent(f) < STORE_SWEEP_STOP_PCT);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(sf_look(f->store, i * (count / 20)), 1);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_ZONE], 1);
    assert_int_equal(stats.swept + stats.entries[CACHE_RR], count);
}

/* A zone record and an NSEC record that expired so long ago. */
static void put_links(struct store_fixture *f, const char *name, int64_t past_s)
{
    struct arena *arena = arena_new(65536);
    struct cache_key keys[2];
    struct cache_write writes[2] = {{.db = CACHE_ZONE}, {.db = CACHE_NSEC}};
    struct cache_zone zone = {.ds_state = DS_NONE, .ds_expires = {.s = NOW.s - past_s}};
    struct rdata rdata = {.data = (const uint8_t *)"\0\0\1@", .size = 4};
    uint8_t owner[NAME_MAX];
    assert_int_equal(name_from_text(name, owner), 0);
    struct cache_rr nsec = {.rrset = {.owner = owner,
                                      .type = TYPE_NSEC,
                                      .class = CLASS_IN,
                                      .count = 1,
                                      .rdata = &rdata,
                                      .rank = RANK_ANSWER,
                                      .security = SECURITY_SECURE},
                            .expires = {.s = NOW.s - past_s}};
    assert_int_equal(cache_key_name(owner, &keys[0]), 0);
    assert_int_equal(cache_key_nsec((const uint8_t *)"\7example", owner, &keys[1]), 0);
    for (unsigned i = 0; i < 2; i++)
        writes[i].key = cache_key_slice(&keys[i]);
    assert_int_equal(cache_zone_encode(arena, writes[0].key, &zone, &writes[0].value), 0);
    assert_int_equal(cache_rr_encode(arena, writes[1].key, &nsec, &writes[1].value), 0);
    assert_int_equal(store_commit(f->store, writes, 2, 0, sf_now()), 0);
    arena_free(arena);
}

/* stale.delegation_max_age may be set to as much as 28 d: then that is how long it lasts, and no less. */
static void a_sweep_spares_kept_links_as_long_as_they_may_be_used(void **state)
{
    struct store_fixture *f = *state;
    struct store_stats stats;
    f->kept_max_s = INT64_C(28) * 86400;
    sf_open_sized(f, FILL_BYTES);
    put_links(f, "a.example.", INT64_C(27) * 86400);
    put_links(f, "b.example.", INT64_C(29) * 86400);
    fill(f, 84, NOW.s + 1000, NOW.s + 1000);
    assert_true(sweep_all(f, NULL, NULL) > 0);
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_ZONE], 1);
    assert_int_equal(stats.entries[CACHE_NSEC], 1);
}

static void kept_links_go_with_the_rest_where_nothing_is_kept(void **state)
{
    struct store_fixture *f = *state;
    struct store_stats stats;
    sf_open_sized(f, FILL_BYTES);
    put_links(f, "a.example.", 2000);
    fill(f, 84, NOW.s + 1000, NOW.s + 1000);
    assert_true(sweep_all(f, NULL, NULL) > 0);
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_ZONE], 0);
    assert_int_equal(stats.entries[CACHE_NSEC], 0);
}

static void a_full_map_is_survived(void **state)
{
    struct store_fixture *f = *state;
    sf_open_sized(f, 1u << 20);
    uint32_t number = 0;
    for (unsigned i = 0; i < 16; i++, number += 1000)
        sf_put(f, number, 1000, i, FAR_FUTURE, 0); /* asserts that each commit succeeds */
    assert_int_equal(sf_look(f->store, number - 1), 15);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_true(stats.swept > 0);
}

/* Entries "n<number>" of generation `generation`, value of `size` octets that says both. */
static void put_numbers(struct store_fixture *f, const uint32_t *numbers, uint32_t count, uint32_t generation,
                        size_t size)
{
    struct cache_write *writes = calloc(count, sizeof(*writes));
    uint8_t(*keys)[16] = calloc(count, sizeof(*keys)), *values = calloc(count, size);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *value = values + (size_t)i * size;
        int key_size = snprintf((char *)keys[i], sizeof(keys[i]), "n%u", numbers[i]);
        memcpy(value, &numbers[i], 4);
        memcpy(value + 4, &generation, 4);
        writes[(i * 7919u) % count] = (struct cache_write){
            .db = CACHE_RR, .key = slice_make(keys[i], (size_t)key_size), .value = slice_make(value, size)};
    }
    assert_int_equal(store_commit(f->store, writes, count, 0, sf_now()), 0);
    free(values);
    free(keys);
    free(writes);
}

struct seen_numbers {
    const uint32_t *generations; /* of each number; 0: it was never put */
    uint32_t limit, count;
};

static int see_number(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    struct seen_numbers *seen = ctx;
    uint32_t number, generation;
    char text[16];
    if (db != CACHE_RR)
        return 1;
    memcpy(&number, value.data, 4);
    memcpy(&generation, value.data + 4, 4);
    int size = snprintf(text, sizeof(text), "n%u", number);
    assert_true(number < seen->limit);
    assert_int_equal(key.size, size);
    assert_memory_equal(key.data, text, key.size);
    assert_int_equal(generation, seen->generations[number]);
    seen->count++;
    return 0;
}

static void look_at_numbers(struct store_fixture *f, struct seen_numbers *seen)
{
    uint32_t there = 0;
    seen->count = 0;
    assert_true(store_walk(f->store, CACHE_RR, (struct slice){0}, seen->limit + 1, see_number, seen) >= 0);
    for (uint32_t i = 0; i < seen->limit; i++)
        there += seen->generations[i] != 0;
    assert_int_equal(seen->count, there);
}

/* As a zone's names come when they are asked by number: each new ten lie between two that are there. */
static void names_that_come_in_order_fill_their_pages(void **state)
{
    struct store_fixture *f = *state;
    enum { NUMBERS = 20000, BATCH = 400, VALUE = 110 };
    uint32_t numbers[BATCH], *generations = calloc(NUMBERS, sizeof(*generations));
    struct seen_numbers seen = {.generations = generations, .limit = NUMBERS};
    struct store_stats stats;
    uint64_t octets = 0;
    sf_open_sized(f, 64u << 20);
    for (uint32_t number = 0; number < NUMBERS;) {
        for (unsigned i = 0; i < BATCH; i++, number++) {
            char text[16];
            numbers[i] = number;
            generations[number] = 1;
            octets += 10 + VALUE + (unsigned)snprintf(text, sizeof(text), "n%u", number);
        }
        put_numbers(f, numbers, BATCH, 1, VALUE);
    }
    look_at_numbers(f, &seen);
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_RR], NUMBERS);
    /* put one by one in this order they fill 56 % */
    assert_true(stats.used_bytes < octets * 100 / 66);
    free(generations);
}

/* Batches of new, known and repeated entries, near each other and far apart, some too large to be moved. */
static void what_is_put_between_others_loses_none_of_them(void **state)
{
    struct store_fixture *f = *state;
    enum { NUMBERS = 6000, MOST = 300 };
    uint32_t numbers[MOST], *generations = calloc(NUMBERS, sizeof(*generations));
    struct seen_numbers seen = {.generations = generations, .limit = NUMBERS};
    uint64_t seed = 5;
    sf_open_sized(f, 64u << 20);
    for (uint32_t batch = 1; batch <= 120; batch++) {
        uint32_t count = 1 + random_up_to(&seed, MOST), at = random_up_to(&seed, NUMBERS);
        uint32_t step = 1 + random_up_to(&seed, batch % 3 ? 3 : 400);
        size_t size = batch % 7 ? 60 + random_up_to(&seed, 200) : 1500;
        count = MIN(count, (uint32_t)NUMBERS / step); /* no number twice */
        for (uint32_t i = 0; i < count; i++, at += step)
            generations[numbers[i] = at % NUMBERS] = batch;
        put_numbers(f, numbers, count, batch, size);
    }
    look_at_numbers(f, &seen);
    free(generations);
}

/* Commits one behind the other, each of which touches every page, fill a map with pages that a lease
 * still holds: one lease later they are free, and nothing need go for it. */
static void a_map_full_of_pages_under_lease_loses_no_entry(void **state)
{
    struct store_fixture *f = *state;
    struct store_stats stats;
    sf_open_sized(f, 2u << 20);
    for (unsigned i = 0; i < 12; i++)
        sf_put(f, 0, 5000, i, FAR_FUTURE, 0); /* about 0.4 MiB, all of it anew each time */
    assert_int_equal(store_stats(f->store, &stats), 0);
    assert_int_equal(stats.entries[CACHE_RR], 5000);
    assert_int_equal(stats.swept, 0);
    assert_int_equal(sf_look(f->store, 4999), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_committed_is_there_after_a_reopen, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(the_files_have_the_modes_that_keep_readers_out_of_the_lock,
                                        store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(a_second_writer_is_refused, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(a_reader_without_a_file_is_told_so, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(of_several_writes_for_a_key_the_last_counts, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(views_seek_as_the_memory_store_does, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(writes_of_an_older_epoch_are_dropped_and_the_epoch_is_kept,
                                        store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(a_walk_in_chunks_sees_every_entry_once, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(a_sweep_does_nothing_below_its_threshold, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_sweep_first_takes_what_is_past_every_limit, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_sweep_spares_what_is_popular_and_zones, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_sweep_spares_kept_links_as_long_as_they_may_be_used, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(kept_links_go_with_the_rest_where_nothing_is_kept, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_full_map_is_survived, store_setup, store_teardown),
        cmocka_unit_test_setup_teardown(names_that_come_in_order_fill_their_pages, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(what_is_put_between_others_loses_none_of_them, store_setup,
                                        store_teardown),
        cmocka_unit_test_setup_teardown(a_map_full_of_pages_under_lease_loses_no_entry, store_setup,
                                        store_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
