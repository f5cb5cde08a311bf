/* What compaction of the log leaves: everything that counts, in fewer files; and the log alone
 * still gives the same index. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fakenames.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mailbox/move.h"
#include "world.h"

#define FILLER_BYTES 200000

static void
append_large(struct world *w, const char *name, unsigned count)
{
	char *body = xmalloc(FILLER_BYTES + 1);

	memset(body, 'x', FILLER_BYTES);
	body[FILLER_BYTES] = '\0';
	memcpy(body, "Subject: x\r\n\r\n", 14);
	for (unsigned i = 0; i < count; i++)
		assert_true(world_append(w, name, body, 0, NULL) != 0);
	free(body);
}

/* A few files of messages that are gone. */
static void
fill(struct world *w)
{
	struct mbox_info info;

	if (!store_find(w->store, SLICE("lists.filler"), &info))
		assert_int_equal(world_create(w, "lists.filler"), MBOX_OK);
	append_large(w, "lists.filler", 18);
	assert_int_equal(world_expunge(w, "lists.filler", NULL, false), MBOX_OK);
}

static void
on_done(void *ctx, enum mbox_result result)
{
	*(enum mbox_result *)ctx = result;
}

static void
begin_move(struct world *w, const char *user)
{
	struct move_record r = {
		.role = MOVE_OUT, .id = 7, .user = slice_of(user), .peer = SLICE("other")
	};
	enum mbox_result result = MBOX_BUSY;

	(void)store_move_begin(w->store, &r, on_done, &result);
	fakenet_settle(w->loop);
	engine_index_now(store_engine(w->store));
	fakenet_settle(w->loop);
	assert_int_equal(result, MBOX_OK);
}

/* Every kind of fact, early in the log. told: of changes that the master has to hear of. */
static void
live(struct world *w, enum mbox_result told)
{
	assert_int_equal(world_create_user(w, "fred"), MBOX_OK);
	assert_int_equal(world_create_user(w, "ann"), MBOX_OK);
	assert_int_equal(world_create_user(w, "bob@example.net"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.a.b"), MBOX_OK);
	assert_int_equal(world_create(w, "user.fred.gone"), MBOX_OK);
	for (int i = 0; i < 12; i++) {
		char body[60];

		snprintf(body, sizeof(body), "Subject: %d\r\n\r\nbody", i);
		assert_int_equal(world_deliver(w, "fred", body, i).result, MBOX_OK);
		assert_true(world_append(w, "user.fred.a", body, MSG_SEEN, "one two") != 0);
		assert_true(world_append(w, "user.fred.gone", body, 0, NULL) != 0);
	}
	assert_int_equal(world_flags(w, "user.fred", "1 3 5", FLAGS_ADD, MSG_FLAGGED, "three"),
	                 MBOX_OK);
	assert_int_equal(world_expunge(w, "user.fred", "2 4", false), MBOX_OK);
	assert_int_equal(world_copy(w, "user.fred", "1 3", "user.fred.a", false, NULL), MBOX_OK);
	assert_int_equal(world_copy(w, "user.fred.a", "2 5", "user.fred.a.b", true, NULL), MBOX_OK);
	assert_int_equal(world_set_acl(w, "user.fred.a", "fred\tlrswipkxtea\tann\tlr\t"), MBOX_OK);
	assert_int_equal(world_set_claim(w, "user.fred", 99), MBOX_OK);
	assert_int_equal(world_set_quota(w, "user.fred", 50000000, 4000), MBOX_OK);
	assert_int_equal(world_subscribe(w, "fred", "user.fred.a", true), MBOX_OK);
	assert_int_equal(world_subscribe(w, "fred", "lists.x", true), MBOX_OK);
	assert_int_equal(world_subscribe(w, "ann", "lists.x", true), MBOX_OK);
	assert_int_equal(world_subscribe(w, "ann", "lists.x", false), MBOX_OK);
	assert_int_equal(world_rename(w, "user.fred.a", "user.fred.c"), told);
	assert_int_equal(world_delete(w, "user.fred.gone", false), told);
}

static void
compact_and_compare(struct world *w, const char *what)
{
	struct buf before = BUF_INIT(SIZE_MAX), after = BUF_INIT(SIZE_MAX);

	world_dump(w, &before);
	assert_true(world_compact(w) > 0);
	world_dump(w, &after);
	test_eq_slice(what, buf_slice(&after), buf_slice(&before));
	world_check_rebuild(w, what);
	buf_clear(&after);
	world_dump(w, &after);
	test_eq_slice(what, buf_slice(&after), buf_slice(&before));
	buf_fini(&before);
	buf_fini(&after);
}

TEST(everything_of_everybody_outlives_the_files_it_was_in)
{
	for (int mode = 0; mode < WORLD_MODES; mode++) {
		struct world w;

		world_open(&w, (enum world_mode)mode);
		live(&w, MBOX_OK);
		fill(&w);
		world_reopen(&w);
		compact_and_compare(&w, "once");
		/* behind the snapshots there is more, of the same and of others */
		assert_int_equal(world_expunge(&w, "user.fred", "1", false), MBOX_OK);
		assert_int_equal(world_rename(&w, "user.fred.c", "user.fred.d"), MBOX_OK);
		assert_int_equal(world_delete(&w, "lists.filler", false), MBOX_OK);
		assert_int_equal(world_subscribe(&w, "fred", "lists.x", false), MBOX_OK);
		world_check_rebuild(&w, "facts behind snapshots");
		fill(&w);
		world_reopen(&w);
		compact_and_compare(&w, "twice");
		assert_true(world_deliver(&w, "fred", "Subject: 3\r\n\r\nbody", 3).duplicate);
		world_close(&w);
	}
}

/* The master has not heard of a deletion and a change of a name; somebody is being moved. */
TEST(names_that_are_owed_and_moves_outlive_them_too)
{
	struct fakenames f;
	struct world w;
	struct move_record r;

	world_open(&w, WORLD_PLAIN);
	fakenames_init(&f, w.loop);
	w.names = &f.names;
	store_set_names(w.store, w.names);
	f.release = NAMES_LATER;
	live(&w, MBOX_UNAVAILABLE);
	begin_move(&w, "ann");
	fill(&w); /* who is being moved cannot be looked at: the index is compared */
	assert_true(world_compact(&w) > 0);
	world_check_rebuild(&w, "owed");
	assert_true(store_find_move(w.store, SLICE("ann"), &r));
	assert_int_equal(r.id, 7);
	assert_int_equal(world_delete(&w, "user.fred.c", false), MBOX_UNAVAILABLE);
	(void)store_clear_tombstone(w.store, SLICE("user.fred.gone"), NULL, NULL);
	fakenet_settle(w.loop);
	world_check_rebuild(&w, "owed, later");
	assert_int_equal(world_delete(&w, "lists.filler", false), MBOX_UNAVAILABLE);
	fill(&w);
	assert_true(world_compact(&w) > 0);
	world_check_rebuild(&w, "owed, once more");
	assert_true(store_find_move(w.store, SLICE("ann"), &r));
	world_close(&w);
	fakenames_fini(&f);
}

/* A change of a name that is owed, in a file that stays, and the mailbox's snapshot has the new
 * name already: what is owed is in the snapshot beside it. */
TEST(an_old_name_is_not_lost_by_a_newer_snapshot_of_its_mailbox)
{
	struct fakenames f;
	struct world w;

	world_open(&w, WORLD_PLAIN);
	fakenames_init(&f, w.loop);
	w.names = &f.names;
	store_set_names(w.store, w.names);
	f.release = NAMES_LATER;
	live(&w, MBOX_UNAVAILABLE);
	fill(&w);
	world_reopen(&w); /* a new file begins */
	assert_true(world_compact(&w) > 0);
	append_large(&w, "user.fred", 8); /* the file of the snapshots stays, the next one not */
	append_large(&w, "lists.filler", 6);
	assert_true(world_append(&w, "user.fred.c", "Subject: x\r\n\r\n", 0, NULL) != 0);
	fill(&w);
	assert_int_equal(world_rename(&w, "user.fred.c", "user.fred.z"), MBOX_UNAVAILABLE);
	assert_true(world_compact(&w) > 0);
	world_check_rebuild(&w, "old name");
	world_close(&w);
	fakenames_fini(&f);
}

/* Its snapshot is of many parts, in several transactions. */
TEST(a_large_mailbox)
{
	struct world w;
	struct buf uids = BUF_INIT(SIZE_MAX);

	world_open(&w, WORLD_COLD);
	assert_int_equal(world_create(&w, "lists.large"), MBOX_OK);
	assert_int_equal(world_create(&w, "lists.less"), MBOX_OK);
	for (unsigned i = 0; i < 500; i++)
		assert_true(world_append(&w, "lists.large", "Subject: x\r\n\r\n", 0, NULL) != 0);
	for (unsigned i = 1; i <= 500; i++)
		buf_printf(&uids, "%s%u", i > 1 ? " " : "", i);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(
			world_copy(&w, "lists.large", buf_cstr(&uids), "lists.large", false, NULL),
			MBOX_OK);
	assert_int_equal(world_copy(&w, "lists.large", buf_cstr(&uids), "lists.less", true, NULL),
	                 MBOX_OK);
	fill(&w);
	compact_and_compare(&w, "large");
	buf_fini(&uids);
	world_close(&w);
}

/* A session that has a mailbox open reads on. */
TEST(readers_notice_nothing)
{
	struct world w;
	struct mailbox *m;
	struct buf body = BUF_INIT(1 << 20);
	const struct msg *msgs;
	uint32_t count;

	world_open(&w, WORLD_PLAIN);
	live(&w, MBOX_OK);
	m = world_must_get(&w, "user.fred");
	msgs = mailbox_msgs(m, &count);
	assert_int_equal(mailbox_read(m, &msgs[0], 0, 5, &body), MBOX_OK);
	fill(&w);
	assert_true(world_compact(&w) > 0);
	msgs = mailbox_msgs(m, &count);
	for (uint32_t i = 0; i < count; i++) {
		buf_clear(&body);
		assert_int_equal(mailbox_read(m, &msgs[i], 0, UINT64_MAX, &body), MBOX_OK);
		assert_int_equal(body.len, msgs[i].size);
	}
	mailbox_release(&m);
	buf_fini(&body);
	world_close(&w);
}

/* What is deleted goes for good, and the log with it. */
TEST(a_user_who_is_gone_leaves_nothing)
{
	struct engine_stats st;
	struct world w;

	world_open(&w, WORLD_PLAIN);
	live(&w, MBOX_OK);
	fill(&w);
	assert_int_equal(world_delete(&w, "user.fred", true), MBOX_OK);
	assert_int_equal(world_delete(&w, "lists.filler", false), MBOX_OK);
	for (unsigned i = 0; i < 3; i++) {
		fill(&w);
		assert_int_equal(world_delete(&w, "lists.filler", false), MBOX_OK);
		world_reopen(&w);
		compact_and_compare(&w, "gone");
	}
	engine_get_stats(store_engine(w.store), &st);
	assert_true(st.segments <= 5);
	world_close(&w);
}

/* ---- by itself ------------------------------------------------------------------------------- */

/* With small files, and on. */
static void
open_small(struct world *w)
{
	static const struct engine_compact_policy policy = { .on = true,
		                                             .dead_percent = 40,
		                                             .rate = 1 << 20 };

	world_open(w, WORLD_PLAIN);
	w->segment_bytes = 64 << 10;
	world_reopen(w);
	engine_set_compaction(store_engine(w->store), &policy);
}

/* What was written to the log in so many seconds. */
static uint64_t
written_in(struct world *w, unsigned seconds)
{
	struct engine_stats before, after;

	engine_get_stats(store_engine(w->store), &before);
	for (unsigned i = 0; i < seconds; i++) {
		fakenet_advance(w->loop, 1000);
		engine_index_now(store_engine(w->store));
	}
	engine_get_stats(store_engine(w->store), &after);
	return after.bytes_written - before.bytes_written;
}

/* Nothing is left but keys of deliveries, which are logged once more from file to file. */
TEST(it_comes_to_rest)
{
	struct engine_stats st;
	struct world w;
	char body[60];

	open_small(&w);
	assert_int_equal(world_create_user(&w, "fred"), MBOX_OK);
	for (int i = 0; i < 2500; i++) {
		snprintf(body, sizeof(body), "Subject: %d\r\n\r\nbody", i);
		assert_int_equal(world_deliver(&w, "fred", body, i).result, MBOX_OK);
	}
	assert_int_equal(world_expunge(&w, "user.fred", NULL, false), MBOX_OK);
	(void)written_in(&w, 100);
	engine_get_stats(store_engine(w.store), &st);
	assert_true(st.compact.dropped > 10);
	assert_true(written_in(&w, 600) == 0);
	assert_true(world_deliver(&w, "fred", body, 2499).duplicate);
	world_close(&w);
}

/* A mailbox through which much has gone is dear, though nothing is in it. */
TEST(what_a_snapshot_costs_is_known)
{
	struct buf uids = BUF_INIT(SIZE_MAX);
	struct world w;

	open_small(&w);
	assert_int_equal(world_create(&w, "lists.old"), MBOX_OK);
	for (unsigned i = 1; i <= 500; i++) {
		assert_true(world_append(&w, "lists.old", "Subject: x\r\n\r\n", 0, NULL) != 0);
		buf_printf(&uids, "%s%u", i > 1 ? " " : "", i);
	}
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(
			world_copy(&w, "lists.old", buf_cstr(&uids), "lists.old", false, NULL),
			MBOX_OK);
	assert_int_equal(world_expunge(&w, "lists.old", NULL, false), MBOX_OK);
	(void)written_in(&w, 100);
	/* some files of messages that are gone */
	for (unsigned i = 0; i < 400; i++)
		assert_true(world_append(&w, "lists.old", "Subject: x\r\n\r\n", 0, NULL) != 0);
	assert_int_equal(world_expunge(&w, "lists.old", NULL, false), MBOX_OK);
	assert_true(written_in(&w, 100) < 100000);
	buf_fini(&uids);
	world_close(&w);
}
