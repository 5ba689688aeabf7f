/* explain: the chain of trust from the anchor down to the name, link by link, the failing one marked; the
 * servers that were asked; what came of it. */

#include <string.h>
#include <strings.h>

#include "common/wire/name.h"
#include "common/wire/rdata.h"
#include "daemons/holdfastctl/ctl.h"

/* What a link's mark says: it holds, it was broken, or no chain goes through it. */
static const char *mark(const json_t *link)
{
    const char *security = json_string_value(json_object_get(link, "security"));
    if (!security)
        return "?";
    if (strcasecmp(security, "secure") == 0)
        return "ok";
    if (strcasecmp(security, "bogus") == 0)
        return "FAIL";
    if (strcasecmp(security, "insecure") == 0)
        return "--";
    return "?";
}

static bool says_nothing(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_value(value)[0] == '\0') ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static void print_detail(struct ctl *ctl, const char *label, const char *key, const json_t *value)
{
    char text[4096];
    if (json_is_array(value)) { /* one a line: a digest is long */
        size_t index;
        json_t *one;
        json_array_foreach(value, index, one)
            fprintf(ctl->out, "         %*s %s\n", 11, index == 0 ? label : "",
                    ctl_value_text(key, one, text, sizeof(text)));
        return;
    }
    fprintf(ctl->out, "         %*s %s\n", 11, label, ctl_value_text(key, value, text, sizeof(text)));
}

static void print_ede(struct ctl *ctl, const json_t *ede)
{
    const json_t *code = json_is_object(ede) ? json_object_get(ede, "code") : ede;
    if (!json_is_integer(code)) {
        print_detail(ctl, "reason:", "ede", ede);
        return;
    }
    const char *text = json_is_object(ede) ? json_string_value(json_object_get(ede, "text")) : NULL;
    fprintf(ctl->out, "         %*s %s (EDE %d)%s%s\n", 11,
            "reason:", ede_to_text((uint16_t)json_integer_value(code)), (int)json_integer_value(code),
            text && text[0] ? ": " : "", text ? text : "");
}

static void print_incident(struct ctl *ctl, const json_t *incident)
{
    const char *cause = json_string_value(json_object_get(incident, "cause"));
    char since[48], next[48];
    if (!incident)
        return;
    fprintf(ctl->out, "         %*s %s since %s, next probe in %s: %s\n", 11,
            "incident:", json_string_value(json_object_get(incident, "state")),
            ctl_duration_text(json_integer_value(json_object_get(incident, "age_s")), since),
            ctl_duration_text(json_integer_value(json_object_get(incident, "next_probe_s")), next),
            cause ? cause : "");
}

static void print_link(struct ctl *ctl, const json_t *link, size_t depth)
{
    static const struct {
        const char *key, *label;
    } known[] = {
        {"anchor", "anchor:"}, {"ds", "DS:"},           {"ds_expires_s", "DS for:"},   {"keys", "keys:"},
        {"nta", "NTA:"},       {"kept_s", "kept for:"}, {"keys_kept_s", "keys kept:"}, {"text", "why:"}};
    const char *zone = json_string_value(json_object_get(link, "zone"));
    const char *security = json_string_value(json_object_get(link, "security")), *m = mark(link);
    int width = fprintf(ctl->out, "  %-4s %*s%s", m, (int)MIN(depth, 20u), "", zone ? zone : "-");
    fprintf(ctl->out, "%*s %s%s\n", width < 40 ? 40 - width : 1, "", security ? security : "unknown",
            strcmp(m, "FAIL") == 0 ? "   <== the chain breaks here" : "");
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        const json_t *value = json_object_get(link, known[i].key);
        if (!says_nothing(value) && !json_is_true(value))
            print_detail(ctl, known[i].label, known[i].key, value);
        else if (json_is_true(value))
            fprintf(ctl->out, "         %*s yes\n", 11, known[i].label);
    }
    print_incident(ctl, json_object_get(link, "incident"));
    if (!says_nothing(json_object_get(link, "ede")))
        print_ede(ctl, json_object_get(link, "ede"));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)link, key, value)
    {
        bool shown = strcmp(key, "zone") == 0 || strcmp(key, "security") == 0 || strcmp(key, "ede") == 0;
        char label[72];
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
            shown |= strcmp(key, known[i].key) == 0;
        /* That the DS is secure is said by the DS itself. */
        const char *word = json_string_value(value);
        shown |= strcmp(key, "ds_state") == 0 && word &&
                 (strcmp(word, "secure") == 0 || strcmp(word, "unknown") == 0);
        if (!shown && !says_nothing(value)) {
            ctl_label(key, label);
            strcat(label, ":");
            print_detail(ctl, label, key, value);
        }
    }
}

static bool is_bogus(const json_t *object)
{
    const char *security = json_string_value(json_object_get(object, "security"));
    return security && strcasecmp(security, "bogus") == 0;
}

/* Every zone of the chain may be right, and the records of the name itself be what fails. */
static void print_last_link(struct ctl *ctl, const json_t *report)
{
    const json_t *links = json_object_get(report, "links"), *answer = json_object_get(report, "answer");
    const char *name = json_string_value(json_object_get(report, "name"));
    size_t index;
    json_t *link;
    bool broken = false;
    json_array_foreach(links, index, link) broken |= is_bogus(link);
    if (broken || !is_bogus(answer))
        return;
    char type[64], owner[1100];
    snprintf(owner, sizeof(owner), "%s %s", name ? name : "-",
             ctl_value_text("type", json_object_get(report, "type"), type, sizeof(type)));
    json_t *last = json_pack("{s:s, s:s}", "zone", owner, "security", "bogus");
    const json_t *ede = json_object_get(answer, "ede");
    if (json_is_array(ede) && json_array_size(ede) > 0)
        json_object_set(last, "ede", json_array_get(ede, 0));
    print_link(ctl, last, json_array_size(links));
    json_decref(last);
}

static void print_answer(struct ctl *ctl, const json_t *answer)
{
    static const char *const skip[] = {"ede", "records", NULL};
    fputs("\nAnswer\n", ctl->out);
    if (!json_is_object(answer)) {
        char text[4096];
        fprintf(ctl->out, "  %s\n", ctl_value_text("answer", answer, text, sizeof(text)));
        return;
    }
    ctl_print_fields(ctl, answer, skip, 2);
    const json_t *ede = json_object_get(answer, "ede");
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(answer, "records"), index, one)
    {
        fputs("  ", ctl->out);
        if (json_is_string(one))
            fprintf(ctl->out, "%s\n", json_string_value(one));
        else
            ctl_print_entry(ctl, one);
    }
    if (json_is_array(ede))
        json_array_foreach(ede, index, one) print_ede(ctl, one);
    else if (!says_nothing(ede))
        print_ede(ctl, ede);
}

int ctl_print_explanation(struct ctl *ctl, const json_t *report)
{
    static const char *const skip[] = {"name", "type", "links", "servers", "answer", NULL};
    static const char *const columns[] = {"zone",      "server", "address", "name",
                                          "transport", "rtt_ms", "outcome", NULL};
    const json_t *links = json_object_get(report, "links"), *servers = json_object_get(report, "servers");
    const char *name = json_string_value(json_object_get(report, "name"));
    const json_t *type = json_object_get(report, "type");
    char text[64];
    size_t index;
    json_t *link;
    fprintf(ctl->out, "%s %s\n\nChain of trust\n", name ? name : "-",
            type ? ctl_value_text("type", type, text, sizeof(text)) : "");
    json_array_foreach(links, index, link) print_link(ctl, link, index);
    print_last_link(ctl, report);
    if (json_array_size(links) == 0)
        fputs("  nothing known; query the name first\n", ctl->out);
    if (json_array_size(servers) > 0) {
        fputs("\nServers asked\n", ctl->out);
        if (json_is_object(json_array_get(servers, 0)))
            ctl_print_table(ctl, servers, columns);
        else
            json_array_foreach(servers, index, link)
                fprintf(ctl->out, "  %s\n", ctl_value_text("server", link, text, sizeof(text)));
    }
    if (!says_nothing(json_object_get(report, "answer")))
        print_answer(ctl, json_object_get(report, "answer"));
    const char *key;
    json_t *value;
    bool more = false;
    json_object_foreach((json_t *)report, key, value)
    {
        bool shown = false;
        for (const char *const *s = skip; *s; s++)
            shown |= strcmp(*s, key) == 0;
        more |= !shown;
    }
    if (more) {
        fputc('\n', ctl->out);
        ctl_print_fields(ctl, report, skip, 0);
    }
    return CTL_OK;
}

int ctl_verb_explain(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    uint8_t wire[NAME_MAX];
    size_t size;
    uint16_t type = TYPE_A;
    json_t *json = NULL;
    const char *type_text = argc > 1 ? argv[1] : ctl->type;
    int code = ctl_name(ctl, argv[0], wire, &size);
    if (code != CTL_OK)
        return code;
    if (type_text && rrtype_from_text(type_text, &type) != 0)
        return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no record type; say for example MX or TYPE65", type_text);
    request.verb = (char *)"explain";
    request.name = (ProtobufCBinaryData){.data = wire, .len = size};
    request.type = type;
    code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code != CTL_OK)
        return code;
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, json);
    else
        ctl_print_explanation(ctl, json);
    json_decref(json);
    return CTL_OK;
}
