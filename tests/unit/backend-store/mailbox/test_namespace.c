/* Names: create, delete, rename, rights, subscriptions; the master's part; restarts. */
#include <stdio.h>
#include <stdlib.h>

#include "fakenames.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "world.h"

#define EACH_MODE for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)

static bool
add_name(void *ctx, const struct mbox_info *info)
{
	struct buf *b = ctx;

	buf_printf(b, "%s%.*s", b->len != 0 ? " " : "", SLICE_ARG(info->name));
	return true;
}

static void
check_names(struct world *w, const char *what, const char *want)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	store_each(w->store, SLICE(""), add_name, &b);
	world_eq(what, &b, want);
	buf_fini(&b);
}

static bool
add_sub(void *ctx, struct slice name)
{
	struct buf *b = ctx;

	buf_printf(b, "%s%.*s", b->len != 0 ? " " : "", SLICE_ARG(name));
	return true;
}

static void
check_subs(struct world *w, const char *user, const char *want)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	store_each_subscription(w->store, slice_of(user), add_sub, &b);
	world_eq(user, &b, want);
	buf_fini(&b);
}

static void
check_tombs(struct world *w, const char *want)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	store_each_tombstone(w->store, add_sub, &b);
	world_eq("tombstones", &b, want);
	buf_fini(&b);
}

/* ---- one store of its own ------------------------------------------------------------------- */

TEST(a_user_gets_his_folders_once)
{
	struct world w;
	struct mbox_info info;

	EACH_MODE
	{
		world_open(&w, mode);
		assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
		check_names(&w, "new user", "user.fred user.fred.Sent user.fred.Trash");
		check_subs(&w, "fred", "user.fred user.fred.Sent user.fred.Trash");
		assert_true(store_find(w.store, SLICE("user.fred.Sent"), &info));
		test_eq_slice("use", info.special_use, SLICE("\\Sent"));
		test_eq_slice("acl", info.acl, SLICE("fred\tlrswipkxtecda\t"));
		assert_false(info.has_children);
		assert_true(store_find(w.store, SLICE("user.fred"), &info));
		assert_true(info.has_children);
		world_check_reopen(&w, "new user");
		assert_int_equal(world_delete(&w, "user.fred.Trash", false), MBOX_OK);
		assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
		check_names(&w, "again", "user.fred user.fred.Sent");
		assert_int_equal(world_create_user(&w, "bob@example.net"), MBOX_OK);
		check_names(&w, "another domain",
		            "example.net!user.bob example.net!user.bob.Sent "
		            "example.net!user.bob.Trash user.fred user.fred.Sent");
		assert_int_equal(world_create_user(&w, "Bad User"), MBOX_INVALID);
		world_check_reopen(&w, "two users");
		world_close(&w);
	}
}

static const struct create_case {
	const char *name;
	enum mbox_result want;
} create_cases[] = {
	{ "user.fred.a", MBOX_OK },          { "user.fred.a", MBOX_EXISTS },
	{ "user.fred.b.c.d", MBOX_OK }, /* parents are not made */
	{ "user.fred", MBOX_EXISTS },        { "user.nobody.a", MBOX_ABSENT },
	{ "user.fred..a", MBOX_INVALID },    { "", MBOX_INVALID },
	{ "user.fred.a\x01", MBOX_INVALID }, { "lists.announce", MBOX_OK },
};

TEST(create_checks_names)
{
	struct world w;
	struct mbox_info info;

	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	for (size_t i = 0; i < ARRAY_LEN(create_cases); i++)
		test_check(world_create(&w, create_cases[i].name) == create_cases[i].want, "%s",
		           create_cases[i].name);
	assert_int_equal(world_create_use(&w, "user.fred.j", "\\Junk"), MBOX_OK);
	assert_int_equal(world_create_use(&w, "user.fred.k", "Junk"), MBOX_INVALID);
	assert_int_equal(world_create_use(&w, "user.fred.k", "\\Ju nk"), MBOX_INVALID);
	assert_true(store_find(w.store, SLICE("lists.announce"), &info));
	test_eq_slice("shared acl", info.acl, SLICE("anyone\tlrs\t"));
	world_check_reopen(&w, "created");
	world_close(&w);
}

TEST(delete_and_create_again_is_another_mailbox)
{
	struct world w;
	struct mbox_info before, after;

	EACH_MODE
	{
		world_open(&w, mode);
		world_create_user(&w, "fred");
		world_create(&w, "user.fred.a");
		world_create(&w, "user.fred.a.b");
		world_append(&w, "user.fred.a", "x", 0, NULL);
		world_append(&w, "user.fred.a", "y", 0, NULL);
		world_copy(&w, "user.fred.a", "1", "user.fred", false, NULL);
		assert_true(store_find(w.store, SLICE("user.fred.a"), &before));
		assert_int_equal(world_delete(&w, "user.fred.a", false), MBOX_OK);
		assert_int_equal(world_delete(&w, "user.fred.a", false), MBOX_ABSENT);
		assert_null(world_get(&w, "user.fred.a", NULL));
		world_check_reopen(&w, "deleted; its copy and the name below are there");
		assert_int_equal(world_create(&w, "user.fred.a"), MBOX_OK);
		assert_true(store_find(w.store, SLICE("user.fred.a"), &after));
		assert_true(after.id != before.id && after.uidvalidity > before.uidvalidity);
		assert_int_equal(world_append(&w, "user.fred.a", "z", 0, NULL), 1);
		world_check_reopen(&w, "created again");
		world_close(&w);
	}
}

TEST(an_inbox_goes_only_with_its_user)
{
	struct world w;

	EACH_MODE
	{
		world_open(&w, mode);
		world_create_user(&w, "fred");
		world_create_user(&w, "fredrik");
		world_append(&w, "user.fred", "x", 0, NULL);
		world_subscribe(&w, "fred", "lists.none", true);
		assert_int_equal(world_delete(&w, "user.fred", false), MBOX_CANNOT);
		assert_int_equal(world_delete(&w, "user.fred.Sent", true), MBOX_CANNOT);
		assert_int_equal(world_delete(&w, "user.fred", true), MBOX_OK);
		check_names(&w, "after", "user.fredrik user.fredrik.Sent user.fredrik.Trash");
		check_subs(&w, "fred", "");
		world_check_reopen(&w, "a user less");
		world_close(&w);
	}
}

TEST(rename_takes_the_tree_along)
{
	struct world w;
	struct mbox_info before, after;

	EACH_MODE
	{
		world_open(&w, mode);
		world_create_user(&w, "fred");
		world_create(&w, "user.fred.a");
		world_create(&w, "user.fred.a.b");
		world_create(&w, "user.fred.a-b");
		world_create(&w, "user.fred.ab");
		for (int i = 0; i < 12; i++) {
			char name[40];

			snprintf(name, sizeof(name), "user.fred.a.n%d", i);
			world_create(&w, name);
		}
		world_append(&w, "user.fred.a.b", "x", MSG_SEEN, NULL);
		assert_true(store_find(w.store, SLICE("user.fred.a.b"), &before));
		assert_int_equal(world_rename(&w, "user.fred.a", "user.fred.z.y"), MBOX_OK);
		check_names(&w, "renamed",
		            "user.fred user.fred.Sent user.fred.Trash user.fred.a-b user.fred.ab "
		            "user.fred.z.y user.fred.z.y.b user.fred.z.y.n0 user.fred.z.y.n1 "
		            "user.fred.z.y.n10 user.fred.z.y.n11 user.fred.z.y.n2 user.fred.z.y.n3 "
		            "user.fred.z.y.n4 user.fred.z.y.n5 user.fred.z.y.n6 user.fred.z.y.n7 "
		            "user.fred.z.y.n8 user.fred.z.y.n9");
		assert_true(store_find(w.store, SLICE("user.fred.z.y.b"), &after));
		assert_int_equal(after.id, before.id);
		assert_int_equal(after.uidvalidity, before.uidvalidity);
		world_check_reopen(&w, "renamed");
		world_append(&w, "user.fred.z.y.b", "y", 0, NULL);
		world_check_reopen(&w, "renamed and used");
		world_close(&w);
	}
}

static const struct rename_case {
	const char *from, *to;
	enum mbox_result want;
} rename_cases[] = {
	{ "user.fred.none", "user.fred.b", MBOX_ABSENT },
	{ "user.fred.a", "user.fred.Sent", MBOX_EXISTS },
	{ "user.fred.a", "user.fred.a", MBOX_EXISTS },
	{ "user.fred.a", "user.fred.a.b", MBOX_CANNOT },
	{ "user.fred.a", "user.ann", MBOX_CANNOT },
	{ "user.fred.a", "user.ann.a", MBOX_ABSENT },
	{ "user.fred.a", "user.fred..", MBOX_INVALID },
	{ "user.fred.p", "user.fred.q", MBOX_OK }, /* only names below it */
	{ "user.fred.a", "user.fred.q.c", MBOX_EXISTS },
	{ "user.fred.a", "user.fred.b", MBOX_OK },
	{ "user.none", "user.fred.x", MBOX_ABSENT },
};

TEST(rename_checks_names)
{
	struct world w;

	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	world_create(&w, "user.fred.a");
	world_create(&w, "user.fred.p.c");
	for (size_t i = 0; i < ARRAY_LEN(rename_cases); i++) {
		const struct rename_case *c = &rename_cases[i];
		enum mbox_result r = world_rename(&w, c->from, c->to);

		test_check(r == c->want, "%s -> %s: %s", c->from, c->to, mbox_result_name(r));
	}
	check_names(&w, "after",
	            "user.fred user.fred.Sent user.fred.Trash user.fred.b user.fred.q.c");
	world_close(&w);
}

TEST(rename_of_inbox_moves_its_messages)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	EACH_MODE
	{
		world_open(&w, mode);
		world_create_user(&w, "fred");
		world_append(&w, "user.fred", "x", MSG_SEEN, "k");
		world_append(&w, "user.fred", "y", 0, NULL);
		assert_int_equal(world_rename(&w, "user.fred", "user.fred.old"), MBOX_OK);
		world_uids(&w, "user.fred", &b);
		world_eq("INBOX", &b, "");
		world_uids(&w, "user.fred.old", &b);
		world_eq("old", &b, "1 2");
		world_check_reopen(&w, "INBOX renamed");
		assert_int_equal(world_append(&w, "user.fred", "z", 0, NULL), 3);
		assert_int_equal(world_rename(&w, "user.fred", "user.fred.old"), MBOX_EXISTS);
		world_check_reopen(&w, "INBOX used again");
		world_close(&w);
	}
	buf_fini(&b);
}

struct told {
	struct mailbox_watch watch;
	struct mailbox *m;
	int renamed, gone;
};

static void
on_told(void *ctx, enum mailbox_change change)
{
	struct told *t = ctx;

	t->renamed += change == MAILBOX_RENAMED;
	if (change != MAILBOX_GONE)
		return;
	t->gone++;
	mailbox_unwatch(&t->watch);
	mailbox_release(&t->m);
}

static void
no_more(void *ctx, enum mbox_result result, UNUSED const struct mailbox_added *added)
{
	assert_int_equal(result, MBOX_ABSENT);
	++*(int *)ctx;
}

TEST(who_has_it_open_is_told)
{
	struct world w;
	struct told t = { .watch = { .fn = on_told, .ctx = &t } };
	struct slice piece = SLICE_INIT("x");
	struct msg_new msg = { .pieces = &piece, .piece_count = 1 };
	struct mailbox *other;
	int n = 0;

	EACH_MODE
	{
		t.renamed = t.gone = n = 0;
		world_open(&w, mode);
		world_create_user(&w, "fred");
		t.m = world_must_get(&w, "user.fred.Sent");
		other = mailbox_ref(t.m);
		mailbox_watch(t.m, &t.watch);
		assert_int_equal(world_rename(&w, "user.fred.Sent", "user.fred.S"), MBOX_OK);
		assert_int_equal(t.renamed, 1);
		test_eq_slice("name", mailbox_name(t.m), SLICE("user.fred.S"));
		assert_int_equal(world_delete(&w, "user.fred.S", false), MBOX_OK);
		assert_int_equal(t.gone, 1);
		assert_true(mailbox_is_gone(other));
		(void)mailbox_append(other, &msg, 1, no_more, &n);
		fakenet_settle(w.loop);
		assert_int_equal(n, 1);
		mailbox_release(&other);
		world_check_reopen(&w, "renamed and deleted while open");
		world_close(&w);
	}
}

TEST(rights_and_claims_survive)
{
	struct world w;
	struct mbox_info info;
	char *big = malloc(70001);

	EACH_MODE
	{
		world_open(&w, mode);
		world_create_user(&w, "fred");
		assert_int_equal(world_set_acl(&w, "user.fred", "fred\tlrs\tann\tlr\t"), MBOX_OK);
		assert_int_equal(world_set_acl(&w, "user.fred", "fred"), MBOX_INVALID);
		assert_int_equal(world_set_acl(&w, "user.none", "fred\tlrs\t"), MBOX_ABSENT);
		assert_int_equal(world_set_claim(&w, "user.fred", 7), MBOX_OK);
		assert_int_equal(world_set_claim(&w, "user.none", 7), MBOX_ABSENT);
		assert_true(store_find(w.store, SLICE("user.fred"), &info));
		test_eq_slice("acl", info.acl, SLICE("fred\tlrs\tann\tlr\t"));
		assert_int_equal(info.claim, 7);
		assert_true(store_find_id(w.store, info.id, &info));
		assert_false(store_find_id(w.store, 4711, &info));
		assert_int_equal(world_create(&w, "user.fred.new"), MBOX_OK);
		assert_true(store_find(w.store, SLICE("user.fred.new"), &info));
		test_eq_slice("inherited", info.acl, SLICE("fred\tlrs\tann\tlr\t"));
		world_check_reopen(&w, "rights and claims");
		world_close(&w);
	}
	memset(big, 'x', 70000);
	big[70000] = '\0';
	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	assert_int_equal(world_set_acl(&w, "user.fred", big), MBOX_INVALID);
	world_close(&w);
	free(big);
}

static void
on_claim_written(void *ctx, enum mbox_result result)
{
	assert_int_equal(result, MBOX_OK);
	*(bool *)ctx = true;
}

/* The front ends have it from the master by then, and would be sent away. */
TEST(a_claim_holds_before_it_is_written)
{
	struct world w;
	struct mbox_info info;

	EACH_MODE
	{
		bool written = false;

		world_open(&w, mode);
		world_create_user(&w, "fred");
		(void)store_set_claim(w.store, SLICE("user.fred"), 7, on_claim_written, &written);
		assert_false(written);
		assert_true(store_find(w.store, SLICE("user.fred"), &info));
		assert_int_equal(info.claim, 7);
		assert_int_equal(deliver_check(w.store, SLICE("fred"), 7, 0), MBOX_OK);
		assert_int_equal(deliver_check(w.store, SLICE("fred"), 6, 0), MBOX_UNAVAILABLE);
		fakenet_settle(w.loop);
		assert_true(written);
		world_close(&w);
	}
}

TEST(subscriptions_need_no_mailbox)
{
	struct world w;

	EACH_MODE
	{
		world_open(&w, mode);
		assert_int_equal(world_subscribe(&w, "fred", "user.fred.z", true), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "fred", "lists.a", true), MBOX_OK);
		world_check_reopen(&w, "two subscriptions");
		assert_int_equal(world_subscribe(&w, "fred", "user.fred.b", true), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "fred", "user.fred.z", false), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "fred", "user.fred.z", false), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "ann", "lists.b", true), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "ann", "..", true), MBOX_INVALID);
		check_subs(&w, "fred", "lists.a user.fred.b");
		check_subs(&w, "ann", "lists.b");
		assert_true(store_is_subscribed(w.store, SLICE("fred"), SLICE("lists.a")));
		assert_false(store_is_subscribed(w.store, SLICE("fred"), SLICE("user.fred.z")));
		assert_false(store_is_subscribed(w.store, SLICE("fred"), SLICE("lists.b")));
		world_check_reopen(&w, "subscriptions");
		world_close(&w);
	}
}

/* ---- with a master ------------------------------------------------------------------------------ */

static void
open_with_master(struct world *w, struct fakenames *f)
{
	world_open(w, WORLD_PLAIN);
	fakenames_init(f, w->loop);
	w->names = &f->names;
	store_set_names(w->store, w->names);
}

static void
check_calls(struct fakenames *f, const char *want)
{
	world_eq("asked of the master", &f->calls, want);
	buf_clear(&f->calls);
}

static void
close_with_master(struct world *w, struct fakenames *f)
{
	fakenames_fini(f);
	world_close(w);
}

TEST(the_master_is_asked_before_and_told_after)
{
	struct world w;
	struct fakenames f;

	open_with_master(&w, &f);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
	check_calls(&f, "reserve user.fred user.fred.Sent user.fred.Trash; "
	                "activate user.fred user.fred.Sent user.fred.Trash; ");
	assert_int_equal(world_create(&w, "user.fred.a"), MBOX_OK);
	check_calls(&f, "reserve user.fred.a; activate user.fred.a; ");
	assert_int_equal(world_create(&w, "user.fred.a.b"), MBOX_OK);
	check_calls(&f, "reserve user.fred.a.b; activate user.fred.a.b; ");
	assert_int_equal(world_rename(&w, "user.fred.a", "user.fred.z"), MBOX_OK);
	check_calls(&f, "reserve user.fred.z user.fred.z.b; activate user.fred.z user.fred.z.b; "
	                "release user.fred.a user.fred.a.b; ");
	assert_int_equal(world_delete(&w, "user.fred.z.b", false), MBOX_OK);
	check_calls(&f, "release user.fred.z.b; ");
	assert_int_equal(world_set_acl(&w, "user.fred.z", "fred\tlrs\t"), MBOX_OK);
	check_calls(&f, "activate user.fred.z; ");
	assert_int_equal(world_rename(&w, "user.fred", "user.fred.old"), MBOX_OK);
	check_calls(&f, "reserve user.fred.old; activate user.fred.old; ");
	fakenet_settle(w.loop);
	check_tombs(&w, "");
	world_check_reopen(&w, "with a master");
	close_with_master(&w, &f);
}

TEST(a_refused_reservation_changes_nothing)
{
	struct world w;
	struct fakenames f;

	open_with_master(&w, &f);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
	buf_clear(&f.calls);
	f.reserve = NAMES_TAKEN;
	assert_int_equal(world_create(&w, "user.fred.a"), MBOX_EXISTS);
	assert_int_equal(world_create_user(&w, "ann"), MBOX_EXISTS);
	assert_int_equal(world_rename(&w, "user.fred.Sent", "user.fred.b"), MBOX_EXISTS);
	f.reserve = NAMES_LATER;
	assert_int_equal(world_create(&w, "user.fred.a"), MBOX_UNAVAILABLE);
	assert_int_equal(world_rename(&w, "user.fred", "user.fred.b"), MBOX_UNAVAILABLE);
	check_names(&w, "nothing new", "user.fred user.fred.Sent user.fred.Trash");
	assert_false(store_is_pending(w.store, SLICE("user.fred.a")));
	close_with_master(&w, &f);
}

TEST(an_unknown_outcome_is_unavailable_and_leaves_what_reconciliation_needs)
{
	struct world w;
	struct fakenames f;

	open_with_master(&w, &f);
	world_create_user(&w, "fred");
	f.activate = NAMES_LATER;
	assert_int_equal(world_create(&w, "user.fred.a"), MBOX_UNAVAILABLE);
	check_names(&w, "it is there", "user.fred user.fred.Sent user.fred.Trash user.fred.a");
	f.activate = NAMES_OK;
	f.release = NAMES_LATER;
	assert_int_equal(world_delete(&w, "user.fred.a", false), MBOX_UNAVAILABLE);
	check_names(&w, "it is gone", "user.fred user.fred.Sent user.fred.Trash");
	check_tombs(&w, "user.fred.a");
	assert_int_equal(world_rename(&w, "user.fred.Sent", "user.fred.b"), MBOX_UNAVAILABLE);
	check_names(&w, "renamed", "user.fred user.fred.Trash user.fred.b");
	world_check_reopen(&w, "tombstones");
	f.release = NAMES_OK;
	assert_int_equal(world_create(&w, "user.fred.a"), MBOX_OK);
	check_tombs(&w, "user.fred.Sent");
	(void)store_clear_tombstone(w.store, SLICE("user.fred.Sent"), (store_done_fn *)NULL, NULL);
	fakenet_settle(w.loop);
	check_tombs(&w, "");
	world_check_reopen(&w, "no tombstones");
	close_with_master(&w, &f);
}

TEST(without_the_master_nothing_is_deleted)
{
	struct world w;
	struct fakenames f;

	open_with_master(&w, &f);
	world_create_user(&w, "fred");
	f.away = true;
	assert_int_equal(world_delete(&w, "user.fred.Sent", false), MBOX_UNAVAILABLE);
	assert_int_equal(world_delete(&w, "user.fred", true), MBOX_UNAVAILABLE);
	assert_int_equal(world_set_acl(&w, "user.fred", "fred\tlrs\t"), MBOX_UNAVAILABLE);
	check_names(&w, "all there", "user.fred user.fred.Sent user.fred.Trash");
	close_with_master(&w, &f);
}

/* ---- several at once ---------------------------------------------------------------------------- */

static void
note_result(void *ctx, enum mbox_result result)
{
	struct buf *b = ctx;

	buf_printf(b, "%s ", mbox_result_name(result));
}

TEST(changes_of_one_name_wait_for_each_other)
{
	struct world w;
	struct fakenames f;
	struct buf b = BUF_INIT(SIZE_MAX);

	open_with_master(&w, &f);
	(void)store_create_user(w.store, SLICE("fred"), note_result, &b);
	assert_true(store_is_pending(w.store, SLICE("user.fred.Sent")));
	assert_false(store_is_pending(w.store, SLICE("user.ann")));
	(void)store_create_user(w.store, SLICE("fred"), note_result, &b);
	(void)store_create(w.store, SLICE("user.fred.a"), SLICE(""), note_result, &b);
	(void)store_create(w.store, SLICE("user.fred.a"), SLICE(""), note_result, &b);
	(void)store_rename(w.store, SLICE("user.fred.a"), SLICE("user.fred.b"), note_result, &b);
	(void)store_delete(w.store, SLICE("user.fred.b"), false, note_result, &b);
	fakenet_settle(w.loop);
	world_eq("answers", &b, "ok ok ok exists ok ok ");
	assert_false(store_is_pending(w.store, SLICE("user.fred.Sent")));
	check_names(&w, "after", "user.fred user.fred.Sent user.fred.Trash");
	buf_fini(&b);
	close_with_master(&w, &f);
}

TEST(a_store_closes_with_changes_under_way)
{
	struct world w;
	struct fakenames f;
	struct buf b = BUF_INIT(SIZE_MAX);

	open_with_master(&w, &f);
	world_create_user(&w, "fred");
	world_append(&w, "user.fred", "x", 0, NULL);
	f.silent = 1;
	(void)store_create(w.store, SLICE("user.fred.a"), SLICE(""), note_result, &b);
	(void)store_create(w.store, SLICE("user.fred.a"), SLICE(""), note_result, &b);
	fakenet_settle(w.loop);
	/* logged and not published: */
	store_set_names(w.store, NULL);
	(void)store_create(w.store, SLICE("user.fred.b"), SLICE(""), note_result, &b);
	(void)store_rename(w.store, SLICE("user.fred"), SLICE("user.fred.c"), note_result, &b);
	(void)store_delete(w.store, SLICE("user.fred.Trash"), false, note_result, &b);
	world_eq("answers", &b, "");
	store_close(&w.store);
	w.names = NULL;
	world_eq("answers", &b, "");
	buf_fini(&b);
	fakenames_fini(&f);
	loop_free(&w.loop);
}

/* A name another store holds: nothing is served from here. */
TEST(a_conflict_refuses)
{
	struct world w;
	enum mbox_result r;
	struct mailbox_status st;

	world_open(&w, WORLD_PLAIN);
	world_create_user(&w, "fred");
	store_set_conflict(w.store, SLICE("user.fred"), true);
	store_set_conflict(w.store, SLICE("user.none"), true);
	assert_null(world_get(&w, "user.fred", &r));
	assert_int_equal(r, MBOX_UNAVAILABLE);
	assert_int_equal(world_status(&w, "user.fred", &st), MBOX_UNAVAILABLE);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_UNAVAILABLE);
	assert_int_equal(world_deliver(&w, "fred", "x", 1).result, MBOX_UNAVAILABLE);
	store_set_conflict(w.store, SLICE("user.fred"), false);
	assert_int_equal(world_deliver(&w, "fred", "x", 1).result, MBOX_OK);
	world_close(&w);
}
