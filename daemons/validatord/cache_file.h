#pragma once
/* The cache file over the life of the process: opened, begun anew beside a damaged one, failing because of
 * the disk, moved aside. Whatever becomes of it, questions are answered; what is wrong stands in the log, in
 * `holdfastctl status` and in its health. */

#include <jansson.h>

#include "daemons/validatord/validatord.h"

/* Opens the cache in the state directory and makes v->writer. Where the disk has no room for a first file, or
 * cannot be written, one in memory does until it can. 0; -errno after logging what to do. */
int cache_file_open(struct validatord *v, const struct crypto_ops *flush_ops);
/* Of each commit: the result of writer_handlers.committed. */
void cache_file_committed(struct validatord *v, int result);
/* What keeps the cache from being kept, in words for the operator, or NULL: nothing. Borrowed until the next
 * event. */
const char *cache_file_trouble(struct validatord *v);
/* After writer_free(): moves a damaged file aside. */
void cache_file_close(struct validatord *v);
