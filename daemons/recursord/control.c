/* The verbs that the control socket of recursord knows. Reports are JSON; holdfastctl lays them out. */

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc/control.h"
#include "daemons/recursord/shell.h"
#include "holdfast_config.h"

#define SERVERS_A_REPLY 200u /* about 250 bytes each: well inside a frame */

struct control {
    struct recursord *r;
    struct control_server *server;
};

static void fail(struct control_request *request, int code, const char *error)
{
    control_reply(request, code, error, NULL, (struct slice){0}, (struct slice){0}, true);
}

/* Takes json. */
static void reply(struct control_request *request, json_t *json, bool last)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text)
        control_reply(request, 0, NULL, text, (struct slice){0}, (struct slice){0}, last);
    else
        fail(request, ENOMEM, "memory is short");
    free(text);
    json_decref(json);
}

static void status(struct recursord *r, struct control_request *request)
{
    struct rec_stats stats;
    rec_core_stats(r->core, &stats);
    reply(request,
          json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:b, s:I, s:I}", "program", "holdfast-recursord", "state",
                    edge_connected(r->edge) ? "running" : "waiting for validatord", "version",
                    HOLDFAST_VERSION, "pid", (int)getpid(), "generation",
                    (json_int_t)r->settings.config.generation, "uptime_s",
                    (json_int_t)((daemon_mono().ns - r->started.ns) / NS_PER_S), "validatord_connected",
                    (int)edge_connected(r->edge), "running", (json_int_t)stats.running, "tcp_connections",
                    (json_int_t)upstream_tcp_connections(r->tcp)),
          true);
}

static void statistics(struct recursord *r, struct control_request *request)
{
    struct rec_stats s;
    const struct rec_stats *z = &r->reset;
    rec_core_stats(r->core, &s);
    reply(request,
          json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "fetches",
                    (json_int_t)(s.fetches - z->fetches), "sub_fetches",
                    (json_int_t)(s.sub_fetches - z->sub_fetches), "queries_udp",
                    (json_int_t)(s.queries_udp - z->queries_udp), "queries_tcp",
                    (json_int_t)(s.queries_tcp - z->queries_tcp), "replies",
                    (json_int_t)(s.replies - z->replies), "timeouts", (json_int_t)(s.timeouts - z->timeouts),
                    "mismatches", (json_int_t)(s.mismatches - z->mismatches), "referrals",
                    (json_int_t)(s.referrals - z->referrals), "lame", (json_int_t)(s.lame - z->lame),
                    "running", (json_int_t)s.running),
          true);
}

static json_t *server_json(const struct rec_server_info *info, mono_ns now)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(info->address.family == 4 ? AF_INET : AF_INET6, info->address.bytes, text, sizeof(text));
    bool down = !mono_reached(now, info->down_until);
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:b, s:b, s:b, s:I}", "address", text, "port",
                     (int)info->address.port, "srtt_us", (json_int_t)info->srtt_us, "timeouts",
                     (json_int_t)info->timeouts, "queries", (json_int_t)info->queries, "edns_broken",
                     (int)info->edns_broken, "tcp_only", (int)info->tcp_only, "cookie", (int)info->has_cookie,
                     "down_for_ms", (json_int_t)(down ? (info->down_until.ns - now.ns) / NS_PER_MS : 0));
}

/* As many replies as it takes, the last one marked. */
static void show_server_state(struct recursord *r, struct control_request *request)
{
    struct rec_server_info info;
    mono_ns now = daemon_mono();
    size_t index = 0;
    for (bool last = false; !last;) {
        json_t *list = json_array();
        for (size_t i = 0; i < SERVERS_A_REPLY && rec_core_server_info(r->core, index, &info); i++, index++)
            json_array_append_new(list, server_json(&info, now));
        last = !rec_core_server_info(r->core, index, &info);
        reply(request, json_pack("{s:o}", "servers", list), last);
    }
}

/* A syslog priority by number or name; -1: neither. */
static int parse_level(const char *text)
{
    static const char names[8][8] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    for (int i = 0; i < 8; i++)
        if (strcmp(text, names[i]) == 0 || (text[0] == '0' + i && !text[1]))
            return i;
    return strcmp(text, "error") == 0 ? 3 : -1;
}

static void set_log_level(const Holdfast__Control__Request *message, struct control_request *request)
{
    if (message->text[0]) {
        int level = parse_level(message->text);
        if (level < 0) {
            fail(request, EINVAL, "a log level is one of err, warning, notice, info, debug");
            return;
        }
        log_set_level(level);
    }
    reply(request, json_pack("{s:i}", "log_level", log_get_level()), true);
}

static void handle(void *ctx, const Holdfast__Control__Request *message, struct control_request *request)
{
    struct recursord *r = ((struct control *)ctx)->r;
    const char *verb = message->verb;
    if (strcmp(verb, "status") == 0) {
        status(r, request);
    } else if (strcmp(verb, "statistics") == 0) {
        statistics(r, request);
    } else if (strcmp(verb, "reset-statistics") == 0) {
        rec_core_stats(r->core, &r->reset);
        reply(request, json_object(), true);
    } else if (strcmp(verb, "show-server-state") == 0) {
        show_server_state(r, request);
    } else if (strcmp(verb, "reset-server-features") == 0) {
        rec_core_forget_servers(r->core, NULL);
        reply(request, json_object(), true);
    } else if (strcmp(verb, "log-level") == 0) {
        set_log_level(message, request);
    } else {
        fail(request, EOPNOTSUPP, "recursord does not know this verb");
    }
}

int control_new(struct recursord *r, int listen_fd, struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;
    control->r = r;
    int result = control_server_new(r->daemon.event, listen_fd, handle, control, &control->server);
    if (result < 0) {
        free(control);
        return result;
    }
    *ret_control = control;
    return 0;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    control_server_free(control->server);
    free(control);
}
