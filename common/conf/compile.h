#pragma once
/* From the configuration's text to the one snapshot that daemons load. Linked by holdfastctl alone (DESIGN
 * invariant 7): YAML, zone files and addresses in text are read here and nowhere else.
 *
 * Every mistake of a file is found in one go. Each is one line, `FILE:LINE: what is wrong; what would be
 * right`, in the order of the lines. A file with a mistake yields no snapshot. */

#include <stdio.h>

#include "common/base/util.h"
#include "proto/config.pb-c.h"

#define CONF_MAX_FILE_BYTES 1048576u  /* of YAML: a thousand forward zones are some 60 kB */
#define CONF_MAX_MESSAGES   200u      /* more mistakes than that and the file is something else */
#define CONF_MAX_BYTES      33554432u /* memory of one compilation: twice what a snapshot may be */

#define CONF_DEFAULT_RUNTIME_DIRECTORY "/run/holdfast"

struct conf_overrides {
    const char *runtime_directory; /* NULL: CONF_DEFAULT_RUNTIME_DIRECTORY */
    const char *state_directory;   /* NULL: cache.directory of the file */
};

struct conf; /* what came of one compilation: a snapshot or messages */

/* Compiles the file. 0: conf_snapshot() is usable; 1: mistakes, see conf_message(); -errno: the file could
 * not be read, or memory is short. *ret_conf is set for 0 and 1. */
int conf_compile_file(const char *path, const struct conf_overrides *overrides, struct conf **ret_conf);
/* The same for text in memory; `name` stands for the file in messages, relative paths start in its directory.
 */
int conf_compile_text(const char *text, size_t size, const char *name, const struct conf_overrides *overrides,
                      struct conf **ret_conf);
void conf_free(struct conf *conf);
static inline void conf_freep(struct conf **p)
{
    conf_free(*p);
}

/* NULL when there were mistakes. Borrowed from conf. */
const Holdfast__Config__Snapshot *conf_snapshot(const struct conf *conf);
size_t conf_message_count(const struct conf *conf);
const char *conf_message(const struct conf *conf, size_t index);

/* One DS or DNSKEY record in zone text, as a file of trust anchors would have it. 0; 1: not one, and why[]
 * says what is wrong and what would be right; -ENOMEM. zone in wire form, lower case. */
#define CONF_ANCHOR_MAX 65535u
struct conf_anchor {
    uint8_t zone[255];
    size_t zone_size, rdata_size;
    uint16_t type;
    uint8_t rdata[CONF_ANCHOR_MAX];
};
int conf_anchor_from_text(const char *text, struct conf_anchor *ret_anchor, char why[160]);

/* Writes the snapshot to `path` as a whole or not at all: a temporary file beside it, renamed. Mode
 * 0644: it holds no secret and daemons of other users read it. 0 or -errno. */
int conf_write(const struct conf *conf, const char *path);
/* The snapshot as the YAML that would make it, every key with its value. */
void conf_show(const Holdfast__Config__Snapshot *snapshot, FILE *out);
