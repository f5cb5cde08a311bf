/* COPY and MOVE from one store to another. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

#define LIST                                                                                       \
	"list has user.fred store1 fred=lrswipkxtea\n"                                             \
	"list has lists.news store2 anyone=lrswite\n"                                              \
	"wait 1s\n"
#define NEWS "\"Shared Folders/lists/news\""
#define SELECT_INBOX                                                                               \
	"client > s SELECT INBOX\n"                                                                \
	"store1 < s SELECT \"INBOX\"\n"                                                            \
	"store1 > s OK [READ-WRITE] done\n"                                                        \
	"client < s OK [READ-WRITE] done\n"
#define WHAT "(UID FLAGS INTERNALDATE RFC822.SIZE)"
#define FIRST                                                                                      \
	"* 2 FETCH (UID 12 FLAGS (\\\\Seen \\\\Recent $Work) INTERNALDATE \"17-Jul-1996 02:44:25 " \
	"-0700\" RFC822.SIZE 5)\n"
#define SECOND                                                                                     \
	"* 3 FETCH (UID 14 FLAGS () INTERNALDATE \"18-Jul-1996 02:44:25 +0000\" RFC822.SIZE 3)\n"
#define TOLD                                                                                       \
	"client < * 2 FETCH (UID 12 *)\n"                                                          \
	"client < * 3 FETCH (UID 14 *)\n"
/* Two messages up to the target's word. tag: of the command, n: of the first one of ours */
#define BEGUN                                                                                      \
	LIST LOGIN SELECT_INBOX "client > c UID COPY 12:14 " NEWS "\n" GUEST_LOGIN                 \
				"store1 < R1 UID FETCH 12:14 " WHAT "\n"                           \
				"store1 > " FIRST "store1 > " SECOND "store1 > R1 OK\n" TOLD       \
				"store1 < R2 UID FETCH 12,14 (UID BODY.PEEK[])\n"
#define ASKED                                                                                      \
	BEGUN "store1 > * 2 FETCH (UID 12 BODY[] {7}\n"                                            \
	      "store1 > hello\n"                                                                   \
	      "store1 > )\n"                                                                       \
	      "store2 < R3 APPEND " NEWS " (*Seen $Work) \"17-Jul-1996 02:44:25 -0700\" {7}\n"     \
	      "store2 is silent\n"
#define SENT                                                                                       \
	ASKED "store2 > + go\n"                                                                    \
	      "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"                                            \
	      "store1 > you)\n"                                                                    \
	      "store1 > R2 OK\n"                                                                   \
	      "store2 < hello\n"                                                                   \
	      "store2 < *() \"18-Jul-1996 02:44:25 +0000\" {3+}\n"                                 \
	      "store2 < you\n"                                                                     \
	      "client is silent\n"

TEST(messages_are_copied_with_all_they_have)
{
	world_play(SENT "store2 > * 9 EXISTS\n"
	                "store2 > R3 OK [APPENDUID 77 101:102] done\n"
	                "client < c OK [COPYUID 77 12,14 101:102] Copied\n"
	                "client > d NOOP\n"
	                "store1 < d NOOP\n"
	                "store1 > d OK\n"
	                "client < d OK\n");
}

TEST(the_source_waits_for_the_target)
{
	world_play(ASKED "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                 "store1 > you)\n"
	                 "store1 > * 9 EXISTS\n"
	                 "store1 > R2 OK\n"
	                 "store2 is silent\n"
	                 "store2 > + go\n"
	                 "store2 < hello\n"
	                 "store2 < *() \"18-Jul-1996 02:44:25 +0000\" {3+}\n"
	                 "store2 < you\n"
	                 "store2 > R3 OK [APPENDUID 77 5,9] done\n"
	                 "client < * 9 EXISTS\n"
	                 "client < c OK [COPYUID 77 12,14 5,9] Copied\n");
}

TEST(a_target_that_refuses_before_any_byte)
{
	world_play(ASKED "store2 > R3 NO [OVERQUOTA] too much\n"
	                 "client is silent\n"
	                 "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                 "store1 > you)\n"
	                 "store1 > R2 OK\n"
	                 "client < c NO [OVERQUOTA] too much\n"
	                 "store2 is silent\n"
	                 "client > d STATUS " NEWS " (MESSAGES)\n"
	                 "store2 < d STATUS *\n");
}

TEST(a_target_that_has_it_not)
{
	world_play(ASKED "store2 > R3 NO [TRYCREATE] none\n"
	                 "store1 > R2 OK\n"
	                 "client < c NO [TRYCREATE] none\n"
	                 "list was asked 1\n");
	world_play(ASKED "list then has lists.news store1 anyone=lrswite\n"
	                 "store2 > R3 NO [TRYCREATE] none\n"
	                 "store1 > R2 OK\n"
	                 "client is silent\n"
	                 "wait 1s\n"
	                 "client < c NO [UNAVAILABLE] *\n"
	                 "client > d NOOP\n"
	                 "store1 < d NOOP\n");
}

TEST(a_target_that_refuses_in_the_middle)
{
	world_play(ASKED "store2 > + go\n"
	                 "store2 < hello\n"
	                 "store2 > R3 NO [TOOBIG] too much\n"
	                 "store2 is closed\n"
	                 "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                 "store1 > you)\n"
	                 "store1 > R2 OK\n"
	                 "client < c NO [TOOBIG] too much\n"
	                 "client > d NOOP\n"
	                 "store1 < d NOOP\n");
}

TEST(a_target_that_refuses_at_the_end)
{
	world_play(SENT "store2 > R3 NO [OVERQUOTA] too much\n"
	                "client < c NO [OVERQUOTA] too much\n"
	                "client > d STATUS " NEWS " (MESSAGES)\n"
	                "store2 < d STATUS *\n");
}

/* Until the end has gone out, nothing is there. */
TEST(a_target_that_breaks)
{
	world_play(ASKED "store2 closes\n"
	                 "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                 "store1 > you)\n"
	                 "store1 > R2 OK\n"
	                 "client < c NO [UNAVAILABLE] The store went away*\n");
	world_play(ASKED "store2 > + go\n"
	                 "store2 < hello\n"
	                 "store2 closes\n"
	                 "store1 > R2 OK\n"
	                 "client < c NO [UNAVAILABLE] The store went away*\n"
	                 "client > d NOOP\n"
	                 "store1 < d NOOP\n");
	world_play(SENT "store2 closes\n"
	                "client < c NO [UNAVAILABLE] The other store went away at the last*\n");
	world_play(SENT "wait 3m\n"
	                "client < c NO [UNAVAILABLE] The other store went away at the last*\n");
}

TEST(a_target_that_breaks_before_anything_is_copied)
{
	world_play(LIST LOGIN SELECT_INBOX "client > c UID COPY 12:14 " NEWS "\n" GUEST_LOGIN
	                                   "store1 < R1 UID FETCH 12:14 " WHAT "\n"
	                                   "store1 > " FIRST "store2 closes\n"
	                                   "store1 > " SECOND "store1 > R1 OK\n" TOLD
	                                   "client < c NO [UNAVAILABLE] The store went away*\n"
	                                   "client > d NOOP\n"
	                                   "store1 < d NOOP\n"
	                                   "store1 > d OK\n"
	                                   "client < d OK\n");
	world_play(LIST LOGIN SELECT_INBOX "client > m UID MOVE 12 " NEWS "\n" GUEST_LOGIN
	                                   "store1 < R1 MYRIGHTS \"INBOX\"\n"
	                                   "store2 closes\n"
	                                   "store1 > * MYRIGHTS INBOX lrswipkxtea\n"
	                                   "store1 > R1 OK\n"
	                                   "client < m NO [UNAVAILABLE] The store went away*\n"
	                                   "client > d NOOP\n"
	                                   "store1 < d NOOP\n");
}

TEST(a_source_that_breaks)
{
	world_play(BEGUN "store1 closes\n"
	                 "client < * BYE [UNAVAILABLE] *\n"
	                 "client is closed\n"
	                 "store2 is closed\n");
	world_play(ASKED "store2 > + go\n"
	                 "store2 < hello\n"
	                 "store1 > * 3 FETCH (UID 14 BODY[] {9}\n"
	                 "store1 > yo\n"
	                 "store1 closes\n"
	                 "client < * BYE [UNAVAILABLE] *\n"
	                 "client is closed\n"
	                 "store2 << *{9+}\n"
	                 "store2 < yo\n"
	                 "store2 is closed\n");
}

TEST(a_client_that_breaks)
{
	world_play(ASKED "store2 > + go\n"
	                 "client resets\n"
	                 "store2 << hello\n"
	                 "store2 is closed\n"
	                 "store1 is closed\n");
}

TEST(messages_that_are_gone_meanwhile)
{
	world_play(ASKED "store2 > + go\n"
	                 "store1 > R2 OK\n"
	                 "store2 < hello\n"
	                 "store2 > R3 OK [APPENDUID 77 5] done\n"
	                 "client < c OK [COPYUID 77 12 5] Copied\n");
	world_play(LIST LOGIN SELECT_INBOX
	           "client > c COPY 2:3 " NEWS "\n" GUEST_LOGIN "store1 < R1 FETCH 2:3 " WHAT "\n"
	           "store1 > " FIRST "store1 > " SECOND "store1 > R1 OK\n" TOLD
	           "store1 < R2 UID FETCH 12,14 (UID BODY.PEEK[])\n"
	           "store1 > * 2 FETCH (UID 12 BODY[] {7}\n"
	           "store1 > hello\n"
	           "store1 > )\n"
	           "store2 < R3 APPEND *\n"
	           "store2 > + go\n"
	           "store1 > * 3 FETCH (UID 14 BODY[] NIL)\n"
	           "store1 > * 3 EXPUNGE\n"
	           "store1 > R2 OK\n"
	           "client < * 3 EXPUNGE\n"
	           "client < c NO [EXPUNGEISSUED] *\n"
	           "store2 << hello\n"
	           "store2 is closed\n");
}

TEST(nothing_to_copy)
{
	world_play(LIST LOGIN SELECT_INBOX "client > b UID COPY 99 " NEWS "\n" GUEST_LOGIN
	                                   "store1 < R1 UID FETCH 99 " WHAT "\n"
	                                   "store1 > R1 OK\n"
	                                   "client < b OK *\n"
	                                   "client > c COPY 99 " NEWS "\n"
	                                   "store1 < R2 FETCH 99 " WHAT "\n"
	                                   "store1 > R2 BAD no such message\n"
	                                   "client < c BAD no such message\n"
	                                   "client > d COPY 1 \"Shared Folders/none\"\n"
	                                   "client < d NO [TRYCREATE] *\n"
	                                   "client > e COPY 1 " NEWS " x\n"
	                                   "client < e BAD *\n"
	                                   "client > f COPY 1 Sent\n"
	                                   "store1 < f COPY 1 \"Sent\"\n"
	                                   "store2 is silent\n");
}

TEST(a_source_that_takes_its_time)
{
	world_play(ASKED "store2 > + go\n"
	                 "wait 70s\n"
	                 "store1 > * 9 EXISTS\n"
	                 "wait 70s\n"
	                 "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                 "store1 > you)\n"
	                 "store1 > R2 OK\n"
	                 "store2 < hello\n"
	                 "store2 < *{3+}\n"
	                 "store2 < you\n"
	                 "store2 > R3 OK [APPENDUID 77 5:6] done\n"
	                 "client < * 9 EXISTS\n"
	                 "client < c OK [COPYUID 77 12,14 5:6] Copied\n");
	world_play(ASKED "store2 > + go\n"
	                 "wait 3m\n"
	                 "client < * BYE [UNAVAILABLE] *\n"
	                 "store2 << hello\n"
	                 "store2 is closed\n");
}

/* What another server may lack. */
#define POOR_LOGIN(caps)                                                                           \
	"store2 accepts\n"                                                                         \
	"store2 > * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] store2 ready\n"                   \
	"store2 < R1 AUTHENTICATE PLAIN *\n"                                                       \
	"store2 > R1 OK [CAPABILITY IMAP4rev1" caps "] hello\n"
#define POOR(caps)                                                                                 \
	LIST LOGIN SELECT_INBOX "client > c UID COPY 12:14 " NEWS                                  \
				"\n" POOR_LOGIN(caps) "store1 < R1 UID FETCH 12:14 " WHAT "\n"     \
						      "store1 > " FIRST "store1 > " SECOND         \
						      "store1 > R1 OK\n" TOLD

TEST(a_target_that_wants_to_be_asked_for_each)
{
	world_play(POOR(" MULTIAPPEND") "store1 < R2 UID FETCH 12,14 (UID BODY.PEEK[])\n"
	                                "store1 > * 2 FETCH (UID 12 BODY[] {7}\n"
	                                "store1 > hello\n"
	                                "store1 > )\n"
	                                "store1 > * 3 FETCH (UID 14 BODY[] {3}\n"
	                                "store1 > you)\n"
	                                "store1 > R2 OK\n"
	                                "store2 < R3 APPEND *{7}\n"
	                                "store2 is silent\n"
	                                "store2 > + go\n"
	                                "store2 < hello\n"
	                                "store2 < *{3}\n"
	                                "store2 is silent\n"
	                                "store2 > + go\n"
	                                "store2 < you\n"
	                                "store2 > R3 OK done\n"
	                                "client < c OK Copied\n");
}

TEST(a_target_that_takes_one_message_only)
{
	world_play(POOR(" LITERAL+") "client < c NO [CANNOT] *\n"
	                             "store1 is silent\n"
	                             "store2 is silent\n"
	                             "client > d CAPABILITY\n"
	                             "client < * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE "
	                             "NAMESPACE CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS "
	                             "LIST-MYRIGHTS CREATE-SPECIAL-USE\n"
	                             "client < d OK *\n"
	                             "client > e MOVE 1 " NEWS "\n"
	                             "client < e BAD unknown command\n");
}

/* ---- MOVE --------------------------------------------------------------------------------------- */

#define MOVING                                                                                     \
	LIST LOGIN SELECT_INBOX "client > m UID MOVE 12 " NEWS "\n" GUEST_LOGIN                    \
				"store1 < R1 MYRIGHTS \"INBOX\"\n"                                 \
				"store1 > * MYRIGHTS INBOX lrswipkxtea\n"                          \
				"store1 > R1 OK\n"                                                 \
				"store1 < R2 UID FETCH 12 " WHAT "\n"                              \
				"store1 > " FIRST "store1 > R2 OK\n"                               \
				"client < * 2 FETCH (UID 12 *)\n"                                  \
				"store1 < R3 UID FETCH 12 (UID BODY.PEEK[])\n"                     \
				"store1 > * 2 FETCH (UID 12 BODY[] {7}\n"                          \
				"store1 > hello\n"                                                 \
				"store1 > )\n"                                                     \
				"store2 < R4 APPEND *{7}\n"                                        \
				"store2 > + go\n"                                                  \
				"store1 > R3 OK\n"                                                 \
				"store2 < hello\n"                                                 \
				"store1 is silent\n"

TEST(a_move_expunges_behind_the_targets_word)
{
	world_play(MOVING "store2 > R4 OK [APPENDUID 77 5] done\n"
	                  "client < * OK [COPYUID 77 12 5] Moved\n"
	                  "store1 < R5 UID STORE 12 +FLAGS.SILENT (*Deleted)\n"
	                  "store1 > R5 OK\n"
	                  "store1 < R6 UID EXPUNGE 12\n"
	                  "store1 > * 2 EXPUNGE\n"
	                  "store1 > R6 OK\n"
	                  "client < * 2 EXPUNGE\n"
	                  "client < m OK Done\n");
}

TEST(a_move_that_fails_leaves_the_source)
{
	world_play(MOVING "store2 > R4 NO [OVERQUOTA] no\n"
	                  "client < m NO [OVERQUOTA] no\n"
	                  "store1 is silent\n");
	world_play(MOVING "store2 closes\n"
	                  "client < m NO [UNAVAILABLE] *\n"
	                  "store1 is silent\n");
	world_play(MOVING "store2 > R4 OK [APPENDUID 77 5] done\n"
	                  "store1 < R5 UID STORE *\n"
	                  "store1 > R5 NO [UNAVAILABLE] not now\n"
	                  "client < * OK [COPYUID 77 12 5] Moved\n"
	                  "client < m NO The messages are copied*\n"
	                  "store1 is silent\n");
}

TEST(who_may_not_remove_does_not_move)
{
	world_play(LIST LOGIN SELECT_INBOX "client > m MOVE 1 " NEWS "\n" GUEST_LOGIN
	                                   "store1 < R1 MYRIGHTS \"INBOX\"\n"
	                                   "store1 > * MYRIGHTS INBOX lrswit\n"
	                                   "store1 > R1 OK\n"
	                                   "client < m NO [NOPERM] *\n");
	world_play(LIST LOGIN "client > s EXAMINE INBOX\n"
	                      "store1 < s EXAMINE *\n"
	                      "store1 > s OK [READ-ONLY] done\n"
	                      "client < s OK *\n"
	                      "client > m MOVE 1 " NEWS "\n" GUEST_LOGIN
	                      "client < m NO [READ-ONLY] *\n");
}

/* ---- amounts ------------------------------------------------------------------------------------- */

TEST(many_are_fetched_in_batches_and_come_in_one_append)
{
	struct world w;
	char line[300];

	world_init(&w);
	play_run(w.play, LIST LOGIN SELECT_INBOX "client > c UID COPY 1:600 " NEWS "\n" GUEST_LOGIN
	                                         "store1 < R1 UID FETCH 1:600 " WHAT "\n");
	for (int i = 1; i <= 600; i++) {
		snprintf(line, sizeof(line),
		         "store1 > * %d FETCH (RFC822.SIZE 1 UID %d FLAGS () INTERNALDATE "
		         "\"18-Jul-1996 02:44:25 +0000\")",
		         i, i);
		play_run(w.play, line);
	}
	play_run(w.play, "store1 > R1 OK\n"
	                 "store1 < R2 UID FETCH 1:500 (UID BODY.PEEK[])\n");
	for (int i = 1; i <= 600; i++) {
		snprintf(line, sizeof(line), "store1 > * %d FETCH (UID %d BODY[] {1}\n", i, i);
		play_run(w.play, line);
		play_run(w.play, "store1 > x)\n");
		if (i == 1)
			play_run(w.play, "store2 < R3 APPEND *{1}\n"
			                 "store2 > + go\n");
		if (i == 500)
			play_run(w.play, "store1 > R2 OK\n"
			                 "store1 < R4 UID FETCH 501:600 (UID BODY.PEEK[])\n");
	}
	play_run(w.play, "store1 > R4 OK\n");
	for (int i = 1; i < 600; i++)
		play_run(w.play, "store2 < x () \"18-Jul-1996 02:44:25 +0000\" {1+}\n");
	play_run(w.play, "store2 < x\n"
	                 "store2 > R3 OK [APPENDUID 7 1001:1600] done\n"
	                 "client << c OK [COPYUID 7 1:600 1001:1600] Copied\n");
	world_fini(&w);
}
