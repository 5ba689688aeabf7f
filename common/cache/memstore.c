/* One AVL tree a database: logarithmic whatever keys an attacker chooses, and no randomness needed. Nodes
 * hold key and value in one piece; a replaced value is a new node in the old one's place. */
#include "common/cache/memstore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cache/key.h"

/* Height of an AVL tree of 2^64 nodes is below 1.45 * 64. */
#define HEIGHT_MAX 96u

struct node {
    struct node *child[2]; /* smaller, greater */
    uint8_t height;
    bool tombstone;
    uint64_t epoch;
    size_t key_size, value_size;
    uint8_t bytes[]; /* key, then value */
};

struct memstore {
    struct node *roots[CACHE_DB_COUNT];
    size_t count;
    const struct cache_view *below;
};

static struct slice node_key(const struct node *node)
{
    return slice_make(node->bytes, node->key_size);
}

static struct slice node_value(const struct node *node)
{
    return slice_make(node->bytes + node->key_size, node->value_size);
}

static unsigned height(const struct node *node)
{
    return node ? node->height : 0;
}

static void update_height(struct node *node)
{
    unsigned a = height(node->child[0]), b = height(node->child[1]);
    node->height = (uint8_t)(1 + MAX(a, b));
}

/* The child on `side` comes up. */
static struct node *rotate(struct node *node, unsigned side)
{
    struct node *up = node->child[side];
    node->child[side] = up->child[!side];
    up->child[!side] = node;
    update_height(node);
    update_height(up);
    return up;
}

static struct node *balance(struct node *node)
{
    for (unsigned side = 0; side < 2; side++) {
        if (height(node->child[side]) <= height(node->child[!side]) + 1)
            continue;
        struct node *child = node->child[side];
        if (height(child->child[!side]) > height(child->child[side]))
            node->child[side] = rotate(child, !side);
        return rotate(node, side);
    }
    update_height(node);
    return node;
}

/* The links from the root to a node, so that balancing needs no recursion. */
struct path {
    struct node **links[HEIGHT_MAX];
    unsigned depth;
};

static void path_balance(struct path *path)
{
    while (path->depth) {
        struct node **link = path->links[--path->depth];
        if (*link)
            *link = balance(*link);
    }
}

static struct node **path_find(struct path *path, struct node **root, struct slice key)
{
    struct node **link = root;
    path->depth = 0;
    while (*link) {
        int order = cache_key_compare(key, node_key(*link));
        if (order == 0)
            break;
        assert(path->depth < HEIGHT_MAX);
        path->links[path->depth++] = link;
        link = &(*link)->child[order > 0];
    }
    return link;
}

static void node_unlink(struct memstore *store, struct path *path, struct node **link)
{
    struct node *gone = *link;
    if (gone->child[0] && gone->child[1]) {
        /* its successor takes its place */
        unsigned at = path->depth;
        path->links[path->depth++] = link;
        struct node **least = &gone->child[1];
        while ((*least)->child[0]) {
            assert(path->depth < HEIGHT_MAX);
            path->links[path->depth++] = least;
            least = &(*least)->child[0];
        }
        struct node *heir = *least;
        *least = heir->child[1];
        heir->child[0] = gone->child[0];
        heir->child[1] = gone->child[1];
        *link = heir;
        /* the link below `link` led through the node that went */
        if (path->depth > at + 1)
            path->links[at + 1] = &heir->child[1];
    } else {
        *link = gone->child[gone->child[0] == NULL];
    }
    free(gone);
    store->count--;
    path_balance(path);
}

struct memstore *memstore_new(void)
{
    return calloc(1, sizeof(struct memstore));
}

void memstore_clear(struct memstore *store)
{
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++) {
        struct node *node = store->roots[db];
        /* turned into a list on the way, so that no stack is needed */
        while (node) {
            struct node *left = node->child[0];
            if (left) {
                node->child[0] = left->child[1];
                left->child[1] = node;
                node = left;
            } else {
                struct node *next = node->child[1];
                free(node);
                node = next;
            }
        }
        store->roots[db] = NULL;
    }
    store->count = 0;
}

void memstore_free(struct memstore *store)
{
    if (store)
        memstore_clear(store);
    free(store);
}

int memstore_apply(struct memstore *store, const struct cache_write *write, bool keep_tombstones)
{
    struct path path;
    assert(write->db < CACHE_DB_COUNT);
    struct node **link = path_find(&path, &store->roots[write->db], write->key);
    struct node *old = *link;
    if (write->remove && !keep_tombstones) {
        if (old)
            node_unlink(store, &path, link);
        return 0;
    }
    size_t value_size = write->remove ? 0 : write->value.size;
    struct node *node = malloc(sizeof(*node) + write->key.size + value_size);
    if (!node)
        return -ENOMEM;
    *node = (struct node){.height = 1,
                          .tombstone = write->remove,
                          .epoch = write->epoch,
                          .key_size = write->key.size,
                          .value_size = value_size};
    if (write->key.size)
        memcpy(node->bytes, write->key.data, write->key.size);
    if (value_size)
        memcpy(node->bytes + write->key.size, write->value.data, value_size);
    if (old) {
        node->child[0] = old->child[0];
        node->child[1] = old->child[1];
        node->height = old->height;
        *link = node;
        free(old);
        return 0;
    }
    *link = node;
    store->count++;
    path_balance(&path);
    return 0;
}

size_t memstore_count(const struct memstore *store)
{
    return store->count;
}

static struct node *tree_get(const struct memstore *store, enum cache_db db, struct slice key)
{
    struct node *node = store->roots[db];
    while (node) {
        int order = cache_key_compare(key, node_key(node));
        if (order == 0)
            return node;
        node = node->child[order > 0];
    }
    return NULL;
}

/* up: the least node with a key >= key (> key when strict); else the greatest with a key <= (<) it. */
static struct node *tree_seek(const struct memstore *store, enum cache_db db, struct slice key, bool up,
                              bool strict)
{
    struct node *node = store->roots[db], *best = NULL;
    while (node) {
        int order = cache_key_compare(node_key(node), key);
        if (order == 0 && !strict)
            return node;
        if (up ? order > 0 : order < 0) {
            best = node;
            node = node->child[!up];
        } else {
            node = node->child[up];
        }
    }
    return best;
}

int memstore_each(const struct memstore *store, int (*fn)(void *ctx, const struct cache_write *write),
                  void *ctx)
{
    for (unsigned db = 0; db < CACHE_DB_COUNT; db++) {
        const struct node *stack[HEIGHT_MAX], *node = store->roots[db];
        unsigned depth = 0;
        while (node || depth) {
            for (; node; node = node->child[0]) {
                assert(depth < HEIGHT_MAX);
                stack[depth++] = node;
            }
            node = stack[--depth];
            struct cache_write write = {.db = (enum cache_db)db,
                                        .remove = node->tombstone,
                                        .key = node_key(node),
                                        .value = node_value(node),
                                        .epoch = node->epoch};
            int r = fn(ctx, &write);
            if (r)
                return r;
            node = node->child[1];
        }
    }
    return 0;
}

static int alone_get(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value)
{
    const struct node *node = tree_get(ctx, db, key);
    if (!node || node->tombstone)
        return CACHE_MISS;
    *ret_value = node_value(node);
    return 0;
}

static int alone_seek(void *ctx, enum cache_db db, struct slice key, bool up, struct slice *ret_key,
                      struct slice *ret_value)
{
    const struct node *node = tree_seek(ctx, db, key, up, false);
    while (node && node->tombstone)
        node = tree_seek(ctx, db, node_key(node), up, true);
    if (!node)
        return CACHE_MISS;
    *ret_key = node_key(node);
    *ret_value = node_value(node);
    return 0;
}

static int alone_seek_le(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                         struct slice *ret_value)
{
    return alone_seek(ctx, db, key, false, ret_key, ret_value);
}

static int alone_seek_ge(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                         struct slice *ret_value)
{
    return alone_seek(ctx, db, key, true, ret_key, ret_value);
}

static int over_get(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value)
{
    const struct memstore *store = ctx;
    const struct node *node = tree_get(store, db, key);
    if (!node)
        return store->below->get(store->below->ctx, db, key, ret_value);
    return alone_get(ctx, db, key, ret_value);
}

/* The nearer of the two layers' entries; at the same key the upper layer's. A tombstone that is nearest hides
 * its key in both, and the search goes on behind it. */
static int over_seek(void *ctx, enum cache_db db, struct slice key, bool up, struct slice *ret_key,
                     struct slice *ret_value)
{
    const struct memstore *store = ctx;
    const struct cache_view *below = store->below;
    struct cache_key step;
    const struct node *node = tree_seek(store, db, key, up, false);
    struct slice low_key = {0}, low_value = {0};
    int low = (up ? below->seek_ge : below->seek_le)(below->ctx, db, key, &low_key, &low_value);
    for (;;) {
        if (low < 0)
            return low;
        int order = 0;
        if (node && low == 0)
            order = cache_key_compare(node_key(node), low_key) * (up ? 1 : -1);
        if (!node || (low == 0 && order > 0)) {
            if (low)
                return CACHE_MISS;
            *ret_key = low_key;
            *ret_value = low_value;
            return 0;
        }
        if (!node->tombstone) {
            *ret_key = node_key(node);
            *ret_value = node_value(node);
            return 0;
        }
        if (low == 0 && order == 0) {
            if (up ? cache_key_after(low_key, &step) : cache_key_before(low_key, &step))
                low = CACHE_MISS;
            else
                low = (up ? below->seek_ge : below->seek_le)(below->ctx, db, cache_key_slice(&step), &low_key,
                                                             &low_value);
        }
        node = tree_seek(store, db, node_key(node), up, true);
    }
}

static int over_seek_le(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                        struct slice *ret_value)
{
    return over_seek(ctx, db, key, false, ret_key, ret_value);
}

static int over_seek_ge(void *ctx, enum cache_db db, struct slice key, struct slice *ret_key,
                        struct slice *ret_value)
{
    return over_seek(ctx, db, key, true, ret_key, ret_value);
}

void memstore_view(struct memstore *store, const struct cache_view *below, struct cache_view *ret_view)
{
    if (!below) {
        *ret_view = (struct cache_view){
            .ctx = store, .get = alone_get, .seek_le = alone_seek_le, .seek_ge = alone_seek_ge};
        return;
    }
    store->below = below;
    *ret_view =
        (struct cache_view){.ctx = store, .get = over_get, .seek_le = over_seek_le, .seek_ge = over_seek_ge};
}
