#include "common/cache/entry_codec.h"

#include <errno.h>
#include <string.h>

#include "common/wire/rdata.h"

/* The first octet of an RRset. */
#define SET_SECURITY   0x03u
#define SET_RANK_SHIFT 2
#define SET_RANK       0x07u /* behind the shift */
#define SET_CLASS      0x20u /* it is not IN, and follows */
#define SET_WILDCARD   0x40u /* wildcard_labels follow */
#define SET_COUNTS     0x80u /* of RDATA and of signatures, follow: they are not one each */

void entry_store_le(uint8_t *p, uint64_t number, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        p[i] = (uint8_t)(number >> (8 * i));
}

uint64_t entry_load_le(const uint8_t *p, unsigned octets)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < octets; i++)
        number |= (uint64_t)p[i] << (8 * i);
    return number;
}

void entry_put(struct entry_out *out, const void *bytes, size_t size)
{
    if (out->failed || size > sizeof(out->bytes) - out->size) {
        out->failed = true;
        return;
    }
    if (size)
        memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

void entry_put_uint(struct entry_out *out, uint64_t number, unsigned octets)
{
    uint8_t bytes[8];
    entry_store_le(bytes, number, octets);
    entry_put(out, bytes, octets);
}

void entry_put_number(struct entry_out *out, uint64_t number)
{
    uint8_t bytes[10];
    unsigned size = 0;
    for (; number > 0x7f; number >>= 7)
        bytes[size++] = (uint8_t)(0x80 | (number & 0x7f));
    bytes[size++] = (uint8_t)number;
    entry_put(out, bytes, size);
}

/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ... */
static uint64_t zigzag(int64_t number)
{
    return number < 0 ? ~((uint64_t)number << 1) : (uint64_t)number << 1;
}

static int64_t zagzig(uint64_t number)
{
    return (int64_t)(number & 1 ? ~(number >> 1) : number >> 1);
}

void entry_put_near(struct entry_out *out, uint32_t number, uint32_t base)
{
    entry_put_number(out, zigzag((int32_t)(number - base)));
}

/* 0 is 0 ("not known"), another time 1 and its difference to the header's. */
void entry_put_time(struct entry_out *out, wall_s time)
{
    if (time.s < 0 || time.s > ENTRY_TIME_MAX)
        out->failed = true;
    else
        entry_put_number(out, time.s == 0 ? 0 : 1 + zigzag(time.s - out->expires.s));
}

void entry_begin(struct entry_out *out, enum entry_kind kind, wall_s expires)
{
    out->size = 0;
    out->failed = expires.s < 0 || expires.s > ENTRY_TIME_MAX;
    out->expires = expires;
    out->ttl = 0;
    entry_put_uint(out, 0, ENTRY_CHECKSUM);
    entry_put_uint(out, ENTRY_WHAT(kind), 1);
    entry_put_uint(out, (uint64_t)expires.s, 5);
}

static void put_rdata(struct entry_out *out, const struct rdata *rdata)
{
    entry_put_number(out, rdata->size);
    entry_put(out, rdata->data, rdata->size);
}

void entry_put_rrset(struct entry_out *out, const struct rrset *rrset)
{
    if (!rrset->count || rrset->count > CACHE_RDATA_MAX || rrset->sig_count > ENTRY_SIGS_MAX) {
        out->failed = true;
        return;
    }
    bool counts = rrset->count != 1 || rrset->sig_count != 1;
    entry_put_uint(out,
                   (unsigned)rrset->security | (unsigned)rrset->rank << SET_RANK_SHIFT |
                       (rrset->class != CLASS_IN ? SET_CLASS : 0) |
                       (rrset->wildcard_labels ? SET_WILDCARD : 0) | (counts ? SET_COUNTS : 0),
                   1);
    entry_put_number(out, rrset->type);
    if (rrset->class != CLASS_IN)
        entry_put_number(out, rrset->class);
    if (rrset->wildcard_labels)
        entry_put_uint(out, rrset->wildcard_labels, 1);
    if (counts) {
        entry_put_uint(out, rrset->count, 1);
        entry_put_uint(out, rrset->sig_count, 1);
    }
    entry_put_near(out, rrset->ttl, out->ttl);
    if (rrset->sig_count)
        entry_put_near(out, rrset->sig_ttl, rrset->ttl);
    for (unsigned i = 0; i < rrset->count; i++)
        put_rdata(out, &rrset->rdata[i]);
    for (unsigned i = 0; i < rrset->sig_count; i++)
        entry_put_sig(out, rrset, &rrset->sig[i]);
}

void entry_put_owned_rrset(struct entry_out *out, const struct rrset *rrset)
{
    size_t size = name_size(rrset->owner);
    entry_put_uint(out, size, 1);
    entry_put(out, rrset->owner, size);
    entry_put_rrset(out, rrset);
}

void entry_put_list(struct entry_out *out, const struct rrset_list *list)
{
    if (list->count > ENTRY_LIST_MAX)
        out->failed = true;
    entry_put_uint(out, list->count, 1);
    for (uint32_t i = 0; i < list->count && !out->failed; i++)
        entry_put_owned_rrset(out, &list->items[i]);
}

int entry_seal(struct entry_out *out, struct arena *arena, struct slice key, struct slice *ret_value)
{
    if (out->failed)
        return 1;
    entry_store_le(out->bytes, entry_checksum(key, slice_make(out->bytes, out->size)), ENTRY_CHECKSUM);
    const uint8_t *copy = arena_copy(arena, out->bytes, out->size);
    if (!copy)
        return -ENOMEM;
    *ret_value = slice_make(copy, out->size);
    return 0;
}

int entry_open(struct arena *arena, struct slice key, struct slice value, enum entry_kind kind,
               struct entry_in *ret_in)
{
    if (value.size < ENTRY_HEADER || value.size > CACHE_ENTRY_MAX ||
        value.data[ENTRY_CHECKSUM] != ENTRY_WHAT(kind) ||
        entry_load_le(value.data, ENTRY_CHECKSUM) != entry_checksum(key, value))
        return CACHE_MISS;
    *ret_in = (struct entry_in){.arena = arena,
                                .at = value.data + ENTRY_HEADER,
                                .end = value.data + value.size,
                                .expires = cache_value_expires(value)};
    return 0;
}

const uint8_t *entry_get(struct entry_in *in, size_t size)
{
    if (in->failed || size > (size_t)(in->end - in->at)) {
        in->failed = true;
        return NULL;
    }
    const uint8_t *at = in->at;
    in->at += size;
    return at;
}

uint64_t entry_get_uint(struct entry_in *in, unsigned octets)
{
    const uint8_t *bytes = entry_get(in, octets);
    return bytes ? entry_load_le(bytes, octets) : 0;
}

uint64_t entry_get_number(struct entry_in *in)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *octet = entry_get(in, 1);
        if (!octet)
            return 0;
        number |= (uint64_t)(*octet & 0x7f) << shift;
        if (!(*octet & 0x80))
            return number;
    }
    in->failed = true;
    return 0;
}

uint32_t entry_get_near(struct entry_in *in, uint32_t base)
{
    return base + (uint32_t)zagzig(entry_get_number(in));
}

wall_s entry_get_time(struct entry_in *in)
{
    uint64_t number = entry_get_number(in);
    if (number == 0)
        return (wall_s){0};
    /* The first bound keeps the sum from overflow. */
    int64_t s = number > UINT64_C(1) << 43 ? -1 : in->expires.s + zagzig(number - 1);
    if (s < 0 || s > ENTRY_TIME_MAX) {
        in->failed = true;
        s = 0;
    }
    return (wall_s){.s = s};
}

static struct rdata *get_array(struct entry_in *in, unsigned count)
{
    struct rdata *rdata = arena_array(in->arena, count ? count : 1, sizeof(*rdata));
    if (!rdata)
        in->starved = in->failed = true;
    return rdata;
}

static void get_rdata(struct entry_in *in, uint16_t type, struct rdata *ret_rdata)
{
    uint64_t size = entry_get_number(in);
    if (size > UINT16_MAX) {
        in->failed = true;
        return;
    }
    ret_rdata->size = (uint16_t)size;
    ret_rdata->data = entry_get(in, ret_rdata->size);
    if (!in->failed && rdata_check_received(type, ret_rdata))
        in->failed = true;
}

static uint16_t get_u16(struct entry_in *in)
{
    uint64_t number = entry_get_number(in);
    if (number > UINT16_MAX)
        in->failed = true;
    return (uint16_t)number;
}

void entry_get_rrset(struct entry_in *in, const uint8_t *owner, struct rrset *ret_rrset)
{
    unsigned head = (unsigned)entry_get_uint(in, 1), rank = head >> SET_RANK_SHIFT & SET_RANK;
    struct rrset rrset = {.owner = owner,
                          .class = CLASS_IN,
                          .count = 1,
                          .sig_count = 1,
                          .rank = (enum rank)rank,
                          .security = (enum security)(head & SET_SECURITY)};
    rrset.type = get_u16(in);
    if (head & SET_CLASS)
        rrset.class = get_u16(in);
    if (head & SET_WILDCARD)
        rrset.wildcard_labels = (uint8_t)entry_get_uint(in, 1);
    if (head & SET_COUNTS) {
        rrset.count = (uint16_t)entry_get_uint(in, 1);
        rrset.sig_count = (uint16_t)entry_get_uint(in, 1);
    }
    rrset.ttl = entry_get_near(in, in->ttl);
    if (rrset.sig_count)
        rrset.sig_ttl = entry_get_near(in, rrset.ttl);
    if (in->failed || rank > RANK_ANSWER || !rrset.count || rrset.count > CACHE_RDATA_MAX ||
        rrset.sig_count > ENTRY_SIGS_MAX || rrset.wildcard_labels > 1 + NAME_MAX_LABELS) {
        in->failed = true;
        return;
    }
    rrset.rdata = get_array(in, rrset.count);
    rrset.sig = get_array(in, rrset.sig_count);
    for (unsigned i = 0; i < rrset.count && !in->failed; i++)
        get_rdata(in, rrset.type, &rrset.rdata[i]);
    for (unsigned i = 0; i < rrset.sig_count && !in->failed; i++)
        entry_get_sig(in, &rrset, &rrset.sig[i]);
    if (!in->failed)
        *ret_rrset = rrset;
}

static bool is_lower_name(const uint8_t *name, size_t size)
{
    uint8_t copy[NAME_MAX];
    return name_from_bytes(name, size, copy) == 0 && memcmp(name, copy, size) == 0;
}

void entry_get_owned_rrset(struct entry_in *in, struct rrset *ret_rrset)
{
    size_t size = (size_t)entry_get_uint(in, 1);
    const uint8_t *owner = entry_get(in, size);
    if (in->failed || !is_lower_name(owner, size)) {
        in->failed = true;
        return;
    }
    entry_get_rrset(in, owner, ret_rrset);
}

void entry_get_list(struct entry_in *in, struct rrset_list *ret_list)
{
    uint32_t count = (uint32_t)entry_get_uint(in, 1);
    if (in->failed || count > ENTRY_LIST_MAX) {
        in->failed = true;
        return;
    }
    struct rrset_list list = {.count = count, .room = count};
    if (count) {
        list.items = arena_array(in->arena, count, sizeof(*list.items));
        if (!list.items) {
            in->starved = in->failed = true;
            return;
        }
    }
    for (uint32_t i = 0; i < count && !in->failed; i++)
        entry_get_owned_rrset(in, &list.items[i]);
    if (!in->failed)
        *ret_list = list;
}

int entry_end(struct entry_in *in)
{
    if (in->starved)
        return -ENOMEM;
    return in->failed || in->at != in->end ? CACHE_MISS : 0;
}

uint32_t cache_ttl_left(wall_s stored, wall_s expires, wall_s now)
{
    if (stored.s > now.s || expires.s <= now.s)
        return 0;
    /* RFC 2181 8: a TTL has 31 bits */
    return (uint32_t)MIN(expires.s - now.s, (int64_t)INT32_MAX);
}

wall_s cache_value_expires(struct slice value)
{
    return (wall_s){.s = value.size < ENTRY_HEADER ? 0 : (int64_t)entry_load_le(value.data + 5, 5)};
}

int cache_blob_encode(struct arena *arena, struct slice key, struct slice blob, struct slice *ret_value)
{
    struct entry_out out;
    entry_begin(&out, ENTRY_BLOB, (wall_s){.s = ENTRY_TIME_MAX});
    entry_put(&out, blob.data, blob.size);
    return entry_seal(&out, arena, key, ret_value);
}

int cache_blob_decode(struct slice key, struct slice value, struct slice *ret_blob)
{
    struct entry_in in;
    if (entry_open(NULL, key, value, ENTRY_BLOB, &in))
        return CACHE_MISS;
    *ret_blob = slice_make(in.at, (size_t)(in.end - in.at));
    return 0;
}
