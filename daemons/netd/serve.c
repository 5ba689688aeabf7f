/* One question through receive, L1, L2, and what comes of it later. The order is the design's: what is cheap
 * first. */

#include <string.h>

#include "daemons/netd/edge_validatord.h"
#include "daemons/netd/l1.h"
#include "daemons/netd/worker.h"

#define AWAY_TEXT    "validatord is not running; it is being restarted"
#define SILENT_TEXT  "no answer within the time a client waits"
#define CROWDED_TEXT "too many questions are waiting for an answer"

static uint64_t popularity_of(const struct netd_question *question)
{
    struct cache_key key;
    return cache_key_rr(question->qname, question->ask_type, &key) == 0
               ? cache_key_hash(cache_key_slice(&key))
               : 0;
}

static void note_popularity(struct worker *worker, uint64_t hash)
{
    if (worker->shared && hash)
        shared_sketch_add(worker->shared->sketch, hash);
}

/* Asked for often enough that it will be asked for again: else a prefetch is a question upstream that nobody
 * needed. Without the sketch (validatord is away) there is nothing to prefetch by. */
static bool is_popular(const struct worker *worker, uint64_t hash)
{
    return worker->shared && shared_sketch_get(worker->shared->sketch, hash) >= NETD_POPULAR;
}

static size_t count_reply(struct worker *worker, const uint8_t *reply, size_t size)
{
    if (size >= MESSAGE_HEADER_SIZE && (reply[2] & (FLAG_TC >> 8)) != 0)
        stats_add(&worker->stats, STAT_TRUNCATED, 1);
    return size;
}

/* Ends a question now: stale, or SERVFAIL with the reason. */
static size_t give_up(struct worker *worker, const struct netd_question *question, bool final, uint16_t ede,
                      const char *text, uint8_t *reply, size_t room)
{
    size_t size = 0;
    arena_reset(worker->arena);
    worker_top_up(worker);
    const struct cache_view *view = worker_l2(worker);
    struct netd_told told;
    enum netd_outcome outcome = netd_core_timeout(&worker->config, worker->arena, &worker->env, view,
                                                  question, final, ede, text, reply, room, &size, &told);
    if (outcome == NETD_REPLY && view && l2_expired(&worker->l2, daemon_mono())) {
        stats_add(&worker->stats, STAT_LEASE_EXPIRED, 1);
        outcome = netd_core_timeout(&worker->config, worker->arena, &worker->env, NULL, question, final, ede,
                                    text, reply, room, &size, &told);
    }
    if (outcome != NETD_REPLY)
        return 0;
    stats_add(&worker->stats, told.kind == NETD_FAILED ? STAT_TIMEOUTS : STAT_STALE_BY_TIMER, 1);
    stats_told(&worker->stats, told);
    return count_reply(worker, reply, size);
}

/* Neither cache knows it: wait for validatord, or give what there is if that makes no sense. */
static size_t wait_for_it(struct worker *worker, const struct netd_question *question,
                          const struct client *client, uint8_t *reply, size_t room)
{
    stats_add(&worker->stats, STAT_MISSES, 1);
    note_popularity(worker, popularity_of(question));
    bool away = edge_down_ms(worker->netd->edge, worker->env.mono) > NETD_EDGE_GRACE_MS;
    bool at_once = worker->config.stale_client_timeout_ms == 0 && !netd_core_waits(question);
    if (away || at_once) {
        size_t size = give_up(worker, question, false, away ? EDE_NETWORK_ERROR : EDE_NONE,
                              away ? AWAY_TEXT : NULL, reply, room);
        if (size && !away)
            waiting_refresh(worker, question); /* RFC 8767 5: the answer first, the refresh behind it */
        if (size)
            return size;
    }
    if (waiting_add(worker, question, client) != WAITING_FULL)
        return 0;
    stats_add(&worker->stats, STAT_OVER_LIMIT, 1);
    return give_up(worker, question, true, EDE_OVER_QUOTA, CROWDED_TEXT, reply, room);
}

static size_t from_l2(struct worker *worker, const struct netd_question *question,
                      const struct client *client, uint8_t *reply, size_t room)
{
    const struct cache_view *view = worker_l2(worker);
    size_t size = 0;
    bool refresh = false;
    uint32_t keep_s = 0;
    struct l1_tag tag = worker->tag;
    arena_reset(worker->arena);
    worker_top_up(worker);
    if (!view && (question->flags & FLAG_RD) == 0)
        return give_up(worker, question, true, EDE_NOT_READY, "the cache cannot be read now", reply, room);
    enum netd_outcome outcome = NETD_RESOLVE;
    if (view)
        outcome = netd_core_cache(&worker->config, worker->arena, &worker->env, view, question, reply, room,
                                  &size, &refresh, &keep_s, &tag.told);
    if (outcome == NETD_REPLY && l2_expired(&worker->l2, daemon_mono())) {
        stats_add(&worker->stats, STAT_LEASE_EXPIRED, 1);
        outcome = NETD_RESOLVE;
    }
    if (outcome != NETD_REPLY)
        return wait_for_it(worker, question, client, reply, room);
    stats_add(&worker->stats, STAT_L2_HITS, 1);
    stats_told(&worker->stats, tag.told);
    uint64_t popularity = popularity_of(question);
    note_popularity(worker, popularity);
    if (worker->tag_known)
        l1_put(worker->netd->l1, question, reply, size, tag, worker->env.wall, keep_s, popularity);
    if (refresh && is_popular(worker, popularity))
        waiting_refresh(worker, question);
    return count_reply(worker, reply, size);
}

size_t serve_receive(struct worker *worker, struct slice packet, enum netd_transport transport,
                     struct served *served, uint8_t *reply, size_t room)
{
    size_t size = 0;
    served->wanted = false;
    stats_add(&worker->stats, transport == NETD_UDP ? STAT_QUERIES_UDP : STAT_QUERIES_TCP, 1);
    arena_reset(worker->arena);
    switch (netd_core_receive(&worker->config, worker->arena, &worker->env, packet, &served->client.address,
                              transport, &served->question, reply, room, &size)) {
    case NETD_REPLY:
        stats_add(&worker->stats, STAT_REFUSED_EARLY, 1);
        return count_reply(worker, reply, size);
    case NETD_CACHE:
        served->wanted = true;
        served->hash = l1_hash(worker->netd->l1, &served->question);
        l1_prefetch_set(worker->netd->l1, served->hash);
        return 0;
    default:
        stats_add(&worker->stats, STAT_DROPPED, 1);
        return 0;
    }
}

void serve_prefetch(struct worker *worker, const struct served *served)
{
    l1_prefetch_entry(worker->netd->l1, served->hash);
}

size_t serve_lookup(struct worker *worker, const struct served *served, uint8_t *reply, size_t room)
{
    const struct netd_question *question = &served->question;
    struct l1_hit hit;
    size_t size = 0;
    if (!worker->tag_known || !l1_get(worker->netd->l1, question, served->hash, worker->tag.epoch,
                                      worker->env.wall, worker->turn++, reply, room, &size, &hit))
        return from_l2(worker, question, &served->client, reply, room);
    stats_add(&worker->stats, STAT_L1_HITS, 1);
    stats_told(&worker->stats, hit.told);
    if (worker->popular_count == WORKER_BATCH)
        serve_count_popular(worker);
    worker->popular[worker->popular_count++] = hit.popularity;
    if (hit.refresh && worker->config.prefetch && (question->flags & FLAG_RD) != 0) {
        serve_count_popular(worker);
        if (is_popular(worker, hit.popularity))
            waiting_refresh(worker, question);
    }
    return size;
}

void serve_count_popular(struct worker *worker)
{
    if (worker->shared) {
        for (unsigned i = 0; i < worker->popular_count; i++)
            shared_sketch_prefetch(worker->shared->sketch, worker->popular[i]);
        for (unsigned i = 0; i < worker->popular_count; i++)
            note_popularity(worker, worker->popular[i]);
    }
    worker->popular_count = 0;
}

static void deliver(struct worker *worker, const struct client *client, const uint8_t *reply, size_t size)
{
    if (client->tcp)
        tcp_answer(worker, client->tcp, reply, size);
    else
        udp_reply(worker, client, reply, size);
}

struct verdict_context {
    const struct answer *answer;
    struct l1_tag tag;
    bool keep; /* may be kept in L1 */
};

static void deliver_verdict(struct worker *worker, const struct netd_question *question,
                            const struct client *client, const void *ctx)
{
    const struct verdict_context *verdict = ctx;
    size_t size = 0;
    uint32_t keep_s = 0;
    worker_top_up(worker);
    struct l1_tag tag = verdict->tag;
    netd_core_verdict(&worker->config, worker->arena, &worker->env, question, verdict->answer,
                      worker->scratch, sizeof(worker->scratch), &size, &keep_s, &tag.told);
    stats_told(&worker->stats, tag.told);
    if (verdict->keep)
        l1_put(worker->netd->l1, question, worker->scratch, size, tag, worker->env.wall, keep_s,
               popularity_of(question));
    deliver(worker, client, worker->scratch, count_reply(worker, worker->scratch, size));
}

static void deliver_failure(struct worker *worker, const struct netd_question *question,
                            const struct client *client, const void *ctx)
{
    size_t size = give_up(worker, question, true, EDE_OTHER, ctx, worker->scratch, sizeof(worker->scratch));
    deliver(worker, client, worker->scratch, size);
}

void serve_verdict(struct worker *worker, const Holdfast__Nv__Verdict *verdict)
{
    struct pending *pending = waiting_find(&worker->waiting, verdict->id);
    stats_add(&worker->stats, pending ? STAT_VERDICTS : STAT_VERDICTS_LATE, 1);
    if (!pending)
        return;
    struct answer answer = {0};
    arena_reset(worker->arena);
    if (verdict->security > SECURITY_SECURE || verdict->answer.len > MESSAGE_MAX ||
        answer_from_wire(worker->arena, verdict->answer.data, verdict->answer.len, &answer) != 0) {
        waiting_finish(worker, pending, deliver_failure, "validatord's answer could not be read");
        return;
    }
    answer.security = (enum security)verdict->security;
    answer.authentic = verdict->authentic;
    answer.stale = verdict->stale;
    answer.ttl = verdict->ttl;
    struct verdict_context context = {.answer = &answer,
                                      .tag = {.epoch = verdict->epoch, .sequence = verdict->commit_sequence},
                                      .keep = worker->tag_known && verdict->epoch == worker->tag.epoch};
    waiting_finish(worker, pending, deliver_verdict, &context);
}

bool serve_timeout(struct worker *worker, const struct netd_question *question, const struct client *client,
                   bool final)
{
    bool away = edge_down_ms(worker->netd->edge, worker->env.mono) > 0;
    uint16_t ede = away ? EDE_NETWORK_ERROR : final ? EDE_NO_REACHABLE_AUTHORITY : EDE_NONE;
    size_t size = give_up(worker, question, final, ede, away ? AWAY_TEXT : SILENT_TEXT, worker->scratch,
                          sizeof(worker->scratch));
    if (size == 0)
        return false;
    deliver(worker, client, worker->scratch, size);
    return true;
}
