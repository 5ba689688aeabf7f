/* L1: hit, patch, epoch, expiry, order of commits, byte cap, and many threads at once. */
#include "tests/unit/netd/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <urcu/urcu-memb.h>

#include "daemons/netd/l1.h"

static const struct siphash_key secret = {3, 4};

/* Question and reply for www<n>.example. A with that last octet of the address. */
static void make(struct fixture *f, unsigned n, uint8_t last, uint16_t flags, int edns)
{
    char name[32];
    uint8_t address[4] = {192, 0, 2, last};
    arena_reset(f->arena);
    f->random.left = RANDOM_POOL_BYTES;
    snprintf(name, sizeof(name), "www%u.example.", n);
    ask(f, name, TYPE_A, flags, edns);
    struct answer answer = {
        .rcode = RCODE_NOERROR, .security = SECURITY_SECURE, .authentic = true, .ttl = 300};
    struct rrset set = set_of(f, name, TYPE_A, 300, address, 4, 1, 1, 1800900000u);
    rrset_list_add(f->arena, &answer.answer, &set);
    uint32_t keep_s;
    netd_core_verdict(&f->config, f->arena, &f->env, &f->question, &answer, f->reply, sizeof(f->reply),
                      &f->size, &keep_s, NULL);
}

static void put(struct l1 *l1, struct fixture *f, uint64_t epoch, uint64_t sequence, uint32_t keep_s)
{
    l1_put(l1, &f->question, f->reply, f->size, (struct l1_tag){.epoch = epoch, .sequence = sequence},
           f->env.wall, keep_s, 77);
}

static bool get(struct l1 *l1, struct fixture *f, uint64_t epoch, int64_t later_s)
{
    struct l1_hit hit;
    wall_s now = {.s = f->env.wall.s + later_s};
    urcu_memb_read_lock();
    bool found = l1_get(l1, &f->question, l1_hash(l1, &f->question), epoch, now, 0, f->reply,
                        sizeof(f->reply), &f->size, &hit);
    urcu_memb_read_unlock();
    if (found) {
        parse_reply(f);
        assert_int_equal(hit.popularity, 77);
    }
    return found;
}

static void a_kept_reply_is_found_until_it_expires(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 20, secret);
    make(f, 1, 9, FLAG_RD, 0);
    assert_false(get(l1, f, 5, 0));
    put(l1, f, 5, 1, 300);
    assert_true(get(l1, f, 5, 0));
    assert_true(get(l1, f, 5, 299));
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].ttl, 1);
    assert_false(get(l1, f, 5, 300));
    assert_false(get(l1, f, 5, -1)); /* the clock was set back */
    l1_free(l1);
}

static void another_epoch_is_a_miss(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 20, secret);
    make(f, 1, 9, FLAG_RD, 0);
    put(l1, f, 5, 1, 300);
    assert_false(get(l1, f, 6, 0));
    assert_false(get(l1, f, 4, 0));
    l1_free(l1);
}

static void bits_that_change_the_bytes_are_kept_apart(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 20, secret);
    f->client.bytes[3] = 99; /* may ask with RD=0 */
    for (unsigned n = 0; n < 24; n++) {
        uint16_t flags = (uint16_t)((n & 1 ? FLAG_RD : 0) | (n & 2 ? FLAG_AD : 0) | (n & 4 ? FLAG_CD : 0));
        make(f, 1, (uint8_t)n, flags, n < 8 ? -1 : n < 16 ? 0 : (int)EDNS_FLAG_DO);
        assert_false(get(l1, f, 5, 0));
        put(l1, f, 5, 1, 300);
    }
    for (unsigned n = 0; n < 24; n++) {
        uint16_t flags = (uint16_t)((n & 1 ? FLAG_RD : 0) | (n & 2 ? FLAG_AD : 0) | (n & 4 ? FLAG_CD : 0));
        make(f, 1, 200, flags, n < 8 ? -1 : n < 16 ? 0 : (int)EDNS_FLAG_DO);
        assert_true(get(l1, f, 5, 0));
        assert_int_equal(f->message.rr[SECTION_ANSWER][0].rdata.data[3], n);
    }
    l1_free(l1);
}

static void an_older_commit_never_replaces_a_newer_one(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 20, secret);
    struct l1_stats stats;
    make(f, 1, 20, FLAG_RD, 0);
    put(l1, f, 5, 20, 300);
    make(f, 1, 19, FLAG_RD, 0);
    put(l1, f, 5, 19, 300);
    make(f, 1, 18, FLAG_RD, 0);
    put(l1, f, 4, 30, 300);
    assert_true(get(l1, f, 5, 0));
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].rdata.data[3], 20);
    l1_stats(l1, &stats);
    assert_int_equal(stats.refused_older, 2);
    make(f, 1, 21, FLAG_RD, 0);
    put(l1, f, 5, 21, 300);
    assert_true(get(l1, f, 5, 0));
    assert_int_equal(f->message.rr[SECTION_ANSWER][0].rdata.data[3], 21);
    l1_free(l1);
}

static void a_refresh_is_claimed_once_in_the_last_tenth(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 20, secret);
    make(f, 1, 9, FLAG_RD, 0);
    put(l1, f, 5, 1, 300);
    unsigned claims = 0;
    for (unsigned n = 0; n < 10; n++) {
        for (int64_t later = 0; later < 300; later += 30) {
            struct l1_hit hit;
            urcu_memb_read_lock();
            assert_true(l1_get(l1, &f->question, l1_hash(l1, &f->question), 5,
                               (wall_s){.s = f->env.wall.s + later}, 0, f->reply, sizeof(f->reply), &f->size,
                               &hit));
            urcu_memb_read_unlock();
            assert_false(hit.refresh && later < 270);
            claims += hit.refresh;
        }
    }
    assert_int_equal(claims, 1);
    l1_free(l1);
}

static void the_byte_cap_holds_and_what_is_asked_again_survives_a_flood(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(1 << 17, secret);
    struct l1_stats stats;
    for (unsigned n = 0; n < 20; n++) {
        make(f, n, 1, FLAG_RD, 0);
        put(l1, f, 5, 1, 300);
    }
    unsigned survived = 0;
    for (unsigned n = 0; n < 5000; n++) {
        make(f, n % 20, 1, FLAG_RD, 0);
        survived += get(l1, f, 5, 0);
        make(f, 1000 + n, 1, FLAG_RD, 0);
        put(l1, f, 5, 1, 300);
        l1_stats(l1, &stats);
        assert_true(stats.bytes <= 1 << 17);
    }
    assert_true(stats.evicted > 4000);
    assert_int_equal(survived, 5000);
    l1_free(l1);
}

static long faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

/* Page faults of looking 2,000 names up, which fall on some 1,300 of the table's 2,048 pages. */
static long faults_of_looking_up(struct l1 *l1, struct fixture *f)
{
    long before = faults();
    for (unsigned n = 0; n < 2000; n++) {
        make(f, n, 1, FLAG_RD, 0);
        assert_false(get(l1, f, 5, 0));
    }
    return faults() - before;
}

static void a_settled_table_faults_in_no_pages(void **state)
{
    FIXTURE(f);
    struct l1 *l1 = l1_new(64u << 20, secret), *unsettled = l1_new(64u << 20, secret);
    size_t at = 0;
    unsigned pieces = 0;
    while (l1_settle(l1, &at))
        pieces++;
    if (at == 0) { /* a kernel before 5.14 */
        l1_free(l1);
        l1_free(unsettled);
        skip();
    }
    assert_true(pieces > 1);
    assert_false(l1_settle(l1, &at));
    (void)faults_of_looking_up(unsettled, f); /* the fixture's own memory is there then */
    l1_free(unsettled);
    unsettled = l1_new(64u << 20, secret);
    long with = faults_of_looking_up(l1, f), without = faults_of_looking_up(unsettled, f);
    /* A sanitizer's memory faults as well, in both; with huge pages neither does. */
    assert_true(with < 200 || with + 600 < without);
    l1_free(unsettled);
    l1_free(l1);
}

/* Threads put and get names of which each reply says which it is; wrong bytes would show. */
#define THREADS      4u
#define THREAD_STEPS 30000u
#define NAMES        400u
struct crowd {
    struct l1 *l1;
    _Atomic uint64_t epoch;
    atomic_uint hits, wrong;
};

static void *crowd_run(void *arg)
{
    struct crowd *crowd = arg;
    struct fixture *f = fixture_new();
    uint64_t seed = (uint64_t)(uintptr_t)&seed;
    urcu_memb_register_thread();
    for (unsigned step = 0; step < THREAD_STEPS; step++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned n = (unsigned)(seed >> 33) % NAMES;
        uint64_t epoch = atomic_load(&crowd->epoch);
        make(f, n, (uint8_t)(n % 251), FLAG_RD, 0);
        struct l1_hit hit;
        urcu_memb_read_lock();
        bool found = l1_get(crowd->l1, &f->question, l1_hash(crowd->l1, &f->question), epoch, f->env.wall, 0,
                            f->reply, sizeof(f->reply), &f->size, &hit);
        urcu_memb_read_unlock();
        if (found) {
            arena_reset(f->parsed);
            bool right = message_parse(f->parsed, f->reply, f->size, &f->message) == MESSAGE_OK &&
                         f->message.count[SECTION_ANSWER] == 1 && hit.popularity == n &&
                         f->message.rr[SECTION_ANSWER][0].rdata.data[3] == n % 251;
            atomic_fetch_add(right ? &crowd->hits : &crowd->wrong, 1);
        } else {
            l1_put(crowd->l1, &f->question, f->reply, f->size,
                   (struct l1_tag){.epoch = epoch, .sequence = step}, f->env.wall, 300, n);
        }
        if (step % 5000 == 4999)
            atomic_fetch_add(&crowd->epoch, 1);
    }
    urcu_memb_unregister_thread();
    fixture_free(f);
    return NULL;
}

static void threads_never_see_another_names_bytes(void **state)
{
    struct crowd crowd = {.l1 = l1_new(1 << 17, secret), .epoch = 1};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.wrong, 0);
    assert_true(crowd.hits > THREAD_STEPS);
    l1_free(crowd.l1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_reply_is_found_until_it_expires),
        cmocka_unit_test(another_epoch_is_a_miss),
        cmocka_unit_test(bits_that_change_the_bytes_are_kept_apart),
        cmocka_unit_test(an_older_commit_never_replaces_a_newer_one),
        cmocka_unit_test(a_refresh_is_claimed_once_in_the_last_tenth),
        cmocka_unit_test(the_byte_cap_holds_and_what_is_asked_again_survives_a_flood),
        cmocka_unit_test(a_settled_table_faults_in_no_pages),
        cmocka_unit_test(threads_never_see_another_names_bytes),
    };
    urcu_memb_register_thread();
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    urcu_memb_unregister_thread();
    return r;
}
