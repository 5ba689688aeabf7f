/* metrics: the statistics of all daemons as OpenMetrics text (openmetrics.io 1.0), for a scraper to pick up.
 */

#include <string.h>

#include "daemons/holdfastctl/ctl.h"

/* What goes up and down; all else counts from the start of the daemon (or reset-statistics). */
static bool is_gauge(const char *key)
{
    static const char *const gauges[] = {
        "running_questions", "running_tasks", "running", "fetches_waiting", "incidents_open", "ntas",
        "clients",           "entries",       "open",    "waiting",         "in_flight"};
    size_t size = strlen(key);
    for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
        if (strcmp(key, gauges[i]) == 0)
            return true;
    return size > 6 && strcmp(key + size - 6, "_bytes") == 0;
}

/* Letters, digits and underscores, as names of metrics have to be. */
static void add_name(char *buf, size_t room, const char *part)
{
    size_t at = strlen(buf);
    if (at > 0 && at + 1 < room)
        buf[at++] = '_';
    for (; *part && at + 1 < room; part++) {
        char c = *part;
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        buf[at++] = fine ? c : '_';
    }
    buf[at] = '\0';
}

static void print_number(struct ctl *ctl, const char *name, const char *key, const json_t *value)
{
    const char *suffix = is_gauge(key) ? "" : "_total";
    fprintf(ctl->out, "# TYPE %s %s\n", name, is_gauge(key) ? "gauge" : "counter");
    if (json_is_integer(value))
        fprintf(ctl->out, "%s%s %lld\n", name, suffix, (long long)json_integer_value(value));
    else
        fprintf(ctl->out, "%s%s %g\n", name, suffix, json_number_value(value));
}

void ctl_print_metrics(struct ctl *ctl, const char *daemon, const json_t *statistics)
{
    const char *key, *inner_key;
    json_t *value, *inner;
    json_object_foreach((json_t *)statistics, key, value)
    {
        char name[200] = "holdfast";
        add_name(name, sizeof(name), daemon);
        add_name(name, sizeof(name), key);
        if (json_is_number(value))
            print_number(ctl, name, key, value);
        if (!json_is_object(value))
            continue;
        json_object_foreach(value, inner_key, inner)
        {
            char whole[200];
            snprintf(whole, sizeof(whole), "%s", name);
            add_name(whole, sizeof(whole), inner_key);
            if (json_is_number(inner))
                print_number(ctl, whole, inner_key, inner);
        }
    }
}
