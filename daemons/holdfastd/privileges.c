#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemons/holdfastd/holdfastd.h"

/* SETUID and SETGID start children as their users, KILL stops them (and lets the kernel deliver PDEATHSIG
 * across users), NET_BIND_SERVICE binds port 53. */
static const unsigned kept[] = {CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_NET_BIND_SERVICE};

static bool is_kept(unsigned capability)
{
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        if (kept[i] == capability)
            return true;
    return false;
}

int privileges_reduce(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    /* The bounding set first: dropping from it needs CAP_SETPCAP, which goes next. EINVAL: beyond the
     * kernel's last capability. */
    for (unsigned capability = 0; capability < 64; capability++)
        if (!is_kept(capability) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EINVAL)
            return -errno;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -errno;
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
        data[kept[i] / 32].effective |= 1u << (kept[i] % 32);
    for (size_t i = 0; i < 2; i++)
        data[i].permitted = data[i].effective;
    if (syscall(SYS_capset, &header, data) < 0)
        return -errno;
    return 0;
}

int privileges_become(uid_t uid, gid_t gid)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return -errno;
    return 0;
}
