#include "mapdb.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mapdb_impl.h"

#include <inttypes.h>

/* ---- meta ------------------------------------------------------------------------------- */

void
mapdb_put_u64(struct mapdb *m, const char *key, uint64_t v)
{
	uint8_t bytes[8];

	num_put_le64(bytes, v);
	kv_put(m->txn, LOCATION_T_META, slice_of(key), slice_make(bytes, sizeof(bytes)));
}

void
mapdb_put_u32(struct mapdb *m, const char *key, uint32_t v)
{
	uint8_t bytes[4];

	num_put_le32(bytes, v);
	kv_put(m->txn, LOCATION_T_META, slice_of(key), slice_make(bytes, sizeof(bytes)));
}

static void
history_to_hex(const uint8_t history[LOCATION_HISTORY_LEN], char hex_r[MAPDB_HISTORY_LEN])
{
	struct buf hex = BUF_INIT(MAPDB_HISTORY_LEN);

	text_hex_add(&hex, slice_make(history, LOCATION_HISTORY_LEN));
	memcpy(hex_r, buf_cstr(&hex), MAPDB_HISTORY_LEN);
	buf_fini(&hex);
}

void
mapdb_load_info(struct kv_txn *txn, struct mapdb_info *info_r)
{
	uint8_t history[LOCATION_HISTORY_LEN];

	memset(info_r, 0, sizeof(*info_r));
	if (location_meta_history(txn, history))
		history_to_hex(history, info_r->history);
	info_r->revision = location_meta_u64(txn, "revision");
	info_r->oldest = location_meta_u64(txn, "oldest");
	info_r->term = location_meta_u64(txn, "term");
	info_r->heard_us = location_meta_u64(txn, "heard");
	info_r->unsure = location_meta_u64(txn, "unsure");
	info_r->state = (enum location_map_state)location_meta_u32(txn, "state");
}

void
mapdb_put_history(struct mapdb *m, const uint8_t history[LOCATION_HISTORY_LEN])
{
	kv_put(m->txn, LOCATION_T_META, SLICE("history"),
	       slice_make(history, LOCATION_HISTORY_LEN));
	history_to_hex(history, m->next.history);
}

static struct slice
pushed_key(struct slice server, char key_r[8 + LOCATION_SERVER_MAX])
{
	must(server.n <= LOCATION_SERVER_MAX);
	memcpy(key_r, "pushed.", 7);
	memcpy(key_r + 7, server.p, server.n);
	return slice_make(key_r, 7 + server.n);
}

/* Nobody has pushed. */
static void
clear_pushed(struct mapdb *m)
{
	struct kv_cursor *c = kv_cursor_new(m->txn, LOCATION_T_META);
	struct slice key;

	while (kv_cursor_seek(c, SLICE("pushed."), &key, NULL) &&
	       slice_starts(key, SLICE("pushed.")))
		kv_cursor_del(c);
	kv_cursor_free(&c);
}

void
mapdb_put_new_history(struct mapdb *m)
{
	uint8_t history[LOCATION_HISTORY_LEN];

	ids_random(history, sizeof(history));
	mapdb_put_history(m, history);
}

void
mapdb_next_term(struct mapdb *m)
{
	m->next.term = MAX(m->next.term + 1, clock_wall_s());
}

void
mapdb_start_history(struct mapdb *m)
{
	mapdb_next_term(m);
	mapdb_put_new_history(m);
	mapdb_log_clear(m);
	mapdb_terms_clear(m);
	mapdb_terms_add(m, m->next.term, m->next.revision);
	clear_pushed(m);
	m->next.unsure = m->next.revision;
	mapdb_put_u64(m, "unsure", m->next.unsure);
	mapdb_set_state(m, LOCATION_MAP_REBUILDING);
}

const struct mapdb_info *
mapdb_info(const struct mapdb *m)
{
	return &m->info;
}

bool
mapdb_is_complete(const struct mapdb *m)
{
	return m->info.state == LOCATION_MAP_COMPLETE;
}

void
mapdb_check_readers(struct mapdb *m)
{
	(void)kv_reader_check(m->env);
}

/* ---- the write transaction ------------------------------------------------------------------ */

int
mapdb_begin(struct mapdb *m, struct err *err)
{
	enum kv_err e;

	if (m->txn != NULL)
		return 0;
	e = kv_begin_write(m->env, &m->txn, err);
	m->damaged = m->damaged || e == KV_CORRUPT;
	if (e != KV_OK)
		return -1;
	m->next = m->info;
	m->no_log = false;
	buf_clear(&m->pending);
	return 0;
}

bool
mapdb_is_open(const struct mapdb *m)
{
	return m->txn != NULL;
}

/* Not the disk, but the map? Then there is room the next time. */
static void
grow_if_full(struct mapdb *m)
{
	uint64_t used, map;

	kv_space(m->env, &used, &map);
	if (kv_is_map_full(m->env) && kv_grow(m->env))
		log_warning(NULL, "map.grown bytes=%" PRIu64, 2 * map);
}

enum mapdb_outcome
mapdb_commit(struct mapdb *m, struct err *err)
{
	bool failed_before;
	enum kv_err e;

	must(m->txn != NULL);
	mapdb_log_write(m, true);
	if (m->next.revision != m->info.revision)
		mapdb_put_u64(m, "revision", m->next.revision);
	if (m->next.oldest != m->info.oldest)
		mapdb_put_u64(m, "oldest", m->next.oldest);
	if (m->next.term != m->info.term)
		mapdb_put_u64(m, "term", m->next.term);
	failed_before = kv_txn_error(m->txn) != KV_OK;
	e = kv_commit(&m->txn, err);
	if (e == KV_OK) {
		m->info = m->next;
		return MAPDB_DONE;
	}
	mapdb_intern_forget(m);
	m->damaged = m->damaged || e == KV_CORRUPT;
	if (e == KV_FULL)
		grow_if_full(m);
	return failed_before || !kv_is_broken(m->env) ? MAPDB_UNDONE : MAPDB_UNKNOWN;
}

void
mapdb_abort(struct mapdb *m)
{
	kv_end(&m->txn);
	mapdb_intern_forget(m);
}

void
mapdb_set_state(struct mapdb *m, enum location_map_state state)
{
	mapdb_put_u32(m, "state", state);
	m->next.state = state;
}

void
mapdb_raise_term(struct mapdb *m, uint64_t above)
{
	m->next.term = MAX(m->next.term, above + 1);
	/* What was between is not known to have been of this history. */
	mapdb_terms_clear(m);
	mapdb_terms_add(m, m->next.term, m->next.revision);
}

void
mapdb_set_heard(struct mapdb *m, uint64_t wall_us)
{
	mapdb_put_u64(m, "heard", wall_us);
	m->next.heard_us = wall_us;
}

bool
mapdb_follow(struct mapdb *m, struct slice history, uint64_t revision, uint64_t term, bool whole)
{
	struct buf bytes = BUF_INIT(LOCATION_HISTORY_LEN);
	bool same = slice_ieq_str(history, m->next.history), ok = true;

	if (history.n == 0) {
		mapdb_put_new_history(m);
		mapdb_log_clear(m);
	} else if (!text_hex_decode(history, &bytes) || bytes.len != LOCATION_HISTORY_LEN) {
		ok = false;
	} else if (!same) {
		mapdb_put_history(m, (const uint8_t *)buf_slice(&bytes).p);
		m->next.revision = revision;
		mapdb_log_clear(m);
	} else if (whole || revision > m->next.revision) {
		m->next.revision = revision;
	}
	if (ok && term > m->next.term)
		m->next.term = term;
	buf_fini(&bytes);
	return ok;
}

void
mapdb_set_pushed(struct mapdb *m, struct slice server)
{
	char key[8 + LOCATION_SERVER_MAX];

	kv_put(m->txn, LOCATION_T_META, pushed_key(server, key), SLICE(""));
}

bool
mapdb_has_pushed(struct mapdb *m, struct slice server)
{
	char key[8 + LOCATION_SERVER_MAX];
	struct kv_txn *txn = m->txn;
	bool has;

	if (server.n > LOCATION_SERVER_MAX)
		return false;
	if (txn == NULL && kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return false;
	has = kv_has(txn, LOCATION_T_META, pushed_key(server, key));
	if (txn != m->txn)
		kv_end(&txn);
	return has;
}

/* ---- reading ------------------------------------------------------------------------------- */

bool
mapdb_row_location(struct mapdb *m, struct kv_txn *txn, struct slice name, struct slice value,
                   struct location *loc_r)
{
	struct location_row row;

	if (!location_row_parse(name, value, &row) ||
	    !mapdb_server_text(m, txn, row.server_id, &row.loc.server)) {
		log_error(NULL, "map.damaged mbox=%s", log_esc_slice(name));
		return false;
	}
	*loc_r = row.loc;
	return true;
}

int
mapdb_read_end(struct mapdb *m, struct kv_txn *txn, bool ok)
{
	enum kv_err e = kv_txn_error(txn);

	kv_end(&txn);
	if (e != KV_OK)
		log_error(NULL, "map.unreadable error=%s", log_esc(kv_err_text(e)));
	m->damaged = m->damaged || !ok || e == KV_CORRUPT;
	return ok && e == KV_OK ? 0 : -1;
}

/* From the first name >= from; skip: but not from itself; only with prefix. */
static int
each_name(struct mapdb *m, struct slice from, bool skip, struct slice prefix, mapdb_each_fn *fn,
          void *ctx)
{
	struct slice name, value;
	struct kv_cursor *c;
	struct kv_txn *txn;
	bool more, ok = true;

	if (from.n > LOCATION_NAME_MAX)
		return 0;
	if (kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return -1;
	c = kv_cursor_new(txn, LOCATION_T_NAMES);
	more = kv_cursor_seek(c, from, &name, &value);
	if (more && skip && slice_eq(name, from))
		more = kv_cursor_next(c, &name, &value);
	for (; more && slice_starts(name, prefix); more = kv_cursor_next(c, &name, &value)) {
		struct location loc;

		ok = mapdb_row_location(m, txn, name, value, &loc);
		if (!ok || !fn(ctx, &loc))
			break;
	}
	kv_cursor_free(&c);
	return mapdb_read_end(m, txn, ok);
}

int
mapdb_each_after(struct mapdb *m, struct slice after, mapdb_each_fn *fn, void *ctx)
{
	return each_name(m, after, after.n > 0, SLICE(""), fn, ctx);
}

int
mapdb_each_prefix(struct mapdb *m, struct slice prefix, mapdb_each_fn *fn, void *ctx)
{
	return each_name(m, prefix, false, prefix, fn, ctx);
}

uint64_t
mapdb_count(struct mapdb *m)
{
	struct kv_txn *txn;
	uint64_t n;

	if (kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return 0;
	n = kv_count(txn, LOCATION_T_NAMES);
	kv_end(&txn);
	return n;
}
