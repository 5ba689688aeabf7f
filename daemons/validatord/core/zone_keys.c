/* Keys of a zone: its DNSKEY RRset, held against its DS or the trust anchors at its node. Any one path from a
 * trust point over a key it names to a signature of that key over the whole set is enough (RFC 6840 5.11). */

#include <errno.h>
#include <string.h>

#include "common/base/text.h"
#include "daemons/validatord/core/kept.h"
#include "daemons/validatord/core/nta_child.h"

static int conclude(struct zone *zone, enum security trust)
{
    zone->trust_done = true;
    zone->trust = trust;
    return WAIT_NONE;
}

static bool keys_fresh(struct val_core *core, const struct zone *zone)
{
    return zone->rec.has_dnskey && !zone->renew_keys &&
           cache_ttl_left(zone->rec.dnskey_validated, zone->rec.dnskey_expires, core->env->wall) > 0;
}

/* Is it likely enough that the keys will be needed to fetch them before the DS is judged? */
static bool keys_expected(const struct zone *zone, bool anchored)
{
    if (anchored)
        return true;
    if (zone->ds_done)
        return zone->ds == ZONE_DS_SECURE;
    return zone->statement.present && zone->statement.kind == FINDING_POSITIVE && zone->statement.signer;
}

/* The trust points: the anchors at this very node, or the DS RRset. DNSKEY anchors stay in the configuration.
 */
static int trust_points(struct val_core *core, struct zone *zone, bool anchored)
{
    struct rrset *points = &zone->key_points;

    if (!anchored) {
        *points = zone->rec.ds;
        return 0;
    }
    *points = (struct rrset){.owner = zone->job.name, .type = TYPE_DS, .class = CLASS_IN};
    points->rdata = arena_array(zone->job.arena, core->config.anchor_count, sizeof(*points->rdata));
    if (!points->rdata)
        return -ENOMEM;
    for (size_t i = 0; i < core->config.anchor_count; i++) {
        const struct val_anchor *anchor = &core->config.anchors[i];
        if (anchor->type != TYPE_DS || !name_equal(anchor->zone, zone->job.name))
            continue;
        /* Copied: the configuration may be swapped before the keys are judged. */
        struct rdata copy = {.data = arena_copy(zone->job.arena, anchor->rdata.data, anchor->rdata.size),
                             .size = anchor->rdata.size};
        if (!copy.data)
            return -ENOMEM;
        points->rdata[points->count++] = copy;
    }
    return 0;
}

static bool is_anchor_key(const struct val_core *core, const struct zone *zone, const struct rdata *key)
{
    for (size_t i = 0; i < core->config.anchor_count; i++) {
        const struct val_anchor *anchor = &core->config.anchors[i];
        if (anchor->type == TYPE_DNSKEY && name_equal(anchor->zone, zone->job.name) &&
            anchor->rdata.size == key->size && memcmp(anchor->rdata.data, key->data, key->size) == 0)
            return true;
    }
    return false;
}

bool val_ds_names_key(struct val_core *core, const uint8_t *zone, const struct rrset *set,
                      const struct rdata *rdata)
{
    struct dnskey key;

    if (dnskey_parse(rdata, &key))
        return false;
    for (unsigned i = 0; i < set->count && i < SIGNATURE_MAX_KEYS; i++) {
        struct ds ds;
        if (!ds_set_usable(&core->config.algorithms, set, i) || ds_parse(&set->rdata[i], &ds))
            continue;
        if (ds_matches_key(core->crypto, zone, &ds, &key) == 0)
            return true;
    }
    return false;
}

/* Does a trust point name this key? */
static bool is_pointed_at(struct val_core *core, const struct zone *zone, const struct rdata *rdata,
                          bool anchored)
{
    struct dnskey key;

    if (dnskey_parse(rdata, &key))
        return false;
    if (anchored && is_anchor_key(core, zone, rdata))
        return true;
    return val_ds_names_key(core, zone->job.name, &zone->key_points, rdata);
}

/* The chain down to keys that validated: their own signature, and unless an anchor points at them what is
 * above. */
static void chain_to_keys(struct val_core *core, struct zone *zone, bool anchored)
{
    struct chain *chain = &zone->chain;
    wall_s expires = zone->rec.dnskey_signature_expires;

    if (anchored)
        *chain = (struct chain){0};
    if (expires.s <= core->env->wall.s)
        chain->lapsed = true;
    else if (!chain->expires.s || expires.s < chain->expires.s)
        chain->expires = expires;
}

/* The set that validated last, as long as a key in it is one that the last validated DS, or an anchor, points
 * at (DESIGN 5 rule 1). */
static bool use_kept(struct val_core *core, struct zone *zone, bool anchored, const struct failure *why)
{
    const struct cache_zone *rec = &zone->rec;
    bool named = false;

    if (!rec->has_dnskey || !kept_is_usable(core, rec->dnskey_validated, rec->dnskey_expires) ||
        trust_points(core, zone, anchored) < 0)
        return false;
    for (unsigned i = 0; i < rec->dnskey.count && !named; i++)
        named = is_pointed_at(core, zone, &rec->dnskey.rdata[i], anchored);
    if (!named)
        return false;
    chain_to_keys(core, zone, anchored);
    if (!zone->chain.continued)
        kept_text(core, &zone->chain.kept, "DNSKEY", zone->job.name, rec->dnskey_expires, why);
    kept_end(core, &zone->chain, rec->dnskey_expires);
    zone->chain.continued = zone->keys_kept = true;
    return true;
}

/* A child that fails under its kept DS has rolled, or gone unsigned, or is attacked: nobody can tell, so the
 * reason names the DS (DESIGN 5). */
static void name_kept_ds(struct val_core *core, struct zone *zone)
{
    struct failure *failure = &zone->failure;
    struct chain *chain = &zone->chain;
    struct text text;
    struct failure was = *failure;
    size_t size = 0;

    if (policy_is_kept_below_nta(core, zone->job.name) && !policy_has_anchor(core, zone->job.name))
        kept_text(core, &chain->kept, "DS", zone->job.name, zone->rec.ds_expires, &was);
    else if (!chain->continued || chain->labels != name_labels(zone->job.name))
        return;
    while (size < chain->kept.text_size && chain->kept.text[size] != ';')
        size++;
    text = text_make(failure->text, sizeof(failure->text));
    text_add_bytes(&text, was.text, was.text_size);
    text_add(&text, "; ");
    text_add_bytes(&text, chain->kept.text, size);
    failure->text_size = (uint16_t)text.size;
}

static int fail(struct val_core *core, struct zone *zone, const struct failure *why, bool own, bool anchored)
{
    val_failure_better(&zone->failure, why);
    if (own)
        name_kept_ds(core, zone);
    val_nta_child_failed(core, zone->job.name, &zone->failure);
    if (own)
        val_failure_remember(core, &zone->job, TYPE_DNSKEY, &zone->failure);
    if (!use_kept(core, zone, anchored, &zone->failure))
        return conclude(zone, SECURITY_BOGUS);
    return conclude(zone, SECURITY_SECURE);
}

static int reject(struct val_core *core, struct zone *zone, const struct failure *why, bool anchored)
{
    val_failure_better(&zone->failure, why);
    if (why->budget || !val_fetch_retry(&zone->key_fetch))
        return fail(core, zone, why, true, anchored);
    zone->key_step = KEY_FETCH;
    return WAIT_NONE;
}

/* The servers gave no keys: the text goes on with why. */
static void failure_no_keys(struct failure *failure, const uint8_t *zone, const struct failure *cause)
{
    struct text text;

    val_failure_rrset(failure, EDE_DNSKEY_MISSING, zone, TYPE_DNSKEY, 0);
    text = (struct text){.buf = failure->text, .room = sizeof(failure->text), .size = failure->text_size};
    text_add(&text, "; ");
    text_add_bytes(&text, cause->text, cause->text_size);
    failure->text_size = (uint16_t)text.size;
    failure->transport = true;
    failure->budget = cause->budget;
}

static int step_fetch(struct val_core *core, struct zone *zone, bool anchored)
{
    struct fetch *fetch = &zone->key_fetch;
    struct finding finding;
    struct failure why;

    int r = val_fetch_step(core, fetch, &zone->job, TYPE_DNSKEY);
    if (r < 0 || r == WAIT_MORE)
        return r;
    if (!anchored && !zone->ds_done)
        return WAIT_MORE;
    if (r == FETCH_FAILED) {
        failure_no_keys(&why, zone->job.name, &fetch->failure);
        return fail(core, zone, &why, true, anchored);
    }
    r = finding_make(zone->job.arena, fetch->message, zone->job.name, TYPE_DNSKEY, fetch->cut, &finding);
    if (r == 0)
        r = trust_points(core, zone, anchored);
    if (r < 0)
        return r;
    val_agent_learn(core, fetch, fetch->cut, finding.report_channel);
    if (finding.kind != FINDING_POSITIVE) {
        val_failure_rrset(&why, EDE_DNSKEY_MISSING, zone->job.name, TYPE_DNSKEY, 0);
        return reject(core, zone, &why, anchored);
    }
    zone->key_set = finding.main;
    zone->key_next = 0;
    zone->key_trying = zone->key_matched = false;
    zone->key_step = KEY_VERIFY;
    return WAIT_NONE;
}

static int good(struct val_core *core, struct zone *zone, bool anchored)
{
    struct cache_zone *rec = &zone->rec;

    rec->dnskey = zone->key_set.items[0];
    rec->has_dnskey = true;
    rec->dnskey_validated = core->env->wall;
    rec->dnskey_expires.s = core->env->wall.s + MIN(rec->dnskey.ttl, core->config.max_ttl_s);
    rec->dnskey_signature_expires = zone->key_judge.expires[0];
    rec->ds_held = rec->ds_held || (!anchored && rec->ds_state == DS_SECURE);
    chain_to_keys(core, zone, anchored);
    if (zone->chain.expires.s)
        rec->dnskey_expires.s = MIN(rec->dnskey_expires.s, zone->chain.expires.s);
    zone->changed = true;
    val_zone_store(core, zone);
    val_failure_forget(core, &zone->job, zone->job.name, TYPE_DNSKEY);
    val_nta_child_validated(core, zone->job.name);
    zone->failure.ede = EDE_NONE;
    return conclude(zone, SECURITY_SECURE);
}

static int step_verify(struct val_core *core, struct zone *zone, bool anchored)
{
    struct rrset *set = &zone->key_set.items[0];
    struct failure why;

    while (zone->key_next < set->count && zone->key_next < SIGNATURE_MAX_KEYS) {
        if (!zone->key_trying) {
            if (!is_pointed_at(core, zone, &set->rdata[zone->key_next], anchored)) {
                zone->key_next++;
                continue;
            }
            zone->key_matched = true;
            zone->key_trying = true;
            val_judge_begin(&zone->key_judge, &zone->key_set, zone->job.name, set, true);
            zone->key_judge.only_key = &set->rdata[zone->key_next];
        }
        int r = val_judge_run(core, &zone->job, &zone->key_judge);
        if (r != WAIT_NONE)
            return r;
        if (zone->key_judge.bad == 0)
            return good(core, zone, anchored);
        val_failure_better(&zone->failure, &zone->key_judge.failure);
        if (zone->key_judge.failure.budget)
            return fail(core, zone, &zone->key_judge.failure, true, anchored);
        zone->key_trying = false;
        zone->key_next++;
    }
    why = zone->failure;
    if (!zone->key_matched)
        val_failure_rrset(&why, EDE_DNSKEY_MISSING, zone->job.name, TYPE_DNSKEY, 0);
    return reject(core, zone, &why, anchored);
}

int val_zone_keys_run(struct val_core *core, struct zone *zone)
{
    struct failure why = {.ede = EDE_NONE};
    unsigned labels;
    enum governed governed = policy_governs(core, zone->job.name, &labels);
    bool anchored = governed == GOVERNED_ANCHOR && labels == name_labels(zone->job.name) &&
                    policy_has_anchor(core, zone->job.name);
    int r = WAIT_NONE;

    if (governed != GOVERNED_ANCHOR) {
        if (governed == GOVERNED_NTA)
            val_nta_reason(core, zone->job.name, &zone->insecure);
        return conclude(zone, SECURITY_INSECURE);
    }
    if (!anchored && zone->ds_done) {
        if (zone->ds == ZONE_DS_INSECURE)
            return conclude(zone, SECURITY_INSECURE);
        if (zone->ds == ZONE_DS_NOT_A_CUT)
            return conclude(zone, SECURITY_INDETERMINATE);
        if (zone->ds == ZONE_DS_FAILED)
            return conclude(zone, SECURITY_BOGUS);
    }
    if (keys_fresh(core, zone)) {
        if (!anchored && !zone->ds_done)
            return WAIT_MORE;
        chain_to_keys(core, zone, anchored);
        return conclude(zone, SECURITY_SECURE);
    }
    if (!keys_expected(zone, anchored))
        return WAIT_MORE;
    if (zone->key_step == KEY_BEGIN) {
        if (val_failure_known(core, zone->job.arena, zone->job.name, TYPE_DNSKEY, &why))
            return anchored || zone->ds_done ? fail(core, zone, &why, false, anchored) : WAIT_MORE;
        zone->key_step = KEY_FETCH;
    }
    while (r == WAIT_NONE && !zone->trust_done)
        r = zone->key_step == KEY_FETCH ? step_fetch(core, zone, anchored)
                                        : step_verify(core, zone, anchored);
    return r;
}
