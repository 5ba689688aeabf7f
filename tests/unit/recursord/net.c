#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/recursord/net.h"

#include "common/wire/build.h"
#include "common/wire/rdata.h"

#define RTT_NS (10 * NS_PER_MS)

struct address net_address(const char *text)
{
    struct address a = {.port = 53};
    if (inet_pton(AF_INET, text, a.bytes) == 1) {
        a.family = 4;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, a.bytes), 1);
        a.family = 6;
    }
    return a;
}

struct rec_config net_config(void)
{
    static struct address root;
    static struct rec_hint hint;
    root = net_address("192.0.2.1");
    assert_int_equal(name_from_text("a.root.", hint.name), 0);
    hint.addresses = &root;
    hint.count = 1;
    return (struct rec_config){.hints = &hint,
                               .hint_count = 1,
                               .minimisation = REC_MINIMISE_RELAXED,
                               .case_randomisation = true,
                               .ipv4 = true,
                               .ipv6 = true,
                               .edns_size = 1232,
                               .server_timeout_ms = 400};
}

struct net *net_new(const struct rule *rules, const struct rec_config *config)
{
    struct net *net = calloc(1, sizeof(*net));
    struct siphash_key key = {.k0 = 7, .k1 = 11};
    assert_non_null(net);
    net->rules = rules;
    net->now_ns = NS_PER_S;
    net->seed = 4711;
    net->core = rec_core_new(config, &key);
    assert_non_null(net->core);
    struct env env = net_env(net);
    rec_core_tick(net->core, &env);
    net_drain(net);
    return net;
}

void net_free(struct net *net)
{
    rec_core_free(net->core);
    free(net);
}

struct env net_env(struct net *net)
{
    for (size_t i = 0; i < RANDOM_POOL_BYTES; i++) {
        net->seed = net->seed * 1664525u + 1013904223u;
        net->pool.bytes[i] = (uint8_t)(net->seed >> 24);
    }
    net->pool.left = RANDOM_POOL_BYTES;
    return (struct env){.mono = {.ns = net->now_ns}, .wall = {.s = 1700000000}, .random = &net->pool};
}

static void add_record(struct builder *b, enum section section, char *text, const uint8_t *qname)
{
    char owner[300], type[16], data[300];
    uint8_t name[NAME_MAX], rdata[NAME_MAX * 2 + 20];
    uint16_t number, size = 0;
    assert_int_equal(sscanf(text, " %299s %15s %299s", owner, type, data), 3);
    if (strcmp(owner, "@") == 0)
        name_copy(qname, name);
    else
        assert_int_equal(name_from_text(owner, name), 0);
    assert_int_equal(rrtype_from_text(type, &number), 0);
    if (number == TYPE_A || number == TYPE_AAAA) {
        struct address a = net_address(data);
        size = (uint16_t)address_size(&a);
        memcpy(rdata, a.bytes, size);
    } else if (number == TYPE_TXT) {
        size = (uint16_t)(strlen(data) + 1);
        rdata[0] = (uint8_t)(size - 1);
        memcpy(rdata + 1, data, size - 1u);
    } else {
        assert_int_equal(name_from_text(data, rdata), 0);
        size = (uint16_t)name_size(rdata);
        if (number == TYPE_SOA) {
            rdata[size++] = 0; /* RNAME . */
            memset(rdata + size, 0, 20);
            rdata[size + 19] = 60;
            size = (uint16_t)(size + 20);
        }
    }
    assert_int_equal(build_rr(b, section, name, number, CLASS_IN, 3600, rdata, size), 0);
}

static void add_records(struct builder *b, enum section section, const char *records, const uint8_t *qname)
{
    char copy[2048], *save = NULL;
    if (!records)
        return;
    assert_true(strlen(records) < sizeof(copy));
    strcpy(copy, records);
    for (char *one = strtok_r(copy, ";", &save); one; one = strtok_r(NULL, ";", &save))
        add_record(b, section, one, qname);
}

static const struct rule *find_rule(const struct net *net, const struct address *server,
                                    const struct message *query)
{
    for (const struct rule *rule = net->rules; rule->server; rule++) {
        uint8_t at[NAME_MAX];
        struct address address = net_address(rule->server);
        assert_int_equal(name_from_text(rule->at, at), 0);
        address.port = server->port;
        if (address_equal(&address, server) && name_is_under(query->qname, at) &&
            (!rule->qtype || rule->qtype == query->qtype))
            return rule;
    }
    return NULL;
}

static struct pending *schedule(struct net *net, uint64_t exchange, uint64_t delay_ns)
{
    for (unsigned i = 0; i < NET_MAX_PENDING; i++)
        if (!net->pending[i].used) {
            net->pending[i] =
                (struct pending){.used = true, .exchange = exchange, .at_ns = net->now_ns + delay_ns};
            return &net->pending[i];
        }
    fail_msg("too many pending replies");
    return NULL;
}

struct reply_form {
    uint16_t id, rcode, flags;
    bool tc, lower, bare, edns;
    uint8_t cookie[24];
    size_t cookie_size;
};

static void send_reply(struct net *net, uint64_t exchange, const struct message *query,
                       const struct rule *rule, const struct reply_form *form, uint64_t delay_ns)
{
    struct pending *p = schedule(net, exchange, delay_ns);
    struct builder b;
    build_begin(&b, p->wire, sizeof(p->wire), form->id,
                (uint16_t)(FLAG_QR | form->flags | (form->tc ? FLAG_TC : 0) | (form->rcode & 15)));
    if (form->bare) {
        p->size = build_end(&b);
        return;
    }
    build_question(&b, form->lower ? query->qname : query->qname_raw, query->qtype, CLASS_IN);
    if (!form->tc && !form->rcode) {
        add_records(&b, SECTION_ANSWER, rule->answer, query->qname);
        add_records(&b, SECTION_AUTHORITY, rule->authority, query->qname);
        add_records(&b, SECTION_ADDITIONAL, rule->additional, query->qname);
    } else if (form->rcode == RCODE_NXDOMAIN) {
        add_records(&b, SECTION_AUTHORITY, rule->authority, query->qname);
    }
    if (form->edns) {
        struct edns_reply opt = {.payload_size = 1232,
                                 .flags = EDNS_FLAG_DO,
                                 .rcode = form->rcode,
                                 .keepalive_ds = -1,
                                 .cookie = slice_make(form->cookie, form->cookie_size)};
        build_opt(&b, &opt);
    }
    p->size = build_end(&b);
    assert_true(p->size > 0);
    if ((rule->quirks & CUT_SHORT && form->tc) || rule->quirks & DAMAGED)
        p->size -= 3;
}

static void serve(struct net *net, const struct rec_action *action, const struct message *query)
{
    const struct rule *rule = find_rule(net, &action->server, query);
    bool udp = action->transport == REC_UDP;
    if (!rule || rule->quirks & SILENT || (udp && rule->quirks & SILENT_UDP))
        return;
    if (udp && query->edns.present && rule->quirks & DROPS_EDNS)
        return;
    if (rule->quirks & UNREACHABLE || (!udp && rule->quirks & CLOSES_TCP)) {
        schedule(net, action->exchange, 0)->failure =
            rule->quirks & UNREACHABLE ? REC_FAIL_UNREACHABLE : REC_FAIL_CLOSED;
        return;
    }
    struct reply_form form = {
        .id = query->id,
        .rcode = rule->rcode,
        .flags = (uint16_t)((rule->quirks & NO_AA ? 0 : FLAG_AA) | (rule->quirks & RA ? FLAG_RA : 0)),
        .edns = query->edns.present};
    if (!rule->answer && rule->authority && strstr(rule->authority, " NS "))
        form.flags &= (uint16_t)~FLAG_AA;
    if (query->edns.cookie.size && rule->quirks & (BAD_COOKIE | COOKIE | FORGETS_COOKIE | FOREIGN_COOKIE)) {
        memcpy(form.cookie, query->edns.cookie.data, 8);
        memset(form.cookie + 8, 0xab, 8);
        form.cookie_size = rule->quirks & FORGETS_COOKIE && udp && query->edns.cookie.size > 8 ? 0 : 16;
    }
    if (rule->quirks & FOREIGN_COOKIE && udp) {
        struct reply_form foreign = form;
        foreign.rcode = RCODE_NXDOMAIN;
        foreign.cookie[0] ^= 1;
        send_reply(net, action->exchange, query, rule, &foreign, RTT_NS / 2);
    }
    if (rule->quirks & (NO_EDNS | BARE_FORMERR) && query->edns.present) {
        form.rcode = RCODE_FORMERR;
        form.edns = false;
        form.bare = rule->quirks & BARE_FORMERR;
    }
    if (rule->quirks & BAD_COOKIE && udp && query->edns.cookie.size <= 8)
        form.rcode = RCODE_BADCOOKIE;
    if (udp) {
        form.tc = rule->quirks & (TRUNCATE | CUT_SHORT);
        form.lower = rule->quirks & LOWER_CASE;
        form.id = (uint16_t)(rule->quirks & WRONG_ID ? form.id + 1 : form.id);
    } else {
        form.lower = rule->quirks & LOWER_CASE_TCP;
    }
    if (rule->quirks & GARBAGE_FIRST && udp) {
        struct pending *p = schedule(net, action->exchange, RTT_NS / 4);
        memset(p->wire, 0xff, 40);
        memcpy(p->wire, action->wire.data, 12);
        p->wire[2] |= 0x80;
        p->size = 40;
        struct message other = *query;
        static const uint8_t elsewhere[] = {5, 'o', 't', 'h', 'e', 'r', 0};
        other.qname = other.qname_raw = elsewhere;
        send_reply(net, action->exchange, &other, rule, &form, RTT_NS / 2);
    }
    send_reply(net, action->exchange, query, rule, &form, RTT_NS);
}

static void on_send(struct net *net, const struct rec_action *action)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct message query;
    assert_int_equal(message_parse(arena, action->wire.data, action->wire.size, &query), MESSAGE_OK);
    assert_true(net->asked_count < NET_MAX_ASKED);
    struct asked *asked = &net->asked[net->asked_count++];
    *asked = (struct asked){.server = action->server,
                            .transport = action->transport,
                            .qtype = query.qtype,
                            .flags = query.flags,
                            .edns = query.edns.present && query.edns.flags & EDNS_FLAG_DO,
                            .has_server_cookie = query.edns.cookie.size > 8,
                            .at_ms = net->now_ns / NS_PER_MS};
    memcpy(asked->qname, query.qname_raw, name_size(query.qname_raw));
    net->open++;
    serve(net, action, &query);
}

static void on_cancel(struct net *net, uint64_t exchange)
{
    net->open--;
    for (unsigned i = 0; i < NET_MAX_PENDING; i++)
        if (net->pending[i].used && net->pending[i].exchange == exchange)
            net->pending[i].used = false;
}

static void on_evidence(struct net *net, const struct rec_action *action)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct message message;
    assert_int_equal(message_parse(arena, action->wire.data, action->wire.size, &message), MESSAGE_OK);
    /* Names in it may be compressed against the question, whose random case is nobody else's business. */
    if (message.qdcount == 1)
        for (size_t i = 0; i < name_size(message.qname); i++)
            assert_false(message.qname_raw[i] >= 'A' && message.qname_raw[i] <= 'Z');
    assert_true(net->proof_count < ARRAY_SIZE(net->proofs));
    struct proof *proof = &net->proofs[net->proof_count++];
    *proof = (struct proof){.kind = action->evidence,
                            .fetch = action->fetch,
                            .rcode = message.rcode,
                            .answers = message.count[SECTION_ANSWER],
                            .forwarded = action->forwarded};
    name_copy(action->cut, proof->cut);
}

void net_drain(struct net *net)
{
    struct rec_action action;
    while (rec_core_next_action(net->core, &action))
        switch (action.kind) {
        case REC_ACTION_SEND:
            on_send(net, &action);
            break;
        case REC_ACTION_CANCEL:
            on_cancel(net, action.exchange);
            break;
        case REC_ACTION_EVIDENCE:
            on_evidence(net, &action);
            break;
        case REC_ACTION_DONE:
            assert_false(net->done[action.fetch]);
            net->done[action.fetch] = true;
            net->result[action.fetch] = action;
            break;
        case REC_ACTION_PRIMED:
            net->primed++;
            break;
        }
}

void net_fetch_from(struct net *net, uint64_t id, const char *qname, uint16_t qtype, const char *cut,
                    const char *address, const struct budget *budget)
{
    struct env env = net_env(net);
    uint8_t name[NAME_MAX], zone[NAME_MAX], delegation[600];
    struct rec_fetch fetch = {.id = id, .qname = name, .qtype = qtype, .budget = budget_fresh(env.mono)};
    assert_int_equal(name_from_text(qname, name), 0);
    if (budget)
        fetch.budget = *budget;
    if (cut) {
        char records[600];
        struct builder b;
        assert_int_equal(name_from_text(cut, zone), 0);
        build_begin(&b, delegation, sizeof(delegation), 0, FLAG_QR);
        build_question(&b, zone, TYPE_NS, CLASS_IN);
        const char *below = strcmp(cut, ".") == 0 ? "" : cut;
        snprintf(records, sizeof(records), "%s NS ns.%s", cut, below);
        add_records(&b, SECTION_AUTHORITY, records, zone);
        snprintf(records, sizeof(records), "ns.%s A %s", below, address);
        add_records(&b, SECTION_ADDITIONAL, records, zone);
        fetch.cut = zone;
        fetch.delegation = slice_make(delegation, build_end(&b));
    }
    assert_int_equal(rec_core_fetch(net->core, &env, &fetch), 0);
    net_drain(net);
}

void net_fetch(struct net *net, uint64_t id, const char *qname, uint16_t qtype)
{
    net_fetch_from(net, id, qname, qtype, NULL, NULL, NULL);
}

static struct pending *earliest(struct net *net)
{
    struct pending *first = NULL;
    for (unsigned i = 0; i < NET_MAX_PENDING; i++)
        if (net->pending[i].used && (!first || net->pending[i].at_ns < first->at_ns))
            first = &net->pending[i];
    return first;
}

void net_run(struct net *net, uint64_t limit_ms)
{
    uint64_t limit = net->now_ns + limit_ms * NS_PER_MS;
    for (;;) {
        struct pending *p = earliest(net);
        uint64_t deadline = rec_core_deadline(net->core).ns;
        uint64_t next = p && p->at_ns <= deadline ? p->at_ns : deadline;
        if (next > limit)
            break;
        net->now_ns = MAX(net->now_ns, next);
        struct env env = net_env(net);
        if (p && p->at_ns == next) {
            struct pending now = *p;
            p->used = false;
            if (now.failure)
                rec_core_failed(net->core, &env, now.exchange, now.failure);
            else
                rec_core_reply(net->core, &env, now.exchange, slice_make(now.wire, now.size));
        } else {
            rec_core_tick(net->core, &env);
        }
        net_drain(net);
    }
    net->now_ns = MAX(net->now_ns, limit);
}

enum rec_outcome net_resolve(struct net *net, const char *qname, uint16_t qtype)
{
    net_fetch(net, 1, qname, qtype);
    net_run(net, 30000);
    assert_true(net->done[1]);
    assert_int_equal(net->open, 0);
    return net->result[1].outcome;
}

unsigned net_count(const struct net *net, const char *server, const char *qname, uint16_t qtype)
{
    unsigned count = 0;
    for (unsigned i = 0; i < net->asked_count; i++) {
        const struct asked *a = &net->asked[i];
        uint8_t name[NAME_MAX];
        if (server[0]) {
            struct address address = net_address(server);
            address.port = a->server.port;
            if (!address_equal(&address, &a->server))
                continue;
        }
        if (qname[0] && (name_from_text(qname, name) || !name_equal(name, a->qname)))
            continue;
        count += !qtype || qtype == a->qtype;
    }
    return count;
}

unsigned net_count_tcp(const struct net *net)
{
    unsigned count = 0;
    for (unsigned i = 0; i < net->asked_count; i++)
        count += net->asked[i].transport == REC_TCP;
    return count;
}

bool net_has_referral(const struct net *net, const char *cut)
{
    uint8_t zone[NAME_MAX];
    assert_int_equal(name_from_text(cut, zone), 0);
    for (unsigned i = 0; i < net->proof_count; i++)
        if (net->proofs[i].kind == REC_EVIDENCE_REFERRAL && name_equal(net->proofs[i].cut, zone))
            return true;
    return false;
}

const struct proof *net_answer(const struct net *net)
{
    for (unsigned i = 0; i < net->proof_count; i++)
        if (net->proofs[i].kind == REC_EVIDENCE_ANSWER)
            return &net->proofs[i];
    return NULL;
}
