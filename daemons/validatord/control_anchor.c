/* Trust anchors that roll (RFC 5011): what the core says happened is logged and persisted, and the verbs
 * trust-anchor list, add and remove. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/rdata.h"
#include "daemons/validatord/control.h"

#define ANCHOR_BYTES_MAX (CACHE_KEY_MAX + CACHE_ENTRY_MAX)

/* An effective change on its way through the writer's thread. */
struct anchor_change {
    struct writer_op op;
    struct validatord *v;
    struct control_request *to; /* NULL: nobody asked */
    uint8_t zone[NAME_MAX];
    struct anchor_events events;
    struct cache_write write;
    uint64_t epoch;
    uint8_t bytes[ANCHOR_BYTES_MAX]; /* key, then value */
};

static const char *event_text(enum anchor_event_kind kind)
{
    switch (kind) {
    case ANCHOR_EVENT_BEGUN:
        return "no state was kept in the cache: the configured keys apply";
    case ANCHOR_EVENT_DAMAGED:
        return "the state kept in the cache is damaged: the configured keys apply, keys that came by RFC "
               "5011 "
               "must come again";
    case ANCHOR_EVENT_CONFIGURED:
        return "configured, trusted at once";
    case ANCHOR_EVENT_DROPPED:
        return "no longer configured, no longer trusted";
    case ANCHOR_EVENT_ADDED:
        return "added by the operator, trusted at once";
    case ANCHOR_EVENT_REMOVED_BY_OPERATOR:
        return "removed by the operator";
    case ANCHOR_EVENT_PENDING:
        return "a new key, signed by a trusted one; trusted after its hold-down";
    case ANCHOR_EVENT_PENDING_GONE:
        return "gone from the zone within its hold-down; not trusted";
    case ANCHOR_EVENT_PENDING_UNWITNESSED:
        return "all keys that vouched for it were revoked; not trusted";
    case ANCHOR_EVENT_VALID:
        return "its hold-down is over; trusted";
    case ANCHOR_EVENT_MISSING:
        return "missing in the zone without having been revoked; still trusted";
    case ANCHOR_EVENT_PRESENT:
        return "present in the zone";
    case ANCHOR_EVENT_REVOKED:
        return "revoked by the zone; never trusted again";
    case ANCHOR_EVENT_REMOVED:
        return "revoked, and gone from the zone";
    case ANCHOR_EVENT_FULL:
        return "no room for this key: too many keys are kept or pending; see trust-anchor list and remove "
               "some";
    case ANCHOR_EVENT_DELETED:
        return "every key was revoked: it is no trust point any more, and what no other trust anchor covers "
               "is "
               "NOT VALIDATED; add a key with holdfastctl trust-anchor add";
    case ANCHOR_EVENT_REFUSED_SET:
        return "no server gave a DNSKEY RRset that a trusted key signed; asked again later. If the zone's "
               "keys "
               "were replaced, compare them with the publisher's and add the new one (trust-anchor add)";
    }
    return "";
}

static int event_level(enum anchor_event_kind kind)
{
    switch (kind) {
    case ANCHOR_EVENT_DELETED:
        return 2; /* critical, of syslog(3) */
    case ANCHOR_EVENT_DAMAGED:
    case ANCHOR_EVENT_REVOKED:
    case ANCHOR_EVENT_MISSING:
    case ANCHOR_EVENT_FULL:
    case ANCHOR_EVENT_REFUSED_SET:
    case ANCHOR_EVENT_PENDING_UNWITNESSED:
        return 4;
    default:
        return 5;
    }
}

static void log_events(const uint8_t *zone, const struct anchor_events *events)
{
    char text[NAME_TEXT_MAX], algorithm[24];

    for (unsigned i = 0; i < events->count; i++) {
        const struct anchor_event *event = &events->list[i];
        if (event->algorithm == 0) {
            log_message(event_level(event->kind), "trust point %s: %s", name_to_text(zone, text),
                        event_text(event->kind));
            continue;
        }
        algorithm_to_text(event->algorithm, algorithm);
        log_message(event_level(event->kind), "trust anchor of %s, key tag %u, %s: %s",
                    name_to_text(zone, text), event->tag, algorithm, event_text(event->kind));
    }
}

/* ---- persisting ---- */

static int run_change(struct writer_op *op, struct store *store)
{
    struct anchor_change *change = CONTAINER_OF(op, struct anchor_change, op);

    change->epoch = change->write.epoch = store_epoch(store) + 1;
    int r = store_commit(store, &change->write, 1, change->epoch, daemon_mono());
    return r < 0 ? r : store_sync(store);
}

static json_t *point_json(struct validatord *v, const uint8_t *only);

static void done_change(struct writer_op *op, int result)
{
    struct anchor_change *change = CONTAINER_OF(op, struct anchor_change, op);
    struct validatord *v = change->v;
    char text[NAME_TEXT_MAX];

    if (result == 0)
        control_raise_epoch(v, change->epoch);
    if (result != -ECANCELED) { /* else all is being torn down */
        struct env env = loop_enter(v);
        val_core_anchor_written(v->core, &env, &v->view, change->zone, result == 0);
        if (result == 0)
            log_events(change->zone, &change->events);
        else
            log_error(
                "a change of the trust anchors of %s could not be written to the cache: %s; tried again "
                "in a minute",
                name_to_text(change->zone, text), strerror(-result));
    }
    if (change->to && result == 0)
        control_answer(change->to, point_json(v, change->zone));
    else if (change->to)
        control_refuse(change->to, -result, "the change could not be written to the cache: %s",
                       strerror(-result));
    free(change);
    if (result != -ECANCELED)
        loop_settle(v);
}

void control_anchor_changed(struct validatord *v, const struct val_action *action)
{
    struct control_request *to = action->asked ? TAKE(v->anchor_request) : NULL;
    struct anchor_change *change;

    if (!action->effective) {
        log_events(action->zone, action->events);
        if (writer_queue(v->writer, &action->write))
            v->writes_dropped++;
        return;
    }
    change = malloc(sizeof(*change));
    if (!change) {
        struct env env = loop_enter(v);
        val_core_anchor_written(v->core, &env, &v->view, action->zone, false);
        if (to)
            control_refuse(to, ENOMEM, "out of memory");
        return;
    }
    *change = (struct anchor_change){
        .op = {.run = run_change, .done = done_change}, .v = v, .to = to, .events = *action->events};
    name_copy(action->zone, change->zone);
    change->write = action->write;
    memcpy(change->bytes, action->write.key.data, action->write.key.size);
    change->write.key.data = change->bytes;
    if (action->write.value.size)
        memcpy(change->bytes + CACHE_KEY_MAX, action->write.value.data, action->write.value.size);
    change->write.value.data = change->bytes + CACHE_KEY_MAX;
    writer_submit_after_queued(v->writer, &change->op);
}

int control_load_anchors(struct validatord *v)
{
    struct env env = loop_enter(v);
    /* Without a view every trust point would seem to have no state, and what is kept would be written over.
     */
    int r = v->view_open ? val_core_load_anchors(v->core, &env, &v->view) : -EIO;

    loop_settle(v);
    if (r < 0)
        log_error("the state of the trust anchors cannot be read from the cache: %s", strerror(-r));
    return r;
}

/* ---- the verbs ---- */

static const char *state_word(enum anchor_state state)
{
    switch (state) {
    case ANCHOR_ADDPEND:
        return "pending";
    case ANCHOR_VALID:
        return "valid";
    case ANCHOR_MISSING:
        return "missing";
    case ANCHOR_REVOKED:
        return "revoked";
    case ANCHOR_REMOVED:
        return "removed";
    case ANCHOR_START:
        break;
    }
    return "";
}

/* "builtin, 5011" */
static void sources_text(unsigned sources, char buf[64])
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{ANCHOR_BUILTIN, "builtin"},
                 {ANCHOR_CONFIGURED, "configured"},
                 {ANCHOR_OPERATOR, "operator"},
                 {ANCHOR_LEARNED, "5011"}};
    size_t size = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (sources & words[i].bit)
            size += (size_t)snprintf(buf + size, 64 - size, "%s%s", size ? ", " : "", words[i].word);
}

struct list_ctx {
    json_t *array;
    const uint8_t *only;
};

static json_t *key_json(const struct val_trust_point *point, const struct anchor_key *key, bool in_force)
{
    uint8_t ds[4 + CACHE_ANCHOR_DIGEST] = {(uint8_t)(key->tag >> 8), (uint8_t)key->tag, key->algorithm,
                                           key->digest_type};
    struct rdata rdata = {.data = ds, .size = (uint16_t)(4u + key->digest_size)};
    struct rrset set = {.type = TYPE_DS, .count = 1, .rdata = &rdata};
    char algorithm[24], sources[64];

    memcpy(ds + 4, key->digest, key->digest_size);
    algorithm_to_text(key->algorithm, algorithm);
    sources_text(key->sources, sources);
    json_t *json = json_pack("{s:o, s:i, s:s, s:s, s:b, s:s, s:I}", "zone", json_name(point->zone), "key_tag",
                             key->tag, "algorithm", algorithm, "state", state_word(key->state), "trusted",
                             in_force, "source", sources, "since_at_s", (json_int_t)key->since.s);
    if (!json)
        return NULL;
    if (key->hold_down_s)
        json_object_set_new(json, "hold_down_ends_at_s",
                            json_integer((json_int_t)(key->since.s + key->hold_down_s)));
    if (point->refresh_in_s >= 0)
        json_object_set_new(json, "next_refresh_s", json_integer((json_int_t)point->refresh_in_s));
    if (point->record->refreshed.s)
        json_object_set_new(json, "refreshed_at_s", json_integer((json_int_t)point->record->refreshed.s));
    json_object_set_new(json, "ds", json_rdata(&set));
    return json;
}

static int list_point(void *ctx, const struct val_trust_point *point)
{
    struct list_ctx *list = ctx;

    if (list->only && !name_equal(list->only, point->zone))
        return 0;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        if (point->record->keys[i].state != ANCHOR_START)
            json_array_append_new(list->array, key_json(point, &point->record->keys[i], point->in_force[i]));
    return 0;
}

/* Configured anchors that no record can hold: nothing here can verify with them. */
static void list_unusable(struct validatord *v, json_t *array)
{
    const struct val_config *config = &v->settings.config;
    const struct anchor_rules rules = {.crypto = &v->ops, .algorithms = config->algorithms};

    for (size_t i = 0; i < config->anchor_count; i++) {
        const struct val_anchor *anchor = &config->anchors[i];
        struct rrset set = {.type = anchor->type, .count = 1, .rdata = (struct rdata *)&anchor->rdata};
        struct anchor_key key;
        if (anchor_key_from_rdata(&rules, anchor->zone, anchor->type, &anchor->rdata, &key))
            json_array_append_new(array,
                                  json_pack("{s:o, s:s, s:b, s:s, s:o}", "zone", json_name(anchor->zone),
                                            "state", "unusable", "trusted", false, "source",
                                            anchor->builtin ? "builtin" : "configured",
                                            anchor->type == TYPE_DS ? "ds" : "dnskey", json_rdata(&set)));
    }
}

/* The trust points as trust-anchor list shows them; only: one of them, or NULL. */
static json_t *point_json(struct validatord *v, const uint8_t *only)
{
    struct list_ctx list = {.array = json_array(), .only = only};
    const struct env env = {.wall = daemon_wall(&v->daemon)};

    (void)val_core_trust_points(v->core, &env, list_point, &list);
    if (!only)
        list_unusable(v, list.array);
    return json_pack("{s:o}", "anchors", list.array);
}

static int count_point(void *ctx, const struct val_trust_point *point)
{
    struct anchor_totals *totals = ctx;
    unsigned before = totals->trusted, founded = 0;

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        totals->trusted += point->in_force[i];
        founded += (point->record->keys[i].sources & ~(unsigned)ANCHOR_LEARNED) != 0;
    }
    if (founded && totals->trusted == before)
        json_array_append_new(totals->revoked, json_name(point->zone));
    return 0;
}

struct anchor_totals control_anchor_totals(struct validatord *v)
{
    struct anchor_totals totals = {.revoked = json_array()};
    const struct env env = {.wall = daemon_wall(&v->daemon)};

    (void)val_core_trust_points(v->core, &env, count_point, &totals);
    return totals;
}

void control_anchor_list(struct validatord *v, struct control_request *to)
{
    control_answer(to, point_json(v, NULL));
}

/* The outcome of a change that was not made. */
static void refuse(struct control_request *to, int outcome, const uint8_t *zone, int tag)
{
    char text[NAME_TEXT_MAX];

    name_to_text(zone, text);
    switch (outcome) {
    case VAL_ANCHOR_UNUSABLE:
        control_refuse(to, EINVAL,
                       "the record for %s is of no use as a trust anchor: its algorithm or digest is not "
                       "supported, or it is no zone key, or revoked; compare it with the publisher's",
                       text);
        break;
    case VAL_ANCHOR_REVOKED:
        control_refuse(
            to, EPERM,
            "the key of %s was revoked by its zone, and must never be trusted again (RFC 5011 2.1); "
            "if that state is wrong, trust-anchor remove --force makes it forgotten",
            text);
        break;
    case VAL_ANCHOR_FULL:
        control_refuse(to, ENOSPC, "no room: %u keys of one zone are kept; remove some of %s",
                       CACHE_ANCHOR_KEYS, text);
        break;
    case VAL_ANCHOR_BUSY:
        control_refuse(to, EBUSY, "another change for %s is just being written; try again", text);
        break;
    case VAL_ANCHOR_CONFIGURED:
        control_refuse(
            to, EPERM,
            "the key of %s is configured; take it out of dnssec.trust_anchors and reload or restart", text);
        break;
    case VAL_ANCHOR_UNKNOWN:
        if (tag >= 0)
            control_refuse(to, ENOENT, "no trust anchor for %s has key tag %d; see trust-anchor list", text,
                           tag);
        else
            control_refuse(to, ENOENT, "there is no trust anchor for %s; see trust-anchor list", text);
        break;
    default:
        control_refuse(to, -outcome, "the change could not be made: %s", strerror(-outcome));
    }
}

static void settle_change(struct validatord *v, struct control_request *to, int outcome, const uint8_t *zone,
                          int tag)
{
    loop_settle(v); /* the action takes v->anchor_request */
    if (outcome == 0 && !v->anchor_request)
        return;
    v->anchor_request = NULL;
    refuse(to, outcome ? outcome : -ENOMEM, zone, tag);
}

void control_anchor_add(struct validatord *v, const control_message *message, struct control_request *to)
{
    uint8_t zone[NAME_MAX];
    bool given;
    struct rdata rdata = {.data = message->rdata.data, .size = (uint16_t)message->rdata.len};

    if (!control_name(message, to, zone, &given))
        return;
    if (!given || (message->type != TYPE_DS && message->type != TYPE_DNSKEY) ||
        message->rdata.len > UINT16_MAX || rdata_check((uint16_t)message->type, &rdata)) {
        control_refuse(to, EINVAL, "a trust anchor is a DS or DNSKEY record with its zone");
        return;
    }
    struct env env = loop_enter(v);
    v->anchor_request = to;
    int r = val_core_anchor_add(v->core, &env, &v->view, zone, (uint16_t)message->type, &rdata);
    settle_change(v, to, r, zone, -1);
}

void control_anchor_remove(struct validatord *v, const control_message *message, struct control_request *to)
{
    uint8_t zone[NAME_MAX];
    bool given;
    int tag = message->by_tag ? (int)(message->key_tag & 0xffff) : -1;

    if (!control_name(message, to, zone, &given))
        return;
    if (!given) {
        control_refuse(to, EINVAL, "of which zone? (the root is written \".\")");
        return;
    }
    struct env env = loop_enter(v);
    v->anchor_request = to;
    int r = val_core_anchor_remove(v->core, &env, &v->view, zone, tag, message->force);
    settle_change(v, to, r, zone, tag);
}
