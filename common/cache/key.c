#include "common/cache/key.h"

#include <string.h>

#include "common/base/siphash.h"

#define SEPARATOR    0x00u
#define ESCAPE       0x01u
#define FAILURE_MARK 0x46u /* 'F' */

static int add_octet(struct cache_key *key, uint8_t octet)
{
    if (key->size >= CACHE_KEY_MAX)
        return 1;
    key->bytes[key->size++] = octet;
    return 0;
}

static int add_bytes(struct cache_key *key, const void *bytes, size_t size)
{
    if (size > CACHE_KEY_MAX - (size_t)key->size)
        return 1;
    if (size)
        memcpy(key->bytes + key->size, bytes, size);
    key->size = (uint16_t)(key->size + size);
    return 0;
}

static int add_label(struct cache_key *key, const uint8_t *label)
{
    for (unsigned i = 1; i <= label[0]; i++) {
        uint8_t octet = label[i];
        if (octet >= 'A' && octet <= 'Z')
            octet = (uint8_t)(octet + ('a' - 'A'));
        if (octet <= ESCAPE) {
            if (add_octet(key, ESCAPE))
                return 1;
            octet = (uint8_t)(octet + 1);
        }
        if (add_octet(key, octet))
            return 1;
    }
    return add_octet(key, SEPARATOR);
}

/* The first `count` labels of name, the last of them first. */
static int add_labels(struct cache_key *key, const uint8_t *name, unsigned count)
{
    const uint8_t *labels[NAME_MAX_LABELS];
    assert(count <= NAME_MAX_LABELS);
    for (unsigned i = 0; i < count; i++, name += 1 + name[0])
        labels[i] = name;
    while (count > 0)
        if (add_label(key, labels[--count]))
            return 1;
    return 0;
}

int cache_key_subtree(const uint8_t *name, struct cache_key *ret_key)
{
    ret_key->size = 0;
    return add_labels(ret_key, name, name_labels(name));
}

int cache_key_name(const uint8_t *name, struct cache_key *ret_key)
{
    return cache_key_subtree(name, ret_key) || add_octet(ret_key, SEPARATOR);
}

int cache_key_rr(const uint8_t *name, uint16_t type, struct cache_key *ret_key)
{
    return cache_key_name(name, ret_key) || add_octet(ret_key, (uint8_t)(type >> 8)) ||
           add_octet(ret_key, (uint8_t)(type & 0xff));
}

int cache_key_failure(const uint8_t *name, uint16_t type, struct cache_key *ret_key)
{
    return cache_key_rr(name, type, ret_key) || add_octet(ret_key, FAILURE_MARK);
}

int cache_key_nsec(const uint8_t *zone, const uint8_t *owner, struct cache_key *ret_key)
{
    unsigned above = name_labels(zone), labels = name_labels(owner);
    assert(labels >= above);
    return cache_key_name(zone, ret_key) || add_labels(ret_key, owner, labels - above);
}

int cache_key_nsec3(const uint8_t *zone, uint8_t algorithm, uint16_t iterations, struct slice salt,
                    struct slice hash, struct cache_key *ret_key)
{
    /* salt is at most 255 octets, RFC 5155 3.1.5 */
    uint8_t parameters[3 + 255], digest[8];
    if (salt.size > 255)
        return 1;
    parameters[0] = algorithm;
    parameters[1] = (uint8_t)(iterations >> 8);
    parameters[2] = (uint8_t)(iterations & 0xff);
    if (salt.size)
        memcpy(parameters + 3, salt.data, salt.size);
    uint64_t sum = cache_key_hash(slice_make(parameters, 3 + salt.size));
    for (unsigned i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(sum >> (56 - 8 * i));
    return cache_key_name(zone, ret_key) || add_bytes(ret_key, digest, sizeof(digest)) ||
           add_bytes(ret_key, hash.data, hash.size);
}

/* Labels in lookup form from *at on, up to a separator where a label would begin, or to the end. They are put
 * before the name that fills *start to NAME_MAX of buf. *ret_at is behind the last label. */
static int take_labels(struct slice key, size_t at, uint8_t buf[NAME_MAX], size_t *start, size_t *ret_at)
{
    while (at < key.size && key.data[at] != SEPARATOR) {
        uint8_t label[63];
        size_t size = 0;
        for (; at < key.size && key.data[at] != SEPARATOR; at++) {
            uint8_t octet = key.data[at];
            if (octet == ESCAPE) {
                if (++at == key.size || key.data[at] < 1 || key.data[at] > 2)
                    return 1;
                octet = (uint8_t)(key.data[at] - 1);
            }
            if (size == sizeof(label))
                return 1;
            label[size++] = octet;
        }
        if (at == key.size || *start < size + 1)
            return 1;
        at++;
        *start -= size + 1;
        buf[*start] = (uint8_t)size;
        memcpy(buf + *start + 1, label, size);
    }
    *ret_at = at;
    return 0;
}

static int take_name(struct slice key, uint8_t ret_name[NAME_MAX], size_t *ret_at)
{
    uint8_t buf[NAME_MAX];
    size_t start = NAME_MAX - 1, at;
    buf[start] = 0;
    if (take_labels(key, 0, buf, &start, &at))
        return 1;
    memcpy(ret_name, buf + start, NAME_MAX - start);
    *ret_at = at;
    return 0;
}

int cache_key_to_name(struct slice key, uint8_t ret_name[NAME_MAX], uint16_t *ret_type)
{
    uint8_t name[NAME_MAX];
    size_t at;
    if (take_name(key, name, &at) || at == key.size)
        return 1;
    at++; /* the separator */
    size_t rest = key.size - at;
    if (rest != 0 && rest != 2 && !(rest == 3 && key.data[key.size - 1] == FAILURE_MARK))
        return 1;
    name_copy(name, ret_name);
    *ret_type = rest ? (uint16_t)(key.data[at] << 8 | key.data[at + 1]) : 0;
    return 0;
}

int cache_key_to_zone(struct slice key, uint8_t ret_zone[NAME_MAX], size_t *ret_prefix)
{
    size_t at;
    uint8_t zone[NAME_MAX];
    if (take_name(key, zone, &at) || at == key.size)
        return 1;
    name_copy(zone, ret_zone);
    *ret_prefix = at + 1;
    return 0;
}

int cache_key_to_owner(struct slice key, const uint8_t *zone, uint8_t ret_owner[NAME_MAX])
{
    struct cache_key prefix;
    if (cache_key_name(zone, &prefix) || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
        return 1;
    uint8_t buf[NAME_MAX];
    size_t size = name_size(zone), start = NAME_MAX - size, at;
    memcpy(buf + start, zone, size);
    if (take_labels(key, prefix.size, buf, &start, &at) || at != key.size)
        return 1;
    memcpy(ret_owner, buf + start, NAME_MAX - start);
    return 0;
}

int cache_key_compare(struct slice a, struct slice b)
{
    size_t size = MIN(a.size, b.size);
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

bool cache_key_has_prefix(struct slice key, struct slice prefix)
{
    return key.size >= prefix.size && (!prefix.size || memcmp(key.data, prefix.data, prefix.size) == 0);
}

int cache_key_before(struct slice key, struct cache_key *ret_key)
{
    if (!key.size || key.size > CACHE_KEY_MAX)
        return 1;
    size_t last = key.size - 1;
    memcpy(ret_key->bytes, key.data, key.size);
    ret_key->size = (uint16_t)last;
    if (key.data[last] == 0)
        return 0;
    ret_key->bytes[last]--;
    memset(ret_key->bytes + key.size, 0xff, CACHE_KEY_MAX - key.size);
    ret_key->size = CACHE_KEY_MAX;
    return 0;
}

int cache_key_after(struct slice key, struct cache_key *ret_key)
{
    if (key.size >= CACHE_KEY_MAX)
        return cache_key_after_prefix(slice_make(key.data, CACHE_KEY_MAX), ret_key);
    if (key.size)
        memcpy(ret_key->bytes, key.data, key.size);
    ret_key->bytes[key.size] = 0;
    ret_key->size = (uint16_t)(key.size + 1);
    return 0;
}

int cache_key_after_prefix(struct slice prefix, struct cache_key *ret_key)
{
    size_t size = prefix.size;
    while (size && prefix.data[size - 1] == 0xff)
        size--;
    if (!size || size > CACHE_KEY_MAX)
        return 1;
    memcpy(ret_key->bytes, prefix.data, size);
    ret_key->bytes[size - 1]++;
    ret_key->size = (uint16_t)size;
    return 0;
}

uint64_t cache_key_hash(struct slice key)
{
    const struct siphash_key none = {0, 0};
    return siphash24(&none, key.data, key.size);
}
