/*
 * One table says which members a kind of frame has, another how a member is written, so
 * that encoding and decoding cannot differ. Little-endian:
 *
 *	u8 version (1)   u8 kind   u64 id   then the members, in the order of `fields`:
 *	NUMBER   u64
 *	RESULT   u8      an enum auth_result
 *	FLAGS    u8
 *	TEXT     u32 n, n bytes of which the last is the only NUL
 *	DATA     u32 n, n bytes
 *	FINALS   u16 count, then user, detail and home of each as TEXT
 *	RELAYS   u16 count, then each as TEXT
 */
#include "directory/auth_wire.h"

#include "base/must.h"
#include "base/num.h"
#include "directory/directory.h"

#include <string.h>

#define VERSION 2

enum type { NUMBER, RESULT, FLAGS, TEXT, DATA, FINALS, RELAYS };

enum {
	DEADLINE = 1 << 0,
	ANSWER = 1 << 1,
	FLAG = 1 << 2,
	CLAIM = 1 << 3,
	SERVICE = 1 << 4,
	SESSION = 1 << 5,
	PEER = 1 << 6,
	MECH = 1 << 7,
	GRANT = 1 << 8,
	STORE = 1 << 9,
	USER = 1 << 10,
	AUTHCID = 1 << 11,
	SECRET = 1 << 12,
	HOME = 1 << 13,
	BYTES = 1 << 14,
	FINAL = 1 << 15,
	RELAY = 1 << 16,
	GROUPS = 1 << 17,
};

static const struct field {
	unsigned bit;
	enum type type;
	size_t offset;
	size_t max; /* TEXT, DATA: bytes without the NUL */
	bool cut;   /* for logs only: cut instead of refused when too long */
} fields[] = {
	{ DEADLINE, NUMBER, offsetof(struct auth_frame, deadline_ms) },
	{ ANSWER, RESULT, offsetof(struct auth_frame, result) },
	{ FLAG, FLAGS, offsetof(struct auth_frame, flags) },
	{ CLAIM, NUMBER, offsetof(struct auth_frame, claim) },
	{ SERVICE, TEXT, offsetof(struct auth_frame, service), 32 },
	{ SESSION, TEXT, offsetof(struct auth_frame, session), 64, true },
	{ PEER, TEXT, offsetof(struct auth_frame, peer), 128, true },
	{ MECH, TEXT, offsetof(struct auth_frame, mech), 64 },
	{ GRANT, TEXT, offsetof(struct auth_frame, grant), AUTH_GRANT_MAX },
	{ STORE, TEXT, offsetof(struct auth_frame, store), DIRECTORY_STORE_MAX },
	{ USER, TEXT, offsetof(struct auth_frame, user), DIRECTORY_NAME_MAX },
	{ AUTHCID, TEXT, offsetof(struct auth_frame, authcid), DIRECTORY_NAME_MAX },
	{ SECRET, TEXT, offsetof(struct auth_frame, secret), 2048 },
	{ HOME, TEXT, offsetof(struct auth_frame, home), DIRECTORY_STORE_MAX },
	{ GROUPS, TEXT, offsetof(struct auth_frame, groups), DIRECTORY_GROUPS_MAX },
	{ BYTES, DATA, offsetof(struct auth_frame, data), AUTH_WIRE_DATA_MAX },
	{ FINAL, FINALS, offsetof(struct auth_frame, finals) },
	{ RELAY, RELAYS, offsetof(struct auth_frame, relays) },
};

static const struct kind {
	const char *name;
	unsigned members;
} kinds[] = {
	[AUTH_FRAME_START] = { "start", DEADLINE | FLAG | SERVICE | SESSION | PEER | MECH | BYTES },
	[AUTH_FRAME_STEP] = { "step", DEADLINE | BYTES },
	[AUTH_FRAME_CANCEL] = { "cancel", 0 },
	[AUTH_FRAME_CREDENTIALS] = { "credentials", DEADLINE | CLAIM | SERVICE | GRANT | STORE },
	[AUTH_FRAME_RESOLVE] = { "resolve", DEADLINE | SESSION | BYTES },
	[AUTH_FRAME_LOOKUP] = { "lookup", DEADLINE | BYTES },
	[AUTH_FRAME_MAY_SEND] = { "may-send", DEADLINE | USER | BYTES },
	[AUTH_FRAME_PING] = { "ping", DEADLINE },
	[AUTH_FRAME_LOGIN_IS] = { "login-is",
	                          ANSWER | FLAG | CLAIM | GRANT | USER | AUTHCID | GROUPS | BYTES },
	[AUTH_FRAME_CREDENTIALS_ARE] = { "credentials-are", ANSWER | USER | AUTHCID | SECRET },
	[AUTH_FRAME_RESOLVED] = { "resolved", ANSWER | FLAG | FINAL | RELAY },
	[AUTH_FRAME_USER_IS] = { "user-is", ANSWER | FLAG | USER | HOME },
	[AUTH_FRAME_MAY_SEND_IS] = { "may-send-is", ANSWER },
	[AUTH_FRAME_PONG] = { "pong", 0 },
	[AUTH_FRAME_HELLO] = { "hello", 0 },
};
STATIC_ASSERT(ARRAY_LEN(kinds) == AUTH_FRAME_COUNT);

const char *
auth_frame_name(enum auth_frame_kind kind)
{
	return kinds[kind].name;
}

/* ---- writing ----------------------------------------------------------------------- */

static bool
put_text(struct buf *out, const char *text, size_t max, bool cut)
{
	size_t n = text != NULL ? strlen(text) : 0;

	if (n > max && !cut)
		return false;
	n = MIN(n, max);
	buf_add_u32(out, (uint32_t)n + 1);
	buf_add(out, text != NULL ? text : "", n);
	buf_add_char(out, '\0');
	return true;
}

static bool
put_finals(struct buf *out, const struct auth_frame *f)
{
	if (f->final_count > AUTH_WIRE_FINALS)
		return false;
	buf_add_u16(out, (uint16_t)f->final_count);
	for (size_t i = 0; i < f->final_count; i++)
		if (!put_text(out, f->finals[i].user, DIRECTORY_NAME_MAX, false) ||
		    !put_text(out, f->finals[i].detail, DIRECTORY_NAME_MAX, false) ||
		    !put_text(out, f->finals[i].home, DIRECTORY_STORE_MAX, false))
			return false;
	return true;
}

static bool
put_relays(struct buf *out, const struct auth_frame *f)
{
	if (f->relay_count > AUTH_WIRE_FINALS)
		return false;
	buf_add_u16(out, (uint16_t)f->relay_count);
	for (size_t i = 0; i < f->relay_count; i++)
		if (!put_text(out, f->relays[i], DIRECTORY_NAME_MAX, false))
			return false;
	return true;
}

static bool
put_field(struct buf *out, const struct field *d, const struct auth_frame *f)
{
	const void *at = (const char *)f + d->offset;
	const struct slice *data = at;

	switch (d->type) {
	case NUMBER:
		buf_add_u64(out, *(const uint64_t *)at);
		return true;
	case RESULT:
		buf_add_u8(out, (uint8_t) * (const enum auth_result *)at);
		return true;
	case FLAGS:
		buf_add_u8(out, (uint8_t) * (const unsigned *)at);
		return true;
	case TEXT:
		return put_text(out, *(const char *const *)at, d->max, d->cut);
	case DATA:
		if (data->n > d->max)
			return false;
		buf_add_blob(out, *data);
		return true;
	case FINALS:
		return put_finals(out, f);
	case RELAYS:
		return put_relays(out, f);
	}
	must_not_reach();
}

bool
auth_wire_encode(const struct auth_frame *f, struct buf *out)
{
	bool ok = true;

	buf_add_u8(out, VERSION);
	buf_add_u8(out, (uint8_t)f->kind);
	buf_add_u64(out, f->id);
	for (size_t i = 0; i < ARRAY_LEN(fields) && ok; i++)
		if ((kinds[f->kind].members & fields[i].bit) != 0)
			ok = put_field(out, &fields[i], f);
	ok = ok && !out->overflow && out->len <= AUTH_WIRE_MAX;
	if (!ok)
		buf_clear(out);
	return ok;
}

/* ---- reading ----------------------------------------------------------------------- */

static const char *
get_text(struct num_reader *r, size_t max)
{
	struct slice s = num_read_blob(r);

	if (s.n == 0 || s.n - 1 > max || memchr(s.p, '\0', s.n) != s.p + s.n - 1) {
		r->bad = true;
		return "";
	}
	return s.p;
}

static void
get_finals(struct num_reader *r, struct auth_wire_room *room, struct auth_frame *f)
{
	size_t count = num_read_u16(r);

	if (count > (room != NULL ? AUTH_WIRE_FINALS : 0))
		r->bad = true;
	for (size_t i = 0; i < count && !r->bad; i++) {
		room->finals[i].user = get_text(r, DIRECTORY_NAME_MAX);
		room->finals[i].detail = get_text(r, DIRECTORY_NAME_MAX);
		room->finals[i].home = get_text(r, DIRECTORY_STORE_MAX);
	}
	f->finals = room != NULL ? room->finals : NULL;
	f->final_count = r->bad ? 0 : count;
}

static void
get_relays(struct num_reader *r, struct auth_wire_room *room, struct auth_frame *f)
{
	size_t count = num_read_u16(r);

	if (count > (room != NULL ? AUTH_WIRE_FINALS : 0))
		r->bad = true;
	for (size_t i = 0; i < count && !r->bad; i++)
		room->relays[i] = get_text(r, DIRECTORY_NAME_MAX);
	f->relays = room != NULL ? room->relays : NULL;
	f->relay_count = r->bad ? 0 : count;
}

static void
get_field(struct num_reader *r, const struct field *d, struct auth_wire_room *room,
          struct auth_frame *f)
{
	void *at = (char *)f + d->offset;
	struct slice *data = at;
	uint8_t byte;

	switch (d->type) {
	case NUMBER:
		*(uint64_t *)at = num_read_u64(r);
		break;
	case RESULT:
		byte = num_read_u8(r);
		if (byte > AUTH_TEMP)
			r->bad = true;
		else
			*(enum auth_result *)at = (enum auth_result)byte;
		break;
	case FLAGS:
		*(unsigned *)at = num_read_u8(r);
		break;
	case TEXT:
		*(const char **)at = get_text(r, d->max);
		break;
	case DATA:
		*data = num_read_blob(r);
		if (data->n > d->max)
			r->bad = true;
		break;
	case FINALS:
		get_finals(r, room, f);
		break;
	case RELAYS:
		get_relays(r, room, f);
		break;
	}
}

/* Texts the kind does not have are "", not NULL. */
static void
clear(struct auth_frame *f)
{
	memset(f, 0, sizeof(*f));
	f->data = SLICE("");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].type == TEXT)
			*(const char **)((char *)f + fields[i].offset) = "";
}

bool
auth_wire_decode(struct slice bytes, struct auth_wire_room *room, struct auth_frame *f_r)
{
	struct num_reader r = num_reader_of(bytes);
	uint8_t version = num_read_u8(&r), kind = num_read_u8(&r);

	clear(f_r);
	f_r->id = num_read_u64(&r);
	if (r.bad || version != VERSION || kind >= AUTH_FRAME_COUNT)
		return false;
	f_r->kind = (enum auth_frame_kind)kind;
	for (size_t i = 0; i < ARRAY_LEN(fields) && !r.bad; i++)
		if ((kinds[kind].members & fields[i].bit) != 0)
			get_field(&r, &fields[i], room, f_r);
	return !r.bad && r.rest.n == 0 && (f_r->id == 0) == (f_r->kind == AUTH_FRAME_HELLO);
}
