/* seen: what is remembered, and what is forgotten first. */
#include "deliver/seen.h"

#include "base/num.h"
#include "lib/test.h"

static struct slice
key(uint8_t room[4], uint32_t n)
{
	num_put_le32(room, n);
	return slice_make(room, 4);
}

TEST(message_and_recipient_are_remembered)
{
	struct seen *s = seen_new(10);

	seen_add(s, SLICE("k1"), SLICE("a@b"));
	assert_true(seen_has(s, SLICE("k1"), SLICE("a@b")));
	assert_false(seen_has(s, SLICE("k1"), SLICE("c@b")));
	assert_false(seen_has(s, SLICE("k2"), SLICE("a@b")));
	seen_free(&s);
}

TEST(oldest_are_forgotten)
{
	struct seen *s = seen_new(5);
	uint8_t room[4];

	for (uint32_t i = 0; i < 12; i++) {
		seen_add(s, key(room, i), SLICE("a@b"));
		seen_add(s, key(room, i), SLICE("a@b")); /* no second place */
	}
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(seen_has(s, key(room, i), SLICE("a@b")), i >= 7);
	seen_free(&s);
}

TEST(none_are_remembered_with_no_room)
{
	struct seen *s = seen_new(0);

	seen_add(s, SLICE("k"), SLICE("a@b"));
	assert_false(seen_has(s, SLICE("k"), SLICE("a@b")));
	seen_free(&s);
}
