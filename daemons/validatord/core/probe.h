#pragma once
/* A probe: what every server of a zone says now, over UDP and TCP, held against the zone's own chain.
 *
 * It asks each address for the DNSKEY set, the SOA, a name that does not exist, and RRsets that have failed;
 * what comes is validated with the keys that the zone's DS (or anchor) names, whatever NTA or incident
 * governs the zone. It spends a budget of its own, and nothing it learns is answered or kept but what its DS
 * task keeps. DESIGN 5; RFC 7646 2 asks for such checks before a negative trust anchor goes. */

#include "daemons/validatord/core/internal.h"

#define PROBE_ASKING     8u /* questions under way at once, so that no probe is a burst */
#define PROBE_LOOKUPS    4u /* NS names without a known address that are looked up */
#define PROBE_WALL_MS    30000u
#define PROBE_ASK_MS     3000u /* one question to one server: three tries of a server that is up */
#define PROBE_ASK_COST   4u    /* upstream questions: the tries, and TCP after truncation */
#define PROBE_QUERIES    1024u
#define PROBE_SIGNATURES 2048u
#define PROBE_HASHES     8192u
#define PROBE_BYTES      8388608u

enum probe_step {
    PROBE_BEGIN = 0,
    PROBE_DS = 1,
    PROBE_SERVERS = 2,
    PROBE_KEYS = 3,
    PROBE_REST = 4,
    PROBE_END = 5
};

enum ask_state { ASK_WAITS = 0, ASK_FETCHES = 1, ASK_JUDGES = 2, ASK_DONE = 3 };

/* Numbers of the questions, the same at all servers. */
enum { ASK_KEYS = 0, ASK_SOA = 1, ASK_ABSENT = 2, ASK_TARGETS = 3 };

/* One question to one server. */
struct probe_ask {
    uint8_t server; /* index; the asks of one server and transport make its verdict */
    bool tcp, keys;
    uint8_t number;
    const uint8_t *qname;
    uint16_t qtype;
    enum ask_state state;
    enum val_probe_verdict verdict;
    struct fetch fetch;
    struct finding finding;
    struct rrset_list checked;
    struct judge judge;
    uint16_t key_next;
    bool key_trying;
    uint64_t content; /* digest of the records that answer, signatures apart; 0: none */
};

struct probe {
    struct job job; /* name: the node that is probed */
    enum probe_step step;
    bool nta;            /* for an NTA, else for an incident */
    bool anchored;       /* trust points are the anchors at the node */
    bool insecure;       /* the chain above proves that there is nothing to validate */
    bool any_server;     /* no address is known: recursord finds one */
    const uint8_t *zone; /* that answers for the node: itself, or the zone the node lies in */
    struct task *task;   /* held: the node's DS, or a server's address */
    struct zone *within; /* held: the zone the node lies in */
    struct rrset points; /* DS */
    struct rrset keys;   /* the validated set; count 0: none yet */
    struct val_probe_target targets[VAL_PROBE_TARGETS];
    unsigned target_count, lookups;
    bool loaded, keys_over_tcp;
    struct {
        struct rrset ns;
        struct rrset_list glue;
    } delegation;
    unsigned ns_next;
    struct probe_ask *asks;
    unsigned ask_count, asking;
    struct val_probe_report report;
};

/* Starts one. targets may be empty. It tells val_nta_probed() or val_incident_probed() at its end. NULL: no
 * memory.
 */
struct probe *val_probe_start(struct val_core *core, const uint8_t *node, bool nta,
                              const struct val_probe_target *targets, unsigned target_count);
int val_probe_run(struct val_core *core, struct probe *probe);
/* Its time is over, or memory is: it ends with what it has. */
void val_probe_end(struct val_core *core, struct probe *probe);
/* Its timer: time is over, or fetches that recursord lost are tried anew. */
void val_probe_timer(struct val_core *core, struct probe *probe, bool spent);
/* Whatever it holds or waits for is let go: for job.c. */
void val_probe_drop(struct val_core *core, struct probe *probe);

/* probe_ask.c: judges what came. WAIT_NONE: the ask has its verdict; WAIT_MORE; -ENOMEM. */
int val_probe_judge(struct val_core *core, struct probe *probe, struct probe_ask *ask);
/* What all asks together say. */
void val_probe_conclude(struct probe *probe);

static inline struct probe *job_probe(struct job *job)
{
    return CONTAINER_OF(job, struct probe, job);
}
