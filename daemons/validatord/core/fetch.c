/* Fetches: what recursord is asked for, from which cut, at whose expense.
 *
 * Part of the purse's upstream queries is set aside for each fetch and what was not used comes back with
 * Done, so that fetches side by side cannot spend the same queries twice (DESIGN invariant 6). */

#include <errno.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/build.h"
#include "daemons/validatord/core/incident.h"
#include "daemons/validatord/core/kept.h"
#include "daemons/validatord/core/probe.h"

#define DELEGATION_BYTES 8192u
#define LOST_COST        4u /* queries that a fetch may have sent before recursord went away */

/* enum rec_outcome of recursord's core, as it travels in Done. */
enum done_outcome {
    DONE_ANSWERED = 0,
    DONE_UNREACHABLE = 1,
    DONE_SERVFAIL = 2,
    DONE_BUDGET = 3,
    DONE_CANCELLED = 4,
    DONE_LOOP = 5,
};

static struct list *fetch_bucket(struct val_core *core, uint64_t id)
{
    return &core->fetches[id & (TABLE_BUCKETS - 1)];
}

struct fetch *val_fetch_find(struct val_core *core, uint64_t id)
{
    LIST_FOREACH (node, fetch_bucket(core, id)) {
        struct fetch *fetch = CONTAINER_OF(node, struct fetch, node);
        if (fetch->id == id)
            return fetch;
    }
    return NULL;
}

/* Names at or below a forward zone are the forwarder's: no cut of ours applies (DESIGN 5, "Forward zones").
 */
static bool is_forwarded(const struct val_core *core, const uint8_t *name, uint16_t type)
{
    for (size_t i = 0; i < core->config.forward_zone_count; i++) {
        const uint8_t *apex = core->config.forward_zones[i];
        if (type == TYPE_DS && !name_is_root(apex) ? name_is_below(name, apex) : name_is_under(name, apex))
            return true;
    }
    return false;
}

static void add_cached(const struct lookup *lookup, struct builder *b, const uint8_t *name, uint16_t type)
{
    struct cache_rr rr;
    uint32_t ttl;

    if (cache_rr_get(lookup, name, type, &rr, &ttl) == 0)
        build_rrset(b, SECTION_ADDITIONAL, &rr.rrset, ttl, false, 0);
}

/* NS of the cut, its glue, and for servers without glue the addresses the cache knows. Built beside the
 * arena: the room is for the largest, and what lingers with its job should be as small as this one is. */
static int delegation_make(const struct lookup *lookup, const struct cut *cut, struct slice *ret_delegation)
{
    struct arena *arena = lookup->arena;
    struct builder b;
    uint8_t wire[DELEGATION_BYTES];
    struct rrset ns = cut->ns;
    ns.owner = cut->name;
    build_begin(&b, wire, sizeof(wire), 0, FLAG_QR);
    build_question(&b, cut->name, TYPE_NS, CLASS_IN);
    build_rrset(&b, SECTION_AUTHORITY, &ns, ns.ttl, false, 0);
    for (uint32_t i = 0; i < cut->glue.count; i++)
        build_rrset(&b, SECTION_ADDITIONAL, &cut->glue.items[i], cut->glue.items[i].ttl, false, 0);
    for (unsigned i = 0; i < ns.count; i++) {
        uint8_t server[NAME_MAX];
        if (name_from_bytes(ns.rdata[i].data, ns.rdata[i].size, server))
            continue;
        if (rrset_list_find(&cut->glue, server, TYPE_A) || rrset_list_find(&cut->glue, server, TYPE_AAAA))
            continue;
        const uint8_t *kept = arena_copy(arena, server, name_size(server));
        if (!kept)
            return -ENOMEM;
        add_cached(lookup, &b, kept, TYPE_A);
        add_cached(lookup, &b, kept, TYPE_AAAA);
    }
    size_t size = build_end(&b);
    const uint8_t *built = arena_copy(arena, wire, size);
    if (!built)
        return -ENOMEM;
    *ret_delegation = slice_make(built, size);
    return 0;
}

static const uint8_t *asked_of(const struct fetch *fetch)
{
    return fetch->type == TYPE_DS ? name_parent(fetch->owner->name) : fetch->owner->name;
}

/* Goes by the first kept delegation below the ancestor with so many labels. 0; 1: there is none; -ENOMEM. */
static int go_by_kept(struct val_core *core, struct fetch *fetch, unsigned above_labels,
                      const struct failure *cause, struct cut *cut)
{
    int r = val_cut_kept(core, fetch->owner, asked_of(fetch), above_labels, cause, cut, &fetch->kept_why);

    if (r == 0) {
        fetch->kept_labels = (uint8_t)name_labels(cut->name);
        fetch->kept_expires = cut->expires;
    }
    return r;
}

/* A zone in an incident is asked within its ration only (DESIGN 5). 0; 1: not to be asked, and nothing is
 * kept that would do instead; -ENOMEM. */
static int pass_incident(struct val_core *core, struct fetch *fetch, struct cut *cut)
{
    const uint8_t *name = fetch->owner->name;
    struct failure why;
    struct cut kept;

    /* What a zone's parent is asked about its DS was rationed there. */
    if (fetch->owner->kind == JOB_ZONE && fetch->type == TYPE_DS)
        return 0;
    const uint8_t *zone = val_incident_above(core, asked_of(fetch), &why);
    if (!zone || (cut->name && name_is_below(cut->name, zone)))
        return 0;
    struct failure none = {.ede = EDE_NONE};
    unsigned labels = name_labels(zone);
    int r = val_cut_kept(core, fetch->owner, asked_of(fetch), labels, &why, &kept, &none);
    if (r < 0)
        return r;
    const uint8_t *child = r == 0 ? kept.name : name_suffix(name, MIN(name_labels(name), labels + 1));
    if (val_incident_may_ask(core, zone, child, r == 0 ? MAX(kept.ns.ttl, 1u) : 0))
        return 0;
    if (r == 0) {
        *cut = kept;
        fetch->kept_why = none;
        fetch->kept_labels = (uint8_t)name_labels(kept.name);
        fetch->kept_expires = kept.expires;
        return 0;
    }
    fetch->failure = why;
    return 1;
}

/* Is anything kept that a silent parent should not hold up? */
static bool has_kept(struct val_core *core, struct fetch *fetch)
{
    struct failure none = {.ede = EDE_NONE}, why;
    struct cut cut;

    if (fetch->owner->kind == JOB_ZONE) {
        const struct cache_zone *rec = &job_zone(fetch->owner)->rec;
        if (fetch->type == TYPE_DS
                ? kept_ds_known(core, rec)
                : rec->has_dnskey && kept_is_usable(core, rec->dnskey_validated, rec->dnskey_expires))
            return true;
    }
    return val_cut_kept(core, fetch->owner, asked_of(fetch), fetch->from_labels, &none, &cut, &why) == 0;
}

/* Where to start: ret_cut->name NULL when nothing is known. 0; 1: it may not be asked; -ENOMEM. */
static int cut_find(struct val_core *core, struct fetch *fetch, struct cut *ret_cut,
                    struct slice *ret_delegation)
{
    struct job *owner = fetch->owner;
    struct cut cut = {0};
    int r = 1;

    *ret_delegation = (struct slice){0};
    *ret_cut = cut;
    fetch->from_labels = fetch->reached_labels = 0;
    fetch->kept_at = (mono_ns){0};
    if (is_forwarded(core, owner->name, fetch->type))
        return 0;
    if (fetch->kept_labels) {
        struct failure cause = fetch->kept_why, text;
        r = val_cut_kept(core, owner, asked_of(fetch), fetch->kept_labels - 1u, &cause, &cut, &text);
    }
    if (r == 1) {
        fetch->kept_labels = 0;
        fetch->kept_why.ede = EDE_NONE;
        r = val_cut_in_force(core, owner, asked_of(fetch), &cut);
        if (r == 0)
            r = pass_incident(core, fetch, &cut);
    }
    if (r != 0 || !cut.name)
        return r;
    struct lookup lookup = val_core_lookup(core, owner->arena, owner->purse);
    cut.name = arena_copy(owner->arena, cut.name, name_size(cut.name));
    if (!cut.name)
        return -ENOMEM;
    r = delegation_make(&lookup, &cut, ret_delegation);
    if (r < 0)
        return r;
    if (ret_delegation->size)
        *ret_cut = cut;
    fetch->from_labels = fetch->reached_labels = (uint8_t)(ret_cut->name ? name_labels(ret_cut->name) : 0);
    return 0;
}

/* A probe's: one server, that is known, within a small share of what the probe may spend. */
static void address_to_one(struct val_core *core, const struct fetch *fetch, struct val_action *a)
{
    a->cut = fetch->only_zone;
    a->delegation = (struct slice){0};
    a->only = fetch->only;
    a->only_tcp = fetch->only_tcp;
    a->budget.deadline = mono_earlier(a->budget.deadline, mono_add_ms(core->env->mono, PROBE_ASK_MS));
}

/* When a parent that stays silent is given up. */
static void set_patience(struct val_core *core, struct fetch *fetch)
{
    if (fetch->purse->since.ns == 0)
        fetch->purse->since = core->env->mono; /* no question's */
    mono_ns at = mono_add_ms(fetch->purse->since, KEPT_PATIENCE_MS);
    mono_ns least = mono_add_ms(core->env->mono, KEPT_PATIENCE_LEAST_MS);

    if (is_forwarded(core, fetch->owner->name, fetch->type) || !has_kept(core, fetch))
        return;
    fetch->kept_at = mono_earlier(at, least).ns == at.ns ? least : at;
    val_timer_set(core, fetch->owner, mono_earlier(fetch->kept_at, fetch->purse->budget.deadline));
}

/* The servers to be asked last. Mostly there are none, and then this takes nothing. */
static int to_avoid(struct val_core *core, const struct fetch *fetch, const struct address **ret_avoid,
                    size_t *ret_count)
{
    struct address avoid[VAL_PROBE_SERVERS];
    size_t count = fetch->avoid_count;

    memcpy(avoid, fetch->avoid, count * sizeof(*avoid));
    if (!fetch->only)
        count += val_incident_bad_servers(core, asked_of(fetch), avoid + count,
                                          (unsigned)(ARRAY_SIZE(avoid) - count));
    *ret_avoid = NULL;
    *ret_count = count;
    if (count)
        *ret_avoid = arena_copy(fetch->owner->arena, avoid, count * sizeof(*avoid));
    return count && !*ret_avoid ? -ENOMEM : 0;
}

static int send_fetch(struct val_core *core, struct fetch *fetch)
{
    struct purse *purse = fetch->purse;
    uint32_t left = purse->budget.upstream_queries;
    struct slice delegation = {0};
    struct cut cut = {0};

    /* Half of what is left at most, so that others at work for the same question are not starved. */
    uint32_t share = MIN(fetch->only ? PROBE_ASK_COST : BUDGET_QUERIES_PER_NAME, (left + 1) / 2);
    if (share == 0 || mono_reached(core->env->mono, purse->budget.deadline)) {
        val_failure_set(&fetch->failure, EDE_NO_REACHABLE_AUTHORITY, "the question's budget is spent");
        fetch->failure.budget = true;
        return 1;
    }
    int r = fetch->only ? 0 : cut_find(core, fetch, &cut, &delegation);
    if (r != 0)
        return r;
    const struct address *avoid;
    size_t avoid_count;
    r = to_avoid(core, fetch, &avoid, &avoid_count);
    if (r < 0)
        return r;
    struct action *action = val_action_new(core, VAL_ACTION_FETCH, fetch->owner);
    if (!action)
        return -ENOMEM;
    budget_take(&purse->budget.upstream_queries, share);
    fetch->reserved = share;
    fetch->id = ++core->next_id;
    list_append(fetch_bucket(core, fetch->id), &fetch->node);
    fetch->running = fetch->asked = true;
    val_job_hold(fetch->owner);
    struct val_action *a = &action->action;
    a->fetch = fetch->id;
    a->qname = fetch->name ? fetch->name : fetch->owner->name;
    a->qtype = fetch->to_referral ? TYPE_NS : fetch->type;
    a->to_referral = fetch->to_referral;
    a->budget = purse->budget;
    a->budget.upstream_queries = share;
    if (fetch->only) {
        address_to_one(core, fetch, a);
    } else {
        a->cut = cut.name;
        a->delegation = delegation;
    }
    a->avoid = avoid;
    a->avoid_count = avoid_count;
    core->stats.fetches++;
    if (!fetch->only)
        set_patience(core, fetch);
    return 0;
}

int val_fetch_start(struct val_core *core, struct fetch *fetch, struct job *owner, uint16_t type)
{
    assert(!fetch->running);
    fetch->owner = owner;
    fetch->purse = owner->purse;
    fetch->purse->refs++;
    fetch->type = type;
    fetch->answered = fetch->done = fetch->again = fetch->asked = false;
    fetch->failure = (struct failure){.ede = EDE_NONE};
    fetch->tries++;
    int r = send_fetch(core, fetch);
    if (r != 0)
        purse_release(TAKE(fetch->purse));
    return r;
}

int val_fetch_step(struct val_core *core, struct fetch *fetch, struct job *owner, uint16_t type)
{
    if (fetch->restart) {
        if (fetch->running)
            return WAIT_MORE; /* Done comes behind the answer, with what is left of its share */
        fetch->restart = fetch->answered = fetch->done = false;
    }
    if (fetch->answered)
        return WAIT_NONE;
    if (fetch->done)
        return FETCH_FAILED;
    if (fetch->running || fetch->again)
        return WAIT_MORE;
    int r = val_fetch_start(core, fetch, owner, type);
    if (r == 1) {
        fetch->done = true;
        return FETCH_FAILED;
    }
    return r < 0 ? r : WAIT_MORE;
}

static bool is_avoided(const struct fetch *fetch, const struct address *server)
{
    for (unsigned i = 0; i < fetch->avoid_count; i++)
        if (address_equal(&fetch->avoid[i], server))
            return true;
    return false;
}

bool val_fetch_retry(struct fetch *fetch)
{
    bool link = fetch->owner && fetch->owner->kind == JOB_ZONE;

    /* Of a link all servers are tried, within what THREATS allows; one that was avoided answers when there is
     * no other. */
    if (fetch->tries >= (link ? FETCH_LINK_TRIES : FETCH_TRIES) ||
        (fetch->tries >= FETCH_TRIES && is_avoided(fetch, &fetch->server)))
        return false;
    if (!is_avoided(fetch, &fetch->server))
        val_fetch_avoid(fetch, &fetch->server);
    fetch->restart = true;
    return true;
}

int val_fetch_share(struct fetch *fetch, struct job *owner, const struct fetch *from)
{
    if (fetch->tries > 0 || fetch->running || fetch->again)
        return 0;
    struct slice message = from->message;
    message.data = arena_copy(owner->arena, message.data, message.size);
    if (!message.data)
        return -ENOMEM;
    fetch->owner = owner;
    fetch->type = from->type;
    fetch->tries = 1;
    fetch->answered = true;
    fetch->message = message;
    memcpy(fetch->cut, from->cut, sizeof(fetch->cut));
    fetch->server = from->server;
    return 0;
}

void val_fetch_avoid(struct fetch *fetch, const struct address *server)
{
    if (server->family && fetch->avoid_count < ARRAY_SIZE(fetch->avoid))
        fetch->avoid[fetch->avoid_count++] = *server;
}

/* Off the table; the owner stays held by the caller. */
static void detach(struct fetch *fetch)
{
    list_remove(&fetch->node);
    fetch->id = 0;
    fetch->running = false;
    fetch->reserved = 0;
}

void val_fetch_cancel(struct val_core *core, struct fetch *fetch)
{
    fetch->again = false;
    if (fetch->running) {
        struct action *action = val_action_new(core, VAL_ACTION_CANCEL, fetch->owner);
        if (action)
            action->action.fetch = fetch->id;
        detach(fetch);
        val_job_release(core, fetch->owner);
    }
    if (fetch->purse)
        purse_release(TAKE(fetch->purse));
}

/* Whose servers failed, as far as the referrals tell. */
static void blame(struct val_core *core, struct fetch *fetch, unsigned kept_labels, const struct failure *why)
{
    const uint8_t *name = fetch->owner->name;

    if (fetch->reached_labels < kept_labels)
        val_incident_failed(core, fetch->owner, name_suffix(name, fetch->reached_labels),
                            name_suffix(name, kept_labels), why);
}

bool val_fetch_detour(struct val_core *core, struct fetch *fetch, struct job *owner)
{
    struct failure cause = fetch->failure;
    struct cut cut;

    if (!fetch->owner || fetch->owner != owner || is_forwarded(core, owner->name, fetch->type) ||
        go_by_kept(core, fetch, MAX(fetch->from_labels, fetch->kept_labels), &cause, &cut) != 0)
        return false;
    if (cause.ede != EDE_NONE)
        blame(core, fetch, fetch->kept_labels, &cause);
    fetch->tries -= fetch->tries > 0;
    fetch->restart = true;
    return true;
}

static void failure_silent(const struct fetch *fetch, struct failure *failure)
{
    char name[NAME_TEXT_MAX];
    struct text text;

    *failure = (struct failure){.ede = EDE_NO_REACHABLE_AUTHORITY, .transport = true};
    text = text_make(failure->text, sizeof(failure->text));
    text_add(&text, name_to_text(name_suffix(fetch->owner->name, fetch->reached_labels), name));
    text_add(&text, ": no answer in time");
    failure->text_size = (uint16_t)text.size;
}

mono_ns val_fetch_deadline(const struct fetch *fetch)
{
    return fetch->running && !fetch->answered && fetch->kept_at.ns ? fetch->kept_at : MONO_NEVER;
}

void val_fetch_hurry(struct val_core *core, struct fetch *fetch)
{
    struct job *owner = fetch->owner;

    if (!fetch->running || fetch->answered || !fetch->kept_at.ns ||
        !mono_reached(core->env->mono, fetch->kept_at))
        return;
    failure_silent(fetch, &fetch->failure);
    /* Half of its share, which is more than the time allows, counts as spent. */
    fetch->purse->budget.upstream_queries += fetch->reserved / 2;
    val_fetch_cancel(core, fetch);
    if (!val_fetch_detour(core, fetch, owner))
        fetch->done = true;
    val_job_ready(core, owner);
}

static int take_evidence(struct val_core *core, struct fetch *fetch, const struct val_evidence *evidence)
{
    struct job *owner = fetch->owner;

    if (fetch->answered || owner->unlinked)
        return 0;
    if (!budget_take(&fetch->purse->budget.bytes, (uint32_t)MIN(evidence->message.size, MESSAGE_MAX))) {
        val_failure_set(&fetch->failure, EDE_NO_REACHABLE_AUTHORITY, "the question's budget is spent");
        fetch->failure.budget = fetch->done = true;
        val_job_ready(core, owner);
        return 0;
    }
    uint8_t cut[NAME_MAX];
    name_copy(evidence->cut, cut);
    uint8_t *wire = arena_copy(owner->arena, evidence->message.data, evidence->message.size);
    if (!wire)
        return -ENOMEM;
    struct slice message = slice_make(wire, evidence->message.size);
    fetch->forwarded = evidence->forwarded;
    if (evidence->kind == 1)
        return val_zone_referred(core, owner, message, fetch, cut, &evidence->server);
    fetch->answered = true;
    fetch->message = message;
    memcpy(fetch->cut, cut, sizeof(cut));
    fetch->server = evidence->server;
    val_job_ready(core, owner);
    return 0;
}

void val_fetch_evidence(struct val_core *core, struct fetch *fetch, const struct val_evidence *evidence)
{
    if (take_evidence(core, fetch, evidence) == 0)
        return;
    /* More than the arena of one job is meant to hold: that job's failure, not ours. */
    val_failure_set(&fetch->failure, EDE_NO_REACHABLE_AUTHORITY, "the answers are too large");
    fetch->failure.budget = fetch->done = true;
    val_job_ready(core, fetch->owner);
}

/* recursord's own words, as far as they are harmless: printable ASCII. */
static void failure_reported(struct failure *failure, const struct val_done *done)
{
    struct text text = text_make(failure->text, sizeof(failure->text));

    failure->ede = done->ede_code == EDE_NETWORK_ERROR ? EDE_NETWORK_ERROR : EDE_NO_REACHABLE_AUTHORITY;
    for (size_t i = 0; i < done->ede_text.size; i++) {
        uint8_t c = done->ede_text.data[i];
        text_add_char(&text, c >= 0x20 && c < 0x7f ? (char)c : '?');
    }
    failure->text_size = (uint16_t)text.size;
    failure->transport = true;
    failure->budget = done->outcome == DONE_BUDGET;
}

void val_fetch_done(struct val_core *core, struct fetch *fetch, const struct val_done *done)
{
    struct job *owner = fetch->owner;
    uint32_t used = MIN(done->upstream_used, fetch->reserved);

    fetch->purse->budget.upstream_queries += fetch->reserved - used;
    purse_release(TAKE(fetch->purse));
    detach(fetch);
    fetch->done = true;
    if (!fetch->answered && fetch->failure.ede == EDE_NONE)
        failure_reported(&fetch->failure, done);
    val_job_ready(core, owner);
    val_job_release(core, owner);
}

void val_fetch_lost(struct val_core *core, struct fetch *fetch)
{
    struct job *owner = fetch->owner;
    struct val_done done = {
        .outcome = DONE_UNREACHABLE, .upstream_used = LOST_COST, .ede_code = EDE_NETWORK_ERROR};

    if (fetch->answered || owner->unlinked || fetch->only || ++fetch->lost > FETCH_LOST_TRIES) {
        val_fetch_done(core, fetch, &done);
        return;
    }
    fetch->purse->budget.upstream_queries += fetch->reserved - MIN(fetch->reserved, LOST_COST);
    detach(fetch);
    fetch->again = true;
    val_timer_set(core, owner,
                  mono_earlier(fetch->purse->budget.deadline, mono_add_ms(core->env->mono, FETCH_LOST_MS)));
    val_job_release(core, owner);
}

void val_fetch_resume(struct val_core *core, struct fetch *fetch)
{
    if (!fetch->again)
        return;
    fetch->again = false;
    if (send_fetch(core, fetch) != 0) {
        if (fetch->failure.ede == EDE_NONE)
            val_failure_set(&fetch->failure, EDE_NETWORK_ERROR, "");
        fetch->done = true;
        purse_release(TAKE(fetch->purse));
        val_job_ready(core, fetch->owner);
    }
}
