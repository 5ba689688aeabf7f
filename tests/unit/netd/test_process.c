/* The whole of netd as a process on loopback, with a validatord played by the test. */
#include "tests/unit/netd/process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cache/store.h"
#include "common/daemon/daemon.h"
#include "common/ipc/control.h"

static uint8_t reply[65535];

static void a_miss_goes_to_validatord_and_the_next_is_a_hit(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "www.example.");
    validatord_serve(&p, "www.example.", 2, 300);
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_id(reply), 1);
    assert_int_equal(reply_answers(reply), 2);
    assert_true(reply[3] & FLAG_AD);
    for (uint16_t id = 2; id < 50; id++) {
        udp_ask(fd, id, "WWW.example.");
        assert_true(udp_read(fd, reply, 2000) > 0);
        assert_int_equal(reply_id(reply), id);
        assert_int_equal(reply_answers(reply), 2);
        assert_memory_equal(reply + 12, "\3www", 4); /* name_from_text wrote it in lower case */
    }
    assert_null(validatord_next(&p, 50));
    close(fd);
    netd_stop(&p);
}

static void a_changed_epoch_makes_hits_misses(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "www.example.");
    validatord_serve(&p, "www.example.", 1, 300);
    assert_true(udp_read(fd, reply, 2000) > 0);
    atomic_fetch_add(&p.page->epoch, 1);
    udp_ask(fd, 2, "www.example.");
    validatord_serve(&p, "www.example.", 3, 300);
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_answers(reply), 3);
    close(fd);
    netd_stop(&p);
}

static void answers_of_ttl_zero_are_given_but_not_kept(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    for (uint16_t id = 1; id < 4; id++) {
        udp_ask(fd, id, "zero.example.");
        validatord_serve(&p, "zero.example.", 1, 0);
        assert_true(udp_read(fd, reply, 2000) > 0);
    }
    close(fd);
    netd_stop(&p);
}

static void identical_questions_join_and_all_are_answered(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fds[20], tcp = tcp_client(&p);
    for (uint16_t i = 0; i < 20; i++) {
        fds[i] = udp_client(&p, "127.0.0.1");
        udp_ask(fds[i], i, "www.example.");
        udp_ask(fds[i], i, "www.example."); /* a retransmission is no second waiter */
    }
    tcp_ask(tcp, 77, "www.example.");
    usleep(50000);
    validatord_serve(&p, "www.example.", 1, 300);
    assert_null(validatord_next(&p, 50));
    for (uint16_t i = 0; i < 20; i++) {
        assert_true(udp_read(fds[i], reply, 2000) > 0);
        assert_int_equal(reply_id(reply), i);
        assert_int_equal(udp_read(fds[i], reply, 0), 0);
        close(fds[i]);
    }
    assert_true(tcp_read(tcp, reply, 2000) > 0);
    close(tcp);
    netd_stop(&p);
}

static void replies_leave_from_the_address_that_was_asked(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.53"); /* connected: a reply from another address would not be received */
    udp_ask(fd, 1, "www.example.");
    validatord_serve(&p, "www.example.", 1, 300);
    assert_true(udp_read(fd, reply, 2000) > 0);
    udp_ask(fd, 2, "www.example.");
    assert_true(udp_read(fd, reply, 2000) > 0);
    close(fd);
    netd_stop(&p);
}

static void tcp_answers_come_as_they_are_ready(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = tcp_client(&p);
    tcp_ask(fd, 1, "slow.example.");
    tcp_ask(fd, 2, "fast.example.");
    Holdfast__Nv__NvFrame *slow = validatord_next(&p, 2000);
    assert_non_null(slow);
    validatord_serve(&p, "fast.example.", 1, 300);
    assert_true(tcp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_id(reply), 2);
    validatord_answer(&p, slow->resolve, 1, 300);
    resolve_free(slow);
    assert_true(tcp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_id(reply), 1);
    close(fd);
    netd_stop(&p);
}

static void more_tcp_questions_than_may_wait_are_all_answered(void **state)
{
    enum { COUNT = 500 };
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = tcp_client(&p);
    char name[32];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "n%u.example.", i);
        tcp_ask(fd, (uint16_t)i, name);
    }
    shutdown(fd, SHUT_WR); /* the client says no more, but reads on */
    for (unsigned i = 0; i < COUNT; i++) {
        Holdfast__Nv__NvFrame *frame = validatord_next(&p, 2000);
        assert_non_null(frame);
        validatord_answer(&p, frame->resolve, 1, 300);
        resolve_free(frame);
    }
    bool seen[COUNT] = {0};
    for (unsigned i = 0; i < COUNT; i++) {
        assert_true(tcp_read(fd, reply, 2000) > 0);
        assert_false(seen[reply_id(reply)]);
        seen[reply_id(reply)] = true;
    }
    assert_int_equal(tcp_read(fd, reply, 2000), 0);
    assert_int_equal(recv(fd, reply, 1, MSG_DONTWAIT), 0); /* and netd closed */
    close(fd);
    netd_stop(&p);
}

static void a_question_that_trickles_in_is_answered(void **state)
{
    struct netd_process p = netd_start(1);
    int fd = tcp_client(&p);
    static const uint8_t packet[] = "\0\33\0\5\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1";
    for (unsigned i = 0; i < sizeof(packet) - 1; i++) {
        assert_int_equal(send(fd, packet + i, 1, MSG_NOSIGNAL), 1);
        usleep(1000);
    }
    assert_true(tcp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_id(reply), 5);
    assert_int_equal(reply_answers(reply), 1);
    close(fd);
    netd_stop(&p);
}

static void what_is_too_big_for_udp_comes_whole_over_tcp(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int udp = udp_client(&p, "127.0.0.1"), tcp = tcp_client(&p);
    udp_ask(udp, 1, "big.example.");
    validatord_serve(&p, "big.example.", 100, 300);
    size_t size = udp_read(udp, reply, 2000);
    assert_true(size > 0 && size <= 1232);
    assert_true(reply[2] & (FLAG_TC >> 8));
    tcp_ask(tcp, 2, "big.example.");
    validatord_serve(&p, "big.example.", 100, 300);
    assert_true(tcp_read(tcp, reply, 2000) > 1232);
    assert_int_equal(reply_answers(reply), 100);
    assert_false(reply[2] & (FLAG_TC >> 8));
    udp_ask(udp, 3, "big.example."); /* the whole reply in L1 does not fit here, so this is asked again */
    validatord_serve(&p, "big.example.", 100, 300);
    assert_true(udp_read(udp, reply, 2000) <= 1232);
    close(udp);
    close(tcp);
    netd_stop(&p);
}

static void while_validatord_is_away_the_cache_answers_and_the_rest_fails_with_a_reason(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "kept.example.");
    validatord_serve(&p, "kept.example.", 1, 300);
    assert_true(udp_read(fd, reply, 2000) > 0);
    validatord_leave(&p);
    usleep(50000);
    udp_ask(fd, 2, "kept.example.");
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_rcode(reply), RCODE_NOERROR);
    udp_ask(fd, 3, "new.example.");
    size_t size = udp_read(fd, reply, 2000);
    assert_true(size > 0);
    assert_int_equal(reply_rcode(reply), RCODE_SERVFAIL);
    assert_true(reply_has_ede(reply, size, EDE_NETWORK_ERROR));
    /* a question from while it was away is asked when it is back */
    udp_ask(fd, 4, "later.example.");
    validatord_connect(&p);
    for (;;) {
        Holdfast__Nv__NvFrame *frame = validatord_next(&p, 2000);
        assert_non_null(frame);
        bool later = frame->resolve->qname.len > 6 && memcmp(frame->resolve->qname.data, "\5later", 6) == 0;
        assert_true(frame->resolve->budget->wall_ms <= 10000);
        validatord_answer(&p, frame->resolve, 1, 300);
        resolve_free(frame);
        if (later)
            break;
    }
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_id(reply), 4);
    assert_int_equal(reply_rcode(reply), RCODE_NOERROR);
    close(fd);
    netd_stop(&p);
}

static void frames_that_cannot_be_close_the_edge_and_nothing_else(void **state)
{
    struct netd_process p = netd_start(1);
    static const uint8_t wrong[][40] = {
        {0xff, 0xff, 0xff, 0xff}, /* no protobuf */
        {0x0a, 0x02, 0x08, 0x07}, /* a Hello of version 7 */
        {0x12, 0x02, 0x08, 0x05}, /* a Resolve, which validatord never sends */
        {0x0a, 0x02, 0x08, 0x01}, /* a Hello without descriptors */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct netd_process peer = p;
        validatord_connect(&peer);
        validatord_leave(&peer);
        validatord_connect(&peer);
        validatord_send_raw(&peer, wrong[i], 4);
        uint8_t byte;
        assert_int_equal(recv(peer.edge, &byte, 1, 0), 0); /* closed */
        validatord_leave(&peer);
    }
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "www.example.");
    Holdfast__Nv__NvFrame *frame = validatord_next(&p, 2000);
    assert_non_null(frame);
    frame->resolve->id++; /* a verdict on what was never asked is passed over */
    validatord_answer(&p, frame->resolve, 1, 300);
    frame->resolve->id--;
    validatord_answer(&p, frame->resolve, 2, 300);
    resolve_free(frame);
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_answers(reply), 2);
    close(fd);
    netd_stop(&p);
}

static void a_verdict_with_broken_bytes_is_servfail(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "www.example.");
    Holdfast__Nv__NvFrame *frame = validatord_next(&p, 2000);
    assert_non_null(frame);
    Holdfast__Nv__Verdict verdict = HOLDFAST__NV__VERDICT__INIT;
    verdict.id = frame->resolve->id;
    verdict.answer.data = (uint8_t *)"\0\0\1";
    verdict.answer.len = 3;
    Holdfast__Nv__NvFrame out = HOLDFAST__NV__NV_FRAME__INIT;
    out.body_case = HOLDFAST__NV__NV_FRAME__BODY_VERDICT;
    out.verdict = &verdict;
    uint8_t bytes[64];
    validatord_send_raw(&p, bytes, holdfast__nv__nv_frame__pack(&out, bytes));
    resolve_free(frame);
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_rcode(reply), RCODE_SERVFAIL);
    close(fd);
    netd_stop(&p);
}

static void garbage_over_udp_and_tcp_does_no_harm(void **state)
{
    struct netd_process p = netd_start(2);
    validatord_connect(&p);
    uint64_t seed = 11;
    int udp = udp_client(&p, "127.0.0.1");
    for (unsigned n = 0; n < 2000; n++) {
        uint8_t bytes[600];
        for (unsigned i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)((seed = seed * 6364136223846793005ULL + 1442695040888963407ULL) >> 40);
        send(udp, bytes, seed % sizeof(bytes), 0);
        if (n % 20 == 0) {
            int tcp = tcp_client(&p);
            send(tcp, bytes, sizeof(bytes), MSG_NOSIGNAL);
            close(tcp);
        }
    }
    int fd = udp_client(&p, "127.0.0.1");
    for (uint16_t id = 1; id < 20; id++) {
        udp_ask(fd, id, "localhost.");
        assert_true(udp_read(fd, reply, 2000) > 0);
        assert_int_equal(reply_id(reply), id);
    }
    close(fd);
    close(udp);
    netd_stop(&p);
}

#define CLIENT_CONNS 64
#define PATIENCE_MS  30000

static void ask_localhost(int fd)
{
    tcp_ask(fd, 1, "localhost.");
    assert_true(tcp_read(fd, reply, PATIENCE_MS) > 0);
}

/* Has netd closed it, or does so within wait_ms? */
static bool is_closed(int fd, int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, wait_ms) == 1 && recv(fd, reply, 1, MSG_DONTWAIT) <= 0;
}

static void client_with_all_its_connections_loses_the_one_idle_longest(void **state)
{
    struct netd_process p = netd_start(1);
    int fds[CLIENT_CONNS + 2];
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        fds[i] = tcp_client(&p);
        ask_localhost(fds[i]);
    }
    ask_localhost(fds[0]); /* so number 1 is idle longest */
    for (unsigned i = CLIENT_CONNS; i < ARRAY_SIZE(fds); i++) {
        fds[i] = tcp_client(&p);
        ask_localhost(fds[i]);
    }
    assert_true(is_closed(fds[1], PATIENCE_MS));
    assert_true(is_closed(fds[2], PATIENCE_MS));
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
        if (i != 1 && i != 2)
            ask_localhost(fds[i]);
        close(fds[i]);
    }
    netd_stop(&p);
}

static void client_whose_connections_are_all_at_work_gets_no_more(void **state)
{
    struct netd_process p = netd_start(1);
    int fds[CLIENT_CONNS], one_more;
    Holdfast__Nv__NvFrame *frames[CLIENT_CONNS];
    char name[32];
    validatord_connect(&p);
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        fds[i] = tcp_client(&p);
        snprintf(name, sizeof(name), "n%u.example.", i);
        tcp_ask(fds[i], 1, name);
        frames[i] = validatord_next(&p, PATIENCE_MS);
        assert_non_null(frames[i]);
    }
    one_more = tcp_client(&p);
    assert_true(is_closed(one_more, PATIENCE_MS));
    close(one_more);
    for (unsigned i = 0; i < CLIENT_CONNS; i++) {
        validatord_answer(&p, frames[i]->resolve, 1, 300);
        resolve_free(frames[i]);
        assert_true(tcp_read(fds[i], reply, PATIENCE_MS) > 0);
    }
    one_more = tcp_client(&p);
    ask_localhost(one_more);
    close(one_more);
    for (unsigned i = 0; i < CLIENT_CONNS; i++)
        close(fds[i]);
    netd_stop(&p);
}

static void idle_connections_make_place_on_whichever_worker_they_are(void **state)
{
    struct netd_process p = netd_start(4);
    int fds[4 * CLIENT_CONNS];
    unsigned open = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = tcp_client(&p);
        ask_localhost(fds[i]);
    }
    /* some beyond the limit may be open, until the workers have heard of it */
    for (unsigned wait = 0; wait < PATIENCE_MS / 10; wait++) {
        open = 0;
        for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
            open += !is_closed(fds[i], 0);
        if (open <= CLIENT_CONNS)
            break;
        usleep(10000);
    }
    assert_int_equal(open, CLIENT_CONNS);
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    netd_stop(&p);
}

static void the_shared_cache_answers_before_validatord_ever_came(void **state)
{
    struct netd_process p = netd_start(1);
    struct store *store = NULL;
    char *quarantined = NULL;
    struct store_config config = {.directory = p.directory, .size_bytes = 1 << 24, .commit_interval_ms = 100};
    assert_int_equal(store_open_writer(&config, &store, &quarantined), 0);
    free(quarantined);
    _cleanup_(arena_freep) struct arena *arena = arena_new(1 << 16);
    struct daemon clock = {0};
    wall_s now = daemon_wall(&clock);
    uint8_t name[NAME_MAX], address[4] = {192, 0, 2, 44};
    struct rdata rdata = {.data = address, .size = 4};
    struct cache_key key;
    struct slice value;
    name_from_text("stored.example.", name);
    struct cache_rr rr = {.rrset = {.owner = name,
                                    .type = TYPE_A,
                                    .class = CLASS_IN,
                                    .ttl = 300,
                                    .count = 1,
                                    .rdata = &rdata,
                                    .rank = RANK_ANSWER,
                                    .security = SECURITY_INSECURE},
                          .stored = {.s = now.s - 10},
                          .expires = {.s = now.s + 290},
                          .original_ttl = 300};
    assert_int_equal(cache_key_rr(name, TYPE_A, &key), 0);
    assert_int_equal(cache_rr_encode(arena, cache_key_slice(&key), &rr, &value), 0);
    struct cache_write write = {.db = CACHE_RR, .key = cache_key_slice(&key), .value = value};
    assert_int_equal(store_commit(store, &write, 1, 0, daemon_mono()), 0);
    int fd = udp_client(&p, "127.0.0.1");
    udp_ask(fd, 1, "stored.example.");
    assert_true(udp_read(fd, reply, 2000) > 0);
    assert_int_equal(reply_rcode(reply), RCODE_NOERROR);
    assert_int_equal(reply_answers(reply), 1);
    store_close(store);
    close(fd);
    netd_stop(&p);
}

static int keep_json(void *ctx, const Holdfast__Control__Reply *control_reply)
{
    snprintf(ctx, 4096, "%u %s", control_reply->code, control_reply->json ? control_reply->json : "");
    return 0;
}

static void the_control_socket_tells_what_happened(void **state)
{
    struct netd_process p = netd_start(1);
    validatord_connect(&p);
    int fd = udp_client(&p, "127.0.0.1");
    for (uint16_t id = 1; id < 4; id++) {
        udp_ask(fd, id, "www.example.");
        if (id == 1)
            validatord_serve(&p, "www.example.", 1, 300);
        assert_true(udp_read(fd, reply, 2000) > 0);
    }
    char path[96], json[4096];
    snprintf(path, sizeof(path), "%s/netd.control", p.directory);
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    request.protocol_version = 1;
    request.verb = (char *)"statistics";
    assert_int_equal(control_call(path, &request, keep_json, json), 0);
    assert_non_null(strstr(json, "\"queries_udp\":3"));
    assert_non_null(strstr(json, "\"l1_hits\":2"));
    assert_non_null(strstr(json, "\"verdicts\":1"));
    request.verb = (char *)"reset-statistics";
    assert_int_equal(control_call(path, &request, keep_json, json), 0);
    request.verb = (char *)"statistics";
    assert_int_equal(control_call(path, &request, keep_json, json), 0);
    assert_non_null(strstr(json, "\"queries_udp\":0"));
    request.verb = (char *)"status";
    assert_int_equal(control_call(path, &request, keep_json, json), 0);
    assert_non_null(strstr(json, "\"connected\":true"));
    assert_non_null(strstr(json, "\"epoch\":7"));
    request.verb = (char *)"make-coffee";
    assert_int_equal(control_call(path, &request, keep_json, json), 0);
    assert_false(json[0] == '0');
    close(fd);
    netd_stop(&p);
}

static void two_workers_on_one_socket_answer_everything(void **state)
{
    struct netd_process p = netd_start(2);
    validatord_connect(&p);
    int fds[50];
    for (unsigned i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example.", i);
        fds[i] = udp_client(&p, "127.0.0.1");
        udp_ask(fds[i], (uint16_t)i, name);
    }
    for (unsigned i = 0; i < 50; i++) {
        Holdfast__Nv__NvFrame *frame = validatord_next(&p, 2000);
        assert_non_null(frame);
        validatord_answer(&p, frame->resolve, 1, 300);
        resolve_free(frame);
    }
    for (unsigned i = 0; i < 50; i++) {
        assert_true(udp_read(fds[i], reply, 2000) > 0);
        assert_int_equal(reply_id(reply), i);
        close(fds[i]);
    }
    netd_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_miss_goes_to_validatord_and_the_next_is_a_hit),
        cmocka_unit_test(a_changed_epoch_makes_hits_misses),
        cmocka_unit_test(answers_of_ttl_zero_are_given_but_not_kept),
        cmocka_unit_test(identical_questions_join_and_all_are_answered),
        cmocka_unit_test(replies_leave_from_the_address_that_was_asked),
        cmocka_unit_test(tcp_answers_come_as_they_are_ready),
        cmocka_unit_test(more_tcp_questions_than_may_wait_are_all_answered),
        cmocka_unit_test(a_question_that_trickles_in_is_answered),
        cmocka_unit_test(what_is_too_big_for_udp_comes_whole_over_tcp),
        cmocka_unit_test(while_validatord_is_away_the_cache_answers_and_the_rest_fails_with_a_reason),
        cmocka_unit_test(frames_that_cannot_be_close_the_edge_and_nothing_else),
        cmocka_unit_test(a_verdict_with_broken_bytes_is_servfail),
        cmocka_unit_test(garbage_over_udp_and_tcp_does_no_harm),
        cmocka_unit_test(client_with_all_its_connections_loses_the_one_idle_longest),
        cmocka_unit_test(client_whose_connections_are_all_at_work_gets_no_more),
        cmocka_unit_test(idle_connections_make_place_on_whichever_worker_they_are),
        cmocka_unit_test(the_shared_cache_answers_before_validatord_ever_came),
        cmocka_unit_test(the_control_socket_tells_what_happened),
        cmocka_unit_test(two_workers_on_one_socket_answer_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
