/* One question to one server and the recognition of its reply: id, question, 0x20 case, cookie, EDNS.
 *
 * Over UDP anything may arrive: what is not the reply keeps the exchange waiting (THREATS: TuDoor), what
 * looks like a guess at it (wrong id, wrong case, no cookie from a server that has one) moves the question to
 * TCP. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/build.h"
#include "daemons/recursord/core/internal.h"

#define QUERY_MAX       512u
#define PLAIN_MS        900000u  /* a server without EDNS may have been mended after 15 min */
#define GUESS_MS        300000u  /* the same when only its silence says so */
#define SAME_CASE_MS    3600000u /* servers that change case do it for years */
#define GUESSES         3u       /* wrong ids from one server's address until only TCP is used for a while */
#define TCP_ONLY_MS     60000u
#define BAD_COOKIES_MAX 2u
#define LAST_WAIT_MS    200u /* what is left of the patience with silence, but long enough for a reply */
#define COOKIE_CLIENT   8u

struct exchange *exchange_find(struct rec_core *core, uint64_t id)
{
    struct list *bucket = table_bucket(&core->exchanges, id);
    LIST_FOREACH (pos, bucket) {
        struct exchange *x = CONTAINER_OF(table_node_of(pos), struct exchange, node);
        if (x->id == id)
            return x;
    }
    return NULL;
}

/* 0x20: a random bit for each letter, draft-vixie-dnsext-dns0x20. */
static void mix_case(const struct env *env, uint8_t *name)
{
    uint8_t bits[NAME_MAX / 8 + 1];
    size_t size = name_size(name);
    random_take(env->random, bits, size / 8 + 1);
    for (size_t i = 0; i < size; i++)
        if (name[i] >= 'a' && name[i] <= 'z' && (bits[i / 8] >> (i % 8) & 1))
            name[i] = (uint8_t)(name[i] - ('a' - 'A'));
}

/* RFC 7873 4.1: a function of the server's address and a secret, so that servers cannot link us. */
static void client_cookie(const struct rec_core *core, const struct address *server,
                          uint8_t ret[COOKIE_CLIENT])
{
    uint8_t input[18] = {'c', server->family};
    memcpy(input + 2, server->bytes, 16);
    uint64_t hash = siphash24(&core->key, input, sizeof(input));
    memcpy(ret, &hash, COOKIE_CLIENT);
}

static size_t build_query(const struct task *task, const struct exchange *x, const struct server *known,
                          uint8_t wire[QUERY_MAX])
{
    struct builder b;
    uint8_t cookie[REC_COOKIE_MAX];
    size_t cookie_size = COOKIE_CLIENT;
    build_begin(&b, wire, QUERY_MAX, x->dns_id, task->cut->forward ? FLAG_RD | FLAG_CD : 0);
    build_question(&b, x->qname, x->qtype, CLASS_IN);
    if (x->edns) {
        memcpy(cookie, x->client_cookie, COOKIE_CLIENT);
        if (known && known->has_cookie) {
            memcpy(cookie + COOKIE_CLIENT, known->cookie, known->cookie_size);
            cookie_size += known->cookie_size;
        }
        struct edns_reply opt = {.payload_size = task->config->c.edns_size,
                                 .flags = EDNS_FLAG_DO,
                                 .cookie = slice_make(cookie, cookie_size),
                                 .keepalive_ds = -1};
        build_opt(&b, &opt);
    }
    return build_end(&b);
}

static struct exchange *exchange_new(struct rec_core *core, const struct env *env, struct task *task,
                                     unsigned index, enum rec_transport transport, const struct server *known)
{
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x)
        return NULL;
    const struct cut_server *s = &task->cut->servers[index];
    const struct rec_config *c = &task->config->c;
    x->task = task;
    x->id = ++core->next_exchange;
    x->server = s->address;
    x->server_index = index;
    x->transport = transport;
    x->timer.kind = TIMER_EXCHANGE;
    x->sent_at = env->mono;
    x->dns_id = random_u16(env->random);
    x->qtype = task->minimised ? TYPE_A : task->qtype;
    bool plain = known && !mono_reached(env->mono, known->plain_until);
    /* A guess does not stand against an answer that failed validation: it may have lacked its signatures. */
    if (plain && known->guessed && s->avoid)
        plain = false;
    else if (known && !plain && !s->plain && transport == REC_UDP)
        x->guess = server_needs_plain(known);
    x->edns = !s->plain && !plain && !x->guess;
    client_cookie(core, &s->address, x->client_cookie);
    name_copy(task_question(task), x->qname);
    x->mixed = c->case_randomisation && !(known && !mono_reached(env->mono, known->same_case_until));
    if (x->mixed)
        mix_case(env, x->qname);
    return x;
}

int exchange_send(struct rec_core *core, const struct env *env, struct task *task, unsigned index,
                  enum rec_transport transport)
{
    struct cut_server *s = &task->cut->servers[index];
    struct server *known = servers_get(core, &s->address);
    if (known && !mono_reached(env->mono, known->tcp_until))
        transport = REC_TCP;
    struct exchange *x = exchange_new(core, env, task, index, transport, known);
    if (!x)
        return -ENOMEM;
    uint8_t wire[QUERY_MAX];
    size_t size = build_query(task, x, known, wire);
    struct rec_action *action = size ? core_action(core, REC_ACTION_SEND) : NULL;
    uint8_t *bytes = action ? arena_copy(core->action_arena, wire, size) : NULL;
    uint32_t timeout = server_timeout_ms(known, task->config, s->tries[transport], transport);
    uint64_t bearable = fetch_bearable_ms(core, task);
    if (transport == REC_UDP && bearable > task->silent_ms)
        timeout = (uint32_t)MIN((uint64_t)timeout, MAX(bearable - task->silent_ms, (uint64_t)LAST_WAIT_MS));
    if (!bytes || timer_arm(&core->timers, &x->timer, mono_add_ms(env->mono, timeout))) {
        if (action)
            action->kind = REC_ACTION_CANCEL; /* of nothing */
        free(x);
        return -ENOMEM;
    }
    action->exchange = x->id;
    action->server = x->server;
    action->transport = transport;
    action->wire = slice_make(bytes, size);
    table_insert(&core->exchanges, &x->node, x->id);
    if (!s->tries[REC_UDP] && !s->tries[REC_TCP])
        task_payer(task)->servers_asked++;
    s->tries[transport]++;
    task->exchange = x;
    if (known) {
        known->queries++;
        known->tried_plain = known->tried_plain || x->guess;
    }
    *(transport == REC_TCP ? &core->stats.queries_tcp : &core->stats.queries_udp) += 1;
    return 0;
}

void exchange_end(struct rec_core *core, struct exchange *x)
{
    struct rec_action *action = core_action(core, REC_ACTION_CANCEL);
    if (action) {
        action->exchange = x->id;
        action->server = x->server;
        action->transport = x->transport;
    }
    x->task->exchange = NULL;
    timer_stop(&core->timers, &x->timer);
    table_remove(&core->exchanges, &x->node);
    free(x);
}

/* RFC 7873 5.3. MATCH_REPLY: nothing against it. */
static enum match check_cookie(struct rec_core *core, const struct exchange *x, struct server *known,
                               const struct message *message)
{
    struct slice cookie = message->edns.cookie;
    if (!x->edns || !known)
        return MATCH_REPLY;
    if (cookie.size < COOKIE_CLIENT) {
        if (!known->has_cookie)
            return MATCH_REPLY;
        if (x->transport == REC_UDP) {
            core->stats.mismatches++;
            return MATCH_TCP;
        }
        known->has_cookie = false; /* said over TCP: it has really given them up */
        return MATCH_REPLY;
    }
    if (memcmp(cookie.data, x->client_cookie, COOKIE_CLIENT) != 0) {
        core->stats.mismatches++;
        return x->transport == REC_UDP ? MATCH_WAIT : MATCH_FAILED;
    }
    if (cookie.size >= 16 && cookie.size <= REC_COOKIE_MAX) {
        known->has_cookie = true;
        known->cookie_size = (uint8_t)(cookie.size - COOKIE_CLIENT);
        memcpy(known->cookie, cookie.data + COOKIE_CLIENT, known->cookie_size);
    }
    return MATCH_REPLY;
}

/* Id and question. MATCH_REPLY: they are ours. */
static enum match check_question(struct rec_core *core, const struct env *env, const struct exchange *x,
                                 struct server *known, int parsed, const struct message *message)
{
    enum match other = x->transport == REC_UDP ? MATCH_WAIT : MATCH_FAILED;
    if (parsed == MESSAGE_TOO_SHORT || !(message->flags & FLAG_QR) || message->opcode != OPCODE_QUERY)
        return other;
    if (message->id != x->dns_id) {
        core->stats.mismatches++;
        if (x->transport == REC_TCP)
            return MATCH_FAILED;
        if (known && ++known->wrong_ids >= GUESSES) {
            known->wrong_ids = 0;
            known->tcp_until = mono_add_ms(env->mono, TCP_ONLY_MS);
        }
        return MATCH_TCP;
    }
    if (message->qdcount == 0 && parsed == MESSAGE_OK && x->edns &&
        (message->rcode == RCODE_FORMERR || message->rcode == RCODE_NOTIMP))
        return MATCH_REPLY; /* servers that do not know EDNS send a bare header */
    if (message->qdcount != 1 || !message->qname || message->qtype != x->qtype ||
        message->qclass != CLASS_IN || !name_equal(message->qname, x->qname))
        return other;
    if (x->mixed && memcmp(message->qname_raw, x->qname, name_size(x->qname)) != 0) {
        core->stats.mismatches++;
        if (x->transport == REC_UDP)
            return MATCH_TCP;
        if (known) /* over TCP it is the server itself that changes the case */
            known->same_case_until = mono_add_ms(env->mono, SAME_CASE_MS);
    }
    return MATCH_REPLY;
}

/* Replies about EDNS and cookies rather than about the question. */
static enum match check_edns(const struct env *env, struct exchange *x, struct server *known,
                             const struct message *message)
{
    struct cut_server *s = &x->task->cut->servers[x->server_index];
    if (message->rcode == RCODE_BADCOOKIE && x->edns && x->transport == REC_UDP)
        return s->bad_cookies++ < BAD_COOKIES_MAX && known && known->has_cookie ? MATCH_AGAIN : MATCH_TCP;
    bool refuses_edns =
        message->rcode == RCODE_FORMERR || message->rcode == RCODE_NOTIMP || message->rcode == RCODE_BADVERS;
    if (refuses_edns && x->edns) {
        s->plain = true;
        return MATCH_AGAIN;
    }
    if (!known || refuses_edns)
        return MATCH_REPLY;
    if (x->edns) {
        known->knows_edns = true;
        known->guessed = false;
        known->plain_until = (mono_ns){0};
    } else if (s->plain || x->guess) { /* without EDNS it talks: RFC 6891 6.2.2 */
        known->guessed = !s->plain;
        known->plain_until = mono_add_ms(env->mono, s->plain ? PLAIN_MS : GUESS_MS);
    }
    return MATCH_REPLY;
}

enum match exchange_match(struct rec_core *core, const struct env *env, struct exchange *x, struct slice wire,
                          struct message *ret_message)
{
    enum match other = x->transport == REC_UDP ? MATCH_WAIT : MATCH_FAILED;
    arena_reset(core->scratch);
    int parsed = message_parse(core->scratch, wire.data, wire.size, ret_message);
    if (parsed < 0)
        return other; /* more than a reply may take: the packet's fault */
    struct server *known = servers_find(core, &x->server);
    enum match match = check_question(core, env, x, known, parsed, ret_message);
    if (match != MATCH_REPLY)
        return match;
    bool truncated = ret_message->flags & FLAG_TC;
    if (parsed != MESSAGE_OK) { /* some cut the packet in the middle of a record */
        x->malformed = !truncated;
        return truncated && x->transport == REC_UDP ? MATCH_TCP : other;
    }
    match = check_cookie(core, x, known, ret_message);
    if (match != MATCH_REPLY)
        return match;
    if (known)
        server_replied(core, known, (env->mono.ns - x->sent_at.ns) / 1000, x->transport == REC_UDP);
    core->stats.replies++;
    if (truncated)
        return x->transport == REC_UDP ? MATCH_TCP : MATCH_FAILED;
    return check_edns(env, x, known, ret_message);
}
