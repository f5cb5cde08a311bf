/* Mailboxes of others, on another store: where commands go, and in which order. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

/* store2 has a folder that all may read and write, store1, fred's home, another one. */
#define LIST                                                                                       \
	"list has user.fred store1 fred=lrswipkxtea\n"                                             \
	"list has lists.news store2 anyone=lrswite\n"                                              \
	"list has user.bob.here store1 fred=lr\n"                                                  \
	"wait 1s\n"
#define NEWS "\"Shared Folders/lists/news\""
#define SELECT_NEWS                                                                                \
	"client > n SELECT " NEWS "\n" GUEST_LOGIN "store2 < n SELECT " NEWS "\n"                  \
	"store2 > * 3 EXISTS\n"                                                                    \
	"store2 > n OK [READ-WRITE] done\n"                                                        \
	"client < * 3 EXISTS\n"                                                                    \
	"client < n OK [READ-WRITE] done\n"

/* The same while INBOX is selected. */
#define SELECT_NEWS_FROM_INBOX                                                                     \
	"client > n SELECT " NEWS "\n" GUEST_LOGIN "store1 < R1 UNSELECT\n"                        \
	"store2 is silent\n"                                                                       \
	"store1 > R1 OK\n"                                                                         \
	"store2 < n SELECT " NEWS "\n"                                                             \
	"store2 > n OK [READ-WRITE] done\n"                                                        \
	"client < n OK [READ-WRITE] done\n"

TEST(a_mailbox_of_others_is_where_the_list_says)
{
	world_play(LIST LOGIN "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS " NEWS " (MESSAGES)\n"
	                      "store2 > * STATUS " NEWS " (MESSAGES 3)\n"
	                      "store2 > b OK\n"
	                      "client < * STATUS " NEWS " (MESSAGES 3)\n"
	                      "client < b OK\n"
	                      "client > c STATUS \"Other Users/bob/here\" (MESSAGES)\n"
	                      "store1 < c STATUS \"Other Users/bob/here\" (MESSAGES)\n"
	                      "store1 > c OK\n"
	                      "client < c OK\n"
	                      "client > d SUBSCRIBE " NEWS "\n"
	                      "store1 < d SUBSCRIBE " NEWS "\n"
	                      "store1 > d OK\n"
	                      "client < d OK\n"
	                      "client > e MYRIGHTS " NEWS "\n"
	                      "store2 < e MYRIGHTS " NEWS "\n"
	                      "store2 > * MYRIGHTS " NEWS " lr\n"
	                      "store2 > e OK\n"
	                      "client < * MYRIGHTS " NEWS " lr\n"
	                      "client < e OK\n"
	                      "list was asked 0\n");
}

TEST(a_miss_needs_a_barrier)
{
	world_play(LIST LOGIN "client > b STATUS \"Shared Folders/none\" (MESSAGES)\n"
	                      "client < b NO [NONEXISTENT] *\n"
	                      "list was asked 1\n"
	                      "client > c APPEND \"Shared Folders/none\" {5+}\n"
	                      "client > hello\n"
	                      "client < c NO [TRYCREATE] *\n"
	                      "list is late\n"
	                      "client > d STATUS \"Shared Folders/none\" (MESSAGES)\n"
	                      "client < d NO [UNAVAILABLE] *\n"
	                      "list is in time\n"
	                      "list then has lists.late store2 anyone=lr\n"
	                      "client > e STATUS \"Shared Folders/lists/late\" (MESSAGES)\n"
	                      "wait 1s\n" GUEST_LOGIN
	                      "store2 < e STATUS \"Shared Folders/lists/late\" (MESSAGES)\n");
}

TEST(a_store_that_has_it_not_is_not_believed_at_once)
{
	world_play(LIST LOGIN "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS *\n"
	                      "store2 > b NO [NONEXISTENT] none\n"
	                      "client < b NO [NONEXISTENT] none\n"
	                      "list was asked 1\n"
	                      "list then has lists.news store1 anyone=lr\n"
	                      "client > c STATUS " NEWS " (MESSAGES)\n"
	                      "client > d CAPABILITY\n"
	                      "store2 < c STATUS *\n"
	                      "store2 > c NO [NONEXISTENT] none\n"
	                      "client is silent\n"
	                      "wait 1s\n"
	                      "client < c NO [UNAVAILABLE] *\n"
	                      "client < * CAPABILITY *\n"
	                      "client < d OK *\n");
	/* nobody knows better now, and it may have moved */
	world_play(LIST LOGIN "list is late\n"
	                      "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS *\n"
	                      "store2 > b NO [NONEXISTENT] none\n"
	                      "client < b NO [UNAVAILABLE] *\n");
}

TEST(what_stays_hidden_is_as_if_it_were_not_there)
{
	world_play(LIST "list has user.bob store2 bob=lrswipkxtea\n"
	                "list has user.bob.secret store2 bob=lrswipkxtea\n"
	                "list has user.bob.drop store2 fred=i\n"
	                "wait 1s\n" SELECTED
	                "client > b STATUS \"Other Users/bob/secret\" (BOGUS)\n"
	                "client < b NO [NONEXISTENT] There is no such mailbox\n"
	                "list was asked 1\n"
	                "client > c STATUS \"Other Users/bob/none\" (BOGUS)\n"
	                "client < c NO [NONEXISTENT] There is no such mailbox\n"
	                "list was asked 2\n"
	                "client > d UID COPY 99 \"Other Users/bob/secret\"\n"
	                "client < d NO [TRYCREATE] There is no such mailbox\n"
	                "client > e RENAME \"Other Users/bob/secret\" mine\n"
	                "client < e NO [NONEXISTENT] There is no such mailbox\n"
	                "client > f CREATE \"Other Users/bob/secret/x\" (BOGUS)\n"
	                "client < f NO [NOPERM] You may not create this\n"
	                "client > g CREATE \"Other Users/nobody/x\" (BOGUS)\n"
	                "client < g NO [NOPERM] You may not create this\n"
	                "client > h SETQUOTA \"Other Users/bob\" (STORAGE 1)\n"
	                "client < h NO [NONEXISTENT] There is no such mailbox\n"
	                "store1 is silent\n"
	                "list is late\n"
	                "client > i STATUS \"Other Users/bob/secret\" (MESSAGES)\n"
	                "client < i NO [UNAVAILABLE] *\n"
	                "list is in time\n"
	                "list then has user.bob.secret store2 fred=r\n"
	                "client > j STATUS \"Other Users/bob/secret\" (MESSAGES)\n"
	                "wait 1s\n" GUEST_LOGIN
	                "store2 < j STATUS \"Other Users/bob/secret\" (MESSAGES)\n"
	                "store2 > j OK\n"
	                "client < j OK\n"
	                "client > k APPEND \"Other Users/bob/drop\" {5}\n"
	                "store2 < k APPEND \"Other Users/bob/drop\" {5}\n");
}

/* A right to make names counts from the nearest one above only, also where that is hidden. */
TEST(nothing_is_made_below_what_is_hidden)
{
	world_play(LIST "list has lists.news.secret store1 bob=lr\n"
	                "list has dull store2 anyone=lr\n"
	                "list has dull.secret store1 bob=lr\n"
	                "list has lists.news store2 anyone=lrk\n"
	                "wait 1s\n" LOGIN
	                "client > b CREATE \"Shared Folders/lists/news/secret/x\"\n"
	                "client < b NO [NOPERM] You may not create this\n"
	                "client > c CREATE \"Shared Folders/dull/secret/x\"\n" GUEST_LOGIN
	                "store2 < c CREATE \"Shared Folders/dull/secret/x\"\n"
	                "store2 > c NO [NOPERM] no\n"
	                "client < c NO [NOPERM] no\n"
	                "client > d CREATE \"Shared Folders/lists/news/other/x\"\n"
	                "store2 < d CREATE \"Shared Folders/lists/news/other/x\"\n");
}

TEST(new_names_are_made_where_those_above_are)
{
	world_play(LIST LOGIN "client > b CREATE \"Shared Folders/lists/news/x/y\"\n" GUEST_LOGIN
	                      "store2 < b CREATE \"Shared Folders/lists/news/x/y\"\n"
	                      "store2 > b OK\n"
	                      "client < b OK\n"
	                      "client > c CREATE \"Shared Folders/other\"\n"
	                      "client < c NO [NOPERM] *\n"
	                      "client > d CREATE \"Other Users/bob/here/x/\"\n"
	                      "store1 < d CREATE \"Other Users/bob/here/x/\"\n"
	                      "store1 > d OK\n"
	                      "client < d OK\n"
	                      "client > e RENAME \"Other Users/bob/here\" "
	                      "\"Shared Folders/lists/news/x\"\n"
	                      "client < e NO [CANNOT] *\n"
	                      "client > f RENAME " NEWS " \"Shared Folders/lists/news/x\"\n"
	                      "store2 < f RENAME " NEWS " \"Shared Folders/lists/news/x\"\n"
	                      "store2 > f OK\n"
	                      "client < f OK\n"
	                      "client > g RENAME mine " NEWS "\n"
	                      "client < g NO [CANNOT] *\n");
}

TEST(a_mailbox_elsewhere_is_selected)
{
	world_play(LIST SELECTED SELECT_NEWS_FROM_INBOX
	           "client > b FETCH 1 FLAGS\n"
	           "store2 < b FETCH 1 FLAGS\n"
	           "store2 > * 1 FETCH (FLAGS ())\n"
	           "store2 > b OK\n"
	           "client < * 1 FETCH (FLAGS ())\n"
	           "client < b OK\n"
	           "store1 > * 7 EXISTS\n"
	           "store1 > * OK [UIDNEXT 9] x\n"
	           "client is silent\n"
	           "store2 > * 4 EXISTS\n"
	           "client < * 4 EXISTS\n"
	           "who is there 192.0.2.1 fred SELECTED store1 Shared Folders/lists/news\n"
	           "client > c SELECT INBOX\n"
	           "store2 < R2 UNSELECT\n"
	           "store2 > R2 OK\n"
	           "store1 < c SELECT \"INBOX\"\n"
	           "store1 > c OK\n"
	           "client < c OK\n"
	           "store2 > * 5 EXISTS\n"
	           "client is silent\n");
}

TEST(a_select_that_fails_leaves_nothing_selected)
{
	world_play(LIST SELECTED "client > b SELECT \"Shared Folders/none\"\n"
	                         "store1 < R1 UNSELECT\n"
	                         "store1 > * 4 EXISTS\n"
	                         "store1 > R1 OK\n"
	                         "client < b NO [NONEXISTENT] *\n"
	                         "who is there 192.0.2.1 fred AUTHENTICATED store1 -\n"
	                         "client > c SELECT INBOX\n"
	                         "store1 < c SELECT \"INBOX\"\n"
	                         "store1 > c OK\n"
	                         "client < c OK\n"
	                         "client > d SELECT a//b\n"
	                         "store1 < R2 UNSELECT\n"
	                         "store1 > R2 OK\n"
	                         "client < d NO [NONEXISTENT] *\n"
	                         "client > e SELECT " NEWS "\n"
	                         "store2 accepts\n"
	                         "store2 closes\n"
	                         "client < e NO [UNAVAILABLE] *\n"
	                         "client > f STATUS " NEWS " (MESSAGES)\n"
	                         "client < f NO [UNAVAILABLE] *\n"
	                         "client > g STATUS INBOX (MESSAGES)\n"
	                         "store1 < g STATUS \"INBOX\" (MESSAGES)\n");
}

TEST(a_mailbox_that_its_client_has_deleted_is_left)
{
	world_play(LIST SELECTED "client > b DELETE INBOX\n"
	                         "store1 < b DELETE \"INBOX\"\n"
	                         "store1 > b OK\n"
	                         "client < b OK\n"
	                         "client > n SELECT " NEWS "\n" GUEST_LOGIN "store1 < R1 UNSELECT\n"
	                         "store1 > R1 BAD nothing is selected\n"
	                         "store2 < n SELECT " NEWS "\n"
	                         "store1 is silent\n");
	world_play(LIST SELECTED "client > n SELECT " NEWS "\n" GUEST_LOGIN "store1 < R1 UNSELECT\n"
	                         "store1 > R1 NO not now\n"
	                         "store1 is closed\n"
	                         "store2 < n SELECT " NEWS "\n");
}

TEST(commands_keep_their_order_over_stores)
{
	world_play(LIST LOGIN
	           "client >> b SELECT INBOX\\r\\nc FETCH 1 FLAGS\\r\\nd SELECT " NEWS
	           "\\r\\ne FETCH 2 FLAGS\\r\\nf CLOSE\\r\\ng STATUS INBOX (MESSAGES)\\r\\n\n"
	           "store1 < b SELECT \"INBOX\"\n"
	           "store1 < c FETCH 1 FLAGS\n"
	           "store1 > b OK\n" GUEST_LOGIN "store1 is silent\n"
	           "store2 is silent\n"
	           "store1 > c OK\n"
	           "store1 < R1 UNSELECT\n"
	           "store2 is silent\n"
	           "store1 > R1 OK\n"
	           "store2 < d SELECT " NEWS "\n"
	           "store2 < e FETCH 2 FLAGS\n"
	           "store2 < f CLOSE\n"
	           "store2 is silent\n"
	           "store1 is silent\n"
	           "store2 > d OK\n"
	           "store2 > * 2 FETCH (FLAGS ())\n"
	           "store2 > e OK\n"
	           "store2 > f OK\n"
	           "store1 < g STATUS \"INBOX\" (MESSAGES)\n"
	           "store1 > g OK\n"
	           "client < b OK\n"
	           "client < c OK\n"
	           "client < d OK\n"
	           "client < * 2 FETCH (FLAGS ())\n"
	           "client < e OK\n"
	           "client < f OK\n"
	           "client < g OK\n");
}

TEST(what_is_enabled_is_enabled_everywhere)
{
	world_play(LIST LOGIN "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS *\n"
	                      "store2 > b OK\n"
	                      "client < b OK\n"
	                      "client > c ENABLE CONDSTORE\n"
	                      "store1 < c ENABLE CONDSTORE\n"
	                      "store1 > * ENABLED CONDSTORE\n"
	                      "store1 > c OK\n"
	                      "client < * ENABLED CONDSTORE\n"
	                      "client < c OK\n"
	                      "client > d STATUS " NEWS " (MESSAGES)\n"
	                      "store2 < R1 ENABLE CONDSTORE\n"
	                      "store2 < d STATUS " NEWS " (MESSAGES)\n"
	                      "store2 > * ENABLED CONDSTORE\n"
	                      "store2 > R1 OK\n"
	                      "client is silent\n"
	                      "store2 > d OK\n"
	                      "client < d OK\n");
}

/* store2 is reached behind something that enables CONDSTORE without saying so. */
static void
check_enables(const char *conversation)
{
	char script[8000];

	snprintf(script, sizeof(script), "%s%s%s", LIST LOGIN, conversation,
	         "client > d STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	         "store2 < R3 ENABLE CONDSTORE\n"
	         "store2 > * ENABLED CONDSTORE\n"
	         "store2 > R3 OK\n"
	         "store2 < d STATUS " NEWS " (MESSAGES)\n");
	world_play(script);
}

TEST(what_is_enabled_by_its_use_is_enabled_everywhere)
{
	check_enables("client > b status INBOX (highestmodseq)\n"
	              "store1 < b STATUS \"INBOX\" (highestmodseq)\n"
	              "store1 > b OK\n"
	              "client < b OK\n");
	check_enables("client > b LIST \"\" x RETURN (STATUS (HIGHESTMODSEQ))\n"
	              "store1 < b LIST \"\" x RETURN (STATUS (HIGHESTMODSEQ))\n"
	              "store1 > b OK\n"
	              "client < b OK\n");
	check_enables("client > b LIST \"\" O% RETURN (STATUS (highestmodseq))\n"
	              "store1 < R1 LIST \"\" \"O%\" RETURN (STATUS (highestmodseq))\n"
	              "store1 > R1 OK\n"
	              "client << b OK *\n");
	check_enables("client > b SEARCH SUBJECT {1+}\n"
	              "client > x MODSEQ 5\n"
	              "store1 < b SEARCH SUBJECT {1+}\n"
	              "store1 < x MODSEQ 5\n"
	              "store1 > b OK\n"
	              "client < b OK\n");
}

TEST(nothing_is_enabled_where_there_is_no_enable)
{
	world_play(LIST LOGIN "client > b STATUS INBOX (HIGHESTMODSEQ)\n"
	                      "store1 < b STATUS \"INBOX\" (HIGHESTMODSEQ)\n"
	                      "store1 > b OK\n"
	                      "client < b OK\n"
	                      "client > d STATUS " NEWS " (MESSAGES)\n"
	                      "store2 accepts\n"
	                      "store2 > * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\n"
	                      "store2 < R1 AUTHENTICATE PLAIN *\n"
	                      "store2 > R1 OK [CAPABILITY IMAP4rev1] hello\n"
	                      "store2 < d STATUS " NEWS " (MESSAGES)\n");
}

TEST(a_store_of_others_may_go)
{
	world_play(LIST SELECTED "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                         "store2 < b STATUS *\n"
	                         "store2 closes\n"
	                         "client < * NO The store of a mailbox went away\n"
	                         "client < b NO [UNAVAILABLE] *\n"
	                         "client > c FETCH 1 FLAGS\n"
	                         "store1 < c FETCH 1 FLAGS\n"
	                         "store1 > c OK\n"
	                         "client < c OK\n");
	world_play(LIST LOGIN SELECT_NEWS "store2 closes\n"
	                                  "client < * BYE [UNAVAILABLE] *\n"
	                                  "client is closed\n"
	                                  "store1 < R3 LOGOUT\n"
	                                  "store1 is closed\n");
}

TEST(the_home_may_go_while_another_is_selected)
{
	world_play(LIST LOGIN SELECT_NEWS "store1 closes\n"
	                                  "client > b FETCH 1 FLAGS\n"
	                                  "store2 < b FETCH 1 FLAGS\n"
	                                  "store2 > b OK\n"
	                                  "client < b OK\n"
	                                  "client > c STATUS INBOX (MESSAGES)\n" STORE_LOGIN
	                                  "store1 < c STATUS \"INBOX\" (MESSAGES)\n");
}

TEST(a_store_where_nothing_is_wanted_is_left)
{
	world_play(LIST LOGIN "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS *\n"
	                      "store2 > b OK\n"
	                      "client < b OK\n"
	                      "wait 50s\n"
	                      "store2 is silent\n"
	                      "wait 20s\n"
	                      "store2 << R3 LOGOUT\n"
	                      "store2 is closed\n"
	                      "client is silent\n");
	world_play(LIST LOGIN SELECT_NEWS "wait 20m\n"
	                                  "store2 is silent\n");
}

TEST(one_store_talks_at_a_time)
{
	world_play(LIST LOGIN SELECT_NEWS "client > b STATUS INBOX (MESSAGES)\n"
	                                  "store1 < b STATUS *\n"
	                                  "store2 > * 1 FETCH (BODY[] {5}\n"
	                                  "store2 >> he\n"
	                                  "store1 > * STATUS INBOX (MESSAGES 1)\n"
	                                  "store1 > b OK\n"
	                                  "client < * 1 FETCH (BODY[] {5}\n"
	                                  "store2 > llo)\n"
	                                  "client < hello)\n"
	                                  "client < * STATUS INBOX (MESSAGES 1)\n"
	                                  "client < b OK\n");
}

#define MORE_STORES                                                                                \
	"[roost-imap]\n"                                                                           \
	"imap_max_stores = 3\n"                                                                    \
	"[server store3]\n"                                                                        \
	"imap = 127.0.0.1:5143\n"                                                                  \
	"[server store4]\n"                                                                        \
	"imap = 127.0.0.1:6143\n"
#define LEG_LOGIN(store)                                                                           \
	store " accepts\n" store " > * OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] ready\n" store    \
	      " < R1 ID (*)\n" store " < R2 AUTHENTICATE PLAIN *\n" store " > R1 OK\n" store       \
	      " > R2 OK [CAPABILITY " STORE_CAPS "] hello\n"

TEST(a_session_is_with_so_many_stores_at_a_time)
{
	world_play_with(
		MORE_STORES,
		"list has three store3 anyone=lr\n"
		"list has four store4 anyone=lr\n" LIST LOGIN "client > b STATUS " NEWS
		" (MESSAGES)\n" GUEST_LOGIN "store2 < b STATUS *\n"
		"store2 > b OK\n"
		"client < b OK\n"
		"client > c SELECT \"Shared Folders/three\"\n" LEG_LOGIN(
			"other") "other < c SELECT *\n"
				 "other > c OK\n"
				 "client < c OK\n"
				 "client > d STATUS \"Shared Folders/four\" (MESSAGES)\n"
				 "store2 << R3 LOGOUT\n"
				 "store2 is closed\n" LEG_LOGIN("fourth") "fourth < d STATUS *\n"
									  "fourth > d OK\n"
									  "client < d OK\n"
									  "other is silent\n"
									  "store1 is silent\n");
}

/* What stands in the list and not in the settings is nobody's fault who asks for it. */
TEST(a_store_that_the_settings_lack)
{
	world_play("list has odd nowhere anyone=lr\n"
	           "list has dumb deaf anyone=lr\n"
	           "list has moving reserved\n" LIST LOGIN
	           "client > b STATUS \"Shared Folders/odd\" (MESSAGES)\n"
	           "client < b NO [UNAVAILABLE] *\n"
	           "client > c STATUS \"Shared Folders/dumb\" (MESSAGES)\n"
	           "client < c NO [UNAVAILABLE] *\n"
	           "client > d STATUS \"Shared Folders/moving\" (MESSAGES)\n"
	           "client < d NO [UNAVAILABLE] *\n"
	           "client > e CREATE \"Shared Folders/moving/x\"\n"
	           "client < e NO [UNAVAILABLE] *\n"
	           "client > f COPY 1 \"Shared Folders/moving\"\n"
	           "client < f NO [UNAVAILABLE] *\n");
}

/* The home becomes the store where he is a guest already. */
TEST(a_home_that_moved_to_where_he_is_a_guest)
{
	world_play(LIST LOGIN SELECT_NEWS
	           "map says at store2 8\n"
	           "store1 closes\n"
	           "again listens\n"
	           "client > b SUBSCRIBE x\n" LEG_LOGIN("again") "again < b SUBSCRIBE \"x\"\n"
	                                                         "again > b OK\n"
	                                                         "client < b OK\n"
	                                                         "client > c FETCH 1 FLAGS\n"
	                                                         "store2 < c FETCH 1 FLAGS\n"
	                                                         "store2 > c OK\n"
	                                                         "client < c OK\n"
	                                                         "client > d COPY 1 x\n"
	                                                         "store2 < R1 FETCH 1 *\n"
	                                                         "store2 > R1 OK\n"
	                                                         "client < d OK *\n"
	                                                         "client > e SELECT INBOX\n"
	                                                         "store2 < R2 UNSELECT\n"
	                                                         "store2 > R2 OK\n"
	                                                         "again < e SELECT \"INBOX\"\n");
}

/* The store has answered early, and the client takes his time with the rest of the message. */
TEST(a_store_that_still_gets_a_message_is_not_left)
{
	world_play(LIST LOGIN "client > b APPEND " NEWS " {5+}\n"
	                      "client >> 12\n" GUEST_LOGIN "store2 < b APPEND " NEWS " {5+}\n"
	                      "store2 > b NO [OVERQUOTA] no\n"
	                      "client < b NO [OVERQUOTA] no\n"
	                      "wait 70s\n"
	                      "client > 345\n"
	                      "store2 < 12345\n"
	                      "client > c STATUS " NEWS " (MESSAGES)\n"
	                      "store2 < c STATUS " NEWS " (MESSAGES)\n"
	                      "store2 > c OK\n"
	                      "client < c OK\n"
	                      "wait 70s\n"
	                      "store2 << R3 LOGOUT\n"
	                      "store2 is closed\n");
}

TEST(a_store_that_goes_before_it_has_enabled)
{
	world_play(LIST LOGIN "client > b STATUS " NEWS " (MESSAGES)\n" GUEST_LOGIN
	                      "store2 < b STATUS *\n"
	                      "store2 > b OK\n"
	                      "client < b OK\n"
	                      "client > c ENABLE CONDSTORE\n"
	                      "store1 < c ENABLE CONDSTORE\n"
	                      "store1 > * ENABLED CONDSTORE\n"
	                      "store1 > c OK\n"
	                      "client < * ENABLED CONDSTORE\n"
	                      "client < c OK\n"
	                      "client > d STATUS " NEWS " (MESSAGES)\n"
	                      "store2 < R1 ENABLE CONDSTORE\n"
	                      "store2 < d STATUS " NEWS " (MESSAGES)\n"
	                      "store2 closes\n"
	                      "client < * NO The store of a mailbox went away\n"
	                      "client < d NO [UNAVAILABLE] *\n"
	                      "client is silent\n");
}
