/* query: what the running resolver answers, asked like any client asks. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/conf/snapshot.h"
#include "common/wire/rdata.h"
#include "daemons/holdfastctl/ctl.h"
#include "daemons/holdfastctl/dns_client.h"

#define REPLY_MEMORY 4194304u
#define MAX_TYPES    32u
#define TEXT_ROOM    140000u /* 64 kB of RDATA with every octet escaped, beside what matters */

static void arena_done(struct arena **arena)
{
    arena_free(*arena);
}

/* "192.0.2.1@53", "2001:db8::1@53", or without the port. */
static int server_from_text(struct ctl *ctl, const char *text, struct address *ret_server)
{
    char host[64], *end;
    size_t size = strcspn(text, "@");
    unsigned long port = text[size] == '@' ? strtoul(text + size + 1, &end, 10) : 53;
    struct address server = {.port = (uint16_t)port};
    snprintf(host, sizeof(host), "%.*s", (int)MIN(size, 63u), text);
    if (inet_pton(AF_INET, host, server.bytes) == 1)
        server.family = 4;
    else if (inet_pton(AF_INET6, host, server.bytes) == 1)
        server.family = 6;
    if (server.family == 0 || port == 0 || port > 65535 || (text[size] == '@' && *end))
        return ctl_fail(ctl, CTL_USAGE, "--server=%s: say for example 127.0.0.1@53", text);
    *ret_server = server;
    return CTL_OK;
}

static bool is_any(const struct address *a)
{
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, 16) == 0;
}

static bool is_loopback(const struct address *a)
{
    return a->family == 4 ? a->bytes[0] == 127 : a->bytes[15] == 1 && a->bytes[0] == 0;
}

/* Where the running resolver listens: a loopback address when there is one. */
static int find_server(struct ctl *ctl, bool tcp, struct address *ret_server)
{
    Holdfast__Config__Snapshot *snapshot;
    const char *fault = NULL;
    char path[4200];
    if (ctl->server)
        return server_from_text(ctl, ctl->server, ret_server);
    snprintf(path, sizeof(path), "%s/config.pb", ctl->runtime_directory);
    int r = snapshot_load(path, &snapshot, &fault);
    if (r == -ENOENT)
        return ctl_fail(ctl, CTL_NOT_RUNNING,
                        "holdfast is not running in %s; start it, or name another --runtime-dir",
                        ctl->runtime_directory);
    if (r != 0)
        return ctl_fail(ctl, CTL_FAILED, "cannot read %s: %s", path, r < 0 ? strerror(-r) : fault);
    Holdfast__Config__Endpoint__Transport wanted =
        tcp ? HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__TCP : HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP;
    struct address found = {0};
    for (size_t i = 0; i < snapshot->n_listen; i++) {
        struct address address;
        if (snapshot->listen[i]->transport != wanted || snapshot_endpoint(snapshot->listen[i], &address) != 0)
            continue;
        if (is_any(&address)) {
            address.bytes[address.family == 4 ? 0 : 15] = address.family == 4 ? 127 : 1;
            address.bytes[3] = address.family == 4;
        }
        if (found.family == 0 || (!is_loopback(&found) && is_loopback(&address)))
            found = address;
    }
    snapshot_free(snapshot);
    if (found.family == 0)
        return ctl_fail(ctl, CTL_FAILED, "holdfast does not listen over %s; %s", tcp ? "TCP" : "UDP",
                        tcp ? "leave out --tcp" : "ask with --tcp");
    *ret_server = found;
    return CTL_OK;
}

static json_t *rr_json(const struct rr *rr, char *text)
{
    char owner[NAME_TEXT_MAX], type[16];
    rdata_to_text(rr->type, &rr->rdata, text, TEXT_ROOM);
    return json_pack("{s:s, s:s, s:I, s:s}", "name", name_to_text(rr->owner, owner), "type",
                     rrtype_to_text(rr->type, type), "ttl", (json_int_t)rr->ttl, "data", text);
}

static json_t *ede_json(const struct edns_ede *ede)
{
    /* The text is another's: bytes that are not UTF-8 would make the whole object fail. */
    json_t *text = json_stringn(ede->text ? ede->text : "", ede->text_size);
    return json_pack("{s:i, s:s, s:o}", "code", ede->code, "meaning", ede_to_text(ede->code), "text",
                     text ? text : json_string(""));
}

/* All that is to be said of one reply. */
static json_t *reply_json(const struct dns_question *question, const struct dns_reply *reply, char *text)
{
    char name[NAME_TEXT_MAX], type[16], rcode[16];
    const struct message *m = &reply->message;
    json_t *answer = json_array(), *ede = json_array();
    bool stale = false;
    for (uint16_t i = 0; i < m->count[SECTION_ANSWER]; i++)
        json_array_append_new(answer, rr_json(&m->rr[SECTION_ANSWER][i], text));
    for (uint8_t i = 0; i < m->edns.ede_count; i++) {
        json_array_append_new(ede, ede_json(&m->edns.ede[i]));
        stale |= m->edns.ede[i].code == EDE_STALE_ANSWER || m->edns.ede[i].code == EDE_STALE_NXDOMAIN;
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:f, s:o, s:o}", "name",
                     name_to_text(question->qname, name), "type", rrtype_to_text(question->qtype, type),
                     "rcode", rcode_to_text(m->rcode, rcode), "authenticated", (m->flags & FLAG_AD) != 0,
                     "stale", stale, "transport", reply->tcp ? "tcp" : "udp", "elapsed_ms", reply->elapsed_ms,
                     "answer", answer, "ede", ede);
}

/* "DNSSEC Bogus (EDE 6): text", "; " between several. */
static void ede_line(const json_t *report, char *buf, size_t room)
{
    size_t index;
    json_t *ede;
    buf[0] = '\0';
    json_array_foreach(json_object_get(report, "ede"), index, ede)
    {
        const char *meaning = json_string_value(json_object_get(ede, "meaning"));
        const char *text = json_string_value(json_object_get(ede, "text"));
        size_t size = strlen(buf);
        snprintf(buf + size, room - size, "%s%s (EDE %d)%s%s", index ? "; " : "",
                 meaning && meaning[0] ? meaning : "Extended error",
                 (int)json_integer_value(json_object_get(ede, "code")), text && text[0] ? ": " : "",
                 text ? text : "");
    }
    /* It came over the network: nothing of it may steer a terminal. */
    for (char *c = buf; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

/* Without what the reply before showed already: the CNAMEs, when A and AAAA are asked for. */
static void print_answer(struct ctl *ctl, const json_t *report, const json_t *before)
{
    size_t index, other;
    json_t *rr, *shown;
    json_array_foreach(json_object_get(report, "answer"), index, rr)
    {
        char ttl[48];
        bool again = false;
        json_array_foreach(json_object_get(before, "answer"), other, shown) again |=
            json_equal(json_object_get(rr, "name"), json_object_get(shown, "name")) &&
            json_equal(json_object_get(rr, "type"), json_object_get(shown, "type")) &&
            json_equal(json_object_get(rr, "data"), json_object_get(shown, "data"));
        if (again)
            continue;
        int width = fprintf(ctl->out, "%s %s %s %s", json_string_value(json_object_get(rr, "name")),
                            ctl->class ? ctl->class : "IN", json_string_value(json_object_get(rr, "type")),
                            json_string_value(json_object_get(rr, "data")));
        if (ctl->legend)
            fprintf(ctl->out, "%*s -- ttl: %s", width < 56 ? 56 - width : 0, "",
                    ctl_duration_text(json_integer_value(json_object_get(rr, "ttl")), ttl));
        fputc('\n', ctl->out);
    }
}

/* NXDOMAIN, no data, failure: what the reply says beside its records. 0 when it has records. */
static int print_trouble(struct ctl *ctl, const json_t *report, bool has_data)
{
    char ede[1400];
    const char *rcode = json_string_value(json_object_get(report, "rcode"));
    const char *name = json_string_value(json_object_get(report, "name"));
    const char *type = json_string_value(json_object_get(report, "type"));
    ede_line(report, ede, sizeof(ede));
    const char *between = ede[0] ? "; " : "";
    if (strcmp(rcode, "NXDOMAIN") == 0)
        return ctl_fail(ctl, CTL_FAILED, "%s: resolve call failed: the name does not exist%s%s", name,
                        between, ede);
    if (strcmp(rcode, "NOERROR") != 0)
        return ctl_fail(ctl, CTL_FAILED, "%s %s: resolve call failed: %s%s%s", name, type, rcode, between,
                        ede);
    if (!has_data)
        return ctl_fail(ctl, CTL_FAILED, "%s: the name has no %s record%s%s", name, type, between, ede);
    return CTL_OK;
}

static bool has_data(const json_t *report)
{
    return json_array_size(json_object_get(report, "answer")) > 0;
}

/* What holds for all that was printed: several questions, as for A and AAAA, are summed up. */
static void print_legend(struct ctl *ctl, json_t **reports, size_t count, bool any_data)
{
    double elapsed_ms = 0;
    bool tcp = false, authenticated = true, stale = false, printed = false;
    char ede[1400], before[1400] = "";
    for (size_t i = 0; i < count; i++) {
        elapsed_ms += json_real_value(json_object_get(reports[i], "elapsed_ms"));
        tcp |= strcmp(json_string_value(json_object_get(reports[i], "transport")), "tcp") == 0;
        if (any_data && !has_data(reports[i]))
            continue;
        authenticated &= json_is_true(json_object_get(reports[i], "authenticated"));
        stale |= json_is_true(json_object_get(reports[i], "stale"));
        printed |= has_data(reports[i]);
    }
    fprintf(ctl->out, "%s-- Information acquired via protocol DNS over %s in %.1fms.\n", printed ? "\n" : "",
            tcp ? "tcp" : "udp", elapsed_ms);
    fprintf(ctl->out, "-- Data is authenticated: %s; Data is stale: %s\n", authenticated ? "yes" : "no",
            stale ? "yes" : "no");
    for (size_t i = 0; i < count; i++) {
        ede_line(reports[i], ede, sizeof(ede));
        if (ede[0] && strcmp(ede, before) != 0)
            fprintf(ctl->out, "-- %s\n", ede);
        memcpy(before, ede, sizeof(before));
    }
}

/* One type of one name. *ret_report is a new reference when CTL_OK. */
static int ask(struct ctl *ctl, const struct address *server, const struct dns_question *question,
               json_t **ret_report)
{
    _cleanup_(arena_done) struct arena *arena = arena_new(REPLY_MEMORY);
    struct dns_reply reply;
    char name[NAME_TEXT_MAX], type[16], *text = arena ? arena_alloc(arena, TEXT_ROOM) : NULL;
    int r = text ? dns_ask(server, question, arena, &reply) : -ENOMEM;
    name_to_text(question->qname, name);
    rrtype_to_text(question->qtype, type);
    if (r == -ECONNREFUSED)
        return ctl_fail(ctl, CTL_NOT_RUNNING, "%s %s: nobody answers at port %u; is holdfast running?", name,
                        type, server->port);
    if (r == -ETIMEDOUT)
        return ctl_fail(ctl, CTL_FAILED, "%s %s: no answer in time", name, type);
    if (r != 0)
        return ctl_fail(ctl, CTL_FAILED, "%s %s: %s", name, type,
                        r < 0 ? strerror(-r) : "the reply is malformed");
    *ret_report = reply_json(question, &reply, text);
    return *ret_report ? CTL_OK : ctl_fail(ctl, CTL_FAILED, "memory is short");
}

/* Types from --type and the command line, commas between; none: addresses, as resolvectl asks. */
static int collect_types(struct ctl *ctl, int argc, char **argv, bool reverse, uint16_t types[MAX_TYPES],
                         size_t *ret_count)
{
    size_t count = 0;
    for (int i = 0; i < argc; i++) {
        const char *list = i == 0 ? ctl->type : argv[i];
        for (; list && *list; list += strcspn(list, ",") + (strchr(list, ',') != NULL)) {
            char word[24];
            snprintf(word, sizeof(word), "%.*s", (int)MIN(strcspn(list, ","), sizeof(word) - 1), list);
            if (count == MAX_TYPES)
                return ctl_fail(ctl, CTL_USAGE, "more than %u types at once", MAX_TYPES);
            if (rrtype_from_text(word, &types[count]) != 0)
                return ctl_fail(ctl, CTL_USAGE, "\"%s\" is no record type; say for example MX or TYPE65",
                                word);
            count++;
        }
    }
    if (count == 0) {
        types[count++] = reverse ? TYPE_PTR : TYPE_A;
        if (!reverse)
            types[count++] = TYPE_AAAA;
    }
    *ret_count = count;
    return CTL_OK;
}

static int show(struct ctl *ctl, json_t **reports, size_t count, bool addresses)
{
    int code = CTL_OK;
    if (ctl->json != CTL_JSON_OFF) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append(list, reports[i]);
        ctl_print_json(ctl, count == 1 ? reports[0] : list);
        json_decref(list);
    }
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (ctl->json == CTL_JSON_OFF)
            print_answer(ctl, reports[i], i > 0 ? reports[i - 1] : NULL);
        any |= has_data(reports[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const char *rcode = json_string_value(json_object_get(reports[i], "rcode"));
        bool data = has_data(reports[i]), no_data = !data && strcmp(rcode, "NOERROR") == 0;
        /* Of A and AAAA one may be missing; a name that does not exist is said once. */
        if (code != CTL_OK && (strcmp(rcode, "NXDOMAIN") == 0 || (addresses && no_data)))
            continue;
        if (addresses && no_data && (any || i + 1 < count))
            continue;
        if (addresses && no_data)
            code = ctl_fail(ctl, CTL_FAILED, "%s: the name has no address",
                            json_string_value(json_object_get(reports[i], "name")));
        else if (print_trouble(ctl, reports[i], data) != CTL_OK)
            code = CTL_FAILED;
    }
    if (ctl->legend && ctl->json == CTL_JSON_OFF)
        print_legend(ctl, reports, count, any);
    return code;
}

int ctl_verb_query(struct ctl *ctl, int argc, char **argv)
{
    char reverse[80];
    uint8_t qname[NAME_MAX];
    uint16_t types[MAX_TYPES];
    size_t size, count, asked = 0;
    struct address server;
    bool is_address = ctl_reverse_name(argv[0], reverse) == 0, tcp = ctl->given & CTL_OPT_TCP;
    int code = ctl_name(ctl, is_address ? reverse : argv[0], qname, &size);
    if (code == CTL_OK)
        code = collect_types(ctl, argc, argv, is_address, types, &count);
    uint16_t qclass = CLASS_IN;
    if (code == CTL_OK && ctl->class && strcasecmp(ctl->class, "CH") == 0)
        qclass = CLASS_CH;
    else if (code == CTL_OK && ctl->class && strcasecmp(ctl->class, "IN") != 0)
        return ctl_fail(ctl, CTL_USAGE, "--class=%s: say IN or CH", ctl->class);
    if (code == CTL_OK)
        code = find_server(ctl, tcp, &server);
    if (code != CTL_OK)
        return code;
    json_t *reports[MAX_TYPES];
    for (; asked < count && code == CTL_OK; asked += code == CTL_OK) {
        const struct dns_question question = {.qname = qname,
                                              .qtype = types[asked],
                                              .qclass = qclass,
                                              .checking_disabled = ctl->given & CTL_OPT_CD,
                                              .tcp = tcp};
        code = ask(ctl, &server, &question, &reports[asked]);
    }
    if (code == CTL_OK)
        code = show(ctl, reports, count, count == 2 && types[0] == TYPE_A && types[1] == TYPE_AAAA);
    for (size_t i = 0; i < asked; i++)
        json_decref(reports[i]);
    return code;
}
