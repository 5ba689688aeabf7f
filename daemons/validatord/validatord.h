#pragma once
/* validatord's shell: everything around the core that is not pure. One event loop; beside it only the threads
 * of the verify pool and of the writer.
 *
 *   main.c            set-up and end
 *   settings.c        the snapshot as the core's configuration
 *   loop.c            events into the core, actions out of it: the one place where actions are drained
 *   edge_netd.c       questions in, verdicts out
 *   edge_recursord.c  fetches out, evidence in
 *   cache_file.c      the file over the life of the process: begun anew, failing, damaged
 *   writer.c          the cache's write side, and the view with its overlay
 *   change.h          what makes cached answers invalid: persisted, then announced, then answered
 *   control*.c        holdfastctl's verbs
 */

#include "common/event/event_timer.h"
#include "common/daemon/daemon.h"
#include "daemons/validatord/core/validator.h"
#include "daemons/validatord/crypto_openssl.h"
#include "daemons/validatord/edge_netd.h"
#include "daemons/validatord/edge_recursord.h"
#include "daemons/validatord/settings.h"
#include "daemons/validatord/shared_memory.h"
#include "daemons/validatord/verify_pool.h"
#include "daemons/validatord/writer.h"

struct control;
struct control_request;

struct validatord {
    struct daemon daemon;
    struct settings settings;
    struct shared_memory shared;
    struct digester *digester;
    struct crypto_ops ops;
    struct verify_pool *pool;
    struct writer *writer;
    struct val_core *core;
    struct edge_netd *netd;
    struct edge_recursord *recursord;
    struct control *control;
    struct control_request *anchor_request; /* the operator's, until the core's action takes it */
    struct event_timer *core_timer, *age_timer, *ready_timer, *nta_timer;
    bool view_open;
    bool cache_damaged; /* on the way out because of it */
    struct {            /* cache_file.c */
        bool in_memory; /* the disk had no room for a file */
        char memory_directory[64];
        struct event_timer *disk_timer;
        uint64_t failed_in_a_row; /* commits */
        int error;                /* of the last of them */
        mono_ns repeat;           /* when it is logged again */
        char trouble[4608];
    } cache;
    struct cache_view view;
    uint64_t epoch, file_generation;
    struct writer_op first_epoch;
    struct list probes_awaited; /* control_probe.c */
    mono_ns started;
    /* counters of the shell */
    uint64_t view_failures, writes_dropped, commits_failed, verdicts_dropped, fetches_refused;
};

/* loop.c */

/* The clocks and the cache as of now, for one event into the core. The view stays open until loop_settle().
 */
struct env loop_enter(struct validatord *v);
/* Carries out what the core wants. After every event. */
void loop_drain(struct validatord *v);
/* At the end of a wake-up: drains, wakes the verifiers, sets the timer, closes the view. */
void loop_settle(struct validatord *v);
int loop_start(struct validatord *v);
void loop_stop(struct validatord *v);
/* An edge's greeting came in: tells whoever started us once both have. */
void loop_met(struct validatord *v);

extern const struct verify_pool_handlers loop_verify_handlers;
extern const struct writer_handlers loop_writer_handlers;
