/* The client's side: who leaves when, limits, TLS, trust, drain; who is there. */
#include "world.h"

#include "base/buf.h"
#include "lib/test.h"

#define GO_FRED GO("store1", "store1 < RCPT TO:<fred@example.org>*\n")
#define FRED_READY GREETED MAIL_FROM RCPT_FRED
#define FRED_SENT                                                                                  \
	FRED_READY SEND GO_FRED "store1 >> 250 2.1.0 ok\\r\\n250 2.1.5 ok\\r\\n\n" BODY("store1")  \
		TEXT("store1")

/* ---- what is offered ---------------------------------------------------------------------------- */

TEST(ehlo_offers_what_works)
{
	world_play("client connects\nclient < 220 fe1 ESMTP ready\nclient > EHLO x\n"
	           "client < 250-fe1\nclient < 250-PIPELINING\nclient < 250-SIZE 52428800\n"
	           "client < 250-STARTTLS\nclient < 250-ENHANCEDSTATUSCODES\n"
	           "client < 250-SMTPUTF8\nclient < 250-CHUNKING\nclient < 250 8BITMIME\n"
	           "client > AUTH PLAIN\nclient < 50* *\n"
	           "client > XCLIENT ADDR=192.0.2.7\nclient < 5*\n");
}

TEST(starttls_and_on)
{
	world_play_once("", "client connects\nclient < 220 *\nclient > EHLO x\nclient << 250 *\n"
	                    "client > STARTTLS\nclient < 220 *\nclient starts tls\n"
	                    "client > EHLO mx.example.net\nclient << 250 *\n"
	                    "client > STARTTLS\nclient < 5*\n" MAIL_FROM RCPT_FRED SEND GO_FRED
	                    "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
	                    "store1 < Received: *\nstore1 < *with ESMTPS id*\n");
}

TEST(bytes_behind_starttls_end_the_session)
{
	world_play_once("", GREETED "client >> STARTTLS\\r\\nMAIL FROM:<x@y.org>\\r\\n\n"
	                            "client < 554 5.5.1 *\nclient is closed\n");
}

TEST(handshake_that_does_not_come_is_not_waited_for)
{
	world_play_once("", GREETED "client > STARTTLS\nclient < 220 *\nwait 29s\n"
	                            "client is silent\nwait 2s\nclient is closed\nwho is there\n");
}

TEST(secret_store_is_spoken_to_by_tls_or_not_at_all)
{
	world_play_once("", GREETED MAIL_FROM
	                "client > RCPT TO:<sec@example.org>\nsecret accepts\n"
	                "secret > 220 secret\nsecret < LHLO fe1\n"
	                "secret >> 250-secret\\r\\n250-STARTTLS\\r\\n250 PIPELINING\\r\\n\n"
	                "secret < STARTTLS\nsecret > 220 go\nsecret starts tls\n"
	                "secret < LHLO fe1\n"
	                "secret >> 250-secret\\r\\n250 PIPELINING\\r\\n\n" ASKED("secret", "sec")
	                        TAKES("secret") "client < 250 *\n");
	world_play_once("", GREETED MAIL_FROM "client > RCPT TO:<sec@example.org>\nsecret accepts\n"
	                                      "secret > 220 secret\nsecret < LHLO fe1\n"
	                                      "secret >> 250-secret\\r\\n250 PIPELINING\\r\\n\n"
	                                      "client < 451 4.3.0 *\n");
}

/* ---- leaving ---------------------------------------------------------------------------------------- */

TEST(client_leaves_before_he_has_said_anything)
{
	world_play("client connects\nclient < 220 *\nclient closes\nwho is there\n");
	world_play(GREETED MAIL_FROM "client closes\nwho is there\n");
}

/* What the store was asked it may answer: the connection is kept. */
TEST(client_leaves_while_a_store_is_asked)
{
	world_play(
		GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
			ASKED("store1", "fred") "client resets\nwho is there\npool has 1\n" TAKES(
				"store1") "pool has 1\n"
					  "client connects\nclient < 220 *\n");
}

TEST(client_leaves_in_the_message_and_nothing_is_sent)
{
	world_play(FRED_READY "client > DATA\nclient < 354 *\nclient > Subject: hi\n"
	                      "client closes\nwho is there\nstore1 is silent\npool has 1\n");
	world_play(FRED_READY "client > BDAT 15\nclient closes\nwho is there\nstore1 is silent\n");
}

TEST(client_leaves_behind_the_message_and_the_store_is_heard_out)
{
	world_play(FRED_READY SEND
	           "client resets\n" GO_FRED "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1")
	                   TEXT("store1") "store1 > 250 ok\nwait 5m\nwho is there\n");
}

/* He closes his side and listens. */
TEST(client_who_only_stops_talking_hears_the_answer)
{
	world_play(FRED_SENT "client ends\nclient is silent\nstore1 > 250 ok\nclient < 250 *\n"
	                     "client is closed\nwho is there\n");
}

TEST(client_who_says_nothing_is_closed)
{
	world_play("client connects\nclient < 220 *\nwait 299s\nclient is silent\nwait 2s\n"
	           "client < 421 4.4.2 *\nclient is closed\n");
	world_play(FRED_READY "client > DATA\nclient < 354 *\nwait 299s\nclient > x\nwait 299s\n"
	                      "client is silent\nwait 2s\nclient < 421 4.4.2 *\nclient is closed\n"
	                      "store1 < QUIT\nstore1 is closed\n");
}

/* However often something comes. */
TEST(client_who_drips_is_closed)
{
	world_play(GREETED "client >> N\nwait 4m\nclient >> OO\nwait 59s\nclient is silent\n"
	                   "wait 2s\nclient < 421 4.4.2 *\nclient is closed\n");
	world_play_with("message_timeout = 10m\n",
	                FRED_READY "client > DATA\nclient < 354 *\nwait 4m\nclient > x\nwait 4m\n"
	                           "client > x\nwait 119s\nclient is silent\nwait 2s\n"
	                           "client < 421 4.4.2 *\nclient is closed\n");
}

/* A store that works slowly is no silence of the client's. */
TEST(client_waits_for_the_store_longer_than_for_commands)
{
	world_play_with("command_timeout = 1s\ndata_timeout = 1s\n",
	                FRED_SENT "wait 100s\nclient is silent\nstore1 > 250 ok\nclient < 250 *\n"
	                          "client > NOOP\nclient < 250 *\nwait 2s\nclient < 421 *\n");
}

/* ---- limits ---------------------------------------------------------------------------------------------- */

TEST(too_many_connections_of_one_address)
{
	world_play_with("client_connections = 1\n",
	                "client connects\nclient < 220 *\nsecond connects\n"
	                "second < 421 4.7.0 *\nsecond is closed\n"
	                "proxy connects\nproxy < 220 *\nmta connects\nmta < 220 *\n"
	                "client closes\nsecond connects\nsecond < 220 *\n");
	world_play_with("client_connections = 1\n",
	                "six connects\nsix < 220 *\nsixty connects\n"
	                "sixty < 421 4.7.0 *\nsixty is closed\nseven connects\nseven < 220 *\n");
	world_play_with("max_sessions = 1\n", "client connects\nclient < 220 *\nproxy connects\n"
	                                      "proxy < 421 4.7.0 *\nproxy is closed\n");
}

TEST(too_many_refused_recipients)
{
	world_play_with("refused_limit = 2\n", GREETED MAIL_FROM
	                "client > RCPT TO:<ghost1@example.org>\nclient < 550 *\n"
	                "client >> RCPT TO:<ghost2@example.org>\\r\\n"
	                "RCPT TO:<fred@example.org>\\r\\n\n"
	                "client < 550 *\nclient < 421 4.7.0 *\nclient is closed\nwho is there\n");
}

TEST(too_many_bad_commands)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, GREETED);
	for (int i = 0; i < 20; i++)
		buf_add_str(&script, "client > XYZZY\nclient < 5*\n");
	buf_add_str(&script, "client > XYZZY\nclient < 421 *\nclient is closed\nwho is there\n");
	world_play(buf_cstr(&script));
	buf_fini(&script);
}

TEST(bare_newlines_never_end_a_message)
{
	world_play(FRED_READY "client > DATA\nclient < 354 *\n"
	                      "client >> Subject: hi\\n.\\nMAIL FROM:<evil@x.org>\\r\\n.\\r\\n\n"
	                      "client < 5*\nstore1 is silent\n" MAIL_FROM);
}

/* ---- order ------------------------------------------------------------------------------------------------- */

TEST(all_in_one_write)
{
	world_play("client connects\nclient < 220 *\n"
	           "client >> EHLO mx.example.net\\r\\nMAIL FROM:<joe@example.net>\\r\\n"
	           "RCPT TO:<fred@example.org>\\r\\nDATA\\r\\n\n"
	           "client << 250 8BITMIME\nclient < 250 2.1.0 OK\n" UP("store1")
	                   ASKED("store1", "fred") "client is silent\n" TAKES(
				   "store1") "client < 250 2.1.5 OK\nclient < 354 *\n");
}

TEST(rset_and_ehlo_forget_the_transaction)
{
	world_play(FRED_READY "client > RSET\nclient < 250 *\nclient > DATA\nclient < 5* 5.5.1 *\n"
	                      "client > RCPT TO:<fred@example.org>\nclient < 503 *\n" MAIL_FROM
	                      "client > EHLO x\nclient << 250 8BITMIME\n"
	                      "client > RCPT TO:<fred@example.org>\nclient < 503 *\n" MAIL_FROM
	                      "client > RCPT TO:<fred@example.org>\n" ASKED("store1", "fred")
	                              TAKES("store1") "client < 250 *\n");
}

TEST(null_sender_and_utf8)
{
	world_play(
		GREETED
		"client > MAIL FROM:<>\nclient < 250 *\n"
		"client > RCPT TO:<fred@example.org>\n" UP("store1") "store1 < MAIL FROM:<>*\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
			"store1") "client < 250 *\n");
	/* a store that cannot take it does not get it */
	world_play(GREETED "client > MAIL FROM:<j\xc3\xb6 @example.net> SMTPUTF8\nclient < 5*\n"
	                   "client > MAIL FROM:<j\xc3\xb6@example.net> SMTPUTF8\nclient < 250 *\n"
	                   "client > RCPT TO:<cyrus@example.org>\n"
	                   "cyrus accepts\ncyrus > 220 cyrus\ncyrus < LHLO fe1\n"
	                   "cyrus >> 250-cyrus\\r\\n250 PIPELINING\\r\\n\n"
	                   "client < 553 5.6.7 *\ncyrus is silent\n");
	world_play(GREETED "client > MAIL FROM:<joe@example.net> BODY=8BITMIME\nclient < 250 *\n"
	                   "client > RCPT TO:<cyrus@example.org>\n"
	                   "cyrus accepts\ncyrus > 220 cyrus\ncyrus < LHLO fe1\n"
	                   "cyrus >> 250-cyrus\\r\\n250 PIPELINING\\r\\n\n"
	                   "client < 554 5.6.3 *\ncyrus is silent\n");
}

/* ---- trust ----------------------------------------------------------------------------------------------------- */

TEST(trusted_proxy_says_whom_it_speaks_for)
{
	world_play(
		"proxy connects\nproxy < 220 *\nproxy > EHLO p\nproxy << 250 *\n"
		"proxy > XCLIENT ADDR=198.51.100.7 SESSION=abcdef\nproxy < 220 *\n"
		"proxy > EHLO mx.example.net\nproxy << 250 *\n"
		"who is there smtp 198.51.100.7 ready\n"
		"proxy > MAIL FROM:<joe@example.net>\nproxy < 250 *\n"
		"proxy > RCPT TO:<fred@example.org>\n" UP(
			"store1") "store1 < MAIL FROM:<joe@example.net> *XSESSION=abcdef XADDR=198.51.100.7*\n");
}

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
TEST(trusted_front_end_has_made_the_key_and_resolved_the_user)
{
	world_play(
		"proxy connects\nproxy < 220 *\nproxy > EHLO p\nproxy << 250 *\n"
		"auth is away\n"
		"proxy > MAIL FROM:<joe@example.net> XKEY=" KEY " XSESSION=first "
		"XADDR=198.51.100.7\nproxy < 250 *\n"
		"proxy > RCPT TO:<list@example.org> XUSER=fred XDETAIL=x\n" UP(
			"store1") "store1 < MAIL FROM:<joe@example.net> *XSESSION=first XADDR=198.51.100.7*\n"
				  "store1 < RCPT TO:<fred+x@example.org> XUSER=fred XDETAIL=x XCLAIM=7\n"
				  "store1 < RSET\n" TAKES(
					  "store1") "proxy < 250 *\n"
						    "proxy > DATA\nproxy < 354 *\nproxy > x\nproxy > .\n"
						    "store1 < MAIL FROM:<joe@example.net> *XKEY=" KEY
						    "*\n");
	world_play(GREETED "client > MAIL FROM:<joe@example.net> XKEY=" KEY "\nclient < 5*\n");
}

/* ---- drain and who -------------------------------------------------------------------------------------------------- */

TEST(drain_sends_idle_clients_away_and_lets_others_finish)
{
	world_play("second connects\nsecond < 220 *\n" FRED_SENT
	           "who is there smtp 192.0.2.1 greeted; smtp 192.0.2.1 final\n"
	           "drain begins\nsecond < 421 4.3.2 *\nsecond is closed\ndrain is not over\n"
	           "store1 > 250 ok\nclient < 250 *\nclient < 421 4.3.2 *\nclient is closed\n"
	           "drain is over\n");
	world_play(FRED_READY "drain begins\nclient is silent\nclient > RSET\nclient < 250 *\n"
	                      "client < 421 *\nclient is closed\ndrain is over\n");
	world_play("drain begins\ndrain is over\n");
	/* replaced by a reload */
	world_play(FRED_READY "drain begins gently\nclient is silent\nclient > RSET\n"
	                      "client < 250 *\nclient > QUIT\nclient < 221 *\ndrain is over\n");
	world_play("client connects\nclient < 220 *\ndrain begins gently\nclient is silent\n"
	           "client > EHLO me\nclient << 250 *\nclient > MAIL FROM:<a@b.example>\n"
	           "client < 250 *\nclient closes\ndrain is over\n");
}

TEST(stop_cuts_everybody_in_every_state)
{
	world_play(FRED_SENT);
	world_play(FRED_READY "client > DATA\nclient < 354 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n" UP("store1")
	                   ASKED("store1", "fred"));
	world_play(GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n");
	world_play("auth is silent\n" GREETED MAIL_FROM "client > RCPT TO:<fred@example.org>\n");
}
