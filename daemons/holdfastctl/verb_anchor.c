/* Trust anchors and their RFC 5011 state: validatord's. */

#include <stdlib.h>
#include <string.h>

#include "common/conf/compile.h"
#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

static const char *const columns[] = {"zone",    "key_tag", "algorithm",           "state",
                                      "trusted", "source",  "hold_down_ends_at_s", "next_refresh_s",
                                      NULL};

static int ask(struct ctl *ctl, Holdfast__Control__Request *request)
{
    json_t *json = NULL;
    int code = ctl_request(ctl, CTL_VALIDATORD, request, &json);

    if (code == CTL_OK)
        code = ctl_print_report(ctl, json, "anchors", columns);
    json_decref(json);
    return code;
}

int ctl_verb_trust_anchor_list(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;

    request.verb = (char *)"trust-anchor-list";
    return ask(ctl, &request);
}

/* The words of the command line as one line of zone text. NULL: memory is short. */
static char *join(int argc, char **argv)
{
    size_t size = 1;
    char *text;

    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    text = calloc(1, size);
    for (int i = 0; text && i < argc; i++) {
        strcat(text, i ? " " : "");
        strcat(text, argv[i]);
    }
    return text;
}

int ctl_verb_trust_anchor_add(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    struct conf_anchor *anchor = calloc(1, sizeof(*anchor));
    char *text = join(argc, argv), why[160] = "";
    int code, r = anchor && text ? conf_anchor_from_text(text, anchor, why) : -1;

    if (r != 0) {
        code = ctl_fail(ctl, r > 0 ? CTL_USAGE : CTL_FAILED, "%s", r > 0 ? why : "out of memory");
    } else {
        request.verb = (char *)"trust-anchor-add";
        request.name = (ProtobufCBinaryData){.data = anchor->zone, .len = anchor->zone_size};
        request.type = anchor->type;
        request.rdata = (ProtobufCBinaryData){.data = anchor->rdata, .len = anchor->rdata_size};
        code = ask(ctl, &request);
    }
    free(anchor);
    free(text);
    return code;
}

int ctl_verb_trust_anchor_remove(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    uint8_t wire[NAME_MAX];
    size_t size;
    int code = ctl_name(ctl, argv[0], wire, &size);

    if (code != CTL_OK)
        return code;
    if (argc > 1) {
        char *end;
        unsigned long tag = strtoul(argv[1], &end, 10);
        if (argv[1][0] < '0' || argv[1][0] > '9' || *end || tag > 65535)
            return ctl_fail(
                ctl, CTL_USAGE,
                "\"%s\" is no key tag; write a number from 0 to 65535, as trust-anchor list shows it",
                argv[1]);
        request.by_tag = true;
        request.key_tag = (uint32_t)tag;
    }
    request.verb = (char *)"trust-anchor-remove";
    request.name = (ProtobufCBinaryData){.data = wire, .len = size};
    request.force = ctl->given & CTL_OPT_FORCE;
    return ask(ctl, &request);
}
