/* When a log is compacted, and what of it can be done on a full disk. */
#include "book.h"

#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "lib/test.h"

TEST(it_is_done_when_it_is_worth_it_and_on_a_full_disk_whatever_it_brings)
{
	struct engine_compact_policy p = { .on = true, .dead_percent = 99, .rate = 1 };
	struct book *b = book_new(5101);
	struct engine_stats stats;

	book_fill(b, 120);
	fakenet_advance(b->loop, 60000);
	book_run_compaction(b, &stats);
	assert_int_equal(stats.compact.dropped, 0); /* off */
	engine_set_compaction(b->e, &p);
	fakenet_advance(b->loop, 60000);
	book_run_compaction(b, &stats);
	assert_true(stats.compact.on && stats.compact.dead_bytes > 2 * 65536);
	assert_int_equal(stats.compact.dropped, 0); /* not worth it */
	p.dead_percent = 60;
	p.rate = 0;
	engine_set_compaction(b->e, &p);
	fakenet_advance(b->loop, 20000);
	book_run_compaction(b, &stats);
	assert_true(stats.compact.dropped > 0);
	book_check_rebuild(b, 5101);
	p.dead_percent = 99;
	p.rate = 1; /* but not now */
	engine_set_compaction(b->e, &p);
	for (unsigned i = 0; i < 100; i++) {
		book_move(b);
		book_drop(b);
		fakenet_settle(b->loop);
	}
	engine_index_now(b->e);
	disk_set_free_bytes(b->disk, 60 << 20);
	engine_look_at_space(b->e);
	fakenet_advance(b->loop, 20000);
	book_run_compaction(b, &stats);
	assert_true(stats.full);
	assert_true(stats.compact.dropped > 0);
	book_check(b, 5101);
	book_free(b);
}

/* Small facts leave the last file to compaction. */
TEST(what_frees_space_in_the_long_run_leaves_room_to_what_does_it_now)
{
	struct book *b = book_new(5201);
	struct engine_stats stats;
	struct engine_tx *tx;
	uint8_t raw[2000] = { 0 };
	unsigned taken = 0;

	book_fill(b, 120);
	disk_set_free_bytes(b->disk, 100 << 10);
	engine_look_at_space(b->e);
	for (;; taken++) {
		tx = engine_begin(b->e, ENGINE_TX_SMALL);
		engine_add_fact(tx, 1, BOOK_FACT_MOVE, slice_make(raw, sizeof(raw)));
		if (engine_commit(&tx, NULL, NULL) == ENGINE_FULL)
			break;
		fakenet_settle(b->loop);
		assert_true(taken < 40); /* one file */
	}
	engine_index_now(b->e);
	fakenet_settle(b->loop);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_true(stats.compact.dropped > 0);
	book_free(b);
}

/* A full disk is often answered by a restart. The file that was being written is not gone on
 * with, and there is no room for another whole one. */
TEST(on_a_full_disk_compaction_goes_on_after_a_restart)
{
	struct book *b = book_new(5501);
	struct engine_stats stats;
	struct err err;

	b->floor_bytes = 1;
	book_fill(b, 120);
	engine_close(&b->e);
	disk_set_capacity(b->disk, disk_used(b->disk) + (60 << 10));
	test_check(book_open(b, &err), "%s", err.text);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_false(stats.failed);
	assert_true(stats.compact.dropped > 2);
	book_check_rebuild(b, 5501);
	book_check(b, 5501);
	book_free(b);
}

#define LARGE 300000

static void
add_large(struct book *b, struct engine_tx *tx)
{
	unsigned number = b->next++;
	uint8_t raw[8], guid[ENGINE_GUID_LEN] = { 1 };
	struct slice body;

	b->text[number] = xmalloc(LARGE + 1);
	memset(b->text[number], 'x', LARGE);
	b->text[number][LARGE] = '\0';
	body = slice_of(b->text[number]);
	num_put_le64(raw, engine_add_blob(tx, &body, 1, guid, SLICE("summary")));
	engine_add_fact(tx, number, BOOK_FACT_BODY, slice_make(raw, 8));
	b->moves[number] = (struct book_move){ b, number };
}

/* A body may be larger than a file, and there may be room for a file and not for it. */
TEST(what_does_not_fit_is_not_begun)
{
	struct book *b = book_new(5601);
	struct engine_stats stats;
	struct engine_tx *tx;
	uint64_t used;

	b->floor_bytes = 1;
	book_fill(b, 60);
	tx = engine_begin(b->e, 0);
	add_large(b, tx);
	add_large(b, tx);
	assert_int_equal(engine_commit(&tx, book_on_commit, &b->moves[b->next - 1]), ENGINE_OK);
	tx = engine_begin(b->e, ENGINE_TX_SMALL);
	engine_add_fact(tx, b->next - 1, BOOK_FACT_DROP, SLICE(""));
	assert_int_equal(engine_commit(&tx, book_on_dropped, &b->moves[b->next - 1]), ENGINE_OK);
	fakenet_settle(b->loop);
	for (unsigned i = 0; i < 60; i++) {
		book_move(b);
		fakenet_settle(b->loop);
	}
	engine_index_now(b->e);
	fakenet_settle(b->loop);
	used = disk_used(b->disk);
	disk_set_capacity(b->disk, used + (100 << 10));
	engine_look_at_space(b->e);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_false(stats.failed);
	assert_true(stats.compact.dropped > 2); /* others */
	book_check(b, 5601);
	assert_true(disk_used(b->disk) > 2 * LARGE);
	disk_set_capacity(b->disk, used + (1 << 20));
	engine_look_at_space(b->e);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_true(disk_used(b->disk) < used - LARGE);
	book_check_rebuild(b, 5601);
	book_check(b, 5601);
	book_free(b);
}
