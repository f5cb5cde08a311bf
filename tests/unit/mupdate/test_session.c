#include "world.h"

#include <stdio.h>

static void
play_on(const char *script)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	play_run(w.play, script);
	world_fini(&w);
}

TEST(a_login_needs_an_identity_for_mupdate)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "client connects\n"
	                 "client < \\* AUTH \"PLAIN\"\n"
	                 "client < \\* PARTIAL-UPDATE\n"
	                 "client < \\* ROOST \"1\"\n"
	                 "client < \\* OK MUPDATE \"m.test\" \"Roost\" \"*\" \"(master)\"\n"
	                 "client > N NOOP\n"
	                 "client < N BAD \"Please login first\"\n"
	                 "client > A AUTHENTICATE \"PLAIN\" \"AGJlMQB3cm9uZw==\"\n"
	                 "client < A NO \"authentication failed\"\n"
	                 "client > B AUTHENTICATE \"PLAIN\" \"AGZyZWQAeA==\"\n" /* a mail user */
	                 "client < B NO \"authentication failed\"\n"
	                 "client > C AUTHENTICATE \"PLAIN\" \"AG1haWxvbmx5AHg=\"\n"
	                 "client < C NO \"authentication failed\"\n"
	                 "client > D AUTHENTICATE \"PLAIN\"\n"
	                 "client < \n"
	                 "client > AGJlMQB4\n"
	                 "client < D OK \"Authenticated\"\n"
	                 "client > E LOGOUT\n"
	                 "client < E OK \"bye-bye\"\n"
	                 "client is closed\n");
	world_fini(&w);
}

TEST(nobody_answers_for_a_directory_that_is_away)
{
	struct world w;

	world_init(&w);
	fakeauth_set_temp(w.auth, true);
	play_run(w.play, "client connects\n"
	                 "client << \\* OK *\n"
	                 "client > A AUTHENTICATE \"PLAIN\" \"AGJlMQB4\"\n"
	                 "client < A NO \"try again later\"\n");
	world_fini(&w);
}

TEST(who_does_not_log_in_is_closed)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "client connects\n"
	                 "client << \\* OK *\n"
	                 "wait 61s\n"
	                 "client < \\* BYE *\n"
	                 "client is closed\n");
	world_fini(&w);
}

TEST(a_name_is_reserved_activated_found_listed_and_deleted)
{
	play_on("client > 1 RESERVE \"user.a\" \"be1.test!p\"\n"
	        "client < 1 OK \"done\"\n"
	        "client > 2 FIND \"user.a\"\n"
	        "client < 2 RESERVE {6+}\nclient < user.a {10+}\nclient < be1.test!p\n"
	        "client < 2 OK \"Search completed\"\n"
	        "client > 3 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\"\n"
	        "client < 3 OK \"done\"\n"
	        "client > 4 FIND \"user.a\"\n"
	        "client < 4 MAILBOX {6+}\nclient < user.a {10+}\nclient < be1.test!p {6+}\n"
	        "client < a\tlrs*\n"
	        "client < 4 OK \"Search completed\"\n"
	        "client > 5 LIST\n"
	        "client < 5 MAILBOX {6+}\nclient < user.a {10+}\nclient < be1.test!p {6+}\n"
	        "client < a\tlrs*\n"
	        "client < 5 OK \"list complete\"\n"
	        "client > 6 LIST \"be2\"\n"
	        "client < 6 OK \"list complete\"\n"
	        "client > 7 DELETE \"user.a\"\n"
	        "client < 7 OK \"done\"\n"
	        "client > 8 FIND \"user.a\"\n"
	        "client < 8 OK \"Search completed\"\n"
	        "client > 9 DELETE \"user.a\"\n"
	        "client < 9 NO \"no such mailbox\"\n");
}

TEST(commands_in_one_piece_are_answered_in_order)
{
	play_on("client >> 1 RESERVE \"user.a\" \"be1.test!\"\\r\\n2 FIND \"user.a\"\\r\\n"
	        "3 DELETE \"user.a\"\\r\\n4 LOGOUT\\r\\n\n"
	        "client < 1 OK \"done\"\n"
	        "client < 2 RESERVE {6+}\nclient < user.a {9+}\nclient < be1.test!\n"
	        "client < 2 OK *\n"
	        "client < 3 OK \"done\"\n"
	        "client < 4 OK \"bye-bye\"\n"
	        "client is closed\n");
}

TEST(an_identity_speaks_for_its_servers_only)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	world_login(&w, "third", "replica");
	play_run(w.play, "client > 1 RESERVE \"user.a\" \"be2.test!p\"\n"
	                 "client < 1 NO \"this identity does not speak for that server\"\n"
	                 "client > 2 ACTIVATE \"user.a\" \"be1.test!p\" \"\"\n"
	                 "client < 2 OK \"done\"\n"
	                 "other > 3 DELETE \"user.a\"\n"
	                 "other < 3 NO \"mailbox belongs to another server\"\n"
	                 "other > 4 ACTIVATE \"user.a\" \"be2.test!p\" \"\"\n"
	                 "other < 4 NO \"mailbox belongs to another server\"\n"
	                 "other > 5 RESERVE \"user.a\" \"be2.test!p\"\n"
	                 "other < 5 NO \"mailbox already exists\"\n"
	                 "third > 6 DELETE \"user.a\"\n"
	                 "third < 6 NO \"this identity may only read\"\n"
	                 "third > 7 FIND \"user.a\"\n"
	                 "third << 7 OK *\n");
	world_check_dump(&w.master, "user.a active be1.test!p  c1\n");
	world_fini(&w);
}

TEST(a_move_by_deactivate_and_activate_raises_the_claim)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\"\n"
	                 "client < 1 OK *\n"
	                 "client > 2 DEACTIVATE \"user.a\" \"be1.test!p\"\n"
	                 "client < 2 OK *\n"
	                 "other > F FIND \"user.a\"\n"
	                 "other < F RESERVE {6+}\nother < user.a {10+}\nother < be1.test!p\n"
	                 "other < F OK *\n");
	world_check_dump(&w.master, "user.a left be1.test!p a=lrs= c1\n");
	play_run(w.play, "other > 3 ACTIVATE \"user.a\" \"be2.test!p\" \"a\\tlrs\\t\"\n"
	                 "other < 3 OK *\n");
	world_check_dump(&w.master, "user.a active be2.test!p a=lrs= c2\n");
	world_fini(&w);
}

TEST(names_and_places_that_cannot_be_are_refused)
{
	play_on("client > 1 RESERVE \"user..a\" \"be1.test!p\"\n"
	        "client < 1 NO \"not a mailbox name\"\n"
	        "client > 2 RESERVE \"user.a\" \"be1.test!p q\"\n"
	        "client < 2 NO \"not a server\"\n"
	        "client > 3 RESERVE \"user.a\" \"\"\n"
	        "client < 3 NO \"not a server\"\n"
	        "client > 4 ACTIVATE \"user.a\" \"be1.test!p\" \"\\tlrs\"\n"
	        "client < 4 NO \"not an ACL\"\n"
	        "client > 5 BOGUS\n"
	        "client < 5 BAD *\n");
}

TEST(a_subscriber_hears_the_list_then_the_changes_then_noop)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!\" \"\"\n"
	                 "client < 1 OK *\n"
	                 "other > U UPDATE\n"
	                 "other < U MAILBOX {6+}\nother < user.a {9+}\nother < be1.test! {0+}\n"
	                 "other < \n"
	                 "other < U OK \"streaming starts\"\n"
	                 "client > 2 RESERVE \"user.b\" \"be1.test!\"\n"
	                 "client < 2 OK *\n"
	                 "other < U RESERVE {6+}\nother < user.b {9+}\nother < be1.test!\n"
	                 "client > 3 DELETE \"user.a\"\n"
	                 "client < 3 OK *\n"
	                 "other < U DELETE {6+}\nother < user.a\n"
	                 "other > N NOOP\n"
	                 "other < N OK \"Noop done\"\n"
	                 "other > F FIND \"user.a\"\n"
	                 "other < F BAD \"not legal when streaming\"\n"
	                 "wait 2h\n"
	                 "other is silent\n");
	world_fini(&w);
}

TEST(a_new_list_is_told_to_nobody_until_all_stores_have_pushed)
{
	struct world w;

	world_init(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play,
	         "client > X ROOST \"1\" \"lab\" \"0\"\n"
	         "client < X ROOST \"lab\" \"*\" \"0\" \"1750000001\" \"rebuilding\"\n"
	         "client < X OK *\n"
	         "other > X ROOST \"1\" \"lab\" \"0\"\n"
	         "other << X OK *\n"
	         "client > 1 FIND \"user.z\"\n"
	         "client < 1 NO \"[LATER] the list is not complete\"\n"
	         "client > 2 UPDATE\n"
	         "client < 2 NO \"[LATER] the list is not complete\"\n"
	         "client > 3 RESERVE \"user.a\" \"be1.test!\" \"\"\n"
	         "client < 3 NO \"[LATER] the list is being rebuilt\"\n"
	         "client > 4 LIST \"be1.test!\"\n"
	         "client < 4 OK *\n"
	         "client > 5 ACTIVATE \"user.a\" \"be1.test!\" \"\" \"uv=7 id=42 claim=5\"\n"
	         "client < 5 CHANGED \"1\" \"5\"\n"
	         "client < 5 OK *\n"
	         "# of two the higher claim has the user\n"
	         "other > 6 ACTIVATE \"user.a\" \"be2.test!\" \"\" \"uv=8 id=1 claim=4\"\n"
	         "other < 6 NO \"[EXISTS] mailbox belongs to another server\"\n"
	         "other > 7 ACTIVATE \"user.a\" \"be2.test!\" \"\" \"uv=8 id=1 claim=6\"\n"
	         "other < 7 CHANGED \"2\" \"6\"\n"
	         "other < 7 OK *\n"
	         "client > 8 PUSHED \"be2.test\"\n"
	         "client < 8 NO \"[DENIED] *\"\n"
	         "client > 9 PUSHED \"be1.test\"\n"
	         "client < 9 OK *\n"
	         "client > 10 UPDATE\n"
	         "client < 10 NO *\n"
	         "other > 11 PUSHED \"be2.test\"\n"
	         "other < 11 OK *\n"
	         "client > 12 FIND \"user.z\"\n"
	         "client < 12 OK *\n"
	         "# from now on what the master knows counts\n"
	         "client > 13 ACTIVATE \"user.a\" \"be1.test!\" \"\" \"claim=9\"\n"
	         "client < 13 NO \"[EXISTS] *\"\n");
	world_check_dump(&w.master, "user.a active be2.test!  c6 uv8\n");
	world_fini(&w);
}

TEST(a_cyrus_push_counts_when_it_made_something_active_and_ended_in_order)
{
	struct world w;

	world_init(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "# a mere look\n"
	                 "client > 1 LIST {9+}\nclient > be1.test!\nclient < 1 OK *\n"
	                 "client > 2 LOGOUT\nclient < 2 OK *\nclient is closed\n"
	                 "# its own server's push\n"
	                 "other > 1 LIST \"be2.test!\"\nother < 1 OK *\n"
	                 "other > 2 ACTIVATE \"user.b\" \"be2.test!p\" \"b\\tlr\\t\"\n"
	                 "other < 2 OK *\n"
	                 "other > 3 LOGOUT\nother < 3 OK *\nother is closed\n");
	world_login(&w, "client", "be1");
	play_run(w.play, "# one that breaks off\n"
	                 "client > 1 LIST \"be1.test!\"\nclient < 1 OK *\n"
	                 "client > 2 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlr\\t\"\n"
	                 "client < 2 OK *\n"
	                 "client closes\n");
	assert_false(mapdb_has_pushed(w.master.db, SLICE("be1.test")));
	assert_true(mapdb_has_pushed(w.master.db, SLICE("be2.test")));
	world_login(&w, "client", "be1");
	play_run(w.play, "client > 1 LIST \"be1.test!\"\nclient << 1 OK *\n"
	                 "client > 2 ACTIVATE \"user.c\" \"be1.test!p\" \"a\\tlr\\t\"\n"
	                 "client < 2 OK *\n"
	                 "client > 3 LOGOUT\nclient < 3 OK *\n");
	world_login(&w, "client", "be1");
	play_run(w.play, "client > 1 FIND \"user.z\"\nclient < 1 OK *\n");
	world_fini(&w);
}

static void
add_conflict(void *ctx, const char *name, const char *server)
{
	buf_printf(ctx, "%s %s,", name, server);
}

static void
check_conflicts(struct world *w, const char *want)
{
	struct buf got = BUF_INIT(SIZE_MAX);

	service_each_conflict(w->master.service, add_conflict, &got);
	test_eq_str("conflicts", buf_cstr(&got), want);
	buf_fini(&got);
}

TEST(a_conflict_stays_until_the_one_who_was_refused_has_it_or_has_it_no_more)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play,
	         "client > X ROOST \"1\" \"lab\" \"0\"\nclient << X OK *\n"
	         "other > X ROOST \"1\" \"lab\" \"0\"\nother << X OK *\n"
	         "client > 1 ACTIVATE \"user.a\" \"be1.test!\" \"\" \"\"\nclient << 1 OK *\n"
	         "other > 2 ACTIVATE \"user.a\" \"be2.test!\" \"\" \"\"\nother < 2 NO *\n");
	check_conflicts(&w, "user.a be2.test,");
	play_run(w.play, "# the one who has it changes its ACL\n"
	                 "client > 3 ACTIVATE \"user.a\" \"be1.test!\" \"a\\tlr\\t\" \"\"\n"
	                 "client << 3 OK *\n"
	                 "client > 4 PUSHED \"be1.test\"\nclient < 4 OK *\n"
	                 "other > 5 PUSHED \"be2.test\"\nother < 5 OK *\n");
	check_conflicts(&w, "user.a be2.test,");
	play_run(w.play, "# the other one says it again, then no more\n"
	                 "other > 6 ACTIVATE \"user.a\" \"be2.test!\" \"\" \"\"\nother < 6 NO *\n"
	                 "other > 7 PUSHED \"be2.test\"\nother < 7 OK *\n");
	check_conflicts(&w, "user.a be2.test,");
	play_run(w.play, "other > 8 PUSHED \"be2.test\"\nother < 8 OK *\n");
	check_conflicts(&w, "");
	play_run(w.play, "other > 9 ACTIVATE \"user.a\" \"be2.test!\" \"\" \"\"\nother < 9 NO *\n"
	                 "client > 10 DELETE \"user.a\"\nclient << 10 OK *\n");
	check_conflicts(&w, "");
	world_fini(&w);
}

/* XFER from be1 to be2 broke off behind the DEACTIVATE: be2 has a copy, be1 perhaps none. */
TEST(a_cyrus_push_does_not_hear_of_names_that_others_have_only_reserved)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlr\\t\"\n"
	                 "client < 1 OK *\n"
	                 "client > 2 DEACTIVATE \"user.a\" \"be1.test!p\"\nclient < 2 OK *\n"
	                 "client > 3 RESERVE \"user.b\" \"be1.test!p\"\nclient < 3 OK *\n"
	                 "client > 4 ACTIVATE \"user.c\" \"be1.test!p\" \"c\\tlr\\t\"\n"
	                 "client < 4 OK *\n");
	world_login(&w, "other", "be2");
	play_run(w.play, "# it asks for no list: an XFER\n"
	                 "other > 1 FIND \"user.a\"\nother < 1 RESERVE *\nother << 1 OK *\n"
	                 "# a push\n"
	                 "other > 2 LIST \"be2.test!\"\nother < 2 OK *\n"
	                 "other > 3 FIND \"user.a\"\nother < 3 OK *\n"
	                 "other > 4 FIND \"user.b\"\nother < 4 OK *\n"
	                 "other > 5 FIND \"user.c\"\nother < 5 MAILBOX *\nother << 5 OK *\n"
	                 "other > 6 ACTIVATE \"user.a\" \"be2.test!p\" \"a\\tlr\\t\"\n"
	                 "other < 6 NO *\n");
	check_conflicts(&w, "user.a be2.test,");
	play_run(w.play, "# the source has none, and says so\n"
	                 "client > 5 LIST \"be1.test!\"\nclient << 5 OK *\n"
	                 "client > 6 FIND \"user.b\"\nclient < 6 RESERVE *\nclient << 6 OK *\n"
	                 "client > 7 DELETE \"user.a\"\nclient < 7 OK *\n"
	                 "other > 7 ACTIVATE \"user.a\" \"be2.test!p\" \"a\\tlr\\t\"\n"
	                 "other < 7 OK *\n");
	check_conflicts(&w, "");
	world_fini(&w);
}

/* It says nothing when it goes on with the old name. */
TEST(a_cyrus_rename_to_a_name_that_is_refused_leaves_the_old_one)
{
	static const struct {
		const char *what, *commands, *map;
	} rows[] = {
		{ "the new name is another's",
		  "client > 2 DELETE \"user.a\"\nclient < 2 OK *\n"
		  "client > 3 RESERVE \"user.b\" \"be1.test!p\"\nclient < 3 NO *\n",
		  "user.a active be1.test!p a=lr= c1\nuser.b reserved be2.test!p \n" },
		{ "the old name is, meanwhile",
		  "client > 2 DELETE \"user.a\"\nclient < 2 OK *\n"
		  "other > 2 RESERVE \"user.a\" \"be2.test!p\"\nother < 2 OK *\n"
		  "client > 3 RESERVE \"user.b\" \"be1.test!p\"\nclient < 3 NO *\n",
		  "user.a reserved be2.test!p \nuser.b reserved be2.test!p \n" },
		{ "the next one is another matter",
		  "client > 2 DELETE \"user.a\"\nclient < 2 OK *\n"
		  "client > 3 RESERVE \"user.c\" \"be1.test!p\"\nclient < 3 OK *\n"
		  "client > 4 RESERVE \"user.b\" \"be1.test!p\"\nclient < 4 NO *\n",
		  "user.b reserved be2.test!p \nuser.c reserved be1.test!p \n" },
		{ "who has said something before renames nothing",
		  "client > 1 FIND \"user.c\"\nclient < 1 OK *\n"
		  "client > 2 DELETE \"user.a\"\nclient < 2 OK *\n"
		  "client > 3 RESERVE \"user.b\" \"be1.test!p\"\nclient < 3 NO *\n",
		  "user.b reserved be2.test!p \n" },
		{ "nor who says something in between",
		  "client > 2 DELETE \"user.a\"\nclient < 2 OK *\n"
		  "client > 3 FIND \"user.a\"\nclient < 3 OK *\n"
		  "client > 4 RESERVE \"user.b\" \"be1.test!p\"\nclient < 4 NO *\n",
		  "user.b reserved be2.test!p \n" },
		{ "nothing was deleted",
		  "client > 2 RESERVE \"user.b\" \"be1.test!p\"\nclient < 2 NO *\n"
		  "client > 3 DELETE \"user.b\"\nclient < 3 NO *\n",
		  "user.a active be1.test!p a=lr= c1\nuser.b reserved be2.test!p \n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		world_init(&w);
		world_complete(&w);
		world_login(&w, "third", "be1");
		world_login(&w, "client", "be1");
		world_login(&w, "other", "be2");
		play_run(w.play, "third > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlr\\t\"\n"
		                 "third < 1 OK *\n"
		                 "other > 1 RESERVE \"user.b\" \"be2.test!p\"\nother < 1 OK *\n");
		play_run(w.play, rows[i].commands);
		world_check_dump(&w.master, rows[i].map);
		world_fini(&w);
	}
}

TEST(a_claim_out_of_this_world_is_refused)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "client > X ROOST \"1\" \"lab\" \"0\"\nclient << X OK *\n"
	                 "client > 1 ACTIVATE \"user.a\" \"be1.test!\" \"\" "
	                 "\"claim=18446744073709551615\"\n"
	                 "client < 1 NO \"[INVALID] *\"\n"
	                 "client > 2 ACTIVATE \"user.a\" \"be1.test!\" \"\" \"claim=4\"\n"
	                 "client < 2 CHANGED \"1\" \"4\"\nclient < 2 OK *\n"
	                 "client > 3 DEACTIVATE \"user.a\" \"be1.test!\"\nclient << 3 OK *\n"
	                 "other > 4 ACTIVATE \"user.a\" \"be2.test!\" \"\"\nother < 4 OK *\n");
	world_check_dump(&w.master, "user.a active be2.test!  c5\n");
	world_fini(&w);
}

TEST(terms_and_clusters_fence)
{
	struct world w;

	world_init(&w);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > X ROOST \"1\" \"else\" \"0\"\n"
	                 "client < X NO \"this is another cluster\"\n"
	                 "# a new list takes the term after the highest it hears of,\n"
	                 "client > Y ROOST \"1\" \"lab\" \"1750000009\"\n"
	                 "client < Y ROOST \"lab\" \"*\" \"0\" \"1750000010\" \"rebuilding\"\n"
	                 "client < Y OK *\n");
	world_complete(&w);
	world_login(&w, "other", "be1");
	play_run(w.play, "# one that is complete knows better\n"
	                 "other > Y ROOST \"1\" \"lab\" \"1750000011\"\n"
	                 "other < Y NO \"there is a newer master\"\n");
	world_stop_master(&w);
	world_start_master(&w, false);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > X ROOST \"1\" \"lab\" \"1750000010\"\n"
	                 "client < X ROOST \"lab\" \"*\" \"0\" \"1750000011\" \"complete\"\n"
	                 "client < X OK *\n");
	world_fini(&w);
}

TEST(takeover_is_what_the_rfc_says)
{
	struct world w;

	world_init(&w);
	world_stop_master(&w);
	world_start_master_with(&w, true, true);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!\" \"\"\n"
	                 "client < 1 OK *\n"
	                 "other > 2 ACTIVATE \"user.a\" \"be2.test!\" \"\"\n"
	                 "other < 2 OK *\n");
	world_check_dump(&w.master, "user.a active be2.test!  c2\n");
	world_fini(&w);
}

/* count names, each with an ACL of 167 * 12 bytes, as client. */
static void
activate_many_at(struct world *w, const char *start, unsigned count)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	for (unsigned i = 0; i < count; i++) {
		buf_printf(&script,
		           "client > %u ACTIVATE \"%s%03u\" \"be1.test!\" {2004+}\nclient > ", i,
		           start, i);
		for (int j = 0; j < 167; j++)
			buf_printf(&script, "u%08d\\tl\\t", j);
		buf_printf(&script, "\nclient < %u OK *\n", i);
	}
	play_run(w->play, buf_cstr(&script));
	buf_fini(&script);
}

static void
activate_many(struct world *w, unsigned count)
{
	activate_many_at(w, "user.a", count);
}

TEST(a_subscriber_that_takes_nothing_is_cut)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	play_run(w.play, "other > U UPDATE\nother < U OK *\nother stops\n");
	activate_many(&w, 200);
	assert_int_equal(service_session_count(w.master.service), 2);
	play_run(w.play, "wait 61s\n");
	assert_int_equal(service_session_count(w.master.service), 1);
	world_fini(&w);
}

/* Connects, logs in as be1, and says more in the same piece. */
static struct conn *
connect_and_say(struct world *w, const char *more)
{
	struct conn *theirs, *ours;

	fakenet_pair(play_loop(w->play), "127.0.0.2:2000", "127.0.0.1:3905", &theirs, &ours);
	service_accept(w->master.service, &ours);
	conn_write(theirs, SLICE("A AUTHENTICATE \"PLAIN\" \"AGJlMQB4\"\r\n"));
	conn_write(theirs, slice_of(more));
	return theirs;
}

/* The answers, and what subscribers are told, are not held back until all is done. */
TEST(who_changes_much_at_once_does_it_in_pieces)
{
	enum { CHANGES = 12000, BYTES = 80 /* of each, at least */ };
	struct buf said = BUF_INIT(SIZE_MAX);
	struct conn *writer;
	uint64_t commits;
	struct world w;

	world_init(&w);
	world_complete(&w);
	commits = metrics_value(&mupdate_metrics[MUPDATE_M_COMMITS]);
	for (unsigned i = 0; i < CHANGES; i++)
		buf_printf(&said, "%u RESERVE \"u.%05u\" \"be1.test!\"\r\n", i, i);
	writer = connect_and_say(&w, buf_cstr(&said));
	fakenet_settle(play_loop(w.play));
	assert_int_equal(mapdb_count(w.master.db), CHANGES);
	commits = metrics_value(&mupdate_metrics[MUPDATE_M_COMMITS]) - commits;
	test_check(commits >= CHANGES * BYTES / 65536, "%u", (unsigned)commits);
	conn_free(&writer);
	buf_fini(&said);
	world_fini(&w);
}

struct subscriber {
	struct conn *conn;
	size_t heard, heard_at_noop;
};

/* Takes so much, and then nothing for a while. */
static void
subscriber_input(void *ctx)
{
	struct subscriber *s = ctx;
	struct slice in = conn_input(s->conn);
	const char *noop = memmem(in.p, in.n, "N OK \"Noop", 10);

	if (noop != NULL)
		s->heard_at_noop = s->heard + (size_t)(noop - in.p);
	s->heard += in.n;
	conn_consume(s->conn, in.n);
	conn_pause_input(s->conn);
}

TEST(a_noop_of_a_slow_subscriber_does_not_wait_for_what_comes_all_the_time)
{
	enum { STEPS = 80, ASKED = 40, CHANGES = 50, CHANGE = 2000 };
	static const struct conn_handler handler = { .on_input = subscriber_input };
	struct subscriber s = { .heard = 0 };
	char start[32];
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	s.conn = connect_and_say(&w, "U UPDATE\r\n");
	conn_set_handler(s.conn, &handler, &s);
	conn_set_input_limit(s.conn, CHANGES * CHANGE * 9 / 10);
	fakenet_settle(play_loop(w.play));
	for (unsigned i = 0; i < STEPS; i++) {
		snprintf(start, sizeof(start), "user.s%02ux", i);
		activate_many_at(&w, start, CHANGES);
		if (i == ASKED)
			conn_write(s.conn, SLICE("N NOOP\r\n"));
		conn_resume_input(s.conn);
		fakenet_settle(play_loop(w.play));
	}
	test_check(s.heard_at_noop > ASKED * CHANGES * CHANGE, "%zu of %zu", s.heard_at_noop,
	           s.heard);
	conn_free(&s.conn);
	world_fini(&w);
}

TEST(a_long_list_comes_in_pieces_and_complete)
{
	struct world w;
	struct buf script = BUF_INIT(SIZE_MAX);

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	activate_many(&w, 200);
	buf_add_str(&script, "split 1000\nclient > L LIST\n");
	for (int i = 0; i < 200; i++)
		buf_printf(&script,
		           "client < L MAILBOX {9+}\nclient < user.a%03d {9+}\n"
		           "client < be1.test! {2004+}\nclient < u*\n",
		           i);
	buf_add_str(&script, "client < L OK *\nclient > N NOOP\nclient < N OK *\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);
}

/* What a Cyrus front end makes of an answer that is not the whole list: it forgets the rest. */
TEST(a_plain_subscriber_is_cut_while_the_list_is_not_complete)
{
	struct world w;

	world_init(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!\" \"\"\n"
	                 "client < 1 OK *\n"
	                 "other > U UPDATE\n"
	                 "other is closed\n");
	world_fini(&w);
}

TEST(a_plain_subscriber_hears_no_bye_in_the_middle_of_the_list)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	activate_many(&w, 200);
	play_run(w.play, "other stops\nother > U UPDATE\n");
	service_drain(w.master.service);
	play_run(w.play, "wait 1ms\nclient < \\* BYE \"shutting down\"\n"
	                 "other reads\nother is closed\n");
	world_fini(&w);
}

TEST(what_goes_while_a_plain_subscriber_is_told_the_list_is_told_behind_it)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	activate_many(&w, 200);
	play_run(w.play, "other stops\nother > U UPDATE\n"
	                 "client > 1 DELETE \"user.a000\"\nclient < 1 OK *\n"
	                 "client > 2 DELETE \"user.a199\"\nclient < 2 OK *\n"
	                 "client > 3 RESERVE \"user.a0\" \"be1.test!\"\nclient < 3 OK *\n"
	                 "other reads\n");
	for (int i = 0; i < 199; i++)
		buf_printf(&script,
		           "other < U MAILBOX {9+}\nother < user.a%03d {9+}\n"
		           "other < be1.test! {2004+}\nother < u*\n",
		           i);
	buf_add_str(&script, "other < U OK \"streaming starts\"\n"
	                     "other < U DELETE {9+}\nother < user.a000\n"
	                     "other < U DELETE {9+}\nother < user.a199\n"
	                     "other < U RESERVE {7+}\nother < user.a0 {9+}\nother < be1.test!\n"
	                     "other > N NOOP\nother < N OK *\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);
}

/* The client is told them, and in this order. */
static void
check_order(struct world *w, const char *const names[], size_t n)
{
	static const char *const asks[] = { "LIST", "LIST \"be1.test!\"", "UPDATE" };
	struct buf script = BUF_INIT(SIZE_MAX);

	for (size_t k = 0; k < ARRAY_LEN(asks); k++) {
		buf_printf(&script, "client > L %s\n", asks[k]);
		for (size_t i = 0; i < n; i++)
			buf_printf(&script,
			           "client < L RESERVE {%zu+}\nclient < %s {9+}\n"
			           "client < be1.test!\n",
			           strlen(names[i]), names[i]);
		buf_add_str(&script, "client < L OK *\n");
	}
	play_run(w->play, buf_cstr(&script));
	buf_fini(&script);
}

TEST(lists_come_in_the_order_of_cyrus)
{
	static const char *const of_cyrus[] = { "user.fred", "user.fred.a", "user.fred-x" };
	static const char *const of_octets[] = { "user.fred", "user.fred-x", "user.fred.a" };

	for (int by_octets = 0; by_octets < 2; by_octets++) {
		struct world w;

		world_init(&w);
		w.by_octets = by_octets == 1;
		world_stop_master(&w);
		world_start_master(&w, true);
		world_complete(&w);
		world_login(&w, "client", "be1");
		for (size_t i = 0; i < ARRAY_LEN(of_cyrus); i++) {
			char line[128];

			snprintf(line, sizeof(line),
			         "client > 1 RESERVE \"%s\" \"be1.test!\"\nclient < 1 OK *\n",
			         of_cyrus[i]);
			play_run(w.play, line);
		}
		play_run(w.play,
		         "client > 2 RESERVE \"user.fred.b\" \"be1.test!\"\nclient < 2 OK *\n"
		         "client > 3 DELETE \"user.fred.b\"\nclient < 3 OK *\n");
		check_order(&w, w.by_octets ? of_octets : of_cyrus, ARRAY_LEN(of_cyrus));
		if (w.by_octets)
			play_run(w.play, "client is silent\n");
		else
			play_run(w.play, "client < L RESERVE {11+}\nclient < user.fred-x {9+}\n"
			                 "client < be1.test!\nclient is silent\n");
		world_fini(&w);
	}
}

TEST(what_cyrus_takes_for_gone_is_told_again)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	world_login(&w, "other", "any");
	activate_many_at(&w, "user.fred-", 100);
	play_run(w.play, "client > 1 RESERVE \"user.fred0\" \"be1.test!\"\nclient < 1 OK *\n"
	                 "client > 2 RESERVE \"user.fred.y\" \"be1.test!\"\nclient < 2 OK *\n"
	                 "client > 3 RESERVE \"user.fred.z\" \"be1.test!\"\nclient < 3 OK *\n"
	                 "client > 4 RESERVE \"user.fred^x\" \"be1.test!\"\nclient < 4 OK *\n"
	                 "client > 5 DELETE \"user.fred.y\"\nclient < 5 OK *\n"
	                 "client > 6 DELETE \"user.fred.z\"\nclient < 6 OK *\n"
	                 "client > 7 DELETE \"user.fred^x\"\nclient < 7 OK *\n"
	                 "other stops\nother > U UPDATE\nother reads\n");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 100; i++)
			buf_printf(&script,
			           "other < U MAILBOX {13+}\nother < user.fred-%03d {9+}\n"
			           "other < be1.test! {2004+}\nother < u*\n",
			           i);
		buf_add_str(&script, "other < U RESERVE {10+}\nother < user.fred0 {9+}\n"
		                     "other < be1.test!\n");
		if (round == 0)
			buf_add_str(&script, "other < U OK \"streaming starts\"\n");
	}
	buf_add_str(&script, "other is silent\nother > N NOOP\nother < N OK *\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);
}
