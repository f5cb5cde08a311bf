/*
 * sasl/scram.h and crypt(3) do the work; here is which schemes are good enough, and that an
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

/* The word that is a crypt hash we take; n == 0: there is none. */
static struct slice
find_crypt(const char *secret)
{
	struct slice rest = slice_of(secret), word;

	while (rest.n > 0) {
		word = slice_cut(&rest, ' ');
		for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
			if (slice_starts(word, slice_of(schemes[i])))
				return word;
	}
	return SLICE("");
}

bool
passwd_scram_keys(const char *hash, struct scram_keys *k_r)
{
	struct slice rest = slice_of(hash);

	while (rest.n > 0)
		if (scram_keys_parse(slice_cut(&rest, ' '), k_r))
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
	struct buf text = BUF_INIT(room - 1);
	uint8_t salt[PASSWD_SALT_LEN];
	struct scram_keys k;
	int r = -1;

	ids_random(salt, sizeof(salt));
	if (!can_be_password(password) ||
	    !scram_keys_make(password, slice_make(salt, sizeof(salt)), PASSWD_ROUNDS, &k)) {
		err_set(err, "a password has 1 to %d bytes of UTF-8 without control characters",
		        PASSWD_MAX - 1);
		return -1;
	}
	scram_keys_print(&k, &text);
	if (text.overflow) {
		err_set(err, "the keys of a password need more room than %zu bytes", room);
	} else {
		memcpy(hash_r, buf_cstr(&text), text.len + 1);
		r = 0;
	}
	buf_wipe(&text);
	secret_wipe(&k, sizeof(k));
	return r;
}

static int
check_crypt(struct slice password, struct slice setting)
{
	char *want = slice_dup(setting), *got = run_crypt(password, want);
	bool same = got != NULL && text_secret_eq(slice_of(got), setting);

	free(got);
	secret_wipe(want, setting.n);
	free(want);
	return same ? 1 : 0;
}

int
passwd_check(struct slice password, const char *hash)
{
	struct slice crypt_word = find_crypt(hash);
	struct scram_keys k;
	int r = -1;

	if (passwd_scram_keys(hash, &k))
		r = can_be_password(password) && scram_keys_match(&k, password) ? 1 : 0;
	else if (crypt_word.n > 0)
		r = check_crypt(password, crypt_word);
	secret_wipe(&k, sizeof(k));
	return r;
}

void
passwd_waste_time(struct slice password)
{
	struct scram_keys k;

	if (scram_keys_make(can_be_password(password) && password.n > 0 ? password : SLICE("x"),
	                    SLICE("no such user here"), PASSWD_ROUNDS, &k))
		secret_wipe(&k, sizeof(k));
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
