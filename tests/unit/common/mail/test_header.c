#include "mail/header.h"

#include "lib/test.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/text.h"

/* ---- fields ---- */

static const struct {
	const char *name;
	struct slice in;
	const char *fields; /* name=value| of each */
	size_t length;
} headers[] = {
	{ "two fields", SLICE_INIT("A: b\r\nC: d\r\n\r\nE: f\r\n"), "A= b|C= d|", 14 },
	{ "bare LF", SLICE_INIT("A: b\nC: d\n\nE: f\n"), "A= b|C= d|", 11 },
	{ "a folded one", SLICE_INIT("A: b\r\n c\r\n\td\r\nE:f\r\n\r\n"), "A= b\r\n c\r\n\td|E=f|",
	  21 },
	{ "no blank line", SLICE_INIT("A: b\r\nC: d"), "A= b|C= d|", 10 },
	{ "only a blank line", SLICE_INIT("\r\nA: b\r\n"), "", 2 },
	{ "nothing", SLICE_INIT(""), "", 0 },
	{ "an empty value", SLICE_INIT("A:\r\nB: \r\n\r\n"), "A=|B= |", 11 },
	{ "blanks before the colon", SLICE_INIT("A \t: b\r\n\r\n"), "A= b|", 10 },
	{ "garbage is skipped", SLICE_INIT("From x y\r\n>z\r\nA: b\r\n\r\n"), "A= b|", 22 },
	{ "with what is folded behind it", SLICE_INIT("garbage\r\n C: d\r\nA: b\r\n\r\n"), "A= b|",
	  24 },
	{ "a folded line first", SLICE_INIT(" A: b\r\nC: d\r\n\r\n"), "C= d|", 15 },
	{ "a colon first", SLICE_INIT(": a\r\nC: d\r\n\r\n"), "C= d|", 13 },
	{ "a blank inside a name", SLICE_INIT("A B: c\r\nC: d\r\n\r\n"), "C= d|", 16 },
	{ "8-bit in a name", SLICE_INIT("\xc3\xa9: c\r\nC: d\r\n\r\n"), "C= d|", 15 },
	{ "a line of blanks is folded, not the end", SLICE_INIT("A: b\r\n \r\nC: d\r\n\r\n"),
	  "A= b\r\n |C= d|", 17 },
	{ "a bare CR is text", SLICE_INIT("A: b\rC: d\r\n\r\n"), "A= b\rC: d|", 13 },
	{ "a NUL is text", SLICE_INIT("A: b\0c\r\n\r\n"), NULL, 10 },
	{ "colons in a value", SLICE_INIT("A: b: c\r\n\r\n"), "A= b: c|", 11 },
};

TEST(fields_of_a_header)
{
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);
		struct header_iter it;
		struct header_field f;

		assert_int_equal(header_length(headers[i].in), headers[i].length);
		header_iter_init(&it, headers[i].in);
		while (header_next(&it, &f)) {
			buf_add_slice(&out, f.name);
			buf_add_char(&out, '=');
			buf_add_slice(&out, f.value);
			buf_add_char(&out, '|');
			test_check(slice_starts(f.raw, f.name), "%s", headers[i].name);
		}
		assert_false(it.cut);
		test_eq_slice(headers[i].name, buf_slice(&out),
		              headers[i].fields != NULL ? slice_of(headers[i].fields)
		                                        : SLICE("A= b\0c|"));
		buf_fini(&out);
	}
}

TEST(too_many_fields_are_cut_and_said_so)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct header_iter it;
	struct header_field f;
	size_t n = 0;

	for (int i = 0; i < HEADER_MAX_FIELDS; i++)
		buf_add_str(&b, "A:\n");
	header_iter_init(&it, buf_slice(&b));
	while (header_next(&it, &f))
		n++;
	assert_int_equal(n, HEADER_MAX_FIELDS);
	assert_false(it.cut);
	buf_add_str(&b, "A:\n");
	header_iter_init(&it, buf_slice(&b));
	while (header_next(&it, &f))
		;
	assert_true(it.cut);
	buf_fini(&b);
}

TEST(the_first_of_a_name_is_found)
{
	struct slice h = SLICE("B: 0\r\nsubject: 1\r\nSubject: 2\r\n\r\nC: 3\r\n");
	struct header_field f;

	assert_true(header_find(h, "Subject", &f));
	test_eq_slice("value", f.value, SLICE(" 1"));
	assert_false(header_find(h, "Subj", &f));
	assert_false(header_find(h, "C", &f));
}

TEST(selected_fields)
{
	struct slice h = SLICE("A: 1\nb: 2\n 3\nC: 4\r\ngarbage\r\nA: 5\r\n\r\n");
	struct slice names[] = { SLICE_INIT("a"), SLICE_INIT("B") };
	struct buf out = BUF_INIT(SIZE_MAX);

	header_select(h, names, 2, false, &out);
	test_eq_slice("these", buf_slice(&out), SLICE("A: 1\r\nb: 2\r\n 3\r\nA: 5\r\n\r\n"));
	buf_clear(&out);
	header_select(h, names, 2, true, &out);
	test_eq_slice("the others", buf_slice(&out), SLICE("C: 4\r\n\r\n"));
	buf_clear(&out);
	header_select(h, names, 0, false, &out);
	test_eq_slice("none", buf_slice(&out), SLICE("\r\n"));
	buf_fini(&out);
}

/* ---- encoded words ---- */

static const struct {
	const char *name, *in, *want;
} decoded[] = {
	{ "plain text", " a  b ", "a  b" },
	{ "a folded value", " a\r\n b\n\tc", "a b\tc" },
	{ "Q", "=?utf-8?q?a_=C3=A9=3f?=", "a \xc3\xa9?" },
	{ "B", "=?UTF-8?B?w6k=?=", "\xc3\xa9" },
	{ "B without padding", "=?UTF-8?B?w6k?=", "\xc3\xa9" },
	{ "Latin-1", "=?ISO-8859-1?Q?a=E9?=", "a\xc3\xa9" },
	{ "a language", "=?us-ascii*en?q?hi?=", "hi" },
	/* the examples of RFC 2047 section 8 */
	{ "(a)", "(=?ISO-8859-1?Q?a?=)", "(a)" },
	{ "(a b)", "(=?ISO-8859-1?Q?a?= b)", "(a b)" },
	{ "(ab)", "(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)" },
	{ "(ab) with two blanks", "(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)" },
	{ "(ab) folded", "(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)" },
	{ "(a b) by an underscore", "(=?ISO-8859-1?Q?a_b?=)", "(a b)" },
	{ "(a b) by one of two", "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)",
	  "(a=?ISO-8859-2?Q?_b?=)" },
	{ "a character cut in two", "=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\xc3\xa9" },
	{ "cut in two, Q and B", "=?utf-8?q?=C3?= =?UTF-8?b?qQ==?=", "\xc3\xa9" },
	{ "text between keeps its blanks", "=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c" },
	{ "two charsets are joined too", "=?utf-8?q?a?= =?iso-8859-1?q?=E9?=", "a\xc3\xa9" },
	{ "an unknown charset stays", "a =?x-none?q?b?= c", "a =?x-none?q?b?= c" },
	{ "two of them keep what is between",
	  "=?x-none?q?a?=  =?x-none?q?b?=", "=?x-none?q?a?=  =?x-none?q?b?=" },
	{ "an unknown encoding stays", "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "no charset", "=??q?a?=", "=??q?a?=" },
	{ "no end", "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "half an end", "=?utf-8?q?a?", "=?utf-8?q?a?" },
	{ "half a start", "=?utf-8?q", "=?utf-8?q" },
	{ "an empty word", "a =?utf-8?q?\?= b", "a  b" },
	{ "blanks inside, against the rules", "=?utf-8?q?a b?=", "a b" },
	{ "bad hex stays", "=?utf-8?q?=zz=4?=", "=zz=4" },
	{ "text right behind a word", "=?utf-8?q?a?=b", "ab" },
	{ "text right before a word", "a=?utf-8?q?b?=", "ab" },
	{ "raw UTF-8 stays", "\xc3\xa9 =?utf-8?q?=C3=A9?=", "\xc3\xa9 \xc3\xa9" },
	{ "raw Latin-1 is made UTF-8", "\xe9 a", "\xc3\xa9 a" },
	{ "a word of broken UTF-8 is Latin-1", "=?utf-8?q?=E9?=", "\xc3\xa9" },
	{ "nothing", "", "" },
};

TEST(encoded_words_are_decoded)
{
	for (size_t i = 0; i < ARRAY_LEN(decoded); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		header_decode(slice_of(decoded[i].in), NULL, NULL, &out);
		test_eq_slice(decoded[i].name, buf_slice(&out), slice_of(decoded[i].want));
		buf_fini(&out);
	}
}

TEST(whatever_is_decoded_is_utf8)
{
	static const char *const bits[] = { "=?",         "utf-8",  "?q?",  "?b?",  "?=", "=C3",
		                            "=A9",        " ",      "\xc3", "\xa9", "a",  "\r\n ",
		                            "iso-8859-1", "x-none", "w6k",  "=",    "?",  "_" };

	srand(6);
	for (int i = 0; i < 50000; i++) {
		struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

		for (int k = rand() % 24; k >= 0; k--)
			buf_add_str(&in, bits[(size_t)rand() % ARRAY_LEN(bits)]);
		header_decode(buf_slice(&in), NULL, NULL, &out);
		test_check(text_is_utf8(buf_slice(&out)), "%.*s", SLICE_ARG(buf_slice(&in)));
		buf_fini(&in);
		buf_fini(&out);
	}
}

/* Bytes of any kind cut into words of any size. */
TEST(text_in_random_words_comes_back)
{
	srand(7);
	for (int i = 0; i < 5000; i++) {
		struct buf text = BUF_INIT(SIZE_MAX), in = BUF_INIT(SIZE_MAX);
		struct buf out = BUF_INIT(SIZE_MAX);
		size_t n;

		for (int k = rand() % 40; k >= 0; k--)
			text_utf8_add(&text, rand() % 2 ? (uint32_t)(0x20 + rand() % 95)
			                                : (uint32_t)(0xa0 + rand() % 0xd000));
		for (struct slice rest = buf_slice(&text); rest.n > 0; rest = slice_skip(rest, n)) {
			n = 1 + (size_t)rand() % 9;
			n = MIN(n, rest.n);
			if (rand() % 2) {
				buf_add_str(&in, "=?utf-8?b?");
				text_base64_add(&in, slice_sub(rest, 0, n));
			} else {
				buf_add_str(&in, "=?UTF-8?Q?");
				for (size_t k = 0; k < n; k++)
					buf_printf(&in, "=%02x", (unsigned char)rest.p[k]);
			}
			buf_add_str(&in, rand() % 2 ? "?=\r\n " : "?= ");
		}
		header_decode(buf_slice(&in), NULL, NULL, &out);
		test_eq_slice(buf_cstr(&in), buf_slice(&out), buf_slice(&text));
		buf_fini(&text);
		buf_fini(&in);
		buf_fini(&out);
	}
}

/* ---- parameters ---- */

static const struct {
	const char *name;
	const char *in;
	const char *want; /* type/subtype;name=value... */
} params[] = {
	{ "a type", "text/plain", "text/plain" },
	{ "a type alone", "attachment", "attachment" },
	{ "nothing", "", "" },
	{ "no subtype behind the slash", "text/; a=b", ";a=b" },
	{ "capitals", "TEXT/Html; CharSet=UTF-8", "text/html;charset=UTF-8" },
	{ "blanks and comments", " text (a) / (b(c\\))) plain ;(d) a (e) = (f) b (g) ; c=d",
	  "text/plain;a=b;c=d" },
	{ "quotes", "a/b; c=\"d;e\\\"f\\\\\"; g=h", "a/b;c=d;e\"f\\;g=h" },
	{ "an empty value in quotes", "a/b; c=\"\"", "a/b;c=" },
	{ "an unfinished quote", "a/b; c=\"d; e", "a/b;c=d; e" },
	{ "a quote that ends in a backslash", "a/b; c=\"d\\", "a/b;c=d\\" },
	{ "a bare value with blanks", "a/b; name=my file.txt; c=d", "a/b;name=my file.txt;c=d" },
	{ "a folded bare value", "a/b; name=my\r\n file.txt", "a/b;name=my file.txt" },
	{ "a folded quoted value", "a/b; name=\"my\r\n file.txt\"", "a/b;name=my file.txt" },
	{ "a comment behind a bare value", "a/b; charset=us-ascii (Plain text)",
	  "a/b;charset=us-ascii" },
	{ "the first of equal names", "a/b; c=1; C=2", "a/b;c=1" },
	{ "a word that is no parameter", "a/b; c; d=e; =f; g=h", "a/b;d=e;g=h" },
	{ "semicolons without end", "a/b;;; c=d;;", "a/b;c=d" },
	{ "text behind quotes", "a/b; c=\"d\"e; f=g", "a/b;c=d;f=g" },
	/* RFC 2231 */
	{ "continued", "a/b; url*0=\"ftp://\"; url*1=\"x.y/z\"", "a/b;url=ftp://x.y/z" },
	{ "continued in disorder", "a/b; u*1=b; u*2=c; u*0=a", "a/b;u=abc" },
	{ "continued with a gap", "a/b; u*0=a; u*2=c", "a/b;u=a" },
	{ "continued without a start", "a/b; u*1=b", "a/b" },
	{ "eleven pieces",
	  "a/b; u*0=0; u*1=1; u*2=2; u*3=3; u*4=4; u*5=5; u*6=6; u*7=7; u*8=8; u*9=9; u*10=a",
	  "a/b;u=0123456789a" },
	{ "encoded", "a/b; title*=us-ascii'en-us'This%20is%20%2A%2a%2A",
	  "a/b;title=This is ***[us-ascii]" },
	{ "encoded without a charset", "a/b; t*=''a%20b", "a/b;t=a b[]" },
	{ "encoded without quotes", "a/b; t*=a%20b", "a/b;t=a b" },
	{ "the one of RFC 2231",
	  "a/b; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
	  "a/b;title=This is even more ***fun*** isn't it![us-ascii]" },
	{ "percent signs of plain pieces stay", "a/b; t*0*=utf-8''%41; t*1=%41; t*2*=%42",
	  "a/b;t=A%41B[utf-8]" },
	{ "a quote character in a later piece", "a/b; t*0*=utf-8''a; t*1*=b'c'd",
	  "a/b;t=ab'c'd[utf-8]" },
	{ "bad percent signs stay", "a/b; t*=utf-8''%zz%4", "a/b;t=%zz%4[utf-8]" },
	{ "encoded wins over plain", "a/b; f=plain; f*=utf-8''%c3%a9", "a/b;f=\xc3\xa9[utf-8]" },
	{ "continued wins over plain", "a/b; f=plain; f*0=b; f*1=c", "a/b;f=bc" },
};

TEST(parameters_of_structured_fields)
{
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		struct arena *a = arena_new("test");
		struct buf out = BUF_INIT(SIZE_MAX);
		struct header_params p;

		header_parse_params(a, slice_of(params[i].in), &p);
		buf_add_slice(&out, p.type);
		if (p.subtype.p != NULL) {
			buf_add_char(&out, '/');
			buf_add_slice(&out, p.subtype);
		}
		for (size_t k = 0; k < p.count; k++) {
			buf_printf(&out, ";%.*s=", SLICE_ARG(p.params[k].name));
			buf_add_slice(&out, p.params[k].value);
			if (p.params[k].charset.p != NULL)
				buf_printf(&out, "[%.*s]", SLICE_ARG(p.params[k].charset));
		}
		test_eq_slice(params[i].name, buf_slice(&out), slice_of(params[i].want));
		buf_fini(&out);
		arena_free(&a);
	}
}

TEST(parameters_are_asked_for_by_name)
{
	struct arena *a = arena_new("test");
	struct header_params p;

	header_parse_params(a, SLICE("a/b; C=\"\"; d=e"), &p);
	test_eq_slice("d", header_param_get(&p, "d"), SLICE("e"));
	assert_non_null(header_param_get(&p, "c").p);
	assert_null(header_param_get(&p, "e").p);
	arena_free(&a);
}

TEST(parameters_beyond_the_limit_are_left_out)
{
	struct arena *a = arena_new("test");
	struct buf b = BUF_INIT(SIZE_MAX);
	struct header_params p;

	buf_add_str(&b, "a/b");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "; p%d=v", i);
	header_parse_params(a, buf_slice(&b), &p);
	assert_int_equal(p.count, HEADER_MAX_PARAMS);
	assert_non_null(header_param_get(&p, "p99").p);
	buf_clear(&b);
	buf_add_str(&b, "a/b");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "; p*%d=v", i);
	header_parse_params(a, buf_slice(&b), &p);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.params[0].value.n, HEADER_MAX_PARAMS);
	buf_fini(&b);
	arena_free(&a);
}
