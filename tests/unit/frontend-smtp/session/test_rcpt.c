/* What a client hears at RCPT: directory, map and stores in every state. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

/* ---- without a store ------------------------------------------------------------------------- */

static const struct table_case {
	const char *name, *before, *rcpt, *want;
} table[] = {
	{ "no such address", "", "ghost@example.org", "550 5.1.1 No such user here" },
	{ "not our domain", "", "fred@elsewhere.org", "550 5.7.1 *" },
	{ "a disabled account", "", "gone@example.org", "550 5.2.1 *" },
	{ "the directory is away", "auth is away\n", "fred@example.org", "451 4.3.0 *" },
	{ "no list and no barrier", "map is blind\n", "fred@example.org", "451 4.3.0 *" },
	{ "being moved", "map has user.fred moving\n", "fred@example.org", "451 4.3.0 *" },
	{ "a server that the settings lack", "map has user.fred at nowhere\n", "fred@example.org",
	  "451 4.3.0 *" },
	{ "no mailbox, and no home", "", "nohome@example.org", "450 4.2.1 *" },
	{ "an alias of which one has no home", "", "some@example.org", "450 4.2.1 *" },
	{ "postmaster, whom nobody made", "", "postmaster", "550 5.1.1 *" },
};

TEST(rcpt_table_without_a_store)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char script[1000];

		snprintf(script, sizeof(script),
		         "%s" GREETED MAIL_FROM "client > RCPT TO:<%s>\nclient < %s\n"
		         "client is silent\npool has 0\n"
		         "client > DATA\nclient < 5* 5.5.1 *\n",
		         table[i].before, table[i].rcpt, table[i].want);
		print_message("# %s\n", table[i].name);
		world_play(script);
	}
}

TEST(rcpt_directory_that_says_nothing_is_later)
{
	world_play("auth is silent\n" GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n"
	           "wait 9s\nclient is silent\nwait 2s\n"
	           "client < 451 4.3.0 *\nclient is silent\n"
	           "auth is back\nclient is silent\n"
	           "client > RCPT TO:<ghost@example.org>\nclient < 550 5.1.1 *\n");
}

/* ---- what the store says ------------------------------------------------------------------------ */

TEST(rcpt_is_asked_of_the_store_and_accepted)
{
	world_play(GREETED MAIL_FROM RCPT_FRED
	           "client is silent\nmap had 0 barriers\npool has 1\n");
}

TEST(rcpt_says_size_claim_and_detail)
{
	world_play(
		GREETED
		"client > MAIL FROM:<joe@example.net> SIZE=5000 BODY=8BITMIME\n"
		"client < 250 *\n"
		"client > RCPT TO:<Fred+lists@Example.ORG>\n" UP(
			"store1") "store1 < MAIL FROM:<joe@example.net> SIZE=5000*BODY=8BITMIME*XADDR=192.0.2.1*\n"
				  "store1 < RCPT TO:<fred+lists@example.org> XUSER=fred XDETAIL=lists XCLAIM=7\n"
				  "store1 < RSET\n" TAKES("store1") "client < 250 2.1.5 OK\n");
}

TEST(rcpt_without_a_mailbox_is_made_by_its_home)
{
	world_play(
		GREETED MAIL_FROM
		"client > RCPT TO:<new@example.org>\n" UP("store2") "store2 < MAIL *\nstore2 < RCPT TO:<new@example.org> XUSER=new\nstore2 < RSET\n" TAKES(
			"store2") "client < 250 2.1.5 OK\n");
}

/* Cyrus: somebody has to make it, or gives it another name for a while */
TEST(rcpt_without_a_mailbox_on_a_store_that_makes_none_is_later)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<later@example.org>\n" UP("cyrus") ASKED(
		"cyrus", "later") SAYS("cyrus", "550 5.1.1 unknown") "client < 450 4.2.1 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<cyrus@example.org>\n" UP("cyrus") ASKED(
		"cyrus", "cyrus") SAYS("cyrus", "550 5.1.1 unknown") "client < 550 5.1.1 *\n");
}

TEST(rcpt_over_quota_is_said_at_once)
{
	world_play(GREETED MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred")
	                   SAYS("store1",
	                        "452 4.2.2 full") "client < 452 4.2.2 full\nmap had 1 barriers\n");
}

TEST(rcpt_refusal_counts_when_the_map_still_agrees)
{
	world_play(
		GREETED MAIL_FROM
		"client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred") SAYS(
			"store1",
			"550 5.7.1 not you") "client < 550 5.7.1 not you\nmap had 1 barriers\n");
}

TEST(rcpt_refusal_is_temporary_when_nobody_can_say)
{
	world_play("map then has user.fred blind\n" GREETED MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred")
	                   SAYS("store1", "550 5.1.1 who?") "client < 451 4.3.0 *\n");
	world_play("map then has user.fred moving\n" GREETED MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred")
	                   SAYS("store1", "550 5.1.1 who?") "client < 451 4.3.0 *\n");
}

TEST(rcpt_who_has_moved_is_asked_for_at_the_new_store)
{
	world_play(
		"map then has user.fred at store2 8\n" GREETED MAIL_FROM
		"client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred") SAYS(
			"store1", "550 5.1.1 gone")
			UP("store2") "store2 < MAIL *\n"
				     "store2 < RCPT TO:<fred@example.org> XUSER=fred XCLAIM=8\nstore2 < RSET\n" TAKES(
					     "store2") "client < 250 2.1.5 OK\n");
}

TEST(rcpt_who_has_moved_under_a_new_claim_is_asked_for_again)
{
	world_play(
		"map then has user.fred at store1 8\n" GREETED MAIL_FROM
		"client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred") SAYS(
			"store1",
			"451 4.3.0 not my claim") "store1 < MAIL *\n"
						  "store1 < RCPT TO:<fred@example.org> XUSER=fred XCLAIM=8\nstore1 < RSET\n" TAKES(
							  "store1") "client < 250 2.1.5 OK\n");
}

TEST(rcpt_who_is_moving_about_is_later)
{
	world_play("map then has user.fred at store2 8\n" GREETED MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED(
			   "store1", "fred") SAYS("store1", "550 5.1.1 gone") UP("store2")
	                   ASKED("store2", "fred") "map then has user.fred at store1 9\n" SAYS(
				   "store2", "550 5.1.1 gone") "client < 451 4.3.0 *\n");
}

/* A store's words go out as ours: of the code's class, and nothing that is no text. */
TEST(rcpt_odd_answers_of_a_store)
{
	world_play(
		GREETED MAIL_FROM
		"client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred") SAYS(
			"store1",
			"550 no enhanced code") "client < 550 5.0.0 no enhanced code\n"
						"client > RCPT TO:<bob@example.org>\n" ASKED(
							"store1", "bob")
							SAYS("store1",
	                                                     "450 5.1.1 odd") "client < 450 4.0.0 5.1.1 odd\n");
}

TEST(rcpt_mail_refused_by_the_store_is_its_answer)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED(
		"store1",
		"fred") "store1 >> 452 4.3.1 disk\\r\\n503 5.5.1 no\\r\\n250 2.0.0 ok\\r\\n\n"
	                "client < 452 4.3.1 disk\n");
}

/* ---- several ------------------------------------------------------------------------------------------ */

TEST(rcpts_are_asked_at_once_and_answered_in_order)
{
	world_play(
		GREETED
		"client >> MAIL FROM:<joe@example.net>\\r\\nRCPT TO:<fred@example.org>\\r\\n"
		"RCPT TO:<ghost@example.org>\\r\\nRCPT TO:<ann@example.net>\\r\\n\n"
		"client < 250 2.1.0 OK\n" UP("store2") UP("store1") ASKED("store2",
	                                                                  "ann@example.net")
			ASKED("store1", "fred") TAKES("store2") "client is silent\n" TAKES(
				"store1") "client < 250 2.1.5 OK\nclient < 550 5.1.1 *\nclient < 250 2.1.5 OK\n");
}

TEST(rcpts_that_are_one_user_are_asked_once)
{
	world_play(
		GREETED MAIL_FROM
		"client >> RCPT TO:<fred@example.org>\\r\\nRCPT TO:<FRED@example.org>\\r\\n\n" UP(
			"store1") ASKED("store1", "fred")
			TAKES("store1") "client < 250 2.1.5 OK\nclient < 250 2.1.5 OK\nstore1 is silent\n"
					"client > RCPT TO:<fred@example.org>\nclient < 250 2.1.5 OK\n"
					"store1 is silent\n"
					"client > RCPT TO:<fred+x@example.org>\n" ASKED("store1",
	                                                                                "fred+x")
						TAKES("store1") "client < 250 2.1.5 OK\n");
}

/* However many come at once: one connection a store, and two rounds at most. */
TEST(rcpts_of_one_store_are_asked_together)
{
	world_play_once(
		"", GREETED MAIL_FROM
		"client >> RCPT TO:<fred+1@example.org>\\r\\nRCPT TO:<fred+2@example.org>\\r\\n"
		"RCPT TO:<bob@example.org>\\r\\n\n" UP("store1")
		/* (the map answers the last question first) */
		ASKED("store1", "bob") TAKES(
			"store1") "client is silent\n"
				  "store1 < MAIL *\nstore1 < RCPT TO:<fred+2@*\nstore1 < RCPT TO:<fred+1@*\n"
				  "store1 < RSET\n"
				  "store1 >> 250 ok\\r\\n250 ok\\r\\n550 5.7.1 not one\\r\\n250 ok\\r\\n\n"
				  "client < 550 5.7.1 not one\nclient < 250 *\nclient < 250 *\npool has 1\n");
}

TEST(rcpt_of_two_users_has_the_worst_answer)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<both@example.org>\n" UP("store1")
	                   UP("store2") ASKED("store1", "fred") ASKED("store2", "ann")
	                           TAKES("store1") "client is silent\n" TAKES(
					   "store2") "client < 250 2.1.5 OK\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<both@example.org>\n" UP("store1")
	                   UP("store2") ASKED("store1", "fred") ASKED("store2", "ann")
	                           SAYS("store1", "550 5.7.1 no") SAYS(
					   "store2", "452 4.2.2 full") "client < 452 4.2.2 full\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<both@example.org>\n" UP("store1")
	                   UP("store2") ASKED("store1", "fred") ASKED("store2", "ann")
	                           SAYS("store1", "550 5.7.1 no")
	                                   TAKES("store2") "client < 550 5.7.1 no\n");
}

TEST(rcpts_beyond_the_limit_come_later)
{
	world_play_with("recipient_limit = 1\n", GREETED MAIL_FROM RCPT_FRED
	                "client > RCPT TO:<bob@example.org>\nclient < 452 4.5.3 *\n");
}

/* ---- stores that are away ------------------------------------------------------------------------------- */

TEST(store_that_refuses_connections_is_later_at_once)
{
	world_play("store1 refuses\n" GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n"
	           "client < 451 4.3.0 *\npool has 0\n"
	           /* marked down: nobody dials, but the answer comes */
	           "store1 listens\n"
	           "client > RCPT TO:<bob@example.org>\nclient < 451 4.3.0 *\n"
	           "client > RCPT TO:<ann@example.net>\n" UP("store2") ASKED("store2", "ann")
	                   TAKES("store2") "client < 250 *\n"
	                                   "wait 1s\n"
	                                   "client > RCPT TO:<bob+x@example.org>\n" UP("store1")
	                                           ASKED("store1", "bob+x")
	                                                   TAKES("store1") "client < 250 *\n");
}

/* First for 500 ms, then for 1 s; and for 500 ms again after it was there. */
TEST(store_that_stays_down_is_dialled_ever_less)
{
	world_play(
		"store1 refuses\n" GREETED MAIL_FROM
		"client > RCPT TO:<fred+1@example.org>\nclient < 451 *\nwait 501ms\n"
		"client > RCPT TO:<fred+2@example.org>\nclient < 451 *\nwait 501ms\n"
		"store1 listens\n"
		"client > RCPT TO:<fred+3@example.org>\nclient < 451 *\nwait 501ms\n"
		"client > RCPT TO:<fred+4@example.org>\n" UP("store1") ASKED("store1", "fred+4") TAKES(
			"store1") "client < 250 *\n"
				  "store1 closes\nstore1 refuses\n"
				  "client > RCPT TO:<fred+5@example.org>\nclient < 451 *\nwait 501ms\n"
				  "store1 listens\n"
				  "client > RCPT TO:<fred+6@example.org>\n" UP("store1"));
}

TEST(store_that_cannot_be_reached_is_later_in_time)
{
	world_play("store1 blackholes\n" GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n"
	           "wait 4s\nclient is silent\nwait 2s\nclient < 451 4.3.0 *\n");
}

static const char *const silent_steps[] = {
	"store1 accepts\n",
	"store1 accepts\nstore1 > 220 store1\nstore1 < LHLO fe1\n",
	"store1 accepts\nstore1 >> 220\n",
};

TEST(store_that_says_nothing_is_later_in_time_and_others_do_not_wait)
{
	for (size_t i = 0; i < ARRAY_LEN(silent_steps); i++) {
		char script[2000];

		snprintf(
			script, sizeof(script),
			GREETED MAIL_FROM
			"client > RCPT TO:<fred@example.org>\n%s"
			"client is silent\n"
			"second connects\nsecond < 220 *\nsecond > EHLO x\nsecond << 250 *\n"
			"second > MAIL FROM:<joe@example.net>\nsecond < 250 *\n"
			"second > RCPT TO:<ann@example.net>\n" UP("store2") ASKED("store2", "ann") TAKES(
				"store2") "second < 250 *\n"
					  "wait 6s\nclient < 451 4.3.0 *\nstore1 is closed\npool has 1\n",
			silent_steps[i]);
		world_play(script);
	}
}

TEST(store_that_does_not_answer_rcpt_is_later_in_time)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED(
		"store1",
		"fred") "wait 9s\nclient is silent\nwait 2s\nclient < 451 4.3.0 *\nstore1 is closed\n");
}

TEST(store_that_breaks_off_is_later)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                   ASKED("store1", "fred") "store1 > 250 ok\nstore1 closes\n"
	                                           "client < 451 4.3.0 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\nstore1 accepts\n"
	                             "store1 > 421 4.3.2 not now\nclient < 451 4.3.0 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\nstore1 accepts\n"
	                             "store1 > HTTP/1.1 400 Bad Request\nclient < 451 4.3.0 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\nstore1 accepts\n"
	                             "store1 resets\nclient < 451 4.3.0 *\n");
}

TEST(store_that_is_away_while_the_user_has_moved)
{
	world_play("store1 refuses\nmap then has user.fred at store2 8\n" GREETED MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" UP("store2") ASKED("store2", "fred")
	                   TAKES("store2") "client < 250 2.1.5 OK\n");
}
