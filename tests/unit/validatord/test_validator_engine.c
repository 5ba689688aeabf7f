/* The job engine itself: CD, stale answers, remembered failures, budgets, lost peers, epochs, priming. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/build.h"
#include "lab.h"

static struct lab *lab_plain(void)
{
    struct lab *lab = lab_new();

    lab_zone(lab, ".", LAB_NSEC, "");
    lab_zone(lab, "com.", LAB_NSEC, "");
    lab_zone(lab, "example.com.", LAB_NSEC, "www.example.com. 300 IN A 192.0.2.80\n");
    return lab;
}

static int setup(void **state)
{
    struct lab *lab = lab_plain();
    lab_start(lab);
    *state = lab;
    return 0;
}

static int setup_stale(void **state)
{
    struct lab *lab = lab_plain();
    lab->config.stale.enabled = true;
    lab_start(lab);
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    lab_free(*state);
    return 0;
}

static void spoil_answers(struct lab *lab, struct lab_reply *reply)
{
    if (!reply->referral && reply->qtype == TYPE_A) {
        lab_strip(reply, SECTION_ANSWER);
        lab_strip(reply, SECTION_AUTHORITY);
        lab->bent++;
    }
}

static void unreachable_is_ede_22_and_remembered(void **state)
{
    struct lab *lab = *state;
    lab->down = true;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_int_equal(answer->security, SECURITY_INDETERMINATE);
    assert_true(lab_has_ede(answer, EDE_NO_REACHABLE_AUTHORITY));
    unsigned fetches = lab->fetches;
    answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_true(lab_has_ede(answer, EDE_NO_REACHABLE_AUTHORITY));
    assert_int_equal(lab->fetches, fetches);
    lab->down = false;
    lab_pass(lab, 6);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_NOERROR);
}

static void failures_back_off_from_5_seconds_to_5_minutes(void **state)
{
    struct lab *lab = *state;
    static const unsigned back_off[] = {5, 10, 20, 40, 80, 160, 300, 300};
    lab->down = true;

    for (unsigned i = 0; i < ARRAY_SIZE(back_off); i++) {
        lab->fetches = 0;
        lab_ask(lab, "www.example.com.", TYPE_A);
        assert_true(lab->fetches > 0);
        lab_pass(lab, back_off[i] - 1);
        lab->fetches = 0;
        lab_ask(lab, "www.example.com.", TYPE_A);
        assert_int_equal(lab->fetches, 0);
        lab_pass(lab, 2);
    }
    lab->down = false;
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_NOERROR);
    lab_pass(lab, 400);
    lab->down = true;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_pass(lab, 6);
    lab->fetches = 0;
    lab_ask(lab, "www.example.com.", TYPE_A);
    assert_true(lab->fetches > 0); /* success ended the row */
}

static void bogus_refresh_leaves_the_good_entry(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_pass(lab, 275);
    lab->bend = spoil_answers;
    struct val_question question = {.client = 3,
                                    .qname = zone_text_name(lab->arena, "www.example.com."),
                                    .qtype = TYPE_A,
                                    .refresh = true,
                                    .budget = budget_fresh(lab->env.mono)};
    assert_int_equal(val_core_resolve(lab->core, &lab->env, &lab->view, &question), 0);
    lab_drive(lab);
    assert_true(lab->bent > 0);
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->authentic);
    assert_int_equal(answer->ttl, 25);
    /* and no further one is sent after it while the failure is remembered */
    unsigned upstream = lab->upstream;
    lab_pass(lab, 10);
    assert_int_equal(val_core_resolve(lab->core, &lab->env, &lab->view, &question), 0);
    lab_drive(lab);
    assert_int_equal(lab->upstream, upstream);
}

static void refresh_fetches_what_is_near_its_end_and_nothing_else(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_pass(lab, 260);
    unsigned before = lab->upstream;
    struct val_question question = {.client = 3,
                                    .qname = zone_text_name(lab->arena, "www.example.com."),
                                    .qtype = TYPE_A,
                                    .refresh = true,
                                    .budget = budget_fresh(lab->env.mono)};
    assert_int_equal(val_core_resolve(lab->core, &lab->env, &lab->view, &question), 0);
    lab_drive(lab);
    assert_int_equal(lab->upstream, before);
    lab_pass(lab, 20);
    question.budget = budget_fresh(lab->env.mono);
    assert_int_equal(val_core_resolve(lab->core, &lab->env, &lab->view, &question), 0);
    lab_drive(lab);
    assert_int_equal(lab->upstream, before + 1);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->ttl, 300);
}

static void stale_answer_on_unreachable_and_on_bogus(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_ask(lab, "nothere.example.com.", TYPE_A);
    lab_pass(lab, 90000);
    lab->down = true;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->stale);
    assert_int_equal(answer->answer.count, 1);
    assert_int_equal(answer->answer.items[0].ttl, 30);
    assert_true(lab_has_ede(answer, EDE_STALE_ANSWER));
    assert_true(lab_has_ede(answer, EDE_NO_REACHABLE_AUTHORITY));
    answer = lab_ask(lab, "nothere.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NXDOMAIN);
    assert_true(lab_has_ede(answer, EDE_STALE_NXDOMAIN));
    /* a remembered failure answers stale at once */
    unsigned fetches = lab->fetches;
    assert_true(lab_ask(lab, "www.example.com.", TYPE_A)->stale);
    assert_int_equal(lab->fetches, fetches);
    lab->down = false;
    lab->bend = spoil_answers;
    lab_pass(lab, 60);
    answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_true(answer->stale);
    assert_true(lab->bent > 0);
    assert_true(lab_has_ede(answer, EDE_RRSIGS_MISSING));
    lab->bend = NULL;
    lab_pass(lab, 600);
    answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_false(answer->stale);
    assert_true(answer->authentic);
}

static void stale_data_too_old_is_not_used(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_pass(lab, 3 * 86400 + 400);
    lab->down = true;
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_SERVFAIL);
}

static void cd_bytes_never_answer_a_validating_client(void **state)
{
    struct lab *lab = *state;
    lab->bend = spoil_answers;
    const struct answer *answer = lab_ask_cd(lab, "www.example.com.", TYPE_A, true);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(answer->answer.count, 1);
    assert_int_equal(answer->security, SECURITY_BOGUS);
    answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    unsigned fetches = lab->fetches;
    answer = lab_ask_cd(lab, "www.example.com.", TYPE_A, true);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_int_equal(lab->fetches, fetches); /* kept for a moment */
}

static void cd_gets_validated_data_from_the_cache(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    unsigned before = lab->upstream;
    const struct answer *answer = lab_ask_cd(lab, "www.example.com.", TYPE_A, true);
    assert_int_equal(answer->security, SECURITY_SECURE);
    assert_int_equal(lab->upstream, before);
}

static void signature_budget_ends_in_servfail_for_at_most_30_seconds(void **state)
{
    struct lab *lab = *state;
    struct budget budget = budget_fresh(lab->env.mono);
    budget.signatures = 3;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, &budget);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
    assert_int_equal(lab->verifications, 3);
    struct val_stats stats;
    val_core_stats(lab->core, &stats);
    assert_true(stats.budget_spent > 0);
    lab_pass(lab, 31);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_NOERROR);
}

/* KeyTrap: every signature check costs, also the failing ones. */
static void many_bad_signatures(struct lab *lab, struct lab_reply *reply)
{
    if (reply->referral || reply->qtype != TYPE_A)
        return;
    struct rrset *set = &reply->section[SECTION_ANSWER].items[0];
    struct rdata *sigs = arena_array(lab->arena, 60, sizeof(*sigs));
    for (unsigned i = 0; i < 60; i++) {
        uint8_t *copy = arena_copy(lab->arena, set->sig[0].data, set->sig[0].size);
        copy[set->sig[0].size - 1] = (uint8_t)(copy[set->sig[0].size - 1] + i + 1);
        sigs[i] = (struct rdata){.data = copy, .size = set->sig[0].size};
    }
    set->sig = sigs;
    set->sig_count = 60;
    lab->bent++;
}

static void keytrap_is_bounded(void **state)
{
    struct lab *lab = *state;
    lab->bend = many_bad_signatures;
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_true(lab->bent > 0);
    assert_int_equal(answer->rcode, RCODE_SERVFAIL);
    assert_true(lab->verifications <= BUDGET_SIGNATURES);
}

static void upstream_budget_of_none_asks_nobody(void **state)
{
    struct lab *lab = *state;
    struct budget budget = budget_fresh(lab->env.mono);
    budget.upstream_queries = 0;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, &budget);
    lab_drive(lab);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
    assert_int_equal(lab->fetches, 0);
}

static void budget_of_a_question_is_never_more_than_ours(void **state)
{
    struct lab *lab = *state;
    struct budget budget = {.upstream_queries = UINT32_MAX,
                            .cname_steps = UINT32_MAX,
                            .signatures = UINT32_MAX,
                            .nsec3_hashes = UINT32_MAX,
                            .bytes = UINT32_MAX,
                            .deadline = MONO_NEVER};
    struct val_action action;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, &budget);
    assert_true(val_core_next_action(lab->core, &action));
    assert_int_equal(action.kind, VAL_ACTION_FETCH);
    assert_true(action.budget.upstream_queries <= BUDGET_QUERIES_PER_NAME);
    assert_true(action.budget.bytes <= BUDGET_BYTES);
    assert_true(action.budget.deadline.ns <= mono_add_ms(lab->env.mono, BUDGET_WALL_MS).ns);
}

static void evidence_without_end_is_cut_off(void **state)
{
    struct lab *lab = *state;
    static uint8_t bytes[60000];
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, NULL);
    lab_drive(lab);
    for (unsigned i = 0; i < 100; i++) {
        struct val_evidence evidence = {
            .fetch = lab->held[0], .kind = 1, .cut = name_root, .message = slice_make(bytes, sizeof(bytes))};
        assert_int_equal(val_core_evidence(lab->core, &lab->env, &lab->view, &evidence), 0);
        lab_drive(lab);
    }
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
}

static void min_ttl_raises_and_max_ttl_lowers(void **state)
{
    struct lab *lab = lab_plain();
    zone_text_read(lab->arena,
                   "zero.example.com. 0 IN A 192.0.2.81\nlong.example.com. 999999 IN A 192.0.2.82\n",
                   &lab_find(lab, "example.com.")->sets);
    lab->config.min_ttl_s = 60;
    lab->config.max_ttl_s = 7200;
    lab_start(lab);
    assert_int_equal(lab_ask(lab, "zero.example.com.", TYPE_A)->ttl, 60);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->ttl, 300);
    assert_int_equal(lab_ask(lab, "long.example.com.", TYPE_A)->ttl, 7200);
    unsigned before = lab->upstream;
    lab_pass(lab, 59);
    lab_ask(lab, "zero.example.com.", TYPE_A);
    assert_int_equal(lab->upstream, before);
    lab_free(lab);
}

static void silent_recursord_ends_at_the_deadline(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, NULL);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 0);
    lab_pass(lab, 9);
    assert_int_equal(lab->verdict_count, 0);
    lab_pass(lab, 2);
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
    lab_pass(lab, 20);
    struct val_stats stats;
    val_core_stats(lab->core, &stats);
    assert_int_equal(stats.running_questions, 0);
    assert_int_equal(stats.running_tasks, 0);
    assert_true(val_core_deadline(lab->core).ns == MONO_NEVER.ns);
}

static void lost_recursord_is_asked_again(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, NULL);
    lab_drive(lab);
    assert_int_equal(val_core_recursord_lost(lab->core, &lab->env, &lab->view), 0);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 0);
    lab->hold_fetches = false;
    lab_pass(lab, 1);
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_NOERROR);
    assert_true(lab->verdicts[0].answer.authentic);
}

static void recursord_that_stays_away_is_servfail_in_time(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, NULL);
    lab_drive(lab);
    for (unsigned i = 0; i < 60; i++) {
        val_core_recursord_lost(lab->core, &lab->env, &lab->view);
        lab_drive(lab);
        lab_pass(lab, 1);
        lab->held_count = 0;
    }
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
}

static void lost_client_gets_no_verdict(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 5, NULL);
    lab_question(lab, "www.example.com.", TYPE_A, false, 6, NULL);
    lab_drive(lab);
    assert_int_equal(val_core_client_lost(lab->core, &lab->env, 5), 0);
    lab_pass(lab, 11);
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].client, 6);
}

static void epoch_change_judges_again(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    lab_question(lab, "www.example.com.", TYPE_A, false, 1, NULL);
    lab_drive(lab);
    val_core_set_epoch(lab->core, 9);
    lab->hold_fetches = false;
    struct val_done done = {.fetch = lab->held[0], .outcome = 1, .ede_code = EDE_NONE};
    assert_int_equal(val_core_done(lab->core, &lab->env, &lab->view, &done), 0);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 1);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_NOERROR);
    assert_int_equal(lab->verdicts[0].epoch, 9);
}

static struct slice priming(struct lab *lab, const char *address_owner)
{
    struct lab_reply reply = {.flags = FLAG_QR | FLAG_AA, .qname = name_root, .qtype = TYPE_NS};
    uint8_t *wire = arena_alloc(lab->arena, 4096);
    struct builder b;
    char glue[128];

    snprintf(glue, sizeof(glue), "%s 3600 IN A 192.0.2.1\n", address_owner);
    lab_add(lab, &reply, SECTION_ANSWER, ". 518400 IN NS ns.\n");
    lab_add(lab, &reply, SECTION_ADDITIONAL, glue);
    build_begin(&b, wire, 4096, 0, reply.flags);
    build_question(&b, name_root, TYPE_NS, CLASS_IN);
    for (unsigned s = 0; s < 3; s++)
        for (uint32_t i = 0; i < reply.section[s].count; i++)
            build_rrset(&b, (enum section)s, &reply.section[s].items[i], 518400, false, 0);
    return slice_make(wire, build_end(&b));
}

static void priming_is_kept_only_with_addresses_of_its_servers(void **state)
{
    struct lab *lab = *state;
    struct lookup lookup = {.view = &lab->view, .arena = lab->arena, .now = lab->env.wall, .stale_max_s = -1};
    struct cache_zone zone;
    const uint8_t *cut;

    assert_int_equal(val_core_primed(lab->core, &lab->env, &lab->view, priming(lab, "other.")), 0);
    lab_drive(lab);
    assert_int_equal(cache_closest_cut(&lookup, name_root, &zone, &cut), CACHE_MISS);
    assert_int_equal(val_core_primed(lab->core, &lab->env, &lab->view, slice_make("garbage", 7)), 0);
    assert_int_equal(val_core_primed(lab->core, &lab->env, &lab->view, priming(lab, "ns.")), 0);
    lab_drive(lab);
    assert_int_equal(cache_closest_cut(&lookup, name_root, &zone, &cut), 0);
    assert_int_equal(zone.glue.count, 1);
    assert_int_equal(lab_ask(lab, "www.example.com.", TYPE_A)->rcode, RCODE_NOERROR);
    assert_int_equal(lab->upstream, 6);
}

struct seen {
    char text[512];
};

static int note_link(void *ctx, const struct val_link *link)
{
    struct seen *seen = ctx;
    char name[NAME_TEXT_MAX];

    snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text), "%s=%d%s%s ",
             name_to_text(link->zone, name), link->security, link->anchor ? "a" : "",
             link->ede_code != EDE_NONE ? "!" : "");
    return 0;
}

static void explain_shows_the_chain_and_the_failing_link(void **state)
{
    struct lab *lab = lab_plain();
    struct seen seen = {""};
    lab_zone(lab, "bad.com.", LAB_NSEC, "www.bad.com. 300 IN A 192.0.2.80\n");
    lab_find(lab, "bad.com.")->wrong_ds = true;
    lab_start(lab);
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab_ask(lab, "www.bad.com.", TYPE_A);
    const uint8_t *name = zone_text_name(lab->arena, "www.example.com.");
    assert_int_equal(val_core_explain(lab->core, &lab->env, &lab->view, name, note_link, &seen), 0);
    assert_string_equal(seen.text, ".=3a com.=3 example.com.=3 ");
    seen.text[0] = '\0';
    name = zone_text_name(lab->arena, "www.bad.com.");
    assert_int_equal(val_core_explain(lab->core, &lab->env, &lab->view, name, note_link, &seen), 0);
    assert_string_equal(seen.text, ".=3a com.=3 bad.com.=0! www.bad.com.=0! ");
    lab->bend = spoil_answers;
    lab_ask(lab, "other.example.com.", TYPE_A);
    seen.text[0] = '\0';
    name = zone_text_name(lab->arena, "other.example.com.");
    assert_int_equal(val_core_explain(lab->core, &lab->env, &lab->view, name, note_link, &seen), 0);
    assert_string_equal(seen.text, ".=3a com.=3 example.com.=3 other.example.com.=0! ");
    lab_free(lab);
}

static void joined_clients_are_capped_and_refused_at_once(void **state)
{
    struct lab *lab = *state;
    lab->hold_fetches = true;
    for (unsigned i = 0; i < 5000; i++)
        lab_question(lab, "www.example.com.", TYPE_A, false, i, NULL);
    lab_drive(lab);
    assert_int_equal(lab->verdict_count, 5000 - 4096);
    assert_int_equal(lab->verdicts[0].answer.rcode, RCODE_SERVFAIL);
    assert_true(lab->verdicts[0].client >= 4096);
    lab_pass(lab, 11);
    assert_int_equal(lab->verdict_count, 5000);
}

static void questions_over_the_cap_are_servfail_at_once(void **state)
{
    struct lab *lab = *state;
    char name[64];
    lab->hold_fetches = true;
    lab->no_verify = true;
    for (unsigned i = 0; i < 4100; i++) {
        struct val_action action;
        snprintf(name, sizeof(name), "n%u.example.com.", i);
        lab_question(lab, name, TYPE_A, false, i, NULL);
        while (val_core_next_action(lab->core, &action))
            if (action.kind == VAL_ACTION_VERDICT) {
                assert_int_equal(action.answer->rcode, RCODE_SERVFAIL);
                lab->verdict_count++;
            }
    }
    assert_int_equal(lab->verdict_count, 4);
}

static void good_data_outlives_a_failure_of_its_chain(void **state)
{
    struct lab *lab = *state;
    lab_ask(lab, "www.example.com.", TYPE_A);
    lab->down = true;
    lab_ask(lab, "other.example.com.", TYPE_TXT);
    lab_pass(lab, 100);
    const struct answer *answer = lab_ask(lab, "www.example.com.", TYPE_A);
    assert_int_equal(answer->rcode, RCODE_NOERROR);
    assert_true(answer->authentic);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unreachable_is_ede_22_and_remembered),
        TEST(failures_back_off_from_5_seconds_to_5_minutes),
        TEST(bogus_refresh_leaves_the_good_entry),
        TEST(refresh_fetches_what_is_near_its_end_and_nothing_else),
        cmocka_unit_test_setup_teardown(stale_answer_on_unreachable_and_on_bogus, setup_stale, teardown),
        cmocka_unit_test_setup_teardown(stale_data_too_old_is_not_used, setup_stale, teardown),
        TEST(cd_bytes_never_answer_a_validating_client),
        TEST(cd_gets_validated_data_from_the_cache),
        TEST(signature_budget_ends_in_servfail_for_at_most_30_seconds),
        TEST(keytrap_is_bounded),
        TEST(upstream_budget_of_none_asks_nobody),
        TEST(budget_of_a_question_is_never_more_than_ours),
        TEST(evidence_without_end_is_cut_off),
        cmocka_unit_test(min_ttl_raises_and_max_ttl_lowers),
        TEST(silent_recursord_ends_at_the_deadline),
        TEST(lost_recursord_is_asked_again),
        TEST(recursord_that_stays_away_is_servfail_in_time),
        TEST(lost_client_gets_no_verdict),
        TEST(epoch_change_judges_again),
        TEST(priming_is_kept_only_with_addresses_of_its_servers),
        cmocka_unit_test(explain_shows_the_chain_and_the_failing_link),
        TEST(joined_clients_are_capped_and_refused_at_once),
        TEST(questions_over_the_cap_are_servfail_at_once),
        TEST(good_data_outlives_a_failure_of_its_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
