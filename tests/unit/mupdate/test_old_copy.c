/*
 * A master that comes back with an older copy of its list, and what peers say they have.
 */
#include "world.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- copies -------------------------------------------------------------------------------- */

static void
copy_file(const char *from, const char *to)
{
	static char bytes[1 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	assert_true(in != -1 && out != -1);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

/* Of a master that is stopped. */
static void
keep_copy(const struct world *w)
{
	char from[300], to[300];

	snprintf(from, sizeof(from), "%s/data.mdb", w->master.dir);
	snprintf(to, sizeof(to), "%s/backup.mdb", w->master.dir);
	copy_file(from, to);
}

static void
put_copy_back(const struct world *w)
{
	char from[300], to[300];

	snprintf(from, sizeof(from), "%s/backup.mdb", w->master.dir);
	snprintf(to, sizeof(to), "%s/data.mdb", w->master.dir);
	copy_file(from, to);
}

static void
restart_master(struct world *w)
{
	world_stop_master(w);
	world_start_master(w, false);
}

/* As be1, which is logged in as `client`. */
static void
activate(struct world *w, const char *name)
{
	char script[200];

	snprintf(script, sizeof(script),
	         "client > T ACTIVATE \"%s\" \"be1.test!p\" \"a\\tlrs\\t\"\nclient << T OK *\n",
	         name);
	play_run(w->play, script);
}

/* user.a is in the copy; user.b and user.c came later, and the replica knows all three. */
static void
three_users(struct world *w, bool live_restarts)
{
	world_init(w);
	world_complete(w);
	world_login(w, "client", "be1");
	activate(w, "user.a");
	world_start_replica(w);
	world_stop_master(w);
	keep_copy(w);
	play_run(w->play, "wait 1m\n");
	world_start_master(w, false);
	if (live_restarts)
		restart_master(w);
	world_login(w, "client", "be1");
	activate(w, "user.b");
	activate(w, "user.c");
	play_run(w->play, "wait 6s\n");
	assert_true(replica_is_following(w->replica.replica));
	assert_int_equal(mapdb_info(w->replica.db)->revision, 3);
	/* it had to be told the difference only */
	assert_int_equal(mapdb_info(w->replica.db)->oldest, 2);
	play_run(w->play, "wait 1m\n");
}

static void
on_barrier(void *ctx, bool ok)
{
	*(int *)ctx = ok;
}

/* The replica keeps what it has and vouches for nothing; the stores tell all they have; then
 * everybody has the same. */
static void
becomes_whole(struct world *w, const char *name)
{
	int got = -1;
	char *want;

	test_check(mapdb_info(w->master.db)->state == LOCATION_MAP_REBUILDING, "%s", name);
	test_check(!replica_is_following(w->replica.replica), "%s", name);
	world_check_dump(&w->replica, "user.a active be1.test!p a=lrs= c1\n"
	                              "user.b active be1.test!p a=lrs= c1\n"
	                              "user.c active be1.test!p a=lrs= c1\n");
	(void)replica_barrier(w->replica.replica, on_barrier, &got);
	fakenet_settle(play_loop(w->play));
	assert_int_equal(got, 0);
	world_login(w, "client", "be1");
	world_login(w, "other", "be2");
	play_run(w->play, "client > X ROOST \"1\" \"lab\" \"0\"\nclient << X OK *\n"
	                  "other > X ROOST \"1\" \"lab\" \"0\"\nother << X OK *\n"
	                  "client > R RESERVE \"user.new\" \"be1.test!p\" \"\"\n"
	                  "client < R NO \"[LATER] *\"\n"
	                  "client > A ACTIVATE \"user.a\" \"be1.test!p\" \"a\\tlrs\\t\" \"\"\n"
	                  "client << A OK *\n"
	                  "client > B ACTIVATE \"user.b\" \"be1.test!p\" \"a\\tlrs\\t\" \"\"\n"
	                  "client << B OK *\n"
	                  "# this one has moved since\n"
	                  "other > C ACTIVATE \"user.c\" \"be2.test!p\" \"\" \"claim=2\"\n"
	                  "other << C OK *\n"
	                  "client > P PUSHED \"be1.test\"\nclient < P OK *\n"
	                  "other > P PUSHED \"be2.test\"\nother < P OK *\n"
	                  "wait 6s\n");
	assert_true(replica_is_following(w->replica.replica));
	want = world_dump(&w->master);
	world_check_dump(&w->replica, want);
	free(want);
	test_eq_str("history", mapdb_info(w->replica.db)->history,
	            mapdb_info(w->master.db)->history);
	assert_int_equal(mapdb_info(w->replica.db)->revision, mapdb_info(w->master.db)->revision);
	assert_int_equal(mapdb_info(w->replica.db)->term, mapdb_info(w->master.db)->term);
}

static const struct copy_case {
	const char *name;
	bool live_restarts; /* the master was restarted after the copy was made */
	bool away;          /* the replica is away when the old copy begins to work, */
	unsigned more;      /* and so many changes were made on it when it comes */
} copy_cases[] = {
	{ "a replica that is there", false, false, 0 },
	{ "a replica that comes at once", false, true, 0 },
	{ "as many changes as were lost", false, true, 2 },
	{ "more changes than were lost", false, true, 5 },
	{ "a master that was restarted, a replica that is there", true, false, 0 },
	{ "a master that was restarted, more changes", true, true, 5 },
};

TEST(a_master_with_an_old_copy_begins_a_new_list_and_the_replicas_keep_theirs)
{
	for (size_t i = 0; i < ARRAY_LEN(copy_cases); i++) {
		const struct copy_case *c = &copy_cases[i];
		struct world w;
		char name[24];

		three_users(&w, c->live_restarts);
		if (c->away)
			world_stop_replica(&w);
		world_stop_master(&w);
		put_copy_back(&w);
		world_start_master(&w, false);
		if (c->more > 0)
			world_login(&w, "client", "be1");
		for (unsigned j = 0; j < c->more; j++) {
			snprintf(name, sizeof(name), "user.n%u", j);
			activate(&w, name);
		}
		if (c->away)
			world_start_replica(&w);
		play_run(w.play, "wait 6s\n");
		becomes_whole(&w, c->name);
		world_fini(&w);
	}
}

/* A folder of a moved user: no claim says whose it is. */
TEST(what_an_old_copy_says_gives_way_to_the_store_that_has_it)
{
	struct world w;

	three_users(&w, false);
	world_stop_master(&w);
	put_copy_back(&w);
	world_start_master(&w, false);
	play_run(w.play, "wait 6s\n");
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "other > 1 ACTIVATE \"user.a\" \"be2.test!p\" \"\"\n"
	                 "other < 1 OK *\n"
	                 "# but what somebody has said since stays\n"
	                 "client > 2 ACTIVATE \"user.a\" \"be1.test!p\" \"\"\n"
	                 "client < 2 NO *\n");
	world_fini(&w);
}

/* A stopped replica of long ago proves nothing, and takes the whole list. */
TEST(a_master_that_was_started_often_still_knows_its_replica)
{
	struct world w;

	three_users(&w, false);
	world_stop_replica(&w);
	for (int i = 0; i < 100; i++)
		restart_master(&w);
	world_login(&w, "client", "be1");
	activate(&w, "user.d");
	world_start_replica(&w);
	assert_true(replica_is_following(w.replica.replica));
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_COMPLETE);
	assert_int_equal(mapdb_info(w.replica.db)->revision, 4);
	world_fini(&w);
}

/* ---- another master ------------------------------------------------------------------------- */

TEST(of_two_masters_of_a_cluster_a_replica_stays_with_the_newer_one)
{
	struct world w;
	char first[256];

	three_users(&w, false);
	memcpy(first, w.master.dir, sizeof(first));
	/* Another one in its place, which knows nothing: the list stays. */
	world_stop_master(&w);
	world_start_master(&w, true);
	play_run(w.play, "wait 20s\n");
	assert_int_equal(mapdb_info(w.replica.db)->revision, 3);
	/* It becomes complete: its list is the newer one. */
	world_complete(&w);
	play_run(w.play, "wait 6s\n");
	world_check_dump(&w.replica, "");
	/* The first one comes back: it learns that there was another. */
	world_stop_master(&w);
	memcpy(w.master.dir, first, sizeof(first));
	world_start_master(&w, false);
	play_run(w.play, "wait 20s\n");
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_REBUILDING);
	world_check_dump(&w.replica, "");
	world_fini(&w);
}

/* ---- UPDATE SINCE ------------------------------------------------------------------------------ */

/* Asks as a peer that knows `term`; what comes first. */
static void
ask_since(struct world *w, uint64_t term, const char *history, const char *revision,
          const char *want)
{
	struct buf script = BUF_INIT(SIZE_MAX);

	world_login(w, "third", "replica");
	buf_printf(&script,
	           "third > X ROOST \"1\" \"lab\" \"%" PRIu64 "\"\nthird << X OK *\n"
	           "third > U UPDATE SINCE \"%s\" \"%s\"\nthird < %s\nthird closes\n",
	           term, history, revision, want);
	play_run(w->play, buf_cstr(&script));
	buf_fini(&script);
}

TEST(since_when_may_be_anything)
{
	struct world w;
	char long_history[5000], history[MAPDB_HISTORY_LEN];
	uint64_t term;

	three_users(&w, false);
	world_stop_replica(&w);
	memset(long_history, 'a', sizeof(long_history) - 1);
	long_history[sizeof(long_history) - 1] = '\0';
	memcpy(history, mapdb_info(w.master.db)->history, sizeof(history));
	term = mapdb_info(w.master.db)->term;
	ask_since(&w, term, history, "3", "U STREAM \"difference\" *");
	ask_since(&w, term, history, "0", "U STREAM \"difference\" *");
	ask_since(&w, 0, history, "3", "U STREAM \"snapshot\" *");
	ask_since(&w, term, "00", "3", "U STREAM \"snapshot\" *");
	ask_since(&w, term, "01", "18446744073709551615", "U STREAM \"snapshot\" *");
	ask_since(&w, term, "", "3", "U BAD *");
	ask_since(&w, term, long_history, "4", "U STREAM \"snapshot\" *");
	ask_since(&w, term, history, "", "U BAD *");
	ask_since(&w, term, history, "-1", "U BAD *");
	ask_since(&w, term, history, "three", "U BAD *");
	ask_since(&w, term, history, "18446744073709551616", "U BAD *");
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_COMPLETE);
	ask_since(&w, term, history, "4", "U NO \"[LATER] *\"");
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_REBUILDING);
	world_fini(&w);
}

TEST(master_and_replica_may_change_places_and_change_back)
{
	struct world w;
	char first[256];
	uint64_t term;

	three_users(&w, false);
	for (int i = 0; i < 4; i++) {
		world_stop_replica(&w);
		world_stop_master(&w);
		memcpy(first, w.master.dir, sizeof(first));
		memcpy(w.master.dir, w.replica.dir, sizeof(w.master.dir));
		memcpy(w.replica.dir, first, sizeof(first));
		world_start_master(&w, false);
		world_login(&w, "client", "be1");
		activate(&w, i % 2 == 0 ? "user.d" : "user.e");
		world_start_replica(&w);
		assert_true(replica_is_following(w.replica.replica));
		assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_COMPLETE);
		term = mapdb_info(w.master.db)->term;
		assert_int_equal(mapdb_info(w.replica.db)->term, term);
		play_run(w.play, "wait 1m\n");
	}
	world_fini(&w);
}

/* Its list is as old as its last word from the master that is no more. */
TEST(a_replica_that_becomes_the_master_knows_what_it_has_missed)
{
	struct world w;
	char history[MAPDB_HISTORY_LEN];
	uint64_t term;

	three_users(&w, false);
	world_stop_replica(&w);
	world_login(&w, "client", "be1");
	activate(&w, "user.d");
	memcpy(history, mapdb_info(w.master.db)->history, sizeof(history));
	term = mapdb_info(w.master.db)->term;
	world_stop_master(&w);
	memcpy(w.master.dir, w.replica.dir, sizeof(w.master.dir));
	world_start_master(&w, false);
	test_eq_str("history", mapdb_info(w.master.db)->history, history);
	assert_true(mapdb_info(w.master.db)->term > term);
	assert_int_equal(mapdb_info(w.master.db)->revision, 3);
	ask_since(&w, term, history, "3", "U STREAM \"difference\" *");
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_COMPLETE);
	ask_since(&w, term, history, "4", "U NO \"[LATER] *\"");
	assert_int_equal(mapdb_info(w.master.db)->state, LOCATION_MAP_REBUILDING);
	world_fini(&w);
}
