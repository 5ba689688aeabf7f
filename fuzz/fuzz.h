#pragma once
/* What the fuzz targets share: the entry point, a check that stops the program, and an input cut into pieces.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An invariant of the code under test. Never compiled out. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* The input, taken from the front; reads beyond its end give zero and nothing. */
struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->data++;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
    uint16_t high = fuzz_u8(in);
    return (uint16_t)(high << 8 | fuzz_u8(in));
}

static inline struct slice fuzz_bytes(struct fuzz_input *in, size_t size)
{
    struct slice bytes = {.data = in->data, .size = MIN(size, in->left)};
    in->data += bytes.size;
    in->left -= bytes.size;
    return bytes;
}
