/*
 * What must not bring a location server down, or make it say something untrue: half
 * conversations, full disks, clocks that jump, environments that are damaged or held.
 */
#include "world.h"

#include "location/reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the wire ---------------------------------------------------------------------------- */

/* With \r and \n as the player wants them. */
static void
add_escaped(struct buf *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\r')
			buf_add_str(out, "\\r");
		else if (bytes[i] == '\n')
			buf_add_str(out, "\\n");
		else
			buf_add_char(out, bytes[i]);
	}
}

TEST(a_connection_may_break_at_every_byte)
{
	static const char talk[] =
		"A AUTHENTICATE \"PLAIN\" {8+}\r\nAGJlMQB4\r\n"
		"X ROOST \"1\" \"lab\" \"0\"\r\n"
		"1 RESERVE {6+}\r\nuser.a {9+}\r\nbe1.test! {0+}\r\n\r\n"
		"2 ACTIVATE \"user.a\" {9}\r\nbe1.test! \"\" \"\"\r\n"
		"3 LIST\r\n4 UPDATE SINCE \"00\" \"0\"\r\n5 NOOP\r\n6 LOGOUT\r\n";
	struct world w;

	world_init(&w);
	world_complete(&w);
	for (size_t cut = 0; cut < sizeof(talk); cut++) {
		struct buf script = BUF_INIT(SIZE_MAX);

		buf_add_str(&script, "client connects\n");
		if (cut > 0) {
			buf_add_str(&script, "client >> ");
			add_escaped(&script, talk, cut);
			buf_add_char(&script, '\n');
		}
		buf_printf(&script, "client %s\n", cut % 2 == 0 ? "closes" : "resets");
		play_run(w.play, buf_cstr(&script));
		buf_fini(&script);
		test_check(service_session_count(w.master.service) == 0, "cut at %zu", cut);
	}
	world_check_dump(&w.master, "user.a active be1.test!  c1\n");
	world_login(&w, "other", "be1");
	play_run(w.play, "other > 1 DELETE \"user.a\"\nother < 1 OK *\n");
	world_fini(&w);
}

TEST(half_a_login_ends_by_its_deadline)
{
	static const char *const halves[] = {
		"client > A AUTHENTICATE \"PLAIN\"\nclient < \n",
		"client > A AUTHENTICATE \"PLAIN\"\nclient < \nclient >> AGJlM\n",
		"client >> A AUTHENTICATE \"PLAIN\" {8+}\\r\\nAGJl\n",
		"client >> A AUTH\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, "client connects\nclient << \\* OK *\n");
		play_run(w.play, halves[i]);
		play_run(w.play, "wait 61s\nclient < \\* BYE *\nclient is closed\n");
		assert_int_equal(service_session_count(w.master.service), 0);
		world_fini(&w);
	}
}

TEST(a_login_may_be_given_up_and_begun_again)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "client connects\nclient << \\* OK *\n"
	                 "client > A AUTHENTICATE \"PLAIN\"\nclient < \n"
	                 "client > *\nclient < A NO *\n"
	                 "client > B AUTHENTICATE \"PLAIN\"\nclient < \n"
	                 "client > !!!\nclient < B NO *\n"
	                 "client > C AUTHENTICATE \"PLAIN\" \"AGJlMQB4\"\nclient < C OK *\n");
	world_fini(&w);
}

/* As many connections as there may be, and what is told of one more. */
TEST(who_says_nothing_keeps_nobody_out)
{
	struct conn *silent[WORLD_SESSIONS], *ours;
	struct world w;
	char from[32];

	world_init(&w);
	for (unsigned i = 0; i < ARRAY_LEN(silent); i++) {
		snprintf(from, sizeof(from), "127.0.0.2:%u", 2000 + i);
		fakenet_pair(play_loop(w.play), from, "127.0.0.1:3905", &silent[i], &ours);
		service_accept(w.master.service, &ours);
	}
	fakenet_settle(play_loop(w.play));
	assert_int_equal(service_session_count(w.master.service), ARRAY_LEN(silent));
	world_login(&w, "client", "be1");
	world_login(&w, "other", "be2");
	play_run(w.play, "client > 1 NOOP\nclient < 1 OK *\n");
	assert_int_equal(service_session_count(w.master.service), ARRAY_LEN(silent));
	for (unsigned i = 0; i < ARRAY_LEN(silent); i++)
		conn_free(&silent[i]);
	world_fini(&w);
}

TEST(who_asks_for_much_at_once_gets_it)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	buf_add_str(&script, "client > A ACTIVATE \"user.a\" \"be1.test!\" {60000+}\nclient > ");
	for (int j = 0; j < 5000; j++)
		buf_printf(&script, "u%08d\\tl\\t", j);
	buf_add_str(&script, "\nclient < A OK *\nclient >> ");
	/* 30 MB of answers to one write */
	for (int i = 0; i < 500; i++)
		buf_printf(&script, "%d FIND \"user.a\"\\r\\n", i);
	buf_add_char(&script, '\n');
	for (int i = 0; i < 500; i++)
		buf_printf(&script,
		           "client < %d MAILBOX {6+}\nclient < user.a {9+}\n"
		           "client < be1.test! {60000+}\nclient < u*\nclient < %d OK *\n",
		           i, i);
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	world_fini(&w);
}

/* ---- clocks ------------------------------------------------------------------------------------ */

TEST(clocks_may_jump)
{
	static const int64_t jumps[] = { 86400 * 365, -86400 * 365, -86400, 86400 };
	struct world w;

	world_init_both(&w);
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		fakenet_jump(play_loop(w.play), jumps[i]);
		/* The age is put right by the next question to the master, */
		play_run(w.play, "wait 6s\n");
		test_check(replica_age_ms(w.replica.replica) < 10000, "jump %zu", i);
		/* and nobody was cut. */
		assert_true(replica_is_following(w.replica.replica));
		play_run(w.play, "client > N NOOP\nclient < N OK *\n");
	}
	world_fini(&w);
}

TEST(the_age_of_a_list_does_not_follow_a_clock_that_jumps)
{
	static const int64_t jumps[] = { 86400 * 365, -2 * 86400 * 365, 86400 };
	struct world w;
	uint64_t age;

	world_init_both(&w);
	world_stop_master(&w);
	play_run(w.play, "wait 1m\n");
	age = replica_age_ms(w.replica.replica);
	assert_in_range(age, 55000, 65000);
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		fakenet_jump(play_loop(w.play), jumps[i]);
		assert_int_equal(replica_age_ms(w.replica.replica), age);
	}
	fakenet_jump(play_loop(w.play), 86400 * (365 - 1));
	/* One that begins anew has only the clock on the wall. */
	world_stop_replica(&w);
	play_run(w.play, "wait 1m\n");
	world_start_replica(&w);
	assert_in_range(replica_age_ms(w.replica.replica), 115000, 130000);
	world_fini(&w);
}

/* ---- a replica's environment ----------------------------------------------------------------- */

static bool
is_aside(const struct node *n)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/damaged.data.mdb", n->dir);
	return stat(path, &st) == 0;
}

TEST(a_damaged_row_is_found_at_the_start_and_the_list_taken_again)
{
	struct world w;

	world_init_both(&w);
	world_stop_replica(&w);
	assert_true(world_damage(&w.replica, "user.a", 0, 99) > 0); /* the version of the record */
	world_start_replica(&w);
	assert_true(is_aside(&w.replica));
	assert_true(replica_is_following(w.replica.replica));
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
	world_fini(&w);
}

TEST(a_row_damaged_in_use_is_found_and_the_list_taken_again)
{
	struct world w;

	world_init_both(&w);
	assert_true(world_damage(&w.replica, "user.a", 0, 99) > 0);
	world_login(&w, "reader", "be1");
	play_run(w.play, "reader > 1 FIND \"user.a\"\nreader << 1 *\nwait 10s\n");
	assert_true(is_aside(&w.replica));
	assert_true(replica_is_following(w.replica.replica));
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
	world_fini(&w);
}

/* A list that lacks something must not look like one that is whole: whoever takes it would delete
 * the rest. */
TEST(a_master_with_a_damaged_row_tells_no_list_to_its_end)
{
	static const char *const questions[] = {
		"LIST", "UPDATE", "UPDATE SINCE \"00000000000000000000000000000000\" \"0\"",
		"LIST \"be1.test!\""
	};

	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		struct buf script = BUF_INIT(SIZE_MAX);
		struct world w;

		world_init_both(&w);
		play_run(w.play,
		         "client > 2 ACTIVATE \"user.b\" \"be1.test!p\" \"\"\nclient < 2 OK *\n"
		         "wait 1s\n");
		assert_true(world_damage(&w.master, "user.b", 0, 99) > 0);
		world_login(&w, "other", i == 2 ? "replica" : "be1");
		if (i == 2)
			buf_add_str(&script, "other > X ROOST \"1\" \"lab\" \"0\"\n"
			                     "other << X OK *\n");
		buf_printf(&script,
		           "other > 3 %s\nother is closed\n"
		           "client > 4 FIND \"user.a\"\nclient << 4 OK *\n",
		           questions[i]);
		play_run(w.play, buf_cstr(&script));
		/* and the replica has all of it */
		world_check_dump(
			&w.replica,
			"user.a active be1.test!p a=lrs= c1\nuser.b active be1.test!p  c1\n");
		buf_fini(&script);
		world_fini(&w);
	}
}

static void
unlink_in(const struct node *n, const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", n->dir, name);
	assert_int_equal(unlink(path), 0);
}

/* Front ends ask all the time, which keeps the replica from asking by itself. */
static void
wait_busily(struct world *w, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++)
		play_run(w->play, "reader > N NOOP\nreader << N *\nwait 1s\n");
}

TEST(files_that_are_taken_away_in_use_are_made_again)
{
	struct location_reader *reader;
	struct arena *a = arena_new("test");
	struct location loc;
	struct world w;

	world_init_both(&w);
	reader = location_reader_new(w.replica.dir);
	world_login(&w, "reader", "be1");
	unlink_in(&w.replica, "data.mdb");
	unlink_in(&w.replica, "lock.mdb");
	assert_int_equal(location_reader_find(reader, SLICE("user.a"), a, &loc), LOCATION_BLIND);
	wait_busily(&w, 3);
	assert_true(replica_is_following(w.replica.replica));
	assert_int_equal(location_reader_find(reader, SLICE("user.a"), a, &loc), LOCATION_FOUND);
	location_reader_free(&reader);
	arena_free(&a);
	world_fini(&w);
}

TEST(a_row_that_nobody_asks_for_is_looked_at_all_the_same)
{
	struct world w;

	world_init_both(&w);
	world_login(&w, "reader", "be1");
	assert_true(world_damage(&w.replica, "user.a", 0, 99) > 0);
	wait_busily(&w, 3);
	assert_true(is_aside(&w.replica));
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
	world_fini(&w);
}

TEST(a_name_that_is_there_but_not_where_it_should_be_is_found)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;
	char *before;

	world_init_both(&w);
	for (unsigned i = 0; i < 50; i++)
		buf_printf(&script,
		           "client > %u ACTIVATE \"user.m%02u\" \"be1.test!\" \"\"\n"
		           "client < %u OK *\n",
		           i, i, i);
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	before = world_dump(&w.replica);
	/* user.m12 is called user.mz2 now. */
	assert_true(world_damage(&w.replica, "user.m", 0, 'z') > 50);
	play_run(w.play, "wait 3s\n");
	assert_true(is_aside(&w.replica));
	world_check_dump(&w.replica, before);
	free(before);
	world_fini(&w);
}

TEST(a_list_of_another_version_is_begun_anew)
{
	static const char *const marks[] = { "format", "\xde\xc0\xef\xbe" }; /* ours, LMDB's */

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		struct world w;

		world_init_both(&w);
		world_stop_replica(&w);
		assert_true(world_damage(&w.replica, marks[i], 0, 99) > 0);
		world_start_replica(&w);
		assert_true(is_aside(&w.replica));
		world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
		world_fini(&w);
	}
}

/* Everything from `at` on becomes byte. */
static void
overwrite(const struct node *n, const char *name, off_t at, char byte)
{
	char path[400];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", n->dir, name);
	fd = open(path, O_RDWR);
	assert_true(fd != -1 && fstat(fd, &st) == 0);
	for (; at < st.st_size; at++)
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static const struct damage_case {
	const char *name, *file;
	off_t at;
	int byte; /* -1: the file ends there */
} damage_cases[] = {
	{ "an empty file", "data.mdb", 0, -1 },
	{ "half of the first page", "data.mdb", 2048, -1 },
	{ "nothing behind the first two pages", "data.mdb", 8192, -1 },
	{ "half a page is missing in the middle", "data.mdb", 5 * 4096 + 2048, -1 },
	{ "zeros", "data.mdb", 8192, 0 },
	{ "all of them zeros", "data.mdb", 0, 0 },
	{ "something else from the beginning", "data.mdb", 0, 0xa5 },
	{ "an empty lock file", "lock.mdb", 0, -1 },
	{ "a lock file of something else", "lock.mdb", 0, 0xa5 },
	{ "locks that are none", "lock.mdb", 64, 0xa5 },
};

TEST(whatever_is_in_its_folder_a_replica_comes_back_with_the_list)
{
	for (size_t i = 0; i < ARRAY_LEN(damage_cases); i++) {
		const struct damage_case *c = &damage_cases[i];
		struct location_reader *front;
		struct arena *a = arena_new("test");
		struct location loc;
		struct world w;
		char path[400];

		world_init_both(&w);
		/* keeps the lock file from being made anew */
		front = location_reader_new(w.replica.dir);
		assert_int_equal(location_reader_find(front, SLICE("user.a"), a, &loc),
		                 LOCATION_FOUND);
		world_stop_replica(&w);
		snprintf(path, sizeof(path), "%s/%s", w.replica.dir, c->file);
		if (c->byte == -1)
			assert_int_equal(truncate(path, c->at), 0);
		else
			overwrite(&w.replica, c->file, c->at, (char)c->byte);
		world_start_replica(&w);
		test_check(replica_is_following(w.replica.replica), "%s", c->name);
		world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
		play_run(w.play, "wait 1s\n");
		test_check(location_reader_find(front, SLICE("user.a"), a, &loc) == LOCATION_FOUND,
		           "%s", c->name);
		location_reader_free(&front);
		arena_free(&a);
		world_fini(&w);
	}
}

/* So many opened it and came to no clean end. */
static void
write_deaths(const struct node *n, unsigned deaths)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/opened", n->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%u\n", deaths);
	assert_int_equal(fclose(f), 0);
}

static bool
counts_deaths(const struct node *n)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/opened", n->dir);
	return access(path, F_OK) == 0;
}

#define PAGE 4096
#define META_FREE_ROOT 80 /* in a page of LMDB's that tells where things are: the list of free */

/* Zeros where free pages are listed: readers never look there, writers die. */
static void
damage_free_list(const struct node *n)
{
	static const char zeros[PAGE];
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", n->dir);
	fd = open(path, O_RDWR);
	assert_true(fd != -1);
	for (off_t meta = 0; meta < 2 * PAGE; meta += PAGE) {
		uint64_t root;

		assert_int_equal(pread(fd, &root, sizeof(root), meta + META_FREE_ROOT),
		                 sizeof(root));
		if (root != UINT64_MAX)
			assert_int_equal(pwrite(fd, zeros, PAGE, (off_t)root * PAGE), PAGE);
	}
	close(fd);
}

TEST(an_environment_its_users_die_of_is_begun_anew)
{
	struct world w;

	world_init_both(&w);
	world_stop_replica(&w);
	write_deaths(&w.replica, 3);
	damage_free_list(&w.replica);
	world_start_replica(&w);
	assert_true(is_aside(&w.replica));
	assert_true(replica_is_following(w.replica.replica));
	world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
	assert_true(counts_deaths(&w.replica));
	mapdb_set_proven(w.replica.db);
	assert_false(counts_deaths(&w.replica));
	world_fini(&w);
}

/* By a person, or for want of memory. There may be no master to have it from once more. */
TEST(a_good_list_whose_users_were_killed_is_kept)
{
	struct location_reader *front;
	struct arena *a = arena_new("test");
	struct location loc;
	struct world w;

	world_init_both(&w);
	front = location_reader_new(w.replica.dir);
	world_stop_replica(&w);
	world_stop_master(&w);
	write_deaths(&w.replica, 30);
	world_start_replica(&w);
	assert_false(is_aside(&w.replica));
	assert_true(counts_deaths(&w.replica)); /* it is tried out each time */
	assert_int_equal(mapdb_info(w.replica.db)->state, LOCATION_MAP_COMPLETE);
	assert_int_equal(location_reader_find(front, SLICE("user.a"), a, &loc), LOCATION_FOUND);
	assert_int_equal(location_reader_find(front, SLICE("user.b"), a, &loc), LOCATION_NONE);
	world_stop_replica(&w);
	assert_false(counts_deaths(&w.replica)); /* a clean end */
	location_reader_free(&front);
	arena_free(&a);
	world_fini(&w);
}

/* In a child: takes the writer's lock, says so, and does not go on. */
static pid_t
hold_lock(const char *dir)
{
	struct mapdb_config c = { .dir = dir, .cluster = "lab", .log_rows = 10 };
	struct mapdb *m;
	int fds[2];
	pid_t pid;
	char c1;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		m = mapdb_open(&c, NULL);
		if (m == NULL || mapdb_begin(m, NULL) == -1 || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &c1, 1), 1);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void
kill_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

TEST(a_lock_that_somebody_holds_for_good_is_left_to_him)
{
	struct node n = { .world = NULL };
	struct mapdb_config c = {
		.dir = n.dir, .cluster = "lab", .log_rows = 10, .lock_wait_ms = 300
	};
	struct err err = { "" };
	struct mapdb *m;
	pid_t pid;

	snprintf(n.dir, sizeof(n.dir), "%s/wedged", test_dir());
	pid = hold_lock(n.dir);
	m = mapdb_open(&c, &err);
	test_check(m != NULL, "%s", err.text);
	assert_true(is_aside(&n));
	assert_int_equal(mapdb_info(m)->state, LOCATION_MAP_EMPTY);
	kill_child(pid);
	/* The thread that waited gets the old one's lock now, and ends. */
	mapdb_close(&m);
}

TEST(a_master_whose_lock_somebody_holds_says_so_and_leaves_its_list_alone)
{
	struct node n = { .world = NULL };
	struct mapdb_config c = {
		.dir = n.dir, .cluster = "lab", .master = true, .log_rows = 10, .lock_wait_ms = 300
	};
	struct err err = { "" };
	struct mapdb *m;
	pid_t pid;

	snprintf(n.dir, sizeof(n.dir), "%s/master", test_dir());
	pid = hold_lock(n.dir);
	assert_null(mapdb_open(&c, &err));
	assert_non_null(strstr(err.text, "does not go on"));
	assert_false(is_aside(&n));
	kill_child(pid);
	c.lock_wait_ms = 60000;
	m = mapdb_open(&c, &err);
	test_check(m != NULL, "%s", err.text);
	mapdb_close(&m);
}

/* Two masters by one list would give the same revisions to different changes. */
TEST(a_list_has_one_writer)
{
	static const bool roles[][2] = { { true, true }, { true, false }, { false, false } };
	char dir[300];

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct mapdb_config c = {
			.dir = dir, .cluster = "lab", .master = roles[i][0], .log_rows = 10
		};
		struct node n = { .world = NULL };
		struct err err = { "" };
		struct mapdb *first;

		snprintf(dir, sizeof(dir), "%s/one%zu", test_dir(), i);
		memcpy(n.dir, dir, sizeof(n.dir));
		first = mapdb_open(&c, NULL);
		assert_non_null(first);
		c.master = roles[i][1];
		assert_null(mapdb_open(&c, &err));
		test_check(strstr(err.text, "stop it, or give this one a folder") != NULL, "%s",
		           err.text);
		assert_false(is_aside(&n));
		assert_int_equal(mapdb_begin(first, NULL), 0);
		assert_int_equal(mapdb_commit(first, NULL), MAPDB_DONE);
		mapdb_close(&first);
		first = mapdb_open(&c, &err);
		test_check(first != NULL, "%s", err.text);
		mapdb_close(&first);
	}
}

TEST(a_writer_that_was_killed_leaves_no_lock_behind)
{
	struct node n = { .world = NULL };
	struct mapdb_config c = {
		.dir = n.dir, .cluster = "lab", .log_rows = 10, .lock_wait_ms = 60000
	};
	struct mapdb *m;

	snprintf(n.dir, sizeof(n.dir), "%s/killed", test_dir());
	kill_child(hold_lock(n.dir));
	m = mapdb_open(&c, NULL);
	assert_non_null(m);
	assert_false(is_aside(&n));
	mapdb_close(&m);
}

/* ---- readers that die --------------------------------------------------------------------------- */

static bool
die(UNUSED void *ctx, UNUSED const struct location *loc)
{
	(void)raise(SIGKILL);
	return false;
}

static off_t
size_after(struct mapdb *m, const char *dir, unsigned changes)
{
	static const char *const partitions[] = { "p", "q" };
	char path[400];
	struct stat st;

	for (unsigned i = 0; i < changes; i++) {
		const struct location loc = { .name = SLICE("user.a"),
			                      .server = SLICE("s1"),
			                      .partition = slice_of(partitions[i % 2]),
			                      .state = LOCATION_ACTIVE };

		assert_int_equal(mapdb_begin(m, NULL), 0);
		(void)mapdb_set(m, &loc);
		assert_int_equal(mapdb_commit(m, NULL), MAPDB_DONE);
	}
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

TEST(a_reader_killed_inside_a_lookup_holds_nothing_for_long)
{
	char dir[300];
	struct mapdb_config c = { .dir = dir, .cluster = "lab", .master = true, .log_rows = 10 };
	off_t before, held, after;
	struct mapdb *m;
	int status;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s/readers", test_dir());
	m = mapdb_open(&c, NULL);
	assert_non_null(m);
	assert_int_equal(mapdb_begin(m, NULL), 0);
	mapdb_set_state(m, LOCATION_MAP_COMPLETE);
	before = size_after(m, dir, 50);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		struct location_reader *r = location_reader_new(dir);

		(void)location_reader_list(r, SLICE(""), die, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* While its slot is there no page can be used again. */
	held = size_after(m, dir, 100);
	assert_true(held > before);
	mapdb_check_readers(m);
	after = size_after(m, dir, 100);
	assert_true(after - held < (held - before) / 4);
	mapdb_close(&m);
}
