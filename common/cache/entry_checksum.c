/* The one file with xxhash.h: inlined whole, so that the pure parts need no library for it. */
#include "common/cache/entry_codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t entry_checksum(struct slice key, struct slice body)
{
    return XXH3_64bits_withSeed(body.data, body.size, XXH3_64bits(key.data, key.size));
}
