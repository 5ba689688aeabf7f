/* NSEC3 hashes (RFC 5155 5) for synthesis from the cache: the one file of netd that knows OpenSSL. */

#include <openssl/evp.h>
#include <stdlib.h>

#include "daemons/netd/netd.h"

#define NSEC3_SHA1 1u

struct nsec3 {
    EVP_MD *sha1;        /* fetched once */
    EVP_MD_CTX *context; /* reused: no allocation a hash */
};

struct nsec3 *nsec3_new(void)
{
    struct nsec3 *nsec3 = calloc(1, sizeof(*nsec3));
    if (!nsec3)
        return NULL;
    nsec3->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    nsec3->context = EVP_MD_CTX_new();
    if (!nsec3->sha1 || !nsec3->context) {
        nsec3_free(nsec3);
        return NULL;
    }
    return nsec3;
}

void nsec3_free(struct nsec3 *nsec3)
{
    if (!nsec3)
        return;
    EVP_MD_CTX_free(nsec3->context);
    EVP_MD_free(nsec3->sha1);
    free(nsec3);
}

int nsec3_hash(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations, struct slice salt,
               uint8_t ret_hash[20])
{
    struct nsec3 *nsec3 = ctx;
    uint8_t hash[20];
    if (algorithm != NSEC3_SHA1)
        return 1;
    const uint8_t *input = name;
    size_t size = name_size(name);
    for (unsigned n = 0; n <= iterations; n++) {
        if (EVP_DigestInit_ex2(nsec3->context, nsec3->sha1, NULL) != 1 ||
            EVP_DigestUpdate(nsec3->context, input, size) != 1 ||
            EVP_DigestUpdate(nsec3->context, salt.data, salt.size) != 1 ||
            EVP_DigestFinal_ex(nsec3->context, hash, NULL) != 1)
            return 1;
        input = hash;
        size = sizeof(hash);
    }
    for (unsigned i = 0; i < sizeof(hash); i++)
        ret_hash[i] = hash[i];
    return 0;
}
