/* The answer grows link by link, and goes to all who wait for it. */

#include <errno.h>

#include "common/base/text.h"
#include "daemons/validatord/core/incident.h"

void verdict_add_failure(struct answer *answer, const struct failure *failure)
{
    if (failure->ede == EDE_NONE)
        return;
    answer_add_ede(answer, failure->ede, failure->text, failure->text_size);
    /* Resolvers differ in which of the two they send for a denial that is not there; it is both. */
    if (failure->ede == EDE_NSEC_MISSING)
        answer_add_ede(answer, EDE_DNSSEC_BOGUS, "", 0);
}

void verdict_start(struct answer *answer)
{
    *answer = (struct answer){
        .rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .authentic = true, .ttl = UINT32_MAX};
}

static int add_copy(struct question *question, struct rrset_list *list, const struct rrset *rrset,
                    uint32_t ttl)
{
    struct rrset copy;

    if (rrset_list_find(list, rrset->owner, rrset->type))
        return 0; /* a chain may pass the same DNAME twice, and links may share a proof */
    int r = rrset_copy(question->job.arena, rrset, &copy);
    if (r < 0)
        return r;
    copy.sig_count = (uint16_t)MIN(copy.sig_count, RRSET_SIGNATURES);
    copy.ttl = copy.sig_ttl = ttl;
    return rrset_list_add(question->job.arena, list, &copy);
}

/* RFC 6672 3.1: the CNAME that the DNAME stands for, with the DNAME's TTL. */
static int add_synthesised(struct question *question, const struct task *task, uint32_t ttl)
{
    struct rdata rdata = {.data = task->finding.target, .size = (uint16_t)name_size(task->finding.target)};
    struct rrset cname = {.owner = task->job.name,
                          .type = TYPE_CNAME,
                          .class = CLASS_IN,
                          .count = 1,
                          .rdata = &rdata,
                          .rank = RANK_ANSWER,
                          .security = task->security};

    return add_copy(question, &question->answer.answer, &cname, ttl);
}

static void lower(struct answer *answer, enum security security, bool authentic, uint32_t ttl)
{
    answer->security = MIN(answer->security, security);
    answer->authentic = answer->authentic && authentic && security == SECURITY_SECURE;
    answer->ttl = MIN(answer->ttl, ttl);
}

int verdict_append(struct val_core *core, struct question *question, const struct task *task, bool raw)
{
    struct answer *answer = &question->answer;
    const struct finding *f = &task->finding;
    bool negative = f->kind == FINDING_NODATA || f->kind == FINDING_NXDOMAIN;
    const struct rrset_list *proof = raw ? &f->proof : &task->proof;
    uint32_t ttl = raw ? 0 : task->ttl;
    int r = 0;

    if (!raw && task->chain.continued) {
        answer->continued = true;
        ttl = MIN(ttl, core->config.stale_answer_ttl_s);
        verdict_add_failure(answer, &task->chain.kept);
    }

    lower(answer, raw ? SECURITY_BOGUS : task->security, !raw && task->authentic, ttl);
    verdict_add_failure(answer, raw ? &task->failure : &task->insecure);
    for (uint32_t i = 0; i < f->main.count && r == 0; i++)
        r = add_copy(question, negative ? &answer->authority : &answer->answer, &f->main.items[i], ttl);
    if (r == 0 && f->kind == FINDING_DNAME && f->target)
        r = add_synthesised(question, task, ttl);
    for (uint32_t i = 0; i < proof->count && r == 0; i++)
        r = add_copy(question, &answer->authority, &proof->items[i], ttl);
    if (r < 0)
        return r;
    if (f->kind == FINDING_NXDOMAIN)
        answer->rcode = RCODE_NXDOMAIN;
    else if (f->kind == FINDING_DNAME && !f->target) {
        answer->rcode = RCODE_YXDOMAIN;
        answer->authentic = false; /* the DNAME is signed; that the name grows too long is nobody's record */
    }
    answer->negative = negative;
    return 0;
}

int verdict_merge(struct question *question, const struct answer *part)
{
    struct answer *answer = &question->answer;
    int r = 0;

    for (uint32_t i = 0; i < part->answer.count && r == 0; i++)
        r = add_copy(question, &answer->answer, &part->answer.items[i], part->answer.items[i].ttl);
    for (uint32_t i = 0; i < part->authority.count && r == 0; i++)
        r = add_copy(question, &answer->authority, &part->authority.items[i], part->authority.items[i].ttl);
    if (r < 0)
        return r;
    if (part->answer.count || part->authority.count)
        lower(answer, part->security, part->authentic, part->ttl);
    for (unsigned i = 0; i < part->ede_count; i++)
        answer_add_ede(answer, part->ede[i].code, part->ede[i].text, part->ede[i].text_size);
    answer->rcode = part->rcode;
    answer->negative = part->negative;
    answer->stale = answer->stale || part->stale;
    answer->continued = answer->continued || part->continued;
    return 0;
}

static void count(struct val_core *core, const uint8_t *qname, const struct answer *answer)
{
    core->stats.verdicts++;
    val_incident_answered(core, qname, answer);
    if (answer->rcode == RCODE_SERVFAIL) {
        core->stats.bogus += answer->security == SECURITY_BOGUS;
        core->stats.unreachable += answer->security != SECURITY_BOGUS;
    } else {
        core->stats.secure += answer->security == SECURITY_SECURE;
        core->stats.insecure += answer->security == SECURITY_INSECURE;
    }
}

void verdict_refuse(struct val_core *core, struct question *question, const struct client *client)
{
    static const char text[] = "too many clients wait";
    struct answer *answer = &question->refusal;
    struct action *action = val_action_new(core, VAL_ACTION_VERDICT, &question->job);

    if (!action)
        return;
    *answer = (struct answer){.rcode = RCODE_SERVFAIL, .security = SECURITY_INDETERMINATE};
    answer_add_ede(answer, EDE_OTHER, text, sizeof(text) - 1);
    action->action.client = client->client;
    action->action.id = client->id;
    action->action.answer = answer;
    action->action.qname = question->job.name;
    action->action.qtype = question->job.type;
    action->action.epoch = question->job.epoch;
    count(core, question->job.name, answer);
}

/* RFC 8509 2.2: SERVFAIL in place of a secure answer, when the label says what is not so. */
static void answer_sentinel(struct val_core *core, struct question *question)
{
    struct answer *answer = &question->answer;
    char buf[ANSWER_EDE_TEXT];
    struct text text = text_make(buf, sizeof(buf));
    bool trusted;
    uint16_t tag;

    if (question->job.checking_disabled || answer->security != SECURITY_SECURE ||
        answer->rcode == RCODE_SERVFAIL ||
        !val_anchor_sentinel_denies(core, question->job.name, question->job.type, &tag, &trusted))
        return;
    text_add(&text, "root key sentinel: key tag ");
    text_add_uint(&text, tag);
    text_add(&text, trusted ? " is a trust anchor" : " is no trust anchor");
    *answer = (struct answer){.rcode = RCODE_SERVFAIL, .security = SECURITY_INDETERMINATE};
    answer_add_ede(answer, EDE_OTHER, buf, text.size);
}

void verdict_send(struct val_core *core, struct question *question)
{
    struct answer *answer = &question->answer;

    answer_sentinel(core, question);
    if (answer->ttl == UINT32_MAX)
        answer->ttl = 0;
    for (unsigned i = 0; i < question->client_count; i++) {
        struct action *action = val_action_new(core, VAL_ACTION_VERDICT, &question->job);
        if (!action)
            continue; /* that client asks again */
        action->action.client = question->clients[i].client;
        action->action.id = question->clients[i].id;
        action->action.answer = answer;
        action->action.qname = question->job.name;
        action->action.qtype = question->job.type;
        action->action.epoch = question->job.epoch;
        count(core, question->job.name, answer);
    }
    core->waiting_count -= question->client_count;
    question->client_count = 0;
    question->job.finished = true;
    val_job_unlink(core, &question->job);
}
