#include "daemons/validatord/core/signature.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/budget.h"
#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

static const struct algorithm_policy modern = {.allow_sha1 = false}, with_sha1 = {.allow_sha1 = true};

struct fixture {
    struct arena *arena;
    struct verifier *verifier;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 22);
    assert_int_equal(verifier_new(&f->verifier), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    verifier_free(f->verifier);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

/* Tries all pairs as validatord does. 0: one was good; 1, 2: as signature_try_next. */
static int validate(struct fixture *f, struct signature_try *t, struct rrset *rrset, const uint8_t *zone,
                    const struct rrset *keys, const struct algorithm_policy *policy, int64_t now)
{
    struct verify_request request;
    int r;

    signature_try_init(t, rrset, zone, keys, policy, (wall_s){now});
    while ((r = signature_try_next(t, f->arena, NULL, &request)) == 0) {
        enum verify_outcome outcome = verifier_check(f->verifier, &request);

        signature_try_result(t, outcome);
        if (outcome == VERIFY_GOOD)
            return 0;
    }
    assert_true(r > 0);
    return r;
}

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
    assert_int_equal(t.reason.ede, EDE_NO_ZONE_KEY_BIT);
}

/* An Ed25519 zone signer made here, for what no RFC has an example of. */
struct signer {
    EVP_PKEY *key;
    struct rdata dnskey;
    uint8_t zone[NAME_MAX];
};

static void signer_init(struct fixture *f, struct signer *s, const char *zone)
{
    uint8_t rdata[4 + 32] = {1, 1, 3, ALG_ED25519};
    size_t size = 32;

    s->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(s->key);
    assert_int_equal(EVP_PKEY_get_raw_public_key(s->key, rdata + 4, &size), 1);
    s->dnskey = (struct rdata){.data = arena_copy(f->arena, rdata, sizeof(rdata)), .size = sizeof(rdata)};
    assert_int_equal(name_from_text(zone, s->zone), 0);
}

static void sign(struct fixture *f, const struct signer *s, struct rrset *rrset, uint8_t labels,
                 uint32_t original_ttl, uint32_t inception, uint32_t expiration)
{
    size_t zone_size = name_size(s->zone), size = 18 + zone_size + 64, signature_size = 64;
    uint8_t *bytes = arena_alloc(f->arena, size);
    uint16_t tag = dnskey_tag(&s->dnskey);
    const uint32_t numbers[3] = {original_ttl, expiration, inception};
    struct rdata *array = arena_array(f->arena, rrset->sig_count + 1u, sizeof(*array));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct slice data;
    struct rrsig sig;

    bytes[0] = (uint8_t)(rrset->type >> 8);
    bytes[1] = (uint8_t)rrset->type;
    bytes[2] = ALG_ED25519;
    bytes[3] = labels;
    for (int i = 0; i < 12; i++)
        bytes[4 + i] = (uint8_t)(numbers[i / 4] >> (24 - 8 * (i % 4)));
    bytes[16] = (uint8_t)(tag >> 8);
    bytes[17] = (uint8_t)tag;
    memcpy(bytes + 18, s->zone, zone_size);
    if (rrset->sig_count)
        memcpy(array, rrset->sig, rrset->sig_count * sizeof(*array));
    array[rrset->sig_count] = (struct rdata){.data = bytes, .size = (uint16_t)size};
    rrset->sig = array;
    assert_int_equal(rrsig_parse(&array[rrset->sig_count], &sig), 0);
    assert_int_equal(signature_data(f->arena, rrset, &sig, &array[rrset->sig_count], &data), 0);
    assert_int_equal(EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, s->key, NULL), 1);
    assert_int_equal(EVP_DigestSign(context, bytes + 18 + zone_size, &signature_size, data.data, data.size),
                     1);
    EVP_MD_CTX_free(context);
    rrset->sig_count++;
    rrset->sig_ttl = rrset->ttl;
}

static struct rrset keys_of(struct fixture *f, const struct signer *signers, unsigned count)
{
    struct rdata *rdata = arena_array(f->arena, count, sizeof(*rdata));

    for (unsigned i = 0; i < count; i++)
        rdata[i] = signers[i].dnskey;
    return (struct rrset){.owner = signers[0].zone,
                          .type = TYPE_DNSKEY,
                          .class = CLASS_IN,
                          .rdata = rdata,
                          .count = (uint16_t)count};
}

static struct rrset *read_set(struct fixture *f, const char *text)
{
    struct rrset_list *list = ARENA_NEW(f->arena, struct rrset_list);

    zone_text_read(f->arena, text, list);
    return &list->items[0];
}

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

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
