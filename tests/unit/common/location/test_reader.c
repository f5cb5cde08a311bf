/* reader: one level of the list, and what it costs; the rest is tested with mupdate/. */
#include "location/reader.h"

#include "base/clock.h"
#include "base/num.h"
#include "kv/kv.h"
#include "lib/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sorted as LMDB sorts: "a-b" and "a b" stand between "a" and "a.x". */
static const char *const names[] = {
	"a",
	"a b",
	"a-b.c",
	"a.x",
	"a.x.y",
	"b.only.below",
	"c",
	"dom.net!user.fred",
	"dom.net!user.fred.x",
	"dom.org!z",
	"user.fred",
	"user.fred.Sent",
};

static void
add_meta(struct kv_txn *txn, const char *key, uint32_t v)
{
	uint8_t bytes[4];

	num_put_le32(bytes, v);
	kv_put(txn, LOCATION_T_META, slice_of(key), slice_make(bytes, 4));
}

static void
add_intern(struct kv_txn *txn, char kind, const char *text, uint32_t id)
{
	uint8_t le[4], by_id[5] = { (uint8_t)(kind - 'a' + 'A') };
	char key[32];
	int n = snprintf(key, sizeof(key), "%c%s", kind, text);

	num_put_le32(le, id);
	num_put_be32(by_id + 1, id);
	kv_put(txn, LOCATION_T_INTERN, slice_make(key, (size_t)n), slice_make(le, 4));
	kv_put(txn, LOCATION_T_INTERN, slice_make(by_id, 5), slice_of(text));
}

/* To be written, and ended by close_map(). */
static struct kv_txn *
open_map(const char *dir, struct kv_env **env_r)
{
	const struct kv_config conf = { .dir = dir,
		                        .tables = location_table_names,
		                        .table_count = LOCATION_T_COUNT,
		                        .map_bytes = 16 << 20 };
	struct kv_txn *txn;

	assert_int_equal(kv_open(&conf, env_r, NULL), KV_OK);
	assert_int_equal(kv_begin_write(*env_r, &txn, NULL), KV_OK);
	return txn;
}

static void
close_map(struct kv_txn **txn, struct kv_env **env)
{
	assert_int_equal(kv_commit(txn, NULL), KV_OK);
	kv_close(env);
}

/* Names that begin with a letter before 'c' are visible to ann, all to fred. */
static struct location_reader *
make_list(const char *dir)
{
	struct kv_env *env;
	struct kv_txn *txn = open_map(dir, &env);

	add_meta(txn, "format", LOCATION_FORMAT);
	add_meta(txn, "state", LOCATION_MAP_COMPLETE);
	add_intern(txn, 's', "s1", 1);
	add_intern(txn, 'a', "fred", 2);
	add_intern(txn, 'a', "ann", 3);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct location loc = { .name = slice_of(names[i]),
			                      .state = LOCATION_ACTIVE };
		uint8_t key[LOCATION_ID_KEY_MAX];
		struct buf row = BUF_INIT(SIZE_MAX);

		location_row_add(&row, &loc, 1);
		kv_put(txn, LOCATION_T_NAMES, loc.name, buf_slice(&row));
		kv_put(txn, LOCATION_T_ACL, location_id_key(key, 2, loc.name), SLICE("lr"));
		if (names[i][0] < 'c')
			kv_put(txn, LOCATION_T_ACL, location_id_key(key, 3, loc.name), SLICE("l"));
		buf_fini(&row);
	}
	close_map(&txn, &env);
	return location_reader_new(dir);
}

/* "name" there, "(name)" only below it, "+" names below */
static bool
on_level(void *ctx, const struct location_level *l)
{
	buf_printf(ctx, "%s%.*s%s%s,", l->is_there ? "" : "(", SLICE_ARG(l->name),
	           l->is_there ? "" : ")", l->has_below ? "+" : "");
	return true;
}

static const struct level_case {
	const char *name, *identifier, *prefix, *want;
} level_cases[] = {
	{ "the top of all names", "", "", "a+,a b,(a-b)+,(b)+,c,(user)+," },
	{ "the top of what one may see", "fred", "", "a+,a b,(a-b)+,(b)+,c,(user)+," },
	{ "the top of what another may see", "ann", "", "a+,a b,(a-b)+,(b)+," },
	{ "a level below", "fred", "a.", "a.x+," },
	{ "below that", "", "a.x.", "a.x.y," },
	{ "nothing below", "fred", "c.", "" },
	{ "users", "fred", "user.", "user.fred+," },
	{ "a domain", "fred", "dom.net!", "(dom.net!user)+," },
	{ "users of a domain", "", "dom.net!user.", "dom.net!user.fred+," },
	{ "names that look like a domain's", "", "dom.", "" },
	{ "a prefix in the middle of a part", "", "us", "(user)+," },
	{ "a prefix nobody has", "fred", "zzz", "" },
	{ "somebody nobody knows", "bob", "", "" },
};

TEST(one_level_of_the_list)
{
	char dir[300];
	struct location_reader *r;

	snprintf(dir, sizeof(dir), "%s/levels", test_dir());
	r = make_list(dir);
	for (size_t i = 0; i < ARRAY_LEN(level_cases); i++) {
		const struct level_case *k = &level_cases[i];
		struct buf out = BUF_INIT(SIZE_MAX);

		assert_int_equal(location_reader_list_level(r, slice_of(k->identifier),
		                                            slice_of(k->prefix), on_level, &out),
		                 LOCATION_FOUND);
		test_eq_str(k->name, buf_cstr(&out), k->want);
		buf_fini(&out);
	}
	location_reader_free(&r);
}

TEST(domains_of_the_list)
{
	static const struct {
		const char *identifier, *want;
	} cases[] = {
		{ "", "(dom.net!),(dom.org!)," },
		{ "fred", "(dom.net!),(dom.org!)," },
		{ "ann", "" },
		{ "bob", "" },
	};
	char dir[300];
	struct location_reader *r;

	snprintf(dir, sizeof(dir), "%s/domains", test_dir());
	r = make_list(dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		assert_int_equal(location_reader_list_domains(r, slice_of(cases[i].identifier),
		                                              on_level, &out),
		                 LOCATION_FOUND);
		test_eq_str(cases[i].identifier, buf_cstr(&out), cases[i].want);
		buf_fini(&out);
	}
	location_reader_free(&r);
}

static bool
only_one(void *ctx, const struct location_level *l)
{
	(void)l;
	(*(int *)ctx)++;
	return false;
}

TEST(a_listing_stops_when_it_is_told)
{
	char dir[300];
	struct location_reader *r;
	int seen = 0;

	snprintf(dir, sizeof(dir), "%s/stops", test_dir());
	r = make_list(dir);
	assert_int_equal(location_reader_list_level(r, SLICE(""), SLICE(""), only_one, &seen),
	                 LOCATION_FOUND);
	assert_int_equal(seen, 1);
	location_reader_free(&r);
}

TEST(without_a_list_every_answer_is_blind)
{
	struct location_reader *r = location_reader_new("/nowhere");
	struct buf out = BUF_INIT(SIZE_MAX);

	assert_int_equal(location_reader_list_level(r, SLICE("fred"), SLICE(""), on_level, &out),
	                 LOCATION_BLIND);
	assert_int_equal(out.len, 0);
	location_reader_free(&r);
	buf_fini(&out);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static bool
on_any(UNUSED void *ctx, UNUSED const struct location *loc)
{
	return true;
}

static void
put_row(const char *dir, const char *name, struct slice row)
{
	struct kv_env *env;
	struct kv_txn *txn = open_map(dir, &env);

	kv_put(txn, LOCATION_T_NAMES, slice_of(name), row);
	close_map(&txn, &env);
}

static void
add_active(const char *dir, const char *name)
{
	const struct location loc = { .name = slice_of(name), .state = LOCATION_ACTIVE };
	struct buf row = BUF_INIT(SIZE_MAX);

	location_row_add(&row, &loc, 1);
	put_row(dir, name, buf_slice(&row));
	buf_fini(&row);
}

TEST(a_list_with_a_row_that_makes_no_sense_is_blind)
{
	char dir[300];
	struct location_reader *r;

	snprintf(dir, sizeof(dir), "%s/row", test_dir());
	r = make_list(dir);
	assert_int_equal(location_reader_list(r, SLICE("a"), on_any, NULL), LOCATION_FOUND);
	assert_int_equal(location_reader_list_acl(r, SLICE("fred"), SLICE("a"), on_any, NULL),
	                 LOCATION_FOUND);
	location_reader_free(&r);
	put_row(dir, "a.x", SLICE("nonsense"));
	r = location_reader_new(dir);
	assert_int_equal(location_reader_list(r, SLICE("a"), on_any, NULL), LOCATION_BLIND);
	assert_int_equal(location_reader_list_acl(r, SLICE("fred"), SLICE("a"), on_any, NULL),
	                 LOCATION_BLIND);
	assert_int_equal(location_reader_list(r, SLICE("b"), on_any, NULL), LOCATION_FOUND);
	location_reader_free(&r);
}

TEST(a_level_with_a_name_that_is_too_long_is_blind)
{
	char dir[300], name[KV_KEY_MAX + 1] = "a.";
	struct location_reader *r;
	struct buf out = BUF_INIT(SIZE_MAX);

	snprintf(dir, sizeof(dir), "%s/long", test_dir());
	r = make_list(dir);
	location_reader_free(&r);
	memset(name + 2, 'z', LOCATION_NAME_MAX);
	add_active(dir, name);
	r = location_reader_new(dir);
	assert_int_equal(location_reader_list_level(r, SLICE(""), SLICE("a."), on_level, &out),
	                 LOCATION_BLIND);
	assert_int_equal(location_reader_list_level(r, SLICE(""), SLICE("b."), on_level, &out),
	                 LOCATION_FOUND);
	location_reader_free(&r);
	buf_fini(&out);
}

/* Also while it is not tried again: status asks at any time. */
TEST(a_list_that_cannot_be_opened_says_why_each_time)
{
	struct clock_fake now = { 1000000, 1000000 };
	struct location_reader *r = location_reader_new("/nowhere");
	struct location_info info;
	struct err err;

	clock_set_fake(&now);
	for (int i = 0; i < 2; i++) {
		err_set(&err, "nothing");
		assert_int_equal(location_reader_info(r, &info, &err), -1);
		assert_non_null(strstr(err.text, "/nowhere: No such file"));
	}
	location_reader_free(&r);
	clock_set_fake(NULL);
}

TEST(a_list_that_is_cut_short_or_gone_is_blind_and_comes_back)
{
	struct clock_fake now = { 1000000, 1000000 };
	struct arena *a = arena_new("test");
	char dir[300], path[400], lock[400];
	struct location_reader *r;
	struct location loc;

	clock_set_fake(&now);
	snprintf(dir, sizeof(dir), "%s/cut", test_dir());
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	snprintf(lock, sizeof(lock), "%s/lock.mdb", dir);
	r = make_list(dir);
	assert_int_equal(location_reader_find(r, SLICE("a"), a, &loc), LOCATION_FOUND);
	now.mono_us += 1000;
	for (off_t size = 32768; size >= 0; size -= 4096) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(location_reader_find(r, SLICE("a"), a, &loc), LOCATION_BLIND);
		assert_int_equal(location_reader_find(r, SLICE("zzz"), a, &loc), LOCATION_BLIND);
	}
	assert_true(unlink(path) == 0 && unlink(lock) == 0);
	assert_int_equal(location_reader_find(r, SLICE("zzz"), a, &loc), LOCATION_BLIND);
	assert_int_equal(access(lock, F_OK), -1); /* and leaves nothing there */
	now.mono_us += 300000;
	location_reader_free(&r);
	r = make_list(dir);
	assert_int_equal(location_reader_find(r, SLICE("a"), a, &loc), LOCATION_FOUND);
	location_reader_free(&r);
	clock_set_fake(NULL);
	arena_free(&a);
}

/* A barrier that came through is about the list that lies there now; none does in a millisecond. */
TEST(a_list_that_was_replaced_is_seen_at_once)
{
	struct clock_fake now = { 1000000, 1000000 };
	struct arena *a = arena_new("test");
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char dir[300], path[400], aside[400];
	struct location_reader *r, *other;
	struct location loc;

	clock_set_fake(&now);
	snprintf(dir, sizeof(dir), "%s/replaced", test_dir());
	r = make_list(dir);
	assert_int_equal(location_reader_find(r, SLICE("new"), a, &loc), LOCATION_NONE);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		snprintf(aside, sizeof(aside), "%s/aside.%s", dir, files[i]);
		assert_int_equal(rename(path, aside), 0);
	}
	other = make_list(dir);
	location_reader_free(&other);
	add_active(dir, "new");
	now.mono_us += 1000;
	assert_int_equal(location_reader_find(r, SLICE("new"), a, &loc), LOCATION_FOUND);
	location_reader_free(&r);
	clock_set_fake(NULL);
	arena_free(&a);
}

/* In a process of its own, which may read nothing of root's. */
static int
look_as_nobody(const char *dir)
{
	struct arena *a = arena_new("test");
	struct location_reader *r;
	struct location loc;
	enum location_result result;

	if (setgid(65534) == -1 || setuid(65534) == -1)
		return -1;
	r = location_reader_new(dir);
	result = location_reader_find(r, SLICE("zzz"), a, &loc);
	location_reader_free(&r);
	arena_free(&a);
	return (int)result;
}

static void
check_as_nobody(const char *dir, enum location_result want)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0)
		_exit(look_as_nobody(dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
}

TEST(a_list_that_may_not_be_read_is_blind)
{
	char dir[300], path[400];
	struct location_reader *r;

	if (geteuid() != 0)
		skip();
	snprintf(dir, sizeof(dir), "%s/modes", test_dir());
	r = make_list(dir);
	location_reader_free(&r);
	assert_int_equal(chmod(test_dir(), 0755), 0);
	check_as_nobody(dir, LOCATION_BLIND); /* 0700 */
	assert_int_equal(chmod(dir, 0755), 0);
	check_as_nobody(dir, LOCATION_BLIND); /* the files 0600 */
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	assert_int_equal(chmod(path, 0644), 0);
	check_as_nobody(dir, LOCATION_BLIND); /* readers write the lock file */
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	assert_int_equal(chmod(path, 0666), 0);
	check_as_nobody(dir, LOCATION_NONE);
}
