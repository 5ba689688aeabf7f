/* ipc: frames over SEQPACKET pairs, budgets of unpacking, control calls. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc/control.h"
#include "proto/netd_validatord.pb-c.h"
#include "proto/validatord_recursord.pb-c.h"

struct side {
    struct ipc_conn *conn;
    unsigned frames, idles, closed, fds;
    uint64_t last_id, stop_after;
    sd_event *event;
};

static int on_frame(struct ipc_conn *conn, void *ctx, struct slice frame, int *fds, size_t fd_count)
{
    struct side *side = ctx;
    Holdfast__Nv__NvFrame *message =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, frame);
    if (!message || message->body_case != HOLDFAST__NV__NV_FRAME__BODY_RESOLVE) {
        ipc_unpack_free(message ? &message->base : NULL);
        return -EBADMSG;
    }
    assert_true(message->resolve->id == side->last_id + 1);
    side->last_id = message->resolve->id;
    side->frames++;
    side->fds += (unsigned)fd_count;
    ipc_unpack_free(&message->base);
    if (side->frames == side->stop_after)
        sd_event_exit(side->event, 0);
    return 0;
}

static void on_idle(struct ipc_conn *conn, void *ctx)
{
    ((struct side *)ctx)->idles++;
}

static void on_closed(struct ipc_conn *conn, void *ctx, int error)
{
    struct side *side = ctx;
    side->closed++;
    side->conn = NULL;
    sd_event_exit(side->event, 0);
}

static const struct ipc_handlers handlers = {.frame = on_frame, .idle = on_idle, .closed = on_closed};

static void pair_up(sd_event *event, struct side sides[2])
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct side){.event = event};
        assert_int_equal(ipc_conn_new(event, fds[i], &handlers, &sides[i], &sides[i].conn), 0);
    }
}

static int send_resolve(struct ipc_conn *conn, uint64_t id, const int *fds, size_t fd_count)
{
    uint8_t name[] = {3, 'c', 'o', 'm', 0};
    Holdfast__Nv__Resolve resolve = HOLDFAST__NV__RESOLVE__INIT;
    Holdfast__Nv__NvFrame frame = HOLDFAST__NV__NV_FRAME__INIT;
    resolve.id = id;
    resolve.qname = (ProtobufCBinaryData){.len = sizeof(name), .data = name};
    frame.body_case = HOLDFAST__NV__NV_FRAME__BODY_RESOLVE;
    frame.resolve = &resolve;
    return ipc_conn_send_fds(conn, &frame.base, fds, fd_count);
}

static void many_frames_arrive_in_order_and_in_batches(void **state)
{
    sd_event *event;
    struct side sides[2];
    assert_true(sd_event_new(&event) >= 0);
    pair_up(event, sides);
    sides[1].stop_after = 5000;
    for (uint64_t id = 1; id <= 5000; id++)
        assert_int_equal(send_resolve(sides[0].conn, id, NULL, 0), 0);
    assert_int_equal(sd_event_loop(event), 0);
    assert_int_equal(sides[1].frames, 5000);
    assert_true(sides[1].idles < 2000);
    ipc_conn_free(sides[0].conn);
    ipc_conn_free(sides[1].conn);
    sd_event_unref(event);
}

static void descriptors_travel_and_do_not_leak(void **state)
{
    sd_event *event;
    struct side sides[2];
    assert_true(sd_event_new(&event) >= 0);
    pair_up(event, sides);
    int probe = dup(0), fd = memfd_create("epoch", MFD_CLOEXEC);
    close(probe);
    sides[1].stop_after = 100;
    for (uint64_t id = 1; id <= 100; id++)
        assert_int_equal(send_resolve(sides[0].conn, id, &fd, 1), 0);
    assert_int_equal(sd_event_loop(event), 0);
    assert_int_equal(sides[1].fds, 100);
    close(fd);
    int again = dup(0);
    assert_int_equal(again, probe);
    close(again);
    ipc_conn_free(sides[0].conn);
    ipc_conn_free(sides[1].conn);
    sd_event_unref(event);
}

static void a_bad_frame_closes_the_connection(void **state)
{
    sd_event *event;
    struct side side = {0};
    int fds[2];
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    side.event = event;
    assert_int_equal(ipc_conn_new(event, fds[0], &handlers, &side, &side.conn), 0);
    assert_int_equal(send(fds[1], "\xff\xff\xff", 3, 0), 3);
    assert_int_equal(sd_event_loop(event), 0);
    assert_int_equal(side.closed, 1);
    close(fds[1]);
    sd_event_unref(event);
}

static void a_peer_that_leaves_is_noticed(void **state)
{
    sd_event *event;
    struct side sides[2];
    assert_true(sd_event_new(&event) >= 0);
    pair_up(event, sides);
    ipc_conn_free(sides[0].conn);
    assert_int_equal(sd_event_loop(event), 0);
    assert_int_equal(sides[1].closed, 1);
    sd_event_unref(event);
}

static void a_full_queue_is_refused_not_grown(void **state)
{
    sd_event *event;
    struct side sides[2];
    assert_true(sd_event_new(&event) >= 0);
    pair_up(event, sides);
    uint64_t id = 1;
    int r = 0;
    while (id < 2000000 && (r = send_resolve(sides[0].conn, id, NULL, 0)) == 0)
        id++;
    assert_int_equal(r, 1);
    ipc_conn_free(sides[0].conn);
    ipc_conn_free(sides[1].conn);
    sd_event_unref(event);
}

static void a_frame_of_empty_submessages_is_over_budget(void **state)
{
    size_t count = 30000, size = 0;
    uint8_t *frame = malloc(count * 2);
    assert_non_null(frame);
    /* Snapshot.listen, field 10, length 0, over and over: 2 octets each, dozens unpacked. */
    for (size_t i = 0; i < count; i++) {
        frame[size++] = 10 << 3 | 2;
        frame[size++] = 0;
    }
    extern const ProtobufCMessageDescriptor holdfast__config__snapshot__descriptor;
    assert_null(ipc_unpack(&holdfast__config__snapshot__descriptor, slice_make(frame, size)));
    ProtobufCMessage *some = ipc_unpack(&holdfast__config__snapshot__descriptor, slice_make(frame, 200));
    assert_non_null(some);
    ipc_unpack_free(some);
    free(frame);
}

static void on_control(void *ctx, const Holdfast__Control__Request *request, struct control_request *reply_to)
{
    assert_string_equal(request->verb, "status");
    control_reply(reply_to, 0, NULL, "{\"part\":1}", (struct slice){0}, slice_make("more", 4), false);
    control_reply(reply_to, 0, NULL, "{\"part\":2}", (struct slice){0}, (struct slice){0}, true);
}

static int collect(void *ctx, const Holdfast__Control__Reply *reply)
{
    strcat(ctx, reply->json);
    return 0;
}

struct caller {
    const char *path;
    char text[64];
    int result;
    sd_event *event;
    int wake;
};

static void *call_main(void *ctx)
{
    struct caller *caller = ctx;
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    request.verb = (char *)"status";
    caller->result = control_call(caller->path, &request, collect, caller->text);
    if (write(caller->wake, "x", 1) != 1)
        caller->result = -EIO;
    return NULL;
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    return sd_event_exit(userdata, 0);
}

static void a_control_call_gets_all_replies(void **state)
{
    char directory[] = "/tmp/holdfast-ipc-XXXXXX", path[64];
    int wake[2];
    sd_event *event;
    struct control_server *server;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/control", directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(pipe(wake), 0);
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(control_server_new(event, fd, on_control, NULL, &server), 0);
    sd_event_source *io;
    assert_true(sd_event_add_io(event, &io, wake[0], EPOLLIN, on_wake, event) >= 0);
    struct caller caller = {.path = path, .event = event, .wake = wake[1]};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, call_main, &caller), 0);
    assert_int_equal(sd_event_loop(event), 0);
    pthread_join(thread, NULL);
    assert_int_equal(caller.result, 0);
    assert_string_equal(caller.text, "{\"part\":1}{\"part\":2}");
    sd_event_source_unref(io);
    control_server_free(server);
    sd_event_unref(event);
    Holdfast__Control__Request request = HOLDFAST__CONTROL__REQUEST__INIT;
    assert_int_equal(control_call(path, &request, collect, caller.text), -ECONNREFUSED);
    close(wake[0]);
    close(wake[1]);
    unlink(path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_frames_arrive_in_order_and_in_batches),
        cmocka_unit_test(descriptors_travel_and_do_not_leak),
        cmocka_unit_test(a_bad_frame_closes_the_connection),
        cmocka_unit_test(a_peer_that_leaves_is_noticed),
        cmocka_unit_test(a_full_queue_is_refused_not_grown),
        cmocka_unit_test(a_frame_of_empty_submessages_is_over_budget),
        cmocka_unit_test(a_control_call_gets_all_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
