/* Mail that leaves us: next hops that answer in every way, and the one reply. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#define HOP_GO_FRED(hop, to) HOP_GO(hop, "fred@example.org", hop " < RCPT TO:<" to ">\n")
#define TAKEN "hop1 >> 250 2.1.0 ok\\r\\n250 2.1.5 ok\\r\\n\n"
/* one recipient elsewhere, asked for; then the hop has the final dot */
#define READY NEAR NEAR_MAIL NEAR_RCPT("x@far.example")
#define SENT READY NEAR_SEND HOP_GO_FRED("hop1", "x@far.example") TAKEN HOP_BODY("hop1")

TEST(relayed_when_the_hop_has_it)
{
	world_play_with(RELAY, SENT "near is silent\nhop1 > 250 2.0.0 queued as 7\n"
	                            "near < 250 2.0.0 OK*\nnear > QUIT\nnear < 221 *\n");
}

TEST(relayed_message_as_it_is)
{
	world_play_with(
		RELAY, READY NEAR_SEND HOP_GO_FRED("hop1", "x@far.example") TAKEN
		"hop1 < DATA\nhop1 > 354 go\nhop1 < Received: from laptop ([127.0.0.1])\n"
		"hop1 < *by fe1 with ESMTPA id *\nhop1 < *for <x@far.example>;\nhop1 < * +0000\n"
		"hop1 < Date: *\nhop1 < Message-ID: <*@fe1>\nhop1 < Subject: hi\nhop1 < From: *\n"
		"hop1 < \nhop1 < text\nhop1 < .\n");
}

/* ---- what the hop says when it is asked --------------------------------------------------------- */

#define ASK NEAR NEAR_MAIL "near > RCPT TO:<x@far.example>\n"
#define ASKED_X HOP_ASKED("hop1", "fred@example.org", "x@far.example")

TEST(answers_of_the_hop_are_passed_on)
{
	world_play_with(
		RELAY, ASK HOP("hop1") ASKED_X SAYS(
			       "hop1", "550 5.1.1 no such user") "near < 550 5.1.1 no such user\n");
	world_play_with(RELAY,
	                ASK HOP("hop1") ASKED_X SAYS(
				"hop1", "450 4.2.0 greylisted") "near < 450 4.2.0 greylisted\n");
	world_play_with(RELAY,
	                ASK HOP("hop1") ASKED_X "hop1 >> 550 5.7.1 not you\\r\\n503 5.5.1 no\\r\\n"
	                                        "250 ok\\r\\n\nnear < 550 5.7.1 not you\n");
}

TEST(no_relay_is_set)
{
	world_play(ASK "near < 550 5.7.1 *\n");
	world_play(GREETED MAIL_FROM "client > RCPT TO:<away@example.org>\nclient < 451 4.3.0 *\n");
}

#define HOP2_ASKED_X HOP_ASKED("hop2", "fred@example.org", "x@far.example")

static const struct hop_case {
	const char *name, *first;
} hop_failures[] = {
	{ "it refuses the connection", "hop1 refuses\n" },
	{ "nobody answers the dial", "hop1 blackholes\nwait 6s\n" },
	{ "it greets with 554", "hop1 accepts\nhop1 > 554 5.3.2 no\n" },
	{ "it greets with 421", "hop1 accepts\nhop1 > 421 4.3.2 busy\n" },
	{ "it does not greet", "hop1 accepts\nwait 6s\n" },
	{ "it refuses EHLO", "hop1 accepts\nhop1 > 220 h\nhop1 < EHLO fe1\nhop1 > 451 no\n" },
	{ "it closes behind EHLO", "hop1 accepts\nhop1 > 220 h\nhop1 < EHLO fe1\nhop1 closes\n" },
	{ "it says what is no SMTP", "hop1 accepts\nhop1 > hello\n" },
	{ "it closes behind MAIL", HOP("hop1") ASKED_X "hop1 closes\n" },
	{ "it is reset behind MAIL", HOP("hop1") ASKED_X "hop1 resets\n" },
	{ "it says 421 to MAIL", HOP("hop1") ASKED_X "hop1 > 421 4.3.2 going down\n" },
	{ "it says nothing to MAIL", HOP("hop1") ASKED_X "wait 6s\n" },
	{ "it says 421 to RCPT", HOP("hop1") ASKED_X "hop1 >> 250 ok\\r\\n421 4.3.2 bye\\r\\n\n" },
};

TEST(another_hop_when_the_first_is_away)
{
	for (size_t i = 0; i < ARRAY_LEN(hop_failures); i++) {
		const char *first = hop_failures[i].first;
		bool before = first[5] == 'r' || first[5] == 'b'; /* how dials are met */
		char script[4000];

		print_message("# %s\n", hop_failures[i].name);
		snprintf(script, sizeof(script), "%s%s%s%s", before ? "hop1 refuses\n" : "",
		         before && first[5] == 'b' ? "hop1 blackholes\n" : "", ASK,
		         before && first[5] == 'r' ? ""
		         : before                  ? "wait 6s\n"
		                                   : first);
		snprintf(
			script + strlen(script), sizeof(script) - strlen(script), "%s",
			HOP("hop2") HOP2_ASKED_X TAKES("hop2") "near < 250 2.1.5 OK\n"
			/* and the message goes where it was asked for */
			NEAR_SEND
				HOP_GO_FRED("hop2", "x@far.example") "hop2 >> 250 ok\\r\\n250 ok\\r\\n\n" HOP_BODY(
					"hop2") "hop2 > 250 ok\nnear < 250 *\n");
		world_play_with(RELAY, script);
	}
}

TEST(all_hops_are_away)
{
	world_play_with(RELAY, "hop1 refuses\nhop2 refuses\n" ASK "near < 451 4.4.1 *\n"
	                       "near > NOOP\nnear < 250 *\n");
	world_play_with(RELAY,
	                "hop1 blackholes\nhop2 blackholes\n" ASK "wait 11s\nnear < 451 4.*\n");
}

/* A hop comes back to its place when its pause is over. */
TEST(hop_that_is_back)
{
	world_play_with(
		RELAY,
		"hop1 refuses\n" ASK HOP("hop2") HOP2_ASKED_X TAKES(
			"hop2") "near < 250 *\nhop1 listens\nnear > RSET\nnear < 250 *\n" NEAR_MAIL
				"near > RCPT TO:<x@far.example>\n" HOP2_ASKED_X TAKES(
					"hop2") "near < 250 *\nnear > RSET\nnear < 250 *\nwait 6s\n" NEAR_MAIL
						"near > RCPT TO:<x@far.example>\n" HOP("hop1")
							ASKED_X TAKES("hop1") "near < 250 *\n");
}

/* ---- names -------------------------------------------------------------------------------------------- */

#define NAMED "relay = relay.example.net 192.0.2.26:2525\n"

TEST(hops_by_name)
{
	/* nobody knows the name, and the next hop is asked; then somebody does */
	world_play_with(
		NAMED,
		ASK HOP("hop2") HOP2_ASKED_X TAKES(
			"hop2") "near < 250 *\nnear > RSET\nnear < 250 *\nwait 2s\n"
				"dns knows relay.example.net 192.0.2.25\n" NEAR_MAIL
				"near > RCPT TO:<x@far.example>\n" HOP2_ASKED_X TAKES(
					"hop2") "near < 250 *\nnear > RSET\nnear < 250 *\n" NEAR_MAIL
						"near > RCPT TO:<x@far.example>\n" HOP("hop1")
							ASKED_X TAKES("hop1") "near < 250 *\n");
	/* its second address */
	world_play_with("relay = relay.example.net:2525\n",
	                "wait 2s\ndns knows relay.example.net 192.0.2.99 192.0.2.26\n" ASK HOP(
				"hop2") HOP2_ASKED_X TAKES("hop2") "near < 250 *\n");
	/* nobody knows it, and there is no other */
	world_play_with("relay = relay.example.net\n", ASK "near < 451 4.4.3 *\n");
	world_play_with("relay = relay.example.net\n",
	                "wait 2s\ndns is silent about relay.example.net\n" ASK
	                "wait 4s\nnear is silent\nwait 2s\nnear < 451 4.4.3 *\n");
	world_play_with("relay = relay.example.net\n",
	                "wait 2s\ndns is silent about relay.example.net\n" ASK);
}

/* It has moved; and while its name leads nowhere the address at hand will do. */
TEST(hop_by_name_that_moves)
{
	world_play_with(
		"relay = relay.example.net:25\n",
		"wait 2s\ndns knows relay.example.net 192.0.2.25\n" ASK HOP("hop1") ASKED_X TAKES(
			"hop1") "near < 250 *\nnear > RSET\nnear < 250 *\ndns is silent about relay.example.net\n"
				"wait 61s\nhop1 < QUIT\n" NEAR_MAIL
				"near > RCPT TO:<x@far.example>\n" HOP("hop1") ASKED_X TAKES(
					"hop1") "near < 250 *\n"
						"near > RSET\nnear < 250 *\nwait 10s\n"
						"dns knows relay.example.net 192.0.2.77\nwait 61s\nhop1 < QUIT\n" NEAR_MAIL
						"near > RCPT TO:<x@far.example>\n" HOP("hop1") ASKED_X TAKES(
							"hop1") "near < 250 *\n"
								"near > RSET\nnear < 250 *\n" NEAR_MAIL
								"near > RCPT TO:<x@far.example>\nnear < 451 4.4.1 *\n");
}

/* Large mail services change their addresses all the time. */
TEST(hop_by_name_that_has_had_many_addresses)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, "wait 2s\n" NEAR);
	for (int i = 0; i < 70; i++)
		buf_printf(&script,
		           "dns knows relay.example.net 198.51.100.%d\nwait 61s\n" NEAR_MAIL
		           "near > RCPT TO:<x@far.example>\nnear < 451 4.4.1 *\nnear > RSET\n"
		           "near < 250 *\n",
		           i + 1);
	/* the first one asks for the name, and goes to the address at hand */
	buf_add_str(&script,
	            "dns knows relay.example.net 192.0.2.25\nwait 61s\n" NEAR_MAIL
	            "near > RCPT TO:<x@far.example>\nnear < 451 4.4.1 *\nnear > RSET\n"
	            "near < 250 *\n" NEAR_MAIL "near > RCPT TO:<x@far.example>\n" HOP("hop1")
	                    ASKED_X TAKES("hop1") "near < 250 *\n");
	world_play_once("relay = relay.example.net:25\n", buf_cstr(&script));
	buf_fini(&script);
}

/* ---- what it cannot take --------------------------------------------------------------------------- */

#define POOR_HOP                                                                                   \
	"hop1 accepts\nhop1 > 220 h\nhop1 < EHLO fe1\nhop1 >> 250-h\\r\\n250 SIZE 5000\\r\\n\n"

#define ONE_HOP "relay = 192.0.2.25\n"

TEST(what_the_hop_cannot_take_does_not_go_there)
{
	world_play_with(ONE_HOP, NEAR "near > MAIL FROM:<fred@example.org> BODY=8BITMIME\n"
	                              "near < 250 *\nnear > RCPT TO:<x@far.example>\n" POOR_HOP
	                              "near < 554 5.6.3 *\nhop1 is silent\n");
	world_play_with(ONE_HOP, NEAR "near > MAIL FROM:<fred@example.org> SMTPUTF8\n"
	                              "near < 250 *\nnear > RCPT TO:<x@far.example>\n" POOR_HOP
	                              "near < 553 5.6.7 *\nhop1 is silent\n");
	world_play_with(ONE_HOP, NEAR "near > MAIL FROM:<fred@example.org> SIZE=6000\n"
	                              "near < 250 *\nnear > RCPT TO:<x@far.example>\n" POOR_HOP
	                              "near < 552 5.3.4 *\nhop1 is silent\n");
}

TEST(another_hop_that_can_take_it)
{
	world_play_with(RELAY, NEAR
	                "near > MAIL FROM:<fred@example.org> BODY=8BITMIME\nnear < 250 *\n"
	                "near > RCPT TO:<x@far.example>\n" POOR_HOP HOP("hop2") HOP2_ASKED_X TAKES(
				"hop2") "near < 250 *\nnear > RSET\nnear < 250 *\n"
	                /* the first one is as good as it was for what it can take */
	                NEAR_MAIL "near > RCPT TO:<x@far.example>\n"
	                                "hop1 < MAIL *\n");
	/* whether that one could is not known */
	world_play_with(RELAY, "hop2 refuses\n" NEAR
	                       "near > MAIL FROM:<fred@example.org> BODY=8BITMIME\nnear < 250 *\n"
	                       "near > RCPT TO:<x@far.example>\n" POOR_HOP "near < 451 4.4.1 *\n");
}

/* ---- failures with the message, in each phase -------------------------------------------------------- */

static const struct phase {
	const char *name, *script, *want;
} phases[] = {
	{ "it refuses the recipient now",
	  READY NEAR_SEND HOP_GO_FRED(
		  "hop1",
		  "x@far.example") "hop1 >> 250 ok\\r\\n550 5.1.1 gone\\r\\n\nhop1 < RSET\n",
	  "550 5.1.1 gone" },
	{ "it has the recipient wait now",
	  READY NEAR_SEND HOP_GO_FRED(
		  "hop1",
		  "x@far.example") "hop1 >> 250 ok\\r\\n450 4.2.0 wait\\r\\n\nhop1 < RSET\n",
	  "450 4.2.0 wait" },
	{ "it refuses the sender",
	  READY NEAR_SEND HOP_GO_FRED(
		  "hop1",
		  "x@far.example") "hop1 >> 550 5.7.1 no\\r\\n503 5.5.1 no\\r\\n\nhop1 < RSET\n",
	  "550 5.7.1 no" },
	{ "it refuses DATA",
	  READY NEAR_SEND HOP_GO_FRED("hop1", "x@far.example") TAKEN
	  "hop1 < DATA\nhop1 > 554 5.6.0 no\n",
	  "554 5.6.0 no" },
	{ "it closes in the message, and the other has it",
	  READY NEAR_SEND HOP_GO_FRED("hop1", "x@far.example") TAKEN
	  "hop1 < DATA\nhop1 closes\n" HOP("hop2")
	          HOP_GO_FRED("hop2", "x@far.example") "hop2 >> 250 ok\\r\\n250 ok\\r\\n\n" HOP_BODY(
			  "hop2") "hop2 > 250 ok\n",
	  "250 *" },
	{ "it says nothing to DATA",
	  READY NEAR_SEND HOP_GO_FRED("hop1", "x@far.example") TAKEN
	  "hop1 < DATA\nwait 119s\nnear is silent\nwait 2s\n",
	  "451 4.4.1 *" },
	{ "it says nothing behind the message", SENT "wait 119s\nnear is silent\nwait 2s\n",
	  "451 4.4.2 *" },
	{ "it is lost behind the message: no other has it", SENT "hop1 resets\n", "451 4.4.2 *" },
	{ "it closes behind the message", SENT "hop1 closes\n", "451 4.4.2 *" },
	{ "it answers 451", SENT "hop1 > 451 4.3.0 later\n", "451 4.3.0 later" },
	{ "it does not take it and goes: the other has it",
	  SENT "hop1 > 421 4.3.0 going\n" HOP("hop2")
	          HOP_GO_FRED("hop2", "x@far.example") "hop2 >> 250 ok\\r\\n250 ok\\r\\n\n" HOP_BODY(
			  "hop2") "hop2 > 250 ok\n",
	  "250 *" },
	{ "it answers 552", SENT "hop1 > 552 5.2.2 full\n", "552 5.2.2 full" },
	{ "it answers what is no SMTP", SENT "hop1 > yes\n", "451 4.4.2 *" },
};

TEST(failures_with_the_message_in_each_phase)
{
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		char script[6000];

		print_message("# %s\n", phases[i].name);
		snprintf(script, sizeof(script),
		         "%snear < %s\nnear is silent\nnear > NOOP\nnear < 250 *\n",
		         phases[i].script, phases[i].want);
		world_play_with(RELAY, script);
	}
}

/* ---- several elsewhere: all of them, or the client comes again for all ------------------------------ */

#define TWO_ELSEWHERE                                                                              \
	READY "near > RCPT TO:<y@other.example>\n" HOP_ASKED("hop1", "fred@example.org",           \
	                                                     "y@other.example")                    \
		TAKES("hop1") "near < 250 *\n" NEAR_SEND HOP_GO(                                   \
			"hop1", "fred@example.org",                                                \
			"hop1 < RCPT TO:<x@far.example>\nhop1 < RCPT TO:<y@other.example>\n")

TEST(all_elsewhere_are_one_transaction)
{
	world_play_with(RELAY,
	                TWO_ELSEWHERE "hop1 >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\n" HOP_BODY(
				"hop1") "hop1 > 250 ok\nnear < 250 *\n");
}

TEST(nobody_elsewhere_while_one_has_to_wait)
{
	world_play_with(RELAY,
	                TWO_ELSEWHERE "hop1 >> 250 ok\\r\\n250 ok\\r\\n450 4.2.0 wait\\r\\n\n"
	                              "hop1 < RSET\nnear < 450 4.2.0 wait\n");
}

/* All would come again, and again in vain: so next time they are told before. */
TEST(a_hop_that_does_not_take_so_many_at_once)
{
	world_play_with(
		RELAY, TWO_ELSEWHERE
		"hop1 >> 250 ok\\r\\n250 ok\\r\\n452 4.5.3 too many\\r\\n\n"
		"hop1 < RSET\nhop1 > 250 ok\nnear < 452 4.5.3 too many\n" NEAR_MAIL
		"near > RCPT TO:<x@far.example>\n" ASKED_X TAKES(
			"hop1") "near < 250 *\nnear > RCPT TO:<y@other.example>\nnear < 452 4.5.3 *\n" NEAR_SEND
			HOP_GO_FRED("hop1", "x@far.example") TAKEN HOP_BODY(
				"hop1") "hop1 > 250 ok\nnear < 250 *\nwait 61m\nhop1 < QUIT\nnear < 421 *\n" NEAR
				/* it may take more by now */
				NEAR_MAIL "near > RCPT TO:<x@far.example>\n" HOP("hop1") ASKED_X
					TAKES("hop1") "near < 250 *\nnear > RCPT TO:<y@other.example>\n" HOP_ASKED(
						"hop1", "fred@example.org", "y@other.example")
						TAKES("hop1") "near < 250 *\n");
	/* another reason to wait says nothing of how many */
	world_play_with(
		RELAY, TWO_ELSEWHERE
		"hop1 >> 250 ok\\r\\n250 ok\\r\\n452 4.2.2 full\\r\\n\n"
		"hop1 < RSET\nhop1 > 250 ok\nnear < 452 *\n" NEAR_MAIL
		"near > RCPT TO:<x@far.example>\n" ASKED_X
			TAKES("hop1") "near < 250 *\nnear > RCPT TO:<y@other.example>\n" HOP_ASKED(
				"hop1", "fred@example.org", "y@other.example")
				TAKES("hop1") "near < 250 *\n");
}

/* ---- a store and a next hop ---------------------------------------------------------------------------- */

#define BOTH_READY                                                                                 \
	READY "near > RCPT TO:<bob@example.org>\n" UP(                                             \
		"store1") "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES("store1") "near < 250 2.1.5 OK\n" NEAR_SEND
#define STORE_HAS                                                                                  \
	"store1 < MAIL FROM:<fred@example.org>*\nstore1 < RCPT *\nstore1 < DATA\n"                 \
	"store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\n"
#define HOP_HAS HOP_GO_FRED("hop1", "x@far.example") TAKEN HOP_BODY("hop1")

TEST(the_hop_comes_last)
{
	world_play_with(RELAY,
	                BOTH_READY STORE_HAS "hop1 is silent\nstore1 > 250 2.0.0 ok\n" HOP_HAS
	                                     "near is silent\nhop1 > 250 ok\nnear < 250 *\n");
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 > 451 4.3.0 later\n"
	                                            "near < 451 4.3.0 later\nhop1 is silent\n");
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 resets\n"
	                                            "near < 451 4.4.2 *\nhop1 is silent\n");
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 > 250 2.0.0 ok\n" HOP_HAS
	                                            "hop1 > 451 4.3.0 later\nnear < 451 4.3.0 *\n");
}

/* A client who comes again, since he did not hear us, makes no second copy. */
TEST(what_the_hop_has_it_does_not_get_again)
{
	world_play_with(RELAY, SENT "near resets\nhop1 > 250 2.0.0 ok\n" NEAR NEAR_MAIL
	                            "near > RCPT TO:<x@far.example>\n" ASKED_X TAKES(
					    "hop1") "near < 250 *\n" NEAR_SEND
	                                            "near < 250 2.0.0 *\nhop1 is silent\n");
	/* another message, or another recipient, is new */
	world_play_with(RELAY, SENT "hop1 > 250 2.0.0 ok\nnear < 250 *\n" NEAR_MAIL
	                            "near > RCPT TO:<z@far.example>\n" HOP_ASKED(
					    "hop1", "fred@example.org", "z@far.example")
	                                    TAKES("hop1") "near < 250 *\n" NEAR_SEND HOP_GO_FRED(
						    "hop1", "z@far.example"));
	world_play_with(
		RELAY "relay_remember = 0\n", SENT
		"hop1 > 250 2.0.0 ok\nnear < 250 *\n" NEAR_MAIL
		"near > RCPT TO:<x@far.example>\n" ASKED_X TAKES(
			"hop1") "near < 250 *\n" NEAR_SEND HOP_GO_FRED("hop1", "x@far.example"));
}

/* ---- some have it, others never will -------------------------------------------------------------------- */

/* the sender, fred, has his mailbox at store1 */
#define REPORT_ASKED "store1 < MAIL FROM:<>*\nstore1 < RCPT TO:<fred@example.org>*\nstore1 < RSET\n"
#define REPORT_SENT                                                                                \
	"store1 < MAIL FROM:<>*\nstore1 < RCPT TO:<fred@example.org>*\nstore1 < DATA\n"            \
	"store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
#define REPORT_TEXT(rcpt, status)                                                                  \
	"store1 < From: Mail Delivery System <MAILER-DAEMON@fe1>\n"                                \
	"store1 < To: <fred@example.org>\nstore1 << Final-Recipient: rfc822; " rcpt "\n"           \
	"store1 < Action: failed\nstore1 < Status: " status "\n"                                   \
	"store1 << Subject: hi\nstore1 << .\n"

TEST(sender_is_told_who_has_refused)
{
	world_play_with(
		RELAY, BOTH_READY STORE_HAS
		"store1 > 250 2.0.0 ok\n" HOP_HAS
		"hop1 > 554 5.7.1 spam\n" REPORT_ASKED TAKES("store1") REPORT_SENT REPORT_TEXT(
			"x@far.example",
			"5.7.1") "near is silent\nstore1 > 250 ok\nnear < 250 2.0.0 *\n");
	/* the store has refused: he is asked for before the hop has it */
	world_play_with(
		RELAY, BOTH_READY STORE_HAS
		"store1 > 552 5.2.2 full\nhop1 is silent\n" REPORT_ASKED TAKES("store1") HOP_HAS
		"hop1 > 250 ok\n" REPORT_SENT REPORT_TEXT(
			"bob@example.org", "5.2.2") "store1 > 250 ok\nnear < 250 2.0.0 *\n");
}

TEST(sender_cannot_be_told)
{
	world_play_with(RELAY, BOTH_READY STORE_HAS
	                "store1 > 250 2.0.0 ok\n" HOP_HAS
	                "hop1 > 554 5.7.1 spam\n" REPORT_ASKED SAYS(
				"store1", "452 4.2.2 full") "near < 451 4.3.0 *\n");
	/* so the hop does not get it */
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 > 552 5.2.2 full\n" REPORT_ASKED SAYS(
				       "store1", "452 4.2.2 full") "near < 451 4.3.0 *\n"
	                                                           "hop1 is silent\n");
	world_play_with(RELAY, BOTH_READY STORE_HAS
	                "store1 > 250 2.0.0 ok\n" HOP_HAS
	                "hop1 > 554 5.7.1 spam\n" REPORT_ASKED TAKES("store1") REPORT_SENT
	                "store1 resets\nnear < 451 4.3.0 *\n");
}

TEST(all_refuse)
{
	world_play_with(RELAY, BOTH_READY STORE_HAS
	                "store1 > 552 5.2.2 full\n" REPORT_ASKED TAKES("store1") HOP_HAS
	                "hop1 > 554 5.7.1 spam\nnear < 55*\nstore1 is silent\n");
}

/* From the Internet; the sender is told by the next hop. */
TEST(sender_elsewhere_is_told_by_the_hop)
{
	world_play_with(
		RELAY, GREETED
		"client > MAIL FROM:<joe@far.example>\nclient < 250 *\n"
		"client > RCPT TO:<fred@example.org>\n" UP("store1") "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
			"store1") "client < 250 *\nclient > RCPT TO:<bob@example.org>\n"
				  "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
					  "store1") "client < 250 *\n" SEND
						    "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RCPT *\nstore1 < DATA\n"
						    "store1 >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\n"
						    "store1 >> 250 ok\\r\\n552 5.2.2 full\\r\\n\n" HOP(
							    "hop1") HOP_ASKED("hop1", "",
	                                                                      "joe@far.example")
							    TAKES("hop1") "hop1 < MAIL FROM:<>*\nhop1 < RCPT *\nhop1 >> 250 ok\\r\\n250 ok\\r\\n\n"
									  "hop1 < DATA\nhop1 > 354 go\nhop1 << Final-Recipient: rfc822; bob@example.org\n"
									  "hop1 << .\nhop1 > 250 ok\nclient < 250 2.0.0 *\n");
}

TEST(nobody_is_told_of_a_bounce)
{
	world_play_with(
		RELAY, GREETED
		"client > MAIL FROM:<>\nclient < 250 *\nclient > RCPT TO:<fred@example.org>\n" UP("store1") "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
			"store1") "client < 250 *\nclient > RCPT TO:<bob@example.org>\n"
				  "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RSET\n" TAKES(
					  "store1") "client < 250 *\n" SEND
						    "store1 < MAIL *\nstore1 < RCPT *\nstore1 < RCPT *\nstore1 < DATA\n"
						    "store1 >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\n"
						    "store1 >> 250 ok\\r\\n552 5.2.2 full\\r\\n\nclient < 250 2.0.0 *\n"
						    "store1 is silent\n");
}

/* ---- forwards ------------------------------------------------------------------------------------------ */

#define SRS_SET RELAY "srs_domain = srs.example.org\nsrs_secret = 0123456789abcdef\n"
#define HOP_ASKED_SRS                                                                              \
	"hop1 < MAIL FROM:<SRS0=*=example.net=joe@srs.example.org>*\n"                             \
	"hop1 < RCPT TO:<ann@far.example>\nhop1 < RSET\n"

TEST(forward_leaves_with_our_sender)
{
	world_play_with(
		SRS_SET, GREETED MAIL_FROM
		"client > RCPT TO:<away@example.org>\n" HOP("hop1") HOP_ASKED_SRS TAKES(
			"hop1") "client < 250 *\n" SEND
				"hop1 < MAIL FROM:<SRS0=*=example.net=joe@srs.example.org>*\nhop1 < RCPT *\n" TAKEN
				"hop1 < DATA\nhop1 > 354 go\nhop1 < Delivered-To: away@example.org\n"
				"hop1 < Received: *\nhop1 << .\nhop1 > 250 ok\nclient < 250 2.0.0 *\n");
	/* without srs_domain it keeps its own */
	world_play_with(RELAY, GREETED MAIL_FROM "client > RCPT TO:<away@example.org>\n" HOP("hop1")
	                               HOP_ASKED("hop1", "joe@example.net", "ann@far.example")
	                                       TAKES("hop1") "client < 250 *\n");
	/* and so does our user's */
	world_play_with(SRS_SET, NEAR NEAR_MAIL "near > RCPT TO:<away@example.org>\n" HOP("hop1")
	                                 HOP_ASKED("hop1", "fred@example.org", "ann@far.example")
	                                         TAKES("hop1") "near < 250 *\n");
}

TEST(forward_with_a_copy_here)
{
	world_play_with(
		RELAY,
		GREETED MAIL_FROM "client > RCPT TO:<copy@example.org>\n" UP("store1") ASKED(
			"store1", "fred@example.org") HOP("hop1") HOP_ASKED("hop1",
	                                                                    "joe@example.net",
	                                                                    "ann@far.example")
			TAKES("store1") "client is silent\n" TAKES("hop1") "client < 250 *\n" SEND GO(
				"store1",
				"store1 < RCPT TO:<fred@example.org>*\n") "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\nhop1 is silent\n"
									  "store1 > 250 ok\nhop1 < MAIL *\nhop1 < RCPT *\n" TAKEN
									  "hop1 < DATA\nhop1 > 354 go\nhop1 << .\nhop1 > 250 ok\nclient < 250 *\n");
}

/* Who has no copy here has none there; what the store says of him is the answer. */
TEST(forward_with_a_copy_here_that_is_refused)
{
	static const char script[] = GREETED MAIL_FROM "client > RCPT TO:<copy@example.org>\n" UP(
		"store1") ASKED("store1",
	                        "fred@example.org") HOP("hop1") HOP_ASKED("hop1", "joe@example.net",
	                                                                  "ann@far.example")
		TAKES("store1") TAKES("hop1") "client < 250 *\n" SEND GO(
			"store1",
			"store1 < RCPT TO:<fred@example.org>*\n") "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\n"
								  "store1 > 552 5.2.2 full\nclient < 552 5.2.2 full\nhop1 is silent\n";

	world_play_with(RELAY, script);
}

TEST(no_hop_is_given_a_message_too_late)
{
	world_play_with(RELAY "store_timeout = 280s\n",
	                BOTH_READY STORE_HAS "wait 265s\nstore1 > 250 ok\nnear < 451 4.5.0 *\n"
	                                     "hop1 < QUIT\nhop1 is closed\n");
}

TEST(forward_that_comes_back_is_stopped)
{
	world_play_with(
		RELAY,
		GREETED MAIL_FROM "client > RCPT TO:<away@example.org>\n" HOP("hop1") HOP_ASKED(
			"hop1", "joe@example.net", "ann@far.example")
			TAKES("hop1") "client < 250 *\nclient > DATA\nclient < 354 *\n"
				      "client >> Received: x\\r\\nDelivered-To: AWAY@example.org\\r\\n\\r\\n.\\r\\n\n"
				      "client < 554 5.4.6 *\nhop1 is silent\n");
}

/* A store of others does not know a message it has already, either. */
TEST(foreign_store_and_hop_do_not_go_together)
{
	world_play_with(
		RELAY,
		NEAR NEAR_MAIL NEAR_RCPT(
			"x@far.example") "near > RCPT TO:<cyrus@example.org>\nnear < 452 4.5.3 *\n");
	world_play_with(
		RELAY, GREETED MAIL_FROM
		"client > RCPT TO:<cyrus@example.org>\ncyrus accepts\n"
		"cyrus > 220 c\ncyrus < LHLO fe1\ncyrus >> 250-c\\r\\n250 PIPELINING\\r\\n\n"
		"cyrus < MAIL *\ncyrus < RCPT *\ncyrus < RSET\n" TAKES(
			"cyrus") "client < 250 *\nclient > RCPT TO:<away@example.org>\nclient < 452 4.5.3 *\n"
				 "client > RCPT TO:<odd@example.org>\nclient < 452 4.5.3 *\n");
}

/* ---- LMTP: each has a reply of his own --------------------------------------------------------------- */

TEST(lmtp_replies_for_hop_and_store)
{
	world_play_with(
		RELAY,
		"mta connects\nmta < 220 *\nmta > LHLO mta\nmta << 250 *\n"
		"mta > MAIL FROM:<joe@example.net>\nmta < 250 *\nmta > RCPT TO:<fred@example.org>\n" UP(
			"store1") ASKED("store1", "fred@example.org")
			TAKES("store1") "mta < 250 *\nmta > RCPT TO:<away@example.org>\n" HOP(
				"hop1") HOP_ASKED("hop1", "joe@example.net", "ann@far.example")
				TAKES("hop1") "mta < 250 *\nmta > RCPT TO:<x@far.example>\nmta < 550 5.7.1 *\n"
					      "mta > DATA\nmta < 354 *\nmta >> Subject: hi\\r\\n\\r\\n.\\r\\n\n"
					      "store1 < MAIL *\nstore1 < RCPT *\nstore1 < DATA\n"
					      "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nstore1 << .\n"
					      "store1 > 451 4.3.0 later\nhop1 < MAIL *\nhop1 < RCPT *\nhop1 < DATA\n"
					      "hop1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\nhop1 << .\nhop1 > 250 2.0.0 queued\n"
					      "mta < 451 4.3.0 later\nmta < 250 2.0.0 queued\n");
}

/* ---- the end comes at any time ------------------------------------------------------------------------- */

TEST(client_leaves_and_the_hop_is_heard_out)
{
	world_play_with(RELAY, SENT "near resets\nwho is there submission 127.0.0.1 gone\n"
	                            "hop1 > 250 ok\nwho is there\n");
	world_play_with(RELAY, ASK HOP("hop1") ASKED_X "near resets\nwho is there\n" TAKES("hop1"));
}

TEST(stop_cuts_in_every_state)
{
	world_play_with(RELAY, SENT);
	world_play_with(RELAY, ASK);
	world_play_with(RELAY, ASK HOP("hop1") ASKED_X);
	world_play_with(RELAY, BOTH_READY STORE_HAS);
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 > 250 ok\n" HOP_HAS
	                                            "hop1 > 554 5.7.1 no\n" REPORT_ASKED);
	world_play_with(RELAY, BOTH_READY STORE_HAS "store1 > 552 5.2.2 full\n" REPORT_ASKED TAKES(
				       "store1") HOP_HAS "hop1 > 250 ok\n" REPORT_SENT);
}
