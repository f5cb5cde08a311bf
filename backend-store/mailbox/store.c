/* store - opening and closing; the namespace for reading. See store.h. */
#include "mailbox/store.h"

#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mailbox/store_impl.h"

/* ---- opening ----------------------------------------------------------------------------- */

static void
on_indexed(void *ctx, uint64_t lsn)
{
	struct store *s = ctx;

	s->indexed = lsn;
	overlay_prune(s->subs, lsn);
	overlay_prune(s->dups, lsn);
	hot_evict(s);
	op_wake_indexed(s);
}

static const struct engine_client client = {
	.apply = index_apply,
	.mend = index_mend,
	.indexed = on_indexed,
	.compact = &snapshot_client,
	.tables = index_tables,
	.table_count = T_COUNT,
};

static struct store *
make(const struct store_config *c)
{
	struct store *s = xcalloc(1, sizeof(*s));

	s->config = *c;
	s->default_domain = xstrdup(c->default_domain != NULL ? c->default_domain : "");
	store_set_new_user(s, &c->new_user);
	s->loop = c->loop;
	s->by_id = map_new();
	s->tombs = map_new();
	s->grantees = map_new();
	s->moving = map_new();
	s->ops_by_id = map_new();
	s->subs = overlay_new();
	s->dups = overlay_new();
	list_init(&s->ops);
	list_init(&s->waiters);
	list_init(&s->index_waiters);
	list_init(&s->locks);
	list_init(&s->lock_waiters);
	list_init(&s->idle);
	list_init(&s->told);
	return s;
}

static void
load_entry(struct store *s, struct slice row)
{
	struct entry *e;
	struct head h;

	if (!head_read(row, &h) || mbox_name_check(h.name) != MBOX_NAME_OK) {
		log_error(NULL, "store.bad_row table=heads");
		return;
	}
	e = entry_new(h.id, h.name, h.acl, h.special_use);
	e->uidvalidity = h.uidvalidity;
	e->claim = h.claim;
	e->tip = e->shown = (struct usage){ h.bytes, h.messages };
	tree_push(&s->tree, e);
	(void)map_set(s->by_id, map_key_u64(&e->id), e);
	grants_set(s, e);
	s->uidvalidity = MAX(s->uidvalidity, h.uidvalidity);
}

static int
load_namespace(struct store *s, struct err *err)
{
	struct kv_txn *txn;
	struct kv_cursor *c;
	struct slice key, row;
	enum kv_err kv;

	if (engine_read(s->engine, &txn, err) != KV_OK)
		return -1;
	c = kv_cursor_new(txn, T_HEADS);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		load_entry(s, row);
	kv_cursor_free(&c);
	c = kv_cursor_new(txn, T_TOMBS);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		tombstone_set(s, key);
	kv_cursor_free(&c);
	moving_load(s, txn);
	if (kv_get(txn, T_META, SLICE("uidvalidity"), &row) && row.n == 4)
		s->uidvalidity = MAX(s->uidvalidity, num_get_le32((const uint8_t *)row.p));
	tree_sort(&s->tree);
	quota_load(s, txn);
	kv = kv_txn_error(txn);
	kv_end(&txn);
	moving_close_entries(s);
	if (kv == KV_OK)
		return 0;
	err_set(err, "the index in %s cannot be read: %s", s->config.dir, kv_err_text(kv));
	return -1;
}

struct store *
store_open(const struct store_config *c, struct err *err)
{
	struct store *s = make(c);
	struct engine_config ec = {
		.dir = c->dir,
		.owner = c->server,
		.os = c->os,
		.loop = c->loop,
		.threads = c->threads,
		.manual_index = c->manual_index,
		.segment_bytes = c->segment_bytes,
		.floor_bytes = c->floor_bytes,
	};
	struct engine_stats st;

	s->engine = engine_open(&ec, &client, s, err);
	if (s->engine == NULL || load_namespace(s, err) == -1) {
		store_close(&s);
		return NULL;
	}
	engine_get_stats(s->engine, &st);
	s->published = s->indexed = st.indexed_lsn;
	return s;
}

static void
free_hot(struct store *s)
{
	struct mailbox *m;

	while ((m = LIST_FIRST(&s->told, struct mailbox, told)) != NULL) {
		list_del(&m->told);
		hot_unref(&m);
	}
	LIST_EACH (m, &s->idle, struct mailbox, idle)
		hot_free(m);
	must(s->hot_count == 0); /* somebody has a mailbox open */
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;
	struct op *o;

	*sp = NULL;
	if (s == NULL)
		return;
	engine_close(&s->engine);
	loop_forget(s->loop, s);
	while ((o = LIST_FIRST(&s->ops, struct op, link)) != NULL)
		op_free(o);
	free_hot(s);
	grants_fini(s);
	tree_fini(&s->tree);
	map_free(&s->by_id);
	map_free(&s->tombs);
	moving_free(s);
	map_free(&s->ops_by_id);
	overlay_free(&s->subs);
	overlay_free(&s->dups);
	new_user_fini(s);
	free(s->default_domain);
	free(s);
}

void
store_set_names(struct store *s, struct names *names)
{
	s->names = names;
}

struct engine *
store_engine(struct store *s)
{
	return s->engine;
}

struct loop *
store_loop(struct store *s)
{
	return s->loop;
}

struct slice
store_default_domain(const struct store *s)
{
	return slice_of(s->default_domain);
}

void
store_get_stats(const struct store *s, struct store_stats *st)
{
	*st = (struct store_stats){ s->hot_count, s->hot_bytes, map_count(s->ops_by_id) };
}

void
store_cancel(struct store *s, uint64_t id)
{
	struct op *o = map_get(s->ops_by_id, map_key_u64(&id));

	if (o != NULL)
		o->cancelled = true;
}

/* ---- the namespace ------------------------------------------------------------------------- */

void
store_fill_info(const struct store *s, const struct entry *e, struct mbox_info *info_r)
{
	*info_r = (struct mbox_info){
		.id = e->id,
		.name = e->name,
		.acl = e->acl,
		.special_use = e->special_use,
		.uidvalidity = e->uidvalidity,
		.claim = e->claim,
		.conflict = entry_refuses(e),
		.has_children = tree_has_children(&s->tree, e->name),
	};
	if (e->closed)
		moving_fill_info(s, info_r);
}

bool
store_find(struct store *s, struct slice name, struct mbox_info *info_r)
{
	const struct entry *e = tree_find(&s->tree, name);

	if (e != NULL)
		store_fill_info(s, e, info_r);
	return e != NULL;
}

bool
store_find_id(struct store *s, uint64_t id, struct mbox_info *info_r)
{
	const struct entry *e = map_get(s->by_id, map_key_u64(&id));

	if (e != NULL)
		store_fill_info(s, e, info_r);
	return e != NULL;
}

void
store_each(struct store *s, struct slice prefix, store_each_fn *fn, void *ctx)
{
	const struct tree *t = &s->tree;
	struct mbox_info info;

	for (size_t i = tree_position(t, prefix); i < t->count; i++) {
		if (!slice_starts(t->sorted[i]->name, prefix))
			return;
		store_fill_info(s, t->sorted[i], &info);
		if (!fn(ctx, &info))
			return;
	}
}

uint64_t
store_count(const struct store *s)
{
	return s->tree.count;
}

void
store_set_conflict(struct store *s, struct slice name, bool conflict)
{
	struct entry *e = tree_find(&s->tree, name);

	if (e == NULL || e->conflict == conflict)
		return;
	e->conflict = conflict;
	if (e->hot != NULL)
		hot_tell(e->hot, TELL_CHANGED);
}
