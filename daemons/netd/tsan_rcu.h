#pragma once
/* What RCU orders, told to ThreadSanitizer, which cannot see it in a liburcu that was not built for it:
 * publication before finding, and every reader's last look before the free after a grace period. Nothing
 * without -fsanitize=thread. */

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define RCU_RELEASE(p) __tsan_release((void *)(p))
#define RCU_ACQUIRE(p) __tsan_acquire((void *)(p))
#else
#define RCU_RELEASE(p) ((void)(p))
#define RCU_ACQUIRE(p) ((void)(p))
#endif
