/* sasl_client - each mechanism against what a server says, right and wrong. */
#include "sasl/sasl_client.h"

#include "base/text.h"
#include "lib/test.h"
#include "sasl/scram.h"

#include <stdio.h>
#include <string.h>

static const struct choice {
	const char *offered;
	bool plaintext_ok;
	const char *want;
} choices[] = {
	{ "PLAIN LOGIN SCRAM-SHA-256", true, "SCRAM-SHA-256" },
	{ "login plain", true, "PLAIN" },
	{ "LOGIN", true, "LOGIN" },
	{ "PLAIN LOGIN", false, NULL },
	{ "PLAIN scram-sha-256", false, "SCRAM-SHA-256" },
	{ "SCRAM-SHA-256-PLUS GSSAPI", true, NULL },
	{ "", true, NULL },
};

TEST(the_best_mechanism_is_chosen)
{
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		const char *got =
			sasl_client_choose(slice_of(choices[i].offered), choices[i].plaintext_ok);

		test_check((got == NULL) == (choices[i].want == NULL), "%s", choices[i].offered);
		if (got != NULL)
			test_eq_str(choices[i].offered, got, choices[i].want);
	}
}

TEST(plain_is_one_message)
{
	struct sasl_client *c = sasl_client_new("PLAIN", "boss", "fred", "secret");
	struct buf out = BUF_INIT(64);

	assert_true(sasl_client_begins(c));
	assert_false(sasl_client_is_done(c));
	assert_int_equal(sasl_client_step(c, SLICE(""), &out), 0);
	test_eq_slice("PLAIN", buf_slice(&out), SLICE("boss\0fred\0secret"));
	assert_true(sasl_client_is_done(c));
	assert_int_equal(sasl_client_step(c, SLICE("more?"), &out), -1);
	assert_false(sasl_client_is_done(c));
	buf_fini(&out);
	sasl_client_free(&c);
}

TEST(login_answers_two_prompts)
{
	struct sasl_client *c = sasl_client_new("LOGIN", "", "fred", "secret");
	struct buf out = BUF_INIT(64);

	assert_false(sasl_client_begins(c));
	assert_int_equal(sasl_client_step(c, SLICE("User Name"), &out), 0);
	test_eq_slice("name", buf_slice(&out), SLICE("fred"));
	assert_false(sasl_client_is_done(c));
	buf_clear(&out);
	assert_int_equal(sasl_client_step(c, SLICE("Password"), &out), 0);
	test_eq_slice("secret", buf_slice(&out), SLICE("secret"));
	assert_true(sasl_client_is_done(c));
	assert_int_equal(sasl_client_step(c, SLICE("Again"), &out), -1);
	buf_fini(&out);
	sasl_client_free(&c);
}

TEST(what_cannot_be_sent_is_refused)
{
	char big[2000];

	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_null(sasl_client_new("GSSAPI", "", "fred", "x"));
	assert_null(sasl_client_new(NULL, "", "fred", "x"));
	assert_null(sasl_client_new("PLAIN", "", "", "x"));
	assert_null(sasl_client_new("PLAIN", "", "fred", ""));
	assert_null(sasl_client_new("PLAIN", "", big, "x"));
	assert_null(sasl_client_new("PLAIN", "", "fred", big));
	assert_null(sasl_client_new("SCRAM-SHA-256", "",
	                            "fr\x01"
	                            "ed",
	                            "x"));
}

/* ---- SCRAM: a server of a few lines --------------------------------------------------------- */

#define SALT "saltsalt"
#define SALT64 "c2FsdHNhbHQ="

struct server {
	struct sasl_client *c;
	struct buf out;
	char first[256]; /* client-first-message-bare */
	char nonce[128];
	char challenge[256];
};

static void
server_begin(struct server *s, const char *authzid, const char *authcid)
{
	struct slice bare;

	memset(s, 0, sizeof(*s));
	buf_init(&s->out, 4096);
	s->c = sasl_client_new("SCRAM-SHA-256", authzid, authcid, "secret");
	assert_non_null(s->c);
	assert_true(sasl_client_begins(s->c));
	assert_int_equal(sasl_client_step(s->c, SLICE(""), &s->out), 0);
	bare = buf_slice(&s->out);
	slice_cut(&bare, ',');
	slice_cut(&bare, ',');
	snprintf(s->first, sizeof(s->first), "%.*s", SLICE_ARG(bare));
	snprintf(s->nonce, sizeof(s->nonce), "%s", strstr(s->first, ",r=") + 3);
}

static void
server_end(struct server *s)
{
	sasl_client_free(&s->c);
	buf_fini(&s->out);
}

/* The client's answer to the usual challenge, checked; the server's signature. */
static void
server_go_on(struct server *s, const char *gs2_64, char signature_r[64])
{
	struct buf said = BUF_INIT(4096), text = BUF_INIT(256);
	uint8_t proof[DIGEST_LEN], signature[DIGEST_LEN];
	char want[256];

	snprintf(s->challenge, sizeof(s->challenge), "r=%sSERVER,s=" SALT64 ",i=4096", s->nonce);
	buf_clear(&s->out);
	assert_int_equal(sasl_client_step(s->c, slice_of(s->challenge), &s->out), 0);
	buf_printf(&said, "%s,%s,c=%s,r=%sSERVER", s->first, s->challenge, gs2_64, s->nonce);
	assert_true(scram_client(SLICE("secret"), SLICE(SALT), 4096, buf_slice(&said), proof,
	                         signature));
	text_base64_add(&text, slice_make(proof, sizeof(proof)));
	snprintf(want, sizeof(want), "c=%s,r=%sSERVER,p=%s", gs2_64, s->nonce, buf_cstr(&text));
	test_eq_slice("final", buf_slice(&s->out), slice_of(want));
	buf_clear(&text);
	text_base64_add(&text, slice_make(signature, sizeof(signature)));
	snprintf(signature_r, 64, "%s", buf_cstr(&text));
	buf_fini(&said);
	buf_fini(&text);
}

TEST(scram_proves_both_sides)
{
	struct server s;
	char signature[64], last[80];

	server_begin(&s, "", "fr,e=d");
	assert_int_equal(strncmp(s.first, "n=fr=2Ce=3Dd,r=", 15), 0);
	server_go_on(&s, "biws", signature);
	assert_false(sasl_client_is_done(s.c));
	snprintf(last, sizeof(last), "v=%s", signature);
	buf_clear(&s.out);
	assert_int_equal(sasl_client_step(s.c, slice_of(last), &s.out), 0);
	assert_int_equal(s.out.len, 0);
	assert_true(sasl_client_is_done(s.c));
	server_end(&s);
}

TEST(scram_names_whom_to_act_for)
{
	struct server s;
	char signature[64];

	server_begin(&s, "bob", "fred");
	assert_int_equal(slice_starts(buf_slice(&s.out), SLICE("n,a=bob,n=fred,r=")), 1);
	server_go_on(&s, "bixhPWJvYiw=", signature);
	server_end(&s);
}

TEST(a_server_that_does_not_know_the_secret_is_not_believed)
{
	static const char *const lasts[] = {
		"",
		"v=",
		"e=other-error",
		"v=AAAA",
		"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	};
	char signature[64];

	for (size_t i = 0; i < ARRAY_LEN(lasts); i++) {
		struct server s;

		server_begin(&s, "", "fred");
		server_go_on(&s, "biws", signature);
		test_check(sasl_client_step(s.c, slice_of(lasts[i]), &s.out) == -1, "%s", lasts[i]);
		assert_false(sasl_client_is_done(s.c));
		server_end(&s);
	}
}

/* %s: the client's nonce */
static const struct bad_first {
	const char *name, *challenge;
} firsts[] = {
	{ "nothing", "" },
	{ "another nonce", "r=abc,s=" SALT64 ",i=4096" },
	{ "the client's nonce and no more", "r=%s,s=" SALT64 ",i=4096" },
	{ "too few rounds", "r=%sX,s=" SALT64 ",i=1" },
	{ "too many rounds", "r=%sX,s=" SALT64 ",i=600001" },
	{ "rounds that are no number", "r=%sX,s=" SALT64 ",i=4096x" },
	{ "no salt", "r=%sX,s=,i=4096" },
	{ "a salt that is no base64", "r=%sX,s=*,i=4096" },
	{ "another order", "s=" SALT64 ",r=%sX,i=4096" },
	{ "an extension that must be understood", "m=x,r=%sX,s=" SALT64 ",i=4096" },
	{ "no rounds", "r=%sX,s=" SALT64 },
};

TEST(malformed_challenges_end_it)
{
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct server s;

		server_begin(&s, "", "fred");
		snprintf(s.challenge, sizeof(s.challenge), firsts[i].challenge, s.nonce);
		test_check(sasl_client_step(s.c, slice_of(s.challenge), &s.out) == -1, "%s",
		           firsts[i].name);
		assert_false(sasl_client_is_done(s.c));
		server_end(&s);
	}
}
