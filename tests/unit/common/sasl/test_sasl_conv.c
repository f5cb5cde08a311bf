/* sasl_conv - PLAIN and LOGIN through the library, SCRAM through ours; callbacks decide. */
#include "sasl/sasl_conv.h"
#include "sasl/sasl_client.h"
#include "sasl/sasl_plain.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	unsigned times;
	char authzid[64], authcid[64], password[64];
	enum sasl_result answer, permit;
};

static void
copy(char *to, struct slice s)
{
	assert_true(s.n < 64);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

static enum sasl_result
check(void *ctx, struct slice authzid, struct slice authcid, struct slice password)
{
	struct asked *a = ctx;

	a->times++;
	copy(a->authzid, authzid);
	copy(a->authcid, authcid);
	copy(a->password, password);
	return a->answer;
}

static enum sasl_result
keys(void *ctx, struct slice authcid, struct scram_keys *k_r)
{
	struct asked *a = ctx;

	a->times++;
	copy(a->authcid, authcid);
	assert_true(scram_keys_make(SLICE("secret"), SLICE("saltsalt"), 4096, k_r));
	return a->answer;
}

static enum sasl_result
permit(void *ctx, struct slice authzid, struct slice authcid)
{
	struct asked *a = ctx;

	a->times++;
	copy(a->authzid, authzid);
	copy(a->authcid, authcid);
	return a->permit;
}

static const struct sasl_conv_ops ops = { check, keys, permit };

static struct sasl_conv *
begin(struct asked *a)
{
	static bool open;
	struct err err;
	struct sasl_conv *c;

	if (!open && sasl_conv_global_open(NULL, &err) == -1)
		test_fail("%s", err.text);
	if (!open)
		atexit(sasl_conv_global_close);
	open = true;
	c = sasl_conv_new("imap", "host.example.org", false, &ops, a, &err);
	test_check(c != NULL, "%s", err.text);
	return c;
}

#define MSG(lit) slice_make(lit, sizeof(lit) - 1)

static const struct plain_case {
	const char *name;
	struct slice message;
	const char *authzid, *authcid, *password; /* NULL: nobody is asked */
	enum sasl_result answer, want;
} cases[] = {
	{ "a right password", SLICE_INIT("\0fred\0secret"), "fred", "fred", "secret",
	  SASL_RESULT_OK, SASL_RESULT_OK },
	{ "names are not folded by the library", SLICE_INIT("\0Fred@Example.ORG\0s"),
	  "Fred@Example.ORG", "Fred@Example.ORG", "s", SASL_RESULT_OK, SASL_RESULT_OK },
	{ "acting for somebody", SLICE_INIT("ann\0roost-proxy\0v1$x"), "ann", "roost-proxy", "v1$x",
	  SASL_RESULT_OK, SASL_RESULT_OK },
	{ "a wrong password", SLICE_INIT("\0fred\0nope"), "fred", "fred", "nope",
	  SASL_RESULT_DENIED, SASL_RESULT_DENIED },
	{ "a directory that is away", SLICE_INIT("\0fred\0secret"), "fred", "fred", "secret",
	  SASL_RESULT_TEMP, SASL_RESULT_TEMP },
	{ "no fields", SLICE_INIT("fred"), NULL, NULL, NULL, SASL_RESULT_OK, SASL_RESULT_INVALID },
	{ "one field too few", SLICE_INIT("\0fred"), NULL, NULL, NULL, SASL_RESULT_OK,
	  SASL_RESULT_INVALID },
	{ "one field too many", SLICE_INIT("\0fred\0a\0b"), NULL, NULL, NULL, SASL_RESULT_OK,
	  SASL_RESULT_INVALID },
};

static void
check_case(const struct plain_case *c, struct asked *a)
{
	if (c->authcid == NULL) {
		test_check(a->times == 0, "%s: nobody should be asked", c->name);
		return;
	}
	test_check(a->times == 1, "%s: asked %u times", c->name, a->times);
	test_eq_str(c->name, a->authzid, c->authzid);
	test_eq_str(c->name, a->authcid, c->authcid);
	test_eq_str(c->name, a->password, c->password);
}

TEST(plain_with_initial_response)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = { .answer = cases[i].answer };
		struct sasl_conv *c = begin(&a);
		struct slice challenge;
		enum sasl_result r = sasl_conv_start(c, "PLAIN", cases[i].message, &challenge);

		test_check(r == cases[i].want, "%s: %d (%s)", cases[i].name, r,
		           sasl_conv_reason(c));
		check_case(&cases[i], &a);
		sasl_conv_free(&c);
	}
}

TEST(plain_in_two_steps)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asked a = { .answer = cases[i].answer };
		struct sasl_conv *c = begin(&a);
		struct slice challenge;
		enum sasl_result r = sasl_conv_start(c, "plain", slice_make(NULL, 0), &challenge);

		test_check(r == SASL_RESULT_CONTINUE, "%s: %d", cases[i].name, r);
		assert_int_equal(challenge.n, 0);
		r = sasl_conv_step(c, cases[i].message, &challenge);
		test_check(r == cases[i].want, "%s: %d (%s)", cases[i].name, r,
		           sasl_conv_reason(c));
		check_case(&cases[i], &a);
		r = sasl_conv_step(c, cases[i].message, &challenge);
		test_check(a.times <= 1, "%s: a step behind the end", cases[i].name);
		sasl_conv_free(&c);
	}
}

TEST(an_empty_initial_response_is_no_message)
{
	struct asked a = { .answer = SASL_RESULT_OK };
	struct sasl_conv *c = begin(&a);
	struct slice challenge;

	assert_int_not_equal(sasl_conv_start(c, "PLAIN", SLICE(""), &challenge), SASL_RESULT_OK);
	assert_int_equal(a.times, 0);
	sasl_conv_free(&c);
}

TEST(only_the_mechanisms_asked_for_exist)
{
	static const char *const others[] = {
		"CRAM-MD5", "ANONYMOUS",   "EXTERNAL", "SCRAM-SHA-1",
		"",         "PLAIN LOGIN", "x\ny",     "SCRAM-SHA-256-PLUS",
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct asked a = { .answer = SASL_RESULT_OK };
		struct sasl_conv *c = begin(&a);
		struct slice challenge;
		enum sasl_result r = sasl_conv_start(c, others[i], SLICE("x"), &challenge);

		test_check(r == SASL_RESULT_INVALID, "%s: %d", others[i], r);
		sasl_conv_free(&c);
	}
}

TEST(huge_responses_do_no_harm)
{
	struct asked a = { .answer = SASL_RESULT_OK };
	struct sasl_conv *c = begin(&a);
	struct buf b = BUF_INIT(SIZE_MAX);
	struct slice challenge;

	buf_add(&b, "\0f\0", 3);
	for (int i = 0; i < 60000; i++)
		buf_add_char(&b, 'x');
	assert_int_equal(sasl_conv_start(c, "PLAIN", buf_slice(&b), &challenge),
	                 SASL_RESULT_INVALID);
	assert_int_equal(a.times, 0);
	sasl_conv_free(&c);
	buf_fini(&b);
}

TEST(plain_messages_are_built)
{
	struct buf b = BUF_INIT(64);

	assert_true(sasl_plain_message(&b, "fred", "roost-proxy", "tok"));
	test_eq_slice("message", buf_slice(&b), MSG("fred\0roost-proxy\0tok"));
	buf_clear(&b);
	assert_false(sasl_plain_message(&b, "fred", "", "tok"));
	assert_false(sasl_plain_message(&b, "fred", "x", ""));
	buf_fini(&b);
}

/* ---- LOGIN --------------------------------------------------------------------------------- */

TEST(login_asks_for_name_and_password)
{
	for (int with_name = 0; with_name < 2; with_name++) {
		struct asked a = { .answer = SASL_RESULT_OK };
		struct sasl_conv *c = begin(&a);
		struct slice challenge;

		assert_int_equal(sasl_conv_start(c, "LOGIN",
		                                 with_name ? SLICE("Fred") : slice_make(NULL, 0),
		                                 &challenge),
		                 SASL_RESULT_CONTINUE);
		if (!with_name) {
			test_eq_slice("prompt", challenge, SLICE("Username:"));
			assert_int_equal(sasl_conv_step(c, SLICE("Fred"), &challenge),
			                 SASL_RESULT_CONTINUE);
		}
		test_eq_slice("prompt", challenge, SLICE("Password:"));
		assert_int_equal(sasl_conv_step(c, SLICE("secret"), &challenge), SASL_RESULT_OK);
		assert_int_equal(a.times, 1);
		test_eq_str("authcid", a.authcid, "Fred");
		test_eq_str("authzid", a.authzid, "Fred");
		test_eq_str("password", a.password, "secret");
		assert_int_not_equal(sasl_conv_step(c, SLICE("secret"), &challenge),
		                     SASL_RESULT_CONTINUE);
		assert_int_equal(a.times, 1);
		sasl_conv_free(&c);
	}
}

static const struct login_case {
	const char *name;
	struct slice user, password;
	enum sasl_result answer, want;
} logins[] = {
	{ "a wrong password", SLICE_INIT("fred"), SLICE_INIT("nope"), SASL_RESULT_DENIED,
	  SASL_RESULT_DENIED },
	{ "a directory that is away", SLICE_INIT("fred"), SLICE_INIT("x"), SASL_RESULT_TEMP,
	  SASL_RESULT_TEMP },
};

TEST(login_says_what_the_check_says)
{
	for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
		struct asked a = { .answer = logins[i].answer };
		struct sasl_conv *c = begin(&a);
		struct slice challenge;

		assert_int_equal(sasl_conv_start(c, "LOGIN", slice_make(NULL, 0), &challenge),
		                 SASL_RESULT_CONTINUE);
		assert_int_equal(sasl_conv_step(c, logins[i].user, &challenge),
		                 SASL_RESULT_CONTINUE);
		test_check(sasl_conv_step(c, logins[i].password, &challenge) == logins[i].want,
		           "%s", logins[i].name);
		sasl_conv_free(&c);
	}
}

TEST(login_takes_no_nul)
{
	struct asked a = { .answer = SASL_RESULT_OK };
	struct sasl_conv *c = begin(&a);
	struct slice challenge;

	assert_int_equal(sasl_conv_start(c, "LOGIN", MSG("fr\0ed"), &challenge),
	                 SASL_RESULT_INVALID);
	sasl_conv_free(&c);
	c = begin(&a);
	assert_int_equal(sasl_conv_start(c, "LOGIN", SLICE("fred"), &challenge),
	                 SASL_RESULT_CONTINUE);
	assert_int_equal(sasl_conv_step(c, MSG("sec\0ret"), &challenge), SASL_RESULT_INVALID);
	assert_int_equal(a.times, 0);
	sasl_conv_free(&c);
}

/* The library would ask for the password, and lose it (seen with SAN=address). */
TEST(login_takes_no_empty_name)
{
	struct asked a = { .answer = SASL_RESULT_OK };

	for (int empty_initial = 0; empty_initial < 2; empty_initial++) {
		struct sasl_conv *c = begin(&a);
		struct slice challenge;

		assert_int_equal(sasl_conv_start(c, "LOGIN",
		                                 empty_initial ? SLICE("") : slice_make(NULL, 0),
		                                 &challenge),
		                 SASL_RESULT_CONTINUE);
		assert_int_equal(sasl_conv_step(c, SLICE(""), &challenge), SASL_RESULT_INVALID);
		assert_int_equal(sasl_conv_step(c, SLICE("secret"), &challenge),
		                 SASL_RESULT_INVALID);
		assert_int_equal(a.times, 0);
		sasl_conv_free(&c);
	}
}

TEST(an_empty_initial_response_of_login_is_none)
{
	struct asked a = { .answer = SASL_RESULT_OK };
	struct sasl_conv *c = begin(&a);
	struct slice challenge;

	assert_int_equal(sasl_conv_start(c, "LOGIN", SLICE(""), &challenge), SASL_RESULT_CONTINUE);
	test_eq_slice("prompt", challenge, SLICE("Username:"));
	sasl_conv_free(&c);
}

/* ---- SCRAM: sasl_client at the other end ----------------------------------------------------- */

static const struct scram_case {
	const char *name, *authzid, *authcid, *secret;
	enum sasl_result keys, permit;  /* what the callbacks say */
	enum sasl_result first, second; /* what the steps say */
} scrams[] = {
	{ "a right password", "", "fred", "secret", SASL_RESULT_OK, SASL_RESULT_OK,
	  SASL_RESULT_CONTINUE, SASL_RESULT_OK },
	{ "acting for somebody, with odd names", "a=b", "fr,ed=", "secret", SASL_RESULT_OK,
	  SASL_RESULT_OK, SASL_RESULT_CONTINUE, SASL_RESULT_OK },
	{ "a wrong password", "", "fred", "Secret", SASL_RESULT_OK, SASL_RESULT_OK,
	  SASL_RESULT_CONTINUE, SASL_RESULT_DENIED },
	{ "a disabled user", "", "fred", "secret", SASL_RESULT_OK, SASL_RESULT_DENIED,
	  SASL_RESULT_CONTINUE, SASL_RESULT_DENIED },
	{ "a directory that is away at first", "", "fred", "secret", SASL_RESULT_TEMP,
	  SASL_RESULT_OK, SASL_RESULT_TEMP, SASL_RESULT_INVALID },
	{ "a directory that goes away", "", "fred", "secret", SASL_RESULT_OK, SASL_RESULT_TEMP,
	  SASL_RESULT_CONTINUE, SASL_RESULT_TEMP },
};

static void
run_scram(const struct scram_case *sc, bool initial)
{
	struct asked a = { .answer = sc->keys, .permit = sc->permit };
	struct sasl_conv *c = begin(&a);
	struct sasl_client *client =
		sasl_client_new("SCRAM-SHA-256", sc->authzid, sc->authcid, sc->secret);
	struct buf out = BUF_INIT(4096);
	struct slice challenge;
	enum sasl_result r;

	assert_int_equal(sasl_client_step(client, SLICE(""), &out), 0);
	r = sasl_conv_start(c, "scram-sha-256", initial ? buf_slice(&out) : slice_make(NULL, 0),
	                    &challenge);
	if (!initial) {
		assert_int_equal(r, SASL_RESULT_CONTINUE);
		assert_int_equal(challenge.n, 0);
		r = sasl_conv_step(c, buf_slice(&out), &challenge);
	}
	test_check(r == sc->first, "%s: first %d", sc->name, r);
	buf_clear(&out);
	if (r == SASL_RESULT_CONTINUE)
		assert_int_equal(sasl_client_step(client, challenge, &out), 0);
	r = sasl_conv_step(c, buf_slice(&out), &challenge);
	if (r == SASL_RESULT_CONTINUE && sc->second == SASL_RESULT_OK) {
		buf_clear(&out);
		assert_int_equal(sasl_client_step(client, challenge, &out), 0);
		assert_true(sasl_client_is_done(client));
		test_eq_str(sc->name, a.authzid, sc->authzid);
		assert_int_equal(out.len, 0);
		r = sasl_conv_step(c, buf_slice(&out), &challenge);
	}
	test_check(r == sc->second, "%s: second %d", sc->name, r);
	test_check(challenge.n == 0, "%s: our proof", sc->name);
	test_eq_str(sc->name, a.authcid, sc->authcid);
	assert_true(a.times <= 2);
	assert_int_equal(sasl_conv_step(c, SLICE("x"), &challenge), SASL_RESULT_INVALID);
	buf_fini(&out);
	sasl_client_free(&client);
	sasl_conv_free(&c);
}

TEST(scram_says_what_the_callbacks_say)
{
	for (size_t i = 0; i < ARRAY_LEN(scrams); i++) {
		run_scram(&scrams[i], true);
		run_scram(&scrams[i], false);
	}
}
