/* Error reporting (RFC 9567): a zone's servers name an agent; what fails to resolve or to validate is told to
 * it by a question of our own, whose name is the report.
 *
 * Kept is the agent that a zone's servers named last, for a while and for so many zones. A failure is
 * reported when it is newly remembered, so at most as often as that name is asked again (RFC 9520); and not
 * while the cache has whatever the agent answered. Nobody waits for a report. An attacker who breaks names of
 * his own could have us ask a third party's servers: hence the caps, the zone's before everybody's. */

#include <string.h>

#include "common/wire/error_report.h"
#include "daemons/validatord/core/internal.h"

#define AGENT_LIFE_MS     3600000u /* after its zone's servers named it last */
#define REPORT_QUERIES    20u      /* upstream questions of one report: as a renewal's */
#define REPORTS_A_MINUTE  60u      /* of all zones */
#define REPORTS_OF_A_ZONE 10u      /* a minute: what is broken shows in the first few */
#define REPORT_WINDOW_MS  60000u

static struct agent_slot *slot_of(struct val_core *core, const uint8_t *zone)
{
    return &core->agents[siphash24(&core->hash_key, zone, name_size(zone)) % AGENT_SLOTS];
}

static bool is_slot_of(const struct agent_slot *slot, const uint8_t *zone)
{
    return slot->until.ns != 0 && name_equal(slot->zone, zone);
}

void val_agent_learn(struct val_core *core, const struct fetch *fetch, const uint8_t *zone,
                     struct slice option)
{
    uint8_t agent[NAME_MAX];

    if (fetch->forwarded || !core->config.error_reporting)
        return;
    struct agent_slot *slot = slot_of(core, zone);
    if (error_report_agent(option, agent)) {
        if (is_slot_of(slot, zone))
            slot->until.ns = 0; /* its servers do not name one any more */
        return;
    }
    if (!name_equal(slot->zone, zone)) {
        slot->window = (struct report_window){0};
        name_copy(zone, slot->zone);
    }
    name_copy(agent, slot->agent);
    slot->until = mono_add_ms(core->env->mono, AGENT_LIFE_MS);
}

static bool is_reportable(const struct failure *why)
{
    if (why->budget) /* a limit of ours says nothing about the zone */
        return false;
    switch (why->ede) {
    case EDE_DNSSEC_BOGUS:
    case EDE_SIGNATURE_EXPIRED:
    case EDE_SIGNATURE_NOT_YET_VALID:
    case EDE_DNSKEY_MISSING:
    case EDE_RRSIGS_MISSING:
    case EDE_NO_ZONE_KEY_BIT:
    case EDE_NSEC_MISSING:
    case EDE_NO_REACHABLE_AUTHORITY:
    case EDE_NETWORK_ERROR:
    case EDE_SIGNATURE_EXPIRED_BEFORE_VALID:
        return true;
    default:
        return false;
    }
}

/* The zone whose servers said what failed, or did not say anything. NULL: nobody was asked. */
static const uint8_t *speaker_of(struct job *job, uint16_t type)
{
    const struct fetch *fetch;

    if (job->kind == JOB_TASK) {
        const struct task *task = job_task(job);
        fetch = &task->fetch;
        if (task->finding.kind != FINDING_GARBAGE)
            return task->finding.cut;
    } else if (type == TYPE_DS) {
        fetch = &job_zone(job)->ds_fetch;
        if (!fetch->asked)
            return job_zone(job)->offer.from;
    } else {
        fetch = &job_zone(job)->key_fetch;
    }
    if (fetch->answered)
        return fetch->cut;
    return fetch->asked ? name_suffix(job->name, MIN(fetch->reached_labels, name_labels(job->name))) : NULL;
}

static bool has_room(struct val_core *core, struct report_window *window, unsigned most)
{
    if (mono_reached(core->env->mono, window->ends)) {
        window->ends = mono_add_ms(core->env->mono, REPORT_WINDOW_MS);
        window->sent = 0;
    }
    return window->sent < most;
}

/* Is the agent's last word on it in the cache, or on its way? */
static bool is_reported(struct val_core *core, struct job *by, struct purse *purse, const uint8_t *name)
{
    struct lookup lookup = val_core_lookup(core, by->arena, purse);
    struct answer answer;
    const uint8_t *next;

    lookup.max_steps = 0;
    return val_job_find(core, JOB_TASK, name, TYPE_TXT, false) ||
           cache_answer(&lookup, name, TYPE_TXT, &answer, &next) != LOOKUP_MISS;
}

void val_report_failure(struct val_core *core, struct job *by, uint16_t type, const struct failure *why)
{
    uint8_t name[NAME_MAX];
    const uint8_t *zone;

    /* Asking the agent may fail in turn: of that nothing is told, so there is no second report (RFC 9567
     * 8.2). */
    if (!core->config.error_reporting || !is_reportable(why) || error_report_is_one(by->name) ||
        !(zone = speaker_of(by, type)))
        return;
    struct agent_slot *slot = slot_of(core, zone);
    if (!is_slot_of(slot, zone) || mono_reached(core->env->mono, slot->until) ||
        name_is_under(by->name, slot->agent) ||
        error_report_name(by->name, type, why->ede, slot->agent, name))
        return;
    struct budget budget = budget_fresh(core->env->mono);
    budget.upstream_queries = REPORT_QUERIES;
    struct purse *purse = purse_new(&budget);
    if (purse && !is_reported(core, by, purse, name) && has_room(core, &slot->window, REPORTS_OF_A_ZONE) &&
        has_room(core, &core->reports, REPORTS_A_MINUTE) && val_task_get(core, name, TYPE_TXT, purse)) {
        slot->window.sent++;
        core->reports.sent++;
        core->stats.error_reports++;
    }
    purse_release(purse);
}
