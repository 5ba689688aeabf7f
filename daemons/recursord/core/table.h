#pragma once
/* A bounded hash table with the order of use: what recursord remembers and an attacker can fill.
 *
 * Intrusive: entries carry a node. The caller hashes with SipHash, walks one bucket and compares its own
 * keys. When the cap is reached the caller drops the least recently used entry. */

#include "common/base/list.h"

struct table_node {
    struct list bucket, age;
    uint64_t hash;
};

struct table {
    struct list *buckets;
    size_t mask, count, cap;
    struct list age; /* most recently used first */
};

/* 2^bits buckets, at most cap entries. 0 or -ENOMEM. */
int table_init(struct table *table, unsigned bits, size_t cap);
/* Frees the buckets; the entries are the caller's and must be out before. */
void table_fini(struct table *table);
struct list *table_bucket(struct table *table, uint64_t hash);
void table_insert(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);
/* Marks as used just now. */
void table_touch(struct table *table, struct table_node *node);
/* The least recently used entry, or NULL. */
struct table_node *table_oldest(struct table *table);
static inline bool table_full(const struct table *table)
{
    return table->count >= table->cap;
}
static inline struct table_node *table_node_of(struct list *bucket_link)
{
    return CONTAINER_OF(bucket_link, struct table_node, bucket);
}
