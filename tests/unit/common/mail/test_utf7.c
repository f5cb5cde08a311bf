#include "mail/utf7.h"

#include "lib/test.h"

#include <stdlib.h>

#include "base/text.h"

static const struct {
	const char *name;
	struct slice utf8;
	const char *utf7;
} pairs[] = {
	{ "ASCII", SLICE_INIT("a b~"), "a b~" },
	{ "nothing", SLICE_INIT(""), "" },
	{ "an ampersand", SLICE_INIT("a&b"), "a&-b" },
	{ "two ampersands", SLICE_INIT("&&"), "&-&-" },
	{ "one letter", SLICE_INIT("\xc3\xa9"), "&AOk-" },
	{ "two letters in one shift", SLICE_INIT("\xc3\xa9\xc3\xa9"), "&AOkA6Q-" },
	{ "an ampersand behind a shift", SLICE_INIT("\xc3\xa9&"), "&AOk-&-" },
	{ "a minus behind a shift", SLICE_INIT("\xc3\xa9-"), "&AOk--" },
	{ "the one of RFC 3501",
	  SLICE_INIT("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"),
	  "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
	{ "beyond the first plane", SLICE_INIT("\xf0\x9f\x98\x80"), "&2D3eAA-" },
	{ "the last of all", SLICE_INIT("\xf4\x8f\xbf\xbf"), "&2,,f,w-" },
	{ "the first that is no control", SLICE_INIT("\xc2\xa0"), "&AKA-" },
	{ "U+FFFF", SLICE_INIT("\xef\xbf\xbf"), "&,,8-" },
};

TEST(both_ways)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		test_check(utf7_from_utf8(pairs[i].utf8, &out), "%s", pairs[i].name);
		test_eq_slice(pairs[i].name, buf_slice(&out), slice_of(pairs[i].utf7));
		assert_true(utf7_is_valid(buf_slice(&out)));
		buf_clear(&out);
		test_check(utf7_to_utf8(slice_of(pairs[i].utf7), &out), "%s", pairs[i].name);
		test_eq_slice(pairs[i].name, buf_slice(&out), pairs[i].utf8);
		buf_fini(&out);
	}
}

static const struct {
	const char *name;
	struct slice in;
} bad[] = {
	{ "raw 8-bit", SLICE_INIT("\xc3\xa9") },
	{ "a NUL", SLICE_INIT("a\0") },
	{ "DEL", SLICE_INIT("\x7f") },
	{ "an ampersand at the end", SLICE_INIT("a&") },
	{ "an ampersand and no shift", SLICE_INIT("a & b") },
	{ "no end of the shift", SLICE_INIT("&AOk") },
	{ "another end", SLICE_INIT("&AOk/") },
	{ "a slash for the comma", SLICE_INIT("&U/BTFw-") },
	{ "padding", SLICE_INIT("&AOk=-") },
	{ "ASCII in a shift", SLICE_INIT("&AGE-") },
	{ "a tilde in a shift", SLICE_INIT("&AH4-") },
	{ "a NUL in a shift", SLICE_INIT("&AAA-") },
	{ "a LF in a shift", SLICE_INIT("&AAo-") },
	{ "a C1 control in a shift", SLICE_INIT("&AIU-") },
	{ "pad bits set", SLICE_INIT("&AOl-") },
	{ "a digit too many", SLICE_INIT("&AOkA-") },
	{ "too few digits", SLICE_INIT("&AO-") },
	{ "one digit", SLICE_INIT("&A-") },
	{ "two shifts in a row", SLICE_INIT("&AOk-&AOk-") },
	{ "a high surrogate alone", SLICE_INIT("&2D0-") },
	{ "a low surrogate alone", SLICE_INIT("&3gA-") },
	{ "two high surrogates", SLICE_INIT("&2D3YPQ-") },
	{ "surrogates in disorder", SLICE_INIT("&3gDYPQ-") },
	{ "a surrogate pair cut by a shift", SLICE_INIT("&2D0-a&3gA-") },
};

TEST(what_has_another_spelling_is_not_valid)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		buf_add_char(&out, 'x');
		test_check(!utf7_is_valid(bad[i].in), "%s", bad[i].name);
		test_check(!utf7_to_utf8(bad[i].in, &out), "%s", bad[i].name);
		test_eq_slice(bad[i].name, buf_slice(&out), SLICE("x"));
		buf_fini(&out);
	}
}

static const struct slice no_utf8[] = {
	SLICE_INIT("\xc3"),         SLICE_INIT("\xe9"),     SLICE_INIT("\xc0\xaf"),
	SLICE_INIT("\xed\xa0\x80"), SLICE_INIT("a\0b"),     SLICE_INIT("a\nb"),
	SLICE_INIT("\x7f"),         SLICE_INIT("\xc2\x85"), SLICE_INIT("\xf4\x90\x80\x80"),
};

TEST(what_is_not_utf8_or_has_controls_is_not_encoded)
{
	for (size_t i = 0; i < ARRAY_LEN(no_utf8); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		test_check(!utf7_from_utf8(no_utf8[i], &out), "row %zu", i);
		assert_int_equal(out.len, 0);
		buf_fini(&out);
	}
}

/* Each name has one spelling: what decodes is what encoding the result gives. */
TEST(random_text_has_one_spelling)
{
	static const char digits[] = "&&-,+AOkUBTFw2D3eb a";
	unsigned valid = 0;

	srand(8);
	for (int i = 0; i < 500000; i++) {
		struct buf utf8 = BUF_INIT(SIZE_MAX), again = BUF_INIT(SIZE_MAX);
		char in[12];
		size_t n = (size_t)rand() % sizeof(in);

		for (size_t k = 0; k < n; k++)
			in[k] = digits[(size_t)rand() % (sizeof(digits) - 1)];
		if (utf7_to_utf8(slice_make(in, n), &utf8)) {
			valid++;
			assert_true(text_is_utf8(buf_slice(&utf8)));
			assert_true(utf7_from_utf8(buf_slice(&utf8), &again));
			test_eq_slice("again", buf_slice(&again), slice_make(in, n));
		}
		buf_fini(&utf8);
		buf_fini(&again);
	}
	assert_true(valid > 1000);
}

TEST(every_character_comes_back)
{
	for (uint32_t cp = 0x20; cp <= 0x10ffff; cp++) {
		struct buf in = BUF_INIT(SIZE_MAX), wire = BUF_INIT(SIZE_MAX);
		struct buf out = BUF_INIT(SIZE_MAX);

		if ((cp >= 0xd800 && cp <= 0xdfff) || (cp >= 0x7f && cp < 0xa0))
			continue;
		text_utf8_add(&in, cp);
		text_utf8_add(&in, cp);
		assert_true(utf7_from_utf8(buf_slice(&in), &wire));
		assert_true(utf7_to_utf8(buf_slice(&wire), &out));
		test_check(slice_eq(buf_slice(&in), buf_slice(&out)), "U+%04X", cp);
		buf_fini(&in);
		buf_fini(&wire);
		buf_fini(&out);
		if (cp >= 0x20000)
			cp += 996; /* the rest is alike */
	}
}
