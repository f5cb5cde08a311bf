#include "barrier_server.h"
#include "location/barrier.h"
#include "location/lookup.h"
#include "location/reader.h"
#include "world.h"

#include <stdlib.h>

/* A master with one name, and a replica that follows it. */
static void
both(struct world *w)
{
	world_init(w);
	world_complete(w);
	world_login(w, "client", "be1");
	play_run(w->play, "client > X ROOST \"1\" \"lab\" \"0\"\nclient << X OK *\n"
	                  "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\" \"uv=7\"\n"
	                  "client << 1 OK *\n");
	world_start_replica(w);
}

static void
same(struct world *w)
{
	char *want = world_dump(&w->master);

	world_check_dump(&w->replica, want);
	free(want);
	test_eq_str("history", mapdb_info(w->replica.db)->history,
	            mapdb_info(w->master.db)->history);
	assert_int_equal(mapdb_info(w->replica.db)->revision, mapdb_info(w->master.db)->revision);
	assert_int_equal(mapdb_info(w->replica.db)->term, mapdb_info(w->master.db)->term);
}

TEST(a_replica_takes_the_list_and_follows)
{
	struct world w;

	both(&w);
	assert_true(replica_is_following(w.replica.replica));
	same(&w);
	play_run(w.play, "client > 2 RESERVE \"user.b\" \"be1.test!p\" \"\"\nclient << 2 OK *\n"
	                 "client > 3 DELETE \"user.a\"\nclient << 3 OK *\n");
	same(&w);
	world_fini(&w);
}

TEST(a_replica_of_an_incomplete_master_is_never_complete)
{
	struct world w;

	world_init(&w);
	world_start_replica(&w);
	play_run(w.play, "wait 20s\n");
	assert_false(replica_is_following(w.replica.replica));
	assert_int_equal(mapdb_info(w.replica.db)->state, LOCATION_MAP_EMPTY);
	world_complete(&w);
	play_run(w.play, "wait 6s\n");
	assert_int_equal(mapdb_info(w.replica.db)->state, LOCATION_MAP_COMPLETE);
	world_fini(&w);
}

TEST(a_replica_keeps_its_list_while_the_master_is_away_and_resumes)
{
	struct world w;

	both(&w);
	world_stop_master(&w);
	play_run(w.play, "wait 1m\n");
	assert_false(replica_is_following(w.replica.replica));
	assert_true(replica_age_ms(w.replica.replica) >= 55000);
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1 uv7\n");
	world_start_master(&w, false);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > 2 ACTIVATE \"user.b\" \"be1.test!p\" \"\"\nclient << 2 OK *\n"
	                 "client > 3 ACTIVATE \"user.b\" \"be1.test!q\" \"\"\nclient << 3 OK *\n"
	                 "client > 4 RESERVE \"user.c\" \"be1.test!q\"\nclient << 4 OK *\n"
	                 "client > 5 DELETE \"user.c\"\nclient << 5 OK *\n"
	                 "wait 6s\n");
	assert_true(replica_is_following(w.replica.replica));
	same(&w);
	world_fini(&w);
}

TEST(a_new_history_replaces_the_list_only_when_it_is_complete)
{
	struct world w;

	both(&w);
	world_stop_master(&w);
	world_start_master(&w, true);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > X ROOST \"1\" \"lab\" \"0\"\nclient << X OK *\n"
	                 "client > 2 ACTIVATE \"user.b\" \"be1.test!p\" \"\" \"\"\n"
	                 "client << 2 OK *\nwait 20s\n");
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1 uv7\n");
	world_complete(&w);
	play_run(w.play, "wait 6s\n");
	same(&w);
	world_check_dump(&w.replica, "user.b active be1.test!p  c1\n");
	world_fini(&w);
}

TEST(a_replica_that_missed_too_much_takes_the_whole_list)
{
	struct world w;
	struct buf script = BUF_INIT(SIZE_MAX);

	both(&w);
	play_run(w.play,
	         "client > 2 RESERVE \"user.gone\" \"be1.test!p\" \"\"\nclient << 2 OK *\n");
	world_stop_replica(&w);
	play_run(w.play, "client > 3 DELETE \"user.gone\"\nclient << 3 OK *\n");
	/* the log of the master holds 1,000 changes */
	for (int i = 0; i < 600; i++)
		buf_printf(&script,
		           "client > R%d RESERVE \"user.x%d\" \"be1.test!p\" \"\"\n"
		           "client << R%d OK *\n"
		           "client > D%d DELETE \"user.x%d\"\nclient << D%d OK *\n",
		           i, i, i, i, i, i);
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	assert_true(mapdb_info(w.master.db)->oldest > 100);
	world_start_replica(&w);
	same(&w);
	world_fini(&w);
}

TEST(a_lost_connection_in_a_snapshot_changes_nothing)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	play_run(w.play, "fake accepts\n"
	                 "fake >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"c\" \"Cyrus IMAP\" \"3.6\" "
	                 "\"(master)\"\\r\\n\n"
	                 "fake < A1 AUTHENTICATE *\n"
	                 "fake > A1 OK \"Authenticated\"\n"
	                 "fake < R1 UPDATE\n"
	                 "fake >> R1 MAILBOX {6+}\\r\\nuser.a {4+}\\r\\nbe1! {0+}\\r\\n\\r\\n\n"
	                 "fake closes\n");
	world_check_dump(&w.replica, "");
	assert_int_equal(mapdb_info(w.replica.db)->state, LOCATION_MAP_EMPTY);
	play_run(w.play, "wait 1s\n"
	                 "fake accepts\n"
	                 "fake >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"c\" \"Cyrus IMAP\" \"3.6\" "
	                 "\"(master)\"\\r\\n\n"
	                 "fake < A1 AUTHENTICATE *\n"
	                 "fake > A1 OK \"Authenticated\"\n"
	                 "fake < R1 UPDATE\n"
	                 "fake >> R1 MAILBOX {6+}\\r\\nuser.a {4+}\\r\\nbe1! {0+}\\r\\n\\r\\n\n"
	                 "fake >> R1 MAILBOX {7+}\\r\\nuser..b {4+}\\r\\nbe1! {0+}\\r\\n\\r\\n\n"
	                 "fake >> R1 RESERVE {6+}\\r\\nuser.c {4+}\\r\\nbe1!\\r\\n\n"
	                 "fake > R1 OK \"streaming starts\"\n");
	assert_true(replica_is_following(w.replica.replica));
	world_check_dump(&w.replica, "user.a active be1! \nuser.c reserved be1! \n");
	/* repeated updates, and a deletion of what is not there */
	play_run(w.play, "fake >> R1 MAILBOX {6+}\\r\\nuser.a {4+}\\r\\nbe1! {0+}\\r\\n\\r\\n\n"
	                 "fake >> R1 DELETE {6+}\\r\\nuser.z\\r\\n\n"
	                 "fake >> R1 DELETE {6+}\\r\\nuser.c\\r\\n\n"
	                 "wait 6s\n"
	                 "fake < R2 NOOP\n"
	                 "fake > R2 OK \"Noop done\"\n"
	                 "wait 6s\n"
	                 "fake < R3 NOOP\n"
	                 "wait 11s\n"
	                 "fake is closed\n");
	world_check_dump(&w.replica, "user.a active be1! \n");
	assert_false(replica_is_following(w.replica.replica));
	world_fini(&w);
}

#define HISTORY "00112233445566778899aabbccddeeff"
#define RECORD(place, revision)                                                                    \
	"fake >> R1 MAILBOX {6+}\\r\\nuser.a {4+}\\r\\n" place                                     \
	" {0+}\\r\\n {6+}\\r\\nrev=" revision "\\r\\n\n"

/* Up to UPDATE, as a master of ours. */
#define OURS                                                                                       \
	"fake accepts\n"                                                                           \
	"fake >> * AUTH \"PLAIN\"\\r\\n* ROOST \"1\"\\r\\n* OK MUPDATE \"m\" \"Roost\" \"0.1\" "   \
	"\"(master)\"\\r\\n\n"                                                                     \
	"fake < A1 AUTHENTICATE *\nfake > A1 OK \"Authenticated\"\n"                               \
	"fake < X1 ROOST *\n"                                                                      \
	"fake > X1 ROOST \"lab\" \"" HISTORY "\" \"12\" \"5\" \"complete\"\n"                      \
	"fake > X1 OK \"hello\"\n"                                                                 \
	"fake < R1 UPDATE SINCE *\n"

TEST(a_master_whose_changes_go_backwards_is_not_followed)
{
	static const char *const behind[] = { RECORD("be9!", "11"), RECORD("be9!", "12"),
		                              RECORD("be9!", "00") };

	for (size_t i = 0; i < ARRAY_LEN(behind); i++) {
		struct world w;

		world_init(&w);
		play_add_server(w.play, "fake", "127.0.0.1:3905");
		world_start_replica(&w);
		/* In a whole list each record has its own. */
		play_run(
			w.play,
			OURS "fake > R1 STREAM \"snapshot\" \"" HISTORY "\" \"10\"\n" RECORD(
				"be1!",
				"09") "fake > R1 OK \"streaming starts\"\n" RECORD("be2!",
		                                                                   "12") "wait 1ms\n");
		assert_true(replica_is_following(w.replica.replica));
		world_check_dump(&w.replica, "user.a active be2! \n");
		play_run(w.play, behind[i]);
		assert_false(replica_is_following(w.replica.replica));
		assert_non_null(strstr(replica_why(w.replica.replica), "go backwards"));
		world_check_dump(&w.replica, "user.a active be2! \n");
		/* and it goes on where it was */
		play_run(w.play,
		         "wait 1s\n" OURS "fake > R1 STREAM \"difference\" \"" HISTORY
		         "\" \"12\"\n" RECORD("be3!", "13") "fake > R1 OK \"streaming starts\"\n");
		assert_true(replica_is_following(w.replica.replica));
		world_check_dump(&w.replica, "user.a active be3! \n");
		world_fini(&w);
	}
}

TEST(a_plain_list_that_has_lost_most_names_is_not_taken)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	world_play_plain_list(&w, 30);
	play_run(w.play, "fake closes\nwait 2s\n");
	world_play_plain_list(&w, 15);
	assert_int_equal(mapdb_count(w.replica.db), 15);
	play_run(w.play, "fake closes\nwait 2s\n");
	world_play_plain_list(&w, 20);
	play_run(w.play, "fake closes\nwait 2s\n");
	world_play_plain_list(&w, 9);
	play_run(w.play, "fake is closed\n");
	assert_int_equal(mapdb_count(w.replica.db), 20);
	assert_false(replica_is_following(w.replica.replica));
	assert_non_null(strstr(replica_why(w.replica.replica), "lost most"));
	play_run(w.play, "wait 50s\nfake is closed\nwait 11s\n");
	world_play_plain_list(&w, 11);
	assert_true(replica_is_following(w.replica.replica));
	assert_int_equal(mapdb_count(w.replica.db), 11);
	/* few names come and go */
	play_run(w.play, "fake closes\nwait 2s\n");
	world_play_plain_list(&w, 0);
	assert_int_equal(mapdb_count(w.replica.db), 0);
	world_fini(&w);
}

TEST(a_master_that_knows_another_password_is_tried_seldom)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	play_run(w.play, "fake accepts\n"
	                 "fake >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"c\" \"Cyrus IMAP\" "
	                 "\"3.6\" \"(master)\"\\r\\n\n"
	                 "fake < A1 AUTHENTICATE *\nfake > A1 NO \"Authentication failed\"\n"
	                 "fake is closed\nfake refuses\nwait 4900ms\n");
	assert_null(strstr(replica_why(w.replica.replica), "refused"));
	play_run(w.play, "fake listens\nwait 200ms\n");
	world_play_plain_list(&w, 3);
	assert_true(replica_is_following(w.replica.replica));
	test_eq_str("why", replica_why(w.replica.replica), "");
	world_fini(&w);
}

TEST(a_replica_of_a_cyrus_master_may_follow_one_of_ours_later)
{
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	play_run(w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"\"\nclient < 1 OK *\n"
	                 "wait 1m\n");
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	world_play_plain_list(&w, 1);
	assert_true(replica_is_following(w.replica.replica));
	world_listen_master(&w);
	play_run(w.play, "fake closes\nwait 6s\n");
	assert_true(replica_is_following(w.replica.replica));
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_COMPLETE);
	same(&w);
	world_fini(&w);
}

TEST(a_master_that_has_much_to_tell_is_not_silent)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	world_play_plain_list(&w, 1);
	play_run(w.play, "wait 6s\nfake < R2 NOOP\n");
	for (int i = 0; i < 10; i++)
		play_run(w.play, "wait 4s\n"
		                 "fake >> R1 DELETE {6+}\\r\\nuser.z\\r\\n\n");
	assert_true(replica_is_following(w.replica.replica));
	play_run(w.play, "fake > R2 OK \"Noop done\"\nwait 6s\nfake < R3 NOOP\n"
	                 "wait 11s\nfake is closed\n");
	world_fini(&w);
}

/* A whole line is what counts: of a list, and of the answer to a barrier. */
TEST(a_master_whose_bytes_come_to_nothing_is_silent)
{
	static const struct {
		const char *name, *drip;
	} cases[] = {
		{ "a line without an end", "fake >> x\n" },
		{ "lines that tell nothing", "fake >> * X\\r\\n\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		world_init(&w);
		play_add_server(w.play, "fake", "127.0.0.1:3905");
		world_start_replica(&w);
		world_play_plain_list(&w, 1);
		play_run(w.play, "wait 6s\nfake < R2 NOOP\n");
		for (int k = 0; k < 12; k++) {
			play_run(w.play, "wait 1s\n");
			if (replica_is_following(w.replica.replica))
				play_run(w.play, cases[i].drip);
		}
		assert_false(replica_is_following(w.replica.replica));
		/* and in the middle of a list */
		play_run(w.play, OURS "fake > R1 STREAM \"snapshot\" \"" HISTORY "\" \"10\"\n"
		                      "wait 25s\n" RECORD("be1!", "09") "wait 25s\n");
		play_run(w.play, cases[i].drip);
		play_run(w.play, "wait 6s\nfake is closed\n");
		world_check_dump(&w.replica, "user.u0 reserved be1! \n");
		assert_int_equal(mapdb_info(w.replica.db)->state, LOCATION_MAP_COMPLETE);
		world_fini(&w);
	}
}

TEST(a_master_that_does_not_say_what_it_tells_is_not_followed)
{
#define OK_HERE "fake > R1 OK \"streaming starts\"\n"
#define STREAM(kind, history, revision)                                                            \
	"fake > R1 STREAM \"" kind "\" \"" history "\" \"" revision "\"\n"
	static const char *const wrong[] = {
		OK_HERE,
		RECORD("be9!", "13"),
		(STREAM("difference", "ff112233445566778899aabbccddeeff", "12") RECORD("be9!", "13")
		         OK_HERE),
		(STREAM("difference", HISTORY, "11") OK_HERE),
		(STREAM("difference", HISTORY, "12") STREAM("snapshot", HISTORY, "12") OK_HERE),
		(STREAM("snapshot", HISTORY, "12") RECORD("be9!", "12")
		         STREAM("snapshot", HISTORY, "12") OK_HERE),
		(STREAM("snapshot", "what", "12") OK_HERE),
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct world w;

		world_init(&w);
		play_add_server(w.play, "fake", "127.0.0.1:3905");
		world_start_replica(&w);
		play_run(w.play, OURS STREAM("snapshot", HISTORY, "12") RECORD("be2!", "12") OK_HERE
		         "fake closes\nwait 1s\n" OURS);
		play_run(w.play, wrong[i]);
		assert_false(replica_is_following(w.replica.replica));
		world_check_dump(&w.replica, "user.a active be2! \n");
		test_eq_str("history", mapdb_info(w.replica.db)->history, HISTORY);
		assert_int_equal(mapdb_info(w.replica.db)->revision, 12);
		play_run(w.play, "wait 2s\n" OURS STREAM("difference", HISTORY, "12") OK_HERE);
		assert_true(replica_is_following(w.replica.replica));
		world_fini(&w);
	}
#undef STREAM
#undef OK_HERE
}

/* ---- names on their way ----------------------------------------------------------------------------- */

#define LEAVE "client > 2 DEACTIVATE \"user.a\" \"be1.test!p\"\nclient << 2 OK *\n"
#define LEFT "user.a left be1.test!p a=lrs= c1 uv7\n"

/* Front ends read the replica's list, and a client takes a name that LIST lacks for deleted. */
TEST(a_name_that_was_left_keeps_its_acl_at_the_replica)
{
	struct world w;

	both(&w);
	world_login(&w, "other", "be2");
	play_run(w.play, LEAVE);
	world_check_dump(&w.replica, LEFT);
	same(&w);
	/* the whole list, too */
	world_stop_replica(&w);
	w.replica.dir[0] = '\0';
	world_start_replica(&w);
	world_check_dump(&w.replica, LEFT);
	same(&w);
	play_run(w.play, "other > 3 ACTIVATE \"user.a\" \"be2.test!p\" \"b\\tlrs\\t\"\n"
	                 "other < 3 OK *\n");
	world_check_dump(&w.replica, "user.a active be2.test!p b=lrs= c2\n");
	world_fini(&w);
}

TEST(a_replica_that_was_away_hears_what_became_of_names_that_were_left)
{
	static const struct {
		const char *name, *script, *want;
	} cases[] = {
		{ "nothing yet", LEAVE, LEFT },
		{ "turned back",
		  LEAVE "client > 3 ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\"\n"
		        "client << 3 OK *\n",
		  "user.a active be1.test!p a=lrs= c1 uv7\n" },
		{ "deleted", LEAVE "client > 3 DELETE \"user.a\"\nclient << 3 OK *\n", "" },
		{ "to be made anew",
		  LEAVE "client > 3 RESERVE \"user.a\" \"be1.test!p\"\n"
		        "client << 3 OK *\n",
		  "user.a reserved be1.test!p  c1 uv7\n" },
		{ "deleted, and to be made anew",
		  "client > 2 DELETE \"user.a\"\nclient << 2 OK *\n"
		  "client > 3 RESERVE \"user.a\" \"be1.test!p\"\nclient << 3 OK *\n",
		  "user.a reserved be1.test!p \n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		both(&w);
		world_stop_replica(&w);
		play_run(w.play, cases[i].script);
		world_start_replica(&w);
		world_check_dump(&w.replica, cases[i].want);
		same(&w);
		world_fini(&w);
	}
}

TEST(a_replica_that_becomes_the_master_gives_a_name_that_was_left_to_whoever_comes)
{
	struct world w;

	both(&w);
	play_run(w.play, LEAVE);
	world_stop_replica(&w);
	world_stop_master(&w);
	memcpy(w.master.dir, w.replica.dir, sizeof(w.master.dir));
	world_start_master(&w, false);
	world_login(&w, "other", "be2");
	play_run(w.play, "other > 3 ACTIVATE \"user.a\" \"be2.test!p\" \"b\\tlrs\\t\"\n"
	                 "other < 3 OK *\n");
	world_fini(&w);
}

/* It says no more than RFC 3656 has, and our own of earlier versions sent no ACL. */
TEST(a_master_that_tells_no_acl_of_names_that_were_left)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	play_run(w.play, "fake accepts\n"
	                 "fake > * AUTH \"PLAIN\"\n"
	                 "fake > * ROOST \"1\"\n"
	                 "fake > * OK MUPDATE \"m\" \"Roost\" \"1\" \"(master)\"\n"
	                 "fake < A1 AUTHENTICATE *\n"
	                 "fake > A1 OK \"in\"\n"
	                 "fake < X1 ROOST *\n"
	                 "fake > X1 ROOST \"lab\" \"00112233445566778899aabbccddeeff\" \"2\" "
	                 "\"1\" \"complete\"\n"
	                 "fake > X1 OK \"hello\"\n"
	                 "fake < R1 UPDATE *\n"
	                 "fake > R1 STREAM \"snapshot\" \"00112233445566778899aabbccddeeff\" "
	                 "\"2\"\n"
	                 "fake > R1 MAILBOX \"user.a\" \"be1!\" \"a\" \"rev=2\"\n"
	                 "fake > R1 OK \"streaming starts\"\n");
	world_check_dump(&w.replica, "user.a active be1! a\n");
	play_run(w.play, "fake > R1 RESERVE \"user.a\" \"be1!\" \"rev=3\"\n");
	world_check_dump(&w.replica, "user.a reserved be1! \n");
	world_fini(&w);
}

/* ---- one writer --------------------------------------------------------------------------------------- */

/* Else the replica would not learn of a commit that failed, and go on behind it. */
TEST(what_is_open_in_the_map_is_the_replicas_alone_to_commit)
{
	const struct location loc = { .name = SLICE_INIT("user.b"),
		                      .server = SLICE_INIT("be1.test"),
		                      .state = LOCATION_ACTIVE };
	struct world w;

	both(&w);
	world_login(&w, "reader", "any");
	assert_int_equal(mapdb_begin(w.replica.db, NULL), 0);
	(void)mapdb_set(w.replica.db, &loc);
	play_run(w.play, "reader > 1 LIST\nreader << 1 OK *\n");
	assert_true(service_commit(w.replica.service));
	assert_true(mapdb_is_open(w.replica.db));
	mapdb_abort(w.replica.db);
	same(&w);
	world_fini(&w);
}

/* ---- barriers ------------------------------------------------------------------------------------ */

static void
on_barrier(void *ctx, bool ok)
{
	*(int *)ctx = ok ? 1 : 0;
}

TEST(a_barrier_waits_for_the_master)
{
	struct world w;
	int got = -1, late = -1;

	both(&w);
	assert_true(replica_barrier(w.replica.replica, on_barrier, &got) != 0);
	assert_int_equal(got, -1);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(got, 1);
	world_stop_master(&w);
	play_run(w.play, "wait 1s\n");
	assert_true(replica_barrier(w.replica.replica, on_barrier, &late) != 0);
	assert_int_equal(late, -1);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(late, 0);
	world_fini(&w);
}

TEST(peers_of_a_replica_read_and_noop_but_do_not_change)
{
	struct world w;

	both(&w);
	world_login(&w, "reader", "any");
	play_run(w.play, "reader > 1 FIND \"user.a\"\n"
	                 "reader < 1 MAILBOX *\nreader << 1 OK *\n"
	                 "reader > 2 DELETE \"user.a\"\n"
	                 "reader < 2 BAD \"read-only session\"\n"
	                 "reader > 3 NOOP\n"
	                 "reader < 3 OK \"Noop done\"\n"
	                 "reader > 4 UPDATE\n"
	                 "reader << 4 OK \"streaming starts\"\n"
	                 "client > 5 DELETE \"user.a\"\nclient << 5 OK *\n"
	                 "reader < 4 DELETE {6+}\nreader < user.a\n"
	                 "reader > 6 NOOP\n"
	                 "reader < 6 OK *\n");
	world_stop_master(&w);
	play_run(w.play, "reader > 7 NOOP\nreader < 7 NO \"the master is away\"\n");
	world_fini(&w);
}

/* ---- front ends: reader and barrier socket ---------------------------------------------------- */

struct front {
	struct barrier_server *server;
	struct location_reader *reader;
	struct barrier *barrier;
	enum barrier_result result;
};

static void
on_result(void *ctx, enum barrier_result result)
{
	((struct front *)ctx)->result = result;
}

static void
on_front(void *ctx, struct conn **c)
{
	barrier_server_accept(((struct front *)ctx)->server, c);
}

TEST(a_front_end_sees_what_was_acknowledged_before_its_barrier)
{
	struct world w;
	struct front f = { .result = BARRIER_LATE };
	struct arena *a = arena_new("test");
	struct location loc;

	both(&w);
	f.server = barrier_server_new(w.replica.service);
	f.reader = location_reader_new(w.replica.dir);
	f.barrier = barrier_new(play_loop(w.play), "/location.sock", 1000);
	fakenet_listen(play_loop(w.play), "/location.sock", on_front, &f);
	assert_int_equal(location_reader_find(f.reader, SLICE("user.b"), a, &loc), LOCATION_NONE);
	play_run(w.play, "client > 2 ACTIVATE \"user.b\" \"be1.test!p\" \"\" \"su=%5CSent\"\n"
	                 "client << 2 OK *\n");
	barrier_wait(f.barrier, on_result, &f);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(f.result, BARRIER_OK);
	assert_int_equal(location_reader_find(f.reader, SLICE("user.b"), a, &loc), LOCATION_FOUND);
	test_eq_slice("server", loc.server, SLICE("be1.test"));
	test_eq_slice("special-use", loc.special_use, SLICE("\\Sent"));
	world_stop_master(&w);
	play_run(w.play, "wait 1s\n");
	barrier_wait(f.barrier, on_result, &f);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(f.result, BARRIER_LATE);
	barrier_free(&f.barrier);
	location_reader_free(&f.reader);
	barrier_server_free(&f.server);
	arena_free(&a);
	world_fini(&w);
}

/* ---- front ends: names that are not there, or not yet ---------------------------------------- */

struct looked {
	enum location_result result;
	bool answered;
};

static void
on_lookup(void *ctx, enum location_result result, UNUSED const struct location *loc)
{
	*(struct looked *)ctx = (struct looked){ result, true };
}

static void
look(struct lookup *k, const char *name, struct looked *got_r)
{
	*got_r = (struct looked){ .answered = false };
	assert_true(lookup_find(k, slice_of(name), on_lookup, got_r) != 0);
}

/* A replica that is stopped: its socket takes connections, and that is all. */
static void
on_silent(void *ctx, struct conn **c)
{
	*(struct conn **)ctx = *c;
	*c = NULL;
}

TEST(a_reserved_name_is_waited_for_and_then_later)
{
	struct world w;
	struct front f = { .result = BARRIER_LATE };
	struct conn *silent = NULL;
	struct looked got, missed;
	struct lookup *k;

	both(&w);
	play_run(w.play, "client > 2 RESERVE \"user.r\" \"be1.test!p\" \"\"\nclient << 2 OK *\n");
	f.server = barrier_server_new(w.replica.service);
	f.reader = location_reader_new(w.replica.dir);
	f.barrier = barrier_new(play_loop(w.play), "/location.sock", BARRIER_DEADLINE_MS);
	k = lookup_new(play_loop(w.play), f.reader, f.barrier);
	fakenet_listen(play_loop(w.play), "/location.sock", on_front, &f);
	look(k, "user.r", &got);
	fakenet_settle(play_loop(w.play));
	assert_true(got.answered);
	assert_int_equal(got.result, LOCATION_IS_RESERVED);
	/* It becomes active while the barrier is under way. */
	look(k, "user.r", &got);
	look(k, "user.x", &missed);
	assert_false(got.answered);
	play_run(w.play, "client > 3 ACTIVATE \"user.r\" \"be1.test!p\" \"\" \"\"\n"
	                 "client << 3 OK *\n");
	fakenet_settle(play_loop(w.play));
	assert_true(got.answered && missed.answered);
	assert_int_equal(got.result, LOCATION_FOUND);
	assert_int_equal(missed.result, LOCATION_NONE);
	/* Nobody to ask: at once. */
	play_run(w.play, "client > 4 RESERVE \"user.s\" \"be1.test!p\" \"\"\nclient << 4 OK *\n");
	world_stop_master(&w);
	play_run(w.play, "wait 1s\n");
	look(k, "user.s", &got);
	look(k, "user.x", &missed);
	fakenet_settle(play_loop(w.play));
	assert_true(got.answered && missed.answered);
	assert_int_equal(got.result, LOCATION_IS_RESERVED);
	assert_int_equal(missed.result, LOCATION_BLIND);
	/* One who does not answer: after a second, what is known all the same at once. */
	lookup_free(&k);
	barrier_free(&f.barrier);
	fakenet_listen(play_loop(w.play), "/location.sock", on_silent, &silent);
	f.barrier = barrier_new(play_loop(w.play), "/location.sock", BARRIER_DEADLINE_MS);
	k = lookup_new(play_loop(w.play), f.reader, f.barrier);
	look(k, "user.s", &got);
	look(k, "user.x", &missed);
	fakenet_advance(play_loop(w.play), BARRIER_DEADLINE_MS - 1);
	assert_false(got.answered || missed.answered);
	fakenet_advance(play_loop(w.play), 1);
	assert_true(got.answered && missed.answered);
	assert_int_equal(got.result, LOCATION_IS_RESERVED);
	assert_int_equal(missed.result, LOCATION_BLIND);
	look(k, "user.a", &got);
	fakenet_settle(play_loop(w.play));
	assert_true(got.answered);
	assert_int_equal(got.result, LOCATION_FOUND);
	lookup_free(&k);
	barrier_free(&f.barrier);
	conn_free(&silent);
	location_reader_free(&f.reader);
	barrier_server_free(&f.server);
	world_fini(&w);
}
