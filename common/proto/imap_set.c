/*
 * sequence-set = (seq-number / seq-range) *("," sequence-set)
 * seq-range    = seq-number ":" seq-number	(in either order)
 * seq-number   = nz-number / "*"
 */
#include "proto/imap_set.h"

#include "base/num.h"

#include <inttypes.h>
#include <stdlib.h>

static bool
read_number(struct slice s, uint32_t *v_r)
{
	*v_r = 0;
	if (slice_eq_str(s, "*"))
		return true;
	return num_parse_u32(s, v_r) && *v_r != 0;
}

static bool
read_range(struct slice s, struct imap_range *r_r)
{
	struct slice first = slice_cut(&s, ':');

	if (!read_number(first, &r_r->first))
		return false;
	r_r->last = r_r->first;
	return s.p == NULL || read_number(s, &r_r->last);
}

static size_t
count_ranges(struct slice word)
{
	size_t n = 1;

	for (size_t i = 0; i < word.n; i++)
		n += word.p[i] == ',';
	return n;
}

bool
imap_set_read(struct imap_args *a, const char *what, struct imap_set *s_r)
{
	struct slice word;
	size_t count;

	*s_r = (struct imap_set){ NULL, 0 };
	if (!imap_args_word(a, what, &word))
		return false;
	count = count_ranges(word);
	if (count > IMAP_SET_RANGES_MAX)
		return imap_args_fail(a, "Too many ranges in the %s in %s", what, a->cmd);
	s_r->ranges = arena_array(a->arena, count, sizeof(*s_r->ranges));
	while (word.p != NULL)
		if (!read_range(slice_cut(&word, ','), &s_r->ranges[s_r->count++]))
			return imap_args_fail(a, "Invalid %s in %s", what, a->cmd);
	return true;
}

uint32_t
imap_set_largest(const struct imap_set *s)
{
	uint32_t largest = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct imap_range *r = &s->ranges[i];

		if (r->first != 0 && r->last != 0)
			largest = MAX(largest, MAX(r->first, r->last));
	}
	return largest;
}

static int
by_first(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

void
imap_set_resolve(struct imap_set *s, uint32_t star)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct imap_range r = s->ranges[i];

		if ((r.first == 0 || r.last == 0) && star == 0)
			continue;
		r.first = r.first == 0 ? star : r.first;
		r.last = r.last == 0 ? star : r.last;
		s->ranges[n++] = (struct imap_range){ MIN(r.first, r.last), MAX(r.first, r.last) };
	}
	s->count = n;
	if (n == 0)
		return;
	qsort(s->ranges, n, sizeof(*s->ranges), by_first);
	n = 1;
	for (size_t i = 1; i < s->count; i++) {
		struct imap_range *last = &s->ranges[n - 1];
		struct imap_range r = s->ranges[i];

		/* first is at least 1, so nothing wraps */
		if (r.first - 1 <= last->last)
			last->last = MAX(last->last, r.last);
		else
			s->ranges[n++] = r;
	}
	s->count = n;
}

bool
imap_set_has(const struct imap_set *s, uint32_t n)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (n < s->ranges[middle].first)
			high = middle;
		else if (n > s->ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

uint64_t
imap_set_numbers(const struct imap_set *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += (uint64_t)s->ranges[i].last - s->ranges[i].first + 1;
	return n;
}

/* ---- writing ------------------------------------------------------------------------------- */

void
imap_set_writer_init(struct imap_set_writer *w, struct buf *out)
{
	*w = (struct imap_set_writer){ .out = out };
}

void
imap_set_writer_end(struct imap_set_writer *w)
{
	if (w->first == 0)
		return;
	buf_printf(w->out, "%s%" PRIu32, w->any ? "," : "", w->first);
	if (w->last != w->first)
		buf_printf(w->out, ":%" PRIu32, w->last);
	w->any = true;
	w->first = 0;
}

void
imap_set_writer_add(struct imap_set_writer *w, uint32_t n)
{
	if (w->first != 0 && n == w->last + 1) {
		w->last = n;
		return;
	}
	imap_set_writer_end(w);
	w->first = w->last = n;
}

void
imap_set_add_numbers(struct buf *out, const uint32_t *numbers, size_t count)
{
	struct imap_set_writer w;

	imap_set_writer_init(&w, out);
	for (size_t i = 0; i < count; i++)
		imap_set_writer_add(&w, numbers[i]);
	imap_set_writer_end(&w);
}
