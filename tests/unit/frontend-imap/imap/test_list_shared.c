/* list_shared: what users of several domains may see, and what it costs. */
#include "imap/list_shared.h"

#include "fakemap.h"
#include "fakenet/play.h"

#include "lib/test.h"

#include <stdio.h>

static void
on_name(void *ctx, const struct list_shared_name *n)
{
	buf_printf(ctx, "%s%.*s%s%s,", n->exists ? "" : "(", SLICE_ARG(n->client),
	           n->exists ? "" : ")", n->has_children ? "+" : "");
}

static const struct find_case {
	const char *name, *user, *groups, *pattern, *want;
} find_cases[] = {
	{ "a user of the default domain", "fred", "", "*",
	  "(Other Users)+,(Other Users/bob)+,Other Users/bob/a_b,(Shared Folders)+,"
	  "Shared Folders/lists+,Shared Folders/lists/x,Shared Folders/lists/y,"
	  "Shared Folders/guests@other.net," },
	{ "one who is in a group", "ann", "staff x@other.net", "Shared%/%",
	  "Shared Folders/lists+,(Shared Folders/staff)+,Shared Folders/team@other.net," },
	{ "below a name that is not there", "ann", "staff", "*staff*",
	  "(Shared Folders/staff)+,Shared Folders/staff/in," },
	{ "a user of another domain", "eve@other.net", "", "*",
	  "(Other Users)+,(Other Users/bob@example.org)+,Other Users/bob@example.org/far,"
	  "(Shared Folders)+,Shared Folders/open," },
	{ "one whose mailbox is moved is no other than before", "zoe", "", "*moved*",
	  "(Other Users/moved)+,Other Users/moved/here+,Other Users/moved/here/too," },
	{ "and what he may not see stays hidden", "fred", "", "*moved*", "" },
	{ "what is denied is not there", "mallory", "", "*",
	  "(Other Users)+,(Other Users/fred)+,Other Users/fred/own,"
	  "(Shared Folders)+,(Shared Folders/lists)+,Shared Folders/lists/x," },
	{ "one level", "fred", "", "%", "(Other Users)+,(Shared Folders)+," },
	{ "nothing for nobody", "someone@third.net", "", "*", "" },
	{ "one name", "fred", "", "Shared Folders/lists/y", "Shared Folders/lists/y," },
	{ "a name that is no pattern's", "fred", "", "x*", "" },
};

static void
find(struct fakemap *m, const struct find_case *k)
{
	struct arena *arena = arena_new("test");
	struct mbox_view view = { slice_of(k->user), SLICE("example.org") };
	struct buf out = BUF_INIT(SIZE_MAX);
	struct pattern *p = arena_alloc(arena, sizeof(*p));
	struct list_shared l;

	assert_true(pattern_init(p, SLICE(""), slice_of(k->pattern)));
	list_shared_init(&l, fakemap_reader(m), &view, k->groups, arena);
	list_shared_find(&l, p, 1, on_name, &out);
	assert_false(l.blind);
	test_eq_str(k->name, buf_cstr(&out), k->want);
	buf_fini(&out);
	arena_free(&arena);
}

TEST(what_each_may_see)
{
	static const char *const rows[] = {
		"has user.fred s1 fred=lr",
		"has user.fred.own s1 fred=lr,anyone=l",
		"has user.bob s1 bob=lr",
		"has user.bob.a_b s1 fred=l",
		"has user.bob.far s1 eve@other.net=lr",
		"has user.bob.INBOX.in s1 bob=l",
		"has user.moved left:s1 moved=lr",
		"has user.moved.here left:s1 zoe=l",
		"has user.moved.here.too left:s1 zoe=lr",
		"has user.moved.mine left:s1 zoe=r",
		"has user.moved.new reserved zoe=lr",
		"has lists s1 anyone=lr,-mallory=l",
		"has lists.x s1 anyone=l",
		"has lists.y s2 anyone=lr,-mallory=lr",
		"has lists.z s2 anyone=r",
		"has staff.in s2 group:staff=lr",
		"has DELETED.user.bob.x s1 fred=lr",
		"has other.net!guests s2 fred=l",
		"has other.net!team s2 group:x@other.net=l",
		"has other.net!open s2 anyone=l",
		"has other.net!user.eve s2 eve@other.net=lr",
	};
	struct play *play = play_new();
	struct fakemap *m = fakemap_new(play_loop(play));

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fakemap_action(m, rows[i]);
	for (size_t i = 0; i < ARRAY_LEN(find_cases); i++)
		find(m, &find_cases[i]);
	fakemap_free(&m);
	play_free(&play);
}
