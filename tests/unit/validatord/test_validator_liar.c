/* Invariant 1: a recursord that sends whatever it likes cannot make holdfast say anything false about a
 * signed name. Each test plays one lie; after each, neither a verdict nor the cache may hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

#define FORGED "\x06\x06\x06\x06"

static struct lab *lab_liar(void (*bend)(struct lab *lab, struct lab_reply *reply))
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "");
    lab_zone(lab, "com.", LAB_NSEC, "");
    lab_zone(lab, "example.com.", LAB_NSEC,
             "www.example.com. 300 IN A 192.0.2.80\n"
             "alias.example.com. 300 IN CNAME www.victim.com.\n"
             "*.wild.example.com. 300 IN A 192.0.2.82\n"
             "exists.wild.example.com. 300 IN A 192.0.2.83\n");
    lab_zone(lab, "victim.com.", LAB_NSEC, "www.victim.com. 300 IN A 192.0.2.99\n");
    lab_zone(lab, "plain.com.", LAB_UNSIGNED, "www.plain.com. 300 IN A 198.51.100.1\n");
    lab->bend = bend;
    lab_start(lab);
    return lab;
}

static bool holds_forged(const struct rrset_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (unsigned j = 0; j < list->items[i].count; j++)
            if (list->items[i].type == TYPE_A && memcmp(list->items[i].rdata[j].data, FORGED, 4) == 0)
                return true;
    return false;
}

static int look_for_forged(void *ctx, const struct cache_write *entry)
{
    bool *found = ctx;

    for (size_t i = 0; entry->db == CACHE_RR && i + 4 <= entry->value.size; i++)
        *found |= memcmp(entry->value.data + i, FORGED, 4) == 0;
    return 0;
}

static bool cache_holds_forged(const struct lab *lab)
{
    bool found = false;

    memstore_each(lab->store, look_for_forged, &found);
    return found;
}

/* The truth about a signed name, or SERVFAIL: nothing else, whatever was sent. */
static void assert_no_lie(struct lab *lab, const char *name, uint16_t type)
{
    const struct answer *answer = lab_ask(lab, name, type);

    assert_true(lab->bent > 0);
    assert_false(holds_forged(&answer->answer));
    assert_false(cache_holds_forged(lab));
    if (answer->rcode != RCODE_SERVFAIL) {
        assert_int_equal(answer->rcode, RCODE_NOERROR);
        assert_int_equal(answer->security, SECURITY_SECURE);
        assert_true(answer->answer.count > 0);
    }
    assert_true(lab->upstream <= 60);
}

static void assert_refused(struct lab *lab, const char *name, uint16_t type)
{
    assert_no_lie(lab, name, type);
    lab_pass(lab, 60);
    assert_int_equal(lab_ask(lab, name, type)->rcode, RCODE_SERVFAIL);
    lab_free(lab);
}

static bool is_target(struct lab *lab, const struct lab_reply *reply)
{
    return !reply->referral && name_is_under(reply->qname, zone_text_name(lab->arena, "example.com.")) &&
           reply->qtype == TYPE_A;
}

static void clear(struct lab_reply *reply)
{
    for (unsigned i = 0; i < 3; i++)
        reply->section[i] = (struct rrset_list){0};
    reply->rcode = RCODE_NOERROR;
}

static void forge_unsigned(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    clear(reply);
    lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
    reply->flags |= FLAG_AD;
    lab->bent++;
}

static void forged_unsigned_answer_with_ad_is_refused(void **state)
{
    assert_refused(lab_liar(forge_unsigned), "www.example.com.", TYPE_A);
}

static void forge_keeping_signature(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply) || reply->section[SECTION_ANSWER].count == 0)
        return;
    struct rdata forged = {.data = (const uint8_t *)FORGED, .size = 4};
    reply->section[SECTION_ANSWER].items[0].rdata = arena_copy(lab->arena, &forged, sizeof(forged));
    lab->bent++;
}

static void forged_data_under_the_old_signature_is_refused(void **state)
{
    assert_refused(lab_liar(forge_keeping_signature), "www.example.com.", TYPE_A);
}

/* A record beside the good one makes the set another set. */
static void add_second(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply) || reply->section[SECTION_ANSWER].count == 0)
        return;
    struct rrset *set = &reply->section[SECTION_ANSWER].items[0];
    struct rdata *two = arena_array(lab->arena, 2, sizeof(*two));
    two[0] = set->rdata[0];
    two[1] = (struct rdata){.data = (const uint8_t *)FORGED, .size = 4};
    set->rdata = two;
    set->count = 2;
    lab->bent++;
}

static void forged_record_beside_the_good_one_is_refused(void **state)
{
    assert_refused(lab_liar(add_second), "www.example.com.", TYPE_A);
}

/* The referral without its DS, the answer without signatures: the zone shall look unsigned. */
static void strip_everything(struct lab *lab, struct lab_reply *reply)
{
    const uint8_t *example = zone_text_name(lab->arena, "example.com.");

    if (reply->qtype == TYPE_DNSKEY || !name_is_under(reply->qname, example))
        return;
    if (reply->referral && rrset_list_find(&reply->section[SECTION_AUTHORITY], example, TYPE_NS)) {
        reply->section[SECTION_AUTHORITY].count = 1;
        lab->bent++;
    } else if (!reply->referral) {
        clear(reply);
        if (reply->qtype == TYPE_A)
            lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
        lab->bent++;
    }
}

static void referral_stripped_of_its_ds_does_not_make_insecure(void **state)
{
    assert_refused(lab_liar(strip_everything), "www.example.com.", TYPE_A);
}

/* The no-DS proof of another, really unsigned zone in the place of this one's DS. */
static void replay_no_ds(struct lab *lab, struct lab_reply *reply)
{
    const uint8_t *example = zone_text_name(lab->arena, "example.com.");
    struct lab_reply other;

    if (reply->qtype == TYPE_DNSKEY || !name_is_under(reply->qname, example))
        return;
    lab_serve(lab, lab_find(lab, "com."), zone_text_name(lab->arena, "plain.com."), TYPE_DS, &other);
    if (reply->referral && rrset_list_find(&reply->section[SECTION_AUTHORITY], example, TYPE_NS)) {
        reply->section[SECTION_AUTHORITY].count = 1;
        for (uint32_t i = 0; i < other.section[SECTION_AUTHORITY].count; i++)
            rrset_list_add(lab->arena, &reply->section[SECTION_AUTHORITY],
                           &other.section[SECTION_AUTHORITY].items[i]);
        lab->bent++;
    } else if (!reply->referral) {
        uint16_t qtype = reply->qtype;
        clear(reply);
        if (qtype == TYPE_DS)
            reply->section[SECTION_AUTHORITY] = other.section[SECTION_AUTHORITY];
        else
            lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
        lab->bent++;
    }
}

static void replayed_proof_of_another_zone_does_not_make_insecure(void **state)
{
    assert_refused(lab_liar(replay_no_ds), "www.example.com.", TYPE_A);
}

/* The cut of an unsigned zone is claimed for a signed name. */
static void claim_cut(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    clear(reply);
    lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
    reply->cut = zone_text_name(lab->arena, "plain.com.");
    lab->bent++;
}

static void answer_from_another_cut_is_refused(void **state)
{
    assert_refused(lab_liar(claim_cut), "www.example.com.", TYPE_A);
}

/* A made-up unsigned cut right at the name, of which no parent knows. */
static void made_up_cut(struct lab *lab, struct lab_reply *reply)
{
    const uint8_t *www = zone_text_name(lab->arena, "www.example.com.");

    if (!name_is_under(reply->qname, www) || reply->qtype != TYPE_A || reply->referral)
        return;
    clear(reply);
    lab->bent++;
    if (!name_equal(reply->cut, www) && lab->bent == 1) {
        reply->referral = true;
        lab_add(lab, reply, SECTION_AUTHORITY, "www.example.com. 300 IN NS ns.plain.com.\n");
        return;
    }
    reply->cut = www;
    lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
}

static void made_up_unsigned_delegation_is_refused(void **state)
{
    assert_refused(lab_liar(made_up_cut), "www.example.com.", TYPE_A);
}

/* Signed by a zone that is above, but not the one that holds the name: com's key on a name of example.com. */
static void sign_by_parent(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    clear(reply);
    struct rrset *set = lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
    lab_sign(lab, lab_find(lab, "com."), set);
    reply->cut = zone_text_name(lab->arena, "com.");
    lab->bent++;
}

static void signature_of_a_zone_above_the_cut_is_refused(void **state)
{
    assert_refused(lab_liar(sign_by_parent), "www.example.com.", TYPE_A);
}

/* Signed with a good key of a zone that has nothing to do with it. */
static void sign_by_other(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    clear(reply);
    struct rrset *set = lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
    lab_sign(lab, lab_find(lab, "victim.com."), set);
    lab->bent++;
}

static void signature_of_a_foreign_zone_is_refused(void **state)
{
    assert_refused(lab_liar(sign_by_other), "www.example.com.", TYPE_A);
}

/* An expansion of a wildcard for a name that exists: the wildcard's signature is good, the proof cannot be.
 */
static void expand_over_existing(struct lab *lab, struct lab_reply *reply)
{
    struct lab_reply other;
    const uint8_t *name = zone_text_name(lab->arena, "exists.wild.example.com.");

    if (reply->referral || reply->qtype != TYPE_A || !name_equal(reply->qname, name))
        return;
    lab_serve(lab, lab_find(lab, "example.com."), zone_text_name(lab->arena, "other.wild.example.com."),
              TYPE_A, &other);
    other.section[SECTION_ANSWER].items[0].owner = name;
    memcpy(reply->section, other.section, sizeof(reply->section));
    lab->bent++;
}

static void wildcard_over_an_existing_name_is_refused(void **state)
{
    assert_refused(lab_liar(expand_over_existing), "exists.wild.example.com.", TYPE_A);
}

/* The NSECs of another name of the zone, as if they denied this one. */
static void deny_existing(struct lab *lab, struct lab_reply *reply)
{
    struct lab_reply other;

    if (!is_target(lab, reply))
        return;
    lab_serve(lab, lab_find(lab, "example.com."), zone_text_name(lab->arena, "zzz.example.com."), TYPE_A,
              &other);
    memcpy(reply->section, other.section, sizeof(reply->section));
    reply->rcode = RCODE_NXDOMAIN;
    lab->bent++;
}

static void denial_of_another_name_is_refused(void **state)
{
    assert_refused(lab_liar(deny_existing), "www.example.com.", TYPE_A);
}

/* The parent's NSEC at the cut, as if it denied a type of the child's apex. */
static void deny_by_parent(struct lab *lab, struct lab_reply *reply)
{
    struct lab_reply other;

    if (reply->referral || reply->qtype != TYPE_SOA)
        return;
    lab_serve(lab, lab_find(lab, "com."), zone_text_name(lab->arena, "example.com."), TYPE_DS, &other);
    lab_serve(lab, lab_find(lab, "com."), zone_text_name(lab->arena, "examplf.com."), TYPE_A, &other);
    memcpy(reply->section, other.section, sizeof(reply->section));
    reply->cut = zone_text_name(lab->arena, "com.");
    lab->bent++;
}

static void denial_by_the_parents_nsec_is_refused(void **state)
{
    assert_refused(lab_liar(deny_by_parent), "example.com.", TYPE_SOA);
}

/* CNAME to a victim, its address forged in the same message, inside a cut that holds both. */
static void cname_with_forged_target(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    lab_add(lab, reply, SECTION_ANSWER, "www.victim.com. 300 IN A 6.6.6.6\n");
    lab->bent++;
}

static void forged_target_beside_a_cname_is_ignored(void **state)
{
    struct lab *lab = lab_liar(cname_with_forged_target);

    assert_no_lie(lab, "alias.example.com.", TYPE_A);
    const struct answer *answer = lab_ask(lab, "alias.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->authentic);
    assert_int_equal(answer->answer.count, 2);
    lab_free(lab);
}

static void cname_with_forged_target_inside(struct lab *lab, struct lab_reply *reply)
{
    if (!is_target(lab, reply))
        return;
    clear(reply);
    struct rrset *set = lab_add(lab, reply, SECTION_ANSWER, "x.example.com. 300 IN CNAME www.example.com.\n");
    lab_sign(lab, lab_find(lab, "example.com."), set);
    lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
    lab->bent++;
}

static void forged_target_in_the_zone_itself_is_judged_on_its_own(void **state)
{
    struct lab *lab = lab_liar(cname_with_forged_target_inside);

    assert_no_lie(lab, "x.example.com.", TYPE_A);
    lab_free(lab);
}

/* Records of other zones along with a good answer, in every section. */
static void extra_records(struct lab *lab, struct lab_reply *reply)
{
    if (reply->referral || !name_is_under(reply->qname, zone_text_name(lab->arena, "plain.com.")))
        return;
    lab_add(lab, reply, SECTION_ANSWER, "www.victim.com. 300 IN A 6.6.6.6\n");
    lab_add(lab, reply, SECTION_AUTHORITY, "victim.com. 300 IN NS ns.plain.com.\n");
    lab_add(lab, reply, SECTION_AUTHORITY, "plain.com. 300 IN NS evil.plain.com.\n");
    lab_add(lab, reply, SECTION_ADDITIONAL, "ns.victim.com. 300 IN A 6.6.6.6\n");
    lab_add(lab, reply, SECTION_ADDITIONAL, "evil.plain.com. 300 IN A 6.6.6.6\n");
    lab->bent++;
}

static void records_beside_an_answer_are_never_kept(void **state)
{
    struct lab *lab = lab_liar(extra_records);
    const struct answer *answer = lab_ask(lab, "www.plain.com.", TYPE_A);
    struct cache_key key;
    struct slice value;
    struct cache_zone zone;
    const uint8_t *name = zone_text_name(lab->arena, "plain.com.");

    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_true(lab->bent > 0);
    assert_false(cache_holds_forged(lab));
    /* the delegation is the parent's still */
    assert_int_equal(cache_key_name(name, &key), 0);
    assert_int_equal(lab->view.get(lab->view.ctx, CACHE_ZONE, cache_key_slice(&key), &value), 0);
    assert_int_equal(cache_zone_decode(lab->arena, cache_key_slice(&key), value, name, &zone), 0);
    assert_int_equal(zone.ns.count, 1);
    assert_memory_equal(zone.ns.rdata[0].data, "\x02ns", 3);
    assert_int_equal(cache_key_name(zone_text_name(lab->arena, "victim.com."), &key), 0);
    assert_int_equal(lab->view.get(lab->view.ctx, CACHE_ZONE, cache_key_slice(&key), &value), CACHE_MISS);
    lab_free(lab);
}

/* DS and DNSKEY of the liar's own making: another key signs all of example.com. */
static void own_chain(struct lab *lab, struct lab_reply *reply)
{
    const struct lab_zone *fake = lab_find(lab, "victim.com.");
    const uint8_t *example = zone_text_name(lab->arena, "example.com.");
    struct lab_zone forged = *lab_find(lab, "example.com.");

    forged.key = fake->key;
    if (reply->referral || !name_is_under(reply->qname, example))
        return;
    if (reply->qtype == TYPE_DNSKEY) {
        struct rrset *set = &reply->section[SECTION_ANSWER].items[0];
        set->rdata = arena_copy(lab->arena, &fake->key.dnskey, sizeof(fake->key.dnskey));
        lab_sign(lab, &forged, set);
        lab->bent++;
    } else if (reply->qtype == TYPE_A) {
        clear(reply);
        struct rrset *set = lab_add(lab, reply, SECTION_ANSWER, "www.example.com. 300 IN A 6.6.6.6\n");
        lab_sign(lab, &forged, set);
        lab->bent++;
    }
}

static void keys_of_the_liars_own_are_refused(void **state)
{
    assert_refused(lab_liar(own_chain), "www.example.com.", TYPE_A);
}

static void garbage_bytes_end_in_servfail(void **state)
{
    struct lab *lab = lab_liar(NULL);
    uint32_t seed = 1;

    for (unsigned round = 0; round < 200; round++) {
        char name[32];
        uint8_t bytes[600];
        snprintf(name, sizeof(name), "n%u.example.com.", round);
        lab->hold_fetches = true;
        lab->held_count = 0;
        lab_question(lab, name, TYPE_A, false, 1, NULL);
        lab_drive(lab);
        for (unsigned i = 0; i < lab->held_count; i++) {
            size_t size = 12 + round * 2;
            for (size_t j = 0; j < size; j++)
                bytes[j] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
            struct val_evidence evidence = {.fetch = lab->held[i],
                                            .kind = 1 + round % 2,
                                            .cut = name_root,
                                            .message = slice_make(bytes, size)};
            assert_int_equal(val_core_evidence(lab->core, &lab->env, &lab->view, &evidence), 0);
            struct val_done done = {.fetch = lab->held[i], .upstream_used = UINT32_MAX, .ede_code = EDE_NONE};
            assert_int_equal(val_core_done(lab->core, &lab->env, &lab->view, &done), 0);
        }
        lab_pass(lab, 30);
        assert_int_equal(lab->verdict_count, round + 1);
        assert_int_equal(lab->verdicts[round % LAB_VERDICTS].answer.rcode, RCODE_SERVFAIL);
        lab->fetches = 0;
    }
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forged_unsigned_answer_with_ad_is_refused),
        cmocka_unit_test(forged_data_under_the_old_signature_is_refused),
        cmocka_unit_test(forged_record_beside_the_good_one_is_refused),
        cmocka_unit_test(referral_stripped_of_its_ds_does_not_make_insecure),
        cmocka_unit_test(replayed_proof_of_another_zone_does_not_make_insecure),
        cmocka_unit_test(answer_from_another_cut_is_refused),
        cmocka_unit_test(made_up_unsigned_delegation_is_refused),
        cmocka_unit_test(signature_of_a_zone_above_the_cut_is_refused),
        cmocka_unit_test(signature_of_a_foreign_zone_is_refused),
        cmocka_unit_test(wildcard_over_an_existing_name_is_refused),
        cmocka_unit_test(denial_of_another_name_is_refused),
        cmocka_unit_test(denial_by_the_parents_nsec_is_refused),
        cmocka_unit_test(forged_target_beside_a_cname_is_ignored),
        cmocka_unit_test(forged_target_in_the_zone_itself_is_judged_on_its_own),
        cmocka_unit_test(records_beside_an_answer_are_never_kept),
        cmocka_unit_test(keys_of_the_liars_own_are_refused),
        cmocka_unit_test(garbage_bytes_end_in_servfail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
