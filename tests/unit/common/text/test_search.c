#include "text/search.h"

#include "lib/test.h"

static const char msg[] =
	"Received: by x\r\n"
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= aus\r\n K\xc3\xb6ln\r\n"
	"X-Empty:\r\n"
	"no field at all\r\n"
	"Content-Type: multipart/mixed; boundary=cut\r\n\r\n"
	"preamble\r\n"
	"--cut\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
	"Content-Transfer-Encoding: quoted-printable\r\n\r\nein sch=F6ner sa=\r\ntz\r\n"
	"--cut\r\nContent-Type: text/html; charset=koi8-r\r\n"
	"Content-Transfer-Encoding: base64\r\n\r\n7cnS\r\n"
	"--cut\r\nContent-Type: application/octet-stream; name=\"secret.bin\"\r\n\r\nbinary stuff\r\n"
	"--cut\r\nContent-Type: message/rfc822\r\n\r\n"
	"Subject: =?iso-8859-1?q?inn=E9r?=\r\n\r\ninside text\r\n"
	"--cut--\r\nepilogue\r\n";

static const struct {
	const char *name, *needle;
	bool header, body;
} rows[] = {
	{ "a decoded word", "GR\xc3\x9cSSE", true, false },
	{ "across a word and plain text",
	  "gr\xc3\xbc\xc3\x9f"
	  "e aus k\xc3\xb6ln",
	  true, false },
	{ "the raw word", "=C3=BC", true, false },
	{ "a name of a field", "received", true, false },
	{ "a name and a value", "Received: BY", true, false },
	{ "quoted-printable across a soft break", "SCH\xc3\x96NER SATZ", false, true },
	{ "base64 of another charset", "\xd0\xbc\xd0\xb8\xd1\x80", false, true },
	{ "the raw base64", "7cnS", false, false },
	{ "what is no text", "binary stuff", false, false },
	{ "text of a message inside", "inside TEXT", false, true },
	{ "a header of a message inside", "inn\xc3\xa9r", false, true },
	{ "the preamble", "preamble", false, false },
	{ "the epilogue", "epilogue", false, false },
	{ "what is nowhere", "nowhere", false, false },
	{ "nothing", "", true, true },
};

TEST(header_body_and_text)
{
	struct slice m = slice_of(msg);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fold_needle *n = fold_needle_new(slice_of(rows[i].needle));

		test_check(search_header(m, n) == rows[i].header, "header: %s", rows[i].name);
		test_check(search_body(m, n) == rows[i].body, "body: %s", rows[i].name);
		test_check(search_text(m, n) == (rows[i].header || rows[i].body), "text: %s",
		           rows[i].name);
		fold_needle_free(&n);
	}
}

TEST(text_finds_lines_that_are_no_fields)
{
	struct fold_needle *n = fold_needle_new(SLICE("no field at all"));

	assert_true(search_text(slice_of(msg), n));
	assert_false(search_header(slice_of(msg), n));
	fold_needle_free(&n);
}

static const struct {
	const char *name, *field, *needle;
	bool want;
} fields[] = {
	{ "a value", "SUBJECT", "aus", true },
	{ "another field's value", "Received", "aus", false },
	{ "its name is no value", "Received", "received", false },
	{ "any value", "X-Empty", "", true },
	{ "no such field", "X-None", "", false },
	{ "an empty value has nothing", "X-Empty", "a", false },
	{ "a field inside", "Subject", "inn\xc3\xa9r", false },
};

TEST(fields_by_name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct fold_needle *n = fold_needle_new(slice_of(fields[i].needle));

		test_check(search_field(slice_of(msg), slice_of(fields[i].field), n) ==
		                   fields[i].want,
		           "%s", fields[i].name);
		fold_needle_free(&n);
	}
}

TEST(addresses_without_their_comments)
{
	const char *header = "From: <fred (work)@ (the firm) example.org>\r\n"
			     "To: friends: a@example.org, \"b c\"@example.org;\r\n"
			     "Subject: <eve (work)@ example.org>\r\n";
	static const struct {
		const char *field, *needle;
		bool want;
	} looks[] = {
		{ "From", "fred@example.org", true }, { "from", "FRED@", true },
		{ "From", "the firm", true },         { "From", "a@example.org", false },
		{ "To", "b c@example.org", true },    { "Subject", "eve@example.org", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		struct fold_needle *n = fold_needle_new(slice_of(looks[i].needle));

		test_check(search_field(slice_of(header), slice_of(looks[i].field), n) ==
		                   looks[i].want,
		           "%s %s", looks[i].field, looks[i].needle);
		fold_needle_free(&n);
	}
}

TEST(an_empty_message)
{
	struct fold_needle *n = fold_needle_new(SLICE("a"));

	assert_false(search_text(SLICE(""), n));
	assert_false(search_body(SLICE(""), n));
	assert_false(search_header(SLICE(""), n));
	fold_needle_free(&n);
}
