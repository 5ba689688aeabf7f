#include "daemons/validatord/crypto_openssl.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/siphash.h"
#include "daemons/validatord/core/keys.h"

#define NSEC3_SHA1 1u /* RFC 5155 11 */

struct digester {
    EVP_MD *sha1, *sha256, *sha384;
    EVP_MD_CTX *context;
};

int digester_new(struct digester **ret_digester)
{
    struct digester *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
    d->context = EVP_MD_CTX_new();
    if (!d->sha1 || !d->sha256 || !d->sha384 || !d->context) {
        digester_free(d);
        return -ENOTSUP;
    }
    *ret_digester = d;
    return 0;
}

void digester_free(struct digester *d)
{
    if (!d)
        return;
    EVP_MD_free(d->sha1);
    EVP_MD_free(d->sha256);
    EVP_MD_free(d->sha384);
    EVP_MD_CTX_free(d->context);
    free(d);
}

static int digest_parts(struct digester *d, const EVP_MD *md, const struct slice *parts, size_t count,
                        uint8_t *ret_digest)
{
    if (!EVP_DigestInit_ex2(d->context, md, NULL))
        return 1;
    for (size_t i = 0; i < count; i++)
        if (!EVP_DigestUpdate(d->context, parts[i].data, parts[i].size))
            return 1;
    return EVP_DigestFinal_ex(d->context, ret_digest, NULL) ? 0 : 1;
}

static int digest(void *ctx, uint8_t digest_type, const struct slice *parts, size_t count,
                  uint8_t ret_digest[48], size_t *ret_size)
{
    struct digester *d = ctx;
    const EVP_MD *md;
    size_t size;

    switch (digest_type) {
    case DIGEST_SHA1:
        md = d->sha1;
        size = 20;
        break;
    case DIGEST_SHA256:
        md = d->sha256;
        size = 32;
        break;
    case DIGEST_SHA384:
        md = d->sha384;
        size = 48;
        break;
    default:
        return 1;
    }
    if (digest_parts(d, md, parts, count, ret_digest))
        return 1;
    *ret_size = size;
    return 0;
}

int digester_nsec3_hash(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                        struct slice salt, uint8_t ret_hash[20])
{
    struct digester *d = ctx;
    uint8_t lower[NAME_MAX], hash[20];
    struct slice parts[2] = {slice_make(lower, name_copy(name, lower)), salt};

    if (algorithm != NSEC3_SHA1)
        return 1;
    /* RFC 5155 5: IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k-1) || salt). */
    for (unsigned i = 0; i <= iterations; i++) {
        if (digest_parts(d, d->sha1, parts, ARRAY_SIZE(parts), hash))
            return 1;
        parts[0] = slice_make(hash, sizeof(hash));
    }
    memcpy(ret_hash, hash, sizeof(hash));
    return 0;
}

struct crypto_ops digester_ops(struct digester *d)
{
    return (struct crypto_ops){.ctx = d, .digest = digest, .nsec3_hash = digester_nsec3_hash};
}

/* A public key made ready. RSA and ECDSA keep a context in which only the digest and signature change; the
 * Edwards curves take the message whole. */
struct ready_key {
    uint8_t algorithm;
    uint8_t *bytes;
    size_t size;
    EVP_PKEY *key;
    EVP_PKEY_CTX *verify;
};

struct verifier {
    EVP_MD *sha1, *sha256, *sha384, *sha512;
    EVP_MD_CTX *context;
    struct siphash_key hash_key;
    EVP_PKEY *p256, *p384; /* any key of the curve, made when it is first needed: a start must not wait for
                            * it. The others are copies of it with another point. */
    struct ready_key keys[VERIFIER_KEYS];
};

static EVP_PKEY *key_from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (context && EVP_PKEY_fromdata_init(context) == 1)
        (void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* A public key of the curve, whichever. NULL: OpenSSL failed. */
static EVP_PKEY *curve_new(const char *group)
{
    EVP_PKEY *pair = EVP_EC_gen(group), *key = NULL;
    unsigned char *point = NULL;
    size_t size = pair ? EVP_PKEY_get1_encoded_public_key(pair, &point) : 0;

    if (size) {
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, size),
            OSSL_PARAM_construct_end(),
        };
        key = key_from_params("EC", params);
    }
    OPENSSL_free(point);
    EVP_PKEY_free(pair);
    return key;
}

int verifier_new(struct verifier **ret_verifier)
{
    struct verifier *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    v->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    v->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    v->sha384 = EVP_MD_fetch(NULL, "SHA384", NULL);
    v->sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    v->context = EVP_MD_CTX_new();
    if (!v->sha1 || !v->sha256 || !v->sha384 || !v->sha512 || !v->context ||
        getrandom(&v->hash_key, sizeof(v->hash_key), 0) != (ssize_t)sizeof(v->hash_key)) {
        verifier_free(v);
        return -ENOTSUP;
    }
    *ret_verifier = v;
    return 0;
}

static void ready_key_clear(struct ready_key *ready)
{
    EVP_PKEY_CTX_free(ready->verify);
    EVP_PKEY_free(ready->key);
    free(ready->bytes);
    *ready = (struct ready_key){0};
}

void verifier_free(struct verifier *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(v->keys); i++)
        ready_key_clear(&v->keys[i]);
    EVP_PKEY_free(v->p256);
    EVP_PKEY_free(v->p384);
    EVP_MD_free(v->sha1);
    EVP_MD_free(v->sha256);
    EVP_MD_free(v->sha384);
    EVP_MD_free(v->sha512);
    EVP_MD_CTX_free(v->context);
    free(v);
}

static const EVP_MD *algorithm_digest(const struct verifier *v, uint8_t algorithm)
{
    switch (algorithm) {
    case ALG_RSASHA1:
    case ALG_RSASHA1_NSEC3:
        return v->sha1;
    case ALG_RSASHA256:
    case ALG_ECDSAP256:
        return v->sha256;
    case ALG_ECDSAP384:
        return v->sha384;
    case ALG_RSASHA512:
        return v->sha512;
    default:
        return NULL; /* Ed25519, Ed448: no digest of ours */
    }
}

static EVP_PKEY *rsa_key(struct slice bytes)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    struct slice exponent, modulus;
    BIGNUM *e = NULL, *n = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (build && !rsa_key_split(bytes, &exponent, &modulus)) {
        e = BN_bin2bn(exponent.data, (int)exponent.size, NULL);
        n = BN_bin2bn(modulus.data, (int)modulus.size, NULL);
    }
    if (e && n && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
        params = OSSL_PARAM_BLD_to_param(build);
    if (params)
        key = key_from_params("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(e);
    BN_free(n);
    return key;
}

/* RFC 6605 4: x and y side by side; SEC 1 wants 0x04 before them. A point off the curve is refused by
 * OpenSSL, and what the key then holds is nothing to be used. */
static bool set_point(EVP_PKEY *key, struct slice bytes)
{
    uint8_t point[97];

    if (bytes.size >= sizeof(point))
        return false;
    point[0] = 4;
    memcpy(point + 1, bytes.data, bytes.size);
    return EVP_PKEY_set1_encoded_public_key(key, point, bytes.size + 1) == 1;
}

/* Setting a curve up costs OpenSSL a third of a signature check, copying one a twentieth. */
static EVP_PKEY *ecdsa_key(const char *group, EVP_PKEY **curve, struct slice bytes)
{
    EVP_PKEY *key;

    if (!*curve)
        *curve = curve_new(group);
    if (!*curve || !(key = EVP_PKEY_dup(*curve)))
        return NULL;
    if (set_point(key, bytes))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static EVP_PKEY *make_key(struct verifier *v, uint8_t algorithm, struct slice bytes)
{
    switch (algorithm) {
    case ALG_ECDSAP256:
        return ecdsa_key("P-256", &v->p256, bytes);
    case ALG_ECDSAP384:
        return ecdsa_key("P-384", &v->p384, bytes);
    case ALG_ED25519:
        return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bytes.data, bytes.size);
    case ALG_ED448:
        return EVP_PKEY_new_raw_public_key_ex(NULL, "ED448", NULL, bytes.data, bytes.size);
    default:
        return rsa_key(bytes);
    }
}

static bool is_rsa(uint8_t algorithm)
{
    return algorithm == ALG_RSASHA1 || algorithm == ALG_RSASHA1_NSEC3 || algorithm == ALG_RSASHA256 ||
           algorithm == ALG_RSASHA512;
}

static bool is_ecdsa(uint8_t algorithm)
{
    return algorithm == ALG_ECDSAP256 || algorithm == ALG_ECDSAP384;
}

static EVP_PKEY_CTX *make_verify_context(const struct verifier *v, uint8_t algorithm, EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    if (context && EVP_PKEY_verify_init(context) == 1 &&
        (!is_rsa(algorithm) || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1) &&
        EVP_PKEY_CTX_set_signature_md(context, algorithm_digest(v, algorithm)) == 1)
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

/* The slot's key is of the same curve: it takes the new point, and its context stays. Half of what a key
 * costs. */
static struct ready_key *replace_point(struct ready_key *ready, struct slice bytes)
{
    if (!set_point(ready->key, bytes)) {
        ready_key_clear(ready);
        return NULL;
    }
    memcpy(ready->bytes, bytes.data, bytes.size);
    return ready;
}

/* The key made ready, from its slot or anew. NULL: unusable (which is not remembered: it costs nothing to
 * see). */
static struct ready_key *get_key(struct verifier *v, uint8_t algorithm, struct slice bytes)
{
    const struct algorithm_policy any = {.allow_sha1 = true};
    const struct dnskey shape = {.algorithm = algorithm, .public_key = bytes};
    struct ready_key *ready, made = {.algorithm = algorithm, .size = bytes.size};

    if (!dnskey_usable(&any, &shape))
        return NULL;
    ready = &v->keys[siphash24(&v->hash_key, bytes.data, bytes.size) % VERIFIER_KEYS];
    if (ready->key && ready->algorithm == algorithm && ready->size == bytes.size &&
        !memcmp(ready->bytes, bytes.data, bytes.size))
        return ready;
    if (ready->key && ready->algorithm == algorithm && ready->size == bytes.size && is_ecdsa(algorithm))
        return replace_point(ready, bytes);
    made.key = make_key(v, algorithm, bytes);
    made.bytes = malloc(bytes.size);
    if (made.key && algorithm_digest(v, algorithm))
        made.verify = make_verify_context(v, algorithm, made.key);
    if (!made.key || !made.bytes || (algorithm_digest(v, algorithm) && !made.verify)) {
        ready_key_clear(&made);
        return NULL;
    }
    memcpy(made.bytes, bytes.data, bytes.size);
    ready_key_clear(ready);
    *ready = made;
    return ready;
}

/* One half of a raw ECDSA signature as a DER INTEGER: no leading zeros, but one before a set top bit. */
static uint8_t *put_der_integer(uint8_t *at, const uint8_t *number, size_t size)
{
    size_t pad;

    while (size > 1 && number[0] == 0) {
        number++;
        size--;
    }
    pad = number[0] & 0x80 ? 1 : 0;
    *at++ = 0x02;
    *at++ = (uint8_t)(size + pad);
    if (pad)
        *at++ = 0;
    memcpy(at, number, size);
    return at + size;
}

/* RFC 6605 4: r and s side by side, 32 or 48 octets each; OpenSSL wants the DER of Ecdsa-Sig-Value, which
 * stays below 128 octets inside, so its length is one octet. 0, or 1: not of that size. */
static int ecdsa_signature_to_der(struct slice raw, size_t half, uint8_t ret_der[128], size_t *ret_size)
{
    uint8_t *end;

    if (raw.size != 2 * half)
        return 1;
    end = put_der_integer(ret_der + 2, raw.data, half);
    end = put_der_integer(end, raw.data + half, half);
    ret_der[0] = 0x30;
    ret_der[1] = (uint8_t)(end - ret_der - 2);
    *ret_size = (size_t)(end - ret_der);
    return 0;
}

static bool check_digested(struct verifier *v, struct ready_key *key, const struct verify_request *request)
{
    const EVP_MD *md = algorithm_digest(v, request->algorithm);
    struct slice signature = request->signature;
    uint8_t hash[EVP_MAX_MD_SIZE], der[128];
    unsigned hash_size;

    if (!is_rsa(request->algorithm)) {
        size_t half = request->algorithm == ALG_ECDSAP256 ? 32 : 48;

        if (ecdsa_signature_to_der(request->signature, half, der, &signature.size))
            return false;
        signature.data = der;
    }
    return EVP_DigestInit_ex2(v->context, md, NULL) &&
           EVP_DigestUpdate(v->context, request->data.data, request->data.size) &&
           EVP_DigestFinal_ex(v->context, hash, &hash_size) &&
           EVP_PKEY_verify(key->verify, signature.data, signature.size, hash, hash_size) == 1;
}

static bool check_whole(struct verifier *v, struct ready_key *key, const struct verify_request *request)
{
    bool good = EVP_MD_CTX_reset(v->context) &&
                EVP_DigestVerifyInit_ex(v->context, NULL, NULL, NULL, NULL, key->key, NULL) == 1 &&
                EVP_DigestVerify(v->context, request->signature.data, request->signature.size,
                                 request->data.data, request->data.size) == 1;

    EVP_MD_CTX_reset(v->context);
    return good;
}

enum verify_outcome verifier_check(struct verifier *v, const struct verify_request *request)
{
    struct ready_key *key = get_key(v, request->algorithm, request->key);
    bool good;

    if (key)
        good = key->verify ? check_digested(v, key, request) : check_whole(v, key, request);
    ERR_clear_error(); /* a bad signature leaves entries in the thread's error queue */
    if (!key)
        return VERIFY_UNUSABLE_KEY;
    return good ? VERIFY_GOOD : VERIFY_BAD;
}
