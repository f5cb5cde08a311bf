#include "imap/across_read.h"

#include "base/num.h"
#include "proto/imap_args.h"
#include "proto/imap_cmd.h"

#include <inttypes.h>

enum state { LINE, LITERAL, TAIL };

/* "* 5 FETCH (...)" CRLF to what is behind FETCH. */
static bool
skip_head(struct slice *line)
{
	*line = slice_trim(*line);
	(void)slice_cut(line, ' ');
	(void)slice_cut(line, ' ');
	if (!slice_istarts(*line, SLICE("FETCH ")))
		return false;
	*line = slice_skip(*line, strlen("FETCH"));
	return true;
}

/* ---- what they are ---------------------------------------------------------------------------- */

static bool
is_recent(struct slice flag)
{
	return slice_ieq(flag, SLICE("\\Recent"));
}

static bool
read_flags(struct imap_args *a, const char **text_r)
{
	struct slice *flags;
	struct buf text = BUF_INIT(SIZE_MAX);
	size_t count;

	if (!imap_args_flags(a, false, &flags, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!is_recent(flags[i]))
			buf_printf(&text, "%s%.*s", text.len > 0 ? " " : "", SLICE_ARG(flags[i]));
	*text_r = arena_strdup(a->arena, buf_cstr(&text));
	buf_fini(&text);
	return true;
}

static bool
read_item(struct imap_args *a, struct across_msg *m)
{
	struct slice name, text;

	if (!imap_args_word(a, "item", &name) || !imap_args_space(a))
		return false;
	if (slice_ieq(name, SLICE("UID")))
		return imap_args_nz_u32(a, "UID", &m->uid);
	if (slice_ieq(name, SLICE("RFC822.SIZE")))
		return imap_args_u64(a, "size", &m->size);
	if (slice_ieq(name, SLICE("FLAGS")))
		return read_flags(a, &m->flags);
	if (!slice_ieq(name, SLICE("INTERNALDATE")))
		return imap_args_skip(a, "value");
	if (!imap_args_string(a, "date", &text) || !imap_cmd_is_quotable(text))
		return false;
	m->date = arena_slice_str(a->arena, text);
	return true;
}

int
across_read_msg(struct slice line, struct arena *arena, struct across_msg *m_r)
{
	struct imap_args a;
	bool first = true;

	*m_r = (struct across_msg){ .size = UINT64_MAX };
	if (memchr(line.p, '\0', line.n) != NULL || !skip_head(&line))
		return -1;
	imap_args_init(&a, arena, "FETCH", line);
	if (!imap_args_space(&a) || !imap_args_open(&a, "items"))
		return -1;
	while (imap_args_next(&a, &first))
		if (!read_item(&a, m_r))
			return -1;
	if (!imap_args_ok(&a))
		return -1;
	return m_r->uid != 0 && m_r->size != UINT64_MAX && m_r->flags != NULL && m_r->date != NULL;
}

/* ---- their bodies ------------------------------------------------------------------------------- */

void
across_read_init(struct across_read *r)
{
	r->state = LINE;
	r->left = 0;
	buf_init(&r->line, ACROSS_LINE_MAX);
}

void
across_read_fini(struct across_read *r)
{
	buf_fini(&r->line);
}

/* "UID 5" among the items in front of the body. 0: it is not there. */
static uint32_t
find_uid(struct slice line)
{
	size_t at = slice_find_slice(line, SLICE("UID "));
	struct slice rest = slice_skip(line, at + 4), digits;
	uint64_t uid;
	size_t n = 0;

	while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	digits = slice_sub(rest, 0, n);
	return at < line.n && num_parse_u64(digits, UINT32_MAX, &uid) ? (uint32_t)uid : 0;
}

/* "{123}" at the end of a line without its CRLF. */
static bool
ends_in_literal(struct slice line, uint64_t *n_r)
{
	size_t at = slice_find_last(line, '{');

	return at < line.n && line.p[line.n - 1] == '}' &&
	       num_parse_u64(slice_sub(line, at + 1, line.n - at - 2), INT64_MAX, n_r);
}

/* A whole line: the response, or all up to its literal. */
static int
on_line(struct across_read *r, struct across_event *ev)
{
	struct slice line = buf_slice(&r->line), items = slice_sub(line, 0, line.n - 2);
	bool body = slice_find_slice(items, SLICE("BODY[] ")) < items.n;

	if (ends_in_literal(items, &ev->size)) {
		ev->type = ACROSS_BODY;
		ev->uid = find_uid(items);
		r->left = ev->size;
		r->state = ev->size > 0 ? LITERAL : TAIL;
		buf_clear(&r->line);
		return body && ev->uid != 0 ? 1 : -1;
	}
	ev->type = body ? ACROSS_GONE : ACROSS_OTHER;
	ev->uid = find_uid(items);
	ev->bytes = line;
	return 1;
}

/* Takes a line's bytes. True: it is whole. */
static bool
add_line(struct across_read *r, struct slice in, size_t *used_r)
{
	size_t end = slice_find(in, '\n');

	*used_r = MIN(end + 1, in.n);
	buf_add_slice(&r->line, slice_sub(in, 0, *used_r));
	return end < in.n && !r->line.overflow;
}

int
across_read_body(struct across_read *r, struct slice in, size_t *used_r, struct across_event *ev)
{
	uint64_t n;

	memset(ev, 0, sizeof(*ev));
	*used_r = 0;
	if (in.n == 0)
		return 0;
	switch ((enum state)r->state) {
	case LITERAL:
		*used_r = (size_t)MIN(r->left, (uint64_t)in.n);
		r->left -= *used_r;
		if (r->left == 0)
			r->state = TAIL;
		ev->type = ACROSS_BYTES;
		ev->bytes = slice_sub(in, 0, *used_r);
		return 1;
	case LINE:
		if (r->line.len > 0 && r->line.data[r->line.start + r->line.len - 1] == '\n')
			buf_clear(&r->line); /* told with the event before */
		if (add_line(r, in, used_r))
			return r->line.len >= 2 ? on_line(r, ev) : -1;
		return r->line.overflow ? -1 : 0;
	case TAIL:
		if (!add_line(r, in, used_r))
			return r->line.overflow ? -1 : 0;
		/* one body in a response is what was asked for */
		if (r->line.len < 2 ||
		    ends_in_literal(slice_sub(buf_slice(&r->line), 0, r->line.len - 2), &n))
			return -1;
		buf_clear(&r->line);
		r->state = LINE;
		return 0;
	}
	must_not_reach();
}
