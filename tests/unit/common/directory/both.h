/*
 * both - a directory in an SQLite file and, where PostgreSQL is installed, on a server: every
 * test of the directory's contents runs on both.
 */
#ifndef UNIT_COMMON_DIRECTORY_BOTH_H
#define UNIT_COMMON_DIRECTORY_BOTH_H

#include "base/err.h"
#include "directory/directory.h"

struct both {
	char url[300];
	struct directory *writer,
		*reader; /* default domain example.org; the reader keeps nothing */
	struct err err;
};

typedef void both_fn(struct both *b);
/* With a new directory of each kind: fred, ann and bob of example.org, zoe of other.org. */
void on_both(both_fn *fn);

#endif
