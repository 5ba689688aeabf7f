/* What is kept of a cut, held against the clause that lets it be used. Whatever makes a zone insecure is
 * verified again, by the keys its parent had last: a proof that has expired, or whose key is gone, lets
 * nobody who can block the parent strip a child that was signed since. */

#include "daemons/validatord/core/kept.h"

#include <errno.h>

#include "common/base/text.h"

#define MINUTE 60
#define HOUR   3600
#define DAY    86400

bool kept_is_usable(const struct val_core *core, wall_s stored, wall_s expires)
{
    wall_s now = core->env->wall;

    /* Stored in the future: the clock was stepped back, and it counts as expired this moment. */
    return core->config.delegation_max_age_s > 0 &&
           (stored.s > now.s || now.s - expires.s <= core->config.delegation_max_age_s);
}

bool kept_ds_known(const struct val_core *core, const struct cache_zone *rec)
{
    return (rec->ds_state == DS_SECURE || rec->ds_state == DS_NONE || rec->ds_state == DS_UNSUPPORTED) &&
           kept_is_usable(core, rec->ds_validated, rec->ds_expires);
}

bool kept_delegation_known(const struct val_core *core, const struct cache_zone *rec)
{
    return rec->has_delegation && kept_is_usable(core, rec->ns_stored, rec->ns_expires);
}

/* "5 s", "12 min", "2 h", "3 d" */
static void add_age(struct text *text, int64_t seconds)
{
    int64_t unit = seconds >= 3 * DAY ? DAY : seconds >= 2 * HOUR ? HOUR : seconds >= 2 * MINUTE ? MINUTE : 1;

    text_add_uint(text, (uint64_t)(MAX(seconds, INT64_C(0)) / unit));
    text_add(text, unit == DAY ? " d" : unit == HOUR ? " h" : unit == MINUTE ? " min" : " s");
}

void kept_text(const struct val_core *core, struct failure *failure, const char *what, const uint8_t *zone,
               wall_s expires, const struct failure *why)
{
    char name[NAME_TEXT_MAX];
    struct text text;

    *failure = (struct failure){.ede = EDE_STALE_ANSWER};
    text = text_make(failure->text, sizeof(failure->text));
    text_add(&text, "kept ");
    text_add(&text, what);
    text_add(&text, " of ");
    text_add(&text, name_to_text(zone, name));
    if (expires.s) {
        text_add(&text, ", ");
        add_age(&text, core->env->wall.s - expires.s);
        text_add(&text, " past its expiry");
    }
    if (why->text_size) {
        text_add(&text, "; ");
        text_add_bytes(&text, why->text, why->text_size);
    }
    failure->text_size = (uint16_t)text.size;
}

/* Whose word the kept statement is. */
static const uint8_t *kept_signer(const struct zone *zone)
{
    const struct cache_zone *rec = &zone->rec;
    struct rrset ds = rec->ds;
    struct rrset_list list = {.items = &ds, .count = 1};

    if (rec->ds_state == DS_NONE)
        list = rec->ds_proof;
    return evidence_signer(&list, zone->job.name, true, name_root);
}

/* Is the parent still the one whose word was kept? Its own last validated DS, or an anchor, points at the
 * keys it had last: when its DS changed to others, or it went insecure, they are gone from its record. */
static bool parent_holds(struct val_core *core, const struct zone *parent)
{
    unsigned labels;

    if (!parent->rec.has_dnskey ||
        !kept_is_usable(core, parent->rec.dnskey_validated, parent->rec.dnskey_expires) ||
        policy_governs(core, parent->job.name, &labels) != GOVERNED_ANCHOR)
        return false;
    return parent->rec.ds_state == DS_SECURE || labels == name_labels(parent->job.name);
}

/* The zone whose word a kept link is. 0; 1: not to be used; -ENOMEM. */
static int find_parent(struct val_core *core, struct zone *zone, const uint8_t *name,
                       struct zone **ret_parent)
{
    if (!name)
        return 1;
    struct zone *parent = val_zone_get(core, name, zone->job.purse);
    if (!parent)
        return -ENOMEM;
    if (parent == zone || !parent_holds(core, parent))
        return 1;
    *ret_parent = parent;
    return 0;
}

void kept_end(const struct val_core *core, struct chain *chain, wall_s expires)
{
    wall_s ends = {.s = expires.s + MAX(core->config.delegation_max_age_s, INT64_C(0))};

    if (!chain->ends.s || ends.s < chain->ends.s)
        chain->ends = ends;
}

static void rest_on(struct val_core *core, struct zone *zone, const char *what, const uint8_t *of,
                    wall_s expired, wall_s signature_expires)
{
    struct chain *chain = &zone->chain;

    *chain = (struct chain){.continued = true,
                            .delegation = kept_delegation_known(core, &zone->rec),
                            .labels = (uint8_t)name_labels(zone->job.name),
                            .expires = signature_expires};
    if (signature_expires.s <= core->env->wall.s) {
        chain->lapsed = true;
        chain->expires.s = 0;
    }
    if (expired.s)
        kept_end(core, chain, expired);
    else
        chain->ends.s = core->env->wall.s + UNPROVEN_TTL_MAX_S;
    kept_text(core, &chain->kept, what, of, expired, &zone->kept_why);
}

static int secure(struct val_core *core, struct zone *zone)
{
    const struct cache_zone *rec = &zone->rec;
    wall_s expires = rec->ds_chain_expires.s ? rec->ds_chain_expires : rec->ds_signature_expires;

    rest_on(core, zone, "DS", zone->job.name, rec->ds_expires, expires);
    zone->ds_done = true;
    zone->ds = ZONE_DS_SECURE;
    zone->failure.ede = EDE_NONE;
    return WAIT_NONE;
}

static int insecure(struct val_core *core, struct zone *zone, bool spans)
{
    wall_s expires = {.s = INT64_MAX};

    for (uint32_t i = 0; i < zone->kept_list.count; i++)
        if (zone->kept_list.items[i].security == SECURITY_SECURE && zone->judge.expires[i].s < expires.s)
            expires = zone->judge.expires[i];
    if (spans)
        rest_on(core, zone, "NSEC3 span", name_parent(zone->kept_list.items[0].owner), (wall_s){0}, expires);
    else
        rest_on(core, zone, "proof of no DS", zone->job.name, zone->rec.ds_expires, expires);
    zone->ds_done = true;
    zone->ds = ZONE_DS_INSECURE;
    zone->failure.ede = EDE_NONE;
    return WAIT_NONE;
}

static void let_go(struct val_core *core, struct zone *zone)
{
    if (zone->signer)
        val_job_release(core, &TAKE(zone->signer)->job);
}

/* The kept list is judged by the keys the parent had last. */
static int judge_begin(struct val_core *core, struct zone *zone, struct zone *parent,
                       const struct rrset_list *list, enum kept_step step)
{
    struct rrset_list copy = {0};

    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].type == TYPE_SOA)
            continue;
        int r = rrset_list_add(zone->job.arena, &copy, &list->items[i]);
        if (r < 0)
            return r;
    }
    val_job_hold(&parent->job);
    let_go(core, zone);
    zone->kept_list = copy;
    zone->signer = parent;
    val_judge_begin(&zone->judge, &zone->kept_list, parent->job.name, &parent->rec.dnskey, false);
    zone->kept_step = step;
    return WAIT_NONE;
}

/* Does the list deny a DS at the zone's name? *ret_witness: by which record. */
static bool denies_ds(struct val_core *core, struct zone *zone, const uint8_t *parent,
                      const struct rrset_list *list, bool spans, const struct rrset **ret_witness)
{
    struct denial denial = deny_context(core, &zone->job, parent, list);

    *ret_witness = NULL;
    denial.witness = ret_witness;
    enum no_ds no_ds = denial_no_ds(&denial, zone->job.name);
    /* A record of too many iterations proves nothing here: what is kept must prove, not merely excuse. */
    return no_ds == NO_DS_INSECURE_DELEGATION || no_ds == NO_DS_OPTOUT ||
           (no_ds == NO_DS_ITERATIONS && !spans);
}

static bool judged_insecure(struct val_core *core, struct zone *zone, bool spans, wall_s *ret_inception)
{
    struct rrset_list good = {0};
    const struct rrset *witness;

    if (zone->judge.failure.budget)
        return false;
    if (!spans && zone->rec.ds_state == DS_UNSUPPORTED)
        return zone->judge.bad == 0 && !ds_set_supported(&core->config.algorithms, &zone->kept_list.items[0]);
    if (deny_good_only(zone->job.arena, &zone->kept_list, &good) < 0 ||
        !denies_ds(core, zone, zone->signer->job.name, &good, spans, &witness))
        return false;
    for (uint32_t i = 0; i < zone->kept_list.count; i++)
        if (witness && name_equal(zone->kept_list.items[i].owner, witness->owner))
            *ret_inception = zone->judge.inceptions[i];
    return true;
}

/* Came the referral at hand from an address that is kept of the parent? */
static bool from_parents_server(struct val_core *core, struct zone *zone, struct zone *parent)
{
    const struct cache_zone *rec = &parent->rec;
    struct lookup lookup = val_core_lookup(core, zone->job.arena, zone->job.purse);
    const struct address *server = &zone->offer.server;
    uint16_t type = server->family == 4 ? TYPE_A : TYPE_AAAA;
    size_t size = address_size(server);

    lookup.stale_max_s = core->config.delegation_max_age_s;
    for (unsigned i = 0; rec->has_delegation && size && i < rec->ns.count; i++) {
        uint8_t name[NAME_MAX];
        struct cache_rr rr;
        uint32_t ttl;
        if (name_from_bytes(rec->ns.rdata[i].data, rec->ns.rdata[i].size, name))
            continue;
        const struct rrset *addresses = rrset_list_find(&rec->glue, name, type);
        if (!addresses && cache_rr_get(&lookup, name, type, &rr, &ttl) == 0)
            addresses = &rr.rrset;
        for (unsigned j = 0; addresses && j < addresses->count; j++)
            if (addresses->rdata[j].size == size && !memcmp(addresses->rdata[j].data, server->bytes, size))
                return true;
    }
    return false;
}

/* A child of which nothing is kept: may the referral at hand lead there at all? */
static bool may_be_new(struct val_core *core, struct zone *zone, struct zone *parent)
{
    if (zone->rec.ds_state == DS_SECURE || zone->offer.ds_shown)
        return false;
    if (kept_delegation_known(core, &zone->rec))
        return true; /* it was delegated: what is kept of that is used */
    if (zone->rec.loose == LOOSE_UNPROVEN &&
        cache_ttl_left(zone->rec.loose_stored, zone->rec.loose_expires, core->env->wall) > 0)
        return true; /* such a referral led there before */
    return zone->offer.present && name_equal(zone->offer.from, parent->job.name) &&
           from_parents_server(core, zone, parent);
}

/* The deepest zone above with keys of its own. */
static const uint8_t *secure_above(struct val_core *core, struct zone *zone)
{
    struct lookup lookup = val_core_lookup(core, zone->job.arena, zone->job.purse);

    for (const uint8_t *at = name_parent(zone->job.name);; at = name_parent(at)) {
        struct cache_zone rec;
        if (cache_zone_get(&lookup, at, &rec) == 0 && rec.has_dnskey)
            return at;
        if (name_is_root(at))
            return NULL;
    }
}

/* What a signature of the list's witness claims at most: worth a check or not. */
static int64_t claimed_inception(const struct val_core *core, const struct rrset *rrset)
{
    int64_t latest = INT64_MIN, now = core->env->wall.s;

    for (unsigned i = 0; i < rrset->sig_count; i++) {
        struct rrsig sig;
        if (rrsig_parse(&rrset->sig[i], &sig) == 0)
            latest = MAX(latest, now + (int32_t)(sig.inception - (uint32_t)now));
    }
    return latest;
}

/* The spans that lie in the cache. WAIT_NONE: they are being judged, or (ret_none) there are none that would
 * do. newer_than: INT64_MIN, or the inception that they have to outdo. */
static int try_spans(struct val_core *core, struct zone *zone, const uint8_t *name, int64_t newer_than,
                     bool *ret_none)
{
    struct lookup lookup = val_core_lookup(core, zone->job.arena, zone->job.purse);
    struct rrset_list list = {0};
    const struct rrset *witness;
    struct zone *parent;

    *ret_none = true;
    int r = find_parent(core, zone, name, &parent);
    if (r != 0)
        return r < 0 ? r : WAIT_NONE;
    if (newer_than == INT64_MIN && !may_be_new(core, zone, parent))
        return WAIT_NONE;
    r = cache_nsec3_spans(&lookup, parent->job.name, zone->job.name, core->config.delegation_max_age_s,
                          &list);
    if (r != 0)
        return r < 0 ? r : WAIT_NONE;
    for (uint32_t i = 0; i < list.count; i++)
        list.items[i].security = SECURITY_SECURE; /* it was, or it would not be there */
    if (!denies_ds(core, zone, parent->job.name, &list, true, &witness) ||
        claimed_inception(core, witness) <= newer_than)
        return WAIT_NONE;
    *ret_none = false;
    return judge_begin(core, zone, parent, &list, KEPT_SPANS);
}

static int begin(struct val_core *core, struct zone *zone, bool *ret_none)
{
    const struct cache_zone *rec = &zone->rec;
    struct zone *parent;
    bool none;

    int r = val_kept_denied(core, &zone->job, zone->job.name);
    if (r != 0) {
        *ret_none = true;
        return r < 0 ? r : WAIT_NONE;
    }
    r = kept_ds_known(core, rec) ? find_parent(core, zone, kept_signer(zone), &parent) : 1;
    if (r < 0)
        return r;
    if (r == 0 && rec->ds_state == DS_SECURE) {
        /* Two kept statements of one cut: the later signed wins, on a tie the DS. */
        r = rec->ds_inception.s ? try_spans(core, zone, parent->job.name, rec->ds_inception.s, &none)
                                : WAIT_NONE;
        if (r < 0 || (rec->ds_inception.s && !none))
            return r;
        return secure(core, zone);
    }
    /* A limit that was reached makes nothing insecure (THREATS). */
    if (zone->kept_why.budget) {
        *ret_none = true;
        return WAIT_NONE;
    }
    if (r == 0) {
        struct rrset ds = rec->ds;
        struct rrset_list list = {.items = &ds, .count = 1};
        return judge_begin(core, zone, parent, rec->ds_state == DS_NONE ? &rec->ds_proof : &list, KEPT_PROOF);
    }
    const uint8_t *above = zone->offer.present ? zone->offer.from : secure_above(core, zone);
    return try_spans(core, zone, above, INT64_MIN, ret_none);
}

static int judged(struct val_core *core, struct zone *zone, bool *ret_none)
{
    bool spans = zone->kept_step == KEPT_SPANS, ds = zone->rec.ds_state == DS_SECURE;
    wall_s inception = {.s = INT64_MIN};

    bool holds = judged_insecure(core, zone, spans, &inception);
    if (holds && (!ds || inception.s > zone->rec.ds_inception.s))
        return insecure(core, zone, spans);
    if (ds)
        return secure(core, zone);
    if (spans) {
        *ret_none = true;
        return WAIT_NONE;
    }
    /* The proof of then does not hold any more; a later statement may. */
    return try_spans(core, zone, zone->signer->job.name, INT64_MIN, ret_none);
}

int val_kept_ds(struct val_core *core, struct zone *zone, bool *ret_none)
{
    int r = WAIT_NONE;

    *ret_none = false;
    while (r == WAIT_NONE && !zone->ds_done && !*ret_none) {
        if (zone->kept_step == KEPT_BEGIN) {
            r = begin(core, zone, ret_none);
            continue;
        }
        r = val_judge_run(core, &zone->job, &zone->judge);
        if (r == WAIT_NONE)
            r = judged(core, zone, ret_none);
    }
    if (r == WAIT_NONE)
        let_go(core, zone);
    return r;
}

bool val_kept_outweighs(const struct val_core *core, const struct zone *zone, wall_s inception)
{
    const struct cache_zone *rec = &zone->rec;

    return rec->ds_state == DS_SECURE && rec->ds_held && kept_ds_known(core, rec) &&
           inception.s < rec->ds_inception.s;
}
