/* world_state - all that a store has, as a text: what worlds are compared by. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mailbox/store_impl.h"

static void
dump_msg(struct mailbox *m, const struct msg *msg, struct buf *out)
{
	struct buf body = BUF_INIT(SIZE_MAX), summary = BUF_INIT(SIZE_MAX);

	assert_int_equal(mailbox_read(m, msg, 0, UINT64_MAX, &body), MBOX_OK);
	assert_int_equal(mailbox_summary(m, msg, &summary), MBOX_OK);
	assert_int_equal(body.len, msg->size);
	buf_printf(out,
	           "  %u flags=%x keywords=%" PRIx64 " modseq=%" PRIu64 " date=%" PRId64
	           "%+d summary=%zu body=",
	           msg->uid, msg->flags, msg->keywords, msg->modseq, msg->internal_date, msg->zone,
	           summary.len);
	buf_add_slice(out, buf_slice(&body));
	buf_add_char(out, '\n');
	buf_fini(&body);
	buf_fini(&summary);
}

/* What must hold in any mailbox. */
static void
check_mailbox(const struct mailbox *m)
{
	uint32_t unseen = 0, deleted = 0, last = 0;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct msg *msg = &m->msgs[i];

		assert_true(msg->uid > last && msg->uid < m->uidnext);
		assert_true(msg->modseq <= m->modseq);
		last = msg->uid;
		unseen += !(msg->flags & MSG_SEEN);
		deleted += !!(msg->flags & MSG_DELETED);
		bytes += msg->size;
	}
	assert_int_equal(m->entry->shown.messages, m->count);
	assert_int_equal(m->unseen, unseen);
	assert_int_equal(m->deleted, deleted);
	assert_int_equal(m->entry->shown.bytes, bytes);
	assert_true(m->tip_uidnext >= m->uidnext && m->tip_modseq >= m->modseq);
}

void
world_dump_mailbox(struct world *w, const char *name, struct buf *out)
{
	struct mailbox_status st;
	struct buf gone = BUF_INIT(SIZE_MAX);
	struct mailbox *m;
	struct num_reader r;
	uint32_t count;
	const struct msg *msgs;

	/* Before it is loaded, so that the counts of a cold one are seen. */
	assert_int_equal(world_status(w, name, &st), MBOX_OK);
	m = world_must_get(w, name);
	check_mailbox(m);
	msgs = mailbox_msgs(m, &count);
	buf_printf(out,
	           "  messages=%u unseen=%u recent=%u deleted=%u bytes=%" PRIu64
	           " uidnext=%u modseq=%" PRIu64 "\n",
	           st.messages, st.unseen, st.recent, st.deleted, st.bytes, st.uidnext,
	           st.highestmodseq);
	assert_int_equal(st.messages, count);
	assert_int_equal(st.uidnext, mailbox_uidnext(m));
	assert_int_equal(st.highestmodseq, mailbox_highestmodseq(m));
	for (unsigned i = 0; i < mailbox_keyword_count(m); i++)
		buf_printf(out, "  keyword %u %.*s\n", i, SLICE_ARG(mailbox_keyword(m, i)));
	for (uint32_t i = 0; i < count; i++)
		dump_msg(m, &msgs[i], out);
	assert_true(mailbox_vanished_since(m, 0, &gone));
	buf_add_str(out, "  gone");
	for (r = num_reader_of(buf_slice(&gone)); r.rest.n != 0;)
		buf_printf(out, " %u", num_read_u32(&r));
	buf_add_char(out, '\n');
	buf_fini(&gone);
	mailbox_release(&m);
}

static void
recount(struct world *w, const struct entry *e, struct usage *u)
{
	char name[MBOX_NAME_MAX + 1];
	const struct msg *msgs;
	struct mailbox *m;
	uint32_t count;

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(e->name));
	m = world_must_get(w, name);
	msgs = mailbox_msgs(m, &count);
	for (uint32_t i = 0; i < count; i++)
		u->bytes += msgs[i].size;
	u->messages += count;
	mailbox_release(&m);
}

/* Without the tree's help. */
static const struct quota_root *
nearest(const struct tree *t, struct slice name)
{
	const struct quota_root *q = NULL;

	for (size_t i = 0; i < t->count; i++) {
		const struct entry *e = t->sorted[i];

		if (e->quota != NULL &&
		    (slice_eq(e->name, name) || mbox_name_is_below(name, e->name)) &&
		    (q == NULL || e->name.n > q->entry->name.n))
			q = e->quota;
	}
	return q;
}

static void
check_usage(const struct entry *e, const char *what, struct usage got, struct usage want)
{
	test_check(got.bytes == want.bytes && got.messages == want.messages,
	           "%.*s %s: %" PRIu64 " bytes %" PRIu64 " messages instead of %" PRIu64
	           " %" PRIu64,
	           SLICE_ARG(e->name), what, got.bytes, got.messages, want.bytes, want.messages);
}

static bool
is_full(struct world *w, const struct entry *e)
{
	struct quota_info q;

	assert_true(quota_find(w->store, e->name, &q));
	assert_true(slice_eq(q.root, e->name));
	return q.bytes >= q.limits.bytes || q.messages >= q.limits.messages;
}

void
world_check_quotas(struct world *w)
{
	struct tree *t = &w->store->tree;
	struct usage *all;
	uint64_t full = 0;

	fakenet_settle(w->loop);
	all = xcalloc(t->count + 1, sizeof(*all));
	for (size_t i = 0; i < t->count; i++) {
		const struct entry *e = t->sorted[i];

		recount(w, e, &all[i]);
		if (!w->store->failed)
			check_usage(e, "tip", e->tip, all[i]);
		check_usage(e, "shown", e->shown, all[i]);
		assert_ptr_equal(e->root, nearest(t, e->name));
		assert_true(e->quota != NULL || !mbox_name_is_inbox(e->name));
	}
	for (size_t i = 0; i < t->count; i++) {
		const struct entry *e = t->sorted[i];
		struct usage sum = { 0, 0 };

		if (e->quota == NULL)
			continue;
		for (size_t k = 0; k < t->count; k++) {
			if (t->sorted[k]->root != e->quota)
				continue;
			sum.bytes += all[k].bytes;
			sum.messages += all[k].messages;
		}
		if (!w->store->failed)
			check_usage(e, "root's tip", e->quota->tip, sum);
		check_usage(e, "root's shown", e->quota->shown, sum);
		assert_true(list_is_empty(&e->quota->holds));
		full += is_full(w, e);
	}
	assert_int_equal(quota_count_full(w->store), full);
	free(all);
}

static bool
collect(void *ctx, const struct mbox_info *info)
{
	struct buf *names = ctx;

	buf_add_blob(names, info->name);
	return true;
}

static bool
dump_name(void *ctx, struct slice name)
{
	buf_printf(ctx, " %.*s", SLICE_ARG(name));
	return true;
}

struct tombs {
	char *names[64];
	size_t count;
};

static bool
keep_tombstone(void *ctx, struct slice name)
{
	struct tombs *t = ctx;

	assert_true(t->count < ARRAY_LEN(t->names));
	t->names[t->count++] = slice_dup(name);
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* They come in no order. */
static void
dump_tombstones(struct world *w, struct buf *out)
{
	struct tombs t = { .count = 0 };

	store_each_tombstone(w->store, keep_tombstone, &t);
	qsort(t.names, t.count, sizeof(t.names[0]), compare_names);
	buf_add_str(out, "tombstones");
	for (size_t i = 0; i < t.count; i++) {
		buf_printf(out, " %s", t.names[i]);
		free(t.names[i]);
	}
	buf_add_char(out, '\n');
}

static void
dump_quota(struct world *w, struct slice name, struct buf *out)
{
	struct quota_info q;

	if (quota_find(w->store, name, &q))
		buf_printf(out,
		           "  root=%.*s own=%d bytes=%" PRIu64 "/%" PRIu64 " messages=%" PRIu64
		           "/%" PRIu64 "\n",
		           SLICE_ARG(q.root), q.own, q.bytes, q.limits.bytes, q.messages,
		           q.limits.messages);
}

void
world_dump(struct world *w, struct buf *out)
{
	static const char *const users[] = { "fred", "ann", "bob@example.net" };
	struct buf names = BUF_INIT(SIZE_MAX);
	struct num_reader r;

	store_each(w->store, SLICE(""), collect, &names);
	for (r = num_reader_of(buf_slice(&names)); r.rest.n != 0;) {
		struct mbox_name name;
		struct mbox_info info;

		assert_int_equal(mbox_name_set(&name, num_read_blob(&r)), MBOX_NAME_OK);
		assert_true(store_find(w->store, mbox_name_slice(&name), &info));
		buf_printf(out,
		           "%s id=%" PRIu64 " uidvalidity=%u claim=%" PRIu64
		           " use=%.*s children=%d acl=%.*s\n",
		           name.s, info.id, info.uidvalidity, info.claim,
		           SLICE_ARG(info.special_use), info.has_children, SLICE_ARG(info.acl));
		world_dump_mailbox(w, name.s, out);
		dump_quota(w, mbox_name_slice(&name), out);
	}
	world_check_quotas(w);
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		buf_printf(out, "subscribed %s", users[i]);
		store_each_subscription(w->store, slice_of(users[i]), dump_name, out);
		buf_add_char(out, '\n');
	}
	dump_tombstones(w, out);
	buf_fini(&names);
}
