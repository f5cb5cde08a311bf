/*
 * mapdb_servers - which names are at which server.
 */
#include "base/num.h"
#include "base/xalloc.h"
#include "mapdb_impl.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
count_names_of(struct kv_txn *txn, uint32_t id)
{
	uint8_t bytes[LOCATION_ID_KEY_MAX];
	struct slice start = location_server_key(bytes, id, SLICE("")), key;
	struct kv_cursor *c = kv_cursor_new(txn, LOCATION_T_SERVER);
	uint64_t n = 0;

	for (bool more = kv_cursor_seek(c, start, &key, NULL); more && slice_starts(key, start);
	     more = kv_cursor_next(c, &key, NULL))
		n++;
	kv_cursor_free(&c);
	return n;
}

int
mapdb_each_server(struct mapdb *m, mapdb_server_fn *fn, void *ctx)
{
	struct slice key, value;
	struct kv_cursor *c;
	struct kv_txn *txn;

	if (kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return -1;
	c = kv_cursor_new(txn, LOCATION_T_INTERN);
	for (bool more = kv_cursor_seek(c, SLICE("s"), &key, &value);
	     more && slice_starts(key, SLICE("s")); more = kv_cursor_next(c, &key, &value))
		if (value.n == 4)
			fn(ctx, slice_skip(key, 1),
			   count_names_of(txn, num_get_le32((const uint8_t *)value.p)));
	kv_cursor_free(&c);
	return mapdb_read_end(m, txn, true);
}

/* The names of one server. */
struct queue {
	struct kv_cursor *c;
	uint8_t id[4];
	struct slice key; /* the next one; p NULL: none is left */
};

static void
queue_take(struct queue *q, bool more)
{
	if (!more || !slice_starts(q->key, slice_make(q->id, sizeof(q->id))))
		q->key = slice_make(NULL, 0);
}

static void
queue_open(struct queue *q, struct kv_txn *txn, uint32_t id, struct slice after)
{
	uint8_t bytes[LOCATION_ID_KEY_MAX];
	struct slice from = location_server_key(bytes, id, after);
	bool more;

	memcpy(q->id, bytes, sizeof(q->id));
	q->c = kv_cursor_new(txn, LOCATION_T_SERVER);
	more = kv_cursor_seek(q->c, from, &q->key, NULL);
	if (more && after.n > 0 && slice_eq(q->key, from))
		more = kv_cursor_next(q->c, &q->key, NULL);
	queue_take(q, more);
}

static size_t
open_queues(struct kv_txn *txn, const struct mapdb_by_server *by, struct queue **queues_r)
{
	char from[1 + LOCATION_SERVER_MAX] = "s";
	struct kv_cursor *c = kv_cursor_new(txn, LOCATION_T_INTERN);
	struct slice start, key, value;
	size_t n = 0;

	memcpy(from + 1, by->prefix.p, by->prefix.n);
	start = slice_make(from, 1 + by->prefix.n);
	*queues_r = NULL;
	for (bool more = kv_cursor_seek(c, start, &key, &value); more && slice_starts(key, start);
	     more = kv_cursor_next(c, &key, &value)) {
		if (value.n != 4 || (by->whole && key.n > start.n))
			break;
		*queues_r = xreallocarray(*queues_r, n + 1, sizeof(**queues_r));
		queue_open(*queues_r + n++, txn, num_get_le32((const uint8_t *)value.p), by->after);
	}
	kv_cursor_free(&c);
	return n;
}

/* Whose name comes first; NULL: all are empty. */
static struct queue *
first_queue(struct queue *queues, size_t n)
{
	struct queue *first = NULL;

	for (size_t i = 0; i < n; i++)
		if (queues[i].key.p != NULL &&
		    (first == NULL ||
		     slice_cmp(slice_skip(queues[i].key, 4), slice_skip(first->key, 4)) < 0))
			first = &queues[i];
	return first;
}

int
mapdb_each_of(struct mapdb *m, const struct mapdb_by_server *by, mapdb_each_fn *fn, void *ctx)
{
	char name_bytes[LOCATION_NAME_MAX];
	struct queue *queues, *q;
	struct kv_txn *txn;
	bool ok = true;
	size_t n;

	if (by->prefix.n > LOCATION_SERVER_MAX || by->after.n > LOCATION_NAME_MAX)
		return 0;
	if (kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return -1;
	n = open_queues(txn, by, &queues);
	while ((q = first_queue(queues, n)) != NULL) {
		struct slice name = location_server_key_name(q->key, name_bytes), row;
		struct location loc;

		ok = kv_get(txn, LOCATION_T_NAMES, name, &row) &&
		     mapdb_row_location(m, txn, name, row, &loc);
		if (!ok || !fn(ctx, &loc))
			break;
		queue_take(q, kv_cursor_next(q->c, &q->key, NULL));
	}
	for (size_t i = 0; i < n; i++)
		kv_cursor_free(&queues[i].c);
	free(queues);
	return mapdb_read_end(m, txn, ok);
}
