#pragma once
/* Budget of one client question. It travels with the question over every process edge and through every
 * restart of a step; no path resets it (DESIGN invariant 6, THREATS "CAMP, budget resets").
 *
 * A field counts down; zero means spent. A spent budget is SERVFAIL remembered for at most 30 s, never
 * insecure, never an incident. */

#include "common/base/util.h"

#define BUDGET_UPSTREAM_QUERIES 200u /* THREATS: CAMP */
#define BUDGET_QUERIES_PER_NAME 32u  /* THREATS: CAMP */
#define BUDGET_CNAME_STEPS      11u  /* THREATS: CAMP */
#define BUDGET_SIGNATURES       32u  /* THREATS: KeyTrap, a question */
#define BUDGET_SIGNATURES_STEP  16u  /* THREATS: KeyTrap, an RRset chain step */
#define BUDGET_NSEC3_HASHES     400u /* a 34-label ip6.arpa name needs 34 per proof; iterations <= 50 each */
#define BUDGET_BYTES            1048576u /* bytes of evidence per question */
#define BUDGET_WALL_MS          10000u   /* THREATS: CAMP */

struct budget {
    uint32_t upstream_queries;
    uint32_t cname_steps;
    uint32_t signatures;
    uint32_t nsec3_hashes;
    uint32_t bytes;
    mono_ns deadline; /* on the receiver's monotonic clock; milliseconds left on the wire */
};

static inline struct budget budget_fresh(mono_ns now)
{
    return (struct budget){.upstream_queries = BUDGET_UPSTREAM_QUERIES,
                           .cname_steps = BUDGET_CNAME_STEPS,
                           .signatures = BUDGET_SIGNATURES,
                           .nsec3_hashes = BUDGET_NSEC3_HASHES,
                           .bytes = BUDGET_BYTES,
                           .deadline = mono_add_ms(now, BUDGET_WALL_MS)};
}

/* Takes n from one field; false, and the field becomes 0, when less is left. */
static inline bool budget_take(uint32_t *field, uint32_t n)
{
    if (*field < n) {
        *field = 0;
        return false;
    }
    *field -= n;
    return true;
}
