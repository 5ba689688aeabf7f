/* The walk over a configuration: YAML into a tree (libyaml's documents carry the line of every node), the
 * tree against the schema, the default text first and the user's over it.
 *
 * libyaml stops at its first syntax error, so that is one message; everything behind the syntax (unknown
 * keys, wrong values, relations between keys) is collected. Nothing recurses: the schema is three levels
 * deep, and a deeper or circular tree ends at the first key that the schema does not know. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/conf/compile_internal.h"

void *conf_alloc(struct conf *conf, size_t size)
{
    void *memory = arena_alloc(conf->arena, MAX(size, 1u));
    if (!memory)
        conf->failure = -ENOMEM;
    return memory;
}

char *conf_strdup(struct conf *conf, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = conf_alloc(conf, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

/* What a file holds must not reach the terminal as a command to it. */
static void show_controls(const char *text, char *buf, size_t size)
{
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c && used + 8 < size; c++) {
        if (*c < 0x20 || *c == 0x7f)
            used += (size_t)snprintf(buf + used, size - used, "\\x%02x", *c);
        else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) /* C1, in UTF-8 */
            used += (size_t)snprintf(buf + used, size - used, "\\x%02x", *++c);
        else
            buf[used++] = (char)*c;
    }
    buf[used] = '\0';
}

static void add_complaint(struct conf *conf, unsigned line, bool elsewhere, const char *file,
                          unsigned shown_line, const char *format, va_list args)
{
    assert(!conf->builtin); /* the built-in text is right, or a test says so */
    if (conf->complaint_count == CONF_MAX_MESSAGES)
        return;
    char raw[768], what[1024], message[1536];
    vsnprintf(raw, sizeof(raw), format, args);
    show_controls(raw, what, sizeof(what));
    snprintf(message, sizeof(message), "%s:%u: %s", file, shown_line, what);
    struct conf_complaint complaint = {
        .elsewhere = elsewhere, .line = line, .text = conf_strdup(conf, message)};
    if (!complaint.text)
        return;
    /* Behind all of the same or an earlier line. */
    size_t place = conf->complaint_count++;
    for (; place > 0 && conf->complaints[place - 1].line > line; place--)
        conf->complaints[place] = conf->complaints[place - 1];
    conf->complaints[place] = complaint;
}

void conf_complain(struct conf *conf, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_complaint(conf, line, false, conf->file, line, format, args);
    va_end(args);
}

void conf_complain_file(struct conf *conf, unsigned line, const char *file, unsigned file_line,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_complaint(conf, line, true, file, file_line, format, args);
    va_end(args);
}

static void unknown_key(struct conf *conf, unsigned line, const char *section, const char *name)
{
    char buf[64];
    const char *nearest = conf_nearest(section, name), *other = conf_section_of(name, buf);
    const char *where = section[0] ? " in " : "", *part = section[0] ? section : "";
    if (nearest)
        conf_complain(conf, line, "unknown key \"%s\"%s%s; did you mean \"%.*s\"?", name, where, part,
                      (int)strcspn(nearest, "."), nearest);
    else if (other)
        conf_complain(conf, line, "unknown key \"%s\"%s%s; it belongs under \"%s\"", name, where, part,
                      other);
    else
        conf_complain(conf, line, "unknown key \"%s\"%s%s; remove it, holdfast.yaml(5) lists the keys", name,
                      where, part);
}

struct pending {
    yaml_node_t *node;
    char path[64];
};

/* One section: its keys are set, its sub-sections appended to the queue. */
static void walk_section(struct conf *conf, struct pending section, struct pending *queue, size_t *queue_size,
                         size_t queue_room)
{
    unsigned seen_lines[CONF_MAX_KEYS] = {0};
    const char *seen_names[CONF_MAX_KEYS];
    size_t seen = 0;
    for (yaml_node_pair_t *pair = section.node->data.mapping.pairs.start;
         pair < section.node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key_node = yaml_document_get_node(conf->document, pair->key);
        yaml_node_t *node = yaml_document_get_node(conf->document, pair->value);
        unsigned line = conf_line(key_node);
        if (key_node->type != YAML_SCALAR_NODE || strlen((char *)key_node->data.scalar.value) > 60) {
            conf_complain(conf, line, "a key that is not a short word; write \"key: value\"");
            continue;
        }
        const char *name = (const char *)key_node->data.scalar.value;
        bool twice = false;
        for (size_t i = 0; i < seen && !twice; i++)
            if (strcmp(seen_names[i], name) == 0) {
                conf_complain(conf, line, "\"%s\" again, it is set in line %u; keep one of the two", name,
                              seen_lines[i]);
                twice = true;
            }
        if (twice)
            continue;
        if (seen < ARRAY_SIZE(seen_names)) {
            seen_lines[seen] = line;
            seen_names[seen++] = name;
        }
        char path[160];
        snprintf(path, sizeof(path), "%s%s%s", section.path, section.path[0] ? "." : "", name);
        int index = conf_find_key(path);
        if (index >= 0) {
            if (!conf->builtin)
                conf->lines[index] = line;
            conf_schema[index].set(conf, &conf_schema[index], node);
        } else if (!conf_is_section(path)) {
            unknown_key(conf, line, section.path, name);
        } else if (node->type == YAML_MAPPING_NODE) {
            assert(*queue_size < queue_room); /* no section twice, so no more than the schema has */
            struct pending *entry = &queue[(*queue_size)++];
            entry->node = node;
            snprintf(entry->path, sizeof(entry->path), "%.63s", path);
        } else if (node->type != YAML_SCALAR_NODE || node->data.scalar.length > 0) {
            /* A section whose keys are all comments is an empty scalar, and means nothing. */
            conf_complain(conf, conf_line(node), "\"%s\" is a section; write its keys indented below it",
                          path);
        }
    }
}

static void walk_document(struct conf *conf, yaml_node_t *root)
{
    struct pending queue[CONF_MAX_KEYS] = {{.node = root, .path = ""}};
    size_t queue_size = 1;
    if (root->type != YAML_MAPPING_NODE) {
        conf_complain(conf, conf_line(root), "not a configuration; begin with a section such as \"server:\"");
        return;
    }
    for (size_t i = 0; i < queue_size; i++)
        walk_section(conf, queue[i], queue, &queue_size, ARRAY_SIZE(queue));
}

static void complain_syntax(struct conf *conf, const yaml_parser_t *parser, const char *text, size_t size)
{
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    if (parser->error == YAML_READER_ERROR) { /* which has no mark */
        line = 1;
        for (size_t i = 0; i < MIN(parser->problem_offset, size); i++)
            line += text[i] == '\n';
    }
    if (parser->error == YAML_READER_ERROR)
        conf_complain(conf, line, "not text (%s, byte %zu); write UTF-8", parser->problem,
                      parser->problem_offset);
    else if (parser->context)
        conf_complain(conf, line, "%s, %s (line %zu); check indentation, brackets and quotes there",
                      parser->problem, parser->context, parser->context_mark.line + 1);
    else
        conf_complain(conf, line, "%s; check indentation, brackets and quotes there", parser->problem);
}

static int read_text(struct conf *conf, const char *text, size_t size)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool more = true;
    for (unsigned documents = 0; more && documents < 2; documents++) {
        if (!yaml_parser_load(&parser, &document)) {
            if (parser.error == YAML_MEMORY_ERROR)
                conf->failure = -ENOMEM;
            else
                complain_syntax(conf, &parser, text, size);
            break;
        }
        conf->document = &document;
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root && documents == 0)
            walk_document(conf, root);
        else if (root)
            conf_complain(conf, conf_line(root),
                          "a second document begins behind ---; keep one, nothing else is read");
        more = root;
        conf->document = NULL;
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return conf->failure;
}

static int apply_overrides(struct conf *conf, const struct conf_overrides *overrides)
{
    Holdfast__Config__Snapshot *snapshot = conf->snapshot;
    const char *runtime = CONF_DEFAULT_RUNTIME_DIRECTORY;
    if (overrides && overrides->runtime_directory)
        runtime = overrides->runtime_directory;
    snapshot->runtime_directory = conf_strdup(conf, runtime);
    if (overrides && overrides->state_directory) {
        snapshot->state_directory = conf_strdup(conf, overrides->state_directory);
        snapshot->state_override = conf_strdup(conf, overrides->state_directory);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snapshot->generation = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
    return conf->failure;
}

int conf_compile_text(const char *text, size_t size, const char *name, const struct conf_overrides *overrides,
                      struct conf **ret_conf)
{
    struct conf *conf = calloc(1, sizeof(*conf));
    if (!conf)
        return -ENOMEM;
    conf->arena = arena_new(CONF_MAX_BYTES);
    conf->snapshot = conf->arena ? arena_alloc(conf->arena, sizeof(*conf->snapshot)) : NULL;
    if (!conf->snapshot) {
        conf_free(conf);
        return -ENOMEM;
    }
    holdfast__config__snapshot__init(conf->snapshot);
    conf->file = conf_strdup(conf, name);
    conf->builtin = true;
    int r = read_text(conf, conf_default_text, strlen(conf_default_text));
    conf->builtin = false;
    if (r == 0)
        r = read_text(conf, text, size);
    if (r == 0)
        r = apply_overrides(conf, overrides);
    if (r == 0 && conf->complaint_count == 0)
        conf_check_relations(conf);
    if (r == 0)
        r = conf->failure;
    if (r < 0) {
        conf_free(conf);
        return r;
    }
    *ret_conf = conf;
    return conf->complaint_count > 0;
}

static int64_t time_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

void conf_note_source(struct conf *conf, const char *path, int fd)
{
    Holdfast__Config__Snapshot *s = conf->snapshot;
    char *full = realpath(path, NULL);
    struct stat st;
    Holdfast__Config__Source *source = conf_alloc(conf, sizeof(*source));
    Holdfast__Config__Source **list = conf_alloc(conf, (s->n_sources + 1) * sizeof(*list));
    if (full && source && list && fstat(fd, &st) == 0) {
        holdfast__config__source__init(source);
        source->path = conf_strdup(conf, full);
        source->device = st.st_dev;
        source->inode = st.st_ino;
        source->size = (uint64_t)st.st_size;
        source->modified_ns = time_ns(&st.st_mtim);
        source->changed_ns = time_ns(&st.st_ctim);
        if (s->n_sources)
            memcpy(list, s->sources, s->n_sources * sizeof(*list));
        list[s->n_sources++] = source;
        s->sources = list;
    }
    free(full);
}

int conf_compile_file(const char *path, const struct conf_overrides *overrides, struct conf **ret_conf)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    char *text = malloc(CONF_MAX_FILE_BYTES + 1);
    size_t size = 0;
    int r = text ? 0 : -ENOMEM;
    while (r == 0 && size <= CONF_MAX_FILE_BYTES) {
        ssize_t n = read(fd, text + size, CONF_MAX_FILE_BYTES + 1 - size);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            r = -errno;
        else if (n > 0)
            size += (size_t)n;
    }
    if (r == 0 && size > CONF_MAX_FILE_BYTES)
        r = -EFBIG;
    if (r == 0)
        r = conf_compile_text(text, size, path, overrides, ret_conf);
    if (r >= 0) {
        int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        conf_note_source(*ret_conf, path, fd);
        if (self >= 0) {
            conf_note_source(*ret_conf, "/proc/self/exe", self);
            close(self);
        }
    }
    close(fd);
    free(text);
    return r;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    arena_free(conf->arena);
    free(conf);
}

const Holdfast__Config__Snapshot *conf_snapshot(const struct conf *conf)
{
    return conf->complaint_count ? NULL : conf->snapshot;
}

size_t conf_message_count(const struct conf *conf)
{
    return conf->complaint_count;
}

const char *conf_message(const struct conf *conf, size_t index)
{
    return conf->complaints[index].text;
}

static int write_whole(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int conf_write(const struct conf *conf, const char *path)
{
    if (conf->complaint_count)
        return -EINVAL;
    size_t size = holdfast__config__snapshot__get_packed_size(conf->snapshot), path_size = strlen(path);
    uint8_t *packed = malloc(size);
    char *temporary = malloc(path_size + sizeof(".XXXXXX"));
    int r = packed && temporary ? 0 : -ENOMEM, fd = -1;
    if (r == 0) {
        holdfast__config__snapshot__pack(conf->snapshot, packed);
        memcpy(temporary, path, path_size);
        memcpy(temporary + path_size, ".XXXXXX", sizeof(".XXXXXX"));
        fd = mkostemp(temporary, O_CLOEXEC);
        r = fd < 0 ? -errno : 0;
    }
    if (r == 0) {
        r = write_whole(fd, packed, size);
        if (r == 0 &&
            fchmod(fd, 0644) < 0) /* not synced: what a power cut leaves is checked, and made anew */
            r = -errno;
        if (close(fd) < 0 && r == 0)
            r = -errno;
        if (r == 0 && rename(temporary, path) < 0)
            r = -errno;
        if (r < 0)
            unlink(temporary);
    }
    free(temporary);
    free(packed);
    return r;
}
