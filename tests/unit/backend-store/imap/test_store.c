/* STORE and EXPUNGE. */
#include "talk.h"

#include "lib/test.h"
#include "mailbox/mailbox.h"
#include "net/conn.h"

#include <stdio.h>

static const char *const three[] = { "\r\n1", "\r\n2", "\r\n3" };

static void
forms(struct talk *t)
{
	talk_check(t, "a STORE 1 FLAGS (\\Seen \\Flagged)",
	           "* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1 +flags \\answered",
	           "* 1 FETCH (FLAGS (\\Answered \\Flagged \\Seen \\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1 -FLAGS (\\Seen \\Draft)",
	           "* 1 FETCH (FLAGS (\\Answered \\Flagged \\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a UID STORE 1,3 FLAGS ()",
	           "* 1 FETCH (UID 1 FLAGS (\\Recent))\r\n* 3 FETCH (UID 3 FLAGS (\\Recent))\r\n"
	           "a OK Stored\r\n");
	/* what changes nothing is told all the same: it was asked for */
	talk_check(t, "a STORE 2 -FLAGS (\\Seen)",
	           "* 2 FETCH (FLAGS (\\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1:* +FLAGS.SILENT (\\Seen)", "a OK Stored\r\n");
	talk_check(t, "a FETCH 1:3 FLAGS",
	           "* 1 FETCH (FLAGS (\\Seen \\Recent))\r\n* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
	           "* 3 FETCH (FLAGS (\\Seen \\Recent))\r\na OK Fetched\r\n");
	talk_check(t, "a STORE 2 FLAGS.SILENT (\\Draft)", "a OK Stored\r\n");
	talk_check(t, "a STORE 2 -FLAGS.SILENT (\\Draft)", "a OK Stored\r\n");
	talk_check(t, "a FETCH 2 FLAGS", "* 2 FETCH (FLAGS (\\Recent))\r\na OK Fetched\r\n");
	talk_check(t, "a UID STORE 99 +FLAGS (\\Seen)", "a OK Stored\r\n");
}

TEST(flags_are_set_added_and_taken_away)
{
	talk_play(three, 3, forms);
}

static void
refused(struct talk *t)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{ "a STORE 1", "a BAD Missing an argument in STORE\r\n" },
		{ "a STORE 1 FLAGS", "a BAD Missing an argument in STORE\r\n" },
		{ "a STORE 1 FOO (\\Seen)", "a BAD Unknown item in STORE\r\n" },
		{ "a STORE 1 FLAGS.LOUD (\\Seen)", "a BAD Unknown item in STORE\r\n" },
		{ "a STORE 1 FLAGS (\\Foo)", "a BAD Unknown system flag in STORE\r\n" },
		{ "a STORE 1 FLAGS (\\Seen", "a BAD Missing ) in STORE\r\n" },
		{ "a STORE 1 FLAGS (\\Seen) x", "a BAD Unexpected extra arguments to STORE\r\n" },
		{ "a STORE 1 FLAGS \"x\"", "a BAD Missing flag in STORE\r\n" },
		{ "a STORE 0 FLAGS ()", "a BAD Invalid message set in STORE\r\n" },
		{ "a STORE 4 FLAGS ()", "a BAD No message has this number in STORE\r\n" },
		{ "a STORE 1 (FOO 1) FLAGS ()", "a BAD Unknown modifier in STORE\r\n" },
		{ "a STORE 1 (UNCHANGEDSINCE x) FLAGS ()",
		  "a BAD Invalid modification sequence in STORE\r\n" },
		{ "a UID EXPUNGE", "a BAD Missing an argument in UID EXPUNGE\r\n" },
		{ "a UID EXPUNGE x", "a BAD Invalid UID set in UID EXPUNGE\r\n" },
		{ "a EXPUNGE 1", "a BAD Unexpected extra arguments to EXPUNGE\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		talk_check(t, rows[i].line, rows[i].answer);
	talk_check_end(t, "a EXAMINE INBOX", "a OK [READ-ONLY] Selected");
	talk_check(t, "a STORE 1 FLAGS (\\Seen)",
	           "a NO [READ-ONLY] The mailbox is selected read-only\r\n");
	talk_check(t, "a EXPUNGE", "a NO [READ-ONLY] The mailbox is selected read-only\r\n");
	talk_check(t, "a UID EXPUNGE 1", "a NO [READ-ONLY] The mailbox is selected read-only\r\n");
}

TEST(what_is_refused)
{
	talk_play(three, 3, refused);
}

static void
keywords(struct talk *t)
{
	talk_check(t, "a STORE 1 +FLAGS ($Work x)",
	           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work x)\r\n"
	           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work x "
	           "\\*)] Can be changed\r\n"
	           "* 1 FETCH (FLAGS ($Work x \\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1 -FLAGS (X nothing)",
	           "* 1 FETCH (FLAGS ($Work \\Recent))\r\na OK Stored\r\n");
	talk_check(t, "a SEARCH KEYWORD $WORK", "* SEARCH 1\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH UNKEYWORD $Work", "* SEARCH 2 3\r\na OK Searched\r\n");
	talk_check(t, "a SEARCH KEYWORD nothing", "* SEARCH\r\na OK Searched\r\n");
}

TEST(keywords_are_made_by_use)
{
	talk_play(three, 3, keywords);
}

static void
too_many(struct talk *t)
{
	char line[100];

	for (int i = 0; i < MAILBOX_KEYWORDS_MAX; i++) {
		snprintf(line, sizeof(line), "a STORE 1 +FLAGS.SILENT (k%d)", i);
		talk_check_end(t, line, "a OK Stored");
	}
	talk_check(t, "a STORE 2 +FLAGS (more)",
	           "a NO [LIMIT] The mailbox has no room for more keywords\r\n");
	talk_check(t, "a STORE 2 +FLAGS (k5)",
	           "* 2 FETCH (FLAGS (k5 \\Recent))\r\na OK Stored\r\n");
	talk_check(t,
	           "a STORE 2 +FLAGS (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)",
	           "a NO [CANNOT] This name or argument cannot be\r\n");
}

TEST(keywords_are_bounded)
{
	talk_play(three, 3, too_many);
}

/* ---- CONDSTORE ------------------------------------------------------------------------------ */

static void
unchanged_since(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	/* modseqs are 2, 3, 4 */
	talk_check_end(&second, "b STORE 2 +FLAGS (\\Flagged)", "b OK Stored");
	talk_check(t, "a STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS (\\Seen)",
	           "* OK [HIGHESTMODSEQ 4] Highest\r\n"
	           "* 1 FETCH (MODSEQ (6) FLAGS (\\Seen \\Recent))\r\n"
	           "* 3 FETCH (MODSEQ (6) FLAGS (\\Seen \\Recent))\r\n"
	           "* 2 FETCH (MODSEQ (5) FLAGS (\\Flagged \\Recent))\r\n"
	           "a OK [MODIFIED 2] Some messages were changed before\r\n");
	talk_check(t, "a UID STORE 1,3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Draft)",
	           "a OK [MODIFIED 1,3] Some messages were changed before\r\n");
	/* silence, but for the new modseq */
	talk_check(t, "a UID STORE 2 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Draft)",
	           "* 2 FETCH (UID 2 MODSEQ (7))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1 +FLAGS.SILENT (\\Draft)",
	           "* 1 FETCH (MODSEQ (8))\r\na OK Stored\r\n");
	talk_check(t, "a STORE 1:3 (UNCHANGEDSINCE 0) FLAGS ()",
	           "a OK [MODIFIED 1:3] Some messages were changed before\r\n");
	talk_fini(&second);
}

TEST(a_store_on_condition)
{
	talk_play(three, 3, unchanged_since);
}

/* ---- two at once ---------------------------------------------------------------------------- */

/* Silence is only for what the client did himself. */
static void
silent_race(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	conn_write(t->conn, SLICE("a STORE 1 +FLAGS.SILENT (\\Seen)\r\n"));
	conn_write(second.conn, SLICE("b STORE 1 +FLAGS.SILENT (\\Flagged)\r\n"));
	talk_send(&second, "b NOOP\r\n");
	talk_send(t, "a NOOP\r\n");
	talk_check_news(t, "what the other did",
	                "a OK Stored\r\n* 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent))\r\n"
	                "a OK Done\r\n");
	assert_true(slice_find_slice(talk_heard(&second),
	                             SLICE("* 1 FETCH (FLAGS (\\Flagged \\Seen))")) < 1000);
	talk_fini(&second);
}

TEST(two_stores_at_once)
{
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	talk_put_text(&w, "user.fred", "\r\n1");
	talk_select(&t);
	silent_race(&t);
	talk_world_fini(&w, &t);
}

/* ---- rights ----------------------------------------------------------------------------------- */

static void
give(struct talk *t, const char *rights)
{
	char line[200];

	snprintf(line, sizeof(line), "store gives acl user.fred fred|lrswipkxtea|ann|%s|", rights);
	play_run(t->world->play, line);
}

static void
rights(struct talk *t)
{
	struct talk ann;

	talk_init(&ann, t->world, "ann");
	talk_check_end(t, "a STORE 1 FLAGS (\\Seen \\Flagged \\Deleted old)", "a OK Stored");
	give(t, "lrs");
	talk_check_end(&ann, "b SELECT \"Other Users/fred\"", "b OK [READ-WRITE] Selected");
	/* what is not his is passed over, and what he replaces leaves the rest alone */
	talk_check(&ann, "b STORE 1 FLAGS (\\Answered)",
	           "* 1 FETCH (FLAGS (\\Flagged \\Deleted old))\r\nb OK Stored\r\n");
	talk_check(&ann, "b STORE 1 +FLAGS (\\Seen \\Draft)",
	           "* 1 FETCH (FLAGS (\\Flagged \\Deleted \\Seen old))\r\nb OK Stored\r\n");
	talk_check(&ann, "b STORE 1 -FLAGS (\\Deleted)",
	           "b NO [NOPERM] You may not change these flags\r\n");
	talk_check(&ann, "b EXPUNGE", "b NO [NOPERM] You may not expunge messages here\r\n");
	give(t, "lrw");
	talk_check(&ann, "b NOOP",
	           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft old)\r\n"
	           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft old \\*)] Can be "
	           "changed\r\nb OK Done\r\n");
	talk_check(&ann, "b STORE 1 FLAGS (\\Answered new)",
	           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft old new)\r\n"
	           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft old new \\*)] Can be "
	           "changed\r\n"
	           "* 1 FETCH (FLAGS (\\Answered \\Deleted \\Seen new))\r\nb OK Stored\r\n");
	give(t, "lrt");
	talk_check_end(&ann, "b STORE 1 FLAGS.SILENT ()", "b OK Stored");
	talk_check(&ann, "b FETCH 1 FLAGS",
	           "* 1 FETCH (FLAGS (\\Answered \\Seen new))\r\nb OK Fetched\r\n");
	talk_fini(&ann);
}

TEST(rights_decide_which_flags_change)
{
	talk_play(three, 3, rights);
}

/* ---- EXPUNGE -------------------------------------------------------------------------------- */

static void
expunge(struct talk *t)
{
	talk_check_end(t, "a STORE 1,3 +FLAGS.SILENT (\\Deleted)", "a OK Stored");
	talk_check(t, "a UID EXPUNGE 2:99", "* 3 EXPUNGE\r\na OK Expunged\r\n");
	talk_check(t, "a EXPUNGE", "* 1 EXPUNGE\r\na OK Expunged\r\n");
	talk_check(t, "a EXPUNGE", "a OK Expunged\r\n");
	talk_check(t, "a UID EXPUNGE 1:*", "a OK Expunged\r\n");
	talk_check(t, "a FETCH 1:* (UID FLAGS)",
	           "* 1 FETCH (UID 2 FLAGS (\\Recent))\r\na OK Fetched\r\n");
}

TEST(what_is_deleted_is_expunged)
{
	talk_play(three, 3, expunge);
}
