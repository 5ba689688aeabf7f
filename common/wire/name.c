#include "common/wire/name.h"

#include <string.h>

const uint8_t name_root[1] = {0};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

size_t name_size(const uint8_t *name)
{
    size_t at = 0;
    while (name[at])
        at += 1u + name[at];
    return at + 1;
}

unsigned name_labels(const uint8_t *name)
{
    unsigned labels = 0;
    for (; name[0]; name += 1 + name[0])
        labels++;
    return labels;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
    /* Length octets are below 64 and so unchanged by lower(): one loop compares lengths and text. */
    for (;;) {
        unsigned size = a[0];
        if (b[0] != size)
            return false;
        if (!size)
            return true;
        for (unsigned i = 1; i <= size; i++)
            if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
                return false;
        a += 1 + size;
        b += 1 + size;
    }
}

/* Offsets of the labels, so that they can be walked from the root. */
static unsigned label_offsets(const uint8_t *name, uint8_t ret_offsets[NAME_MAX_LABELS])
{
    unsigned count = 0;
    for (size_t at = 0; name[at] && count < NAME_MAX_LABELS; at += 1u + name[at])
        ret_offsets[count++] = (uint8_t)at;
    return count;
}

static int compare_labels(const uint8_t *a, const uint8_t *b)
{
    unsigned common = MIN(a[0], b[0]);
    for (unsigned i = 1; i <= common; i++) {
        int difference = lower(a[i]) - lower(b[i]);
        if (difference)
            return difference;
    }
    return a[0] - b[0];
}

int name_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t offsets_a[NAME_MAX_LABELS], offsets_b[NAME_MAX_LABELS];
    unsigned left_a = label_offsets(a, offsets_a), left_b = label_offsets(b, offsets_b);
    while (left_a && left_b) {
        int difference = compare_labels(a + offsets_a[--left_a], b + offsets_b[--left_b]);
        if (difference)
            return difference;
    }
    return (int)left_a - (int)left_b;
}

const uint8_t *name_suffix(const uint8_t *name, unsigned labels)
{
    unsigned have = name_labels(name);
    assert(labels <= have);
    for (; have > labels; have--)
        name += 1 + name[0];
    return name;
}

bool name_is_under(const uint8_t *name, const uint8_t *ancestor)
{
    unsigned labels = name_labels(name), wanted = name_labels(ancestor);
    if (labels < wanted)
        return false;
    for (; labels > wanted; labels--)
        name += 1 + name[0];
    return name_equal(name, ancestor);
}

bool name_is_below(const uint8_t *name, const uint8_t *ancestor)
{
    return name_labels(name) > name_labels(ancestor) && name_is_under(name, ancestor);
}

unsigned name_common_labels(const uint8_t *a, const uint8_t *b)
{
    uint8_t offsets_a[NAME_MAX_LABELS], offsets_b[NAME_MAX_LABELS];
    unsigned left_a = label_offsets(a, offsets_a), left_b = label_offsets(b, offsets_b), common = 0;
    while (left_a && left_b && compare_labels(a + offsets_a[--left_a], b + offsets_b[--left_b]) == 0)
        common++;
    return common;
}

void name_lower(uint8_t *name)
{
    for (; name[0]; name += 1 + name[0])
        for (unsigned i = 1; i <= name[0]; i++)
            name[i] = lower(name[i]);
}

size_t name_copy(const uint8_t *name, uint8_t *ret_name)
{
    size_t size = name_size(name);
    for (size_t i = 0; i < size; i++)
        ret_name[i] = lower(name[i]);
    return size;
}

int name_make_wildcard(const uint8_t *name, uint8_t ret_name[NAME_MAX])
{
    static const uint8_t star[] = {1, '*', 0};
    return name_join(star, 1, name, ret_name);
}

int name_join(const uint8_t *prefix, unsigned labels, const uint8_t *suffix, uint8_t ret_name[NAME_MAX])
{
    size_t head = 0, tail = name_size(suffix);
    for (; labels && prefix[head]; labels--)
        head += 1u + prefix[head];
    if (head + tail > NAME_MAX)
        return 1;
    /* Through a copy: either part may lie in ret_name. */
    uint8_t joined[NAME_MAX];
    memcpy(joined, prefix, head);
    memcpy(joined + head, suffix, tail);
    memcpy(ret_name, joined, head + tail);
    return 0;
}

int name_substitute(const uint8_t *name, const uint8_t *owner, const uint8_t *target,
                    uint8_t ret_name[NAME_MAX])
{
    assert(name_is_below(name, owner));
    return name_join(name, name_labels(name) - name_labels(owner), target, ret_name);
}

int name_from_bytes(const void *data, size_t size, uint8_t ret_name[NAME_MAX])
{
    const uint8_t *bytes = data;
    if (!size || size > NAME_MAX)
        return 1;
    size_t at = 0;
    while (bytes[at]) {
        if (bytes[at] > 63 || bytes[at] + 2u > size - at)
            return 1;
        at += 1u + bytes[at];
    }
    if (at + 1 != size)
        return 1;
    for (size_t i = 0; i < size; i++)
        ret_name[i] = lower(bytes[i]);
    return 0;
}
