#pragma once
/* RDATA by type: shape checks, decompression, canonical form (RFC 4034 6.2, 6840 5.1), text form (RFC 1035 5,
 * RFC 3597 5 for unknown types). One descriptor table, read by the parser, the builder, the validator and
 * text. */

#include "common/wire/rrset.h"

/* Canonical form of one RDATA into ret (as big as the input): embedded names of the types of RFC 4034 6.2 (as
 * mended by RFC 6840 5.1: not NSEC's next name; RRSIG's signer yes) in lower case. */
void rdata_canonicalize(uint16_t type, const struct rdata *rdata, uint8_t *ret_data);
/* 0: has the shape of its type (all names inside valid, no bytes over); 1: malformed. Unknown types: always
 * 0. */
int rdata_check(uint16_t type, const struct rdata *rdata);
/* The same for the types that message_parse() checks, whose inside holdfast reads or decompresses; others:
 * always 0. So whatever was taken from a message passes. */
int rdata_check_received(uint16_t type, const struct rdata *rdata);
/* Does the type bit map (of NSEC, NSEC3, CSYNC) hold the type? Malformed maps hold nothing. RFC 4034 4.1.2.
 */
bool type_bitmap_has(const uint8_t *bitmap, size_t size, uint16_t type);
/* Presentation form, NUL-terminated, cut at room. Returns the length it would need. */
size_t rdata_to_text(uint16_t type, const struct rdata *rdata, char *buf, size_t room);
/* "A", "TYPE65280". buf >= 16. */
const char *rrtype_to_text(uint16_t type, char buf[16]);
/* 0, or 1: unknown. Accepts mnemonics without regard to case, and TYPEnnn. */
int rrtype_from_text(const char *text, uint16_t *ret_type);
/* "NOERROR", "RCODE99". buf >= 16. */
const char *rcode_to_text(uint16_t rcode, char buf[16]);
/* The registry's words: "DNSSEC Bogus". "" when unknown. */
const char *ede_to_text(uint16_t code);
/* "ECDSAP256SHA256", or "ALG99". buf >= 24. */
const char *algorithm_to_text(uint8_t algorithm, char buf[24]);
