/* Connections to stores: shared, kept, closed, bounded; foreign stores. */
#include "world.h"

#include "lib/test.h"

#define FRED_READY GREETED MAIL_FROM RCPT_FRED
#define SECOND                                                                                     \
	"second connects\nsecond < 220 *\nsecond > EHLO x\nsecond << 250 *\n"                      \
	"second > MAIL FROM:<joe@example.net>\nsecond < 250 *\n"

TEST(idle_connections_are_shared_by_sessions)
{
	world_play(FRED_READY SECOND "second > RCPT TO:<bob@example.org>\n" ASKED("store1", "bob")
	                   TAKES("store1") "second < 250 *\npool has 1\n");
}

TEST(idle_connections_are_closed_politely)
{
	world_play(FRED_READY "wait 29s\npool has 1\nwait 2s\nstore1 < QUIT\nstore1 is closed\n"
	                      "pool has 0\n");
}

TEST(idle_connections_closed_by_the_store_are_no_trouble)
{
	world_play(FRED_READY "store1 > 421 4.4.2 idle\nstore1 closes\npool has 0\n" SECOND
	                      "second > RCPT TO:<bob@example.org>\n" UP("store1")
	                              ASKED("store1", "bob") TAKES("store1") "second < 250 *\n");
}

/* (accepting the second connection as store1 closes the first) */
TEST(busy_connections_are_not_shared)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                   ASKED("store1", "fred") SECOND
	           "second > RCPT TO:<bob@example.org>\n"
	           "pool has 2\nclient is silent\n" UP("store1") "client < 451 *\n" ASKED(
			   "store1", "bob") TAKES("store1") "second < 250 *\npool has 1\n");
}

TEST(connections_to_a_store_are_bounded_and_waited_for)
{
	world_play_with("store_connections = 1\n",
	                GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                        ASKED("store1", "fred") SECOND
	                "second > RCPT TO:<bob@example.org>\n"
	                "pool has 1\nsecond is silent\n" TAKES("store1") "client < 250 *\n" ASKED(
				"store1", "bob") TAKES("store1") "second < 250 *\n");
	world_play_with("store_connections = 1\n",
	                GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                        ASKED("store1", "fred") SECOND
	                "second > RCPT TO:<bob@example.org>\n"
	                "wait 9s\nsecond is silent\nwait 2s\nsecond < 451 4.3.0 *\n");
}

/* Waiting for one that is lost means a new one. */
TEST(connection_that_is_lost_makes_room)
{
	world_play_with("store_connections = 1\n",
	                GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                        ASKED("store1", "fred") SECOND
	                "second > RCPT TO:<bob@example.org>\n"
	                "store1 closes\nclient < 451 *\n" UP("store1") ASKED("store1", "bob")
	                        TAKES("store1") "second < 250 *\n");
}

/* The store's machine is gone, and nobody notices: what else is idle there is not waited for. */
TEST(connection_that_hangs_takes_the_idle_ones_with_it)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                   ASKED("store1", "fred") SECOND
	           "second > RCPT TO:<bob@example.org>\n"
	           "pool has 2\nstore1 cuts\n"
	           "wait 11s\nclient < 451 *\nsecond < 451 *\npool has 0\n");
	world_play(FRED_READY
	           "store1 cuts\n" SECOND "second > RCPT TO:<bob@example.org>\n"
	           "wait 9s\nsecond is silent\nwait 2s\nsecond < 451 4.3.0 *\npool has 0\n"
	           "second > RCPT TO:<bob+x@example.org>\n" UP("store1") ASKED("store1", "bob+x")
	                   TAKES("store1") "second < 250 *\n");
}

/* A front end that is not in its trusted_networks yet: nothing is wrong with the mail. */
TEST(store_that_wants_a_login_of_us_is_for_later)
{
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1") ASKED(
		"store1", "fred") "store1 >> 530 5.7.0 log in\\r\\n503 5.5.1 no\\r\\n250 "
	                          "ok\\r\\n\nclient < 451 4.3.5 *\n");
}

/* ---- foreign stores ---------------------------------------------------------------------------- */

#define CYRUS_UP                                                                                   \
	"cyrus accepts\ncyrus > 220 cyrus LMTP\ncyrus < LHLO fe1\n"                                \
	"cyrus >> 250-cyrus\\r\\n250-8BITMIME\\r\\n250-PIPELINING\\r\\n250 SIZE\\r\\n\n"
#define CYRUS_ASKED                                                                                \
	"cyrus < MAIL FROM:<joe@example.net>\ncyrus < RCPT TO:<cyrus@example.org>\ncyrus < RSET\n"

TEST(foreign_store_hears_plain_lmtp)
{
	world_play(GREETED MAIL_FROM
	           "client > RCPT TO:<cyrus@example.org>\n" CYRUS_UP CYRUS_ASKED
	           "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\nclient < 250 *\n" SEND
	           "cyrus < MAIL FROM:<joe@example.net> SIZE=*\n"
	           "cyrus < RCPT TO:<cyrus@example.org>\ncyrus < DATA\n"
	           "cyrus >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("cyrus")
	                   TEXT("cyrus") "cyrus > 250 ok\nclient < 250 *\n");
}

TEST(foreign_store_without_pipelining_is_spoken_to_step_by_step)
{
	world_play(GREETED MAIL_FROM
	           "client > RCPT TO:<cyrus@example.org>\n"
	           "cyrus accepts\ncyrus > 220 cyrus\ncyrus < LHLO fe1\ncyrus > 250 cyrus\n"
	           "cyrus < MAIL FROM:<joe@example.net>\ncyrus is silent\ncyrus > 250 ok\n"
	           "cyrus < RCPT TO:<cyrus@example.org>\ncyrus is silent\ncyrus > 250 ok\n"
	           "cyrus < RSET\ncyrus is silent\ncyrus > 250 ok\nclient < 250 *\n");
}

/* Connections of a store that takes XCLIENT belong to one session each. */
#define XCLIENT_UP                                                                                 \
	"cyrus accepts\ncyrus > 220 cyrus LMTP\ncyrus < LHLO fe1\n"                                \
	"cyrus >> 250-cyrus\\r\\n250-PIPELINING\\r\\n250 XCLIENT ADDR SESSION\\r\\n\n"             \
	"cyrus < XCLIENT ADDR=192.0.2.1 SESSION=*\ncyrus > 220 cyrus\ncyrus < LHLO fe1\n"          \
	"cyrus >> 250-cyrus\\r\\n250-PIPELINING\\r\\n250 XCLIENT ADDR SESSION\\r\\n\n"
TEST(foreign_store_hears_whom_we_speak_for)
{
	world_play(GREETED MAIL_FROM
	           "client > RCPT TO:<cyrus@example.org>\n" XCLIENT_UP CYRUS_ASKED
	           "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\nclient < 250 *\n"
	           "client > RSET\nclient < 250 *\n" MAIL_FROM
	           "client > RCPT TO:<cyrus@example.org>\n" CYRUS_ASKED
	           "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\nclient < 250 *\n" SECOND
	           "second > RCPT TO:<cyrus@example.org>\npool has 2\n" XCLIENT_UP CYRUS_ASKED
	           "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\nsecond < 250 *\n");
	/* at the bound an idle one of another session makes room */
	world_play_with("store_connections = 1\n", GREETED MAIL_FROM
	                "client > RCPT TO:<cyrus@example.org>\n" XCLIENT_UP CYRUS_ASKED
	                "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\n"
	                "client < 250 *\n" SECOND "second > RCPT TO:<cyrus@example.org>\n"
	                "cyrus < QUIT\ncyrus is closed\n" XCLIENT_UP CYRUS_ASKED
	                "cyrus >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\nsecond < 250 *\n"
	                "pool has 1\n");
}
