/*
 * tree - all names of the store in bytewise order: a sorted array of pointers. A change
 * moves what is behind it, which for a million names is a millisecond, less than the sync
 * that any change of the namespace takes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

struct entry *
entry_new(uint64_t id, struct slice name, struct slice acl, struct slice special_use)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->id = id;
	entry_set(&e->name, name);
	entry_set(&e->acl, acl);
	entry_set(&e->special_use, special_use);
	return e;
}

void
entry_free(struct entry **ep)
{
	struct entry *e = *ep;

	*ep = NULL;
	if (e == NULL)
		return;
	must(e->hot == NULL);
	free(e->quota);
	free((void *)(uintptr_t)e->name.p);
	free((void *)(uintptr_t)e->acl.p);
	free((void *)(uintptr_t)e->special_use.p);
	free(e->grants);
	free(e);
}

void
entry_set(struct slice *field, struct slice value)
{
	char *copy = slice_dup(value);

	free((void *)(uintptr_t)field->p);
	*field = slice_make(copy, value.n);
}

void
tree_fini(struct tree *t)
{
	for (size_t i = 0; i < t->count; i++)
		entry_free(&t->sorted[i]);
	free(t->sorted);
	*t = (struct tree){ NULL, 0, 0 };
}

void
tree_push(struct tree *t, struct entry *e)
{
	if (t->count == t->cap) {
		t->cap = t->cap != 0 ? t->cap * 2 : 64;
		t->sorted = xreallocarray(t->sorted, t->cap, sizeof(*t->sorted));
	}
	t->sorted[t->count++] = e;
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return slice_cmp((*x)->name, (*y)->name);
}

void
tree_sort(struct tree *t)
{
	if (t->count != 0)
		qsort(t->sorted, t->count, sizeof(*t->sorted), by_name);
}

size_t
tree_position(const struct tree *t, struct slice name)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (slice_cmp(t->sorted[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct entry *
tree_find(const struct tree *t, struct slice name)
{
	size_t at = tree_position(t, name);

	return at < t->count && slice_eq(t->sorted[at]->name, name) ? t->sorted[at] : NULL;
}

void
tree_add(struct tree *t, struct entry *e)
{
	size_t at = tree_position(t, e->name);

	must(at == t->count || !slice_eq(t->sorted[at]->name, e->name));
	tree_push(t, e);
	memmove(&t->sorted[at + 1], &t->sorted[at], (t->count - 1 - at) * sizeof(*t->sorted));
	t->sorted[at] = e;
}

void
tree_remove(struct tree *t, struct entry *e)
{
	size_t at = tree_position(t, e->name);

	must(at < t->count && t->sorted[at] == e);
	t->count--;
	memmove(&t->sorted[at], &t->sorted[at + 1], (t->count - at) * sizeof(*t->sorted));
}

void
tree_rename(struct tree *t, struct entry **entries, struct slice *names, size_t count)
{
	if (count > 8) { /* one sort instead of many moves */
		for (size_t i = 0; i < count; i++)
			entry_set(&entries[i]->name, names[i]);
		tree_sort(t);
		return;
	}
	for (size_t i = 0; i < count; i++)
		tree_remove(t, entries[i]);
	for (size_t i = 0; i < count; i++) {
		entry_set(&entries[i]->name, names[i]);
		tree_add(t, entries[i]);
	}
}

/* Where the names below `name` begin and end: those that start with "name.". */
static void
range_below(const struct tree *t, struct slice name, size_t *from_r, size_t *to_r)
{
	char bound[MBOX_NAME_MAX + 1];
	size_t n = MIN(name.n, (size_t)MBOX_NAME_MAX);

	if (n != 0)
		memcpy(bound, name.p, n);
	bound[n] = '.';
	*from_r = tree_position(t, slice_make(bound, n + 1));
	bound[n] = '.' + 1;
	*to_r = tree_position(t, slice_make(bound, n + 1));
}

bool
tree_has_children(const struct tree *t, struct slice name)
{
	return tree_count_below(t, name) != 0;
}

size_t
tree_count_below(const struct tree *t, struct slice name)
{
	size_t from, to;

	range_below(t, name, &from, &to);
	return to - from;
}
