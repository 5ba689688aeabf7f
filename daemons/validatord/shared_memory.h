#pragma once
/* The two memfds that netd gets in validatord's Hello (common/ipc/shared.h): the page that says which cached
 * answers are still good, and the popularity sketch. Made and sealed here, mapped as long as validatord
 * lives. */

#include "common/ipc/shared.h"

struct shared_memory {
    int page_fd, sketch_fd;
    struct shared_page *page;
    _Atomic uint8_t *sketch;
};

/* 0 or -errno. */
int shared_memory_init(struct shared_memory *shared);
void shared_memory_fini(struct shared_memory *shared);
/* Ages the sketch, so that what was popular once does not stay so for ever. */
void shared_memory_age(struct shared_memory *shared);
