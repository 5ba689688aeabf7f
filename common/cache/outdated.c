#include "common/cache/outdated.h"

#include "common/wire/dns.h"

#define SCRATCH_BYTES 65536u
#define LOOK_AT_MOST  4096u /* entries below a node that are searched for failures */

bool outdated_concerns(unsigned pick, enum cache_db db)
{
    switch (db) {
    case CACHE_NEG:
        return true;
    case CACHE_RR:
        return pick & (PICK_NTA | PICK_CONTINUED);
    case CACHE_ZONE:
        return pick & PICK_NTA;
    default:
        return false;
    }
}

static int encoded(int r)
{
    return r < 0 ? r : r > 0 ? OUTDATED_REMOVE : OUTDATED_REPLACE;
}

/* Does an EDE say that it came under an NTA? */
static bool tells_nta(const struct cache_neg *neg)
{
    for (unsigned i = 0; i < neg->ede_count; i++)
        if (neg->ede[i].code == EDE_NEGATIVE_TRUST_ANCHOR)
            return true;
    return false;
}

static void untell_nta(struct cache_neg *neg)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < neg->ede_count; i++)
        if (neg->ede[i].code != EDE_NEGATIVE_TRUST_ANCHOR)
            neg->ede[kept++] = neg->ede[i];
    neg->ede_count = (uint8_t)kept;
}

/* What validated by a kept DS, below an NTA or in an incident, is asked for anew when that ends; but it is
 * still the last good answer, should nothing come: it expires. */
static int negative(struct arena *arena, unsigned pick, wall_s since, struct slice key, struct slice value,
                    struct slice *ret_value)
{
    struct cache_neg neg;
    int r = cache_neg_decode(arena, key, value, &neg);

    if (r != 0)
        return r < 0 ? r : OUTDATED_REMOVE;
    if (neg.kind == CACHE_NEG_FAILURE)
        return pick & PICK_FAILURES ? OUTDATED_REMOVE : OUTDATED_NO;
    if (pick & PICK_NEGATIVE)
        return OUTDATED_REMOVE;
    bool told = (pick & PICK_NTA) && tells_nta(&neg);
    if ((pick & PICK_NTA) && neg.security != SECURITY_SECURE && (told || neg.stored.s >= since.s))
        return OUTDATED_REMOVE;
    if (!told && !((pick & PICK_CONTINUED) && neg.continued && neg.expires.s > neg.stored.s))
        return OUTDATED_NO;
    if (told)
        untell_nta(&neg);
    neg.expires = neg.stored;
    return encoded(cache_neg_encode(arena, key, &neg, ret_value));
}

static int positive(struct arena *arena, unsigned pick, wall_s since, struct slice key, struct slice value,
                    struct slice *ret_value)
{
    uint8_t name[NAME_MAX];
    struct cache_rr rr;
    uint16_t type;

    if (cache_key_to_name(key, name, &type))
        return OUTDATED_REMOVE;
    int r = cache_rr_decode(arena, key, value, name, type, &rr);
    if (r != 0)
        return r < 0 ? r : OUTDATED_REMOVE;
    bool told = (pick & PICK_NTA) && rr.ede == EDE_NEGATIVE_TRUST_ANCHOR;
    if ((pick & PICK_NTA) && rr.rrset.security != SECURITY_SECURE && (told || rr.stored.s >= since.s))
        return OUTDATED_REMOVE;
    if (!told && !((pick & PICK_CONTINUED) && rr.continued && rr.expires.s > rr.stored.s))
        return OUTDATED_NO;
    if (told)
        rr.ede = 0;
    rr.expires = rr.stored;
    return encoded(cache_rr_encode(arena, key, &rr, ret_value));
}

/* What was learnt under the NTA lies beside what had validated: only that goes. */
static int zone_record(struct arena *arena, struct slice key, struct slice value, struct slice *ret_value)
{
    uint8_t name[NAME_MAX];
    struct cache_zone zone;
    uint16_t type;

    if (cache_key_to_name(key, name, &type))
        return OUTDATED_REMOVE;
    int r = cache_zone_decode(arena, key, value, name, &zone);
    if (r != 0)
        return r < 0 ? r : OUTDATED_REMOVE;
    if (zone.loose != LOOSE_NTA)
        return OUTDATED_NO;
    zone.loose = LOOSE_NONE;
    zone.loose_ns = (struct rrset){0};
    zone.loose_glue = (struct rrset_list){0};
    if (!zone.has_delegation && zone.ds_state == DS_UNKNOWN && !zone.has_dnskey)
        return OUTDATED_REMOVE;
    return encoded(cache_zone_encode(arena, key, &zone, ret_value));
}

int outdated_entry(struct arena *arena, unsigned pick, wall_s nta_since, enum cache_db db, struct slice key,
                   struct slice value, struct slice *ret_value)
{
    switch (db) {
    case CACHE_NEG:
        return negative(arena, pick, nta_since, key, value, ret_value);
    case CACHE_RR:
        return positive(arena, pick, nta_since, key, value, ret_value);
    case CACHE_ZONE:
        return zone_record(arena, key, value, ret_value);
    default:
        return OUTDATED_NO;
    }
}

/* A remembered failure of validation that a probe can ask for again. */
static bool is_target(struct arena *arena, struct slice key, struct slice value,
                      struct cache_nta_target *ret_target, struct cache_neg *ret_neg)
{
    return cache_key_to_name(key, ret_target->name, &ret_target->type) == 0 &&
           cache_neg_decode(arena, key, value, ret_neg) == 0 && ret_neg->kind == CACHE_NEG_FAILURE &&
           ret_neg->security == SECURITY_BOGUS && ret_target->type != TYPE_DNSKEY;
}

void nta_note_failures(const struct cache_view *view, const uint8_t *node, struct cache_nta *nta,
                       struct answer_ede *ret_why)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(SCRATCH_BYTES);
    struct cache_key prefix, at;
    struct slice key, value;

    ret_why->code = EDE_NONE;
    if (!arena || cache_key_subtree(node, &prefix))
        return;
    at = prefix;
    if (at.size == 0) /* the root's keys begin with a separator */
        at.bytes[at.size++] = 0;
    for (unsigned i = 0; i < LOOK_AT_MOST && nta->target_count < CACHE_NTA_TARGETS; i++) {
        struct cache_neg neg;

        if (view->seek_ge(view->ctx, CACHE_NEG, cache_key_slice(&at), &key, &value) ||
            !cache_key_has_prefix(key, cache_key_slice(&prefix)))
            return;
        arena_reset(arena);
        if (is_target(arena, key, value, &nta->targets[nta->target_count], &neg) &&
            nta->target_count++ == 0 && neg.ede_count)
            *ret_why = neg.ede[0];
        if (cache_key_after(key, &at))
            return;
    }
}
