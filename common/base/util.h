#pragma once
/* Small things every module uses: sizes, minima, cleanup attributes, byte slices, the two time types.
 *
 * Errors across the whole project: 0 is success; a negative value is -errno, our own failure, forwarded
 * unchanged; a positive value is an outcome the called function documents, handled by its direct caller. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* container_of: the structure that holds `member`, from a pointer to that member. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* _cleanup_(fn) runs fn(&variable) when the variable leaves its scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* TAKE(p): the value of p, and p becomes NULL: ownership moves to the receiver. */
#define TAKE(p)                                                                                              \
    ({                                                                                                       \
        __auto_type take_value_ = (p);                                                                       \
        (p) = NULL;                                                                                          \
        take_value_;                                                                                         \
    })

/* Borrowed bytes. Never owns. */
struct slice {
    const uint8_t *data;
    size_t size;
};

static inline struct slice slice_make(const void *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

/* Monotonic nanoseconds: for timers and round trip times only. */
typedef struct {
    uint64_t ns;
} mono_ns;

/* Wall clock seconds since 1970: for TTLs, expiry and signature validity only. */
typedef struct {
    int64_t s;
} wall_s;

#define NS_PER_MS  1000000ULL
#define NS_PER_S   1000000000ULL
#define MONO_NEVER ((mono_ns){.ns = UINT64_MAX})

static inline mono_ns mono_add_ms(mono_ns t, uint64_t ms)
{
    return (mono_ns){.ns = t.ns + ms * NS_PER_MS};
}

static inline bool mono_reached(mono_ns now, mono_ns deadline)
{
    return now.ns >= deadline.ns;
}

static inline mono_ns mono_earlier(mono_ns a, mono_ns b)
{
    return a.ns < b.ns ? a : b;
}
