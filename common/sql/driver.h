/*
 * driver - what a kind of database does for sql.h. Within common/sql only.
 */
#ifndef SQL_DRIVER_H
#define SQL_DRIVER_H

#include "base/buf.h"
#include "sql/sql.h"

struct sql_driver {
	bool is_file;
	enum sql_result (*open)(const char *url, enum sql_mode mode, const struct sql_opts *o,
	                        const struct sql_schema *schema, struct sql **s_r, struct err *err);
	void (*close)(struct sql *s);
	enum sql_result (*ready)(struct sql *s, unsigned *version_r, struct err *err);
	enum sql_result (*run)(struct sql *s, const char *query, const struct sql_arg *args,
	                       size_t count, sql_row_fn *fn, void *ctx, uint64_t *rows_r,
	                       struct err *err);
	enum sql_result (*begin)(struct sql *s, struct err *err);
	enum sql_result (*commit)(struct sql *s, struct err *err);
	void (*rollback)(struct sql *s);
};

/* The first member of each driver's own struct. */
struct sql {
	const struct sql_driver *driver;
};

extern const struct sql_driver sql_sqlite, sql_pg;

/* The text with each `from` replaced. */
void sql_add_replaced(struct buf *out, const char *text, const char *from, const char *to);

/* Newer than we know? Then the text is in err. */
bool sql_is_too_new(const char *name, unsigned version, const struct sql_schema *schema,
                    struct err *err);

#endif
