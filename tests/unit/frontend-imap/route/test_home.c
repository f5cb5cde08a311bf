/* home: what the map and the directory say, and what comes of it. */
#include "route/home.h"

#include "fakeauth/fakeauth.h"
#include "fakelookup.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char settings[] = "[server store1]\n"
			       "imap = 127.0.0.1:1143\n"
			       "[server old]\n"
			       "kind = imap\n"
			       "pop3 = 127.0.0.1:2110\n"
			       "tls = starttls\n"
			       "tls_name = old.example.org\n";

struct world {
	struct loop *loop;
	struct conf *conf;
	struct auth *auth;
	struct servers *servers;
	struct fakelookup map;
	struct lookup *lookup;
	struct home *home;
	unsigned answers;
	struct home_answer last;
	char why[200];
};

static struct conf *
load(const char *more)
{
	static const struct conf_schema schema = { "roost-imap", NULL };
	struct err err = { "" };
	char text[1000];
	struct conf *c;

	snprintf(text, sizeof(text), "%s%s", settings, more);
	c = conf_load_text("test", slice_of(text), &schema, NULL, &err);
	test_check(c != NULL, "%s", err.text);
	return c;
}

static void
world_init_with(struct world *w, const char *more)
{
	static char fake_tls;

	memset(w, 0, sizeof(*w));
	w->loop = loop_new();
	w->conf = load(more);
	w->auth = fakeauth_new(w->loop, "example.org");
	fakeauth_add_user(w->auth, "fred", "pw", "store1");
	fakeauth_add_user(w->auth, "hugo", "pw", "dv");
	fakeauth_add_user(w->auth, "nohome", "pw", "");
	fakeauth_add_user(w->auth, "ann@example.net", "pw", "store9");
	w->servers = servers_new(w->conf, (struct tls_ctx *)(void *)&fake_tls, NULL);
	assert_non_null(w->servers);
	w->lookup = fakelookup_new(w->loop, &w->map);
	w->home = home_new(w->lookup, w->auth, w->servers, SLICE("example.org"));
}

static void
world_init(struct world *w)
{
	world_init_with(w, "");
}

static void
world_fini(struct world *w)
{
	home_free(&w->home);
	lookup_free(&w->lookup);
	servers_free(&w->servers);
	auth_free(&w->auth);
	conf_free(&w->conf);
	fakenet_settle(w->loop);
	loop_free(&w->loop);
}

static void
on_answer(void *ctx, uint64_t id, const struct home_answer *a)
{
	struct world *w = ctx;

	assert_int_not_equal(id, 0);
	w->answers++;
	w->last = *a;
}

static void
on_map(struct world *w, enum location_result r, const char *server, uint64_t claim)
{
	w->map.result = r;
	w->map.loc = (struct location){ .server = slice_of(server), .claim = claim };
}

static const struct home_case {
	const char *name, *user;
	enum location_result map;
	const char *map_server;
	bool directory_away;
	enum home_result want;
	const char *want_server;
	uint64_t want_claim;
	bool want_new;
} cases[] = {
	{ "the map knows", "fred", LOCATION_FOUND, "store1", false, HOME_FOUND, "store1", 5,
	  false },
	{ "the map knows, and the directory is away", "fred", LOCATION_FOUND, "old", true,
	  HOME_FOUND, "old", 5, false },
	{ "the map names a server the settings lack", "fred", LOCATION_FOUND, "store7", false,
	  HOME_LATER, NULL, 0, false },
	{ "no list", "fred", LOCATION_BLIND, "", false, HOME_LATER, NULL, 0, false },
	{ "being moved", "fred", LOCATION_IS_RESERVED, "store1", false, HOME_LATER, NULL, 0,
	  false },
	{ "no mailbox yet", "fred", LOCATION_NONE, "", false, HOME_FOUND, "store1", 0, true },
	{ "no mailbox, and the directory is away", "fred", LOCATION_NONE, "", true, HOME_LATER,
	  NULL, 0, false },
	{ "no mailbox, and nobody says where", "nohome", LOCATION_NONE, "", false, HOME_NONE, NULL,
	  0, false },
	{ "no mailbox, and a home the settings lack", "ann@example.net", LOCATION_NONE, "", false,
	  HOME_LATER, NULL, 0, false },
	{ "no mailbox, and no user", "ghost", LOCATION_NONE, "", false, HOME_NONE, NULL, 0, false },
};

static void
play(const struct home_case *all, size_t count, const char *more)
{
	for (size_t i = 0; i < count; i++) {
		const struct home_case *c = &all[i];
		struct world w;

		world_init_with(&w, more);
		fakeauth_set_temp(w.auth, c->directory_away);
		on_map(&w, c->map, c->map_server, 5);
		(void)home_find(w.home, slice_of(c->user), on_answer, &w);
		assert_int_equal(w.answers, 0);
		fakenet_settle(w.loop);
		test_check(w.answers == 1, "%s", c->name);
		test_check(w.last.result == c->want, "%s: %s", c->name,
		           home_result_text(w.last.result));
		if (c->want_server != NULL)
			test_eq_str(c->name, w.last.server->name, c->want_server);
		test_check(w.last.claim == c->want_claim, "%s", c->name);
		test_check(w.last.is_new == c->want_new, "%s", c->name);
		world_fini(&w);
	}
}

TEST(home_by_map_and_directory)
{
	play(cases, ARRAY_LEN(cases), "");
}

static const struct home_case unlisted_cases[] = {
	{ "not in the list, and need not be", "hugo", LOCATION_BLIND, "", false, HOME_FOUND, "dv",
	  0, false },
	{ "the directory decides", "hugo", LOCATION_FOUND, "store1", false, HOME_FOUND, "dv", 0,
	  false },
	{ "nobody knows who decides", "hugo", LOCATION_FOUND, "store1", true, HOME_LATER, NULL, 0,
	  false },
	{ "the others are where the list says", "fred", LOCATION_FOUND, "old", false, HOME_FOUND,
	  "old", 5, false },
	{ "and nowhere without one", "fred", LOCATION_BLIND, "", false, HOME_LATER, NULL, 0,
	  false },
	{ "no mailbox yet", "fred", LOCATION_NONE, "", false, HOME_FOUND, "store1", 0, true },
	{ "no home", "nohome", LOCATION_NONE, "", false, HOME_NONE, NULL, 0, false },
	{ "nobody", "ghost", LOCATION_NONE, "", false, HOME_NONE, NULL, 0, false },
	{ "no account, and a mailbox", "ghost", LOCATION_FOUND, "store1", false, HOME_FOUND,
	  "store1", 5, false },
};

TEST(home_on_a_store_that_is_not_in_the_list)
{
	play(unlisted_cases, ARRAY_LEN(unlisted_cases),
	     "[server dv]\nkind = imap\nlisted = no\nimap = 127.0.0.1:3143\n");
}

TEST(home_asks_for_the_inbox)
{
	struct world w;

	world_init(&w);
	on_map(&w, LOCATION_FOUND, "store1", 5);
	(void)home_find(w.home, SLICE("fred"), on_answer, &w);
	test_eq_str("default domain", w.map.name, "user.fred");
	assert_false(w.map.barrier);
	fakenet_settle(w.loop);
	(void)home_find_again(w.home, SLICE("ann@example.net"), on_answer, &w);
	test_eq_str("another domain", w.map.name, "example.net!user.ann");
	assert_true(w.map.barrier);
	fakenet_settle(w.loop);
	assert_int_equal(w.answers, 2);
	world_fini(&w);
}

TEST(home_cancelled_is_not_answered)
{
	struct world w;
	uint64_t id;

	world_init(&w);
	on_map(&w, LOCATION_FOUND, "store1", 5);
	id = home_find(w.home, SLICE("fred"), on_answer, &w);
	home_cancel(w.home, id);
	fakenet_settle(w.loop);
	/* while the directory is asked */
	on_map(&w, LOCATION_NONE, "", 0);
	fakeauth_set_silent(w.auth, true);
	id = home_find(w.home, SLICE("fred"), on_answer, &w);
	fakenet_settle(w.loop);
	home_cancel(w.home, id);
	fakeauth_set_silent(w.auth, false);
	fakenet_settle(w.loop);
	home_cancel(w.home, id);
	assert_int_equal(w.answers, 0);
	/* and one is under way when all ends */
	(void)home_find(w.home, SLICE("fred"), on_answer, &w);
	world_fini(&w);
	assert_int_equal(w.answers, 0);
}
