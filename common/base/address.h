#pragma once
/* A server's or client's address and port, without the sockets API, so that cores can hold it. */

#include <string.h>

#include "common/base/util.h"

struct address {
    uint8_t family;    /* 4 or 6; 0: none */
    uint16_t port;     /* host order */
    uint8_t bytes[16]; /* the first 4 for IPv4, the rest zero */
};

static inline size_t address_size(const struct address *a)
{
    return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

static inline bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, 16) == 0;
}

struct prefix {
    uint8_t family, length;
    uint8_t bytes[16];
};

/* Is the address inside the prefix? IPv4-mapped IPv6 addresses are the caller's business. */
static inline bool prefix_has(const struct prefix *p, const struct address *a)
{
    if (p->family != a->family)
        return false;
    unsigned whole = p->length / 8u, rest = p->length % 8u;
    if (memcmp(p->bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((p->bytes[whole] ^ a->bytes[whole]) >> (8u - rest)) == 0;
}
