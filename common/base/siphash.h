#pragma once
/* SipHash-2-4 (Aumasson, Bernstein 2012) for every table an attacker can fill. */

#include "common/base/util.h"

struct siphash_key {
    uint64_t k0, k1;
};

/* 64 bit keyed hash of size bytes. Pure; the key comes from the shell's random pool. */
uint64_t siphash24(const struct siphash_key *key, const void *data, size_t size);
