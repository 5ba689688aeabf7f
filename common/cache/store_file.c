/* The files around the map: is data.mdb whole, what became of the run before, and where a damaged file goes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cache/store_lmdb.h"

/* DESIGN 4: two crashes within this many seconds make the file a suspect. */
#define CRASH_WINDOW_S 10

char *store_path(const char *directory, const char *file)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", directory, file) < 0 ? NULL : path;
}

/* A meta page as LMDB 0.9 writes it on a machine of 64 bits: a page header of 16 bytes, magic, version,
 * address, map size, two database records whose first word is the page size, last page, transaction. */
#define META_MAGIC     16u
#define META_PAGE_SIZE 40u
#define META_LAST_PAGE 136u
#define META_SIZE      152u

static int check_meta(const uint8_t *page, uint64_t file_size, uint32_t *ret_page_size)
{
    uint32_t magic, page_size;
    uint64_t last;
    memcpy(&magic, page + META_MAGIC, sizeof(magic));
    memcpy(&page_size, page + META_PAGE_SIZE, sizeof(page_size));
    memcpy(&last, page + META_LAST_PAGE, sizeof(last));
    if (magic != 0xbeefc0deu || page_size < 512 || page_size > 65536 || (page_size & (page_size - 1)))
        return 1;
    if (last >= file_size / page_size)
        return 1;
    *ret_page_size = page_size;
    return 0;
}

int store_check_size(const char *directory)
{
    char *path = store_path(directory, "data.mdb");
    if (!path)
        return -ENOMEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return errno == ENOENT ? STORE_NO_FILE : -errno;
    struct stat st;
    uint8_t meta[META_SIZE];
    uint32_t page_size, second;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 && st.st_size == 0)
        r = STORE_NO_FILE;
    if (r == 0 && (pread(fd, meta, sizeof(meta), 0) != (ssize_t)sizeof(meta) ||
                   check_meta(meta, (uint64_t)st.st_size, &page_size) ||
                   pread(fd, meta, sizeof(meta), page_size) != (ssize_t)sizeof(meta) ||
                   check_meta(meta, (uint64_t)st.st_size, &second) || second != page_size))
        r = 1;
    close(fd);
    return r;
}

void store_boot_id(char ret_id[40])
{
    ret_id[0] = '\0';
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, ret_id, 36);
    ret_id[n == 36 ? 36 : 0] = '\0';
    close(fd);
}

/* The file holds the boot id, the times of the last two starts that no clean close followed, and our pid. */
int store_state_open(const char *directory, int *ret_fd, bool *ret_suspicious)
{
    char *path = store_path(directory, "writer.state");
    if (!path)
        return -ENOMEM;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        close(fd);
        return r;
    }
    char text[128] = {0}, then[40] = {0}, boot[40];
    long long before = 0, last = 0, now = (long long)time(NULL);
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    int fields = n > 0 ? sscanf(text, "%39s %lld %lld", then, &before, &last) : 0;
    store_boot_id(boot);
    if (!boot[0])
        strcpy(boot, "-");
    *ret_suspicious = (fields >= 1 && strcmp(boot, then) != 0) ||
                      (fields == 3 && before != 0 && now - before <= CRASH_WINDOW_S && now >= before);
    int size =
        snprintf(text, sizeof(text), "%s %lld %lld %ld\n", boot, fields == 3 ? last : 0, now, (long)getpid());
    /* Only a hint for the next start: a disk that is full must not keep the daemon from starting. */
    if (pwrite(fd, text, (size_t)size, 0) == size && ftruncate(fd, size) < 0)
        store_state_clean(fd);
    *ret_fd = fd;
    return 0;
}

pid_t store_holder(const char *directory)
{
    char *path = store_path(directory, "writer.state"), text[128] = {0};
    long pid = 0;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%*s %*d %*d %ld", &pid) != 1)
        pid = 0;
    close(fd);
    return (pid_t)pid;
}

void store_state_clean(int fd)
{
    if (ftruncate(fd, 0) < 0)
        (void)lseek(fd, 0, SEEK_SET);
}

void store_state_suspect(int fd)
{
    static const char text[] = "damaged 0 0\n"; /* no boot has that id */
    if (pwrite(fd, text, sizeof(text) - 1, 0) == (ssize_t)(sizeof(text) - 1) &&
        ftruncate(fd, sizeof(text) - 1) < 0)
        store_state_clean(fd);
}

/* Touches every page that a look-up could meet in one database, and checks what LMDB takes for granted. */
static int read_database(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_stat stat;
    size_t count = 0, last_size = 0;
    uint8_t last[CACHE_KEY_MAX];
    int rc = mdb_stat(txn, dbi, &stat);
    if (rc || mdb_cursor_open(txn, dbi, &cursor))
        return 1;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (!key.mv_size || key.mv_size > CACHE_KEY_MAX || value.mv_size > CACHE_ENTRY_MAX ||
            ++count > stat.ms_entries)
            return 1;
        if (last_size && cache_key_compare(slice_make(last, last_size), store_slice(&key)) >= 0)
            return 1;
        memcpy(last, key.mv_data, key.mv_size);
        last_size = key.mv_size;
        for (size_t i = 0; i < value.mv_size; i++)
            (void)((const volatile uint8_t *)value.mv_data)[i];
    }
    return rc != MDB_NOTFOUND || count != stat.ms_entries;
}

/* LMDB's list of free pages: per transaction a count and that many page numbers, the greatest first. A writer
 * would put new data onto a page that is named here by mistake. */
static int read_free_list(MDB_txn *txn, size_t last_page)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc;
    if (mdb_cursor_open(txn, 0, &cursor))
        return 1;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        size_t words = value.mv_size / sizeof(size_t), count, page, before = last_page + 1;
        if (key.mv_size != sizeof(size_t) || !words)
            return 1;
        memcpy(&count, value.mv_data, sizeof(count));
        if (count >= words)
            return 1;
        for (size_t i = 1; i <= count; i++, before = page) {
            memcpy(&page, (const uint8_t *)value.mv_data + i * sizeof(page), sizeof(page));
            if (page < 2 || page >= before)
                return 1;
        }
    }
    return rc != MDB_NOTFOUND;
}

static int read_everything(void *ctx)
{
    const char *directory = ctx;
    struct store *store;
    MDB_txn *txn;
    MDB_envinfo info;
    int r = store_open_reader(directory, &store);
    if (r)
        return r == CACHE_MISS ? 0 : 1;
    if (mdb_env_info(store->env, &info) || mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn))
        return 1;
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++)
        if (read_database(txn, store->dbi[db]))
            return 1;
    return read_free_list(txn, info.me_last_pgno);
}

int store_in_child(int (*fn)(void *ctx), void *ctx, unsigned timeout_ms)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        const struct rlimit no_core = {0};
        const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
        setrlimit(RLIMIT_CORE, &no_core);
        for (unsigned i = 0; i < ARRAY_SIZE(fatal); i++)
            signal(fatal[i], SIG_DFL);
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0)
            dup2(null, STDERR_FILENO);
        _exit(fn(ctx));
    }
    mono_ns end = mono_add_ms(store_clock(), timeout_ms);
    for (;;) {
        int status;
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        if (done < 0 && errno != EINTR)
            return -errno;
        if (mono_reached(store_clock(), end)) {
            kill(pid, SIGKILL);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
            return 128;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

int store_check(const char *directory, unsigned timeout_ms)
{
    int r = store_check_size(directory);
    if (r)
        return r == STORE_NO_FILE ? 0 : r;
    r = store_in_child(read_everything, (void *)directory, timeout_ms);
    return r > 0 ? 1 : r;
}

/* Each is as large as the whole cache: only the newest is kept. */
static void drop_damaged(const char *directory)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strncmp(entry->d_name, STORE_DAMAGED_PREFIX, strlen(STORE_DAMAGED_PREFIX)) == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

int store_quarantine(const char *directory, char **ret_path)
{
    char *from = store_path(directory, "data.mdb"), *lock = store_path(directory, "lock.mdb"), *to = NULL;
    int r = 0;
    if (!from || !lock ||
        asprintf(&to, "%s/" STORE_DAMAGED_PREFIX "%lld", directory, (long long)time(NULL)) < 0) {
        to = NULL;
        r = -ENOMEM;
    } else if (access(from, F_OK) < 0) {
        r = errno == ENOENT ? CACHE_MISS : -errno;
    } else {
        drop_damaged(directory);
        if (rename(from, to) < 0)
            r = -errno;
        else
            unlink(lock);
    }
    free(from);
    free(lock);
    if (r)
        free(to);
    else
        *ret_path = to;
    return r;
}
