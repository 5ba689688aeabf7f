/* Look-ups of name servers' addresses: as few as the question needs. One at a time, A before AAAA of a name,
 * a second family only when all known addresses failed; at most REC_MAX_LOOKUPS a referral (THREATS:
 * NXNSAttack). */

#include <string.h>

#include "daemons/recursord/core/internal.h"

#define NEGATIVE_TTL_MAX_S 900u
#define NEGATIVE_TTL_S     60u /* without an SOA */
#define DNS_PORT           53u

/* The family to look up next for one NS name, or -1; ret_rank: less is better. */
static int next_family(struct rec_core *core, struct task *task, struct cut_ns *ns, bool all,
                       unsigned *ret_rank)
{
    const struct rec_config *c = &task->config->c;
    for (unsigned family = 0; family < 2; family++) {
        if (!(family ? c->ipv6 : c->ipv4))
            continue;
        uint8_t other = ns->state[!family];
        if (ns->state[family] == NS_PENDING)
            return -1;
        if (ns->state[family] != NS_UNKNOWN)
            continue;
        if (ns->addresses && !all)
            return -1;
        /* one that runs already costs nothing more */
        bool running = task_lookup_running(core, ns->name, family);
        *ret_rank = running ? 0 : ns->addresses ? 3 : other == NS_FAILED ? 1 : 2;
        return (int)family;
    }
    return -1;
}

/* Only the zone's own servers could tell that name, and none of them is known, or left. */
static bool needs_itself(struct task *task, struct cut_ns *ns, bool all)
{
    bool unknown = task->cut->server_count == 0;
    if ((!unknown && !all) || !name_is_under(ns->name, task->cut->zone))
        return false;
    for (unsigned family = 0; family < 2; family++)
        if (ns->state[family] == NS_UNKNOWN)
            ns->state[family] = unknown ? NS_LOOP : NS_FAILED;
    if (unknown)
        task->saw_loop = true;
    return true;
}

bool lookup_start(struct rec_core *core, const struct env *env, struct task *task, bool all)
{
    struct cut *cut = task->cut;
    while (cut->ns_count && cut->lookups < REC_MAX_LOOKUPS && !cut->configured) {
        unsigned first = random_below(env->random, cut->ns_count), best_rank = 4, best_ns = 0;
        int best_family = -1;
        for (unsigned i = 0; i < cut->ns_count; i++) {
            unsigned at = (first + i) % cut->ns_count, rank = 4;
            if (needs_itself(task, &cut->ns[at], all))
                continue;
            int family = next_family(core, task, &cut->ns[at], all, &rank);
            if (family < 0 || rank >= best_rank)
                continue;
            best_rank = rank;
            best_ns = at;
            best_family = family;
        }
        if (best_family < 0)
            return false;
        int r = task_lookup(core, env, task, best_ns, (unsigned)best_family);
        if (r <= 0)
            return r == 0;
    }
    return false;
}

static uint32_t negative_ttl(const struct message *message)
{
    for (unsigned i = 0; i < message->count[SECTION_AUTHORITY]; i++) {
        const struct rr *rr = &message->rr[SECTION_AUTHORITY][i];
        if (rr->type != TYPE_SOA || rr->rdata.size < 22)
            continue;
        const uint8_t *p = rr->rdata.data + rr->rdata.size - 4; /* MINIMUM, RFC 2308 4 */
        uint32_t minimum = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        return MIN(MIN(minimum, rr->ttl), NEGATIVE_TTL_MAX_S);
    }
    return NEGATIVE_TTL_S;
}

void lookup_answer(struct rec_core *core, const struct env *env, struct task *task,
                   const struct message *message)
{
    struct address list[REC_NS_ADDRESSES];
    size_t count = 0;
    uint32_t ttl = UINT32_MAX;
    unsigned family = task->qtype == TYPE_AAAA;
    uint16_t size = family ? 16 : 4;
    for (unsigned i = 0; i < message->count[SECTION_ANSWER] && count < REC_NS_ADDRESSES; i++) {
        const struct rr *rr = &message->rr[SECTION_ANSWER][i];
        /* no CNAMEs: an NS name may not be an alias, RFC 2181 10.3 */
        if (rr->type != task->qtype || rr->class != CLASS_IN || rr->rdata.size != size ||
            !name_equal(rr->owner, task->qname))
            continue;
        list[count] = (struct address){.family = family ? 6 : 4, .port = DNS_PORT};
        memcpy(list[count++].bytes, rr->rdata.data, size);
        ttl = MIN(ttl, rr->ttl);
    }
    if (!count)
        ttl = negative_ttl(message);
    memory_put(core, task->qname, family, list, count, ttl, env->mono, true);
    if (message->rcode == RCODE_NXDOMAIN)
        memory_put(core, task->qname, !family, list, 0, ttl, env->mono, true);
}
