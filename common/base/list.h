/*
 * list - doubly linked, the links inside the items. A head is a node of its own.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

struct list {
	struct list *next, *prev;
};

static inline void
list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Is this item in some list? True only for items that were list_init'ed. */
static inline bool
list_is_linked(const struct list *item)
{
	return item->next != item;
}

static inline void
list_add_before(struct list *at, struct list *item)
{
	item->prev = at->prev;
	item->next = at;
	at->prev->next = item;
	at->prev = item;
}

static inline void
list_add_tail(struct list *head, struct list *item)
{
	list_add_before(head, item);
}

static inline void
list_add_head(struct list *head, struct list *item)
{
	list_add_before(head->next, item);
}

/* Unlinks and leaves the item list_init'ed; harmless when it is not linked. */
static inline void
list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

#define LIST_ITEM(ptr, type, member) CONTAINER_OF(ptr, type, member)

/* The first item, or NULL. */
#define LIST_FIRST(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : LIST_ITEM((head)->next, type, member))

/* `it` (a plain variable) may be unlinked inside the loop; others may not. */
#define LIST_EACH(it, head, type, member)                                                          \
	for (struct list *it##_pos = (head)->next, *it##_next = it##_pos->next;                    \
	     it##_pos != (head) && ((it) = LIST_ITEM(it##_pos, type, member), 1);                  \
	     it##_pos = it##_next, it##_next = it##_pos->next)

#endif
