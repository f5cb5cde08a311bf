/*
 * db - what a database must do for the directory. Names here always have a domain.
 * Within common/directory only; db_sqlite is the first, others by URL follow.
 */
#ifndef DIRECTORY_DB_H
#define DIRECTORY_DB_H

#include "directory/directory.h"

struct db;

struct db_row {
	const char *local, *domain, *hash, *home; /* borrowed; never NULL */
	enum directory_status status;
	uint64_t created_s;
};
/* False ends the listing. */
typedef bool db_row_fn(void *ctx, const struct db_row *row);

enum db_change { DB_SET_HASH, DB_SET_HOME, DB_SET_STATUS };

struct db_ops {
	const char *scheme; /* "sqlite" */
	/* NULL with the text. A database that is away is no reason. */
	struct db *(*open)(const char *rest, enum directory_mode mode, struct err *err);
	void (*close)(struct db *db);
	enum directory_result (*get)(struct db *db, const char *local, const char *domain,
	                             db_row_fn *fn, void *ctx, struct err *err);
	enum directory_result (*has_domain)(struct db *db, const char *domain, struct err *err);
	enum directory_result (*list)(struct db *db, const char *domain, db_row_fn *fn, void *ctx,
	                              struct err *err);
	enum directory_result (*list_domains)(struct db *db, directory_domain_fn *fn, void *ctx,
	                                      struct err *err);
	enum directory_result (*add)(struct db *db, const struct db_row *row, struct err *err);
	enum directory_result (*change)(struct db *db, const char *local, const char *domain,
	                                enum db_change what, const char *text, int number,
	                                struct err *err);
	enum directory_result (*del)(struct db *db, const char *local, const char *domain,
	                             struct err *err);
	enum directory_result (*add_domain)(struct db *db, const char *domain, struct err *err);
};

extern const struct db_ops db_sqlite_ops;

#endif
