/* COPY and MOVE. */
#include "talk.h"

#include "lib/test.h"
#include "mailbox/mailbox.h"

static const char *const four[] = { "\r\n1", "\r\n2", "\r\n3", "\r\n4" };

/* COPYUID and its UIDVALIDITY, which is not known before. */
static void
check_copied(struct talk *t, const char *line, const char *pattern)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct slice heard;
	size_t at;

	talk_send(t, line);
	talk_send(t, "\r\n");
	heard = talk_heard(t);
	at = slice_find_slice(heard, SLICE("[COPYUID "));
	if (at < heard.n) {
		size_t digits = at + 9;

		buf_add_slice(&script, slice_sub(heard, 0, digits));
		buf_add_char(&script, 'V');
		while (heard.p[digits] >= '0' && heard.p[digits] <= '9')
			digits++;
		heard = slice_skip(heard, digits);
	}
	buf_add_slice(&script, heard);
	test_eq_str(line, buf_cstr(&script), pattern);
	buf_fini(&script);
}

static void
copies(struct talk *t)
{
	talk_check_end(t, "a STORE 3 FLAGS.SILENT (\\Flagged $k)", "a OK Stored");
	check_copied(t, "a COPY 3,1 Sent", "a OK [COPYUID V 1,3 1:2] Copied\r\n");
	check_copied(t, "a UID COPY 2:99 Sent", "a OK [COPYUID V 2:4 3:5] Copied\r\n");
	check_copied(t, "a UID COPY 99 Sent", "a OK There was nothing\r\n");
	/* into itself */
	check_copied(t, "a COPY 1 INBOX",
	             "* 5 EXISTS\r\n* 5 RECENT\r\na OK [COPYUID V 1 5] Copied\r\n");
	talk_check_end(t, "a SELECT Sent", "a OK [READ-WRITE] Selected");
	talk_check(t, "a FETCH 1:2 (UID FLAGS INTERNALDATE BODY.PEEK[TEXT])",
	           "* 1 FETCH (UID 1 FLAGS (\\Recent) INTERNALDATE \" 1-Jan-2024 12:00:00 +0000\" "
	           "BODY[TEXT] {1}\r\n1)\r\n"
	           "* 2 FETCH (UID 2 FLAGS (\\Flagged $k \\Recent) "
	           "INTERNALDATE \" 1-Jan-2024 12:00:00 +0000\" BODY[TEXT] {1}\r\n3)\r\n"
	           "a OK Fetched\r\n");
}

TEST(copies_have_flags_and_dates)
{
	talk_play(four, 4, copies);
}

static void
refused(struct talk *t)
{
	talk_check(t, "a COPY 1", "a BAD Missing an argument in COPY\r\n");
	talk_check(t, "a COPY 5 Sent", "a BAD No message has this number in COPY\r\n");
	talk_check(t, "a MOVE 5 Sent", "a BAD No message has this number in MOVE\r\n");
	talk_check(t, "a COPY 1 Sent x", "a BAD Unexpected extra arguments to COPY\r\n");
	talk_check(t, "a COPY 1 Nowhere", "a NO [TRYCREATE] There is no such mailbox\r\n");
	talk_check(t, "a UID MOVE 1 Nowhere", "a NO [TRYCREATE] There is no such mailbox\r\n");
	talk_check(t, "a SEARCH ALL", "* SEARCH 1 2 3 4\r\na OK Searched\r\n");
	talk_check_end(t, "a EXAMINE INBOX", "a OK [READ-ONLY] Selected");
	talk_check(t, "a MOVE 1 Sent", "a NO [READ-ONLY] The mailbox is selected read-only\r\n");
	check_copied(t, "a COPY 1 Sent", "a OK [COPYUID V 1 1] Copied\r\n");
}

TEST(what_is_refused)
{
	talk_play(four, 4, refused);
}

static void
moves(struct talk *t)
{
	check_copied(
		t, "a MOVE 2:3 Trash",
		"* OK [COPYUID V 2:3 1:2] Moved\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\na OK Done\r\n");
	check_copied(t, "a UID MOVE 4,77 Trash",
	             "* OK [COPYUID V 4 3] Moved\r\n* 2 EXPUNGE\r\na OK Done\r\n");
	check_copied(t, "a UID MOVE 77 Trash", "a OK There was nothing\r\n");
	/* into itself: under a new UID */
	check_copied(t, "a MOVE 1 INBOX",
	             "* OK [COPYUID V 1 5] Moved\r\n* 1 EXPUNGE\r\n* 1 EXISTS\r\n* 1 RECENT\r\n"
	             "a OK Done\r\n");
	talk_check_end(t, "a SELECT Trash", "a OK [READ-WRITE] Selected");
	talk_check(t, "a UID FETCH 1:* BODY.PEEK[TEXT]",
	           "* 1 FETCH (UID 1 BODY[TEXT] {1}\r\n2)\r\n"
	           "* 2 FETCH (UID 2 BODY[TEXT] {1}\r\n3)\r\n"
	           "* 3 FETCH (UID 3 BODY[TEXT] {1}\r\n4)\r\na OK Fetched\r\n");
}

TEST(moves_take_away)
{
	talk_play(four, 4, moves);
}

static void
gone(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_check_end(&second, "b STORE 2 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check_end(&second, "b EXPUNGE", "b OK Expunged");
	/* by number all or none; UIDs that are gone never were */
	talk_check(t, "a COPY 1:3 Sent",
	           "* 2 EXPUNGE\r\na NO [EXPUNGEISSUED] Some messages are gone\r\n");
	check_copied(t, "a UID COPY 1:3 Sent", "a OK [COPYUID V 1,3 1:2] Copied\r\n");
	/* both take the same one */
	check_copied(&second, "b UID MOVE 3 Sent",
	             "* OK [COPYUID V 3 3] Moved\r\n* 2 EXPUNGE\r\nb OK Done\r\n");
	check_copied(t, "a UID MOVE 3 Sent", "* 2 EXPUNGE\r\na OK There was nothing\r\n");
	talk_fini(&second);
}

TEST(messages_that_others_have_expunged)
{
	talk_play(four, 4, gone);
}

static void
rights(struct talk *t)
{
	struct talk ann;

	talk_init(&ann, t->world, "ann");
	play_run(t->world->play, "store gives acl user.fred fred|lrswipkxtea|ann|lri|");
	talk_check_end(&ann, "b SELECT \"Other Users/fred\"", "b OK [READ-WRITE] Selected");
	talk_check(&ann, "b MOVE 1 INBOX", "b NO [NOPERM] You may not take messages from here\r\n");
	check_copied(&ann, "b COPY 1 INBOX", "b OK [COPYUID V 1 1] Copied\r\n");
	play_run(t->world->play, "store gives acl user.fred fred|lrswipkxtea|ann|lr|");
	talk_check_end(&ann, "b SELECT INBOX", "b OK [READ-WRITE] Selected");
	talk_check(&ann, "b COPY 1 \"Other Users/fred\"",
	           "b NO [NOPERM] You may not do this there\r\n");
	play_run(t->world->play, "store gives acl user.fred fred|lrswipkxtea|");
	talk_check(&ann, "b COPY 1 \"Other Users/fred\"",
	           "b NO [TRYCREATE] There is no such mailbox\r\n");
	talk_fini(&ann);
}

TEST(rights_on_both_sides)
{
	talk_play(four, 4, rights);
}
