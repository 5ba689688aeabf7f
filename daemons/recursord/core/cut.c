/* Zone cuts: the NS names of a zone and the addresses that may be asked. */

#include <string.h>

#include "daemons/recursord/core/internal.h"

#define DNS_PORT 53u

struct cut *cut_new(struct arena *arena, const uint8_t *zone)
{
    struct cut *cut = ARENA_NEW(arena, struct cut);
    if (cut)
        name_copy(zone, cut->zone);
    return cut;
}

int cut_add_ns(struct cut *cut, const uint8_t *name)
{
    for (int i = 0; i < cut->ns_count; i++)
        if (name_equal(cut->ns[i].name, name))
            return i;
    if (cut->ns_count == REC_MAX_NS)
        return -1;
    name_copy(name, cut->ns[cut->ns_count].name);
    return cut->ns_count++;
}

/* Unspecified, multicast and broadcast addresses can be nobody's server. */
static bool address_is_absurd(const struct address *a)
{
    static const uint8_t zero[16];
    if (a->family == 4)
        return a->bytes[0] == 0 || a->bytes[0] >= 224;
    return memcmp(a->bytes, zero, 16) == 0 || a->bytes[0] == 0xff;
}

static bool may_ask(const struct task *task, const struct cut *cut, const struct address *address)
{
    const struct rec_config *c = &task->config->c;
    if (address->family != 4 && address->family != 6)
        return false;
    if (!(address->family == 4 ? c->ipv4 : c->ipv6))
        return false;
    if (cut->configured)
        return true;
    if (address_is_absurd(address))
        return false;
    struct prefix mapped = {.family = 6, .length = 96};
    mapped.bytes[10] = mapped.bytes[11] = 0xff;
    if (address->family == 6 && prefix_has(&mapped, address))
        return false; /* would go out as IPv4 past never_query */
    for (size_t i = 0; i < c->never_query_count; i++)
        if (prefix_has(&c->never_query[i], address))
            return false;
    return true;
}

static bool is_avoided(const struct task *task, const struct address *address)
{
    for (size_t i = 0; i < task->avoid_count; i++)
        if (task->avoid[i].family == address->family &&
            memcmp(task->avoid[i].bytes, address->bytes, sizeof(address->bytes)) == 0)
            return true;
    return false;
}

void cut_add_address(struct task *task, struct cut *cut, int ns, const struct address *address)
{
    if (ns >= 0) /* also when it may not be asked: looking it up would find no other */
        cut->ns[ns].state[address->family == 6] = NS_KNOWN;
    if (!may_ask(task, cut, address))
        return;
    if (ns >= 0) {
        if (cut->ns[ns].addresses >= 2 * REC_NS_ADDRESSES)
            return;
        cut->ns[ns].addresses++;
    }
    for (unsigned i = 0; i < cut->server_count; i++)
        if (address_equal(&cut->servers[i].address, address))
            return;
    if (cut->server_count == REC_MAX_SERVERS)
        return;
    cut->servers[cut->server_count++] =
        (struct cut_server){.address = *address, .avoid = is_avoided(task, address)};
}

struct cut *cut_from_hints(struct task *task)
{
    const struct rec_config *c = &task->config->c;
    struct cut *cut = cut_new(task->arena, name_root);
    for (size_t i = 0; cut && i < c->hint_count; i++) {
        int ns = cut_add_ns(cut, c->hints[i].name);
        for (size_t k = 0; ns >= 0 && k < c->hints[i].count; k++)
            cut_add_address(task, cut, ns, &c->hints[i].addresses[k]);
    }
    return cut;
}

struct cut *cut_from_zone_servers(struct task *task, const struct rec_zone_servers *zone)
{
    struct cut *cut = cut_new(task->arena, zone->zone);
    if (!cut)
        return NULL;
    cut->configured = true;
    cut->forward = zone->forward;
    cut->first = zone->first;
    for (size_t i = 0; i < zone->count; i++)
        cut_add_address(task, cut, -1, &zone->to[i]);
    return cut;
}

struct cut *cut_from_only(struct task *task, const uint8_t *zone, const struct rec_zone_servers *configured)
{
    struct address server = task->only;
    struct cut *cut = cut_new(task->arena, zone);
    if (!cut)
        return NULL;
    for (size_t i = 0; configured && i < configured->count; i++)
        if (configured->to[i].family == server.family &&
            memcmp(configured->to[i].bytes, server.bytes, sizeof(server.bytes)) == 0) {
            cut->configured = true;
            cut->forward = configured->forward;
            server = configured->to[i];
            break;
        }
    cut_add_address(task, cut, -1, &server);
    return cut;
}

/* The address in an A or AAAA record; false for any other. */
static bool rr_address(const struct rr *rr, struct address *ret_address)
{
    if (rr->class != CLASS_IN ||
        !((rr->type == TYPE_A && rr->rdata.size == 4) || (rr->type == TYPE_AAAA && rr->rdata.size == 16)))
        return false;
    *ret_address = (struct address){.family = rr->type == TYPE_A ? 4 : 6, .port = DNS_PORT};
    memcpy(ret_address->bytes, rr->rdata.data, rr->rdata.size);
    return true;
}

/* NS names of `zone` from one section into the cut, and the least of their TTLs. */
static void read_ns(struct cut *cut, const struct message *message, enum section section)
{
    cut->ttl = UINT32_MAX;
    for (unsigned i = 0; i < message->count[section]; i++) {
        const struct rr *rr = &message->rr[section][i];
        uint8_t name[NAME_MAX];
        if (rr->type != TYPE_NS || rr->class != CLASS_IN || !name_equal(rr->owner, cut->zone) ||
            name_from_bytes(rr->rdata.data, rr->rdata.size, name))
            continue;
        cut_add_ns(cut, name);
        cut->ttl = MIN(cut->ttl, rr->ttl);
    }
}

/* Glue of the cut's NS names at or below `bailiwick`. */
static void read_glue(struct task *task, struct cut *cut, const struct message *message,
                      const uint8_t *bailiwick)
{
    for (unsigned i = 0; i < message->count[SECTION_ADDITIONAL]; i++) {
        const struct rr *rr = &message->rr[SECTION_ADDITIONAL][i];
        struct address address;
        if (!rr_address(rr, &address) || !name_is_under(rr->owner, bailiwick))
            continue;
        for (int ns = 0; ns < cut->ns_count; ns++)
            if (name_equal(cut->ns[ns].name, rr->owner)) {
                cut->ns[ns].glued = true;
                cut_add_address(task, cut, ns, &address);
            }
    }
}

struct cut *cut_from_delegation(struct rec_core *core, struct task *task, const uint8_t *zone,
                                struct slice wire)
{
    struct message message;
    arena_reset(core->scratch);
    if (!wire.size || message_parse(core->scratch, wire.data, wire.size, &message) != MESSAGE_OK)
        return NULL;
    struct cut *cut = cut_new(task->arena, zone);
    if (!cut)
        return NULL;
    read_ns(cut, &message, SECTION_AUTHORITY);
    read_glue(task, cut, &message, name_root);
    cut->given = true;
    return cut->ns_count ? cut : NULL;
}

static void remember_glue(struct rec_core *core, const struct env *env, const struct message *message,
                          const struct cut *cut, const uint8_t *bailiwick)
{
    for (int ns = 0; ns < cut->ns_count; ns++)
        for (unsigned family = 0; family < 2; family++) {
            struct address list[REC_NS_ADDRESSES];
            size_t count = 0;
            uint32_t ttl = UINT32_MAX;
            for (unsigned i = 0; i < message->count[SECTION_ADDITIONAL] && count < REC_NS_ADDRESSES; i++) {
                const struct rr *rr = &message->rr[SECTION_ADDITIONAL][i];
                if (rr->type != (family ? TYPE_AAAA : TYPE_A) || !name_equal(rr->owner, cut->ns[ns].name) ||
                    !name_is_under(rr->owner, bailiwick) || !rr_address(rr, &list[count]))
                    continue;
                ttl = MIN(ttl, rr->ttl);
                count++;
            }
            if (count)
                memory_put(core, cut->ns[ns].name, family, list, count, ttl, env->mono, SIDE_PARENT);
        }
}

struct cut *delegation_cut(struct rec_core *core, const struct env *env, struct task *task,
                           const struct message *message, const uint8_t *child, const struct exchange *x)
{
    struct cut *cut = cut_new(task->arena, child);
    if (!cut)
        return NULL;
    read_ns(cut, message, SECTION_AUTHORITY);
    read_glue(task, cut, message, task->cut->zone);
    remember_glue(core, env, message, cut, task->cut->zone);
    cut->up = task->cut;
    struct referral referral = {.wire = slice_make(message->wire, message->size),
                                .server = x->server,
                                .transport = x->transport,
                                .from = task->cut->zone,
                                .question = task_question(task)};
    memory_put_cut(core, cut, task->kind == TASK_ADDRESS ? &referral : NULL, env->mono);
    cut_fill(core, env, task, cut);
    return cut;
}

struct cut *cut_from_priming(struct task *task, const struct message *message)
{
    struct cut *cut = cut_new(task->arena, name_root);
    if (!cut)
        return NULL;
    read_ns(cut, message, SECTION_ANSWER);
    read_glue(task, cut, message, name_root);
    /* RFC 9609 4.1: a response may lack addresses; the hints have them. */
    const struct rec_config *c = &task->config->c;
    for (size_t i = 0; i < c->hint_count; i++)
        for (int ns = 0; ns < cut->ns_count; ns++)
            for (size_t k = 0; name_equal(cut->ns[ns].name, c->hints[i].name) && k < c->hints[i].count; k++)
                cut_add_address(task, cut, ns, &c->hints[i].addresses[k]);
    return cut->server_count ? cut : NULL;
}

struct cut *cut_copy(struct task *task, const struct cut *from)
{
    struct cut *cut = cut_new(task->arena, from->zone);
    if (!cut)
        return NULL;
    cut->configured = from->configured;
    cut->forward = from->forward;
    cut->first = from->first;
    cut->given = true;
    cut->ttl = from->ttl;
    cut->ns_count = from->ns_count;
    for (unsigned i = 0; i < from->ns_count; i++) {
        cut->ns[i] = from->ns[i];
        for (unsigned family = 0; family < 2; family++)
            if (cut->ns[i].state[family] != NS_KNOWN)
                cut->ns[i].state[family] = NS_UNKNOWN;
    }
    for (unsigned i = 0; i < from->server_count; i++)
        cut_add_address(task, cut, -1, &from->servers[i].address);
    return cut;
}

void cut_fill(struct rec_core *core, const struct env *env, struct task *task, struct cut *cut)
{
    if (cut->configured)
        return;
    for (int ns = 0; ns < cut->ns_count; ns++)
        for (unsigned family = 0; family < 2; family++) {
            if (cut->ns[ns].state[family] != NS_UNKNOWN)
                continue;
            const struct ns_addresses *known = memory_addresses(core, cut->ns[ns].name, family, env->mono);
            if (!known)
                continue;
            cut->ns[ns].state[family] = known->count ? NS_KNOWN : NS_FAILED;
            for (unsigned i = 0; i < known->count; i++)
                cut_add_address(task, cut, ns, &known->addresses[i]);
        }
}

void cut_reset_tries(struct cut *cut)
{
    cut->unanswered = 0;
    for (unsigned i = 0; i < cut->server_count; i++) {
        struct cut_server *s = &cut->servers[i];
        s->tries[0] = s->tries[1] = s->bad_cookies = 0;
        s->bad = false;
    }
}
