/* explain: the question is run through the core (from the cache, if that has it), and then the core tells the
 * chain of trust link by link; with it goes which servers were asked meanwhile. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/rdata.h"
#include "daemons/validatord/control.h"

#define EXPLAIN_MAX         16u /* explanations that wait at once */
#define EXPLAIN_SERVERS_MAX 64u

struct explain {
    struct list link;
    struct control_request *to;
    uint64_t id;
    uint8_t name[NAME_MAX];
    uint16_t type;
    json_t *servers;
};

struct explain_list {
    struct list waiting;
    unsigned count;
    uint64_t next_id;
};

struct explain_list *explain_list_new(void)
{
    struct explain_list *list = calloc(1, sizeof(*list));

    if (list)
        list_init(&list->waiting);
    return list;
}

static void explain_free(struct explain_list *list, struct explain *explain)
{
    list_remove(&explain->link);
    list->count--;
    json_decref(explain->servers);
    free(explain);
}

void explain_list_free(struct explain_list *list)
{
    if (!list)
        return;
    LIST_FOREACH_SAFE(pos, &list->waiting)
    {
        struct explain *explain = CONTAINER_OF(pos, struct explain, link);

        control_refuse(explain->to, ECANCELED, "validatord is stopping");
        explain_free(list, explain);
    }
    free(list);
}

void explain_note_evidence(struct explain_list *list, const uint8_t *cut, const struct address *server,
                           unsigned transport, uint32_t rtt_us)
{
    static const char transports[4][8] = {"udp", "tcp", "tls", "https"};

    LIST_FOREACH (pos, &list->waiting) {
        struct explain *explain = CONTAINER_OF(pos, struct explain, link);

        if (!name_is_under(explain->name, cut) || json_array_size(explain->servers) >= EXPLAIN_SERVERS_MAX)
            continue;
        json_array_append_new(explain->servers,
                              json_pack("{s:o, s:o, s:s, s:f}", "zone", json_name(cut), "address",
                                        json_address(server), "transport", transports[transport & 3],
                                        "rtt_ms", rtt_us / 1000.0));
    }
}

static json_t *ds_texts(const struct rrset *ds)
{
    json_t *array = json_array();
    struct ds parsed;
    char algorithm[24];

    for (unsigned i = 0; i < ds->count; i++)
        if (ds_parse(&ds->rdata[i], &parsed) == 0)
            json_array_append_new(array, json_sprintf("key tag %u, %s, digest type %u", parsed.tag,
                                                      algorithm_to_text(parsed.algorithm, algorithm),
                                                      parsed.digest_type));
    return array;
}

static json_t *key_texts(const struct rrset *dnskey)
{
    json_t *array = json_array();
    struct dnskey key;
    char algorithm[24];

    for (unsigned i = 0; i < dnskey->count; i++)
        if (dnskey_parse(&dnskey->rdata[i], &key) == 0)
            json_array_append_new(array,
                                  json_sprintf("key tag %u, %s%s%s", key.tag,
                                               algorithm_to_text(key.algorithm, algorithm),
                                               key.flags & DNSKEY_FLAG_SEP ? ", secure entry point" : "",
                                               key.flags & DNSKEY_FLAG_REVOKE ? ", revoked" : ""));
    return array;
}

struct link_ctx {
    json_t *links;
    wall_s now;
};

static int add_link(void *ctx, const struct val_link *link)
{
    struct link_ctx *c = ctx;
    json_t *json = json_pack("{s:o, s:s, s:b, s:b, s:s}", "zone", json_name(link->zone), "security",
                             security_word(link->security), "anchor", link->anchor, "nta", link->nta,
                             "ds_state", ds_state_word(link->ds_state));

    if (!json)
        return -ENOMEM;
    if (link->ds.count) {
        json_object_set_new(json, "ds", ds_texts(&link->ds));
        json_object_set_new(json, "ds_expires_s", json_integer(link->ds_expires.s - c->now.s));
    }
    if (link->dnskey.count) {
        json_object_set_new(json, "keys", key_texts(&link->dnskey));
        json_object_set_new(json, "keys_expire_s", json_integer(link->dnskey_expires.s - c->now.s));
    }
    /* Past its expiry it is kept, for as long as the zone above fails. */
    if (link->ds_validated.s && link->ds_expires.s <= c->now.s)
        json_object_set_new(json, "kept_s", json_integer(c->now.s - link->ds_validated.s));
    if (link->dnskey_validated.s && link->dnskey_expires.s <= c->now.s)
        json_object_set_new(json, "keys_kept_s", json_integer(c->now.s - link->dnskey_validated.s));
    if (link->incident)
        json_object_set_new(json, "incident", control_incident_json(link->incident, c->now));
    if (link->ede_code != EDE_NONE)
        json_object_set_new(
            json, "ede",
            json_pack("{s:i, s:s}", "code", link->ede_code, "text", link->ede_text ? link->ede_text : ""));
    json_array_append_new(c->links, json);
    return 0;
}

/* The answer's records as a zone file has them. */
static json_t *record_texts(const struct rrset_list *list)
{
    json_t *texts = json_array();

    for (uint32_t i = 0; i < list->count; i++) {
        const struct rrset *set = &list->items[i];
        char owner[NAME_TEXT_MAX], type[16];
        json_t *data = json_rdata(set), *one;
        size_t index;

        name_to_text(set->owner, owner);
        rrtype_to_text(set->type, type);
        json_array_foreach(data, index, one) json_array_append_new(
            texts, json_sprintf("%s %u IN %s %s", owner, set->ttl, type, json_string_value(one)));
        json_decref(data);
    }
    return texts;
}

static json_t *answer_json(const struct answer *answer)
{
    char text[16];

    return json_pack("{s:s, s:s, s:b, s:b, s:I, s:o, s:o}", "rcode", rcode_to_text(answer->rcode, text),
                     "security", security_word(answer->security), "authentic", answer->authentic, "stale",
                     answer->stale, "ttl_s", (json_int_t)answer->ttl, "ede",
                     json_ede(answer->ede, answer->ede_count), "records", record_texts(&answer->answer));
}

static void explain_reply(struct validatord *v, struct explain *explain, const struct answer *answer)
{
    struct env env = loop_enter(v);
    struct link_ctx ctx = {.links = json_array(), .now = env.wall};
    int r = val_core_explain(v->core, &env, &v->view, explain->name, add_link, &ctx);

    if (r < 0) {
        json_decref(ctx.links);
        control_refuse(explain->to, -r, "no explanation: %s", strerror(-r));
        return;
    }
    control_answer(explain->to, json_pack("{s:o, s:o, s:o, s:O, s:o}", "name", json_name(explain->name),
                                          "type", json_rrtype(explain->type), "links", ctx.links, "servers",
                                          explain->servers, "answer", answer_json(answer)));
}

bool explain_take_verdict(struct validatord *v, struct explain_list *list, const struct val_action *action)
{
    if (action->client != CONTROL_CLIENT)
        return false;
    LIST_FOREACH_SAFE(pos, &list->waiting)
    {
        struct explain *explain = CONTAINER_OF(pos, struct explain, link);

        if (explain->id != action->id)
            continue;
        explain_reply(v, explain, action->answer);
        explain_free(list, explain);
        break;
    }
    return true;
}

void control_explain(struct validatord *v, struct explain_list *list, const control_message *message,
                     struct control_request *to)
{
    uint8_t name[NAME_MAX];
    struct explain *explain;
    struct env env;
    bool given;
    int r;

    if (!control_name(message, to, name, &given))
        return;
    if (!given || message->type > UINT16_MAX) {
        control_refuse(to, EINVAL, given ? "there is no such type" : "which name?");
        return;
    }
    explain = list->count < EXPLAIN_MAX ? calloc(1, sizeof(*explain)) : NULL;
    if (!explain) {
        control_refuse(to, EBUSY, "too many explanations are under way");
        return;
    }
    *explain = (struct explain){.to = to, .id = list->next_id++, .servers = json_array()};
    explain->type = (uint16_t)(message->type ? message->type : TYPE_A);
    name_copy(name, explain->name);
    list_append(&list->waiting, &explain->link);
    list->count++;
    env = loop_enter(v);
    r = val_core_resolve(v->core, &env, &v->view,
                         &(struct val_question){.client = CONTROL_CLIENT,
                                                .id = explain->id,
                                                .qname = explain->name,
                                                .qtype = explain->type,
                                                .checking_disabled = message->checking_disabled,
                                                .budget = budget_fresh(env.mono)});
    if (r < 0) {
        control_refuse(to, -r, "the question could not be asked: %s", strerror(-r));
        explain_free(list, explain);
    }
    loop_settle(v);
}
