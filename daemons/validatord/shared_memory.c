#include "daemons/validatord/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1; older headers lack the name */
#endif

/* A sealed memfd of that size, mapped here for writing. */
static int make(const char *name, size_t size, int seals, int *ret_fd, void **ret_map)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;
    void *map = MAP_FAILED;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) == 0)
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    /* After the mapping: F_SEAL_FUTURE_WRITE leaves ours writable and lets nobody make another. */
    if (map == MAP_FAILED || fcntl(fd, F_ADD_SEALS, seals) < 0) {
        r = -errno;
        if (map != MAP_FAILED)
            munmap(map, size);
        close(fd);
        return r;
    }
    *ret_fd = fd;
    *ret_map = map;
    return 0;
}

int shared_memory_init(struct shared_memory *shared)
{
    void *page = NULL, *sketch = NULL;
    int r;

    *shared = (struct shared_memory){.page_fd = -1, .sketch_fd = -1};
    r = make("holdfast-page", SHARED_PAGE_BYTES,
             F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, &shared->page_fd, &page);
    if (r < 0)
        return r;
    shared->page = page;
    *shared->page = (struct shared_page){.magic = SHARED_PAGE_MAGIC, .version = 1};
    r = make("holdfast-popularity", SHARED_SKETCH_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
             &shared->sketch_fd, &sketch);
    if (r < 0) {
        shared_memory_fini(shared);
        return r;
    }
    shared->sketch = sketch;
    return 0;
}

void shared_memory_fini(struct shared_memory *shared)
{
    if (shared->page)
        munmap(shared->page, SHARED_PAGE_BYTES);
    if (shared->sketch)
        munmap((void *)shared->sketch, SHARED_SKETCH_BYTES);
    if (shared->page_fd >= 0)
        close(shared->page_fd);
    if (shared->sketch_fd >= 0)
        close(shared->sketch_fd);
    *shared = (struct shared_memory){.page_fd = -1, .sketch_fd = -1};
}

void shared_memory_age(struct shared_memory *shared)
{
    for (size_t i = 0; i < SHARED_SKETCH_BYTES; i++) {
        uint8_t seen = atomic_load_explicit(&shared->sketch[i], memory_order_relaxed);

        if (seen)
            atomic_store_explicit(&shared->sketch[i], (uint8_t)(seen / 2), memory_order_relaxed);
    }
}
