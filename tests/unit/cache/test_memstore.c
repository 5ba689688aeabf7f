/* The store in memory against a naive model: an array that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/cache/key.h"
#include "common/cache/memstore.h"
#include "tests/unit/cache/random.h"

#define MODEL_MAX 512u

struct model_entry {
    enum cache_db db;
    uint8_t key[3];
    size_t key_size;
    uint32_t value;
    bool tombstone;
};

struct model {
    struct model_entry entries[MODEL_MAX];
    size_t count;
};

static struct slice entry_key(const struct model_entry *entry)
{
    return slice_make(entry->key, entry->key_size);
}

static struct model_entry *model_find(struct model *model, enum cache_db db, struct slice key)
{
    for (size_t i = 0; i < model->count; i++)
        if (model->entries[i].db == db && cache_key_compare(entry_key(&model->entries[i]), key) == 0)
            return &model->entries[i];
    return NULL;
}

static void model_apply(struct model *model, const struct cache_write *write, bool keep_tombstones)
{
    struct model_entry *entry = model_find(model, write->db, write->key);
    if (write->remove && !keep_tombstones) {
        if (entry)
            *entry = model->entries[--model->count];
        return;
    }
    if (!entry) {
        assert_true(model->count < MODEL_MAX);
        entry = &model->entries[model->count++];
        entry->db = write->db;
        entry->key_size = write->key.size;
        memcpy(entry->key, write->key.data, write->key.size);
    }
    entry->tombstone = write->remove;
    if (!write->remove)
        memcpy(&entry->value, write->value.data, sizeof(entry->value));
}

/* What is seen of `over` upon `below` (may be NULL). */
static void model_merge(struct model *over, struct model *below, struct model *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < over->count; i++)
        if (!over->entries[i].tombstone)
            ret->entries[ret->count++] = over->entries[i];
    for (size_t i = 0; below && i < below->count; i++)
        if (!below->entries[i].tombstone &&
            !model_find(over, below->entries[i].db, entry_key(&below->entries[i])))
            ret->entries[ret->count++] = below->entries[i];
}

static const struct model_entry *model_seek(const struct model *model, enum cache_db db, struct slice key,
                                            bool up)
{
    const struct model_entry *best = NULL;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_entry *entry = &model->entries[i];
        int order = cache_key_compare(entry_key(entry), key);
        if (entry->db != db || (up ? order < 0 : order > 0))
            continue;
        if (!best || (up ? cache_key_compare(entry_key(entry), entry_key(best)) < 0
                         : cache_key_compare(entry_key(entry), entry_key(best)) > 0))
            best = entry;
    }
    return best;
}

static void random_key(uint64_t *seed, uint8_t key[3], size_t *ret_size)
{
    *ret_size = 1 + random_up_to(seed, 3);
    for (unsigned i = 0; i < 3; i++)
        key[i] = (uint8_t[]){0, 1, 2, 254, 255}[random_up_to(seed, 5)];
}

static void random_apply(uint64_t *seed, struct memstore *store, struct model *model, bool keep_tombstones)
{
    uint8_t key[3];
    size_t size;
    uint32_t value = (uint32_t)random_next(seed);
    random_key(seed, key, &size);
    struct cache_write write = {.db = random_up_to(seed, 2) ? CACHE_RR : CACHE_NSEC,
                                .remove = random_up_to(seed, 5) < 2,
                                .key = slice_make(key, size),
                                .value = slice_make(&value, sizeof(value))};
    assert_int_equal(memstore_apply(store, &write, keep_tombstones), 0);
    model_apply(model, &write, keep_tombstones);
    assert_int_equal(memstore_count(store), model->count);
}

static void same_entry(int r, struct slice key, struct slice value, const struct model_entry *expected)
{
    assert_int_equal(r, expected ? 0 : CACHE_MISS);
    if (!expected)
        return;
    assert_int_equal(cache_key_compare(key, entry_key(expected)), 0);
    assert_int_equal(value.size, sizeof(expected->value));
    assert_memory_equal(value.data, &expected->value, sizeof(expected->value));
}

static void same_view(uint64_t *seed, const struct cache_view *view, struct model *expected)
{
    for (unsigned i = 0; i < 20; i++) {
        uint8_t bytes[3];
        size_t size;
        enum cache_db db = random_up_to(seed, 2) ? CACHE_RR : CACHE_NSEC;
        random_key(seed, bytes, &size);
        struct slice key = slice_make(bytes, size), at = key, value = {0};
        int r = view->get(view->ctx, db, key, &value);
        same_entry(r, key, value, model_find(expected, db, key));
        r = view->seek_le(view->ctx, db, key, &at, &value);
        same_entry(r, at, value, model_seek(expected, db, key, false));
        r = view->seek_ge(view->ctx, db, key, &at, &value);
        same_entry(r, at, value, model_seek(expected, db, key, true));
    }
}

static void a_store_alone_agrees_with_the_model(void **state)
{
    uint64_t seed = 11;
    struct memstore *store = memstore_new();
    static struct model model, seen;
    struct cache_view view;
    model.count = 0;
    memstore_view(store, NULL, &view);
    for (unsigned i = 0; i < 3000; i++) {
        random_apply(&seed, store, &model, false);
        model_merge(&model, NULL, &seen);
        same_view(&seed, &view, &seen);
    }
    memstore_free(store);
}

static void an_overlay_with_tombstones_agrees_with_the_model(void **state)
{
    uint64_t seed = 12;
    struct memstore *below = memstore_new(), *over = memstore_new();
    static struct model below_model, over_model, seen;
    struct cache_view below_view, view, alone;
    below_model.count = over_model.count = 0;
    memstore_view(below, NULL, &below_view);
    memstore_view(over, &below_view, &view);
    memstore_view(over, NULL, &alone);
    for (unsigned i = 0; i < 4000; i++) {
        random_apply(&seed, below, &below_model, false);
        random_apply(&seed, over, &over_model, true);
        model_merge(&over_model, &below_model, &seen);
        same_view(&seed, &view, &seen);
        model_merge(&over_model, NULL, &seen);
        same_view(&seed, &alone, &seen);
        if (i % 500 == 499) {
            memstore_clear(over);
            over_model.count = 0;
        }
    }
    memstore_free(over);
    memstore_free(below);
}

struct walk {
    struct cache_write last;
    size_t count, stop_at;
};

static int walk_one(void *ctx, const struct cache_write *write)
{
    struct walk *walk = ctx;
    if (walk->count++ && write->db == walk->last.db)
        assert_true(cache_key_compare(walk->last.key, write->key) < 0);
    else if (walk->count > 1)
        assert_true(walk->last.db < write->db);
    walk->last = *write;
    return walk->count == walk->stop_at ? 7 : 0;
}

static void each_goes_in_key_order_and_stops_when_told(void **state)
{
    uint64_t seed = 13;
    struct memstore *store = memstore_new();
    static struct model model;
    model.count = 0;
    for (unsigned i = 0; i < 400; i++)
        random_apply(&seed, store, &model, true);
    struct walk walk = {0};
    assert_int_equal(memstore_each(store, walk_one, &walk), 0);
    assert_int_equal(walk.count, memstore_count(store));
    walk = (struct walk){.stop_at = 5};
    assert_int_equal(memstore_each(store, walk_one, &walk), 7);
    assert_int_equal(walk.count, 5);
    memstore_free(store);
}

static void a_hundred_thousand_sorted_keys_stay_quick(void **state)
{
    struct memstore *store = memstore_new();
    struct cache_view view;
    memstore_view(store, NULL, &view);
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct cache_write write = {
            .db = CACHE_RR, .key = slice_make(key, 4), .value = slice_make(&i, sizeof(i))};
        assert_int_equal(memstore_apply(store, &write, false), 0);
    }
    assert_int_equal(memstore_count(store), 100000);
    for (uint32_t i = 0; i < 100000; i += 3) {
        uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct cache_write write = {.db = CACHE_RR, .remove = true, .key = slice_make(key, 4)};
        struct slice value;
        assert_int_equal(view.get(view.ctx, CACHE_RR, slice_make(key, 4), &value), 0);
        assert_memory_equal(value.data, &i, sizeof(i));
        assert_int_equal(memstore_apply(store, &write, false), 0);
        assert_int_equal(view.get(view.ctx, CACHE_RR, slice_make(key, 4), &value), CACHE_MISS);
    }
    assert_int_equal(memstore_count(store), 100000 - 33334);
    memstore_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_alone_agrees_with_the_model),
        cmocka_unit_test(an_overlay_with_tombstones_agrees_with_the_model),
        cmocka_unit_test(each_goes_in_key_order_and_stops_when_told),
        cmocka_unit_test(a_hundred_thousand_sorted_keys_stay_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
