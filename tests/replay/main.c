/* replay [--trace] [--jobs N] [--skip FILE] FILE|DIR…: plays .rpl scenarios, prints TAP and the totals.
 *
 * Each scenario is played in a process of its own, so that one that crashes is one failure; output comes in
 * the order of the files, whatever --jobs says. */

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/replay/player.h"
#include "tests/replay/zone.h"

#define MAX_FILES    100000u
#define PLAY_LIMIT_S 60u /* of a scenario's process: a core that never ends is a failure, not a hang */

struct file {
    char *path;
    pid_t pid;
    int status;
    FILE *output;
    const char *skip;
};

struct run {
    struct file *files;
    size_t count;
    char *skip_text;
};

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static void collect(struct run *run, const char *path)
{
    struct stat st;
    char inner[4096];
    if (stat(path, &st) < 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    if (!S_ISDIR(st.st_mode)) {
        if (run->count == MAX_FILES)
            exit(2);
        run->files[run->count++] = (struct file){.path = strdup(path)};
        return;
    }
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        size_t n = strlen(e->d_name);
        bool scenario = n > 4 && strcmp(e->d_name + n - 4, ".rpl") == 0;
        snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && (scenario || (stat(inner, &st) == 0 && S_ISDIR(st.st_mode))))
            collect(run, inner);
    }
    if (dir)
        closedir(dir);
}

/* Lines of `end/of/path.rpl reason`; # begins a comment. */
static const char *skip_reason(struct run *run, const char *path)
{
    for (char *line = run->skip_text; line && *line;) {
        char *end = strchrnul(line, '\n');
        size_t name = strcspn(line, " \t\n"), size = strlen(path);
        if (*line != '#' && name && name <= size && strncmp(path + size - name, line, name) == 0 &&
            (name == size || path[size - name - 1] == '/')) {
            static char reason[512];
            snprintf(reason, sizeof(reason), "%.*s", (int)(end - line - (ptrdiff_t)name), line + name);
            return strdup(reason);
        }
        line = *end ? end + 1 : end;
    }
    return NULL;
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!f || !text) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    if (fread(text, 1, (1 << 20) - 1, f) == 0)
        text[0] = '\0';
    fclose(f);
    return text;
}

static void start(struct file *file, bool trace)
{
    file->output = tmpfile();
    if (!file->output)
        exit(2);
    fflush(NULL);
    file->pid = fork();
    if (file->pid < 0)
        exit(2);
    if (file->pid == 0) {
        dup2(fileno(file->output), STDOUT_FILENO);
        dup2(fileno(file->output), STDERR_FILENO);
        alarm(PLAY_LIMIT_S);
        enum play_result result = play(file->path, trace);
        fflush(NULL);
        _exit(result);
    }
}

static void print_output(FILE *output)
{
    char line[8192];
    rewind(output);
    while (fgets(line, sizeof(line), output))
        printf("  %s", line);
    fclose(output);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"trace", no_argument, NULL, 't'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"skip", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    struct run run = {.files = calloc(MAX_FILES, sizeof(struct file))};
    bool trace = false;
    unsigned jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    for (int c; (c = getopt_long(argc, argv, "j:", options, NULL)) != -1;) {
        if (c == 't')
            trace = true;
        else if (c == 'j')
            jobs = (unsigned)atoi(optarg);
        else if (c == 's')
            run.skip_text = read_text(optarg);
        else {
            fprintf(c == 'h' ? stdout : stderr,
                    "usage: replay [--trace] [--jobs N] [--skip FILE] FILE|DIR…\n");
            return c == 'h' ? 0 : 2;
        }
    }
    for (int i = optind; i < argc; i++)
        collect(&run, argv[i]);
    if (!run.files || run.count == 0 || jobs == 0) {
        fprintf(stderr, "replay: no scenario given\n");
        return 2;
    }
    qsort(run.files, run.count, sizeof(*run.files), compare_files);
    if (run.count > 1)
        zones_prepare();
    printf("1..%zu\n", run.count);
    size_t next = 0, running = 0, passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < run.count; i++) {
        struct file *file = &run.files[i];
        while (next < run.count && running < jobs) {
            struct file *f = &run.files[next++];
            f->skip = skip_reason(&run, f->path);
            if (!f->skip) {
                start(f, trace);
                running++;
            }
        }
        if (file->skip) {
            printf("ok %zu - %s # SKIP%s\n", i + 1, file->path, file->skip);
            skipped++;
            continue;
        }
        waitpid(file->pid, &file->status, 0);
        running--;
        int code = WIFEXITED(file->status) ? WEXITSTATUS(file->status) : -1;
        printf("%s %zu - %s%s\n", code == PLAY_PASSED || code == PLAY_SKIPPED ? "ok" : "not ok", i + 1,
               file->path,
               code == PLAY_SKIPPED ? " # SKIP an option cannot be mapped"
               : code == -1         ? " (crashed)"
                                    : "");
        passed += code == PLAY_PASSED;
        skipped += code == PLAY_SKIPPED;
        failed += code != PLAY_PASSED && code != PLAY_SKIPPED;
        print_output(file->output);
    }
    printf("%zu passed, %zu failed, %zu skipped\n", passed, failed, skipped);
    for (size_t i = 0; i < run.count; i++) {
        free(run.files[i].path);
        free((char *)run.files[i].skip);
    }
    free(run.files);
    free(run.skip_text);
    return failed ? 1 : 0;
}
