/* What one message says about one question, scrubbed: only records inside the answering zone, only those the
 * question needs. Nothing here is believed yet; what is left out here can never be cached (THREATS:
 * promiscuous NS, CNAME-chain poison). */

#include <errno.h>
#include <string.h>

#include "common/wire/rdata.h"
#include "daemons/validatord/core/internal.h"

/* The RRset of (owner, type, IN) with records in it. */
static struct rrset *find_set(const struct rrset_list *list, const uint8_t *owner, uint16_t type)
{
    struct rrset *rrset = rrset_list_find(list, owner, type);
    return rrset && rrset->count > 0 && rrset->class == CLASS_IN ? rrset : NULL;
}

/* An NSEC whose next name lies outside the answering zone is no record of that zone (THREATS: NSEC next out
 * of zone). */
static bool is_foreign_nsec(const struct rrset *rrset, const uint8_t *cut)
{
    for (unsigned i = 0; rrset->type == TYPE_NSEC && i < rrset->count; i++)
        if (!name_is_under(rrset->rdata[i].data, cut))
            return true;
    return false;
}

/* The DNAME that covers name: its owner strictly above, inside cut. */
static struct rrset *find_dname(const struct rrset_list *list, const uint8_t *name, const uint8_t *cut)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct rrset *rrset = &list->items[i];
        if (rrset->type == TYPE_DNAME && rrset->count == 1 && rrset->class == CLASS_IN &&
            name_is_below(name, rrset->owner) && name_is_under(rrset->owner, cut))
            return rrset;
    }
    return NULL;
}

static bool has_rdata(const struct rdata *list, unsigned count, const struct rdata *rdata)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].size == rdata->size && memcmp(list[i].data, rdata->data, rdata->size) == 0)
            return true;
    return false;
}

/* Some servers put an RRSIG into another section than what it covers. It proves as much from there. */
static int adopt_signatures(struct arena *arena, struct rrset_list *list, const struct rrset_list *others)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct rrset *rrset = &list->items[i];
        const struct rrset *more = rrset->count ? rrset_list_find(others, rrset->owner, rrset->type) : NULL;
        if (!more || more->sig_count == 0 || more->class != rrset->class)
            continue;
        unsigned room = MIN(rrset->sig_count + more->sig_count, SIGNATURE_MAX_SIGS), count = 0;
        struct rdata *sig = arena_array(arena, room, sizeof(*sig));
        if (!sig)
            return -ENOMEM;
        for (unsigned k = 0; k < rrset->sig_count && count < room; k++)
            sig[count++] = rrset->sig[k];
        for (unsigned k = 0; k < more->sig_count && count < room; k++)
            if (!has_rdata(sig, count, &more->sig[k]))
                sig[count++] = more->sig[k];
        rrset->sig_ttl = rrset->sig_count ? MIN(rrset->sig_ttl, more->sig_ttl) : more->sig_ttl;
        rrset->sig = sig;
        rrset->sig_count = (uint16_t)count;
    }
    return 0;
}

static int take(struct arena *arena, struct rrset_list *list, const struct rrset *rrset, enum rank rank)
{
    struct rrset copy = *rrset;

    copy.rank = rank;
    copy.security = SECURITY_INDETERMINATE;
    copy.wildcard_labels = 0;
    /* An RRset is whole or nothing, so this bounds the signatures alone. */
    copy.sig_count = (uint16_t)MIN(copy.sig_count, SIGNATURE_MAX_SIGS);
    return rrset_list_add(arena, list, &copy);
}

static const uint8_t *lower_copy(struct arena *arena, const uint8_t *name)
{
    uint8_t lower[NAME_MAX];
    size_t size = name_copy(name, lower);
    return arena_copy(arena, lower, size);
}

/* NSEC and NSEC3 of the authority section, in the zone, a bounded number of them. */
static int take_proof(struct arena *arena, const struct rrset_list *authority, const uint8_t *cut,
                      struct rrset_list *ret_proof)
{
    for (uint32_t i = 0; i < authority->count && ret_proof->count < PROOF_RRSETS; i++) {
        const struct rrset *rrset = &authority->items[i];
        if ((rrset->type != TYPE_NSEC && rrset->type != TYPE_NSEC3) || rrset->count == 0 ||
            rrset->class != CLASS_IN || !name_is_under(rrset->owner, cut) || is_foreign_nsec(rrset, cut))
            continue;
        int r = take(arena, ret_proof, rrset, RANK_AUTHORITY);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Does the message go on to speak about the CNAME's or DNAME's target? */
static bool speaks_about(const struct message *message, const struct rrset_list *answer,
                         const struct rrset_list *authority, const uint8_t *target, uint16_t qtype,
                         const uint8_t *cut)
{
    if (!name_is_under(target, cut))
        return false;
    if (find_set(answer, target, qtype) || find_set(answer, target, TYPE_CNAME) ||
        find_dname(answer, target, cut))
        return true;
    for (uint32_t i = 0; i < authority->count; i++) {
        const struct rrset *rrset = &authority->items[i];
        if (rrset->type == TYPE_SOA && rrset->count && name_is_under(target, rrset->owner) &&
            name_is_under(rrset->owner, cut))
            return true;
    }
    return false;
}

static int find_alias(struct arena *arena, const struct message *message, const struct rrset_list *answer,
                      const struct rrset_list *authority, const uint8_t *qname, uint16_t qtype,
                      const uint8_t *cut, enum rank rank, struct finding *f)
{
    const struct rrset *dname = find_dname(answer, qname, cut);
    const struct rrset *cname = find_set(answer, qname, TYPE_CNAME);
    uint8_t target[NAME_MAX];

    /* A CNAME under a DNAME is the server's synthesis: the DNAME is what is signed, the CNAME is made anew.
     */
    if (dname && (!cname || cname->sig_count == 0)) {
        f->kind = FINDING_DNAME;
        uint8_t to[NAME_MAX];
        if (name_from_bytes(dname->rdata[0].data, dname->rdata[0].size, to)) {
            f->kind = FINDING_GARBAGE;
            return 0;
        }
        if (name_substitute(qname, dname->owner, to, target) == 0) {
            f->target = lower_copy(arena, target);
            if (!f->target)
                return -ENOMEM;
        }
    } else if (cname && cname->count == 1) {
        f->kind = FINDING_CNAME;
        if (name_from_bytes(cname->rdata[0].data, cname->rdata[0].size, target)) {
            f->kind = FINDING_GARBAGE;
            return 0;
        }
        f->target = lower_copy(arena, target);
        if (!f->target)
            return -ENOMEM;
    } else {
        f->kind = FINDING_GARBAGE; /* two CNAMEs at one name: RFC 2181 10.1 */
        return 0;
    }
    f->target_here = f->target && speaks_about(message, answer, authority, f->target, qtype, cut);
    return take(arena, &f->main, f->kind == FINDING_DNAME ? dname : cname, rank);
}

static int find_negative(struct arena *arena, const struct message *message,
                         const struct rrset_list *authority, const uint8_t *qname, const uint8_t *cut,
                         struct finding *f)
{
    f->kind = message->rcode == RCODE_NXDOMAIN ? FINDING_NXDOMAIN : FINDING_NODATA;
    for (uint32_t i = 0; i < authority->count; i++) {
        const struct rrset *rrset = &authority->items[i];
        if (rrset->type == TYPE_SOA && rrset->count == 1 && rrset->class == CLASS_IN &&
            name_is_under(qname, rrset->owner) && name_is_under(rrset->owner, cut))
            return take(arena, &f->main, rrset, RANK_AUTHORITY);
    }
    return 0;
}

/* ANY: one RRset of the name is an answer (RFC 8482 4.1). */
static const struct rrset *find_any(const struct rrset_list *list, const uint8_t *owner)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].count > 0 && list->items[i].class == CLASS_IN &&
            name_equal(list->items[i].owner, owner))
            return &list->items[i];
    return NULL;
}

/* RRSIG: the signatures of the name's RRsets, as sets without data. Nothing signs them. */
static int find_signatures(struct arena *arena, const struct rrset_list *list, const uint8_t *owner,
                           enum rank rank, struct finding *f)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct rrset alone = list->items[i];
        if (alone.sig_count == 0 || alone.class != CLASS_IN || !name_equal(alone.owner, owner))
            continue;
        alone.count = 0;
        alone.ttl = alone.sig_ttl;
        int r = take(arena, &f->main, &alone, rank);
        if (r < 0)
            return r;
        f->kind = FINDING_POSITIVE;
    }
    return 0;
}

/* The part that answers: data, an alias, or a denial. */
static int find_answer(struct arena *arena, const struct message *message, const struct rrset_list *answer,
                       const struct rrset_list *authority, const uint8_t *qname, uint16_t qtype,
                       const uint8_t *cut, struct finding *f)
{
    enum rank rank = message->flags & FLAG_AA ? RANK_ANSWER : RANK_ANSWER_NONAUTH;
    const struct rrset *positive =
        qtype == TYPE_ANY ? find_any(answer, qname) : find_set(answer, qname, qtype);

    /* A parent that was asked for the DS may refer to the child, and give the DS along with that. */
    if (!positive && qtype == TYPE_DS && message->count[SECTION_ANSWER] == 0)
        positive = find_set(authority, qname, TYPE_DS);

    /* A CNAME that was asked for may still be a DNAME's synthesis, which has no signature of its own. */
    if (positive && positive->type == TYPE_CNAME && !positive->sig_count && find_dname(answer, qname, cut))
        positive = NULL;
    if (qtype == TYPE_RRSIG) {
        int r = find_signatures(arena, answer, qname, rank, f);
        if (r < 0 || f->kind == FINDING_POSITIVE)
            return r;
    }
    if (positive && is_foreign_nsec(positive, cut))
        positive = NULL;
    if (positive) {
        f->kind = FINDING_POSITIVE;
        return take(arena, &f->main, positive, rank);
    }
    if (find_set(answer, qname, TYPE_CNAME) || find_dname(answer, qname, cut))
        return find_alias(arena, message, answer, authority, qname, qtype, cut, rank, f);
    if (message->rcode != RCODE_YXDOMAIN)
        return find_negative(arena, message, authority, qname, cut, f);
    return 0;
}

int finding_make(struct arena *arena, struct slice wire, const uint8_t *qname, uint16_t qtype,
                 const uint8_t *cut, struct finding *ret_finding)
{
    struct message message;
    struct rrset_list answer, authority, additional;
    struct finding f = {.kind = FINDING_GARBAGE};

    *ret_finding = f;
    if (!name_is_under(qname, cut))
        return 0;
    f.cut = lower_copy(arena, cut);
    if (!f.cut)
        return -ENOMEM;
    int r = message_parse(arena, wire.data, wire.size, &message);
    if (r < 0)
        return r;
    if (r != MESSAGE_OK || (message.rcode != RCODE_NOERROR && message.rcode != RCODE_NXDOMAIN &&
                            message.rcode != RCODE_YXDOMAIN))
        return 0;
    f.rcode = message.rcode;
    f.report_channel = message.edns.report_channel;
    r = message_rrsets(arena, &message, SECTION_ANSWER, SECTION_RRSETS, &answer);
    if (r == 0)
        r = message_rrsets(arena, &message, SECTION_AUTHORITY, SECTION_RRSETS, &authority);
    if (r == 0)
        r = message_rrsets(arena, &message, SECTION_ADDITIONAL, SECTION_RRSETS, &additional);
    if (r == 0)
        r = adopt_signatures(arena, &answer, &authority);
    if (r == 0)
        r = adopt_signatures(arena, &answer, &additional);
    if (r == 0)
        r = adopt_signatures(arena, &authority, &answer);
    if (r == 0)
        r = adopt_signatures(arena, &authority, &additional);
    if (r != 0)
        return r < 0 ? r : 0;

    r = find_answer(arena, &message, &answer, &authority, qname, qtype, cut, &f);
    if (r == 0 && f.kind != FINDING_GARBAGE)
        r = take_proof(arena, &authority, cut, &f.proof);
    if (r < 0)
        return r;
    *ret_finding = f;
    return 0;
}

const uint8_t *evidence_signer(const struct rrset_list *list, const uint8_t *name, bool strict,
                               const uint8_t *cut)
{
    const uint8_t *best = NULL;
    unsigned labels = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct rrset *rrset = &list->items[i];
        for (unsigned j = 0; j < rrset->sig_count; j++) {
            struct rrsig sig;
            if (rrsig_parse(&rrset->sig[j], &sig) || !name_is_under(rrset->owner, sig.signer) ||
                !name_is_under(sig.signer, cut))
                continue;
            bool above = strict && !name_is_root(name) ? name_is_below(name, sig.signer)
                                                       : name_is_under(name, sig.signer);
            if (above && (!best || name_labels(sig.signer) > labels)) {
                best = sig.signer;
                labels = name_labels(best);
            }
        }
    }
    return best;
}

static bool has_signer(const struct rrset *rrset, const uint8_t *zone)
{
    for (unsigned j = 0; j < rrset->sig_count; j++) {
        struct rrsig sig;
        if (!rrsig_parse(&rrset->sig[j], &sig) && name_equal(sig.signer, zone))
            return true;
    }
    return false;
}

int evidence_signed_by(struct arena *arena, const struct rrset_list *list, const uint8_t *zone,
                       struct rrset_list *ret_list)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < list->count && taken < DENIAL_MAX_NSEC3; i++) {
        if (!has_signer(&list->items[i], zone))
            continue;
        int r = rrset_list_add(arena, ret_list, &list->items[i]);
        if (r < 0)
            return r;
        taken++;
    }
    return 0;
}
