/* RDATA in presentation form: the plain fields, and RFC 3597 5 for what has none or does not keep to its
 * shape. */

#include <string.h>

#include "common/base/text.h"
#include "common/wire/rdata_shape.h"

static uint32_t big_endian(const uint8_t *data, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

void rdata_text_add_name(struct text *text, const uint8_t *name)
{
    char buf[NAME_TEXT_MAX];
    text_add(text, name_to_text(name, buf));
}

void rdata_text_add_padded(struct text *text, uint32_t number, unsigned digits)
{
    char buf[10];
    assert(digits <= sizeof(buf));
    for (unsigned i = digits; i-- > 0; number /= 10)
        buf[i] = (char)('0' + number % 10);
    text_add_bytes(text, buf, digits);
}

/* An octet of a character-string inside quotes, RFC 1035 5.1. */
void rdata_text_add_octet_escaped(struct text *text, uint8_t octet)
{
    if (octet < ' ' || octet > '~') {
        text_add_char(text, '\\');
        rdata_text_add_padded(text, octet, 3);
        return;
    }
    if (octet == '"' || octet == '\\')
        text_add_char(text, '\\');
    text_add_char(text, (char)octet);
}

void rdata_text_add_quoted(struct text *text, const uint8_t *data, size_t size)
{
    text_add_char(text, '"');
    for (size_t i = 0; i < size; i++)
        rdata_text_add_octet_escaped(text, data[i]);
    text_add_char(text, '"');
}

void rdata_text_add_base64(struct text *text, const uint8_t *data, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < size; at += 3) {
        size_t have = MIN(size - at, (size_t)3);
        uint32_t bits = big_endian(data + at, have) << 8 * (3 - have);
        for (unsigned i = 0; i < 4; i++)
            text_add_char(text, i <= have ? alphabet[bits >> (18 - 6 * i) & 63] : '=');
    }
}

/* Base 32 with extended hex alphabet, no padding: RFC 5155 3.3. */
static void add_base32hex(struct text *text, const uint8_t *data, size_t size)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 5; have -= 5)
            text_add_char(text, "0123456789abcdefghijklmnopqrstuv"[bits >> (have - 5) & 31]);
    }
    if (have)
        text_add_char(text, "0123456789abcdefghijklmnopqrstuv"[bits << (5 - have) & 31]);
}

void rdata_text_add_ipv4(struct text *text, const uint8_t address[4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (i)
            text_add_char(text, '.');
        text_add_uint(text, address[i]);
    }
}

static void add_hex_group(struct text *text, const uint8_t group[2])
{
    unsigned value = big_endian(group, 2);
    bool begun = false;
    for (unsigned shift = 16; shift; shift -= 4) {
        unsigned digit = value >> (shift - 4) & 15;
        begun = begun || digit || shift == 4;
        if (begun)
            text_add_char(text, "0123456789abcdef"[digit]);
    }
}

/* RFC 5952: the first longest run of two or more zero groups becomes "::"; embedded IPv4 is dotted. */
void rdata_text_add_ipv6(struct text *text, const uint8_t address[16])
{
    unsigned best = 8, best_size = 1;
    for (unsigned i = 0, run = 0; i < 8; i++) {
        run = big_endian(address + 2 * i, 2) ? 0 : run + 1;
        if (run > best_size) {
            best_size = run;
            best = i + 1 - run;
        }
    }
    bool dotted =
        best == 0 && (best_size == 6 || (best_size == 5 && address[10] == 0xff && address[11] == 0xff));
    for (unsigned i = 0; i < 8; i++) {
        if (i == best) {
            text_add(text, "::");
            i += best_size - 1;
            continue;
        }
        if (i && i != best + best_size)
            text_add_char(text, ':');
        if (dotted && i == 6) {
            rdata_text_add_ipv4(text, address + 12);
            return;
        }
        add_hex_group(text, address + 2 * i);
    }
}

/* YYYYMMDDHHmmSS, RFC 4034 3.2. The date of a day number after H. F. Fliegel's idea of counting years from
 * March, so that the leap day is the last of its year. Without a clock the 32 bits are taken as 1970 to 2106.
 */
static void add_time(struct text *text, uint32_t seconds)
{
    uint32_t days = seconds / 86400, rest = seconds % 86400;
    uint32_t since = days + 719468;                      /* 0000-03-01 is day 0 */
    uint32_t era = since / 146097, day = since % 146097; /* 400 years */
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint32_t month = (5 * day + 2) / 153; /* from March; every five months have 153 days */
    day -= (153 * month + 2) / 5;
    year += 400 * era + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    rdata_text_add_padded(text, year, 4);
    rdata_text_add_padded(text, month, 2);
    rdata_text_add_padded(text, day + 1, 2);
    rdata_text_add_padded(text, rest / 3600, 2);
    rdata_text_add_padded(text, rest / 60 % 60, 2);
    rdata_text_add_padded(text, rest % 60, 2);
}

static void add_type(struct text *text, uint32_t type)
{
    char buf[16];
    text_add(text, rrtype_to_text((uint16_t)type, buf));
}

static void add_bitmap_window(struct text *text, unsigned window, const uint8_t *bits, size_t size,
                              bool *first)
{
    for (unsigned bit = 0; bit < 8 * size; bit++) {
        if (!(bits[bit / 8] & 0x80u >> bit % 8))
            continue;
        if (!*first)
            text_add_char(text, ' ');
        *first = false;
        add_type(text, window << 8 | bit);
    }
}

static void add_bitmap(struct text *text, const uint8_t *data, size_t size)
{
    bool first = true;
    for (size_t at = 0; at < size; at += 2u + data[at + 1])
        add_bitmap_window(text, data[at], data + at + 2, data[at + 1], &first);
}

static void add_strings(struct text *text, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += 1u + data[at]) {
        if (at)
            text_add_char(text, ' ');
        rdata_text_add_quoted(text, data + at + 1, data[at]);
    }
}

static void add_hex_groups(struct text *text, const uint8_t *data, size_t count, size_t octets,
                           char separator)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            text_add_char(text, separator);
        text_add_hex(text, data + i * octets, octets);
    }
}

static void add_field(struct text *text, const struct rdata_field *field, const struct rdata *rdata)
{
    const uint8_t *data = field->data;
    bool first = true;
    switch (field->code) {
    case '1':
    case '2':
    case '4':
        text_add_uint(text, big_endian(data, field->size));
        break;
    case 'D':
        add_time(text, big_endian(data, 4));
        break;
    case 't':
        add_type(text, big_endian(data, 2));
        break;
    case 'a':
        rdata_text_add_ipv4(text, data);
        break;
    case 'A':
        rdata_text_add_ipv6(text, data);
        break;
    case 'n':
    case 'N':
        if (field->name_size)
            rdata_text_add_name(text, field->name);
        break;
    case 's':
    case 'S':
        add_strings(text, data, field->size);
        break;
    case 'q':
        rdata_text_add_quoted(text, data, field->size);
        break;
    case 'c':
        for (size_t i = 1; i < field->size; i++)
            rdata_text_add_octet_escaped(text, data[i]);
        break;
    case 'z':
        text_add(text, "0x");
        text_add_hex(text, data, field->size);
        break;
    case 'x':
        text_add_hex(text, data, field->size);
        break;
    case 'b':
        rdata_text_add_base64(text, data, field->size);
        break;
    case 'h':
        if (field->size == 1)
            text_add_char(text, '-');
        text_add_hex(text, data + 1, field->size - 1);
        break;
    case 'k':
        add_base32hex(text, data + 1, field->size - 1);
        break;
    case 'm':
        add_bitmap(text, data, field->size);
        break;
    case 'o':
        add_bitmap_window(text, 0, data, field->size, &first);
        break;
    case 'e':
    case 'E':
        add_hex_groups(text, data, field->size, 1, '-');
        break;
    case 'i':
        add_hex_groups(text, data, 4, 2, ':');
        break;
    default:
        rdata_special_to_text(text, field, rdata);
        break;
    }
}

static void add_generic(struct text *text, const struct rdata *rdata)
{
    text_add(text, "\\# ");
    text_add_uint(text, rdata->size);
    if (rdata->size) {
        text_add_char(text, ' ');
        text_add_hex(text, rdata->data, rdata->size);
    }
}

size_t rdata_to_text(uint16_t type, const struct rdata *rdata, char *buf, size_t room)
{
    struct text text = text_make(buf, room);
    const struct rdata_shape *shape = rdata_shape_find(type);
    if (!shape || shape->fields[0] == '.' || rdata_check(type, rdata) != 0) {
        add_generic(&text, rdata);
        return text.needed;
    }
    struct rdata_walk walk = rdata_walk_begin(shape, reader_make(rdata->data, rdata->size), false);
    struct rdata_field field;
    while (rdata_walk_next(&walk, &field)) {
        /* What is empty in wire form has no text, but for an absent gateway (".") and an empty string. */
        if (field.data != rdata->data && (field.size || field.code == 'g' || field.code == 'q'))
            text_add_char(&text, ' ');
        add_field(&text, &field, rdata);
    }
    return text.needed;
}
