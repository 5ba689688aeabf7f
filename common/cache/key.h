#pragma once
/* Cache keys: names in lookup form, so that memcmp order (LMDB's own) is DNSSEC canonical order.
 *
 * Lookup form: labels from the root down, lower case, each ended by a 0x00 octet; an octet 0x00 or 0x01
 * inside a label is written 0x01 0x01 or 0x01 0x02 (so that the separator sorts below every label octet).
 * Every key is a lookup form, one more 0x00 (it sorts before every deeper name, and gives the root a key that
 * LMDB takes), and what the database adds: nothing (zone, nta), a type of two octets, big endian (rr, neg),
 * that and a mark (a remembered failure), the owner relative to the zone (nsec), parameters and hash (nsec3).
 * So a name's subtree is exactly the keys that start with its lookup form. Keys over CACHE_KEY_MAX are not
 * cached. DESIGN 4. */

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
int cache_key_name(const uint8_t *name, struct cache_key *ret_key);              /* zone, nta */
int cache_key_rr(const uint8_t *name, uint16_t type, struct cache_key *ret_key); /* rr, neg */
/* neg: a remembered failure of (name, type). A key of its own, so that a failure never displaces the good
 * negative answer of that name and type (DESIGN invariant 3). */
int cache_key_failure(const uint8_t *name, uint16_t type, struct cache_key *ret_key);
/* NSEC: zone's lookup form, a separator, then the owner relative to the zone. owner at or below zone. */
int cache_key_nsec(const uint8_t *zone, const uint8_t *owner, struct cache_key *ret_key);
/* NSEC3: zone, 8 byte digest of (algorithm, iterations, salt), hash. */
int cache_key_nsec3(const uint8_t *zone, uint8_t algorithm, uint16_t iterations, struct slice salt,
                    struct slice hash, struct cache_key *ret_key);
/* The bytes with which all keys of a name and of everything below it begin: its lookup form. Empty for the
 * root. */
int cache_key_subtree(const uint8_t *name, struct cache_key *ret_key);

/* Back to a name: from the lookup form at the start of a zone, nta, rr or neg key; the type is 0 when the key
 * has none. 0, or 1: not one. */
int cache_key_to_name(struct slice key, uint8_t ret_name[NAME_MAX], uint16_t *ret_type);
/* The owner in an nsec key of that zone. 0, or 1: not one of this zone's. */
int cache_key_to_owner(struct slice key, const uint8_t *zone, uint8_t ret_owner[NAME_MAX]);
/* The zone, and how many octets of the key it takes (separator included), of an nsec or nsec3 key. 0, or 1.
 */
int cache_key_to_zone(struct slice key, uint8_t ret_zone[NAME_MAX], size_t *ret_prefix);

int cache_key_compare(struct slice a, struct slice b);
bool cache_key_has_prefix(struct slice key, struct slice prefix);
/* The greatest possible key below this one, and the least above it. 0, or 1: there is none. */
int cache_key_before(struct slice key, struct cache_key *ret_key);
int cache_key_after(struct slice key, struct cache_key *ret_key);
/* The least key above all that begin with these bytes. 0, or 1: there is none. */
int cache_key_after_prefix(struct slice prefix, struct cache_key *ret_key);
/* The key's number in the popularity sketch (common/ipc/shared.h counts by the same): that of the rr key of
 * what was asked. */
uint64_t cache_key_hash(struct slice key);
