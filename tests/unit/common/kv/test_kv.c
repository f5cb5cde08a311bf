/* kv: order, a model, latching, snapshots, deletion under a cursor, a second process's reader. */
#include "kv/kv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* ---- changes of all kinds against a plain model -------------------------------------------- */

#define MODEL_KEYS 3000

struct model {
	uint32_t seed;
	uint16_t size[2][MODEL_KEYS]; /* of the value + 1; 0: no such row */
};

static uint32_t
model_random(struct model *m, uint32_t below)
{
	m->seed = m->seed * 1664525u + 1013904223u;
	return (m->seed >> 8) % below;
}

static struct slice
model_key(unsigned i)
{
	static char key[256];

	/* Of several lengths: pages split at other places. */
	return slice_make(key, (size_t)snprintf(key, sizeof(key), "k%05u%.*s", i, (int)(i % 90),
	                                        "----------------------------------------------"
	                                        "--------------------------------------------"));
}

static void
model_put(struct model *m, struct kv_txn *t, unsigned table, unsigned i)
{
	static const char value[400];
	uint32_t n = model_random(m, sizeof(value));

	kv_put(t, table, model_key(i), slice_make(value, n));
	m->size[table][i] = (uint16_t)(n + 1);
}

static void
model_delete(struct model *m, struct kv_txn *t, unsigned table, unsigned i)
{
	assert_int_equal(kv_del(t, table, model_key(i)), m->size[table][i] != 0);
	m->size[table][i] = 0;
}

static void
model_change(struct model *m, struct kv_txn *t)
{
	unsigned table = model_random(m, 2), i = model_random(m, MODEL_KEYS), what;
	unsigned run = 1 + model_random(m, 40);

	what = model_random(m, 400);
	if (what == 0) {
		kv_clear(t, table);
		memset(m->size[table], 0, sizeof(m->size[table]));
	}
	for (unsigned k = i; k < i + run && k < MODEL_KEYS; k++) {
		if (what < 160)
			model_put(m, t, table, k);
		else if (what < 240)
			model_delete(m, t, table, k);
	}
	if (what >= 240 && what < 320)
		model_put(m, t, table, i);
	else if (what >= 320)
		model_delete(m, t, table, i);
}

static void
model_compare(const struct model *m, struct kv_txn *t, unsigned table)
{
	struct kv_cursor *c = kv_cursor_new(t, table);
	struct slice key, value;
	bool more = kv_cursor_seek(c, SLICE(""), &key, &value);

	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		if (m->size[table][i] == 0)
			continue;
		assert_true(more);
		test_eq_slice("key", key, model_key(i));
		assert_int_equal(value.n, m->size[table][i] - 1);
		more = kv_cursor_next(c, &key, &value);
	}
	assert_false(more);
	kv_cursor_free(&c);
}

TEST(puts_and_deletes_in_any_order_leave_what_a_model_has)
{
	struct kv_env *env = open_env("model", false);
	struct model kept = { .seed = 7 }, m;

	for (int round = 0; round < 60; round++) {
		struct kv_txn *t;

		m = kept;
		assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
		for (int i = 0; i < 300; i++)
			model_change(&m, t);
		model_compare(&m, t, 0);
		model_compare(&m, t, 1);
		kept.seed = m.seed;
		if (round % 4 == 3) {
			kv_end(&t);
			continue;
		}
		assert_int_equal(kv_commit(&t, NULL), KV_OK);
		kept = m;
	}
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

static enum kv_err
put_many(struct kv_env *env, unsigned rows)
{
	static const char value[1000];
	struct kv_txn *t;
	char key[16];

	assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
	for (unsigned i = 0; i < rows; i++) {
		snprintf(key, sizeof(key), "k%06u", i);
		kv_put(t, 0, slice_of(key), slice_make(value, sizeof(value)));
	}
	assert_int_equal(kv_txn_error(t), KV_OK);
	return kv_commit(&t, NULL);
}

static uint64_t
count_rows(struct kv_env *env)
{
	struct kv_txn *t;
	uint64_t n;

	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	n = kv_count(t, 0);
	kv_end(&t);
	return n;
}

TEST(a_commit_of_which_the_disk_takes_a_part_changes_nothing)
{
	enum { ROWS_EACH = 300, PAGE = 4096 };
	struct kv_env *env = open_env("part", false);
	uint64_t used, map;
	unsigned failed = 0;

	put(env, 0, "kept", "yes");
	kv_space(env, &used, &map);
	for (;; failed++) {
		test_limit_files(used + failed * (PAGE / 2));
		if (put_many(env, ROWS_EACH) == KV_OK)
			break;
		assert_false(kv_is_broken(env));
		assert_int_equal(kv_check_file(env), KV_FILE_GOOD);
		assert_int_equal(count_rows(env), 1);
	}
	test_limit_files(RLIM_INFINITY);
	test_check(failed > 2 * ROWS_EACH / 4, "%u", failed); /* not all of it was one write */
	assert_int_equal(count_rows(env), ROWS_EACH + 1);
	kv_close(&env);
	env = open_env("part", false);
	assert_int_equal(count_rows(env), ROWS_EACH + 1);
	assert_int_equal(put_many(env, 2 * ROWS_EACH), KV_OK);
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

/* ---- damaged files --------------------------------------------------------------------------- */

#define ROWS 4000

/* Many rows, so that there are many pages. Returns the data file's path. */
static const char *
fill(const char *name)
{
	static char path[400];
	struct kv_env *env = open_env(name, false);
	struct kv_txn *t;
	char key[16];

	assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
	for (int i = 0; i < ROWS; i++) {
		snprintf(key, sizeof(key), "k%06d", i);
		kv_put(t, 0, slice_of(key), SLICE("some value that takes a little room"));
	}
	assert_int_equal(kv_commit(&t, NULL), KV_OK);
	kv_close(&env);
	snprintf(path, sizeof(path), "%s/%s/data.mdb", test_dir(), name);
	return path;
}

/* From the first row to the last. */
static enum kv_err
walk(struct kv_env *env, unsigned *seen_r)
{
	struct slice key;
	struct kv_cursor *c;
	struct kv_txn *t;
	enum kv_err e;

	*seen_r = 0;
	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	c = kv_cursor_new(t, 0);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, NULL); more;
	     more = kv_cursor_next(c, &key, NULL))
		++*seen_r;
	kv_cursor_free(&c);
	e = kv_txn_error(t);
	kv_end(&t);
	return e;
}

TEST(a_page_of_zeros_is_an_error_and_not_the_end_of_the_process)
{
	static const char zeros[4096];
	const char *path = fill("zeros");
	struct kv_env *env = open_env("zeros", true);
	unsigned seen, met = 0;
	struct stat st;
	int fd;

	assert_int_equal(walk(env, &seen), KV_OK);
	assert_int_equal(seen, ROWS);
	fd = open(path, O_RDWR);
	assert_true(fd != -1 && fstat(fd, &st) == 0);
	/* Page after page: leaves, branches, and what is used for nothing. */
	for (off_t at = 2 * (off_t)sizeof(zeros); at < st.st_size; at += sizeof(zeros)) {
		char kept[sizeof(zeros)];

		assert_int_equal(pread(fd, kept, sizeof(kept), at), sizeof(kept));
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), sizeof(zeros));
		met += walk(env, &seen) == KV_CORRUPT;
		assert_int_equal(pwrite(fd, kept, sizeof(kept), at), sizeof(kept));
	}
	close(fd);
	test_check(met > ROWS / 100, "%u", met);
	assert_int_equal(walk(env, &seen), KV_OK);
	kv_close(&env);
}

/* Each byte of each row, and each row by its key. */
static void
read_all(struct kv_env *env)
{
	volatile unsigned sum = 0;
	struct slice key, value;
	struct kv_cursor *c;
	struct kv_txn *t;
	char name[16];
	unsigned rows = 0;

	assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
	c = kv_cursor_new(t, 0);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &value); more && rows < 2 * ROWS;
	     more = kv_cursor_next(c, &key, &value), rows++)
		for (size_t i = 0; i < key.n + value.n; i++)
			sum += (unsigned char)(i < key.n ? key.p[i] : value.p[i - key.n]);
	kv_cursor_free(&c);
	kv_end(&t);
	for (unsigned i = 0; i < ROWS; i++) {
		assert_int_equal(kv_begin_read(env, &t, NULL), KV_OK);
		snprintf(name, sizeof(name), "k%06u", i);
		if (kv_get(t, 0, slice_of(name), &value))
			for (size_t k = 0; k < value.n; k++)
				sum += (unsigned char)value.p[k];
		kv_end(&t);
	}
	(void)sum;
}

TEST(whatever_a_page_says_who_reads_it_lives)
{
	enum { ROUNDS = 150, HEADER = 64, CHANGED = 8 };
	const char *path = fill("nonsense");
	struct kv_env *env = open_env("nonsense", true);
	struct stat st;
	int fd = open(path, O_RDWR);

	assert_true(fd != -1 && fstat(fd, &st) == 0);
	for (unsigned seed = 0; seed < ROUNDS; seed++) {
		uint8_t kept[HEADER], changed[HEADER];
		off_t at;

		srandom(seed);
		at = (2 + random() % (st.st_size / 4096 - 2)) * 4096;
		assert_int_equal(pread(fd, kept, sizeof(kept), at), sizeof(kept));
		memcpy(changed, kept, sizeof(kept));
		for (unsigned i = 0; i < CHANGED; i++)
			changed[random() % HEADER] = (uint8_t)random();
		assert_int_equal(pwrite(fd, changed, sizeof(changed), at), sizeof(changed));
		read_all(env);
		assert_int_equal(pwrite(fd, kept, sizeof(kept), at), sizeof(kept));
	}
	close(fd);
	kv_close(&env);
}

TEST(pages_without_a_size_are_damage)
{
	static const uint32_t sizes[] = { 0, 1, 4095, 1u << 20 };
	const char *path = fill("sizes");
	struct kv_config c = { .tables = tables, .table_count = 2, .map_bytes = 64 << 20 };
	struct kv_env *env = NULL;
	char dir[300];
	int fd = open(path, O_RDWR);

	assert_true(fd != -1);
	snprintf(dir, sizeof(dir), "%s/sizes", test_dir());
	c.dir = dir;
	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		for (off_t meta = 0; meta <= 4096; meta += 4096)
			assert_int_equal(pwrite(fd, &sizes[i / 2], 4, meta + 40), 4);
		c.read_only = i % 2 == 0;
		assert_int_equal(kv_open(&c, &env, NULL), KV_CORRUPT);
	}
	close(fd);
}

/* In a child: what LMDB cannot give back then is left. */
static void
cut_lock_in_use(const char *path)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0) {
		struct kv_env *env = open_env("locks", true);
		unsigned seen;
		bool ok = walk(env, &seen) == KV_OK && kv_check_file(env) == KV_FILE_GOOD &&
		          truncate(path, 0) == 0 && kv_check_file(env) == KV_FILE_OTHER;

		kv_close(&env);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	test_check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}

TEST(a_lock_without_its_end_is_not_used)
{
	struct kv_env *env;
	char path[400];
	unsigned seen;

	(void)fill("locks");
	snprintf(path, sizeof(path), "%s/locks/lock.mdb", test_dir());
	cut_lock_in_use(path);
	env = open_env("locks", true);
	assert_int_equal(walk(env, &seen), KV_OK);
	assert_int_equal(seen, ROWS);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kv_check_file(env), KV_FILE_OTHER);
	kv_close(&env);
}

/* Whoever opens it beside those who have it lives, and they see that it was cut; who comes when they
 * are gone can use it. */
TEST(a_lock_of_a_few_octets_ends_nobody)
{
	struct kv_config c = { .tables = tables, .table_count = 2, .read_only = true };
	char path[400], dir[300];

	(void)fill("cut");
	snprintf(dir, sizeof(dir), "%s/cut", test_dir());
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	c.dir = dir;
	for (off_t size = 0; size < 400; size += 57) {
		int to_child[2], to_us[2], status;
		struct kv_env *env = NULL;
		char byte;
		pid_t pid;

		assert_true(pipe(to_child) == 0 && pipe(to_us) == 0);
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0) {
			env = open_env("cut", true);
			assert_int_equal(truncate(path, size), 0);
			(void)!write(to_us[1], "", 1);
			close(to_child[1]);
			(void)!read(to_child[0], &byte, 1);
			_exit(kv_check_file(env) == KV_FILE_OTHER ? 0 : 1);
		}
		assert_int_equal(read(to_us[0], &byte, 1), 1);
		for (int i = 0; i < 2; i++) {
			c.read_only = i == 0;
			if (kv_open(&c, &env, NULL) == KV_OK)
				kv_close(&env);
		}
		close(to_child[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		test_check(status == 0, "a lock cut to %d looks whole", (int)size);
		env = open_env("cut", true);
		kv_close(&env);
		close(to_child[0]);
		close(to_us[0]);
		close(to_us[1]);
	}
}

/* On a full disk a block that is not there yet ends whoever touches it, and these are touched by
 * readers. */
TEST(a_lock_has_all_its_blocks)
{
	struct kv_env *env;
	struct stat st, before;
	char path[400];

	(void)fill("blocks");
	snprintf(path, sizeof(path), "%s/blocks/lock.mdb", test_dir());
	assert_int_equal(stat(path, &before), 0);
	assert_true(before.st_blocks * 512 >= before.st_size);
	/* one that is long and empty, by whoever */
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, 65664), 0);
	env = open_env("blocks", true);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 65664);
	assert_true(st.st_blocks * 512 >= st.st_size);
	kv_close(&env);
	/* and LMDB makes it no longer than we did */
	assert_int_equal(unlink(path), 0);
	env = open_env("blocks", true);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, before.st_size);
	assert_true(st.st_blocks * 512 >= st.st_size);
	kv_close(&env);
}

TEST(a_file_without_its_end_is_not_read)
{
	const char *path = fill("short");
	struct kv_env *env = open_env("short", true), *other = NULL;
	struct kv_config c = { .tables = tables, .table_count = 2, .read_only = true };
	char dir[300];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/short", test_dir());
	c.dir = dir;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(kv_check_file(env), KV_FILE_GOOD);
	for (off_t size = st.st_size - 4096; size >= 0; size -= st.st_size / 16) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(kv_check_file(env), KV_FILE_SHORT);
		assert_true(kv_open(&c, &other, NULL) != KV_OK);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kv_check_file(env), KV_FILE_OTHER);
	assert_int_equal(kv_open(&c, &other, NULL), KV_ABSENT);
	kv_close(&env);
}

TEST(a_writer_makes_its_file_as_long_as_it_says)
{
	struct kv_env *env = open_env("long", false);
	struct kv_txn *t;
	char *value = calloc(4, 200000);

	/* Pages that are taken and given back in the same transaction are not written. */
	for (size_t round = 1; round <= 4; round++) {
		assert_int_equal(kv_begin_write(env, &t, NULL), KV_OK);
		kv_put(t, 0, SLICE("big"), slice_make(value, round * 200000));
		assert_true(kv_del(t, 0, SLICE("big")));
		kv_put(t, 0, SLICE("small"), slice_make(value, round));
		assert_int_equal(kv_commit(&t, NULL), KV_OK);
		assert_int_equal(kv_check_file(env), KV_FILE_GOOD);
	}
	free(value);
	kv_close(&env);
}
