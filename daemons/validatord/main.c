/* holdfast-validatord: validates what recursord brings, keeps the cache, answers netd. Faces neither clients
 * nor servers, and opens no network socket. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"
#include "daemons/validatord/cache_file.h"
#include "daemons/validatord/control.h"

/* Those we may run on, which a container or a unit file may have cut to fewer than there are: more threads
 * than that would only take turns. */
static unsigned usable_processors(void)
{
    cpu_set_t set;
    int count =
        sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);

    return (unsigned)MAX(count, 1);
}

static int open_core(struct validatord *v)
{
    const struct siphash_key key = daemon_hash_key();
    int r;

    v->ops = digester_ops(v->digester);
    v->core = val_core_new(&v->settings.config, &v->ops, &key);
    if (!v->core)
        return -ENOMEM;
    val_core_set_epoch(v->core, v->epoch);
    /* The loop and netd's workers need the rest of the machine. */
    r = verify_pool_new(v->daemon.event, usable_processors(), &loop_verify_handlers, v, &v->pool);
    if (r < 0)
        log_error("cannot start the verifying threads: %s", strerror(-r));
    return r;
}

static int open_edges(struct validatord *v)
{
    int r = loop_start(v);

    if (r >= 0)
        r = edge_netd_new(v, &v->netd);
    if (r >= 0)
        r = edge_recursord_new(v, &v->recursord);
    if (r >= 0)
        r = control_new(v, &v->control);
    if (r >= 0)
        r = control_load_ntas(v);
    if (r >= 0)
        r = control_load_anchors(v);
    if (r < 0)
        log_error("cannot set up the edges: %s", strerror(-r));
    return r;
}

static int enter_sandbox(struct validatord *v)
{
    int r;

    if (!v->daemon.snapshot->sandbox)
        return 0;
    r = sandbox_enter(SANDBOX_VALIDATORD);
    if (r < 0)
        log_error("cannot enter the sandbox: %s; process.sandbox: false runs without", strerror(-r));
    return r;
}

static int set_up(struct validatord *v, struct digester *flush_digester)
{
    const struct crypto_ops flush_ops = digester_ops(flush_digester);
    int r;

    v->started = daemon_mono();
    v->daemon.ready_later = true;
    r = settings_init(&v->settings, v->daemon.snapshot);
    if (r) {
        log_error("the snapshot holds a name or an anchor that is malformed; compile it anew");
        return r < 0 ? r : -EINVAL;
    }
    r = shared_memory_init(&v->shared);
    if (r < 0) {
        log_error("cannot make the shared memory: %s", strerror(-r));
        return r;
    }
    r = cache_file_open(v, &flush_ops);
    if (r >= 0)
        r = open_core(v);
    if (r >= 0)
        r = open_edges(v);
    if (r >= 0)
        r = enter_sandbox(v);
    return r;
}

/* In the order of dependence: who still uses what goes first. The writer ends its operations, which act on
 * all the rest; the pool goes before the core, whose bytes it reads. */
static void tear_down(struct validatord *v)
{
    writer_free(v->writer);
    edge_netd_free(v->netd);
    edge_recursord_free(v->recursord);
    loop_stop(v);
    verify_pool_free(v->pool);
    control_free(v->control);
    val_core_free(v->core);
    shared_memory_fini(&v->shared);
    settings_fini(&v->settings);
    digester_free(v->digester);
}

int main(int argc, char **argv)
{
    struct validatord *v = calloc(1, sizeof(*v));
    struct digester *flush_digester = NULL; /* the writer's thread has its own */
    int r, status = EXIT_FAILURE;

    if (!v)
        return EXIT_FAILURE;
    v->shared = (struct shared_memory){.page_fd = -1, .sketch_fd = -1};
    r = daemon_start(&v->daemon, "holdfast-validatord", argc, argv);
    if (r < 0) {
        free(v);
        return EXIT_FAILURE;
    }
    r = digester_new(&v->digester);
    if (r >= 0)
        r = digester_new(&flush_digester);
    if (r < 0)
        log_error("OpenSSL does not offer SHA-1, SHA-256 and SHA-384: %s", strerror(-r));
    else
        r = set_up(v, flush_digester);
    if (r >= 0)
        status = daemon_run(&v->daemon);
    tear_down(v);
    cache_file_close(v);
    digester_free(flush_digester);
    daemon_finish(&v->daemon);
    free(v);
    return status;
}
