/* The real program between a netd and a recursord that this test plays. argv[1]: the program. */

#include "daemon_peers.h"

static void netd_gets_the_page_and_the_sketch(void **state)
{
    struct fixture *f = *state;
    struct shared_page *page = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ, MAP_SHARED, f->page, 0);
    struct stat st;

    assert_ptr_not_equal(page, MAP_FAILED);
    assert_int_equal(page->magic, SHARED_PAGE_MAGIC);
    assert_int_equal(atomic_load(&page->epoch), f->epoch);
    assert_int_not_equal(atomic_load(&page->file_generation), 0);
    munmap(page, SHARED_PAGE_BYTES);
    assert_ptr_equal(mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, f->page, 0),
                     MAP_FAILED);
    assert_int_equal(fstat(f->sketch, &st), 0);
    assert_int_equal(st.st_size, SHARED_SKETCH_BYTES);
}

static void question_becomes_a_fetch_and_its_answer_a_verdict(void **state)
{
    struct fixture *f = *state;
    uint64_t fetch;

    ask(f->netd, 9, question, sizeof(question));
    fetch = expect_fetch(f->recursord);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    expect_verdict(f->netd, 9, RCODE_NOERROR);
    /* from the cache, with nobody asked */
    ask(f->netd, 10, question, sizeof(question));
    expect_verdict(f->netd, 10, RCODE_NOERROR);
}

static void failed_fetch_is_a_servfail(void **state)
{
    struct fixture *f = *state;

    ask(f->netd, 9, question, sizeof(question));
    send_done(f->recursord, expect_fetch(f->recursord), 1);
    expect_verdict(f->netd, 9, RCODE_SERVFAIL);
}

static void netd_that_sends_what_cannot_be_is_left_and_met_again(void **state)
{
    struct fixture *f = *state;
    static const char bad_name[] = "\77www";
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0xff, 0xff};

    ask(f->netd, 1, bad_name, sizeof(bad_name));
    expect_closed(f->netd);
    part_netd(f);
    meet_netd(f);
    assert_int_equal(send(f->netd, garbage, sizeof(garbage), 0), sizeof(garbage));
    expect_closed(f->netd);
    part_netd(f);
    /* a question before the greeting */
    f->netd = accept_one(f->netd_listen);
    ask(f->netd, 1, question, sizeof(question));
    {
        int fds[2] = {-1, -1};
        static uint8_t frame[IPC_FRAME_MAX];

        while (receive(f->netd, frame, fds))
            ;
        close(f->netd);
        close(fds[0]);
        close(fds[1]);
    }
    meet_netd(f);
}

static void recursord_that_sends_what_cannot_be_is_left_and_asked_again(void **state)
{
    struct fixture *f = *state;
    static const uint8_t garbage[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    uint64_t fetch;

    ask(f->netd, 9, question, sizeof(question));
    (void)expect_fetch(f->recursord);
    assert_int_equal(send(f->recursord, garbage, sizeof(garbage), 0), sizeof(garbage));
    expect_closed(f->recursord);
    close(f->recursord);
    meet_recursord(f);
    fetch = expect_fetch(f->recursord);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    expect_verdict(f->netd, 9, RCODE_NOERROR);
}

static void fetch_may_end_in_the_frame_of_its_answer_and_no_other_fetch(void **state)
{
    struct fixture *f = *state;
    uint64_t fetch;

    ask(f->netd, 9, question, sizeof(question));
    fetch = expect_fetch(f->recursord);
    send_answer_with_end(f->recursord, fetch, fetch + 1);
    expect_closed(f->recursord);
    close(f->recursord);
    meet_recursord(f);
    fetch = expect_fetch(f->recursord);
    send_answer_with_end(f->recursord, fetch, fetch);
    expect_verdict(f->netd, 9, RCODE_NOERROR);
}

static void answers_to_fetches_nobody_made_change_nothing(void **state)
{
    struct fixture *f = *state;

    send_answer(f->recursord, 4711);
    send_done(f->recursord, 4711, 0);
    ask(f->netd, 9, question, sizeof(question));
    send_done(f->recursord, expect_fetch(f->recursord), 1);
    expect_verdict(f->netd, 9, RCODE_SERVFAIL);
}

static void question_asked_while_recursord_is_away_is_answered_when_it_is_back(void **state)
{
    struct fixture *f = *state;
    uint64_t fetch;

    close(f->recursord);
    ask(f->netd, 9, question, sizeof(question));
    meet_recursord(f);
    fetch = expect_fetch(f->recursord);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    expect_verdict(f->netd, 9, RCODE_NOERROR);
}

static void verdict_for_a_netd_that_is_gone_does_not_reach_the_next(void **state)
{
    struct fixture *f = *state;
    uint64_t fetch;

    ask(f->netd, 9, question, sizeof(question));
    fetch = expect_fetch(f->recursord);
    part_netd(f);
    meet_netd(f);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    ask(f->netd, 10, question, sizeof(question));
    fetch = 0;
    /* asked anew or from what came: in any case this verdict is the first frame */
    {
        struct pollfd p[2] = {{.fd = f->recursord, .events = POLLIN}, {.fd = f->netd, .events = POLLIN}};

        assert_true(poll(p, 2, WAIT_MS) > 0);
        if (!(p[1].revents & POLLIN)) {
            fetch = expect_fetch(f->recursord);
            send_answer(f->recursord, fetch);
            send_done(f->recursord, fetch, 0);
        }
    }
    expect_verdict(f->netd, 10, RCODE_NOERROR);
}

static void nta_and_its_epoch_survive_kill_9_right_after_the_answer(void **state)
{
    struct fixture *f = *state;
    uint64_t before = page_epoch(f), after;

    assert_int_equal(control_verb(f, "nta-add", "broken.example").code, 0);
    after = page_epoch(f);
    assert_int_equal(after, before + 1);
    stop(f, SIGKILL);
    part_netd(f);
    close(f->recursord);
    start(f);
    meet_netd(f);
    meet_recursord(f);
    assert_int_equal(f->epoch, after);
    assert_non_null(strstr(control_verb(f, "nta-list", NULL).json, "\"broken.example.\""));
    assert_int_equal(control_verb(f, "nta-remove", "broken.example").code, 0);
    assert_null(strstr(control_verb(f, "nta-list", NULL).json, "broken"));
    assert_int_equal(control_verb(f, "nta-remove", "broken.example").code, ENOENT);
}

static void nta_ends_with_its_lifetime(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    f->lifetime_ms = 2000;
    assert_int_equal(control_verb(f, "nta-add", "broken.example").code, 0);
    assert_non_null(strstr(control_verb(f, "nta-list", NULL).json, "broken.example."));
    assert_non_null(strstr(control_verb(f, "status", NULL).json, "broken.example."));
    before = page_epoch(f);
    for (unsigned i = 0; i < 60 && page_epoch(f) == before; i++)
        usleep(100000);
    assert_int_equal(page_epoch(f), before + 1); /* what was accepted under it is no answer any more */
    assert_null(strstr(control_verb(f, "nta-list", NULL).json, "broken.example."));
    assert_int_equal(control_verb(f, "nta-remove", "broken.example").code, ENOENT);
}

static void nta_that_ended_while_nothing_ran_is_not_in_force_again(void **state)
{
    struct fixture *f = *state;

    f->lifetime_ms = 1000;
    assert_int_equal(control_verb(f, "nta-add", "broken.example").code, 0);
    stop(f, SIGKILL);
    part_netd(f);
    close(f->recursord);
    usleep(1500000);
    start(f);
    meet_netd(f);
    meet_recursord(f);
    assert_null(strstr(control_verb(f, "nta-list", NULL).json, "broken.example."));
}

static void flush_makes_the_next_question_a_fetch(void **state)
{
    struct fixture *f = *state;
    uint64_t fetch, before = page_epoch(f);

    ask(f->netd, 9, question, sizeof(question));
    fetch = expect_fetch(f->recursord);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    expect_verdict(f->netd, 9, RCODE_NOERROR);
    assert_non_null(strstr(control_verb(f, "show-cache", "example").json, "192.0.2.1"));
    assert_null(strstr(control_verb(f, "show-cache", "test").json, "192.0.2.1"));
    assert_int_equal(control_verb(f, "flush-caches", "www.example").code, 0);
    assert_true(page_epoch(f) > before);
    assert_null(strstr(control_verb(f, "show-cache", NULL).json, "192.0.2.1"));
    usleep(1100000); /* a finished question is joined for one second more */
    ask(f->netd, 10, question, sizeof(question));
    fetch = expect_fetch(f->recursord);
    send_answer(f->recursord, fetch);
    send_done(f->recursord, fetch, 0);
    expect_verdict(f->netd, 10, RCODE_NOERROR);
}

static void control_verbs_answer_and_unknown_ones_are_refused(void **state)
{
    static const char verbs[][20] = {"status",      "statistics",   "reset-statistics",  "log-level",
                                     "cache-stats", "cache-verify", "trust-anchor-list", "nta-list"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        struct reply reply = control_verb(f, verbs[i], NULL);

        assert_int_equal(reply.code, 0);
        assert_int_equal(reply.json[0], '{');
    }
    assert_non_null(strstr(control_verb(f, "status", NULL).json, "\"running\""));
    assert_int_equal(control_verb(f, "make-coffee", NULL).code, EOPNOTSUPP);
    assert_int_equal(control_verb(f, "nta-add", NULL).code, EINVAL);
    assert_int_equal(control_verb(f, "explain", NULL).code, EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(netd_gets_the_page_and_the_sketch),
        T(question_becomes_a_fetch_and_its_answer_a_verdict),
        T(failed_fetch_is_a_servfail),
        T(netd_that_sends_what_cannot_be_is_left_and_met_again),
        T(recursord_that_sends_what_cannot_be_is_left_and_asked_again),
        T(fetch_may_end_in_the_frame_of_its_answer_and_no_other_fetch),
        T(answers_to_fetches_nobody_made_change_nothing),
        T(question_asked_while_recursord_is_away_is_answered_when_it_is_back),
        T(verdict_for_a_netd_that_is_gone_does_not_reach_the_next),
        T(nta_and_its_epoch_survive_kill_9_right_after_the_answer),
        T(nta_ends_with_its_lifetime),
        T(nta_that_ended_while_nothing_ran_is_not_in_force_again),
        T(flush_makes_the_next_question_a_fetch),
        T(control_verbs_answer_and_unknown_ones_are_refused),
    };

    if (argc < 2)
        return 2;
    daemon_program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
