/* holdfast-recursord itself on loopback: started as holdfastd would, validatord and the one server played
 * here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc/control.h"
#include "common/wire/build.h"
#include "daemons/recursord/edge_frame.h"
#include "proto/config.pb-c.h"
#include "proto/validatord_recursord.pb-c.h"

#define WAIT_MS 5000

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif

struct world {
    char directory[32];
    pid_t pid;
    int udp, tcp, tcp_conn, edge;
    unsigned udp_count, tcp_accepted, tcp_count;
    uint16_t ports[32]; /* that questions came from */
};

static void path_in(const struct world *w, const char *name, char path[100])
{
    snprintf(path, 100, "%s/%s", w->directory, name);
}

static struct sockaddr_un unix_address(const struct world *w, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[100];
    path_in(w, name, path);
    memcpy(a.sun_path, path, strlen(path));
    return a;
}

static int listen_unix(const struct world *w, const char *name)
{
    struct sockaddr_un a = unix_address(w, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* UDP and TCP on one free port of 127.0.0.1. */
static uint16_t open_server(struct world *w)
{
    for (unsigned i = 0; i < 20; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(a);
        w->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        w->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(w->udp, (struct sockaddr *)&a, size), 0);
        assert_int_equal(getsockname(w->udp, (struct sockaddr *)&a, &size), 0);
        if (bind(w->tcp, (struct sockaddr *)&a, size) == 0 && listen(w->tcp, 8) == 0)
            return ntohs(a.sin_port);
        close(w->udp);
        close(w->tcp);
    }
    fail_msg("no port is free for both UDP and TCP");
    return 0;
}

static void write_snapshot(const struct world *w, uint16_t port)
{
    static uint8_t loopback[4] = {127, 0, 0, 1}, root[1] = {0};
    char path[100];
    Holdfast__Config__Endpoint to = HOLDFAST__CONFIG__ENDPOINT__INIT, *tos[] = {&to};
    Holdfast__Config__ZoneServers stub = HOLDFAST__CONFIG__ZONE_SERVERS__INIT, *stubs[] = {&stub};
    Holdfast__Config__Snapshot s = HOLDFAST__CONFIG__SNAPSHOT__INIT;
    to.address = (ProtobufCBinaryData){.data = loopback, .len = 4};
    to.port = port;
    stub.zone = (ProtobufCBinaryData){.data = root, .len = 1};
    stub.to = tos;
    stub.n_to = 1;
    s.stub = stubs;
    s.n_stub = 1;
    s.generation = 7;
    s.runtime_directory = s.state_directory = (char *)w->directory;
    s.workers = 1;
#ifdef UNDER_ASAN
    s.sandbox = false; /* its leak check at exit stops threads in a way that the sandbox denies */
#else
    s.sandbox = true;
#endif
    s.qname_minimisation = HOLDFAST__CONFIG__MINIMISATION__RELAXED;
    s.case_randomisation = s.ipv4 = true;
    s.edns_size = 1232;
    s.server_timeout_ms = 100;
    s.log_level = 4;
    uint8_t bytes[1024];
    size_t size = holdfast__config__snapshot__pack(&s, bytes);
    assert_true(size <= sizeof(bytes));
    path_in(w, "snapshot", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void start(struct world *w)
{
    char snapshot[100], pid[32];
    int edge = listen_unix(w, "edge"), control = listen_unix(w, "control");
    path_in(w, "snapshot", snapshot);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing running */
        /* 3 and 4 are where LISTEN_FDS begin */
        int a = fcntl(edge, F_DUPFD, 10), b = fcntl(control, F_DUPFD, 10);
        dup2(a, 3);
        dup2(b, 4);
        close(a);
        close(b);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "2", 1);
        setenv("LISTEN_FDNAMES", "edge:control", 1);
        unsetenv("NOTIFY_SOCKET");
        execl(getenv("RECURSORD"), "holdfast-recursord", "--snapshot", snapshot, (char *)NULL);
        _exit(127);
    }
    close(edge);
    close(control);
}

static int connect_edge(const struct world *w)
{
    struct sockaddr_un a = unix_address(w, "edge");
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    strcpy(w->directory, "/tmp/recursord-test-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    w->tcp_conn = -1;
    write_snapshot(w, open_server(w));
    start(w);
    w->edge = connect_edge(w);
    return w;
}

/* Ends the daemon, which must end by itself and well. */
static void world_free(struct world *w)
{
    static const char names[][16] = {"edge", "control", "snapshot"};
    int status = 0;
    char path[100];
    kill(w->pid, SIGTERM);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    for (size_t i = 0; i < 3; i++) {
        path_in(w, names[i], path);
        unlink(path);
    }
    rmdir(w->directory);
    close(w->udp);
    close(w->tcp);
    if (w->tcp_conn >= 0)
        close(w->tcp_conn);
    close(w->edge);
    free(w);
}

/* "silent." is not answered; "big." and what is below it only over TCP; all else has an address. */
static size_t make_reply(const uint8_t *query, size_t size, bool udp, uint8_t *reply, size_t room)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(65536);
    struct message m;
    uint8_t silent[NAME_MAX], big[NAME_MAX];
    struct builder b;
    assert_int_equal(message_parse(arena, query, size, &m), MESSAGE_OK);
    name_from_text("silent.", silent);
    name_from_text("big.", big);
    if (name_is_under(m.qname, silent))
        return 0;
    bool truncate = udp && name_is_under(m.qname, big);
    build_begin(&b, reply, room, m.id, (uint16_t)(FLAG_QR | FLAG_AA | (truncate ? FLAG_TC : 0)));
    build_question(&b, m.qname_raw, m.qtype, CLASS_IN);
    if (!truncate)
        build_rr(&b, SECTION_ANSWER, m.qname, TYPE_A, CLASS_IN, 60, "\1\2\3\4", 4);
    return build_end(&b);
}

static void serve_udp(struct world *w)
{
    uint8_t query[600], reply[600];
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    ssize_t size = recvfrom(w->udp, query, sizeof(query), 0, (struct sockaddr *)&from, &from_size);
    assert_true(size > 0);
    w->ports[w->udp_count++ % 32] = ntohs(from.sin_port);
    size_t reply_size = make_reply(query, (size_t)size, true, reply, sizeof(reply));
    if (reply_size)
        assert_int_equal(sendto(w->udp, reply, reply_size, 0, (struct sockaddr *)&from, from_size),
                         reply_size);
}

static void serve_tcp(struct world *w)
{
    uint8_t query[16384], reply[602];
    ssize_t size = recv(w->tcp_conn, query, sizeof(query), 0);
    if (size <= 0) {
        close(w->tcp_conn);
        w->tcp_conn = -1;
        return;
    }
    /* whole messages one after the other: what this test asks is far smaller than a segment */
    for (size_t at = 0; at < (size_t)size;) {
        size_t one = (size_t)query[at] << 8 | query[at + 1];
        assert_true(at + 2 + one <= (size_t)size);
        size_t reply_size = make_reply(query + at + 2, one, false, reply + 2, sizeof(reply) - 2);
        reply[0] = (uint8_t)(reply_size >> 8);
        reply[1] = (uint8_t)reply_size;
        w->tcp_count++;
        if (reply_size)
            assert_int_equal(send(w->tcp_conn, reply, reply_size + 2, 0), reply_size + 2);
        at += 2 + one;
    }
}

/* Serves until a frame comes on fd. NULL: the peer closed it. */
static Holdfast__Vr__VrFrame *next_frame(struct world *w, int fd)
{
    static uint8_t bytes[IPC_FRAME_MAX];
    for (;;) {
        struct pollfd polls[] = {{.fd = fd, .events = POLLIN},
                                 {.fd = w->udp, .events = POLLIN},
                                 {.fd = w->tcp, .events = POLLIN},
                                 {.fd = w->tcp_conn, .events = POLLIN}};
        assert_true(poll(polls, 4, WAIT_MS) > 0);
        if (polls[1].revents)
            serve_udp(w);
        if (polls[2].revents) {
            assert_int_equal(w->tcp_conn, -1);
            w->tcp_conn = accept(w->tcp, NULL, NULL);
            w->tcp_accepted++;
        }
        if (polls[3].revents)
            serve_tcp(w);
        if (!polls[0].revents)
            continue;
        ssize_t size = recv(fd, bytes, sizeof(bytes), 0);
        if (size <= 0)
            return NULL;
        Holdfast__Vr__VrFrame *frame = holdfast__vr__vr_frame__unpack(NULL, (size_t)size, bytes);
        assert_non_null(frame);
        return frame;
    }
}

static void send_frame(int fd, Holdfast__Vr__VrFrame *frame)
{
    uint8_t bytes[2048];
    size_t size = holdfast__vr__vr_frame__pack(frame, bytes);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static void greet(struct world *w, int fd)
{
    Holdfast__Vr__Hello hello = HOLDFAST__VR__HELLO__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT, *reply;
    hello.protocol_version = VR_PROTOCOL_VERSION;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_HELLO;
    frame.hello = &hello;
    send_frame(fd, &frame);
    reply = next_frame(w, fd);
    assert_non_null(reply);
    assert_int_equal(reply->body_case, HOLDFAST__VR__VR_FRAME__BODY_HELLO);
    assert_int_equal(reply->hello->protocol_version, VR_PROTOCOL_VERSION);
    assert_int_equal(reply->hello->generation, 7);
    holdfast__vr__vr_frame__free_unpacked(reply, NULL);
}

static void ask(int fd, uint64_t id, const char *qname, uint32_t wall_ms)
{
    uint8_t name[NAME_MAX];
    Holdfast__Vr__Fetch fetch = HOLDFAST__VR__FETCH__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    assert_int_equal(name_from_text(qname, name), 0);
    fetch.id = id;
    fetch.qname = (ProtobufCBinaryData){.data = name, .len = name_size(name)};
    fetch.qtype = TYPE_A;
    fetch.upstream_queries = 100;
    fetch.bytes_left = 100000;
    fetch.wall_ms = wall_ms;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_FETCH;
    frame.fetch = &fetch;
    send_frame(fd, &frame);
}

/* The end of a fetch: a frame of its own, or in that of its last evidence. */
static const Holdfast__Vr__Done *done_in(const Holdfast__Vr__VrFrame *frame)
{
    if (frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE)
        return frame->evidence->done;
    return frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_DONE ? frame->done : NULL;
}

/* The evidence and outcome of one fetch. */
static uint32_t collect(struct world *w, int fd, uint64_t id, unsigned *ret_evidence, uint32_t *ret_transport)
{
    *ret_evidence = 0;
    for (;;) {
        Holdfast__Vr__VrFrame *frame = next_frame(w, fd);
        assert_non_null(frame);
        if (frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE && frame->evidence->fetch_id == id) {
            assert_int_equal(frame->evidence->server.len, 4);
            assert_int_equal(frame->evidence->kind, REC_EVIDENCE_ANSWER);
            assert_true(frame->evidence->message.len > 12);
            *ret_transport = frame->evidence->transport;
            *ret_evidence += 1;
        }
        const Holdfast__Vr__Done *done = done_in(frame);
        if (done && done->fetch_id == id) {
            uint32_t outcome = done->outcome;
            holdfast__vr__vr_frame__free_unpacked(frame, NULL);
            return outcome;
        }
        holdfast__vr__vr_frame__free_unpacked(frame, NULL);
    }
}

static void a_question_goes_out_over_udp_and_comes_back_as_evidence(void **state)
{
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport = 99;
    greet(w, w->edge);
    ask(w->edge, 1, "host.", 5000);
    assert_int_equal(collect(w, w->edge, 1, &evidence, &transport), REC_DONE_ANSWERED);
    assert_int_equal(evidence, 1);
    assert_int_equal(transport, HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__UDP);
    assert_int_equal(w->udp_count, 1);
    world_free(w);
}

static void every_question_has_a_port_of_its_own(void **state)
{
    struct world *w = world_new();
    unsigned evidence, same = 0;
    uint32_t transport;
    greet(w, w->edge);
    for (uint64_t id = 1; id <= 20; id++) {
        ask(w->edge, id, "host.", 5000);
        assert_int_equal(collect(w, w->edge, id, &evidence, &transport), REC_DONE_ANSWERED);
    }
    for (unsigned i = 0; i < 20; i++) {
        assert_true(w->ports[i] >= 1024);
        for (unsigned k = 0; k < i; k++)
            same += w->ports[i] == w->ports[k];
    }
    assert_in_range(same, 0, 2);
    world_free(w);
}

static void truncated_answers_come_over_one_shared_tcp_connection(void **state)
{
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport = 99;
    greet(w, w->edge);
    for (uint64_t id = 1; id <= 5; id++) {
        ask(w->edge, id, "big.", 5000);
        assert_int_equal(collect(w, w->edge, id, &evidence, &transport), REC_DONE_ANSWERED);
        assert_int_equal(transport, HOLDFAST__CONFIG__ENDPOINT__TRANSPORT__TCP);
    }
    assert_int_equal(w->tcp_accepted, 1);
    assert_int_equal(w->tcp_count, 5);
    /* the server closes: the next question opens another */
    close(w->tcp_conn);
    w->tcp_conn = -1;
    ask(w->edge, 6, "big.", 5000);
    assert_int_equal(collect(w, w->edge, 6, &evidence, &transport), REC_DONE_ANSWERED);
    assert_int_equal(w->tcp_accepted, 2);
    world_free(w);
}

static void many_questions_at_once_share_the_connection_too(void **state)
{
    struct world *w = world_new();
    unsigned done = 0;
    greet(w, w->edge);
    for (uint64_t id = 1; id <= 30; id++)
        ask(w->edge, id, "big.", 5000);
    while (done < 30) {
        Holdfast__Vr__VrFrame *frame = next_frame(w, w->edge);
        assert_non_null(frame);
        const Holdfast__Vr__Done *end = done_in(frame);
        if (end) {
            assert_int_equal(end->outcome, REC_DONE_ANSWERED);
            done++;
        }
        holdfast__vr__vr_frame__free_unpacked(frame, NULL);
    }
    assert_int_equal(w->tcp_accepted, 1);
    world_free(w);
}

static void silence_ends_with_the_questions_time(void **state)
{
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport;
    greet(w, w->edge);
    ask(w->edge, 1, "silent.", 500);
    assert_int_equal(collect(w, w->edge, 1, &evidence, &transport), REC_DONE_UNREACHABLE);
    assert_int_equal(evidence, 0);
    assert_in_range(w->udp_count, 2, 3);
    world_free(w);
}

static void a_bad_frame_closes_the_connection_and_no_more(void **state)
{
    static const char frames[][8] = {"\xff\xff\xff\xff", "garbage", "\x22\x00"}; /* the last: an Evidence */
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport;
    for (size_t i = 0; i < 3; i++) {
        greet(w, w->edge);
        assert_true(send(w->edge, frames[i], i == 2 ? 2 : 7, MSG_NOSIGNAL) > 0);
        assert_null(next_frame(w, w->edge));
        close(w->edge);
        w->edge = connect_edge(w);
    }
    greet(w, w->edge);
    ask(w->edge, 1, "host.", 5000);
    assert_int_equal(collect(w, w->edge, 1, &evidence, &transport), REC_DONE_ANSWERED);
    world_free(w);
}

static void a_fetch_before_the_hello_closes_the_connection(void **state)
{
    struct world *w = world_new();
    ask(w->edge, 1, "host.", 5000);
    Holdfast__Vr__VrFrame *frame = next_frame(w, w->edge);
    if (frame) { /* recursord's own Hello was under way */
        holdfast__vr__vr_frame__free_unpacked(frame, NULL);
        frame = next_frame(w, w->edge);
    }
    assert_null(frame);
    assert_int_equal(w->udp_count, 0);
    world_free(w);
}

static void a_new_validatord_replaces_the_old_and_its_fetches(void **state)
{
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport;
    greet(w, w->edge);
    ask(w->edge, 1, "silent.", 5000);
    int fresh = connect_edge(w);
    greet(w, fresh);
    assert_null(next_frame(w, w->edge));
    ask(fresh, 1, "host.", 5000); /* the id is free again */
    assert_int_equal(collect(w, fresh, 1, &evidence, &transport), REC_DONE_ANSWERED);
    close(fresh);
    world_free(w);
}

static int take_json(void *ctx, const Holdfast__Control__Reply *reply)
{
    snprintf(ctx, 4096, "%u %s", reply->code, reply->json);
    return 0;
}

static void ask_control(struct world *w, const char *verb, char json[4096])
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    char path[100];
    path_in(w, "control", path);
    request.protocol_version = 1;
    request.verb = (char *)verb;
    assert_int_equal(control_call(path, &request, take_json, json), 0);
}

static void the_control_socket_tells_what_goes_on(void **state)
{
    struct world *w = world_new();
    unsigned evidence;
    uint32_t transport;
    char json[4096];
    greet(w, w->edge);
    ask(w->edge, 1, "host.", 5000);
    assert_int_equal(collect(w, w->edge, 1, &evidence, &transport), REC_DONE_ANSWERED);
    ask_control(w, "status", json);
    assert_non_null(strstr(json, "\"validatord_connected\":true"));
    ask_control(w, "statistics", json);
    assert_non_null(strstr(json, "\"queries_udp\":1"));
    ask_control(w, "reset-statistics", json);
    ask_control(w, "statistics", json);
    assert_non_null(strstr(json, "\"queries_udp\":0"));
    ask_control(w, "show-server-state", json);
    assert_non_null(strstr(json, "\"address\":\"127.0.0.1\""));
    ask_control(w, "reset-server-features", json);
    ask_control(w, "show-server-state", json);
    assert_string_equal(json, "0 {\"servers\":[]}");
    ask_control(w, "no-such-verb", json);
    assert_int_not_equal(json[0], '0');
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_goes_out_over_udp_and_comes_back_as_evidence),
        cmocka_unit_test(every_question_has_a_port_of_its_own),
        cmocka_unit_test(truncated_answers_come_over_one_shared_tcp_connection),
        cmocka_unit_test(many_questions_at_once_share_the_connection_too),
        cmocka_unit_test(silence_ends_with_the_questions_time),
        cmocka_unit_test(a_bad_frame_closes_the_connection_and_no_more),
        cmocka_unit_test(a_fetch_before_the_hello_closes_the_connection),
        cmocka_unit_test(a_new_validatord_replaces_the_old_and_its_fetches),
        cmocka_unit_test(the_control_socket_tells_what_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
