/* Connections: greeting, logins, who is trusted, limits, the drain. */
#include "lib/test.h"
#include "world.h"

TEST(the_greeting_and_what_is_offered)
{
	world_play("client connects\n"
	           "client < 220 store1 LMTP Roost ready.\n"
	           "client > EHLO me\n"
	           "client < 500 5.5.1 *\n"
	           "client > LHLO me\n"
	           "client < 250-store1\n"
	           "client < 250-PIPELINING\n"
	           "client < 250-SIZE 3145728\n"
	           "client < 250-STARTTLS\n"
	           "client < 250-AUTH PLAIN\n"
	           "client < 250-ENHANCEDSTATUSCODES\n"
	           "client < 250-SMTPUTF8\n"
	           "client < 250-CHUNKING\n"
	           "client < 250-XCLIENT *\n"
	           "client < 250-XROOST\n"
	           "client < 250 8BITMIME\n"
	           "who is there 127.0.0.1 - ready\n"
	           "client > QUIT\n"
	           "client < 221 2.0.0 *\n"
	           "client is closed\n"
	           "who is there\n"
	           "metric sessions 0\n");
}

TEST(strangers_log_in_first)
{
	world_play("far connects\n"
	           "far < 220 *\n"
	           "far > LHLO me\n"
	           "far < 250-store1\n"
	           "far < 250-PIPELINING\n"
	           "far < 250-SIZE *\n"
	           "far < 250-STARTTLS\n"
	           "far < 250-ENHANCEDSTATUSCODES\n"
	           "far < 250-SMTPUTF8\n"
	           "far < 250-CHUNKING\n"
	           "far < 250 8BITMIME\n"
	           "far > MAIL FROM:<a@x.example>\n"
	           "far < 530 5.7.0 Log in first.\n"
	           "far > XCLIENT ADDR=127.0.0.1\n"
	           "far < 550 5.7.0 *\n"
	           "far > AUTH PLAIN AG10YQBiaWc=\n"
	           "far < 538 5.7.11 *\n"
	           "far > STARTTLS\n"
	           "far < 220 2.0.0 *\n"
	           "far starts tls\n"
	           "far > LHLO me\n"
	           "far << 250 8BITMIME\n"
	           "far > AUTH PLAIN AG10YQB3cm9uZw==\n"
	           "far < 535 5.7.8 *\n"
	           "far > AUTH PLAIN AG10YQBiaWc=\n"
	           "far < 235 2.7.0 *\n"
	           "who is there 198.51.100.1 mta ready\n"
	           "far > MAIL FROM:<a@x.example> XSESSION=s\n"
	           "far < 555 5.5.4 *\n"
	           "far > MAIL FROM:<a@x.example>\n"
	           "far < 250 2.1.0 *\n"
	           "far > RCPT TO:<fred@example.org>\n"
	           "far < 250 2.1.5 *\n"
	           "far > DATA\n"
	           "far < 354 *\n"
	           "far >> Subject: x\\r\\n\\r\\nhi\\r\\n.\\r\\n\n"
	           "far < 250 2.0.0 Kept.\n"
	           "store holds user.fred 1\n");
}

TEST(mail_users_may_not_deliver)
{
	world_play("client connects\n"
	           "client < 220 *\n"
	           "client > LHLO me\n"
	           "client << 250 8BITMIME\n"
	           "client > AUTH PLAIN\n"
	           "client < 334*\n"
	           "client > AGZyZWQAcCB3\n"
	           "client < 535 5.7.8 *\n"
	           "auth is away\n"
	           "client > AUTH PLAIN AG10YQBiaWc=\n"
	           "client < 454 4.7.0 *\n");
}

TEST(a_front_end_says_for_whom_it_speaks)
{
	world_play(
		"client connects\n"
		"client < 220 *\n"
		"client > XCLIENT ADDR=IPV6:2001:db8::7 SESSION=abc-7 LOGIN=boss HELO=mua\n"
		"client < 220 store1 LMTP Roost ready.\n"
		"who is there 2001:db8::7 boss greeted\n"
		"client > LHLO fe1\n"
		"client << 250 8BITMIME\n"
		"client > MAIL FROM:<a@x.example>\n"
		"client < 250 *\n"
		"client > RCPT TO:<fred>\n"
		"client < 250 *\n"
		"client > DATA\n"
		"client < 354 *\n"
		"client >> x\\r\\n.\\r\\n\n"
		"client < 250 *\n"
		"store shows user.fred Return-Path: <a@x.example>\\r\\nDelivered-To: fred\\r\\nReceived: from fe1 "
		"([IPv6:2001:db8::7])\\r\\n\\tby store1 (Roost) with LMTPA id "
		"abc-7;\\r\\n\\t*\\r\\nx\\r\\n\n");
}

TEST(text_behind_starttls_ends_the_session)
{
	world_play("far connects\n"
	           "far < 220 *\n"
	           "far >> STARTTLS\\r\\nMAIL FROM:<eve@x>\\r\\n\n"
	           "far << 5*\n"
	           "far is closed\n"
	           "who is there\n");
}

TEST(silence_is_limited)
{
	world_play("client connects\n"
	           "client < 220 *\n"
	           "wait 299s\n"
	           "client > LHLO me\n"
	           "client << 250 8BITMIME\n"
	           "wait 299s\n"
	           "client is silent\n"
	           "wait 2s\n"
	           "client < 421 4.4.2 *\n"
	           "client is closed\n");
}

TEST(a_body_that_drips_is_limited)
{
	world_play_greeted("client > MAIL FROM:<a@x.example>\n"
	                   "client < 250 *\n"
	                   "client > RCPT TO:<fred>\n"
	                   "client < 250 *\n"
	                   "client > DATA\n"
	                   "client < 354 *\n"
	                   "client > one\n"
	                   "wait 280s\n"
	                   "client > two\n"
	                   "wait 280s\n"
	                   "client > three\n"
	                   "wait 39s\n"
	                   "client is silent\n"
	                   "wait 2s\n"
	                   "client < 421 4.4.2 *\n"
	                   "client is closed\n"
	                   "store holds user.fred 0\n");
}

TEST(sessions_are_limited)
{
	world_play("client connects\n"
	           "client < 220 *\n"
	           "second connects\n"
	           "second < 220 *\n"
	           "third connects\n"
	           "third < 421 4.3.2 Too many sessions.\n"
	           "third is closed\n"
	           "second closes\n"
	           "third connects\n"
	           "third < 220 *\n");
}

TEST(a_drain_lets_transactions_end)
{
	world_play("client connects\n"
	           "client < 220 *\n"
	           "second connects\n"
	           "second < 220 *\n"
	           "second > LHLO me\n"
	           "second << 250 8BITMIME\n"
	           "second > MAIL FROM:<a@x.example>\n"
	           "second < 250 *\n"
	           "second > RCPT TO:<fred>\n"
	           "second < 250 *\n"
	           "drain begins\n"
	           "client < 421 4.3.2 *\n"
	           "client is closed\n"
	           "drain is not over\n"
	           "second > DATA\n"
	           "second < 354 *\n"
	           "second >> x\\r\\n.\\r\\n\n"
	           "second < 250 2.0.0 Kept.\n"
	           "second < 421 4.3.2 *\n"
	           "second is closed\n"
	           "drain is over\n"
	           "store holds user.fred 1\n");
}

TEST(a_drain_ends_with_an_abandoned_transaction)
{
	world_play("client connects\n"
	           "client < 220 *\n"
	           "client > LHLO me\n"
	           "client << 250 8BITMIME\n"
	           "client > MAIL FROM:<a@x.example>\n"
	           "client < 250 *\n"
	           "drain begins\n"
	           "client > RSET\n"
	           "client < 250 *\n"
	           "client < 421 4.3.2 *\n"
	           "client is closed\n"
	           "drain is over\n");
}

TEST(new_settings_are_for_new_sessions)
{
	world_play("client connects\n"
	           "client < 220 store1 *\n"
	           "settings are new\n"
	           "client > LHLO me\n"
	           "client < 250-store1\n"
	           "client << 250 8BITMIME\n"
	           "client > STARTTLS\n"
	           "client < 502 5.5.1 TLS is not offered.\n"
	           "second connects\n"
	           "second < 220 store9 *\n");
}

TEST(a_stop_cuts_what_is_left)
{
	struct world w;

	world_init(&w, "", true);
	play_run(w.play, "client connects\n"
	                 "client < 220 *\n"
	                 "client > LHLO me\n"
	                 "client << 250 8BITMIME\n"
	                 "client >> MAIL FROM:<a@x>\\r\\nRCPT TO:<nobody@example.org>\\r\\n\n"
	                 "client << 550 *\n"
	                 "auth is silent\n"
	                 "client > RCPT TO:<nobody@example.org>\n");
	world_fini(&w);
}
