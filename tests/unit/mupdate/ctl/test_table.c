/* table - widths, sides, and cells that do not play with the terminal. */
#include "ctl/table.h"

#include "lib/test.h"

#include <string.h>

TEST(columns_are_as_wide_as_their_widest_cell)
{
	struct table *t = table_new("USER|MESSAGES>|HOME");
	struct buf out = BUF_INIT(4096);

	table_add(t, "fred");
	table_add_int(t, 7);
	table_add(t, "store1");
	table_add(t, "ann@example.org");
	table_add_int(t, 123456789);
	table_add(t, NULL);
	assert_int_equal(table_rows(t), 2);
	table_print(t, &out);
	test_eq_slice("table", buf_slice(&out),
	              SLICE("USER              MESSAGES  HOME\n"
	                    "fred                     7  store1\n"
	                    "ann@example.org  123456789  -\n"));
	table_free(&t);
	assert_null(t);
	buf_fini(&out);
}

TEST(without_rows_there_is_nothing)
{
	struct table *t = table_new("A|B");
	struct buf out = BUF_INIT(100);

	table_print(t, &out);
	assert_int_equal(out.len, 0);
	assert_int_equal(table_rows(t), 0);
	table_free(&t);
	table_free(&t);
	buf_fini(&out);
}

static const struct cell_case {
	const char *name, *in, *out;
} cells[] = {
	{ "plain text stays", "fred", "fred" },
	{ "UTF-8 stays",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e" },
	{ "an escape sequence does nothing", "\x1b[2J", "\\x1b[2J" },
	{ "a line end ends no line", "a\nb\r", "a\\x0ab\\x0d" },
	{ "C1 controls are controls",
	  "\xc2\x9b"
	  "A",
	  "\\xc2\\x9bA" },
	{ "what is not UTF-8 is shown", "\xff\xc3(", "\\xff\\xc3(" },
	{ "DEL", "\x7f", "\\x7f" },
};

TEST(cells_are_harmless)
{
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		struct buf out = BUF_INIT(1000);

		table_add_clean(&out, cells[i].in);
		test_eq_str(cells[i].name, buf_cstr(&out), cells[i].out);
		buf_fini(&out);
	}
}

TEST(characters_count_not_bytes)
{
	struct table *t = table_new("A|B");
	struct buf out = BUF_INIT(1000);

	table_add(t, "\xc3\xbc\xc3\xbc");
	table_add(t, "x");
	table_add(t, "abc");
	table_add(t, "y");
	table_print(t, &out);
	test_eq_slice("table", buf_slice(&out), SLICE("A    B\n\xc3\xbc\xc3\xbc   x\nabc  y\n"));
	table_free(&t);
	buf_fini(&out);
}

static const struct age_case {
	uint64_t seconds;
	const char *text;
} ages[] = {
	{ 0, "0s" },       { 59, "59s" },      { 60, "1m 0s" },
	{ 3661, "1h 1m" }, { 90061, "1d 1h" }, { 86400ull * 400, "400d 0h" },
};

static const struct bytes_case {
	uint64_t bytes;
	const char *text;
} sizes[] = {
	{ 0, "0 B" },          { 999, "999 B" },        { 1000, "1.0 KB" },
	{ 1500000, "1.5 MB" }, { 250000000, "250 MB" }, { UINT64_MAX, "18447 PB" },
};

TEST(ages_and_sizes)
{
	char text[TABLE_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		table_age(ages[i].seconds, text);
		test_eq_str("age", text, ages[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		table_bytes(sizes[i].bytes, text);
		test_eq_str("size", text, sizes[i].text);
	}
}
