/* Probes, incidents and the advice that comes of them, as holdfastctl shows them. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "daemons/validatord/change.h"

/* A request that waits for the end of a probe. */
struct probe_waiter {
    struct list link;
    struct control_request *to;
    uint8_t name[NAME_MAX];
};

static const char *verdict_text(enum val_probe_verdict verdict)
{
    switch (verdict) {
    case VAL_PROBE_VALID:
        return "valid";
    case VAL_PROBE_INVALID:
        return "invalid";
    case VAL_PROBE_NO_REPLY:
        return "no answer";
    case VAL_PROBE_NOT_ASKED:
        break;
    }
    return "not asked";
}

static const char *result_text(enum val_probe_result result)
{
    switch (result) {
    case VAL_PROBE_ALL:
        return "valid";
    case VAL_PROBE_SOME:
        return "partly valid";
    case VAL_PROBE_NONE:
        return "invalid";
    case VAL_PROBE_SILENT:
        return "no answer";
    case VAL_PROBE_NEVER:
        break;
    }
    return "not yet";
}

static json_t *servers_json(const struct val_probe_report *report)
{
    json_t *servers = json_array();

    for (unsigned i = 0; i < report->server_count; i++) {
        const struct address *a = &report->servers[i].address;
        char text[INET6_ADDRSTRLEN] = "any";

        if (a->family)
            (void)inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, sizeof(text));
        json_array_append_new(servers,
                              json_pack("{s:s, s:s, s:s}", "address", text, "udp",
                                        verdict_text(report->servers[i].verdict[VAL_PROBE_UDP]), "tcp",
                                        verdict_text(report->servers[i].verdict[VAL_PROBE_TCP])));
    }
    return servers;
}

json_t *control_probe_json(const struct val_probe_report *report)
{
    return json_pack("{s:s, s:I, s:o, s:s%, s:i, s:b, s:b, s:b, s:I, s:I}", "result",
                     result_text(report->result), "probed_at_s", (json_int_t)report->at.s, "servers",
                     servers_json(report), "reason", report->text, (size_t)report->text_size, "ede",
                     report->ede == EDE_NONE ? -1 : (int)report->ede, "keys_match_ds", report->keys_good,
                     "transports_differ", report->transports_differ, "servers_differ", report->servers_differ,
                     "data_as_before", (json_int_t)report->data_same, "data_changed",
                     (json_int_t)report->data_changed);
}

void control_nta_probe(struct validatord *v, const control_message *message, struct control_request *to)
{
    char text[NAME_TEXT_MAX];
    uint8_t name[NAME_MAX];
    struct probe_waiter *waiter;
    bool given;

    if (!control_name(message, to, name, &given))
        return;
    struct env env = loop_enter(v);
    int r = val_core_probe(v->core, &env, &v->view, name);
    loop_settle(v);
    if (!given || r != 0) {
        control_refuse(to, ENOENT, "there is no NTA for %s, nor an incident of it; see nta list and status",
                       name_to_text(name, text));
        return;
    }
    waiter = calloc(1, sizeof(*waiter));
    if (!waiter) {
        control_refuse(to, ENOMEM, "out of memory; the probe is under way");
        return;
    }
    waiter->to = to;
    name_copy(name, waiter->name);
    list_append(&v->probes_awaited, &waiter->link);
}

/* What the probe of the name found: an NTA's, else an incident's. */
struct find_report {
    const uint8_t *name;
    const struct val_probe_report *report;
};

static int take_incident(void *ctx, const struct val_incident *incident)
{
    struct find_report *find = ctx;

    if (!name_equal(incident->zone, find->name))
        return 0;
    find->report = incident->probe;
    return 1;
}

void control_probe_done(struct validatord *v, const uint8_t *name)
{
    struct env env = daemon_env(&v->daemon);
    struct find_report find = {.name = name};
    int64_t next_s;

    find.report = val_core_nta_report(v->core, &env, name, &next_s);
    if (!find.report)
        (void)val_core_incidents(v->core, &env, take_incident, &find);
    LIST_FOREACH_SAFE(pos, &v->probes_awaited)
    {
        struct probe_waiter *waiter = CONTAINER_OF(pos, struct probe_waiter, link);

        if (!name_equal(waiter->name, name))
            continue;
        list_remove(&waiter->link);
        json_t *json = find.report ? control_probe_json(find.report) : json_pack("{s:s}", "result", "valid");
        if (json)
            json_object_set_new(json, "name", json_name(name));
        control_answer(waiter->to, json);
        free(waiter);
    }
}

void control_probes_free(struct validatord *v)
{
    while (!list_empty(&v->probes_awaited)) {
        struct probe_waiter *waiter = CONTAINER_OF(v->probes_awaited.next, struct probe_waiter, link);

        list_remove(&waiter->link);
        free(waiter);
    }
}

/* ---- incidents ---- */

json_t *control_incident_json(const struct val_incident *incident, wall_s now)
{
    return json_pack(
        "{s:o, s:s, s:s%, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "zone", json_name(incident->zone),
        "state", incident->degraded ? "degraded" : "open", "cause", (const char *)incident->text.data,
        incident->text.size, "ede", (int)incident->ede, "since", (json_int_t)incident->since.s, "age_s",
        (json_int_t)MAX(now.s - incident->since.s, 0), "next_probe_s", (json_int_t)incident->next_probe_s,
        "questions", (json_int_t)incident->questions, "continued", (json_int_t)incident->answered_continued,
        "stale", (json_int_t)incident->answered_stale, "failed", (json_int_t)incident->failed, "nta_advised",
        incident->advised);
}

struct list_incidents {
    wall_s now;
    json_t *list;
};

static int list_one(void *ctx, const struct val_incident *incident)
{
    struct list_incidents *to = ctx;

    json_array_append_new(to->list, control_incident_json(incident, to->now));
    return 0;
}

json_t *control_incidents(struct validatord *v)
{
    struct env env = daemon_env(&v->daemon);
    struct list_incidents to = {.now = env.wall, .list = json_array()};

    (void)val_core_incidents(v->core, &env, list_one, &to);
    return to.list;
}

/* ---- advice ---- */

struct advise {
    struct validatord *v;
    wall_s now;
    json_t *list;
};

static int advise_one(void *ctx, const struct val_incident *incident)
{
    struct advise *a = ctx;
    const struct val_probe_report *report = incident->probe;
    char zone[NAME_TEXT_MAX], command[NAME_TEXT_MAX + 128];

    if (!incident->advised)
        return 0;
    json_t *json = control_incident_json(incident, a->now);
    if (!json)
        return 0;
    name_to_text(incident->zone, zone);
    snprintf(command, sizeof(command), "holdfastctl nta add %s --lifetime 1h --reason \"...\"", zone);
    json_object_set_new(json, "names", json_integer((json_int_t)incident->names));
    json_object_set_new(json, "evidence", control_probe_json(report));
    json_object_set_new(
        json, "insecure_span_permille",
        json_integer(val_core_span_permille(a->v->core, &a->v->view, incident->zone, a->now)));
    json_object_set_new(json, "command", json_string(command));
    json_array_append_new(a->list, json);
    return 0;
}

static void advise_child(void *ctx, const struct val_nta_child *child)
{
    struct advise *a = ctx;
    char zone[NAME_TEXT_MAX], command[NAME_TEXT_MAX + 128];

    name_to_text(child->zone, zone);
    snprintf(command, sizeof(command), "holdfastctl nta add %s --lifetime 1h --reason \"...\"", zone);
    json_array_append_new(
        a->list, json_pack("{s:o, s:s, s:s%, s:i, s:I, s:I, s:s}", "zone", json_name(child->zone), "state",
                           "fails its kept DS", "cause", (const char *)child->text.data, child->text.size,
                           "ede", (int)child->ede, "since", (json_int_t)child->since.s, "age_s",
                           (json_int_t)MAX(a->now.s - child->since.s, 0), "command", command));
}

void control_nta_advise(struct validatord *v, const control_message *message, struct control_request *to)
{
    struct env env = loop_enter(v);
    struct advise a = {.v = v, .now = env.wall, .list = json_array()};

    (void)val_core_incidents(v->core, &env, advise_one, &a);
    val_core_nta_children(v->core, &env, advise_child, &a);
    loop_settle(v);
    control_answer(to, json_pack("{s:o}", "advice", a.list));
}
