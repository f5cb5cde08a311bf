/*
 * mapdb_check - looks at what is in the environment, a piece at a time. Front ends read rows
 * that nobody writes any more, and cannot put right what they find.
 */
#include "kv/kv.h"
#include "log/log.h"
#include "mapdb_impl.h"

#include <string.h>

/* The row in front of the one that is looked at. */
struct before {
	uint8_t key[KV_KEY_MAX];
	size_t n; /* 0: none */
};

/* False: the row makes no sense. One out of order is there for who goes through them all, and not
 * for who asks for it: a page is where another one should be, or a key was changed. */
static bool
is_sound(struct mapdb *m, struct kv_txn *txn, struct before *b, struct slice key,
         struct slice value)
{
	struct location loc;

	if (key.n > KV_KEY_MAX || slice_cmp(slice_make(b->key, b->n), key) >= 0)
		return false;
	memcpy(b->key, key.p, key.n);
	b->n = key.n;
	return (m->check_table != LOCATION_T_NAMES || mapdb_row_location(m, txn, key, value, &loc));
}

/* Goes on in the table it is in, and remembers where it stopped. *rows is what is left of it:
 * not 0 when the table's end was reached. */
static bool
check_table(struct mapdb *m, struct kv_txn *txn, unsigned *rows)
{
	struct kv_cursor *c = kv_cursor_new(txn, m->check_table);
	struct before b = { .n = 0 };
	struct slice key, value;
	bool ok = true;
	bool more = kv_cursor_seek(c, slice_make(m->check_key, m->check_key_n), &key, &value);

	while (ok && more && *rows > 0) {
		ok = is_sound(m, txn, &b, key, value);
		--*rows;
		if (ok && *rows == 0) {
			memcpy(m->check_key, key.p, key.n);
			m->check_key_n = key.n;
		}
		more = ok && kv_cursor_next(c, &key, &value);
	}
	kv_cursor_free(&c);
	return ok && kv_txn_error(txn) == KV_OK;
}

bool
mapdb_check_some(struct mapdb *m, unsigned rows)
{
	struct kv_txn *txn;
	bool ok = true;

	if (kv_check_file(m->env) != KV_FILE_GOOD) {
		log_error(NULL, "map.damaged dir=%s error=\"its file is not there, or too short\"",
		          log_esc(m->dir));
		m->damaged = true;
		return false;
	}
	if (kv_begin_read(m->env, &txn, NULL) != KV_OK)
		return false;
	while (ok && rows > 0 && m->check_table < LOCATION_T_COUNT) {
		ok = check_table(m, txn, &rows);
		if (rows == 0)
			break;
		m->check_table++;
		m->check_key_n = 0;
	}
	if (m->check_table == LOCATION_T_COUNT)
		m->check_table = 0;
	return mapdb_read_end(m, txn, ok) == 0 && rows > 0;
}
