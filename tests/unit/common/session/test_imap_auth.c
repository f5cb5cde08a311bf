/*
 * imap_auth: which words are asked of the auth workers, and what is said to the others.
 */
#include "session/imap_auth.h"

#include "fakeauth/fakeauth.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "net/loop.h"

#define PLAIN "AGZyZWQAcHc=" /* NUL fred NUL pw */
#define WRONG "AGZyZWQAeHg="
#define NO_TLS "NO [PRIVACYREQUIRED] Passwords only inside TLS"

enum command { LOGIN, AUTHENTICATE };
static const struct row {
	const char *name;
	enum command command;
	const char *args[2], *text;
	bool goes_on, in_clear; /* a literal follows; no TLS */
	const char *refusal;    /* NULL: asked */
	enum auth_result result;
} rows[] = {
	{ "a right password", LOGIN, { "fred", "pw" }, "", .result = AUTH_OK },
	{ "a wrong password", LOGIN, { "fred", "xx" }, "", .result = AUTH_DENIED },
	{ "a third word",
	  LOGIN,
	  { "fred", "pw" },
	  " x",
	  .refusal = "BAD LOGIN takes a user name and a password" },
	{ "a password in clear", LOGIN, { "fred", "pw" }, "", .in_clear = true, .refusal = NO_TLS },
	{ "an initial response", AUTHENTICATE, { "plain" }, " " PLAIN, .result = AUTH_OK },
	{ "a wrong one", AUTHENTICATE, { "PLAIN" }, " " WRONG, .result = AUTH_DENIED },
	{ "an empty one", AUTHENTICATE, { "PLAIN" }, " =", .result = AUTH_INVALID },
	{ "none", AUTHENTICATE, { "PLAIN" }, "", .result = AUTH_CONTINUE },
	{ "no base64", AUTHENTICATE, { "PLAIN" }, " AGZ", .refusal = "BAD This is not base64" },
	{ "a literal",
	  AUTHENTICATE,
	  { "PLAIN" },
	  " ",
	  .goes_on = true,
	  .refusal = "BAD AUTHENTICATE takes no literal" },
	{ "another mechanism",
	  AUTHENTICATE,
	  { "PLAINER" },
	  "",
	  .refusal = "NO [CANNOT] This kind of login is not on offer" },
	{ "a mechanism with a long name that begins like one on offer",
	  AUTHENTICATE,
	  { "PLAIN-AND-MORE-THAN-TWENTY" },
	  "",
	  .refusal = "NO [CANNOT] This kind of login is not on offer" },
	{ "AUTHENTICATE in clear",
	  AUTHENTICATE,
	  { "PLAIN" },
	  "",
	  .in_clear = true,
	  .refusal = NO_TLS },
};

struct heard {
	unsigned answers;
	enum auth_result result;
};

static void
on_auth(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct heard *h = ctx;

	h->answers++;
	h->result = r->result;
}

static struct auth *
world_auth(struct loop *l)
{
	struct auth *a = fakeauth_new(l, "example.org");

	fakeauth_add_user(a, "fred", "pw", "");
	return a;
}

static void
check_row(const struct row *row)
{
	struct loop *l = loop_new();
	struct auth *a = world_auth(l);
	struct heard heard = { 0 };
	const struct slice args[2] = { slice_of(row->args[0]), slice_of(row->args[1]) };
	const struct imap_auth_ask ask = {
		.auth = a,
		.session = { .service = "imap", .session = "s", .peer = "192.0.2.1" },
		.allowed = !row->in_clear,
		.args = args,
		.text = slice_of(row->text),
		.last = !row->goes_on,
		.fn = on_auth,
		.ctx = &heard,
	};
	uint64_t id = 0;
	const char *refusal = row->command == LOGIN ? imap_auth_login(&ask, &id)
	                                            : imap_auth_authenticate(&ask, &id);

	fakenet_settle(l);
	test_eq_str(row->name, refusal != NULL ? refusal : "",
	            row->refusal != NULL ? row->refusal : "");
	test_check((id != 0) == (row->refusal == NULL), "%s", row->name);
	test_check(heard.answers == (row->refusal == NULL ? 1 : 0), "%s", row->name);
	test_check(heard.result == row->result, "%s: %s", row->name,
	           auth_result_name(heard.result));
	auth_free(&a);
	loop_free(&l);
}

TEST(words_of_a_command)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static void
check_line(const char *line, const char *refusal, enum auth_result result)
{
	struct loop *l = loop_new();
	struct auth *a = world_auth(l);
	const struct auth_session session = { .service = "imap", .session = "s", .peer = "x" };
	struct heard heard = { 0 };
	uint64_t id = auth_start(a, &session, "PLAIN", (struct slice){ NULL, 0 }, on_auth, &heard);
	const char *said;

	fakenet_settle(l);
	assert_int_equal(heard.result, AUTH_CONTINUE);
	said = imap_auth_line(a, &id, slice_of(line));
	fakenet_settle(l);
	test_eq_str(line, said != NULL ? said : "", refusal != NULL ? refusal : "");
	test_check((id != 0) == (refusal == NULL), "%s", line);
	test_check(heard.result == result, "%s: %s", line, auth_result_name(heard.result));
	auth_free(&a);
	loop_free(&l);
}

TEST(a_line_behind_a_challenge)
{
	check_line(PLAIN, NULL, AUTH_OK);
	check_line(WRONG, NULL, AUTH_DENIED);
	check_line("*", "BAD AUTHENTICATE is cancelled", AUTH_CONTINUE);
	check_line("AGZ", "BAD This is not base64", AUTH_CONTINUE);
}
