/* Each role in a child of its own: what it may never do fails, what it lives on still works. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sandbox/sandbox.h"

static void *thread_main(void *ctx)
{
    return ctx;
}

/* The child's exit status is the number of the first check that did not hold; 0: all held. */
#define CHECK(number, condition)                                                                             \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            _exit(number);                                                                                   \
    } while (0)

static int may_open_socket(int family)
{
    int fd = socket(family, SOCK_DGRAM, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void check_common(pid_t parent)
{
    CHECK(1, kill(parent, 0) < 0 && errno == EPERM);
    CHECK(2, ptrace(PTRACE_ATTACH, parent, 0, 0) < 0 && errno == EPERM);
    CHECK(3, syscall(SYS_pidfd_open, parent, 0) < 0 && errno == EPERM);
    CHECK(4, syscall(SYS_process_vm_readv, parent, 0, 0, 0, 0, 0) < 0 && errno == EPERM);
    CHECK(5, execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
    CHECK(6, fork() < 0);
    CHECK(7, mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                 MAP_FAILED);
    pthread_t thread;
    CHECK(8, pthread_create(&thread, NULL, thread_main, NULL) == 0 && pthread_join(thread, NULL) == 0);
    free(malloc(1 << 22));
    CHECK(9, syscall(SYS_capget, NULL, NULL) < 0);
}

static void run_role(enum sandbox_role role, void (*check)(void))
{
    pid_t parent = getpid(), child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        CHECK(99, sandbox_enter(role) == 0);
        check_common(parent);
        check();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void check_netd(void)
{
    CHECK(20, !may_open_socket(AF_INET));
    CHECK(21, !may_open_socket(AF_INET6));
    CHECK(22, !may_open_socket(AF_UNIX));
    CHECK(23, open("/dev/null", O_WRONLY) < 0);
    CHECK(24, open("/dev/null", O_RDONLY) >= 0);
}

static void check_recursord(void)
{
    CHECK(30, may_open_socket(AF_INET));
    CHECK(31, !may_open_socket(AF_UNIX));
    CHECK(32, open("/dev/null", O_WRONLY) < 0);
    CHECK(33, !may_open_socket(AF_NETLINK));
}

static void check_validatord(void)
{
    CHECK(40, !may_open_socket(AF_INET));
    CHECK(41, !may_open_socket(AF_INET6));
    CHECK(42, may_open_socket(AF_UNIX));
    CHECK(43, open("/dev/null", O_WRONLY) >= 0);
    CHECK(44, !may_open_socket(AF_PACKET));
}

static void netd_opens_no_socket_and_writes_no_file(void **state)
{
    run_role(SANDBOX_NETD, check_netd);
}

static void recursord_opens_network_sockets_only(void **state)
{
    run_role(SANDBOX_RECURSORD, check_recursord);
}

static void validatord_opens_unix_sockets_only(void **state)
{
    run_role(SANDBOX_VALIDATORD, check_validatord);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(netd_opens_no_socket_and_writes_no_file),
        cmocka_unit_test(recursord_opens_network_sockets_only),
        cmocka_unit_test(validatord_opens_unix_sockets_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
