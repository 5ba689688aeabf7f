#pragma once
/* Domain names in wire form: length-prefixed labels ending with the root's zero octet, no compression.
 *
 * Inside holdfast a name is a `const uint8_t *` to such bytes, already checked (at most 255 octets, labels at
 * most 63) and in lower case; it delimits itself. Only common/wire turns foreign bytes into names. Text is
 * for the edges (control tool, logs, EDE texts). RFC 1035 2.3.4, 3.1; RFC 4034 6.1 for the order. */

#include <limits.h> /* it has a NAME_MAX of its own, for file names; the number is the same */

#include "common/base/util.h"

#ifndef NAME_MAX
#define NAME_MAX 255 /* octets in wire form, RFC 1035 2.3.4 */
#endif
static_assert(NAME_MAX == 255, "a domain name has at most 255 octets in wire form");
#define NAME_MAX_LABELS 127u  /* without the root */
#define NAME_TEXT_MAX   1025u /* text form with \DDD escapes, final NUL included */

extern const uint8_t name_root[1];

/* Octets including the final zero. */
size_t name_size(const uint8_t *name);
/* Labels without the root: "." has 0, "example.com." 2. */
unsigned name_labels(const uint8_t *name);
static inline bool name_is_root(const uint8_t *name)
{
    return name[0] == 0;
}
/* Same name. Compares without regard to ASCII case, so either side may be in original case. */
bool name_equal(const uint8_t *a, const uint8_t *b);
/* Canonical DNS name order, RFC 4034 6.1: < 0, 0, > 0. */
int name_compare(const uint8_t *a, const uint8_t *b);
/* Is `name` equal to `ancestor` or below it? */
bool name_is_under(const uint8_t *name, const uint8_t *ancestor);
/* Strictly below. */
bool name_is_below(const uint8_t *name, const uint8_t *ancestor);
/* The name without its first label: a pointer into `name`. The root's parent is the root. */
static inline const uint8_t *name_parent(const uint8_t *name)
{
    return name[0] ? name + 1 + name[0] : name;
}
/* The ancestor with that many labels (0 = root); labels <= name_labels(name). Pointer into `name`. */
const uint8_t *name_suffix(const uint8_t *name, unsigned labels);
/* Labels the two have in common, counted from the root: the closest common ancestor. */
unsigned name_common_labels(const uint8_t *a, const uint8_t *b);
/* First label is "*". */
static inline bool name_is_wildcard(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}
/* ASCII lower case, in place. Length octets are < 64 and so never touched. */
void name_lower(uint8_t *name);
/* Copies to out[NAME_MAX] in lower case; returns the size. */
size_t name_copy(const uint8_t *name, uint8_t *ret_name);
/* "*." + name. 0, or 1 when it would not fit. */
int name_make_wildcard(const uint8_t *name, uint8_t ret_name[NAME_MAX]);
/* prefix's labels (all but its root, the first `labels` of them) put before suffix. 0, or 1: longer than 255.
 */
int name_join(const uint8_t *prefix, unsigned labels, const uint8_t *suffix, uint8_t ret_name[NAME_MAX]);
/* DNAME substitution, RFC 6672 2.2: `name` (strictly below owner) with its suffix `owner` replaced by target.
 * 0, or 1: the result is longer than 255 octets (YXDOMAIN). */
int name_substitute(const uint8_t *name, const uint8_t *owner, const uint8_t *target,
                    uint8_t ret_name[NAME_MAX]);

/* Checks size bytes as an uncompressed wire name filling them exactly, lower-cases it into ret_name.
 * 0, or 1: not a name. For names from protobuf frames and cache values. */
int name_from_bytes(const void *data, size_t size, uint8_t ret_name[NAME_MAX]);
/* Text to wire form in lower case; relative text is taken as absolute. Escapes \X and \DDD. 0, or 1: not a
 * name. */
int name_from_text(const char *text, uint8_t ret_name[NAME_MAX]);
/* Wire to text with a final dot ("example.com.", "."), special characters escaped. buf holds NAME_TEXT_MAX.
 * Returns buf. */
char *name_to_text(const uint8_t *name, char buf[NAME_TEXT_MAX]);
