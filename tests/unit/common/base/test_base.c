/* slice, num, map, text, arena, list: the ground everything stands on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "lib/test.h"

TEST(words_of_a_list)
{
	static const struct {
		const char *list, *word;
		bool has;
	} words[] = {
		{ "PLAIN LOGIN", "plain", true }, { "PLAIN LOGIN", "LOGIN", true },
		{ "PLAIN LOGIN", "LOG", false },  { "PLAIN LOGIN", "PLAIN LOGIN", false },
		{ "PLAIN  LOGIN", "", false },    { "PLAIN LOGIN", "LOGINS", false },
		{ "", "PLAIN", false },           { "", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		test_check(slice_has_word(slice_of(words[i].list), slice_of(words[i].word)) ==
		                   words[i].has,
		           "\"%s\" in \"%s\"", words[i].word, words[i].list);
}

TEST(slice_cut_walks_the_fields)
{
	struct slice rest = SLICE("a,,b");

	test_eq_slice("first", slice_cut(&rest, ','), SLICE("a"));
	test_eq_slice("second", slice_cut(&rest, ','), SLICE(""));
	test_eq_slice("third", slice_cut(&rest, ','), SLICE("b"));
	assert_null(rest.p);
}

TEST(numbers_are_digits_and_have_a_limit)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t v;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 },
		{ "256", 255, false, 0 },
		{ "255", 255, true, 255 },
		{ "7", 5, false, 0 },
		{ "", 5, false, 0 },
		{ "-1", 5, false, 0 },
		{ "+1", 5, false, 0 },
		{ "1 ", 5, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 0;
		bool ok = num_parse_u64(slice_of(rows[i].text), rows[i].max, &v);

		test_check(ok == rows[i].ok && v == rows[i].v, "\"%s\"", rows[i].text);
	}
}

TEST(a_map_keeps_what_was_set_through_growth_and_deletion)
{
	struct map *m = map_new();
	uint64_t ids[2000];
	struct slice key;
	size_t pos = 0, seen = 0;
	void *value;

	for (uint64_t i = 0; i < 2000; i++) {
		ids[i] = i * 7919;
		assert_null(map_set(m, map_key_u64(&ids[i]), &ids[i]));
	}
	for (uint64_t i = 0; i < 2000; i += 2)
		assert_ptr_equal(map_del(m, map_key_u64(&ids[i])), &ids[i]);
	for (uint64_t i = 0; i < 2000; i++)
		assert_ptr_equal(map_get(m, map_key_u64(&ids[i])), i % 2 == 0 ? NULL : &ids[i]);
	while (map_next(m, &pos, &key, &value)) {
		seen++;
		map_del(m, key);
	}
	assert_int_equal(seen, 1000);
	assert_int_equal(map_count(m), 0);
	map_free(&m);
}

TEST(base64_is_strict)
{
	static const char *const bad[] = { "A",    "AA",   "AAA",      "A===", "AA=A",
		                           "AB==", "AAB=", "AA==AA==", "AA A", "====" };
	struct buf out = BUF_INIT(SIZE_MAX);
	char raw[64];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		test_check(!text_base64_decode(slice_of(bad[i]), &out), "\"%s\"", bad[i]);
	assert_int_equal(out.len, 0);
	for (size_t n = 0; n < sizeof(raw); n++) {
		struct buf enc = BUF_INIT(SIZE_MAX);

		ids_random(raw, n);
		text_base64_add(&enc, slice_make(raw, n));
		assert_true(text_base64_decode(buf_slice(&enc), &out));
		test_eq_slice("round trip", buf_slice(&out), slice_make(raw, n));
		buf_fini(&enc);
		buf_clear(&out);
	}
	buf_fini(&out);
}

TEST(utf8_refuses_what_is_not_shortest_or_not_a_character)
{
	static const char *const bad[] = {
		"\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xc3"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		test_check(!text_is_utf8(slice_of(bad[i])), "row %zu", i);
	assert_true(text_is_utf8(SLICE("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa6")));
}

TEST(arena_memory_is_zeroed_also_after_a_reset)
{
	struct arena *a = arena_new("test");

	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 5000; n += 97) {
			char *p = arena_alloc(a, n);

			for (size_t i = 0; i < n; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, n);
		}
		arena_reset(a);
	}
	arena_free(&a);
	assert_null(a);
}

struct item {
	int v;
	struct list link;
};

TEST(list_each_allows_unlinking_the_current_item)
{
	struct list head;
	struct item items[5], *it;
	int sum = 0;

	list_init(&head);
	for (int i = 0; i < 5; i++) {
		items[i].v = i;
		list_add_tail(&head, &items[i].link);
	}
	LIST_EACH (it, &head, struct item, link) {
		if (it->v % 2 == 0)
			list_del(&it->link);
	}
	LIST_EACH (it, &head, struct item, link)
		sum = sum * 10 + it->v;
	assert_int_equal(sum, 13);
}
