#include "daemons/recursord/core/table.h"

#include <errno.h>
#include <stdlib.h>

int table_init(struct table *table, unsigned bits, size_t cap)
{
    size_t size = (size_t)1 << bits;
    *table = (struct table){.mask = size - 1, .cap = cap};
    list_init(&table->age);
    table->buckets = malloc(size * sizeof(*table->buckets));
    if (!table->buckets)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++)
        list_init(&table->buckets[i]);
    return 0;
}

void table_fini(struct table *table)
{
    assert(table->count == 0);
    free(table->buckets);
    table->buckets = NULL;
}

struct list *table_bucket(struct table *table, uint64_t hash)
{
    return &table->buckets[hash & table->mask];
}

void table_insert(struct table *table, struct table_node *node, uint64_t hash)
{
    node->hash = hash;
    list_append(table_bucket(table, hash), &node->bucket);
    list_prepend(&table->age, &node->age);
    table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
    list_remove(&node->bucket);
    list_remove(&node->age);
    table->count--;
}

void table_touch(struct table *table, struct table_node *node)
{
    list_remove(&node->age);
    list_prepend(&table->age, &node->age);
}

struct table_node *table_oldest(struct table *table)
{
    if (list_empty(&table->age))
        return NULL;
    return CONTAINER_OF(table->age.prev, struct table_node, age);
}
