/* wire - see wire.h. One table says which members a type has, in the order of `fields`. */
#include "transfer/wire.h"

#include <string.h>

#include "base/num.h"

enum member {
	VERSION = 1 << 0,
	NONCE = 1 << 1,
	ID = 1 << 2,
	CLAIM = 1 << 3,
	UIDVALIDITY = 1 << 4,
	MESSAGES = 1 << 5,
	BYTES = 1 << 6,
	SIZE = 1 << 7,
	KIND = 1 << 8,
	CLUSTER = 1 << 9,
	FROM = 1 << 10,
	TO = 1 << 11,
	TOKEN = 1 << 12,
	USER = 1 << 13,
	TEXT = 1 << 14,
	REST = 1 << 15,
};

enum width { U8, U32, U64, BLOB, ALL };

static const struct field {
	unsigned bit;
	enum width width;
	size_t offset;
	size_t max; /* BLOB, ALL */
} fields[] = {
	{ VERSION, U32, offsetof(struct wire_frame, version), 0 },
	{ NONCE, U64, offsetof(struct wire_frame, nonce), 0 },
	{ ID, U64, offsetof(struct wire_frame, id), 0 },
	{ CLAIM, U64, offsetof(struct wire_frame, claim), 0 },
	{ UIDVALIDITY, U32, offsetof(struct wire_frame, uidvalidity), 0 },
	{ MESSAGES, U64, offsetof(struct wire_frame, messages), 0 },
	{ BYTES, U64, offsetof(struct wire_frame, bytes), 0 },
	{ SIZE, U32, offsetof(struct wire_frame, size), 0 },
	{ KIND, U8, offsetof(struct wire_frame, kind), 0 },
	{ CLUSTER, BLOB, offsetof(struct wire_frame, cluster), 255 },
	{ FROM, BLOB, offsetof(struct wire_frame, from), 255 },
	{ TO, BLOB, offsetof(struct wire_frame, to), 255 },
	{ TOKEN, BLOB, offsetof(struct wire_frame, token), 2048 },
	{ USER, BLOB, offsetof(struct wire_frame, user), 320 },
	{ TEXT, BLOB, offsetof(struct wire_frame, text), 1000 },
	{ REST, ALL, offsetof(struct wire_frame, data), WIRE_PAYLOAD_MAX - 16 },
};

static const struct type {
	const char *name;
	unsigned members;
} types[WIRE_TYPES] = {
	[WIRE_HELLO] = { "hello", VERSION | NONCE },
	[WIRE_LOGIN] = { "login", VERSION | NONCE | CLUSTER | FROM | TO | TOKEN },
	[WIRE_WELCOME] = { "welcome", TOKEN },
	[WIRE_REFUSED] = { "refused", TEXT },
	[WIRE_BEGIN] = { "begin", ID | CLAIM | UIDVALIDITY | MESSAGES | BYTES | USER },
	[WIRE_READY] = { "ready", 0 },
	[WIRE_BODY] = { "body", SIZE },
	[WIRE_DATA] = { "data", REST },
	[WIRE_ITEM] = { "item", KIND | REST },
	[WIRE_DONE] = { "done", 0 },
	[WIRE_DIGEST] = { "digest", REST },
	[WIRE_COMMIT] = { "commit", 0 },
	[WIRE_COMMITTED] = { "committed", 0 },
	[WIRE_UNDONE] = { "undone", TEXT },
	[WIRE_CONFIRM] = { "confirm", ID | USER },
	[WIRE_CONFIRMED] = { "confirmed", 0 },
	[WIRE_WAIT] = { "wait", 0 },
};

const char *
wire_type_name(enum wire_type t)
{
	return t > 0 && t < WIRE_TYPES ? types[t].name : "?";
}

static bool
put(struct buf *out, const struct field *d, const struct wire_frame *f)
{
	const void *at = (const char *)f + d->offset;
	const struct slice *s = at;

	switch (d->width) {
	case U8:
		buf_add_u8(out, *(const uint8_t *)at);
		return true;
	case U32:
		buf_add_u32(out, *(const uint32_t *)at);
		return true;
	case U64:
		buf_add_u64(out, *(const uint64_t *)at);
		return true;
	case BLOB:
		if (s->n > d->max)
			return false;
		buf_add_blob(out, *s);
		return true;
	case ALL:
		if (s->n > d->max)
			return false;
		buf_add_slice(out, *s);
		return true;
	}
	must_not_reach();
}

bool
wire_add(const struct wire_frame *f, struct buf *out)
{
	size_t start = out->len;
	bool ok = true;

	buf_add_u32(out, 0);
	buf_add_u8(out, (uint8_t)f->type);
	for (size_t i = 0; i < ARRAY_LEN(fields) && ok; i++)
		if ((types[f->type].members & fields[i].bit) != 0)
			ok = put(out, &fields[i], f);
	if (!ok || out->overflow) {
		buf_truncate(out, start);
		return false;
	}
	num_put_le32((uint8_t *)out->data + out->start + start,
	             (uint32_t)(out->len - start - WIRE_HEADER));
	return true;
}

static void
get(struct num_reader *r, const struct field *d, struct wire_frame *f)
{
	void *at = (char *)f + d->offset;
	struct slice *s = at;

	switch (d->width) {
	case U8:
		*(uint8_t *)at = num_read_u8(r);
		break;
	case U32:
		*(uint32_t *)at = num_read_u32(r);
		break;
	case U64:
		*(uint64_t *)at = num_read_u64(r);
		break;
	case BLOB:
		*s = num_read_blob(r);
		break;
	case ALL:
		*s = num_read_bytes(r, r->rest.n);
		break;
	}
	if ((d->width == BLOB || d->width == ALL) && s->n > d->max)
		r->bad = true;
}

static void
clear(struct wire_frame *f)
{
	*f = (struct wire_frame){ .type = WIRE_TYPES };
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].width == BLOB || fields[i].width == ALL)
			*(struct slice *)(void *)((char *)f + fields[i].offset) = SLICE("");
}

int
wire_read(struct slice in, size_t *used_r, struct wire_frame *f)
{
	struct num_reader r = num_reader_of(in);
	uint32_t bytes;
	uint8_t type;

	*used_r = 0;
	clear(f);
	if (in.n < WIRE_HEADER)
		return 0;
	bytes = num_read_u32(&r);
	type = num_read_u8(&r);
	if (bytes > WIRE_PAYLOAD_MAX || type >= WIRE_TYPES || types[type].name == NULL)
		return -1;
	if (in.n - WIRE_HEADER < bytes)
		return 0;
	r = num_reader_of(slice_sub(in, WIRE_HEADER, bytes));
	f->type = (enum wire_type)type;
	for (size_t i = 0; i < ARRAY_LEN(fields) && !r.bad; i++)
		if ((types[type].members & fields[i].bit) != 0)
			get(&r, &fields[i], f);
	if (r.bad || r.rest.n != 0)
		return -1;
	*used_r = WIRE_HEADER + bytes;
	return 1;
}
