/* base: arena, sort, text, SipHash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/arena.h"
#include "common/base/siphash.h"
#include "common/base/sort.h"
#include "common/base/text.h"

static void siphash_gives_the_published_vector(void **state)
{
    uint8_t key_bytes[16], input[15];
    for (uint8_t i = 0; i < 16; i++)
        key_bytes[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        input[i] = i;
    struct siphash_key key;
    memcpy(&key, key_bytes, sizeof(key));
    assert_true(siphash24(&key, input, sizeof(input)) == 0xa129ca6149be45e5ULL);
}

static void arena_refuses_more_than_its_limit(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(10000);
    assert_non_null(arena_alloc(arena, 9000));
    assert_null(arena_alloc(arena, 9000));
    assert_non_null(arena_alloc(arena, 100));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 9000));
}

static void arena_memory_is_zeroed_and_aligned_after_a_reset(void **state)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(1 << 20);
    memset(arena_alloc(arena, 64), 0xff, 64);
    arena_reset(arena);
    uint8_t *p = arena_alloc(arena, 33), zero[33] = {0};
    assert_memory_equal(p, zero, 33);
    assert_int_equal((uintptr_t)arena_alloc(arena, 1) % 16, 0);
}

static int compare_ints(const void *a, const void *b, void *ctx)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void sort_orders_every_small_permutation(void **state)
{
    for (unsigned n = 0; n < 4096; n++) {
        int v[6];
        for (unsigned i = 0, bits = n; i < 6; i++, bits >>= 2)
            v[i] = (int)(bits & 3);
        sort_array(v, 6, sizeof(int), compare_ints, NULL);
        for (unsigned i = 1; i < 6; i++)
            assert_true(v[i - 1] <= v[i]);
    }
}

static void text_is_cut_and_terminated_when_full(void **state)
{
    char buf[8];
    struct text t = text_make(buf, sizeof(buf));
    text_add(&t, "key ");
    text_add_uint(&t, 33834);
    assert_string_equal(buf, "key 338");
    assert_true(t.cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_vector),
        cmocka_unit_test(arena_refuses_more_than_its_limit),
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned_after_a_reset),
        cmocka_unit_test(sort_orders_every_small_permutation),
        cmocka_unit_test(text_is_cut_and_terminated_when_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
