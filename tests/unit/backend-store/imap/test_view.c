/* What a client is told of what others do, when, and with which numbers. */
#include "talk.h"

#include "lib/test.h"
#include "mailbox/mailbox.h"
#include "net/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const five[] = { "\r\n1", "\r\n2", "\r\n3", "\r\n4", "\r\n5" };

static void
expunges(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_check_end(&second, "b STORE 1,3:4 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	/* from the last to the first, so that the numbers are right at each line */
	talk_check(&second, "b EXPUNGE",
	           "* 4 EXPUNGE\r\n* 3 EXPUNGE\r\n* 1 EXPUNGE\r\nb OK Expunged\r\n");
	talk_put_text(t->world, "user.fred", "\r\n6");
	/* not during FETCH, STORE, SEARCH: the numbers they speak of must stay */
	talk_check(t, "a FETCH 5 UID",
	           "* 5 FETCH (UID 5)\r\n* 6 EXISTS\r\n* 6 RECENT\r\na OK Fetched\r\n");
	talk_check(t, "a SEARCH ALL", "* SEARCH 2 5 6\r\na OK Searched\r\n");
	talk_check(t, "a STORE 5 +FLAGS.SILENT (\\Seen)", "a OK Stored\r\n");
	talk_check(t, "a STORE 1 +FLAGS (\\Seen)",
	           "a NO [EXPUNGEISSUED] Some messages are gone\r\n");
	talk_check(t, "a UID SEARCH ALL",
	           "* SEARCH 2 5 6\r\n* 4 EXPUNGE\r\n* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n"
	           "a OK Searched\r\n");
	talk_check(t, "a FETCH 1:* UID",
	           "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 5)\r\n* 3 FETCH (UID 6)\r\n"
	           "a OK Fetched\r\n");
	talk_fini(&second);
}

TEST(expunges_are_told_when_numbers_may_change)
{
	talk_play(five, 5, expunges);
}

/* All that happened at once: what is gone before it was ever told is never told. */
static void
all_at_once(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_put_text(t->world, "user.fred", "\r\n6");
	talk_put_text(t->world, "user.fred", "\r\n7");
	talk_check_end(&second, "b NOOP", "b OK Done");
	talk_check_end(&second, "b STORE 2,6 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check_end(&second, "b STORE 1,7 +FLAGS.SILENT (\\Flagged $x)", "b OK Stored");
	talk_check_end(&second, "b EXPUNGE", "b OK Expunged");
	talk_check(t, "a NOOP",
	           "* 2 EXPUNGE\r\n* 5 EXISTS\r\n* 4 RECENT\r\n"
	           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x)\r\n"
	           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $x \\*)] "
	           "Can be changed\r\n"
	           "* 1 FETCH (FLAGS (\\Flagged $x \\Recent))\r\na OK Done\r\n");
	talk_check(t, "a FETCH 5 (UID FLAGS)",
	           "* 5 FETCH (UID 7 FLAGS (\\Flagged $x))\r\na OK Fetched\r\n");
	talk_check(t, "a NOOP", "a OK Done\r\n");
	talk_fini(&second);
}

TEST(everything_that_happened_meanwhile)
{
	talk_play(five, 5, all_at_once);
}

static void
recent(struct talk *t)
{
	struct talk second;

	/* t has taken all five; EXAMINE takes none */
	talk_init(&second, t->world, "fred");
	talk_check_end(&second, "b EXAMINE INBOX", "b OK [READ-ONLY] Selected");
	talk_check(&second, "b SEARCH RECENT", "* SEARCH\r\nb OK Searched\r\n");
	talk_check(&second, "b SEARCH OLD", "* SEARCH 1 2 3 4 5\r\nb OK Searched\r\n");
	talk_put_text(t->world, "user.fred", "\r\n6");
	talk_check(&second, "b NOOP", "* 6 EXISTS\r\n* 1 RECENT\r\nb OK Done\r\n");
	talk_check(t, "a NOOP", "* 6 EXISTS\r\n* 6 RECENT\r\na OK Done\r\n");
	talk_check(t, "a SEARCH RECENT", "* SEARCH 1 2 3 4 5 6\r\na OK Searched\r\n");
	/* one of two sessions that may change things gets it */
	talk_select(&second);
	talk_put_text(t->world, "user.fred", "\r\n7");
	talk_check(&second, "b NOOP", "* 7 EXISTS\r\n* 1 RECENT\r\nb OK Done\r\n");
	talk_check(t, "a NOOP", "* 7 EXISTS\r\n* 6 RECENT\r\na OK Done\r\n");
	talk_put_text(t->world, "user.fred", "\r\n8");
	talk_check(t, "a NOOP", "* 8 EXISTS\r\n* 7 RECENT\r\na OK Done\r\n");
	talk_check(t, "a SEARCH RECENT", "* SEARCH 1 2 3 4 5 6 8\r\na OK Searched\r\n");
	talk_check(&second, "b FETCH 6:7 FLAGS",
	           "* 6 FETCH (FLAGS ())\r\n* 7 FETCH (FLAGS (\\Recent))\r\n"
	           "* 8 EXISTS\r\n* 1 RECENT\r\nb OK Fetched\r\n");
	talk_fini(&second);
}

TEST(a_message_is_recent_for_one_session)
{
	talk_play(five, 5, recent);
}

static void
idle(struct talk *t)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	talk_check(t, "a IDLE", "+ idling\r\n");
	talk_check_end(&second, "b STORE 2 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check_news(t, "flags", "* 2 FETCH (FLAGS (\\Deleted \\Recent))\r\n");
	talk_check_end(&second, "b EXPUNGE", "b OK Expunged");
	talk_check_news(t, "expunge", "* 2 EXPUNGE\r\n");
	talk_put_text(t->world, "user.fred", "\r\n6");
	talk_check_news(t, "a new one", "* 5 EXISTS\r\n* 5 RECENT\r\n");
	talk_check(t, "DONE", "a OK IDLE is over\r\n");
	talk_fini(&second);
}

TEST(who_idles_is_told_at_once)
{
	talk_play(five, 5, idle);
}

/* ---- many messages ---------------------------------------------------------------------------- */

#define MANY 4000

static void
put_many(struct world *w)
{
	for (int i = 0; i < MANY; i++)
		talk_put_text(w, "user.fred", "\r\nx");
}

/* A client that takes nothing while thousands of flags change and messages go: little waits
 * for him in memory, and in the end his picture is right. */
TEST(a_client_who_sleeps_through_a_lot)
{
	struct talk t, second;
	struct world w;

	talk_world_init(&w, &t);
	put_many(&w);
	talk_select(&t);
	talk_init(&second, &w, "fred");
	talk_select(&second);
	talk_check(&t, "a IDLE", "+ idling\r\n");
	talk_stop_reading(&t, true);
	talk_check_end(&second, "b STORE 1:* +FLAGS.SILENT (\\Flagged \\Seen \\Answered)",
	               "b OK Stored");
	talk_check_end(&second, "b STORE 1:3999 +FLAGS.SILENT (\\Deleted)", "b OK Stored");
	talk_check_end(&second, "b EXPUNGE", "b OK Expunged");
	talk_check_end(&second, "b STORE 1 FLAGS.SILENT ($last)", "b OK Stored");
	(void)talk_heard(&t);
	talk_stop_reading(&t, false);
	talk_send(&t, "DONE\r\n");
	assert_true(slice_ends(talk_heard(&t), SLICE("a OK IDLE is over\r\n")));
	talk_check(&t, "a FETCH 1:* (UID FLAGS)",
	           "* 1 FETCH (UID 4000 FLAGS ($last \\Recent))\r\na OK Fetched\r\n");
	talk_fini(&second);
	talk_world_fini(&w, &t);
}

/* ---- at random ------------------------------------------------------------------------------------ */

/* A client's own picture, kept from what it is told. */
struct picture {
	struct talk talk;
	unsigned uids[400]; /* 0: not known */
	unsigned flags[400];
	unsigned count;
	bool waits; /* for the answer of what it said ahead */
};

static unsigned
flags_of(const char *text)
{
	return (strstr(text, "\\Seen") != NULL) | (strstr(text, "\\Flagged") != NULL) << 1 |
	       (strstr(text, "\\Deleted") != NULL) << 2;
}

static void
hear_line(struct picture *p, const char *line)
{
	unsigned n, uid;
	const char *at;

	if (sscanf(line, "* %u EXISTS", &n) == 1 && strstr(line, "EXISTS") != NULL) {
		assert_true(n >= p->count && n < 400);
		while (p->count < n)
			p->uids[p->count++] = 0;
	} else if (sscanf(line, "* %u", &n) == 1 && strstr(line, "EXPUNGE") != NULL) {
		assert_true(n >= 1 && n <= p->count);
		memmove(&p->uids[n - 1], &p->uids[n], (p->count - n) * sizeof(p->uids[0]));
		memmove(&p->flags[n - 1], &p->flags[n], (p->count - n) * sizeof(p->flags[0]));
		p->count--;
	} else if (sscanf(line, "* %u", &n) == 1 && strstr(line, "FETCH") != NULL) {
		assert_true(n >= 1 && n <= p->count);
		at = strstr(line, "UID ");
		if (at != NULL && sscanf(at, "UID %u", &uid) == 1) {
			assert_true(p->uids[n - 1] == 0 || p->uids[n - 1] == uid);
			p->uids[n - 1] = uid;
		}
		at = strstr(line, "FLAGS (");
		if (at != NULL)
			p->flags[n - 1] = flags_of(at);
	}
}

static void
hear(struct picture *p)
{
	struct slice all = talk_heard(&p->talk);

	while (all.n > 0) {
		char line[400];
		struct slice one = slice_cut(&all, '\n');

		snprintf(line, sizeof(line), "%.*s", SLICE_ARG(one));
		hear_line(p, line);
	}
}

/* Only sends, so that others come in between. */
static void
say_ahead(struct picture *p, const char *line)
{
	conn_write(p->talk.conn, slice_of(line));
	conn_write(p->talk.conn, SLICE("\r\n"));
	p->waits = true;
}

static void
say(struct picture *p, const char *line)
{
	say_ahead(p, line);
	talk_send(&p->talk, "");
	hear(p);
	p->waits = false;
}

/* Anything, at random; what it asks about itself is taken in as well. */
static void
do_something(struct picture *p, struct world *w)
{
	static const char *const flags[] = { "\\Seen", "\\Flagged", "\\Deleted" };
	static const char *const ops[] = { "+FLAGS", "-FLAGS", "+FLAGS.SILENT", "-FLAGS.SILENT" };
	unsigned n = p->count > 0 ? 1 + (unsigned)rand() % p->count : 0;
	int op = rand() % 4, flag = rand() % 3;
	char line[200];

	if (p->waits) {
		say(p, "a NOOP");
		return;
	}
	switch (n == 0 ? rand() % 2 : rand() % 12) {
	case 0:
		say(p, "a NOOP");
		return;
	case 1:
	case 2:
		talk_put_text(w, "user.fred", "\r\nx");
		return;
	case 3:
		say(p, "a EXPUNGE");
		return;
	case 4:
	case 5:
		snprintf(line, sizeof(line), "a FETCH %u:* (UID FLAGS)", n);
		break;
	default:
		snprintf(line, sizeof(line), "a STORE %u %s (%s)", n, ops[op], flags[flag]);
		/* silence: what it takes the flags to be */
		if (op == 2)
			p->flags[n - 1] |= 1u << flag;
		if (op == 3)
			p->flags[n - 1] &= ~(1u << flag);
		say_ahead(p, line);
		return;
	}
	say(p, line);
}

static void
check_picture(struct picture *p, unsigned *known)
{
	struct picture now;

	say(p, "a NOOP");
	now = *p;
	memset(p->uids, 0, sizeof(p->uids));
	memset(p->flags, 0xff, sizeof(p->flags));
	say(p, "a FETCH 1:* (UID FLAGS)");
	assert_int_equal(p->count, now.count);
	for (unsigned i = 0; i < p->count; i++) {
		*known += now.uids[i] != 0;
		assert_true(now.uids[i] == 0 || now.uids[i] == p->uids[i]);
		test_check(now.uids[i] == 0 || now.flags[i] == p->flags[i],
		           "message %u: it took %x for %x", i + 1, now.flags[i], p->flags[i]);
		assert_true(i == 0 || p->uids[i] > p->uids[i - 1]);
	}
}

TEST(three_clients_in_one_mailbox_at_random)
{
	unsigned known = 0;

	for (unsigned seed = 1; seed <= 20; seed++) {
		struct picture p[3];
		struct world w;

		srand(seed);
		world_init(&w, "");
		memset(p, 0, sizeof(p));
		for (int i = 0; i < 3; i++) {
			talk_init(&p[i].talk, &w, "fred");
			say(&p[i], "s SELECT INBOX");
		}
		for (int i = 0; i < 300; i++)
			do_something(&p[rand() % 3], &w);
		for (int i = 0; i < 3; i++)
			say(&p[i], "a NOOP");
		for (int i = 0; i < 3; i++)
			check_picture(&p[i], &known);
		for (int i = 0; i < 3; i++)
			talk_fini(&p[i].talk);
		world_fini(&w);
	}
	/* so that the test looks at something */
	assert_true(known > 200);
}
