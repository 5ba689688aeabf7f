#include "daemons/validatord/core/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

static const struct algorithm_policy modern = {.allow_sha1 = false}, with_sha1 = {.allow_sha1 = true};

/* RFC 4034 5.4 and RFC 4509 2.3: one key, its SHA-1 and its SHA-256 DS. */
static const char rfc4034_key[] =
    "dskey.example.com. 86400 IN DNSKEY 256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/"
    "2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9Xzc"
    "nOf+EPbtG9DMBmADjFDc2w/rljwvFw==\n"
    "dskey.example.com. 86400 IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n"
    "dskey.example.com. 86400 IN DS 60485 5 2 "
    "D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n";

/* RFC 6605 6. */
static const char rfc6605_keys[] =
    "p256.example.net. 3600 IN DNSKEY 257 3 13 "
    "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==\n"
    "example.net. 3600 IN DNSKEY 257 3 14 "
    "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8"
    "/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40\n"
    "example.net. 3600 IN DS 10771 14 4 "
    "72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6\n";

struct fixture {
    struct arena *arena;
    struct digester *digester;
    struct crypto_ops ops;
    struct rrset_list list;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 20);
    assert_int_equal(digester_new(&f->digester), 0);
    f->ops = digester_ops(f->digester);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    digester_free(f->digester);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

static struct rrset *read_one(struct fixture *f, const char *text, const char *owner, uint16_t type)
{
    f->list = (struct rrset_list){0};
    zone_text_read(f->arena, text, &f->list);
    return zone_text_find(&f->list, owner, type);
}

static void key_tag_is_that_of_rfc_4034(void **state)
{
    struct rrset *keys = read_one(*state, rfc4034_key, "dskey.example.com", TYPE_DNSKEY);
    struct dnskey key;

    assert_int_equal(dnskey_parse(&keys->rdata[0], &key), 0);
    assert_int_equal(key.tag, 60485);
    assert_int_equal(key.flags, 256);
    assert_int_equal(key.protocol, 3);
    assert_int_equal(key.algorithm, 5);
}

static void ds_digests_of_the_rfcs_name_their_keys(void **state)
{
    struct fixture *f = *state;
    struct rrset *keys = read_one(f, rfc4034_key, "dskey.example.com", TYPE_DNSKEY);
    struct rrset *ds_set = zone_text_find(&f->list, "dskey.example.com", TYPE_DS);
    struct dnskey key;
    struct ds ds;

    assert_int_equal(dnskey_parse(&keys->rdata[0], &key), 0);
    for (unsigned i = 0; i < ds_set->count; i++) {
        assert_int_equal(ds_parse(&ds_set->rdata[i], &ds), 0);
        assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 0);
    }
    keys = read_one(f, rfc6605_keys, "example.net", TYPE_DNSKEY);
    ds_set = zone_text_find(&f->list, "example.net", TYPE_DS);
    assert_int_equal(dnskey_parse(&keys->rdata[0], &key), 0);
    assert_int_equal(ds_parse(&ds_set->rdata[0], &ds), 0);
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 0);
}

static void ds_of_another_owner_digest_or_tag_names_no_key(void **state)
{
    struct fixture *f = *state;
    struct rrset *keys = read_one(f, rfc4034_key, "dskey.example.com", TYPE_DNSKEY);
    struct rrset *ds_set = zone_text_find(&f->list, "dskey.example.com", TYPE_DS);
    const uint8_t *other = zone_text_name(f->arena, "other.example.com");
    uint8_t flipped[32];
    struct dnskey key;
    struct ds ds;

    assert_int_equal(dnskey_parse(&keys->rdata[0], &key), 0);
    assert_int_equal(ds_parse(&ds_set->rdata[1], &ds), 0);
    assert_int_equal(ds_matches_key(&f->ops, other, &ds, &key), 1);
    ds.tag++;
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 1);
    ds.tag--;
    ds.algorithm = 7;
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 1);
    ds.algorithm = 5;
    ds.digest.size = 31; /* a prefix of the right digest */
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 1);
    ds.digest.size = 32;
    memcpy(flipped, ds.digest.data, 32);
    flipped[31] ^= 1;
    ds.digest.data = flipped;
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 1);
    ds.digest_type = 3;
    assert_int_equal(ds_matches_key(&f->ops, keys->owner, &ds, &key), 2);
}

static void short_records_are_malformed(void **state)
{
    const uint8_t bytes[4] = {1, 1, 3, 8};
    struct rdata rdata = {.data = bytes, .size = sizeof(bytes)};
    struct dnskey key;
    struct ds ds;

    assert_int_equal(dnskey_parse(&rdata, &key), 1);
    assert_int_equal(ds_parse(&rdata, &ds), 1);
}

static void sha1_counts_as_unsupported_unless_allowed(void **state)
{
    struct rrset *ds =
        read_one(*state, "a. 1 IN DS 1 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n", "a", TYPE_DS);

    assert_false(ds_set_supported(&modern, ds));
    assert_true(ds_set_supported(&with_sha1, ds));
    assert_false(algorithm_supported(&modern, ALG_RSASHA1));
    assert_false(algorithm_supported(&modern, ALG_RSASHA1_NSEC3));
    assert_true(algorithm_supported(&with_sha1, ALG_RSASHA1_NSEC3));
    assert_true(algorithm_supported(&modern, ALG_ED448));
    assert_false(algorithm_supported(&with_sha1, ALG_RSAMD5));
    assert_false(algorithm_supported(&with_sha1, ALG_DSA));
    assert_false(digest_supported(&with_sha1, DIGEST_GOST));
}

static void unknown_algorithms_and_digests_leave_a_ds_set_unsupported(void **state)
{
    struct rrset *ds = read_one(*state, "a. 1 IN DS 1 8 3 2BB1\na. 1 IN DS 1 250 2 2BB1\n", "a", TYPE_DS);

    assert_false(ds_set_supported(&with_sha1, ds));
    assert_false(ds_set_usable(&with_sha1, ds, 0));
}

static void sha1_ds_is_ignored_beside_a_stronger_one_of_its_algorithm(void **state)
{
    struct rrset *ds =
        read_one(*state,
                 "a. 1 IN DS 1 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n"
                 "a. 1 IN DS 1 13 1 2BB183AF5F22588179A53B0A98631FAD1A292118\n"
                 "a. 1 IN DS 1 8 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n",
                 "a", TYPE_DS);

    assert_false(ds_set_usable(&with_sha1, ds, 0));
    assert_true(ds_set_usable(&with_sha1, ds, 1));
    assert_true(ds_set_usable(&with_sha1, ds, 2));
}

static void only_unrevoked_zone_keys_of_protocol_3_sign_zone_data(void **state)
{
    struct dnskey key = {.flags = DNSKEY_FLAG_ZONE, .protocol = 3};

    assert_true(dnskey_is_zone_key(&key));
    key.flags = DNSKEY_FLAG_ZONE | DNSKEY_FLAG_REVOKE;
    assert_false(dnskey_is_zone_key(&key));
    key.flags = DNSKEY_FLAG_SEP;
    assert_false(dnskey_is_zone_key(&key));
    key = (struct dnskey){.flags = DNSKEY_FLAG_ZONE, .protocol = 2};
    assert_false(dnskey_is_zone_key(&key));
}

/* An RSA key of that many modulus octets (first one given) and exponent octets. */
static struct dnskey rsa_key(uint8_t *bytes, size_t exponent_size, uint8_t exponent_last, size_t modulus_size,
                             uint8_t modulus_first)
{
    memset(bytes, 0x55, 1 + exponent_size + modulus_size);
    bytes[0] = (uint8_t)exponent_size;
    bytes[exponent_size] = exponent_last;
    bytes[1 + exponent_size] = modulus_first;
    return (struct dnskey){.algorithm = ALG_RSASHA256,
                           .public_key = slice_make(bytes, 1 + exponent_size + modulus_size)};
}

static void rsa_keys_of_an_odd_shape_count_as_unsupported(void **state)
{
    uint8_t bytes[1024];
    struct dnskey key;

    key = rsa_key(bytes, 3, 1, 256, 0x80);
    assert_true(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 3, 1, 512, 0x80);
    assert_true(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 3, 1, 513, 0x01); /* 4097 bit */
    assert_false(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 3, 1, 63, 0xff); /* below 512 bit */
    assert_false(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 6, 1, 256, 0x80); /* a big exponent */
    assert_false(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 3, 2, 256, 0x80); /* even */
    assert_false(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 1, 1, 256, 0x80); /* e = 1 */
    assert_false(dnskey_usable(&modern, &key));
    key = rsa_key(bytes, 3, 1, 256, 0x80);
    key.public_key.size = 4; /* no modulus */
    assert_false(dnskey_usable(&modern, &key));
    key.public_key.size = 0;
    assert_false(dnskey_usable(&modern, &key));
}

static void curve_keys_have_one_size(void **state)
{
    uint8_t bytes[97] = {0};
    const struct {
        uint8_t algorithm;
        size_t size;
    } curves[] = {{ALG_ECDSAP256, 64}, {ALG_ECDSAP384, 96}, {ALG_ED25519, 32}, {ALG_ED448, 57}};

    for (size_t i = 0; i < ARRAY_SIZE(curves); i++) {
        struct dnskey key = {.algorithm = curves[i].algorithm,
                             .public_key = slice_make(bytes, curves[i].size)};

        assert_true(dnskey_usable(&modern, &key));
        key.public_key.size++;
        assert_false(dnskey_usable(&modern, &key));
        key.public_key.size -= 2;
        assert_false(dnskey_usable(&modern, &key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(key_tag_is_that_of_rfc_4034, setup, teardown),
        cmocka_unit_test_setup_teardown(ds_digests_of_the_rfcs_name_their_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(ds_of_another_owner_digest_or_tag_names_no_key, setup, teardown),
        cmocka_unit_test(short_records_are_malformed),
        cmocka_unit_test_setup_teardown(sha1_counts_as_unsupported_unless_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_algorithms_and_digests_leave_a_ds_set_unsupported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sha1_ds_is_ignored_beside_a_stronger_one_of_its_algorithm, setup,
                                        teardown),
        cmocka_unit_test(only_unrevoked_zone_keys_of_protocol_3_sign_zone_data),
        cmocka_unit_test(rsa_keys_of_an_odd_shape_count_as_unsupported),
        cmocka_unit_test(curve_keys_have_one_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
