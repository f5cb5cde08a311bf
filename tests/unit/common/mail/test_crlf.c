#include "mail/crlf.h"

#include "lib/test.h"

static const struct {
	const char *name;
	struct slice in, want;
} cases[] = {
	{ "lines", SLICE_INIT("a\r\nb\r\n"), SLICE_INIT("a\r\nb\r\n") },
	{ "nothing", SLICE_INIT(""), SLICE_INIT("") },
	{ "no last end", SLICE_INIT("a\r\nb"), SLICE_INIT("a\r\nb\r\n") },
	{ "bare LF", SLICE_INIT("a\nb\n"), SLICE_INIT("a\r\nb\r\n") },
	{ "bare CR", SLICE_INIT("a\rb\r"), SLICE_INIT("a\r\nb\r\n") },
	{ "CR CR LF", SLICE_INIT("a\r\r\nb"), SLICE_INIT("a\r\n\r\nb\r\n") },
	{ "LF CR", SLICE_INIT("a\n\rb"), SLICE_INIT("a\r\n\r\nb\r\n") },
	{ "LF first", SLICE_INIT("\na"), SLICE_INIT("\r\na\r\n") },
	{ "CR alone", SLICE_INIT("\r"), SLICE_INIT("\r\n") },
	{ "a NUL", SLICE_INIT("a\0\n"), SLICE_INIT("a\0\r\n") },
};

static void
check_split(size_t i, size_t cut)
{
	struct slice a = slice_sub(cases[i].in, 0, cut), b = slice_skip(cases[i].in, cut);
	struct crlf c = CRLF_INIT, counted = CRLF_INIT;
	struct buf out = BUF_INIT(SIZE_MAX);

	crlf_add(&c, a, &out);
	test_check(out.len == 0 || buf_slice(&out).p[out.len - 1] != '\r', "%s, cut at %zu",
	           cases[i].name, cut);
	crlf_add(&c, b, &out);
	crlf_end(&c, &out);
	test_eq_slice(cases[i].name, buf_slice(&out), cases[i].want);
	crlf_count(&counted, a);
	crlf_count(&counted, b);
	crlf_count_end(&counted);
	assert_int_equal(c.extra, counted.extra);
	assert_int_equal((int64_t)cases[i].in.n + c.extra, cases[i].want.n);
	buf_fini(&out);
}

TEST(any_text_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++)
			check_split(i, cut);
}

TEST(what_is_clean_stays)
{
	static const char letters[] = "\r\na";

	for (unsigned n = 0; n < 729; n++) {
		struct buf once = BUF_INIT(SIZE_MAX), twice = BUF_INIT(SIZE_MAX);
		struct crlf c = CRLF_INIT, again = CRLF_INIT;
		char in[6];
		unsigned v = n;

		for (size_t i = 0; i < sizeof(in); i++, v /= 3)
			in[i] = letters[v % 3];
		crlf_add(&c, slice_make(in, sizeof(in)), &once);
		crlf_end(&c, &once);
		crlf_add(&again, buf_slice(&once), &twice);
		crlf_end(&again, &twice);
		test_eq_slice("twice", buf_slice(&twice), buf_slice(&once));
		assert_int_equal(again.extra, 0);
		assert_true(slice_ends(buf_slice(&once), SLICE("\r\n")));
		buf_fini(&once);
		buf_fini(&twice);
	}
}
