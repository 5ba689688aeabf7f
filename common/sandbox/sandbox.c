#include "common/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What every role needs once it is set up: memory, its own threads, its loop, its sockets and its log. Lists
 * are of numbers rather than names so that a slip is an error of the compiler. */
static const int common_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(pread64),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(fcntl),
    SCMP_SYS(ioctl),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mincore),
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(eventfd2),
    SCMP_SYS(signalfd4),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(set_tid_address),
};

static const int netd_calls[] = {SCMP_SYS(accept4), SCMP_SYS(accept)};
static const int recursord_calls[] = {SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(connect), SCMP_SYS(bind)};
static const int validatord_calls[] = {
    SCMP_SYS(accept4),     SCMP_SYS(accept),   SCMP_SYS(connect),      SCMP_SYS(openat),
    SCMP_SYS(open),        SCMP_SYS(pwrite64), SCMP_SYS(pwritev),      SCMP_SYS(pwritev2),
    SCMP_SYS(fdatasync),   SCMP_SYS(fsync),    SCMP_SYS(msync),        SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),   SCMP_SYS(rename),   SCMP_SYS(renameat),     SCMP_SYS(renameat2),
    SCMP_SYS(unlink),      SCMP_SYS(unlinkat), SCMP_SYS(fchmod),       SCMP_SYS(chmod),
    SCMP_SYS(fchmodat),    SCMP_SYS(mkdir),    SCMP_SYS(mkdirat),      SCMP_SYS(flock),
    SCMP_SYS(getdents64),  SCMP_SYS(statfs),   SCMP_SYS(memfd_create), SCMP_SYS(setpriority),
    SCMP_SYS(getpriority), SCMP_SYS(wait4),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (r < 0 && r != -EDOM) /* -EDOM: no such call on this architecture */
            return r;
    }
    return 0;
}

/* Threads of its own, and signals only to itself (abort, profiling), for every role. */
static int allow_with_arguments(scmp_filter_ctx filter)
{
    const unsigned process_flags = CLONE_THREAD | CLONE_VM;
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, process_flags, process_flags));
    /* glibc falls back to clone, whose flags a filter can see. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0));
    /* No memory becomes executable. */
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return r;
}

static int allow_read_only_files(scmp_filter_ctx filter)
{
    /* Readers of the cache open its file anew after it was quarantined; nothing may be opened for writing. */
    const unsigned writing = O_ACCMODE | O_CREAT | O_TRUNC;
    int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                             SCMP_A1(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));
    return r == -EDOM ? 0 : r;
}

static int allow_socket(scmp_filter_ctx filter, int family)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
}

static int allow_role(scmp_filter_ctx filter, enum sandbox_role role)
{
    int r = -EINVAL;
    switch (role) {
    case SANDBOX_NETD: /* answers on sockets it was passed; opens none */
        r = allow(filter, netd_calls, sizeof(netd_calls) / sizeof(*netd_calls));
        if (r == 0)
            r = allow_read_only_files(filter);
        break;
    case SANDBOX_RECURSORD: /* asks servers; speaks to validatord on the socket it was passed */
        r = allow(filter, recursord_calls, sizeof(recursord_calls) / sizeof(*recursord_calls));
        if (r == 0)
            r = allow_read_only_files(filter);
        if (r == 0)
            r = allow_socket(filter, AF_INET);
        if (r == 0)
            r = allow_socket(filter, AF_INET6);
        break;
    case SANDBOX_VALIDATORD: /* writes the cache; connects to the edges; no network */
        r = allow(filter, validatord_calls, sizeof(validatord_calls) / sizeof(*validatord_calls));
        if (r == 0)
            r = allow_socket(filter, AF_UNIX);
        break;
    }
    return r;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {0};
    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int sandbox_enter(enum sandbox_role role)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    int r = drop_capabilities();
    if (r < 0)
        return r;
    /* EPERM, not a kill: a library's harmless probe must not end a resolver. What is denied stays denied. */
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        return -ENOMEM;
    /* All threads, those already running too. */
    r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
                             2); /* a binary tree: few steps for every call */
    if (r == 0)
        r = allow(filter, common_calls, sizeof(common_calls) / sizeof(*common_calls));
    if (r == 0)
        r = allow_with_arguments(filter);
    if (r == 0)
        r = allow_role(filter, role);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}
