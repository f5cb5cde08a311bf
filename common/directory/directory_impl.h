/*
 * directory_impl - what the files of the directory share. Within common/directory only.
 */
#ifndef DIRECTORY_DIRECTORY_IMPL_H
#define DIRECTORY_DIRECTORY_IMPL_H

#include "directory/cache.h"
#include "directory/entry.h"
#include "sql/sql.h"

struct directory {
	struct sql *sql;
	char *default_domain; /* lower case, or NULL */
	struct cache *cache;  /* NULL: nothing is kept */
	uint64_t fresh_ms, negative_ms, stale_ms;
	bool is_away; /* was said */
};

/* All there is under a name, from memory where it may be; one reference is the caller's. */
enum directory_result directory_find(struct directory *d, const struct dir_name *n,
                                     struct entry **e_r, struct err *err) MUST_CHECK;

/* What a change of one row came to. */
enum directory_result directory_result_of(enum sql_result r, uint64_t rows);
enum directory_result directory_fail_user(const char *user, struct err *err);

/* Between these, all or nothing. end commits when r is OK and rolls back otherwise. */
enum directory_result directory_begin(struct directory *d, struct err *err) MUST_CHECK;
enum directory_result directory_end(struct directory *d, enum directory_result r, struct err *err);

/* One statement, all of its parameters being texts; the changed rows decide OK or UNKNOWN. */
enum directory_result directory_change(struct directory *d, const char *query,
                                       const char *const *texts, size_t count,
                                       struct err *err) MUST_CHECK;
#define DIRECTORY_CHANGE(d, err, query, ...)                                                       \
	directory_change((d), (query), (const char *const[]){ __VA_ARGS__ },                       \
	                 ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })), (err))

#endif
