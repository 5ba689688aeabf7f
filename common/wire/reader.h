#pragma once
/* Bounded reader over foreign bytes, with sticky failure.
 *
 * Once a read went past the end every later read gives zero or NULL and `failed` stays set, so a parser reads
 * all its fields and asks once. A sub-reader for RDATA is the same bytes with a smaller `size`: `data` stays
 * the beginning of the message, because compression pointers are counted from there. */

#include "common/wire/name.h"

struct reader {
    const uint8_t *data;
    size_t size, at;
    bool failed;
};

static inline struct reader reader_make(const void *data, size_t size)
{
    return (struct reader){.data = data ? data : name_root, .size = size};
}

/* Bytes not read yet; 0 after a failure. */
static inline size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : r->size - r->at;
}

/* The next size bytes, or NULL. */
static inline const uint8_t *reader_bytes(struct reader *r, size_t size)
{
    if (r->failed || size > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->data + r->at;
    r->at += size;
    return bytes;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 2);
    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    const uint8_t *p = reader_bytes(r, 4);
    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* A reader of the next size bytes only; they are skipped in r. Failed when there are not that many. */
static inline struct reader reader_sub(struct reader *r, size_t size)
{
    struct reader sub = *r;
    if (!reader_bytes(r, size))
        sub.failed = true;
    else
        sub.size = r->at;
    return sub;
}

/* Pointers one name may follow. A name that a compressor wrote needs at most one for each label; without a
 * limit a chain of pointers to pointers makes each of thousands of names cost thousands of steps. */
#define READER_MAX_POINTERS NAME_MAX_LABELS

/* A name, decompressed in the case received. Pointers only go backwards, and not into the header (RFC
 * 1035 4.1.4); pointers = false: none is accepted. Returns the size in ret_name, or 0 with the reader failed.
 * *ret_compressed (when not NULL) is set to true if there was a pointer, else left alone. */
size_t reader_name(struct reader *r, bool pointers, uint8_t ret_name[NAME_MAX], bool *ret_compressed);
