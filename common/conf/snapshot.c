#include "common/conf/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ipc/conn.h"
#include "common/wire/name.h"

/* Unpacked, messages take several times their packed size; the cap on the file bounds both. */
#define SNAPSHOT_UNPACK_FACTOR 8u
#define SNAPSHOT_MAX_WORKERS   64u
/* Two changes within one tick of the file system's clock look alike: a jiffy of at most 10 ms, or a second or
 * two where times have no fraction. */
#define SETTLED_NS        20000000
#define SETTLED_COARSE_NS 2000000000

static void freep(uint8_t **p)
{
    free(*p);
}

static int read_whole(int fd, uint8_t **ret_bytes, size_t *ret_size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size <= 0 || st.st_size > (off_t)SNAPSHOT_MAX_BYTES)
        return 1;
    size_t size = (size_t)st.st_size, at = 0;
    _cleanup_(freep) uint8_t *bytes = malloc(size);
    if (!bytes)
        return -ENOMEM;
    while (at < size) {
        ssize_t got = pread(fd, bytes + at, size - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 1;
        at += (size_t)got;
    }
    *ret_bytes = TAKE(bytes);
    *ret_size = size;
    return 0;
}

static bool endpoints_good(Holdfast__Config__Endpoint *const *list, size_t count)
{
    struct address address;
    for (size_t i = 0; i < count; i++)
        if (snapshot_endpoint(list[i], &address) != 0)
            return false;
    return true;
}

static bool prefixes_good(Holdfast__Config__Prefix *const *list, size_t count)
{
    struct prefix prefix;
    for (size_t i = 0; i < count; i++)
        if (snapshot_prefix(list[i], &prefix) != 0)
            return false;
    return true;
}

static bool name_good(const ProtobufCBinaryData *bytes)
{
    uint8_t name[NAME_MAX];
    return name_from_bytes(bytes->data, bytes->len, name) == 0;
}

static bool zones_good(Holdfast__Config__ZoneServers *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!name_good(&list[i]->zone) || !endpoints_good(list[i]->to, list[i]->n_to))
            return false;
    return true;
}

/* holdfastctl wrote the file, so this only guards against one that is damaged or of another version. */
static const char *snapshot_fault(const Holdfast__Config__Snapshot *s)
{
    if (s->workers < 1 || s->workers > SNAPSHOT_MAX_WORKERS)
        return "server.workers is out of range";
    if (!endpoints_good(s->listen, s->n_listen))
        return "a listen address is malformed";
    if (!prefixes_good(s->allow, s->n_allow) || !prefixes_good(s->allow_snoop, s->n_allow_snoop) ||
        !prefixes_good(s->never_query, s->n_never_query))
        return "a prefix is malformed";
    if (!zones_good(s->forward, s->n_forward) || !zones_good(s->stub, s->n_stub))
        return "a forward or stub zone is malformed";
    for (size_t i = 0; i < s->n_root_hints; i++)
        if (!name_good(&s->root_hints[i]->name))
            return "a root hint is malformed";
    for (size_t i = 0; i < s->n_trust_anchors; i++)
        if (!name_good(&s->trust_anchors[i]->zone) || s->trust_anchors[i]->rdata.len > UINT16_MAX)
            return "a trust anchor is malformed";
    for (size_t i = 0; i < s->n_insecure_zones; i++)
        if (!name_good(&s->insecure_zones[i]))
            return "an insecure zone is malformed";
    if (s->edns_size < 512 || s->edns_size > 4096)
        return "resolve.edns_size is out of range";
    if (s->runtime_directory[0] != '/' || s->state_directory[0] != '/')
        return "the runtime and state directories are not absolute";
    return NULL;
}

int snapshot_load_fd(int fd, Holdfast__Config__Snapshot **ret_snapshot, const char **ret_error)
{
    _cleanup_(freep) uint8_t *bytes = NULL;
    size_t size = 0;
    int r = read_whole(fd, &bytes, &size);
    if (r != 0) {
        *ret_error = "it is empty, too big, or changed while it was read";
        return r;
    }
    Holdfast__Config__Snapshot *snapshot = (Holdfast__Config__Snapshot *)ipc_unpack_within(
        &holdfast__config__snapshot__descriptor, slice_make(bytes, size),
        size * SNAPSHOT_UNPACK_FACTOR + 65536);
    if (!snapshot) {
        *ret_error = "it is not a compiled configuration";
        return 1;
    }
    const char *fault = snapshot_fault(snapshot);
    if (fault) {
        snapshot_free(snapshot);
        *ret_error = fault;
        return 1;
    }
    *ret_snapshot = snapshot;
    return 0;
}

int snapshot_load(const char *path, Holdfast__Config__Snapshot **ret_snapshot, const char **ret_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *ret_error = "it cannot be opened";
        return -errno;
    }
    int r = snapshot_load_fd(fd, ret_snapshot, ret_error);
    close(fd);
    return r;
}

static int64_t time_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * (int64_t)NS_PER_S + t->tv_nsec;
}

bool snapshot_sources_unchanged(const Holdfast__Config__Snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_sources; i++) {
        const Holdfast__Config__Source *s = snapshot->sources[i];
        struct stat st;
        if (stat(s->path, &st) < 0 || (uint64_t)st.st_dev != s->device || (uint64_t)st.st_ino != s->inode ||
            (uint64_t)st.st_size != s->size || time_ns(&st.st_mtim) != s->modified_ns ||
            time_ns(&st.st_ctim) != s->changed_ns ||
            (int64_t)snapshot->generation * 1000 - s->changed_ns <
                (s->changed_ns % (int64_t)NS_PER_S ? SETTLED_NS : SETTLED_COARSE_NS))
            return false;
    }
    return snapshot->n_sources > 0;
}

void snapshot_free(Holdfast__Config__Snapshot *snapshot)
{
    if (snapshot)
        ipc_unpack_free(&snapshot->base);
}

static uint8_t family_of(const ProtobufCBinaryData *bytes)
{
    return bytes->len == 4 ? 4 : bytes->len == 16 ? 6 : 0;
}

int snapshot_endpoint(const Holdfast__Config__Endpoint *endpoint, struct address *ret_address)
{
    uint8_t family = family_of(&endpoint->address);
    if (!family || endpoint->port == 0 || endpoint->port > UINT16_MAX)
        return 1;
    *ret_address = (struct address){.family = family, .port = (uint16_t)endpoint->port};
    memcpy(ret_address->bytes, endpoint->address.data, endpoint->address.len);
    return 0;
}

int snapshot_prefix(const Holdfast__Config__Prefix *prefix, struct prefix *ret_prefix)
{
    uint8_t family = family_of(&prefix->address);
    if (!family || prefix->length > prefix->address.len * 8)
        return 1;
    *ret_prefix = (struct prefix){.family = family, .length = (uint8_t)prefix->length};
    memcpy(ret_prefix->bytes, prefix->address.data, prefix->address.len);
    return 0;
}
