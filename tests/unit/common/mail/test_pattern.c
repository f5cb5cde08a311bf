#include "mail/pattern.h"

#include "lib/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"

static const struct {
	const char *name, *reference, *pattern, *mbox;
	bool matches, below;
} rows[] = {
	{ "itself", "", "a/b", "a/b", true, false },
	{ "another", "", "a/b", "a/c", false, false },
	{ "case counts", "", "a", "A", false, false },
	{ "a longer name", "", "a", "ab", false, false },
	{ "the parent of one", "", "a/b", "a", false, true },
	{ "everything", "", "*", "a/b/c", true, true },
	{ "one level", "", "%", "a", true, false },
	{ "not two levels", "", "%", "a/b", false, false },
	{ "two levels", "", "%/%", "a/b", true, false },
	{ "above two levels", "", "%/%", "a", false, true },
	{ "percent in the middle", "", "a/%/b", "a/x/b", true, false },
	{ "its grandparent", "", "a/%/b", "a", false, true },
	{ "its parent", "", "a/%/b", "a/x", false, true },
	{ "a wrong branch", "", "a/%/b", "c", false, false },
	{ "percent matches nothing too", "", "a%", "a", true, false },
	{ "star matches nothing too", "", "a*", "a", true, true },
	{ "star in the middle", "", "a*b", "a/x/b", true, true },
	{ "star and percent is a star", "", "a*%", "a/b/c", true, true },
	{ "percent and star is a star", "", "%*%", "a/b/c", true, true },
	{ "INBOX in another case", "", "inbox", "INBOX", true, false },
	{ "below INBOX in another case", "", "iNbOx/%", "INBOX/a", true, false },
	{ "INBOX as the parent", "", "inbox/a", "INBOX", false, true },
	{ "only as the first part", "", "a/inbox", "a/INBOX", false, false },
	{ "only as the whole part", "", "inboxes", "INBOXes", false, false },
	{ "in part and with a wildcard", "", "in%", "INBOX", true, false },
	{ "case counts behind it", "", "inbox/a", "INBOX/A", false, false },
	{ "a reference", "a/", "b", "a/b", true, false },
	{ "a reference without a separator", "a", "b", "ab", true, false },
	{ "an absolute pattern", "a/", "/b", "b", true, false },
	{ "a reference with wildcards", "%/", "*", "a/b/c", true, true },
	{ "an empty pattern matches nothing", "", "", "a", false, false },
	{ "a separator at the end", "", "a/", "a", false, false },
	{ "blanks and dots are letters", "", "a. b", "a. b", true, false },
	{ "a backslash escapes nothing", "", "a\\*", "a\\b", true, true },
};

TEST(patterns_match)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pattern p;

		assert_true(
			pattern_init(&p, slice_of(rows[i].reference), slice_of(rows[i].pattern)));
		test_check(pattern_matches(&p, slice_of(rows[i].mbox)) == rows[i].matches, "%s",
		           rows[i].name);
		test_check(pattern_may_match_below(&p, slice_of(rows[i].mbox)) == rows[i].below,
		           "below: %s", rows[i].name);
	}
}

/* As the definition says it, without thought of time. */
static bool
slowly(struct slice pattern, struct slice name)
{
	if (pattern.n == 0)
		return name.n == 0;
	if (pattern.p[0] != '*' && pattern.p[0] != '%')
		return name.n > 0 && name.p[0] == pattern.p[0] &&
		       slowly(slice_skip(pattern, 1), slice_skip(name, 1));
	for (size_t n = 0; n <= name.n; n++) {
		if (slowly(slice_skip(pattern, 1), slice_skip(name, n)))
			return true;
		if (n < name.n && name.p[n] == '/' && pattern.p[0] == '%')
			return false;
	}
	return false;
}

static struct slice
random_text(char *text, size_t most, const char *letters)
{
	size_t n = (size_t)rand() % (most + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = letters[(size_t)rand() % strlen(letters)];
	return slice_make(text, n);
}

TEST(random_patterns_match_as_the_definition_says)
{
	srand(11);
	for (int i = 0; i < 100000; i++) {
		char a[8], b[8], c[4];
		struct slice text = random_text(a, sizeof(a), "ab/*%");
		struct slice name = random_text(b, sizeof(b), "ab/");
		struct slice more = random_text(c, sizeof(c), "ab/");
		char longer[sizeof(b) + 1 + sizeof(c)];
		struct slice prefix;
		struct pattern p;

		if (text.n > 0 && text.p[0] == '/')
			continue;
		assert_true(pattern_init(&p, SLICE(""), text));
		test_check(pattern_matches(&p, name) == slowly(text, name), "%.*s on %.*s",
		           SLICE_ARG(text), SLICE_ARG(name));
		prefix = pattern_fixed_prefix(&p);
		if (slowly(text, name))
			test_check(slice_starts(name, prefix), "%.*s on %.*s", SLICE_ARG(text),
			           SLICE_ARG(name));
		memcpy(longer, name.p, name.n);
		longer[name.n] = '/';
		memcpy(longer + name.n + 1, more.p, more.n);
		if (more.n > 0 && slowly(text, slice_make(longer, name.n + 1 + more.n)))
			test_check(pattern_may_match_below(&p, name), "%.*s below %.*s",
			           SLICE_ARG(text), SLICE_ARG(name));
	}
}

/* Every length around the words of the sets. */
TEST(long_patterns)
{
	for (size_t n = 1; n <= PATTERN_MAX; n++) {
		struct buf text = BUF_INIT(SIZE_MAX), name = BUF_INIT(SIZE_MAX);
		struct pattern p;

		for (size_t i = 0; i < n; i++) {
			buf_add_char(&text, i % 2 == 1 ? '*' : (char)('a' + i % 26));
			if (i % 2 == 0 || i % 3 == 0)
				buf_add_char(&name, i % 2 == 1 ? '/' : (char)('a' + i % 26));
		}
		assert_true(pattern_init(&p, SLICE(""), buf_slice(&text)));
		test_check(pattern_matches(&p, buf_slice(&name)), "%zu", n);
		buf_add_char(&name, '!');
		test_check(pattern_matches(&p, buf_slice(&name)) == (n % 2 == 0), "%zu", n);
		buf_fini(&text);
		buf_fini(&name);
	}
}

TEST(too_long_a_pattern_is_refused_after_folding)
{
	struct buf text = BUF_INIT(SIZE_MAX);
	struct pattern p;

	for (int i = 0; i < 100000; i++)
		buf_add_char(&text, i % 3 == 0 ? '*' : '%');
	assert_true(pattern_init(&p, buf_slice(&text), buf_slice(&text)));
	assert_int_equal(p.n, 1);
	buf_clear(&text);
	for (int i = 0; i < PATTERN_MAX; i++)
		buf_add_char(&text, 'a');
	assert_true(pattern_init(&p, SLICE(""), buf_slice(&text)));
	assert_true(pattern_matches(&p, buf_slice(&text)));
	assert_false(pattern_init(&p, SLICE("a"), buf_slice(&text)));
	assert_false(pattern_init(&p, buf_slice(&text), SLICE("%")));
	buf_fini(&text);
}

TEST(a_pathological_pattern_takes_no_time)
{
	struct buf text = BUF_INIT(SIZE_MAX), name = BUF_INIT(SIZE_MAX);
	clock_t start = clock();
	struct pattern p;

	for (int i = 0; i < 255; i++)
		buf_add_str(&text, "*a");
	buf_add_char(&text, 'b');
	for (int i = 0; i < 1000; i++)
		buf_add_char(&name, 'a');
	assert_true(pattern_init(&p, SLICE(""), buf_slice(&text)));
	for (int i = 0; i < 100; i++)
		assert_false(pattern_matches(&p, buf_slice(&name)));
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
	buf_fini(&text);
	buf_fini(&name);
}

TEST(what_all_matches_begin_with)
{
	struct pattern p;

	assert_true(pattern_init(&p, SLICE("a/"), SLICE("b%c")));
	test_eq_slice("prefix", pattern_fixed_prefix(&p), SLICE("a/b"));
	assert_true(pattern_init(&p, SLICE(""), SLICE("*")));
	test_eq_slice("none", pattern_fixed_prefix(&p), SLICE(""));
	assert_true(pattern_init(&p, SLICE(""), SLICE("a")));
	test_eq_slice("all", pattern_fixed_prefix(&p), SLICE("a"));
}
