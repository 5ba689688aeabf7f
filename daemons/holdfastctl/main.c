/* The command line: options, then one verb of the table. Options may stand anywhere, as in resolvectl. */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf/compile.h"
#include "daemons/holdfastctl/ctl.h"
#include "holdfast_config.h"

enum {
    OPT_RUNTIME_DIR = 256,
    OPT_JSON,
    OPT_LEGEND,
    OPT_NO_PAGER,
    OPT_HELP,
    OPT_VERSION,
    OPT_VERB, /* behind it: OPT_VERB + number of the bit of enum ctl_option */
};
#define VERB_OPTION(bit) (OPT_VERB + __builtin_ctz(bit))

static const struct option options[] = {
    {"runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR},
    {"json", required_argument, NULL, OPT_JSON},
    {"legend", required_argument, NULL, OPT_LEGEND},
    {"no-pager", no_argument, NULL, OPT_NO_PAGER},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {"type", required_argument, NULL, VERB_OPTION(CTL_OPT_TYPE)},
    {"class", required_argument, NULL, VERB_OPTION(CTL_OPT_CLASS)},
    {"cd", no_argument, NULL, VERB_OPTION(CTL_OPT_CD)},
    {"tcp", no_argument, NULL, VERB_OPTION(CTL_OPT_TCP)},
    {"tree", no_argument, NULL, VERB_OPTION(CTL_OPT_TREE)},
    {"bogus", no_argument, NULL, VERB_OPTION(CTL_OPT_BOGUS)},
    {"negative", no_argument, NULL, VERB_OPTION(CTL_OPT_NEGATIVE)},
    {"lifetime", required_argument, NULL, VERB_OPTION(CTL_OPT_LIFETIME)},
    {"reason", required_argument, NULL, VERB_OPTION(CTL_OPT_REASON)},
    {"output", required_argument, NULL, VERB_OPTION(CTL_OPT_OUTPUT)},
    {"state-dir", required_argument, NULL, VERB_OPTION(CTL_OPT_STATE_DIR)},
    {"force", no_argument, NULL, VERB_OPTION(CTL_OPT_FORCE)},
    {"server", required_argument, NULL, VERB_OPTION(CTL_OPT_SERVER)},
    {0},
};

static void help(FILE *out)
{
    fputs("holdfastctl [OPTION...] VERB ...\n\nAsk and steer the holdfast resolver.\n\nVerbs:\n", out);
    for (size_t i = 0; i < ctl_verb_count; i++) {
        int width = fprintf(out, "  %s%s%s", ctl_verbs[i].name, ctl_verbs[i].arguments[0] ? " " : "",
                            ctl_verbs[i].arguments);
        fprintf(out, "%*s%s\n", width < 40 ? 40 - width : 1, "", ctl_verbs[i].help);
    }
    fputs("\nOptions:\n"
          "     --runtime-dir DIR      where the daemons' sockets are\n"
          "     --json pretty|short|off, -j\n"
          "                            print JSON (-j: pretty on a terminal, else short)\n"
          "     --legend BOOL          print headings and the lines that begin with --\n"
          "     --no-pager             accepted; output is never paged\n"
          "  -t --type TYPE            query: type, may be repeated with commas\n"
          "  -c --class CLASS          query: IN or CH\n"
          "     --cd, --tcp            query: checking disabled; over TCP\n"
          "     --server ADDRESS@PORT  query: ask this resolver\n"
          "     --tree, --bogus, --negative\n"
          "                            flush-caches: all below the name; bogus, negative entries alone\n"
          "     --lifetime TIME, --reason TEXT\n"
          "                            nta add: 30m, 1h, 1d; why\n"
          "     --force                nta add: keep it when a probe finds that the zone validates\n"
          "                            trust-anchor remove: a revoked key too, which is then forgotten\n"
          "     --output FILE, --state-dir DIR\n"
          "                            config compile: the snapshot to write; instead of cache.directory\n"
          "\nExit status: 0 done, 1 failed, 2 wrong usage, 3 the daemon is not running.\n",
          out);
}

/* $XDG_RUNTIME_DIR/holdfast when there is one for this user, else /run/holdfast. */
static const char *default_runtime_directory(char buf[4096])
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    if (geteuid() != 0 && xdg && xdg[0] == '/') {
        snprintf(buf, 4096, "%s/holdfast", xdg);
        return buf;
    }
    return CONF_DEFAULT_RUNTIME_DIRECTORY;
}

/* A relative path would end with the shell's directory; the snapshot and socket addresses need absolute ones.
 */
static const char *absolute(const char *path, char buf[8192])
{
    char here[4096];
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return path;
    snprintf(buf, 8192, "%s/%.4000s", here, path);
    return buf;
}

static int parse_bool(const char *text, bool *ret_value)
{
    if (strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
        *ret_value = true;
    else if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
        *ret_value = false;
    else
        return CTL_USAGE;
    return CTL_OK;
}

static int set_json(struct ctl *ctl, const char *text)
{
    if (strcmp(text, "pretty") == 0)
        ctl->json = CTL_JSON_PRETTY;
    else if (strcmp(text, "short") == 0)
        ctl->json = CTL_JSON_SHORT;
    else if (strcmp(text, "off") == 0)
        ctl->json = CTL_JSON_OFF;
    else
        return ctl_fail(ctl, CTL_USAGE, "--json=%s: say pretty, short or off", text);
    return CTL_OK;
}

static int set_verb_option(struct ctl *ctl, int option)
{
    ctl->given |= 1u << (option - OPT_VERB);
    switch (1 << (option - OPT_VERB)) {
    case CTL_OPT_TYPE:
        ctl->type = optarg;
        break;
    case CTL_OPT_CLASS:
        ctl->class = optarg;
        break;
    case CTL_OPT_LIFETIME:
        ctl->lifetime = optarg;
        break;
    case CTL_OPT_REASON:
        ctl->reason = optarg;
        break;
    case CTL_OPT_OUTPUT:
        ctl->output = optarg;
        break;
    case CTL_OPT_SERVER:
        ctl->server = optarg;
        break;
    case CTL_OPT_STATE_DIR:
        ctl->state_directory = optarg;
        break;
    default: /* switches: `given` says it */
        break;
    }
    return CTL_OK;
}

/* The verb at argv[0], of one or two words; NULL when there is none. */
static const struct ctl_verb *find_verb(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < ctl_verb_count; i++) {
        const char *name = ctl_verbs[i].name, *space = strchr(name, ' ');
        size_t first = space ? (size_t)(space - name) : strlen(name);
        if (strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
            continue;
        if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0))
            continue;
        *ret_words = space ? 2 : 1;
        return &ctl_verbs[i];
    }
    return NULL;
}

static int no_such_verb(struct ctl *ctl, int argc, char **argv)
{
    char forms[256] = "";
    for (size_t i = 0; i < ctl_verb_count; i++) {
        size_t size = strlen(argv[0]);
        if (strncmp(ctl_verbs[i].name, argv[0], size) == 0 && ctl_verbs[i].name[size] == ' ')
            snprintf(forms + strlen(forms), sizeof(forms) - strlen(forms), "%s%s", forms[0] ? ", " : "",
                     ctl_verbs[i].name + size + 1);
    }
    if (forms[0] && argc < 2)
        return ctl_fail(ctl, CTL_USAGE, "%s needs one of: %s", argv[0], forms);
    if (forms[0])
        return ctl_fail(ctl, CTL_USAGE, "unknown verb \"%s %s\"; %s takes: %s", argv[0], argv[1], argv[0],
                        forms);
    return ctl_fail(ctl, CTL_USAGE, "unknown verb \"%s\"; holdfastctl --help lists them", argv[0]);
}

static int run_verb(struct ctl *ctl, int argc, char **argv)
{
    if (argc == 0)
        return ctl_fail(ctl, CTL_USAGE, "say what to do; holdfastctl --help lists the verbs");
    int words;
    const struct ctl_verb *verb = find_verb(argc, argv, &words);
    if (!verb)
        return no_such_verb(ctl, argc, argv);
    argc -= words;
    argv += words;
    unsigned foreign = ctl->given & ~verb->options;
    for (size_t i = 0; foreign && options[i].name; i++)
        if (options[i].val >= OPT_VERB && (foreign & (1u << (options[i].val - OPT_VERB))))
            return ctl_fail(ctl, CTL_USAGE, "%s does not take --%s", verb->name, options[i].name);
    if ((unsigned)argc < verb->min_args || (unsigned)argc > verb->max_args)
        return ctl_fail(ctl, CTL_USAGE, "usage: holdfastctl %s %s", verb->name, verb->arguments);
    return verb->run(ctl, argc, argv);
}

int main(int argc, char **argv)
{
    char runtime[4096], runtime_absolute[8192], state_absolute[8192];
    struct ctl ctl = {.legend = true, .out = stdout, .err = stderr};
    ctl.runtime_directory = default_runtime_directory(runtime);
    for (int c; (c = getopt_long(argc, argv, "jt:c:h", options, NULL)) != -1;) {
        int r = CTL_OK;
        switch (c) {
        case OPT_RUNTIME_DIR:
            ctl.runtime_directory = absolute(optarg, runtime_absolute);
            break;
        case OPT_JSON:
            r = set_json(&ctl, optarg);
            break;
        case 'j':
            ctl.json = isatty(STDOUT_FILENO) ? CTL_JSON_PRETTY : CTL_JSON_SHORT;
            break;
        case OPT_LEGEND:
            if (parse_bool(optarg, &ctl.legend) != CTL_OK)
                r = ctl_fail(&ctl, CTL_USAGE, "--legend=%s: say yes or no", optarg);
            break;
        case OPT_NO_PAGER:
            break;
        case 't':
            r = set_verb_option(&ctl, VERB_OPTION(CTL_OPT_TYPE));
            break;
        case 'c':
            r = set_verb_option(&ctl, VERB_OPTION(CTL_OPT_CLASS));
            break;
        case 'h':
        case OPT_HELP:
            help(stdout);
            return CTL_OK;
        case OPT_VERSION:
            printf("holdfastctl %s\n", HOLDFAST_VERSION);
            return CTL_OK;
        case '?':
            return CTL_USAGE; /* getopt said why */
        default:
            r = set_verb_option(&ctl, c);
        }
        if (r != CTL_OK)
            return r;
    }
    if (ctl.state_directory)
        ctl.state_directory = absolute(ctl.state_directory, state_absolute);
    int code = run_verb(&ctl, argc - optind, argv + optind);
    if (fflush(stdout) != 0 && code == CTL_OK)
        code = ctl_fail(&ctl, CTL_FAILED, "could not write all of the output");
    return code;
}
