/* Synthesis from NSEC3: RFC 5155 8, 9276, 8198 5. From the zone's apex down: the first ancestor that is
 * covered is the next closer name, the one above it must be matched. Each name costs a hash from the
 * question's budget. */
#include <errno.h>
#include <string.h>

#include "common/base/budget.h"
#include "common/cache/lookup_search.h"

#define HASH_SIZE 20u
#define PARAMETERS_MAX                                                                                       \
    2u /* parameter sets of one zone that are tried: the present and, in a change, the last */

struct chain {
    const uint8_t *zone;
    uint8_t algorithm;
    uint16_t iterations;
    struct slice salt;
    struct cache_key prefix; /* of its keys */
};

int nsec3_parse(const struct rdata *rdata, struct nsec3_parsed *ret)
{
    const uint8_t *p = rdata->data;
    size_t size = rdata->size;
    if (size < 5 || size < 6u + p[4])
        return 1;
    size_t salt = p[4], next = p[5 + salt];
    if (size < 6 + salt + next)
        return 1;
    *ret = (struct nsec3_parsed){.algorithm = p[0],
                                 .flags = p[1],
                                 .iterations = (uint16_t)(p[2] << 8 | p[3]),
                                 .salt = slice_make(p + 5, salt),
                                 .next = slice_make(p + 6 + salt, next),
                                 .bitmap = slice_make(p + 6 + salt + next, size - 6 - salt - next)};
    return 0;
}

/* hash.zone, the hash in base32hex (RFC 4648 7): 20 octets are 32 characters without padding. */
static const uint8_t *make_owner(struct arena *arena, const uint8_t *zone, const uint8_t hash[HASH_SIZE])
{
    size_t size = name_size(zone);
    if (size + 33 > NAME_MAX)
        return NULL;
    uint8_t *owner = arena_alloc(arena, size + 33);
    if (!owner)
        return NULL;
    owner[0] = 32;
    for (unsigned group = 0; group < 4; group++) {
        uint64_t bits = 0;
        for (unsigned i = 0; i < 5; i++)
            bits = bits << 8 | hash[group * 5 + i];
        for (unsigned i = 0; i < 8; i++)
            owner[1 + group * 8 + i] =
                (uint8_t) "0123456789abcdefghijklmnopqrstuv"[(bits >> (35 - 5 * i)) & 31];
    }
    memcpy(owner + 33, zone, size);
    return owner;
}

/* The record of the chain under this key, past its signature too. 0, SEARCH_NONE or -errno. */
static int load_any(struct search *search, const struct chain *chain, struct slice key, struct slice value,
                    struct denial_record *ret_record)
{
    struct denial_record record = {0};
    struct nsec3_parsed parsed;
    if (key.size != chain->prefix.size + HASH_SIZE)
        return SEARCH_NONE;
    record.owner = make_owner(search->lookup->arena, chain->zone, key.data + chain->prefix.size);
    if (!record.owner)
        return name_size(chain->zone) + 33 > NAME_MAX ? SEARCH_NONE : -ENOMEM;
    int r =
        search_get_rr(search, CACHE_NSEC3, key, value, record.owner, TYPE_NSEC3, &record.rr, &record.usable);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (record.rr.rrset.count != 1 || nsec3_parse(&record.rr.rrset.rdata[0], &parsed) ||
        parsed.next.size != HASH_SIZE)
        return SEARCH_NONE;
    record.optout = parsed.flags & NSEC3_FLAG_OPTOUT;
    memcpy(record.next_hash, parsed.next.data, HASH_SIZE);
    record.bitmap = parsed.bitmap.data;
    record.bitmap_size = parsed.bitmap.size;
    *ret_record = record;
    return 0;
}

/* As above, if it is signed now. */
static int load(struct search *search, const struct chain *chain, struct slice key, struct slice value,
                struct denial_record *ret_record)
{
    struct denial_record record;
    int r = load_any(search, chain, key, value, &record);
    if (r)
        return r;
    if (!record.usable.signed_now)
        return SEARCH_NONE;
    *ret_record = record;
    return 0;
}

static bool covers(const uint8_t *owner, const uint8_t *next, const uint8_t *hash)
{
    bool after = memcmp(owner, hash, HASH_SIZE) < 0, before = memcmp(hash, next, HASH_SIZE) < 0;
    return memcmp(owner, next, HASH_SIZE) < 0 ? after && before : after || before;
}

/* The record that matches or covers name. 0, SEARCH_NONE (also when the budget is spent) or -errno. */
static int find(struct search *search, const struct chain *chain, const uint8_t *name,
                struct denial_record *ret_record, bool *ret_match)
{
    const struct lookup *lookup = search->lookup;
    const struct cache_view *view = lookup->view;
    uint8_t hash[HASH_SIZE];
    struct cache_key sought = chain->prefix;
    struct slice key, value, prefix = cache_key_slice(&chain->prefix);
    if (!budget_take(lookup->nsec3_budget, 1) ||
        lookup->nsec3_hash(lookup->nsec3_ctx, name, chain->algorithm, chain->iterations, chain->salt, hash) ||
        sought.size + HASH_SIZE > CACHE_KEY_MAX)
        return SEARCH_NONE;
    memcpy(sought.bytes + sought.size, hash, HASH_SIZE);
    sought.size = (uint16_t)(sought.size + HASH_SIZE);
    int r = view->seek_le(view->ctx, CACHE_NSEC3, cache_key_slice(&sought), &key, &value);
    if (r == CACHE_MISS || (r == 0 && !cache_key_has_prefix(key, prefix))) {
        /* before the first: the last one's span may wrap around */
        memset(sought.bytes + prefix.size, 0xff, HASH_SIZE);
        r = view->seek_le(view->ctx, CACHE_NSEC3, cache_key_slice(&sought), &key, &value);
    }
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (!cache_key_has_prefix(key, prefix) || key.size != prefix.size + HASH_SIZE)
        return SEARCH_NONE;
    const uint8_t *owner = key.data + prefix.size;
    bool match = memcmp(owner, hash, HASH_SIZE) == 0;
    struct denial_record record;
    r = load(search, chain, key, value, &record);
    if (r)
        return r;
    if (!match && !covers(owner, record.next_hash, hash))
        return SEARCH_NONE;
    *ret_record = record;
    *ret_match = match;
    return 0;
}

/* Encloser and next closer name are proven: what does the wildcard say? */
static int search_wildcard(struct search *search, const struct chain *chain, const uint8_t *name,
                           unsigned labels, uint16_t qtype, struct denial_record *encloser,
                           struct denial_record *next_closer)
{
    struct denial_record at_wildcard, *records[3] = {encloser, next_closer, &at_wildcard};
    uint8_t wildcard[NAME_MAX];
    bool match;
    if (name_make_wildcard(name_suffix(name, labels), wildcard))
        return SEARCH_NONE;
    /* RFC 5155 7.2.6: a wildcard's answer needs the next closer name's denial alone */
    int r = denial_wildcard(search, chain->zone, name, qtype, wildcard, records + 1, 1);
    if (r != SEARCH_NONE)
        return r;
    r = find(search, chain, wildcard, &at_wildcard, &match);
    if (r)
        return r;
    if (match)
        return denial_matches_nodata(&at_wildcard, qtype)
                   ? denial_finish(search, chain->zone, RCODE_NOERROR, records, 3)
                   : SEARCH_NONE;
    return at_wildcard.optout ? SEARCH_NONE : denial_finish(search, chain->zone, RCODE_NXDOMAIN, records, 3);
}

/* The encloser has no record of its own here, but a wildcard right below it that is cached proves that it
 * exists. */
static int search_known_wildcard(struct search *search, const struct chain *chain, const uint8_t *name,
                                 unsigned labels, uint16_t qtype, struct denial_record *next_closer)
{
    struct denial_record *records[1] = {next_closer};
    uint8_t wildcard[NAME_MAX];
    if (name_make_wildcard(name_suffix(name, labels), wildcard))
        return SEARCH_NONE;
    return denial_wildcard(search, chain->zone, name, qtype, wildcard, records, 1);
}

static int search_chain(struct search *search, const struct chain *chain, const uint8_t *name, uint16_t qtype)
{
    struct denial_record encloser, record, *records[1] = {&record};
    unsigned above = name_labels(chain->zone), labels = name_labels(name);
    bool enclosed = false; /* the ancestor just above was matched */
    for (unsigned at = above; at <= labels; at++) {
        bool match;
        int r = find(search, chain, name_suffix(name, at), &record, &match);
        if (r < 0)
            return r;
        if (r) {
            enclosed = false;
            continue;
        }
        if (match && at == labels)
            return denial_matches_nodata(&record, qtype)
                       ? denial_finish(search, chain->zone, RCODE_NOERROR, records, 1)
                       : SEARCH_NONE;
        if (match) {
            if (!denial_speaks_below(&record))
                return SEARCH_NONE;
            encloser = record;
            enclosed = true;
            continue;
        }
        /* An opt-out span may hide an unsigned delegation: it denies nothing (RFC 8198 5.2, RFC 5155 6). */
        if (record.optout)
            return SEARCH_NONE;
        if (!enclosed)
            return search_known_wildcard(search, chain, name, at - 1, qtype, &record);
        return search_wildcard(search, chain, name, at - 1, qtype, &encloser, &record);
    }
    return SEARCH_NONE;
}

/* The parameters of the record under the key, when it is one of the zone's. 0, SEARCH_NONE or -errno. */
static int open_chain(struct search *search, struct slice key, struct slice value, size_t zone_prefix,
                      struct chain *chain)
{
    struct cache_rr rr;
    struct nsec3_parsed parsed;
    chain->prefix.size = (uint16_t)(zone_prefix + 8);
    if (key.size != chain->prefix.size + HASH_SIZE)
        return SEARCH_NONE;
    memcpy(chain->prefix.bytes, key.data, chain->prefix.size);
    int r = cache_rr_decode(search->lookup->arena, key, value, chain->zone, TYPE_NSEC3, &rr);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (nsec3_parse(&rr.rrset.rdata[0], &parsed) || parsed.iterations > search->lookup->nsec3_iterations_max)
        return SEARCH_NONE;
    chain->algorithm = parsed.algorithm;
    chain->iterations = parsed.iterations;
    chain->salt = parsed.salt;
    return 0;
}

int search_nsec3(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key prefix, from;
    if (!search->lookup->nsec3_hash || !search->lookup->nsec3_budget || cache_key_name(zone, &prefix))
        return SEARCH_NONE;
    from = prefix;
    int outcome = SEARCH_NONE;
    for (unsigned i = 0; i < PARAMETERS_MAX; i++) {
        struct chain chain = {.zone = zone};
        struct slice key, value;
        int r = view->seek_ge(view->ctx, CACHE_NSEC3, cache_key_slice(&from), &key, &value);
        if (r || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return r < 0 ? r : outcome;
        outcome = SEARCH_BARRED; /* the zone is known to be one */
        r = open_chain(search, key, value, prefix.size, &chain);
        if (r == 0)
            r = search_chain(search, &chain, name, qtype);
        if (r != SEARCH_NONE)
            return r;
        if (key.size < prefix.size + 8u ||
            cache_key_after_prefix(slice_make(key.data, prefix.size + 8u), &from))
            return outcome;
    }
    return outcome;
}

/* Already there: a wide span may cover a name and its ancestor. */
static bool has_owner(const struct rrset_list *list, const uint8_t *owner)
{
    return rrset_list_find(list, owner, TYPE_NSEC3) != NULL;
}

/* From the name up to the first ancestor that has a record. *ret_enclosed: there is one. */
static int collect(struct search *search, const struct chain *chain, const uint8_t *name,
                   struct rrset_list *ret_list, bool *ret_enclosed)
{
    *ret_enclosed = false;
    for (unsigned at = name_labels(name); at >= name_labels(chain->zone) && !*ret_enclosed; at--) {
        struct denial_record record;
        int r = find(search, chain, name_suffix(name, at), &record, ret_enclosed);
        if (r < 0)
            return r;
        if (r) {
            *ret_enclosed = false;
        } else if (!has_owner(ret_list, record.owner)) {
            r = rrset_list_add(search->lookup->arena, ret_list, &record.rr.rrset);
            if (r < 0)
                return r;
        }
        if (at == 0)
            break;
    }
    return 0;
}

int cache_nsec3_spans(const struct lookup *lookup, const uint8_t *zone, const uint8_t *name,
                      int64_t max_age_s, struct rrset_list *ret_list)
{
    struct lookup any = *lookup;
    struct search search = {.lookup = &any, .stale_s = max_age_s};
    struct cache_key prefix, from;
    any.refresh = false;
    if (!any.nsec3_hash || !any.nsec3_budget || cache_key_name(zone, &prefix))
        return CACHE_MISS;
    from = prefix;
    for (unsigned i = 0; i < PARAMETERS_MAX; i++) {
        struct chain chain = {.zone = zone};
        struct rrset_list list = {0};
        struct slice key, value;
        bool enclosed = false;
        int r = any.view->seek_ge(any.view->ctx, CACHE_NSEC3, cache_key_slice(&from), &key, &value);
        if (r || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return r < 0 ? r : CACHE_MISS;
        r = open_chain(&search, key, value, prefix.size, &chain);
        if (r == 0)
            r = collect(&search, &chain, name, &list, &enclosed);
        if (r < 0)
            return r;
        if (enclosed) {
            *ret_list = list;
            return 0;
        }
        if (key.size < prefix.size + 8u ||
            cache_key_after_prefix(slice_make(key.data, prefix.size + 8u), &from))
            break;
    }
    return CACHE_MISS;
}

/* No record of the name's hash and no opt-out: the zone has neither the name nor a cut there, whatever
 * encloses it. */
static int chain_no_cut(struct search *search, const struct chain *chain, const uint8_t *name, wall_s since,
                        struct cache_rr *ret_rr)
{
    const struct lookup *lookup = search->lookup;
    uint8_t hash[HASH_SIZE];
    struct cache_key sought = chain->prefix;
    struct slice prefix = cache_key_slice(&chain->prefix);
    bool wrapped = false;
    if (!budget_take(lookup->nsec3_budget, 1) ||
        lookup->nsec3_hash(lookup->nsec3_ctx, name, chain->algorithm, chain->iterations, chain->salt, hash) ||
        sought.size + HASH_SIZE > CACHE_KEY_MAX)
        return CACHE_MISS;
    memcpy(sought.bytes + sought.size, hash, HASH_SIZE);
    sought.size = (uint16_t)(sought.size + HASH_SIZE);
    for (unsigned i = 0; i < SEARCH_OLDER_MAX; i++) {
        struct denial_record record;
        struct slice key, value;
        int r = lookup->view->seek_le(lookup->view->ctx, CACHE_NSEC3, cache_key_slice(&sought), &key, &value);
        if (r < 0)
            return r;
        if (r || !cache_key_has_prefix(key, prefix)) {
            /* before the first: the last one's span may wrap around */
            if (wrapped)
                return CACHE_MISS;
            wrapped = true;
            sought = chain->prefix;
            memset(sought.bytes + prefix.size, 0xff, HASH_SIZE);
            sought.size = (uint16_t)(prefix.size + HASH_SIZE);
            continue;
        }
        r = load_any(search, chain, key, value, &record);
        if (r < 0)
            return r;
        if (r == 0 && record.rr.stored.s > since.s) {
            const uint8_t *owner = key.data + prefix.size;
            bool own = memcmp(owner, hash, HASH_SIZE) == 0;
            if (own ? denial_record_has(&record, TYPE_NS)
                    : record.optout || !covers(owner, record.next_hash, hash))
                return CACHE_MISS;
            *ret_rr = record.rr;
            return 0;
        }
        if (!search_key_before(key, &sought))
            return CACHE_MISS;
    }
    return CACHE_MISS;
}

int search_nsec3_no_cut(struct search *search, const uint8_t *zone, const uint8_t *name, wall_s since,
                        struct cache_rr *ret_rr)
{
    const struct lookup *lookup = search->lookup;
    struct cache_key prefix, from;
    if (!lookup->nsec3_hash || !lookup->nsec3_budget || cache_key_name(zone, &prefix))
        return CACHE_MISS;
    from = prefix;
    for (unsigned i = 0; i < PARAMETERS_MAX; i++) {
        struct chain chain = {.zone = zone};
        struct slice key, value;
        int r = lookup->view->seek_ge(lookup->view->ctx, CACHE_NSEC3, cache_key_slice(&from), &key, &value);
        if (r || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return r < 0 ? r : CACHE_MISS;
        bool more = key.size >= prefix.size + 8u &&
                    !cache_key_after_prefix(slice_make(key.data, prefix.size + 8u), &from);
        r = open_chain(search, key, value, prefix.size, &chain);
        if (r == 0)
            r = chain_no_cut(search, &chain, name, since, ret_rr);
        if (r <= 0)
            return r;
        if (!more)
            break;
    }
    return CACHE_MISS;
}
