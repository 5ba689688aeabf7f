#include "tests/unit/netd/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc/control.h"
#include "proto/config.pb-c.h"

#define START_WAIT_MS 5000

static void write_snapshot(const char *path, const char *directory, unsigned workers)
{
    Holdfast__Config__Snapshot snapshot = HOLDFAST__CONFIG__SNAPSHOT__INIT;
    snapshot.cache_size_bytes = 256u << 20;
    Holdfast__Config__Prefix allow = HOLDFAST__CONFIG__PREFIX__INIT;
    Holdfast__Config__Prefix *allow_list[] = {&allow};
    uint8_t loopback[4] = {127, 0, 0, 0};
    allow.address.data = loopback;
    allow.address.len = 4;
    allow.length = 8;
    snapshot.generation = 42;
    snapshot.runtime_directory = snapshot.state_directory = (char *)directory;
    snapshot.workers = workers;
    snapshot.allow = allow_list;
    snapshot.n_allow = 1;
    snapshot.minimal_responses = snapshot.special_use_names = snapshot.prefetch = snapshot.aggressive_denial =
        true;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    snapshot.sandbox = false; /* the sanitizers make system calls that are not ours */
#else
    snapshot.sandbox = getenv("HOLDFAST_SANITIZED") == NULL;
#endif
    snapshot.max_ttl_ms = 86400000;
    snapshot.stale_enabled = true;
    snapshot.stale_client_timeout_ms = 1000;
    snapshot.stale_answer_ttl_ms = 30000;
    snapshot.stale_max_age_ms = 259200000;
    snapshot.edns_size = 1232;
    snapshot.nsec3_iterations = 50;
    snapshot.log_level = 4;
    uint8_t bytes[4096];
    size_t size = holdfast__config__snapshot__pack(&snapshot, bytes);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static int bound(int type, const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &in.sin_addr);
    int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ? fd : (close(fd), -1);
}

static int listening_unix(const char *directory, const char *name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", directory, name);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void run_child(const char *snapshot, const int *fds, int count)
{
    char text[16];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
    for (int i = 0; i < count; i++) {
        int high = fcntl(fds[i], F_DUPFD, 20 + i);
        if (high < 0 || dup2(high, 3 + i) < 0)
            _exit(99);
        close(high);
    }
    snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof(text), "%d", count);
    setenv("LISTEN_FDS", text, 1);
    setenv("LISTEN_FDNAMES", "dns-udp:dns-tcp:edge:control", 1);
    execl(NETD_PROGRAM, "holdfast-netd", "--snapshot", snapshot, NULL);
    _exit(98);
}

static int sealed_memfd(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

struct netd_process netd_start(unsigned workers)
{
    struct netd_process p = {.edge = -1};
    char snapshot[96];
    int fds[4] = {-1, -1};
    strcpy(p.directory, "/tmp/holdfast-netd-XXXXXX");
    assert_non_null(mkdtemp(p.directory));
    snprintf(snapshot, sizeof(snapshot), "%s/snapshot", p.directory);
    write_snapshot(snapshot, p.directory, workers);
    /* A port that is free for both; UDP on the wildcard, so that replies have to say from where they leave.
     */
    for (unsigned i = 0; i < 200 && fds[1] < 0; i++) {
        p.port = (uint16_t)(20000 + (unsigned)(getpid() * 31 + (int)i * 7) % 30000);
        if ((fds[0] = bound(SOCK_DGRAM, "0.0.0.0", p.port)) >= 0 &&
            (fds[1] = bound(SOCK_STREAM, "127.0.0.1", p.port)) < 0)
            close(fds[0]);
    }
    assert_true(fds[1] >= 0);
    fds[2] = listening_unix(p.directory, "netd.edge");
    fds[3] = listening_unix(p.directory, "netd.control");
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0)
        run_child(snapshot, fds, 4);
    assert_int_equal(listen(fds[1], 64), 0); /* only now, as holdfastd does */
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    p.page_fd = sealed_memfd("page", SHARED_PAGE_BYTES);
    p.sketch_fd = sealed_memfd("sketch", SHARED_SKETCH_BYTES);
    p.page = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p.page_fd, 0);
    assert_true(p.page != MAP_FAILED);
    p.page->magic = SHARED_PAGE_MAGIC;
    p.page->version = 1;
    p.page->epoch = 7;
    p.page->commit_sequence = 100;
    return p;
}

void netd_stop(struct netd_process *p)
{
    int status = 0;
    kill(p->pid, SIGTERM);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    if (p->edge >= 0)
        close(p->edge);
    munmap(p->page, SHARED_PAGE_BYTES);
    close(p->page_fd);
    close(p->sketch_fd);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", p->directory);
    assert_int_equal(system(command), 0);
}

void validatord_send_raw(struct netd_process *p, const void *bytes, size_t size)
{
    assert_int_equal(send(p->edge, bytes, size, MSG_NOSIGNAL), size);
}

static Holdfast__Nv__NvFrame *read_frame(struct netd_process *p, int wait_ms)
{
    static uint8_t bytes[98304];
    struct pollfd poll_fd = {.fd = p->edge, .events = POLLIN};
    if (poll(&poll_fd, 1, wait_ms) <= 0)
        return NULL;
    ssize_t size = recv(p->edge, bytes, sizeof(bytes), 0);
    return size > 0 ? holdfast__nv__nv_frame__unpack(NULL, (size_t)size, bytes) : NULL;
}

void resolve_free(Holdfast__Nv__NvFrame *frame)
{
    holdfast__nv__nv_frame__free_unpacked(frame, NULL);
}

static int find_connected(void *ctx, const Holdfast__Control__Reply *reply)
{
    *(bool *)ctx = reply->json && strstr(reply->json, "\"connected\":true");
    return 0;
}

/* netd's Hello says that it accepted us; its status, that it has read ours. */
static void wait_until_met(const struct netd_process *p)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/netd.control", p->directory);
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    request.protocol_version = 1;
    request.verb = (char *)"status";
    bool met = false;
    for (unsigned i = 0; i < START_WAIT_MS / 5 && !met; i++) {
        assert_int_equal(control_call(path, &request, find_connected, &met), 0);
        usleep(met ? 0 : 5000);
    }
    assert_true(met);
}

void validatord_connect(struct netd_process *p)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/netd.edge", p->directory);
    p->edge = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(p->edge, (struct sockaddr *)&un, sizeof(un)), 0);

    Holdfast__Nv__Hello hello = HOLDFAST__NV__HELLO__INIT;
    hello.protocol_version = 1;
    hello.generation = 42;
    hello.file_generation = 1;
    hello.epoch = 7;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_HELLO;
    frame.hello = &hello;
    uint8_t bytes[128];
    struct iovec iov = {.iov_base = bytes, .iov_len = holdfast__nv__nv_frame__pack(&frame, bytes)};
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), (int[]){p->page_fd, p->sketch_fd}, 2 * sizeof(int));
    assert_true(sendmsg(p->edge, &message, 0) > 0);

    Holdfast__Nv__NvFrame *reply = read_frame(p, START_WAIT_MS);
    assert_non_null(reply);
    assert_int_equal(reply->body_case, HOLDFAST__NV__NV_FRAME__BODY_HELLO);
    assert_int_equal(reply->hello->generation, 42);
    resolve_free(reply);
    wait_until_met(p);
}

void validatord_leave(struct netd_process *p)
{
    close(p->edge);
    p->edge = -1;
}

Holdfast__Nv__NvFrame *validatord_next(struct netd_process *p, int wait_ms)
{
    Holdfast__Nv__NvFrame *frame = read_frame(p, wait_ms);
    if (frame)
        assert_int_equal(frame->body_case, HOLDFAST__NV__NV_FRAME__BODY_RESOLVE);
    return frame;
}

void validatord_answer(struct netd_process *p, const Holdfast__Nv__Resolve *resolve, unsigned count,
                       uint32_t ttl)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct answer answer = {.rcode = RCODE_NOERROR};
    struct rrset set = {.owner = resolve->qname.data,
                        .type = TYPE_A,
                        .class = CLASS_IN,
                        .ttl = ttl,
                        .count = (uint16_t)count};
    set.rdata = arena_array(arena, count, sizeof(struct rdata));
    for (unsigned i = 0; i < count; i++) {
        uint8_t address[4] = {192, 0, 2, (uint8_t)(i + 1)};
        set.rdata[i] = (struct rdata){.data = arena_copy(arena, address, 4), .size = 4};
    }
    rrset_list_add(arena, &answer.answer, &set);
    uint8_t wire[16384], bytes[16600];
    Holdfast__Nv__Verdict verdict = HOLDFAST__NV__VERDICT__INIT;
    verdict.id = resolve->id;
    verdict.security = SECURITY_SECURE;
    verdict.authentic = true;
    verdict.ttl = ttl;
    verdict.epoch = p->page->epoch;
    verdict.commit_sequence = p->page->commit_sequence + 1;
    verdict.answer.data = wire;
    verdict.answer.len =
        answer_to_wire(&answer, resolve->qname.data, (uint16_t)resolve->qtype, wire, sizeof(wire));
    assert_true(verdict.answer.len > 0);
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_VERDICT;
    frame.verdict = &verdict;
    validatord_send_raw(p, bytes, holdfast__nv__nv_frame__pack(&frame, bytes));
}

void validatord_serve(struct netd_process *p, const char *qname, unsigned count, uint32_t ttl)
{
    uint8_t wanted[NAME_MAX];
    Holdfast__Nv__NvFrame *frame = validatord_next(p, START_WAIT_MS);
    assert_non_null(frame);
    name_from_text(qname, wanted);
    assert_int_equal(frame->resolve->qname.len, name_size(wanted));
    assert_memory_equal(frame->resolve->qname.data, wanted, frame->resolve->qname.len);
    validatord_answer(p, frame->resolve, count, ttl);
    resolve_free(frame);
}

static int client(const struct netd_process *p, int type, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(p->port)};
    inet_pton(AF_INET, address, &in.sin_addr);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

int udp_client(const struct netd_process *p, const char *address)
{
    return client(p, SOCK_DGRAM, address);
}

int tcp_client(const struct netd_process *p)
{
    return client(p, SOCK_STREAM, "127.0.0.1");
}

/* A question with an OPT. Two octets of length first. */
static size_t question(uint8_t packet[512], uint16_t id, const char *qname)
{
    static const uint8_t opt[11] = {0, 0, TYPE_OPT, 4, 208};
    uint8_t *p = packet + 2;
    memcpy(p, (uint8_t[]){(uint8_t)(id >> 8), (uint8_t)id, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1}, 12);
    uint8_t name[NAME_MAX];
    name_from_text(qname, name);
    size_t size = 12 + name_size(name);
    memcpy(p + 12, name, name_size(name));
    memcpy(p + size, "\0\1\0\1", 4);
    memcpy(p + size + 4, opt, sizeof(opt));
    size += 4 + sizeof(opt);
    packet[0] = (uint8_t)(size >> 8);
    packet[1] = (uint8_t)size;
    return size;
}

void udp_ask(int fd, uint16_t id, const char *qname)
{
    uint8_t packet[512];
    size_t size = question(packet, id, qname);
    assert_int_equal(send(fd, packet + 2, size, 0), size);
}

void tcp_ask(int fd, uint16_t id, const char *qname)
{
    uint8_t packet[512];
    size_t size = question(packet, id, qname) + 2;
    assert_int_equal(send(fd, packet, size, MSG_NOSIGNAL), size);
}

size_t udp_read(int fd, uint8_t reply[65535], int wait_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, wait_ms) <= 0)
        return 0;
    ssize_t size = recv(fd, reply, 65535, 0);
    return size > 0 ? (size_t)size : 0;
}

static bool read_exactly(int fd, uint8_t *bytes, size_t size, int wait_ms)
{
    for (size_t at = 0; at < size;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, wait_ms) <= 0)
            return false;
        ssize_t got = recv(fd, bytes + at, size - at, 0);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

size_t tcp_read(int fd, uint8_t reply[65535], int wait_ms)
{
    uint8_t length[2];
    if (!read_exactly(fd, length, 2, wait_ms))
        return 0;
    size_t size = (size_t)length[0] << 8 | length[1];
    return read_exactly(fd, reply, size, wait_ms) ? size : 0;
}

bool reply_has_ede(const uint8_t *reply, size_t size, uint16_t code)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct message message;
    assert_int_equal(message_parse(arena, reply, size, &message), MESSAGE_OK);
    for (unsigned i = 0; i < message.edns.ede_count; i++) {
        if (message.edns.ede[i].code == code)
            return true;
    }
    return false;
}
