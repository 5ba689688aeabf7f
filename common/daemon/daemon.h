#pragma once
/* What every daemon's shell does the same way: arguments, log, passed sockets, event loop, clocks, random
 * pool, sd_notify. One start path: sockets come by LISTEN_FDS with names, whoever passed them (systemd or
 * holdfastd). */

#include <systemd/sd-event.h>

#include "common/base/env.h"
#include "common/base/siphash.h"
#include "common/conf/snapshot.h"

#define DAEMON_MAX_FDS 1024u /* workers x endpoints, and the listeners */

struct daemon_fd {
    int fd;
    const char *name; /* LISTEN_FDNAMES: "edge", "control", "dns-udp", "dns-tcp" */
};

struct daemon {
    const char *program; /* "holdfast-netd" */
    Holdfast__Config__Snapshot *snapshot;
    const char *runtime_directory, *state_directory;
    sd_event *event;
    struct daemon_fd fds[DAEMON_MAX_FDS];
    size_t fd_count;
    struct random_pool random;
    int64_t wall_offset_s; /* clock_override: added to CLOCK_REALTIME; 0 else */
    int notify_fd;         /* connected to NOTIFY_SOCKET before the sandbox closes AF_UNIX; -1: none */
    bool ready_later;      /* set by a daemon that calls daemon_ready() itself */
};

/* `PROGRAM --snapshot FILE [--help] [--version]`; loads the snapshot, collects LISTEN_FDS, makes the loop,
 * installs SIGTERM/SIGINT to leave it. Exits by itself after --help, --version (0) and wrong usage (2). 0, or
 * -errno after logging. `daemon` need not be initialised; it is big, so keep it static or on the heap. */
int daemon_start(struct daemon *daemon, const char *program, int argc, char **argv);
/* READY=1 to whoever started us (unless ready_later), run the loop until told to stop. Returns the exit
 * status. */
int daemon_run(struct daemon *daemon);
void daemon_finish(struct daemon *daemon);
/* Tells systemd or holdfastd that this daemon answers. Once; later calls do nothing. */
void daemon_ready(struct daemon *daemon);
/* Passed socket number `index` of that name, or -1. The caller owns the descriptor from then on. */
int daemon_take_fd(struct daemon *daemon, const char *name);
/* Both clocks now, pool topped up with getrandom. */
struct env daemon_env(struct daemon *daemon);
/* For threads that keep a pool of their own. Aborts when the kernel gives no randomness. */
void random_pool_fill(struct random_pool *pool);
mono_ns daemon_mono(void);
wall_s daemon_wall(const struct daemon *daemon);
struct siphash_key daemon_hash_key(void);

/* Log to the journal when stderr is connected to it, else to stderr: "<priority>program: text". Level from
 * snapshot. */
void log_set_level(int priority);
int log_get_level(void);
void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...)   log_message(3, __VA_ARGS__)
#define log_warning(...) log_message(4, __VA_ARGS__)
#define log_notice(...)  log_message(5, __VA_ARGS__)
#define log_info(...)    log_message(6, __VA_ARGS__)
#define log_debug(...)   log_message(7, __VA_ARGS__)
