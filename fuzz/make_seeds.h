#pragma once
/* Parts of the seed maker. */

#include "common/wire/message.h"

#define SEED_MESSAGE_MAX 8192u

enum seed_kind { SEED_QUERY, SEED_ANSWER, SEED_REFERRAL, SEED_NXDOMAIN, SEED_OPTIONS, SEED_KINDS };

void seed_write(const char *directory, const char *target, const char *name, const void *data, size_t size);
const uint8_t *seed_name(struct arena *arena, const char *text);
/* RRsets from lines of zone text, ended by NULL. */
void seed_rrsets(struct arena *arena, const char *const *lines, struct rrset_list *ret_list);
/* One typical message of each kind, about www.example.com A. Returns its size. */
size_t seed_message(struct arena *arena, enum seed_kind kind, uint8_t wire[SEED_MESSAGE_MAX]);
/* make_seeds_frames.c: frames, cache values, scripts for the recursor, client packets. */
void seed_frames(struct arena *arena, const char *directory);
