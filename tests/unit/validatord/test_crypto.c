#include "daemons/validatord/crypto_openssl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "daemons/validatord/core/keys.h"
#include "daemons/validatord/verify_pool.h"
#include "zone_text.h"

static void nsec3_hashes_are_those_of_rfc_5155_appendix_a(void **state)
{
    static const struct {
        char name[48], hash[40];
    } known[] = {
        {"example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
        {"a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
        {"ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"},
        {"ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
        {"*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
        {"x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi"},
        {"XX.Example", "t644ebqk9bibcna874givr6joj62mlhv"},
    };
    static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
    struct arena *arena = arena_new(1 << 16);
    struct digester *digester;

    assert_int_equal(digester_new(&digester), 0);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
        uint8_t hash[20];
        char text[33];
        struct slice salt_slice = slice_make(salt, sizeof(salt));

        assert_int_equal(
            digester_nsec3_hash(digester, zone_text_name(arena, known[i].name), 1, 12, salt_slice, hash), 0);
        for (unsigned at = 0; at < 32; at++) {
            unsigned bit = at * 5,
                     value = (unsigned)(hash[bit / 8] << 8 | (bit / 8 < 19 ? hash[bit / 8 + 1] : 0));

            text[at] = digits[value >> (11 - bit % 8) & 31];
        }
        text[32] = '\0';
        assert_string_equal(text, known[i].hash);
    }
    digester_free(digester);
    arena_free(arena);
}

static void unknown_hash_and_digest_algorithms_are_said_to_be(void **state)
{
    static const uint8_t root[1] = {0};
    struct digester *digester;
    struct slice part = {root, 1};
    uint8_t hash[48];
    struct crypto_ops ops;
    size_t size;

    assert_int_equal(digester_new(&digester), 0);
    ops = digester_ops(digester);
    assert_int_equal(ops.nsec3_hash(ops.ctx, root, 2, 0, slice_make(NULL, 0), hash), 1);
    assert_int_equal(ops.digest(ops.ctx, DIGEST_GOST, &part, 1, hash, &size), 1);
    assert_int_equal(ops.digest(ops.ctx, 0, &part, 1, hash, &size), 1);
    digester_free(digester);
}

static void keys_and_signatures_of_a_wrong_size_are_refused_without_harm(void **state)
{
    struct verifier *verifier;
    uint8_t bytes[600];

    memset(bytes, 0x41, sizeof(bytes));
    assert_int_equal(verifier_new(&verifier), 0);
    for (unsigned algorithm = 0; algorithm < 256; algorithm++)
        for (size_t size = 0; size <= 520; size += 13) {
            struct verify_request request = {.algorithm = (uint8_t)algorithm,
                                             .key = slice_make(bytes, size),
                                             .data = slice_make(bytes, 10),
                                             .signature = slice_make(bytes, size / 2)};

            assert_int_not_equal(verifier_check(verifier, &request), VERIFY_GOOD);
        }
    verifier_free(verifier);
}

static void a_point_off_the_curve_is_an_unusable_key(void **state)
{
    struct verifier *verifier;
    uint8_t bytes[64];
    struct verify_request request = {.algorithm = ALG_ECDSAP256,
                                     .key = slice_make(bytes, 64),
                                     .data = slice_make(bytes, 1),
                                     .signature = slice_make(bytes, 64)};

    memset(bytes, 1, sizeof(bytes));
    assert_int_equal(verifier_new(&verifier), 0);
    assert_int_equal(verifier_check(verifier, &request), VERIFY_UNUSABLE_KEY);
    verifier_free(verifier);
}

/* More keys than a verifier keeps ready, so that most take another's place. */
#define SIGNERS (2 * VERIFIER_KEYS + 40)

struct signer {
    uint8_t key[64], signature[64];
};

/* A P-256 key and its signature of `data`, as DNSKEY and RRSIG carry them (RFC 6605 4). */
static void signer_make(struct signer *signer, struct slice data)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t point[65], der[80];
    const uint8_t *at = der;
    size_t point_size, size = sizeof(der);
    ECDSA_SIG *signature;

    assert_int_equal(
        EVP_PKEY_get_octet_string_param(pair, "encoded-pub-key", point, sizeof(point), &point_size), 1);
    assert_int_equal(point_size, sizeof(point));
    assert_int_equal(point[0], 4);
    memcpy(signer->key, point + 1, sizeof(signer->key));
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, pair, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, der, &size, data.data, data.size), 1);
    signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    assert_non_null(signature);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(signature), signer->signature, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(signature), signer->signature + 32, 32), 32);
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pair);
}

static enum verify_outcome check(struct verifier *verifier, const uint8_t *key, const uint8_t *signature,
                                 struct slice data)
{
    return verifier_check(verifier, &(struct verify_request){.algorithm = ALG_ECDSAP256,
                                                             .key = slice_make(key, 64),
                                                             .data = data,
                                                             .signature = slice_make(signature, 64)});
}

static void a_key_that_takes_the_place_of_another_checks_as_its_own(void **state)
{
    const struct slice data = slice_make("what is signed", 14);
    struct signer *signers = calloc(SIGNERS, sizeof(*signers));
    struct verifier *verifier;
    uint8_t off_curve[64];

    assert_non_null(signers);
    assert_int_equal(verifier_new(&verifier), 0);
    for (size_t i = 0; i < SIGNERS; i++)
        signer_make(&signers[i], data);
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < SIGNERS; i++) {
            const struct signer *one = &signers[i], *other = &signers[(i + 1 + round) % SIGNERS];

            assert_int_equal(check(verifier, one->key, one->signature, data), VERIFY_GOOD);
            assert_int_equal(check(verifier, one->key, other->signature, data), VERIFY_BAD);
            assert_int_equal(check(verifier, other->key, one->signature, data), VERIFY_BAD);
            /* Refused wherever it would go, and what was there is found again. */
            memcpy(off_curve, one->key, sizeof(off_curve));
            off_curve[63] ^= 1;
            assert_int_equal(check(verifier, off_curve, one->signature, data), VERIFY_UNUSABLE_KEY);
            assert_int_equal(check(verifier, off_curve, one->signature, data), VERIFY_UNUSABLE_KEY);
        }
    verifier_free(verifier);
    free(signers);
}

struct pool_test {
    sd_event *event;
    unsigned wanted, got, wakes;
    uint8_t seen[1000];
};

static void on_done(void *ctx, uint64_t id, enum verify_outcome outcome)
{
    struct pool_test *t = ctx;

    assert_true(id < ARRAY_SIZE(t->seen));
    assert_int_equal(t->seen[id], 0);
    t->seen[id] = 1;
    assert_int_equal(outcome, id % 2 ? VERIFY_UNUSABLE_KEY : VERIFY_BAD);
    if (++t->got == t->wanted)
        sd_event_exit(t->event, 0);
}

static void on_idle(void *ctx)
{
    ((struct pool_test *)ctx)->wakes++;
}

static void pool_hands_every_outcome_back_once(void **state)
{
    const struct verify_pool_handlers handlers = {.done = on_done, .idle = on_idle};
    uint8_t bytes[64];
    struct pool_test t = {.wanted = 1000};
    struct verify_pool *pool;
    sd_event_source *timeout;

    memset(bytes, 9, sizeof(bytes));
    assert_true(sd_event_new(&t.event) >= 0);
    assert_true(sd_event_add_time_relative(t.event, &timeout, CLOCK_MONOTONIC, 20000000, 1, NULL,
                                           (void *)(intptr_t)1) >= 0);
    assert_int_equal(verify_pool_new(t.event, 3, &handlers, &t, &pool), 0);
    for (uint64_t id = 0; id < t.wanted; id++) {
        struct verify_request request = {.algorithm = ALG_ED25519,
                                         .key = slice_make(bytes, id % 2 ? 31 : 32),
                                         .data = slice_make(bytes, 64),
                                         .signature = slice_make(bytes, 64)};

        assert_int_equal(verify_pool_submit(pool, id, &request), 0);
    }
    verify_pool_kick(pool);
    assert_int_equal(sd_event_loop(t.event), 0);
    assert_int_equal(t.got, t.wanted);
    assert_true(t.wakes > 0 && t.wakes <= t.wanted);
    verify_pool_free(pool);
    sd_event_source_unref(timeout);
    sd_event_unref(t.event);
}

static void pool_goes_down_with_checks_still_queued(void **state)
{
    const struct verify_pool_handlers handlers = {.done = on_done};
    static uint8_t bytes[64];
    struct pool_test t = {0};
    struct verify_pool *pool;
    struct verify_request request = {.algorithm = ALG_ED25519,
                                     .key = slice_make(bytes, 32),
                                     .data = slice_make(bytes, 64),
                                     .signature = slice_make(bytes, 64)};

    assert_true(sd_event_new(&t.event) >= 0);
    assert_int_equal(verify_pool_new(t.event, 2, &handlers, &t, &pool), 0);
    for (uint64_t id = 0; id < 200; id++)
        assert_int_equal(verify_pool_submit(pool, id, &request), 0);
    verify_pool_kick(pool);
    verify_pool_free(pool);
    assert_int_equal(t.got, 0);
    sd_event_unref(t.event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nsec3_hashes_are_those_of_rfc_5155_appendix_a),
        cmocka_unit_test(unknown_hash_and_digest_algorithms_are_said_to_be),
        cmocka_unit_test(keys_and_signatures_of_a_wrong_size_are_refused_without_harm),
        cmocka_unit_test(a_point_off_the_curve_is_an_unusable_key),
        cmocka_unit_test(a_key_that_takes_the_place_of_another_checks_as_its_own),
        cmocka_unit_test(pool_hands_every_outcome_back_once),
        cmocka_unit_test(pool_goes_down_with_checks_still_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
