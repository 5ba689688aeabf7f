#include "tests/replay/player.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "tests/replay/entry.h"
#include "tests/replay/expect.h"
#include "tests/replay/options.h"
#include "tests/replay/world.h"
#include "tests/replay/zone.h"

/* From one reply to the next, where the scenario names no round trip: so little that its seconds stay its
 * own.
 */
#define NETWORK_DELAY_NS 20000u
#define PATIENCE_S       40u /* virtual seconds that an answer may take */
#define MAX_OUT          2000u
#define SETTLE_MAX       20000u

struct player {
    const struct scenario *scenario;
    struct world *world;
    const struct rpl_step *step;
    bool trace, scripted_pending;    /* later steps want to answer what is pending themselves */
    unsigned checked;                /* answers looked at so far, in order of asking */
    char *out[MAX_OUT];              /* what was asked upstream, for the report */
    unsigned out_count, out_counted; /* counted: by SENT */
    bool counting, minimised;
    uint32_t delay_ms; /* of every reply, so that what is asked at once is answered at once; 0: none */
    struct rpl_entry for_minimised;
};

static void address_text(const struct address *a, char text[64])
{
    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, text, 48);
}

static void note_out(struct player *p, const struct exchange *exchange, const char *fate)
{
    char server[64], line[1400], name[NAME_TEXT_MAX] = "?", type[16] = "?";
    _cleanup_(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct message message;
    address_text(&exchange->server, server);
    if (message_parse(arena, exchange->wire, exchange->size, &message) == MESSAGE_OK && message.qname) {
        name_to_text(message.qname_raw, name);
        ldns_rr_type t = (ldns_rr_type)message.qtype;
        char *text = ldns_rr_type2str(t);
        snprintf(type, sizeof(type), "%s", text);
        free(text);
    }
    snprintf(line, sizeof(line), "step %u: %s %s to %s%s: %s", p->step ? p->step->number : 0, name, type,
             server, exchange->tcp ? " (tcp)" : "", fate);
    if (p->out_count < MAX_OUT)
        p->out[p->out_count++] = strdup(line);
    if (p->trace)
        printf("%s\n", line);
}

static bool later_steps_answer(const struct rpl_step *step)
{
    for (; step; step = step->next)
        if (step->kind == RPL_STEP_REPLY || step->kind == RPL_STEP_TIMEOUT || step->kind == RPL_STEP_ERROR ||
            step->kind == RPL_STEP_CHECK_OUT_QUERY)
            return true;
    return false;
}

static bool range_is_here(const struct player *p, const struct rpl_range *range,
                          const struct exchange *exchange)
{
    bool here = range->address_count == 0;
    for (unsigned i = 0; !here && i < range->address_count; i++)
        here = memcmp(range->address[i].bytes, exchange->server.bytes, 16) == 0 &&
               range->address[i].family == exchange->server.family;
    return here && p->step->number >= range->from && p->step->number <= range->to;
}

/* Where ranges overlap, the last one in the file speaks in testbound, the first in Deckard. */
static const struct rpl_entry *find_entry(const struct player *p, const struct exchange *exchange,
                                          struct slice query)
{
    const struct rpl_entry *found = NULL;
    for (const struct rpl_range *range = p->scenario->ranges; range; range = range->next) {
        const struct rpl_entry *entry = range_is_here(p, range, exchange) ? range->entries : NULL;
        while (entry && !entry_matches(entry, query, exchange->tcp))
            entry = entry->next;
        if (entry && !p->scenario->sections)
            return entry;
        found = entry ? entry : found;
    }
    return found;
}

/* Deckard's servers know minimised questions of type NS alone. Which type an engine asks for is its choice
 * (RFC 9156 2.1), and a referral, or that there is nothing, is the same for both. */
static const struct rpl_entry *find_minimised(struct player *p, const struct exchange *exchange)
{
    uint8_t query[65536];
    size_t at = 12;
    memcpy(query, exchange->wire, exchange->size);
    while (at < exchange->size && query[at])
        at += query[at] + 1u;
    if (at + 3 > exchange->size || query[at + 1] != 0 || query[at + 2] != TYPE_A)
        return NULL;
    query[at + 2] = TYPE_NS;
    const struct rpl_entry *entry = find_entry(p, exchange, slice_make(query, exchange->size));
    if (!entry || ldns_rr_list_rr_count(entry->section[0]) > 0)
        return NULL;
    p->for_minimised = *entry;
    p->for_minimised.copy_query = true;
    return &p->for_minimised;
}

static const struct rpl_entry *range_entry(struct player *p, const struct exchange *exchange)
{
    const struct rpl_entry *entry = find_entry(p, exchange, slice_make(exchange->wire, exchange->size));
    return entry || p->scenario->sections || !p->minimised ? entry : find_minimised(p, exchange);
}

static void deliver(struct player *p, struct exchange *exchange, const uint8_t *reply, size_t size)
{
    if (p->trace && size) {
        char *text = message_show(slice_make(reply, size));
        printf("%s\n", text);
        free(text);
    }
    world_advance_to(p->world, p->delay_ms ? mono_add_ms(exchange->sent, p->delay_ms)
                                           : (mono_ns){.ns = world_now(p->world).ns + NETWORK_DELAY_NS});
    /* The clock moved: a timer may have ended the exchange. */
    LIST_FOREACH (pos, world_exchanges(p->world)) {
        if (CONTAINER_OF(pos, struct exchange, link) == exchange) {
            world_reply(p->world, exchange, slice_make(reply, size));
            return;
        }
    }
}

static void answer_exchange(struct player *p, struct exchange *exchange, const struct rpl_entry *entry)
{
    static uint8_t reply[65536], question[65536];
    size_t size;
    memcpy(question, exchange->wire, exchange->size);
    if (entry) {
        size = entry_reply(entry, slice_make(question, exchange->size), reply);
    } else {
        size = exchange->size; /* nobody there: SERVFAIL, with the question copied */
        memcpy(reply, question, size);
        reply[2] |= 0x80;
        reply[3] = (uint8_t)((reply[3] & 0xf0) | RCODE_SERVFAIL);
    }
    deliver(p, exchange, reply, size);
}

/* The scenario's own zones answer. False: none lives at that address. */
static bool zones_answer_exchange(struct player *p, struct exchange *exchange)
{
    static uint8_t reply[65536], question[65536];
    const struct scenario *s = p->scenario;
    struct slice query = slice_make(question, exchange->size);
    memcpy(question, exchange->wire, exchange->size);
    const struct play_server *fault = server_fault(s->servers, &exchange->server, p->step->number, query);
    if (fault && fault->how == MISBEHAVE_NO_DNSSEC)
        server_forget_do(question, exchange->size);
    size_t size = zone_answer(s->zones, &exchange->server, p->step->number, query, exchange->tcp, reply);
    if (!size && !fault)
        return false;
    if (fault)
        size = server_spoil(fault, query, exchange->tcp, reply, size);
    note_out(p, exchange, size ? "answered by a zone" : "silence");
    if (size)
        deliver(p, exchange, reply, size);
    return true;
}

/* Lets the network answer whatever the ranges of this step answer. */
static void settle(struct player *p)
{
    struct exchange *exchange;
    unsigned count = 0;
    while ((exchange = world_next_exchange(p->world)) && count++ < SETTLE_MAX) {
        const struct rpl_entry *entry = range_entry(p, exchange);
        if (!entry && zones_answer_exchange(p, exchange))
            continue;
        if (!entry && p->scripted_pending) {
            note_out(p, exchange, "pending");
            continue;
        }
        bool silent = entry && entry->silent;
        note_out(p, exchange, silent ? "silence" : entry ? "answered" : "no entry, SERVFAIL");
        if (!silent)
            answer_exchange(p, exchange, entry);
    }
}

static void pass_time(struct player *p, mono_ns until)
{
    for (mono_ns next = world_deadline(p->world); next.ns <= until.ns; next = world_deadline(p->world)) {
        world_advance_to(p->world, next);
        settle(p);
    }
    if (until.ns > world_now(p->world).ns)
        world_advance_to(p->world, until);
    settle(p);
}

static struct world_client *client_number(struct player *p, unsigned number)
{
    unsigned at = 0;
    LIST_FOREACH (pos, world_clients(p->world))
        if (at++ == number)
            return CONTAINER_OF(pos, struct world_client, link);
    return NULL;
}

static int report(struct player *p, const char *why, const struct rpl_entry *wanted, struct slice given)
{
    printf("%s step %u: %s\n", p->scenario->path, p->step->number, why);
    if (wanted) {
        char *text = entry_show(wanted);
        printf("--- wanted\n%s", text);
        free(text);
    }
    if (given.size) {
        char *text = message_show(given);
        printf("--- given\n%s", text);
        free(text);
    }
    printf("--- asked upstream\n");
    for (unsigned i = 0; i < p->out_count; i++)
        printf("%s\n", p->out[i]);
    return 1;
}

static int step_query(struct player *p)
{
    static uint8_t packet[65536];
    struct address from = p->step->address;
    size_t size = entry_reply(p->step->entry, (struct slice){0}, packet);
    if (from.family == 0)
        scenario_address("127.0.0.1", &from);
    bool raw = p->step->entry->has_raw;
    struct world_client *client =
        world_ask(p->world, slice_make(packet, size), &from, raw ? NETD_UDP : NETD_TCP);
    settle(p);
    /* What raw bytes are answered with is looked at only where the next step does. */
    if (raw && client->answered && !(p->step->next && p->step->next->kind == RPL_STEP_CHECK_ANSWER))
        p->checked++;
    return 0;
}

static struct world_client *next_answer(struct player *p)
{
    mono_ns patience = mono_add_ms(world_now(p->world), PATIENCE_S * 1000u);
    struct world_client *client = NULL;
    for (;;) {
        /* Answers are looked at in the order in which they were asked for; one that waits lets later ones
         * pass. */
        unsigned waiting = 0;
        for (unsigned i = p->checked; (client = client_number(p, i)); i++, waiting++)
            if (client->answered)
                break;
        if (client)
            break;
        mono_ns next = world_deadline(p->world);
        if (next.ns > patience.ns)
            break;
        world_advance_to(p->world, next);
        settle(p);
    }
    return client;
}

static int step_check_answer(struct player *p)
{
    char why[256];
    struct world_client *client = next_answer(p);
    if (!client)
        return report(p, "no answer came", p->step->entry, (struct slice){0});
    p->checked++;
    if (client->reply_size == 0)
        return report(p, "the question was dropped", p->step->entry, (struct slice){0});
    struct slice given = slice_make(client->reply, client->reply_size);
    if (entry_check(p->step->entry, given, why, sizeof(why)))
        return report(p, why, p->step->entry, given);
    return 0;
}

/* {tag:NAME} is the key tag, five digits, of the key that a KEY line calls NAME. */
static const char *with_tags(const struct player *p, const char *ask, char *buf, size_t room)
{
    const char *at = strstr(ask, "{tag:"), *end = at ? strchr(at, '}') : NULL;
    unsigned tag;
    if (!end || ring_tag(p->scenario->zones, at + 5, (size_t)(end - at - 5), &tag))
        return ask;
    snprintf(buf, room, "%.*s%05u%s", (int)(at - ask), ask, tag, end + 1);
    return buf;
}

/* One line: the question, and what is expected of its answer. */
static int step_ask(struct player *p)
{
    char ask[1100];
    static uint8_t packet[1024];
    struct expectation expect;
    struct address from;
    char why[512];
    unsigned out_before = p->out_count;
    mono_ns asked = world_now(p->world);
    if (expect_read(with_tags(p, p->step->ask, ask, sizeof(ask)), &expect, packet, why, sizeof(why)))
        return report(p, why, NULL, (struct slice){0});
    scenario_address("127.0.0.1", &from);
    from = expect.from.family ? expect.from : from;
    world_ask(p->world, slice_make(packet, expect.packet_size), &from, expect.udp ? NETD_UDP : NETD_TCP);
    settle(p);
    struct world_client *client = next_answer(p);
    if (client && expect.drop) {
        p->checked++;
        return client->reply_size ? report(p, "an answer where none is due", NULL,
                                           slice_make(client->reply, client->reply_size))
                                  : 0;
    }
    if (!client || client->reply_size == 0)
        return report(p, "no answer came", NULL, (struct slice){0});
    p->checked++;
    struct slice given = slice_make(client->reply, client->reply_size);
    double seconds = (double)(world_now(p->world).ns - asked.ns) / (double)NS_PER_S;
    if (expect_check(&expect, given, p->out_count - out_before, seconds, why, sizeof(why)))
        return report(p, why, NULL, given);
    return 0;
}

/* NTA name [seconds] [force], NTA_REMOVE name. */
static int step_nta(struct player *p)
{
    char text[NAME_TEXT_MAX] = "", force[8] = "";
    uint8_t name[NAME_MAX];
    long seconds = 3600;
    bool add = p->step->kind == RPL_STEP_NTA;
    if (sscanf(p->step->ask, "%1000s %ld %7s", text, &seconds, force) < 1 ||
        name_from_text(text, name) != 0 || seconds <= 0 || (force[0] && strcmp(force, "force") != 0))
        return report(p, "NTA wants a name, seconds, force", NULL, (struct slice){0});
    if (world_nta(p->world, name, add ? seconds : 0, force[0] != 0) != 0)
        return report(p, "there is no such NTA", NULL, (struct slice){0});
    settle(p);
    return 0;
}

/* SERVE_STALE name on|off|reset: as holdfastctl has it. */
static int step_serve_stale(struct player *p)
{
    char text[NAME_TEXT_MAX] = "", word[8] = "";
    uint8_t name[NAME_MAX];
    if (sscanf(p->step->ask, "%1000s %7s", text, word) != 2 || name_from_text(text, name) != 0 ||
        world_serve_stale(p->world, name, word) != 0)
        return report(p, "SERVE_STALE wants a name, and on, off or reset of what is switched", NULL,
                      (struct slice){0});
    return 0;
}

/* NTA_PROBE name: what holdfastctl nta probe does. */
static int step_probe(struct player *p)
{
    char text[NAME_TEXT_MAX] = "";
    uint8_t name[NAME_MAX];
    if (sscanf(p->step->ask, "%1000s", text) != 1 || name_from_text(text, name) != 0)
        return report(p, "NTA_PROBE wants a name", NULL, (struct slice){0});
    if (world_probe(p->world, name) != 0)
        return report(p, "there is no such NTA or incident", NULL, (struct slice){0});
    settle(p);
    return 0;
}

/* STATE name word…: what validatord would tell the operator of the zone now. */
static int step_state(struct player *p)
{
    char text[NAME_TEXT_MAX] = "", wanted[64], why[1600];
    uint8_t name[NAME_MAX];
    int used = 0;
    if (sscanf(p->step->ask, "%1000s %n", text, &used) != 1 || name_from_text(text, name) != 0)
        return report(p, "STATE wants a name", NULL, (struct slice){0});
    settle(p);
    struct world_state state;
    world_state(p->world, name, &state);
    for (const char *at = p->step->ask + used; sscanf(at, "%63s %n", wanted, &used) == 1; at += used) {
        bool holds = strcmp(wanted, state.incident) == 0 || strcmp(wanted, state.nta) == 0 ||
                     strcmp(wanted, state.advised) == 0 || strcmp(wanted, state.probe) == 0;
        if (holds)
            continue;
        snprintf(why, sizeof(why), "%s is not %s but: %s, %s, %s, %s", text, wanted, state.incident,
                 state.nta, state.advised, state.probe);
        return report(p, why, NULL, (struct slice){0});
    }
    return 0;
}

/* SENT prefix TYPE count: so many questions of that type whose names begin so went out since the last step
 * before this one, or before the SENT steps that stand together. */
static int step_sent(struct player *p)
{
    char prefix[128], type[24], name[NAME_TEXT_MAX], asked[24], why[256];
    unsigned wanted, count = 0;
    if (sscanf(p->step->ask, "%127s %23s %u", prefix, type, &wanted) != 3)
        return report(p, "SENT wants the beginning of a name, a type, a number", NULL, (struct slice){0});
    for (unsigned i = p->out_counted; i < p->out_count; i++)
        if (sscanf(p->out[i], "step %*u: %1023s %23s", name, asked) == 2)
            count += strncmp(name, prefix, strlen(prefix)) == 0 && strcmp(asked, type) == 0;
    if (count == wanted)
        return 0;
    snprintf(why, sizeof(why), "%u questions %s... %s were sent, not %u", count, prefix, type, wanted);
    return report(p, why, NULL, (struct slice){0});
}

static struct exchange *pending_match(struct player *p, const struct rpl_entry *entry)
{
    LIST_FOREACH (pos, world_exchanges(p->world)) {
        struct exchange *exchange = CONTAINER_OF(pos, struct exchange, link);
        if (!entry || entry_matches(entry, slice_make(exchange->wire, exchange->size), exchange->tcp))
            return exchange;
    }
    return NULL;
}

static int step_reply(struct player *p)
{
    struct exchange *exchange = pending_match(p, p->step->entry);
    if (!exchange)
        exchange = pending_match(p, NULL);
    if (!exchange)
        return report(p, "no question waits for this reply", p->step->entry, (struct slice){0});
    note_out(p, exchange, "answered by this step");
    answer_exchange(p, exchange, p->step->entry);
    settle(p);
    return 0;
}

static int step_timeout(struct player *p)
{
    struct exchange *exchange = pending_match(p, NULL);
    if (!exchange)
        return 0;
    uint64_t id = exchange->id;
    note_out(p, exchange, "times out");
    for (bool waits = true; waits;) {
        mono_ns next = world_deadline(p->world);
        if (next.ns == UINT64_MAX)
            return report(p, "a question waits without a timer", NULL, (struct slice){0});
        world_advance_to(p->world, next);
        settle(p);
        waits = false;
        LIST_FOREACH (pos, world_exchanges(p->world))
            waits |= CONTAINER_OF(pos, struct exchange, link)->id == id;
    }
    return 0;
}

/* The transport gives up on what is pending. */
static int step_error(struct player *p)
{
    struct exchange *exchange = pending_match(p, NULL);
    if (!exchange)
        return report(p, "no question waits for this error", NULL, (struct slice){0});
    note_out(p, exchange, "fails");
    world_fail(p->world, exchange, REC_FAIL_CLOSED);
    settle(p);
    return 0;
}

static bool all_quiet(struct player *p)
{
    LIST_FOREACH (pos, world_clients(p->world))
        if (!CONTAINER_OF(pos, struct world_client, link)->answered)
            return false;
    return list_empty(world_exchanges(p->world));
}

static int play_step(struct player *p)
{
    mono_ns now = world_now(p->world);
    p->scripted_pending = later_steps_answer(p->step);
    if (p->counting && p->step->kind != RPL_STEP_SENT)
        p->out_counted = p->out_count;
    p->counting = p->step->kind == RPL_STEP_SENT;
    if (p->trace)
        printf("step %u\n", p->step->number);
    switch (p->step->kind) {
    case RPL_STEP_QUERY:
        return step_query(p);
    case RPL_STEP_CHECK_ANSWER:
        settle(p);
        return step_check_answer(p);
    case RPL_STEP_REPLY:
        return step_reply(p);
    case RPL_STEP_CHECK_OUT_QUERY:
        settle(p);
        return pending_match(p, p->step->entry)
                   ? 0
                   : report(p, "no question of this kind went out", p->step->entry, (struct slice){0});
    case RPL_STEP_TIME_PASSES:
        pass_time(p, (mono_ns){.ns = now.ns + (uint64_t)(p->step->elapse_s * (double)NS_PER_S)});
        return 0;
    case RPL_STEP_TIMEOUT:
        return step_timeout(p);
    case RPL_STEP_ERROR:
        return step_error(p);
    case RPL_STEP_ASK:
        return step_ask(p);
    case RPL_STEP_TRAFFIC:
        settle(p);
        for (mono_ns end = mono_add_ms(now, PATIENCE_S * 1000u), next; !all_quiet(p);) {
            next = world_deadline(p->world);
            if (next.ns > end.ns)
                break;
            world_advance_to(p->world, next);
            settle(p);
        }
        return 0;
    case RPL_STEP_NTA:
    case RPL_STEP_NTA_REMOVE:
        return step_nta(p);
    case RPL_STEP_SERVE_STALE:
        return step_serve_stale(p);
    case RPL_STEP_NTA_PROBE:
        return step_probe(p);
    case RPL_STEP_STATE:
        return step_state(p);
    case RPL_STEP_FLUSH:
        world_flush(p->world);
        return 0;
    case RPL_STEP_RESTART:
        world_restart(p->world);
        return 0;
    case RPL_STEP_CLOCK:
        world_step_clock(p->world, atoll(p->step->ask));
        return 0;
    case RPL_STEP_SENT:
        return step_sent(p);
    case RPL_STEP_NOTHING:
        settle(p);
        return 0;
    }
    return 1;
}

enum play_result play(const char *path, bool trace)
{
    static struct scenario scenario;
    static struct world_config config;
    struct player player = {.scenario = &scenario, .trace = trace};
    char why[256];
    int unread = scenario_read(path, &scenario);
    if (options_map(&scenario, &config, why, sizeof(why))) {
        printf("%s\n", why);
        return PLAY_SKIPPED;
    }
    if (unread) {
        printf("%s\n", scenario.unsupported[0] ? scenario.unsupported : scenario.error);
        return scenario.unsupported[0] ? PLAY_SKIPPED : PLAY_FAILED;
    }
    if (zones_sign(scenario.zones, config.start.s, why, sizeof(why))) {
        printf("%s: %s\n", path, why);
        return PLAY_FAILED;
    }
    options_add_zones(&scenario, &config);
    config.start.s -= 1; /* the world's clock begins at one second */
    player.minimised = config.rec.minimisation != REC_MINIMISE_OFF;
    player.delay_ms = options_network_delay_ms(&scenario);
    player.world = world_new(&config);
    world_advance_to(player.world, world_now(player.world)); /* what is due at once, such as priming */
    enum play_result result = PLAY_PASSED;
    for (player.step = scenario.steps; player.step && result == PLAY_PASSED; player.step = player.step->next)
        if (play_step(&player))
            result = PLAY_FAILED;
    world_free(player.world);
    for (unsigned i = 0; i < player.out_count; i++)
        free(player.out[i]);
    return result;
}
