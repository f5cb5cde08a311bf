/*
 * imap_cmd: what comes out as events, written as text and compared, at every split and
 * byte by byte.
 */
#include "proto/imap_cmd.h"

#include "base/buf.h"
#include "lib/test.h"

#include <stdlib.h>

static const struct imap_cmd_def defs[] = {
	{ "NOOP", "" },    { "SELECT", "a" }, { "RENAME", "aa" },
	{ "LOGIN", "aa" }, { "APPEND", "a" }, { "UID COPY", "wa" },
	{ "SEARCH", "" },  { "IDLE", "" },    { "UID FETCH", "" },
};

static const struct imap_cmd_def *
find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(defs); i++)
		if (slice_ieq_str(name, defs[i].name))
			return &defs[i];
	return NULL;
}

static const struct imap_cmd_limits limits = { 200, 20, 5000, 4 };

/* HEAD: tag|NAME|arg|arg|text  then ";" at the end of a command, {5} {5+} ~{5} before a
 * literal, <bytes> of literals joined. */
static void
show_more(struct buf *out, const struct imap_cmd_event *ev)
{
	if (ev->last)
		buf_add_str(out, ";");
	else
		buf_printf(out, "%s{%d%s}", ev->literal8 ? "~" : "", (int)ev->literal_n,
		           ev->sync ? "" : "+");
}

static void
show(struct buf *out, const struct imap_cmd_event *ev, unsigned arg_count)
{
	switch (ev->type) {
	case IMAP_CMD_HEAD:
		buf_printf(out, "%.*s|%s", SLICE_ARG(ev->tag), ev->def->name);
		for (unsigned i = 0; i < arg_count; i++)
			buf_printf(out, "|%.*s", SLICE_ARG(ev->args[i]));
		buf_printf(out, "|%.*s", SLICE_ARG(ev->text));
		show_more(out, ev);
		break;
	case IMAP_CMD_TEXT:
		buf_printf(out, "%.*s", SLICE_ARG(ev->text));
		show_more(out, ev);
		break;
	case IMAP_CMD_BYTES:
		buf_add_slice(out, ev->text);
		break;
	case IMAP_CMD_GO:
		buf_add_str(out, "+");
		break;
	case IMAP_CMD_LINE:
		buf_printf(out, "=%.*s=", SLICE_ARG(ev->text));
		break;
	case IMAP_CMD_END:
		buf_add_str(out, "END;");
		break;
	case IMAP_CMD_BAD:
		buf_printf(out, "%.*s!%.*s;", SLICE_ARG(ev->tag), SLICE_ARG(ev->text));
		break;
	case IMAP_CMD_FATAL:
		buf_printf(out, "FATAL %.*s", SLICE_ARG(ev->text));
		break;
	}
}

/* False after FATAL. */
static bool
feed(struct imap_cmd *c, struct buf *pending, struct buf *out)
{
	struct imap_cmd_event ev;
	size_t used;

	while (pending->len > 0) {
		/* a copy of its own size, so that a sanitizer sees reading behind it */
		char *copy = slice_dup(buf_slice(pending));
		int r = imap_cmd_read(c, slice_make(copy, pending->len), &used, &ev);

		if (r == 1)
			show(out, &ev, ev.def != NULL ? (unsigned)strlen(ev.def->args) : 0);
		free(copy);
		if (r == 1 && ev.type == IMAP_CMD_FATAL)
			return false;
		assert_true(r == 0 || used > 0);
		buf_consume(pending, used);
		if (r == 0)
			break;
	}
	return true;
}

/* What comes out of it, first cut bytes (when not 0) and then step bytes at a time. */
static void
run(const char *in, size_t cut, size_t step, struct buf *out)
{
	struct imap_cmd c;
	struct buf pending = BUF_INIT(SIZE_MAX);
	size_t n = strlen(in), at = 0;

	imap_cmd_init(&c, find, &limits);
	while (at < n) {
		size_t piece = at == 0 && cut > 0 ? cut : MIN(step, n - at);

		buf_add(&pending, in + at, piece);
		at += piece;
		if (!feed(&c, &pending, out))
			break;
	}
	imap_cmd_fini(&c);
	buf_fini(&pending);
}

static void
check(const char *name, const char *in, const char *want, size_t cut, size_t step)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	run(in, cut, step, &out);
	test_eq_str(name, buf_cstr(&out), want);
	buf_fini(&out);
}

static const struct cmd_case {
	const char *name, *in, *want;
} cases[] = {
	{ "a command without arguments", "a NOOP\r\n", "a|NOOP|;" },
	{ "names are in any case", "a uid Fetch 1:* (FLAGS)\r\n", "a|UID FETCH| 1:* (FLAGS);" },
	{ "two in one go", "a NOOP\r\nb noop\r\n", "a|NOOP|;b|NOOP|;" },
	{ "an atom is a name", "a SELECT INBOX\r\n", "a|SELECT|INBOX|;" },
	{ "a quoted name is decoded", "a SELECT \"a \\\"b\\\\\" (CONDSTORE)\r\n",
	  "a|SELECT|a \"b\\| (CONDSTORE);" },
	{ "an empty name", "a SELECT \"\"\r\n", "a|SELECT||;" },
	{ "a name in a waiting literal", "a SELECT {5}\r\nINBOX\r\n", "+a|SELECT|INBOX|;" },
	{ "a name in a literal that does not wait", "a SELECT {5+}\r\nINBOX (CONDSTORE)\r\n",
	  "a|SELECT|INBOX| (CONDSTORE);" },
	{ "an empty literal as name", "a SELECT {0+}\r\n\r\n", "a|SELECT||;" },
	{ "two literals as names", "a RENAME {1+}\r\na {1}\r\nb\r\n", "+a|RENAME|a|b|;" },
	{ "a literal and an atom", "a LOGIN {3+}\r\nfre secret\r\n", "a|LOGIN|fre|secret|;" },
	{ "a set and a name", "a UID COPY 1:5,$ \"x y\"\r\n", "a|UID COPY|1:5,$|x y|;" },
	{ "a message passes", "a APPEND x (\\Seen) {5}\r\nhello\r\n",
	  "a|APPEND|x| (\\Seen) {5}hello;" },
	{ "several messages pass", "a APPEND x {2+}\r\nhi \"01-Jan\" ~{3+}\r\nyou\r\nb NOOP\r\n",
	  "a|APPEND|x| {2+}hi \"01-Jan\" ~{3+}you;b|NOOP|;" },
	{ "an empty message passes", "a APPEND x {0+}\r\n\r\n", "a|APPEND|x| {0+};" },
	{ "lines in a literal are no commands", "a APPEND x {10+}\r\nb NOOP\r\n\r\n\r\n",
	  "a|APPEND|x| {10+}b NOOP\r\n\r\n;" },
	{ "braces inside quotes are text", "a SEARCH SUBJECT \"x{5}\"\r\n",
	  "a|SEARCH| SUBJECT \"x{5}\";" },
	{ "a password may end in a brace", "a LOGIN me pa}\r\n", "a|LOGIN|me|pa}|;" },

	{ "no tag", " NOOP\r\n", "*!BAD a command starts with a tag;" },
	{ "an empty line", "\r\n", "*!BAD a command starts with a tag;" },
	{ "a plus is no tag", "+ NOOP\r\n", "*!BAD a command starts with a tag;" },
	{ "a star is no tag", "* NOOP\r\n", "*!BAD a command starts with a tag;" },
	{ "only a tag", "a\r\n", "a!BAD a command's name is missing;" },
	{ "an unknown command", "a XYZZY 1\r\nb NOOP\r\n", "a!BAD unknown command;b|NOOP|;" },
	{ "UID alone", "a UID\r\n", "a!BAD unknown command;" },
	{ "the literal of an unknown command is swallowed",
	  "a XYZZY {8+}\r\nb NOOP\r\n x\r\nc NOOP\r\n", "a!BAD unknown command;c|NOOP|;" },
	{ "the waiting literal of an unknown command does not come", "a XYZZY {8}\r\nb NOOP\r\n",
	  "a!BAD unknown command;b|NOOP|;" },
	{ "no argument", "a SELECT\r\n", "a!BAD an argument is missing;" },
	{ "a list is no name", "a SELECT (x)\r\n",
	  "a!BAD this is not the argument that is wanted here;" },
	{ "a wildcard is no name", "a SELECT x*\r\n",
	  "a!BAD this is not the argument that is wanted here;" },
	{ "something stuck to a name", "a SELECT \"x\"y\r\n", "a!BAD a space is missing;" },
	{ "something stuck to a literal", "a SELECT {1+}\r\nxy\r\n", "a!BAD a space is missing;" },
	{ "an open quote", "a SEARCH \"x\r\n",
	  "a!BAD a quoted string does not end, or has an unknown escape;" },
	{ "a strange escape", "a SEARCH \"\\x\"\r\n",
	  "a!BAD a quoted string does not end, or has an unknown escape;" },
	{ "a literal behind an open quote waits in vain", "a SEARCH \"x {3}\r\nb NOOP\r\n",
	  "a!BAD a quoted string does not end, or has an unknown escape;b|NOOP|;" },
	{ "a literal behind an open quote that does not wait", "a SEARCH \"x {3+}\r\n",
	  "FATAL cannot tell where this command ends" },
	{ "a literal that is stuck to a word", "a SEARCH x{3}\r\n",
	  "a!BAD a literal must stand alone;" },
	{ "a size that is none", "a SEARCH {x}\r\n", "a!BAD this is no literal's size;" },
	{ "a size that is none and does not wait", "a SEARCH {x+}\r\n",
	  "FATAL cannot tell where this command ends" },
	{ "a huge size", "a SEARCH {99999999999999999999}\r\n",
	  "a!BAD this is no literal's size;" },
	{ "a bare LF", "a NOOP\nb NOOP\r\n", "a!BAD lines end in CRLF;b|NOOP|;" },
	{ "a bare LF before a literal", "a SEARCH {3+}\nabc\r\n",
	  "FATAL cannot tell where this command ends" },
	{ "a bare CR", "a NOOP\rb NOOP\r\n", "a!BAD NUL or bare CR in a command;" },
	{ "a waiting literal over the limit", "a APPEND x {5001}\r\nb NOOP\r\n",
	  "a!NO [TOOBIG] this literal is too long;b|NOOP|;" },
	{ "a literal over the limit", "a APPEND x {5001+}\r\n",
	  "FATAL [TOOBIG] this literal is too long" },
	{ "a waiting name over the limit", "a SELECT {21}\r\nb NOOP\r\n",
	  "a!BAD an argument is too long;b|NOOP|;" },
	{ "a name over the limit", "a SELECT {21+}\r\n", "FATAL an argument is too long" },
	{ "a quoted name over the limit", "a SELECT \"123456789012345678901\"\r\n",
	  "a!BAD an argument is too long;" },
	{ "too many literals that wait",
	  "a APPEND x {0+}\r\n {0+}\r\n {0+}\r\n {0+}\r\n {0}\r\nb NOOP\r\n",
	  "a|APPEND|x| {0+} {0+} {0+} {0+}a!BAD too many literals in one command;b|NOOP|;" },
	{ "too many literals", "a APPEND x {0+}\r\n {0+}\r\n {0+}\r\n {0+}\r\n {0+}\r\n",
	  "a|APPEND|x| {0+} {0+} {0+} {0+}FATAL too many literals in one command" },
	{ "a bad line behind a message", "a APPEND x {1+}\r\nx\"\r\nb NOOP\r\n",
	  "a|APPEND|x| {1+}xa!BAD a quoted string does not end, or has an unknown escape;"
	  "b|NOOP|;" },
};

TEST(imap_cmd_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 1; cut <= n; cut++)
			check(cases[i].name, cases[i].in, cases[i].want, cut, n);
		check(cases[i].name, cases[i].in, cases[i].want, 0, 1);
	}
}

/* Whatever a client says, it means the same however it arrives. */
TEST(imap_cmd_makes_the_same_of_any_pieces)
{
	static const char *const words[] = { "a",      " ",        "\r\n",     "\n",       "\r",
		                             "{3+}",   "{3}",      "~{2+}",    "\"",       "\\",
		                             "SELECT", "APPEND",   "LOGIN",    "UID COPY", "(",
		                             "xyz",    "{0+}\r\n", "{2+}\r\n", " x",       "{" };
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct buf in = BUF_INIT(SIZE_MAX), whole = BUF_INIT(SIZE_MAX);

		buf_add_str(&in, "a APPEND x ");
		for (int k = 0; k < 12; k++) {
			seed = seed * 1664525 + 1013904223;
			buf_add_str(&in, words[(seed >> 16) % ARRAY_LEN(words)]);
		}
		run(buf_cstr(&in), 0, SIZE_MAX, &whole);
		check(buf_cstr(&in), buf_cstr(&in), buf_cstr(&whole), 0, 1);
		check(buf_cstr(&in), buf_cstr(&in), buf_cstr(&whole), 0, 3);
		buf_fini(&in);
		buf_fini(&whole);
	}
}

TEST(imap_cmd_says_when_a_line_is_too_long)
{
	struct imap_cmd c;
	struct imap_cmd_event ev;
	char line[300];
	size_t used;

	memset(line, 'x', sizeof(line));
	memcpy(line, "a SEARCH ", 9);
	imap_cmd_init(&c, find, &limits);
	assert_int_equal(imap_cmd_read(&c, slice_make(line, 199), &used, &ev), 0);
	assert_int_equal(imap_cmd_read(&c, slice_make(line, 200), &used, &ev), 1);
	assert_int_equal(ev.type, IMAP_CMD_FATAL);
	imap_cmd_fini(&c);
}

TEST(imap_cmd_knows_no_nul)
{
	struct imap_cmd c;
	struct imap_cmd_event ev;
	size_t used;

	imap_cmd_init(&c, find, &limits);
	assert_int_equal(imap_cmd_read(&c, SLICE("a NO\0OP\r\n"), &used, &ev), 1);
	assert_int_equal(ev.type, IMAP_CMD_BAD);
	assert_int_equal(imap_cmd_read(&c, SLICE("a\0 NOOP\r\n"), &used, &ev), 1);
	assert_int_equal(ev.type, IMAP_CMD_BAD);
	test_eq_slice("no tag", ev.tag, SLICE("*"));
	imap_cmd_fini(&c);
}

static void
expect(struct imap_cmd *c, const char *in, const char *want)
{
	struct buf pending = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);

	buf_add_str(&pending, in);
	(void)feed(c, &pending, &out);
	test_eq_str(in, buf_cstr(&out), want);
	buf_fini(&pending);
	buf_fini(&out);
}

TEST(imap_cmd_reads_lines_that_are_no_commands)
{
	struct imap_cmd c;

	imap_cmd_init(&c, find, &limits);
	expect(&c, "a IDLE\r\n", "a|IDLE|;");
	imap_cmd_expect_line(&c);
	expect(&c, "DONE\r\nb NOOP\r\n", "=DONE=b|NOOP|;");
	imap_cmd_expect_line(&c);
	expect(&c, "\r\n", "==");
	imap_cmd_fini(&c);
}

TEST(imap_cmd_swallows_what_is_given_up)
{
	struct imap_cmd c;

	imap_cmd_init(&c, find, &limits);
	expect(&c, "a APPEND x {10+}\r\n123", "a|APPEND|x| {10+}123");
	assert_false(imap_cmd_discard(&c, true));
	expect(&c, "4567890 {3+}\r\nabc\r\nb NOOP\r\n", "END;b|NOOP|;");
	/* a literal that waits does not come */
	expect(&c, "a APPEND x {10}\r\n", "a|APPEND|x| {10}");
	assert_true(imap_cmd_discard(&c, false));
	expect(&c, "b NOOP\r\n", "b|NOOP|;");
	/* a second message that waits does not come either */
	expect(&c, "a APPEND x {1+}\r\n", "a|APPEND|x| {1+}");
	assert_false(imap_cmd_discard(&c, true));
	expect(&c, "x {7}\r\nb NOOP\r\n", "END;b|NOOP|;");
	imap_cmd_fini(&c);
}

TEST(imap_cmd_writes_quoted_strings)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	imap_cmd_add_quoted(&out, SLICE("a \"b\\"));
	test_eq_str("quoted", buf_cstr(&out), "\"a \\\"b\\\\\"");
	assert_false(imap_cmd_is_quotable(SLICE("a\rb")));
	assert_false(imap_cmd_is_quotable(SLICE("a\0b")));
	assert_false(imap_cmd_is_quotable(SLICE("\xc3\xa4")));
	buf_fini(&out);
}
