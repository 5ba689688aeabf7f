#pragma once
/* Incidents: a zone P below which names fail for one cause (DESIGN 5). While one is open, P is asked by the
 * probe only, and within a ration; every other question is answered at once from what is kept. RFC 9520.
 *
 * One broken child is not its parent's incident, nor is a zone of hosts a parent: counted are distinct names
 * right below P of which P has to say whether they are a cut, and a delegation of theirs is known. */

#include "daemons/validatord/core/internal.h"

#define INCIDENT_CHILDREN  3u    /* that fail within INCIDENT_WINDOW_S open one */
#define INCIDENT_WINDOW_S  300u  /* the longest back-off: failures further apart are each remembered alone */
#define INCIDENT_REOPEN_S  60u   /* after the end of one a single failure opens it again */
#define INCIDENT_MAX       256u  /* open or suspected; over it the oldest suspicion goes */
#define INCIDENT_RATIONS   8192u /* children whose ration is remembered, in sets of INCIDENT_WAYS */
#define INCIDENT_WAYS      4u
#define INCIDENT_BACKOFF_S 5u /* first, doubled at each probe that fails, up to the probe interval */

/* A statement of zone about child failed, its keys did, or the way to it. by: whose work it was. */
void val_incident_failed(struct val_core *core, struct job *by, const uint8_t *zone, const uint8_t *child,
                         const struct failure *why);
/* Is the zone itself in an incident? ret_why may be NULL. */
bool val_incident_open(struct val_core *core, const uint8_t *zone, struct failure *ret_why);
/* The deepest zone at or above name that is in an incident, owned by the core, valid during this event; NULL:
 * none. ret_why may be NULL. */
const uint8_t *val_incident_above(struct val_core *core, const uint8_t *name, struct failure *ret_why);
/* The ration: may the zone be asked about this child now? True is taken at once. kept: of the child something
 * is kept. True when the zone is in no incident. */
bool val_incident_may_ask(struct val_core *core, const uint8_t *zone, const uint8_t *child, bool kept);
/* Something from the zone that was fetched now has validated: reason to look whether the incident is over. */
void val_incident_validated(struct val_core *core, const uint8_t *zone);

int val_incidents_new(struct val_core *core);
void val_incidents_free(struct val_core *core);
