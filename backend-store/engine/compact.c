/*
 * compact - gives back the disk of what is deleted: from a file of the log what is still needed
 * is written anew, at the log's end, and the file goes.
 *
 * One file at a time:
 *   pick      the one with most dead bytes (account.c), when they are worth it
 *   scan      which of its bodies the index still finds there; of which objects it has facts
 *             that no snapshot has; which facts no snapshot will have
 *   copy      these bodies, with the ids they had
 *   snapshot  these objects, as the index has them, with the LSN it has come to: whatever of an
 *             object is not above that is dead. One that is gone leaves a tombstone (a snapshot
 *             that is empty) while another file may have older records of it. Each is written
 *             twice, in different places: who has lost the index has nothing else
 *   keep      these facts, once more
 *   index     until all that is in the committed index: then bodies are found in their new place
 *   drop      looked at once more, unlinked, and the folder synced
 *
 * What must be true:
 * 1. A file goes when the index, committed, finds nothing in it, and the log without it gives
 *    the same index (recovery.c, rebuild()).
 * 2. What compaction writes goes the way of everything: through the log writer, in batches with
 *    all that comes meanwhile; small transactions, and pauses by the rate that was set.
 * 3. A damaged record is named, and its file stays for good. What it says is
 *    said twice elsewhere before it goes; bodies are there once, as ever.
 * 4. Files at or behind the checkpoint are recovery's; a file never goes before one whose tail
 *    it has in a second writing.
 *
 * This file is the loop's half: steps, and what is written. Reading is done on a thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/compact_impl.h"

#define IDLE_MS 10000
#define HUNGRY_MS 1000
#define FIRST_MS 1000
#define BUSY_MS 50
#define RETRY_MS 2000
#define CHUNK_MOST (512ull << 10)
#define QUEUE_POLITE (2u << 20) /* more waits to be written: mail goes first */
#define POLITE_MOST 20          /* ... so many times BUSY_MS, then it is our turn */

static void advance(void *ctx);

/* ---- jobs --------------------------------------------------------------------------------- */

static void
on_job_done(void *ctx)
{
	struct compactor *c = ctx;
	compact_job *done = c->done;

	c->done = NULL;
	done(c);
}

static void *
thread_main(void *ctx)
{
	struct compactor *c = ctx;

	for (;;) {
		compact_job *job;

		pthread_mutex_lock(&c->lock);
		while (c->job == NULL && !c->stop)
			pthread_cond_wait(&c->wanted, &c->lock);
		job = c->job;
		c->job = NULL;
		pthread_mutex_unlock(&c->lock);
		if (job == NULL)
			return NULL;
		job(c);
		loop_post(c->e->loop, on_job_done, c);
	}
}

static void
run_here(void *ctx)
{
	struct compactor *c = ctx;
	compact_job *job = c->job;

	c->job = NULL;
	job(c);
	on_job_done(c);
}

static void
start_job(struct compactor *c, compact_job *job, compact_job *done)
{
	must(c->done == NULL);
	pthread_mutex_lock(&c->lock);
	c->job = job;
	c->done = done;
	pthread_cond_signal(&c->wanted);
	pthread_mutex_unlock(&c->lock);
	if (!c->has_thread)
		loop_defer(c->e->loop, run_here, c);
}

/* ---- steps -------------------------------------------------------------------------------- */

static void
enter(struct compactor *c, enum compact_phase phase)
{
	c->phase = phase;
	if (phase == COMPACT_OFF)
		c->forced = c->check.wanted = false;
	if (phase == COMPACT_IDLE || phase == COMPACT_OFF)
		c->working_at = 0;
	if (phase == COMPACT_IDLE) {
		compact_forget(c);
		if (c->on || c->has_thread) /* off: it looks, for those who ask */
			timer_set(&c->timer, compact_is_hungry(c) ? HUNGRY_MS : IDLE_MS);
	} else if (phase != COMPACT_OFF && !c->advancing) {
		c->advancing = true;
		loop_defer(c->e->loop, advance, c);
	}
}

/* The same phase again, or the next, after as long as so many bytes may take. */
static void
pause_for(struct compactor *c, enum compact_phase phase, uint64_t bytes)
{
	uint64_t rate = c->e->full ? 0 : c->rate;
	uint64_t ms = rate != 0 ? bytes * 1000 / rate : 0;

	if (ms == 0 || c->advancing) {
		enter(c, phase);
		return;
	}
	c->phase = phase;
	c->advancing = true;
	timer_set(&c->timer, ms);
}

/* From the beginning, a little later. */
static void
begin_again(struct compactor *c)
{
	c->phase = COMPACT_PICK;
	c->advancing = true;
	timer_set(&c->timer, RETRY_MS);
}

/* With this file; not if the disk refuses. */
static void
give_up(struct compactor *c)
{
	if (c->stop || c->e->failed)
		enter(c, COMPACT_OFF);
	else if (c->checking)
		begin_again(c); /* with what is left */
	else
		enter(c, COMPACT_PICK);
}

static void
on_picked(struct compactor *c)
{
	if (c->at.number != 0) {
		log_info(NULL, "engine.compact segment=%016llx bytes=%llu live=%llu forced=%d",
		         (unsigned long long)c->at.number, (unsigned long long)c->at.bytes,
		         (unsigned long long)c->at.live_bytes, (int)c->forced);
		c->working_at = c->at.number;
		c->last_lsn = 0;
		enter(c, COMPACT_SCAN);
		return;
	}
	if (c->look_at_all) { /* somebody asked while it was looking */
		enter(c, COMPACT_PICK);
		return;
	}
	if (c->forced)
		log_info(NULL, "engine.compact_done dropped=%llu", (unsigned long long)c->dropped);
	c->forced = false;
	enter(c, c->check.wanted ? COMPACT_PICK : COMPACT_IDLE);
}

static void
on_scanned(struct compactor *c)
{
	if (c->failed)
		give_up(c);
	else
		enter(c, COMPACT_COPY);
}

/* ---- what is written -------------------------------------------------------------------------- */

static void
on_written(void *ctx, enum engine_err result, uint64_t last_lsn)
{
	struct compactor *c = ctx;

	c->waiting = false;
	if (result != ENGINE_OK) {
		enter(c, COMPACT_OFF);
		return;
	}
	c->last_lsn = last_lsn;
	pause_for(c, c->phase, c->written_bytes);
}

void
compact_tell_no_room(struct compactor *c, uint64_t needs_bytes)
{
	if (!c->told_no_room)
		log_error(
			NULL,
			"engine.compact_no_room segment=%016llx needs_bytes=%llu free_bytes=%llu "
			"text=\"the disk is so full that compaction cannot begin with this file\"",
			(unsigned long long)c->at.number, (unsigned long long)needs_bytes,
			(unsigned long long)c->e->free_bytes);
	c->told_no_room = true;
}

/* False: not now; it is tried again by itself. */
static bool
may_write(struct compactor *c)
{
	uint64_t queued, bytes = 2 * c->chunk_bytes + (c->copy_count != 0 ? c->chunk.len : 0);

	pthread_mutex_lock(&c->e->lock);
	queued = c->e->queued_bytes;
	pthread_mutex_unlock(&c->e->lock);
	if (c->e->failed) {
		enter(c, COMPACT_OFF);
		return false;
	}
	/* A new file that does not fit would be the end of the log. */
	if (c->e->room <= bytes && writer_spare(c->e) <= bytes) {
		compact_tell_no_room(c, bytes);
		begin_again(c);
		return false;
	}
	if (queued <= QUEUE_POLITE || c->waited >= POLITE_MOST) {
		c->waited = 0;
		return true;
	}
	c->waited++;
	c->advancing = true;
	timer_set(&c->timer, BUSY_MS);
	return false;
}

static void
write_tx(struct compactor *c, struct engine_tx *tx)
{
	switch (engine_commit(&tx, on_written, c)) {
	case ENGINE_OK:
		c->waiting = true;
		break;
	case ENGINE_FAILED:
		enter(c, COMPACT_OFF);
		break;
	default: /* too much is waiting */
		begin_again(c);
	}
}

static void
write_copies(struct compactor *c)
{
	struct engine_tx *tx = engine_begin(c->e, ENGINE_TX_COMPACT);
	struct slice chunk = buf_slice(&c->chunk);

	for (size_t i = 0; i < c->copy_count; i++) {
		const struct compact_copy *copy = &c->copies[i];

		engine_add_copy(tx, copy->id, slice_sub(chunk, copy->at, copy->head_bytes),
		                slice_sub(chunk, copy->at + copy->head_bytes, copy->body_bytes));
	}
	c->copied_bytes += chunk.n;
	c->written_bytes = chunk.n;
	write_tx(c, tx);
}

static void
on_copies_read(struct compactor *c)
{
	if (c->failed || c->stop)
		give_up(c);
	else if (c->copy_count == 0)
		enter(c, COMPACT_SNAPSHOT);
	else
		enter(c, COMPACT_COPY);
}

static void
copy(struct compactor *c)
{
	if (c->copy_count == 0) {
		if (c->body_at == c->body_count)
			enter(c, COMPACT_SNAPSHOT);
		else
			start_job(c, compact_read_copies, on_copies_read);
	} else if (may_write(c)) {
		write_copies(c);
		c->copy_count = 0;
	}
}

/* Some of the records: parts of snapshots, or facts. */
static void
write_records(struct compactor *c, struct compact_records *r)
{
	struct engine_tx *tx = engine_begin(c->e, ENGINE_TX_COMPACT);
	uint64_t bytes = 0;

	for (; r->at < r->count && bytes < c->chunk_bytes; r->at++) {
		struct compact_record *rec = &r->v[r->at];

		bytes += rec->payload.n + RECORD_HEADER_BYTES;
		if (r == &c->keep) {
			(void)engine_add_fact(tx, rec->object, rec->kind, rec->payload);
			continue;
		}
		if (c->snapshot_id == 0) {
			c->snapshot_id = c->e->next_lsn;
			c->snapshot_part = 0;
		}
		rec->mark.id = c->snapshot_id;
		rec->mark.part = c->snapshot_part++;
		engine_add_snapshot(tx, rec->object, &rec->mark, rec->payload, rec->last,
		                    c->twice && r->at == 0);
		if (rec->last)
			c->snapshot_id = 0;
	}
	c->written_bytes = bytes;
	write_tx(c, tx);
}

static void
on_dumped(struct compactor *c)
{
	if (c->failed)
		give_up(c);
	else
		enter(c, COMPACT_SNAPSHOT);
}

static void
snapshot(struct compactor *c)
{
	if (c->snapshots.at == c->snapshots.count && c->snapshots.at != 0 && !c->twice) {
		c->twice = true;
		c->snapshots.at = 0;
	}
	if (c->snapshots.at < c->snapshots.count) {
		if (may_write(c))
			write_records(c, &c->snapshots);
	} else if (c->object_at < c->object_count) {
		start_job(c, compact_dump, on_dumped);
	} else {
		enter(c, COMPACT_KEEP);
	}
}

static void
keep(struct compactor *c)
{
	if (c->keep.at == c->keep.count)
		enter(c, COMPACT_INDEX);
	else if (may_write(c))
		write_records(c, &c->keep);
}

/* ---- a check -------------------------------------------------------------------------------------- */

static void
end_check(struct compactor *c)
{
	struct compact_check *k = &c->check;

	k->mended = c->checking ? c->object_count : 0;
	log_line(k->damaged != 0 ? LOG_ERROR : LOG_INFO, NULL,
	         "engine.checked bytes=%llu damaged=%llu bodies=%llu mended=%llu",
	         (unsigned long long)k->bytes, (unsigned long long)k->damaged,
	         (unsigned long long)k->bodies, (unsigned long long)k->mended);
	k->ended_s = clock_wall_s();
	k->wanted = false;
	enter(c, COMPACT_PICK);
}

static void
on_checked(struct compactor *c)
{
	if (c->failed || c->stop) {
		give_up(c);
	} else if (!c->check.all_read) {
		enter(c, COMPACT_PICK);
	} else if (c->object_count == 0 || c->e->full) {
		c->checking = false; /* nothing was written */
		end_check(c);
	} else {
		c->last_lsn = 0;
		enter(c, COMPACT_SNAPSHOT);
	}
}

static void
on_dropped(struct compactor *c)
{
	give_up(c);
}

/* ---- the machine ------------------------------------------------------------------------------- */

static void
wait_for_index(struct compactor *c)
{
	if (c->e->indexed_lsn < c->last_lsn)
		return; /* compactor_on_indexed() */
	if (c->checking) {
		end_check(c);
		return;
	}
	blob_fd_forget(c->e, c->at.number);
	c->phase = COMPACT_DROP;
	start_job(c, compact_drop, on_dropped);
}

/* In turns, so that a long look does not let the disk become full. */
static void
pick(struct compactor *c)
{
	c->check.turn = c->check.wanted && !c->check.turn;
	c->phase = c->check.turn ? COMPACT_CHECK : COMPACT_PICK;
	if (c->check.turn)
		start_job(c, compact_check, on_checked);
	else
		start_job(c, compact_pick, on_picked);
}

static void
advance(void *ctx)
{
	struct compactor *c = ctx;

	c->advancing = false;
	if (c->waiting || c->done != NULL)
		return;
	switch (c->phase) {
	case COMPACT_IDLE:
	case COMPACT_PICK:
		pick(c);
		break;
	case COMPACT_SCAN:
		start_job(c, compact_scan, on_scanned);
		break;
	case COMPACT_COPY:
		copy(c);
		break;
	case COMPACT_SNAPSHOT:
		snapshot(c);
		break;
	case COMPACT_KEEP:
		keep(c);
		break;
	case COMPACT_INDEX:
		wait_for_index(c);
		break;
	case COMPACT_CHECK:
	case COMPACT_DROP:
	case COMPACT_OFF:
		break;
	}
}

void
compactor_on_indexed(struct engine *e)
{
	struct compactor *c = e->compactor;

	if (c != NULL && c->phase == COMPACT_INDEX && !c->advancing)
		enter(c, COMPACT_INDEX);
}

/* ---- from outside -------------------------------------------------------------------------------- */

void
engine_set_compaction(struct engine *e, const struct engine_compact_policy *p)
{
	struct compactor *c = e->compactor;

	if (c == NULL)
		return;
	c->on = p->on;
	c->dead_percent = p->dead_percent;
	c->rate = p->rate;
	if (c->phase == COMPACT_IDLE && (c->on || c->has_thread))
		timer_set(&c->timer, FIRST_MS);
	else if (c->phase == COMPACT_IDLE)
		timer_cancel(&c->timer);
	else if (timer_is_set(&c->timer))
		timer_set(&c->timer, 0); /* at the new pace */
}

bool
engine_compact(struct engine *e)
{
	struct compactor *c = e->compactor;

	if (c == NULL || c->forced || c->phase == COMPACT_OFF || e->failed)
		return false;
	c->forced = true;
	c->forced_end = e->replay_segment;
	c->look_at_all = true;
	if (c->phase == COMPACT_IDLE) {
		timer_cancel(&c->timer);
		enter(c, COMPACT_PICK);
	}
	return true;
}

bool
engine_check(struct engine *e)
{
	struct compactor *c = e->compactor;
	struct compact_check *k = c != NULL ? &c->check : NULL;

	if (c == NULL || k->wanted || c->phase == COMPACT_OFF || e->failed)
		return false;
	k->next = 0;
	k->bytes = 0;
	k->damaged = 0;
	k->bodies = 0;
	k->mended = 0;
	k->all_read = k->turn = false;
	buf_clear(&k->hurt);
	buf_clear(&k->objects);
	k->wanted = true;
	if (c->phase == COMPACT_IDLE) {
		timer_cancel(&c->timer);
		enter(c, COMPACT_PICK);
	}
	return true;
}

static void
get_check_stats(const struct compact_check *k, struct engine_check_stats *s)
{
	*s = (struct engine_check_stats){ .working = k->wanted,
		                          .bytes = k->bytes,
		                          .damaged = k->damaged,
		                          .bodies = k->bodies,
		                          .mended = k->mended,
		                          .ended_s = k->ended_s };
}

void
compactor_get_stats(struct engine *e, struct engine_compact_stats *s)
{
	const struct compactor *c = e->compactor;

	*s = (struct engine_compact_stats){ 0 };
	if (c == NULL)
		return;
	s->live_bytes = c->live_bytes;
	s->dead_bytes = c->dead_bytes;
	s->copied_bytes = c->copied_bytes;
	s->dropped = c->dropped;
	s->dropped_bytes = c->dropped_bytes;
	s->kept_damaged = c->damaged;
	s->on = c->on;
	s->working = c->phase != COMPACT_IDLE && c->phase != COMPACT_OFF;
	s->forced = c->forced;
	s->stopped = c->phase == COMPACT_OFF;
	s->segment = c->working_at;
	get_check_stats(&c->check, &s->check);
}

void
compactor_start(struct engine *e)
{
	struct compactor *c;

	if (e->client->compact == NULL)
		return;
	c = xcalloc(1, sizeof(*c));
	c->e = e;
	c->chunk_bytes = MIN(CHUNK_MOST, e->config.segment_bytes / 16);
	c->objects_by_id = map_new();
	buf_init(&c->chunk, SIZE_MAX);
	buf_init(&c->check.hurt, SIZE_MAX);
	buf_init(&c->check.objects, SIZE_MAX);
	timer_init(&c->timer, e->loop, advance, c);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wanted, NULL);
	e->compactor = c;
	if (!e->config.threads)
		return;
	c->has_thread = pthread_create(&c->thread, NULL, thread_main, c) == 0;
	if (!c->has_thread)
		c->phase = COMPACT_OFF;
}

void
compactor_stop(struct engine *e)
{
	struct compactor *c = e->compactor;

	if (c == NULL)
		return;
	timer_cancel(&c->timer);
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	c->phase = COMPACT_OFF;
	pthread_cond_signal(&c->wanted);
	pthread_mutex_unlock(&c->lock);
	if (c->has_thread)
		pthread_join(c->thread, NULL);
}

void
compactor_free(struct engine *e)
{
	struct compactor *c = e->compactor;

	e->compactor = NULL;
	if (c == NULL)
		return;
	loop_forget(e->loop, c);
	timer_fini(&c->timer);
	compact_forget(c);
	map_free(&c->objects_by_id);
	buf_fini(&c->chunk);
	buf_fini(&c->check.hurt);
	buf_fini(&c->check.objects);
	free(c->copies);
	free(c->files);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wanted);
	free(c);
}
