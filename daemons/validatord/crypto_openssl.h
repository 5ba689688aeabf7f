#pragma once
/* Cryptography by OpenSSL: digests and NSEC3 hashes for a core, and signature checks for one thread.
 *
 * Everything that costs a look-up in OpenSSL's providers is done once: algorithms are fetched when an object
 * is made, contexts are used again, public keys are kept ready. An object belongs to one thread at a time. */

#include "daemons/validatord/core/crypto.h"

struct digester;

/* 0 or -errno. */
int digester_new(struct digester **ret_digester);
void digester_free(struct digester *digester);
/* The table for a core; valid as long as the digester. */
struct crypto_ops digester_ops(struct digester *digester);
/* nsec3_hash_fn with the digester as ctx: for a cache look-up without a core. */
int digester_nsec3_hash(void *digester, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                        struct slice salt, uint8_t ret_hash[20]);

#define VERIFIER_KEYS                                                                                        \
    256u /* public keys kept ready by each verifier; a busy resolver meets a few hundred zones */

struct verifier;

int verifier_new(struct verifier **ret_verifier);
void verifier_free(struct verifier *verifier);
/* One check: RSA with SHA-1, SHA-256 or SHA-512, ECDSA P-256 and P-384, Ed25519, Ed448. Whether SHA-1 is
 * allowed is decided before (struct algorithm_policy). Key shapes that dnskey_usable() refuses are
 * VERIFY_UNUSABLE_KEY. */
enum verify_outcome verifier_check(struct verifier *verifier, const struct verify_request *request);
