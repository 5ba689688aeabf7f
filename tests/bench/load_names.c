#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/load.h"

#define NAME_MAX_OCTETS 255u
#define DRAWS           (1u << 21) /* of the Zipf order, unless told otherwise */
#define OPT_SIZE        11u

/* Text to wire form. The octets, or 0: not a name. */
static size_t name_wire(const char *text, size_t length, uint8_t *wire)
{
    size_t at = 0, from = 0;
    while (from < length && !(length == 1 && text[0] == '.')) {
        size_t label = 0;
        while (from + label < length && text[from + label] != '.')
            label++;
        if (label == 0 || label > 63 || at + label + 2 > NAME_MAX_OCTETS)
            return 0;
        wire[at++] = (uint8_t)label;
        memcpy(wire + at, text + from, label);
        at += label;
        from += label + 1;
    }
    wire[at++] = 0;
    return at;
}

static int question_make(const char *line, bool want_do, struct question *ret_question)
{
    uint8_t wire[12 + NAME_MAX_OCTETS + 4 + OPT_SIZE] = {0};
    size_t length = strcspn(line, " \r\n");
    unsigned type = line[length] == ' ' ? (unsigned)atoi(line + length + 1) : 1;
    size_t name = name_wire(line, length, wire + 12);
    if (name == 0)
        return -1;
    wire[2] = 1; /* RD */
    wire[5] = 1;
    wire[11] = 1;
    size_t at = 12 + name;
    wire[at + 1] = (uint8_t)type;
    wire[at] = (uint8_t)(type >> 8);
    wire[at + 3] = 1;
    at += 4;
    static const uint8_t opt[OPT_SIZE] = {0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
    memcpy(wire + at, opt, sizeof(opt));
    wire[at + 7] = want_do ? 0x80 : 0;
    *ret_question = (struct question){.size = (uint16_t)(at + OPT_SIZE), .asked_size = (uint16_t)(name + 4)};
    ret_question->wire = malloc(ret_question->size);
    if (!ret_question->wire)
        return -1;
    memcpy(ret_question->wire, wire, ret_question->size);
    return 0;
}

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int make_sequence(struct names *names, double exponent, uint64_t seed)
{
    double *sums = malloc(names->count * sizeof(*sums)), sum = 0;
    names->sequence = malloc(names->draws * sizeof(*names->sequence));
    if (!sums || !names->sequence) {
        free(sums);
        return -1;
    }
    for (uint32_t i = 0; i < names->count; i++)
        sums[i] = sum += pow(i + 1, -exponent);
    uint64_t state = seed | 1;
    for (uint32_t i = 0; i < names->draws; i++) {
        double wanted = (double)(draw(&state) >> 11) / 9007199254740992.0 * sum;
        uint32_t low = 0, high = names->count - 1;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (sums[middle] < wanted)
                low = middle + 1;
            else
                high = middle;
        }
        names->sequence[i] = low;
    }
    free(sums);
    return 0;
}

int names_read(const char *path, bool want_do, enum load_order order, double exponent, uint64_t seed,
               uint32_t draws, struct names *ret_names)
{
    struct names names = {.order = order, .draws = draws ? draws : DRAWS};
    size_t room = 0;
    char line[1100];
    FILE *f = fopen(path, "re");
    if (!f) {
        perror(path);
        return -1;
    }
    while (fgets(line, sizeof(line), f)) {
        if (names.count == room) {
            room = room ? room * 2 : 1024;
            names.questions = realloc(names.questions, room * sizeof(*names.questions));
            if (!names.questions)
                abort();
        }
        if (question_make(line, want_do, &names.questions[names.count]) == 0)
            names.count++;
        else
            fprintf(stderr, "%s: not a name: %s", path, line);
    }
    fclose(f);
    if (names.count == 0) {
        fprintf(stderr, "%s: no names\n", path);
        return -1;
    }
    names.again = malloc(names.count * sizeof(*names.again));
    if (!names.again || (order == LOAD_ZIPF && make_sequence(&names, exponent, seed) != 0))
        abort();
    *ret_names = names;
    return 0;
}

uint32_t names_next(struct names *names)
{
    if (names->order == LOAD_ZIPF)
        return names->sequence[names->at++ % names->draws];
    if (names->at < names->count)
        return names->at++;
    return names->again_count ? names->again[--names->again_count] : LOAD_NONE;
}

void names_lost(struct names *names, uint32_t index)
{
    if (names->order == LOAD_ONCE && names->again_count < names->count)
        names->again[names->again_count++] = index;
}
