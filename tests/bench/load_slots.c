/* Questions under way and their answers' check; the histogram of how long they took. */

#include <string.h>
#include <time.h>

#include "tests/bench/load.h"

#define SLOT_BITS 10u

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB)
        return (unsigned)ns;
    unsigned high = 63u - (unsigned)__builtin_clzll(ns); /* >= 6 */
    unsigned bucket = (high - 5u) * HISTOGRAM_SUB + (unsigned)(ns >> (high - 6u)) - HISTOGRAM_SUB;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[bucket_of(ns)]++;
    histogram->total++;
    if (ns > histogram->max)
        histogram->max = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * quantile), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > wanted) {
            if (i < HISTOGRAM_SUB)
                return i;
            unsigned high = i / HISTOGRAM_SUB + 5u;
            return (uint64_t)(i % HISTOGRAM_SUB + HISTOGRAM_SUB + 1u) << (high - 6u);
        }
    }
    return histogram->max;
}

void slots_init(struct slots *slots, unsigned size)
{
    memset(slots, 0, sizeof(*slots));
    slots->size = slots->free_count = size;
    for (unsigned i = 0; i < size; i++)
        slots->free[i] = (uint16_t)(size - 1 - i);
}

uint16_t slots_take(struct slots *slots, uint32_t index, uint64_t now_ns)
{
    uint16_t n = slots->free[--slots->free_count];
    struct slot *slot = &slots->slot[n];
    slot->index = index;
    slot->busy = true;
    slot->sent_ns = now_ns;
    slot->generation = (uint8_t)((slot->generation + 1u) & 63u);
    return (uint16_t)(n | slot->generation << SLOT_BITS);
}

static void slot_free(struct slots *slots, unsigned n)
{
    slots->slot[n].busy = false;
    slots->free[slots->free_count++] = (uint16_t)n;
}

void slots_reply(struct slots *slots, struct load *load, const uint8_t *reply, size_t size, uint64_t now_ns)
{
    if (size < 12 || (reply[2] & 0x80) == 0) {
        load->wrong++;
        return;
    }
    unsigned id = (unsigned)reply[0] << 8 | reply[1], n = id & (LOAD_SLOTS - 1u);
    struct slot *slot = &slots->slot[n];
    if (n >= slots->size || !slot->busy || slot->generation != id >> SLOT_BITS) {
        load->wrong++; /* or an answer to what counts as lost */
        return;
    }
    const struct question *question = &load->names.questions[slot->index];
    if (reply[4] != 0 || reply[5] != 1 || size < 12u + question->asked_size ||
        memcmp(reply + 12, question->wire + 12, question->asked_size) != 0)
        load->wrong++;
    else if (!load->any_rcode && ((reply[3] & 15) != 0 || (reply[2] & 2) != 0 || (reply[6] | reply[7]) == 0))
        load->failed++;
    load->answered++;
    histogram_add(&load->histogram, now_ns > slot->sent_ns ? now_ns - slot->sent_ns : 0);
    slot_free(slots, n);
}

void slots_expire(struct slots *slots, struct load *load, uint64_t now_ns)
{
    for (unsigned n = 0; n < slots->size; n++) {
        struct slot *slot = &slots->slot[n];
        if (slot->busy && now_ns > slot->sent_ns + LOAD_TIMEOUT) {
            load->lost++;
            names_lost(&load->names, slot->index);
            slot_free(slots, n);
        }
    }
}
