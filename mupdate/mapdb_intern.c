/*
 * mapdb_intern - servers and ACL identifiers, between their texts and the numbers the rows have
 * for them. Those met last are at hand without the table.
 */
#include "base/map.h"
#include "base/num.h"
#include "mapdb_impl.h"

#include <string.h>

/* The text's number, given to it when it has none. */
static uint32_t
intern(struct mapdb *m, char kind, struct slice text)
{
	uint8_t id_le[4], by_id[5] = { (uint8_t)(kind - 'a' + 'A') };
	char by_text[1 + LOCATION_ACL_IDENTIFIER_MAX];
	uint32_t id;

	must(text.n <= LOCATION_ACL_IDENTIFIER_MAX);
	if (location_intern_find(m->txn, kind, text, &id))
		return id;
	id = location_meta_u32(m->txn, "next_id") + 1;
	mapdb_put_u32(m, "next_id", id);
	by_text[0] = kind;
	memcpy(by_text + 1, text.p, text.n);
	num_put_le32(id_le, id);
	num_put_be32(by_id + 1, id);
	kv_put(m->txn, LOCATION_T_INTERN, slice_make(by_text, 1 + text.n), slice_make(id_le, 4));
	kv_put(m->txn, LOCATION_T_INTERN, slice_make(by_id, 5), text);
	return id;
}

/* Never takes a slot from another: texts are borrowed from it. */
static const struct mapdb_server *
keep(struct mapdb *m, uint32_t id, struct slice text)
{
	struct mapdb_server *s = &m->servers[id % MAPDB_SERVERS_KEPT];

	if (s->id == id)
		return s;
	if (s->id != 0 || text.n > sizeof(s->text))
		return NULL;
	s->id = id;
	s->len = text.n;
	memcpy(s->text, text.p, text.n);
	return s;
}

uint32_t
mapdb_server_id(struct mapdb *m, struct slice text)
{
	const struct mapdb_server *last = m->last_server;
	uint32_t id;

	if (last != NULL && slice_eq(text, slice_make(last->text, last->len)))
		return last->id;
	id = intern(m, 's', text);
	m->last_server = keep(m, id, text);
	return id;
}

bool
mapdb_server_text(struct mapdb *m, struct kv_txn *txn, uint32_t id, struct slice *text_r)
{
	const struct mapdb_server *s = &m->servers[id % MAPDB_SERVERS_KEPT];

	if (id != 0 && s->id == id) {
		*text_r = slice_make(s->text, s->len);
		return true;
	}
	if (!location_intern_text(txn, 's', id, text_r))
		return false;
	(void)keep(m, id, *text_r);
	return true;
}

uint32_t
mapdb_acl_id(struct mapdb *m, struct slice text)
{
	struct mapdb_acl_id *a = &m->acl_ids[map_hash(text) % MAPDB_ACL_IDS_KEPT];

	if (a->id != 0 && slice_eq(text, slice_make(a->text, a->len)))
		return a->id;
	a->id = intern(m, 'a', text);
	a->len = text.n;
	memcpy(a->text, text.p, text.n);
	return a->id;
}

void
mapdb_intern_forget(struct mapdb *m)
{
	for (size_t i = 0; i < MAPDB_SERVERS_KEPT; i++)
		m->servers[i].id = 0;
	for (size_t i = 0; i < MAPDB_ACL_IDS_KEPT; i++)
		m->acl_ids[i].id = 0;
	m->last_server = NULL;
}
