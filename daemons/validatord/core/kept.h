#pragma once
/* Continuity (DESIGN 5 rule 1): when a parent P fails, the last validated link below it is used instead, up
 * to delegation_max_age past its expiry. Validation is of evidence, and evidence does not become false when
 * its TTL ends. It replaces only what P says about its cuts, or P's DNSKEY set. */

#include "daemons/validatord/core/internal.h"

/* Is something that ended then still within what may be used? */
bool kept_is_usable(const struct val_core *core, wall_s stored, wall_s expires);
/* Does the record keep what its parent said of a DS? */
bool kept_ds_known(const struct val_core *core, const struct cache_zone *rec);
bool kept_delegation_known(const struct val_core *core, const struct cache_zone *rec);

/* kept.c: the parent failed, zone->kept_why says why. Concludes the zone's DS, if what is kept allows it.
 * WAIT_NONE: concluded, or ret_none; WAIT_MORE; -ENOMEM. */
int val_kept_ds(struct val_core *core, struct zone *zone, bool *ret_none);
/* A validated statement of the parent, signed at `inception`: is it older than a kept DS that has held its
 * child? A replay, then. */
bool val_kept_outweighs(const struct val_core *core, const struct zone *zone, wall_s inception);

/* cut_denied.c: the task is a validated NXDOMAIN; what is kept of cuts between its signer and its name ends,
 * but for a DS that was signed later than the denial. */
void val_cuts_denied(struct val_core *core, struct task *task);

/* Has the parent of the cut at name, or of one above it, denied it since what is kept of it was validated, by
 * a record that lies in the cache? 1: it has; 0; -ENOMEM. */
int val_kept_denied(struct val_core *core, const struct job *by, const uint8_t *name);

/* kept_cut.c: where a fetch starts. */
struct cut {
    const uint8_t *name; /* pointer into the name that was asked for; NULL: recursord's own knowledge */
    struct rrset ns;
    struct rrset_list glue;
    wall_s expires; /* of a kept one */
};
/* The deepest delegation in force at or above name. 0 or -ENOMEM. */
int val_cut_in_force(struct val_core *core, const struct job *owner, const uint8_t *name,
                     struct cut *ret_cut);
/* The first kept delegation below the ancestor of name with above_labels labels. 0; 1: none; -ENOMEM.
 * *ret_why: EDE 3 with the text, from `cause`. */
int val_cut_kept(struct val_core *core, const struct job *owner, const uint8_t *name, unsigned above_labels,
                 const struct failure *cause, struct cut *ret_cut, struct failure *ret_why);

/* The chain rests on a link that expired then: it may be used until the limit, whatever is cached meanwhile.
 */
void kept_end(const struct val_core *core, struct chain *chain, wall_s expires);
/* "kept DS of example.de., 2 h past its expiry; <why>" */
void kept_text(const struct val_core *core, struct failure *failure, const char *what, const uint8_t *zone,
               wall_s expires, const struct failure *why);
