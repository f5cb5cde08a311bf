#include "lib/test.h"
#include "proto/imap_fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct arena *arena;

/* "items|label peek|..." */
static void
add_fetch(struct buf *out, const struct imap_fetch *f)
{
	buf_printf(out, "%x", f->items);
	if (f->changed_since)
		buf_printf(out, " since %" PRIu64 "%s", f->since, f->vanished ? " vanished" : "");
	for (size_t i = 0; i < f->section_count; i++) {
		const struct imap_fetch_section *s = &f->sections[i];

		buf_add_str(out, "|");
		buf_add_slice(out, s->label);
		buf_printf(out, "%s%s%s", s->peek ? " peek" : "", s->fields ? " fields" : "",
		           s->fields_not ? " not" : "");
		if (s->partial)
			buf_printf(out, " %" PRIu64 "+%" PRIu64, s->from, s->n);
	}
}

static const struct fetch_case {
	const char *name, *in, *want; /* want NULL: an error, whose text is bad */
	const char *bad;
} cases[] = {
	{ "one item", " 1 FLAGS", "2", NULL },
	{ "any case", " 1 flags", "2", NULL },
	{ "a list", " 1 (UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ)", "1f", NULL },
	{ "texts", " 1 (ENVELOPE BODY BODYSTRUCTURE)", "e0", NULL },
	{ "FAST", " 1 FAST", "e", NULL },
	{ "ALL", " 1 all", "2e", NULL },
	{ "FULL", " 1 FULL", "6e", NULL },
	{ "the whole message", " 1 BODY[]", "0|BODY[]", NULL },
	{ "peeking", " 1 (body.peek[])", "0|BODY[] peek", NULL },
	{ "old names", " 1 (RFC822 RFC822.HEADER RFC822.TEXT)",
	  "0|RFC822|RFC822.HEADER peek|RFC822.TEXT", NULL },
	{ "a section", " 1 BODY[1.2.mime]", "0|BODY[1.2.MIME]", NULL },
	{ "TEXT", " 1 BODY[TEXT]", "0|BODY[TEXT]", NULL },
	{ "a partial", " 1 BODY[]<0.2048>", "0|BODY[]<0> 0+2048", NULL },
	{ "a partial of a section", " 1 (BODY.PEEK[1]<10.1> UID)", "1|BODY[1]<10> peek 10+1",
	  NULL },
	{ "a partial of 64 bits", " 1 BODY[]<4294967296.9223372036854775807>",
	  "0|BODY[]<4294967296> 4294967296+9223372036854775807", NULL },
	{ "fields", " 1 BODY.PEEK[HEADER.FIELDS (From \"to\")]",
	  "0|BODY[HEADER.FIELDS (From to)] peek fields", NULL },
	{ "other fields", " 1 BODY[2.HEADER.FIELDS.NOT (X)]<0.5>",
	  "0|BODY[2.HEADER.FIELDS.NOT (X)]<0> fields not 0+5", NULL },
	{ "a field name in a literal", " 1 BODY[HEADER.FIELDS ({4+}\r\nFrom)]",
	  "0|BODY[HEADER.FIELDS (From)] fields", NULL },
	{ "a field name that needs quotes", " 1 BODY[HEADER.FIELDS (\"a b\" \"\")]",
	  "0|BODY[HEADER.FIELDS (\"a b\" \"\")] fields", NULL },
	{ "changed since", " 1:* (FLAGS) (CHANGEDSINCE 12345)", "2 since 12345", NULL },
	{ "changed since and vanished", " 1:* FLAGS (CHANGEDSINCE 0 VANISHED)",
	  "2 since 0 vanished", NULL },
	{ "a blank behind", " 1 FLAGS ", "2", NULL },
	{ "nothing", "", NULL, "Missing an argument in FETCH" },
	{ "no items", " 1", NULL, "Missing an argument in FETCH" },
	{ "an empty list", " 1 ()", NULL, "Missing item in FETCH" },
	{ "two items without a list", " 1 FLAGS UID", NULL, "Unexpected extra arguments to FETCH" },
	{ "a macro in a list", " 1 (ALL)", NULL, "Unknown item in FETCH" },
	{ "an unknown item", " 1 FOO", NULL, "Unknown item in FETCH" },
	{ "an item in quotes", " 1 \"FLAGS\"", NULL, "Missing item in FETCH" },
	{ "an item with more behind", " 1 FLAGS[]", NULL, "Unexpected extra arguments to FETCH" },
	{ "a list without end", " 1 (FLAGS", NULL, "Missing ) in FETCH" },
	{ "a list in a list", " 1 ((FLAGS))", NULL, "Missing item in FETCH" },
	{ "no set", " FLAGS", NULL, "Invalid message set in FETCH" },
	{ "an unknown section", " 1 BODY[FOO]", NULL, "Invalid section in FETCH" },
	{ "part zero", " 1 BODY[0]", NULL, "Invalid section in FETCH" },
	{ "a dot at the end", " 1 BODY[1.]", NULL, "Invalid section in FETCH" },
	{ "MIME of the message", " 1 BODY[MIME]", NULL, "Invalid section in FETCH" },
	{ "fields of a text", " 1 BODY[TEXT.FIELDS (A)]", NULL, "Invalid section in FETCH" },
	{ "NOT without fields", " 1 BODY[HEADER.NOT (A)]", NULL, "Invalid section in FETCH" },
	{ "fields alone", " 1 BODY[.FIELDS (A)]", NULL, "Invalid section in FETCH" },
	{ "no field names", " 1 BODY[HEADER.FIELDS]", NULL, "Missing space in FETCH" },
	{ "no field names in the list", " 1 BODY[HEADER.FIELDS ()]", NULL,
	  "Missing header names in FETCH" },
	{ "names where none belong", " 1 BODY[HEADER (A)]", NULL, "Missing ] in FETCH" },
	{ "a section without end", " 1 BODY[HEADER", NULL, "Missing ] in FETCH" },
	{ "a partial of nothing", " 1 BODY[]<0.0>", NULL, "Invalid partial range in FETCH" },
	{ "a partial without length", " 1 BODY[]<0>", NULL, "Invalid partial range in FETCH" },
	{ "a partial without end", " 1 BODY[]<0.1", NULL, "Invalid partial range in FETCH" },
	{ "an empty partial", " 1 BODY[]<>", NULL, "Invalid partial range in FETCH" },
	{ "a partial with a sign", " 1 BODY[]<-1.5>", NULL, "Invalid partial range in FETCH" },
	{ "a partial of an item", " 1 FLAGS<0.1>", NULL, "Unexpected extra arguments to FETCH" },
	{ "an unknown modifier", " 1 FLAGS (FOO)", NULL, "Unknown modifier in FETCH" },
	{ "VANISHED alone", " 1 FLAGS (VANISHED)", NULL, "VANISHED without CHANGEDSINCE in FETCH" },
	{ "CHANGEDSINCE without number", " 1 FLAGS (CHANGEDSINCE)", NULL,
	  "Missing space in FETCH" },
};

static bool
read_fetch(struct slice text, struct imap_fetch *f, struct imap_args *a)
{
	imap_args_init(a, arena, "FETCH", text);
	return imap_fetch_read(a, f);
}

TEST(fetches)
{
	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct fetch_case *c = &cases[i];
		struct buf out = BUF_INIT(1000);
		struct imap_args a;
		struct imap_fetch f;

		if (read_fetch(slice_of(c->in), &f, &a)) {
			add_fetch(&out, &f);
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

/* Every text cut at every byte, in exactly its bytes: nothing behind it is read. */
TEST(fetches_cut_anywhere)
{
	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 0; cut < n; cut++) {
			char *copy = malloc(cut + (cut == 0));
			struct imap_args a;
			struct imap_fetch f;

			memcpy(copy, cases[i].in, cut);
			if (!read_fetch(slice_make(copy, cut), &f, &a))
				assert_non_null(imap_args_bad(&a));
			free(copy);
		}
	}
	arena_free(&arena);
}

TEST(sections_and_names_are_bounded)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct imap_args a;
	struct imap_fetch f;

	arena = arena_new("test");
	buf_add_str(&text, " 1 (UID");
	for (int i = 0; i < IMAP_FETCH_SECTIONS_MAX; i++)
		buf_add_str(&text, " BODY[]");
	buf_add_str(&text, ")");
	assert_true(read_fetch(buf_slice(&text), &f, &a));
	buf_truncate(&text, text.len - 1);
	buf_add_str(&text, " RFC822)");
	assert_false(read_fetch(buf_slice(&text), &f, &a));
	assert_string_equal(imap_args_bad(&a), "Too many sections in FETCH");

	buf_clear(&text);
	buf_add_str(&text, " 1 BODY[HEADER.FIELDS (a");
	for (int i = 1; i < IMAP_FETCH_FIELDS_MAX; i++)
		buf_add_str(&text, " a");
	buf_add_str(&text, ")]");
	assert_true(read_fetch(buf_slice(&text), &f, &a));
	buf_truncate(&text, text.len - 2);
	buf_add_str(&text, " a)]");
	assert_false(read_fetch(buf_slice(&text), &f, &a));
	assert_string_equal(imap_args_bad(&a), "Too many header names in FETCH");
	buf_fini(&text);
	arena_free(&arena);
}

TEST(only_what_does_not_peek_sees)
{
	static const struct {
		const char *in;
		bool sees;
	} rows[] = {
		{ " 1 (FLAGS BODY ENVELOPE)", false },
		{ " 1 BODY.PEEK[]", false },
		{ " 1 BODY[]", true },
		{ " 1 RFC822.HEADER", false },
		{ " 1 RFC822", true },
		{ " 1 RFC822.TEXT", true },
		{ " 1 (BODY.PEEK[1] BODY[2])", true },
	};

	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_args a;
		struct imap_fetch f;

		assert_true(read_fetch(slice_of(rows[i].in), &f, &a));
		test_check(imap_fetch_sees(&f) == rows[i].sees, "%s", rows[i].in);
	}
	arena_free(&arena);
}
