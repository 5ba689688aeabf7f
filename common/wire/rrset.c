#include "common/wire/rrset.h"

#include <errno.h>
#include <string.h>

#include "common/wire/reader.h"

/* Most answers have one to four RRsets. */
#define LIST_FIRST_ROOM 4u

int rrset_list_add(struct arena *arena, struct rrset_list *list, const struct rrset *rrset)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : LIST_FIRST_ROOM;
        struct rrset *items = arena_array(arena, room, sizeof(*items));
        if (!items)
            return -ENOMEM;
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *rrset;
    return 0;
}

struct rrset *rrset_list_find(const struct rrset_list *list, const uint8_t *owner, uint16_t type)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].type == type && name_equal(list->items[i].owner, owner))
            return &list->items[i];
    return NULL;
}

static struct rdata *copy_rdata(struct arena *arena, const struct rdata *from, uint16_t count)
{
    struct rdata *to = arena_array(arena, count, sizeof(*to));
    for (uint16_t i = 0; to && i < count; i++) {
        to[i].size = from[i].size;
        to[i].data = arena_copy(arena, from[i].data, from[i].size);
        if (!to[i].data)
            return NULL;
    }
    return to;
}

int rrset_copy(struct arena *arena, const struct rrset *from, struct rrset *ret_rrset)
{
    struct rrset copy = *from;
    copy.owner = arena_copy(arena, from->owner, name_size(from->owner));
    copy.rdata = copy_rdata(arena, from->rdata, from->count);
    copy.sig = copy_rdata(arena, from->sig, from->sig_count);
    if (!copy.owner || !copy.rdata || !copy.sig)
        return -ENOMEM;
    *ret_rrset = copy;
    return 0;
}

bool rrset_same_rdata(const struct rrset *a, const struct rrset *b)
{
    if (a->count != b->count)
        return false;
    /* Sets hold no duplicates, so equal counts and "each of a is in b" is equality. The usual case, the same
     * order, is one comparison each; only a rotated set makes the inner loop turn, at most 100 x 100
     * (THREATS). */
    for (unsigned i = 0; i < a->count; i++) {
        unsigned tried = 0;
        for (; tried < b->count; tried++) {
            const struct rdata *other = &b->rdata[(i + tried) % b->count];
            if (other->size == a->rdata[i].size && memcmp(other->data, a->rdata[i].data, other->size) == 0)
                break;
        }
        if (tried == b->count)
            return false;
    }
    return true;
}

int rrsig_parse(const struct rdata *rdata, struct rrsig *ret_sig)
{
    struct reader r = reader_make(rdata->data, rdata->size);
    struct rrsig sig;
    uint8_t signer[NAME_MAX];
    sig.type_covered = reader_u16(&r);
    sig.algorithm = reader_u8(&r);
    sig.labels = reader_u8(&r);
    sig.original_ttl = reader_u32(&r);
    sig.expiration = reader_u32(&r);
    sig.inception = reader_u32(&r);
    sig.key_tag = reader_u16(&r);
    sig.signer = r.data + r.at;
    reader_name(&r, false, signer, NULL);
    sig.signature_size = (uint16_t)reader_left(&r);
    sig.signature = reader_bytes(&r, sig.signature_size);
    if (r.failed)
        return 1;
    *ret_sig = sig;
    return 0;
}
