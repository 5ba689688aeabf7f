#pragma once
/* A DNS message parsed into an arena, and RRsets gathered from its sections.
 *
 * message_parse() checks everything a later reader relies on: names, RDATA shapes of the types whose inside
 * holdfast looks at, counts, one OPT at most. Nothing is taken from a message that does not parse. RFC
 * 1035 4. */

#include "common/base/arena.h"
#include "common/wire/rrset.h"

#define MESSAGE_HEADER_SIZE 12u
#define MESSAGE_MAX         65535u

enum section { SECTION_ANSWER = 0, SECTION_AUTHORITY = 1, SECTION_ADDITIONAL = 2 };

struct rr {
    const uint8_t *owner; /* lower case */
    uint16_t type, class;
    uint32_t ttl;       /* top bit set: capped to 2^31-1 (RFC 8767 4) */
    struct rdata rdata; /* uncompressed, original case */
};

struct edns_ede {
    uint16_t code;
    uint16_t text_size; /* not NUL-terminated */
    const char *text;
};

#define EDNS_MAX_EDE     8u
#define EDNS_MAX_OPTIONS 32u /* THREATS: EDNS lists; more is FORMERR */

struct edns {
    bool present;
    uint8_t version;
    uint8_t extended_rcode;
    uint16_t flags; /* EDNS_FLAG_DO */
    uint16_t payload_size;
    struct slice cookie; /* option 10: 8 to 40 bytes, or empty */
    bool has_keepalive;
    bool has_padding;
    struct slice key_tag;        /* option 14, RFC 8145 */
    struct slice report_channel; /* option 18, RFC 9567 */
    uint8_t ede_count;
    struct edns_ede ede[EDNS_MAX_EDE];
};

struct message {
    uint16_t id, flags;
    uint16_t qdcount;
    uint8_t opcode;
    uint16_t rcode; /* with the extended bits of the OPT */
    /* the question as received, when qdcount == 1 */
    const uint8_t *qname;     /* lower case */
    const uint8_t *qname_raw; /* case as received (for 0x20 and for echoing) */
    uint16_t qtype, qclass;
    uint32_t question_end; /* offset behind the question in the wire */
    struct rr *rr[3];      /* without OPT and TSIG */
    uint16_t count[3];
    struct edns edns;
    const uint8_t *wire; /* borrowed: the bytes parsed */
    uint32_t size;
};

enum message_outcome {
    MESSAGE_OK = 0,
    MESSAGE_TOO_SHORT = 1, /* less than a header: nothing can be answered */
    MESSAGE_MALFORMED = 2, /* the header is in ret; FORMERR may be sent */
};

/* Parses size bytes; ret_message points into the arena and into wire. -ENOMEM when the arena is full;
 * else enum message_outcome. On MESSAGE_MALFORMED id, flags, opcode are set, and the question if it parsed
 * (qname != NULL). Trailing bytes are MALFORMED. */
int message_parse(struct arena *arena, const void *wire, size_t size, struct message *ret_message);

/* The RRsets of one section: RRs of one owner, type and class gathered, RRSIGs attached to what they cover
 * (an RRSIG whose set is not in the section makes a set with count 0). At most limit RRsets, else 1. */
int message_rrsets(struct arena *arena, const struct message *message, enum section section, uint32_t limit,
                   struct rrset_list *ret_list);
