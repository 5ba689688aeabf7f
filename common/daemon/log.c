#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/daemon/daemon.h"

/* The one piece of state outside `struct daemon`: what is logged has to be known to every thread and library.
 */
static atomic_int log_level = 6;

void log_set_level(int priority)
{
    atomic_store_explicit(&log_level, priority, memory_order_relaxed);
}

int log_get_level(void)
{
    return atomic_load_explicit(&log_level, memory_order_relaxed);
}

void log_message(int priority, const char *format, ...)
{
    char line[2048];
    if (priority > log_get_level())
        return;
    /* JOURNAL_STREAM: stderr goes to the journal, which reads the priority from a <N> in front
     * (sd-daemon(3)). */
    int size = getenv("JOURNAL_STREAM") ? snprintf(line, sizeof(line), "<%d>", priority)
                                        : snprintf(line, sizeof(line), "%s: ", program_invocation_short_name);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + size, sizeof(line) - (size_t)size - 1, format, arguments);
    va_end(arguments);
    if (more < 0)
        return;
    size = (int)MIN((size_t)size + (size_t)more, sizeof(line) - 2);
    line[size++] = '\n';
    /* One write, so that lines of several processes on one terminal do not mix. */
    struct iovec vector = {.iov_base = line, .iov_len = (size_t)size};
    if (writev(STDERR_FILENO, &vector, 1) < 0)
        return;
}
