/* The walk of one task: ask at a cut, follow the referral, until an answer. */

#include <string.h>

#include "daemons/recursord/core/internal.h"

#define HEDGE_MS           600u    /* a look-up this slow gets company */
#define LAME_MS            300000u /* a server that does not serve a zone seldom learns it within minutes */
#define SERVFAIL_MS        10000u  /* may be about one name only */
#define MINIMISED_SILENCES 3u      /* unanswered minimised questions until the whole name is asked */
#define CACHED_MAX         4096u   /* octets of a spare answer that are kept */
#define EMPTY_RETRIES      2u      /* as others have it: an honest NODATA costs no more than these */

/* The payer's budget is spent: its fetch ends, and with it this task unless another fetch waits for it. */
static void spent(struct rec_core *core, const struct env *env, struct task *task)
{
    struct task *payer = task_payer(task);
    if (payer != task)
        core_ready(core, task);
    rec_task_finish(core, env, payer, REC_DONE_BUDGET);
}

static void ask(struct rec_core *core, const struct env *env, struct task *task, unsigned index,
                enum rec_transport transport)
{
    if (task->queries >= BUDGET_QUERIES_PER_NAME) {
        rec_task_finish(core, env, task, REC_DONE_BUDGET);
        return;
    }
    if (!budget_take(&task_payer(task)->budget.upstream_queries, 1)) {
        spent(core, env, task);
        return;
    }
    task->queries++;
    if (exchange_send(core, env, task, index, transport))
        rec_task_finish(core, env, task, REC_DONE_BUDGET);
}

static void enter(struct task *task, struct cut *cut)
{
    task->cut = cut;
    task->retry = -1;
    minimise_enter(task);
    if (task->only.family) {
        minimise_stop(task);
        cut->located = true;
    }
}

/* Servers compress names of their records against the question, whose random case would then show in NS, MX
 * and SOA data, to clients and in the cache. It has done its work when a reply was matched. */
static void plain_case(uint8_t *wire, size_t size)
{
    size_t at = 12;
    if (size < at || wire[4] != 0 || wire[5] != 1) /* header alone: no question */
        return;
    while (at < size && wire[at] != 0 && wire[at] < 64)
        for (size_t end = MIN(at + 1 + wire[at], size); ++at < end;)
            if (wire[at] >= 'A' && wire[at] <= 'Z')
                wire[at] = (uint8_t)(wire[at] + ('a' - 'A'));
}

/* What a fetch learnt goes to validatord at once. False: no memory. */
static bool evidence(struct rec_core *core, struct task *task, enum rec_evidence_kind kind, struct slice wire,
                     const struct address *server, enum rec_transport transport, uint64_t rtt_us)
{
    if (task->kind != TASK_FETCH)
        return true;
    struct rec_action *action = core_action(core, REC_ACTION_EVIDENCE);
    uint8_t *bytes = action ? arena_copy(core->action_arena, wire.data, wire.size) : NULL;
    if (!bytes) {
        if (action)
            action->kind = REC_ACTION_CANCEL;
        return false;
    }
    plain_case(bytes, wire.size);
    action->fetch = task->fetch_id;
    action->evidence = kind;
    action->wire = slice_make(bytes, wire.size);
    name_copy(task->cut->zone, action->cut);
    action->server = *server;
    action->transport = transport;
    action->rtt_us = (uint32_t)MIN(rtt_us, (uint64_t)UINT32_MAX);
    action->forwarded = task->cut->forward;
    return true;
}

static uint64_t rtt_us(const struct exchange *x, const struct env *env)
{
    return (env->mono.ns - x->sent_at.ns) / 1000;
}

/* Down the referrals that sub-fetches were given a moment ago: they are handed on as they came and not asked
 * for again. Not when an answer on this way has failed validation. */
static void replay(struct rec_core *core, const struct env *env, struct task *task)
{
    struct referral referral;
    while (task->kind == TASK_FETCH && !task->restarted && !task->avoid_count && !task->cut->forward &&
           !task->only.family) {
        const struct cut *known = memory_referral(core, task->cut->zone, task->qname, env->mono, &referral);
        bool parents = task->qtype == TYPE_DS || task->to_referral;
        if (!known || (parents && name_equal(known->zone, task->qname)) ||
            !budget_take(&task->budget.bytes, (uint32_t)referral.wire.size))
            return;
        struct cut *cut = cut_copy(task, known);
        if (!cut || !evidence(core, task, REC_EVIDENCE_REFERRAL, referral.wire, &referral.server,
                              referral.transport, 0))
            return;
        cut->up = task->cut;
        cut_fill(core, env, task, cut);
        enter(task, cut);
    }
}

static enum rec_outcome failure(const struct task *task)
{
    if (task->saw_bad)
        return REC_DONE_SERVFAIL;
    if (task->saw_loop && !task->saw_silence && !task->saw_unreachable)
        return REC_DONE_LOOP;
    return REC_DONE_UNREACHABLE;
}

static void answered(struct rec_core *core, const struct env *env, struct task *task,
                     const struct message *message, struct slice wire, const struct exchange *x)
{
    if (task->kind == TASK_ADDRESS)
        lookup_answer(core, env, task, message);
    else if (task->kind == TASK_PRIMING)
        priming_answer(core, env, task, message);
    bool sent = evidence(core, task, REC_EVIDENCE_ANSWER, wire, &x->server, x->transport, rtt_us(x, env));
    rec_task_finish(core, env, task, sent ? REC_DONE_ANSWERED : REC_DONE_BUDGET);
}

static void keep_cached(struct task *task, struct slice wire, const struct exchange *x)
{
    if (task->cached.cut || task->kind == TASK_PRIMING || task->parent_side || wire.size > CACHED_MAX)
        return;
    void *bytes = arena_copy(task->arena, wire.data, wire.size);
    if (!bytes)
        return;
    task->cached.cut = task->cut;
    task->cached.wire = slice_make(bytes, wire.size);
    task->cached.server = x->server;
    task->cached.transport = x->transport;
}

/* Nothing better came: the answer that a server had from elsewhere. Signed names still have to prove it. */
static bool use_cached(struct rec_core *core, const struct env *env, struct task *task)
{
    struct message message;
    struct slice wire = task->cached.wire;
    struct exchange x = {
        .server = task->cached.server, .transport = task->cached.transport, .sent_at = env->mono};
    arena_reset(core->scratch);
    if (!task->cached.cut || message_parse(core->scratch, wire.data, wire.size, &message) != MESSAGE_OK)
        return false;
    task->cut = task->cached.cut;
    answered(core, env, task, &message, wire, &x);
    return true;
}

/* How long silence is borne in this task. Servers that answer within a fraction of a second, and all of them
 * not any more, are down: who asks is told within the client response timer of 1.8 s (DESIGN 3), and not only
 * when its time is over. */
uint64_t fetch_bearable_ms(struct rec_core *core, const struct task *task)
{
    const struct cut *cut = task->cut;
    bool gone = cut->server_count > 0 && list_empty(&task->waits);

    for (unsigned i = 0; i < cut->server_count && gone; i++)
        gone = server_is_gone(servers_find(core, &cut->servers[i].address));
    if (gone)
        return REC_GONE_MS;
    return cut->given && !task->restarted ? REC_OLD_CUT_MS : REC_SILENCE_MS;
}

/* May this cut be asked on? A client waits: servers that stay silent are not waited for until its time is
 * over. A delegation from the cache is given up sooner, so that there is time left to ask what it is now. */
static bool is_patient(struct rec_core *core, const struct task *task)
{
    return task->cut->unanswered < REC_MAX_CUT_TRIES && task->silent_ms < fetch_bearable_ms(core, task);
}

/* No server of the cut is left: another way, or the end. */
static void exhausted(struct rec_core *core, const struct env *env, struct task *task)
{
    struct cut *cut = task->cut;
    if (task->only.family) {
        rec_task_finish(core, env, task, failure(task));
        return;
    }
    if (is_patient(core, task) && lookup_widen(core, env, task)) {
        core_ready(core, task);
        return;
    }
    if (use_cached(core, env, task))
        return;
    if (cut->forward && cut->first && !task->saw_bad && !task->forward_failed) {
        task->forward_failed = true;
    } else if (cut->given && !task->restarted && !task->parent_side && task->silent_ms < REC_SILENCE_MS) {
        task->saw_loop = false;
        task->restarted = true; /* the delegation may be old: from the top once more */
    } else {
        rec_task_finish(core, env, task, failure(task));
        return;
    }
    task->cut = NULL;
    core_ready(core, task);
}

void rec_fetch_step(struct rec_core *core, const struct env *env, struct task *task)
{
    if (task->exchange)
        return;
    if (!task->cut) {
        struct cut *cut = start_cut(core, env, task);
        if (!cut) {
            rec_task_finish(core, env, task, failure(task));
            return;
        }
        enter(task, cut);
        replay(core, env, task);
    }
    if (task->retry >= 0) {
        unsigned index = (unsigned)task->retry;
        task->retry = -1;
        if (task->cut->servers[index].tries[task->retry_transport] < REC_MAX_TRIES) {
            ask(core, env, task, index, task->retry_transport);
            return;
        }
        task->cut->servers[index].bad = true;
    }
    unsigned index = 0, fewest = 0;
    bool patient = is_patient(core, task);
    bool found = patient && select_server(core, env, task, &index, &fewest) == SELECT_FOUND;
    bool idle = list_empty(&task->waits);
    if (patient && (idle || task->hedge_due)) {
        task->hedge_due = false;
        if ((!found || fewest > 0) && lookup_start(core, env, task, !found))
            (void)timer_arm(&core->timers, &task->hedge, mono_add_ms(env->mono, HEDGE_MS));
    }
    if (found && task->cut->servers[index].avoid) {
        /* Only servers are left whose answers did not validate: those without a known address may do better.
         */
        if (!list_empty(&task->waits))
            return;
        if (idle && lookup_start(core, env, task, true)) {
            (void)timer_arm(&core->timers, &task->hedge, mono_add_ms(env->mono, HEDGE_MS));
            return;
        }
    }
    if (found)
        ask(core, env, task, index, task->only_transport);
    else if (list_empty(&task->waits))
        exhausted(core, env, task);
}

/* The answer to a minimised question: the name goes on below, RFC 9156 2.3 and 3. */
static void descend(struct rec_core *core, const struct env *env, struct task *task,
                    const struct message *message, struct slice wire, const struct exchange *x)
{
    task->cut->located = true;
    if (message->rcode != RCODE_NOERROR && task->config->c.minimisation == REC_MINIMISE_STRICT &&
        !task->locate) {
        answered(core, env, task, message, wire, x); /* nothing is below it: RFC 8020 */
        return;
    }
    bool alias = false;
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++) {
        uint16_t type = message->rr[SECTION_ANSWER][i].type;
        alias = alias || type == TYPE_CNAME || type == TYPE_DNAME;
    }
    if (message->rcode != RCODE_NOERROR || alias)
        minimise_stop(task);
    else
        minimise_advance(task);
    cut_reset_tries(task->cut);
    core_ready(core, task);
}

static void refer(struct rec_core *core, const struct env *env, struct task *task,
                  const struct message *message, const uint8_t *child, struct slice wire,
                  const struct exchange *x)
{
    core->stats.referrals++;
    struct cut *cut = delegation_cut(core, env, task, message, child, x);
    if (!cut ||
        !evidence(core, task, REC_EVIDENCE_REFERRAL, wire, &x->server, x->transport, rtt_us(x, env))) {
        rec_task_finish(core, env, task, REC_DONE_BUDGET);
        return;
    }
    enter(task, cut);
    replay(core, env, task);
    core_ready(core, task);
}

static bool may_ask_whole(const struct task *task)
{
    return task->minimised && (task->locate || task->config->c.minimisation == REC_MINIMISE_RELAXED);
}

/* This server cannot answer: the whole name may fare better (relaxed), else the next server. */
static void unusable(struct rec_core *core, const struct env *env, struct task *task, unsigned index,
                     uint16_t rcode, bool lame)
{
    struct cut_server *s = &task->cut->servers[index];
    if (may_ask_whole(task)) {
        minimise_stop(task);
        cut_reset_tries(task->cut);
        task->retry = (int)index;
        task->retry_transport = REC_UDP;
        core_ready(core, task);
        return;
    }
    s->bad = true;
    task->saw_bad = true;
    task->last_rcode = rcode;
    task->last_server = s->address;
    task->cut->unanswered++;
    core->stats.lame += lame;
    struct server *known = servers_find(core, &s->address);
    if (known && !task->cut->forward)
        server_set_lame(core, known, task->cut->zone,
                        mono_add_ms(env->mono, lame || rcode == RCODE_REFUSED ? LAME_MS : SERVFAIL_MS));
    core_ready(core, task);
}

static void retry(struct rec_core *core, struct task *task, unsigned index, enum rec_transport transport)
{
    task->retry = (int)index;
    task->retry_transport = transport;
    core_ready(core, task);
}

/* Nothing in it, not even the SOA: some load balancers say so of types that they do not know, or while they
 * start. Two more servers are asked before that is what the name has. False: it is. */
static bool spare_empty(struct rec_core *core, struct task *task, struct slice wire, const struct exchange *x)
{
    bool special = task->kind == TASK_PRIMING || task->parent_side || task->only.family;
    if (task->minimised || special || task->empties == EMPTY_RETRIES || wire.size > CACHED_MAX)
        return false;
    task->empties++;
    keep_cached(task, wire, x);
    task->cut->servers[x->server_index].bad = true;
    core_ready(core, task);
    return true;
}

static void handle(struct rec_core *core, const struct env *env, const struct exchange *x,
                   const struct message *message, struct slice wire)
{
    struct task *task = x->task;
    if (!budget_take(&task_payer(task)->budget.bytes, (uint32_t)wire.size)) {
        spent(core, env, task);
        return;
    }
    if (!task->cut->located && task->labels > name_labels(task->cut->zone) + 1 &&
        delegation_too_low(task, message)) {
        task->cut->located = true;
        cut_reset_tries(task->cut);
        minimise_locate(task);
        core_ready(core, task);
        return;
    }
    const uint8_t *child = NULL;
    enum reading reading = delegation_read(task, message, &child);
    if (task->only.family && reading == READ_REFERRAL)
        reading = READ_ANSWER; /* that it refers further is what this server says */
    if (task->to_referral && reading == READ_REFERRAL && name_equal(child, task->qname))
        reading = READ_ANSWER;
    switch (reading) {
    case READ_EMPTY:
    case READ_ANSWER:
        if (reading == READ_EMPTY && spare_empty(core, task, wire, x))
            break;
        if (task->minimised)
            descend(core, env, task, message, wire, x);
        else if (!lookup_alias(core, task, message))
            answered(core, env, task, message, wire, x);
        break;
    case READ_REFERRAL:
        if (task->parent_side)
            rec_task_finish(core, env, task,
                            lookup_glue(core, env, task, message) ? REC_DONE_ANSWERED : REC_DONE_SERVFAIL);
        else
            refer(core, env, task, message, child, wire, x);
        break;
    case READ_CACHED:
        if (!task->minimised)
            keep_cached(task, wire, x);
        unusable(core, env, task, x->server_index, message->rcode, true);
        break;
    case READ_LAME:
    case READ_FAILURE:
        unusable(core, env, task, x->server_index, message->rcode, reading == READ_LAME);
        break;
    }
}

void fetch_reply(struct rec_core *core, const struct env *env, struct exchange *exchange, struct slice wire)
{
    struct task *task = exchange->task;
    struct message message;
    enum match match = exchange_match(core, env, exchange, wire, &message);
    if (match == MATCH_WAIT)
        return;
    struct exchange x = *exchange; /* its facts outlive it */
    exchange_end(core, exchange);
    switch (match) {
    case MATCH_WAIT:
        break;
    case MATCH_TCP:
        retry(core, task, x.server_index, REC_TCP);
        break;
    case MATCH_AGAIN:
        retry(core, task, x.server_index, x.transport);
        break;
    case MATCH_FAILED:
        task->cut->servers[x.server_index].bad = true;
        task->cut->unanswered++;
        task->saw_bad = true;
        task->saw_malformed = task->saw_malformed || x.malformed;
        task->last_rcode = RCODE_NOERROR;
        task->last_server = x.server;
        core_ready(core, task);
        break;
    case MATCH_REPLY:
        handle(core, env, &x, &message, wire);
        break;
    }
}

/* One try is lost; the next step chooses another server or this one again. */
static void lost(struct rec_core *core, struct exchange *x)
{
    struct task *task = x->task;
    task->last_server = x->server;
    task->cut->unanswered++;
    exchange_end(core, x);
    core_ready(core, task);
}

void fetch_timeout(struct rec_core *core, const struct env *env, struct exchange *x)
{
    if (x->malformed) { /* it was not silent, and TCP spares it what UDP may have spoilt */
        struct task *waiting = x->task;
        unsigned index = x->server_index;
        lost(core, x);
        retry(core, waiting, index, REC_TCP);
        return;
    }
    struct server *known = servers_find(core, &x->server);
    core->stats.timeouts++;
    if (known)
        server_silent(known, env);
    x->task->saw_silence = true;
    x->task->silent_ms += (env->mono.ns - x->sent_at.ns) / 1000000u;
    struct task *task = x->task;
    struct cut *cut = task->cut;
    if (may_ask_whole(task) && cut->unanswered >= MINIMISED_SILENCES - 1) {
        /* some servers drop questions of a type or name they do not expect: RFC 9156 3 */
        unsigned unanswered = cut->unanswered;
        minimise_stop(task);
        cut_reset_tries(cut);
        cut->unanswered = (uint8_t)unanswered;
    }
    lost(core, x);
}

void fetch_failed(struct rec_core *core, const struct env *env, struct exchange *x, enum rec_failure why)
{
    struct task *task = x->task;
    struct cut_server *s = &task->cut->servers[x->server_index];
    switch (why) {
    case REC_FAIL_UNREACHABLE:
    case REC_FAIL_LOCAL: /* nothing was sent: give the budget back */
        if (why == REC_FAIL_UNREACHABLE)
            servers_family_result(core, env, x->server.family, false);
        task_payer(task)->budget.upstream_queries++;
        task->queries--;
        task->cut->unanswered--;
        s->bad = true;
        task->saw_unreachable = true;
        break;
    case REC_FAIL_REFUSED: /* over UDP an ICMP error anybody may have sent: a try lost, no more */
        task->saw_silence = true;
        s->bad = x->transport == REC_TCP;
        break;
    case REC_FAIL_CLOSED:
        task->saw_silence = true;
        break;
    }
    lost(core, x);
}

void fetch_expired(struct rec_core *core, const struct env *env, struct task *task)
{
    bool silence = task->saw_silence || task->exchange || !list_empty(&task->waits);
    rec_task_finish(core, env, task, silence ? REC_DONE_UNREACHABLE : REC_DONE_BUDGET);
}
