#pragma once
/* Cache keys: names in lookup form, so that memcmp order (LMDB's own) is DNSSEC canonical order.
 *
 * Lookup form: labels from the root down, lower case, each ended by a 0x00 octet; an octet 0x00 or 0x01 inside a
 * label is written 0x01 0x01 or 0x01 0x02 (so that the separator sorts below every label octet). A name's subtree
 * is exactly the keys that start with its lookup form. A type follows as two octets, big endian, behind one more
 * 0x00: it sorts before every deeper name. Keys over CACHE_KEY_MAX are not cached. DESIGN 4. */

#include "common/cache/view.h"
#include "common/wire/name.h"

#define CACHE_KEY_MAX 511u /* LMDB's own limit, MDB_MAXKEYSIZE */

struct cache_key {
    uint16_t size;
    uint8_t bytes[CACHE_KEY_MAX];
};

static inline struct slice cache_key_slice(const struct cache_key *key)
{
    return (struct slice){.data = key->bytes, .size = key->size};
}

/* All return 0, or 1: too long to be cached. */
int cache_key_name(const uint8_t *name, struct cache_key *ret_key);                       /* zone, nta */
int cache_key_rr(const uint8_t *name, uint16_t type, struct cache_key *ret_key);          /* rr, neg */
/* NSEC: zone's lookup form, a separator, then the owner relative to the zone. */
int cache_key_nsec(const uint8_t *zone, const uint8_t *owner, struct cache_key *ret_key);
/* NSEC3: zone, 8 byte digest of (algorithm, iterations, salt), hash. */
int cache_key_nsec3(const uint8_t *zone, uint8_t algorithm, uint16_t iterations, struct slice salt,
                    struct slice hash, struct cache_key *ret_key);
/* Back to a name: from the lookup form at the start of a key (up to the type or the end). 0, or 1: not one. */
int cache_key_to_name(struct slice key, uint8_t ret_name[NAME_MAX], uint16_t *ret_type);
