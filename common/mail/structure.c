/*
 * structure - trees as IMAP text, written by a walk over indices, not by recursion.
 */
#include "mail/structure.h"

#include <inttypes.h>

#include "base/text.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/summary.h"

#define QUOTED_MAX 1000 /* longer texts go as literals: some clients limit lines */

/* ---- strings ---- */

void
summary_add_nstring(struct buf *out, struct slice s)
{
	size_t nuls = 0;
	bool quotable = s.n <= QUOTED_MAX;

	if (s.p == NULL) {
		buf_add_str(out, "NIL");
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		nuls += s.p[i] == '\0';
		quotable = quotable && !text_is_ctl(s.p[i]) && (unsigned char)s.p[i] < 0x80;
	}
	if (quotable) {
		buf_add_char(out, '"');
		for (size_t i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, s.p[i]);
		}
		buf_add_char(out, '"');
		return;
	}
	/* a literal may hold anything but NUL (RFC 3501 section 9, CHAR8) */
	buf_printf(out, "{%zu}\r\n", s.n - nuls);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\0')
			buf_add_char(out, s.p[i]);
}

/* How much may be said; the next row is tried when out is too small. */
struct measure {
	size_t addresses; /* of each field */
	size_t text;      /* bytes of each string */
};
static const struct measure measures[] = { { 1000, 8000 }, { 100, 1000 }, { 10, 200 }, { 1, 40 } };

/* At most n bytes, no UTF-8 sequence cut. */
static struct slice
cut_text(struct slice s, size_t n)
{
	if (s.n <= n)
		return s;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return slice_sub(s, 0, n);
}

static void
add_text(struct buf *out, struct slice s, const struct measure *max)
{
	summary_add_nstring(out, s.p == NULL ? s : cut_text(s, max->text));
}

/* ---- ENVELOPE ---- */

struct envelope_fields {
	struct slice date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id;
};

static void
find_fields(struct slice header, struct envelope_fields *f)
{
	const struct {
		const char *name;
		struct slice *value;
	} wanted[] = {
		{ "Date", &f->date },
		{ "Subject", &f->subject },
		{ "From", &f->from },
		{ "Sender", &f->sender },
		{ "Reply-To", &f->reply_to },
		{ "To", &f->to },
		{ "Cc", &f->cc },
		{ "Bcc", &f->bcc },
		{ "In-Reply-To", &f->in_reply_to },
		{ "Message-ID", &f->message_id },
	};
	struct header_iter it;
	struct header_field h;

	memset(f, 0, sizeof(*f));
	header_iter_init(&it, header);
	while (header_next(&it, &h))
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (wanted[i].value->p == NULL && slice_ieq_str(h.name, wanted[i].name))
				*wanted[i].value = h.value;
}

static void
add_unfolded(struct arena *scratch, struct slice value, const struct measure *max, struct buf *out)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	if (value.p == NULL) {
		buf_add_str(out, "NIL");
		return;
	}
	header_unfold(value, &b);
	add_text(out, b.len > 0 ? buf_slice(&b) : slice_make("", 0), max);
	buf_fini(&b);
}

/* (name route local host); a group starts with host NIL and ends with all NIL. */
static void
add_address(const struct address_item *it, const struct measure *max, struct buf *out)
{
	const struct slice nil = { NULL, 0 };
	bool group = it->kind != ADDRESS_MAILBOX;

	buf_add_char(out, '(');
	add_text(out, group ? nil : it->name, max);
	buf_add_char(out, ' ');
	add_text(out, it->route, max);
	buf_add_char(out, ' ');
	if (it->kind == ADDRESS_GROUP_START)
		add_text(out, it->name, max);
	else
		add_text(out, group ? nil : it->local, max);
	buf_add_char(out, ' ');
	add_text(out, group ? nil : it->domain, max);
	buf_add_char(out, ')');
}

/* False when there was nothing to add. */
static bool
add_addresses(struct arena *scratch, struct slice value, const struct measure *max, struct buf *out)
{
	struct address_list list;

	if (value.p == NULL)
		return false;
	address_list_parse(scratch, value, max->addresses, &list);
	if (list.count == 0)
		return false;
	buf_add_char(out, '(');
	for (size_t i = 0; i < list.count; i++)
		add_address(&list.items[i], max, out);
	buf_add_char(out, ')');
	return true;
}

static void
add_list(struct arena *scratch, struct slice value, struct slice instead, const struct measure *max,
         struct buf *out)
{
	if (!add_addresses(scratch, value, max, out) && !add_addresses(scratch, instead, max, out))
		buf_add_str(out, "NIL");
	buf_add_char(out, ' ');
}

static void
add_envelope(struct arena *scratch, const struct envelope_fields *f, const struct measure *max,
             struct buf *out)
{
	const struct slice none = { NULL, 0 };

	buf_add_char(out, '(');
	add_unfolded(scratch, f->date, max, out);
	buf_add_char(out, ' ');
	add_unfolded(scratch, f->subject, max, out);
	buf_add_char(out, ' ');
	add_list(scratch, f->from, none, max, out);
	add_list(scratch, f->sender, f->from, max, out);
	add_list(scratch, f->reply_to, f->from, max, out);
	add_list(scratch, f->to, none, max, out);
	add_list(scratch, f->cc, none, max, out);
	add_list(scratch, f->bcc, none, max, out);
	add_unfolded(scratch, f->in_reply_to, max, out);
	buf_add_char(out, ' ');
	add_unfolded(scratch, f->message_id, max, out);
	buf_add_char(out, ')');
}

void
structure_add_envelope(struct arena *scratch, struct slice header, struct buf *out)
{
	struct envelope_fields f;
	size_t before = out->len;

	find_fields(header, &f);
	for (size_t i = 0; i < ARRAY_LEN(measures); i++) {
		add_envelope(scratch, &f, &measures[i], out);
		if (!out->overflow)
			return;
		out->overflow = false;
		buf_truncate(out, before);
	}
	buf_add_str(out, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
}

/* ---- BODY and BODYSTRUCTURE ---- */

struct writer {
	struct arena *scratch;
	const struct mime *m;
	bool extended;
	const struct measure *max;
	struct buf *out;
};

static void
add_upper(struct writer *w, struct slice s)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	s = cut_text(s, w->max->text);
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(&b, text_upper(s.p[i]));
	summary_add_nstring(w->out, b.len > 0 ? buf_slice(&b) : slice_make("", 0));
	buf_fini(&b);
}

static void
add_params(struct writer *w, const struct header_params *p)
{
	if (p->count == 0) {
		buf_add_str(w->out, "NIL");
		return;
	}
	buf_add_char(w->out, '(');
	for (size_t i = 0; i < p->count; i++) {
		if (i > 0)
			buf_add_char(w->out, ' ');
		add_upper(w, p->params[i].name);
		buf_add_char(w->out, ' ');
		add_text(w->out, p->params[i].value, w->max);
	}
	buf_add_char(w->out, ')');
}

/* The fields of a part that its structure tells. */
struct part_fields {
	struct slice id, description, md5, disposition, language, location, encoding;
};

static void
find_part_fields(struct slice header, struct part_fields *f)
{
	const struct {
		const char *name;
		struct slice *value;
	} wanted[] = {
		{ "ID", &f->id },
		{ "Description", &f->description },
		{ "MD5", &f->md5 },
		{ "Disposition", &f->disposition },
		{ "Language", &f->language },
		{ "Location", &f->location },
		{ "Transfer-Encoding", &f->encoding },
	};
	struct header_iter it;
	struct header_field h;

	memset(f, 0, sizeof(*f));
	header_iter_init(&it, slice_sub(header, 0, mime_limits_default.header_bytes));
	while (header_next(&it, &h)) {
		if (!slice_istarts(h.name, SLICE("Content-")))
			continue;
		h.name = slice_skip(h.name, strlen("Content-"));
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (wanted[i].value->p == NULL && slice_ieq_str(h.name, wanted[i].name))
				*wanted[i].value = h.value;
	}
}

static void
add_disposition(struct writer *w, struct slice value)
{
	struct header_params d;

	if (value.p != NULL)
		header_parse_params(w->scratch, value, &d);
	if (value.p == NULL || d.type.n == 0) {
		buf_add_str(w->out, "NIL");
		return;
	}
	buf_add_char(w->out, '(');
	add_upper(w, d.type);
	buf_add_char(w->out, ' ');
	add_params(w, &d);
	buf_add_char(w->out, ')');
}

/* body-fld-lang: NIL, one string, or a list. */
static void
add_language(struct writer *w, struct slice value)
{
	struct slice rest = slice_trim(value);
	size_t count = 0;

	if (rest.n == 0) {
		buf_add_str(w->out, "NIL");
		return;
	}
	buf_add_char(w->out, '(');
	while (rest.p != NULL && count < 20) {
		struct slice one = slice_trim(slice_cut(&rest, ','));

		if (one.n == 0)
			continue;
		if (count++ > 0)
			buf_add_char(w->out, ' ');
		add_text(w->out, one, w->max);
	}
	if (count == 0)
		buf_add_str(w->out, "\"\"");
	buf_add_char(w->out, ')');
}

/* [md5] disposition language location */
static void
add_extension(struct writer *w, const struct part_fields *f, bool multipart)
{
	if (!multipart) {
		buf_add_char(w->out, ' ');
		add_unfolded(w->scratch, f->md5, w->max, w->out);
	}
	buf_add_char(w->out, ' ');
	add_disposition(w, f->disposition);
	buf_add_char(w->out, ' ');
	add_language(w, f->language);
	buf_add_char(w->out, ' ');
	add_unfolded(w->scratch, f->location, w->max, w->out);
}

static void
add_encoding(struct writer *w, const struct mime_part *p, struct slice value)
{
	static const char *const names[] = { "7BIT", "8BIT", "BINARY", "QUOTED-PRINTABLE",
		                             "BASE64" };

	if (p->encoding < ARRAY_LEN(names)) {
		buf_printf(w->out, "\"%s\"", names[p->encoding]);
	} else {
		value = slice_trim(value);
		add_upper(w, slice_sub(value, 0, slice_find(value, ';')));
	}
}

/* type subtype params id description encoding octets */
static void
add_basic(struct writer *w, const struct mime_part *p, const struct part_fields *f)
{
	add_upper(w, p->type.type);
	buf_add_char(w->out, ' ');
	add_upper(w, p->type.subtype);
	buf_add_char(w->out, ' ');
	if (p->type.count == 0 && slice_eq_str(p->type.type, "text") &&
	    slice_eq_str(p->type.subtype, "plain"))
		buf_add_str(w->out, "(\"CHARSET\" \"US-ASCII\")"); /* RFC 2045 section 5.2 */
	else
		add_params(w, &p->type);
	buf_add_char(w->out, ' ');
	add_unfolded(w->scratch, f->id, w->max, w->out);
	buf_add_char(w->out, ' ');
	add_unfolded(w->scratch, f->description, w->max, w->out);
	buf_add_char(w->out, ' ');
	add_encoding(w, p, f->encoding);
	buf_printf(w->out, " %" PRIu64, p->body_end - p->body_start);
}

/* What stands before the children. */
static void
open_part(struct writer *w, const struct mime_part *p)
{
	struct part_fields f;
	struct slice inner;

	buf_add_char(w->out, '(');
	if (p->kind == MIME_MULTIPART)
		return;
	find_part_fields(mime_header(w->m, p), &f);
	add_basic(w, p, &f);
	if (p->kind == MIME_MESSAGE) {
		struct envelope_fields e;

		inner = mime_header(w->m, &w->m->parts[p->first_child]);
		buf_add_char(w->out, ' ');
		find_fields(inner, &e);
		add_envelope(w->scratch, &e, w->max, w->out);
		buf_add_char(w->out, ' ');
	} else if (slice_eq_str(p->type.type, "text")) {
		buf_printf(w->out, " %" PRIu64, p->body_lines);
	}
}

/* What stands behind them. */
static void
shut_part(struct writer *w, const struct mime_part *p)
{
	struct part_fields f;

	if (p->kind == MIME_MULTIPART) {
		buf_add_char(w->out, ' ');
		add_upper(w, p->type.subtype);
	} else if (p->kind == MIME_MESSAGE) {
		buf_printf(w->out, " %" PRIu64, p->body_lines);
	}
	if (w->extended) {
		find_part_fields(mime_header(w->m, p), &f);
		if (p->kind == MIME_MULTIPART) {
			buf_add_char(w->out, ' ');
			add_params(w, &p->type);
		}
		add_extension(w, &f, p->kind == MIME_MULTIPART);
	}
	buf_add_char(w->out, ')');
}

static void
add_tree(struct writer *w)
{
	uint32_t i = 0;

	open_part(w, &w->m->parts[0]);
	while (!w->out->overflow) {
		const struct mime_part *p = &w->m->parts[i];

		if (p->first_child != MIME_NONE) {
			i = p->first_child;
			open_part(w, &w->m->parts[i]);
			continue;
		}
		/* up until there is a next one */
		shut_part(w, p);
		while (p->next == MIME_NONE) {
			if (p->parent == MIME_NONE)
				return;
			i = p->parent;
			p = &w->m->parts[i];
			shut_part(w, p);
		}
		i = p->next;
		open_part(w, &w->m->parts[i]);
	}
}

void
structure_add_body(struct arena *scratch, const struct mime *m, bool extended, struct buf *out)
{
	struct writer w = { .scratch = scratch, .m = m, .extended = extended, .out = out };
	const struct mime_part *root = &m->parts[0];
	size_t before = out->len;

	for (size_t i = 0; i < ARRAY_LEN(measures); i++) {
		w.max = &measures[i];
		add_tree(&w);
		if (!out->overflow)
			return;
		out->overflow = false;
		buf_truncate(out, before);
	}
	buf_printf(out, "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"8BIT\" %" PRIu64 "%s)",
	           root->body_end - root->body_start, extended ? " NIL NIL NIL NIL" : "");
}
