/*
 * RFC 5802 section 7:
 *
 *	client-first  = gs2-cbind-flag "," ["a=" saslname] "," bare
 *	bare          = "n=" saslname "," "r=" nonce *("," attr-val)
 *	server-first  = "r=" nonce "," "s=" base64 "," "i=" rounds
 *	client-final  = "c=" base64 "," "r=" nonce *("," attr-val) "," "p=" base64
 *	server-final  = "v=" base64
 *
 * "m=" where an extension may stand first must be refused: it would have to be understood.
 */
#include "sasl/scram_server.h"

#include "base/ids.h"
#include "base/text.h"
#include "base/xalloc.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 1024
#define NONCE_MAX 256
#define NONCE_BYTES 18

struct scram_server {
	struct buf authzid, authcid;
	struct buf gs2;   /* the client's header, as it was */
	struct buf nonce; /* the client's and ours */
	struct buf said;  /* AuthMessage: bare "," server-first "," client-final without proof */
	struct scram_keys keys;
};

struct scram_server *
scram_server_new(void)
{
	struct scram_server *s = xcalloc(1, sizeof(*s));

	buf_init(&s->authzid, NAME_MAX_BYTES);
	buf_init(&s->authcid, NAME_MAX_BYTES);
	buf_init(&s->gs2, SCRAM_MESSAGE_MAX);
	buf_init(&s->nonce, 2 * NONCE_MAX);
	buf_init(&s->said, 4 * SCRAM_MESSAGE_MAX);
	return s;
}

void
scram_server_free(struct scram_server **s)
{
	if (*s == NULL)
		return;
	buf_fini(&(*s)->authzid);
	buf_fini(&(*s)->authcid);
	buf_fini(&(*s)->gs2);
	buf_fini(&(*s)->nonce);
	buf_fini(&(*s)->said);
	secret_wipe(&(*s)->keys, sizeof((*s)->keys));
	free(*s);
	*s = NULL;
}

/* ---- parts of messages --------------------------------------------------------------------- */

/* "n=...": what must come next. */
static bool
cut_attribute(struct slice *rest, char name, struct slice *value_r)
{
	struct slice part = slice_cut(rest, ',');

	if (part.n < 2 || part.p[0] != name || part.p[1] != '=')
		return false;
	*value_r = slice_skip(part, 2);
	return true;
}

/* saslname: "," is "=2C", "=" is "=3D", and nothing else is escaped. */
static bool
read_name(struct slice s, struct buf *out)
{
	if (s.n == 0 || !text_is_utf8(s))
		return false;
	while (s.n > 0) {
		if (slice_starts(s, SLICE("=2C")) || slice_starts(s, SLICE("=3D"))) {
			buf_add_char(out, s.p[1] == '2' ? ',' : '=');
			s = slice_skip(s, 3);
		} else if (*s.p == '=' || *s.p == '\0') {
			return false;
		} else {
			buf_add_char(out, *s.p);
			s = slice_skip(s, 1);
		}
	}
	return !out->overflow;
}

/* printable: all but the comma, which has ended it */
static bool
is_nonce(struct slice s)
{
	if (s.n == 0 || s.n > NONCE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* Extensions we may ignore: attr-val. */
static bool
are_extensions(struct slice rest)
{
	while (rest.p != NULL) {
		struct slice part = slice_cut(&rest, ',');

		if (part.n < 3 || !text_is_alpha(part.p[0]) || part.p[1] != '=' ||
		    !text_is_utf8(part))
			return false;
	}
	return true;
}

/* ---- client-first -------------------------------------------------------------------------- */

static bool
read_gs2(struct scram_server *s, struct slice *rest)
{
	struct slice all = *rest, flag = slice_cut(rest, ','), authzid = slice_cut(rest, ',');

	if (rest->p == NULL || !(slice_eq(flag, SLICE("n")) || slice_eq(flag, SLICE("y"))))
		return false;
	if (authzid.n > 0 && (!slice_starts(authzid, SLICE("a=")) ||
	                      !read_name(slice_skip(authzid, 2), &s->authzid)))
		return false;
	buf_add(&s->gs2, all.p, (size_t)(rest->p - all.p));
	return true;
}

bool
scram_server_first(struct scram_server *s, struct slice message)
{
	struct slice rest = message, bare, name, nonce;
	uint8_t random[NONCE_BYTES];

	if (message.n > SCRAM_MESSAGE_MAX || !read_gs2(s, &rest))
		return false;
	bare = rest;
	if (!cut_attribute(&rest, 'n', &name) || !cut_attribute(&rest, 'r', &nonce) ||
	    !read_name(name, &s->authcid) || !is_nonce(nonce) || !are_extensions(rest))
		return false;
	ids_random(random, sizeof(random));
	buf_add_slice(&s->nonce, nonce);
	text_base64_add(&s->nonce, slice_make(random, sizeof(random)));
	buf_add_slice(&s->said, bare);
	return true;
}

struct slice
scram_server_authzid(const struct scram_server *s)
{
	return buf_slice(&s->authzid);
}

struct slice
scram_server_authcid(const struct scram_server *s)
{
	return buf_slice(&s->authcid);
}

void
scram_server_challenge(struct scram_server *s, const struct scram_keys *k, struct buf *out)
{
	struct buf text = BUF_INIT(SCRAM_MESSAGE_MAX);

	s->keys = *k;
	buf_add_str(&text, "r=");
	buf_add_slice(&text, buf_slice(&s->nonce));
	buf_add_str(&text, ",s=");
	text_base64_add(&text, slice_make(k->salt, k->salt_n));
	buf_printf(&text, ",i=%u", k->rounds);
	buf_add_char(&s->said, ',');
	buf_add_slice(&s->said, buf_slice(&text));
	buf_add_slice(out, buf_slice(&text));
	buf_fini(&text);
}

/* ---- client-final -------------------------------------------------------------------------- */

static bool
is_binding(const struct scram_server *s, struct slice text)
{
	struct buf raw = BUF_INIT(SCRAM_MESSAGE_MAX);
	bool same = text_base64_decode(text, &raw) && slice_eq(buf_slice(&raw), buf_slice(&s->gs2));

	buf_fini(&raw);
	return same;
}

static bool
read_proof(struct slice text, uint8_t proof_r[DIGEST_LEN])
{
	struct buf raw = BUF_INIT(DIGEST_LEN);
	bool ok = text_base64_decode(text, &raw) && raw.len == DIGEST_LEN;

	if (ok)
		memcpy(proof_r, buf_slice(&raw).p, DIGEST_LEN);
	buf_fini(&raw);
	return ok;
}

/* The proof is the last attribute; *unproved_r is what stands before it. */
static bool
read_final(const struct scram_server *s, struct slice message, struct slice *unproved_r,
           uint8_t proof_r[DIGEST_LEN])
{
	size_t at = slice_find_last(message, ',');
	struct slice rest = slice_sub(message, 0, at), proof = slice_skip(message, at + 1);
	struct slice binding, nonce;

	*unproved_r = rest;
	return message.n <= SCRAM_MESSAGE_MAX && at < message.n &&
	       cut_attribute(&rest, 'c', &binding) && cut_attribute(&rest, 'r', &nonce) &&
	       are_extensions(rest) && is_binding(s, binding) &&
	       slice_eq(nonce, buf_slice(&s->nonce)) && slice_starts(proof, SLICE("p=")) &&
	       read_proof(slice_skip(proof, 2), proof_r);
}

static bool
is_right(const struct scram_server *s, const uint8_t proof[DIGEST_LEN])
{
	uint8_t client[DIGEST_LEN], stored[DIGEST_LEN];
	bool right;

	digest_hmac(slice_make(s->keys.stored, DIGEST_LEN), buf_slice(&s->said), client);
	for (size_t i = 0; i < DIGEST_LEN; i++)
		client[i] ^= proof[i];
	digest_of(slice_make(client, DIGEST_LEN), stored);
	right = text_secret_eq(slice_make(stored, DIGEST_LEN),
	                       slice_make(s->keys.stored, DIGEST_LEN));
	secret_wipe(client, sizeof(client));
	return right;
}

int
scram_server_final(struct scram_server *s, struct slice message, struct buf *out)
{
	uint8_t proof[DIGEST_LEN], signature[DIGEST_LEN];
	struct slice unproved;

	if (!read_final(s, message, &unproved, proof))
		return -1;
	buf_add_char(&s->said, ',');
	buf_add_slice(&s->said, unproved);
	if (!is_right(s, proof))
		return 0;
	digest_hmac(slice_make(s->keys.server, DIGEST_LEN), buf_slice(&s->said), signature);
	buf_add_str(out, "v=");
	text_base64_add(out, slice_make(signature, sizeof(signature)));
	return 1;
}
