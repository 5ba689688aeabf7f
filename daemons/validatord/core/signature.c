/* RRset signatures: which pairs of RRSIG and key are worth a check, what the check is over, what a good one
 * earns. */

#include "daemons/validatord/core/signature.h"

#include <errno.h>
#include <string.h>

#include "common/base/budget.h"
#include "common/base/sort.h"
#include "common/wire/rdata.h"

#define RRSIG_FIXED_SIZE 18u /* before the signer's name, RFC 4034 3.1 */

/* RFC 1982 with 32 bits: is a before b? */
static bool serial_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

uint16_t signature_validity(const struct rrsig *sig, wall_s now)
{
    uint32_t at = (uint32_t)now.s;

    if (serial_before(sig->expiration, sig->inception))
        return EDE_SIGNATURE_EXPIRED_BEFORE_VALID;
    if (serial_before(at, sig->inception))
        return EDE_SIGNATURE_NOT_YET_VALID;
    if (serial_before(sig->expiration, at))
        return EDE_SIGNATURE_EXPIRED;
    return 0;
}

wall_s signature_expiry(const struct rrsig *sig, wall_s now)
{
    return (wall_s){.s = now.s + (int32_t)(sig->expiration - (uint32_t)now.s)};
}

/* Labels as an RRSIG counts them: neither the root nor a leading "*", RFC 4034 3.1.3. */
static unsigned owner_labels(const uint8_t *owner)
{
    return name_labels(owner) - (name_is_wildcard(owner) ? 1u : 0u);
}

/* Types that exist only where they stand: one expanded from a wildcard proves nothing (THREATS: wildcard
 * labels). */
static bool never_expanded(uint16_t type)
{
    return type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_DS || type == TYPE_DNSKEY ||
           type == TYPE_SOA;
}

/* How much a reason tells: the more of the checks a signature passed, the more its failure says. */
static unsigned telling(uint16_t ede)
{
    switch (ede) {
    case EDE_RRSIGS_MISSING:
        return 1;
    case EDE_UNSUPPORTED_DNSKEY_ALGORITHM:
        return 2;
    case EDE_DNSKEY_MISSING:
        return 3;
    case EDE_NO_ZONE_KEY_BIT:
        return 4;
    case EDE_SIGNATURE_NOT_YET_VALID:
    case EDE_SIGNATURE_EXPIRED_BEFORE_VALID:
        return 5;
    case EDE_SIGNATURE_EXPIRED:
        return 6;
    case EDE_DNSSEC_BOGUS:
        return 7;
    default:
        return 0;
    }
}

static void note_reason(struct signature_try *t, uint16_t ede, uint16_t key_tag)
{
    if (telling(ede) > telling(t->reason.ede))
        t->reason = (struct signature_reason){.ede = ede, .key_tag = key_tag};
}

void signature_try_init(struct signature_try *t, const struct rrset *rrset, const uint8_t *zone,
                        const struct rrset *dnskey, const struct algorithm_policy *policy, wall_s now)
{
    *t = (struct signature_try){.rrset = rrset,
                                .zone = zone,
                                .dnskey = dnskey,
                                .policy = policy,
                                .now = now,
                                .reason = {.ede = EDE_RRSIGS_MISSING}};
    /* Once, since a tag costs a walk over the key, and the pairs are many more than the keys. */
    for (unsigned i = 0; i < dnskey->count && i < SIGNATURE_MAX_KEYS; i++)
        t->tags[i] = dnskey_tag(&dnskey->rdata[i]);
}

/* May an RRset of this owner and type be of this zone at all? RFC 4035 5.3.1; a DS is the parent's. */
static bool owner_fits(const struct signature_try *t)
{
    const struct rrset *rrset = t->rrset;

    if (!name_is_under(rrset->owner, t->zone))
        return false;
    if (rrset->type == TYPE_DNSKEY || rrset->type == TYPE_SOA)
        return name_equal(rrset->owner, t->zone);
    if (rrset->type == TYPE_DS)
        return name_is_below(rrset->owner, t->zone);
    return true;
}

/* Parses RRSIG number sig_index and makes every check that needs no key. */
static bool sig_worth_trying(struct signature_try *t)
{
    struct rrsig *sig = &t->sig;
    unsigned labels;
    uint16_t ede;

    if (rrsig_parse(&t->rrset->sig[t->sig_index], sig) || sig->type_covered != t->rrset->type)
        return false;
    if (!owner_fits(t) || !name_equal(sig->signer, t->zone)) {
        note_reason(t, EDE_DNSKEY_MISSING, sig->key_tag);
        return false;
    }
    if (!algorithm_supported(t->policy, sig->algorithm)) {
        note_reason(t, EDE_UNSUPPORTED_DNSKEY_ALGORITHM, sig->key_tag);
        return false;
    }
    /* RFC 4035 5.3.1: not more labels than the owner; and a wildcard above the signer's zone is not the
     * signer's. */
    labels = owner_labels(t->rrset->owner);
    if (sig->labels > labels || sig->labels < name_labels(t->zone) ||
        (sig->labels < labels && never_expanded(t->rrset->type))) {
        note_reason(t, EDE_DNSSEC_BOGUS, sig->key_tag);
        return false;
    }
    ede = signature_validity(sig, t->now);
    if (ede) {
        note_reason(t, ede, sig->key_tag);
        return false;
    }
    return true;
}

static bool same_rdata(const struct rdata *a, const struct rdata *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/* Is key number key_index one that may have made t->sig? Fills t->key. */
static bool key_worth_trying(struct signature_try *t, const struct rdata *only_key)
{
    const struct rdata *rdata = &t->dnskey->rdata[t->key_index];

    if (t->tags[t->key_index] != t->sig.key_tag || dnskey_parse(rdata, &t->key) ||
        t->key.algorithm != t->sig.algorithm)
        return false;
    if (only_key && !same_rdata(rdata, only_key))
        return false;
    struct dnskey as_if = t->key;
    if (t->by_revoked)
        as_if.flags &= (uint16_t)~DNSKEY_FLAG_REVOKE;
    if (!dnskey_is_zone_key(&as_if)) {
        /* RFC 8914 4.12 is about the flag alone; a revoked key or another protocol is as good as no key. */
        note_reason(t, t->key.flags & DNSKEY_FLAG_ZONE ? EDE_DNSKEY_MISSING : EDE_NO_ZONE_KEY_BIT,
                    t->sig.key_tag);
        return false;
    }
    return true;
}

int signature_try_next(struct signature_try *t, struct arena *arena, const struct rdata *only_key,
                       struct verify_request *ret_request)
{
    unsigned sigs = MIN(t->rrset->sig_count, SIGNATURE_MAX_SIGS);
    unsigned keys = MIN(t->dnskey->count, SIGNATURE_MAX_KEYS);

    for (; t->sig_index < sigs; t->sig_index++, t->key_index = 0, t->key_found = false) {
        if (!sig_worth_trying(t))
            continue;
        while (t->key_index < keys) {
            struct slice data;
            int r;

            if (!key_worth_trying(t, only_key)) {
                t->key_index++;
                continue;
            }
            if (t->tried == BUDGET_SIGNATURES_STEP)
                return 2;
            /* A pair counts from here on, whatever its key turns out to be worth (THREATS: KeyTrap). */
            t->tried++;
            t->key_index++;
            t->key_found = true;
            r = signature_data(arena, t->rrset, &t->sig, &t->rrset->sig[t->sig_index], &data);
            if (r < 0)
                return r;
            *ret_request =
                (struct verify_request){.algorithm = t->sig.algorithm,
                                        .key = t->key.public_key,
                                        .data = data,
                                        .signature = slice_make(t->sig.signature, t->sig.signature_size)};
            return 0;
        }
        if (!t->key_found)
            note_reason(t, EDE_DNSKEY_MISSING, t->sig.key_tag);
    }
    return 1;
}

void signature_try_result(struct signature_try *t, enum verify_outcome outcome)
{
    if (outcome == VERIFY_BAD)
        note_reason(t, EDE_DNSSEC_BOGUS, t->sig.key_tag);
    else if (outcome == VERIFY_UNUSABLE_KEY)
        note_reason(t, EDE_UNSUPPORTED_DNSKEY_ALGORITHM, t->sig.key_tag);
}

void signature_accept(const struct signature_try *t, struct rrset *rrset, wall_s *ret_signature_expires)
{
    wall_s expires = signature_expiry(&t->sig, t->now);
    int64_t left = expires.s > t->now.s ? expires.s - t->now.s : 0;
    uint32_t ttl = MIN(rrset->ttl, t->sig.original_ttl);

    ttl = MIN(ttl, rrset->sig_ttl);
    if (ttl > left)
        ttl = (uint32_t)left;
    rrset->ttl = ttl;
    rrset->wildcard_labels = t->sig.labels < owner_labels(rrset->owner) ? (uint8_t)(t->sig.labels + 1) : 0;
    *ret_signature_expires = expires;
}

/* RFC 4034 6.3: RDATA as left-justified octet sequences, absence of an octet before a zero octet. */
static int compare_rdata(const void *a, const void *b, void *ctx)
{
    const struct rdata *left = a, *right = b;
    int c = memcmp(left->data, right->data, MIN(left->size, right->size));

    return c ? c : (int)left->size - (int)right->size;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size)
        memcpy(at, bytes, size);
    return at + size;
}

/* The owner name as it was signed, RFC 4034 3.1.8.1: when the RRSIG counts fewer labels, that of the
 * wildcard. */
static size_t signed_owner(const struct rrset *rrset, const struct rrsig *sig, uint8_t ret_name[NAME_MAX])
{
    /* name_make_wildcard cannot fail here: what it replaces was at least as long. */
    if (sig->labels < owner_labels(rrset->owner) &&
        !name_make_wildcard(name_suffix(rrset->owner, sig->labels), ret_name)) {
        name_lower(ret_name);
        return name_size(ret_name);
    }
    return name_copy(rrset->owner, ret_name);
}

int signature_data(struct arena *arena, const struct rrset *rrset, const struct rrsig *sig,
                   const struct rdata *sig_rdata, struct slice *ret_data)
{
    uint8_t owner[NAME_MAX], signer[NAME_MAX], *bytes, *at;
    size_t owner_size = signed_owner(rrset, sig, owner), signer_size = name_copy(sig->signer, signer);
    size_t size = RRSIG_FIXED_SIZE + signer_size;
    struct rdata *sorted = arena_array(arena, rrset->count, sizeof(*sorted));

    if (!sorted)
        return -ENOMEM;
    for (unsigned i = 0; i < rrset->count; i++) {
        uint8_t *canonical = arena_alloc(arena, rrset->rdata[i].size);

        if (!canonical)
            return -ENOMEM;
        rdata_canonicalize(rrset->type, &rrset->rdata[i], canonical);
        sorted[i] = (struct rdata){.data = canonical, .size = rrset->rdata[i].size};
        size += owner_size + 10 + rrset->rdata[i].size;
    }
    sort_array(sorted, rrset->count, sizeof(*sorted), compare_rdata, NULL);

    bytes = arena_alloc(arena, size);
    if (!bytes)
        return -ENOMEM;
    at = put_bytes(bytes, sig_rdata->data, RRSIG_FIXED_SIZE);
    at = put_bytes(at, signer, signer_size);
    for (unsigned i = 0; i < rrset->count; i++) {
        if (i && !compare_rdata(&sorted[i - 1], &sorted[i], NULL))
            continue; /* RFC 4034 6.3: duplicates are signed once */
        at = put_bytes(at, owner, owner_size);
        at = put_u16(at, rrset->type);
        at = put_u16(at, rrset->class);
        at = put_bytes(at, sig_rdata->data + 4, 4); /* the original TTL */
        at = put_u16(at, sorted[i].size);
        at = put_bytes(at, sorted[i].data, sorted[i].size);
    }
    *ret_data = slice_make(bytes, (size_t)(at - bytes));
    return 0;
}
