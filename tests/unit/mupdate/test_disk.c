/* Maps and disks that are full: what cannot be written is refused, what is there stays, and it goes on
 * when there is room. */
#include "world.h"

#include "location/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One change with an ACL of 60 KB, and something wrong behind it, in one piece. */
static void
add_large(struct buf *script, unsigned i, const char *answer)
{
	buf_printf(script, "client >> %u ACTIVATE \"user.a%03u\" \"be1.test!\" {60000+}\\r\\n", i,
	           i);
	for (int j = 0; j < 5000; j++)
		buf_printf(script, "u%08d\\tl\\t", j);
	buf_printf(script, "\\r\\nB%u BOGUS\\r\\n\nclient < %u %s\nclient < B%u BAD *\n", i, i,
	           answer, i);
}

/* Such changes, until one is refused, or `most`. Returns how many were taken. */
static unsigned
fill(struct world *w, unsigned most)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct arena *a = arena_new("test");
	struct location loc;
	char name[24];
	unsigned n;
	bool taken = true;

	for (n = 0; n < most && taken; n += taken) {
		buf_clear(&script);
		add_large(&script, n, "*");
		play_run(w->play, buf_cstr(&script));
		snprintf(name, sizeof(name), "user.a%03u", n);
		taken = mapdb_find(w->master.db, slice_of(name), a, &loc);
	}
	buf_fini(&script);
	arena_free(&a);
	return n;
}

static void
start_small(struct world *w)
{
	world_init(w);
	world_stop_master(w);
	w->map_bytes = 2 << 20;
	world_start_master(w, true);
	world_complete(w);
	world_login(w, "client", "be1");
}

TEST(a_full_map_is_a_no_and_has_grown_the_next_time)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct location_reader *reader;
	struct arena *a = arena_new("test");
	struct location loc;
	struct world w;
	unsigned fits;

	start_small(&w);
	fits = fill(&w, 100);
	test_check(fits > 2 && fits < 60, "%u", fits);
	world_fini(&w);
	/* The same again, now that it is known which one is refused. */
	start_small(&w);
	reader = location_reader_new(w.master.dir);
	assert_int_equal(fill(&w, fits), fits);
	add_large(&script, fits, "NO \"it cannot be written now\"");
	buf_add_str(&script, "client > F FIND \"user.a001\"\nclient << F OK *\n"
	                     "client > G FIND \"user.a999\"\nclient < G OK *\n");
	play_run(w.play, buf_cstr(&script));
	assert_int_equal(location_reader_find(reader, SLICE("user.a001"), a, &loc), LOCATION_FOUND);
	buf_clear(&script);
	for (unsigned i = fits; i < fits + 2; i++)
		add_large(&script, i, "OK *");
	play_run(w.play, buf_cstr(&script));
	/* and who has it open follows */
	assert_int_equal(location_reader_find(reader, SLICE("user.a001"), a, &loc), LOCATION_FOUND);
	buf_clear(&script);
	buf_printf(&script, "user.a%03u", fits + 1);
	assert_int_equal(location_reader_find(reader, buf_slice(&script), a, &loc), LOCATION_FOUND);
	location_reader_free(&reader);
	arena_free(&a);
	buf_fini(&script);
	world_fini(&w);
}

TEST(a_full_map_at_a_replica_grows_and_those_who_read_it_follow)
{
	struct location_reader *reader;
	struct arena *a = arena_new("test");
	struct location loc;
	struct world w;
	char name[24];

	world_init(&w);
	world_complete(&w);
	world_login(&w, "client", "be1");
	assert_int_equal(fill(&w, 10), 10);
	w.map_bytes = 1 << 20;
	world_start_replica(&w);
	play_run(w.play, "wait 3s\n");
	assert_true(replica_is_following(w.replica.replica));
	reader = location_reader_new(w.replica.dir);
	assert_int_equal(location_reader_find(reader, SLICE("user.a009"), a, &loc), LOCATION_FOUND);
	/* and again, in use */
	for (unsigned i = 10; i < 60; i++) {
		struct buf script = BUF_INIT(SIZE_MAX);

		add_large(&script, i, "OK *");
		play_run(w.play, buf_cstr(&script));
		buf_fini(&script);
		snprintf(name, sizeof(name), "user.a%03u", i);
	}
	play_run(w.play, "wait 3s\n");
	assert_true(replica_is_following(w.replica.replica));
	assert_int_equal(location_reader_find(reader, slice_of(name), a, &loc), LOCATION_FOUND);
	location_reader_free(&reader);
	arena_free(&a);
	world_fini(&w);
}

/* ---- disks ------------------------------------------------------------------------------------ */

static rlim_t
size_of(const struct node *n)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/data.mdb", n->dir);
	assert_int_equal(stat(path, &st), 0);
	return (rlim_t)st.st_size;
}

TEST(a_master_without_room_on_its_disk_refuses_and_goes_on)
{
	struct buf script = BUF_INIT(SIZE_MAX);
	struct world w;

	world_init_both(&w);
	test_limit_files(size_of(&w.master) + 3 * 4096 + 100);
	add_large(&script, 1, "NO \"it cannot be written now\"");
	buf_add_str(&script, "client > F FIND \"user.a\"\nclient << F OK *\n"
	                     "client > G FIND \"user.a001\"\nclient < G OK *\n");
	play_run(w.play, buf_cstr(&script));
	world_check_dump(&w.master, "user.a active be1.test!p a=lrs= c1\n");
	test_limit_files(RLIM_INFINITY);
	buf_clear(&script);
	add_large(&script, 1, "OK *");
	play_run(w.play, buf_cstr(&script));
	assert_int_equal(mapdb_count(w.master.db), 2);
	play_run(w.play, "wait 3s\n");
	assert_int_equal(mapdb_count(w.replica.db), 2);
	buf_fini(&script);
	world_fini(&w);
}

/* What the replica is told is more than its disk takes: a change, or the list of a new master. */
TEST(a_replica_without_room_on_its_disk_keeps_its_list_and_follows_when_there_is_some)
{
	for (int fresh = 0; fresh < 2; fresh++) {
		struct buf script = BUF_INIT(SIZE_MAX);
		struct world w;

		world_init_both(&w);
		world_stop_replica(&w);
		world_stop_master(&w);
		world_start_master(&w, fresh != 0);
		world_complete(&w);
		world_login(&w, "client", "be1");
		for (unsigned i = 0; i < 5; i++)
			add_large(&script, i, "OK *");
		play_run(w.play, buf_cstr(&script));
		world_stop_master(&w);
		world_start_replica(&w);
		world_start_master(&w, false);
		test_limit_files(size_of(&w.replica) + 4096 + 100);
		play_run(w.play, "wait 10s\n");
		assert_false(replica_is_following(w.replica.replica));
		assert_true(replica_why(w.replica.replica)[0] != '\0');
		world_check_dump(&w.replica, "user.a active be1.test!p a=lrs= c1\n");
		test_limit_files(RLIM_INFINITY);
		play_run(w.play, "wait 6s\n");
		assert_true(replica_is_following(w.replica.replica));
		assert_int_equal(mapdb_count(w.replica.db), fresh != 0 ? 5 : 6);
		buf_fini(&script);
		world_fini(&w);
	}
}

/* So many that a part goes to the disk before the end of the list. */
#define PLAIN_NAMES 50100

TEST(a_list_that_finds_no_room_is_not_taken_for_one_that_has_lost_its_names)
{
	struct world w;

	world_init(&w);
	play_add_server(w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&w);
	world_play_plain_list(&w, PLAIN_NAMES);
	assert_int_equal(mapdb_count(w.replica.db), PLAIN_NAMES);
	play_run(w.play, "fake closes\nwait 2s\n");
	test_limit_files(1 << 20);
	world_play_plain_list(&w, PLAIN_NAMES);
	play_run(w.play, "fake is closed\n");
	test_limit_files(RLIM_INFINITY);
	assert_int_equal(mapdb_count(w.replica.db), PLAIN_NAMES);
	test_check(strstr(replica_why(w.replica.replica), "/collect: ") != NULL, "%s",
	           replica_why(w.replica.replica));
	play_run(w.play, "wait 6s\n");
	world_play_plain_list(&w, PLAIN_NAMES);
	assert_true(replica_is_following(w.replica.replica));
	world_fini(&w);
}
