/* The message: to one store and to several, with each failure in each phase. */
#include "world.h"

#include "base/buf.h"
#include "lib/test.h"
#include "tls/digest.h"

#include <stdio.h>
#include <string.h>

#define GO_FRED GO("store1", "store1 < RCPT TO:<fred@example.org>*\n")
#define FRED_READY GREETED MAIL_FROM RCPT_FRED
/* up to the point where the store has the final dot */
#define FRED_SENT                                                                                  \
	FRED_READY SEND GO_FRED "store1 >> 250 2.1.0 ok\\r\\n250 2.1.5 ok\\r\\n\n" BODY("store1")  \
		TEXT("store1")

TEST(data_is_accepted_when_the_store_has_it)
{
	world_play(FRED_SENT "client is silent\n"
	                     "store1 > 250 2.0.0 on disk\n"
	                     "client < 250 2.0.0 OK*\n"
	                     "client > QUIT\nclient < 221 *\nclient is closed\npool has 1\n");
}

TEST(data_carries_trace_and_key)
{
	struct buf sum = BUF_INIT(SIZE_MAX), script = BUF_INIT(SIZE_MAX);
	uint8_t key[DIGEST_LEN];

	buf_add(&sum, "joe@example.net", sizeof("joe@example.net"));
	buf_add_str(&sum, "Subject: hi\r\n\r\n.dot\r\n");
	digest_of(buf_slice(&sum), key);
	buf_add_str(&script, FRED_READY SEND "store1 < MAIL FROM:<joe@example.net>*XKEY=");
	for (size_t i = 0; i < DIGEST_LEN; i++)
		buf_printf(&script, "%02x", key[i]);
	buf_add_str(&script, "*\nstore1 < RCPT TO:<fred@example.org> XUSER=fred XCLAIM=7\n"
	                     "store1 < DATA\n"
	                     "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
	                     "store1 < Received: from mx.example.net ([192.0.2.1])\n"
	                     "store1 < *by fe1 with ESMTP id *\n"
	                     "store1 < *for <fred@example.org>;\n"
	                     "store1 < * +0000\n"
	                     "store1 < Subject: hi\nstore1 < \nstore1 < ..dot\nstore1 < .\n");
	world_play(buf_cstr(&script));
	buf_fini(&sum);
	buf_fini(&script);
}

/* A second message of the same session goes the same way, on the same connection. */
TEST(data_twice_in_a_session)
{
	world_play(FRED_SENT
	           "store1 > 250 2.0.0 ok\nclient < 250 *\n" MAIL_FROM
	           "client > RCPT TO:<fred@example.org>\n" ASKED("store1", "fred") TAKES(
			   "store1") "client < 250 *\n" SEND
	                   GO_FRED "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1") TEXT(
				   "store1") "store1 > 250 2.0.0 ok\nclient < 250 *\npool has 1\n");
}

TEST(data_by_chunks_is_the_same)
{
	world_play(FRED_READY "client >> BDAT 15\\r\\nSubject: hi\\r\\n\\r\\n\n"
	                      "client < 250 *\n"
	                      "client >> BDAT 6 LAST\\r\\n.dot\\r\\n\n" GO_FRED
	                      "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1")
	                              TEXT("store1") "store1 > 250 2.0.0 ok\nclient < 250 *\n");
}

/* ---- failures of one store, in each phase ---------------------------------------------------- */

static const struct phase_case {
	const char *name, *script, *want;
} phases[] = {
	{ "it refuses the recipient now",
	  FRED_READY SEND GO_FRED
	  "store1 >> 250 ok\\r\\n452 4.2.2 full\\r\\n503 5.5.1 none\\r\\n\n",
	  "452 4.2.2 full" },
	{ "it refuses the sender",
	  FRED_READY SEND GO_FRED
	  "store1 >> 451 4.7.0 no\\r\\n503 5.5.1 no\\r\\n503 5.5.1 none\\r\\n\n",
	  "451 4.7.0 no" },
	{ "it refuses DATA",
	  FRED_READY SEND GO_FRED "store1 >> 250 ok\\r\\n250 ok\\r\\n452 4.3.1 disk\\r\\n\n",
	  "452 4.3.1 disk" },
	{ "it closes before the message",
	  FRED_READY SEND GO_FRED "store1 > 250 ok\nstore1 closes\n", "451 4.3.0 *" },
	{ "it says 421, and again on a new connection",
	  FRED_READY SEND GO_FRED "store1 > 421 4.3.2 going down\n" UP("store1") GO_FRED
	  "store1 > 421 4.3.2 going down\n",
	  "451 4.3.2 going down" },
	{ "it says nothing to DATA",
	  FRED_READY SEND GO_FRED
	  "store1 >> 250 ok\\r\\n250 ok\\r\\n\nwait 119s\nclient is silent\nwait 2s\n",
	  "451 4.3.0 *" },
	{ "it says nothing behind the message", FRED_SENT "wait 119s\nclient is silent\nwait 2s\n",
	  "451 4.4.2 *" },
	{ "it is lost behind the message", FRED_SENT "store1 resets\n", "451 4.4.2 *" },
	{ "it closes behind the message", FRED_SENT "store1 closes\n", "451 4.4.2 *" },
	{ "it answers 451", FRED_SENT "store1 > 451 4.3.0 later\n", "451 4.3.0 later" },
	{ "it answers 552", FRED_SENT "store1 > 552 5.2.2 full\n", "552 5.2.2 full" },
	{ "it answers 552, and nobody knows where he is now",
	  "map then has user.fred blind\n" FRED_SENT "store1 > 552 5.2.2 full\n", "451 4.3.0 *" },
	{ "it answers 552, and he has moved",
	  "map then has user.fred at store2 8\n" FRED_SENT "store1 > 550 5.1.1 gone\n",
	  "451 4.3.0 *" },
	{ "it answers what is no SMTP", FRED_SENT "store1 > yes\n", "451 4.4.2 *" },
};

TEST(data_failures_in_each_phase)
{
	for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
		char script[4000];

		snprintf(script, sizeof(script),
		         "%sclient < %s\nclient is silent\n"
		         "client > NOOP\nclient < 250 *\n",
		         phases[i].script, phases[i].want);
		print_message("# %s\n", phases[i].name);
		world_play(script);
	}
}

/* Between RCPT and DATA the store has been restarted: the connection is stale. */
TEST(data_on_a_stale_connection_is_sent_on_a_new_one)
{
	world_play(FRED_READY SEND GO_FRED "store1 closes\n" UP("store1") GO_FRED
	           "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1")
	                   TEXT("store1") "store1 > 250 ok\nclient < 250 *\n");
	world_play(FRED_READY "store1 closes\npool has 0\n" SEND UP("store1") GO_FRED
	           "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1")
	                   TEXT("store1") "store1 > 250 ok\nclient < 250 *\n");
}

/* ---- several stores --------------------------------------------------------------------------- */

#define TWO_READY                                                                                  \
	FRED_READY "client > RCPT TO:<ann@example.net>\n" UP("store2") ASKED("store2", "ann")      \
		TAKES("store2") "client < 250 2.1.5 OK\n"
#define TWO_SENT                                                                                                                                       \
	TWO_READY SEND GO_FRED                                                                                                                         \
		GO("store2", "store2 < RCPT TO:<ann@example.net>*\n") "store1 >> 250 ok\\r\\n250 ok\\r\\n\nstore2 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY( \
			"store1") BODY("store2") TEXT("store1") TEXT("store2")

static const struct two_case {
	const char *name, *one, *two, *want;
} twos[] = {
	{ "both have it", "250 ok", "250 ok", "250 2.0.0 OK*" },
	{ "one is later", "250 ok", "451 4.3.0 later", "451 4.3.0 later" },
	{ "one refuses: the other's copy must not be lost in a bounce", "250 ok", "550 5.7.1 no",
	  "451 4.3.0 *" },
	{ "one refuses, one is later", "452 4.2.2 full", "550 5.7.1 no", "452 4.2.2 full" },
	{ "both refuse", "550 5.7.1 no", "550 5.7.1 no", "550 5.7.1 no" },
};

TEST(data_to_two_stores_has_one_answer)
{
	for (size_t i = 0; i < ARRAY_LEN(twos); i++) {
		char script[6000];

		snprintf(script, sizeof(script),
		         TWO_SENT "store1 > %s\nclient is silent\nstore2 > %s\nclient < %s\n"
		                  "client is silent\n",
		         twos[i].one, twos[i].two, twos[i].want);
		print_message("# %s\n", twos[i].name);
		world_play(script);
	}
}

TEST(data_to_two_stores_of_which_one_dies)
{
	world_play(TWO_SENT "store1 > 250 ok\nstore2 resets\nclient < 451 4.4.2 *\n");
	world_play(TWO_SENT "store2 > 250 ok\nclient is silent\nwait 121s\nclient < 451 4.4.2 *\n");
}

TEST(data_for_two_users_of_a_store_is_one_transaction)
{
	world_play(
		FRED_READY "client > RCPT TO:<bob@example.org>\n" ASKED("store1", "bob") TAKES(
			"store1") "client < 250 *\n" SEND
			GO("store1",
	                   "store1 < RCPT TO:<fred@*\nstore1 < RCPT TO:<bob@*\n") "store1 >> 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
										  "store1 < Received: *\n"
										  "store1 < *by fe1 with ESMTP id *;\n" /* and none learns of the other */
		TEXT("store1") "store1 > 250 ok\nclient is silent\nstore1 > 250 ok\n"
			       "client < 250 *\n");
}

TEST(data_for_one_user_twice_is_one_copy)
{
	world_play(FRED_READY
	           "client > RCPT TO:<fred@EXAMPLE.org>\nclient < 250 *\n" SEND GO_FRED
	           "store1 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY("store1")
	                   TEXT("store1") "store1 > 250 ok\nclient < 250 *\nstore1 is silent\n");
}

/* ---- LMTP ---------------------------------------------------------------------------------------- */

TEST(lmtp_has_one_reply_for_each_recipient)
{
	world_play(
		"mta connects\nmta < 220 fe1 LMTP ready\nmta > LHLO mta\nmta << 250 *\n"
		"mta > MAIL FROM:<joe@example.net>\nmta < 250 *\n"
		"mta > RCPT TO:<fred@example.org>\n" UP("store1") ASKED("store1", "fred") TAKES(
			"store1") "mta < 250 *\n"
				  "mta > RCPT TO:<ghost@example.org>\nmta < 550 5.1.1 *\n"
				  "mta > RCPT TO:<ann@example.net>\n" UP("store2") ASKED("store2", "ann") TAKES(
					  "store2") "mta < 250 *\n"
						    "mta > RCPT TO:<FRED@example.org>\nmta < 250 *\n"
						    "mta > RCPT TO:<fred>\n" /* bare: of the default domain */
						    "mta < 250 *\n"
						    "mta > DATA\nmta < 354 *\nmta >> Subject: hi\\r\\n\\r\\n..dot\\r\\n.\\r\\n\n" GO_FRED
							    GO("store2", "store2 < RCPT TO:<ann@example.net>*\n") "store1 >> 250 ok\\r\\n250 ok\\r\\n\nstore2 >> 250 ok\\r\\n250 ok\\r\\n\n" BODY(
								    "store1") BODY("store2") TEXT("store1")
								    TEXT("store2") "store2 > 552 5.2.2 full\nmta is silent\nstore1 > 250 2.0.0 ok\n"
										   "mta < 250 2.0.0 ok\nmta < 552 5.2.2 full\nmta < 250 2.0.0 ok\n"
										   "mta < 250 2.0.0 ok\nmta is silent\n"
										   "mta > QUIT\nmta < 221 *\nmta is closed\n");
}

TEST(lmtp_is_not_for_strangers)
{
	world_play("stranger connects\nstranger < 554 5.7.1 *\nstranger is closed\n");
}

/* ---- too big, too many hops, no room -------------------------------------------------------------- */

TEST(too_big_is_said_at_mail_and_behind_data)
{
	world_play_with("message_size_limit = 1K\n",
	                GREETED "client > MAIL FROM:<joe@example.net> SIZE=1025\n"
	                        "client < 552 5.3.4 *\n" MAIL_FROM RCPT_FRED
	                        "client > DATA\nclient < 354 *\n"
	                        "client >> "
	                        "0123456789012345678901234567890123456789012345678901234567890123"
	                        "\\r\\n\n" /* and 16 more: */
#define LINES4                                                                                     \
	"client >> 0123456789012345678901234567890123456789012345678901234567890123\\r\\n\n"       \
	"client >> 0123456789012345678901234567890123456789012345678901234567890123\\r\\n\n"       \
	"client >> 0123456789012345678901234567890123456789012345678901234567890123\\r\\n\n"       \
	"client >> 0123456789012345678901234567890123456789012345678901234567890123\\r\\n\n"
	                LINES4 LINES4 LINES4 LINES4 "client is silent\nclient > .\n"
	                        "client < 552 5.3.4 *\nstore1 is silent\n" MAIL_FROM);
}

TEST(too_many_hops_is_a_loop)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, FRED_READY "client > DATA\nclient < 354 *\n");
	for (int i = 0; i < 11; i++)
		buf_add_str(&script, "client > Received: from x\n");
	buf_add_str(&script, "client > \nclient > .\nclient < 554 5.4.6 *\nstore1 is silent\n");
	world_play_with("hop_limit = 10\n", buf_cstr(&script));
	buf_fini(&script);
}

TEST(no_room_for_the_file_is_later)
{
	world_play_with("message_memory = 20\nspool_dir = /nonexistent\n",
	                FRED_READY "client > DATA\nclient < 354 *\n"
	                           "client > 0123456789\nclient > 0123456789\nclient > more\n"
	                           "client is silent\nclient > .\nclient < 452 4.3.1 *\n"
	                           "store1 is silent\n" MAIL_FROM);
}

TEST(message_in_a_file_arrives_as_it_was)
{
	char more[300];

	snprintf(more, sizeof(more), "message_memory = 5\nspool_dir = %s\n", test_dir());
	world_play_with(more, FRED_SENT "store1 > 250 ok\nclient < 250 *\n");
}

/* ---- back-pressure ---------------------------------------------------------------------------------- */

TEST(store_that_does_not_read_stops_only_itself)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	buf_add_str(&script, TWO_READY "client > DATA\nclient < 354 *\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&script,
		           "client > %d 0123456789012345678901234567890123456789012345678901\n", i);
	buf_add_str(
		&script,
		"client > .\n" GO_FRED GO(
			"store2",
			"store2 < RCPT TO:<ann@example.net>*\n") "store1 stops\n"
								 "store1 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
								 "store2 >> 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
								 "store2 << 4999 *\nstore2 < .\nstore2 > 250 ok\nclient is silent\n"
								 "store1 reads\nstore1 << 4999 *\nstore1 < .\nstore1 > 250 ok\n"
								 "client < 250 *\n");
	world_play_once("", buf_cstr(&script));
	buf_fini(&script);
}
