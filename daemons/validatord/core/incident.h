#pragma once
/* Incidents: a zone P below which names fail for one cause (DESIGN 5). While one is open, P is asked by the
 * probe only, and within a ration; every other question is answered at once from what is kept. RFC 9520.
 *
 * One broken child is not its parent's incident, nor is a zone of hosts a parent: counted are distinct names
 * below P of which P has to say whether they are a cut, and a delegation of theirs is known. Where signatures
 * fail, a probe of P's servers confirms it before the incident opens: forgeries that reach us over one path
 * are none. */

#include "daemons/validatord/core/internal.h"

#define INCIDENT_CHILDREN 3u     /* that fail within INCIDENT_WINDOW_S make a suspicion */
#define INCIDENT_WINDOW_S 300u   /* the longest back-off: failures further apart are each remembered alone */
#define INCIDENT_REOPEN_S 60u    /* after the end of one a single failure makes a suspicion */
#define INCIDENT_MAX      256u   /* open or suspected; over it the oldest suspicion goes */
#define INCIDENT_RATIONS  16384u /* children whose ration is remembered, in sets of INCIDENT_WAYS */
#define INCIDENT_WAYS     4u
#define INCIDENT_BACKOFF_S                                                                                   \
    5u /* first, doubled at each probe that fails, up to the probe interval; RFC 9520 3.2 */
#define INCIDENT_NAME_BITS 32768u /* a map of names hit, for their number */

/* A statement of zone about child failed, its keys did, or the way to it. by: whose work it was. */
void val_incident_failed(struct val_core *core, struct job *by, const uint8_t *zone, const uint8_t *child,
                         const struct failure *why);
/* Is the zone itself in an incident? ret_why may be NULL. */
bool val_incident_open(struct val_core *core, const uint8_t *zone, struct failure *ret_why);
/* The deepest zone at or above name that is in an incident, owned by the core, valid during this event; NULL:
 * none. ret_why may be NULL. */
const uint8_t *val_incident_above(struct val_core *core, const uint8_t *name, struct failure *ret_why);
/* The ration: may the zone be asked about this child now? True is taken at once. kept_ttl_s: the
 * TTL of what is kept of the child, which is asked for no more often than while all was well; 0: nothing is.
 * True when the zone is in no incident. Of a zone whose servers were all silent to the last probe it is never
 * true: the ration goes to a question behind, for the child's DS. */
bool val_incident_may_ask(struct val_core *core, const uint8_t *zone, const uint8_t *child,
                          uint32_t kept_ttl_s);
/* Something from the zone that was fetched now has validated: reason to look whether the incident is over. */
void val_incident_validated(struct val_core *core, const uint8_t *zone);
/* By its kept keys alone: that is a reason only where silence was the matter. */
void val_incident_heard(struct val_core *core, const uint8_t *zone);

/* Servers of a zone at or above name in a degraded incident that served what does not validate when it was
 * probed last, while others did well: these are better asked first. How many of them were put into
 * ret_servers. */
unsigned val_incident_bad_servers(const struct val_core *core, const uint8_t *name,
                                  struct address *ret_servers, unsigned room);

/* The zone's open incident. False: none. */
bool val_incident_describe(const struct val_core *core, const uint8_t *zone,
                           struct val_incident *ret_incident);
/* How a question below an incident was answered, for the advice and status. */
void val_incident_answered(struct val_core *core, const uint8_t *qname, const struct answer *answer);
/* The probe's end; by: the probe. */
void val_incident_probed(struct val_core *core, struct job *by, const struct val_probe_report *report);
/* Starts the probes that are due; and when the next one is. */
void val_incidents_tick(struct val_core *core);
mono_ns val_incidents_next(const struct val_core *core);
/* Probes it now. 0; 1: there is none. */
int val_incident_probe_now(struct val_core *core, const uint8_t *zone);

int val_incidents_new(struct val_core *core);
void val_incidents_free(struct val_core *core);

/* incident_record.c: what of an open incident outlives a restart, in CACHE_META. */
struct incident_record {
    wall_s since;
    uint16_t probes_failed;
    bool transport, degraded;
    uint16_t ede;
    struct slice text; /* at most ANSWER_EDE_TEXT octets */
    unsigned target_count;
    struct val_probe_target targets[VAL_PROBE_TARGETS];
};
/* 0, or 1: too long. A NULL zone: the prefix of all. */
int incident_key(const uint8_t *zone, struct cache_key *ret_key);
/* The zone of such a key. 0, or 1: another key. */
int incident_key_zone(struct slice key, uint8_t ret_zone[NAME_MAX]);
/* 0; 1; -ENOMEM. */
int incident_encode(struct arena *arena, struct slice key, const struct incident_record *record,
                    struct slice *ret_value);
/* 0; CACHE_MISS: damaged. The text points into value. */
int incident_decode(struct slice key, struct slice value, struct incident_record *ret_record);
