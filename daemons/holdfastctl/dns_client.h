#pragma once
/* One question to a resolver, blocking: over UDP, over TCP when told or when the reply is truncated. */

#include "common/base/address.h"
#include "common/wire/message.h"

struct dns_question {
    const uint8_t *qname;
    uint16_t qtype, qclass;
    bool checking_disabled, tcp;
};

struct dns_reply {
    struct message message; /* points into the arena */
    bool tcp;
    double elapsed_ms;
};

/* Asks twice over UDP (4 s each), once over TCP (8 s). 0; 1: something came that is no reply to the question;
 * -ETIMEDOUT, -ECONNREFUSED (nobody listens), other -errno. */
int dns_ask(const struct address *server, const struct dns_question *question, struct arena *arena,
            struct dns_reply *ret_reply);
