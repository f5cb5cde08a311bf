/* origin: what is taken for an address, and for the name of a session. */
#include "proto/origin.h"

#include "lib/test.h"

static const struct {
	struct slice text;
	bool address, session;
} rows[] = {
	{ SLICE_INIT("192.0.2.1"), true, true },
	{ SLICE_INIT("2001:db8::1"), true, true },
	{ SLICE_INIT(""), false, false },
	{ SLICE_INIT("192.0.2"), false, true },
	{ SLICE_INIT("192.0.2.0/24"), false, true },
	{ SLICE_INIT("192.0.2.1\0"), false, false },
	{ SLICE_INIT("192.0.2.1 "), false, false },
	{ SLICE_INIT("[192.0.2.1]"), false, false },
	{ SLICE_INIT("IPv6:::1"), false, true },
	{ SLICE_INIT("abcdefghijklmnop"), false, true },
	{ SLICE_INIT("A-b_c.d+e/f=g:h"), false, true },
	{ SLICE_INIT("a\r\nb"), false, false },
	{ SLICE_INIT("a\"b"), false, false },
	{ SLICE_INIT("\xc3\xa4"), false, false },
	{ SLICE_INIT("0123456789012345678901234567890123456789012345678901234567890123"), false,
	  true },
	{ SLICE_INIT("01234567890123456789012345678901234567890123456789012345678901234"), false,
	  false },
};

TEST(only_what_looks_like_one_is_taken)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		test_check(origin_is_address(rows[i].text) == rows[i].address, "\"%.*s\"",
		           SLICE_ARG(rows[i].text));
		test_check(origin_is_session(rows[i].text) == rows[i].session, "\"%.*s\"",
		           SLICE_ARG(rows[i].text));
	}
}
