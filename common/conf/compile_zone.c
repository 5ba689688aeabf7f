/* Root hints and trust anchors: built in, or files in zone format, read with libldns line by line. */

#include <errno.h>
#include <fcntl.h>
#include <ldns/ldns.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf/compile_internal.h"

#define MAX_ROOT_SERVERS  64u /* the root has 13; more addresses than this help nobody */
#define MAX_ADDRESSES     16u /* of one of them */
#define MAX_TRUST_ANCHORS 256u

/* One zone text being read. */
struct source {
    struct conf *conf;
    unsigned line; /* of the configuration that names it */
    const char *path;
    int at; /* its own line */
};

#define COMPLAIN(source, ...)                                                                                \
    conf_complain_file((source)->conf, (source)->line, (source)->path, (unsigned)(source)->at, __VA_ARGS__)

/* Calls fn for each record; syntax errors are complained about, and reading goes on behind them. */
static void each_record(struct source *source, FILE *file,
                        void (*fn)(struct source *, const ldns_rr *, void *), void *ctx)
{
    uint32_t ttl = 3600;
    ldns_rdf *origin = ldns_dname_new_frm_str("."), *previous = NULL;
    int line = 0;
    while (!feof(file) && !ferror(file)) {
        ldns_rr *rr = NULL;
        ldns_status status = ldns_rr_new_frm_fp_l(&rr, file, &ttl, &origin, &previous, &line);
        source->at = MAX(line, 1);
        if (status == LDNS_STATUS_OK && rr && ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
            COMPLAIN(source, "a record of another class than IN; remove it");
        else if (status == LDNS_STATUS_OK && rr)
            fn(source, rr, ctx);
        else if (status == LDNS_STATUS_SYNTAX_INCLUDE)
            COMPLAIN(source, "$INCLUDE is not followed; write the records into this file");
        else if (status != LDNS_STATUS_OK && status != LDNS_STATUS_SYNTAX_EMPTY &&
                 status != LDNS_STATUS_SYNTAX_TTL && status != LDNS_STATUS_SYNTAX_ORIGIN)
            COMPLAIN(source, "not a record in zone format (%s); write \"owner TTL type data\"",
                     ldns_get_errorstr_by_id(status));
        ldns_rr_free(rr);
    }
    ldns_rdf_deep_free(origin);
    ldns_rdf_deep_free(previous);
}

/* Opens the file that the configuration names; relative paths start where the configuration lies. */
static FILE *open_named(struct conf *conf, unsigned line, const char *path, char full[4352])
{
    const char *slash = strrchr(conf->file, '/');
    if (path[0] == '/' || !slash)
        snprintf(full, 4352, "%s", path);
    else
        snprintf(full, 4352, "%.*s/%s", (int)MIN(slash - conf->file, 200), conf->file, path);
    /* What is no file could keep us waiting, or never end. */
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    FILE *file = NULL;
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        conf_complain(conf, line,
                      "\"%s\" is no regular file; write builtin or the path of a file in zone format", full);
    else if (fd < 0 || !(file = fdopen(fd, "r")))
        conf_complain(conf, line,
                      "cannot read \"%s\" (%s); write builtin or the path of a file in zone format", full,
                      strerror(errno));
    else
        conf_note_source(conf, full, fd);
    if (!file && fd >= 0)
        close(fd);
    return file;
}

/* Root hints. */

struct hints {
    Holdfast__Config__HintServer *servers[MAX_ROOT_SERVERS];
    size_t count;
};

static bool copy_rdf(struct conf *conf, const ldns_rdf *rdf, ProtobufCBinaryData *ret_data)
{
    uint8_t *copy = conf_alloc(conf, ldns_rdf_size(rdf));
    if (!copy)
        return false;
    memcpy(copy, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
    *ret_data = (ProtobufCBinaryData){.data = copy, .len = ldns_rdf_size(rdf)};
    return true;
}

/* The server of that name, made when new; NULL when there are too many. */
static Holdfast__Config__HintServer *hint_server(struct source *source, struct hints *hints, ldns_rdf *name)
{
    ldns_dname2canonical(name);
    for (size_t i = 0; i < hints->count; i++)
        if (hints->servers[i]->name.len == ldns_rdf_size(name) &&
            memcmp(hints->servers[i]->name.data, ldns_rdf_data(name), ldns_rdf_size(name)) == 0)
            return hints->servers[i];
    if (hints->count == MAX_ROOT_SERVERS) {
        COMPLAIN(source, "more than %u root servers; keep those of the root zone's NS set", MAX_ROOT_SERVERS);
        return NULL;
    }
    Holdfast__Config__HintServer *server = conf_alloc(source->conf, sizeof(*server));
    if (!server)
        return NULL;
    holdfast__config__hint_server__init(server);
    server->addresses = conf_alloc(source->conf, MAX_ADDRESSES * sizeof(*server->addresses));
    if (!server->addresses || !copy_rdf(source->conf, name, &server->name))
        return NULL;
    hints->servers[hints->count++] = server;
    return server;
}

static void add_hint(struct source *source, const ldns_rr *rr, void *ctx)
{
    struct hints *hints = ctx;
    ldns_rr_type type = ldns_rr_get_type(rr);
    if (type == LDNS_RR_TYPE_NS) {
        if (ldns_rdf_size(ldns_rr_owner(rr)) != 1)
            COMPLAIN(source,
                     "NS of another name than the root; keep the records of the root's servers alone");
        else
            hint_server(source, hints, ldns_rr_rdf(rr, 0));
    } else if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
        Holdfast__Config__HintServer *server = hint_server(source, hints, ldns_rr_owner(rr));
        if (server && server->n_addresses == MAX_ADDRESSES)
            COMPLAIN(source, "more than %u addresses of one server; remove some", MAX_ADDRESSES);
        else if (server &&
                 copy_rdf(source->conf, ldns_rr_rdf(rr, 0), &server->addresses[server->n_addresses]))
            server->n_addresses++;
    } else {
        COMPLAIN(source, "a record that is no hint; keep the root's NS and their A and AAAA records");
    }
}

void conf_set_root_hints(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    const char *text = conf_scalar(conf, key, node, "builtin or the path of a file in zone format");
    struct hints hints = {.count = 0};
    char full[4352];
    if (!text)
        return;
    bool builtin = strcmp(text, "builtin") == 0;
    FILE *file = builtin ? fmemopen((void *)conf_builtin_hints, strlen(conf_builtin_hints), "r")
                         : open_named(conf, conf_line(node), text, full);
    if (!file) {
        if (builtin)
            conf->failure = -ENOMEM;
        return;
    }
    struct source source = {.conf = conf, .line = conf_line(node), .path = builtin ? "builtin" : full};
    size_t before = conf->complaint_count;
    each_record(&source, file, add_hint, &hints);
    fclose(file);
    if (hints.count == 0 && conf->complaint_count == before)
        COMPLAIN(&source, "no root server in this file; write the root's NS and their A and AAAA records");
    for (size_t i = 0; i < hints.count; i++)
        if (hints.servers[i]->n_addresses == 0)
            COMPLAIN(&source, "an NS without an address (number %zu); write its A and AAAA records", i + 1);
    Holdfast__Config__HintServer **list = conf_alloc(conf, hints.count * sizeof(*list));
    if (!list)
        return;
    memcpy(list, hints.servers, hints.count * sizeof(*list));
    conf->snapshot->root_hints = list;
    conf->snapshot->n_root_hints = hints.count;
    conf->snapshot->root_hints_origin = conf_strdup(conf, text);
}

/* Trust anchors. */

struct anchors {
    Holdfast__Config__Anchor *list[MAX_TRUST_ANCHORS];
    size_t count;
};

/* What makes a DS or DNSKEY useless as an anchor; NULL when nothing does. */
static const char *anchor_fault(ldns_rr_type type, const uint8_t *rdata, size_t size)
{
    if (type == LDNS_RR_TYPE_DS) {
        static const uint8_t digest_sizes[] = {0, 20, 32, 32, 48}; /* RFC 3658, 4509, 5933, 6605 */
        if (size < 5)
            return "a DS without digest; write tag, algorithm, digest type and digest";
        if (rdata[3] < ARRAY_SIZE(digest_sizes) && digest_sizes[rdata[3]] != size - 4)
            return "a DS whose digest has not the size of its type; compare it with the publisher's";
        return NULL;
    }
    if (size < 5)
        return "a DNSKEY without key; write flags, protocol, algorithm and key";
    unsigned flags = (unsigned)rdata[0] << 8 | rdata[1];
    if (!(flags & 0x0100) || rdata[2] != 3)
        return "a DNSKEY that is no zone key (RFC 4034 2.1); write flags 256 or 257 and protocol 3";
    if (flags & 0x0080)
        return "a revoked DNSKEY (RFC 5011 2.1); write one that is in use";
    return NULL;
}

static void add_anchor(struct source *source, const ldns_rr *rr, void *ctx)
{
    struct anchors *anchors = ctx;
    ldns_rr_type type = ldns_rr_get_type(rr);
    if (type != LDNS_RR_TYPE_DS && type != LDNS_RR_TYPE_DNSKEY) {
        COMPLAIN(source, "a record that is no trust anchor; keep DS and DNSKEY records");
        return;
    }
    if (anchors->count == MAX_TRUST_ANCHORS) {
        COMPLAIN(source, "more than %u trust anchors; remove some", MAX_TRUST_ANCHORS);
        return;
    }
    Holdfast__Config__Anchor *anchor = conf_alloc(source->conf, sizeof(*anchor));
    ldns_buffer *buffer = ldns_buffer_new(1024);
    if (!anchor || !buffer || ldns_rr_rdata2buffer_wire(buffer, rr) != LDNS_STATUS_OK) {
        source->conf->failure = -ENOMEM;
        ldns_buffer_free(buffer);
        return;
    }
    const uint8_t *rdata = ldns_buffer_begin(buffer);
    size_t size = ldns_buffer_position(buffer);
    const char *fault = anchor_fault(type, rdata, size);
    holdfast__config__anchor__init(anchor);
    anchor->type = type;
    anchor->rdata = (ProtobufCBinaryData){.data = conf_alloc(source->conf, size), .len = size};
    ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(rr));
    if (fault) {
        COMPLAIN(source, "%s", fault);
    } else if (anchor->rdata.data && owner) {
        memcpy(anchor->rdata.data, rdata, size);
        ldns_dname2canonical(owner);
        if (copy_rdf(source->conf, owner, &anchor->zone))
            anchors->list[anchors->count++] = anchor;
    }
    ldns_rdf_deep_free(owner);
    ldns_buffer_free(buffer);
}

static void read_anchors(struct conf *conf, yaml_node_t *item, struct anchors *anchors)
{
    const char *text = item->type == YAML_SCALAR_NODE ? (char *)item->data.scalar.value : "";
    char full[4352];
    if (text[0] == '\0') {
        conf_complain(conf, conf_line(item),
                      "trust_anchors holds something that is no file; write builtin or paths of "
                      "files with DS or DNSKEY records");
        return;
    }
    bool builtin = strcmp(text, "builtin") == 0;
    FILE *file = builtin ? fmemopen((void *)conf_builtin_anchors, strlen(conf_builtin_anchors), "r")
                         : open_named(conf, conf_line(item), text, full);
    if (!file) {
        if (builtin)
            conf->failure = -ENOMEM;
        return;
    }
    struct source source = {.conf = conf, .line = conf_line(item), .path = builtin ? "builtin" : full};
    size_t before = anchors->count, complaints = conf->complaint_count;
    each_record(&source, file, add_anchor, anchors);
    for (size_t i = before; i < anchors->count; i++)
        anchors->list[i]->builtin = builtin;
    fclose(file);
    if (anchors->count == before && conf->complaint_count == complaints)
        COMPLAIN(&source, "no trust anchor in this file; write DS or DNSKEY records in zone format");
}

void conf_set_trust_anchors(struct conf *conf, const struct conf_key *key, yaml_node_t *node)
{
    yaml_node_t **items;
    struct anchors *anchors = conf_alloc(conf, sizeof(*anchors));
    size_t count = conf_list(conf, key, node, "files", &items);
    if (!anchors)
        return;
    char **origins = conf_alloc(conf, count * sizeof(*origins));
    for (size_t i = 0; i < count && origins; i++) {
        read_anchors(conf, items[i], anchors);
        origins[i] =
            conf_strdup(conf, items[i]->type == YAML_SCALAR_NODE ? (char *)items[i]->data.scalar.value : "");
    }
    if (conf->failure)
        return;
    conf->snapshot->trust_anchors = anchors->list;
    conf->snapshot->n_trust_anchors = anchors->count;
    conf->snapshot->trust_anchors_origin = origins;
    conf->snapshot->n_trust_anchors_origin = count;
}

int conf_anchor_from_text(const char *text, struct conf_anchor *ret_anchor, char why[160])
{
    ldns_rr *rr = NULL;
    ldns_buffer *buffer = ldns_buffer_new(1024);
    ldns_rdf *origin = ldns_dname_new_frm_str(".");
    const char *fault = NULL;
    int r = buffer && origin ? 0 : -ENOMEM;

    ldns_status status = r ? LDNS_STATUS_MEM_ERR : ldns_rr_new_frm_str(&rr, text, 3600, origin, NULL);
    if (r == 0 && (status != LDNS_STATUS_OK || !rr)) {
        snprintf(why, 160, "not a record in zone format (%s); write \". DS 20326 8 2 E06D...\"",
                 ldns_get_errorstr_by_id(status));
        r = 1;
    }
    if (r == 0 && ldns_rr_get_type(rr) != LDNS_RR_TYPE_DS && ldns_rr_get_type(rr) != LDNS_RR_TYPE_DNSKEY)
        fault = "a record that is no trust anchor; write a DS or DNSKEY record";
    if (r == 0 && !fault && ldns_rr_rdata2buffer_wire(buffer, rr) != LDNS_STATUS_OK)
        r = -ENOMEM;
    if (r == 0 && !fault && ldns_buffer_position(buffer) <= CONF_ANCHOR_MAX) {
        ldns_dname2canonical(ldns_rr_owner(rr));
        ret_anchor->type = ldns_rr_get_type(rr);
        ret_anchor->rdata_size = ldns_buffer_position(buffer);
        memcpy(ret_anchor->rdata, ldns_buffer_begin(buffer), ret_anchor->rdata_size);
        ret_anchor->zone_size = MIN(ldns_rdf_size(ldns_rr_owner(rr)), sizeof(ret_anchor->zone));
        memcpy(ret_anchor->zone, ldns_rdf_data(ldns_rr_owner(rr)), ret_anchor->zone_size);
        fault = anchor_fault(ret_anchor->type, ret_anchor->rdata, ret_anchor->rdata_size);
    }
    if (fault) {
        snprintf(why, 160, "%s", fault);
        r = 1;
    }
    ldns_rr_free(rr);
    ldns_rdf_deep_free(origin);
    ldns_buffer_free(buffer);
    return r;
}
