#pragma once
/* The network of fuzz_forgery: a small signed namespace, its honest servers, and an attacker who sits on
 * every wire.
 *
 * He can hold back, replay, mix and change whatever the honest servers say, add records of his own, and he
 * owns one signed zone (evil.example.) with whose key he signs what he likes. What he lacks is any other
 * private key. */

#include "common/wire/message.h"
#include "fuzz/fuzz.h"
#include "tests/replay/world.h"

#define FORGERY_NOW 1800000000

/* Whether the truth about a name is guarded by signatures all the way. */
enum forgery_class {
    FORGERY_PROTECTED, /* only the truth, or a failure, may be told */
    FORGERY_OPEN,      /* unsigned, or in an opt-out span: anything may be told, but never as authentic */
    FORGERY_OWNED,     /* the attacker's own zone: anything */
};

struct forgery_name {
    char text[40];
    enum forgery_class class;
};

#define FORGERY_NAMES 18u
#define FORGERY_TYPES 10u
extern const struct forgery_name forgery_names[FORGERY_NAMES];
extern const uint16_t forgery_types[FORGERY_TYPES];

/* Builds and signs the zones, once a process; fills in the hint and the anchor. */
void forgery_net_init(struct world_config *ret_config);
/* The reply to one query of the recursor: the honest one, changed as the input says; honest throughout once
 * the input is used up. Returns its size, 0: none comes. */
size_t forgery_reply(struct fuzz_input *in, const struct exchange *exchange, uint8_t wire[MESSAGE_MAX]);
