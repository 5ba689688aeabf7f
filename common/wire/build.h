#pragma once
/* Message builder: header, question, sections with name compression, OPT with options, truncation.
 *
 * Sticky failure: once the question or the OPT did not fit every later call does nothing, and build_end()
 * says so. An RRset that does not fit leaves no trace and is no failure: the caller sets TC or leaves it out.
 * Compression: owner names, and names in the RDATA of the types of RFC 1035 only (RFC 3597 4). */

#include "common/wire/message.h"

#define BUILD_COMPRESS_SLOTS                                                                                 \
    128u /* remembered names; beyond it names go uncompressed (THREATS: compression) */

struct builder {
    uint8_t *wire;
    size_t room, size;
    uint16_t counts[4];
    uint8_t section;
    bool failed;     /* something did not fit */
    size_t reserved; /* bytes kept for the OPT */
    /* Hash table of suffixes written so far: offset in the message, 0: free. One place each, so that looking
     * for a suffix costs one comparison of one label. */
    uint16_t slots[BUILD_COMPRESS_SLOTS];
};

void build_begin(struct builder *b, void *wire, size_t room, uint16_t id, uint16_t flags);
/* Changes the flags after build_begin(): TC is only known at the end. */
void build_set_flags(struct builder *b, uint16_t flags);
/* The question; qname in the case to be sent. */
void build_question(struct builder *b, const uint8_t *qname, uint16_t qtype, uint16_t qclass);
/* Keeps bytes free at the end for an OPT. */
void build_reserve(struct builder *b, size_t bytes);
/* The whole RRset with ttl, and its RRSIGs when with_sigs, starting at RDATA number `rotate` modulo count
 * (RRset rotation). Sections must come in order. 0, or 1: did not fit, and nothing of it was written. A set
 * that has only signatures (count 0) writes those; they get the set's ttl, RFC 4034 3. */
int build_rrset(struct builder *b, enum section section, const struct rrset *rrset, uint32_t ttl,
                bool with_sigs, unsigned rotate);
/* One RR from raw parts. As above. */
int build_rr(struct builder *b, enum section section, const uint8_t *owner, uint16_t type, uint16_t class,
             uint32_t ttl, const void *rdata, uint16_t size);
struct edns_reply {
    uint16_t payload_size, flags;
    uint8_t version;
    uint16_t rcode; /* full 12 bit; only its upper 8 go into the OPT, the lower 4 are in the flags */
    struct slice cookie;
    int keepalive_ds;       /* RFC 7828, units of 100 ms; < 0: absent */
    unsigned padding_block; /* RFC 8467: pad to a multiple; 0: none */
    uint8_t ede_count;
    struct edns_ede ede[EDNS_MAX_EDE];
    struct slice raw; /* further options, already encoded */
};
/* Adds the OPT (into the reserve). EDE texts are dropped first, then codes, when it does not fit. */
void build_opt(struct builder *b, const struct edns_reply *opt);
/* Writes the counts. Returns the size of the message, or 0 when it failed (the caller then truncates). */
size_t build_end(struct builder *b);
