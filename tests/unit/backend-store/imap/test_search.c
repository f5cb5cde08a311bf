/* SEARCH: which messages are found. */
#include "talk.h"

#include "lib/test.h"
#include "mailbox/mailbox.h"

#define DAY 86400

/* 1 January 2024, noon, and days around it. */
static const struct talk_msg messages[] = {
	{ .body = SLICE_INIT("From: Ann <ann@example.org>\r\n"
	                     "To: fred@example.org\r\n"
	                     "Cc: team@example.org\r\n"
	                     "Subject: =?utf-8?q?Caf=C3=A9?= at noon\r\n"
	                     "Date: Mon, 25 Dec 2023 23:30:00 -0500\r\n"
	                     "X-Odd: strange\r\n"
	                     "\r\n"
	                     "The quick brown fox\r\n"),
	  .flags = MSG_SEEN },
	{ .body = SLICE_INIT("From: bob@example.net\r\n"
	                     "Bcc: hidden@example.org\r\n"
	                     "Subject: second\r\n"
	                     "Content-Type: text/plain; charset=iso-8859-1\r\n"
	                     "Content-Transfer-Encoding: quoted-printable\r\n"
	                     "\r\n"
	                     "Stra=DFe und Gr=\r\n=FC=DFe\r\n"),
	  .flags = MSG_FLAGGED | MSG_DELETED,
	  .date = 1704110400 + 2 * DAY },
	{ .body = SLICE_INIT("From: carl@example.com\r\n"
	                     "Message-ID: <3@example.com>\r\n"
	                     "Content-Type: multipart/mixed; boundary=b\r\n"
	                     "\r\n"
	                     "--b\r\n\r\nplain part\r\n"
	                     "--b\r\nContent-Type: text/html\r\n"
	                     "Content-Transfer-Encoding: base64\r\n\r\n"
	                     "PHA+c2VjcmV0IHdvcmQ8L3A+\r\n"
	                     "--b\r\nContent-Type: application/pdf\r\n"
	                     "Content-Transfer-Encoding: base64\r\n\r\n"
	                     "c2VjcmV0IHBkZg==\r\n--b--\r\n"),
	  .keyword = "$Work",
	  .date = 1704110400 - 3 * DAY },
	{ .body = SLICE_INIT("no header at all\r\n"), .flags = MSG_ANSWERED | MSG_DRAFT },
};

static const struct {
	const char *program, *found;
} rows[] = {
	{ "ALL", " 1 2 3 4" },
	{ "SEEN", " 1" },
	{ "UNSEEN", " 2 3 4" },
	{ "FLAGGED DELETED", " 2" },
	{ "UNFLAGGED UNDELETED", " 1 3 4" },
	{ "ANSWERED", " 4" },
	{ "UNANSWERED", " 1 2 3" },
	{ "DRAFT", " 4" },
	{ "UNDRAFT", " 1 2 3" },
	{ "KEYWORD $work", " 3" },
	{ "UNKEYWORD $Work", " 1 2 4" },
	{ "NEW", " 2 3 4" },
	{ "OLD", "" },
	{ "RECENT", " 1 2 3 4" },
	{ "NOT SEEN NOT FLAGGED", " 3 4" },
	{ "OR SEEN FLAGGED", " 1 2" },
	{ "OR SEEN OR FLAGGED KEYWORD $Work", " 1 2 3" },
	{ "NOT (OR SEEN FLAGGED)", " 3 4" },
	{ "(SEEN) (NOT FLAGGED)", " 1" },
	{ "2:3", " 2 3" },
	{ "1,*", " 1 4" },
	{ "NOT 2:3", " 1 4" },
	{ "UID 3:99", " 3 4" },
	{ "UID 99:*", " 4" },
	{ "UID 99", "" },
	{ "ON 1-Jan-2024", " 1 4" },
	{ "BEFORE 1-Jan-2024", " 3" },
	{ "SINCE 1-Jan-2024", " 1 2 4" },
	{ "SINCE 3-Jan-2024", " 2" },
	{ "NOT ON 1-Jan-2024", " 2 3" },
	/* the day as it was where it was written */
	{ "SENTON 25-Dec-2023", " 1" },
	{ "SENTON 26-Dec-2023", "" },
	{ "SENTBEFORE 26-Dec-2023", " 1" },
	{ "SENTSINCE 1-Jan-2000", " 1" },
	{ "NOT SENTSINCE 1-Jan-2000", " 2 3 4" },
	{ "SMALLER 19", " 4" },
	{ "SMALLER 18", "" },
	{ "LARGER 17 SMALLER 19", " 4" },
	{ "LARGER 18", " 1 2 3" },
	{ "FROM example.org", " 1" },
	{ "FROM ANN", " 1" },
	{ "TO fred CC team", " 1" },
	{ "BCC hidden", " 2" },
	{ "SUBJECT noon", " 1" },
	{ "SUBJECT second", " 2" },
	{ "NOT SUBJECT second", " 1 3 4" },
	{ "HEADER X-Odd STRANGE", " 1" },
	{ "HEADER X-Odd \"\"", " 1" },
	{ "HEADER Message-ID \"\"", " 3" },
	{ "HEADER Message-ID <3@example.com>", " 3" },
	{ "HEADER X-Other \"\"", "" },
	{ "BODY \"quick brown\"", " 1" },
	{ "BODY ann", "" },
	{ "TEXT ann", " 1" },
	{ "TEXT strange", " 1" },
	{ "BODY \"secret word\"", " 3" },
	{ "BODY \"secret pdf\"", "" },
	{ "BODY STRASSE", " 2" },
	{ "CHARSET utf-8 BODY {6}\r\nstra\xc3\x9f", " 2" },
	{ "CHARSET utf-8 SUBJECT {5}\r\nCAF\xc3\x89", " 1" },
	{ "CHARSET iso-8859-1 SUBJECT {4}\r\ncaf\xe9", " 1" },
	{ "CHARSET utf-8 BODY {7}\r\ngr\xc3\xbc\xc3\x9f"
	  "e",
	  " 2" },
	{ "OR BODY fox FLAGGED", " 1 2" },
	{ "BODY fox FLAGGED", "" },
	{ "BODY header", "" },
	{ "TEXT header", " 4" },
};

static void
keys(struct talk *t)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf line = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);

		/* literals that do not wait */
		buf_add_str(&line, "a SEARCH ");
		for (const char *s = rows[i].program; *s != '\0'; s++)
			buf_printf(&line, *s == '}' ? "+%c" : "%c", *s);
		buf_printf(&want, "* SEARCH%s\r\na OK Searched\r\n", rows[i].found);
		talk_check(t, buf_cstr(&line), buf_cstr(&want));
		buf_fini(&line);
		buf_fini(&want);
	}
}

TEST(what_each_key_finds)
{
	talk_play_messages(messages, ARRAY_LEN(messages), keys);
}

static void
answers(struct talk *t)
{
	talk_check_end(t, "a STORE 1 +FLAGS.SILENT (\\Deleted)", "a OK Stored");
	talk_check_end(t, "a EXPUNGE", "a OK Expunged");
	talk_check(t, "a SEARCH 1:2", "* SEARCH 1 2\r\na OK Searched\r\n");
	talk_check(t, "a UID SEARCH 1:2", "* SEARCH 2 3\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH RETURN () ALL",
	           "* ESEARCH (TAG \"a\") ALL 1:4\r\na OK Searched\r\n");
	talk_check(t, "a UID SEARCH RETURN (MIN MAX COUNT ALL) NOT 2",
	           "* ESEARCH (TAG \"a\") UID MIN 2 MAX 5 ALL 2,4:5 COUNT 3\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH RETURN (MIN MAX COUNT) UID 99",
	           "* ESEARCH (TAG \"a\") COUNT 0\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH CHARSET x-unknown TEXT a",
	           "a NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known\r\n");
	talk_check(t, "a SEARCH FOO", "a BAD Unknown search key in SEARCH\r\n");
	talk_check(t, "a SEARCH", "a BAD Missing an argument in SEARCH\r\n");
	/* modseqs are now 3, 4, 5, 6 */
	talk_check(
		t, "a SEARCH MODSEQ 4",
		"* OK [HIGHESTMODSEQ 8] Highest\r\n* SEARCH 2 3 4 (MODSEQ 6)\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH OR MODSEQ 99 1", "* SEARCH 1 (MODSEQ 3)\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH MODSEQ 99", "* SEARCH\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH RETURN (ALL COUNT) MODSEQ 5",
	           "* ESEARCH (TAG \"a\") ALL 3:4 COUNT 2 MODSEQ 6\r\na OK Searched\r\n");
	/* RFC 4731 section 3.2: of those that are told */
	talk_check(t, "a SEARCH RETURN (MIN) MODSEQ 4",
	           "* ESEARCH (TAG \"a\") MIN 2 MODSEQ 4\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH RETURN (MIN MAX) MODSEQ 4",
	           "* ESEARCH (TAG \"a\") MIN 2 MAX 4 MODSEQ 6\r\na OK Searched\r\n");
}

TEST(forms_of_the_answer)
{
	static const char *const five[] = { "\r\n1", "\r\n2", "\r\n3", "\r\n4", "\r\n5" };

	talk_play(five, 5, answers);
}

static void
ages(struct talk *t)
{
	/* the messages are of 2024, the fake clock is what it is */
	talk_check(t, "a SEARCH OLDER 1", "* SEARCH 1\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH YOUNGER 1", "* SEARCH\r\na OK Searched\r\n");
}

TEST(ages_of_messages)
{
	static const char *const one[] = { "\r\n1" };

	talk_play(one, 1, ages);
}

/* Another session changes the mailbox while the search is under way. */
TEST(a_search_that_takes_long)
{
	struct slice heard;
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	for (int i = 0; i < 200; i++)
		talk_put_text(&w, "user.fred", "\r\nneedle");
	talk_select(&t);
	heard = talk_disturbed(&t, "a SEARCH BODY needle",
	                       "b STORE 100:200 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n");
	assert_true(slice_starts(heard, SLICE("* SEARCH 1 2 3")));
	assert_true(slice_ends(heard, SLICE("a OK Searched\r\n")));
	talk_check_end(&t, "a NOOP", "a OK Done");
	talk_check(&t, "a SEARCH RETURN (COUNT) BODY needle",
	           "* ESEARCH (TAG \"a\") COUNT 99\r\na OK Searched\r\n");
	talk_world_fini(&w, &t);
}
