/* Messages: append, flags, expunge, copy, move; each looked at again after a restart. */
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "world.h"

#define BODY "From: a@example.org\r\nSubject: one\r\n\r\nhello\r\n"
#define BODY2 "From: b@example.org\r\nSubject: two\r\n\r\nsecond\r\n"

/* Each test in every mode of the store. */
#define EACH_MODE for (enum world_mode mode = 0; mode < WORLD_MODES; mode++)

static void
start(struct world *w, enum world_mode mode)
{
	world_open(w, mode);
	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
}

TEST(append_gives_uids_in_order_and_survives)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	EACH_MODE
	{
		start(&w, mode);
		assert_int_equal(world_append(&w, "user.fred", BODY, 0, NULL), 1);
		world_check_reopen(&w, "after one message");
		assert_int_equal(
			world_append(&w, "user.fred", BODY2, MSG_SEEN | MSG_FLAGGED, "$Junk work"),
			2);
		world_check_reopen(&w, "after two");
		assert_int_equal(world_append(&w, "user.fred", "", 0, "WORK other"), 3);
		world_check_reopen(&w, "after an empty one");
		world_uids(&w, "user.fred", &b);
		world_eq("uids", &b, "1 2 3");
		world_close(&w);
	}
	buf_fini(&b);
}

TEST(keywords_are_found_in_any_case_and_limited)
{
	struct world w;
	struct mailbox *m;

	start(&w, WORLD_PLAIN);
	assert_int_equal(world_append(&w, "user.fred", BODY, 0, "Work"), 1);
	assert_int_equal(world_append(&w, "user.fred", BODY, 0, "WORK"), 2);
	m = world_must_get(&w, "user.fred");
	assert_int_equal(mailbox_keyword_count(m), 1);
	assert_int_equal(mailbox_keyword_find(m, SLICE("work")), 0);
	assert_int_equal(mailbox_keyword_find(m, SLICE("none")), -1);
	mailbox_release(&m);
	for (int i = 1; i < MAILBOX_KEYWORDS_MAX; i++) {
		char k[20];

		snprintf(k, sizeof(k), "k%d", i);
		assert_int_equal(world_flags(&w, "user.fred", "1", FLAGS_ADD, 0, k), MBOX_OK);
	}
	assert_int_equal(world_flags(&w, "user.fred", "1", FLAGS_ADD, 0, "toomany"), MBOX_CANNOT);
	assert_int_equal(world_append(&w, "user.fred", BODY, 0, "toomany"), 0);
	assert_int_equal(world_flags(&w, "user.fred", "1", FLAGS_REMOVE, 0, "toomany"), MBOX_OK);
	assert_int_equal(world_flags(&w, "user.fred", "1", FLAGS_ADD, 0, "bad(one"), MBOX_INVALID);
	world_check_reopen(&w, "all keywords used");
	world_close(&w);
}

TEST(flags_change_modseq_only_when_they_change)
{
	struct world w;
	struct mailbox *m;

	EACH_MODE
	{
		uint64_t modseq;

		start(&w, mode);
		world_append(&w, "user.fred", BODY, 0, NULL);
		world_append(&w, "user.fred", BODY, MSG_SEEN, NULL);
		m = world_must_get(&w, "user.fred");
		modseq = mailbox_highestmodseq(m);
		assert_int_equal(world_flags(&w, "user.fred", "1 2 9", FLAGS_ADD, MSG_SEEN, NULL),
		                 MBOX_OK);
		assert_int_equal(mailbox_highestmodseq(m), modseq + 1);
		assert_int_equal(mailbox_find(m, 1)->modseq, modseq + 1);
		assert_true(mailbox_find(m, 2)->modseq <= modseq);
		assert_int_equal(world_flags(&w, "user.fred", "1 2", FLAGS_ADD, MSG_SEEN, NULL),
		                 MBOX_OK);
		assert_int_equal(mailbox_highestmodseq(m), modseq + 1);
		assert_int_equal(
			world_flags(&w, "user.fred", "1", FLAGS_REPLACE, MSG_DRAFT, "note"),
			MBOX_OK);
		assert_int_equal(mailbox_find(m, 1)->flags, MSG_DRAFT);
		assert_int_equal(mailbox_find(m, 1)->keywords, 1);
		assert_int_equal(world_flags(&w, "user.fred", "1", FLAGS_REMOVE, 0, "NOTE"),
		                 MBOX_OK);
		assert_int_equal(mailbox_find(m, 1)->keywords, 0);
		mailbox_release(&m);
		world_check_reopen(&w, "after flags");
		world_close(&w);
	}
}

TEST(unchangedsince_lists_what_was_modified)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);
	struct mailbox *m;
	uint64_t modseq;

	start(&w, WORLD_PLAIN);
	world_append(&w, "user.fred", BODY, 0, NULL);
	world_append(&w, "user.fred", BODY, 0, NULL);
	m = world_must_get(&w, "user.fred");
	modseq = mailbox_highestmodseq(m);
	world_flags(&w, "user.fred", "2", FLAGS_ADD, MSG_FLAGGED, NULL);
	assert_int_equal(world_flags_since(&w, "user.fred", "1 2", modseq, MSG_SEEN, &b), MBOX_OK);
	world_eq("modified", &b, "2");
	assert_int_equal(mailbox_find(m, 1)->flags, MSG_SEEN);
	assert_int_equal(mailbox_find(m, 2)->flags, MSG_FLAGGED);
	mailbox_release(&m);
	buf_fini(&b);
	world_close(&w);
}

TEST(expunge_takes_the_deleted_and_never_gives_their_uids_again)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	EACH_MODE
	{
		start(&w, mode);
		for (int i = 0; i < 6; i++)
			world_append(&w, "user.fred", BODY, i % 2 ? MSG_DELETED : 0, NULL);
		assert_int_equal(world_expunge(&w, "user.fred", "1 2", true), MBOX_OK);
		world_uids(&w, "user.fred", &b);
		world_eq("UID EXPUNGE 1:2", &b, "1 3 4! 5 6!");
		world_check_reopen(&w, "after UID EXPUNGE");
		assert_int_equal(world_expunge(&w, "user.fred", NULL, true), MBOX_OK);
		world_uids(&w, "user.fred", &b);
		world_eq("EXPUNGE", &b, "1 3 5");
		world_check_reopen(&w, "after EXPUNGE");
		assert_int_equal(world_expunge(&w, "user.fred", "5", false), MBOX_OK);
		assert_int_equal(world_expunge(&w, "user.fred", "5 77", false), MBOX_OK);
		assert_int_equal(world_append(&w, "user.fred", BODY2, 0, NULL), 7);
		world_check_reopen(&w, "after the last one went");
		assert_int_equal(world_append(&w, "user.fred", BODY2, 0, NULL), 8);
		assert_int_equal(world_expunge(&w, "user.fred", NULL, false), MBOX_OK);
		world_check_reopen(&w, "empty");
		world_close(&w);
	}
	buf_fini(&b);
}

TEST(what_vanished_is_told_since_a_modseq)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);
	struct mailbox *m;
	struct num_reader r;
	uint64_t modseq;

	EACH_MODE
	{
		start(&w, mode);
		for (int i = 0; i < 4; i++)
			world_append(&w, "user.fred", BODY, 0, NULL);
		world_expunge(&w, "user.fred", "1", false);
		m = world_must_get(&w, "user.fred");
		modseq = mailbox_highestmodseq(m);
		world_expunge(&w, "user.fred", "3", false);
		world_expunge(&w, "user.fred", "2", false);
		buf_clear(&b);
		assert_true(mailbox_vanished_since(m, modseq, &b));
		r = num_reader_of(buf_slice(&b));
		assert_int_equal(b.len, 8);
		assert_int_equal(num_read_u32(&r), 2);
		assert_int_equal(num_read_u32(&r), 3);
		mailbox_release(&m);
		world_close(&w);
	}
	buf_fini(&b);
}

TEST(copy_keeps_flags_and_keywords_and_needs_no_source)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	EACH_MODE
	{
		start(&w, mode);
		world_append(&w, "user.fred", BODY, MSG_SEEN, "a b");
		world_append(&w, "user.fred", BODY2, 0, "c");
		world_append(&w, "user.fred.Sent", BODY, 0, "x b");
		buf_clear(&b);
		assert_int_equal(world_copy(&w, "user.fred", "1 2 5", "user.fred.Sent", false, &b),
		                 MBOX_OK);
		world_eq("COPYUID", &b, "1:2 2:3");
		world_check_reopen(&w, "after COPY");
		world_expunge(&w, "user.fred", NULL, false);
		world_check_reopen(&w, "source expunged: the bodies are still there");
		buf_clear(&b);
		assert_int_equal(world_copy(&w, "user.fred.Sent", "2", "user.fred.Sent", false, &b),
		                 MBOX_OK);
		world_eq("copy to itself", &b, "2:4");
		assert_int_equal(world_delete(&w, "user.fred.Trash", false), MBOX_OK);
		world_check_reopen(&w, "after a copy to itself");
		world_close(&w);
	}
	buf_fini(&b);
}

TEST(move_leaves_nothing_behind)
{
	struct world w;
	struct buf b = BUF_INIT(SIZE_MAX);

	EACH_MODE
	{
		start(&w, mode);
		for (int i = 0; i < 3; i++)
			world_append(&w, "user.fred", BODY, 0, "k");
		buf_clear(&b);
		assert_int_equal(world_copy(&w, "user.fred", "1 3", "user.fred.Trash", true, &b),
		                 MBOX_OK);
		world_eq("moved", &b, "1:1 3:2");
		world_uids(&w, "user.fred", &b);
		world_eq("source", &b, "2");
		world_uids(&w, "user.fred.Trash", &b);
		world_eq("target", &b, "1 2");
		world_check_reopen(&w, "after MOVE");
		buf_clear(&b);
		assert_int_equal(world_copy(&w, "user.fred", "9", "user.fred.Trash", true, &b),
		                 MBOX_OK);
		world_eq("nothing to move", &b, "");
		buf_clear(&b);
		assert_int_equal(world_copy(&w, "user.fred", "2", "user.fred", true, &b), MBOX_OK);
		world_eq("to itself", &b, "2:4");
		world_check_reopen(&w, "after MOVE to itself");
		world_close(&w);
	}
	buf_fini(&b);
}

static void
count_added(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	int *n = ctx;

	assert_int_equal(result, MBOX_OK);
	for (size_t i = 1; i < added->count; i++)
		assert_int_equal(added->uids[i], added->uids[i - 1] + 1);
	*n += (int)added->count;
}

static void
refused(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	assert_int_equal(result, MBOX_INVALID);
	assert_int_equal(added->count, 0);
	++*(int *)ctx;
}

TEST(multiappend_is_all_or_nothing)
{
	struct world w;
	struct slice pieces[] = { SLICE_INIT("From: x\r\n"), SLICE_INIT("\r\nbody") };
	struct slice bad = SLICE_INIT("no good");
	struct msg_new msgs[3] = { { .pieces = pieces, .piece_count = 2 },
		                   { .pieces = pieces, .piece_count = 1 },
		                   { .pieces = pieces, .piece_count = 2 } };
	struct mailbox *m;
	int n = 0;

	start(&w, WORLD_PLAIN);
	m = world_must_get(&w, "user.fred");
	(void)mailbox_append(m, msgs, 3, count_added, &n);
	fakenet_settle(w.loop);
	assert_int_equal(n, 3);
	msgs[2].flags = (struct msg_flags){ 0, &bad, 1 };
	n = 0;
	(void)mailbox_append(m, msgs, 3, refused, &n);
	fakenet_settle(w.loop);
	assert_int_equal(n, 1);
	assert_int_equal(mailbox_uidnext(m), 4);
	assert_int_equal(world_append(&w, "user.fred", BODY, 0, NULL), 4);
	mailbox_release(&m);
	world_check_reopen(&w, "after MULTIAPPEND");
	world_close(&w);
}

/* ---- several at once ------------------------------------------------------------------------ */

struct seen {
	struct mailbox *m;
	struct mailbox_watch watch;
	uint32_t messages_then; /* when the watch was called */
	int calls, answers;
};

static void
on_change(void *ctx, enum mailbox_change change)
{
	struct seen *s = ctx;

	assert_int_equal(change, MAILBOX_CHANGED);
	(void)mailbox_msgs(s->m, &s->messages_then);
	s->calls++;
}

static void
answered(void *ctx, UNUSED enum mbox_result result, UNUSED const struct mailbox_added *added)
{
	struct seen *s = ctx;

	s->answers++;
}

TEST(nothing_is_shown_before_it_is_on_disk)
{
	struct world w;
	struct slice piece = SLICE_INIT(BODY);
	struct msg_new msg = { .pieces = &piece, .piece_count = 1 };
	struct seen s = { 0 };
	uint32_t count;

	start(&w, WORLD_PLAIN);
	s.m = world_must_get(&w, "user.fred");
	s.watch.fn = on_change;
	s.watch.ctx = &s;
	mailbox_watch(s.m, &s.watch);
	for (int i = 0; i < 3; i++)
		(void)mailbox_append(s.m, &msg, 1, answered, &s);
	(void)mailbox_msgs(s.m, &count);
	assert_int_equal(count, 0);
	assert_int_equal(mailbox_uidnext(s.m), 1);
	fakenet_settle(w.loop);
	assert_int_equal(s.answers, 3);
	assert_int_equal(s.calls, 1); /* told once for all of it */
	assert_int_equal(s.messages_then, 3);
	mailbox_unwatch(&s.watch);
	mailbox_unwatch(&s.watch);
	mailbox_release(&s.m);
	world_close(&w);
}

static void
on_flags(void *ctx, enum mbox_result result, UNUSED const uint32_t *modified, size_t count)
{
	assert_int_equal(result, MBOX_OK);
	*(int *)ctx += (int)count + 1;
}

TEST(conditions_see_what_is_on_its_way)
{
	struct world w;
	struct flag_change change = { FLAGS_ADD, { MSG_SEEN, NULL, 0 }, 0 };
	struct mailbox *m;
	uint32_t uid = 1;
	int first = 0, second = 0, third = 0;

	start(&w, WORLD_PLAIN);
	world_append(&w, "user.fred", BODY, 0, NULL);
	m = world_must_get(&w, "user.fred");
	change.unchanged_since = mailbox_highestmodseq(m);
	(void)mailbox_store_flags(m, &uid, 1, &change, on_flags, &first);
	change.flags.system = MSG_FLAGGED;
	(void)mailbox_store_flags(m, &uid, 1, &change, on_flags, &second);
	change.unchanged_since = UINT64_MAX;
	change.flags.system = MSG_SEEN; /* has it at the tip */
	(void)mailbox_store_flags(m, &uid, 1, &change, on_flags, &third);
	assert_int_equal(mailbox_find(m, 1)->flags, 0);
	fakenet_settle(w.loop);
	assert_int_equal(first, 1);
	assert_int_equal(second, 2); /* modified by the first */
	assert_int_equal(third, 1);
	assert_int_equal(mailbox_find(m, 1)->flags, MSG_SEEN);
	mailbox_release(&m);
	world_check_reopen(&w, "conditional flags");
	world_close(&w);
}

static void
never(UNUSED void *ctx, UNUSED enum mbox_result result, UNUSED const struct mailbox_added *a)
{
	fail();
}

static void
never_opened(UNUSED void *ctx, UNUSED enum mbox_result result, UNUSED struct mailbox *m)
{
	fail();
}

TEST(a_cancelled_call_goes_on_without_an_answer)
{
	struct world w;
	struct slice piece = SLICE_INIT(BODY);
	struct msg_new msg = { .pieces = &piece, .piece_count = 1 };
	struct mailbox *m;
	uint64_t id;

	start(&w, WORLD_PLAIN);
	m = world_must_get(&w, "user.fred");
	id = mailbox_append(m, &msg, 1, never, NULL);
	assert_true(id != 0);
	store_cancel(w.store, id);
	store_cancel(w.store, 12345);
	store_cancel(w.store, 0);
	store_cancel(w.store, mailbox_open(w.store, SLICE("user.fred"), never_opened, NULL));
	fakenet_settle(w.loop);
	assert_int_equal(mailbox_uidnext(m), 2);
	mailbox_release(&m);
	world_close(&w);
}

TEST(recent_is_taken_once)
{
	struct world w;
	struct mailbox *m;
	struct mailbox_status st;

	EACH_MODE
	{
		start(&w, mode);
		world_append(&w, "user.fred", BODY, 0, NULL);
		world_append(&w, "user.fred", BODY, 0, NULL);
		m = world_must_get(&w, "user.fred");
		assert_int_equal(mailbox_recent(m, false), 1);
		assert_int_equal(mailbox_recent(m, true), 1);
		assert_int_equal(mailbox_recent(m, true), 3);
		fakenet_settle(w.loop);
		mailbox_release(&m);
		world_append(&w, "user.fred", BODY, 0, NULL);
		assert_int_equal(world_status(&w, "user.fred", &st), MBOX_OK);
		assert_int_equal(st.recent, 1);
		world_check_reopen(&w, "recent");
		assert_int_equal(world_status(&w, "user.fred", &st), MBOX_OK);
		assert_int_equal(st.recent, 1);
		world_close(&w);
	}
}

TEST(parts_of_a_body_are_read)
{
	struct world w;
	struct mailbox *m;
	struct buf b = BUF_INIT(SIZE_MAX);

	start(&w, WORLD_PLAIN);
	world_append(&w, "user.fred", "0123456789", 0, NULL);
	m = world_must_get(&w, "user.fred");
	assert_int_equal(mailbox_read(m, mailbox_find(m, 1), 2, 3, &b), MBOX_OK);
	world_eq("middle", &b, "234");
	buf_clear(&b);
	assert_int_equal(mailbox_read(m, mailbox_find(m, 1), 8, 100, &b), MBOX_OK);
	world_eq("end", &b, "89");
	buf_clear(&b);
	assert_int_equal(mailbox_read(m, mailbox_find(m, 1), 100, 1, &b), MBOX_OK);
	world_eq("behind", &b, "");
	mailbox_release(&m);
	buf_fini(&b);
	world_close(&w);
}

/* ---- more than the index keeps up with ----------------------------------------------------- */

#define MANY 30000
#define STORES_MOST 1000

struct many {
	struct mailbox *m;
	uint32_t uids[MANY];
	enum mbox_result result;
};

static void
on_many_appended(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	struct many *many = ctx;

	many->result = result;
	if (added->count == MANY)
		memcpy(many->uids, added->uids, sizeof(many->uids));
}

static void
on_many_stored(void *ctx, enum mbox_result result, const uint32_t *modified, size_t modified_count)
{
	((struct many *)ctx)->result = result;
}

static void
append_many(struct world *w, struct many *many)
{
	struct msg_new *msgs = calloc(MANY, sizeof(*msgs));
	struct slice body = SLICE(BODY);

	assert_non_null(msgs);
	for (size_t i = 0; i < MANY; i++)
		msgs[i] = (struct msg_new){ .pieces = &body, .piece_count = 1 };
	many->result = MBOX_BUSY;
	(void)mailbox_append(many->m, msgs, MANY, on_many_appended, many);
	fakenet_settle(w->loop);
	assert_int_equal(many->result, MBOX_OK);
	free(msgs);
}

/* Each time something else, since what stays as it is costs nothing. */
static enum mbox_result
store_many(struct world *w, struct many *many, int turn)
{
	struct flag_change change = { turn % 2 == 0 ? FLAGS_ADD : FLAGS_REMOVE,
		                      { MSG_SEEN, NULL, 0 },
		                      UINT64_MAX };

	(void)mailbox_store_flags(many->m, many->uids, MANY, &change, on_many_stored, many);
	fakenet_settle(w->loop);
	return many->result;
}

TEST(who_changes_much_is_put_off_before_others_are)
{
	static struct many many;
	struct world w;
	int n = 0;

	start(&w, WORLD_UNINDEXED);
	many.m = world_must_get(&w, "user.fred");
	append_many(&w, &many);
	while (n < STORES_MOST && store_many(&w, &many, n) == MBOX_OK)
		n++;
	assert_true(n > 10);
	assert_true(n < STORES_MOST);
	assert_int_equal(many.result, MBOX_BUSY);
	assert_int_equal(world_append(&w, "user.fred", BODY, 0, NULL), MANY + 1);
	engine_index_now(store_engine(w.store));
	fakenet_settle(w.loop);
	assert_int_equal(store_many(&w, &many, n), MBOX_OK);
	mailbox_release(&many.m);
	world_close(&w);
}
