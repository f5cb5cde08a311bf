/*
 * mapdb_collect - a whole list from a master, collected in an environment of its own; when
 * it is complete, what differs goes into the live one, so that readers see the old list or
 * the new one.
 *
 *   names   name -> blob server, record with server id 0
 */
#include "base/num.h"
#include "log/log.h"
#include "mapdb_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROWS_PER_COMMIT 50000

static const char *const collect_tables[] = { "names" };

static void
remove_files(const struct mapdb *m)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[4096];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/collect/%s", m->dir, files[i]);
		if (unlink(path) == -1 && errno != ENOENT)
			log_warning(NULL, "map.collect path=%s error=%s", log_esc(path),
			            log_esc(strerror(errno)));
	}
}

int
mapdb_collect_begin(struct mapdb *m, struct err *err)
{
	char dir[4096];
	const struct kv_config conf = {
		.dir = dir,
		.tables = collect_tables,
		.table_count = ARRAY_LEN(collect_tables),
		.map_bytes = LOCATION_MAP_BYTES,
		.scratch = true,
	};

	mapdb_collect_drop(m);
	remove_files(m);
	snprintf(dir, sizeof(dir), "%s/collect", m->dir);
	if (kv_open(&conf, &m->collect, err) != KV_OK)
		return -1;
	if (kv_begin_write(m->collect, &m->collect_txn, err) == KV_OK)
		return 0;
	mapdb_collect_drop(m);
	return -1;
}

bool
mapdb_is_collecting(const struct mapdb *m)
{
	return m->collect != NULL;
}

uint64_t
mapdb_collect_count(const struct mapdb *m)
{
	return m->collect_txn != NULL ? kv_count(m->collect_txn, 0) : 0;
}

bool
mapdb_collect_is_whole(const struct mapdb *m)
{
	return m->collect_txn != NULL && kv_txn_error(m->collect_txn) == KV_OK;
}

void
mapdb_collect_drop(struct mapdb *m)
{
	if (m->collect == NULL)
		return;
	kv_end(&m->collect_txn);
	kv_close(&m->collect);
	remove_files(m);
}

/* One transaction over millions of rows would keep all their pages in memory. An error
 * stays in the transaction, and is found at the end. */
static void
collect_step(struct mapdb *m)
{
	if (++m->collect_rows < ROWS_PER_COMMIT || kv_txn_error(m->collect_txn) != KV_OK)
		return;
	m->collect_rows = 0;
	if (kv_commit(&m->collect_txn, &m->collect_why) != KV_OK ||
	    kv_begin_write(m->collect, &m->collect_txn, &m->collect_why) != KV_OK)
		m->collect_txn = NULL;
}

void
mapdb_collect_set(struct mapdb *m, const struct location *loc)
{
	struct buf row = BUF_INIT(SIZE_MAX);

	if (m->collect_txn == NULL)
		return;
	buf_add_blob(&row, loc->server);
	location_row_add(&row, loc, 0);
	kv_put(m->collect_txn, 0, loc->name, buf_slice(&row));
	buf_fini(&row);
	collect_step(m);
}

void
mapdb_collect_delete(struct mapdb *m, struct slice name)
{
	if (m->collect_txn == NULL || name.n == 0 || name.n > LOCATION_NAME_MAX)
		return;
	(void)kv_del(m->collect_txn, 0, name);
	collect_step(m);
}

/* ---- the difference ------------------------------------------------------------------------- */

static bool
parse_collected(struct slice name, struct slice value, struct location *loc_r)
{
	struct num_reader r = num_reader_of(value);
	struct slice server = num_read_blob(&r);
	struct location_row row;

	if (r.bad || !location_row_parse(name, r.rest, &row))
		return false;
	*loc_r = row.loc;
	loc_r->server = server;
	return true;
}

static bool
is_same(const struct location *a, const struct location *b, bool with_revision)
{
	return a->state == b->state && a->left == b->left && slice_eq(a->server, b->server) &&
	       slice_eq(a->partition, b->partition) && slice_eq(a->acl, b->acl) &&
	       slice_eq(a->mbox_id, b->mbox_id) && a->uidvalidity == b->uidvalidity &&
	       slice_eq(a->special_use, b->special_use) && a->claim == b->claim &&
	       (!with_revision || a->revision == b->revision);
}

/* Everything in the new list that the live one has otherwise. */
static bool
add_new(struct mapdb *m, struct kv_txn *fresh, bool own_revisions)
{
	struct kv_cursor *c = kv_cursor_new(fresh, 0);
	struct slice name, value, old;
	bool ok = true;

	for (bool more = kv_cursor_seek(c, SLICE(""), &name, &value); more && ok;
	     more = kv_cursor_next(c, &name, &value)) {
		struct location want, have;
		bool there;

		ok = parse_collected(name, value, &want);
		if (!ok)
			break;
		there = kv_get(m->txn, LOCATION_T_NAMES, name, &old);
		if (there && mapdb_row_location(m, m->txn, name, old, &have) &&
		    is_same(&have, &want, !own_revisions))
			continue;
		if (own_revisions)
			want.revision = 0;
		(void)mapdb_set_over(m, &want, there ? &old : NULL);
	}
	kv_cursor_free(&c);
	return ok;
}

/* Names that the new list has not. Found and deleted in rounds, since a cursor does not
 * survive changes beside it. */
static void
delete_old(struct mapdb *m, struct kv_txn *fresh, uint64_t revision)
{
	char last[LOCATION_NAME_MAX];
	struct slice from = SLICE("");

	/* All of the new list is in the live one by now. */
	while (kv_count(m->txn, LOCATION_T_NAMES) > kv_count(fresh, 0)) {
		struct kv_cursor *c = kv_cursor_new(m->txn, LOCATION_T_NAMES);
		struct slice name;
		bool more = kv_cursor_seek(c, from, &name, NULL);

		while (more && kv_has(fresh, 0, name))
			more = kv_cursor_next(c, &name, NULL);
		if (more && name.n <= sizeof(last)) {
			memcpy(last, name.p, name.n);
			from = slice_make(last, name.n);
		}
		kv_cursor_free(&c);
		if (!more)
			return;
		(void)mapdb_delete(m, from, revision);
	}
}

/* revision 0: each change gets the next one. Else they have the master's, who has not told what came
 * between them: the log is emptied. */
static int
write_difference(struct mapdb *m, struct kv_txn *fresh, uint64_t revision, struct err *err)
{
	bool ok;

	m->no_log = revision != 0;
	ok = add_new(m, fresh, revision == 0);
	if (ok)
		delete_old(m, fresh, revision);
	if (revision > m->next.revision)
		m->next.revision = revision;
	if (m->no_log)
		mapdb_log_clear(m);
	m->no_log = false;
	if (ok && kv_txn_error(fresh) == KV_OK)
		return 0;
	err_set(err, "%s/collect: %s", m->dir,
	        ok ? kv_err_text(kv_txn_error(fresh)) : "a row makes no sense");
	return -1;
}

int
mapdb_collect_end(struct mapdb *m, uint64_t revision, struct err *err)
{
	struct kv_txn *fresh = NULL;
	int r = -1;

	must(m->collect != NULL && m->txn != NULL);
	if (m->collect_txn == NULL)
		err_set(err, "%s/collect: %s", m->dir, m->collect_why.text);
	else if (kv_commit(&m->collect_txn, err) == KV_OK &&
	         kv_begin_read(m->collect, &fresh, err) == KV_OK)
		r = write_difference(m, fresh, revision, err);
	kv_end(&fresh);
	mapdb_collect_drop(m);
	return r;
}
