/*
 * imap_resp: what comes out as events, written as text and compared, at every split and
 * byte by byte.
 */
#include "proto/imap_resp.h"

#include "base/buf.h"
#include "lib/test.h"

#include <stdlib.h>

static const char *const statuses[] = { "OK", "NO", "BAD", "BYE", "PREAUTH" };

static void
show(struct buf *out, const struct imap_resp_event *ev)
{
	switch (ev->type) {
	case IMAP_RESP_STATUS:
		buf_printf(out, "%.*s|%s|%.*s|%.*s|%.*s;", SLICE_ARG(ev->tag), statuses[ev->status],
		           SLICE_ARG(ev->code), SLICE_ARG(ev->code_args), SLICE_ARG(ev->text));
		break;
	case IMAP_RESP_CONTINUE:
		buf_printf(out, "+%.*s;", SLICE_ARG(ev->text));
		break;
	case IMAP_RESP_DATA:
		buf_printf(out, "%.*s#%d:", SLICE_ARG(ev->name), (int)ev->number);
		/* fall through */
	case IMAP_RESP_MORE:
		buf_add_slice(out, ev->bytes);
		if (ev->last)
			buf_add_str(out, ";");
		break;
	}
}

/* What comes out of it, first cut bytes (when not 0) and then step bytes at a time. */
static void
run(const char *in, size_t cut, size_t step, struct buf *out)
{
	struct imap_resp p;
	struct buf pending = BUF_INIT(SIZE_MAX);
	struct imap_resp_event ev;
	size_t n = strlen(in), at = 0, used;
	int r = 1;

	imap_resp_init(&p);
	while (at < n && r >= 0) {
		size_t piece = at == 0 && cut > 0 ? cut : MIN(step, n - at);

		buf_add(&pending, in + at, piece);
		at += piece;
		do {
			char *copy = slice_dup(buf_slice(&pending));

			r = imap_resp_read(&p, slice_make(copy, pending.len), &used, &ev);
			if (r == 1) {
				assert_true(used > 0);
				assert_int_equal(ev.bytes.n, used);
				show(out, &ev);
			}
			free(copy);
			buf_consume(&pending, used);
		} while (r == 1);
	}
	if (r == -1)
		buf_add_str(out, "STEP");
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

static const struct resp_case {
	const char *name, *in, *want;
} cases[] = {
	{ "tagged OK", "a OK done\r\n", "a|OK|||done;" },
	{ "tagged NO with a code", "a NO [TRYCREATE] no such\r\n", "a|NO|TRYCREATE||no such;" },
	{ "a code with arguments", "* OK [UIDNEXT 5] hi\r\n", "*|OK|UIDNEXT|5|hi;" },
	{ "a code alone", "* ok [READ-ONLY]\r\n", "*|OK|READ-ONLY||;" },
	{ "no text at all", "a OK\r\n", "a|OK|||;" },
	{ "quotes and braces in free text", "* OK 5\" {3}\r\n* BYE x\r\n",
	  "*|OK|||5\" {3};*|BYE|||x;" },
	{ "a continuation", "+ go\r\n", "+go;" },
	{ "an empty continuation", "+ \r\n", "+;" },
	{ "a continuation without its space", "+\r\n", "+;" },
	{ "a number and a name", "* 23 EXISTS\r\n", "EXISTS#23:* 23 EXISTS\r\n;" },
	{ "a name alone", "* SEARCH\r\n", "SEARCH#0:* SEARCH\r\n;" },
	{ "a list", "* LIST (\\Noselect) \"/\" \"a{3}\"\r\n",
	  "LIST#0:* LIST (\\Noselect) \"/\" \"a{3}\"\r\n;" },
	{ "a literal hides a line",
	  "* 1 FETCH (BODY[] {16}\r\na OK hi)\r\n\"{3}\r\n UID 5)\r\na OK done\r\n",
	  "FETCH#1:* 1 FETCH (BODY[] {16}\r\na OK hi)\r\n\"{3}\r\n UID 5)\r\n;a|OK|||done;" },
	{ "two literals and an empty one", "* 1 fetch (A {1}\r\n\" B {0}\r\n C ~{2}\r\n\r\n)\r\n",
	  "FETCH#1:* 1 fetch (A {1}\r\n\" B {0}\r\n C ~{2}\r\n\r\n)\r\n;" },
	{ "an escaped quote", "* LIST () \"/\" \"a\\\"{3}\"\r\n",
	  "LIST#0:* LIST () \"/\" \"a\\\"{3}\"\r\n;" },
	{ "braces that are no literal", "* X {a} {5 {} {{1}\r\nx\r\n",
	  "X#0:* X {a} {5 {} {{1}\r\nx\r\n;" },
	{ "a bare LF", "* OK hi\n", "STEP" },
	{ "a bare CR in a state", "* OK h\ri\r\n", "STEP" },
	{ "no state", "a XYZ\r\n", "STEP" },
	{ "an empty line", "\r\n", "STEP" },
	{ "a star alone", "* \r\n", "STEP" },
	{ "a number alone", "* 5\r\n", "STEP" },
};

TEST(imap_resp_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t cut = 1; cut <= n; cut++)
			check(cases[i].name, cases[i].in, cases[i].want, cut, n);
		check(cases[i].name, cases[i].in, cases[i].want, 0, 1);
	}
}

static int
read_all(const char *in, size_t n)
{
	struct imap_resp p;
	struct imap_resp_event ev;
	size_t used;
	int r;

	imap_resp_init(&p);
	do {
		r = imap_resp_read(&p, slice_make(in, n), &used, &ev);
		in += used;
		n -= used;
	} while (r == 1);
	return r;
}

TEST(imap_resp_finds_what_is_out_of_step)
{
	assert_int_equal(read_all("* LIST () \"/\" \"a\r\n", 18), -1);
	assert_int_equal(read_all("* LIST () \"/\" \"a\\\r\n", 19), -1);
	assert_int_equal(read_all("* LIST x\n", 9), -1);
	assert_int_equal(read_all("* LIST x\ry\r\n", 12), -1);
	assert_int_equal(read_all("* 1 FETCH {99999999999999}\r\n", 28), -1);
	assert_int_equal(read_all("* 1 FETCH {5}\rx\r\n", 17), -1);
}

TEST(imap_resp_limits_lines_of_state_but_not_data)
{
	static char line[20000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "* OK ", 5);
	assert_int_equal(read_all(line, IMAP_RESP_LINE_MAX - 1), 0);
	assert_int_equal(read_all(line, IMAP_RESP_LINE_MAX), -1);
	memcpy(line, "* SEARCH ", 9);
	assert_int_equal(read_all(line, sizeof(line)), 0);
}

TEST(imap_resp_cuts_words)
{
	struct slice rest = SLICE(" IMAP4rev1  IDLE "), word;

	assert_true(imap_resp_next_word(&rest, &word));
	test_eq_slice("first", word, SLICE("IMAP4rev1"));
	assert_true(imap_resp_next_word(&rest, &word));
	test_eq_slice("second", word, SLICE("IDLE"));
	assert_false(imap_resp_next_word(&rest, &word));
}

/* Whatever a server says, it means the same however it arrives. (Where it is out of step, how
 * much passes before that may differ.) */
TEST(imap_resp_makes_the_same_of_any_pieces)
{
	static const char *const words[] = { "a",        " ", "\r\n",   "\n",        "{3}\r\n",
		                             "{0}\r\n",  "{", "}",      "\"",        "\\",
		                             "(",        ")", "* OK",   "* 1 FETCH", "+ ",
		                             "{5+}\r\n", "x", "* LIST " };
	uint32_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct buf in = BUF_INIT(SIZE_MAX), whole = BUF_INIT(SIZE_MAX);

		buf_add_str(&in, "* 1 FETCH (");
		for (int k = 0; k < 12; k++) {
			seed = seed * 1664525 + 1013904223;
			buf_add_str(&in, words[(seed >> 16) % ARRAY_LEN(words)]);
		}
		run(buf_cstr(&in), 0, SIZE_MAX, &whole);
		if (!slice_ends(buf_slice(&whole), SLICE("STEP")))
			check(buf_cstr(&in), buf_cstr(&in), buf_cstr(&whole), 0, 1);
		buf_fini(&in);
		buf_fini(&whole);
	}
}
