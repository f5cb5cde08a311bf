#include "location/reader.h"
#include "base/clock.h"
#include "kv/kv.h"
#include "mapdb.h"

#include "lib/test.h"
#include "location/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *
fresh_dir(void)
{
	static char dir[256];
	static unsigned count;

	snprintf(dir, sizeof(dir), "%s/map%u", test_dir(), count++);
	return dir;
}

static struct mapdb *
open_at(const char *dir, bool master, uint64_t log_rows)
{
	const struct mapdb_config c = { dir, "lab", master, log_rows };
	struct err err = { "" };
	struct mapdb *m = mapdb_open(&c, &err);

	test_check(m != NULL, "%s", err.text);
	return m;
}

static void
set(struct mapdb *m, const char *name, const char *server, const char *acl)
{
	const struct location loc = { .name = slice_of(name),
		                      .server = slice_of(server),
		                      .acl = slice_of(acl),
		                      .state = LOCATION_ACTIVE };

	assert_int_equal(mapdb_begin(m, NULL), 0);
	(void)mapdb_set(m, &loc);
}

static void
commit(struct mapdb *m)
{
	assert_int_equal(mapdb_commit(m, NULL), MAPDB_DONE);
}

static bool
on_change(void *ctx, const struct mapdb_change *c)
{
	buf_printf(ctx, "%" PRIu64 "%c%.*s ", c->revision, c->loc != NULL ? '+' : '-',
	           SLICE_ARG(c->name));
	return true;
}

static void
check_changes(struct mapdb *m, uint64_t after, int want_result, const char *want)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	assert_int_equal(mapdb_each_change(m, after, on_change, &out), want_result);
	test_eq_str("changes", buf_cstr(&out), want);
	buf_fini(&out);
}

TEST(a_history_and_revisions_survive_a_restart_and_the_term_rises)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	char history[MAPDB_HISTORY_LEN];
	uint64_t term;

	memcpy(history, mapdb_info(m)->history, sizeof(history));
	term = mapdb_info(m)->term;
	assert_true(term > clock_wall_s() - 100);
	assert_int_equal(mapdb_info(m)->state, LOCATION_MAP_REBUILDING);
	set(m, "user.a", "s1", "a\tlrs\t");
	commit(m);
	set(m, "user.lost", "s1", "");
	mapdb_close(&m);
	m = open_at(dir, true, 100);
	test_eq_str("history", mapdb_info(m)->history, history);
	assert_int_equal(mapdb_info(m)->term, term + 1);
	assert_int_equal(mapdb_info(m)->revision, 1);
	assert_int_equal(mapdb_count(m), 1);
	mapdb_close(&m);
}

TEST(another_cluster_is_refused)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	const struct mapdb_config other = { dir, "else", true, 100 };
	struct err err = { "" };

	mapdb_close(&m);
	assert_null(mapdb_open(&other, &err));
	assert_non_null(strstr(err.text, "another cluster"));
}

TEST(changes_say_what_matters_and_the_last_one_always)
{
	struct mapdb *m = open_at(fresh_dir(), true, 100);

	set(m, "user.a", "s1", "");
	set(m, "user.b", "s1", "");
	set(m, "user.a", "s2", "");
	commit(m);
	check_changes(m, 0, 1, "2+user.b 3+user.a ");
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_int_equal(mapdb_delete(m, SLICE("user.b"), 0), 4);
	assert_int_equal(mapdb_delete(m, SLICE("user.b"), 0), 0);
	commit(m);
	check_changes(m, 0, 1, "3+user.a 4-user.b ");
	check_changes(m, 3, 1, "4-user.b ");
	check_changes(m, 4, 1, "");
	check_changes(m, 5, 0, "");
	mapdb_close(&m);
}

static void
check_tail_of_changes(struct mapdb *m, const char *const *said, uint64_t last)
{
	struct buf want = BUF_INIT(SIZE_MAX);

	for (uint64_t after = last; after > 0; after--) {
		buf_clear(&want);
		for (uint64_t i = after; i < last; i++)
			buf_add_str(&want, said[i]);
		check_changes(m, after, 1, buf_cstr(&want));
	}
	buf_fini(&want);
}

/* The latest changes lie apart from those before them, and move when they are many. */
TEST(the_log_is_one_whatever_the_size_of_names_and_groups)
{
	static const unsigned groups[] = { 1, 1, 2, 1, 30, 1, 1, 5, 1, 1, 1, 1, 60, 1, 3 };
	char text[4 * 110][512], name[LOCATION_NAME_MAX + 1];
	const char *said[ARRAY_LEN(text)];
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 1000);
	uint64_t last = 0;

	for (size_t g = 0; g < 4 * ARRAY_LEN(groups); g++) {
		for (unsigned i = 0; i < groups[g % ARRAY_LEN(groups)]; i++) {
			snprintf(name, sizeof(name), "user.%0*" PRIu64,
			         (int)(last * 37 % (sizeof(name) - 6) + 1), last);
			set(m, name, "s1", "");
			said[last] = text[last];
			snprintf(text[last], sizeof(text[last]), "%" PRIu64 "+%s ", last + 1, name);
			last++;
		}
		commit(m);
		if (g % 7 == 6) {
			mapdb_close(&m);
			m = open_at(dir, true, 1000);
		}
		if (g % 5 == 0)
			check_tail_of_changes(m, said, last);
	}
	check_tail_of_changes(m, said, last);
	mapdb_close(&m);
}

/* As a replica that is told a name once more. */
TEST(revisions_that_do_not_rise_are_in_the_log_in_their_order)
{
	static const uint64_t revisions[] = { 5, 9, 7, 12, 3 };
	struct mapdb *m = open_at(fresh_dir(), false, 100);

	for (size_t i = 0; i < ARRAY_LEN(revisions); i++) {
		char name[16];
		struct location loc = { .name = SLICE(""),
			                .server = SLICE("s1"),
			                .state = LOCATION_ACTIVE,
			                .revision = revisions[i] };

		snprintf(name, sizeof(name), "user.a%zu", i);
		loc.name = slice_of(name);
		assert_int_equal(mapdb_begin(m, NULL), 0);
		assert_int_equal(mapdb_set(m, &loc), revisions[i]);
		if (i % 2 == 0)
			commit(m);
	}
	check_changes(m, 0, 1, "3+user.a4 5+user.a0 7+user.a2 9+user.a1 12+user.a3 ");
	mapdb_close(&m);
}

TEST(a_group_that_was_not_written_left_nothing_in_the_log)
{
	struct mapdb *m = open_at(fresh_dir(), true, 100);

	set(m, "user.a", "s1", "");
	commit(m);
	set(m, "user.lost", "s1", "");
	mapdb_abort(m);
	set(m, "user.b", "s1", "");
	commit(m);
	check_changes(m, 0, 1, "1+user.a 2+user.b ");
	mapdb_close(&m);
}

TEST(the_log_is_bounded_and_says_how_far_back_it_goes)
{
	struct mapdb *m = open_at(fresh_dir(), true, 10);
	char name[32];

	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user.a%d", i);
		set(m, name, "s1", "");
	}
	commit(m);
	assert_int_equal(mapdb_info(m)->oldest, 41);
	check_changes(m, 39, 0, "");
	check_changes(m, 48, 1, "49+user.a48 50+user.a49 ");
	mapdb_close(&m);
}

static bool
count_one(void *ctx, const struct location *loc)
{
	buf_printf(ctx, "%.*s ", SLICE_ARG(loc->name));
	return true;
}

static void
check_acl(struct location_reader *r, const char *id, const char *want)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	assert_int_equal(location_reader_list_acl(r, slice_of(id), SLICE(""), count_one, &out),
	                 LOCATION_FOUND);
	test_eq_str(id, buf_cstr(&out), want);
	buf_fini(&out);
}

static void
check_servers(struct mapdb *m, const char *prefix, bool whole, const char *after, const char *want)
{
	const struct mapdb_by_server by = { slice_of(prefix), whole, slice_of(after) };
	struct buf out = BUF_INIT(SIZE_MAX);

	assert_int_equal(mapdb_each_of(m, &by, count_one, &out), 0);
	test_eq_str(prefix, buf_cstr(&out), want);
	buf_fini(&out);
}

/* To write what mapdb does not; ended by a commit and kv_close(). */
static struct kv_txn *
open_raw(const char *dir, struct kv_env **env_r)
{
	const struct kv_config conf = { .dir = dir,
		                        .tables = location_table_names,
		                        .table_count = LOCATION_T_COUNT,
		                        .map_bytes = 64 << 20 };
	struct kv_txn *t;

	assert_int_equal(kv_open(&conf, env_r, NULL), KV_OK);
	assert_int_equal(kv_begin_write(*env_r, &t, NULL), KV_OK);
	return t;
}

static void
put_in_meta(const char *dir, const char *key, struct slice value)
{
	struct kv_env *env;
	struct kv_txn *t = open_raw(dir, &env);

	kv_put(t, LOCATION_T_META, slice_of(key), value);
	assert_int_equal(kv_commit(&t, NULL), KV_OK);
	kv_close(&env);
}

/* As version 1 left it: canonical names in the index by server. */
static void
make_older(const char *dir)
{
	static const uint8_t one[4] = { 1 };
	uint8_t bytes[LOCATION_ID_KEY_MAX];
	struct slice name, value;
	struct kv_cursor *c;
	struct kv_env *env;
	struct kv_txn *t = open_raw(dir, &env);

	kv_clear(t, LOCATION_T_SERVER);
	c = kv_cursor_new(t, LOCATION_T_NAMES);
	for (bool more = kv_cursor_seek(c, SLICE(""), &name, &value); more;
	     more = kv_cursor_next(c, &name, &value)) {
		struct location_row row;

		assert_true(location_row_parse(name, value, &row));
		kv_put(t, LOCATION_T_SERVER, location_id_key(bytes, row.server_id, name),
		       SLICE(""));
	}
	kv_cursor_free(&c);
	assert_int_equal(kv_commit(&t, NULL), KV_OK);
	kv_close(&env);
	put_in_meta(dir, "format", slice_make(one, sizeof(one)));
}

TEST(a_list_of_an_older_format_is_brought_up_to_this_one)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	uint64_t revision;

	set(m, "user.fred.a", "s1", "fred\tlrs\t");
	set(m, "user.fred-x", "s1", "fred\tlrs\t");
	set(m, "user.ann", "s2", "ann\tlrs\t");
	commit(m);
	revision = mapdb_info(m)->revision;
	mapdb_close(&m);
	make_older(dir);
	m = open_at(dir, true, 100);
	check_servers(m, "s1", true, "", "user.fred.a user.fred-x ");
	check_servers(m, "s2", true, "", "user.ann ");
	assert_int_equal(mapdb_info(m)->revision, revision);
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_int_not_equal(mapdb_delete(m, SLICE("user.fred.a"), 0), 0);
	commit(m);
	check_servers(m, "s1", true, "", "user.fred-x ");
	mapdb_close(&m);
}

TEST(latest_changes_that_make_no_sense_are_damage)
{
	static const char half[] = "\1\0\0\0\0\0\0\0\1\377\377\0\0x";
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	struct buf out = BUF_INIT(SIZE_MAX);

	set(m, "user.a", "s1", "");
	commit(m);
	mapdb_close(&m);
	put_in_meta(dir, "tail", slice_make(half, sizeof(half) - 1));
	m = open_at(dir, true, 100);
	assert_int_equal(mapdb_each_change(m, 0, on_change, &out), -1);
	assert_true(mapdb_is_damaged(m));
	buf_fini(&out);
	/* What they were nobody knows: who had not heard them takes the whole list. */
	set(m, "user.b", "s1", "");
	commit(m);
	check_changes(m, 0, 0, "");
	check_changes(m, 2, 1, "");
	mapdb_close(&m);
}

static void
check_left(struct mapdb *m, const char *name, bool want)
{
	struct arena *a = arena_new("test");
	struct location loc;

	assert_true(mapdb_find(m, slice_of(name), a, &loc));
	test_check(loc.left == want, "%s", name);
	arena_free(&a);
}

TEST(names_that_were_left_in_a_list_of_an_older_format_are_left)
{
	static const struct location moving = { .name = SLICE_INIT("user.b"),
		                                .server = SLICE_INIT("s1"),
		                                .state = LOCATION_RESERVED };
	static const uint8_t two[4] = { 2 };
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	struct location made = moving;
	struct kv_env *env;
	struct kv_txn *t;

	set(m, "user.a", "s1", "fred\tlrs\t");
	(void)mapdb_set(m, &moving);
	made.name = SLICE("user.c");
	(void)mapdb_set(m, &made);
	commit(m);
	mapdb_close(&m);
	put_in_meta(dir, "format", slice_make(two, sizeof(two)));
	put_in_meta(dir, "left.user.a", SLICE(""));
	put_in_meta(dir, "left.user.b", SLICE(""));
	put_in_meta(dir, "left.user.gone", SLICE(""));
	for (int i = 0; i < 2; i++) {
		m = open_at(dir, true, 100);
		check_left(m, "user.a", false);
		check_left(m, "user.b", true);
		check_left(m, "user.c", false);
		mapdb_close(&m);
	}
	t = open_raw(dir, &env);
	assert_false(kv_has(t, LOCATION_T_META, SLICE("left.user.b")));
	kv_end(&t);
	kv_close(&env);
}

/* Its master has been brought up to this format. */
TEST(a_list_that_differs_in_what_was_left_is_taken)
{
	struct mapdb *m = open_at(fresh_dir(), false, 100);
	struct location loc = { .name = SLICE_INIT("user.a"),
		                .server = SLICE_INIT("s1"),
		                .state = LOCATION_RESERVED,
		                .revision = 7 };

	assert_int_equal(mapdb_begin(m, NULL), 0);
	(void)mapdb_set(m, &loc);
	commit(m);
	assert_int_equal(mapdb_collect_begin(m, NULL), 0);
	loc.left = true;
	mapdb_collect_set(m, &loc);
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_int_equal(mapdb_collect_end(m, 7, NULL), 0);
	commit(m);
	check_left(m, "user.a", true);
	mapdb_close(&m);
}

/* What a front end's LIST is made of. */
TEST(names_that_were_left_stay_in_the_index_by_acl)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	struct location_reader *r = location_reader_new(dir);
	struct arena *a = arena_new("test");
	struct location loc = { .name = SLICE_INIT("user.a"),
		                .server = SLICE_INIT("s1"),
		                .acl = SLICE_INIT("fred\tlrs\t"),
		                .state = LOCATION_RESERVED,
		                .left = true };

	set(m, "user.a", "s1", "fred\tlrs\t");
	mapdb_set_state(m, LOCATION_MAP_COMPLETE);
	(void)mapdb_set(m, &loc);
	commit(m);
	check_acl(r, "fred", "user.a ");
	assert_int_equal(location_reader_find(r, SLICE("user.a"), a, &loc), LOCATION_IS_RESERVED);
	assert_true(loc.left);
	test_eq_slice("ACL", loc.acl, SLICE("fred\tlrs\t"));
	loc.left = false;
	loc.acl = SLICE("");
	loc.revision = 0;
	assert_int_equal(mapdb_begin(m, NULL), 0);
	(void)mapdb_set(m, &loc);
	commit(m);
	check_acl(r, "fred", "");
	arena_free(&a);
	location_reader_free(&r);
	mapdb_close(&m);
}

TEST(indexes_follow_the_rows)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, true, 100);
	struct location_reader *r = location_reader_new(dir);

	set(m, "user.a", "s1", "fred\tlrs\tanyone\tl\t");
	set(m, "user.b", "s1", "fred\tlrs\t");
	mapdb_set_state(m, LOCATION_MAP_COMPLETE);
	commit(m);
	check_acl(r, "fred", "user.a user.b ");
	check_acl(r, "anyone", "user.a ");
	check_servers(m, "s1", true, "", "user.a user.b ");
	set(m, "user.a", "s2", "ann\tlrs\t");
	commit(m);
	check_acl(r, "fred", "user.b ");
	check_acl(r, "anyone", "");
	check_acl(r, "ann", "user.a ");
	check_servers(m, "s1", true, "", "user.b ");
	check_servers(m, "s2", true, "", "user.a ");
	assert_int_equal(mapdb_begin(m, NULL), 0);
	(void)mapdb_delete(m, SLICE("user.b"), 0);
	commit(m);
	check_acl(r, "fred", "");
	check_servers(m, "s1", true, "", "");
	location_reader_free(&r);
	mapdb_close(&m);
}

TEST(names_by_server_come_in_the_order_of_cyrus)
{
	static const char *const names[] = {
		"a.com.b",       "a.com!user.x",  "user.fred",       "user.fred.a",
		"user.fred.a.c", "user.fred.a b", "user.fred.b",     "user.fred-x",
		"user.fred-x.a", "user.fred^doe", "user.fred^doe.a", "user.fred1",
	};
	struct mapdb *m = open_at(fresh_dir(), true, 100);
	struct buf all = BUF_INIT(SIZE_MAX), some = BUF_INIT(SIZE_MAX);

	for (size_t i = ARRAY_LEN(names); i-- > 0;)
		set(m, names[i], i % 3 == 0 ? "s1" : i % 3 == 1 ? "s11" : "t", "");
	commit(m);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_printf(&all, "%s ", names[i]);
		if (i > 5 && i % 3 != 2)
			buf_printf(&some, "%s ", names[i]);
	}
	check_servers(m, "", false, "", buf_cstr(&all));
	check_servers(m, "s1", false, "user.fred.a b", buf_cstr(&some));
	check_servers(m, "s1", true, "user.fred.b", "user.fred^doe ");
	buf_fini(&all);
	buf_fini(&some);
	mapdb_close(&m);
}

TEST(claims_rise_when_the_server_changes)
{
	struct mapdb *m = open_at(fresh_dir(), true, 100);

	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s1"), 0), 1);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s1"), 0), 1);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s2"), 0), 2);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s1"), 0), 3);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s1"), 9), 9);
	assert_int_equal(mapdb_claim(m, SLICE("user.a"), SLICE("s1"), 4), 9);
	commit(m);
	mapdb_close(&m);
}

TEST(a_collected_list_replaces_the_other_in_one_step)
{
	const char *dir = fresh_dir();
	struct mapdb *m = open_at(dir, false, 100);
	struct location_reader *r = location_reader_new(dir);
	struct location loc = { .server = SLICE_INIT("s1"), .state = LOCATION_ACTIVE };
	struct buf all = BUF_INIT(SIZE_MAX);

	set(m, "user.old", "s1", "");
	set(m, "user.keep", "s1", "");
	mapdb_set_state(m, LOCATION_MAP_COMPLETE);
	commit(m);
	assert_int_equal(mapdb_collect_begin(m, NULL), 0);
	loc.name = SLICE("user.keep");
	loc.revision = 70;
	mapdb_collect_set(m, &loc);
	loc.name = SLICE("user.new");
	loc.server = SLICE("s9");
	mapdb_collect_set(m, &loc);
	loc.name = SLICE("user.gone");
	mapdb_collect_set(m, &loc);
	mapdb_collect_delete(m, SLICE("user.gone"));
	check_servers(m, "s1", true, "", "user.keep user.old ");
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_int_equal(mapdb_collect_end(m, 80, NULL), 0);
	assert_true(mapdb_follow(m, SLICE("00112233445566778899aabbccddeeff"), 80, 4, false));
	check_servers(m, "s1", true, "", "user.keep user.old ");
	commit(m);
	check_servers(m, "s1", true, "", "user.keep ");
	assert_int_equal(location_reader_list(r, SLICE(""), count_one, &all), LOCATION_FOUND);
	test_eq_str("all", buf_cstr(&all), "user.keep user.new ");
	assert_int_equal(mapdb_info(m)->revision, 80);
	assert_int_equal(mapdb_info(m)->term, 4);
	check_changes(m, 79, 0, "");
	check_changes(m, 80, 1, "");
	/* A whole list of the same history that goes less far is the one that counts. */
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_true(mapdb_follow(m, SLICE("00112233445566778899aabbccddeeff"), 70, 5, false));
	commit(m);
	assert_int_equal(mapdb_info(m)->revision, 80);
	assert_int_equal(mapdb_begin(m, NULL), 0);
	assert_true(mapdb_follow(m, SLICE("00112233445566778899aabbccddeeff"), 70, 5, true));
	commit(m);
	assert_int_equal(mapdb_info(m)->revision, 70);
	buf_fini(&all);
	location_reader_free(&r);
	mapdb_close(&m);
}

TEST(a_damaged_replica_is_made_anew_and_a_damaged_master_is_left_alone)
{
	char dir[300], path[400];
	struct mapdb *m;
	struct stat st;
	struct mapdb_config c = { dir, "lab", true, 100 };
	struct err err = { "" };
	FILE *f;

	snprintf(dir, sizeof(dir), "%s", fresh_dir());
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	m = open_at(dir, false, 100);
	set(m, "user.a", "s1", "");
	commit(m);
	mapdb_close(&m);
	f = fopen(path, "r+");
	assert_non_null(f);
	for (int i = 0; i < 8192; i++)
		(void)fputc('x', f);
	assert_int_equal(fclose(f), 0);
	assert_null(mapdb_open(&c, &err));
	test_check(strstr(err.text, "put a copy back, or move the files away") != NULL, "%s",
	           err.text);
	assert_int_equal(stat(path, &st), 0);
	m = open_at(dir, false, 100);
	assert_int_equal(mapdb_info(m)->state, LOCATION_MAP_EMPTY);
	assert_int_equal(mapdb_count(m), 0);
	snprintf(path, sizeof(path), "%s/damaged.data.mdb", dir);
	assert_int_equal(stat(path, &st), 0);
	mapdb_close(&m);
}
