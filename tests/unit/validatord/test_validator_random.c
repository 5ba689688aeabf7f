/* Invariant 1 by chance: thousands of replies bent at random, one or several at a time. Whatever comes of it,
 * a signed name has its true answer, or none. A failing round prints its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

#define ROUNDS_DEFAULT 300u /* a few seconds; HOLDFAST_ROUNDS in the environment for more */

struct chance {
    uint32_t state;
    unsigned percent; /* of the replies that are bent */
};

static uint32_t draw(struct chance *chance, uint32_t bound)
{
    chance->state = chance->state * 1664525u + 1013904223u;
    return (chance->state >> 8) % bound;
}

static const struct {
    char name[32];
    uint16_t type;
} questions[] = {
    {"www.example.com.", TYPE_A},      {"www.example.com.", TYPE_AAAA},   {"nothere.example.com.", TYPE_A},
    {"alias.example.com.", TYPE_A},    {"x.wild.example.com.", TYPE_A},   {"real.wild.example.com.", TYPE_A},
    {"www.tree.example.com.", TYPE_A}, {"away.example.com.", TYPE_A},     {"example.com.", TYPE_SOA},
    {"www.sub.example.com.", TYPE_A},  {"sub.example.com.", TYPE_TXT},    {"www.victim.com.", TYPE_A},
    {"ent.example.com.", TYPE_A},      {"nothere.victim.com.", TYPE_TXT},
};

static struct lab *lab_random(enum lab_denial denial)
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "");
    lab_zone(lab, "com.", denial, "");
    lab_zone(lab, "example.com.", denial,
             "www.example.com. 300 IN A 192.0.2.80\n"
             "alias.example.com. 300 IN CNAME www.example.com.\n"
             "away.example.com. 300 IN CNAME www.victim.com.\n"
             "*.wild.example.com. 300 IN A 192.0.2.82\n"
             "real.wild.example.com. 300 IN A 192.0.2.83\n"
             "a.ent.example.com. 300 IN A 192.0.2.84\n"
             "tree.example.com. 300 IN DNAME example.com.\n");
    lab_zone(lab, "sub.example.com.", denial,
             "www.sub.example.com. 300 IN A 192.0.2.85\nsub.example.com. 300 IN TXT \"sub\"\n");
    lab_zone(lab, "victim.com.", denial, "www.victim.com. 300 IN A 192.0.2.99\n");
    lab_zone(lab, "evil.com.", denial, "");
    lab_zone(lab, "plain.com.", LAB_UNSIGNED, "www.plain.com. 300 IN A 198.51.100.1\n");
    return lab;
}

static struct rrset *any_set(struct chance *chance, struct lab_reply *reply)
{
    struct rrset_list *list = &reply->section[draw(chance, 2)];

    return list->count ? &list->items[draw(chance, list->count)] : NULL;
}

/* Another reply of some zone about some name: true, but not what was asked. */
static void replay_other(struct lab *lab, struct chance *chance, struct lab_reply *reply, bool whole)
{
    struct lab_zone *zone = &lab->zones[draw(chance, lab->zone_count)];
    unsigned which = draw(chance, ARRAY_SIZE(questions));
    const uint8_t *name = zone_text_name(lab->arena, questions[which].name);
    uint16_t type = draw(chance, 2) ? questions[which].type : TYPE_DS;
    struct lab_reply other;

    if (!name_is_under(name, zone->name))
        return;
    lab_serve(lab, zone, name, type, &other);
    if (whole) {
        other.qname = reply->qname;
        other.qtype = reply->qtype;
        *reply = other;
        return;
    }
    for (unsigned s = 0; s < 2; s++)
        for (uint32_t i = 0; i < other.section[s].count; i++)
            rrset_list_add(lab->arena, &reply->section[s], &other.section[s].items[i]);
}

static void forge(struct lab *lab, struct chance *chance, struct lab_reply *reply, bool sign)
{
    char name[NAME_TEXT_MAX], text[NAME_TEXT_MAX + 64];
    static const char *const forms[] = {"%s 300 IN A 6.6.6.6\n", "%s 300 IN CNAME www.plain.com.\n",
                                        "%s 300 IN NS ns.plain.com.\n", "%s 300 IN TXT \"forged\"\n"};
    const uint8_t *owner = name_suffix(reply->qname, draw(chance, name_labels(reply->qname) + 1));

    snprintf(text, sizeof(text), forms[draw(chance, ARRAY_SIZE(forms))], name_to_text(owner, name));
    enum section section = draw(chance, 2) ? SECTION_ANSWER : SECTION_AUTHORITY;
    struct rrset *set = lab_add(lab, reply, section, text);
    /* A taken-over recursord may have a zone and a key of its own, and name any other zone and key tag. */
    if (sign) {
        struct lab_zone own = *lab_find(lab, "evil.com.");
        own.name = name_suffix(owner, draw(chance, name_labels(owner) + 1));
        for (unsigned i = 0; i < lab->zone_count; i++)
            if (name_equal(lab->zones[i].name, own.name))
                own.key.tag = lab->zones[i].key.tag;
        lab_sign(lab, &own, set);
    }
}

static void bend_once(struct lab *lab, struct chance *chance, struct lab_reply *reply)
{
    struct rrset *set = any_set(chance, reply);

    switch (draw(chance, 12)) {
    case 0:
        lab_strip(reply, SECTION_ANSWER);
        break;
    case 1:
        lab_strip(reply, SECTION_AUTHORITY);
        break;
    case 2:
        if (set)
            *set =
                reply->section[SECTION_AUTHORITY].count ? reply->section[SECTION_AUTHORITY].items[0] : *set;
        break;
    case 3:
        if (set && set->count && set->rdata[0].size) {
            uint8_t *bytes = arena_copy(lab->arena, set->rdata[0].data, set->rdata[0].size);
            bytes[set->rdata[0].size - 1] ^= 1;
            struct rdata changed = {.data = bytes, .size = set->rdata[0].size};
            set->rdata = arena_copy(lab->arena, &changed, sizeof(changed));
            set->count = 1;
        }
        break;
    case 4:
        if (set)
            set->owner = reply->qname;
        break;
    case 5:
        reply->rcode = draw(chance, 2) ? RCODE_NXDOMAIN : RCODE_NOERROR;
        break;
    case 6:
        reply->cut = name_suffix(reply->qname, draw(chance, name_labels(reply->qname) + 1));
        break;
    case 7:
        reply->referral = !reply->referral;
        break;
    case 8:
        replay_other(lab, chance, reply, draw(chance, 2));
        break;
    case 9:
        forge(lab, chance, reply, false);
        break;
    case 10:
        forge(lab, chance, reply, true);
        break;
    default:
        reply->section[draw(chance, 2)] = (struct rrset_list){0};
        break;
    }
}

static void bend(struct lab *lab, struct lab_reply *reply)
{
    struct chance *chance = lab->bend_ctx;

    for (unsigned i = 0; i < 3 && draw(chance, 100) < chance->percent; i++) {
        bend_once(lab, chance, reply);
        lab->bent++;
    }
}

static bool same_answer(const struct answer *given, const struct answer *truth)
{
    if (given->rcode != truth->rcode || given->answer.count != truth->answer.count)
        return false;
    for (uint32_t i = 0; i < given->answer.count; i++) {
        const struct rrset *a = &given->answer.items[i], *b = &truth->answer.items[i];
        if (a->type != b->type || !name_equal(a->owner, b->owner) || !rrset_same_rdata(a, b))
            return false;
    }
    return true;
}

static void play(enum lab_denial denial)
{
    struct lab *honest = lab_random(denial);
    unsigned answered = 0, bent = 0, rounds = ROUNDS_DEFAULT;

    if (getenv("HOLDFAST_ROUNDS"))
        rounds = (unsigned)atoi(getenv("HOLDFAST_ROUNDS"));
    lab_start(honest);
    for (unsigned round = 0; round < rounds; round++) {
        struct chance chance = {.state = round * 2654435761u + 1, .percent = 5 + round % 60};
        struct lab *lab = lab_random(denial);
        unsigned count = 1 + round % 3;

        lab_start(lab);
        lab->bend = bend;
        lab->bend_ctx = &chance;
        for (unsigned i = 0; i < count; i++) {
            unsigned which = draw(&chance, ARRAY_SIZE(questions));
            struct answer given = *lab_ask(lab, questions[which].name, questions[which].type);
            struct answer truth = *lab_ask(honest, questions[which].name, questions[which].type);
            if (given.rcode == RCODE_SERVFAIL)
                continue;
            if (!same_answer(&given, &truth) || given.security != SECURITY_SECURE)
                fail_msg("round %u: %s %u: rcode %u, %u sets, security %d", round, questions[which].name,
                         questions[which].type, given.rcode, given.answer.count, given.security);
            answered++;
        }
        bent += lab->bent;
        lab_free(lab);
        if (round % 50 == 49) {
            lab_free(honest);
            honest = lab_random(denial);
            lab_start(honest);
        }
    }
    lab_free(honest);
    assert_true(bent > rounds);
    assert_true(answered > rounds / 4);
}

static void no_bent_reply_makes_a_signed_name_lie_with_nsec(void **state)
{
    play(LAB_NSEC);
}

static void no_bent_reply_makes_a_signed_name_lie_with_nsec3(void **state)
{
    play(LAB_NSEC3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bent_reply_makes_a_signed_name_lie_with_nsec),
        cmocka_unit_test(no_bent_reply_makes_a_signed_name_lie_with_nsec3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
