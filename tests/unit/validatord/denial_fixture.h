#pragma once
/* What the tests of denial proofs share: records from zone text, and each proof asked by the name's text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/validatord/core/denial.h"
#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

struct fixture {
    struct arena *arena;
    struct digester *digester;
    struct crypto_ops ops;
    uint32_t hashes;
    struct rrset_list list;
    struct denial denial;
};

int denial_setup(void **state);
int denial_teardown(void **state);
/* A proof by the records of `text`, all signed by `zone`, with 100 hashes to spend: f->denial. */
void proof(struct fixture *f, const char *zone, const char *text);
int nxdomain(struct fixture *f, const char *qname);
int nodata(struct fixture *f, const char *qname, uint16_t qtype);
int wildcard_answer(struct fixture *f, const char *qname, unsigned ce_labels);
enum no_ds no_ds(struct fixture *f, const char *name);

#define T(name) cmocka_unit_test_setup_teardown(name, denial_setup, denial_teardown)
