/*
 * A mechanism is a row with a step function; what it has to remember is in one struct.
 *
 * SCRAM here answers the grammar of RFC 5802 section 7 strictly. The server's final message
 * may come as a challenge or along with its OK, by protocol; both are a step.
 */
#include "sasl/sasl_client.h"

#include "base/ids.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "sasl/sasl_plain.h"
#include "sasl/scram.h"
#include "text/prep.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 1024
#define MESSAGE_MAX 8192
#define NONCE_BYTES 18
/* What a server may make us compute, on the loop: some 150 ms. */
#define ROUNDS_MOST 600000

struct mech {
	const char *name;
	bool plaintext, begins;
	int (*step)(struct sasl_client *c, struct slice challenge, struct buf *out);
};

struct sasl_client {
	const struct mech *mech;
	struct buf authzid, authcid, secret;
	unsigned steps;
	bool done;
	/* SCRAM: */
	struct buf first_bare, nonce, gs2;
	uint8_t server_signature[DIGEST_LEN];
};

static int
plain_step(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	if (c->steps > 0 || challenge.n > 0 ||
	    !sasl_plain_message(out, buf_cstr(&c->authzid), buf_cstr(&c->authcid),
	                        buf_cstr(&c->secret)))
		return -1;
	c->done = true;
	return 0;
}

/* The prompts ("User Name", "Username:") differ and are not looked at. */
static int
login_step(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	if (c->steps > 1)
		return -1;
	buf_add_slice(out, buf_slice(c->steps == 0 ? &c->authcid : &c->secret));
	c->done = c->steps == 1;
	return out->overflow ? -1 : 0;
}

/* ---- SCRAM --------------------------------------------------------------------------------- */

/* saslname: "," and "=" are escaped. */
static void
add_name(struct buf *out, const struct buf *name)
{
	struct slice s = buf_slice(name);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ',')
			buf_add_str(out, "=2C");
		else if (s.p[i] == '=')
			buf_add_str(out, "=3D");
		else
			buf_add_char(out, s.p[i]);
	}
}

static int
scram_first(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	uint8_t random[NONCE_BYTES];

	if (challenge.n > 0)
		return -1;
	ids_random(random, sizeof(random));
	text_base64_add(&c->nonce, slice_make(random, sizeof(random)));
	buf_add_str(&c->gs2, "n,");
	if (c->authzid.len > 0) {
		buf_add_str(&c->gs2, "a=");
		add_name(&c->gs2, &c->authzid);
	}
	buf_add_char(&c->gs2, ',');
	buf_add_str(&c->first_bare, "n=");
	add_name(&c->first_bare, &c->authcid);
	buf_add_str(&c->first_bare, ",r=");
	buf_add_slice(&c->first_bare, buf_slice(&c->nonce));
	buf_add_slice(out, buf_slice(&c->gs2));
	buf_add_slice(out, buf_slice(&c->first_bare));
	return out->overflow ? -1 : 0;
}

/* "r=...,": the attribute that must come next. */
static bool
cut_attribute(struct slice *rest, char name, struct slice *value_r)
{
	struct slice part = slice_cut(rest, ',');

	if (part.n < 2 || part.p[0] != name || part.p[1] != '=')
		return false;
	*value_r = slice_skip(part, 2);
	return true;
}

static bool
server_first_parse(struct sasl_client *c, struct slice message, struct slice *nonce_r,
                   struct buf *salt, uint32_t *rounds_r)
{
	struct slice salt64, rounds;

	return cut_attribute(&message, 'r', nonce_r) && cut_attribute(&message, 's', &salt64) &&
	       cut_attribute(&message, 'i', &rounds) &&
	       slice_starts(*nonce_r, buf_slice(&c->nonce)) && nonce_r->n > c->nonce.len &&
	       text_base64_decode(salt64, salt) && num_parse_u32(rounds, rounds_r) &&
	       *rounds_r <= ROUNDS_MOST;
}

/* client-final-message: c=...,r=...,p=... */
static bool
make_final(struct sasl_client *c, struct slice challenge, struct slice nonce, struct slice salt,
           uint32_t rounds, struct buf *out)
{
	struct buf final = BUF_INIT(MESSAGE_MAX), said = BUF_INIT(2 * MESSAGE_MAX);
	uint8_t proof[DIGEST_LEN];
	bool ok;

	buf_add_str(&final, "c=");
	text_base64_add(&final, buf_slice(&c->gs2));
	buf_add_str(&final, ",r=");
	buf_add_slice(&final, nonce);
	buf_add_slice(&said, buf_slice(&c->first_bare));
	buf_add_char(&said, ',');
	buf_add_slice(&said, challenge);
	buf_add_char(&said, ',');
	buf_add_slice(&said, buf_slice(&final));
	ok = !final.overflow && !said.overflow &&
	     scram_client(buf_slice(&c->secret), salt, rounds, buf_slice(&said), proof,
	                  c->server_signature);
	if (ok) {
		buf_add_slice(out, buf_slice(&final));
		buf_add_str(out, ",p=");
		text_base64_add(out, slice_make(proof, sizeof(proof)));
		ok = !out->overflow;
	}
	buf_fini(&final);
	buf_fini(&said);
	return ok;
}

static int
scram_final(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	struct buf salt = BUF_INIT(SCRAM_SALT_MAX);
	struct slice nonce;
	uint32_t rounds;
	bool ok;

	ok = challenge.n <= MESSAGE_MAX &&
	     server_first_parse(c, challenge, &nonce, &salt, &rounds) &&
	     make_final(c, challenge, nonce, buf_slice(&salt), rounds, out);
	buf_fini(&salt);
	return ok ? 0 : -1;
}

static int
scram_verify(struct sasl_client *c, struct slice challenge)
{
	struct buf signature = BUF_INIT(DIGEST_LEN);
	struct slice value;
	bool ok;

	ok = cut_attribute(&challenge, 'v', &value) && text_base64_decode(value, &signature) &&
	     text_secret_eq(buf_slice(&signature), slice_make(c->server_signature, DIGEST_LEN));
	buf_fini(&signature);
	c->done = ok;
	return ok ? 0 : -1;
}

static int
scram_step(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	switch (c->steps) {
	case 0:
		return scram_first(c, challenge, out);
	case 1:
		return scram_final(c, challenge, out);
	case 2:
		return scram_verify(c, challenge);
	default:
		return -1;
	}
}

/* ---- all ----------------------------------------------------------------------------------- */

/* The best first. */
static const struct mech mechs[] = {
	{ SCRAM_MECH, .begins = true, .step = scram_step },
	{ "PLAIN", .plaintext = true, .begins = true, .step = plain_step },
	{ "LOGIN", .plaintext = true, .step = login_step },
};

const char *
sasl_client_choose(struct slice offered, bool plaintext_ok)
{
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++)
		if ((plaintext_ok || !mechs[i].plaintext) &&
		    slice_has_word(offered, slice_of(mechs[i].name)))
			return mechs[i].name;
	return NULL;
}

/* The secret of SCRAM is prepared where the keys are made. */
static bool
take_names(struct sasl_client *c, const char *authzid, const char *authcid, const char *secret)
{
	buf_add_str(&c->secret, secret);
	return prep_sasl(&c->authzid, slice_of(authzid)) &&
	       prep_sasl(&c->authcid, slice_of(authcid)) && !c->secret.overflow &&
	       c->authcid.len > 0 && c->secret.len > 0;
}

struct sasl_client *
sasl_client_new(const char *mech, const char *authzid, const char *authcid, const char *secret)
{
	struct sasl_client *c = xcalloc(1, sizeof(*c));

	buf_init(&c->authzid, NAME_MAX_BYTES);
	buf_init(&c->authcid, NAME_MAX_BYTES);
	buf_init(&c->secret, NAME_MAX_BYTES);
	buf_init(&c->first_bare, MESSAGE_MAX);
	buf_init(&c->nonce, MESSAGE_MAX);
	buf_init(&c->gs2, MESSAGE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(mechs); i++)
		if (mech != NULL && strcmp(mech, mechs[i].name) == 0)
			c->mech = &mechs[i];
	if (c->mech == NULL || !take_names(c, authzid, authcid, secret))
		sasl_client_free(&c);
	return c;
}

void
sasl_client_free(struct sasl_client **c)
{
	if (*c == NULL)
		return;
	buf_fini(&(*c)->authzid);
	buf_fini(&(*c)->authcid);
	buf_wipe(&(*c)->secret);
	buf_fini(&(*c)->first_bare);
	buf_fini(&(*c)->nonce);
	buf_fini(&(*c)->gs2);
	free(*c);
	*c = NULL;
}

bool
sasl_client_begins(const struct sasl_client *c)
{
	return c->mech->begins;
}

int
sasl_client_step(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	int r = c->mech->step(c, challenge, out);

	c->steps++;
	if (r == -1)
		c->done = false;
	return r;
}

bool
sasl_client_is_done(const struct sasl_client *c)
{
	return c->done;
}
