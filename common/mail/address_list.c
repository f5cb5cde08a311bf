/*
 * address_list - header address lists: a scanner of tokens and a little state for the
 * address that is being read. No recursion; comments are counted.
 *
 *	address = mailbox / group
 *	mailbox = [phrase] "<" [route ":"] addr-spec ">" / addr-spec
 *	group   = phrase ":" [mailbox-list] ";"
 *
 * RFC 5322 section 3.4 and 4.4, read with good will: words before an `@` that cannot
 * belong to it are the name, a comment is the name where there is none.
 */
#include "mail/address.h"

#include "base/text.h"

#define MAX_ROUTE 1000 /* bounds the look ahead, so that reading stays linear */

struct reader {
	struct arena *arena;
	struct slice rest;
	struct address_list *list;
	size_t max, room;

	struct buf words;  /* the local part so far, as dots join it */
	size_t run;        /* where in words the last dot-joined run began */
	struct buf phrase; /* the same words with their blanks, "John Q. Public" */
	size_t phrase_run; /* where in phrase that run began */
	bool joined;       /* the last token was a dot, or nothing was read yet */
	bool blank;        /* a blank stands before the token */
	struct buf domain;
	struct buf comment; /* the last one */
	struct slice name, route;
	bool any; /* some word was read */
	bool at;  /* behind the @ */
	bool in_angle, had_angle, in_group;
};

static bool
is_special(char c)
{
	return strchr("()<>[]:;@,\"", c) != NULL && c != '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct address_item *
add_item(struct reader *r, enum address_item_kind kind)
{
	struct address_list *l = r->list;
	struct address_item *grown;
	/* the end of a group has its place from the start on, so that none stays open */
	bool open = kind == ADDRESS_GROUP_START || (r->in_group && kind == ADDRESS_MAILBOX);

	if (l->count + open >= r->max) {
		l->cut = true;
		return NULL;
	}
	if (l->count == r->room) {
		r->room = r->room == 0 ? 4 : MIN(r->room * 2, r->max);
		grown = arena_array(r->arena, r->room, sizeof(*grown));
		if (l->count > 0)
			memcpy(grown, l->items, l->count * sizeof(*grown));
		l->items = grown;
	}
	l->items[l->count] = (struct address_item){ .kind = kind };
	return &l->items[l->count++];
}

static struct slice
keep(struct reader *r, struct slice s)
{
	return s.n > 0 ? arena_slice_dup(r->arena, s) : slice_make("", 0);
}

static void
drop_words(struct reader *r)
{
	buf_clear(&r->words);
	buf_clear(&r->phrase);
	r->run = r->phrase_run = 0;
	r->joined = true;
}

static void
start_over(struct reader *r)
{
	buf_clear(&r->comment);
	drop_words(r);
	buf_clear(&r->domain);
	r->name = r->route = slice_make(NULL, 0);
	r->any = r->at = r->in_angle = r->had_angle = false;
}

/* What was read up to a comma, a semicolon or the end. */
static void
finish_mailbox(struct reader *r)
{
	struct address_item *it;

	if ((r->any || r->at || r->had_angle) && (it = add_item(r, ADDRESS_MAILBOX)) != NULL) {
		it->name = r->name;
		if (it->name.p == NULL && r->comment.len > 0)
			it->name = keep(r, slice_trim(buf_slice(&r->comment)));
		it->route = r->route;
		it->local = keep(r, buf_slice(&r->words));
		it->domain = keep(r, buf_slice(&r->domain));
	}
	start_over(r);
}

/* ---- tokens ---- */

/* (comment), nested; its text without the outer parentheses replaces the last one. */
static void
read_comment(struct reader *r)
{
	unsigned depth = 0;

	buf_clear(&r->comment);
	while (r->rest.n > 0) {
		char c = r->rest.p[0];

		r->rest = slice_skip(r->rest, 1);
		if (c == '\\' && r->rest.n > 0) {
			buf_add_char(&r->comment, r->rest.p[0]);
			r->rest = slice_skip(r->rest, 1);
			continue;
		}
		if (c == '(' && depth++ == 0)
			continue;
		if (c == ')' && --depth == 0)
			return;
		if (c != '\r' && c != '\n')
			buf_add_char(&r->comment, c);
	}
}

/* "quoted", undone into out. */
static void
read_quoted(struct reader *r, struct buf *out)
{
	r->rest = slice_skip(r->rest, 1);
	while (r->rest.n > 0) {
		char c = r->rest.p[0];

		r->rest = slice_skip(r->rest, 1);
		if (c == '"')
			return;
		if (c == '\\' && r->rest.n > 0) {
			c = r->rest.p[0];
			r->rest = slice_skip(r->rest, 1);
		}
		if (c != '\r' && c != '\n')
			buf_add_char(out, c);
	}
}

static void
read_atom(struct reader *r, struct buf *out)
{
	size_t n = 0;

	while (n < r->rest.n && !is_special(r->rest.p[n]) && !is_blank(r->rest.p[n]))
		n++;
	buf_add_slice(out, slice_sub(r->rest, 0, n));
	r->rest = slice_skip(r->rest, n);
}

static void
read_literal(struct reader *r)
{
	size_t n = slice_find(r->rest, ']');

	n = n < r->rest.n ? n + 1 : n;
	for (size_t i = 0; i < n; i++)
		if (!is_blank(r->rest.p[i]))
			buf_add_char(&r->domain, r->rest.p[i]);
	r->rest = slice_skip(r->rest, n);
}

/* A word of a phrase or local part; words not joined by a dot are kept apart. */
static void
read_word(struct reader *r)
{
	struct slice before = r->rest;
	bool apart = !r->joined && before.p[0] != '.';
	size_t start;

	if (r->phrase.len > 0 && (apart || r->blank))
		buf_add_char(&r->phrase, ' ');
	if (apart) {
		buf_add_char(&r->words, ' ');
		r->run = r->words.len;
		r->phrase_run = r->phrase.len;
	}
	start = r->words.len;
	if (before.p[0] == '"')
		read_quoted(r, &r->words);
	else
		read_atom(r, &r->words);
	buf_add_slice(&r->phrase, slice_skip(buf_slice(&r->words), start));
	r->joined = r->words.len > 0 && before.p[0] != '"' &&
	            r->words.data[r->words.start + r->words.len - 1] == '.';
	r->any = true;
}

/* What stands behind <...> belongs to nobody. */
static void
drop_word(struct reader *r)
{
	r->list->dropped = true;
	buf_clear(&r->comment);
	if (r->rest.p[0] == '"')
		read_quoted(r, &r->comment);
	else
		read_atom(r, &r->comment);
	buf_clear(&r->comment);
}

static void
phrase_to_name(struct reader *r, size_t n)
{
	struct slice s = slice_trim(slice_sub(buf_slice(&r->phrase), 0, n));

	if (s.n > 0)
		r->name = keep(r, s);
}

static void
read_angle(struct reader *r)
{
	r->rest = slice_skip(r->rest, 1);
	if (r->in_angle || r->had_angle)
		return;
	phrase_to_name(r, r->phrase.len);
	drop_words(r);
	buf_clear(&r->domain);
	r->at = false;
	r->in_angle = r->had_angle = true;
}

/* @: behind words they are the local part; at the start of an angle a route follows. */
static void
read_at(struct reader *r)
{
	struct slice near = slice_sub(r->rest, 0, MAX_ROUTE);
	size_t colon;

	if (r->in_angle && r->words.len == 0 && !r->at && r->route.p == NULL) {
		colon = slice_find(near, ':');
		if (colon < slice_find(near, '>')) {
			r->route = keep(r, slice_sub(r->rest, 0, colon));
			r->rest = slice_skip(r->rest, colon + 1);
			return;
		}
	}
	r->rest = slice_skip(r->rest, 1);
	if (!r->in_angle && r->run > 0) {
		phrase_to_name(r, r->phrase_run);
		buf_consume(&r->words, r->run);
		buf_clear(&r->phrase);
		r->run = r->phrase_run = 0;
	}
	r->at = true;
}

static void
read_colon(struct reader *r)
{
	struct address_item *it;

	r->rest = slice_skip(r->rest, 1);
	if (r->in_angle || r->in_group)
		return;
	if ((it = add_item(r, ADDRESS_GROUP_START)) != NULL) {
		it->name = keep(r, slice_trim(buf_slice(&r->phrase)));
		r->in_group = true;
	}
	start_over(r);
}

static void
end_group(struct reader *r)
{
	finish_mailbox(r);
	if (r->in_group)
		(void)add_item(r, ADDRESS_GROUP_END);
	r->in_group = false;
}

static void
read_token(struct reader *r)
{
	switch (r->rest.p[0]) {
	case '(':
		read_comment(r);
		break;
	case '<':
		read_angle(r);
		break;
	case '>':
		r->in_angle = false;
		r->rest = slice_skip(r->rest, 1);
		break;
	case '@':
		read_at(r);
		break;
	case ':':
		read_colon(r);
		break;
	case ';':
		r->rest = slice_skip(r->rest, 1);
		end_group(r);
		break;
	case ',':
		r->rest = slice_skip(r->rest, 1);
		finish_mailbox(r);
		break;
	case '[':
		read_literal(r);
		break;
	case ']':
	case ')': /* closes nothing */
		r->rest = slice_skip(r->rest, 1);
		break;
	default:
		if (r->had_angle && !r->in_angle)
			drop_word(r);
		else if (r->at && r->rest.p[0] != '"')
			read_atom(r, &r->domain);
		else
			read_word(r);
	}
}

void
address_list_parse(struct arena *a, struct slice value, size_t max, struct address_list *list_r)
{
	struct reader r = { .arena = a, .rest = value, .list = list_r, .max = max };

	*list_r = (struct address_list){ 0 };
	buf_init(&r.words, SIZE_MAX);
	buf_init(&r.phrase, SIZE_MAX);
	buf_init(&r.domain, SIZE_MAX);
	buf_init(&r.comment, SIZE_MAX);
	start_over(&r);
	while (r.rest.n > 0 && !list_r->cut) {
		size_t before = r.rest.n;

		if (is_blank(r.rest.p[0])) {
			r.rest = slice_skip(r.rest, 1);
			r.blank = true;
		} else {
			read_token(&r);
			r.blank = false;
		}
		must(r.rest.n < before); /* every token is some bytes */
	}
	end_group(&r);
	buf_fini(&r.words);
	buf_fini(&r.phrase);
	buf_fini(&r.domain);
	buf_fini(&r.comment);
}
