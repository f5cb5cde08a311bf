/*
 * Moves of users, the store's part: what is closed and when, that a copy made of the items is
 * the same in every respect, and what a restart finds in each state.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakenet/fakenet.h"
#include "base/xalloc.h"
#include "lib/test.h"
#include "mailbox/move.h"
#include "mailbox/store_impl.h"
#include "unit/backend-store/mailbox/world.h"

#define ID 77

/* ---- calls that wait ---------------------------------------------------------------------- */

struct answer {
	int came;
	enum mbox_result result;
};

static void
on_done(void *ctx, enum mbox_result result)
{
	struct answer *a = ctx;

	a->came++;
	a->result = result;
}

static enum mbox_result
wait_for(struct world *w, struct answer *a)
{
	fakenet_settle(w->loop);
	if (w->mode == WORLD_UNINDEXED) {
		engine_index_now(store_engine(w->store));
		fakenet_settle(w->loop);
	}
	assert_int_equal(a->came, 1);
	return a->result;
}

static enum mbox_result
begin(struct world *w, enum move_role role, const char *user)
{
	struct move_record r = {
		.role = role, .id = ID, .claim = 5, .user = slice_of(user), .peer = SLICE("other")
	};
	struct answer a = { 0 };

	(void)store_move_begin(w->store, &r, on_done, &a);
	return wait_for(w, &a);
}

static enum mbox_result
set(struct world *w, const char *user, enum move_state state)
{
	struct answer a = { 0 };

	(void)store_move_set(w->store, slice_of(user), ID, state, on_done, &a);
	return wait_for(w, &a);
}

static enum mbox_result
end(struct world *w, const char *user, bool drop)
{
	struct answer a = { 0 };

	(void)store_move_end(w->store, slice_of(user), ID, drop, on_done, &a);
	return wait_for(w, &a);
}

/* ---- fred, with something of everything ------------------------------------------------------ */

static void
make_fred(struct world *w)
{
	struct quota_limits limits = { 1 << 20, 1000 };
	struct answer a = { 0 };
	char body[100];

	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(w, "ann"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a.b"), MBOX_OK);
	assert_int_equal(world_set_acl(w, "user.fred.a.b", "fred\tlrswipkxtea\tann\tlr\t"),
	                 MBOX_OK);
	for (int i = 0; i < 20; i++) {
		snprintf(body, sizeof(body), "Subject: %d\r\n\r\nbody %d\r\n", i, i);
		(void)world_append(w, i % 3 == 0 ? "user.fred.a.b" : "user.fred", body,
		                   (uint8_t)(i % 5 == 0 ? MSG_SEEN | MSG_FLAGGED : 0),
		                   i % 4 == 0   ? "$Work later"
		                   : i % 4 == 1 ? "later"
		                                : "");
	}
	assert_int_equal(world_copy(w, "user.fred", "1 2 3", "user.fred.Sent", false, NULL),
	                 MBOX_OK);
	assert_int_equal(world_flags(w, "user.fred", "2 4", FLAGS_ADD, MSG_ANSWERED, "$Work"),
	                 MBOX_OK);
	assert_int_equal(world_expunge(w, "user.fred", "3 5 13", false), MBOX_OK);
	assert_int_equal(world_subscribe(w, "fred", "user.fred.gone", true), MBOX_OK);
	assert_int_equal(world_deliver(w, "fred", "Subject: x\r\n\r\n", 1).result, MBOX_OK);
	assert_int_equal(world_deliver(w, "ann", "Subject: x\r\n\r\n", 1).result, MBOX_OK);
	(void)quota_set(w->store, SLICE("user.fred"), &limits, on_done, &a);
	assert_int_equal(wait_for(w, &a), MBOX_OK);
}

/* ---- copying ------------------------------------------------------------------------------------- */

struct copy {
	struct world *to;
	bool finished;
	enum mbox_result result;
};

static void
on_written(void *ctx, enum mbox_result result, bool finished)
{
	struct copy *c = ctx;

	if (c->result == MBOX_OK)
		c->result = result;
	c->finished = c->finished || finished;
}

static void
copy_item(struct move_reader *r, const struct move_item *item, struct move_writer *w,
          uint64_t *bodies)
{
	struct buf payload = BUF_INIT(MOVE_ITEM_MAX), body = BUF_INIT(SIZE_MAX);
	struct err err;

	if (item->kind == MOVE_ITEM_MESSAGE) {
		test_check(move_reader_body(r, item, &body, &err), "%s", err.text);
		move_writer_take_body(w, xmemdup(buf_slice(&body).p, body.len), (uint32_t)body.len);
		move_item_set_body(item->payload, ++*bodies, &payload);
	} else {
		buf_add_slice(&payload, item->payload);
	}
	test_check(move_writer_item(w, item->kind, buf_slice(&payload), &err), "%s", err.text);
	buf_fini(&payload);
	buf_fini(&body);
}

static void
digest(struct world *w, const char *user, uint8_t digest_r[32])
{
	struct move_reader *r = move_reader_new(w->store, slice_of(user));
	struct move_item item;
	struct err err;
	int rc;

	while ((rc = move_reader_next(r, &item, &err)) == 1)
		continue;
	test_check(rc == 0, "%s", err.text);
	move_reader_digest(r, digest_r);
	move_reader_free(&r);
}

static void
copy_user(struct world *from, struct world *to, const char *user)
{
	struct move_reader *r = move_reader_new(from->store, slice_of(user));
	struct copy c = { .to = to };
	struct move_writer *w = move_writer_new(to->store, slice_of(user), on_written, &c);
	uint8_t there[32], here[32];
	struct move_totals read, written;
	struct move_item item;
	uint64_t bodies = 0;
	struct err err;
	int rc;

	while ((rc = move_reader_next(r, &item, &err)) == 1)
		copy_item(r, &item, w, &bodies);
	test_check(rc == 0, "%s", err.text);
	move_writer_finish(w);
	fakenet_settle(to->loop);
	if (to->mode == WORLD_UNINDEXED) {
		assert_false(c.finished);
		engine_index_now(store_engine(to->store));
		fakenet_settle(to->loop);
	}
	assert_true(c.finished);
	assert_int_equal(c.result, MBOX_OK);
	assert_int_equal(move_writer_pending(w), 0);
	move_reader_totals(r, &read);
	move_writer_totals(w, &written);
	assert_memory_equal(&read, &written, sizeof(read));
	move_reader_digest(r, here);
	digest(to, user, there);
	assert_memory_equal(here, there, sizeof(here));
	move_writer_free(&w);
	move_reader_free(&r);
}

/* ---- comparing: everything but ids and claims --------------------------------------------------- */

static bool
collect(void *ctx, const struct mbox_info *info)
{
	buf_add_blob(ctx, info->name);
	return true;
}

static bool
dump_sub(void *ctx, struct slice name)
{
	buf_printf(ctx, " %.*s", SLICE_ARG(name));
	return true;
}

static void
dump_fred(struct world *w, struct buf *out)
{
	struct buf names = BUF_INIT(SIZE_MAX);
	struct quota_info q;
	struct num_reader r;

	store_each(w->store, SLICE("user.fred"), collect, &names);
	for (r = num_reader_of(buf_slice(&names)); r.rest.n != 0;) {
		struct mbox_name name;
		struct mbox_info info;

		assert_int_equal(mbox_name_set(&name, num_read_blob(&r)), MBOX_NAME_OK);
		assert_true(store_find(w->store, mbox_name_slice(&name), &info));
		buf_printf(out, "%s uidvalidity=%u use=%.*s acl=%.*s\n", name.s, info.uidvalidity,
		           SLICE_ARG(info.special_use), SLICE_ARG(info.acl));
		world_dump_mailbox(w, name.s, out);
	}
	buf_add_str(out, "subscribed");
	store_each_subscription(w->store, SLICE("fred"), dump_sub, out);
	assert_true(quota_find(w->store, SLICE("user.fred"), &q));
	buf_printf(out, "\nquota %llu %llu used %llu %llu\n", (unsigned long long)q.limits.bytes,
	           (unsigned long long)q.limits.messages, (unsigned long long)q.bytes,
	           (unsigned long long)q.messages);
	buf_fini(&names);
}

static void
move_in_mode(enum world_mode mode)
{
	struct buf before = BUF_INIT(SIZE_MAX), after = BUF_INIT(SIZE_MAX);
	struct world from, to;
	struct mbox_info info;

	world_open(&from, mode);
	world_open(&to, mode);
	make_fred(&from);
	dump_fred(&from, &before);
	assert_int_equal(begin(&from, MOVE_OUT, "fred"), MBOX_OK);
	assert_int_equal(begin(&to, MOVE_IN, "fred"), MBOX_OK);
	copy_user(&from, &to, "fred");
	/* both are closed */
	assert_true(store_find(to.store, SLICE("user.fred"), &info) && info.conflict);
	assert_int_equal(info.claim, 5);
	assert_true(store_find(from.store, SLICE("user.fred"), &info) && info.conflict);
	assert_int_equal(set(&to, "fred", MOVE_COMMITTING), MBOX_OK);
	assert_int_equal(end(&to, "fred", false), MBOX_OK);
	assert_int_equal(set(&from, "fred", MOVE_RELEASED), MBOX_OK);
	assert_int_equal(end(&from, "fred", true), MBOX_OK);
	dump_fred(&to, &after);
	test_eq_slice("the copy", buf_slice(&after), buf_slice(&before));
	world_check_reopen(&to, "the target again");
	/* at the source nothing is left but ann */
	assert_false(store_find(from.store, SLICE("user.fred"), &info));
	assert_true(store_find(from.store, SLICE("user.ann"), &info));
	assert_false(store_is_subscribed(from.store, SLICE("fred"), SLICE("user.fred.gone")));
	world_check_reopen(&from, "the source again");
	/* and it goes on: a duplicate is one there, too */
	assert_true(world_deliver(&to, "fred", "Subject: x\r\n\r\n", 1).duplicate);
	assert_int_not_equal(world_append(&to, "user.fred", "Subject: y\r\n\r\n", 0, ""), 0);
	world_check_reopen(&to, "the target with more");
	buf_fini(&before);
	buf_fini(&after);
	world_close(&from);
	world_close(&to);
}

TEST(a_copy_is_the_same_in_every_respect)
{
	move_in_mode(WORLD_PLAIN);
}

TEST(a_copy_is_the_same_when_nothing_was_indexed)
{
	move_in_mode(WORLD_UNINDEXED);
}

TEST(a_copy_is_the_same_when_nothing_stays_in_memory)
{
	move_in_mode(WORLD_COLD);
}

/* ---- closed ------------------------------------------------------------------------------------- */

TEST(who_is_being_moved_is_closed_and_nobody_else)
{
	struct mailbox_status st;
	struct world w;

	world_open(&w, WORLD_PLAIN);
	make_fred(&w);
	assert_int_equal(begin(&w, MOVE_OUT, "fred"), MBOX_OK);
	assert_int_equal(world_status(&w, "user.fred", &st), MBOX_UNAVAILABLE);
	assert_int_equal(world_create(&w, "user.fred.new"), MBOX_UNAVAILABLE);
	assert_int_equal(world_delete(&w, "user.fred.Sent", false), MBOX_UNAVAILABLE);
	assert_int_equal(world_delete(&w, "user.fred", true), MBOX_UNAVAILABLE);
	assert_int_equal(world_rename(&w, "user.ann.Sent", "user.fred.x"), MBOX_UNAVAILABLE);
	assert_int_equal(world_set_acl(&w, "user.fred", "fred\tl\t"), MBOX_UNAVAILABLE);
	assert_int_equal(world_set_quota(&w, "user.fred", 1, 1), MBOX_UNAVAILABLE);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_UNAVAILABLE);
	assert_int_equal(world_subscribe(&w, "fred", "user.fred", true), MBOX_UNAVAILABLE);
	assert_int_equal(world_deliver(&w, "fred", "Subject: x\r\n\r\n", 2).result,
	                 MBOX_UNAVAILABLE);
	assert_int_equal(deliver_check(w.store, SLICE("fred"), 0, 0), MBOX_UNAVAILABLE);
	assert_int_equal(begin(&w, MOVE_OUT, "fred"), MBOX_BUSY);
	assert_int_equal(begin(&w, MOVE_IN, "fred"), MBOX_BUSY);
	assert_int_equal(world_deliver(&w, "ann", "Subject: x\r\n\r\n", 2).result, MBOX_OK);
	assert_int_equal(end(&w, "fred", false), MBOX_OK);
	assert_int_equal(world_deliver(&w, "fred", "Subject: x\r\n\r\n", 2).result, MBOX_OK);
	assert_int_equal(end(&w, "fred", false), MBOX_ABSENT);
	world_close(&w);
}

TEST(a_target_takes_nobody_it_has)
{
	struct world w;

	world_open(&w, WORLD_PLAIN);
	make_fred(&w);
	assert_int_equal(begin(&w, MOVE_IN, "fred"), MBOX_EXISTS);
	assert_int_equal(begin(&w, MOVE_OUT, "nobody"), MBOX_ABSENT);
	assert_int_equal(begin(&w, MOVE_OUT, "not a user"), MBOX_INVALID);
	store_set_conflict(w.store, SLICE("user.fred.Sent"), true);
	assert_int_equal(begin(&w, MOVE_OUT, "fred"), MBOX_UNAVAILABLE);
	/* one who is to come is closed before anything of him is there */
	assert_int_equal(begin(&w, MOVE_IN, "zoe"), MBOX_OK);
	assert_int_equal(world_create_user(&w, "zoe"), MBOX_UNAVAILABLE);
	assert_int_equal(deliver_check(w.store, SLICE("zoe"), 0, 0), MBOX_UNAVAILABLE);
	assert_int_equal(end(&w, "zoe", true), MBOX_OK);
	assert_int_equal(world_create_user(&w, "zoe"), MBOX_OK);
	world_close(&w);
}

/* ---- restarts --------------------------------------------------------------------------------------- */

static void
on_move(void *ctx, const struct move_record *r)
{
	buf_printf(ctx, "%.*s %s %.*s id=%llu claim=%llu;", SLICE_ARG(r->user),
	           move_state_name(r->state), SLICE_ARG(r->peer), (unsigned long long)r->id,
	           (unsigned long long)r->claim);
}

static void
check_moves(struct world *w, const char *want)
{
	struct buf out = BUF_INIT(4096);

	store_each_move(w->store, on_move, &out);
	test_eq_str("moves", buf_cstr(&out), want);
	buf_fini(&out);
}

TEST(a_restart_finds_the_journal_and_keeps_closed_what_was)
{
	struct mailbox_status st;
	struct world w;

	world_open(&w, WORLD_PLAIN);
	make_fred(&w);
	assert_int_equal(world_set_claim(&w, "user.fred", 9), MBOX_OK);
	assert_int_equal(begin(&w, MOVE_OUT, "fred"), MBOX_OK);
	check_moves(&w, "fred copying other id=77 claim=9;");
	world_reopen(&w);
	check_moves(&w, "fred copying other id=77 claim=9;");
	assert_int_equal(world_status(&w, "user.fred", &st), MBOX_UNAVAILABLE);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_UNAVAILABLE);
	assert_int_equal(set(&w, "fred", MOVE_COMMITTING), MBOX_OK);
	world_reopen(&w);
	check_moves(&w, "fred committing other id=77 claim=9;");
	assert_int_equal(end(&w, "fred", false), MBOX_OK);
	check_moves(&w, "");
	assert_int_equal(world_status(&w, "user.fred", &st), MBOX_OK);
	world_reopen(&w);
	check_moves(&w, "");
	assert_int_equal(world_status(&w, "user.fred", &st), MBOX_OK);
	world_close(&w);
}

TEST(a_half_made_copy_is_dropped_whole)
{
	struct world from, to;
	struct mbox_info info;

	world_open(&from, WORLD_PLAIN);
	world_open(&to, WORLD_PLAIN);
	make_fred(&from);
	assert_int_equal(begin(&from, MOVE_OUT, "fred"), MBOX_OK);
	assert_int_equal(begin(&to, MOVE_IN, "fred"), MBOX_OK);
	copy_user(&from, &to, "fred");
	world_reopen(&to);
	assert_true(store_find(to.store, SLICE("user.fred"), &info) && info.conflict &&
	            info.apart && !info.unsettled);
	assert_int_equal(end(&to, "fred", true), MBOX_OK);
	assert_int_equal(store_count(to.store), 0);
	world_check_reopen(&to, "nothing");
	assert_int_equal(store_count(to.store), 0);
	/* once more */
	assert_int_equal(begin(&to, MOVE_IN, "fred"), MBOX_OK);
	copy_user(&from, &to, "fred");
	assert_int_equal(end(&to, "fred", false), MBOX_OK);
	world_check_reopen(&to, "the second time");
	world_close(&from);
	world_close(&to);
}

/* ---- numbers ------------------------------------------------------------------------------------------ */

TEST(no_uidvalidity_of_the_source_is_given_again)
{
	struct move_record r = { .role = MOVE_IN,
		                 .id = ID,
		                 .uidvalidity = 4000000000u,
		                 .user = SLICE("fred"),
		                 .peer = SLICE("other") };
	struct answer a = { 0 };
	struct mbox_info info;
	struct world w;

	world_open(&w, WORLD_PLAIN);
	(void)store_move_begin(w.store, &r, on_done, &a);
	assert_int_equal(wait_for(&w, &a), MBOX_OK);
	assert_int_equal(end(&w, "fred", true), MBOX_OK);
	world_reopen(&w);
	assert_int_equal(world_create_user(&w, "ann"), MBOX_OK);
	assert_true(store_find(w.store, SLICE("user.ann"), &info));
	assert_true(info.uidvalidity > 4000000000u);
	world_close(&w);
}

/* ---- what a peer may not send --------------------------------------------------------------------------- */

static const struct bad {
	const char *name, *say;
	enum move_item_kind kind;
	const char *mbox;
	uint32_t uidvalidity, uidnext;
	uint32_t uid;
	uint64_t modseq, body;
	uint8_t flags;
} bads[] = {
	{ "an item of no kind", "unknown kind", MOVE_ITEM_KINDS, NULL, 0, 0, 0, 0, 0, 0 },
	{ "another user's mailbox", "not the user's", MOVE_ITEM_MAILBOX, "user.ann", 1, 5, 0, 0, 0,
	  0 },
	{ "a folder before the INBOX", "not the user's", MOVE_ITEM_MAILBOX, "user.fred.a", 1, 5, 0,
	  0, 0, 0 },
	{ "no UIDVALIDITY", "impossible numbers", MOVE_ITEM_MAILBOX, "user.fred", 0, 5, 0, 0, 0,
	  0 },
	{ "a UID behind UIDNEXT", "impossible UID", MOVE_ITEM_MESSAGE, "user.fred", 1, 5, 5, 1, 1,
	  0 },
	{ "a MODSEQ behind the highest", "MODSEQ", MOVE_ITEM_MESSAGE, "user.fred", 1, 5, 4, 8, 1,
	  0 },
	{ "no body", "without its body", MOVE_ITEM_MESSAGE, "user.fred", 1, 5, 4, 1, 0, 0 },
	{ "a body to come", "without its body", MOVE_ITEM_MESSAGE, "user.fred", 1, 5, 4, 1, 2, 0 },
	{ "flags there are not", "impossible flags", MOVE_ITEM_MESSAGE, "user.fred", 1, 5, 4, 1, 1,
	  0x80 },
};

static void
add_head(const struct bad *b, struct buf *out)
{
	struct head h = { .name = slice_of(b->mbox),
		          .acl = SLICE("fred\tl\t"),
		          .uidvalidity = b->uidvalidity,
		          .uidnext = b->uidnext,
		          .recent = 1,
		          .highestmodseq = 7 };

	head_add(out, &h);
}

static bool
send_bad(struct move_writer *w, const struct bad *b, struct err *err)
{
	struct buf p = BUF_INIT(4096);
	struct msg m = {
		.uid = b->uid, .modseq = b->modseq, .blob = b->body, .size = 1, .flags = b->flags
	};
	bool ok;

	if (b->mbox != NULL)
		add_head(b, &p);
	if (b->kind == MOVE_ITEM_MESSAGE) {
		assert_true(move_writer_item(w, MOVE_ITEM_MAILBOX, buf_slice(&p), err));
		move_writer_take_body(w, xmemdup("x", 1), 1);
		buf_clear(&p);
		fact_append_add(&p, &m);
		buf_add(&p, (uint8_t[32]){ 0 }, 32);
	}
	ok = move_writer_item(w, b->kind, buf_slice(&p), err);
	buf_fini(&p);
	return ok;
}

TEST(what_cannot_be_is_refused)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct copy c = { 0 };
		struct move_writer *w;
		struct world to;
		struct err err = { "" };

		world_open(&to, WORLD_PLAIN);
		assert_int_equal(begin(&to, MOVE_IN, "fred"), MBOX_OK);
		w = move_writer_new(to.store, SLICE("fred"), on_written, &c);
		test_check(!send_bad(w, &bads[i], &err), "%s", bads[i].name);
		test_check(strstr(err.text, bads[i].say) != NULL, "%s: %s", bads[i].name, err.text);
		move_writer_free(&w);
		assert_int_equal(end(&to, "fred", true), MBOX_OK);
		assert_int_equal(store_count(to.store), 0);
		world_close(&to);
	}
}
