#include "signature_fixture.h"

int signature_setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 22);
    assert_int_equal(verifier_new(&f->verifier), 0);
    *state = f;
    return 0;
}

int signature_teardown(void **state)
{
    struct fixture *f = *state;

    verifier_free(f->verifier);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

int validate(struct fixture *f, struct signature_try *t, struct rrset *rrset, const uint8_t *zone,
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

void signer_init(struct fixture *f, struct signer *s, const char *zone)
{
    uint8_t rdata[4 + 32] = {1, 1, 3, ALG_ED25519};
    size_t size = 32;

    s->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(s->key);
    assert_int_equal(EVP_PKEY_get_raw_public_key(s->key, rdata + 4, &size), 1);
    s->dnskey = (struct rdata){.data = arena_copy(f->arena, rdata, sizeof(rdata)), .size = sizeof(rdata)};
    assert_int_equal(name_from_text(zone, s->zone), 0);
}

void sign(struct fixture *f, const struct signer *s, struct rrset *rrset, uint8_t labels,
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

struct rrset keys_of(struct fixture *f, const struct signer *signers, unsigned count)
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

struct rrset *read_set(struct fixture *f, const char *text)
{
    struct rrset_list *list = ARENA_NEW(f->arena, struct rrset_list);

    zone_text_read(f->arena, text, list);
    return &list->items[0];
}
