#pragma once
/* Bounded text for pure parts, which have no stdio: appended piece by piece, always NUL-terminated, cut when
 * full. */

#include "common/base/util.h"

struct text {
    char *buf;
    size_t room, size; /* size: without the NUL */
    bool cut;          /* something did not fit */
    size_t needed;     /* bytes all of it would have taken, without the NUL */
};

static inline struct text text_make(char *buf, size_t room)
{
    if (room)
        buf[0] = '\0';
    return (struct text){.buf = buf, .room = room};
}

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t size);
void text_add_char(struct text *text, char c);
void text_add_uint(struct text *text, uint64_t number);
/* Lower-case hexadecimal of size bytes. */
void text_add_hex(struct text *text, const void *bytes, size_t size);
