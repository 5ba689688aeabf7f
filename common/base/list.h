#pragma once
/* Intrusive doubly linked list: a head that points at itself when empty. */

#include "common/base/util.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
    head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Is this node in a list? A node must have been list_init()ed or list_remove()d before. */
static inline bool list_linked(const struct list *node)
{
    return node->next != NULL && node->next != node;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = node;
}

#define LIST_FOREACH(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* Safe when the body removes pos. */
#define LIST_FOREACH_SAFE(pos, head)                                                                         \
    for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head);                            \
         pos = pos##_next, pos##_next = pos->next)
