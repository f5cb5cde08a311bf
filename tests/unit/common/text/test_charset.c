#include "text/charset.h"

#include "lib/test.h"

#include <stdlib.h>

#include "base/text.h"

#define BAD "\xef\xbf\xbd"

static const struct {
	const char *name, *charset;
	struct slice in, want;
} rows[] = {
	{ "UTF-8", "UTF-8", SLICE_INIT("a\xc3\xa9"), SLICE_INIT("a\xc3\xa9") },
	{ "broken UTF-8", "utf8", SLICE_INIT("a\xe9z\xc3"), SLICE_INIT("a" BAD "z" BAD) },
	{ "a surrogate in UTF-8", "utf-8", SLICE_INIT("\xed\xa0\x80"), SLICE_INIT(BAD BAD BAD) },
	{ "ASCII", "us-ascii", SLICE_INIT("abc"), SLICE_INIT("abc") },
	{ "UTF-8 that says it is ASCII", "US-ASCII", SLICE_INIT("\xc3\xa9"),
	  SLICE_INIT("\xc3\xa9") },
	{ "UTF-8 that says nothing", "", SLICE_INIT("\xc3\xa9"), SLICE_INIT("\xc3\xa9") },
	{ "Latin-1 that says nothing", "", SLICE_INIT("a\xe9"), SLICE_INIT("a\xc3\xa9") },
	{ "Latin-1", "ISO-8859-1", SLICE_INIT("a\xe9"), SLICE_INIT("a\xc3\xa9") },
	{ "Latin-1 is windows-1252", "latin1", SLICE_INIT("\x80"), SLICE_INIT("\xe2\x82\xac") },
	{ "an octet windows-1252 lacks", "windows-1252", SLICE_INIT("a\x81z"),
	  SLICE_INIT("a" BAD "z") },
	{ "Latin-9", "iso-8859-15", SLICE_INIT("\xa4"), SLICE_INIT("\xe2\x82\xac") },
	{ "Latin-2", "iso-8859-2", SLICE_INIT("\xb3"), SLICE_INIT("\xc5\x82") },
	{ "blanks around the name", " koi8-r ", SLICE_INIT("\xcd"), SLICE_INIT("\xd0\xbc") },
	{ "Hebrew, whose last letter waits for points", "windows-1255", SLICE_INIT("\xf9\xe9"),
	  SLICE_INIT("\xd7\xa9\xd7\x99") },
	{ "Vietnamese, whose last letter waits for a tone", "windows-1258", SLICE_INIT("\xe0\x61"),
	  SLICE_INIT("\xc3\xa0"
	             "a") },
	{ "Vietnamese, a letter and its tone", "windows-1258", SLICE_INIT("\xe3\xec"),
	  SLICE_INIT("\xe1\xba\xaf") },
	{ "Hong Kong's, whose last letter may wait", "big5-hkscs", SLICE_INIT("\x88\x66"),
	  SLICE_INIT("\xc3\x8a") },
	{ "Japanese by escapes", "ISO-2022-JP", SLICE_INIT("\033$BF|K\\\033(B!"),
	  SLICE_INIT("\xe6\x97\xa5\xe6\x9c\xac!") },
	{ "Japanese by Shift", "shift_jis", SLICE_INIT("\x93\xfa\x96\x7b"),
	  SLICE_INIT("\xe6\x97\xa5\xe6\x9c\xac") },
	{ "Japanese by EUC", "euc-jp", SLICE_INIT("\xc6\xfc\xcb\xdc"),
	  SLICE_INIT("\xe6\x97\xa5\xe6\x9c\xac") },
	{ "a cut sequence at the end", "euc-jp", SLICE_INIT("a\xc6"), SLICE_INIT("a" BAD) },
	{ "Chinese", "gb2312", SLICE_INIT("\xd6\xd0\xce\xc4"),
	  SLICE_INIT("\xe4\xb8\xad\xe6\x96\x87") },
	{ "Chinese beyond GBK", "gb18030", SLICE_INIT("\x94\x39\xfc\x36"),
	  SLICE_INIT("\xf0\x9f\x98\x80") },
	{ "Big5", "big5", SLICE_INIT("\xa4\xa4"), SLICE_INIT("\xe4\xb8\xad") },
	{ "Korean", "ks_c_5601-1987", SLICE_INIT("\xb0\xa1"), SLICE_INIT("\xea\xb0\x80") },
	{ "UTF-7", "utf-7", SLICE_INIT("a+AOk-b"),
	  SLICE_INIT("a\xc3\xa9"
	             "b") },
	{ "UTF-16 from its end", "utf-16le", SLICE_INIT("a\0\xe9\0"), SLICE_INIT("a\xc3\xa9") },
	{ "UTF-16 with its mark", "utf-16", SLICE_INIT("\xfe\xff\0a"), SLICE_INIT("a") },
	{ "a lone surrogate in UTF-16", "utf-16be", SLICE_INIT("\xdc\0\0a"), SLICE_INIT(BAD "a") },
	{ "nothing", "iso-2022-jp", SLICE_INIT(""), SLICE_INIT("") },
};

TEST(text_becomes_utf8)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		buf_add_char(&out, 'x');
		assert_true(charset_is_known(slice_of(rows[i].charset)));
		test_check(charset_to_utf8(slice_of(rows[i].charset), rows[i].in, &out), "%s",
		           rows[i].name);
		test_eq_slice(rows[i].name, slice_skip(buf_slice(&out), 1), rows[i].want);
		buf_fini(&out);
	}
}

TEST(only_known_names_reach_iconv)
{
	static const char *const names[] = {
		"x-none",          "UTF-8//TRANSLIT",
		"utf-8\n",         "../utf-8",
		"ebcdic-us",       "utf-32",
		"ISO-2022-CN-EXT", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);
		bool trimmed = i == 2; /* blanks around a name are not its own */

		assert_int_equal(charset_is_known(slice_of(names[i])), trimmed);
		test_check(charset_to_utf8(slice_of(names[i]), SLICE("a"), &out) == trimmed, "%s",
		           names[i]);
		assert_int_equal(out.len, trimmed);
		buf_fini(&out);
	}
}

/* Longer than the chunk of a conversion, with the cut at every place of a character. */
TEST(long_texts_are_converted_whole)
{
	for (size_t shift = 0; shift < 6; shift++) {
		struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(SIZE_MAX);
		struct buf want = BUF_INIT(SIZE_MAX);

		for (size_t i = 0; i < shift; i++) {
			buf_add_char(&in, 'a');
			buf_add_char(&want, 'a');
		}
		for (int i = 0; i < 10000; i++) {
			buf_add_str(&in, "\x93\xfa");
			buf_add_str(&want, "\xe6\x97\xa5");
		}
		assert_true(charset_to_utf8(SLICE("shift_jis"), buf_slice(&in), &out));
		assert_true(slice_eq(buf_slice(&out), buf_slice(&want)));
		buf_fini(&in);
		buf_fini(&out);
		buf_fini(&want);
	}
}

TEST(a_limit_is_kept)
{
	struct buf in = BUF_INIT(SIZE_MAX), out = BUF_INIT(10000);

	for (int i = 0; i < 100000; i++)
		buf_add_char(&in, '\xe9');
	assert_true(charset_to_utf8(SLICE("koi8-r"), buf_slice(&in), &out));
	assert_true(out.overflow && out.len <= 10000);
	buf_fini(&in);
	buf_fini(&out);
}

/* One descriptor is kept; what one text left in it must not reach the next. */
TEST(random_bytes_of_every_charset_become_utf8)
{
	srand(12);
	for (int i = 0; i < 60000; i++) {
		struct slice charset = slice_of(rows[(size_t)rand() % ARRAY_LEN(rows)].charset);
		struct buf out = BUF_INIT(SIZE_MAX), again = BUF_INIT(SIZE_MAX);
		char in[24];
		size_t n = (size_t)rand() % sizeof(in);

		for (size_t k = 0; k < n; k++)
			in[k] = (char)(rand() % 4 == 0 ? "\033$B(J+-&"[rand() % 8] : rand());
		assert_true(charset_to_utf8(charset, slice_make(in, n), &out));
		test_check(text_is_utf8(buf_slice(&out)), "%.*s", SLICE_ARG(charset));
		assert_true(charset_to_utf8(charset, slice_make(in, n), &again));
		test_eq_slice("again", buf_slice(&again), buf_slice(&out));
		buf_fini(&out);
		buf_fini(&again);
	}
}

TEST(headers_with_all_charsets)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	charset_decode_header(SLICE("=?koi8-r?q?=CD?= =?windows-1255?b?+ek=?=\r\n =?x-none?q?a?="),
	                      &out);
	test_eq_slice("words", buf_slice(&out), SLICE("\xd0\xbc\xd7\xa9\xd7\x99=?x-none?q?a?="));
	buf_fini(&out);
}
