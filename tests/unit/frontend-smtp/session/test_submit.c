/* Our users: logins, what they may send, what is added and dropped. */
#include "world.h"

#include "lib/test.h"
#include "proto/smtp_server.h"

#include <stdio.h>

#define FRED "AGZyZWQAcHc="      /* \0fred\0pw */
#define WRONG "AGZyZWQAb29wcw==" /* \0fred\0oops */
#define NEAR_IN "near connects\nnear < 220 *\nnear > EHLO laptop\nnear << 250 *\n"

/* ---- logins ------------------------------------------------------------------------------------- */

TEST(logins_are_offered_in_tls_and_to_plaintext_networks)
{
	world_play("user connects\nuser < 220 *\nuser > EHLO x\nuser < 250-fe1\n"
	           "user < 250-PIPELINING\nuser < 250-SIZE *\nuser < 250-STARTTLS\n"
	           "user < 250-ENHANCEDSTATUSCODES\nuser << 250 8BITMIME\n"
	           "user > AUTH PLAIN " FRED "\nuser < 538 5.7.11 *\n"
	           "user > MAIL FROM:<fred@example.org>\nuser < 530 5.7.0 *\n");
	world_play_once("", "user connects\nuser < 220 *\nuser > EHLO x\nuser << 250 *\n"
	                    "user > STARTTLS\nuser < 220 *\nuser starts tls\nuser > EHLO x\n"
	                    "user << 250-AUTH PLAIN*\nuser << 250 *\n"
	                    "user > AUTH PLAIN " FRED "\nuser < 235 2.7.0 *\n"
	                    "user > MAIL FROM:<fred@example.org>\nuser < 250 *\n");
	world_play_once("", "secure connects\nsecure starts tls\nsecure < 220 fe1 ESMTP ready\n"
	                    "secure > EHLO x\nsecure << 250-AUTH PLAIN*\nsecure << 250 *\n"
	                    "secure > STARTTLS\nsecure < 503 *\n"
	                    "secure > AUTH PLAIN " FRED "\nsecure < 235 *\n"
	                    "who is there submissions 192.0.2.2 ready\n");
	world_play(NEAR_IN "near > AUTH PLAIN\nnear < 334*\nnear > " FRED "\nnear < 235 *\n"
	                   "near > AUTH PLAIN " FRED "\nnear < 503 5.5.1 *\n");
}

TEST(tls_that_does_not_come_is_not_waited_for)
{
	world_play_once("", "secure connects\nwait 29s\nsecure is silent\nwait 2s\n"
	                    "secure is closed\nwho is there\n");
}

TEST(logins_that_fail)
{
	world_play(NEAR_IN "near > AUTH PLAIN " WRONG "\nnear < 535 5.7.8 *\n"
	                   "near > AUTH DIGEST-MD5\nnear < 504 5.5.4 *\n"
	                   "near > AUTH PLAIN !\nnear < 501 5.5.2 *\n"
	                   "near > AUTH PLAIN\nnear < 334*\nnear > *\nnear < 501 5.7.0 *\n"
	                   "near > AUTH PLAIN =\nnear < 5* *\n"
	                   "auth is away\nnear > AUTH PLAIN " FRED "\nnear < 454 4.7.0 *\n"
	                   "auth is back\nnear > AUTH PLAIN " FRED "\nnear < 235 *\n");
	world_play(NEAR_IN "near > AUTH PLAIN " WRONG "\nnear < 535 *\n"
	                   "near > AUTH PLAIN " WRONG "\nnear < 535 *\n"
	                   "near > AUTH PLAIN " WRONG "\nnear < 535 *\n"
	                   "near > AUTH PLAIN " WRONG "\nnear < 535 *\n"
	                   "near > AUTH PLAIN " WRONG "\nnear < 535 *\nnear < 421 4.7.0 *\n"
	                   "near is closed\nwho is there\n");
}

TEST(logins_that_are_given_up_again_and_again)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, NEAR_IN);
	for (int i = 0; i < SMTP_BAD_MAX; i++)
		buf_add_str(&script,
		            "near > AUTH PLAIN\nnear < 334*\nnear > *\nnear < 501 5.7.0 *\n");
	buf_add_str(&script, "near > AUTH PLAIN\nnear < 334*\nnear > *\nnear < 421 4.7.0 *\n"
	                     "near is closed\nwho is there\n");
	world_play(buf_cstr(&script));
	buf_fini(&script);
}

TEST(client_leaves_in_a_login)
{
	world_play("auth is silent\n" NEAR_IN "near > AUTH PLAIN " FRED "\nnear closes\n"
	           "who is there\nauth is back\n");
	world_play("auth is silent\n" NEAR_IN "near > AUTH PLAIN " FRED "\n");
	world_play(NEAR_IN "near > AUTH PLAIN\nnear < 334*\nnear closes\nwho is there\n");
}

TEST(login_does_not_last_through_starttls)
{
	world_play_once("", NEAR "near > STARTTLS\nnear < 220 *\nnear starts tls\nnear > EHLO x\n"
	                         "near << 250 *\nnear > MAIL FROM:<fred@example.org>\n"
	                         "near < 530 5.7.0 *\n");
}

TEST(no_logins_and_no_relay_at_the_mx)
{
	world_play_with(RELAY, GREETED "client > AUTH PLAIN " FRED "\nclient < 502 *\n" MAIL_FROM
	                               "client > RCPT TO:<x@far.example>\nclient < 550 5.7.1 *\n");
}

/* What was pipelined with AUTH is looked at after the login. */
TEST(pipelined_through_a_login)
{
	world_play("near connects\nnear < 220 *\nnear >> EHLO x\\r\\nAUTH PLAIN " FRED
	           "\\r\\nMAIL FROM:<fred@example.org>\\r\\n\nnear << 250 8BITMIME\n"
	           "near < 235 *\nnear < 250 2.1.0 OK\n");
}

/* ---- sender ownership ------------------------------------------------------------------------------ */

TEST(users_send_as_themselves)
{
	world_play(NEAR "near > MAIL FROM:<bob@example.org>\nnear < 553 5.7.1 *\n"
	                "near > MAIL FROM:<joe@far.example>\nnear < 553 5.7.1 *\n"
	                "auth is away\nnear > MAIL FROM:<fred@example.org>\nnear < 451 4.3.0 *\n"
	                "auth is back\nnear > MAIL FROM:<>\nnear < 250 *\nnear > RSET\n"
	                "near < 250 *\nnear > MAIL FROM:<fred@example.org>\nnear < 250 *\n");
	world_play_with("sender_check = no\n",
	                NEAR "near > MAIL FROM:<bob@example.org>\nnear < 250 *\n");
	world_play("auth is silent\n" NEAR_IN);
}

#define FROM_CASE(from)                                                                                                      \
	NEAR NEAR_MAIL                                                                                                       \
		"near > RCPT TO:<bob@example.org>\n" UP("store1") "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES( \
			"store1") "near < 250 *\nnear > DATA\nnear < 354 *\nnear >> " from                                   \
				  "Subject: hi\\r\\n\\r\\n.\\r\\n\n"

TEST(from_field_by_setting)
{
	static const char set[] = "sender_check = from\n";

	world_play_with(
		set,
		FROM_CASE(
			"From: Fred <fred@example.org>\\r\\n") "store1 < MAIL FROM:<fred@example.org>*\n");
	world_play_with(
		set,
		FROM_CASE(
			"From: Bob <bob@example.org>\\r\\n") "near < 550 5.7.1 *\nstore1 is silent\n" NEAR_MAIL);
	world_play_with(
		set,
		FROM_CASE(
			"From: fred@example.org, bob@example.org\\r\\n") "near < 550 5.7.1 *\nstore1 is silent\n");
	world_play_with(
		set,
		FROM_CASE(
			"From: fred@example.org\\r\\nfrom: bob@example.org\\r\\n") "near < 550 5.7.1 *\nstore1 is silent\n");
	world_play_with(set, FROM_CASE("From: nobody\\r\\n") "near < 550 5.7.1 *\n");
	world_play_with(set, FROM_CASE("") "store1 < MAIL FROM:<fred@example.org>*\n");
	world_play(FROM_CASE(
		"From: Bob <bob@example.org>\\r\\n") "store1 < MAIL FROM:<fred@example.org>*\n");
}

TEST(from_field_that_cannot_be_looked_up)
{
	world_play_with(
		"sender_check = from\n",
		NEAR NEAR_MAIL "near > RCPT TO:<bob@example.org>\n" UP(
			"store1") "store1 < MAIL *\n"
				  "store1 < RCPT *\n"
				  "store1 < RSET\n" TAKES(
					  "store1") "near < 250 *\nauth is away\n"
						    "near > DATA\nnear < 354 *\n"
						    "near >> From: fred@example.org\\r\\n\\r\\n.\\r\\n\n"
						    "near < 451 4.3.0 *\nstore1 is silent\n");
}

/* ---- what is added and dropped ----------------------------------------------------------------------- */

TEST(missing_fields_are_added_and_bcc_is_dropped)
{
	world_play(
		NEAR NEAR_MAIL
		"near > RCPT TO:<bob@example.org>\n" UP("store1") "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
			"store1") "near < 250 *\n" NEAR_SEND
				  "store1 < MAIL FROM:<fred@example.org>*\nstore1 < RCPT *\nstore1 < DATA\n"
				  "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
				  "store1 < Received: from laptop ([127.0.0.1])\n"
				  "store1 < *by fe1 with ESMTPA id *\nstore1 < *for <bob@example.org>;\n"
				  "store1 < * +0000\nstore1 < Date: *\nstore1 < Message-ID: <*@fe1>\n"
				  "store1 < Subject: hi\nstore1 < From: fred@example.org\nstore1 < \n"
				  "store1 < text\nstore1 < .\nstore1 > 250 2.0.0 ok\nnear < 250 2.0.0 *\n");
}

TEST(mx_adds_and_drops_nothing)
{
	world_play(GREETED MAIL_FROM RCPT_FRED
	           "client > DATA\nclient < 354 *\nclient >> Bcc: x\\r\\n\\r\\n.\\r\\n\n"
	           "store1 < MAIL *\nstore1 < RCPT *\nstore1 < DATA\n"
	           "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
	           "store1 < Received: *\nstore1 < *\nstore1 < *\nstore1 < * +0000\n"
	           "store1 < Bcc: x\nstore1 < \nstore1 < .\n");
}

/* ---- mynetworks ------------------------------------------------------------------------------------- */

TEST(mynetworks_need_no_login)
{
	world_play_with(RELAY "mynetworks = 192.0.2.0/24\n",
	                "user connects\nuser < 220 *\nuser > EHLO x\nuser << 250 *\n"
	                "user > MAIL FROM:<app@example.org>\nuser < 250 *\n"
	                "user > RCPT TO:<x@far.example>\n" HOP("hop1")
	                        HOP_ASKED("hop1", "app@example.org", "x@far.example")
	                                TAKES("hop1") "user < 250 *\n");
	world_play_with(RELAY "mynetworks = 192.0.2.0/24\n",
	                GREETED MAIL_FROM "client > RCPT TO:<x@far.example>\n" HOP("hop1")
	                        HOP_ASKED("hop1", "joe@example.net", "x@far.example")
	                                TAKES("hop1") "client < 250 *\n");
}

/* Whom a trusted proxy speaks for is who counts. */
TEST(xclient_changes_the_rights)
{
	world_play_with(RELAY "mynetworks = 127.0.0.0/8\n",
	                "proxy connects\nproxy < 220 *\nproxy > EHLO p\nproxy << 250 *\n"
	                "proxy > XCLIENT ADDR=198.51.100.7\nproxy < 220 *\nproxy > EHLO x\n"
	                "proxy << 250 *\nproxy > MAIL FROM:<joe@example.net>\nproxy < 250 *\n"
	                "proxy > RCPT TO:<x@far.example>\nproxy < 550 5.7.1 *\n");
	world_play_with(RELAY, "proxy connects\nproxy < 220 *\nproxy > EHLO p\nproxy << 250 *\n"
	                       "proxy > XCLIENT ADDR=198.51.100.7 LOGIN=fred\nproxy < 220 *\n"
	                       "proxy > EHLO x\nproxy << 250 *\n"
	                       "proxy > MAIL FROM:<bob@example.org>\nproxy < 553 5.7.1 *\n"
	                       "proxy > MAIL FROM:<fred@example.org>\nproxy < 250 *\n"
	                       "proxy > RCPT TO:<x@far.example>\n" HOP("hop1")
	                               HOP_ASKED("hop1", "fred@example.org", "x@far.example")
	                                       TAKES("hop1") "proxy < 250 *\n");
}

/* Such a proxy passes on what its client says, who may have read RFCs, too. */
TEST(whom_a_proxy_has_named_has_its_rights_no_more)
{
	world_play_with(RELAY "mynetworks = 127.0.0.0/8\n",
	                "proxy connects\nproxy < 220 *\nproxy > EHLO p\nproxy << 250 *\n"
	                "proxy > XCLIENT ADDR=198.51.100.7\nproxy < 220 *\n"
	                "proxy > XCLIENT ADDR=127.0.0.1 LOGIN=fred\nproxy < 550 5.7.0 *\n"
	                "proxy > EHLO x\nproxy << 250 *\n"
	                "proxy > MAIL FROM:<joe@example.net> XADDR=192.0.2.9\nproxy < 555 *\n"
	                "proxy > MAIL FROM:<joe@example.net>\nproxy < 250 *\n"
	                "proxy > RCPT TO:<x@far.example> XUSER=fred\nproxy < 555 *\n"
	                "proxy > RCPT TO:<x@far.example>\nproxy < 550 5.7.1 *\n");
	/* but for proxies in a row */
	world_play("proxy connects\nproxy < 220 *\n"
	           "proxy > XCLIENT ADDR=127.0.0.9\nproxy < 220 *\n"
	           "proxy > XCLIENT ADDR=198.51.100.7\nproxy < 220 *\n"
	           "proxy > XCLIENT ADDR=127.0.0.9\nproxy < 550 *\n");
}

/* ---- no open relay --------------------------------------------------------------------------------- */

static const struct trick {
	const char *name, *rcpt;
} tricks[] = {
	{ "another domain", "<x@far.example>" },
	{ "a percent sign", "<x%far.example@example.org>" },
	{ "a bang path", "<far.example!x@example.org>" },
	{ "a bang path alone", "<far.example!x>" },
	{ "an @ in quotes", "<\"x@far.example\"@example.org>" },
	{ "an @ in quotes, no domain", "<\"x@far.example\">" },
	{ "an escaped @", "<\"x\\\\@far.example\"@example.org>" },
	{ "a source route", "<@example.org:x@far.example>" },
	{ "a source route of two", "<@example.org,@example.net:x@far.example>" },
	{ "a source route and a percent sign", "<@example.org:x%far.example@example.org>" },
	{ "two domains", "<x@far.example@example.org>" },
	{ "two domains, ours first", "<x@example.org@far.example>" },
	{ "an address literal", "<x@[192.0.2.77]>" },
	{ "our own address literal", "<x%far.example@[127.0.0.1]>" },
	{ "an address literal of IPv6", "<x@[IPv6:2001:db8::77]>" },
	{ "a dot behind the domain", "<x@far.example.>" },
	{ "our domain as a subdomain", "<x@example.org.far.example>" },
	{ "a domain in quotes", "<x@\"far.example\">" },
	{ "a NUL that is none", "<x@far.example%00@example.org>" },
	{ "a colon", "<x:far.example@example.org>" },
	{ "a path as parameter", "<fred@example.org> ORCPT=rfc822;x@far.example" },
	{ "a false way back", "<SRS0=AAAAAA=AB=far.example=x@srs.example.org>" },
	{ "a false way back of a way back", "<SRS1=AAAAAA=far.example==x@srs.example.org>" },
	{ "a way back without a hash", "<SRS0==AB=far.example=x@srs.example.org>" },
	{ "the domain of ways back", "<x@srs.example.org>" },
};

TEST(open_relay_tricks)
{
	for (size_t i = 0; i < ARRAY_LEN(tricks); i++) {
		char script[1000];

		print_message("# %s\n", tricks[i].name);
		snprintf(script, sizeof(script),
		         GREETED MAIL_FROM "client > RCPT TO:%s\nclient < 5*\n"
		                           "client > DATA\nclient < 5*\n",
		         tricks[i].rcpt);
		world_play_with(RELAY "srs_domain = srs.example.org\n"
		                      "srs_secret = 0123456789abcdef\n",
		                script);
	}
}
