#include "lib/test.h"
#include "proto/imap_search.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

static const char *const names[] = {
	[IMAP_SEARCH_AND] = "and",         [IMAP_SEARCH_OR] = "or",
	[IMAP_SEARCH_NUMBERS] = "numbers", [IMAP_SEARCH_UIDS] = "uids",
	[IMAP_SEARCH_FLAG] = "flag",       [IMAP_SEARCH_RECENT] = "recent",
	[IMAP_SEARCH_BEFORE] = "before",   [IMAP_SEARCH_ON] = "on",
	[IMAP_SEARCH_SINCE] = "since",     [IMAP_SEARCH_SENTBEFORE] = "sentbefore",
	[IMAP_SEARCH_SENTON] = "senton",   [IMAP_SEARCH_SENTSINCE] = "sentsince",
	[IMAP_SEARCH_LARGER] = "larger",   [IMAP_SEARCH_SMALLER] = "smaller",
	[IMAP_SEARCH_OLDER] = "older",     [IMAP_SEARCH_YOUNGER] = "younger",
	[IMAP_SEARCH_MODSEQ] = "modseq",   [IMAP_SEARCH_HEADER] = "header",
	[IMAP_SEARCH_BODY] = "body",       [IMAP_SEARCH_TEXT] = "text",
};

static void
add_children(struct buf *out, const struct imap_search_node *n)
{
	for (const struct imap_search_node *c = n->child; c != NULL; c = c->next) {
		if (c != n->child)
			buf_add_char(out, ' ');
		buf_printf(out, "%s%s", c->invert ? "!" : "", names[c->op]);
		if (c->op == IMAP_SEARCH_AND || c->op == IMAP_SEARCH_OR) {
			buf_add_char(out, '(');
			add_children(out, c);
			buf_add_char(out, ')');
		}
		if (c->set.count > 0)
			buf_printf(out, ":%u-%u", c->set.ranges[0].first, c->set.ranges[0].last);
		if (c->field.p != NULL)
			buf_printf(out, ":%.*s", SLICE_ARG(c->field));
		if (c->text.p != NULL)
			buf_printf(out, ":%.*s", SLICE_ARG(c->text));
		if (c->day != 0 || c->number != 0)
			buf_printf(out, ":%" PRIu64, (uint64_t)c->day + c->number);
	}
}

static void
add_search(struct buf *out, const struct imap_search *s)
{
	if (s->extended)
		buf_printf(out, "return %x ", s->results);
	if (s->charset.n > 0)
		buf_printf(out, "charset %.*s ", SLICE_ARG(s->charset));
	if (s->modseq)
		buf_add_str(out, "modseq ");
	add_children(out, &s->root);
}

static const struct search_case {
	const char *name, *in, *want; /* want NULL: an error, whose text is bad */
	const char *bad;
} cases[] = {
	{ "all", " ALL", "and()", NULL },
	{ "not all", " NOT ALL", "!and()", NULL },
	{ "flags", " ANSWERED deleted DRAFT FLAGGED SEEN RECENT",
	  "flag:\\Answered flag:\\Deleted flag:\\Draft flag:\\Flagged flag:\\Seen recent", NULL },
	{ "no flags", " UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN OLD",
	  "!flag:\\Answered !flag:\\Deleted !flag:\\Draft !flag:\\Flagged !flag:\\Seen !recent",
	  NULL },
	{ "not without a flag", " NOT UNSEEN", "flag:\\Seen", NULL },
	{ "not not", " NOT NOT SEEN", "flag:\\Seen", NULL },
	{ "keywords", " KEYWORD $Work UNKEYWORD x", "flag:$Work !flag:x", NULL },
	{ "headers", " BCC a CC b FROM c SUBJECT d TO \"e f\"",
	  "header:Bcc:a header:Cc:b header:From:c header:Subject:d header:To:e f", NULL },
	{ "any header", " HEADER X-Foo {3}\r\nbar", "header:X-Foo:bar", NULL },
	{ "an empty string", " HEADER Message-ID \"\"", "header:Message-ID:", NULL },
	{ "body and text", " BODY a TEXT b", "body:a text:b", NULL },
	{ "days", " BEFORE 2-Jan-1970 ON \"3-Jan-1970\" SINCE 04-Jan-1970", "before:1 on:2 since:3",
	  NULL },
	{ "days of the Date field", " SENTBEFORE 2-Jan-1970 SENTON 3-Jan-1970 SENTSINCE 4-Jan-1970",
	  "sentbefore:1 senton:2 sentsince:3", NULL },
	{ "sizes", " LARGER 5 SMALLER 4294967296", "larger:5 smaller:4294967296", NULL },
	{ "ages", " OLDER 60 YOUNGER 3600", "older:60 younger:3600", NULL },
	{ "numbers", " 1:* UID 5:7,9", "numbers:1-0 uids:5-7", NULL },
	{ "a star", " *", "numbers:0-0", NULL },
	{ "NEW is RECENT UNSEEN", " NEW", "and(recent !flag:\\Seen)", NULL },
	{ "not new", " NOT NEW", "!and(recent !flag:\\Seen)", NULL },
	{ "new in or", " OR NEW OLD SEEN", "or(and(recent !flag:\\Seen) !recent) flag:\\Seen",
	  NULL },
	{ "or", " OR SEEN DELETED DRAFT", "or(flag:\\Seen flag:\\Deleted) flag:\\Draft", NULL },
	{ "or of or", " OR SEEN OR DELETED OR DRAFT FLAGGED ANSWERED",
	  "or(flag:\\Seen flag:\\Deleted flag:\\Draft flag:\\Flagged) flag:\\Answered", NULL },
	{ "or whose first is or", " OR OR SEEN DELETED DRAFT",
	  "or(or(flag:\\Seen flag:\\Deleted) flag:\\Draft)", NULL },
	{ "not or", " NOT OR SEEN DELETED", "!or(flag:\\Seen flag:\\Deleted)", NULL },
	{ "or of not or", " OR SEEN NOT OR DRAFT DELETED",
	  "or(flag:\\Seen !or(flag:\\Draft flag:\\Deleted))", NULL },
	{ "or of not", " OR NOT SEEN NOT DELETED", "or(!flag:\\Seen !flag:\\Deleted)", NULL },
	{ "parentheses", " (SEEN DELETED) DRAFT", "and(flag:\\Seen flag:\\Deleted) flag:\\Draft",
	  NULL },
	{ "parentheses in parentheses", " ((SEEN) (OR (DRAFT) (1)))",
	  "and(and(flag:\\Seen) and(or(and(flag:\\Draft) and(numbers:1-1))))", NULL },
	{ "not of parentheses", " NOT (SEEN) DELETED", "!and(flag:\\Seen) flag:\\Deleted", NULL },
	{ "or of parentheses", " OR (SEEN DRAFT) (DELETED) 1",
	  "or(and(flag:\\Seen flag:\\Draft) and(flag:\\Deleted)) numbers:1-1", NULL },
	{ "a charset", " CHARSET utf-8 SUBJECT {2}\r\n\xc3\xa9",
	  "charset utf-8 header:Subject:\xc3\xa9", NULL },
	{ "modseq", " MODSEQ 620162338", "modseq modseq:620162338", NULL },
	{ "modseq of an entry", " MODSEQ \"/flags/\\\\draft\" all 5", "modseq modseq:5", NULL },
	{ "results", " RETURN (MIN MAX COUNT) SEEN", "return 7 flag:\\Seen", NULL },
	{ "default results", " RETURN () CHARSET US-ASCII SEEN",
	  "return 8 charset US-ASCII flag:\\Seen", NULL },
	{ "a blank behind", " SEEN ", "flag:\\Seen", NULL },
	{ "nothing", "", NULL, "Missing an argument in SEARCH" },
	{ "a charset alone", " CHARSET utf-8", NULL, "Missing an argument in SEARCH" },
	{ "results alone", " RETURN (MIN)", NULL, "Missing an argument in SEARCH" },
	{ "an unknown result", " RETURN (FOO) ALL", NULL, "Unknown result option in SEARCH" },
	{ "an unknown key", " FOO", NULL, "Unknown search key in SEARCH" },
	{ "a longer key", " SEENX", NULL, "Unknown search key in SEARCH" },
	{ "a shorter key", " SEE", NULL, "Unknown search key in SEARCH" },
	{ "empty parentheses", " ()", NULL, "Missing search key in SEARCH" },
	{ "not alone", " NOT", NULL, "Missing search key in SEARCH" },
	{ "not before )", " (NOT )", NULL, "Missing search key in SEARCH" },
	{ "or with one", " OR SEEN", NULL, "Missing search key in SEARCH" },
	{ "or with one in parentheses", " (OR SEEN)", NULL, "Missing space in SEARCH" },
	{ "no end", " (SEEN", NULL, "Missing ) in SEARCH" },
	{ "no start", " SEEN)", NULL, "Missing space in SEARCH" },
	{ "no space", " (SEEN)(DRAFT)", NULL, "Missing space in SEARCH" },
	{ "no string", " FROM", NULL, "Missing an argument in SEARCH" },
	{ "no date", " SINCE yesterday", NULL, "Invalid date in SEARCH" },
	{ "no number", " LARGER x", NULL, "Invalid number in SEARCH" },
	{ "a set of zero", " 0", NULL, "Invalid message set in SEARCH" },
	{ "young for no time", " YOUNGER 0", NULL, "Invalid number of seconds in SEARCH" },
	{ "a key in quotes", " \"SEEN\"", NULL, "Missing search key in SEARCH" },
};

static bool
read_search(struct slice text, struct imap_search *s, struct imap_args *a)
{
	imap_args_init(a, arena, "SEARCH", text);
	return imap_search_read(a, s);
}

TEST(programs)
{
	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct search_case *c = &cases[i];
		struct buf out = BUF_INIT(1000);
		struct imap_args a;
		struct imap_search s;

		if (read_search(slice_of(c->in), &s, &a)) {
			add_search(&out, &s);
			test_check(c->want != NULL, "%s: got %s", c->name, buf_cstr(&out));
			test_eq_str(c->name, buf_cstr(&out), c->want);
		} else {
			test_check(c->want == NULL, "%s: %s", c->name, imap_args_bad(&a));
			test_eq_str(c->name, imap_args_bad(&a), c->bad);
		}
		buf_fini(&out);
	}
	arena_free(&arena);
}

TEST(programs_cut_anywhere)
{
	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 0; cut < n; cut++) {
			char *copy = malloc(cut + (cut == 0));
			struct imap_args a;
			struct imap_search s;

			memcpy(copy, cases[i].in, cut);
			if (!read_search(slice_make(copy, cut), &s, &a))
				assert_non_null(imap_args_bad(&a));
			free(copy);
		}
	}
	arena_free(&arena);
}

static void
repeat(struct buf *b, const char *what, unsigned n)
{
	while (n-- > 0)
		buf_add_str(b, what);
}

/* Parentheses and ORs on the left nest; NOT and ORs on the right do not. */
TEST(nesting_is_bounded)
{
	static const struct {
		const char *name, *front, *middle, *behind;
		unsigned n;
		bool ok;
	} rows[] = {
		{ "parentheses", "(", "SEEN", ")", IMAP_SEARCH_DEPTH_MAX - 1, true },
		{ "too many parentheses", "(", "SEEN", ")", IMAP_SEARCH_DEPTH_MAX, false },
		{ "very many parentheses", "(", "", "", 100000, false },
		{ "OR on the left", "OR ", "SEEN", " DRAFT", IMAP_SEARCH_DEPTH_MAX - 1, true },
		{ "too many OR on the left", "OR ", "SEEN", " DRAFT", IMAP_SEARCH_DEPTH_MAX,
		  false },
		{ "OR on the right", "OR SEEN ", "DRAFT", "", IMAP_SEARCH_NODES_MAX - 2, true },
		{ "too many keys", "OR SEEN ", "DRAFT", "", IMAP_SEARCH_NODES_MAX, false },
		{ "many NOT", "NOT ", "SEEN", "", 100000, true },
	};

	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = BUF_INIT(SIZE_MAX);
		struct imap_args a;
		struct imap_search s;

		buf_add_char(&text, ' ');
		repeat(&text, rows[i].front, rows[i].n);
		buf_add_str(&text, rows[i].middle);
		repeat(&text, rows[i].behind, rows[i].n);
		test_check(read_search(buf_slice(&text), &s, &a) == rows[i].ok, "%s: %s",
		           rows[i].name, imap_args_bad(&a));
		buf_fini(&text);
	}
	arena_free(&arena);
}
