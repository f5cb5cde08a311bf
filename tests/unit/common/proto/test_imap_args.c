#include "lib/test.h"
#include "proto/imap_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_SIZE 200

/* One reading of one argument, named by a letter: what it gives as text. */
enum kind { ATOM, ASTRING, LIST, STRING, NSTRING, LITERAL, WORD, NUMBER, NZ, NUMBER64, DAY, TIME };

static const struct arg_case {
	const char *name;
	enum kind kind;
	struct slice in;
	const char *want; /* NULL: an error */
	const char *rest; /* or the error's text */
} cases[] = {
	{ "an atom ends at a space", ATOM, SLICE_INIT("abc def"), "abc", " def" },
	{ "an atom has no ]", ATOM, SLICE_INIT("a]b"), "a", "]b" },
	{ "an atom has a plus and a dollar", ATOM, SLICE_INIT("$+-x"), "$+-x", "" },
	{ "an atom has no 8-bit", ATOM, SLICE_INIT("\xc3\xa9"), NULL, "Missing thing in X" },
	{ "an atom is not quoted", ATOM, SLICE_INIT("\"a\""), NULL, "Missing thing in X" },
	{ "an atom is not empty", ATOM, SLICE_INIT(""), NULL, "Missing thing in X" },
	{ "an astring has a ]", ASTRING, SLICE_INIT("a]b)"), "a]b", ")" },
	{ "an astring has no *", ASTRING, SLICE_INIT("a*"), "a", "*" },
	{ "a pattern has * and %", LIST, SLICE_INIT("a*%/]("), "a*%/]", "(" },
	{ "a quoted string", ASTRING, SLICE_INIT("\"a b\" c"), "a b", " c" },
	{ "an empty quoted string", ASTRING, SLICE_INIT("\"\""), "", "" },
	{ "escapes are taken out", ASTRING, SLICE_INIT("\"a\\\\\\\"b\"x"), "a\\\"b", "x" },
	{ "8-bit between quotes", ASTRING, SLICE_INIT("\"\xc3\xa9\""), "\xc3\xa9", "" },
	{ "another escape is an error", ASTRING, SLICE_INIT("\"a\\nb\""), NULL,
	  "Invalid \\ in a quoted string in X" },
	{ "an escape at the end", ASTRING, SLICE_INIT("\"a\\"), NULL,
	  "Invalid \\ in a quoted string in X" },
	{ "an escaped quote does not end", ASTRING, SLICE_INIT("\"a\\\""), NULL,
	  "A quoted string in X does not end" },
	{ "a quote alone", ASTRING, SLICE_INIT("\""), NULL, "A quoted string in X does not end" },
	{ "a line end between quotes", ASTRING, SLICE_INIT("\"a\r\nb\""), NULL,
	  "Invalid thing in X" },
	{ "a NUL between quotes", ASTRING, SLICE_INIT("\"a\0b\""), NULL, "Invalid thing in X" },
	{ "a literal", ASTRING, SLICE_INIT("{3}\r\na\nb c"), "a\nb", " c" },
	{ "a literal that did not wait", ASTRING, SLICE_INIT("{3+}\r\n\"\\)x"), "\"\\)", "x" },
	{ "an empty literal", ASTRING, SLICE_INIT("{0}\r\n"), "", "" },
	{ "a literal cut short", ASTRING, SLICE_INIT("{3}\r\nab"), NULL, "Invalid literal in X" },
	{ "a literal without its line end", ASTRING, SLICE_INIT("{3}abc"), NULL,
	  "Invalid literal in X" },
	{ "a literal without a number", ASTRING, SLICE_INIT("{}\r\n"), NULL,
	  "Invalid literal in X" },
	{ "a literal with two plus", ASTRING, SLICE_INIT("{1++}\r\na"), NULL,
	  "Invalid literal in X" },
	{ "a literal without end", ASTRING, SLICE_INIT("{1"), NULL, "Invalid literal in X" },
	{ "a brace alone", ASTRING, SLICE_INIT("{"), NULL, "Invalid literal in X" },
	{ "a literal of 2^64", ASTRING, SLICE_INIT("{18446744073709551616}\r\na"), NULL,
	  "Invalid literal in X" },
	{ "a literal of 2^64 - 1", ASTRING, SLICE_INIT("{18446744073709551615}\r\na"), NULL,
	  "Invalid literal in X" },
	{ "a NUL in a literal", ASTRING, SLICE_INIT("{3}\r\na\0b"), NULL,
	  "A NUL in a literal in X" },
	{ "a literal8 is no astring", ASTRING, SLICE_INIT("~{3}\r\nabc"), NULL,
	  "Invalid thing in X" },
	{ "a tilde is an atom", ASTRING, SLICE_INIT("~a"), "~a", "" },
	{ "a string is no atom", STRING, SLICE_INIT("a"), NULL, "Missing thing in X" },
	{ "a string", STRING, SLICE_INIT("\"a\""), "a", "" },
	{ "NIL", NSTRING, SLICE_INIT("nil)"), "(null)", ")" },
	{ "NIL between quotes", NSTRING, SLICE_INIT("\"NIL\""), "NIL", "" },
	{ "an empty nstring", NSTRING, SLICE_INIT("\"\""), "", "" },
	{ "longer than NIL", NSTRING, SLICE_INIT("nile"), NULL, "Missing thing in X" },
	{ "a literal where only that may be", LITERAL, SLICE_INIT("{1}\r\nab"), "a", "b" },
	{ "a literal8", LITERAL, SLICE_INIT("~{2+}\r\nabc"), "8ab", "c" },
	{ "quotes where a literal may be", LITERAL, SLICE_INIT("\"a\""), NULL,
	  "Missing thing in X" },
	{ "a word has * and :", WORD, SLICE_INIT("1:*,5 x"), "1:*,5", " x" },
	{ "a word has no quotes", WORD, SLICE_INIT("a\"b"), "a", "\"b" },
	{ "a number", NUMBER, SLICE_INIT("4294967295)"), "4294967295", ")" },
	{ "zero", NUMBER, SLICE_INIT("0"), "0", "" },
	{ "2^32", NUMBER, SLICE_INIT("4294967296"), NULL, "Invalid thing in X" },
	{ "a sign", NUMBER, SLICE_INIT("+1"), NULL, "Invalid thing in X" },
	{ "a number with letters behind", NUMBER, SLICE_INIT("1a"), NULL, "Invalid thing in X" },
	{ "zero where it may not be", NZ, SLICE_INIT("0"), NULL, "Invalid thing in X" },
	{ "one", NZ, SLICE_INIT("1"), "1", "" },
	{ "2^63 - 1", NUMBER64, SLICE_INIT("9223372036854775807"), "9223372036854775807", "" },
	{ "2^63", NUMBER64, SLICE_INIT("9223372036854775808"), NULL, "Invalid thing in X" },
	{ "a day", DAY, SLICE_INIT("2-Jan-1970 x"), "1", " x" },
	{ "a quoted day", DAY, SLICE_INIT("\"01-jan-1970\""), "0", "" },
	{ "no day", DAY, SLICE_INIT("32-Jan-1970"), NULL, "Invalid thing in X" },
	{ "a date-time", TIME, SLICE_INIT("\" 1-Jan-1970 01:00:00 +0100\" ("), "0 60", " (" },
	{ "a date-time without quotes", TIME, SLICE_INIT("1-Jan-1970"), NULL,
	  "Missing thing in X" },
	{ "no date-time", TIME, SLICE_INIT("\"1-Jan-1970\""), NULL, "Invalid thing in X" },
};

static bool
read_number(struct imap_args *a, enum kind kind, char *text)
{
	struct date d;
	uint64_t v = 0;
	uint32_t n = 0;
	int32_t day;
	bool ok;

	if (kind == TIME) {
		ok = imap_args_date_time(a, "thing", &d);
		if (ok)
			snprintf(text, TEXT_SIZE, "%ld %d", (long)d.utc_s, d.zone_min);
		return ok;
	}
	if (kind == DAY) {
		ok = imap_args_day(a, "thing", &day);
		v = ok ? (uint64_t)day : 0;
	} else if (kind == NUMBER64) {
		ok = imap_args_u64(a, "thing", &v);
	} else {
		ok = kind == NZ ? imap_args_nz_u32(a, "thing", &n) : imap_args_u32(a, "thing", &n);
		v = n;
	}
	snprintf(text, TEXT_SIZE, "%llu", (unsigned long long)v);
	return ok;
}

static bool
read_arg(struct imap_args *a, enum kind kind, char *text)
{
	struct slice v = SLICE("");
	bool eight = false, ok;

	switch (kind) {
	case ATOM:
		ok = imap_args_atom(a, "thing", &v);
		break;
	case ASTRING:
		ok = imap_args_astring(a, "thing", &v);
		break;
	case LIST:
		ok = imap_args_list_mailbox(a, "thing", &v);
		break;
	case STRING:
		ok = imap_args_string(a, "thing", &v);
		break;
	case NSTRING:
		ok = imap_args_nstring(a, "thing", &v);
		break;
	case LITERAL:
		ok = imap_args_literal(a, "thing", &v, &eight);
		break;
	case WORD:
		ok = imap_args_word(a, "thing", &v);
		break;
	default:
		return read_number(a, kind, text);
	}
	if (ok && v.p == NULL)
		snprintf(text, TEXT_SIZE, "(null)");
	else if (ok)
		snprintf(text, TEXT_SIZE, "%s%.*s", eight ? "8" : "", SLICE_ARG(v));
	return ok;
}

TEST(an_argument_of_each_kind)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct arg_case *c = &cases[i];
		struct imap_args a;
		char text[TEXT_SIZE];
		/* the exact bytes, so that reading behind them is seen */
		char *copy = malloc(c->in.n + 1);

		memcpy(copy, c->in.p, c->in.n);
		copy = realloc(copy, c->in.n > 0 ? c->in.n : 1);
		imap_args_init(&a, arena, "X", slice_make(copy, c->in.n));
		if (read_arg(&a, c->kind, text)) {
			test_check(c->want != NULL, "%s: got %s", c->name, text);
			test_eq_str(c->name, text, c->want);
			test_eq_slice(c->name, a.rest, slice_of(c->rest));
		} else {
			test_check(c->want == NULL, "%s: %s", c->name, imap_args_bad(&a));
			test_eq_str(c->name, imap_args_bad(&a), c->rest);
		}
		free(copy);
	}
	arena_free(&arena);
}

/* Whatever is cut off or put in: no byte behind the text is read, and it ends. */
TEST(any_prefix_of_a_value_is_read_safely)
{
	static const char text[] = "(a \"b\\\"\" {3}\r\nx)( ~{1}\r\ny NIL (() 1:*) \\Seen)";
	struct arena *arena = arena_new("test");

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *copy = malloc(n + (n == 0));
		struct imap_args a;

		memcpy(copy, text, n);
		imap_args_init(&a, arena, "X", slice_make(copy, n));
		assert_false(imap_args_skip(&a, "value"));
		assert_non_null(imap_args_bad(&a));
		free(copy);
	}
	arena_free(&arena);
}

static const struct {
	const char *name, *in, *rest; /* rest NULL: an error */
} skips[] = {
	{ "an atom", "a b", " b" },
	{ "a literal", "{2}\r\n() b", " b" },
	{ "an empty list", "() b", " b" },
	{ "lists in lists", "((a) (b (c d) \"e\") ()) f", " f" },
	{ "a list that does not end", "((a)", NULL },
	{ "a list without its space", "((a)(b))", NULL },
	{ "an end without its start", ")", NULL },
};

TEST(values_are_skipped_with_what_is_in_them)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(skips); i++) {
		struct imap_args a;

		imap_args_init(&a, arena, "X", slice_of(skips[i].in));
		test_check(imap_args_skip(&a, "value") == (skips[i].rest != NULL), "%s",
		           skips[i].name);
		if (skips[i].rest != NULL)
			test_eq_slice(skips[i].name, a.rest, slice_of(skips[i].rest));
	}
	arena_free(&arena);
}

TEST(parentheses_are_bounded)
{
	struct arena *arena = arena_new("test");
	char text[2 * IMAP_ARGS_DEPTH_MAX + 3];
	struct imap_args a;

	for (int extra = 0; extra <= 1; extra++) {
		size_t n = IMAP_ARGS_DEPTH_MAX + (size_t)extra;

		memset(text, '(', n);
		memset(text + n, ')', n);
		imap_args_init(&a, arena, "X", slice_make(text, 2 * n));
		assert_true(imap_args_skip(&a, "value") == (extra == 0));
	}
	assert_string_equal(imap_args_bad(&a), "Too many parentheses in X");
	arena_free(&arena);
}

static const struct {
	const char *name, *in, *bad;
} spaces[] = {
	{ "one space", " a", NULL },
	{ "no space", "a", "Missing space in X" },
	{ "two spaces", "  a", "Two spaces in a row in X" },
	{ "nothing", "", "Missing an argument in X" },
	{ "nothing behind it", " ", "Missing an argument in X" },
};

TEST(spaces_are_exact)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
		struct imap_args a;

		imap_args_init(&a, arena, "X", slice_of(spaces[i].in));
		test_check(imap_args_space(&a) == (spaces[i].bad == NULL), "%s", spaces[i].name);
		if (spaces[i].bad != NULL)
			test_eq_str(spaces[i].name, imap_args_bad(&a), spaces[i].bad);
	}
	arena_free(&arena);
}

static const struct {
	const char *name, *in;
	bool bare;
	const char *want; /* NULL: an error */
	const char *rest;
} flag_lists[] = {
	{ "a list", "(\\Seen $Work)x", false, "\\Seen|$Work|", "x" },
	{ "an empty list", "()", false, "", "" },
	{ "without parentheses", "\\Seen $Work", true, "\\Seen|$Work|", "" },
	{ "one without parentheses", "a", true, "a|", "" },
	{ "parentheses where none are needed", "(a)", true, "a|", "" },
	{ "without parentheses where they are needed", "a", false, NULL, "Missing flags in X" },
	{ "none", "", true, NULL, "Missing flag in X" },
	{ "a space at the end", "a ", true, NULL, "Missing an argument in X" },
	{ "a backslash alone", "(\\)", false, NULL, "Missing flag in X" },
	{ "two backslashes", "(\\\\a)", false, NULL, "Missing flag in X" },
	{ "\\*", "(\\*)", false, NULL, "Missing flag in X" },
	{ "a quoted flag", "(\"a\")", false, NULL, "Missing flag in X" },
	{ "a list in a list", "((a))", false, NULL, "Missing flag in X" },
	{ "no end", "(a", false, NULL, "Missing ) in X" },
};

TEST(flags_in_both_forms)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(flag_lists); i++) {
		struct imap_args a;
		struct slice *flags;
		char text[100] = "";
		size_t count;

		imap_args_init(&a, arena, "X", slice_of(flag_lists[i].in));
		if (!imap_args_flags(&a, flag_lists[i].bare, &flags, &count)) {
			test_check(flag_lists[i].want == NULL, "%s", flag_lists[i].name);
			test_eq_str(flag_lists[i].name, imap_args_bad(&a), flag_lists[i].rest);
			continue;
		}
		for (size_t k = 0; k < count; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s|",
			         SLICE_ARG(flags[k]));
		test_eq_str(flag_lists[i].name, text, flag_lists[i].want);
		test_eq_slice(flag_lists[i].name, a.rest, slice_of(flag_lists[i].rest));
	}
	arena_free(&arena);
}

TEST(flags_are_bounded)
{
	struct arena *arena = arena_new("test");
	char *text = malloc(2 * IMAP_ARGS_FLAGS_MAX + 4);

	for (size_t extra = 0; extra <= 1; extra++) {
		size_t n = IMAP_ARGS_FLAGS_MAX + extra, count;
		struct imap_args a;
		struct slice *flags;

		for (size_t i = 0; i < n; i++)
			memcpy(text + 2 * i, i == 0 ? "(a" : " a", 2);
		text[2 * n] = ')';
		imap_args_init(&a, arena, "X", slice_make(text, 2 * n + 1));
		assert_true(imap_args_flags(&a, false, &flags, &count) == (extra == 0));
	}
	free(text);
	arena_free(&arena);
}

TEST(the_first_error_stays)
{
	struct arena *arena = arena_new("test");
	struct imap_args a;
	struct slice v;

	imap_args_init(&a, arena, "FETCH", SLICE("x y"));
	assert_false(imap_args_space(&a));
	assert_false(imap_args_astring(&a, "mailbox name", &v));
	assert_false(imap_args_end(&a));
	assert_false(imap_args_try(&a, 'x'));
	assert_int_equal(imap_args_peek(&a), 0);
	assert_string_equal(imap_args_bad(&a), "Missing space in FETCH");
	arena_free(&arena);
}

TEST(the_end_may_have_blanks)
{
	struct arena *arena = arena_new("test");
	struct imap_args a;

	imap_args_init(&a, arena, "X", SLICE("  "));
	assert_true(imap_args_end(&a));
	imap_args_init(&a, arena, "X", SLICE(" a"));
	assert_false(imap_args_end(&a));
	assert_string_equal(imap_args_bad(&a), "Unexpected extra arguments to X");
	arena_free(&arena);
}
