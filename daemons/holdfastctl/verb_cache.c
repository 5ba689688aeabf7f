/* What the cache and recursord's memory hold: show-cache, flush-caches, cache stats and verify, server state.
 */

#include <string.h>

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

/* A request with an optional name. */
static int ask(struct ctl *ctl, enum ctl_daemon daemon, Holdfast__Control__Request *request, const char *name,
               json_t **ret_json)
{
    uint8_t wire[NAME_MAX];
    size_t size;
    if (name) {
        int code = ctl_name(ctl, name, wire, &size);
        if (code != CTL_OK)
            return code;
        request->name = (ProtobufCBinaryData){.data = wire, .len = size};
    }
    int code = ctl_request(ctl, daemon, request, ret_json);
    request->name = (ProtobufCBinaryData){0};
    return code;
}

static int report(struct ctl *ctl, enum ctl_daemon daemon, const char *verb, const char *name,
                  const char *array, const char *const *columns)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL;
    request.verb = (char *)verb;
    int code = ask(ctl, daemon, &request, name, &json);
    if (code != CTL_OK)
        return code;
    code = ctl_print_report(ctl, json, array, columns);
    json_decref(json);
    return code;
}

/* Records as a zone file would have them, what the cache knows of them behind. */
static void print_entry(struct ctl *ctl, const json_t *entry)
{
    static const char *const first[] = {"db", "name", "type", "ttl", "ttl_s", "data", NULL};
    const json_t *ttl = json_object_get(entry, "ttl"), *data = json_object_get(entry, "data");
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *type = json_string_value(json_object_get(entry, "type")),
               *db = json_string_value(json_object_get(entry, "db"));
    char notes[1024] = "", text[4096];
    const char *key;
    json_t *value;
    if (!ttl)
        ttl = json_object_get(entry, "ttl_s");
    json_object_foreach((json_t *)entry, key, value)
    {
        bool shown = false;
        for (const char *const *f = first; *f; f++)
            shown |= strcmp(*f, key) == 0;
        size_t size = strlen(notes);
        if (!shown && !json_is_null(value) && !json_is_false(value))
            snprintf(notes + size, sizeof(notes) - size, "; %s %s", key,
                     ctl_value_text(key, value, text, sizeof(text)));
    }
    size_t count = json_is_array(data) ? json_array_size(data) : 0;
    for (size_t i = 0; i < MAX(count, 1u); i++) {
        const json_t *one = count ? json_array_get(data, i) : NULL;
        int width = fprintf(ctl->out, "%s %" JSON_INTEGER_FORMAT " IN %s %s", name ? name : "-",
                            json_integer_value(ttl), type ? type : "-",
                            one ? ctl_value_text("data", one, text, sizeof(text)) : "");
        if (ctl->legend && i == 0)
            fprintf(ctl->out, "%*s -- %s%s", width < 64 ? 64 - width : 0, "", db ? db : "rr", notes);
        fputc('\n', ctl->out);
    }
}

int ctl_verb_show_cache(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL, *entry;
    size_t index;
    request.verb = (char *)"show-cache";
    request.tree = argc == 0;
    int code = ask(ctl, CTL_VALIDATORD, &request, argc > 0 ? argv[0] : NULL, &json);
    if (code != CTL_OK)
        return code;
    const json_t *entries = json_object_get(json, "entries");
    if (ctl->json != CTL_JSON_OFF) {
        ctl_print_json(ctl, json);
    } else {
        json_array_foreach(entries, index, entry) print_entry(ctl, entry);
        if (ctl->legend)
            fprintf(ctl->out, "%s-- %zu entries\n", json_array_size(entries) ? "\n" : "",
                    json_array_size(entries));
    }
    json_decref(json);
    return CTL_OK;
}

int ctl_verb_flush_caches(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL;
    request.verb = (char *)"flush-caches";
    request.tree = ctl->given & CTL_OPT_TREE;
    request.bogus = ctl->given & CTL_OPT_BOGUS;
    request.negative = ctl->given & CTL_OPT_NEGATIVE;
    if (argc == 0 && request.tree)
        return ctl_fail(ctl, CTL_USAGE, "--tree needs the NAME whose tree it is");
    int code = ask(ctl, CTL_VALIDATORD, &request, argc > 0 ? argv[0] : NULL, &json);
    if (code != CTL_OK)
        return code;
    if (ctl->json != CTL_JSON_OFF || (ctl->legend && json_object_size(json) > 0))
        code = ctl_print_report(ctl, json, NULL, NULL);
    json_decref(json);
    return code;
}

int ctl_verb_cache_stats(struct ctl *ctl, int argc, char **argv)
{
    return report(ctl, CTL_VALIDATORD, "cache-stats", NULL, NULL, NULL);
}

/* Damaged entries found are a failure for scripts, although the walk itself went well. */
int ctl_verb_cache_verify(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL;
    request.verb = (char *)"cache-verify";
    int code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code != CTL_OK)
        return code;
    code = ctl_print_report(ctl, json, NULL, NULL);
    if (code == CTL_OK && json_integer_value(json_object_get(json, "damaged")) > 0)
        code = CTL_FAILED;
    json_decref(json);
    return code;
}

int ctl_verb_show_server_state(struct ctl *ctl, int argc, char **argv)
{
    static const char *const columns[] = {"server", "address", "zone",   "srtt_ms",
                                          "rtt_ms", "edns",    "cookie", NULL};
    return report(ctl, CTL_RECURSORD, "show-server-state", NULL, "servers", columns);
}

int ctl_verb_reset_server_features(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL;
    request.verb = (char *)"reset-server-features";
    int code = ctl_request(ctl, CTL_RECURSORD, &request, &json);
    if (code == CTL_OK && ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, json);
    json_decref(json);
    return code;
}
