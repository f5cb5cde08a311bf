/*
 * Widths are counted in characters, not bytes; wide ones of East Asia count as one, so such
 * rows may stand out.
 */
#include "ctl/table.h"

#include "base/text.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MOST 16
#define CELL_MOST 1024

struct table {
	unsigned columns;
	bool right[COLUMNS_MOST];
	char **cells; /* the heads first */
	size_t count;
};

static void
add(struct table *t, char *cell)
{
	t->cells = xreallocarray(t->cells, t->count + 1, sizeof(char *));
	t->cells[t->count++] = cell;
}

struct table *
table_new(const char *heads)
{
	struct table *t = xcalloc(1, sizeof(*t));
	struct slice rest = slice_of(heads);

	while (rest.p != NULL) {
		struct slice head = slice_cut(&rest, '|');

		must(t->columns < COLUMNS_MOST);
		t->right[t->columns] = slice_ends(head, SLICE(">"));
		if (t->right[t->columns++])
			head.n--;
		add(t, slice_dup(head));
	}
	return t;
}

void
table_free(struct table **t)
{
	if (*t == NULL)
		return;
	for (size_t i = 0; i < (*t)->count; i++)
		free((*t)->cells[i]);
	free((*t)->cells);
	free(*t);
	*t = NULL;
}

void
table_add_clean(struct buf *out, const char *text)
{
	struct slice s = slice_of(text);

	while (s.n > 0) {
		uint32_t cp;
		size_t n = text_utf8_next(s, &cp);

		if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
			buf_printf(out, "\\x%02x", (unsigned char)*s.p);
			n = 1;
		} else {
			buf_add(out, s.p, n);
		}
		s = slice_skip(s, n);
	}
}

void
table_add(struct table *t, const char *text)
{
	struct buf b = BUF_INIT(CELL_MOST);

	table_add_clean(&b, text != NULL && *text != '\0' ? text : "-");
	add(t, buf_steal_cstr(&b));
}

void
table_add_int(struct table *t, int64_t v)
{
	table_addf(t, "%" PRId64, v);
}

void
table_addf(struct table *t, const char *fmt, ...)
{
	char text[CELL_MOST];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, text);
}

size_t
table_rows(const struct table *t)
{
	return t->count / t->columns - 1;
}

static size_t
width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void
pad(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_add_char(out, ' ');
}

void
table_print(const struct table *t, struct buf *out)
{
	size_t widths[COLUMNS_MOST] = { 0 };

	must(t->count % t->columns == 0);
	if (t->count == t->columns)
		return;
	for (size_t i = 0; i < t->count; i++)
		widths[i % t->columns] = MAX(widths[i % t->columns], width(t->cells[i]));
	for (size_t i = 0; i < t->count; i++) {
		unsigned column = (unsigned)(i % t->columns);
		size_t spaces = widths[column] - width(t->cells[i]);
		bool last = column + 1 == t->columns;

		if (t->right[column])
			pad(out, spaces);
		buf_add_str(out, t->cells[i]);
		if (!t->right[column] && !last)
			pad(out, spaces);
		buf_add_str(out, last ? "\n" : "  ");
	}
}

void
table_age(uint64_t seconds, char text_r[TABLE_TEXT])
{
	static const struct {
		unsigned seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

	for (size_t i = 0; i + 1 < ARRAY_LEN(units); i++) {
		if (seconds < units[i].seconds)
			continue;
		snprintf(text_r, TABLE_TEXT, "%" PRIu64 "%c %u%c", seconds / units[i].seconds,
		         units[i].unit,
		         (unsigned)(seconds % units[i].seconds / units[i + 1].seconds),
		         units[i + 1].unit);
		return;
	}
	snprintf(text_r, TABLE_TEXT, "%us", (unsigned)seconds);
}

void
table_bytes(uint64_t bytes, char text_r[TABLE_TEXT])
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB" };
	double v = (double)bytes;
	size_t unit = 0;

	while (v >= 1000 && unit + 1 < ARRAY_LEN(units)) {
		v /= 1000;
		unit++;
	}
	snprintf(text_r, TABLE_TEXT, unit == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[unit]);
}
