/*
 * compact_pick - compaction's thread: the files of the log, what of them is alive, and which of
 * them is worth it. See compact.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/compact_impl.h"

/* False: it cannot be opened now. What is not known of one file may matter to another. */
static bool
read_file(struct compactor *c, uint64_t number, struct compact_file *f)
{
	struct segment_reader in;
	enum segment_state state;
	struct err err;

	*f = (struct compact_file){ .number = number };
	if (segment_open(&in, c->e, number) == -1) {
		log_error(NULL, "engine.compact_failed segment=%016llx error=%s",
		          (unsigned long long)number, log_esc(strerror(errno)));
		return false;
	}
	f->bytes = in.size;
	state = segment_read_header(&in, number, &err);
	f->ours = state == SEGMENT_OURS;
	f->unread = !f->ours && state != SEGMENT_UNUSED;
	f->rests = !f->unread && number < c->e->replay_segment;
	f->prev_lsn = f->ours ? in.seg.prev_lsn : 0;
	segment_end(&in);
	return true;
}

/* One that was being written then has another size now. Numbers come ascending; *pos: where to
 * look on. */
static bool
take_known(const struct compactor *c, size_t *pos, uint64_t number, struct compact_file *f)
{
	while (*pos < c->file_count && c->files[*pos].number < number)
		++*pos;
	if (*pos == c->file_count || c->files[*pos].number != number || !c->files[*pos].rests)
		return false;
	*f = c->files[*pos];
	return true;
}

static bool
list_files(struct compactor *c)
{
	struct compact_file *files;
	uint64_t *numbers;
	size_t count, pos = 0;
	bool good = true;

	if (segment_list(c->e, &numbers, &count) == -1)
		return false;
	files = xcalloc(count + 1, sizeof(*files));
	for (size_t i = 0; i < count && good; i++)
		good = take_known(c, &pos, numbers[i], &files[i]) ||
		       read_file(c, numbers[i], &files[i]);
	free(numbers);
	if (!good) {
		free(files);
		return false;
	}
	free(c->files);
	c->files = files;
	c->file_count = count;
	return true;
}

bool
compact_is_full(const struct compactor *c, const struct compact_file *f)
{
	return f->ours && f->number < c->e->replay_segment;
}

/* Live and dead bytes of all that are full. */
static bool
count_bytes(struct compactor *c)
{
	uint64_t live = 0, dead = 0;
	struct account_row row;
	struct kv_txn *txn;
	bool good;

	if (kv_begin_read(c->e->kv, &txn, NULL) != KV_OK)
		return false;
	for (size_t i = 0; i < c->file_count; i++) {
		struct compact_file *f = &c->files[i];

		(void)account_get(c->e, txn, f->number, &row);
		f->torn = row.torn;
		f->last_lsn = row.last_lsn;
		f->live_bytes = MIN(row.bytes, f->bytes);
		if (compact_is_full(c, f)) {
			live += f->live_bytes;
			dead += f->bytes - f->live_bytes;
		}
	}
	good = kv_txn_error(txn) == KV_OK;
	kv_end(&txn);
	c->live_bytes = live;
	c->dead_bytes = dead;
	return good;
}

bool
compact_list(struct compactor *c)
{
	return list_files(c) && count_bytes(c);
}

uint64_t
compact_room(const struct compactor *c)
{
	return c->e->room + writer_spare(c->e);
}

bool
compact_is_hungry(const struct compactor *c)
{
	return c->e->full || c->e->free_bytes < 2 * c->e->config.floor_bytes;
}

static bool
is_worth_a_look(const struct compactor *c, const struct compact_file *f)
{
	bool need = c->forced || compact_is_hungry(c);
	uint64_t percent = need ? COMPACT_LEAST_PERCENT : c->dead_percent;

	if (!compact_is_full(c, f) || f->damaged || (c->forced && f->number >= c->forced_end))
		return false;
	if (f->needs_until_ms > clock_mono_ms() && f->needs_bytes > compact_room(c))
		return false;
	if (f->not_before_ms > clock_mono_ms() ||
	    (f->unworthy_ms > clock_mono_ms() && !compact_is_hungry(c)))
		return false;
	return f->bytes - f->live_bytes >= f->bytes / 100 * percent;
}

/* A file whose tail was written anew by a recovery goes before the one that has that second
 * writing: without it the first would count again, and what was torn would be damage. */
void
compact_pick(struct compactor *c)
{
	const struct compact_file *best = NULL, *before = NULL;
	bool at_all = atomic_exchange(&c->look_at_all, false);

	c->at.number = 0;
	c->candidates = 0;
	if (!compact_list(c))
		return;
	if (!c->on && !c->forced)
		return;
	if (at_all)
		for (size_t i = 0; i < c->file_count; i++)
			c->files[i].not_before_ms = c->files[i].unworthy_ms =
				c->files[i].needs_until_ms = 0;
	for (size_t i = 0; i < c->file_count; i++) {
		const struct compact_file *f = &c->files[i];
		bool waits = before != NULL && before->torn;

		if (f->ours)
			before = f;
		if (waits || !is_worth_a_look(c, f))
			continue;
		c->candidates++;
		if (best == NULL || f->bytes - f->live_bytes > best->bytes - best->live_bytes)
			best = f;
	}
	if (best != NULL)
		c->at = *best;
}
