/* msg: in memory or in a file, what goes in comes out, and is counted right. */
#include "deliver/msg.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const char text[] = "Received: from a\r\n\tby b\r\nSubject: Received: not\r\n"
			   "RECEIVED: from c\r\nReceivedX: no\r\nXReceived: no\r\n"
			   "Received: d\r\n\r\nReceived: in the body\r\n";
#define TEXT_HOPS 3

static struct msg *
fill(const struct msg_limits *l, struct slice all, size_t piece)
{
	struct msg *m = msg_new(l, SLICE("joe@example.net"));

	while (all.n > 0) {
		assert_int_equal(msg_add(m, slice_sub(all, 0, piece)), MSG_OK);
		all = slice_skip(all, piece);
	}
	assert_int_equal(msg_finish(m), MSG_OK);
	return m;
}

/* Two readers of different pace. */
static void
check_content(const char *name, struct msg *m, struct slice want)
{
	struct buf got = BUF_INIT(SIZE_MAX);
	struct slice piece;
	uint64_t at = 0;

	assert_int_equal(msg_bytes(m), want.n);
	for (;;) {
		assert_int_equal(msg_read(m, want.n / 2, 3, &piece), 0);
		test_eq_slice(name, piece, slice_sub(want, want.n / 2, 3));
		assert_int_equal(msg_read(m, at, 1000, &piece), 0);
		if (piece.n == 0)
			break;
		buf_add_slice(&got, piece);
		at += piece.n;
	}
	test_eq_slice(name, buf_slice(&got), want);
	assert_int_equal(msg_read(m, want.n + 5, 10, &piece), 0);
	assert_int_equal(piece.n, 0);
	buf_fini(&got);
}

TEST(msg_in_memory_and_in_a_file_is_the_same)
{
	struct buf want_key = BUF_INIT(SIZE_MAX);
	uint8_t key[DIGEST_LEN];

	buf_add(&want_key, "joe@example.net", sizeof("joe@example.net"));
	buf_add_str(&want_key, text);
	digest_of(buf_slice(&want_key), key);
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		for (size_t memory = 0; memory < sizeof(text) + 10; memory += 40) {
			struct msg_limits l = { memory, test_dir() };
			struct msg *m = fill(&l, slice_of(text), piece);

			check_content("text", m, slice_of(text));
			assert_int_equal(msg_hops(m), TEXT_HOPS);
			assert_memory_equal(msg_key(m), key, DIGEST_LEN);
			msg_free(&m);
		}
	}
	buf_fini(&want_key);
}

TEST(msg_of_a_megabyte_goes_through_the_file)
{
	struct msg_limits l = { 65536, test_dir() };
	struct buf big = BUF_INIT(SIZE_MAX);
	struct msg *m;

	for (int i = 0; big.len < 1 << 20; i++)
		buf_printf(&big, "line %d\r\n", i);
	m = fill(&l, buf_slice(&big), 16384);
	check_content("big", m, buf_slice(&big));
	msg_free(&m);
	buf_fini(&big);
}

TEST(msg_without_room_says_so_and_stays_so)
{
	struct msg_limits l = { 10, "/nonexistent" };
	struct msg *m = msg_new(&l, SLICE(""));

	assert_int_equal(msg_add(m, SLICE("12345")), MSG_OK);
	assert_int_equal(msg_add(m, SLICE("1234567")), MSG_NO_SPACE);
	assert_int_equal(msg_add(m, SLICE("1")), MSG_NO_SPACE);
	assert_int_equal(msg_get_state(m), MSG_NO_SPACE);
	assert_int_equal(msg_finish(m), MSG_NO_SPACE);
	msg_free(&m);
}

TEST(msg_keys_differ_by_sender_and_body)
{
	struct msg_limits l = { 1000, test_dir() };
	struct msg *a = msg_new(&l, SLICE("a")), *b = msg_new(&l, SLICE("ab")),
		   *c = msg_new(&l, SLICE("a"));

	(void)msg_add(a, SLICE("bc"));
	(void)msg_add(b, SLICE("c"));
	(void)msg_add(c, SLICE("bc"));
	(void)msg_finish(a);
	(void)msg_finish(b);
	(void)msg_finish(c);
	assert_memory_not_equal(msg_key(a), msg_key(b), DIGEST_LEN);
	assert_memory_equal(msg_key(a), msg_key(c), DIGEST_LEN);
	msg_free(&a);
	msg_free(&b);
	msg_free(&c);
}
