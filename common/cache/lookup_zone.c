/* Zone records: the closest cut, and DS and DNSKEY questions answered from what validation keeps. */
#include <errno.h>

#include "common/cache/lookup_search.h"
#include "common/wire/rdata.h"

int cache_zone_get(const struct lookup *lookup, const uint8_t *zone, struct cache_zone *ret_zone)
{
    struct cache_key key;
    struct slice value;
    if (cache_key_name(zone, &key))
        return CACHE_MISS;
    int r = lookup->view->get(lookup->view->ctx, CACHE_ZONE, cache_key_slice(&key), &value);
    if (r)
        return r;
    r = cache_zone_decode(lookup->arena, cache_key_slice(&key), value, zone, ret_zone);
    if (r == CACHE_MISS && lookup->damaged)
        (*lookup->damaged)++;
    return r;
}

int cache_closest_cut(const struct lookup *lookup, const uint8_t *name, struct cache_zone *ret_zone,
                      const uint8_t **ret_cut)
{
    struct search search = {.lookup = lookup, .stale_s = lookup->stale_max_s};
    for (const uint8_t *at = name;; at = name_parent(at)) {
        struct cache_zone zone;
        struct usable usable;
        int r = cache_zone_get(lookup, at, &zone);
        if (r < 0)
            return r;
        if (r == 0 && zone.has_delegation &&
            search_judge(&search, zone.ns_stored, zone.ns_expires, (wall_s){0}, &usable) == 0) {
            *ret_zone = zone;
            *ret_cut = at;
            return 0;
        }
        if (name_is_root(at))
            return CACHE_MISS;
    }
}

static int use_set(struct search *search, const struct rrset *rrset, wall_s validated, wall_s expires,
                   wall_s signature_expires)
{
    struct usable usable;
    if (rrset->security != SECURITY_SECURE ||
        search_judge(search, validated, expires, signature_expires, &usable))
        return SEARCH_NONE;
    return search_add(search, &search->answer.answer, rrset, usable, rrset->security, true);
}

/* A referral's proof has no SOA. RFC 2308 5: without one a negative answer is not to be kept, so while it is
 * in force the parent is asked for a whole answer. Past its expiry it is what there is (DESIGN 5 "DO"), with
 * the SOA of its zone where the cache has that. */
static int with_soa(struct search *search, const struct rrset_list *proof, struct rrset_list *ret_proof)
{
    struct rrsig sig;
    struct cache_rr soa;
    struct usable usable;
    if (proof->count && proof->items[0].type == TYPE_SOA) {
        *ret_proof = *proof;
        return proof->count < 2 ? SEARCH_NONE : 0;
    }
    if (search->stale_s < 0 || proof->count == 0 || proof->items[0].sig_count == 0 ||
        rrsig_parse(&proof->items[0].sig[0], &sig) != 0)
        return SEARCH_NONE;
    uint8_t *zone = arena_copy(search->lookup->arena, sig.signer, name_size(sig.signer));
    if (!zone)
        return -ENOMEM;
    struct rrset_list list = {0};
    int r = search_find_rr(search, zone, TYPE_SOA, &soa, &usable);
    if (r == 0 && soa.rrset.security == SECURITY_SECURE)
        r = rrset_list_add(search->lookup->arena, &list, &soa.rrset);
    for (uint32_t i = 0; i < proof->count && r >= 0; i++)
        r = rrset_list_add(search->lookup->arena, &list, &proof->items[i]);
    *ret_proof = list;
    return MIN(r, 0);
}

/* A referral's NS is never an answer; the keys and the DS, with their signatures, are (DESIGN 5, DO). */
int search_zone_record(struct search *search, const uint8_t *name, uint16_t qtype)
{
    struct cache_zone zone;
    int r = cache_zone_get(search->lookup, name, &zone);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (qtype == TYPE_DNSKEY)
        return zone.has_dnskey ? use_set(search, &zone.dnskey, zone.dnskey_validated, zone.dnskey_expires,
                                         zone.dnskey_signature_expires)
                               : SEARCH_NONE;
    if (zone.ds_state == DS_SECURE || zone.ds_state == DS_UNSUPPORTED)
        return use_set(search, &zone.ds, zone.ds_validated, zone.ds_expires, zone.ds_signature_expires);
    /* What is no cut may be a CNAME, so only a real cut's proof says NODATA. */
    struct rrset_list proof;
    struct usable usable;
    if (zone.ds_state != DS_NONE)
        return SEARCH_NONE;
    r = with_soa(search, &zone.ds_proof, &proof);
    if (r)
        return r;
    for (uint32_t i = 0; i < proof.count; i++)
        if (proof.items[i].security != SECURITY_SECURE)
            return SEARCH_NONE;
    if (search_judge(search, zone.ds_validated, zone.ds_expires, zone.ds_signature_expires, &usable))
        return SEARCH_NONE;
    if (!usable.ttl)
        usable.signed_now &= search_signatures_valid(&proof, search->lookup->now);
    return search_add_denial(search, RCODE_NOERROR, &proof, usable, SECURITY_SECURE, !zone.ds_optout);
}
