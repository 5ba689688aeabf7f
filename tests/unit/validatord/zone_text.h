#pragma once
/* RRsets for tests from lines of zone text, read by libldns: an independent view of what the text means. */

#include "common/wire/rrset.h"

/* Every line one whole record ("owner TTL IN TYPE rdata"), no parentheses. Records of one owner and type
 * become one RRset, their RRSIGs attached, whichever comes first. Asserts that all of it is well-formed. */
void zone_text_read(struct arena *arena, const char *text, struct rrset_list *ret_list);
/* The one RRset of that owner and type in the text; asserts that it is there. */
struct rrset *zone_text_find(struct rrset_list *list, const char *owner, uint16_t type);
/* A name in the arena. */
const uint8_t *zone_text_name(struct arena *arena, const char *text);
