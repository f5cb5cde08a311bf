/* route: what directory and map say of an address, and what comes of it. */
#include "route/route.h"

#include "fakeauth/fakeauth.h"
#include "fakemap.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char settings[] = "[server store1]\n"
			       "lmtp = 127.0.0.1:1024\n"
			       "[server store2]\n"
			       "lmtp = 127.0.0.1:2024\n"
			       "[server deaf]\n"
			       "imap = 127.0.0.1:1143\n"
			       "[server dv]\n"
			       "kind = imap\n"
			       "listed = no\n"
			       "lmtp = 127.0.0.1:3024\n";

struct world {
	struct loop *loop;
	struct conf *conf;
	struct auth *auth;
	struct servers *servers;
	struct fakemap map;
	struct lookup *lookup;
	struct route *route;
	unsigned answers;
	char said[400]; /* the last answer, in words */
};

static void
add_row(struct world *w, const char *name, enum location_result r, const char *server)
{
	struct fakemap_row *row = fakemap_at(&w->map, name);

	row->now = (struct fakemap_answer){ .result = r, .claim = 5 };
	snprintf(row->now.server, sizeof(row->now.server), "%s", server);
	row->after_barrier = row->now;
}

static void
world_init(struct world *w, bool with_directory)
{
	static const struct conf_schema schema = { "roost-smtp", NULL };
	struct err err = { "" };

	memset(w, 0, sizeof(*w));
	w->loop = loop_new();
	w->conf = conf_load_text("test", SLICE(settings), &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	w->auth = fakeauth_new(w->loop, "example.org");
	fakeauth_add_user(w->auth, "fred", "pw", "store1");
	fakeauth_add_user(w->auth, "new", "pw", "store2");
	fakeauth_add_user(w->auth, "nohome", "pw", "");
	fakeauth_add_user(w->auth, "lost", "pw", "store9");
	fakeauth_add_user(w->auth, "ann@example.net", "pw", "store1");
	fakeauth_add_user(w->auth, "gone", "pw", "store1");
	fakeauth_disable_user(w->auth, "gone");
	fakeauth_add_alias(w->auth, "all@example.org", "fred ann@example.net nohome");
	add_row(w, "user.fred", LOCATION_FOUND, "store1");
	add_row(w, "user.moving", LOCATION_IS_RESERVED, "store1");
	add_row(w, "example.net!user.ann", LOCATION_FOUND, "store2");
	add_row(w, "user.deaf", LOCATION_FOUND, "deaf");
	fakeauth_add_user(w->auth, "hugo", "pw", "dv");
	add_row(w, "user.hugo", LOCATION_FOUND, "store1");
	fakeauth_add_user(w->auth, "moving", "pw", "store1");
	fakeauth_add_user(w->auth, "deaf", "pw", "store1");
	w->servers = servers_new(w->conf, NULL, &err);
	w->lookup = fakemap_new(w->loop, &w->map);
	w->route = route_new(&(struct route_config){
		.loop = w->loop,
		.auth = with_directory ? w->auth : NULL,
		.lookup = w->lookup,
		.servers = w->servers,
		.default_domain = "example.org",
		.delimiter = '+',
	});
}

static void
world_fini(struct world *w)
{
	route_free(&w->route);
	lookup_free(&w->lookup);
	servers_free(&w->servers);
	auth_free(&w->auth);
	conf_free(&w->conf);
	fakenet_settle(w->loop);
	loop_free(&w->loop);
}

/* "ok: fred/lists ok store1 5; ann@example.net/ ok store2 5" */
static void
on_answer(void *ctx, uint64_t id, const struct route_answer *a)
{
	struct world *w = ctx;
	size_t n;

	assert_int_not_equal(id, 0);
	assert_true(a->result == ROUTE_OK || a->why != NULL);
	w->answers++;
	snprintf(w->said, sizeof(w->said), "%s", route_result_text(a->result));
	for (size_t i = 0; i < a->count; i++) {
		const struct route_final *f = &a->finals[i];

		assert_true(f->result == ROUTE_OK || f->why != NULL);
		n = strlen(w->said);
		snprintf(w->said + n, sizeof(w->said) - n, "%s%s/%s %s", i == 0 ? ": " : "; ",
		         f->user, f->detail, route_result_text(f->result));
		n = strlen(w->said);
		if (f->result == ROUTE_OK)
			snprintf(w->said + n, sizeof(w->said) - n, " %s %d%s", f->server->name,
			         (int)f->claim, f->is_new ? " new" : "");
	}
}

enum { AWAY = 1, BLIND = 2, NO_DIRECTORY = 4 };

static const struct route_case {
	const char *name, *address;
	unsigned flags;
	const char *want;
} cases[] = {
	{ "an account with a mailbox", "Fred@Example.ORG", 0, "ok: fred/ ok store1 5" },
	{ "with a detail", "fred+lists@example.org", 0, "ok: fred/lists ok store1 5" },
	{ "of another domain", "ann@example.net", 0, "ok: ann@example.net/ ok store2 5" },
	{ "a bare name is of the default domain", "fred", 0, "ok: fred/ ok store1 5" },
	{ "no such address", "ghost@example.org", 0, "unknown" },
	{ "not our domain", "fred@elsewhere.org", 0, "foreign" },
	{ "a disabled account", "gone@example.org", 0, "denied" },
	{ "the directory is away", "fred@example.org", AWAY, "later" },
	{ "no list, no barrier", "fred@example.org", BLIND, "ok: fred/ later" },
	{ "at home where the list does not reach", "hugo@example.org", BLIND, "ok: hugo/ ok dv 0" },
	{ "whatever it says", "hugo+x@example.org", 0, "ok: hugo/x ok dv 0" },
	{ "without a directory it counts", "hugo@example.org", NO_DIRECTORY,
	  "ok: hugo/ ok store1 5" },
	{ "being moved", "moving@example.org", 0, "ok: moving/ later" },
	{ "no mailbox yet: its home makes one", "new@example.org", 0, "ok: new/ ok store2 0 new" },
	{ "no mailbox, and no home", "nohome@example.org", 0, "ok: nohome/ no-home" },
	{ "no mailbox, and a home that the settings lack", "lost@example.org", 0,
	  "ok: lost/ later" },
	{ "a store without LMTP", "deaf@example.org", 0, "ok: deaf/ later" },
	{ "an alias of three", "all@example.org", 0,
	  "ok: fred/ ok store1 5; ann@example.net/ ok store2 5; nohome/ no-home" },
	{ "no directory, a mailbox", "fred@example.org", NO_DIRECTORY, "ok: fred/ ok store1 5" },
	{ "no directory, with a detail", "Ann+a+b@example.net", NO_DIRECTORY,
	  "ok: ann@example.net/a+b ok store2 5" },
	{ "no directory, no mailbox", "ghost@example.org", NO_DIRECTORY, "ok: ghost/ unknown" },
	{ "no directory, blind", "ghost@example.org", NO_DIRECTORY | BLIND, "ok: ghost/ later" },
	{ "no directory, no possible user", "\"a b\"@example.org", NO_DIRECTORY, "unknown" },
	{ "no directory, no address", "@", NO_DIRECTORY, "unknown" },
};

TEST(route_by_directory_and_map)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct route_case *c = &cases[i];
		struct world w;

		world_init(&w, (c->flags & NO_DIRECTORY) == 0);
		fakeauth_set_temp(w.auth, (c->flags & AWAY) != 0);
		w.map.blind = (c->flags & BLIND) != 0;
		(void)route_find(w.route, slice_of(c->address), "s1", on_answer, &w);
		assert_int_equal(w.answers, 0);
		fakenet_settle(w.loop);
		test_check(w.answers == 1, "%s", c->name);
		test_eq_str(c->name, w.said, c->want);
		world_fini(&w);
	}
}

TEST(route_again_waits_for_a_barrier)
{
	struct world w;
	struct fakemap_row *row;

	world_init(&w, true);
	row = fakemap_at(&w.map, "user.fred");
	snprintf(row->after_barrier.server, sizeof(row->after_barrier.server), "store2");
	row->after_barrier.claim = 6;
	(void)route_find_user(w.route, SLICE("fred"), SLICE("x"), "store1", true, on_answer, &w);
	fakenet_settle(w.loop);
	test_eq_str("moved", w.said, "ok: fred/x ok store2 6");
	assert_int_equal(w.map.barriers, 1);
	(void)route_find_user(w.route, SLICE("new"), SLICE(""), "store2", true, on_answer, &w);
	fakenet_settle(w.loop);
	test_eq_str("still without a mailbox", w.said, "ok: new/ ok store2 0 new");
	(void)route_find_user(w.route, SLICE("fred"), SLICE(""), "", false, on_answer, &w);
	fakenet_settle(w.loop);
	test_eq_str("the list as it is", w.said, "ok: fred/ ok store1 5");
	(void)route_find_user(w.route, SLICE("a/b"), SLICE(""), "", false, on_answer, &w);
	fakenet_settle(w.loop);
	test_eq_str("no user", w.said, "ok: a/b/ invalid");
	assert_int_equal(w.map.barriers, 2);
	world_fini(&w);
}

TEST(route_cancelled_is_not_answered)
{
	struct world w;
	uint64_t id;

	world_init(&w, true);
	id = route_find(w.route, SLICE("fred@example.org"), "s1", on_answer, &w);
	route_cancel(w.route, id);
	fakenet_settle(w.loop);
	/* while the map is asked */
	w.map.silent = true;
	id = route_find(w.route, SLICE("all@example.org"), "s1", on_answer, &w);
	fakenet_settle(w.loop);
	assert_int_equal(w.map.asked, 3);
	route_cancel(w.route, id);
	route_cancel(w.route, id);
	/* one that is answered by nobody but the loop */
	world_fini(&w);
	assert_int_equal(w.answers, 0);
	world_init(&w, false);
	id = route_find(w.route, SLICE("@"), "s1", on_answer, &w);
	route_cancel(w.route, id);
	(void)route_find(w.route, SLICE("@"), "s1", on_answer, &w);
	world_fini(&w);
	assert_int_equal(w.answers, 0);
}
