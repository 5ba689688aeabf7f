/* Failures: their texts, which of two tells more, and how long they are remembered (RFC 9520, first form).
 *
 * A failure has a key of its own in the cache, so that nothing good is ever lost to one (DESIGN invariant 3).
 */

#include <string.h>

#include "common/base/text.h"
#include "common/wire/rdata.h"
#include "daemons/validatord/core/internal.h"

void val_failure_set(struct failure *failure, uint16_t ede, const char *string)
{
    struct text text = text_make(failure->text, sizeof(failure->text));

    *failure = (struct failure){.ede = ede};
    text = text_make(failure->text, sizeof(failure->text));
    text_add(&text, string);
    failure->text_size = (uint16_t)text.size;
}

static void add_what(struct text *text, uint16_t ede)
{
    switch (ede) {
    case EDE_UNSUPPORTED_DNSKEY_ALGORITHM:
        text_add(text, "no signature or key of a supported algorithm");
        break;
    case EDE_SIGNATURE_EXPIRED:
        text_add(text, "signature expired");
        break;
    case EDE_SIGNATURE_NOT_YET_VALID:
        text_add(text, "signature not yet valid");
        break;
    case EDE_SIGNATURE_EXPIRED_BEFORE_VALID:
        text_add(text, "signature expires before it is valid");
        break;
    case EDE_DNSKEY_MISSING:
        text_add(text, "no usable key");
        break;
    case EDE_RRSIGS_MISSING:
        text_add(text, "no signature");
        break;
    case EDE_NO_ZONE_KEY_BIT:
        text_add(text, "no zone key bit");
        break;
    case EDE_NSEC_MISSING:
        text_add(text, "denial of existence not proven");
        break;
    default:
        text_add(text, "no valid signature");
        break;
    }
}

void val_failure_rrset(struct failure *failure, uint16_t ede, const uint8_t *owner, uint16_t type,
                       uint16_t key_tag)
{
    char name[NAME_TEXT_MAX], type_text[16];
    struct text text;

    *failure = (struct failure){.ede = ede};
    text = text_make(failure->text, sizeof(failure->text));
    text_add(&text, name_to_text(owner, name));
    text_add_char(&text, ' ');
    text_add(&text, rrtype_to_text(type, type_text));
    text_add(&text, ": ");
    add_what(&text, ede);
    if (key_tag) {
        text_add(&text, ede == EDE_DNSSEC_BOGUS || ede == EDE_UNSUPPORTED_DNSKEY_ALGORITHM ? " by key tag "
                                                                                           : ", key tag ");
        text_add_uint(&text, key_tag);
    }
    failure->text_size = (uint16_t)text.size;
}

/* The more of the checks it passed, the more a failure tells. A spent budget hides what would have come. */
static unsigned telling(const struct failure *failure)
{
    switch (failure->ede) {
    case EDE_NONE:
        return 0;
    case EDE_NO_REACHABLE_AUTHORITY:
    case EDE_NETWORK_ERROR:
        return 1;
    case EDE_RRSIGS_MISSING:
        return 3;
    case EDE_NSEC_MISSING:
        return 4;
    case EDE_UNSUPPORTED_DNSKEY_ALGORITHM:
    case EDE_UNSUPPORTED_DS_DIGEST:
        return 5;
    case EDE_DNSKEY_MISSING:
        return 6;
    case EDE_NO_ZONE_KEY_BIT:
        return 7;
    case EDE_SIGNATURE_NOT_YET_VALID:
    case EDE_SIGNATURE_EXPIRED_BEFORE_VALID:
        return 8;
    case EDE_SIGNATURE_EXPIRED:
        return 9;
    case EDE_DNSSEC_BOGUS:
        return 10;
    default:
        return 2;
    }
}

void val_failure_better(struct failure *failure, const struct failure *other)
{
    bool budget = failure->budget || other->budget;

    if (telling(other) > telling(failure))
        *failure = *other;
    failure->budget = budget && failure->ede != EDE_NONE;
}

int64_t val_failure_longest_s(const struct val_core *core)
{
    int64_t interval = (int64_t)MIN(core->config.nta_probe_interval_s, (uint64_t)FAILURE_MAX_S);
    return interval ? interval : (int64_t)FAILURE_MAX_S;
}

/* 5 s, doubled with each failure in a row (RFC 9520 3.2). */
static int64_t back_off(const struct val_core *core, uint16_t failures, bool budget)
{
    int64_t seconds = FAILURE_FIRST_S;
    int64_t most = MIN(val_failure_longest_s(core), budget ? (int64_t)FAILURE_BUDGET_S : INT64_MAX);

    for (uint16_t i = 1; i < failures && seconds < most; i++)
        seconds *= 2;
    return MIN(seconds, most);
}

/* The cache's memory of failures of (name, type), whatever its age. */
static bool last_failure(struct val_core *core, struct arena *arena, const uint8_t *name, uint16_t type,
                         struct cache_key *ret_key, struct cache_neg *ret_neg)
{
    struct slice value;

    return cache_key_failure(name, type, ret_key) == 0 &&
           core->view->get(core->view->ctx, CACHE_NEG, cache_key_slice(ret_key), &value) == 0 &&
           cache_neg_decode(arena, cache_key_slice(ret_key), value, ret_neg) == 0 &&
           ret_neg->kind == CACHE_NEG_FAILURE;
}

/* Has the cache something good of the name and type, however old? Then who asks gets that meanwhile. */
static bool has_good(struct val_core *core, struct job *job, uint16_t type)
{
    struct lookup lookup = val_core_lookup(core, job->arena, job->purse);
    struct answer answer;
    const uint8_t *next;

    lookup.stale_max_s = core->config.stale_max_age_s;
    lookup.stale_rule = &core->config.stale;
    lookup.aggressive_denial = false; /* costs hashes, and is no answer that was given before */
    lookup.max_steps = 0;
    int outcome = cache_answer(&lookup, job->name, type, &answer, &next);
    return outcome == LOOKUP_HIT || outcome == LOOKUP_LOOP; /* the latter: a CNAME, which is not followed */
}

void val_failure_remember(struct val_core *core, struct job *job, uint16_t type, const struct failure *why)
{
    struct cache_neg old, neg = {.kind = CACHE_NEG_FAILURE, .security = SECURITY_BOGUS, .failures = 1};
    struct cache_key key;
    struct slice value;
    wall_s now = core->env->wall;

    if (last_failure(core, job->arena, job->name, type, &key, &old)) {
        if (cache_ttl_left(old.stored, old.expires, now) > 0)
            return;
        /* In a row: the one before ended not long ago. */
        if (old.stored.s <= now.s && now.s - old.expires.s <= (int64_t)FAILURE_MAX_S)
            neg.failures = (uint16_t)MIN(old.failures + 1u, UINT16_MAX);
    }
    if (cache_key_failure(job->name, type, &key))
        return;
    if (why->transport)
        neg.security = SECURITY_INDETERMINATE;
    neg.stored = now;
    neg.expires.s = now.s + back_off(core, neg.failures, why->budget);
    if (has_good(core, job, type)) /* RFC 8767 5: the failure recheck timer */
        neg.expires.s = MAX(neg.expires.s, now.s + (int64_t)core->config.stale_recheck_s);
    neg.ede_count = 1;
    neg.ede[0].code = why->ede;
    neg.ede[0].text_size = why->text_size;
    memcpy(neg.ede[0].text, why->text, why->text_size);
    if (why->ede == EDE_NSEC_MISSING) /* as verdict_add_failure() has it */
        neg.ede[neg.ede_count++].code = EDE_DNSSEC_BOGUS;
    if (cache_neg_encode(job->arena, cache_key_slice(&key), &neg, &value) == 0)
        val_entries_put(core, job, CACHE_NEG, &key, value);
    val_report_failure(core, job, type, why);
}

void val_failure_forget(struct val_core *core, struct job *job, const uint8_t *name, uint16_t type)
{
    struct cache_neg old;
    struct cache_key key;

    if (last_failure(core, job->arena, name, type, &key, &old))
        val_entries_remove(core, job, CACHE_NEG, &key);
}

void val_failure_above(struct val_core *core, struct job *job, struct failure *failure)
{
    unsigned anchor_labels;

    if (!failure->transport || failure->budget ||
        policy_governs(core, job->name, &anchor_labels) != GOVERNED_ANCHOR)
        return;
    for (unsigned i = name_labels(job->name); i > anchor_labels; i--) {
        struct failure why;
        const uint8_t *zone = name_suffix(job->name, i);
        if ((val_failure_known(core, job->arena, zone, TYPE_DS, &why) ||
             val_failure_known(core, job->arena, zone, TYPE_DNSKEY, &why)) &&
            !why.transport)
            val_failure_better(failure, &why);
    }
}

bool val_failure_known(struct val_core *core, struct arena *arena, const uint8_t *name, uint16_t type,
                       struct failure *ret_failure)
{
    struct cache_neg neg;
    struct cache_key key;

    if (!last_failure(core, arena, name, type, &key, &neg) ||
        cache_ttl_left(neg.stored, neg.expires, core->env->wall) == 0)
        return false;
    *ret_failure = (struct failure){.ede = EDE_OTHER, .transport = neg.security != SECURITY_BOGUS};
    if (neg.ede_count > 0) {
        ret_failure->ede = neg.ede[0].code;
        ret_failure->text_size = (uint16_t)MIN(neg.ede[0].text_size, sizeof(ret_failure->text));
        memcpy(ret_failure->text, neg.ede[0].text, ret_failure->text_size);
    }
    return true;
}
