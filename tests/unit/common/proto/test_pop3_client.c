#include "proto/pop3_client.h"

#include "base/text.h"
#include "lib/test.h"

#include <string.h>

static const struct reply_case {
	const char *name;
	struct slice in;
	int want;
	enum pop3_reply_kind kind;
	const char *text, *code; /* code NULL: none */
} replies[] = {
	{ "a plain OK", SLICE_INIT("+OK\r\n"), 1, POP3_OK, "", NULL },
	{ "an OK with text", SLICE_INIT("+OK 2 320\r\nx"), 1, POP3_OK, "2 320", NULL },
	{ "an error with a code", SLICE_INIT("-ERR [SYS/TEMP] later\r\n"), 1, POP3_ERR,
	  "[SYS/TEMP] later", "SYS/TEMP" },
	{ "an open bracket is no code", SLICE_INIT("-ERR [later\r\n"), 1, POP3_ERR, "[later",
	  NULL },
	{ "an empty challenge", SLICE_INIT("+ \r\n"), 1, POP3_CONTINUE, "", NULL },
	{ "a challenge", SLICE_INIT("+ d2hv\r\n"), 1, POP3_CONTINUE, "d2hv", NULL },
	{ "a challenge without the space", SLICE_INIT("+\r\n"), 1, POP3_CONTINUE, "", NULL },
	{ "lower case", SLICE_INIT("-err no\r\n"), 1, POP3_ERR, "no", NULL },
	{ "an unfinished line waits", SLICE_INIT("+OK hi\r"), 0, POP3_OK, "", NULL },
	{ "another protocol", SLICE_INIT("* OK IMAP\r\n"), -1, POP3_OK, "", NULL },
	{ "a longer word", SLICE_INIT("+OKAY\r\n"), -1, POP3_OK, "", NULL },
	{ "nothing", SLICE_INIT("\r\n"), -1, POP3_OK, "", NULL },
	{ "a bare LF", SLICE_INIT("+OK\n"), -1, POP3_OK, "", NULL },
	{ "a bare CR", SLICE_INIT("+OK a\rb\r\n"), -1, POP3_OK, "", NULL },
	{ "a NUL", SLICE_INIT("+OK a\0b\r\n"), -1, POP3_OK, "", NULL },
};

static void
check_reply(const struct reply_case *c, size_t cut)
{
	struct pop3_reply r = { 0 };
	size_t used;
	int got = pop3_reply_read(slice_sub(c->in, 0, cut), &used, &r);
	size_t end = slice_find(c->in, '\n');

	if (cut <= end) { /* the line is not there */
		test_check(got == 0 && used == 0, "%s, cut at %zu", c->name, cut);
		return;
	}
	test_check(got == c->want, "%s", c->name);
	if (got != 1)
		return;
	test_check(used == end + 1 && r.kind == c->kind, "%s", c->name);
	test_eq_slice(c->name, r.text, slice_of(c->text));
	test_check((r.code.p != NULL) == (c->code != NULL), "%s", c->name);
	if (c->code != NULL)
		test_eq_slice(c->name, r.code, slice_of(c->code));
}

TEST(replies_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++)
		for (size_t cut = 0; cut <= replies[i].in.n; cut++)
			check_reply(&replies[i], cut);
}

TEST(endless_replies_are_refused)
{
	static char line[POP3_REPLY_MAX + 1] = "+OK ";
	struct pop3_reply r;
	size_t used;

	memset(line + 4, 'x', sizeof(line) - 4);
	assert_int_equal(pop3_reply_read(slice_make(line, POP3_REPLY_MAX - 1), &used, &r), 0);
	assert_int_equal(pop3_reply_read(slice_make(line, POP3_REPLY_MAX), &used, &r), -1);
	memcpy(line + POP3_REPLY_MAX - 2, "\r\n", 2);
	assert_int_equal(pop3_reply_read(slice_make(line, POP3_REPLY_MAX), &used, &r), 1);
}

TEST(codes_match_by_levels)
{
	struct pop3_reply r;
	size_t used;

	assert_int_equal(pop3_reply_read(SLICE("-ERR [sys/temp] x\r\n"), &used, &r), 1);
	assert_true(pop3_reply_has_code(&r, "SYS/TEMP"));
	assert_true(pop3_reply_has_code(&r, "SYS"));
	assert_false(pop3_reply_has_code(&r, "SY"));
	assert_false(pop3_reply_has_code(&r, "SYS/TEMPORARY"));
	assert_false(pop3_reply_has_code(&r, "AUTH"));
}

static const struct body_case {
	const char *name;
	struct slice in;
	size_t body; /* bytes that belong to it; all when it is not over */
	bool done;
} bodies[] = {
	{ "a lone dot", SLICE_INIT(".\r\n+OK"), 3, true },
	{ "a line and a dot", SLICE_INIT("hi\r\n.\r\n.\r\n"), 7, true },
	{ "stuffed dots go on", SLICE_INIT("..\r\n..x\r\n.y\r\n.\r\nz"), 16, true },
	{ "bare LFs end nothing", SLICE_INIT("hi\n.\n.\r\n"), 8, false },
	{ "a bare LF before the dot", SLICE_INIT("hi\n.\r\n"), 6, false },
	{ "a bare LF behind the dot", SLICE_INIT("hi\r\n.\n\r\n"), 8, false },
	{ "a bare CR before the dot", SLICE_INIT("hi\r.\r\n"), 6, false },
	{ "a CR behind the dot", SLICE_INIT("hi\r\n.\r\r\n.\r\nx"), 11, true },
	{ "CR CR LF is the end of a line", SLICE_INIT("hi\r\r\n.\r\nx"), 8, true },
	{ "empty lines", SLICE_INIT("\r\n\r\n.\r\nx"), 7, true },
	{ "a NUL is text", SLICE_INIT("\0\r\n.\r\nx"), 6, true },
};

TEST(bodies_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		for (size_t cut = 0; cut <= bodies[i].in.n; cut++) {
			const struct body_case *c = &bodies[i];
			struct pop3_body b;
			bool done;
			size_t n;

			pop3_body_init(&b);
			n = pop3_body_scan(&b, slice_sub(c->in, 0, cut), &done);
			test_check(done == (c->done && cut >= c->body), "%s, cut %zu", c->name,
			           cut);
			if (!done)
				n += pop3_body_scan(&b, slice_skip(c->in, cut), &done);
			test_check(done == c->done && n == c->body, "%s, cut %zu: %zu", c->name,
			           cut, n);
		}
}

TEST(lists_and_offers)
{
	struct slice in = SLICE("TOP\r\nuidl\r\n..x\r\nSASL LOGIN PLAIN\r\nSTLS\r\nXCLIENT\r\n"
	                        "PIPELINING\r\nSASLX PLAIN\r\n.\r\n+OK");
	struct pop3_offer o = { 0 };
	struct slice line;
	size_t used;
	int r, lines = 0;

	while ((r = pop3_list_read(in, &used, &line)) == 1) {
		pop3_offer_add(&o, line);
		if (++lines == 3)
			test_eq_slice("unstuffed", line, SLICE(".x"));
		in = slice_skip(in, used);
	}
	assert_int_equal(r, 2);
	assert_int_equal(lines, 8);
	test_eq_slice("rest", slice_skip(in, used), SLICE("+OK"));
	assert_true(o.top && o.uidl && o.sasl_plain && o.stls && o.xclient && o.pipelining);

	o = (struct pop3_offer){ 0 };
	pop3_offer_add(&o, SLICE("SASL CRAM-MD5"));
	pop3_offer_add(&o, SLICE("TOPS"));
	assert_false(o.sasl_plain || o.top);
	assert_int_equal(pop3_list_read(SLICE("TOP\n"), &used, &line), -1);
	assert_int_equal(pop3_list_read(SLICE("TOP\r"), &used, &line), 0);
}

TEST(auth_plain_keeps_the_length_of_commands)
{
	char secret[400];
	struct buf out = BUF_INIT(SIZE_MAX), later = BUF_INIT(SIZE_MAX);

	pop3_client_add_auth_plain(&out, &later, "fred", "proxy", "pw");
	test_eq_slice("short", buf_slice(&out), SLICE("AUTH PLAIN ZnJlZABwcm94eQBwdw==\r\n"));
	assert_int_equal(later.len, 0);
	for (size_t n = 0; n < sizeof(secret); n++) {
		struct buf plain = BUF_INIT(SIZE_MAX);

		memset(secret, 's', n);
		secret[n] = '\0';
		buf_clear(&out);
		buf_clear(&later);
		pop3_client_add_auth_plain(&out, &later, "fred", "proxy", secret);
		assert_true(out.len <= 255);
		if (later.len == 0)
			assert_true(text_base64_decode(slice_sub(buf_slice(&out), 11, out.len - 13),
			                               &plain));
		else {
			test_eq_slice("long", buf_slice(&out), SLICE("AUTH PLAIN\r\n"));
			assert_true(text_base64_decode(
				slice_sub(buf_slice(&later), 0, later.len - 2), &plain));
			assert_true(12 + later.len > 254);
		}
		assert_int_equal(plain.len, 4 + 1 + 5 + 1 + n);
		buf_fini(&plain);
	}
	buf_fini(&out);
	buf_fini(&later);
}

TEST(commands_are_written_from_structures)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	pop3_client_add_xclient(&out, "2001:db8::1", "abc");
	pop3_client_add_command(&out, POP3_VERB_LIST, 0, 0);
	pop3_client_add_command(&out, POP3_VERB_UIDL, 7, 0);
	pop3_client_add_command(&out, POP3_VERB_TOP, 4294967295u, 0);
	pop3_client_add_command(&out, POP3_VERB_QUIT, 0, 0);
	test_eq_slice("out", buf_slice(&out),
	              SLICE("XCLIENT ADDR=2001:db8::1 SESSION=abc\r\nLIST\r\nUIDL 7\r\n"
	                    "TOP 4294967295 0\r\nQUIT\r\n"));
	buf_fini(&out);
	assert_true(pop3_client_has_body(POP3_VERB_LIST, 0));
	assert_false(pop3_client_has_body(POP3_VERB_LIST, 1));
	assert_true(pop3_client_has_body(POP3_VERB_TOP, 1));
	assert_false(pop3_client_has_body(POP3_VERB_STAT, 0));
}
