#include "daemons/validatord/cache_file.h"
#include "daemons/validatord/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holdfast_config.h"

struct control {
    struct validatord *v;
    struct control_server *server;
    struct explain_list *explaining;
    struct val_stats zero; /* what the counters said at reset-statistics */
    struct edge_netd_stats netd_zero;
    struct edge_recursord_stats recursord_zero;
};

void control_answer(struct control_request *to, json_t *json)
{
    char *text = to && json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (to)
        control_reply(to, text ? 0 : ENOMEM, text ? NULL : "out of memory", text, (struct slice){0},
                      (struct slice){0}, true);
    free(text);
    json_decref(json);
}

void control_refuse(struct control_request *to, int code, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!to) {
        log_error("%s", text);
        return;
    }
    control_reply(to, code ? code : EIO, text, NULL, (struct slice){0}, (struct slice){0}, true);
}

bool control_name(const control_message *message, struct control_request *to, uint8_t ret_name[NAME_MAX],
                  bool *ret_given)
{
    *ret_given = message->name.len > 0;
    if (!*ret_given) {
        name_copy(name_root, ret_name);
        return true;
    }
    if (name_from_bytes(message->name.data, message->name.len, ret_name) == 0)
        return true;
    control_refuse(to, EINVAL, "the name is not one");
    return false;
}

static void status(struct control *c, struct control_request *to)
{
    struct validatord *v = c->v;
    struct edge_netd_stats netd = edge_netd_stats(v->netd);
    struct edge_recursord_stats recursord = edge_recursord_stats(v->recursord);
    bool ready = netd.connected && recursord.connected;
    const char *trouble = cache_file_trouble(v);
    struct anchor_totals anchors = control_anchor_totals(v);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:i, s:I, s:b, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "program",
                  v->daemon.program, "state",
                  !ready    ? "waiting for its peers"
                  : trouble ? "running, but not keeping its cache"
                            : "running",
                  "version", HOLDFAST_VERSION, "pid", (int)getpid(), "uptime_s",
                  (json_int_t)((daemon_mono().ns - v->started.ns) / NS_PER_S), "validate",
                  v->settings.config.validate, "netd_connected", netd.connected, "recursord_connected",
                  recursord.connected, "configuration_generation", (json_int_t)v->settings.config.generation,
                  "epoch", (json_int_t)v->epoch, "cache_file", (json_int_t)v->file_generation,
                  "commit_sequence", (json_int_t)writer_sequence(v->writer) - 1, "queued_writes",
                  (json_int_t)writer_queued(v->writer), "trust_anchors", (json_int_t)anchors.trusted);

    if (json) { /* policy that lets unvalidated data through is never out of sight */
        json_t *ntas = control_ntas(v), *names = json_array(), *nta;
        size_t index;

        json_array_foreach(ntas, index, nta) json_array_append(names, json_object_get(nta, "name"));
        json_object_set_new(json, "negative_trust_anchors", names);
        json_object_set_new(json, "incidents", control_incidents(v));
        json_decref(ntas);
        if (json_array_size(anchors.revoked))
            json_object_set(json, "trust_points_revoked", anchors.revoked);
    }
    json_decref(anchors.revoked);
    if (json && trouble)
        json_object_set_new(json, "cache_trouble", json_string(trouble));
    if (json && v->daemon.wall_offset_s)
        json_object_set_new(json, "clock_offset_s", json_integer(v->daemon.wall_offset_s));
    control_answer(to, json);
}

static void statistics(struct control *c, struct control_request *to)
{
    struct validatord *v = c->v;
    struct edge_netd_stats netd = edge_netd_stats(v->netd);
    struct edge_recursord_stats recursord = edge_recursord_stats(v->recursord);
    struct val_stats s;
    json_t *json;

    val_core_stats(v->core, &s);
#define COUNTER(name) #name, (json_int_t)(s.name - c->zero.name)
    json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", COUNTER(questions),
                     COUNTER(joined), COUNTER(verdicts), COUNTER(secure), COUNTER(insecure), COUNTER(bogus),
                     COUNTER(unreachable), COUNTER(fetches), COUNTER(verifications),
                     COUNTER(verifications_failed), COUNTER(budget_spent), COUNTER(renewals),
                     COUNTER(error_reports));
#undef COUNTER
    if (json) {
        json_object_set_new(json, "running_questions", json_integer((json_int_t)s.running_questions));
        json_object_set_new(json, "running_tasks", json_integer((json_int_t)s.running_tasks));
        json_object_set_new(json, "incidents_open", json_integer((json_int_t)s.incidents_open));
        json_object_set_new(json, "ntas", json_integer((json_int_t)s.ntas));
        json_object_set_new(json, "incidents_opened",
                            json_integer((json_int_t)(s.incidents_opened - c->zero.incidents_opened)));
        json_object_set_new(json, "incidents_closed",
                            json_integer((json_int_t)(s.incidents_closed - c->zero.incidents_closed)));
        json_object_set_new(json, "probes", json_integer((json_int_t)(s.probes - c->zero.probes)));
        json_object_set_new(json, "edges",
                            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "netd_connects",
                                      (json_int_t)netd.connects, "resolves",
                                      (json_int_t)(netd.resolves - c->netd_zero.resolves), "verdicts_sent",
                                      (json_int_t)(netd.verdicts - c->netd_zero.verdicts),
                                      "recursord_connects", (json_int_t)recursord.connects, "fetches_sent",
                                      (json_int_t)(recursord.fetches - c->recursord_zero.fetches), "evidence",
                                      (json_int_t)(recursord.evidence - c->recursord_zero.evidence),
                                      "fetches_waiting", (json_int_t)recursord.waiting));
        json_object_set_new(
            json, "shell",
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "view_failures", (json_int_t)v->view_failures,
                      "writes_dropped", (json_int_t)v->writes_dropped, "commits_failed",
                      (json_int_t)v->commits_failed, "verdicts_dropped", (json_int_t)v->verdicts_dropped,
                      "fetches_refused", (json_int_t)v->fetches_refused));
    }
    control_answer(to, json);
}

static void reset_statistics(struct control *c, struct control_request *to)
{
    struct validatord *v = c->v;

    val_core_stats(v->core, &c->zero);
    c->netd_zero = edge_netd_stats(v->netd);
    c->recursord_zero = edge_recursord_stats(v->recursord);
    v->view_failures = v->writes_dropped = v->commits_failed = v->verdicts_dropped = v->fetches_refused = 0;
    control_answer(to, json_object());
}

static void log_level(struct control *c, const control_message *message, struct control_request *to)
{
    static const char levels[8][8] = {"emerg",   "alert",  "crit", "error",
                                      "warning", "notice", "info", "debug"};
    int level = log_get_level();

    if (message->text[0]) {
        for (level = 0; level < 8 && strcmp(levels[level], message->text) != 0; level++)
            ;
        if (level == 8) {
            control_refuse(to, EINVAL, "\"%.40s\" is no level; say error, warning, notice, info or debug",
                           message->text);
            return;
        }
        log_set_level(level);
    }
    control_answer(to, json_pack("{s:s}", "level", levels[level & 7]));
}

static void handle(void *ctx, const control_message *message, struct control_request *to)
{
    struct control *c = ctx;
    struct validatord *v = c->v;
    const char *verb = message->verb;

    if (strcmp(verb, "status") == 0)
        status(c, to);
    else if (strcmp(verb, "statistics") == 0)
        statistics(c, to);
    else if (strcmp(verb, "reset-statistics") == 0)
        reset_statistics(c, to);
    else if (strcmp(verb, "log-level") == 0)
        log_level(c, message, to);
    else if (strcmp(verb, "trust-anchor-list") == 0)
        control_anchor_list(v, to);
    else if (strcmp(verb, "trust-anchor-add") == 0)
        control_anchor_add(v, message, to);
    else if (strcmp(verb, "trust-anchor-remove") == 0)
        control_anchor_remove(v, message, to);
    else if (strcmp(verb, "show-cache") == 0)
        control_show_cache(v, message, to);
    else if (strcmp(verb, "cache-stats") == 0)
        control_cache_stats(v, message, to);
    else if (strcmp(verb, "cache-verify") == 0)
        control_cache_verify(v, message, to);
    else if (strcmp(verb, "flush-caches") == 0)
        control_flush(v, message, to);
    else if (strcmp(verb, "nta-list") == 0)
        control_nta_list(v, message, to);
    else if (strcmp(verb, "nta-add") == 0)
        control_nta_add(v, message, to);
    else if (strcmp(verb, "nta-remove") == 0)
        control_nta_remove(v, message, to);
    else if (strcmp(verb, "nta-probe") == 0)
        control_nta_probe(v, message, to);
    else if (strcmp(verb, "nta-advise") == 0)
        control_nta_advise(v, message, to);
    else if (strcmp(verb, "serve-stale") == 0)
        control_serve_stale(v, message, to);
    else if (strcmp(verb, "explain") == 0)
        control_explain(v, c->explaining, message, to);
    else
        control_refuse(to, EOPNOTSUPP, "validatord has no verb \"%.40s\"", verb);
}

int control_new(struct validatord *v, struct control **ret_control)
{
    struct control *c = calloc(1, sizeof(*c));
    int fd = daemon_take_fd(&v->daemon, "control"), r = 0;

    if (!c)
        return -ENOMEM;
    c->v = v;
    list_init(&v->probes_awaited);
    c->explaining = explain_list_new();
    if (!c->explaining)
        r = -ENOMEM;
    else if (fd < 0)
        log_warning("no control socket was passed: holdfastctl cannot reach validatord");
    else
        r = control_server_new(v->daemon.event, fd, handle, c, &c->server);
    if (r < 0) {
        control_free(c);
        return r;
    }
    *ret_control = c;
    return 0;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    explain_list_free(c->explaining);
    control_probes_free(c->v);
    control_server_free(c->server);
    free(c);
}

bool control_take_verdict(struct control *c, const struct val_action *action)
{
    return explain_take_verdict(c->v, c->explaining, action);
}

void control_note_evidence(struct control *c, const uint8_t *cut, const struct address *server,
                           unsigned transport, uint32_t rtt_us)
{
    explain_note_evidence(c->explaining, cut, server, transport, rtt_us);
}
