/* subscribe - names a user wants to see, existing or not; see store.h. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

#define SUBSCRIPTIONS_MOST 10000

struct sub_op {
	struct op op;
	struct mbox_user user;
	struct mbox_name name;
	bool on;
	store_done_fn *fn;
	void *ctx;
};

void
subscription_show(struct store *s, struct slice user, struct slice name, uint64_t lsn, bool on)
{
	char key[INDEX_USER_LEN + MBOX_NAME_MAX];

	overlay_set(s->subs, index_key_sub(key, user, name), lsn, on, 0);
}

static void
subscribe_done(struct op *o, enum mbox_result result)
{
	struct sub_op *so = CONTAINER_OF(o, struct sub_op, op);

	if (result == MBOX_OK)
		subscription_show(o->store, mbox_user_slice(&so->user), mbox_name_slice(&so->name),
		                  o->last_lsn, so->on);
	if (!o->cancelled)
		so->fn(so->ctx, result);
	op_free(o);
}

static void
refused(struct op *o, enum mbox_result result)
{
	struct sub_op *so = CONTAINER_OF(o, struct sub_op, op);

	if (!o->cancelled)
		so->fn(so->ctx, result);
	op_free(o);
}

static bool
count_one(void *ctx, UNUSED struct slice name)
{
	size_t *n = ctx;

	return ++*n < SUBSCRIPTIONS_MOST;
}

static enum mbox_result
check(struct store *s, struct sub_op *so, struct slice user, struct slice name)
{
	size_t n = 0;

	if (user.n == 0 || user.n > MBOX_USER_MAX || mbox_name_set(&so->name, name) != MBOX_NAME_OK)
		return MBOX_INVALID;
	if (moving_find(s, user) != NULL)
		return MBOX_UNAVAILABLE;
	memcpy(so->user.s, user.p, user.n);
	so->user.n = (uint16_t)user.n;
	if (!so->on)
		return MBOX_OK;
	store_each_subscription(s, user, count_one, &n);
	return n >= SUBSCRIPTIONS_MOST ? MBOX_CANNOT : MBOX_OK;
}

uint64_t
store_subscribe(struct store *s, struct slice user, struct slice name, bool on, store_done_fn *fn,
                void *ctx)
{
	struct sub_op *so = op_new(s, sizeof(*so), subscribe_done, NULL);
	struct buf b = BUF_INIT(SIZE_MAX);
	uint64_t id = so->op.id;
	enum mbox_result r;

	so->on = on;
	so->fn = fn;
	so->ctx = ctx;
	r = check(s, so, user, name);
	if (r == MBOX_OK) {
		op_begin(&so->op, ENGINE_TX_SMALL);
		fact_subscribe_add(&b, user, name, on);
		op_fact(&so->op, 0, FACT_SUBSCRIBE, &b);
		r = op_commit(&so->op);
	}
	buf_fini(&b);
	if (r != MBOX_OK) {
		so->op.done = refused;
		op_defer(&so->op, r);
	}
	return id;
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct slice
user_prefix(char key[INDEX_USER_LEN + MBOX_NAME_MAX], struct slice user)
{
	return index_key_sub(key, user, SLICE(""));
}

/* Names of the index and the overlay in one order, each once, as blobs into out. */
static void
merge(struct store *s, struct kv_txn *txn, struct slice prefix, struct buf *out)
{
	size_t count, at = 0;
	const struct overlay_item **over = overlay_list(s->subs, prefix, &count);
	struct kv_cursor *c = kv_cursor_new(txn, T_SUBS);
	struct slice key;
	bool more = kv_cursor_seek(c, prefix, &key, NULL);

	for (;;) {
		bool row = more && slice_starts(key, prefix);
		int cmp = !row ? 1 : at == count ? -1 : slice_cmp(key, over[at]->key);

		if (!row && at == count)
			break;
		if (cmp < 0)
			buf_add_blob(out, slice_skip(key, INDEX_USER_LEN));
		else if (over[at]->on)
			buf_add_blob(out, slice_skip(over[at]->key, INDEX_USER_LEN));
		if (cmp >= 0)
			at++;
		if (row && cmp <= 0)
			more = kv_cursor_next(c, &key, NULL);
	}
	kv_cursor_free(&c);
	free(over);
}

void
store_each_subscription(struct store *s, struct slice user, store_sub_fn *fn, void *ctx)
{
	char key[INDEX_USER_LEN + MBOX_NAME_MAX];
	struct buf names = BUF_INIT(SIZE_MAX);
	struct kv_txn *txn;
	struct num_reader r;

	/* Collected first: fn may log. */
	if (engine_read(s->engine, &txn, NULL) != KV_OK)
		return;
	merge(s, txn, user_prefix(key, user), &names);
	kv_end(&txn);
	for (r = num_reader_of(buf_slice(&names)); r.rest.n != 0;)
		if (!fn(ctx, num_read_blob(&r)))
			break;
	buf_fini(&names);
}

bool
store_is_subscribed(struct store *s, struct slice user, struct slice name)
{
	char bytes[INDEX_USER_LEN + MBOX_NAME_MAX];
	const struct overlay_item *it;
	struct kv_txn *txn;
	struct slice key;
	bool is;

	if (name.n > MBOX_NAME_MAX)
		return false;
	key = index_key_sub(bytes, user, name);
	it = overlay_get(s->subs, key);
	if (it != NULL)
		return it->on;
	if (engine_read(s->engine, &txn, NULL) != KV_OK)
		return false;
	is = kv_has(txn, T_SUBS, key);
	kv_end(&txn);
	return is;
}
