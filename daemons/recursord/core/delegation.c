/* What a reply means: an answer, a referral further down, or nothing of use. RFC 1034 5.3.3, RFC 2308 2.
 *
 * Only a referral that leads down towards the question counts; NS records beside an answer are never read
 * (THREATS: promiscuous NS). Whether an answer is true is validatord's to judge. */

#include "daemons/recursord/core/internal.h"

/* Does the answer section say something about the question? */
static bool answers(const struct message *message, const uint8_t *question, uint16_t qtype)
{
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++) {
        const struct rr *rr = &message->rr[SECTION_ANSWER][i];
        if (rr->class != CLASS_IN)
            continue;
        if (name_equal(rr->owner, question) &&
            (rr->type == qtype || rr->type == TYPE_CNAME || qtype == TYPE_ANY))
            return true;
        if (rr->type == TYPE_DNAME && name_is_below(question, rr->owner))
            return true;
    }
    return false;
}

/* The owner in AUTHORITY of the first record of that type that is at or above the question; NULL: none. */
static const uint8_t *authority_owner(const struct message *message, uint16_t type, const uint8_t *question)
{
    for (unsigned i = 0; i < message->count[SECTION_AUTHORITY]; i++) {
        const struct rr *rr = &message->rr[SECTION_AUTHORITY][i];
        if (rr->type == type && rr->class == CLASS_IN && name_is_under(question, rr->owner))
            return rr->owner;
    }
    return NULL;
}

static bool has_dname(const struct message *message, const uint8_t *question)
{
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++) {
        const struct rr *rr = &message->rr[SECTION_ANSWER][i];
        if (rr->type == TYPE_DNAME && rr->class == CLASS_IN && name_is_below(question, rr->owner))
            return true;
    }
    return false;
}

/* Of whatever type: the name is known there. */
static bool has_owner(const struct message *message, const uint8_t *name)
{
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++)
        if (name_equal(message->rr[SECTION_ANSWER][i].owner, name))
            return true;
    return false;
}

static bool has_ns(const struct message *message)
{
    for (unsigned i = 0; i < message->count[SECTION_AUTHORITY]; i++)
        if (message->rr[SECTION_AUTHORITY][i].type == TYPE_NS)
            return true;
    return false;
}

/* A forwarder's word is final. NS records alone (RFC 2308 2.2) for a zone that is not below what it is asked
 * for are a referral upwards or sideways: it does not know the zone and does not recurse. */
static enum reading read_forwarded(const struct task *task, const struct message *message)
{
    const uint8_t *question = task_question(task), *child = authority_owner(message, TYPE_NS, question);
    bool refers = has_ns(message) && !(child && name_is_below(child, task->cut->zone));

    if (refers && message->rcode == RCODE_NOERROR && !(message->flags & FLAG_AA) &&
        message->count[SECTION_ANSWER] == 0 && !authority_owner(message, TYPE_SOA, question))
        return READ_LAME;
    if (message->rcode == RCODE_NOERROR || message->rcode == RCODE_NXDOMAIN ||
        message->rcode == RCODE_YXDOMAIN)
        return READ_ANSWER;
    return READ_FAILURE;
}

/* NOERROR without an answer: NODATA with its SOA (RFC 2308 2.2), a referral, or neither. */
static enum reading read_negative(struct task *task, const struct message *message, const uint8_t **ret_child)
{
    const uint8_t *question = task_question(task), *zone = task->cut->zone;
    bool authoritative = message->flags & FLAG_AA;
    const uint8_t *soa = authority_owner(message, TYPE_SOA, question);
    if (soa) {
        if (!name_is_under(soa, zone))
            return READ_LAME; /* it serves only a zone above */
        /* the child's apex answering for its own DS: the wrong side of the cut */
        if (task->qtype == TYPE_DS && !task->minimised && name_equal(soa, question) && !name_is_root(soa))
            return READ_LAME;
        return READ_ANSWER;
    }
    const uint8_t *child = authority_owner(message, TYPE_NS, question);
    if (child && name_is_below(child, zone)) {
        /* a parent that knows no DS records refers to the child instead */
        if (task->qtype == TYPE_DS && !task->minimised && name_equal(child, question))
            return READ_ANSWER;
        *ret_child = child;
        return READ_REFERRAL;
    }
    if (child)
        /* of this zone or one above: a server that does not know the zone, unless it speaks with authority */
        return authoritative && name_equal(child, zone) ? READ_ANSWER : READ_LAME;
    /* NODATA without its SOA, as many servers send it; NS records of elsewhere are a sideways referral */
    return has_ns(message) ? READ_LAME : READ_EMPTY;
}

enum reading delegation_read(struct task *task, const struct message *message, const uint8_t **ret_child)
{
    if (task->cut->forward)
        return read_forwarded(task, message);
    /* recursion available and not authoritative: a resolver's cache, not the zone */
    bool cached = (message->flags & FLAG_RA) && !(message->flags & FLAG_AA);
    if (message->rcode == RCODE_YXDOMAIN && !has_dname(message, task_question(task)))
        return READ_FAILURE; /* no name was too long: RFC 6672 2.2 */
    if (message->rcode == RCODE_NXDOMAIN || message->rcode == RCODE_YXDOMAIN)
        return cached ? READ_CACHED : READ_ANSWER;
    if (message->rcode != RCODE_NOERROR)
        return READ_FAILURE;
    if (answers(message, task_question(task), task->minimised ? TYPE_A : task->qtype))
        return cached ? READ_CACHED : READ_ANSWER;
    if (message->count[SECTION_ANSWER])
        return has_owner(message, task_question(task)) ? READ_EMPTY : READ_LAME; /* about something else */
    enum reading reading = read_negative(task, message, ret_child);
    return cached && (reading == READ_ANSWER || reading == READ_EMPTY) ? READ_CACHED : reading;
}

bool delegation_too_low(const struct task *task, const struct message *message)
{
    if (task->qtype != TYPE_DS || task->minimised || task->cut->forward)
        return false;
    for (unsigned i = 0; i < message->count[SECTION_ANSWER]; i++) {
        uint16_t type = message->rr[SECTION_ANSWER][i].type;
        if (type == TYPE_DS || type == TYPE_RRSIG)
            return false; /* signatures tell whose word it is */
    }
    if (message->count[SECTION_ANSWER])
        return true;
    const uint8_t *soa = authority_owner(message, TYPE_SOA, task->qname);
    return soa && name_equal(soa, task->qname) && !name_is_root(soa);
}
