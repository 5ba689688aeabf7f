#pragma once
/* Heap sort: in place, no memory, n log n whatever the input, since the input may be an attacker's. */

#include "common/base/util.h"

/* Sorts count elements of size bytes (at most SORT_MAX_ELEMENT) by compare(a, b, ctx) < 0. Not stable. */
#define SORT_MAX_ELEMENT 128u
void sort_array(void *base, size_t count, size_t size,
                int (*compare)(const void *a, const void *b, void *ctx), void *ctx);
