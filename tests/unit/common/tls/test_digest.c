/* digest - published vectors: FIPS 180-2 for SHA-256, RFC 4231 for HMAC. */
#include "tls/digest.h"

#include "base/text.h"
#include "lib/test.h"

#include <string.h>

static void
check_sum(const char *what, const uint8_t sum[DIGEST_LEN], const char *want)
{
	struct buf hex = BUF_INIT(2 * DIGEST_LEN);

	text_hex_add(&hex, slice_make(sum, DIGEST_LEN));
	test_eq_slice(what, buf_slice(&hex), slice_of(want));
	buf_fini(&hex);
}

static const struct sum_case {
	const char *name, *text, *want;
} sums[] = {
	{ "nothing", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "one block", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

TEST(sha256_at_once_and_in_pieces)
{
	struct digest *d = digest_new();
	uint8_t sum[DIGEST_LEN];

	for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
		struct slice s = slice_of(sums[i].text);

		digest_of(s, sum);
		check_sum(sums[i].name, sum, sums[i].want);
		for (size_t cut = 0; cut <= s.n; cut++) {
			digest_add(d, slice_sub(s, 0, cut));
			digest_add(d, slice_skip(s, cut));
			digest_final(d, sum);
			check_sum(sums[i].name, sum, sums[i].want);
			digest_reset(d);
		}
	}
	digest_free(&d);
	assert_null(d);
	digest_free(&d);
}

TEST(a_million_bytes)
{
	static const char want[] =
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
	struct digest *d = digest_new();
	uint8_t sum[DIGEST_LEN];
	char block[1000];

	memset(block, 'a', sizeof(block));
	for (int i = 0; i < 1000; i++)
		digest_add(d, slice_make(block, sizeof(block)));
	digest_final(d, sum);
	check_sum("a million times a", sum, want);
	digest_free(&d);
}

static const struct hmac_case {
	const char *name, *key, *text, *want;
} hmacs[] = {
	{ "case 1",
	  "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
	  "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "case 2", "Jefe", "what do ya want for nothing?",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
};

TEST(hmac_sha256)
{
	char long_key[132] = "";
	uint8_t mac[DIGEST_LEN];

	for (size_t i = 0; i < ARRAY_LEN(hmacs); i++) {
		digest_hmac(slice_of(hmacs[i].key), slice_of(hmacs[i].text), mac);
		check_sum(hmacs[i].name, mac, hmacs[i].want);
	}
	memset(long_key, 0xaa, 131);
	digest_hmac(slice_of(long_key),
	            SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
	check_sum("case 6: a key longer than a block", mac,
	          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
