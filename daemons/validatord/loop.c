/* Events into the core, actions out of it. Event handlers call loop_enter(), one val_core function,
 * loop_drain(); the last one of a wake-up calls loop_settle(). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/cache_file.h"
#include "daemons/validatord/control.h"
#include "daemons/validatord/validatord.h"

#define AGE_SKETCH_EVERY_US                                                                                  \
    (600u * 1000000u) /* halves the popularity counters: what is unused for an hour is cold */
#define READY_AFTER_US (10u * 1000000u) /* said ready even if a peer is missing, which is then logged */

static int no_get(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value)
{
    return CACHE_MISS;
}

static int no_seek(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                   struct slice *ret_value)
{
    return CACHE_MISS;
}

struct env loop_enter(struct validatord *v)
{
    struct env env = daemon_env(&v->daemon);

    if (!v->view_open) {
        int r = writer_view(v->writer, env.mono, &v->view);

        /* A cache that cannot be read costs speed, not answers. */
        if (r < 0) {
            if (v->view_failures++ == 0)
                log_error("cannot read the cache: %s; going on without", strerror(-r));
            v->view = (struct cache_view){.get = no_get, .seek_le = no_seek, .seek_ge = no_seek};
        } else {
            v->view_open = true;
        }
    }
    return env;
}

static void act_fetch(struct validatord *v, const struct val_action *action)
{
    struct env env;

    if (edge_recursord_fetch(v->recursord, action, daemon_mono()) == 0)
        return;
    v->fetches_refused++;
    env = loop_enter(v);
    (void)val_core_done(v->core, &env, &v->view,
                        &(struct val_done){.fetch = action->fetch,
                                           .outcome = 1, /* REC_DONE_UNREACHABLE */
                                           .ede_code = EDE_NOT_READY});
}

static void act_verify(struct validatord *v, const struct val_action *action)
{
    struct env env;

    if (verify_pool_submit(v->pool, action->verify, &action->request) == 0)
        return;
    env = loop_enter(v);
    (void)val_core_verified(v->core, &env, &v->view, action->verify, VERIFY_UNUSABLE_KEY);
}

void loop_drain(struct validatord *v)
{
    struct val_action action;

    while (val_core_next_action(v->core, &action)) {
        switch (action.kind) {
        case VAL_ACTION_FETCH:
            act_fetch(v, &action);
            break;
        case VAL_ACTION_CANCEL:
            edge_recursord_cancel(v->recursord, action.fetch);
            break;
        case VAL_ACTION_VERIFY:
            act_verify(v, &action);
            break;
        case VAL_ACTION_VERDICT:
            if (!control_take_verdict(v->control, &action))
                edge_netd_verdict(v->netd, &action);
            break;
        case VAL_ACTION_WRITE:
            if (writer_queue(v->writer, &action.write))
                v->writes_dropped++;
            break;
        case VAL_ACTION_EVENT:
            control_event(v, action.event);
            break;
        case VAL_ACTION_ANCHOR:
            control_anchor_changed(v, &action);
            break;
        }
    }
}

static int on_core_timer(void *userdata)
{
    struct validatord *v = userdata;
    struct env env = loop_enter(v);
    int r = val_core_tick(v->core, &env, &v->view);

    if (r < 0)
        log_warning("timers of questions: %s", strerror(-r));
    loop_settle(v);
    return 0;
}

void loop_settle(struct validatord *v)
{
    loop_drain(v);
    edge_recursord_flush(v->recursord); /* first: its answers take longest */
    edge_netd_flush(v->netd);
    verify_pool_kick(v->pool);
    if (v->view_open)
        writer_view_end(v->writer);
    v->view_open = false;
    event_timer_set(v->core_timer, val_core_deadline(v->core));
}

static void on_verified(void *ctx, uint64_t id, enum verify_outcome outcome)
{
    struct validatord *v = ctx;
    struct env env = loop_enter(v);
    int r = val_core_verified(v->core, &env, &v->view, id, outcome);

    if (r < 0)
        log_warning("a signature's outcome could not be taken in: %s", strerror(-r));
    loop_drain(v);
}

static void on_verify_idle(void *ctx)
{
    loop_settle(ctx);
}

const struct verify_pool_handlers loop_verify_handlers = {.done = on_verified, .idle = on_verify_idle};

static void on_committed(void *ctx, uint64_t sequence, int result)
{
    struct validatord *v = ctx;

    if (result == -EUCLEAN) {
        /* main.c moves the file aside; a new process begins a new one. */
        log_error("the cache file is damaged; starting anew without it");
        v->cache_damaged = true;
        sd_event_exit(v->daemon.event, EXIT_FAILURE);
        return;
    }
    cache_file_committed(v, result);
    if (result == -ENOTRECOVERABLE) {
        log_error("starting anew, to open the cache once more");
        sd_event_exit(v->daemon.event, EXIT_FAILURE);
    }
    if (result < 0)
        return;
    atomic_store_explicit(&v->shared.page->commit_sequence, sequence, memory_order_release);
}

const struct writer_handlers loop_writer_handlers = {.committed = on_committed};

static int on_age_timer(void *userdata)
{
    struct validatord *v = userdata;

    shared_memory_age(&v->shared);
    event_timer_set_us(v->age_timer, AGE_SKETCH_EVERY_US);
    return 0;
}

static int on_ready_timer(void *userdata)
{
    struct validatord *v = userdata;

    if (!edge_netd_met(v->netd))
        log_warning("netd has not answered yet");
    if (!edge_recursord_met(v->recursord))
        log_warning("recursord has not answered yet");
    daemon_ready(&v->daemon);
    return 0;
}

void loop_met(struct validatord *v)
{
    if (!edge_netd_met(v->netd) || !edge_recursord_met(v->recursord))
        return;
    event_timer_set(v->ready_timer, MONO_NEVER);
    daemon_ready(&v->daemon);
}

int loop_start(struct validatord *v)
{
    sd_event *event = v->daemon.event;
    int r = event_timer_new(event, on_core_timer, v, &v->core_timer);

    if (r >= 0)
        r = event_timer_new(event, on_age_timer, v, &v->age_timer);
    if (r >= 0)
        r = event_timer_new(event, on_ready_timer, v, &v->ready_timer);
    if (r < 0)
        return r;
    event_timer_set_us(v->core_timer, 0);
    event_timer_set_us(v->age_timer, AGE_SKETCH_EVERY_US);
    event_timer_set_us(v->ready_timer, READY_AFTER_US);
    return 0;
}

void loop_stop(struct validatord *v)
{
    event_timer_free(v->core_timer);
    event_timer_free(v->age_timer);
    event_timer_free(v->ready_timer);
    event_timer_free(v->nta_timer);
}
