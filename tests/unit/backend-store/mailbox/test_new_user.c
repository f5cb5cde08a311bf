/* What a new user gets. */
#include "fakenet/fakenet.h"
#include "fakenames.h"
#include "lib/test.h"
#include "world.h"

#include <string.h>

static const char *const folders[] = {
	"Entw\xc3\xbcrfe=\\Drafts", "Archive/2026", "v1.2", "Sent=\\Sent", "Archive=\\Archive", NULL
};
static const char *const subscriptions[] = { "Shared Folders/lists/announce", "Sent", "Later",
	                                     "Other Users/ann", NULL };

static bool
add_name(void *ctx, struct slice name)
{
	buf_printf(ctx, " %.*s", SLICE_ARG(name));
	return true;
}

static bool
add_mailbox(void *ctx, const struct mbox_info *info)
{
	buf_printf(ctx, " %.*s%s%.*s", SLICE_ARG(info->name), info->special_use.n > 0 ? "=" : "",
	           SLICE_ARG(info->special_use));
	return true;
}

static void
check(struct world *w, const char *user, const char *mailboxes, const char *subscribed)
{
	struct buf got = BUF_INIT(SIZE_MAX);

	store_each(w->store, SLICE(""), add_mailbox, &got);
	test_eq_str("mailboxes", buf_cstr(&got), mailboxes);
	buf_clear(&got);
	store_each_subscription(w->store, slice_of(user), add_name, &got);
	test_eq_str("subscribed", buf_cstr(&got), subscribed);
	buf_fini(&got);
}

TEST(folders_and_subscriptions_come_with_the_inbox)
{
	const struct new_user n = { folders, subscriptions };

	for (enum world_mode mode = 0; mode < WORLD_MODES; mode++) {
		struct world w;

		world_open(&w, mode);
		store_set_new_user(w.store, &n);
		assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
		check(&w, "fred",
		      " user.fred user.fred.Archive=\\Archive user.fred.Archive.2026 "
		      "user.fred.Entw&APw-rfe=\\Drafts "
		      "user.fred.Sent=\\Sent user.fred.v1^2",
		      " lists.announce user.ann user.fred user.fred.Archive user.fred.Archive.2026 "
		      "user.fred.Entw&APw-rfe user.fred.Later user.fred.Sent user.fred.v1^2");
		world_check_reopen(&w, "a new user");
		/* who is there keeps what he has */
		store_set_new_user(w.store, &(struct new_user){ NULL, NULL });
		assert_int_equal(world_delete(&w, "user.fred.Sent", false), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "fred", "user.ann", false), MBOX_OK);
		assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
		check(&w, "fred",
		      " user.fred user.fred.Archive=\\Archive user.fred.Archive.2026 "
		      "user.fred.Entw&APw-rfe=\\Drafts "
		      "user.fred.v1^2",
		      " lists.announce user.fred user.fred.Archive user.fred.Archive.2026 "
		      "user.fred.Entw&APw-rfe user.fred.Later user.fred.Sent user.fred.v1^2");
		assert_int_equal(world_delete(&w, "user.fred", true), MBOX_OK);
		check(&w, "fred", "", "");
		world_close(&w);
	}
}

TEST(shared_names_are_those_of_the_users_domain)
{
	const struct new_user n = { NULL, subscriptions };
	struct world w;

	world_open(&w, WORLD_PLAIN);
	store_set_new_user(w.store, &n);
	assert_int_equal(world_create_user(&w, "bob@example.net"), MBOX_OK);
	check(&w, "bob@example.net", " example.net!user.bob",
	      " example.net!lists.announce example.net!user.ann example.net!user.bob "
	      "example.net!user.bob.Later example.net!user.bob.Sent");
	world_close(&w);
}

/* A name of 64 octets leaves no room for a folder of 430: he is made without it. */
TEST(a_folder_that_is_too_long_for_one_user_is_left_out)
{
	static char longest[440], user[65];
	const char *const list[] = { longest, "Sent=\\Sent", NULL };
	struct world w;

	memset(longest, 'x', 430);
	memset(user, 'u', 64);
	world_open(&w, WORLD_PLAIN);
	store_set_new_user(w.store, &(struct new_user){ list, NULL });
	assert_int_equal(world_create_user(&w, user), MBOX_OK);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
	assert_int_equal(store_count(w.store), 5);
	world_close(&w);
}

struct answers {
	unsigned came, ok;
};

static void
on_done(void *ctx, enum mbox_result result)
{
	struct answers *a = ctx;

	a->came++;
	a->ok += result == MBOX_OK;
}

TEST(of_several_who_make_a_user_one_does)
{
	const struct new_user n = { folders, subscriptions };
	struct fakenames fake;
	struct answers a = { 0, 0 };
	struct world w;

	world_open(&w, WORLD_PLAIN);
	fakenames_init(&fake, w.loop);
	store_set_names(w.store, &fake.names);
	store_set_new_user(w.store, &n);
	for (int i = 0; i < 5; i++)
		(void)store_create_user(w.store, SLICE("fred"), on_done, &a);
	fakenet_settle(w.loop);
	assert_true(a.came == 5 && a.ok == 5);
	assert_int_equal(store_count(w.store), 6);
	test_eq_str(
		"the master", buf_cstr(&fake.calls),
		"reserve user.fred user.fred.Entw&APw-rfe user.fred.Archive user.fred.Archive.2026 "
		"user.fred.v1^2 user.fred.Sent; activate user.fred user.fred.Entw&APw-rfe "
		"user.fred.Archive "
		"user.fred.Archive.2026 user.fred.v1^2 user.fred.Sent; ");
	store_set_names(w.store, NULL);
	fakenames_fini(&fake);
	world_close(&w);
}

static const struct check_case {
	const char *folder, *subscription, *why;
} checks[] = {
	{ "Sent=\\Sent", "Shared Folders/a", NULL },
	{ "Entw\xc3\xbcrfe", "\xc3\xa4", NULL },
	{ "", "a", "the folder  for new users: a mailbox name must not be empty" },
	{ "a//b", "a",
	  "the folder a//b for new users: a mailbox name has an empty part, or starts "
	  "or ends with a separator" },
	{ "\xff", "a",
	  "the folder \xff for new users: the mailbox name has characters that are not "
	  "allowed" },
	{ "Shared Folders/a", "a",
	  "the folder Shared Folders/a for new users: this is no folder of "
	  "a user" },
	{ "inbox", "a", "the folder inbox for new users: this is no folder of a user" },
	{ "Sent=Sent", "a",
	  "the folder Sent=Sent for new users: behind the = stands a special use "
	  "such as \\Sent" },
	{ "Sent=", "a",
	  "the folder Sent= for new users: behind the = stands a special use such as "
	  "\\Sent" },
	{ "b", "Shared Folders",
	  "the subscription \"Shared Folders\" for new users: the mailbox "
	  "name is reserved" },
	{ "Twice", "a", "the folder Twice for new users is there twice" },
};

TEST(settings_that_cannot_be_are_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		const char *const f[] = { "Twice=\\Drafts", checks[i].folder, NULL };
		const char *const sub[] = { "a", checks[i].subscription, NULL };
		struct err err = { "" };
		bool ok = store_check_new_user(&(struct new_user){ f, sub }, "example.org", &err);

		test_eq_str(checks[i].folder, err.text, checks[i].why != NULL ? checks[i].why : "");
		assert_int_equal(ok, checks[i].why == NULL);
	}
}
