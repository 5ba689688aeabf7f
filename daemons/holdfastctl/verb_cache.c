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

/* What the cache knows of an entry beside its data: "; key value" each, a switch that is on as its key alone.
 */
static void collect_notes(const json_t *entry, char *notes, size_t room)
{
    static const char *const shown[] = {"db", "name", "type", "kind", "ttl", "ttl_s", "data", NULL};
    char text[4096];
    const char *key;
    json_t *value;
    notes[0] = '\0';
    json_object_foreach((json_t *)entry, key, value)
    {
        bool skip = json_is_null(value) || json_is_false(value);
        for (const char *const *s = shown; *s; s++)
            skip |= strcmp(*s, key) == 0;
        size_t size = strlen(notes);
        if (!skip && json_is_true(value))
            snprintf(notes + size, room - size, "; %s", key);
        else if (!skip)
            snprintf(notes + size, room - size, "; %s %s", key,
                     ctl_value_text(key, value, text, sizeof(text)));
    }
}

static const char *text_of(const json_t *entry, const char *key, const char *without)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text ? text : without;
}

void ctl_print_entry(struct ctl *ctl, const json_t *entry)
{
    const json_t *ttl = json_object_get(entry, "ttl"), *data = json_object_get(entry, "data");
    char notes[4096], text[4096], number[32] = "";
    size_t count = json_is_array(data) ? json_array_size(data) : 0;
    collect_notes(entry, notes, sizeof(notes));
    if (!ttl)
        ttl = json_object_get(entry, "ttl_s");
    if (json_is_integer(ttl))
        snprintf(number, sizeof(number), " %" JSON_INTEGER_FORMAT, json_integer_value(ttl));
    for (size_t i = 0; i < MAX(count, 1u); i++) {
        int width = fprintf(ctl->out, "%s%s", text_of(entry, "name", "-"), number);
        if (json_object_get(entry, "type"))
            width += fprintf(ctl->out, " IN %s", text_of(entry, "type", "-"));
        if (count)
            width +=
                fprintf(ctl->out, " %s", ctl_value_text("data", json_array_get(data, i), text, sizeof(text)));
        else if (json_object_get(entry, "kind"))
            width += fprintf(ctl->out, " %s", text_of(entry, "kind", ""));
        if (ctl->legend && i == 0 && (notes[0] || json_object_get(entry, "db")))
            fprintf(ctl->out, "%*s -- %s%s", width < 64 ? 64 - width : 0, "", text_of(entry, "db", ""),
                    notes + (json_object_get(entry, "db") || !notes[0] ? 0 : 2));
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
        json_array_foreach(entries, index, entry) ctl_print_entry(ctl, entry);
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
