#pragma once
/* The descriptor table of RDATA: what a type's RDATA consists of, field by field. Private to common/wire.
 *
 * A shape is a string of field codes in the order of the wire form:
 *   1 2 4  unsigned number of that many octets      D  time, 4 octets       t  RR type
 *   a A    IPv4, IPv6 address                       n  name
 *   s      character-string                         S  one or more character-strings, to the end
 *   c      CAA tag: a character-string, unquoted    q  one string without length, to the end
 *   x z    hexadecimal to the end (z: with 0x)      b  base64 to the end
 *   h      length and hexadecimal (NSEC3 salt)      k  length and base32hex (NSEC3 hash)
 *   m o    type bit map of NSEC, of NXT             i  8 octets as four groups (ILNP)
 *   e E    EUI-48, EUI-64                           L  LOC        P  APL items
 *   g      IPSECKEY gateway                         H  HIP body   v  SVCB parameters
 *   w      WKS body       p N  A6 prefix and address, A6 name     .  anything */

#include "common/wire/rdata.h"
#include "common/wire/reader.h"

enum shape_flag {
    SHAPE_COMPRESS = 1,   /* names may be compressed when sent: the types of RFC 1035 (RFC 3597 4) */
    SHAPE_DECOMPRESS = 2, /* compressed names are understood when received */
    SHAPE_LOWER = 4,      /* names are lower-cased in the canonical form (RFC 4034 6.2, RFC 6840 5.1) */
    SHAPE_CHECKED = 8,    /* malformed RDATA makes the message malformed: holdfast reads its inside */
};

struct rdata_shape {
    uint16_t type;
    uint8_t flags;
    char name[12];
    char fields[10];
};

/* The descriptor, or NULL for a type that is not in the table (RFC 3597). */
const struct rdata_shape *rdata_shape_find(uint16_t type);
/* All descriptors, for names to types. */
const struct rdata_shape *rdata_shapes(size_t *ret_count);

struct rdata_field {
    char code;
    const uint8_t *data; /* as received, compressed perhaps */
    size_t size;
    size_t name_size; /* of a name: its uncompressed size, else 0 */
    uint8_t name[NAME_MAX];
};

/* A walk over the fields of one RDATA. */
struct rdata_walk {
    struct reader reader;
    size_t start;     /* offset of the RDATA in the reader's data */
    const char *next; /* code of the next field */
    bool pointers;    /* compressed names are accepted */
    bool compressed;  /* one was seen */
};

struct rdata_walk rdata_walk_begin(const struct rdata_shape *shape, struct reader reader, bool pointers);
/* The next field. false at the end and after a failure. */
bool rdata_walk_next(struct rdata_walk *walk, struct rdata_field *ret_field);
/* After the last field: was everything well-formed and nothing left over? */
bool rdata_walk_complete(const struct rdata_walk *walk);

/* Service parameter keys, RFC 9460 14.3.2. */
enum svcb_key {
    SVCB_MANDATORY = 0,
    SVCB_ALPN = 1,
    SVCB_NO_DEFAULT_ALPN = 2,
    SVCB_PORT = 3,
    SVCB_IPV4HINT = 4,
    SVCB_ECH = 5,
    SVCB_IPV6HINT = 6,
    SVCB_DOHPATH = 7, /* RFC 9461 5 */
    SVCB_OHTTP = 8,   /* RFC 9540 4 */
};

/* Steps over (and checks) the fields with an inner structure of their own; failure by the reader's flag. */
void rdata_skip_special(char code, struct reader *reader, size_t rdata_start);

struct text;
/* Presentation form of those fields; the RDATA around it is in walk order before field->data. */
void rdata_special_to_text(struct text *text, const struct rdata_field *field, const struct rdata *rdata);

/* Pieces of presentation form shared by the two text files. */
void rdata_text_add_name(struct text *text, const uint8_t *name);
void rdata_text_add_octet_escaped(struct text *text, uint8_t octet);
void rdata_text_add_quoted(struct text *text, const uint8_t *data, size_t size);
void rdata_text_add_base64(struct text *text, const uint8_t *data, size_t size);
void rdata_text_add_padded(struct text *text, uint32_t number, unsigned digits);
void rdata_text_add_ipv4(struct text *text, const uint8_t address[4]);
void rdata_text_add_ipv6(struct text *text, const uint8_t address[16]);
