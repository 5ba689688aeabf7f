#pragma once
/* What a change takes out of the cache at and below a name: an operator's flush, the coming and going of a
 * negative trust anchor, the end of an incident. Pure, so that the writer and the replay player cannot
 * differ. */

#include "common/cache/entry.h"

enum outdated_pick {
    PICK_FAILURES = 1, /* remembered failures */
    PICK_NEGATIVE = 2, /* NXDOMAIN and NODATA */
    PICK_NTA =
        4, /* what was accepted under a negative trust anchor: RFC 7646 2. What validated there expires */
    PICK_CONTINUED = 8, /* what rests on a kept link expires: DESIGN 5 rule 1 */
};

/* The databases in which there is something to pick, for that pick. */
bool outdated_concerns(unsigned pick, enum cache_db db);

enum outdated_outcome { OUTDATED_NO = 0, OUTDATED_REMOVE = 1, OUTDATED_REPLACE = 2 };
/* Is this entry outdated? nta_since: when the NTA came; an insecure answer stored before it stays.
 * OUTDATED_REPLACE: only part of it is, *ret_value (in the arena) is the rest. A damaged entry goes. -ENOMEM,
 * or the outcome. */
int outdated_entry(struct arena *arena, unsigned pick, wall_s nta_since, enum cache_db db, struct slice key,
                   struct slice value, struct slice *ret_value);

/* What fails at or below the node of an NTA that comes, before the change forgets it: into nta->targets, and
 * why the first of it does into *ret_why (code EDE_NONE: nothing is remembered). */
void nta_note_failures(const struct cache_view *view, const uint8_t *node, struct cache_nta *nta,
                       struct answer_ede *ret_why);
