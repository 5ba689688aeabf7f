/* Cache keys: order, subtree prefixes, way back, neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/cache/key.h"
#include "tests/unit/cache/random.h"

static int sign(int n)
{
    return n < 0 ? -1 : n > 0;
}

/* Names over few, awkward octets, so that neighbours and escapes meet often. */
static void make_name(uint64_t *seed, unsigned max_labels, uint8_t name[NAME_MAX])
{
    static const uint8_t octets[] = {0x00, 0x01, 0x02, 'a', 'b', 'z', '*', '-', 0x7f, 0x80, 0xff};
    unsigned at = 0;
    for (unsigned labels = random_up_to(seed, max_labels + 1); labels > 0; labels--) {
        unsigned size = 1 + random_up_to(seed, 4);
        name[at++] = (uint8_t)size;
        while (size--)
            name[at++] = octets[random_up_to(seed, sizeof(octets))];
    }
    name[at] = 0;
}

static void key_order_is_canonical_name_order(void **state)
{
    uint64_t seed = 1;
    for (unsigned i = 0; i < 50000; i++) {
        uint8_t a[NAME_MAX], b[NAME_MAX];
        struct cache_key ka, kb;
        make_name(&seed, 5, a);
        make_name(&seed, 5, b);
        assert_int_equal(cache_key_name(a, &ka), 0);
        assert_int_equal(cache_key_name(b, &kb), 0);
        assert_int_equal(sign(cache_key_compare(cache_key_slice(&ka), cache_key_slice(&kb))),
                         sign(name_compare(a, b)));
        /* the type comes after the name, and before every deeper name */
        uint16_t type_a = (uint16_t)random_next(&seed), type_b = (uint16_t)random_next(&seed);
        assert_int_equal(cache_key_rr(a, type_a, &ka), 0);
        assert_int_equal(cache_key_rr(b, type_b, &kb), 0);
        int expected = name_compare(a, b) ? sign(name_compare(a, b)) : sign((int)type_a - (int)type_b);
        assert_int_equal(sign(cache_key_compare(cache_key_slice(&ka), cache_key_slice(&kb))), expected);
    }
}

static void a_subtree_is_exactly_the_keys_with_its_prefix(void **state)
{
    uint64_t seed = 2;
    for (unsigned i = 0; i < 50000; i++) {
        uint8_t a[NAME_MAX], b[NAME_MAX], joined[NAME_MAX];
        struct cache_key key, prefix;
        make_name(&seed, 3, a);
        make_name(&seed, 3, b);
        if (i % 2 && name_join(a, name_labels(a), b, joined) == 0)
            name_copy(joined, a);
        assert_int_equal(cache_key_rr(a, 1, &key), 0);
        assert_int_equal(cache_key_subtree(b, &prefix), 0);
        assert_int_equal(cache_key_has_prefix(cache_key_slice(&key), cache_key_slice(&prefix)),
                         name_is_under(a, b));
    }
}

static void nsec_keys_keep_the_zones_order(void **state)
{
    uint64_t seed = 3;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t zone[NAME_MAX], a[NAME_MAX], b[NAME_MAX], owner_a[NAME_MAX], owner_b[NAME_MAX],
            back[NAME_MAX];
        struct cache_key ka, kb;
        size_t prefix;
        make_name(&seed, 2, zone);
        make_name(&seed, 3, a);
        make_name(&seed, 3, b);
        assert_int_equal(name_join(a, name_labels(a), zone, owner_a), 0);
        assert_int_equal(name_join(b, name_labels(b), zone, owner_b), 0);
        assert_int_equal(cache_key_nsec(zone, owner_a, &ka), 0);
        assert_int_equal(cache_key_nsec(zone, owner_b, &kb), 0);
        assert_int_equal(sign(cache_key_compare(cache_key_slice(&ka), cache_key_slice(&kb))),
                         sign(name_compare(owner_a, owner_b)));
        assert_int_equal(cache_key_to_owner(cache_key_slice(&ka), zone, back), 0);
        assert_true(name_equal(back, owner_a));
        assert_int_equal(cache_key_to_zone(cache_key_slice(&ka), back, &prefix), 0);
        assert_true(name_equal(back, zone));
        assert_int_equal(cache_key_name(zone, &kb), 0);
        assert_int_equal(prefix, kb.size);
    }
}

static void a_key_leads_back_to_its_name_and_type(void **state)
{
    uint64_t seed = 4;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t name[NAME_MAX], back[NAME_MAX];
        struct cache_key key;
        uint16_t type = (uint16_t)random_next(&seed), got;
        make_name(&seed, 5, name);
        assert_int_equal(cache_key_rr(name, type, &key), 0);
        assert_int_equal(cache_key_to_name(cache_key_slice(&key), back, &got), 0);
        assert_true(name_equal(name, back));
        assert_int_equal(type, got);
        assert_int_equal(cache_key_failure(name, type, &key), 0);
        assert_int_equal(cache_key_to_name(cache_key_slice(&key), back, &got), 0);
        assert_int_equal(type, got);
        assert_int_equal(cache_key_name(name, &key), 0);
        assert_int_equal(cache_key_to_name(cache_key_slice(&key), back, &got), 0);
        assert_true(name_equal(name, back));
        assert_int_equal(got, 0);
        /* no prefix of a key, and no garbage, is more than refused */
        for (uint16_t size = 0; size < key.size; size++)
            cache_key_to_name(slice_make(key.bytes, size), back, &got);
        uint8_t noise[64];
        for (unsigned j = 0; j < sizeof(noise); j++)
            noise[j] = (uint8_t)(random_next(&seed) % 4);
        cache_key_to_name(slice_make(noise, random_up_to(&seed, 65)), back, &got);
    }
    uint8_t back[NAME_MAX];
    uint16_t type;
    assert_int_equal(cache_key_to_name(slice_make("a", 1), back, &type), 1);
    assert_int_equal(cache_key_to_name(slice_make("\x01\x03\0\0", 4), back, &type), 1);
    assert_int_equal(cache_key_to_name(slice_make("a\0\0\0\0\0\0", 7), back, &type), 1);
}

static void the_root_has_a_key_that_is_not_empty(void **state)
{
    struct cache_key key;
    assert_int_equal(cache_key_name(name_root, &key), 0);
    assert_int_equal(key.size, 1);
    assert_int_equal(cache_key_subtree(name_root, &key), 0);
    assert_int_equal(key.size, 0);
}

static void a_key_that_is_too_long_is_refused(void **state)
{
    uint8_t name[NAME_MAX];
    struct cache_key key;
    /* 4 labels of zero octets: each is written as two */
    unsigned at = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned size = i < 3 ? 63 : 61;
        name[at++] = (uint8_t)size;
        memset(name + at, 0, size);
        at += size;
    }
    name[at] = 0;
    assert_int_equal(name_size(name), NAME_MAX);
    assert_int_equal(cache_key_name(name, &key), 0); /* 250 doubled and 5 separators: 505 */
    assert_int_equal(cache_key_rr(name, 1, &key), 0);
    assert_int_equal(cache_key_nsec3(name, 1, 0, slice_make(NULL, 0), slice_make(name, 20), &key), 1);
}

static void names_in_any_case_have_one_key(void **state)
{
    struct cache_key a, b;
    assert_int_equal(cache_key_rr((const uint8_t *)"\3WwW\7eXAMPle\0", 28, &a), 0);
    assert_int_equal(cache_key_rr((const uint8_t *)"\3www\7example\0", 28, &b), 0);
    assert_int_equal(cache_key_compare(cache_key_slice(&a), cache_key_slice(&b)), 0);
    assert_true(cache_key_hash(cache_key_slice(&a)) == cache_key_hash(cache_key_slice(&b)));
}

static void nothing_lies_between_a_key_and_its_neighbours(void **state)
{
    uint64_t seed = 5;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t a[6], b[6];
        struct cache_key before, after;
        size_t size_a = 1 + random_up_to(&seed, 5), size_b = 1 + random_up_to(&seed, 5);
        for (unsigned j = 0; j < 6; j++) {
            a[j] = (uint8_t[]){0, 1, 254, 255}[random_up_to(&seed, 4)];
            b[j] = (uint8_t[]){0, 1, 254, 255}[random_up_to(&seed, 4)];
        }
        struct slice ka = slice_make(a, size_a), kb = slice_make(b, size_b);
        int order = cache_key_compare(ka, kb);
        assert_int_equal(cache_key_before(ka, &before), 0);
        assert_int_equal(cache_key_after(ka, &after), 0);
        assert_true(cache_key_compare(cache_key_slice(&before), ka) < 0);
        assert_true(cache_key_compare(cache_key_slice(&after), ka) > 0);
        if (order > 0)
            assert_true(cache_key_compare(cache_key_slice(&before), kb) >= 0);
        if (order < 0)
            assert_true(cache_key_compare(cache_key_slice(&after), kb) <= 0);
        if (cache_key_after_prefix(ka, &after) == 0) {
            assert_true(cache_key_compare(cache_key_slice(&after), ka) > 0);
            assert_false(cache_key_has_prefix(cache_key_slice(&after), ka));
            if (order < 0)
                assert_int_equal(cache_key_has_prefix(kb, ka),
                                 cache_key_compare(kb, cache_key_slice(&after)) < 0);
        }
    }
    struct cache_key none;
    assert_int_equal(cache_key_before(slice_make(NULL, 0), &none), 1);
    assert_int_equal(cache_key_after_prefix(slice_make("\xff\xff", 2), &none), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_order_is_canonical_name_order),
        cmocka_unit_test(a_subtree_is_exactly_the_keys_with_its_prefix),
        cmocka_unit_test(nsec_keys_keep_the_zones_order),
        cmocka_unit_test(a_key_leads_back_to_its_name_and_type),
        cmocka_unit_test(the_root_has_a_key_that_is_not_empty),
        cmocka_unit_test(a_key_that_is_too_long_is_refused),
        cmocka_unit_test(names_in_any_case_have_one_key),
        cmocka_unit_test(nothing_lies_between_a_key_and_its_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
