/*
 * One anonymous shared mapping: slots x cells of 64 bits. A counter or gauge has one
 * cell; a histogram one for each bound, one for what is above, and one for the sum.
 *
 * Gauges may go below zero in one slot only if their owner errs, so cells are added up
 * as they are. Memory order does not matter: each cell stands for itself.
 */
#include "metrics/metrics.h"

#include "base/must.h"
#include "base/roff.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

const uint64_t metrics_ms_bounds[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 60000, 0,
};

struct table {
	struct metric *rows;
	size_t count;
};

static struct table *tables;
static size_t table_count;
static size_t cell_count; /* of one slot */
static uint64_t *cells;   /* slot_count x cell_count; NULL before metrics_open() */
static unsigned slot_count, slot_own;

static size_t
bound_count(const struct metric *m)
{
	size_t n = 0;

	while (m->bounds[n] != 0)
		n++;
	return n;
}

static size_t
cells_of(const struct metric *m)
{
	return m->type == METRIC_TYPE_HISTOGRAM ? bound_count(m) + 2 : 1;
}

void
metrics_register(struct metric *table, size_t count)
{
	must(cells == NULL);
	tables = xreallocarray(tables, table_count + 1, sizeof(*tables));
	tables[table_count++] = (struct table){ table, count };
	for (size_t i = 0; i < count; i++) {
		must(table[i].index == 0 && table[i].name != NULL);
		must(table[i].type != METRIC_TYPE_HISTOGRAM || table[i].bounds != NULL);
		table[i].index = cell_count + 1;
		cell_count += cells_of(&table[i]);
	}
}

void
metrics_open(unsigned slots)
{
	size_t bytes = slots * MAX(cell_count, 1) * sizeof(*cells);

	must(cells == NULL && slots > 0);
	cells = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(cells != MAP_FAILED);
	slot_count = slots;
	slot_own = 0;
}

void
metrics_use_slot(unsigned i)
{
	must(i < slot_count);
	slot_own = i;
}

static uint64_t *
cell(struct metric *m, unsigned slot, size_t i)
{
	if (m->index == 0 || cells == NULL)
		return i == 0 ? &m->own : NULL;
	return &cells[slot * cell_count + m->index - 1 + i];
}

void
metrics_clear_gauges(unsigned slot)
{
	must(slot < slot_count);
	for (size_t t = 0; t < table_count; t++)
		for (size_t i = 0; i < tables[t].count; i++)
			if (tables[t].rows[i].type == METRIC_TYPE_GAUGE)
				__atomic_store_n(cell(&tables[t].rows[i], slot, 0), 0,
				                 __ATOMIC_RELAXED);
}

static void
cell_add(uint64_t *c, uint64_t n)
{
	__atomic_fetch_add(c, n, __ATOMIC_RELAXED);
}

void
metrics_add(struct metric *m, uint64_t n)
{
	must(m->type != METRIC_TYPE_HISTOGRAM);
	cell_add(cell(m, slot_own, 0), n);
}

void
metrics_sub(struct metric *m, uint64_t n)
{
	must(m->type == METRIC_TYPE_GAUGE);
	cell_add(cell(m, slot_own, 0), -n);
}

void
metrics_set(struct metric *m, uint64_t value)
{
	must(m->type == METRIC_TYPE_GAUGE);
	__atomic_store_n(cell(m, slot_own, 0), value, __ATOMIC_RELAXED);
}

void
metrics_observe(struct metric *m, uint64_t value)
{
	size_t n, i = 0;

	must(m->type == METRIC_TYPE_HISTOGRAM);
	if (m->index == 0 || cells == NULL) {
		cell_add(&m->own, 1);
		return;
	}
	n = bound_count(m);
	while (i < n && value > m->bounds[i])
		i++;
	cell_add(cell(m, slot_own, i), 1);
	cell_add(cell(m, slot_own, n + 1), value);
}

static uint64_t
sum_cell(const struct metric *m, size_t i)
{
	struct metric *any = (struct metric *)(uintptr_t)m;
	uint64_t sum = 0;

	if (m->index == 0 || cells == NULL)
		return i == 0 ? __atomic_load_n(&m->own, __ATOMIC_RELAXED) : 0;
	for (unsigned s = 0; s < slot_count; s++)
		sum += __atomic_load_n(cell(any, s, i), __ATOMIC_RELAXED);
	return sum;
}

uint64_t
metrics_value(const struct metric *m)
{
	uint64_t sum = 0;

	if (m->type != METRIC_TYPE_HISTOGRAM)
		return sum_cell(m, 0);
	for (size_t i = 0; i <= bound_count(m); i++)
		sum += sum_cell(m, i);
	return sum;
}

static void
print_line(struct buf *out, const struct metric *m, const char *suffix, const char *le, double v)
{
	const char *labels = m->labels != NULL ? m->labels : "";

	buf_printf(out, "%s%s", m->name, suffix);
	if (*labels != '\0' || le != NULL)
		buf_printf(out, "{%s%s%s%s%s}", labels, *labels != '\0' && le != NULL ? "," : "",
		           le != NULL ? "le=\"" : "", le != NULL ? le : "", le != NULL ? "\"" : "");
	buf_printf(out, " %.17g\n", v);
}

static void
print_histogram(struct buf *out, const struct metric *m)
{
	size_t n = bound_count(m);
	uint64_t sum = 0;
	char le[32];

	for (size_t i = 0; i <= n; i++) {
		sum += sum_cell(m, i);
		if (i < n)
			snprintf(le, sizeof(le), "%g", (double)m->bounds[i] * m->unit);
		print_line(out, m, "_bucket", i < n ? le : "+Inf", (double)sum);
	}
	print_line(out, m, "_sum", NULL, (double)sum_cell(m, n + 1) * m->unit);
	print_line(out, m, "_count", NULL, (double)sum);
}

void
metrics_print(struct buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const char *last = "";

	for (size_t t = 0; t < table_count; t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			const struct metric *m = &tables[t].rows[i];

			if (strcmp(m->name, last) != 0)
				buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help,
				           m->name, types[m->type]);
			last = m->name;
			if (m->type == METRIC_TYPE_HISTOGRAM)
				print_histogram(out, m);
			else
				print_line(out, m, "", NULL, (double)(int64_t)sum_cell(m, 0));
		}
	}
}

/* ---- reference ---- */

static void
print_labels(const struct metric *rows, size_t count, struct buf *out)
{
	size_t printed = 0;

	for (size_t i = 0; i < count; i++)
		if (rows[i].labels != NULL)
			buf_printf(out, "%s%s", printed++ == 0 ? " {" : " | ", rows[i].labels);
	if (printed > 0)
		buf_add_char(out, '}');
}

void
metrics_print_man(struct buf *out)
{
	static const char *const types[] = {
		[METRIC_TYPE_COUNTER] = "counter",
		[METRIC_TYPE_GAUGE] = "gauge",
		[METRIC_TYPE_HISTOGRAM] = "histogram",
	};

	for (size_t t = 0; t < table_count; t++) {
		const struct metric *rows = tables[t].rows;
		size_t next;

		for (size_t i = 0; i < tables[t].count; i = next) {
			struct buf more = BUF_INIT(4096);

			for (next = i; next < tables[t].count; next++)
				if (strcmp(rows[next].name, rows[i].name) != 0)
					break;
			print_labels(&rows[i], next - i, &more);
			buf_printf(&more, " (%s)", types[rows[i].type]);
			roff_item(out, rows[i].name, buf_cstr(&more), rows[i].help);
			buf_fini(&more);
		}
	}
}
