/* The course of a probe: the zone's trust points, its servers, their keys, then all the rest. */

#include "daemons/validatord/core/probe.h"

#include <errno.h>
#include <string.h>

#include "daemons/validatord/core/incident.h"

struct probe *val_probe_start(struct val_core *core, const uint8_t *node, bool nta,
                              const struct val_probe_target *targets, unsigned target_count)
{
    struct budget budget = {.upstream_queries = PROBE_QUERIES,
                            .cname_steps = BUDGET_CNAME_STEPS,
                            .signatures = PROBE_SIGNATURES,
                            .nsec3_hashes = PROBE_HASHES,
                            .bytes = PROBE_BYTES,
                            .deadline = mono_add_ms(core->env->mono, PROBE_WALL_MS)};
    struct purse *purse = purse_new(&budget);
    struct job *job = purse ? val_job_new(core, JOB_PROBE, node, 0, false, purse) : NULL;

    purse_release(purse);
    if (!job)
        return NULL;
    struct probe *probe = job_probe(job);
    probe->nta = nta;
    probe->zone = job->name;
    probe->target_count = MIN(target_count, VAL_PROBE_TARGETS);
    for (unsigned i = 0; i < probe->target_count; i++)
        probe->targets[i] = targets[i];
    probe->report.ede = EDE_NONE;
    probe->report.at = core->env->wall;
    core->stats.probes++;
    return probe;
}

static void let_go(struct val_core *core, struct probe *probe)
{
    if (probe->task)
        val_job_release(core, &TAKE(probe->task)->job);
    if (probe->within)
        val_job_release(core, &TAKE(probe->within)->job);
}

void val_probe_drop(struct val_core *core, struct probe *probe)
{
    for (unsigned i = 0; i < probe->ask_count; i++)
        val_fetch_cancel(core, &probe->asks[i].fetch);
    let_go(core, probe);
}

void val_probe_timer(struct val_core *core, struct probe *probe, bool spent)
{
    if (spent) {
        val_probe_end(core, probe);
        return;
    }
    for (unsigned i = 0; i < probe->ask_count; i++)
        val_fetch_resume(core, &probe->asks[i].fetch);
    val_timer_set(core, &probe->job, probe->job.purse->budget.deadline);
}

/* A zone that is well again may have other keys than those that are kept, and nothing else asks for them
 * before their TTL ends. */
static void expire_keys(struct val_core *core, struct probe *probe)
{
    if (probe->report.result != VAL_PROBE_ALL || probe->within || probe->anchored)
        return;
    struct zone *zone = val_zone_get(core, probe->job.name, probe->job.purse);
    if (!zone || (zone->rec.ds_state == DS_UNKNOWN && !zone->rec.has_dnskey))
        return;
    struct cache_zone *rec = &zone->rec;
    bool same = rec->ds_state == DS_SECURE && !probe->insecure && rrset_same_rdata(&rec->ds, &probe->points);
    if (!same || (rec->has_dnskey && !rrset_same_rdata(&rec->dnskey, &probe->keys))) {
        /* Expired, not forgotten: the next question has them asked for as ever. */
        rec->dnskey_expires = core->env->wall;
        rec->ds_expires = same ? rec->ds_expires : core->env->wall;
        zone->changed = true;
        val_zone_store(core, zone);
        val_job_unlink(core, &zone->job); /* what it concluded before does not count */
    }
}

void val_probe_end(struct val_core *core, struct probe *probe)
{
    if (probe->job.finished)
        return;
    probe->job.finished = true;
    val_probe_conclude(probe);
    expire_keys(core, probe);
    if (probe->nta)
        val_nta_probed(core, probe->job.name, &probe->report);
    else
        val_incident_probed(core, &probe->job, &probe->report);
    val_job_unlink(core, &probe->job);
}

/* It cannot be held against anything: the reason is the report's. */
static int hopeless(struct probe *probe, const struct failure *why)
{
    probe->report.result = why->transport ? VAL_PROBE_SILENT : VAL_PROBE_NONE;
    probe->report.ede = why->ede;
    probe->report.text_size = why->text_size;
    memcpy(probe->report.text, why->text, why->text_size);
    probe->step = PROBE_END;
    return WAIT_NONE;
}

static bool is_anchored(const struct val_core *core, const uint8_t *zone)
{
    for (size_t i = 0; i < core->config.anchor_count; i++)
        if (name_equal(core->config.anchors[i].zone, zone))
            return true;
    return false;
}

static int step_begin(struct val_core *core, struct probe *probe)
{
    probe->anchored = is_anchored(core, probe->job.name);
    if (!probe->anchored && name_is_root(probe->job.name))
        probe->insecure = true;
    if (probe->anchored || probe->insecure) {
        probe->step = PROBE_SERVERS;
        return WAIT_NONE;
    }
    /* A DS is its parent's: the rule that governs the node does not govern this. */
    probe->task = val_task_get(core, probe->job.name, TYPE_DS, probe->job.purse);
    if (!probe->task)
        return -ENOMEM;
    val_job_hold(&probe->task->job);
    probe->step = PROBE_DS;
    return WAIT_NONE;
}

static int copy_points(struct probe *probe, const struct rrset *ds)
{
    return rrset_copy(probe->job.arena, ds, &probe->points);
}

/* The parent fails too. What it last said still names the zone's keys. */
static int kept_points(struct val_core *core, struct probe *probe, const struct failure *why)
{
    struct lookup lookup = val_core_lookup(core, probe->job.arena, probe->job.purse);
    struct cache_zone rec;

    int r = cache_zone_get(&lookup, probe->job.name, &rec);
    if (r < 0)
        return r;
    if (r != 0 || rec.ds_state != DS_SECURE || probe->nta)
        return hopeless(probe, why);
    probe->step = PROBE_SERVERS;
    return copy_points(probe, &rec.ds);
}

/* The node lies in its parent's zone: that zone's keys are what counts. */
static int within_parent(struct val_core *core, struct probe *probe)
{
    const uint8_t *signer = arena_copy(probe->job.arena, probe->task->signer, name_size(probe->task->signer));
    if (!signer)
        return -ENOMEM;
    probe->within = val_zone_get(core, signer, probe->job.purse);
    if (!probe->within)
        return -ENOMEM;
    val_job_hold(&probe->within->job);
    probe->zone = signer;
    probe->step = PROBE_SERVERS;
    return WAIT_NONE;
}

static int step_ds(struct val_core *core, struct probe *probe)
{
    struct task *task = probe->task;

    if (!task->job.finished) {
        val_job_wait(&probe->job, &task->job);
        return WAIT_MORE;
    }
    if (!task->good)
        return kept_points(core, probe, &task->failure);
    probe->step = PROBE_SERVERS;
    if (task->security != SECURITY_SECURE) {
        probe->insecure = true;
        return WAIT_NONE;
    }
    if (task->finding.kind == FINDING_POSITIVE) {
        probe->insecure = !ds_set_supported(&core->config.algorithms, &task->finding.main.items[0]);
        return copy_points(probe, &task->finding.main.items[0]);
    }
    struct denial denial = deny_context(core, &probe->job, task->signer, &task->proof);
    enum no_ds no_ds = denial_no_ds(&denial, probe->job.name);
    if (no_ds == NO_DS_NOT_A_CUT || no_ds == NO_DS_NXDOMAIN)
        return within_parent(core, probe);
    probe->insecure = true;
    return WAIT_NONE;
}

static void add_server(struct probe *probe, const struct rdata *rdata, uint8_t family)
{
    struct val_probe_report *report = &probe->report;
    struct address address = {.family = family, .port = 53};

    if (rdata->size != (family == 4 ? 4u : 16u))
        return;
    memcpy(address.bytes, rdata->data, rdata->size);
    for (unsigned i = 0; i < report->server_count; i++)
        if (address_equal(&report->servers[i].address, &address))
            return;
    if (report->server_count < VAL_PROBE_SERVERS)
        report->servers[report->server_count++].address = address;
}

static bool add_set(struct probe *probe, const struct rrset *rrset)
{
    for (unsigned i = 0; rrset && i < rrset->count; i++)
        add_server(probe, &rrset->rdata[i], rrset->type == TYPE_A ? 4 : 6);
    return rrset && rrset->count > 0;
}

/* What is known of a server's addresses, of whatever age: glue, then the cache. */
static int add_known(struct val_core *core, struct probe *probe, const uint8_t *server, bool *ret_known)
{
    static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
    struct lookup lookup = val_core_lookup(core, probe->job.arena, probe->job.purse);

    lookup.stale_max_s = core->config.delegation_max_age_s;
    *ret_known = false;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct cache_rr rr;
        uint32_t ttl;
        bool glue = add_set(probe, rrset_list_find(&probe->delegation.glue, server, types[i]));
        int r = glue ? CACHE_MISS : cache_rr_get(&lookup, server, types[i], &rr, &ttl);
        if (r < 0)
            return r;
        if (r == 0)
            add_set(probe, &rr.rrset);
        *ret_known = *ret_known || glue || r == 0;
    }
    return 0;
}

/* An address nobody knows yet: its A record, as far as that can be found. */
static int look_up(struct val_core *core, struct probe *probe, const uint8_t *server)
{
    probe->lookups++;
    probe->task = val_task_get(core, server, TYPE_A, probe->job.purse);
    if (!probe->task)
        return -ENOMEM;
    val_job_hold(&probe->task->job);
    return 0;
}

static int found_address(struct val_core *core, struct probe *probe)
{
    const struct task *task = probe->task;

    if (!task->job.finished) {
        val_job_wait(&probe->job, &probe->task->job);
        return WAIT_MORE;
    }
    if (task->good && task->finding.kind == FINDING_POSITIVE)
        for (unsigned i = 0; i < task->finding.main.items[0].count; i++)
            add_server(probe, &task->finding.main.items[0].rdata[i], 4);
    val_job_release(core, &TAKE(probe->task)->job);
    return WAIT_NONE;
}

static int find_servers(struct val_core *core, struct probe *probe)
{
    const struct rrset *ns = &probe->delegation.ns;

    while (probe->task || probe->ns_next < ns->count) {
        uint8_t name[NAME_MAX];
        bool known = false;
        int r = probe->task ? found_address(core, probe) : WAIT_NONE;
        if (r != WAIT_NONE)
            return r;
        if (probe->ns_next == ns->count)
            break;
        const struct rdata *rdata = &ns->rdata[probe->ns_next++];
        if (name_from_bytes(rdata->data, rdata->size, name))
            continue;
        const uint8_t *server = arena_copy(probe->job.arena, name, name_size(name));
        if (!server)
            return -ENOMEM;
        r = add_known(core, probe, server, &known);
        if (r == 0 && !known && probe->lookups < PROBE_LOOKUPS)
            r = look_up(core, probe, server);
        if (r < 0)
            return r;
    }
    return WAIT_NONE;
}

static bool is_forwarded(const struct val_core *core, const uint8_t *zone)
{
    for (size_t i = 0; i < core->config.apart_zone_count; i++)
        if (name_is_under(zone, core->config.apart_zones[i]))
            return true;
    return false;
}

static struct probe_ask *add_ask(struct probe *probe, uint8_t server, bool tcp, uint8_t number,
                                 const uint8_t *qname, uint16_t qtype)
{
    struct probe_ask *ask = &probe->asks[probe->ask_count++];

    *ask = (struct probe_ask){.server = server, .tcp = tcp, .number = number, .qname = qname, .qtype = qtype};
    ask->fetch.failure.ede = EDE_NONE;
    return ask;
}

/* The zone's keys, everywhere; where the node lies inside a zone these are asked for as ever. */
static int ask_for_keys(struct probe *probe)
{
    unsigned servers = probe->report.server_count;

    /* each server: keys, SOA, denial and targets over UDP, keys or one of the others over TCP */
    probe->asks = arena_array(probe->job.arena, servers * (4u + VAL_PROBE_TARGETS), sizeof(*probe->asks));
    if (!probe->asks)
        return -ENOMEM;
    for (uint8_t i = 0; i < servers && !probe->within && !probe->insecure; i++)
        add_ask(probe, i, false, ASK_KEYS, probe->zone, TYPE_DNSKEY)->keys = true;
    probe->step = PROBE_KEYS;
    return WAIT_NONE;
}

/* The zone's delegation, of whatever age: copied, since the cache's bytes may be gone when the probe has
 * waited. */
static int load_delegation(struct val_core *core, struct probe *probe)
{
    struct lookup lookup = val_core_lookup(core, probe->job.arena, probe->job.purse);
    struct rrset_list glue = {0};
    struct cache_zone rec;

    int r = cache_zone_get(&lookup, probe->zone, &rec);
    if (r != 0 || (!rec.has_delegation && !rec.loose) || is_forwarded(core, probe->zone))
        return r < 0 ? r : 0;
    /* What was learnt under the NTA tells of the servers now; what is kept, of those that last were proven.
     */
    if (rec.loose && rec.loose_stored.s >= (rec.has_delegation ? rec.ns_stored.s : 0)) {
        rec.ns = rec.loose_ns;
        rec.glue = rec.loose_glue;
    }
    r = rrset_copy(probe->job.arena, &rec.ns, &probe->delegation.ns);
    for (uint32_t i = 0; i < rec.glue.count && r == 0; i++) {
        struct rrset copy;
        r = rrset_copy(probe->job.arena, &rec.glue.items[i], &copy);
        if (r == 0)
            r = rrset_list_add(probe->job.arena, &glue, &copy);
    }
    probe->delegation.glue = glue;
    return r;
}

static int step_servers(struct val_core *core, struct probe *probe)
{
    int r = WAIT_NONE;

    if (!probe->loaded) {
        if (probe->task)
            val_job_release(core, &TAKE(probe->task)->job);
        probe->loaded = true;
        r = load_delegation(core, probe);
    }
    if (r == WAIT_NONE)
        r = find_servers(core, probe);
    if (r != WAIT_NONE)
        return r;
    if (probe->report.server_count == 0) {
        probe->any_server = true;
        probe->report.server_count = 1; /* whichever recursord finds; its address stays unknown */
    }
    return ask_for_keys(probe);
}

/* A name that nobody has: 64 random bits below the zone. False: the zone's name leaves no room. */
static bool absent_name(struct val_core *core, const uint8_t *zone, uint8_t ret_name[NAME_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[8];

    if (name_size(zone) + 17u > NAME_MAX)
        return false;
    random_take(core->env->random, random, sizeof(random));
    ret_name[0] = 16;
    for (unsigned i = 0; i < 8; i++) {
        ret_name[1 + 2 * i] = (uint8_t)digits[random[i] >> 4];
        ret_name[2 + 2 * i] = (uint8_t)digits[random[i] & 15];
    }
    name_copy(zone, ret_name + 17);
    return true;
}

static int ask_for_rest(struct val_core *core, struct probe *probe)
{
    uint8_t name[NAME_MAX], *absent = NULL;

    if (absent_name(core, probe->zone, name)) {
        absent = arena_copy(probe->job.arena, name, name_size(name));
        if (!absent)
            return -ENOMEM;
    }
    for (uint8_t i = 0; i < probe->report.server_count; i++) {
        if (probe->report.servers[i].verdict[VAL_PROBE_UDP] == VAL_PROBE_NO_REPLY && !probe->any_server)
            continue; /* it said nothing to the first question: silence is all there is to learn */
        const struct val_probe_target *first = probe->target_count ? &probe->targets[0] : NULL;
        add_ask(probe, i, false, ASK_SOA, probe->zone, TYPE_SOA);
        if (absent)
            add_ask(probe, i, false, ASK_ABSENT, absent, TYPE_A);
        for (uint8_t t = 0; t < probe->target_count; t++)
            add_ask(probe, i, false, (uint8_t)(ASK_TARGETS + t), probe->targets[t].name,
                    probe->targets[t].type);
        add_ask(probe, i, true, first ? ASK_TARGETS : ASK_SOA, first ? first->name : probe->zone,
                first ? first->type : TYPE_SOA);
    }
    probe->step = PROBE_REST;
    return WAIT_NONE;
}

/* Are all asks so far done? Starts what may be started. */
static int run_asks(struct val_core *core, struct probe *probe, bool *ret_done)
{
    *ret_done = true;
    for (unsigned i = 0; i < probe->ask_count; i++) {
        struct probe_ask *ask = &probe->asks[i];
        if (ask->state == ASK_DONE)
            continue;
        if (ask->state == ASK_WAITS) {
            if (probe->asking >= PROBE_ASKING) {
                *ret_done = false;
                continue;
            }
            ask->state = ASK_FETCHES;
            probe->asking++;
            ask->fetch.name = ask->qname;
            if (!probe->any_server) {
                ask->fetch.only = &probe->report.servers[ask->server].address;
                ask->fetch.only_tcp = ask->tcp;
                ask->fetch.only_zone = probe->zone;
            }
        }
        int r = val_probe_judge(core, probe, ask);
        if (r < 0)
            return r;
        if (r == WAIT_MORE) {
            *ret_done = false;
            continue;
        }
        ask->state = ASK_DONE;
        probe->asking--;
        i = (unsigned)-1; /* there is room for one that waits */
        *ret_done = true;
    }
    return 0;
}

/* Without keys nothing else can be told. */
static int keys_done(struct val_core *core, struct probe *probe)
{
    struct val_probe_report *report = &probe->report;

    for (unsigned i = 0; i < probe->ask_count; i++) {
        struct probe_ask *ask = &probe->asks[i];
        if (!ask->tcp)
            report->servers[ask->server].verdict[VAL_PROBE_UDP] = ask->verdict;
    }
    if (probe->within) {
        struct zone *zone = probe->within;
        if (!zone->trust_done) {
            zone->want_trust = true;
            val_job_ready(core, &zone->job);
            val_job_wait(&probe->job, &zone->job);
            return WAIT_MORE;
        }
        if (zone->trust == SECURITY_BOGUS)
            return hopeless(probe, &zone->failure);
        probe->insecure = zone->trust != SECURITY_SECURE;
        probe->keys = zone->rec.dnskey;
    }
    report->keys_good = probe->keys.count > 0;
    if (probe->keys.count || probe->insecure)
        return ask_for_rest(core, probe);
    /* Nothing else can be held against them. Is it the same over TCP? */
    for (uint8_t i = 0; i < report->server_count && !probe->keys_over_tcp; i++)
        if (report->servers[i].verdict[VAL_PROBE_UDP] == VAL_PROBE_INVALID)
            add_ask(probe, i, true, ASK_KEYS, probe->zone, TYPE_DNSKEY)->keys = true;
    if (probe->keys_over_tcp)
        probe->step = PROBE_END;
    probe->keys_over_tcp = true;
    return WAIT_NONE;
}

int val_probe_run(struct val_core *core, struct probe *probe)
{
    bool done;
    int r = WAIT_NONE;

    while (r == WAIT_NONE && probe->step != PROBE_END) {
        switch (probe->step) {
        case PROBE_BEGIN:
            r = step_begin(core, probe);
            break;
        case PROBE_DS:
            r = step_ds(core, probe);
            break;
        case PROBE_SERVERS:
            r = step_servers(core, probe);
            break;
        case PROBE_KEYS:
        case PROBE_REST:
            r = run_asks(core, probe, &done);
            if (r < 0)
                break;
            r = WAIT_MORE;
            if (done && probe->step == PROBE_KEYS)
                r = keys_done(core, probe);
            else if (done) {
                probe->step = PROBE_END;
                r = WAIT_NONE;
            }
            break;
        case PROBE_END:
            break;
        }
    }
    if (r < 0)
        return r;
    if (probe->step == PROBE_END)
        val_probe_end(core, probe);
    return 0;
}
