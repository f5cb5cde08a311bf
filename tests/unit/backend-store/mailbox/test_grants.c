/* Entries of ACLs, one at a time and several at once; who finds what has been shown to him. */
#include <stdio.h>
#include <stdlib.h>

#include "fakenames.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "world.h"

static void
note_result(void *ctx, enum mbox_result result)
{
	buf_printf(ctx, "%s ", mbox_result_name(result));
}

static void
change(struct world *w, const char *name, enum acl_mode mode, const char *id, uint32_t rights,
       struct buf *answers)
{
	struct acl_change c = { mode, slice_of(id), rights };

	(void)store_change_acl(w->store, slice_of(name), &c, note_result, answers);
}

static void
check_acl(struct world *w, const char *name, const char *want)
{
	struct mbox_info info;

	assert_true(store_find(w->store, slice_of(name), &info));
	test_eq_slice(name, info.acl, slice_of(want));
}

/* Each is made of what the one before has left. */
TEST(entries_change_one_after_the_other)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++) {
		world_open(&w, mode);
		world_create_user(&w, "fred");
		assert_int_equal(world_set_acl(&w, "user.fred", "fred\tlrs\t"), MBOX_OK);
		change(&w, "user.fred", ACL_ADD, "ann", ACL_LOOKUP, &b);
		change(&w, "user.fred", ACL_ADD, "bob", ACL_LOOKUP, &b);
		change(&w, "user.fred", ACL_ADD, "ann", ACL_READ, &b);
		change(&w, "user.fred", ACL_REMOVE, "bob", ACL_ALL, &b);
		change(&w, "user.fred", ACL_REPLACE, "-anyone", ACL_ADMIN, &b);
		change(&w, "user.fred", ACL_REMOVE, "fred", ACL_SEEN, &b);
		change(&w, "user.fred", ACL_REMOVE, "nobody", ACL_SEEN, &b);
		change(&w, "user.none", ACL_ADD, "ann", ACL_READ, &b);
		change(&w, "user.fred", ACL_ADD, "a\tb", ACL_READ, &b);
		fakenet_settle(w.loop);
		world_eq("answers", &b, "absent invalid ok ok ok ok ok ok ok ");
		check_acl(&w, "user.fred", "fred\tlr\tann\tlr\t-anyone\ta\t");
		world_check_reopen(&w, "changed");
		check_acl(&w, "user.fred", "fred\tlr\tann\tlr\t-anyone\ta\t");
		buf_clear(&b);
		world_close(&w);
	}
	buf_fini(&b);
}

/* The master has it before the OK; when it does not answer nobody knows, and a second attempt
 * asks it again. */
TEST(the_master_hears_of_every_change)
{
	struct world w;
	struct fakenames f;
	struct buf b = BUF_INIT(SIZE_MAX);

	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	fakenames_init(&f, w.loop);
	w.names = &f.names;
	store_set_names(w.store, &f.names);
	change(&w, "user.fred", ACL_ADD, "ann", ACL_LOOKUP, &b);
	fakenet_settle(w.loop);
	world_eq("asked", &f.calls, "activate user.fred; ");
	f.activate = NAMES_LATER;
	change(&w, "user.fred", ACL_ADD, "ann", ACL_READ, &b);
	fakenet_settle(w.loop);
	f.activate = NAMES_OK;
	buf_clear(&f.calls);
	change(&w, "user.fred", ACL_ADD, "ann", ACL_READ, &b);
	fakenet_settle(w.loop);
	world_eq("asked again", &f.calls, "activate user.fred; ");
	f.away = true;
	change(&w, "user.fred", ACL_ADD, "ann", ACL_SEEN, &b);
	fakenet_settle(w.loop);
	world_eq("answers", &b, "ok unavailable ok unavailable ");
	check_acl(&w, "user.fred", "fred\tlrswipkxtecda\tann\tlr\t");
	buf_fini(&b);
	world_close(&w);
	fakenames_fini(&f);
}

TEST(an_ACL_has_a_size)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX), big = BUF_INIT(SIZE_MAX);

	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	for (int i = 0; i < 500; i++)
		buf_printf(&big, "u%03d%0120d\tlr\t", i, i);
	assert_int_equal(world_set_acl(&w, "user.fred", buf_cstr(&big)), MBOX_OK);
	for (int i = 500; i < 520; i++) {
		char id[200];

		snprintf(id, sizeof(id), "u%03d%0120d", i, i);
		change(&w, "user.fred", ACL_ADD, id, ACL_LOOKUP, &b);
		fakenet_settle(w.loop);
	}
	/* 64 KiB hold 511 of 128 bytes and a little more, of which the last are shorter */
	world_eq("answers", &b,
	         "ok ok ok ok ok ok ok ok ok ok ok ok cannot cannot cannot cannot "
	         "cannot cannot cannot cannot ");
	buf_fini(&b);
	buf_fini(&big);
	world_close(&w);
}

/* Whoever may make names below a shared one cannot fill the store. */
TEST(a_shared_tree_is_bounded)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);
	char name[50];

	world_open(&w, WORLD_UNINDEXED);
	world_create(&w, "example.net!lists");
	for (int i = 0; i < 20001; i++) {
		snprintf(name, sizeof(name), "example.net!lists.a%d", i);
		(void)store_create(w.store, slice_of(name), SLICE(""), note_result, &b);
		if (i % 1000 == 999)
			fakenet_settle(w.loop);
	}
	fakenet_settle(w.loop);
	assert_true(slice_ends(buf_slice(&b), SLICE("ok ok cannot ")));
	assert_int_equal(store_count(w.store), 20001);
	assert_int_equal(world_create(&w, "lists.a"), MBOX_OK);
	assert_int_equal(world_create(&w, "example.net!lists2.a"), MBOX_OK);
	buf_fini(&b);
	world_close(&w);
}

/* ---- the index against a walk over everything ------------------------------------------------ */

struct found {
	const struct acl_who *who;
	struct buf *names;
};

/* It is found when some entry of his, of his groups or of anyone in his domain shows it. */
static bool
should_find(const struct acl_who *who, const struct mbox_info *info)
{
	struct slice rest = info->acl, id, domain = SLICE("");
	uint32_t rights;

	if (slice_find(who->user, '@') < who->user.n)
		domain = slice_skip(who->user, slice_find(who->user, '@') + 1);
	if (slice_eq(info->name, who->inbox) || mbox_name_is_below(info->name, who->inbox))
		return false;
	while (acl_next(&rest, &id, &rights)) {
		struct slice owner = SLICE("");
		struct mbox_user u;

		if (mbox_user_of_name(info->name, SLICE("example.org"), &u))
			owner = mbox_user_slice(&u);
		if ((rights & ACL_LOOKUP) == 0 || slice_eq(id, owner))
			continue;
		if (slice_eq(id, who->user) ||
		    (slice_eq_str(id, "anyone") && slice_eq(mbox_name_domain(info->name), domain)))
			return true;
		for (size_t i = 0; i < who->group_count; i++)
			if (slice_starts(id, SLICE("group:")) &&
			    slice_eq(slice_skip(id, 6), who->groups[i]))
				return true;
	}
	return false;
}

static bool
walk(void *ctx, const struct mbox_info *info)
{
	struct found *f = ctx;

	if (should_find(f->who, info))
		buf_printf(f->names, "%.*s ", SLICE_ARG(info->name));
	return true;
}

#define MOST 200

struct heap {
	char *names[MOST];
	size_t count;
};

static bool
collect(void *ctx, const struct mbox_info *info)
{
	struct heap *n = ctx;

	for (size_t i = 0; i < n->count; i++)
		if (slice_eq_str(info->name, n->names[i]))
			return true;
	assert_true(n->count < MOST);
	n->names[n->count++] = slice_dup(info->name);
	return true;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
check_granted(struct world *w, const struct acl_who *who)
{
	struct buf want = BUF_INIT(SIZE_MAX), got = BUF_INIT(SIZE_MAX);
	struct found f = { who, &want };
	struct heap n = { .count = 0 };

	store_each(w->store, SLICE(""), walk, &f);
	store_each_granted(w->store, who, collect, &n);
	qsort(n.names, n.count, sizeof(n.names[0]), by_name);
	for (size_t i = 0; i < n.count; i++) {
		buf_printf(&got, "%s ", n.names[i]);
		free(n.names[i]);
	}
	world_eq("granted", &got, buf_cstr(&want));
	buf_fini(&want);
	buf_fini(&got);
}

static const struct slice groups[] = { SLICE_INIT("staff"), SLICE_INIT("x@other.net") };
static const struct acl_who people[] = {
	{ SLICE_INIT("fred"), SLICE_INIT("user.fred"), groups, 1 },
	{ SLICE_INIT("ann"), SLICE_INIT("user.ann"), NULL, 0 },
	{ SLICE_INIT("eve@other.net"), SLICE_INIT("other.net!user.eve"), groups, 2 },
};

static void
random_name(char *name, size_t size)
{
	static const char *const tops[] = { "user.fred", "user.ann", "other.net!user.eve", "lists",
		                            "other.net!board" };

	snprintf(name, size, "%s.%c", tops[(size_t)rand() % ARRAY_LEN(tops)],
	         'a' + (char)(rand() % 4));
	if (rand() % 3 == 0)
		snprintf(name + strlen(name), size - strlen(name), ".%c", 'a' + (char)(rand() % 3));
}

static void
random_step(struct world *w, struct buf *answers)
{
	static const char *const ids[] = { "fred",        "ann",     "eve@other.net", "anyone",
		                           "group:staff", "-anyone", "-fred",         "bob" };
	char name[100], to[100];

	random_name(name, sizeof(name));
	random_name(to, sizeof(to));
	switch (rand() % 8) {
	case 0:
	case 1:
	case 2:
		(void)store_create(w->store, slice_of(name), SLICE(""), note_result, answers);
		break;
	case 3:
		(void)store_rename(w->store, slice_of(name), slice_of(to), note_result, answers);
		break;
	case 4:
		(void)store_delete(w->store, slice_of(name), false, note_result, answers);
		break;
	default:
		change(w, name, (enum acl_mode)(rand() % 3), ids[(size_t)rand() % ARRAY_LEN(ids)],
		       (uint32_t)rand() & ACL_ALL, answers);
		break;
	}
	fakenet_settle(w->loop);
}

TEST(what_is_found_is_what_a_walk_finds)
{
	struct world w;
	struct buf answers = BUF_INIT(SIZE_MAX);

	srand(22);
	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	world_create_user(&w, "ann");
	world_create_user(&w, "eve@other.net");
	for (int i = 0; i < 1500; i++) {
		random_step(&w, &answers);
		if (i % 300 == 299)
			world_reopen(&w);
		for (size_t k = 0; k < ARRAY_LEN(people); k++)
			check_granted(&w, &people[k]);
	}
	/* it was no walk over nothing */
	assert_true(slice_find_slice(buf_slice(&answers), SLICE("ok ok ok")) < answers.len);
	buf_fini(&answers);
	world_close(&w);
}
