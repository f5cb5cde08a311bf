/*
 * overlay - small facts that are in the log and not in the index yet. Readers look here
 * first, then into the index.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

struct overlay {
	struct map *by_key;
	struct list items; /* by lsn */
};

struct overlay *
overlay_new(void)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	o->by_key = map_new();
	list_init(&o->items);
	return o;
}

static void
drop(struct overlay *o, struct overlay_item *it)
{
	(void)map_del(o->by_key, it->key);
	list_del(&it->link);
	free((void *)(uintptr_t)it->key.p);
	free(it);
}

void
overlay_free(struct overlay **op)
{
	struct overlay *o = *op;
	struct overlay_item *it;

	*op = NULL;
	if (o == NULL)
		return;
	LIST_EACH (it, &o->items, struct overlay_item, link)
		drop(o, it);
	map_free(&o->by_key);
	free(o);
}

void
overlay_set(struct overlay *o, struct slice key, uint64_t lsn, bool on, int64_t value)
{
	struct overlay_item *it = map_get(o->by_key, key);

	if (it == NULL) {
		it = xcalloc(1, sizeof(*it));
		it->key = slice_make(slice_dup(key), key.n);
		list_init(&it->link);
		(void)map_set(o->by_key, key, it);
	}
	list_del(&it->link);
	list_add_tail(&o->items, &it->link);
	it->lsn = lsn;
	it->on = on;
	it->value = value;
}

const struct overlay_item *
overlay_get(const struct overlay *o, struct slice key)
{
	return map_get(o->by_key, key);
}

void
overlay_prune(struct overlay *o, uint64_t indexed_lsn)
{
	struct overlay_item *it;

	while ((it = LIST_FIRST(&o->items, struct overlay_item, link)) != NULL &&
	       it->lsn <= indexed_lsn)
		drop(o, it);
}

static int
by_key(const void *a, const void *b)
{
	const struct overlay_item *const *x = a, *const *y = b;

	return slice_cmp((*x)->key, (*y)->key);
}

const struct overlay_item **
overlay_list(const struct overlay *o, struct slice prefix, size_t *count_r)
{
	const struct overlay_item **list = NULL;
	struct overlay_item *it;
	size_t n = 0, cap = 0;

	LIST_EACH (it, &o->items, struct overlay_item, link) {
		if (!slice_starts(it->key, prefix))
			continue;
		if (n == cap) {
			cap = cap != 0 ? cap * 2 : 8;
			list = xreallocarray(list, cap, sizeof(*list));
		}
		list[n++] = it;
	}
	if (n != 0)
		qsort(list, n, sizeof(*list), by_key);
	*count_r = n;
	return list;
}
