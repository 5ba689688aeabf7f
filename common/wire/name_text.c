#include "common/wire/name.h"

#include <string.h>

#include "common/base/text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One character of a label, escapes resolved. Returns how many bytes of text it took, 0 when it is not one.
 */
static size_t read_character(const char *text, uint8_t *ret_octet)
{
    if (text[0] != '\\') {
        *ret_octet = (uint8_t)text[0];
        return 1;
    }
    if (!is_digit(text[1])) {
        *ret_octet = (uint8_t)text[1];
        return text[1] ? 2 : 0;
    }
    if (!is_digit(text[2]) || !is_digit(text[3]))
        return 0;
    int octet = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    if (octet > 255)
        return 0;
    *ret_octet = (uint8_t)octet;
    return 4;
}

int name_from_text(const char *text, uint8_t ret_name[NAME_MAX])
{
    uint8_t name[NAME_MAX];
    size_t start = 0, at = 1; /* the label's length octet, and where its next octet goes */
    if (!text[0])
        return 1;
    if (text[0] == '.' && !text[1]) {
        ret_name[0] = 0;
        return 0;
    }
    while (*text) {
        if (*text == '.') {
            if (at == start + 1)
                return 1; /* empty label */
            name[start] = (uint8_t)(at - start - 1);
            start = at++;
            text++;
            continue;
        }
        uint8_t octet;
        size_t took = read_character(text, &octet);
        /* One octet must remain behind this one, for the root. */
        if (!took || at - start > 63 || at >= NAME_MAX - 1)
            return 1;
        name[at++] = octet;
        text += took;
    }
    if (at > start + 1) {
        name[start] = (uint8_t)(at - start - 1);
        start = at;
    }
    name[start] = 0;
    name_copy(name, ret_name);
    return 0;
}

char *name_to_text(const uint8_t *name, char buf[NAME_TEXT_MAX])
{
    struct text text = text_make(buf, NAME_TEXT_MAX);
    if (!name[0])
        text_add_char(&text, '.');
    for (; name[0]; name += 1 + name[0]) {
        for (unsigned i = 1; i <= name[0]; i++) {
            uint8_t c = name[i];
            if (c <= ' ' || c > '~') {
                text_add_char(&text, '\\');
                text_add_char(&text, (char)('0' + c / 100));
                text_add_char(&text, (char)('0' + c / 10 % 10));
                text_add_char(&text, (char)('0' + c % 10));
                continue;
            }
            /* What means something else in a zone file, RFC 1035 5.1. */
            if (memchr(".;()\\\"@$", c, 8))
                text_add_char(&text, '\\');
            text_add_char(&text, (char)c);
        }
        text_add_char(&text, '.');
    }
    return buf;
}
