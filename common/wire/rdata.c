#include "common/wire/rdata.h"

#include <string.h>

#include "common/wire/rdata_shape.h"

void rdata_canonicalize(uint16_t type, const struct rdata *rdata, uint8_t *ret_data)
{
    if (rdata->size)
        memcpy(ret_data, rdata->data, rdata->size);
    const struct rdata_shape *shape = rdata_shape_find(type);
    if (!shape || !(shape->flags & SHAPE_LOWER) || rdata_check(type, rdata) != 0)
        return;
    struct rdata_walk walk = rdata_walk_begin(shape, reader_make(rdata->data, rdata->size), false);
    struct rdata_field field;
    while (rdata_walk_next(&walk, &field))
        if (field.name_size)
            name_copy(field.name, ret_data + (field.data - rdata->data));
}

int rdata_check(uint16_t type, const struct rdata *rdata)
{
    const struct rdata_shape *shape = rdata_shape_find(type);
    if (!shape)
        return 0;
    struct rdata_walk walk = rdata_walk_begin(shape, reader_make(rdata->data, rdata->size), false);
    struct rdata_field field;
    while (rdata_walk_next(&walk, &field))
        continue;
    return rdata_walk_complete(&walk) ? 0 : 1;
}

int rdata_check_received(uint16_t type, const struct rdata *rdata)
{
    const struct rdata_shape *shape = rdata_shape_find(type);
    return shape && shape->flags & (SHAPE_DECOMPRESS | SHAPE_CHECKED) ? rdata_check(type, rdata) : 0;
}

bool type_bitmap_has(const uint8_t *bitmap, size_t size, uint16_t type)
{
    struct reader r = reader_make(bitmap, size);
    bool has = false;
    int last = -1;
    while (reader_left(&r)) {
        uint8_t window = reader_u8(&r), length = reader_u8(&r);
        const uint8_t *bits = reader_bytes(&r, length);
        /* The whole map is looked at, so that a malformed end means "holds nothing". */
        if (!bits || window <= last || length < 1 || length > 32)
            return false;
        last = window;
        unsigned octet = (type & 0xffu) / 8u;
        if (window == type >> 8 && octet < length)
            has = bits[octet] & (0x80u >> (type & 7u));
    }
    return has && !r.failed;
}
