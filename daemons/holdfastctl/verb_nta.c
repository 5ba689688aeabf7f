/* Negative trust anchors (RFC 7646): validatord's. */

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

/* In a table the last probe is a few words: what it found, at how many servers, and why. */
static void shorten_probe(json_t *nta)
{
    json_t *probe = json_object_get(nta, "probe");
    const char *result = json_string_value(json_object_get(probe, "result"));
    const char *reason = json_string_value(json_object_get(probe, "reason"));
    json_t *text = result ? json_sprintf("%s at %zu addresses%s%s", result,
                                         json_array_size(json_object_get(probe, "servers")),
                                         reason && reason[0] ? ": " : "", reason ? reason : "")
                          : json_string("not yet");
    json_object_set_new(nta, "probe", text);
}

int ctl_verb_nta_list(struct ctl *ctl, int argc, char **argv)
{
    static const char *const columns[] = {"name",  "lifetime_left_s", "source", "author", "reason",
                                          "added", "expires",         "forced", "probe",  NULL};
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL;
    request.verb = (char *)"nta-list";
    int code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code == CTL_OK && ctl->json == CTL_JSON_OFF)
        for (size_t i = 0; i < json_array_size(json_object_get(json, "ntas")); i++)
            shorten_probe(json_array_get(json_object_get(json, "ntas"), i));
    if (code == CTL_OK)
        code = ctl_print_report(ctl, json, "ntas", columns);
    json_decref(json);
    return code;
}

/* Who adds it: the user who logged in, also behind sudo. */
static const char *author(void)
{
    const char *name = getenv("SUDO_USER");
    const struct passwd *user = name && name[0] ? NULL : getpwuid(getuid());
    return name && name[0] ? name : user ? user->pw_name : "unknown";
}

static int change(struct ctl *ctl, const char *verb, const char *text, Holdfast__Control__Request *request,
                  const char *done)
{
    uint8_t wire[NAME_MAX];
    char name[NAME_TEXT_MAX];
    size_t size;
    json_t *json = NULL;
    int code = ctl_name(ctl, text, wire, &size);
    if (code != CTL_OK)
        return code;
    request->verb = (char *)verb;
    request->name = (ProtobufCBinaryData){.data = wire, .len = size};
    code = ctl_request(ctl, CTL_VALIDATORD, request, &json);
    if (code != CTL_OK)
        return code;
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, json);
    else if (ctl->legend) {
        fprintf(ctl->out, "%s %s\n", name_to_text(wire, name), done);
        ctl_print_fields(ctl, json, NULL, 4);
    }
    json_decref(json);
    return CTL_OK;
}

int ctl_verb_nta_add(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    uint64_t lifetime_ms = 0; /* validatord's default */
    int code = ctl->lifetime ? ctl_duration(ctl, ctl->lifetime, &lifetime_ms) : CTL_OK;
    if (code != CTL_OK)
        return code;
    if (ctl->reason && strlen(ctl->reason) > 255)
        return ctl_fail(ctl, CTL_USAGE, "--reason is longer than 255 octets");
    request.lifetime_ms = lifetime_ms;
    request.reason = (char *)(ctl->reason ? ctl->reason : "");
    request.author = (char *)author();
    request.force = ctl->given & CTL_OPT_FORCE;
    return change(ctl, "nta-add", argv[0], &request, "is accepted unvalidated until the lifetime ends.");
}

int ctl_verb_nta_remove(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    return change(ctl, "nta-remove", argv[0], &request, "is validated again.");
}
