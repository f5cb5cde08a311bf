/* guard_wire - frames go there and back, at every cut; what is none is refused. */
#include "guard/guard_wire.h"

#include "lib/test.h"

#include <string.h>

static const struct guard_frame frame = {
	.kind = GUARD_FAILED,
	.verdict = LIMIT_BLOCKED,
	.rate = LIMIT_SENDER_RCPTS,
	.id = 7,
	.lease = 1ull << 40,
	.fingerprint = 0xfedcba9876543210,
	.amount = 12,
	.address = "2001:db8::/64",
	.user = "fred",
	.text = "a\tb\n",
};

static struct guard_storage storage;

TEST(frames_at_every_cut)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct guard_frame f;
	size_t used;

	guard_wire_add(&frame, &b);
	guard_wire_add(&frame, &b);
	for (size_t n = 0; n < b.len / 2; n++)
		assert_int_equal(
			guard_wire_next(slice_sub(buf_slice(&b), 0, n), &f, &storage, &used), 0);
	assert_int_equal(guard_wire_next(buf_slice(&b), &f, &storage, &used), 1);
	assert_int_equal(used, b.len / 2);
	assert_true(f.kind == frame.kind && f.verdict == frame.verdict && f.rate == frame.rate);
	assert_true(f.id == 7 && f.lease == frame.lease && f.fingerprint == frame.fingerprint);
	assert_int_equal(f.amount, 12);
	test_eq_str("address", f.address, frame.address);
	test_eq_str("user", f.user, frame.user);
	test_eq_str("text", f.text, frame.text);
	buf_fini(&b);
}

TEST(missing_texts_are_empty_and_long_ones_cut)
{
	struct guard_frame in = { .kind = GUARD_OPEN }, f;
	struct buf b = BUF_INIT(SIZE_MAX);
	char name[1000];
	size_t used;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	in.user = name;
	guard_wire_add(&in, &b);
	assert_int_equal(guard_wire_next(buf_slice(&b), &f, &storage, &used), 1);
	test_eq_str("address", f.address, "");
	assert_int_equal(strlen(f.user), GUARD_NAME_MAX);
	buf_fini(&b);
}

/* Each byte in turn another: a frame with other numbers, or none; never a step too far. */
TEST(damaged_frames_do_no_harm)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct guard_frame f;
	size_t used;

	guard_wire_add(&frame, &b);
	for (size_t i = 0; i < b.len; i++)
		for (int v = 0; v < 256; v += 5) {
			char was = b.data[b.start + i];

			b.data[b.start + i] = (char)v;
			if (guard_wire_next(buf_slice(&b), &f, &storage, &used) == 1) {
				assert_true(used <= b.len);
				assert_true(f.kind < GUARD_KINDS && f.verdict < LIMIT_VERDICTS);
				assert_true(f.rate < LIMIT_RATES);
			}
			b.data[b.start + i] = was;
		}
	b.data[b.start + 4] = GUARD_KINDS;
	assert_int_equal(guard_wire_next(buf_slice(&b), &f, &storage, &used), -1);
	assert_int_equal(guard_wire_next(SLICE("\xff\xff\xff\x7f"), &f, &storage, &used), -1);
	buf_fini(&b);
}
