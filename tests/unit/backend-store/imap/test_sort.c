/* SORT: by what, and in which form. */
#include "talk.h"

#include "lib/test.h"
#include "mailbox/mailbox.h"

#include <stdio.h>

#define MSG(text) SLICE_INIT(text)
#define NOON 1704110400

static const struct talk_msg messages[] = {
	{ .body = MSG("From: \"Zoe\" <c@example.org>\r\n"
	              "To: Team: m@example.org;\r\n"
	              "Cc: x@example.org\r\n"
	              "Subject: Re: beta\r\n"
	              "Date: Mon, 01 Jan 2024 10:00:00 +0200\r\n"
	              "\r\n1234567"),
	  .date = NOON + 50 },
	{ .body = MSG("From: =?utf-8?q?=C3=89mile?= <b@example.org>\r\n"
	              "To: =?utf-8?q?=C3=84nne?= <k@example.org>\r\n"
	              "Subject: Alpha\r\n"
	              "Date: Mon, 01 Jan 2024 09:00:00 +0000\r\n"
	              "\r\n1"),
	  .date = NOON + 40,
	  .flags = MSG_SEEN },
	{ .body = MSG("From: a@example.org\r\n"
	              "To: j@example.org\r\n"
	              "Subject: [list] ALPHA (fwd)\r\n"
	              "\r\n12"),
	  .date = NOON + 30 },
	{ .body = MSG("Subject: Beta\r\n"
	              "Date: Mon, 01 Jan 2024 23:00:00 -0100\r\n"
	              "\r\n"),
	  .date = NOON + 60 },
	{ .body = MSG("no header at all"), .date = NOON + 20, .flags = MSG_SEEN },
};

static const struct {
	const char *line, *answer;
} rows[] = {
	{ "SORT (ARRIVAL) UTF-8 ALL", "* SORT 5 3 2 1 4" },
	{ "SORT (REVERSE ARRIVAL) UTF-8 ALL", "* SORT 4 1 2 3 5" },
	/* 08:00, 09:00, the internal 12:00:30, the next day, the internal 12:00:20 */
	{ "SORT (DATE) UTF-8 ALL", "* SORT 1 2 5 3 4" },
	{ "SORT (SUBJECT) UTF-8 ALL", "* SORT 5 2 3 1 4" },
	{ "SORT (REVERSE SUBJECT) UTF-8 ALL", "* SORT 1 4 2 3 5" },
	{ "SORT (REVERSE SUBJECT DATE) UTF-8 ALL", "* SORT 1 4 2 3 5" },
	{ "SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "* SORT 5 3 2 4 1" },
	{ "SORT (FROM) UTF-8 ALL", "* SORT 4 5 3 2 1" },
	{ "SORT (DISPLAYFROM) UTF-8 ALL", "* SORT 4 5 3 2 1" },
	{ "SORT (TO) UTF-8 ALL", "* SORT 4 5 3 2 1" },
	{ "SORT (DISPLAYTO) UTF-8 ALL", "* SORT 4 5 2 3 1" },
	{ "SORT (CC) UTF-8 ALL", "* SORT 2 3 4 5 1" },
	{ "SORT (SIZE) UTF-8 ALL", "* SORT 5 4 3 1 2" },
	{ "SORT (ARRIVAL) UTF-8 SEEN", "* SORT 5 2" },
	{ "SORT (ARRIVAL) US-ASCII SUBJECT alpha", "* SORT 3 2" },
	{ "UID SORT (ARRIVAL) UTF-8 1:3", "* SORT 3 2 1" },
	{ "SORT (ARRIVAL) UTF-8 DELETED", "* SORT" },
};

static void
orders(struct talk *t)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf line = BUF_INIT(1000), want = BUF_INIT(1000);

		buf_printf(&line, "a %s", rows[i].line);
		buf_printf(&want, "%s\r\na OK Sorted\r\n", rows[i].answer);
		talk_check(t, buf_cstr(&line), buf_cstr(&want));
		buf_fini(&line);
		buf_fini(&want);
	}
}

TEST(the_order_of_each_criterion)
{
	talk_play_messages(messages, ARRAY_LEN(messages), orders);
}

static void
forms(struct talk *t)
{
	talk_check_end(t, "a STORE 1 +FLAGS.SILENT (\\Deleted)", "a OK Stored");
	talk_check_end(t, "a EXPUNGE", "a OK Expunged");
	talk_check(t, "a SORT (REVERSE SUBJECT) UTF-8 ALL", "* SORT 1 2\r\na OK Sorted\r\n");
	talk_check(t, "a UID SORT (SUBJECT) UTF-8 ALL", "* SORT 3 2\r\na OK Sorted\r\n");
	talk_check(t, "a SORT (DATE) x-unknown ALL",
	           "a NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known\r\n");
	talk_check(t, "a SORT (FOO) UTF-8 ALL", "a BAD Unknown sort criterion in SORT\r\n");
	talk_check(t, "a SORT (DATE) UTF-8 FOO", "a BAD Unknown search key in SORT\r\n");
	/* RFC 7162 section 3.1.9; modseqs are now 3 and 4 */
	talk_check(t, "a SORT (SUBJECT) UTF-8 MODSEQ 3",
	           "* OK [HIGHESTMODSEQ 6] Highest\r\n* SORT 2 1 (MODSEQ 4)\r\na OK Sorted\r\n");
	talk_check(t, "a SORT (SUBJECT) UTF-8 MODSEQ 99", "* SORT\r\na OK Sorted\r\n");
	talk_check(t, "a THREAD REFERENCES UTF-8 MODSEQ 3", "* THREAD (1)(2)\r\na OK Threaded\r\n");
}

TEST(forms_of_the_answer)
{
	static const char *const three[] = { "\r\n1", "Subject: b\r\n\r\n2",
		                             "Subject: a\r\n\r\n3" };

	talk_play(three, 3, forms);
}

/* Others change the mailbox while it is being sorted, and the client does not read for a while. */
TEST(a_sort_that_takes_long)
{
	struct slice heard;
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	for (int i = 0; i < 2000; i++) {
		char body[40];

		snprintf(body, sizeof(body), "Subject: %04d\r\n\r\nx", 9999 - i);
		talk_put_text(&w, "user.fred", body);
	}
	talk_select(&t);
	heard = talk_disturbed(&t, "a SORT (SUBJECT) UTF-8 ALL",
	                       "b STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n");
	assert_true(slice_starts(heard, SLICE("* SORT 2000 1999 1998")));
	assert_true(slice_ends(heard, SLICE("a OK Sorted\r\n")));
	talk_world_fini(&w, &t);
}
