/* holdfast-recursord: asks the authoritative servers. Everything it hears goes to validatord, which believes
 * none of it without proof (DESIGN 1). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/sandbox/sandbox.h"
#include "daemons/recursord/shell.h"

static void act(struct recursord *r, const struct rec_action *action)
{
    int failure = 0;
    switch (action->kind) {
    case REC_ACTION_SEND:
        failure = action->transport == REC_TCP
                      ? upstream_tcp_send(r->tcp, action->exchange, &action->server, action->wire)
                      : upstream_udp_send(r->udp, action->exchange, &action->server, action->wire);
        break;
    case REC_ACTION_CANCEL:
        if (action->transport == REC_TCP)
            upstream_tcp_cancel(r->tcp, action->exchange);
        else
            upstream_udp_cancel(r->udp, action->exchange);
        break;
    case REC_ACTION_EVIDENCE:
    case REC_ACTION_DONE:
    case REC_ACTION_PRIMED:
        edge_send(r->edge, action);
        break;
    }
    if (failure) {
        edge_send_held(r->edge);
        struct env env = daemon_env(&r->daemon);
        rec_core_failed(r->core, &env, action->exchange, (enum rec_failure)failure);
    }
}

static void arm(struct recursord *r)
{
    event_timer_set(r->timer, rec_core_deadline(r->core));
}

void recursord_work(struct recursord *r)
{
    struct rec_action action;
    if (r->working) /* an action led to an event: the loop below, further out, takes what came of it */
        return;
    r->working = true;
    while (rec_core_next_action(r->core, &action))
        act(r, &action);
    edge_send_held(r->edge);
    r->working = false;
    arm(r);
}

void recursord_reply(struct recursord *r, uint64_t exchange, const void *wire, size_t size)
{
    struct env env = daemon_env(&r->daemon);
    rec_core_reply(r->core, &env, exchange, slice_make(wire, size));
    recursord_work(r);
}

void recursord_failed(struct recursord *r, uint64_t exchange, enum rec_failure why)
{
    struct env env = daemon_env(&r->daemon);
    rec_core_failed(r->core, &env, exchange, why);
    recursord_work(r);
}

static int on_timer(void *userdata)
{
    struct recursord *r = userdata;
    struct env env = daemon_env(&r->daemon);
    rec_core_tick(r->core, &env);
    recursord_work(r);
    return 0;
}

/* A socket for each exchange: as many descriptors as we may have. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)65536);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int set_up(struct recursord *r)
{
    int result = settings_read(r->daemon.snapshot, &r->settings);
    if (result) {
        log_error("the snapshot makes no sense; compile the configuration again");
        return result < 0 ? result : -EINVAL;
    }
    struct siphash_key key = daemon_hash_key();
    r->core = rec_core_new(&r->settings.config, &key);
    if (!r->core)
        return -ENOMEM;
    r->started = daemon_mono();
    int edge_fd = daemon_take_fd(&r->daemon, "edge"), control_fd = daemon_take_fd(&r->daemon, "control");
    if (edge_fd < 0 || control_fd < 0) {
        log_error("no %s socket was passed; start holdfastd, or the units", edge_fd < 0 ? "edge" : "control");
        return -EINVAL;
    }
    raise_limits();
    if ((result = upstream_udp_new(r, &r->udp)) < 0 || (result = upstream_tcp_new(r, &r->tcp)) < 0 ||
        (result = edge_new(r, edge_fd, &r->edge)) < 0 ||
        (result = control_new(r, control_fd, &r->control)) < 0)
        return result;
    result = event_timer_new(r->daemon.event, on_timer, r, &r->timer);
    if (result < 0)
        return result;
    if (r->daemon.snapshot->sandbox && (result = sandbox_enter(SANDBOX_RECURSORD)) < 0) {
        log_error("cannot enter the sandbox: %s; process.sandbox: false runs without", strerror(-result));
        return result;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct recursord *r = calloc(1, sizeof(*r));
    int status = EXIT_FAILURE;
    if (!r)
        return status;
    if (daemon_start(&r->daemon, "holdfast-recursord", argc, argv) == 0) {
        int result = set_up(r);
        if (result < 0)
            log_error("cannot start: %s", strerror(-result));
        else
            status = daemon_run(&r->daemon);
    }
    control_free(r->control);
    edge_free(r->edge);
    upstream_tcp_free(r->tcp);
    upstream_udp_free(r->udp);
    event_timer_free(r->timer);
    rec_core_free(r->core);
    settings_fini(&r->settings);
    daemon_finish(&r->daemon);
    free(r);
    return status;
}
