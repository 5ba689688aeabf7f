#include "common/daemon/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "holdfast_config.h"

#define KEEP_FREE_BYTES                                                                                      \
    (16 << 20) /* at the end of the heap; what a burst of some thousand questions needs                      \
                */
#define GROW_BYTES (256 << 10)

static void usage(const char *program, FILE *out)
{
    fprintf(out,
            "usage: %s --snapshot FILE\n"
            "  --snapshot FILE  the compiled configuration (holdfastctl config compile)\n"
            "  --version, --help\n"
            "Sockets are passed as LISTEN_FDS by systemd or holdfastd; by hand, start holdfastd.\n",
            program);
}

/* 0; > 0: exit with that status minus one. */
static int read_arguments(struct daemon *daemon, int argc, char **argv, const char **ret_snapshot)
{
    static const struct option options[] = {
        {"snapshot", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's') {
            *ret_snapshot = optarg;
        } else if (c == 'h') {
            usage(daemon->program, stdout);
            return 1;
        } else if (c == 'v') {
            printf("%s %s\n", daemon->program, HOLDFAST_VERSION);
            return 1;
        } else {
            usage(daemon->program, stderr);
            return 3;
        }
    }
    if (!*ret_snapshot || optind != argc) {
        usage(daemon->program, stderr);
        return 3;
    }
    return 0;
}

static int collect_fds(struct daemon *daemon)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    if (count < 0)
        return count;
    for (int i = 0; i < count; i++) {
        if (daemon->fd_count == DAEMON_MAX_FDS) {
            log_error("more than %u sockets were passed", DAEMON_MAX_FDS);
            return -E2BIG;
        }
        daemon->fds[daemon->fd_count++] = (struct daemon_fd){.fd = SD_LISTEN_FDS_START + i, .name = names[i]};
    }
    free(names); /* the strings live as long as the process */
    return 0;
}

/* sd_notify() opens an AF_UNIX socket each time, which the sandbox of netd and recursord denies; so this
 * connects once, before. The message is the protocol of sd_notify(3). */
static int notify_connect(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !path[0] || strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, size) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void daemon_ready(struct daemon *daemon)
{
    static const char message[] = "READY=1";
    if (daemon->notify_fd < 0)
        return;
    if (send(daemon->notify_fd, message, sizeof(message) - 1, MSG_NOSIGNAL) < 0)
        log_warning("cannot report readiness: %s", strerror(errno));
    close(daemon->notify_fd);
    daemon->notify_fd = -1;
}

static int make_loop(struct daemon *daemon)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    int r = sd_event_default(&daemon->event);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
    return r < 0 ? r : 0;
}

/* A daemon's memory grows and shrinks with each burst of questions. What malloc gives back at each ebb it
 * asks for again at the next flood, and the kernel zeroes the pages each time: a quarter of a system call a
 * question was seen. */
static void keep_freed_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
    (void)mallopt(M_TOP_PAD, GROW_BYTES);
}

int daemon_start(struct daemon *daemon, const char *program, int argc, char **argv)
{
    const char *path = NULL, *fault = NULL;

    memset(daemon, 0, sizeof(*daemon));
    daemon->program = program;
    daemon->notify_fd = -1;
    keep_freed_memory();
    int r = read_arguments(daemon, argc, argv, &path);
    if (r > 0)
        exit(r - 1);
    r = snapshot_load(path, &daemon->snapshot, &fault);
    if (r != 0) {
        log_error("%s: %s%s%s; make it with holdfastctl config compile", path, fault, r < 0 ? ": " : "",
                  r < 0 ? strerror(-r) : "");
        return r < 0 ? r : -EINVAL;
    }
    daemon->runtime_directory = daemon->snapshot->runtime_directory;
    daemon->state_directory = daemon->snapshot->state_directory;
    log_set_level((int)daemon->snapshot->log_level);
    if (daemon->snapshot->clock_override_s) {
        daemon->wall_offset_s = daemon->snapshot->clock_override_s - time(NULL);
        log_warning("dnssec.clock_override is set: signatures and TTLs are judged at another time than now");
    }
    if (!daemon->snapshot->sandbox)
        log_warning("process.sandbox is off: for containers and tests only");
    daemon->notify_fd = notify_connect();
    r = collect_fds(daemon);
    if (r >= 0)
        r = make_loop(daemon);
    if (r < 0)
        log_error("cannot start: %s", strerror(-r));
    return r;
}

int daemon_run(struct daemon *daemon)
{
    if (!daemon->ready_later)
        daemon_ready(daemon);
    int r = sd_event_loop(daemon->event);
    if (r < 0)
        log_error("event loop ended: %s", strerror(-r));
    return r < 0 ? EXIT_FAILURE : r; /* what sd_event_exit() was told */
}

void daemon_finish(struct daemon *daemon)
{
    sd_event_unref(daemon->event);
    snapshot_free(daemon->snapshot);
    for (size_t i = 0; i < daemon->fd_count; i++)
        free((char *)daemon->fds[i].name);
    if (daemon->notify_fd >= 0)
        close(daemon->notify_fd);
}

int daemon_take_fd(struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->fd_count; i++) {
        if (daemon->fds[i].fd >= 0 && strcmp(daemon->fds[i].name, name) == 0) {
            int fd = daemon->fds[i].fd;
            daemon->fds[i].fd = -1;
            return fd;
        }
    }
    return -1;
}

mono_ns daemon_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns){.ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
}

wall_s daemon_wall(const struct daemon *daemon)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (wall_s){.s = t.tv_sec + daemon->wall_offset_s};
}

void random_pool_fill(struct random_pool *pool)
{
    size_t missing = RANDOM_POOL_BYTES - pool->left;
    for (size_t at = 0; at < missing;) {
        ssize_t got = getrandom(pool->bytes + at, missing - at, 0);
        if (got < 0 && errno == EINTR)
            continue;
        /* Without randomness no port, id or hash key can be trusted: better not to run. */
        if (got <= 0)
            abort();
        at += (size_t)got;
    }
    pool->left = RANDOM_POOL_BYTES;
}

struct env daemon_env(struct daemon *daemon)
{
    /* Filled when half is gone: one event takes far less than half. */
    if (daemon->random.left < RANDOM_POOL_BYTES / 2)
        random_pool_fill(&daemon->random);
    return (struct env){.mono = daemon_mono(), .wall = daemon_wall(daemon), .random = &daemon->random};
}

struct siphash_key daemon_hash_key(void)
{
    struct siphash_key key;
    if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key))
        abort();
    return key;
}
