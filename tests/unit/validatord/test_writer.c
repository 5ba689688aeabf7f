#include "daemons/validatord/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cache/key.h"
#include "common/wire/name.h"
#include "daemons/validatord/shared_memory.h"

struct fixture {
    char directory[64];
    sd_event *event;
    struct writer *writer;
    unsigned commits;
    int result;
    uint64_t sequence;
    uint64_t start_sequence; /* what the clock says */
    bool op_ran, op_done;
    int op_result;
    struct writer_op op;
    _Atomic size_t seen; /* the writer counts, the test looks */
};

static void committed(void *ctx, uint64_t sequence, int result)
{
    struct fixture *f = ctx;

    f->commits++;
    f->sequence = sequence;
    f->result = result;
}

static void open_writer(struct fixture *f)
{
    const struct writer_handlers handlers = {.committed = committed};
    struct writer_config config = {
        .store = {.directory = f->directory, .size_bytes = 64 << 20, .commit_interval_ms = 20},
        .stale_max_s = 86400,
        .commit_sequence = f->start_sequence};
    char *quarantined = NULL;

    assert_int_equal(writer_new(f->event, &config, &handlers, f, &f->writer, &quarantined), 0);
    assert_null(quarantined);
}

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    strcpy(f->directory, "/tmp/holdfast-writer-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_true(sd_event_new(&f->event) >= 0);
    f->start_sequence = 1000;
    open_writer(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char files[][16] = {"data.mdb", "lock.mdb", "writer.state"};
    struct fixture *f = *state;
    char path[128];

    writer_free(f->writer);
    sd_event_unref(f->event);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", f->directory, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(f->directory), 0);
    test_free(f);
    return 0;
}

static mono_ns now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns){.ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec};
}

static struct slice text(const char *string)
{
    return slice_make(string, strlen(string));
}

static void put(struct fixture *f, const char *key, const char *value, uint64_t epoch)
{
    struct cache_write write = {.db = CACHE_RR,
                                .remove = !value,
                                .key = text(key),
                                .value = text(value ? value : ""),
                                .epoch = epoch};

    assert_int_equal(writer_queue(f->writer, &write), 0);
}

/* What the core would see. */
static void expect(struct fixture *f, const char *key, const char *value)
{
    struct cache_view view;
    struct slice got;
    int r;

    assert_int_equal(writer_view(f->writer, now(), &view), 0);
    r = view.get(view.ctx, CACHE_RR, text(key), &got);
    if (value) {
        assert_int_equal(r, 0);
        assert_int_equal(got.size, strlen(value));
        assert_memory_equal(got.data, value, got.size);
    } else {
        assert_int_equal(r, CACHE_MISS);
    }
    writer_view_end(f->writer);
}

/* Turns the loop until *flag or for at most a minute. */
#define RUN_UNTIL(f, condition)                                                                              \
    do {                                                                                                     \
        mono_ns end_ = mono_add_ms(now(), 60000);                                                            \
        while (!(condition)) {                                                                               \
            assert_true(sd_event_run((f)->event, 100000) >= 0);                                              \
            assert_false(mono_reached(now(), end_));                                                         \
        }                                                                                                    \
    } while (0)

static void write_is_seen_at_once_and_after_its_commit(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "1", 5);
    expect(f, "a", "1");
    expect(f, "b", NULL);
    assert_int_equal(writer_sequence(f->writer), 1001);
    RUN_UNTIL(f, f->commits == 1);
    assert_int_equal(f->result, 0);
    assert_int_equal(f->sequence, 1001);
    assert_int_equal(writer_queued(f->writer), 0);
    expect(f, "a", "1");
}

static void removal_hides_what_is_committed(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "1", 5);
    RUN_UNTIL(f, f->commits == 1);
    put(f, "a", NULL, 5);
    expect(f, "a", NULL);
    RUN_UNTIL(f, f->commits == 2);
    expect(f, "a", NULL);
}

static void entry_queued_anew_during_its_commit_stays(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "1", 5);
    /* the first commit of a run waits for a lease of the writer before it: time to queue */
    while (writer_sequence(f->writer) == 1001)
        assert_true(sd_event_run(f->event, 10000) >= 0);
    assert_int_equal(f->commits, 0);
    put(f, "a", "2", 5);
    expect(f, "a", "2");
    RUN_UNTIL(f, f->commits == 1);
    expect(f, "a", "2");
    RUN_UNTIL(f, f->commits == 2);
    expect(f, "a", "2");
}

static void seeks_see_queued_inflight_and_committed_as_one(void **state)
{
    struct fixture *f = *state;
    struct cache_view view;
    struct slice key, value;

    put(f, "b", "1", 5);
    RUN_UNTIL(f, f->commits == 1);
    put(f, "d", "1", 5);
    while (writer_sequence(f->writer) == 1002)
        assert_true(sd_event_run(f->event, 10000) >= 0);
    put(f, "c", "1", 5);
    put(f, "b", NULL, 5);
    assert_int_equal(writer_view(f->writer, now(), &view), 0);
    assert_int_equal(view.seek_ge(view.ctx, CACHE_RR, text("a"), &key, &value), 0);
    assert_memory_equal(key.data, "c", 1);
    assert_int_equal(view.seek_le(view.ctx, CACHE_RR, text("z"), &key, &value), 0);
    assert_memory_equal(key.data, "d", 1);
    assert_int_equal(view.seek_le(view.ctx, CACHE_RR, text("bb"), &key, &value), CACHE_MISS);
    writer_view_end(f->writer);
}

static void what_was_committed_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    pid_t child;
    int status;

    writer_free(f->writer);
    f->writer = NULL;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fixture g = *f;

        if (sd_event_new(&g.event) < 0)
            _exit(1);
        open_writer(&g);
        put(&g, "a", "1", 5);
        put(&g, "b", "2", 5);
        while (g.commits == 0)
            if (sd_event_run(g.event, 100000) < 0)
                _exit(1);
        put(&g, "c", "3", 5); /* queued, and lost: that is allowed */
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    open_writer(f);
    expect(f, "a", "1");
    expect(f, "b", "2");
    expect(f, "c", NULL);
}

static void closing_commits_what_is_queued(void **state)
{
    struct fixture *f = *state;

    put(f, "a", "1", 5);
    writer_free(f->writer);
    open_writer(f);
    expect(f, "a", "1");
}

/* A verdict may carry the number of a commit that never came, here because the process dies. */
static void commit_sequence_never_falls_though_the_clock_is_set_back(void **state)
{
    struct fixture *f = *state;
    uint64_t told, later;

    put(f, "a", "1", 5);
    RUN_UNTIL(f, f->commits == 1);
    told = writer_sequence(f->writer);
    assert_int_equal(told, 1002);
    writer_free(f->writer);
    f->start_sequence = 10;
    open_writer(f);
    later = writer_sequence(f->writer);
    assert_true(later > told);
    put(f, "a", "2", 5);
    RUN_UNTIL(f, f->commits == 2);
    assert_int_equal(f->sequence, later);
    writer_free(f->writer);
    open_writer(f);
    assert_true(writer_sequence(f->writer) > later + 1);
    writer_free(f->writer);
    f->start_sequence = UINT64_C(1) << 60; /* the clock is ahead of it again */
    open_writer(f);
    assert_int_equal(writer_sequence(f->writer), (UINT64_C(1) << 60) + 1);
}

static void raised_epoch_drops_what_was_judged_before_it(void **state)
{
    struct fixture *f = *state;
    struct cache_write nta = {.db = CACHE_NTA, .key = text("n"), .value = text("1"), .epoch = 5};

    writer_set_epoch(f->writer, 5);
    put(f, "a", "1", 5);
    assert_int_equal(writer_queue(f->writer, &nta), 0);
    writer_set_epoch(f->writer, 6);
    expect(f, "a", NULL);
    put(f, "b", "1", 6);
    assert_int_equal(writer_queued(f->writer), 2);
    RUN_UNTIL(f, f->commits == 1);
    expect(f, "a", NULL);
    expect(f, "b", "1");
    writer_free(f->writer);
    open_writer(f);
    assert_int_equal(writer_epoch(f->writer), 6);
}

static int count_entry(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    ((struct fixture *)ctx)->seen++;
    return 0;
}

static int run_count(struct writer_op *op, struct store *store)
{
    struct fixture *f = CONTAINER_OF(op, struct fixture, op);

    f->op_ran = true;
    f->seen = 0;
    return store_walk(store, CACHE_RR, (struct slice){0}, 100, count_entry, f);
}

static void done_op(struct writer_op *op, int result)
{
    struct fixture *f = CONTAINER_OF(op, struct fixture, op);

    f->op_done = true;
    f->op_result = result;
}

static void operation_after_queued_sees_what_was_queued(void **state)
{
    struct fixture *f = *state;

    f->op = (struct writer_op){.run = run_count, .done = done_op};
    put(f, "a", "1", 5);
    put(f, "b", "1", 5);
    writer_submit_after_queued(f->writer, &f->op);
    put(f, "c", "1", 5); /* later: need not be seen */
    RUN_UNTIL(f, f->op_done);
    assert_true(f->op_result >= 2);
    assert_true(f->seen >= 2);
    RUN_UNTIL(f, writer_queued(f->writer) == 0);
    expect(f, "c", "1");
}

static int run_flush(struct writer_op *op, struct store *store)
{
    return (int)store_flush(store, name_root, true);
}

static void nothing_flushed_comes_back_by_the_queue(void **state)
{
    struct fixture *f = *state;
    struct cache_key key;
    uint8_t name[NAME_MAX];
    struct cache_write write = {.db = CACHE_RR, .value = text("1"), .epoch = 5};

    writer_set_epoch(f->writer, 5);
    assert_int_equal(name_from_text("a.example", name), 0);
    assert_int_equal(cache_key_rr(name, 1, &key), 0);
    write.key = cache_key_slice(&key);
    assert_int_equal(writer_queue(f->writer, &write), 0);
    RUN_UNTIL(f, f->commits == 1);
    f->op = (struct writer_op){.run = run_flush, .done = done_op};
    writer_submit(f->writer, &f->op);
    /* judged under the old epoch, while the flush runs */
    assert_int_equal(writer_queue(f->writer, &write), 0);
    RUN_UNTIL(f, f->op_done);
    assert_int_equal(f->op_result, 1);
    writer_set_epoch(f->writer, 6);
    for (unsigned i = 0; i < 10; i++)
        assert_true(sd_event_run(f->event, 10000) >= 0);
    {
        struct cache_view view;
        struct slice value;

        assert_int_equal(writer_view(f->writer, now(), &view), 0);
        assert_int_equal(view.get(view.ctx, CACHE_RR, write.key, &value), CACHE_MISS);
        writer_view_end(f->writer);
    }
}

static void operations_not_begun_are_told_at_the_end(void **state)
{
    struct fixture *f = *state;

    f->op = (struct writer_op){.run = run_count, .done = done_op};
    put(f, "a", "1", 5);
    writer_submit(f->writer, &f->op);
    writer_free(f->writer);
    f->writer = NULL;
    assert_true(f->op_done);
}

static void done_again(struct writer_op *op, int result)
{
    struct fixture *f = CONTAINER_OF(op, struct fixture, op);

    f->seen++;
    f->op_result = result;
    if (result >= 0)
        writer_submit_after_queued(f->writer, op); /* as a walk in chunks does */
}

static void walk_that_goes_on_for_ever_ends_with_the_writer(void **state)
{
    struct fixture *f = *state;

    f->op = (struct writer_op){.run = run_count, .done = done_again};
    put(f, "a", "1", 5);
    writer_submit(f->writer, &f->op);
    RUN_UNTIL(f, f->seen > 0);
    put(f, "b", "1", 5);
    writer_free(f->writer);
    assert_int_equal(f->op_result, -ECANCELED);
    open_writer(f);
    expect(f, "a", "1");
    expect(f, "b", "1");
}

static void page_is_read_only_for_others_and_the_sketch_cannot_shrink(void **state)
{
    struct shared_memory shared;
    void *map;

    assert_int_equal(shared_memory_init(&shared), 0);
    atomic_store(&shared.page->epoch, 7);
    map = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, shared.page_fd, 0);
    assert_ptr_equal(map, MAP_FAILED);
    map = mmap(NULL, SHARED_PAGE_BYTES, PROT_READ, MAP_SHARED, shared.page_fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(atomic_load(&((struct shared_page *)map)->epoch), 7);
    assert_int_equal(mprotect(map, SHARED_PAGE_BYTES, PROT_READ | PROT_WRITE), -1);
    munmap(map, SHARED_PAGE_BYTES);
    assert_int_equal(ftruncate(shared.sketch_fd, 0), -1);
    assert_int_equal(ftruncate(shared.page_fd, 0), -1);
    assert_int_equal(fcntl(shared.sketch_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    shared_sketch_add(shared.sketch, 42);
    shared_sketch_add(shared.sketch, 42);
    assert_int_equal(shared_sketch_get(shared.sketch, 42), 2);
    shared_memory_age(&shared);
    assert_int_equal(shared_sketch_get(shared.sketch, 42), 1);
    shared_memory_fini(&shared);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(write_is_seen_at_once_and_after_its_commit),
        T(removal_hides_what_is_committed),
        T(entry_queued_anew_during_its_commit_stays),
        T(seeks_see_queued_inflight_and_committed_as_one),
        T(what_was_committed_survives_kill_9),
        T(closing_commits_what_is_queued),
        T(commit_sequence_never_falls_though_the_clock_is_set_back),
        T(raised_epoch_drops_what_was_judged_before_it),
        T(operation_after_queued_sees_what_was_queued),
        T(nothing_flushed_comes_back_by_the_queue),
        T(operations_not_begun_are_told_at_the_end),
        T(walk_that_goes_on_for_ever_ends_with_the_writer),
        cmocka_unit_test(page_is_read_only_for_others_and_the_sketch_cannot_shrink),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
