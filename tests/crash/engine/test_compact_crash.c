/*
 * Compaction under power cuts: nothing is lost, and an index made anew of a log that was compacted
 * is the same index. Files that are damaged, or cannot be opened or removed.
 */
#include "book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/record.h"
#include "lib/test.h"

static uint64_t
life_with_compaction(uint64_t seed)
{
	struct book *b = book_new(seed);
	struct engine_stats stats;
	struct err err;
	uint64_t dropped;

	b->compacts = true;
	test_check(book_open(b, &err), "%s", err.text);
	for (unsigned cut = 0; cut < 6; cut++) {
		disk_cut_after(b->disk, 1 + book_draw(b) % 150);
		book_work(b, 60);
		book_note_stats(b, seed);
		engine_close(&b->e);
		if (book_draw(b) % 4 == 0)
			disk_process_died(b->disk);
		else
			disk_power_on(b->disk);
		if (book_draw(b) % 4 == 0)
			book_drop_index(b);
		book_open_with_cuts(b, seed);
		engine_get_stats(b->e, &stats);
		test_check(stats.damaged == 0, "seed %llu: something was taken for damage",
		           (unsigned long long)seed);
		book_check(b, seed);
		book_check_account(b, seed);
		if (book_draw(b) % 2 == 0)
			book_check_rebuild(b, seed);
	}
	(void)engine_compact(b->e);
	fakenet_settle(b->loop);
	book_check_rebuild(b, seed);
	book_check(b, seed);
	dropped = b->dropped_files;
	book_free(b);
	return dropped;
}

TEST(compaction_loses_nothing_by_power_cuts_and_the_log_gives_the_same_index)
{
	const char *from = getenv("SEED"), *many = getenv("SEEDS");
	uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 3001;
	uint64_t count = many != NULL ? strtoull(many, NULL, 10) : 150, dropped = 0;

	for (uint64_t seed = first; seed < first + count; seed++)
		dropped += life_with_compaction(seed);
	test_check(dropped > count, "only %llu files were dropped", (unsigned long long)dropped);
}

/* ---- files that are damaged, or stay ------------------------------------------------------------ */

TEST(a_damaged_record_is_named_and_its_file_stays)
{
	unsigned named = 0;

	for (uint64_t seed = 5001; seed < 5041; seed++) {
		struct book *b = book_new(seed);
		struct engine_stats stats;
		uint64_t files;
		struct err err;

		book_fill(b, 120);
		disk_damage(b->disk, 0, 64 + book_draw(b) % (disk_file_bytes(b->disk, 0) - 64));
		assert_true(engine_compact(b->e));
		engine_get_stats(b->e, &stats);
		files = stats.segments;
		book_run_compaction(b, &stats);
		named += stats.compact.kept_damaged == 1;
		assert_true(stats.compact.dropped >= 2);
		assert_true(stats.segments < files);
		engine_close(&b->e);
		test_check(book_open(b, &err), "%s", err.text);
		book_free(b);
	}
	/* padding between records may be hit: then nothing is wrong */
	assert_true(named >= 36);
}

/* Where the last batch of the first file begins. */
static uint64_t
find_last_batch(struct book *b)
{
	struct os *os = disk_os(b->disk);
	uint64_t at = RECORD_SEGMENT_BYTES, last = 0;
	uint8_t raw[RECORD_BATCH_BYTES];
	struct record_batch batch;
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/log/%016x.log", b->dir, 1u);
	fd = os->ops->open(os, path, false);
	assert_true(fd != -1);
	for (; os->ops->pread(os, fd, raw, sizeof(raw), at) == sizeof(raw) &&
	       record_get_batch(raw, &batch);
	     at += sizeof(raw) + batch.bytes)
		last = at;
	(void)os->ops->close(os, fd);
	assert_true(last != 0);
	return last;
}

static void
drop_bodies(struct book *b, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct engine_tx *tx = engine_begin(b->e, ENGINE_TX_SMALL);

		engine_add_fact(tx, i, BOOK_FACT_DROP, SLICE(""));
		assert_int_equal(engine_commit(&tx, book_on_dropped, &b->moves[i]), ENGINE_OK);
		fakenet_settle(b->loop);
	}
	engine_index_now(b->e);
	fakenet_settle(b->loop);
}

/* The file behind it, which said how far this one went, is gone. */
TEST(a_damaged_end_of_a_file_is_found_without_the_next_one)
{
	struct book *b = book_new(5801);
	struct engine_stats stats;
	unsigned second = 0;
	struct err err;

	test_check(book_open(b, &err), "%s", err.text);
	do {
		book_move(b);
		fakenet_settle(b->loop);
		engine_get_stats(b->e, &stats);
		second = stats.segments == 1 ? b->next : second;
	} while (stats.segments < 4);
	drop_bodies(b, second, b->next - 1);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_true(stats.compact.dropped >= 2);
	disk_damage(b->disk, 0, find_last_batch(b) + 9);
	drop_bodies(b, 0, second);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_int_equal(stats.compact.kept_damaged, 1);
	assert_true(find_last_batch(b) != 0);
	book_free(b);
}

/* Whether the file is there after a power cut nobody knows. */
TEST(a_file_that_cannot_be_removed_stops_it_and_that_is_told)
{
	struct book *b = book_new(5701);
	struct engine_stats stats;

	book_fill(b, 120);
	disk_fail_unlink(b->disk, EROFS);
	assert_true(engine_compact(b->e));
	book_run_compaction(b, &stats);
	assert_true(stats.compact.stopped);
	assert_false(stats.compact.forced || stats.compact.working);
	assert_int_equal(stats.compact.segment, 0);
	assert_false(engine_compact(b->e));
	book_move(b);
	fakenet_settle(b->loop);
	assert_true(b->published[b->next - 1]);
	book_check_rebuild(b, 5701);
	book_check(b, 5701);
	book_free(b);
}

/* Too many files are open: that is not damage. What one file has, others' tombstones depend on, so
 * nothing is done without any of them. */
TEST(a_file_that_cannot_be_opened_for_a_moment_is_not_damaged)
{
	for (unsigned after = 0; after < 12; after++) {
		struct book *b = book_new(6101);
		struct engine_stats stats;
		bool listing;

		book_fill(b, 120);
		engine_get_stats(b->e, &stats);
		listing = after < stats.segments;
		disk_fail_open(b->disk, EMFILE, after);
		assert_true(engine_compact(b->e));
		book_run_compaction(b, &stats);
		assert_int_equal(stats.compact.kept_damaged, 0);
		test_check(!listing || stats.compact.dropped == 0, "open %u", after);
		disk_fail_open(b->disk, 0, 0);
		assert_true(engine_compact(b->e));
		book_run_compaction(b, &stats);
		assert_true(stats.compact.dropped > 2);
		book_check_rebuild(b, 6101);
		book_check(b, 6101);
		book_free(b);
	}
}
