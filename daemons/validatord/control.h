#pragma once
/* The control socket's verbs of validatord (holdfastctl speaks them, proto/control.proto carries them).
 *
 *   status, statistics, reset-statistics, log-level [text]
 *   show-cache [name [tree]] [limit] [cursor]   one chunk; a cursor in the reply asks for the next
 *   cache-stats, cache-verify
 *   flush-caches [name [tree]] [bogus] [negative]
 *   nta-list, nta-add name [lifetime reason author force], nta-remove name, nta-probe name, nta-advise
 *   trust-anchor-list, trust-anchor-add name type rdata, trust-anchor-remove name [by_tag key_tag] [force]
 *   explain name [type]
 *   serve-stale [name], text: status, on, off, reset
 *
 * What changes the cache is persisted and synced, then takes effect, then is answered. */

#include <jansson.h>

#include "common/ipc/control.h"
#include "daemons/validatord/validatord.h"

#define CONTROL_CLIENT UINT64_MAX /* the client number of questions that come from here */

/* Opens the socket that was passed as "control", if one was. 0 or -errno. */
int control_new(struct validatord *v, struct control **ret_control);
void control_free(struct control *control);
/* Takes a verdict if it answers a question of control's own. */
bool control_take_verdict(struct control *control, const struct val_action *action);
/* Evidence came in: noted for an explanation that waits. */
void control_note_evidence(struct control *control, const uint8_t *cut, const struct address *server,
                           unsigned transport, uint32_t rtt_us);
/* Loads the operator's NTAs from the cache into the core, and ends each when its time is over. 0 or -errno.
 */
int control_load_ntas(struct validatord *v);
/* Something happened that the operator should know of: logged, and acted on. */
void control_event(struct validatord *v, const struct val_event *event);
/* Reads the state of the trust anchors and sets it against the configuration. 0 or -errno. */
int control_load_anchors(struct validatord *v);
/* The core's VAL_ACTION_ANCHOR. */
void control_anchor_changed(struct validatord *v, const struct val_action *action);

/* ---- between the control files ---- */

typedef Holdfast__Control__Request control_message;

/* One JSON value as the whole reply; takes json. NULL: memory was short. `to` NULL: nobody asked. */
void control_answer(struct control_request *to, json_t *json);
/* code: an errno value. `to` NULL: nobody asked, so it is logged. */
void control_refuse(struct control_request *to, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The name of a request, or the root with *ret_given false. False: malformed, and refused. */
bool control_name(const control_message *message, struct control_request *to, uint8_t ret_name[NAME_MAX],
                  bool *ret_given);

void control_show_cache(struct validatord *v, const control_message *message, struct control_request *to);
void control_cache_stats(struct validatord *v, const control_message *message, struct control_request *to);
void control_cache_verify(struct validatord *v, const control_message *message, struct control_request *to);
void control_flush(struct validatord *v, const control_message *message, struct control_request *to);
/* The NTAs in force, as nta-list shows them. */
json_t *control_ntas(struct validatord *v);
void control_nta_list(struct validatord *v, const control_message *message, struct control_request *to);
void control_nta_add(struct validatord *v, const control_message *message, struct control_request *to);
void control_nta_remove(struct validatord *v, const control_message *message, struct control_request *to);
void control_nta_probe(struct validatord *v, const control_message *message, struct control_request *to);
void control_nta_advise(struct validatord *v, const control_message *message, struct control_request *to);
/* A probe of that name is over: whoever waits for it is answered. */
void control_probe_done(struct validatord *v, const uint8_t *name);
void control_probes_free(struct validatord *v);
json_t *control_probe_json(const struct val_probe_report *report);
json_t *control_incident_json(const struct val_incident *incident, wall_s now);
/* The open incidents, for status. */
json_t *control_incidents(struct validatord *v);

void control_serve_stale(struct validatord *v, const control_message *message, struct control_request *to);

void control_anchor_list(struct validatord *v, struct control_request *to);
void control_anchor_add(struct validatord *v, const control_message *message, struct control_request *to);
void control_anchor_remove(struct validatord *v, const control_message *message, struct control_request *to);
struct anchor_totals {
    unsigned trusted; /* keys in force */
    json_t *revoked;  /* trust points of which every key was revoked */
};
struct anchor_totals control_anchor_totals(struct validatord *v);

struct explain_list;
void control_explain(struct validatord *v, struct explain_list *list, const control_message *message,
                     struct control_request *to);
bool explain_take_verdict(struct validatord *v, struct explain_list *list, const struct val_action *action);
void explain_note_evidence(struct explain_list *list, const uint8_t *cut, const struct address *server,
                           unsigned transport, uint32_t rtt_us);
struct explain_list *explain_list_new(void);
void explain_list_free(struct explain_list *list);

/* A change was persisted: `epoch` takes effect in the queue, the shared page and the core, in that order. */
void control_raise_epoch(struct validatord *v, uint64_t epoch);

/* ---- entry_json.c: cache entries and DNS data as JSON; usable in any thread ---- */

json_t *json_name(const uint8_t *name);
json_t *json_rrtype(uint16_t type);
/* Presentation form of every RDATA. */
json_t *json_rdata(const struct rrset *rrset);
json_t *json_ede(const struct answer_ede *ede, unsigned count);
const char *security_word(enum security security);
const char *ds_state_word(enum ds_state state);
/* "192.0.2.1" or "2001:db8::1". */
json_t *json_address(const struct address *address);
/* One entry as shown by show-cache; NULL with *ret_damaged true when it does not decode. */
json_t *json_cache_entry(struct arena *arena, enum cache_db db, struct slice key, struct slice value,
                         wall_s now, bool *ret_damaged);
