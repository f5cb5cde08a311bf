/*
 * mime - the scanner: line by line, with a stack of the multiparts that are open.
 *
 * A boundary line is "--" boundary ["--"] blanks. Its text is hashed once and compared
 * with the hashes of the open boundaries, so deep nesting costs no second look at the
 * bytes. Lines are counted as they pass; a part knows the count at its ends. Thus one
 * pass, whatever the nesting.
 */
#include "mail/mime.h"

#include "base/map.h"
#include "base/text.h"

#define MAX_BOUNDARY 250 /* RFC 2046 says 70 */
#define STACK_MAX 128

const struct mime_limits mime_limits_default = { 100, 10000, 1024 * 1024 };

struct open_multipart {
	uint32_t part;
	uint64_t hash, hash_end; /* of the boundary, and of it with "--" behind */
};

enum place { IN_HEADER, IN_BODY };

struct scanner {
	struct arena *arena;
	const struct mime_limits *limits;
	struct mime *m;
	uint32_t room;
	struct open_multipart stack[STACK_MAX];
	size_t open;
	uint32_t cur; /* the part the line belongs to */
	enum place place;
	uint64_t pos;   /* where the line starts */
	uint64_t lines; /* line ends before it */
};

static uint32_t
add_part(struct scanner *s, uint32_t parent)
{
	struct mime *m = s->m;
	struct mime_part *p;

	if (m->count == s->room) {
		struct mime_part *grown;

		s->room = s->room == 0 ? 4 : s->room * 4;
		grown = arena_array(s->arena, s->room, sizeof(*grown));
		if (m->count > 0)
			memcpy(grown, m->parts, m->count * sizeof(*grown));
		m->parts = grown;
	}
	p = &m->parts[m->count];
	*p = (struct mime_part){ .parent = parent, .first_child = MIME_NONE, .next = MIME_NONE };
	p->number = 1;
	p->header_start = s->pos;
	/* body_lines holds the count at the start of the body until the part is closed */
	return m->count++;
}

/* ---- the end of a header: what is this part? ---- */

static void
set_type(struct mime_part *p, const char *type, const char *subtype)
{
	p->type.type = slice_of(type);
	p->type.subtype = slice_of(subtype);
}

static bool
parent_is_digest(const struct scanner *s, const struct mime_part *p)
{
	const struct mime_part *up;

	if (p->parent == MIME_NONE)
		return false;
	up = &s->m->parts[p->parent];
	return up->kind == MIME_MULTIPART && slice_eq_str(up->type.subtype, "digest");
}

static void
read_fields(struct scanner *s, struct mime_part *p)
{
	struct header_iter it;
	struct header_field f;
	bool have_type = false, have_encoding = false;
	struct slice header = mime_header(s->m, p);

	header_iter_init(&it, slice_sub(header, 0, s->limits->header_bytes));
	while (header_next(&it, &f) && !(have_type && have_encoding)) {
		if (!have_type && slice_ieq_str(f.name, "Content-Type")) {
			header_parse_params(s->arena, f.value, &p->type);
			have_type = true;
		} else if (!have_encoding && slice_ieq_str(f.name, "Content-Transfer-Encoding")) {
			p->encoding = mime_encoding_parse(f.value);
			have_encoding = true;
		}
	}
	if (p->type.type.n == 0 || p->type.subtype.p == NULL) {
		if (!have_type && parent_is_digest(s, p))
			set_type(p, "message", "rfc822");
		else
			set_type(p, "text", "plain");
	}
}

static unsigned
depth_of(const struct scanner *s, uint32_t part)
{
	unsigned depth = 0;

	for (; part != MIME_NONE; part = s->m->parts[part].parent)
		depth++;
	return depth;
}

static void
open_multipart(struct scanner *s, struct mime_part *p)
{
	struct slice boundary = header_param_get(&p->type, "boundary");
	char text[MAX_BOUNDARY + 2];
	struct open_multipart *o;

	while (boundary.n > 0 &&
	       (boundary.p[boundary.n - 1] == ' ' || boundary.p[boundary.n - 1] == '\t'))
		boundary.n--;
	if (boundary.n == 0 || boundary.n > MAX_BOUNDARY) {
		set_type(p, "text", "plain"); /* nothing tells its parts apart */
		return;
	}
	memcpy(text, boundary.p, boundary.n);
	memcpy(text + boundary.n, "--", 2);
	o = &s->stack[s->open++];
	o->part = s->cur;
	o->hash = map_hash(boundary);
	o->hash_end = map_hash(slice_make(text, boundary.n + 2));
	p->kind = MIME_MULTIPART;
}

static bool
is_message(const struct mime_part *p)
{
	return slice_eq_str(p->type.type, "message") &&
	       (slice_eq_str(p->type.subtype, "rfc822") || slice_eq_str(p->type.subtype, "global"));
}

/* The header of cur ends before s->pos. */
static void
end_header(struct scanner *s)
{
	struct mime_part *p = &s->m->parts[s->cur];
	bool message, multipart;

	p->body_start = s->pos;
	p->body_lines = s->lines;
	s->place = IN_BODY;
	read_fields(s, p);
	message = is_message(p);
	multipart = slice_eq_str(p->type.type, "multipart");
	if (!message && !multipart)
		return;
	if (depth_of(s, s->cur) > s->limits->depth || s->open == STACK_MAX ||
	    s->m->count >= s->limits->parts) {
		s->m->cut = true;
		set_type(p, "application", "octet-stream");
	} else if (multipart) {
		open_multipart(s, p);
	} else if (p->encoding > MIME_BINARY) {
		set_type(p, "application", "octet-stream"); /* RFC 2046 section 5.2.1 */
	} else {
		uint32_t child = add_part(s, s->cur);

		s->m->parts[s->cur].kind = MIME_MESSAGE;
		s->m->parts[s->cur].first_child = child;
		s->cur = child;
		s->place = IN_HEADER;
	}
}

/* ---- closing ---- */

/* Ends part i at `end`; lines is the count of line ends before it. */
static void
close_part(struct scanner *s, uint32_t i, uint64_t end, uint64_t lines)
{
	struct mime_part *p = &s->m->parts[i];

	if (end <= p->body_start) {
		p->body_end = p->body_start;
		p->body_lines = 0;
		return;
	}
	p->body_end = end;
	p->body_lines = lines - p->body_lines + (s->m->msg.p[end - 1] != '\n');
}

/* A multipart has at least one part, RFC 3501 says: an empty one if need be. */
static void
give_child(struct scanner *s, uint32_t i, uint64_t end)
{
	uint32_t child;
	struct mime_part *p;

	if (s->m->parts[i].kind != MIME_MULTIPART || s->m->parts[i].first_child != MIME_NONE)
		return;
	child = add_part(s, i);
	p = &s->m->parts[child];
	p->header_start = p->body_start = p->body_end = MAX(end, s->m->parts[i].body_start);
	set_type(p, "text", "plain");
	s->m->parts[i].first_child = child;
}

/* Closes cur and everything above it, up to but not including `to`. */
static void
close_up_to(struct scanner *s, uint32_t to, uint64_t end, uint64_t lines)
{
	while (s->cur != to) {
		uint32_t up = s->m->parts[s->cur].parent;

		if (s->open > 0 && s->stack[s->open - 1].part == s->cur)
			s->open--;
		give_child(s, s->cur, end);
		close_part(s, s->cur, end, lines);
		/* the boundary's line end is not its own where a header needs it: the
		 * parts around have it too */
		if (s->m->parts[s->cur].body_end > end) {
			end = s->pos;
			lines = s->lines;
		}
		s->cur = up;
	}
}

/* ---- lines ---- */

static bool
find_boundary(const struct scanner *s, struct slice line, size_t *level_r, bool *is_end_r)
{
	uint64_t hash;

	if (s->open == 0 || line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
		return false;
	line = slice_skip(line, 2);
	while (line.n > 0 && strchr(" \t\r\n", line.p[line.n - 1]) != NULL &&
	       line.p[line.n - 1] != '\0')
		line.n--;
	if (line.n > MAX_BOUNDARY + 2)
		return false;
	hash = map_hash(line);
	for (size_t i = s->open; i-- > 0;) {
		if (s->stack[i].hash == hash || s->stack[i].hash_end == hash) {
			*level_r = i;
			*is_end_r = s->stack[i].hash != hash;
			return true;
		}
	}
	return false;
}

/* A header that a boundary cuts short. */
static void
cut_header(struct scanner *s)
{
	while (s->place == IN_HEADER)
		end_header(s); /* again for a message/rfc822 with nothing in it */
}

static void
take_boundary(struct scanner *s, size_t level, bool is_end, uint64_t after)
{
	uint32_t multipart = s->stack[level].part;
	const char *msg = s->m->msg.p;
	uint64_t end = s->pos, lines = s->lines;
	uint32_t child;

	/* a multipart that opens in the cut header must not stay above this level */
	cut_header(s);
	if (end > 0 && msg[end - 1] == '\n') {
		end--;
		lines--;
	}
	if (end > 0 && end < s->pos && msg[end - 1] == '\r')
		end--;
	child = s->cur;
	while (child != multipart && s->m->parts[child].parent != multipart)
		child = s->m->parts[child].parent;
	close_up_to(s, multipart, end, lines);
	s->place = IN_BODY;
	if (is_end) {
		s->open = level;
		give_child(s, multipart, end);
		return;
	}
	s->pos = after;
	s->cur = add_part(s, multipart);
	if (child == multipart) {
		s->m->parts[multipart].first_child = s->cur;
	} else {
		s->m->parts[child].next = s->cur;
		s->m->parts[s->cur].number = s->m->parts[child].number + 1;
	}
	s->place = IN_HEADER;
}

static void
take_line(struct scanner *s, struct slice line)
{
	uint64_t after = s->pos + line.n;
	bool is_end, has_end = line.p[line.n - 1] == '\n';
	size_t level;

	if (find_boundary(s, line, &level, &is_end)) {
		if (is_end || s->m->count < s->limits->parts) {
			take_boundary(s, level, is_end, after);
			s->pos = after;
			s->lines += has_end;
			return;
		}
		s->m->cut = true; /* the rest stays in the part that is open */
	}
	s->pos = after;
	s->lines += has_end;
	if (s->place == IN_HEADER && (slice_eq_str(line, "\n") || slice_eq_str(line, "\r\n")))
		end_header(s);
}

void
mime_scan(struct arena *a, struct slice msg, const struct mime_limits *limits, struct mime *m_r)
{
	struct scanner s = { .arena = a, .m = m_r };

	*m_r = (struct mime){ .msg = msg };
	s.limits = limits != NULL ? limits : &mime_limits_default;
	s.cur = add_part(&s, MIME_NONE);
	s.place = IN_HEADER;
	while (s.pos < msg.n) {
		struct slice rest = slice_skip(msg, s.pos);
		size_t n = slice_find(rest, '\n');

		take_line(&s, slice_sub(rest, 0, n < rest.n ? n + 1 : n));
	}
	cut_header(&s);
	close_up_to(&s, MIME_NONE, msg.n, s.lines);
}
