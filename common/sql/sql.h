/*
 * sql - one database by its URL: an SQLite file or a PostgreSQL server. The only includer of
 * sqlite3 and libpq. Blocking, with deadlines: for auth workers and roostctl only.
 *
 *	sqlite:/path, /path                  made when it is opened for writing first
 *	postgresql://user@host/database?...  options as libpq has them; several hosts may be named
 *
 * Queries are written once for all: parameters are ?1, ?2, ...; columns come as text. A
 * database that is away, slow, locked or damaged is SQL_TEMP; the connection is made again by
 * itself, after pauses that grow, and SQL_TEMP is the answer at once meanwhile.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/must.h"

enum sql_result {
	SQL_OK,
	SQL_EXISTS,  /* a row with this key is there already */
	SQL_REFERS,  /* it names a row that is not there, or is still named by others */
	SQL_INVALID, /* opening: this URL cannot be */
	SQL_TEMP,
};

enum sql_mode {
	SQL_READ,  /* nothing is written; the database need not be there yet */
	SQL_WRITE, /* made and migrated when needed */
};

/* Each migration brings the schema from its index to the next version and is never changed
 * later. "{name}" stands for the type of a short text that is compared byte by byte. */
struct sql_schema {
	const char *const *migrations;
	unsigned count;
};

struct sql_opts {
	const char *password; /* NULL: none, or libpq finds one (passfile=) */
	const char *tls_ca;   /* to verify servers with, unless the URL says another */
	uint64_t timeout_ms;  /* of a connection being made, and of each query */
};

struct sql;

/* schema is borrowed. SQL_INVALID or SQL_TEMP with the operator's text; with SQL_READ a
 * database that is away is no failure. */
enum sql_result sql_open(const char *url, enum sql_mode mode, const struct sql_opts *o,
                         const struct sql_schema *schema, struct sql **s_r,
                         struct err *err) MUST_CHECK;
void sql_close(struct sql **s);

/* A file on this host, which costs nothing to ask? */
bool sql_is_file(const struct sql *s);

/* Connects when needed. Then *version_r is that of the database's schema, which may be an
 * older one with SQL_READ: it is migrated by whoever opens it for writing next. */
enum sql_result sql_ready(struct sql *s, unsigned *version_r, struct err *err) MUST_CHECK;

struct sql_arg {
	const char *text; /* NULL: the number */
	int64_t number;
};
#define SQL_TEXT(s) ((struct sql_arg){ .text = (s) })
#define SQL_INT(n) ((struct sql_arg){ .number = (n) })
#define SQL_ARGS_MAX 8

/* column[i] are borrowed and never NULL. False ends the reading, which is no failure. */
typedef bool sql_row_fn(void *ctx, const char *const *column);
enum sql_result sql_read(struct sql *s, const char *query, const struct sql_arg *args, size_t count,
                         sql_row_fn *fn, void *ctx, struct err *err) MUST_CHECK;
/* rows_r may be NULL; rows that were changed. */
enum sql_result sql_change(struct sql *s, const char *query, const struct sql_arg *args,
                           size_t count, uint64_t *rows_r, struct err *err) MUST_CHECK;

/* Changes in between are all or nothing. A failed call in between ends nothing by itself:
 * sql_rollback() is always right behind it. */
enum sql_result sql_begin(struct sql *s, struct err *err) MUST_CHECK;
enum sql_result sql_commit(struct sql *s, struct err *err) MUST_CHECK;
void sql_rollback(struct sql *s);

#endif
