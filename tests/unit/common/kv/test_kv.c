/* kv: order, latching, snapshots, deletion under a cursor, a second process's reader. */
#include "kv/kv.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

static const char *const tables[] = { "one", "two" };

static struct kv_env *
open_env(const char *name, bool read_only)
{
	static char dir[300];
	struct kv_config c = { .dir = dir,
		               .tables = tables,
		               .table_count = 2,
		               .map_bytes = 64 << 20,
		               .read_only = read_only };
	struct kv_env *env = NULL;
	struct err err;

	snprintf(dir, sizeof(dir), "%s/%s", test_dir(), name);
	test_check(kv_open(&c, &env, &err) == KV_OK, "%s", err.text);
	return env;
}

static void
put(struct kv_env *env, unsigned table, const char *key, const char *value)
{
	struct kv_txn *t;

	assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
	kv_put(t, table, slice_of(key), slice_of(value));
	assert_int_equal(kv_commit(&t, NULL), KV_OK);
}

TEST(rows_come_in_order_from_where_one_asks)
{
	struct kv_env *env = open_env("order", false);
	struct slice key, value;
	struct kv_cursor *c;
	struct kv_txn *t;

	put(env, 0, "b", "2");
	put(env, 0, "a", "1");
	put(env, 0, "d", "4");
	put(env, 1, "c", "other table");
	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	c = kv_cursor_new(t, 0);
	assert_true(kv_cursor_seek(c, SLICE("b"), &key, &value));
	test_eq_slice("at b", value, SLICE("2"));
	assert_true(kv_cursor_next(c, &key, &value));
	test_eq_slice("then d", key, SLICE("d"));
	assert_false(kv_cursor_next(c, &key, &value));
	assert_true(kv_cursor_last(c, &key, &value));
	assert_true(kv_cursor_prev(c, &key, NULL));
	test_eq_slice("before d", key, SLICE("b"));
	assert_true(kv_cursor_seek(c, SLICE(""), &key, NULL));
	test_eq_slice("first", key, SLICE("a"));
	kv_cursor_free(&c);
	assert_int_equal(kv_count(t, 0), 3);
	kv_end(&t);
	kv_close(&env);
}

TEST(a_reader_keeps_its_snapshot_and_a_renewed_one_sees_the_change)
{
	struct kv_env *env = open_env("snapshot", false);
	struct kv_txn *t;

	put(env, 0, "k", "old");
	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	put(env, 0, "k2", "new");
	assert_false(kv_has(t, 0, SLICE("k2")));
	kv_end(&t);
	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	assert_true(kv_has(t, 0, SLICE("k2")));
	kv_end(&t);
	kv_close(&env);
}

TEST(deleting_under_the_cursor_skips_nothing)
{
	struct kv_env *env = open_env("delete", false);
	struct kv_cursor *c;
	struct kv_txn *t;
	struct slice key;
	unsigned seen = 0;

	assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
	for (int i = 0; i < 1000; i++) {
		char k[16];

		snprintf(k, sizeof(k), "k%04d", i);
		kv_put(t, 0, slice_of(k), SLICE("v"));
	}
	c = kv_cursor_new(t, 0);
	for (bool on = kv_cursor_seek(c, SLICE("k"), &key, NULL); on;
	     on = kv_cursor_next(c, &key, NULL), seen++)
		if (seen % 2 == 0)
			kv_cursor_del(c);
	kv_cursor_free(&c);
	assert_int_equal(seen, 1000);
	assert_int_equal(kv_count(t, 0), 500);
	assert_int_equal(kv_commit(&t, NULL), KV_OK);
	kv_close(&env);
}

TEST(a_full_map_is_said_at_the_commit_and_changes_nothing)
{
	struct kv_env *env = open_env("full", false);
	static char big[1 << 20];
	struct kv_txn *t;
	struct err err;

	put(env, 0, "kept", "yes");
	assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
	for (int i = 0; i < 100; i++) {
		char k[16];

		snprintf(k, sizeof(k), "k%d", i);
		kv_put(t, 0, slice_of(k), slice_make(big, sizeof(big)));
	}
	assert_int_equal(kv_txn_error(t), KV_FULL);
	assert_int_equal(kv_commit(&t, &err), KV_FULL);
	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	assert_int_equal(kv_count(t, 0), 1);
	kv_end(&t);
	kv_close(&env);
}

TEST(another_process_reads_what_was_committed)
{
	struct kv_env *env = open_env("shared", false);
	int status;
	pid_t pid;

	put(env, 0, "k", "v");
	pid = fork();
	if (pid == 0) {
		struct kv_env *ro = open_env("shared", true);
		struct slice v;
		struct kv_txn *t;
		bool ok = kv_begin_read(ro, &t, NULL) == KV_OK && kv_get(t, 0, SLICE("k"), &v) &&
		          slice_eq(v, SLICE("v"));

		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)kv_reader_check(env);
	kv_close(&env);
}

TEST(an_environment_that_is_not_there_is_absent)
{
	struct kv_config c = {
		.dir = "/nonexistent/dir", .tables = tables, .table_count = 2, .read_only = true
	};
	struct kv_env *env;
	struct err err;

	assert_int_equal(kv_open(&c, &env, &err), KV_ABSENT);
}
