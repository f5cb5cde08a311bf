/*
 * Two tables: MACs of passwords that were right, direct-mapped, and keys made of passwords
 * in clear, by name (there are no more of them than identities in the settings).
 *
 * Made-up keys come from a key that outsiders do not know and that stays: the cluster's
 * secret, else the machine's id, which systemd asks to keep confidential too; a host that
 * has neither makes one up, and its answers for unknown names change with each start.
 */
#include "directory/secrets.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "directory/passwd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_ROWS 4096

struct row {
	uint8_t mac[DIGEST_LEN];
	uint64_t until_ms;
};

struct made_keys {
	uint8_t mac[DIGEST_LEN]; /* of name and password: the setting may change */
	struct scram_keys keys;
};

struct secrets {
	uint8_t cache_key[DIGEST_LEN], fake_key[DIGEST_LEN];
	struct row *cache;
	struct map *made; /* by name: struct made_keys */
};

static struct slice
key_slice(const uint8_t key[DIGEST_LEN])
{
	return slice_make(key, DIGEST_LEN);
}

static void
make_fake_key(struct secrets *s, struct slice cluster_secret)
{
	char id[64] = "";
	FILE *f;

	if (cluster_secret.n == 0 && (f = fopen("/etc/machine-id", "re")) != NULL) {
		cluster_secret = slice_make(id, fread(id, 1, sizeof(id), f));
		fclose(f);
	}
	if (cluster_secret.n > 0)
		digest_hmac(cluster_secret, SLICE("roost: keys of unknown users"), s->fake_key);
	else
		ids_random(s->fake_key, sizeof(s->fake_key));
}

struct secrets *
secrets_new(struct slice cluster_secret)
{
	struct secrets *s = xcalloc(1, sizeof(*s));

	ids_random(s->cache_key, sizeof(s->cache_key));
	make_fake_key(s, cluster_secret);
	s->cache = xcalloc(CACHE_ROWS, sizeof(*s->cache));
	s->made = map_new();
	return s;
}

void
secrets_free(struct secrets **s)
{
	size_t pos = 0;
	struct slice name;
	void *made;

	if (*s == NULL)
		return;
	while (map_next((*s)->made, &pos, &name, &made)) {
		secret_wipe(made, sizeof(struct made_keys));
		free(made);
	}
	map_free(&(*s)->made);
	free((*s)->cache);
	secret_wipe(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

/* ---- passwords ------------------------------------------------------------------------------ */

/* The NULs keep the parts apart; only the last may have one itself. */
static void
make_mac(const struct secrets *s, const char *name, const char *stored, struct slice password,
         uint8_t mac_r[DIGEST_LEN])
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add(&b, name, strlen(name) + 1);
	buf_add(&b, stored, strlen(stored) + 1);
	buf_add_slice(&b, password);
	digest_hmac(key_slice(s->cache_key), buf_slice(&b), mac_r);
	buf_wipe(&b);
}

bool
secrets_check(struct secrets *s, const char *user, const char *stored, struct slice password)
{
	uint8_t mac[DIGEST_LEN];
	struct row *row;
	uint32_t at;

	if (password.n >= PASSWD_MAX)
		return false;
	make_mac(s, user, stored, password, mac);
	memcpy(&at, mac, sizeof(at));
	row = &s->cache[at % CACHE_ROWS];
	if (clock_mono_ms() < row->until_ms && text_secret_eq(key_slice(row->mac), key_slice(mac)))
		return true;
	if (passwd_check(password, stored) != 1)
		return false;
	memcpy(row->mac, mac, sizeof(mac));
	row->until_ms = clock_mono_ms() + SECRETS_LIFE_S * 1000;
	return true;
}

static bool
is_in_clear(const char *setting)
{
	return *setting != '$' && strncmp(setting, SCRAM_MECH "$", strlen(SCRAM_MECH "$")) != 0;
}

bool
secrets_check_setting(struct secrets *s, const char *name, const char *setting,
                      struct slice password)
{
	uint8_t a[DIGEST_LEN], b[DIGEST_LEN];

	if (setting == NULL || *setting == '\0')
		return false;
	if (!is_in_clear(setting))
		return secrets_check(s, name, setting, password);
	digest_of(slice_of(setting), a);
	digest_of(password, b);
	return text_secret_eq(key_slice(a), key_slice(b));
}

uint64_t
secrets_fingerprint(const struct secrets *s, const char *user, struct slice password)
{
	uint8_t mac[DIGEST_LEN];
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add(&b, "wrong:", 6);
	buf_add(&b, user, strlen(user) + 1);
	buf_add_slice(&b, password);
	digest_hmac(key_slice(s->fake_key), buf_slice(&b), mac);
	buf_wipe(&b);
	return num_get_le64(mac) | 1;
}

/* ---- SCRAM ---------------------------------------------------------------------------------- */

static void
make_part(const struct secrets *s, const char *what, const char *name, uint8_t part_r[DIGEST_LEN])
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_printf(&b, "%s:%s", what, name);
	digest_hmac(key_slice(s->fake_key), buf_slice(&b), part_r);
	buf_fini(&b);
}

/* As real ones look. StoredKey is no hash that anybody knows a key to. */
static void
make_up(const struct secrets *s, const char *name, struct scram_keys *k_r)
{
	uint8_t salt[DIGEST_LEN];

	memset(k_r, 0, sizeof(*k_r));
	k_r->rounds = PASSWD_ROUNDS;
	k_r->salt_n = PASSWD_SALT_LEN;
	make_part(s, "salt", name, salt);
	memcpy(k_r->salt, salt, PASSWD_SALT_LEN);
	make_part(s, "stored", name, k_r->stored);
	make_part(s, "server", name, k_r->server);
}

bool
secrets_keys(struct secrets *s, const char *user, const char *stored, struct scram_keys *k_r)
{
	if (passwd_scram_keys(stored, k_r))
		return true;
	make_up(s, user, k_r);
	return false;
}

/* With the salt that would be made up for this name: it stays when the password changes. */
static bool
keys_of_password(struct secrets *s, const char *name, const char *password, struct scram_keys *k_r)
{
	struct made_keys *made = map_get(s->made, slice_of(name));
	uint8_t mac[DIGEST_LEN];
	struct scram_keys k;

	make_mac(s, name, password, SLICE(""), mac);
	if (made == NULL || !text_secret_eq(key_slice(made->mac), key_slice(mac))) {
		make_up(s, name, &k);
		if (!scram_keys_make(slice_of(password), slice_make(k.salt, k.salt_n), k.rounds,
		                     k_r))
			return false;
		if (made == NULL) {
			made = xcalloc(1, sizeof(*made));
			map_set(s->made, slice_of(name), made);
		}
		memcpy(made->mac, mac, sizeof(mac));
		made->keys = *k_r;
	}
	*k_r = made->keys;
	return true;
}

bool
secrets_setting_keys(struct secrets *s, const char *name, const char *setting,
                     struct scram_keys *k_r)
{
	if (setting == NULL || *setting == '\0')
		setting = "$";
	if (is_in_clear(setting) && keys_of_password(s, name, setting, k_r))
		return true;
	return secrets_keys(s, name, is_in_clear(setting) ? "" : setting, k_r);
}
