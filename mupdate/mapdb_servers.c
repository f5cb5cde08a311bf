/*
 * mapdb_servers - the servers of the map, between their names and their numbers.
 */
#include "mapdb_impl.h"

#include <string.h>

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
	id = mapdb_intern(m, 's', text);
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

void
mapdb_servers_forget(struct mapdb *m)
{
	for (size_t i = 0; i < MAPDB_SERVERS_KEPT; i++)
		m->servers[i].id = 0;
	m->last_server = NULL;
}
