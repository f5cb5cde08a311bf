#include "directory/cache.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"

#include <stdlib.h>

struct row {
	struct list link; /* the one wanted last is in front */
	struct dir_name name;
	struct entry *entry;
	uint64_t read_ms;
};

struct cache {
	struct map *rows;
	struct list by_use;
	size_t max;
};

/* "local@domain": no @ is in a local part. */
static struct slice
key_of(const struct dir_name *n, char text_r[DIRECTORY_NAME_MAX + 1])
{
	dir_name_text(n->local, n->domain, NULL, text_r);
	return slice_of(text_r);
}

static void
row_free(struct cache *c, struct row *r)
{
	char key[DIRECTORY_NAME_MAX + 1];

	map_del(c->rows, key_of(&r->name, key));
	list_del(&r->link);
	entry_unref(&r->entry);
	free(r);
}

struct cache *
cache_new(size_t entries_max)
{
	struct cache *c = xcalloc(1, sizeof(*c));

	c->rows = map_new();
	c->max = entries_max;
	list_init(&c->by_use);
	return c;
}

void
cache_free(struct cache **cp)
{
	struct cache *c = *cp;
	struct row *r;

	*cp = NULL;
	if (c == NULL)
		return;
	LIST_EACH (r, &c->by_use, struct row, link)
		row_free(c, r);
	map_free(&c->rows);
	free(c);
}

struct entry *
cache_get(struct cache *c, const struct dir_name *n, uint64_t *age_ms_r)
{
	char key[DIRECTORY_NAME_MAX + 1];
	struct row *r = map_get(c->rows, key_of(n, key));

	if (r == NULL)
		return NULL;
	list_del(&r->link);
	list_add_head(&c->by_use, &r->link);
	*age_ms_r = clock_mono_ms() - r->read_ms;
	return r->entry;
}

void
cache_put(struct cache *c, const struct dir_name *n, struct entry *e)
{
	char key[DIRECTORY_NAME_MAX + 1];
	struct row *r = map_get(c->rows, key_of(n, key));

	if (r != NULL)
		row_free(c, r);
	else if (map_count(c->rows) >= c->max)
		row_free(c, LIST_ITEM(c->by_use.prev, struct row, link));
	r = xcalloc(1, sizeof(*r));
	r->name = *n;
	r->entry = entry_ref(e);
	r->read_ms = clock_mono_ms();
	list_add_head(&c->by_use, &r->link);
	map_set(c->rows, key_of(n, key), r);
}
