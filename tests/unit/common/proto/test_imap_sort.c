/* What SORT and THREAD say in front of a search program, and that program. */
#include "proto/imap_sort.h"

#include "lib/test.h"
#include "proto/imap_search.h"

#include <stdlib.h>
#include <string.h>

static const struct sort_case {
	const char *name, *in, *want; /* want NULL: an error, whose text is bad */
	const char *bad;
} sorts[] = {
	{ "one key", " (DATE) UTF-8 ALL", "2 ", NULL },
	{ "all keys",
	  " (arrival cc date displayfrom displayto from size subject to) us-ascii 1:* seen",
	  "0 1 2 3 4 5 6 7 8 ", NULL },
	{ "reversed", " (REVERSE DATE subject reverse size) \"utf-8\" ALL", "-2 7 -6 ", NULL },
	{ "a key again", " (DATE REVERSE DATE SIZE DATE) UTF-8 ALL", "2 6 ", NULL },
	{ "no key", " () UTF-8 ALL", NULL, "Missing sort criterion in SORT" },
	{ "reversed nothing", " (REVERSE) UTF-8 ALL", NULL, "Missing space in SORT" },
	{ "twice reversed", " (REVERSE REVERSE DATE) UTF-8 ALL", NULL,
	  "Unknown sort criterion in SORT" },
	{ "an unknown key", " (BCC) UTF-8 ALL", NULL, "Unknown sort criterion in SORT" },
	{ "no parentheses", " DATE UTF-8 ALL", NULL, "Missing sort criteria in SORT" },
	{ "no charset", " (DATE) ALL", NULL, "Missing an argument in SORT" },
	{ "no program", " (DATE) UTF-8", NULL, "Missing an argument in SORT" },
};

static bool
read_sort(struct arena *arena, struct slice in, struct imap_sort *sort, struct imap_args *a)
{
	struct imap_search search;

	imap_args_init(a, arena, "SORT", in);
	return imap_sort_read(a, sort) && imap_search_read_sorted(a, &search);
}

TEST(sort_programs)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
		const struct sort_case *c = &sorts[i];
		struct buf out = BUF_INIT(1000);
		struct imap_sort sort;
		struct imap_args a;

		if (read_sort(arena, slice_of(c->in), &sort, &a)) {
			for (unsigned k = 0; k < sort.count; k++)
				buf_printf(&out, "%s%d ", sort.by[k].reverse ? "-" : "",
				           (int)sort.by[k].key);
			test_check(c->want != NULL, "%s: got %s", c->name, buf_cstr(&out));
			test_eq_str(c->name, buf_cstr(&out), c->want);
		} else {
			test_check(c->want == NULL, "%s: %s", c->name, imap_args_bad(&a));
			test_eq_str(c->name, imap_args_bad(&a), c->bad);
		}
		buf_fini(&out);
	}
	arena_free(&arena);
}

TEST(sort_programs_cut_anywhere)
{
	struct arena *arena = arena_new("test");

	for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
		for (size_t cut = 0; cut < strlen(sorts[i].in); cut++) {
			char *copy = malloc(cut + (cut == 0));
			struct imap_sort sort;
			struct imap_args a;

			memcpy(copy, sorts[i].in, cut);
			if (!read_sort(arena, slice_make(copy, cut), &sort, &a))
				assert_non_null(imap_args_bad(&a));
			free(copy);
		}
	}
	arena_free(&arena);
}

TEST(threading_algorithms)
{
	struct arena *arena = arena_new("test");
	enum imap_thread t;
	struct imap_args a;

	imap_args_init(&a, arena, "THREAD", SLICE(" references UTF-8 ALL"));
	assert_true(imap_thread_read(&a, &t));
	assert_int_equal(t, IMAP_THREAD_REFERENCES);
	imap_args_init(&a, arena, "THREAD", SLICE(" ORDEREDSUBJECT UTF-8 ALL"));
	assert_true(imap_thread_read(&a, &t));
	assert_int_equal(t, IMAP_THREAD_ORDEREDSUBJECT);
	imap_args_init(&a, arena, "THREAD", SLICE(" REFS UTF-8 ALL"));
	assert_false(imap_thread_read(&a, &t));
	assert_string_equal(imap_args_bad(&a), "Unknown threading algorithm in THREAD");
	arena_free(&arena);
}
