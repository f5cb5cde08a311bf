/* LIST over the home and the list of locations. */
#include "world.h"

#include "lib/test.h"

#include <stdio.h>

/* What others gave fred: as anyone, by name, by a group (staff), and what they took away. */
#define LIST                                                                                       \
	"list has user.fred store1 fred=lrswipkxtea\n"                                             \
	"list has user.fred.Sent store1 fred=lrswipkxtea\n"                                        \
	"list has lists store2 anyone=r\n"                                                         \
	"list has lists.news store2 anyone=lr\n"                                                   \
	"list has lists.news.old store2 anyone=lr,-fred=l\n"                                       \
	"list has lists.staff store2 group:staff=lrsw\n"                                           \
	"list has lists.secret store2 ann=lr\n"                                                    \
	"list has user.bob store1 bob=lr\n"                                                        \
	"list has user.bob.a.b store1 fred=lr\n"                                                   \
	"list has other.net!user.eve.x store2 fred=l\n"                                            \
	"list has other.net!open store2 anyone=lr\n"                                               \
	"wait 1s\n"

/* The token tells the groups, too. */
#define STAFF_LOGIN                                                                                \
	"auth has fred in staff\n"                                                                 \
	"client connects\n"                                                                        \
	"client << * OK *\n"                                                                       \
	"client > a LOGIN fred \"p w\"\n"                                                          \
	"store1 accepts\n"                                                                         \
	"store1 > * OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] store1 ready\n"                      \
	"store1 < R1 ID (*)\n"                                                                     \
	"store1 < R2 AUTHENTICATE PLAIN *\n"                                                       \
	"store1 > R1 OK\n"                                                                         \
	"store1 > R2 OK [CAPABILITY " STORE_CAPS "] hello\n"                                       \
	"client << a OK *\n"

#define STAFF_GUEST_LOGIN                                                                          \
	"store2 accepts\n"                                                                         \
	"store2 > * OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] store2 ready\n"                      \
	"store2 < R1 ID (*)\n"                                                                     \
	"store2 < R2 AUTHENTICATE PLAIN *\n"                                                       \
	"store2 > R1 OK\n"                                                                         \
	"store2 > R2 OK [CAPABILITY " STORE_CAPS "] hello\n"

#define HOME_LIST                                                                                  \
	"store1 > * LIST (\\\\HasNoChildren) \"/\" INBOX\n"                                        \
	"store1 > * LIST (\\\\HasNoChildren \\\\Sent) \"/\" Sent\n"                                \
	"store1 > * LIST () \"/\" \"Other Users/bob/a/b\"\n"                                       \
	"store1 > * STATUS \"Other Users/bob/a/b\" (MESSAGES 9)\n"                                 \
	"store1 > * MYRIGHTS \"Shared Folders/x\" lr\n"                                            \
	"store1 > * LIST (\\\\Noselect) \"/\" {14}\n"                                              \
	"store1 > Shared Folders\n"
#define HOME_TOLD                                                                                  \
	"client < * LIST (*HasNoChildren) \"/\" INBOX\n"                                           \
	"client < * LIST (*HasNoChildren *Sent) \"/\" Sent\n"
#define ABOVE "client < * LIST (*Noselect *HasChildren) \"/\" "
#define THERE "client < * LIST (*HasNoChildren) \"/\" "

TEST(names_of_all_namespaces)
{
	world_play(LIST STAFF_LOGIN
	           "client > b LIST \"\" *\n"
	           "store1 < R1 LIST \"\" \"*\"\n" HOME_LIST "store1 > * 4 EXISTS\n"
	           "store1 > R1 OK\n" HOME_TOLD ABOVE "\"Other Users\"\n" ABOVE
	           "\"Other Users/bob\"\n" ABOVE "\"Other Users/bob/a\"\n" THERE
	           "\"Other Users/bob/a/b\"\n" ABOVE "\"Other Users/eve@other.net\"\n" THERE
	           "\"Other Users/eve@other.net/x\"\n" ABOVE "\"Shared Folders\"\n" ABOVE
	           "\"Shared Folders/lists\"\n" THERE "\"Shared Folders/lists/news\"\n" THERE
	           "\"Shared Folders/lists/staff\"\n"
	           "client < b OK *\n"
	           "list was asked 1\n");
}

TEST(one_level_of_names)
{
	world_play(LIST STAFF_LOGIN "client > b LIST \"\" %\n"
	                            "store1 < R1 LIST \"\" \"%\"\n" HOME_LIST
	                            "store1 > R1 OK\n" HOME_TOLD ABOVE "\"Other Users\"\n" ABOVE
	                            "\"Shared Folders\"\n"
	                            "client < b OK *\n"
	                            "client > c LIST \"Other Users/\" %\n"
	                            "store1 < R2 LIST \"Other Users/\" \"%\"\n"
	                            "store1 > R2 OK\n" ABOVE "\"Other Users/bob\"\n" ABOVE
	                            "\"Other Users/eve@other.net\"\n"
	                            "client < c OK *\n"
	                            "client > d LIST \"\" \"Shared Folders/lists/%\"\n"
	                            "store1 < R3 LIST *\n"
	                            "store1 > R3 OK\n" THERE "\"Shared Folders/lists/news\"\n" THERE
	                            "\"Shared Folders/lists/staff\"\n"
	                            "client < d OK *\n"
	                            "client > e LIST \"\" \"Sha%/lists\"\n"
	                            "store1 < R4 LIST *\n"
	                            "store1 > R4 OK\n" ABOVE "\"Shared Folders/lists\"\n"
	                            "client < e OK *\n"
	                            "client > f LIST \"\" Sent\n"
	                            "store1 < f LIST \"\" Sent\n");
}

TEST(what_is_subscribed_to_is_with_the_home)
{
	world_play(LIST LOGIN
	           "client > b LIST (SUBSCRIBED) \"\" *\n"
	           "store1 < R1 LSUB \"\" \"Other Users/*\"\n"
	           "store1 < R2 LSUB \"\" \"Shared Folders/*\"\n"
	           "store1 > R1 OK\n"
	           "store1 > * LSUB () \"/\" \"Shared Folders/lists/news\"\n"
	           "store1 > * LSUB () \"/\" \"Shared Folders/lists/gone\"\n"
	           "store1 > R2 OK\n"
	           "store1 < R3 LIST (SUBSCRIBED) \"\" \"*\"\n"
	           "store1 > * LIST (\\\\Subscribed) \"/\" INBOX\n"
	           "store1 > * LIST (\\\\NonExistent \\\\Subscribed) \"/\" \"Shared "
	           "Folders/lists/news\"\n"
	           "store1 > R3 OK\n"
	           "client < * LIST (*Subscribed) \"/\" INBOX\n"
	           "client < * LIST (*NonExistent *HasNoChildren *Subscribed) \"/\" \"Shared "
	           "Folders/lists/gone\"\n"
	           "client < * LIST (*HasNoChildren *Subscribed) \"/\" \"Shared "
	           "Folders/lists/news\"\n"
	           "client < b OK *\n"
	           "client > c LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %\n"
	           "store1 < R4 LSUB *\n"
	           "store1 < R5 LSUB *\n"
	           "store1 > R4 OK\n"
	           "store1 > * LSUB () \"/\" \"Shared Folders/lists/news\"\n"
	           "store1 > R5 OK\n"
	           "store1 < R6 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"\n"
	           "store1 > R6 OK\n"
	           "client < * LIST (*NonExistent *HasChildren) \"/\" \"Shared Folders\" "
	           "(\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
	           "client < c OK *\n"
	           "client > d LIST \"\" \"Shared Folders/lists/n*\" RETURN (SUBSCRIBED)\n"
	           "store1 < R7 LSUB *\n"
	           "store1 < R8 LSUB *\n"
	           "store1 > R7 OK\n"
	           "store1 > * LSUB () \"/\" \"Shared Folders/lists/news\"\n"
	           "store1 > R8 OK\n"
	           "store1 < R9 LIST \"\" \"Shared Folders/lists/n*\" RETURN (SUBSCRIBED)\n"
	           "store1 > R9 OK\n"
	           "client < * LIST (*HasNoChildren *Subscribed) \"/\" \"Shared "
	           "Folders/lists/news\"\n"
	           "client < d OK *\n"
	           "client > e LSUB \"\" *\n"
	           "store1 < e LSUB \"\" *\n");
}

TEST(what_the_home_calls_a_name_and_is_none)
{
	world_play(LIST LOGIN "client > b LIST (SUBSCRIBED) \"\" *\n"
	                      "store1 < R1 LSUB *\n"
	                      "store1 < R2 LSUB *\n"
	                      "store1 > * LSUB () \"/\" {17}\n"
	                      "store1 > Other Users/x\\xc3\\xa4/a\n"
	                      "store1 > * LSUB () \"/\" {17}\n"
	                      "store1 > Other Users/x\\r\\n/a\n"
	                      "store1 > * LSUB () \"/\" elsewhere\n"
	                      "store1 > R1 OK\n"
	                      "store1 > R2 OK\n"
	                      "store1 < R3 LIST *\n"
	                      "store1 > R3 OK\n"
	                      "client < b OK *\n");
	world_play(LIST LOGIN "client > b LIST \"\" *\n"
	                      "store1 < R1 LIST *\n"
	                      "store1 > * LIST () \"/\" {3}\n"
	                      "store1 > a\\x00b\n"
	                      "store1 is closed\n"
	                      "client < b NO [UNAVAILABLE] *\n");
}

TEST(status_is_asked_of_each_store)
{
	world_play(
		LIST STAFF_LOGIN
		"client > b LIST \"\" (\"Other Users/bob*\" \"Shared*news\" \"Shared*staff\") "
		"RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN))\n"
		"store1 < R1 LIST \"\" (\"Other Users/bob*\" \"Shared*news\" \"Shared*staff\") "
		"RETURN (MYRIGHTS STATUS (MESSAGES UNSEEN))\n"
		"store1 > R1 OK\n"
		"client < * LIST *bob\"\n"
		"client < * LIST *bob/a\"\n"
		"client < * LIST *bob/a/b\"\n"
		"client < * MYRIGHTS \"Other Users/bob/a/b\" lr\n"
		"client < * LIST *news\"\n"
		"client < * MYRIGHTS \"Shared Folders/lists/news\" lr\n"
		"client < * LIST *staff\"\n"
		"client < * MYRIGHTS \"Shared Folders/lists/staff\" lrsw\n"
		"store1 < R2 STATUS \"Other Users/bob/a/b\" (MESSAGES UNSEEN)\n"
		"store1 > * STATUS \"Other Users/bob/a/b\" (MESSAGES 1 UNSEEN 0)\n"
		"store1 > R2 OK\n"
		"client < * STATUS \"Other Users/bob/a/b\" (MESSAGES 1 UNSEEN 0)\n" STAFF_GUEST_LOGIN
		"store2 < R3 STATUS \"Shared Folders/lists/news\" (MESSAGES UNSEEN)\n"
		"store2 < R4 STATUS \"Shared Folders/lists/staff\" (MESSAGES UNSEEN)\n"
		"store2 > * STATUS \"Shared Folders/lists/news\" (MESSAGES 2 UNSEEN 0)\n"
		"store2 > R3 OK\n"
		"store2 > R4 NO\n"
		"client < * STATUS \"Shared Folders/lists/news\" (MESSAGES 2 UNSEEN 0)\n"
		"client < b OK *\n");
}

/* A client would take what is not told for deleted; but no store can be asked about it. */
TEST(a_mailbox_that_is_moved_is_told_of)
{
	world_play(LIST "list has lists.news left:store2 anyone=lr\n"
	                "wait 1s\n" LOGIN
	                "client > b LIST \"\" \"Shared*news\" RETURN (MYRIGHTS STATUS (MESSAGES))\n"
	                "store1 < R1 LIST *\n"
	                "store1 > R1 OK\n" THERE "\"Shared Folders/lists/news\"\n"
	                "client < * MYRIGHTS \"Shared Folders/lists/news\" lr\n"
	                "client < b OK *\n"
	                "client > c LIST (SUBSCRIBED) \"\" \"Shared*news\"\n"
	                "store1 < R2 LSUB *\n"
	                "store1 < R3 LSUB *\n"
	                "store1 > R2 OK\n"
	                "store1 > * LSUB () \"/\" \"Shared Folders/lists/news\"\n"
	                "store1 > R3 OK\n"
	                "store1 < R4 LIST *\n"
	                "store1 > R4 OK\n"
	                "client < * LIST (*HasNoChildren *Subscribed) \"/\" *news\"\n"
	                "client < c OK *\n"
	                "client > d SELECT \"Shared Folders/lists/news\"\n"
	                "client < d NO [UNAVAILABLE] *\n");
}

TEST(a_store_that_is_away_has_no_status)
{
	world_play(LIST LOGIN "client > b LIST \"\" \"Shared*news\" RETURN (STATUS (MESSAGES))\n"
	                      "store1 < R1 LIST *\n"
	                      "store1 > R1 OK\n"
	                      "client < * LIST *news\"\n"
	                      "store2 accepts\n"
	                      "store2 closes\n"
	                      "client < b OK *\n"
	                      "client > c LIST \"\" \"Shared*news\" RETURN (STATUS (MESSAGES))\n"
	                      "store1 << R2 LIST *\n"
	                      "store1 > R2 OK\n"
	                      "client < * LIST *news\"\n"
	                      "client < c OK *\n"
	                      "wait 5s\n"
	                      "client > d LIST \"\" \"Shared*news\" RETURN (STATUS (MESSAGES))\n"
	                      "store1 << R3 LIST *\n"
	                      "store1 > R3 OK\n"
	                      "client < * LIST *news\"\n" GUEST_LOGIN "store2 < R4 STATUS *\n"
	                      "store2 closes\n"
	                      "client < d OK *\n");
}

TEST(what_the_home_cannot_list)
{
	world_play(LIST LOGIN "client > b LIST (NEW) \"\" *\n"
	                      "store1 < R1 LIST (NEW) \"\" \"*\"\n"
	                      "store1 > R1 BAD what is new?\n"
	                      "client < b BAD what is new?\n"
	                      "client > c LIST \"\" * x\n"
	                      "client < c BAD *\n"
	                      "client > d LIST \"\" *\n"
	                      "store1 < R2 LIST *\n"
	                      "store1 closes\n"
	                      "client < d NO [UNAVAILABLE] *\n"
	                      "client > e LIST \"\" {5+}\n"
	                      "client > Sha*s\n" STORE_LOGIN "store1 < R3 LIST \"\" \"Sha*s\"\n"
	                      "store1 > R3 OK\n"
	                      "client << e OK *\n");
}

TEST(a_list_with_literals)
{
	world_play(LIST LOGIN "client > b LIST {0}\n"
	                      "client < + Go ahead\n"
	                      "client >  {5+}\n"
	                      "client > S%ers\n"
	                      "store1 < R1 LIST \"\" \"S%ers\"\n"
	                      "store1 > R1 OK\n" ABOVE "\"Shared Folders\"\n"
	                      "client < b OK *\n"
	                      "client > c LIST \"\" {99999}\n"
	                      "client < c NO [LIMIT] *\n"
	                      "client > d LIST \"\" {20000+}\n"
	                      "client > 1234\n"
	                      "client is silent\n"
	                      "second connects\n");
	world_play(LIST LOGIN "client > b LIST \"\" {3+}\n"
	                      "client > a\\x00b\n"
	                      "client < b BAD *\n"
	                      "client > c LIST \"\" {3+}\n"
	                      "client > abc \"\n"
	                      "client < c BAD *\n"
	                      "client > d NOOP\n"
	                      "client < d OK *\n"
	                      "store1 is silent\n");
}

/* Promise 6. */
TEST(a_barrier_comes_first)
{
	world_play(LIST LOGIN "list then has lists.late store2 anyone=lr\n"
	                      "client > b LIST \"\" \"Shared*late\"\n"
	                      "store1 is silent\n"
	                      "wait 1s\n"
	                      "store1 < R1 LIST *\n"
	                      "store1 > R1 OK\n"
	                      "client < * LIST *late\"\n"
	                      "client < b OK *\n"
	                      "list is late\n"
	                      "client > c LIST \"\" \"Shared*late\"\n"
	                      "store1 < R2 LIST *\n"
	                      "store1 > R2 OK\n"
	                      "client < * LIST *late\"\n"
	                      "client < c OK *\n");
}

TEST(without_any_list_nobody_knows)
{
	world_play(LOGIN "client > b LIST \"\" *\n"
	                 "store1 < R1 LIST *\n"
	                 "store1 > * LIST () \"/\" INBOX\n"
	                 "store1 > R1 OK\n"
	                 "client < * LIST () \"/\" INBOX\n"
	                 "client < b NO [UNAVAILABLE] *\n"
	                 "client > c LIST \"\" INBOX\n"
	                 "store1 < c LIST \"\" INBOX\n");
}
