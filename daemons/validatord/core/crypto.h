#pragma once
/* What the core asks of cryptography. Digests and NSEC3 hashes are called at once through this table and paid
 * from the question's budget; a signature check is an action answered by an event, because it runs in a
 * thread. */

#include "common/cache/lookup.h"

struct crypto_ops {
    void *ctx;
    /* DS digest over data: ret up to 48 bytes, *ret_size set. 0, or 1: unsupported digest type. */
    int (*digest)(void *ctx, uint8_t digest_type, const struct slice *parts, size_t count,
                  uint8_t ret_digest[48], size_t *ret_size);
    nsec3_hash_fn nsec3_hash;
};

/* One signature check: is `signature` by `key` (the public key field of a DNSKEY) over `data`? */
struct verify_request {
    uint8_t algorithm;
    struct slice key;
    struct slice data;
    struct slice signature;
};

enum verify_outcome { VERIFY_GOOD = 0, VERIFY_BAD = 1, VERIFY_UNUSABLE_KEY = 2 };
