/* Checks a list of RRsets against one zone's keys, one signature at a time: each check is an action, and what
 * it costs is paid before it is made, whatever comes of it (THREATS: KeyTrap). One at a time, since nearly
 * always the first is good, and checks made in vain are what an attacker wants. */

#include <errno.h>

#include "daemons/validatord/core/internal.h"

static struct list *verify_bucket(struct val_core *core, uint64_t id)
{
    return &core->verifies[id & (TABLE_BUCKETS - 1)];
}

void val_judge_begin(struct judge *judge, const struct rrset_list *list, const uint8_t *zone,
                     const struct rrset *dnskey, bool all_needed)
{
    assert(judge->verify == 0);
    *judge = (struct judge){.list = list, .zone = zone, .dnskey = dnskey, .all_needed = all_needed};
    judge->failure.ede = EDE_NONE;
}

/* The item did not validate. True when that ends the judgement. */
static bool item_bad(struct judge *judge)
{
    struct rrset *rrset = &judge->list->items[judge->index];
    struct failure why = {.ede = EDE_NONE};

    rrset->security = SECURITY_BOGUS;
    val_failure_rrset(&why, judge->try.reason.ede, rrset->owner, rrset->type, judge->try.reason.key_tag);
    val_failure_better(&judge->failure, &why);
    judge->bad++;
    judge->index++;
    judge->trying = false;
    return judge->all_needed;
}

static void spent(struct judge *judge)
{
    for (; judge->index < judge->list->count; judge->index++, judge->bad++)
        judge->list->items[judge->index].security = SECURITY_BOGUS;
    val_failure_set(&judge->failure, EDE_DNSSEC_INDETERMINATE, "too many signature checks");
    judge->failure.budget = true;
    judge->trying = false;
}

static int send_check(struct val_core *core, struct job *job, struct judge *judge,
                      const struct verify_request *request)
{
    struct action *action = val_action_new(core, VAL_ACTION_VERIFY, job);
    if (!action)
        return -ENOMEM;
    judge->verify = ++core->next_id;
    judge->answered = false;
    judge->verify_job = job;
    val_job_hold(job);
    list_append(verify_bucket(core, judge->verify), &judge->verify_node);
    action->action.verify = judge->verify;
    action->action.request = *request;
    core->stats.verifications++;
    return 0;
}

/* More may be tried than are kept; the good one is among these, and the first. */
static void keep_good_signature(const struct signature_try *try, struct rrset *rrset)
{
    struct rdata good = rrset->sig[try->sig_index];

    rrset->sig[try->sig_index] = rrset->sig[0];
    rrset->sig[0] = good;
    rrset->sig_count = (uint16_t)MIN(rrset->sig_count, RRSET_SIGNATURES);
}

static void take_outcome(struct val_core *core, struct judge *judge)
{
    struct rrset *rrset = &judge->list->items[judge->index];

    judge->verify = 0;
    signature_try_result(&judge->try, judge->outcome);
    if (judge->outcome != VERIFY_GOOD) {
        core->stats.verifications_failed++;
        return;
    }
    signature_accept(&judge->try, rrset, &judge->expires[judge->index]);
    int64_t now = core->env->wall.s; /* serial arithmetic, RFC 4034 3.1.5 */
    judge->inceptions[judge->index].s = now + (int32_t)(judge->try.sig.inception - (uint32_t)now);
    keep_good_signature(&judge->try, rrset);
    rrset->security = SECURITY_SECURE;
    judge->index++;
    judge->trying = false;
}

/* THREATS: NSEC next out of zone. No zone denies anything outside itself. */
static bool leads_out_of_zone(const struct judge *judge, const struct rrset *rrset)
{
    for (unsigned i = 0; rrset->type == TYPE_NSEC && i < rrset->count; i++)
        if (!name_is_under(rrset->rdata[i].data, judge->zone))
            return true;
    return false;
}

int val_judge_run(struct val_core *core, struct job *job, struct judge *judge)
{
    if (!judge->expires) {
        judge->expires = arena_array(job->arena, judge->list->count + 1, sizeof(*judge->expires));
        judge->inceptions = arena_array(job->arena, judge->list->count + 1, sizeof(*judge->inceptions));
        if (!judge->expires || !judge->inceptions)
            return -ENOMEM;
    }
    while (judge->index < judge->list->count) {
        struct verify_request request;

        if (judge->verify) {
            if (!judge->answered)
                return WAIT_MORE;
            take_outcome(core, judge);
            continue;
        }
        if (!judge->trying) {
            signature_try_init(&judge->try, &judge->list->items[judge->index], judge->zone, judge->dnskey,
                               &core->config.algorithms, core->env->wall);
            judge->try.by_revoked = judge->by_revoked;
            judge->trying = true;
            if (leads_out_of_zone(judge, &judge->list->items[judge->index])) {
                judge->try.reason = (struct signature_reason){.ede = EDE_DNSSEC_BOGUS};
                if (item_bad(judge))
                    return WAIT_NONE;
                continue;
            }
        }
        int r = signature_try_next(&judge->try, job->arena, judge->only_key, &request);
        if (r < 0)
            return r;
        if (r == 1) {
            if (item_bad(judge))
                return WAIT_NONE;
            continue;
        }
        if (r == 2 || !budget_take(&job->purse->budget.signatures, 1)) {
            spent(judge);
            return WAIT_NONE;
        }
        r = send_check(core, job, judge, &request);
        if (r < 0)
            return r;
        return WAIT_MORE;
    }
    return WAIT_NONE;
}

void val_judge_verified(struct val_core *core, uint64_t verify, enum verify_outcome outcome)
{
    LIST_FOREACH (node, verify_bucket(core, verify)) {
        struct judge *judge = CONTAINER_OF(node, struct judge, verify_node);
        if (judge->verify != verify)
            continue;
        struct job *job = TAKE(judge->verify_job);
        list_remove(&judge->verify_node);
        judge->answered = true;
        judge->outcome = outcome;
        val_job_ready(core, job);
        val_job_release(core, job);
        return;
    }
}
