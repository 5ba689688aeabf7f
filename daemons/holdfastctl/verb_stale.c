/* serve-stale: where answers from expired data are given (RFC 8767), shown and switched. */

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

/* argv: the word, and the zone, where one is given: "." is the switch as a whole. */
static int serve_stale(struct ctl *ctl, const char *word, int argc, char **argv)
{
    static const char *const columns[] = {"zone", "serve_stale", NULL};
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    uint8_t wire[NAME_MAX];
    size_t size;
    json_t *json = NULL;
    request.verb = (char *)"serve-stale";
    request.text = (char *)word;
    if (argc > 0) {
        int code = ctl_name(ctl, argv[0], wire, &size);
        if (code != CTL_OK)
            return code;
        request.name = (ProtobufCBinaryData){.data = wire, .len = size};
    }
    int code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code == CTL_OK)
        code = ctl_print_report(ctl, json, "switched", columns);
    json_decref(json);
    return code;
}

int ctl_verb_stale_status(struct ctl *ctl, int argc, char **argv)
{
    return serve_stale(ctl, "status", argc, argv);
}

int ctl_verb_stale_on(struct ctl *ctl, int argc, char **argv)
{
    return serve_stale(ctl, "on", argc, argv);
}

int ctl_verb_stale_off(struct ctl *ctl, int argc, char **argv)
{
    return serve_stale(ctl, "off", argc, argv);
}

int ctl_verb_stale_reset(struct ctl *ctl, int argc, char **argv)
{
    return serve_stale(ctl, "reset", argc, argv);
}
