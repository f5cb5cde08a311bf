#include "location/tables.h"

#include "base/num.h"

#define ROW_VERSION 1

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
	return !r.bad && version == ROW_VERSION &&
	       (state == LOCATION_RESERVED || state == LOCATION_ACTIVE);
}
