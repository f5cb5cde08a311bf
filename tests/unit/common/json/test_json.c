/* json - values in, one line out, and back. */
#include "json/json.h"

#include "lib/test.h"

static void
check_print(const char *what, const struct json *j, const char *want)
{
	struct buf out = BUF_INIT(4096);

	json_print(j, &out);
	test_eq_str(what, buf_cstr(&out), want);
	buf_fini(&out);
}

TEST(objects_print_as_one_line)
{
	struct json *o = json_new_object();
	struct json *list = json_set_array(o, "list");

	json_set_str(o, "name", "fred");
	json_set_str(o, "none", NULL);
	json_set_int(o, "n", -5);
	json_set_bool(o, "yes", true);
	json_add_str(list, "a\nb");
	json_set_int(json_add_object(list), "x", 1);
	check_print("object", o,
	            "{\"list\":[\"a\\nb\",{\"x\":1}],\"name\":\"fred\",\"none\":null,"
	            "\"n\":-5,\"yes\":true}");
	json_free(&o);
	assert_null(o);
}

TEST(bytes_that_are_no_utf8_are_replaced)
{
	struct json *o = json_new_object();

	json_set_slice(o, "k", slice_make("a\xff\x00z", 4));
	assert_string_equal(json_get_str(o, "k"), "a\xef\xbf\xbd\xef\xbf\xbdz");
	json_free(&o);
}

TEST(absent_and_wrong_types_answer_not_there)
{
	struct err err;
	struct json *o = json_parse(SLICE("{\"s\":\"x\",\"n\":3,\"l\":[1]}"), &err);

	assert_non_null(o);
	assert_string_equal(json_get_str(o, "s"), "x");
	assert_null(json_get_str(o, "n"));
	assert_null(json_get_str(o, "gone"));
	assert_int_equal(json_get_int(o, "n", 9), 3);
	assert_int_equal(json_get_int(o, "s", 9), 9);
	assert_true(json_get_bool(o, "s", true));
	assert_int_equal(json_count(json_get(o, "l")), 1);
	assert_int_equal(json_count(json_get(o, "s")), 0);
	assert_null(json_item(json_get(o, "l"), 1));
	assert_null(json_get(NULL, "x"));
	assert_null(json_get_str(json_get(o, "l"), "x"));
	json_free(&o);
}

TEST(members_come_in_their_order)
{
	struct err err;
	struct json *o = json_parse(SLICE("{\"b\":1,\"a\":2}"), &err);
	const struct json *v;
	const char *key;
	size_t pos = 0;

	assert_true(json_next_member(o, &pos, &key, &v));
	assert_string_equal(key, "b");
	assert_true(json_next_member(o, &pos, &key, &v));
	assert_string_equal(key, "a");
	assert_false(json_next_member(o, &pos, &key, &v));
	json_free(&o);
}

TEST(what_is_no_json_is_refused)
{
	static const char *const bad[] = {
		"", "{", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{} x", "{\"a\":\"\\u0000\"}",
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct json *j = json_parse(slice_of(bad[i]), &err);

		test_check(j == NULL, "%s", bad[i]);
		assert_non_null(strstr(err.text, "not JSON"));
	}
}

TEST(deep_nesting_is_refused_without_harm)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err err;

	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, '[');
	assert_null(json_parse(buf_slice(&b), &err));
	buf_fini(&b);
}
