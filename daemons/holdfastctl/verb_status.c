/* status, statistics, reset-statistics, health, log-level, version: asked of each daemon. */

#include <string.h>

#include "daemons/holdfastctl/ctl.h"
#include "holdfast_config.h"

struct round {
    json_t *all; /* {"netd": ..., ...}; {"error": text} for one that does not answer */
    unsigned running, answered;
};

/* The same request to each of the three. */
static struct round ask_all(struct ctl *ctl, const char *verb, const char *text)
{
    struct round round = {.all = json_object()};
    for (unsigned i = 0; i < CTL_DAEMON_COUNT; i++) {
        Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
        char error[1024];
        json_t *json = NULL;
        request.verb = (char *)verb;
        if (text)
            request.text = (char *)text;
        int code = ctl_request_quiet(ctl, (enum ctl_daemon)i, &request, &json, error, sizeof(error));
        if (code == CTL_OK)
            round.answered++;
        else
            json = json_pack("{s:s, s:s}", "state", code == CTL_NOT_RUNNING ? "not running" : "failed",
                             "error", error);
        round.running += code != CTL_NOT_RUNNING;
        json_object_set_new(round.all, ctl_daemon_name((enum ctl_daemon)i), json);
    }
    return round;
}

static int round_code(const struct round *round)
{
    return round->running == 0 ? CTL_NOT_RUNNING : round->answered == CTL_DAEMON_COUNT ? CTL_OK : CTL_FAILED;
}

/* What is wrong with each daemon that did not answer, on stderr. */
static void report_errors(struct ctl *ctl, const struct round *round, int code)
{
    const char *name;
    json_t *part;
    json_object_foreach(round->all, name, part)
    {
        const char *error = json_string_value(json_object_get(part, "error"));
        if (error)
            ctl_fail(ctl, code, "%s", error);
    }
}

/* On a line each: which zone, since when, why, and when it is looked at again. */
static void shorten_incidents(json_t *part)
{
    const json_t *incidents = json_object_get(part, "incidents");
    json_t *lines = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach(incidents, i, one)
    {
        const char *zone = json_string_value(json_object_get(one, "zone"));
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *cause = json_string_value(json_object_get(one, "cause"));
        char since[48], next[48];
        ctl_duration_text(json_integer_value(json_object_get(one, "age_s")), since);
        ctl_duration_text(json_integer_value(json_object_get(one, "next_probe_s")), next);
        json_array_append_new(lines, json_sprintf("%s %s for %s (%s), next probe in %s", zone ? zone : "",
                                                  state ? state : "", since, cause ? cause : "", next));
    }
    if (incidents)
        json_object_set(part, "incidents", lines);
    json_decref(lines);
}

int ctl_verb_status(struct ctl *ctl, int argc, char **argv)
{
    static const char *const skip[] = {"program", "error", NULL};
    struct round round = ask_all(ctl, "status", NULL);
    int code = round_code(&round);
    const char *name;
    json_t *part;
    json_object_foreach(round.all, name, part)
    {
        /* It answers, so it runs, if it does not say better. */
        json_t *state = json_object_get(part, "state");
        json_t *first = json_pack("{s:O?}", "state", state);
        if (!state)
            json_object_set_new(first, "state", json_string("running"));
        json_object_update_missing(first, part);
        json_object_clear(part);
        json_object_update(part, first);
        json_decref(first);
    }
    if (ctl->json != CTL_JSON_OFF) {
        ctl_print_json(ctl, round.all);
    } else {
        bool first = true;
        json_object_foreach(round.all, name, part)
        {
            fprintf(ctl->out, "%sholdfast-%s\n", first ? "" : "\n", name);
            shorten_incidents(part);
            ctl_print_fields(ctl, part, skip, 4);
            first = false;
        }
    }
    if (code != CTL_OK)
        report_errors(ctl, &round, code);
    json_decref(round.all);
    return code;
}

int ctl_verb_statistics(struct ctl *ctl, int argc, char **argv)
{
    static const char *const columns[] = {"daemon", "counter", "value", NULL};
    struct round round = ask_all(ctl, "statistics", NULL);
    int code = round_code(&round);
    const char *name, *key;
    json_t *part, *value;
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, round.all);
    json_t *rows = json_array();
    json_object_foreach(round.all, name, part)
    {
        if (json_object_get(part, "error"))
            continue;
        json_object_foreach(part, key, value)
        {
            const char *inner_key;
            json_t *inner;
            char label[160];
            if (json_is_number(value))
                json_array_append_new(
                    rows, json_pack("{s:s, s:s, s:O}", "daemon", name, "counter", key, "value", value));
            json_object_foreach(value, inner_key, inner) if (json_is_number(inner))
            {
                snprintf(label, sizeof(label), "%.70s.%.70s", key, inner_key);
                json_array_append_new(
                    rows, json_pack("{s:s, s:s, s:O}", "daemon", name, "counter", label, "value", inner));
            }
        }
    }
    if (ctl->json == CTL_JSON_OFF && round.answered > 0)
        ctl_print_table(ctl, rows, columns);
    if (code != CTL_OK)
        report_errors(ctl, &round, code);
    json_decref(rows);
    json_decref(round.all);
    return code;
}

/* The whole as OpenMetrics text; under --json as statistics has it. */
int ctl_verb_metrics(struct ctl *ctl, int argc, char **argv)
{
    struct round round = ask_all(ctl, "statistics", NULL);
    int code = round_code(&round);
    const char *name;
    json_t *part;
    if (ctl->json != CTL_JSON_OFF) {
        ctl_print_json(ctl, round.all);
    } else {
        json_object_foreach(round.all, name, part)
        {
            bool up = !json_object_get(part, "error");
            fprintf(ctl->out, "# TYPE holdfast_%s_up gauge\nholdfast_%s_up %d\n", name, name, up);
            if (up)
                ctl_print_metrics(ctl, name, part);
        }
        fputs("# EOF\n", ctl->out);
    }
    if (code != CTL_OK)
        report_errors(ctl, &round, code);
    json_decref(round.all);
    return code;
}

/* For verbs that change something in each daemon and have nothing to show but that they did. */
static int change_all(struct ctl *ctl, const char *verb, const char *text)
{
    struct round round = ask_all(ctl, verb, text);
    int code = round_code(&round);
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, round.all);
    if (code != CTL_OK)
        report_errors(ctl, &round, code);
    json_decref(round.all);
    return code;
}

int ctl_verb_reset_statistics(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, "reset-statistics", NULL);
}

int ctl_verb_log_level(struct ctl *ctl, int argc, char **argv)
{
    static const char levels[][8] = {"error", "warning", "notice", "info", "debug"};
    if (argc == 1) {
        for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
            if (strcmp(argv[0], levels[i]) == 0)
                return change_all(ctl, "log-level", argv[0]);
        return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no level; say error, warning, notice, info or debug",
                        argv[0]);
    }
    struct round round = ask_all(ctl, "log-level", NULL);
    int code = round_code(&round);
    const char *name;
    json_t *part;
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, round.all);
    else
        json_object_foreach(round.all, name, part)
        {
            const json_t *level = json_object_get(part, "level"),
                         *number = json_object_get(part, "log_level");
            const char *word = json_string_value(level);
            if (json_is_integer(number) &&
                json_integer_value(number) <= 7) /* a syslog priority; LOG_ERR is 3 */
                word = levels[MAX(json_integer_value(number), 3) - 3];
            if (word)
                fprintf(ctl->out, "holdfast-%s: %s\n", name, word);
        }
    if (code != CTL_OK)
        report_errors(ctl, &round, code);
    json_decref(round.all);
    return code;
}

/* A daemon is well when it answers and does not say that something is wrong. */
int ctl_verb_health(struct ctl *ctl, int argc, char **argv)
{
    struct round round = ask_all(ctl, "status", NULL);
    int code = round_code(&round);
    const char *name;
    json_t *part;
    json_t *report = json_object();
    json_object_foreach(round.all, name, part)
    {
        const char *state = json_string_value(json_object_get(part, "state"));
        json_object_set_new(report, name, json_string(state ? state : "running"));
        if (code == CTL_OK && state && strcmp(state, "running") != 0 && strcmp(state, "ready") != 0)
            code = CTL_FAILED;
    }
    if (ctl->json != CTL_JSON_OFF) {
        json_t *value = json_pack("{s:b, s:O}", "healthy", code == CTL_OK, "daemons", report);
        ctl_print_json(ctl, value);
        json_decref(value);
    } else if (ctl->legend) {
        fprintf(ctl->out, "%s\n",
                code == CTL_OK       ? "healthy"
                : code == CTL_FAILED ? "degraded"
                                     : "not running");
        ctl_print_fields(ctl, report, NULL, 4);
    }
    json_decref(report);
    json_decref(round.all);
    return code;
}

/* Of this program always, of the daemons as far as they run; so exit status 0 either way. */
int ctl_verb_version(struct ctl *ctl, int argc, char **argv)
{
    struct round round = ask_all(ctl, "status", NULL);
    const char *name;
    json_t *part, *versions = json_pack("{s:s}", "holdfastctl", HOLDFAST_VERSION);
    json_object_foreach(round.all, name, part)
    {
        const char *version = json_string_value(json_object_get(part, "version"));
        char program[32];
        snprintf(program, sizeof(program), "holdfast-%s", name);
        if (version)
            json_object_set_new(versions, program, json_string(version));
    }
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, versions);
    else
        json_object_foreach(versions, name, part) fprintf(ctl->out, "%s %s\n", name, json_string_value(part));
    json_decref(versions);
    json_decref(round.all);
    return CTL_OK;
}
