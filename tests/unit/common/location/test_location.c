/* location: the extension's text of our fields; what else it checks is tested with mupdate/. */
#include "location/location.h"

#include "lib/test.h"

#include <string.h>

static const struct {
	const char *name, *text;
	bool ok;
	const char *id, *su;
	uint64_t revision, claim;
	uint32_t uidvalidity;
} rows[] = {
	{ "nothing at all", "", true, "old", "", 7, 0, 0 },
	{ "all fields", "rev=9 claim=3 uv=5 id=ab su=\\Sent", true, "ab", "\\Sent", 9, 3, 5 },
	{ "in another order", "su=\\Sent rev=9", true, "old", "\\Sent", 9, 0, 0 },
	{ "two special uses", "su=\\Sent%20\\Junk", true, "old", "\\Sent \\Junk", 7, 0, 0 },
	{ "a percent sign, and hex in both cases", "id=%25%2f%2F", true, "%//", "", 7, 0, 0 },
	{ "an empty value", "id=", true, "", "", 7, 0, 0 },
	{ "a key of a later version", "new=%zz rev=9", true, "old", "", 9, 0, 0 },
	{ "no value", "rev", false },
	{ "no key", "=9", false },
	{ "a number that is none", "rev=9x", false },
	{ "a UIDVALIDITY that is too large", "uv=4294967296", false },
	{ "an escape that is cut", "id=a%2", false },
	{ "an escape that is none", "id=%2g", false },
	{ "sets nothing when the last one is wrong", "rev=9 claim=x", false },
};

static void
check_row(size_t i)
{
	struct arena *a = arena_new("test");
	struct location loc = { .mbox_id = SLICE("old"), .revision = 7 };
	bool ok = location_fields_parse(slice_of(rows[i].text), a, &loc);

	test_check(ok == rows[i].ok, "%s", rows[i].name);
	test_eq_slice(rows[i].name, loc.mbox_id, slice_of(ok ? rows[i].id : "old"));
	test_eq_slice(rows[i].name, loc.special_use, slice_of(ok ? rows[i].su : ""));
	test_check(loc.revision == (ok ? rows[i].revision : 7), "%s", rows[i].name);
	test_check(loc.claim == (ok ? rows[i].claim : 0), "%s", rows[i].name);
	test_check(loc.uidvalidity == (ok ? rows[i].uidvalidity : 0), "%s", rows[i].name);
	arena_free(&a);
}

TEST(fields_are_read)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
}

/* The longest there is, each octet of it escaped; and one more. */
TEST(a_field_has_a_length)
{
	for (size_t n = LOCATION_FIELD_MAX; n <= LOCATION_FIELD_MAX + 1; n++) {
		struct arena *a = arena_new("test");
		struct buf text = BUF_INIT(SIZE_MAX);
		struct location loc = { .revision = 7 };

		buf_add_str(&text, "id=");
		for (size_t i = 0; i < n; i++)
			buf_add_str(&text, "%41");
		assert_int_equal(location_fields_parse(buf_slice(&text), a, &loc),
		                 n == LOCATION_FIELD_MAX);
		assert_int_equal(loc.mbox_id.n, n == LOCATION_FIELD_MAX ? n : 0);
		buf_fini(&text);
		arena_free(&a);
	}
}

TEST(what_is_written_is_read)
{
	const struct location loc = { .mbox_id = SLICE("a b%\x01\xff"),
		                      .special_use = SLICE("\\Sent"),
		                      .revision = UINT64_MAX,
		                      .claim = 1,
		                      .uidvalidity = UINT32_MAX };
	struct arena *a = arena_new("test");
	struct buf text = BUF_INIT(SIZE_MAX);
	struct location got = { .revision = 0 };

	location_fields_add(&text, &loc);
	assert_true(location_fields_parse(buf_slice(&text), a, &got));
	test_eq_slice("id", got.mbox_id, loc.mbox_id);
	test_eq_slice("special use", got.special_use, loc.special_use);
	assert_true(got.revision == loc.revision && got.claim == loc.claim &&
	            got.uidvalidity == loc.uidvalidity);
	buf_fini(&text);
	arena_free(&a);
}
