#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
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
