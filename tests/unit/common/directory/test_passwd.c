/* passwd - hashes of the schemes we take, and those we do not. */
#include "directory/directory.h"
#include "directory/passwd.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

TEST(a_hash_fits_its_password_only)
{
	char hash[DIRECTORY_HASH_MAX + 1], again[DIRECTORY_HASH_MAX + 1];
	struct err err;

	assert_int_equal(passwd_hash(SLICE("secret"), hash, sizeof(hash), &err), 0);
	assert_int_equal(passwd_hash(SLICE("secret"), again, sizeof(again), &err), 0);
	assert_true(strncmp(hash, "SCRAM-SHA-256$65536:", 20) == 0);
	assert_string_not_equal(hash, again); /* salt */
	assert_int_equal(passwd_check(SLICE("secret"), hash), 1);
	assert_int_equal(passwd_check(SLICE("secret"), again), 1);
	assert_int_equal(passwd_check(SLICE("Secret"), hash), 0);
	assert_int_equal(passwd_check(SLICE(""), hash), 0);
	assert_int_equal(passwd_check(slice_make(NULL, 0), hash), 0);
	assert_int_equal(passwd_check(slice_make("secret\0", 7), hash), 0);
}

#define RFC_KEYS                                                                                   \
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"                                             \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                                            \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static const struct scheme_case {
	const char *name, *password, *hash;
	int want;
} schemes[] = {
	/* vectors of the schemes' authors */
	{ "SHA-512", "Hello world!",
	  "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdF"
	  "CoEOfaS35inz1",
	  1 },
	{ "SHA-256", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	  1 },
	{ "bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", 1 },
	{ "SHA-256, wrong", "Hello World!",
	  "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", 0 },
	{ "yescrypt", "secret",
	  "$y$j9T$UxMTIHJXyIDvlBe0W/rcd/$es6ugitfKoQlRzq/DgwNRZSpLBmJtNGCBN67.4T69k7", 1 },
	{ "keys of RFC 7677", "pencil", RFC_KEYS, 1 },
	{ "keys, wrong", "Pencil", RFC_KEYS, 0 },
	{ "two words, keys last", "pencil", "$2a$05$damaged " RFC_KEYS, 1 },
	{ "two words, keys first", "pencil", RFC_KEYS " $5$x$y", 1 },
	{ "damaged keys are none", "pencil", "SCRAM-SHA-256$4096:W22Z$x:y", -1 },
	{ "MD5 is too weak", "secret", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", -1 },
	{ "DES is too weak", "secret", "ab1234567890.", -1 },
	{ "nothing is no hash", "secret", "", -1 },
	{ "a plain password is no hash", "secret", "secret", -1 },
	{ "an unknown scheme is no hash", "secret", "$99$x$y", -1 },
	{ "a locked account has none", "secret", "!", -1 },
	{ "a damaged hash fits nothing", "secret", "$y$", 0 },
};

TEST(schemes_that_are_taken)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		int got = passwd_check(slice_of(schemes[i].password), schemes[i].hash);

		test_check(got == schemes[i].want, "%s: %d", schemes[i].name, got);
	}
}

TEST(only_keys_do_for_scram)
{
	char hash[DIRECTORY_HASH_MAX + 1];
	struct scram_keys k;
	struct err err;

	assert_int_equal(passwd_hash(SLICE("secret"), hash, sizeof(hash), &err), 0);
	assert_true(passwd_scram_keys(hash, &k));
	assert_true(k.rounds == PASSWD_ROUNDS && k.salt_n == PASSWD_SALT_LEN);
	assert_true(passwd_scram_keys("$5$x$y " RFC_KEYS, &k));
	assert_false(passwd_scram_keys("$5$x$y", &k));
	assert_false(passwd_scram_keys("", &k));
}

TEST(what_cannot_be_a_password)
{
	char hash[DIRECTORY_HASH_MAX + 1], text[PASSWD_MAX + 1];
	struct err err;

	memset(text, 'x', sizeof(text));
	assert_int_equal(passwd_hash(SLICE(""), hash, sizeof(hash), &err), -1);
	assert_int_equal(passwd_hash(slice_make("a\0b", 3), hash, sizeof(hash), &err), -1);
	assert_int_equal(passwd_hash(slice_make(text, PASSWD_MAX), hash, sizeof(hash), &err), -1);
	assert_non_null(strstr(err.text, "511"));
	assert_int_equal(passwd_hash(slice_make(text, PASSWD_MAX - 1), hash, sizeof(hash), &err),
	                 0);
	assert_int_equal(passwd_check(slice_make(text, PASSWD_MAX - 1), hash), 1);
	assert_int_equal(passwd_check(slice_make(text, PASSWD_MAX), hash), 0);
	assert_int_equal(passwd_hash(SLICE("x"), hash, 10, &err), -1); /* no room */
	assert_int_equal(passwd_hash(SLICE("a\x01"), hash, sizeof(hash), &err), -1);
	assert_int_equal(passwd_hash(SLICE("a\xff"), hash, sizeof(hash), &err), -1);
	passwd_waste_time(SLICE("x"));
	passwd_waste_time(slice_make(NULL, 0));
}

TEST(generated_passwords_are_typable_and_different)
{
	char a[21], b[21], hash[DIRECTORY_HASH_MAX + 1];
	struct err err;

	passwd_generate(a);
	passwd_generate(b);
	assert_int_equal(strlen(a), 20);
	assert_string_not_equal(a, b);
	for (size_t i = 0; i < 20; i++)
		assert_true(a[i] == '-' ? i == 6 || i == 13
		                        : strchr("abcdefghjkmnpqrstuvwxyz023456789", a[i]) != NULL);
	assert_int_equal(passwd_hash(slice_of(a), hash, sizeof(hash), &err), 0);
}
