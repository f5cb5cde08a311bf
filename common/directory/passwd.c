/*
 * crypt(3) does the work; here is which of its schemes are good enough, and that an
 * unknown user costs as much time as a known one.
 */
#include "directory/passwd.h"

#include "base/ids.h"
#include "base/must.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "directory/directory.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

/* yescrypt, scrypt, GOST yescrypt, bcrypt, SHA-512, SHA-256 */
static const char *const schemes[] = { "$y$", "$7$", "$gy$", "$2a$", "$2b$", "$2y$", "$6$", "$5$" };

static bool
is_good_scheme(const char *hash)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(hash, schemes[i], strlen(schemes[i])) == 0)
			return true;
	return false;
}

static bool
can_be_password(struct slice s)
{
	return s.n < PASSWD_MAX && (s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
}

/* crypt's workspace is 32 KB and holds secrets; NULL when crypt cannot. */
static char *
run_crypt(struct slice password, const char *setting)
{
	struct crypt_data *data;
	char *text, *out, *copy = NULL;

	if (!can_be_password(password))
		return NULL;
	data = xcalloc(1, sizeof(*data));
	text = slice_dup(password);
	out = crypt_r(text, setting, data);
	if (out != NULL && *out != '*')
		copy = xstrdup(out);
	secret_wipe(text, password.n);
	secret_wipe(data, sizeof(*data));
	free(text);
	free(data);
	return copy;
}

int
passwd_hash(struct slice password, char *hash_r, size_t room, struct err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char *hash;

	if (password.n == 0 || !can_be_password(password)) {
		err_set(err, "a password has 1 to %d bytes and no NUL", PASSWD_MAX - 1);
		return -1;
	}
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) == NULL) {
		err_set_errno(err, "no salt for a password hash");
		return -1;
	}
	hash = run_crypt(password, setting);
	if (hash == NULL || strlen(hash) >= room) {
		err_set(err, "the password cannot be hashed");
		free(hash);
		return -1;
	}
	memcpy(hash_r, hash, strlen(hash) + 1);
	free(hash);
	return 0;
}

int
passwd_check(struct slice password, const char *hash)
{
	char *got;
	bool same;

	if (!is_good_scheme(hash))
		return -1;
	got = run_crypt(password, hash);
	same = got != NULL && text_secret_eq(slice_of(got), slice_of(hash));
	free(got);
	return same ? 1 : 0;
}

void
passwd_waste_time(struct slice password)
{
	static char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (*setting == '\0' &&
	    crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) == NULL)
		return;
	free(run_crypt(password, setting));
}

void
passwd_generate(char password_r[21])
{
	/* 32 characters that are not mistaken for each other: 5 bits each, 90 in all */
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz023456789";
	uint8_t random[18];
	size_t n = 0;

	STATIC_ASSERT(sizeof(alphabet) == 33);
	ids_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++) {
		if (i == 6 || i == 12)
			password_r[n++] = '-';
		password_r[n++] = alphabet[random[i] & 31];
	}
	password_r[n] = '\0';
	must(n == 20);
	secret_wipe(random, sizeof(random));
}
