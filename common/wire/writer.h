#pragma once
/* Bounded writer with sticky failure: once something did not fit, nothing more is written and `failed` stays
 * set. */

#include <string.h>

#include "common/base/util.h"

struct writer {
    uint8_t *data;
    size_t room, size;
    bool failed;
};

static inline struct writer writer_make(void *data, size_t room)
{
    return (struct writer){.data = data, .room = room};
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t size)
{
    if (w->failed || size > w->room - w->size) {
        w->failed = true;
        return;
    }
    if (size)
        memcpy(w->data + w->size, bytes, size);
    w->size += size;
}

static inline void writer_u8(struct writer *w, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    writer_bytes(w, &byte, 1);
}

static inline void writer_u16(struct writer *w, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    writer_bytes(w, bytes, sizeof(bytes));
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
    writer_u16(w, value >> 16);
    writer_u16(w, value & 0xffffu);
}
