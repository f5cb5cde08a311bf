/* Keys that sort as their criteria do, in steps of any size. */
#include "imap/sort_keys.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>

struct record {
	int64_t number;
	char text[4];
	uint32_t id;
};

static bool reversed_number, reversed_text;

/* What the keys of two records must say. */
static int
compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	if (c != 0)
		return reversed_text ? -c : c;
	c = x->number < y->number ? -1 : x->number > y->number;
	if (c != 0)
		return reversed_number ? -c : c;
	return x->id < y->id ? -1 : 1;
}

static void
check(size_t count, size_t steps)
{
	struct record *all = calloc(count + 1, sizeof(*all));
	struct sort_keys k;

	sort_keys_init(&k, count);
	for (size_t i = 0; i < count; i++) {
		all[i] = (struct record){ .number = (rand() % 7 - 3) * 1000000007LL,
			                  .id = (uint32_t)i };
		snprintf(all[i].text, sizeof(all[i].text), "%.*s", rand() % 4,
		         rand() % 2 == 0 ? "aab" : "\xc3\xa9z");
		sort_keys_start(&k);
		sort_keys_add_text(&k, slice_of(all[i].text), reversed_text);
		sort_keys_add_number(&k, all[i].number, reversed_number);
		assert_true(sort_keys_end(&k, all[i].id));
	}
	while (!sort_keys_sort(&k, steps))
		;
	qsort(all, count, sizeof(*all), compare);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(sort_keys_id(&k, i), all[i].id);
	sort_keys_fini(&k);
	free(all);
}

TEST(any_number_in_steps_of_any_size)
{
	static const size_t counts[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1000 };

	srand(1);
	for (int way = 0; way < 4; way++) {
		reversed_number = (way & 1) != 0;
		reversed_text = (way & 2) != 0;
		for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
			check(counts[i], 1);
			check(counts[i], 5);
			check(counts[i], 100000);
		}
	}
}

TEST(long_texts_count_to_a_point)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct sort_keys k;

	for (int i = 0; i < SORT_TEXT_MAX; i++)
		buf_add_char(&text, 'a');
	sort_keys_init(&k, 3);
	for (uint32_t id = 0; id < 3; id++) {
		sort_keys_start(&k);
		buf_add_char(&text, (char)('z' - id));
		sort_keys_add_text(&k, buf_slice(&text), false);
		assert_true(sort_keys_end(&k, id));
	}
	assert_true(sort_keys_sort(&k, 100));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(sort_keys_id(&k, i), i);
	assert_int_equal(sort_keys_key(&k, 0).n, SORT_TEXT_MAX + 1);
	sort_keys_fini(&k);
	buf_fini(&text);
}
