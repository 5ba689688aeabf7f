/* DNSKEY and DS records: shapes, key tags, what is supported, which DS names which key. */

#include "daemons/validatord/core/keys.h"

#include <string.h>

#define RSA_MODULUS_MIN_BITS 512u  /* RFC 3110, 5702: shorter ones are not valid keys */
#define RSA_MODULUS_MAX_BITS 4096u /* THREATS: RSA shape; also the limit of RFC 3110 */
#define RSA_EXPONENT_MAX     5u    /* octets; 2^32 + 1 is seen in the field, nothing needs more */

#define ECDSAP256_KEY_SIZE 64u /* RFC 6605 4 */
#define ECDSAP384_KEY_SIZE 96u
#define ED25519_KEY_SIZE   32u /* RFC 8080 3 */
#define ED448_KEY_SIZE     57u

static uint16_t read_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

int dnskey_parse(const struct rdata *rdata, struct dnskey *ret_key)
{
    if (rdata->size < 5)
        return 1;
    *ret_key = (struct dnskey){.flags = read_u16(rdata->data),
                               .protocol = rdata->data[2],
                               .algorithm = rdata->data[3],
                               .public_key = slice_make(rdata->data + 4, rdata->size - 4u),
                               .tag = dnskey_tag(rdata),
                               .rdata = *rdata};
    return 0;
}

int ds_parse(const struct rdata *rdata, struct ds *ret_ds)
{
    if (rdata->size < 5)
        return 1;
    *ret_ds = (struct ds){.tag = read_u16(rdata->data),
                          .algorithm = rdata->data[2],
                          .digest_type = rdata->data[3],
                          .digest = slice_make(rdata->data + 4, rdata->size - 4u)};
    return 0;
}

uint16_t dnskey_tag(const struct rdata *rdata)
{
    uint32_t sum = 0;

    /* RFC 4034 B.1: the tag of RSA/MD5 is the most significant 16 of the least significant 24 bits of the
     * modulus. */
    if (rdata->size >= 7 && rdata->data[3] == ALG_RSAMD5)
        return read_u16(rdata->data + rdata->size - 3);
    for (uint16_t i = 0; i < rdata->size; i++)
        sum += i & 1 ? rdata->data[i] : (uint32_t)rdata->data[i] << 8;
    sum += sum >> 16;
    return (uint16_t)sum;
}

bool algorithm_supported(const struct algorithm_policy *policy, uint8_t algorithm)
{
    switch (algorithm) {
    case ALG_RSASHA1:
    case ALG_RSASHA1_NSEC3:
        return policy->allow_sha1;
    case ALG_RSASHA256:
    case ALG_RSASHA512:
    case ALG_ECDSAP256:
    case ALG_ECDSAP384:
    case ALG_ED25519:
    case ALG_ED448:
        return true;
    default:
        return false;
    }
}

bool digest_supported(const struct algorithm_policy *policy, uint8_t digest_type)
{
    switch (digest_type) {
    case DIGEST_SHA1:
        return policy->allow_sha1;
    case DIGEST_SHA256:
    case DIGEST_SHA384:
        return true;
    default:
        return false;
    }
}

static size_t digest_size(uint8_t digest_type)
{
    switch (digest_type) {
    case DIGEST_SHA1:
        return 20;
    case DIGEST_SHA256:
        return 32;
    case DIGEST_SHA384:
        return 48;
    default:
        return 0;
    }
}

int rsa_key_split(struct slice key, struct slice *ret_exponent, struct slice *ret_modulus)
{
    size_t exponent_size, at = 1;

    /* RFC 3110 2: one octet of length, or a zero and two octets. */
    if (key.size < 1)
        return 1;
    exponent_size = key.data[0];
    if (exponent_size == 0) {
        if (key.size < 3)
            return 1;
        exponent_size = read_u16(key.data + 1);
        at = 3;
    }
    if (exponent_size == 0 || exponent_size >= key.size - at)
        return 1;
    *ret_exponent = slice_make(key.data + at, exponent_size);
    *ret_modulus = slice_make(key.data + at + exponent_size, key.size - at - exponent_size);
    while (ret_exponent->size > 1 && ret_exponent->data[0] == 0)
        *ret_exponent = slice_make(ret_exponent->data + 1, ret_exponent->size - 1);
    while (ret_modulus->size > 1 && ret_modulus->data[0] == 0)
        *ret_modulus = slice_make(ret_modulus->data + 1, ret_modulus->size - 1);
    return 0;
}

static size_t bit_length(struct slice number)
{
    size_t bits = number.size * 8;

    for (unsigned mask = 0x80; mask && !(number.data[0] & mask); mask >>= 1)
        bits--;
    return bits;
}

static bool rsa_usable(struct slice key)
{
    struct slice exponent, modulus;
    size_t bits;

    if (rsa_key_split(key, &exponent, &modulus))
        return false;
    bits = bit_length(modulus);
    if (bits < RSA_MODULUS_MIN_BITS || bits > RSA_MODULUS_MAX_BITS)
        return false;
    if (exponent.size > RSA_EXPONENT_MAX)
        return false;
    /* An even exponent is no RSA key, and exponent 1 makes any text its own signature. */
    return (exponent.data[exponent.size - 1] & 1) && !(exponent.size == 1 && exponent.data[0] < 3);
}

bool dnskey_usable(const struct algorithm_policy *policy, const struct dnskey *key)
{
    if (!algorithm_supported(policy, key->algorithm))
        return false;
    switch (key->algorithm) {
    case ALG_ECDSAP256:
        return key->public_key.size == ECDSAP256_KEY_SIZE;
    case ALG_ECDSAP384:
        return key->public_key.size == ECDSAP384_KEY_SIZE;
    case ALG_ED25519:
        return key->public_key.size == ED25519_KEY_SIZE;
    case ALG_ED448:
        return key->public_key.size == ED448_KEY_SIZE;
    default:
        return rsa_usable(key->public_key);
    }
}

bool dnskey_is_zone_key(const struct dnskey *key)
{
    return (key->flags & DNSKEY_FLAG_ZONE) && !(key->flags & DNSKEY_FLAG_REVOKE) && key->protocol == 3;
}

static bool ds_supported(const struct algorithm_policy *policy, const struct ds *ds)
{
    return algorithm_supported(policy, ds->algorithm) && digest_supported(policy, ds->digest_type);
}

bool ds_set_supported(const struct algorithm_policy *policy, const struct rrset *ds)
{
    for (unsigned i = 0; i < ds->count; i++) {
        struct ds one;

        if (!ds_parse(&ds->rdata[i], &one) && ds_supported(policy, &one))
            return true;
    }
    return false;
}

bool ds_set_usable(const struct algorithm_policy *policy, const struct rrset *ds, unsigned index)
{
    struct ds one, other;

    assert(index < ds->count);
    if (ds_parse(&ds->rdata[index], &one) || !ds_supported(policy, &one))
        return false;
    if (one.digest_type != DIGEST_SHA1)
        return true;
    for (unsigned i = 0; i < ds->count; i++)
        if (!ds_parse(&ds->rdata[i], &other) && other.algorithm == one.algorithm &&
            other.digest_type != DIGEST_SHA1 && ds_supported(policy, &other) &&
            other.digest.size == digest_size(other.digest_type))
            return false;
    return true;
}

int ds_matches_key(const struct crypto_ops *ops, const uint8_t *owner, const struct ds *ds,
                   const struct dnskey *key)
{
    uint8_t name[NAME_MAX], digest[48];
    struct slice parts[2];
    size_t size;

    if (ds->tag != key->tag || ds->algorithm != key->algorithm)
        return 1;
    /* RFC 4034 5.1.4: digest of the canonical owner name and the DNSKEY RDATA. */
    parts[0] = slice_make(name, name_copy(owner, name));
    parts[1] = slice_make(key->rdata.data, key->rdata.size);
    if (ops->digest(ops->ctx, ds->digest_type, parts, ARRAY_SIZE(parts), digest, &size))
        return 2;
    return ds->digest.size == size && !memcmp(ds->digest.data, digest, size) ? 0 : 1;
}
