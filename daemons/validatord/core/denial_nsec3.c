/* Proofs by NSEC3 records: RFC 5155 8, 6840 4, 9276. Hashes are paid from the question's budget, and a record
 * set is one parameter set: hash algorithm, iterations and salt (RFC 5155 8.2); each is tried by itself. */

#include "daemons/validatord/core/denial_parts.h"

#include <string.h>

#define HASH_SIZE       20u /* SHA-1, the one algorithm there is (RFC 5155 11) */
#define HASH_LABEL_SIZE 32u /* base32hex of it, without padding */
#define HASH_ALGORITHM  1u

struct nsec3 {
    uint8_t owner[HASH_SIZE];
    const uint8_t *next; /* HASH_SIZE octets */
    uint8_t flags;
    uint16_t iterations;
    struct slice salt;
    struct denial_types types;
    const struct rrset *rrset;
};

/* The records of one parameter set. */
struct set {
    const struct denial *d;
    const struct nsec3 *records;
    unsigned count;
    uint16_t iterations;
    struct slice salt;
};

/* The closest encloser proof, RFC 5155 8.3. */
struct encloser {
    unsigned labels;            /* of the closest encloser */
    const struct nsec3 *match;  /* its record */
    const struct nsec3 *covers; /* the record that covers the next closer name; NULL: not covered */
};

enum found { FOUND, FOUND_NOT, FOUND_BUDGET };

int nsec3_owner_hash(const uint8_t *owner, uint8_t ret_hash[HASH_SIZE])
{
    uint8_t hash[HASH_SIZE];
    uint64_t bits = 0;
    unsigned held = 0, out = 0;

    if (owner[0] != HASH_LABEL_SIZE)
        return 1;
    for (unsigned i = 1; i <= HASH_LABEL_SIZE; i++) {
        uint8_t c = owner[i], value;

        if (c >= '0' && c <= '9')
            value = (uint8_t)(c - '0');
        else if (c >= 'a' && c <= 'v')
            value = (uint8_t)(c - 'a' + 10);
        else
            return 1;
        bits = bits << 5 | value;
        held += 5;
        if (held >= 8) {
            held -= 8;
            hash[out++] = (uint8_t)(bits >> held);
        }
    }
    memcpy(ret_hash, hash, HASH_SIZE);
    return 0;
}

/* One usable NSEC3: known algorithm, no unknown flag (RFC 5155 8.1, 8.2), SHA-1 sized hashes, owner one label
 * below the zone, never expanded from a wildcard. */
static bool nsec3_parse(const struct denial *d, const struct rrset *rrset, struct nsec3 *ret_nsec3)
{
    const uint8_t *at, *end;
    size_t salt_size;

    if (rrset->type != TYPE_NSEC3 || rrset->count != 1 || rrset->wildcard_labels)
        return false;
    if (rrset->owner[0] != HASH_LABEL_SIZE || !name_equal(name_parent(rrset->owner), d->zone) ||
        nsec3_owner_hash(rrset->owner, ret_nsec3->owner))
        return false;
    at = rrset->rdata[0].data;
    end = at + rrset->rdata[0].size;
    if (end - at < 5 || at[0] != HASH_ALGORITHM || (at[1] & ~NSEC3_FLAG_OPTOUT))
        return false;
    ret_nsec3->rrset = rrset;
    ret_nsec3->flags = at[1];
    ret_nsec3->iterations = (uint16_t)(at[2] << 8 | at[3]);
    salt_size = at[4];
    at += 5;
    if ((size_t)(end - at) < salt_size + 1 + HASH_SIZE || at[salt_size] != HASH_SIZE)
        return false;
    ret_nsec3->salt = slice_make(at, salt_size);
    ret_nsec3->next = at + salt_size + 1;
    at += salt_size + 1 + HASH_SIZE;
    ret_nsec3->types = (struct denial_types){.bitmap = at, .size = (size_t)(end - at)};
    return true;
}

static bool same_parameters(const struct nsec3 *a, const struct nsec3 *b)
{
    return a->iterations == b->iterations && a->salt.size == b->salt.size &&
           (a->salt.size == 0 || !memcmp(a->salt.data, b->salt.data, a->salt.size));
}

/* The usable records, at most DENIAL_MAX_NSEC3, those of one parameter set together. */
static unsigned gather(const struct denial *d, struct nsec3 ret_records[DENIAL_MAX_NSEC3])
{
    unsigned count = 0;

    for (uint32_t i = 0; i < d->list->count && count < DENIAL_MAX_NSEC3; i++) {
        struct nsec3 nsec3;
        unsigned at = count;

        if (!nsec3_parse(d, &d->list->items[i], &nsec3))
            continue;
        for (unsigned j = 0; j < count; j++)
            if (same_parameters(&ret_records[j], &nsec3))
                at = j + 1;
        memmove(&ret_records[at + 1], &ret_records[at], (count - at) * sizeof(nsec3));
        ret_records[at] = nsec3;
        count++;
    }
    return count;
}

static enum found hash_name(const struct set *set, const uint8_t *name, uint8_t ret_hash[HASH_SIZE])
{
    if (!budget_take(set->d->hashes, 1))
        return FOUND_BUDGET;
    if (set->d->ops->nsec3_hash(set->d->ops->ctx, name, HASH_ALGORITHM, set->iterations, set->salt, ret_hash))
        return FOUND_NOT;
    return FOUND;
}

static bool nsec3_covers(const struct nsec3 *nsec3, const uint8_t hash[HASH_SIZE])
{
    int after_owner = memcmp(hash, nsec3->owner, HASH_SIZE),
        before_next = memcmp(hash, nsec3->next, HASH_SIZE);

    if (memcmp(nsec3->owner, nsec3->next, HASH_SIZE) < 0)
        return after_owner > 0 && before_next < 0;
    /* The last of the chain wraps around; a lone record covers all but itself. */
    return after_owner > 0 || (before_next < 0 && after_owner != 0);
}

static const struct nsec3 *find_match(const struct set *set, const uint8_t hash[HASH_SIZE])
{
    for (unsigned i = 0; i < set->count; i++)
        if (!memcmp(set->records[i].owner, hash, HASH_SIZE))
            return &set->records[i];
    return NULL;
}

static const struct nsec3 *find_cover(const struct set *set, const uint8_t hash[HASH_SIZE])
{
    for (unsigned i = 0; i < set->count; i++)
        if (nsec3_covers(&set->records[i], hash))
            return &set->records[i];
    return NULL;
}

/* FOUND: the name's own record, or a record that covers it (which: see the pointers; a match goes first). */
static enum found look(const struct set *set, const uint8_t *name, const struct nsec3 **ret_match,
                       const struct nsec3 **ret_cover)
{
    uint8_t hash[HASH_SIZE];
    enum found found = hash_name(set, name, hash);

    *ret_match = *ret_cover = NULL;
    if (found != FOUND)
        return found;
    *ret_match = find_match(set, hash);
    if (!*ret_match)
        *ret_cover = find_cover(set, hash);
    return *ret_match || *ret_cover ? FOUND : FOUND_NOT;
}

/* Goes up from `name` (known not to match) to the first ancestor that matches: that is the closest encloser,
 * and its child on the way is the next closer name. An encloser at a zone cut or DNAME says nothing about
 * what is below it (RFC 5155 8.3). */
static enum found find_encloser(const struct set *set, const uint8_t *name, const struct nsec3 *name_cover,
                                struct encloser *ret_encloser)
{
    const struct nsec3 *next_closer_cover = name_cover;

    for (unsigned labels = name_labels(name); labels > name_labels(set->d->zone); labels--) {
        const struct nsec3 *match, *cover;

        if (look(set, name_suffix(name, labels - 1), &match, &cover) == FOUND_BUDGET)
            return FOUND_BUDGET;
        if (match) {
            if (!denial_speaks_below(&match->types))
                return FOUND_NOT;
            *ret_encloser =
                (struct encloser){.labels = labels - 1, .match = match, .covers = next_closer_cover};
            return FOUND;
        }
        next_closer_cover = cover;
    }
    return FOUND_NOT;
}

static bool is_optout(const struct nsec3 *nsec3)
{
    return nsec3->flags & NSEC3_FLAG_OPTOUT;
}

/* What is known of the wildcard below the closest encloser of `name`. */
static enum found look_wildcard(const struct set *set, const uint8_t *name, const struct encloser *encloser,
                                uint8_t ret_wildcard[NAME_MAX], const struct nsec3 **ret_match,
                                const struct nsec3 **ret_cover)
{
    *ret_match = *ret_cover = NULL;
    if (name_make_wildcard(name_suffix(name, encloser->labels), ret_wildcard))
        return FOUND_NOT;
    return look(set, ret_wildcard, ret_match, ret_cover);
}

/* RFC 5155 8.4. */
static int set_nxdomain(const struct set *set, const uint8_t *qname)
{
    const struct nsec3 *match, *cover, *wildcard_match, *wildcard_cover;
    struct encloser encloser;
    uint8_t wildcard[NAME_MAX];
    enum found found;

    if (look(set, qname, &match, &cover) == FOUND_BUDGET)
        return DENIAL_BUDGET;
    if (match)
        return DENIAL_NOT_PROVEN;
    found = find_encloser(set, qname, cover, &encloser);
    if (found != FOUND || !encloser.covers)
        return found == FOUND_BUDGET ? DENIAL_BUDGET : DENIAL_NOT_PROVEN;
    if (look_wildcard(set, qname, &encloser, wildcard, &wildcard_match, &wildcard_cover) == FOUND_BUDGET)
        return DENIAL_BUDGET;
    if (!wildcard_cover)
        return DENIAL_NOT_PROVEN;
    return is_optout(encloser.covers) ? DENIAL_OPTOUT : DENIAL_PROVEN;
}

/* RFC 5155 8.5 to 8.7. */
static int set_nodata(const struct set *set, const uint8_t *qname, uint16_t qtype)
{
    const struct nsec3 *match, *cover, *wildcard_match, *wildcard_cover;
    struct encloser encloser;
    uint8_t wildcard[NAME_MAX];
    enum found found;

    if (look(set, qname, &match, &cover) == FOUND_BUDGET)
        return DENIAL_BUDGET;
    if (match)
        return denial_types_deny(&match->types, qname, set->d->zone, qtype) ? DENIAL_PROVEN
                                                                            : DENIAL_NOT_PROVEN;
    found = find_encloser(set, qname, cover, &encloser);
    if (found != FOUND || !encloser.covers)
        return found == FOUND_BUDGET ? DENIAL_BUDGET : DENIAL_NOT_PROVEN;
    if (look_wildcard(set, qname, &encloser, wildcard, &wildcard_match, &wildcard_cover) == FOUND_BUDGET)
        return DENIAL_BUDGET;
    if (wildcard_match && denial_types_deny(&wildcard_match->types, wildcard, set->d->zone, qtype))
        return is_optout(encloser.covers) ? DENIAL_OPTOUT : DENIAL_PROVEN;
    /* 8.6, and with erratum 3441 any type: an opt-out span hides unsigned delegations and the empty
     * non-terminals that lead to nothing else. Proves no more than that nothing signed is there. */
    return !wildcard_match && is_optout(encloser.covers) ? DENIAL_OPTOUT : DENIAL_NOT_PROVEN;
}

/* RFC 5155 8.8. */
static int set_wildcard_answer(const struct set *set, const uint8_t *qname, unsigned ce_labels)
{
    const struct nsec3 *match, *cover;

    if (look(set, name_suffix(qname, ce_labels + 1), &match, &cover) == FOUND_BUDGET)
        return DENIAL_BUDGET;
    if (!cover)
        return DENIAL_NOT_PROVEN;
    return is_optout(cover) ? DENIAL_OPTOUT : DENIAL_PROVEN;
}

/* RFC 5155 8.9, and what a chain walk has to know besides. */
static enum no_ds set_no_ds(const struct set *set, const uint8_t *name)
{
    const struct nsec3 *match, *cover, *wildcard_match, *wildcard_cover;
    struct encloser encloser;
    uint8_t wildcard[NAME_MAX];
    enum found found;

    if (look(set, name, &match, &cover) == FOUND_BUDGET)
        return NO_DS_BUDGET;
    if (match) {
        if (set->d->witness)
            *set->d->witness = match->rrset;
        return denial_types_no_ds(&match->types);
    }
    found = find_encloser(set, name, cover, &encloser);
    if (found != FOUND || !encloser.covers)
        return found == FOUND_BUDGET ? NO_DS_BUDGET : NO_DS_NOT_PROVEN;
    if (set->d->witness)
        *set->d->witness = encloser.covers->rrset;
    if (is_optout(encloser.covers))
        return NO_DS_OPTOUT;
    if (look_wildcard(set, name, &encloser, wildcard, &wildcard_match, &wildcard_cover) == FOUND_BUDGET)
        return NO_DS_BUDGET;
    return wildcard_cover ? NO_DS_NXDOMAIN : NO_DS_NOT_A_CUT;
}

/* Takes the next parameter set off the gathered records. False: none left. */
static bool next_set(const struct denial *d, const struct nsec3 *records, unsigned count, unsigned *at,
                     struct set *ret_set)
{
    unsigned first = *at, end = first;

    if (first >= count)
        return false;
    while (end < count && same_parameters(&records[first], &records[end]))
        end++;
    *at = end;
    *ret_set = (struct set){.d = d,
                            .records = &records[first],
                            .count = end - first,
                            .iterations = records[first].iterations,
                            .salt = records[first].salt};
    return true;
}

enum question { ASK_NXDOMAIN, ASK_NODATA, ASK_WILDCARD_ANSWER };

/* Asks every parameter set within the iteration limit. One over it makes the zone insecure (RFC 9276 3.2),
 * but only when no other set proves the matter; a spent budget is never taken for insecure. */
static int ask(const struct denial *d, enum question question, const uint8_t *qname, unsigned detail)
{
    struct nsec3 records[DENIAL_MAX_NSEC3];
    unsigned count = gather(d, records), at = 0;
    int best = DENIAL_NOT_PROVEN;
    bool over = false;
    struct set set;

    while (next_set(d, records, count, &at, &set)) {
        int r;

        if (set.iterations > d->iterations_max) {
            over = true;
            continue;
        }
        switch (question) {
        case ASK_NXDOMAIN:
            r = set_nxdomain(&set, qname);
            break;
        case ASK_NODATA:
            r = set_nodata(&set, qname, (uint16_t)detail);
            break;
        default:
            r = set_wildcard_answer(&set, qname, detail);
            break;
        }
        if (r == DENIAL_PROVEN || r == DENIAL_BUDGET)
            return r;
        if (r == DENIAL_OPTOUT)
            best = r;
    }
    return best == DENIAL_NOT_PROVEN && over ? DENIAL_ITERATIONS : best;
}

int denial_nsec3_nxdomain(const struct denial *d, const uint8_t *qname)
{
    return ask(d, ASK_NXDOMAIN, qname, 0);
}

int denial_nsec3_nodata(const struct denial *d, const uint8_t *qname, uint16_t qtype)
{
    return ask(d, ASK_NODATA, qname, qtype);
}

int denial_nsec3_wildcard_answer(const struct denial *d, const uint8_t *qname, unsigned ce_labels)
{
    return ask(d, ASK_WILDCARD_ANSWER, qname, ce_labels);
}

enum no_ds denial_nsec3_no_ds(const struct denial *d, const uint8_t *name)
{
    struct nsec3 records[DENIAL_MAX_NSEC3];
    unsigned count = gather(d, records), at = 0;
    enum no_ds best = NO_DS_NOT_PROVEN;
    bool over = false;
    struct set set;

    while (next_set(d, records, count, &at, &set)) {
        enum no_ds r;

        if (set.iterations > d->iterations_max) {
            over = true;
            continue;
        }
        r = set_no_ds(&set, name);
        if (r == NO_DS_CONTRADICTED || r == NO_DS_BUDGET)
            return r;
        /* A statement about the name itself goes before one about a span. */
        if (r != NO_DS_NOT_PROVEN && (best == NO_DS_NOT_PROVEN || best == NO_DS_OPTOUT))
            best = r;
    }
    return best == NO_DS_NOT_PROVEN && over ? NO_DS_ITERATIONS : best;
}
