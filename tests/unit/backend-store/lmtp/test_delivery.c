/* Mail comes in: recipients, bodies, answers, the duplicate rule. */
#include "lib/test.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAIL                                                                                       \
	"client > MAIL FROM:<a@x.example>\n"                                                       \
	"client < 250 2.1.0 *\n"
#define TO_FRED                                                                                    \
	"client > RCPT TO:<fred@example.org>\n"                                                    \
	"client < 250 2.1.5 *\n"
#define DATA                                                                                       \
	"client > DATA\n"                                                                          \
	"client < 354 *\n"
#define BODY "client >> Subject: x\\r\\n\\r\\nhi\\r\\n.\\r\\n\n"
#define KEPT "client < 250 2.0.0 Kept.\n"

TEST(a_message_with_trace_fields_in_front)
{
	world_play_greeted(
		MAIL TO_FRED DATA BODY KEPT
		"store holds user.fred 1\n"
		"store shows user.fred Return-Path: <a@x.example>\\r\\nDelivered-To: fred@example.org\\r\\nReceived: from "
		"mta.example.org ([127.0.0.1])\\r\\n\\tby store1 (Roost) with LMTP id "
		"*;\\r\\n\\t*, * +0000\\r\\nSubject: x\\r\\n\\r\\nhi\\r\\n\n"
		"client > QUIT\n"
		"client < 221 *\n"
		"client is closed\n");
}

TEST(there_is_one_return_path)
{
	world_play_greeted(MAIL TO_FRED DATA
	                   "client >> Return-Path: <forged@x.example>\\r\\nA: 1\\r\\n"
	                   "return-path: <b@x.example>,\\r\\n more\\r\\nB: 2\\r\\n\\r\\n"
	                   "Return-Path: <c>\\r\\n.\\r\\n\n" KEPT
	                   "store shows user.fred Return-Path: <a@x.example>\\r\\nDelivered-To: "
	                   "fred@example.org\\r\\nReceived: *+0000\\r\\nA: 1\\r\\nB: 2\\r\\n"
	                   "\\r\\nReturn-Path: <c>\\r\\n\n");
}

TEST(several_recipients_do_not_learn_of_each_other)
{
	world_play_greeted(MAIL TO_FRED "client > RCPT TO:<ann@example.net>\n"
	                                "client < 250 *\n" DATA BODY KEPT KEPT
	                                "store shows user.fred Return-Path: <a@x.example>\\r\\n"
	                                "Received: *\n");
}

TEST(the_null_sender_and_no_domain)
{
	world_play_greeted(
		"client > MAIL FROM:<>\n"
		"client < 250 *\n"
		"client > RCPT TO:<Fred>\n"
		"client < 250 *\n" DATA BODY KEPT
		"store shows user.fred Return-Path: <>\\r\\nDelivered-To: *\\r\\nReceived: *\n");
}

TEST(pipelined_with_one_answer_for_each_recipient)
{
	world_play_greeted("client >> MAIL FROM:<a@x.example>\\r\\nRCPT TO:<fred@example.org>\\r\\n"
	                   "RCPT TO:<nobody@example.org>\\r\\nRCPT TO:<ann@example.net>\\r\\n"
	                   "DATA\\r\\n\n"
	                   "client < 250 2.1.0 *\n"
	                   "client < 250 2.1.5 *\n"
	                   "client < 550 5.1.1 *\n"
	                   "client < 250 2.1.5 *\n"
	                   "client < 354 *\n"
	                   "client >> hi\\r\\n.\\r\\nMAIL FROM:<b@x.example>\\r\\nQUIT\\r\\n\n"
	                   "client < 250 2.0.0 Kept.\n"
	                   "client < 250 2.0.0 Kept.\n"
	                   "client < 250 2.1.0 *\n"
	                   "client < 221 *\n"
	                   "client is closed\n"
	                   "store holds user.fred 1\n"
	                   "store holds example.net!user.ann 1\n"
	                   "metric rcpt_ok 2\n"
	                   "metric rcpt_denied 1\n"
	                   "metric delivered 2\n");
}

TEST(counted_chunks)
{
	world_play_greeted("client >> MAIL FROM:<a@x.example>\\r\\nRCPT TO:<fred>\\r\\n"
	                   "BDAT 4\\r\\na\\r\\n.BDAT 3 LAST\\r\\nb\\r\\n\n"
	                   "client < 250 *\n"
	                   "client < 250 *\n"
	                   "client < 250 2.0.0 4 octets received.\n" KEPT
	                   "store shows user.fred Return-Path: *\\r\\na\\r\\n.b\\r\\n\n");
}

/* ---- recipients ------------------------------------------------------------------------- */

TEST(unknown_users_are_refused_from_knowledge_only)
{
	world_play_greeted(MAIL "client > RCPT TO:<nobody@example.org>\n"
	                        "client < 550 5.1.1 *\n"
	                        "client > RCPT TO:<fred@elsewhere.example>\n"
	                        "client < 550 5.1.1 *\n"
	                        "client > RCPT TO:<shut@example.org>\n"
	                        "client < 550 5.2.1 *\n"
	                        "auth is away\n"
	                        "client > RCPT TO:<nobody@example.org>\n"
	                        "client < 451 4.3.0 *\n"
	                        "client > RCPT TO:<fred@example.org>\n"
	                        "client < 250 2.1.5 *\n"
	                        "metric rcpt_denied 3\n"
	                        "metric rcpt_temp 1\n");
}

TEST(an_inbox_is_made_for_who_is_at_home_here)
{
	world_play_greeted(MAIL "client > RCPT TO:<new+x@example.org>\n"
	                        "client < 250 2.1.5 *\n"
	                        "client > RCPT TO:<lazy@example.org>\n"
	                        "client < 250 2.1.5 *\n"
	                        "client > RCPT TO:<away@example.org>\n"
	                        "client < 450 4.2.1 *\n" DATA BODY KEPT KEPT
	                        "store holds user.new 1\n"
	                        "store holds user.new.Sent 0\n"
	                        "store holds user.lazy 1\n");
}

TEST(in_a_cluster_who_has_no_home_is_not_ours)
{
	world_play_with("", false,
	                "client connects\n"
	                "client < 220 *\n"
	                "client > LHLO me\n"
	                "client << 250 8BITMIME\n" MAIL "client > RCPT TO:<lazy@example.org>\n"
	                "client < 450 4.2.1 *\n"
	                "client > RCPT TO:<new@example.org>\n"
	                "client < 250 2.1.5 *\n");
}

TEST(two_answers_under_way_make_one_inbox)
{
	world_play_greeted("client >> MAIL FROM:<a@x.example>\\r\\nRCPT TO:<new@example.org>\\r\\n"
	                   "RCPT TO:<new@example.org>\\r\\nDATA\\r\\n\n"
	                   "client < 250 *\n"
	                   "client < 250 2.1.5 *\n"
	                   "client < 250 2.1.5 *\n"
	                   "client < 354 *\n" BODY KEPT KEPT "store holds user.new 1\n");
}

TEST(a_list_is_all_of_its_users)
{
	world_play_greeted(MAIL "client > RCPT TO:<mixed@example.org>\n"
	                        "client < 450 4.2.1 *\n"
	                        "client > RCPT TO:<list@example.org>\n"
	                        "client < 250 2.1.5 *\n" TO_FRED DATA BODY KEPT KEPT
	                        "client is silent\n"
	                        "store holds user.fred 1\n"
	                        "store holds user.new 1\n");
}

TEST(a_detail_names_a_folder)
{
	world_play_greeted(MAIL "client > RCPT TO:<fred+Sent@example.org>\n"
	                        "client < 250 *\n"
	                        "client > RCPT TO:<fred+nothing@example.org>\n"
	                        "client < 250 *\n" DATA BODY KEPT KEPT "store holds user.fred 1\n"
	                        "store holds user.fred.Sent 1\n");
	world_play_with("recipient_delimiter = -\n", true,
	                "client connects\n"
	                "client < 220 *\n"
	                "client > LHLO me\n"
	                "client << 250 8BITMIME\n" MAIL "client > RCPT TO:<fred-Sent@example.org>\n"
	                "client < 250 *\n" DATA BODY KEPT "store holds user.fred.Sent 1\n");
}

TEST(a_front_end_names_user_detail_and_claim)
{
	world_play_greeted(MAIL "client > RCPT TO:<alias@x.example> XUSER=fred XDETAIL=Sent\n"
	                        "client < 250 2.1.5 *\n"
	                        "client > RCPT TO:<alias@x.example> XUSER=nobody\n"
	                        "client < 550 5.1.1 *\n"
	                        "client > RCPT TO:<alias@x.example> XUSER=a/b\n"
	                        "client < 550 5.1.1 *\n"
	                        "client > RCPT TO:<alias@x.example> XUSER=shut\n"
	                        "client < 550 5.2.1 *\n" DATA BODY KEPT
	                        "store holds user.fred.Sent 1\n"
	                        "client > MAIL FROM:<c@x.example>\n"
	                        "client < 250 *\n"
	                        "client > RCPT TO:<alias@x.example> XUSER=new\n"
	                        "client < 250 2.1.5 *\n"
	                        "client > RCPT TO:<alias@x.example> XUSER=away\n"
	                        "client < 450 4.2.1 *\n"
	                        "store holds user.new 0\n");
}

TEST(without_a_directory_of_its_own_a_store_believes_front_ends)
{
	world_play_with("directory = none\n", false,
	                "client connects\n"
	                "client < 220 *\n"
	                "client > LHLO me\n"
	                "client << 250 8BITMIME\n" MAIL
	                "client > RCPT TO:<alias@x.example> XUSER=unheard-of\n"
	                "client < 250 2.1.5 *\n"
	                "client > RCPT TO:<x@x.example> XUSER=moved XCLAIM=2\n"
	                "client < 450 4.2.1 *\n" DATA BODY KEPT "store holds user.unheard-of 1\n");
}

TEST(a_claim_that_is_not_ours_is_later)
{
	world_play_greeted("store gives claim 3\n" MAIL
	                   "client > RCPT TO:<fred> XUSER=fred XCLAIM=2\n"
	                   "client < 451 4.3.0 *\n"
	                   "client > RCPT TO:<new> XUSER=new XCLAIM=2\n"
	                   "client < 450 4.2.1 *\n"
	                   "client > RCPT TO:<nobody> XUSER=nobody XCLAIM=2\n"
	                   "client < 450 4.2.1 *\n"
	                   "client > RCPT TO:<fred> XUSER=fred XCLAIM=3\n"
	                   "client < 250 2.1.5 *\n"
	                   "store gives claim 4\n" DATA BODY "client < 451 4.3.0 *\n"
	                   "store holds user.fred 0\n"
	                   "metric failed 1\n");
}

TEST(a_user_who_goes_between_rcpt_and_the_end_is_later)
{
	world_play_greeted(MAIL TO_FRED "client > RCPT TO:<ann@example.net>\n"
	                                "client < 250 *\n" DATA "client > x\n"
	                                "store loses user.fred\n"
	                                "client > .\n"
	                                "client < 451 4.2.1 *\n" KEPT);
}

TEST(recipients_are_limited)
{
	world_play_greeted(MAIL TO_FRED TO_FRED TO_FRED TO_FRED
	                   "client > RCPT TO:<nobody@example.org>\n"
	                   "client < 550 *\n"
	                   "client > RCPT TO:<ann@example.net>\n"
	                   "client < 452 4.5.3 *\n" DATA BODY KEPT KEPT KEPT KEPT
	                   "store holds user.fred 1\n");
}

/* RFC 1870: the size that MAIL names counts at RCPT; what DATA has counts at its end. */
TEST(over_quota_is_later)
{
	world_play_greeted("store gives quota user.fred 1000\n"
	                   "client > MAIL FROM:<a@x.example> SIZE=1000\n"
	                   "client < 250 *\n" TO_FRED "client > RSET\n"
	                   "client < 250 *\n"
	                   "client > MAIL FROM:<a@x.example> SIZE=1001\n"
	                   "client < 250 *\n"
	                   "client > RCPT TO:<fred@example.org>\n"
	                   "client < 452 4.2.2 The mailbox is full.\n"
	                   "client > RCPT TO:<ann@example.net>\n"
	                   "client < 250 *\n"
	                   "client > RSET\n"
	                   "client < 250 *\n"
	                   "store gives quota user.fred 30\n" MAIL TO_FRED
	                   "client > RCPT TO:<ann@example.net>\n"
	                   "client < 250 *\n" DATA BODY
	                   "client < 452 4.2.2 The mailbox is full.\n" KEPT
	                   "store holds user.fred 0\n"
	                   "store holds example.net!user.ann 1\n"
	                   "metric rcpt_temp 1\n"
	                   "metric failed 1\n");
}

TEST(over_quota_is_refused_where_that_is_wanted)
{
	world_play_with("over_quota = refuse\n", false,
	                "client connects\n"
	                "client < 220 *\n"
	                "client > LHLO client\n"
	                "client << 250 8BITMIME\n"
	                "store gives quota user.fred 0\n"
	                "client > MAIL FROM:<a@x.example>\n"
	                "client < 250 *\n"
	                "client > RCPT TO:<fred@example.org>\n"
	                "client < 552 5.2.2 The mailbox is full.\n"
	                "store gives quota user.fred 30\n" TO_FRED DATA BODY
	                "client < 552 5.2.2 The mailbox is full.\n"
	                "store holds user.fred 0\n"
	                "metric rcpt_denied 1\n");
}

TEST(a_front_end_probes)
{
	world_play_greeted("client >> MAIL FROM:<a@x.example> SIZE=4000000\\r\\n"
	                   "MAIL FROM:<a@x.example> SIZE=70\\r\\nRCPT TO:<x> XUSER=fred\\r\\n"
	                   "RCPT TO:<x> XUSER=nobody\\r\\nRSET\\r\\nMAIL FROM:<b@x.example>\\r\\n\n"
	                   "client < 552 5.3.4 *\n"
	                   "client < 250 2.1.0 *\n"
	                   "client < 250 2.1.5 *\n"
	                   "client < 550 5.1.1 *\n"
	                   "client < 250 2.0.0 *\n"
	                   "client < 250 2.1.0 *\n"
	                   "store holds user.fred 0\n");
}

/* ---- once ---------------------------------------------------------------------------------- */

TEST(a_retry_is_acknowledged_and_kept_once)
{
	world_play_greeted(MAIL TO_FRED DATA BODY KEPT MAIL TO_FRED DATA BODY KEPT
	                   "store holds user.fred 1\n"
	                   "metric delivered 1\n"
	                   "metric duplicate 1\n"
	                   "client > MAIL FROM:<other@x.example>\n"
	                   "client < 250 *\n" TO_FRED DATA BODY KEPT
	                   "store holds user.fred 2\n" MAIL "client > RCPT TO:<ann@example.net>\n"
	                   "client < 250 *\n" DATA BODY KEPT
	                   "store holds example.net!user.ann 1\n");
}

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

TEST(the_first_hop_names_the_key)
{
	world_play_greeted(
		"client > MAIL FROM:<a@x.example> XKEY=" KEY " XSESSION=first-hop\n"
		"client < 250 *\n" TO_FRED DATA BODY KEPT "store shows user.fred *id first-hop;*\n"
		"client > MAIL FROM:<a@x.example> XKEY=" KEY "\n"
		"client < 250 *\n" TO_FRED DATA
		"client >> Received: by fe2\\r\\nSubject: x\\r\\n\\r\\nhi\\r\\n.\\r\\n\n" KEPT
		"store holds user.fred 1\n");
}

/* The key made here is the one smtp_wire.h describes: SHA-256 of "a@x.example\0" ".x\r\n". */
TEST(a_key_made_here_is_the_same_as_a_front_ends)
{
	world_play_greeted(MAIL TO_FRED DATA
	                   "client >> ..x\\r\\n.\\r\\n\n" KEPT
	                   "client > MAIL FROM:<a@x.example> XKEY="
	                   "f8969a0bbe3a5696f9551368772a592787bb99d4ff5952b5b74d8f5dc4fe0e73\n"
	                   "client < 250 *\n" TO_FRED DATA "client >> y\\r\\n.\\r\\n\n" KEPT
	                   "store holds user.fred 1\n");
}

/* ---- connections that break ---------------------------------------------------------------- */

TEST(a_connection_lost_in_the_body_leaves_nothing)
{
	world_play_greeted(MAIL TO_FRED DATA "client > half\n"
	                                     "client closes\n"
	                                     "who is there\n"
	                                     "store holds user.fred 0\n"
	                                     "second connects\n"
	                                     "second < 220 *\n"
	                                     "second > LHLO me\n"
	                                     "second << 250 8BITMIME\n"
	                                     "second resets\n"
	                                     "who is there\n");
}

/* The connection goes while the store writes the message. */
struct breaker {
	struct world world;
	struct conn *conn;
	bool reset;
	size_t sessions; /* behind it */
};

static void
on_sync(void *ctx)
{
	struct breaker *b = ctx;

	if (b->reset)
		fakenet_reset(&b->conn);
	else
		conn_finish(&b->conn, 0);
	fakenet_settle(play_loop(b->world.play));
	b->sessions = lmtp_service_count(b->world.service);
}

static void
check_lost_behind_the_dot(bool reset)
{
	struct breaker b = { .reset = reset };
	struct conn *theirs;
	struct loop *l;

	world_init(&b.world, "", true);
	l = play_loop(b.world.play);
	fakenet_pair(l, "127.0.0.1:9", "127.0.0.1:24", &b.conn, &theirs);
	lmtp_session_start(b.world.service, &theirs);
	conn_write(b.conn, SLICE("LHLO mta.example.org\r\nMAIL FROM:<a@x.example>\r\n"
	                         "RCPT TO:<fred@example.org>\r\nDATA\r\n"));
	fakenet_settle(l);
	play_run(b.world.play, "who is there 127.0.0.1 - body\n");
	b.world.in_sync = on_sync;
	b.world.in_sync_ctx = &b;
	conn_write(b.conn, SLICE("Subject: x\r\n\r\nhi\r\n.\r\n"));
	fakenet_settle(l);
	assert_null(b.conn);
	assert_int_equal(b.sessions, reset ? 0 : 1); /* half a connection may still read */
	play_run(b.world.play,
	         "who is there\n"
	         "metric delivered 1\n"
	         "client connects\n"
	         "client < 220 *\n"
	         "client > LHLO mta.example.org\n"
	         "client << 250 8BITMIME\n" MAIL TO_FRED DATA BODY KEPT "store holds user.fred 1\n"
	         "metric duplicate 1\n");
	world_fini(&b.world);
}

TEST(a_connection_lost_behind_the_dot)
{
	check_lost_behind_the_dot(false);
	check_lost_behind_the_dot(true);
}

TEST(a_disk_that_fails_is_later)
{
	world_play_greeted(MAIL TO_FRED DATA "disk breaks\n" BODY "client < 451 4.3.0 *\n"
	                                     "store holds user.fred 0\n"
	                                     "metric failed 1\n" MAIL
	                                     "client > RCPT TO:<fred@example.org>\n"
	                                     "client < 451 4.3.0 *\n");
}

TEST(a_full_disk_is_later)
{
	world_play_greeted("disk is full\n" MAIL "client > RCPT TO:<fred@example.org>\n"
	                   "client < 452 4.3.1 *\n"
	                   "disk has room\n" TO_FRED DATA BODY KEPT "store holds user.fred 1\n");
}

/* ---- bodies --------------------------------------------------------------------------------- */

TEST(smuggled_ends_are_refused)
{
	world_play_greeted(MAIL TO_FRED DATA
	                   "client >> hi\\n.\\r\\nMAIL FROM:<evil@x>\\r\\n\\r\\n.\\r\\n\n"
	                   "client < 550 5.6.11 *\n"
	                   "client > NOOP\n"
	                   "client < 250 *\n"
	                   "store holds user.fred 0\n" MAIL TO_FRED DATA BODY KEPT
	                   "store holds user.fred 1\n");
}

static void
send_lines(struct world *w, size_t lines)
{
	static const char line[] = "client > 01234567890123456789012345678901234567890123456789"
				   "012345678901234567890123456789012345678901234567890123456789"
				   "0123456789012345678901234567890123456789012345678901234567\n";
	size_t per = 500;
	char *script = malloc(per * sizeof(line)), *p = script;

	for (size_t i = 0; i < per; i++, p += sizeof(line) - 1)
		memcpy(p, line, sizeof(line));
	for (size_t i = 0; i < lines; i += per)
		play_run(w->play, script);
	free(script);
}

TEST(a_big_message_goes_by_the_spool)
{
	struct world w;

	world_init(&w, "", true);
	play_run(w.play, "client connects\n"
	                 "client < 220 *\n"
	                 "client > LHLO mta.example.org\n"
	                 "client << 250 8BITMIME\n" MAIL TO_FRED DATA "client > Subject: big\n"
	                 "client > \n");
	send_lines(&w, 12000); /* 2 MB */
	play_run(w.play,
	         "client > .\n" KEPT "store holds user.fred 1\n"
	         "store shows user.fred Return-Path: *Subject: big\\r\\n\\r\\n0123*\n" MAIL TO_FRED
	                 DATA);
	send_lines(&w, 20000); /* 3.4 MB */
	play_run(w.play, "client > .\n"
	                 "client < 552 5.3.4 *\n"
	                 "store holds user.fred 1\n");
	world_fini(&w);
}

TEST(without_a_place_for_it_a_big_message_is_later)
{
	struct world w;

	world_init(&w, "", true);
	play_run(w.play, "client connects\n"
	                 "client < 220 *\n"
	                 "client > LHLO mta.example.org\n"
	                 "client << 250 8BITMIME\n" MAIL TO_FRED DATA "disk is gone\n");
	send_lines(&w, 12000);
	play_run(w.play, "client > .\n"
	                 "client < 452 4.3.1 *\n"
	                 "disk is back\n"
	                 "store holds user.fred 0\n" MAIL TO_FRED DATA BODY KEPT);
	world_fini(&w);
}
