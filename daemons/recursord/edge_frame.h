#pragma once
/* One frame from validatord, read and bounded. Apart from the socket, so that a fuzzer can call it. */

#include "common/base/budget.h"
#include "daemons/recursord/core/recursor.h"

#define VR_PROTOCOL_VERSION 2u
#define EDGE_MAX_AVOID      32u /* addresses; more than a zone's servers that are used */

enum edge_kind { EDGE_HELLO = 1, EDGE_FETCH = 2, EDGE_CANCEL = 3 };

struct edge_request {
    enum edge_kind kind;
    uint32_t protocol_version; /* HELLO */
    uint64_t generation;       /* HELLO, FETCH */
    uint64_t id;               /* FETCH, CANCEL */
    uint16_t qtype;
    bool has_cut;
    uint8_t qname[NAME_MAX], cut[NAME_MAX];
    struct slice delegation; /* borrowed from `unpacked` */
    uint32_t upstream_queries, bytes_left, wall_ms;
    struct address avoid[EDGE_MAX_AVOID];
    size_t avoid_count;
    struct address only; /* family 0: none */
    bool only_tcp, to_referral;
    void *unpacked;
};

/* 0, or 1: malformed, nothing to free. Budgets are capped at those of common/base/budget.h. */
int edge_request_read(struct slice frame, struct edge_request *ret_request);
void edge_request_free(struct edge_request *request);
