#pragma once
/* RFC 8509: root-key-sentinel-is-ta-NNNNN and root-key-sentinel-not-ta-NNNNN as the leftmost label of a
 * question for an address. */

#include "common/wire/name.h"

/* Is this such a question? qname in lower case. Fills in which of the two labels it is, and the key tag. */
bool sentinel_parse(const uint8_t *qname, uint16_t qtype, bool *ret_is_ta, uint16_t *ret_tag);
