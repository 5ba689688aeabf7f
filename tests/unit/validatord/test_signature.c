#include "signature_fixture.h"

static const struct algorithm_policy with_sha1 = {.allow_sha1 = true};

struct rfc_example {
    const char *title, *key, *rrset, *owner;
    uint16_t type;
    int64_t now;
};

#define MX_2015 "example.com. 3600 IN MX 10 mail.example.com.\n"

static const struct rfc_example examples[] = {
    {"RFC 6605 6.1, P-256",
     "example.net. 3600 IN DNSKEY 257 3 13 "
     "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==\n",
     "www.example.net. 3600 IN A 192.0.2.1\n"
     "www.example.net. 3600 IN RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. "
     "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==\n",
     "www.example.net", TYPE_A, 1282000000},
    {"RFC 6605 6.2, P-384",
     "example.net. 3600 IN DNSKEY 257 3 14 "
     "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8"
     "/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40\n",
     "www.example.net. 3600 IN A 192.0.2.1\n"
     "www.example.net. 3600 IN RRSIG A 14 3 3600 20100909102025 20100812102025 10771 example.net. "
     "/L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuz"
     "WTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm\n",
     "www.example.net", TYPE_A, 1282000000},
    /* The signatures of RFC 8080 are over a wrong labels count; these are those of its erratum 4935. */
    {"RFC 8080 6.1, Ed25519",
     "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n",
     MX_2015 "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. "
             "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==\n",
     "example.com", TYPE_MX, 1439000000},
    {"RFC 8080 6.2, Ed448",
     "example.com. 3600 IN DNSKEY 257 3 16 "
     "3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA\n",
     MX_2015 "example.com. 3600 IN RRSIG MX 16 2 3600 1440021600 1438207200 9713 example.com. "
             "3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+G"
             "j7FSvOKxE/07+4RQvE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA\n",
     "example.com", TYPE_MX, 1439000000},
    {"RFC 5702 6.1, RSA/SHA-256",
     "example.net. 3600 IN DNSKEY 256 3 8 "
     "AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=\n",
     "www.example.net. 3600 IN A 192.0.2.91\n"
     "www.example.net. 3600 IN RRSIG A 8 3 3600 20300101000000 20000101000000 9033 example.net. "
     "kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==\n",
     "www.example.net", TYPE_A, 1282000000},
    {"RFC 5702 6.2, RSA/SHA-512",
     "example.net. 3600 IN DNSKEY 256 3 10 "
     "AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6r"
     "klMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL\n",
     "www.example.net. 3600 IN A 192.0.2.91\n"
     "www.example.net. 3600 IN RRSIG A 10 3 3600 20300101000000 20000101000000 3740 example.net. "
     "tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq"
     "+9fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=\n",
     "www.example.net", TYPE_A, 1282000000},
};

/* The RFC 5155 A zone: RSA/SHA-1, a wildcard, names in RDATA. */
static const char rfc5155_key[] =
    "example. 3600 IN DNSKEY 256 3 7 "
    "AwEAAaetidLzsKWUt4swWR8yu0wPHPiUi8LUsAD0QPWU+wzt89epO6tHzkMBVDkC7qphQO2hTY4hHn9npWFRw5BYubE=\n";
static const char rfc5155_wildcard[] =
    "a.z.w.example. 3600 IN MX 1 ai.example.\n"
    "a.z.w.example. 3600 IN RRSIG MX 7 2 3600 20150420235959 20051021000000 40430 example. "
    "CikebjQwGQPwijVcxgcZcSJKtfynugtlBiKb9FcBTrmOoyQ4InoWVudhCWsh/URX3lc4WRUMivEBP6+4KS3ldA==\n";

static void read_example(struct fixture *f, const char *key, const char *text, const char *owner,
                         uint16_t type, struct rrset **ret_keys, struct rrset **ret_rrset)
{
    struct rrset_list *keys = ARENA_NEW(f->arena, struct rrset_list),
                      *sets = ARENA_NEW(f->arena, struct rrset_list);

    zone_text_read(f->arena, key, keys);
    zone_text_read(f->arena, text, sets);
    *ret_keys = &keys->items[0];
    *ret_rrset = zone_text_find(sets, owner, type);
}

static void examples_of_the_rfcs_validate(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct rfc_example *e = &examples[i];
        struct rrset *keys, *rrset;
        struct signature_try t;

        print_message("%s\n", e->title);
        read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
        assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 0);
        assert_int_equal(t.tried, 1);
    }
}

static void one_flipped_bit_anywhere_makes_it_bogus(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct rfc_example *e = &examples[i];
        struct rrset *keys, *rrset;
        struct signature_try t;
        uint8_t *bytes;

        read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
        bytes = (uint8_t *)rrset->rdata[0].data;
        bytes[rrset->rdata[0].size - 2] ^= 1;
        assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
        assert_int_equal(t.reason.ede, EDE_DNSSEC_BOGUS);
        assert_int_equal(t.reason.key_tag, t.sig.key_tag);
        bytes[rrset->rdata[0].size - 2] ^= 1;
        bytes = (uint8_t *)rrset->sig[0].data;
        bytes[rrset->sig[0].size - 3] ^= 4;
        assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
        assert_int_equal(t.reason.ede, EDE_DNSSEC_BOGUS);
        bytes[rrset->sig[0].size - 3] ^= 4;
        assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 0);
    }
}

static void expired_and_future_signatures_say_so(void **state)
{
    struct fixture *f = *state;
    const struct rfc_example *e = &examples[2];
    struct rrset *keys, *rrset;
    struct signature_try t;

    read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, 1440021600), 0);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, 1440021601), 1);
    assert_int_equal(t.reason.ede, EDE_SIGNATURE_EXPIRED);
    assert_int_equal(t.reason.key_tag, 3613);
    assert_int_equal(t.tried, 0);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, 1438207200), 0);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, 1438207199), 1);
    assert_int_equal(t.reason.ede, EDE_SIGNATURE_NOT_YET_VALID);
}

static void validity_is_serial_arithmetic(void **state)
{
    struct rrsig sig = {.inception = 0xfffffff0u, .expiration = 0x100u};

    assert_int_equal(signature_validity(&sig, (wall_s){0xfffffff8ll}), 0);
    assert_int_equal(signature_validity(&sig, (wall_s){0x100000010ll}), 0);
    assert_int_equal(signature_validity(&sig, (wall_s){0x100000101ll}), EDE_SIGNATURE_EXPIRED);
    assert_int_equal(signature_validity(&sig, (wall_s){0xffffffe0ll}), EDE_SIGNATURE_NOT_YET_VALID);
    assert_int_equal(signature_expiry(&sig, (wall_s){0xfffffff8ll}).s, 0x100000100ll);
    assert_int_equal(signature_expiry(&sig, (wall_s){0x100000200ll}).s, 0x100000100ll);
    sig = (struct rrsig){.inception = 2000, .expiration = 1000};
    assert_int_equal(signature_validity(&sig, (wall_s){1500}), EDE_SIGNATURE_EXPIRED_BEFORE_VALID);
}

static void another_signer_than_the_zone_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct rfc_example *e = &examples[0];
    struct rrset *keys, *rrset;
    struct signature_try t;

    read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
    assert_int_equal(validate(f, &t, rrset, zone_text_name(f->arena, "net"), keys, &modern, e->now), 1);
    assert_int_equal(
        validate(f, &t, rrset, zone_text_name(f->arena, "www.example.net"), keys, &modern, e->now), 1);
    assert_int_equal(t.tried, 0);
    assert_int_equal(t.reason.ede, EDE_DNSKEY_MISSING);
}

static void data_outside_the_zone_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct rfc_example *e = &examples[0];
    struct rrset *keys, *rrset;
    struct signature_try t;

    read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
    rrset->owner = zone_text_name(f->arena, "www.example.org");
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
    assert_int_equal(t.tried, 0);
}

static void missing_signatures_and_keys_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const struct rfc_example *e = &examples[0];
    struct rrset *keys, *rrset;
    struct signature_try t;

    read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
    keys->count = 0;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
    assert_int_equal(t.reason.ede, EDE_DNSKEY_MISSING);
    assert_int_equal(t.reason.key_tag, 55648);
    keys->count = 1;
    rrset->sig_count = 0;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
    assert_int_equal(t.reason.ede, EDE_RRSIGS_MISSING);
    assert_int_equal(t.reason.key_tag, 0);
}

static void sha1_signatures_count_only_when_allowed(void **state)
{
    struct fixture *f = *state;
    struct rrset *keys, *rrset;
    struct signature_try t;

    read_example(f, rfc5155_key, rfc5155_wildcard, "a.z.w.example", TYPE_MX, &keys, &rrset);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, 1400000000), 1);
    assert_int_equal(t.reason.ede, EDE_UNSUPPORTED_DNSKEY_ALGORITHM);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 0);
}

static void wildcard_owner_is_rebuilt_from_the_labels_count(void **state)
{
    struct fixture *f = *state;
    struct rrset *keys, *rrset;
    struct signature_try t;
    wall_s expires;

    read_example(f, rfc5155_key, rfc5155_wildcard, "a.z.w.example", TYPE_MX, &keys, &rrset);
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 0);
    signature_accept(&t, rrset, &expires);
    assert_int_equal(rrset->wildcard_labels, 1 + 2);
    assert_int_equal(expires.s, 1429574399);
    /* the wildcard asked for by its own name is no expansion */
    rrset->owner = zone_text_name(f->arena, "*.w.example");
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 0);
    signature_accept(&t, rrset, &expires);
    assert_int_equal(rrset->wildcard_labels, 0);
    /* and below another name it is forged */
    rrset->owner = zone_text_name(f->arena, "a.z.x.example");
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 1);
    assert_int_equal(t.reason.ede, EDE_DNSSEC_BOGUS);
}

static void labels_beyond_owner_or_above_signer_are_refused_unseen(void **state)
{
    struct fixture *f = *state;
    struct rrset *keys, *rrset;
    struct signature_try t;
    uint8_t *sig;

    read_example(f, rfc5155_key, rfc5155_wildcard, "a.z.w.example", TYPE_MX, &keys, &rrset);
    sig = (uint8_t *)rrset->sig[0].data;
    sig[3] = 5;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 1);
    assert_int_equal(t.reason.ede, EDE_DNSSEC_BOGUS);
    assert_int_equal(t.tried, 0);
    sig[3] = 0;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 1);
    assert_int_equal(t.tried, 0);
    sig[3] = 3;
    rrset->owner = zone_text_name(f->arena, "*.z.w.example"); /* three labels besides the asterisk */
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 1);
    assert_int_equal(t.tried, 1);
    sig[3] = 4;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &with_sha1, 1400000000), 1);
    assert_int_equal(t.tried, 0);
}

static void revoked_and_non_zone_keys_are_not_tried(void **state)
{
    struct fixture *f = *state;
    const struct rfc_example *e = &examples[0];
    struct rrset *keys, *rrset;
    struct signature_try t;
    uint8_t *key, *sig;
    uint16_t tag;

    read_example(f, e->key, e->rrset, e->owner, e->type, &keys, &rrset);
    key = (uint8_t *)keys->rdata[0].data;
    sig = (uint8_t *)rrset->sig[0].data;
    key[1] |= DNSKEY_FLAG_REVOKE;
    tag = dnskey_tag(&keys->rdata[0]);
    sig[16] = (uint8_t)(tag >> 8);
    sig[17] = (uint8_t)tag;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
    assert_int_equal(t.tried, 0);
    assert_int_equal(t.reason.ede, EDE_DNSKEY_MISSING);

    key[1] &= (uint8_t)~DNSKEY_FLAG_REVOKE;
    key[0] &= (uint8_t) ~(DNSKEY_FLAG_ZONE >> 8);
    tag = dnskey_tag(&keys->rdata[0]);
    sig[16] = (uint8_t)(tag >> 8);
    sig[17] = (uint8_t)tag;
    assert_int_equal(validate(f, &t, rrset, keys->owner, keys, &modern, e->now), 1);
    assert_int_equal(t.tried, 0);
    assert_int_equal(t.reason.ede, EDE_NO_ZONE_KEY_BIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(examples_of_the_rfcs_validate),
        T(one_flipped_bit_anywhere_makes_it_bogus),
        T(expired_and_future_signatures_say_so),
        T(validity_is_serial_arithmetic),
        T(another_signer_than_the_zone_is_refused),
        T(data_outside_the_zone_is_refused),
        T(missing_signatures_and_keys_are_told_apart),
        T(sha1_signatures_count_only_when_allowed),
        T(wildcard_owner_is_rebuilt_from_the_labels_count),
        T(labels_beyond_owner_or_above_signer_are_refused_unseen),
        T(revoked_and_non_zone_keys_are_not_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
