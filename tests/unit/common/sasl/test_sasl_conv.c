/* sasl_conv - PLAIN through the library, our callback deciding. */
#include "sasl/sasl_conv.h"
#include "sasl/sasl_plain.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

struct asked {
	unsigned times;
	char authzid[64], authcid[64], password[64];
	enum sasl_result answer;
};

static void
copy(char *to, struct slice s)
{
	assert_true(s.n < 64);
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

static struct sasl_conv *
begin(struct asked *a)
{
	static bool open;
	struct err err;
	struct sasl_conv *c;

	if (!open && sasl_conv_global_open("PLAIN", &err) == -1)
		test_fail("%s", err.text);
	if (!open)
		atexit(sasl_conv_global_close);
	open = true;
	c = sasl_conv_new("imap", "host.example.org", false, check, a, &err);
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
	static const char *const others[] = { "LOGIN",       "CRAM-MD5", "ANONYMOUS",   "EXTERNAL",
		                              "SCRAM-SHA-1", "",         "PLAIN LOGIN", "x\ny" };

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
