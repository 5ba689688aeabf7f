#pragma once
/* Children that fail their kept DS below an NTA. The NTA of a registry does not open its signed children
 * (DESIGN 5): one that rolled its keys or gave up signing meanwhile fails until its DS can be had again,
 * which nobody can tell from an attack. So the operator is told of it, who may give it an NTA of its own. */

#include "daemons/validatord/core/internal.h"

#define NTA_CHILDREN 32u  /* told of at once: each may need an NTA of its own, which is an operator's work */
#define NTA_CHILD_S  900u /* three times the longest memory of a failure */

struct nta_child {
    bool used;
    mono_ns last;
    wall_s since;
    struct failure why;
    uint8_t zone[NAME_MAX];
};

/* A name that a DS kept below an NTA governs failed. The reason names that DS, and the keys it points at are
 * looked at, unless they are known to be good: then it is the name that is broken, not the child. */
void val_nta_child_doubted(struct val_core *core, struct job *by, struct failure *why);
/* nta.c: is there one at this very node, in force? */
bool policy_has_nta(const struct val_core *core, const uint8_t *zone);
/* A zone's keys fail, or validate again. */
void val_nta_child_failed(struct val_core *core, const uint8_t *zone, const struct failure *why);
void val_nta_child_validated(struct val_core *core, const uint8_t *zone);
