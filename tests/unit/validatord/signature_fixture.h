#pragma once
/* What the tests of signatures share: all pairs tried as validatord does, and a zone signer made on the spot.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/budget.h"
#include "daemons/validatord/core/signature.h"
#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

static const struct algorithm_policy modern = {.allow_sha1 = false};

struct fixture {
    struct arena *arena;
    struct verifier *verifier;
};

int signature_setup(void **state);
int signature_teardown(void **state);
/* Tries all pairs as validatord does. 0: one was good; 1, 2: as signature_try_next. */
int validate(struct fixture *f, struct signature_try *t, struct rrset *rrset, const uint8_t *zone,
             const struct rrset *keys, const struct algorithm_policy *policy, int64_t now);

/* An Ed25519 zone signer made here, for what no RFC has an example of. */
struct signer {
    EVP_PKEY *key;
    struct rdata dnskey;
    uint8_t zone[NAME_MAX];
};

void signer_init(struct fixture *f, struct signer *s, const char *zone);
/* Adds an RRSIG to the set. */
void sign(struct fixture *f, const struct signer *s, struct rrset *rrset, uint8_t labels,
          uint32_t original_ttl, uint32_t inception, uint32_t expiration);
struct rrset keys_of(struct fixture *f, const struct signer *signers, unsigned count);
/* The first RRset of the text. */
struct rrset *read_set(struct fixture *f, const char *text);

#define T(name) cmocka_unit_test_setup_teardown(name, signature_setup, signature_teardown)
