/*
 * limit_table - rows by name, bounded: when it is full, the one that was not looked at for
 * the longest time goes. Within common/limit only.
 */
#ifndef LIMIT_LIMIT_TABLE_H
#define LIMIT_LIMIT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"

#define LIMIT_SEEN 8

/* What all rows have room for; each table uses its part. */
struct limit_row {
	struct list age; /* the freshest last */
	char *name;
	uint64_t count;
	uint64_t until_ms;         /* of the penalty; of what is known; or a rate's clock */
	uint64_t last_ms;          /* of a failure */
	uint64_t seen[LIMIT_SEEN]; /* fingerprints of wrong passwords, a ring; 0: empty */
	unsigned seen_next;
};

struct limit_table;

struct limit_table *limit_table_new(size_t most);
void limit_table_free(struct limit_table **t);
size_t limit_table_count(const struct limit_table *t);
/* NULL: there is none. Makes it the freshest. */
struct limit_row *limit_table_find(struct limit_table *t, const char *name);
/* Zeroed when it is new. */
struct limit_row *limit_table_get(struct limit_table *t, const char *name);
void limit_table_drop(struct limit_table *t, struct limit_row **row);
/* From the freshest to the oldest; NULL behind the last. row NULL: begin. */
struct limit_row *limit_table_next(struct limit_table *t, const struct limit_row *row);

#endif
