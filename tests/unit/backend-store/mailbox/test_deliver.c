/* Deliveries: one body for all, and each once. */
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "tls/digest.h"
#include "world.h"

#define EACH_MODE for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)

static void
start(struct world *w, enum world_mode mode)
{
	world_open(w, mode);
	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(w, "ann"), MBOX_OK);
}

TEST(a_delivery_is_made_once)
{
	struct world w;
	struct deliver_result r;

	EACH_MODE
	{
		start(&w, mode);
		r = world_deliver(&w, "fred", "Subject: x\r\n\r\n", 1);
		assert_int_equal(r.result, MBOX_OK);
		assert_int_equal(r.uid, 1);
		assert_false(r.duplicate);
		r = world_deliver(&w, "fred", "Subject: x\r\n\r\n", 1);
		assert_int_equal(r.result, MBOX_OK);
		assert_true(r.duplicate);
		world_check_reopen(&w, "one delivery");
		r = world_deliver(&w, "fred", "Subject: x\r\n\r\n", 1);
		assert_true(r.result == MBOX_OK && r.duplicate);
		r = world_deliver(&w, "fred", "Subject: x\r\n\r\n", 2);
		assert_true(r.result == MBOX_OK && !r.duplicate && r.uid == 2);
		r = world_deliver(&w, "ann", "Subject: x\r\n\r\n", 1);
		assert_true(r.result == MBOX_OK && !r.duplicate && r.uid == 1);
		world_check_reopen(&w, "three deliveries");
		world_close(&w);
	}
}

static const struct detail_case {
	const char *rcpt, *where;
} detail_cases[] = {
	{ "fred+Sent", "user.fred.Sent" },
	{ "fred+sent", "user.fred" },
	{ "fred+a/b", "user.fred.a.b" },
	{ "fred+inbox", "user.fred" },
	{ "fred+", "user.fred" },
	{ "fred+../ann", "user.fred" },
	{ "fred+Other Users/ann", "user.fred" },
	{ "fred+\xc3\xa4", "user.fred.&AOQ-" },
	{ "fred+\xff", "user.fred" },
};

TEST(a_detail_names_a_folder_that_is_there)
{
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_create(&w, "user.fred.a.b"), MBOX_OK);
	assert_int_equal(world_create(&w, "user.fred.&AOQ-"), MBOX_OK);
	for (size_t i = 0; i < ARRAY_LEN(detail_cases); i++) {
		const struct detail_case *c = &detail_cases[i];
		struct deliver_result r = world_deliver(&w, c->rcpt, "x", (int)i);
		struct mbox_info info;

		assert_int_equal(r.result, MBOX_OK);
		assert_true(store_find_id(w.store, r.mbox_id, &info));
		test_eq_slice(c->rcpt, info.name, slice_of(c->where));
	}
	world_close(&w);
}

struct results {
	struct deliver_result r[8];
	size_t count;
	int calls;
};

static void
on_delivered(void *ctx, const struct deliver_result *results, size_t count)
{
	struct results *r = ctx;

	r->calls++;
	r->count = count;
	memcpy(r->r, results, count * sizeof(*results));
}

static void
deliver_to(struct world *w, const struct deliver_rcpt *rcpts, size_t count, int key,
           const char *body, struct results *r)
{
	static struct slice piece;
	uint8_t sum[DIGEST_LEN];

	piece = slice_of(body);
	digest_of(slice_make(&key, sizeof(key)), sum);
	(void)deliver(w->store, rcpts, count, sum, &piece, 1, 1, on_delivered, r);
	assert_true(r->calls == 0 || r->count != 0);
}

#define RCPT(u, d)                                                                                 \
	{                                                                                          \
		.user = SLICE_INIT(u), .detail = SLICE_INIT(d)                                     \
	}

TEST(one_body_serves_all_and_each_recipient_has_its_result)
{
	struct world w;
	struct deliver_rcpt rcpts[] = {
		RCPT("fred", ""), RCPT("nobody", ""),   RCPT("ann", ""),
		RCPT("fred", ""), RCPT("fred", "Sent"),
	};
	struct results r = { .calls = 0 };
	struct engine_stats before, after;

	EACH_MODE
	{
		r.calls = 0;
		start(&w, mode);
		engine_get_stats(store_engine(w.store), &before);
		deliver_to(&w, rcpts, 5, 1, "Subject: all\r\n\r\nbody\r\n", &r);
		fakenet_settle(w.loop);
		engine_get_stats(store_engine(w.store), &after);
		assert_int_equal(r.calls, 1);
		assert_int_equal(r.r[0].result, MBOX_OK);
		assert_int_equal(r.r[1].result, MBOX_ABSENT);
		assert_int_equal(r.r[2].result, MBOX_OK);
		assert_true(r.r[3].result == MBOX_OK && r.r[3].duplicate);
		assert_true(r.r[4].result == MBOX_OK && !r.r[4].duplicate);
		/* a body, three messages, three keys: by one transaction */
		assert_int_equal(after.published_lsn - before.published_lsn, 7);
		assert_int_equal(after.transactions - before.transactions, 1);
		world_check_reopen(&w, "one body");
		world_expunge(&w, "user.fred", NULL, false);
		world_delete(&w, "user.ann", true);
		world_check_reopen(&w, "one reference left");
		world_close(&w);
	}
}

TEST(a_second_offer_waits_for_the_first)
{
	struct world w;
	struct deliver_rcpt rcpt = RCPT("fred", "");
	struct results one = { .calls = 0 }, two = { .calls = 0 };

	start(&w, WORLD_PLAIN);
	deliver_to(&w, &rcpt, 1, 1, "x", &one);
	deliver_to(&w, &rcpt, 1, 1, "x", &two);
	assert_int_equal(one.calls + two.calls, 0);
	fakenet_settle(w.loop);
	assert_true(one.calls == 1 && two.calls == 1);
	assert_true(!one.r[0].duplicate && two.r[0].duplicate);
	assert_int_equal(two.r[0].result, MBOX_OK);
	world_close(&w);
}

TEST(after_the_window_it_is_a_new_message)
{
	struct world w;
	struct deliver_result r;

	world_open(&w, WORLD_PLAIN);
	w.duplicate_window_ms = 60000;
	world_reopen(&w);
	world_create_user(&w, "fred");
	assert_false(world_deliver(&w, "fred", "x", 1).duplicate);
	fakenet_advance(w.loop, 59000);
	assert_true(world_deliver(&w, "fred", "x", 1).duplicate);
	fakenet_advance(w.loop, 2000);
	r = world_deliver(&w, "fred", "x", 1);
	assert_true(r.result == MBOX_OK && !r.duplicate);
	assert_true(world_deliver(&w, "fred", "x", 1).duplicate);
	world_check_reopen(&w, "keys come and go");
	assert_true(world_deliver(&w, "fred", "x", 1).duplicate);
	world_close(&w);
}

TEST(rcpt_is_told_the_truth)
{
	struct world w;

	start(&w, WORLD_PLAIN);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("none"), 0, 0), MBOX_ABSENT);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, ENGINE_BLOB_MAX), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, ENGINE_BLOB_MAX + 1ull),
	                 MBOX_TOOBIG);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 3, 0), MBOX_UNAVAILABLE);
	world_set_claim(&w, "user.fred", 3);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 3, 0), MBOX_OK);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 2, 0), MBOX_UNAVAILABLE);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_OK);
	world_close(&w);
}
