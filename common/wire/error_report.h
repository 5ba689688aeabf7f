#pragma once
/* RFC 9567: the Report-Channel option (18) names an agent; a report is the question TXT
 * `_er.<QTYPE>.<QNAME>.<INFO-CODE>._er.<agent>`. */

#include "common/base/util.h"
#include "common/wire/name.h"

/* The agent of an option's value, in lower case. 0; 1: none: empty, the root, or not a name that fills it. */
int error_report_agent(struct slice option, uint8_t ret_agent[NAME_MAX]);
/* The name to ask for; name and agent in lower case. 0; 1: it would be longer than 255 octets (6.1.1: not
 * sent), and nothing was written. */
int error_report_name(const uint8_t *name, uint16_t type, uint16_t ede, const uint8_t *agent,
                      uint8_t ret_name[NAME_MAX]);
/* Is the name a report's own, or anywhere below a label `_er`? Nothing is reported about those. */
bool error_report_is_one(const uint8_t *name);
