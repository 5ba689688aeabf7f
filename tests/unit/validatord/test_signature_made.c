#include "signature_fixture.h"

static void order_case_and_duplicates_do_not_matter(void **state)
{
    struct fixture *f = *state;
    struct rrset *set =
        read_set(f, "a.b. 60 IN MX 10 Mail.A.b.\na.b. 60 IN MX 5 z.b.\na.b. 60 IN MX 10 y.b.\n");
    struct rrset *other = read_set(f, "a.b. 9 IN MX 10 y.b.\na.b. 9 IN MX 5 z.b.\na.b. 9 IN MX 5 z.b.\n"
                                      "a.b. 9 IN MX 10 mail.a.b.\n");
    struct signature_try t;
    struct signer s;
    struct rrset keys;

    signer_init(f, &s, "b");
    sign(f, &s, set, 2, 60, 1000, 2000);
    keys = keys_of(f, &s, 1);
    other->sig = set->sig;
    other->sig_count = 1;
    assert_int_equal(validate(f, &t, other, s.zone, &keys, &modern, 1500), 0);
    other->rdata[3] = other->rdata[0]; /* one record gone */
    assert_int_equal(validate(f, &t, other, s.zone, &keys, &modern, 1500), 1);
    EVP_PKEY_free(s.key);
}

static void ttl_is_cut_to_original_received_rrsigs_and_expiry(void **state)
{
    struct fixture *f = *state;
    struct rrset *set = read_set(f, "a.b. 300 IN A 192.0.2.1\n");
    struct signature_try t;
    struct signer s;
    struct rrset keys;
    wall_s expires;

    signer_init(f, &s, "b");
    sign(f, &s, set, 2, 200, 1000, 2000);
    keys = keys_of(f, &s, 1);
    assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 0);
    signature_accept(&t, set, &expires);
    assert_int_equal(set->ttl, 200);
    assert_int_equal(expires.s, 2000);
    set->sig_ttl = 150;
    signature_accept(&t, set, &expires);
    assert_int_equal(set->ttl, 150);
    assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1990), 0);
    signature_accept(&t, set, &expires);
    assert_int_equal(set->ttl, 10);
    EVP_PKEY_free(s.key);
}

static void denial_and_apex_types_expanded_from_a_wildcard_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "x.b. 60 IN NSEC z.b. A RRSIG NSEC\n",
        "x.b. 60 IN DS 1 15 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n",
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.b. 60 IN NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A\n",
    };
    struct signer s;
    struct rrset keys;

    signer_init(f, &s, "b");
    keys = keys_of(f, &s, 1);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct rrset *set = read_set(f, texts[i]);
        struct signature_try t;

        sign(f, &s, set, 1, 60, 1000, 2000);
        assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 1);
        assert_int_equal(t.tried, 0);
        set->sig_count = 0;
        sign(f, &s, set, 2, 60, 1000, 2000);
        assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 0);
    }
    EVP_PKEY_free(s.key);
}

static void ds_soa_and_dnskey_belong_where_the_zone_puts_them(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "b. 60 IN DS 1 15 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\n", /* the
                                                                                                    child's
                                                                                                    own */
        "a.b. 60 IN SOA a.b. b.b. 1 2 3 4 5\n",
        "a.b. 60 IN DNSKEY 257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=\n",
    };
    struct signer s;
    struct rrset keys;

    signer_init(f, &s, "b");
    keys = keys_of(f, &s, 1);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct rrset *set = read_set(f, texts[i]);
        struct signature_try t;

        sign(f, &s, set, (uint8_t)name_labels(set->owner), 60, 1000, 2000);
        assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 1);
        assert_int_equal(t.tried, 0);
    }
    EVP_PKEY_free(s.key);
}

static void keytrap_pairs_stop_at_the_limit_of_a_step(void **state)
{
    struct fixture *f = *state;
    struct rrset *set = read_set(f, "a.b. 60 IN A 192.0.2.1\n");
    struct signer signers[8];
    struct signature_try t;
    struct rrset keys;

    /* Eight keys of one tag (swapping octets two apart keeps the sum), none of which made the five
     * signatures. */
    signer_init(f, &signers[0], "b");
    for (unsigned i = 1; i < 8; i++) {
        uint8_t *bytes = arena_copy(f->arena, signers[0].dnskey.data, signers[0].dnskey.size),
                kept = bytes[4 + 4 * i - 4];

        bytes[4 + 4 * i - 4] = bytes[4 + 4 * i - 2];
        bytes[4 + 4 * i - 2] = kept;
        signers[i] = signers[0];
        signers[i].dnskey.data = bytes;
        assert_int_equal(dnskey_tag(&signers[i].dnskey), dnskey_tag(&signers[0].dnskey));
    }
    keys = keys_of(f, signers, 8);
    for (unsigned i = 0; i < 5; i++) {
        sign(f, &signers[0], set, 2, 60, 1000, 2000 + i);
        ((uint8_t *)set->sig[i].data)[set->sig[i].size - 1] ^= 1;
    }
    assert_int_equal(validate(f, &t, set, signers[0].zone, &keys, &modern, 1500), 2);
    assert_int_equal(t.tried, BUDGET_SIGNATURES_STEP);
    EVP_PKEY_free(signers[0].key);
}

static void malformed_keys_are_paid_for_too(void **state)
{
    struct fixture *f = *state;
    struct rrset *set = read_set(f, "a.b. 60 IN A 192.0.2.1\n");
    struct signer s;
    struct signature_try t;
    struct rrset keys;
    uint8_t *bytes;

    signer_init(f, &s, "b");
    /* zero octets more: the same tag, the wrong size */
    bytes = arena_alloc(f->arena, s.dnskey.size + 2u);
    memcpy(bytes, s.dnskey.data, s.dnskey.size);
    s.dnskey = (struct rdata){.data = bytes, .size = (uint16_t)(s.dnskey.size + 2)};
    sign(f, &s, set, 2, 60, 1000, 2000);
    keys = keys_of(f, &s, 1);
    assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 1);
    assert_int_equal(t.tried, 1);
    assert_int_equal(t.reason.ede, EDE_UNSUPPORTED_DNSKEY_ALGORITHM);
    EVP_PKEY_free(s.key);
}

static void second_signature_saves_a_set_whose_first_is_bad(void **state)
{
    struct fixture *f = *state;
    struct rrset *set = read_set(f, "a.b. 60 IN A 192.0.2.1\n");
    struct signature_try t;
    struct signer s;
    struct rrset keys;

    signer_init(f, &s, "b");
    sign(f, &s, set, 2, 60, 1000, 2000);
    ((uint8_t *)set->sig[0].data)[set->sig[0].size - 1] ^= 1;
    sign(f, &s, set, 2, 60, 1000, 3000);
    keys = keys_of(f, &s, 1);
    assert_int_equal(validate(f, &t, set, s.zone, &keys, &modern, 1500), 0);
    assert_int_equal(t.tried, 2);
    EVP_PKEY_free(s.key);
}

static void only_the_key_a_ds_names_counts_when_asked(void **state)
{
    struct fixture *f = *state;
    struct verify_request request;
    struct signature_try t;
    struct signer s[2];
    struct rrset keys;

    signer_init(f, &s[0], "b");
    signer_init(f, &s[1], "b");
    keys = keys_of(f, s, 2);
    sign(f, &s[0], &keys, 1, 60, 1000, 2000);
    signature_try_init(&t, &keys, s[0].zone, &keys, &modern, (wall_s){1500});
    assert_int_equal(signature_try_next(&t, f->arena, &s[0].dnskey, &request), 0);
    assert_int_equal(verifier_check(f->verifier, &request), VERIFY_GOOD);
    signature_try_init(&t, &keys, s[0].zone, &keys, &modern, (wall_s){1500});
    assert_int_equal(signature_try_next(&t, f->arena, &s[1].dnskey, &request), 1);
    assert_int_equal(t.reason.ede, EDE_DNSKEY_MISSING);
    EVP_PKEY_free(s[0].key);
    EVP_PKEY_free(s[1].key);
}

static void a_full_arena_is_out_of_memory(void **state)
{
    struct fixture *f = *state;
    struct rrset *set = read_set(f, "a.b. 60 IN A 192.0.2.1\n");
    struct arena *small = arena_new(0);
    struct verify_request request;
    struct signature_try t;
    struct signer s;
    struct rrset keys;

    signer_init(f, &s, "b");
    sign(f, &s, set, 2, 60, 1000, 2000);
    keys = keys_of(f, &s, 1);
    signature_try_init(&t, set, s.zone, &keys, &modern, (wall_s){1500});
    if (small)
        assert_int_equal(signature_try_next(&t, small, NULL, &request), -ENOMEM);
    arena_free(small);
    EVP_PKEY_free(s.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(order_case_and_duplicates_do_not_matter),
        T(ttl_is_cut_to_original_received_rrsigs_and_expiry),
        T(denial_and_apex_types_expanded_from_a_wildcard_are_refused),
        T(ds_soa_and_dnskey_belong_where_the_zone_puts_them),
        T(keytrap_pairs_stop_at_the_limit_of_a_step),
        T(malformed_keys_are_paid_for_too),
        T(second_signature_saves_a_set_whose_first_is_bad),
        T(only_the_key_a_ds_names_counts_when_asked),
        T(a_full_arena_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
