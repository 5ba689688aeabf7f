#pragma once
/* An authoritative server for a world that needs no zone files: the signed root, the signed zone bench. below
 * it, and under bench. as many signed zones as there are names. Every signature is made when it is asked for,
 * with one P-256 key for all zones, so a million names cost neither memory nor a run of a signer.
 *
 *   .                       served at the first address
 *   bench.                  at the second; has the addresses of all servers
 *   ANY.bench.              at the third: SOA, NS, DNSKEY, and an A record at every name
 *
 * What does not exist is a NODATA with an NSEC record of its own (RFC 4470, RFC 9824): nothing to synthesise
 * from. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum authority_role { ROLE_ROOT = 0, ROLE_TLD = 1, ROLE_CHILD = 2, ROLES = 3 };

#define AUTHORITY_TTL       86400u
#define AUTHORITY_REPLY_MAX 1232u

struct authority; /* the key, the addresses */

/* addresses: IPv4, octets, one for each role. NULL: OpenSSL failed. */
struct authority *authority_new(const uint8_t addresses[ROLES][4]);
/* The root's DS in presentation form. */
void authority_anchor(const struct authority *authority, char *ret_text, size_t room);
/* One question to the server in that role. Octets of the reply (reply holds AUTHORITY_REPLY_MAX), 0: none.
 * `now` is wall-clock seconds. */
size_t authority_answer(struct authority *authority, enum authority_role role, const uint8_t *query,
                        size_t size, uint32_t now, uint8_t *reply);
