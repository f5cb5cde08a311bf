/* scram_server - what is malformed, channel binding flags, and that no cut of a right message
 * is a right message. */
#include "sasl/scram_server.h"

#include "base/text.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const struct first_case {
	const char *name;
	struct slice message;
	const char *authzid, *authcid; /* authcid NULL: malformed */
} firsts[] = {
	{ "the usual", SLICE_INIT("n,,n=fred,r=abc"), "", "fred" },
	{ "could bind, but saw no offer", SLICE_INIT("y,,n=fred,r=abc"), "", "fred" },
	{ "acting for another", SLICE_INIT("n,a=bob,n=fred,r=abc"), "bob", "fred" },
	{ "escapes", SLICE_INIT("n,a==2C,n=a=3Db=2C,r=abc"), ",", "a=b," },
	{ "an extension", SLICE_INIT("n,,n=fred,r=abc,x=y"), "", "fred" },
	{ "UTF-8", SLICE_INIT("n,,n=caf\xc3\xa9,r=abc"), "", "caf\xc3\xa9" },
	{ "wants binding", SLICE_INIT("p=tls-unique,,n=fred,r=abc"), NULL, NULL },
	{ "p without a name", SLICE_INIT("p,,n=fred,r=abc"), NULL, NULL },
	{ "another flag", SLICE_INIT("x,,n=fred,r=abc"), NULL, NULL },
	{ "no flag", SLICE_INIT(",,n=fred,r=abc"), NULL, NULL },
	{ "nothing", SLICE_INIT(""), NULL, NULL },
	{ "only a header", SLICE_INIT("n,,"), NULL, NULL },
	{ "an authzid without a=", SLICE_INIT("n,bob,n=fred,r=abc"), NULL, NULL },
	{ "an empty authzid", SLICE_INIT("n,a=,n=fred,r=abc"), NULL, NULL },
	{ "an extension that must be understood", SLICE_INIT("n,,m=x,n=fred,r=abc"), NULL, NULL },
	{ "no name", SLICE_INIT("n,,n=,r=abc"), NULL, NULL },
	{ "no nonce", SLICE_INIT("n,,n=fred"), NULL, NULL },
	{ "an empty nonce", SLICE_INIT("n,,n=fred,r="), NULL, NULL },
	{ "a nonce with a blank", SLICE_INIT("n,,n=fred,r=a b"), NULL, NULL },
	{ "a lone =", SLICE_INIT("n,,n=fr=ed,r=abc"), NULL, NULL },
	{ "a lower-case escape", SLICE_INIT("n,,n=fr=2ced,r=abc"), NULL, NULL },
	{ "a NUL in the name", SLICE_INIT("n,,n=fr\0ed,r=abc"), NULL, NULL },
	{ "a NUL in the nonce", SLICE_INIT("n,,n=fred,r=a\0bc"), NULL, NULL },
	{ "no UTF-8", SLICE_INIT("n,,n=fr\xff,r=abc"), NULL, NULL },
	{ "a nameless extension", SLICE_INIT("n,,n=fred,r=abc,=x"), NULL, NULL },
	{ "an empty extension", SLICE_INIT("n,,n=fred,r=abc,"), NULL, NULL },
	{ "another order", SLICE_INIT("n,,r=abc,n=fred"), NULL, NULL },
};

TEST(client_first_messages)
{
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct scram_server *s = scram_server_new();
		bool ok = scram_server_first(s, firsts[i].message);

		test_check(ok == (firsts[i].authcid != NULL), "%s", firsts[i].name);
		if (ok) {
			test_eq_slice(firsts[i].name, scram_server_authcid(s),
			              slice_of(firsts[i].authcid));
			test_eq_slice(firsts[i].name, scram_server_authzid(s),
			              slice_of(firsts[i].authzid));
		}
		scram_server_free(&s);
	}
}

TEST(messages_without_end_are_refused)
{
	struct scram_server *s = scram_server_new();
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, "n,,n=fred,r=");
	for (int i = 0; i < 300; i++)
		buf_add_char(&b, 'x');
	assert_false(scram_server_first(s, buf_slice(&b)));
	for (int i = 0; i < 8000; i++)
		buf_add_char(&b, 'x');
	assert_false(scram_server_first(s, buf_slice(&b)));
	buf_fini(&b);
	scram_server_free(&s);
}

/* ---- client-final: the client is a few lines here ------------------------------------------- */

struct talk {
	struct scram_server *s;
	struct scram_keys keys;
	struct buf challenge;
	char nonce[128];
};

static void
talk_begin(struct talk *t, const char *gs2)
{
	char first[128];
	struct slice rest, nonce;

	memset(t, 0, sizeof(*t));
	t->s = scram_server_new();
	buf_init(&t->challenge, 1024);
	snprintf(first, sizeof(first), "%sn=fred,r=abc", gs2);
	assert_true(scram_server_first(t->s, slice_of(first)));
	assert_true(scram_keys_make(SLICE("secret"), SLICE("saltsalt"), 4096, &t->keys));
	scram_server_challenge(t->s, &t->keys, &t->challenge);
	rest = buf_slice(&t->challenge);
	nonce = slice_skip(slice_cut(&rest, ','), 2);
	snprintf(t->nonce, sizeof(t->nonce), "%.*s", SLICE_ARG(nonce));
	test_eq_slice("salt and rounds", rest, SLICE("s=c2FsdHNhbHQ=,i=4096"));
	assert_true(strncmp(t->nonce, "abc", 3) == 0 && strlen(t->nonce) > 20);
}

static void
talk_end(struct talk *t)
{
	scram_server_free(&t->s);
	buf_fini(&t->challenge);
}

/* With the proof for `password`. */
static void
make_final(const struct talk *t, const char *unproved, const char *password, char out[512])
{
	struct buf said = BUF_INIT(2048), text = BUF_INIT(256);
	uint8_t proof[DIGEST_LEN], signature[DIGEST_LEN];

	buf_printf(&said, "n=fred,r=abc,%.*s,%s", SLICE_ARG(buf_slice(&t->challenge)), unproved);
	assert_true(scram_client(slice_of(password), SLICE("saltsalt"), 4096, buf_slice(&said),
	                         proof, signature));
	text_base64_add(&text, slice_make(proof, sizeof(proof)));
	snprintf(out, 512, "%s,p=%s", unproved, buf_cstr(&text));
	buf_fini(&said);
	buf_fini(&text);
}

/* %s: the nonce of both */
static const struct final_case {
	const char *name, *gs2, *unproved, *password;
	int want;
} finals[] = {
	{ "right", "n,,", "c=biws,r=%s", "secret", 1 },
	{ "right, with y", "y,,", "c=eSws,r=%s", "secret", 1 },
	{ "right, with an extension", "n,,", "c=biws,r=%s,x=y", "secret", 1 },
	{ "right, with an authzid", "n,a=bob,", "c=bixhPWJvYiw=,r=%s", "secret", 1 },
	{ "a wrong password", "n,,", "c=biws,r=%s", "Secret", 0 },
	{ "y was n", "n,,", "c=eSws,r=%s", "secret", -1 },
	{ "another authzid", "n,a=bob,", "c=biws,r=%s", "secret", -1 },
	{ "binding data behind the header", "n,,", "c=biwsYWJj,r=%s", "secret", -1 },
	{ "another nonce", "n,,", "c=biws,r=abcdefghijklmnopqrstuvwxyz", "secret", -1 },
	{ "a longer nonce", "n,,", "c=biws,r=%sx", "secret", -1 },
	{ "no nonce", "n,,", "c=biws", "secret", -1 },
	{ "another order", "n,,", "r=%s,c=biws", "secret", -1 },
	{ "a bad extension", "n,,", "c=biws,r=%s,xy", "secret", -1 },
};

TEST(client_final_messages)
{
	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		struct buf out = BUF_INIT(256);
		char unproved[256], final[512];
		struct talk t;
		int r;

		talk_begin(&t, finals[i].gs2);
		snprintf(unproved, sizeof(unproved), finals[i].unproved, t.nonce);
		make_final(&t, unproved, finals[i].password, final);
		r = scram_server_final(t.s, slice_of(final), &out);
		test_check(r == finals[i].want, "%s: %d", finals[i].name, r);
		test_check((out.len > 0) == (r == 1), "%s: our proof", finals[i].name);
		buf_fini(&out);
		talk_end(&t);
	}
}

TEST(no_part_of_a_right_message_is_right)
{
	char unproved[256], final[512];
	size_t n = 1;

	for (size_t cut = 0; cut < n; cut++) {
		struct buf out = BUF_INIT(256);
		struct talk t;

		talk_begin(&t, "n,,");
		snprintf(unproved, sizeof(unproved), "c=biws,r=%s", t.nonce);
		make_final(&t, unproved, "secret", final);
		n = strlen(final);
		test_check(scram_server_final(t.s, slice_make(final, cut), &out) == -1,
		           "cut at %zu", cut);
		buf_fini(&out);
		talk_end(&t);
	}
}

TEST(nonces_are_never_the_same)
{
	struct talk a, b;

	talk_begin(&a, "n,,");
	talk_begin(&b, "n,,");
	assert_string_not_equal(a.nonce, b.nonce);
	talk_end(&a);
	talk_end(&b);
}
