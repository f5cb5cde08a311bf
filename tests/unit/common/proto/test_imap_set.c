#include "lib/test.h"
#include "proto/imap_set.h"

#include <string.h>

static struct arena *arena;

static bool
read_set(const char *text, struct imap_set *s, struct imap_args *a)
{
	imap_args_init(a, arena, "FETCH", slice_of(text));
	return imap_set_read(a, "message set", s);
}

/* As "1:3,5". */
static void
add_set(struct buf *out, const struct imap_set *s)
{
	struct imap_set_writer w;

	imap_set_writer_init(&w, out);
	for (size_t i = 0; i < s->count; i++) {
		const struct imap_range *r = &s->ranges[i];

		assert_true(r->first <= r->last);
		imap_set_writer_add(&w, r->first);
		/* ends only, so that large ranges cost nothing */
		if (r->last - r->first > 100) {
			w.last = r->last;
			continue;
		}
		for (uint32_t n = r->first; n < r->last; n++)
			imap_set_writer_add(&w, n + 1);
	}
	imap_set_writer_end(&w);
}

static const struct set_case {
	const char *name, *in;
	uint32_t star;
	const char *want; /* NULL: not a set */
	uint32_t largest;
	uint64_t numbers;
} cases[] = {
	{ "one number", "7", 9, "7", 7, 1 },
	{ "a range", "2:4", 9, "2:4", 4, 3 },
	{ "a range the wrong way round", "4:2", 9, "2:4", 4, 3 },
	{ "a star", "*", 9, "9", 0, 1 },
	{ "from a number to the star", "5:*", 9, "5:9", 0, 5 },
	{ "from the star to a number", "*:5", 9, "5:9", 0, 5 },
	{ "the star is below the number", "12:*", 9, "9:12", 0, 4 },
	{ "star to star", "*:*", 9, "9", 0, 1 },
	{ "a star of nothing", "*", 0, "", 0, 0 },
	{ "a range to the star of nothing", "3,1:*", 0, "3", 3, 1 },
	{ "unordered, merged where they touch", "7:9,1,5,2,6", 9, "1:2,5:9", 9, 7 },
	{ "overlapping", "1:5,3:8,4", 9, "1:8", 8, 8 },
	{ "one inside another", "1:100,5:6,50:200", 9, "1:200", 200, 200 },
	{ "twice the same", "3,3,3", 9, "3", 3, 1 },
	{ "the largest numbers", "4294967295,4294967294", 9, "4294967294:4294967295", 4294967295u,
	  2 },
	{ "everything", "1:4294967295", 9, "1:4294967295", 4294967295u, 4294967295u },
	{ "zero", "0", 9, NULL, 0, 0 },
	{ "zero in a range", "0:3", 9, NULL, 0, 0 },
	{ "2^32", "4294967296", 9, NULL, 0, 0 },
	{ "nothing", "", 9, NULL, 0, 0 },
	{ "a comma at the end", "1,", 9, NULL, 0, 0 },
	{ "a comma in front", ",1", 9, NULL, 0, 0 },
	{ "a range without end", "1:", 9, NULL, 0, 0 },
	{ "a range without start", ":1", 9, NULL, 0, 0 },
	{ "three ends", "1:2:3", 9, NULL, 0, 0 },
	{ "a letter", "1a", 9, NULL, 0, 0 },
	{ "a sign", "-1", 9, NULL, 0, 0 },
	{ "two stars", "**", 9, NULL, 0, 0 },
};

TEST(sets_are_read_and_put_in_order)
{
	arena = arena_new("test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct set_case *c = &cases[i];
		struct buf out = BUF_INIT(1000);
		struct imap_args a;
		struct imap_set s;

		if (!read_set(c->in, &s, &a)) {
			test_check(c->want == NULL, "%s: %s", c->name, imap_args_bad(&a));
			continue;
		}
		test_check(c->want != NULL, "%s", c->name);
		assert_int_equal(imap_set_largest(&s), c->largest);
		imap_set_resolve(&s, c->star);
		add_set(&out, &s);
		test_eq_slice(c->name, buf_slice(&out), slice_of(c->want));
		assert_int_equal(imap_set_numbers(&s), c->numbers);
		buf_fini(&out);
	}
	arena_free(&arena);
}

TEST(a_set_ends_where_no_set_goes_on)
{
	struct imap_args a;
	struct imap_set s;

	arena = arena_new("test");
	assert_true(read_set("1:2,3 (FLAGS)", &s, &a));
	test_eq_slice("rest", a.rest, SLICE(" (FLAGS)"));
	assert_int_equal(s.count, 2);
	arena_free(&arena);
}

TEST(ranges_are_bounded)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct imap_args a;
	struct imap_set s;

	arena = arena_new("test");
	for (uint32_t i = 1; i <= IMAP_SET_RANGES_MAX; i++)
		buf_printf(&text, "%s%u", i > 1 ? "," : "", 2 * i);
	assert_true(read_set(buf_cstr(&text), &s, &a));
	imap_set_resolve(&s, 1);
	assert_int_equal(s.count, IMAP_SET_RANGES_MAX);
	for (uint32_t i = 1; i <= 2 * IMAP_SET_RANGES_MAX + 1; i++)
		assert_true(imap_set_has(&s, i) == (i % 2 == 0));
	buf_add_str(&text, ",1");
	assert_false(read_set(buf_cstr(&text), &s, &a));
	assert_string_equal(imap_args_bad(&a), "Too many ranges in the message set in FETCH");
	buf_fini(&text);
	arena_free(&arena);
}

TEST(numbers_are_written_short)
{
	static const struct {
		uint32_t numbers[6];
		size_t count;
		const char *want;
	} rows[] = {
		{ { 0 }, 0, "" },
		{ { 5 }, 1, "5" },
		{ { 5, 6 }, 2, "5:6" },
		{ { 1, 2, 3, 5, 7, 8 }, 6, "1:3,5,7:8" },
		{ { 4294967294u, 4294967295u }, 2, "4294967294:4294967295" },
		/* COPYUID keeps the order it is given */
		{ { 9, 10, 3, 4 }, 4, "9:10,3:4" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(100);

		imap_set_add_numbers(&out, rows[i].numbers, rows[i].count);
		test_eq_slice("set", buf_slice(&out), slice_of(rows[i].want));
		buf_fini(&out);
	}
}
