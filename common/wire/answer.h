#pragma once
/* Answer: the judged reply to one question, with all its DNSSEC records, before a client's wishes trim it.
 *
 * Made by the cache look-up (common/cache/lookup.h) and by validatord; travels in a Verdict frame as one DNS
 * message; netd makes the client's reply from it. One shape for all three, so that a hit and a miss cannot
 * differ. */

#include "common/wire/message.h"

#define ANSWER_MAX_EDE  4u
#define ANSWER_EDE_TEXT 160u /* bytes; RFC 8914 asks for short texts */

struct answer_ede {
    uint16_t code;
    uint16_t text_size;
    char text[ANSWER_EDE_TEXT];
};

struct answer {
    uint16_t rcode;
    enum security security; /* the least over all links and RRsets of the chain */
    bool authentic; /* AD may be set: all secure, within their signatures' validity, no opt-out proof */
    bool stale;     /* some part is past its expiry */
    bool continued; /* some part is fresh, but rests on a kept link (DESIGN 5 rule 1): EDE 3 says which */
    bool due;       /* some part of it, from the cache, is near its end: worth a refresh. Not in a Verdict */
    bool negative;  /* the last link is NXDOMAIN or NODATA */
    uint32_t ttl;   /* seconds this whole answer may be reused; 0: do not */
    struct rrset_list answer;    /* CNAMEs in order, then the final set */
    struct rrset_list authority; /* SOA and denial proofs, wildcard proofs */
    uint8_t ede_count;
    struct answer_ede ede[ANSWER_MAX_EDE];
};

/* Adds an EDE, once per code; silently dropped when full. The text (may be NULL with size 0) is copied, cut
 * to fit. */
void answer_add_ede(struct answer *answer, uint16_t code, const char *text, size_t text_size);

/* As one DNS message for the Verdict frame: question, sections with all signatures, OPT with the EDEs.
 * Returns the size or 0 when it does not fit into room. Security, stale and so on travel beside it in the
 * frame. */
size_t answer_to_wire(const struct answer *answer, const uint8_t *qname, uint16_t qtype, void *wire,
                      size_t room);
/* Back. 0; 1: malformed; -ENOMEM. Fields that are not in the message are zero. */
int answer_from_wire(struct arena *arena, const void *wire, size_t size, struct answer *ret_answer);
