/* One answer of a probe, judged; and what all of them together say. */

#include <string.h>

#include "daemons/validatord/core/probe.h"

static void note_failure(struct probe *probe, const struct failure *why)
{
    struct val_probe_report *report = &probe->report;
    struct failure best = {.ede = report->ede};

    memcpy(best.text, report->text, report->text_size);
    best.text_size = report->text_size;
    val_failure_better(&best, why);
    report->ede = best.ede;
    report->text_size = best.text_size;
    memcpy(report->text, best.text, best.text_size);
}

static int verdict(struct probe *probe, struct probe_ask *ask, enum val_probe_verdict v,
                   const struct failure *why)
{
    ask->verdict = v;
    if (v != VAL_PROBE_VALID && why)
        note_failure(probe, why);
    return WAIT_NONE;
}

/* Does a trust point of the zone name this key? */
static bool is_named(struct val_core *core, const struct probe *probe, const struct rdata *rdata)
{
    struct dnskey key;
    struct ds ds;

    if (dnskey_parse(rdata, &key))
        return false;
    for (size_t i = 0; probe->anchored && i < core->config.anchor_count; i++) {
        const struct val_anchor *anchor = &core->config.anchors[i];
        if (!name_equal(anchor->zone, probe->zone))
            continue;
        if (anchor->type == TYPE_DNSKEY && anchor->rdata.size == rdata->size &&
            memcmp(anchor->rdata.data, rdata->data, rdata->size) == 0)
            return true;
        if (anchor->type == TYPE_DS && ds_parse(&anchor->rdata, &ds) == 0 &&
            ds_matches_key(core->crypto, probe->zone, &ds, &key) == 0)
            return true;
    }
    for (unsigned i = 0; i < probe->points.count && i < SIGNATURE_MAX_KEYS; i++)
        if (ds_set_usable(&core->config.algorithms, &probe->points, i) &&
            ds_parse(&probe->points.rdata[i], &ds) == 0 &&
            ds_matches_key(core->crypto, probe->zone, &ds, &key) == 0)
            return true;
    return false;
}

/* The bytes of what answers, without signatures and SOA (servers of a zone lag behind each other): what the
 * servers agree on or not. */
static uint64_t digest(struct val_core *core, const struct rrset_list *list)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < list->count; i++)
        for (unsigned j = 0; j < list->items[i].count && list->items[i].type != TYPE_SOA;
             j++) /* in any order */
            sum += siphash24(&core->hash_key, list->items[i].rdata[j].data, list->items[i].rdata[j].size);
    return sum ? sum : 1;
}

/* The key that the DS names, and that nobody has: the first of them. 0: none. */
static uint16_t named_tag(const struct probe *probe)
{
    struct ds ds;

    return probe->points.count && ds_parse(&probe->points.rdata[0], &ds) == 0 ? ds.tag : 0;
}

static int judge_keys(struct val_core *core, struct probe *probe, struct probe_ask *ask)
{
    struct failure why = {.ede = EDE_NONE};

    if (ask->finding.kind != FINDING_POSITIVE) {
        val_failure_rrset(&why, EDE_DNSKEY_MISSING, probe->zone, TYPE_DNSKEY, named_tag(probe));
        return verdict(probe, ask, VAL_PROBE_INVALID, &why);
    }
    struct rrset *set = &ask->finding.main.items[0];
    ask->content = digest(core, &ask->finding.main);
    for (; ask->key_next < set->count && ask->key_next < SIGNATURE_MAX_KEYS; ask->key_next++) {
        if (!ask->key_trying) {
            if (!is_named(core, probe, &set->rdata[ask->key_next]))
                continue;
            ask->key_trying = true;
            val_judge_begin(&ask->judge, &ask->finding.main, probe->zone, set, true);
            ask->judge.only_key = &set->rdata[ask->key_next];
        }
        int r = val_judge_run(core, &probe->job, &ask->judge);
        if (r != WAIT_NONE)
            return r;
        if (ask->judge.bad == 0) {
            probe->keys = probe->keys.count ? probe->keys : *set;
            return verdict(probe, ask, VAL_PROBE_VALID, NULL);
        }
        why = ask->judge.failure;
        ask->key_trying = false;
    }
    if (why.ede == EDE_NONE)
        val_failure_rrset(&why, EDE_DNSKEY_MISSING, probe->zone, TYPE_DNSKEY, named_tag(probe));
    return verdict(probe, ask, VAL_PROBE_INVALID, &why);
}

static bool is_negative(const struct probe_ask *ask)
{
    return ask->finding.kind == FINDING_NODATA || ask->finding.kind == FINDING_NXDOMAIN;
}

static bool kept_denial(struct val_core *core, struct probe *probe, const struct rrset *rrset,
                        struct cache_rr *ret_rr)
{
    const struct rdata *rdata = &rrset->rdata[0];
    enum cache_db db = CACHE_NSEC;
    struct cache_key key;
    struct slice value;
    uint8_t hash[20];

    if (rrset->type == TYPE_NSEC3) {
        db = CACHE_NSEC3;
        if (rrset->count != 1 || rdata->size < 5 || rdata->size < 5u + rdata->data[4] ||
            nsec3_owner_hash(rrset->owner, hash) ||
            cache_key_nsec3(probe->zone, rdata->data[0], (uint16_t)(rdata->data[2] << 8 | rdata->data[3]),
                            slice_make(rdata->data + 5, rdata->data[4]), slice_make(hash, sizeof(hash)),
                            &key))
            return false;
    } else if (rrset->type == TYPE_NSEC) {
        if (!name_is_under(rrset->owner, probe->zone) || cache_key_nsec(probe->zone, rrset->owner, &key))
            return false;
    } else {
        db = CACHE_RR;
        if (cache_key_rr(rrset->owner, rrset->type, &key))
            return false;
    }
    return core->view->get(core->view->ctx, db, cache_key_slice(&key), &value) == 0 &&
           cache_rr_decode(probe->job.arena, cache_key_slice(&key), value, rrset->owner, rrset->type,
                           ret_rr) == 0 &&
           ret_rr->rrset.security == SECURITY_SECURE;
}

/* Is what fails now, signatures apart, what last validated? A broken signer leaves the data alone; a forger
 * has no reason to. */
static void compare_kept(struct val_core *core, struct probe *probe, const struct rrset_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct cache_rr kept;
        const struct rrset *rrset = &list->items[i];
        if (rrset->security == SECURITY_SECURE || rrset->type == TYPE_SOA || /* its serial number moves */
            !kept_denial(core, probe, rrset, &kept))
            continue;
        if (rrset_same_rdata(&kept.rrset, rrset))
            probe->report.data_same++;
        else
            probe->report.data_changed++;
    }
}

static bool is_denied(struct val_core *core, struct probe *probe, struct probe_ask *ask)
{
    struct rrset_list good = {0};

    if (deny_good_only(probe->job.arena, &ask->checked, &good) < 0)
        return false;
    struct denial denial = deny_context(core, &probe->job, probe->zone, &good);
    if (ask->qtype == TYPE_DS && name_is_below(ask->qname, probe->zone)) {
        enum no_ds no_ds = denial_no_ds(&denial, ask->qname);
        return no_ds != NO_DS_NOT_PROVEN && no_ds != NO_DS_CONTRADICTED && no_ds != NO_DS_BUDGET;
    }
    int outcome = ask->finding.kind == FINDING_NXDOMAIN ? denial_nxdomain(&denial, ask->qname)
                                                        : denial_nodata(&denial, ask->qname, ask->qtype);
    if (outcome == DENIAL_NOT_PROVEN)
        outcome = denial_nodata(&denial, ask->qname, ask->qtype);
    return outcome == DENIAL_PROVEN || outcome == DENIAL_OPTOUT || outcome == DENIAL_ITERATIONS;
}

static int begin_data(struct val_core *core, struct probe *probe, struct probe_ask *ask)
{
    struct rrset_list list = {0};

    ask->checked = ask->finding.main;
    if (is_negative(ask)) {
        for (uint32_t i = 0; i < ask->finding.main.count; i++) {
            int r = rrset_list_add(probe->job.arena, &list, &ask->finding.main.items[i]);
            if (r < 0)
                return r;
        }
        int r = evidence_signed_by(probe->job.arena, &ask->finding.proof, probe->zone, &list);
        if (r < 0)
            return r;
        ask->checked = list;
    }
    ask->content = digest(core, &ask->checked);
    val_judge_begin(&ask->judge, &ask->checked, probe->zone, &probe->keys, !is_negative(ask));
    ask->key_trying = true;
    return 0;
}

static int judge_data(struct val_core *core, struct probe *probe, struct probe_ask *ask)
{
    struct failure why;
    int r = 0;

    if (probe->insecure) {
        ask->content = digest(core, &ask->finding.main);
        return verdict(probe, ask, VAL_PROBE_VALID, NULL);
    }
    if (!ask->key_trying)
        r = begin_data(core, probe, ask);
    if (r == 0)
        r = val_judge_run(core, &probe->job, &ask->judge);
    if (r != WAIT_NONE)
        return r;
    compare_kept(core, probe, &ask->checked);
    bool soa_bad =
        is_negative(ask) && ask->finding.main.count && ask->checked.items[0].security != SECURITY_SECURE;
    if (is_negative(ask) ? !soa_bad && is_denied(core, probe, ask) : ask->judge.bad == 0)
        return verdict(probe, ask, VAL_PROBE_VALID, NULL);
    why = ask->judge.failure;
    if (why.ede == EDE_NONE)
        val_failure_rrset(&why, EDE_NSEC_MISSING, ask->qname, ask->qtype, 0);
    return verdict(probe, ask, VAL_PROBE_INVALID, &why);
}

/* Do the records speak for a zone below this one? A server may have both, and then answers for what is the
 * child's where it would have referred. */
static bool is_childs(const struct probe *probe, const struct probe_ask *ask)
{
    const struct rrset *first = &ask->finding.main.items[0];
    const uint8_t *signer = evidence_signer(&ask->finding.main, ask->qname, false, probe->zone);

    if (signer)
        return name_is_below(signer, probe->zone);
    if (is_negative(ask))
        return first->type == TYPE_SOA && name_is_below(first->owner, probe->zone);
    return ask->qtype == TYPE_DS && first->type == TYPE_CNAME; /* no cut is there, nor a DS */
}

/* What had failed, and is answered for by a zone below this one, with a referral or itself: that is not what
 * is probed. What hides there fails again by itself. */
static int is_elsewhere(struct probe *probe, const struct probe_ask *ask, bool *ret_elsewhere)
{
    struct referral referral;

    *ret_elsewhere = false;
    if (ask->number < ASK_TARGETS || ask->finding.kind == FINDING_GARBAGE)
        return 0;
    if (ask->finding.main.count) {
        *ret_elsewhere = is_childs(probe, ask);
        return 0;
    }
    if (ask->finding.kind != FINDING_NODATA)
        return 0;
    int r =
        referral_make(probe->job.arena, ask->fetch.message, ask->qname, ask->qtype, probe->zone, &referral);
    *ret_elsewhere = r == 0;
    return MIN(r, 0);
}

int val_probe_judge(struct val_core *core, struct probe *probe, struct probe_ask *ask)
{
    bool elsewhere = false;

    if (ask->state == ASK_FETCHES) {
        int r = val_fetch_step(core, &ask->fetch, &probe->job, ask->qtype);
        if (r < 0 || r == WAIT_MORE)
            return r;
        if (r == FETCH_FAILED)
            return verdict(probe, ask, VAL_PROBE_NO_REPLY, &ask->fetch.failure);
        r = finding_make(probe->job.arena, ask->fetch.message, ask->qname, ask->qtype, probe->zone,
                         &ask->finding);
        if (r == 0)
            r = is_elsewhere(probe, ask, &elsewhere);
        if (r < 0)
            return r;
        if (elsewhere)
            return verdict(probe, ask, VAL_PROBE_NOT_ASKED, NULL);
        if (ask->finding.kind == FINDING_GARBAGE) {
            struct failure why;
            val_failure_set(&why, EDE_NO_REACHABLE_AUTHORITY, "the answer does not fit the question");
            return verdict(probe, ask, VAL_PROBE_INVALID, &why);
        }
        ask->state = ASK_JUDGES;
    }
    return ask->keys ? judge_keys(core, probe, ask) : judge_data(core, probe, ask);
}

/* The worst that one server said over one transport; what it left unanswered counts only if it said nothing.
 */
static void merge(enum val_probe_verdict *verdict, enum val_probe_verdict with)
{
    if (*verdict == VAL_PROBE_INVALID || with == VAL_PROBE_NOT_ASKED)
        return;
    if (with == VAL_PROBE_INVALID || *verdict == VAL_PROBE_NOT_ASKED || *verdict == VAL_PROBE_NO_REPLY)
        *verdict = with;
}

/* Do two answers to one question differ in what counts? *contents: in more than signatures. */
static bool differs(const struct probe_ask *a, const struct probe_ask *b, bool *contents)
{
    bool judged = a->verdict != VAL_PROBE_NO_REPLY && b->verdict != VAL_PROBE_NO_REPLY &&
                  a->verdict != VAL_PROBE_NOT_ASKED && b->verdict != VAL_PROBE_NOT_ASKED;

    if (judged && a->content != b->content)
        *contents = true;
    return judged && (a->verdict != b->verdict || a->content != b->content);
}

static void compare_servers(struct probe *probe)
{
    struct val_probe_report *report = &probe->report;

    for (unsigned i = 0; i < probe->ask_count; i++)
        for (unsigned j = i + 1; j < probe->ask_count; j++) {
            const struct probe_ask *a = &probe->asks[i], *b = &probe->asks[j];
            if (a->keys != b->keys || a->number != b->number || !differs(a, b, &report->contents_differ))
                continue;
            if (a->server == b->server)
                report->transports_differ = true;
            else
                report->servers_differ = true;
        }
}

void val_probe_conclude(struct probe *probe)
{
    struct val_probe_report *report = &probe->report;
    unsigned valid = 0, invalid = 0;

    for (unsigned i = 0; i < report->server_count; i++)
        report->servers[i].verdict[VAL_PROBE_UDP] = report->servers[i].verdict[VAL_PROBE_TCP] =
            VAL_PROBE_NOT_ASKED;
    for (unsigned i = 0; i < probe->ask_count; i++) {
        const struct probe_ask *ask = &probe->asks[i];
        merge(&report->servers[ask->server].verdict[ask->tcp ? VAL_PROBE_TCP : VAL_PROBE_UDP], ask->verdict);
        valid += !ask->keys && ask->verdict == VAL_PROBE_VALID;
        invalid += ask->verdict == VAL_PROBE_INVALID;
        report->common_invalid += ask->verdict == VAL_PROBE_INVALID && ask->number < ASK_TARGETS;
    }
    report->valid = valid;
    report->invalid = invalid;
    if (probe->ask_count == 0)
        return; /* hopeless: the reason is there already */
    compare_servers(probe);
    if (valid && !invalid)
        report->result = VAL_PROBE_ALL;
    else if (valid)
        report->result = VAL_PROBE_SOME;
    else
        report->result = invalid ? VAL_PROBE_NONE : VAL_PROBE_SILENT;
    if (report->result == VAL_PROBE_ALL) {
        report->ede = EDE_NONE;
        report->text_size = 0;
    }
}
