/* The one file with xxhash.h: inlined whole, so that the pure parts need no library for it. */
#include "common/cache/entry_codec.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint32_t entry_checksum(struct slice key, struct slice value)
{
    assert(value.size >= ENTRY_CHECKSUM);
    return (uint32_t)XXH3_64bits_withSeed(value.data + ENTRY_CHECKSUM, value.size - ENTRY_CHECKSUM,
                                          XXH3_64bits(key.data, key.size));
}
