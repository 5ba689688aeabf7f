#include "common/base/text.h"

#include <string.h>

void text_add_bytes(struct text *text, const void *bytes, size_t size)
{
    text->needed += size;
    if (!text->room)
        return;
    size_t left = text->room - 1 - text->size;
    if (size > left) {
        size = left;
        text->cut = true;
    }
    memcpy(text->buf + text->size, bytes, size);
    text->size += size;
    text->buf[text->size] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char c)
{
    text_add_bytes(text, &c, 1);
}

void text_add_uint(struct text *text, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    text_add_bytes(text, digits + at, sizeof(digits) - at);
}

void text_add_hex(struct text *text, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++) {
        text_add_char(text, "0123456789abcdef"[p[i] >> 4]);
        text_add_char(text, "0123456789abcdef"[p[i] & 15]);
    }
}
