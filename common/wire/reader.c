#include "common/wire/reader.h"

#include <string.h>

#define HEADER_SIZE 12u

size_t reader_name(struct reader *r, bool pointers, uint8_t ret_name[NAME_MAX], bool *ret_compressed)
{
    size_t at = r->at, end = 0, size = 0;
    size_t lowest = r->at; /* a pointer must lead below everything this name has used */
    unsigned followed = 0;
    if (r->failed)
        return 0;
    for (;;) {
        if (at >= r->size)
            break;
        uint8_t length = r->data[at];
        if (length >= 0xc0) {
            if (!pointers || r->size - at < 2 || ++followed > READER_MAX_POINTERS)
                break;
            size_t target = (size_t)(length & 0x3f) << 8 | r->data[at + 1];
            if (target >= lowest || target < HEADER_SIZE)
                break;
            if (!end)
                end = at + 2;
            at = lowest = target;
            continue;
        }
        /* 0x40 and 0x80 are extended label types that nobody defined to stay (RFC 6891 5). */
        if (length > 63 || length + 1u > r->size - at || size + length + 1u > NAME_MAX)
            break;
        memcpy(ret_name + size, r->data + at, length + 1u);
        size += length + 1u;
        at += length + 1u;
        if (length)
            continue;
        r->at = end ? end : at;
        if (end && ret_compressed)
            *ret_compressed = true;
        return size;
    }
    r->failed = true;
    return 0;
}
