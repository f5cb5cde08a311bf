/* buf: limits, consuming in front, formatted additions. */
#include "base/buf.h"

#include "lib/test.h"

TEST(an_addition_past_the_limit_adds_nothing_and_is_remembered)
{
	struct buf b = BUF_INIT(4);

	buf_add_str(&b, "abc");
	buf_add_str(&b, "de");
	assert_true(b.overflow);
	test_eq_slice("kept", buf_slice(&b), SLICE("abc"));
	buf_add_char(&b, 'd');
	test_eq_slice("fits", buf_slice(&b), SLICE("abcd"));
	buf_fini(&b);
}

TEST(consumed_room_is_used_again)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	for (int i = 0; i < 100000; i++) {
		buf_add_str(&b, "0123456789");
		buf_consume(&b, b.len - 3);
	}
	test_eq_slice("rest", buf_slice(&b), SLICE("789"));
	assert_true(b.cap <= 1024);
	buf_fini(&b);
}

TEST(long_formatted_text_fits_exactly)
{
	struct buf b = BUF_INIT(2000);

	buf_printf(&b, "%01000d", 7);
	buf_printf(&b, "%01000d", 8);
	assert_int_equal(b.len, 2000);
	assert_false(b.overflow);
	buf_printf(&b, "%d", 9);
	assert_true(b.overflow);
	assert_int_equal(buf_cstr(&b)[2000], '\0');
	buf_fini(&b);
}
