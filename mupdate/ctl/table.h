/*
 * table - rows and columns for people. Pure.
 *
 * Cells are UTF-8; control bytes and what is not UTF-8 come out as \xNN, so that no name
 * from outside can play with the terminal. The last column is not padded.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"

#define TABLE_TEXT 40

struct table;

/* heads: "USER|MESSAGES>|HOME": `>` behind a head puts its column to the right. */
struct table *table_new(const char *heads);
void table_free(struct table **t);

/* Cells of the next row, from left to right. NULL and "" are shown as "-". */
void table_add(struct table *t, const char *text);
void table_add_int(struct table *t, int64_t v);
void table_addf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
size_t table_rows(const struct table *t);

/* With its heads; nothing for a table without rows. A row that is not full: our mistake. */
void table_print(const struct table *t, struct buf *out);

/* Text from outside, made harmless. */
void table_add_clean(struct buf *out, const char *text);
/* 90061 -> "1d 1h", 61 -> "1m 1s", 5 -> "5s". */
void table_age(uint64_t seconds, char text_r[TABLE_TEXT]);
void table_bytes(uint64_t bytes, char text_r[TABLE_TEXT]); /* "1.5 MB" */

#endif
