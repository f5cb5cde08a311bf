/*
 * move_write - a user's mailboxes come from another store, item after item. See move.h.
 *
 * Items are checked when they come and collected; a batch becomes one transaction of the
 * log. The mailboxes are in nobody's memory: their entries are closed, and when everything is
 * in the index they are as cold as any other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "mail/acl.h"
#include "mailbox/store_impl.h"

#define BATCH_BYTES (4u << 20)
#define BATCH_ITEMS 1000
#define ZONE_MOST (24 * 60)

/* A body, in the batch or known to the log. */
struct body {
	uint64_t blob; /* 0: in the batch */
	uint32_t size, crlf_extra;
};

struct piece {
	enum move_item_kind kind;
	struct slice payload; /* of the batch's arena; BODY: heap */
};

/* One transaction. */
struct batch {
	struct op op;
	struct move_writer *w; /* NULL: it is gone */
	struct list link;
	struct arena *arena;
	struct piece *pieces;
	size_t count;
	uint64_t bytes;
	bool last;
};

struct move_writer {
	struct store *s;
	struct arena *arena;
	struct slice user;
	struct mbox_name inbox;
	uint64_t claim;
	move_writer_fn *fn;
	void *ctx;
	struct list batches; /* struct batch, on their way */
	struct batch *open;
	struct body *bodies; /* by number - 1 */
	size_t body_count, body_cap;
	uint64_t pending;
	struct move_totals totals;
	bool failed;

	/* what has come */
	struct mbox_name name; /* of the mailbox; n 0: none yet */
	uint32_t uid, uidnext;
	uint64_t highestmodseq;
	unsigned keyword_count;
	enum move_item_kind kind; /* of the last item */

	/* what is built */
	uint64_t box_id; /* 0: none yet */
	struct entry *box;
	struct fact_move_head head;
	size_t next_body;
};

/* ---- collecting ------------------------------------------------------------------------------- */

static op_done_fn batch_done;

static void
batch_destroy(struct op *o)
{
	struct batch *b = CONTAINER_OF(o, struct batch, op);

	list_del(&b->link);
	for (size_t i = 0; i < b->count; i++)
		if (b->pieces[i].kind == MOVE_ITEM_BODY)
			free((void *)(uintptr_t)b->pieces[i].payload.p);
	free(b->pieces);
	arena_free(&b->arena);
}

static struct batch *
open_batch(struct move_writer *w)
{
	struct batch *b = w->open;

	if (b != NULL)
		return b;
	b = op_new(w->s, sizeof(*b), batch_done, batch_destroy);
	b->w = w;
	b->arena = arena_new("store.move");
	b->pieces = xcalloc(BATCH_ITEMS, sizeof(*b->pieces));
	list_add_tail(&w->batches, &b->link);
	w->open = b;
	return b;
}

struct move_writer *
move_writer_new(struct store *s, struct slice user, move_writer_fn *fn, void *ctx)
{
	struct move_writer *w = xcalloc(1, sizeof(*w));
	const struct moving *m = moving_find(s, user);
	bool good;

	must(m != NULL && m->r.role == MOVE_IN);
	w->s = s;
	w->arena = arena_new("store.move");
	w->user = arena_slice_dup(w->arena, user);
	w->claim = m->r.claim;
	w->fn = fn;
	w->ctx = ctx;
	list_init(&w->batches);
	good = mbox_name_of_user(user, slice_of(s->default_domain), &w->inbox);
	must(good); /* he has a record */
	return w;
}

void
move_writer_free(struct move_writer **wp)
{
	struct move_writer *w = *wp;
	struct batch *b;

	*wp = NULL;
	if (w == NULL)
		return;
	if (w->open != NULL)
		op_free(&w->open->op);
	LIST_EACH (b, &w->batches, struct batch, link) {
		list_del(&b->link);
		b->w = NULL;
	}
	free(w->bodies);
	arena_free(&w->arena);
	free(w);
}

/* ---- building a transaction ---------------------------------------------------------------------- */

static void
build_head(struct batch *b)
{
	struct move_writer *w = b->w;
	struct buf f = BUF_INIT(64);

	if (w->box_id == 0)
		return;
	fact_move_head_add(&f, &w->head);
	op_fact(&b->op, w->box_id, FACT_MOVE_HEAD, &f);
	buf_fini(&f);
}

static void
build_mailbox(struct batch *b, struct slice payload)
{
	struct move_writer *w = b->w;
	struct buf f = BUF_INIT(SIZE_MAX);
	struct fact_create c;
	struct entry *e;
	struct head h;
	bool good = head_read(payload, &h), inbox;

	must(good); /* checked when it came */
	build_head(b);
	inbox = slice_eq(h.name, mbox_name_slice(&w->inbox));
	c = (struct fact_create){ h.name, h.acl, h.special_use, h.uidvalidity,
		                  inbox ? w->claim : 0 };
	fact_create_add(&f, &c);
	w->box_id = op_fact(&b->op, 0, FACT_CREATE, &f);
	w->head = (struct fact_move_head){ h.uidnext, h.recent, h.highestmodseq };
	for (unsigned i = 0; i < h.keyword_count; i++) {
		buf_clear(&f);
		buf_add_u8(&f, (uint8_t)i);
		buf_add_blob(&f, h.keywords[i]);
		op_fact(&b->op, w->box_id, FACT_KEYWORD, &f);
	}
	buf_fini(&f);
	/* Closed, and so in nobody's way; a refused commit takes the whole move with it. */
	e = entry_new(w->box_id, h.name, h.acl, h.special_use);
	e->uidvalidity = h.uidvalidity;
	e->claim = c.claim;
	e->closed = true;
	tree_add(&w->s->tree, e);
	(void)map_set(w->s->by_id, map_key_u64(&e->id), e);
	quota_attach(w->s, e);
	grants_set(w->s, e);
	tombstone_forget(w->s, h.name);
	w->box = e;
}

static void
build_body(struct batch *b, const struct slice *bytes)
{
	struct body *body = &b->w->bodies[b->w->next_body++];
	struct msg m = { 0 };

	body->blob = append_body(&b->op, bytes, 1, &m);
	must(body->blob != 0); /* not above ENGINE_BLOB_MAX */
	body->size = m.size;
	body->crlf_extra = m.crlf_extra;
}

/* False: it is not as long as the sender said. */
static bool
build_message(struct batch *b, struct slice payload)
{
	const struct body *body;
	struct buf f = BUF_INIT(256);
	struct msg m;
	bool good = fact_append_read(payload, &m);

	must(good);
	body = &b->w->bodies[m.blob - 1];
	if (m.size != body->size || m.crlf_extra != body->crlf_extra)
		return false;
	m.blob = body->blob;
	fact_append_add(&f, &m);
	op_fact(&b->op, b->w->box_id, FACT_APPEND, &f);
	buf_fini(&f);
	quota_add_tip(b->w->box, &m);
	quota_show(b->w->s, b->w->box, &m, false);
	return true;
}

static void
build_quota(struct batch *b, struct slice payload)
{
	struct buf f = BUF_INIT(64);
	struct quota_limits limits;
	bool own, good = fact_quota_read(payload, &own, &limits);

	must(good);
	fact_quota_add(&f, own, &limits);
	op_fact(&b->op, b->w->box_id, FACT_QUOTA, &f);
	buf_fini(&f);
	quota_take_limits(b->w->s, b->w->box, own, limits);
}

static void
build_subscribed(struct batch *b, struct slice name)
{
	struct buf f = BUF_INIT(SIZE_MAX);

	fact_subscribe_add(&f, b->w->user, name, true);
	op_fact(&b->op, 0, FACT_SUBSCRIBE, &f);
	buf_fini(&f);
}

static void
build_duplicate(struct batch *b, struct slice payload)
{
	struct num_reader r = num_reader_of(payload);
	struct slice key = num_read_bytes(&r, FACT_KEY_LEN);
	uint8_t whose[INDEX_USER_LEN];
	struct buf f = BUF_INIT(256);

	fact_duplicate_add(&f, (const uint8_t *)key.p, (int64_t)num_read_u64(&r),
	                   duplicates_begin(b->w->s), index_user_key(whose, b->w->user));
	op_fact(&b->op, 0, FACT_DUPLICATE, &f);
	buf_fini(&f);
}

static bool
build_piece(struct batch *b, const struct piece *p)
{
	struct buf f = BUF_INIT(MOVE_ITEM_MAX);
	bool good = true;

	switch (p->kind) {
	case MOVE_ITEM_BODY:
		build_body(b, &p->payload);
		break;
	case MOVE_ITEM_MAILBOX:
		build_mailbox(b, p->payload);
		break;
	case MOVE_ITEM_QUOTA:
		build_quota(b, p->payload);
		break;
	case MOVE_ITEM_MESSAGE:
		good = build_message(b, p->payload);
		break;
	case MOVE_ITEM_GONE:
		buf_add_slice(&f, p->payload);
		op_fact(&b->op, b->w->box_id, FACT_MOVE_GONE, &f);
		break;
	case MOVE_ITEM_SUBSCRIBED:
		build_subscribed(b, p->payload);
		break;
	case MOVE_ITEM_DUPLICATE:
		build_duplicate(b, p->payload);
		break;
	case MOVE_ITEM_KINDS:
		must_not_reach();
	}
	buf_fini(&f);
	return good;
}

/* The entries of a transaction that came to nothing. */
static void
drop_entries(struct batch *b)
{
	struct store *s = b->op.store;
	struct head h;

	for (size_t i = 0; i < b->count; i++) {
		struct entry *e;

		if (b->pieces[i].kind != MOVE_ITEM_MAILBOX || !head_read(b->pieces[i].payload, &h))
			continue;
		e = tree_find(&s->tree, h.name);
		if (e != NULL)
			delete_show_entry(s, e);
	}
}

static void
flush(struct move_writer *w, bool last)
{
	struct batch *b = open_batch(w);
	enum mbox_result r = MBOX_OK;
	bool good = true;

	w->open = NULL;
	b->last = last;
	if (b->count == 0 && (!last || w->box_id == 0)) {
		op_wait(&b->op, w->s->published, MBOX_OK);
		return;
	}
	op_begin(&b->op, 0);
	for (size_t i = 0; i < b->count && good; i++)
		good = build_piece(b, &b->pieces[i]);
	if (last)
		build_head(b);
	if (good) {
		r = op_commit(&b->op);
	} else {
		op_abort(&b->op);
		r = MBOX_INVALID;
	}
	if (r == MBOX_OK)
		return;
	w->failed = true;
	drop_entries(b);
	op_defer(&b->op, r);
}

/* ---- on disk ---------------------------------------------------------------------------------------- */

static void
indexed_done(struct op *o, UNUSED enum mbox_result result)
{
	struct batch *b = CONTAINER_OF(o, struct batch, op);
	struct move_writer *w = b->w;

	op_free(o);
	if (w != NULL && !w->failed)
		w->fn(w->ctx, MBOX_OK, true);
}

static void
batch_done(struct op *o, enum mbox_result result)
{
	struct batch *b = CONTAINER_OF(o, struct batch, op);
	struct move_writer *w = b->w;
	bool last = b->last;

	if (w != NULL && result == MBOX_OK && last && !w->failed) {
		w->pending -= b->bytes;
		o->done = indexed_done;
		op_wait_indexed(o, w->s->published, MBOX_OK);
		return;
	}
	if (w != NULL)
		w->pending -= b->bytes;
	op_free(o);
	if (w == NULL)
		return;
	if (result != MBOX_OK)
		w->failed = true;
	w->fn(w->ctx, result, false);
}

/* ---- what comes ----------------------------------------------------------------------------------------- */

static bool
wrong(struct err *err, const char *what)
{
	err_set(err, "the other store sends %s", what);
	return false;
}

static bool
keywords_are_valid(const struct head *h)
{
	for (unsigned i = 0; i < h->keyword_count; i++)
		if (h->keywords[i].n == 0 || h->keywords[i].n > MAILBOX_KEYWORD_LEN)
			return false;
	return true;
}

static bool
take_mailbox(struct move_writer *w, struct slice payload, struct err *err)
{
	struct slice inbox = mbox_name_slice(&w->inbox);
	struct mbox_name name;
	struct head h;

	if (w->kind > MOVE_ITEM_GONE)
		return wrong(err, "a mailbox behind everything");
	if (!head_read(payload, &h) || mbox_name_set(&name, h.name) != MBOX_NAME_OK)
		return wrong(err, "a mailbox that is none");
	if (w->name.n == 0 ? !slice_eq(h.name, inbox)
	                   : !mbox_name_is_below(h.name, inbox) ||
	                             slice_cmp(h.name, mbox_name_slice(&w->name)) <= 0)
		return wrong(err, "a mailbox that is not the user's, or in another order");
	if (!acl_is_valid(h.acl) || !create_use_is_valid(h.special_use) ||
	    !keywords_are_valid(&h) || h.uidvalidity == 0 || h.uidnext == 0 || h.recent > h.uidnext)
		return wrong(err, "a mailbox with impossible numbers or texts");
	w->name = name;
	w->uid = 0;
	w->uidnext = h.uidnext;
	w->highestmodseq = h.highestmodseq;
	w->keyword_count = h.keyword_count;
	w->totals.mailboxes++;
	return true;
}

static bool
take_quota(struct move_writer *w, struct slice payload, struct err *err)
{
	struct quota_limits limits;
	bool own;

	if (w->kind != MOVE_ITEM_MAILBOX || !fact_quota_read(payload, &own, &limits) || !own ||
	    !mbox_name_is_inbox(mbox_name_slice(&w->name)))
		return wrong(err, "limits that are none");
	return true;
}

static bool
take_message(struct move_writer *w, struct slice payload, struct err *err)
{
	struct msg m;

	if (w->name.n == 0 || w->kind > MOVE_ITEM_MESSAGE || payload.n < ENGINE_GUID_LEN ||
	    !fact_append_read(slice_sub(payload, 0, payload.n - ENGINE_GUID_LEN), &m))
		return wrong(err, "a message that is none");
	if (m.uid <= w->uid || m.uid >= w->uidnext || m.modseq > w->highestmodseq)
		return wrong(err, "a message with an impossible UID or MODSEQ");
	if (m.blob == 0 || m.blob > w->body_count)
		return wrong(err, "a message without its body");
	if ((m.flags & ~MSG_SYSTEM) != 0 || m.zone < -ZONE_MOST || m.zone > ZONE_MOST ||
	    (w->keyword_count < MAILBOX_KEYWORDS_MAX && m.keywords >> w->keyword_count != 0))
		return wrong(err, "a message with impossible flags or dates");
	w->uid = m.uid;
	w->totals.messages++;
	w->totals.bytes += m.size;
	return true;
}

static bool
take_gone(struct move_writer *w, struct slice payload, struct err *err)
{
	struct num_reader r = num_reader_of(payload);

	if (w->name.n == 0 || w->kind > MOVE_ITEM_GONE)
		return wrong(err, "expunged messages of no mailbox");
	while (!r.bad && r.rest.n != 0) {
		uint64_t modseq = num_read_u64(&r);
		uint32_t uid = num_read_u32(&r);

		if (uid == 0 || uid >= w->uidnext || modseq > w->highestmodseq)
			r.bad = true;
		w->totals.gone++;
	}
	return r.bad ? wrong(err, "expunged messages that cannot be") : true;
}

static bool
take_subscribed(struct move_writer *w, struct slice payload, struct err *err)
{
	if (w->kind > MOVE_ITEM_SUBSCRIBED || mbox_name_check(payload) != MBOX_NAME_OK)
		return wrong(err, "a subscription to no name");
	w->totals.subscriptions++;
	return true;
}

static bool
take_duplicate(struct move_writer *w, struct slice payload, struct err *err)
{
	if (payload.n != FACT_KEY_LEN + 8)
		return wrong(err, "a key that is none");
	w->totals.duplicates++;
	return true;
}

bool
move_writer_item(struct move_writer *w, enum move_item_kind kind, struct slice payload,
                 struct err *err)
{
	static bool (*const takers[])(struct move_writer * w, struct slice payload,
	                              struct err * err) = {
		[MOVE_ITEM_MAILBOX] = take_mailbox,       [MOVE_ITEM_QUOTA] = take_quota,
		[MOVE_ITEM_MESSAGE] = take_message,       [MOVE_ITEM_GONE] = take_gone,
		[MOVE_ITEM_SUBSCRIBED] = take_subscribed, [MOVE_ITEM_DUPLICATE] = take_duplicate,
	};
	struct batch *b;

	if ((size_t)kind >= ARRAY_LEN(takers) || takers[kind] == NULL)
		return wrong(err, "an item of an unknown kind");
	if (w->failed)
		return true; /* fn tells */
	if (!takers[kind](w, payload, err))
		return false;
	w->kind = kind;
	if (kind == MOVE_ITEM_MESSAGE)
		payload = slice_sub(payload, 0, payload.n - ENGINE_GUID_LEN);
	b = open_batch(w);
	b->pieces[b->count++] = (struct piece){ kind, arena_slice_dup(b->arena, payload) };
	b->bytes += payload.n;
	w->pending += payload.n;
	/* There is room for one body and its message. */
	if (b->bytes >= BATCH_BYTES || b->count >= BATCH_ITEMS - 1)
		flush(w, false);
	return true;
}

void
move_writer_take_body(struct move_writer *w, char *bytes, uint32_t n)
{
	struct batch *b;

	must(n <= ENGINE_BLOB_MAX);
	if (w->failed) {
		free(bytes);
		return;
	}
	if (w->body_count == w->body_cap) {
		w->body_cap = w->body_cap != 0 ? w->body_cap * 2 : 256;
		w->bodies = xreallocarray(w->bodies, w->body_cap, sizeof(*w->bodies));
	}
	w->bodies[w->body_count++] = (struct body){ 0, 0, 0 };
	b = open_batch(w);
	b->pieces[b->count++] = (struct piece){ MOVE_ITEM_BODY, slice_make(bytes, n) };
	b->bytes += n;
	w->pending += n;
	w->totals.bodies++;
	/* Whatever its size, its message is in the same transaction: a body without a message
	 * would stay for ever. */
	if (b->count >= BATCH_ITEMS)
		flush(w, false);
}

uint64_t
move_writer_pending(const struct move_writer *w)
{
	return w->pending;
}

void
move_writer_finish(struct move_writer *w)
{
	if (!w->failed)
		flush(w, true);
}

void
move_writer_totals(const struct move_writer *w, struct move_totals *t_r)
{
	*t_r = w->totals;
}
