/*
 * mapdb_write - single changes: the row, its two indexes, its row in the log.
 */
#include "base/num.h"
#include "log/log.h"
#include "mapdb_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- indexes -------------------------------------------------------------------------------- */

static void
index_acl(struct mapdb *m, struct slice name, struct slice acl, bool add)
{
	uint8_t bytes[LOCATION_ID_KEY_MAX];
	struct slice id, rights, key;

	while (location_acl_next(&acl, &id, &rights)) {
		key = location_id_key(bytes, mapdb_acl_id(m, id), name);
		if (add)
			kv_put(m->txn, LOCATION_T_ACL, key, rights);
		else
			(void)kv_del(m->txn, LOCATION_T_ACL, key);
	}
}

static void
index_server(struct mapdb *m, struct slice name, uint32_t server, bool add)
{
	uint8_t bytes[LOCATION_ID_KEY_MAX];
	struct slice key = location_server_key(bytes, server, name);

	if (add)
		kv_put(m->txn, LOCATION_T_SERVER, key, SLICE(""));
	else
		(void)kv_del(m->txn, LOCATION_T_SERVER, key);
}

bool
mapdb_index_servers(struct mapdb *m)
{
	struct kv_cursor *c = kv_cursor_new(m->txn, LOCATION_T_NAMES);
	struct slice name, value;
	bool ok = true;

	kv_clear(m->txn, LOCATION_T_SERVER);
	for (bool more = kv_cursor_seek(c, SLICE(""), &name, &value); more && ok;
	     more = kv_cursor_next(c, &name, &value)) {
		struct location_row row;

		ok = location_row_parse(name, value, &row);
		if (ok)
			index_server(m, name, row.server_id, true);
	}
	kv_cursor_free(&c);
	return ok;
}

static void
mark_left(struct mapdb *m, struct slice name)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct location_row row;
	struct slice value;

	/* a row that makes no sense is found by whoever reads it */
	if (kv_get(m->txn, LOCATION_T_NAMES, name, &value) &&
	    location_row_parse(name, value, &row) && row.loc.state == LOCATION_RESERVED) {
		row.loc.left = true;
		location_row_add(&out, &row.loc, row.server_id);
		kv_put(m->txn, LOCATION_T_NAMES, name, buf_slice(&out));
	}
	buf_fini(&out);
}

/* They had a row "left.NAME" in meta, and no ACL any more. */
void
mapdb_convert_left(struct mapdb *m)
{
	static const struct slice prefix = SLICE_INIT("left.");
	struct kv_cursor *c = kv_cursor_new(m->txn, LOCATION_T_META);
	struct slice key;

	while (kv_cursor_seek(c, prefix, &key, NULL) && slice_starts(key, prefix)) {
		char name[KV_KEY_MAX];
		size_t n = key.n - prefix.n;

		memcpy(name, key.p + prefix.n, n);
		kv_cursor_del(c);
		mark_left(m, slice_make(name, n));
	}
	kv_cursor_free(&c);
}

/* ---- changes --------------------------------------------------------------------------------- */

bool
mapdb_find(struct mapdb *m, struct slice name, struct arena *a, struct location *loc_r)
{
	struct kv_txn *txn = m->txn;
	struct location loc;
	struct slice value;
	bool found;

	if (name.n == 0 || name.n > LOCATION_NAME_MAX)
		return false;
	if (txn == NULL && kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return false;
	found = kv_get(txn, LOCATION_T_NAMES, name, &value);
	if (found && !mapdb_row_location(m, txn, name, value, &loc)) {
		m->damaged = true;
		found = false;
	}
	if (found)
		*loc_r = location_dup(a, &loc);
	if (txn != m->txn)
		kv_end(&txn);
	return found;
}

/* Takes an old row out of the indexes it will not be in any more. */
static void
unindex_old(struct mapdb *m, const struct location *loc, uint32_t server, struct slice value)
{
	struct location_row old;

	if (!location_row_parse(loc->name, value, &old))
		return;
	if (old.server_id != server)
		index_server(m, loc->name, old.server_id, false);
	if (!slice_eq(old.loc.acl, loc->acl))
		index_acl(m, loc->name, old.loc.acl, false);
}

uint64_t
mapdb_set_over(struct mapdb *m, const struct location *loc, const struct slice *old)
{
	struct buf row = BUF_INIT(SIZE_MAX), before = BUF_INIT(SIZE_MAX);
	struct location with = *loc;
	uint32_t server;

	must(m->txn != NULL);
	/* It is borrowed until the next change. */
	if (old != NULL)
		buf_add_slice(&before, *old);
	server = mapdb_server_id(m, loc->server);
	if (with.revision == 0)
		with.revision = m->next.revision + 1;
	if (old != NULL)
		unindex_old(m, &with, server, buf_slice(&before));
	buf_fini(&before);
	location_row_add(&row, &with, server);
	kv_put(m->txn, LOCATION_T_NAMES, with.name, buf_slice(&row));
	buf_fini(&row);
	index_server(m, with.name, server, true);
	index_acl(m, with.name, with.acl, true);
	mapdb_log_add(m, LOCATION_LOG_SET, with.name, with.revision);
	return with.revision;
}

uint64_t
mapdb_set(struct mapdb *m, const struct location *loc)
{
	struct slice old;
	bool there = kv_get(m->txn, LOCATION_T_NAMES, loc->name, &old);

	return mapdb_set_over(m, loc, there ? &old : NULL);
}

uint64_t
mapdb_delete(struct mapdb *m, struct slice name, uint64_t revision)
{
	const struct location none = { .name = name };
	struct buf before = BUF_INIT(SIZE_MAX);
	struct slice old;

	must(m->txn != NULL);
	if (!kv_get(m->txn, LOCATION_T_NAMES, name, &old))
		return 0;
	if (revision == 0)
		revision = m->next.revision + 1;
	buf_add_slice(&before, old);
	unindex_old(m, &none, 0, buf_slice(&before));
	buf_fini(&before);
	(void)kv_del(m->txn, LOCATION_T_NAMES, name);
	mapdb_log_add(m, LOCATION_LOG_DELETE, name, revision);
	return revision;
}

uint64_t
mapdb_claim(struct mapdb *m, struct slice inbox, struct slice server, uint64_t at_least)
{
	uint32_t id = mapdb_server_id(m, server), old_id = 0;
	uint64_t old = 0, claim;
	uint8_t row[12];
	struct slice value;

	if (kv_get(m->txn, LOCATION_T_CLAIM, inbox, &value) && value.n == sizeof(row)) {
		old = num_get_le64((const uint8_t *)value.p);
		old_id = num_get_le32((const uint8_t *)value.p + 8);
	}
	claim = MAX(old_id == id ? old : old + 1, MAX(at_least, 1));
	if (claim == old && old_id == id)
		return claim;
	num_put_le64(row, claim);
	num_put_le32(row + 8, id);
	kv_put(m->txn, LOCATION_T_CLAIM, inbox, slice_make(row, sizeof(row)));
	return claim;
}
