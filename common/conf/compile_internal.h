#pragma once
/* Shared by the files of the configuration compiler: the state of one compilation and the setters of its
 * schema. */

#include <yaml.h>

#include "common/base/arena.h"
#include "common/conf/compile.h"

struct conf_complaint {
    bool elsewhere; /* in a zone file the configuration names: sorted behind the line that names it */
    unsigned line;
    const char *text;
};

#define CONF_MAX_KEYS 64u

struct conf {
    struct arena *arena; /* everything below, and the snapshot's parts */
    Holdfast__Config__Snapshot *snapshot;
    const char *file;
    yaml_document_t *document; /* while it is walked */
    bool builtin;              /* the default text is being read, not the file */
    unsigned
        lines[CONF_MAX_KEYS]; /* by index into the schema: where the file sets that key; 0: it does not */
    struct conf_complaint complaints[CONF_MAX_MESSAGES];
    size_t complaint_count;
    int failure; /* sticky -errno: memory is short */
};

/* One key of the configuration. */
struct conf_key {
    const char *path; /* "cache.size" */
    void (*set)(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
    size_t field;      /* offset in the snapshot; of the n_ member where it is repeated */
    uint64_t min, max; /* in the field's unit */
    size_t items;      /* offset of the array of a repeated field */
};

extern const struct conf_key conf_schema[];
extern const size_t conf_schema_size;

/* Notes a mistake at a line of the configuration file. */
void conf_complain(struct conf *conf, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A mistake in another file that `line` of the configuration names. */
void conf_complain_file(struct conf *conf, unsigned line, const char *file, unsigned file_line,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));
static inline unsigned conf_line(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}
/* Zeroed memory of the compilation; NULL sets conf->failure. */
void *conf_alloc(struct conf *conf, size_t size);
char *conf_strdup(struct conf *conf, const char *text);
/* Notes in the snapshot that the open file fd, known as path, was read to make it. */
void conf_note_source(struct conf *conf, const char *path, int fd);
/* The word of keys under `section` nearest to `name`, or NULL when none is near. */
const char *conf_nearest(const char *section, const char *name);
/* The section whose key has that last word, or NULL. Into buf. */
const char *conf_section_of(const char *name, char buf[64]);
/* Is it the path of a section: some key lies below it? */
bool conf_is_section(const char *path);
/* Index into conf_schema, or -1. */
int conf_find_key(const char *path);
/* The line that sets the key, or 0. */
unsigned conf_line_of(const struct conf *conf, const char *path);

/* Text of a scalar node; NULL after complaining (what: what was expected). */
const char *conf_scalar(struct conf *conf, const struct conf_key *key, yaml_node_t *node, const char *what);
/* Items of a list node (a lone scalar is a list of one). Complains and returns 0 when it is neither. */
size_t conf_list(struct conf *conf, const struct conf_key *key, yaml_node_t *node, const char *what,
                 yaml_node_t ***ret_items);
static inline void *conf_field(const struct conf *conf, size_t offset)
{
    return (char *)conf->snapshot + offset;
}

/* Setters, one for each kind of value. */
void conf_set_bool(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_duration(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_size(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_number(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_directory(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_minimisation(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_log_level(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_time(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_endpoints(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_prefixes(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_never_query(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_addresses(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_zones(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_zone_servers(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_root_hints(struct conf *conf, const struct conf_key *key, yaml_node_t *node);
void conf_set_trust_anchors(struct conf *conf, const struct conf_key *key, yaml_node_t *node);

/* A name in text as lower-case wire form. 0; 1: not a name. */
int conf_name(struct conf *conf, const char *text, ProtobufCBinaryData *ret_name);

/* Relations between keys, once all are set. */
void conf_check_relations(struct conf *conf);

extern const char conf_default_text[];  /* the configuration of a file that is empty */
extern const char conf_builtin_hints[]; /* zone format */
extern const char conf_builtin_anchors[];
extern const char *const conf_special_use_prefixes[];
extern const size_t conf_special_use_prefix_count;
