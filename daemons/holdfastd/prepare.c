#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/daemon/daemon.h"
#include "daemons/holdfastd/holdfastd.h"
#include "holdfast_config.h"

/* Where programs may lie, seen from this one: installed beside it, the build tree, an install with another
 * root, the configured places. */
static char *find_program(const char *here, const char *folder, const char *program)
{
    char neighbour[64];
    snprintf(neighbour, sizeof(neighbour), "/../%s", folder);
    const char *const places[][2] = {
        {here, ""},
        {here, neighbour},
        {here, "/../libexec/holdfast"},
        {HOLDFAST_LIBEXECDIR, ""},
        {HOLDFAST_BINDIR, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char *path;
        if (asprintf(&path, "%s%s/%s", places[i][0], places[i][1], program) < 0)
            return NULL;
        struct stat st;
        if (access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return path;
        free(path);
    }
    log_error("%s is neither beside holdfastd nor in %s", program, HOLDFAST_LIBEXECDIR);
    return NULL;
}

int prepare_programs(struct holdfastd *h)
{
    static const char names[CHILD_COUNT][24] = {"holdfast-netd", "holdfast-recursord", "holdfast-validatord"};
    char here[4096];
    ssize_t size = readlink("/proc/self/exe", here, sizeof(here) - 1);
    if (size < 0) {
        log_error("cannot find where this program lies: %s", strerror(errno));
        return -errno;
    }
    here[size] = '\0';
    *strrchr(here, '/') = '\0';
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        struct child *child = &h->children[i];
        child->holdfastd = h;
        child->id = (enum child_id)i;
        child->name = names[i] + strlen("holdfast-");
        child->program = find_program(here, child->name, names[i]);
        if (!child->program)
            return -ENOENT;
    }
    h->control_program = find_program(here, "holdfastctl", "holdfastctl");
    return h->control_program ? 0 : -ENOENT;
}

/* mkdir -p. Directories above keep what they are; new ones are 0755. */
static int make_directories(const char *path, mode_t mode)
{
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

/* Whoever can rename in it could put a socket of their own in netd's or recursord's place, and validatord,
 * which connects, cannot tell (DESIGN invariant 5). */
static int check_runtime(const char *directory)
{
    struct stat st;
    if (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0; /* what comes next says why it is no good */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && (st.st_uid == geteuid() || st.st_uid == 0))
        return 0;
    log_error("%s can be written by others than its user, who could put their own sockets there; "
              "chmod go-w it and let it be yours, or name another with --runtime-dir",
              directory);
    return -EPERM;
}

int prepare_runtime(struct holdfastd *h)
{
    int r = make_directories(h->runtime_directory, 0755);
    if (r < 0) {
        log_error("cannot make %s: %s; name another with --runtime-dir", h->runtime_directory, strerror(-r));
        return r;
    }
    r = check_runtime(h->runtime_directory);
    if (r < 0)
        return r;
    char *path = runtime_path(h, "holdfastd.lock");
    if (!path)
        return -ENOMEM;
    for (;;) {
        h->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (h->lock_fd < 0) {
            r = -errno;
            log_error("cannot write in %s: %s; name another with --runtime-dir", h->runtime_directory,
                      strerror(-r));
            break;
        }
        if (flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0) {
            r = -errno;
            log_error("another holdfastd runs in %s; stop it, or name another --runtime-dir",
                      h->runtime_directory);
            break;
        }
        /* The one before may have removed the file between open and lock: then this lock guards nothing. */
        struct stat held, there;
        if (fstat(h->lock_fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino)
            break;
        close(h->lock_fd);
    }
    free(path);
    return r;
}

static bool made_from(const Holdfast__Config__Snapshot *snapshot, const char *path)
{
    for (size_t i = 0; i < snapshot->n_sources; i++)
        if (strcmp(snapshot->sources[i]->path, path) == 0)
            return true;
    return false;
}

/* The snapshot of the last run, when nothing it was made from has changed: compiling costs a fifth of the
 * time until the first answer. Only our own file counts, that nobody else could have written. */
static bool reuse_snapshot(struct holdfastd *h)
{
    const char *fault = NULL, *override = h->state_directory ? h->state_directory : "";
    char config[PATH_MAX];
    struct stat st;
    int fd = open(h->snapshot_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool own = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022);
    int r = own ? snapshot_load_fd(fd, &h->snapshot, &fault) : 1;
    close(fd);
    if (r != 0)
        return false;
    bool same = realpath(h->config_path, config) && snapshot_sources_unchanged(h->snapshot) &&
                made_from(h->snapshot, config) &&
                strcmp(h->snapshot->runtime_directory, h->runtime_directory) == 0 &&
                strcmp(h->snapshot->state_override, override) == 0;
    if (!same) {
        snapshot_free(h->snapshot);
        h->snapshot = NULL;
    }
    return same;
}

int prepare_snapshot(struct holdfastd *h)
{
    extern char **environ;
    h->snapshot_path = runtime_path(h, "config.pb");
    if (!h->snapshot_path)
        return -ENOMEM;
    if (reuse_snapshot(h))
        return 0;
    const char *arguments[16] = {"holdfastctl", "--runtime-dir", h->runtime_directory};
    size_t n = 3;
    if (h->state_directory) {
        arguments[n++] = "--state-dir";
        arguments[n++] = h->state_directory;
    }
    arguments[n++] = "--output";
    arguments[n++] = h->snapshot_path;
    arguments[n++] = "config";
    arguments[n++] = "compile";
    arguments[n++] = h->config_path;
    arguments[n] = NULL;
    pid_t pid;
    int r = -posix_spawn(&pid, h->control_program, NULL, NULL, (char *const *)arguments, environ), status = 0;
    while (r == 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            r = -errno;
    if (r < 0) {
        log_error("cannot run %s: %s", h->control_program, strerror(-r));
        return r;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log_error("%s is not a good configuration; holdfast does not start", h->config_path);
        return -EINVAL;
    }
    const char *fault = NULL;
    r = snapshot_load(h->snapshot_path, &h->snapshot, &fault);
    if (r != 0)
        log_error("%s: %s", h->snapshot_path, fault);
    return r > 0 ? -EINVAL : r;
}

static int find_users(struct holdfastd *h)
{
    static const char advice[] =
        "create users and group (systemd-sysusers holdfast.conf, or useradd --system), or "
        "set process.users: false";
    const struct group *group = getgrnam("holdfast");
    if (!group) {
        log_error("group holdfast does not exist; %s", advice);
        return -ENOENT;
    }
    h->gid = group->gr_gid;
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "holdfast-%s", h->children[i].name);
        const struct passwd *user = getpwnam(name);
        if (!user || user->pw_uid == 0) {
            log_error("user %s %s; %s", name, user ? "is root" : "does not exist", advice);
            return -ENOENT;
        }
        h->children[i].uid = user->pw_uid;
    }
    return 0;
}

/* The directory and the two files of the cache to validatord, readable by the group: netd and recursord read
 * data.mdb. lock.mdb is validatord's alone (DESIGN invariant 2). Needed again when process.users changed. */
static int give_state(struct holdfastd *h, uid_t uid, gid_t gid)
{
    static const struct {
        char name[12];
        mode_t mode;
    } files[] = {{"data.mdb", 0640}, {"lock.mdb", 0600}};
    int directory = open(h->snapshot->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    if (directory < 0 || fchown(directory, uid, gid) < 0 || fchmod(directory, 0750) < 0)
        r = -errno;
    for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++) {
        int file = openat(directory, files[i].name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (file >= 0 && (fchown(file, uid, gid) < 0 || fchmod(file, files[i].mode) < 0))
            r = -errno;
        if (file >= 0)
            close(file);
    }
    if (directory >= 0)
        close(directory);
    return r;
}

int prepare_users(struct holdfastd *h)
{
    h->separate_users = geteuid() == 0 && h->snapshot->users;
    h->gid = getegid();
    for (size_t i = 0; i < CHILD_COUNT; i++)
        h->children[i].uid = geteuid();
    int r = h->separate_users ? find_users(h) : 0;
    if (r < 0)
        return r;
    if (geteuid() == 0 && !h->separate_users)
        log_warning("process.users is off: all daemons run as root, which is for containers and tests only");
    r = make_directories(h->snapshot->state_directory, 0750);
    if (r == 0 && geteuid() == 0)
        r = give_state(h, h->children[CHILD_VALIDATORD].uid, h->gid);
    if (r < 0)
        log_error("cannot prepare %s: %s; name another with --state-dir or cache.directory",
                  h->snapshot->state_directory, strerror(-r));
    return r;
}
