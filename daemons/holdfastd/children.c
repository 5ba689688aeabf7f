/* The three children: start, restart, stop. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/daemon/daemon.h"
#include "daemons/holdfastd/holdfastd.h"

/* A child that was ready and lived this long is restarted at once; one that keeps dying waits 100 ms, 200 ms,
 * ... 5 s. On a slow machine one that cannot run may take long to find out: that is no long life. */
#define LONG_LIFE_US      2000000u
#define FIRST_BACK_OFF_US 100000u
#define MAX_BACK_OFF_US   5000000u
/* Before the first meeting of the three, this wait means that something is wrong with the set-up: give up. */
#define GIVE_UP_BACK_OFF_US 3200000u
#define STOP_US             5000000u  /* for netd and recursord to go */
#define COMMIT_US           30000000u /* for validatord to commit and close */
#define WAITING_US          10000000u /* then it is said who is not ready */
#define FIRST_PASSED_FD     3         /* SD_LISTEN_FDS_START */

static int start_child(struct child *child);

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* What follows up to start_child() runs in the new process. It is alone in it: holdfastd has no other thread.
 */

static void child_fail(const struct child *child, const char *what, int error)
{
    log_error("cannot start %s: %s: %s", child->program, what, strerror(error));
    _exit(127);
}

/* The sockets to 3, 4, ...; first out of the way of those numbers, then onto them without close-on-exec. */
static void child_place_sockets(struct child *child)
{
    int least = FIRST_PASSED_FD + (int)child->socket_count;
    for (size_t i = 0; i < child->socket_count; i++) {
        child->sockets[i].fd = fcntl(child->sockets[i].fd, F_DUPFD_CLOEXEC, least);
        if (child->sockets[i].fd < 0)
            child_fail(child, "passing sockets", errno);
    }
    for (size_t i = 0; i < child->socket_count; i++)
        if (dup2(child->sockets[i].fd, FIRST_PASSED_FD + (int)i) < 0)
            child_fail(child, "passing sockets", errno);
}

static void child_environment(const struct child *child)
{
    static const char *const handed_on[] = {"TZ", "LANG", "JOURNAL_STREAM", "INVOCATION_ID"};
    const struct holdfastd *h = child->holdfastd;
    char names[MAX_SOCKETS * 12] = "";
    char number[24], *at = names;
    if (h->separate_users) {
        /* Another user's process gets what it needs; without a change of user all is handed on (libfaketime).
         */
        const char *kept[ARRAY_SIZE(handed_on)];
        for (size_t i = 0; i < ARRAY_SIZE(handed_on); i++)
            kept[i] = getenv(handed_on[i]);
        clearenv();
        for (size_t i = 0; i < ARRAY_SIZE(handed_on); i++)
            if (kept[i])
                setenv(handed_on[i], kept[i], 1);
    }
    /* Under libfaketime the timers of the children follow the real monotonic clock, or stepping the faked
     * clock would move it along. */
    if (getenv("LD_PRELOAD"))
        setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 0);
    for (size_t i = 0; i < child->socket_count; i++)
        at += snprintf(at, 12, "%s%s", i ? ":" : "", child->sockets[i].name);
    snprintf(number, sizeof(number), "%zu", child->socket_count);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    setenv("NOTIFY_SOCKET", h->notify_path, 1);
}

static void child_run(struct child *child, pid_t parent)
{
    const struct holdfastd *h = child->holdfastd;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        child_fail(child, "/dev/null", errno);
    /* validatord writes the cache for its group to read, nobody else. */
    umask(0027);
    child_place_sockets(child);
    int r = h->separate_users ? privileges_become(child->uid, h->gid) : 0;
    if (r < 0)
        child_fail(child, "changing user (set process.users: false where that is not allowed)", -r);
    /* Behind the change of user, which clears it. A holdfastd that was killed must not leave anyone behind
     * who holds the ports; if it went before this call, there is nobody to be started for. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        child_fail(child, "prctl", errno);
    if (getppid() != parent)
        _exit(127);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(child, "prctl", errno);
    child_environment(child);
    execl(child->program, child->program, "--snapshot", h->snapshot_path, (char *)NULL);
    child_fail(child, "exec", errno);
}

/* The parent again. */

static void finish_stop(struct holdfastd *h)
{
    bool front_gone = h->children[CHILD_NETD].pid == 0 && h->children[CHILD_RECURSORD].pid == 0;
    struct child *validatord = &h->children[CHILD_VALIDATORD];
    if (front_gone && validatord->pid == 0)
        sd_event_exit(h->event, h->exit_code);
}

static int kill_late(void *userdata)
{
    struct holdfastd *h = userdata;
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (h->children[i].pid > 0 && (i != CHILD_VALIDATORD || (h->children[CHILD_NETD].pid == 0 &&
                                                                 h->children[CHILD_RECURSORD].pid == 0))) {
            log_warning("holdfast-%s does not stop; killing it", h->children[i].name);
            kill(h->children[i].pid, SIGKILL);
        }
    return 0;
}

static void stop_timer(struct holdfastd *h, uint64_t delay_us)
{
    event_timer_set_us(h->kill_timer, delay_us);
}

/* netd and recursord are told at once; validatord when both are gone. */
static void stop_next(struct holdfastd *h)
{
    struct child *validatord = &h->children[CHILD_VALIDATORD];
    if (h->children[CHILD_NETD].pid == 0 && h->children[CHILD_RECURSORD].pid == 0 && validatord->pid > 0) {
        kill(validatord->pid, SIGTERM);
        stop_timer(h, COMMIT_US);
    }
    finish_stop(h);
}

void children_stop(struct holdfastd *h)
{
    if (h->stopping)
        return;
    h->stopping = true;
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        struct child *child = &h->children[i];
        event_timer_set(child->restart_timer, MONO_NEVER);
        if (child->pid > 0 && i != CHILD_VALIDATORD)
            kill(child->pid, SIGTERM);
    }
    stop_timer(h, STOP_US);
    stop_next(h);
}

static int restart_due(void *userdata)
{
    struct child *child = userdata;
    /* A full process table passes. */
    if (start_child(child) < 0)
        event_timer_set_us(child->restart_timer, MAX_BACK_OFF_US);
    return 0;
}

static int child_exited(sd_event_source *source, const siginfo_t *info, void *userdata)
{
    struct child *child = userdata;
    struct holdfastd *h = child->holdfastd;
    uint64_t lived_us = now_us() - child->started_us;
    child->exit_source = sd_event_source_unref(child->exit_source);
    child->pid = 0;
    bool was_ready = child->ready;
    child->ready = false;
    if (h->stopping) {
        stop_next(h);
        return 0;
    }
    bool long_life = was_ready && lived_us >= LONG_LIFE_US, first = child->back_off_us == 0;
    uint64_t delay_us = long_life ? 0 : first ? FIRST_BACK_OFF_US / 2 : child->back_off_us;
    child->back_off_us = long_life ? 0
                         : first   ? FIRST_BACK_OFF_US
                                   : MIN(2 * child->back_off_us, MAX_BACK_OFF_US);
    log_error("holdfast-%s (pid %d) %s %d after %.1f s; starting it again%s", child->name, (int)info->si_pid,
              info->si_code == CLD_EXITED ? "ended with status" : "was killed by signal", info->si_status,
              (double)lived_us / 1e6, delay_us >= FIRST_BACK_OFF_US ? " in a while, it keeps dying" : "");
    if (!h->announced && child->back_off_us >= GIVE_UP_BACK_OFF_US) {
        log_error("holdfast-%s cannot run here, see what it says above; giving up", child->name);
        h->exit_code = EXIT_FAILURE;
        children_stop(h);
        return 0;
    }
    event_timer_set_us(child->restart_timer, delay_us);
    return 0;
}

static int start_child(struct child *child)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        log_error("cannot start holdfast-%s: %s", child->name, strerror(errno));
        return -errno;
    }
    if (pid == 0)
        child_run(child, parent);
    child->pid = pid;
    child->started_us = now_us();
    int r =
        sd_event_add_child(child->holdfastd->event, &child->exit_source, pid, WEXITED, child_exited, child);
    if (r < 0)
        log_error("cannot watch holdfast-%s: %s", child->name, strerror(-r));
    return r < 0 ? r : 0;
}

/* The first time all three are ready: TCP clients may come, and whoever waits for us is told. */
static void announce(struct holdfastd *h)
{
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (!h->children[i].ready)
            return;
    if (h->announced)
        return;
    char text[4096];
    h->announced = true;
    if (sockets_listen(h) < 0) {
        h->exit_code = EXIT_FAILURE;
        children_stop(h);
        return;
    }
    sockets_describe(h, text, sizeof(text));
    printf("holdfastd: answering on %s\n", text);
    fflush(stdout);
}

static bool says_ready(const char *text)
{
    static const char ready[] = "READY=1";
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, ready, sizeof(ready) - 1) == 0 &&
            (line[sizeof(ready) - 1] == '\0' || line[sizeof(ready) - 1] == '\n'))
            return true;
    }
    return false;
}

/* sd_notify messages: believed by the sender's pid, which the kernel tells. */
static int notified(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct holdfastd *h = userdata;
    char text[1024];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec vector = {.iov_base = text, .iov_len = sizeof(text) - 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return 0;
    text[size] = '\0';
    const struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS || !says_ready(text))
        return 0;
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(part), sizeof(sender));
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (h->children[i].pid == sender.pid)
            h->children[i].ready = true;
    announce(h);
    return 0;
}

static int open_notify(struct holdfastd *h)
{
    const int one = 1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    h->notify_path = runtime_path(h, "notify");
    if (!h->notify_path || strlen(h->notify_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, h->notify_path);
    if (unlink(h->notify_path) < 0 && errno != ENOENT)
        return -errno;
    h->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->notify_fd < 0)
        return -errno;
    /* The daemons are other users; whom to believe is decided by pid. */
    mode_t before = umask(h->separate_users ? 0111 : 0177);
    int r = bind(h->notify_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(before);
    if (r == 0 && setsockopt(h->notify_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
        r = -errno;
    return r < 0 ? r : sd_event_add_io(h->event, NULL, h->notify_fd, EPOLLIN, notified, h);
}

static int still_waiting(void *userdata)
{
    struct holdfastd *h = userdata;
    for (size_t i = 0; i < CHILD_COUNT && !h->announced; i++)
        if (!h->children[i].ready)
            log_warning("still waiting for holdfast-%s to be ready", h->children[i].name);
    return 0;
}

static int make_timers(struct holdfastd *h)
{
    int r = event_timer_new(h->event, kill_late, h, &h->kill_timer);
    if (r == 0)
        r = event_timer_new(h->event, still_waiting, h, &h->waiting_timer);
    for (size_t i = 0; i < CHILD_COUNT && r == 0; i++)
        r = event_timer_new(h->event, restart_due, &h->children[i], &h->children[i].restart_timer);
    return r;
}

int children_start(struct holdfastd *h)
{
    struct rlimit files;
    int r = open_notify(h);
    if (r < 0) {
        log_error("cannot make the notification socket in %s: %s", h->runtime_directory, strerror(-r));
        return r;
    }
    /* Connections and upstream sockets: the soft limit of 1024 is for programs that use select(2). */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    r = make_timers(h);
    if (r < 0) {
        log_error("cannot make timers: %s", strerror(-r));
        return r;
    }
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        r = start_child(&h->children[i]);
        if (r < 0)
            return r;
    }
    event_timer_set_us(h->waiting_timer, WAITING_US);
    return 0;
}

void children_finish(struct holdfastd *h)
{
    for (size_t i = 0; i < CHILD_COUNT; i++)
        event_timer_free(h->children[i].restart_timer);
    event_timer_free(h->kill_timer);
    event_timer_free(h->waiting_timer);
}
