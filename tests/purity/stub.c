/* Everything a pure part may ask of the world outside: memory, strings, the failure of an assertion, and what
 * the compiler itself calls for. Only names matter here: nothing of this ever runs. */
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))
#define ALLOW(name)                                                                                          \
    EXPORT void name(void);                                                                                  \
    EXPORT void name(void)                                                                                   \
    {                                                                                                        \
    }

#pragma GCC diagnostic ignored "-Wbuiltin-declaration-mismatch"

ALLOW(memcpy)
ALLOW(memmove)
ALLOW(memset)
ALLOW(memcmp)
ALLOW(memchr)
ALLOW(memrchr)
ALLOW(memmem)
ALLOW(strlen)
ALLOW(strnlen)
ALLOW(strcmp)
ALLOW(strncmp)
ALLOW(strchr)
ALLOW(strrchr)
ALLOW(strcasecmp)
ALLOW(strncasecmp)
ALLOW(malloc)
ALLOW(calloc)
ALLOW(realloc)
ALLOW(free)
ALLOW(__assert_fail)
/* the compiler's own: stack protector, fortified forms of the above */
ALLOW(__stack_chk_fail)
ALLOW(__memcpy_chk)
ALLOW(__memmove_chk)
ALLOW(__memset_chk)
ALLOW(__chk_fail)
