/* The control socket: status, statistics, reset-statistics, log-level. JSON out; holdfastctl lays it out. */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc/control.h"
#include "daemons/netd/edge_validatord.h"
#include "daemons/netd/l1.h"
#include "daemons/netd/worker.h"
#include "holdfast_config.h"

static const char *const stat_names[STAT_COUNT] = {
    [STAT_QUERIES_UDP] = "queries_udp",
    [STAT_QUERIES_TCP] = "queries_tcp",
    [STAT_DROPPED] = "dropped",
    [STAT_REFUSED_EARLY] = "answered_by_policy",
    [STAT_L1_HITS] = "l1_hits",
    [STAT_L2_HITS] = "l2_hits",
    [STAT_MISSES] = "misses",
    [STAT_RESOLVES] = "resolves",
    [STAT_REFRESHES] = "refreshes",
    [STAT_VERDICTS] = "verdicts",
    [STAT_VERDICTS_LATE] = "verdicts_late",
    [STAT_STALE_BY_TIMER] = "stale_by_timer",
    [STAT_FRESH] = "answered_fresh",
    [STAT_CONTINUED] = "answered_continued",
    [STAT_STALE] = "answered_stale",
    [STAT_SERVFAIL] = "answered_servfail",
    [STAT_TIMEOUTS] = "timed_out",
    [STAT_OVER_LIMIT] = "over_limit",
    [STAT_LEASE_EXPIRED] = "lease_expired",
    [STAT_TRUNCATED] = "truncated",
    [STAT_SEND_FAILED] = "send_failed",
    [STAT_TCP_ACCEPTED] = "tcp_accepted",
    [STAT_TCP_REFUSED] = "tcp_refused",
    [STAT_TCP_SLOW] = "tcp_closed_slow",
    [STAT_TCP_IDLE_CLOSED] = "tcp_closed_for_another",
};

static uint64_t total(const struct netd *netd, enum netd_stat which)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < netd->worker_count; i++)
        sum += stats_get(&netd->workers[i].stats, which);
    return sum;
}

static json_t *l1_json(const struct netd *netd)
{
    struct l1_stats l1;
    l1_stats(netd->l1, &l1);
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "entries", (json_int_t)l1.entries, "bytes",
                     (json_int_t)l1.bytes, "cap_bytes", (json_int_t)l1.cap_bytes, "inserted",
                     (json_int_t)l1.inserted, "evicted", (json_int_t)l1.evicted, "refused_older",
                     (json_int_t)l1.refused_older);
}

static json_t *edge_json(const struct netd *netd)
{
    struct edge_stats edge;
    edge_get_stats(netd->edge, &edge);
    uint64_t down_ms = edge_down_ms(netd->edge, daemon_mono());
    return json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I}", "peer", "validatord", "connected", down_ms == 0,
                     "down_ms", (json_int_t)down_ms, "connects", (json_int_t)edge.connects, "frames_in",
                     (json_int_t)edge.frames_in, "frames_out", (json_int_t)edge.frames_out, "bad_frames",
                     (json_int_t)edge.bad_frames, "dropped", (json_int_t)edge.dropped_full);
}

static json_t *status_json(const struct netd *netd)
{
    uint64_t waiting = 0, pending = 0;
    for (unsigned i = 0; i < netd->worker_count; i++) {
        waiting += atomic_load_explicit(&netd->workers[i].waiting.waiters_shown, memory_order_relaxed);
        pending += atomic_load_explicit(&netd->workers[i].waiting.pendings_shown, memory_order_relaxed);
    }
    const struct shared *shared = atomic_load(&netd->shared);
    uint64_t epoch = shared ? atomic_load(&shared->page->epoch) : 0;
    bool connected = edge_down_ms(netd->edge, daemon_mono()) == 0;
    return json_pack("{s:s,s:s,s:s,s:i,s:I,s:I,s:i,s:o,s:I,s:I,s:I,s:I,s:o}", "program", "holdfast-netd",
                     "state", connected ? "running" : "waiting for its peers", "version", HOLDFAST_VERSION,
                     "pid", (int)getpid(), "uptime_s",
                     (json_int_t)((daemon_mono().ns - netd->started.ns) / NS_PER_S), "generation",
                     (json_int_t)netd->settings->config.generation, "workers", (int)netd->worker_count,
                     "edge", edge_json(netd), "tcp_connections", (json_int_t)atomic_load(&netd->connections),
                     "waiting_questions", (json_int_t)waiting, "pending_resolves", (json_int_t)pending,
                     "epoch", (json_int_t)epoch, "l1", l1_json(netd));
}

static uint64_t total_ede(const struct netd *netd, unsigned code)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < netd->worker_count; i++)
        sum += atomic_load_explicit(&netd->workers[i].stats.servfail_ede[code], memory_order_relaxed);
    return sum;
}

/* SERVFAILs by their first EDE code, those that occurred; "none": without. */
static json_t *ede_json(const struct netd *netd)
{
    json_t *object = json_object();
    for (unsigned i = 0; i <= STAT_EDE_NONE; i++) {
        uint64_t count = total_ede(netd, i) - netd->ede_base[i];
        char name[16];
        snprintf(name, sizeof(name), "%u", i);
        if (count)
            json_object_set_new(object, i == STAT_EDE_NONE ? "none" : name, json_integer((json_int_t)count));
    }
    return object;
}

static json_t *statistics_json(const struct netd *netd)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < STAT_COUNT; i++)
        json_object_set_new(object, stat_names[i],
                            json_integer((json_int_t)(total(netd, (enum netd_stat)i) - netd->stats_base[i])));
    json_object_set_new(object, "servfail_by_ede", ede_json(netd));
    json_object_set_new(object, "l1", l1_json(netd));
    json_object_set_new(object, "edge", edge_json(netd));
    return object;
}

static void reply_json(struct control_request *request, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    control_reply(request, text ? 0 : ENOMEM, text ? NULL : "out of memory", text, slice_make(NULL, 0),
                  slice_make(NULL, 0), true);
    free(text);
    json_decref(value);
}

static void set_log_level(struct control_request *request, const char *text)
{
    static const char *const levels[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};
    if (text && text[0]) {
        int level = -1;
        for (int i = 0; i < (int)ARRAY_SIZE(levels); i++) {
            if (strcmp(text, levels[i]) == 0 || (strcmp(text, "error") == 0 && i == 3))
                level = i;
        }
        if (level < 0 && text[0] >= '0' && text[0] <= '7' && text[1] == '\0')
            level = text[0] - '0';
        if (level < 0) {
            control_reply(request, EINVAL,
                          "no such log level; say emerg, alert, crit, err, warning, notice, info or debug",
                          NULL, slice_make(NULL, 0), slice_make(NULL, 0), true);
            return;
        }
        log_set_level(level);
    }
    int level = MIN(MAX(log_get_level(), 0), 7);
    reply_json(request, json_pack("{s:s}", "level", levels[level]));
}

static void on_request(void *ctx, const Holdfast__Control__Request *request, struct control_request *reply_to)
{
    struct netd *netd = ctx;
    const char *verb = request->verb ? request->verb : "";
    if (strcmp(verb, "status") == 0) {
        reply_json(reply_to, status_json(netd));
    } else if (strcmp(verb, "statistics") == 0) {
        reply_json(reply_to, statistics_json(netd));
    } else if (strcmp(verb, "reset-statistics") == 0) {
        /* The counters are the workers'; only where counting starts moves. */
        for (unsigned i = 0; i < STAT_COUNT; i++)
            netd->stats_base[i] = total(netd, (enum netd_stat)i);
        for (unsigned i = 0; i <= STAT_EDE_NONE; i++)
            netd->ede_base[i] = total_ede(netd, i);
        reply_json(reply_to, json_object());
    } else if (strcmp(verb, "log-level") == 0) {
        set_log_level(reply_to, request->text);
    } else {
        control_reply(reply_to, EOPNOTSUPP, "netd knows status, statistics, reset-statistics and log-level",
                      NULL, slice_make(NULL, 0), slice_make(NULL, 0), true);
    }
}

int control_start(struct netd *netd, int listen_fd)
{
    return control_server_new(netd->daemon.event, listen_fd, on_request, netd, &netd->control);
}
