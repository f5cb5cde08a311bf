#include "proto/dotbuf.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

static const struct dot_case {
	const char *name;
	struct slice in;
	const char *body; /* NULL: not looked at */
	int want;
	size_t behind; /* bytes that are left to the next command */
} cases[] = {
	{ "a lone dot ends the body", SLICE_INIT("hi\r\n.\r\n"), "hi\r\n", 1, 0 },
	{ "an empty body", SLICE_INIT(".\r\n"), "", 1, 0 },
	{ "what follows the end is left alone", SLICE_INIT("a\r\n.\r\nQUIT\r\n"), "a\r\n", 1, 6 },
	{ "a doubled dot is one dot", SLICE_INIT("..hidden\r\n.\r\n"), ".hidden\r\n", 1, 0 },
	{ "a line of two dots is a line of one", SLICE_INIT("..\r\n.\r\n"), ".\r\n", 1, 0 },
	{ "one dot in front of text goes", SLICE_INIT(".x\r\n.\r\n"), "x\r\n", 1, 0 },
	{ "dots inside a line stay", SLICE_INIT("a.\r\n.b.\r\n.\r\n"), "a.\r\nb.\r\n", 1, 0 },
	{ "empty lines", SLICE_INIT("\r\n\r\n.\r\n"), "\r\n\r\n", 1, 0 },
	{ "an unfinished line waits", SLICE_INIT("hi"), "hi", 0, 0 },
	{ "an unfinished end waits", SLICE_INIT("hi\r\n.\r"), "hi\r\n", 0, 0 },
	{ "a bare LF never ends a body", SLICE_INIT("hi\n.\n"), NULL, -1, 2 },
	{ "nor LF dot CRLF", SLICE_INIT("hi\n.\r\nMAIL FROM:<e@x>\r\n"), NULL, -1, 20 },
	{ "nor CRLF dot LF", SLICE_INIT("hi\r\n.\nMAIL"), NULL, -1, 4 },
	{ "nor CR dot CR", SLICE_INIT("hi\r.\r"), NULL, -1, 2 },
	{ "nor CRLF dot CR", SLICE_INIT("hi\r\n.\rMAIL"), NULL, -1, 4 },
	{ "nor CR dot CRLF", SLICE_INIT("hi\r.\r\n"), NULL, -1, 3 },
	{ "nor CRLF CR dot CRLF", SLICE_INIT("hi\r\n\r.\r\n"), NULL, -1, 3 },
	{ "CR CR LF has a bare CR", SLICE_INIT("hi\r\r\n.\r\n"), NULL, -1, 5 },
	{ "a line that is a bare LF", SLICE_INIT("\n"), NULL, -1, 0 },
};

static void
check_split(const struct dot_case *c, size_t cut)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct dotbuf d;
	size_t used, used2 = 0;
	int r;

	dotbuf_init(&d);
	r = dotbuf_decode(&d, slice_sub(c->in, 0, cut), &used, &out);
	if (r == 0) {
		assert_int_equal(used, cut);
		r = dotbuf_decode(&d, slice_skip(c->in, cut), &used2, &out);
	}
	test_check(r == c->want, "%s, cut at %zu: %d", c->name, cut, r);
	test_check(c->in.n - used - used2 == c->behind, "%s, cut at %zu: %zu left", c->name, cut,
	           c->in.n - used - used2);
	if (c->body != NULL) {
		test_eq_slice(c->name, buf_slice(&out), slice_of(c->body));
		assert_int_equal(d.body_bytes, strlen(c->body));
	}
	buf_fini(&out);
}

TEST(dotbuf_decode_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++)
			check_split(&cases[i], cut);
}

TEST(a_spoiled_body_is_read_to_its_true_end)
{
	struct slice in = SLICE("a\n.\r\nMAIL\r.\r\n\r\n.\nx\r\n.\r\nQUIT\r\n");
	struct dotbuf d;
	size_t used, errors = 0;
	int r;

	dotbuf_init(&d);
	while ((r = dotbuf_decode(&d, in, &used, NULL)) != 1) {
		in = slice_skip(in, used);
		assert_int_equal(r, -1);
		errors++;
	}
	assert_int_equal(errors, 3);
	test_eq_slice("behind", slice_skip(in, used), SLICE("QUIT\r\n"));
}

TEST(a_nul_is_seen)
{
	struct dotbuf d;
	size_t used;

	dotbuf_init(&d);
	assert_int_equal(dotbuf_decode(&d, SLICE("a\r\n"), &used, NULL), 0);
	assert_false(d.nul);
	assert_int_equal(dotbuf_decode(&d, SLICE("b\0c\r\n.\r\n"), &used, NULL), 1);
	assert_true(d.nul);
	assert_int_equal(d.body_bytes, 8);
}

static const struct {
	const char *name;
	struct slice in;
	int want;
} counted[] = {
	{ "lines", SLICE_INIT("a\r\n.\r\n..b\r\n"), 0 },
	{ "no end of the last line", SLICE_INIT("a\r\nb"), 0 },
	{ "a bare LF", SLICE_INIT("a\nb\r\n"), -1 },
	{ "a bare CR", SLICE_INIT("a\rb\r\n"), -1 },
	{ "a CR at the end", SLICE_INIT("a\r\nb\r"), -1 },
	{ "CR CR LF", SLICE_INIT("a\r\r\n"), -1 },
	{ "nothing", SLICE_INIT(""), 0 },
};

TEST(counted_bytes_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(counted); i++)
		for (size_t cut = 0; cut <= counted[i].in.n; cut++) {
			struct dotbuf d;
			int r1, r2, r3;

			dotbuf_init(&d);
			r1 = dotbuf_scan(&d, slice_sub(counted[i].in, 0, cut));
			r2 = dotbuf_scan(&d, slice_skip(counted[i].in, cut));
			r3 = dotbuf_scan_end(&d);
			test_check(MIN(r1, MIN(r2, r3)) == counted[i].want, "%s, cut at %zu",
			           counted[i].name, cut);
		}
}

static const struct {
	const char *name;
	struct slice in;
	const char *out;
} encoded[] = {
	{ "plain lines", SLICE_INIT("a\r\nb\r\n"), "a\r\nb\r\n.\r\n" },
	{ "an open last line is ended", SLICE_INIT("a"), "a\r\n.\r\n" },
	{ "an empty body", SLICE_INIT(""), ".\r\n" },
	{ "dots are doubled at the start of lines", SLICE_INIT(".a\r\n..\r\nb.c\r\n."),
	  "..a\r\n...\r\nb.c\r\n..\r\n.\r\n" },
	{ "a bare LF goes out as CRLF", SLICE_INIT("a\n.\nb\n\n"), "a\r\n..\r\nb\r\n\r\n.\r\n" },
	{ "a bare CR too", SLICE_INIT("a\r.\rb\r\r\n"), "a\r\n..\r\nb\r\n\r\n.\r\n" },
	{ "an open CR at the end", SLICE_INIT("a\r"), "a\r\n.\r\n" },
};

TEST(encode_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(encoded); i++)
		for (size_t cut = 0; cut <= encoded[i].in.n; cut++) {
			struct buf out = BUF_INIT(SIZE_MAX);
			struct dotbuf_encoder e;

			dotbuf_encoder_init(&e);
			dotbuf_encode(&e, slice_sub(encoded[i].in, 0, cut), &out);
			dotbuf_encode(&e, slice_skip(encoded[i].in, cut), &out);
			dotbuf_encode_end(&e, &out);
			test_eq_slice(encoded[i].name, buf_slice(&out), slice_of(encoded[i].out));
			buf_fini(&out);
		}
}

/* Whatever the bytes, what the encoder writes the decoder takes for one whole body. */
TEST(what_is_encoded_is_decoded)
{
	static const char alphabet[] = ".\r\na";

	for (unsigned n = 0; n < 4096; n++) {
		struct buf wire = BUF_INIT(SIZE_MAX), body = BUF_INIT(SIZE_MAX);
		struct buf again = BUF_INIT(SIZE_MAX);
		struct dotbuf_encoder e;
		struct dotbuf d;
		char in[6];
		size_t used;

		for (unsigned i = 0; i < 6; i++)
			in[i] = alphabet[n >> (2 * i) & 3];
		dotbuf_encoder_init(&e);
		dotbuf_encode(&e, slice_make(in, sizeof(in)), &wire);
		assert_true(wire.len <= 2 * sizeof(in) + 2);
		dotbuf_encode_end(&e, &wire);
		dotbuf_init(&d);
		assert_int_equal(dotbuf_decode(&d, buf_slice(&wire), &used, &body), 1);
		assert_int_equal(used, wire.len);
		/* clean lines now: the same bytes again */
		dotbuf_encoder_init(&e);
		dotbuf_encode(&e, buf_slice(&body), &again);
		dotbuf_encode_end(&e, &again);
		test_eq_slice("again", buf_slice(&again), buf_slice(&wire));
		buf_fini(&wire);
		buf_fini(&body);
		buf_fini(&again);
	}
}
