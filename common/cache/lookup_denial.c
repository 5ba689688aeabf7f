/* Aggressive use of validated denials (RFC 8198): which zone could say it, and what every synthesised answer
 * needs.
 *
 * The zone of a name is not known here, so its ancestors are tried from the deepest up. A zone that has
 * denial records, or a known zone cut, ends the walk: what lies above speaks for nothing below. */
#include "common/cache/lookup_search.h"

#include <string.h>

#include "common/wire/rdata.h"

bool denial_record_has(const struct denial_record *record, uint16_t type)
{
    return type_bitmap_has(record->bitmap, record->bitmap_size, type);
}

bool denial_matches_nodata(const struct denial_record *record, uint16_t qtype)
{
    /* These two are there wherever an NSEC is, whatever the map says; ANY is no type. */
    if (qtype == TYPE_ANY || qtype == TYPE_NSEC || qtype == TYPE_RRSIG)
        return false;
    if (denial_record_has(record, qtype) || denial_record_has(record, TYPE_CNAME))
        return false;
    /* The DS is the parent's: the child's apex knows nothing of it, and the parent of nothing else. */
    return qtype == TYPE_DS ? !denial_record_has(record, TYPE_SOA) : !denial_is_parent_side(record);
}

struct soa {
    struct rrset rrset;
    struct usable usable;
};

/* The zone's own SOA in rr, else that which came with one of the records. 0, CACHE_MISS or -ENOMEM. */
static int find_soa(struct search *search, const uint8_t *zone, struct denial_record *const *records,
                    unsigned count, struct soa *ret_soa)
{
    struct cache_rr rr;
    struct usable usable;
    int r = search_find_rr(search, zone, TYPE_SOA, &rr, &usable);
    if (r < 0)
        return r;
    if (r == 0 && rr.rrset.security == SECURITY_SECURE && usable.signed_now) {
        *ret_soa = (struct soa){.rrset = rr.rrset, .usable = usable};
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct cache_rr *with = &records[i]->rr;
        const struct rrset *soa = rrset_list_find(&with->proof, zone, TYPE_SOA);
        if (!soa || soa->security != SECURITY_SECURE)
            continue;
        struct rrset_list alone = {.items = (struct rrset *)soa, .count = 1, .room = 1};
        wall_s expires = {.s = with->stored.s + soa->ttl};
        if (search_judge(search, with->stored, expires, (wall_s){0}, &usable) == 0 && usable.signed_now &&
            search_signatures_valid(&alone, search->lookup->now)) {
            *ret_soa = (struct soa){.rrset = *soa, .usable = usable};
            return 0;
        }
    }
    return CACHE_MISS;
}

static int soa_minimum(const struct rrset *soa, uint32_t *ret_minimum)
{
    if (soa->count != 1 || soa->rdata[0].size < 22)
        return 1;
    const uint8_t *p = soa->rdata[0].data + soa->rdata[0].size - 4;
    *ret_minimum = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return 0;
}

static bool is_repeated(struct denial_record *const *records, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (name_equal(records[i]->owner, records[at]->owner))
            return true;
    return false;
}

int denial_finish(struct search *search, const uint8_t *zone, uint16_t rcode,
                  struct denial_record *const *records, unsigned count)
{
    struct soa soa;
    uint32_t minimum;
    int r = find_soa(search, zone, records, count, &soa);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (soa_minimum(&soa.rrset, &minimum))
        return SEARCH_NONE;
    struct usable usable = soa.usable;
    usable.due = false; /* else each name of a random-subdomain attack would ask for a refresh of its own */
    usable.ttl = MIN(MIN(usable.ttl, minimum), SEARCH_DENIAL_TTL_MAX);
    for (unsigned i = 0; i < count; i++)
        usable.ttl = MIN(usable.ttl, records[i]->usable.ttl);
    if (!usable.ttl && search->stale_s < 0)
        return SEARCH_NONE;
    struct rrset_list proof = {0};
    r = rrset_list_add(search->lookup->arena, &proof, &soa.rrset);
    for (unsigned i = 0; i < count && r == 0; i++)
        if (!is_repeated(records, i))
            r = rrset_list_add(search->lookup->arena, &proof, &records[i]->rr.rrset);
    return r ? r : search_add_denial(search, rcode, &proof, usable, SECURITY_SECURE, true);
}

/* THREATS "Wildcard labels": each signature must say that it was made for this very wildcard, by this zone.
 */
static bool signed_as_wildcard(const struct rrset *rrset, const uint8_t *zone, const uint8_t *wildcard)
{
    for (unsigned i = 0; i < rrset->sig_count; i++) {
        struct rrsig sig;
        if (rrsig_parse(&rrset->sig[i], &sig) || sig.labels + 1u != name_labels(wildcard) ||
            !name_equal(sig.signer, zone))
            return false;
    }
    return rrset->sig_count > 0;
}

int denial_wildcard(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype,
                    const uint8_t *wildcard, struct denial_record *const *records, unsigned count)
{
    struct cache_rr rr;
    struct usable usable;
    /* What RFC 4592 4 leaves undefined at a wildcard is not synthesised; nor what DENIAL knows better. */
    if (qtype == TYPE_ANY || qtype == TYPE_NS || qtype == TYPE_DS || qtype == TYPE_SOA ||
        qtype == TYPE_DNAME || qtype == TYPE_NSEC || qtype == TYPE_NSEC3 || qtype == TYPE_RRSIG ||
        qtype == TYPE_DNSKEY)
        return SEARCH_NONE;
    int r = search_find_rr(search, wildcard, qtype, &rr, &usable);
    if (r == CACHE_MISS && qtype != TYPE_CNAME)
        r = search_find_rr(search, wildcard, TYPE_CNAME, &rr, &usable);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (rr.rrset.security != SECURITY_SECURE || !rr.authentic || !usable.signed_now ||
        !signed_as_wildcard(&rr.rrset, zone, wildcard))
        return SEARCH_NONE;
    for (unsigned i = 0; i < count; i++)
        usable.ttl = MIN(usable.ttl, records[i]->usable.ttl);
    usable.due = false; /* as above */
    rr.rrset.owner = name;
    rr.rrset.wildcard_labels = (uint8_t)name_labels(wildcard);
    int step = search_add_positive(search, &rr, qtype, usable, false);
    if (step != SEARCH_FOUND && step != SEARCH_CHASE)
        return step;
    for (unsigned i = 0; i < count; i++) {
        r = search_add(search, &search->answer.authority, &records[i]->rr.rrset, usable, SECURITY_SECURE,
                       true);
        if (r)
            return r;
    }
    return step;
}

/* 0: no cut is known here, 1: one is, or -ENOMEM. */
static int is_known_cut(struct search *search, const uint8_t *name)
{
    struct cache_zone zone;
    int r = cache_zone_get(search->lookup, name, &zone);
    if (r)
        return r < 0 ? r : 0;
    return zone.has_delegation || zone.has_dnskey || zone.ds_state == DS_SECURE || zone.ds_state == DS_NONE ||
           zone.ds_state == DS_UNSUPPORTED;
}

int search_denial(struct search *search, const uint8_t *name, uint16_t qtype)
{
    if (qtype == TYPE_DS && name_is_root(name))
        return SEARCH_NONE;
    const uint8_t *zone = qtype == TYPE_DS ? name_parent(name) : name;
    for (;; zone = name_parent(zone)) {
        int r = search_nsec(search, zone, name, qtype);
        if (r == SEARCH_NONE)
            r = search_nsec3(search, zone, name, qtype);
        if (r != SEARCH_NONE)
            return r == SEARCH_BARRED ? SEARCH_NONE : r;
        if (name_is_root(zone) || search_is_apart(search, zone))
            return SEARCH_NONE;
        r = is_known_cut(search, zone);
        if (r)
            return r < 0 ? r : SEARCH_NONE;
    }
}

bool search_key_before(struct slice key, struct cache_key *ret_key)
{
    if (key.size == 0 || key.size > CACHE_KEY_MAX)
        return false;
    memcpy(ret_key->bytes, key.data, key.size);
    ret_key->size = (uint16_t)key.size;
    if (ret_key->bytes[key.size - 1] == 0) {
        ret_key->size--;
        return ret_key->size > 0;
    }
    ret_key->bytes[key.size - 1]--;
    memset(ret_key->bytes + key.size, 0xff, CACHE_KEY_MAX - key.size);
    ret_key->size = CACHE_KEY_MAX;
    return true;
}

int cache_cut_denied(const struct lookup *lookup, const uint8_t *zone, const uint8_t *name, wall_s since,
                     struct cache_rr *ret_rr)
{
    struct lookup any = *lookup;
    struct search search = {.lookup = &any, .stale_s = INT64_MAX};
    any.refresh = false;
    int r = search_nsec_no_cut(&search, zone, name, since, ret_rr);
    return r == CACHE_MISS ? search_nsec3_no_cut(&search, zone, name, since, ret_rr) : r;
}
