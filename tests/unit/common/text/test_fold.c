#include "text/fold.h"

#include "lib/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/text.h"

static const struct {
	const char *name;
	struct slice text, needle;
	bool want;
} rows[] = {
	{ "an empty needle", SLICE_INIT("abc"), SLICE_INIT(""), true },
	{ "an empty needle in nothing", SLICE_INIT(""), SLICE_INIT(""), true },
	{ "nothing has nothing of it", SLICE_INIT(""), SLICE_INIT("a"), false },
	{ "case", SLICE_INIT("Hello World"), SLICE_INIT("LO wO"), true },
	{ "the whole", SLICE_INIT("abc"), SLICE_INIT("ABC"), true },
	{ "too long", SLICE_INIT("abc"), SLICE_INIT("abcd"), false },
	{ "not in a row", SLICE_INIT("a b c"), SLICE_INIT("abc"), false },
	{ "case beyond ASCII", SLICE_INIT("\xc3\x89T\xc3\x89"), SLICE_INIT("\xc3\xa9t\xc3\xa9"),
	  true },
	{ "composed finds decomposed",
	  SLICE_INIT("caf"
	             "e\xcc\x81"),
	  SLICE_INIT("CAF\xc3\x89"), true },
	{ "decomposed finds composed", SLICE_INIT("caf\xc3\xa9"), SLICE_INIT("cafe\xcc\x81"),
	  true },
	{ "SS finds a sharp s",
	  SLICE_INIT("stra\xc3\x9f"
	             "e"),
	  SLICE_INIT("STRASSE"), true },
	{ "a sharp s finds SS", SLICE_INIT("STRASSE"),
	  SLICE_INIT("stra\xc3\x9f"
	             "e"),
	  true },
	{ "the final sigma", SLICE_INIT("\xce\xa3\xce\x9f\xce\xa3"),
	  SLICE_INIT("\xcf\x83\xce\xbf\xcf\x82"), true },
	{ "Cyrillic", SLICE_INIT("\xd0\x9c\xd0\xb8\xd1\x80"),
	  SLICE_INIT("\xd0\xbc\xd0\x98\xd0\xa0"), true },
	{ "the Kelvin sign", SLICE_INIT("\xe2\x84\xaa"), SLICE_INIT("k"), true },
	{ "Hangul by its letters", SLICE_INIT("\xea\xb0\x80"),
	  SLICE_INIT("\xe1\x84\x80\xe1\x85\xa1"), true },
	{ "another letter", SLICE_INIT("caf\xc3\xa8"), SLICE_INIT("caf\xc3\xa9"), false },
	{ "bytes that are no UTF-8", SLICE_INIT("a\xff\xfe z"), SLICE_INIT("\xff\xfe Z"), true },
	{ "and differ", SLICE_INIT("a\xff"), SLICE_INIT("\xfe"), false },
	{ "behind such bytes", SLICE_INIT("\xe9\xc3\x89"), SLICE_INIT("\xc3\xa9"), true },
	{ "a NUL", SLICE_INIT("a\0B"), SLICE_INIT("\0b"), true },
	{ "a needle that overlaps itself", SLICE_INIT("aabaabaaab"), SLICE_INIT("aabaaab"), true },
	{ "a false start", SLICE_INIT("aaab"), SLICE_INIT("aab"), true },
};

TEST(texts_that_contain)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fold_needle *n = fold_needle_new(rows[i].needle);

		test_check(fold_contains(n, rows[i].text) == rows[i].want, "%s", rows[i].name);
		fold_needle_free(&n);
		assert_null(n);
		fold_needle_free(&n);
	}
}

static void
add_random(struct buf *b)
{
	static const char *const bits[] = {
		"a",  "B",        " ",    "\xc3\xa9", "\xc3\x89",         "e\xcc\x81",   "\xc3\x9f",
		"SS", "\xcf\x82", "\xff", "\xc3",     "\xf0\x9f\x98\x80", "\xe6\x97\xa5"
	};

	buf_add_str(b, bits[(size_t)rand() % ARRAY_LEN(bits)]);
}

TEST(each_piece_of_a_random_text_is_found_in_it)
{
	srand(13);
	for (int i = 0; i < 20000; i++) {
		struct buf needle = BUF_INIT(SIZE_MAX), text = BUF_INIT(SIZE_MAX);
		struct buf folded = BUF_INIT(SIZE_MAX);
		struct fold_needle *n;

		for (int k = rand() % 8; k >= 0; k--)
			add_random(&needle);
		buf_add_str(&text, "x ");
		for (int k = rand() % 20; k >= 0; k--)
			add_random(&text);
		buf_add_str(&text, " ");
		buf_add_slice(&text, buf_slice(&needle));
		buf_add_str(&text, " z");
		n = fold_needle_new(buf_slice(&needle));
		assert_true(fold_contains(n, buf_slice(&text)));
		fold_needle_free(&n);
		/* and what is folded finds the same */
		fold_add(&folded, buf_slice(&needle));
		n = fold_needle_new(buf_slice(&folded));
		assert_true(fold_contains(n, buf_slice(&text)));
		fold_needle_free(&n);
		buf_fini(&needle);
		buf_fini(&text);
		buf_fini(&folded);
	}
}

/* Texts are folded in pieces of some kilobytes: a needle across any place. */
static void
check_across(const char *fill, const char *text, struct slice needle)
{
	struct fold_needle *n = fold_needle_new(needle);

	for (size_t before = 4040; before < 4110; before++) {
		struct buf b = BUF_INIT(SIZE_MAX);

		for (size_t i = 0; i < before / strlen(fill); i++)
			buf_add_str(&b, fill);
		for (size_t i = 0; i < before % strlen(fill); i++)
			buf_add_char(&b, '.');
		assert_false(fold_contains(n, buf_slice(&b)));
		buf_add_str(&b, text);
		test_check(fold_contains(n, buf_slice(&b)), "%s behind %zu", text, before);
		buf_add_str(&b, fill);
		test_check(fold_contains(n, buf_slice(&b)), "%s behind %zu", text, before);
		buf_fini(&b);
	}
	fold_needle_free(&n);
}

TEST(needles_across_pieces)
{
	check_across("x", "Hello W\xc3\x96rld", SLICE("hello w\xc3\xb6rld"));
	check_across("x",
	             "caf"
	             "e\xcc\x81s",
	             SLICE("caf\xc3\xa9s"));
	check_across("\xe6\x97\xa5", "\xd0\x9c\xd0\x98\xd0\xa0", SLICE("\xd0\xbc\xd0\xb8\xd1\x80"));
	check_across("\xe6\x97\xa5", "e\xcc\x81", SLICE("\xc3\xa9"));
	check_across("\xe9", "\xff\xfe", SLICE("\xff\xfe"));
	check_across("\xf0\x9f\x98\x80",
	             "stra\xc3\x9f"
	             "e",
	             SLICE("STRASSE"));
}

TEST(a_pathological_needle_takes_no_time)
{
	struct buf needle = BUF_INIT(SIZE_MAX), text = BUF_INIT(SIZE_MAX);
	clock_t start = clock();
	struct fold_needle *n;

	for (int i = 0; i < 100000; i++)
		buf_add_char(&needle, 'a');
	buf_add_char(&needle, 'b');
	for (int i = 0; i < 4000000; i++)
		buf_add_char(&text, 'a');
	n = fold_needle_new(buf_slice(&needle));
	assert_false(fold_contains(n, buf_slice(&text)));
	buf_add_char(&text, 'B');
	assert_true(fold_contains(n, buf_slice(&text)));
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
	fold_needle_free(&n);
	buf_fini(&needle);
	buf_fini(&text);
}

/* Each row sorts before the next one. */
static const struct slice in_order[] = {
	SLICE_INIT(""),         SLICE_INIT("ab"),
	SLICE_INIT("ABC"),      SLICE_INIT("a_"),
	SLICE_INIT("b"),        SLICE_INIT("e"),
	SLICE_INIT("\xc3\xa9"), /* é, composed: an e with something behind it */
	SLICE_INIT("f"),        SLICE_INIT("\xef\xbc\xa7"), /* a wide G */
	SLICE_INIT("gg"),       SLICE_INIT("Z"),
	SLICE_INIT("_"),        SLICE_INIT("\xd0\x90"),
	SLICE_INIT("\xd0\xb1"),
};

static const struct {
	struct slice a, b;
} same[] = {
	{ SLICE_INIT("aBc"), SLICE_INIT("AbC") },
	{ SLICE_INIT("\xc3\x89t\xc3\xa9"), SLICE_INIT("e\xcc\x81TE\xcc\x81") },
	{ SLICE_INIT("\xd0\x9c\xd0\xb8\xd1\x80"), SLICE_INIT("\xd0\xbc\xd0\x98\xd0\xa0") },
	{ SLICE_INIT("\xc7\x86"), SLICE_INIT("\xc7\x84") },
	{ SLICE_INIT("a\xff\0b"), SLICE_INIT("AB") },
};

static int
compare(struct slice a, struct slice b)
{
	struct buf one = BUF_INIT(SIZE_MAX), two = BUF_INIT(SIZE_MAX);
	int c;

	fold_add_collated(&one, a);
	fold_add_collated(&two, b);
	c = strcmp(buf_cstr(&one), buf_cstr(&two));
	buf_fini(&one);
	buf_fini(&two);
	return c;
}

TEST(texts_in_their_order)
{
	for (size_t i = 0; i + 1 < ARRAY_LEN(in_order); i++)
		test_check(compare(in_order[i], in_order[i + 1]) < 0, "%zu", i);
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		test_check(compare(same[i].a, same[i].b) == 0, "the same %zu", i);
}
