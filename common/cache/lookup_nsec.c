/* Synthesis from NSEC: RFC 4035 5.4, 6840 4, 8198 5. The record that could speak about a name is the one with
 * the greatest owner at or before it, one cursor step away. */
#include <errno.h>
#include <string.h>

#include "common/cache/lookup_search.h"

/* Octets of the name that begins here, or 0: it does not end within size. */
static size_t bounded_name_size(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && data[at] != 0) {
        if (data[at] > 63)
            return 0;
        at += 1u + data[at];
    }
    return at < size && at < NAME_MAX ? at + 1 : 0;
}

static int parse(struct search *search, const uint8_t *zone, struct denial_record *record)
{
    const struct rdata *rdata = &record->rr.rrset.rdata[0];
    size_t size = bounded_name_size(rdata->data, rdata->size);
    uint8_t next[NAME_MAX];
    if (record->rr.rrset.count != 1 || record->rr.rrset.wildcard_labels || !size ||
        name_from_bytes(rdata->data, size, next))
        return SEARCH_NONE;
    /* THREATS "NSEC next out of zone" */
    if (!name_is_under(next, zone))
        return SEARCH_NONE;
    record->next = arena_copy(search->lookup->arena, next, size);
    record->bitmap = rdata->data + size;
    record->bitmap_size = rdata->size - size;
    return record->next ? 0 : -ENOMEM;
}

/* The usable NSEC at or before name. 0; SEARCH_NONE: the zone has none there; SEARCH_BARRED: it has one,
 * which is not usable; -errno. */
static int find(struct search *search, const uint8_t *zone, const uint8_t *name,
                struct denial_record *ret_record)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key sought;
    struct slice key, value;
    uint8_t owner[NAME_MAX];
    if (cache_key_nsec(zone, name, &sought))
        return SEARCH_NONE;
    int r = view->seek_le(view->ctx, CACHE_NSEC, cache_key_slice(&sought), &key, &value);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (cache_key_to_owner(key, zone, owner))
        return SEARCH_NONE;
    struct denial_record record = {.owner = arena_copy(search->lookup->arena, owner, name_size(owner))};
    if (!record.owner)
        return -ENOMEM;
    r = search_get_rr(search, CACHE_NSEC, key, value, record.owner, TYPE_NSEC, &record.rr, &record.usable);
    if (r)
        return r < 0 ? r : SEARCH_BARRED;
    if (!record.usable.signed_now)
        return SEARCH_BARRED;
    r = parse(search, zone, &record);
    if (r)
        return r < 0 ? r : SEARCH_BARRED;
    *ret_record = record;
    return 0;
}

static bool covers(const struct denial_record *record, const uint8_t *zone, const uint8_t *name)
{
    if (name_compare(record->owner, name) >= 0)
        return false;
    if (name_compare(record->owner, record->next) < 0)
        return name_compare(name, record->next) < 0;
    return name_equal(record->next, zone); /* the zone's last */
}

/* Covers, and neither cut nor DNAME lies between owner and name, nor is the name an empty non-terminal. */
static bool proves_absent(const struct denial_record *record, const uint8_t *zone, const uint8_t *name)
{
    return covers(record, zone, name) &&
           (!name_is_below(name, record->owner) || denial_speaks_below(record)) &&
           !name_is_below(record->next, name);
}

/* The name is proven absent by `record`: what does the wildcard at its closest encloser say? */
static int search_wildcard(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype,
                           struct denial_record *record)
{
    unsigned labels = MAX(name_common_labels(name, record->owner), name_common_labels(name, record->next));
    struct denial_record at_wildcard, *records[2] = {record, &at_wildcard};
    uint8_t made[NAME_MAX];
    if (name_make_wildcard(name_suffix(name, labels), made))
        return SEARCH_BARRED;
    int r = denial_wildcard(search, zone, name, qtype, made, records, 1);
    if (r != SEARCH_NONE)
        return r;
    r = find(search, zone, made, &at_wildcard);
    if (r)
        return r < 0 ? r : SEARCH_BARRED;
    if (name_equal(at_wildcard.owner, made))
        r = denial_matches_nodata(&at_wildcard, qtype)
                ? denial_finish(search, zone, RCODE_NOERROR, records, 2)
                : SEARCH_BARRED;
    else
        r = proves_absent(&at_wildcard, zone, made) ? denial_finish(search, zone, RCODE_NXDOMAIN, records, 2)
                                                    : SEARCH_BARRED;
    return r == SEARCH_NONE ? SEARCH_BARRED : r;
}

int search_nsec(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype)
{
    struct denial_record record, *records[1] = {&record};
    int r = find(search, zone, name, &record);
    if (r)
        return r;
    bool nodata;
    if (name_equal(record.owner, name)) {
        nodata = denial_matches_nodata(&record, qtype);
        if (!nodata)
            return SEARCH_BARRED;
    } else {
        if (!covers(&record, zone, name) ||
            (name_is_below(name, record.owner) && !denial_speaks_below(&record)))
            return SEARCH_BARRED;
        nodata = name_is_below(record.next, name); /* an empty non-terminal: exists, without any type */
    }
    if (!nodata)
        return search_wildcard(search, zone, name, qtype, &record);
    r = denial_finish(search, zone, RCODE_NOERROR, records, 1);
    return r == SEARCH_NONE ? SEARCH_BARRED : r;
}

int search_nsec_no_cut(struct search *search, const uint8_t *zone, const uint8_t *name, wall_s since,
                       struct cache_rr *ret_rr)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key sought;
    if (cache_key_nsec(zone, name, &sought))
        return CACHE_MISS;
    for (unsigned i = 0; i < SEARCH_OLDER_MAX; i++) {
        struct denial_record record = {0};
        struct slice key, value;
        uint8_t owner[NAME_MAX];
        int r = view->seek_le(view->ctx, CACHE_NSEC, cache_key_slice(&sought), &key, &value);
        if (r || cache_key_to_owner(key, zone, owner))
            return r < 0 ? r : CACHE_MISS;
        record.owner = arena_copy(search->lookup->arena, owner, name_size(owner));
        if (!record.owner)
            return -ENOMEM;
        r = search_get_rr(search, CACHE_NSEC, key, value, record.owner, TYPE_NSEC, &record.rr,
                          &record.usable);
        if (r == 0 && record.rr.stored.s > since.s)
            r = parse(search, zone, &record);
        else if (r >= 0)
            r = CACHE_MISS;
        if (r < 0)
            return r;
        if (r == 0) {
            bool own = name_equal(record.owner, name);
            bool denied = own ? !denial_record_has(&record, TYPE_NS)
                              : covers(&record, zone, name) &&
                                    (!name_is_below(name, record.owner) || denial_speaks_below(&record));
            if (!denied)
                return CACHE_MISS;
            *ret_rr = record.rr;
            return 0;
        }
        if (!search_key_before(key, &sought))
            return CACHE_MISS;
    }
    return CACHE_MISS;
}
