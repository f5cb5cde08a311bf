/*
 * duplicates - deliveries seen within the window (promise 11): in the overlay from the
 * moment they are in the log, in the index later. Each new key lets some old ones go.
 */
#include "base/clock.h"
#include "base/num.h"
#include "mailbox/store_impl.h"

#define WINDOW_S (7 * 24 * 3600)

int64_t
duplicates_begin(const struct store *s)
{
	int64_t window = (int64_t)(s->config.duplicate_window_ms / 1000);

	return (int64_t)clock_wall_s() - (window != 0 ? window : WINDOW_S);
}

bool
duplicates_find(struct store *s, const uint8_t key[FACT_KEY_LEN], uint64_t *lsn_r,
                enum mbox_result *r)
{
	struct slice k = slice_make(key, FACT_KEY_LEN), row;
	const struct overlay_item *it = overlay_get(s->dups, k);
	struct kv_txn *txn;
	bool found;

	*lsn_r = 0;
	*r = MBOX_OK;
	if (it != NULL) {
		*lsn_r = it->lsn;
		return it->value >= duplicates_begin(s);
	}
	if (engine_read(s->engine, &txn, NULL) != KV_OK) {
		*r = MBOX_UNAVAILABLE;
		return false;
	}
	found = kv_get(txn, T_DUPS, k, &row) && row.n >= 8 &&
	        (int64_t)num_get_le64((const uint8_t *)row.p) >= duplicates_begin(s);
	if (!found && kv_txn_error(txn) != KV_OK)
		*r = MBOX_UNAVAILABLE;
	kv_end(&txn);
	return found;
}

void
duplicates_add(struct op *o, const uint8_t key[FACT_KEY_LEN], struct slice user)
{
	struct buf b = BUF_INIT(256);
	uint8_t whose[INDEX_USER_LEN];

	fact_duplicate_add(&b, key, (int64_t)clock_wall_s(), duplicates_begin(o->store),
	                   index_user_key(whose, user));
	op_fact(o, 0, FACT_DUPLICATE, &b);
	buf_fini(&b);
}

void
duplicates_note(struct store *s, const uint8_t key[FACT_KEY_LEN], uint64_t lsn)
{
	overlay_set(s->dups, slice_make(key, FACT_KEY_LEN), lsn, true, (int64_t)clock_wall_s());
}
