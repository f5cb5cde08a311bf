#include "location/tables.h"

#include "base/num.h"

#define ROW_VERSION 1
#define ROW_LEFT 1
/* Cyrus' separators, group and unit: lower than every octet of a name. */
#define DOMAIN_SEP 0x1d
#define LEVEL_SEP 0x1f

const char *const location_table_names[LOCATION_T_COUNT] = {
	[LOCATION_T_META] = "meta",     [LOCATION_T_NAMES] = "names",
	[LOCATION_T_SERVER] = "server", [LOCATION_T_ACL] = "acl",
	[LOCATION_T_INTERN] = "intern", [LOCATION_T_LOG] = "log",
	[LOCATION_T_CLAIM] = "claim",
};

void
location_row_add(struct buf *out, const struct location *loc, uint32_t server_id)
{
	buf_add_u8(out, ROW_VERSION);
	buf_add_u8(out, (uint8_t)loc->state);
	buf_add_u32(out, server_id);
	buf_add_u64(out, loc->revision);
	buf_add_u64(out, loc->claim);
	buf_add_u32(out, loc->uidvalidity);
	buf_add_blob(out, loc->partition);
	buf_add_blob(out, loc->acl);
	buf_add_blob(out, loc->mbox_id);
	buf_add_blob(out, loc->special_use);
	if (loc->left)
		buf_add_u8(out, ROW_LEFT);
}

bool
location_row_parse(struct slice name, struct slice value, struct location_row *row_r)
{
	struct num_reader r = num_reader_of(value);
	uint8_t version = num_read_u8(&r), state = num_read_u8(&r);

	memset(row_r, 0, sizeof(*row_r));
	row_r->loc.name = name;
	row_r->loc.state = (enum location_state)state;
	row_r->server_id = num_read_u32(&r);
	row_r->loc.revision = num_read_u64(&r);
	row_r->loc.claim = num_read_u64(&r);
	row_r->loc.uidvalidity = num_read_u32(&r);
	row_r->loc.partition = num_read_blob(&r);
	row_r->loc.acl = num_read_blob(&r);
	row_r->loc.mbox_id = num_read_blob(&r);
	row_r->loc.special_use = num_read_blob(&r);
	row_r->loc.left = state == LOCATION_RESERVED && r.rest.n > 0 && num_read_u8(&r) == ROW_LEFT;
	return !r.bad && version == ROW_VERSION &&
	       (state == LOCATION_RESERVED || state == LOCATION_ACTIVE);
}

/* ---- meta and interned names ------------------------------------------------------------ */

uint64_t
location_meta_u64(struct kv_txn *txn, const char *key)
{
	struct slice v;

	if (!kv_get(txn, LOCATION_T_META, slice_of(key), &v) || v.n != 8)
		return 0;
	return num_get_le64((const uint8_t *)v.p);
}

uint32_t
location_meta_u32(struct kv_txn *txn, const char *key)
{
	struct slice v;

	if (!kv_get(txn, LOCATION_T_META, slice_of(key), &v) || v.n != 4)
		return 0;
	return num_get_le32((const uint8_t *)v.p);
}

bool
location_meta_history(struct kv_txn *txn, uint8_t history_r[LOCATION_HISTORY_LEN])
{
	struct slice v;

	if (!kv_get(txn, LOCATION_T_META, SLICE("history"), &v) || v.n != LOCATION_HISTORY_LEN)
		return false;
	memcpy(history_r, v.p, v.n);
	return true;
}

bool
location_intern_find(struct kv_txn *txn, char kind, struct slice text, uint32_t *id_r)
{
	char key[1 + LOCATION_ACL_IDENTIFIER_MAX];
	struct slice v;

	if (text.n > LOCATION_ACL_IDENTIFIER_MAX)
		return false;
	key[0] = kind;
	memcpy(key + 1, text.p, text.n);
	if (!kv_get(txn, LOCATION_T_INTERN, slice_make(key, 1 + text.n), &v) || v.n != 4)
		return false;
	*id_r = num_get_le32((const uint8_t *)v.p);
	return true;
}

bool
location_intern_text(struct kv_txn *txn, char kind, uint32_t id, struct slice *text_r)
{
	uint8_t key[5] = { (uint8_t)(kind - 'a' + 'A') };

	num_put_be32(key + 1, id);
	return kv_get(txn, LOCATION_T_INTERN, slice_make(key, sizeof(key)), text_r);
}

struct slice
location_id_key(uint8_t key_r[LOCATION_ID_KEY_MAX], uint32_t id, struct slice name)
{
	must(name.n <= LOCATION_NAME_MAX);
	num_put_be32(key_r, id);
	memcpy(key_r + 4, name.p, name.n);
	return slice_make(key_r, 4 + name.n);
}

struct slice
location_server_key(uint8_t key_r[LOCATION_ID_KEY_MAX], uint32_t id, struct slice name)
{
	size_t bang = slice_find(name, '!'), start = bang < name.n ? bang + 1 : 0;
	uint8_t *p = key_r + 4;

	must(name.n <= LOCATION_NAME_MAX);
	num_put_be32(key_r, id);
	memcpy(p, name.p, name.n);
	if (bang < name.n)
		p[bang] = DOMAIN_SEP;
	for (size_t i = start; i < name.n; i++)
		p[i] = p[i] == '.' ? LEVEL_SEP : p[i] == '^' ? '.' : p[i];
	return slice_make(key_r, 4 + name.n);
}

struct slice
location_server_key_name(struct slice key, char name_r[LOCATION_NAME_MAX])
{
	struct slice name = slice_skip(key, 4);
	size_t sep = slice_find(name, DOMAIN_SEP), start = sep < name.n ? sep + 1 : 0;

	if (name.n > LOCATION_NAME_MAX)
		return SLICE("");
	memcpy(name_r, name.p, name.n);
	if (sep < name.n)
		name_r[sep] = '!';
	for (size_t i = start; i < name.n; i++)
		name_r[i] = name_r[i] == LEVEL_SEP ? '.' : name_r[i] == '.' ? '^' : name_r[i];
	return slice_make(name_r, name.n);
}
