#include "proto/mupdate_server.h"

#include "lib/test.h"
#include "proto/sasl_line.h"

#include <stdlib.h>
#include <string.h>

/* An owner with a map of one: user.e1, and one user: post with the secret s. */
struct owner {
	struct mupdate_server *s;
	struct buf out;
	struct buf seen; /* commands, as they arrived */
	bool ended;
	bool two_steps; /* the mechanism asks once */
};

static void
on_auth_start(void *ctx, const char *mech, struct slice initial)
{
	struct owner *o = ctx;

	buf_printf(&o->seen, "auth %s;", mech);
	if (initial.p == NULL)
		mupdate_server_auth_continue(o->s, SLICE(""));
	else if (o->two_steps)
		mupdate_server_auth_continue(o->s, SLICE("more"));
	else
		mupdate_server_auth_done(o->s, slice_eq(initial, SLICE("\0post\0s")),
		                         slice_eq(initial, SLICE("\0post\0s")) ? "Authenticated"
		                                                               : "no");
}

static void
on_auth_step(void *ctx, struct slice response)
{
	struct owner *o = ctx;
	bool ok = slice_eq(response, SLICE("\0post\0s"));

	mupdate_server_auth_done(o->s, ok, ok ? "Authenticated" : "no");
}

static void
on_auth_abort(void *ctx)
{
	struct owner *o = ctx;

	buf_add_str(&o->seen, "abort;");
}

static void
on_starttls(void *ctx)
{
	struct owner *o = ctx;

	buf_add_str(&o->out, "[TLS]\r\n");
	mupdate_server_tls_started(o->s);
}

static void
on_goodbye(void *ctx, const char *why)
{
	struct owner *o = ctx;

	o->ended = true;
}

static const struct slice left_acl = SLICE_INIT("e1\tl\t");

static void
on_command(void *ctx, const struct mupdate_cmd *cmd)
{
	struct owner *o = ctx;

	buf_printf(&o->seen, "%s", mupdate_verb_text(cmd->verb));
	if (cmd->name.n > 0)
		buf_printf(&o->seen, " n=%.*s", SLICE_ARG(cmd->name));
	if (cmd->place.n > 0)
		buf_printf(&o->seen, " p=%.*s", SLICE_ARG(cmd->place));
	if (cmd->acl.n > 0)
		buf_printf(&o->seen, " a=%.*s", SLICE_ARG(cmd->acl));
	if (cmd->fields.n > 0)
		buf_printf(&o->seen, " f=%.*s", SLICE_ARG(cmd->fields));
	for (unsigned i = 0; i < cmd->host_count; i++)
		buf_printf(&o->seen, " h=%.*s", SLICE_ARG(cmd->hosts[i]));
	if (cmd->is_since)
		buf_printf(&o->seen, " since=%.*s/%d", SLICE_ARG(cmd->history), (int)cmd->revision);
	buf_add_char(&o->seen, ';');
	switch (cmd->verb) {
	case MUPDATE_V_FIND:
		if (slice_eq_str(cmd->name, "user.e1"))
			mupdate_server_record(o->s, cmd->tag, cmd->name, SLICE("be1!"),
			                      SLICE("e1\tlrs\t"), SLICE("rev=7"));
		if (slice_eq_str(cmd->name, "user.left"))
			mupdate_server_reserved(o->s, cmd->tag, cmd->name, SLICE("be1!"), &left_acl,
			                        SLICE("rev=8"));
		mupdate_server_reply(o->s, cmd->tag, MUPDATE_OK, 0, "Search completed");
		break;
	case MUPDATE_V_UPDATE:
		mupdate_server_set_streaming(o->s);
		mupdate_server_reply(o->s, cmd->tag, MUPDATE_OK, 0, "streaming starts");
		break;
	case MUPDATE_V_ROOST:
		mupdate_server_set_extended(o->s);
		mupdate_server_hello(o->s, cmd->tag, "lab", "abcd", 7, 2, true);
		mupdate_server_reply(o->s, cmd->tag, MUPDATE_OK, 0, "hello");
		break;
	case MUPDATE_V_RESERVE:
		mupdate_server_reply(o->s, cmd->tag, MUPDATE_NO, MUPDATE_CODE_EXISTS,
		                     "mailbox already exists");
		break;
	default:
		mupdate_server_reply(o->s, cmd->tag, MUPDATE_OK, 0, "done");
		break;
	}
}

static const struct mupdate_server_ops ops = {
	.auth_start = on_auth_start,
	.auth_step = on_auth_step,
	.auth_abort = on_auth_abort,
	.starttls = on_starttls,
	.command = on_command,
	.goodbye = on_goodbye,
};

#define BANNER                                                                                     \
	"* AUTH \"PLAIN\"\r\n* PARTIAL-UPDATE\r\n* ROOST \"1\"\r\n"                                \
	"* OK MUPDATE \"m.test\" \"Roost\" \"1\" \"(master)\"\r\n"
#define LOGIN "A AUTHENTICATE \"PLAIN\" \"AHBvc3QAcw==\"\r\n"
#define LOGIN_OK "A OK \"Authenticated\"\r\n"

enum { PLAIN_CONF, REPLICA_CONF, TLS_CONF };
static const struct mupdate_server_conf confs[] = {
	[PLAIN_CONF] = { "m.test", "1", NULL, false, false, 10 },
	[REPLICA_CONF] = { "m.test", "1", "mupdate://up.test", false, false, 10 },
	[TLS_CONF] = { "m.test", "1", NULL, true, true, 10 },
};

static const struct server_case {
	const char *name;
	int conf;
	const char *in, *out, *seen;
} cases[] = {
	{ "nothing but login before login", PLAIN_CONF,
	  "N1 NOOP\r\nN2 FIND \"x\"\r\nN3 STARTTLS\r\nN4 BOGUS\r\nN6 LOGOUT\r\n",
	  BANNER "N1 BAD \"Please login first\"\r\nN2 BAD \"Please login first\"\r\n"
	         "N3 BAD \"Unrecognized command\"\r\nN4 BAD \"Unrecognized command\"\r\n"
	         "N6 OK \"bye-bye\"\r\n",
	  "" },
	{ "login with an initial response", PLAIN_CONF, LOGIN "B NOOP\r\n",
	  BANNER LOGIN_OK "B OK \"done\"\r\n", "auth PLAIN;NOOP;" },
	{ "login as Cyrus says it", PLAIN_CONF,
	  "A01 AUTHENTICATE \"PLAIN\" {12+}\r\nAHBvc3QAcw==\r\n",
	  BANNER "A01 OK \"Authenticated\"\r\n", "auth PLAIN;" },
	{ "login with a continuation", PLAIN_CONF,
	  "A AUTHENTICATE PLAIN\r\nAHBvc3QAcw==\r\nB NOOP\r\n",
	  BANNER "\r\n" LOGIN_OK "B OK \"done\"\r\n", "auth PLAIN;NOOP;" },
	{ "a login the client cancels", PLAIN_CONF, "A AUTHENTICATE \"plain\"\r\n*\r\n" LOGIN,
	  BANNER "\r\nA NO \"Client canceled authentication\"\r\n" LOGIN_OK,
	  "auth PLAIN;abort;auth PLAIN;" },
	{ "a wrong login", PLAIN_CONF, "A AUTHENTICATE \"PLAIN\" \"AHBvc3QAeA==\"\r\nB NOOP\r\n",
	  BANNER "A NO \"no\"\r\nB BAD \"Please login first\"\r\n", "auth PLAIN;" },
	{ "broken base64", PLAIN_CONF,
	  "A AUTHENTICATE \"PLAIN\" \"AHBvc3QAeA\"\r\nA AUTHENTICATE \"PLAIN\"\r\n!\r\n",
	  BANNER "A NO \"Error reading client response\"\r\n\r\n"
	         "A NO \"Error reading client response\"\r\n",
	  "auth PLAIN;abort;" },
	{ "an unknown mechanism", PLAIN_CONF, "A AUTHENTICATE \"DIGEST-MD5\"\r\n",
	  BANNER "A NO \"no mechanism available\"\r\n", "" },
	{ "a second login", PLAIN_CONF, LOGIN "B AUTHENTICATE \"PLAIN\" \"AHBvc3QAcw==\"\r\n",
	  BANNER LOGIN_OK "B BAD \"already authenticated\"\r\n", "auth PLAIN;" },
	{ "the commands of a back end", PLAIN_CONF,
	  LOGIN "X0 DELETE {8+}\r\nuser.tr3\r\nX1 ACTIVATE {8+}\r\nuser.tr3 {4+}\r\nbe1! {9+}\r\n"
	        "tr3\tlrswi\r\nX2 DEACTIVATE \"user.tr3\" \"be1!\"\r\nQ01 LOGOUT\r\n",
	  BANNER LOGIN_OK "X0 OK \"done\"\r\nX1 OK \"done\"\r\nX2 OK \"done\"\r\n"
	                  "Q01 OK \"bye-bye\"\r\n",
	  "auth PLAIN;DELETE n=user.tr3;ACTIVATE n=user.tr3 p=be1! a=tr3\tlrswi;"
	  "DEACTIVATE n=user.tr3 p=be1!;" },
	{ "records are sent as literals", PLAIN_CONF,
	  LOGIN "E FIND {7+}\r\nuser.e1\r\nF find \"user.none\"\r\n",
	  BANNER LOGIN_OK "E MAILBOX {7+}\r\nuser.e1 {4+}\r\nbe1! {7+}\r\ne1\tlrs\t\r\n"
	                  "E OK \"Search completed\"\r\nF OK \"Search completed\"\r\n",
	  "auth PLAIN;FIND n=user.e1;FIND n=user.none;" },
	{ "the ACL of a name that was left is told in the extension only", PLAIN_CONF,
	  LOGIN "E FIND \"user.left\"\r\nX ROOST \"1\" \"lab\" \"2\"\r\n"
	        "F FIND \"user.left\"\r\n",
	  BANNER LOGIN_OK
	  "E RESERVE {9+}\r\nuser.left {4+}\r\nbe1!\r\nE OK \"Search completed\"\r\n"
	  "X ROOST \"lab\" \"abcd\" \"7\" \"2\" \"complete\"\r\n"
	  "X OK \"hello\"\r\n"
	  "F RESERVE {9+}\r\nuser.left {4+}\r\nbe1! {5+}\r\nrev=8 {5+}\r\ne1\tl\t\r\n"
	  "F OK \"Search completed\"\r\n",
	  "auth PLAIN;FIND n=user.left;ROOST;FIND n=user.left;" },
	{ "arguments that are wrong", PLAIN_CONF,
	  LOGIN "E12 ACTIVATE user.atom be1!x anyone\r\nE13 FIND user.atom\r\n"
	        "E19 RESERVE \"user.x\"\r\nE20 RESERVE \"user.x\" \"y\" \"z\"\r\n"
	        "E22 NOOP extra\r\nE23 UPDATE \"\"\r\nE24 UPDATE SINCE \"a\" \"1\"\r\n"
	        "E25 PUSHED \"x\"\r\n",
	  BANNER LOGIN_OK "E12 BAD \"Missing arguments\"\r\nE13 BAD \"Extra arguments\"\r\n"
	                  "E19 BAD \"Missing arguments\"\r\nE20 BAD \"Extra arguments\"\r\n"
	                  "E22 BAD \"Extra arguments\"\r\nE23 BAD \"Badly formed arguments\"\r\n"
	                  "E24 BAD \"Extra arguments\"\r\nE25 BAD \"Unrecognized command\"\r\n",
	  "auth PLAIN;" },
	{ "synchronising literals are asked for", PLAIN_CONF,
	  LOGIN "E14 ACTIVATE {7}\r\nuser.e2 {4}\r\nbe1! {0+}\r\n\r\n",
	  BANNER LOGIN_OK "+ go ahead\r\n+ go ahead\r\nE14 OK \"done\"\r\n",
	  "auth PLAIN;ACTIVATE n=user.e2 p=be1!;" },
	{ "only NOOP and LOGOUT while streaming", PLAIN_CONF,
	  LOGIN "U UPDATE\r\nE29 FIND \"x\"\r\nE30 NOOP\r\nE31 LIST\r\nE32 LOGOUT\r\n",
	  BANNER LOGIN_OK "U OK \"streaming starts\"\r\nE29 BAD \"not legal when streaming\"\r\n"
	                  "E30 OK \"done\"\r\nE31 BAD \"not legal when streaming\"\r\n"
	                  "E32 OK \"bye-bye\"\r\n",
	  "auth PLAIN;UPDATE;NOOP;" },
	{ "PARTIAL-UPDATE names hosts", PLAIN_CONF, LOGIN "U UPDATE \"be1\" \"be2\"\r\n",
	  BANNER LOGIN_OK "U OK \"streaming starts\"\r\n", "auth PLAIN;UPDATE h=be1 h=be2;" },
	{ "a replica changes nothing", REPLICA_CONF,
	  LOGIN
	  "S2 ACTIVATE \"q\" \"x!y\" \"z\"\r\nS3 DELETE \"q\"\r\nS4 RESERVE \"q\" \"x!y\"\r\n",
	  "* AUTH \"PLAIN\"\r\n* PARTIAL-UPDATE\r\n* ROOST \"1\"\r\n"
	  "* OK MUPDATE \"m.test\" \"Roost\" \"1\" \"mupdate://up.test\"\r\n" LOGIN_OK
	  "S2 BAD \"read-only session\"\r\nS3 BAD \"read-only session\"\r\n"
	  "S4 BAD \"read-only session\"\r\n",
	  "auth PLAIN;" },
	{ "the extension adds fields and codes", PLAIN_CONF,
	  LOGIN "R1 RESERVE \"a\" \"be1!\"\r\nX ROOST \"1\" \"lab\" \"2\"\r\n"
	        "R2 RESERVE \"a\" \"be1!\" \"id=1\"\r\nF FIND \"user.e1\"\r\n"
	        "A2 ACTIVATE \"a\" \"be1!\" \"\" \"uv=1\"\r\nA3 ACTIVATE \"a\" \"be1!\" \"\"\r\n"
	        "P PUSHED \"be1\"\r\nU UPDATE SINCE \"abcd\" \"7\"\r\n",
	  BANNER LOGIN_OK
	  "R1 NO \"mailbox already exists\"\r\n"
	  "X ROOST \"lab\" \"abcd\" \"7\" \"2\" \"complete\"\r\nX OK \"hello\"\r\n"
	  "R2 NO \"[EXISTS] mailbox already exists\"\r\n"
	  "F MAILBOX {7+}\r\nuser.e1 {4+}\r\nbe1! {7+}\r\ne1\tlrs\t {5+}\r\nrev=7\r\n"
	  "F OK \"Search completed\"\r\nA2 OK \"done\"\r\nA3 OK \"done\"\r\nP OK \"done\"\r\n"
	  "U OK \"streaming starts\"\r\n",
	  "auth PLAIN;RESERVE n=a p=be1!;ROOST;RESERVE n=a p=be1! f=id=1;FIND n=user.e1;"
	  "ACTIVATE n=a p=be1! f=uv=1;ACTIVATE n=a p=be1!;PUSHED n=be1;UPDATE since=abcd/7;" },
	{ "numbers of the extension are checked", PLAIN_CONF,
	  LOGIN "X ROOST \"2\" \"lab\" \"2\"\r\nX ROOST \"1\" \"lab\" \"-\"\r\n",
	  BANNER LOGIN_OK
	  "X BAD \"Badly formed arguments\"\r\nX BAD \"Badly formed arguments\"\r\n",
	  "auth PLAIN;" },
	{ "TLS first", TLS_CONF, LOGIN "S STARTTLS x\r\nS STARTTLS\r\n" LOGIN "T STARTTLS\r\n",
	  "* AUTH\r\n* STARTTLS\r\n* PARTIAL-UPDATE\r\n* ROOST \"1\"\r\n"
	  "* OK MUPDATE \"m.test\" \"Roost\" \"1\" \"(master)\"\r\n"
	  "A NO \"Use STARTTLS first\"\r\nS BAD \"Extra arguments\"\r\n"
	  "S OK \"Begin TLS negotiation now\"\r\n[TLS]\r\n" BANNER LOGIN_OK
	  "T NO \"TLS is on already\"\r\n",
	  "auth PLAIN;" },
	{ "tags that cannot be", PLAIN_CONF,
	  LOGIN "\r\n\"A\" NOOP\r\nA(b NOOP\r\nA\r\nA \"NOOP\"\r\n"
	        "0123456789012345678901234567890123456789012345678901234567890123x NOOP\r\n",
	  BANNER LOGIN_OK
	  "* BAD \"Need tag\"\r\n* BAD \"Bad tag\"\r\n* BAD \"Bad tag\"\r\n"
	  "A BAD \"Need command\"\r\nA BAD \"Need command\"\r\n* BAD \"Bad tag\"\r\n",
	  "auth PLAIN;" },
	{ "ten mistakes before login are enough", PLAIN_CONF,
	  "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nA NOOP\r\n",
	  BANNER "* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n"
	         "* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n"
	         "* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n* BAD \"Need tag\"\r\n"
	         "* BAD \"Need tag\"\r\n* BYE \"Too many errors\"\r\n",
	  "" },
	{ "a literal over the limit ends the session", PLAIN_CONF,
	  "A FIND {22019+}\r\nB LOGOUT\r\n", BANNER "* BYE \"Literal too big\"\r\n", "" },
	{ "a literal over the limit that waits is refused", PLAIN_CONF,
	  "A FIND {22019}\r\nB LOGOUT\r\n",
	  BANNER "A BAD \"Literal too big\"\r\nB OK \"bye-bye\"\r\n", "" },
};

static void
feed(struct owner *o, struct buf *pending, struct slice in)
{
	size_t used;

	buf_add_slice(pending, in);
	do {
		used = mupdate_server_input(o->s, buf_slice(pending));
		buf_consume(pending, used);
	} while (used > 0 && pending->len > 0);
}

static void
run(const struct server_case *c, size_t cut)
{
	struct owner o = { .out = BUF_INIT(SIZE_MAX), .seen = BUF_INIT(SIZE_MAX) };
	struct buf pending = BUF_INIT(SIZE_MAX);
	size_t n = strlen(c->in);

	o.s = mupdate_server_new(&confs[c->conf], "PLAIN", "PLAIN", false, &ops, &o, &o.out);
	mupdate_server_greet(o.s);
	feed(&o, &pending, slice_make(c->in, cut));
	feed(&o, &pending, slice_make(c->in + cut, n - cut));
	test_eq_slice(c->name, buf_slice(&o.out), slice_of(c->out));
	test_eq_slice(c->name, buf_slice(&o.seen), slice_of(c->seen));
	mupdate_server_free(&o.s);
	buf_fini(&o.out);
	buf_fini(&o.seen);
	buf_fini(&pending);
}

TEST(a_conversation_is_the_same_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= strlen(cases[i].in); cut++)
			run(&cases[i], cut);
}

TEST(a_long_sasl_message_is_taken_in_every_form)
{
	static const struct {
		const char *name, *before, *behind;
	} forms[] = {
		{ "a quoted string", "A AUTHENTICATE \"PLAIN\" \"", "\"\r\n" },
		{ "a literal", "A AUTHENTICATE \"PLAIN\" {21844+}\r\n", "\r\n" },
		{ "a line of its own", "A AUTHENTICATE \"PLAIN\"\r\n", "\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct owner o = { .out = BUF_INIT(SIZE_MAX), .seen = BUF_INIT(SIZE_MAX) };
		struct buf in = BUF_INIT(SIZE_MAX);

		buf_add_str(&in, forms[i].before);
		for (size_t k = 0; k < SASL_MESSAGE_MAX / 3 * 4; k++)
			buf_add_char(&in, 'A');
		buf_add_str(&in, forms[i].behind);
		o.s = mupdate_server_new(&confs[PLAIN_CONF], "PLAIN", "PLAIN", false, &ops, &o,
		                         &o.out);
		for (struct slice rest = buf_slice(&in); rest.n > 0;) {
			size_t n = mupdate_server_input(o.s, rest);

			assert_true(n > 0);
			rest = slice_skip(rest, n);
		}
		test_check(slice_ends(buf_slice(&o.out), SLICE("A NO \"no\"\r\n")), forms[i].name,
		           "%s", buf_cstr(&o.out));
		mupdate_server_free(&o.s);
		buf_fini(&o.out);
		buf_fini(&o.seen);
		buf_fini(&in);
	}
}

TEST(while_it_waits_nothing_is_parsed)
{
	struct owner o = { .out = BUF_INIT(SIZE_MAX), .seen = BUF_INIT(SIZE_MAX) };

	o.s = mupdate_server_new(&confs[PLAIN_CONF], "PLAIN", "PLAIN", false, &ops, &o, &o.out);
	assert_int_equal(mupdate_server_input(o.s, SLICE(LOGIN)), strlen(LOGIN));
	mupdate_server_wait(o.s);
	assert_int_equal(mupdate_server_input(o.s, SLICE("A NOOP\r\n")), 0);
	mupdate_server_resume(o.s);
	assert_int_equal(mupdate_server_input(o.s, SLICE("A NOOP\r\n")), 8);
	test_eq_slice("seen", buf_slice(&o.seen), SLICE("auth PLAIN;NOOP;"));
	mupdate_server_free(&o.s);
	buf_fini(&o.out);
	buf_fini(&o.seen);
}
