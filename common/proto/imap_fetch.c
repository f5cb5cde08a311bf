/*
 * fetch     = sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
 *             "(" fetch-att *(SP fetch-att) ")") [SP "(" modifier *(SP modifier) ")"]
 * fetch-att = a name of the table / ("BODY" / "BODY.PEEK") section ["<" number "." nz-number ">"]
 * section   = "[" [section-spec] "]"
 * section-spec = as mime_section_parse(), and behind HEADER.FIELDS[.NOT]: SP "(" 1*astring ")"
 */
#include "proto/imap_fetch.h"

#include "base/buf.h"
#include "base/num.h"
#include "base/text.h"
#include "mail/summary.h"

#include <inttypes.h>

#define SECTION_TEXT_MAX 2000
#define LABEL_MAX (1024 * 1024) /* the command it repeats is smaller */

static const struct item {
	const char *name;
	unsigned bit;
} items[] = {
	{ "UID", IMAP_FETCH_UID },
	{ "FLAGS", IMAP_FETCH_FLAGS },
	{ "INTERNALDATE", IMAP_FETCH_INTERNALDATE },
	{ "RFC822.SIZE", IMAP_FETCH_SIZE },
	{ "MODSEQ", IMAP_FETCH_MODSEQ },
	{ "ENVELOPE", IMAP_FETCH_ENVELOPE },
	{ "BODY", IMAP_FETCH_BODY },
	{ "BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE },
};

#define FAST (IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE)
static const struct item macros[] = {
	{ "FAST", FAST },
	{ "ALL", FAST | IMAP_FETCH_ENVELOPE },
	{ "FULL", FAST | IMAP_FETCH_ENVELOPE | IMAP_FETCH_BODY },
};

static const struct whole {
	const char *name;
	enum mime_section_what what;
	bool peek;
} wholes[] = {
	{ "RFC822", MIME_SECTION_ALL, false },
	{ "RFC822.HEADER", MIME_SECTION_HEADER, true },
	{ "RFC822.TEXT", MIME_SECTION_TEXT, false },
};

/* A run of letters, digits and dots. */
static struct slice
take_name(struct imap_args *a)
{
	struct slice name;
	size_t n = 0;

	while (n < a->rest.n &&
	       (text_is_alpha(a->rest.p[n]) || text_is_digit(a->rest.p[n]) || a->rest.p[n] == '.'))
		n++;
	name = slice_sub(a->rest, 0, n);
	a->rest = slice_skip(a->rest, n);
	return name;
}

static unsigned
find_item(const struct item *table, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_ieq_str(name, table[i].name))
			return table[i].bit;
	return 0;
}

static struct imap_fetch_section *
add_section(struct imap_args *a, struct imap_fetch *f)
{
	if (f->section_count == IMAP_FETCH_SECTIONS_MAX) {
		imap_args_fail(a, "Too many sections in %s", a->cmd);
		return NULL;
	}
	if (f->sections == NULL)
		f->sections = arena_array(a->arena, IMAP_FETCH_SECTIONS_MAX, sizeof(*f->sections));
	return &f->sections[f->section_count++];
}

/* ---- sections ---------------------------------------------------------------------------- */

static void
add_astring(struct buf *out, struct slice s)
{
	bool atom = s.n > 0;

	for (size_t i = 0; i < s.n && atom; i++)
		atom = text_is_alpha(s.p[i]) || text_is_digit(s.p[i]) || s.p[i] == '-' ||
		       s.p[i] == '_';
	if (atom)
		buf_add_slice(out, s);
	else
		summary_add_nstring(out, s);
}

static void
make_label(struct imap_args *a, struct slice text, struct imap_fetch_section *s)
{
	struct buf b = BUF_INIT(LABEL_MAX);

	buf_add_str(&b, "BODY[");
	for (size_t i = 0; i < text.n; i++)
		buf_add_char(&b, text_upper(text.p[i]));
	for (size_t i = 0; i < s->name_count; i++) {
		buf_add_str(&b, i == 0 ? " (" : " ");
		add_astring(&b, s->names[i]);
	}
	buf_add_str(&b, s->fields ? ")]" : "]");
	if (s->partial)
		buf_printf(&b, "<%" PRIu64 ">", s->from);
	s->label = arena_slice_dup(a->arena, buf_slice(&b));
	buf_fini(&b);
}

static bool
read_names(struct imap_args *a, struct imap_fetch_section *s)
{
	bool first = true;

	s->names = arena_array(a->arena, MIN(a->rest.n / 2 + 1, (size_t)IMAP_FETCH_FIELDS_MAX),
	                       sizeof(*s->names));
	if (!imap_args_space(a) || !imap_args_open(a, "header names"))
		return false;
	while (imap_args_next(a, &first)) {
		if (s->name_count == IMAP_FETCH_FIELDS_MAX)
			return imap_args_fail(a, "Too many header names in %s", a->cmd);
		if (!imap_args_astring(a, "header name", &s->names[s->name_count++]))
			return false;
	}
	return imap_args_ok(a) &&
	       (s->name_count > 0 || imap_args_fail(a, "Missing header names in %s", a->cmd));
}

/* ".NOT" and ".FIELDS" are taken off behind. */
static bool
take_suffix(struct slice *s, const char *suffix)
{
	size_t n = strlen(suffix);

	if (s->n < n || !slice_ieq_str(slice_skip(*s, s->n - n), suffix))
		return false;
	s->n -= n;
	return true;
}

static bool
read_partial(struct imap_args *a, struct imap_fetch_section *s)
{
	struct slice from, n;
	size_t end = slice_find(a->rest, '>');

	if (!imap_args_try(a, '<'))
		return true;
	n = slice_sub(a->rest, 0, end - 1);
	from = slice_cut(&n, '.');
	if (end > 50 || !num_parse_u64(from, INT64_MAX, &s->from) || n.p == NULL ||
	    !num_parse_u64(n, INT64_MAX, &s->n) || s->n == 0 || a->rest.n < end)
		return imap_args_fail(a, "Invalid partial range in %s", a->cmd);
	a->rest = slice_skip(a->rest, end);
	s->partial = true;
	return true;
}

/* Behind "BODY[" or "BODY.PEEK[". */
static bool
read_section(struct imap_args *a, struct imap_fetch *f, bool peek)
{
	struct imap_fetch_section *s = add_section(a, f);
	struct slice text, plain;

	if (s == NULL)
		return false;
	s->peek = peek;
	plain = text = take_name(a);
	s->fields_not = take_suffix(&plain, ".NOT");
	s->fields = take_suffix(&plain, ".FIELDS");
	if (text.n > SECTION_TEXT_MAX || !mime_section_parse(plain, &s->section) ||
	    (s->fields_not && !s->fields) || (s->fields && s->section.what != MIME_SECTION_HEADER))
		return imap_args_fail(a, "Invalid section in %s", a->cmd);
	if (s->fields && !read_names(a, s))
		return false;
	if (!imap_args_try(a, ']'))
		return imap_args_fail(a, "Missing ] in %s", a->cmd);
	if (!read_partial(a, s))
		return false;
	make_label(a, text, s);
	return true;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool
read_item(struct imap_args *a, struct imap_fetch *f, bool alone)
{
	struct slice name = take_name(a);
	bool peek = slice_ieq_str(name, "BODY.PEEK");
	unsigned bits;

	if ((peek || slice_ieq_str(name, "BODY")) && imap_args_try(a, '['))
		return read_section(a, f, peek);
	bits = find_item(items, ARRAY_LEN(items), name);
	if (bits == 0 && alone)
		bits = find_item(macros, ARRAY_LEN(macros), name);
	f->items |= bits;
	if (bits != 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
		struct imap_fetch_section *s;

		if (!slice_ieq_str(name, wholes[i].name))
			continue;
		s = add_section(a, f);
		if (s == NULL)
			return false;
		s->label = slice_of(wholes[i].name);
		s->section.what = wholes[i].what;
		s->peek = wholes[i].peek;
		return true;
	}
	return imap_args_fail(a, name.n == 0 ? "Missing item in %s" : "Unknown item in %s", a->cmd);
}

static bool
read_items(struct imap_args *a, struct imap_fetch *f)
{
	bool first = true;

	if (imap_args_peek(a) != '(')
		return read_item(a, f, true);
	if (imap_args_open(a, "items"))
		while (imap_args_next(a, &first))
			if (!read_item(a, f, false))
				return false;
	if (imap_args_ok(a) && f->items == 0 && f->section_count == 0)
		return imap_args_fail(a, "Missing item in %s", a->cmd);
	return imap_args_ok(a);
}

static bool
read_modifiers(struct imap_args *a, struct imap_fetch *f)
{
	bool first = true;

	if (!imap_args_space(a) || !imap_args_open(a, "modifiers"))
		return false;
	while (imap_args_next(a, &first)) {
		if (imap_args_try_word(a, "CHANGEDSINCE")) {
			f->changed_since = true;
			if (!imap_args_space(a) ||
			    !imap_args_u64(a, "modification sequence", &f->since))
				return false;
		} else if (imap_args_try_word(a, "VANISHED")) {
			f->vanished = true;
		} else {
			return imap_args_fail(a, "Unknown modifier in %s", a->cmd);
		}
	}
	if (imap_args_ok(a) && f->vanished && !f->changed_since)
		return imap_args_fail(a, "VANISHED without CHANGEDSINCE in %s", a->cmd);
	return imap_args_ok(a);
}

bool
imap_fetch_read(struct imap_args *a, struct imap_fetch *f_r)
{
	*f_r = (struct imap_fetch){ 0 };
	if (!imap_args_space(a) || !imap_set_read(a, "message set", &f_r->set) ||
	    !imap_args_space(a) || !read_items(a, f_r))
		return false;
	/* a blank behind is no modifier */
	if (slice_starts(a->rest, SLICE(" (")) && !read_modifiers(a, f_r))
		return false;
	return imap_args_end(a);
}

bool
imap_fetch_sees(const struct imap_fetch *f)
{
	for (size_t i = 0; i < f->section_count; i++)
		if (!f->sections[i].peek)
			return true;
	return false;
}
