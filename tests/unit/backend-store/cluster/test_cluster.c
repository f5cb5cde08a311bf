/*
 * The store's side against a master played by hand: every step, and the connection lost at
 * every step.
 */
#include "cluster/cluster.h"

#include "base/buf.h"
#include "fakenet/play.h"
#include "fakestore.h"
#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
	struct play *play;
	struct store *store;
	struct cluster *cluster;
	int result; /* enum names_result, or -1 */
	int answers;
};

#define HELLO                                                                                      \
	"m accepts\n"                                                                              \
	"m >> * AUTH \"PLAIN\"\\r\\n* PARTIAL-UPDATE\\r\\n* ROOST \"1\"\\r\\n"                     \
	"* OK MUPDATE \"m\" \"Roost\" \"1\" \"(master)\"\\r\\n\n"                                  \
	"m < A1 AUTHENTICATE *\n"                                                                  \
	"m > A1 OK \"Authenticated\"\n"                                                            \
	"m < X1 ROOST \"1\" \"lab\" *\n"                                                           \
	"m > X1 ROOST \"lab\" \"00\" \"5\" \"3\" \"complete\"\n"                                   \
	"m > X1 OK \"hello\"\n"                                                                    \
	"m < R1 LIST \"s1!\"\n"

/* A master that has nothing of ours, and a store without mailboxes. */
#define IN_STEP                                                                                    \
	HELLO "m > R1 OK \"list complete\"\n"                                                      \
	      "m < R2 PUSHED \"s1\"\n"                                                             \
	      "m > R2 OK \"done\"\n"

static void
world_init(struct world *w)
{
	struct cluster_config c = {
		.server = "s1",
		.partition = "p",
		.cluster_id = "lab",
		.user = "s1",
		.secret = "x",
		.keepalive_ms = 20000,
		.answer_ms = 10000,
		.retry_min_ms = 200,
		.retry_max_ms = 5000,
		.again_ms = 30000,
		.guard_names = 2,
		.guard_percent = 50,
	};

	w->play = play_new();
	w->store = fakestore_new();
	w->result = -1;
	w->answers = 0;
	play_add_server(w->play, "m", "127.0.0.1:3905");
	c.loop = play_loop(w->play);
	c.store = w->store;
	assert_true(addr_parse(SLICE("127.0.0.1:3905"), 0, &c.master, NULL));
	w->cluster = cluster_new(&c);
	fakenet_settle(c.loop);
}

static void
world_fini(struct world *w)
{
	cluster_free(&w->cluster);
	fakestore_free(&w->store);
	play_free(&w->play);
}

static void
check_store(struct world *w, const char *want)
{
	char *got = fakestore_dump(w->store);

	test_eq_str("the store", got, want);
	free(got);
}

static struct cluster_status
status(struct world *w)
{
	struct cluster_status st;

	cluster_get_status(w->cluster, &st);
	return st;
}

static void
on_result(void *ctx, enum names_result result)
{
	struct world *w = ctx;

	w->result = (int)result;
	w->answers++;
}

static const struct names_entry two[] = {
	{ .name = SLICE_INIT("user.a"),
	  .acl = SLICE_INIT("anyone"),
	  .mbox_id = 17,
	  .uidvalidity = 7 },
	{ .name = SLICE_INIT("user.a.b"),
	  .acl = SLICE_INIT("anyone"),
	  .mbox_id = 18,
	  .uidvalidity = 7 },
};
static const struct slice two_names[] = { SLICE_INIT("user.a"), SLICE_INIT("user.a.b") };

static void
reserve(struct world *w)
{
	struct names *n = cluster_names(w->cluster);

	n->ops->reserve(n, two, 2, on_result, w);
	assert_int_equal(w->result, -1);
	fakenet_settle(play_loop(w->play));
}

static void
activate(struct world *w)
{
	struct names *n = cluster_names(w->cluster);

	n->ops->activate(n, two, 2, on_result, w);
	assert_int_equal(w->result, -1);
	fakenet_settle(play_loop(w->play));
}

static void
release(struct world *w)
{
	struct names *n = cluster_names(w->cluster);

	n->ops->release(n, two_names, 2, on_result, w);
	assert_int_equal(w->result, -1);
	fakenet_settle(play_loop(w->play));
}

typedef void start_fn(struct world *w);

/* ---- names ------------------------------------------------------------------------------------- */

static const struct names_case {
	const char *name;
	start_fn *start;
	const char *script;
	int want;
} names_cases[] = {
	{ "reserved", reserve,
	  "m < R3 RESERVE \"user.a\" \"s1!p\" \"uv=7 id=11\"\n"
	  "m < R4 RESERVE \"user.a.b\" \"s1!p\" \"uv=7 id=12\"\n"
	  "m > R3 CHANGED \"6\" \"0\"\nm > R3 OK \"done\"\n"
	  "m > R4 CHANGED \"7\" \"0\"\nm > R4 OK \"done\"\n",
	  NAMES_OK },
	{ "one is taken: the other is released", reserve,
	  "m << R4 RESERVE *\n"
	  "m > R3 OK \"done\"\n"
	  "m > R4 NO \"[EXISTS] mailbox already exists\"\n"
	  "m < R5 DELETE \"user.a\"\n"
	  "m > R5 OK \"done\"\n",
	  NAMES_TAKEN },
	{ "both are taken", reserve,
	  "m << R4 RESERVE *\n"
	  "m > R3 NO \"[EXISTS] x\"\n"
	  "m > R4 NO \"[EXISTS] x\"\n"
	  "m is silent\n",
	  NAMES_TAKEN },
	{ "our identity is a wrong one: nobody has the name", reserve,
	  "m << R4 RESERVE *\n"
	  "m > R3 NO \"[DENIED] this identity does not speak for that server\"\n"
	  "m > R4 NO \"[DENIED] x\"\n",
	  NAMES_LATER },
	{ "the master is rebuilding", reserve,
	  "m << R4 RESERVE *\n"
	  "m > R3 NO \"[LATER] x\"\n"
	  "m > R4 NO \"[LATER] x\"\n",
	  NAMES_LATER },
	{ "activated", activate,
	  "m < R3 ACTIVATE \"user.a\" \"s1!p\" \"anyone\" \"uv=7 id=11\"\n"
	  "m << R4 ACTIVATE *\n"
	  "m > R3 OK \"done\"\n"
	  "m > R4 OK \"done\"\n",
	  NAMES_OK },
	{ "released", release,
	  "m < R3 DELETE \"user.a\"\n"
	  "m < R4 DELETE \"user.a.b\"\n"
	  "m > R3 OK \"done\"\n"
	  "m > R4 NO \"[UNKNOWN] no such mailbox\"\n",
	  NAMES_OK },
	{ "the master falls silent", reserve, "wait 11s\nm << R4 *\nm is reset\n", NAMES_LATER },
	{ "a BAD is not a no", activate, "m << R4 *\nm > R3 BAD \"x\"\nm > R4 OK \"x\"\n",
	  NAMES_LATER },
};

TEST(names_are_asked_for)
{
	for (size_t i = 0; i < ARRAY_LEN(names_cases); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, IN_STEP);
		names_cases[i].start(&w);
		play_run(w.play, names_cases[i].script);
		test_check(w.result == names_cases[i].want && w.answers == 1, "%s: %d",
		           names_cases[i].name, w.result);
		world_fini(&w);
	}
}

TEST(the_connection_lost_at_each_step_is_later)
{
	static const struct {
		start_fn *start;
		const char *script;
	} cases[] = {
		{ reserve, "m closes\n" },
		{ reserve, "m << R4 *\nm > R3 OK \"done\"\nm closes\n" },
		{ reserve, "m << R4 *\nm > R3 OK \"done\"\nm > R4 NO \"[EXISTS] x\"\nm closes\n" },
		{ activate, "m resets\n" },
		{ activate, "m << R4 *\nm > R3 OK \"done\"\nm closes\n" },
		{ release, "m closes\n" },
		{ release, "m << R4 *\nm > R3 OK \"done\"\nm closes\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, IN_STEP);
		cases[i].start(&w);
		play_run(w.play, cases[i].script);
		test_check(w.result == NAMES_LATER && w.answers == 1, "case %zu: %d", i, w.result);
		assert_false(status(&w).connected);
		world_fini(&w);
	}
}

TEST(without_a_master_everything_is_later_and_not_at_once)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "m refuses\nwait 1s\n");
	reserve(&w);
	fakenet_settle(play_loop(w.play));
	assert_int_equal(w.result, NAMES_LATER);
	world_fini(&w);
}

/* Its kernel takes what is asked, and it says nothing whole. */
TEST(a_master_that_hangs_is_not_alive_for_what_is_asked_of_it)
{
	static const char *const meanwhile[] = { "wait 4s\n", "wait 4s\nm >> R\n",
		                                 "wait 4s\nm >> * X\\r\\n\n" };

	for (size_t i = 0; i < ARRAY_LEN(meanwhile); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, IN_STEP);
		for (int k = 0; k < 3; k++) {
			w.result = -1;
			reserve(&w);
			play_run(w.play, meanwhile[k == 0 ? i : 0]);
		}
		assert_int_equal(w.answers, 3);
		assert_int_equal(w.result, NAMES_LATER);
		world_fini(&w);
	}
}

TEST(a_master_that_tells_a_long_list_slowly_is_alive)
{
	struct world w;

	world_init(&w);
	play_run(w.play, HELLO);
	for (int i = 0; i < 5; i++)
		play_run(w.play, "wait 9s\nm > R1 RESERVE \"user.x\" \"s1!p\" \"\"\n");
	play_run(w.play, "m > R1 OK \"list complete\"\nm < R2 DELETE \"user.x\"\nwait 9s\n"
	                 "m > R2 OK \"done\"\nm < R3 PUSHED *\n");
	world_fini(&w);
}

TEST(names_wait_for_the_listing)
{
	struct world w;

	world_init(&w);
	play_run(w.play, HELLO);
	reserve(&w);
	play_run(w.play, "m is silent\n"
	                 "m > R1 OK \"list complete\"\n"
	                 "m < R2 PUSHED *\n"
	                 "m < R3 RESERVE *\nm < R4 RESERVE *\n"
	                 "m > R2 OK \"x\"\nm > R3 OK \"x\"\nm > R4 OK \"x\"\n");
	assert_int_equal(w.result, NAMES_OK);
	world_fini(&w);
}

TEST(the_claim_of_an_inbox_is_taken)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	play_run(w.play, HELLO "m > R1 OK \"x\"\n"
	                       "m < R2 ACTIVATE \"user.a\" *\n"
	                       "m > R2 CHANGED \"6\" \"4\"\nm > R2 OK \"done\"\n"
	                       "m < R3 PUSHED *\nm > R3 OK \"x\"\n");
	check_store(&w, "user.a c4\n");
	world_fini(&w);
}

TEST(another_stores_name_is_a_conflict_until_it_is_solved)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	play_run(w.play, HELLO "m > R1 OK \"x\"\n"
	                       "m < R2 ACTIVATE \"user.a\" *\n"
	                       "m > R2 NO \"[EXISTS] x\"\n"
	                       "m < R3 PUSHED *\nm > R3 OK \"x\"\n");
	check_store(&w, "user.a c0 conflict\n");
	assert_int_equal(status(&w).conflicts, 1);
	assert_true(cluster_force(w.cluster, false));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R4 LIST *\nm > R4 OK \"x\"\n"
	                 "m < R5 ACTIVATE *\nm > R5 OK \"x\"\n"
	                 "m < R6 PUSHED *\nm > R6 OK \"x\"\n");
	check_store(&w, "user.a c0\n");
	assert_int_equal(status(&w).conflicts, 0);
	world_fini(&w);
}

/* A wrong password of settings must not take mailboxes out of service. */
TEST(an_identity_that_may_not_is_no_conflict)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	play_run(w.play, HELLO "m > R1 OK \"x\"\n"
	                       "m < R2 ACTIVATE \"user.a\" *\n"
	                       "m > R2 NO \"[DENIED] x\"\n"
	                       "m is silent\n");
	check_store(&w, "user.a c0\n");
	assert_false(status(&w).in_step);
	play_run(w.play, "wait 21s\nm < R3 NOOP\nm > R3 OK \"x\"\nwait 10s\nm < R4 LIST *\n");
	world_fini(&w);
}

/* ---- reconciliation: what each crash leaves, and what becomes of it --------------------------- */

#define THEIRS(name, state, acl, fields)                                                           \
	"m > R1 " state " \"" name "\" \"s1!p\" " acl " \"" fields "\"\n"
#define ACTIVE(name, fields) THEIRS(name, "MAILBOX", "\"anyone\"", fields)
#define RESERVED(name) "m > R1 RESERVE \"" name "\" \"s1!p\" \"\"\n"

static const struct crash_case {
	const char *name;
	const char *mailboxes, *tombstones, *pending; /* one name each, or NULL */
	const char *script;
	const char *left; /* of the store */
} crash_cases[] = {
	{ "in step: nothing to do", "user.a", NULL, NULL,
	  ACTIVE("user.a", "uv=7 id=11 rev=3") "m > R1 OK \"x\"\n"
	                                       "m < R2 PUSHED *\nm > R2 OK \"x\"\n",
	  "user.a c0\n" },
	{ "CREATE: after RESERVE, before the log", NULL, NULL, NULL,
	  RESERVED("user.a") "m > R1 OK \"x\"\n"
	                     "m < R2 DELETE \"user.a\"\nm > R2 OK \"x\"\n"
	                     "m < R3 PUSHED *\nm > R3 OK \"x\"\n",
	  "" },
	{ "CREATE: under way again, the reservation stays", NULL, NULL, "user.a",
	  RESERVED("user.a") "m > R1 OK \"x\"\n"
	                     "m < R2 PUSHED *\nm > R2 OK \"x\"\n",
	  "" },
	{ "CREATE: after the log, before ACTIVATE", "user.a", NULL, NULL,
	  RESERVED("user.a") "m > R1 OK \"x\"\n"
	                     "m < R2 ACTIVATE \"user.a\" *\nm > R2 OK \"x\"\n"
	                     "m < R3 PUSHED *\nm > R3 OK \"x\"\n",
	  "user.a c0\n" },
	{ "DELETE: after the log, before the master's DELETE", NULL, "user.a", NULL,
	  ACTIVE("user.a", "") "m > R1 OK \"x\"\n"
	                       "m < R2 DELETE \"user.a\"\n"
	                       "m > R2 OK \"x\"\n"
	                       "m < R3 PUSHED *\nm > R3 OK \"x\"\n",
	  "" },
	{ "DELETE: the master has done it, its OK was lost", NULL, "user.a", NULL,
	  "m > R1 OK \"x\"\n"
	  "m < R2 PUSHED *\nm > R2 OK \"x\"\n",
	  "" },
	{ "DELETE: the master cannot now, the tombstone stays", NULL, "user.a", NULL,
	  ACTIVE("user.a", "") "m > R1 OK \"x\"\n"
	                       "m < R2 DELETE \"user.a\"\n"
	                       "m > R2 NO \"[LATER] x\"\n"
	                       "m is silent\n",
	  "-user.a\n" },
	{ "RENAME: after the log, the new name is pushed and the old one released", "user.b",
	  "user.a", NULL,
	  ACTIVE("user.a", "uv=7 id=11") RESERVED("user.b") "m > R1 OK \"x\"\n"
	                                                    "m < R2 ACTIVATE \"user.b\" *\n"
	                                                    "m < R3 DELETE \"user.a\"\n"
	                                                    "m > R2 OK \"x\"\nm > R3 OK \"x\"\n"
	                                                    "m < R4 PUSHED *\nm > R4 OK \"x\"\n",
	  "user.b c0\n" },
	{ "deleted and made again: the tombstone goes, the name stays", "user.a", "user.a", NULL,
	  ACTIVE("user.a", "uv=6 id=1") "m > R1 OK \"x\"\n"
	                                "m < R2 ACTIVATE \"user.a\" *\n"
	                                "m > R2 OK \"x\"\n"
	                                "m < R3 PUSHED *\nm > R3 OK \"x\"\n",
	  "user.a c0\n" },
	{ "a few names nobody knows are deactivated", "user.a", NULL, NULL,
	  ACTIVE("user.a", "uv=7 id=11")
	          ACTIVE("user.z", "") "m > R1 OK \"x\"\n"
	                               "m < R2 DEACTIVATE \"user.z\" \"s1!p\"\nm > R2 OK \"x\"\n"
	                               "m < R3 PUSHED *\nm > R3 OK \"x\"\n",
	  "user.a c0\n" },
	{ "a store that lost everything deactivates nothing", NULL, NULL, NULL,
	  ACTIVE("user.y", "") ACTIVE("user.z", "") "m > R1 OK \"x\"\n"
	                                            "m < R2 PUSHED *\nm > R2 OK \"x\"\n",
	  "" },
};

TEST(what_a_crash_left_is_put_right)
{
	for (size_t i = 0; i < ARRAY_LEN(crash_cases); i++) {
		const struct crash_case *k = &crash_cases[i];
		struct world w;

		print_message("# %s\n", k->name);
		world_init(&w);
		if (k->mailboxes != NULL)
			fakestore_add(w.store, k->mailboxes, "anyone", 17);
		if (k->tombstones != NULL)
			fakestore_add_tombstone(w.store, k->tombstones);
		if (k->pending != NULL)
			fakestore_set_pending(w.store, k->pending, true);
		play_run(w.play, HELLO);
		play_run(w.play, k->script);
		check_store(&w, k->left);
		world_fini(&w);
	}
}

TEST(a_person_can_say_that_unknown_names_go)
{
	struct world w;

	world_init(&w);
	play_run(w.play,
	         HELLO ACTIVE("user.y", "") "m > R1 OK \"x\"\nm < R2 PUSHED *\nm > R2 OK \"x\"\n");
	assert_int_equal(status(&w).unknown, 1);
	assert_true(cluster_force(w.cluster, true));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R3 LIST *\n"
	                 "m > R3 MAILBOX \"user.y\" \"s1!p\" \"\" \"\"\nm > R3 OK \"x\"\n"
	                 "m < R4 DEACTIVATE \"user.y\" *\nm > R4 OK \"x\"\n"
	                 "m < R5 PUSHED *\nm > R5 OK \"x\"\n");
	assert_int_equal(status(&w).unknown, 0);
	world_fini(&w);
}

static void
on_step(void *ctx, const struct cluster_step *step, bool ok)
{
	if (step != NULL)
		buf_printf(ctx, "%s %.*s\n", step->action, SLICE_ARG(step->name));
	else
		buf_add_str(ctx, ok ? "end\n" : "lost\n");
}

TEST(a_plan_tells_all_and_does_nothing)
{
	struct world w;
	struct buf told = BUF_INIT(SIZE_MAX);

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	fakestore_add(w.store, "user.b", "anyone", 18);
	fakestore_add_tombstone(w.store, "user.gone");
	fakestore_add_tombstone(w.store, "user.long");
	fakestore_set_pending(w.store, "user.now", true);
	play_run(w.play, "m refuses\nwait 100ms\n");
	assert_false(cluster_plan(w.cluster, false, on_step, &told));
	play_run(w.play, "m listens\nwait 1s\n" HELLO);
	assert_false(cluster_plan(w.cluster, false, on_step, &told));
	play_run(w.play, "m > R1 NO \"[LATER] x\"\nwait 1s\n" HELLO
	                 "m > R1 OK \"x\"\nm << R2 ACTIVATE *\nm << R3 ACTIVATE *\n"
	                 "m > R2 OK \"x\"\nm > R3 OK \"x\"\nm << R4 PUSHED *\nm > R4 OK \"x\"\n");
	fakestore_add_tombstone(w.store, "user.gone");
	fakestore_add_tombstone(w.store, "user.long");
	assert_true(cluster_plan(w.cluster, false, on_step, &told));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R5 LIST *\n"
	                 "m > R5 MAILBOX \"user.a\" \"s1!p\" \"anyone\" \"uv=7 id=11\"\n"
	                 "m > R5 RESERVE \"user.b\" \"s1!p\" \"\"\n"
	                 "m > R5 MAILBOX \"user.gone\" \"s1!p\" \"\" \"\"\n"
	                 "m > R5 RESERVE \"user.now\" \"s1!p\" \"\"\n"
	                 "m > R5 RESERVE \"user.old\" \"s1!p\" \"\"\n"
	                 "m > R5 MAILBOX \"user.x\" \"s1!p\" \"\" \"\"\n"
	                 "m > R5 OK \"x\"\nm is silent\n");
	test_eq_str("the plan", buf_cstr(&told),
	            "activate user.b\ndelete user.gone\nforget user.long\ndelete user.old\n"
	            "deactivate user.x\nend\n");
	check_store(&w, "user.a c0\nuser.b c0\n-user.gone\n-user.long\n");
	buf_clear(&told);
	assert_true(cluster_plan(w.cluster, false, on_step, &told));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R6 LIST *\n"
	                 "m > R6 MAILBOX \"user.x\" \"s1!p\" \"\" \"\"\n"
	                 "m > R6 MAILBOX \"user.y\" \"s1!p\" \"\" \"\"\n"
	                 "m > R6 MAILBOX \"user.z\" \"s1!p\" \"\" \"\"\n"
	                 "m > R6 OK \"x\"\nm is silent\n");
	assert_true(strstr(buf_cstr(&told), "ask user.x\n") != NULL);
	assert_int_equal(status(&w).unknown, 0);
	buf_clear(&told);
	assert_true(cluster_plan(w.cluster, true, on_step, &told));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R7 LIST *\nm closes\n");
	test_eq_str("the plan", buf_cstr(&told), "lost\n");
	buf_fini(&told);
	world_fini(&w);
}

TEST(the_connection_lost_while_reconciling_begins_again)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	fakestore_add_tombstone(w.store, "user.b");
	play_run(w.play, HELLO "m > R1 RESERVE \"user.b\" \"s1!p\" \"\"\n"
	                       "m closes\nwait 1s\n");
	play_run(w.play, HELLO "m > R1 RESERVE \"user.b\" \"s1!p\" \"\"\n"
	                       "m > R1 OK \"x\"\n"
	                       "m < R2 ACTIVATE *\nm < R3 DELETE *\n"
	                       "m > R2 OK \"x\"\n"
	                       "m closes\nwait 1s\n");
	check_store(&w, "user.a c0\n-user.b\n");
	assert_false(status(&w).in_step);
	play_run(w.play, HELLO ACTIVE("user.a", "uv=7 id=11") "m > R1 OK \"x\"\n"
	                                                      "m < R2 PUSHED *\nm > R2 OK \"x\"\n");
	check_store(&w, "user.a c0\n");
	assert_true(status(&w).in_step);
	world_fini(&w);
}

TEST(many_names_are_pushed_in_windows)
{
	struct world w;
	struct buf script = BUF_INIT(SIZE_MAX);

	world_init(&w);
	for (int i = 0; i < 600; i++) {
		char name[32];

		snprintf(name, sizeof(name), "user.a%d", i);
		fakestore_add(w.store, name, "anyone", 1);
	}
	buf_add_str(&script, HELLO "m > R1 OK \"x\"\n");
	for (int i = 0; i < 256; i++)
		buf_printf(&script, "m < R%d ACTIVATE *\n", i + 2);
	buf_add_str(&script, "m is silent\n");
	for (int i = 0; i < 600; i++)
		buf_printf(&script, "m > R%d OK \"x\"\n", i + 2);
	buf_add_str(&script, "m << R602 PUSHED *\nm > R602 OK \"x\"\n");
	play_run(w.play, buf_cstr(&script));
	buf_fini(&script);
	assert_true(status(&w).in_step);
	world_fini(&w);
}

TEST(a_replica_is_not_a_master)
{
	struct world w;

	world_init(&w);
	play_run(w.play, "m accepts\n"
	                 "m >> * AUTH \"PLAIN\"\\r\\n"
	                 "* OK MUPDATE \"m\" \"Roost\" \"1\" \"mupdate://other\"\\r\\n\n"
	                 "m < A1 AUTHENTICATE *\n"
	                 "m > A1 OK \"x\"\n"
	                 "m is closed\n");
	assert_false(status(&w).connected);
	world_fini(&w);
}

/* Masters that do not let us in, or are none. */
static const struct refusal_case {
	const char *name, *script;
	bool denied; /* a person must act, so it is not tried often */
} refusal_cases[] = {
	{ "a wrong password",
	  "m >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"m\" \"Roost\" \"1\" \"(master)\"\\r\\n\n"
	  "m < A1 AUTHENTICATE *\nm > A1 NO \"Authentication failed\"\nm is closed\n",
	  true },
	{ "too many connections", "m > * BYE \"busy\"\nm is closed\n", false },
	{ "another protocol", "m > +OK POP3 ready\nm is closed\n", false },
	{ "nothing at all", "wait 10s\nm is closed\n", false },
	{ "half a greeting", "m >> * AUTH\nm closes\n", false },
};

TEST(a_master_that_refuses_us_is_tried_again_and_seldom_when_a_person_must_act)
{
	for (size_t i = 0; i < ARRAY_LEN(refusal_cases); i++) {
		const struct refusal_case *c = &refusal_cases[i];
		struct world w;
		char why[sizeof(((struct err *)0)->text)];

		world_init(&w);
		play_run(w.play, "m accepts\n");
		play_run(w.play, c->script);
		assert_false(status(&w).connected);
		snprintf(why, sizeof(why), "%s", status(&w).why);
		test_check(why[0] != '\0', "%s", c->name);
		reserve(&w);
		test_check(w.result == NAMES_LATER, "%s", c->name);
		play_run(w.play, "m refuses\nwait 4900ms\n");
		test_check((strcmp(status(&w).why, why) == 0) == c->denied, "%s: %s", c->name,
		           status(&w).why);
		play_run(w.play, "m listens\nwait 6s\n" IN_STEP);
		test_check(status(&w).in_step && status(&w).why[0] == '\0', "%s", c->name);
		world_fini(&w);
	}
}

TEST(a_plain_master_will_do)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	play_run(w.play, "m accepts\n"
	                 "m >> * AUTH \"PLAIN\"\\r\\n"
	                 "* OK MUPDATE \"m\" \"Cyrus IMAP\" \"3.6\" \"(master)\"\\r\\n\n"
	                 "m < A1 AUTHENTICATE *\n"
	                 "m > A1 OK \"x\"\n"
	                 "m < R1 LIST \"s1!\"\n"
	                 "m > R1 OK \"list complete\"\n"
	                 "m < R2 FIND \"user.a\"\n"
	                 "m > R2 OK \"Search completed\"\n"
	                 "m < R3 ACTIVATE \"user.a\" \"s1!p\" \"anyone\"\n"
	                 "m > R3 OK \"done\"\n"
	                 "m is silent\n");
	assert_true(status(&w).in_step);
	world_fini(&w);
}

/* It would: whoever activates a name last has it. */
TEST(a_plain_master_is_not_asked_to_take_a_name_from_another_store)
{
	struct world w;

	world_init(&w);
	fakestore_add(w.store, "user.a", "anyone", 17);
	fakestore_add(w.store, "user.b", "anyone", 18);
	fakestore_add(w.store, "user.c", "anyone", 19);
	fakestore_add(w.store, "user.d", "anyone", 20);
	play_run(w.play, "m accepts\n"
	                 "m >> * AUTH \"PLAIN\"\\r\\n"
	                 "* OK MUPDATE \"m\" \"Cyrus IMAP\" \"3.6\" \"(master)\"\\r\\n\n"
	                 "m < A1 AUTHENTICATE *\n"
	                 "m > A1 OK \"x\"\n"
	                 "m < R1 LIST \"s1!\"\n"
	                 "m > R1 MAILBOX \"user.d\" \"s1!p\" \"other\"\n"
	                 "m > R1 OK \"list complete\"\n"
	                 "m < R2 FIND \"user.a\"\nm < R3 FIND \"user.b\"\n"
	                 "m < R4 FIND \"user.c\"\n"
	                 "m < R5 ACTIVATE \"user.d\" \"s1!p\" \"anyone\"\n"
	                 "m > R2 MAILBOX \"user.a\" \"s2!p\" \"anyone\"\nm > R2 OK \"x\"\n"
	                 "m > R3 RESERVE \"user.b\" \"s2!p\"\nm > R3 OK \"x\"\n"
	                 "m > R4 OK \"x\"\n"
	                 "m < R6 ACTIVATE \"user.c\" \"s1!p\" \"anyone\"\n"
	                 "m > R5 OK \"x\"\nm > R6 OK \"x\"\n"
	                 "m is silent\n");
	assert_true(status(&w).in_step);
	check_store(&w, "user.a c0 conflict\nuser.b c0 conflict\nuser.c c0\nuser.d c0\n");
	assert_true(cluster_force(w.cluster, false));
	fakenet_settle(play_loop(w.play));
	play_run(w.play, "m < R7 LIST *\n"
	                 "m > R7 MAILBOX \"user.c\" \"s1!p\" \"anyone\"\n"
	                 "m > R7 MAILBOX \"user.d\" \"s1!p\" \"anyone\"\n"
	                 "m > R7 OK \"x\"\n"
	                 "m < R8 FIND \"user.a\"\nm < R9 FIND \"user.b\"\n"
	                 "m > R8 NO \"x\"\n"
	                 "m > R9 OK \"x\"\n"
	                 "m < R10 ACTIVATE \"user.b\" *\n"
	                 "m > R10 OK \"x\"\n");
	check_store(&w, "user.a c0 conflict\nuser.b c0\nuser.c c0\nuser.d c0\n");
	world_fini(&w);
}
