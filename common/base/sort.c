#include "common/base/sort.h"

#include <string.h>

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t hold[SORT_MAX_ELEMENT];
    memcpy(hold, a, size);
    memcpy(a, b, size);
    memcpy(b, hold, size);
}

void sort_array(void *base, size_t count, size_t size,
                int (*compare)(const void *a, const void *b, void *ctx), void *ctx)
{
    uint8_t *p = base;
    assert(size <= SORT_MAX_ELEMENT);
    if (count < 2)
        return;
    size_t end = count, start = count / 2;
    while (end > 1) {
        if (start)
            start--;
        else
            swap(p, p + --end * size, size);
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(p + child * size, p + (child + 1) * size, ctx) < 0)
                child++;
            if (compare(p + root * size, p + child * size, ctx) >= 0)
                break;
            swap(p + root * size, p + child * size, size);
        }
    }
}
