/* What the core tells the operator of: incidents, probes, advice. Each is a line in the log, and some are
 * acted on. */

#include "daemons/validatord/change.h"

/* The end of an NTA, or of an incident: a change that nobody asked for by hand. */
static void change_by_itself(struct validatord *v, const uint8_t *name, enum change_kind kind, unsigned pick)
{
    struct change *change = change_new(v, NULL, kind, name);

    if (!change)
        return;
    change->tree = true;
    change->pick = pick;
    change->arena = arena_new(CHANGE_ARENA_BYTES);
    if (!change->arena || cache_key_name(name, &change->key)) {
        change_free(change);
        return;
    }
    change_submit(change);
}

static void nta_probed(struct validatord *v, const struct val_event *event, const char *zone)
{
    struct env env = daemon_env(&v->daemon);
    int64_t next_s;
    const struct val_probe_report *report = val_core_nta_report(v->core, &env, event->zone, &next_s);

    if (report)
        log_info("NTA for %s: a probe of %u servers found that %s%s%s", zone, report->server_count,
                 report->result == VAL_PROBE_ALL      ? "all of it validates"
                 : report->result == VAL_PROBE_SOME   ? "only some of it validates"
                 : report->result == VAL_PROBE_SILENT ? "none of them answers"
                                                      : "it does not validate",
                 event->text[0] ? ": " : "", event->text);
    control_probe_done(v, event->zone);
}

void control_event(struct validatord *v, const struct val_event *event)
{
    char zone[NAME_TEXT_MAX];

    name_to_text(event->zone, zone);
    switch (event->kind) {
    case VAL_EVENT_INCIDENT_OPENED:
        log_warning("incident: %s fails (%s); it is asked by probes only, and answers come from what is kept",
                    zone, event->text);
        break;
    case VAL_EVENT_INCIDENT_CHANGED:
        log_notice("incident: %s %s (%s)", zone,
                   event->degraded ? "validates in part" : "does not validate in any part", event->text);
        break;
    case VAL_EVENT_INCIDENT_CLOSED:
        log_notice("incident: %s is over after %lld s", zone,
                   (long long)(daemon_wall(&v->daemon).s - event->since.s));
        change_by_itself(v, event->zone, CHANGE_INCIDENT_END, PICK_FAILURES | PICK_CONTINUED);
        break;
    case VAL_EVENT_INCIDENT_PROBED:
        control_probe_done(v, event->zone);
        break;
    case VAL_EVENT_ADVICE:
        log_warning("all servers of %s serve what does not validate (%s). See holdfastctl nta advise for the "
                    "evidence "
                    "before you decide on a negative trust anchor",
                    zone, event->text);
        break;
    case VAL_EVENT_CHILD_ADVICE:
        log_warning(
            "%s fails its kept DS below a negative trust anchor (%s). It may need one of its own: see "
            "holdfastctl nta advise",
            zone, event->text);
        break;
    case VAL_EVENT_NTA_PROBED:
        nta_probed(v, event, zone);
        break;
    case VAL_EVENT_NTA_VALID:
        change_by_itself(v, event->zone, CHANGE_NTA_VALID, PICK_FAILURES | PICK_NTA);
        break;
    }
}
