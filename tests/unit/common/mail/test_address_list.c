/* Header lists: what can be made out of them, and that any bytes come to an end. */
#include "mail/address.h"

#include "lib/test.h"

#include <stdlib.h>

static void
describe(const struct address_list *l, struct buf *out)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct address_item *it = &l->items[i];
		static const char *const kinds[] = { "", "group ", "end " };

		buf_printf(out, "%s[%.*s|%.*s@%.*s]", kinds[it->kind], SLICE_ARG(it->name),
		           SLICE_ARG(it->local), SLICE_ARG(it->domain));
	}
}

static const struct {
	const char *name, *value, *want;
} rows[] = {
	{ "an address alone", "a@b.example", "[|a@b.example]" },
	{ "a name and an address", "Ann B <a@b>", "[Ann B|a@b]" },
	{ "a quoted name", "\"B, Ann\" <a@b>", "[B, Ann|a@b]" },
	{ "a comment is a name when there is none", "a@b (Ann)", "[Ann|a@b]" },
	{ "two, folded", "a@b,\r\n c@d", "[|a@b][|c@d]" },
	{ "a group", "x: a@b, c@d;", "group [x|@][|a@b][|c@d]end [|@]" },
	{ "an empty group", "undisclosed-recipients:;",
	  "group [undisclosed-recipients|@]end [|@]" },
	{ "a quoted local part", "\"a b\"@c", "[|a b@c]" },
	{ "a domain literal", "a@[192.0.2.1]", "[|a@[192.0.2.1]]" },
	{ "a parenthesis that closes nothing", ")", "" },
	{ "and one behind a word", "a) b@c", NULL },
	{ "brackets that close nothing", "a]>@b", NULL },
	{ "a comment that does not end", "a@b (x", NULL },
	{ "a string that does not end", "\"a", NULL },
	{ "an angle that does not end", "x <a@b", NULL },
	{ "a name with a dot", "A. B. Cee <a@b>", "[A. B. Cee|a@b]" },
	{ "a name of words and strings", "Ann \"the\" B <a@b>", "[Ann the B|a@b]" },
	{ "a name with an escaped quote", "\"a\\\"b\" <a@b>", "[a\"b|a@b]" },
	{ "comments around everything", "(x) a (y) @ (z) b (last)", "[last|a@b]" },
	{ "a nested comment", "a@b (x (y) z)", "[x (y) z|a@b]" },
	{ "blanks around dots", "a . b @ c . d", "[|a.b@c.d]" },
	{ "strings joined by a dot", "\"a b\".c@d", "[|a b.c@d]" },
	{ "a route", "A <@x,@y:a@b>", "[A|a@b]" },
	{ "encoded words stay", "=?utf-8?q?=C3=A9?= <a@b>", "[=?utf-8?q?=C3=A9?=|a@b]" },
	{ "a name before an address without brackets", "Ann a@b", "[Ann|a@b]" },
	{ "an address behind an address", "A <a@b> c, d@e", "[A|a@b][|d@e]" },
	{ "empty brackets", "<>", "[|@]" },
	{ "a name with empty brackets", "Ann <>", "[Ann|@]" },
	{ "no domain", "fred", "[|fred@]" },
	{ "a group in a list", "a@b, x:;, c@d", "[|a@b]group [x|@]end [|@][|c@d]" },
	{ "a group that does not end", "x: a@b", "group [x|@][|a@b]end [|@]" },
	{ "a group in a group is a word", "x: y: a@b;", "group [x|@][y|a@b]end [|@]" },
	{ "nothing", "", "" },
	{ "only commas", ",,,", "" },
};

TEST(lists_are_read_leniently)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new("test");
		struct buf out = BUF_INIT(SIZE_MAX);
		struct address_list list;

		address_list_parse(a, slice_of(rows[i].value), 100, &list);
		describe(&list, &out);
		if (rows[i].want != NULL)
			test_eq_str(rows[i].name, buf_cstr(&out), rows[i].want);
		buf_fini(&out);
		arena_free(&a);
	}
}

TEST(any_bytes_come_to_an_end)
{
	static const char bytes[] = "()<>[]:;@,\"\\ .a\r\n\t";

	srand(1);
	for (int round = 0; round < 20000; round++) {
		struct arena *a = arena_new("test");
		struct address_list list;
		char text[24];
		size_t n = (size_t)rand() % sizeof(text);

		for (size_t i = 0; i < n; i++)
			text[i] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
		address_list_parse(a, slice_make(text, n), 10, &list);
		assert_true(list.count <= 10);
		arena_free(&a);
	}
}

TEST(more_than_wanted_are_cut)
{
	struct arena *a = arena_new("test");
	struct address_list list;

	address_list_parse(a, SLICE("a@b, c@d, e@f"), 2, &list);
	assert_int_equal(list.count, 2);
	assert_true(list.cut);
	arena_free(&a);
}

TEST(a_group_that_is_cut_has_its_end)
{
	for (size_t max = 0; max < 8; max++) {
		struct arena *a = arena_new("test");
		struct address_list list;
		int open = 0;

		address_list_parse(a, SLICE("a@b, x: c@d, e@f; y:; g@h"), max, &list);
		assert_true(list.count <= max);
		assert_true(list.cut);
		for (size_t i = 0; i < list.count; i++) {
			open += list.items[i].kind == ADDRESS_GROUP_START;
			open -= list.items[i].kind == ADDRESS_GROUP_END;
		}
		test_check(open == 0, "%zu", max);
		arena_free(&a);
	}
}
