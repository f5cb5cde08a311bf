/* Frames of the cluster port: there and back, at every byte split, and what is none. */
#include <string.h>

#include "lib/test.h"
#include "transfer/wire.h"

static const struct wire_frame frames[] = {
	{ .type = WIRE_HELLO, .version = 1, .nonce = 0x1122334455667788 },
	{ .type = WIRE_LOGIN,
	  .version = 1,
	  .nonce = UINT64_MAX,
	  .cluster = SLICE_INIT("roost"),
	  .from = SLICE_INIT("store1"),
	  .to = SLICE_INIT("store2"),
	  .token = SLICE_INIT("v1$store1$cluster$store2$7$8$00") },
	{ .type = WIRE_WELCOME, .token = SLICE_INIT("t") },
	{ .type = WIRE_REFUSED, .text = SLICE_INIT("the disk is full") },
	{ .type = WIRE_BEGIN,
	  .id = 7,
	  .claim = 3,
	  .uidvalidity = 1700000000,
	  .messages = 5000,
	  .bytes = 1ull << 40,
	  .user = SLICE_INIT("fred") },
	{ .type = WIRE_READY },
	{ .type = WIRE_BODY, .size = 4096 },
	{ .type = WIRE_DATA, .data = SLICE_INIT("Subject: x\r\n\r\n") },
	{ .type = WIRE_DATA, .data = SLICE_INIT("") },
	{ .type = WIRE_ITEM, .kind = 3, .data = SLICE_INIT("\0\1\2") },
	{ .type = WIRE_DONE },
	{ .type = WIRE_DIGEST, .data = SLICE_INIT("0123456789abcdef0123456789abcdef") },
	{ .type = WIRE_COMMIT },
	{ .type = WIRE_COMMITTED },
	{ .type = WIRE_UNDONE, .text = SLICE_INIT("") },
	{ .type = WIRE_CONFIRM, .id = 7, .user = SLICE_INIT("ann@example.net") },
	{ .type = WIRE_CONFIRMED },
	{ .type = WIRE_WAIT },
};

static void
check_same(const struct wire_frame *got, const struct wire_frame *want)
{
	const char *name = wire_type_name(want->type);

	test_check(got->type == want->type, "%s is %s", name, wire_type_name(got->type));
	test_check(got->version == want->version && got->nonce == want->nonce &&
	                   got->id == want->id && got->claim == want->claim &&
	                   got->uidvalidity == want->uidvalidity && got->size == want->size &&
	                   got->messages == want->messages && got->bytes == want->bytes &&
	                   got->kind == want->kind,
	           "%s: another number", name);
	test_eq_slice(name, got->cluster, want->cluster);
	test_eq_slice(name, got->from, want->from);
	test_eq_slice(name, got->to, want->to);
	test_eq_slice(name, got->token, want->token);
	test_eq_slice(name, got->user, want->user);
	test_eq_slice(name, got->text, want->text);
	test_eq_slice(name, got->data, want->data);
}

TEST(every_frame_comes_back_at_every_byte_split)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct buf out = BUF_INIT(WIRE_PAYLOAD_MAX * 2);
		struct wire_frame f;
		size_t used;

		assert_true(wire_add(&frames[i], &out));
		for (size_t cut = 0; cut < out.len; cut++) {
			test_check(wire_read(slice_sub(buf_slice(&out), 0, cut), &used, &f) == 0 &&
			                   used == 0,
			           "%s cut at %zu", wire_type_name(frames[i].type), cut);
		}
		/* with more behind it */
		buf_add_str(&out, "rest");
		assert_int_equal(wire_read(buf_slice(&out), &used, &f), 1);
		assert_int_equal(used, out.len - 4);
		check_same(&f, &frames[i]);
		buf_fini(&out);
	}
}

TEST(a_payload_that_is_shorter_or_longer_than_its_members_is_none)
{
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct buf out = BUF_INIT(WIRE_PAYLOAD_MAX * 2);
		struct wire_frame f;
		size_t used;
		bool open_end = frames[i].data.p != NULL;

		assert_true(wire_add(&frames[i], &out));
		buf_add_char(&out, 'x');
		out.data[0]++;
		if (!open_end)
			assert_int_equal(wire_read(buf_slice(&out), &used, &f), -1);
		out.data[0]--;
		if (!open_end && out.data[0] > 0) {
			out.data[0]--;
			test_check(wire_read(buf_slice(&out), &used, &f) == -1, "%s",
			           wire_type_name(frames[i].type));
		}
		buf_fini(&out);
	}
}

static const struct bad {
	const char *name;
	struct slice bytes;
} bads[] = {
	{ "type 0", SLICE_INIT("\0\0\0\0\0") },
	{ "a type there is not", SLICE_INIT("\0\0\0\0\x7f") },
	{ "a payload above the limit, before it has come", SLICE_INIT("\0\0\0\1\x0a") },
	{ "another protocol", SLICE_INIT("EHLO client\r\n") },
	{ "a text longer than its payload", SLICE_INIT("\x05\0\0\0\4\xff\0\0\0x") },
};

TEST(what_is_no_frame_is_refused_at_once)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct wire_frame f;
		size_t used;

		test_check(wire_read(bads[i].bytes, &used, &f) == -1, "%s", bads[i].name);
	}
}

TEST(members_that_are_too_long_are_not_sent)
{
	static char long_text[3000];
	struct wire_frame user = { .type = WIRE_CONFIRM,
		                   .user = slice_make(long_text, sizeof(long_text)) };
	struct buf out = BUF_INIT(WIRE_PAYLOAD_MAX * 2);

	memset(long_text, 'x', sizeof(long_text));
	buf_add_str(&out, "before");
	assert_false(wire_add(&user, &out));
	test_eq_slice("what was there", buf_slice(&out), SLICE("before"));
	buf_fini(&out);
}
