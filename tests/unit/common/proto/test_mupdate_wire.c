#include "proto/mupdate_wire.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

/*
 * What a lexer made of some bytes, as text: words of a line as a|tom s|tring with spaces
 * between and ";" behind; G for go ahead; B(why) with the words before; F(why).
 */
static void
take(struct mupdate_lexer *lx, struct slice in, struct buf *got, bool *fatal)
{
	while (in.n > 0 && !*fatal) {
		enum mupdate_lex result;
		size_t used = mupdate_lexer_feed(lx, in, &result);

		must(used > 0);
		in = slice_skip(in, used);
		if (result == MUPDATE_LEX_MORE)
			continue;
		if (result == MUPDATE_LEX_GO_AHEAD) {
			buf_add_str(got, "G ");
			continue;
		}
		for (unsigned i = 0; i < lx->line.count; i++)
			buf_printf(got, "%c|%.*s ", lx->line.words[i].is_atom ? 'a' : 's',
			           SLICE_ARG(lx->line.words[i].s));
		if (result == MUPDATE_LEX_LINE)
			buf_add_str(got, "; ");
		else
			buf_printf(got, "%c(%s) ", result == MUPDATE_LEX_BAD ? 'B' : 'F',
			           lx->error);
		*fatal = result == MUPDATE_LEX_FATAL;
	}
}

static const struct wire_case {
	const char *name, *in, *want;
} cases[] = {
	{ "a command without arguments", "N1 NOOP\r\n", "a|N1 a|NOOP ; " },
	{ "quoted strings", "A FIND \"user.fred\"\r\n", "a|A a|FIND s|user.fred ; " },
	{ "an empty string", "A LIST \"\"\r\n", "a|A a|LIST s| ; " },
	{ "a backslash quotes", "A FIND \"a\\\"b\\\\c\"\r\n", "a|A a|FIND s|a\"b\\c ; " },
	{ "literals that do not wait", "X0 RESERVE {9+}\r\nuser.u000 {4+}\r\nbe1!\r\n",
	  "a|X0 a|RESERVE s|user.u000 s|be1! ; " },
	{ "literals that wait", "E ACTIVATE {7}\r\nuser.e2 {0}\r\n {2}\r\n\r\n\r\n",
	  "G G G a|E a|ACTIVATE s|user.e2 s| s|\r\n ; " },
	{ "an empty literal that does not wait", "A FIND {0+}\r\n\r\n", "a|A a|FIND s| ; " },
	{ "a literal may hold anything", "A FIND {5+}\r\n\"{}\r\n\r\n",
	  "a|A a|FIND s|\"{}\r\n ; " },
	{ "two lines", "A NOOP\r\nB NOOP\r\n", "a|A a|NOOP ; a|B a|NOOP ; " },
	{ "an empty line", "\r\nA NOOP\r\n", "; a|A a|NOOP ; " },
	{ "a lone star is a word", "* OK\r\n", "a|* a|OK ; " },
	{ "unquoted text of Cyrus", "N5 NO Client canceled\r\n",
	  "a|N5 a|NO a|Client a|canceled ; " },
	{ "a bare LF ends and refuses the line", "A NOOP\nB NOOP\r\n",
	  "a|A B(Lines end in CRLF) a|B a|NOOP ; " },
	{ "a bare CR refuses the line", "A NOOP\rx\r\nB NOOP\r\n",
	  "a|A a|NOOP B(Lines end in CRLF) a|B a|NOOP ; " },
	{ "two spaces", "A  NOOP\r\nB NOOP\r\n", "a|A B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a space at the end", "A NOOP \r\nB NOOP\r\n",
	  "a|A a|NOOP B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a space in front", " NOOP\r\nB NOOP\r\n", "B(Badly formed arguments) a|B a|NOOP ; " },
	{ "text behind a string", "A FIND \"x\"y\r\nB NOOP\r\n",
	  "a|A a|FIND s|x B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a string that does not end", "A FIND \"x\r\nB NOOP\r\n",
	  "a|A a|FIND B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a literal without a number", "A FIND {}\r\nB NOOP\r\n",
	  "a|A a|FIND B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a literal with a sign", "A FIND {-1}\r\nB NOOP\r\n",
	  "a|A a|FIND B(Badly formed arguments) a|B a|NOOP ; " },
	{ "a big literal that waits is not asked for", "A FIND {65}\r\nB NOOP\r\n",
	  "a|A a|FIND B(Literal too big) a|B a|NOOP ; " },
	{ "a big literal that does not wait is the end", "A FIND {65+}\r\nB NOOP\r\n",
	  "a|A a|FIND F(Literal too big) " },
	{ "a number of many digits", "A FIND {99999999999999999999}\r\nB NOOP\r\n",
	  "a|A a|FIND B(Literal too big) a|B a|NOOP ; " },
	{ "many digits that do not wait are the end",
	  "A FIND {99999999999999999999+}\r\nB NOOP\r\n", "a|A a|FIND F(Literal too big) " },
	{ "a bad line with a literal behind it is the end", "A  FIND {3+}\r\nabc\r\n",
	  "a|A F(Badly formed arguments) " },
	{ "all literals of a command are counted",
	  "A A {60+}\r\n"
	  "012345678901234567890123456789012345678901234567890123456789 {60}\r\nB NOOP\r\n",
	  "a|A a|A s|012345678901234567890123456789012345678901234567890123456789 "
	  "B(Literal too big) a|B a|NOOP ; " },
	{ "a long line",
	  "A 0123456789012345678901234567890123456789012345678901234567890123456789"
	  "0123456789\r\nB NOOP\r\n",
	  "a|A B(Line too long) a|B a|NOOP ; " },
};

static const struct mupdate_limits small = { 80, 64, 100 };

TEST(a_line_is_the_same_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 0; cut <= n; cut++) {
			struct mupdate_lexer lx;
			struct buf got = BUF_INIT(SIZE_MAX);
			bool fatal = false;

			mupdate_lexer_init(&lx, &small);
			take(&lx, slice_make(cases[i].in, cut), &got, &fatal);
			take(&lx, slice_make(cases[i].in + cut, n - cut), &got, &fatal);
			test_eq_slice(cases[i].name, buf_slice(&got), slice_of(cases[i].want));
			mupdate_lexer_fini(&lx);
			buf_fini(&got);
		}
	}
}

TEST(a_line_is_the_same_byte_by_byte)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mupdate_lexer lx;
		struct buf got = BUF_INIT(SIZE_MAX);
		bool fatal = false;

		mupdate_lexer_init(&lx, &small);
		for (const char *p = cases[i].in; *p != '\0'; p++)
			take(&lx, slice_make(p, 1), &got, &fatal);
		test_eq_slice(cases[i].name, buf_slice(&got), slice_of(cases[i].want));
		mupdate_lexer_fini(&lx);
		buf_fini(&got);
	}
}

TEST(more_words_than_the_limit_are_refused)
{
	struct mupdate_lexer lx;
	struct buf in = BUF_INIT(SIZE_MAX);
	enum mupdate_lex result;

	buf_add_str(&in, "A");
	for (int i = 0; i < MUPDATE_WORDS_MAX; i++)
		buf_add_str(&in, " b");
	buf_add_str(&in, "\r\n");
	mupdate_lexer_init(&lx, &mupdate_limits_default);
	assert_int_equal(mupdate_lexer_feed(&lx, buf_slice(&in), &result), in.len);
	assert_int_equal(result, MUPDATE_LEX_BAD);
	assert_int_equal(lx.line.count, MUPDATE_WORDS_MAX);
	mupdate_lexer_fini(&lx);
	buf_fini(&in);
}

TEST(an_endless_line_is_given_up_without_memory)
{
	struct mupdate_lexer lx;
	enum mupdate_lex result = MUPDATE_LEX_MORE;
	char junk[1024];
	size_t sent = 0;

	memset(junk, 'x', sizeof(junk));
	mupdate_lexer_init(&lx, &mupdate_limits_login);
	while (result == MUPDATE_LEX_MORE) {
		sent += mupdate_lexer_feed(&lx, slice_make(junk, sizeof(junk)), &result);
		assert_true(sent < 100000);
	}
	assert_int_equal(result, MUPDATE_LEX_FATAL);
	assert_true(lx.text.cap <= 32768);
	mupdate_lexer_fini(&lx);
}

TEST(nul_is_refused_outside_of_literals)
{
	static const char in[] = "A FIND \"a\0b\"\r\nB FIND {1+}\r\n\0\r\n";
	struct mupdate_lexer lx;
	struct buf got = BUF_INIT(SIZE_MAX);
	bool fatal = false;

	mupdate_lexer_init(&lx, &mupdate_limits_default);
	take(&lx, slice_make(in, sizeof(in) - 1), &got, &fatal);
	assert_int_equal(lx.line.words[2].s.n, 1);
	assert_memory_equal(got.data, "a|A a|FIND B(", 13);
	mupdate_lexer_fini(&lx);
	buf_fini(&got);
}

TEST(a_raw_line_is_one_word)
{
	struct mupdate_lexer lx;
	struct buf got = BUF_INIT(SIZE_MAX);
	bool fatal = false;

	mupdate_lexer_init(&lx, &mupdate_limits_default);
	mupdate_lexer_set_raw(&lx, true);
	take(&lx, SLICE("a b {3+}\r\n"), &got, &fatal);
	take(&lx, SLICE("\r\n"), &got, &fatal);
	mupdate_lexer_set_raw(&lx, false);
	take(&lx, SLICE("A NOOP\r\n"), &got, &fatal);
	test_eq_str("raw", buf_cstr(&got), "a|a b {3+} ; a| ; a|A a|NOOP ; ");
	mupdate_lexer_fini(&lx);
	buf_fini(&got);
}

TEST(what_is_written_can_be_read)
{
	char every[256];
	const struct slice strings[] = { SLICE(""), SLICE("user.fred"), SLICE("a \"b\" \\ c"),
		                         SLICE("tab\there"), slice_make(every, 256) };

	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct mupdate_lexer lx;
		struct buf out = BUF_INIT(SIZE_MAX);
		enum mupdate_lex result;

		buf_add_str(&out, "A ");
		mupdate_add_string(&out, strings[i]);
		buf_add_str(&out, " ");
		mupdate_add_literal(&out, strings[i]);
		buf_add_str(&out, " ");
		mupdate_add_text(&out, "say \"no\"\r\n");
		buf_add_str(&out, "\r\n");
		mupdate_lexer_init(&lx, &mupdate_limits_default);
		assert_int_equal(mupdate_lexer_feed(&lx, buf_slice(&out), &result), out.len);
		assert_int_equal(result, MUPDATE_LEX_LINE);
		assert_int_equal(lx.line.count, 4);
		test_eq_slice("string", lx.line.words[1].s, strings[i]);
		test_eq_slice("literal", lx.line.words[2].s, strings[i]);
		test_eq_slice("text", lx.line.words[3].s, SLICE("say ?no???"));
		mupdate_lexer_fini(&lx);
		buf_fini(&out);
	}
}

TEST(codes_are_cut_off)
{
	struct slice s = SLICE("[EXISTS] mailbox already exists");

	assert_int_equal(mupdate_code_cut(&s), MUPDATE_CODE_EXISTS);
	test_eq_slice("rest", s, SLICE("mailbox already exists"));
	s = SLICE("[BOGUS] x");
	assert_int_equal(mupdate_code_cut(&s), MUPDATE_CODE_NONE);
	test_eq_slice("whole", s, SLICE("[BOGUS] x"));
	s = SLICE("");
	assert_int_equal(mupdate_code_cut(&s), MUPDATE_CODE_NONE);
}
