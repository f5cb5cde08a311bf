#include "mail/structure.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/summary.h"

/* ---- strings ---- */

static const struct {
	const char *name;
	struct slice in, want;
} strings[] = {
	{ "absent", { NULL, 0 }, SLICE_INIT("NIL") },
	{ "empty", SLICE_INIT(""), SLICE_INIT("\"\"") },
	{ "plain", SLICE_INIT("a b"), SLICE_INIT("\"a b\"") },
	{ "the word NIL", SLICE_INIT("NIL"), SLICE_INIT("\"NIL\"") },
	{ "quotes and backslashes", SLICE_INIT("a\"b\\c"), SLICE_INIT("\"a\\\"b\\\\c\"") },
	{ "8-bit", SLICE_INIT("\xc3\xa9"), SLICE_INIT("{2}\r\n\xc3\xa9") },
	{ "a line end", SLICE_INIT("a\r\nb"), SLICE_INIT("{4}\r\na\r\nb") },
	{ "a NUL is dropped", SLICE_INIT("a\0b"), SLICE_INIT("{2}\r\nab") },
	{ "only a NUL", SLICE_INIT("\0"), SLICE_INIT("{0}\r\n") },
};

TEST(imap_strings)
{
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		summary_add_nstring(&out, strings[i].in);
		test_eq_slice(strings[i].name, buf_slice(&out), strings[i].want);
		buf_fini(&out);
	}
}

/* ---- ENVELOPE ---- */

#define NO_ADDRESSES "NIL NIL NIL NIL NIL NIL"

static const struct {
	const char *name, *header, *want;
} envelopes[] = {
	{ "nothing", "\r\n", "(NIL NIL " NO_ADDRESSES " NIL NIL)" },
	/* RFC 3501 section 8 */
	{ "the one of RFC 3501",
	  "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
	  "From: Terry Gray <gray@cac.washington.edu>\r\n"
	  "Subject: IMAP4rev1 WG mtg summary and minutes\r\n"
	  "To: imap@cac.washington.edu\r\n"
	  "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
	  "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
	  "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" "
	  "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	  "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	  "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
	  "((NIL NIL \"imap\" \"cac.washington.edu\")) "
	  "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
	  "NIL NIL \"<B27397-0100000@cac.washington.edu>\")" },
	{ "all its own",
	  "From: a@x\r\nSender: b@x\r\nReply-To: c@x\r\nTo: d@x\r\nCc: e@x\r\nBcc: f@x\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n",
	  "(NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"b\" \"x\")) ((NIL NIL \"c\" \"x\")) "
	  "((NIL NIL \"d\" \"x\")) ((NIL NIL \"e\" \"x\")) ((NIL NIL \"f\" \"x\")) \"<1@x>\" \"<2@x>\")" },
	{ "an empty sender is From", "From: a@x\r\nSender:\r\nReply-To: ,\r\n\r\n",
	  "(NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL NIL)" },
	{ "an empty subject is there", "Subject:\r\n\r\n", "(NIL \"\" " NO_ADDRESSES " NIL NIL)" },
	{ "a folded subject, its tab as a literal", "Subject: a\r\n b\r\n\tc\r\n\r\n",
	  "(NIL {5}\r\na b\tc " NO_ADDRESSES " NIL NIL)" },
	{ "encoded words stay encoded", "Subject: =?utf-8?q?=C3=A9?=\r\n\r\n",
	  "(NIL \"=?utf-8?q?=C3=A9?=\" " NO_ADDRESSES " NIL NIL)" },
	{ "quotes", "Subject: a \"b\" \\c\r\n\r\n",
	  "(NIL \"a \\\"b\\\" \\\\c\" " NO_ADDRESSES " NIL NIL)" },
	{ "8-bit goes as a literal", "Subject: \xc3\xa9\r\n\r\n",
	  "(NIL {2}\r\n\xc3\xa9 " NO_ADDRESSES " NIL NIL)" },
	{ "the first of two", "Subject: a\r\nSubject: b\r\n\r\n",
	  "(NIL \"a\" " NO_ADDRESSES " NIL NIL)" },
	{ "fields of the body are none", "A: b\r\n\r\nSubject: a\r\n",
	  "(NIL NIL " NO_ADDRESSES " NIL NIL)" },
	{ "a group", "To: friends: a@x, B <b@y>;\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" \"x\")(\"B\" NIL \"b\" \"y\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ "an empty group", "To: undisclosed-recipients:;\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ "a route", "To: <@a,@b:c@d>\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((NIL \"@a,@b\" \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ "a name in a comment", "To: c@d (Carl (the first))\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((\"Carl (the first)\" NIL \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ "a quoted name", "To: \"C, \\\"D\\\"\" <c@d>\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((\"C, \\\"D\\\"\" NIL \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ "no domain is not a group", "To: fred\r\n\r\n",
	  "(NIL NIL NIL NIL NIL ((NIL NIL \"fred\" \"\")) NIL NIL NIL NIL)" },
};

TEST(envelopes_to_the_byte)
{
	for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
		struct arena *a = arena_new("test");
		struct buf out = BUF_INIT(SIZE_MAX);

		structure_add_envelope(a, slice_of(envelopes[i].header), &out);
		test_eq_slice(envelopes[i].name, buf_slice(&out), slice_of(envelopes[i].want));
		buf_fini(&out);
		arena_free(&a);
	}
}

/* ---- BODY and BODYSTRUCTURE ---- */

#define PLAIN "\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\""
#define MIXED "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
#define EMPTY_ENVELOPE "(NIL NIL " NO_ADDRESSES " NIL NIL)"

static const struct {
	const char *name, *msg, *body, *structure;
} bodies[] = {
	{ "a plain message", "Subject: a\r\n\r\nhi\r\nho\r\n", "(" PLAIN " 8 2)",
	  "(" PLAIN " 8 2 NIL NIL NIL NIL)" },
	{ "nothing", "", "(" PLAIN " 0 0)", "(" PLAIN " 0 0 NIL NIL NIL NIL)" },
	{ "a charset",
	  "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\na",
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" 1 1)",
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" 1 1 NIL NIL NIL NIL)" },
	{ "html without parameters", "Content-Type: text/html\r\n\r\na",
	  "(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 1 1)",
	  "(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 1 1 NIL NIL NIL NIL)" },
	{ "no text has no lines",
	  "Content-Type: image/png; name=\"a \\\"b\\\".png\"\r\nContent-ID: <1@x>\r\nContent-Description: a\r\n picture\r\n"
	  "Content-Transfer-Encoding: base64\r\nContent-MD5: Q2hlY2s=\r\nContent-Disposition: attachment; filename=a.png; size=3\r\n"
	  "Content-Language: en, de\r\nContent-Location: http://x/a.png\r\n\r\nQQ==",
	  "(\"IMAGE\" \"PNG\" (\"NAME\" \"a \\\"b\\\".png\") \"<1@x>\" \"a picture\" \"BASE64\" 4)",
	  "(\"IMAGE\" \"PNG\" (\"NAME\" \"a \\\"b\\\".png\") \"<1@x>\" \"a picture\" \"BASE64\" 4 \"Q2hlY2s=\" "
	  "(\"ATTACHMENT\" (\"FILENAME\" \"a.png\" \"SIZE\" \"3\")) (\"en\" \"de\") \"http://x/a.png\")" },
	{ "an unknown encoding", "Content-Transfer-Encoding: x-y; z\r\n\r\na",
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"X-Y\" 1 1)",
	  "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"X-Y\" 1 1 NIL NIL NIL NIL)" },
	{ "a disposition without parameters", "Content-Disposition: inline\r\n\r\na",
	  "(" PLAIN " 1 1)", "(" PLAIN " 1 1 NIL (\"INLINE\" NIL) NIL NIL)" },
	{ "two parts",
	  "Content-Type: multipart/mixed; boundary=x\r\nContent-Disposition: inline\r\nContent-Language: en\r\n\r\n--x\r\n\r\na\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>\r\n\r\n--x--\r\n",
	  "((" PLAIN " 1 1)(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 5 1) \"MIXED\")",
	  "((" PLAIN
	  " 1 1 NIL NIL NIL NIL)(\"TEXT\" \"HTML\" NIL NIL NIL \"7BIT\" 5 1 NIL NIL NIL NIL) "
	  "\"MIXED\" (\"BOUNDARY\" \"x\") (\"INLINE\" NIL) (\"en\") NIL)" },
	{ "a multipart of nothing", MIXED, "((" PLAIN " 0 0) \"MIXED\")",
	  "((" PLAIN " 0 0 NIL NIL NIL NIL) \"MIXED\" (\"BOUNDARY\" \"x\") NIL NIL NIL)" },
	{ "nested",
	  MIXED
	  "--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n--y\r\n\r\na\r\n--y--\r\n--x\r\n\r\nbc\r\n--x--\r\n",
	  "(((" PLAIN " 1 1) \"ALTERNATIVE\")(" PLAIN " 2 1) \"MIXED\")",
	  "(((" PLAIN
	  " 1 1 NIL NIL NIL NIL) \"ALTERNATIVE\" (\"BOUNDARY\" \"y\") NIL NIL NIL)(" PLAIN
	  " 2 1 NIL NIL NIL NIL) "
	  "\"MIXED\" (\"BOUNDARY\" \"x\") NIL NIL NIL)" },
	{ "a message inside", "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n",
	  "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 19 (NIL \"in\" " NO_ADDRESSES
	  " NIL NIL) (" PLAIN " 4 1) 3)",
	  "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 19 (NIL \"in\" " NO_ADDRESSES
	  " NIL NIL) (" PLAIN " 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)" },
	{ "a message of a digest",
	  "Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nA: b\r\n\r\nhi\r\n--x--\r\n",
	  "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 10 " EMPTY_ENVELOPE " (" PLAIN
	  " 2 1) 3) \"DIGEST\")",
	  "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 10 " EMPTY_ENVELOPE " (" PLAIN
	  " 2 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) "
	  "\"DIGEST\" (\"BOUNDARY\" \"x\") NIL NIL NIL)" },
	{ "an 8-bit parameter", "Content-Type: text/plain; name=\"\xc3\xa9\"\r\n\r\n",
	  "(\"TEXT\" \"PLAIN\" (\"NAME\" {2}\r\n\xc3\xa9) NIL NIL \"7BIT\" 0 0)",
	  "(\"TEXT\" \"PLAIN\" (\"NAME\" {2}\r\n\xc3\xa9) NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL)" },
	{ "a continued parameter is joined",
	  "Content-Type: text/plain; name*0*=utf-8''a%20; name*1=b\r\n\r\n",
	  "(\"TEXT\" \"PLAIN\" (\"NAME\" \"a b\") NIL NIL \"7BIT\" 0 0)",
	  "(\"TEXT\" \"PLAIN\" (\"NAME\" \"a b\") NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL)" },
};

TEST(bodies_to_the_byte)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct arena *a = arena_new("test");
		struct buf out = BUF_INIT(SIZE_MAX);
		struct mime m;

		mime_scan(a, slice_of(bodies[i].msg), NULL, &m);
		structure_add_body(a, &m, false, &out);
		test_eq_slice(bodies[i].name, buf_slice(&out), slice_of(bodies[i].body));
		buf_clear(&out);
		structure_add_body(a, &m, true, &out);
		test_eq_slice(bodies[i].name, buf_slice(&out), slice_of(bodies[i].structure));
		buf_fini(&out);
		arena_free(&a);
	}
}

/* ---- limits ---- */

/* One parenthesised list, read as a client reads it: strings, literals, NIL, numbers. */
static bool
is_one_list(struct slice s)
{
	unsigned depth = 0;

	while (s.n > 0) {
		size_t n = 1;

		if (s.p[0] == '(') {
			depth++;
		} else if (s.p[0] == ')') {
			if (depth == 0 || (--depth == 0 && s.n > 1))
				return false;
		} else if (s.p[0] == '"') {
			while (n < s.n && s.p[n] != '"')
				n += s.p[n] == '\\' ? 2 : 1;
			if (n++ >= s.n)
				return false;
		} else if (s.p[0] == '{') {
			size_t size = strtoul(s.p + 1, NULL, 10);

			n = slice_find(s, '\n') + 1 + size;
			if (n > s.n)
				return false;
		} else if (strchr("NIL 0123456789", s.p[0]) == NULL) {
			return false;
		}
		s = slice_skip(s, n);
	}
	return depth == 0;
}

static void
add_many(struct buf *b, const char *text, int n)
{
	for (int i = 0; i < n; i++)
		buf_add_str(b, text);
}

static const struct {
	const char *name, *head, *more;
	int times;
} large[] = {
	{ "a long subject", "Subject: ", "abcdefghi ", 100000 },
	{ "a long subject beyond ASCII", "Subject: ", "\xc3\xa9", 100000 },
	{ "a long subject of quotes", "Subject: ", "\"\\", 100000 },
	{ "many addresses", "From: a@b\r\nTo: ", "somebody <some@where.org>, ", 20000 },
	{ "many groups", "To: ", "a: b@c, d;", 20000 },
	{ "an open group", "To: a: ", "b@c, ", 20000 },
	{ "many parameters", "Content-Type: text/plain", "; abcdefg=\"\\\"\xc3\xa9\"", 20000 },
	{ "many parts", MIXED, "--x\r\n\r\na\r\n", 20000 },
	{ "many messages", MIXED,
	  "--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nb\r\n", 3000 },
	{ "many parts with long parameters", MIXED,
	  "--x\r\nContent-Type: image/png; name=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
	  300 },
};

TEST(what_is_too_large_is_told_in_a_smaller_form)
{
	static const size_t rooms[] = { STRUCTURE_MIN_BYTES, 5000, 64 * 1024 };

	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		for (size_t k = 0; k < 3 * ARRAY_LEN(rooms); k++) {
			size_t room = rooms[k / 3];
			struct arena *a = arena_new("test");
			struct buf msg = BUF_INIT(SIZE_MAX), out = BUF_INIT(room + 1);
			struct mime m;

			buf_add_str(&msg, large[i].head);
			add_many(&msg, large[i].more, large[i].times);
			mime_scan(a, buf_slice(&msg), NULL, &m);
			buf_add_char(&out, 'x');
			if (k % 3 == 0)
				structure_add_envelope(a, mime_header(&m, &m.parts[0]), &out);
			else
				structure_add_body(a, &m, k % 3 == 1, &out);
			test_check(!out.overflow, "%s", large[i].name);
			test_check(buf_slice(&out).p[0] == 'x' &&
			                   is_one_list(slice_skip(buf_slice(&out), 1)),
			           "%s: %.*s", large[i].name, SLICE_ARG(buf_slice(&out)));
			buf_fini(&out);
			buf_fini(&msg);
			arena_free(&a);
		}
}

TEST(a_structure_that_never_fits_is_one_opaque_part)
{
	struct arena *a = arena_new("test");
	struct buf msg = BUF_INIT(SIZE_MAX), out = BUF_INIT(STRUCTURE_MIN_BYTES);
	struct buf want = BUF_INIT(SIZE_MAX);
	struct mime m;

	buf_add_str(&msg, MIXED);
	add_many(&msg, "--x\r\n\r\na\r\n", 1000);
	mime_scan(a, buf_slice(&msg), NULL, &m);
	structure_add_body(a, &m, true, &out);
	buf_printf(&want,
	           "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"8BIT\" %zu NIL NIL NIL NIL)",
	           msg.len - strlen(MIXED));
	test_eq_slice("opaque", buf_slice(&out), buf_slice(&want));
	buf_fini(&want);
	buf_fini(&out);
	buf_fini(&msg);
	arena_free(&a);
}

/* ---- summaries ---- */

static void
check_same(const struct summary *a, const struct summary *b)
{
	assert_true(a->size == b->size && a->header_bytes == b->header_bytes);
	assert_true(a->has_date == b->has_date && a->fields_cut == b->fields_cut);
	assert_true(a->date.utc_s == b->date.utc_s && a->date.zone_min == b->date.zone_min);
	test_eq_slice("envelope", a->envelope, b->envelope);
	test_eq_slice("body", a->body, b->body);
	test_eq_slice("bodystructure", a->bodystructure, b->bodystructure);
	test_eq_slice("fields", a->fields, b->fields);
}

TEST(a_summary_keeps_what_lists_show)
{
	static const char msg[] =
		"Received: x\r\nDate: Tue, 24 Nov 2026 08:45:00 -0130\nFrom: a@b\r\n"
		"X-Other: y\r\nSubject: a\r\n b\r\n\r\nhi\r\n";
	struct arena *a = arena_new("test");
	struct buf bytes = BUF_INIT(SUMMARY_MAX);
	struct summary s, again;

	summary_make(a, slice_of(msg), &s);
	assert_int_equal(s.size, strlen(msg));
	assert_int_equal(s.header_bytes, strlen(msg) - 4);
	assert_true(s.has_date);
	assert_int_equal(s.date.zone_min, -90);
	test_eq_slice("fields", s.fields,
	              SLICE("Date: Tue, 24 Nov 2026 08:45:00 -0130\r\nFrom: a@b\r\n"
	                    "Subject: a\r\n b\r\n"));
	test_eq_slice("body", s.body, SLICE("(" PLAIN " 4 1)"));
	assert_true(summary_keeps(&s, SLICE("SUBJECT")));
	assert_true(summary_keeps(&s, SLICE("Cc")));
	assert_false(summary_keeps(&s, SLICE("X-Other")));
	summary_encode(&s, &bytes);
	assert_true(summary_decode(buf_slice(&bytes), &again));
	check_same(&s, &again);
	buf_fini(&bytes);
	arena_free(&a);
}

TEST(a_damaged_summary_is_refused)
{
	struct arena *a = arena_new("test");
	struct buf bytes = BUF_INIT(SUMMARY_MAX);
	struct summary s;

	summary_make(a, SLICE("Subject: a\r\n\r\nhi\r\n"), &s);
	summary_encode(&s, &bytes);
	for (size_t n = 0; n < bytes.len; n++)
		assert_false(summary_decode(slice_sub(buf_slice(&bytes), 0, n), &s));
	buf_add_char(&bytes, 'x');
	assert_false(summary_decode(buf_slice(&bytes), &s));
	buf_truncate(&bytes, bytes.len - 1);
	assert_true(summary_decode(buf_slice(&bytes), &s));
	bytes.data[bytes.start]++;
	assert_false(summary_decode(buf_slice(&bytes), &s));
	buf_fini(&bytes);
	arena_free(&a);
}

TEST(a_summary_of_the_largest_messages_has_its_limit)
{
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		struct arena *a = arena_new("test");
		struct buf msg = BUF_INIT(SIZE_MAX), bytes = BUF_INIT(SUMMARY_MAX);
		struct summary s, again;

		buf_add_str(&msg, large[i].head);
		add_many(&msg, large[i].more, large[i].times);
		summary_make(a, buf_slice(&msg), &s);
		test_check(is_one_list(s.envelope) && is_one_list(s.body) &&
		                   is_one_list(s.bodystructure),
		           "%s", large[i].name);
		summary_encode(&s, &bytes);
		test_check(!bytes.overflow, "%s", large[i].name);
		test_check(summary_decode(buf_slice(&bytes), &again), "%s", large[i].name);
		check_same(&s, &again);
		test_check(summary_keeps(&s, SLICE("Subject")) == !s.fields_cut, "%s",
		           large[i].name);
		buf_fini(&bytes);
		buf_fini(&msg);
		arena_free(&a);
	}
}
