#include "common/cache/entry_codec.h"

#include <errno.h>
#include <string.h>

#include "common/wire/rdata.h"

static void store_le(uint8_t *p, uint64_t number, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        p[i] = (uint8_t)(number >> (8 * i));
}

static uint64_t load_le(const uint8_t *p, unsigned octets)
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
    store_le(bytes, number, octets);
    entry_put(out, bytes, octets);
}

void entry_put_time(struct entry_out *out, wall_s time)
{
    if (time.s < 0 || time.s > ENTRY_TIME_MAX)
        out->failed = true;
    entry_put_uint(out, (uint64_t)time.s, 8);
}

void entry_begin(struct entry_out *out, enum entry_kind kind, wall_s expires)
{
    out->size = 0;
    out->failed = false;
    entry_put_uint(out, 0, 8);
    entry_put_uint(out, CACHE_FORMAT_VERSION, 1);
    entry_put_uint(out, kind, 1);
    entry_put_uint(out, 0, 2);
    entry_put_time(out, expires);
}

static void put_rdata(struct entry_out *out, const struct rdata *rdata)
{
    entry_put_uint(out, rdata->size, 2);
    entry_put(out, rdata->data, rdata->size);
}

void entry_put_rrset(struct entry_out *out, const struct rrset *rrset)
{
    if (!rrset->count || rrset->count > CACHE_RDATA_MAX || rrset->sig_count > ENTRY_SIGS_MAX) {
        out->failed = true;
        return;
    }
    entry_put_uint(out, rrset->type, 2);
    entry_put_uint(out, rrset->class, 2);
    entry_put_uint(out, rrset->ttl, 4);
    entry_put_uint(out, rrset->sig_ttl, 4);
    entry_put_uint(out, rrset->rank, 1);
    entry_put_uint(out, rrset->security, 1);
    entry_put_uint(out, rrset->wildcard_labels, 1);
    entry_put_uint(out, rrset->count, 1);
    entry_put_uint(out, rrset->sig_count, 1);
    for (unsigned i = 0; i < rrset->count; i++)
        put_rdata(out, &rrset->rdata[i]);
    for (unsigned i = 0; i < rrset->sig_count; i++)
        put_rdata(out, &rrset->sig[i]);
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
    store_le(out->bytes, entry_checksum(key, slice_make(out->bytes + 8, out->size - 8)), 8);
    const uint8_t *copy = arena_copy(arena, out->bytes, out->size);
    if (!copy)
        return -ENOMEM;
    *ret_value = slice_make(copy, out->size);
    return 0;
}

int entry_open(struct arena *arena, struct slice key, struct slice value, enum entry_kind kind,
               struct entry_in *ret_in)
{
    if (value.size < ENTRY_HEADER || value.size > CACHE_ENTRY_MAX || value.data[8] != CACHE_FORMAT_VERSION ||
        value.data[9] != kind || value.data[10] || value.data[11])
        return CACHE_MISS;
    if (load_le(value.data, 8) != entry_checksum(key, slice_make(value.data + 8, value.size - 8)))
        return CACHE_MISS;
    *ret_in =
        (struct entry_in){.arena = arena, .at = value.data + ENTRY_HEADER, .end = value.data + value.size};
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
    return bytes ? load_le(bytes, octets) : 0;
}

wall_s entry_get_time(struct entry_in *in)
{
    uint64_t s = entry_get_uint(in, 8);
    if (s > (uint64_t)ENTRY_TIME_MAX) {
        in->failed = true;
        s = 0;
    }
    return (wall_s){.s = (int64_t)s};
}

static void get_rdatas(struct entry_in *in, uint16_t type, unsigned count, struct rdata **ret_rdata)
{
    struct rdata *rdata = arena_array(in->arena, count ? count : 1, sizeof(*rdata));
    if (!rdata) {
        in->starved = in->failed = true;
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        rdata[i].size = (uint16_t)entry_get_uint(in, 2);
        rdata[i].data = entry_get(in, rdata[i].size);
        if (in->failed)
            return;
        if (rdata_check_received(type, &rdata[i])) {
            in->failed = true;
            return;
        }
    }
    *ret_rdata = rdata;
}

void entry_get_rrset(struct entry_in *in, const uint8_t *owner, struct rrset *ret_rrset)
{
    struct rrset rrset = {.owner = owner};
    rrset.type = (uint16_t)entry_get_uint(in, 2);
    rrset.class = (uint16_t)entry_get_uint(in, 2);
    rrset.ttl = (uint32_t)entry_get_uint(in, 4);
    rrset.sig_ttl = (uint32_t)entry_get_uint(in, 4);
    unsigned rank = (unsigned)entry_get_uint(in, 1), security = (unsigned)entry_get_uint(in, 1);
    rrset.wildcard_labels = (uint8_t)entry_get_uint(in, 1);
    rrset.count = (uint16_t)entry_get_uint(in, 1);
    rrset.sig_count = (uint16_t)entry_get_uint(in, 1);
    if (in->failed || rank > RANK_ANSWER || security > SECURITY_SECURE || !rrset.count ||
        rrset.count > CACHE_RDATA_MAX || rrset.sig_count > ENTRY_SIGS_MAX ||
        rrset.wildcard_labels > 1 + NAME_MAX_LABELS) {
        in->failed = true;
        return;
    }
    rrset.rank = (enum rank)rank;
    rrset.security = (enum security)security;
    get_rdatas(in, rrset.type, rrset.count, &rrset.rdata);
    if (!in->failed)
        get_rdatas(in, TYPE_RRSIG, rrset.sig_count, &rrset.sig);
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
    int64_t s = value.size < ENTRY_HEADER ? 0 : (int64_t)load_le(value.data + 12, 8);
    return (wall_s){.s = s < 0 || s > ENTRY_TIME_MAX ? 0 : s};
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
