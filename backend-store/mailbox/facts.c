/* facts - see facts.h. */
#include "mailbox/facts.h"

#include "mail/mbox_name.h"

void
fact_create_add(struct buf *out, const struct fact_create *f)
{
	buf_add_u8(out, 1);
	buf_add_u32(out, f->uidvalidity);
	buf_add_u64(out, f->claim);
	buf_add_blob(out, f->name);
	buf_add_blob(out, f->acl);
	buf_add_blob(out, f->special_use);
}

bool
fact_create_read(struct slice payload, struct fact_create *f)
{
	struct num_reader r = num_reader_of(payload);
	uint8_t version = num_read_u8(&r);

	f->uidvalidity = num_read_u32(&r);
	f->claim = num_read_u64(&r);
	f->name = num_read_blob(&r);
	f->acl = num_read_blob(&r);
	f->special_use = num_read_blob(&r);
	return !r.bad && version == 1;
}

void
fact_delete_add(struct buf *out, bool tombstone, int64_t time)
{
	buf_add_u8(out, tombstone);
	buf_add_u64(out, (uint64_t)time);
}

bool
fact_delete_read(struct slice payload, bool *tombstone_r, int64_t *time_r)
{
	struct num_reader r = num_reader_of(payload);

	*tombstone_r = num_read_u8(&r) != 0;
	*time_r = (int64_t)num_read_u64(&r);
	return !r.bad;
}

void
fact_rename_pair_add(struct buf *out, uint64_t id, struct slice name)
{
	buf_add_u64(out, id);
	buf_add_blob(out, name);
}

bool
fact_rename_pair_read(struct num_reader *r, uint64_t *id_r, struct slice *name_r)
{
	*id_r = num_read_u64(r);
	*name_r = num_read_blob(r);
	return !r->bad;
}

void
fact_append_add(struct buf *out, const struct msg *m)
{
	buf_add_u32(out, m->uid);
	buf_add_u32(out, m->size);
	buf_add_u32(out, m->crlf_extra);
	buf_add_u64(out, m->modseq);
	buf_add_u64(out, m->blob);
	buf_add_u64(out, (uint64_t)m->internal_date);
	buf_add_u64(out, (uint64_t)m->save_date);
	buf_add_u64(out, m->keywords);
	buf_add_u16(out, (uint16_t)m->zone);
	buf_add_u8(out, m->flags);
}

bool
fact_append_read(struct slice payload, struct msg *m)
{
	struct num_reader r = num_reader_of(payload);

	m->uid = num_read_u32(&r);
	m->size = num_read_u32(&r);
	m->crlf_extra = num_read_u32(&r);
	m->modseq = num_read_u64(&r);
	m->blob = num_read_u64(&r);
	m->internal_date = (int64_t)num_read_u64(&r);
	m->save_date = (int64_t)num_read_u64(&r);
	m->keywords = num_read_u64(&r);
	m->zone = (int16_t)num_read_u16(&r);
	m->flags = num_read_u8(&r);
	return !r.bad && m->uid != 0;
}

void
fact_flags_entry_add(struct buf *out, const struct msg *m)
{
	buf_add_u32(out, m->uid);
	buf_add_u8(out, m->flags);
	buf_add_u64(out, m->keywords);
}

bool
fact_flags_entry_read(struct num_reader *r, struct msg *m)
{
	m->uid = num_read_u32(r);
	m->flags = num_read_u8(r);
	m->keywords = num_read_u64(r);
	return !r->bad;
}

void
fact_duplicate_add(struct buf *out, const uint8_t key[FACT_KEY_LEN], int64_t time,
                   int64_t forget_before, struct slice user_key)
{
	buf_add(out, key, FACT_KEY_LEN);
	buf_add_u64(out, (uint64_t)time);
	buf_add_u64(out, (uint64_t)forget_before);
	buf_add_slice(out, user_key);
}

void
fact_subscribe_add(struct buf *out, struct slice user, struct slice name, bool on)
{
	buf_add_u8(out, on);
	buf_add_blob(out, user);
	buf_add_blob(out, name);
}

void
fact_quota_add(struct buf *out, bool own, const struct quota_limits *l)
{
	buf_add_u8(out, 1);
	buf_add_u8(out, own);
	buf_add_u64(out, l->bytes);
	buf_add_u64(out, l->messages);
}

bool
fact_quota_read(struct slice payload, bool *own_r, struct quota_limits *l)
{
	struct num_reader r = num_reader_of(payload);
	uint8_t version = num_read_u8(&r);

	*own_r = num_read_u8(&r) != 0;
	l->bytes = num_read_u64(&r);
	l->messages = num_read_u64(&r);
	return !r.bad && version == 1;
}

#define MOVE_VERSION 1
#define MOVE_PEER_MOST 255

void
fact_move_add(struct buf *out, const struct move_record *m)
{
	buf_add_u8(out, MOVE_VERSION);
	buf_add_u8(out, (uint8_t)m->role);
	buf_add_u8(out, (uint8_t)m->state);
	buf_add_u8(out, m->keep);
	buf_add_u64(out, m->id);
	buf_add_u64(out, m->claim);
	buf_add_u64(out, (uint64_t)m->time);
	buf_add_u32(out, m->uidvalidity);
	buf_add_blob(out, m->user);
	buf_add_blob(out, m->peer);
}

bool
fact_move_read(struct slice payload, struct move_record *m)
{
	struct num_reader r = num_reader_of(payload);
	uint8_t version = num_read_u8(&r), role = num_read_u8(&r), state = num_read_u8(&r);

	m->role = (enum move_role)role;
	m->state = (enum move_state)state;
	m->keep = num_read_u8(&r) != 0;
	m->id = num_read_u64(&r);
	m->claim = num_read_u64(&r);
	m->time = (int64_t)num_read_u64(&r);
	m->uidvalidity = num_read_u32(&r);
	m->user = num_read_blob(&r);
	m->peer = num_read_blob(&r);
	return !r.bad && version == MOVE_VERSION && (role == MOVE_OUT || role == MOVE_IN) &&
	       state <= MOVE_KEPT && m->user.n > 0 && m->user.n <= MBOX_USER_MAX &&
	       m->peer.n <= MOVE_PEER_MOST;
}

void
fact_move_head_add(struct buf *out, const struct fact_move_head *f)
{
	buf_add_u32(out, f->uidnext);
	buf_add_u32(out, f->recent);
	buf_add_u64(out, f->highestmodseq);
}

bool
fact_move_head_read(struct slice payload, struct fact_move_head *f)
{
	struct num_reader r = num_reader_of(payload);

	f->uidnext = num_read_u32(&r);
	f->recent = num_read_u32(&r);
	f->highestmodseq = num_read_u64(&r);
	return !r.bad;
}
