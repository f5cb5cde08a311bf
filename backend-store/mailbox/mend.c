/*
 * mend - what damage in the log has left behind without its place: see index.h. Nothing is thrown
 * away; an administrator looks at it, gives it its name, or deletes it.
 *
 * The names are made of ids, so that they are the same when the index is made anew once more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "mailbox/facts.h"
#include "mailbox/index.h"

static void
recovered_name(struct engine *e, uint64_t id, char name_r[MBOX_NAME_MAX + 1])
{
	snprintf(name_r, MBOX_NAME_MAX + 1, INDEX_RECOVERED ".%016" PRIx64 "-%" PRIu64,
	         engine_get_id(e), id);
}

static uint32_t
next_uidvalidity(struct kv_txn *txn)
{
	struct slice row;
	uint32_t highest = 0;

	if (kv_get(txn, T_META, SLICE("uidvalidity"), &row) && row.n == 4)
		highest = num_get_le32((const uint8_t *)row.p);
	index_raise_uidvalidity(txn, highest + 1);
	return highest + 1;
}

/* Nobody sees the mailbox under that name. Other names of it, and rights, are not kept: they
 * may be somebody else's by now. */
static void
set_aside(struct engine *e, struct kv_txn *txn, uint64_t id, const char *why)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	char name[MBOX_NAME_MAX + 1];
	uint8_t key[8];
	struct slice row;
	struct head h;

	if (kv_get(txn, T_HEADS, index_key_id(key, id), &row))
		buf_add_slice(&b, row);
	if (head_read(buf_slice(&b), &h)) {
		log_error(NULL,
		          "store.recovered mailbox=%" PRIu64 " was=%s messages=%u why=\"%s\" "
		          "text=\"a mailbox is below %s: only an administrator sees it\"",
		          id, log_esc_slice(h.name), h.messages, why, INDEX_RECOVERED);
		recovered_name(e, id, name);
		h.name = slice_of(name);
		h.acl = h.special_use = SLICE("");
		if (h.uidvalidity == 0)
			h.uidvalidity = next_uidvalidity(txn);
		(void)!index_put_head(txn, &h);
	}
	buf_fini(&b);
}

/* ---- names ------------------------------------------------------------------------------- */

struct names_met {
	struct map *ids;     /* name -> uint64_t *id, the newest */
	struct buf nameless; /* u64 each: ids */
	struct buf older;    /* u64 each: ids of those whose name another one has */
};

static void
meet(struct names_met *met, struct slice name, uint64_t id)
{
	uint64_t *known = map_get(met->ids, name);

	if (name.n == 0) {
		buf_add_u64(&met->nameless, id);
	} else if (known == NULL) {
		(void)map_set(met->ids, name, xmemdup(&id, sizeof(id)));
	} else {
		buf_add_u64(&met->older, MIN(*known, id));
		*known = MAX(*known, id);
	}
}

static void
set_aside_all(struct engine *e, struct kv_txn *txn, const struct buf *ids, const char *why)
{
	struct num_reader r;

	for (r = num_reader_of(buf_slice(ids)); r.rest.n != 0;)
		set_aside(e, txn, num_read_u64(&r), why);
}

/* Two have one name when the end of the first, or its new name, is damaged: the one that was made
 * later has it. A name that is here is not owed to the master as one that is gone. */
static void
mend_names(struct engine *e, struct kv_txn *txn)
{
	struct names_met met = { map_new(), BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) };
	struct kv_cursor *c = kv_cursor_new(txn, T_HEADS);
	struct slice key, row;
	struct head h;
	size_t pos = 0;
	void *id;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		if (head_read(row, &h))
			meet(&met, h.name, h.id);
	kv_cursor_free(&c);
	set_aside_all(e, txn, &met.nameless, "its name is lost");
	set_aside_all(e, txn, &met.older, "another one has its name");
	while (map_next(met.ids, &pos, &key, &id)) {
		(void)kv_del(txn, T_TOMBS, key);
		free(id);
	}
	map_free(&met.ids);
	buf_fini(&met.nameless);
	buf_fini(&met.older);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void
adopt(struct engine *e, struct kv_txn *txn, struct head *h, uint64_t blob_id)
{
	struct msg m = { .uid = h->uidnext, .modseq = h->highestmodseq + 1, .blob = blob_id };
	struct buf row = BUF_INIT(256);
	uint8_t key[INDEX_KEY_MSG];
	struct engine_blob blob;
	struct slice summary;

	if (engine_apply_blob(e, txn, blob_id, &blob,
	                      &summary)) /* else it is made when asked for */
		kv_put(txn, T_SUMMARIES, index_key_msg(key, h->id, m.uid), summary);
	m.size = blob.body_bytes;
	m.internal_date = m.save_date = (int64_t)clock_wall_s();
	fact_append_add(&row, &m);
	kv_put(txn, T_MESSAGES, index_key_msg(key, h->id, m.uid), buf_slice(&row));
	buf_fini(&row);
	engine_apply_ref(e, txn, blob_id, 1);
	h->uidnext++;
	h->highestmodseq++;
	h->messages++;
	h->unseen++;
	h->bytes += m.size;
}

/* Their mailbox has the number of the first one, which no mailbox has. */
static void
mend_messages(struct engine *e, struct kv_txn *txn, const uint64_t *orphans, size_t count)
{
	struct head h = { .id = orphans[0], .uidnext = 1, .recent = 1, .highestmodseq = 1 };
	char name[MBOX_NAME_MAX + 1];

	recovered_name(e, h.id, name);
	h.name = slice_of(name);
	h.uidvalidity = next_uidvalidity(txn);
	for (size_t i = 0; i < count; i++)
		adopt(e, txn, &h, orphans[i]);
	(void)!index_put_head(txn, &h);
	log_error(NULL,
	          "store.recovered mailbox=%" PRIu64 " was=- messages=%u why=\"nobody knows whose "
	          "they are\" text=\"messages are below %s: only an administrator sees them\"",
	          h.id, h.messages, INDEX_RECOVERED);
}

void
index_mend(UNUSED void *ctx, struct engine *e, struct kv_txn *txn, const uint64_t *orphans,
           size_t count)
{
	mend_names(e, txn);
	if (count != 0)
		mend_messages(e, txn, orphans, count);
}
