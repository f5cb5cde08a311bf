/* submitted: what is added and dropped, and whom a message says it is from. */
#include "rewrite/submitted.h"

#include "lib/test.h"
#include "mail/header.h"

#include <stdio.h>
#include <string.h>

#define DATE "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n"
#define ID "Message-ID: <abc.1790000000@fe1>\r\n"
#define FROM "From: <fred@example.org>\r\n"

static const struct header_case {
	const char *name, *in, *out;
} cases[] = {
	{ "all is missing", "Subject: x\r\n\r\n", DATE ID FROM "Subject: x\r\n\r\n" },
	{ "nothing is missing", "date: y\r\nMESSAGE-ID: <i>\r\nFrom: a@b\r\n\r\n",
	  "date: y\r\nMESSAGE-ID: <i>\r\nFrom: a@b\r\n\r\n" },
	{ "folded Bcc and its like are dropped",
	  "From: a@b\r\nBcc: x,\r\n y\r\nDate: y\r\nbCC : z\r\nResent-Bcc: u\r\n"
	  "Return-Path: <e>\r\nContent-Length: 5\r\nMessage-ID: <i>\r\nTo: t\r\n\r\n",
	  "From: a@b\r\nDate: y\r\nMessage-ID: <i>\r\nTo: t\r\n\r\n" },
	{ "only a Bcc", "Bcc: x\r\n\r\n", DATE ID FROM "\r\n" },
	{ "no blank line", "Subject: x\r\n", DATE ID FROM "Subject: x\r\n" },
	{ "a blank line alone", "\r\n", DATE ID FROM "\r\n" },
	{ "nothing at all", "", DATE ID FROM },
	{ "a message without a header", "Hello there,\r\nBcc: text\r\n\r\n",
	  DATE ID FROM "\r\nHello there,\r\nBcc: text\r\n\r\n" },
	{ "garbage between fields stays", "To: a\r\ngarbage\r\nBcc: b\r\nX: c\r\n\r\n",
	  DATE ID FROM "To: a\r\ngarbage\r\nX: c\r\n\r\n" },
};

TEST(headers)
{
	struct submitted s = { "fred@example.org", "fe1", "abc", 1790000000 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		submitted_add(&out, slice_of(cases[i].in), &s);
		test_eq_str(cases[i].name, buf_cstr(&out), cases[i].out);
		buf_fini(&out);
	}
}

TEST(empty_sender_makes_no_from)
{
	struct submitted s = { "", "fe1", "abc", 1790000000 };
	struct buf out = BUF_INIT(SIZE_MAX);

	submitted_add(&out, SLICE("\r\n"), &s);
	test_eq_str("header", buf_cstr(&out), DATE ID "\r\n");
	buf_fini(&out);
}

TEST(more_fields_than_are_looked_at)
{
	struct buf header = BUF_INIT(SIZE_MAX);

	for (int i = 0; i < HEADER_MAX_FIELDS; i++)
		buf_add_str(&header, "X: y\r\n");
	assert_true(submitted_is_readable(buf_slice(&header)));
	buf_add_str(&header, "Bcc: x\r\n\r\n");
	assert_false(submitted_is_readable(buf_slice(&header)));
	buf_fini(&header);
}

static const struct from_case {
	const char *name, *in;
	const char *want; /* NULL: refused */
} froms[] = {
	{ "none", "To: a@b\r\n\r\n", "" },
	{ "one", "From: Fred <fred@example.org>\r\n\r\n", "fred@example.org" },
	{ "a bare one", "From: fred@example.org\r\n\r\n", "fred@example.org" },
	{ "an address as name", "From: \"ceo@x.example\" <fred@example.org>\r\n\r\n",
	  "fred@example.org" },
	{ "two", "From: a@b, c <c@d>\r\n\r\n", "a@b c@d" },
	{ "two fields", "From: a@b\r\nX: y\r\nFROM: c@d\r\n\r\n", "a@b c@d" },
	{ "folded", "From:\r\n a@b\r\n\r\n", "a@b" },
	{ "a group", "From: us: a@b, c@d;\r\n\r\n", "a@b c@d" },
	{ "an empty group", "From: us:;\r\n\r\n", NULL },
	{ "an empty field", "From: \r\n\r\n", NULL },
	{ "no address", "From: fred\r\n\r\n", NULL },
	{ "no address behind a good one", "From: a@b\r\nFrom: fred\r\n\r\n", NULL },
	{ "another behind a good one", "From: <a@b> <c@d>\r\n\r\n", NULL },
	{ "another behind a good one, bare", "From: A <a@b> c@d\r\n\r\n", NULL },
	{ "a comment behind a good one", "From: A <a@b> (me)\r\n\r\n", "a@b" },
	{ "too many",
	  "From: a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,"
	  "a@b\r\n\r\n",
	  NULL },
};

TEST(from_fields)
{
	for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
		struct arena *a = arena_new("test");
		const char *list[SUBMITTED_FROM_MAX];
		char text[400] = "";
		int n = submitted_get_from(a, slice_of(froms[i].in), list);

		for (int k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			         k > 0 ? " " : "", list[k]);
		test_check((n == -1) == (froms[i].want == NULL), "%s: %d", froms[i].name, n);
		if (froms[i].want != NULL)
			test_eq_str(froms[i].name, text, froms[i].want);
		arena_free(&a);
	}
}
