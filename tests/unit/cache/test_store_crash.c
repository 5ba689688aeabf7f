/* The store against other processes and bad files: readers under the lease, kill -9, truncation, flipped
 * octets. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/cache/random.h"
#include "tests/unit/cache/store_fixture.h"

#define FAR_FUTURE (INT64_C(1) << 35)
#define BATCH      200u

static void data_path(struct store_fixture *f, char path[192])
{
    snprintf(path, 192, "%s/data.mdb", f->directory);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In the child: all entries of a snapshot are of one generation, however long it is looked at within half a
 * lease. Exit status: 0, or how it went wrong. */
static int read_for_a_while(const char *directory)
{
    struct store *store;
    int64_t newest = 0;
    unsigned seen = 0;
    uint64_t seed = 31;
    if (store_open_reader(directory, &store))
        return 2;
    /* on a busy machine much is late and does not count */
    for (mono_ns end = mono_add_ms(sf_now(), 20000); seen < 12 || newest <= 10;) {
        if (mono_reached(sf_now(), end))
            return 5;
        struct cache_view view;
        bool same = true;
        if (store_read_begin(store, sf_now(), &view))
            return 3;
        int64_t first = sf_get(&view, 0);
        for (unsigned pause = 0; pause < 4; pause++) {
            sf_sleep_ms(random_up_to(&seed, 50));
            for (uint32_t i = pause; i < BATCH; i += 4)
                same &= sf_get(&view, i) == first;
        }
        bool late = store_read_expired(store, sf_now());
        store_read_end(store);
        if (late)
            continue;
        if (!same || first < newest)
            return 4;
        newest = first;
        seen++;
    }
    store_close(store);
    return 0;
}

static void a_reader_without_locks_sees_whole_snapshots(void **state)
{
    struct store_fixture *f = *state;
    uint32_t generation = 1;
    int status;
    sf_open_sized(f, 64u << 20);
    sf_put(f, 0, BATCH, generation, FAR_FUTURE, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(read_for_a_while(f->directory));
    /* each commit frees the pages of the one before: without a lease they are written over at once */
    while (waitpid(pid, &status, WNOHANG) == 0) {
        sf_put(f, 0, BATCH, ++generation, FAR_FUTURE, 0);
        sf_sleep_ms(
            2); /* else an idle machine fills the map with what is under lease, and entries make room */
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(generation > 10);
}

static void a_reader_follows_a_map_that_grew(void **state)
{
    struct store_fixture *f = *state;
    struct store *reader;
    sf_open_sized(f, 1u << 20);
    sf_put(f, 0, 10, 1, FAR_FUTURE, 0);
    assert_int_equal(store_open_reader(f->directory, &reader), 0);
    assert_int_equal(sf_look(reader, 3), 1);
    sf_close(f);
    sf_open_sized(f, 8u << 20);
    for (uint32_t i = 0; i < 12; i++)
        sf_put(f, 1000 * i, 1000, 2, FAR_FUTURE, 0);
    assert_int_equal(sf_look(reader, 11999), 2);
    assert_int_equal(sf_look(reader, 3), 2);
    assert_false(store_replaced(reader));
    store_close(reader);
}

/* In the child: batch after batch, each reported when it was committed. */
static void write_for_ever(const char *directory, int report)
{
    struct store_fixture f = {0};
    snprintf(f.directory, sizeof(f.directory), "%s", directory);
    sf_open(&f);
    for (uint32_t batch = 1;; batch++) {
        sf_put(&f, batch % 10 * BATCH, BATCH, batch, FAR_FUTURE, 0);
        if (write(report, &batch, sizeof(batch)) != sizeof(batch))
            _exit(1);
    }
}

static void a_killed_writer_loses_nothing_that_was_committed(void **state)
{
    struct store_fixture *f = *state;
    uint32_t last = 0;
    for (unsigned round = 0; round < 3; round++) {
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t pid = fork();
        if (pid == 0)
            write_for_ever(f->directory, report[1]);
        close(report[1]);
        for (unsigned i = 0; i < 25 + round; i++)
            assert_int_equal(read(report[0], &last, sizeof(last)), sizeof(last));
        kill(pid, SIGKILL);
        assert_int_equal(wait_for(pid), 128 + SIGKILL);
        while (read(report[0], &last, sizeof(last)) == sizeof(last))
            ;
        close(report[0]);
        sf_open(f);
        assert_int_equal(store_last_clean_close(f->store).s, 0);
        for (uint32_t batch = last - 9; batch <= last; batch++)
            for (uint32_t i = 0; i < BATCH; i++) {
                int64_t found = sf_look(f->store, batch % 10 * BATCH + i);
                /* the one batch after the last reported may be there too */
                assert_true(found == batch || found == batch + 10);
            }
        sf_close(f);
    }
}

static void make_file(struct store_fixture *f)
{
    sf_open(f);
    for (uint32_t i = 0; i < 5; i++)
        sf_put(f, 300 * i, 600, i, FAR_FUTURE, 0);
    sf_close(f);
}

static char *open_again(struct store_fixture *f)
{
    struct store_config config = {.directory = f->directory, .size_bytes = STORE_TEST_BYTES};
    char *quarantined = NULL;
    assert_int_equal(store_open_writer(&config, &f->store, &quarantined), 0);
    /* whatever it was, it works now */
    sf_put(f, 5000, 10, 7, FAR_FUTURE, 0);
    assert_int_equal(sf_look(f->store, 5003), 7);
    sf_close(f);
    return quarantined;
}

static void a_truncated_file_is_moved_aside(void **state)
{
    struct store_fixture *f = *state;
    char path[192];
    struct stat st;
    data_path(f, path);
    const off_t sizes[] = {8192 + 100, 8192, 5000, 100, 1};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        make_file(f);
        assert_int_equal(truncate(path, sizes[i]), 0);
        char *quarantined = open_again(f);
        assert_non_null(quarantined);
        assert_int_equal(stat(quarantined, &st), 0);
        assert_int_equal(st.st_size, sizes[i]);
        free(quarantined);
    }
    make_file(f);
    assert_int_equal(truncate(path, 0), 0);
    assert_null(open_again(f)); /* as if it had never been */
}

static void a_file_of_another_format_is_moved_aside(void **state)
{
    struct store_fixture *f = *state;
    uint32_t other = CACHE_FORMAT_VERSION + 1;
    make_file(f);
    sf_open(f);
    sf_put(f, 0, 1, 1, FAR_FUTURE, 0);
    struct cache_write write = {
        .db = CACHE_META, .key = slice_make("format", 6), .value = slice_make(&other, sizeof(other))};
    assert_int_equal(store_commit(f->store, &write, 1, 0, sf_now()), 0);
    sf_close(f);
    char *quarantined = open_again(f);
    assert_non_null(quarantined);
    free(quarantined);
    char path[192];
    data_path(f, path);
    FILE *garbage = fopen(path, "w");
    for (unsigned i = 0; i < 4000; i++)
        fputs("no database", garbage);
    fclose(garbage);
    quarantined = open_again(f);
    assert_non_null(quarantined);
    free(quarantined);
}

static uint8_t *read_file(const char *path, size_t *ret_size)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_size = (size_t)st.st_size;
    return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0640);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void no_core(void)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
}

static void a_file_with_flipped_octets_is_found_out_or_harmless(void **state)
{
    struct store_fixture *f = *state;
    char path[192];
    size_t size;
    uint64_t seed = 41;
    unsigned damaged = 0, harmless = 0;
    make_file(f);
    data_path(f, path);
    uint8_t *bytes = read_file(path, &size), *copy = malloc(size);
    size_t used = 64 * 4096; /* where the pages are */
    for (unsigned round = 0; round < 60; round++) {
        memcpy(copy, bytes, size);
        for (unsigned i = 0; i < 1 + round % 8; i++) {
            /* mostly page heads and pointers, where it hurts */
            size_t at = round % 2 ? random_up_to(&seed, (uint32_t)used)
                                  : random_up_to(&seed, 64) * 4096 + random_up_to(&seed, 64);
            copy[at] ^= (uint8_t)(1u << random_up_to(&seed, 8));
        }
        write_file(path, copy, size);
        int r = store_check(f->directory, 5000);
        assert_true(r == 0 || r == 1);
        if (r) {
            damaged++;
            continue;
        }
        harmless++;
        pid_t pid = fork();
        if (pid == 0) {
            struct store *reader;
            no_core();
            if (store_open_reader(f->directory, &reader) == 0)
                for (uint32_t i = 0; i < 2000; i++)
                    sf_look(reader, i);
            _exit(0);
        }
        assert_int_equal(wait_for(pid), 0);
    }
    free(copy);
    free(bytes);
    assert_true(damaged > 5);
    assert_true(harmless > 5);
    char *quarantined = NULL;
    assert_int_equal(store_quarantine(f->directory, &quarantined), 0);
    free(quarantined);
    assert_int_equal(store_quarantine(f->directory, &quarantined), CACHE_MISS);
    assert_int_equal(store_check(f->directory, 5000), 0);
}

static void after_two_crashes_a_damaged_file_is_moved_aside(void **state)
{
    struct store_fixture *f = *state;
    struct store *reader;
    char path[192], *quarantined;
    size_t size;
    make_file(f);
    data_path(f, path);
    uint8_t *bytes = read_file(path, &size);
    memset(bytes + 2 * 4096, 0xff, size - 2 * 4096); /* all but the meta pages */
    /* what opens it with that dies or fails; noted as unclean either way */
    for (unsigned crash = 0; crash < 2; crash++) {
        pid_t pid = fork();
        if (pid == 0) {
            no_core();
            sf_open(f);
            _exit(0);
        }
        assert_int_equal(wait_for(pid), 0);
    }
    assert_int_equal(store_open_reader(f->directory, &reader), 0);
    assert_false(store_replaced(reader));
    write_file(path, bytes, size);
    free(bytes);
    quarantined = open_again(f);
    assert_non_null(quarantined);
    assert_true(store_replaced(reader));
    store_close(reader);
    free(quarantined);
    /* a clean close takes the suspicion away */
    assert_null(open_again(f));
}

/* Zeroes every second page that has more than 15 leaf nodes: entries, not the list of databases. LMDB's page
 * head: number 8 octets, pad 2, flags 2 (leaf: 2), end of the list of nodes 2. */
static void zero_every_second_leaf(struct store_fixture *f)
{
    char path[192];
    size_t size;
    unsigned seen = 0;
    data_path(f, path);
    uint8_t *bytes = read_file(path, &size);
    for (size_t page = 2 * 4096; page + 4096 <= size; page += 4096) {
        uint16_t flags, lower;
        memcpy(&flags, bytes + page + 10, sizeof(flags));
        memcpy(&lower, bytes + page + 12, sizeof(lower));
        if (flags == 2 && (lower - 16) / 2 > 15 && seen++ % 2)
            memset(bytes + page, 0, 4096);
    }
    assert_true(seen > 10);
    write_file(path, bytes, size);
    free(bytes);
}

static int see_one(void *ctx, enum cache_db db, struct slice key, struct slice value)
{
    return 0;
}

static void entries_on_a_damaged_page_are_misses_and_the_file_is_known_as_damaged(void **state)
{
    struct store_fixture *f = *state;
    struct cache_view view;
    unsigned there = 0, missing = 0;
    make_file(f);
    zero_every_second_leaf(f);
    sf_open(f);
    assert_false(store_damaged(f->store));
    for (uint32_t i = 0; i < 1800; i++) {
        struct cache_key key;
        struct slice value;
        sf_key(i, &key);
        assert_int_equal(store_read_begin(f->store, sf_now(), &view), 0);
        int r = view.get(view.ctx, CACHE_RR, cache_key_slice(&key), &value);
        /* in the same transaction, after what may have failed */
        int again = view.get(view.ctx, CACHE_ZONE, cache_key_slice(&key), &value);
        store_read_end(f->store);
        assert_true(r == 0 || r == CACHE_MISS);
        assert_int_equal(again, CACHE_MISS);
        there += r == 0;
        missing += r != 0;
    }
    assert_true(there > 100 && missing > 100);
    assert_true(store_damaged(f->store));
    sf_close(f);
}

static void whoever_dies_of_a_damaged_page_says_so_to_the_next(void **state)
{
    struct store_fixture *f = *state;
    make_file(f);
    zero_every_second_leaf(f);
    pid_t pid = fork();
    if (pid == 0) {
        no_core();
        assert(freopen("/dev/null", "w", stderr));
        sf_open(f);
        store_walk(f->store, CACHE_RR, (struct slice){0}, 5000, see_one, NULL);
        _exit(store_damaged(f->store) ? 0 : 1);
    }
    int status = wait_for(pid);
    assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) || status == 0);
    char *quarantined = open_again(f);
    assert_true(quarantined || status == 0);
    free(quarantined);
}

static void a_walk_over_keys_that_go_backwards_ends(void **state)
{
    struct store_fixture *f = *state;
    char path[192];
    size_t size, swapped = 0;
    make_file(f);
    data_path(f, path);
    uint8_t *bytes = read_file(path, &size);
    for (size_t page = 2 * 4096; page + 4096 <= size; page += 4096) {
        uint16_t flags, lower, first, last;
        memcpy(&flags, bytes + page + 10, sizeof(flags));
        memcpy(&lower, bytes + page + 12, sizeof(lower));
        if (flags != 2 || (lower - 16) / 2 <= 15 || lower > 4096)
            continue;
        /* the first and the last node change places */
        memcpy(&first, bytes + page + 16, sizeof(first));
        memcpy(&last, bytes + page + lower - 2, sizeof(last));
        memcpy(bytes + page + 16, &last, sizeof(last));
        memcpy(bytes + page + lower - 2, &first, sizeof(first));
        swapped++;
    }
    assert_true(swapped > 5);
    write_file(path, bytes, size);
    free(bytes);
    sf_open(f);
    assert_int_equal(store_walk(f->store, CACHE_RR, (struct slice){0}, 5000, see_one, NULL), -EUCLEAN);
    assert_true(store_damaged(f->store));
    sf_close(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reader_without_locks_sees_whole_snapshots),
        TEST(a_reader_follows_a_map_that_grew),
        TEST(a_killed_writer_loses_nothing_that_was_committed),
        TEST(a_truncated_file_is_moved_aside),
        TEST(a_file_of_another_format_is_moved_aside),
        TEST(a_file_with_flipped_octets_is_found_out_or_harmless),
        TEST(after_two_crashes_a_damaged_file_is_moved_aside),
        TEST(entries_on_a_damaged_page_are_misses_and_the_file_is_known_as_damaged),
        TEST(whoever_dies_of_a_damaged_page_says_so_to_the_next),
        TEST(a_walk_over_keys_that_go_backwards_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
