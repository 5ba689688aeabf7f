/* The job engine on broken zones: each classic breakage is SERVFAIL with the EDE of its root cause, and
 * answers with CD=1; each kind of insecurity is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

#define TEXT "www.example.com. 300 IN A 192.0.2.80\n*.wild.example.com. 300 IN A 192.0.2.82\n"

static struct lab *lab_with(enum lab_denial denial)
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "");
    lab_zone(lab, "com.", LAB_OPTOUT, "");
    lab_zone(lab, "example.com.", denial, TEXT);
    return lab;
}

static void assert_bogus(struct lab *lab, const char *name, uint16_t type, uint16_t ede, const char *text)
{
    const struct answer *answer = lab_ask(lab, name, type);

    if (!lab_has_ede(answer, ede) || !strstr(lab_ede_text(answer, ede), text))
        for (unsigned i = 0; i < answer->ede_count; i++)
            print_message("EDE %u %.*s\n", answer->ede[i].code, answer->ede[i].text_size,
                          answer->ede[i].text);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_int_equal(answer->security, SECURITY_BOGUS);
    assert_false(answer->authentic);
    assert_true(lab_has_ede(answer, ede));
    assert_non_null(strstr(lab_ede_text(answer, ede), text));
    assert_true(lab->upstream <= 40);
    answer = lab_ask_cd(lab, name, type, true);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_false(answer->authentic);
    assert_int_equal(answer->ttl, 0);
}

static void expired_signatures_are_ede_7(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->expiration = -10;
    lab_start(lab);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_SIGNATURE_EXPIRED,
                 "example.com. DNSKEY: signature expired");
    lab_free(lab);
}

static void signatures_of_the_future_are_ede_8(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->inception = 1000;
    lab_start(lab);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_SIGNATURE_NOT_YET_VALID, "signature not yet valid");
    lab_free(lab);
}

static void wrong_ds_is_ede_9(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->wrong_ds = true;
    lab_start(lab);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_DNSKEY_MISSING, "example.com. DNSKEY");
    lab_free(lab);
}

static void key_without_zone_bit_is_ede_11(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->key_flags = 1;
    lab_start(lab);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_NO_ZONE_KEY_BIT, "example.com. DNSKEY");
    lab_free(lab);
}

static void strip_answer(struct lab *lab, struct lab_reply *reply)
{
    const uint8_t *name = zone_text_name(lab->arena, lab->bend_ctx);

    if (!reply->referral && name_equal(reply->cut, name) && reply->qtype == TYPE_A) {
        lab_strip(reply, SECTION_ANSWER);
        lab->bent++;
    }
}

static void missing_rrsig_is_ede_10(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab->bend = strip_answer;
    lab->bend_ctx = (char *)"example.com.";
    lab_start(lab);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_RRSIGS_MISSING, "www.example.com. A: no signature");
    assert_int_equal(lab->fetched[0].avoid_count, 0);
    assert_true(lab->bent >= 3); /* other servers are asked before it is given up */
    lab_free(lab);
}

static void forge_answer(struct lab *lab, struct lab_reply *reply)
{
    for (uint32_t i = 0; i < reply->section[SECTION_ANSWER].count; i++) {
        struct rrset *set = &reply->section[SECTION_ANSWER].items[i];
        if (set->type == TYPE_A) {
            struct rdata forged = {.data = (const uint8_t *)"\x06\x06\x06\x06", .size = 4};
            set->rdata = arena_copy(lab->arena, &forged, sizeof(forged));
            lab->bent++;
        }
    }
}

static void changed_data_is_ede_6_with_the_key_tag(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    char text[64];
    lab->bend = forge_answer;
    lab_start(lab);
    snprintf(text, sizeof(text), "www.example.com. A: no valid signature by key tag %u",
             lab_find(lab, "example.com.")->key.tag);
    assert_bogus(lab, "www.example.com.", TYPE_A, EDE_DNSSEC_BOGUS, text);
    lab_free(lab);
}

static void drop_denials(struct lab *lab, struct lab_reply *reply)
{
    struct rrset_list *authority = &reply->section[SECTION_AUTHORITY];
    uint32_t kept = 0;

    if (reply->referral || !name_equal(reply->cut, zone_text_name(lab->arena, "example.com.")))
        return;
    for (uint32_t i = 0; i < authority->count; i++)
        if (authority->items[i].type == TYPE_SOA)
            authority->items[kept++] = authority->items[i];
    authority->count = kept;
    lab->bent++;
}

static void missing_denial_is_ede_12(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab->bend = drop_denials;
    lab_start(lab);
    const struct answer *answer = lab_ask(lab, "nothere.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_true(lab_has_ede(answer, EDE_NSEC_MISSING));
    answer = lab_ask(lab, "www.example.com.", TYPE_AAAA);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_true(lab_has_ede(answer, EDE_NSEC_MISSING));
    answer = lab_ask(lab, "a.wild.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_true(lab_has_ede(answer, EDE_NSEC_MISSING));
    answer = lab_ask_cd(lab, "nothere.example.com.", TYPE_A, true);
    assert_int_equal(answer->rcode, RCODE_NXDOMAIN);
    lab_free(lab);
}

static void spoil_nsec3_of_com(struct lab *lab, struct lab_reply *reply)
{
    struct rrset_list *authority = &reply->section[SECTION_AUTHORITY];

    if (!name_equal(reply->cut, zone_text_name(lab->arena, "com.")))
        return;
    for (uint32_t i = 0; i < authority->count; i++) {
        struct rrset *set = &authority->items[i];
        if (set->type == TYPE_NSEC3) {
            uint8_t *sig = arena_copy(lab->arena, set->sig[0].data, set->sig[0].size);
            sig[set->sig[0].size - 1] ^= 1;
            set->sig[0].data = sig;
            lab->bent++;
        }
    }
}

static void the_de_day_names_record_and_key(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    char tail[64];
    lab_zone(lab, "plain.com.", LAB_UNSIGNED, "www.plain.com. 300 IN A 192.0.2.9\n");
    lab->bend = spoil_nsec3_of_com;
    lab_start(lab);
    const struct answer *answer = lab_ask(lab, "www.plain.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    snprintf(tail, sizeof(tail), ".com. NSEC3: no valid signature by key tag %u",
             lab_find(lab, "com.")->key.tag);
    assert_non_null(strstr(lab_ede_text(answer, EDE_DNSSEC_BOGUS), tail));
    /* a signed child is not touched */
    answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->authentic);
    lab_free(lab);
}

static void assert_insecure(struct lab *lab, const char *name, uint16_t ede)
{
    const struct answer *answer = lab_ask(lab, name, TYPE_A);

    for (unsigned i = 0; i < answer->ede_count; i++)
        if (answer->rcode != RCODE_NOERROR)
            print_message("EDE %u %.*s\n", answer->ede[i].code, answer->ede[i].text_size,
                          answer->ede[i].text);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_false(answer->authentic);
    assert_int_equal(answer->answer.count, 1);
    if (ede != EDE_NONE)
        assert_true(lab_has_ede(answer, ede));
}

static void unsupported_algorithm_is_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->ds_algorithm = 200;
    lab_start(lab);
    assert_insecure(lab, "www.example.com.", EDE_UNSUPPORTED_DNSKEY_ALGORITHM);
    lab_free(lab);
}

static void unsupported_digest_is_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->ds_digest = 200;
    lab_start(lab);
    assert_insecure(lab, "www.example.com.", EDE_UNSUPPORTED_DS_DIGEST);
    lab_free(lab);
}

static void many_iterations_are_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC3);
    lab_find(lab, "example.com.")->iterations = 51;
    lab_start(lab);
    const struct answer *answer = lab_ask(lab, "nothere.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NXDOMAIN);
    assert_int_equal(answer->security, SECURITY_INSECURE);
    assert_true(lab_has_ede(answer, EDE_UNSUPPORTED_NSEC3_ITERATIONS));
    /* what is signed and needs no proof stays secure */
    assert_true(lab_ask(lab, "www.example.com.", TYPE_A)->authentic);
    lab_free(lab);
}

static void signed_child_without_ds_is_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->no_ds = true;
    lab_start(lab);
    assert_insecure(lab, "www.example.com.", EDE_NONE);
    lab_free(lab);
}

static void zone_below_an_insecure_one_is_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_UNSIGNED);
    lab_zone(lab, "sub.example.com.", LAB_NSEC, "www.sub.example.com. 300 IN A 192.0.2.4\n");
    lab_start(lab);
    assert_insecure(lab, "www.sub.example.com.", EDE_NONE);
    lab_free(lab);
}

static void nta_makes_a_broken_zone_answer_at_once(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->wrong_ds = true;
    lab_start(lab);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_SERVFAIL);
    const uint8_t *name = zone_text_name(lab->arena, "example.com.");
    assert_int_equal(val_core_nta_add(lab->core, &lab->env, name, (wall_s){lab->env.wall.s + 3600}, false),
                     0);
    val_core_set_epoch(lab->core, 1);
    assert_insecure(lab, "www.example.com.", EDE_NEGATIVE_TRUST_ANCHOR);
    /* the parent's DS for it is still validated */
    assert_true(lab_ask(lab, "example.com.", TYPE_DS)->authentic);
    assert_int_equal(val_core_nta_remove(lab->core, name), 0);
    assert_int_equal(val_core_nta_remove(lab->core, name), 1);
    lab_free(lab);
}

static void nta_ends_by_itself(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_find(lab, "example.com.")->wrong_ds = true;
    lab_start(lab);
    val_core_nta_add(lab->core, &lab->env, zone_text_name(lab->arena, "example.com."),
                     (wall_s){lab->env.wall.s + 3600}, false);
    assert_insecure(lab, "www.example.com.", EDE_NEGATIVE_TRUST_ANCHOR);
    lab_pass(lab, 4000);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_SERVFAIL);
    lab_free(lab);
}

static void anchor_below_an_nta_still_validates_and_loses_at_its_node(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab_anchor(lab, ".");
    lab_anchor(lab, "example.com.");
    lab_start(lab);
    val_core_nta_add(lab->core, &lab->env, zone_text_name(lab->arena, "com."),
                     (wall_s){lab->env.wall.s + 3600}, false);
    assert_true(lab_ask(lab, "www.example.com.", TYPE_A)->authentic);
    lab_reset(lab, true);
    val_core_nta_add(lab->core, &lab->env, zone_text_name(lab->arena, "example.com."),
                     (wall_s){lab->env.wall.s + 3600}, false);
    assert_insecure(lab, "www.example.com.", EDE_NEGATIVE_TRUST_ANCHOR);
    lab_free(lab);
}

static void insecure_zones_and_validation_off_are_insecure(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    const uint8_t *zones[] = {zone_text_name(lab->arena, "example.com.")};
    lab_find(lab, "example.com.")->wrong_ds = true;
    lab->config.insecure_zones = zones;
    lab->config.insecure_zone_count = 1;
    lab_start(lab);
    assert_insecure(lab, "www.example.com.", EDE_NONE);
    lab_free(lab);
    lab = lab_with(LAB_NSEC);
    lab->config.validate = false;
    lab_start(lab);
    assert_insecure(lab, "www.example.com.", EDE_NONE);
    assert_int_equal(lab->upstream, 3);
    assert_int_equal(lab->verifications, 0);
    lab_free(lab);
}

static void silent_for_keys(struct lab *lab, struct lab_reply *reply)
{
    if (reply->qtype == TYPE_DNSKEY && name_equal(reply->qname, zone_text_name(lab->arena, "example.com."))) {
        reply->silent = true;
        lab->bent++;
    }
}

static void keys_that_cannot_be_had_are_ede_9(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab->bend = silent_for_keys;
    lab_start(lab);
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_int_equal(answer->security, SECURITY_INDETERMINATE);
    assert_true(lab_has_ede(answer, EDE_DNSKEY_MISSING));
    lab_free(lab);
}

static void strip_once(struct lab *lab, struct lab_reply *reply)
{
    if (reply->referral || !name_is_under(reply->qname, zone_text_name(lab->arena, "www.example.com.")))
        return;
    if (reply->qtype == TYPE_DS)
        reply->silent = true;
    else if (lab->bent++ == 0)
        lab_strip(reply, SECTION_ANSWER);
}

static void another_server_may_have_the_signatures(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    lab->bend = strip_once;
    lab_start(lab);
    assert_true(lab_ask(lab, "www.example.com.", TYPE_A)->authentic);
    assert_int_equal(lab->bent, 2);
    assert_int_equal(lab->fetched[lab->fetches - 1].avoid_count, 1);
    lab_free(lab);
}

static void nxdomain_for_ent(struct lab *lab, struct lab_reply *reply)
{
    if (name_equal(reply->qname, zone_text_name(lab->arena, "wild.example.com.")) && !reply->referral) {
        reply->rcode = RCODE_NXDOMAIN;
        lab->bent++;
    }
}

static void nxdomain_for_a_proven_empty_nonterminal_is_nodata(void **state)
{
    static const enum lab_denial denials[] = {LAB_NSEC, LAB_NSEC3};
    for (unsigned i = 0; i < 2; i++) {
        struct lab *lab = lab_with(denials[i]);
        lab->bend = nxdomain_for_ent;
        lab_start(lab);
        const struct answer *answer = lab_ask(lab, "wild.example.com.", TYPE_A);
        assert_true(lab->bent > 0);
        assert_int_equal(answer->rcode, RCODE_NOERROR);
        assert_true(answer->authentic);
        lab_free(lab);
    }
}

static void one_good_path_among_bad_ones_is_enough(void **state)
{
    struct lab *lab = lab_with(LAB_NSEC);
    struct lab_zone *zone = lab_find(lab, "example.com.");
    zone->extra_key = true;
    lab_start(lab);
    /* a second DS that names no key */
    struct rrset *ds = rrset_list_find(&lab_find(lab, "com.")->sets, zone->name, TYPE_DS);
    struct rdata *two = arena_array(lab->arena, 2, sizeof(*two));
    uint8_t *other = arena_copy(lab->arena, ds->rdata[0].data, ds->rdata[0].size);
    other[0] ^= 1;
    two[0] = (struct rdata){.data = other, .size = ds->rdata[0].size};
    two[1] = ds->rdata[0];
    ds->rdata = two;
    ds->count = 2;
    assert_true(lab_ask(lab, "www.example.com.", TYPE_A)->authentic);
    lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expired_signatures_are_ede_7),
        cmocka_unit_test(signatures_of_the_future_are_ede_8),
        cmocka_unit_test(wrong_ds_is_ede_9),
        cmocka_unit_test(key_without_zone_bit_is_ede_11),
        cmocka_unit_test(missing_rrsig_is_ede_10),
        cmocka_unit_test(changed_data_is_ede_6_with_the_key_tag),
        cmocka_unit_test(missing_denial_is_ede_12),
        cmocka_unit_test(the_de_day_names_record_and_key),
        cmocka_unit_test(unsupported_algorithm_is_insecure),
        cmocka_unit_test(unsupported_digest_is_insecure),
        cmocka_unit_test(many_iterations_are_insecure),
        cmocka_unit_test(signed_child_without_ds_is_insecure),
        cmocka_unit_test(zone_below_an_insecure_one_is_insecure),
        cmocka_unit_test(nta_makes_a_broken_zone_answer_at_once),
        cmocka_unit_test(nta_ends_by_itself),
        cmocka_unit_test(anchor_below_an_nta_still_validates_and_loses_at_its_node),
        cmocka_unit_test(insecure_zones_and_validation_off_are_insecure),
        cmocka_unit_test(keys_that_cannot_be_had_are_ede_9),
        cmocka_unit_test(another_server_may_have_the_signatures),
        cmocka_unit_test(nxdomain_for_a_proven_empty_nonterminal_is_nodata),
        cmocka_unit_test(one_good_path_among_bad_ones_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
