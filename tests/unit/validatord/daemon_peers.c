#include "daemon_peers.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/wire/build.h"
#include "daemons/validatord/edge_recursord.h"
#include "proto/config.pb-c.h"
#include "proto/netd_validatord.pb-c.h"
#include "proto/validatord_recursord.pb-c.h"

/* The sanitizers make system calls that are not ours. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

const char *daemon_program;

static void path_of(const struct fixture *f, const char *name, char path[108])
{
    assert_true(snprintf(path, 108, "%s/%s", f->directory, name) < 108);
}

static int listen_on(const struct fixture *f, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    path_of(f, name, address.sun_path);
    unlink(address.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void write_snapshot(const struct fixture *f)
{
    Holdfast__Config__Snapshot s = HOLDFAST__CONFIG__SNAPSHOT__INIT;
    uint8_t bytes[4096];
    char path[108];
    size_t size;
    int fd;

    s.generation = 77;
    s.runtime_directory = s.state_directory = (char *)f->directory;
    s.workers = 1;
    s.edns_size = 1232;
    s.sandbox = !SANITIZED;
    s.cache_size_bytes = 64 << 20;
    s.max_ttl_ms = 86400000;
    s.commit_interval_ms = 20;
    s.nta_lifetime_ms = 3600000;
    s.nta_max_lifetime_ms = 604800000;
    s.nsec3_iterations = 50;
    s.log_level = 3;
    assert_true(holdfast__config__snapshot__get_packed_size(&s) < sizeof(bytes));
    size = holdfast__config__snapshot__pack(&s, bytes);
    path_of(f, "snapshot", path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

void start(struct fixture *f)
{
    char path[108], pid[16];

    path_of(f, "snapshot", path);
    f->child = fork();
    assert_true(f->child >= 0);
    if (f->child == 0) {
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", "control", 1);
        if (f->control_listen != 3)
            dup2(f->control_listen, 3);
        else
            fcntl(3, F_SETFD, 0);
        execl(daemon_program, daemon_program, "--snapshot", path, (char *)NULL);
        _exit(127);
    }
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, WAIT_MS) == 1;
}

int accept_one(int listen_fd)
{
    int fd;

    assert_true(readable(listen_fd));
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

size_t receive(int fd, uint8_t *frame, int fds[2])
{
    struct iovec vector = {.iov_base = frame, .iov_len = IPC_FRAME_MAX};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
    } control;
    struct msghdr header = {.msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t got;

    assert_true(readable(fd));
    got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    if (got <= 0)
        return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(int) * 2));
        assert_non_null(fds);
        memcpy(fds, CMSG_DATA(c), sizeof(int) * 2);
    }
    return (size_t)got;
}

static void send_frame(int fd, const ProtobufCMessage *message)
{
    uint8_t frame[4096];
    size_t size;

    assert_true(protobuf_c_message_get_packed_size(message) < sizeof(frame));
    size = protobuf_c_message_pack(message, frame);
    assert_int_equal(send(fd, frame, size, MSG_NOSIGNAL), size);
}

static Holdfast__Nv__NvFrame *receive_nv(int fd, int fds[2])
{
    static uint8_t frame[IPC_FRAME_MAX];
    size_t size = receive(fd, frame, fds);
    Holdfast__Nv__NvFrame *nv;

    assert_true(size > 0);
    nv = holdfast__nv__nv_frame__unpack(NULL, size, frame);
    assert_non_null(nv);
    return nv;
}

static Holdfast__Vr__VrFrame *receive_vr(int fd)
{
    static uint8_t frame[IPC_FRAME_MAX];
    size_t size = receive(fd, frame, NULL);
    Holdfast__Vr__VrFrame *vr;

    assert_true(size > 0);
    vr = holdfast__vr__vr_frame__unpack(NULL, size, frame);
    assert_non_null(vr);
    return vr;
}

void expect_closed(int fd)
{
    static uint8_t frame[IPC_FRAME_MAX];

    while (receive(fd, frame, NULL))
        ;
}

void meet_netd(struct fixture *f)
{
    Holdfast__Nv__Hello hello = HOLDFAST__NV__HELLO__INIT;
    Holdfast__Nv__NvFrame out = HOLDFAST__NV__NV_FRAME__INIT, *in;
    int fds[2] = {-1, -1};

    f->netd = accept_one(f->netd_listen);
    in = receive_nv(f->netd, fds);
    assert_int_equal(in->body_case, HOLDFAST__NV__NV_FRAME__BODY_HELLO);
    assert_int_equal(in->hello->protocol_version, 1);
    assert_int_equal(in->hello->generation, 77);
    assert_int_not_equal(in->hello->file_generation, 0);
    f->epoch = in->hello->epoch;
    f->page = fds[0];
    f->sketch = fds[1];
    holdfast__nv__nv_frame__free_unpacked(in, NULL);
    hello.protocol_version = 1;
    out.body_case = HOLDFAST__NV__NV_FRAME__BODY_HELLO;
    out.hello = &hello;
    send_frame(f->netd, &out.base);
}

void meet_recursord(struct fixture *f)
{
    Holdfast__Vr__Hello hello = HOLDFAST__VR__HELLO__INIT;
    Holdfast__Vr__VrFrame out = HOLDFAST__VR__VR_FRAME__INIT, *in;

    f->recursord = accept_one(f->recursord_listen);
    in = receive_vr(f->recursord);
    assert_int_equal(in->body_case, HOLDFAST__VR__VR_FRAME__BODY_HELLO);
    assert_int_equal(in->hello->protocol_version, VR_PROTOCOL_VERSION);
    holdfast__vr__vr_frame__free_unpacked(in, NULL);
    hello.protocol_version = VR_PROTOCOL_VERSION;
    out.body_case = HOLDFAST__VR__VR_FRAME__BODY_HELLO;
    out.hello = &hello;
    send_frame(f->recursord, &out.base);
}

void part_netd(struct fixture *f)
{
    close(f->netd);
    close(f->page);
    close(f->sketch);
}

void stop(struct fixture *f, int signal_number)
{
    int status;

    kill(f->child, signal_number);
    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    if (signal_number == SIGTERM)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    f->child = 0;
}

int daemon_setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    strcpy(f->directory, "/tmp/holdfast-daemon-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->netd_listen = listen_on(f, "netd.edge");
    f->recursord_listen = listen_on(f, "recursord.edge");
    f->control_listen = listen_on(f, "validatord.control");
    write_snapshot(f);
    start(f);
    meet_netd(f);
    meet_recursord(f);
    *state = f;
    return 0;
}

int daemon_teardown(void **state)
{
    static const char files[][24] = {"netd.edge", "recursord.edge", "validatord.control", "snapshot",
                                     "data.mdb",  "lock.mdb",       "writer.state"};
    struct fixture *f = *state;
    char path[108];

    if (f->child)
        stop(f, SIGTERM);
    part_netd(f);
    close(f->recursord);
    close(f->netd_listen);
    close(f->recursord_listen);
    close(f->control_listen);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        path_of(f, files[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(f->directory), 0);
    test_free(f);
    return 0;
}

void ask(int netd, uint64_t id, const void *qname, size_t size)
{
    Holdfast__Nv__Resolve resolve = HOLDFAST__NV__RESOLVE__INIT;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;

    resolve.id = id;
    resolve.qname = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)qname};
    resolve.qtype = 1;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_RESOLVE;
    frame.resolve = &resolve;
    send_frame(netd, &frame.base);
}

void send_done(int recursord, uint64_t fetch, uint32_t outcome)
{
    Holdfast__Vr__Done done = HOLDFAST__VR__DONE__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;

    done.fetch_id = fetch;
    done.outcome = outcome;
    done.ede_code = 22;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_DONE;
    frame.done = &done;
    send_frame(recursord, &frame.base);
}

void send_answer(int recursord, uint64_t fetch)
{
    send_answer_with_end(recursord, fetch, 0);
}

void send_answer_with_end(int recursord, uint64_t fetch, uint64_t ended)
{
    static const uint8_t address[4] = {192, 0, 2, 1}, root[1] = {0}, server[4] = {198, 41, 0, 4};
    Holdfast__Vr__Evidence evidence = HOLDFAST__VR__EVIDENCE__INIT;
    Holdfast__Vr__Done done = HOLDFAST__VR__DONE__INIT;
    Holdfast__Vr__VrFrame frame = HOLDFAST__VR__VR_FRAME__INIT;
    uint8_t wire[512];
    struct builder b;

    build_begin(&b, wire, sizeof(wire), 1, FLAG_QR | FLAG_AA);
    build_question(&b, (const uint8_t *)question, TYPE_A, CLASS_IN);
    assert_int_equal(
        build_rr(&b, SECTION_ANSWER, (const uint8_t *)question, TYPE_A, CLASS_IN, 300, address, 4), 0);
    evidence.fetch_id = fetch;
    evidence.kind = 2;
    evidence.cut = (ProtobufCBinaryData){.len = 1, .data = (uint8_t *)root};
    evidence.server = (ProtobufCBinaryData){.len = 4, .data = (uint8_t *)server};
    evidence.message = (ProtobufCBinaryData){.len = build_end(&b), .data = wire};
    done.fetch_id = ended;
    done.ede_code = 0xffff;
    evidence.done = ended ? &done : NULL;
    frame.body_case = HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE;
    frame.evidence = &evidence;
    send_frame(recursord, &frame.base);
}

uint64_t expect_fetch(int recursord)
{
    Holdfast__Vr__VrFrame *in;
    uint64_t id;

    do { /* cancelled ones may come in between */
        in = receive_vr(recursord);
        id = in->body_case == HOLDFAST__VR__VR_FRAME__BODY_FETCH ? in->fetch->id : 0;
        if (id) {
            assert_memory_equal(in->fetch->qname.data, question, sizeof(question));
            assert_true(in->fetch->upstream_queries <= 200);
            assert_true(in->fetch->wall_ms <= 10000);
        }
        holdfast__vr__vr_frame__free_unpacked(in, NULL);
    } while (!id);
    return id;
}

void expect_verdict(int netd, uint64_t id, uint16_t rcode)
{
    Holdfast__Nv__NvFrame *in = receive_nv(netd, NULL);

    assert_int_equal(in->body_case, HOLDFAST__NV__NV_FRAME__BODY_VERDICT);
    assert_int_equal(in->verdict->id, id);
    assert_false(in->verdict->authentic);
    assert_true(in->verdict->answer.len > 12);
    assert_int_equal(in->verdict->answer.data[3] & 15, rcode);
    holdfast__nv__nv_frame__free_unpacked(in, NULL);
}

static int keep_reply(void *ctx, const Holdfast__Control__Reply *reply)
{
    struct reply *kept = ctx;

    kept->code = (int)reply->code;
    snprintf(kept->json, sizeof(kept->json), "%s", reply->json);
    return 0;
}

struct reply control_verb(struct fixture *f, const char *verb, const char *name)
{
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    struct reply reply = {.code = -1};
    uint8_t wire[NAME_MAX];
    char path[108];

    path_of(f, "validatord.control", path);
    request.verb = (char *)verb;
    request.lifetime_ms = f->lifetime_ms;
    request.reason = (char *)"why";
    request.author = (char *)"who";
    if (name) {
        assert_int_equal(name_from_text(name, wire), 0);
        request.name = (ProtobufCBinaryData){.len = name_size(wire), .data = wire};
    }
    assert_int_equal(control_call(path, &request, keep_reply, &reply), 0);
    return reply;
}

uint64_t page_epoch(const struct fixture *f)
{
    struct shared_page *page = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ, MAP_SHARED, f->page, 0);
    uint64_t epoch = atomic_load(&page->epoch);

    munmap(page, SHARED_PAGE_BYTES);
    return epoch;
}
