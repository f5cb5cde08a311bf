/* Stores that go while a client is there, and users who are on another one meanwhile. */
#include "world.h"

#include "lib/test.h"

TEST(a_store_lost_with_a_mailbox_selected)
{
	world_play(SELECTED "store1 closes\n"
	                    "client < * BYE [UNAVAILABLE] *\n"
	                    "client is closed\n");
}

TEST(a_store_that_says_goodbye_to_a_selected_mailbox)
{
	world_play(SELECTED "client > b FETCH 1 FLAGS\n"
	                    "store1 < b FETCH 1 FLAGS\n"
	                    "store1 > * BYE [UNAVAILABLE] It is gone\n"
	                    "client < * BYE [UNAVAILABLE] It is gone\n"
	                    "client is closed\n"
	                    "store1 is closed\n");
}

TEST(a_store_lost_in_the_middle_of_a_fetch)
{
	world_play(SELECTED "client > b FETCH 1 BODY[]\n"
	                    "store1 < b FETCH 1 BODY[]\n"
	                    "store1 > * 1 FETCH (BODY[] {100}\n"
	                    "store1 > hello\n"
	                    "store1 closes\n"
	                    "client < * 1 FETCH (BODY[] {100}\n"
	                    "client < hello\n"
	                    "client is closed\n");
}

TEST(a_store_lost_between_responses_of_a_fetch)
{
	world_play(SELECTED "client > b FETCH 1:2 FLAGS\n"
	                    "store1 > * 1 FETCH (FLAGS ())\n"
	                    "store1 resets\n"
	                    "client < * 1 FETCH (FLAGS ())\n"
	                    "client < * BYE [UNAVAILABLE] *\n"
	                    "client is closed\n");
}

TEST(a_store_lost_with_nothing_selected)
{
	world_play(LOGIN "client > b LIST \"\" x\n"
	                 "client > c STATUS x (MESSAGES)\n"
	                 "store1 < b LIST \"\" x\n"
	                 "store1 < c STATUS \"x\" (MESSAGES)\n"
	                 "store1 closes\n"
	                 "client < * NO The store of your mail went away\n"
	                 "client < b NO [UNAVAILABLE] *\n"
	                 "client < c NO [UNAVAILABLE] *\n"
	                 "client is silent\n"
	                 "client > d LIST \"\" x\n" STORE_LOGIN "store1 < d LIST \"\" x\n"
	                 "store1 > * BYE going down\n"
	                 "client < * NO The store of your mail went away\n"
	                 "client < d NO [UNAVAILABLE] *\n"
	                 "store1 refuses\n"
	                 "client > e LIST \"\" x\n"
	                 "client < e NO [UNAVAILABLE] *\n"
	                 "client > f NOOP\n"
	                 "client < f OK *\n");
}

TEST(features_are_replayed_to_a_new_leg)
{
	world_play(LOGIN "client > b STATUS x (HIGHESTMODSEQ)\n"
	                 "store1 < b STATUS \"x\" (HIGHESTMODSEQ)\n"
	                 "store1 > b OK\n"
	                 "client < b OK\n"
	                 "store1 closes\n"
	                 "client > c LIST \"\" x\n" STORE_LOGIN "store1 < R3 ENABLE CONDSTORE\n"
	                 "store1 > * ENABLED CONDSTORE\n"
	                 "store1 > R3 OK\n"
	                 "store1 < c LIST \"\" x\n"
	                 "client is silent\n");
}

TEST(a_store_lost_while_a_message_is_sent)
{
	world_play(LOGIN "client > b APPEND x {10+}\n"
	                 "client >> 123\n"
	                 "store1 < b APPEND \"x\" {10+}\n"
	                 "store1 closes\n"
	                 "client < * NO *\n"
	                 "client is silent\n"
	                 "client > 4567890 {3+}\n"
	                 "client > abc\n"
	                 "client < b NO [UNAVAILABLE] *\n"
	                 "client > c NOOP\n"
	                 "client < c OK *\n"
	                 "client > d APPEND x {10}\n" STORE_LOGIN "store1 < d APPEND \"x\" {10}\n"
	                 "store1 closes\n"
	                 "client < * NO *\n"
	                 "client < d NO [UNAVAILABLE] *\n"
	                 "client > e NOOP\n"
	                 "client < e OK *\n"
	                 "store1 refuses\n"
	                 "client > f APPEND x {10+}\n"
	                 "client > 1234567890\n"
	                 "client < f NO [UNAVAILABLE] *\n"
	                 "client > g APPEND x {10}\n"
	                 "client < g NO [UNAVAILABLE] *\n"
	                 "client > h NOOP\n"
	                 "client < h OK *\n");
}

TEST(a_store_that_does_not_answer)
{
	world_play(LOGIN "client > b LIST \"\" x\n"
	                 "wait 90s\n"
	                 "store1 > * OK still here\n"
	                 "client < * OK still here\n"
	                 "wait 90s\n"
	                 "client is silent\n"
	                 "wait 40s\n"
	                 "client < * NO *\n"
	                 "client < b NO [UNAVAILABLE] *\n");
}

TEST(a_home_that_moved_meanwhile)
{
	world_play(LOGIN "store1 closes\n"
	                 "map says at store2 8\n"
	                 "client > b LIST \"\" x\n"
	                 "store2 accepts\n"
	                 "who is there 192.0.2.1 fred AUTHENTICATED store2 -\n");
}

/* Cyrus goes on with the sessions of a user it has given away by XFER. */
#define OTHERS                                                                                     \
	"[server other]\nkind = imap\nimap = 127.0.0.1:5143\n"                                     \
	"[server fourth]\nkind = imap\nimap = 127.0.0.1:6143\n"
#define OTHER_LOGIN(which)                                                                         \
	which " accepts\n" which " > * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\n" which    \
	      " < R1 AUTHENTICATE *\n" which " > R1 OK [CAPABILITY IMAP4rev1] in\n"
#define AT_OTHER                                                                                   \
	"list has user.fred other fred=lrswipkxtea\n"                                              \
	"client connects\n"                                                                        \
	"client << * OK *\n"                                                                       \
	"map says at other\n"                                                                      \
	"client > a LOGIN fred \"p w\"\n" OTHER_LOGIN("other") "client < a OK *\n"

TEST(a_home_of_others_that_moved_is_left)
{
	world_play_with(OTHERS, AT_OTHER
	                "client > b LIST \"\" *\n"
	                "other < b LIST \"\" *\n"
	                "other > b OK\n"
	                "client < b OK\n"
	                "list has user.fred fourth fred=lrswipkxtea\n"
	                "wait 1s\n"
	                "map says at fourth\n"
	                "client > c LIST \"\" *\n"
	                "other < * LOGOUT\n" OTHER_LOGIN("fourth") "fourth < c LIST \"\" *\n"
	                                                           "client > d SELECT inbox\n");
}

TEST(a_home_of_others_that_moved_while_a_mailbox_is_selected)
{
	world_play_with(OTHERS, AT_OTHER "client > b SELECT inbox\n"
	                                 "other < b SELECT \"inbox\"\n"
	                                 "other > b OK\n"
	                                 "client < b OK\n"
	                                 "list has user.fred fourth fred=lrswipkxtea\n"
	                                 "wait 1s\n"
	                                 "client > c NOOP\n"
	                                 "other < c NOOP\n"
	                                 "other > c OK\n"
	                                 "client < c OK\n"
	                                 "client > d STATUS x (MESSAGES)\n"
	                                 "client < * BYE [UNAVAILABLE] *\n"
	                                 "client is closed\n");
}

TEST(what_a_home_of_others_has_not_may_have_moved)
{
	world_play_with(OTHERS, AT_OTHER
	                "client > b SELECT gone\n"
	                "other < b SELECT \"gone\"\n"
	                "other > b NO Mailbox does not exist\n"
	                "client < b NO Mailbox does not exist\n"
	                "list was asked 1\n"
	                "list then has user.fred fourth fred=lrswipkxtea\n"
	                "client > c SELECT inbox\n"
	                "other < c SELECT \"inbox\"\n"
	                "other > c NO Mailbox does not exist\n"
	                "wait 1s\n"
	                "client < c NO [UNAVAILABLE] *\n"
	                "map says at fourth\n"
	                "client > d SELECT inbox\n"
	                "other < * LOGOUT\n" OTHER_LOGIN("fourth") "fourth < d SELECT \"inbox\"\n");
	/* the list says that it is there */
	world_play_with(OTHERS, AT_OTHER "client > b STATUS Inbox (MESSAGES)\n"
	                                 "other < b STATUS \"Inbox\" (MESSAGES)\n"
	                                 "other > b NO Mailbox does not exist\n"
	                                 "client < b NO [UNAVAILABLE] *\n");
	/* of one that is not in the list the list knows nothing */
	world_play_with("[server other]\nkind = imap\nlisted = no\nimap = 127.0.0.1:5143\n",
	                AT_OTHER "client > b SELECT gone\n"
	                         "other < b SELECT \"gone\"\n"
	                         "other > b NO Mailbox does not exist\n"
	                         "client < b NO Mailbox does not exist\n"
	                         "list was asked 0\n");
}
