/* Which server of the cut to ask: those without a failure on this question first, then by smoothed round trip
 * time with a band inside which they take turns, and now and then any of them, so that what is slow today is
 * measured again. IPv4 and IPv6 compete on equal terms. */

#include "daemons/recursord/core/internal.h"

#define BAND_MIN_US    5000u /* differences below it are noise */
#define EXPLORE_ONE_IN 16u

struct candidate {
    unsigned index;
    unsigned order; /* tries and what speaks against it; less is better */
    uint32_t rtt_us;
};

/* How far behind the others a server stands; ret_tries: how often it may be asked in this state. */
static unsigned standing(struct rec_core *core, const struct env *env, const struct cut *cut,
                         const struct cut_server *s, const struct server *known, unsigned *ret_tries)
{
    *ret_tries = REC_MAX_TRIES;
    unsigned order = 0;
    if (!mono_reached(env->mono, core->family_down_until[s->address.family == 6]))
        order += 2;
    if (known && (!mono_reached(env->mono, known->down_until) || known->timeouts >= 3)) {
        order += 2;
        /* a probe; and one without EDNS before it is given up */
        *ret_tries = !known->tried_plain && server_needs_plain(known) ? REC_MAX_TRIES : 1;
    }
    if (known && server_is_lame(core, known, cut->zone, env->mono)) {
        order += 3;
        *ret_tries = 1;
    }
    if (s->avoid)
        order += 4;
    return order;
}

static unsigned collect(struct rec_core *core, const struct env *env, struct task *task,
                        struct candidate list[REC_MAX_SERVERS], unsigned *ret_fewest)
{
    struct cut *cut = task->cut;
    unsigned count = 0;
    *ret_fewest = REC_MAX_TRIES;
    for (unsigned i = 0; i < cut->server_count; i++) {
        struct cut_server *s = &cut->servers[i];
        if (s->bad)
            continue;
        const struct server *known = servers_find(core, &s->address);
        unsigned most, order = standing(core, env, cut, s, known, &most);
        unsigned tries = s->tries[REC_UDP] + s->tries[REC_TCP];
        if (tries >= most)
            continue;
        *ret_fewest = MIN(*ret_fewest, tries);
        list[count++] = (struct candidate){.index = i,
                                           .order = order + tries,
                                           .rtt_us = known && known->measured ? known->srtt_us : UINT32_MAX};
    }
    return count;
}

enum selection select_server(struct rec_core *core, const struct env *env, struct task *task,
                             unsigned *ret_index, unsigned *ret_fewest)
{
    struct candidate list[REC_MAX_SERVERS];
    unsigned count = collect(core, env, task, list, ret_fewest);
    if (!count)
        return SELECT_NONE;
    unsigned order = list[0].order;
    for (unsigned i = 1; i < count; i++)
        order = MIN(order, list[i].order);
    uint32_t best = UINT32_MAX;
    for (unsigned i = 0; i < count; i++)
        if (list[i].order == order)
            best = MIN(best, list[i].rtt_us);
    bool explore = random_below(env->random, EXPLORE_ONE_IN) == 0;
    uint64_t band = best == UINT32_MAX ? UINT32_MAX : (uint64_t)best + MAX(BAND_MIN_US, best / 4);
    unsigned eligible = 0;
    for (unsigned i = 0; i < count; i++) {
        /* one never measured is worth a look while others are known to be up */
        bool in = list[i].rtt_us <= band || list[i].rtt_us == UINT32_MAX || explore;
        if (list[i].order == order && in)
            list[eligible++] = list[i];
    }
    *ret_index = list[random_below(env->random, eligible)].index;
    return SELECT_FOUND;
}
