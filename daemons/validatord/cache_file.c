#include "daemons/validatord/cache_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_DIRECTORY "/dev/shm"
#define MEMORY_SIZE_MAX  (UINT64_C(64) << 20) /* of the cache there: it is memory that nobody planned for */
#define ROOM_WANTED      (UINT64_C(16) << 20) /* free, before the disk is tried again */
#define LOOK_EVERY_US    (5u * 1000000u)
#define REPEAT_AFTER_S   60 /* a commit that goes on failing is logged anew */
#define FILE_PATH_MAX    4200u

static void freep(char **p)
{
    free(*p);
}

static uint64_t wall_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* What makes a cache file another one for readers: its inode. A damaged file is moved aside and kept, so that
 * the number of its successor differs. 0, so that they go without, where the file is not in their directory.
 */
static uint64_t file_generation(const struct validatord *v)
{
    char path[FILE_PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "%s/data.mdb", v->daemon.state_directory);
    return !v->cache.in_memory && stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* ---- the epoch ---- */

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

/* A new file has no epoch yet, or the one of the file before it: it begins with the seconds since 1970, which
 * are above any that flushes and NTAs can have counted to, or above the one before, so that it never falls.
 * Persisted before any operation counts on from it. */
static void begin_epoch(struct validatord *v, bool begun_anew)
{
    v->epoch = writer_epoch(v->writer);
    if (v->epoch && !begun_anew)
        return;
    v->epoch = MAX(wall_us() / 1000000, v->epoch + 1);
    writer_set_epoch(v->writer, v->epoch);
    v->first_epoch = (struct writer_op){.run = run_first_epoch, .done = done_first_epoch};
    writer_submit(v->writer, &v->first_epoch);
}

/* ---- what came over ---- */

static void tell_carried(const struct store_carried *carried, const char *from)
{
    if (carried->ntas || carried->anchors)
        log_notice("taken over from %s: %u negative trust anchors, %u trust points with their RFC 5011 state",
                   from, carried->ntas, carried->anchors);
    if (carried->lost || !carried->ntas_read || !carried->anchors_read)
        log_error(
            "LOST with %s:%s%s%s; compare holdfastctl nta list and trust-anchor list with what should be "
            "there, and add what is missing. Trust anchors are the configured ones meanwhile",
            from, carried->ntas_read ? "" : " negative trust anchors, how many cannot be read",
            carried->anchors_read ? "" : " trust anchors that were added or learnt, how many cannot be read",
            carried->lost ? " records of either kind that are damaged" : "");
}

/* ---- opening ---- */

/* In memory, for us alone. 0: it is there, perhaps of a run before, and nobody else's. */
static int memory_directory(struct validatord *v, bool make)
{
    struct stat st;
    int r = 0;

    if (stat(v->daemon.state_directory, &st) < 0)
        return -errno;
    snprintf(v->cache.memory_directory, sizeof(v->cache.memory_directory),
             MEMORY_DIRECTORY "/holdfast-%u-%llu", (unsigned)geteuid(), (unsigned long long)st.st_ino);
    if (make && mkdir(v->cache.memory_directory, 0700) < 0 && errno != EEXIST)
        r = -errno;
    if (r == 0 && lstat(v->cache.memory_directory, &st) < 0)
        r = -errno;
    if (r == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)))
        r = -EPERM;
    return r;
}

static bool disk_cannot(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EROFS;
}

static void tell_why_not(const struct validatord *v, int error)
{
    const char *directory = v->daemon.state_directory;
    pid_t holder = error == -EBUSY ? store_holder(directory) : 0;
    char who[32] = "";

    if (holder)
        snprintf(who, sizeof(who), " (pid %d)", (int)holder);
    if (error == -EBUSY)
        log_error(
            "the state directory %s is in use by another holdfast-validatord%s, and two cannot write one "
            "cache: stop the other holdfast, or name another directory (--state-dir, or cache.directory)",
            directory, who);
    else if (error == -EACCES || error == -EPERM)
        log_error(
            "the cache in %s may not be written by this user: %s; give the directory and the files in it "
            "to the user that holdfast-validatord runs as, or name another directory (--state-dir, or "
            "cache.directory)",
            directory, strerror(-error));
    else
        log_error("cannot open the cache in %s: %s; mend that, or name another directory (--state-dir, or "
                  "cache.directory)",
                  directory, strerror(-error));
}

static int on_disk_timer(void *userdata)
{
    struct validatord *v = userdata;
    struct statvfs disk;

    if (statvfs(v->daemon.state_directory, &disk) == 0 && !(disk.f_flag & ST_RDONLY) &&
        (uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_WANTED) {
        log_notice("there is room in %s again; starting anew with the cache file there",
                   v->daemon.state_directory);
        return sd_event_exit(v->daemon.event, EXIT_FAILURE); /* whoever started us does it again */
    }
    event_timer_set_us(v->cache.disk_timer, LOOK_EVERY_US);
    return 0;
}

static int open_in_memory(struct validatord *v, struct writer_config *config, char **ret_quarantined)
{
    int error = memory_directory(v, true);

    config->store.directory = v->cache.memory_directory;
    config->store.size_bytes = MIN(config->store.size_bytes, MEMORY_SIZE_MAX);
    if (error == 0)
        error = writer_new(v->daemon.event, config, &loop_writer_handlers, v, &v->writer, ret_quarantined);
    if (error == 0)
        error = event_timer_new(v->daemon.event, on_disk_timer, v, &v->cache.disk_timer);
    if (error < 0)
        return error;
    v->cache.in_memory = true;
    event_timer_set_us(v->cache.disk_timer, LOOK_EVERY_US);
    return 0;
}

/* What a run in memory kept, once it was taken over. */
static void remove_memory_directory(const struct validatord *v)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "writer.state"};
    char path[FILE_PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", v->cache.memory_directory, files[i]);
        unlink(path);
    }
    rmdir(v->cache.memory_directory);
}

int cache_file_open(struct validatord *v, const struct crypto_ops *flush_ops)
{
    const Holdfast__Config__Snapshot *snapshot = v->daemon.snapshot;
    _cleanup_(freep) char *quarantined = NULL;
    struct store_carried carried = {0};
    char memory_file[FILE_PATH_MAX] = "";
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
        .carried = &carried,
    };
    bool was_in_memory = memory_directory(v, false) == 0;
    if (was_in_memory) {
        snprintf(memory_file, sizeof(memory_file), "%s/data.mdb", v->cache.memory_directory);
        config.carry_from = memory_file;
    }
    int r = writer_new(v->daemon.event, &config, &loop_writer_handlers, v, &v->writer, &quarantined);

    if (disk_cannot(r)) {
        const char *why = strerror(-r);
        config.carry_from = NULL;
        r = open_in_memory(v, &config, &quarantined);
        if (r == 0)
            log_error(
                "%s: no room for a cache file (%s). Answering with a cache of %llu MiB in memory, which "
                "the next restart of the machine empties; make room in %s and it moves there by itself",
                v->daemon.state_directory, why, (unsigned long long)(config.store.size_bytes >> 20),
                v->daemon.state_directory);
    }
    if (r < 0) {
        tell_why_not(v, r);
        return r;
    }
    if (quarantined)
        log_error("the cache file was damaged; it is now %s, and a new one was begun", quarantined);
    if (carried.tried)
        tell_carried(&carried, carried.from);
    if (was_in_memory && !v->cache.in_memory)
        remove_memory_directory(v);
    begin_epoch(v, carried.tried);
    v->file_generation = file_generation(v);
    atomic_store(&v->shared.page->epoch, v->epoch);
    atomic_store(&v->shared.page->commit_sequence, writer_sequence(v->writer) - 1);
    atomic_store(&v->shared.page->file_generation, v->file_generation);
    return 0;
}

/* ---- while it runs ---- */

void cache_file_committed(struct validatord *v, int result)
{
    mono_ns now = daemon_mono();

    if (result >= 0) {
        if (v->cache.failed_in_a_row)
            log_notice("the cache in %s is written again; %llu commits were lost meanwhile",
                       v->daemon.state_directory, (unsigned long long)v->cache.failed_in_a_row);
        v->cache.failed_in_a_row = 0;
        return;
    }
    v->commits_failed++;
    v->cache.error = result;
    if (v->cache.failed_in_a_row++ && !mono_reached(now, v->cache.repeat))
        return;
    v->cache.repeat = mono_add_ms(now, REPEAT_AFTER_S * 1000);
    log_error("%s", cache_file_trouble(v));
}

const char *cache_file_trouble(struct validatord *v)
{
    const char *directory = v->daemon.state_directory;
    char *text = v->cache.trouble;
    size_t room = sizeof(v->cache.trouble);

    if (!v->cache.failed_in_a_row && !v->cache.in_memory)
        return NULL;
    if (!v->cache.failed_in_a_row)
        snprintf(text, room,
                 "the cache is in memory, because there is no room for a file in %s; make room there, and "
                 "it moves there by itself",
                 directory);
    else if (v->cache.error == -ENOSPC || v->cache.error == -EDQUOT)
        snprintf(text, room,
                 "the disk of %s is full: what is learnt now is not kept. Answers go on. Make room there "
                 "(the file "
                 "grows to cache.size, %llu MiB), and writing goes on by itself",
                 v->cache.in_memory ? v->cache.memory_directory : directory,
                 (unsigned long long)(v->daemon.snapshot->cache_size_bytes >> 20));
    else
        snprintf(text, room,
                 "the cache in %s cannot be written: %s. Answers go on, but what is learnt now is not kept",
                 directory, strerror(-v->cache.error));
    return text;
}

void cache_file_close(struct validatord *v)
{
    _cleanup_(freep) char *path = NULL;
    int r;

    event_timer_free(v->cache.disk_timer);
    if (!v->cache_damaged)
        return;
    r = store_quarantine(v->cache.in_memory ? v->cache.memory_directory : v->daemon.state_directory, &path);
    if (r == 0)
        log_error("the damaged cache file is now %s", path);
    else if (r < 0)
        log_error("the damaged cache file could not be moved aside: %s; move data.mdb away by hand",
                  strerror(-r));
}
