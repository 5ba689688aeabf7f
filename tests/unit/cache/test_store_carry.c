/* What comes over from a damaged file: NTAs and trust anchors, as far as they can be read. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cache/entry.h"
#include "tests/unit/cache/store_fixture.h"

#define FAR_FUTURE (INT64_C(1) << 35)
#define REASON     "a reason to find in the file"

static void zone_key(const char *zone, struct cache_key *ret_key)
{
    uint8_t name[NAME_MAX];
    assert_int_equal(name_from_text(zone, name), 0);
    assert_int_equal(cache_key_name(name, ret_key), 0);
}

static void commit(struct store_fixture *f, const struct cache_write *write)
{
    assert_int_equal(store_commit(f->store, write, 1, write->epoch, sf_now()), 0);
}

static void put_nta(struct store_fixture *f, const char *zone, const char *reason)
{
    struct arena *arena = arena_new(65536);
    const struct cache_nta nta = {.source = NTA_OPERATOR,
                                  .added = {.s = 1},
                                  .expires = {.s = FAR_FUTURE},
                                  .reason = slice_make(reason, strlen(reason)),
                                  .author = slice_make("op", 2)};
    struct cache_write write = {.db = CACHE_NTA, .epoch = 7};
    struct cache_key key;
    zone_key(zone, &key);
    write.key = cache_key_slice(&key);
    assert_int_equal(cache_nta_encode(arena, write.key, &nta, &write.value), 0);
    commit(f, &write);
    arena_free(arena);
}

static void remove_nta(struct store_fixture *f, const char *zone)
{
    struct cache_key key;
    zone_key(zone, &key);
    commit(f,
           &(struct cache_write){.db = CACHE_NTA, .remove = true, .key = cache_key_slice(&key), .epoch = 7});
}

static void put_anchor(struct store_fixture *f, const char *zone)
{
    struct arena *arena = arena_new(65536);
    struct cache_anchor anchor = {0};
    struct cache_write write = {.db = CACHE_ANCHOR, .epoch = 7};
    struct cache_key key;
    anchor.keys[0] = (struct anchor_key){.state = ANCHOR_VALID,
                                         .sources = ANCHOR_LEARNED,
                                         .tag = 4711,
                                         .algorithm = 13,
                                         .digest_type = 2,
                                         .digest_size = 32};
    zone_key(zone, &key);
    write.key = cache_key_slice(&key);
    assert_int_equal(cache_anchor_encode(arena, write.key, &anchor, &write.value), 0);
    commit(f, &write);
    arena_free(arena);
}

static bool has(struct store_fixture *f, enum cache_db db, const char *zone)
{
    struct cache_view view;
    struct cache_key key;
    struct slice value;
    struct cache_anchor anchor;
    struct cache_nta nta;
    struct arena *arena = arena_new(65536);
    zone_key(zone, &key);
    assert_int_equal(store_read_begin(f->store, sf_now(), &view), 0);
    bool found = view.get(view.ctx, db, cache_key_slice(&key), &value) == 0 &&
                 (db == CACHE_NTA ? cache_nta_decode(arena, cache_key_slice(&key), value, &nta)
                                  : cache_anchor_decode(cache_key_slice(&key), value, &anchor)) == 0;
    store_read_end(f->store);
    arena_free(arena);
    return found;
}

/* Zeroes `size` octets at each place where the file holds `text` (NULL: at its beginning). The number of
 * places. */
static unsigned spoil(struct store_fixture *f, const char *text, size_t size)
{
    static const uint8_t zeros[8192];
    static uint8_t bytes[STORE_TEST_BYTES];
    char path[192];
    unsigned places = 0;
    snprintf(path, sizeof(path), "%s/data.mdb", f->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t have = pread(fd, bytes, sizeof(bytes), 0);
    assert_true(have > 0);
    if (!text) {
        assert_int_equal(pwrite(fd, zeros, size, 0), size);
        places = 1;
    }
    for (size_t i = 0; text && i + strlen(text) <= (size_t)have; i++)
        if (memcmp(bytes + i, text, strlen(text)) == 0) {
            assert_int_equal(pwrite(fd, zeros, size, (off_t)i), size);
            places++;
        }
    close(fd);
    return places;
}

/* Moves the file aside, as for damage, opens a new one, and takes over. */
static struct store_carried begin_anew(struct store_fixture *f)
{
    struct store_carried carried;
    char *path = NULL;
    sf_close(f);
    assert_int_equal(store_quarantine(f->directory, &path), 0);
    sf_open(f);
    assert_int_equal(store_carry_over(f->store, NULL, &carried), 0);
    assert_true(carried.tried);
    assert_string_equal(carried.from, path);
    free(path);
    return carried;
}

static void ntas_and_anchors_come_over_and_nothing_else_does(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    sf_put(f, 0, 100, 1, FAR_FUTURE, 7);
    put_nta(f, "a.example.", "why");
    put_nta(f, "b.example.", "why");
    put_anchor(f, ".");
    struct store_carried carried = begin_anew(f);
    assert_int_equal(carried.ntas, 2);
    assert_int_equal(carried.anchors, 1);
    assert_int_equal(carried.lost, 0);
    assert_true(carried.ntas_read && carried.anchors_read);
    assert_true(has(f, CACHE_NTA, "a.example.") && has(f, CACHE_NTA, "b.example."));
    assert_true(has(f, CACHE_ANCHOR, "."));
    assert_int_equal(sf_look(f->store, 5), -1);
    assert_int_equal(store_epoch(f->store), 7);
    /* and once only */
    sf_close(f);
    sf_open(f);
    assert_int_equal(store_carry_over(f->store, NULL, &carried), CACHE_MISS);
    assert_false(carried.tried);
    assert_true(has(f, CACHE_NTA, "a.example."));
}

static void removed_nta_does_not_come_back_from_an_old_page(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    put_nta(f, "a.example.", REASON);
    remove_nta(f, "a.example.");
    put_nta(f, "b.example.", "why");
    sf_close(f);
    /* its octets are still there, on a page that nothing leads to */
    assert_true(spoil(f, REASON, 0) > 0);
    sf_open(f);
    struct store_carried carried = begin_anew(f);
    assert_int_equal(carried.ntas, 1);
    assert_false(has(f, CACHE_NTA, "a.example."));
    assert_true(has(f, CACHE_NTA, "b.example."));
}

static void damaged_record_is_counted_and_the_others_come_over(void **state)
{
    struct store_fixture *f = *state;
    sf_open(f);
    put_nta(f, "a.example.", REASON);
    put_nta(f, "b.example.", "why");
    put_anchor(f, "example.");
    sf_close(f);
    assert_true(spoil(f, REASON, strlen(REASON)) > 0);
    sf_open(f);
    struct store_carried carried = begin_anew(f);
    assert_int_equal(carried.ntas, 1);
    assert_int_equal(carried.lost, 1);
    assert_int_equal(carried.anchors, 1);
    assert_true(has(f, CACHE_NTA, "b.example."));
    assert_false(has(f, CACHE_NTA, "a.example."));
}

static void file_without_a_head_says_that_all_is_lost(void **state)
{
    struct store_fixture *f = *state;
    struct store_carried carried;
    struct store_config config = {.directory = f->directory, .size_bytes = STORE_TEST_BYTES};
    char *quarantined = NULL;
    sf_open(f);
    put_nta(f, "a.example.", "why");
    sf_close(f);
    spoil(f, NULL, 8192);
    assert_int_equal(store_open_writer(&config, &f->store, &quarantined), 0);
    assert_non_null(quarantined);
    free(quarantined);
    assert_int_equal(store_carry_over(f->store, NULL, &carried), 0);
    assert_true(carried.tried);
    assert_int_equal(carried.ntas + carried.anchors, 0);
    assert_false(carried.ntas_read);
    assert_false(carried.anchors_read);
}

static void new_file_beside_no_damaged_one_takes_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct store_carried carried;
    sf_open(f);
    assert_int_equal(store_carry_over(f->store, NULL, &carried), CACHE_MISS);
    assert_false(carried.tried);
}

#define T(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ntas_and_anchors_come_over_and_nothing_else_does),
        T(removed_nta_does_not_come_back_from_an_old_page),
        T(damaged_record_is_counted_and_the_others_come_over),
        T(file_without_a_head_says_that_all_is_lost),
        T(new_file_beside_no_damaged_one_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
