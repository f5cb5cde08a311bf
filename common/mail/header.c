/*
 * header - walking over fields, and unfolding. RFC 5322 sections 2.2 and 3.
 */
#include "mail/header.h"

#include "base/text.h"

/* The first line with its end, whatever kind that is. */
static struct slice
first_line(struct slice s)
{
	size_t n = slice_find(s, '\n');

	return slice_sub(s, 0, n < s.n ? n + 1 : n);
}

static bool
is_blank_line(struct slice line)
{
	return slice_eq_str(line, "\n") || slice_eq_str(line, "\r\n");
}

static bool
is_continuation(struct slice s)
{
	return s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t');
}

size_t
header_length(struct slice msg)
{
	struct slice rest = msg;

	while (rest.n > 0) {
		struct slice line = first_line(rest);

		rest = slice_skip(rest, line.n);
		if (is_blank_line(line))
			break;
	}
	return msg.n - rest.n;
}

void
header_iter_init(struct header_iter *it, struct slice header)
{
	*it = (struct header_iter){ .rest = header, .fields_left = HEADER_MAX_FIELDS };
}

/* Length of the name in front of the colon, blanks not counted; 0: no field. */
static size_t
name_length(struct slice line)
{
	size_t n = 0, blanks;

	while (n < line.n && line.p[n] > 32 && line.p[n] < 127 && line.p[n] != ':')
		n++;
	for (blanks = n; blanks < line.n; blanks++)
		if (line.p[blanks] != ' ' && line.p[blanks] != '\t')
			break;
	return blanks < line.n && line.p[blanks] == ':' ? n : 0;
}

static struct slice
without_line_end(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

bool
header_next(struct header_iter *it, struct header_field *field_r)
{
	while (it->rest.n > 0) {
		struct slice line = first_line(it->rest);
		size_t name = name_length(line);
		size_t n = line.n;

		if (is_blank_line(line))
			break;
		if (it->fields_left == 0) {
			it->cut = true;
			break;
		}
		it->fields_left--;
		while (is_continuation(slice_skip(it->rest, n))) {
			struct slice more = first_line(slice_skip(it->rest, n));

			n += more.n;
		}
		field_r->raw = slice_sub(it->rest, 0, n);
		it->rest = slice_skip(it->rest, n);
		if (name == 0)
			continue;
		field_r->name = slice_sub(field_r->raw, 0, name);
		field_r->value = without_line_end(
			slice_skip(field_r->raw, slice_find(field_r->raw, ':') + 1));
		return true;
	}
	it->rest = slice_make(NULL, 0);
	return false;
}

bool
header_find(struct slice header, const char *name, struct header_field *field_r)
{
	struct header_iter it;

	header_iter_init(&it, header);
	while (header_next(&it, field_r))
		if (slice_ieq_str(field_r->name, name))
			return true;
	return false;
}

void
header_unfold(struct slice value, struct buf *out)
{
	value = slice_trim(value);
	while (value.n > 0) {
		size_t n = 0;

		while (n < value.n && value.p[n] != '\r' && value.p[n] != '\n')
			n++;
		buf_add_slice(out, slice_sub(value, 0, n));
		while (n < value.n && (value.p[n] == '\r' || value.p[n] == '\n'))
			n++;
		value = slice_skip(value, n);
	}
}

static bool
is_among(struct slice name, const struct slice *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_ieq(name, names[i]))
			return true;
	return false;
}

/* Every line end as CRLF. */
static void
add_crlf(struct slice raw, struct buf *out)
{
	while (raw.n > 0) {
		struct slice line = first_line(raw);

		buf_add_slice(out, without_line_end(line));
		buf_add_str(out, "\r\n");
		raw = slice_skip(raw, line.n);
	}
}

void
header_select(struct slice header, const struct slice *names, size_t count, bool invert,
              struct buf *out)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, header);
	while (header_next(&it, &f))
		if (is_among(f.name, names, count) != invert)
			add_crlf(f.raw, out);
	buf_add_str(out, "\r\n");
}
