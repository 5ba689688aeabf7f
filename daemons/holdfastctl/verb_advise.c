/* nta probe and nta advise: what the servers of a zone say now, and the evidence that tells a broken zone
 * from an attack. Neither changes anything: whether an NTA is right is the operator's decision (RFC 7646 2).
 */

#include <string.h>

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void print_servers(struct ctl *ctl, const json_t *probe)
{
    static const char *const columns[] = {"address", "udp", "tcp", NULL};
    const json_t *servers = json_object_get(probe, "servers");
    if (json_array_size(servers) > 0)
        ctl_print_table(ctl, servers, columns);
}

int ctl_verb_nta_probe(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    uint8_t wire[NAME_MAX];
    char name[NAME_TEXT_MAX];
    size_t size;
    json_t *json = NULL;
    int code = ctl_name(ctl, argv[0], wire, &size);
    if (code != CTL_OK)
        return code;
    request.verb = (char *)"nta-probe";
    request.name = (ProtobufCBinaryData){.data = wire, .len = size};
    code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code != CTL_OK)
        return code;
    const char *result = text_of(json, "result");
    if (ctl->json != CTL_JSON_OFF) {
        ctl_print_json(ctl, json);
    } else {
        const char *reason = text_of(json, "reason");
        fprintf(ctl->out, "%s %s%s%s\n", name_to_text(wire, name), result, reason[0] ? ": " : "", reason);
        print_servers(ctl, json);
    }
    code = strcmp(result, "valid") == 0 ? CTL_OK : CTL_FAILED;
    json_decref(json);
    return code;
}

static void print_evidence(struct ctl *ctl, const json_t *advice)
{
    const json_t *probe = json_object_get(advice, "evidence");
    char age[48];
    long long same = number_of(probe, "data_as_before"), changed = number_of(probe, "data_changed");
    long long span = number_of(advice, "insecure_span_permille");

    fprintf(ctl->out, "%s\n", text_of(advice, "zone"));
    fprintf(ctl->out, "    what fails:    %s\n", text_of(probe, "reason"));
    fprintf(ctl->out, "    since:         %s\n", ctl_duration_text(number_of(advice, "age_s"), age));
    fprintf(ctl->out, "    keys and DS:   %s\n",
            json_is_true(json_object_get(probe, "keys_match_ds"))
                ? "agree: the DNSKEY set validates, so signatures were made with another key or have expired"
                : "do not agree: no key of the zone is one that its DS names");
    fprintf(ctl->out, "    servers:       %zu addresses serve %s, over UDP and TCP\n",
            json_array_size(json_object_get(probe, "servers")),
            json_is_true(json_object_get(probe, "servers_differ"))
                ? "the same data, but differ in its signatures"
                : "the same");
    if (same + changed > 0)
        fprintf(ctl->out, "    data:          %lld of %lld records that fail are what last validated\n", same,
                same + changed);
    fprintf(ctl->out,
            "    hit so far:    %lld names, %lld questions: %lld answered from kept links, %lld stale, %lld "
            "failed\n",
            number_of(advice, "names"), number_of(advice, "questions"), number_of(advice, "continued"),
            number_of(advice, "stale"), number_of(advice, "failed"));
    if (span >= 0)
        fprintf(ctl->out, "    never seen:    kept opt-out spans cover %lld.%lld %% of the zone\n", span / 10,
                span % 10);
    fprintf(ctl->out, "    if you know that it is a mistake of the zone's:\n        %s\n",
            text_of(advice, "command"));
    print_servers(ctl, probe);
}

int ctl_verb_nta_advise(struct ctl *ctl, int argc, char **argv)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    json_t *json = NULL, *one;
    size_t index;
    request.verb = (char *)"nta-advise";
    int code = ctl_request(ctl, CTL_VALIDATORD, &request, &json);
    if (code != CTL_OK)
        return code;
    const json_t *advice = json_object_get(json, "advice");
    if (ctl->json != CTL_JSON_OFF)
        ctl_print_json(ctl, json);
    else if (json_array_size(advice) == 0 && ctl->legend)
        fputs("No zone calls for a negative trust anchor.\n", ctl->out);
    else
        json_array_foreach(advice, index, one) print_evidence(ctl, one);
    json_decref(json);
    return CTL_OK;
}
