/*
 * RFC 5802 section 3, with SHA-256:
 *
 *	SaltedPassword  = PBKDF2(SASLprep(password), salt, rounds)
 *	ClientKey       = HMAC(SaltedPassword, "Client Key")
 *	StoredKey       = H(ClientKey)
 *	ServerKey       = HMAC(SaltedPassword, "Server Key")
 *	ClientProof     = ClientKey XOR HMAC(StoredKey, AuthMessage)
 *	ServerSignature = HMAC(ServerKey, AuthMessage)
 */
#include "sasl/scram.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "text/prep.h"

#include <string.h>

#define PASSWORD_MAX 1024

static struct slice
key_slice(const uint8_t key[DIGEST_LEN])
{
	return slice_make(key, DIGEST_LEN);
}

static bool
salt_password(struct slice password, struct slice salt, uint32_t rounds,
              uint8_t salted_r[DIGEST_LEN])
{
	struct buf prepared = BUF_INIT(PASSWORD_MAX);
	bool ok;

	if (salt.n == 0 || salt.n > SCRAM_SALT_MAX || rounds < SCRAM_ROUNDS_MIN ||
	    rounds > SCRAM_ROUNDS_MAX)
		return false;
	ok = prep_sasl(&prepared, password) && prepared.len > 0;
	if (ok)
		digest_pbkdf2(buf_slice(&prepared), salt, rounds, salted_r);
	buf_wipe(&prepared);
	return ok;
}

static void
derive(const uint8_t salted[DIGEST_LEN], uint8_t client_r[DIGEST_LEN], uint8_t stored_r[DIGEST_LEN],
       uint8_t server_r[DIGEST_LEN])
{
	digest_hmac(key_slice(salted), SLICE("Client Key"), client_r);
	digest_of(key_slice(client_r), stored_r);
	digest_hmac(key_slice(salted), SLICE("Server Key"), server_r);
}

bool
scram_keys_make(struct slice password, struct slice salt, uint32_t rounds, struct scram_keys *k_r)
{
	uint8_t salted[DIGEST_LEN], client[DIGEST_LEN];

	memset(k_r, 0, sizeof(*k_r));
	if (!salt_password(password, salt, rounds, salted))
		return false;
	k_r->rounds = rounds;
	memcpy(k_r->salt, salt.p, salt.n);
	k_r->salt_n = salt.n;
	derive(salted, client, k_r->stored, k_r->server);
	secret_wipe(salted, sizeof(salted));
	secret_wipe(client, sizeof(client));
	return true;
}

bool
scram_client(struct slice password, struct slice salt, uint32_t rounds, struct slice auth_message,
             uint8_t proof_r[DIGEST_LEN], uint8_t server_signature_r[DIGEST_LEN])
{
	uint8_t salted[DIGEST_LEN], client[DIGEST_LEN], stored[DIGEST_LEN], server[DIGEST_LEN];

	if (!salt_password(password, salt, rounds, salted))
		return false;
	derive(salted, client, stored, server);
	digest_hmac(key_slice(stored), auth_message, proof_r);
	for (size_t i = 0; i < DIGEST_LEN; i++)
		proof_r[i] ^= client[i];
	digest_hmac(key_slice(server), auth_message, server_signature_r);
	secret_wipe(salted, sizeof(salted));
	secret_wipe(client, sizeof(client));
	secret_wipe(server, sizeof(server));
	return true;
}

bool
scram_keys_match(const struct scram_keys *k, struct slice password)
{
	struct scram_keys mine;
	bool same;

	if (!scram_keys_make(password, slice_make(k->salt, k->salt_n), k->rounds, &mine))
		return false;
	same = text_secret_eq(key_slice(mine.stored), key_slice(k->stored));
	secret_wipe(&mine, sizeof(mine));
	return same;
}

/* ---- as text ------------------------------------------------------------------------------- */

static bool
decode(struct slice text, uint8_t *to, size_t room, size_t *n_r)
{
	struct buf raw = BUF_INIT(room);
	bool ok = text_base64_decode(text, &raw) && raw.len > 0;

	if (ok)
		memcpy(to, buf_slice(&raw).p, raw.len);
	*n_r = raw.len;
	buf_wipe(&raw);
	return ok;
}

bool
scram_keys_parse(struct slice text, struct scram_keys *k_r)
{
	struct slice rounds, salt, stored, server;
	size_t stored_n, server_n;

	memset(k_r, 0, sizeof(*k_r));
	if (!slice_ieq_str(slice_cut(&text, '$'), SCRAM_MECH))
		return false;
	salt = slice_cut(&text, '$');
	rounds = slice_cut(&salt, ':');
	server = text;
	stored = slice_cut(&server, ':');
	return num_parse_u32(rounds, &k_r->rounds) && k_r->rounds >= SCRAM_ROUNDS_MIN &&
	       k_r->rounds <= SCRAM_ROUNDS_MAX &&
	       decode(salt, k_r->salt, SCRAM_SALT_MAX, &k_r->salt_n) &&
	       decode(stored, k_r->stored, DIGEST_LEN, &stored_n) && stored_n == DIGEST_LEN &&
	       decode(server, k_r->server, DIGEST_LEN, &server_n) && server_n == DIGEST_LEN;
}

void
scram_keys_print(const struct scram_keys *k, struct buf *out)
{
	buf_printf(out, SCRAM_MECH "$%u:", k->rounds);
	text_base64_add(out, slice_make(k->salt, k->salt_n));
	buf_add_char(out, '$');
	text_base64_add(out, key_slice(k->stored));
	buf_add_char(out, ':');
	text_base64_add(out, key_slice(k->server));
}
