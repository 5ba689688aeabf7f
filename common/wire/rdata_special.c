/* Fields with a structure of their own: their checks. Their text is in rdata_special_text.c. */

#include "common/wire/rdata_shape.h"

static void skip_name(struct reader *r)
{
    uint8_t name[NAME_MAX];
    reader_name(r, false, name, NULL);
}

/* RFC 1876 2: version 0 is the only one; sizes are digit times a power of ten. */
static void skip_loc(struct reader *r)
{
    const uint8_t *loc = reader_bytes(r, 16);
    if (!loc)
        return;
    for (unsigned i = 1; i <= 3; i++)
        if (loc[i] >> 4 > 9 || (loc[i] & 15) > 9)
            r->failed = true;
    if (loc[0])
        r->failed = true;
}

/* RFC 3123 4. */
static void skip_apl(struct reader *r)
{
    while (reader_left(r)) {
        uint16_t family = reader_u16(r);
        uint8_t prefix = reader_u8(r), size = reader_u8(r) & 0x7f;
        reader_bytes(r, size);
        bool fits = family == 1 ? prefix <= 32 && size <= 4 : family == 2 && prefix <= 128 && size <= 16;
        if (!fits)
            r->failed = true;
    }
}

/* RFC 4025 2.5: the gateway's form is told by the second octet of the RDATA. */
static void skip_gateway(struct reader *r, uint8_t gateway_type)
{
    switch (gateway_type) {
    case 0:
        break;
    case 1:
        reader_bytes(r, 4);
        break;
    case 2:
        reader_bytes(r, 16);
        break;
    case 3:
        skip_name(r);
        break;
    default:
        r->failed = true;
        break;
    }
}

/* RFC 8005 5: HIT and key, then rendezvous servers. */
static void skip_hip(struct reader *r)
{
    uint8_t hit_size = reader_u8(r);
    reader_u8(r);
    uint16_t key_size = reader_u16(r);
    if (!hit_size || !key_size)
        r->failed = true;
    reader_bytes(r, hit_size);
    reader_bytes(r, key_size);
    while (reader_left(r))
        skip_name(r);
}

static bool alpn_is_valid(struct reader value)
{
    if (!reader_left(&value))
        return false;
    while (reader_left(&value)) {
        uint8_t size = reader_u8(&value);
        if (!size || !reader_bytes(&value, size))
            return false;
    }
    return true;
}

static bool mandatory_is_valid(struct reader value)
{
    int last = SVCB_MANDATORY;
    if (!reader_left(&value))
        return false;
    while (reader_left(&value)) {
        int key = reader_u16(&value);
        if (value.failed || key <= last)
            return false;
        last = key;
    }
    return true;
}

static bool svcb_value_is_valid(uint16_t key, struct reader value)
{
    size_t size = reader_left(&value);
    switch (key) {
    case SVCB_MANDATORY:
        return mandatory_is_valid(value);
    case SVCB_ALPN:
        return alpn_is_valid(value);
    case SVCB_NO_DEFAULT_ALPN:
    case SVCB_OHTTP:
        return size == 0;
    case SVCB_PORT:
        return size == 2;
    case SVCB_IPV4HINT:
        return size && size % 4 == 0;
    case SVCB_IPV6HINT:
        return size && size % 16 == 0;
    default:
        return true;
    }
}

/* RFC 9460 2.2: keys in strictly increasing order. */
static void skip_svcb(struct reader *r)
{
    int last = -1;
    while (reader_left(r)) {
        uint16_t key = reader_u16(r), size = reader_u16(r);
        struct reader value = reader_sub(r, size);
        if (key <= last || value.failed || !svcb_value_is_valid(key, value))
            r->failed = true;
        last = key;
    }
}

/* RFC 1035 3.4.2: protocol, then one bit a port. */
static void skip_wks(struct reader *r)
{
    reader_u8(r);
    if (reader_left(r) > 8192)
        r->failed = true;
    reader_bytes(r, reader_left(r));
}

/* RFC 2874 3.1: the octets of the address behind the prefix. */
static void skip_a6(struct reader *r)
{
    uint8_t prefix = reader_u8(r);
    if (prefix > 128)
        r->failed = true;
    reader_bytes(r, 16u - prefix / 8u);
}

void rdata_skip_special(char code, struct reader *r, size_t rdata_start)
{
    switch (code) {
    case 'L':
        skip_loc(r);
        break;
    case 'P':
        skip_apl(r);
        break;
    case 'g':
        skip_gateway(r, r->data[rdata_start + 1]);
        break;
    case 'H':
        skip_hip(r);
        break;
    case 'v':
        skip_svcb(r);
        break;
    case 'w':
        skip_wks(r);
        break;
    case 'p':
        skip_a6(r);
        break;
    case 'o': /* RFC 2535 5.2: one bit for each of the types below 128 */
        if (reader_left(r) > 16)
            r->failed = true;
        reader_bytes(r, reader_left(r));
        break;
    default:
        r->failed = true;
        break;
    }
}
