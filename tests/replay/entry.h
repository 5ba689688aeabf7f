#pragma once
/* Entries at work: does a question match, what is replied, is an answer the one wanted. */

#include "tests/replay/scenario.h"

/* Does the question in wire match the entry's MATCH words? Bytes that do not parse match nothing. */
bool entry_matches(const struct rpl_entry *entry, struct slice query, bool tcp);
/* The entry's reply to that question (id and question copied as ADJUST says; query may be empty). Returns its
 * size, at most 65535 bytes at out. */
size_t entry_reply(const struct rpl_entry *entry, struct slice query, uint8_t *out);
/* Is this the answer the entry wants? 0; 1 and a sentence in why. */
int entry_check(const struct rpl_entry *entry, struct slice answer, char *why, size_t room);
/* A message or an entry in presentation form, for showing both side by side. Caller frees. */
char *entry_show(const struct rpl_entry *entry);
char *message_show(struct slice wire);
