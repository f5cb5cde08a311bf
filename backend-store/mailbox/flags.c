/* flags - STORE: flags of messages. See mailbox.h. */
#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "mailbox/store_impl.h"

#define ENTRIES_A_FACT 50000

struct flags_op {
	struct op op;
	mailbox_flags_fn *fn;
	void *ctx;
	uint32_t *modified;
	size_t modified_count;
};

static void
flags_destroy(struct op *o)
{
	free(CONTAINER_OF(o, struct flags_op, op)->modified);
}

static void
flags_done(struct op *o, enum mbox_result result)
{
	struct flags_op *fo = CONTAINER_OF(o, struct flags_op, op);

	if (!o->cancelled)
		fo->fn(fo->ctx, result, fo->modified, result == MBOX_OK ? fo->modified_count : 0);
	op_free(o);
}

/* A flag keyword of RFC 3501: an atom without a backslash in front. */
static bool
keyword_is_valid(struct slice k)
{
	if (k.n == 0 || k.n > MAILBOX_KEYWORD_LEN)
		return false;
	for (size_t i = 0; i < k.n; i++)
		if (text_is_ctl(k.p[i]) || (unsigned char)k.p[i] > 0x7e ||
		    memchr(" (){%*\"\\]", k.p[i], 9) != NULL)
			return false;
	return true;
}

enum mbox_result
flags_resolve(struct op *o, struct mailbox *m, const struct msg_flags *f, uint8_t *system_r,
              uint64_t *keywords_r)
{
	*system_r = f->system & MSG_SYSTEM;
	*keywords_r = 0;
	for (size_t i = 0; i < f->keyword_count; i++) {
		int bit;

		if (!keyword_is_valid(f->keywords[i]))
			return MBOX_INVALID;
		bit = hot_keyword(o, m, f->keywords[i]);
		if (bit == -1 && o != NULL)
			return MBOX_CANNOT;
		if (bit != -1)
			*keywords_r |= 1ull << bit;
	}
	return MBOX_OK;
}

static void
apply_op(struct msg *msg, enum flag_op op, uint8_t system, uint64_t keywords)
{
	switch (op) {
	case FLAGS_ADD:
		msg->flags |= system;
		msg->keywords |= keywords;
		break;
	case FLAGS_REMOVE:
		msg->flags &= (uint8_t)~system;
		msg->keywords &= ~keywords;
		break;
	case FLAGS_REPLACE:
		msg->flags = system;
		msg->keywords = keywords;
		break;
	}
}

static void
log_entries(struct op *o, struct mailbox *m, const struct change *c)
{
	for (uint32_t i = 0; i < c->count;) {
		struct buf b = BUF_INIT(SIZE_MAX);

		buf_add_u64(&b, c->modseq);
		for (uint32_t n = 0; n < ENTRIES_A_FACT && i < c->count; n++, i++)
			fact_flags_entry_add(&b, &c->msgs[i]);
		op_fact(o, m->entry->id, FACT_FLAGS, &b);
		buf_fini(&b);
	}
}

struct flags_work {
	struct flags_op *fo;
	struct mailbox *m;
	const struct flag_change *change;
	uint8_t system;
	uint64_t keywords;
	struct msg *changed;
	uint32_t changed_count;
};

static void
look_at(struct flags_work *w, uint32_t uid)
{
	struct msg msg, was;

	if (!hot_find_tip(w->m, uid, &msg))
		return;
	if (msg.modseq > w->change->unchanged_since) {
		w->fo->modified[w->fo->modified_count++] = uid;
		return;
	}
	was = msg;
	apply_op(&msg, w->change->op, w->system, w->keywords);
	if (msg.flags != was.flags || msg.keywords != was.keywords)
		w->changed[w->changed_count++] = msg;
}

/* Everything decided; false: there is nothing to be logged. */
static enum mbox_result
build(struct flags_work *w, const uint32_t *uids, size_t count)
{
	struct op *o = &w->fo->op;
	/* what is taken away need not be made */
	struct op *maker = w->change->op == FLAGS_REMOVE ? NULL : o;
	enum mbox_result r =
		flags_resolve(maker, w->m, &w->change->flags, &w->system, &w->keywords);
	struct change *c;

	if (r != MBOX_OK)
		return r;
	w->fo->modified = xcalloc(count + 1, sizeof(uint32_t));
	w->changed = xcalloc(count + 1, sizeof(*w->changed));
	for (size_t i = 0; i < count; i++)
		if (i == 0 || uids[i] > uids[i - 1])
			look_at(w, uids[i]);
	if (w->changed_count == 0)
		return MBOX_OK;
	c = op_change(o, w->m, CHANGE_FLAGS, w->changed_count);
	c->modseq = ++w->m->tip_modseq;
	for (uint32_t i = 0; i < c->count; i++) {
		c->msgs[i] = w->changed[i];
		c->msgs[i].modseq = c->modseq;
	}
	log_entries(o, w->m, c);
	return MBOX_OK;
}

uint64_t
mailbox_store_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                    const struct flag_change *change, mailbox_flags_fn *fn, void *ctx)
{
	struct flags_op *fo = op_new(m->store, sizeof(*fo), flags_done, flags_destroy);
	struct flags_work w = { .fo = fo, .m = m, .change = change };
	uint64_t id = fo->op.id;
	enum mbox_result r = hot_check(m);

	fo->fn = fn;
	fo->ctx = ctx;
	if (r == MBOX_OK) {
		op_begin(&fo->op, ENGINE_TX_SMALL);
		r = build(&w, uids, count);
		if (r != MBOX_OK || w.changed_count == 0) {
			/* The answer shows the tip: it waits for that. */
			op_abort(&fo->op);
			op_wait(&fo->op, m->last_lsn, r);
		} else {
			op_commit_or_defer(&fo->op);
		}
		free(w.changed);
	} else {
		op_defer(&fo->op, r);
	}
	return id;
}
