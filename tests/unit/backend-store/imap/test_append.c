/* APPEND: one message, several, large ones, and what is none. */
#include "world.h"

#include "base/buf.h"
#include "lib/test.h"

#include <stdio.h>

TEST(flags_and_dates_are_kept)
{
	world_play_logged_in(
		"client > a APPEND INBOX (\\\\Seen \\\\Flagged $Junk \\\\Recent) \"17-Jul-1996 02:44:25 -0700\" {11}\n"
		"client < + *\n"
		"client > hello world\n"
		"client < a OK [APPENDUID * 1] *\n"
		"client > b SELECT INBOX\n"
		"client << b OK *\n"
		"client > c FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\n"
		"client < * 1 FETCH (FLAGS (*Flagged *Seen $Junk *Recent) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 11 BODY[] {11}\n"
		"client < hello world)\n"
		"client < c OK *\n");
}

/* RFC 3502 */
TEST(several_messages_at_once)
{
	world_play_logged_in("client > a APPEND INBOX (\\\\Seen) {3}\n"
	                     "client < + *\n"
	                     "client > one () {3+}\n"
	                     "client > two \"17-Jul-1996 02:44:25 -0700\" {5}\n"
	                     "client < + *\n"
	                     "client > three\n"
	                     "client < a OK [APPENDUID * 1:3] *\n"
	                     "client > b SELECT INBOX\n"
	                     "client << * 3 EXISTS\n"
	                     "client << b OK *\n"
	                     "client > c FETCH 1:3 (FLAGS RFC822.SIZE)\n"
	                     "client < * 1 FETCH (FLAGS (*Seen *Recent) RFC822.SIZE 3)\n"
	                     "client < * 2 FETCH (FLAGS (*Recent) RFC822.SIZE 3)\n"
	                     "client < * 3 FETCH (FLAGS (*Recent) RFC822.SIZE 5)\n"
	                     "client < c OK *\n");
}

TEST(all_or_none_of_them)
{
	world_play_logged_in("client > a APPEND INBOX {3}\n"
	                     "client < + *\n"
	                     "client > one (\\\\Foo) {3}\n"
	                     "client < a BAD *\n"
	                     "client > b APPEND INBOX {3+}\n"
	                     "client > one {0+}\n"
	                     "client >\n"
	                     "client < b NO *\n"
	                     "client > c APPEND INBOX {3+}\n"
	                     "client > one x\n"
	                     "client < c BAD *\n"
	                     "client > d APPEND INBOX {3+}\n"
	                     "client > one {3000000}\n"
	                     "client < d NO [TOOBIG] *\n"
	                     "client > e APPEND INBOX {3+}\n"
	                     "client > one {3+}\n"
	                     "client > a\\x00b\n"
	                     "client < e NO *\n"
	                     "client > f APPEND INBOX {3+}\n"
	                     "client > one ~{3+}\n"
	                     "client > two\n"
	                     "client < f BAD *\n"
	                     "store holds user.fred 0\n"
	                     "client > g NOOP\n"
	                     "client < g OK *\n");
}

TEST(what_is_refused_before_the_message_is_sent)
{
	world_play_logged_in("client > a APPEND nothing {3}\n"
	                     "client < a NO [TRYCREATE] *\n"
	                     "client > b APPEND nothing {3+}\n"
	                     "client > xyz\n"
	                     "client < b NO [TRYCREATE] *\n"
	                     "client > c APPEND INBOX {2097153}\n"
	                     "client < c NO [TOOBIG] *\n"
	                     "client > d APPEND INBOX\n"
	                     "client < d BAD *\n"
	                     "client > e APPEND INBOX (\\\\Seen {3}\n"
	                     "client < e BAD *\n"
	                     "client > f APPEND INBOX \"1-Foo-1996 02:44:25 -0700\" {3}\n"
	                     "client < f BAD *\n"
	                     "client > g APPEND INBOX (\\\\Seen){3}\n"
	                     "client < g BAD *\n"
	                     "client > h APPEND {5+}\n"
	                     "client > INBOX {3}\n"
	                     "client < + *\n"
	                     "client > xyz\n"
	                     "client < h OK *\n"
	                     "client > i APPEND \"a//b\" {3}\n"
	                     "client < i NO *\n"
	                     "client > j APPEND INBOX \"hello\"\n"
	                     "client < j BAD *\n"
	                     "client > k APPEND INBOX ((\\\\Seen)) {3}\n"
	                     "client < k BAD *\n"
	                     "client > l APPEND\n"
	                     "client < l BAD *\n"
	                     "store holds user.fred 1\n");
}

TEST(a_message_that_is_too_big_and_is_sent_unasked_ends_the_session)
{
	world_play_logged_in("client > a APPEND INBOX {2097153+}\n"
	                     "client < * BYE *\n"
	                     "client is closed\n"
	                     "store holds user.fred 0\n");
}

/* Beyond what the spool holds in memory. */
TEST(a_large_message_comes_back_as_it_was)
{
	enum { LINES = 30000, LINE = 52 };
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init(&w, "");
	buf_add_str(&script, "client connects\nclient << * OK *\n"
	                     "client > a LOGIN fred \"p w\"\nclient < a OK *\n");
	buf_printf(&script, "client > b APPEND INBOX {%d}\nclient < + *\nclient >> ", LINES * LINE);
	for (int i = 0; i < LINES; i++)
		buf_printf(&script, "%08d%042d\\r\\n", i, i);
	buf_add_str(&script, "\nclient >> \\r\\n\nclient < b OK [APPENDUID *\n"
	                     "client > c SELECT INBOX\nclient << c OK *\n"
	                     "client > d FETCH 1 BODY.PEEK[]\n"
	                     "client < * 1 FETCH (BODY[] {1560000}\n");
	for (int i = 0; i < LINES; i++)
		buf_printf(&script, "client < %08d%042d\n", i, i);
	buf_add_str(&script, "client < )\nclient < d OK *\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);
}

struct stopper {
	struct world *w;
	unsigned turns;
};

static void
on_turn(void *ctx)
{
	struct stopper *s = ctx;

	if (s->turns-- > 0)
		loop_defer(play_loop(s->w->play), on_turn, s);
	else
		imap_service_free(&s->w->service);
}

/* The bodies are needed until they are on disk, also when nobody waits for the answer. */
TEST(a_session_that_ends_while_its_message_is_written)
{
	for (unsigned turns = 0; turns < 20; turns++) {
		struct world w;
		struct stopper s = { &w, turns };

		world_init(&w, "");
		play_run(w.play, "client connects\n"
		                 "client << * OK *\n"
		                 "client > a LOGIN fred \"p w\"\n"
		                 "client < a OK *\n"
		                 "client > b APPEND INBOX {5}\n"
		                 "client < + *\n"
		                 "client >> hello\n"
		                 "client is silent\n");
		loop_defer(play_loop(w.play), on_turn, &s);
		play_run(w.play, "client >> \\r\\n\n");
		assert_null(w.service);
		world_fini(&w);
	}
}
