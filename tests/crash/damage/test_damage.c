/*
 * Damage of the log, and errors of its disk.
 *
 * One damaged place in the log, and no index: a new one is made of what is left. What may be lost
 * is what lies in that place, and each message is somewhere.
 *
 * A store lives, its log is compacted, and then each of its records is damaged in turn, in its
 * header, its body and its checksums; so are the headers of batches and of files.
 */
#include "life.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "engine/record.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mailbox/facts.h"

/* ---- damage ------------------------------------------------------------------------------------ */

struct place {
	const char *what;
	unsigned file;
	uint64_t at, bytes;     /* of a record with all it has; else of the header */
	struct record_header h; /* type 0: of no record */
};

typedef void place_fn(void *ctx, const struct place *p);

static void
read_file(struct disk *d, const char *dir, unsigned file, void *to, size_t n, uint64_t at)
{
	struct os *os = disk_os(d);
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/log/%016x.log", dir, file + 1);
	fd = os->ops->open(os, path, false);
	assert_true(fd != -1);
	assert_int_equal(os->ops->pread(os, fd, to, n, at), n);
	(void)os->ops->close(os, fd);
}

static bool
has_file(struct disk *d, const char *dir, unsigned file)
{
	struct os *os = disk_os(d);
	char path[400];

	snprintf(path, sizeof(path), "%s/log/%016x.log", dir, file + 1);
	return os->ops->open(os, path, false) != -1;
}

static uint64_t
each_record(struct life *l, unsigned file, uint64_t at, uint32_t records, place_fn *fn, void *ctx)
{
	uint8_t raw[RECORD_HEADER_BYTES];
	struct place p = { .what = "record", .file = file };

	for (uint32_t i = 0; i < records; i++) {
		read_file(l->disk, l->w.dir, file, raw, sizeof(raw), at);
		assert_true(record_get_header(raw, &p.h));
		p.at = at;
		p.bytes = RECORD_HEADER_BYTES + p.h.head_bytes + p.h.body_bytes;
		fn(ctx, &p);
		at += record_bytes(&p.h);
	}
	return at;
}

/* But for the last batch: what is wrong there is what a power cut leaves. */
static void
each_place(struct life *l, place_fn *fn, void *ctx)
{
	unsigned files = disk_file_count(l->disk), last = files;

	while (last > 0 && !has_file(l->disk, l->w.dir, last - 1))
		last--;
	for (unsigned file = 0; file < last; file++) {
		uint64_t at = RECORD_SEGMENT_BYTES, size = disk_file_bytes(l->disk, file);
		uint8_t raw[RECORD_BATCH_BYTES];
		struct record_batch b;

		if (!has_file(l->disk, l->w.dir, file))
			continue;
		fn(ctx, &(struct place){ .what = "file", .file = file, .bytes = at });
		while (at + sizeof(raw) < size) {
			read_file(l->disk, l->w.dir, file, raw, sizeof(raw), at);
			if (!record_get_batch(raw, &b) ||
			    (file + 1 == last && at + sizeof(raw) + b.bytes == size))
				break;
			fn(ctx, &(struct place){ "batch", file, at, sizeof(raw), { 0 } });
			at = each_record(l, file, at + sizeof(raw), b.records, fn, ctx);
		}
	}
}

struct trial {
	struct life *l;
	struct picture was;
	unsigned snapshots, facts, bodies;
	unsigned recovered; /* mailboxes below that name, in all trials */
};

static void
open_damaged(struct trial *t, struct disk *d, struct picture *is, struct engine_stats *st)
{
	char command[400];
	struct err err;

	snprintf(command, sizeof(command), "rm -rf '%s/index'", t->l->w.dir);
	must(system(command) == 0);
	t->l->w.os = disk_os(d);
	test_check(world_try_open(&t->l->w, &err), "%s", err.text);
	engine_get_stats(store_engine(t->l->w.store), st);
	picture_take(is, &t->l->w);
	world_check_quotas(&t->l->w);
	store_close(&t->l->w.store);
}

static unsigned
count_recovered(const struct picture *p)
{
	unsigned count = 0;
	struct slice name;
	size_t pos = 0;
	void *text;

	while (map_next(p->boxes, &pos, &name, &text))
		count += slice_starts(name, SLICE("recovered."));
	return count;
}

/* What each kind of record may take with it. */
static void
judge(struct trial *t, const struct place *p, const struct picture *is, const char *where)
{
	unsigned lost = picture_differing(&t->was, is), more = picture_differing(is, &t->was);
	unsigned gone = picture_missing_ids(&t->was, is);

	t->recovered += count_recovered(is);
	if (p->h.type == ENGINE_FACT) {
		/* its own name, the one it had or gets, one of a child */
		unsigned most = p->h.kind == FACT_RENAME ? 4 : 2;

		t->facts++;
		test_check(gone == 0 && is->unreadable == 0, "%s: a message is lost", where);
		test_check(lost <= most && more <= most, "%s: %u and %u mailboxes differ", where,
		           lost, more);
	} else {
		t->snapshots += p->h.type == ENGINE_SNAPSHOT_LAST;
		t->bodies += p->h.type == ENGINE_BLOB;
		test_check(lost == 0 && more == 0, "%s: %u and %u mailboxes differ", where, lost,
		           more);
		test_check(gone <= (p->h.type == ENGINE_BLOB ? 1 : 0), "%s: %u messages are lost",
		           where, gone);
		test_check(is->unreadable == 0 || p->h.type == ENGINE_BLOB, "%s: unreadable",
		           where);
	}
}

static void
try_at(struct trial *t, const struct place *p, uint64_t offset)
{
	struct disk *d = disk_copy(t->l->disk);
	struct engine_stats st;
	struct picture is;
	char where[200];

	snprintf(where, sizeof(where), "%s type=%u kind=%u lsn=%llu in file %u at %llu + %llu",
	         p->what, p->h.type, p->h.kind, (unsigned long long)p->h.lsn, p->file + 1,
	         (unsigned long long)p->at, (unsigned long long)offset);
	disk_damage(d, p->file, p->at + offset);
	open_damaged(t, d, &is, &st);
	judge(t, p, &is, where);
	test_check(st.damaged != 0 || (p->h.type == ENGINE_BLOB && offset >= RECORD_HEADER_BYTES),
	           "%s: not told", where);
	picture_fini(&is);
	disk_free(&d);
}

static void
try_place(void *ctx, const struct place *p)
{
	/* magic, LSN, length, checksum of the body, of the header */
	static const uint64_t header[] = { 0, 20, 34, 50, 63 };
	struct trial *t = ctx;

	if (p->h.type == 0) {
		try_at(t, p, 0);
		try_at(t, p, 9);
		try_at(t, p, p->bytes - 1);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(header); i++)
		try_at(t, p, header[i]);
	if (p->bytes > RECORD_HEADER_BYTES)
		try_at(t, p, p->bytes - 1);
	if (p->h.head_bytes != 0)
		try_at(t, p, RECORD_HEADER_BYTES + 3);
}

static void
try_all(struct life *l, struct trial *t)
{
	*t = (struct trial){ .l = l };
	picture_take(&t->was, &l->w);
	store_close(&l->w.store);
	each_place(l, try_place, t);
	picture_fini(&t->was);
}

TEST(what_lies_elsewhere_outlives_a_damaged_place)
{
	struct life l;
	struct trial t;

	life_begin(&l);
	life_first_part(&l);
	life_second_part(&l);
	life_end(&l);
	try_all(&l, &t);
	assert_true(t.facts > 100 && t.bodies > 40 && t.recovered > 30);
	life_free(&l);
}

TEST(no_damaged_place_takes_a_mailbox_whose_facts_are_gone)
{
	struct life l;
	struct trial t;

	life_compacted(&l);
	life_end(&l);
	try_all(&l, &t);
	assert_true(t.snapshots > 50);
	life_free(&l);
}

static void
drop_index(struct life *l)
{
	char command[400];

	snprintf(command, sizeof(command), "rm -rf '%s/index'", l->w.dir);
	must(system(command) == 0);
}

/* ---- a sector ---------------------------------------------------------------------------------- */

#define SECTOR 4096

struct sectors {
	struct life *l;
	struct picture was;
	unsigned bodies[16][64]; /* that lie there in part, by file and sector */
	unsigned facts[16][64];
	unsigned tried, harmless;
};

static void
note_sectors(void *ctx, const struct place *p)
{
	struct sectors *s = ctx;

	if (p->h.type != ENGINE_BLOB && p->h.type != ENGINE_FACT)
		return;
	for (uint64_t at = p->at / SECTOR; at <= (p->at + p->bytes - 1) / SECTOR; at++) {
		assert_true(p->file < 16 && at < 64);
		s->bodies[p->file][at] += p->h.type == ENGINE_BLOB;
		s->facts[p->file][at] += p->h.type == ENGINE_FACT;
	}
}

/* Messages are lost with their bodies only; where no fact lies nothing else is. */
static void
try_sector(struct sectors *s, unsigned file, uint64_t sector)
{
	struct disk *d = disk_copy(s->l->disk);
	struct engine_stats st;
	struct picture is;
	struct trial t = { .l = s->l };

	disk_wipe(d, file, sector * SECTOR, SECTOR);
	open_damaged(&t, d, &is, &st);
	test_check(picture_missing_ids(&s->was, &is) <= s->bodies[file][sector],
	           "file %u sector %u: %u messages are lost", file + 1, (unsigned)sector,
	           picture_missing_ids(&s->was, &is));
	test_check(s->facts[file][sector] != 0 || (picture_differing(&s->was, &is) == 0 &&
	                                           picture_differing(&is, &s->was) == 0),
	           "file %u sector %u: mailboxes differ", file + 1, (unsigned)sector);
	s->tried++;
	s->harmless += s->facts[file][sector] == 0;
	picture_fini(&is);
	disk_free(&d);
}

TEST(a_sector_takes_what_lies_in_it)
{
	struct life l;
	struct sectors s = { .l = &l };

	life_compacted(&l);
	world_reopen(&l.w);
	life_end(&l); /* in a file of its own */
	picture_take(&s.was, &l.w);
	store_close(&l.w.store);
	each_place(&l, note_sectors, &s);
	for (unsigned file = 0; file + 1 < disk_file_count(l.disk); file++)
		for (uint64_t at = 0;
		     has_file(l.disk, l.w.dir, file) && has_file(l.disk, l.w.dir, file + 1) &&
		     at * SECTOR < disk_file_bytes(l.disk, file);
		     at++)
			try_sector(&s, file, at);
	assert_true(s.tried > 10 && s.harmless > 5);
	picture_fini(&s.was);
	life_free(&l);
}

/* The index knows that it was written to; without one what has bytes is left alone. */
TEST(a_file_whose_first_sector_is_lost_is_not_taken_for_one_made_ahead)
{
	struct life l;
	struct err err;

	life_begin(&l);
	life_first_part(&l);
	store_close(&l.w.store);
	assert_true(disk_file_bytes(l.disk, 0) > SECTOR + 64 && !has_file(l.disk, l.w.dir, 1));
	for (int without = 0; without < 2; without++) {
		struct disk *d = disk_copy(l.disk);
		char was[64], is[64];

		if (without)
			drop_index(&l);
		disk_wipe(d, 0, 0, SECTOR);
		l.w.os = disk_os(d);
		test_check(world_try_open(&l.w, &err), "%s", err.text);
		assert_int_equal(world_create(&l.w, "lists.more"), MBOX_OK);
		store_close(&l.w.store);
		read_file(l.disk, l.w.dir, 0, was, sizeof(was), SECTOR);
		read_file(d, l.w.dir, 0, is, sizeof(is), SECTOR);
		assert_memory_equal(was, is, sizeof(was));
		disk_free(&d);
	}
	life_free(&l);
}

/* ---- errors ------------------------------------------------------------------------------------ */

/* Everything is as it was. */
static void
check_whole(struct life *l, const struct picture *was, unsigned n)
{
	struct engine_stats st;
	struct picture is;

	engine_get_stats(store_engine(l->w.store), &st);
	test_check(st.damaged == 0, "%u: taken for damage", n);
	picture_take(&is, &l->w);
	test_check(picture_differing(was, &is) == 0 && picture_differing(&is, was) == 0 &&
	                   is.unreadable == 0 && picture_missing_ids(was, &is) == 0,
	           "%u: something is lost", n);
	world_check_quotas(&l->w);
	picture_fini(&is);
}

static void
life_with_snapshots(struct life *l, struct picture *was)
{
	life_compacted(l);
	life_end(l);
	picture_take(was, &l->w);
}

/* Once: it is read again. Twice: it may be that a place is read in one pass and not in another, and
 * the store does not start of half a picture; later it does. */
TEST(an_index_is_made_anew_whole_whichever_read_fails)
{
	struct picture was;
	struct life l;
	unsigned refused = 0;
	struct err err;
	bool met = true;

	life_with_snapshots(&l, &was);
	store_close(&l.w.store);
	for (unsigned n = 0; met; n++) {
		for (unsigned times = 1; times <= 2; times++) {
			struct disk *d = disk_copy(l.disk);

			drop_index(&l);
			disk_fail_reads(d, n, times);
			l.w.os = disk_os(d);
			if (!world_try_open(&l.w, &err)) {
				refused++;
				test_check(times == 2, "%u: %s", n, err.text);
				test_check(world_try_open(&l.w, &err), "%u: %s", n, err.text);
			}
			met = !disk_has_failures(d);
			disk_fail_reads(d, 0, 0);
			check_whole(&l, &was, n);
			store_close(&l.w.store);
			disk_free(&d);
		}
	}
	assert_true(refused > 0);
	picture_fini(&was);
	life_free(&l);
}

static void
compact(struct life *l)
{
	struct engine_stats st;

	(void)engine_compact(store_engine(l->w.store));
	for (unsigned i = 0; i < 1000; i++) {
		fakenet_settle(l->w.loop);
		engine_index_now(store_engine(l->w.store));
		engine_get_stats(store_engine(l->w.store), &st);
		if (!st.compact.working)
			break;
	}
	assert_false(st.compact.working);
}

/* fail_calls: of the disk, at the n-th call. Compaction ends, or waits for a restart; without its index
 * the log has everything. */
static void
compact_with(void (*fail_calls)(struct disk *d, unsigned after, unsigned times), unsigned times)
{
	struct picture was;
	struct life l;
	struct err err;
	bool met = true;

	life_with_snapshots(&l, &was);
	life_fill(&l);
	store_close(&l.w.store);
	for (unsigned n = 0; met; n++) {
		struct disk *d = disk_copy(l.disk);

		drop_index(&l);
		l.w.os = disk_os(d);
		test_check(world_try_open(&l.w, &err), "%s", err.text);
		fail_calls(d, n, times);
		compact(&l);
		met = !disk_has_failures(d);
		fail_calls(d, 0, 0);
		check_whole(&l, &was, n);
		store_close(&l.w.store);
		disk_power_on(d);
		if (n % 2 == 0)
			drop_index(&l);
		test_check(world_try_open(&l.w, &err), "%u: %s", n, err.text);
		check_whole(&l, &was, n);
		store_close(&l.w.store);
		disk_free(&d);
	}
	picture_fini(&was);
	life_free(&l);
}

TEST(compaction_loses_nothing_whichever_read_fails)
{
	compact_with(disk_fail_reads, 1);
	compact_with(disk_fail_reads, 3);
}

TEST(compaction_loses_nothing_whichever_sync_fails)
{
	compact_with(disk_fail_syncs, 1);
}

/* ---- a check ------------------------------------------------------------------------------------ */

static void
restore_index(struct life *l)
{
	char command[1000];

	snprintf(command, sizeof(command), "rm -rf '%s/index' && cp -r '%s/kept' '%s/index'",
	         l->w.dir, l->w.dir, l->w.dir);
	must(system(command) == 0);
}

static void
run_check(struct life *l, struct engine_check_stats *st_r)
{
	struct engine *e = store_engine(l->w.store);
	struct engine_stats st;

	assert_true(engine_check(e));
	for (unsigned i = 0; i < 1000; i++) {
		fakenet_settle(l->w.loop);
		engine_index_now(e);
		engine_get_stats(e, &st);
		if (!st.compact.check.working)
			break;
	}
	assert_false(st.compact.check.working);
	assert_true(st.compact.check.ended_s != 0);
	*st_r = st.compact.check;
}

struct checks {
	struct life *l;
	struct picture was;
	unsigned mended, bodies;
};

/* A record whose header can be read says whose it is, and the index knows what it said. */
static void
check_at(void *ctx, const struct place *p)
{
	struct checks *k = ctx;
	struct disk *d;
	struct engine_check_stats st;
	struct picture is;
	struct err err;
	bool named = p->h.type != ENGINE_FACT || p->h.object != 0 || p->h.kind == FACT_CREATE;

	if (p->h.type == 0 || !named)
		return;
	d = disk_copy(k->l->disk);
	restore_index(k->l);
	disk_damage(d, p->file, p->at + p->bytes - 1);
	k->l->w.os = disk_os(d);
	test_check(world_try_open(&k->l->w, &err), "%s", err.text);
	run_check(k->l, &st);
	store_close(&k->l->w.store);
	drop_index(k->l);
	test_check(world_try_open(&k->l->w, &err), "%s", err.text);
	picture_take(&is, &k->l->w);
	store_close(&k->l->w.store);
	if (st.damaged != 0) {
		test_check(st.damaged == 1, "more places than there are");
		test_check(picture_differing(&k->was, &is) == 0 &&
		                   picture_differing(&is, &k->was) == 0,
		           "type=%u kind=%u lsn=%llu: not mended", p->h.type, p->h.kind,
		           (unsigned long long)p->h.lsn);
		test_check((st.bodies == 1) == (p->h.type == ENGINE_BLOB), "bodies");
		test_check(st.bodies == 1 || st.mended != 0, "nothing was written anew");
		k->mended += st.mended != 0;
		k->bodies += (unsigned)st.bodies;
	}
	picture_fini(&is);
	disk_free(&d);
}

TEST(a_check_finds_damage_while_the_index_knows_what_was_there)
{
	struct engine_check_stats st;
	struct checks k;
	struct life l;
	char command[1000];

	life_compacted(&l);
	world_reopen(&l.w);
	life_end(&l);
	world_reopen(&l.w);
	run_check(&l, &st);
	assert_true(st.bytes > 0);
	assert_int_equal(st.damaged, 0);
	k = (struct checks){ .l = &l };
	picture_take(&k.was, &l.w);
	store_close(&l.w.store);
	snprintf(command, sizeof(command), "cp -r '%s/index' '%s/kept'", l.w.dir, l.w.dir);
	must(system(command) == 0);
	each_place(&l, check_at, &k);
	assert_true(k.mended > 30 && k.bodies > 5);
	picture_fini(&k.was);
	life_free(&l);
}
