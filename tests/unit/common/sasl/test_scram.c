/* scram - the vector of RFC 7677 section 3, keys as text, what is refused. */
#include "sasl/scram.h"

#include "base/text.h"
#include "lib/test.h"

#define AUTH_MESSAGE                                                                               \
	"n=user,r=rOprNGfwEbeRWgbNEkqO,"                                                           \
	"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"  \
	"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

/* The keys of user "user", password "pencil" in that vector. */
#define KEYS                                                                                       \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                                             \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static struct buf
vector_salt(void)
{
	struct buf salt = BUF_INIT(64);

	assert_true(text_base64_decode(SLICE("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt));
	return salt;
}

TEST(the_vector_of_rfc_7677)
{
	struct buf salt = vector_salt(), text = BUF_INIT(256);
	uint8_t proof[DIGEST_LEN], signature[DIGEST_LEN];

	assert_true(scram_client(SLICE("pencil"), buf_slice(&salt), 4096, SLICE(AUTH_MESSAGE),
	                         proof, signature));
	text_base64_add(&text, slice_make(proof, sizeof(proof)));
	assert_string_equal(buf_cstr(&text), PROOF);
	buf_clear(&text);
	text_base64_add(&text, slice_make(signature, sizeof(signature)));
	assert_string_equal(buf_cstr(&text), SIGNATURE);
	buf_fini(&text);
	buf_fini(&salt);
}

TEST(keys_go_to_text_and_back)
{
	struct buf salt = vector_salt(), text = BUF_INIT(SCRAM_TEXT_MAX);
	struct scram_keys made, read;

	assert_true(scram_keys_make(SLICE("pencil"), buf_slice(&salt), 4096, &made));
	scram_keys_print(&made, &text);
	assert_string_equal(buf_cstr(&text), KEYS);
	assert_true(scram_keys_parse(buf_slice(&text), &read));
	assert_memory_equal(&made, &read, sizeof(made));
	assert_true(scram_keys_match(&read, SLICE("pencil")));
	assert_false(scram_keys_match(&read, SLICE("pencill")));
	assert_false(scram_keys_match(&read, SLICE("")));
	buf_fini(&text);
	buf_fini(&salt);
}

/* Composed or decomposed: a user cannot tell what his keyboard sends. */
TEST(passwords_are_prepared)
{
	struct scram_keys k;

	assert_true(scram_keys_make(SLICE("caf\xc3\xa9"), SLICE("12345678"), 4096, &k));
	assert_true(scram_keys_match(&k, SLICE("cafe\xcc\x81")));
	assert_true(scram_keys_match(&k, SLICE("caf\xc2\xad\xc3\xa9")));
	assert_false(scram_keys_match(&k, SLICE("cafe")));
	assert_false(scram_keys_make(SLICE("a\x01"), SLICE("12345678"), 4096, &k));
}

static const struct bad_keys {
	const char *name, *text;
} bad[] = {
	{ "nothing", "" },
	{ "a crypt hash", "$y$j9T$abc$def" },
	{ "another mechanism", "SCRAM-SHA-1$4096:W22Z$AAAA:AAAA" },
	{ "too few rounds", "SCRAM-SHA-256$4095:W22ZaJ0SNY7soEsUEjb6gQ==$"
	                    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	                    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "rounds without end", "SCRAM-SHA-256$4000001:W22ZaJ0SNY7soEsUEjb6gQ==$"
	                        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	                        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "no salt", "SCRAM-SHA-256$4096:$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	             "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "a short key", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:"
	                 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
	{ "one key missing", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	                     "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" },
	{ "bytes behind", KEYS "=" },
	{ "no base64", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	               "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4q?=:"
	               "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" },
};

TEST(other_texts_are_no_keys)
{
	struct scram_keys k;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		test_check(!scram_keys_parse(slice_of(bad[i].text), &k), "%s", bad[i].name);
	for (size_t n = 0; n < strlen(KEYS); n++)
		test_check(!scram_keys_parse(slice_make(KEYS, n), &k), "cut at %zu", n);
}
