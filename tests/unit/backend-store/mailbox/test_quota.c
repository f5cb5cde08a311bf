/* Quotas: what is counted, under which root, and what does not fit. */
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mail/mbox_name.h"
#include "tls/digest.h"
#include "world.h"

#include <string.h>

#define EACH_MODE for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)
#define TEN "0123456789"

static void
start(struct world *w, enum world_mode mode)
{
	world_open(w, mode);
	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(w, "ann"), MBOX_OK);
	assert_int_equal(world_create(w, "lists"), MBOX_OK);
	assert_int_equal(world_create(w, "lists.a"), MBOX_OK);
	assert_int_equal(world_create(w, "lists.a.x"), MBOX_OK);
}

/* "ROOT BYTES/LIMIT MESSAGES/LIMIT", "-" for no limit; "" without a root. */
static void
check(struct world *w, const char *name, const char *want)
{
	struct buf got = BUF_INIT(SIZE_MAX);
	struct quota_info q;

	if (quota_find(w->store, slice_of(name), &q)) {
		buf_printf(&got, "%.*s %llu/", SLICE_ARG(q.root), (unsigned long long)q.bytes);
		if (q.limits.bytes != QUOTA_NONE)
			buf_printf(&got, "%llu", (unsigned long long)q.limits.bytes);
		buf_printf(&got, " %llu/", (unsigned long long)q.messages);
		if (q.limits.messages != QUOTA_NONE)
			buf_printf(&got, "%llu", (unsigned long long)q.limits.messages);
	}
	test_eq_str(name, buf_cstr(&got), want);
	buf_fini(&got);
}

TEST(a_user_is_one_root_and_all_of_his_mailboxes_count)
{
	struct world w;

	EACH_MODE
	{
		start(&w, mode);
		check(&w, "user.fred", "user.fred 0/ 0/");
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred.Sent", TEN TEN, 0, NULL), 1);
		check(&w, "user.fred.Trash", "user.fred 30/ 2/");
		check(&w, "user.fred.not.there", "user.fred 30/ 2/");
		check(&w, "user.ann", "user.ann 0/ 0/");
		check(&w, "lists.a", "");
		assert_int_equal(world_copy(&w, "user.fred.Sent", "1", "user.ann", false, NULL),
		                 MBOX_OK);
		assert_int_equal(world_copy(&w, "user.fred.Sent", "1", "user.fred", true, NULL),
		                 MBOX_OK);
		check(&w, "user.fred", "user.fred 30/ 2/");
		check(&w, "user.ann", "user.ann 20/ 1/");
		assert_int_equal(world_expunge(&w, "user.fred", "1", false), MBOX_OK);
		check(&w, "user.fred", "user.fred 20/ 1/");
		assert_int_equal(world_deliver(&w, "fred+Sent", TEN, 1).result, MBOX_OK);
		check(&w, "user.fred", "user.fred 30/ 2/");
		world_check_reopen(&w, "usage");
		check(&w, "user.fred", "user.fred 30/ 2/");
		assert_int_equal(world_delete(&w, "user.fred.Sent", false), MBOX_OK);
		check(&w, "user.fred", "user.fred 20/ 1/");
		assert_int_equal(world_delete(&w, "user.fred", true), MBOX_OK);
		check(&w, "user.fred", "");
		world_check_reopen(&w, "a user is gone");
		world_close(&w);
	}
}

TEST(the_nearest_shared_root_counts)
{
	struct world w;

	EACH_MODE
	{
		start(&w, mode);
		assert_int_equal(world_append(&w, "lists", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "lists.a.x", TEN, 0, NULL), 1);
		assert_int_equal(world_set_quota(&w, "lists", 100, -1), MBOX_OK);
		check(&w, "lists.a", "lists 20/100 2/");
		assert_int_equal(world_set_quota(&w, "lists.a", -1, 5), MBOX_OK);
		check(&w, "lists.a.x", "lists.a 10/ 1/5");
		check(&w, "lists.b", "lists 10/100 1/");
		world_check_reopen(&w, "nested roots");
		/* a limit that is removed makes it no root any more */
		assert_int_equal(world_set_quota(&w, "lists.a", -1, -1), MBOX_OK);
		check(&w, "lists.a.x", "lists 20/100 2/");
		assert_int_equal(world_set_quota(&w, "lists.a", 0, 0), MBOX_OK);
		check(&w, "lists.a.x", "lists.a 10/0 1/0");
		assert_int_equal(world_set_quota(&w, "lists.a", -2, -2), MBOX_OK);
		check(&w, "lists.a.x", "lists 20/100 2/");
		/* and so does the end of the mailbox, while what is below it stays */
		assert_int_equal(world_set_quota(&w, "lists.a", 50, 5), MBOX_OK);
		assert_int_equal(world_delete(&w, "lists.a", false), MBOX_OK);
		check(&w, "lists.a.x", "lists 20/100 2/");
		world_check_reopen(&w, "a root is gone");
		assert_int_equal(world_create(&w, "lists.a"), MBOX_OK);
		check(&w, "lists.a", "lists 20/100 2/");
		world_check_reopen(&w, "a new mailbox of its name has no limits");
		world_close(&w);
	}
}

static const struct refused {
	const char *root;
	int64_t bytes;
	enum mbox_result want;
} refused[] = {
	{ "user.none", 1, MBOX_ABSENT },
	{ "user.fred.Sent", 1, MBOX_CANNOT },
	{ "user.fred", (int64_t)QUOTA_BYTES_MOST + 1, MBOX_INVALID },
	{ "user.fred", (int64_t)QUOTA_BYTES_MOST, MBOX_OK },
	{ "user.fred", 0, MBOX_OK },
};

TEST(limits_that_cannot_be_are_refused)
{
	struct world w;

	start(&w, WORLD_PLAIN);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(world_set_quota(&w, refused[i].root, refused[i].bytes, -1),
		                 refused[i].want);
	store_set_conflict(w.store, SLICE("user.fred"), true);
	assert_int_equal(world_set_quota(&w, "user.fred", 1, 1), MBOX_UNAVAILABLE);
	world_close(&w);
}

TEST(what_does_not_fit_is_refused_whole)
{
	struct world w;

	EACH_MODE
	{
		start(&w, mode);
		assert_int_equal(world_set_quota(&w, "user.fred", 25, -1), MBOX_OK);
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred.Sent", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, "new"), 0);
		assert_int_equal(world_append(&w, "user.fred", "01234", 0, NULL), 2);
		check(&w, "user.fred", "user.fred 25/25 3/");
		assert_int_equal(quota_count_full(w.store), 1);
		assert_int_equal(world_append(&w, "user.fred", "0", 0, NULL), 0);
		/* both or none; within a root a MOVE is free, and out of it too */
		assert_int_equal(world_append(&w, "user.ann", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.ann", TEN, 0, NULL), 2);
		assert_int_equal(world_expunge(&w, "user.fred.Sent", "1", false), MBOX_OK);
		assert_int_equal(world_copy(&w, "user.ann", "1 2", "user.fred", false, NULL),
		                 MBOX_OVERQUOTA);
		assert_int_equal(world_copy(&w, "user.ann", "1 2", "user.fred", true, NULL),
		                 MBOX_OVERQUOTA);
		check(&w, "user.ann", "user.ann 20/ 2/");
		assert_int_equal(world_copy(&w, "user.ann", "1", "user.fred", true, NULL), MBOX_OK);
		check(&w, "user.fred", "user.fred 25/25 3/");
		assert_int_equal(world_copy(&w, "user.fred", "1 2", "user.fred.Sent", true, NULL),
		                 MBOX_OK);
		assert_int_equal(world_copy(&w, "user.fred", "3", "user.fred", false, NULL),
		                 MBOX_OVERQUOTA);
		assert_int_equal(world_copy(&w, "user.fred", "3", "user.ann", true, NULL), MBOX_OK);
		assert_int_equal(quota_count_full(w.store), 0);
		world_check_reopen(&w, "after refusals");
		world_close(&w);
	}
}

TEST(a_limit_below_what_is_used_takes_nothing_away)
{
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 1);
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 2);
	assert_int_equal(world_set_quota(&w, "user.fred", -1, 1), MBOX_OK);
	check(&w, "user.fred", "user.fred 20/ 2/1");
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 0);
	assert_int_equal(world_copy(&w, "user.fred", "1", "user.fred.Sent", true, NULL), MBOX_OK);
	assert_int_equal(world_flags(&w, "user.fred", "2", FLAGS_ADD, MSG_DELETED, "x"), MBOX_OK);
	assert_int_equal(world_expunge(&w, "user.fred", NULL, true), MBOX_OK);
	check(&w, "user.fred", "user.fred 10/ 1/1");
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 0);
	assert_int_equal(world_set_quota(&w, "user.fred", -2, -2), MBOX_OK);
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 3);
	world_check_reopen(&w, "limits come and go");
	world_close(&w);
}

/* ---- at the same time ------------------------------------------------------------------------ */

struct outcome {
	enum mbox_result result;
	unsigned came;
};

static void
on_added(void *ctx, enum mbox_result result, UNUSED const struct mailbox_added *a)
{
	struct outcome *o = ctx;

	o->result = result;
	o->came++;
}

static void
on_done(void *ctx, enum mbox_result result)
{
	struct outcome *o = ctx;

	o->result = result;
	o->came++;
}

static void
on_expunged(void *ctx, enum mbox_result result, UNUSED uint64_t modseq)
{
	on_done(ctx, result);
}

TEST(of_two_at_once_only_one_fits)
{
	struct slice piece = SLICE(TEN);
	struct msg_new msg = { .pieces = &piece, .piece_count = 1 };
	struct outcome a = { MBOX_OK, 0 }, b = { MBOX_OK, 0 };
	struct mailbox *inbox, *sent;
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_set_quota(&w, "user.fred", 15, -1), MBOX_OK);
	inbox = world_must_get(&w, "user.fred");
	sent = world_must_get(&w, "user.fred.Sent");
	(void)mailbox_append(inbox, &msg, 1, on_added, &a);
	(void)mailbox_append(sent, &msg, 1, on_added, &b);
	check(&w, "user.fred", "user.fred 0/15 0/"); /* shown as published */
	assert_int_equal(quota_check(w.store, SLICE("user.fred"), 6, 1), MBOX_OVERQUOTA);
	assert_int_equal(quota_check(w.store, SLICE("user.fred"), 5, 1), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 6), MBOX_OVERQUOTA);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 5), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_OK);
	fakenet_settle(w.loop);
	assert_true(a.came == 1 && a.result == MBOX_OK);
	assert_true(b.came == 1 && b.result == MBOX_OVERQUOTA);
	check(&w, "user.fred", "user.fred 10/15 1/");
	/* what an EXPUNGE frees is free when it is logged */
	(void)mailbox_expunge(inbox, NULL, 0, false, on_expunged, &a);
	(void)mailbox_append(sent, &msg, 1, on_added, &b);
	fakenet_settle(w.loop);
	assert_true(a.came == 2 && a.result == MBOX_OK);
	assert_true(b.came == 2 && b.result == MBOX_OK);
	check(&w, "user.fred", "user.fred 10/15 1/");
	mailbox_release(&inbox);
	mailbox_release(&sent);
	world_check_quotas(&w);
	world_close(&w);
}

/* ---- names ------------------------------------------------------------------------------------- */

TEST(a_rename_takes_the_usage_along)
{
	struct world w;

	EACH_MODE
	{
		start(&w, mode);
		assert_int_equal(world_create(&w, "user.fred.Sent.x"), MBOX_OK);
		assert_int_equal(world_append(&w, "user.fred.Sent", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred.Sent.x", TEN, 0, NULL), 1);
		assert_int_equal(world_set_quota(&w, "lists", 15, -1), MBOX_OK);
		/* what does not fit stays, with all below it */
		assert_int_equal(world_rename(&w, "user.fred.Sent", "lists.b"), MBOX_OVERQUOTA);
		check(&w, "user.fred", "user.fred 20/ 2/");
		check(&w, "lists", "lists 0/15 0/");
		assert_int_equal(world_rename(&w, "user.fred.Sent.x", "lists.b"), MBOX_OK);
		check(&w, "user.fred", "user.fred 10/ 1/");
		check(&w, "lists", "lists 10/15 1/");
		/* a root of its own brings its limits along */
		assert_int_equal(world_set_quota(&w, "lists.b", 10, 10), MBOX_OK);
		assert_int_equal(world_rename(&w, "lists.b", "other"), MBOX_OK);
		check(&w, "other", "other 10/10 1/10");
		check(&w, "lists", "lists 0/15 0/");
		assert_int_equal(world_rename(&w, "other", "user.fred.b"), MBOX_CANNOT);
		assert_int_equal(world_set_quota(&w, "lists", 5, -1), MBOX_OK);
		assert_int_equal(world_rename(&w, "other", "lists.b"), MBOX_OK);
		check(&w, "lists.b", "lists.b 10/10 1/10");
		check(&w, "lists", "lists 0/5 0/");
		world_check_reopen(&w, "renamed");
		assert_int_equal(world_set_quota(&w, "lists.b", -2, -2), MBOX_OK);
		check(&w, "lists.b", "lists 10/5 1/");
		assert_int_equal(world_rename(&w, "lists.b", "lists.c"), MBOX_OK);
		check(&w, "lists.c", "lists 10/5 1/");
		assert_int_equal(world_rename(&w, "lists.c", "user.ann.c"), MBOX_OK);
		check(&w, "lists", "lists 0/5 0/");
		check(&w, "user.ann", "user.ann 10/ 1/");
		world_check_reopen(&w, "renamed again");
		world_close(&w);
	}
}

TEST(a_rename_of_an_inbox_moves_its_messages)
{
	struct world w;

	EACH_MODE
	{
		start(&w, mode);
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 2);
		assert_int_equal(world_set_quota(&w, "user.fred", 20, 2), MBOX_OK);
		assert_int_equal(world_set_quota(&w, "lists", 19, -1), MBOX_OK);
		assert_int_equal(world_rename(&w, "user.fred", "lists.b"), MBOX_OVERQUOTA);
		world_check_quotas(&w);
		assert_int_equal(world_rename(&w, "user.fred", "user.fred.old"), MBOX_OK);
		check(&w, "user.fred", "user.fred 20/20 2/2");
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 0);
		world_check_reopen(&w, "inside");
		assert_int_equal(world_copy(&w, "user.fred.old", "1", "user.fred", true, NULL),
		                 MBOX_OK);
		assert_int_equal(world_rename(&w, "user.fred", "lists.b"), MBOX_OK);
		check(&w, "user.fred", "user.fred 10/20 1/2");
		check(&w, "lists", "lists 10/19 1/");
		world_check_reopen(&w, "outside");
		world_close(&w);
	}
}

TEST(what_is_renamed_counts_at_both_roots_until_it_is_there)
{
	struct outcome o = { MBOX_OK, 0 };
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_append(&w, "user.fred.Sent", TEN, 0, NULL), 1);
	assert_int_equal(world_set_quota(&w, "lists", 15, -1), MBOX_OK);
	(void)store_rename(w.store, SLICE("user.fred.Sent"), SLICE("lists.b"), on_done, &o);
	assert_int_equal(quota_check(w.store, SLICE("lists"), 6, 1), MBOX_OVERQUOTA);
	/* its target ends meanwhile */
	(void)store_delete(w.store, SLICE("lists"), false, on_done, &o);
	fakenet_settle(w.loop);
	assert_true(o.came == 2 && o.result == MBOX_OK);
	check(&w, "lists.b", "");
	world_check_reopen(&w, "no root");
	world_close(&w);
}

/* ---- deliveries ---------------------------------------------------------------------------------- */

struct deliveries {
	struct deliver_result r[3];
	size_t count;
};

static void
on_delivered(void *ctx, const struct deliver_result *results, size_t count)
{
	struct deliveries *d = ctx;

	assert_true(count <= ARRAY_LEN(d->r));
	memcpy(d->r, results, count * sizeof(*results));
	d->count = count;
}

TEST(a_delivery_fits_or_not_for_each_recipient)
{
	static const struct deliver_rcpt rcpts[] = {
		{ .user = SLICE_INIT("fred"), .detail = SLICE_INIT("") },
		{ .user = SLICE_INIT("ann"), .detail = SLICE_INIT("") },
		{ .user = SLICE_INIT("ann"), .detail = SLICE_INIT("Sent") },
	};
	uint8_t key[DELIVER_KEY_LEN] = { 7 };
	struct slice piece = SLICE(TEN);
	struct deliveries d = { .count = 0 };
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_set_quota(&w, "user.fred", 9, -1), MBOX_OK);
	assert_int_equal(world_set_quota(&w, "user.ann", 19, 100), MBOX_OK);
	(void)deliver(w.store, rcpts, 3, key, &piece, 1, 1700000000, on_delivered, &d);
	fakenet_settle(w.loop);
	assert_int_equal(d.count, 3);
	assert_int_equal(d.r[0].result, MBOX_OVERQUOTA);
	assert_int_equal(d.r[1].result, MBOX_OK);
	assert_int_equal(d.r[1].quota_percent, 52);
	assert_int_equal(d.r[2].result, MBOX_OVERQUOTA); /* her second copy */
	check(&w, "user.fred", "user.fred 0/9 0/");
	check(&w, "user.ann", "user.ann 10/19 1/100");
	/* offered again it is no second copy, and fits where there is room now */
	assert_int_equal(world_set_quota(&w, "user.fred", 10, -1), MBOX_OK);
	assert_int_equal(world_set_quota(&w, "user.ann", 0, -1), MBOX_OK);
	(void)deliver(w.store, rcpts, 3, key, &piece, 1, 1700000000, on_delivered, &d);
	fakenet_settle(w.loop);
	assert_true(d.r[0].result == MBOX_OK && !d.r[0].duplicate);
	assert_true(d.r[1].result == MBOX_OK && d.r[1].duplicate);
	assert_int_equal(d.r[2].result, MBOX_OVERQUOTA);
	world_check_reopen(&w, "delivered");
	world_close(&w);
}

TEST(with_grace_one_last_delivery_goes_beyond)
{
	static char body[151];
	struct world w;

	start(&w, WORLD_PLAIN);
	memset(body, 'x', sizeof(body) - 1);
	quota_set_policy(w.store, &(struct quota_policy){ 200, 0, 10 });
	check(&w, "user.fred", "user.fred 0/200 0/");
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 220), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 221), MBOX_OVERQUOTA);
	assert_int_equal(world_deliver(&w, "fred", body, 1).result, MBOX_OK);
	assert_int_equal(world_append(&w, "user.fred", body, 0, NULL), 0);
	body[70] = '\0';
	assert_int_equal(world_append(&w, "user.fred", body, 0, NULL), 0);
	assert_int_equal(world_deliver(&w, "fred", body, 2).result, MBOX_OK);
	check(&w, "user.fred", "user.fred 220/200 2/");
	body[1] = '\0';
	assert_int_equal(world_deliver(&w, "fred", body, 3).result, MBOX_OVERQUOTA);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_OVERQUOTA);
	world_close(&w);
}

TEST(default_limits_are_for_users_without_their_own)
{
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_set_quota(&w, "user.ann", -1, -1), MBOX_OK);
	w.quota = (struct quota_policy){ 10, 3, 0 };
	world_reopen(&w);
	check(&w, "user.fred", "user.fred 0/10 0/3");
	check(&w, "user.ann", "user.ann 0/ 0/");
	check(&w, "lists", "");
	assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 1);
	assert_int_equal(quota_count_full(w.store), 1);
	assert_int_equal(world_append(&w, "user.ann", TEN TEN, 0, NULL), 1);
	quota_set_policy(w.store, &(struct quota_policy){ 20, 0, 0 });
	assert_int_equal(quota_count_full(w.store), 0);
	assert_int_equal(world_set_quota(&w, "user.ann", -2, -2), MBOX_OK);
	check(&w, "user.ann", "user.ann 20/20 1/");
	assert_int_equal(quota_count_full(w.store), 1);
	world_close(&w);
}

/* ---- anything in any order ------------------------------------------------------------------------- */

#define MODEL_STEPS 150
#define MODEL_SEEDS 9
#define AT_ONCE 6

static const char *const pool[] = { "user.fred", "user.fred.Sent", "user.fred.a",
	                            "user.ann",  "user.ann.b",     "lists",
	                            "lists.a",   "lists.a.x",      "other" };

struct model {
	struct world w;
	uint64_t rng;
	int next;
	unsigned results[MBOX_CORRUPT + 1]; /* how often */
	struct mailbox *open[2 * AT_ONCE];
	unsigned opened;
};

static unsigned
draw(struct model *m, unsigned below)
{
	m->rng = m->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)((m->rng >> 33) % below);
}

static const char *
pick(struct model *m)
{
	return pool[draw(m, ARRAY_LEN(pool))];
}

static void
model_done(void *ctx, enum mbox_result result)
{
	struct model *m = ctx;

	m->results[result]++;
}

static void
model_added(void *ctx, enum mbox_result result, UNUSED const struct mailbox_added *a)
{
	model_done(ctx, result);
}

static void
model_expunged(void *ctx, enum mbox_result result, UNUSED uint64_t modseq)
{
	model_done(ctx, result);
}

static void
model_delivered(void *ctx, const struct deliver_result *results, UNUSED size_t count)
{
	model_done(ctx, results[0].result);
}

/* Half of the messages. */
static size_t
some_uids(struct model *m, struct mailbox *mbox, uint32_t uids[64])
{
	uint32_t count;
	const struct msg *msgs = mailbox_msgs(mbox, &count);
	size_t n = 0;

	for (uint32_t i = 0; i < count && n < 64; i++)
		if (draw(m, 2) == 0)
			uids[n++] = msgs[i].uid;
	return n;
}

static char filler[3000];

static void
change_one(struct model *m, struct mailbox *from, struct mailbox *to)
{
	const struct copy_how moved = { true, MSG_SYSTEM, true };
	const struct copy_how copied = { false, MSG_SYSTEM, true };
	/* they live until the callback */
	static struct slice pieces[2 * AT_ONCE];
	struct slice *piece = &pieces[m->next++ % (2 * AT_ONCE)];
	struct msg_new msg = { .pieces = piece, .piece_count = 1 };
	struct deliver_rcpt rcpt = { .user = SLICE("fred"), .detail = SLICE("a") };
	uint8_t key[DELIVER_KEY_LEN] = { (uint8_t)m->next, (uint8_t)(m->next >> 8) };
	uint32_t uids[64];
	size_t count = some_uids(m, from, uids);

	*piece = slice_make(filler, 1 + draw(m, sizeof(filler) - 1));
	switch (draw(m, 5)) {
	case 0:
		(void)mailbox_expunge(from, uids, count, false, model_expunged, m);
		break;
	case 1:
		(void)mailbox_copy(from, uids, count, to, &copied, model_added, m);
		break;
	case 2:
		(void)mailbox_copy(from, uids, count, to, &moved, model_added, m);
		break;
	case 3:
		(void)mailbox_append(to, &msg, 1, model_added, m);
		break;
	default:
		(void)deliver(m->w.store, &rcpt, 1, key, piece, 1, 1700000000, model_delivered, m);
		break;
	}
}

static void
change_names(struct model *m)
{
	struct store *s = m->w.store;
	struct slice name = slice_of(pick(m)), to = slice_of(pick(m));
	struct quota_limits l = { draw(m, 30000), draw(m, 4) == 0 ? draw(m, 20) : QUOTA_NONE };

	switch (draw(m, 8)) {
	case 0:
	case 1:
		(void)store_create(s, name, SLICE(""), model_done, m);
		break;
	case 2:
		(void)store_delete(s, name, mbox_name_is_inbox(name) && draw(m, 3) == 0, model_done,
		                   m);
		break;
	case 3:
	case 4:
		(void)store_rename(s, name, to, model_done, m);
		break;
	case 5:
		(void)quota_set(s, name, NULL, model_done, m);
		break;
	default:
		(void)quota_set(s, name, &l, model_done, m);
		break;
	}
}

static bool
note_within(void *ctx, const struct quota_info *q)
{
	bool *all = ctx;

	*all = q->bytes <= q->limits.bytes && q->messages <= q->limits.messages;
	return *all;
}

static bool
all_within(struct model *m)
{
	bool all = true;

	quota_each(m->w.store, SLICE(""), note_within, &all);
	return all;
}

static void
step(struct model *m)
{
	bool names = draw(m, 3) == 0, within = all_within(m);
	unsigned pairs = 1 + draw(m, AT_ONCE);

	for (unsigned i = 0; i < 2 * pairs; i++) {
		m->open[i] = world_get(&m->w, pick(m), NULL);
		m->opened = i + 1;
	}
	for (unsigned i = 0; i < pairs; i++) {
		if (m->open[2 * i] != NULL && m->open[2 * i + 1] != NULL)
			change_one(m, m->open[2 * i], m->open[2 * i + 1]);
		if (names)
			change_names(m);
		if (draw(m, 8) == 0)
			fakenet_settle(m->w.loop);
	}
	fakenet_settle(m->w.loop);
	/* only another limit or name can bring a root above its limits */
	if (within && !names)
		assert_true(all_within(m));
	while (m->opened > 0)
		if (m->open[--m->opened] != NULL)
			mailbox_release(&m->open[m->opened]);
	world_check_quotas(&m->w);
}

static void
play_model(struct model *m, uint64_t seed)
{
	m->rng = seed;
	m->next = 0;
	start(&m->w, (enum world_mode)(seed % WORLD_MODES));
	for (int i = 0; i < MODEL_STEPS; i++) {
		step(m);
		if (draw(m, 20) == 0) {
			world_reopen(&m->w);
			world_check_quotas(&m->w);
		}
		if (draw(m, 30) == 0)
			(void)world_create_user(&m->w, draw(m, 2) == 0 ? "fred" : "ann");
	}
	world_check_reopen(&m->w, "the model");
	world_close(&m->w);
}

TEST(sums_never_drift)
{
	static struct model m;

	memset(filler, 'x', sizeof(filler));
	for (uint64_t seed = 1; seed <= MODEL_SEEDS; seed++)
		play_model(&m, seed);
	/* it was no idle play */
	assert_true(m.results[MBOX_OK] > 1000 && m.results[MBOX_OVERQUOTA] > 100);
}

/* ---- what an expunge would free ------------------------------------------------------------------ */

static void
on_status(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	assert_int_equal(result, MBOX_OK);
	*(struct mailbox_status *)ctx = *st;
}

TEST(deleted_messages_are_summed_also_when_cold)
{
	struct world w;

	EACH_MODE
	{
		struct mailbox_status st;

		start(&w, mode);
		assert_int_equal(world_append(&w, "user.fred", TEN, MSG_DELETED, NULL), 1);
		assert_int_equal(world_append(&w, "user.fred", TEN, 0, NULL), 2);
		world_reopen(&w);
		assert_int_equal(world_deliver(&w, "fred", TEN TEN, 1).result, MBOX_OK);
		(void)mailbox_status_deleted(w.store, SLICE("user.fred"), on_status, &st);
		fakenet_settle(w.loop);
		assert_true(st.deleted == 1 && st.deleted_bytes == 10 && st.bytes == 40);
		assert_int_equal(world_flags(&w, "user.fred", "3", FLAGS_ADD, MSG_DELETED, NULL),
		                 MBOX_OK);
		(void)mailbox_status_deleted(w.store, SLICE("user.fred"), on_status, &st);
		fakenet_settle(w.loop);
		assert_true(st.deleted == 2 && st.deleted_bytes == 30);
		world_close(&w);
	}
}
