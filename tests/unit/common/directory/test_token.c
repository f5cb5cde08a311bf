/* token - what is minted verifies, and nothing else does. */
#include "directory/token.h"

#include "lib/test.h"

#include <string.h>

#define NOW 1000000

static const struct slice secret = SLICE_INIT("0123456789abcdef0123456789abcdef");

static struct token
sample(void)
{
	return (struct token){
		.user = SLICE("fred@example.org"),
		.service = SLICE("imap"),
		.store = SLICE("store1"),
		.claim = 12,
		.expires_s = NOW + TOKEN_LIFE_S,
		.groups = SLICE("staff sales@example.net"),
	};
}

static void
mint(struct buf *b, const struct token *t)
{
	buf_init(b, 2048);
	assert_true(token_mint(secret, TOKEN_STORE, t, b));
}

TEST(a_token_comes_back)
{
	struct token t = sample(), got;
	struct buf b;

	mint(&b, &t);
	assert_true(token_verify(secret, TOKEN_STORE, buf_slice(&b), NOW, &got));
	test_eq_slice("user", got.user, t.user);
	test_eq_slice("service", got.service, t.service);
	test_eq_slice("store", got.store, t.store);
	test_eq_slice("groups", got.groups, t.groups);
	assert_true(got.claim == 12 && got.expires_s == NOW + TOKEN_LIFE_S);
	buf_fini(&b);
}

TEST(it_expires_with_some_patience_for_clocks)
{
	struct token t = sample(), got;
	struct buf b;

	mint(&b, &t);
	assert_true(token_verify(secret, TOKEN_STORE, buf_slice(&b),
	                         NOW + TOKEN_LIFE_S + TOKEN_SKEW_S, &got));
	assert_false(token_verify(secret, TOKEN_STORE, buf_slice(&b),
	                          NOW + TOKEN_LIFE_S + TOKEN_SKEW_S + 1, &got));
	buf_fini(&b);
}

TEST(another_secret_or_purpose_does_not_do)
{
	struct token t = sample(), got;
	struct buf b;

	mint(&b, &t);
	assert_false(token_verify(SLICE("0123456789abcdef0123456789abcdeF"), TOKEN_STORE,
	                          buf_slice(&b), NOW, &got));
	assert_false(token_verify(secret, TOKEN_GRANT, buf_slice(&b), NOW, &got));
	buf_fini(&b);
}

TEST(no_bit_may_change_and_nothing_be_cut_or_added)
{
	struct token t = sample(), got;
	struct buf b;

	mint(&b, &t);
	for (size_t i = 0; i < b.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
			test_check(!token_verify(secret, TOKEN_STORE, buf_slice(&b), NOW, &got),
			           "byte %zu bit %d", i, bit);
			b.data[i] = (char)(b.data[i] ^ (1 << bit));
		}
		assert_false(token_verify(secret, TOKEN_STORE, slice_sub(buf_slice(&b), 0, i), NOW,
		                          &got));
		assert_false(token_verify(secret, TOKEN_STORE, slice_skip(buf_slice(&b), i + 1),
		                          NOW, &got));
	}
	assert_true(token_verify(secret, TOKEN_STORE, buf_slice(&b), NOW, &got));
	buf_add_char(&b, '0');
	assert_false(token_verify(secret, TOKEN_STORE, buf_slice(&b), NOW, &got));
	buf_fini(&b);
}

TEST(fields_cannot_move)
{
	struct token t = sample();
	struct buf b = BUF_INIT(2048), small = BUF_INIT(50);

	t.user = SLICE("fred$imap");
	assert_false(token_mint(secret, TOKEN_STORE, &t, &b));
	t = sample();
	t.store = SLICE("a\nb");
	assert_false(token_mint(secret, TOKEN_STORE, &t, &b));
	t = sample();
	assert_false(token_mint(secret, TOKEN_STORE, &t, &small));
	assert_false(token_verify(secret, TOKEN_STORE, SLICE(""), NOW, &t));
	assert_false(token_verify(secret, TOKEN_STORE, SLICE("$"), NOW, &t));
	assert_false(token_verify(secret, TOKEN_STORE, slice_make(NULL, 0), NOW, &t));
	buf_fini(&b);
	buf_fini(&small);
}
