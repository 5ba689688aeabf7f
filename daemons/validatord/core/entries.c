/* What is written to the cache: only what was judged, with the epoch it was judged under, and never over
 * something better (DESIGN invariant 3, section 4). A write that cannot be made costs an entry, never an
 * answer. */

#include <string.h>

#include "daemons/validatord/core/internal.h"

static bool write_action(struct val_core *core, struct job *job, enum cache_db db,
                         const struct cache_key *key, struct slice value, bool remove)
{
    if (job->epoch != core->epoch)
        return false; /* the writer would drop it */
    uint8_t *bytes = arena_copy(job->arena, key->bytes, key->size);
    struct action *action = bytes ? val_action_new(core, VAL_ACTION_WRITE, job) : NULL;
    if (!action)
        return false;
    action->action.write = (struct cache_write){
        .db = db, .remove = remove, .key = slice_make(bytes, key->size), .value = value, .epoch = job->epoch};
    return true;
}

void val_entries_put(struct val_core *core, struct job *job, enum cache_db db, const struct cache_key *key,
                     struct slice value)
{
    write_action(core, job, db, key, value, false);
}

void val_entries_remove(struct val_core *core, struct job *job, enum cache_db db, const struct cache_key *key)
{
    write_action(core, job, db, key, (struct slice){0}, true);
}

static bool exists(struct val_core *core, enum cache_db db, const struct cache_key *key,
                   struct slice *ret_value)
{
    return core->view->get(core->view->ctx, db, cache_key_slice(key), ret_value) == 0;
}

/* What validated before an NTA came is not given up for what comes under it: the NTA goes, and stale data may
 * still be needed (DESIGN 5, "NTA"). */
static bool is_of_use(const struct val_core *core, wall_s expires)
{
    int64_t most = MAX(core->config.stale_max_age_s, INT64_C(0));

    return expires.s + most > core->env->wall.s;
}

static bool is_by_nta(const struct task *task)
{
    return task->security != SECURITY_SECURE && task->insecure.ede == EDE_NEGATIVE_TRUST_ANCHOR;
}

/* May an RRset of this security and rank replace the entry of that key? Unexpired data gives way only to data
 * of no less security, and among equals of no less rank (RFC 2181 5.4.1). */
static bool may_replace(struct val_core *core, struct arena *arena, const struct cache_key *key,
                        const struct rrset *rrset, bool by_nta)
{
    struct slice value;
    struct cache_rr old;

    if (!exists(core, CACHE_RR, key, &value) ||
        cache_rr_decode(arena, cache_key_slice(key), value, rrset->owner, rrset->type, &old) != 0)
        return true;
    if (by_nta && old.rrset.security == SECURITY_SECURE && is_of_use(core, old.expires))
        return false;
    if (cache_ttl_left(old.stored, old.expires, core->env->wall) == 0)
        return true;
    if (old.rrset.security != rrset->security)
        return rrset->security > old.rrset.security;
    return rrset->rank >= old.rrset.rank;
}

static void put_rr(struct val_core *core, struct job *job, const struct cache_key *key,
                   const struct cache_rr *rr)
{
    struct slice value;

    if (rr->rrset.count <= CACHE_RDATA_MAX &&
        cache_rr_encode(job->arena, cache_key_slice(key), rr, &value) == 0)
        val_entries_put(core, job, CACHE_RR, key, value);
}

/* A wildcard expansion is kept under the wildcard's name too: other names are answered from there (RFC
 * 8198 5.3). */
static void put_wildcard(struct val_core *core, struct task *task, const struct cache_rr *rr)
{
    struct cache_rr source = *rr;
    struct cache_key key;
    uint8_t name[NAME_MAX];
    unsigned labels = rr->rrset.wildcard_labels - 1u;

    if (labels > name_labels(task->job.name) || name_make_wildcard(name_suffix(task->job.name, labels), name))
        return;
    uint8_t *owner = arena_copy(task->job.arena, name, name_size(name));
    if (!owner || cache_key_rr(owner, rr->rrset.type, &key))
        return;
    source.rrset.owner = owner;
    source.rrset.wildcard_labels = 0;
    source.proof = (struct rrset_list){0};
    source.authentic = !task->chain.lapsed;
    if (may_replace(core, task->job.arena, &key, &source.rrset, false))
        put_rr(core, &task->job, &key, &source);
}

/* May something of this security replace the denial of that key? As above: what is unexpired gives way only
 * to what is no less secure. A missing one may be replaced by anything. */
static bool may_replace_negative(struct val_core *core, struct arena *arena, const struct cache_key *key,
                                 enum security security, bool by_nta)
{
    struct slice value;
    struct cache_neg old;

    if (!exists(core, CACHE_NEG, key, &value) ||
        cache_neg_decode(arena, cache_key_slice(key), value, &old) != 0)
        return true;
    if (by_nta && old.security == SECURITY_SECURE && old.kind != CACHE_NEG_FAILURE &&
        is_of_use(core, old.expires))
        return false;
    return cache_ttl_left(old.stored, old.expires, core->env->wall) == 0 || security >= old.security;
}

/* The denials that a positive answer has refuted. */
static void drop_negative(struct val_core *core, struct job *job, enum security security, bool by_nta)
{
    const uint16_t types[] = {job->type, 0};
    struct cache_key key;
    struct slice value;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (cache_key_rr(job->name, types[i], &key) == 0 && exists(core, CACHE_NEG, &key, &value) &&
            may_replace_negative(core, job->arena, &key, security, by_nta))
            val_entries_remove(core, job, CACHE_NEG, &key);
}

void val_entries_positive(struct val_core *core, struct task *task)
{
    const struct rrset *main = &task->finding.main.items[0];
    wall_s now = core->env->wall;
    struct cache_key key;

    if (main->count == 0 || cache_key_rr(main->owner, main->type, &key) ||
        !may_replace(core, task->job.arena, &key, main, is_by_nta(task)))
        return;
    if (task->ttl == 0) { /* not kept; but what it has refuted is no stale answer either */
        struct slice value;
        if (exists(core, CACHE_RR, &key, &value))
            val_entries_remove(core, &task->job, CACHE_RR, &key);
        if (task->finding.kind == FINDING_POSITIVE)
            drop_negative(core, &task->job, main->security, is_by_nta(task));
        return;
    }
    struct cache_rr rr = {.rrset = *main,
                          .proof = task->proof,
                          .stored = now,
                          .expires = {.s = now.s + task->ttl},
                          .signature_expires = task->signature_expires,
                          .original_ttl = main->ttl,
                          .authentic = task->authentic,
                          .ede = task->insecure.ede != EDE_NONE ? task->insecure.ede : 0,
                          .continued = task->chain.continued};
    if (rr.continued)
        rr.why = slice_make(task->chain.kept.text, task->chain.kept.text_size);
    rr.rrset.ttl = task->ttl;
    put_rr(core, &task->job, &key, &rr);
    if (main->security == SECURITY_SECURE && main->wildcard_labels)
        put_wildcard(core, task, &rr);
    if (task->finding.kind == FINDING_POSITIVE)
        drop_negative(core, &task->job, main->security, is_by_nta(task));
}

/* Data that a denial of no less security has refuted goes, once it is expired or the denial is as good. */
static void drop_positive(struct val_core *core, struct task *task)
{
    struct rrset denied = {
        .owner = task->job.name, .type = task->job.type, .security = task->security, .rank = RANK_ANSWER};
    struct cache_key key;
    struct slice value;

    if (cache_key_rr(task->job.name, task->job.type, &key) == 0 && exists(core, CACHE_RR, &key, &value) &&
        may_replace(core, task->job.arena, &key, &denied, is_by_nta(task)))
        val_entries_remove(core, &task->job, CACHE_RR, &key);
}

/* The SOA of a denial, validated: what later is synthesised from NSEC and NSEC3 needs one (RFC 8198). */
static void put_soa(struct val_core *core, struct task *task)
{
    const struct rrset *soa = &task->finding.main.items[0];
    struct cache_key key;
    struct slice value;

    if (cache_key_rr(soa->owner, TYPE_SOA, &key) || exists(core, CACHE_RR, &key, &value))
        return;
    struct cache_rr rr = {.rrset = *soa,
                          .stored = core->env->wall,
                          .expires = {.s = core->env->wall.s + MIN(soa->ttl, core->config.max_ttl_s)},
                          .signature_expires = task->signature_expires,
                          .original_ttl = soa->ttl,
                          .authentic = true};
    put_rr(core, &task->job, &key, &rr);
}

void val_entries_negative(struct val_core *core, struct task *task)
{
    bool nxdomain = task->finding.kind == FINDING_NXDOMAIN;
    wall_s now = core->env->wall;
    struct cache_neg neg = {.kind = nxdomain ? CACHE_NEG_NXDOMAIN : CACHE_NEG_NODATA,
                            .security = task->security,
                            .authentic = task->authentic,
                            .stored = now,
                            .expires = {.s = now.s + task->ttl},
                            .signature_expires = task->signature_expires};
    struct cache_key key;
    struct slice value;

    if (task->insecure.ede != EDE_NONE)
        neg.ede[neg.ede_count++].code = task->insecure.ede;
    if (task->chain.continued) {
        struct answer_ede *ede = &neg.ede[neg.ede_count++];
        neg.continued = true;
        ede->code = EDE_STALE_ANSWER;
        ede->text_size = task->chain.kept.text_size;
        memcpy(ede->text, task->chain.kept.text, ede->text_size);
    }
    if (task->ttl == 0 || task->finding.main.count == 0 ||
        cache_key_rr(task->job.name, nxdomain ? 0 : task->job.type, &key) ||
        !may_replace_negative(core, task->job.arena, &key, task->security, is_by_nta(task)))
        return;
    int r = rrset_list_add(task->job.arena, &neg.proof, &task->finding.main.items[0]);
    for (uint32_t i = 0; i < task->proof.count && r == 0; i++)
        r = rrset_list_add(task->job.arena, &neg.proof, &task->proof.items[i]);
    if (task->security == SECURITY_SECURE && !task->chain.continued)
        put_soa(core, task);
    if (r < 0 || cache_neg_encode(task->job.arena, cache_key_slice(&key), &neg, &value) != 0)
        return;
    val_entries_put(core, &task->job, CACHE_NEG, &key, value);
    drop_positive(core, task);
}

static int denial_key(const uint8_t *zone, const struct rrset *rrset, enum cache_db *ret_db,
                      struct cache_key *ret_key)
{
    uint8_t hash[20];

    if (rrset->type == TYPE_NSEC) {
        *ret_db = CACHE_NSEC;
        return cache_key_nsec(zone, rrset->owner, ret_key);
    }
    const struct rdata *rdata = &rrset->rdata[0];
    if (rrset->count != 1 || rdata->size < 5 || rdata->size < 5u + rdata->data[4] ||
        nsec3_owner_hash(rrset->owner, hash) || !name_equal(name_parent(rrset->owner), zone))
        return 1;
    uint16_t iterations = (uint16_t)(rdata->data[2] << 8 | rdata->data[3]);
    *ret_db = CACHE_NSEC3;
    return cache_key_nsec3(zone, rdata->data[0], iterations, slice_make(rdata->data + 5, rdata->data[4]),
                           slice_make(hash, sizeof(hash)), ret_key);
}

/* An opt-out span is never synthesised from; it is kept, and verified by its own signature when it is used.
 */
static bool is_optout(const struct rrset *rrset)
{
    return rrset->type == TYPE_NSEC3 && rrset->rdata[0].size > 1 &&
           (rrset->rdata[0].data[1] & NSEC3_FLAG_OPTOUT);
}

void val_entries_denials(struct val_core *core, struct job *job, const uint8_t *zone,
                         const struct rrset_list *list, const wall_s *expires, wall_s chain_expires)
{
    wall_s now = core->env->wall;
    const struct rrset *soa = NULL;

    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].type == TYPE_SOA && list->items[i].security == SECURITY_SECURE)
            soa = &list->items[i];
    for (uint32_t i = 0; i < list->count; i++) {
        const struct rrset *rrset = &list->items[i];
        struct cache_key key;
        struct slice value;
        enum cache_db db;
        uint32_t ttl = MIN(MIN(rrset->ttl, core->config.max_ttl_s), NEGATIVE_TTL_MAX_S);

        if ((rrset->type != TYPE_NSEC && rrset->type != TYPE_NSEC3) || rrset->security != SECURITY_SECURE ||
            rrset->count != 1 || rrset->wildcard_labels || ttl == 0 || denial_key(zone, rrset, &db, &key))
            continue;
        bool chain_first =
            chain_expires.s && chain_expires.s < expires[i].s && !is_optout(rrset); /* as rest_on_chain() */
        struct cache_rr rr = {.rrset = *rrset,
                              .stored = now,
                              .expires = {.s = now.s + ttl},
                              .signature_expires = chain_first ? chain_expires : expires[i],
                              .original_ttl = rrset->ttl,
                              .authentic = true};
        if (soa && rrset_list_add(job->arena, &rr.proof, soa) < 0)
            continue;
        if (cache_rr_encode(job->arena, cache_key_slice(&key), &rr, &value) == 0)
            val_entries_put(core, job, db, &key, value);
    }
}
