#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/daemon/daemon.h"
#include "daemons/holdfastd/holdfastd.h"
#include "holdfast_config.h"

static void usage(FILE *out)
{
    fputs("usage: holdfastd --config FILE [--runtime-dir DIR] [--state-dir DIR]\n"
          "Runs the holdfast resolver in the foreground.\n"
          "  --config FILE      the configuration, holdfast.yaml(5)\n"
          "  --runtime-dir DIR  for sockets; default /run/holdfast, $XDG_RUNTIME_DIR/holdfast for other "
          "users than root\n"
          "  --state-dir DIR    for the cache; default cache.directory of the configuration\n"
          "  --version, --help\n",
          out);
}

static char *absolute(const char *path)
{
    char *result, here[4096];
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return strdup(path);
    return asprintf(&result, "%s/%s", here, path) < 0 ? NULL : result;
}

static char *default_runtime_directory(void)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    char *path;
    if (geteuid() == 0 || !xdg || xdg[0] != '/')
        return strdup("/run/holdfast");
    return asprintf(&path, "%s/holdfast", xdg) < 0 ? NULL : path;
}

/* 0; > 0: exit with that status minus one; -errno. */
static int read_arguments(struct holdfastd *h, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"runtime-dir", required_argument, NULL, 'r'},
        {"state-dir", required_argument, NULL, 's'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *runtime = NULL, *state = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            h->config_path = optarg;
            break;
        case 'r':
            runtime = optarg;
            break;
        case 's':
            state = optarg;
            break;
        case 'v':
            printf("holdfastd %s\n", HOLDFAST_VERSION);
            return 1;
        case 'h':
            usage(stdout);
            return 1;
        default:
            usage(stderr);
            return 3;
        }
    }
    if (!h->config_path || optind != argc) {
        usage(stderr);
        return 3;
    }
    h->runtime_directory = runtime ? absolute(runtime) : default_runtime_directory();
    h->state_directory = state ? absolute(state) : NULL;
    return h->runtime_directory && (h->state_directory || !state) ? 0 : -ENOMEM;
}

static int stop_asked(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    children_stop(userdata);
    return 0;
}

static int reload_asked(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    log_notice("SIGHUP: this version takes a changed configuration with a restart only");
    return 0;
}

static int make_loop(struct holdfastd *h)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    int r = sd_event_new(&h->event);
    if (r >= 0)
        r = sd_event_add_signal(h->event, NULL, SIGTERM, stop_asked, h);
    if (r >= 0)
        r = sd_event_add_signal(h->event, NULL, SIGINT, stop_asked, h);
    if (r >= 0)
        r = sd_event_add_signal(h->event, NULL, SIGHUP, reload_asked, h);
    if (r < 0)
        log_error("cannot make an event loop: %s", strerror(-r));
    return r < 0 ? r : 0;
}

static void remove_file(const char *path)
{
    if (path)
        unlink(path);
}

static void finish(struct holdfastd *h)
{
    if (h->lock_fd >= 0) { /* without the lock, what lies there is another's */
        sockets_remove(h);
        remove_file(h->notify_path);
        char *path = runtime_path(h, "holdfastd.lock");
        remove_file(path);
        free(path);
        close(h->lock_fd);
    }
    for (size_t i = 0; i < CHILD_COUNT; i++)
        free(h->children[i].program);
    if (h->notify_fd >= 0)
        close(h->notify_fd);
    children_finish(h);
    sd_event_unref(h->event);
    snapshot_free(h->snapshot);
    free(h->notify_path);
    free(h->snapshot_path);
    free(h->control_program);
    free(h->runtime_directory);
    free(h->state_directory);
}

static int run(struct holdfastd *h)
{
    int r = prepare_programs(h);
    if (r < 0)
        return r;
    r = prepare_runtime(h);
    if (r < 0) {
        if (h->lock_fd >= 0)
            close(h->lock_fd);
        h->lock_fd = -1;
        return r;
    }
    r = prepare_snapshot(h);
    if (r == 0)
        r = prepare_users(h);
    if (r == 0)
        r = make_loop(h);
    if (r == 0)
        r = sockets_open(h);
    if (r == 0 && geteuid() == 0) {
        r = privileges_reduce();
        if (r < 0)
            log_error("cannot give up privileges: %s", strerror(-r));
    }
    if (r < 0)
        return r;
    r = children_start(h);
    if (r < 0) {
        h->exit_code = EXIT_FAILURE;
        children_stop(h);
    }
    return sd_event_loop(h->event);
}

int main(int argc, char **argv)
{
    struct holdfastd *h = calloc(1, sizeof(*h));
    if (!h)
        return EXIT_FAILURE;
    h->lock_fd = h->notify_fd = -1;
    int r = read_arguments(h, argc, argv);
    if (r > 0) {
        free(h);
        return r - 1;
    }
    if (r == 0)
        r = run(h);
    finish(h);
    free(h);
    return r < 0 ? EXIT_FAILURE : r;
}
