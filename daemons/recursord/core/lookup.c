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
    if (task->parent_side)
        return false;
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
        int r = task_lookup(core, env, task, best_ns, (unsigned)best_family, SIDE_OWN);
        if (r <= 0)
            return r == 0;
    }
    return false;
}

static bool add_remembered(struct rec_core *core, const struct env *env, struct task *task)
{
    struct cut *cut = task->cut;
    unsigned before = cut->server_count;
    for (unsigned i = 0; i < cut->ns_count * 4u; i++) {
        int ns = (int)(i / 4);
        const struct ns_addresses *known =
            memory_side(core, cut->ns[ns].name, i & 1, i & 2 ? SIDE_PARENT : SIDE_OWN, env->mono);
        for (unsigned k = 0; known && k < known->count; k++)
            cut_add_address(task, cut, ns, &known->addresses[k]);
    }
    return cut->server_count > before;
}

/* May the other side know an address of this NS name that is worth asking for? */
static bool other_side(const struct cut *cut, const struct cut_ns *ns, enum side side)
{
    bool inside = name_is_under(ns->name, cut->zone);
    return side == SIDE_PARENT ? inside && !ns->glued : !inside && ns->glued;
}

bool lookup_widen(struct rec_core *core, const struct env *env, struct task *task)
{
    struct cut *cut = task->cut;
    const struct rec_config *c = &task->config->c;
    if (cut->configured || task->parent_side)
        return false;
    if (!cut->widened) {
        cut->widened = true;
        if (add_remembered(core, env, task))
            return true;
    }
    if (!cut->up || cut->up->forward)
        return false;
    for (unsigned i = 0; i < cut->ns_count * 4u && cut->lookups < REC_MAX_LOOKUPS; i++) {
        enum side side = i < cut->ns_count * 2u ? SIDE_PARENT : SIDE_OWN;
        struct cut_ns *ns = &cut->ns[i / 2 % cut->ns_count];
        unsigned family = i & 1;
        if (ns->asked[family] || !(family ? c->ipv6 : c->ipv4) || !other_side(cut, ns, side))
            continue;
        ns->asked[family] = true;
        const struct ns_addresses *known = memory_side(core, ns->name, family, side, env->mono);
        if (!known && task_lookup(core, env, task, i / 2 % cut->ns_count, family, side) == 0)
            return true;
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

/* The task's addresses in one section; ret_ttl: the least of theirs. */
static size_t read_addresses(const struct task *task, const struct message *message, enum section section,
                             struct address list[REC_NS_ADDRESSES], uint32_t *ret_ttl)
{
    size_t count = 0;
    unsigned family = task->qtype == TYPE_AAAA;
    uint16_t size = family ? 16 : 4;
    *ret_ttl = UINT32_MAX;
    for (unsigned i = 0; i < message->count[section] && count < REC_NS_ADDRESSES; i++) {
        const struct rr *rr = &message->rr[section][i];
        if (rr->type != task->qtype || rr->class != CLASS_IN || rr->rdata.size != size ||
            !name_equal(rr->owner, task->qname))
            continue;
        list[count] = (struct address){.family = family ? 6 : 4, .port = DNS_PORT};
        memcpy(list[count++].bytes, rr->rdata.data, size);
        *ret_ttl = MIN(*ret_ttl, rr->ttl);
    }
    return count;
}

bool lookup_glue(struct rec_core *core, const struct env *env, struct task *task,
                 const struct message *message)
{
    struct address list[REC_NS_ADDRESSES];
    uint32_t ttl;
    size_t count = read_addresses(task, message, SECTION_ADDITIONAL, list, &ttl);
    if (!count)
        return false;
    memory_put(core, task_ns_name(task), task->qtype == TYPE_AAAA, list, count, ttl, env->mono, SIDE_PARENT);
    return true;
}

/* RFC 2181 10.3 forbids an NS name that is an alias. There are such zones, and most resolvers reach them. */
bool lookup_alias(struct rec_core *core, struct task *task, const struct message *message)
{
    struct address list[REC_NS_ADDRESSES];
    uint32_t ttl;
    if (task->kind != TASK_ADDRESS || task->aliases == (task->parent_side ? 1 : REC_MAX_ALIASES) ||
        read_addresses(task, message, SECTION_ANSWER, list, &ttl))
        return false;
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++) {
        const struct rr *rr = &message->rr[SECTION_ANSWER][i];
        uint8_t target[NAME_MAX];
        if (rr->type != TYPE_CNAME || rr->class != CLASS_IN || !name_equal(rr->owner, task->qname) ||
            name_from_bytes(rr->rdata.data, rr->rdata.size, target) ||
            (task->parent_side && !name_is_under(target, task->cut->zone)))
            continue;
        if (!task->alias_of)
            task->alias_of = arena_copy(task->arena, task->qname, name_size(task->qname));
        if (!task->alias_of)
            return false;
        task->aliases++;
        name_copy(target, task->qname);
        task->labels = name_labels(target);
        if (task->parent_side) {
            minimise_enter(task);
            cut_reset_tries(task->cut);
        } else {
            task->cut = NULL; /* from the closest cut of the target's that is known */
            task->restarted = false;
            task->cached.cut = NULL;
        }
        core_ready(core, task);
        return true;
    }
    return false;
}

void lookup_answer(struct rec_core *core, const struct env *env, struct task *task,
                   const struct message *message)
{
    struct address list[REC_NS_ADDRESSES];
    unsigned family = task->qtype == TYPE_AAAA;
    enum side side = task->parent_side ? SIDE_PARENT : SIDE_OWN;
    uint32_t ttl;
    size_t count = read_addresses(task, message, SECTION_ANSWER, list, &ttl);
    if (!count)
        ttl = negative_ttl(message);
    memory_put(core, task_ns_name(task), family, list, count, ttl, env->mono, side);
    if (message->rcode == RCODE_NXDOMAIN)
        memory_put(core, task_ns_name(task), !family, list, 0, ttl, env->mono, side);
}
