/* FETCH: what is asked for is what comes, byte by byte. */
#include "talk.h"

#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mailbox/mailbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char small[] = "From: Fred <fred@example.org>\r\n"
			    "Subject: hello\r\n"
			    "X-Foo: bar\r\n"
			    "Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n"
			    "\r\n"
			    "Hello,\r\n"
			    "you.\r\n";
static const char *const one[] = { small };
static const char *const three[] = { small, small, small };

static void
items(struct talk *t)
{
	talk_check(t, "a FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE)",
	           "* 1 FETCH (UID 1 FLAGS (\\Recent) INTERNALDATE \" 1-Jan-2024 12:00:00 +0000\" "
	           "RFC822.SIZE 113)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 FAST",
	           "* 1 FETCH (FLAGS (\\Recent) INTERNALDATE \" 1-Jan-2024 12:00:00 +0000\" "
	           "RFC822.SIZE 113)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a UID FETCH 1 ENVELOPE",
	           "* 1 FETCH (UID 1 ENVELOPE (\"Mon, 1 Jan 2024 10:00:00 +0100\" \"hello\" "
	           "((\"Fred\" NIL \"fred\" \"example.org\")) "
	           "((\"Fred\" NIL \"fred\" \"example.org\")) "
	           "((\"Fred\" NIL \"fred\" \"example.org\")) NIL NIL NIL NIL NIL))\r\n"
	           "a OK Fetched\r\n");
	talk_check(
		t, "a FETCH 1 (BODY)",
		"* 1 FETCH (BODY (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" "
		"14 2))\r\n"
		"a OK Fetched\r\n");
}

TEST(what_is_known_without_the_body)
{
	talk_play(one, 1, items);
}

static void
fields(struct talk *t)
{
	/* kept ones, one that is not kept, and all but some */
	talk_check(t, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (subject FROM)]",
	           "* 1 FETCH (BODY[HEADER.FIELDS (subject FROM)] {49}\r\n"
	           "From: Fred <fred@example.org>\r\nSubject: hello\r\n\r\n)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject x-foo)]",
	           "* 1 FETCH (BODY[HEADER.FIELDS (Subject x-foo)] {30}\r\n"
	           "Subject: hello\r\nX-Foo: bar\r\n\r\n)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (From Subject Date)]<2.5>",
	           "* 1 FETCH (BODY[HEADER.FIELDS.NOT (From Subject Date)]<2> {5}\r\n"
	           "Foo: )\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[HEADER.FIELDS (To)]",
	           "* 1 FETCH (BODY[HEADER.FIELDS (To)] {2}\r\n\r\n)\r\n"
	           "a OK Fetched\r\n");
}

TEST(some_fields_of_the_header)
{
	talk_play(one, 1, fields);
}

static void
partials(struct talk *t)
{
	talk_check(t, "a FETCH 1 BODY.PEEK[]<0.6>",
	           "* 1 FETCH (BODY[]<0> {6}\r\nFrom: )\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[TEXT]<7.100>",
	           "* 1 FETCH (BODY[TEXT]<7> {7}\r\n\nyou.\r\n)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[TEXT]<14.1>",
	           "* 1 FETCH (BODY[TEXT]<14> \"\")\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[]<4294967296.1>",
	           "* 1 FETCH (BODY[]<4294967296> \"\")\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[2]<0.1>",
	           "* 1 FETCH (BODY[2]<0> NIL)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 (BODY.PEEK[1]<1.4> BODY.PEEK[1]<0.1>)",
	           "* 1 FETCH (BODY[1]<1> {4}\r\nello BODY[1]<0> {1}\r\nH)\r\na OK Fetched\r\n");
}

TEST(parts_of_sections)
{
	talk_play(one, 1, partials);
}

static void
seen(struct talk *t)
{
	talk_check(t, "a FETCH 1 (BODY.PEEK[TEXT] RFC822.HEADER)<",
	           "a BAD Unexpected extra arguments to FETCH\r\n");
	talk_check(t, "a FETCH 1 BODY.PEEK[TEXT]",
	           "* 1 FETCH (BODY[TEXT] {14}\r\nHello,\r\nyou.\r\n)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY[TEXT]",
	           "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {14}\r\nHello,\r\nyou.\r\n)\r\n"
	           "a OK Fetched\r\n");
	/* that was all there is to tell */
	talk_check(t, "a FETCH 1 RFC822.TEXT",
	           "* 1 FETCH (RFC822.TEXT {14}\r\nHello,\r\nyou.\r\n)\r\na OK Fetched\r\n");
	talk_check(t, "a UID FETCH 2 (RFC822 FLAGS)",
	           "* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) RFC822 {113}\r\n"
	           "From: Fred <fred@example.org>\r\nSubject: hello\r\nX-Foo: bar\r\n"
	           "Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nHello,\r\nyou.\r\n)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a SEARCH UNSEEN", "* SEARCH 3\r\na OK Searched\r\n");
	talk_check_end(t, "a EXAMINE INBOX", "a OK [READ-ONLY] Selected");
	talk_check(t, "a FETCH 3 BODY[TEXT]<0.5>",
	           "* 3 FETCH (BODY[TEXT]<0> {5}\r\nHello)\r\na OK Fetched\r\n");
	talk_check(t, "a SEARCH UNSEEN", "* SEARCH 3\r\na OK Searched\r\n");
}

TEST(reading_sets_Seen)
{
	talk_play(three, 3, seen);
}

/* More of them than are marked at a time. */
TEST(reading_many_sets_Seen)
{
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	for (int i = 0; i < 150; i++)
		talk_put_text(&w, "user.fred", "\r\nx");
	talk_select(&t);
	talk_check_end(&t, "a STORE 5,70 +FLAGS.SILENT (\\Seen)", "a OK Stored");
	talk_send(&t, "a FETCH 1:149 BODY[1]\r\n");
	for (int i = 1; i < 150; i++) {
		char want[100];
		struct slice got;

		snprintf(want, sizeof(want), "* %d FETCH (%sBODY[1] {1}\r\nx)\r\n", i,
		         i == 5 || i == 70 ? "" : "FLAGS (\\Seen \\Recent) ");
		got = slice_sub(buf_slice(&t.in), 0, strlen(want));
		test_eq_slice("a message", got, slice_of(want));
		buf_consume(&t.in, got.n);
	}
	talk_check_news(&t, "the end", "a OK Fetched\r\n");
	talk_check(&t, "a SEARCH NOT SEEN", "* SEARCH 150\r\na OK Searched\r\n");
	talk_world_fini(&w, &t);
}

static void
numbers(struct talk *t)
{
	talk_check(t, "a FETCH 4 FLAGS", "a BAD No message has this number in FETCH\r\n");
	talk_check(t, "a FETCH 2:4 FLAGS", "a BAD No message has this number in FETCH\r\n");
	talk_check(t, "a FETCH * UID", "* 3 FETCH (UID 3)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 9:* UID", "* 3 FETCH (UID 3)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 3,1:2,2 UID",
	           "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a UID FETCH 4:100 FLAGS", "a OK Fetched\r\n");
	talk_check(t, "a UID FETCH 4:* UID", "* 3 FETCH (UID 3)\r\na OK Fetched\r\n");
	talk_check(t, "a UID FETCH 2,99 UID", "* 2 FETCH (UID 2)\r\na OK Fetched\r\n");
	talk_check_end(t, "a SELECT Sent", "a OK [READ-WRITE] Selected");
	talk_check(t, "a FETCH 1:* UID", "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 UID", "a BAD No message has this number in FETCH\r\n");
	talk_check(t, "a FETCH * UID", "a OK Fetched\r\n");
	talk_check(t, "a UID FETCH 1:* UID", "a OK Fetched\r\n");
}

TEST(which_messages_are_meant)
{
	talk_play(three, 3, numbers);
}

static void
condstore(struct talk *t)
{
	talk_check(t, "a FETCH 1:2 MODSEQ",
	           "* OK [HIGHESTMODSEQ 4] Highest\r\n"
	           "* 1 FETCH (MODSEQ (2))\r\n* 2 FETCH (MODSEQ (3))\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1:3 (FLAGS) (CHANGEDSINCE 2)",
	           "* 2 FETCH (FLAGS (\\Recent) MODSEQ (3))\r\n"
	           "* 3 FETCH (FLAGS (\\Recent) MODSEQ (4))\r\na OK Fetched\r\n");
	talk_check(t, "a UID FETCH 1:3 UID (CHANGEDSINCE 4)", "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODY[TEXT]<0.1>",
	           "* 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (5) BODY[TEXT]<0> {1}\r\nH)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 FLAGS (CHANGEDSINCE 4 VANISHED)",
	           "a BAD VANISHED needs QRESYNC, which is not enabled\r\n");
}

TEST(modseq_and_what_has_changed_since)
{
	talk_play(three, 3, condstore);
}

/* ---- others in the same mailbox ------------------------------------------------------------- */

static void
expunged_by_others(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_check_end(&second, "b STORE 2 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check(&second, "b EXPUNGE", "* 2 EXPUNGE\r\nb OK Expunged\r\n");
	/* the numbers stay, and the one that is gone is missed */
	talk_check(t, "a FETCH 1:3 UID",
	           "* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3)\r\n"
	           "a NO [EXPUNGEISSUED] Some messages are gone\r\n");
	talk_check(t, "a FETCH 2 BODY[]", "a NO [EXPUNGEISSUED] Some messages are gone\r\n");
	talk_check(t, "a UID FETCH 1:3 UID",
	           "* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3)\r\n* 2 EXPUNGE\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1:2 UID",
	           "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 3)\r\na OK Fetched\r\n");
	talk_fini(&second);
}

TEST(a_message_that_others_have_expunged)
{
	talk_play(three, 3, expunged_by_others);
}

static void
flags_by_others(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_check(&second, "b STORE 2 +FLAGS (\\Flagged)",
	           "* 2 FETCH (FLAGS (\\Flagged))\r\nb OK Stored\r\n");
	/* told once: by the answer itself where it has them, else in front of the OK */
	talk_check(t, "a FETCH 1:2 FLAGS",
	           "* 1 FETCH (FLAGS (\\Recent))\r\n* 2 FETCH (FLAGS (\\Flagged \\Recent))\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a NOOP", "a OK Done\r\n");
	talk_check_end(&second, "b STORE 3 +FLAGS (\\Flagged)", "b OK Stored");
	talk_check(t, "a UID FETCH 1 UID",
	           "* 1 FETCH (UID 1)\r\n* 3 FETCH (UID 3 FLAGS (\\Flagged \\Recent))\r\n"
	           "a OK Fetched\r\n");
	talk_put_text(t->world, "user.fred", "\r\nnew");
	talk_check(t, "a FETCH 1 UID",
	           "* 1 FETCH (UID 1)\r\n* 4 EXISTS\r\n* 4 RECENT\r\na OK Fetched\r\n");
	talk_fini(&second);
}

TEST(flags_and_messages_of_others_are_told_once)
{
	talk_play(three, 3, flags_by_others);
}

/* ---- strange messages --------------------------------------------------------------------------- */

static const char nested[] = "Subject: outer\r\n"
			     "Content-Type: multipart/mixed; boundary=o\r\n"
			     "\r\n"
			     "preamble\r\n"
			     "--o\r\n"
			     "\r\n"
			     "first\r\n"
			     "--o\r\n"
			     "Content-Type: message/rfc822\r\n"
			     "X-Part: two\r\n"
			     "\r\n"
			     "Subject: inner\r\n"
			     "From: a@b.c\r\n"
			     "Content-Type: multipart/alternative; boundary=\"i\"\r\n"
			     "\r\n"
			     "--i\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Transfer-Encoding: 8bit\r\n"
			     "\r\n"
			     "caf\xc3\xa9\r\n"
			     "--i\r\n"
			     "Content-Type: text/html\r\n"
			     "\r\n"
			     "<p>x</p>\r\n"
			     "--i--\r\n"
			     "\r\n"
			     "--o\r\n"
			     "Content-Type: application/octet-stream; name=\"a b\"\r\n"
			     "Content-Transfer-Encoding: base64\r\n"
			     "Content-Disposition: attachment; filename=x.bin\r\n"
			     "\r\n"
			     "AAEC\r\n"
			     "--o--\r\n"
			     "epilogue\r\n";

static const struct section_case {
	const char *section;
	struct slice bytes; /* p == NULL: NIL */
} nested_sections[] = {
	{ "1", SLICE_INIT("first") },
	{ "1.MIME", SLICE_INIT("\r\n") },
	{ "1.HEADER", { NULL, 0 } },
	{ "1.1", { NULL, 0 } },
	{ "2.MIME", SLICE_INIT("Content-Type: message/rfc822\r\nX-Part: two\r\n\r\n") },
	{ "2.HEADER", SLICE_INIT("Subject: inner\r\nFrom: a@b.c\r\n"
	                         "Content-Type: multipart/alternative; boundary=\"i\"\r\n\r\n") },
	{ "2.HEADER.FIELDS (SUBJECT)", SLICE_INIT("Subject: inner\r\n\r\n") },
	{ "2.HEADER.FIELDS.NOT (Content-Type)",
	  SLICE_INIT("Subject: inner\r\nFrom: a@b.c\r\n\r\n") },
	{ "2.1", SLICE_INIT("caf\xc3\xa9") },
	{ "2.1.MIME", SLICE_INIT("Content-Type: text/plain; charset=utf-8\r\n"
	                         "Content-Transfer-Encoding: 8bit\r\n\r\n") },
	{ "2.2", SLICE_INIT("<p>x</p>") },
	{ "2.3", { NULL, 0 } },
	{ "2.2.TEXT", { NULL, 0 } },
	{ "3", SLICE_INIT("AAEC") },
	{ "3.MIME", SLICE_INIT("Content-Type: application/octet-stream; name=\"a b\"\r\n"
	                       "Content-Transfer-Encoding: base64\r\n"
	                       "Content-Disposition: attachment; filename=x.bin\r\n\r\n") },
	{ "4", { NULL, 0 } },
	{ "HEADER", SLICE_INIT("Subject: outer\r\n"
	                       "Content-Type: multipart/mixed; boundary=o\r\n\r\n") },
};

static void
check_sections(struct talk *t, const struct section_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct section_case *c = &cases[i];
		struct buf line = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);

		buf_printf(&line, "a FETCH 1 BODY.PEEK[%s]", c->section);
		buf_printf(&want, "* 1 FETCH (BODY[%s] ", c->section);
		if (c->bytes.p == NULL)
			buf_add_str(&want, "NIL");
		else if (c->bytes.n == 0)
			buf_add_str(&want, "\"\"");
		else
			buf_printf(&want, "{%zu}\r\n", c->bytes.n);
		if (c->bytes.p != NULL)
			buf_add_slice(&want, c->bytes);
		buf_add_str(&want, ")\r\na OK Fetched\r\n");
		talk_check(t, buf_cstr(&line), buf_cstr(&want));
		buf_fini(&line);
		buf_fini(&want);
	}
}

static void
nested_talk(struct talk *t)
{
	check_sections(t, nested_sections, ARRAY_LEN(nested_sections));
	talk_check(t, "a FETCH 1 BODY.PEEK[2.TEXT]<0.3>",
	           "* 1 FETCH (BODY[2.TEXT]<0> {3}\r\n--i)\r\na OK Fetched\r\n");
	talk_check(t, "a FETCH 1 (BODY.PEEK[2.1]<3.100> BODY.PEEK[2.1]<2.1> BODY.PEEK[9])",
	           "* 1 FETCH (BODY[2.1]<3> {2}\r\n\xc3\xa9 BODY[2.1]<2> {1}\r\nf BODY[9] NIL)\r\n"
	           "a OK Fetched\r\n");
	talk_check(t, "a FETCH 1 BODYSTRUCTURE",
	           "* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL "
	           "NIL \"7BIT\" 5 1 NIL NIL NIL NIL)(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" "
	           "219 (NIL \"inner\" ((NIL NIL \"a\" \"b.c\")) ((NIL NIL \"a\" \"b.c\")) "
	           "((NIL NIL \"a\" \"b.c\")) NIL NIL NIL NIL NIL) ((\"TEXT\" \"PLAIN\" "
	           "(\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" 5 1 NIL NIL NIL NIL)(\"TEXT\" "
	           "\"HTML\" NIL NIL NIL \"7BIT\" 8 1 NIL NIL NIL NIL) "
	           "\"ALTERNATIVE\" (\"BOUNDARY\" \"i\") NIL NIL NIL) 14 NIL NIL NIL NIL)"
	           "(\"APPLICATION\" \"OCTET-STREAM\" (\"NAME\" \"a b\") NIL NIL \"BASE64\" 4 NIL "
	           "(\"ATTACHMENT\" (\"FILENAME\" \"x.bin\")) NIL NIL) \"MIXED\" "
	           "(\"BOUNDARY\" \"o\") NIL NIL NIL))\r\n"
	           "a OK Fetched\r\n");
}

TEST(parts_in_parts)
{
	static const char *const bodies[] = { nested };

	talk_play(bodies, 1, nested_talk);
}

static const struct strange {
	const char *name, *body;
	struct section_case sections[8];
} stranges[] = {
	{ "an empty message",
	  "",
	  { { "", SLICE_INIT("") },
	    { "HEADER", SLICE_INIT("") },
	    { "TEXT", SLICE_INIT("") },
	    { "1", SLICE_INIT("") },
	    { "2", { NULL, 0 } },
	    { "HEADER.FIELDS (From)", SLICE_INIT("\r\n") } } },
	{ "no header",
	  "\r\nonly a body\r\n",
	  { { "HEADER", SLICE_INIT("\r\n") },
	    { "TEXT", SLICE_INIT("only a body\r\n") },
	    { "1", SLICE_INIT("only a body\r\n") } } },
	{ "no body",
	  "Subject: x\r\n",
	  { { "HEADER", SLICE_INIT("Subject: x\r\n") },
	    { "TEXT", SLICE_INIT("") },
	    { "1", SLICE_INIT("") },
	    { "1.MIME", SLICE_INIT("Subject: x\r\n") } } },
	{ "no boundary where one must be",
	  "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\na\r\n--x--\r\n",
	  { { "TEXT", SLICE_INIT("--x\r\n\r\na\r\n--x--\r\n") },
	    { "1", SLICE_INIT("--x\r\n\r\na\r\n--x--\r\n") },
	    { "2", { NULL, 0 } } } },
	{ "a boundary that never comes",
	  "Content-Type: multipart/mixed; boundary=x\r\n\r\nnothing\r\n",
	  { { "1", SLICE_INIT("") },
	    { "2", { NULL, 0 } },
	    { "TEXT", SLICE_INIT("nothing\r\n") } } },
	{ "no last boundary",
	  "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n",
	  { { "1", SLICE_INIT("a") }, { "2", SLICE_INIT("b\r\n") }, { "3", { NULL, 0 } } } },
	{ "8-bit in the header",
	  "Subject: caf\xe9 \xc3\xa9\r\nX: \xff\r\n\r\nx",
	  { { "HEADER.FIELDS (Subject)", SLICE_INIT("Subject: caf\xe9 \xc3\xa9\r\n\r\n") },
	    { "HEADER.FIELDS (X)", SLICE_INIT("X: \xff\r\n\r\n") } } },
	{ "lines without CR stay as they are",
	  "Subject: x\nTo: y\n\nbody\n",
	  { { "", SLICE_INIT("Subject: x\nTo: y\n\nbody\n") },
	    { "HEADER", SLICE_INIT("Subject: x\nTo: y\n\n") },
	    { "TEXT", SLICE_INIT("body\n") } } },
	{ "folded fields",
	  "Subject: a\r\n b\r\nTo: x@y\r\n\r\n",
	  { { "HEADER.FIELDS (Subject)", SLICE_INIT("Subject: a\r\n b\r\n\r\n") },
	    { "HEADER.FIELDS.NOT (Subject)", SLICE_INIT("To: x@y\r\n\r\n") } } },
	{ "a message in a message without parts",
	  "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n",
	  { { "1", SLICE_INIT("Subject: in\r\n\r\nbody\r\n") },
	    { "1.HEADER", SLICE_INIT("Subject: in\r\n\r\n") },
	    { "1.TEXT", SLICE_INIT("body\r\n") },
	    { "1.1", SLICE_INIT("body\r\n") },
	    { "1.1.MIME", SLICE_INIT("Subject: in\r\n\r\n") } } },
};

static const struct strange *strange;

static void
strange_talk(struct talk *t)
{
	size_t count = 0;

	while (count < ARRAY_LEN(strange->sections) && strange->sections[count].section != NULL)
		count++;
	check_sections(t, strange->sections, count);
}

TEST(strange_messages)
{
	for (size_t i = 0; i < ARRAY_LEN(stranges); i++) {
		strange = &stranges[i];
		talk_play(&strange->body, 1, strange_talk);
	}
}

TEST(a_NUL_never_goes_out)
{
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = SLICE("\r\na\0b\0") });
	talk_select(&t);
	talk_check(&t, "a FETCH 1 (RFC822.SIZE BODY.PEEK[])",
	           "* 1 FETCH (RFC822.SIZE 6 BODY[] {6}\r\n\r\na\x80"
	           "b\x80)\r\na OK Fetched\r\n");
	talk_world_fini(&w, &t);
}

/* ---- large ones ------------------------------------------------------------------------------ */

/* A multipart of two parts; the second is n bytes long. */
static char *
large_message(size_t n, size_t *size_r)
{
	static const char head[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
				   "--b\r\nX: 1\r\n\r\nsmall\r\n--b\r\nX: 2\r\n\r\n";
	static const char tail[] = "\r\n--b--\r\n";
	char *m = malloc(n + sizeof(head) + sizeof(tail));

	memcpy(m, head, sizeof(head) - 1);
	for (size_t i = 0; i < n; i++)
		m[sizeof(head) - 1 + i] = i % 76 == 74   ? '\r'
		                          : i % 76 == 75 ? '\n'
		                                         : (char)('a' + i % 23);
	memcpy(m + sizeof(head) - 1 + n, tail, sizeof(tail) - 1);
	*size_r = sizeof(head) - 1 + n + sizeof(tail) - 1;
	return m;
}

static struct slice
large_part(const char *m, size_t size, size_t n)
{
	return slice_make(m + size - 9 - n, n);
}

static void
check_large(struct talk *t, const char *line, const char *label, struct slice bytes)
{
	struct buf want = BUF_INIT(SIZE_MAX);

	buf_printf(&want, "* 1 FETCH (%s {%zu}\r\n", label, bytes.n);
	buf_add_slice(&want, bytes);
	buf_add_str(&want, ")\r\na OK Fetched\r\n");
	talk_send(t, line);
	talk_send(t, "\r\n");
	assert_true(slice_eq(talk_heard(t), buf_slice(&want)));
	buf_fini(&want);
}

/* Too large to be held: all of it, its parts, and pieces of those, in any order. */
TEST(a_large_message_goes_out_in_pieces)
{
	size_t n = 1500000, size;
	char *m = large_message(n, &size);
	struct slice part = large_part(m, size, n);
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = slice_make(m, size) });
	talk_select(&t);
	check_large(&t, "a FETCH 1 BODY.PEEK[]", "BODY[]", slice_make(m, size));
	check_large(&t, "a FETCH 1 BODY.PEEK[2]", "BODY[2]", part);
	check_large(&t, "a FETCH 1 BODY.PEEK[2]<1000000.600000>", "BODY[2]<1000000>",
	            slice_sub(part, 1000000, 600000));
	for (size_t at = 0; at < n; at += 100000) {
		char line[100], label[100];

		snprintf(line, sizeof(line), "a FETCH 1 BODY.PEEK[2]<%zu.65536>", at);
		snprintf(label, sizeof(label), "BODY[2]<%zu>", at);
		check_large(&t, line, label, slice_sub(part, at, 65536));
	}
	check_large(&t, "a FETCH 1 BODY.PEEK[1]", "BODY[1]", SLICE("small"));
	check_large(&t, "a FETCH 1 BODY.PEEK[2.MIME]", "BODY[2.MIME]", SLICE("X: 2\r\n\r\n"));
	check_large(&t, "a FETCH 1 (BODY.PEEK[1] BODY.PEEK[2]<5.7>)",
	            "BODY[1] {5}\r\nsmall BODY[2]<5>", slice_sub(part, 5, 7));
	talk_check(&t, "a FETCH 1 (BODY.PEEK[3] BODY.PEEK[2]<2000000.1>)",
	           "* 1 FETCH (BODY[3] NIL BODY[2]<2000000> \"\")\r\na OK Fetched\r\n");
	talk_world_fini(&w, &t);
	free(m);
}

/* The header after a part: the part had the whole message looked at, which is held no more. */
TEST(a_header_beside_a_part_of_a_large_message)
{
	static const char head[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	size_t size;
	char *m = large_message(1500000, &size);
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = slice_make(m, size) });
	talk_select(&t);
	check_large(&t, "a FETCH 1 (BODY.PEEK[1] BODY.PEEK[HEADER])",
	            "BODY[1] {5}\r\nsmall BODY[HEADER]", SLICE(head));
	check_large(&t, "a FETCH 1 (BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (Content-Type)])",
	            "BODY[1] {5}\r\nsmall BODY[HEADER.FIELDS (Content-Type)]", SLICE(head));
	check_large(&t, "a FETCH 1 (BODY.PEEK[1] BODY.PEEK[HEADER]<5.7>)",
	            "BODY[1] {5}\r\nsmall BODY[HEADER]<5>", SLICE("nt-Type"));
	talk_world_fini(&w, &t);
	free(m);
}

/* Fields of a huge header, many times in one command: what they hold together has an end. */
TEST(a_huge_header_is_not_held_many_times)
{
	struct buf m = BUF_INIT(SIZE_MAX), line = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);
	struct world w;
	struct talk t;

	for (int i = 0; i < 1000; i++)
		buf_printf(&m, "X-%d: %01000d\r\n", i, i);
	buf_add_str(&m, "\r\n");
	buf_printf(&want, "* 1 FETCH (BODY[HEADER.FIELDS.NOT (Y)] {%zu}\r\n%s)\r\na OK Fetched\r\n",
	           m.len, buf_cstr(&m));
	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = buf_slice(&m) });
	talk_select(&t);
	talk_check(&t, "a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Y)]", buf_cstr(&want));
	buf_add_str(&line, "b FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (Y)]<0.1>");
	for (int i = 1; i < 40; i++)
		buf_printf(&line, " BODY.PEEK[HEADER.FIELDS.NOT (Y)]<%d.1>", i);
	buf_add_str(&line, ")");
	talk_check_end(&t, buf_cstr(&line), "b OK Fetched");
	buf_clear(&line);
	buf_add_str(&line, "c FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (Y0)]");
	for (int i = 1; i < 40; i++)
		buf_printf(&line, " BODY.PEEK[HEADER.FIELDS.NOT (Y%d)]", i);
	buf_add_str(&line, ")");
	talk_check_end(&t, buf_cstr(&line), "c NO [TOOBIG] This is more than the server takes");
	talk_world_fini(&w, &t);
	buf_fini(&m);
	buf_fini(&line);
	buf_fini(&want);
}

/* A client that reads slowly: the server holds little of it, others get their turn, and it
 * all comes in the end. */
TEST(a_client_who_reads_slowly)
{
	size_t n = 1500000, size;
	char *m = large_message(n, &size);
	struct talk t, second;
	struct buf want = BUF_INIT(SIZE_MAX);
	struct world w;

	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = slice_make(m, size) });
	talk_put_text(&w, "user.fred", "\r\nb");
	talk_select(&t);
	talk_stop_reading(&t, true);
	talk_send(&t, "a FETCH 1:2 BODY[]\r\n");
	/* meanwhile others read, change and expunge */
	talk_init(&second, &w, "fred");
	talk_select(&second);
	talk_check_end(&second, "b STORE 1:2 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check_end(&second, "b UID EXPUNGE 2", "b OK Expunged");
	assert_true(t.in.len < 300000);
	talk_stop_reading(&t, false);
	buf_printf(&want, "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[] {%zu}\r\n", size);
	buf_add_slice(&want, slice_make(m, size));
	buf_add_str(&want, ")\r\n* 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))\r\n"
	                   "a NO [EXPUNGEISSUED] Some messages are gone\r\n");
	assert_true(slice_eq(talk_heard(&t), buf_slice(&want)));
	talk_check(&t, "a NOOP", "* 2 EXPUNGE\r\na OK Done\r\n");
	talk_fini(&second);
	talk_world_fini(&w, &t);
	buf_fini(&want);
	free(m);
}

/* A session that ends in the middle of a message leaves nothing behind. */
TEST(a_client_who_goes_in_the_middle)
{
	size_t size;
	char *m = large_message(1000000, &size);
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	talk_put(&w, "user.fred", &(struct talk_msg){ .body = slice_make(m, size) });
	talk_select(&t);
	talk_stop_reading(&t, true);
	talk_send(&t, "a FETCH 1 (BODY[] BODY[2])\r\n");
	assert_int_equal(imap_service_count(w.service), 1);
	fakenet_reset(&t.conn);
	talk_fini(&t);
	assert_int_equal(imap_service_count(w.service), 0);
	world_fini(&w);
	free(m);
}

TEST(rights_to_set_Seen)
{
	struct world w;
	struct talk fred, ann;

	talk_world_init(&w, &fred);
	talk_put_text(&w, "user.fred", "\r\nx");
	talk_init(&ann, &w, "ann");
	play_run(w.play, "store gives acl user.fred fred|lrswipkxtea|ann|lrw|");
	talk_check_end(&ann, "a SELECT \"Other Users/fred\"", "a OK [READ-WRITE] Selected");
	talk_check(&ann, "a FETCH 1 BODY[1]", "* 1 FETCH (BODY[1] {1}\r\nx)\r\na OK Fetched\r\n");
	talk_check(&ann, "a STORE 1 +FLAGS (\\Seen)",
	           "a NO [NOPERM] You may not change these flags\r\n");
	talk_fini(&ann);
	talk_world_fini(&w, &fred);
}
