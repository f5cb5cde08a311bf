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
#include "tls/digest.h"

#define UIDS_MOST 1000

static const char *const folders[] = { "Sent=\\Sent", "Trash=\\Trash", NULL };

static uint64_t
segment_bytes(const struct world *w)
{
	if (w->segment_bytes != 0)
		return w->segment_bytes;
	return w->os != NULL ? 64u << 10 : 1u << 20;
}

bool
world_try_open(struct world *w, struct err *err)
{
	struct store_config c = {
		.dir = w->dir,
		.server = "store1",
		.default_domain = "example.org",
		.new_user.folders = folders,
		.loop = w->loop,
		.segment_bytes = segment_bytes(w),
		.floor_bytes = 1,
		.manual_index = w->mode == WORLD_UNINDEXED,
		.hot_bytes = w->mode == WORLD_COLD ? 1 : 0,
		.duplicate_window_ms = w->duplicate_window_ms,
		.os = w->os,
		.quota = w->quota,
	};

	w->store = store_open(&c, err);
	if (w->store != NULL)
		store_set_names(w->store, w->names);
	return w->store != NULL;
}

static void
open_store(struct world *w)
{
	struct err err;

	test_check(world_try_open(w, &err), "%s", err.text);
}

static void
add_table(struct kv_txn *txn, unsigned table, struct buf *out)
{
	struct kv_cursor *c = kv_cursor_new(txn, table);
	struct slice key, row;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row)) {
		buf_printf(out, "%s ", index_tables[table]);
		for (size_t i = 0; i < key.n; i++)
			buf_printf(out, "%02x", (uint8_t)key.p[i]);
		buf_add_str(out, " ");
		for (size_t i = 0; i < row.n; i++)
			buf_printf(out, "%02x", (uint8_t)row.p[i]);
		buf_add_str(out, "\n");
	}
	kv_cursor_free(&c);
}

static void
describe_index(struct world *w, struct buf *out)
{
	struct kv_txn *txn;

	assert_int_equal(engine_read(w->store->engine, &txn, NULL), KV_OK);
	for (unsigned table = 0; table < T_COUNT; table++)
		add_table(txn, table, out);
	kv_end(&txn);
}

static void
compare_lines(const struct buf *was, const struct buf *is, const char *what)
{
	struct slice a = buf_slice(was), b = buf_slice(is);

	while (a.n != 0 || b.n != 0) {
		struct slice old = slice_cut(&a, '\n'), new = slice_cut(&b, '\n');

		test_check(slice_eq(old, new), "%s: another index: %.*s instead of %.*s", what,
		           SLICE_ARG(slice_sub(new, 0, 800)), SLICE_ARG(slice_sub(old, 0, 800)));
	}
}

void
world_check_rebuild(struct world *w, const char *what)
{
	struct buf was = BUF_INIT(SIZE_MAX), is = BUF_INIT(SIZE_MAX);
	struct engine_stats st;
	char command[400];

	fakenet_settle(w->loop);
	engine_index_now(w->store->engine);
	fakenet_settle(w->loop);
	engine_index_now(w->store->engine);
	describe_index(w, &was);
	store_close(&w->store);
	snprintf(command, sizeof(command), "rm -rf '%s/index'", w->dir);
	must(system(command) == 0);
	open_store(w);
	engine_get_stats(w->store->engine, &st);
	test_check(st.damaged == 0, "%s: the log was taken for damaged", what);
	describe_index(w, &is);
	compare_lines(&was, &is, what);
	buf_fini(&was);
	buf_fini(&is);
}

uint64_t
world_compact(struct world *w)
{
	struct engine_stats before, after;

	engine_index_now(w->store->engine);
	engine_get_stats(w->store->engine, &before);
	assert_true(engine_compact(w->store->engine));
	for (unsigned i = 0; i < 1000; i++) {
		fakenet_settle(w->loop);
		engine_index_now(w->store->engine);
		engine_get_stats(w->store->engine, &after);
		if (!after.compact.working)
			break;
	}
	assert_false(after.compact.working);
	return after.compact.dropped - before.compact.dropped;
}

void
world_open(struct world *w, enum world_mode mode)
{
	world_open_on(w, mode, NULL);
}

void
world_open_on(struct world *w, enum world_mode mode, struct os *os)
{
	static int number;

	*w = (struct world){ .mode = mode, .os = os };
	snprintf(w->dir, sizeof(w->dir), "%s/%d", test_dir(), number++);
	w->loop = loop_new();
	open_store(w);
}

void
world_close(struct world *w)
{
	store_close(&w->store);
	loop_free(&w->loop);
}

void
world_reopen(struct world *w)
{
	fakenet_settle(w->loop);
	store_close(&w->store);
	open_store(w);
}

void
world_check_reopen(struct world *w, const char *what)
{
	struct buf before = BUF_INIT(SIZE_MAX), after = BUF_INIT(SIZE_MAX);

	fakenet_settle(w->loop);
	world_dump(w, &before);
	world_reopen(w);
	world_dump(w, &after);
	test_eq_slice(what, buf_slice(&after), buf_slice(&before));
	buf_fini(&before);
	buf_fini(&after);
}

/* ---- the whole state ---------------------------------------------------------------------- */

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

/* ---- calls that wait ---------------------------------------------------------------------- */

struct answer {
	bool came;
	enum mbox_result result;
};

static void
on_done(void *ctx, enum mbox_result result)
{
	struct answer *a = ctx;

	assert_false(a->came);
	a->came = true;
	a->result = result;
}

static enum mbox_result
wait_for(struct world *w, struct answer *a)
{
	assert_false(a->came); /* never from inside the call */
	fakenet_settle(w->loop);
	assert_true(a->came);
	return a->result;
}

enum mbox_result
world_create_use(struct world *w, const char *name, const char *special_use)
{
	struct answer a = { false, MBOX_OK };

	(void)store_create(w->store, slice_of(name), slice_of(special_use), on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_create(struct world *w, const char *name)
{
	return world_create_use(w, name, "");
}

enum mbox_result
world_create_user(struct world *w, const char *user)
{
	struct answer a = { false, MBOX_OK };

	(void)store_create_user(w->store, slice_of(user), on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_delete(struct world *w, const char *name, bool whole_user)
{
	struct answer a = { false, MBOX_OK };

	(void)store_delete(w->store, slice_of(name), whole_user, on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_rename(struct world *w, const char *from, const char *to)
{
	struct answer a = { false, MBOX_OK };

	(void)store_rename(w->store, slice_of(from), slice_of(to), on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_set_acl(struct world *w, const char *name, const char *acl)
{
	struct answer a = { false, MBOX_OK };

	(void)store_set_acl(w->store, slice_of(name), slice_of(acl), on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_set_claim(struct world *w, const char *name, uint64_t claim)
{
	struct answer a = { false, MBOX_OK };

	(void)store_set_claim(w->store, slice_of(name), claim, on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_set_quota(struct world *w, const char *root, int64_t bytes, int64_t messages)
{
	struct quota_limits l = { (uint64_t)bytes, (uint64_t)messages };
	struct answer a = { false, MBOX_OK };

	STATIC_ASSERT((uint64_t)-1 == QUOTA_NONE);
	(void)quota_set(w->store, slice_of(root), bytes == -2 && messages == -2 ? NULL : &l,
	                on_done, &a);
	return wait_for(w, &a);
}

enum mbox_result
world_subscribe(struct world *w, const char *user, const char *name, bool on)
{
	struct answer a = { false, MBOX_OK };

	(void)store_subscribe(w->store, slice_of(user), slice_of(name), on, on_done, &a);
	return wait_for(w, &a);
}

struct opened {
	struct answer a;
	struct mailbox *m;
};

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct opened *o = ctx;

	assert_true((result == MBOX_OK) == (m != NULL));
	o->m = m;
	on_done(&o->a, result);
}

struct mailbox *
world_get(struct world *w, const char *name, enum mbox_result *r_r)
{
	struct opened o = { { false, MBOX_OK }, NULL };
	enum mbox_result r;

	(void)mailbox_open(w->store, slice_of(name), on_open, &o);
	r = wait_for(w, &o.a);
	if (r_r != NULL)
		*r_r = r;
	return o.m;
}

struct mailbox *
world_must_get(struct world *w, const char *name)
{
	struct mailbox *m = world_get(w, name, NULL);

	test_check(m != NULL, "%s", name);
	return m;
}

struct status_answer {
	struct answer a;
	struct mailbox_status st;
};

static void
on_status(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	struct status_answer *s = ctx;

	s->st = *st;
	on_done(&s->a, result);
}

enum mbox_result
world_status(struct world *w, const char *name, struct mailbox_status *s_r)
{
	struct status_answer s = { { false, MBOX_OK }, { 0 } };
	enum mbox_result r;

	(void)mailbox_status(w->store, slice_of(name), on_status, &s);
	r = wait_for(w, &s.a);
	*s_r = s.st;
	return r;
}

static size_t
split_words(const char *text, struct slice *words, size_t room)
{
	struct slice rest = slice_of(text);
	size_t n = 0;

	while (rest.n != 0 && n < room)
		words[n++] = slice_cut(&rest, ' ');
	return n;
}

struct added_answer {
	struct answer a;
	uint32_t first;
	struct buf *pairs;
};

static void
on_added(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	struct added_answer *a = ctx;

	assert_true(result == MBOX_OK || added->count == 0);
	a->first = added->count != 0 ? added->uids[0] : 0;
	for (size_t i = 0; a->pairs != NULL && i < added->count; i++)
		buf_printf(a->pairs, "%s%u:%u", i != 0 ? " " : "", added->source_uids[i],
		           added->uids[i]);
	on_done(&a->a, result);
}

uint32_t
world_append(struct world *w, const char *name, const char *body, uint8_t flags,
             const char *keywords)
{
	struct mailbox *m = world_must_get(w, name);
	struct slice words[80], piece = slice_of(body);
	struct msg_new msg = {
		.pieces = &piece,
		.piece_count = 1,
		.flags = { flags, words, split_words(keywords, words, 80) },
		.internal_date = 1700000000,
		.zone = 60,
	};
	struct added_answer a = { { false, MBOX_OK }, 0, NULL };

	(void)mailbox_append(m, &msg, 1, on_added, &a);
	(void)wait_for(w, &a.a);
	mailbox_release(&m);
	return a.first;
}

size_t
world_parse_uids(const char *text, uint32_t *uids, size_t room)
{
	struct slice words[UIDS_MOST];
	size_t n = split_words(text, words, MIN(room, (size_t)UIDS_MOST));

	for (size_t i = 0; i < n; i++)
		assert_true(num_parse_u32(words[i], &uids[i]));
	return n;
}

struct flags_answer {
	struct answer a;
	struct buf *modified;
};

static void
on_flags(void *ctx, enum mbox_result result, const uint32_t *modified, size_t count)
{
	struct flags_answer *a = ctx;

	for (size_t i = 0; a->modified != NULL && i < count; i++)
		buf_printf(a->modified, "%s%u", i != 0 ? " " : "", modified[i]);
	on_done(&a->a, result);
}

static enum mbox_result
change_flags(struct world *w, const char *name, const char *uids, const struct flag_change *change,
             struct buf *modified)
{
	struct mailbox *m = world_must_get(w, name);
	struct flags_answer a = { { false, MBOX_OK }, modified };
	uint32_t list[UIDS_MOST];
	enum mbox_result r;

	(void)mailbox_store_flags(m, list, world_parse_uids(uids, list, UIDS_MOST), change,
	                          on_flags, &a);
	r = wait_for(w, &a.a);
	mailbox_release(&m);
	return r;
}

enum mbox_result
world_flags(struct world *w, const char *name, const char *uids, enum flag_op op, uint8_t flags,
            const char *keywords)
{
	struct slice words[80];
	struct flag_change change = { op,
		                      { flags, words, split_words(keywords, words, 80) },
		                      UINT64_MAX };

	return change_flags(w, name, uids, &change, NULL);
}

enum mbox_result
world_flags_since(struct world *w, const char *name, const char *uids, uint64_t unchanged_since,
                  uint8_t add, struct buf *modified)
{
	struct flag_change change = { FLAGS_ADD, { add, NULL, 0 }, unchanged_since };

	return change_flags(w, name, uids, &change, modified);
}

static void
on_expunged(void *ctx, enum mbox_result result, UNUSED uint64_t modseq)
{
	on_done(ctx, result);
}

enum mbox_result
world_expunge(struct world *w, const char *name, const char *uids, bool deleted_only)
{
	struct mailbox *m = world_must_get(w, name);
	struct answer a = { false, MBOX_OK };
	uint32_t list[UIDS_MOST];
	size_t n = world_parse_uids(uids, list, UIDS_MOST);
	enum mbox_result r;

	(void)mailbox_expunge(m, uids != NULL ? list : NULL, n, deleted_only, on_expunged, &a);
	r = wait_for(w, &a);
	mailbox_release(&m);
	return r;
}

enum mbox_result
world_copy(struct world *w, const char *from, const char *uids, const char *to, bool move,
           struct buf *pairs)
{
	struct mailbox *f = world_must_get(w, from), *t = world_must_get(w, to);
	struct added_answer a = { { false, MBOX_OK }, 0, pairs };
	struct copy_how how = { move, MSG_SYSTEM, true };
	uint32_t list[UIDS_MOST];
	enum mbox_result r;

	(void)mailbox_copy(f, list, world_parse_uids(uids, list, UIDS_MOST), t, &how, on_added, &a);
	r = wait_for(w, &a.a);
	mailbox_release(&f);
	mailbox_release(&t);
	return r;
}

struct deliver_answer {
	struct answer a;
	struct deliver_result result;
};

static void
on_delivered(void *ctx, const struct deliver_result *results, size_t count)
{
	struct deliver_answer *d = ctx;

	assert_int_equal(count, 1);
	d->result = results[0];
	on_done(&d->a, results[0].result);
}

struct deliver_result
world_deliver(struct world *w, const char *rcpt, const char *body, int key)
{
	struct slice piece = slice_of(body), rest = slice_of(rcpt);
	struct deliver_rcpt r = { .user = slice_cut(&rest, '+') };
	struct deliver_answer d = { { false, MBOX_OK }, { 0 } };
	uint8_t sum[DIGEST_LEN];

	r.detail = slice_make(rest.p != NULL ? rest.p : "", rest.n);
	digest_of(slice_make(&key, sizeof(key)), sum);
	(void)deliver(w->store, &r, 1, sum, &piece, 1, 1700000000, on_delivered, &d);
	(void)wait_for(w, &d.a);
	return d.result;
}

void
world_uids(struct world *w, const char *name, struct buf *out)
{
	struct mailbox *m = world_must_get(w, name);
	uint32_t count;
	const struct msg *msgs = mailbox_msgs(m, &count);

	buf_clear(out);
	for (uint32_t i = 0; i < count; i++)
		buf_printf(out, "%s%u%s", i != 0 ? " " : "", msgs[i].uid,
		           msgs[i].flags & MSG_DELETED ? "!" : "");
	mailbox_release(&m);
}
