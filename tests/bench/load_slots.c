/* Questions under way and their answers' check. */

#include <string.h>

#include "tests/bench/load.h"

#define SLOT_BITS 10u

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

/* Of a record whose owner is a pointer, as all servers compress it; else 0. */
static uint32_t first_ttl(const uint8_t *reply, size_t size, size_t at)
{
    if (size < at + 10 || (reply[at] & 0xc0) != 0xc0)
        return 0;
    return (uint32_t)reply[at + 6] << 24 | (uint32_t)reply[at + 7] << 16 | (uint32_t)reply[at + 8] << 8 |
           reply[at + 9];
}

static void trace(struct load *load, const struct slot *slot, const uint8_t *reply, size_t size,
                  uint64_t now_ns)
{
    if (load->trace_count == load->trace_room)
        return;
    load->trace[load->trace_count++] =
        (struct traced){.index = slot->index,
                        .took_us = now_ns > slot->sent_ns ? (uint32_t)((now_ns - slot->sent_ns) / 1000) : 0,
                        .ttl_s = first_ttl(reply, size, 12u + load->names.questions[slot->index].asked_size),
                        .at_ms = (uint32_t)((now_ns - load->began_ns) / 1000000)};
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
    trace(load, slot, reply, size, now_ns);
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
