/* holdfast-validatord: validates what recursord brings, keeps the cache, answers netd. Faces neither clients
 * nor servers, and opens no network socket. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"
#include "daemons/validatord/control.h"

static void freep(char **p)
{
    free(*p);
}

/* What makes a cache file another one for readers: its inode. A damaged file is moved aside and kept, so that
 * the number of its successor differs. */
static uint64_t file_generation(const struct validatord *v)
{
    char path[4200];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data.mdb", v->daemon.state_directory);
    return stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static uint64_t wall_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int run_first_epoch(struct writer_op *op, struct store *store)
{
    struct validatord *v = CONTAINER_OF(op, struct validatord, first_epoch);

    return store_commit(store, NULL, 0, v->epoch, daemon_mono());
}

static void done_first_epoch(struct writer_op *op, int result)
{
    if (result < 0 && result != -ECANCELED)
        log_error("the epoch could not be written to the cache: %s", strerror(-result));
}

/* A new file has no epoch yet: it begins with the seconds since 1970, which are above any that flushes and
 * NTAs of a file before it can have counted to, so that it never falls. Persisted before any operation counts
 * on from it. */
static void begin_epoch(struct validatord *v)
{
    v->epoch = writer_epoch(v->writer);
    if (v->epoch)
        return;
    v->epoch = wall_us() / 1000000;
    writer_set_epoch(v->writer, v->epoch);
    v->first_epoch = (struct writer_op){.run = run_first_epoch, .done = done_first_epoch};
    writer_submit(v->writer, &v->first_epoch);
}

static int open_cache(struct validatord *v, const struct crypto_ops *flush_ops)
{
    const Holdfast__Config__Snapshot *snapshot = v->daemon.snapshot;
    _cleanup_(freep) char *quarantined = NULL;
    struct writer_config config = {
        .store = {.directory = v->daemon.state_directory,
                  .size_bytes = snapshot->cache_size_bytes,
                  .commit_interval_ms = (uint32_t)snapshot->commit_interval_ms,
                  .kept_max_s = v->settings.config.delegation_max_age_s,
                  .nsec3_hash = flush_ops->nsec3_hash,
                  .nsec3_ctx = flush_ops->ctx},
        .stale_max_s = v->settings.config.stale_max_age_s, /* also where it is off: it can be switched on */
        .wall_offset_s = v->daemon.wall_offset_s,
        .sketch = v->shared.sketch,
        .commit_sequence = wall_us(), /* where the file tells of no run before */
    };
    int r = writer_new(v->daemon.event, &config, &loop_writer_handlers, v, &v->writer, &quarantined);

    if (r < 0) {
        log_error("cannot open the cache in %s: %s", v->daemon.state_directory, strerror(-r));
        return r;
    }
    if (quarantined)
        log_error("the cache file was damaged; it is now %s, and a new one was begun", quarantined);
    begin_epoch(v);
    v->file_generation = file_generation(v);
    atomic_store(&v->shared.page->epoch, v->epoch);
    atomic_store(&v->shared.page->commit_sequence, writer_sequence(v->writer) - 1);
    atomic_store(&v->shared.page->file_generation, v->file_generation);
    return 0;
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
    r = verify_pool_new(v->daemon.event, (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1),
                        &loop_verify_handlers, v, &v->pool);
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
    r = open_cache(v, &flush_ops);
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

/* The file is closed by now. */
static void quarantine(const struct validatord *v)
{
    _cleanup_(freep) char *path = NULL;
    int r = store_quarantine(v->daemon.state_directory, &path);

    if (r == 0)
        log_error("the damaged cache file is now %s", path);
    else if (r < 0)
        log_error("the damaged cache file could not be moved aside: %s", strerror(-r));
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
    if (v->cache_damaged)
        quarantine(v);
    digester_free(flush_digester);
    daemon_finish(&v->daemon);
    free(v);
    return status;
}
