/*
 * The way to the right driver, and what they share.
 */
#include "sql/sql.h"

#include "base/slice.h"
#include "sql/driver.h"

#include <string.h>

static const struct scheme {
	const char *start;
	size_t skip; /* what the driver does not want to see */
	const struct sql_driver *driver;
} schemes[] = {
	{ "/", 0, &sql_sqlite },
	{ "sqlite:", 7, &sql_sqlite },
	{ "postgresql://", 0, &sql_pg },
	{ "postgres://", 0, &sql_pg },
};

enum sql_result
sql_open(const char *url, enum sql_mode mode, const struct sql_opts *o,
         const struct sql_schema *schema, struct sql **s_r, struct err *err)
{
	*s_r = NULL;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (slice_starts(slice_of(url), slice_of(schemes[i].start)))
			return schemes[i].driver->open(url + schemes[i].skip, mode, o, schema, s_r,
			                               err);
	err_set(err, "\"%s\" is no database: write sqlite:/path or postgresql://user@host/database",
	        url);
	return SQL_INVALID;
}

void
sql_close(struct sql **s)
{
	if (*s != NULL)
		(*s)->driver->close(*s);
	*s = NULL;
}

bool
sql_is_file(const struct sql *s)
{
	return s->driver->is_file;
}

enum sql_result
sql_ready(struct sql *s, unsigned *version_r, struct err *err)
{
	return s->driver->ready(s, version_r, err);
}

enum sql_result
sql_read(struct sql *s, const char *query, const struct sql_arg *args, size_t count, sql_row_fn *fn,
         void *ctx, struct err *err)
{
	return s->driver->run(s, query, args, count, fn, ctx, NULL, err);
}

enum sql_result
sql_change(struct sql *s, const char *query, const struct sql_arg *args, size_t count,
           uint64_t *rows_r, struct err *err)
{
	uint64_t rows;

	return s->driver->run(s, query, args, count, NULL, NULL, rows_r != NULL ? rows_r : &rows,
	                      err);
}

enum sql_result
sql_begin(struct sql *s, struct err *err)
{
	return s->driver->begin(s, err);
}

enum sql_result
sql_commit(struct sql *s, struct err *err)
{
	return s->driver->commit(s, err);
}

void
sql_rollback(struct sql *s)
{
	s->driver->rollback(s);
}

void
sql_add_replaced(struct buf *out, const char *text, const char *from, const char *to)
{
	struct slice rest = slice_of(text);

	while (rest.n > 0) {
		size_t at = slice_find_slice(rest, slice_of(from));

		buf_add_slice(out, slice_sub(rest, 0, at));
		if (at == rest.n)
			return;
		buf_add_str(out, to);
		rest = slice_skip(rest, at + strlen(from));
	}
}

bool
sql_is_too_new(const char *name, unsigned version, const struct sql_schema *schema, struct err *err)
{
	if (version <= schema->count)
		return false;
	err_set(err, "database %s: made by a newer Roost (schema %u, this one knows %u)", name,
	        version, schema->count);
	return true;
}
