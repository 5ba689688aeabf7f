/* The cache's one writer under a steady stream of new records: does it keep up, what does a record cost on
 * disk and in CPU, and what do readers notice of it?
 *
 *     bench-writer DIRECTORY MIB RECORDS RATE SECONDS
 *
 * Fills a map of MIB with RECORDS signed addresses under random names, as fast as the writer takes them, then
 * queues RATE new ones a second for SECONDS, as validatord's loop does, while a reader of the kind that netd
 * is looks one up every half millisecond. JSON, times in us. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/cache/entry.h"
#include "common/cache/key.h"
#include "daemons/validatord/writer.h"
#include "tests/bench/load.h"

#define TTL_S           86400u
#define SIGNATURE       64u
#define FILL_AT_ONCE    2000u
#define READ_PAUSE_NS   500000
#define COMMIT_INTERVAL 100u /* ms, the default */

struct run {
    struct writer *writer;
    sd_event *event;
    struct arena *arena;
    wall_s now;
    uint64_t made, dropped, failed_commits, commits;
    size_t queue_most;

    /* the reader's */
    const char *directory;
    _Atomic uint64_t readable; /* records of these numbers are committed */
    atomic_bool ended;
    struct histogram looks;
    uint64_t found, missing, expired;
};

static uint64_t mix(uint64_t n)
{
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;
    return n ^ n >> 31;
}

static void owner_of(uint64_t number, uint8_t ret_name[NAME_MAX])
{
    char text[64];
    snprintf(text, sizeof(text), "h%010llx.hit.bench.", (unsigned long long)(mix(number) >> 24));
    if (name_from_text(text, ret_name) != 0)
        abort();
}

/* An A record with an RRSIG of P-256. */
static int queue_one(struct run *run, uint64_t number)
{
    uint8_t owner[NAME_MAX], address[4], sig[18 + 11 + SIGNATURE] = {0, TYPE_A, 13, 3};
    uint64_t random = mix(number);
    struct cache_key key;
    struct cache_write write = {.db = CACHE_RR};

    owner_of(number, owner);
    memcpy(address, &random, sizeof(address));
    sig[5] = TTL_S >> 16 & 0xff;
    sig[6] = TTL_S >> 8 & 0xff;
    uint32_t until = (uint32_t)run->now.s + 14 * 86400, since = (uint32_t)run->now.s - 3600;
    for (unsigned i = 0; i < 4; i++) {
        sig[8 + i] = (uint8_t)(until >> (24 - 8 * i));
        sig[12 + i] = (uint8_t)(since >> (24 - 8 * i));
    }
    memcpy(sig + 18, "\3hit\5bench", 11);
    for (unsigned i = 0; i < SIGNATURE; i++)
        sig[sizeof(sig) - SIGNATURE + i] = (uint8_t)mix(number * SIGNATURE + i);
    struct rdata rdata = {address, sizeof(address)}, signature = {sig, sizeof(sig)};
    struct cache_rr rr = {.rrset = {.owner = owner,
                                    .type = TYPE_A,
                                    .class = CLASS_IN,
                                    .ttl = TTL_S,
                                    .sig_ttl = TTL_S,
                                    .count = 1,
                                    .sig_count = 1,
                                    .rdata = &rdata,
                                    .sig = &signature,
                                    .rank = RANK_ANSWER,
                                    .security = SECURITY_SECURE},
                          .stored = run->now,
                          .expires = {.s = run->now.s + TTL_S},
                          .signature_expires = {.s = until},
                          .original_ttl = TTL_S,
                          .authentic = true};
    arena_reset(run->arena);
    if (cache_key_rr(owner, TYPE_A, &key) != 0)
        abort();
    write.key = cache_key_slice(&key);
    if (cache_rr_encode(run->arena, write.key, &rr, &write.value) != 0)
        abort();
    int r = writer_queue(run->writer, &write);
    if (writer_queued(run->writer) > run->queue_most)
        run->queue_most = writer_queued(run->writer);
    return r;
}

static void committed(void *ctx, uint64_t sequence, int result)
{
    struct run *run = ctx;
    (void)sequence;
    run->commits++;
    run->failed_commits += result < 0;
}

static void drain(struct run *run)
{
    while (writer_queued(run->writer))
        if (sd_event_run(run->event, 100000) < 0)
            abort();
}

static void fill(struct run *run, uint64_t records)
{
    while (run->made < records) {
        for (unsigned i = 0; i < FILL_AT_ONCE && run->made < records && queue_one(run, run->made) == 0; i++)
            run->made++;
        if (writer_queued(run->writer) > WRITER_QUEUE_MAX / 2)
            drain(run);
        if (sd_event_run(run->event, 0) < 0)
            abort();
    }
    drain(run);
}

static void look_up(struct run *run, struct store *store, uint64_t number)
{
    uint8_t owner[NAME_MAX];
    struct cache_view view;
    struct cache_key key;
    struct slice value;

    owner_of(number, owner);
    if (cache_key_rr(owner, TYPE_A, &key) != 0)
        abort();
    uint64_t began = clock_ns();
    if (store_read_begin(store, (mono_ns){.ns = began}, &view) != 0)
        abort();
    bool found = view.get(view.ctx, CACHE_RR, cache_key_slice(&key), &value) == 0;
    run->expired += store_read_expired(store, (mono_ns){.ns = clock_ns()});
    store_read_end(store);
    histogram_add(&run->looks, clock_ns() - began);
    run->found += found;
    run->missing += !found;
}

static void *read_all_along(void *arg)
{
    struct run *run = arg;
    struct store *store;

    if (store_open_reader(run->directory, &store) != 0)
        abort();
    for (uint64_t n = 0; !atomic_load(&run->ended); n++) {
        look_up(run, store, mix(n) % atomic_load(&run->readable));
        nanosleep(&(struct timespec){.tv_nsec = READ_PAUSE_NS}, NULL);
    }
    store_close(store);
    return NULL;
}

/* Seconds that were needed. */
static double stream(struct run *run, uint64_t rate, double seconds)
{
    uint64_t began = clock_ns(), first = run->made;
    double passed = 0;

    while (passed < seconds) {
        passed = (double)(clock_ns() - began) / 1e9;
        uint64_t due = first + (uint64_t)((double)rate * (passed < seconds ? passed : seconds));
        for (; run->made < due; run->made++)
            run->dropped += queue_one(run, run->made) != 0;
        if (sd_event_run(run->event, 2000) < 0)
            abort();
    }
    drain(run);
    return (double)(clock_ns() - began) / 1e9;
}

struct result {
    struct writer_op op;
    struct store_stats stats;
    bool done;
};

static int run_stats(struct writer_op *op, struct store *store)
{
    return store_stats(store, &CONTAINER_OF(op, struct result, op)->stats);
}

static void done_stats(struct writer_op *op, int result)
{
    (void)result;
    CONTAINER_OF(op, struct result, op)->done = true;
}

static struct store_stats stats_of(struct run *run)
{
    struct result result = {.op = {.run = run_stats, .done = done_stats}};
    writer_submit(run->writer, &result.op);
    while (!result.done)
        if (sd_event_run(run->event, 100000) < 0)
            abort();
    return result.stats;
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    struct run *run = calloc(1, sizeof(*run));
    char *quarantined = NULL;
    pthread_t reader;

    if (argc != 6 || !run) {
        fprintf(stderr, "usage: bench-writer DIRECTORY MIB RECORDS RATE SECONDS\n");
        return 2;
    }
    uint64_t records = strtoull(argv[3], NULL, 10), rate = strtoull(argv[4], NULL, 10);
    double seconds = atof(argv[5]);
    struct writer_config config = {.store = {.directory = argv[1],
                                             .size_bytes = strtoull(argv[2], NULL, 10) << 20,
                                             .commit_interval_ms = COMMIT_INTERVAL},
                                   .stale_max_s = 3 * 86400,
                                   .commit_sequence = 1};
    const struct writer_handlers handlers = {.committed = committed};
    run->directory = argv[1];
    run->now.s = time(NULL);
    run->arena = arena_new(1u << 16);
    if (!run->arena || records == 0 || sd_event_new(&run->event) < 0 ||
        writer_new(run->event, &config, &handlers, run, &run->writer, &quarantined) < 0) {
        fprintf(stderr, "bench-writer: no cache of that size could be made in %s\n", argv[1]);
        return 1;
    }
    uint64_t began = clock_ns();
    fill(run, records);
    double filled = (double)(clock_ns() - began) / 1e9;
    struct store_stats full = stats_of(run);
    run->queue_most = 0;
    run->commits = 0;
    atomic_store(&run->readable, records);
    if (pthread_create(&reader, NULL, read_all_along, run) != 0)
        abort();
    double cpu = cpu_s(), took = stream(run, rate, seconds);
    cpu = cpu_s() - cpu;
    atomic_store(&run->ended, true);
    pthread_join(reader, NULL);
    struct store_stats end = stats_of(run);
    printf("{\"records\": %llu, \"fill_per_second\": %.0f, \"octets_each\": %.1f, \"queued\": %llu, "
           "\"dropped\": %llu, "
           "\"seconds\": %.3f, \"commits\": %llu, \"failed_commits\": %llu, \"queue_most\": %zu, "
           "\"cpu_us_each\": %.2f, "
           "\"octets_each_end\": %.1f, \"entries_end\": %llu, \"swept\": %llu, \"reads\": %llu, "
           "\"reads_missing\": %llu, "
           "\"reads_expired\": %llu, \"read_p50\": %.1f, \"read_p99\": %.1f, \"read_max\": %.1f}\n",
           (unsigned long long)records, (double)records / filled,
           (double)full.used_bytes / (double)full.entries[CACHE_RR],
           (unsigned long long)(run->made - records), (unsigned long long)run->dropped, took,
           (unsigned long long)run->commits, (unsigned long long)run->failed_commits, run->queue_most,
           1e6 * cpu / (double)(run->made - records ? run->made - records : 1),
           (double)end.used_bytes / (double)end.entries[CACHE_RR], (unsigned long long)end.entries[CACHE_RR],
           (unsigned long long)end.swept, (unsigned long long)run->looks.total,
           (unsigned long long)run->missing, (unsigned long long)run->expired,
           (double)histogram_quantile(&run->looks, 0.5) / 1e3,
           (double)histogram_quantile(&run->looks, 0.99) / 1e3, (double)run->looks.max / 1e3);
    writer_free(run->writer);
    sd_event_unref(run->event);
    arena_free(run->arena);
    free(run);
    return 0;
}
