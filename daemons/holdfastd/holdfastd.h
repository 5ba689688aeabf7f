#pragma once
/* holdfastd: where systemd does not, it compiles the configuration (by holdfastctl), binds the sockets,
 * starts the three daemons, restarts them, stops them. It reads no byte from the network: sockets are bound
 * here and only passed on, and they stay open here, so that nothing that waits in them is lost when a daemon
 * dies.
 *
 * One thread, one event loop. In the order of a start: prepare.c, sockets.c, privileges.c, children.c. */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/event/event_timer.h"
#include "common/base/util.h"
#include "common/conf/snapshot.h"

#define MAX_SOCKETS 1024u /* of one child; DAEMON_MAX_FDS */
#define MAX_TCP     1024u

/* The order of start: listeners of an edge before the one that connects. */
enum child_id { CHILD_NETD, CHILD_RECURSORD, CHILD_VALIDATORD };
#define CHILD_COUNT 3u

struct passed_socket {
    int fd;
    char name[12]; /* "edge", "control", "dns-udp", "dns-tcp" */
};

struct child {
    struct holdfastd *holdfastd;
    enum child_id id;
    const char *name; /* "netd" */
    char *program;    /* path of holdfast-netd */
    uid_t uid;        /* with users: of holdfast-netd */
    pid_t pid;        /* 0: not running */
    bool ready;       /* it said READY=1 since it was started */
    uint64_t started_us, back_off_us;
    sd_event_source *exit_source;
    struct event_timer *restart_timer;
    struct passed_socket sockets[MAX_SOCKETS];
    size_t socket_count;
};

struct holdfastd {
    const char *config_path;
    char *runtime_directory, *state_directory; /* state: NULL: as the configuration says */
    char *control_program;                     /* path of holdfastctl */
    char *snapshot_path;
    Holdfast__Config__Snapshot *snapshot;
    int lock_fd;
    bool separate_users; /* root, and process.users */
    gid_t gid;
    sd_event *event;
    int notify_fd;
    char *notify_path;
    struct child children[CHILD_COUNT];
    bool announced; /* the three have met once: TCP listens, the line was printed */
    bool stopping;
    struct event_timer *kill_timer, *waiting_timer;
    int exit_code;
};

/* prepare.c */
/* Finds the programs beside this one, in the build tree or in libexecdir. 0, or -errno after logging. */
int prepare_programs(struct holdfastd *h);
/* Makes the runtime directory and takes its lock. 0, or -errno after logging. */
int prepare_runtime(struct holdfastd *h);
/* Compiles the configuration with holdfastctl and loads it. 0, or -errno after logging. */
int prepare_snapshot(struct holdfastd *h);
/* Looks the users up (root with process.users), makes the state directory, gives both to whom they belong. */
int prepare_users(struct holdfastd *h);

/* sockets.c */
/* Binds every socket of every child. 0, or -errno after logging. */
int sockets_open(struct holdfastd *h);
/* listen(2) on the TCP sockets. */
int sockets_listen(struct holdfastd *h);
/* "udp://127.0.0.1:53 tcp://…" */
void sockets_describe(const struct holdfastd *h, char *buf, size_t room);
/* Removes what sockets_open() made in the runtime directory. */
void sockets_remove(struct holdfastd *h);
/* The path of a file in the runtime directory; NULL: memory is short. To be freed. */
char *runtime_path(const struct holdfastd *h, const char *name);

/* privileges.c */
/* As root: keep CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_NET_BIND_SERVICE, nothing else, ever again. 0 or
 * -errno. */
int privileges_reduce(void);
/* In a child: become that user and group for good. 0 or -errno. */
int privileges_become(uid_t uid, gid_t gid);

/* children.c */
/* Opens the notification socket and starts the three. 0, or -errno after logging. */
int children_start(struct holdfastd *h);
/* Begins the stop: netd and recursord first, then validatord, so that what it has is committed; then the loop
 * ends. */
void children_stop(struct holdfastd *h);
/* Before the loop is let go of. */
void children_finish(struct holdfastd *h);
