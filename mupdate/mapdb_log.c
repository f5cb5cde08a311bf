/*
 * mapdb_log - the log of changes, by revision. Most changes come one at a time, and each table that
 * a commit touches costs it pages on the disk. So the latest ones lie beside the revision, in a row
 * of meta that is written anyway, and move to the table together when that row is full.
 *
 *   meta "tail": for each change u64 revision, u8 kind, blob name; revisions rise
 */
#include "base/num.h"
#include "mapdb_impl.h"

#define TAIL_MAX 1000     /* bytes; LMDB gives a row of half a page pages of its own */
#define PENDING_MAX 65536 /* of an open transaction */

/* ---- writing -------------------------------------------------------------------------------- */

static void
trim(struct mapdb *m)
{
	struct kv_cursor *c;
	struct slice key;

	if (m->next.revision < m->next.oldest ||
	    m->next.revision - m->next.oldest + 1 <= m->log_rows)
		return;
	/* Two for each one added: a log made shorter by the settings shrinks in time. */
	c = kv_cursor_new(m->txn, LOCATION_T_LOG);
	for (int i = 0; i < 2 && kv_cursor_seek(c, SLICE(""), &key, NULL); i++) {
		uint64_t first = num_get_be64((const uint8_t *)key.p);

		if (m->next.revision - first < m->log_rows)
			break;
		m->next.oldest = first + 1;
		kv_cursor_del(c);
	}
	kv_cursor_free(&c);
}

struct change {
	uint64_t revision;
	enum location_log_kind kind;
	struct slice name;
};

/* False: the end, or (r->bad) no change. */
static bool
take(struct num_reader *r, struct change *ch_r)
{
	if (r->rest.n == 0)
		return false;
	ch_r->revision = num_read_u64(r);
	ch_r->kind = (enum location_log_kind)num_read_u8(r);
	ch_r->name = num_read_blob(r);
	r->bad = r->bad || ch_r->name.n == 0;
	return !r->bad;
}

/* False: they make no sense. */
static bool
move_to_table(struct mapdb *m, struct slice changes)
{
	struct num_reader r = num_reader_of(changes);
	struct buf row = BUF_INIT(1 + LOCATION_NAME_MAX);
	struct change ch;
	uint8_t key[8];

	while (take(&r, &ch)) {
		num_put_be64(key, ch.revision);
		buf_clear(&row);
		buf_add_u8(&row, (uint8_t)ch.kind);
		buf_add_slice(&row, ch.name);
		kv_put(m->txn, LOCATION_T_LOG, slice_make(key, sizeof(key)), buf_slice(&row));
		trim(m);
	}
	buf_fini(&row);
	return !r.bad;
}

static void
put_tail(struct mapdb *m, struct slice changes)
{
	kv_put(m->txn, LOCATION_T_META, SLICE("tail"), changes);
}

/* The tail and what is pending, in all. */
static void
add_tail(struct mapdb *m, struct buf *all)
{
	struct slice tail;

	if (kv_get(m->txn, LOCATION_T_META, SLICE("tail"), &tail))
		buf_add_slice(all, tail);
	buf_add_slice(all, buf_slice(&m->pending));
}

static bool
rises(struct slice changes)
{
	struct num_reader r = num_reader_of(changes);
	uint64_t before = 0;
	struct change ch;

	while (take(&r, &ch)) {
		if (ch.revision <= before)
			return false;
		before = ch.revision;
	}
	return !r.bad;
}

void
mapdb_log_add(struct mapdb *m, enum location_log_kind kind, struct slice name, uint64_t revision)
{
	if (revision > m->next.revision)
		m->next.revision = revision;
	if (m->no_log)
		return;
	buf_add_u64(&m->pending, revision);
	buf_add_u8(&m->pending, (uint8_t)kind);
	buf_add_blob(&m->pending, name);
	if (m->pending.len > PENDING_MAX)
		mapdb_log_write(m, false);
}

void
mapdb_log_clear(struct mapdb *m)
{
	kv_clear(m->txn, LOCATION_T_LOG);
	put_tail(m, SLICE(""));
	buf_clear(&m->pending);
	m->next.oldest = m->next.revision + 1;
}

void
mapdb_log_write(struct mapdb *m, bool may_stay)
{
	struct buf all = BUF_INIT(SIZE_MAX);

	if (m->pending.len == 0)
		return;
	add_tail(m, &all);
	buf_clear(&m->pending);
	if (may_stay && all.len <= TAIL_MAX && rises(buf_slice(&all))) {
		put_tail(m, buf_slice(&all));
	} else if (move_to_table(m, buf_slice(&all))) {
		put_tail(m, SLICE(""));
	} else {
		/* Who asks for what is missing takes the whole list. */
		m->damaged = true;
		mapdb_log_clear(m);
	}
	buf_fini(&all);
}

/* ---- reading -------------------------------------------------------------------------------- */

struct telling {
	struct mapdb *m;
	struct kv_txn *txn;
	mapdb_change_fn *fn;
	void *ctx;
	bool ok; /* false: the database is damaged */
};

/* What became of a change: a later one of its name says it instead. False: enough. */
static bool
tell(struct telling *t, const struct change *ch)
{
	struct mapdb_change change = { .revision = ch->revision, .name = ch->name };
	struct location loc;
	struct slice row;

	if (!kv_get(t->txn, LOCATION_T_NAMES, ch->name, &row)) {
		/* A name that is gone: the deletion, or something before it. */
		return ch->kind != LOCATION_LOG_DELETE || t->fn(t->ctx, &change);
	}
	t->ok = mapdb_row_location(t->m, t->txn, ch->name, row, &loc);
	if (!t->ok || loc.revision > ch->revision)
		return t->ok;
	change.loc = &loc;
	return t->fn(t->ctx, &change);
}

/* False: enough, or damaged. */
static bool
tell_table(struct telling *t, uint64_t after)
{
	struct kv_cursor *c = kv_cursor_new(t->txn, LOCATION_T_LOG);
	struct slice key, value;
	bool more, go_on = true;
	uint8_t from[8];

	num_put_be64(from, after + 1);
	for (more = kv_cursor_seek(c, slice_make(from, sizeof(from)), &key, &value); more && go_on;
	     more = go_on && kv_cursor_next(c, &key, &value)) {
		t->ok = key.n == sizeof(from) && value.n >= 2;
		go_on = t->ok &&
		        tell(t, &(struct change){ num_get_be64((const uint8_t *)key.p),
		                                  (enum location_log_kind)(uint8_t)value.p[0],
		                                  slice_skip(value, 1) });
	}
	kv_cursor_free(&c);
	return go_on;
}

static void
tell_tail(struct telling *t, uint64_t after)
{
	struct slice tail = SLICE("");
	struct num_reader r;
	struct change ch;

	(void)kv_get(t->txn, LOCATION_T_META, SLICE("tail"), &tail);
	r = num_reader_of(tail);
	while (take(&r, &ch))
		if (ch.revision > after && !tell(t, &ch))
			return;
	t->ok = !r.bad;
}

int
mapdb_each_change(struct mapdb *m, uint64_t after, mapdb_change_fn *fn, void *ctx)
{
	struct telling t = { .m = m, .fn = fn, .ctx = ctx, .ok = true };

	if (after + 1 < m->info.oldest || after > m->info.revision)
		return 0;
	if (kv_begin_read(m->env, &t.txn, NULL) != KV_OK)
		return -1;
	if (tell_table(&t, after))
		tell_tail(&t, after);
	return mapdb_read_end(m, t.txn, t.ok) == -1 ? -1 : 1;
}
