/* The chain: link after link, each from the first source that knows it. */
#include "common/cache/lookup.h"

#include <errno.h>
#include <string.h>

#include "common/cache/lookup_search.h"

/* Entries of one name in neg that are looked at for an NXDOMAIN: it is stored first. */
#define NXDOMAIN_LOOKS 4u
/* RRsets of one name that are looked at for an ANY question. */
#define ANY_LOOKS 16u

static void count_damage(const struct lookup *lookup)
{
    if (lookup->damaged)
        (*lookup->damaged)++;
}

int search_judge(struct search *search, wall_s stored, wall_s expires, wall_s signature_expires,
                 struct usable *ret_usable)
{
    wall_s now = search->lookup->now, end = expires;
    if (signature_expires.s && signature_expires.s < end.s)
        end = signature_expires;
    struct usable usable = {.ttl = cache_ttl_left(stored, end, now)};
    usable.signed_now = stored.s <= now.s && (!signature_expires.s || now.s < signature_expires.s);
    if (!usable.ttl) {
        bool from_future = stored.s > now.s; /* clock-step rule: expired this very moment */
        if (search->stale_s < 0 || (!from_future && now.s - end.s > search->stale_s))
            return CACHE_MISS;
    }
    int64_t life = end.s - stored.s;
    usable.life = life < 1 ? 1 : (uint32_t)MIN(life, (int64_t)UINT32_MAX);
    usable.due = usable.ttl && life >= LOOKUP_REFRESH_MIN_LIFE_S && usable.ttl <= life / LOOKUP_REFRESH_PART;
    if (usable.due && search->lookup->refresh)
        return CACHE_MISS;
    search->oldest = MIN(search->oldest, stored.s);
    *ret_usable = usable;
    return 0;
}

bool search_signatures_valid(const struct rrset_list *list, wall_s now)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (unsigned j = 0; j < list->items[i].sig_count; j++) {
            struct rrsig sig;
            if (rrsig_parse(&list->items[i].sig[j], &sig))
                return false;
            /* serial arithmetic, RFC 4034 3.1.5 */
            if ((int32_t)(sig.expiration - (uint32_t)now.s) <= 0 ||
                (int32_t)((uint32_t)now.s - sig.inception) < 0)
                return false;
        }
    return true;
}

void search_note_continued(struct search *search, const char *why, size_t why_size, struct usable *usable)
{
    search->answer.continued = true;
    if (search->lookup->answer_ttl)
        usable->ttl = MIN(usable->ttl, search->lookup->answer_ttl);
    if (why_size)
        answer_add_ede(&search->answer, EDE_STALE_ANSWER, why, why_size);
}

static bool security_fits(const struct lookup *lookup, enum security security)
{
    return security >= SECURITY_INSECURE || (security == SECURITY_INDETERMINATE && lookup->checking_disabled);
}

int search_get_rr(struct search *search, enum cache_db db, struct slice key, struct slice value,
                  const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr, struct usable *ret_usable)
{
    int r = cache_rr_decode(search->lookup->arena, key, value, owner, type, ret_rr);
    if (r == CACHE_MISS)
        count_damage(search->lookup);
    if (r)
        return r;
    if (db == CACHE_RR ? !security_fits(search->lookup, ret_rr->rrset.security)
                       : ret_rr->rrset.security != SECURITY_SECURE)
        return CACHE_MISS;
    return search_judge(search, ret_rr->stored, ret_rr->expires, ret_rr->signature_expires, ret_usable);
}

int search_find_rr(struct search *search, const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr,
                   struct usable *ret_usable)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key key;
    struct slice value;
    if (cache_key_rr(owner, type, &key))
        return CACHE_MISS;
    int r = view->get(view->ctx, CACHE_RR, cache_key_slice(&key), &value);
    if (r)
        return r;
    return search_get_rr(search, CACHE_RR, cache_key_slice(&key), value, owner, type, ret_rr, ret_usable);
}

static void lower_by(struct search *search, struct usable usable, enum security security, bool authentic)
{
    struct answer *answer = &search->answer;
    answer->ttl = MIN(answer->ttl, usable.ttl);
    answer->stale |= usable.ttl == 0;
    answer->due |= usable.due;
    answer->security = MIN(answer->security, security);
    answer->authentic &= authentic && usable.signed_now && security == SECURITY_SECURE;
}

int search_add(struct search *search, struct rrset_list *section, const struct rrset *rrset,
               struct usable usable, enum security security, bool authentic)
{
    struct rrset copy = *rrset;
    lower_by(search, usable, security, authentic);
    if (rrset_list_find(section, rrset->owner, rrset->type))
        return 0; /* a chain may pass the same DNAME twice */
    copy.ttl = copy.sig_ttl = usable.ttl ? usable.ttl : usable.life;
    return rrset_list_add(search->lookup->arena, section, &copy);
}

int search_add_denial(struct search *search, uint16_t rcode, const struct rrset_list *proof,
                      struct usable usable, enum security security, bool authentic)
{
    for (uint32_t i = 0; i < proof->count; i++) {
        int r = search_add(search, &search->answer.authority, &proof->items[i], usable, security, authentic);
        if (r)
            return r;
    }
    lower_by(search, usable, security, authentic);
    search->answer.rcode = rcode;
    search->answer.negative = true;
    return SEARCH_FOUND;
}

/* A CNAME's or DNAME's target, in the arena. 0, 1: malformed, or -ENOMEM. */
static int target_of(struct search *search, const struct rdata *rdata, const uint8_t **ret_target)
{
    uint8_t name[NAME_MAX];
    if (name_from_bytes(rdata->data, rdata->size, name))
        return 1;
    const uint8_t *copy = arena_copy(search->lookup->arena, name, name_size(name));
    if (!copy)
        return -ENOMEM;
    *ret_target = copy;
    return 0;
}

int search_add_positive(struct search *search, const struct cache_rr *rr, uint16_t qtype,
                        struct usable usable, bool with_proof)
{
    const struct rrset *rrset = &rr->rrset;
    bool chase = rrset->type == TYPE_CNAME && qtype != TYPE_CNAME && qtype != TYPE_ANY;
    if (chase) {
        int r = rrset->count == 1 ? target_of(search, &rrset->rdata[0], &search->next) : 1;
        if (r)
            return r < 0 ? r : SEARCH_NONE;
    }
    if (rr->continued)
        search_note_continued(search, (const char *)rr->why.data, rr->why.size, &usable);
    if (with_proof && !usable.ttl && !search_signatures_valid(&rr->proof, search->lookup->now))
        usable.signed_now = false;
    int r = search_add(search, &search->answer.answer, rrset, usable, rrset->security, rr->authentic);
    for (uint32_t i = 0; with_proof && i < rr->proof.count && r == 0; i++)
        r = search_add(search, &search->answer.authority, &rr->proof.items[i], usable, rrset->security,
                       rr->authentic);
    if (r)
        return r;
    if (rr->ede)
        answer_add_ede(&search->answer, rr->ede, "", 0);
    return chase ? SEARCH_CHASE : SEARCH_FOUND;
}

/* RFC 2181 5.4.1: glue and a referral's NS are not given as answers. */
static bool may_answer(const struct cache_rr *rr)
{
    return rr->rrset.rank >= RANK_AUTHORITY || rr->rrset.security == SECURITY_SECURE;
}

static int search_exact(struct search *search, const uint8_t *name, uint16_t type, uint16_t qtype)
{
    struct cache_rr rr;
    struct usable usable;
    int r = search_find_rr(search, name, type, &rr, &usable);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    /* The DS is the parent's to tell; an unsigned alias was perhaps the child's. */
    if (qtype == TYPE_DS && type == TYPE_CNAME && rr.rrset.security != SECURITY_SECURE)
        return SEARCH_NONE;
    return may_answer(&rr) ? search_add_positive(search, &rr, qtype, usable, true) : SEARCH_NONE;
}

/* RFC 8482 4.1: one RRset of the name answers a question for ANY. */
static int search_any(struct search *search, const uint8_t *name)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key prefix, from;
    if (cache_key_name(name, &prefix))
        return SEARCH_NONE;
    from = prefix;
    for (unsigned looks = 0; looks < ANY_LOOKS; looks++) {
        struct slice key, value;
        struct cache_rr rr;
        struct usable usable;
        uint8_t owner[NAME_MAX];
        uint16_t type;
        int r = view->seek_ge(view->ctx, CACHE_RR, cache_key_slice(&from), &key, &value);
        if (r || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return r < 0 ? r : SEARCH_NONE;
        if (cache_key_to_name(key, owner, &type) == 0) {
            r = search_get_rr(search, CACHE_RR, key, value, name, type, &rr, &usable);
            if (r < 0)
                return r;
            if (r == 0 && may_answer(&rr))
                return search_add_positive(search, &rr, TYPE_ANY, usable, true);
        }
        if (cache_key_after(key, &from))
            return SEARCH_NONE;
    }
    return SEARCH_NONE;
}

/* Adds what a neg entry says. below: the entry is an ancestor's, so it must be an NXDOMAIN that RFC 8020 lets
 * speak for the whole subtree: secure and not by an opt-out proof, whose span may hide unsigned delegations.
 */
static int use_negative(struct search *search, struct slice key, struct slice value, bool nxdomain_only,
                        bool below)
{
    struct cache_neg neg;
    struct usable usable;
    int r = cache_neg_decode(search->lookup->arena, key, value, &neg);
    if (r == CACHE_MISS)
        count_damage(search->lookup);
    if (r)
        return r < 0 ? r : SEARCH_NONE;
    if (neg.kind == CACHE_NEG_FAILURE || !security_fits(search->lookup, neg.security) ||
        (nxdomain_only && neg.kind != CACHE_NEG_NXDOMAIN))
        return SEARCH_NONE;
    if (search_judge(search, neg.stored, neg.expires, neg.signature_expires, &usable))
        return SEARCH_NONE;
    if (!usable.ttl)
        usable.signed_now &= search_signatures_valid(&neg.proof, search->lookup->now);
    usable.due &= !below;
    if (below && (neg.security != SECURITY_SECURE || !neg.authentic || !usable.ttl || !usable.signed_now))
        return SEARCH_NONE;
    if (neg.continued)
        search_note_continued(search, NULL, 0, &usable);
    for (unsigned i = 0; i < neg.ede_count; i++)
        answer_add_ede(&search->answer, neg.ede[i].code, neg.ede[i].text, neg.ede[i].text_size);
    return search_add_denial(search, neg.kind == CACHE_NEG_NXDOMAIN ? RCODE_NXDOMAIN : RCODE_NOERROR,
                             &neg.proof, usable, neg.security, neg.authentic);
}

static int search_nxdomain(struct search *search, const uint8_t *name, bool below)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key prefix, from;
    if (cache_key_name(name, &prefix))
        return SEARCH_NONE;
    from = prefix;
    for (unsigned looks = 0; looks < NXDOMAIN_LOOKS; looks++) {
        struct slice key, value;
        int r = view->seek_ge(view->ctx, CACHE_NEG, cache_key_slice(&from), &key, &value);
        if (r || !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return r < 0 ? r : SEARCH_NONE;
        r = use_negative(search, key, value, true, below);
        if (r != SEARCH_NONE)
            return r;
        if (cache_key_after(key, &from))
            return SEARCH_NONE;
    }
    return SEARCH_NONE;
}

static int search_negative(struct search *search, const uint8_t *name, uint16_t qtype)
{
    const struct cache_view *view = search->lookup->view;
    struct cache_key key;
    struct slice value;
    if (cache_key_rr(name, qtype, &key))
        return SEARCH_NONE;
    int r = view->get(view->ctx, CACHE_NEG, cache_key_slice(&key), &value);
    if (r < 0)
        return r;
    if (r == 0) {
        r = use_negative(search, cache_key_slice(&key), value, false, false);
        if (r != SEARCH_NONE)
            return r;
    }
    return search_nxdomain(search, name, false);
}

bool search_is_apart(const struct search *search, const uint8_t *zone)
{
    const struct lookup *lookup = search->lookup;
    return lookup->is_apart && lookup->is_apart(lookup->apart_ctx, zone);
}

/* Does nothing above `at` speak for the name? */
static bool ends_at(const struct search *search, const uint8_t *name, uint16_t qtype, const uint8_t *at)
{
    if (name_is_root(at))
        return true;
    return (at != name || qtype != TYPE_DS) && search_is_apart(search, at);
}

/* One unsigned DNAME would redirect every name below it, so one is not believed for names it was not asked
 * about: those are asked for. It serves where there is nothing else. */
static bool speaks_for_subtree(const struct search *search, const struct cache_rr *rr)
{
    return rr->rrset.security == SECURITY_SECURE || search->stale_s >= 0;
}

/* RFC 6672: the CNAME is made anew from the DNAME and gets its TTL; what a packet had is not kept. */
static int search_dname(struct search *search, const uint8_t *name, uint16_t qtype)
{
    struct arena *arena = search->lookup->arena;
    for (const uint8_t *above = name_parent(name), *at = name; !ends_at(search, name, qtype, at);
         at = above, above = name_parent(at)) {
        struct cache_rr rr;
        struct usable usable;
        const uint8_t *target;
        uint8_t made[NAME_MAX];
        int r = search_find_rr(search, above, TYPE_DNAME, &rr, &usable);
        if (r < 0)
            return r;
        if (r || !may_answer(&rr) || rr.rrset.count != 1 || !speaks_for_subtree(search, &rr))
            continue;
        r = target_of(search, &rr.rrset.rdata[0], &target);
        if (r < 0)
            return r;
        if (r)
            continue;
        r = search_add_positive(search, &rr, TYPE_DNAME, usable, true);
        if (r < 0)
            return r;
        if (name_substitute(name, above, target, made))
            return SEARCH_TOO_LONG;
        struct rdata *rdata = ARENA_NEW(arena, struct rdata);
        const uint8_t *copy = arena_copy(arena, made, name_size(made));
        if (!rdata || !copy)
            return -ENOMEM;
        *rdata = (struct rdata){.data = copy, .size = (uint16_t)name_size(copy)};
        struct rrset cname = {.owner = name,
                              .type = TYPE_CNAME,
                              .class = rr.rrset.class,
                              .count = 1,
                              .rdata = rdata,
                              .rank = rr.rrset.rank,
                              .security = rr.rrset.security};
        r = search_add(search, &search->answer.answer, &cname, usable, cname.security, rr.authentic);
        if (r)
            return r;
        search->next = copy;
        return qtype == TYPE_CNAME || qtype == TYPE_ANY ? SEARCH_FOUND : SEARCH_CHASE;
    }
    return SEARCH_NONE;
}

/* A CNAME answers every type but itself, and those that may stand beside it (RFC 4034 2.5, 3, 4). */
static bool cname_answers(uint16_t qtype)
{
    return qtype != TYPE_CNAME && qtype != TYPE_ANY && qtype != TYPE_RRSIG && qtype != TYPE_NSEC;
}

/* One link from one pass over all sources. */
static int search_pass(struct search *search, const uint8_t *name, uint16_t qtype)
{
    int r = qtype == TYPE_ANY ? search_any(search, name) : search_exact(search, name, qtype, qtype);
    if (r == SEARCH_NONE && cname_answers(qtype))
        r = search_exact(search, name, TYPE_CNAME, qtype);
    if (r == SEARCH_NONE)
        r = search_negative(search, name, qtype);
    if (r == SEARCH_NONE && (qtype == TYPE_DS || qtype == TYPE_DNSKEY))
        r = search_zone_record(search, name, qtype);
    if (r == SEARCH_NONE)
        r = search_dname(search, name, qtype);
    for (const uint8_t *at = name; r == SEARCH_NONE && !ends_at(search, name, qtype, at);) {
        at = name_parent(at);
        r = search_nxdomain(search, at, true);
    }
    if (r == SEARCH_NONE && search->lookup->aggressive_denial)
        r = search_denial(search, name, qtype);
    return r;
}

static int search_link(struct search *search, const uint8_t *name, uint16_t qtype)
{
    const struct lookup *lookup = search->lookup;
    search->stale_s = -1;
    int r = search_pass(search, name, qtype);
    if (r == SEARCH_NONE && lookup->stale_max_s >= 0 &&
        (!lookup->stale_rule || stale_switch_allows(lookup->view, lookup->stale_rule, name))) {
        search->stale_s = lookup->stale_max_s;
        r = search_pass(search, name, qtype);
    }
    if (r == SEARCH_NONE && lookup->kept_max_s > 0 && (qtype == TYPE_DS || qtype == TYPE_DNSKEY)) {
        search->stale_s = lookup->kept_max_s;
        r = search_zone_record(search, name, qtype);
    }
    return r;
}

static bool was_visited(const struct answer *answer, const uint8_t *name)
{
    for (uint32_t i = 0; i < answer->answer.count; i++)
        if (answer->answer.items[i].type == TYPE_CNAME && name_equal(answer->answer.items[i].owner, name))
            return true;
    return false;
}

int cache_failure_get(const struct lookup *lookup, const uint8_t *qname, uint16_t qtype,
                      struct cache_neg *ret_neg)
{
    struct cache_key key;
    struct slice value;
    if (cache_key_failure(qname, qtype, &key))
        return CACHE_MISS;
    int r = lookup->view->get(lookup->view->ctx, CACHE_NEG, cache_key_slice(&key), &value);
    if (r)
        return r;
    r = cache_neg_decode(lookup->arena, cache_key_slice(&key), value, ret_neg);
    if (r == CACHE_MISS)
        count_damage(lookup);
    if (r)
        return r;
    if (ret_neg->kind != CACHE_NEG_FAILURE || !cache_ttl_left(ret_neg->stored, ret_neg->expires, lookup->now))
        return CACHE_MISS;
    /* What failed validation is exactly what a question with CD=1 may see. */
    return lookup->checking_disabled && ret_neg->security == SECURITY_BOGUS ? CACHE_MISS : 0;
}

static struct answer fresh_answer(void)
{
    return (struct answer){
        .rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .authentic = true, .ttl = UINT32_MAX};
}

/* The chain cannot be finished: an answer of that rcode. */
static void fail_with(struct answer *answer, uint16_t rcode)
{
    *answer = (struct answer){.rcode = rcode, .security = SECURITY_INDETERMINATE};
}

static int end_of_miss(const struct lookup *lookup, struct search *search, const uint8_t *name,
                       uint16_t qtype)
{
    struct cache_neg failure;
    int r = cache_failure_get(lookup, name, qtype, &failure);
    if (r < 0)
        return r;
    if (r)
        return LOOKUP_MISS;
    fail_with(&search->answer, RCODE_SERVFAIL);
    search->answer.ttl = cache_ttl_left(failure.stored, failure.expires, lookup->now);
    search->answer.security = failure.security;
    search->answer.ede_count = failure.ede_count;
    memcpy(search->answer.ede, failure.ede, sizeof(failure.ede));
    return LOOKUP_FAILURE;
}

int cache_answer(const struct lookup *lookup, const uint8_t *qname, uint16_t qtype, struct answer *ret_answer,
                 const uint8_t **ret_next)
{
    struct search search = {.lookup = lookup, .answer = fresh_answer(), .oldest = INT64_MAX};
    const uint8_t *name = qname;
    int outcome = LOOKUP_LOOP;
    for (uint32_t steps = 0; steps <= lookup->max_steps; steps++) {
        int r = search_link(&search, name, qtype);
        if (r < 0)
            return r;
        if (r == SEARCH_CHASE) {
            name = search.next;
            if (was_visited(&search.answer, name))
                break;
            continue;
        }
        if (r == SEARCH_FOUND) {
            outcome = LOOKUP_HIT;
        } else if (r == SEARCH_TOO_LONG) {
            search.answer.rcode = RCODE_YXDOMAIN;
            search.answer.authentic =
                false; /* as validatord has it: no record says that the name is too long */
            outcome = LOOKUP_YXDOMAIN;
        } else {
            outcome = end_of_miss(lookup, &search, name, qtype);
            if (outcome < 0)
                return outcome;
        }
        break;
    }
    if (outcome == LOOKUP_LOOP) {
        static const char why[] = "CNAME chain too long";
        fail_with(&search.answer, RCODE_SERVFAIL);
        answer_add_ede(&search.answer, EDE_OTHER, why, sizeof(why) - 1); /* as who asked first was told */
    }
    if (search.answer.ttl == UINT32_MAX)
        search.answer.ttl = 0;
    if (outcome == LOOKUP_HIT)
        search_note_nta(&search, name);
    *ret_answer = search.answer;
    *ret_next = name;
    return outcome;
}

int cache_rr_get(const struct lookup *lookup, const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr,
                 uint32_t *ret_ttl)
{
    struct search search = {.lookup = lookup, .stale_s = lookup->stale_max_s};
    struct usable usable;
    struct cache_rr rr;
    int r = search_find_rr(&search, owner, type, &rr, &usable);
    if (r)
        return r;
    *ret_rr = rr;
    *ret_ttl = usable.ttl;
    return 0;
}
