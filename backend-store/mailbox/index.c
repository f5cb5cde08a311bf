/* index - keys and rows; see index.h. apply() is in apply.c. */
#include "mailbox/index.h"

#include <string.h>

#include "base/num.h"
#include "tls/digest.h"

#define HEAD_VERSION 1
#define HEAD_BYTES_MOST (256 * 1024)

const char *const index_tables[T_COUNT] = {
	[T_HEADS] = "mbox.heads",         [T_MESSAGES] = "mbox.messages",
	[T_SUMMARIES] = "mbox.summaries", [T_VANISHED] = "mbox.vanished",
	[T_SUBS] = "mbox.subs",           [T_TOMBS] = "mbox.tombs",
	[T_DUPS] = "mbox.dups",           [T_DUPTIMES] = "mbox.duptimes",
	[T_META] = "mbox.meta",           [T_QUOTAS] = "mbox.quotas",
	[T_MOVES] = "mbox.moves",         [T_DUPUSERS] = "mbox.dupusers",
};

void
head_add(struct buf *out, const struct head *h)
{
	buf_add_u8(out, HEAD_VERSION);
	buf_add_u64(out, h->id);
	buf_add_u64(out, h->highestmodseq);
	buf_add_u64(out, h->claim);
	buf_add_u64(out, h->bytes);
	buf_add_u32(out, h->uidvalidity);
	buf_add_u32(out, h->uidnext);
	buf_add_u32(out, h->recent);
	buf_add_u32(out, h->messages);
	buf_add_u32(out, h->unseen);
	buf_add_u32(out, h->deleted);
	buf_add_blob(out, h->name);
	buf_add_blob(out, h->acl);
	buf_add_blob(out, h->special_use);
	buf_add_u8(out, (uint8_t)h->keyword_count);
	for (unsigned i = 0; i < h->keyword_count; i++)
		buf_add_blob(out, h->keywords[i]);
}

bool
head_read(struct slice row, struct head *h)
{
	struct num_reader r = num_reader_of(row);
	uint8_t version = num_read_u8(&r);

	h->id = num_read_u64(&r);
	h->highestmodseq = num_read_u64(&r);
	h->claim = num_read_u64(&r);
	h->bytes = num_read_u64(&r);
	h->uidvalidity = num_read_u32(&r);
	h->uidnext = num_read_u32(&r);
	h->recent = num_read_u32(&r);
	h->messages = num_read_u32(&r);
	h->unseen = num_read_u32(&r);
	h->deleted = num_read_u32(&r);
	h->name = num_read_blob(&r);
	h->acl = num_read_blob(&r);
	h->special_use = num_read_blob(&r);
	h->keyword_count = num_read_u8(&r);
	if (r.bad || version != HEAD_VERSION || h->keyword_count > MAILBOX_KEYWORDS_MAX)
		return false;
	for (unsigned i = 0; i < h->keyword_count; i++)
		h->keywords[i] = num_read_blob(&r);
	return !r.bad;
}

struct slice
index_key_id(uint8_t key[8], uint64_t id)
{
	num_put_be64(key, id);
	return slice_make(key, 8);
}

struct slice
index_key_msg(uint8_t key[INDEX_KEY_MSG], uint64_t id, uint32_t uid)
{
	num_put_be64(key, id);
	num_put_be32(key + 8, uid);
	return slice_make(key, INDEX_KEY_MSG);
}

struct slice
index_user_key(uint8_t key[INDEX_USER_LEN], struct slice user)
{
	uint8_t sum[DIGEST_LEN];

	digest_of(user, sum);
	memcpy(key, sum, INDEX_USER_LEN);
	return slice_make(key, INDEX_USER_LEN);
}

struct slice
index_key_sub(char *key, struct slice user, struct slice name)
{
	(void)index_user_key((uint8_t *)key, user);
	if (name.n != 0)
		memcpy(key + INDEX_USER_LEN, name.p, name.n);
	return slice_make(key, INDEX_USER_LEN + name.n);
}

bool
index_get_head(struct kv_txn *txn, uint64_t id, struct head *h)
{
	uint8_t key[8];
	struct slice row;

	return kv_get(txn, T_HEADS, index_key_id(key, id), &row) && head_read(row, h);
}

int
index_put_head(struct kv_txn *txn, const struct head *h)
{
	struct buf row = BUF_INIT(HEAD_BYTES_MOST);
	uint8_t key[8];
	int rc = -1;

	head_add(&row, h);
	if (!row.overflow) {
		kv_put(txn, T_HEADS, index_key_id(key, h->id), buf_slice(&row));
		rc = 0;
	}
	buf_fini(&row);
	return rc;
}

void
index_raise_uidvalidity(struct kv_txn *txn, uint32_t given)
{
	uint8_t raw[4];
	struct slice row;

	if (kv_get(txn, T_META, SLICE("uidvalidity"), &row) && row.n == 4 &&
	    num_get_le32((const uint8_t *)row.p) >= given)
		return;
	num_put_le32(raw, given);
	kv_put(txn, T_META, SLICE("uidvalidity"), slice_make(raw, 4));
}
