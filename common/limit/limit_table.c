/* limit_table - see limit_table.h. */
#include "limit/limit_table.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/xalloc.h"

struct limit_table {
	struct map *rows;
	struct list ages;
	size_t most;
};

struct limit_table *
limit_table_new(size_t most)
{
	struct limit_table *t = xcalloc(1, sizeof(*t));

	t->rows = map_new();
	list_init(&t->ages);
	t->most = most;
	return t;
}

void
limit_table_free(struct limit_table **t)
{
	struct limit_row *row;

	if (*t == NULL)
		return;
	while ((row = LIST_FIRST(&(*t)->ages, struct limit_row, age)) != NULL)
		limit_table_drop(*t, &row);
	map_free(&(*t)->rows);
	free(*t);
	*t = NULL;
}

size_t
limit_table_count(const struct limit_table *t)
{
	return map_count(t->rows);
}

struct limit_row *
limit_table_find(struct limit_table *t, const char *name)
{
	struct limit_row *row = map_get(t->rows, slice_of(name));

	if (row != NULL) {
		list_del(&row->age);
		list_add_tail(&t->ages, &row->age);
	}
	return row;
}

struct limit_row *
limit_table_get(struct limit_table *t, const char *name)
{
	struct limit_row *row = limit_table_find(t, name), *oldest;

	if (row != NULL)
		return row;
	if (map_count(t->rows) >= t->most) {
		oldest = LIST_FIRST(&t->ages, struct limit_row, age);
		limit_table_drop(t, &oldest);
	}
	row = xcalloc(1, sizeof(*row));
	row->name = xstrdup(name);
	list_add_tail(&t->ages, &row->age);
	map_set(t->rows, slice_of(row->name), row);
	return row;
}

void
limit_table_drop(struct limit_table *t, struct limit_row **row)
{
	map_del(t->rows, slice_of((*row)->name));
	list_del(&(*row)->age);
	free((*row)->name);
	free(*row);
	*row = NULL;
}

struct limit_row *
limit_table_next(struct limit_table *t, const struct limit_row *row)
{
	struct list *at = row != NULL ? row->age.prev : t->ages.prev;

	return at == &t->ages ? NULL : LIST_ITEM(at, struct limit_row, age);
}
