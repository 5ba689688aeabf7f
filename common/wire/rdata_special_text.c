/* Presentation form of the fields with a structure of their own. Their shape was checked before. */

#include <string.h>

#include "common/base/text.h"
#include "common/wire/rdata_shape.h"

/* RFC 1876 2: 2^31 is the equator or the prime meridian, a unit is a thousandth of an arc second. */
static void add_angle(struct text *text, uint32_t value, char positive, char negative)
{
    const uint32_t middle = 0x80000000u;
    uint32_t distance = value >= middle ? value - middle : middle - value;
    text_add_uint(text, distance / 3600000);
    text_add_char(text, ' ');
    rdata_text_add_padded(text, distance / 60000 % 60, 2);
    text_add_char(text, ' ');
    rdata_text_add_padded(text, distance / 1000 % 60, 2);
    text_add_char(text, '.');
    rdata_text_add_padded(text, distance % 1000, 3);
    text_add_char(text, ' ');
    text_add_char(text, value >= middle ? positive : negative);
}

/* Centimetres as metres, the fraction only where there is one. */
static void add_metres(struct text *text, uint64_t centimetres)
{
    text_add_uint(text, centimetres / 100);
    if (centimetres % 100) {
        text_add_char(text, '.');
        rdata_text_add_padded(text, (uint32_t)(centimetres % 100), 2);
    }
    text_add_char(text, 'm');
}

static void add_precision(struct text *text, uint8_t precision)
{
    uint64_t centimetres = precision >> 4;
    for (unsigned power = precision & 15; power; power--)
        centimetres *= 10;
    text_add_char(text, ' ');
    add_metres(text, centimetres);
}

static void add_loc(struct text *text, struct reader r)
{
    const int64_t base_cm = 10000000; /* altitude counts from 100 km below the ellipsoid */
    reader_u8(&r);
    uint8_t size = reader_u8(&r), horizontal = reader_u8(&r), vertical = reader_u8(&r);
    add_angle(text, reader_u32(&r), 'N', 'S');
    text_add_char(text, ' ');
    add_angle(text, reader_u32(&r), 'E', 'W');
    text_add_char(text, ' ');
    int64_t altitude = (int64_t)reader_u32(&r) - base_cm;
    if (altitude < 0)
        text_add_char(text, '-');
    add_metres(text, (uint64_t)(altitude < 0 ? -altitude : altitude));
    add_precision(text, size);
    add_precision(text, horizontal);
    add_precision(text, vertical);
}

static void add_apl(struct text *text, struct reader r)
{
    for (bool first = true; reader_left(&r); first = false) {
        uint16_t family = reader_u16(&r);
        uint8_t prefix = reader_u8(&r), size = reader_u8(&r), address[16] = {0};
        memcpy(address, reader_bytes(&r, size & 0x7fu), size & 0x7fu);
        if (!first)
            text_add_char(text, ' ');
        if (size & 0x80)
            text_add_char(text, '!');
        text_add_uint(text, family);
        text_add_char(text, ':');
        if (family == 1)
            rdata_text_add_ipv4(text, address);
        else
            rdata_text_add_ipv6(text, address);
        text_add_char(text, '/');
        text_add_uint(text, prefix);
    }
}

static void add_gateway(struct text *text, uint8_t gateway_type, const uint8_t *data)
{
    switch (gateway_type) {
    case 1:
        rdata_text_add_ipv4(text, data);
        break;
    case 2:
        rdata_text_add_ipv6(text, data);
        break;
    case 3:
        rdata_text_add_name(text, data);
        break;
    default:
        text_add_char(text, '.');
        break;
    }
}

static void add_hip(struct text *text, struct reader r)
{
    uint8_t hit_size = reader_u8(&r), algorithm = reader_u8(&r);
    uint16_t key_size = reader_u16(&r);
    text_add_uint(text, algorithm);
    text_add_char(text, ' ');
    text_add_hex(text, reader_bytes(&r, hit_size), hit_size);
    text_add_char(text, ' ');
    rdata_text_add_base64(text, reader_bytes(&r, key_size), key_size);
    uint8_t server[NAME_MAX];
    while (reader_left(&r) && reader_name(&r, false, server, NULL)) {
        text_add_char(text, ' ');
        rdata_text_add_name(text, server);
    }
}

/* Protocol and ports as numbers: their names are a matter of the machine's files. */
static void add_wks(struct text *text, struct reader r)
{
    text_add_uint(text, reader_u8(&r));
    for (unsigned port = 0; reader_left(&r); port += 8) {
        uint8_t bits = reader_u8(&r);
        for (unsigned bit = 0; bit < 8; bit++) {
            if (bits & 0x80u >> bit) {
                text_add_char(text, ' ');
                text_add_uint(text, port + bit);
            }
        }
    }
}

static void add_a6(struct text *text, struct reader r)
{
    uint8_t prefix = reader_u8(&r), address[16] = {0};
    size_t size = reader_left(&r);
    if (size)
        memcpy(address + 16 - size, reader_bytes(&r, size), size);
    text_add_uint(text, prefix);
    if (size) {
        text_add_char(text, ' ');
        rdata_text_add_ipv6(text, address);
    }
}

static void add_svcb_key(struct text *text, uint16_t key)
{
    switch (key) {
    case SVCB_MANDATORY:
        text_add(text, "mandatory");
        break;
    case SVCB_ALPN:
        text_add(text, "alpn");
        break;
    case SVCB_NO_DEFAULT_ALPN:
        text_add(text, "no-default-alpn");
        break;
    case SVCB_PORT:
        text_add(text, "port");
        break;
    case SVCB_IPV4HINT:
        text_add(text, "ipv4hint");
        break;
    case SVCB_ECH:
        text_add(text, "ech");
        break;
    case SVCB_IPV6HINT:
        text_add(text, "ipv6hint");
        break;
    case SVCB_DOHPATH:
        text_add(text, "dohpath");
        break;
    case SVCB_OHTTP:
        text_add(text, "ohttp");
        break;
    default:
        text_add(text, "key");
        text_add_uint(text, key);
        break;
    }
}

/* One id of an ALPN list. Two escapes lie over each other, RFC 9460 A.1: the list's, for comma and backslash,
 * and the character-string's around it. */
static void add_alpn_id(struct text *text, const uint8_t *id, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (id[i] == ',')
            text_add(text, "\\\\,");
        else if (id[i] == '\\')
            text_add(text, "\\\\\\\\");
        else
            rdata_text_add_octet_escaped(text, id[i]);
    }
}

static void add_svcb_list(struct text *text, uint16_t key, struct reader value)
{
    for (bool first = true; reader_left(&value); first = false) {
        uint8_t size;
        if (!first)
            text_add_char(text, ',');
        switch (key) {
        case SVCB_MANDATORY:
            add_svcb_key(text, reader_u16(&value));
            break;
        case SVCB_ALPN:
            size = reader_u8(&value);
            add_alpn_id(text, reader_bytes(&value, size), size);
            break;
        case SVCB_IPV4HINT:
            rdata_text_add_ipv4(text, reader_bytes(&value, 4));
            break;
        default:
            rdata_text_add_ipv6(text, reader_bytes(&value, 16));
            break;
        }
    }
}

static void add_svcb_value(struct text *text, uint16_t key, struct reader value)
{
    size_t size = reader_left(&value);
    if (!size)
        return;
    text_add_char(text, '=');
    switch (key) {
    case SVCB_MANDATORY:
    case SVCB_IPV4HINT:
    case SVCB_IPV6HINT:
        add_svcb_list(text, key, value);
        break;
    case SVCB_ALPN:
        text_add_char(text, '"');
        add_svcb_list(text, key, value);
        text_add_char(text, '"');
        break;
    case SVCB_PORT:
        text_add_uint(text, reader_u16(&value));
        break;
    case SVCB_ECH:
        rdata_text_add_base64(text, value.data + value.at, size);
        break;
    default:
        rdata_text_add_quoted(text, value.data + value.at, size);
        break;
    }
}

static void add_svcb(struct text *text, struct reader r)
{
    for (bool first = true; reader_left(&r); first = false) {
        uint16_t key = reader_u16(&r), size = reader_u16(&r);
        if (!first)
            text_add_char(text, ' ');
        add_svcb_key(text, key);
        add_svcb_value(text, key, reader_sub(&r, size));
    }
}

void rdata_special_to_text(struct text *text, const struct rdata_field *field, const struct rdata *rdata)
{
    struct reader r = reader_make(field->data, field->size);
    switch (field->code) {
    case 'L':
        add_loc(text, r);
        break;
    case 'P':
        add_apl(text, r);
        break;
    case 'g':
        add_gateway(text, rdata->data[1], field->data);
        break;
    case 'H':
        add_hip(text, r);
        break;
    case 'v':
        add_svcb(text, r);
        break;
    case 'w':
        add_wks(text, r);
        break;
    case 'p':
        add_a6(text, r);
        break;
    default:
        break;
    }
}
